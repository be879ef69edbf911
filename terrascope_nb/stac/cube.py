"""Cube: the pixels of found items as one lazy dataset (time, y, x) in physical units. Only this imports stackstac."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, ReadFailed, TooLarge
from terrascope_nb.geo.aoi import AOI, LONLAT
from terrascope_nb.geo.grid import Grid
from terrascope_nb.stac import folder
from terrascope_nb.stac.coarse import CoarseReader
from terrascope_nb.stac.dataset import dataset_of
from terrascope_nb.stac.gaps import find_gaps
from terrascope_nb.stac.passes import fuse, passes
from terrascope_nb.stac.query import instant
from terrascope_nb.stac.reader import Href
from terrascope_nb.stac.sensors import Band, Sensor, scaling, sensor_of
from terrascope_nb.stac.stopping import watch_for_interrupts

if TYPE_CHECKING:
    import xarray as xr

    from terrascope_nb.stac.catalog import Found
    from terrascope_nb.stac.retry import Retry

Item = dict[str, Any]
ENGINES = ("stackstac", "odc-stac")
OVERVIEWS = ("measurements", "all", "none")
ON_MISSING = ("raise", "skip")
CHUNK = 1024  # pixels along y and x that one task reads


def open_cube(
    found: Found | Sequence[Item],
    grid: Grid | None = None,
    resolution: float | None = None,
    engine: str = "stackstac",
    bands: Iterable[str] | None = None,
    *,
    max_bytes: int | None = None,
    overviews: str = "measurements",
    on_missing: str = "raise",
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
    engine : "stackstac" or "odc-stac"
        Who builds the graph; the values are the same. «odc-stac» needs that package.
    bands : iterable of str, optional
        Variables wanted, by common name or asset key. Default: all that the items hold.
    max_bytes : int, optional
        The most bytes that the cube may take when loaded; more is refused here, before any read.
    overviews : "measurements", "all" or "none"
        Which bands are read from a file's overviews where the cube is coarser than the file: the coarsest overview
        whose pixels are no larger than the cube's. Overviews of class numbers are somebody's choice of classes, so that
        the default reads them from the full resolution, by nearest neighbour.
    on_missing : "raise" or "skip"
        What becomes of assets that are not there, refused or broken. «raise»: they are an error when their pixels are
        read. «skip»: each file's header is asked for now, and such assets become gaps: nodata in the cube, named in the
        attribute ``terrascope:gaps`` and in the notes of a scene made of it. A server that is merely busy is no gap.

    Returns
    -------
    xarray.Dataset
        Dimensions (time, y, x); x, y are pixel centres in the grid's CRS (kept by rioxarray); time is the first
        acquisition of each pass, UTC, ascending. float32 reflectance, or linear power for radar, NaN = nodata; class
        layers (``scl``, ``landcover``) uint8, 0 = nodata; ``qa_pixel`` uint16, bit 0 = nodata. Where items of one pass
        overlap, a pixel comes from one of them in all bands. Coordinates (time): ``item_ids``, the items of each step;
        for radar ``sat:orbit_state`` and ``sat:relative_orbit``, as text. Attributes ``terrascope:…``: sensor, units,
        scaling rule, resampling, item ids and hrefs (JSON, no query string).

    Raises
    ------
    NothingFound
        When the search came back empty.
    InvalidInput
        When grid or engine do not fit, or no item meets the grid.
    NotFound
        When a band or the sensor is not known.
    ReadFailed
        When an item lacks a wanted asset, or, with «skip», no item has a usable one of some band. A file that is not
        there raises the same later, when pixels are computed.
    UnknownUnits
        When an item does not say how its values are scaled.
    TooLarge
        When the cube would take more than `max_bytes`.
    MissingPackage
        When the engine's package is not installed.
    """
    choices = (("engine", engine, ENGINES), ("overviews", overviews, OVERVIEWS), ("on_missing", on_missing, ON_MISSING))
    for name, value, known in choices:
        if value not in known:
            raise InvalidInput(unknown(name, value, known))
    items, sensor, wanted, grid, extents = _plan(found, grid, resolution, bands)
    steps = passes(items)
    if max_bytes is not None:
        _check_size(len(steps), grid, wanted, max_bytes)
    rules = {(i["id"], b.name): scaling(sensor, i, b) for i in items for b in wanted}
    catalog = getattr(found, "catalog", None)
    sign, retry = (None, None) if catalog is None else (catalog.signer(), catalog.retry)
    watch_for_interrupts()

    order = [i for step in steps for i in step.items]
    places = [extents[id(i)] for i in order]
    kinds: dict[str, list[Band]] = {}
    for band in wanted:
        kinds.setdefault(_kind(band), []).append(band)
    hrefs = {
        (i["id"], b.name): Href(_asset(sensor, i, b)["href"], i["id"], sensor.asset_of(i, b), rules[i["id"], b.name])
        for i in order
        for b in wanted
    }
    gaps = find_gaps(hrefs.values(), sign, retry) if on_missing == "skip" else {}
    hrefs = {k: h for k, h in hrefs.items() if (h.item, h.asset) not in gaps}
    lost = [b.name for b in wanted if not any((i["id"], b.name) in hrefs for i in order)]
    if lost:
        raise ReadFailed(f"no item has a usable asset for {', '.join(lost)}: {'; '.join(gaps.values())}")
    make = _by_stackstac if engine == "stackstac" else _by_odc
    stacks, empty = {}, {}
    for kind, group in kinds.items():
        labels = group[0].labels
        small = overviews == "all" or (overviews == "measurements" and not labels)
        empty[kind] = float(group[0].empty) if labels else float("nan")
        stacks[kind] = make(order, group, hrefs, places, grid, empty[kind], small, sign, retry)
    fused = fuse(stacks, empty, steps)
    variables = {b.name: fused[kind][:, n] for kind, group in kinds.items() for n, b in enumerate(group)}
    return dataset_of({b.name: variables[b.name] for b in wanted}, steps, wanted, sensor, grid, rules, overviews, gaps)


