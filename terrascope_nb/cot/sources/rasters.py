"""Any label raster with its legend, beside any image: the general reader, and how labels get onto a scene's grid."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.cot.sources.legends import labels_of, left_out, legend_for, names_of
from terrascope_nb.cot.sources.stream import Stream
from terrascope_nb.cot.sources.windows import cutter
from terrascope_nb.errors import GridMismatch, InvalidInput, NotFound, ReadFailed
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene.labelled import Labelled
from terrascope_nb.scene.scene import Scene

#: Keywords of `Scene.from_files` that a reader does not set by itself.
FILE_OPTIONS = (
    "bands", "scale", "offset", "units", "sensor", "times", "nodata", "sar", "sar_bands", "sar_units", "sar_sensor",
    "sar_times", "sar_calibration", "aoi",
)  # fmt: skip


def read_raster(
    image: Any,
    labels: str | Path | Sequence[str | Path],
    legend: Any,
    *,
    nodata: int | None = None,
    key: str = "",
    place: str = "",
    source: str = "raster",
    licence: str = "not stated",
    citation: str = "",
    resolution: float | None = None,
    window: int | None = None,
    stride: int | None = None,
    block: int | None = None,
    part: tuple[int, int] | None = None,
    on_bad: str = "raise",
    **files: Any,
) -> Iterator[Labelled]:
    """An image and the map of it, whole or in windows. Reads both when the first is asked for.

    Parameters
    ----------
    image : path, list of paths, or list of lists
        As `optical` of `Scene.from_files`.
    labels : path, or one a date
        GeoTIFF (or any raster) of class numbers; put onto the image's grid by nearest neighbour, from another CRS too.
    legend : str, mapping or sequence of MapClass
        See `legend_for`: a name (``"esa-worldcover"``, ``"clc-2018"`` …) or ``{1: "water", 2: "forest", 9: ""}``.
    nodata : int, optional
        Number that means «not mapped»; default: what the file says.
    key, place : str
        Default: the label file's name without extension, and the key.
    resolution : float, optional
        Metres a pixel, for an image without CRS.
    window, stride, block : int, optional
        Cut into windows, see `windows`.
    part, on_bad
        See `Stream`; whole images are counted.
    **files
        Keywords of `Scene.from_files`: bands, units, scale, offset, sensor, times, nodata, sar …

    Raises
    ------
    InvalidInput
        For a keyword that is none, or class numbers that the legend lacks.
    GridMismatch
        When image and map do not meet.
    ReadFailed
        For a missing or damaged file.
    """
    options, cut = checked(files, FILE_OPTIONS), cutter(window, stride, block)
    classes = legend_for(legend)
    paths = [labels] if isinstance(labels, str | Path) else list(labels)
    if not paths:
        raise InvalidInput("labels=[] holds no file: give the label raster")
    name = key or Path(paths[0]).stem

    def open_it() -> Labelled:
        scene = Scene.from_files(image, name=name, **options)
        return labelled_of(
            scene, paths, classes, nodata, key=name, place=place or name, source=source, licence=licence,
            citation=citation, resolution=resolution,
        )  # fmt: skip

    return Stream(lambda: [(name, open_it)], part, on_bad, cut)


def labelled_of(
    scene: Scene, paths: Sequence[Any], classes: Sequence[Any], nodata: int | None = None, **named: Any
) -> Labelled:
    """A scene with label files put onto its grid; `named` are further fields of `Labelled`."""
    found = [labels_on(path, scene.grid, nodata) for path in paths]
    empties = {empty for _, empty in found}
    if len(empties) > 1:
        raise InvalidInput(f"label files mean «no data» by different numbers {sorted(map(str, empties))}: give nodata=")
    maps = tuple(values for values, _ in found)
    return with_legend(scene, maps, classes, empties.pop(), **named)


def with_legend(
    scene: Scene, maps: tuple[np.ndarray, ...], classes: Sequence[Any], nodata: int | None, **named: Any
) -> Labelled:
    """A `Labelled` whose legend, names and unmapped numbers are told by classes of a legend."""
    legend = {n: label for n, label in labels_of(classes).items() if n != nodata}
    gone = left_out(classes, *maps, nodata=nodata)
    return Labelled(scene, maps, legend, nodata=nodata, names=names_of(classes), unmapped=gone, **named)


def labels_on(path: str | Path, grid: Grid, nodata: int | None = None) -> tuple[np.ndarray, int | None]:
    """Class numbers of a file on a grid, by nearest neighbour; and the number that means «not mapped», if any.

    Returns
    -------
    labels : numpy.ndarray
        (H, W) integers of the file's type.
    nodata : int or None
        As given, else the file's own. Where the file reaches less far than the grid and names none, a free one.

    Raises
    ------
    GridMismatch
        When the two do not meet, or one has no CRS and the shapes differ.
    InvalidInput
        When the file holds numbers with a fraction.
    ReadFailed
        When it is missing, damaged, or has several bands.
    """
    from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError

    from terrascope_nb.scene.raster import read_header

    header = read_header(path)
    if header.count != 1 and not header.palette:
        raise ReadFailed(f"{path} has {header.count} bands; a label raster has one, of class numbers")
    import rasterio
    from rasterio.windows import Window

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a PNG map lies pixel on pixel
            src = rasterio.open(str(path))
        with src:
            own = src.nodata
            empty = nodata if nodata is not None else None if own is None or not np.isfinite(own) else int(own)
            near = _around(header.grid, grid, str(path))
            values = src.read(1, window=None if near is None else Window.from_slices(*near))
    except (RasterioError, RasterioIOError, OSError) as err:
        raise ReadFailed(f"{path} opened but its pixels cannot be read: {err}") from err
    source = header.grid if near is None else header.grid.window(*near)
    return place_labels(_whole(values, path), source, grid, empty, str(path))


def _around(source: Grid, grid: Grid, name: str) -> tuple[slice, slice] | None:
    """Rows and columns of a file that hold a grid's pixel centres, and some more; None for all of it."""
    if source == grid or source.crs is None or grid.crs is None:
        return None
    from pyproj import Transformer

    rows, cols = np.meshgrid(_edge(grid.height), _edge(grid.width), indexing="ij")
    x, y = Transformer.from_crs(grid.crs, source.crs, always_xy=True).transform(*grid.xy(rows, cols))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    down, right = source.rowcol(np.asarray(x), np.asarray(y))
    found = []
    for at, length in ((down, source.height), (right, source.width)):
        more = 8 + int(0.02 * (at.max() - at.min()))  # sides bend between the points that were looked at
        first, last = max(int(at.min()) - more, 0), min(int(at.max()) + more + 1, length)
        if first >= last:
            raise GridMismatch(_apart(name, source, grid))
        found.append(slice(first, last))
    return found[0], found[1]


