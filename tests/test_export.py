"""Files for a GIS: values, places and areas are right, formats hold, hostile texts stay text, no secret leaves."""

from __future__ import annotations

import io
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
import shapely
import shapely.geometry
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from terrascope_nb.errors import AlreadyThere, GridMismatch, InvalidInput, NoCRS
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import GEOD, Grid
from terrascope_nb.reason.events import Answer, Mask
from terrascope_nb.reason.export import NOT_MEASURED, write_text
from terrascope_nb.reason.export.item import ASSETS, item_id
from terrascope_nb.reason.export.outlines import bbox, lonlat, outline
from terrascope_nb.reason.scrub import readable, scrub, scrub_in_place, scrubbed
from terrascope_nb.reason.trace import Trace
from terrascope_nb.scene import samples
from terrascope_nb.scene.images import bands_dataset
from terrascope_nb.scene.scene import Image, Scene
from terrascope_nb.scene.synthetic import synthetic_pair, synthetic_scene
from terrascope_nb.testing.strategies import CODES, grids, masks
from terrascope_nb.testing.traces import HOSTILE, trace_of

FILES = {"item.json", "masks.tif", "masks.geojson", "report.html", "trace/trace.json", "trace/arrays.npz"}


def scene_on(grid: Grid, **fields: Any) -> Scene:
    bands = {"red": np.full(grid.shape, 0.1, np.float32)}
    return Scene((Image(bands_dataset(bands, grid), "optical", grid, **fields),))


def two_steps(cloud: float = 0.2) -> tuple[Scene, Trace]:
    made = synthetic_scene(np.random.default_rng(2), 64, cloud=cloud)
    parts = [
        ("Water [SEG] covers 9 %. ", Mask(made.truth("water"), label="water")),
        ("Trees [SEG] cover 20 %.", Mask(made.truth("tree cover"), label="tree cover")),
    ]
    return made.scene, trace_of(made.scene, parts, "How much water?", Answer("9 %", value=9.0, unit="%"))


def geodesic(geometry: dict[str, Any] | None) -> float:
    """Area in m² on the ellipsoid of a GeoJSON geometry's rings, whose orientation must be right."""
    if geometry is None:
        return 0.0
    total = 0.0
    for p in getattr(shapely.geometry.shape(geometry), "geoms", [shapely.geometry.shape(geometry)]):
        fine = shapely.segmentize(p, 0.01)
        total += GEOD.polygon_area_perimeter(*np.array(fine.exterior.coords).T)[0]
        total += sum(GEOD.polygon_area_perimeter(*np.array(hole.coords).T)[0] for hole in fine.interiors)
    return total


# ---- GeoTIFF ----------------------------------------------------------------------------------------------------


def test_a_geotiff_is_a_cog_with_the_masks_values_and_place(tmp_path: Path) -> None:
    scene, trace = two_steps()
    path = trace.to_geotiff(tmp_path / "masks.tif")
    assert [p.name for p in tmp_path.iterdir()] == ["masks.tif"]  # nothing beside it
    with rasterio.open(path) as tif:
        assert tif.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (tif.count, tif.dtypes[0], tif.nodata) == (2, "uint8", NOT_MEASURED)
        assert tif.crs.to_epsg() == 32633 and tif.transform == scene.grid.transform and tif.shape == (64, 64)
        assert tif.descriptions == ("1 water 2023-06-15", "2 tree cover 2023-06-15")
        assert tif.tags()["question"] == "How much water?" and tif.tags()["answer"] == "9 %"
        assert tif.tags(2)["sentence"] == "Trees cover 20 %." and tif.tags(1)["label"] == "water"
        for k, step in enumerate(trace.steps):
            values = tif.read(k + 1)
            clear = scene.images[0].clear
            assert (values[~clear] == NOT_MEASURED).all() and (~clear).any()
            assert (values[clear] == step.mask.values[clear]).all()
            assert (values == 1).sum() == step.measured.pixels
    assert (
        path.stat().st_mode & 0o044 == 0o044 or path.stat().st_mode & 0o777 == 0o600
    )  # as the umask says, not a draft's


