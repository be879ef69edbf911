"""Sources of labelled scenes: each layout on a miniature of it, class maps audited, no place on two sides."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Picture
from pyproj import CRS, Geod, Transformer
from shapely.geometry import box

from terrascope_nb.cot.sources import (
    SOURCES,
    audit,
    labels_on,
    leaks,
    legend_for,
    merge_places,
    open_source,
    read_areas,
    read_bigearthnet,
    read_carolina,
    read_chatearthnet,
    read_chips,
    read_raster,
    read_slovenia,
    read_synthetic,
    read_xbd,
    side_of,
    split_of,
    window,
    windows,
)
from terrascope_nb.cot.sources.bigearthnet import BANDS
from terrascope_nb.cot.sources.legends import CHATEARTHNET_COLORS, CLC_2018, LEGENDS
from terrascope_nb.cot.sources.rasters import place_labels
from terrascope_nb.cot.sources.xbd import read_polygons
from terrascope_nb.errors import GridMismatch, InvalidInput, NotFound, ReadFailed, TerrascopeError
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene import samples
from terrascope_nb.scene.classes import labels as vocabulary
from terrascope_nb.scene.labelled import OTHER, Labelled
from terrascope_nb.scene.scene import Scene

UTM = CRS.from_epsg(32633)
GRID = Grid(Affine(10, 0, 500_000, 0, -10, 5_000_000), (30, 40), UTM)


def write(path: Path, values: np.ndarray, grid: Grid | None = None, **profile: Any) -> Path:
    """A raster file of (H, W) or (bands, H, W) numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    planes = values[None] if values.ndim == 2 else values
    where = {} if grid is None else {"crs": grid.crs.to_wkt(), "transform": grid.transform}
    with rasterio.open(
        path, "w", driver="GTiff", height=planes.shape[1], width=planes.shape[2], count=len(planes),
        dtype=str(planes.dtype), **where, **profile,
    ) as dst:  # fmt: skip
        dst.write(planes)
    return path


# ---- BigEarthNet ----------------------------------------------------------------------------------------------------
PATCHES = (  # folder of v1, its pair, name in v2 (product, row and column), country, split
    ("S2A_MSIL2A_20170613T101031_87_48", "S1A_IW_GRDH_1SDV_20170613T165043_33UUP_87_48",
     "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_87_48", "Austria", "train"),
    ("S2B_MSIL2A_20170924T93020_69_24", "S1A_IW_GRDH_1SDV_20170925T043256_35VPK_69_24",
     "S2B_MSIL2A_20170924T093020_N9999_R136_T35VPK_69_24", "Finland", "test"),
    ("S2A_MSIL2A_20170617T113321_4_55", "S1A_IW_GRDH_1SDV_20170617T064724_29UPU_4_55",
     "S2A_MSIL2A_20170617T113321_N9999_R080_T29UPU_4_55", "Ireland", "validation"),
)  # fmt: skip


@pytest.fixture(scope="module")
def real_patches(tmp_path_factory: pytest.TempPathFactory, shared_data: Callable[[str], Path]) -> Path:
    """Real chips in the layout of v2; the reference maps are made: CORINE codes in stripes, water where it is dark."""
    data, root = shared_data("bigearthnet-pairs"), tmp_path_factory.mktemp("ben")
    rows = []
    for old, radar, patch, country, split in PATCHES:
        product = patch.rsplit("_", 2)[0]
        to = root / "BigEarthNet-S2" / product / patch
        to.mkdir(parents=True)
        for band in (*BANDS, "B01", "B09"):
            shutil.copy(data / old / f"{old}_{band}.tif", to / f"{patch}_{band}.tif")
        to = root / "BigEarthNet-S1" / radar.rsplit("_", 3)[0] / radar
        to.mkdir(parents=True)
        for p in ("VV", "VH"):
            shutil.copy(data / radar / f"{radar}_{p}.tif", to / f"{radar}_{p}.tif")
        with rasterio.open(data / old / f"{old}_B08.tif") as src:
            profile, dark = src.profile, src.read(1) < 600
        codes = np.full((120, 120), 312, np.uint16)
        codes[:, 60:90], codes[:, 90:] = 211, 243
        codes[dark] = 512
        at = root / "Reference_Maps" / product / patch / f"{patch}_reference_map.tif"
        at.parent.mkdir(parents=True)
        with rasterio.open(at, "w", **{**profile, "dtype": "uint16"}) as dst:
            dst.write(codes, 1)
        rows.append(
            {"patch_id": patch, "labels": ["Arable land"], "split": split, "country": country, "s1_name": radar,
             "s2v1_name": old, "contains_seasonal_snow": False, "contains_cloud_or_shadow": country == "Ireland"}
        )  # fmt: skip
    parquet, arrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    parquet.write_table(arrow.Table.from_pylist(rows), root / "metadata.parquet")
    return root


