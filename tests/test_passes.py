"""Cubes of several items and sensors: fused by pixel, radar by direction, engines alike, overviews, any place."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer
from rasterio.enums import Resampling

from terrascope_nb.errors import InvalidInput, MissingPackage, TooLarge
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.stac import cube as cube_module
from terrascope_nb.stac import reading
from terrascope_nb.stac.catalog import search
from terrascope_nb.stac.cube import ENGINES, estimate_bytes, open_cube
from terrascope_nb.stac.radar import drop_border_noise, mean_linear

S2, L2A, RTC, LANDSAT = "bigearthnet-s2-l2a", "sentinel-2-l2a", "sentinel-1-rtc", "landsat-c2-l2"
PLACE = Affine(10, 0, 600000, 0, -10, 5200000)


def write(path: Path, values: Any, transform: Affine = PLACE, epsg: int = 32633, nodata: float | None = None) -> str:
    values = np.asarray(values)
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1, dtype=values.dtype,
        crs=f"EPSG:{epsg}", transform=transform, nodata=nodata,
    ) as dst:  # fmt: skip
        dst.write(values, 1)
    return str(path)


def made(
    name: str, assets: dict[str, str], when: str = "2017-06-01T10:00:00Z", collection: str = S2, **more: Any
) -> Any:
    properties = {"datetime": when, "platform": "one", "proj:epsg": 32633} | more
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": collection, "geometry": None,
        "bbox": [-180, -90, 180, 90], "links": [], "properties": properties,
        "assets": {k: {"href": h} for k, h in assets.items()},
    }  # fmt: skip


def square(n: int = 4, res: float = 10, left: float = 600000, top: float = 5200000, epsg: int = 32633) -> Grid:
    return Grid(Affine(res, 0, left, 0, -res, top), (n, n), CRS.from_epsg(epsg))


# ---- same-day tiles -------------------------------------------------------------------------------------------------
def two_tiles(tmp_path: Path) -> list[Any]:
    """Two tiles whose bands end at different columns, as the 10 m and 20 m bands of a swath's edge do."""
    items = []
    for name, value, ends in (("a", 1000, {"B02": 3, "B03": 2}), ("b", 2000, {"B02": 4, "B03": 4})):
        hrefs = {}
        for band, end in ends.items():
            values = np.full((4, 4), value, "uint16")
            values[:, end:] = 0
            if name == "b":
                values[0] = 0
            hrefs[band] = write(tmp_path / f"{name}{band}.tif", values)
        items.append(made(name, hrefs))
    return items


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pixel_comes_from_one_tile_in_all_bands(tmp_path: Path, engine: str) -> None:
    cube = open_cube(two_tiles(tmp_path), square(), engine=engine).load()
    blue, green = cube.blue[0].values, cube.green[0].values
    np.testing.assert_allclose(blue[1:], [[0.1, 0.1, 0.2, 0.2]] * 3, rtol=1e-6)  # column 2: a has blue, b has both
    np.testing.assert_allclose(green[1:], [[0.1, 0.1, 0.2, 0.2]] * 3, rtol=1e-6)
    np.testing.assert_allclose(blue[0], [0.1, 0.1, 0.1, np.nan], rtol=1e-6)  # where b has nothing, a's part remains
    np.testing.assert_allclose(green[0], [0.1, 0.1, np.nan, np.nan], rtol=1e-6)
    assert cube.item_ids.values.tolist() == ["a b"]


def test_a_cloud_layer_comes_from_the_tile_of_its_pixel(tmp_path: Path) -> None:
    red = [np.array([[500, 0]], "uint16"), np.array([[600, 600]], "uint16")]
    scl = [np.array([[4, 9]], "uint8"), np.array([[8, 5]], "uint8")]
    items = [
        made(str(n), {"B04": write(tmp_path / f"r{n}.tif", red[n]), "SCL": write(tmp_path / f"s{n}.tif", scl[n])},
             collection=L2A, **{"s2:processing_baseline": "02.12"})
        for n in (0, 1)
    ]  # fmt: skip
    cube = open_cube(items, Grid(PLACE, (1, 2), CRS.from_epsg(32633))).load()
    np.testing.assert_allclose(cube.red[0].values, [[0.05, 0.06]], rtol=1e-6)
    assert cube.scl[0].values.tolist() == [[4, 5]]  # not 9, which is the other tile's cloud


