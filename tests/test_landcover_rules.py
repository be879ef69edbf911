"""The land-cover rules: real scenes with their bounds, synthetic scenes with known truth, abstaining, errors."""

from __future__ import annotations

from pathlib import Path

import accuracy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.reason.rules.evidence import difference, estimate_haze
from terrascope_nb.reason.rules.histogram import find_valley
from terrascope_nb.reason.rules.landcover import LABELS, NEVER, classify
from terrascope_nb.reason.rules.sar import average_power

#: Surface reflectance of typical covers: blue, green, red, red edge, nir, swir 1.6, swir 2.2 (µm).
SPECTRA = {
    "clear water": (0.03, 0.025, 0.015, 0.012, 0.008, 0.005, 0.003),
    "muddy water": (0.07, 0.11, 0.13, 0.13, 0.10, 0.02, 0.012),
    "forest": (0.015, 0.028, 0.019, 0.058, 0.28, 0.12, 0.05),
    "shaded forest": (0.008, 0.014, 0.010, 0.025, 0.09, 0.04, 0.018),
    "meadow": (0.035, 0.075, 0.045, 0.12, 0.42, 0.24, 0.12),
    "bare soil": (0.09, 0.13, 0.18, 0.21, 0.25, 0.33, 0.28),
    "snow": (0.85, 0.83, 0.80, 0.80, 0.72, 0.10, 0.08),
    "cloud": (0.55, 0.54, 0.53, 0.54, 0.58, 0.45, 0.35),
}
BANDS = ("blue", "green", "red", "rededge1", "nir", "swir16", "swir22")
LABEL_OF = {
    "clear water": "water",
    "muddy water": "water",
    "forest": "tree cover",
    "shaded forest": "tree cover",
    "meadow": "low vegetation",
    "bare soil": "bare land",
    "snow": "snow and ice",
    "cloud": "cloud",
}
WIDTH = 24


def strips(names: tuple[str, ...], path: float = 0.0, noise: float = 0.002) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Vertical strips of covers, `path` of Rayleigh haze in the blue added; and the cover's number per pixel."""
    number = np.repeat(np.arange(len(names)), WIDTH)[None, :].repeat(80, 0)
    rng = np.random.default_rng(7)
    scatter = dict(zip(BANDS, (1.0, 0.586, 0.295, 0.233, 0.0, 0.0, 0.0), strict=True))
    bands = {}
    for i, band in enumerate(BANDS):
        level = np.array([SPECTRA[n][i] for n in names])[number]
        bands[band] = (level + path * scatter[band] + rng.normal(0, noise, number.shape)).astype("float32")
    return bands, number


def inner(number: np.ndarray, which: int) -> np.ndarray:
    """The strip without the 6 columns that share a neighbourhood with the next."""
    mask = number == which
    columns = np.flatnonzero(mask[0])
    keep = np.zeros_like(mask)
    keep[:, columns[6:-6]] = True
    return keep


def check_whole(found) -> None:
    """What holds of every classification."""
    total = np.zeros(found.valid.shape, int)
    for label, score in {**found.scores, **found.overlapping}.items():
        assert score.label == label
        if score.abstained is not None:
            assert score.abstained and score.score is None and score.mask is None
            continue
        assert score.rule and score.score.dtype == np.float32 and score.mask.dtype == bool
        judged = np.isfinite(score.score)
        assert np.array_equal(score.mask, np.where(judged, score.score, 0) > 0.5)
        assert not (judged & ~found.valid).any()
        assert score.score[judged].min(initial=0) >= 0 and score.score[judged].max(initial=0) <= 1
        assert 0 <= score.sar_share <= 1
        if label in found.scores:
            total += score.mask
    assert total.max() <= 1


# ---------------------------------------------------------------- real scenes


def at(shared_data, name: str) -> Path:
    return shared_data(name).parent


@pytest.fixture(scope="module")
def lake(shared_data):
    return accuracy.bigearthnet(at(shared_data, "bigearthnet-pairs"), "lake, Finland")


@pytest.mark.parametrize("use", ["optical", "sar", "both"])
def test_lake_share_is_within_three_points_by_each_sensor(lake, use):
    water = lake.classify(use).scores["water"]
    assert abs(100 * water.mask.mean() - 17.1) <= 3
    assert water.sar_share == {"optical": 0, "sar": 1}.get(use, water.sar_share)
    if use == "both":
        assert 0 < water.sar_share < 0.5


def test_lake_masks_of_both_sensors_agree(lake):
    by_light, by_radar = (lake.classify(use).scores["water"].mask for use in ("optical", "sar"))
    assert accuracy.iou(by_light, by_radar) >= 0.65
    assert accuracy.iou(by_light, lake.truth) >= 0.95


