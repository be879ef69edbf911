"""Rule-based reasoners: every task where the truth is known, against plain numpy; sentences; what cannot be told."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from affine import Affine
from scipy import ndimage

import terrascope_nb as ts
from terrascope_nb.errors import GridMismatch, InvalidInput, NoCRS
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.events import Answer, Event, Mask, Progress, Text
from terrascope_nb.reason.question import Plan, forms, understand
from terrascope_nb.reason.reference import ReferenceReasoner
from terrascope_nb.reason.solve import solve
from terrascope_nb.reason.solve.finding import Finding
from terrascope_nb.testing import Synthetic, synthetic_damage, synthetic_pair, synthetic_scene, truth_reasoner

LEAVES = ("tree cover", "grassland", "cropland", "built-up", "bare land", "water", "snow and ice")
SQUARE = np.ones((3, 3))


def made(seed: int, **options: Any) -> Synthetic:
    return synthetic_scene(np.random.default_rng(seed), size=64, **options)


def pair(seed: int, **options: Any) -> Synthetic:
    return synthetic_pair(np.random.default_rng(seed), size=64, **options)


def told(scene: ts.Scene, question: str, reasoner: Any = "spectral", choices: Any = None) -> ts.Trace:
    """Ask, and hold that every claim of text and answer agrees with its own mask."""
    trace = ts.ask(scene, question, choices, reasoner)
    assert [(c.text, c.verdict, c.why) for c in trace.claims if c.verdict != "agrees"] == []
    return trace


def with_cloud(scene: ts.Scene, cloud: np.ndarray, image: int = 0) -> ts.Scene:
    images = list(scene.images)
    images[image] = replace(images[image], cloud=cloud)
    return replace(scene, images=tuple(images))


# ---- the truth by plain numpy ---------------------------------------------------------------------------------------
def parts(mask: np.ndarray) -> int:
    labelled, _ = ndimage.label(mask, SQUARE)
    return int((np.bincount(labelled.ravel())[1:] >= 4).sum())


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Smallest distance in pixels, centre to centre; 0 where they touch."""
    gap = min(float(np.hypot(*(np.argwhere(b) - p).T).min()) for p in np.argwhere(a))
    return 0.0 if gap < 1.5 else gap


