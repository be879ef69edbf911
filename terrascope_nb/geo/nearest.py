"""The smallest distance between two masks, and whether they touch: exact, quick, and in little memory.

A distance transform visits every pixel of the grid and keeps tens of bytes for each. Here the grid is first looked at
in cells of 32 × 32 pixels. The distance between two cells bounds that between their pixels, so most cells are ruled out
at once; the pixels of the rest are compared tile by tile, nearest tiles first, each with the best distance so far as
its limit. Nothing of the grid's size is ever allocated: the working memory is that of a tile, of the table of cells,
and of the pixels still in question.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from terrascope_nb.errors import InvalidInput

_CELL = 32  # pixels along a cell's side
_TILE = 16  # cells along a tile's side
_SLACK = 1e-10  # relative: distances closer than this are compared by the exact formula
_WINDOW = 2_000_000  # pixels of the largest window that may be distance-transformed (about 100 MB)

_Found = tuple[float, int, int]  # distance, flat index in a, flat index in b: `min` is by distance, then row order


@dataclass(frozen=True)
class NearestPair:
    """The two pixels at which two masks come closest.

    Attributes
    ----------
    a : tuple of int
        (row, column) of the pixel in the first mask, counted from 0 at the upper left.
    b : tuple of int
        (row, column) of the pixel in the second mask. The same pixel as `a` where the masks overlap.
    distance : float
        From centre to centre, in the units of the spacing (`nearest_pair`) or in metres along the WGS84 ellipsoid
        (`nearest_pair_on_earth`); 0.0 where the masks overlap.
    """

    a: tuple[int, int]
    b: tuple[int, int]
    distance: float


def nearest_pair(a: np.ndarray, b: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)) -> NearestPair | None:
    """Find the two closest pixels of two masks on a grid of equal pixels.

    Parameters
    ----------
    a, b : ndarray of bool, shape (H, W)
        The masks; they may be views with any strides, and are never copied.
    spacing : tuple of float
        Height and width of a pixel, (dy, dx), in the unit wanted for the distance; both positive.

    Returns
    -------
    NearestPair or None
        None where either mask is empty. Of several pairs at the same distance, the one whose pixel of `a` comes first
        in row order, and for that pixel the one whose pixel of `b` does. The distance is
        ``sqrt((Δrow·dy)² + (Δcol·dx)²)``, the number that a Euclidean distance transform of ``~a`` gives, read at `b`.

    Raises
    ------
    InvalidInput
        A mask is not a two-dimensional bool array, the shapes differ, or a spacing is not a positive number.

    Examples
    --------
    >>> lake, town = np.zeros((2, 50, 80), dtype=bool)
    >>> lake[10:20, 5:10] = True
    >>> town[22:30, 13:40] = True
    >>> nearest_pair(lake, town, spacing=(10.0, 10.0))
    NearestPair(a=(19, 9), b=(22, 13), distance=50.0)
    """
    _check(a, b)
    dy, dx = _spacing(spacing)
    scan = _scan(a, b)
    if not isinstance(scan, tuple):
        return scan
    cells_a, cells_b = scan

    from scipy.ndimage import distance_transform_edt

    # Pixels of two cells are as far apart as the cells' corners, give or take one cell less one pixel on each axis.
    steps, give = (_CELL * dy, _CELL * dx), math.hypot((_CELL - 1) * dy, (_CELL - 1) * dx)
    to_b = np.where(cells_a, distance_transform_edt(~cells_b, sampling=steps), np.inf)
    to_a = np.where(cells_b, distance_transform_edt(~cells_a, sampling=steps), np.inf)
    limit = float(to_b.min()) + give

    beside = to_b <= give + 3 * min(dy, dx)
    if np.count_nonzero(beside) > 0.02 * beside.size:  # crowded: look at the offsets of a pixel or two, all at once
        found = _beside(a, b, beside, (dy, dx))
        if found is not None:
            return _pair(found, a.shape)

    best: _Found | None = None
    for rows, cols, bound in _tiles(to_b):
        if bound - give > limit * (1 + _SLACK):
            break
        margin = [math.ceil(limit / step) + 1 for step in steps]
        around = (_grow(rows, margin[0]), _grow(cols, margin[1]))
        near_a = _edge_pixels(a, to_b, (rows, cols), limit * (1 + _SLACK) + give)
        near_b = _edge_pixels(b, to_a, around, limit * (1 + _SLACK) + give)
        if not len(near_a[0]) or not len(near_b[0]):
            continue
        distance = _distances(near_a, near_b, b, limit, (dy, dx))
        least = float(distance.min())
        if least > limit * (1 + _SLACK):  # among these, infinity: nothing within the limit
            continue
        close = distance <= least * (1 + _SLACK)
        found = _first_at(near_a[0][close], near_a[1][close], b, least, (dy, dx))
        best = found if best is None else min(best, found)
        limit = min(limit, best[0])
    return _pair(best, a.shape)


def touching_pixels(a: np.ndarray, b: np.ndarray, *, overlap: bool = True) -> int:
    """Count the pixels of `b` that `a`, dilated by 3 × 3, meets: those in `a` or beside it, corners too.

    Parameters
    ----------
    a, b : ndarray of bool, shape (H, W)
        The masks. The count is of pixels of `b`: swapping the masks may change it (but not whether it is 0).
    overlap : bool
        Whether pixels that both masks hold are counted. True is the plain rule, "dilate one, intersect with the other";
        False counts only pixels of `b` outside `a`.

    Returns
    -------
    int
        A number of pixels, not a length or an area.

    Raises
    ------
    InvalidInput
        A mask is not a two-dimensional bool array, or the shapes differ.

    Examples
    --------
    >>> a, b = np.zeros((2, 3, 4), dtype=bool)
    >>> a[1, 1], b[:, 1:] = True, True
    >>> touching_pixels(a, b), touching_pixels(a, b, overlap=False)
    (6, 5)
    """
    _check(a, b)
    return sum(int(np.count_nonzero(met)) for met in _met(a, b, overlap))


def touches(a: np.ndarray, b: np.ndarray) -> bool:
    """Say whether `a`, dilated by 3 × 3, meets `b`: whether they overlap or lie side by side or corner to corner.

    The rule is symmetric, and that of TerraScope-Bench's boundary questions. Masks and errors as in `touching_pixels`;
    an empty mask touches nothing.

    Examples
    --------
    >>> touches(np.eye(4, dtype=bool), ~np.eye(4, dtype=bool))
    True
    """
    _check(a, b)
    return any(bool(met.any()) for met in _met(a, b, True))


# -------------------------------------------------------------------------------------------- checks and the first look


def _check(a: np.ndarray, b: np.ndarray) -> None:
    for name, mask in (("a", a), ("b", b)):
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.ndim != 2:
            is_array = isinstance(mask, np.ndarray)
            what = f"an array of {mask.dtype}, shape {mask.shape}" if is_array else f"a {type(mask).__name__}"
            raise InvalidInput(
                f"mask {name} is {what}; a mask is a numpy array of bool, shape (H, W): "
                f"compare it first, as in `labels == 6` or `probability > 0.5`"
            )
    if a.shape != b.shape:
        raise InvalidInput(
            f"the masks differ in shape: a is {a.shape}, b is {b.shape}; "
            "bring both onto one grid before measuring between them"
        )


def _spacing(spacing: tuple[float, float]) -> tuple[float, float]:
    try:
        dy, dx = (float(step) for step in spacing)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"spacing is {spacing!r}; give two numbers, (pixel height, pixel width)") from error
    if not (0 < dy < math.inf and 0 < dx < math.inf):
        raise InvalidInput(
            f"spacing is {spacing!r}; both the pixel height and the pixel width must be positive and "
            "finite (take the absolute value of a transform's negative height)"
        )
    return dy, dx


def _scan(a: np.ndarray, b: np.ndarray) -> NearestPair | tuple[np.ndarray, np.ndarray] | None:
    """Read both masks once: the first pixel in both; else None if one is empty; else which cells each mask occupies."""
    height, width = a.shape
    starts = np.arange(0, width, _CELL)
    cells_a, cells_b = np.zeros((2, -(-height // _CELL), len(starts)), dtype=bool)
    for i in range(len(cells_a)):
        strips = [mask[i * _CELL : (i + 1) * _CELL] for mask in (a, b)]
        both = strips[0] & strips[1]
        if both.any():
            row, col = divmod(int(both.argmax()), width)
            return NearestPair((i * _CELL + row, col), (i * _CELL + row, col), 0.0)
        for strip, cells in zip(strips, (cells_a, cells_b), strict=True):
            if len(starts):
                cells[i] = np.logical_or.reduceat(np.logical_or.reduce(strip, axis=0), starts)
    return (cells_a, cells_b) if cells_a.any() and cells_b.any() else None


def _pair(found: _Found | None, shape: tuple[int, int]) -> NearestPair | None:
    if found is None:
        return None
    (row_a, col_a), (row_b, col_b) = divmod(found[1], shape[1]), divmod(found[2], shape[1])
    return NearestPair((row_a, col_a), (row_b, col_b), found[0])


def _met(a: np.ndarray, b: np.ndarray, overlap: bool) -> Iterator[np.ndarray]:
    """Yield, strip by strip, which pixels of `b` the dilated `a` meets."""
    for top in range(0, a.shape[0], _CELL):
        here = b[top : top + _CELL]
        tall = a[top : top + _CELL].copy()
        above, below = a[max(top - 1, 0) : top + len(tall) - 1], a[top + 1 : top + len(tall) + 1]
        tall[len(tall) - len(above) :] |= above
        tall[: len(below)] |= below
        met = tall.copy()
        met[:, 1:] |= tall[:, :-1]
        met[:, :-1] |= tall[:, 1:]
        met &= here
        yield met if overlap else met & ~a[top : top + _CELL]


# -------------------------------------------------------------------------------------------- cells, tiles, edge pixels


def _tiles(bounds: np.ndarray) -> Iterator[tuple[slice, slice, float]]:
    """Yield the tiles of a table of cells that hold a finite value: two slices and the least value, least first."""
    starts = [np.arange(0, n, _TILE) for n in bounds.shape]
    least = np.minimum.reduceat(np.minimum.reduceat(bounds, starts[0], axis=0), starts[1], axis=1)
    for flat in np.argsort(least, axis=None, kind="stable"):
        i, j = divmod(int(flat), least.shape[1])
        if np.isfinite(least[i, j]):
            yield slice(i * _TILE, (i + 1) * _TILE), slice(j * _TILE, (j + 1) * _TILE), float(least[i, j])


def _grow(cells: slice, margin: int) -> slice:
    return slice(max(cells.start - margin, 0), cells.stop + margin)


def _edge_pixels(
    mask: np.ndarray, bounds: np.ndarray, window: tuple[slice, slice], limit: float, *, wide: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns, in row order, of the mask's edge pixels in the window's cells whose bound is within the limit.

    An edge pixel has a neighbour (of four) outside the mask: a pixel whose neighbours are all in the mask is never
    closest, for the next one on the way is closer. `wide` asks eight neighbours and takes the image's rim too, for
    grids whose axes are not quite at right angles, or which go round the globe.
    """
    height, width = mask.shape
    rows, cols = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    wanted = bounds[window] <= limit
    for i in np.flatnonzero(wanted.any(axis=1)):
        cells = np.flatnonzero(wanted[i])
        left, top = (window[1].start + int(cells[0])) * _CELL, (window[0].start + int(i)) * _CELL
        strip = mask[top : top + _CELL, left : (window[1].start + int(cells[-1]) + 1) * _CELL]
        if len(cells) <= cells[-1] - cells[0]:
            strip = strip & np.repeat(wanted[i, cells[0] : cells[-1] + 1], _CELL)[: strip.shape[1]]
        row, col = np.divmod(np.flatnonzero(strip), strip.shape[1])
        row, col = row + top, col + left
        up, down = np.maximum(row - 1, 0), np.minimum(row + 1, height - 1)
        before, after = np.maximum(col - 1, 0), np.minimum(col + 1, width - 1)
        inner = mask[up, col] & mask[down, col] & mask[row, before] & mask[row, after]
        if wide:
            inner &= mask[up, before] & mask[up, after] & mask[down, before] & mask[down, after]
            inner &= (row > 0) & (row < height - 1) & (col > 0) & (col < width - 1)
        rows.append(row[~inner])
        cols.append(col[~inner])
    return np.concatenate(rows), np.concatenate(cols)


