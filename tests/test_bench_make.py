"""Suites of our own: a labelled scene comes back exactly, questions are drawn evenly, and made again are the same."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pyarrow")
from terrascope_nb.bench import bands, draw, published, store  # noqa: E402
from terrascope_nb.bench.make import make_suite, plan_suite  # noqa: E402
from terrascope_nb.bench.suite import Suite, open_suite  # noqa: E402
from terrascope_nb.bench.task import TASKS  # noqa: E402
from terrascope_nb.cot.sources.examples import read_slovenia  # noqa: E402
from terrascope_nb.cot.sources.split import split_of  # noqa: E402
from terrascope_nb.errors import AlreadyThere, InvalidInput, NotFound, NothingFound, ReadFailed  # noqa: E402
from terrascope_nb.geo.aoi import AOI  # noqa: E402
from terrascope_nb.geo.grid import Grid  # noqa: E402
from terrascope_nb.reason.measure import Region  # noqa: E402
from terrascope_nb.reason.question import understand  # noqa: E402
from terrascope_nb.reason.quiz import reference_of  # noqa: E402
from terrascope_nb.reason.reasoner import ask  # noqa: E402
from terrascope_nb.scene.domain import Domain  # noqa: E402
from terrascope_nb.scene.labelled import Labelled  # noqa: E402
from terrascope_nb.scene.scene import Scene  # noqa: E402
from terrascope_nb.scene.synthetic import synthetic_damage, synthetic_pair, synthetic_scene  # noqa: E402


def labelled(seed: int = 3, **more: Any) -> Labelled:
    made = synthetic_pair(np.random.default_rng(seed), 48, cloud=0.1)
    west, south, east, north = made.scene.grid.bounds
    aoi = AOI.from_bbox((west + 50, south + 50, east - 50, north - 50), crs=32633) if "aoi" in more else None
    more.pop("aoi", None)
    scene = replace(made.scene, aoi=aoi, name="pair")
    facts = {
        "nodata": 255, "source": "made", "licence": "L", "citation": "C", "counts": {1: (3, 12)}, "unmapped": {9: 4},
        "names": {80: "lake"}, "split": "test",
    }  # fmt: skip
    return Labelled(scene, made.maps, made.legend, f"k{seed}", f"p{seed}", **facts | more)


def same_scene(a: Scene, b: Scene) -> None:
    assert (a.name, a.notes, len(a.images)) == (b.name, b.notes, len(b.images))
    assert (a.aoi is None) == (b.aoi is None)
    if a.aoi is not None:
        assert a.aoi.geometry.equals_exact(b.aoi.geometry, 0) and a.aoi.crs == b.aoi.crs
    for one, other in zip(a.images, b.images, strict=True):
        for name in ("modality", "grid", "units", "time", "sensor", "sources", "notes", "blanked"):
            assert getattr(one, name) == getattr(other, name), name
        assert list(one.arrays()) == list(other.arrays())
        assert all(np.array_equal(v, other.array(k), equal_nan=True) for k, v in one.arrays().items())
        assert (one.cloud is None) == (other.cloud is None)
        assert one.cloud is None or np.array_equal(one.cloud, other.cloud)


@pytest.mark.parametrize("level", [0, 1])
def test_a_labelled_scene_comes_back_exactly(tmp_path: Path, level: int) -> None:
    """Bands, CRS, dates, clouds, SAR, AOI, maps, and every field of `Labelled` that there is."""
    before = labelled(aoi=True)
    digest = store.write_labelled(before, tmp_path / "a.npz", level)
    after = store.read_labelled(tmp_path / "a.npz", digest)
    same_scene(before.scene, after.scene)
    assert np.array_equal(before.scene.inside(0), after.scene.inside(0))
    assert [m.dtype for m in after.maps] == [m.dtype for m in before.maps]
    assert all(np.array_equal(x, y) for x, y in zip(before.maps, after.maps, strict=True))
    for f in fields(Labelled):
        if f.name not in ("scene", "maps", "resolution"):  # only scenes without CRS state one
            assert getattr(after, f.name) == getattr(before, f.name) != f.default, f.name
    assert store.write_labelled(after, tmp_path / "b.npz", level) == digest  # the same content, the same bytes


def test_a_scene_without_crs_keeps_its_stated_resolution(tmp_path: Path) -> None:
    scene = Scene.from_arrays(np.full((3, 8, 8), 7, np.uint8), bands=["red", "green", "blue"], units="rgb8")
    before = Labelled(scene, (np.ones((8, 8), np.uint16),), {1: "water"}, "k", "p", resolution=0.5)
    store.write_labelled(before, tmp_path / "a.npz")
    after = store.read_labelled(tmp_path / "a.npz")
    same_scene(scene, after.scene)
    assert after.resolution == 0.5 and after.maps[0].dtype == np.uint16


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    digest = store.write_labelled(labelled(), path)
    whole = path.read_bytes()
    with pytest.raises(ReadFailed, match="missing"):
        store.read_labelled(tmp_path / "b.npz")
    for broken in (whole[: len(whole) // 2], b"", whole[:-200] + bytes(200)):
        path.write_bytes(broken)
        with pytest.raises(ReadFailed, match="was changed"):
            store.read_labelled(path, digest)
        with pytest.raises(ReadFailed, match="damaged"):
            store.read_labelled(path)
    with pytest.raises(NotFound, match=r"suite\.json"):
        store.open_folder(tmp_path)
    (tmp_path / "suite.json").write_text(json.dumps({"format": 9}))
    with pytest.raises(InvalidInput, match="format 9"):
        store.open_folder(tmp_path)


# ---- difficulty -----------------------------------------------------------------------------------------------------
def region(mask: np.ndarray, clear: np.ndarray | None = None) -> Region:
    grid = Grid(Affine(10, 0, 500_000, 0, -10, 5_100_000), mask.shape, 32633)
    ones = np.ones(mask.shape, bool)
    return Region("water", mask, Domain(grid, ones, ones, ones if clear is None else clear))


def test_difficulty_by_hand() -> None:
    mask = np.zeros((10, 10), bool)
    mask[2:7, 2:7] = True  # 25 pixels, 9 of them inner
    one = bands.difficulty([region(mask)])
    assert one == bands.Difficulty(40.0, 25.0, 100 * 16 / 25)
    speck = mask.copy()
    speck[9, 9] = True
    assert bands.difficulty([region(mask), region(speck)]) == bands.Difficulty(2000 / 26, 25.0, 100 * 17 / 26)
    clear = np.ones((10, 10), bool)
    clear[:, 7:] = False  # cloud beside it is no edge of it
    assert bands.edge_share(region(mask, clear)) == (16 - 3) / 25
    assert bands.edge_share(region(np.ones((10, 10), bool))) == 0  # nor is the end of the scene
    with pytest.raises(InvalidInput, match="water"):
        bands.difficulty([region(np.zeros((10, 10), bool))])


def test_bands_are_the_terciles_of_a_task() -> None:
    rng = np.random.default_rng(0)
    some = [("t", bands.Difficulty(*rng.random(3) * 50)) for _ in range(300)]
    of = bands.limits(some)["t"]
    counts = Counter(bands.band(d, of) for _, d in some)
    assert set(counts) == {"easy", "medium", "hard"} and min(counts.values()) > 60, counts
    assert (
        bands.band(bands.Difficulty(0, 99, 0), of) == "easy" and bands.band(bands.Difficulty(99, 0, 99), of) == "hard"
    )


# ---- drawing --------------------------------------------------------------------------------------------------------
offers = st.lists(
    st.builds(
        draw.Offer, st.integers(0, 9), st.sampled_from(["area", "share", "far"]), st.integers(0, 4),
        st.sampled_from([None]),
    ),
    max_size=80,
)  # fmt: skip


@given(offers, st.integers(1, 60), st.integers(1, 6), st.integers(0, 9))
def test_draw_holds_its_limits(some: list[draw.Offer], n: int, per_image: int, seed: int) -> None:
    taken = draw.draw(some, n, per_image, np.random.default_rng(seed))
    assert not Counter(taken) - Counter(some)
    assert len(taken) <= n
    by_image = Counter(o.image for o in taken)
    assert max(by_image.values(), default=0) <= per_image
    room = sum(min(c, per_image) for c in Counter(o.image for o in some).values())
    assert len(taken) == min(n, room)  # nothing is left that would fit
    assert taken == draw.draw(some, n, per_image, np.random.default_rng(seed))
    assert [o.image for o in taken] == sorted(o.image for o in taken)


def test_draw_serves_the_rare_task_first_and_balances_truths() -> None:
    some = [draw.Offer(k % 20, "common", k) for k in range(200)]
    some += [draw.Offer(k % 4, "rare", k) for k in range(8)]
    some += [draw.Offer(k % 20, "yes or no", k, k % 5 == 0) for k in range(100)]
    taken = draw.draw(some, 40, 4, np.random.default_rng(1))
    counts = Counter(o.task for o in taken)
    assert counts == {"rare": 8, "common": 16, "yes or no": 16}
    assert Counter(o.truth for o in taken if o.task == "yes or no") == {True: 8, False: 8}
    assert len({o.image for o in taken if o.task == "common"}) == 16  # one an image before a second
    small = [draw.Offer(k % 3, "t", k, None, "small") for k in range(12)]
    large = [draw.Offer(3 + k, "t", k, None, "large") for k in range(90)]
    sources = Counter(o.source for o in draw.draw([*small, *large], 20, 6, np.random.default_rng(1)))
    assert sources == {"small": 10, "large": 10}
    with pytest.raises(InvalidInput, match="at least 1"):
        draw.draw(some, 0, 1, np.random.default_rng(1))


# ---- suites ---------------------------------------------------------------------------------------------------------
def scenes(n: int = 6, size: int = 64) -> Iterator[Labelled]:
    """One date, two dates with cloud, and damage, in turn; each a place of its own."""
    for k in range(n):
        rng = np.random.default_rng([5, k])
        made = (
            synthetic_scene(rng, size), synthetic_pair(rng, size, cloud=0.1), synthetic_damage(rng, 2 * size, 0.5)
        )[k % 3]  # fmt: skip
        yield Labelled(
            made.scene, made.maps, dict(made.legend), f"image {k}", f"place {k}", source=f"kind {k % 3}",
            licence=f"L{k % 2}", citation="C",
        )  # fmt: skip


def unread() -> Iterator[Labelled]:
    raise AssertionError("no source is to be read")
    yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return make_suite(scenes(), tmp_path_factory.mktemp("suites") / "small", 30, seed=4, per_image=8)


def test_a_suite_holds_what_it_says(made: Suite) -> None:
    folder = Path(made.card.origin)
    assert sorted(p.name for p in folder.iterdir()) == ["images", "questions.parquet", "suite.json"]
    assert len(made) == made.card.rows == 30 and set(made.card.tasks) == set(TASKS)
    assert max(Counter(r.image for r in made).values()) <= 8
    assert made.card.images == made.card.places == len({r.image for r in made})
    assert made.card.masks == 30 and set(made.card.bands) == {"easy", "medium", "hard"}
    assert set(made.card.licences) == {"L0", "L1"} and made.card.citation == ("C",)
    assert made.card.missing and all(v > 0 for v in made.card.missing.values())
    assert made.card.made_with["seed"] == 4 and set(made.card.difficulty["limits"]) == set(TASKS)
    for task in TASKS.values():
        letters = Counter(r.answer for r in made.select(tasks=task.key))
        assert max(letters.values()) - min(letters[a] for a in "ABCD"[: task.options]) <= 1, task.key
        assert all(len(r.choices) == task.options for r in made.select(tasks=task.key))
    images = [r.image for r in made]
    assert [k for k, _ in groupby(images)] == list(dict.fromkeys(images))  # rows of one image stand together
    assert made.rows[0].scene() is made.rows[0].scene()
    again = open_suite(folder)
    assert again.digest == made.digest and again.card == made.card
    assert [(r.question, r.choices, r.answer, r.masks, r.value) for r in again] == [
        (r.question, r.choices, r.answer, r.masks, r.value) for r in made
    ]


def test_reference_answers_all_of_it_from_the_stored_truth(made: Suite) -> None:
    """The truth that was stored and the reasoner opened on it agree on every letter, and on every mask."""
    assert made.truth is not None and made.letter_rule == "strict"
    for row in made:
        truth = made.labelled(row)
        trace = ask(row.scene(), row.question, row.choices, reference_of(truth))
        assert trace.answer.choice == row.answer, (row, trace.answer)
        for ref in row.masks:
            date = [m.image for m in row.scene().moments()].index(ref.image)
            mask = truth.truth(ref.label, date)
            assert np.array_equal(ref.mask, mask & (truth.map_of(date) != 102) if ref.label == "building" else mask)


def test_made_again_it_is_the_same_to_the_byte(made: Suite, tmp_path: Path) -> None:
    again = make_suite(scenes(), tmp_path / "small", 30, seed=4, per_image=8)
    one, other = (
        {p.relative_to(f).as_posix(): p.read_bytes() for p in sorted(f.rglob("*")) if p.is_file()}
        for f in (Path(made.card.origin), tmp_path / "small")
    )
    assert one == other
    others = make_suite(scenes(), tmp_path / "small", 30, seed=5, per_image=8, overwrite=True)
    assert others.digest != again.digest == made.digest
    with pytest.raises(AlreadyThere, match="overwrite"):
        make_suite(scenes(), tmp_path / "small")
    with pytest.raises(NothingFound, match="0 images: no image came"):
        make_suite([], tmp_path / "small", overwrite=True)
    assert open_suite(tmp_path / "small").digest == others.digest  # a failure leaves what was there
    (tmp_path / "small" / "images" / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(AlreadyThere, match=r"images/holiday\.jpg"):
        make_suite(unread(), tmp_path / "small", overwrite=True)
    with pytest.raises(AlreadyThere, match="small"):
        make_suite(unread(), tmp_path)


def test_a_plan_counts_the_same_and_writes_nothing(
    made: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    card = plan_suite(scenes(), 30, seed=4, per_image=8)
    for name in ("tasks", "licences", "sources", "images", "places", "citation", "missing"):
        assert getattr(card, name) == getattr(made.card, name), name
    assert not list(tmp_path.iterdir()) and "nothing was written" in card.notes[-1]


def test_tasks_limits_and_places_can_be_chosen(made: Suite, tmp_path: Path) -> None:
    limits = made.card.difficulty["limits"]
    few = make_suite(
        scenes(), tmp_path / "few", 500, seed=4, tasks=["building_change", "coverage_percentage"], limits=limits
    )
    assert (
        list(few.card.tasks) == ["coverage_percentage", "building_change"] and few.card.difficulty["limits"] == limits
    )
    assert "500 questions were asked for" in few.card.notes[-1] and "fewer than 250" in few.card.notes[0]
    side = make_suite(scenes(12), tmp_path / "side", 10, seed=4, split="test", share=0.5)
    assert {r.place for r in side} <= {f"place {k}" for k in range(12) if split_of(f"place {k}", 4, 0.5) == "test"}
    assert side.card.missing["image: its place is on the training side"] > 0
    with pytest.raises(InvalidInput, match="did you mean 'building_change'"):
        make_suite(scenes(), tmp_path / "x", tasks=["buildingchange"])
    for wrong in ({"n": 0}, {"per_image": 0}, {"seed": -1}, {"n": 2.5}):
        with pytest.raises(InvalidInput, match=f"{next(iter(wrong))} is a whole number"):
            plan_suite(unread(), **wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="limits= has none for"):
        make_suite(scenes(), tmp_path / "x", 9, limits={})
    with pytest.raises(InvalidInput, match="two images have the key"):
        make_suite(chain(scenes(1), scenes(1)), tmp_path / "x")
    with pytest.raises(NothingFound, match="1 images: "):
        make_suite(scenes(1), tmp_path / "x", tasks="building_change")
    assert not (tmp_path / "x" / ".making").exists() and not (tmp_path / "x" / "suite.json").exists()


def test_a_damaged_image_costs_its_rows_only(made: Suite, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made.card.origin, tmp_path / "copy"))
    (folder / "images" / "000000.npz").write_bytes(b"broken")
    suite = open_suite(folder)
    first = suite.rows[0].image
    for row in suite.rows:
        if row.image == first:
            with pytest.raises(ReadFailed, match=r"000000\.npz"):
                row.scene()
        else:
            assert row.scene().images
    (folder / "questions.parquet").write_bytes(b"PAR1")
    with pytest.raises(InvalidInput, match="questions.parquet"):
        open_suite(folder)


def test_a_suite_in_the_public_layout(made: Suite, tmp_path: Path) -> None:
    """Others' code can run on it: one picture a question, the pixel size said, each question still understood."""
    path = made.to_published(tmp_path / "public.parquet")
    public = open_suite(path)
    assert len(public) == 30 and public.card.tasks == made.card.tasks
    assert (public.name, public.card.citation, public.card.licences) == ("small", ("C",), made.card.licences)
    assert public.card.notes == ("An export of our suite 'small', without its masks and bands.",)
    for ours, theirs in zip(made, public, strict=True):
        assert (theirs.task, theirs.answer, theirs.choices) == (ours.task, ours.answer, ours.choices)
        assert ours.task not in published.IN_METRES or theirs.resolution == ours.resolution is not None
        pixels = theirs.scene().images[0].view.pixels
        moments = ours.scene().moments()
        views = [ours.scene().images[m.image].view.pixels for m in moments]
        if ours.task == "building_change":
            assert np.array_equal(pixels, np.concatenate(views, axis=1)) and "side by side" in theirs.question
        else:
            assert any(np.array_equal(pixels, v) for v in views)
            if len(moments) == 1:
                assert understand(theirs.question, theirs.choices).task == understand(ours.question, ours.choices).task


def test_real_ground_gives_a_suite(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    sources = read_slovenia(shared_data("eolearn-slovenia-ts"), dates=["2015-08-30"])
    suite = make_suite(sources, tmp_path / "slovenia", 12, per_image=12)
    assert {"coverage_percentage", "absolute_area", "comparative_ranking"} <= set(suite.card.tasks)
    row = suite.rows[0]
    same_scene(row.scene(), next(read_slovenia(shared_data("eolearn-slovenia-ts"), dates=["2015-08-30"])).scene)
    for row in suite:
        assert (
            ask(row.scene(), row.question, row.choices, reference_of(suite.labelled(row))).answer.choice == row.answer
        )
