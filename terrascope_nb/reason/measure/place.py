"""Location: in which ninth of the AOI a region's centroid lies."""

from __future__ import annotations

import math

import numpy as np
from pyproj import Transformer

from terrascope_nb.geo.aoi import LONLAT
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.measure.region import Fact, Region, column_counts, fact, row_counts

LOCATIONS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west", "centre")

RULE = "thirds of the bounding box of the AOI's pixels, by the region's centroid"
"""The rule in words."""

_TURNED = math.radians(22.5)  # north leaves the rows' direction by more than this: half of one of eight directions

_NAMES = {
    (-1, -1): "north-west",
    (-1, 0): "north",
    (-1, 1): "north-east",
    (0, -1): "west",
    (0, 0): "centre",
    (0, 1): "east",
    (1, -1): "south-west",
    (1, 0): "south",
    (1, 1): "south-east",
}


def location(r: Region) -> Fact:
    """Say where in the AOI a region lies: one of eight directions, or «centre».

    The bounding box of the AOI's pixels (``domain.inside``) is cut into thirds both ways; the third that holds the
    centroid of the region's pixels gives the name, a centroid on a cut counts as the middle. North is the top of the
    grid. Where the grid is turned against true north at the AOI's centre by more than 22.5° or mirrored (rotated,
    polar, south-up grids), the box is laid along true north instead, by longitude and latitude, and the note says so.
    The centroid of a scattered or ring-shaped region need not lie in it.

    Returns
    -------
    Fact
        ``value`` a name of `LOCATIONS`, or None for an empty region; ``values`` the centroid's place in the box from
        its north-west corner: (south, east), each 0…1.
    """
    if not r.count:
        return fact(
            "location", (r,), r.domain, None, pixels=0, note=f"no pixel of {r.label}: it lies nowhere in the AOI"
        )
    assert r.centroid is not None
    south, east, note = _place(r.grid, r.domain.inside, r.centroid)
    name = _NAMES[_third(south), _third(east)]
    return fact("location", (r,), r.domain, name, pixels=r.count, note=note, values=(south, east))


def _third(share: float) -> int:
    tiny = 1e-9
    return -1 if share < 1 / 3 - tiny else 1 if share > 2 / 3 + tiny else 0


def _place(grid: Grid, inside: np.ndarray, centroid: tuple[float, float]) -> tuple[float, float, str]:
    """Share of the way from north to south, from west to east, in the box; and the rule in words."""
    rows = np.flatnonzero(row_counts(inside))
    cols = np.flatnonzero(column_counts(inside))
    top, bottom, left, right = rows[0], rows[-1], cols[0], cols[-1]
    if grid.crs is None:
        turn, note = None, f"{RULE}; without a CRS, north is the top of the picture"
    else:
        turn, note = _true_north(grid, (top + bottom) / 2, (left + right) / 2), f"{RULE}; north is the top of the grid"
        if turn is not None and _holds_pole(grid, (top, bottom), (left, right)):
            turn, note = None, f"{note}, as the AOI's box holds the pole, from where every way is south"
    if turn is None:
        south = (centroid[0] - top + 0.5) / (bottom - top + 1)
        east = (centroid[1] - left + 0.5) / (right - left + 1)
        return float(south), float(east), note
    spans = [_span(inside, rows, axis) for axis in turn]
    south, east = (
        (axis[0] * centroid[0] + axis[1] * centroid[1] - low) / (high - low)
        for axis, (low, high) in zip(turn, spans, strict=True)
    )
    return float(south), float(east), f"{RULE}, laid along true north by longitude and latitude, as the grid is turned"


def _true_north(grid: Grid, row: float, col: float) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """How south and east grow with (row, column), in metres, where the grid's own axes will not do; else None."""
    lon, lat = grid.lonlat([row - 0.5, row + 0.5, row, row], [col, col, col - 0.5, col + 0.5])
    across = np.cos(np.radians(lat.mean()))
    east = ((np.diff(lon)[[0, 2]] + 180) % 360 - 180) * across
    north = np.diff(lat)[[0, 2]]
    down, right = math.atan2(east[0], -north[0]), math.atan2(north[1], east[1])
    if max(abs(down), abs(right)) <= _TURNED:
        return None
    return (float(-north[0]), float(-north[1])), (float(east[0]), float(east[1]))


def _holds_pole(grid: Grid, rows: tuple[int, int], cols: tuple[int, int]) -> bool:
    """Whether one of the poles lies in the box of rows and columns."""
    if grid.crs.is_geographic:
        return False
    x, y = np.asarray(Transformer.from_crs(LONLAT, grid.crs, always_xy=True).transform([0.0, 0.0], [90.0, -90.0]))
    there = (np.abs(x) < 1e9) & (np.abs(y) < 1e9)  # the far pole is at infinity on a polar grid
    row, col = grid.rowcol(x[there], y[there])
    return bool(((row >= rows[0]) & (row <= rows[1]) & (col >= cols[0]) & (col <= cols[1])).any())


def _span(inside: np.ndarray, rows: np.ndarray, axis: tuple[float, float]) -> tuple[float, float]:
    """Least and largest value of ``axis · (row, column)`` over the outer edges of the AOI's pixels."""
    first = inside[rows].argmax(axis=1)
    last = inside.shape[1] - 1 - inside[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([axis[0] * rows + axis[1] * first, axis[0] * rows + axis[1] * last])
    edge = (abs(axis[0]) + abs(axis[1])) / 2
    return float(ends.min() - edge), float(ends.max() + edge)