def test_a_large_cog_has_tiles_and_overviews(tmp_path: Path) -> None:
    grid = Grid(Affine(10, 0, 5e5, 0, -10, 5.1e6), (1300, 1500), 32633)
    mask = np.zeros(grid.shape, bool)
    mask[200:900, 100:1200] = True
    path = trace_of(scene_on(grid), [("[SEG].", Mask(mask))]).to_geotiff(tmp_path / "a.tif")
    with rasterio.open(path) as tif:
        assert tif.block_shapes[0] == (512, 512) and tif.overviews(1) == [2, 4]
        assert tif.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (tif.read(1) == mask).all()
        assert set(np.unique(tif.read(1, out_shape=(325, 375)))) <= {0, 1}  # nearest: no values in between
    assert b"LAYOUT=IFDS_BEFORE_DATA" in path.read_bytes()[:300]


@settings(max_examples=15)
@given(st.data())
def test_a_geotiff_says_where_any_grid_lies(data: st.DataObject) -> None:
    grid = data.draw(grids(CODES, rotated=data.draw(st.booleans())))
    if grid.crs.is_geographic and not grid.is_north_up:
        grid = Grid(Affine(1e-4, 0, 14, 0, -1e-4, 46), grid.shape, grid.crs)
    mask = data.draw(masks(grid.shape))
    trace = trace_of(scene_on(grid), [("[SEG].", Mask(mask))])
    with tempfile.TemporaryDirectory() as folder, rasterio.open(trace.to_geotiff(Path(folder) / "a.tif")) as tif:
        assert (tif.read(1) == mask).all()
        assert tif.transform.almost_equals(grid.transform, 1e-6)
        assert CRS.from_wkt(tif.crs.to_wkt()).equals(grid.crs, ignore_axis_order=True)


# ---- GeoJSON ----------------------------------------------------------------------------------------------------


def test_geojson_holds_to_rfc_7946(tmp_path: Path) -> None:
    _, trace = two_steps()
    content = json.loads(trace.to_geojson(tmp_path / "a.geojson").read_text(encoding="utf-8"))
    assert content["type"] == "FeatureCollection" and "crs" not in content
    for feature, step in zip(content["features"], trace.steps, strict=True):
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.is_valid
        for p in getattr(shape, "geoms", [shape]):
            assert p.exterior.is_ccw and not any(hole.is_ccw for hole in p.interiors)
        w, s, e, n = shape.bounds
        assert 14 < w < e < 17 and 46 < s < n < 47  # longitude first
        assert feature["properties"]["area_m2"] == pytest.approx(step.measured.area, abs=0.01)
        assert feature["properties"]["sentence"].count("SEG") == 0


@settings(max_examples=40)
@given(st.data())
def test_outlines_have_the_area_of_their_mask(data: st.DataObject) -> None:
    grid = data.draw(grids(CODES, max_side=24, rotated=data.draw(st.booleans())))
    if grid.crs.is_geographic and not grid.is_north_up:
        grid = Grid(Affine(1e-4, 0, 14, 0, -1e-4, 46), grid.shape, grid.crs)
    mask = data.draw(masks(grid.shape))
    shape = outline(mask, grid)
    assert (shape is None) == (not mask.any())
    if shape is None:
        return
    assert shape.is_valid
    assert shape.area == pytest.approx(mask.sum() * abs(grid.transform.determinant), rel=1e-6)
    placed = lonlat(shape, grid.crs, max(grid.resolution))
    # UTM and Lambert are measured at their nominal size, which may differ from the ellipsoid's by 0.2 %
    assert geodesic(placed) == pytest.approx(grid.area_of(mask), rel=5e-3)
    assert geodesic(placed) > 0


