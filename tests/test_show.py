"""What users see: order, size, pictures that show what is measured, text that only reads, figures without overlaps."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image as Picture

from terrascope_nb._html import esc
from terrascope_nb.errors import InvalidInput
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.events import Answer, Mask
from terrascope_nb.reason.show import BUNDLE_BYTES, mimebundle, page, pages, plot, png, text
from terrascope_nb.reason.show.captions import SIGNS
from terrascope_nb.reason.show.pictures import (
    AROUND,
    EDGE,
    FILL,
    HATCH,
    NOTHING,
    RUNGS,
    VEIL,
    enlargement,
    overlay_codes,
    painted,
    pixel_aspect,
    shown_shape,
    tile,
)  # fmt: skip
from terrascope_nb.reason.trace import Trace
from terrascope_nb.scene import samples
from terrascope_nb.scene.images import bands_dataset
from terrascope_nb.scene.overlay import outline
from terrascope_nb.scene.scene import Image, Scene
from terrascope_nb.scene.synthetic import synthetic_pair, synthetic_scene
from terrascope_nb.testing.strategies import masks
from terrascope_nb.testing.traces import HOSTILE, trace_of, traces

VOID = {"meta", "img", "br"}
ALLOWED = {
    "html", "head", "title", "body", "meta", "style", "article", "header", "section", "div", "h2", "h3", "p", "span",
    "b", "ul", "li", "svg", "defs", "image", "use", "figure", "figcaption", "img", "table", "thead", "tbody", "tr",
    "th", "td", "details", "summary", "pre",
}  # fmt: skip


class Reader(HTMLParser):
    """Elements with attributes, the text with positions, and whether all that opens closes."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(markup)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str, cls: str = "") -> list[dict[str, str | None]]:
        return [a for t, a in self.elements if t == tag and (not cls or cls in (a.get("class") or "").split())]


def weight(bundle: dict[str, Any]) -> int:
    """Bytes of a bundle as a notebook keeps it."""
    return sum(len(base64.b64encode(v)) if isinstance(v, bytes) else len(v.encode()) for v in bundle.values())


def decoded(link: str | None) -> np.ndarray:
    assert link is not None
    return np.asarray(Picture.open(io.BytesIO(base64.b64decode(link.split(",", 1)[1]))).convert("RGBA"))


def lake(parts: list[tuple[str, Mask | None]] | None = None, **rest: Any) -> Trace:
    scene = samples.load("lake")
    water = scene.images[0].array("nir") < 0.1
    parts = parts or [
        ("I look for dark ground. ", None),
        ("Water [SEG] covers 19.2 % of the clear pixels. ", Mask(water, label="water", note="near infrared below 0.1")),
        ("Tree cover [SEG] covers 99.0 %. ", Mask(~water, label="tree cover", image=1)),
        ("That is all.", None),
    ]
    return trace_of(
        scene,
        parts,
        rest.pop("question", "What share of the scene is water?"),
        rest.pop("answer", Answer("19.2 %", value=19.2, unit="%")),
        **rest,
    )


def on_grid(grid: Grid, mask: np.ndarray, **rest: Any) -> Trace:
    rng = np.random.default_rng(0)
    bands = {b: (rng.random(grid.shape) * 0.3).astype(np.float32) for b in ("red", "green", "blue")}
    scene = Scene((Image(bands_dataset(bands, grid), "optical", grid),))
    return trace_of(scene, [("Water [SEG] lies here.", Mask(mask, label="water"))], "Where?", Answer("Here."), **rest)


# ---- the page ---------------------------------------------------------------------------------------------------


