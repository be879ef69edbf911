"""The measuring core, against plain definitions of each figure."""

from __future__ import annotations

import math
import pickle
from dataclasses import fields, replace

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, distance_transform_edt, label

from terrascope_nb.errors import GridMismatch, InvalidInput, NoCRS
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import GEOD, Grid
from terrascope_nb.reason.measure import (
    EQUAL,
    LOCATIONS,
    Region,
    adjacent,
    area,
    compare,
    count,
    distance,
    exists,
    gain,
    location,
    loss,
    measure,
    net,
    rank,
    share,
)
from terrascope_nb.reason.measure import benchmark_rules as bench
from terrascope_nb.reason.measure.components import component_sizes
from terrascope_nb.scene.domain import Domain
from terrascope_nb.testing.strategies import domains, grids, masks, regions, turned

SQUARE = np.ones((3, 3), bool)
UTM = Grid(Affine(10, 0, 500_000, 0, -10, 5_100_000), (30, 30), 32633)
BARE = Grid(Affine.identity(), (30, 30))
SCALED = Grid(Affine(10, 0, 1_600_000, 0, -10, 5_800_000), (30, 30), 3857)
PAIRS = (adjacent, distance, compare, gain, loss, net)


def box(top, bottom, left, right, shape=(30, 30)):
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


def on(mask, grid=UTM, label="water", **parts):
    ones = np.ones(grid.shape, bool)
    domain = Domain(grid, parts.get("inside", ones), parts.get("valid", ones), parts.get("clear", ones))
    return Region(label, mask, domain, time=parts.get("time"))


@st.composite
def two(draw, codes=(32633, 32719, 3857, 4326, 2264, 5041)):
    domain = draw(domains(draw(grids(codes=codes, max_side=25))))
    return draw(regions(domain=domain)), draw(regions(domain=domain, label="bare land"))


# ---- share, area, what goes with every figure ----------------------------------------------------


@given(regions())
def test_share_is_of_clear_pixels_inside_the_aoi(r):
    fact = share(r)
    usable = r.domain.inside & r.domain.clear
    assert fact.of_pixels == usable.sum()
    assert fact.pixels == (r.mask & usable).sum()
    if usable.any():
        assert fact.value == pytest.approx(100 * (r.mask & usable).sum() / usable.sum())
    else:
        assert fact.value is None
        assert "no clear pixel" in fact.note


@given(two())
def test_aoi_clear_and_nodata_shares_go_with_every_figure(pair):
    a, b = pair
    inside, domain = int(a.domain.inside.sum()), a.domain
    facts = [f(a) for f in (share, area, count, exists, location, measure)] + [f(a, b) for f in PAIRS] + [rank([a, b])]
    facts += [f(a) for f in (bench.coverage_percentage,)] + [
        bench.boundary_relationship(a, b),
        bench.building_change(a, b),
    ]
    for fact in facts:
        assert fact.aoi_share == pytest.approx(inside / a.mask.size)
        assert fact.of_pixels == int((domain.inside & domain.clear).sum())
        if inside:
            assert fact.clear_share == pytest.approx(fact.of_pixels / inside)
            assert fact.nodata_share == pytest.approx(int((domain.inside & ~domain.valid).sum()) / inside)
        if not fact.of_pixels:
            assert getattr(fact, "value", None) is None
            assert fact.note


def test_the_aoi_takes_pixels_by_their_centre():
    aoi = AOI.from_bbox((500_000 + 14, 5_100_000 - 46, 500_000 + 46, 5_100_000 - 14), crs=32633)
    inside = UTM.mask(aoi)
    assert inside.sum() == 16  # centres at 15, 25, 35 and 45 m each way
    fact = share(on(box(0, 3, 0, 30), inside=inside))
    assert (fact.pixels, fact.of_pixels, fact.value) == (8, 16, 50)


def test_what_lies_outside_counts_nowhere():
    outside = on(box(0, 30, 0, 5), inside=box(0, 30, 10, 30))
    assert share(outside).value == 0
    assert area(outside).value == 0
    assert count(outside).value == 0
    assert not exists(outside).value
    assert distance(outside, on(box(0, 5, 20, 25), inside=box(0, 30, 10, 30))).value is None