def touch(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((ndimage.binary_dilation(a, SQUARE) & b).any())


def place(mask: np.ndarray) -> str:
    """The third of the scene that holds the centroid."""
    south, east = (((x.mean() + 0.5) / n) for x, n in zip(np.nonzero(mask), mask.shape, strict=True))
    name = [w for share, low, high in ((south, "north", "south"), (east, "west", "east"))
            for w in ([low] if share < 1 / 3 else [high] if share > 2 / 3 else [])]  # fmt: skip
    return "-".join(name) or "centre"


def ranked(made: Synthetic) -> list[str]:
    there = [x for x in LEAVES if parts(made.truth(x))]
    return sorted(there, key=lambda x: (-int(made.truth(x).sum()), x))


TRUTHS: dict[str, Callable[[Synthetic], Any]] = {
    "coverage": lambda s: 100 * s.truth("water").mean(),
    "area": lambda s: s.truth("forest").sum() * s.scene.grid.pixel_area().mean() / 1e4,
    "comparison": lambda s: max(("tree cover", "cropland"), key=lambda x: s.truth(x).sum()),
    "smaller": lambda s: min(("water", "cropland"), key=lambda x: s.truth(x).sum()),
    "largest": lambda s: ranked(s)[0],
    "smallest": lambda s: ranked(s)[-1],
    "ranking": lambda s: ", ".join(ranked(s)),
    "adjacency": lambda s: "yes" if touch(s.truth("forest"), s.truth("water")) else "no",
    "distance": lambda s: apart(s.truth("built-up"), s.truth("water")) * s.scene.grid.pixel_area().mean() ** 0.5,
    "counting": lambda s: parts(s.truth("water")),
    "existence": lambda s: "yes" if parts(s.truth("snow")) else "no",
    "location": lambda s: place(s.truth("water")),
}  # fmt: skip
TWO_DATES: dict[str, Callable[[Synthetic], Any]] = {
    "change": lambda s: 100 * (s.truth("water", 0) & ~s.truth("water", 1)).mean(),
    "when largest": lambda s: str(s.scene.images[0].time)[:10],
    "when smallest": lambda s: str(s.scene.images[1].time)[:10],
}


def example(task: str) -> str:
    return next(f.example for f in forms() if f.task == task)


def test_every_task_is_tested() -> None:
    assert {f.task for f in forms()} == {*TRUTHS, *TWO_DATES, "building change"}


@pytest.mark.parametrize("task", TRUTHS)
def test_with_the_true_map_every_task_gives_the_truth(task: str) -> None:
    for seed in range(4):
        scene = made(seed, sar=False, snow=seed == 2)
        answer = told(scene.scene, example(task), truth_reasoner(scene)).answer
        expected = TRUTHS[task](scene)
        if isinstance(expected, str):
            assert answer.text == expected
        else:
            assert answer.value == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("task", TWO_DATES)
def test_with_true_maps_every_task_of_two_dates_gives_the_truth(task: str) -> None:
    for seed in range(3):
        scene = pair(seed, sar=False)
        answer = told(scene.scene, example(task), truth_reasoner(scene)).answer
        expected = TWO_DATES[task](scene)
        assert answer.text == expected if isinstance(expected, str) else answer.value == pytest.approx(expected)


@pytest.mark.parametrize("a", LEAVES[:6])
def test_every_pair_of_classes_is_as_far_apart_as_it_is(a: str) -> None:
    scene = made(3, sar=False)
    reasoner = truth_reasoner(scene)
    for b in LEAVES[:6]:
        if a == b:
            continue
        far = told(scene.scene, f"How far is the {a} from the {b} in pixels?", reasoner).answer
        assert far.value == pytest.approx(apart(scene.truth(a), scene.truth(b)))
        near = told(scene.scene, f"Does the {a} touch the {b}?", reasoner).answer
        assert near.text == ("yes" if touch(scene.truth(a), scene.truth(b)) else "no")


def test_destroyed_buildings_are_counted_exactly() -> None:
    for seed in range(3):
        scene = synthetic_damage(np.random.default_rng(seed), destroyed=0.4)
        total, lost = parts(scene.truth("building")), parts(scene.truth("destroyed building", 1))
        trace = ts.ask(scene.scene, example("building change"), reasoner=truth_reasoner(scene))
        assert trace.answer.value == pytest.approx(100 * lost / total)
        assert f"there are {total} buildings" in trace.text and f"there are {lost} destroyed buildings" in trace.text
        assert all(c.verdict == "agrees" for c in trace.claims if c.where == "text")


@pytest.mark.parametrize(("sensor", "least"), [("auto", 0.75), ("optical", 0.75), ("sar", 0.4)])
def test_spectral_finds_water_near_the_truth(sensor: str, least: float) -> None:
    reasoner = ts.open_reasoner("spectral", sensor=sensor)
    for seed in range(3):
        scene = made(seed)
        found, truth = told(scene.scene, example("coverage"), reasoner).steps[0].mask.values, scene.truth("water")
        assert (found & truth).sum() / (found | truth).sum() > least  # a thin river is lost to speckle


def test_spectral_says_sane_things_of_every_task() -> None:
    for seed in range(2):
        for scene, tasks in ((made(seed), TRUTHS), (pair(seed), TWO_DATES)):
            for task in tasks:
                answer = told(scene.scene, example(task).replace("cropland", "bare land")).answer
                assert answer.finish == "stop", (task, answer)
                if answer.unit == "%":
                    assert 0 <= answer.value <= 100


# ---- many dates -----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def series() -> tuple[ts.Scene, list[Synthetic], ReferenceReasoner]:
    """Five dates of five landscapes on one grid, and a reasoner that knows them."""
    dates = [f"2023-0{k}-10" for k in (4, 5, 6, 7, 8)]
    all_five = [made(k, sar=False, time=d) for k, d in enumerate(dates)]
    scene = ts.Scene(tuple(s.scene.images[0] for s in all_five))
    return scene, all_five, ReferenceReasoner([s.maps[0] for s in all_five], all_five[0].legend)


@pytest.mark.parametrize("label", ["water", "tree cover", "vegetation"])
def test_on_which_of_five_dates(series: Any, label: str) -> None:
    scene, each, reasoner = series
    sizes = [s.truth(label).sum() for s in each]
    largest = told(scene, f"On which date was the {label} largest?", reasoner)
    smallest = told(scene, f"On which date was the {label} smallest?", reasoner)
    assert largest.answer.text == f"2023-0{4 + int(np.argmax(sizes))}-10"
    assert smallest.answer.text == f"2023-0{4 + int(np.argmin(sizes))}-10"
    assert len(largest.steps) == 5


@pytest.mark.parametrize(
    ("when", "first", "last"),
    [
        ("from 2023-05 to 2023-07", 1, 3),
        ("between the first and the second date", 0, 1),
        ("from the first to the last date", 0, 4),
    ],
)
def test_change_between_named_dates(series: Any, when: str, first: int, last: int) -> None:
    scene, each, reasoner = series
    answer = told(scene, f"How much water was lost {when}?", reasoner).answer
    assert answer.value == pytest.approx(100 * (each[first].truth("water") & ~each[last].truth("water")).mean())


def test_one_date_of_several_is_the_one_named(series: Any) -> None:
    scene, each, reasoner = series
    for words, k in (("on 2023-06-10", 2), ("in May 2023", 1), ("on the third date", 2), ("on the last date", 4)):
        trace = ts.ask(scene, f"What share of the scene was water {words}?", reasoner=reasoner)
        assert trace.answer.value == pytest.approx(100 * each[k].truth("water").mean())
        assert trace.steps[0].image == k
        assert trace.text.startswith(f"On 2023-0{4 + k}-10 water [SEG]")


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("What share of the scene was water in 2019?", "no image is of the year 2019; the scene has 2023-04-10"),
        ("How much water was lost from 2023-05-10 to 2023-05-10?", "only 2023-05-10 for both"),
    ],
)
def test_dates_that_are_not_there_are_not_guessed(series: Any, question: str, reason: str) -> None:
    scene, _, reasoner = series
    answer = told(scene, question, reasoner).answer
    assert answer.finish == "abstained"
    assert reason in answer.reason