# --------------------------------------------------------------------------------------------------------- on the plane


def _beside(a: np.ndarray, b: np.ndarray, cells: np.ndarray, spacing: tuple[float, float]) -> _Found | None:
    """The closest pair at most two pixels apart on either axis, if closer than any pair that is further apart."""
    reach = range(-2, 3)
    offsets = sorted((_length(dr, dc, spacing), dr, dc) for dr in reach for dc in reach if dr or dc)
    offsets = [offset for offset in offsets if offset[0] < 3 * min(spacing)]
    for distance in sorted({offset[0] for offset in offsets}):
        shifts = [(dr, dc) for length, dr, dc in offsets if length == distance]
        for i in np.flatnonzero(cells.any(axis=1)):
            span = np.flatnonzero(cells[i])
            left, right = int(span[0]) * _CELL, min((int(span[-1]) + 1) * _CELL, a.shape[1])
            found = [_at_offset(a, b, (int(i) * _CELL, left, right), *shift) for shift in shifts]
            found = [(distance, *pair) for pair in found if pair is not None]
            if found:
                return min(found)
    return None


def _at_offset(a: np.ndarray, b: np.ndarray, strip: tuple[int, int, int], dr: int, dc: int) -> tuple[int, int] | None:
    """Flat indices of the first pixel of `a` in a strip (top, left, right) one cell high, and of `b` at that offset."""
    height, width = a.shape
    top, bottom = max(strip[0], -dr), min(strip[0] + _CELL, height, height - dr)
    left, right = max(strip[1], -dc), min(strip[2], width - dc)
    if top >= bottom or left >= right:
        return None
    both = a[top:bottom, left:right] & b[top + dr : bottom + dr, left + dc : right + dc]
    if not both.any():
        return None
    row, col = divmod(int(both.argmax()), right - left)
    first = (top + row) * width + left + col
    return first, first + dr * width + dc


