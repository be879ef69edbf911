"""Questions with measured answers: understood, answered by the truth with their own letter, wrong options apart."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats
from shapely.geometry import Polygon

from terrascope_nb.errors import InvalidInput
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.answers import Choices, choose_number
from terrascope_nb.reason.measure import LOCATIONS
from terrascope_nb.reason.question import understand
from terrascope_nb.reason.quiz import (
    BENCHMARK,
    EXTRAS,
    TASKS,
    Dropped,
    Item,
    Quiz,
    balanced,
    candidates,
    make_item,
    make_items,
    reference_of,
    regions_of,
)
from terrascope_nb.reason.quiz.distractors import APART, figures, places
from terrascope_nb.reason.quiz.tasks import sentence
from terrascope_nb.reason.reasoner import ask
from terrascope_nb.reason.units import convert, parse, pretty
from terrascope_nb.scene.classes import labels
from terrascope_nb.scene.labelled import OTHER, Labelled
from terrascope_nb.scene.scene import Scene
from terrascope_nb.scene.synthetic import Synthetic, synthetic_damage, synthetic_pair, synthetic_scene

EVERY = tuple(TASKS)
GRID = Grid(Affine(10, 0, 500_000, 0, -10, 5_100_000), (30, 40), 32633)


def labelled(made: Synthetic, **more) -> Labelled:
    return Labelled(made.scene, made.maps, made.legend, "made", "nowhere", **more)


def on_grid(made: Synthetic, grid_of: Callable[[Grid], Grid]) -> Synthetic:
    """The same pixels on another grid."""
    images = []
    for image in made.scene.images:
        bands = image.bands.drop_vars(list(image.bands.coords))
        images.append(replace(image, bands=bands, grid=grid_of(image.grid)))
    return replace(made, scene=replace(made.scene, images=tuple(images), aoi=None))


def drawn(maps, legend, grid: Grid = GRID, days=("2023-06-15", "2023-09-13"), **more) -> Labelled:
    """A scene of one grey band a date, and its maps."""
    maps = tuple(np.asarray(m) for m in maps)
    grid = Grid(grid.transform, maps[0].shape, grid.crs)
    where = {} if grid.crs is None else {"crs": grid.crs, "transform": grid.transform}
    bands = np.full((len(maps), 1, *maps[0].shape), 0.1, np.float32)
    scene = Scene.from_arrays(bands, bands=["red"], times=list(days[: len(maps)]), units="reflectance", **where)
    return Labelled(scene, maps, legend, "drawn", "nowhere", **more)


# ---- phrasings ------------------------------------------------------------------------------------------------------
def phrasings() -> Iterator[tuple[str, str, str, int, str]]:
    for task, rule in TASKS.items():
        for kind, unit in rule.more or (("", ""),):
            for k, phrase in enumerate(rule.phrasings(kind, unit)):
                yield task, kind, unit, k, phrase


WHEN = ("on 2023-06-15", "in the image of 2023-06-15", "in the first image", "in the second image", "in the last image")
DATES = (
    ("2023-06-15", "2023-09-13"),
    ("the image of 2023-06-15", "the image of 2023-09-13"),
    ("the first image", "the last image"),
)


def named_by(task: str) -> list[tuple[str, ...]]:
    if task == "building_change":
        return [("destroyed building", "building")]
    return list(permutations(labels(), TASKS[task].labels))


def check_understood(task: str, kind: str, question: str, named, when: str, resolution: float | None) -> None:
    plan, rule = understand(question), TASKS[task]
    assert (plan.task, plan.labels, plan.change) == (rule.plan, tuple(named), kind), question
    assert plan.resolution == resolution, question
    assert bool(plan.when) == (rule.dates == 2 or bool(when)), question
    assert plan.yes_no == (rule.answer == "yes or no"), question


@pytest.mark.parametrize("task", EVERY)
def test_every_phrasing_is_understood_with_every_class(task: str) -> None:
    for t, kind, _, k, phrase in phrasings():
        for named in named_by(t) if t == task else ():
            question = sentence(phrase, k, named, "", DATES[k % len(DATES)], None)
            check_understood(task, kind, question, named, "", None)


@settings(max_examples=150)
@given(
    st.sampled_from(list(phrasings())),
    st.sampled_from(WHEN),
    st.sampled_from(DATES),
    st.sampled_from([None, 0.3, 0.5, 1, 2.5, 10, 28.5, 30, 120, 1000]),
    st.data(),
)
def test_phrasings_with_dates_and_pixel_sizes_are_understood(phrase, when, dates, size, data) -> None:
    task, kind, _, k, words = phrase
    named = data.draw(st.sampled_from(named_by(task)))
    said = size if "{r}" in words else None
    when = when if TASKS[task].dates == 1 else ""
    check_understood(task, kind, sentence(words, k, named, when, dates, said), named, when, said)


def test_tasks_are_the_papers_six_and_ours() -> None:
    from terrascope_nb.bench.task import TASKS as THEIRS

    assert tuple(THEIRS) == BENCHMARK
    assert all(THEIRS[k].options == TASKS[k].options for k in BENCHMARK)
    assert EXTRAS == ("existence", "counting", "localisation", "change")
    assert all(len(TASKS[t].phrasings(*v)) >= 3 for t in EVERY for v in (TASKS[t].more or [("", "")]))


# ---- wrong options --------------------------------------------------------------------------------------------------
@given(
    st.sampled_from([("%", 100.0), ("m²", np.inf), ("m", np.inf), ("", np.inf)]),
    st.floats(0.5, 1e7),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_wrong_options_are_apart_and_the_nearest_is_the_truth(kind, value, seed, signed) -> None:
    base, highest = kind
    value = value % 99.5 + 0.5 if base == "%" else float(round(value % 40)) + 1 if base == "" else value
    signed = signed and base != ""
    made = figures(value, base, np.random.default_rng(seed), highest=highest, signed=signed)
    assume(made is not None)
    assert len(set(made.texts)) == 4
    shown, unit = parse(made.texts[made.right])
    exact = convert(value, base, made.unit)
    assert abs(shown - exact) <= 0.5 * 10.0 ** -len(made.texts[made.right].split()[0].partition(".")[2]) + 1e-9
    assert unit == made.unit and made.texts[made.right] == pretty(value, base, made.unit or None)
    numbers = [parse(t)[0] for t in made.texts]
    assert numbers == pytest.approx(made.values)
    gaps = [abs(a - b) for k, a in enumerate(numbers) for b in numbers[k + 1 :]]
    assert min(gaps) >= APART * shown * (1 - 1e-9)
    assert max(map(abs, numbers)) <= convert(highest, base, made.unit) * 1.01
    assert sum(n < 0 for n in numbers) == (2 if signed else 0)
    assert choose_number(Choices.of(list(made.texts)), value, base) == "ABCD"[made.right]


def test_small_shares_are_at_least_their_written_digits_apart() -> None:
    for seed in range(200):
        made = figures(0.6, "%", np.random.default_rng(seed), highest=100)
        values = sorted(made.values)
        assert min(b - a for a, b in zip(values, values[1:], strict=False)) >= 0.1 - 1e-9


def test_there_may_be_no_room() -> None:
    rng = np.random.default_rng(0)
    assert figures(50.0, "%", rng, highest=52.0, options=20) is None
    assert figures(0.0, "%", rng) is None
    assert all(figures(99.0, "%", rng, highest=100.0).values[k] <= 100 for k in range(4))


def test_the_truth_takes_every_place_and_every_rank() -> None:
    rng = np.random.default_rng(2024)
    made = [figures(40.0, "m", rng) for _ in range(2000)]
    place = Counter(m.right for m in made)
    rank = Counter(sum(v < m.values[m.right] for v in m.values) for m in made)
    for counts in (place, rank):
        assert stats.chisquare([counts[k] for k in range(4)]).pvalue > 0.001
    where = Counter(places("north", rng)[1] for _ in range(2000))
    assert stats.chisquare([where[k] for k in range(4)]).pvalue > 0.001
    others = Counter(t for _ in range(800) for t in places("centre", rng)[0] if t != "Centre")
    assert len(others) == len(LOCATIONS) - 1
    assert stats.chisquare(list(others.values())).pvalue > 0.001


def test_a_count_keeps_away_from_what_specks_would_make_of_it() -> None:
    for seed in range(100):
        made = figures(6, "", np.random.default_rng(seed), gap=5)
        assert all(abs(v - 6) >= 5 for k, v in enumerate(made.values) if k != made.right)
        assert all(v == int(v) and v >= 1 for v in made.values)


# ---- the proof ------------------------------------------------------------------------------------------------------
def prove(case: Labelled, seed: int = 0, tasks=EVERY) -> Counter:
    """Every question is answered by the truth with its own letter, on its own masks, in words that agree with them."""
    made = make_items(case, tasks, np.random.default_rng(seed))
    reference = reference_of(case)
    for item in made.items:
        trace = ask(case.scene, item.question, choices=item.choices, reasoner=reference)
        told = f"{item.question} {item.choices.items()} → {item.answer}, not {trace.answer}"
        assert trace.answer.choice == item.answer, told
        assert [s.label for s in trace.steps] == [r.label for r in item.regions], told
        for step, region in zip(trace.steps, item.regions, strict=True):
            assert np.array_equal(step.mask.values, region.mask) and step.image == region.image, told
            assert step.measured.pixels == region.count, told
        assert not [c for c in trace.claims if c.verdict == "disagrees"], told
    return Counter(i.task for i in made.items)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("make", "more", "asked"),
    [
        (synthetic_scene, {"size": 80}, {"comparative_ranking", "counting", "coverage_percentage", "existence"}),
        (synthetic_scene, {"size": 80, "cloud": 0.6}, {"coverage_percentage", "absolute_area", "existence"}),
        (synthetic_pair, {"size": 80}, {*EVERY} - {"building_change", "distance_measurement", "boundary_relationship"}),
        (synthetic_damage, {"size": 112, "destroyed": 0.4}, {"building_change", "coverage_percentage"}),
    ],
)
def test_the_truth_answers_every_question_of_a_made_scene(make, more, asked, seed) -> None:
    found = prove(labelled(make(np.random.default_rng([seed, 7]), **more)), seed)
    assert asked <= set(found), found


def test_the_truth_answers_every_question_about_boundaries_and_distances() -> None:
    total = Counter()
    for seed in range(8):
        made = labelled(synthetic_scene(np.random.default_rng([seed, 3]), size=128))
        total += prove(made, seed, ("distance_measurement", "boundary_relationship"))
    assert total["boundary_relationship"] >= 6, total
    far = np.ones((60, 60), np.uint8)
    far[2:12, 2:12], far[40:55, 30:50] = 2, 3
    case = drawn([far], LEGEND)
    assert prove(case, 0, ("distance_measurement",)) == {"distance_measurement": 1}
    assert make_item(case, "distance_measurement", ["water", "tree cover"], np.random.default_rng(0)).value == (
        pytest.approx(10 * np.hypot(40 - 11, 30 - 11))
    )


def test_a_speck_on_the_way_drops_the_question_rather_than_its_truth() -> None:
    far = np.ones((60, 60), np.uint8)
    far[2:12, 2:12], far[40:55, 30:50] = 2, 3
    far[36:38, 28:30] = 2  # 4 pixels, near the wood: opening takes them away, the ground does not
    case = drawn([far], LEGEND)
    assert reason_of(case, "distance_measurement", "water", "tree cover") == "the ground rule picks another option"


@pytest.mark.parametrize(
    "grid_of",
    [
        lambda g: Grid(Affine(1e-4, 0, 14, 0, -1e-4, 46), g.shape, 4326),
        lambda g: Grid(Affine(10, 0, 1.5e6, 0, -10, 6e6), g.shape, 3857),
        lambda g: Grid(Affine(7, 7, 5e5, 7, -7, 5e6), g.shape, 32633),
        lambda g: Grid(Affine(30, 0, 2e6, 0, -30, 7e5), g.shape, 2264),
        lambda g: Grid(Affine(10, 0, 5e5, 0, -20, 5e6), g.shape, 32633),
    ],
    ids=["degrees", "web mercator", "turned", "feet", "oblong"],
)
def test_the_truth_answers_on_other_grids(grid_of) -> None:
    made = on_grid(synthetic_scene(np.random.default_rng(11), size=80), grid_of)
    found = prove(labelled(made))
    assert {"coverage_percentage", "absolute_area", "comparative_ranking"} <= set(found)


def test_the_truth_answers_inside_an_aoi_and_where_the_map_has_holes() -> None:
    made = synthetic_pair(np.random.default_rng(5), size=72)
    grid = made.scene.grid
    x, y = grid.corners()
    aoi = AOI(Polygon([(x[0], y[0]), (x[1], y[1]), (x[2], y[2])]), grid.crs)
    maps = tuple(m.copy() for m in made.maps)
    maps[0][:24], maps[1][:, :16] = 0, 5
    case = Labelled(
        replace(made.scene, aoi=aoi), maps, made.legend, "holes", "nowhere", nodata=0, unmapped={5: 72 * 16}
    )
    assert sum(prove(case).values()) > 30


@pytest.mark.parametrize("resolution", [10.0, 0.5])
def test_without_a_crs_the_question_states_the_pixel_size(resolution: float) -> None:
    made = on_grid(synthetic_pair(np.random.default_rng(8), size=72), lambda g: Grid(Affine.identity(), g.shape, None))
    case = labelled(made, resolution=resolution)
    found = prove(case)
    assert {"absolute_area", "change"} <= set(found)
    rng = np.random.default_rng(0)
    item = make_item(case, "absolute_area", ["water"], rng)
    assert item.resolution == resolution and f"{resolution:g} m" in item.question
    assert convert(item.value, item.unit, "m²") == pytest.approx(item.regions[0].count * resolution**2)


def test_without_a_crs_and_a_pixel_size_no_metres_are_asked() -> None:
    made = on_grid(synthetic_scene(np.random.default_rng(8), size=64), lambda g: Grid(Affine.identity(), g.shape, None))
    found = candidates(labelled(made), "absolute_area")
    assert not len(found) and set(found.reasons) == {"no pixel size"}
    found = candidates(labelled(made, resolution=1.23456), "distance_measurement")
    assert not len(found) and set(found.reasons) == {"its pixel size cannot be stated"}


def test_the_truth_answers_on_undated_images_and_images_of_one_day() -> None:
    made = synthetic_pair(np.random.default_rng(4), size=80, sar=False)
    undated = replace(made.scene, images=tuple(replace(i, time=None) for i in made.scene.images))
    day = np.datetime64("2023-06-15T10:00:00")
    hours = replace(made.scene, images=tuple(replace(i, time=day + k * 3600) for k, i in enumerate(made.scene.images)))
    for scene in (undated, hours):
        quiz = Quiz(labelled(replace(made, scene=scene)))
        assert quiz.when(0) == "in the first image" and quiz.when(1) == "in the last image"
        assert prove(quiz.labelled, 0, ("coverage_percentage", "change"))["change"]


def test_the_truth_answers_on_the_slovenian_patch(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("eolearn-slovenia-ts")
    scenes, numbers = np.load(folder / "REFERENCE_SCENES.npy"), np.load(folder / "LULC.npy")[..., 0]
    corners = np.array(json.loads((folder / "bbox.geojson").read_text())["coordinates"][0])
    (west, south), (east, north) = corners.min(0), corners.max(0)
    rows, cols = numbers.shape
    place = Affine((east - west) / cols, 0, west, 0, -(north - south) / rows, north)
    scene = Scene.from_arrays(
        np.moveaxis(scenes[4][..., 1:4], -1, 0), bands=["blue", "green", "red"], times=["2015-07-11"], crs=32633,
        transform=place, units="reflectance",
    )  # fmt: skip
    legend = {1: "cropland", 2: "tree cover", 3: "grassland", 4: "shrubland", 8: "built-up"}
    case = Labelled(scene, (numbers,), legend, "slovenia", "slovenia", nodata=0)
    found = prove(case)
    assert found["coverage_percentage"] >= 2 and found["absolute_area"] == 5


def test_the_truth_answers_on_north_carolina(shared_data: Callable[[str], Path]) -> None:
    import rasterio

    with rasterio.open(shared_data("nc-landsat7-landclass") / "landclass96.tif") as file:
        numbers, crs, transform = file.read(1)[100:196, 200:296], file.crs, file.transform
    scene = Scene.from_arrays(
        np.zeros((1, 96, 96), np.float32), bands=["red"], crs=crs.to_wkt(), transform=transform, units="dn"
    )
    legend = {
        1: "built-up", 2: "cropland", 3: "grassland", 4: "shrubland", 5: "tree cover", 6: "water", 7: "bare land",
    }  # fmt: skip
    case = Labelled(scene, (numbers,), legend, "carolina", "wake", nodata=255)
    found = prove(case)
    assert sum(found.values()) > 15
    assert Quiz(case).stated == 28.5


# ---- the truth, by other means --------------------------------------------------------------------------------------
def test_the_answers_are_what_plain_array_operations_give() -> None:
    seen = Counter()
    for seed in range(8):
        made = synthetic_scene(np.random.default_rng([seed, 1]), size=112, resolution=20.0)
        for item in make_items(labelled(made), EVERY, np.random.default_rng(seed)).items:
            expected = by_hand(item, {x: made.truth(x) for x in item.labels})
            assert item.value == (pytest.approx(expected) if isinstance(expected, float) else expected), item.question
            seen[item.task] += 1
    assert set(seen) == set(EVERY) - {"building_change", "change"}, seen


def by_hand(item: Item, truth: dict[str, np.ndarray]) -> float | bool | str:
    square = np.ones((3, 3), bool)
    a, b = truth[item.labels[0]], truth[item.labels[-1]]
    sizes = np.bincount(ndimage.label(a, square)[0].ravel())[1:]
    if item.task == "coverage_percentage":
        return float(100 * a.mean())
    if item.task == "absolute_area":
        return convert(a.sum() * 400.0, "m²", item.unit)
    if item.task == "comparative_ranking":
        return max(truth, key=lambda x: truth[x].sum())
    if item.task == "boundary_relationship":
        return bool((ndimage.binary_dilation(a, square) & b).any())
    if item.task == "distance_measurement":
        one, other = (ndimage.binary_opening(x, square) for x in (a, b))
        return convert(20.0 * ndimage.distance_transform_edt(~one)[other].min(), "m", item.unit)
    if item.task == "existence":
        return bool((sizes >= 4).any())
    return int((sizes >= 4).sum()) if item.task == "counting" else nine(a)


def nine(mask: np.ndarray) -> str:
    row, col = (np.argwhere(mask).mean(axis=0) + 0.5) * 3 / mask.shape[0]
    name = f"{('north', '', 'south')[int(row)]}-{('west', '', 'east')[int(col)]}".strip("-")
    return name or "centre"


def test_changes_are_what_plain_array_operations_give() -> None:
    made = synthetic_pair(np.random.default_rng(2), size=96)
    kinds = set()
    for item in make_items(labelled(made), ["change"], np.random.default_rng(0)).items:
        before, after = (made.truth(item.labels[0], d) for d in item.dates)
        pixels = {
            "gain": (after & ~before).sum(), "loss": (before & ~after).sum(), "net": int(after.sum()) - before.sum(),
        }[item.fact.kind]  # fmt: skip
        expected = 100 * pixels / before.size if item.unit == "%" else pixels * 0.01
        assert item.unit == ("ha" if item.fact.unit == "m²" else "%")
        assert item.value == pytest.approx(expected)
        kinds.add((item.fact.kind, item.unit))
    assert kinds == {(k, u) for k in ("gain", "loss", "net") for u in ("%", "ha")}


# ---- what is not asked ----------------------------------------------------------------------------------------------
LEGEND = {1: "grassland", 2: "water", 3: "tree cover", 4: "building", 5: "destroyed building", 6: "built-up"}


def blank(*parts: tuple[int, slice, slice]) -> np.ndarray:
    out = np.ones((30, 40), np.uint8)
    for number, rows, cols in parts:
        out[rows, cols] = number
    return out


def reason_of(case: Labelled, task: str, *named: str, **more) -> str:
    made = make_item(case, task, named, np.random.default_rng(0), **more)
    assert isinstance(made, Dropped), made.question
    assert made.task == task and made.note
    return made.reason


def test_the_benchmarks_filters_hold_and_say_why() -> None:
    lake = blank((2, slice(0, 4), slice(0, 10)), (3, slice(4, 20), slice(30, 40)), (6, slice(25, 30), slice(0, 40)))
    case = drawn([lake], LEGEND)
    assert reason_of(case, "coverage_percentage", "water") == "below 5 %"
    assert reason_of(case, "comparative_ranking", "water", "tree cover") == "below 5 %"
    assert reason_of(case, "distance_measurement", "grassland", "water") == "they touch"
    near = blank((2, slice(0, 8), slice(0, 10)), (3, slice(0, 8), slice(19, 29)))
    case = drawn([near], LEGEND)
    assert reason_of(case, "comparative_ranking", "water", "tree cover") == "differ by 10 % or less"
    assert reason_of(case, "distance_measurement", "water", "tree cover") == "10 pixels apart or less"
    thin = blank((2, slice(0, 1), slice(0, 40)), (3, slice(20, 30), slice(0, 40)))
    case = drawn([thin], LEGEND)
    assert reason_of(case, "distance_measurement", "water", "tree cover") == "nothing left after opening"
    strip = drawn([blank((2, slice(0, 1), slice(0, 35)))], LEGEND)
    assert reason_of(strip, "boundary_relationship", "water", "grassland") == "below 3 %"
    dots = np.ones((30, 40), np.uint8)
    dots[::5, ::5] = dots[1::5, ::5] = 2
    assert reason_of(drawn([dots], LEGEND), "boundary_relationship", "water", "grassland") == "more than 5 parts"
    assert reason_of(drawn([dots], LEGEND), "existence", "water") == "only specks"
    assert reason_of(drawn([dots], LEGEND), "counting", "water") == "only specks"


def test_the_further_tasks_filters_hold_and_say_why() -> None:
    many = np.ones((30, 40), np.uint8)
    for row in range(0, 30, 5):
        for col in range(0, 40, 5):
            many[row : row + 2, col : col + 2] = 2
    assert reason_of(drawn([many], LEGEND), "counting", "water") == "more than 20 parts"
    specks = blank((2, slice(0, 4), slice(0, 4)))
    specks[20, ::5] = 2
    assert reason_of(drawn([specks], LEGEND), "counting", "water") == "more specks than parts"
    ends = blank((2, slice(10, 18), slice(0, 10)), (2, slice(10, 18), slice(30, 40)))
    assert reason_of(drawn([ends], LEGEND), "localisation", "water") == "spread over the scene"
    edge = blank((2, slice(9, 11), slice(0, 10)))
    assert reason_of(drawn([edge], LEGEND), "localisation", "water") == "its middle is near a border"
    town = drawn([blank((6, slice(0, 10), slice(0, 40)))], LEGEND)
    assert reason_of(town, "existence", "building") == "not there, but another class may hold it"
    assert make_item(town, "existence", ["water"], np.random.default_rng(0)).value is False
    holes = blank()
    holes[:10] = 0
    assert reason_of(drawn([holes], LEGEND, nodata=0), "existence", "water") == "not there, but not all is seen"


def test_changes_that_are_not_asked_say_why() -> None:
    before = blank((2, slice(0, 10), slice(0, 20)))
    after = blank((2, slice(0, 10), slice(0, 20)))
    after[0, 0] = 1
    case = drawn([before, after], LEGEND)
    assert reason_of(case, "change", "water") == "changed by less than 0.5 %"
    once = replace(case, maps=(before,))
    assert reason_of(once, "change", "water") == "one label map for every date"
    before[:20] = 0
    assert reason_of(drawn([before, after], LEGEND, nodata=0), "change", "water") == "too little seen on both dates"
    with pytest.raises(InvalidInput, match="gain, loss or net"):
        make_item(case, "change", ["water"], np.random.default_rng(0), kind="more")


def town(destroyed: int) -> tuple[np.ndarray, np.ndarray]:
    before = np.ones((40, 50), np.uint8)
    after = before.copy()
    for k in range(12):
        where = slice(2 + 12 * (k // 4), 8 + 12 * (k // 4)), slice(2 + 12 * (k % 4), 8 + 12 * (k % 4))
        before[where], after[where] = 4, 5 if k < destroyed else 4
    return before, after


def test_buildings_are_counted_as_parts_or_as_given() -> None:
    rng = np.random.default_rng(0)
    case = drawn(town(6), LEGEND)
    item = make_item(case, "building_change", ["building", "destroyed building"], rng)
    assert item.value == 50 and item.fact.values == (6, 12) and prove(case)["building_change"] == 1
    assert [r.label for r in item.regions] == ["building", "destroyed building"]
    known = make_item(replace(case, counts={1: (25, 50)}), "building_change", ["building", "destroyed building"], rng)
    assert known.value == 50 and known.fact.values == (25, 50)
    other = replace(case, counts={1: (5, 50)})  # the masks say 50 %, the polygons 10 %
    assert reason_of(other, "building_change", "building", "destroyed building") == (
        "the ground rule picks another option"
    )
    few = "fewer than 10 buildings or 3 destroyed"
    assert reason_of(drawn(town(2), LEGEND), "building_change", "building", "destroyed building") == few
    early = drawn(town(6)[::-1], LEGEND)
    assert reason_of(early, "building_change", "building", "destroyed building") == "destroyed before the first date"
    assert reason_of(case, "coverage_percentage", "building") == "ruins among the buildings"
    assert reason_of(case, "change", "destroyed building") == "asked as building change"


def test_classes_that_no_question_can_name_are_dropped_by_name() -> None:
    legend = {1: "grassland", 2: "solar farm", 3: OTHER, 4: "cloud"}
    case = drawn([blank((2, slice(0, 9), slice(0, 9)), (3, slice(9, 12), slice(0, 9)))], legend)
    found = candidates(case, "coverage_percentage")
    assert [c.labels for c in found] == [("grassland",)]
    assert [d.labels for d in found.dropped] == [("cloud",), ("solar farm",)]
    assert found.reasons == {"no class that can be asked about": 2}
    assert set(regions_of(case)) == {"grassland"}


# ---- drawing --------------------------------------------------------------------------------------------------------
def test_the_same_seed_makes_the_same_questions() -> None:
    case = labelled(synthetic_pair(np.random.default_rng(1), size=80))

    def told(seed: int) -> list[tuple]:
        items = make_items(case, EVERY, np.random.default_rng(seed), per_task=3).items
        return [(i.question, i.choices, i.answer, i.labels, i.dates) for i in items]

    assert told(3) == told(3)
    assert told(3) != told(4)
    turned = replace(case, legend=dict(reversed(case.legend.items())))
    a, b = (make_items(x, EVERY, np.random.default_rng(5)).items for x in (case, turned))
    assert [i.question for i in a] == [i.question for i in b]


def test_letters_and_orders_are_even() -> None:
    quiz = Quiz(labelled(synthetic_scene(np.random.default_rng(6), size=96)))
    rng = np.random.default_rng(99)
    pair = candidates(quiz, "comparative_ranking").kept[0].labels
    letters = {"comparative_ranking": Counter(), "coverage_percentage": Counter(), "existence": Counter()}
    first = Counter()
    for _ in range(1200):
        item = make_item(quiz, "comparative_ranking", pair, rng)
        first[item.labels[0]] += 1
        letters[item.task][item.answer] += 1
        for task in ("coverage_percentage", "existence"):
            letters[task][make_item(quiz, task, ["grassland"], rng).answer] += 1
    for task, counts in letters.items():
        assert len(counts) == TASKS[task].options
        assert stats.chisquare(list(counts.values())).pvalue > 0.001, (task, counts)
    assert stats.chisquare(list(first.values())).pvalue > 0.001


def test_yes_and_no_are_drawn_in_equal_number() -> None:
    case = labelled(synthetic_scene(np.random.default_rng(6), size=96))
    found = candidates(case, "existence")
    said = Counter(c.fact.value for c in found)
    assert said[True] > said[False] > 0
    even = Counter(c.fact.value for c in balanced(found.kept, None, np.random.default_rng(0)))
    assert even == {True: said[False], False: said[False]}
    two = balanced(found.kept, 2, np.random.default_rng(0))
    assert {c.fact.value for c in two} == {True, False}
    assert len(balanced(found.kept, 100, np.random.default_rng(0))) == len(found)
    assert balanced((), 3, np.random.default_rng(0)) == []
    made = make_items(case, ["existence"], np.random.default_rng(0), balance=True)
    assert len(made.items) == 2 * said[False]


def test_several_dates_name_theirs() -> None:
    case = labelled(synthetic_pair(np.random.default_rng(1), size=80))
    rng = np.random.default_rng(0)
    assert "2023-06-15" in make_item(case, "coverage_percentage", ["water"], rng, dates=(0,)).question
    last = make_item(case, "coverage_percentage", ["water"], rng)
    assert "2023-09-13" in last.question and last.dates == (1,)
    assert isinstance(last, Item) and last.regions[0].image == 1


def test_mistakes_are_named() -> None:
    case = labelled(synthetic_scene(np.random.default_rng(1), size=64))
    rng = np.random.default_rng(0)
    with pytest.raises(InvalidInput, match="coverage_percentage"):
        candidates(case, "coverage")
    with pytest.raises(InvalidInput, match="takes 2 classes"):
        make_item(case, "distance_measurement", ["water"], rng)
    with pytest.raises(InvalidInput, match="has 1 dates"):
        make_item(case, "coverage_percentage", ["water"], rng, dates=(3,))
    with pytest.raises(InvalidInput, match="phrasings 0"):
        make_item(case, "coverage_percentage", ["grassland"], rng, phrasing=99)
    with pytest.raises(InvalidInput, match="shrubland"):
        make_item(case, "coverage_percentage", ["shrubland"], rng)
    with pytest.raises(InvalidInput, match="Generator"):
        make_item(case, "coverage_percentage", ["water"], 7)