def test_change_backwards_is_refused(series: Any) -> None:
    scene, _, reasoner = series
    plan = Plan("change", ("water",), change="loss", when=("2023-07", "2023-05"))
    with pytest.raises(InvalidInput, match="from 2023-07-10 to 2023-05-10, which is earlier"):
        list(solve(plan, scene, reasoner))


def test_change_needs_two_dates() -> None:
    answer = told(made(0).scene, example("change")).answer
    assert (answer.text, answer.finish) == ("cannot be told", "abstained")
    assert "two dates" in answer.reason


def test_equal_dates_are_said() -> None:
    scene = made(0, sar=False)
    later = replace(scene.scene.images[0], time=np.datetime64("2023-09-01"))
    both = ts.Scene((scene.scene.images[0], later))
    trace = told(both, "On which date was the water largest?", ReferenceReasoner(scene.maps[0], scene.legend))
    assert trace.answer.text == "2023-06-15"
    assert "equally large on 2023-09-01" in trace.text


# ---- choices --------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def known() -> tuple[Synthetic, ReferenceReasoner]:
    scene = made(1, sar=False)
    return scene, truth_reasoner(scene)


def test_numbers_with_other_units_are_compared(known: Any) -> None:
    scene, reasoner = known
    hectares = scene.truth("water").sum() / 100
    options = [f"{hectares * 3:.2f} ha", f"{hectares / 100:.4f} km²", f"{hectares * 500:.0f} m²"]
    answer = told(scene.scene, "How large is the water area?", reasoner, options).answer
    assert answer.choice == "B"


