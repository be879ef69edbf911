"""Traces from events: partial runs, masks and `[SEG]` that do not fit, tokens, unicode, many masks, claims."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terrascope_nb.errors import TraceError
from terrascope_nb.reason.events import SEG, Answer, Event, Mask, Progress, Text
from terrascope_nb.reason.trace import Trace
from terrascope_nb.scene.scene import Scene
from terrascope_nb.scene.synthetic import synthetic_pair, synthetic_scene
from terrascope_nb.testing.traces import events, scenes


@pytest.fixture(scope="module")
def scene() -> Scene:
    return synthetic_scene(np.random.default_rng(5), 48, cloud=0.2).scene


def some(scene: Scene, k: int = 0) -> Mask:
    return Mask(scene.images[0].array("nir") > 0.02 * k, label="water")


def built(scene: Scene, *parts: Event) -> Trace:
    return Trace.from_events(parts, scene, "What is here?")


@settings(max_examples=60)
@given(st.data())
def test_every_prefix_of_a_run_makes_a_trace(data: st.DataObject) -> None:
    place = data.draw(scenes(max_side=6))
    run = data.draw(events(place, whole=True))
    whole = Trace.from_events(run, place, "?")
    assert whole.text == "".join(e.text for e in run if isinstance(e, Text))
    assert len(whole.steps) == whole.text.count(SEG) and whole.problems == ()
    assert "".join(piece for piece, _ in whole.passages()) == whole.text
    assert [k for _, k in whole.passages() if k is not None] == list(range(len(whole.steps)))
    for k, step in enumerate(whole.steps):
        assert whole.text[step.start : step.end].strip() == step.text and step.text.count(SEG) == 1
        assert whole.text.count(SEG, 0, step.start) == k
    for a, b in whole.measured_spans:
        assert 0 <= a <= b <= len(whole.text)
    cut = data.draw(st.integers(0, len(run)))
    part = Trace.from_events(iter(run[:cut]), place, "?")
    assert whole.text.startswith(part.text)
    assert part.answer.finish == (run[-1].finish if cut == len(run) else "cancelled")
    assert len(part.steps) == sum(isinstance(e, Mask) for e in run[:cut])
    assert bool(part.problems) == (part.text.count(SEG) != len(part.steps))


@settings(max_examples=40)
@given(st.data())
def test_token_by_token_is_the_same_as_whole(data: st.DataObject) -> None:
    place = data.draw(scenes(max_side=5, most=1))
    run = data.draw(events(place, whole=True))
    tokens: list[Event] = []
    for e in run:
        tokens += [Text(c, e.source) for c in e.text] if isinstance(e, Text) else [e]
    one, other = Trace.from_events(run, place, "?"), Trace.from_events(tokens, place, "?")
    assert one.text == other.text
    assert [(s.text, s.start, s.end, s.label) for s in one.steps] == [
        (s.text, s.start, s.end, s.label) for s in other.steps
    ]
    inside = [sum(a <= i < b for a, b in t.measured_spans) for t in (one, other) for i in range(len(one.text))]
    assert inside[: len(one.text)] == inside[len(one.text) :]


def test_an_empty_run_is_a_cancelled_trace(scene: Scene) -> None:
    trace = built(scene)
    assert (trace.text, trace.steps, trace.answer.finish) == ("", (), "cancelled")
    assert trace.claims == () and "cancelled" in repr(trace)


def test_seg_may_be_the_first_or_the_last_token(scene: Scene) -> None:
    first = built(scene, Text(SEG), some(scene), Text(" is water."), Answer("yes"))
    assert first.steps[0].text == f"{SEG} is water."
    last = built(scene, Text(f"I see water {SEG}"), some(scene), Answer("yes"))
    assert last.steps[0].text == f"I see water {SEG}"
    alone = built(scene, Text(SEG), some(scene))
    assert alone.steps[0].text == SEG and alone.answer.finish == "cancelled"


def test_a_seg_cut_into_tokens_is_one(scene: Scene) -> None:
    trace = built(scene, Text("Water ["), Text("SE"), Text("G]"), some(scene), Text(" lies here."))
    assert len(trace.steps) == 1 and trace.problems == ()


def test_thirty_masks_in_one_sentence(scene: Scene) -> None:
    run: list[Event] = []
    for k in range(30):
        run += [Text(f"part {k} {SEG}"), some(scene, k), Text(", ")]
    trace = Trace.from_events([*run, Text("that is all."), Answer("30", value=30)], scene, "?")
    assert len(trace.steps) == 30
    assert [s.text.split()[1] for s in trace.steps] == [str(k) for k in range(30)]
    assert [s.measured.pixels for s in trace.steps] == sorted((s.measured.pixels for s in trace.steps), reverse=True)


def test_unicode_keeps_its_place(scene: Scene) -> None:
    said = "Вода 🌊 «海» é [SEG] 17,1 %. Ende — ماء."
    cut = said.index(SEG) + len(SEG)
    trace = built(scene, Text(said[:cut]), some(scene), Text(said[cut:]))
    assert trace.text == said
    assert trace.steps[0].text == "Вода 🌊 «海» é [SEG] 17,1 %."


def test_a_seg_without_its_mask_is_a_problem_not_an_error(scene: Scene) -> None:
    trace = built(scene, Text(f"Water {SEG} and trees {SEG}."), Answer("x", finish="limit", reason="500 tokens"))
    assert trace.steps == () and trace.problems == ("the text has 2 [SEG] but 0 masks came",)
    half = built(scene, Text(f"Water {SEG}"), some(scene), Text(f" and trees {SEG}."))
    assert len(half.steps) == 1 and half.problems == ("the text has 2 [SEG] but 1 masks came",)
    assert "".join(piece for piece, _ in half.passages()) == half.text


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda m: [Text("Water."), m], r"mask 1 came after 0 \[SEG\]"),
        (lambda m: [Text(SEG), m, m], r"mask 2 came after 1 \[SEG\]"),
        (lambda m: [Text(SEG + SEG), m, m], r"mask 1 came after 2 \[SEG\]"),
        (lambda m: [m], r"mask 1 came after 0 \[SEG\]"),
        (lambda m: [Text(SEG), Mask(m.mask[1:])], r"shape \(47, 48\) on image 0, whose grid is \(48, 48\)"),
        (lambda m: [Text(SEG), Mask(m.mask[0])], r"shape \(48,\)"),
        (lambda m: [Text(SEG), Mask(m.mask.astype(np.uint8))], "must be bool, got uint8"),
        (lambda m: [Text(SEG), Mask(m.mask.astype(float))], "probability > 0.5"),
        (lambda m: [Text(SEG), Mask(m.mask, m.mask[1:].astype(np.float32))], r"probability of shape \(47, 48\)"),
        (lambda m: [Text(SEG), Mask(m.mask, image=2)], r"image 2; the scene has 2 \(0 … 1\)"),
        (lambda m: [Text(SEG), Mask(m.mask, image=-1)], "image -1"),
        (lambda m: [Answer("yes"), Text("more")], "follows the answer"),
        (lambda m: [Answer("yes"), Answer("no")], "follows the answer"),
        (lambda m: [Answer("yes"), Progress(1, 1)], "follows the answer"),
        (lambda m: ["text"], "not an event"),
        (lambda m: [None], "not an event"),
        (lambda m: [Answer("yes", finish="done")], "finish 'done' is none of"),
    ],
)
def test_events_that_make_no_trace(scene: Scene, run: object, words: str) -> None:
    with pytest.raises(TraceError, match=words):
        Trace.from_events(run(some(scene)), scene, "?")  # type: ignore[operator]


def test_only_clear_judged_pixels_inside_are_measured() -> None:
    place = synthetic_scene(np.random.default_rng(5), 48, cloud=0.4).scene
    everything = np.ones((48, 48), bool)
    score = np.ones((48, 48), np.float32)
    score[:10] = np.nan
    trace = built(place, Text(SEG), Mask(everything, score, "water"), Text("."))
    clear = place.images[0].clear.copy()
    clear[:10] = False
    assert trace.steps[0].measured.of_pixels == clear.sum() == trace.regions[0].count
    assert trace.steps[0].measured.share == 100
    radar = built(place, Text(SEG), Mask(everything, label="water", sar_image=1), Text("."))
    assert radar.steps[0].measured.of_pixels == 48 * 48  # the radar sees through cloud


def test_masks_lie_on_their_own_image() -> None:
    pair = synthetic_pair(np.random.default_rng(1), 32).scene
    trace = built(pair, Text(f"Then {SEG}"), Mask(np.eye(32, dtype=bool), label="lakes", image=1))
    step = trace.steps[0]
    assert (step.time, step.modality, step.label) == (pair.images[1].time, "optical", "water")
    assert step.mask.dims == ("y", "x") and step.mask.rio.crs == pair.images[1].grid.crs
    assert step.mask.rio.transform() == pair.images[1].grid.transform


def test_claims_are_checked_against_the_trace_s_own_masks(scene: Scene) -> None:
    mask = some(scene, 3)
    share = built(scene, Text(SEG), mask).steps[0].measured.share
    trace = Trace.from_events(
        [Text(f"Water {SEG}"), mask, Text(f" covers {share:.1f} %. It also covers {share + 9:.1f} %."),
         Answer(f"{share:.1f} %", value=share)],
        scene, "What share of the scene is water?",
    )  # fmt: skip
    assert [c.verdict for c in trace.claims] == ["agrees", "disagrees", "agrees"]
    assert [c.where for c in trace.claims] == ["text", "text", "answer"]
    for c in trace.claims[:2]:
        assert trace.text[c.start : c.end] == c.text
    assert trace.replace(text=trace.text, question="Hm?").claims[0].verdict == "agrees"  # a free question is fine too
