"""Cubes: the file's pixels at their place, in physical units, lazily; failures named; clouds told."""

from __future__ import annotations

import json
import pickle
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer

from terrascope_nb.errors import GridMismatch, InvalidInput, NotFound, NothingFound, ReadFailed
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.stac import cube, reader
from terrascope_nb.stac.catalog import CATALOGS, Catalog, Found, search
from terrascope_nb.stac.clouds import clear_mask, cloud_share
from terrascope_nb.stac.cube import estimate_bytes, open_cube, passes
from terrascope_nb.stac.reader import Href
from terrascope_nb.stac.sensors import SCL_NOT_CLEAR, SENSORS, Scaling

SAMPLES = json.loads((Path(CATALOGS["sample"]) / "samples.json").read_text())
S2, S1, L2A = "bigearthnet-s2-l2a", "bigearthnet-s1-grd", "sentinel-2-l2a"


def sample(name, part="optical"):
    entry = SAMPLES[name]
    aoi = AOI.from_bbox(tuple(entry["bounds"]), crs=entry["crs"])
    return search(aoi, entry[part]["datetime"][:10], entry[part]["collection"], "sample")


def write(path, values, transform, epsg=32633, nodata=None):
    values = np.asarray(values)
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1, dtype=values.dtype,
        crs=epsg and f"EPSG:{epsg}", transform=transform, nodata=nodata,
    ) as dst:  # fmt: skip
        dst.write(values, 1)
    return str(path)


def made(name, assets, when="2017-06-01T10:00:00.5Z", collection=S2, platform="sentinel-2a", **properties):
    """An item over everything, whose projection metadata are wrong on purpose: only the files may be believed."""
    wrong = {
        "proj:epsg": 32601,
        "proj:shape": [7, 7],
        "proj:transform": [999, 0, 0, 0, -999, 0],
        "proj:bbox": [0, 0, 1, 1],
    }
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": collection, "geometry": None,
        "bbox": [-180, -80, 180, 84], "links": [],
        "properties": {"datetime": when, "platform": platform, **wrong, **properties},
        "assets": {k: {"href": str(h), **wrong, "raster:bands": [{"scale": 7}]} for k, h in assets.items()},
    }  # fmt: skip


def square(n=40, res=10, left=600000, top=5200000, epsg=32633):
    return Grid(Affine(res, 0, left, 0, -res, top), (n, n), CRS.from_epsg(epsg))


# ---- the file's pixels, where they lie -------------------------------------------------------------------------
@pytest.mark.parametrize("name", SAMPLES)
def test_ten_metre_pixels_are_the_file_s(name):
    found = sample(name)
    cube = open_cube(found)
    assert Grid.from_xarray(cube) == Grid(cube.rio.transform(), (120, 120), CRS.from_epsg(SAMPLES[name]["crs"]))
    assert list(cube.rio.bounds()) == SAMPLES[name]["bounds"]
    for key, variable in {"B02": "blue", "B03": "green", "B04": "red", "B08": "nir"}.items():
        with rasterio.open(found[0]["assets"][key]["href"]) as src:
            want = src.read(1).astype("float32") * np.float32(1e-4)
        assert cube[variable].dtype == "float32" and cube[variable].dims == ("time", "y", "x")
        np.testing.assert_allclose(cube[variable][0].values, want, rtol=1e-6)


def test_a_known_corner_pixel_by_its_coordinate():
    found = sample("lake")
    cube = open_cube(found, bands=["nir"])
    assert (float(cube.x[0]), float(cube.y[0])) == (682805.0, 6971215.0)  # centres: half a pixel inside the corner
    with rasterio.open(found[0]["assets"]["B08"]["href"]) as src:
        for x, y in ((682801, 6971219), (683404.9, 6970500.1), (683999, 6970021)):
            want = next(src.sample([(x, y)]))[0] * 1e-4
            got = float(cube.nir[0].sel(x=x, y=y, method="nearest"))
            assert got == pytest.approx(want, rel=1e-6)