def _length(dr: int, dc: int, spacing: tuple[float, float]) -> float:
    """Length of an offset in pixels: the very operations of a distance transform, to give the very same number."""
    down, across = dr * spacing[0], dc * spacing[1]
    return math.sqrt(down * down + across * across)


def _distances(
    near_a: tuple[np.ndarray, np.ndarray],
    near_b: tuple[np.ndarray, np.ndarray],
    b: np.ndarray,
    limit: float,
    spacing: tuple[float, float],
) -> np.ndarray:
    """Distance from each pixel of `a` in question to the nearest of `b`; infinite (or longer) beyond the limit."""
    from scipy.ndimage import distance_transform_edt
    from scipy.spatial import cKDTree

    low = [min(int(one.min()), int(two.min())) for one, two in zip(near_a, near_b, strict=True)]
    high = [max(int(one.max()), int(two.max())) + 1 for one, two in zip(near_a, near_b, strict=True)]
    area = (high[0] - low[0]) * (high[1] - low[1])
    if len(near_a[0]) + len(near_b[0]) > area / 6 and area <= _WINDOW:  # a tree of so many points would be slower
        far = distance_transform_edt(~b[low[0] : high[0], low[1] : high[1]], sampling=spacing)
        return far[near_a[0] - low[0], near_a[1] - low[1]]
    points = [
        np.stack([(axis - start) * step for axis, start, step in zip(near, low, spacing, strict=True)], axis=1)
        for near in (near_a, near_b)
    ]
    tree = cKDTree(points[1], balanced_tree=False, compact_nodes=False)
    return tree.query(points[0], distance_upper_bound=limit * (1 + 2 * _SLACK))[0]