@given(regions(grid=None).filter(lambda r: r.grid.crs is not None))
def test_area_is_the_sum_of_true_pixel_areas(r):
    exact = np.broadcast_to(r.grid.pixel_area(), r.grid.shape)[r.pixels].sum()
    fact = area(r)
    assert fact.value is None if not r.domain.count else fact.value == pytest.approx(exact, rel=1e-9)
    assert fact.unit == "m²"


def test_area_by_the_benchmarks_rule_is_pixels_by_resolution():
    r = on(box(0, 10, 0, 10), grid=SCALED)
    assert area(r, rule="benchmark").value == 100 * 100
    assert area(r).value < 0.5 * 100 * 100  # web Mercator at 46° N
    feet = Grid(Affine(30, 0, 2_000_000, 0, -15, 700_000), (30, 30), 2264)
    assert area(on(box(0, 10, 0, 10), grid=feet), "benchmark").value == pytest.approx(
        100 * 30 * 15 * (1200 / 3937) ** 2
    )
    degrees = Grid(Affine(1e-4, 0, 14.5, 0, -1e-4, 46), (30, 30), 4326)
    with pytest.raises(InvalidInput, match="rule='ground'"):
        area(on(box(0, 10, 0, 10), grid=degrees), "benchmark")
    with pytest.raises(InvalidInput, match="benchmrk.*did you mean 'benchmark'"):
        area(r, "benchmrk")


def test_without_a_crs_metres_are_refused_and_the_rest_works():
    a, b = on(box(0, 10, 0, 10), grid=BARE), on(box(20, 25, 20, 25), grid=BARE, label="bare land")
    for call in (
        lambda: area(a),
        lambda: area(a, "benchmark"),
        lambda: distance(a, b),
        lambda: distance(a, b, "benchmark"),
        lambda: gain(a, b, "m²"),
        lambda: bench.absolute_area(a),
    ):
        with pytest.raises(NoCRS, match="no CRS.*crs="):
            call()
    assert share(a).value == pytest.approx(100 / 9)
    assert (count(a).value, exists(a).value, location(a).value, adjacent(a, b).value) == (1, True, "north-west", False)
    assert compare(a, b).value == "water"
    assert distance(a, b, unit="px").value == pytest.approx(math.hypot(11, 11))
    found = measure(a)
    assert (found.area, found.centre, found.share) == (None, None, share(a).value)
    assert "no CRS" in found.note


# ---- parts ---------------------------------------------------------------------------------------


@given(
    st.integers(1, 40).flatmap(lambda h: st.integers(1, 40).flatmap(lambda w: masks((h, w)))),
    st.sampled_from((1, 50, 1 << 20)),
)
def test_parts_in_strips_are_those_of_the_whole(mask, strip):
    labels, n = label(mask, SQUARE)
    whole = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    sizes = component_sizes(mask, strip=strip)
    assert sorted(sizes.tolist()) == sorted(whole.tolist())
    assert sizes.sum() == mask.sum()


def test_parts_do_not_depend_on_the_arrays_layout():
    mask = np.random.default_rng(3).random((50, 60)) < 0.4
    for view in (mask.T, mask[::-1, ::2], np.asfortranarray(mask)):
        assert sorted(component_sizes(view, 100)) == sorted(component_sizes(np.ascontiguousarray(view)))


def test_small_parts_are_not_counted_and_the_note_says_so():
    mask = box(0, 2, 0, 2) | box(5, 6, 5, 8) | box(9, 10, 9, 10)
    r = on(mask)
    fact = count(r)
    assert (fact.value, fact.values, fact.pixels) == (1, (2, 4), 8)
    assert "fewer than 4 pixels" in fact.note
    assert "2 of them, 4 pixels" in fact.note
    assert count(r, min_pixels=1).value == 3
    assert count(r, min_pixels=3).value == 2
    assert exists(on(box(5, 6, 5, 8))).value is False
    assert "1 of them, 3 pixels" in exists(on(box(5, 6, 5, 8))).note
    with pytest.raises(InvalidInput, match="min_pixels"):
        count(r, min_pixels=0)


def test_parts_that_touch_at_a_corner_are_one():
    assert count(on(np.eye(30, dtype=bool))).value == 1


def test_cloud_cuts_a_part_in_two():
    river = box(10, 12, 0, 30)
    assert count(on(river)).value == 1
    assert count(on(river, clear=~box(0, 30, 14, 16))).value == 2