@settings(max_examples=25)
@given(st.integers(-30, 60), st.integers(-30, 60), st.integers(1, 90), st.integers(1, 90))
def test_any_window_on_the_lattice_is_that_window(row, col, height, width):
    pixels, place = _lake_blue()
    r, c = np.arange(row, row + height), np.arange(col, col + width)
    r_in, c_in = r[(r >= 0) & (r < 120)], c[(c >= 0) & (c < 120)]
    assume(r_in.size and c_in.size)
    grid = Grid(Affine(10, 0, place.c + 10 * col, 0, -10, place.f - 10 * row), (height, width), CRS.from_epsg(32635))
    got = open_cube([sample("lake")[0]], grid, bands="blue").blue[0].values
    hits = np.isin(r, r_in)[:, None] & np.isin(c, c_in)[None, :]
    assert np.array_equal(np.isfinite(got), hits)
    np.testing.assert_allclose(got[hits], pixels[np.ix_(r_in, c_in)].ravel(), rtol=1e-6)


def _lake_blue():
    with rasterio.open(sample("lake")[0]["assets"]["B02"]["href"]) as src:
        return src.read(1) * np.float32(1e-4), src.transform


@pytest.mark.parametrize("res", [10, 20, 30, 60])
@pytest.mark.parametrize("shift", [0, 5, 3])
def test_coarser_bands_lie_right_to_a_part_of_a_pixel(tmp_path, res, shift):
    """A ramp is the same after bilinear interpolation, at any pixel size and phase, if nothing is shifted."""
    n = 1200 // res
    left, top = 600000 + shift, 5200000 - shift
    x = left + res * (np.arange(n) + 0.5)
    y = top - res * (np.arange(n) + 0.5)
    ramp = 20 + (x[None, :] - 600000) * 2 + (5200000 - y[:, None])
    href = write(tmp_path / "ramp.tif", np.round(ramp).astype("uint16"), Affine(res, 0, left, 0, -res, top))
    grid = square(100, 10, 600100, 5199900)
    cube = open_cube([made("ramp", {"B05": href})], grid)
    want = (20 + (cube.x.values[None, :] - 600000) * 2 + (5200000 - cube.y.values[:, None])) * 1e-4
    np.testing.assert_allclose(cube.rededge1[0].values, want, atol=0.6e-4)  # DN are whole numbers: half a DN each way


def test_items_of_two_zones_land_on_one_grid(tmp_path):
    """A field that is a function of place, drawn in two UTM zones, is that function again on a third grid."""

    def field(lon, lat):
        return 1000 + (lon - 11.9) * 4000 + (lat - 47) * 3000

    items = []
    for n, (epsg, left) in enumerate(((32632, 727000), (32633, 268000))):
        own = square(200, 20, left, 5212000, epsg)
        lon, lat = own.lonlat(*np.indices(own.shape))
        href = write(tmp_path / f"{epsg}.tif", np.round(field(lon, lat)).astype("uint16"), own.transform, epsg)
        items.append(made(str(epsg), {"B02": href}, when=f"2017-06-0{n + 1}T10:00:00Z"))
    lon, lat = square(200, 20, 727000, 5212000, 32632).lonlat(100, 100)
    middle = Transformer.from_crs(4326, 32633, always_xy=True).transform(float(lon), float(lat))
    grid = square(20, 10, round(middle[0], -1), round(middle[1], -1), 32633)
    cube = open_cube(items, grid)
    lon, lat = grid.lonlat(*np.indices(grid.shape))
    seen = [np.isfinite(v).any() for v in cube.blue.values]
    assert seen[0] and cube.rio.crs.to_epsg() == 32633
    for values in cube.blue.values[seen]:
        ok = np.isfinite(values)
        np.testing.assert_allclose(values[ok], field(lon, lat)[ok] * 1e-4, atol=1.5e-4)


def test_the_grid_follows_the_crs_that_the_items_share():
    found = search(SAMPLES["lake"]["bbox"], None, S2, "sample")  # longitude 30.6: zone 36, but the item is in 35
    cube = open_cube(found)
    assert cube.rio.crs.to_epsg() == 32635 and cube.rio.resolution() == (10, -10)
    assert open_cube(found, resolution=30).rio.resolution() == (30, -30)