def test_first_question_answer_and_agreement_then_steps_beside_their_pictures() -> None:
    trace = lake()
    markup = mimebundle(trace)["text/html"]
    read = Reader(markup)
    order = [
        "What share of the scene is water?",
        "19.2 %",
        "2 of 3 claims agree with their own masks, 1 disagrees",
        "I look for dark ground.",
        "1. water",
        "Water",
        "2. tree cover",
        "Tree cover",
        "That is all.",
        "Every claim against its own mask",
        "How this was made",
    ]
    at = 0
    for words in order:
        assert words in read.said[at:], words
        at = read.said.index(words, at) + len(words)
    steps = re.findall(r'<section class="step[^"]*">.*?</section>', markup, re.S)
    assert len(steps) == 2
    for k, step in enumerate(steps):
        assert step.index("<svg") < step.index("<figcaption") < step.index('class="prose said"')
        assert f'<span class="seg" title="picture {k + 1}">{k + 1}</span>' in step
    assert "[SEG]" not in read.said


def test_the_base_picture_stands_once_and_each_step_lays_its_mask_over_it() -> None:
    trace = lake()
    read = Reader(page(trace))
    names = [a["id"] for a in read.all("image") if "id" in a]
    assert len(names) == 2  # two images, one of them under each step
    assert [a["href"] for a in read.all("use")] == [f"#{n}" for n in names]
    layers = [decoded(a["href"]) for a in read.all("image") if "id" not in a]
    for layer, step in zip(layers, trace.steps, strict=True):
        up = layer.shape[0] // 120
        assert layer.shape[:2] == (600, 600)
        big = np.repeat(np.repeat(step.mask.values, up, 0), up, 1)
        within, around = outline(big)
        assert (layer[within] == 255).all()  # white, opaque
        assert (layer[around, :3] == 0).all() and (layer[around, 3] == 200).all()
        assert (layer[big & ~within, 3] == 128).all()
        assert (layer[~big & ~around, 3] == 0).all()


def test_several_pages_and_the_same_words_on_another_scene_do_not_meet() -> None:
    one = lake()
    other = lake([("Nothing here.", None)])
    twin = trace_of(
        samples.load("woods"),
        [("Nothing here.", None)],
        "What share of the scene is water?",
        Answer("19.2 %", value=19.2, unit="%"),
    )
    read = Reader(pages([one, other, twin], "All"))
    names = [a["id"] for _, a in read.elements if "id" in a]
    assert len(names) == len(set(names)) == 4
    assert {a["href"] for a in read.all("use")} <= {f"#{n}" for n in names}


def test_a_page_needs_nothing_from_outside() -> None:
    markup = page(lake())
    assert markup.startswith("<!doctype html>\n<html")
    read = Reader(markup[len("<!doctype html>") :])
    assert {t for t, _ in read.elements} <= ALLOWED
    for _, attrs in read.elements:
        for name, value in attrs.items():
            assert not name.startswith("on")
            if name in ("href", "src"):
                assert value is not None and value.startswith(("data:image/webp;base64,", "#"))
    style = re.search(r"<style>(.*?)</style>", markup, re.S)
    assert style is not None and "url(" not in markup and "@import" not in markup


def test_claims_are_marked_where_they_stand_and_explained_where_they_fail() -> None:
    trace = lake()
    markup = page(trace)
    read = Reader(markup.split("\n", 1)[1])
    marks = [a["class"] for a in read.all("span", "c")]
    assert marks == ["c agrees", "c disagrees"]
    verdicts = [c.verdict for c in trace.claims]
    assert [a["aria-label"] for a in read.all("span", "sign")] == [c.verdict for c in trace.claims if c.where == "text"]
    assert len(read.all("td", "v")) == len(verdicts) == 3
    wrong = re.findall(r'<p class="but">(.*?)</p>', markup)
    assert len(wrong) == 1 and wrong[0].startswith("✗ «99.0 %»") and "80.76 %" in wrong[0]
    for row in ("Claimed", "Its mask", "Difference", "Verdict"):
        assert f">{row}</th>" in markup
    assert "points" in markup  # a difference between percentages


def test_a_multiple_choice_shows_what_was_taken_without_colour() -> None:
    trace = lake(
        answer=Answer("27.7 ha", choice="C", value=27.7, unit="ha"), choices=["6 ha", "12 ha", "24 ha", "48 ha"]
    )
    said = Reader(page(trace).split("\n", 1)[1]).said
    assert "○ A. 6 ha ○ B. 12 ha ● C. 24 ha ○ D. 48 ha" in said
    assert "27.7 ha → C. 24 ha" in said
    letter_only = lake(answer=Answer("C", choice="C"), choices={"A": "no", "C": "yes"})
    assert "C. yes" in text(letter_only) and "C (C)" not in text(letter_only)


