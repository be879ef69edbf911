"""Files → `Scene`: which file is a date and which a band, one grid for all, units settled, everything noted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from terrascope_nb.errors import GridMismatch, InvalidInput, NotFound
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene import scaling
from terrascope_nb.scene.bands import LAYERS, common_names, listed
from terrascope_nb.scene.images import finish, has_data, optical_image, sar_image
from terrascope_nb.scene.layout import EXAMPLE, dates
from terrascope_nb.scene.raster import Header, Planes, moved, read, read_header
from terrascope_nb.scene.scene import Image, Scene

CALL = "Scene.from_files(…,"


def from_files(
    optical: Any = None,
    sar: Any = None,
    *,
    bands: Sequence[str | None] | None = None,
    sar_bands: Sequence[str | None] | None = None,
    scale: float | None = None,
    offset: float | None = None,
    units: str | None = None,
    sensor: str | None = None,
    sar_sensor: str | None = None,
    sar_units: str = "auto",
    sar_calibration: tuple[float, float] | None = None,
    times: Any = None,
    sar_times: Any = None,
    nodata: float | None = None,
    aoi: AOI | None = None,
    name: str = "",
) -> Scene:
    """Build a `Scene` from GeoTIFF, JP2, PNG or JPEG files. Reads the pixels (with `aoi`, only those around it).

    Parameters
    ----------
    optical, sar : path, list of paths, or list of lists
        A path: one file with all bands. A list: one file a date. A list of lists: for each date, its band files. A flat
        list of one-band files is the bands of one date where `bands` names as many.
    bands, sar_bands : sequence of str or None
        One name a band (``"B02"``, ``"blue"``, ``"VV"``); None leaves a band out; ``"SCL"`` becomes the cloud mask.
        Default: the file's band descriptions; an 8-bit picture has red, green, blue.
    scale, offset : float, optional
        reflectance = number × scale + offset. Without: the file's own tags; floats in 0…1.5 as they are; 8-bit red,
        green, blue as a picture; anything else is refused.
    units : "reflectance", "dn" or "rgb8", optional
        States the units instead.
    sensor : str, optional
        Of the optical files. ``"sentinel-2-…"`` makes 0 mean «no data»; ``"landsat-…"`` and ``"hls-l30"`` number their
        bands their way.
    sar_units : "auto", "db", "linear", "dn"
        ``"auto"``: mostly negative is dB; positive with a median below 10 is linear power.
    sar_calibration : (a, b), optional
        For coded numbers: dB = a·log10(number) + b.
    times, sar_times : sequence of dates, optional
        One a date. Default: the TIFF date tag, else undated. `sar_times` defaults to `times` where the counts agree.
    nodata : float, optional
        A number that means «no data», besides the file's own nodata, alpha channel or mask.
    aoi : AOI, optional

    Raises
    ------
    ReadFailed
        For a missing, foreign or damaged file, by name.
    UnknownUnits, InvalidInput, GridMismatch, NotFound
        With the call that would do.
    """
    if optical is None and sar is None:
        raise InvalidInput(
            "give optical=, sar= or both: Scene.from_files(optical='scene.tif', bands=['B02', 'B03', 'B04', 'B08'])"
        )
    empty = 0.0 if nodata is None and (sensor or "").lower().startswith("sentinel-2") else nodata
    bands, sar_bands = listed(bands), listed(sar_bands, "sar_bands")
    images: list[Image] = []
    said: list[str] = []
    grid: Grid | None = None
    n_dates: int | None = None
    if optical is not None:
        groups = _groups(optical, "optical", bands, times)
        stamps = _stamps(groups, times, "optical")
        n_dates = len(groups)
        for group, stamp in zip(groups, stamps, strict=True):
            planes = _read(group, bands, "optical", sensor or "", empty, aoi)
            planes = _common(planes, grid)
            grid = grid or planes.grid
            images += _optical(planes, stamp, sensor or "", said, scale=scale, offset=offset, units=units)
    if sar is not None:
        groups = _groups(sar, "sar", sar_bands, sar_times)
        mine = sar_times if sar_times is not None else times if n_dates in (None, len(groups)) else None
        for group, stamp in zip(groups, _stamps(groups, mine, "sar"), strict=True):
            planes = _read(group, sar_bands, "sar", "", nodata, aoi, margin=2 if grid is not None else 0)
            image = _sar(planes, stamp, sar_sensor or "", sar_units, sar_calibration, grid, said)
            grid = grid or (image[0].grid if image else None)
            images += image
    return finish(images, aoi, name, said)


# ---- which file is what ---------------------------------------------------------------------------------------------
def _groups(files: Any, what: str, bands: Sequence[str | None] | None, times: Any) -> list[list[Header]]:
    """One list of files a date."""
    keyword = "bands" if what == "optical" else "sar_bands"
    if isinstance(files, str | Path):
        return [[read_header(files)]]
    if not isinstance(files, Sequence):
        raise InvalidInput(
            f"{what} must be a path, a list of paths or a list of lists of paths, got a {type(files).__name__}"
        )
    if not files:
        raise InvalidInput(f"{what}=[] holds no file")
    nested = [isinstance(f, Sequence) and not isinstance(f, str) for f in files]
    if all(nested):
        if any(not f for f in files):
            raise InvalidInput(f"{what} holds an empty list of files: each inner list is the band files of one date")
        return [[read_header(p) for p in group] for group in files]
    if any(nested):
        raise InvalidInput(
            f"{what} mixes paths and lists: a list of paths is one file a date, a list of lists is band files for "
            "each date"
        )
    headers = [read_header(p) for p in files]
    if len(headers) == 1:
        return [headers]
    single = all(h.count == 1 for h in headers)
    if single and bands is not None and len(bands) == len(headers):
        count = len(times) if isinstance(times, Sequence) and not isinstance(times, str) else None
        if count == len(headers):
            raise InvalidInput(
                f"{len(headers)} one-band files with {len(bands)} band names and {count} dates: are they bands or "
                "dates? For the bands "
                f"of one date: {what}=[[a, b, …]], times=[date]; for one band on {count} dates: {what}=[a, b, …], "
                f"{keyword}=[one name], times=[…]"
            )
        return [headers]
    if single and (bands is None or len(bands) != 1):
        named = "no" if bands is None else str(len(bands))
        raise InvalidInput(
            f"{len(headers)} one-band files and {named} band name{'s' * (named != '1')}: are they bands or dates? For "
            "the bands of one "
            f"date: {what}=[…], {keyword}=[{len(headers)} names]; for one band on {len(headers)} dates: {what}=[…], "
            f"{keyword}=[one name]"
        )
    return [[h] for h in headers]


def _stamps(groups: list[list[Header]], times: Any, what: str) -> tuple[np.datetime64 | None, ...]:
    return dates(times, len(groups), what, tuple(next((h.time for h in g if h.time is not None), None) for g in groups))


def _names(
    group: list[Header], bands: Sequence[str | None] | None, what: str, sensor: str
) -> list[tuple[str | None, ...]]:
    """Common names of each file's bands."""
    keyword = "bands" if what == "optical" else "sar_bands"
    total = sum(h.count for h in group)
    listed = ", ".join(f"{h.name} ({h.count})" for h in group)
    if bands is not None:
        if len(bands) != total:
            raise InvalidInput(
                f"{keyword}= names {len(bands)} bands, the files have {total}: {listed}. Name each band; None leaves "
                "one out"
            )
        flat = common_names(bands, what, sensor)
    else:
        said = [n for h in group for n in (h.names or ("",) * h.count)]
        if not all(said):
            raise InvalidInput(
                f"nothing in the files names the {total} band{'s' * (total > 1)} of {listed}: add {keyword}=[…], e.g. "
                f"{EXAMPLE[what]}"
            )
        try:
            flat = common_names(said, what, sensor)
        except NotFound as err:
            raise InvalidInput(
                f"the files call their bands {', '.join(said)}: {err}. Name them with {keyword}=[…]; None leaves one "
                "out"
            ) from err
    out, start = [], 0
    for h in group:
        out.append(tuple(flat[start : start + h.count]))
        start += h.count
    return out