# ---- nodata, units ---------------------------------------------------------------------------------------------
def test_nodata_is_dropped_before_it_can_bleed(tmp_path):
    values = np.full((20, 20), 5000, "uint16")
    values[:, :10] = 0
    href = write(tmp_path / "half.tif", values, Affine(20, 0, 600000, 0, -20, 5200000))
    grid = square(40)
    got = open_cube([made("half", {"B11": href})], grid).swir16[0].values
    assert np.isnan(got[:, :19]).all()
    np.testing.assert_allclose(got[:, 20:], 0.5, rtol=1e-6)
    assert np.isin(np.round(got[np.isfinite(got)], 6), [0.5]).all()


def test_baseline_offset_after_nodata(tmp_path):
    values = np.array([[0, 999], [1000, 4000]], "uint16")
    href = write(tmp_path / "a.tif", values, Affine(10, 0, 600000, 0, -10, 5200000))
    item = made("late", {"B04": href}, collection=L2A, **{"s2:processing_baseline": "05.10"})
    got = open_cube([item], square(2)).red[0].values
    assert np.isnan(got[0, 0])
    np.testing.assert_allclose(got.ravel()[1:], [-1e-4, 0, 0.3], atol=1e-7)


def test_radar_is_linear_power():
    found = sample("lake", "sar")
    cube = open_cube(found)
    assert set(cube.data_vars) == {"vv", "vh"} and cube.attrs["terrascope:kind"] == "sar"
    with rasterio.open(found[0]["assets"]["vv"]["href"]) as src:
        db = src.read(1)
    np.testing.assert_allclose(10 * np.log10(cube.vv[0].values), db, atol=1e-4)
    assert "linear power" in cube.attrs["terrascope:scaling"] and cube.vv.attrs["units"] == "linear sigma0"


def test_radar_between_pixels_is_the_mean_of_power_not_of_decibels(tmp_path):
    db = np.full((4, 4), -10, "float32")
    db[:, 2:] = -20
    href = write(tmp_path / "vv.tif", db, Affine(10, 0, 600000, 0, -10, 5200000))
    item = made("r", {"vv": href}, collection=S1)
    got = open_cube([item], square(4, 10, 600005)).vv[0].values
    np.testing.assert_allclose(got[:, 1], (0.1 + 0.01) / 2, rtol=1e-5)
    tagged = write(
        tmp_path / "t.tif", np.where(db < -15, np.float32(-99), db), Affine(10, 0, 600000, 0, -10, 5200000), nodata=-99
    )
    got = open_cube([made("t", {"vv": tagged}, collection=S1)], square(4, 10, 600005)).vv[0].values
    assert np.isfinite(got[:, 0]).all() and np.isnan(got[:, 2:]).all() and np.nanmax(got) == pytest.approx(0.1)
    far = open_cube([made("f", {"vv": href}, collection=S1)], square(4, 10, 700000)).vv.values
    assert np.isnan(far).all()


# ---- real Earth Search items ------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def styria(shared_data, tmp_path_factory):
    """The five Earth Search items with their pixels given back the place they were cropped from.

    The files carry no CRS; tile 33TWM starts at (499980, 5200020), they are rows 300–699, columns 0–399 at 120 m.
    """
    source, target = shared_data("mapchete-33twm-stac"), tmp_path_factory.mktemp("styria")
    place = Affine(120, 0, 499980, 0, -120, 5200020 - 300 * 120)
    for file in source.rglob("*.json"):
        folder = target / file.parent.name
        folder.mkdir()
        (folder / file.name).write_bytes(file.read_bytes())
        for tif in file.parent.glob("*.tif"):
            with rasterio.open(tif) as src:
                write(folder / tif.name, src.read(1), place)
    return target, Grid(place, (400, 400), CRS.from_epsg(32633))


VARIABLES = {"B02": "blue", "B03": "green", "B04": "red", "B08": "nir"}