@pytest.mark.parametrize(
    ("question", "options", "pick"),
    [
        (
            "Which is larger, water or bare land?",
            ["Lakes", "Bare soil"],
            lambda s: "AB"[int(s.truth("bare land").sum() > s.truth("water").sum())],
        ),
        (
            "Which land-cover class is the largest?",
            {"a": "forest", "b": "meadows", "c": "water"},
            lambda s: "ABC"[int(np.argmax([s.truth(x).sum() for x in ("tree cover", "grassland", "water")]))],
        ),
        ("Is there snow?", ["yes", "no"], lambda s: "B"),
        (
            "Does the forest touch water? A. They touch B. They are apart",
            None,
            lambda s: "A" if touch(s.truth("forest"), s.truth("water")) else "B",
        ),
        (
            "Where is the water?",
            ["north-west", "north-east", "centre", "south", "north", "south-east", "south-west", "east", "west"],
            lambda s: "ABCDEFGHI"[
                "north-west north-east centre south north south-east south-west east west".split().index(
                    place(s.truth("water"))
                )
            ],
        ),
        ("How many lakes are there?", ["0", "99", "1000"], lambda s: "A" if parts(s.truth("water")) < 50 else "B"),
    ],
)
def test_the_option_that_fits_is_taken(known: Any, question: str, options: Any, pick: Any) -> None:
    scene, reasoner = known
    assert told(scene.scene, question, reasoner, options).answer.choice == pick(scene)


@pytest.mark.parametrize(("seed", "expected"), [(0, "B"), (1, "B")])
def test_a_trend_is_an_option(seed: int, expected: str) -> None:
    scene = pair(seed, sar=False)
    options = ["It increased", "It decreased", "No change"]
    trace = told(scene.scene, "How did the water change between the two dates?", truth_reasoner(scene), options)
    assert trace.answer.choice == expected
    assert trace.answer.text == "decreased"


def test_yes_or_no_on_a_trend() -> None:
    scene = pair(0, sar=False)
    reasoner = truth_reasoner(scene)
    assert told(scene.scene, "Has the water shrunk?", reasoner).answer.text == "yes"
    assert told(scene.scene, "Did the water grow between the two dates?", reasoner).answer.text == "no"


def test_a_tie_between_options_is_said(known: Any) -> None:
    scene, reasoner = known
    trace = told(scene.scene, "Is there snow?", reasoner, ["no", "yes", "none at all, no"])
    assert trace.answer.choice == "A"
    assert "Options A and C fit equally well; A is taken." in trace.text


def test_that_no_option_fits_is_said(known: Any) -> None:
    scene, reasoner = known
    trace = told(scene.scene, "Where is the water?", reasoner, ["on Mars", "on Venus"])
    assert trace.answer.choice is None
    assert "None of the options fits" in trace.text
    assert trace.answer.finish == "stop"


# ---- grids ----------------------------------------------------------------------------------------------------------
def without_crs(scene: ts.Scene) -> ts.Scene:
    grid = Grid(Affine(1, 0, 0, 0, -1, 64), (64, 64))
    images = tuple(
        replace(i, grid=grid, bands=i.bands.drop_vars(["x", "y", "spatial_ref"], errors="ignore")) for i in scene.images
    )
    return ts.Scene(images)


def test_without_a_crs_shares_are_told_and_metres_refused(known: Any) -> None:
    scene, reasoner = known
    bare = without_crs(scene.scene)
    trace = told(bare, "What share of the scene is water?", reasoner)
    assert trace.answer.value == pytest.approx(100 * scene.truth("water").mean())
    assert "ha" not in trace.text.split() and "m²" not in trace.text
    far = told(bare, "How far is the town from the water in pixels?", reasoner).answer
    assert far.value == pytest.approx(apart(scene.truth("built-up"), scene.truth("water")))
    many = told(bare, "What is the area of water in pixels?", reasoner).answer
    assert (many.value, many.unit) == (scene.truth("water").sum(), "px")
    for question in (
        "How far is the town from the water?",
        "What is the area of water?",
        "How large is the forest in km²?",
    ):
        with pytest.raises(NoCRS, match=r"no CRS.*crs=.*pixels"):
            ts.ask(bare, question, reasoner=reasoner)


