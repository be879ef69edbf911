"""A trace on a map: each control does what it says, nothing is sent twice, nothing hostile runs, all is freed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from affine import Affine

pytest.importorskip("leafmap")
import ipywidgets as w
from ipywidgets.embed import dependency_state
from ipywidgets.widgets import widget as registry

import terrascope_nb as ts
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.geo.grid import Grid
from terrascope_nb.maps.agree import claim_pairs, mask_agreement
from terrascope_nb.maps.compare import Compare
from terrascope_nb.maps.inspector import inspect
from terrascope_nb.maps.layers import PICTURES
from terrascope_nb.maps.leaflet import Canvas
from terrascope_nb.maps.stepper import TraceView
from terrascope_nb.maps.timeline import Timeline, has_dates
from terrascope_nb.reason.events import Answer, Mask
from terrascope_nb.reason.measure import gain, loss, net
from terrascope_nb.reason.reasoner import follow
from terrascope_nb.scene.classes import color
from terrascope_nb.scene.images import bands_dataset
from terrascope_nb.scene.scene import Image, Scene
from terrascope_nb.scene.synthetic import synthetic_pair
from terrascope_nb.testing.traces import HOSTILE, trace_of

QUESTION = "How far is the forest from water?"


@pytest.fixture(scope="module")
def lake() -> Scene:
    return ts.samples.load("lake")


@pytest.fixture(scope="module")
def trace(lake: Scene) -> Any:
    return ts.ask(lake, QUESTION)


@pytest.fixture(scope="module")
def pair() -> Scene:
    return synthetic_pair(np.random.default_rng(1), size=64).scene


@pytest.fixture(scope="module")
def lost(pair: Scene) -> Any:
    return ts.ask(pair, "How much forest was lost?")


@pytest.fixture
def show() -> Iterator[Callable[..., TraceView]]:
    opened: list[TraceView] = []

    def make(trace: Any, scene: Scene | None = None, **options: Any) -> TraceView:
        placed = trace.frames[0].grid.crs is not None
        opened.append(TraceView(Canvas(basemap=None, georeferenced=placed), trace, scene, **options))
        return opened[-1]

    yield make
    for view in opened:
        view.close()
        view.canvas.close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of each message from widgets to the page."""
    out: list[int] = []
    first = w.Widget._send

    def count(self: Any, message: Any, buffers: Any = None) -> None:
        out.append(len(json.dumps(message, default=str)) + sum(len(b) for b in buffers or ()))
        first(self, message, buffers)

    monkeypatch.setattr(w.Widget, "_send", count)
    return out


def made(images: int = 1, side: int = 24, crs: int | None = 32633, rng: int = 0) -> Scene:
    """Optical images of noise on one grid, a month apart."""
    transform = Affine(10, 0, 590_000, 0, -10, 5_100_000) if crs else Affine.identity()
    grid = Grid(transform, (side, side), crs)
    noise = np.random.default_rng(rng)
    out = []
    for k in range(images):
        bands = {n: noise.random(grid.shape).astype(np.float32) * 0.3 for n in ("blue", "green", "red", "nir")}
        day = np.datetime64("2020-01-15") + 30 * k
        out.append(Image(bands_dataset(bands, grid), "optical", grid, time=day))
    return Scene(tuple(out))


def blob(side: int, row: int, col: int, size: int) -> np.ndarray:
    mask = np.zeros((side, side), bool)
    mask[row : row + size, col : col + size] = True
    return mask


def steps_trace(scene: Scene, steps: int, label: str = "water", answer: Answer | None = None) -> Any:
    side = scene.images[0].grid.height
    n = len(scene.images)
    parts = [
        ("Look there [SEG] now. ", Mask(blob(side, k % (side - 4), 3, 4), label=label, image=k % n))
        for k in range(steps)
    ]
    return trace_of(scene, parts, answer=answer or Answer("done"))


def click(view: TraceView, latitude: float, longitude: float) -> None:
    """As the page does."""
    event = {"event": "interaction", "type": "click", "coordinates": [latitude, longitude]}
    view.canvas.map._handle_leaflet_event(None, event, [])


def place(scene: Scene, row: int, col: int) -> tuple[float, float]:
    lon, lat = scene.grid.lonlat(row, col)
    return float(lat), float(lon)


def opacities(view: TraceView) -> dict[str, float]:
    return {n: view.canvas.opacity(n) for n in view.canvas.names if view.canvas.opacity(n)}