def test_steps_of_one_two_and_three_tiles_stay_in_time_order(tmp_path: Path) -> None:
    hrefs = [write(tmp_path / f"{k}.tif", np.full((4, 4), 1000 * (k + 1), "uint16")) for k in range(6)]
    days = (3, 1, 1, 2, 2, 2)
    items = [made(f"i{k}", {"B02": h}, f"2017-06-{days[k]:02d}T10:00:0{k}Z") for k, h in enumerate(hrefs)]
    cube = open_cube(items, square()).load()
    assert cube.item_ids.values.tolist() == ["i1 i2", "i3 i4 i5", "i0"]
    np.testing.assert_allclose(cube.blue[:, 0, 0].values, [0.2, 0.4, 0.1], rtol=1e-6)


def test_a_scene_that_is_there_twice_is_taken_as_reprocessed_last(tmp_path: Path) -> None:
    hrefs = [write(tmp_path / f"{k}.tif", np.full((4, 4), v, "uint16")) for k, v in enumerate((1000, 2000, 2500))]
    spec = [("02.06", "0"), ("05.00", "0"), ("05.00", "1")]
    items = [
        made(f"v{k}", {"B04": hrefs[k]}, collection=L2A, **{"s2:processing_baseline": b, "s2:sequence": s})
        for k, (b, s) in enumerate(spec)
    ]
    for order in (items, items[::-1]):
        cube = open_cube(order, square()).load()
        assert cube.item_ids.values.tolist() == ["v2 v1 v0"]
        np.testing.assert_allclose(cube.red.values, 0.15, rtol=1e-6)  # (2500 − 1000) × 0.0001
    assert "02.06" in cube.attrs["terrascope:scaling"] and "05.00" in cube.attrs["terrascope:scaling"]


# ---- radar ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def passes_of_two_directions(tmp_path: Path) -> list[Any]:
    spec = [
        ("2023-06-01T05:00:00Z", "descending", 51, 0.01),
        ("2023-06-01T17:00:00Z", "ascending", 117, 0.1),
        ("2023-06-07T05:00:00Z", "descending", 51, 0.03),
        ("2023-06-08T05:10:00Z", "descending", 124, 0.05),
    ]
    items = []
    for k, (when, state, track, power) in enumerate(spec):
        href = write(tmp_path / f"{k}.tif", np.full((4, 4), power, "float32"), nodata=-32768)
        orbit = {"sat:orbit_state": state, "sat:relative_orbit": track}
        items.append(made(f"s{k}", {"vv": href, "vh": href}, when, RTC, **orbit))
    return items


def test_directions_are_kept_apart_and_told(passes_of_two_directions: list[Any], tmp_path: Path) -> None:
    cube = open_cube(passes_of_two_directions, square())
    assert cube["sat:orbit_state"].values.tolist() == ["descending", "ascending", "descending", "descending"]
    assert cube["sat:relative_orbit"].values.tolist() == ["51", "117", "51", "124"]
    assert all(c.dtype.kind in "UMif" for c in cube.coords.values()) and cube.vv.attrs["units"] == "linear gamma0"
    cube.to_netcdf(tmp_path / "s1.nc")
    same_minute = [
        dict(i, properties=i["properties"] | {"datetime": "2023-06-01T05:00:00Z"}) for i in passes_of_two_directions
    ]
    assert open_cube(same_minute[:2], square()).sizes["time"] == 2  # even then


def test_means_are_of_power(passes_of_two_directions: list[Any]) -> None:
    cube = open_cube(passes_of_two_directions, square())
    by_direction = mean_linear(cube)
    assert by_direction["sat:orbit_state"].values.tolist() == ["ascending", "descending"]
    np.testing.assert_allclose(by_direction.vv[:, 0, 0].values, [0.1, 0.03], rtol=1e-6)
    tracks = mean_linear(cube, "relative orbit")
    assert dict(zip(tracks["sat:relative_orbit"].values.tolist(), tracks.vh[:, 0, 0].values.tolist(), strict=True)) == {
        "117": pytest.approx(0.1), "124": pytest.approx(0.05), "51": pytest.approx(0.02),
    }  # fmt: skip
    whole = mean_linear(cube, "time")
    assert float(whole.vv[0, 0]) == pytest.approx(0.0475) and whole.rio.crs.to_epsg() == 32633
    assert "descending: 3 passes" in by_direction.attrs["terrascope:composite"]
    with pytest.raises(InvalidInput, match="'orbit', 'relative orbit' or 'time'"):
        mean_linear(cube, "day")
    with pytest.raises(InvalidInput, match="sat:orbit_state"):
        mean_linear(cube.drop_vars("sat:orbit_state"))
    with pytest.raises(InvalidInput, match="'optical', not radar"):
        mean_linear(cube.assign_attrs({"terrascope:kind": "optical"}), "time")


