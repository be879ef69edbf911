"""Clouds item by item: how much of an AOI each found item shows, before a cube is made of any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.geo.grid import Grid
from terrascope_nb.stac.clouds import cloud_share
from terrascope_nb.stac.cube import extent_on, open_cube
from terrascope_nb.stac.query import as_aoi, instant

if TYPE_CHECKING:
    import pandas

    from terrascope_nb.stac.catalog import Found

ACROSS = 256  # pixels along the longer side of an AOI that are looked at


def item_clouds(found: Found, aoi: Any = None, resolution: float | None = None) -> pandas.DataFrame:
    """As `Found.cloud_share`. Reads the cloud layer of every item over the AOI."""
    import dask
    import pandas as pd

    items, sensor = found.require(), found.sensor
    place = as_aoi(aoi) if aoi is not None else found.aoi
    if place is None:
        raise InvalidInput("cloud_share needs a place: found.cloud_share((west, south, east, north))")
    if sensor.clouds is None:
        raise NotFound(f"{sensor.name} ({sensor.kind}) has no cloud layer, so nothing tells its clouds")
    grid = _grid(place, sensor.band(sensor.clouds).resolution, resolution)
    inside = grid.mask(place)
    if not inside.any():
        raise InvalidInput(f"{place!r} holds no pixel centre at {grid.resolution[0]:g} m: give a finer resolution=")
    layers = []
    for k, item in enumerate(items):
        if extent_on(item, grid) is None:
            layers.append(np.full(grid.shape, sensor.band(sensor.clouds).empty))
            continue
        cube = open_cube(found[k : k + 1], grid=grid, bands=[sensor.clouds], overviews="all")
        layers.append(cube[sensor.clouds].isel(time=0).data)
    rows = []
    for item, layer in zip(items, dask.compute(*layers), strict=True):
        share = cloud_share(layer, inside, sensor)
        rows.append(
            {
                "id": item["id"],
                "datetime": instant(item),
                "clear": share.clear,
                "cloud": share.cloud,
                "nodata": share.nodata,
                "eo:cloud_cover": item["properties"].get("eo:cloud_cover"),
            }
        )
    return pd.DataFrame(rows)


def _grid(place: Any, own: float, resolution: float | None) -> Grid:
    if resolution is not None:
        return Grid.from_aoi(place, resolution)
    fine = Grid.from_aoi(place, own)
    factor = max(fine.shape) / ACROSS
    return fine if factor <= 1 else Grid.from_aoi(place, own * factor)
