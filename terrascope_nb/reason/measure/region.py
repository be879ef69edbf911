"""Region, Fact, Measured: a mask with where it may be measured, and what measuring gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from terrascope_nb.errors import GridMismatch, InvalidInput
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.measure.components import component_sizes
from terrascope_nb.scene.domain import Domain


@dataclass(frozen=True, eq=False)
class Region:
    """A mask with where it may be measured. Every figure is of `pixels`; the rest of the mask counts for nothing.

    Attributes
    ----------
    label : str
        Canonical label, «water»; names the region in facts and messages.
    mask : numpy.ndarray
        (H, W) bool on the grid of `domain`.
    domain : Domain
        AOI, data and clear pixels of the image that the mask is drawn on.
    image : int
        Index of that image in the scene.
    time : numpy.datetime64 or None
        Its acquisition, UTC.
    """

    label: str
    mask: np.ndarray
    domain: Domain
    image: int = 0
    time: np.datetime64 | None = None

    def __post_init__(self) -> None:
        mask = np.asarray(self.mask)
        if mask.dtype != np.bool_:
            raise InvalidInput(
                f"the mask of {self.label!r} holds {mask.dtype}; a mask is bool: compare it first, "
                "e.g. mask > 0.5 or mask == 1"
            )
        if mask.shape != self.domain.grid.shape:
            raise GridMismatch(
                f"the mask of {self.label!r} has shape {mask.shape}, its grid has {self.domain.grid.shape} "
                f"({describe(self.domain.grid)}); draw it on that grid, e.g. with rioxarray's rio.reproject_match"
            )
        object.__setattr__(self, "mask", mask)

    @property
    def grid(self) -> Grid:
        """The grid of the mask."""
        return self.domain.grid

    @cached_property
    def pixels(self) -> np.ndarray:
        """(H, W) bool: the mask's clear pixels inside the AOI, the ones that count."""
        return self.mask & self.domain.pixels

    @cached_property
    def count(self) -> int:
        """Number of `pixels`."""
        return int(np.count_nonzero(self.pixels))

    @cached_property
    def profile(self) -> tuple[np.ndarray, np.ndarray]:
        """`pixels` in each row (H,) and in each column (W,), int64."""
        return row_counts(self.pixels), column_counts(self.pixels)

    @cached_property
    def centroid(self) -> tuple[float, float] | None:
        """Mean (row, column) of `pixels`, pixel centres at whole numbers; None for an empty region."""
        if not self.count:
            return None
        rows, cols = self.profile
        return float(rows @ np.arange(rows.size)) / self.count, float(cols @ np.arange(cols.size)) / self.count

    @cached_property
    def parts(self) -> np.ndarray:
        """Pixels of each 8-connected part of `pixels`, (n,) int64."""
        return component_sizes(self.pixels) if self.count else np.zeros(0, np.int64)

    def stated(self, pixel_size: float | None) -> Region:
        """The region on a grid of a stated pixel size (metres), where its own has no CRS; else as it is."""
        grid = self.grid.stated(pixel_size)
        return self if grid is self.grid else replace(self, domain=replace(self.domain, grid=grid))

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("label", "mask", "domain", "image", "time")}

    def __repr__(self) -> str:
        day = "" if self.time is None else f" {str(self.time)[:10]}"
        return f"<Region {self.label!r} image {self.image}{day} on {self.grid!r}>"