def test_bigearthnet_reads_its_layout(real_patches: Path) -> None:
    first, second = read_bigearthnet(real_patches)  # the third is marked as cloudy
    assert first.scene.modalities == ("optical", "sar") and first.split == "train" and second.split == "test"
    image, radar = first.scene.images
    assert str(image.time) == "2017-06-13T10:10:31" and image.units == "reflectance" and image.grid.shape == (120, 120)
    assert set(image.bands.data_vars) >= {"blue", "nir", "nir08", "swir22"} and radar.units == "linear"
    assert 0.02 < float(np.nanmedian(image.array("green"))) < 0.15  # no offset of 0.1 was taken off or left on
    assert -20 < 10 * np.log10(float(np.nanmedian(radar.array("vv")))) < -3  # dB were told as dB
    assert second.place == "bigearthnet 35VPK" and second.scene.moments()[0].sar == 1
    assert second.truth("water").sum() > 1000 and second.licence.startswith("CDLA-Permissive-1.0")
    assert first.unmapped == {243: int((first.maps[0] == 243).sum())} and not first.mapped()[:, 100].any()
    assert "agriculture" in first.names[243]


def test_bigearthnet_selects(real_patches: Path) -> None:
    assert [i.key for i in read_bigearthnet(real_patches, split="test", sensors="optical")] == [PATCHES[1][2]]
    assert [i.split for i in read_bigearthnet(real_patches, cloud=True, country="Ireland")] == ["validation"]
    only = next(read_bigearthnet(real_patches, sensors="sar", part=(1, 2)))
    assert only.scene.modalities == ("sar",) and only.key == PATCHES[1][2]
    with pytest.raises(InvalidInput, match="did you mean 'validation'"):
        read_bigearthnet(real_patches, split="validations")


def test_bigearthnet_says_what_is_missing(real_patches: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="lacks BigEarthNet-S1, Reference_Maps, metadata.parquet"):
        (tmp_path / "BigEarthNet-S2").mkdir()
        next(read_bigearthnet(tmp_path))
    root = tmp_path / "copy"
    shutil.copytree(real_patches, root)
    patch = PATCHES[0][2]
    (root / "Reference_Maps" / patch.rsplit("_", 2)[0] / patch / f"{patch}_reference_map.tif").unlink()
    items = read_bigearthnet(root)
    with pytest.raises(ReadFailed, match="_reference_map.tif"):
        next(items)
    assert next(items).key == PATCHES[1][2]  # the one after it is not lost
    told = read_bigearthnet(root, on_bad="skip")
    assert [i.key for i in told] == [PATCHES[1][2]] and list(told.bad) == [patch]
    (root / "metadata.parquet").write_bytes(b"no parquet")
    with pytest.raises(ReadFailed, match="cannot be read as Parquet"):
        next(read_bigearthnet(root))