# ---- reading --------------------------------------------------------------------------------------------------------
def _read(
    group: list[Header], bands: Any, what: str, sensor: str, nodata: float | None, aoi: AOI | None, margin: int = 0
) -> Planes:
    """The bands of one date on the grid of its finest file."""
    names = _names(group, bands, what, sensor)
    used = [k for k, n in enumerate(names) if any(v is not None for v in n)]
    light = [k for k in used if any(v is not None and v not in LAYERS for v in names[k])]
    if not light:
        raise InvalidInput(f"no {what} band is left besides {', '.join(LAYERS)}")
    shapes = {group[k].grid.shape for k in used}
    bare = [group[k] for k in used if group[k].grid.crs is None]
    if len(shapes) > 1 and bare:
        sizes = ", ".join(f"{group[k].name} {group[k].grid.shape}" for k in used)
        raise GridMismatch(
            f"band files of one date differ in size and {bare[0].name} has no CRS: {sizes}. Bring them to one size "
            "first"
        )
    finest = min(light, key=lambda k: abs(group[k].grid.transform.determinant) if group[k].grid.crs is not None else 0)
    crs = group[finest].grid.crs
    mixed = [
        group[k].name
        for k in used
        if (group[k].grid.crs is None) != (crs is None)
        or (crs is not None and crs.is_geographic != group[k].grid.crs.is_geographic)
    ]
    if mixed:
        raise GridMismatch(
            f"band files of one date must be of one kind of CRS; {group[finest].name} has {group[finest].grid!r}, "
            f"other than {', '.join(mixed)}"
        )
    parts = {}
    for k in used:
        empty = None if set(names[k]) <= {*LAYERS, None} else nodata  # class 0 is a class
        around = margin if group[k].grid == group[finest].grid else margin + 2  # pixels that bilinear reaches for
        parts[k] = read(group[k], names[k], empty, aoi, around)
    target = parts[finest].grid
    parts = {k: moved(p, target, LAYERS) for k, p in parts.items()}
    merged: dict[str, np.ndarray] = {}
    tags: dict[str, tuple[float, float]] = {}
    for p in parts.values():
        merged |= p.bands
        tags |= p.tags
    notes = _gathered([n for p in parts.values() for n in p.notes])
    stored = np.result_type(*[group[k].stored for k in light])
    planes = Planes(merged, target, stored, tags, tuple(group[k].name for k in used), notes)
    return planes if nodata is not None or any(group[k].masked for k in used) else _zeros(planes)