def test_no_power_is_no_data_before_it_is_mixed_with_its_neighbour(tmp_path: Path) -> None:
    power = np.full((8, 8), 0.2, "float32")
    power[:, :3], power[:, 3], power[0, 7] = -32768, 0, -0.001
    href = write(tmp_path / "vv.tif", power, nodata=-32768)
    item = made("r", {"vv": href, "vh": href}, collection=RTC)
    exact = open_cube([item], square(8)).vv[0].values
    assert np.array_equal(np.isfinite(exact), power > 0)
    between = open_cube([item], square(7, 10, 600005, 5199995)).vv[0].values  # each pixel between four
    assert np.isfinite(between[:, 4:]).all()
    np.testing.assert_allclose(between[np.isfinite(between)], 0.2, rtol=1e-6)


def test_fringes_at_the_border_go_dark_water_inside_stays() -> None:
    import xarray as xr

    vv = np.full((12, 12), 0.05, "float32")
    vv[:, :2] = np.nan  # outside the swath
    vv[:, 2:4] = 2e-4  # the fringe
    vv[5:8, 7:10] = 3e-4  # a calm lake
    vv[0:2, 10:] = 3e-4  # dark water that runs out of the cube, not out of the swath
    vh = vv * 0.2
    vh[11, 11] = np.nan
    bands = {n: (("time", "y", "x"), v[None]) for n, v in (("vv", vv), ("vh", vh))}
    cube = xr.Dataset(bands, {"time": [np.datetime64("2016-01-01", "ns")]}, {"terrascope:kind": "sar"})
    out = drop_border_noise(cube)
    gone = np.zeros((12, 12), bool)
    gone[:, :4] = gone[11, 11] = True
    for name in ("vv", "vh"):
        assert np.array_equal(np.isnan(out[name][0].values), gone)
    assert "24 pixels by step" in out.attrs["terrascope:border"] and np.isfinite(cube.vv.values[0, :, 3]).all()
    flat = drop_border_noise(cube.isel(time=0))
    assert flat.vv.equals(out.vv.isel(time=0))
    with pytest.raises(InvalidInput, match="floor"):
        drop_border_noise(cube, floor=-30)


# ---- Landsat --------------------------------------------------------------------------------------------------------
def test_landsat_reflectance_temperature_and_bits(tmp_path: Path) -> None:
    place = Affine(30, 0, 600000, 0, -30, 5200000)
    red = write(tmp_path / "r.tif", np.array([[0, 10909], [14545, 43636]], "uint16"), place, nodata=0)
    heat = write(tmp_path / "t.tif", np.array([[0, 44177], [41251, 44177]], "uint16"), place, nodata=0)
    bits = write(tmp_path / "q.tif", np.array([[1, 21824], [22280, 21888]], "uint16"), place, nodata=1)
    item = made("LC09", {"red": red, "lwir11": heat, "qa_pixel": bits}, collection=LANDSAT)
    cube = open_cube([item], square(3, 30)).load()
    np.testing.assert_allclose(cube.red[0, :2, :2].values, [[np.nan, 0.1], [0.2, 1.0]], atol=3e-5)
    np.testing.assert_allclose(cube.lwir11[0, :2, :2].values, [[np.nan, 300], [290, 300]], atol=0.01)
    assert cube.lwir11.attrs["units"] == "K" and cube.qa_pixel.dtype == "uint16"
    assert cube.qa_pixel[0].values.tolist() == [[1, 21824, 1], [22280, 21888, 1], [1, 1, 1]]  # bit 0 outside the file


# ---- engines --------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def styria(shared_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Grid]:
    """Five real items of tile 33TWM, their rasters given back the place that they were cropped from."""
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


@pytest.mark.parametrize("sensor", ["bigearthnet-s2-l2a", "bigearthnet-s1-grd"])
@pytest.mark.parametrize("resolution", [10, 25])
def test_engines_agree_on_the_sample(sensor: str, resolution: float) -> None:
    found = search((30.58, 62.81, 30.62, 62.83), None, sensor, "sample")
    ours, other = (open_cube(found, resolution=resolution, engine=e) for e in ENGINES)
    assert ours.chunks == other.chunks and ours.attrs == other.attrs
    assert ours.load().identical(other.load())