# ---- location ------------------------------------------------------------------------------------

NINTHS = {
    "north-west": (0, 0),
    "north": (0, 1),
    "north-east": (0, 2),
    "west": (1, 0),
    "centre": (1, 1),
    "east": (1, 2),
    "south-west": (2, 0),
    "south": (2, 1),
    "south-east": (2, 2),
}


@pytest.mark.parametrize("name", LOCATIONS)
@pytest.mark.parametrize("grid", [UTM, BARE, SCALED], ids=["utm", "no crs", "web mercator"])
def test_nine_locations(name, grid):
    row, col = NINTHS[name]
    place = box(10 * row + 3, 10 * row + 6, 10 * col + 3, 10 * col + 6)
    assert location(on(place, grid=grid)).value == name


def test_location_is_within_the_aois_pixels_not_the_grids():
    lake = on(box(16, 18, 16, 18), inside=box(15, 30, 15, 30))
    assert location(lake).value == "north-west"
    assert location(on(box(16, 18, 16, 18))).value == "centre"


@pytest.mark.parametrize("name", LOCATIONS)
@pytest.mark.parametrize("angle", [90, 180, 40, -120])
def test_on_a_turned_grid_north_is_true_north(name, angle):
    corner = turned(500_000, 5_100_000, 10, 10, angle) @ (
        -15,
        -15,
    )  # the middle of the grid is where it is turned about
    grid = Grid(turned(*corner, 10, 10, angle), (30, 30), 32633)
    where = {"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)}
    x, y = np.sum([where.get(word, (0, 0)) for word in name.split("-")], axis=0) * 110
    row, col = grid.rowcol(500_000 + x, 5_100_000 + y)
    if not (0 <= row < 30 and 0 <= col < 30):  # a corner that the turned square does not reach
        row, col = grid.rowcol(500_000 + 0.85 * x, 5_100_000 + 0.85 * y)
    mask = np.zeros(grid.shape, bool)
    mask[row, col] = True
    fact = location(on(mask, grid=grid))
    assert fact.value == name
    assert "true north" in fact.note


def test_a_grid_whose_rows_run_northward():
    grid = Grid(Affine(10, 0, 500_000, 0, 10, 5_100_000), (30, 30), 32633)
    assert location(on(box(0, 3, 0, 3), grid=grid)).value == "south-west"


def test_on_a_polar_grid_north_is_towards_the_pole():
    grid = Grid(Affine(100, 0, 2_000_000, 0, -100, 2_500_000), (30, 30), 5041)  # 180° E runs up from the pole
    assert location(on(box(0, 3, 12, 15), grid=grid)).value == "south"
    pole = Grid(Affine(100, 0, 1_998_500, 0, -100, 2_001_500), (30, 30), 5041)
    fact = location(on(box(0, 3, 12, 15), grid=pole))
    assert fact.value == "north"
    assert "holds the pole" in fact.note


# ---- distance and adjacency ----------------------------------------------------------------------


@given(two(codes=(32633, 32719, 2264)))
def test_distance_is_that_of_a_distance_transform(pair):
    a, b = pair
    fact = distance(a, b, rule="benchmark")
    if not (a.count and b.count):
        assert fact.value is None
        assert any(r.label in fact.note for r in pair) or "nothing can be measured" in fact.note
        return
    unit = a.grid.crs.axis_info[0].unit_conversion_factor
    plain = distance_transform_edt(~a.pixels, sampling=[s * unit for s in a.grid.resolution[::-1]])[b.pixels].min()
    assert fact.value == pytest.approx(plain, rel=1e-12)
    assert distance(a, b, unit="px").values[0] == pytest.approx(distance_transform_edt(~a.pixels)[b.pixels].min())
    row_a, col_a, row_b, col_b = fact.values[1:]
    assert a.pixels[row_a, col_a]
    assert b.pixels[row_b, col_b]
    assert fact.value == pytest.approx(distance(b, a, rule="benchmark").value)


@settings(deadline=None)
@given(two(codes=(3857, 4326, 5041, 6933)))
def test_distance_is_geodesic_where_the_scale_varies(pair):
    a, b = pair
    if not (a.count and b.count):
        return
    (ra, ca), (rb, cb) = np.nonzero(a.pixels), np.nonzero(b.pixels)
    keep_a, keep_b = slice(None, None, max(ra.size // 40, 1)), slice(None, None, max(rb.size // 40, 1))
    one, other = a.grid.lonlat(ra[keep_a], ca[keep_a]), b.grid.lonlat(rb[keep_b], cb[keep_b])
    i, j = (k.ravel() for k in np.indices((one[0].size, other[0].size)))
    some = GEOD.inv(one[0][i], one[1][i], other[0][j], other[1][j])[2].min()
    fact = distance(a, b)
    assert fact.values[0] <= some + 1e-6
    assert fact.values[0] == pytest.approx(a.grid.distance(fact.values[1:3], fact.values[3:5]), abs=1e-6)


@given(two())
def test_regions_that_touch_are_no_distance_apart(pair):
    a, b = pair
    touch = bool((binary_dilation(a.pixels, SQUARE) & b.pixels).any())
    fact = adjacent(a, b)
    if a.domain.count:
        assert fact.value is touch
        assert fact.value is adjacent(b, a).value
    if a.count and b.count:
        assert (distance(a, b).value == 0) is touch
    if touch:
        assert fact.values[1] == (a.pixels & b.pixels).sum()
        assert ("share" in fact.note) is bool((a.pixels & b.pixels).any())


def test_touching_is_one_pixel_by_the_benchmarks_rule_and_nothing_on_the_ground():
    a, b = on(box(0, 10, 0, 10)), on(box(0, 10, 10, 20), label="bare land")
    assert (distance(a, b).value, distance(a, b).note) == (0, "they touch")
    assert distance(a, b, rule="benchmark").value == 10
    assert distance(a, b, rule="benchmark", unit="px").value == 1
    apart = on(box(0, 10, 11, 20), label="bare land")
    assert distance(a, apart).value == 20
    flat = Grid(Affine(10, 0, 500_000, 0, -100, 5_100_000), (30, 30), 32633)
    assert (
        distance(on(box(0, 3, 0, 3), flat), on(box(3, 4, 0, 1) | box(0, 1, 5, 6), flat)).value == 0
    )  # 30 m across, 100 m down


def test_overlap_is_said():
    a, b = on(box(0, 10, 0, 10)), on(box(5, 10, 5, 20), label="bare land")
    for fact in (adjacent(a, b), distance(a, b), compare(a, b)):
        assert "share 25 pixels" in fact.note
    assert adjacent(a, b).value is True
    assert distance(a, b, rule="benchmark").value == 0
    assert adjacent(a, b).pixels == 100 + 75 - 25


def test_empty_regions():
    nothing, b = on(box(0, 0, 0, 0)), on(box(0, 10, 0, 10), label="bare land")
    assert share(nothing).value == 0
    assert area(nothing).value == 0
    assert exists(nothing).value is False
    assert location(nothing).value is None
    assert "no pixel of water" in location(nothing).note
    for fact in (
        distance(nothing, b),
        distance(b, nothing),
        distance(nothing, b, "benchmark"),
        distance(nothing, b, unit="px"),
    ):
        assert fact.value is None
        assert "no pixel of water" in fact.note
    assert adjacent(nothing, b).value is False
    assert compare(nothing, b).value == "bare land"
    assert compare(nothing, replace(nothing, label="ice")).value == EQUAL
    assert measure(nothing).location is None
    assert measure(nothing).share == 0


# ---- comparison and ranking ----------------------------------------------------------------------


@given(two())
def test_compare_is_antisymmetric_and_agrees_with_rank(pair):
    a, b = pair
    one, other = compare(a, b), compare(b, a)
    assert one.value == other.value
    if not a.domain.count:
        return
    assert one.values == pytest.approx(other.values[::-1])
    if one.value != EQUAL:
        assert rank([a, b]).value[0] == one.value
    if a.count == b.count and a.grid.crs.to_epsg() in (32633, 32719):
        assert one.value == EQUAL


def test_rank_orders_and_breaks_ties_by_name():
    parts = {
        "water": box(0, 5, 0, 5),
        "tree cover": box(5, 10, 0, 5),
        "bare land": box(20, 30, 20, 30),
        "ice": box(0, 1, 0, 1),
    }
    given_order = [on(m, label=name) for name, m in parts.items()]
    fact = rank(given_order)
    assert fact.value == ("bare land", "tree cover", "water", "ice")
    assert fact.values == pytest.approx((100 / 9, 25 / 9, 25 / 9, 1 / 9))
    assert "tree cover and water are equally large" in fact.note
    assert rank(given_order[::-1]).value == fact.value
    with pytest.raises(InvalidInput, match="at least one region"):
        rank([])


def test_order_is_by_ground_area_where_pixels_differ_in_size():
    grid = Grid(Affine(1, 0, 0, 0, -1, 80), (80, 30), 4326)
    shape = grid.shape
    north, south = on(box(0, 2, 0, 30, shape), grid, "ice"), on(box(78, 80, 0, 20, shape), grid, "sand")
    fact = compare(north, south)
    assert fact.value == "sand"
    assert fact.values[0] > fact.values[1]
    assert "ground area" in fact.note
    assert rank([north, south]).value == ("sand", "ice")


def test_regions_of_two_images_are_compared_where_both_are_clear():
    a = on(box(0, 10, 0, 10), clear=~box(0, 30, 20, 30))
    b = on(box(0, 10, 15, 30), label="bare land")
    fact = compare(a, b)
    assert fact.value == "water"  # 50 of the 150 pixels of bare land are clear in both
    assert fact.of_pixels == 600
    assert "clear in every image" in fact.note
    assert rank([b, a]).value == ("water", "bare land")


# ---- change --------------------------------------------------------------------------------------


@given(st.data(), st.sampled_from(("%", "m²")))
def test_gain_less_loss_is_net(data, unit):
    grid = data.draw(grids(codes=(32633, 3857, 4326)))
    before, after = (
        data.draw(regions(domain=data.draw(domains(grid)))),
        data.draw(regions(domain=data.draw(domains(grid)))),
    )
    up, down, both = (f(before, after, unit) for f in (gain, loss, net))
    common = before.domain.pixels & after.domain.pixels
    assert both.of_pixels == common.sum()
    if not common.any():
        assert (up.value, down.value, both.value, both.values) == (None, None, None, ())
        assert "clear at both dates" in both.note
        return
    assert up.value >= 0
    assert down.value >= 0
    assert both.value == pytest.approx(up.value - down.value, abs=1e-6)
    assert both.value == pytest.approx(both.values[1] - both.values[0], rel=1e-9, abs=1e-6)
    assert loss(after, before, unit).value == pytest.approx(up.value)
    earlier = int((before.mask & common).sum())
    if unit == "%":
        assert up.value == pytest.approx(100 * (after.mask & ~before.mask & common).sum() / common.sum())
    assert (both.values[2] is None) is (earlier == 0)
    if earlier:
        assert both.values[2] == pytest.approx(100 * both.value / both.values[0])


def test_change_counts_only_what_is_clear_at_both_dates():
    before = on(box(0, 10, 0, 30), clear=~box(0, 5, 0, 30))
    after = on(box(0, 8, 0, 30), clear=~box(25, 30, 0, 30))
    fact = loss(before, after)
    assert fact.of_pixels == 600
    assert fact.value == pytest.approx(100 * 60 / 600)
    assert fact.values == pytest.approx((25, 15, 40))
    assert "66.7 % of the AOI" in fact.note
    assert "less than half" not in fact.note
    little = loss(replace(before, domain=replace(before.domain, clear=box(0, 10, 0, 30))), after)
    assert "less than half" in little.note
    assert little.clear_share == pytest.approx(1 / 3)


def test_new_water_has_no_relative_change():
    fact = gain(on(box(0, 0, 0, 0)), on(box(0, 3, 0, 30)))
    assert fact.value == 10
    assert fact.values == (0, 10, None)
    assert "no water at the first date" in fact.note


def test_dates_in_the_wrong_order_are_refused():
    early, late = np.datetime64("2023-06-01"), np.datetime64("2023-08-01")
    mask = box(0, 3, 0, 3)
    assert net(on(mask, time=early), on(mask, time=late)).value == 0
    with pytest.raises(InvalidInput, match="2023-08-01 to 2023-06-01"):
        net(on(mask, time=late), on(mask, time=early))
    with pytest.raises(InvalidInput, match="'ha'"):
        net(on(mask), on(mask), unit="ha")


# ---- two grids, what a region is -----------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        replace(UTM, transform=Affine(10, 0, 500_010, 0, -10, 5_100_000)),
        SCALED,
        BARE,
        Grid(UTM.transform, (30, 31), 32633),
    ],
    ids=["moved", "other CRS", "no CRS", "other shape"],
)
def test_measuring_across_two_grids_is_refused(other):
    a, b = on(box(0, 3, 0, 3)), on(box(0, 3, 0, 3, other.shape), other, "bare land")
    for call in (
        *(lambda f=f: f(a, b) for f in PAIRS),
        lambda: rank([a, b]),
        lambda: bench.boundary_relationship(a, b),
    ):
        with pytest.raises(GridMismatch) as told:
            call()
        text = str(told.value)
        assert all(f"{g!r} at {g.bounds[0]:.10g}" in text for g in (UTM, other))
        assert "one grid" in text


def test_a_region_is_a_bool_mask_on_its_grid():
    with pytest.raises(InvalidInput, match="uint8.*mask > 0.5"):
        on(np.zeros((30, 30), np.uint8))
    with pytest.raises(GridMismatch, match=r"\(30, 29\).*\(30, 30\)"):
        on(np.zeros((30, 29), bool))


def test_regions_and_facts_pickle_without_what_is_cached():
    r = on(np.random.default_rng(0).random((30, 30)) < 0.5)
    size = len(pickle.dumps(r))
    found = measure(r)
    assert len(pickle.dumps(r)) < size + 2000
    again = pickle.loads(pickle.dumps(r))
    assert measure(again) == found
    assert pickle.loads(pickle.dumps(share(r))) == share(r)
    assert "water" in repr(r)


# ---- all at once ---------------------------------------------------------------------------------


@given(regions())
def test_measure_says_what_the_single_figures_say(r):
    found = measure(r)
    assert found.share == share(r).value
    assert (found.pixels, found.of_pixels) == (r.count, r.domain.count)
    assert found.location == location(r).value
    if r.domain.count:
        assert found.count == count(r).value
        assert found.count + found.small_parts == count(r, min_pixels=1).value
    if r.grid.crs is None:
        assert found.area is None
        assert found.centre is None
    else:
        assert found.area == area(r).value
        assert (found.centre is None) is (r.count == 0)
    if found.centre is not None:
        rows, cols = np.nonzero(r.pixels)
        assert found.centre == pytest.approx([float(v) for v in r.grid.lonlat(rows.mean(), cols.mean())], abs=1e-9)


def test_what_a_grid_cannot_give_is_said_not_raised():
    grid = Grid(turned(14.5, 46, 1e-4, 1e-4, 30), (30, 30), 4326)
    found = measure(on(box(0, 3, 0, 3), grid))
    assert found.area is None
    assert "rotated" in found.note
    assert found.share == 1


def test_every_field_of_the_facts_is_plain():
    a, b = on(box(0, 5, 0, 5)), on(box(20, 25, 0, 5), label="bare land")
    plain = (int, float, str, bool, tuple, type(None))
    for fact in (
        share(a),
        area(a),
        count(a),
        exists(a),
        location(a),
        adjacent(a, b),
        distance(a, b),
        compare(a, b),
        rank([a, b]),
        gain(a, b),
        net(a, b, "m²"),
        measure(a),
    ):
        for field in fields(fact):
            value = getattr(fact, field.name)
            assert type(value) in plain, field.name
            if isinstance(value, tuple):
                assert all(type(v) in plain for v in value), field.name


# ---- the benchmark's filters ---------------------------------------------------------------------


def test_coverage_asks_for_five_percent():
    assert bench.coverage_percentage(on(box(0, 3, 0, 15))).value == 5
    fact = bench.coverage_percentage(on(box(0, 1, 0, 30)))
    assert fact.value is None
    assert fact.values == pytest.approx((100 / 30,))
    assert "3.33 %" in fact.note


def test_comparison_asks_for_a_tenth_of_the_larger():
    large = on(box(0, 10, 0, 10))
    assert bench.comparative_ranking(large, on(box(20, 29, 0, 10), label="bare land")).value is None
    assert (
        bench.comparative_ranking(large, on(box(20, 29, 0, 10) & ~box(28, 29, 9, 10), label="bare land")).value
        == "water"
    )
    small = bench.comparative_ranking(large, on(box(20, 21, 0, 10), label="bare land"))
    assert small.value is None
    assert "bare land has 1.11 %" in small.note


def test_boundary_drops_small_and_scattered_regions():
    a, b = on(box(0, 10, 0, 10)), on(box(10, 20, 10, 20), label="bare land")
    assert bench.boundary_relationship(a, b).value is True
    assert bench.boundary_relationship(a, on(box(11, 20, 10, 20), label="bare land")).value is False
    assert "3 %" in bench.boundary_relationship(a, on(box(11, 13, 10, 20), label="bare land")).note
    scattered = box(10, 20, 10, 20)
    for k in range(5):
        scattered[28, 2 * k] = True
    fact = bench.boundary_relationship(a, on(scattered, label="bare land"))
    assert fact.value is None
    assert "6 parts" in fact.note


def test_distance_is_between_opened_masks_far_apart():
    a = on(box(0, 5, 0, 5) | box(0, 1, 16, 17))  # a stray pixel that opening drops
    b = on(box(0, 5, 16, 30), label="bare land")
    fact = bench.distance_measurement(a, b)
    assert fact.value == 120
    assert bench.distance_measurement(a, b, unit="px").value == 12
    near = bench.distance_measurement(a, on(box(0, 5, 14, 30), label="bare land"))
    assert near.value is None
    assert "10 pixels apart" in near.note
    gone = bench.distance_measurement(on(box(0, 1, 16, 17)), b)
    assert gone.value is None
    assert "after opening" in gone.note


def test_building_change_counts_buildings():
    houses, ruined = np.zeros((30, 30), bool), np.zeros((30, 30), bool)
    for k in range(12):
        houses[3 * (k // 4) : 3 * (k // 4) + 2, 3 * (k % 4) : 3 * (k % 4) + 2] = True
    for k in range(3):
        ruined[0:2, 3 * k : 3 * k + 2] = True
    a, b = on(houses, label="building"), on(ruined, label="destroyed building")
    fact = bench.building_change(a, b)
    assert (fact.value, fact.values, fact.unit) == (25, (3, 12), "%")
    assert bench.building_change(a, b, counts=(6, 24)).value == 25
    assert "9 buildings, 3 destroyed" in bench.building_change(a, b, counts=(3, 9)).note
    assert bench.building_change(a, b, counts=(2, 12)).value is None
    with pytest.raises(InvalidInput, match=r"\(destroyed, all\)"):
        bench.building_change(a, b, counts=(13, 12))


# ---- a real land-cover map ---------------------------------------------------------------------------------------


def test_classes_of_a_real_map_fill_it(shared_data):
    import rasterio

    with rasterio.open(shared_data("nc-landsat7-landclass") / "landclass96.tif") as file:
        classes, valid = file.read(1), file.read(1) != file.nodata
        grid = Grid(file.transform, file.shape, file.crs)
    domain = Domain(grid, np.ones(grid.shape, bool), valid, valid)
    cover = [Region(str(k), classes == k, domain) for k in range(1, 8)]
    assert [r.count for r in cover[:1] + cover[4:6]] == [73_077, 126_265, 5_303]
    assert share(cover[0]).of_pixels == 474 * 526 - 1
    assert sum(share(r).value for r in cover) == pytest.approx(100)
    assert sum(area(r).value for r in cover) == pytest.approx(domain.count * 28.5**2, rel=0.001)
    assert rank(cover).value[:2] == ("5", "1")
    assert rank(cover).values == pytest.approx(sorted((share(r).value for r in cover), reverse=True))
    water, forest = cover[5], cover[4]
    labels, n = label(water.mask, SQUARE)
    assert count(water).value == int((np.bincount(labels.ravel())[1:] >= 4).sum()) <= n
    assert adjacent(water, forest).value is True
    assert net(water, forest).value == pytest.approx(share(forest).value - share(water).value)


def test_areas_that_are_equal_up_to_rounding_are_equal():
    grid = Grid(Affine(1, 0, 0, 0, -1, 80), (80, 30), 4326)
    mask = np.random.default_rng(5).random(grid.shape) < 0.5
    one, other = on(mask, grid, "water"), on(mask[:, ::-1], grid, "ice")  # the same rows, summed in another order
    assert compare(one, other).value == EQUAL
    assert rank([one, other]).value == ("ice", "water")
    assert "equally large" in rank([one, other]).note