@dataclass(frozen=True)
class Fact:
    """One figure, and how much of the place it rests on.

    Attributes
    ----------
    kind : str
        «share» «area» «count» «exists» «location» «distance» «adjacent» «larger» «ranking» «gain» «loss» «net».
    labels : tuple of str
        Labels of the regions measured, in the order they were given.
    value : float, bool, str, tuple of str or None
        In `unit`; a name for «location» and «larger» («equal» when neither is), names for «ranking».
        None: cannot be given, and `note` says why.
    unit : str
        Base unit: ``"%"`` (0…100; for a change, percentage points of the compared pixels), ``"m²"``, ``"m"``,
        ``"px"``, ``""``.
    pixels : int
        Pixels that the figure counts: of the region, or of all regions together (shared ones once).
    of_pixels : int
        Clear pixels inside the AOI: the denominator.
    aoi_share : float
        Share of the grid inside the AOI, 0…1.
    clear_share : float
        Share of the AOI that could be measured, 0…1; for a change, that is clear at both dates.
    nodata_share : float
        Share of the AOI without data, 0…1.
    note : str
        Plain sentences: the rule, what was left out, why there is no value.
    values : tuple of float or None
        What stands behind `value`; each function says what.
    """

    kind: str
    labels: tuple[str, ...]
    value: float | bool | str | tuple[str, ...] | None
    unit: str
    pixels: int
    of_pixels: int
    aoi_share: float
    clear_share: float
    nodata_share: float
    note: str = ""
    values: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Measured:
    """What is measured of one mask at once.

    Attributes
    ----------
    label : str
    share : float or None
        Of the clear pixels inside the AOI, percent 0…100; None when there is none.
    area : float or None
        True ground area in m²; None without a CRS (then `note` says so).
    pixels, of_pixels : int
        Pixels of the region; clear pixels inside the AOI.
    count : int
        8-connected parts of at least `min_pixels` pixels.
    min_pixels : int
        Parts below this many pixels are not counted.
    small_parts : int
        Parts that were not counted.
    location : str or None
        «north», «north-east», … or «centre»; None for an empty region.
    centre : (float, float) or None
        Longitude and latitude in degrees (EPSG:4326) of the region's centroid; None when empty or without a CRS.
    aoi_share, clear_share, nodata_share : float
        As in `Fact`, 0…1.
    note : str
        Why a figure is missing; empty when none is.
    """

    label: str
    share: float | None
    area: float | None
    pixels: int
    of_pixels: int
    count: int
    min_pixels: int
    small_parts: int
    location: str | None
    centre: tuple[float, float] | None
    aoi_share: float
    clear_share: float
    nodata_share: float
    note: str = ""


def row_counts(mask: np.ndarray) -> np.ndarray:
    """True pixels in each row, (H,) int64."""
    return np.fromiter((np.count_nonzero(row) for row in mask), np.int64, mask.shape[0])


def column_counts(mask: np.ndarray) -> np.ndarray:
    """True pixels in each column, (W,) int64; summed in bytes, 255 rows at a time."""
    out = np.zeros(mask.shape[1], np.int64)
    for start in range(0, mask.shape[0], 255):
        out += np.add.reduce(mask[start : start + 255].view(np.uint8), axis=0, dtype=np.uint8)
    return out


def describe(grid: Grid) -> str:
    """A grid in words, with its corner, so that two that differ read differently."""
    left, bottom, right, top = grid.bounds
    return f"{grid!r} at {left:.10g}, {bottom:.10g}, {right:.10g}, {top:.10g}"


def same_grid(*regions: Region) -> Grid:
    """The grid that all regions share.

    Raises
    ------
    GridMismatch
        When two do not; both grids are in the message.
    """
    first = regions[0]
    for other in regions[1:]:
        if other.grid is not first.grid and other.grid != first.grid:
            raise GridMismatch(
                f"{first.label!r} and {other.label!r} lie on two grids and cannot be measured together: "
                f"{describe(first.grid)}; {describe(other.grid)}. "
                "Load both onto one grid, e.g. ts.open_cube(found, grid=grid)"
            )
    return first.grid


def fact(
    kind: str,
    regions: tuple[Region, ...],
    domain: Domain,
    value: Any,
    unit: str = "",
    *,
    pixels: int,
    note: str = "",
    values: tuple[float | None, ...] = (),
    dates: bool = False,
) -> Fact:
    """A `Fact` with the shares of `domain` filled in.

    Without any pixel to measure, its value is None and the note says so. With `dates`, the domain is what two dates
    have in common.
    """
    if not domain.count:
        what = "no pixel inside the AOI is clear at both dates" if dates else "no clear pixel inside the AOI"
        value, values = None, ()
        note = f"{what} ({100 * domain.nodata_share:.0f} % of it has no data): nothing can be measured"
    labels = tuple(r.label for r in regions)
    shares = domain.aoi_share, domain.clear_share, domain.nodata_share
    return Fact(kind, labels, value, unit, pixels, domain.count, *shares, note, values)
