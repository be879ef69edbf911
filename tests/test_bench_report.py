"""Reports: complete, escaped, in one file; tables, charts, worst cases with their pictures, comparisons as a page."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from small_suite import small_suite

from terrascope_nb.bench.cards import Card
from terrascope_nb.bench.compare import compare
from terrascope_nb.bench.metrics import summarise
from terrascope_nb.bench.plots import Line, iou_bars, radar, reliability_curve
from terrascope_nb.bench.report import report
from terrascope_nb.bench.report.page import command
from terrascope_nb.bench.report.table import Cell, Table
from terrascope_nb.bench.report.tables import accuracy_table, failures_table, sensors_table
from terrascope_nb.bench.report.worst import worst
from terrascope_nb.bench.results import Result, Results
from terrascope_nb.bench.run import run
from terrascope_nb.bench.suite import Suite
from terrascope_nb.bench.summary import Reliability
from terrascope_nb.bench.task import PAPER, TASKS
from terrascope_nb.errors import AlreadyThere, InvalidInput, ReadFailed
from terrascope_nb.reason.answers import LETTER_RULES

EVIL = "</td><script>alert(1)</script>|`*_[x](javascript:alert(2))"


class Page(HTMLParser):
    """Counts elements, keeps links, and checks that every element is closed in order."""

    VOID = frozenset({"img", "meta", "br", "link", "input", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v for k, v in attrs if k in ("src", "href") and v]
        assert not [k for k, _ in attrs if k.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def suite():
    return small_suite(10)


@pytest.fixture(scope="module")
def runs(suite, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    asked = {
        "reference": ("reference", {}), "spectral": ("spectral", {}),
        "optical": ("spectral", {"options": {"sensor": "optical"}}),
        "blanked": ("spectral", {"blank": "optical"}), "chance": ("chance", {"seed": 3}),
    }  # fmt: skip
    return {name: run(suite, reasoner, folder / name, **more) for name, (reasoner, more) in asked.items()}


@pytest.fixture(scope="module")
def made(suite, runs, tmp_path_factory):
    page = report(*runs.values(), out=tmp_path_factory.mktemp("report"), suite=suite, worst=3, resamples=200)
    return page.read_text(encoding="utf-8"), page.with_suffix(".md").read_text(encoding="utf-8")


def six_tasks(ok=lambda k: k % 3 > 0, **header):
    rows = [
        Result(f"{task}-{k:02d}", f"i{k}", task, "", "A", options=TASKS[task].options,
               letters=dict.fromkeys(LETTER_RULES, "A" if ok(k) else "B"), correct=dict.fromkeys(LETTER_RULES, ok(k)))
        for task in TASKS for k in range(12)
    ]  # fmt: skip
    told = {"suite": {"name": "six", "digest": "d", "rows": 72}, "reasoner": {"name": "told", "options": {}}}
    return Results(tuple(rows), {**told, **header})


# ---- the page --------------------------------------------------------------------------------------------------------
def test_the_page_is_one_file_without_scripts_or_links(made):
    page = Page(made[0])
    assert "script" not in page.tags and "link" not in page.tags
    assert page.links and all(x.startswith("data:image/") for x in page.links)
    assert "http" not in re.sub(r"data:image/[^\"]+", "", made[0])
    assert "prefers-color-scheme:dark" in made[0]


def test_the_page_tells_what_was_found(made, suite, runs):
    html, _ = made
    for words in (
        "Answers by task", "Answered or not", "What each sensor adds", "Where it looked", "Letters by rule",
        "By difficulty", "IoU of right and wrong answers", "What the text says against its own masks",
        "Do scores tell right from wrong?",
        "How this was made", suite.digest, "chance, 99 % range", "are no comparison", "--option sensor=optical",
        "--blank optical", "the reasoner &#x27;chance&#x27; drew no mask",
    ):  # fmt: skip
        assert words in html, words
    s = summarise(runs["spectral"], resamples=200)
    assert f"{100 * s.macro.value:.1f}" in html and f"{s.grounded.all.value:.3f}" in html
    cpu = runs["spectral"].header["machine"]["cpu"]
    assert cpu in html


def test_the_markdown_has_the_same_tables(made):
    html, markdown = made
    titles = re.findall(r"^## (.+)$", markdown, re.MULTILINE)
    assert "Answers by task" in titles and "How this was made" in titles
    for title in titles:
        assert title in html.replace("&#x27;", "'")
    for block in re.findall(r"(?:^\|.*\|$\n)+", markdown, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.strip().split("\n")}
        assert len(widths) == 1, block  # every row has as many columns as the head


def test_hostile_text_can_only_be_read(tmp_path, suite):
    rows = list(run(suite, "spectral", tmp_path / "run").rows)
    rows[0] = dataclasses.replace(
        rows[0], text=EVIL, error=EVIL, task=EVIL, band="easy", why_no_iou=EVIL, iou=None, image=EVIL,
        correct=dict.fromkeys(LETTER_RULES, False), finish=EVIL,
    )  # fmt: skip
    header = {
        "suite": {"name": EVIL, "digest": suite.digest, "rows": 30}, "seed": 0, "machine": {"cpu": EVIL},
        "reasoner": {"name": EVIL, "options": {"sensor": EVIL, "region_mode": "box"}}, "versions": {EVIL: EVIL},
    }  # fmt: skip
    page = report(Results(tuple(rows), header), out=tmp_path / "out", title=EVIL, suite=suite, resamples=100)
    html = page.read_text(encoding="utf-8")
    parsed = Page(html)
    assert "script" not in parsed.tags and all(x.startswith("data:image/") for x in parsed.links)
    assert "&lt;script&gt;alert(1)" in html
    markdown = page.with_suffix(".md").read_text(encoding="utf-8")
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", markdown.replace("\\`", ""))
    assert "<script" not in outside and "](javascript" not in outside.replace("\\]", "")
    both = compare(Results(tuple(rows), header), Results(tuple(rows[:25]), header), resamples=100)
    assert "script" not in Page(both.to_html(tmp_path / "c.html").read_text(encoding="utf-8")).tags


def test_worst_cases_have_their_pictures_and_options(made, runs):
    html, _ = made
    wrong, _ = worst(runs["spectral"], 3)
    assert wrong
    for r in wrong:
        assert r.row in html
    assert "✓ true" in html and "← chosen" in html and html.count("<img") >= 3 * len(wrong)
    assert "Truth:" in html and "Drawn:" in html


def test_without_the_suite_or_with_a_bad_image_the_page_says_why_there_is_no_picture(tmp_path, suite, runs):
    page = report(runs["spectral"], out=tmp_path / "a", resamples=100)
    assert "no picture: give the suite" in page.read_text(encoding="utf-8")

    def bad():
        raise ReadFailed("gone.tif is not there")

    rows = tuple(dataclasses.replace(r, scene=bad) for r in suite.rows)
    page = report(
        runs["spectral"], out=tmp_path / "b", suite=Suite("small", rows, Card.of("small", rows)), resamples=100
    )
    assert "no picture: ReadFailed: gone.tif is not there" in page.read_text(encoding="utf-8")


def test_the_page_says_first_what_one_must_know(tmp_path, suite):
    short = run(suite, "spectral", tmp_path / "short", limit=28, blank="optical")
    html = report(short, out=tmp_path / "r.html", worst=0, resamples=100).read_text(encoding="utf-8")
    assert "28 of 30 rows have been asked" in html
    assert "no better than chance" in html
    again = six_tasks(resumed=[{"versions": {"numpy": "9"}}], versions={"numpy": "8"})
    html = report(again, out=tmp_path / "s", resamples=100).read_text(encoding="utf-8")
    assert "taken up again with other versions" in html


def test_a_report_is_not_written_over_another_by_accident(tmp_path, runs):
    page = report(runs["chance"], out=tmp_path / "x.html", resamples=100)
    assert page == tmp_path / "x.html" and (tmp_path / "x.md").is_file()
    with pytest.raises(AlreadyThere, match="overwrite=True"):
        report(runs["chance"], out=tmp_path / "x.html")
    report(runs["chance"], out=tmp_path / "x.html", overwrite=True, resamples=100)


def test_runs_of_other_suites_and_another_suite_are_refused(tmp_path, runs):
    with pytest.raises(InvalidInput, match="different suites.*'small'.*'six'"):
        report(runs["chance"], six_tasks(), out=tmp_path)
    with pytest.raises(InvalidInput, match="is not the one that was asked"):
        report(runs["chance"], out=tmp_path, suite=small_suite(2))
    with pytest.raises(InvalidInput, match="at least one run"):
        report(out=tmp_path)


# ---- tables ----------------------------------------------------------------------------------------------------------
def test_the_papers_row_stands_beside_ours_and_is_said_to_be_of_other_data():
    table = accuracy_table([summarise(six_tasks(), resamples=100)])
    assert table.head[1:7] == tuple(t.title for t in TASKS.values())
    last = table.rows[-1]
    assert last[0] == "paper: TerraScope 8B" and last[1:8] == ("73.2", "70.2", "71.8", "80.0", "65.9", "52.1", "68.9")
    assert len([r for r in table.rows if str(r[0]).startswith("paper: ")]) == len(PAPER)
    assert any("other images" in n for n in table.notes)
    assert str(table.rows[0][1]).startswith("66.7 (")


def test_sensors_are_compared_on_the_rows_that_all_runs_count(tmp_path):
    mixed = small_suite(8).rows[:18] + small_suite(8, sar=False).rows[18:]
    suite = Suite("mixed", tuple(mixed), Card.of("mixed", mixed))
    whole, blanked = run(suite, "spectral", tmp_path / "a"), run(suite, "spectral", tmp_path / "b", blank="sar")
    table = sensors_table([(r, summarise(r, resamples=100)) for r in (whole, blanked)])
    assert table.head == ("", "both", "SAR blanked")
    assert table.rows[-1] == ("spectral: rows (images)", "18 (6)", "18 (6)")
    common = [r for r in whole if r.sensors == "optical+sar"]
    by_task = [np.mean([r.correct["strict"] for r in common if r.task == t]) for t in sorted({r.task for r in common})]
    assert table.rows[0][1].text == f"{100 * np.mean(by_task):.1f}"
    assert sensors_table([(whole, summarise(whole, resamples=100))]) is None


def test_a_table_in_three_forms():
    table = Table("T <1>", ("a", "b|c"), (("x_y", Cell("1", "0 to 2")), ("<b>", "2")), ("Note.",), words=(1,))
    assert table.text().split("\n") == ["T <1>", "a           b|c", "x_y  1 (0 to 2)", "<b>           2", "Note."]
    assert "| x\\_y | 1 (0 to 2) |" in table.markdown() and "b\\|c" in table.markdown()
    assert "&lt;b&gt;" in table.html() and '<span class="ci">0 to 2</span>' in table.html()


def test_the_command_asks_the_same_again():
    header = {"suite": {"name": "my suite"}, "reasoner": {"name": "spectral", "options": {"sensor": "sar", "x": None}},
              "seed": 4, "blank": "optical"}  # fmt: skip
    assert command(header) == (
        "terrascope-nb bench run 'my suite' --reasoner spectral --option sensor=sar --blank optical --seed 4 --out RUN"
    )


def test_results_summary_and_comparison_show_themselves(runs):
    for shown in (
        runs["spectral"],
        summarise(runs["spectral"], resamples=100),
        compare(runs["spectral"], runs["optical"]),
    ):
        bundle = shown._repr_mimebundle_()
        assert "script" not in Page(bundle["text/html"]).tags
        assert "spectral" in bundle["text/plain"]
    assert repr(runs["spectral"]) == "<Results of spectral on 'small': 30 rows, 10 images>"


# ---- charts ----------------------------------------------------------------------------------------------------------
def test_a_radar_puts_figures_where_they_belong():
    axes = ["a", "b", "c", "d"]
    svg = ET.fromstring(
        str(radar(axes, [Line("x <1>", [1.0, 0.5, 0.0, None], "s0"), Line("y", [1, 1, 1, 1], "chance")]))
    )
    line = svg.find("polyline")  # a task is missing: not closed
    points = [tuple(map(float, p.split(","))) for p in line.get("points").split()]
    assert points == [(280, 66), (350, 206), (280, 206)]
    assert "x <1>: 100 %, 50 %, 0 %, –" in svg.get("aria-label")
    with pytest.raises(InvalidInput, match="at least three axes"):
        radar(["a", "b"], [])
    with pytest.raises(InvalidInput, match="'x' has 1 values for 4 axes"):
        radar(axes, [Line("x", [1.0], "s0")])


def test_iou_bars_are_shares_of_their_own_number():
    svg = ET.fromstring(str(iou_bars([1.0, 1.0, 0.0, 0.52], [0.5, 0.5], bins=4)))
    bars = {(b.get("class"), float(b.get("x"))): float(b.get("height")) for b in svg.iter("rect")}
    right = sorted(v for (k, _), v in bars.items() if "right" in k)
    wrong = [v for (k, _), v in bars.items() if "wrong" in k]
    assert right == pytest.approx([wrong[0] / 4, wrong[0] / 4, wrong[0] / 2], abs=0.1)
    with pytest.raises(InvalidInput, match="no IoU to draw"):
        iou_bars([], [])


def test_a_reliability_curve_has_a_mark_for_each_bin_with_rows():
    r = Reliability((0, 0.5, 1), (3, 1), (0.25, 0.75), (0.5, 1.0), 0.25, 0)
    svg = ET.fromstring(str(reliability_curve(r)))
    assert len(list(svg.iter("circle"))) == 2
    empty = Reliability((0, 1), (0,), (None,), (None,), None, 4)
    with pytest.raises(InvalidInput, match="no scores to draw"):
        reliability_curve(empty)


# ---- which cases -----------------------------------------------------------------------------------------------------
def test_the_worst_are_wrong_ones_with_the_worst_masks_from_all_tasks():
    def one(k, ok, iou, task="a", image=None):
        letters = dict.fromkeys(LETTER_RULES, ok)
        return Result(f"r{k:02d}", image or f"i{k}", task, "", "A", correct=letters, iou=iou)

    rows = [one(k, False, k / 20) for k in range(10)] + [one(20 + k, False, 0.5 + k / 20, "b") for k in range(3)]
    rows += [one(30, True, 0.1), one(31, True, 0.9), one(40, False, None, "c")]
    wrong, lucky = worst(Results(tuple(rows)), 6)
    assert [r.row for r in wrong] == ["r00", "r20", "r40", "r01", "r21", "r02"]
    assert [r.row for r in lucky] == ["r30"]
    crowded = Results(tuple(one(k, False, 0.1, image="i") for k in range(5)))
    assert len(worst(crowded, 6)[0]) == 2  # no more than two of an image
    assert worst(crowded, 0) == ([], [])


def test_failures_are_grouped_by_their_class(suite):
    rows = [Result(f"r{k}", "i", "a", "", "A", options=2, correct=dict.fromkeys(LETTER_RULES, False), failed="reasoner",
                   error=f"ValueError: {k}" if k else "OSError: gone") for k in range(4)]  # fmt: skip
    table = failures_table([summarise(Results(tuple(rows)))])
    assert table.rows == (("a run", "ValueError: 1 (and 2 other messages)", "3"), ("a run", "OSError: gone", "1"))