@pytest.mark.parametrize(
    ("finish", "words"),
    [
        ("abstained", "No answer is given: no infrared"),
        ("cancelled", "The run was cancelled: no infrared"),
        ("limit", "cut off at the limit: no infrared"),
    ],
)  # fmt: skip
def test_a_run_without_an_answer_says_why_at_once(finish: str, words: str) -> None:
    trace = lake([("I cannot tell.", None)], answer=Answer("", finish=finish, reason="no infrared"))
    said = Reader(page(trace).split("\n", 1)[1]).said
    assert said.index("No answer") < said.index(words) < said.index("No claim to check") < said.index("I cannot tell.")
    assert "No region was outlined." in said
    assert words in text(trace)
    assert words in " ".join(t.get_text().replace("\n", " ") for t in plot(trace).texts)


def test_problems_and_blanked_sensors_are_said() -> None:
    blanked = samples.load("lake").blank("sar")
    trace = trace_of(blanked, [("It [SEG] is grey.", Mask(np.eye(120, dtype=bool), image=1))])
    said = Reader(page(trace).split("\n", 1)[1]).said
    assert (
        "SAR, 2017-09-25, blanked. The picture shows no place." in said and "By test: SAR 2017-09-25 (blanked)." in said
    )
    half = trace.replace(problems=("the text has 2 [SEG] but 1 masks came",))
    assert "Problem: the text has 2 [SEG] but 1 masks came" in Reader(page(half).split("\n", 1)[1]).said


def test_what_was_not_measured_is_hatched_and_said() -> None:
    made = synthetic_scene(np.random.default_rng(3), 64, cloud=0.3)
    trace = trace_of(made.scene, [("Water [SEG].", Mask(np.ones((64, 64), bool), label="water"))])
    said = Reader(page(trace).split("\n", 1)[1]).said
    assert "Hatched: 30 % not measured" in said
    assert "Hatched" not in Reader(page(lake()).split("\n", 1)[1]).said


def test_a_viewer_that_takes_styles_and_graphics_out_still_shows_all() -> None:
    markup = mimebundle(lake())["text/html"]
    bare = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", markup, flags=re.S)
    read = Reader(bare)
    flat = read.all("img", "flat")
    assert len(flat) == 1 and decoded(flat[0]["src"]).shape[1] > 300
    assert "Water 1 covers 19.2 %" in read.said.replace("\u2009", "")
    assert not Reader(page(lake()).split("\n", 1)[1]).all("img")  # a page of its own needs no second picture


@settings(max_examples=15)
@given(traces(max_side=8))
def test_any_trace_can_be_shown(trace: Trace) -> None:
    bundle = mimebundle(trace)
    assert weight(bundle) < BUNDLE_BYTES
    read = Reader(bundle["text/html"])
    assert len(read.all("section", "step")) == max(len(trace.steps), 1)
    assert Picture.open(io.BytesIO(bundle["image/png"])).format == "PNG"
    assert bundle["text/plain"].startswith("Q: ")
    bundle["text/plain"].encode()


@pytest.mark.parametrize("said", HOSTILE)
def test_hostile_texts_are_only_read(said: str) -> None:
    scene = synthetic_scene(np.random.default_rng(0), 32, sar=False).scene
    image = scene.images[0]
    odd = Image(image.bands, "optical", image.grid, sensor=said, sources=(said,), notes=(said,), time=image.time)
    parts = [(f"{said} [SEG] {said}", Mask(np.eye(32, dtype=bool), label=said, note=said)), (f" {said}", None)]
    trace = trace_of(
        Scene((odd,), name=said),
        parts,
        said,
        Answer(said, reason=said, finish="limit"),
        [said + "1", said + "2"],
        said,
        {said: [said]},
    )
    trace = trace.replace(problems=(said,))
    markup = page(trace)
    read = Reader(markup.split("\n", 1)[1])
    assert {t for t, _ in read.elements} <= ALLOWED
    assert not any(n.startswith("on") for _, a in read.elements for n in a)
    assert "SECRET" not in markup + text(trace)
    markup.encode()
    text(trace).encode()
    png(trace)
    plot(trace, size=2)._repr_png_()