def test_earth_search_pixels_offset_off_nodata_out_place_from_the_file(styria):
    where, grid = styria
    found = search(grid, "2023-08", L2A, where)
    cube = open_cube(found, grid, bands=[*VARIABLES.values(), "scl"]).load()
    assert cube.sizes == {"time": 5, "y": 400, "x": 400}
    for t, ids in enumerate(cube.item_ids.values):
        for file, variable in VARIABLES.items():
            with rasterio.open(where / str(ids) / f"{file}.tif") as src:
                dn = src.read(1)
            got = cube[variable][t].values
            assert np.array_equal(np.isnan(got), dn == 0)
            np.testing.assert_allclose(got[dn > 0], dn[dn > 0] * 1e-4, rtol=1e-6)
        with rasterio.open(where / str(ids) / "SCL.tif") as src:
            assert np.array_equal(cube.scl[t].values, src.read(1))
    assert cube.scl.dtype == "uint8"
    assert "not applied" in cube.attrs["terrascope:scaling"] and "nearest: scl" in cube.attrs["terrascope:resampling"]


def test_clouds_of_an_area_from_scl(styria):
    where, grid = styria
    cube = open_cube(search(grid, "2023-08", L2A, where), grid, bands=["scl"])
    inside = np.zeros(grid.shape, bool)
    inside[100:200, 250:350] = True
    for t in range(cube.sizes["time"]):
        scl = cube.scl[t].values[100:200, 250:350]
        share = cloud_share(cube.isel(time=t), inside)
        assert share.clear == pytest.approx(1 - np.isin(scl, SCL_NOT_CLEAR).mean())
        assert share.clear + share.cloud + share.nodata == pytest.approx(1) and share.pixels == 10_000
    clear = clear_mask(cube)
    assert clear.dtype == bool and clear.dims == ("time", "y", "x")
    assert sorted(np.unique(cube.scl.values[clear.values])) == [2, 4, 5, 6, 7, 11]


def test_files_without_crs_are_refused_by_name(shared_data):
    found = search((15.2, 46.3, 15.4, 46.4), "2023-08-13", L2A, shared_data("mapchete-33twm-stac"))
    cube = open_cube(found, square(20, 120, 510000, 5150000), bands=["blue"])
    with pytest.raises(ReadFailed, match="S2B_33TWM_20230813_0_L2A.*'blue'.*no CRS"):
        cube.compute()


# ---- passes ----------------------------------------------------------------------------------------------------
def test_one_overflight_is_one_step_first_valid_pixel_counts(tmp_path):
    place = Affine(10, 0, 600000, 0, -10, 5200000)
    left, right = np.full((4, 4), 1000, "uint16"), np.full((4, 4), 2000, "uint16")
    left[:, 3:], right[:, :1] = 0, 0
    left[0, :], right[0, :] = 0, 0
    hrefs = [write(tmp_path / f"{n}.tif", v, place) for n, v in (("l", left), ("r", right))]
    items = [
        made("left", {"B02": hrefs[0]}, when="2017-06-01T10:00:14.9Z"),
        made("right", {"B02": hrefs[1]}, when="2017-06-01T10:00:00.2Z"),
        made("other", {"B02": hrefs[1]}, when="2017-06-01T10:10:00Z", platform="sentinel-2b"),
        made("next", {"B02": hrefs[1]}, when="2017-06-01T11:39:00Z"),
    ]
    cube = open_cube(items, square(4)).load()
    assert cube.item_ids.values.tolist() == ["left right", "other", "next"]
    assert cube.time.values[0] == np.datetime64("2017-06-01T10:00:00")
    np.testing.assert_allclose(cube.blue[0].values[1:], [[0.1, 0.1, 0.1, 0.2]] * 3)
    assert np.isnan(cube.blue[0].values[0]).all()
    swapped = open_cube([items[1], items[0]], square(4)).load()
    np.testing.assert_allclose(swapped.blue[0].values[1:], [[0.1, 0.2, 0.2, 0.2]] * 3)


def test_class_layers_fuse_by_their_own_nodata(tmp_path):
    place = Affine(20, 0, 600000, 0, -20, 5200000)
    hrefs = [write(tmp_path / f"{v}.tif", np.array([[v, 0], [0, v]], "uint8"), place) for v in (4, 9)]
    items = [made(n, {"SCL": h}, collection=L2A) for n, h in zip("ab", hrefs, strict=True)]
    got = open_cube(items, square(4)).scl[0].values
    assert np.array_equal(got, np.kron([[4, 0], [0, 4]], np.ones((2, 2))))


