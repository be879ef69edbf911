"""The smallest distance between two masks along the Earth, for grids whose scale changes from place to place.

As `nearest`, by cells and tiles, but on geocentric positions: pixels are compared by their chords, and pyproj's
geodesic decides among those that could be the closest.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from terrascope_nb.errors import InvalidInput
from terrascope_nb.geo import nearest
from terrascope_nb.geo.nearest import NearestPair, _check, _edge_pixels, _Found, _pair, _scan, _tiles

_SMALL = 1 << 18  # pixels of a grid small enough to locate every edge pixel on the Earth
_SAME = 1e-6  # metres: geodesics that differ by less are equal (pyproj is good to some 1e-8 m)
_A, _F = 6378137.0, 1 / 298.257223563  # WGS84: semi-major axis in metres, flattening
_R_MIN, _R_MAX = _A * (1 - _F) ** 2, _A / (1 - _F)  # metres: least and greatest radius of curvature, b²/a and a²/b
_HALF_MERIDIAN = 20_003_932.0  # metres: no two points of the ellipsoid are further apart along it
Positions = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def nearest_pair_on_earth(a: np.ndarray, b: np.ndarray, positions: Positions) -> NearestPair | None:
    """Find the two pixels of two masks that are closest along the WGS84 ellipsoid.

    For grids whose scale changes from place to place (web Mercator, degrees, wide UTM grids) and grids that cross the
    antimeridian. Pixels are compared by the straight line between them, through the Earth: with r and R the least and
    greatest radius of curvature, b²/a and a²/b, a geodesic of length s has a chord of 2r·sin(s/2r) to 2R·sin(s/2R).
    (Sturm's comparison on the square of the chord, whose second derivative Blaschke's rolling theorem bounds.) So each
    pair that could be the closest is found by its chord, and pyproj's geodesic decides among those.

    Parameters
    ----------
    a, b : ndarray of bool, shape (H, W)
        The masks.
    positions : callable
        ``positions(rows, cols) -> (lon, lat)``: the centres of pixels, given as two integer arrays of shape (n,), in
        degrees on WGS84. Longitudes may be on either side of ±180°. Must be continuous *on the globe*, its rows and
        columns must meet nearly at right angles, and on grids of more than 2¹⁸ pixels the scale must change smoothly
        over 32 pixels: true of map projections.

    Returns
    -------
    NearestPair or None
        Distance in metres; None where either mask is empty. Pairs within a micrometre count as equally close, and the
        first of them in row order of `a`, then of `b`, is given.

    Raises
    ------
    InvalidInput
        As for `nearest_pair`; or `positions` gives other than one finite (lon, lat), |lat| ≤ 90°, a pixel.

    Examples
    --------
    >>> fiji, samoa = np.zeros((2, 1, 360), dtype=bool)
    >>> fiji[0, 359], samoa[0, 0] = True, True          # centres at 179.5° E and 179.5° W, on the equator
    >>> round(nearest_pair_on_earth(fiji, samoa, lambda row, col: (col - 179.5, row * 0.0)).distance)
    111319
    """
    _check(a, b)
    scan = _scan(a, b)
    if not isinstance(scan, tuple):
        return scan
    cells_a, cells_b = (np.where(cells, 0.0, np.inf) for cells in scan)
    everywhere = (slice(0, cells_a.shape[0]), slice(0, cells_a.shape[1]))
    if a.size <= _SMALL:
        pixels = [_edge_pixels(mask, cells, everywhere, 0.0, wide=True) for mask, cells in ((a, cells_a), (b, cells_b))]
        return _pair(_closest_on_earth(*pixels, positions, a.shape, None, _HALF_MERIDIAN)[0], a.shape)

    from scipy.spatial import cKDTree

    at_a, at_b = np.argwhere(scan[0]), np.argwhere(scan[1])
    (mid_a, round_a, step_a), (mid_b, round_b, _) = (_cell_bounds(at, a.shape, positions) for at in (at_a, at_b))
    tree, most = cKDTree(mid_b), float(round_b.max())
    gap, closest = tree.query(mid_a)
    limit = _longest(float((gap + round_a + round_b[closest]).min()))  # metres along the ellipsoid
    cells_a[tuple(at_a.T)] = np.maximum(gap - round_a - most, step_a)  # a pair is at least a pixel's step apart
    number = np.full(cells_a.shape, -1)
    number[tuple(at_a.T)] = np.arange(len(at_a))

    best: _Found | None = None
    for rows, cols, bound in _tiles(cells_a):
        reach = _chord(limit)
        if bound > reach:
            break
        inside = number[rows, cols][cells_a[rows, cols] <= reach]
        middle = mid_a[inside].mean(axis=0)
        extent = float((np.linalg.norm(mid_a[inside] - middle, axis=1) + round_a[inside]).max())
        around = np.sort(np.asarray(tree.query_ball_point(middle, reach + extent + most), dtype=int))
        if not len(around):
            continue
        apart = cKDTree(mid_a[inside]).query(mid_b[around])[0]
        around = around[apart <= reach + round_b[around] + round_a[inside].max()]
        window = np.full(cells_b.shape, np.inf)
        window[tuple(at_b[around].T)] = 0.0
        near_a = _edge_pixels(a, cells_a, (rows, cols), reach, wide=True)
        near_b = _edge_pixels(b, window, everywhere, 0.0, wide=True)
        best, limit = _closest_on_earth(near_a, near_b, positions, a.shape, best, limit)
    return _pair(best, a.shape)


def _chord(geodesic: float) -> float:
    """The longest chord, in metres, of a geodesic no longer than this, with room for pairs that are equally close."""
    return 2 * _R_MAX * math.sin(min((geodesic + _SAME) / (2 * _R_MAX), math.pi / 2)) + _SAME


def _longest(chord: float) -> float:
    """The longest geodesic, in metres, that such a chord can have (proven while the arc is under half a circle)."""
    return 2 * _R_MIN * math.asin(chord / (2 * _R_MIN)) if chord < 1.2e7 else _HALF_MERIDIAN


def _locate(rows: np.ndarray, cols: np.ndarray, positions: Positions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Longitude, latitude (degrees, shape (n,)) and geocentric x, y, z (metres, shape (n, 3)) of pixel centres."""
    lon, lat = (np.asarray(axis, dtype=np.float64) for axis in positions(rows, cols))
    if lon.shape != rows.shape or lat.shape != rows.shape:
        raise InvalidInput(
            f"positions gave {lon.shape} longitudes and {lat.shape} latitudes for {rows.shape} pixels; "
            "it must take two arrays (rows, cols) and give two of the same shape (lon, lat)"
        )
    wrong = ~(np.isfinite(lon) & (np.abs(lat) <= 90))
    if wrong.any():
        k = int(wrong.argmax())
        raise InvalidInput(
            f"positions puts pixel (row {rows[k]}, column {cols[k]}) at longitude {lon[k]}, latitude "
            f"{lat[k]}: not a place on the Earth; check the CRS, the transform and the order (lon, lat)"
        )
    lam, phi = np.radians(lon), np.radians(lat)
    normal = _A / np.sqrt(1 - _F * (2 - _F) * np.sin(phi) ** 2)
    across, up = normal * np.cos(phi), (1 - _F) ** 2 * normal * np.sin(phi)
    return lon, lat, np.stack([across * np.cos(lam), across * np.sin(lam), up], axis=1)


