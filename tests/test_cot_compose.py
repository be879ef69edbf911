"""Composed records: every sentence is read back and agrees with its mask, answers are the measured truth."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from affine import Affine

from terrascope_nb.cot.check import check
from terrascope_nb.cot.compose import TASKS, compose
from terrascope_nb.cot.compose.l1 import PIXELS
from terrascope_nb.cot.compose.pictures import place_name
from terrascope_nb.cot.record import ImageRef, Record
from terrascope_nb.cot.sources import open_source
from terrascope_nb.errors import InvalidInput, NotFound, QuestionNotUnderstood
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason import measure as m
from terrascope_nb.reason.question import understand
from terrascope_nb.reason.solve.phrases import named
from terrascope_nb.reason.verify import verify
from terrascope_nb.scene.labelled import Labelled

SIZE = 72


def pictures(labelled: Labelled) -> tuple[ImageRef, ...]:
    return tuple(
        ImageRef(f"{labelled.key}-{k}.png", i.modality, None if i.time is None else i.day, i.grid.shape)
        for k, i in enumerate(labelled.scene.images)
    )


def made(kind: str, n: int, seed: int = 0, **options: object) -> list[Labelled]:
    return list(open_source("synthetic", n=n, kind=kind, seed=seed, size=SIZE, **options))


def corners() -> Labelled:
    """A lake in the north-west, a town in the south-east, grass between."""
    drawn = np.full((SIZE, SIZE), 30, np.uint8)
    drawn[4:20, 3:21] = 80
    drawn[52:70, 50:68] = 50
    return replace(made("scene", 1)[0], maps=(drawn,), key="corners")


@pytest.fixture(scope="module")
def composed() -> list[tuple[Labelled, list[Record]]]:
    """Scenes of 48 seeds: one date, two dates and damage; some partly under cloud; with their records."""
    scenes = [x for kind in ("scene", "pair", "damage") for x in made(kind, 12)]
    scenes += [x for kind in ("scene", "pair") for x in made(kind, 6, seed=1, cloud=0.25, resolution=30)]
    return [(x, compose(x, np.random.default_rng(k), pictures(x))) for k, x in enumerate([corners(), *scenes])]


def claims(record: Record) -> Counter[str]:
    try:
        plan = understand(record.question, record.choices)
    except QuestionNotUnderstood:
        plan = None
    found = verify(record.reasoning, record.regions(), record.said, plan)
    assert not [c for c in found if c.verdict == "disagrees"], (record.question, record.answer_text)
    return Counter(c.verdict for c in found)


def test_every_record_is_valid_and_every_claim_agrees(composed: list[tuple[Labelled, list[Record]]]) -> None:
    verdicts: Counter[str] = Counter()
    for labelled, records in composed:
        for r in records:
            assert not check(r, labelled), (r, r.answer_text, check(r, labelled))
            assert r.segs == len(r.masks) > 0
        verdicts += claims(records[len(records) // 2]) + claims(records[-1])
    assert verdicts["agrees"] > 500
    assert verdicts["not checkable"] < 0.03 * verdicts["agrees"], verdicts  # answers that are a letter with a class


def test_every_kind_task_and_sensor_occurs(composed: list[tuple[Labelled, list[Record]]]) -> None:
    records = [r for _, found in composed for r in found]
    seen = {(r.kind, r.task) for r in records}
    assert seen == {(kind, task) for kind, tasks in TASKS.items() for task in tasks}
    assert {r.sensors for r in records} == {("optical",), ("sar",), ("optical", "sar")}
    for r in records:
        assert {i.sensor for i in r.images} == set(r.sensors)
        if "sar" in r.sensors and r.question.startswith(("Given", "From", "Based", "Looking")):
            assert "SAR image" in r.question
    named_sar = [r for r in records if "sar" in r.sensors and "SAR" in r.question]
    assert len(named_sar) > 0.9 * sum("sar" in r.sensors for r in records)


def test_two_to_four_questions_an_image_one_that_needs_pixels(composed: list[tuple[Labelled, list[Record]]]) -> None:
    for labelled, records in composed:
        asked = [r for r in records if r.kind == "l1"]
        assert 1 <= len(asked) <= 4, labelled
        assert asked[0].task in PIXELS
        assert len({r.task for r in asked}) == len(asked)
        assert sum(r.kind == "caption" for r in records) == 1
        assert len({r.id for r in records}) == len(records)
    counts = Counter(sum(r.kind == "l1" for r in records) for _, records in composed)
    assert counts[1] < 0.1 * counts.total()


def test_phrasings_vary(composed: list[tuple[Labelled, list[Record]]]) -> None:
    starts: dict[str, set[str]] = defaultdict(set)
    letters: Counter[str] = Counter()
    for r in (r for _, records in composed for r in records):
        starts[r.task].add(re.sub(r"^(?:Given|From|Based on|Looking at) the .*?, ", "", r.question).lower()[:32])
        letters[r.answer] += len(r.choices or ()) == 4
    often = Counter(r.task for _, records in composed for r in records)
    assert all(len(found) > 1 for task, found in starts.items() if often[task] > 6), starts
    four = [letters[x] for x in "ABCD"]
    assert min(four) > 0.7 * sum(four) / 4, letters


def test_dates_are_written_before_each_mask_of_several(composed: list[tuple[Labelled, list[Record]]]) -> None:
    pairs = [r for _, records in composed for r in records if len({i.time for i in r.images}) > 1]
    assert {r.kind for r in pairs} == {"caption", "l1", "l2-semantic"}
    for r in pairs:
        dates = sorted({i.time for i in r.images})
        before = re.findall(r"Image: t_(\d), (\d{4}-\d\d-\d\d): (?:(?!Image:).)*?\[SEG\]", r.answer_text)
        assert [(int(n), day) for n, day in before] == [(dates.index(k.time) + 1, k.time) for k in r.masks]


def test_the_same_generator_gives_the_same_records() -> None:
    for kind in ("scene", "pair", "damage"):
        first, again = made(kind, 2), made(kind, 2)
        for a, b in zip(first, again, strict=True):
            one, two, other = (compose(x, np.random.default_rng(s), pictures(x)) for x, s in ((a, 7), (b, 7), (a, 8)))
            assert one == two != other
            assert [r.kind for r in one] == sorted((r.kind for r in one), key=list(TASKS).index)


# ---- the truth, measured again from the record alone ----------------------------------------------------------------
def regions_of(r: Record) -> dict[str, m.Region]:
    return {x.label: x for x in r.regions()}


def right(r: Record) -> str:
    return r.choices[r.answer].lower()  # type: ignore[index]


def gap(a: m.Region, b: m.Region) -> float:
    return float(m.distance(a, b).value)  # type: ignore[arg-type]


def spatial_truth(r: Record) -> str | bool:
    at, (a, *rest) = regions_of(r), r.labels
    share = {x: region.count for x, region in at.items()}
    if r.task in ("nearest_class", "size_of_nearest", "share_of_nearest"):
        near = min(rest, key=lambda x: gap(at[a], at[x]))
        if r.task == "nearest_class":
            return named(near)
        if r.task == "size_of_nearest":
            return "yes" if share[near] == max(share[x] for x in rest) else "no"
        return f"{m.share(at[near]).value:.1f} %"
    if r.task == "largest_neighbour":
        assert all(m.adjacent(at[a], at[x]).value for x in rest)
        pick = min if "small" in r.question else max
        return named(pick(rest, key=share.__getitem__))
    if r.task == "touch_and_size":
        touch, larger = m.adjacent(at[a], at[rest[0]]).value, max(r.labels, key=share.__getitem__)
        thing = f"the {named(larger)}" if named(larger).endswith("area") else named(larger)
        return f"they {'touch' if touch else 'do not touch'}, and the larger is {thing}"
    if r.task == "common_neighbour":
        b, *others = rest
        both = [x for x in others if m.adjacent(at[a], at[x]).value and m.adjacent(at[b], at[x]).value]
        return named(both[0]) if len(both) == 1 else "several"
    if r.task == "no_neighbour":
        apart = [x for x in rest if not m.adjacent(at[a], at[x]).value]
        return named(apart[0]) if len(apart) == 1 else "several"
    if r.task == "order_of_size":
        return " > ".join(named(x) for x in sorted(r.labels, key=lambda x: -share[x]))
    if r.task == "share_together":
        return "yes" if share[a] + share[rest[0]] > share[rest[1]] else "no"
    return True


def test_spatial_answers_are_the_measured_truth(composed: list[tuple[Labelled, list[Record]]]) -> None:
    for r in (r for _, records in composed for r in records if r.kind == "l2-spatial"):
        assert len(r.masks) >= 2
        truth = spatial_truth(r)
        if truth is not True:
            assert right(r) == truth, r
        elif r.task == "direction":
            (ra, ca), (rb, cb) = (regions_of(r)[x].centroid for x in r.labels)
            way = right(r)
            assert ("north" in way) <= (ra < rb) and ("south" in way) <= (ra > rb), r
            assert ("east" in way) <= (ca > cb) and ("west" in way) <= (ca < cb), r
        else:
            for label, said in re.findall(r"([\w -]+?) in the ([\w-]+)", right(r)):
                pixels = regions_of(r)[label.strip(" ,").removesuffix(" area")].pixels
                half = pixels[: len(pixels) // 2] if "north" in said else pixels[len(pixels) // 2 :]
                side = half[:, half.shape[1] // 2 :] if "east" in said else half[:, : half.shape[1] // 2]
                assert 2 * side.sum() > pixels.sum(), r


def semantic_truth(r: Record) -> str:
    at, key = regions_of(r), r.task
    limits = {
        "flood_exposure": (100, 500), "fire_exposure": (30, 100), "erosion_risk": (30, 200), "runoff_risk": (20, 100),
    }  # fmt: skip
    if key in limits:
        far = gap(at[r.labels[0]], at[r.labels[1]])
        return ("high", "moderate", "low")[sum(far > x for x in limits[key])]
    if key == "irrigation_potential":
        near = gap(at["cropland"], at["water"]) <= 500
        return ("poor", "limited", "good")[near + (float(m.share(at["water"]).value) >= 1)]
    if key == "forest_fragmentation":
        n = int(m.count(at["tree cover"]).value)
        return "compact" if n <= 2 else "partly fragmented" if n <= 5 else "fragmented"
    if key == "urban_green":
        town, *green = r.labels
        ratio = sum(at[x].count for x in green) / at[town].count
        return "ample" if ratio >= 3 else "sufficient" if ratio >= 1 else "scarce"
    if key == "damage_priority":
        every, lost = (int(m.count(x).value) for x in r.regions())
        return ("low", "moderate", "high", "highest")[sum(lost / every >= x for x in (0.05, 0.2, 0.5))]
    strong, some = {"drying": (20, 5), "deforestation": (10, 2), "crop_change": (20, 5)}[key]
    net = m.net(*r.regions()).values[2]
    words = {"drying": "drying strongly", "deforestation": "strongly deforested", "crop_change": "strongly shrinking"}
    weak = {"drying": "drying", "deforestation": "deforested", "crop_change": "shrinking"}[key]
    return words[key] if net <= -strong else weak if net <= -some else "growing" if net >= some else "little change"


def test_semantic_answers_follow_from_their_rule(composed: list[tuple[Labelled, list[Record]]]) -> None:
    levels = defaultdict(set)
    for r in (r for _, records in composed for r in records if r.kind == "l2-semantic"):
        assert right(r) == semantic_truth(r), (r, r.answer_text)
        assert "rule" in r.reasoning.lower()
        levels[r.task].add(right(r))
    assert sum(len(found) > 1 for found in levels.values()) >= 6, levels


# ---- real scenes, scenes without metres, arguments ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("source", "folder", "n"),
    [("slovenia", "eolearn-slovenia-ts", 2), ("north-carolina", "nc-landsat7-landclass", 1)],
)
def test_real_scenes_give_valid_records(source: str, folder: str, n: int, shared_data) -> None:
    records = 0
    for k, labelled in enumerate(islice(open_source(source, folder=shared_data(folder)), n)):
        for r in compose(labelled, np.random.default_rng(k), pictures(labelled)):
            assert not check(r, labelled), (r, r.answer_text)
            assert claims(r)["agrees"]
            records += 1
    assert records > 5


def without_crs(labelled: Labelled, resolution: float | None) -> Labelled:
    grid = Grid(Affine.identity(), labelled.scene.grid.shape)
    images = tuple(replace(i, grid=grid, bands=i.bands.drop_vars(list(i.bands.coords))) for i in labelled.scene.images)
    return replace(labelled, scene=replace(labelled.scene, images=images), resolution=resolution)


def test_without_a_crs_no_metre_is_written() -> None:
    for k, kind in enumerate(("scene", "pair", "damage")):
        labelled = without_crs(made(kind, 1)[0], None)
        for r in compose(labelled, np.random.default_rng(k), pictures(labelled)):
            assert not check(r, labelled), (r, r.answer_text)
            assert r.resolution is None
            assert not re.search(r"\d (?:m²|ha|km²|m)\b", r.answer_text), r.answer_text


def test_a_stated_pixel_size_gives_metres() -> None:
    labelled = without_crs(made("scene", 1)[0], 10.0)
    records = compose(labelled, np.random.default_rng(1), pictures(labelled))
    assert {r.resolution for r in records} == {10.0}
    assert any(" ha" in r.answer_text for r in records)


def test_the_sensors_asked_for_are_shown() -> None:
    labelled = made("pair", 1)[0]
    for sensors in (("sar",), ("optical",), ("sar", "optical")):
        records = compose(labelled, np.random.default_rng(0), pictures(labelled), sensors=sensors)
        assert {set(r.sensors) == set(sensors) for r in records} == {True}
    with pytest.raises(NotFound, match="has not sar on every date; it has optical"):
        dry = made("damage", 1)[0]
        compose(dry, np.random.default_rng(0), pictures(dry), sensors=("sar",))


def test_what_is_asked_for_wrongly_is_named() -> None:
    labelled = made("scene", 1)[0]
    rng, images = np.random.default_rng(0), pictures(labelled)
    with pytest.raises(InvalidInput, match="captions.*caption"):
        compose(labelled, rng, images, kinds=("captions",))
    with pytest.raises(InvalidInput, match="sensor"):
        compose(labelled, rng, images, sensors=("radar",))
    with pytest.raises(InvalidInput, match="per_image"):
        compose(labelled, rng, images, per_image=(4, 2))
    with pytest.raises(InvalidInput, match="1 pictures for 2 images"):
        compose(labelled, rng, images[:1])
    with pytest.raises(InvalidInput, match="picture 0 .* is sar"):
        compose(labelled, rng, images[::-1])


def test_what_could_not_be_asked_is_counted() -> None:
    labelled = made("damage", 1)[0]
    dropped: Counter[str] = Counter()
    compose(labelled, np.random.default_rng(0), pictures(labelled), per_image=(4, 4), dropped=dropped)
    assert any(reason.startswith("flood_exposure: ") for reason in dropped)
    assert all(re.match(r"\w+: \w", reason) and n > 0 for reason, n in dropped.items())


def test_names_of_places_are_told_from_keys() -> None:
    assert [place_name(x) for x in ("Wake County", "slovenia", "T33UVP_12", "Lake Erie", "Île-de-France")] == [
        "Wake County", "", "", "", "Île-de-France",
    ]  # fmt: skip
