"""The mini: its language, its stages shrunk to a few steps, resuming, and the network that comes out of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from terrascope_nb.errors import InvalidInput, NotFound, QuestionNotUnderstood
from terrascope_nb.model import decoding
from terrascope_nb.model import reasoner as theirs
from terrascope_nb.model.decoding import Region as Drawn
from terrascope_nb.model.decoding import generated_ids
from terrascope_nb.model.network import IGNORED
from terrascope_nb.model.samples import collate
from terrascope_nb.reason.answers import Choices
from terrascope_nb.reason.events import Answer
from terrascope_nb.reason.measure import Region
from terrascope_nb.reason.reasoner import ask, open_reasoner
from terrascope_nb.scene.made import held_out
from terrascope_nb.train.mini import masks as wrong
from terrascope_nb.train.mini.commands import main
from terrascope_nb.train.mini.evaluate import OnSuite, evaluate
from terrascope_nb.train.mini.exercises import draw_exercise, make_exercise
from terrascope_nb.train.mini.export import vectors_of
from terrascope_nb.train.mini.language import LABELS, LAND, TASKS, Asked, asked_of
from terrascope_nb.train.mini.looking import shown_to_sam
from terrascope_nb.train.mini.network import SIZE, mini_network
from terrascope_nb.train.mini.outcome import figures, outcome
from terrascope_nb.train.mini.pictures import as_seen, picture
from terrascope_nb.train.mini.reasoner import MiniReasoner
from terrascope_nb.train.mini.scenes import Kept, keep, numbers, read_scenes, scene_of
from terrascope_nb.train.mini.stage_drill import draw_text
from terrascope_nb.train.mini.stage_language import Reader, language_loss
from terrascope_nb.train.mini.stage_segment import ClassPrompts
from terrascope_nb.train.mini.state import Plan, load_weights, train
from terrascope_nb.train.mini.suite import further_suite
from terrascope_nb.train.mini.vocabulary import mini_tokenizer


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks as small as these are no faster on several."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made() -> list:
    """A cloudy pair and three single dates."""
    return [scene_of(0, 1, cloud=0.3, pair=True), *(scene_of(0, k, cloud=0.0, pair=False) for k in (2, 3, 4))]


@pytest.fixture(scope="module")
def scenes(made: list) -> list[Kept]:
    return [keep(m) for m in made]


# ---- language -------------------------------------------------------------------------------------------------------
def test_what_is_written_comes_back_letter_by_letter(scenes: list[Kept]) -> None:
    tokenizer = mini_tokenizer()
    rng = np.random.default_rng(0)
    texts = []
    for _ in range(60):
        question, response, told = draw_text(rng)
        texts += [f"{question}\n", response, *told]
        sample = draw_exercise(scenes, rng, 6).sample
        texts += [sample.response, *(sample.measured or ())]
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert tokenizer.decode(ids) == text
    assert len(tokenizer) < 200
    digits = tokenizer.encode("2026", add_special_tokens=False)
    assert len(digits) == 4 and digits[0] == digits[2]


def test_a_word_it_lacks_is_an_error_and_no_token() -> None:
    processor = mini_network(small=True)[1]
    with pytest.raises(Exception, match="UNK"):
        processor.encode("measured share of volcano")


@pytest.mark.parametrize(
    ("question", "short"),
    [
        ("What share of the scene is water?", "measured share of water"),
        ("How many hectares of forest are there?", "measured area of tree cover"),
        ("Which is larger, the lake or the fields?", "measured larger of water and cropland"),
        ("Is the town next to the forest?", "measured adjacent of built-up and tree cover"),
        ("Which land-cover class is the largest?", "measured largest"),
        ("What percentage of the scene is cloud?", "measured share of cloud"),
    ],
)
def test_peoples_wording_becomes_its_own(made: list, question: str, short: str) -> None:
    assert asked_of(question, None, made[1].scene)[0].question() == short


def test_dates_are_named_by_their_number(made: list) -> None:
    scene = made[0].scene
    day = scene.images[scene.moments()[0].optical].day
    assert asked_of(f"What share of the scene is water on {day}?", None, scene)[0].question().endswith("in image 1")
    asked, _ = asked_of("Did the water grow?", None, scene)
    assert asked.question() == "measured growth of water" and asked.places == (("water", 0), ("water", 1))
    with pytest.raises(InvalidInput, match="two dates"):
        asked_of("Did the water grow?", None, made[1].scene)


@pytest.mark.parametrize(
    "question", ["How many lakes are there?", "What share of the scene is snow?", "Is there cloud?"]
)
def test_what_it_was_not_trained_for_is_refused_with_the_list(made: list, question: str) -> None:
    with pytest.raises(QuestionNotUnderstood, match="Trained tasks: coverage, area"):
        asked_of(question, None, made[1].scene)


# ---- masks and what follows from them -------------------------------------------------------------------------------
def test_wrong_masks_may_be_empty_and_are_always_masks() -> None:
    rng = np.random.default_rng(0)
    empty = np.zeros((48, 48), bool)
    for _ in range(40):
        for mask in (wrong.near(rng, empty), wrong.near(rng, ~empty), wrong.foreign(rng, 48), *wrong.apart(rng, 48)):
            assert mask.shape == (48, 48) and mask.dtype == bool


def test_the_answer_follows_from_the_masks_put_in_also_where_they_are_empty(scenes: list[Kept]) -> None:
    domain = scenes[1].domain(0, "optical")
    whole, none = np.ones((SIZE, SIZE), bool), np.zeros((SIZE, SIZE), bool)
    half = whole.copy()
    half[: SIZE // 2] = False
    for task in TASKS:
        n = len(LAND) if task == "largest" else 2
        asked = Asked(task, LAND[:n] if n > 2 else ("water", "cropland"))
        outcome(asked, [Region(x, none, domain) for x in LAND[:n]])  # says something or None, and never raises
    pair = [Region("water", half, domain), Region("cropland", none, domain)]
    assert outcome(Asked("comparison", ("water", "cropland")), pair) == (". water is larger", "water")
    assert outcome(Asked("coverage", ("water",)), pair[:1]) == (" covers 50.0 %", "50.0 %")
    assert figures(pair)[1] == " (0.0 %, 0 m²)"


def test_in_a_contradicting_sample_the_figures_decide(scenes: list[Kept]) -> None:
    rng = np.random.default_rng(3)
    contradicted = 0
    for _ in range(30):
        made = make_exercise(scenes[1], "both", Asked("coverage", ("water",)), "measured", "foreign", rng, 6)
        if made is None:
            continue
        answer = made.sample.response.split("<answer> ")[1].split(" </answer>")[0]
        assert made.sample.measured is not None and made.sample.measured[0].startswith(f" ({answer}")
        contradicted += abs(made.sample.masks[0].mean() - scenes[1].mask("water", 0).mean()) > 0.05
    assert contradicted > 10


def test_training_scenes_and_held_out_ones_never_meet() -> None:
    train_on = [k for k, _ in zip(numbers(5), range(50), strict=False)]
    test_on = [k for k, _ in zip(numbers(5, test=True), range(20), strict=False)]
    assert not set(train_on) & set(test_on) and all(held_out(5, k) for k in test_on)


# ---- training and decoding are one sequence -------------------------------------------------------------------------
@pytest.mark.parametrize(("which", "sensor"), [(1, "both"), (2, "optical"), (0, "both"), (3, "sar")])
def test_the_training_sequence_is_the_decoding_sequence(
    made: list, scenes: list[Kept], which: int, sensor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, processor = mini_network(small=True)
    model.eval()
    kept, scene = scenes[which], made[which].scene
    scene = scene if sensor == "both" else scene.select(sensor)
    there = [x for x in LAND if kept.mask(x, kept.dates - 1).mean() > 0.03][:2]
    asked = Asked("comparison", tuple(there), kept.dates - 1, kept.dates)
    made_one = make_exercise(kept, sensor, asked, "measured", "true", np.random.default_rng(0), 6)
    assert made_one is not None
    batch = collate(processor, [made_one.sample])
    script = iter(batch["labels"][0][batch["labels"][0] != IGNORED].tolist())

    class Scripted:
        def __init__(self, *_: object) -> None: ...

        def pick(self, logits: torch.Tensor) -> int:
            return next(script)

    steps: list = []
    drive = theirs.drive

    def watched(*args: object) -> Iterator:
        for row, step in drive(*args):
            steps.append(step)
            yield row, step

    masks = iter(made_one.sample.masks)
    monkeypatch.setattr(decoding, "Picker", Scripted)
    monkeypatch.setattr(theirs, "drive", watched)
    reasoner = MiniReasoner(
        model, processor, masks="truth", truth=lambda *_: next(masks), vectors=torch.zeros(len(LABELS), 32)
    )
    words = {"water": "water", "tree cover": "forest"}
    names = [words.get(x, x) for x in there]
    day = f" on {scene.images[scene.moments()[-1].image].day}" if kept.dates > 1 else ""
    trace = ask(scene, f"Which covers more area{day}, {names[0]} or {names[1]}?", reasoner=reasoner)
    prompt = processor.prepare(made_one.sample.images, made_one.sample.prompt).ids.tolist()
    decoded = prompt + generated_ids(processor, steps)
    trained = batch["input_ids"][0].tolist()
    assert decoded == trained[: len(decoded)]
    assert trained[len(decoded) :] == [processor.ids["end"]]  # decoding stops at </answer>
    read = [t for s in steps if isinstance(s, Drawn) for t in s.tokens]
    assert read == batch["region_tokens"].tolist()
    assert [s.label for s in trace.steps] == there
    assert trace.answer.text == made_one.sample.response.split("<answer> ")[1].split(" <")[0]


def test_an_image_without_infrared_is_refused_and_radar_alone_is_not(made: list) -> None:
    image = made[1].scene.images[0]
    plain = replace(image, bands=image.bands[["blue", "green", "red"]])
    with pytest.raises(InvalidInput, match="infrared, red and green"):
        picture(plain)
    radar = made[1].scene.select("sar")
    assert as_seen(radar).images[0].view.pixels.any()


def test_sam_is_shown_both_sensors_in_one_picture(made: list, scenes: list[Kept]) -> None:
    scene = as_seen(made[0].scene)
    image = scene.moments()[0].optical
    assert (shown_to_sam(scene, image) == scenes[0].fused(0)).all()
    assert (shown_to_sam(scene, image) != scene.images[image].view.pixels).any()
    alone = scene.select("optical")
    assert (shown_to_sam(alone, 0) == alone.images[0].view.pixels).all()


# ---- stages ---------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every stage, shrunk: a folder with an exported network."""
    out = tmp_path_factory.mktemp("mini")
    assert main(["scenes", "--out", str(out), "--n", "20"]) == 0
    steps = {"see": 14, "segment": 4, "language": 30, "drill": 3, "settle": 2, "joint": 2}
    for stage, n in steps.items():
        assert _stage(out, stage, n) == 0
    assert main(["export", "--out", str(out), "--small"]) == 0
    return out


