"""The network as a reasoner: a tiny model learns eight lessons by heart and tells them back."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from torch.nn import functional as F

from terrascope_nb.errors import InvalidInput, TooLarge
from terrascope_nb.model.decoding import Rules
from terrascope_nb.model.lessons import Lesson, draw_lessons, learn
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Processor
from terrascope_nb.model.reasoner import Drawing, TerraScopeReasoner, show
from terrascope_nb.model.tiny import tiny_model
from terrascope_nb.reason.events import SEG, Answer, Mask, Progress, Text
from terrascope_nb.reason.reasoner import ask, ask_many, open_reasoner
from terrascope_nb.reason.trace import Trace
from terrascope_nb.scene.scene import Scene
from terrascope_nb.scene.synthetic import synthetic_scene


@pytest.fixture(scope="module")
def lessons() -> list[Lesson]:
    return draw_lessons(np.random.default_rng(0))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks as small as these are no faster on several, and much slower where others work beside them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def learnt(lessons: list[Lesson], one_thread: None) -> tuple[TerraScopeModel, Processor]:
    """A tiny model that was random and has learnt the lessons."""
    model, processor = tiny_model(0)
    learn(model, processor, [lesson.sample() for lesson in lessons])
    return model, processor


@pytest.fixture(scope="module")
def reasoner(learnt) -> TerraScopeReasoner:
    return TerraScopeReasoner(learnt[0], learnt[1])


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def known(trace: Trace, lesson: Lesson) -> None:
    assert trace.text == lesson.thinking
    assert (trace.answer.text, trace.answer.choice, trace.answer.finish) == (lesson.answer, lesson.answer, "stop")
    assert [s.image for s in trace.steps] == list(lesson.images)
    assert min(iou(s.mask.values, m) for s, m in zip(trace.steps, lesson.masks, strict=True)) >= 0.9
    assert trace.problems == ()


# ---- learning and telling back ---------------------------------------------------------------------------------
def test_eight_lessons_are_learnt_and_told_back(lessons, learnt, reasoner) -> None:
    """Training and decoding lay the sequence out alike, or this would fail."""
    for lesson in lessons:
        known(ask(lesson.scene, lesson.question, list(lesson.choices), reasoner), lesson)


def test_together_they_are_the_same_as_one_by_one(lessons, reasoner) -> None:
    asked = [lessons[k] for k in (0, 4, 6, 7, 5)]
    traces = ask_many([a.scene for a in asked], [a.question for a in asked], [list(a.choices) for a in asked], reasoner)
    for trace, lesson in zip(traces, asked, strict=True):
        known(trace, lesson)


def test_several_questions_about_one_scene_read_it_once(lessons, reasoner) -> None:
    lesson = lessons[4]
    before = reasoner.model.segmenter.encoder_calls
    seen = []
    visual = reasoner.model.visual
    reasoner.model.visual = lambda tiles: (seen.append(len(tiles)), visual(tiles))[1]  # type: ignore[method-assign]
    try:
        scene = replace(lesson.scene)  # the same images, not seen yet
        first = ask(scene, lesson.question, list(lesson.choices), reasoner)
        again = ask_many(scene, [lesson.question] * 3, [list(lesson.choices)] * 3, reasoner)
    finally:
        del reasoner.model.visual
    for trace in (first, *again):
        known(trace, lesson)
    assert len(seen) == 1 and reasoner.model.segmenter.encoder_calls == before + 1


def test_from_disk_end_to_end_and_every_view_shows_it(lessons, learnt, tmp_path: Path) -> None:
    model, processor = learnt
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    opened = TerraScopeReasoner(tmp_path / "model", device="cpu")
    lesson = lessons[4]
    trace = ask(lesson.scene, lesson.question, list(lesson.choices), opened)
    known(trace, lesson)
    assert {c.verdict for c in trace.claims} == {"agrees"}
    bundle = trace._repr_mimebundle_()
    assert {"text/html", "image/png", "text/plain"} <= set(bundle)
    assert (
        "water" in bundle["text/html"] and "predicted IoU" in Path(trace.to_html(tmp_path / "report.html")).read_text()
    )
    for written in (
        trace.to_geotiff(tmp_path / "m.tif"),
        trace.to_geojson(tmp_path / "m.geojson"),
        trace.to_stac(tmp_path / "stac"),
    ):
        assert Path(written).exists()
    again = Trace.load(trace.save(tmp_path / "trace"))
    assert again.text == trace.text and np.array_equal(again.steps[1].mask.values, trace.steps[1].mask.values)
    assert trace.provenance["options"]["region_rule"] == "paper" and trace.provenance["options"]["device"] == "cpu"


def test_scores_are_kept_and_labels_are_the_last_word_of_the_vocabulary(lessons, reasoner) -> None:
    trace = ask(lessons[5].scene, lessons[5].question, list(lessons[5].choices), reasoner)
    assert [s.label for s in trace.steps] == ["tree cover", "grassland"]
    for step in trace.steps:
        assert step.probability is not None and step.probability.dtype == np.float32
        assert np.array_equal(step.probability.values > 0.5, step.mask.values)


def test_a_written_date_is_obeyed_and_said(lessons, reasoner) -> None:
    trace = ask(lessons[6].scene, lessons[6].question, list(lessons[6].choices), reasoner)
    assert [(s.image, s.image_source) for s in trace.steps] == [(1, "written"), (0, "written")]


def test_sar_beside_the_optical_image(lessons, reasoner) -> None:
    lesson = lessons[7]
    step = ask(lesson.scene, lesson.question, list(lesson.choices), reasoner).steps[0]
    assert (step.image, step.sar_image) == (0, 1) and 0 <= step.sar_share <= 1
    for blanked in ("sar", "optical"):
        trace = ask(lesson.scene.blank(blanked), lesson.question, list(lesson.choices), reasoner)
        assert trace.answer.finish in ("stop", "limit", "loop")


@pytest.mark.parametrize(("fusion", "share"), [("optical", 0.0), ("sar", 1.0), ("concat", 0.5)])
def test_the_trace_says_which_share_came_from_sar(lessons, learnt, fusion: str, share: float) -> None:
    lesson = lessons[7]
    told = open_reasoner("terrascope", model=learnt[0], processor=learnt[1], fusion=fusion, max_tokens=30)
    trace = ask(lesson.scene, lesson.question, list(lesson.choices), told)
    assert trace.steps[0].sar_share == share
    assert trace.provenance["options"]["fusion"] == fusion


# ---- events ----------------------------------------------------------------------------------------------------
def test_events_come_a_token_at_a_time(lessons, learnt, reasoner) -> None:
    lesson = lessons[0]
    events = list(reasoner.stream(lesson.scene, lesson.question, list(lesson.choices)))
    tokens = len(learnt[1].encode(lesson.response))
    assert len([e for e in events if not isinstance(e, Mask | Answer)]) == tokens + 1, (
        "one a token, and one for reading"
    )
    assert isinstance(events[0], Progress) and isinstance(events[-1], Answer)
    at = next(k for k, e in enumerate(events) if isinstance(e, Mask))
    assert isinstance(events[at - 1], Text) and events[at - 1].text.endswith(SEG)
    assert "".join(e.text for e in events if isinstance(e, Text)) == lesson.thinking


def test_closing_cancels_and_a_partial_trace_says_so(lessons, reasoner) -> None:
    lesson = lessons[4]
    events = []
    stream = reasoner.stream(lesson.scene, lesson.question, list(lesson.choices))
    for event in stream:
        events.append(event)
        if isinstance(event, Mask):
            break
    stream.close()
    trace = Trace.from_events(events, lesson.scene, lesson.question, list(lesson.choices))
    assert trace.answer.finish == "cancelled" and len(trace.steps) == 1
    known(ask(lesson.scene, lesson.question, list(lesson.choices), reasoner), lesson)


def test_between_events_the_caller_may_train(lessons, reasoner) -> None:
    stream = reasoner.stream(lessons[0].scene, lessons[0].question, list(lessons[0].choices))
    for event in stream:
        assert not torch.is_inference_mode_enabled() and torch.is_grad_enabled()
        if isinstance(event, Text):
            break
    stream.close()
    assert not torch.is_inference_mode_enabled() and torch.is_grad_enabled()


def test_a_static_cache_takes_many_one_by_one(lessons, learnt) -> None:
    static = TerraScopeReasoner(learnt[0], learnt[1], cache="static", max_tokens=80)
    asked = lessons[:3]
    traces = ask_many([a.scene for a in asked], [a.question for a in asked], [list(a.choices) for a in asked], static)
    for trace, lesson in zip(traces, asked, strict=True):
        known(trace, lesson)


def test_compatibility_brings_the_published_regions(learnt) -> None:
    assert TerraScopeReasoner(learnt[0], learnt[1], compat="published").options["region_rule"] == "published"
    assert TerraScopeReasoner(learnt[0], learnt[1]).options["region_rule"] == "paper"


def test_a_cut_off_answer_is_marked(lessons, learnt) -> None:
    short = TerraScopeReasoner(learnt[0], learnt[1], max_tokens=8)
    answer = ask(lessons[0].scene, lessons[0].question, list(lessons[0].choices), short).answer
    assert (answer.finish, answer.text, answer.choice) == ("limit", "", None)
    assert "8 tokens were written" in answer.reason
    few = TerraScopeReasoner(learnt[0], learnt[1], max_masks=1)
    trace = ask(lessons[4].scene, lessons[4].question, list(lessons[4].choices), few)
    assert trace.answer.finish == "limit" and len(trace.steps) == 1 and trace.text.count(SEG) == 1


def test_a_question_outside_the_lessons_still_ends(lessons, reasoner) -> None:
    trace = ask(lessons[0].scene, "Où est le lac ? 湖はどこ", reasoner=reasoner)
    assert trace.answer.finish in ("stop", "limit", "loop")


# ---- measured in the loop --------------------------------------------------------------------------------------
def test_figures_are_put_into_the_text_and_told_from_what_was_written(lessons, learnt) -> None:
    told = TerraScopeReasoner(learnt[0], learnt[1], measured_in_loop=True, max_tokens=60)
    trace = ask(lessons[4].scene, lessons[4].question, list(lessons[4].choices), told)
    assert trace.measured_spans
    for (a, b), step in zip(trace.measured_spans, trace.steps, strict=False):
        assert trace.text[:a].endswith(SEG) and trace.text[a:b].startswith(" (")
        assert f"{step.measured.share:.1f} %" in trace.text[a:b]
        assert " ha" in trace.text[a:b] or " m²" in trace.text[a:b]
    inside = [c for c in trace.claims if any(a <= c.start < b for a, b in trace.measured_spans)]
    assert inside and {c.verdict for c in inside} <= {"agrees", "not checkable"}
    assert learnt[0].config.measured_in_loop is False, "off unless the weights were trained to read it"


def test_what_hides_the_ground_is_measured_among_all_that_has_data() -> None:
    made = synthetic_scene(np.random.default_rng(2), 48, sar=False, cloud=0.3)
    scene, hidden = made.scene, made.scene.images[0].cloud
    for words, share in (("The cloud [SEG]", 100 * hidden.mean()), ("The water [SEG]", 0.0)):
        shown = show(scene)
        drawing = Drawing(scene, shown, Rules())
        drawn = SimpleNamespace(
            mask=hidden.copy(), probability=None, target=0, iou=0.9, read=4, note="", image_source="only", sar_share=0.0
        )
        assert drawing.mask(drawn, words).label in words
        assert f"({share:.1f} %" in drawing.measure(drawn)


def test_a_model_learns_to_read_measured_figures(lessons) -> None:
    """The measured text is laid out in training as it is put in while writing: no label, right behind the region."""
    processor = tiny_model(0)[1]
    from terrascope_nb.model.samples import IGNORED, collate

    batch = collate(processor, [lessons[4].sample(measured=True)])
    whole = processor.decode(batch["input_ids"][0])
    learnt = processor.decode(batch["input_ids"][0][batch["labels"][0] != IGNORED])
    assert " ha)" in whole and "from the region before)" in whole and "ha" not in learnt.replace("that", "")
    assert learnt == f"{lessons[4].response}<|im_end|>"


def test_trained_with_figures_it_writes_its_text_around_those_measured(lessons, learnt) -> None:
    """Figures of the true masks stood in what it was trained on; those of the drawn ones stand in what it writes."""
    model, processor = deepcopy(learnt[0]), learnt[1]
    asked = [lessons[k] for k in (0, 4)]
    learn(model, processor, [a.sample(measured=True) for a in asked], steps=40, rate=5e-4)
    model.config.measured_in_loop = True
    told = TerraScopeReasoner(model, processor)
    for lesson in asked:
        trace = ask(lesson.scene, lesson.question, list(lesson.choices), told)
        written = trace.text
        assert len(trace.measured_spans) == len(trace.steps) == len(lesson.masks)
        for (a, b), step in reversed(list(zip(trace.measured_spans, trace.steps, strict=True))):
            assert f"({step.measured.share:.1f} %, " in trace.text[a:b]
            written = written[:a] + written[b:]
        assert (written, trace.answer.text, trace.answer.finish) == (lesson.thinking, lesson.answer, "stop")
        assert min(iou(s.mask.values, m) for s, m in zip(trace.steps, lesson.masks, strict=True)) >= 0.9
    assert "from the region before" in trace.text


# ---- a model that writes what it is told -----------------------------------------------------------------------
def writes(text: str, **options) -> TerraScopeReasoner:
    """A reasoner whose model can write nothing but `text`."""
    model, processor = tiny_model(3)
    ids = processor.encode(text + "<|im_end|>").tolist()
    place = {"at": 0}

    def predict(hidden: torch.Tensor) -> torch.Tensor:
        one = F.one_hot(
            torch.tensor(ids[min(place["at"], len(ids) - 1)]), model.config.vlm_config.text_config.vocab_size
        )
        place["at"] += 1
        return one.float().expand(*hidden.shape[:-1], -1)

    model.predict = predict  # type: ignore[method-assign]
    return TerraScopeReasoner(model, processor, **options)


def scene_of(lessons: list[Lesson], *, times: bool = False) -> Scene:
    return lessons[6].scene if times else lessons[0].scene


@pytest.mark.parametrize(
    ("text", "thinking", "answer", "choice"),
    [
        ("<think> I look. </think><answer> B </answer>", "I look.", "B", "B"),
        ("I look.\n<answer>b) 20 %</answer>", "I look.", "b) 20 %", "B"),
        ("<think>I look.</think> (A)", "I look.", "(A)", "A"),
        ("<think> Größe [SEG] of 湖 [SEG]</think><answer>C</answer>", "Größe [SEG] of 湖 [SEG]", "C", None),
        ("[SEG]<answer>A</answer>", "[SEG]", "A", "A"),
        ("<think> a </think> then [SEG] b <answer>A</answer>", "a then [SEG] b", "A", "A"),
    ],
)
def test_outputs_of_every_form_are_read(lessons, text: str, thinking: str, answer: str, choice: str | None) -> None:
    trace = ask(scene_of(lessons), "How much of it?", ["10 %", "20 %"], writes(text))
    assert trace.text == thinking and (trace.answer.text, trace.answer.choice) == (answer, choice)
    assert len(trace.steps) == text.count(SEG) and trace.problems == ()


def test_a_text_without_an_answer_says_so(lessons) -> None:
    trace = ask(scene_of(lessons), "How much of it?", ["10 %", "20 %"], writes("<think> I look and"))
    assert (trace.answer.text, trace.answer.choice, trace.answer.reason) == (
        "",
        None,
        "the text ended without an <answer>",
    )


def test_a_free_answer_keeps_its_number(lessons) -> None:
    answer = ask(
        scene_of(lessons), "How much is water?", reasoner=writes("<think> Hm. </think><answer> 12.5 ha </answer>")
    ).answer
    assert (answer.text, answer.value, answer.unit) == ("12.5 ha", 12.5, "ha")


def test_the_masks_answer_stands_beside_where_it_differs(lessons) -> None:
    scene = scene_of(lessons)
    wrong = writes("<think> The water [SEG] is small. </think><answer> 99.9 % </answer>")
    trace = ask(scene, "What share of the scene is water?", reasoner=wrong)
    share = trace.steps[0].measured.share
    assert trace.text == f"The water [SEG] is small. The masks alone support another answer: {share:.1f} %."
    assert trace.text[slice(*trace.measured_spans[-1])].startswith(" The masks alone")
    assert trace.answer.text == "99.9 %", "the model's own answer stays"
    right = writes(f"<think> The water [SEG] is small. </think><answer> {share:.2f} % </answer>")
    assert "masks alone" not in ask(scene, "What share of the scene is water?", reasoner=right).text
    letters = writes("<think> The water [SEG] is small. </think><answer> A </answer>")
    trace = ask(scene, "What share of the scene is water?", ["99.9 %", f"{share:.1f} %"], letters)
    assert trace.answer.choice == "A" and "option B." in trace.text
    quiet = writes("<think> The water [SEG] is small. </think><answer> 99.9 % </answer>", masks_answer=False)
    assert "masks alone" not in ask(scene, "What share of the scene is water?", reasoner=quiet).text


def test_masks_of_images_of_unequal_size_lie_on_their_own(lessons) -> None:
    small, large = (
        np.random.default_rng(k).integers(0, 255, (3, *s), dtype=np.uint8) for k, s in ((0, (20, 30)), (1, (50, 40)))
    )
    one, other = (Scene.from_arrays(optical=p, bands=["red", "green", "blue"], units="rgb8") for p in (small, large))
    scene = Scene((*one.images, *other.images))
    for options in ({}, {"compat": "published"}):
        trace = ask(
            scene, "What changed?", reasoner=writes("<think> one [SEG] two [SEG] </think><answer>x</answer>", **options)
        )
        assert [s.mask.shape for s in trace.steps] == [(20, 30), (50, 40)]
        assert [s.image_source for s in trace.steps] == ["round-robin"] * 2


def test_a_tag_in_the_question_is_refused(lessons, reasoner) -> None:
    with pytest.raises(InvalidInput, match="may not stand in a question"):
        ask(scene_of(lessons), "Is there [SEG] water?", reasoner=reasoner)


# ---- what is shown, and options --------------------------------------------------------------------------------
def test_dates_are_counted_in_order_of_time(lessons) -> None:
    shown = show(lessons[7].scene)
    assert shown.images == (0, 1) and [(t.image, t.sar) for t in shown.targets] == [(0, 1)]
    assert [(t.image, t.sar) for t in show(lessons[7].scene, compat=True).targets] == [(0, None), (1, None)]
    power = np.full((2, 2, 48, 48), 0.1, np.float32)
    radar = Scene.from_arrays(
        sar=power, sar_bands=["vv", "vh"], sar_units="linear", sar_times=["2022-01-01", "2023-05-02"],
        optical=lessons[6].scene.images[0].view.pixels.transpose(2, 0, 1)[None], bands=["red", "green", "blue"],
        units="rgb8", times=["2023-05-01"],
    )  # fmt: skip
    assert [(t.image, t.sar) for t in show(radar).targets] == [(1, None), (0, 2)], "a radar date of its own comes first"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"compat": "old"}, "compat is 'published' or None"), ({"cache": "none"}, "cache is one of dynamic, static"),
        ({"batch": 0}, "batch is at least 1"), ({"region_mode": "boxes"}, "did you mean 'box'"),
        ({"processor": None}, "needs its processor"), ({"model": 3}, "got int"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(learnt, options: dict, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        TerraScopeReasoner(**{"model": learnt[0], "processor": learnt[1], **options})


@pytest.mark.parametrize("options", [{"cache": "static"}, {"region_mode": "box"}, {"temperature": 0.01}])
def test_other_ways_tell_the_same(lessons, learnt, options: dict) -> None:
    """What is known by heart does not hang on the cache, nor on a box about a box-like region."""
    told = TerraScopeReasoner(learnt[0], learnt[1], **options)
    known(ask(lessons[1].scene, lessons[1].question, list(lessons[1].choices), told), lessons[1])


def test_the_command_line_asks_a_model_on_disk(lessons, learnt, tmp_path, capsys) -> None:
    import rasterio

    from terrascope_nb.cli import main

    model, processor = learnt
    model.save_pretrained(tmp_path / "tiny")
    processor.save_pretrained(tmp_path / "tiny")
    lesson = lessons[0]
    pixels, grid = lesson.scene.images[0].view.pixels, lesson.scene.grid
    with rasterio.open(
        tmp_path / "scene.tif", "w", driver="GTiff", height=grid.height, width=grid.width, count=3, dtype="uint8",
        crs=grid.crs.to_wkt(), transform=grid.transform, photometric="RGB",
    ) as out:  # fmt: skip
        out.write(pixels.transpose(2, 0, 1))
    choices = ["--choices", *lesson.choices]
    where = ["--optical", str(tmp_path / "scene.tif"), "--out", str(tmp_path / "out"), *choices]
    assert main(["ask", lesson.question, "--model", str(tmp_path / "tiny"), "--device", "cpu", *where]) == 0
    said = capsys.readouterr().out
    assert f"A: {lesson.answer}" in said
    trace = Trace.load(tmp_path / "out" / "trace")
    known(trace, lesson)
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {"report.html", "masks.tif", "masks.geojson", "item.json"}
    assert set(trace._repr_mimebundle_()) == {"text/html", "image/png", "text/plain"}


def test_out_of_memory_names_what_was_needed_and_free(lessons, reasoner, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")

    monkeypatch.setattr(reasoner, "_read", full)
    with pytest.raises(TooLarge, match=r"answering needs [\d.]+ GB on cpu; free there is [\d.]+ GB"):
        ask(replace(lessons[0].scene), lessons[0].question, list(lessons[0].choices), reasoner)
