"""Hostile text through every door: nothing runs, nothing is written outside the folder asked for, errors are ours."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

import terrascope_nb as ts
from terrascope_nb.cli import main
from terrascope_nb.errors import InvalidInput, QuestionNotUnderstood, TerrascopeError
from terrascope_nb.reason.answers import Choices, split_options
from terrascope_nb.reason.events import Answer, Mask, Text
from terrascope_nb.reason.reference import ReferenceReasoner
from terrascope_nb.reason.show import text as plain_text
from terrascope_nb.testing import HOSTILE, ScriptedReasoner, Synthetic, synthetic_scene

TEXTS = (
    *HOSTILE,
    "ab" * 5_000,
    "\x1b[31mred\x1b[0m\x07",
    "\u202egnp.exe",
    "a\u0000../b",
    "-rf",
    "--out=/",
    "CON",
    "[SEG][SEG]",
    "<think>",
)
WATER = "What share of the scene is water?"


class Page(HTMLParser):
    """Collects what a browser would run or fetch."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.bad: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object", "embed", "link", "base", "form"):
            self.bad.append(tag)
        for name, value in attrs:
            address = name in (
                "src",
                "href",
                "action",
                "formaction",
                "xlink:href",
                "srcset",
                "data",
                "poster",
                "background",
            )
            if name.startswith("on") or (address and not (value or "").startswith(("data:image/", "#"))):
                self.bad.append(f"{tag} {name}={value}")


@pytest.fixture(scope="module")
def made() -> Synthetic:
    return synthetic_scene(np.random.default_rng(0), size=32)


def everything(trace: ts.Trace, folder: Path) -> None:
    """Show and write a trace in every form, and hold that the page runs nothing and that no file lies elsewhere."""
    before = set(folder.parent.rglob("*"))
    trace.to_stac(folder)
    bundle = trace._repr_mimebundle_()
    pages = [(folder / "report.html").read_text("utf-8"), bundle["text/html"]]
    assert [b for page in pages for b in Page(page).bad] == []
    for shown in (bundle["text/plain"], plain_text(trace)):
        shown.encode("utf-8")
        assert not any(c in shown for c in "\x00\x07\x1b")
    for name in ("item.json", "masks.geojson", "trace/trace.json"):
        json.loads((folder / name).read_text("utf-8"))
    loaded = ts.Trace.load(folder / "trace")
    assert len(loaded.steps) == len(trace.steps)
    new = {p for p in set(folder.parent.rglob("*")) - before if p != folder}
    assert all(folder in p.parents for p in new)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_every_text_of_scene_and_trace_is_only_shown(made: Synthetic, text: str, tmp_path: Path) -> None:
    images = tuple(replace(i, sources=(text,), sensor=text, notes=(text,)) for i in made.scene.images)
    scene = replace(made.scene, images=images, name=text, notes=(text,))
    said = text.replace("[SEG]", "")
    script = [
        Text(f"{said} [SEG]"), Mask(made.truth("water"), label=text[:300], note=text), Text(f" is {said}."),
        Answer(text, reason=text, unit=text[:20]),
    ]  # fmt: skip
    trace = ts.ask(scene, f"Is it {text}", ["yes", text], ScriptedReasoner(script, name=text))
    everything(trace, tmp_path / "out")
    repr(trace)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_hostile_questions_and_options_are_refused_by_us(made: Synthetic, text: str) -> None:
    for question, choices in (
        (text, None),
        (f"How much {text} is there?", None),
        (WATER, [text, "10 %"]),
        (WATER, {text: "a", "B": "b"}),
    ):
        try:
            trace = ts.ask(made.scene, question, choices)
        except TerrascopeError as e:
            str(e).encode("utf-8")
            assert len(str(e)) < 25_000
        else:
            assert trace.answer.finish in ("stop", "abstained")


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_hostile_names_find_nothing(made: Synthetic, text: str) -> None:
    for act in (
        lambda: ts.samples.load(text),
        lambda: ts.open_reasoner(text),
        lambda: ts.open_reasoner("spectral", sensor=text),
        lambda: ts.ask(made.scene, WATER, reasoner=text),
        lambda: ts.open_cube(ts.search((0, 0, 1, 1), "2020", sensor=text, catalog=ts.samples.catalog())),
        lambda: len(ts.search((0, 0, 1, 1), text, catalog=ts.samples.catalog())),
        lambda: ts.Trace.load(text[:100]),
        lambda: ts.Scene.from_files(text[:100]),
        lambda: ts.AOI.from_geojson(text[:100]),
        lambda: ts.AOI.from_wkt(text),
        lambda: made.scene.select(modalities=text),
        lambda: made.scene.select(times=text),
        lambda: made.truth(text),
    ):
        with pytest.raises(TerrascopeError):
            act()