def test_change_without_a_crs_is_told_in_percent() -> None:
    scene = pair(0, sar=False)
    bare = without_crs(scene.scene)
    answer = told(bare, "How much water was lost?", truth_reasoner(scene)).answer
    assert answer.value == pytest.approx(TWO_DATES["change"](scene))
    with pytest.raises(NoCRS, match="percent"):
        ts.ask(bare, "How many hectares of water were lost between the two dates?", reasoner=truth_reasoner(scene))


def test_two_grids_of_one_date_are_refused_by_name() -> None:
    scene = without_crs(made(0).scene)
    small = replace(scene.images[1].window(slice(0, 32), slice(0, 32)), time=scene.images[0].time)
    with pytest.raises(GridMismatch, match=r'two grids.*modalities="optical"'):
        ts.ask(ts.Scene((scene.images[0], small)), "Is there water?")


def test_a_stated_resolution_that_is_not_the_grids_is_said(known: Any) -> None:
    scene, reasoner = known
    other = told(scene.scene, "At 20 m resolution, what is the area of water?", reasoner)
    assert "The question states a pixel size of 20 m, but the image has a pixel size of 10 m" in other.text
    same = told(scene.scene, "At 10 m resolution, what is the area of water?", reasoner)
    assert "states" not in same.text
    assert other.answer.value == same.answer.value


def test_an_aoi_limits_every_figure(known: Any) -> None:
    scene, reasoner = known
    left, bottom, right, top = scene.scene.grid.bounds
    ring = [
        [left + 20, bottom + 20],
        [right - 100, bottom + 40],
        [(left + right) / 2, top - 30],
        [left + 20, bottom + 20],
    ]
    aoi = ts.AOI.from_geojson({"type": "Polygon", "coordinates": [ring]}, crs=32633)
    part = replace(scene.scene, aoi=aoi)
    inside = scene.scene.grid.mask(aoi)
    trace = told(part, "What share of the scene is water?", reasoner)
    assert 0.2 < inside.mean() < 0.8
    assert trace.answer.value == pytest.approx(100 * scene.truth("water")[inside].mean())
    assert "of the clear pixels inside the area" in trace.text


# ---- cloud and gaps -------------------------------------------------------------------------------------------------
def test_the_share_that_could_be_seen_is_said() -> None:
    scene = made(3, sar=False, cloud=0.4)
    clear = scene.scene.images[0].clear
    trace = told(scene.scene, "What share of the scene is water?", truth_reasoner(scene))
    assert trace.answer.value == pytest.approx(100 * scene.truth("water")[clear].mean())
    assert f"({100 * clear.mean():.1f} % of the scene could be measured)" in trace.text


def test_under_cloud_alone_nothing_is_told() -> None:
    scene = made(0, sar=False)
    hidden = with_cloud(scene.scene, np.ones((64, 64), bool))
    for reasoner in ("spectral", truth_reasoner(scene)):
        for task in TRUTHS:
            trace = told(hidden, example(task).replace("cropland", "bare land"), reasoner)
            assert trace.answer.finish == "abstained", task
            assert trace.answer.reason
            assert trace.steps == ()


def test_a_date_under_cloud_is_named_and_left_out(series: Any) -> None:
    scene, each, reasoner = series
    hidden = with_cloud(scene, np.ones((64, 64), bool), 2)
    trace = told(hidden, "On which date was the water largest?", reasoner)
    assert "On 2023-06-10 nothing could be seen." in trace.text
    sizes = {k: s.truth("water").sum() for k, s in enumerate(each) if k != 2}
    assert trace.answer.text == f"2023-0{4 + max(sizes, key=sizes.__getitem__)}-10"