def _edge(length: int) -> np.ndarray:
    """At most 33 positions from the first pixel's outer edge to the last one's."""
    return np.linspace(-0.5, length - 0.5, min(length + 1, 33))


def place_labels(
    values: np.ndarray, source: Grid, grid: Grid, nodata: int | None, name: str
) -> tuple[np.ndarray, int | None]:
    """Class numbers on another grid, by nearest neighbour; see `labels_on`."""
    if source == grid:
        return values, nodata
    if source.crs is None or grid.crs is None:
        if source.shape == grid.shape:
            return values, nodata  # pixel on pixel
        raise GridMismatch(
            f"{name} is {source!r} and the image {grid!r}: without a CRS on both they must have one shape, pixel on "
            "pixel"
        )
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    fill = nodata if nodata is not None else _free(values, name)
    out = np.full(grid.shape, fill, values.dtype)
    reproject(
        values, out, src_transform=source.transform, src_crs=source.crs.to_wkt(), src_nodata=fill,
        dst_transform=grid.transform, dst_crs=grid.crs.to_wkt(), dst_nodata=fill, resampling=Resampling.nearest,
        tolerance=0,  # each centre for itself: no approximation between points
    )  # fmt: skip
    beyond = out == fill
    if beyond.all() and not (values == fill).all():
        raise GridMismatch(_apart(name, source, grid))
    return out, fill if nodata is not None or beyond.any() else None


def _apart(name: str, source: Grid, grid: Grid) -> str:
    return f"{name} does not meet the image: {source!r} with bounds {source.bounds}, {grid!r} with bounds {grid.bounds}"


def _whole(values: np.ndarray, path: Any) -> np.ndarray:
    if values.dtype.kind in "ui":
        return values
    finite = np.isfinite(values)
    if not finite.all() or (values != np.round(values)).any():
        raise InvalidInput(f"{path} holds {values.dtype} numbers with fractions or NaN: class numbers are whole")
    return values.astype(np.int32)


def _free(values: np.ndarray, name: str) -> int:
    """A number of the type that is on no pixel: the largest such below 2¹⁶."""
    info = np.iinfo(values.dtype)
    used = set(np.unique(values).tolist())
    for number in range(min(int(info.max), 65535), int(info.min) - 1, -1):
        if number not in used:
            return number
    raise InvalidInput(f"{name} uses every number of {values.dtype}: give nodata= for where it does not reach")


def checked(options: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """Keywords as they came, or an error that names the one that is none."""
    for name in options:
        if name not in known:
            raise InvalidInput(unknown("option", name, known))
    return dict(options)


def folder_of(folder: str | Path, *wanted: str) -> Path:
    """A folder that holds what a layout asks for.

    Raises
    ------
    NotFound
        When it, or one of `wanted` in it, is missing; the message lists what is there.
    """
    path = Path(folder)
    if not path.is_dir():
        raise NotFound(f"there is no folder {path}: give the folder that the data set was unpacked into")
    missing = [name for name in wanted if not (path / name).exists()]
    if missing:
        there = ", ".join(sorted(p.name for p in path.iterdir())[:12]) or "nothing"
        raise NotFound(f"{path} lacks {', '.join(missing)}; it holds {there}")
    return path


def stem_place(key: str, pattern: str | None) -> str:
    """The place of a key: the first group of a regular expression, or the key itself.

    Raises
    ------
    InvalidInput
        When the pattern is none, has no group, or does not fit the key.
    """
    if pattern is None:
        return key
    try:
        found = re.search(pattern, key)
    except re.error as err:
        raise InvalidInput(f"place={pattern!r} is no regular expression: {err}") from err
    if found is None or not found.groups() or not found.group(1):
        raise InvalidInput(
            f"place={pattern!r} finds no first group in {key!r}: e.g. place=r'^(.*)_patch' for the part before «_patch»"
        )
    return found.group(1)