@pytest.mark.parametrize("names", [("blue", "green", "red", "nir"), ("blue", "green", "red")])
def test_lake_is_found_with_fewer_bands(lake, names):
    assert accuracy.iou(lake.only(*names).classify("optical").scores["water"].mask, lake.truth) >= 0.85


def test_lake_is_found_in_a_picture_of_itself(lake):
    picture = {n: np.clip(lake.optical[n] / 0.3 * 255, 0, 255).round() for n in ("blue", "green", "red")}
    found = classify(picture, None, optical_units="rgb8", pixel_size=10)
    assert accuracy.iou(found.scores["water"].mask, lake.truth) >= 0.8
    assert "short-wave" in found.scores["snow and ice"].abstained


def test_radar_decides_under_cloud(lake):
    cloud = np.zeros(lake.truth.shape, bool)
    cloud[:60] = True
    found = lake.classify(cloud=cloud)
    check_whole(found)
    water, trees = found.scores["water"], found.scores["tree cover"]
    alone = lake.classify("sar").scores["water"].mask
    assert np.array_equal(water.mask[:60], alone[:60]) and water.mask[:60].any()
    assert np.isnan(trees.score[:60]).all() and np.isfinite(trees.score[60:]).all()
    assert not found.scores["cloud"].mask[60:].any() and np.array_equal(found.cloud, cloud)
    assert not (found.scores["cloud"].mask & water.mask).any()
    assert water.sar_share > 0.5
    without = lake.classify("optical", cloud=cloud)
    assert not without.scores["water"].mask[:60].any() and without.scores["cloud"].mask[:60].all()


@pytest.mark.parametrize("index", list(accuracy.CLEAR_SLOVENIA))
def test_slovenian_forest_and_what_is_not(shared_data, index):
    case = accuracy.slovenia(at(shared_data, "eolearn-slovenia-ts"), index)
    known = case.truth > 0
    found = case.classify()
    check_whole(found)
    trees = found.scores["tree cover"].mask
    assert accuracy.iou(trees, case.truth == 2, known) >= 0.82
    assert accuracy.iou(~trees, case.truth != 2, known) >= 0.45
    assert found.cloud.mean() < 0.01 and not found.scores["water"].mask.any()


@pytest.mark.parametrize(("index", "least"), [(0, 0.99), (1, 0.8)])
def test_slovenian_cloud_is_cloud(shared_data, index, least):
    found = accuracy.slovenia(at(shared_data, "eolearn-slovenia-ts"), index).classify()
    check_whole(found)
    assert found.cloud.mean() > least


def test_carolina_water_is_no_worse_than_a_plain_infrared_threshold(shared_data):
    case = accuracy.carolina(at(shared_data, "nc-landsat7-landclass"))
    known = (case.truth > 0) & (case.truth < 8)
    found = case.classify()
    check_whole(found)
    plain = max(accuracy.iou(case.optical["nir"] < t, case.truth == 6, known) for t in range(20, 70))
    assert accuracy.iou(found.scores["water"].mask, case.truth == 6, known) >= max(plain, 0.68)
    assert (
        accuracy.iou(found.scores["tree cover"].mask, case.truth == 5, known) > (case.truth == 5)[known].mean() + 0.08
    )
    assert "counts" in found.scores["built-up"].abstained


@pytest.mark.parametrize("name", [n for n in accuracy.PAIRS if n != "lake, Finland"])
def test_no_water_is_seen_in_fields_and_hills(shared_data, name):
    case = accuracy.bigearthnet(at(shared_data, "bigearthnet-pairs"), name)
    for use, most in (("optical", 0.002), ("both", 0.002), ("sar", 0.03)):
        found = case.classify(use)
        check_whole(found)
        assert found.scores["water"].mask.mean() <= most
    if name == "pastures, Ireland":
        assert case.classify().scores["low vegetation"].mask.mean() > 0.9


def test_dry_steppe_has_neither_water_nor_trees(shared_data):
    for case in (accuracy.patagonia(at(shared_data, "xrspatial-patagonia-s2")),):
        for sub in (case, case.only("blue", "green", "red")):
            found = sub.classify()
            check_whole(found)
            assert found.scores["water"].mask.mean() < 0.001
            assert found.scores["tree cover"].mask.mean() < 0.001
            assert found.scores["bare land"].mask.mean() > 0.9


