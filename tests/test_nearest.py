"""The smallest distance between masks, held against distance transforms and exhaustive geodesics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyproj import Geod, Transformer
from scipy.ndimage import binary_dilation, distance_transform_edt

from terrascope_nb.errors import InvalidInput
from terrascope_nb.geo import nearest, nearest_on_earth
from terrascope_nb.geo.nearest import NearestPair, nearest_pair, touches, touching_pixels
from terrascope_nb.geo.nearest_on_earth import nearest_pair_on_earth

GEOD = Geod(ellps="WGS84")


def every_pair(a, b, spacing):
    """The answer by trying all pairs: least distance, then row order of a, then of b."""
    rows_a, rows_b = np.argwhere(a), np.argwhere(b)
    if not len(rows_a) or not len(rows_b):
        return None
    offset = (rows_a[:, None] - rows_b[None]) * np.asarray(spacing)
    distance = np.sqrt((offset * offset).sum(axis=-1))
    i, j = divmod(int(distance.argmin()), len(rows_b))
    return NearestPair(tuple(map(int, rows_a[i])), tuple(map(int, rows_b[j])), float(distance[i, j]))


def on_earth(a, b, positions):
    """The least geodesic in metres by trying all pairs, and that of each pair as a table."""
    (lon_a, lat_a), (lon_b, lat_b) = positions(*np.nonzero(a)), positions(*np.nonzero(b))
    table = [
        np.broadcast_to(axis, (len(lon_a), len(lon_b))).ravel()
        for axis in (lon_a[:, None], lat_a[:, None], lon_b[None], lat_b[None])
    ]
    return float(GEOD.inv(*table)[2].min())


def between(pair, positions):
    lon, lat = positions(np.array([pair.a[0], pair.b[0]]), np.array([pair.a[1], pair.b[1]]))
    return GEOD.inv(lon[0], lat[0], lon[1], lat[1])[2]


def specks(rng, shape, n):
    mask = np.zeros(shape, dtype=bool)
    mask.ravel()[rng.choice(mask.size, size=n, replace=False)] = True
    return mask


def disc(shape, centre, radius):
    row, col = np.ogrid[: shape[0], : shape[1]]
    return (row - centre[0]) ** 2 + (col - centre[1]) ** 2 <= radius**2


SPACINGS = st.sampled_from([(1.0, 1.0), (10.0, 10.0), (1.0, 3.0), (7.5, 0.4), (0.1, 0.3), (0.3, 100.0), (2, 1)])


@st.composite
def two_masks(draw, largest=12):
    shape = draw(st.tuples(st.integers(1, largest), st.integers(1, largest)))
    labels = draw(arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 0, 1, 2, 3]) | st.integers(0, 3)))
    apart = draw(st.booleans())
    return (labels == 1) | ((labels == 3) & (not apart)), (labels == 2) | ((labels == 3) & (not apart))


# ------------------------------------------------------------------------------------------------- on the plane


@settings(max_examples=300, deadline=None)
@given(two_masks(), SPACINGS)
def test_the_pair_is_the_one_found_by_trying_all(masks, spacing):
    assert nearest_pair(*masks, spacing) == every_pair(*masks, spacing)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(1, 300), st.integers(1, 40), SPACINGS)
def test_across_many_cells_and_tiles(seed, height, width, n, spacing):
    rng = np.random.default_rng(seed)
    a, b = (specks(rng, (height, width * 5), min(n, height * width)) for _ in range(2))
    assert nearest_pair(a, b, spacing) == every_pair(a, b, spacing)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (10.0, 20.0), (0.3, 0.1), (1.0, 50.0), (60.0, 0.7)])
@pytest.mark.parametrize("period, width", [(12, 3), (17, 6), (80, 33), (150, 60)])
def test_crowded_masks_that_never_come_close(spacing, period, width):
    """Bands of noise in turn: no cell can be ruled out, and trees would hold a large part of the image."""
    rng = np.random.default_rng(period)
    noise, phase = rng.random((700, 650)) < 0.6, (np.arange(650) + np.arange(700)[:, None] // 9) % period
    a, b = noise & (phase < width), noise & (phase >= period // 2) & (phase < period // 2 + width)
    found, far = nearest_pair(a, b, spacing), distance_transform_edt(~b, sampling=spacing)
    assert found.distance == pytest.approx(far[a].min(), rel=1e-15)
    first = np.flatnonzero(a & (far <= found.distance * (1 + 1e-15)))[0]
    assert found.a == divmod(int(first), 650) and b[found.b] and not b[found.a]


def test_diagonal_offsets_of_a_lattice():
    """One in nine pixels each, always (1, 2) and (2, 1) apart: the first pixel in row order is given."""
    a, b = np.zeros((2, 400, 400), dtype=bool)
    a[1::3, ::3], b[::3, 1::3] = True, True
    assert nearest_pair(a, b) == every_pair(a[:40, :40], b[:40, :40], (1, 1))
    a[1::3, ::3], b[3::9, 4::9] = False, True
    a[8::9, 8::9] = True
    b &= False
    b[3::9, 4::9] = True
    assert nearest_pair(a, b) == every_pair(a[:60, :60], b[:60, :60], (1, 1))


def test_two_lakes():
    shape = (900, 1300)
    a, b = disc(shape, (300, 300), 170), disc(shape, (610, 900), 140)
    found = nearest_pair(a, b, (10.0, 10.0))
    assert found.distance == distance_transform_edt(~b, sampling=(10, 10))[a].min()
    assert a[found.a] and b[found.b]
    assert nearest_pair(b, a, (10.0, 10.0)).distance == found.distance


def test_opposite_corners():
    a, b = np.zeros((2, 700, 900), dtype=bool)
    a[0, 0] = b[-1, -1] = True
    assert nearest_pair(a, b, (3.0, 4.0)) == NearestPair((0, 0), (699, 899), math.hypot(3 * 699, 4 * 899))


def test_half_and_half_noise_is_one_pixel_apart():
    a = np.random.default_rng(3).random((300, 400)) < 0.5
    assert nearest_pair(a, ~a, (20.0, 10.0)) == every_pair(a[:2], ~a[:2], (20.0, 10.0))


def test_an_overlap_is_zero_at_its_first_pixel():
    a, b = disc((200, 200), (80, 80), 50), disc((200, 200), (120, 130), 50)
    row, col = np.argwhere(a & b)[0]
    assert nearest_pair(a, b) == NearestPair((row, col), (row, col), 0.0)


@pytest.mark.parametrize("shape", [(5, 7), (100, 90), (0, 0), (0, 4), (4, 0)])
def test_an_empty_mask_has_no_nearest_pixel(shape):
    empty, full = np.zeros(shape, dtype=bool), np.ones(shape, dtype=bool)
    for a, b in ((empty, full), (full, empty), (empty, empty)):
        assert nearest_pair(a, b) is None
        assert nearest_pair_on_earth(a, b, lambda row, col: (col * 1.0, row * 1.0)) is None
        assert not touches(a, b) and touching_pixels(a, b) == 0


@pytest.mark.parametrize("one, two", [((0, 0), (0, 1)), ((31, 31), (32, 32)), ((5, 63), (90, 64)), ((99, 0), (0, 79))])
def test_single_pixels(one, two):
    a, b = np.zeros((2, 100, 80), dtype=bool)
    a[one], b[two] = True, True
    expected = math.hypot((one[0] - two[0]) * 2.0, (one[1] - two[1]) * 3.0)
    assert nearest_pair(a, b, (2.0, 3.0)) == NearestPair(one, two, pytest.approx(expected, rel=1e-15))


@pytest.mark.parametrize("view", [lambda m: m[::-1, ::-1], lambda m: m.T, lambda m: m[3::2, ::3], np.asfortranarray])
def test_views_with_any_strides(view):
    rng = np.random.default_rng(8)
    a, b = (view(specks(rng, (240, 330), 40)) for _ in range(2))
    copies = np.ascontiguousarray(a), np.ascontiguousarray(b)
    assert nearest_pair(a, b, (1.0, 2.0)) == nearest_pair(*copies, (1.0, 2.0)) == every_pair(*copies, (1.0, 2.0))
    assert touching_pixels(a, b) == touching_pixels(*copies)


def test_masks_are_left_as_they_were():
    rng = np.random.default_rng(5)
    a, b = (specks(rng, (90, 90), 200) for _ in range(2))
    a.flags.writeable = b.flags.writeable = False
    before = a.copy(), b.copy()
    nearest_pair(a, b), touching_pixels(a, b), nearest_pair_on_earth(a, b, lambda r, c: (c * 0.1, r * 0.1))
    assert (a == before[0]).all() and (b == before[1]).all()


# ------------------------------------------------------------------------------------------------- refusals

REFUSERS = [nearest_pair, touches, touching_pixels, lambda a, b: nearest_pair_on_earth(a, b, lambda r, c: (c, r))]


@pytest.mark.parametrize("measure", REFUSERS)
def test_what_is_not_a_mask_is_refused(measure):
    good = np.ones((4, 5), dtype=bool)
    with pytest.raises(InvalidInput, match=r"mask a is an array of uint8, shape \(4, 5\).*labels == 6"):
        measure(good.astype(np.uint8), good)
    with pytest.raises(InvalidInput, match="mask b is a list"):
        measure(good, good.tolist())
    with pytest.raises(InvalidInput, match=r"mask b is an array of bool, shape \(1, 4, 5\)"):
        measure(good, good[None])


@pytest.mark.parametrize("measure", REFUSERS)
def test_two_shapes_are_refused_and_both_named(measure):
    with pytest.raises(InvalidInput, match=r"a is \(4, 5\), b is \(5, 4\)"):
        measure(np.ones((4, 5), dtype=bool), np.ones((5, 4), dtype=bool))


@pytest.mark.parametrize("spacing", [(0, 1), (1, -1), (np.nan, 1), (np.inf, 1), (1,), 3, None, ("wide", 1)])
def test_a_spacing_that_is_none_is_refused(spacing):
    mask = np.ones((2, 2), dtype=bool)
    with pytest.raises(InvalidInput, match="spacing is .*pixel height"):
        nearest_pair(mask, mask, spacing)


def test_positions_off_the_earth_are_refused():
    a, b = np.eye(2, dtype=bool), ~np.eye(2, dtype=bool)
    with pytest.raises(InvalidInput, match=r"pixel \(row 1, column 1\) at longitude 1.0, latitude 91.0"):
        nearest_pair_on_earth(a, b, lambda r, c: (c * 1.0, r + 90.0))
    with pytest.raises(InvalidInput, match=r"positions gave \(3,\) longitudes and \(2,\) latitudes for \(2,\) pixels"):
        nearest_pair_on_earth(a, b, lambda r, c: (np.zeros(3), r * 1.0))


# ------------------------------------------------------------------------------------------------- touching


@settings(max_examples=150, deadline=None)
@given(two_masks(largest=40))
def test_touching_is_dilation_by_three_by_three(masks):
    a, b = masks
    grown = binary_dilation(a, np.ones((3, 3)))
    assert touching_pixels(a, b) == np.count_nonzero(grown & b)
    assert touching_pixels(a, b, overlap=False) == np.count_nonzero(grown & b & ~a)
    assert touches(a, b) == touches(b, a) == bool((grown & b).any())


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (32, 33), (33, 32), (64, 5), (97, 131)])
def test_touching_across_strips(shape):
    a, b = (np.random.default_rng(seed).random(shape) < 0.3 for seed in (1, 2))
    assert touching_pixels(a, b) == np.count_nonzero(binary_dilation(a, np.ones((3, 3))) & b)


# ------------------------------------------------------------------------------------------------- on the Earth


def mercator(row, col, size=10.0, x=1_620_000.0, y=5_780_000.0):
    """EPSG:3857 about 46° N, 14.5° E."""
    to_degrees = Transformer.from_crs("EPSG:3857", "EPSG:4326", always_xy=True)
    return to_degrees.transform(x + (col + 0.5) * size, y - (row + 0.5) * size)


def utm(row, col):
    to_degrees = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    return to_degrees.transform(300_000 + (col + 0.5) * 10.0, 5_100_000 - (row + 0.5) * 10.0)


def degrees_north(row, col):
    return 25.0 + (col + 0.5) * 0.01, 70.0 - (row + 0.5) * 0.01


def across_the_antimeridian(row, col):
    return (179.8 + (col + 0.5) * 0.01 + 180.0) % 360.0 - 180.0, -17.0 - (row + 0.5) * 0.01


def to_the_pole(row, col):
    return -180.0 + (col + 0.5) * 6.0, 90.0 - (row + 0.5) * 2.0


def coarse_mercator(row, col):
    return mercator(row, col, size=40_000.0, x=-1_200_000.0, y=19_000_000.0)


PLACES = [mercator, utm, degrees_north, across_the_antimeridian, to_the_pole, coarse_mercator]


@pytest.mark.parametrize("positions", PLACES)
@pytest.mark.parametrize("n", [1, 3, 25, 300])
@pytest.mark.parametrize("coarse", [False, True])
def test_the_geodesic_is_the_least_of_all(positions, n, coarse, monkeypatch):
    """Both ways, with and without cells ruled out first; the grid is small, so the second is asked for."""
    if coarse:
        monkeypatch.setattr(nearest_on_earth, "_SMALL", 0)
        monkeypatch.setattr(nearest, "_CELL", 4)
    rng = np.random.default_rng(n)
    both = specks(rng, (60, 60), 2 * n)
    a = both & (rng.random(both.shape) < 0.5)
    a[tuple(np.argwhere(both)[0])] = True
    b = both & ~a
    if not b.any():
        b[59, 59] = True
    found = nearest_pair_on_earth(a, b, positions)
    assert a[found.a] and b[found.b]
    assert found.distance == pytest.approx(on_earth(a, b, positions), abs=2e-6)
    assert found.distance == pytest.approx(between(found, positions), abs=1e-9)


@pytest.mark.parametrize("positions", [mercator, degrees_north, across_the_antimeridian])
@pytest.mark.parametrize("coarse", [False, True])
def test_shores_and_noise_on_the_earth(positions, coarse, monkeypatch):
    if coarse:
        monkeypatch.setattr(nearest_on_earth, "_SMALL", 0)
        monkeypatch.setattr(nearest, "_CELL", 8)
    a, b = disc((50, 50), (14, 13), 9), disc((50, 50), (33, 38), 8)
    noise = np.random.default_rng(1).random((50, 50)) < 0.5
    for one, two in ((a, b), (noise, ~noise), (a & noise, b)):
        found = nearest_pair_on_earth(one, two, positions)
        assert found.distance == pytest.approx(on_earth(one, two, positions), abs=2e-6)


def test_web_mercator_metres_are_not_ground_metres():
    a, b = np.zeros((2, 40, 40), dtype=bool)
    a[10, 5] = b[10, 35] = True
    flat, ground = nearest_pair(a, b, (10.0, 10.0)).distance, nearest_pair_on_earth(a, b, mercator).distance
    assert flat == 300.0
    assert ground == pytest.approx(300.0 * math.cos(math.radians(46.04)), rel=0.005)


def test_the_shorter_way_goes_round_the_rim():
    """A mask that is one block to the right of a global grid is nearest across ±180°, not across the map."""
    a, b = np.zeros((2, 30, 60), dtype=bool)
    a[10:14, :4], b[10:14, 57:], b[10:14, 12:16] = True, True, True
    found = nearest_pair_on_earth(a, b, lambda row, col: (-180 + (col + 0.5) * 6.0, 90.0 - (row + 0.5) * 6.0))
    assert found.a[1] == 0 and found.b[1] == 59


def test_pairs_within_a_micrometre_go_by_row_order():
    """Five gaps alike but for rounding, north and south of the equator."""
    a, b = np.zeros((2, 30, 60), dtype=bool)
    a[[4, 4, 4, 25, 25], [3, 20, 50, 7, 30]] = True
    b[[6, 6, 6, 23, 23], [3, 20, 50, 7, 30]] = True
    found = nearest_pair_on_earth(a, b, lambda row, col: (col * 0.5, 30.5 * 0.1 - (row + 1) * 0.1 - 1.5))
    assert (found.a, found.b) == ((4, 3), (6, 3))


def test_a_large_grid_is_measured_through_its_cells():
    """A 1200 × 1200 web-Mercator grid: the northern of two equal gaps in pixels is the shorter one on the ground."""
    a, b = np.zeros((2, 1200, 1200), dtype=bool)
    a[100:110, 100:300], b[100:110, 340:600] = True, True
    a[1100:1110, 100:300], b[1100:1110, 340:600] = True, True
    found = nearest_pair_on_earth(a, b, mercator)
    assert (found.a, found.b) == ((100, 299), (100, 340))
    assert found.distance == pytest.approx(between(found, mercator), abs=1e-9)