# ---- the step -----------------------------------------------------------------------------------------------------
def test_slider_buttons_and_sentences_show_one_mask_over_its_picture(show: Any, trace: Any, lake: Scene) -> None:
    view = show(trace, lake)
    assert (view.step, view.slider.max) == (1, 2)
    assert opacities(view) == {"image 0, true colour": 1, "step 0": 1}
    view.slider.value = 2
    assert opacities(view) == {"image 0, true colour": 1, "step 1": 1}
    view.forth.click()
    assert view.step == 2
    view.back.click()
    view.back.click()
    assert opacities(view) == {"image 0, true colour": 1}
    view.said.buttons[1].click()
    assert view.step == view.slider.value == 2
    assert ["on" in b._dom_classes for b in view.said.buttons.values()] == [False, True]
    with pytest.raises(NotFound, match="of 2"):
        view.step = 3


def test_play_goes_through_the_steps_and_stops(show: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terrascope_nb.maps.stepper.PACE", 0.02)
    scene = made()
    view = show(steps_trace(scene, 4), scene)
    seen: list[int] = []
    view.slider.observe(lambda change: seen.append(change["new"]), "value")
    view.play.value = True
    end = time.monotonic() + 5
    while view.play.value and time.monotonic() < end:
        time.sleep(0.01)
    assert seen == [2, 3, 4] and not view.play.value
    view.play.value = True  # from the beginning
    view.play.value = False
    time.sleep(0.1)
    assert seen == [2, 3, 4, 1]


def test_a_sentence_flashes_its_mask_and_fits_the_map(show: Any, trace: Any, lake: Scene) -> None:
    view = show(trace, lake)
    before = tuple(view.canvas.map.center)
    seen = []
    view.canvas._layers["step 1"].observe(lambda change: seen.append(change["new"]), "opacity")
    view.said.buttons[1].click()
    end = time.monotonic() + 5
    while seen.count(0.0) < 4 and time.monotonic() < end:
        time.sleep(0.02)
    assert seen.count(0.0) >= 4
    lat, lon = view.canvas.map.center
    assert (lat, lon) != before
    assert trace.regions[1].pixels.any()
    (south, west), (north, east) = view.layers.bounds
    assert south < lat < north and west < lon < east


def test_masks_are_sent_once_and_a_step_costs_little(show: Any, sent: list[int]) -> None:
    scene = made(side=64)
    view = show(steps_trace(scene, 30), scene)
    sent.clear()
    for number in range(1, 31):
        view.step = number
    assert max(np.array(sent)) < 4_000
    assert sum(sent) / 30 < 8_000


def test_thirty_steps_of_512_pixels_stay_small(show: Any, sent: list[int]) -> None:
    scene = made(side=512)
    noise = np.random.default_rng(3)
    coarse = noise.random((30, 64, 64)) < 0.4
    parts = [
        (f"Part {k} [SEG]. ", Mask(np.kron(coarse[k], np.ones((8, 8), bool)), label="water")) for k in range(30)
    ]  # fmt: skip
    trace = trace_of(scene, parts, answer=Answer("done"))
    view = show(trace, scene)
    state = dependency_state([view.canvas.map, view.widget])
    assert len(json.dumps(state)) < 5_000_000
    assert sum("data:image" in str(s["state"].get("url", "")) for s in state.values()) == 31
    sent.clear()
    view.step = 2
    assert 0 < sum(sent) < 40_000


# ---- what is shown ------------------------------------------------------------------------------------------------
def test_pictures_are_offered_by_view_and_sensor_and_stay_under_the_steps(show: Any, trace: Any, lake: Scene) -> None:
    view = show(trace, lake)
    words = [name for name, _ in view.base.options]
    assert words[0] == "optical, true colour, 2017-09-24"
    assert any("false colour" in x for x in words) and any(x.startswith("SAR") for x in words)
    view.base.value = (0, "false colour")
    assert opacities(view) == {"image 0, false colour": 1, "step 0": 1}
    view.base.value = (1, "sar")
    assert opacities(view) == {"image 1, sar": 1, "step 0": 1}
    view.step = 2  # on the same image: what was chosen below stays
    assert opacities(view) == {"image 1, sar": 1, "step 1": 1}
    assert view.canvas.names[-2:] == ("step 0", "step 1")  # masks lie over pictures
    assert [v for _, v in show(trace).base.options] == [(0, "true colour"), (1, "sar")]
    with pytest.raises(InvalidInput, match="true colour"):
        view.show_picture(0, "true color")


def test_opacity_and_outline(show: Any, trace: Any, lake: Scene) -> None:
    view = show(trace, lake)
    view.opacity.value = 0.4
    assert opacities(view)["step 0"] == pytest.approx(0.4)
    view.step = 2
    assert opacities(view)["step 1"] == pytest.approx(0.4)
    filled = view.canvas._layers["step 1"].url
    view.style.value = "outline"
    assert view.canvas._layers["step 1"].url != filled
    assert opacities(view) == pytest.approx({"image 0, true colour": 1, "step 1": 0.4})


def test_the_panel_says_label_colour_verdict_and_sensor_in_words(show: Any, trace: Any, lake: Scene) -> None:
    view = show(trace, lake)
    view.step = 2
    assert color("water") in view._legend.value and "water (step 2)" in view._legend.value
    assert "✓ agrees" in view._detail.value and "23.1 ha" in view._detail.value
    assert re.search(r"Decided by: optical \d+ %, SAR \d+ %", view._detail.value)
    assert "7 of 7 claims agree" in view._head.value and "0 m" in view._head.value
    said = " ".join(b.description for b in view.said.buttons.values())
    assert "[SEG]" not in said and "▣" in said


def test_a_claim_that_its_mask_denies_is_said_in_sign_and_word(show: Any, lake: Scene) -> None:
    mask = Mask(lake.images[0].array("nir") < 0.1, label="water")
    view = show(trace_of(lake, [("Water [SEG] covers 90 % of the scene.", mask)], answer=Answer("90 %")), lake)
    assert "✗ disagrees" in view._detail.value and "90 %" in view._detail.value


def test_labels_outside_the_vocabulary_are_told_apart(show: Any) -> None:
    scene = made()
    masks = [Mask(blob(24, 2, c, 3), label=name) for c, name in ((1, "solar farm"), (8, "quarry"), (15, ""))]
    view = show(trace_of(scene, [("Here [SEG]. ", m) for m in masks], answer=Answer("x")), scene)
    assert list(view.layers.colors) == ["solar farm", "quarry", "region"]
    assert len(set(view.layers.colors.values())) == 3


def test_blank_buttons_call_back_and_are_offered_for_what_is_not_blank(show: Any, trace: Any, lake: Scene) -> None:
    asked: list[str] = []
    view = show(trace, lake, on_blank=asked.append)
    for button in view.blank.children:
        button.click()
    assert [b.description for b in view.blank.children] == ["Blank optical and ask again", "Blank SAR and ask again"]
    assert asked == ["optical", "sar"]
    assert not show(trace, lake).blank.children
    dark = lake.blank("sar")
    again = show(ts.ask(dark, QUESTION), dark, on_blank=asked.append)
    assert [b.description for b in again.blank.children] == ["Blank optical and ask again"]


# ---- the click ----------------------------------------------------------------------------------------------------
def test_a_click_says_which_masks_hold_the_pixel_with_scores_and_bands(show: Any, trace: Any, lake: Scene) -> None:
    view = show(trace, lake)
    rows, cols = np.nonzero(trace.regions[1].pixels)
    row, col = int(rows[40]), int(cols[40])
    click(view, *place(lake, row, col))
    found = view.place
    assert (found.row, found.col, found.state) == (row, col, "clear") and 1 in found.steps
    score = float(trace.steps[1].probability.values[row, col])
    assert f"score {score:.2f}" in view._spot.value
    vv = float(lake.images[1].array("vv")[row, col])
    assert f"vv {vv:.4g} ({10 * np.log10(vv):.1f} dB)".replace("-", "−") in view._spot.value
    assert f"nir {float(lake.images[0].array('nir')[row, col]):.4g}" in view._spot.value
    assert "held" in view.said.buttons[1]._dom_classes and view.said.buttons[1].description.startswith("2.")
    click(view, 0.0, 0.0)
    assert "outside the image" in view._spot.value and "held" not in view.said.buttons[1]._dom_classes


def test_without_its_scene_a_click_says_why_there_are_no_bands(show: Any, trace: Any, lake: Scene) -> None:
    view = show(trace)
    place_ = view.at(*place(lake, 10, 10))
    assert place_.bands == () and "without its scene" in view._spot.value


def test_every_pixel_clicked_is_the_pixel_told(trace: Any, lake: Scene) -> None:
    for row, col in np.random.default_rng(0).integers(0, lake.grid.shape, (60, 2)).tolist():
        lat, lon = place(lake, row, col)
        found = inspect(trace, lon, lat)
        assert (found.row, found.col) == (row, col)
        assert found.steps == tuple(k for k, r in enumerate(trace.regions) if r.pixels[row, col])


# ---- a run that goes on -------------------------------------------------------------------------------------------
def test_a_growing_trace_shows_its_newest_step_until_one_goes_back(show: Any) -> None:
    scene = made()
    whole = steps_trace(scene, 4)
    partial = [steps_trace(scene, k, answer=Answer("", finish="cancelled")) for k in range(4)]
    view = show(partial[0], scene, running=True)
    assert view.step == 0 and view.slider.layout.display == "none" and "at work" in view._head.value
    view.extend(partial[1])
    assert view.step == 1 and view.slider.layout.display != "none"
    first = view.canvas._layers["step 0"].url
    view.extend(partial[2])
    assert view.step == 2 == len(view.said.buttons)
    view.step = 1
    view.extend(partial[3])
    assert view.step == 1 and view.slider.max == 3
    assert view.running
    view.extend(whole)
    assert not view.running and view.canvas._layers["step 0"].url == first
    assert "done" in view._head.value and "No claim to check in this step" in view._detail.value


def test_a_real_run_grows_and_its_claims_stand_in_the_end(show: Any, lake: Scene) -> None:
    view = None
    for came in follow(lake, QUESTION, every=0.0):
        if hasattr(came, "steps"):
            if view is None:
                view = show(came, lake, running=True)
            else:
                view.extend(came)
    assert view is not None and view.step == 2
    assert "✓ agrees" in view._detail.value  # written before the answer came, and renewed


def test_a_stopped_run_says_so(show: Any) -> None:
    scene = made()
    view = show(steps_trace(scene, 2, answer=Answer("", finish="cancelled", reason="stopped")), scene, running=True)
    assert "cancelled" not in view._head.value
    view.settle()
    assert "The run was cancelled: stopped" in view._head.value and "No answer" in view._head.value


# ---- hard traces --------------------------------------------------------------------------------------------------
def test_abstained_and_empty_traces(show: Any, lake: Scene) -> None:
    view = show(ts.ask(lake.blank("optical"), QUESTION))
    assert view.step in (0, 1) and "No answer is given" in view._head.value
    bare = show(trace_of(lake, [("Nothing to see.", None)], answer=Answer("", finish="abstained", reason="dark")), lake)
    assert bare.step == 0 and bare._legend.value == ""
    bare.go(1)
    bare.flash(0)
    assert opacities(bare) == {"image 0, true colour": 1}


def test_an_empty_mask_is_shown_and_does_not_move_the_map(show: Any) -> None:
    scene = made()
    view = show(trace_of(scene, [("No water [SEG].", Mask(np.zeros((24, 24), bool), label="water"))]), scene)
    before = tuple(view.canvas.map.center)
    view.flash(1)
    assert tuple(view.canvas.map.center) == before and "The mask is empty" in view._detail.value


def test_scenes_without_crs_and_of_two_grids(show: Any) -> None:
    one, two = made(side=24, crs=None), made(side=40, crs=None, rng=1)
    scene = Scene((*one.images, *two.images))
    shapes = [i.grid.height for i in scene.images]
    parts = [(f"[SEG] {s}. ", Mask(blob(s, 5, 10, 4), label="water", image=k)) for k, s in enumerate(shapes)]
    view = show(trace_of(scene, parts, answer=Answer("x")), scene)
    assert view.canvas.map.crs["name"] == "Simple"
    click(view, -6.5, 11.5)
    assert (view.place.row, view.place.col, view.place.lat) == (6, 11, None) and view.place.steps == (0, 1)
    click(view, -30.5, 30.5)  # on the larger alone
    assert [h.step for h in view.place.held] == [shapes.index(40)]
    view.step = 2
    assert view.layers.image == 1
    view.flash(1)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_only_read(show: Any, text: str) -> None:
    scene = made()
    mask = Mask(blob(24, 3, 3, 4), label=text[:40], note=text)
    view = show(
        trace_of(scene, [(f"{text} [SEG] {text}. ", mask)], question=text, answer=Answer(text), reasoner=text), scene
    )
    view.at(*place(scene, 4, 4))
    line = Timeline(view)
    state = dependency_state([view.canvas.map, view.widget, line.widget])
    json.dumps(state, ensure_ascii=False).encode("utf-8")  # half characters could not be written
    pages = [s["state"].get("value", "") for s in state.values() if s["model_name"] == "HTMLModel"]
    assert len(pages) >= 5
    for html in pages:
        assert not re.search(r"<(script|img|svg|style|a)\b|<[^>]*\son\w+=", html)
    for one in state.values():
        assert not one["state"].get("description_allow_html", False)
    line.close()


# ---- time ---------------------------------------------------------------------------------------------------------
def test_the_date_moves_image_and_mask_together(show: Any, lost: Any, pair: Scene) -> None:
    view = show(lost, pair)
    line = Timeline(view)
    assert has_dates(lost) and [day for day, _ in line.slider.options] == ["2023-06-15", "2023-09-13"]
    line.slider.value = 1
    assert opacities(view) == {"image 1, true colour": 1, "step 1": 1} and view.step == 2
    view.step = 1
    assert line.date == 0
    view.show_picture(2)
    line.date = 1
    assert opacities(view) == {"image 1, true colour": 1, "step 1": 1}
    with pytest.raises(NotFound):
        line.date = 9
    line.close()


def test_a_date_without_a_mask_shows_its_image_and_says_so(show: Any) -> None:
    scene = made(images=3)
    view = show(trace_of(scene, [("[SEG]. ", Mask(blob(24, 3, 3, 4), label="water", image=0))]), scene)
    line = Timeline(view)
    line.date = 2
    assert opacities(view) == {"image 2, true colour": 1} and view.step == 0
    assert "No mask of water" in line._said.value
    assert [key for _, key in line.mode.options] == ["one", "split"]  # no change without a second mask
    with pytest.raises(NotFound, match="no mask of 'water'"):
        line.change(0, 1)
    line.close()


def test_split_of_two_dates_and_of_two_sensors(show: Any, lost: Any, pair: Scene) -> None:
    view = show(lost, pair)
    line = Timeline(view)
    line.mode.value = "split"
    canvas = view.canvas
    assert canvas.is_split and opacities(view) == {}
    control, (left, right) = canvas._split
    assert [x.pane for x in (*left, *right)] == ["tsnb-left"] * 2 + ["tsnb-right"] * 2
    assert (control.left_layer, control.right_layer) == (left, right)
    before = right[0].url
    line.split(0, 2)  # the optical image and the SAR image of one date
    assert right[0].url != before and canvas._split[0] is control and "SAR, 2023-06-15" in line._said.value
    assert control in canvas.map.controls
    view.show_picture(0, "false colour")  # a new layer: the line is drawn anew over the same sides
    assert canvas._split[0] is not control and canvas._split[1] == (left, right)
    assert control not in canvas.map.controls and canvas._split[0] in canvas.map.controls
    view.step = 2  # the steps go on beside it
    assert canvas.is_split and line.date == 1
    line.off()
    assert not canvas.is_split and opacities(view) == {"image 1, true colour": 1, "step 1": 1}
    line.close()


def test_gain_and_loss_are_those_of_the_measuring_core(show: Any, lost: Any, pair: Scene) -> None:
    view = show(lost, pair)
    line = Timeline(view)
    facts = line.change(0, 1)
    one, two = lost.regions[0], lost.regions[1]
    assert [f.value for f in facts] == [f(one, two, "m²").value for f in (gain, loss, net)]
    assert "change" in view.canvas.names and view.step == 0
    assert "gained" in line._said.value and " ha" in line._said.value and "net −" in line._said.value
    line.change(1, 0)  # the other way about: the earlier date still comes first
    assert "net −" in line._said.value
    view.said.buttons[1].click()
    assert "change" not in view.canvas.names and line.mode.value == "one"
    line.mode.value = "change"
    line.other.value = line.slider.value
    assert "No change to show" in line._said.value and "change" not in view.canvas.names
    line.close()
    assert "change" not in view.canvas.names


def test_thirty_dates_keep_a_few_pictures(show: Any, sent: list[int]) -> None:
    scene = made(images=30, side=48)
    view = show(steps_trace(scene, 30), scene)
    line = Timeline(view)
    assert len(line.slider.options) == 30 and len([n for n in view.canvas.names if n.startswith("image")]) == 1
    for image in range(30):
        line.date = image
        assert view.layers.step is not None and view.trace.steps[view.layers.step].image == image
    assert len([n for n in view.canvas.names if n.startswith("image")]) == PICTURES
    assert len(dependency_state([view.canvas.map])) < 30 + PICTURES + 20
    line.close()


# ---- compare ------------------------------------------------------------------------------------------------------
def test_two_traces_beside_each_other(pair: Scene, lost: Any) -> None:
    other = ts.ask(pair.blank("sar"), "How much forest was lost?")
    both = Compare(lost, other, pair, basemap=None)
    found = both.agreements
    assert [(a.label, a.image, a.left, a.right) for a in found] == [("tree cover", 0, 0, 0), ("tree cover", 1, 1, 1)]
    for a in found:
        p, q = lost.regions[a.left], other.regions[a.right]
        judged = p.domain.pixels & q.domain.pixels
        m, n = p.mask[judged], q.mask[judged]
        assert a.iou == pytest.approx((m & n).sum() / (m | n).sum())
        assert f"IoU {a.iou:.2f}" in repr(both)
    assert any(x.differs for x in both.claims)
    head = both.widget.children[1].value
    assert "sar blanked" in head and "Answer" in head
    left, right = both.views
    left.step = 2
    assert right.step == 2
    right.step = 1
    assert left.step == 1
    both.together.value = False
    right.step = 2
    assert left.step == 1
    assert {type(x).__name__ for x in both._links} == {"Link"} and right.scene is None and left.scene is pair
    both.close()


def test_masks_of_the_two_sensors_of_one_date_are_compared() -> None:
    scene = ts.samples.load("lake")
    optical, radar = (ts.ask(scene.blank(m), "Is there water?") for m in ("sar", "optical"))
    (found,) = mask_agreement(optical, radar)
    a, b = optical.regions[0], radar.regions[0]
    judged = a.domain.pixels & b.domain.pixels
    assert found.iou == pytest.approx(((a.mask & b.mask)[judged]).sum() / ((a.mask | b.mask)[judged]).sum())
    assert 0.5 < found.iou < 1 and "2017-09-24 against SAR" in found.seen


def test_agreement_needs_the_same_label_image_and_grid() -> None:
    scene = made(images=2)
    empty, full = np.zeros((24, 24), bool), np.ones((24, 24), bool)

    def said(label: str, mask: np.ndarray, image: int) -> Any:
        return trace_of(scene, [("It [SEG] is. ", Mask(mask, label=label, image=image))], answer=Answer("x"))

    assert mask_agreement(said("water", full, 0), said("water", full, 1)) == ()
    assert mask_agreement(said("water", full, 0), said("tree cover", full, 0)) == ()
    (nothing,) = mask_agreement(said("water", empty, 0), said("water", empty, 0))
    assert nothing.iou is None
    (none,) = mask_agreement(said("water", empty, 0), said("water", full, 0))
    assert none.iou == 0 and none.measured == 1
    assert not any(p.differs for p in claim_pairs(said("water", full, 0), said("water", full, 0)))
    with pytest.raises(InvalidInput, match="share a map"):
        Compare(said("water", full, 0), steps_trace(made(crs=None), 1))


# ---- life ---------------------------------------------------------------------------------------------------------
def test_closing_frees_every_widget(lost: Any, pair: Scene) -> None:
    def round_trip() -> None:
        canvas = Canvas(basemap=None, draw=True)
        view = TraceView(canvas, lost, pair, on_blank=lambda _: None)
        line = Timeline(view)
        line.split(0, 1)
        line.change(0, 1)
        view.flash(1)
        line.close()
        view.close()
        assert canvas.names == () and canvas._clicks == []
        canvas.close()
        Compare(lost, lost, pair, basemap=None).close()

    round_trip()
    before = set(registry._instances)
    round_trip()
    assert set(registry._instances) == before


def test_a_closed_view_hears_no_click_and_another_takes_its_place(lost: Any, pair: Scene) -> None:
    canvas = Canvas(basemap=None)
    first = TraceView(canvas, lost, pair)
    first.close()
    second = TraceView(canvas, lost, pair)
    click(second, *place(pair, 5, 5))
    assert first.place is None and second.place is not None
    other = TraceView(Canvas(basemap=None), lost, pair)
    second.step = 2
    assert other.step == 1
    for view in (second, other):
        view.close()
        view.canvas.close()


def test_the_map_is_fitted_again_once_its_size_is_known() -> None:
    canvas = Canvas(((45.0, 14.0), (45.1, 14.1)), None)
    before = canvas.map.zoom
    for name, value in (("left", 0.0), ("top", 0.0), ("right", 1600.0), ("bottom", 1200.0)):
        canvas.map.set_trait(name, value)
    assert canvas.map.zoom > before
    canvas.map.zoom = 3.0
    canvas.map.set_trait("right", 900.0)
    assert canvas.map.zoom == 3.0  # the user's own view stays
    canvas.close()