def _stage(out: Path, stage: str, steps: int, *more: str) -> int:
    return main([stage, "--out", str(out), "--small", "--steps", str(steps), "--batch", "4", *more])


def _column(path: Path, name: str) -> list[float]:
    with path.open(newline="", encoding="utf-8") as f:
        return [float(r[name]) for r in csv.DictReader(f)]


def test_stages_learn_and_log(trained: Path) -> None:
    losses = _column(trained / "language" / "log.csv", "loss")
    assert losses[-1] < losses[0]
    assert _column(trained / "see" / "log.csv", "step")[-1] == 14
    assert len(read_scenes(trained / "scenes")) == 25


def test_a_stage_broken_off_goes_on_as_if_it_had_not(trained: Path, tmp_path: Path) -> None:
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    for out in (straight, broken):
        out.mkdir()
        (out / "scenes").symlink_to(trained / "scenes")
    for stage, kind in (("language", Reader), ("segment", ClassPrompts)):
        assert _stage(straight, stage, 6) == 0
        assert _stage(broken, stage, 6, "--stop-at", "3") == 3
        assert not (broken / stage / "weights.safetensors").exists()
        assert _stage(broken, stage, 6) == 0
        one, other = (kind(mini_network(small=True)[0]) for _ in range(2))
        load_weights(one, straight / stage)
        load_weights(other, broken / stage)
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_state_of_another_seed_is_refused_and_a_missing_stage_named(trained: Path, tmp_path: Path) -> None:
    layer = torch.nn.Linear(2, 1)
    plan = Plan(rate=0.1, steps=4)

    def loss(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        return layer(torch.ones(1, 2)).square().sum(), {}

    assert not train(layer, loss, plan, tmp_path / "a", seed=1, stop_at=2)
    with pytest.raises(InvalidInput, match="seed 1"):
        train(layer, loss, plan, tmp_path / "a", seed=2)
    with pytest.raises(InvalidInput, match="rate"):
        train(layer, loss, replace(plan, rate=0.2), tmp_path / "a", seed=1)
    with pytest.raises(NotFound, match="run it first"):
        load_weights(layer, tmp_path / "nothing")
    with pytest.raises(ArithmeticError, match="step 0"):
        train(layer, lambda _: (layer(torch.full((1, 2), torch.nan)).sum(), {}), plan, tmp_path / "b", seed=1)


# ---- what comes out -------------------------------------------------------------------------------------------------
def test_the_exported_network_opens_as_any_other(trained: Path, made: list) -> None:
    model = trained / "model"
    assert vectors_of(model).shape == (len(LABELS), 32)
    plain = open_reasoner("terrascope", model=str(model), measured_in_loop=True, max_tokens=12)
    assert ask(as_seen(made[1].scene), "measured share of water", reasoner=plain).reasoner == "terrascope"
    assert plain.options["weights"].startswith("model.safetensors:")
    with pytest.raises(NotFound, match=r"class_vectors\.npy"):
        vectors_of(trained)


def test_a_network_that_learnt_one_scene_answers_about_it_with_masks(made: list, scenes: list[Kept]) -> None:
    model, processor = mini_network(small=True)
    reader = Reader(model)
    vectors = torch.randn(len(LABELS), 32, generator=torch.Generator().manual_seed(0))
    label = max(LAND, key=lambda x: scenes[1].mask(x, 0).mean())
    lesson = make_exercise(
        scenes[1], "both", Asked("existence", (label,)), "measured", "true", np.random.default_rng(0), 6
    )
    assert lesson is not None
    optimiser = torch.optim.AdamW(reader.parameters(), 4e-3)
    first = last = 0.0
    for step in range(90):
        loss, _ = language_loss(reader, processor, [lesson], vectors)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        first, last = (float(loss.detach()), last) if step == 0 else (first, float(loss.detach()))
    assert last < first / 2
    asked_for: list[str] = []

    def truth(scene: object, label: str, image: int) -> np.ndarray:
        asked_for.append(label)
        return scenes[1].mask(label, 0)

    reasoner = MiniReasoner(model, processor, masks="truth", truth=truth, vectors=vectors)
    choices = Choices.of(["no", "yes"])
    trace = ask(made[1].scene, f"Is there any {label}?", choices, reasoner=reasoner)
    assert [s.label for s in trace.steps] == [label] == asked_for  # the bridge has learnt the class
    assert trace.answer.finish == "stop" and trace.answer.choice == "B"
    assert reasoner.options["letters"] == "mapped"
    with pytest.raises(QuestionNotUnderstood, match="Trained tasks"):
        ask(made[1].scene, "How many lakes are there?", reasoner=reasoner)


def test_the_answer_in_words_or_figures_takes_the_option_that_fits(made: list) -> None:
    reasoner = MiniReasoner(*mini_network(small=True))
    scene = made[1].scene

    def chosen(question: str, options: list[str], answer: Answer) -> str | None:
        plan = asked_of(question, options, scene)[1]
        return reasoner._concluded(answer, (scene, question, options), plan, scene, []).choice

    assert chosen("What share is water?", ["10 %", "30 %"], Answer("27.4 %", None, 27.4, "%")) == "B"
    assert chosen("What is the area of water?", ["10 ha", "0.3 km²"], Answer("27.4 ha", None, 27.4, "ha")) == "B"
    assert chosen("Which is larger, forest or water?", ["Forest", "Water"], Answer("tree cover")) == "A"
    assert chosen("Is water next to forest?", ["No", "Yes"], Answer("no")) == "A"


def test_the_held_out_questions_can_all_be_put_to_the_mini() -> None:
    suite = further_suite(9, seed=11)
    assert {r.task for r in suite} == {"existence", "localisation", "change"}
    for row in suite:
        asked, _ = asked_of(row.question, row.choices, row.scene())
        assert set(asked.labels) <= set(LABELS)
        truth = suite.labelled(row)
        assert truth is not None and truth.key == row.image


def test_the_table_names_the_weights_and_its_rows_look_where_they_say(trained: Path, tmp_path: Path) -> None:
    suite = further_suite(9, seed=11)
    text = evaluate(trained / "model", [suite], ["chance", "reference"], tmp_path, seed=0)
    assert "| chance |" in text and "model.safetensors" in text
    assert "| the truth's own masks by rule | 100.0 | 1.00 | 100" in text
    model, processor = mini_network(small=True)
    told = {"model": model, "processor": processor, "masks": "truth", "vectors": torch.zeros(len(LABELS), 32)}
    asked = OnSuite(suite, told, wrong_image=True)
    row = suite.rows[0]
    mini = asked.of_row(row)
    assert isinstance(mini, MiniReasoner) and mini.stand_in is not None
    assert mini.stand_in is not row.scene() and mini.stand_in.grid.shape == row.scene().grid.shape
    truth = suite.labelled(row)
    assert truth is not None
    assert (asked._mask(row.scene(), "water", 0) == truth.truth("water")).all()
    with pytest.raises(InvalidInput, match="wrong-image"):
        evaluate(trained / "model", [suite], ["wrong_image"], tmp_path)
