"""Made scenes: their truth is the ground they were drawn from, their colours are real ones, and seeds do not leak.

How the rules of `spectral` do on them, intersection over union with the truth, pixels of 24 mixed scenes of 128 × 128
pooled (seeds 5000…5023; `measured` below with size=128, n=24)::

    sky           water  tree cover  low vegetation  bare land  built-up  snow and ice  vegetation
    clear           0.80        0.55            0.71       0.39      0.17          0.97        0.85
    cloud 0.3       0.63        0.32            0.42       0.26      0.12          0.57        0.47
    haze 0.6        0.75        0.09            0.52       0.32      0.18          0.97        0.74
    radar alone     0.56           –               –          –      0.07             –           –

Woods without leaves, ripe crops and gardens are what the rules miss. Cloud counts against them here: the truth goes on
under it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from terrascope_nb.cot.sources.made import read_synthetic
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.reason.measure import Region
from terrascope_nb.reason.measure import benchmark_rules as rules
from terrascope_nb.reason.spectral import SpectralReasoner
from terrascope_nb.scene import spectra
from terrascope_nb.scene.domain import Domain
from terrascope_nb.scene.made import CHANGES, LAYOUTS, SEASONS, MadeScene, held_out, made_damage, made_scene, seeds
from terrascope_nb.scene.made.fields import blob, level, smooth
from terrascope_nb.scene.made.season import draw_day, sun
from terrascope_nb.scene.made.water import WATERS, draw_water, reflectance
from terrascope_nb.scene.scene import Image

LEAVES = ("tree cover", "grassland", "cropland", "built-up", "bare land", "snow and ice", "water")
SQUARE = np.ones((3, 3))
any_seed = st.integers(0, 2**32 - 1)
few = settings(max_examples=8)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def optical(made: MadeScene, date: int = 0) -> Image:
    return [i for i in made.scene.images if i.modality == "optical"][date]


def radar(made: MadeScene, date: int = 0) -> Image:
    return [i for i in made.scene.images if i.modality == "sar"][date]


def measured(n: int, size: int, sensor: str = "auto", **options: Any) -> dict[str, float]:
    """Intersection over union of `spectral` and the truth, pixels of n scenes pooled, where no rule abstains."""
    reasoner, found = SpectralReasoner(sensor), {}
    for seed in range(5000, 5000 + n):
        made = made_scene(rng(seed), size, **options)
        moment = made.scene.moments()[0]
        for label in ("water", "tree cover", "low vegetation", "bare land", "built-up", "snow and ice", "vegetation"):
            mask, truth = reasoner.find(made.scene, moment, label).mask, made.truth(label)
            if mask is not None:
                both, either = found.get(label, (0, 0))
                found[label] = both + int((mask & truth).sum()), either + int((mask | truth).sum())
    return {label: both / either for label, (both, either) in found.items() if either}


# ---- the table of materials -----------------------------------------------------------------------------------------
def test_the_table_is_small_and_its_colours_are_those_of_their_materials() -> None:
    path = Path(spectra.__file__).parents[1] / "data" / "spectra.npz"
    assert path.stat().st_size < 300_000
    assert len(spectra.BANDS) == 11 and {"soil", "leaves", "roof"} <= set(spectra.materials())
    for name in spectra.materials():
        rows = spectra.colours(name)
        assert rows.dtype == np.float32 and rows.shape[1] == 11 and len(rows) >= 15
        assert 0 < rows.min() <= rows.max() < 1.1
        assert (np.diff(rows.mean(1)) > -0.002).all()  # from dark to bright, to the rounding of the table
    red, nir, swir = (spectra.NAMES.index(k) for k in ("red", "nir", "swir16"))
    leaves, soil, char = (spectra.colours(k) for k in ("leaves", "soil", "char"))
    assert np.median(leaves[:, nir] / leaves[:, red]) > 8
    assert ((soil[:, swir] > soil[:, red]).mean() > 0.95) and char.mean() < 0.5 * soil.mean()
    with pytest.raises(NotFound, match="unknown material 'sole'.*soil"):
        spectra.colours("sole")
    with pytest.raises(ValueError, match="read-only"):
        soil[0, 0] = 0


def test_the_script_makes_the_shipped_table(tmp_path: Path) -> None:
    pytest.importorskip("earthlib", reason="the spectral library is needed only to make the table again")
    script = Path(__file__).with_name("build_spectra.py")
    subprocess.run([sys.executable, str(script), str(tmp_path / "new.npz")], check=True, capture_output=True)
    with np.load(tmp_path / "new.npz") as new:
        assert set(new.files) == set(spectra.materials())
        for name in new.files:
            np.testing.assert_allclose(new[name].astype(np.float32), spectra.colours(name), atol=1e-3)


# ---- truth ----------------------------------------------------------------------------------------------------------
@few
@given(any_seed, st.integers(32, 80), st.sampled_from(LAYOUTS), st.sampled_from(sorted(SEASONS)))
def test_truths_cover_the_scene_once_and_hold_no_speck(seed: int, size: int, layout: str, season: str) -> None:
    made = made_scene(rng(seed), size, layout=layout, season=season)
    assert np.sum([made.truth(x) for x in LEAVES], axis=0).tolist() == [[1] * size] * size
    assert made.season == season and made.layout == layout and made.change == ""
    for number in np.unique(made.maps[0]):
        parts, _ = ndimage.label(made.maps[0] == number, SQUARE)
        assert np.bincount(parts.ravel())[1:].min() >= 5
    share = made.mixed[0]
    assert share.dtype == np.float32 and share.min() == 0 and share.max() <= 6 / 7
    classes = made.maps[0]
    inside = np.array([ndimage.binary_erosion(classes == c, SQUARE, border_value=1) for c in np.unique(classes)]).any(0)
    assert share[inside].mean() < share[~inside].mean()  # a pixel is mixed at an edge of classes, or on a hedge or road


@few
@given(any_seed, st.sampled_from(LAYOUTS))
def test_images_are_what_a_reader_would_give(seed: int, layout: str) -> None:
    made = made_scene(rng(seed), 40, 20.0, layout=layout, pair=True)
    assert [i.modality for i in made.scene.images] == ["optical", "optical", "sar", "sar"]
    assert made.scene.grid.resolution == (20.0, 20.0) and len(made.scene.moments()) == 2
    assert "nothing measured on it speaks about real ground" in made.scene.notes[0]
    for image in made.scene.images:
        names = spectra.NAMES if image.modality == "optical" else ("vv", "vh")
        assert tuple(image.arrays()) == names and image.units == ("reflectance" if len(names) == 11 else "linear")
        for band in image.arrays().values():
            assert band.dtype == np.float32 and np.isfinite(band).all() and band.min() >= 0
    first, second = (optical(made, k).time for k in (0, 1))
    assert np.timedelta64(10, "D") <= second - first <= np.timedelta64(500, "D")


def test_a_seed_gives_the_same_scene_and_another_seed_another() -> None:
    for make in (
        lambda s: made_scene(rng(s), 48, pair=True, cloud=0.2, haze=0.3),
        lambda s: made_scene(rng(s), 48, layout="isolated"),
        lambda s: made_damage(rng(s), 64),
    ):
        one, same, other = make(3), make(3), make(4)
        assert (one.change, one.season) == (same.change, same.season)
        for a, b in zip(one.maps, same.maps, strict=True):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(one.scene.images, same.scene.images, strict=True):
            for name, band in a.arrays().items():
                np.testing.assert_array_equal(band, b.array(name))
        assert (one.maps[0] != other.maps[0]).any()


def test_pixels_at_the_edge_of_water_lie_between_water_and_land() -> None:
    made = made_scene(rng(12), 96, layout="isolated", season="summer", sar=False)
    seed = 12
    while not made.truth("water").any():
        seed += 1
        made = made_scene(rng(seed), 96, layout="isolated", season="summer", sar=False)
    water, nir = made.truth("water"), optical(made).array("nir")
    deep = ndimage.binary_erosion(water, SQUARE, iterations=2)
    far = ~ndimage.binary_dilation(water, SQUARE, iterations=3)
    shore = ndimage.binary_dilation(water, SQUARE) & ~ndimage.binary_erosion(water, SQUARE) & (made.mixed[0] > 0.2)
    assert nir[deep].mean() < nir[shore].mean() < nir[far].mean()


# ---- layouts --------------------------------------------------------------------------------------------------------
def test_close_layouts_hold_a_pair_within_six_points() -> None:
    for seed in range(12):
        made = made_scene(rng(seed), 64, layout="close", sar=False)
        shares = sorted((100 * made.truth(x).mean() for x in LEAVES), reverse=True)[1:3]
        assert 2 <= shares[0] - shares[1] <= 6 and shares[1] >= 8


def test_isolated_objects_are_apart_by_gaps_of_all_widths() -> None:
    gaps, scenes = [], 16
    for seed in range(scenes):
        made = made_scene(rng(seed), 96, layout="isolated", sar=False)
        regions = [Region(x, made.truth(x), Domain.whole(made.scene.grid)) for x in LEAVES if made.truth(x).any()]
        found = (rules.distance_measurement(a, b, "px").value for a, b in combinations(regions, 2))
        gaps += [g for g in found if g is not None]
    low, high = np.quantile(gaps, (0.1, 0.9))
    assert len(gaps) > 1.5 * scenes and high > 2.4 * low and np.std(gaps) > 0.4 * np.mean(gaps), (len(gaps), low, high)


# ---- sky ------------------------------------------------------------------------------------------------------------
@few
@given(any_seed, st.floats(0.05, 0.9), st.sampled_from(("thick", "thin", "both")))
def test_cloud_covers_the_share_asked_for_and_hides_with_its_shadow(seed: int, share: float, kind: str) -> None:
    made = made_scene(rng(seed), 48, cloud=share, clouds=kind)
    image = optical(made)
    assert made.truth("cloud").mean() == pytest.approx(share, abs=2 / 48**2)
    assert not (made.truth("cloud") & made.truth("cloud shadow")).any()
    np.testing.assert_array_equal(image.cloud, made.truth("cloud") | made.truth("cloud shadow"))
    assert radar(made).cloud is None


def test_thick_cloud_is_bright_thin_cloud_lets_the_ground_through_and_shadows_are_dark() -> None:
    clear, thin, thick = (
        made_scene(rng(5), 96, season="summer", cloud=c, clouds=k, sar=False)
        for c, k in ((0.0, "both"), (0.3, "thin"), (0.3, "thick"))
    )
    bare = optical(clear).array("red")
    seen = [np.corrcoef(bare[m.truth("cloud")], optical(m).array("red")[m.truth("cloud")])[0, 1] for m in (thin, thick)]
    assert seen[0] > seen[1] + 0.1
    heart = ndimage.binary_erosion(thick.truth("cloud"), SQUARE, iterations=5)
    assert optical(thick).array("blue")[heart].mean() > 0.4 > 4 * optical(clear).array("blue").mean()
    dark = thick.truth("cloud shadow")
    assert optical(thick).array("nir")[dark].mean() < 0.6 * optical(clear).array("nir")[dark].mean()


def test_haze_lifts_the_blue_more_than_the_infrared_and_flattens_contrast() -> None:
    clear, hazy = (made_scene(rng(6), 64, season="summer", haze=h, sar=False) for h in (0.0, 0.8))
    lift = [(optical(hazy).array(b) - optical(clear).array(b)).mean() for b in ("blue", "red", "swir22")]
    assert lift[0] > lift[1] > lift[2] and lift[0] > 0.03
    assert optical(hazy).array("red").std() < optical(clear).array("red").std()


def test_the_sun_stands_where_almanacs_say() -> None:
    # Elevation at 46° N by declination 23.4°, 0°, −23.4° and 1.5 hours before noon.
    for day, height, bearing in (("2021-06-21", 61, 133.5), ("2021-03-21", 40, 150), ("2021-12-21", 17.6, 158.4)):
        assert sun(day) == pytest.approx((height, bearing), abs=1.5)
    for seed in range(20):
        first = draw_day(rng(seed), "winter")
        later = draw_day(rng(seed + 50), "winter", first.time)
        gap = np.datetime64(later.time) - np.datetime64(first.time)
        assert np.timedelta64(10, "D") <= gap < np.timedelta64(460, "D")
        assert first.time[5:7] in ("12", "01", "02") and later.time[5:7] in ("12", "01", "02", "11")


# ---- change ---------------------------------------------------------------------------------------------------------
TURNS: dict[str, tuple[set[int], set[int]]] = {
    "clearing": ({10}, {30, 60}), "flood": ({30, 40, 60, 70}, {80}), "drying": ({80}, {60}), "harvest": ({40}, {60}),
    "building": ({30, 40, 60, 70}, {50}), "snow": ({30, 40, 60}, {70}), "fire": ({10, 30}, {110}),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_is_what_was_asked_for(change: str) -> None:
    asked = other = 0
    for seed in range(6):
        made = made_scene(rng(seed), 64, pair=True, change=change, sar=False)
        before, after = made.maps
        assert made.change == change and made.scene.images[0].day < made.scene.images[1].day
        if change == "none":
            np.testing.assert_array_equal(before, after)
            continue
        of, to = TURNS[change]
        turned = before != after
        expected = np.isin(before, list(of)) & np.isin(after, list(to)) & turned
        asked, other = asked + int(expected.sum()), other + int((turned & ~expected).sum())
        far = ndimage.binary_dilation(expected, SQUARE, iterations=3)
        assert (turned & ~far).mean() < 0.005  # what else turned are edges and specks beside it, and mixed pixels
    assert change == "none" or asked > 20 * max(1, other // 2)


def test_changes_add_up_and_are_drawn_where_none_is_named() -> None:
    both = made_scene(rng(1), 64, pair=True, change="flood+building", sar=False)
    assert {50, 80} <= set(np.unique(both.maps[1][both.maps[0] != both.maps[1]]))
    drawn = {made_scene(rng(s), 32, pair=True, sar=False).change for s in range(16)}
    assert len(drawn) >= 5 and drawn <= set(CHANGES)


def test_fields_keep_their_class_while_crops_go_on() -> None:
    made = made_scene(rng(2), 96, pair=True, change="none", season="spring", sar=False)
    crops = made.truth("cropland")
    red = [optical(made, k).array("red")[crops] for k in (0, 1)]
    assert (crops == made.truth("cropland", 1)).all() and np.abs(red[0] - red[1]).mean() > 0.02


def test_damaged_buildings_are_counted_exactly() -> None:
    for item in read_synthetic(3, "made-damage", size=96, destroyed=(0.2, 0.8)):
        (none, before), (lost, after) = item.counts[0], item.counts[1]
        assert none == 0 and before == after > 10 and 0.15 < lost / after < 0.85
        assert item.source == "synthetic made-damage" and "earthlib" in item.citation
    made = made_damage(rng(1), 128, destroyed=0.4)
    buildings, lost = made.truth("building"), made.truth("destroyed building", 1)
    total, ruined = (ndimage.label(m, SQUARE)[1] for m in (buildings, lost))
    assert ruined == round(0.4 * total) and (buildings == made.truth("building", 1)).all()


# ---- radar ----------------------------------------------------------------------------------------------------------
def test_speckle_is_that_of_a_terrain_corrected_ground_range_product() -> None:
    looks, alike = [], []
    for seed in range(200, 230):
        made = made_scene(rng(seed), 80, layout="isolated")
        wood = ndimage.binary_erosion(made.truth("tree cover"), SQUARE, iterations=3)
        if wood.mean() < 0.5:
            continue
        power = radar(made).array("vh")
        ratio = np.where(wood, power / ndimage.uniform_filter(power, 15) - 1, np.nan)
        looks.append(1 / np.nanvar(ratio))
        alike.append(np.nanmean(ratio[:, 1:] * ratio[:, :-1]) / np.nanvar(ratio))
    assert len(looks) >= 2
    assert 3.3 < np.mean(looks) < 5.5 and 0.55 < np.mean(alike) < 0.75  # real pairs: 4.3…6.1 and 0.63…0.72


def test_towns_are_bright_water_is_dark_and_woods_lie_between() -> None:
    levels: dict[str, list[float]] = {k: [] for k in ("water", "cropland", "tree cover", "built-up")}
    for seed in range(14):
        made = made_scene(rng(seed), 64)
        for label, values in levels.items():
            inside = ndimage.binary_erosion(made.truth(label), SQUARE)
            if inside.sum() > 30:
                values.append(10 * np.log10(radar(made).array("vv")[inside].mean()))
    water, crops, trees, towns = (float(np.median(v)) for v in levels.values())
    assert water < crops - 4 and crops < trees < towns - 2
    assert np.ptp(levels["water"]) > 3  # wind on some days


# ---- water ----------------------------------------------------------------------------------------------------------
def test_water_is_coloured_by_what_is_in_it() -> None:
    clear, muddy, dark, green = (reflectance(*v) for v in ((1, 1, 0.1), (5, 30, 0.8), (4, 1, 4), (50, 10, 0.8)))
    blue, red, edge, nir, swir = (spectra.NAMES.index(k) for k in ("blue", "red", "rededge1", "nir", "swir16"))
    assert clear.argmax() <= 2 and muddy[red] > 4 * clear[red] and dark[blue] < 0.3 * clear[blue]
    assert green[edge] > 0.9 * green[red] and all(w[nir] < 0.05 and w[swir] < 1e-3 for w in (clear, muddy, dark, green))
    sand = np.full(11, 0.3)
    shallow = [reflectance(1, 1, 0.1, depth, sand)[red] for depth in (0.1, 0.5, 2.0, 50.0)]
    assert shallow == sorted(shallow, reverse=True) and shallow[-1] == pytest.approx(clear[red], rel=1e-3)
    for kind in WATERS:
        deep, near = draw_water(rng(0), kind, sand)
        assert (deep > 0).all() and (near >= deep - 1e-9).all() and near.max() < 0.3


# ---- how real they look ---------------------------------------------------------------------------------------------
BIGEARTHNET = {"B02": "blue", "B03": "green", "B04": "red", "B08": "nir", "B11": "swir16", "B12": "swir22"}


def chip(folder: Path, key: str) -> dict[str, np.ndarray]:
    """A real pair of Sentinel-2 and Sentinel-1, 120 × 120: reflectance, and backscatter in dB."""
    (two,), (one,) = ([p for p in folder.glob(f"{s}*") if p.name.endswith(f"_{key}")] for s in ("S2", "S1"))
    out = {}
    for code, name in BIGEARTHNET.items():
        with rasterio.open(next(two.glob(f"*{code}.tif"))) as file:
            band = file.read(1) / 1e4
        out[name] = np.kron(band, np.ones((120 // len(band),) * 2))
    for name in ("vv", "vh"):
        with rasterio.open(next(one.glob(f"*{name.upper()}.tif"))) as file:
            out[name] = file.read(1)
    return out


def test_class_means_are_near_those_of_real_chips(shared_data: Callable[[str], Path]) -> None:
    """Band means of classes in made scenes and in real chips, among the pixels of the same greenness in both."""
    folder = shared_data("bigearthnet-pairs")
    lake, pasture, fields = (chip(folder, k) for k in ("69_24", "4_55", "87_48"))

    def ndvi(c: dict[str, np.ndarray]) -> np.ndarray:
        return (c["nir"] - c["red"]) / (c["nir"] + c["red"] + 1e-6)

    real = {
        ("tree cover", "summer"): (lake, 0.65, 0.95),  # conifers and birch in September
        ("grassland", "spring"): (pasture, 0.60, 0.95),
        ("cropland", "summer"): (fields, 0.60, 0.95),
        ("bare land", "spring"): (fields, 0.05, 0.30),
    }
    for (label, season), (c, low, high) in real.items():
        where = (ndvi(c) > low) & (ndvi(c) < high)
        pixels: dict[str, list[np.ndarray]] = {}
        for seed in range(8):
            made = made_scene(rng(seed), 64, season=season)
            green = ndvi(optical(made).arrays())
            pure = made.truth(label) & (made.mixed[0] == 0) & (green > low) & (green < high)
            bands = {**optical(made).arrays(), **{k: 10 * np.log10(v) for k, v in radar(made).arrays().items()}}
            for name in c:
                pixels.setdefault(name, []).append(bands[name][pure])
        for name in c:
            mine, theirs = np.concatenate(pixels[name]), c[name][where]
            if name in ("vv", "vh"):
                assert abs(mine.mean() - theirs.mean()) < 3.0, (label, name)
            else:
                assert 0.45 < mine.mean() / theirs.mean() < 1.8, (label, name, mine.mean(), theirs.mean())


def test_vegetation_indices_spread_as_in_real_chips(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("bigearthnet-pairs")
    real = [chip(folder, k) for k in ("69_24", "4_55", "36_85", "87_48", "56_35")]
    made = [made_scene(rng(s), 48, sar=False) for s in range(16)]
    land = [(c, c["nir"] > 0.05) for c in real]
    drawn = [(optical(m).arrays(), m.truth("vegetation") | m.truth("bare land")) for m in made]

    def quantiles(chips: Any, a: str, b: str) -> np.ndarray:
        index = np.concatenate([((c[a] - c[b]) / (c[a] + c[b] + 1e-6))[where] for c, where in chips])
        return np.quantile(index, (0.05, 0.25, 0.5, 0.75, 0.95))

    # Of land without towns. The real chips are two of Irish pasture in June, and fewer fields than are drawn.
    np.testing.assert_allclose(quantiles(drawn, "nir", "red"), quantiles(land, "nir", "red"), atol=0.3)
    np.testing.assert_allclose(quantiles(drawn, "green", "nir"), quantiles(land, "green", "nir"), atol=0.25)


def test_rules_find_much_but_not_all() -> None:
    found = measured(8, 64)
    bounds = {
        "water": (0.5, 0.98), "tree cover": (0.25, 0.9), "low vegetation": (0.4, 0.95), "bare land": (0.15, 0.9),
        "built-up": (0.08, 0.8), "vegetation": (0.6, 0.97),
    }  # fmt: skip
    for label, (low, high) in bounds.items():
        assert low < found[label] < high, found


# ---- seeds ----------------------------------------------------------------------------------------------------------
def test_held_out_seeds_are_one_in_eight_and_never_trained_on() -> None:
    assert [k for k in range(40) if held_out(k)] == [2, 6, 18, 29]  # the rule must never change
    assert np.mean([held_out(k) for k in range(8000)]) == pytest.approx(1 / 8, abs=0.015)
    assert np.mean([held_out(3, k) for k in range(8000)]) == pytest.approx(1 / 8, abs=0.015)
    train, test = set(seeds(500)), set(seeds(500, test=True))
    assert len(train) == len(test) == 500 and not train & test
    assert list(seeds(3, start=100)) == [k for k in range(100, 110) if not held_out(k)][:3]
    with pytest.raises(InvalidInput, match="whole numbers"):
        held_out(1.5)  # type: ignore[arg-type]


def test_the_source_of_made_scenes_splits_by_that_rule() -> None:
    options = {"layout": "isolated", "pair": True, "change": "none"}
    train, test = (
        [i.key for i in read_synthetic(4, "made", seed=7, size=32, sar=False, split=s, options=options)]
        for s in ("train", "test")
    )
    assert len(set(train) | set(test)) == 8
    for keys, kept_back in ((train, False), (test, True)):
        assert all(held_out(7, int(k.rsplit("-", 1)[1])) is kept_back for k in keys)
    one = next(read_synthetic(1, "made", seed=7, size=32, options=options))
    assert one.key == "synthetic-made-7-000000" and len(one.maps) == 2 and one.source == "synthetic made"
    assert [i.modality for i in one.scene.images] == ["optical", "optical", "sar", "sar"]
    again = next(read_synthetic(1, "made", seed=7, size=32, options=options))
    np.testing.assert_array_equal(one.maps[0], again.maps[0])


# ---- fields ---------------------------------------------------------------------------------------------------------
def test_a_field_is_of_unit_variance_and_as_smooth_as_it_is_wide() -> None:
    for width in (3.0, 8.0, 20.0):
        many = np.stack([smooth(rng(s), 100, width) for s in range(40)])
        assert many.std() == pytest.approx(1, abs=0.1) and abs(many.mean()) < 0.1
        lag = int(width / 2)
        assert np.corrcoef(many[:, lag:].ravel(), many[:, :-lag].ravel())[0, 1] > 0.8
        jumps = np.abs(np.diff(many, axis=2)).max((0, 1))
        assert jumps[63] < 1.5 * np.median(jumps)  # no seam between the blocks it is made in
    field = smooth(rng(0), 128, 10)
    assert (field > level(field, 0.3)).mean() == pytest.approx(0.3, abs=0.02) and level(field, 0.0) == np.inf


@few
@given(any_seed, st.floats(4, 40), st.floats(0, 100), st.floats(0, 100))
def test_a_blob_is_one_part_inside_its_window(seed: int, radius: float, row: float, col: float) -> None:
    window, mask = blob(rng(seed), 100, (row, col), radius)
    assert mask.shape == tuple(s.stop - s.start for s in window)
    assert ndimage.label(mask)[1] == 1
    assert mask.sum() <= 4 * np.pi * radius**2


# ---- refused --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (made_scene, {"size": 16}, "at least 32 pixels a side, got 16"),
        (made_scene, {"rng": 7}, "numpy.random.default_rng.7."),
        (made_scene, {"cloud": 1.5}, "cloud is a share, 0…1, got 1.5"),
        (made_scene, {"haze": -1}, "haze is a share"),
        (made_scene, {"snow": 3}, "snow is a share"),
        (made_scene, {"layout": "mixd"}, "unknown layout of a made scene 'mixd'.*mixed"),
        (made_scene, {"season": "sumer"}, "unknown season of a made scene 'sumer'.*summer"),
        (made_scene, {"clouds": "thik"}, "unknown clouds of a made scene 'thik'.*thick"),
        (made_scene, {"pair": True, "change": "flod"}, "unknown change of a made scene 'flod'.*flood"),
        (made_scene, {"change": "flood"}, "needs a second date: pass pair=True"),
        (made_damage, {"destroyed": 2}, "destroyed is a share of the buildings"),
        (made_damage, {"season": "sumer"}, "unknown season"),
        (read_synthetic, {"rng": 1, "kind": "made", "split": "tests"}, "unknown split of synthetic scenes 'tests'"),
        (
            read_synthetic,
            {"rng": 1, "kind": "made", "options": {"layot": 1}},
            "unknown option of made scenes 'layot'.*layout",
        ),
        (read_synthetic, {"rng": 1, "kind": "pair", "options": {"layout": "mixed"}}, "are for scenes of kind 'made'"),
    ],
)
def test_what_cannot_be_made_says_why(make: Any, options: dict[str, Any], words: str) -> None:
    first = options.get("rng", rng(0))
    with pytest.raises(InvalidInput, match=words):
        make(first, **{k: v for k, v in options.items() if k != "rng"})


def test_a_truth_that_is_not_there_is_refused() -> None:
    made = made_scene(rng(0), 32, sar=False)
    with pytest.raises(InvalidInput, match="unknown class of a synthetic scene 'wetlnd'"):
        made.truth("wetlnd")
    for label in ("water", "cloud"):
        with pytest.raises(InvalidInput, match="date 1 of a scene with 1"):
            made.truth(label, 1)
