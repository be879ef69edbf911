"""The base that every layer stands on: HTML pieces, options, progress, versions, and the tests' own guards."""

from __future__ import annotations

import io
import socket
import sys
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrascope_nb import _progress, _versions
from terrascope_nb._html import Safe, data_uri, esc, tag
from terrascope_nb._options import options, set_options
from terrascope_nb.errors import InvalidInput


class Reader(HTMLParser):
    """What a browser would see: elements with their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


readable = st.text(st.characters(exclude_categories=("Cs", "Cc")))


@given(readable, readable)
def test_any_text_comes_out_of_a_page_as_it_went_in(text: str, title: str) -> None:
    page = Reader(tag("p", text, title=title))
    assert page.elements == [("p", {"title": title})]
    assert page.text == text


@given(st.text(st.characters()))
def test_every_page_can_be_written(text: str) -> None:
    assert tag("p", text, title=text).encode("utf-8")


def test_pieces_nest_and_are_escaped_once() -> None:
    rows = (tag("li", name) for name in ["a<b", 3, None])
    assert tag("ul", rows, cls="x") == '<ul class="x"><li>a&lt;b</li><li>3</li><li></li></ul>'
    assert esc(esc("&")) == "&amp;"
    assert "<b>" + Safe("<i>") == "&lt;b&gt;<i>"


@pytest.mark.parametrize(
    "attrs",
    [
        {"onclick": "x()"},
        {"OnLoad": "x()"},
        {"href": "javascript:alert(1)"},
        {"href": " java\nscript:alert(1)"},
        {"href": "\x01javascript:alert(1)"},
        {"src": "data:text/html;base64,AAAA"},
        {"href": "vbscript:x"},
        {"a b": "x"},
        {"x><script": "y"},
    ],
)
def test_what_a_browser_would_run_is_refused(attrs: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        tag("a", "click", **attrs)


@pytest.mark.parametrize(
    "link", ["https://example.org/a?b=1&c=2", "report.html", "#step-2", "a/b:c.tif", "mailto:a@b.c"]
)
def test_plain_links_are_kept(link: str) -> None:
    assert Reader(tag("a", "x", href=link)).elements == [("a", {"href": link})]


def test_elements_that_cannot_hold_text() -> None:
    with pytest.raises(InvalidInput, match="no content"):
        tag("img", "text")
    with pytest.raises(InvalidInput, match="Safe"):
        tag("style", "p{}")
    with pytest.raises(InvalidInput, match="Safe"):
        tag("script", Safe("'</script>'"))
    with pytest.raises(InvalidInput, match="element name"):
        tag("p onclick=x")
    with pytest.raises(InvalidInput, match="media type"):
        data_uri('image/png"', b"")
    assert tag("style", Safe("p > b {}")) == "<style>p > b {}</style>"


def test_options_are_kept_and_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TERRASCOPE_NB_PROGRESS", raising=False)
    start = options()
    with set_options(progress=True):
        assert options().progress is True
        with set_options(progress=False) as inner:
            assert inner.progress is False
        assert options().progress is True
        with set_options():
            assert options().progress is True
    assert options() == start
    restore = set_options(progress=False)
    assert options().progress is False
    with restore:
        pass
    assert options() == start


@pytest.mark.parametrize("value", ["yes", 1, 0, "", "Auto"])
def test_options_refuse_other_values(value: object) -> None:
    before = options()
    with pytest.raises(InvalidInput, match="progress must be"):
        set_options(progress=value)
    assert options() == before


def test_environment_silences_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRASCOPE_NB_PROGRESS", "0")
    with set_options(progress=True):
        assert options().progress is False
    monkeypatch.setenv("TERRASCOPE_NB_PROGRESS", "of")
    with pytest.raises(InvalidInput, match="did you mean 'off'"):
        options()


@pytest.mark.parametrize(
    ("option", "terminal", "delay", "shown"),
    [
        (True, False, 0.0, True),
        ("auto", True, 0.0, True),
        ("auto", False, 0.0, False),
        (False, True, 0.0, False),
        (True, True, 1000.0, False),
    ],
)
def test_bar_shows_when_it_should(
    option: object, terminal: bool, delay: float, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    screen = Screen()
    monkeypatch.delenv("TERRASCOPE_NB_PROGRESS", raising=False)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(_progress, "DELAY", delay)
    with set_options(progress=option):
        assert list(_progress.progress(range(3), "reading", "row")) == [0, 1, 2]
        with _progress.progress(3, "writing") as bar:
            bar.update(3)
    assert ("reading" in screen.getvalue() and "writing" in screen.getvalue()) is shown
    assert bool(screen.getvalue()) is shown


def test_bar_is_closed_when_the_work_fails() -> None:
    with set_options(progress=True), pytest.raises(ZeroDivisionError), _progress.progress(3, "dividing") as bar:
        bar.update(1 // 0)


def test_show_versions_names_what_a_bug_report_needs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = _versions.versions()
    assert {"terrascope-nb", "python", "platform", "GDAL", "PROJ", "numpy", "stackstac"} <= table.keys()
    assert table["numpy"][0].isdigit() and table["GDAL"][0].isdigit()
    _versions.show_versions()
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines == table
    monkeypatch.setitem(sys.modules, "rasterio", None)
    assert "does not load" in _versions.versions()["GDAL"]


def test_versions_without_an_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_versions, "DISTRIBUTION", "terrascope-nb-never-installed")
    assert _versions.own_version() == "0+unknown"
    assert _versions.required() == ()


def test_require_skips_or_fails(require: Callable[[str, bool, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    require("python", True, "runs this")
    monkeypatch.delenv("TERRASCOPE_NB_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no browser: draws the page"):
        require("browser", False, "draws the page")
    monkeypatch.setenv("TERRASCOPE_NB_REQUIRE", "1")
    with pytest.raises(pytest.fail.Exception, match="no browser: draws the page"):
        require("browser", False, "draws the page")


def test_tests_stay_on_this_machine() -> None:
    with pytest.raises(pytest.fail.Exception, match="must stay on this machine"):
        socket.create_connection(("example.org", 80), timeout=1)
    with pytest.raises(pytest.fail.Exception, match="must stay on this machine"), socket.socket() as s:
        s.connect(("192.0.2.1", 80))
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