def test_an_empty_mask_has_no_geometry(tmp_path: Path) -> None:
    scene, _ = two_steps()
    trace = trace_of(scene, [("Snow [SEG] is not there.", Mask(np.zeros((64, 64), bool), label="snow and ice"))])
    feature = json.loads(trace.to_geojson(tmp_path / "a.geojson").read_text(encoding="utf-8"))["features"][0]
    assert feature["geometry"] is None and feature["properties"]["pixels"] == 0
    frame = trace.to_geodataframe()
    assert frame.geometry[0] is None and frame.crs.to_epsg() == 32633


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (32660, Affine(1000, 0, 690_000, 0, -1000, 1_800_000)),  # UTM zone 60, its eastern edge is 180°
        (32760, Affine(1000, 0, 790_000, 0, -1000, 8_100_000)),
        (4326, Affine(0.01, 0, 179.8, 0, -0.01, -16)),
        (4326, Affine(0.01, 0, -180.2, 0, -0.01, -16)),
        (3832, Affine(1000, 0, 3_300_000, 0, -1000, -1_800_000)),  # PDC Mercator, centred on 150° E
    ],
)
def test_outlines_are_cut_at_the_antimeridian(crs: int, transform: Affine) -> None:
    grid = Grid(transform, (40, 400 if crs != 4326 else 40), crs)
    mask = np.ones(grid.shape, bool)
    mask[10:20, 5:-5] = False
    placed = lonlat(outline(mask, grid), grid.crs, max(grid.resolution))
    shape = shapely.geometry.shape(placed)
    assert shape.is_valid and placed["type"] == "MultiPolygon"
    w, s, e, n = shape.bounds
    assert (w, e) == (-180, 180)
    assert all(p.bounds[2] <= 0 or p.bounds[0] >= 0 for p in shape.geoms)
    assert geodesic(placed) == pytest.approx(grid.area_of(mask), rel=5e-3)
    west, _, east, _ = bbox(placed)
    assert 170 < west < 180 and -180 < east < -170


def test_the_pole_has_no_outline_in_degrees(tmp_path: Path) -> None:
    grid = Grid(Affine(1000, 0, 1_990_000, 0, -1000, 2_010_000), (20, 20), 5041)
    trace = trace_of(scene_on(grid), [("[SEG].", Mask(np.ones((20, 20), bool)))])
    with pytest.raises(InvalidInput, match=r"North Pole.*to_geodataframe"):
        trace.to_geojson(tmp_path / "a.geojson")
    assert trace.to_geodataframe().geometry[0].area == 20 * 20 * 1e6
    assert list(tmp_path.iterdir()) == []


# ---- STAC -------------------------------------------------------------------------------------------------------


def test_a_stac_item_is_whole_and_valid(tmp_path: Path) -> None:
    scene, trace = two_steps()
    path = trace.to_stac(tmp_path / "out")
    assert {str(p.relative_to(path.parent)) for p in path.parent.rglob("*") if p.is_file()} == FILES
    raw = json.loads(path.read_text(encoding="utf-8"))
    for asset in raw["assets"].values():
        assert asset["href"].startswith("./") and (path.parent / asset["href"]).is_file()
    p = raw["properties"]
    assert (p["proj:code"], p["proj:shape"]) == ("EPSG:32633", [64, 64])
    assert p["proj:transform"] == list(scene.grid.transform)[:6]
    assert p["datetime"] == "2023-06-15T00:00:00Z"
    shape = shapely.geometry.shape(raw["geometry"])
    assert raw["bbox"] == pytest.approx(list(shape.bounds)) and shape.exterior.is_ccw
    item = pystac.Item.from_file(str(path))
    assert (
        item.id == raw["id"]
        and item.ext.proj.epsg == 32633
        and item.datetime.isoformat() == "2023-06-15T00:00:00+00:00"
    )
    # the extensions' schemas lie on the network; the core's come with pystac
    core = pystac.Item.from_dict({**raw, "stac_extensions": []})
    assert core.validate()
    loaded = Trace.load(path.parent / "trace")
    assert loaded.text == trace.text


def test_the_times_of_an_item(tmp_path: Path) -> None:
    pair = synthetic_pair(np.random.default_rng(1), 48, sar=False).scene
    two = trace_of(pair, [("[SEG].", Mask(np.eye(48, dtype=bool)))]).to_stac(tmp_path / "two")
    p = json.loads(two.read_text(encoding="utf-8"))["properties"]
    assert p["datetime"] is None and (p["start_datetime"][:10], p["end_datetime"][:10]) == ("2023-06-15", "2023-09-13")
    assert pystac.Item.from_dict({**json.loads(two.read_text(encoding="utf-8")), "stac_extensions": []}).validate()
    grid = pair.grid
    undated = trace_of(
        scene_on(grid), [("[SEG].", Mask(np.eye(48, dtype=bool)))], provenance={"asked_at": "2024-05-06T07:08:09+00:00"}
    )
    p = json.loads(undated.to_stac(tmp_path / "none").read_text(encoding="utf-8"))["properties"]
    assert p["datetime"] == "2024-05-06T07:08:09Z" and "No acquisition time is known" in p["description"]


