"""Scene from files: real products with their traps, tiny files for the rules, and errors that show the call to make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image as Picture

from terrascope_nb.errors import GridMismatch, InvalidInput, ReadFailed, UnknownUnits
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.scene import samples
from terrascope_nb.scene.files import from_files

UTM = Affine(10, 0, 500_000, 0, -10, 5_000_000)
COARSE = Affine(20, 0, 500_000, 0, -20, 5_000_000)
S2_BANDS = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]
EUROSAT = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A"]
Data = Callable[[str], Path]


def write(
    path: Path, array: np.ndarray, transform: Affine | None = UTM, crs: int | None = 32633, **options: Any
) -> Path:
    array = array if array.ndim == 3 else array[None]
    tags, masks = options.pop("tags", {}), options.pop("mask", None)
    scales, offsets, names = (
        options.pop("scales", None),
        options.pop("offsets", None),
        options.pop("descriptions", None),
    )
    h, w = array.shape[1:]
    with rasterio.open(
        path, "w", driver=options.pop("driver", "GTiff"), height=h, width=w, count=len(array),
        dtype=array.dtype, crs=crs, transform=transform, **options,
    ) as dst:  # fmt: skip
        dst.write(array)
        if masks is not None:
            dst.write_mask(masks)
        if scales is not None:
            dst.scales, dst.offsets = scales, offsets
        for k, name in enumerate(names or (), start=1):
            dst.set_band_description(k, name)
        dst.update_tags(**tags)
    return path


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).integers(100, 4000, shape).astype(np.uint16)


# ---- real data ------------------------------------------------------------------------------------------------------
def pair(shared_data: Data) -> tuple[list[Path], list[Path]]:
    folder = shared_data("bigearthnet-pairs")
    s2, s1 = "S2B_MSIL2A_20170924T93020_69_24", "S1A_IW_GRDH_1SDV_20170925T043256_35VPK_69_24"
    return [folder / s2 / f"{s2}_{b}.tif" for b in S2_BANDS], [folder / s1 / f"{s1}_{b}.tif" for b in ("VV", "VH")]


def test_band_files_of_three_resolutions_and_a_radar_pair(shared_data: Data) -> None:
    optical, sar = pair(shared_data)
    scene = from_files(
        optical,
        sar,
        bands=S2_BANDS,
        sar_bands=["VV", "VH"],
        scale=1e-4,
        times=["2017-09-24T09:30:20"],
        sar_times=["2017-09-25T04:32:56"],
    )
    o, s = scene.images
    assert scene.grid.shape == (120, 120) and scene.grid.resolution == (10, 10) and len(o.bands) == 12
    assert "coastal, nir09 resampled from 60 to 10, bilinear" in o.notes
    assert "rededge1, rededge2, rededge3, nir08, swir16, swir22 resampled from 20 to 10, bilinear" in o.notes
    assert o.valid.all() and s.valid.all() and (o.day, s.day) == ("2017-09-24", "2017-09-25")
    with rasterio.open(optical[7]) as src:
        assert np.array_equal(o.array("nir"), (src.read(1) * 1e-4).astype(np.float32))
    with rasterio.open(optical[10]) as src:
        coarse = src.read(1) * 1e-4
    assert np.isclose(o.array("swir16").mean(), coarse.mean(), rtol=0.01)
    assert np.allclose(o.array("swir16")[60:62, 60:62].mean(), coarse[30, 30], atol=0.02)


def test_files_and_the_sample_catalogue_agree(shared_data: Data) -> None:
    optical, sar = pair(shared_data)
    scene = from_files(optical, sar, bands=S2_BANDS, sar_bands=["VV", "VH"], scale=1e-4)
    sample = samples.load("lake")
    assert scene.grid == sample.grid
    for mine, theirs in zip(scene.images, sample.images, strict=True):
        for name in ("blue", "green", "red", "nir") if mine.modality == "optical" else ("vv", "vh"):
            assert np.allclose(mine.array(name), theirs.array(name), rtol=1e-5)
        if mine.modality == "optical":
            for name in ("swir16", "nir08", "coastal"):
                assert np.abs(mine.array(name) - theirs.array(name))[2:-2, 2:-2].max() < 0.01


def test_units_that_are_not_in_the_file_show_the_call(shared_data: Data) -> None:
    optical, _ = pair(shared_data)
    with pytest.raises(UnknownUnits) as caught:
        from_files(optical, bands=S2_BANDS)
    for words in ("Scene.from_files(…, scale=1e-4, offset=0)", "offset=-0.1)", "units='dn')"):
        assert words in str(caught.value)


def test_eurosat_has_its_narrow_infrared_last_and_odd_pixels(shared_data: Data) -> None:
    path = shared_data("eurosat-small") / "Forest_1.tif"
    image = from_files(path, bands=EUROSAT, scale=1e-4).images[0]
    with rasterio.open(path) as src:
        assert np.allclose(image.array("nir08"), src.read(13) * 1e-4) and np.allclose(
            image.array("nir"), src.read(8) * 1e-4
        )
    rx, ry = image.grid.resolution
    assert rx != ry and abs(rx - 10) < 0.02 and abs(ry - 10) < 0.02
    with pytest.raises(InvalidInput, match=r"names 12 bands, the files have 13: Forest_1.tif \(13\)"):
        from_files(path, bands=S2_BANDS, scale=1e-4)
    with pytest.raises(InvalidInput, match="nothing in the files names the 13 bands of Forest_1.tif"):
        from_files(path, scale=1e-4)


def test_hls_has_other_band_numbers_nodata_and_negative_reflectance(shared_data: Data) -> None:
    path = shared_data("hls-texas-chip") / "hls_l30_texas_10b.tif"
    bands = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B09", "B10", "B11"]
    image = from_files(path, bands=bands, scale=1e-4, sensor="hls-l30").images[0]
    assert list(image.bands) == ["coastal", "blue", "green", "red", "nir08", "swir16", "swir22", "cirrus"]
    assert "lwir11, lwir12 left out: temperature, not reflectance" in image.notes
    with rasterio.open(path) as src:
        raw, nodata = src.read(5), src.nodata
    assert np.array_equal(np.isnan(image.array("nir08")), raw == nodata)
    assert min(float(np.nanmin(image.array(b))) for b in image.bands) < 0  # kept, not clipped
    assert image.view.pixels.min() == 0


def test_one_polarisation_in_decibels_with_nodata(shared_data: Data) -> None:
    path = next(shared_data("pyrosar-s1-vv-db").glob("*.tif"))
    image = from_files(sar=path, sar_bands=["VV"]).images[0]
    with rasterio.open(path) as src:
        raw = src.read(1)
    assert image.view.name == "sar (grey)"
    assert np.array_equal(image.valid, raw != -99)
    assert np.allclose(10 * np.log10(image.array("vv")[image.valid]), raw[image.valid], atol=1e-4)


def test_eight_bit_bands_need_a_word(shared_data: Data) -> None:
    path = shared_data("nc-landsat7-landclass") / "lsat7_2002.tif"
    bands = ["blue", "green", "red", "nir", "swir16", "swir22", None]
    with pytest.raises(UnknownUnits, match=r"uint8.*units='dn'\)"):
        from_files(path, bands=bands)
    image = from_files(path, bands=bands, units="dn").images[0]
    assert image.units == "dn" and image.grid.resolution == (28.5, 28.5) and len(image.bands) == 6


def test_a_wedge_without_data_is_found_although_no_nodata_is_stated(shared_data: Data) -> None:
    folder = shared_data("mapchete-33twm-stac") / "S2A_33TWM_20230815_0_L2A"
    files = [folder / f"{b}.tif" for b in ("B02", "B03", "B04", "B08", "SCL")]
    bands = ["B02", "B03", "B04", "B08", "SCL"]
    with rasterio.open(files[0]) as src:
        wedge = src.read(1) == 0
    plain = from_files([files], bands=bands, scale=1e-4).images[0]
    assert not plain.valid[wedge].any() and any("0 in every band" in n for n in plain.notes)
    named = from_files([files], bands=bands, scale=1e-4, sensor="sentinel-2-l2a").images[0]
    assert 0.2 < wedge.mean() < 0.25 and np.array_equal(named.valid, plain.valid)
    assert named.cloud is not None and set(named.bands) == {"blue", "green", "red", "nir"}
    with rasterio.open(files[4]) as src:
        assert np.array_equal(named.cloud, np.isin(src.read(1), (0, 1, 3, 8, 9, 10)))


def test_six_bands_of_a_semi_desert(shared_data: Data) -> None:
    path = shared_data("xrspatial-patagonia-s2") / "S2_patagonia_6b_uint16.tif"
    image = from_files(path, bands=["blue", "green", "red", "nir", "swir1", "swir2"], scale=1e-4).images[0]
    assert list(image.bands)[-2:] == ["swir16", "swir22"] and image.grid.crs.to_epsg() == 32719


def test_one_file_a_date(shared_data: Data) -> None:
    files = sorted(shared_data("openeo-local-stac").glob("*.tif"))
    scene = from_files(files, bands=["B04", "B03", "B02"], scale=1e-4, times=["2023-06-01", "2023-06-04", "2023-06-06"])
    assert [i.day for i in scene.images] == ["2023-06-01", "2023-06-04", "2023-06-06"]
    assert scene.images[1].sources == ("openEO_2023-06-04Z.tif",)
    assert np.isclose(np.nanmedian(scene.images[0].array("red")), np.median(rasterio.open(files[0]).read(1)) * 1e-4)


def test_coded_radar_of_a_cube(shared_data: Data) -> None:
    path = shared_data("gfmap-mol-s1s2-ts") / "cdse_sentinel1_grd.nc"
    try:
        with rasterio.open(f"netcdf:{path}:S1-SIGMA0-VV") as src:
            coded = src.read(1)
    except rasterio.errors.RasterioIOError:
        pytest.skip("this GDAL reads no NetCDF")
    from terrascope_nb.scene.build import from_arrays

    image = from_arrays(sar=coded[None], sar_bands=["VV"], sar_calibration=(20, -83), nodata=0).images[0]
    db = 10 * np.log10(image.array("vv")[image.valid])
    assert -25 < np.median(db) < -3 and "dB = 20·log10(number) − 83 (as given)" in " ".join(image.notes)


# ---- which file is what ---------------------------------------------------------------------------------------------
def test_flat_lists_that_could_be_bands_or_dates(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{k}.tif", numbers(4, 4)) for k in range(2)]
    with pytest.raises(InvalidInput) as caught:
        from_files(files, scale=1e-4)
    assert "optical=[…], bands=[2 names]" in str(caught.value) and "optical=[…], bands=[one name]" in str(caught.value)
    with pytest.raises(InvalidInput) as caught:
        from_files(files, bands=["B04", "B08"], times=["2023-07-01", "2023-07-06"], scale=1e-4)
    assert "optical=[[a, b, …]], times=[date]" in str(caught.value)
    bands = from_files(files, bands=["B04", "B08"], times=["2023-07-01"], scale=1e-4)
    assert len(bands.images) == 1 and list(bands.images[0].bands) == ["red", "nir"]
    days = from_files(files, bands=["B04"], times=["2023-07-01", "2023-07-06"], scale=1e-4)
    assert len(days.images) == 2 and list(days.images[0].bands) == ["red"]
    nested = from_files([files, files], bands=["B04", "B08"], times=["2023-07-01", "2023-07-06"], scale=1e-4)
    assert len(nested.images) == 2 and len(nested.images[1].bands) == 2


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "holds no file"),
        ([[]], "empty list"),
        (3, "must be a path"),
        (["a.tif", ["b.tif"]], "mixes paths and lists"),
    ],
)
def test_lists_that_mean_nothing(files: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        from_files(files)


def test_names_in_the_file_are_used_and_may_be_overruled(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", numbers(2, 4, 4), descriptions=["B04", "B08"])
    assert list(from_files(path, scale=1e-4).images[0].bands) == ["red", "nir"]
    assert list(from_files(path, bands=["B02", "B03"], scale=1e-4).images[0].bands) == ["blue", "green"]
    strange = write(tmp_path / "b.tif", numbers(2, 4, 4), descriptions=["mean", "B08"])
    with pytest.raises(InvalidInput, match="call their bands mean, B08"):
        from_files(strange, scale=1e-4)


def test_dates_from_the_tiff_tag_or_the_caller(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", numbers(1, 4, 4), tags={"TIFFTAG_DATETIME": "2023:07:15 10:30:21"})
    assert from_files(path, bands=["B04"], scale=1e-4).images[0].time == np.datetime64("2023-07-15T10:30:21")
    assert from_files(path, bands=["B04"], scale=1e-4, times=["2020-01-01"]).images[0].day == "2020-01-01"
    odd = write(tmp_path / "b.tif", numbers(1, 4, 4), tags={"TIFFTAG_DATETIME": "last summer"})
    assert from_files(odd, bands=["B04"], scale=1e-4).images[0].day == "undated"
    with pytest.raises(InvalidInput, match="times= has 2 dates, optical has 1"):
        from_files(path, bands=["B04"], scale=1e-4, times=["2023", "2024"])


# ---- units and nodata -----------------------------------------------------------------------------------------------
def test_scale_and_offset_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.full((2, 4, 4), 3000, np.uint16), scales=(1e-4, 1e-4), offsets=(-0.1, -0.1))
    image = from_files(path, bands=["B04", "B08"]).images[0]
    assert np.allclose(image.array("red"), 0.2) and "the file's own tags" in image.notes[0]
    image = from_files(path, bands=["B04", "B08"], scale=1e-4).images[0]  # the caller knows better
    assert np.allclose(image.array("red"), 0.3)


def test_floats_that_are_reflectance_stay_as_they_are(tmp_path: Path) -> None:
    values = np.random.default_rng(0).uniform(-0.02, 1.3, (1, 8, 8)).astype(np.float32)
    image = from_files(write(tmp_path / "a.tif", values), bands=["B04"]).images[0]
    assert image.units == "reflectance" and np.array_equal(image.array("red"), values[0])
    with pytest.raises(UnknownUnits, match="float32"):
        from_files(write(tmp_path / "b.tif", values * 10_000), bands=["B04"])


@pytest.mark.parametrize("how", ["nodata", "mask", "alpha", "nan"])
def test_what_the_file_calls_no_data_is_none(tmp_path: Path, how: str) -> None:
    values = np.full((1, 6, 6), 0.2, np.float32)
    hole = np.zeros((6, 6), bool)
    hole[2:4, 1:3] = True
    options: dict[str, Any] = {}
    if how == "nodata":
        values[0, hole], options = -1, {"nodata": -1}
    elif how == "nan":
        values[0, hole] = np.nan
    elif how == "mask":
        options = {"mask": ~hole}
    if how == "alpha":
        rgba = np.full((4, 6, 6), 90, np.uint8)
        rgba[3] = np.where(hole, 0, 255)
        image = from_files(write(tmp_path / "a.tif", rgba, photometric="RGB", alpha="YES")).images[0]
        assert list(image.bands) == ["red", "green", "blue"]
    else:
        image = from_files(write(tmp_path / "a.tif", values, **options), bands=["B04"]).images[0]
    assert np.array_equal(image.valid, ~hole) and np.array_equal(image.view.valid, ~hole)


def test_nodata_does_not_bleed_into_its_neighbours_when_resampled(tmp_path: Path) -> None:
    fine = write(tmp_path / "fine.tif", np.full((8, 8), 2000, np.uint16))
    coarse = np.full((4, 4), 3000, np.uint16)
    coarse[1, 1] = 0
    coarse_file = write(tmp_path / "coarse.tif", coarse, COARSE, nodata=0)
    image = from_files([fine, coarse_file], bands=["B04", "B11"], scale=1e-4).images[0]
    seen = image.array("swir16")[np.isfinite(image.array("swir16"))]
    assert np.allclose(seen, 0.3) and np.isnan(image.array("swir16")).sum() == 4


def test_labels_are_resampled_by_nearest_neighbour(tmp_path: Path) -> None:
    fine = write(tmp_path / "fine.tif", np.full((8, 8), 2000, np.uint16))
    scl = np.full((4, 4), 4, np.uint8)
    scl[0, 0], scl[3, 3] = 9, 0
    image = from_files([fine, write(tmp_path / "scl.tif", scl, COARSE)], bands=["B04", "SCL"], scale=1e-4).images[0]
    assert np.array_equal(image.cloud, np.kron(np.isin(scl, (9, 0)), np.ones((2, 2), bool)))
    assert "scl resampled from 20 to 10, nearest neighbour" in image.notes
    assert image.valid.all()  # class 0 is a class, the light is there


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    dn=hnp.arrays(
        np.uint16, st.tuples(st.just(3), st.integers(1, 12), st.integers(1, 12)), elements=st.integers(1, 15_000)
    )
)
def test_what_is_written_is_read(tmp_path: Path, dn: np.ndarray) -> None:
    if np.median(dn, axis=(1, 2)).max() > 14_000:
        dn = dn // 2 + 1
    image = from_files(write(tmp_path / "a.tif", dn), bands=["B02", "B03", "B04"], scale=1e-4, offset=-0.1).images[0]
    for k, name in enumerate(("blue", "green", "red")):
        assert np.array_equal(image.array(name), (dn[k] * 1e-4 - 0.1).astype(np.float32))


# ---- pictures -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_an_eight_bit_picture(tmp_path: Path, suffix: str) -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:8] = 150
    path = tmp_path / f"a.{suffix}"
    Picture.fromarray(pixels).save(path)
    image = from_files(path).images[0]
    assert image.units == "rgb8" and image.grid.crs is None and image.grid.shape == (20, 30)
    assert np.abs(image.view.pixels.astype(int) - pixels).max() <= (6 if suffix == "jpg" else 0)


def test_a_picture_with_a_colour_table(tmp_path: Path) -> None:
    picture = Picture.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4) % 3).convert("P")
    picture.putpalette([10, 20, 30, 200, 0, 0, 0, 0, 255] + [0] * 759)
    picture.save(tmp_path / "a.png")
    image = from_files(tmp_path / "a.png").images[0]
    assert image.view.pixels[0, 0].tolist() == [10, 20, 30] and image.view.pixels[0, 2].tolist() == [0, 0, 255]
    assert "colour table turned into red, green, blue" in image.notes


def test_jpeg_2000(tmp_path: Path) -> None:
    dn = numbers(1, 64, 64)
    try:
        path = write(tmp_path / "a.jp2", dn, driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES", YCBCR420="NO")
    except rasterio.errors.RasterioIOError:
        pytest.skip("this GDAL writes no JPEG 2000")
    image = from_files(path, bands=["B04"], scale=1e-4).images[0]
    assert np.allclose(image.array("red"), dn[0] * 1e-4, atol=1e-7) and image.grid.crs.to_epsg() == 32633


# ---- grids ----------------------------------------------------------------------------------------------------------
def test_radar_on_another_grid_is_put_on_the_optical_one_and_noted(tmp_path: Path) -> None:
    optical = write(tmp_path / "o.tif", numbers(1, 20, 20))
    sar = write(tmp_path / "s.tif", np.full((10, 10), -10, np.float32), Affine(20, 0, 499_980, 0, -20, 5_000_020))
    scene = from_files(optical, sar, bands=["B04"], sar_bands=["VV"], scale=1e-4)
    s = scene.images[1]
    assert s.grid == scene.images[0].grid and any(
        n.startswith("vv resampled from 20 to 10, bilinear, of linear power") for n in s.notes
    )
    assert np.allclose(s.array("vv")[:17, :17], 0.1) and not s.valid[-1].any()
    far = write(tmp_path / "far.tif", np.full((10, 10), -10, np.float32), Affine(20, 0, 700_000, 0, -20, 5_000_000))
    with pytest.raises(GridMismatch, match="do not meet"):
        from_files(optical, far, bands=["B04"], sar_bands=["VV"], scale=1e-4)


def test_dates_on_two_grids_are_put_on_the_first(tmp_path: Path) -> None:
    a = write(tmp_path / "a.tif", np.full((1, 20, 20), 2000, np.uint16))
    b = write(tmp_path / "b.tif", np.full((1, 20, 20), 3000, np.uint16), Affine(10, 0, 500_050, 0, -10, 5_000_000))
    scene = from_files([a, b], bands=["B04"], scale=1e-4, times=["2023-07-01", "2023-07-06"])
    assert scene.grid.transform == UTM
    second = scene.images[1]
    assert np.isnan(second.array("red")[:, :5]).all() and np.allclose(second.array("red")[:, 5:], 0.3)
    assert "red resampled onto the common grid, bilinear" in second.notes


def test_band_files_without_a_place_must_be_of_one_size(tmp_path: Path) -> None:
    a = write(tmp_path / "a.tif", numbers(4, 4), None, None)
    b = write(tmp_path / "b.tif", numbers(2, 2), None, None)
    with pytest.raises(GridMismatch, match=r"a.tif \(4, 4\), b.tif \(2, 2\)"):
        from_files([a, b], bands=["B04", "B11"], scale=1e-4)


def test_only_the_pixels_around_the_aoi_are_read(tmp_path: Path) -> None:
    dn = numbers(1, 100, 100)
    path, coarse = (
        write(tmp_path / "a.tif", dn),
        write(tmp_path / "c.tif", np.full((50, 50), 1500, np.uint16), COARSE),
    )
    aoi = AOI.from_bbox((500_200, 4_999_700, 500_400, 4_999_900), crs=32633)
    scene = from_files([[path, coarse]], bands=["B04", "B11"], scale=1e-4, aoi=aoi)
    assert scene.grid.shape == (20, 20) and scene.inside(0).all() and scene.images[0].valid.all()
    assert np.allclose(scene.images[0].array("red"), dn[0, 10:30, 20:40] * 1e-4)
    with pytest.raises(InvalidInput, match="lies outside"):
        from_files(path, bands=["B04"], scale=1e-4, aoi=AOI.from_bbox((0, 0, 100, 100), crs=32633))


# ---- files that cannot be read --------------------------------------------------------------------------------------
def test_missing_foreign_and_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ReadFailed, match="there is no file .*missing.tif"):
        from_files(tmp_path / "missing.tif", bands=["B04"])
    with pytest.raises(ReadFailed, match="is a folder"):
        from_files(tmp_path, bands=["B04"])
    (tmp_path / "text.tif").write_text("no raster")
    with pytest.raises(ReadFailed, match="text.tif cannot be opened as a raster"):
        from_files(tmp_path / "text.tif", bands=["B04"])
    whole = write(
        tmp_path / "whole.tif", numbers(1, 300, 300), compress="deflate", tiled=True, blockxsize=64, blockysize=64
    )
    (tmp_path / "cut.tif").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(ReadFailed, match=r"cut.tif"):
        from_files(tmp_path / "cut.tif", bands=["B04"], scale=1e-4)
    with pytest.raises(InvalidInput, match="a file is a path, got a int"):
        from_files([1, 2], bands=["B04"])


def test_hostile_file_names_are_only_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a'; rm -rf $(x) <b>.tif", numbers(1, 4, 4))
    scene = from_files(path, bands=["B04"], scale=1e-4)
    assert scene.images[0].sources == (path.name,)
    assert "<b>" not in scene._repr_mimebundle_()["text/html"]