def test_codes_that_corine_has_not_are_listed(real_patches: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(real_patches, root)
    at = next(root.glob("Reference_Maps/*T33UUP/*/*.tif"))
    with rasterio.open(at, "r+") as dst:
        values = dst.read(1)
        values[:3] = 77
        dst.write(values, 1)
    with pytest.raises(InvalidInput, match=r"\[77\]"):
        next(read_bigearthnet(root))


def test_corine_has_44_classes_and_labels_of_the_vocabulary() -> None:
    numbers = [c.number for c in CLC_2018 if c.number < 990]
    assert len(numbers) == 44 == len(set(numbers))
    for name, classes in LEGENDS.items():
        strange = {c.label for c in classes if c.label} - {*vocabulary(), "moss and lichen"}
        assert not strange, f"{name}: {strange}"
    assert {c.number for c in CLC_2018 if not c.label} >= {243, 244, 422, 423, 141, 999}


# ---- chips ----------------------------------------------------------------------------------------------------------
def test_worldcover_chips(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for k in range(2):
        bands = rng.integers(200, 3000, (4, 30, 40)).astype(np.uint16)
        write(tmp_path / "images" / f"chip{k}.tif", bands, GRID)
        cover = np.full((30, 40), 10, np.uint8)
        cover[:10], cover[20:], cover[0, 0] = 80, 95, 0
        write(tmp_path / "labels" / f"chip{k}_label.tif", cover, GRID)
    items = list(
        read_chips(
            tmp_path / "images", tmp_path / "labels", label_suffix="_label", bands=["B02", "B03", "B04", "B08"],
            scale=1e-4, offset=0,
        )
    )  # fmt: skip
    assert [i.key for i in items] == ["chip0", "chip1"]
    assert set(items[0].labels) == {"water", "tree cover", "wetland"}
    assert items[0].truth("wetland").sum() == 400 and items[0].mapped().sum() == 1199
    (tmp_path / "labels" / "chip1_label.tif").unlink()
    with pytest.raises(NotFound, match="1 of 2 images have no label.*chip1"):
        next(read_chips(tmp_path / "images", tmp_path / "labels", label_suffix="_label", units="dn"))


def test_npy_chips_without_crs(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir(), (tmp_path / "y").mkdir()
    np.save(tmp_path / "x" / "a.npy", np.full((3, 16, 16), 0.1, "float32"))
    np.save(tmp_path / "y" / "a.npy", np.full((1, 16, 16), 40, "uint8"))
    item = next(
        read_chips(tmp_path / "x", tmp_path / "y", bands=["blue", "green", "red"], units="reflectance", resolution=10)
    )
    assert item.resolution == 10 and item.labels == ("cropland",) and item.scene.grid.crs is None
    np.save(tmp_path / "y" / "a.npy", np.full((8, 8), 40, "uint8"))
    with pytest.raises(GridMismatch, match="pixel on pixel"):
        next(read_chips(tmp_path / "x", tmp_path / "y", bands=["blue", "green", "red"], units="reflectance"))


def test_chatearthnet_colours_and_tiles(tmp_path: Path) -> None:
    palette = np.array(list(CHATEARTHNET_COLORS), np.uint8)
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 12, (32, 32))
    (tmp_path / "s2").mkdir(), (tmp_path / "cover").mkdir()
    for part in ("00", "01"):
        Picture.fromarray(rng.integers(0, 255, (32, 32, 3)).astype(np.uint8)).save(
            tmp_path / "s2" / f"t7_patch{part}.png"
        )
        Picture.fromarray(palette[numbers]).save(tmp_path / "cover" / f"t7_patch{part}.png")
    first, second = read_chatearthnet(tmp_path / "s2", tmp_path / "cover")
    assert (first.maps[0] == numbers).all() and first.place == second.place == "chatearthnet t7"
    assert first.resolution == 10 and first.licence == "CC BY 4.0" and first.scene.images[0].units == "rgb8"
    assert (first.truth("wetland") == np.isin(numbers, (9, 10))).all()
    Picture.fromarray(np.full((32, 32, 3), 7, np.uint8)).save(tmp_path / "cover" / "t7_patch00.png")
    with pytest.raises(InvalidInput, match=r"\(7, 7, 7\)"):
        next(read_chatearthnet(tmp_path / "s2", tmp_path / "cover"))


# ---- xBD ------------------------------------------------------------------------------------------------------------
def disaster(
    root: Path, key: str = "palu-tsunami_00000003", gsd: tuple[float, float] = (1.5, 1.5), **change: Any
) -> None:
    """A pair of pictures with six buildings: two destroyed, one un-classified, three standing."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True, exist_ok=True), (root / "labels").mkdir(exist_ok=True)
    subtypes = ["destroyed", "no-damage", "un-classified", "minor-damage", "destroyed", "major-damage"]
    shapes = [box(6 + 9 * k, 10, 12 + 9 * k, 18) for k in range(6)]
    dates = change.get("dates", ("2018-02-05T17:10:18.000Z", "2018-10-02T11:00:00.000Z"))
    lonlat = change.get("lonlat", False)
    for k, when in enumerate(("pre", "post")):
        name = f"{key}_{when}_disaster"
        Picture.fromarray(rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)).save(root / "images" / f"{name}.png")
        told = [
            {"properties": {"feature_type": "building", "uid": f"u{n}"} | ({"subtype": s} if when == "post" else {}),
             "wkt": shape.wkt}
            for n, (shape, s) in enumerate(zip(shapes, subtypes, strict=True))
        ]  # fmt: skip
        ground = []
        if lonlat:  # pixels of 2 m on the equator
            lon, lat = 2 / 111_319.49, 2 / 110_574.28
            for n, s in enumerate(shapes):
                x0, y0, x1, y1 = s.bounds
                where = box(x0 * lon, -y1 * lat, x1 * lon, -y0 * lat)
                ground.append({"properties": {"feature_type": "building", "uid": f"u{n}"}, "wkt": where.wkt})
        document = {
            "features": {"lng_lat": ground, "xy": told},
            "metadata": {"capture_date": dates[k], "gsd": gsd[k], "disaster": key.rsplit("_", 1)[0],
                         "disaster_type": "tsunami", "img_name": f"{name}.png", "width": 64, "height": 64},
        }  # fmt: skip
        (root / "labels" / f"{name}.json").write_text(json.dumps(document))


def test_xbd_maps_and_counts(tmp_path: Path) -> None:
    disaster(tmp_path / "train")
    (item,) = read_xbd(tmp_path)
    assert item.counts == {0: (0, 6), 1: (2, 5)} and item.split == "train" and item.place == "xbd palu-tsunami"
    before, after = item.maps
    assert before.sum() == 6 * 48 and (after == 2).sum() == 2 * 48 and item.unmapped == {3: 48}
    assert item.truth("destroyed building", 1).sum() == 96 and item.truth("building", 1).sum() == 5 * 48
    assert item.labels == ("building", "destroyed building") and item.legend[0] == OTHER
    assert item.mapped(1).sum() == 64 * 64 - 48 and item.names[3] == "un-classified"
    assert before[10, 6] == 1 and before[9, 6] == 0 and before[17, 11] == 1 and before[18, 11] == 0  # y goes down
    assert item.resolution == 1.5 and item.scene.grid.crs is None and item.licence == "CC BY-NC-SA 4.0"
    assert [str(m.time)[:10] for m in item.scene.images] == ["2018-02-05", "2018-10-02"]


def test_xbd_as_geotiff(tmp_path: Path) -> None:
    disaster(tmp_path)
    for k, path in enumerate(sorted((tmp_path / "images").glob("*.png"))):
        grid = Grid(Affine(1e-5, 0, 119.8 + k * 1e-6, 0, -1e-5, -0.8), (64, 64), CRS.from_epsg(4326))
        write(path.with_suffix(".tif"), np.moveaxis(np.asarray(Picture.open(path)), -1, 0), grid, photometric="RGB")
        path.unlink()
    item = next(read_xbd(tmp_path))
    assert item.scene.grid.crs is None and item.scene.images[0].units == "rgb8" and item.counts[1] == (2, 5)


def test_xbd_pixel_size(tmp_path: Path) -> None:
    disaster(tmp_path / "a", gsd=(1.5, 2.1))
    assert next(read_xbd(tmp_path / "a")).resolution is None  # two sizes stated: none is taken
    disaster(tmp_path / "b", gsd=(1.5, 2.1), lonlat=True)
    found = next(read_xbd(tmp_path / "b")).resolution
    x0, _, x1, _ = box(6, 10, 12, 18).bounds
    lon = 2 / 111_319.49
    assert found == pytest.approx(Geod(ellps="WGS84").inv(x0 * lon, 0, x1 * lon, 0)[2] / (x1 - x0), abs=0.01)


def test_xbd_says_what_is_wrong(tmp_path: Path) -> None:
    disaster(tmp_path / "order", dates=("2018-10-02T11:00:00Z", "2018-02-05T17:10:18Z"))
    with pytest.raises(InvalidInput, match="before the disaster on 2018-10-02"):
        next(read_xbd(tmp_path / "order"))
    disaster(tmp_path / "odd")
    file = tmp_path / "odd" / "labels" / "palu-tsunami_00000003_post_disaster.json"
    text = file.read_text()
    file.write_text(text.replace("un-classified", "unclassified"))
    with pytest.raises(InvalidInput, match="polygon u2.*did you mean 'un-classified'"):
        next(read_xbd(tmp_path / "odd"))
    file.write_text(text.replace("POLYGON ((12 10", "POLYGON (12 10"))
    with pytest.raises(InvalidInput, match="polygon u0.*WKT"):
        read_polygons(file)
    file.write_text("{}")
    with pytest.raises(ReadFailed, match="features.xy"):
        read_polygons(file)
    (tmp_path / "none").mkdir()
    with pytest.raises(NotFound, match="images and labels"):
        next(read_xbd(tmp_path / "none"))


# ---- any raster -----------------------------------------------------------------------------------------------------
def test_labels_from_another_crs_by_nearest(tmp_path: Path) -> None:
    west, south, east, north = GRID.aoi().to_lonlat().bounds
    dx, dy = (east - west + 0.002) / 120, (north - south + 0.002) / 90
    degrees = Grid(Affine(dx, 0, west - 0.001, 0, -dy, north + 0.001), (90, 120), CRS.from_epsg(4326))
    cover = np.full((90, 120), 2, np.uint8)
    cover[:, 60:] = 7
    path = write(tmp_path / "labels.tif", cover, degrees, nodata=0)
    image = write(tmp_path / "image.tif", np.full((3, 30, 40), 900, np.uint16), GRID)
    item = next(
        read_raster(image, path, {2: "Forest", 7: "Lakes"}, bands=["B02", "B03", "B04"], scale=1e-4, place="here")
    )
    assert item.scene.grid == GRID and item.labels == ("tree cover", "water") and item.place == "here"
    assert item.mapped().all() and item.truth("water").mean() == pytest.approx(0.5, abs=0.03)
    assert item.key == "labels" and item.nodata == 0


def test_only_what_is_needed_of_a_large_map_is_used(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    large = Grid(Affine(10, 0, 499_000, 0, -10, 5_001_000), (400, 500), UTM)
    values = rng.integers(1, 9, large.shape).astype(np.uint8)
    path = write(tmp_path / "large.tif", values, large)
    found, empty = labels_on(path, GRID)  # on the same lattice: the very numbers
    assert (found == values[100:130, 100:140]).all() and empty is None
    turned = Grid(Affine(25, 0, 15.005, 0, -25, 45.1), GRID.shape, CRS.from_epsg(3035))
    west, south, *_ = GRID.aoi().to_crs(turned.crs).bounds
    turned = Grid(Affine(12, 0, west, 0, -12, south + 200), (16, 20), turned.crs)
    here, _ = labels_on(path, turned)
    whole, _ = place_labels(values, large, turned, None, "large")
    assert (here == whole).all()


@given(east=st.floats(-300, 300), north=st.floats(-300, 300), size=st.floats(3, 60), epsg=st.sampled_from([4326, 3035]))
@settings(max_examples=25)
def test_nearest_is_the_pixel_that_holds_the_centre(east: float, north: float, size: float, epsg: int) -> None:
    """Against the definition, from a grid in another CRS: at least 97 of 100 (ties and rounding at the borders)."""
    values = np.arange(1, 1201, dtype=np.int32).reshape(30, 40)
    x, y = GRID.aoi().to_crs(CRS.from_epsg(epsg)).geometry.centroid.coords[0]
    step = size / 111_000 if epsg == 4326 else size
    to = Grid(Affine(step, 0, x + east * step / size, 0, -step, y + north * step / size), (8, 9), CRS.from_epsg(epsg))
    rows, cols = np.meshgrid(np.arange(8), np.arange(9), indexing="ij")
    gx, gy = Transformer.from_crs(to.crs, UTM, always_xy=True).transform(*to.xy(rows, cols))
    r, c = GRID.rowcol(np.asarray(gx), np.asarray(gy))
    inside = (r >= 0) & (r < 30) & (c >= 0) & (c < 40)
    want = np.where(inside, values[np.clip(r, 0, 29), np.clip(c, 0, 39)], 0)
    try:
        found, _ = place_labels(values, GRID, to, 0, "map")
    except GridMismatch:
        assert inside.mean() < 0.05
        return
    assert (found == want).mean() >= 0.97


def test_a_picture_of_numbers_lies_pixel_on_pixel(tmp_path: Path) -> None:
    Picture.fromarray(np.full((12, 9), 50, np.uint8)).save(tmp_path / "map.png")
    Picture.fromarray(np.full((12, 9, 3), 90, np.uint8)).save(tmp_path / "image.png")
    item = next(read_raster(tmp_path / "image.png", tmp_path / "map.png", "esa-worldcover", resolution=0.5))
    assert item.labels == ("built-up",) and item.resolution == 0.5 and item.scene.grid.crs is None


def test_where_labels_do_not_reach(tmp_path: Path) -> None:
    half = Grid(GRID.transform, (30, 20), UTM)
    path = write(tmp_path / "half.tif", np.full((30, 20), 5, np.uint8), half)
    values, empty = labels_on(path, GRID)
    assert empty == 255 and (values[:, :20] == 5).all() and (values[:, 20:] == 255).all()
    away = Grid(Affine(10, 0, 700_000, 0, -10, 5_000_000), (30, 40), UTM)
    with pytest.raises(GridMismatch, match="does not meet"):
        labels_on(path, away)
    with pytest.raises(GridMismatch, match="pixel on pixel"):
        labels_on(path, Grid(Affine.identity(), (9, 9)))
    with pytest.raises(InvalidInput, match="fractions"):
        labels_on(write(tmp_path / "float.tif", np.full((30, 40), 1.5, np.float32), GRID), GRID)
    with pytest.raises(ReadFailed, match="no file"):
        labels_on(tmp_path / "missing.tif", GRID)


def test_numbers_left_out_on_purpose_and_those_forgotten(tmp_path: Path) -> None:
    cover = np.ones((30, 40), np.uint8)
    cover[:5], cover[5:8] = 2, 3
    path = write(tmp_path / "labels.tif", cover, GRID)
    image = write(tmp_path / "image.tif", np.full((3, 30, 40), 900, np.uint16), GRID)
    options = {"bands": ["B02", "B03", "B04"], "scale": 1e-4}
    with pytest.raises(InvalidInput, match=r"\[2, 3\]"):
        next(read_raster(image, path, {1: "water"}, **options))
    item = next(read_raster(image, path, {1: "water", 2: "", 3: "solar farm"}, **options))
    found = audit([item])
    assert item.unmapped == {2: 200} and [(r.number, r.pixels) for r in found.unmapped] == [(2, 200)]
    assert [r.why for r in found.rows] == ["mapped", "unmapped", "outside the vocabulary"]
    assert found.share("water") == pytest.approx(880 / 1000) and "(unmapped): 200 pixels" in str(found)
    assert "<td>outside the vocabulary</td>" in found._repr_html_()
    with pytest.raises(InvalidInput, match="did you mean 'bands'"):
        read_raster(image, path, {1: "water"}, band=["B02"])
    with pytest.raises(InvalidInput, match="did you mean 'clc-2018'"):
        legend_for("clc2018")


# ---- any place ------------------------------------------------------------------------------------------------------
@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """The sample catalogue with a WorldCover map of the lake beside it."""
    root = tmp_path / "catalogue"
    shutil.copytree(samples.catalog(), root)
    area = samples.place("lake")
    grid = Grid.from_aoi(area, 10, 32635)
    dark = samples.load("lake").images[0].array("nir") < 0.06
    write(root / "worldcover.tif", np.where(dark, 80, 10).astype(np.uint8), grid, nodata=0)
    outline = area.to_lonlat()
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "worldcover", "collection": "esa-worldcover", "links": [],
        "geometry": outline.to_geojson(), "bbox": list(outline.bounds), "assets": {"map": {"href": "./worldcover.tif"}},
        "properties": {"datetime": None, "start_datetime": "2020-01-01T00:00:00Z",
                       "end_datetime": "2021-01-01T00:00:00Z", "proj:epsg": 32635},
    }  # fmt: skip
    maps = tmp_path / "maps"
    maps.mkdir()
    shutil.move(root / "worldcover.tif", maps / "worldcover.tif")
    (maps / "worldcover.json").write_text(json.dumps(item))
    return tmp_path


def test_any_area_by_stac(catalogue: Path) -> None:
    area = samples.place("lake")
    item = next(
        read_areas(
            area, "2017-09", optical="bigearthnet-s2-l2a", sar="bigearthnet-s1-grd", catalog=catalogue / "catalogue",
            landcover_catalog=catalogue / "maps", resolution=10, crs=32635,
        )
    )  # fmt: skip
    assert item.scene.modalities == ("optical", "sar") and item.maps[0].shape == item.scene.grid.shape
    assert (item.truth("water") == (item.scene.images[0].array("nir") < 0.06)).all() and item.truth("water").any()
    assert item.source == "area esa-worldcover 2020" and "CC BY 4.0" in item.licence
    with pytest.raises(InvalidInput, match="did you mean 'esa-worldcover'"):
        read_areas(area, landcover="esa-world-cover")


def test_areas_that_share_ground_are_one_place() -> None:
    found = merge_places(
        [("b", box(0, 0, 1, 1)), ("a", box(0.5, 0, 2, 1)), ("c", box(5, 5, 6, 6)), ("d", box(2, 0, 3, 1))]
    )
    assert found == {"a": "a", "b": "a", "c": "c", "d": "d"}  # «a» and «d» meet at an edge only


# ---- made -----------------------------------------------------------------------------------------------------------
def test_synthetic_is_the_same_for_any_part() -> None:
    whole = {i.key: i for i in read_synthetic(5, "pair", seed=3, size=48)}
    parts = [i for k in range(2) for i in read_synthetic(9, "pair", seed=3, size=48, part=(k, 2)) if i.key in whole]
    assert len(whole) == len(parts) == 5
    for item in parts:
        assert all((a == b).all() for a, b in zip(item.maps, whole[item.key].maps, strict=True))
        assert (item.scene.images[0].array("red") == whole[item.key].scene.images[0].array("red")).all()
    other = next(read_synthetic(1, "pair", seed=4, size=48))
    assert (other.maps[0] != next(iter(whole.values())).maps[0]).any()


def test_synthetic_damage_counts_buildings() -> None:
    for item in read_synthetic(4, "damage", size=96, destroyed=(0.2, 0.8)):
        (none, before), (lost, after) = item.counts[0], item.counts[1]
        assert none == 0 and before == after > 10 and 0.15 < lost / after < 0.85
        assert item.truth("destroyed building", 1).any() and not item.truth("destroyed building", 0).any()


# ---- the two real labelled sets -------------------------------------------------------------------------------------
def test_slovenia(shared_data: Callable[[str], Path]) -> None:
    items = list(read_slovenia(shared_data("eolearn-slovenia-ts")))
    assert [i.key for i in items] == [f"slovenia-2015-{d}" for d in ("07-11", "08-30", "09-09")]
    found = audit(items)
    assert {r.number: r.pixels for r in found.rows} == {0: 465, 1: 33, 2: 22803, 3: 5331, 4: 1074, 8: 594}
    grid = items[0].scene.grid
    assert grid.shape == (101, 100) and grid.crs.to_epsg() == 32633 and found.places == 1
    assert grid.resolution == pytest.approx((9.995, 9.997), abs=1e-3)
    with pytest.raises(InvalidInput, match="2015-07-31"):
        read_slovenia("x", dates=["2015-07-31"])  # a date under cloud


def test_carolina_in_windows(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("nc-landsat7-landclass")
    whole = next(read_carolina(folder, window=None))
    assert whole.maps[0].shape == (474, 526) and int(whole.truth("tree cover").sum()) == 126_265
    items = list(read_carolina(folder, window=128))
    assert len(items) == 12 == len({i.key for i in items}) and {i.place for i in items} == {"north-carolina"}
    assert audit(items).pixels == 12 * 128**2
    overlapping = list(read_carolina(folder, window=96, stride=48, block=192))
    assert len(overlapping) > 30 and len({i.place for i in overlapping}) == 6
    sides = {i.key: side_of(i, seed=1, share=0.4) for i in overlapping}
    assert set(sides.values()) == {"train", "test"} and leaks(overlapping, sides) == []


# ---- windows and splits ---------------------------------------------------------------------------------------------
def made(size: int = 64) -> Labelled:
    return next(read_synthetic(1, "scene", size=size))


def test_a_window_is_that_part_of_the_scene() -> None:
    item = made()
    part = window(item, slice(16, 48), slice(8, 40))
    assert (part.maps[0] == item.maps[0][16:48, 8:40]).all() and part.scene.grid.shape == (32, 32)
    assert part.scene.grid.transform.c == item.scene.grid.transform.c + 80
    assert part.scene.grid.transform.f == item.scene.grid.transform.f - 160
    assert (part.scene.images[1].array("vv") == item.scene.images[1].array("vv")[16:48, 8:40]).all()
    with pytest.raises(InvalidInput, match="hold no pixel"):
        window(item, slice(70, 90), slice(0, 5))


@given(
    shape=st.tuples(st.integers(21, 60), st.integers(21, 60)),
    size=st.integers(4, 20),
    stride=st.integers(2, 20),
    more=st.integers(0, 30),
    seed=st.integers(0, 5),
)
@settings(max_examples=25)
def test_windows_that_overlap_never_straddle(
    shape: tuple[int, int], size: int, stride: int, more: int, seed: int
) -> None:
    grid = Grid(GRID.transform, shape, UTM)
    scene = Scene.from_arrays(
        np.full((1, *shape), 0.1, "float32"), bands=["red"], crs=UTM, transform=grid.transform, units="reflectance"
    )
    item = Labelled(scene, (np.ones(shape, np.uint8),), {1: "water"}, "k", "p")
    parts = list(windows(item, size, stride, block=size + more))
    owner: dict[tuple[int, int], str] = {}
    for part in parts:
        r0, c0 = (int(part.key.split(f"-{axis}")[1][:4]) for axis in "rc")
        for row in range(r0, r0 + size):
            for col in range(c0, c0 + size):
                assert owner.setdefault((row, col), part.place) == part.place
        assert part.maps[0].shape == (size, size)
    sides = {part.key: side_of(part, seed, 0.5) for part in parts}
    by_place: dict[str, set[str]] = {}
    for part in parts:
        by_place.setdefault(part.place, set()).add(sides[part.key])
    assert all(len(found) == 1 for found in by_place.values())


def test_windows_with_too_little_map_are_left_out_and_bad_sizes_refused() -> None:
    item = made()
    values = item.maps[0].copy()
    values[:, :32] = 0
    bare = dataclasses.replace(item, maps=(values,), nodata=0)
    assert {p.key[-5:] for p in windows(bare, 32)} == {"c0032"}
    assert len(list(windows(bare, 32, least=0))) == 4 and next(windows(item, 100)) is item
    image = item.scene.images[0]
    veiled = dataclasses.replace(image, cloud=np.arange(64)[:, None] * np.ones(64) < 32)
    cloudy = dataclasses.replace(item, scene=dataclasses.replace(item.scene, images=(veiled, *item.scene.images[1:])))
    assert {p.key[-11:-6] for p in windows(cloudy, 32)} == {"r0032"}
    for wrong in ({"size": 0}, {"size": 8, "stride": 0}, {"size": 8, "block": 4}, {"size": 8, "least": 2}):
        with pytest.raises(InvalidInput):
            next(windows(item, **wrong))


def test_a_leak_is_found() -> None:
    parts = list(windows(made(), 32, 16))
    sides = {p.key: "train" if k % 2 else "test" for k, p in enumerate(parts)}
    apart = [dataclasses.replace(p, place=p.key) for p in parts]  # as if windows were places
    assert leaks(apart, sides) and leaks(parts, sides)
    assert leaks(parts, dict.fromkeys(sides, "test")) == []


@given(place=st.text(max_size=20), seed=st.integers(0, 2**31), share=st.floats(0, 1))
def test_the_side_of_a_place_is_stable_and_grows_with_the_share(place: str, seed: int, share: float) -> None:
    side = split_of(place, seed, share)
    assert side == split_of(place, seed, share) and split_of(place, seed, 0) == "train"
    assert split_of(place, seed, 1) == "test" and (
        side == "train" or split_of(place, seed, min(1, share + 0.1)) == "test"
    )


def test_the_share_is_met_and_own_splits_are_kept(real_patches: Path) -> None:
    share = np.mean([split_of(f"place {k}", 7, 0.2) == "test" for k in range(4000)])
    assert share == pytest.approx(0.2, abs=0.03)
    items = list(read_bigearthnet(real_patches, cloud=True, sensors="optical"))
    assert [side_of(i, own=True) for i in items] == ["train", "test", "train"]  # validation is kept from testing
    with pytest.raises(InvalidInput, match="no split of its own"):
        side_of(made(), own=True)
    with pytest.raises(InvalidInput, match="0…1"):
        split_of("x", share=2)


# ---- registry, laziness ---------------------------------------------------------------------------------------------
def test_nothing_is_opened_before_it_is_asked_for(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    needs = {
        "bigearthnet": {"folder": nowhere}, "xbd": {"folder": nowhere}, "slovenia": {"folder": nowhere},
        "north-carolina": {"folder": nowhere}, "chips": {"images": nowhere, "labels": nowhere},
        "chatearthnet": {"images": nowhere, "labels": nowhere}, "synthetic": {"n": 0},
        "raster": {"image": nowhere, "labels": nowhere, "legend": {1: "water"}},
        "area": {"areas": (14.0, 46.0, 14.01, 46.01), "catalog": nowhere},
    }  # fmt: skip
    assert set(needs) == set(SOURCES)
    for name, options in needs.items():
        items = open_source(name, **options)
        with pytest.raises(StopIteration if name == "synthetic" else TerrascopeError):
            next(items)


def test_names_and_options_are_checked() -> None:
    with pytest.raises(NotFound, match="did you mean 'bigearthnet'"):
        open_source("bigearthnett", folder="x")
    with pytest.raises(InvalidInput, match="did you mean 'window'"):
        open_source("slovenia", folder="x", windows=64)
    with pytest.raises(InvalidInput, match="needs folder="):
        open_source("xbd")
    with pytest.raises(InvalidInput, match="give window= too"):
        open_source("north-carolina", folder="x", window=None, stride=4)
    with pytest.raises(InvalidInput, match="part is"):
        open_source("synthetic", n=3, part=(3, 3))
    with pytest.raises(InvalidInput, match="did you mean 'skip'"):
        open_source("synthetic", n=3, on_bad="skips")


def test_sources_state_licence_and_citation(real_patches: Path, tmp_path: Path) -> None:
    disaster(tmp_path)
    for item in (next(read_bigearthnet(real_patches)), next(read_xbd(tmp_path)), made()):
        assert item.licence != "not stated" and len(item.citation) > 20 and item.source
    found = audit([made(), made()])
    assert found.repeated == ("synthetic scene: synthetic-scene-0-000000",) and found.images == 1


def test_a_stated_pixel_size_is_for_scenes_without_crs() -> None:
    with pytest.raises(InvalidInput, match="knows"):
        dataclasses.replace(made(), resolution=10)