def test_passes_keep_the_order_found():
    items = [made(n, {}, when=f"2017-06-0{d}T10:00:00Z") for n, d in (("c", 3), ("a", 1), ("b", 1))]
    assert [[i["id"] for i in p.items] for p in passes(items)] == [["a", "b"], ["c"]]


# ---- lazy ------------------------------------------------------------------------------------------------------
def test_opening_reads_no_pixel(monkeypatch):
    def explode(*args, **kwargs):
        raise RuntimeError("a pixel was read")

    found = sample("lake")
    monkeypatch.setattr(reader.AssetReader, "read", explode)
    monkeypatch.setattr(rasterio, "open", explode)
    cube = open_cube(found)
    repr(cube), cube._repr_html_(), estimate_bytes(found)
    with pytest.raises(RuntimeError, match="a pixel was read"):
        cube.nir.compute()


def test_only_the_chunks_asked_for_are_opened(monkeypatch):
    seen = []
    plain = reader.AssetReader.read
    monkeypatch.setattr(reader.AssetReader, "read", lambda self, w: seen.append(self.url.asset) or plain(self, w))
    open_cube(sample("lake")).nir.compute()
    assert seen == ["B08"]


def test_bytes_are_known_before_reading():
    found = sample("woods")
    for bands in (None, ["nir", "red"]):
        cube = open_cube(found, bands=bands)
        assert estimate_bytes(found, bands=bands) == sum(v.nbytes for v in cube.data_vars.values())


def test_cubes_of_many_chunks_are_whole(tmp_path):
    values = np.arange(1, 1300 * 1100 + 1, dtype="uint32").reshape(1300, 1100) % 60000 + 1
    href = write(tmp_path / "big.tif", values.astype("uint16"), Affine(10, 0, 600000, 0, -10, 5200000))
    grid = Grid(Affine(10, 0, 600000, 0, -10, 5200000), (1300, 1100), CRS.from_epsg(32633))
    cube = open_cube([made("big", {"B02": href})], grid)
    assert len(cube.blue.chunks[1]) == 2
    np.testing.assert_allclose(cube.blue[0].values, values * np.float32(1e-4), rtol=1e-6)


@pytest.mark.parametrize(("key", "collection"), [("B11", S2), ("vv", S1)])
@pytest.mark.parametrize(("res", "epsg"), [(10, 32633), (45, 32633), (10, 32632)])
def test_same_pixels_same_answer_whatever_the_chunks_and_the_extent(tmp_path, monkeypatch, key, collection, res, epsg):
    rng = np.random.default_rng(3)
    values = rng.integers(1, 9000, (200, 200)).astype("uint16") if key == "B11" else rng.normal(-12, 4, (200, 200))
    place = Affine(20, 0, 300000, 0, -20, 5200000)
    href = write(tmp_path / "a.tif", values.astype("uint16" if key == "B11" else "float32"), place)
    item = made("a", {key: href}, collection=collection)
    x, y = Transformer.from_crs(32633, epsg, always_xy=True).transform(300805, 5199203)
    whole = Grid(Affine(res, 0, x, 0, -res, y), (60, 50), CRS.from_epsg(epsg))
    part = whole.window(slice(13, 47), slice(7, 33))
    name = {"B11": "swir16", "vv": "vv"}[key]
    want = open_cube([item], whole)[name][0].values
    assert np.isfinite(want).all() and want.std() > 0
    np.testing.assert_allclose(open_cube([item], part)[name][0].values, want[13:47, 7:33], rtol=2e-3)
    monkeypatch.setattr(cube, "CHUNK", 16)
    chunked = open_cube([item], whole)[name]
    assert len(chunked.chunks[1]) == 4
    np.testing.assert_allclose(chunked[0].values, want, rtol=2e-3)


# ---- kept ------------------------------------------------------------------------------------------------------
def test_cube_goes_through_netcdf_and_pickle(tmp_path):
    cube = open_cube(sample("lake"), bands=["blue", "coastal"])
    assert pickle.loads(pickle.dumps(cube)).blue.compute().equals(cube.blue.compute())
    cube.to_netcdf(tmp_path / "cube.nc")
    with xr.open_dataset(tmp_path / "cube.nc", decode_coords="all") as back:
        assert back.attrs == cube.attrs and back.rio.crs == cube.rio.crs
        assert back.item_ids.astype(str).values.tolist() == cube.item_ids.values.tolist()
        np.testing.assert_array_equal(back.blue.values, cube.blue.values)


