"""One raster file → numbers with nodata as NaN, on its grid; and moving them onto another grid."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

from terrascope_nb.errors import GridMismatch, InvalidInput, ReadFailed
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid


@dataclass(frozen=True, eq=False)
class Header:
    """What a file says of itself, before a pixel is read.

    Attributes
    ----------
    path : str
    count : int
        Bands that are not an alpha channel.
    stored : numpy.dtype
    grid : Grid
        Without CRS where the file has none.
    names : tuple of str or None
        Band descriptions, or red, green, blue for an 8-bit picture; None where nothing names the bands.
    tags : tuple of (float, float)
        Scale and offset of each band, (1, 0) where the file states none.
    masked : bool
        The file has nodata, an alpha channel or a mask.
    time : numpy.datetime64 or None
        The TIFF date tag.
    palette : bool
        One 8-bit band with a colour table.
    """

    path: str
    count: int
    stored: np.dtype
    grid: Grid
    names: tuple[str, ...] | None
    tags: tuple[tuple[float, float], ...]
    masked: bool
    time: np.datetime64 | None
    palette: bool

    @property
    def name(self) -> str:
        """File name without folders."""
        return Path(self.path).name


@dataclass(frozen=True, eq=False)
class Planes:
    """Bands of one date on one grid.

    Attributes
    ----------
    bands : dict
        Name → (H, W) float32 (float64 from 32-bit integers and doubles), NaN where there is no data.
    grid : Grid
    stored : numpy.dtype
        Type in the file.
    tags : dict
        Name → (scale, offset) that the file states.
    sources : tuple of str
        File names.
    notes : tuple of str
    """

    bands: dict[str, np.ndarray]
    grid: Grid
    stored: np.dtype
    tags: dict[str, tuple[float, float]]
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_header(path: Any) -> Header:
    """Open a file and read its header.

    Raises
    ------
    ReadFailed
        When the file is missing, or no raster that GDAL knows.
    """
    import rasterio
    from rasterio.enums import ColorInterp

    with _open(path) as src:
        alpha = [k for k, c in enumerate(src.colorinterp) if c == ColorInterp.alpha]
        kept = [k for k in range(src.count) if k not in alpha]
        if not kept:
            raise ReadFailed(f"{_text(path)} has no band besides an alpha channel")
        kinds = {src.dtypes[k] for k in kept}
        if any(np.dtype(k).kind not in "uif" for k in kinds):
            raise ReadFailed(
                f"{_text(path)} holds {', '.join(sorted(kinds))} numbers; only real numbers are read (for complex SAR "
                "take the power first)"
            )
        stored = np.result_type(*[np.dtype(k) for k in kinds])
        picture = stored == np.uint8 and [src.colorinterp[k] for k in kept] == [
            ColorInterp.red,
            ColorInterp.green,
            ColorInterp.blue,
        ]
        palette = len(kept) == 1 and stored == np.uint8 and src.colorinterp[kept[0]] == ColorInterp.palette
        said = [src.descriptions[k] for k in kept]
        names = tuple(said) if all(said) else ("red", "green", "blue") if picture or palette else None
        flags = {f for k in kept for f in src.mask_flag_enums[k]}
        return Header(
            _text(path), 3 if palette else len(kept), stored, _grid(src), names,  # type: ignore[arg-type]
            ((1.0, 0.0),) * 3 if palette else tuple((float(src.scales[k]), float(src.offsets[k])) for k in kept),
            rasterio.enums.MaskFlags.all_valid not in flags, _date(src.tags().get("TIFFTAG_DATETIME")), palette,
        )  # fmt: skip


def read(
    header: Header, names: Sequence[str | None], nodata: float | None = None, aoi: AOI | None = None, margin: int = 0
) -> Planes:
    """Read a file's bands; with `aoi`, only the pixels around it (and `margin` more on each side).

    Parameters
    ----------
    header : Header
    names : sequence of str or None
        One a band; None leaves the band out.
    nodata : float, optional
        A number that means «no data» besides what the file says.
    """
    from rasterio.enums import ColorInterp
    from rasterio.errors import RasterioError, RasterioIOError

    with _open(header.path) as src:
        window, grid = _window(src, header.grid, aoi, margin, header.path)
        kept = [k + 1 for k in range(src.count) if src.colorinterp[k] != ColorInterp.alpha]
        wanted = kept if header.palette else [k for k, n in zip(kept, names, strict=True) if n is not None]
        labels = [n for n in names if n is not None]
        try:
            values = src.read(wanted, window=window)
            masks = src.read_masks(wanted, window=window) if header.masked else None
            colors = np.array([c[:3] for _, c in sorted(src.colormap(1).items())], np.uint8) if header.palette else None
        except (RasterioError, RasterioIOError, OSError, MemoryError) as err:
            raise ReadFailed(
                f"{header.path} opened but its pixels cannot be read: {err}. The file may be cut short or damaged"
            ) from err
    if colors is not None:
        values = np.moveaxis(colors[np.minimum(values[0], len(colors) - 1)], -1, 0)
        masks = None if masks is None else np.repeat(masks, 3, axis=0)
    kind = np.float64 if values.dtype.itemsize > 2 and values.dtype != np.float32 else np.float32
    out = {}
    for k, label in enumerate(labels):
        plane = values[k].astype(kind)
        plane[~np.isfinite(plane)] = np.nan
        if masks is not None:
            plane[masks[k] == 0] = np.nan
        if nodata is not None:
            plane[plane == nodata] = np.nan
        out[label] = plane
    tags = {n: t for n, t in zip(names, header.tags, strict=True) if n is not None and t != (1.0, 0.0)}
    notes = ("colour table turned into red, green, blue",) if header.palette else ()
    return Planes(out, grid, header.stored, tags, (header.name,), notes)


def onto(
    bands: dict[str, np.ndarray], source: Grid, target: Grid, nearest: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Bands on another grid, bilinear (those in `nearest` by nearest neighbour); NaN where the source does not reach.

    Raises
    ------
    GridMismatch
        When a grid has no CRS, or the two do not meet.
    """
    if source == target:
        return bands
    if source.crs is None or target.crs is None:
        raise GridMismatch(
            f"{source!r} and {target!r} differ and at least one has no CRS: neither can be put on the other"
        )
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    out = {}
    for name, plane in bands.items():
        moved = np.full(target.shape, np.nan, plane.dtype)
        reproject(
            plane, moved, src_transform=source.transform, src_crs=source.crs.to_wkt(), src_nodata=np.nan,
            dst_transform=target.transform, dst_crs=target.crs.to_wkt(), dst_nodata=np.nan,
            resampling=Resampling.nearest if name in nearest else Resampling.bilinear,
        )  # fmt: skip
        out[name] = moved
    if not any(np.isfinite(v).any() for v in out.values()) and any(np.isfinite(v).any() for v in bands.values()):
        raise GridMismatch(
            f"the two images do not meet: {source!r} with bounds {source.bounds}, {target!r} with bounds "
            f"{target.bounds}"
        )
    return out


