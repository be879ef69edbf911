"""Reasoners: opening, asking, many questions, cancelling, what a broken run keeps; `spectral` with two sensors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest

import terrascope_nb as ts
from terrascope_nb.errors import InvalidInput, MissingPackage, NotFound, QuestionNotUnderstood, TraceError
from terrascope_nb.reason import reasoner as module
from terrascope_nb.reason.events import Answer, Event, Mask, Progress, Text
from terrascope_nb.reason.provenance import provenance
from terrascope_nb.reason.reasoner import Reasoner
from terrascope_nb.testing import (
    ScriptedReasoner,
    SlowReasoner,
    Synthetic,
    WrongReasoner,
    synthetic_pair,
    synthetic_scene,
    truth_reasoner,
)

WATER = "What share of the scene is water?"


@pytest.fixture(scope="module")
def made() -> Synthetic:
    return synthetic_scene(np.random.default_rng(1), size=64)


class Plain:
    """A reasoner as somebody else would write it: no base class."""

    name = "plain"
    options: dict[str, Any] = {}

    def __init__(self, word: str = "yes") -> None:
        self.options = {"word": word}

    def stream(self, scene: ts.Scene, question: str, choices: Any = None) -> Iterator[Event]:
        yield Text("I look. ")
        yield Answer(self.options["word"])


# ---- opening --------------------------------------------------------------------------------------------------------
def test_names_and_opening() -> None:
    assert {"spectral", "reference", "replay"} <= set(ts.reasoners())
    opened = ts.open_reasoner("spectral", sensor="optical")
    assert isinstance(opened, Reasoner)
    assert ts.open_reasoner(opened) is opened


def declare(monkeypatch: pytest.MonkeyPatch, **names: str) -> None:
    points = [EntryPoint(k, v, module.GROUP) for k, v in names.items()]
    monkeypatch.setattr(module, "entry_points", lambda group: points if group == module.GROUP else [])


def test_other_packages_declare_reasoners(monkeypatch: pytest.MonkeyPatch, made: Synthetic) -> None:
    declare(monkeypatch, plain=f"{__name__}:Plain")
    assert "plain" in ts.reasoners()
    trace = ts.ask(made.scene, "Anything at all", reasoner="plain")
    assert (trace.reasoner, trace.answer.text, trace.text) == ("plain", "yes", "I look. ")
    assert ts.open_reasoner("plain", word="no").options == {"word": "no"}
    with pytest.raises(InvalidInput, match="unknown option of reasoner 'plain': 'wrd'; did you mean 'word'"):
        ts.open_reasoner("plain", wrd="no")


def test_a_broken_declaration_says_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, gone="no_such_package.there:It", typo=f"{__name__}:Plane", odd=f"{__name__}:provenance_of")
    with pytest.raises(MissingPackage, match="'gone' .no_such_package.there:It. cannot be imported"):
        ts.open_reasoner("gone")
    with pytest.raises(NotFound, match="'typo' is declared as .*Plane"):
        ts.open_reasoner("typo")
    with pytest.raises(InvalidInput, match="what reasoner 'odd' opens has a name.*dict lacks name, options, stream"):
        ts.open_reasoner("odd")


def provenance_of() -> dict[str, str]:
    return {}


@pytest.mark.parametrize(
    ("name", "options", "error", "words"),
    [
        ("spectrl", {}, NotFound, "unknown reasoner 'spectrl'; did you mean 'spectral'"),
        ("spectral", {"sensors": "sar"}, InvalidInput, "did you mean 'sensor'"),
        (
            "spectral",
            {"sensor": "radar"},
            InvalidInput,
            "unknown sensor of the spectral reasoner 'radar'. Known: auto, optical, sar",
        ),
        ("reference", {}, InvalidInput, "needs labels and legend.*open_reasoner('reference', labels=…, legend=…)"),
        ("replay", {}, InvalidInput, "needs trace"),
        (Plain, {}, InvalidInput, "a reasoner is the class Plain: pass an instance, Plain(…)"),
        (42, {}, InvalidInput, "int lacks name, options, stream"),
        (Plain(), {"word": "x"}, InvalidInput, "'plain' is open already: word come too late"),
    ],
)
def test_what_cannot_be_opened_says_why(name: Any, options: dict[str, Any], error: type, words: str) -> None:
    with pytest.raises(error, match=re.escape(words).replace(r"\.\*", ".*")):
        ts.open_reasoner(name, **options)


# ---- asking ---------------------------------------------------------------------------------------------------------
def test_a_plain_class_passes_through_ask(made: Synthetic) -> None:
    trace = ts.ask(made.scene, "Is it fine?", ["yes", "no"], Plain())
    assert trace.answer.text == "yes"
    assert trace.choices is not None
    assert trace.choices.texts == ("yes", "no")
    assert trace.provenance["options"] == {"word": "yes"}


def test_options_in_the_question_reach_the_reasoner_apart(made: Synthetic) -> None:
    fake = ScriptedReasoner([Answer("A")])
    ts.ask(made.scene, "Which one? A. this B. that", reasoner=fake)
    _, question, choices = fake.asked[0]
    assert question == "Which one?"
    assert choices.texts == ("this", "that")


@pytest.mark.parametrize(
    ("scene", "question", "words"),
    [
        ("lake", WATER, "scene is a Scene.*got str: ts.samples.load.'lake'"),
        (None, WATER, "got NoneType"),
        ("made", 3, "question is a text; got int"),
        ("made", "  ", "question is empty"),
    ],
)
def test_arguments_of_another_kind_are_refused(made: Synthetic, scene: Any, question: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        ts.ask(made.scene if scene == "made" else scene, question)


def test_stream_gives_the_events_that_ask_makes_a_trace_of(made: Synthetic) -> None:
    events = list(ts.stream(made.scene, WATER))
    trace = ts.ask(made.scene, WATER)
    assert "".join(e.text for e in events if isinstance(e, Text)) == trace.text
    assert events[-1] == trace.answer
    with pytest.raises(NotFound):
        ts.stream(made.scene, WATER, reasoner="nobody")


# ---- many -----------------------------------------------------------------------------------------------------------
def test_ask_many_pairs_questions_scenes_and_choices(made: Synthetic) -> None:
    other = synthetic_scene(np.random.default_rng(2), size=48)
    questions = [WATER, "Is there snow?"]
    one = ts.ask_many(made.scene, questions, [None, ["yes", "no"]])
    assert [t.question for t in one] == questions
    assert one[1].answer.choice == "B"
    each = ts.ask_many([made.scene, other.scene], questions)
    assert [t.frames[0].grid.shape for t in each] == [(64, 64), (48, 48)]
    assert ts.ask_many(made.scene, []) == []


@pytest.mark.parametrize(
    ("scenes", "questions", "choices", "words"),
    [
        (1, ["a"], [None, None], "1 scenes, 1 questions and 2 choices do not pair up"),
        (3, ["a", "b"], None, "3 scenes, 2 questions do not pair up"),
        (1, "What share is water?", None, "questions is one text"),
        (1, ["a"], "yes", "one entry a question"),
        (1, ["a"], {"A": "yes", "B": "no"}, "one entry a question.*dict"),
    ],
)
def test_what_does_not_pair_up_is_refused(
    made: Synthetic, scenes: int, questions: Any, choices: Any, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        ts.ask_many(made.scene if scenes == 1 else [made.scene] * scenes, questions, choices)


class Together(Plain):
    name = "together"

    def stream_many(self, requests: list[tuple[Any, str, Any]]) -> Iterator[tuple[int, Event]]:
        for k in reversed(range(len(requests))):
            yield k, Text(f"{requests[k][1]} ")
        for k in range(len(requests)):
            yield k, Answer(f"answer {k}")


def test_stream_many_is_used_where_there_is_one(made: Synthetic) -> None:
    traces = ts.ask_many(made.scene, ["first", "second", "third"], reasoner=Together())
    assert [(t.text, t.answer.text) for t in traces] == [
        ("first ", "answer 0"),
        ("second ", "answer 1"),
        ("third ", "answer 2"),
    ]


@pytest.mark.parametrize("item", [(7, Text("x")), Text("x"), (-1, Text("x")), ("0", Text("x"))])
def test_stream_many_with_a_wrong_index_is_refused(made: Synthetic, item: Any) -> None:
    fake = Together()
    fake.stream_many = lambda requests: iter([item])  # type: ignore[method-assign]
    with pytest.raises(TraceError, match="stream_many of 'together' yields .index, event. with an index below 1"):
        ts.ask_many(made.scene, ["q"], reasoner=fake)


# ---- a run that breaks ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("error", [RuntimeError("out of memory"), KeyboardInterrupt()])
def test_what_came_before_an_error_is_not_lost(made: Synthetic, error: BaseException) -> None:
    script = [Text("Water [SEG]"), Mask(made.truth("water"), label="water"), Text(" is"), error]
    with pytest.raises(type(error)) as caught:
        ts.ask(made.scene, WATER, reasoner=ScriptedReasoner(script))
    assert caught.value is error
    trace = caught.value.trace  # type: ignore[attr-defined]
    assert trace.text == "Water [SEG] is"
    assert trace.steps[0].measured.share == pytest.approx(100 * made.truth("water").mean())
    assert trace.answer.finish == "cancelled"
    assert trace.answer.reason.startswith(type(error).__name__)
    assert any(".trace" in note for note in caught.value.__notes__)


def test_events_that_make_no_trace_keep_those_before(made: Synthetic) -> None:
    wrong = Mask(np.ones((3, 3), bool), label="water")
    for script in ([Text("Water [SEG]"), wrong], [Text("a. "), Answer("x"), Text("more")]):
        with pytest.raises(TraceError) as caught:
            ts.ask(made.scene, WATER, reasoner=ScriptedReasoner(script))
        assert caught.value.trace.text in ("Water [SEG]", "a. ")  # type: ignore[attr-defined]


def test_an_error_before_anything_came_has_no_trace(made: Synthetic) -> None:
    with pytest.raises(QuestionNotUnderstood) as caught:
        ts.ask(made.scene, "Why?")
    assert not hasattr(caught.value, "trace")


def test_an_error_among_many_keeps_what_was_done(made: Synthetic) -> None:
    with pytest.raises(QuestionNotUnderstood) as caught:
        ts.ask_many(made.scene, [WATER, "Is there snow?", "Why?", WATER])
    assert [t.answer.text for t in caught.value.traces] == [ts.ask(made.scene, WATER).answer.text, "no"]  # type: ignore[attr-defined]
    assert "in question 3 of 4: 'Why?'" in caught.value.__notes__


def test_a_slow_run_is_cancelled_by_closing(made: Synthetic) -> None:
    slow = SlowReasoner(truth_reasoner(made), pause=0)
    run = ts.stream(made.scene, WATER, reasoner=slow)
    came = [next(run) for _ in range(4)]
    run.close()
    assert slow.cancelled
    assert slow.yielded == 4
    assert ts.Trace.from_events(came, made.scene, WATER).answer.finish == "cancelled"
    trace = ts.ask(made.scene, WATER, reasoner=slow)
    assert not slow.cancelled
    assert trace.text == ts.ask(made.scene, WATER, reasoner=truth_reasoner(made)).text


def test_follow_gives_the_trace_as_it_grows(made: Synthetic) -> None:
    slow = SlowReasoner(truth_reasoner(made), pause=0)
    grown = [t for t in module.follow(made.scene, WATER, reasoner=slow, every=0) if isinstance(t, ts.Trace)]
    whole = ts.ask(made.scene, WATER, reasoner=truth_reasoner(made))
    assert len(grown) > 5
    pairs = list(zip(grown, grown[1:], strict=False))
    assert all(len(a.text) <= len(b.text) and len(a.steps) <= len(b.steps) for a, b in pairs)
    assert {t.answer.finish for t in grown[:-1]} == {"cancelled"}
    assert (grown[-1].text, grown[-1].answer) == (whole.text, whole.answer)
    assert grown[-1].provenance["reasoner"] == "slow reference"


def test_follow_stops_when_it_is_closed_and_keeps_what_came_when_it_fails(made: Synthetic) -> None:
    slow = SlowReasoner(truth_reasoner(made), pause=0)
    run = module.follow(made.scene, WATER, reasoner=slow, every=0)
    next(run)
    run.close()
    assert slow.cancelled

    class Breaking:
        name, options = "breaking", {}

        def stream(self, scene: ts.Scene, question: str, choices: Any = None) -> Iterator[Event]:
            yield Text("Water [SEG]")
            yield Mask(made.truth("water"), label="water")
            raise RuntimeError("no more memory")

    with pytest.raises(RuntimeError, match="no more memory") as caught:
        list(module.follow(made.scene, WATER, reasoner=Breaking()))
    assert [s.label for s in caught.value.trace.steps] == ["water"]


def test_ask_closes_a_run_that_it_leaves(made: Synthetic) -> None:
    closed = []

    class Careful(Plain):
        def stream(self, *request: Any) -> Iterator[Event]:
            try:
                yield Mask(made.truth("water"))  # no [SEG] asked for it
            finally:
                closed.append(True)

    with pytest.raises(TraceError):
        ts.ask(made.scene, WATER, reasoner=Careful())
    assert closed == [True]


def test_progress_is_shown_as_a_bar_and_wiped(
    made: Synthetic, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    from terrascope_nb import _progress

    monkeypatch.setattr(_progress, "DELAY", 0)
    fake = ScriptedReasoner([Progress(1, 4, "encoding"), Progress(3, 4, "decoding"), Text("done"), Answer("x")])
    with ts.set_options(progress=True):
        ts.ask(made.scene, WATER, reasoner=fake)
    assert "coding" in capsys.readouterr().err
    with ts.set_options(progress=False):
        ts.ask(made.scene, WATER, reasoner=fake)
    assert capsys.readouterr().err == ""


# ---- provenance -----------------------------------------------------------------------------------------------------
def test_provenance_fits_json_and_holds_no_secret(made: Synthetic) -> None:
    options = {
        "endpoint": "https://user:pw1@host.example/api?sig=abc&se=1", "api_key": "k-123", "hf_token": "t-456",
        "password": "p-789", "seed": 3, "max_tokens": 512, "flag": True, "nothing": None, "rate": float("nan"),
        "path": made, "note": "see s3://a:b@bucket/x?y=1 ok",
    }  # fmt: skip
    record = provenance("remote", options, made.scene)
    text = json.dumps(record, allow_nan=False)
    for secret in ("pw1", "abc", "k-123", "t-456", "p-789", "a:b@", "y=1"):
        assert secret not in text
    assert record["options"]["endpoint"] == "https://host.example/api"
    assert record["options"]["max_tokens"] == 512
    assert record["options"]["seed"] == 3
    assert set(record) >= {"terrascope_nb", "python", "numpy", "asked_at", "reasoner", "scene"}


def test_provenance_of_a_trace_fits_json(made: Synthetic) -> None:
    for reasoner in ("spectral", truth_reasoner(made)):
        record = ts.ask(made.scene, WATER, reasoner=reasoner).provenance
        assert json.loads(json.dumps(record, allow_nan=False)) == record


# ---- spectral: which sensor -----------------------------------------------------------------------------------------
def under_half_cloud(seed: int) -> tuple[Synthetic, ts.Scene]:
    made = synthetic_scene(np.random.default_rng(seed), size=96)
    cloud = np.zeros((96, 96), bool)
    cloud[:, :48] = True
    optical = made.scene.images[0]
    bands = optical.bands.map(lambda b: b.where(~cloud, np.float32(0.6)))
    return made, ts.Scene((replace(optical, bands=bands, cloud=cloud), made.scene.images[1]))


def test_radar_sees_water_under_cloud() -> None:
    missed = np.zeros(2)
    for seed in range(6):
        made, scene = under_half_cloud(seed)
        truth = made.truth("water")
        both = ts.ask(scene, WATER)
        alone = ts.ask(scene.select(modalities="optical"), WATER)
        step = both.steps[0]
        assert step.sar_image == 1
        assert 0 < step.sar_share < 1
        assert step.measured.clear_share == 1
        assert alone.steps[0].measured.clear_share == pytest.approx(0.5)
        missed += [(truth & ~(t.steps[0].mask.values & t.regions[0].domain.pixels)).sum() for t in (both, alone)]
        assert both.answer.value == pytest.approx(100 * truth.mean(), abs=4)
        assert [c.verdict for c in both.claims if c.verdict != "agrees"] == []
    assert missed[0] < 0.6 * missed[1]


def test_a_class_that_radar_cannot_judge_is_of_the_pixels_that_optical_sees() -> None:
    made, scene = under_half_cloud(3)
    trace = ts.ask(scene, "What share of the scene is forest?")
    assert "(50.0 % of the scene could be measured)" in trace.text
    assert np.isnan(trace.steps[0].probability.values[:, :48]).all()
    assert trace.regions[0].domain.pixels.sum() == 96 * 48
    assert trace.answer.value == pytest.approx(100 * made.truth("forest")[:, 48:].mean(), abs=8)


@pytest.mark.parametrize(("blanked", "kind"), [("optical", "sar"), ("sar", "optical")])
def test_a_blanked_image_is_no_evidence(made: Synthetic, blanked: str, kind: str) -> None:
    trace = ts.ask(made.scene.blank(blanked), WATER)
    alone = ts.ask(made.scene.select(modalities=kind), WATER)
    step = trace.steps[0]
    assert step.modality == kind
    assert step.sar_image is None
    np.testing.assert_array_equal(step.mask.values, alone.steps[0].mask.values)
    assert trace.answer.value == alone.answer.value
    both = ts.ask(made.scene.blank("optical").blank("sar"), WATER).answer
    assert both.finish == "abstained"
    assert "the optical image is blanked and the SAR image is blanked" in both.reason


def test_one_sensor_can_be_left_out(made: Synthetic) -> None:
    for sensor in ("optical", "sar"):
        trace = ts.ask(made.scene, WATER, reasoner=ts.open_reasoner("spectral", sensor=sensor))
        assert trace.steps[0].modality == sensor
        np.testing.assert_array_equal(
            trace.steps[0].mask.values, ts.ask(made.scene.select(modalities=sensor), WATER).steps[0].mask.values
        )
    answer = ts.ask(
        made.scene.select(modalities="optical"), WATER, reasoner=ts.open_reasoner("spectral", sensor="sar")
    ).answer
    assert answer.finish == "abstained"
    assert "the optical image is left out by sensor='sar' and there is no SAR image" in answer.reason


def test_abstentions_point_on(made: Synthetic) -> None:
    for label in ("cropland", "grassland"):
        answer = ts.ask(made.scene, f"What share of the scene is {label}?").answer
        assert (answer.finish, answer.text, answer.value) == ("abstained", "cannot be told", None)
        assert "low vegetation" in answer.reason
    forest = ts.ask(made.scene.blank("optical"), "Is there forest?").answer
    assert "the optical image is blanked" in forest.reason
    house = ts.ask(made.scene, "How many buildings are there?").answer
    assert "these bands allow" in house.reason
    assert "built-up" in house.reason


@pytest.mark.parametrize("label", ["vegetation", "land", "water", "low vegetation"])
def test_unions_are_classes_of_their_own(made: Synthetic, label: str) -> None:
    trace = ts.ask(made.scene, f"What share of the scene is {label}?")
    assert trace.answer.value == pytest.approx(100 * made.truth(label).mean(), abs=9)


def test_cloud_is_of_all_pixels_with_data() -> None:
    made = synthetic_scene(np.random.default_rng(4), size=64, cloud=0.25)
    for scene in (made.scene, made.scene.select(modalities="optical")):
        trace = ts.ask(scene, "What share of the scene is cloud?")
        assert trace.answer.value == pytest.approx(25, abs=0.1)
        assert "25.0 % of the pixels with data" in trace.text
    radar = ts.ask(made.scene.select(modalities="sar"), "Is there cloud?").answer
    assert radar.finish == "abstained"


def test_a_scene_is_classified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from terrascope_nb.reason import spectral

    made, calls = synthetic_pair(np.random.default_rng(0), size=48), []
    classify = spectral.classify
    monkeypatch.setattr(spectral, "classify", lambda *a, **k: calls.append(1) or classify(*a, **k))
    reasoner = ts.open_reasoner("spectral")
    for question in (WATER, "How did the water change between the two dates?", "Rank the classes by area."):
        ts.ask(made.scene, question, reasoner=reasoner)
    assert len(calls) == 2
    ts.ask(made.scene.blank("sar"), WATER, reasoner=reasoner)
    ts.ask(made.scene.select(modalities="sar"), WATER, reasoner=reasoner)
    assert len(calls) == 4


def test_wrong_numbers_are_caught_and_right_ones_are_not(made: Synthetic) -> None:
    right = truth_reasoner(made)
    question = "How large is the forest in ha?"
    assert {c.verdict for c in ts.ask(made.scene, question, reasoner=right).claims} == {"agrees"}
    wrong = ts.ask(made.scene, question, reasoner=WrongReasoner(right))
    assert {c.verdict for c in wrong.claims if c.where == "text"} == {"disagrees"}
