"""Grid: pixel and ground, true sizes against geodesic ones, and which pixels an AOI holds."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyproj import CRS, Geod
from rasterio.features import geometry_mask

from terrascope_nb.errors import InvalidInput, NoCRS
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid, utm_crs
from terrascope_nb.testing.strategies import boxes, grids, masks, turned

GEOD = Geod(ellps="WGS84")
UTM = Grid(Affine(10, 0, 500_000, 0, -10, 5_100_000), (30, 40), 32633)


def geodesic_area(grid, row, col, points=8):
    """m² of a pixel by its outline on the ellipsoid, its edges split so that they bend as the CRS has them."""
    side = np.linspace(0, 1, points, endpoint=False)
    ring_c = np.concatenate([side, np.ones(points), 1 - side, np.zeros(points)]) + col - 0.5
    ring_r = np.concatenate([np.zeros(points), side, np.ones(points), 1 - side]) + row - 0.5
    lon, lat = grid.lonlat(ring_r, ring_c)
    return abs(GEOD.polygon_area_perimeter(lon, lat)[0])


# ---- pixel and ground --------------------------------------------------------------------------------------------


@given(grids(rotated=True), st.data())
def test_rowcol_is_the_inverse_of_xy(grid, data):
    rows = np.array(data.draw(st.lists(st.integers(-5, 60), min_size=1, max_size=5)))
    cols = np.array(data.draw(st.lists(st.integers(-5, 60), min_size=rows.size, max_size=rows.size)))
    back = grid.rowcol(*grid.xy(rows, cols))
    assert np.array_equal(back[0], rows)
    assert np.array_equal(back[1], cols)
    off = data.draw(st.floats(-0.49, 0.49)), data.draw(st.floats(-0.49, 0.49))
    near = grid.rowcol(*grid.xy(rows + off[0], cols + off[1]))
    assert np.array_equal(near[0], rows)
    assert np.array_equal(near[1], cols)


def test_xy_is_the_pixels_centre():
    assert UTM.xy(0, 0) == (500_005, 5_099_995)
    assert UTM.rowcol(500_000, 5_100_000) == (0, 0)
    assert UTM.rowcol(500_010, 5_099_990) == (1, 1)
    assert UTM.bounds == (500_000, 5_099_700, 500_400, 5_100_000)


@given(grids(rotated=True))
def test_bounds_hold_every_pixel(grid):
    rows, cols = np.indices(grid.shape)
    x, y = grid.xy(rows, cols)
    left, bottom, right, top = grid.bounds
    assert left < x.min()
    assert x.max() < right
    assert bottom < y.min()
    assert y.max() < top


@given(grids(), st.data())
def test_a_window_lies_where_its_pixels_do(grid, data):
    top, left = data.draw(st.integers(0, grid.height - 1)), data.draw(st.integers(0, grid.width - 1))
    part = grid.window(slice(top, None), slice(left, grid.width))
    assert part.shape == (grid.height - top, grid.width - left)
    assert part.xy(0, 0) == pytest.approx(grid.xy(top, left), rel=1e-14)
    assert grid.window(slice(None), slice(None)) == grid


def test_coordinates_are_pixel_centres():
    coords = UTM.coords()
    assert (coords["x"][0], coords["y"][0], coords["x"].size, coords["y"].size) == (500_005, 5_099_995, 40, 30)
    with pytest.raises(InvalidInput, match="rotated.*reproject"):
        Grid(turned(500_000, 5_100_000, 10, 10, 5), (3, 3), 32633).coords()


@given(grids(codes=(32633, 3857, 4326, 5041)))
def test_a_grid_goes_through_xarray_and_back(grid):
    import rioxarray  # noqa: F401
    import xarray as xr

    assume(min(grid.shape) > 1)  # one coordinate alone does not tell a pixel's size
    array = xr.DataArray(np.zeros(grid.shape, np.float32), coords=grid.coords(), dims=("y", "x")).rio.write_crs(
        grid.crs
    )
    again = Grid.from_xarray(array)
    assert again.shape == grid.shape
    assert again.crs == grid.crs
    assert tuple(again.transform)[:6] == pytest.approx(tuple(grid.transform)[:6], rel=1e-9)


def test_equal_grids_are_equal_hash_alike_and_pickle():
    same = Grid(Affine(10, 0, 500_000, 0, -10, 5_100_000), (30, 40), "EPSG:32633")
    assert same == UTM
    assert hash(same) == hash(UTM)
    same.pixel_area()
    assert pickle.loads(pickle.dumps(same)) == UTM
    assert len({UTM, same, Grid(UTM.transform, (30, 40), 32634), Grid(UTM.transform, (30, 40))}) == 3
    moved = Grid(Affine(10, 0, 500_010, 0, -10, 5_100_000), (30, 40), 32633)
    assert moved != UTM


@pytest.mark.parametrize(
    ("transform", "shape", "words"),
    [
        (Affine(10, 0, 0, 0, -10, 0), (0, 5), "at least one row"),
        (Affine(0, 0, 0, 0, -10, 0), (5, 5), "no area"),
        (Affine(10, 10, 0, 10, 10, 0), (5, 5), "no area"),
        (Affine(10, 0, math.nan, 0, -10, 0), (5, 5), "no area"),
    ],
)
def test_what_is_no_grid_is_refused(transform, shape, words):
    with pytest.raises(InvalidInput, match=words):
        Grid(transform, shape, 32633)


# ---- true sizes --------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(grids(codes=(32633, 32719, 3857, 6933, 2264, 3035, 4326, 5041, 5042)))
def test_pixel_areas_are_geodesic_ones(grid):
    areas = np.broadcast_to(grid.pixel_area(), grid.shape)
    for row, col in {(0, 0), (grid.height - 1, grid.width - 1), (grid.height // 2, 0)}:
        # nominal sizes stand where the scale leaves 1 by at most 0.2 %
        assert areas[row, col] == pytest.approx(geodesic_area(grid, row, col), rel=0.0021)


@pytest.mark.parametrize(
    ("code", "lon", "lat", "size", "tolerance"),
    [
        (3857, 15, 46, 10, 1e-5),
        (3857, 100, 0, 10, 1e-5),
        (3857, 15, -60, 100, 1e-5),
        (4326, 15, 46, 1e-3, 1e-7),
        (4326, -70, -75, 0.25, 1e-5),
        (4258, 15, 46, 1e-3, 1e-6),
        (5041, 30, 86, 100, 1e-5),
        (5042, 30, -86, 100, 1e-5),
        (3413, -45, 72, 100, 1e-5),
        (32633, 24, 46, 100, 1e-5),  # far off its zone: the scale is 0.5 % there
        (6933, 15, 46, 1000, 1e-4),
        (3035, 10, 52, 100, 1e-5),
        (5070, -96, 39, 100, 1e-4),
        (3577, 134, -25, 100, 1e-4),
        (3395, 15, 60, 100, 1e-5),
        (2193, 173, -41, 10, 0.002),
        (20790, -8, 39.5, 100, 1e-4),  # counts longitudes from Lisbon
        ("ESRI:54030", 15, 46, 1000, 1e-5),
        ("+proj=sinu +R=6371007.181 +units=m", 15, 46, 463, 1e-5),  # MODIS: a sphere
    ],
)
def test_areas_where_scales_differ(code, lon, lat, size, tolerance):
    from pyproj import Transformer

    x, y = Transformer.from_crs(4326, code, always_xy=True).transform(lon, lat)
    grid = Grid(Affine(size, 0, x, 0, -size / 2, y), (50, 60), code)
    areas = np.broadcast_to(grid.pixel_area(), grid.shape)
    for row, col in ((0, 0), (49, 59), (20, 41)):
        assert areas[row, col] == pytest.approx(geodesic_area(grid, row, col, 16), rel=tolerance)


def test_web_mercator_is_twice_too_large_at_46_degrees():
    from pyproj import Transformer

    x, y = Transformer.from_crs(4326, 3857, always_xy=True).transform(15.0, 46.0)
    grid = Grid(Affine(10, 0, x, 0, -10, y), (100, 100), 3857)
    assert 100 / grid.pixel_area().mean() == pytest.approx(2.07, abs=0.01)
    assert grid.area_of(np.ones(grid.shape, bool)) == pytest.approx(100 * 100 * 100 / 2.07, rel=0.005)


def test_feet_are_turned_into_metres():
    grid = Grid(Affine(30, 0, 2_000_000, 0, -30, 700_000), (20, 20), 2264)
    side = 30 * 1200 / 3937
    assert grid.pixel_area().flat[0] == pytest.approx(side**2)
    assert grid.spacing() == pytest.approx((side, side))
    assert "foot" in repr(grid)


@given(grids(codes=(32633, 3857, 4326, 5041, 2264)), st.data())
def test_area_of_a_mask_is_the_sum_of_its_pixels(grid, data):
    mask = data.draw(masks(grid.shape))
    assert grid.area_of(mask) == pytest.approx(np.broadcast_to(grid.pixel_area(), grid.shape)[mask].sum(), rel=1e-12)


@pytest.mark.parametrize("call", ["pixel_area", "spacing", "aoi"])
def test_without_a_crs_the_ground_is_refused(call):
    bare = Grid(Affine.identity(), (30, 40))
    with pytest.raises(NoCRS, match=r"30 × 40 pixels.*no CRS.*shares and pixel counts can.*crs= and transform="):
        getattr(bare, call)()
    for refused in (
        lambda: bare.lonlat(0, 0),
        lambda: bare.distance((0, 0), (1, 1)),
        lambda: bare.area_of(np.ones((30, 40), bool)),
    ):
        with pytest.raises(NoCRS, match="no CRS"):
            refused()
    with pytest.raises(NoCRS, match="AOI"):
        bare.mask(AOI.from_bbox((0, 0, 1, 1)))
    assert "no CRS" in repr(bare)


@given(grids(codes=(32633, 2264, 3857, 4326, 5041, 6933, 3035), rotated=True), st.data())
def test_distance_is_the_geodesic_one(grid, data):
    pairs = [(data.draw(st.integers(0, grid.height - 1)), data.draw(st.integers(0, grid.width - 1))) for _ in range(2)]
    lon, lat = grid.lonlat(*zip(*pairs, strict=True))
    exact = GEOD.inv(lon[0], lat[0], lon[1], lat[1])[2]
    assert grid.distance(*pairs) == pytest.approx(exact, rel=0.0021, abs=1e-6)


@pytest.mark.parametrize(
    ("code", "given_here"), [(32633, True), (2264, True), (3857, False), (4326, False), (5041, False), (6933, False)]
)
def test_one_spacing_is_given_only_where_it_holds(code, given_here):
    homes = {
        32633: (5e5, 5.1e6, 10),
        2264: (2e6, 7e5, 30),
        3857: (1.6e6, 5.8e6, 10),
        4326: (14.5, 46, 1e-4),
        5041: (2.3e6, 1.7e6, 10),
        6933: (1.4e6, 5.3e6, 100),
    }
    x, y, size = homes[code]
    assert (Grid(Affine(size, 0, x, 0, -size, y), (20, 20), code).spacing() is not None) is given_here


def test_a_rotated_grid_in_degrees_has_no_areas():
    with pytest.raises(InvalidInput, match="rotated.*UTM"):
        Grid(turned(14.5, 46, 1e-4, 1e-4, 30), (5, 5), 4326).pixel_area()


def test_swapped_axes_are_found_out():
    with pytest.raises(InvalidInput, match=r"x is longitude"):
        Grid(Affine(0.1, 0, 10, 0, -0.1, 120), (5, 5), 4326).pixel_area()


def test_a_grid_beyond_its_projection_is_refused():
    with pytest.raises(InvalidInput, match="not defined"):
        Grid(Affine(1000, 0, 5e8, 0, -1000, 5e8), (5, 5), 3035).pixel_area()


# ---- from an AOI -------------------------------------------------------------------------------------------------


@given(boxes(max_degrees=0.2), st.sampled_from((10, 20, (10, 30), 500)))
def test_a_grid_from_an_aoi_covers_it_on_the_lattice(aoi, resolution):
    grid = Grid.from_aoi(aoi, resolution=resolution)
    rx, ry = grid.resolution
    w, s, e, n = aoi.to_crs(grid.crs).bounds
    left, bottom, right, top = grid.bounds
    slack = 1e-5 * max(rx, ry)
    assert left <= w + slack
    assert right >= e - slack
    assert bottom <= s + slack
    assert top >= n - slack
    assert (w - left < rx + slack, right - e < rx + slack, s - bottom < ry + slack, top - n < ry + slack) == (True,) * 4
    assert (left / rx) % 1 == pytest.approx(0, abs=1e-6)
    assert (top / ry) % 1 == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("lon", "lat", "code"),
    [
        (15, 46, 32633),
        (15, -46, 32733),
        (-177.5, 10, 32601),
        (179.5, -17, 32760),
        (5, 60.4, 32632),
        (2, 60.4, 32631),
        (15, 78, 32633),
        (8, 78, 32631),
        (22, 78, 32635),
        (41, 78, 32637),
        (15, 85, 5041),
        (-70, -85, 5042),
        (0, 0, 32631),
        (-0.5, 51.5, 32630),
    ],
)
def test_the_zone_of_a_place(lon, lat, code):
    assert utm_crs(AOI.from_bbox((lon, lat, lon + 0.1, lat + 0.1))).to_epsg() == code


def test_beyond_84_north_the_grid_is_polar():
    aoi = AOI.from_bbox((20, 84.5, 24, 85))
    grid = Grid.from_aoi(aoi, resolution=100)
    assert grid.crs.to_epsg() == 5041
    true = abs(GEOD.geometry_area_perimeter(shapely.segmentize(aoi.geometry, 0.05))[0])
    assert grid.area_of(grid.mask(aoi)) == pytest.approx(true, rel=0.005)


def test_wider_than_two_zones_asks_for_a_crs():
    wide = AOI.from_bbox((5, 45, 17.5, 46))
    with pytest.raises(InvalidInput, match=r"12\.5°.*crs=6933"):
        Grid.from_aoi(wide)
    assert Grid.from_aoi(wide, resolution=1000, crs=6933).crs.to_epsg() == 6933
    assert Grid.from_aoi(AOI.from_bbox((5, 45, 16.9, 46)), resolution=1000).crs.to_epsg() == 32632


def test_a_resolution_that_is_none():
    for wrong in (0, -10, (10, 0)):
        with pytest.raises(InvalidInput, match="resolution must be positive"):
            Grid.from_aoi(AOI.from_bbox((15, 46, 15.1, 46.1)), resolution=wrong)


def test_across_the_antimeridian():
    aoi = AOI.from_bbox((179.9, -17.1, -179.9, -17.0))
    true = abs(GEOD.geometry_area_perimeter(shapely.segmentize(aoi.geometry, 0.01))[0])
    for crs, resolution in (("utm", 20), (4326, 1e-3), (3832, 20)):
        grid = Grid.from_aoi(aoi, resolution=resolution, crs=crs)
        assert grid.width * grid.height < 1.2 * true / (resolution**2 if resolution > 1 else 11_000)
        inside = grid.mask(aoi)
        assert grid.area_of(inside) == pytest.approx(true, rel=0.005)
    assert grid.aoi().crosses_antimeridian


# ---- masks -------------------------------------------------------------------------------------------------------


@given(grids(codes=(32633, 3857, 4326, 5041, 2264), rotated=True), st.integers(0, 2**32 - 1))
def test_a_pixel_is_inside_when_its_centre_is(grid, seed):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-0.3, 1.3, (5, 2)) * grid.shape
    shape = shapely.convex_hull(shapely.MultiPoint(np.stack(grid.xy(corners[:, 0], corners[:, 1]), axis=1)))
    assume(shape.geom_type == "Polygon")
    x, y = grid.xy(*np.indices(grid.shape))
    inside = grid.mask(AOI(shape, grid.crs))
    sure = shapely.distance(shapely.boundary(shape), shapely.points(x, y)) > 1e-6 * min(grid.resolution)
    assert np.array_equal(inside[sure], shapely.contains_xy(shape, x, y)[sure])


def test_holes_and_parts_of_an_aoi():
    ring = shapely.box(500_000, 5_099_700, 500_300, 5_100_000) - shapely.box(500_100, 5_099_800, 500_200, 5_099_900)
    both = shapely.union_all([ring, shapely.box(500_350, 5_099_700, 500_400, 5_099_750)])
    assert UTM.mask(AOI(both, CRS.from_epsg(32633))).sum() == 900 - 100 + 25


def test_an_aoi_elsewhere_holds_no_pixel():
    assert not UTM.mask(AOI.from_bbox((100, 20, 101, 21))).any()


@given(grids(rotated=True), st.data())
def test_polygons_give_the_mask_back(grid, data):
    mask = data.draw(masks(grid.shape))
    found = grid.polygons(mask)
    back = np.zeros(grid.shape, bool)
    for shape in found:
        back |= geometry_mask([shape], grid.shape, grid.transform, invert=True)
    assert np.array_equal(back, mask)
    pixel = abs(grid.transform.determinant)
    sizes = [shapely.area(p) / pixel for p in found]
    assert sum(sizes) == pytest.approx(mask.sum(), abs=1e-3)
    assert sizes == sorted(sizes, reverse=True)


def test_polygons_are_8_connected():
    assert len(UTM.polygons(np.eye(30, 40, dtype=bool))) == 1
    assert UTM.polygons(np.zeros((30, 40), bool)) == []
