"""The public testing package: fakes, truth, and strategies that are imported when used."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import terrascope_nb as ts
from terrascope_nb import testing
from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.events import Answer, Mask, Progress, Text
from terrascope_nb.reason.reasoner import Reasoner
from terrascope_nb.testing import (
    ScriptedReasoner,
    SlowReasoner,
    Synthetic,
    WrongReasoner,
    synthetic_scene,
    truth_reasoner,
)

WATER = "What share of the scene is water?"


@pytest.fixture(scope="module")
def made() -> Synthetic:
    return synthetic_scene(np.random.default_rng(0), size=48)


def test_every_fake_is_a_reasoner(made: Synthetic) -> None:
    truth = truth_reasoner(made)
    for fake in (ScriptedReasoner([]), SlowReasoner(truth, 0), WrongReasoner(truth), truth):
        assert isinstance(fake, Reasoner)
        assert ts.ask(made.scene, WATER, reasoner=fake).reasoner == fake.name


def test_a_script_is_told_whatever_is_asked(made: Synthetic) -> None:
    fake = ScriptedReasoner([Text("I say "), Text("this."), Answer("7", value=7.0)], name="parrot")
    for question in ("One?", "Two?"):
        trace = ts.ask(made.scene, question, ["a", "b"], fake)
        assert (trace.text, trace.answer.value, trace.reasoner) == ("I say this.", 7.0, "parrot")
    assert [(q, c.texts) for _, q, c in fake.asked] == [("One?", ("a", "b")), ("Two?", ("a", "b"))]


def test_a_script_may_depend_on_what_is_asked(made: Synthetic) -> None:
    fake = ScriptedReasoner(lambda scene, question, choices: [Text(question.upper()), Answer(str(len(scene.images)))])
    trace = ts.ask(made.scene, "anything", reasoner=fake)
    assert (trace.text, trace.answer.text) == ("ANYTHING", "2")


def test_an_iterator_as_a_script_is_told_more_than_once(made: Synthetic) -> None:
    fake = ScriptedReasoner(iter([Text("a"), Answer("b")]))
    assert [ts.ask(made.scene, "q?", reasoner=fake).text for _ in range(2)] == ["a", "a"]


@pytest.mark.parametrize("script", [["text"], [Text("a"), 3], [None]])
def test_a_script_of_other_things_is_refused(script: Any) -> None:
    with pytest.raises(InvalidInput, match="a script holds Text, Mask, Progress, Answer and exceptions; got"):
        ScriptedReasoner(script)


def test_the_slow_one_says_the_same_word_by_word(made: Synthetic) -> None:
    truth = truth_reasoner(made)
    slow = SlowReasoner(truth, pause=0)
    events = list(slow.stream(made.scene, WATER))
    texts = [e.text for e in events if isinstance(e, Text)]
    assert "".join(texts) == ts.ask(made.scene, WATER, reasoner=truth).text
    assert all(len(t.split()) <= 1 for t in texts)
    assert any(isinstance(e, Progress) for e in events)
    assert slow.yielded == len(events)
    assert not slow.cancelled
    with pytest.raises(InvalidInput, match="not negative"):
        SlowReasoner(truth, pause=-1)


def test_the_slow_one_waits(made: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    from terrascope_nb.testing import fakes

    waited: list[float] = []
    monkeypatch.setattr(fakes.time, "sleep", waited.append)
    slow = SlowReasoner(ScriptedReasoner([Text("three short words"), Answer("x")]), pause=0.5)
    ts.ask(made.scene, "q?", reasoner=slow)
    assert waited[:3] == [0.5] * 3


def test_the_wrong_one_changes_numbers_and_no_dates(made: Synthetic) -> None:
    mask = made.truth("water")
    script = [
        Text("On 2023-06-01 water [SEG]"),
        Mask(mask, label="water"),
        Text(" covers 12.5 %, B04, 3 ha."),
        Answer("12.5 %"),
    ]
    trace = ts.ask(made.scene, WATER, reasoner=WrongReasoner(ScriptedReasoner(script), factor=3))
    assert trace.text == "On 2023-06-01 water [SEG] covers 37.5 %, B04, 9 ha."
    assert trace.answer.text == "12.5 %"
    assert trace.measured_spans == ()


@pytest.mark.parametrize("name", testing.STRATEGIES)
def test_strategies_are_found_on_first_use(name: str) -> None:
    from terrascope_nb.testing import strategies, traces

    assert getattr(testing, name) is getattr(strategies, name, getattr(traces, name, None))
    assert name in dir(testing)


def test_hypothesis_is_imported_only_for_strategies() -> None:
    code = (
        "import sys; import terrascope_nb.testing as t; assert 'hypothesis' not in sys.modules; dir(t); "
        "assert 'hypothesis' not in sys.modules; t.masks; assert 'hypothesis' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_hypothesis_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['hypothesis'] = None; import terrascope_nb.testing as t\n"
        "try: t.masks\nexcept ImportError as e: print(type(e).__name__, e)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("MissingPackage hypothesis is needed to draw test data")
    assert 'pip install "terrascope-nb[test]"' in done.stdout


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(AttributeError, match="did you mean 'synthetic_scene'"):
        testing.syntetic_scene  # noqa: B018
    assert not hasattr(testing, "__wrapped__")