def test_dates_are_compared_on_the_pixels_that_all_show(series: Any) -> None:
    scene, each, reasoner = series
    cloud = np.zeros((64, 64), bool)
    cloud[:, :40] = True
    trace = told(with_cloud(scene, cloud, 1), "On which date was the water smallest?", reasoner)
    sizes = [s.truth("water")[:, 40:].sum() for s in each]
    assert trace.answer.text == f"2023-0{4 + int(np.argmin(sizes))}-10"
    assert trace.text.count("(37.5 % of the scene could be measured)") == 5


def test_below_half_of_common_pixels_the_answer_says_so() -> None:
    scene = pair(0, sar=False)
    left, right = np.zeros((2, 64, 64), bool)
    left[:, :20], right[:, 44:] = True, True
    some = told(with_cloud(scene.scene, left, 0), example("change"), truth_reasoner(scene))
    assert "68.8 % of the scene could be seen on both dates" in some.text
    assert "both dates" not in some.answer.text
    few = told(with_cloud(with_cloud(scene.scene, left, 0), right, 1), example("change"), truth_reasoner(scene))
    assert "Only 37.5 % of the scene could be seen on both dates" in few.text
    assert "of the 37.5 % seen on both dates" in few.answer.text
    seen = ~left & ~right
    assert few.answer.value == pytest.approx(100 * (scene.truth("water", 0) & ~scene.truth("water", 1))[seen].mean())


def test_no_common_pixel_is_no_change() -> None:
    scene = pair(0, sar=False)
    left = np.zeros((64, 64), bool)
    left[:, :32] = True
    trace = told(with_cloud(with_cloud(scene.scene, left, 0), ~left, 1), example("change"), truth_reasoner(scene))
    assert trace.answer.finish == "abstained"
    assert "both dates" in trace.answer.reason


def test_specks_are_not_called_a_place(known: Any) -> None:
    scene, _ = known
    labels = np.full((64, 64), 30, np.uint8)
    labels[10, 10:13] = 80
    labels[30:40, 30:40] = 50
    reasoner = ReferenceReasoner(labels, scene.legend)
    assert told(scene.scene, "Is there water?", reasoner).answer.text == "no"
    for question in ("Where is the water?", "How far is the town from water?", "Does water touch the town?"):
        answer = told(scene.scene, question, reasoner).answer
        assert answer.finish == "abstained"
        assert "there is no water, only specks too small to count" in answer.reason


# ---- sentences ------------------------------------------------------------------------------------------------------
def test_sentences_read_as_english(known: Any) -> None:
    scene, _ = known
    labels = np.full((64, 64), 30, np.uint8)
    labels[:8, :8], labels[8:16, :8], labels[40:48, 40:48], labels[20:28, 30:38] = 70, 50, 101, 10
    reasoner = ReferenceReasoner(labels, scene.legend)

    def said(question: str) -> str:
        return told(scene.scene, question, reasoner).text.split(". ")[-1]

    assert said("Is there snow?") == "There is snow and ice."
    assert said("Is there water?") == "There is no water."
    assert said("Are there buildings?") == "There are buildings."
    assert said("How many buildings are there?") == "There is 1 building."
    assert said("How many forests are there?") == "There is 1 separate area of tree cover."
    assert said("Does the snow touch the town?") == "Snow and ice touch the built-up area."
    assert said("Does the forest touch the town?") == "Tree cover does not touch the built-up area."
    assert said("Is the town larger than the snow?") == "The built-up area and snow and ice are equally large."
    assert said("Where is the built-up area?") == "The built-up area lies in the north-west of the scene."
    assert said("How far is the town from the snow?") == "The built-up area touches snow and ice: the distance is 0 m."
    assert said("How far are the buildings from the forest?").startswith("Buildings lie ")
    none = replace(known[0], maps=(np.full((64, 64), 30, np.uint8),))
    assert told(scene.scene, "Is there snow?", truth_reasoner(none)).text.endswith(" There is no snow or ice.")
    assert told(scene.scene, "Are there buildings?", truth_reasoner(none)).text.endswith(" There are no buildings.")


