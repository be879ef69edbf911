"""Scene from arrays and cubes: band names, layouts, units, dates, one grid; and what a scene can do."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from terrascope_nb.errors import GridMismatch, InvalidInput, NotFound, UnknownUnits
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene import samples
from terrascope_nb.scene.bands import common_name
from terrascope_nb.scene.build import from_arrays, from_cubes
from terrascope_nb.scene.scene import Scene

UTM = Affine(10, 0, 500_000, 0, -10, 5_000_000)
RNG = np.random.default_rng(5)


def reflectance(*shape: int) -> np.ndarray:
    return RNG.uniform(0.01, 0.5, shape).astype(np.float32)


# ---- band names -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("B02", "blue"), ("b2", "blue"), ("Band 4", "red"), ("B8A", "nir08"), ("b08", "nir"), ("B11", "swir16"),
        ("B01", "coastal"), ("B06", "rededge2"), ("SWIR2", "swir22"), (" Red ", "red"), ("NIR", "nir"), ("scl", "scl"),
        ("B10", "cirrus"),
    ],
)  # fmt: skip
def test_optical_band_names(given: str, want: str) -> None:
    assert common_name(given) == want


@pytest.mark.parametrize("name", ["VV", "vv", "S1-SIGMA0-VV", "gamma0_vv", "Gamma0 VV"])
def test_sar_band_names(name: str) -> None:
    assert common_name(name, "sar") == "vv"


def test_unknown_bands_get_a_suggestion() -> None:
    with pytest.raises(NotFound, match="unknown optical band 'gren'; did you mean 'green'"):
        common_name("gren")
    with pytest.raises(NotFound, match="unknown SAR band 'vvv'"):
        common_name("vvv", "sar")
    with pytest.raises(NotFound, match="B13"):
        common_name("B13")


def test_two_bands_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInput, match="'red' from B04, red"):
        from_arrays(reflectance(2, 4, 4), bands=["B04", "red"])
    with pytest.raises(InvalidInput, match=r"write bands=\['B04'\]"):
        from_arrays(reflectance(3, 4, 4), bands="B04")


# ---- layouts --------------------------------------------------------------------------------------------------------
@given(h=st.integers(5, 9), w=st.integers(5, 9), b=st.integers(1, 4), t=st.integers(1, 3), last=st.booleans())
def test_every_layout_gives_the_same_bands(h: int, w: int, b: int, t: int, last: bool) -> None:
    names = ["blue", "green", "red", "nir"][:b]
    cube = np.random.default_rng(0).uniform(0.0, 0.5, (t, b, h, w)).astype(np.float32)
    times = [f"2023-07-{k + 1:02d}" for k in range(t)]
    array = cube if t > 1 else cube[0]
    scene = from_arrays(np.moveaxis(array, -3, -1) if last else array, bands=names, times=times)
    assert len(scene.images) == t
    for k, image in enumerate(scene.images):
        assert image.day == times[k]
        for n, name in enumerate(names):
            assert (image.array(name) == cube[k, n]).all()


def test_an_ambiguous_layout_shows_both_ways() -> None:
    with pytest.raises(InvalidInput) as caught:
        from_arrays(reflectance(4, 6, 4), bands=["blue", "green", "red", "nir"])
    assert "(4, 6, 4)" in str(caught.value)
    assert "array[None]" in str(caught.value) and "np.moveaxis(array, 2, 0)[None]" in str(caught.value)
    scene = from_arrays(reflectance(4, 6, 4)[None], bands=["blue", "green", "red", "nir"])
    assert scene.grid.shape == (6, 4)


@pytest.mark.parametrize(
    ("array", "bands", "words"),
    [
        (reflectance(5, 6, 7), ["red", "nir"], "names 2: neither"),
        (reflectance(5, 6, 7), None, "nothing names its bands"),
        (reflectance(2, 5, 6, 7), ["red"], "neither"),
        (reflectance(1, 1, 1, 1, 1), ["red"], "5 dimensions"),
        (np.array([["a"]]), ["red"], "must be numbers"),
        (reflectance(6, 7), ["red", "nir"], "names 2 bands, optical has 1"),
    ],
)
def test_layouts_that_do_not_fit(array: np.ndarray, bands: list[str] | None, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        from_arrays(array, bands=bands)


def test_none_leaves_a_band_out() -> None:
    scene = from_arrays(reflectance(3, 4, 4), bands=["red", None, "nir"])
    assert list(scene.images[0].bands) == ["red", "nir"]


# ---- DataArrays -----------------------------------------------------------------------------------------------------
def cube(h: int = 6, w: int = 5, south_first: bool = False, **coords: object) -> xr.DataArray:
    ys = 5_000_000 - 10 * (np.arange(h) + 0.5)
    values = np.random.default_rng(1).uniform(0, 0.5, (2, h, w)).astype(np.float32)
    array = xr.DataArray(
        values,
        dims=("band", "y", "x"),
        coords={"band": ["B04", "B08"], "y": ys, "x": 500_000 + 10 * (np.arange(w) + 0.5)},
    )
    array = array.rio.write_crs(32633)
    return array.isel(y=slice(None, None, -1)) if south_first else array


def test_a_dataarray_brings_names_and_grid() -> None:
    scene = from_arrays(cube())
    image = scene.images[0]
    assert list(image.bands) == ["red", "nir"]
    assert image.grid == Grid(UTM, (6, 5), 32633)
    assert image.bands.rio.crs.to_epsg() == 32633 and image.bands.rio.transform() == UTM


def test_rows_that_come_south_first_are_turned_and_noted() -> None:
    north, south = from_arrays(cube()).images[0], from_arrays(cube(south_first=True)).images[0]
    assert south.grid == north.grid and (south.array("red") == north.array("red")).all()
    assert any("south first" in n for n in south.notes) and not any("south first" in n for n in north.notes)
    mask = np.zeros((6, 5), bool)
    mask[0] = True
    a = from_arrays(cube(south_first=True), cloud=mask[::-1]).images[0]
    assert (a.cloud == mask).all()  # cloud is given in the array's own order


def test_other_dimension_names_and_times_are_understood() -> None:
    array = cube().rename(y="latitude", x="longitude").expand_dims(t=np.array(["2023-07-01T10:30"], "datetime64[ns]"))
    scene = from_arrays(array, crs=32633)
    assert scene.images[0].time == np.datetime64("2023-07-01T10:30:00") and scene.grid.transform == UTM


def test_a_dask_array_is_computed_with_one_read() -> None:
    import dask

    calls = []

    def count(block: np.ndarray) -> np.ndarray:
        if block.size:
            calls.append(block.shape)
        return block

    import dask.array as da

    lazy = cube().chunk(band=1, y=3)
    lazy = lazy.copy(data=lazy.data.map_blocks(count, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32)))
    with dask.config.set(scheduler="synchronous"):
        scene = from_arrays(lazy)
    assert isinstance(lazy.data, da.Array) and len(calls) == 4  # each block once
    assert isinstance(scene.images[0].bands["red"].data, np.ndarray)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.rename(y="height"), "named y and x"),
        (lambda a: a.expand_dims(orbit=[1, 2]), "orbit; select along them first"),
        (lambda a: a.assign_coords(x=[0.0, 10, 20, 30, 55]), "not evenly spaced"),
        (lambda a: a.drop_vars("band"), r"without names: name each, e.g. bands="),
    ],
)
def test_dataarrays_that_do_not_fit(change: object, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        from_arrays(change(cube()))  # type: ignore[operator]


def test_crs_and_transform_go_together() -> None:
    with pytest.raises(InvalidInput, match="without transform="):
        from_arrays(reflectance(1, 4, 4), bands=["red"], crs=32633)
    with pytest.raises(InvalidInput, match="six numbers"):
        from_arrays(reflectance(1, 4, 4), bands=["red"], crs=32633, transform=(1, 2, 3))
    scene = from_arrays(reflectance(1, 4, 4), bands=["red"], crs=32633, transform=tuple(UTM)[:6])
    assert scene.grid == Grid(UTM, (4, 4), 32633)


# ---- units ----------------------------------------------------------------------------------------------------------
def test_scale_and_offset_are_applied_and_noted() -> None:
    dn = np.array([[[1000, 2000], [0, 11000]]], np.uint16)
    image = from_arrays(dn, bands=["red"], scale=1e-4, offset=-0.1, nodata=0).images[0]
    assert np.allclose(image.array("red"), [[0.0, 0.1], [np.nan, 1.0]], atol=1e-6, equal_nan=True)
    assert image.notes[0] == "reflectance = number × 0.0001 − 0.1 (as given)"


def test_units_that_cannot_be_told_show_the_calls() -> None:
    dn = np.full((1, 4, 4), 1500, np.uint16)
    with pytest.raises(UnknownUnits) as caught:
        from_arrays(dn, bands=["red"])
    for words in ("uint16, 1500 to 1500", "scale=1e-4, offset=0)", "04.00", "offset=-0.1)", "units='dn')"):
        assert words in str(caught.value)
    with pytest.raises(UnknownUnits, match="8-bit"):
        from_arrays(np.full((2, 4, 4), 90, np.uint8), bands=["red", "nir"])
    with pytest.raises(UnknownUnits, match="median reflectance of red is 15"):
        from_arrays(dn, bands=["red"], scale=0.01)
    with pytest.raises(UnknownUnits, match="median reflectance of red is 1500"):
        from_arrays(dn, bands=["red"], units="reflectance")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"units": "dn", "scale": 1e-4}, "drop one"),
        ({"offset": -0.1}, "without scale="),
        ({"scale": 0.0}, "other than 0"),
        ({"scale": float("nan")}, "finite"),
        ({"units": "DN"}, "did you mean 'dn'"),
        ({"units": "rgb8"}, "red, green and blue"),
    ],
)
def test_contradicting_units(options: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        from_arrays(np.full((1, 4, 4), 1500, np.uint16), bands=["red"], **options)  # type: ignore[arg-type]


def test_uncalibrated_numbers_stay_as_they_are(shared_data: object) -> None:
    import rasterio

    path = shared_data("nc-landsat7-landclass") / "lsat7_2002.tif"  # type: ignore[operator]
    with rasterio.open(path) as src:
        numbers = src.read()[:6]
    bands = ["blue", "green", "red", "nir", "swir16", "swir22"]
    image = from_arrays(numbers, bands=bands, units="dn").images[0]
    assert image.units == "dn" and (image.array("nir") == numbers[3]).all()


def test_no_place_no_date_no_infrared_swir(shared_data: object) -> None:
    stored = np.load(shared_data("spyndex-s2-nocrs") / "S2_10m_B02B03B04B08.npz")  # type: ignore[operator]
    scene = from_arrays(stored["data"], bands=list(stored["bands"]), scale=1e-4)
    image = scene.images[0]
    assert image.grid.crs is None and image.day == "undated" and list(image.bands) == ["blue", "green", "red", "nir"]
    assert np.isclose(image.array("nir").max(), stored["data"][3].max() * 1e-4)


def test_thermal_bands_are_no_reflectance() -> None:
    image = from_arrays(reflectance(2, 4, 4), bands=["B04", "B10"], sensor="landsat-c2-l2").images[0]
    assert list(image.bands) == ["red"] and any("lwir11 left out" in n for n in image.notes)


# ---- SAR units ------------------------------------------------------------------------------------------------------
def test_sar_units_are_told_and_kept_as_power() -> None:
    db = RNG.uniform(-25, -3, (2, 6, 6)).astype(np.float32)
    power = 10 ** (db / 10)
    for array in (db, power):
        image = from_arrays(sar=array, sar_bands=["VV", "VH"]).images[0]
        assert image.units == "linear" and np.allclose(image.array("vh"), power[1], rtol=1e-5)
    coded = np.round(10 ** ((db + 83) / 20)).astype(np.uint16)
    image = from_arrays(sar=coded, sar_bands=["VV", "VH"], sar_calibration=(20, -83)).images[0]
    assert np.allclose(10 * np.log10(image.array("vv")), db[0], atol=0.02)


def test_sar_nodata_goes_first() -> None:
    db = np.full((1, 10, 10), -99.0, np.float32)
    db[0, :2] = 0.04  # linear power where there is data: -99 must not make it look like dB
    image = from_arrays(sar=db, sar_bands=["vv"], nodata=-99).images[0]
    assert image.valid.sum() == 20 and np.isclose(np.nanmax(image.array("vv")), 0.04)


def test_sar_units_that_cannot_be_told_show_the_calls() -> None:
    with pytest.raises(UnknownUnits) as caught:
        from_arrays(sar=np.full((2, 4, 4), 2500, np.uint16), sar_bands=["VV", "VH"])
    for words in ("sar_units='db'", "sar_units='linear'", "sar_units='dn', sar_calibration=(20, -83)"):
        assert words in str(caught.value)
    with pytest.raises(InvalidInput, match="needs the product's calibration"):
        from_arrays(sar=np.full((1, 4, 4), 2500, np.uint16), sar_bands=["VV"], sar_units="dn")
    with pytest.raises(UnknownUnits, match="is it 'linear'"):
        from_arrays(sar=np.full((1, 4, 4), 0.1), sar_bands=["VV"], sar_units="db")
    with pytest.raises(UnknownUnits, match="is it 'db'"):
        from_arrays(sar=np.full((1, 4, 4), -10.0), sar_bands=["VV"], sar_units="linear")
    with pytest.raises(InvalidInput, match="contradict"):
        from_arrays(sar=np.full((1, 4, 4), -10.0), sar_bands=["VV"], sar_units="db", sar_calibration=(20, -83))
    with pytest.raises(InvalidInput, match=r"sar_bands=\['VV', 'VH'\]"):
        from_arrays(sar=np.full((2, 4, 4), -10.0))


def test_border_noise_counts_as_no_data() -> None:
    power = np.full((2, 10, 10), 0.05, np.float32)
    power[0, 0, :3] = 0
    image = from_arrays(sar=power, sar_bands=["vv", "vh"]).images[0]
    assert (~image.valid).sum() == 3 and any(n.startswith("3 pixels with zero or negative power") for n in image.notes)


# ---- dates, cloud, grids --------------------------------------------------------------------------------------------
def test_dates_must_match() -> None:
    with pytest.raises(InvalidInput, match="times= has 1 date, optical has 2"):
        from_arrays(reflectance(2, 1, 4, 4), bands=["red"], times=["2023-07-01"])
    with pytest.raises(InvalidInput, match="cannot read '1st of May'"):
        from_arrays(reflectance(1, 4, 4), bands=["red"], times=["1st of May"])
    scene = from_arrays(reflectance(1, 4, 4), bands=["red"], times="2023-07-01T10:30:21Z")
    assert scene.images[0].time == np.datetime64("2023-07-01T10:30:21")


def test_radar_takes_the_optical_dates_where_they_fit() -> None:
    optical, sar = reflectance(2, 1, 4, 4), np.full((2, 1, 4, 4), 0.05)
    scene = from_arrays(optical, sar, bands=["red"], sar_bands=["vv"], times=["2023-07-01", "2023-07-13"])
    assert [(i.modality, i.day) for i in scene.images] == [
        ("optical", "2023-07-01"), ("optical", "2023-07-13"), ("sar", "2023-07-01"), ("sar", "2023-07-13"),
    ]  # fmt: skip
    assert [(m.optical, m.sar) for m in scene.moments()] == [(0, 2), (1, 3)]


def test_cloud_is_taken_as_given_or_said_to_be_missing() -> None:
    cloud = np.zeros((4, 4), bool)
    cloud[0] = True
    image = from_arrays(reflectance(1, 4, 4), bands=["red"], cloud=cloud).images[0]
    assert (image.clear == ~cloud).all()
    image = from_arrays(reflectance(1, 4, 4), bands=["red"]).images[0]
    assert image.cloud is None and any("every pixel with data counts as clear" in n for n in image.notes)
    with pytest.raises(GridMismatch, match=r"\(3, 3\); the optical images need \(4, 4\)"):
        from_arrays(reflectance(1, 4, 4), bands=["red"], cloud=np.zeros((3, 3), bool))
    with pytest.raises(InvalidInput, match="name that band 'scl'"):
        from_arrays(reflectance(1, 4, 4), bands=["red"], cloud=np.full((4, 4), 9))


def test_a_classification_among_the_bands_becomes_the_cloud_mask() -> None:
    array = np.concatenate([reflectance(1, 1, 5), np.array([[[4, 9, 3, 6, 11]]], np.float32)])
    image = from_arrays(array, bands=["red", "SCL"]).images[0]
    assert image.cloud is not None and image.cloud[0].tolist() == [False, True, True, False, False]
    assert list(image.bands) == ["red"] and any("'scl'" in n for n in image.notes)


def test_two_grids_are_refused_with_the_call_that_mends() -> None:
    sar = xr.DataArray(np.full((1, 3, 3), 0.05), dims=("band", "y", "x"), coords={"band": ["vv"]})
    sar = sar.assign_coords(y=[4_999_990.0, 4_999_970, 4_999_950], x=[500_010.0, 500_030, 500_050]).rio.write_crs(32633)
    with pytest.raises(GridMismatch, match=r"sar\.rio\.reproject_match\(optical"):
        from_arrays(cube(), sar)
    on = sar.rio.reproject_match(cube())
    assert from_arrays(cube(), on).grid.shape == (6, 5)


def test_pictures_without_a_place_may_differ_but_have_no_common_grid() -> None:
    scene = from_arrays(reflectance(1, 4, 4), np.full((1, 8, 8), 0.05), bands=["red"], sar_bands=["vv"])
    with pytest.raises(GridMismatch, match="have 2 grids"):
        _ = scene.grid


def test_a_date_without_data_is_left_out_and_said() -> None:
    array = reflectance(2, 1, 4, 4)
    array[0] = np.nan
    scene = from_arrays(array, bands=["red"], times=["2023-07-01", "2023-07-06"])
    assert [i.day for i in scene.images] == ["2023-07-06"]
    assert scene.notes == ("left out: optical 2023-07-01 has no valid pixel",)
    with pytest.raises(NotFound, match="no image is left"):
        from_arrays(np.full((1, 4, 4), np.nan), bands=["red"], units="reflectance")


def test_an_aoi_must_meet_the_images() -> None:
    inside = AOI.from_bbox((500_000, 4_999_940, 500_024, 5_000_000), crs=32633)
    scene = from_arrays(cube(), aoi=inside)
    assert scene.inside(0).sum() == 6 * 2  # the third column's centre lies at 25 m, outside 24 m
    with pytest.raises(InvalidInput, match="holds no pixel centre"):
        from_arrays(cube(), aoi=AOI.from_bbox((0, 0, 10, 10), crs=32633))
    with pytest.raises(InvalidInput, match="needs images with a CRS"):
        from_arrays(reflectance(1, 4, 4), bands=["red"], aoi=inside)


def test_nothing_given() -> None:
    for build in (from_arrays, from_cubes, Scene.from_files):
        with pytest.raises(InvalidInput, match="give optical=, sar= or both"):
            build()


# ---- cubes ----------------------------------------------------------------------------------------------------------
def a_cube(dates: int = 3, **attrs: str) -> xr.Dataset:
    ds = cube().to_dataset("band").rename(B04="red", B08="nir")
    times = np.datetime64("2023-07-01T10:30:00", "ns") + np.arange(dates) * np.timedelta64(5, "D")
    ds = ds.expand_dims(time=times).copy(deep=True)
    return ds.assign_attrs(attrs)


def test_from_cubes_reads_dates_sources_and_notes() -> None:
    ds = a_cube(
        **{"terrascope:sensor": "sentinel-2-l2a", "terrascope:units": "reflectance", "terrascope:scaling": "as said"}
    )
    ds = ds.assign_coords(item_ids=("time", ["a b", "c", "d"]))
    ds["scl"] = (("time", "y", "x"), np.full((3, 6, 5), 4, np.uint8))
    ds["scl"][1, 0, 0] = 9
    scene = from_cubes(ds, name="here")
    assert [i.day for i in scene.images] == ["2023-07-01", "2023-07-06", "2023-07-11"]
    assert scene.images[0].sources == ("a", "b") and scene.images[0].sensor == "sentinel-2-l2a"
    assert scene.images[0].notes[1] == "as said" or "as said" in scene.images[0].notes
    assert [int(i.cloud.sum()) for i in scene.images] == [0, 1, 0]  # type: ignore[union-attr]
    assert "scl" not in scene.images[0].bands
    assert [i.day for i in from_cubes(ds, times=["2023-07-06"]).images] == ["2023-07-06"]
    assert len(from_cubes(ds, times="2023-07").images) == 3
    with pytest.raises(NotFound, match="unknown date of the optical cube '2023-08-01'"):
        from_cubes(ds, times=["2023-08-01"])


def test_cubes_with_numbers_of_no_known_unit_are_refused() -> None:
    with pytest.raises(UnknownUnits, match="scale=1e-4"):
        from_cubes((a_cube(1) * 10_000).astype(np.uint16))
    with pytest.raises(InvalidInput, match="use Scene.from_arrays"):
        from_cubes(cube())  # type: ignore[arg-type]


def test_cubes_on_two_grids_are_refused() -> None:
    sar = a_cube(1).rename(red="vv", nir="vh").isel(x=slice(0, 4))
    with pytest.raises(GridMismatch, match="reproject_match"):
        from_cubes(a_cube(1), sar)


def test_a_lazy_cube_is_read_once() -> None:
    import dask

    calls = []

    def count(block: np.ndarray) -> np.ndarray:
        if block.size:
            calls.append(1)
        return block

    ds = a_cube(2).chunk(time=1)
    ds = ds.map(lambda v: v.copy(data=v.data.map_blocks(count, dtype=v.dtype, meta=np.empty((0, 0, 0), v.dtype))))
    ds["scl"] = (("time", "y", "x"), np.full((2, 6, 5), 4, np.uint8))
    with dask.config.set(scheduler="synchronous"):
        scene = from_cubes(ds, times=["2023-07-06"])
    assert len(scene.images) == 1 and len(calls) == 2  # two bands of one date


# ---- what a scene can do --------------------------------------------------------------------------------------------
def test_scenes_pickle() -> None:
    for scene in (samples.load("lake"), from_arrays(reflectance(1, 4, 4), bands=["red"])):
        back = pickle.loads(pickle.dumps(scene))
        assert repr(back) == repr(scene) and back.images[0].grid == scene.images[0].grid
        name = next(iter(scene.images[0].bands))
        assert np.array_equal(back.images[0].array(name), scene.images[0].array(name), equal_nan=True)


def test_select_narrows_a_scene() -> None:
    scene = samples.load("lake")
    assert scene.select("sar").modalities == ("sar",)
    assert scene.select(times="2017-09-24").modalities == ("optical",)
    with pytest.raises(NotFound, match="no image of 2018; this scene has 2017-09-24, 2017-09-25"):
        scene.select(times="2018")
    with pytest.raises(InvalidInput, match="did you mean 'sar'"):
        scene.select("sarr")
    west, south, east, north = scene.grid.bounds
    small = scene.select(aoi=AOI.from_bbox((west, south, west + 200, south + 300), crs=scene.grid.crs))
    assert small.grid.shape == (30, 20) and small.grid.bounds == (west, south, west + 200, south + 300)
    assert (small.images[0].array("nir") == scene.images[0].array("nir")[-30:, :20]).all()


def test_blank_keeps_no_evidence_and_is_recorded() -> None:
    scene = samples.load("lake")
    blank = scene.blank("sar").images[1]
    assert blank.blanked and any(n.startswith("blanked") for n in blank.notes)
    assert np.unique(blank.array("vv")).size == 1
    seen = scene.images[1].view.pixels.reshape(-1, 3).mean(axis=0)
    assert np.abs(blank.view.pixels[0, 0] - seen).max() <= 1  # the mean of its view, not of its linear power
    assert not scene.images[1].blanked
    with pytest.raises(NotFound, match="modality of this scene"):
        scene.select("optical").blank("sar")