def test_class_layers_go_through_netcdf(styria, tmp_path):
    where, grid = styria
    cube = open_cube(search(grid, "2023-08-13", L2A, where), grid, bands=["scl", "red"])
    cube.to_netcdf(tmp_path / "cube.nc")
    with xr.open_dataset(tmp_path / "cube.nc") as back:
        np.testing.assert_array_equal(back.scl.values, cube.scl.values)


def test_cube_goes_through_zarr(tmp_path):
    pytest.importorskip("zarr", reason="zarr is not needed to run, only to store cubes so")
    cube = open_cube(sample("lake"), bands=["blue"])
    cube.to_zarr(tmp_path / "cube.zarr")
    np.testing.assert_array_equal(xr.open_zarr(tmp_path / "cube.zarr").blue.values, cube.blue.values)


def test_no_coordinate_or_attribute_is_an_object():
    cube = open_cube(sample("lake"))
    assert all(c.dtype.kind in "UMif" for c in cube.coords.values())
    for attrs in (cube.attrs, *(v.attrs for v in cube.data_vars.values())):
        assert all(isinstance(v, str | int | float) for v in attrs.values())
    assert json.loads(cube.attrs["terrascope:items"]) == [SAMPLES["lake"]["optical"]["item"]]


def test_an_href_keeps_its_owner_when_pickled():
    href = Href("https://a/b.tif?sig=SECRET", "item", "red", Scaling(1e-4))
    back = pickle.loads(pickle.dumps(href))
    assert (back, back.item, back.asset, back.scaling) == (href, "item", "red", Scaling(1e-4))
    assert back.bare == "https://a/b.tif"


# ---- what fails is named ---------------------------------------------------------------------------------------
def test_a_missing_file_names_item_and_asset(tmp_path):
    cube = open_cube([made("lost", {"B02": tmp_path / "gone.tif"})], square(4))
    with pytest.raises(ReadFailed, match="item 'lost', asset 'B02'.*not there.*bands="):
        cube.compute()


def test_a_broken_file_is_an_error_not_a_gap(tmp_path):
    href = Path(write(tmp_path / "a.tif", np.full((300, 300), 7, "uint16"), Affine(10, 0, 600000, 0, -10, 5200000)))
    href.write_bytes(href.read_bytes()[:60_000])
    for grid in (square(300), square(300, 10, 600005)):
        with pytest.raises(ReadFailed, match="item 'cut', asset 'B02'"):
            open_cube([made("cut", {"B02": href})], grid).compute()


def test_a_file_of_several_bands_is_refused(tmp_path):
    with rasterio.open(
        tmp_path / "rgb.tif", "w", driver="GTiff", height=4, width=4, count=3, dtype="uint16", crs="EPSG:32633",
        transform=Affine(10, 0, 600000, 0, -10, 5200000),
    ) as dst:  # fmt: skip
        dst.write(np.ones((3, 4, 4), "uint16"))
    with pytest.raises(ReadFailed, match="3 bands.*from_files"):
        open_cube([made("rgb", {"B02": tmp_path / "rgb.tif"})], square(4)).compute()


def test_an_asset_that_an_item_lacks_is_named_at_once(tmp_path):
    items = [made("full", {"B02": "a", "B03": "b"}), made("poor", {"B02": "a"})]
    with pytest.raises(ReadFailed, match=r"'poor' has no asset for 'green'.*\['blue'\]"):
        open_cube(items, square(4))
    assert set(open_cube(items, square(4), bands=["blue"]).data_vars) == {"blue"}
    with pytest.raises(NotFound, match="did you mean 'green'"):
        open_cube(items, square(4), bands=["gren"])