def test_every_claim_of_every_pair_and_task_agrees_under_cloud() -> None:
    scene = made(5, cloud=0.35, snow=True)
    for reasoner in (ts.open_reasoner("spectral"), truth_reasoner(scene)):
        for a, b in permutations(("water", "tree cover", "built-up", "snow and ice"), 2):
            for form in (
                f"How far is the {a} from the {b}?",
                f"Is the {a} larger than the {b}?",
                f"Does the {a} touch the {b}?",
            ):
                told(scene.scene, form, reasoner)
        told(scene.scene, "Rank the classes by area.", reasoner)


# ---- the run itself -------------------------------------------------------------------------------------------------
def test_events_come_in_pieces_and_the_generator_closes(known: Any) -> None:
    scene, reasoner = known
    events: list[Event] = []
    run = reasoner.stream(scene.scene, "Does the forest touch water?")
    for event in run:
        events.append(event)
        if isinstance(event, Mask):
            run.close()
            break
    assert [type(e) for e in events] == [Progress, Text, Mask]
    assert list(run) == []
    trace = ts.Trace.from_events(events, scene.scene, "Does the forest touch water?")
    assert trace.answer.finish == "cancelled"
    assert trace.steps[0].label == "tree cover"


def test_figures_are_marked_as_measured(known: Any) -> None:
    scene, reasoner = known
    for event in ts.stream(scene.scene, "Rank the classes by area.", reasoner=reasoner):
        if isinstance(event, Text) and any(c.isdigit() for c in event.text):
            assert event.source == "measured"


def test_a_source_is_asked_for_each_mask_once(known: Any) -> None:
    scene, _ = known
    asked: list[str] = []

    class Source:
        def labels(self, scene: ts.Scene, moment: Any) -> tuple[str, ...]:
            return LEAVES

        def find(self, scene: ts.Scene, moment: Any, label: str) -> Finding:
            asked.append(label)
            return Finding(known[0].truth(label))

    list(solve(understand("Rank the classes by area."), scene.scene, Source()))
    assert sorted(asked) == sorted(LEAVES)


def test_a_task_without_a_rule_is_refused(known: Any) -> None:
    with pytest.raises(InvalidInput, match="unknown task 'arae'; did you mean 'area'"):
        list(solve(Plan("arae", ("water",)), known[0].scene, known[1]))


def test_an_abstention_ends_the_run_with_its_reason(known: Any) -> None:
    events = list(ts.stream(known[0].scene, "What share of the scene is wetland?", reasoner=known[1]))
    assert isinstance(events[-1], Answer)
    assert events[-1].finish == "abstained"
    assert events[-2] == Text(f"Wetland cannot be told: {events[-1].reason.removeprefix('wetland: ')}.")


# ---- a pixel size that only the question knows ----------------------------------------------------------------------
def bare_scene(dates: int = 1) -> tuple[ts.Scene, list[np.ndarray]]:
    """Grassland, with water and wood in two corners; the water of a second date has shrunk."""
    maps = [np.zeros((40, 50), np.uint8) for _ in range(dates)]
    for k, numbers in enumerate(maps):
        numbers[: 10 - 5 * k, :10], numbers[30:, 20:] = 1, 2
    times = ["2023-06-15", "2023-09-13"][:dates]
    bands = np.full((dates, 3, 40, 50), 100, np.uint8)
    return ts.Scene.from_arrays(bands, bands=["red", "green", "blue"], times=times, units="rgb8"), maps


BARE_LEGEND = {0: "grassland", 1: "water", 2: "tree cover"}
FAR = float(np.hypot(30 - 9, 20 - 9))


