"""Hypothesis strategies for grids, AOIs, masks, domains and regions: public, for tests of code that builds on these.

Needs `hypothesis`, which is imported nowhere else in the package.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from affine import Affine
from hypothesis import strategies as st
from pyproj import CRS

from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.measure.region import Region
from terrascope_nb.scene.domain import Domain

# EPSG: x and y of a place well inside it, size of a pixel there in its unit
_HOMES: dict[int, tuple[float, float, float]] = {
    32633: (500_000.0, 5_100_000.0, 10.0),
    32719: (350_000.0, 6_300_000.0, 20.0),
    3857: (1_600_000.0, 5_800_000.0, 10.0),
    6933: (1_400_000.0, 5_300_000.0, 100.0),
    2264: (2_000_000.0, 700_000.0, 30.0),  # US survey feet
    3035: (4_600_000.0, 2_600_000.0, 10.0),
    4326: (14.5, 46.0, 1e-4),
    5041: (2_300_000.0, 1_700_000.0, 10.0),
    5042: (1_800_000.0, 2_200_000.0, 10.0),
}

CODES = tuple(_HOMES)
"""EPSG codes that `grids` draws from: UTM, web Mercator, equal area, feet, Lambert, degrees, both poles."""


@lru_cache
def _crs(code: int) -> CRS:
    return CRS.from_epsg(code)


def turned(left: float, top: float, dx: float, dy: float, degrees: float = 0.0) -> Affine:
    """Transform of a grid of dx × dy pixels, turned anticlockwise about its upper-left corner (left, top)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return Affine(cos * dx, sin * dy, left, sin * dx, -cos * dy, top)


@st.composite
def grids(
    draw: st.DrawFn,
    codes: tuple[int | None, ...] = (*CODES, None),
    max_side: int = 40,
    rotated: bool = False,
    square: bool = False,
) -> Grid:
    """Small grids at a place where their CRS holds.

    Parameters
    ----------
    codes : tuple of int or None
        EPSG codes to draw from (see `CODES`); None is a grid without a CRS.
    max_side : int
        Most rows and columns.
    rotated : bool
        Whether the rows may be turned against x, by any angle.
    square : bool
        Whether pixels are always square.
    """
    code = draw(st.sampled_from(codes))
    x, y, size = _HOMES[code] if code is not None else (0.0, 0.0, 1.0)
    height, width = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    stretch = 1.0 if square else draw(st.sampled_from((1.0, 1.0, 0.5, 2.0, 3.7)))
    angle = draw(st.floats(-180, 180)) if rotated else 0.0
    left, top = x + draw(st.integers(-50, 50)) * size, y + draw(st.integers(-50, 50)) * size
    return Grid(turned(left, top, size, size * stretch, angle), (height, width), None if code is None else _crs(code))


@st.composite
def masks(draw: st.DrawFn, shape: tuple[int, int]) -> np.ndarray:
    """Bool masks (H, W) of all sorts: empty, full, specks, noise, rectangles, diagonals, checks."""
    height, width = shape
    kind = draw(st.sampled_from(("empty", "full", "noise", "specks", "blocks", "diagonal", "checks")))
    rows, cols = np.indices(shape)
    if kind == "empty":
        return np.zeros(shape, bool)
    if kind == "full":
        return np.ones(shape, bool)
    if kind == "diagonal":
        return (rows - cols) % draw(st.integers(1, 7)) == 0
    if kind == "checks":
        side = draw(st.integers(1, 4))
        return (rows // side + cols // side) % 2 == draw(st.integers(0, 1))
    if kind == "blocks":
        mask = np.zeros(shape, bool)
        for _ in range(draw(st.integers(1, 5))):
            top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
            mask[top : top + draw(st.integers(1, height)), left : left + draw(st.integers(1, width))] = True
        return mask
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.random(shape) < (0.03 if kind == "specks" else draw(st.floats(0.1, 0.9)))


@st.composite
def domains(draw: st.DrawFn, grid: Grid, whole: bool = False) -> Domain:
    """Domains on a grid: any AOI (also one with holes), no-data and cloud; with `whole`, every pixel."""
    if whole or draw(st.booleans()):
        return Domain.whole(grid)
    inside, nodata, cloud = (draw(masks(grid.shape)) for _ in range(3))
    return Domain(grid, inside, ~nodata, ~nodata & ~cloud)


@st.composite
def regions(draw: st.DrawFn, grid: Grid | None = None, domain: Domain | None = None, label: str = "water") -> Region:
    """Regions: a mask of any sort on a domain of any sort; give `domain` to draw several that go together."""
    if domain is None:
        domain = draw(domains(draw(grids()) if grid is None else grid))
    return Region(label, draw(masks(domain.grid.shape)), domain)


@st.composite
def boxes(draw: st.DrawFn, max_degrees: float = 2.0, max_latitude: float = 80.0) -> AOI:
    """Boxes in longitude and latitude anywhere on Earth, across the antimeridian too."""
    west = draw(st.floats(-180, 179))
    south = draw(st.floats(-max_latitude, max_latitude - max_degrees))
    width, height = draw(st.floats(0.01, max_degrees)), draw(st.floats(0.01, max_degrees))
    east = west + width
    return AOI.from_bbox((west, south, east if east <= 180 else east - 360, south + height))
