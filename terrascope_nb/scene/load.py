"""load_scene: from a place and dates to a `Scene`, by search, cube and a choice of dates, told in its notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb.errors import InvalidInput, NothingFound, TooLarge
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene.dates import Candidate, choose, gap_words, pair, span

if TYPE_CHECKING:
    import xarray as xr

    from terrascope_nb.scene.scene import Scene
    from terrascope_nb.stac.catalog import Catalog, Found

ORBIT = ("orbit_state", "relative_orbit")
NEGATIVE = 0.2  # share of pixels below 0 that no scene has: dark water and shadow scatter about 0 by less than that


def load_scene(
    aoi: AOI | Sequence[float],
    datetime: Any = None,
    optical: str | None = "sentinel-2-l2a",
    sar: str | None = None,
    catalog: str | Path | Catalog = "planetary-computer",
    *,
    times: str | Sequence[Any] = "best",
    max_cloud_aoi: float = 20.0,
    max_gap: Any = "6D",
    grid: Grid | None = None,
    resolution: float | tuple[float, float] | None = None,
    crs: Any = "utm",
    max_cloud: float | None = None,
    query: Mapping[str, Any] | None = None,
    bands: Sequence[str] | None = None,
    name: str = "",
    engine: str = "stackstac",
    max_bytes: int = 4 * 1024**3,
    on_missing: str = "raise",
    sar_catalog: str | Path | Catalog | None = None,
) -> Scene:
    """Search, choose dates and read the pixels of one place; optical and SAR on one grid.

    Asks the catalogue and reads at once: the cloud layer (or one band) of each date over the AOI, then the bands of
    the dates chosen. Radar of `sentinel-1-rtc` is taken as it is but for its borders
    (`terrascope_nb.stac.radar.drop_border_noise`).

    Parameters
    ----------
    aoi : AOI or (west, south, east, north)
    datetime : str, pair of dates …
        As in `search`: ``"2023-07"``, ``"2023-06/2023-08"``. For SAR it is widened by `max_gap` on both sides.
    optical, sar : str or None
        Sensors or collections; one of them may be None.
    catalog : str, Path or Catalog
        A name, an API's address, or a folder.
    sar_catalog : str, Path or Catalog, optional
        Where the radar is looked for. Default: `catalog`.
    times : "best", "all" or list of dates
        ``"best"``: the date that shows most of the AOI clear (least cloud, fewest gaps). ``"all"``: every date with at
        most `max_cloud_aoi`. A list takes those dates whatever their cloud.
    max_cloud_aoi : float
        Most cloud over the AOI, percent of its pixels with data. Dates without a cloud layer pass, and it is noted.
    max_gap : str, timedelta
        Most time between an optical image and its SAR image: ``"6D"``, ``"36h"``. Of several dates the radar is taken
        from one orbit where one serves them all; the scene's notes tell each gap and orbit.
    grid : Grid, optional
        Default: `Grid.from_aoi` at `resolution` (default: the finest sensor's) in `crs`.
    max_cloud, query
        Passed to `search` for the optical sensor.
    bands : sequence of str, optional
        Optical bands to read, by common name; the cloud layer is read beside them. Default: all.
    name : str
        The scene's name.
    engine : str
        As in `open_cube`.
    max_bytes : int
        The most bytes that the chosen dates of one sensor may take in memory. Checked before anything is read, as far
        as the number of dates is known then (one for "best"), and again before the bands are read.
    on_missing : "raise" or "skip"
        As in `open_cube`: with «skip», assets that are not there, refused or broken are gaps that the notes name.

    Raises
    ------
    TooLarge
        When the chosen dates hold more than `max_bytes`.
    NothingFound
        When no date is usable; the message tells each date's cloud and data over the AOI.
    """
    from terrascope_nb.scene.build import from_cubes

    aoi = aoi if isinstance(aoi, AOI) else AOI.from_bbox(tuple(aoi))  # type: ignore[arg-type]
    if optical is None and sar is None:
        raise InvalidInput("name a sensor: optical='sentinel-2-l2a', sar='sentinel-1-rtc', or both")
    if not 0 <= max_cloud_aoi <= 100:
        raise InvalidInput(f"max_cloud_aoi is a percentage, 0 to 100; got {max_cloud_aoi!r}")
    gap = span(max_gap)
    if grid is None:
        grid = Grid.from_aoi(aoi, resolution if resolution is not None else _finest(optical, sar), crs)
    inside = grid.mask(aoi)
    if not inside.any():
        raise InvalidInput(
            f"{aoi!r} holds no pixel centre of {grid!r} (bounds {grid.bounds}): it is smaller than a pixel or elsewhere"
        )
    notes: list[str] = []
    best = isinstance(times, str) and times == "best"
    if optical is None:
        found = _find(aoi, datetime, sar, catalog if sar_catalog is None else sar_catalog, None, None)
        seen = _look(found, grid, engine, inside, None, max_bytes, on_missing, notes)
        chosen = choose(seen, times, max_cloud_aoi, aoi, notes)
        radar = _read(found, grid, engine, None, chosen[:1] if best else chosen, max_bytes, notes, on_missing)
        return from_cubes(None, radar, aoi=aoi, name=name, notes=notes)
    found = _find(aoi, datetime, optical, catalog, max_cloud, query)
    seen = _look(found, grid, engine, inside, bands, max_bytes, on_missing, notes)
    chosen = choose(seen, times, max_cloud_aoi, aoi, notes)
    if sar is None:
        cube = _read(found, grid, engine, bands, chosen[:1] if best else chosen, max_bytes, notes, on_missing)
        return from_cubes(cube, aoi=aoi, name=name, notes=notes)
    stamps = [c.time for c in chosen]
    window = (_text(min(stamps) - gap), _text(max(stamps) + gap))
    sar_found = _find(aoi, window, sar, catalog if sar_catalog is None else sar_catalog, None, None)
    radar_seen = _look(sar_found, grid, engine, inside, None, max_bytes, on_missing, notes)
    pairs = pair(chosen, radar_seen, gap, one_orbit=not best)
    if best:
        ranked = [c for c in chosen if c.index in pairs]
        if ranked and ranked[0] is not chosen[0]:
            notes.append(
                f"{chosen[0].words()} shows more but has no radar within {max_gap}: {ranked[0].words()} was taken"
            )
        chosen = ranked[:1]
    if not pairs:
        raise NothingFound(
            f"no {sar} image within {max_gap} of {', '.join(str(t)[:10] for t in stamps)}: raise max_gap=, widen "
            "datetime=, or leave sar= out"
        )
    for c in chosen:
        if c.index in pairs:
            notes.append(gap_words(c, pairs[c.index]))
        else:
            notes.append(f"no radar within {max_gap} of {str(c.time)[:10]}")
    near = {pairs[c.index].index: pairs[c.index] for c in chosen if c.index in pairs}
    orbits = dict.fromkeys(r.orbit for r in near.values() if r.orbit)
    if len(orbits) > 1:
        notes.append(
            f"radar from {len(orbits)} orbits ({'; '.join(orbits)}): what differs between them is partly the angle"
        )
    cube = _read(found, grid, engine, bands, chosen, max_bytes, notes, on_missing)
    radar = _read(sar_found, grid, engine, None, list(near.values()), max_bytes, notes, on_missing)
    return from_cubes(cube, radar, aoi=aoi, name=name, notes=notes)


# ---- dates ----------------------------------------------------------------------------------------------------------
def _look(
    found: Found,
    grid: Grid,
    engine: str,
    inside: np.ndarray,
    bands: Sequence[str] | None,
    max_bytes: int,
    on_missing: str,
    notes: list[str],
) -> list[Candidate]:
    """Each date's cloud and data over the AOI. Reads one layer a date, of a cube that has no other."""
    from terrascope_nb._progress import progress
    from terrascope_nb.stac.clouds import cloud_share
    from terrascope_nb.stac.cube import open_cube
    from terrascope_nb.stac.gaps import gap_notes

    sensor = found.sensor
    _open(found, grid, engine, bands, 1, max_bytes)
    layer = sensor.clouds
    if layer is not None and not all(sensor.asset_of(i, sensor.band(layer)) for i in found.items):
        layer = None
    if layer is None:
        kept = [b.name for b in sensor.bands if not b.labels and any(sensor.asset_of(i, b) for i in found.items)]
        wanted = sensor.band(bands[0]).name if bands else kept[0] if kept else sensor.bands[0].name
    cube = open_cube(found, grid, engine=engine, bands=[layer or wanted], on_missing=on_missing)
    notes += gap_notes(cube)
    out = []
    for k in progress(range(cube.sizes["time"]), "looking at the dates", "date"):
        stamp = cube["time"].values[k].astype("datetime64[s]")
        step = cube.isel(time=k)
        if layer is None:
            valid = float(np.isfinite(step[wanted].values[inside]).mean())
            out.append(Candidate(k, stamp, None, valid, _orbit(step)))
        else:
            share = cloud_share(step[layer].values, inside, sensor)
            valid = 1 - share.nodata
            out.append(Candidate(k, stamp, share.cloud / valid if valid > 0 else 0.0, valid))
    return out


def _orbit(step: xr.Dataset) -> str:
    """Direction and track of a radar step, as far as its items state them."""
    state, track = (str(step.coords[f"sat:{n}"].values) if f"sat:{n}" in step.coords else "" for n in ORBIT)
    return ", ".join(w for w in (state, f"relative orbit {track}" if track else "") if w)


# ---- cube -----------------------------------------------------------------------------------------------------------
def _find(aoi: AOI, when: Any, sensor: str | None, catalog: Any, max_cloud: float | None, query: Any) -> Found:
    from terrascope_nb.stac.catalog import search

    found = search(aoi, when, sensor=sensor, catalog=catalog, max_cloud=max_cloud, query=query)
    found.require()
    return found


def _open(found: Found, grid: Grid, engine: str, bands: Sequence[str] | None, dates: int, max_bytes: int) -> xr.Dataset:
    """The lazy cube of all dates; refused where `dates` of them would take more than `max_bytes`."""
    from terrascope_nb.stac.cube import open_cube

    if bands is not None and found.sensor.clouds is not None:
        bands = list(dict.fromkeys([*bands, found.sensor.clouds]))
    cube = open_cube(found, grid=grid, engine=engine, bands=bands)
    size = sum(v.nbytes for v in cube.data_vars.values()) // cube.sizes["time"] * dates
    if size > max_bytes:
        raise TooLarge(
            f"{dates} date{'s' * (dates > 1)} × {len(cube.data_vars)} bands × {cube.sizes['y']} × {cube.sizes['x']} "
            f"pixels are {size / 1e9:.3g} GB ({size:,} bytes), more than max_bytes={max_bytes:,}: take a smaller AOI, "
            "fewer bands=, a coarser resolution=, fewer times=, or raise max_bytes="
        )
    return cube


def _read(
    found: Found,
    grid: Grid,
    engine: str,
    bands: Sequence[str] | None,
    chosen: list[Candidate],
    max_bytes: int,
    notes: list[str],
    on_missing: str,
) -> xr.Dataset:
    """The cube at the chosen dates, in memory."""
    from terrascope_nb.stac.cube import open_cube
    from terrascope_nb.stac.radar import drop_border_noise
    from terrascope_nb.stac.reading import read

    cube = _open(found, grid, engine, bands, len(chosen), max_bytes)
    cube = cube.isel(time=sorted(c.index for c in chosen))
    if on_missing == "skip":  # only the chosen dates' files are looked at
        ids = set(" ".join(map(str, cube["item_ids"].values)).split())
        part = found.only(i for i in found.items if i["id"] in ids)
        cube = open_cube(part, grid, engine=engine, bands=list(cube.data_vars), on_missing=on_missing)
    cube = read(cube, f"reading {found.sensor.kind}")
    if found.sensor.name == "sentinel-1-rtc":
        cube = drop_border_noise(cube)
        notes.append(f"radar borders taken off: {cube.attrs['terrascope:border']}")
    elif found.sensor.name.startswith("sentinel-2"):
        notes += _doubts(cube)
    return cube


def _doubts(cube: xr.Dataset) -> list[str]:
    """A provider's flag may be wrong about the offset: then land turns black, which a sentence tells."""
    out = []
    band = next((b for b in ("green", "red", "blue") if b in cube), None)
    for k in range(cube.sizes["time"] if band else 0):
        values = cube[band].isel(time=k).values
        there = np.isfinite(values)
        share = float((values[there] < 0).mean()) if there.any() else 0.0
        if share > NEGATIVE:
            out.append(
                f"{str(cube['time'].values[k])[:10]}: {share:.0%} of the pixels have a reflectance below 0 in {band}, "
                "as if the offset of baseline 04.00 had been taken off twice; the provider's flag may be wrong there"
            )
    return out


def _finest(*sensors: str | None) -> float:
    from terrascope_nb.stac.sensors import sensor_of

    return min(sensor_of(s).resolution for s in sensors if s is not None)


def _text(stamp: np.datetime64) -> str:
    return f"{stamp.astype('datetime64[s]')}Z"