@pytest.mark.parametrize(
    ("question", "value", "unit"),
    [
        ("What is the area of water at 10 m resolution?", 1.0, "ha"),
        ("What is the area of water in m², given that each pixel is 0.5 m x 0.5 m?", 25.0, "m²"),
        ("What is the area of water in pixels? The resolution is 10 m.", 100.0, "px"),
        ("How far is the water from the forest, at a spatial resolution of 10 m?", 10 * FAR, "m"),
        ("How far is the water from the forest in pixels, at a spatial resolution of 10 m?", FAR, "px"),
        ("How far is the water from the grass (pixel size 30 m)?", 0.0, "m"),
        ("What share of the scene is water at 10 m resolution?", 5.0, "%"),
    ],
)
def test_without_a_crs_a_stated_pixel_size_gives_metres(question: str, value: float, unit: str) -> None:
    scene, maps = bare_scene()
    trace = told(scene, question, ReferenceReasoner(maps, BARE_LEGEND))
    assert (trace.answer.value, trace.answer.unit) == (pytest.approx(value), unit)
    assert "taken from the question" in trace.text and trace.claims
    assert scene.grid.pixel_size is None and all(s.mask.rio.crs is None for s in trace.steps)


def test_without_a_crs_a_stated_pixel_size_gives_changes_and_options() -> None:
    scene, maps = bare_scene(2)
    reasoner = ReferenceReasoner(maps, BARE_LEGEND)
    trace = told(scene, "How many hectares of water were lost between the two dates, at 10 m resolution?", reasoner)
    assert (trace.answer.value, trace.answer.unit) == (pytest.approx(0.5), "ha")
    question = "What is the area of forest in the last image, at 10 m resolution? A. 1.2 ha B. 3 ha C. 5 ha D. 8 ha"
    assert told(scene, question, reasoner).answer.choice == "B"


def test_a_wrong_area_disagrees_where_the_question_states_the_pixel_size() -> None:
    scene, maps = bare_scene()
    water = maps[0] == 1

    def claims(question: str) -> dict[str, str]:
        events = [Text("Water [SEG]"), Mask(water, None, "water"), Text(" covers 2 ha."), Answer("2 ha")]
        return {c.text: c.verdict for c in ts.Trace.from_events(events, scene, question).claims}

    assert set(claims("What is the area of water?").values()) == {"not checkable"}
    assert set(claims("What is the area of water at 10 m resolution?").values()) == {"disagrees"}
    assert set(claims("Whatever this may ask of water, at 10 m resolution?").values()) == {"disagrees"}
    root2 = "What is the area of water, given that each pixel is 14.14 m x 14.14 m?"
    assert set(claims(root2).values()) == {"agrees"}


def test_with_a_crs_the_grids_own_pixel_size_counts() -> None:
    numbers = bare_scene()[1][0]
    scene = ts.Scene.from_arrays(
        np.full((3, 40, 50), 0.1, np.float32), bands=["red", "green", "blue"], crs=32633,
        transform=Affine(10, 0, 5e5, 0, -10, 5.1e6), units="reflectance",
    )  # fmt: skip
    trace = told(scene, "What is the area of water at 30 m resolution?", ReferenceReasoner(numbers, BARE_LEGEND))
    assert trace.answer.value == pytest.approx(1.0) and "pixel size of 10 m, which counts here" in trace.text


def test_a_grid_says_when_its_pixel_size_is_only_stated() -> None:
    bare = Grid(Affine.identity(), (4, 6))
    known = Grid(Affine(10, 0, 5e5, 0, -10, 5e6), (4, 6), 32633)
    stated = bare.stated(10)
    assert stated != bare and stated == Grid(Affine.identity(), (4, 6), None, 10) and bare.stated(None) is bare
    assert known.stated(30) is known and stated.window(slice(0, 2), slice(0, 2)).pixel_size == 10
    assert stated.spacing() == (10, 10) and stated.pixel_area().tolist() == [[100.0]] and "as stated" in repr(stated)
    assert pickle.loads(pickle.dumps(stated)) == stated
    with pytest.raises(NoCRS):
        stated.lonlat(0, 0)
    with pytest.raises(InvalidInput, match="knows its own"):
        Grid(known.transform, known.shape, known.crs, 10)
    for wrong in (0, -3, float("nan"), float("inf"), "10"):
        with pytest.raises(InvalidInput, match="above 0"):
            bare.stated(wrong)