def _gathered(notes: list[str]) -> tuple[str, ...]:
    """Notes that differ only in the bands they speak of, as one each."""
    by_words: dict[str, list[str]] = {}
    for note in notes:
        names, found, rest = note.partition(" resampled ")
        by_words.setdefault(found + rest if found else note, []).append(names if found else "")
    return tuple(
        ", ".join(names) + words if words.startswith(" resampled ") else words for words, names in by_words.items()
    )


def _zeros(planes: Planes) -> Planes:
    """Integers without any stated nodata: where pixels are 0 in *every* band, 0 means «no data», in each band.

    A swath's edge lies a few pixels elsewhere in each band, so there some bands are 0 and some are not. Without a pixel
    that is 0 in all bands, a 0 is taken as a dark pixel.
    """
    light = {k: v for k, v in planes.bands.items() if k not in LAYERS}
    if planes.stored.kind not in "ui" or planes.stored.itemsize < 2:
        return planes
    n = int(np.logical_and.reduce([v == 0 for v in light.values()]).sum())
    if n == 0:
        return planes
    bands = planes.bands | {k: np.where(v == 0, v.dtype.type("nan"), v) for k, v in light.items()}
    note = f"0 counts as no data: {n} pixels are 0 in every band, and the file states no nodata"
    return replace(planes, bands=bands, notes=(*planes.notes, note))


def _common(planes: Planes, grid: Grid | None) -> Planes:
    """On the scene's grid, where both have a CRS."""
    return planes if grid is None or grid.crs is None or planes.grid.crs is None else moved(planes, grid, LAYERS)


def _optical(planes: Planes, stamp: Any, sensor: str, said: list[str], **options: Any) -> list[Image]:
    if not has_data(planes.bands):
        said.append(f"left out: optical {', '.join(planes.sources)} has no valid pixel")
        return []
    image = optical_image(
        planes.bands, planes.grid, stored=planes.stored, time=stamp, sensor=sensor, sources=planes.sources,
        notes=planes.notes, tags=planes.tags, call=CALL, **options,
    )  # fmt: skip
    return [image]


def _sar(
    planes: Planes, stamp: Any, sensor: str, units: str, calibration: Any, grid: Grid | None, said: list[str]
) -> list[Image]:
    bands = {k: v * planes.tags[k][0] + planes.tags[k][1] if k in planes.tags else v for k, v in planes.bands.items()}
    if not has_data(bands):
        said.append(f"left out: SAR {', '.join(planes.sources)} has no valid pixel")
        return []
    tagged = ("the file's own scale and offset were applied",) if planes.tags else ()
    scaled = scaling.sar(bands, units=units, calibration=calibration, call=CALL)
    on = replace(planes, bands=scaled.bands, notes=(*tagged, *scaled.notes, *planes.notes))
    if grid is not None and grid.crs is not None and on.grid.crs is not None and on.grid != grid:
        power = moved(on, grid)
        on = replace(power, notes=(*power.notes[:-1], power.notes[-1] + ", of linear power"))
    return [sar_image(on.bands, on.grid, time=stamp, sensor=sensor, sources=on.sources, notes=on.notes)]
