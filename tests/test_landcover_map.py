"""Land-cover maps by STAC: the year asked for, class numbers as they are, and the reasoner that takes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS

import terrascope_nb as ts
from terrascope_nb.errors import InvalidInput, NotFound, NothingFound
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.reference import ReferenceReasoner
from terrascope_nb.scene.landcover_map import load_landcover
from terrascope_nb.scene.scene import Scene

GRID = Grid(Affine(10, 0, 500_000, 0, -10, 5_000_000), (30, 40), CRS.from_epsg(32633))


def item(
    folder: Path, name: str, collection: str, years: tuple[str, str], values: np.ndarray, epsg: int = 32633
) -> None:
    """A map as one file over GRID (or around it, in degrees), with its item."""
    key = {"esa-worldcover": "map", "io-lulc-annual-v02": "data"}[collection]
    if epsg == 4326:
        w, s, e, n = GRID.aoi().to_lonlat().bounds
        dx, dy = (e - w + 0.001) / values.shape[1], (n - s + 0.001) / values.shape[0]
        place = Affine(dx, 0, w - 0.0005, 0, -dy, n + 0.0005)
    else:
        place = GRID.transform
    with rasterio.open(
        folder / f"{name}.tif", "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1,
        dtype="uint8", crs=epsg, transform=place, nodata=0,
    ) as dst:  # fmt: skip
        dst.write(values.astype("uint8"), 1)
    outline = GRID.aoi().to_lonlat()
    data = {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": collection, "links": [],
        "geometry": outline.to_geojson(), "bbox": list(outline.bounds), "assets": {key: {"href": f"./{name}.tif"}},
        "properties": {"datetime": None, "start_datetime": years[0] + "-01-01T00:00:00Z",
                       "end_datetime": years[1] + "-01-01T00:00:00Z", "proj:epsg": epsg},
    }  # fmt: skip
    (folder / f"{name}.json").write_text(json.dumps(data))


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    for year, number in ((2021, 1), (2022, 2), (2023, 5)):
        values = np.full(GRID.shape, number)
        values[:10] = 11
        item(tmp_path, f"33T-{year}", "io-lulc-annual-v02", (str(year), str(year + 1)), values)
    cover = np.full((60, 80), 80)
    cover[:, 40:] = 10
    item(tmp_path, "ESA_WorldCover_10m_2021", "esa-worldcover", ("2021", "2022"), cover, 4326)
    return tmp_path


@pytest.mark.parametrize(
    ("when", "number"), [(None, 5), ("2022", 2), ("2023", 5), ("2021-06", 1), ("2021-03/2022-11", 2), ("../2021-12", 1)]
)
def test_the_map_of_the_year_asked_for(maps: Path, when: Any, number: int) -> None:
    labels, legend = load_landcover(GRID, "io-lulc-annual-v02", maps, when)
    assert labels.dtype == "uint8" and labels.dims == ("y", "x") and labels.rio.crs.to_epsg() == 32633
    assert Grid.from_xarray(labels) == GRID
    assert (labels[:10] == 11).all() and (labels[10:] == number).all()
    assert legend[11] == "grassland" and labels.attrs["terrascope:year"] == {1: "2021", 2: "2022", 5: "2023"}[number]


def test_degrees_by_nearest_neighbour_and_an_aoi(maps: Path) -> None:
    labels, legend = load_landcover(GRID.aoi(), catalog=maps, resolution=20)
    assert (
        set(np.unique(labels)) == {10, 80}
        and legend[80] == "water"
        and labels.attrs["terrascope:sensor"] == "esa-worldcover"
    )
    w, s, e, n = GRID.aoi().to_lonlat().bounds
    box, _ = load_landcover((w, s, e, n), catalog=maps)
    assert float((box == 80).mean()) == pytest.approx(0.5, abs=0.03)


def test_a_question_is_answered_from_it(maps: Path) -> None:
    labels, legend = load_landcover(GRID, catalog=maps)
    blue = np.full((4, *GRID.shape), 0.1, "float32")
    scene = Scene.from_arrays(
        blue, bands=["blue", "green", "red", "nir"], times=["2021-07-01"], crs=32633, transform=GRID.transform,
        units="reflectance",
    )  # fmt: skip
    trace = ts.ask(scene, "What share of the scene is water?", reasoner=ReferenceReasoner(labels, legend, nodata=0))
    assert trace.answer.value == pytest.approx(100 * float((labels == 80).mean()), abs=0.1)


def test_what_is_no_map_or_not_there_is_told(maps: Path) -> None:
    with pytest.raises(InvalidInput, match="optical imagery"):
        load_landcover(GRID, "sentinel-2-l2a", maps)
    with pytest.raises(NotFound, match="did you mean 'esa-worldcover'"):
        load_landcover(GRID, "esa-world-cover", maps)
    with pytest.raises(NothingFound, match="nearest dates: 2021-01-01"):
        load_landcover(GRID, "esa-worldcover", maps, "2015")
    with pytest.raises(NothingFound, match="none on that place"):
        load_landcover(AOI.from_bbox((40, 10, 40.1, 10.1)), "esa-worldcover", maps)


def test_numbers_that_the_legend_lacks_are_an_error(tmp_path: Path) -> None:
    item(tmp_path, "odd", "esa-worldcover", ("2021", "2022"), np.full(GRID.shape, 77))
    with pytest.raises(NotFound, match=r"\[77\]"):
        load_landcover(GRID, "esa-worldcover", tmp_path)