def moved(planes: Planes, target: Grid, nearest: Sequence[str] = ()) -> Planes:
    """`Planes` on another grid, with a note that says so."""
    if planes.grid == target:
        return planes
    rx, ry = planes.grid.resolution
    size = f"{rx:.6g}" if rx == ry else f"{rx:.6g} × {ry:.6g}"
    tx, ty = target.resolution
    wanted = f"{tx:.6g}" if tx == ty else f"{tx:.6g} × {ty:.6g}"
    how = "nearest neighbour" if set(planes.bands) <= set(nearest) else "bilinear"
    same = planes.grid.crs == target.crs
    what = (
        f"from {size} to {wanted}"
        if size != wanted
        else "onto the common grid"
        if same
        else f"into the common grid's CRS, at {wanted}"
    )
    note = f"{', '.join(planes.bands)} resampled {what}, {how}"
    return replace(
        planes, bands=onto(planes.bands, planes.grid, target, nearest), grid=target, notes=(*planes.notes, note)
    )


# ---- GDAL -----------------------------------------------------------------------------------------------------------
def _text(path: Any) -> str:
    if not isinstance(path, str | Path):
        raise InvalidInput(f"a file is a path, got a {type(path).__name__}: {path!r}")
    return str(path)


def _open(path: Any) -> Any:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError

    text = _text(path)
    if "://" not in text and not text.startswith("/vsi"):
        if os.path.isdir(text):
            raise ReadFailed(f"{text} is a folder; give the file in it")
        if not os.path.isfile(text):  # false, too, for a name that is too long
            raise ReadFailed(f"there is no file {text}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            return rasterio.open(text)
        except (RasterioError, RasterioIOError, OSError) as err:
            raise ReadFailed(f"{text} cannot be opened as a raster (GeoTIFF, JP2, PNG, JPEG): {err}") from err


def _grid(src: Any) -> Grid:
    shape = (src.height, src.width)
    if src.crs is None:
        return Grid(Affine.identity(), shape, None)
    from pyproj import CRS

    return Grid(src.transform, shape, CRS.from_wkt(src.crs.to_wkt()))


def _window(src: Any, grid: Grid, aoi: AOI | None, margin: int, path: str) -> tuple[Any, Grid]:
    """The rows and columns that hold the AOI, and their grid; the whole file without an AOI or a CRS."""
    if aoi is None or grid.crs is None:
        return None, grid
    from rasterio.windows import Window

    west, south, east, north = aoi.to_crs(grid.crs).bounds
    t = ~grid.transform
    corners = [(west, north), (east, north), (west, south), (east, south)]
    cols, rows = [t.a * x + t.b * y + t.c for x, y in corners], [t.d * x + t.e * y + t.f for x, y in corners]
    c0, c1 = max(math.floor(min(cols) + 1e-6) - margin, 0), min(math.ceil(max(cols) - 1e-6) + margin, src.width)
    r0, r1 = max(math.floor(min(rows) + 1e-6) - margin, 0), min(math.ceil(max(rows) - 1e-6) + margin, src.height)
    if c0 >= c1 or r0 >= r1:
        raise InvalidInput(f"{aoi!r} lies outside {path}, whose bounds are {grid.bounds} in {grid!r}")
    return Window(c0, r0, c1 - c0, r1 - r0), grid.window(slice(r0, r1), slice(c0, c1))


def _date(text: str | None) -> np.datetime64 | None:
    """A TIFF date, ``YYYY:MM:DD HH:MM:SS``; anything else is no date."""
    if not text:
        return None
    day, _, clock = text.strip().partition(" ")
    try:
        return np.datetime64(f"{day.replace(':', '-')}T{clock or '00:00:00'}", "s")
    except ValueError:
        return None
