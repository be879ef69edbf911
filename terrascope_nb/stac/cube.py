"""Cube: the pixels of found items as one lazy dataset (time, y, x) in physical units. Only this imports stackstac."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, ReadFailed
from terrascope_nb.geo.aoi import AOI, LONLAT
from terrascope_nb.geo.grid import Grid
from terrascope_nb.stac import folder
from terrascope_nb.stac.query import instant
from terrascope_nb.stac.reader import AssetReader, Href, without_query
from terrascope_nb.stac.sensors import Band, Scaling, Sensor, scaling, sensor_of

if TYPE_CHECKING:
    import xarray as xr

    from terrascope_nb.stac.catalog import Found

Item = dict[str, Any]
ENGINES = ("stackstac",)
ONE_PASS = timedelta(minutes=30)  # less than a third of an orbit, more than a pass over any AOI of one projection
CHUNK = 1024  # pixels along y and x that one task reads


@dataclass(frozen=True)
class Pass:
    """Items taken by one satellite in one overflight: they make one time step.

    Attributes
    ----------
    time : datetime
        First acquisition, UTC, whole seconds.
    items : tuple of dict
        In the order in which they were found: where two overlap, the first valid pixel counts.
    """

    time: datetime
    items: tuple[Item, ...]


def open_cube(
    found: Found | Sequence[Item],
    grid: Grid | None = None,
    resolution: float | None = None,
    engine: str = "stackstac",
    bands: Iterable[str] | None = None,
) -> xr.Dataset:
    """Open found items as a lazy cube. Asks the catalogue if that was not done yet; reads no pixel.

    Parameters
    ----------
    found : Found, or sequence of STAC items (dicts)
    grid : Grid, optional
        North-up, its CRS with an EPSG code. Default: the AOI at `resolution`, in the CRS that all items share, else in
        the UTM zone of the AOI.
    resolution : float, optional
        Pixel size of the default grid, in units of its CRS (metres). Default: the sensor's finest band.
    engine : "stackstac"
    bands : iterable of str, optional
        Variables wanted, by common name or asset key. Default: all that the items hold.

    Returns
    -------
    xarray.Dataset
        Dimensions (time, y, x); x, y are pixel centres in the grid's CRS (kept by rioxarray); time is the first
        acquisition of each pass, UTC, ascending. float32 reflectance, or linear power for radar, NaN = nodata; class
        layers (``scl``) uint8, 0 = nodata. Coordinate ``item_ids`` (time): the items of each step. Attributes
        ``terrascope:…``: sensor, units, scaling rule, resampling, item ids and hrefs (JSON, no query string).

    Raises
    ------
    NothingFound
        When the search came back empty.
    InvalidInput
        When grid or engine do not fit, or no item meets the grid.
    NotFound
        When a band or the sensor is not known.
    ReadFailed
        When an item lacks a wanted asset. A file that is not there raises the same later, when pixels are computed.
    UnknownUnits
        When an item does not say how its values are scaled.
    """
    if engine not in ENGINES:
        raise InvalidInput(unknown("engine", engine, ENGINES))
    items, sensor = _items_of(found)
    grid = _grid_for(found, items, sensor, grid, resolution)
    wanted = _bands_of(sensor, items, bands)
    items = _on_grid(items, grid)
    steps = passes(items)
    rules = {(i["id"], b.name): scaling(sensor, i, b) for i in items for b in wanted}
    sign = found.catalog.signer() if hasattr(found, "catalog") else None

    order = [i for step in steps for i in step.items]
    variables: dict[str, Any] = {}
    for labels in (False, True):
        group = [b for b in wanted if b.labels == labels]
        if group:
            variables |= _stack(order, steps, group, rules, sensor, grid, labels, sign)
    return _dataset({b.name: variables[b.name] for b in wanted}, steps, wanted, sensor, grid, rules)


def estimate_bytes(
    found: Found | Sequence[Item],
    grid: Grid | None = None,
    resolution: float | None = None,
    bands: Iterable[str] | None = None,
) -> int:
    """Bytes that the cube of `open_cube` with the same arguments takes when loaded. Reads no pixel."""
    items, sensor = _items_of(found)
    grid = _grid_for(found, items, sensor, grid, resolution)
    per_pixel = sum(1 if b.labels else 4 for b in _bands_of(sensor, items, bands))
    return len(passes(_on_grid(items, grid))) * grid.height * grid.width * per_pixel


def passes(items: Iterable[Item]) -> list[Pass]:
    """Items grouped by overflight (same platform within 30 minutes), ascending in time."""
    items = list(items)
    place = {id(i): n for n, i in enumerate(items)}
    groups: list[list[Item]] = []
    open_groups: dict[Any, list[Item]] = {}
    for item in sorted(items, key=instant):
        platform = item["properties"].get("platform")
        group = open_groups.get(platform)
        if group is None or instant(item) - instant(group[0]) > ONE_PASS:
            group = open_groups[platform] = []
            groups.append(group)
        group.append(item)
    return [
        Pass(instant(g[0]).replace(microsecond=0), tuple(sorted(g, key=lambda i: place[id(i)])))
        for g in sorted(groups, key=lambda g: instant(g[0]))
    ]


# ---- what is read, and onto which grid -------------------------------------------------------------------------
def _items_of(found: Found | Sequence[Item]) -> tuple[tuple[Item, ...], Sensor]:
    if hasattr(found, "require"):
        return found.require(), found.sensor
    items = tuple(found)
    if not items:
        raise InvalidInput("no items to open: the sequence is empty")
    kinds = {s.name: s for s in map(sensor_of, items)}
    if len(kinds) > 1:
        raise InvalidInput(f"the items are of {len(kinds)} sensors ({', '.join(kinds)}): open one sensor at a time")
    return items, next(iter(kinds.values()))


def _bands_of(sensor: Sensor, items: Sequence[Item], names: Iterable[str] | None) -> list[Band]:
    if isinstance(names, str):
        names = [names]
    if names is None:
        wanted = [b for b in sensor.bands if any(sensor.asset_of(i, b) for i in items)]
    else:
        wanted = list(dict.fromkeys(sensor.band(n) for n in names))
    if not wanted:
        known = ", ".join(key for b in sensor.bands for key in b.assets)
        raise ReadFailed(f"item {items[0]['id']!r} has no asset of {sensor.name} ({known}); it has {_keys(items[0])}")
    for item in items:
        for band in wanted:
            if sensor.asset_of(item, band) is None:
                everywhere = [b.name for b in wanted if all(sensor.asset_of(i, b) for i in items)]
                raise ReadFailed(
                    f"item {item['id']!r} has no asset for {band.name!r} (sought: {', '.join(band.assets)}; it has "
                    f"{_keys(item)}). Leave the item out with ids=, or ask for bands that all items have: {everywhere}"
                )
    return wanted


def _keys(item: Item) -> str:
    return ", ".join(list(item["assets"])[:20]) or "none"


def _grid_for(found: Any, items: Sequence[Item], sensor: Sensor, grid: Grid | None, resolution: float | None) -> Grid:
    if grid is not None and resolution is not None:
        raise InvalidInput(f"give grid= or resolution=, not both: the grid's pixels are {grid.resolution[0]:g} wide")
    if grid is None:
        aoi = getattr(found, "aoi", None)
        if aoi is None:
            raise InvalidInput(
                "without an AOI in the search the cube needs grid=, e.g. Grid.from_aoi(aoi, resolution=10)"
            )
        codes = {_epsg(i) for i in items}
        shared = codes.pop() if len(codes) == 1 else None
        return Grid.from_aoi(aoi, resolution or sensor.resolution, crs=shared or "utm")
    if grid.crs is None or grid.crs.to_epsg() is None:
        raise InvalidInput(f"the grid of a cube needs a CRS with an EPSG code; this one has {grid!r}")
    if not grid.is_north_up:
        raise InvalidInput("the grid of a cube must be north-up: its transform is rotated")
    return grid


def _epsg(item: Item) -> int | None:
    """EPSG code of a projected item, from either form of the projection extension; None where it does not say."""
    places = [item["properties"], *item["assets"].values()]
    for fields in places:
        if isinstance(fields.get("proj:epsg"), int):
            return None if fields["proj:epsg"] == 4326 else fields["proj:epsg"]
        code = str(fields.get("proj:code") or "")
        if code.upper().startswith("EPSG:") and code[5:].isdigit():
            return None if code[5:] == "4326" else int(code[5:])
    return None


def _extent(item: Item, grid: Grid) -> tuple[float, float, float, float] | None:
    """Where the item may have pixels on the grid, in its CRS, generously; None: nowhere.

    Items tell their outline, not their file's (`proj:shape` and `proj:transform` may describe another resolution), so
    this only decides which files to open; where their pixels lie is the file's word.
    """
    left, bottom, right, top = grid.bounds
    outline = folder.footprint(item)
    if outline is None or grid.crs.is_geographic or outline.geom_type not in ("Polygon", "MultiPolygon"):
        return grid.bounds
    try:
        w, s, e, n = AOI(outline, LONLAT).to_crs(grid.crs).bounds
    except InvalidInput:  # the outline leaves the projection's domain: let the file say
        return grid.bounds
    px, py = (4 * r + 0.01 * d for r, d in zip(grid.resolution, (e - w, n - s), strict=True))
    w, s, e, n = max(w - px, left), max(s - py, bottom), min(e + px, right), min(n + py, top)
    return (w, s, e, n) if w < e and s < n else None


def _on_grid(items: Sequence[Item], grid: Grid) -> list[Item]:
    kept = [i for i in items if _extent(i, grid) is not None]
    if not kept:
        names = ", ".join(i["id"] for i in items[:3]) + (" …" if len(items) > 3 else "")
        raise InvalidInput(
            f"none of the {len(items)} items ({names}) meets the grid {grid!r} with bounds {grid.bounds}"
        )
    return kept


# ---- the lazy pixels -------------------------------------------------------------------------------------------
def _stack(
    items: Sequence[Item],
    steps: Sequence[Pass],
    bands: Sequence[Band],
    rules: dict[tuple[str, str], Scaling],
    sensor: Sensor,
    grid: Grid,
    labels: bool,
    sign: Callable[[str], str] | None,
) -> dict[str, Any]:
    """Dask arrays (time, y, x) by variable name, of bands that are all class numbers or all measurements."""
    import dask.array as da
    import stackstac
    from rasterio.enums import Resampling

    epsg = grid.crs.to_epsg()
    plain = []  # nothing of the item but what is meant: stackstac would act on its offsets, shapes and transforms
    for item in items:
        assets = {}
        for band in bands:
            key = sensor.asset_of(item, band)
            href = Href(item["assets"][key]["href"], item["id"], key, rules[item["id"], band.name])
            assets[band.name] = {"href": href, "proj:epsg": epsg, "proj:bbox": _extent(item, grid)}
        plain.append({"id": item["id"], "properties": {"datetime": instant(item).isoformat()}, "assets": assets})
    stack = stackstac.stack(
        plain,
        assets=[b.name for b in bands],
        epsg=epsg,
        bounds=grid.bounds,
        snap_bounds=False,
        resolution=grid.resolution,
        resampling=Resampling.nearest if labels else Resampling.bilinear,
        chunksize=CHUNK,
        dtype=np.dtype("uint8" if labels else "float32"),
        fill_value=np.uint8(0) if labels else np.float32("nan"),
        rescale=False,
        sortby_date=False,
        xy_coords="center",
        properties=False,
        band_coords=False,
        errors_as_nodata=(),
        reader=partial(AssetReader, sign=sign),
    )
    if stack.shape != (len(items), len(bands), *grid.shape):
        raise AssertionError(f"stackstac made {stack.shape} of {len(items)} items × {len(bands)} bands on {grid!r}")
    out = {}
    for b, band in enumerate(bands):
        layers, first = [], 0
        for step in steps:
            fused = stack.data[first, b]
            for n in range(first + 1, first + len(step.items)):
                empty = fused == 0 if labels else da.isnan(fused)
                fused = da.where(empty, stack.data[n, b], fused)
            layers.append(fused)
            first += len(step.items)
        out[band.name] = da.stack(layers)
    return out


def _dataset(
    variables: dict[str, Any],
    steps: Sequence[Pass],
    bands: Sequence[Band],
    sensor: Sensor,
    grid: Grid,
    rules: dict[tuple[str, str], Scaling],
) -> xr.Dataset:
    import rioxarray  # noqa: F401  (registers .rio)
    import xarray as xr

    linear = " of linear power" if any(r.decibel for r in rules.values()) else ""
    data = {}
    for band in bands:
        how = "nearest" if band.labels else f"bilinear{linear}"
        attrs = {
            "units": "class" if band.labels else "1" if sensor.kind == "optical" else sensor.units,
            "native_resolution_m": band.resolution,
            "resampling": f"{how} where the file's pixels are not the cube's",
        }
        data[band.name] = xr.Variable(("time", "y", "x"), variables[band.name], attrs)
    xy = grid.coords()
    times = np.array([s.time.replace(tzinfo=None) for s in steps], "datetime64[ns]")
    coords = {
        "time": times,
        "y": ("y", xy["y"]),
        "x": ("x", xy["x"]),
        "item_ids": ("time", np.array([" ".join(i["id"] for i in s.items) for s in steps])),
    }
    items = [i for s in steps for i in s.items]
    hrefs = {i["id"]: {b.name: without_query(i["assets"][sensor.asset_of(i, b)]["href"]) for b in bands} for i in items}
    attrs = {
        "terrascope:sensor": sensor.name,
        "terrascope:kind": sensor.kind,
        "terrascope:units": sensor.units,
        "terrascope:scaling": _rules_in_words(rules),
        "terrascope:resampling": _resampling_in_words(bands, linear),
        "terrascope:items": json.dumps([i["id"] for i in items]),
        "terrascope:hrefs": json.dumps(hrefs),
    }
    cube = xr.Dataset(data, coords, attrs).rio.write_crs(grid.crs)
    return cube.rio.write_transform(grid.transform)


def _rules_in_words(rules: dict[tuple[str, str], Scaling]) -> str:
    """Each rule once; with the items it holds for where there are several for measurements."""
    by_words: dict[str, list[str]] = {}
    for (item, band), rule in rules.items():
        key = f"{band}: {rule.words}" if rule.words.startswith("class") else rule.words
        if item not in by_words.setdefault(key, []):
            by_words[key].append(item)
    several = sum(not w.partition(": ")[2].startswith("class") for w in by_words) > 1
    return "; ".join(w + (f" [{', '.join(ids)}]" if several else "") for w, ids in by_words.items())


def _resampling_in_words(bands: Sequence[Band], linear: str) -> str:
    sizes = sorted({b.resolution for b in bands if not b.labels})
    native = "; ".join(
        f"{r:g} m: {' '.join(b.name for b in bands if b.resolution == r and not b.labels)}" for r in sizes
    )
    words = f"bilinear{linear} where the file's pixels are not the cube's (native {native})" if sizes else ""
    names = [b.name for b in bands if b.labels]
    return "; ".join(w for w in (words, f"nearest: {' '.join(names)}" if names else "") if w)
