"""A recorded trace told again: from memory and from disk, the same events, on the same grids only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import terrascope_nb as ts
from terrascope_nb.errors import GridMismatch, InvalidInput, TerrascopeError
from terrascope_nb.reason.events import Answer, Mask, Text
from terrascope_nb.testing import ScriptedReasoner, Synthetic, synthetic_pair, synthetic_scene, truth_reasoner

QUESTIONS = (
    "What share of the scene is water?",
    "Rank the classes by area.",
    "Is there snow? A. yes B. no",
    "What share of the scene is wetland?",
)


@pytest.fixture(scope="module")
def made() -> Synthetic:
    return synthetic_scene(np.random.default_rng(1), size=48, cloud=0.2)


def same(one: ts.Trace, other: ts.Trace) -> None:
    assert (one.text, one.answer, one.question, one.choices) == (
        other.text,
        other.answer,
        other.question,
        other.choices,
    )
    assert _written(one) == _written(other)
    assert len(one.steps) == len(other.steps)
    for a, b in zip(one.steps, other.steps, strict=True):
        np.testing.assert_array_equal(a.mask.values, b.mask.values)
        assert (a.probability is None) == (b.probability is None)
        if a.probability is not None:
            np.testing.assert_allclose(a.probability.values, b.probability.values, atol=0.01)
        for name in ("text", "label", "image", "image_source", "sar_share", "sar_image", "note", "measured", "time"):
            assert getattr(a, name) == getattr(b, name), name
    assert [(c.text, c.verdict) for c in one.claims] == [(c.text, c.verdict) for c in other.claims]


def _written(trace: ts.Trace) -> str:
    """The text with what the measuring core wrote struck out."""
    out = list(trace.text)
    for a, b in trace.measured_spans:
        out[a:b] = "·" * (b - a)
    return "".join(out)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("way", ["memory", "disk"])
def test_the_recording_is_told_as_it_was(made: Synthetic, question: str, way: str, tmp_path: Path) -> None:
    for reasoner in ("spectral", truth_reasoner(made)):
        recorded = ts.ask(made.scene, question, reasoner=reasoner)
        kept: Any = recorded if way == "memory" else recorded.save(tmp_path / "trace", overwrite=True)
        replayed = ts.ask(made.scene, question, reasoner=ts.open_reasoner("replay", trace=kept))
        assert replayed.reasoner == "replay"
        same(replayed, recorded)


def test_a_replay_of_two_dates_and_several_masks_a_sentence() -> None:
    pair = synthetic_pair(np.random.default_rng(1), size=48)
    question = "How much water was lost between the first and the last date?"
    recorded = ts.ask(pair.scene, question)
    same(ts.ask(pair.scene, question, reasoner=ts.open_reasoner("replay", trace=recorded)), recorded)
    mask = pair.truth("water")
    script = [
        Text("Water [SEG]"), Mask(mask, label="water"), Text(" and trees [SEG]"), Mask(~mask, label="tree cover"),
        Text(" meet.\n\nSo "), Text("5 %", "measured"), Text(" it is."), Answer("x"),
    ]  # fmt: skip
    free = ts.ask(pair.scene, "Free question", reasoner=ScriptedReasoner(script))
    same(ts.ask(pair.scene, "Free question", reasoner=ts.open_reasoner("replay", trace=free)), free)


def test_masks_come_right_after_their_seg(made: Synthetic) -> None:
    recorded = ts.ask(made.scene, QUESTIONS[1])
    text = ""
    for event in ts.stream(made.scene, QUESTIONS[1], reasoner=ts.open_reasoner("replay", trace=recorded)):
        if isinstance(event, Text):
            text += event.text
        elif isinstance(event, Mask):
            assert text.endswith("[SEG]")
    assert text == recorded.text


def test_another_question_or_grid_is_refused(made: Synthetic) -> None:
    replay = ts.open_reasoner("replay", trace=ts.ask(made.scene, QUESTIONS[0]))
    with pytest.raises(InvalidInput, match="answers 'What share of the scene is water.', not 'Is there snow.'"):
        ts.ask(made.scene, "Is there snow?", reasoner=replay)
    other = synthetic_scene(np.random.default_rng(1), size=40)
    with pytest.raises(GridMismatch, match="48 × 48.*40 × 40"):
        ts.ask(other.scene, QUESTIONS[0], reasoner=replay)
    assert ts.ask(made.scene, f"  {QUESTIONS[0]} ", reasoner=replay).answer.finish == "stop"


def test_a_folder_without_a_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TerrascopeError, match="trace.json"):
        ts.open_reasoner("replay", trace=tmp_path)
    with pytest.raises(TerrascopeError):
        ts.open_reasoner("replay", trace=42)