def test_an_item_of_the_lake_lies_on_its_aoi(tmp_path: Path) -> None:
    lake = samples.load("lake")
    trace = trace_of(
        lake, [("Water [SEG].", Mask(lake.images[0].array("nir") < 0.1, label="water"))], provenance={"scene": "lake"}
    )
    raw = json.loads(trace.to_stac(tmp_path).read_text(encoding="utf-8"))
    place = shapely.geometry.shape(samples.place("lake").to_geojson())
    shape = shapely.geometry.shape(raw["geometry"])
    assert shape.intersection(place).area / shape.union(place).area > 0.9999
    assert raw["id"] == item_id(trace) and raw["id"].startswith("lake-what-is-here-")


def test_an_item_across_the_antimeridian_has_the_bbox_of_rfc_7946(tmp_path: Path) -> None:
    grid = Grid(Affine(0.01, 0, 179.8, 0, -0.01, -16), (40, 40), 4326)
    raw = json.loads(
        trace_of(scene_on(grid), [("[SEG].", Mask(np.eye(40, dtype=bool)))])
        .to_stac(tmp_path)
        .read_text(encoding="utf-8")
    )
    assert raw["bbox"] == pytest.approx([179.8, -16.4, -179.8, -16])
    assert raw["geometry"]["type"] == "MultiPolygon"


def test_a_crs_without_a_code_is_written_out(tmp_path: Path) -> None:
    own = CRS.from_proj4("+proj=laea +lat_0=47 +lon_0=15 +ellps=WGS84 +units=m")
    grid = Grid(Affine(10, 0, 0, 0, -10, 0), (8, 8), own)
    p = json.loads(
        trace_of(scene_on(grid), [("[SEG].", Mask(np.eye(8, dtype=bool)))])
        .to_stac(tmp_path)
        .read_text(encoding="utf-8")
    )["properties"]
    assert p["proj:code"] is None and CRS.from_wkt(p["proj:wkt2"]) == own


def test_numbers_that_json_does_not_know_become_null(tmp_path: Path) -> None:
    scene, _ = two_steps()
    for value in (math.nan, math.inf):
        trace = trace_of(scene, [("[SEG].", Mask(np.eye(64, dtype=bool)))], answer=Answer("?", value=value))
        text = trace.to_stac(tmp_path, overwrite=True).read_text(encoding="utf-8")
        assert json.loads(text, parse_constant=pytest.fail)["properties"]["terrascope_nb:value"] is None


# ---- objects ----------------------------------------------------------------------------------------------------


def test_a_dataset_keeps_all_and_survives_netcdf(tmp_path: Path) -> None:
    scene, _ = two_steps()
    score = np.where(scene.images[0].clear, np.float32(0.25), np.float32("nan"))
    parts = [
        ("Wasser «é» [SEG] is 🌊. ", Mask(score > 0.1, score, "water")),
        ("It [SEG].", Mask(np.eye(64, dtype=bool), image=1)),
    ]
    data = trace_of(scene, parts, "Où?").to_xarray()
    assert dict(data.sizes) == {"step": 2, "y": 64, "x": 64}
    assert data["mask"].dtype == bool and data["label"].values.tolist() == ["water", ""]
    assert data.rio.crs.to_epsg() == 32633 and data.rio.transform() == scene.grid.transform
    assert np.isnan(data["probability"].values[1]).all()
    assert (data["measured"].values[0] == scene.images[0].clear).all()
    data.to_netcdf(tmp_path / "a.nc", engine="scipy")
    with xr.open_dataset(tmp_path / "a.nc", engine="scipy", decode_coords="all") as back:
        xr.testing.assert_equal(back.load().drop_vars("spatial_ref"), data.drop_vars("spatial_ref"))
        assert back["mask"].dtype == bool and back.attrs["question"] == "Où?"
        assert back.rio.crs.to_epsg() == 32633 and back.rio.transform() == scene.grid.transform


def test_a_dataset_without_dates_or_crs_survives_netcdf(tmp_path: Path) -> None:
    grid = Grid(Affine(1, 0, 0, 0, 1, 0), (6, 5), None)
    data = trace_of(
        scene_on(grid), [("Half \ud800 [SEG] \x00.", Mask(np.ones((6, 5), bool), label="x\x00"))], "\ud800"
    ).to_xarray()
    data.to_netcdf(tmp_path / "a.nc", engine="scipy")
    with xr.open_dataset(tmp_path / "a.nc", engine="scipy") as back:
        xr.testing.assert_equal(back.load(), data)
        assert np.isnat(back["time"].values).all()