def test_lagoons_by_one_polarisation(shared_data):
    case = accuracy.camargue(at(shared_data, "pyrosar-s1-vv-db"))
    found = case.classify()
    check_whole(found)
    assert 0.10 < found.scores["water"].mask.sum() / found.valid.sum() < 0.25
    assert "VV and VH" in found.scores["built-up"].abstained


def test_forest_patches_and_fields(shared_data):
    data = at(shared_data, "eurosat-small")
    for path in sorted((data / "eurosat-small").glob("*_?.tif")):
        trees = accuracy.eurosat(data, path).classify().scores["tree cover"].mask.mean()
        assert trees > 0.95 if path.stem.startswith("Forest") else trees < 0.25, path.stem


def test_clouds_agree_with_the_scene_classification(shared_data):
    for date, case in accuracy.styria(at(shared_data, "mapchete-33twm-stac")).items():
        found = case.classify()
        check_whole(found)
        truth = np.isin(case.truth, (8, 9, 10))
        assert abs(found.cloud[found.valid].mean() - truth[found.valid].mean()) < 0.06, date
        assert found.scores["water"].mask[found.valid].mean() < 0.01


def test_odd_bands_and_negative_reflectance(shared_data):
    for case in (
        accuracy.texas(at(shared_data, "hls-texas-chip")),
        *accuracy.mol(at(shared_data, "gfmap-mol-s1s2-ts")).values(),
    ):
        found = case.classify()
        check_whole(found)
        assert found.scores["low vegetation"].mask.mean() > 0.5


@pytest.mark.parametrize(
    ("name", "use", "most"), [("lake, Finland", "both", 0.10), ("pastures, Ireland", "both", 0.05)]
)
def test_windows_change_few_labels(shared_data, name, use, most):
    case = accuracy.bigearthnet(at(shared_data, "bigearthnet-pairs"), name)
    assert accuracy.changed_by_window(case, use) <= most


# ----------------------------------------------------------- synthetic scenes


@pytest.mark.parametrize("path", [0.0, 0.03, 0.07])
def test_covers_are_told_apart_at_the_ground_and_through_the_air(path):
    names = ("clear water", "muddy water", "forest", "shaded forest", "meadow", "bare soil", "snow")
    bands, number = strips(names, path)
    found = classify(bands, None, pixel_size=10)
    check_whole(found)
    for i, name in enumerate(names):
        assert found.scores[LABEL_OF[name]].mask[inner(number, i)].mean() > 0.97, name


def test_cloud_is_told_from_snow_by_the_short_wave_only():
    bands, number = strips(("forest", "cloud", "snow", "meadow"))
    found = classify(bands, None, pixel_size=10)
    assert found.scores["cloud"].mask[inner(number, 1)].mean() > 0.97
    assert found.scores["snow and ice"].mask[inner(number, 2)].mean() > 0.97
    few = classify({n: bands[n] for n in ("blue", "green", "red", "nir")}, None, pixel_size=10)
    assert few.scores["snow and ice"].abstained and "short-wave" in few.scores["snow and ice"].abstained
    assert "snow looks the same" in few.scores["cloud"].rule


def test_small_white_roofs_are_not_cloud():
    bands, _ = strips(("meadow", "forest"))
    for band in bands.values():
        band[40:44, 10:14] = 0.45
    assert not classify(bands, None, pixel_size=10).cloud.any()


def test_nodata_of_one_band_blanks_only_its_pixels():
    bands, _ = strips(("clear water", "forest", "meadow"))
    whole = classify(bands, None, pixel_size=10)
    bands = {n: b.copy() for n, b in bands.items()}
    bands["red"][10:20, 30:40] = np.nan
    found = classify(bands, None, pixel_size=10)
    check_whole(found)
    gone = np.zeros(found.valid.shape, bool)
    gone[10:20, 30:40] = True
    assert np.array_equal(found.valid, ~gone)
    near = np.zeros_like(gone)
    near[8:22, 28:42] = True
    assert np.array_equal(accuracy.codes(found)[~near], accuracy.codes(whole)[~near])


def test_everything_nodata_gives_no_class():
    empty = {n: np.full((20, 20), np.nan, "float32") for n in BANDS}
    for units in ("reflectance", "dn"):
        found = classify(empty, None, optical_units=units)
        check_whole(found)
        assert not found.valid.any() and not accuracy.codes(found).any()


