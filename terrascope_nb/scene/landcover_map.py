"""Land-cover maps by STAC: the class numbers of a place on a grid, with their legend."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid

if TYPE_CHECKING:
    import xarray as xr

    from terrascope_nb.stac.catalog import Catalog

Item = dict[str, Any]


def load_landcover(
    aoi_or_grid: AOI | Grid | Sequence[float],
    collection: str = "esa-worldcover",
    catalog: str | Path | Catalog = "planetary-computer",
    datetime: Any = None,
    *,
    resolution: float = 10,
    engine: str = "stackstac",
) -> tuple[xr.DataArray, dict[int, str]]:
    """Class numbers of a land-cover collection, by nearest neighbour. Asks the catalogue and reads at once.

    Parameters
    ----------
    aoi_or_grid : AOI, Grid or (west, south, east, north)
        A grid is taken as it is, e.g. ``scene.grid``; an AOI gets one in its UTM zone.
    collection : str
        ``"esa-worldcover"`` or ``"io-lulc-annual-v02"``.
    catalog : str, Path or Catalog
    datetime : str, pair of dates …, optional
        As in `search`. Of several maps the one is taken whose year has most of it; default: the latest.
    resolution : float
        Metres, where no grid is given.
    engine : str
        As in `open_cube`.

    Returns
    -------
    labels : DataArray (y, x) of uint8
        Class numbers, 0 = not mapped; CRS by rioxarray; attributes ``terrascope:items`` and ``terrascope:year``.
    legend : dict of int → str
        Class number → label; `terrascope_nb.reason.reference` takes both as they are, with ``nodata=0``.

    Raises
    ------
    NothingFound
        When the catalogue has no such map there.
    NotFound
        When the collection has no legend here, or the map holds class numbers that the legend lacks.
    InvalidInput
        When the collection is no land cover.
    """
    from terrascope_nb.stac.catalog import search
    from terrascope_nb.stac.cube import open_cube
    from terrascope_nb.stac.legends import legend_of
    from terrascope_nb.stac.query import interval
    from terrascope_nb.stac.sensors import sensor_of

    sensor = sensor_of(collection)
    if sensor.kind != "landcover":
        raise InvalidInput(f"{sensor.name} is {sensor.kind} imagery, no land-cover map; give 'esa-worldcover'")
    legend = legend_of(sensor.name)
    if isinstance(aoi_or_grid, Grid):
        grid = aoi_or_grid
    else:
        aoi = aoi_or_grid if isinstance(aoi_or_grid, AOI) else AOI.from_bbox(tuple(aoi_or_grid))  # type: ignore[arg-type]
        grid = Grid.from_aoi(aoi, resolution)
    found = search(grid, datetime, sensor=sensor.name, catalog=catalog)
    items = _of_one_year(found.require(), interval(datetime))
    cube = open_cube(found.only(items), grid=grid, engine=engine, bands=["landcover"])
    labels = cube["landcover"].isel(time=0).load()
    strange = sorted({int(v) for v in np.unique(labels)} - set(legend) - {0})
    if strange:
        raise NotFound(f"the map of {sensor.name} holds class numbers {strange}, which its legend here lacks: {legend}")
    named = {"terrascope:items": cube.attrs["terrascope:items"], "terrascope:year": str(cube["time"].values[0])[:4]}
    return labels.assign_attrs({"terrascope:sensor": sensor.name, **named}), legend


def _of_one_year(items: Sequence[Item], when: tuple[datetime | None, datetime | None]) -> list[Item]:
    """The items that begin together and share most of the time asked for; of equals the latest."""
    from terrascope_nb.stac.query import span

    first, last = when[0] or datetime(1, 1, 2, tzinfo=UTC), when[1] or datetime(9999, 12, 30, tzinfo=UTC)
    groups: dict[datetime, list[Item]] = {}
    for item in items:
        groups.setdefault(span(item)[0], []).append(item)

    def shared(start: datetime) -> tuple[timedelta, datetime]:
        end = max(span(i)[1] for i in groups[start])
        both = max(min(end, last) - max(start, first), timedelta(0))
        return min(both, timedelta(days=364)), start  # a leap year is no better than another

    return groups[max(groups, key=shared)]