@pytest.mark.parametrize("text", TEXTS[::4], ids=range(len(TEXTS[::4])))
def test_a_hostile_legend_is_a_name_like_any_other(made: Synthetic, text: str, tmp_path: Path) -> None:
    labels = np.zeros((32, 32), int)
    labels[:16] = 1
    reasoner = ReferenceReasoner(labels, {0: "water", 1: text[:300]})
    everything(ts.ask(made.scene, "Rank the classes by area.", reasoner=reasoner), tmp_path / "out")


def test_files_with_odd_names_are_read_and_named_safely(made: Synthetic, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    bands = made.scene.images[0].arrays()
    grid = made.scene.grid
    for name in (
        "<img src=x onerror=alert(1)>.tif",
        "a b;c&d $(id) `id`.tif",
        "🛰️ 海.tif",
        "-rf.tif",
        "..tif",
        "%s{0}.tif",
        "new\nline.tif",
    ):
        path = folder / name
        profile = dict(
            driver="GTiff", height=32, width=32, count=3, dtype="float32", crs=grid.crs, transform=grid.transform
        )
        with rasterio.open(path, "w", **profile) as file:
            file.write(np.stack([bands[b] for b in ("green", "red", "nir")]))
        scene = ts.Scene.from_files(path, bands=["green", "red", "nir"])
        everything(ts.ask(scene, WATER), tmp_path / f"out{len(name)}")


@pytest.mark.parametrize("text", [t for t in TEXTS[::2] if "\x00" not in t], ids=ascii)
def test_the_command_line_says_it_in_one_clean_paragraph(
    text: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    args = [text if not text.startswith("-") else f" {text}"]
    for more in ([f"--sample={text}"], ["--sample", "lake"]):
        code = main(["ask", *args, *more, "--out", str(out)])
        said = capsys.readouterr()
        assert code == 2
        assert said.out == ""
        assert said.err.startswith("terrascope-nb: ")
        assert said.err.count("\n") == 1
        assert not any(c in said.err for c in "\x00\x07\x1b\r")
        assert len(said.err) < 6_000
    assert list(tmp_path.rglob("*")) == []


def test_out_writes_only_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    question = "Is there water? A. ../../x B. <b>yes</b>"
    out = tmp_path / "a" / "<b>&.." / "out"
    assert main(["ask", question, "--sample", "lake", "--out", str(out)]) == 0
    capsys.readouterr()
    assert {p for p in tmp_path.rglob("*") if p.is_file()} == {p for p in out.rglob("*") if p.is_file()}


@settings(max_examples=150)
@given(st.text(st.characters(), max_size=300))
def test_any_text_at_all_is_answered_or_refused(text: str) -> None:
    scene = _small()
    for question in (text, f"What share of the scene is water? {text}"):
        try:
            ts.ask(scene, question)
        except (QuestionNotUnderstood, InvalidInput) as e:
            str(e).encode("utf-8")


@settings(max_examples=150)
@given(st.lists(st.text(st.characters(), max_size=60), max_size=30))
def test_any_options_at_all_are_taken_or_refused(options: list[str]) -> None:
    try:
        choices = Choices.of(options)
    except InvalidInput:
        return
    try:
        trace = ts.ask(_small(), WATER, choices)
    except QuestionNotUnderstood as e:
        assert "its options are in" in str(e)  # a share cannot be chosen among metres
        return
    assert trace.answer.choice is None or trace.answer.choice in choices.letters
    split_options("Which? " + " ".join(f"{letter}. {t}" for letter, t in choices.items()))


_KEPT: list[Any] = []


def _small() -> ts.Scene:
    if not _KEPT:
        _KEPT.append(synthetic_scene(np.random.default_rng(0), size=32).scene)
    return _KEPT[0]