def test_items_of_no_known_sensor_are_refused(shared_data):
    found = search(None, "2023-06-04", None, shared_data("openeo-local-stac"))
    with pytest.raises(NotFound, match="unknown-job"):
        open_cube(found, square(4))
    named = Found(found.catalog, found.query, SENSORS[L2A])
    with pytest.raises(ReadFailed, match="has no asset of sentinel-2-l2a.*openEO_2023-06-04Z.tif"):
        open_cube(named, square(4))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"engine": "odcstac"}, "odc-stac"),
        ({"grid": square(4), "resolution": 20}, "not both"),
        ({"grid": Grid(Affine(10, 0, 0, 0, -10, 0), (4, 4))}, "EPSG"),
        ({"grid": Grid(Affine(10, 1, 600000, 1, -10, 5200000), (4, 4), CRS.from_epsg(32633))}, "north-up"),
        ({"grid": square(4, 10, 600000, 5200000, 32735)}, "none of the 1 items.*meets the grid"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, says):
    with pytest.raises(InvalidInput, match=says):
        open_cube(sample("lake"), **arguments)


def test_without_aoi_a_grid_is_asked_for():
    with pytest.raises(InvalidInput, match="grid="):
        open_cube(search(sensor=S2, catalog="sample"))
    with pytest.raises(InvalidInput, match="2 sensors"):
        open_cube(search(SAMPLES["lake"]["bbox"], None, None, "sample"))
    with pytest.raises(NothingFound, match="2017-09-24"):
        open_cube(search(SAMPLES["lake"]["bbox"], "2018", S2, "sample"))


# ---- signing, tokens -------------------------------------------------------------------------------------------
class _Missing(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(404)

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


def test_a_404_names_the_asset_and_shows_no_token_anywhere():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Missing)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        href = f"http://127.0.0.1:{server.server_port}/B02.tif?sig=SECRET"
        cube = open_cube([made("remote", {"B02": href})], square(4))
        assert "SECRET" not in cube.attrs["terrascope:hrefs"]
        with pytest.raises(ReadFailed, match="item 'remote', asset 'B02'.*not there") as caught:
            cube.compute()
        assert "SECRET" not in "".join(traceback.format_exception(caught.value, chain=True))
    finally:
        server.shutdown()
        server.server_close()


def test_hrefs_are_signed_when_opened_and_never_kept(tmp_path):
    archive = "https://archive.invalid/"
    write(tmp_path / "a.tif", np.full((4, 4), 3000, "uint16"), Affine(10, 0, 600000, 0, -10, 5200000))
    (tmp_path / "items").mkdir()
    (tmp_path / "items" / "a.json").write_text(json.dumps(made("a", {"B02": archive + "a.tif"})))
    signed = []

    def sign(href):
        signed.append(href)
        return str(tmp_path / href.removeprefix(archive))

    cube = open_cube(search(None, None, S2, Catalog(tmp_path / "items", sign=sign)), square(4))
    assert signed == [] and archive + "a.tif" in cube.attrs["terrascope:hrefs"]
    for n in (1, 2):
        np.testing.assert_allclose(cube.blue.values, 0.3, rtol=1e-6)
        assert signed == [archive + "a.tif"] * n  # anew each time: a token dies while the cube lives


def test_the_planetary_computer_signs_its_own_by_default():
    assert Catalog("planetary-computer").signer()("/local/file.tif") == "/local/file.tif"
    assert Catalog("earth-search").signer() is None


# ---- clouds ----------------------------------------------------------------------------------------------------
def test_clouds_need_a_layer_and_say_so():
    cube = open_cube(sample("lake"))
    with pytest.raises(NotFound, match="no cloud layer"):
        clear_mask(cube)
    with pytest.raises(NotFound, match=r"bands=\[…, 'scl'\]"):
        clear_mask(cube, L2A)
    with pytest.raises(InvalidInput, match="sensor="):
        clear_mask(np.zeros((2, 2)))


def test_cloud_share_refuses_what_has_no_meaning():
    scl = np.full((4, 4), 4)
    with pytest.raises(GridMismatch, match=r"\(3, 3\)"):
        cloud_share(scl, np.ones((3, 3), bool), L2A)
    with pytest.raises(InvalidInput, match="no pixel"):
        cloud_share(scl, np.zeros((4, 4), bool), L2A)
    with pytest.raises(InvalidInput, match="time"):
        cloud_share(scl[None], None, L2A)