# ---- size -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "noise"),
    [
        (1, 0.0),
        (20, 0.05),
        pytest.param(5, 0.05, marks=pytest.mark.slow),
        pytest.param(12, 0.5, marks=pytest.mark.slow),
    ],
)
def test_the_bundle_of_a_noisy_512_scene_is_under_300_kb(count: int, noise: float) -> None:
    rng = np.random.default_rng(1)
    pair = synthetic_pair(rng, 512, cloud=0.15)
    labels = ["water", "tree cover", "grassland", "cropland", "bare land"]
    parts = []
    for k in range(count):
        mask = pair.truth(labels[k % 5]) ^ (rng.random((512, 512)) < noise)
        parts.append(
            (
                f"{labels[k % 5].capitalize()} [SEG] covers {k}.0 % of the clear pixels. ",
                Mask(mask, label=labels[k % 5], image=k % 4),
            )
        )
    trace = trace_of(pair.scene, parts, "Which classes are there?", Answer("Five."))
    bundle = mimebundle(trace)
    assert weight(bundle) < 300_000
    assert (
        len(
            json.dumps(
                {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in bundle.items()},
                ensure_ascii=False,
            ).encode()
        )
        < 310_000
    )
    read = Reader(bundle["text/html"])
    assert len(read.all("use")) == count
    size = Picture.open(io.BytesIO(bundle["image/png"])).size
    assert size[0] > 200
    if noise == 0:
        assert "shown at" not in read.said


def test_a_large_scene_is_shown_smaller_and_the_page_says_so() -> None:
    grid = Grid(Affine(10, 0, 5e5, 0, -10, 5.1e6), (2048, 2048), 32633)
    mask = np.zeros(grid.shape, bool)
    mask[:1024] = True
    trace = on_grid(grid, mask)
    read = Reader(mimebundle(trace)["text/html"])
    assert re.search(r"Shown at (\d+) × \1 of 2048 × 2048 pixels; figures are of all of them\.", read.said)
    assert "50.00 % of 4,194,304 clear pixels" in read.said


def test_rungs_go_down_and_the_last_is_small() -> None:
    sides = [r.side for r in RUNGS]
    assert sides == sorted(sides, reverse=True) and RUNGS[-1].side <= 64


# ---- pictures ---------------------------------------------------------------------------------------------------


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([r.side for r in RUNGS]))
def test_shown_shapes(h: int, w: int, side: int) -> None:
    shape = shown_shape((h, w), side)
    assert 1 <= shape[0] <= h and 1 <= shape[1] <= w and max(shape) <= 4096
    if h * w <= side * side and max(h, w) <= 4096:
        assert shape == (h, w)
    elif min(shape) > 20:
        assert shape[0] * shape[1] <= side * side * 1.1
        assert shape[0] / shape[1] == pytest.approx(h / w, rel=0.05)