def test_what_bands_do_not_allow_is_abstained_from_with_a_reason():
    bands, _ = strips(("clear water", "forest"))
    radar = {"vv": np.full((80, 48), 0.05, "float32"), "vh": np.full((80, 48), 0.01, "float32")}
    counts = {n: b * 255 for n, b in bands.items()}
    none = {"tree cover", "low vegetation", "built-up", "bare land", "cloud"}
    cases = {
        "radar": (classify(None, radar), {*none, "snow and ice"} - {"built-up"}),
        "nir alone": (classify({"nir": bands["nir"]}, None), none),
        "one visible band": (classify({"red": bands["red"]}, None), set(LABELS)),
        "counts": (classify(counts, None, optical_units="dn"), {"cloud", "built-up", "bare land"}),
    }
    for name, (found, missing) in cases.items():
        check_whole(found)
        assert missing | set(NEVER) <= {n for n, s in found.scores.items() if s.abstained}, name
        assert set(found.labels()).isdisjoint(missing), name
    assert "does not tell" in cases["radar"][0].get("vegetation").abstained
    assert cases["radar"][0].get("water").abstained is None
    assert cases["nir alone"][0].get("water").mask[:, :20].all()


def test_radar_adds_walls_where_optical_cannot_tell_plants():
    radar = {"vv": np.full((80, 48), 0.03, "float32"), "vh": np.full((80, 48), 0.01, "float32")}
    radar["vv"][20:40, 30:44] = 1.0
    radar["vh"][20:40, 30:44] = 0.2
    built = classify({"nir": np.full((80, 48), 0.3, "float32")}, radar, pixel_size=10).scores["built-up"]
    assert built.mask[22:38, 32:42].all() and not built.mask[50:].any() and built.sar_share == 1


def test_unions_are_the_sum_of_their_parts():
    bands, _ = strips(("clear water", "forest", "meadow", "bare soil", "snow"))
    found = classify(bands, None, pixel_size=10)
    assert found.get("snow and ice").mask.any()
    plants, land = found.get("vegetation").mask, found.get("land").mask
    assert np.array_equal(plants, found.get("tree cover").mask | found.get("low vegetation").mask)
    assert np.array_equal(land, ~found.get("water").mask)


def test_rules_tell_the_thresholds_and_sensors():
    bands, _ = strips(("clear water", "forest"))
    radar = {"vv": np.full((80, 48), 0.05, "float32")}
    rule = classify(bands, radar, pixel_size=10).scores["water"].rule
    assert "bounds 0.05 to 0.1" in rule and "radar: VV in dB" in rule and "surer sensor" in rule


# ------------------------------------------------------------- errors, pieces


def test_errors_say_what_is_wrong():
    with pytest.raises(InvalidInput, match="needs bands"):
        classify(None, None)
    with pytest.raises(InvalidInput, match="'reflectance'"):
        classify({"red": np.zeros((3, 3))}, None, optical_units="counts")
    with pytest.raises(InvalidInput, match=r"red \(3, 3\), nir \(2, 3\)"):
        classify({"red": np.zeros((3, 3)), "nir": np.zeros((2, 3))}, None)
    with pytest.raises(InvalidInput, match="'vv' or 'vh'"):
        classify(None, {"hh": np.ones((3, 3))})
    with pytest.raises(InvalidInput, match="cloud"):
        classify({"red": np.zeros((3, 3))}, None, cloud=np.zeros((2, 2), bool))
    with pytest.raises(NotFound, match="tree cover"):
        classify(None, {"vv": np.ones((9, 9))}).get("lava")


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=400),
    st.floats(-1, 0.5),
    st.floats(0.1, 1),
    st.floats(0, 1),
)
def test_a_cut_never_leaves_its_bounds(values, low, width, where):
    high, default = low + width, low + where * width
    cut = find_valley(np.array(values), low, high, default)
    assert low - 1e-9 <= cut.value <= high + 1e-9
    assert cut.found or cut.value == default


@given(st.floats(0.02, 0.2), st.integers(1, 5))
def test_averaging_keeps_the_mean_of_even_power_and_of_nodata_edges(level, width):
    power = np.full((12, 12), level, "float32")
    power[:4] = np.nan
    mean = average_power(power, np.isfinite(power), 2 * width - 1)
    assert np.allclose(mean[4:], level, rtol=1e-3)


@pytest.mark.parametrize("path", [0.0, 0.03, 0.06])
def test_haze_is_estimated(path):
    bands, _ = strips(("forest", "meadow", "bare soil"), path)
    found = estimate_haze(bands, np.ones((80, 72), bool))
    assert abs(found - path) < 0.03  # the blue of soils and plants scatters by that much


def test_difference_stands_negative_reflectance():
    ratio = difference(np.float32([-0.01, 0.5]), np.float32([0.2, -0.3]))
    assert np.isfinite(ratio).all() and np.abs(ratio).max() <= 1