def estimate_bytes(
    found: Found | Sequence[Item],
    grid: Grid | None = None,
    resolution: float | None = None,
    bands: Iterable[str] | None = None,
) -> int:
    """Bytes that the cube of `open_cube` with the same arguments takes when loaded. Reads no pixel."""
    items, _, wanted, grid, _ = _plan(found, grid, resolution, bands)
    return _bytes(len(passes(items)), grid, wanted)


def _plan(
    found: Any, grid: Grid | None, resolution: float | None, bands: Iterable[str] | None
) -> tuple[list[Item], Sensor, list[Band], Grid, dict[int, tuple[float, float, float, float]]]:
    """Items on the grid, their sensor, the bands, the grid, and where on it each item may have pixels (by its id())."""
    items, sensor = _items_of(found)
    grid = _grid_for(found, items, sensor, grid, resolution)
    wanted = _bands_of(sensor, items, bands)
    extents = {id(i): e for i in items if (e := extent_on(i, grid)) is not None}
    if not extents:
        names = ", ".join(i["id"] for i in items[:3]) + (" …" if len(items) > 3 else "")
        raise InvalidInput(
            f"none of the {len(items)} items ({names}) meets the grid {grid!r} with bounds {grid.bounds}"
        )
    return [i for i in items if id(i) in extents], sensor, wanted, grid, extents


def _bytes(steps: int, grid: Grid, wanted: Sequence[Band]) -> int:
    return steps * grid.height * grid.width * sum(np.dtype(_kind(b)).itemsize for b in wanted)


def _check_size(steps: int, grid: Grid, wanted: Sequence[Band], max_bytes: int) -> None:
    size = _bytes(steps, grid, wanted)
    if size > max_bytes:
        raise TooLarge(
            f"the cube would take {size / 1e9:.3g} GB ({size:,} bytes: {steps} date{'s' * (steps > 1)} × {len(wanted)} "
            f"band{'s' * (len(wanted) > 1)} × {grid.height} × {grid.width} pixels), more than max_bytes={max_bytes:,}. "
            "Nothing was read. Take a smaller AOI, fewer bands=, a coarser resolution=, fewer dates, or raise max_bytes"
        )


def _kind(band: Band) -> str:
    """The dtype of a band in the cube: bands of one are stacked together."""
    return band.dtype if band.labels else "float32"


def _asset(sensor: Sensor, item: Item, band: Band) -> dict[str, Any]:
    return item["assets"][sensor.asset_of(item, band)]


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


def extent_on(item: Item, grid: Grid) -> tuple[float, float, float, float] | None:
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


# ---- the lazy pixels -------------------------------------------------------------------------------------------
def _by_stackstac(
    items: Sequence[Item],
    bands: Sequence[Band],
    hrefs: Mapping[tuple[str, str], Href],
    extents: Sequence[tuple[float, float, float, float]],
    grid: Grid,
    empty: float,
    overviews: bool,
    sign: Callable[[str], str] | None,
    retry: Retry | None,
) -> Any:
    """Dask array (item, band, y, x) of bands of one dtype."""
    import stackstac
    from rasterio.enums import Resampling

    epsg, dtype = grid.crs.to_epsg(), np.dtype(_kind(bands[0]))
    plain = []  # nothing of the item but what is meant: stackstac would act on its offsets, shapes and transforms
    for item, extent in zip(items, extents, strict=True):
        there = {b.name: h for b in bands if (h := hrefs.get((item["id"], b.name))) is not None}
        assets = {name: {"href": h, "proj:epsg": epsg, "proj:bbox": extent} for name, h in there.items()}
        plain.append({"id": item["id"], "properties": {"datetime": instant(item).isoformat()}, "assets": assets})
    stack = stackstac.stack(
        plain,
        assets=[b.name for b in bands],
        epsg=epsg,
        bounds=grid.bounds,
        snap_bounds=False,
        resolution=grid.resolution,
        resampling=Resampling.nearest if bands[0].labels else Resampling.bilinear,
        chunksize=CHUNK,
        dtype=dtype,
        fill_value=dtype.type(empty),
        rescale=False,
        sortby_date=False,
        xy_coords="center",
        properties=False,
        band_coords=False,
        errors_as_nodata=(),
        reader=partial(CoarseReader, sign=sign, retry=retry, overviews=overviews),
    )
    if stack.shape != (len(items), len(bands), *grid.shape):
        raise AssertionError(f"stackstac made {stack.shape} of {len(items)} items × {len(bands)} bands on {grid!r}")
    return stack.data


def _by_odc(
    items: Sequence[Item],
    bands: Sequence[Band],
    hrefs: Mapping[tuple[str, str], Href],
    extents: Sequence[tuple[float, float, float, float]],
    grid: Grid,
    empty: float,
    overviews: bool,
    sign: Callable[[str], str] | None,
    retry: Retry | None,
) -> Any:
    from terrascope_nb.stac.odc_engine import stack

    kind, labels = _kind(bands[0]), bands[0].labels
    names = [b.name for b in bands]
    return stack(items, names, hrefs, extents, grid, kind, empty, labels, overviews, sign, retry, CHUNK)
