"""Synthetic scenes: what they promise holds at every seed and size, and they look like what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.measure import Region
from terrascope_nb.reason.measure import benchmark_rules as rules
from terrascope_nb.scene import synthetic
from terrascope_nb.scene.domain import Domain
from terrascope_nb.testing import Synthetic, synthetic_damage, synthetic_pair, synthetic_scene

LEAVES = ("tree cover", "grassland", "cropland", "built-up", "bare land", "snow and ice", "water")
SQUARE = np.ones((3, 3))
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=25)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def region(made: Synthetic, label: str, date: int = 0) -> Region:
    return Region(label, made.truth(label, date), Domain.whole(made.scene.grid))


@few
@given(seeds, st.integers(32, 90), st.booleans())
def test_truths_cover_the_scene_once(seed: int, size: int, snow: bool) -> None:
    made = synthetic_scene(rng(seed), size=size, snow=snow, sar=False)
    assert np.sum([made.truth(x) for x in LEAVES], axis=0).tolist() == [[1] * size] * size
    np.testing.assert_array_equal(made.truth("vegetation"), made.truth("forest") | made.truth("low vegetation"))
    np.testing.assert_array_equal(made.truth("land"), ~made.truth("water"))
    assert made.truth("snow").any() == snow
    assert made.scene.grid.shape == made.scene.images[0].array("red").shape == (size, size)


@few
@given(seeds, st.integers(32, 90))
def test_what_is_wanted_is_there_and_has_no_specks(seed: int, size: int) -> None:
    labels = synthetic.landscape(rng(seed), size)
    assert {10, 30, 50, 80} <= set(np.unique(labels))
    for number in np.unique(labels):
        parts, _ = ndimage.label(labels == number, SQUARE)
        assert np.bincount(parts.ravel())[1:].min() >= 5


@few
@given(seeds, st.integers(32, 90))
def test_the_river_runs_from_edge_to_edge(seed: int, size: int) -> None:
    river = synthetic._river(rng(seed), size)
    assert ndimage.label(river, SQUARE)[1] == 1
    assert (river[0].any() and river[-1].any()) or (river[:, 0].any() and river[:, -1].any())
    assert river.sum() >= size


@few
@given(seeds, st.floats(0, 1))
def test_cloud_covers_the_share_asked_for(seed: int, share: float) -> None:
    made = synthetic_scene(rng(seed), size=40, cloud=share)
    optical, sar = made.scene.images
    covered = 0 if optical.cloud is None else optical.cloud.mean()
    assert covered == pytest.approx(share, abs=2 / 1600)
    assert sar.cloud is None
    if 0.1 < share < 0.9:
        assert optical.array("blue")[optical.cloud].mean() > 3 * optical.array("blue")[~optical.cloud].mean()


@few
@given(seeds)
def test_a_seed_gives_the_same_scene(seed: int) -> None:
    for make in (synthetic_scene, synthetic_pair, synthetic_damage):
        one, other = make(rng(seed), size=48), make(rng(seed), size=48)
        for a, b in zip(one.maps, other.maps, strict=True):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(one.scene.images, other.scene.images, strict=True):
            for name, band in a.arrays().items():
                np.testing.assert_array_equal(band, b.array(name))


@few
@given(seeds, st.floats(0, 1))
def test_the_pair_dries_by_the_share_asked_for(seed: int, dry: float) -> None:
    made = synthetic_pair(rng(seed), size=64, sar=False, dry=dry)
    before, after = made.truth("water", 0), made.truth("water", 1)
    assert not (after & ~before).any()
    lost = (before & ~after).sum() / before.sum()
    # ties in depth dry together: a river two pixels wide dries as a whole
    assert lost >= dry - 0.02
    assert (lost == 0) == (dry == 0)
    assert (made.truth("bare land", 1) >= (before & ~after)).all()
    assert (made.truth("forest", 1) <= made.truth("forest", 0)).all()


@few
@given(seeds, st.integers(40, 120), st.floats(0, 1))
def test_buildings_are_counted_exactly(seed: int, size: int, destroyed: float) -> None:
    made = synthetic_damage(rng(seed), size=size, destroyed=destroyed)
    total = ndimage.label(made.truth("building"), SQUARE)[1]
    lost = ndimage.label(made.truth("destroyed building", 1), SQUARE)[1]
    standing = ndimage.label(made.truth("building", 1) & ~made.truth("destroyed building", 1), SQUARE)[1]
    assert total == ndimage.label(made.truth("building", 1), SQUARE)[1]
    assert lost == round(destroyed * total)
    assert standing == total - lost
    assert not made.truth("destroyed building", 0).any()
    assert ndimage.label(made.truth("building"))[1] == total  # the same by edges alone: none meet at a corner


def test_every_task_of_the_benchmark_finds_pairs_that_it_keeps() -> None:
    kept: dict[str, int] = dict.fromkeys(("coverage", "comparison", "boundary", "distance", "buildings"), 0)
    for seed in range(12):
        made = synthetic_scene(rng(seed), sar=False)
        regions = [region(made, x) for x in LEAVES if made.truth(x).any()]
        for a in regions:
            kept["coverage"] += rules.coverage_percentage(a).value is not None
            for b in regions:
                if a is not b:
                    kept["comparison"] += rules.comparative_ranking(a, b).value is not None
                    kept["boundary"] += rules.boundary_relationship(a, b).value is not None
                    kept["distance"] += rules.distance_measurement(a, b).value is not None
        damage = synthetic_damage(rng(seed))
        change = rules.building_change(region(damage, "building", 1), region(damage, "destroyed building", 1))
        kept["buildings"] += change.value is not None
    assert min(kept.values()) >= 5, kept


def test_speckle_has_the_looks_of_a_ground_range_product() -> None:
    made = synthetic_scene(rng(3), size=256)
    radar, truth = made.scene.images[1], made.truth("grassland")
    assert radar.units == "linear"
    for band, mean in (("vv", -12.0), ("vh", -19.0)):
        power = radar.array(band)[ndimage.binary_erosion(truth, SQUARE)]
        assert power.mean() ** 2 / power.var() == pytest.approx(4.4, rel=0.05)
        assert 10 * np.log10(power.mean()) == pytest.approx(mean, abs=0.2)


def test_pixels_look_like_what_they_are() -> None:
    made = synthetic_scene(rng(5), size=128, snow=True)
    bands = made.scene.images[0].arrays()
    assert all(b.dtype == np.float32 and (b >= 0).all() and (b <= 1.2).all() for b in bands.values())
    inside = {x: ndimage.binary_erosion(made.truth(x), SQUARE) for x in LEAVES}

    def mean(band: str, label: str) -> float:
        return float(bands[band][inside[label]].mean())

    assert mean("nir", "water") < 0.03 < mean("nir", "tree cover")
    assert mean("red", "tree cover") < mean("red", "bare land")
    assert mean("swir16", "snow and ice") < 0.2 < mean("green", "snow and ice")
    views = [image.view.pixels for image in made.scene.images]
    assert all(20 < v.mean() < 200 and v.std() > 10 for v in views), "neither black nor blown out"


def test_dates_grid_and_notes() -> None:
    made = synthetic_pair(rng(0), size=40, resolution=20.0, times=("2022-01-05", "2022-07-05"))
    assert [i.day for i in made.scene.images] == ["2022-01-05", "2022-07-05"] * 2
    assert made.scene.grid.resolution == (20.0, 20.0)
    assert len(made.scene.moments()) == 2
    assert "synthetic" in made.scene.notes[0]


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (synthetic_scene, {"size": 16}, "at least 32 pixels a side, got 16"),
        (synthetic_scene, {"cloud": 1.5}, "cloud is a share of the scene, 0…1, got 1.5"),
        (synthetic_scene, {"rng": 7}, "numpy.random.default_rng.7."),
        (synthetic_scene, {"resolution": 0}, "resolution"),
        (synthetic_pair, {"dry": -0.1}, "dry is a share of the water"),
        (synthetic_pair, {"times": ("2023-06-15",)}, "two dates"),
        (synthetic_pair, {"times": ("2023-06-15", "2023-06-01")}, "two dates, the earlier first"),
        (synthetic_damage, {"destroyed": 2}, "destroyed is a share of the buildings"),
        (synthetic_damage, {"size": 12}, "at least 32 pixels a side, got 12"),
    ],
)
def test_what_cannot_be_made_says_why(make: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        make(**{"rng": rng(0), **options})


def test_a_truth_that_is_not_there_is_refused() -> None:
    made = synthetic_scene(rng(0), size=32, sar=False)
    with pytest.raises(InvalidInput, match="unknown class of a synthetic scene 'wetlnd'"):
        made.truth("wetlnd")
    with pytest.raises(InvalidInput, match="date 1 of a scene with 1"):
        made.truth("water", 1)