def _cell_bounds(
    at: np.ndarray, shape: tuple[int, int], positions: Positions
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middle (n, 3), radius (n,) and a lower bound of the distance to any other pixel (n,), in metres, of cells (n, 2).

    From the corners, the middle and their neighbours, with a margin: a twentieth on the radius, and on the step as much
    as it differs within the cell.
    """
    top, left = (at * nearest._CELL).T
    bottom, right = np.minimum(top + nearest._CELL, shape[0]) - 1, np.minimum(left + nearest._CELL, shape[1]) - 1
    middle = _locate((top + bottom) // 2, (left + right) // 2, positions)[2]
    radius, steps = np.zeros(len(at)), []
    for row, col in ((top, left), (top, right), (bottom, left), (bottom, right)):
        here = _locate(row, col, positions)[2]
        radius = np.maximum(radius, np.linalg.norm(here - middle, axis=1))
        down = np.clip(np.where(row == top, row + 1, row - 1), 0, shape[0] - 1)
        across = np.clip(np.where(col == left, col + 1, col - 1), 0, shape[1] - 1)
        steps.append(
            [
                np.linalg.norm(_locate(*other, positions)[2] - here, axis=1)
                for other in ((down, col), (row, across), (down, across))
            ]
        )
    least, most = np.min(steps, axis=0), np.max(steps, axis=0)  # of the corners, for each direction: shape (3, n)
    rim = (top == 0) | (left == 0) | (bottom == shape[0] - 1) | (right == shape[1] - 1)  # may meet the far side
    return middle, radius * 1.05, np.where(rim, 0.0, (2 * least - most).min(axis=0))


def _closest_on_earth(
    near_a: tuple[np.ndarray, np.ndarray],
    near_b: tuple[np.ndarray, np.ndarray],
    positions: Positions,
    shape: tuple[int, int],
    best: _Found | None,
    limit: float,
) -> tuple[_Found | None, float]:
    """The better of `best` and the closest pair of these pixels within the limit (geodesic metres); the new limit."""
    from pyproj import Geod
    from scipy.spatial import cKDTree

    if not len(near_a[0]) or not len(near_b[0]):
        return best, limit
    geod = Geod(a=_A, f=_F)
    lon_a, lat_a, xyz_a = _locate(*near_a, positions)
    lon_b, lat_b, xyz_b = _locate(*near_b, positions)
    tree = cKDTree(xyz_b, balanced_tree=False, compact_nodes=False)
    chord, closest = tree.query(xyz_a, distance_upper_bound=_chord(limit) * (1 + 1e-12))
    k = int(chord.argmin())
    if not np.isfinite(chord[k]):
        return best, limit
    j = int(closest[k])
    limit = min(limit, float(geod.inv(lon_a[k], lat_a[k], lon_b[j], lat_b[j])[2]))
    pairs: list[np.ndarray] = []
    close = np.flatnonzero(chord <= _chord(limit))
    for part in np.array_split(close, len(close) // 10_000 + 1):
        lists = tree.query_ball_point(xyz_a[part], _chord(limit))
        one = np.repeat(part, [len(some) for some in lists])
        two = np.concatenate([np.asarray(some, dtype=int) for some in lists])
        metres = geod.inv(lon_a[one], lat_a[one], lon_b[two], lat_b[two])[2]
        keep = metres <= limit + _SAME
        limit = min(limit, float(metres.min()))
        pairs.append(np.stack([metres, one, two], axis=1)[keep])
    metres, one, two = np.concatenate(pairs).T
    same = metres <= limit + _SAME
    first, second = (
        near[0][index.astype(int)] * shape[1] + near[1][index.astype(int)]
        for near, index in ((near_a, one[same]), (near_b, two[same]))
    )
    found = [(float(metres[same][k]), int(first[k]), int(second[k])) for k in np.lexsort((second, first))[:1]]
    if best is not None and best[0] <= limit + _SAME:
        found.append(best)
    return min(found, key=lambda pair: pair[1:], default=best), limit