def test_a_geodataframe_is_written_as_a_geopackage(tmp_path: Path) -> None:
    import geopandas

    scene, trace = two_steps()
    frame = trace.to_geodataframe()
    assert frame.geometry.area.to_numpy() == pytest.approx([s.measured.area for s in trace.steps])
    frame.to_file(tmp_path / "a.gpkg")
    back = geopandas.read_file(tmp_path / "a.gpkg")
    assert back.crs == frame.crs and back["label"].tolist() == ["water", "tree cover"]
    assert back.geometry.area.sum() == pytest.approx(frame.geometry.area.sum())


# ---- what cannot be -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["to_geotiff", "to_geojson", "to_stac", "to_html"])
def test_nothing_is_written_over_unless_asked(tmp_path: Path, how: str) -> None:
    _, trace = two_steps()
    path = tmp_path / ("folder" if how == "to_stac" else "a.file")
    written = getattr(trace, how)(path)
    before = written.read_bytes()
    with pytest.raises(AlreadyThere, match="overwrite=True"):
        getattr(trace.replace(question="Other?"), how)(path)
    assert written.read_bytes() == before
    assert getattr(trace.replace(question="Other?"), how)(path, overwrite=True) == written
    assert written.read_bytes() != before
    assert not list(tmp_path.rglob(".writing-*"))