def _first_at(
    rows: np.ndarray, cols: np.ndarray, b: np.ndarray, distance: float, spacing: tuple[float, float]
) -> _Found:
    """Of the given pixels of `a`, in row order, each with one of `b` about so far away: the first of the closest."""
    dy, dx = spacing
    low, high = distance * (1 - _SLACK), distance * (1 + _SLACK)
    downs = np.arange(math.floor(high / dy) + 1)
    rest = (downs * dy) ** 2
    least = np.ceil(np.sqrt(np.maximum(low * low - rest, 0)) / dx).astype(int)
    most = np.floor(np.sqrt(np.maximum(high * high - rest, 0)) / dx).astype(int)
    found: list[_Found] = []
    for down in np.flatnonzero(most >= least):
        for across in range(least[down], most[down] + 1):
            for dr in {int(down), -int(down)}:
                for dc in {across, -across}:
                    row, col = rows + dr, cols + dc
                    valid = (row >= 0) & (row < b.shape[0]) & (col >= 0) & (col < b.shape[1])
                    valid[valid] = b[row[valid], col[valid]]
                    if valid.any():
                        k = int(valid.argmax())
                        first = int(rows[k]) * b.shape[1] + int(cols[k])
                        found.append((_length(dr, dc, spacing), first, first + dr * b.shape[1] + dc))
    return min(found)