@pytest.mark.parametrize("shape", [(120, 32633, 0), (200, 32633, 60), (150, 32632, 0)])
def test_engines_agree_on_real_items(styria: tuple[Path, Grid], shape: tuple[int, int, int]) -> None:
    where, grid = styria
    res, epsg, shift = shape
    x, y = Transformer.from_crs(32633, epsg, always_xy=True).transform(
        grid.transform.c + shift, grid.transform.f - shift
    )
    other = Grid(Affine(res, 0, x, 0, -res, y), (150, 130), CRS.from_epsg(epsg))
    found = search(grid, "2023-08", L2A, where)
    cubes = [open_cube(found, other, engine=e, bands=["red", "nir", "scl"]).load() for e in ENGINES]
    assert cubes[0].identical(cubes[1]) and np.isfinite(cubes[0].red.values).mean() > 0.3


def test_an_engine_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [m for m in sys.modules if m == "odc" or m.startswith("odc.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "odc.stac", None)
    found = search((30.58, 62.81, 30.62, 62.83), None, S2, "sample")
    with pytest.raises(MissingPackage, match=r"odc\.stac is needed.*pip install"):
        open_cube(found, engine="odc-stac")


def test_two_cubes_in_one_computation_do_not_take_each_other_s_pixels(tmp_path: Path) -> None:
    cubes = []
    for k, value in enumerate((1000, 3000)):
        folder = tmp_path / str(k)
        folder.mkdir()
        href = write(folder / "B02.tif", np.full((4, 4), value, "uint16"))
        cubes += [open_cube([made("same", {"B02": href})], square(), engine=e).blue for e in ENGINES]
    got = [float(a[0, 0, 0]) for a in dask.compute(*(c.data for c in cubes))]
    np.testing.assert_allclose(got, [0.1, 0.1, 0.3, 0.3], rtol=1e-6)


# ---- overviews ------------------------------------------------------------------------------------------------------
@pytest.fixture
def with_overviews(tmp_path: Path) -> tuple[str, np.ndarray]:
    """A file of odd size whose overviews hold other numbers than their pixels' means, so that it shows what is read."""
    values = np.full((1027, 1027), 1000, "uint16")
    path = write(tmp_path / "o.tif", values)
    with rasterio.open(path, "r+") as dst:
        dst.write(np.full((1027, 1027), 4000, "uint16"), 1)
        dst.build_overviews([2, 4, 8], Resampling.nearest)
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dst:
        dst.write(values, 1)
    return path, values


@pytest.mark.parametrize(("res", "want"), [(10, 0.1), (19, 0.1), (20, 0.4), (45, 0.4), (90, 0.4)])
@pytest.mark.parametrize("engine", ENGINES)
def test_overviews_serve_measurements_no_finer_than_wanted(
    with_overviews: tuple[str, np.ndarray], res: float, want: float, engine: str
) -> None:
    path, _ = with_overviews
    cube = open_cube([made("o", {"B02": path})], square(64, res), engine=engine)
    np.testing.assert_allclose(cube.blue.values, want, rtol=1e-6)
    assert "overviews" in cube.attrs["terrascope:resampling"]
    none = open_cube([made("o", {"B02": path})], square(64, res), engine=engine, overviews="none")
    np.testing.assert_allclose(none.blue.values, 0.1, rtol=1e-6)
    assert "overviews" not in none.attrs["terrascope:resampling"]


def test_overviews_of_classes_only_when_asked(with_overviews: tuple[str, np.ndarray], tmp_path: Path) -> None:
    path = write(tmp_path / "c.tif", np.full((512, 512), 4, "uint8"))
    with rasterio.open(path, "r+") as dst:
        dst.write(np.full((512, 512), 9, "uint8"), 1)
        dst.build_overviews([2, 4, 8], Resampling.nearest)
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dst:
        dst.write(np.full((512, 512), 4, "uint8"), 1)
    item = made("c", {"SCL": path}, collection=L2A)
    for how, want in (("measurements", 4), ("all", 9), ("none", 4)):
        assert (open_cube([item], square(64, 80), overviews=how).scl.values == want).all()
    with pytest.raises(InvalidInput, match="did you mean 'none'"):
        open_cube([item], square(64, 80), overviews="non")


def test_overviews_lie_where_the_file_says_whatever_the_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ramp is the same from every overview, also of a size that no overview divides."""
    n = 1027
    ramp = (1000 + 4 * np.arange(n)[None, :] + 3 * np.arange(n)[:, None]).astype("uint16")
    path = write(tmp_path / "r.tif", ramp)
    with rasterio.open(path, "r+") as dst:
        dst.build_overviews([2, 4, 8], Resampling.average)
    grid = Grid(Affine(83, 0, 601000, 0, -83, 5199000), (90, 90), CRS.from_epsg(32633))
    want = open_cube([made("r", {"B02": path})], grid, overviews="none").blue[0].values
    got = open_cube([made("r", {"B02": path})], grid).blue[0].values
    np.testing.assert_allclose(got, want, atol=2e-4)  # two DN of a ramp of 4 a pixel: half a pixel
    monkeypatch.setattr(cube_module, "CHUNK", 23)
    np.testing.assert_array_equal(open_cube([made("r", {"B02": path})], grid).blue[0].values, got)


# ---- size -----------------------------------------------------------------------------------------------------------
def test_a_cube_that_is_too_large_is_refused_before_any_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasterio, "open", lambda *a, **k: pytest.fail("a file was opened"))
    found = search((30.58, 62.81, 30.62, 62.83), None, S2, "sample")
    size = estimate_bytes(found)
    assert open_cube(found, max_bytes=size).nbytes >= size
    with pytest.raises(
        TooLarge, match=rf"{size:,} bytes: 1 date × 12 bands × .*max_bytes={size - 1:,}.*coarser"
    ) as caught:
        open_cube(found, max_bytes=size - 1)
    assert isinstance(caught.value, MemoryError)


def test_reading_counts_megabytes_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[float] = []

    class Bar:
        def __init__(self, total: int, desc: str, unit: str) -> None:
            self.total = total
            assert unit == "MB" and desc == "reading"

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *args: object) -> None:
            assert sum(shown) == pytest.approx(self.total)

        def update(self, n: float) -> None:
            assert n >= 0
            shown.append(n)

    monkeypatch.setattr(reading, "progress", Bar)
    monkeypatch.setattr(cube_module, "CHUNK", 256)
    href = write(tmp_path / "a.tif", np.full((1024, 1024), 3000, "uint16"))
    cube = open_cube([made("a", {"B02": href, "B03": href})], square(1024))
    loaded = reading.read(cube)
    assert loaded.equals(cube.compute()) and len(shown) > 5 and reading.read(loaded) is loaded


# ---- what is written is what is read --------------------------------------------------------------------------------
KINDS = {"uint8": (1, 255), "uint16": (1, 60000), "int16": (1, 30000), "float32": (1, 9000)}


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**31), dtype=st.sampled_from(sorted(KINDS)), nodata=st.sampled_from([None, 0, 7]),
    size=st.tuples(st.integers(3, 60), st.integers(3, 60)), res=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    corner=st.tuples(st.integers(-500, 500), st.integers(-500, 500)), epsg=st.sampled_from([32633, 32701, 3035, 3857]),
    chunk=st.sampled_from([7, 16, 1024]), engine=st.sampled_from(ENGINES), tiled=st.booleans(),
)  # fmt: skip
def test_values_read_are_values_written(
    seed: int, dtype: str, nodata: float | None, size: tuple[int, int], res: tuple[int, int], corner: tuple[int, int],
    epsg: int, chunk: int, engine: str, tiled: bool, tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    values = rng.integers(*KINDS[dtype], size, endpoint=True).astype(dtype)
    values[rng.random(size) < 0.2] = 0 if nodata is None else nodata
    place = Affine(res[0], 0, 600000 + corner[0], 0, -res[1], 5200000 + corner[1])
    path = tmp_path_factory.mktemp("w") / "a.tif"
    options = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"} if tiled else {}
    with rasterio.open(
        path, "w", driver="GTiff", height=size[0], width=size[1], count=1, dtype=dtype, crs=f"EPSG:{epsg}",
        transform=place, nodata=nodata, **options,
    ) as dst:  # fmt: skip
        dst.write(values, 1)
    # The file's lattice, a window that reaches beyond it on two sides.
    row, col = int(rng.integers(0, size[0])), int(rng.integers(0, size[1]))
    wider = Affine(res[0], 0, place.c - 2 * res[0], 0, -res[1], place.f + 2 * res[1])
    grid = Grid(wider, (row + 3, col + 3), CRS.from_epsg(epsg))
    want = np.full((row + 3, col + 3), np.nan)
    part = values[: row + 1, : col + 1].astype("float64")
    part[(part == 0) | (part == (0 if nodata is None else nodata))] = np.nan
    want[2:, 2:] = part * 1e-4
    before = cube_module.CHUNK
    cube_module.CHUNK = chunk
    try:
        got = open_cube([made("w", {"B02": str(path)})], grid, engine=engine).blue[0].values
    finally:
        cube_module.CHUNK = before
    np.testing.assert_allclose(got, want, rtol=1e-6)


# ---- anywhere on Earth ----------------------------------------------------------------------------------------------
def field(lon: Any, lat: Any) -> Any:
    """A number that tells the place, the same in every projection and on both sides of 180°."""
    return 3000 + 1500 * np.sin(np.radians(lon * 9)) + 1200 * np.cos(np.radians(lat * 9))


def placed_item(folder: Path, name: str, grid: Grid, geometry: Any) -> Any:
    lon, lat = grid.lonlat(*np.indices(grid.shape))
    href = write(folder / f"{name}.tif", np.round(field(lon, lat)).astype("uint16"), grid.transform, grid.crs.to_epsg())
    item = made(name, {"B02": href}, **{"proj:epsg": grid.crs.to_epsg()})
    del item["bbox"]
    return item | {"geometry": geometry}


def catalogue(folder: Path, items: list[Any]) -> Path:
    (folder / "items").mkdir()
    for item in items:
        (folder / "items" / f"{item['id']}.json").write_text(json.dumps(item))
    return folder / "items"


@pytest.mark.parametrize(
    "box", [(179.8, -17.3, -179.8, -17.1), (179.95, -17.3, 180.05, -17.1), (-180.05, -17.3, -179.9, -17.1)]
)
def test_across_the_antimeridian(tmp_path: Path, box: tuple[float, float, float, float]) -> None:
    items = []
    for name, west, east, epsg in (("west", 179.5, 180.0, 32760), ("east", -180.0, -179.5, 32701)):
        own = Grid.from_aoi(AOI.from_bbox((west, -17.5, east, -17.0)), 200, epsg)
        ring = [[west, -17.5], [east, -17.5], [east, -17.0], [west, -17.0], [west, -17.5]]
        items.append(placed_item(tmp_path, name, own, {"type": "Polygon", "coordinates": [ring]}))
    aoi = AOI.from_bbox(box)
    found = search(aoi, "2017-06", S2, catalogue(tmp_path, items))
    assert set(found.ids) == {"west", "east"} and aoi.crosses_antimeridian
    for engine in ENGINES:
        cube = open_cube(found, resolution=300, engine=engine).load()  # two zones: the AOI's own
        assert cube.sizes["time"] == 1 and cube.item_ids.values[0].count(" ") == 1
        grid = Grid.from_xarray(cube)
        inside = grid.mask(aoi)
        lon, lat = grid.lonlat(*np.indices(grid.shape))
        got = cube.blue[0].values
        assert inside.any() and np.isfinite(got[inside]).all()
        np.testing.assert_allclose(got[inside] * 1e4, field(lon, lat)[inside], atol=3)


@pytest.mark.parametrize(("box", "epsg"), [((-20, 85.0, 10, 85.4), 5041), ((100, -86.0, 140, -85.5), 5042)])
def test_near_the_poles(tmp_path: Path, box: tuple[float, float, float, float], epsg: int) -> None:
    aoi = AOI.from_bbox(box)
    own = Grid.from_aoi(aoi, 1000, 3413 if epsg == 5041 else 3031)  # the usual projections of polar archives
    w, s, e, n = box
    ring = [[x, s] for x in np.linspace(w, e, 9)] + [[x, n] for x in np.linspace(e, w, 9)] + [[w, s]]
    item = placed_item(tmp_path, "polar", own, {"type": "Polygon", "coordinates": [ring]})
    del item["properties"]["proj:epsg"]  # an item without projection: the grid is the AOI's, the place the file's
    found = search(aoi, "2017-06", S2, catalogue(tmp_path, [item]))
    for engine in ENGINES:
        cube = open_cube(found, resolution=1500, engine=engine).load()
        assert cube.rio.crs.to_epsg() == epsg
        grid = Grid.from_xarray(cube)
        inside = grid.mask(aoi)
        lon, lat = grid.lonlat(*np.indices(grid.shape))
        got = cube.blue[0].values
        assert np.isfinite(got[inside]).mean() > 0.98
        ok = inside & np.isfinite(got)
        np.testing.assert_allclose(got[ok] * 1e4, field(lon, lat)[ok], atol=25)