@settings(max_examples=50)
@given(st.data())
def test_the_overlay_draws_what_is_measured_and_nothing_else(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 30), st.integers(1, 30)))
    mask, measured = data.draw(masks(shape)), data.draw(masks(shape))
    codes = overlay_codes(mask, measured, 512)
    up = enlargement(shape)
    assert codes.shape == (shape[0] * up, shape[1] * up)
    middle = codes[up // 2 :: up, up // 2 :: up]
    if up > 2:
        assert (np.isin(middle, (FILL, EDGE)) == (mask & measured)).all()
        assert (np.isin(middle, (VEIL, HATCH)) == ~measured).all()
        assert (np.isin(middle, (NOTHING, AROUND)) == (~mask & measured)).all()
    if (mask & measured).any() and not (mask & measured).all():
        assert (codes == EDGE).any() and (codes == AROUND).any()


def test_fill_and_outline_can_be_told_from_any_ground() -> None:
    """On black, white, grey and the mask's own colour: inside and outside differ, and the outline differs from both."""
    grid = Grid(Affine(10, 0, 5e5, 0, -10, 5.1e6), (40, 40), 32633)
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    for ground in ((0, 0, 0), (255, 255, 255), (128, 128, 128), (0, 114, 178)):
        bands = {b: np.full((40, 40), v, np.float32) for b, v in zip(("red", "green", "blue"), ground, strict=True)}
        scene = Scene((Image(bands_dataset(bands, grid), "optical", grid, "rgb8"),))
        trace = trace_of(scene, [("Water [SEG].", Mask(mask, label="water"))])
        picture = painted(trace, 0, 512).astype(float) @ (0.2126, 0.7152, 0.0722)  # as seen without colour
        codes = overlay_codes(mask, np.ones_like(mask), 512)
        edge, around = picture[codes == EDGE].mean(), picture[codes == AROUND].mean()
        assert edge - around > 180  # the white line beside the black one
        assert max(abs(picture[codes == FILL].mean() - edge), abs(picture[codes == NOTHING].mean() - around)) > 60


@pytest.mark.parametrize(
    ("grid", "ratio"),
    [
        (Grid(Affine(10, 0, 5e5, 0, -10, 5.1e6), (40, 40), 32633), 1),
        (Grid(Affine(10, 0, 5e5, 0, -20, 5.1e6), (40, 40), 32633), 2),
        (Grid(Affine(0.001, 0, 14, 0, -0.001, 60), (40, 40), 4326), 2),
        (Grid(Affine(1, 0, 0, 0, 3, 0), (40, 40), None), 1),
        (Grid(Affine(0.1, 0, 0, 0, -0.1, 90), (40, 40), 4326), 28),
    ],
)
def test_pictures_have_the_ground_s_proportions(grid: Grid, ratio: float) -> None:
    assert pixel_aspect(grid) == pytest.approx(ratio, rel=0.03)
    trace = on_grid(grid, np.eye(40, dtype=bool))
    for w, h in re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', page(trace)):
        assert float(h) / float(w) == pytest.approx(ratio, rel=0.03)
    picture = tile(trace, 0, 200)
    assert picture.shape[0] / picture.shape[1] == pytest.approx(ratio, rel=0.2)
    box = plot(trace).axes[0].get_window_extent()
    assert box.height / box.width == pytest.approx(min(ratio, 8), rel=0.03)


@pytest.mark.parametrize("shape", [(30, 3000), (3000, 30), (1, 1), (1, 500), (2, 3)])
def test_strips_and_specks_can_be_shown(shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, bool)
    mask[0, 0] = True
    trace = on_grid(Grid(Affine(10, 0, 5e5, 0, -10, 5.1e6), shape, 32633), mask)
    bundle = mimebundle(trace)
    assert weight(bundle) < BUNDLE_BYTES
    kind = "wide" if shape[1] > 3 * shape[0] else "tall" if shape[0] > 3 * shape[1] else ""
    assert kind in Reader(bundle["text/html"]).all("section", "step")[0]["class"]
    trace.plot()._repr_png_()


# ---- plain text -------------------------------------------------------------------------------------------------


def test_plain_text_says_it_all() -> None:
    lines = text(lake()).splitlines()
    assert lines[:2] == ["Q: What share of the scene is water?", "A: 19.2 %"]
    assert lines[2].strip() == "✗ 2 of 3 claims agree with their own masks, 1 disagrees"
    assert lines[3].strip() == "I look for dark ground."
    assert lines[4].strip() == "Water [1] covers 19.2 % of the clear pixels."
    assert lines[5].strip().startswith("[1] water on image 0: 19.24 % of 14,400 clear pixels")
    assert any(line.strip().startswith("✗ «99.0 %»") for line in lines)
    assert set(SIGNS) == {"agrees", "disagrees", "not checkable"}


# ---- figure -----------------------------------------------------------------------------------------------------


def long_text() -> Trace:
    prose = "It is large, and it lies in the middle of the plain between the two rivers that meet there. " * 8
    scene = synthetic_scene(np.random.default_rng(0), 48).scene
    return trace_of(
        scene, [(f"Water [SEG] covers 9 % and {prose}", Mask(np.eye(48, dtype=bool), label="water"))] * 2, "What " * 60,
        Answer("9 % " * 40),
    )  # fmt: skip


def twelve() -> Trace:
    made = synthetic_scene(np.random.default_rng(3), 48, cloud=0.2)
    return trace_of(
        made.scene,
        [(f"Part {k} [SEG] of it. ", Mask(made.truth("water"), label="water", image=k % 2)) for k in range(12)],
    )


FIGURES = {
    "lake": lake,
    "no step": lambda: lake([("Nothing.", None)]),
    "twelve": twelve,
    "long": long_text,
    "strip": lambda: on_grid(Grid(Affine(10, 0, 5e5, 0, -10, 5.1e6), (30, 900), 32633), np.ones((30, 900), bool)),
    "degrees": lambda: on_grid(Grid(Affine(0.001, 0, 14, 0, -0.001, 60), (40, 40), 4326), np.eye(40, dtype=bool)),
    "no crs": lambda: on_grid(Grid(Affine(1, 0, 0, 0, 1, 0), (40, 60), None), np.ones((40, 60), bool)),
    "far away": lambda: on_grid(
        Grid(Affine(0.5, 0, 500_000, 0, -0.5, 9_999_990), (30, 30), 32633), np.eye(30, dtype=bool)
    ),
    "rotated": lambda: on_grid(Grid(Affine(7, 7, 5e5, 7, -7, 5.1e6), (30, 30), 32633), np.eye(30, dtype=bool)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_of_a_figure_overlaps_another_or_leaves_it(name: str) -> None:
    trace = FIGURES[name]()
    figure = trace.plot()
    FigureCanvasAgg(figure).draw()
    boxes = []
    for t in [
        *figure.texts,
        *(
            x
            for ax in figure.axes
            for x in (*ax.get_xticklabels(), *ax.get_yticklabels(), ax.xaxis.label, ax.yaxis.label, ax.title)
        ),
    ]:
        if t.get_text() and t.get_visible():
            boxes.append((t.get_text(), t.get_window_extent()))
    boxes += [("axes", ax.get_window_extent()) for ax in figure.axes]
    whole = figure.bbox
    for k, (words, box) in enumerate(boxes):
        assert (
            box.x0 >= whole.x0 - 1 and box.x1 <= whole.x1 + 1 and box.y0 >= whole.y0 - 1 and box.y1 <= whole.y1 + 1
        ), words
        for other, box2 in boxes[:k]:
            across = min(box.x1, box2.x1) - max(box.x0, box2.x0)
            down = min(box.y1, box2.y1) - max(box.y0, box2.y0)
            assert across <= 1 or down <= 1, (words, other)


def test_a_figure_has_ground_coordinates_in_full() -> None:
    trace = lake()
    figure = trace.plot(columns=1)
    assert len(figure.axes) == 2
    ax = figure.axes[0]
    left, bottom, right, top = trace.frames[0].grid.bounds
    assert (*ax.get_xlim(), *ax.get_ylim()) == (left, right, bottom, top)
    FigureCanvasAgg(figure).draw()
    for label in ax.get_xticklabels():
        assert left < int(label.get_text().replace("\u2009", "")) < right
    assert ax.get_xlabel() == "EPSG:32635, m"
    words = "\n".join(t.get_text() for t in figure.texts)
    assert (
        "What share of the scene is water?" in words
        and "1. water, 19.2 %" in words
        and "[✓1]" in words
        and "[✗1]" in words
    )


def test_a_figure_s_picture_is_the_page_s() -> None:
    trace = lake()
    (image,) = trace.plot().axes[0].get_images()
    assert (image.get_array() == painted(trace, 0, 1024, crisp=640)).all()


def test_a_figure_that_cannot_be_is_refused() -> None:
    for options in ({"columns": 0}, {"size": 0.2}, {"size": float("nan")}):
        with pytest.raises(InvalidInput, match="plot needs"):
            lake().plot(**options)


def test_showing_and_plotting_leave_pyplot_alone() -> None:
    code = (
        "import sys, terrascope_nb as ts\n"
        "trace = ts.ask(ts.samples.load('lake'), 'What share of the scene is water?')\n"
        "trace._repr_mimebundle_(); figure = trace.plot(); figure._repr_png_()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "import matplotlib.pyplot as plt\n"
        "assert plt.get_fignums() == []\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


# ---- in a notebook and in a browser -----------------------------------------------------------------------------


@pytest.mark.notebook
def test_a_notebook_shows_traces_and_figures(require: Any) -> None:
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    cells = [
        "import terrascope_nb as ts\ntrace = ts.ask(ts.samples.load('lake'), 'What share of the scene is water?')",
        "trace",
        "trace.plot()",
        "import matplotlib.pyplot as plt\ntrace.plot()",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    client.NotebookClient(book, timeout=120).execute()
    shown = [[o.data for o in cell.outputs if "data" in o] for cell in book.cells]
    assert set(shown[1][0]) == {"text/plain", "text/html", "image/png"}
    assert shown[1][0]["text/html"].startswith("<article")
    assert Picture.open(io.BytesIO(base64.b64decode(shown[1][0]["image/png"]))).format == "PNG"
    for figure in shown[2:]:
        assert len(figure) == 1 and Picture.open(io.BytesIO(base64.b64decode(figure[0]["image/png"]))).width > 300


def browser() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.browser
def test_a_browser_draws_the_page_within_any_width(tmp_path: Path, require: Any) -> None:
    path = browser()
    require("chromium", path is not None, "draws the page")
    made = [lake(choices=["6 ha", "12 ha"]), long_text(), FIGURES["strip"](), FIGURES["degrees"](), twelve()]
    source = esc(pages(made, "?"))
    widths = (340, 700, 1100)
    frames = "".join(f'<iframe srcdoc="{source}" width="{w}" height="900" style="border:0"></iframe>' for w in widths)
    probe = """<script>onload=()=>{document.title=JSON.stringify([...document.querySelectorAll("iframe")].map(f=>{
      const d=f.contentDocument, box=e=>e.getBoundingClientRect(), steps=[...d.querySelectorAll(".step")];
      const svg=steps.map(s=>box(s.querySelector("svg")));
      return {over:d.documentElement.scrollWidth-d.documentElement.clientWidth, width:d.documentElement.clientWidth,
        shown:svg.filter(b=>b.width>3&&b.height>3).length, steps:steps.length,
        wide:svg.filter(b=>b.width>f.clientWidth).length,
        font:parseFloat(d.defaultView.getComputedStyle(d.querySelector(".said")).fontSize),
        beside:steps.filter(s=>s.children[1]&&box(s.children[1]).left>=box(s.children[0]).right).length}}))}</script>"""
    file = tmp_path / "page.html"
    file.write_text(f"<!doctype html><meta charset=utf-8><title></title>{frames}{probe}", encoding="utf-8")
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--hide-scrollbars --disable-component-update --disable-sync "
        "--virtual-time-budget=3000 --window-size=1300,900 --dump-dom"
    ).split()  # fmt: skip
    done = subprocess.run(
        [str(path), *flags, f"--user-data-dir={tmp_path / 'profile'}", file.as_uri()],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None
    for found, width in zip(json.loads(html.unescape(title[1])), widths, strict=True):
        assert (found["over"], found["width"], found["wide"]) == (0, width, 0)
        assert found["steps"] == found["shown"] == 2 + 2 + 1 + 1 + 12
        assert found["font"] >= 15
        assert found["beside"] == (
            0 if width < 500 else found["steps"] - 1
        )  # all but the strip stand beside their sentences
