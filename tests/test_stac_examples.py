"""The examples for the real services, run against a folder of the same collections whose pixels come over HTTP."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from range_server import RangeServer
from rasterio.enums import Resampling

import terrascope_nb as ts
from terrascope_nb.geo.aoi import AOI

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
BOX = (15.55, 46.50, 15.65, 46.56)
LEFT, TOP, N = 540_000, 5_160_000, 800  # EPSG:32633, 20 m: more than the box
WATER = 0.2


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RangeServer]:
    with RangeServer(tmp_path_factory.mktemp("files")) as server:
        yield server


@pytest.fixture(scope="module")
def catalogue(served: RangeServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two optical dates as the Planetary Computer codes them, one half cloudy; radar of two directions; a river."""
    rng = np.random.default_rng(5)
    files, items = served.folder, tmp_path_factory.mktemp("items")
    place = Affine(20, 0, LEFT, 0, -20, TOP)
    outline = AOI.from_bbox((LEFT, TOP - 20 * N, LEFT + 20 * N, TOP), crs=32633).to_lonlat()
    box = AOI.from_bbox(BOX).to_crs(32633).bounds
    rows = ((TOP - box[3]) / 20, (TOP - box[1]) / 20)
    river = np.zeros((N, N), bool)
    river[round(rows[0]) : round(rows[0] + WATER * (rows[1] - rows[0]))] = True

    def put(name: str, values: np.ndarray, nodata: float) -> None:
        with rasterio.open(
            files / name, "w", driver="GTiff", height=N, width=N, count=1, dtype=values.dtype, crs=32633,
            transform=place, nodata=nodata, tiled=True, blockxsize=256, blockysize=256, compress="deflate",
        ) as dst:  # fmt: skip
            dst.write(values, 1)
            dst.build_overviews([2, 4, 8], Resampling.nearest)

    def add(name: str, collection: str, when: str, keys: dict[str, str], **more: Any) -> None:
        item = {
            "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": collection, "links": [],
            "geometry": outline.to_geojson(), "bbox": list(outline.bounds),
            "assets": {k: {"href": f"{served.url}/{f}"} for k, f in keys.items()},
            "properties": {"datetime": when, "proj:epsg": 32633} | more,
        }  # fmt: skip
        (items / f"{name}.json").write_text(json.dumps(item), encoding="utf-8")

    water = {"B02": 1550, "B03": 1500, "B04": 1350, "B08": 1150}
    land = {"B02": 1400, "B03": 1700, "B04": 1500, "B08": 4200}
    for day, cloudy in (("10", True), ("20", False)):
        keys = {}
        for band in water:
            values = np.where(river, water[band], land[band]) + rng.integers(-40, 40, (N, N))
            if cloudy:
                values[:, : N // 2] = 8000
            put(f"{day}{band}.tif", values.astype("uint16"), 0)
            keys[band] = f"{day}{band}.tif"
        scl = np.where(river, 6, 4).astype("uint8")
        scl[:, : N // 2 if cloudy else 0] = 9
        put(f"{day}SCL.tif", scl, 0)
        add(
            f"S2A_202308{day}", "sentinel-2-l2a", f"2023-08-{day}T10:00:00Z", keys | {"SCL": f"{day}SCL.tif"},
            platform="Sentinel-2A", **{"s2:processing_baseline": "05.09", "eo:cloud_cover": 30.0},
        )  # fmt: skip
    for day, state in (("09", "ascending"), ("19", "descending"), ("21", "descending")):
        for band, low, high in (("vv", 0.008, 0.12), ("vh", 0.001, 0.03)):
            power = np.where(river, low, high) * rng.gamma(20, 1 / 20, (N, N))
            put(f"{day}{band}.tif", power.astype("float32"), -32768)
        orbit = {"sat:orbit_state": state, "sat:relative_orbit": 117 if state == "ascending" else 51}
        keys = {b: f"{day}{b}.tif" for b in ("vv", "vh")}
        add(f"S1A_{day}", "sentinel-1-rtc", f"2023-08-{day}T05:00:00Z", keys, platform="SENTINEL-1A", **orbit)
    return items


def test_the_planetary_computer_s(catalogue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = example("planetary_computer").main(
        ["--catalog", str(catalogue), "--resolution", "20", "--out", str(tmp_path)]
    )
    said = capsys.readouterr().out
    assert trace.answer.value == pytest.approx(100 * WATER, abs=2)
    assert (
        "S2A_20230820" in said
        and "radar of 2023-08-21T05:00 UTC (descending, relative orbit 51), 19 hours after" in said
    )
    assert (tmp_path / "report.html").stat().st_size > 5_000


def test_earth_search_s(catalogue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--catalog", str(catalogue), "--resolution", "40", "--out", str(tmp_path)]
    trace = example("earth_search_sar").main(options)
    said = capsys.readouterr().out
    assert trace.answer.value == pytest.approx(100 * WATER, abs=2)
    assert "(DN − 1000)" in said and "100% of the pixels were clear" in said and "descending: 2 passes" in said
    assert (tmp_path / "report.html").is_file()


def test_a_coarse_grid_sends_overviews_only(catalogue: Path, served: RangeServer) -> None:
    found = ts.search(BOX, "2023-08-20", sensor="sentinel-2-l2a", catalog=catalogue)
    whole = sum((served.folder / f"20{b}.tif").stat().st_size for b in ("B02", "B03", "B04", "B08"))
    grid = ts.Grid(Affine(160, 0, LEFT, 0, -160, TOP), (N // 8, N // 8), 32633)
    before = served.sent
    fine = ts.open_cube(found, grid, bands=["blue", "green", "red", "nir"], overviews="none").compute()
    full, before = served.sent - before, served.sent
    coarse = ts.open_cube(found, grid, bands=["blue", "green", "red", "nir"]).compute()
    assert full > 0.7 * whole and served.sent - before < 0.1 * whole
    assert float(abs(coarse.nir - fine.nir).mean()) < 0.02
    before = served.sent
    assert found.cloud_share(resolution=160)["clear"][0] == 1
    assert served.sent - before < 0.7 * (served.folder / "20SCL.tif").stat().st_size + 40_000