def test_an_item_is_not_begun_where_one_of_its_files_is_there(tmp_path: Path) -> None:
    _, trace = two_steps()
    (tmp_path / "report.html").write_text("mine", encoding="utf-8")
    with pytest.raises(AlreadyThere, match=r"report\.html"):
        trace.to_stac(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    _, trace = two_steps()
    for how in ("to_geotiff", "to_geojson", "to_html"):
        with pytest.raises(InvalidInput, match="is a folder"):
            getattr(trace, how)(tmp_path, overwrite=True)


def test_a_draft_is_taken_away_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_text(tmp_path / "a.txt", "old")

    def full(self: Path, *_: Any, **__: Any) -> int:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space"):
        write_text(path, "new", overwrite=True)
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_traces_without_masks_crs_or_one_grid_say_so(tmp_path: Path) -> None:
    scene, _ = two_steps()
    nothing = trace_of(scene, [("I cannot tell.", None)], answer=Answer("", finish="abstained", reason="no infrared"))
    small, large = (scene_on(Grid(Affine(1, 0, 0, 0, 1, 0), (n, n), None)).images[0] for n in (4, 5))
    nowhere = trace_of(Scene((small,)), [("[SEG].", Mask(np.eye(4, dtype=bool)))])
    two = trace_of(
        Scene((small, large)),
        [("[SEG].", Mask(np.eye(4, dtype=bool))), ("[SEG].", Mask(np.eye(5, dtype=bool), image=1))],
    )
    for how in ("to_geotiff", "to_geojson", "to_stac"):
        with pytest.raises(InvalidInput, match="no mask.*no infrared"):
            getattr(nothing, how)(tmp_path / "x")
        with pytest.raises(NoCRS, match="has no CRS"):
            getattr(nowhere, how)(tmp_path / "x")
        with pytest.raises(GridMismatch, match="2 grids"):
            getattr(two, how)(tmp_path / "x")
    with pytest.raises(InvalidInput, match="no mask"):
        nothing.to_xarray()
    with pytest.raises(GridMismatch, match=r"step\.mask"):
        two.to_xarray()
    assert list(tmp_path.iterdir()) == []


# ---- hostile texts and secrets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("said", HOSTILE)
def test_hostile_texts_stay_text_and_in_their_folder(tmp_path: Path, said: str) -> None:
    grid = Grid(Affine(10, 0, 5e5, 0, -10, 5.1e6), (16, 16), 32633)
    scene = Scene(
        scene_on(grid, sources=(said,), notes=(said,), sensor=said).images,
        AOI.from_bbox((5e5, 5.0998e6, 5.001e6, 5.1e6), 32633, said), said,
    )  # fmt: skip
    parts = [(f"{said} [SEG] {said}. ", Mask(np.eye(16, dtype=bool), label=said, note=said))]
    trace = trace_of(
        scene, parts, said, Answer(said, reason=said), [said + "1", said + "2"], said, {"scene": said, said: said}
    )
    path = trace.to_stac(tmp_path / "out")
    assert {str(p.relative_to(tmp_path / "out")) for p in tmp_path.rglob("*") if p.is_file()} == FILES
    raw = json.loads(path.read_text(encoding="utf-8"))
    assert raw["properties"]["terrascope_nb:question"] == readable(scrub(said))
    assert set(raw["id"]) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and len(raw["id"]) < 80
    assert {k: v["href"] for k, v in raw["assets"].items()} == {k: v["href"] for k, v in ASSETS.items()}
    with rasterio.open(path.parent / "masks.tif") as tif:
        assert (tif.read(1) == np.eye(16)).sum() + (tif.read(1) == 255).sum() == 256
        assert tif.descriptions[0].startswith("1 ")
    places = json.loads((path.parent / "masks.geojson").read_text(encoding="utf-8"))
    assert places["question"] == readable(scrub(said))
    trace.to_geodataframe().to_file(tmp_path / "a.gpkg")
    trace.to_xarray().to_netcdf(io.BytesIO(), engine="scipy")
    for file in path.parent.rglob("*"):
        assert not file.is_file() or b"SECRET" not in file.read_bytes()


SIGNED = "https://me:PASS@acct.blob.core.windows.net/c/a.tif?sv=2021&sig=SECRET%3D&se=2030"


def test_no_secret_leaves_in_any_export(tmp_path: Path) -> None:
    grid = Grid(Affine(10, 0, 5e5, 0, -10, 5.1e6), (16, 16), 32633)
    scene = scene_on(grid, sources=(SIGNED, "/vsicurl/" + SIGNED), notes=(f"read from {SIGNED}, nearest",))
    record = {
        "href": SIGNED, "list": [{"deep": (SIGNED,)}], "api_key": "SECRET",
        "planetary_computer_subscription_key": "SECRET",
        "X-Token": "SECRET",
        "url": "s3://b/k?X-Amz-Signature=SECRET&X-Amz-Credential=SECRET", "rel": "a.tif?token=SECRET",
        "authorization": "Bearer SECRET",
        "tokens": 5, "max_tokens": 12, "question mark": "is it? yes",
    }  # fmt: skip
    parts = [(f"I read {SIGNED} and [SEG] covers 6.2 %.", Mask(np.eye(16, dtype=bool), label="water", note=SIGNED))]
    trace = trace_of(
        scene, parts, f"What is in {SIGNED}?", Answer(f"{SIGNED} 6.2 %"), reasoner=SIGNED, provenance=record
    )
    trace.to_stac(tmp_path / "out")
    trace.save(tmp_path / "again", scene=scene)
    frame = trace.to_geodataframe()
    frame.to_file(tmp_path / "a.gpkg")
    trace.to_xarray().to_netcdf(tmp_path / "a.nc", engine="scipy")
    bundle = trace._repr_mimebundle_()
    (tmp_path / "bundle").write_text(bundle["text/plain"] + bundle["text/html"], encoding="utf-8")
    trace.plot().savefig(tmp_path / "a.svg")
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) == len(FILES) + 3 + 4
    for file in files:
        data = file.read_bytes()
        assert b"SECRET" not in data and b"PASS" not in data and b"sv=2021" not in data, file
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "max tokens 12" in html and "is it? yes" in html and "acct.blob.core.windows.net/c/a.tif" in html


@given(st.text(max_size=80))
def test_scrubbing_keeps_positions_and_plain_texts(text: str) -> None:
    assert len(scrub_in_place(text)) == len(text)
    if "?" not in text and "@" not in text and "=" not in text:
        assert scrub(text) == text == scrub_in_place(text)
    assert scrub(scrub(text)) == scrub(text)


def test_scrubbing_a_long_page_is_quick() -> None:
    import time

    page = "data:image/webp;base64," + "A" * 2_000_000 + '" title="https://h/a?b=c"' + "://" * 10_000 + "?sig" * 10_000
    start = time.perf_counter()
    out = scrub(page)
    assert "b=c" not in out and time.perf_counter() - start < 2


def test_scrubbed_leaves_numbers_and_shapes_alone() -> None:
    value = {"a": [1, 2.5, None, True, "x"], "b": {"c": ("d",)}}
    assert scrubbed(value) == {"a": [1, 2.5, None, True, "x"], "b": {"c": ["d"]}}
