"""AOI: every way in, the antimeridian, other CRSs, and what is refused."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Geod

from terrascope_nb.errors import InvalidInput
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.testing.strategies import boxes

GEOD = Geod(ellps="WGS84")
SQUARE = {"type": "Polygon", "coordinates": [[[14, 46], [15, 46], [15, 47], [14, 47], [14, 46]]]}
FIJI = (178.0, -18.0, -179.0, -17.0)


def square_metres(aoi):
    return abs(GEOD.geometry_area_perimeter(shapely.segmentize(aoi.to_lonlat().geometry, 0.02))[0])


# ---- every way in ------------------------------------------------------------------------------------------------


def test_from_a_bounding_box():
    assert AOI.from_bbox((14, 46, 15, 47)).bounds == (14, 46, 15, 47)
    utm = AOI.from_bbox((500_000, 5_100_000, 500_100, 5_100_200), crs=32633, name="field")
    assert utm.crs == CRS.from_epsg(32633)
    assert "field" in repr(utm)
    assert "EPSG:32633" in repr(utm)


@pytest.mark.parametrize(
    ("bbox", "words"),
    [
        ((14, 47, 15, 46), r"west, south, east, north"),
        ((14, 46, 14, 47), "no extent"),
        ((14, 46, 15), "four numbers"),
        ("14,46,15,47", "four numbers"),
        (None, "four numbers"),
        ((14, 46, 15, 95), r"latitudes 46 … 95"),
        ((14, 46, float("nan"), 47), "no extent|not finite"),
        ((14, 46, float("inf"), 47), "not finite"),
        ((-500, 46, -400, 47), "no place on Earth"),
    ],
)
def test_boxes_that_are_none(bbox, words):
    with pytest.raises(InvalidInput, match=words):
        AOI.from_bbox(bbox)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda g: g,
        lambda g: {"type": "Feature", "properties": {}, "geometry": g},
        lambda g: {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": None, "geometry": g}]},
        lambda g: {"type": "FeatureCollection", "crs": None, "features": [{"type": "Feature", "geometry": g}]},
    ],
    ids=["geometry", "feature", "collection", "crs null"],
)
def test_from_geojson_as_dict_text_and_file(wrap, tmp_path):
    data = wrap(SQUARE)
    path = tmp_path / "field.geojson"
    path.write_text(json.dumps(data), encoding="utf-8")
    for source in (data, json.dumps(data), "  " + json.dumps(data, indent=1), str(path), path):
        assert AOI.from_geojson(source).bounds == (14, 46, 15, 47)


def test_several_features_are_one_aoi():
    east = {"type": "Polygon", "coordinates": [[[15, 46], [16, 46], [16, 47], [15, 47], [15, 46]]]}
    features = [{"type": "Feature", "geometry": g} for g in (SQUARE, east, None)]
    aoi = AOI.from_geojson({"type": "FeatureCollection", "features": features})
    assert aoi.geometry.equals(shapely.box(14, 46, 16, 47))


def test_the_old_crs_member_is_honoured():
    ring = [[500_000, 5_100_000], [500_100, 5_100_000], [500_100, 5_100_100], [500_000, 5_100_000]]
    data = {
        "type": "Polygon",
        "coordinates": [ring],
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}},
    }
    assert AOI.from_geojson(data).crs == CRS.from_epsg(32633)
    data["crs"]["properties"]["name"] = "urn:ogc:def:crs:OGC:1.3:CRS84"
    data["coordinates"] = SQUARE["coordinates"]
    assert AOI.from_geojson(data).to_lonlat().bounds == pytest.approx((14, 46, 15, 47))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere.geojson", "no GeoJSON file at 'nowhere.geojson'"),
        ("{not json", "not valid JSON"),
        ({"type": "FeatureCollection", "features": []}, "holds no geometry"),
        ({"type": "Feature", "geometry": None}, "holds no geometry"),
        ({"type": "Polygon"}, "no GeoJSON geometry"),
        ({"hello": 1}, "no GeoJSON geometry"),
        ({"type": "Point", "coordinates": [14, 46]}, "is a Point.*[Bb]uffer"),
        ({"type": "LineString", "coordinates": [[14, 46], [15, 47]]}, "is a LineString"),
        (
            {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]},
            "Self-intersection.*make_valid",
        ),
        ({"type": "Polygon", "coordinates": []}, "empty"),
        ({"type": "Polygon", "coordinates": "here"}, "no GeoJSON geometry"),
    ],
)
def test_geojson_that_is_no_area(source, words):
    with pytest.raises(InvalidInput, match=words):
        AOI.from_geojson(source)


def test_from_well_known_text():
    assert AOI.from_wkt("POLYGON Z((14 46 1, 15 46 2, 15 47 3, 14 46 1))").geometry.has_z is False
    for wrong in ("POLYGON((14 46", "", "hello"):
        with pytest.raises(InvalidInput, match="well-known text"):
            AOI.from_wkt(wrong)
    with pytest.raises(InvalidInput, match="empty"):
        AOI.from_wkt("POLYGON EMPTY")


def test_from_a_geodataframe():
    geopandas = pytest.importorskip("geopandas")
    frame = geopandas.GeoDataFrame(geometry=[shapely.box(0, 0, 10, 10), None, shapely.box(10, 0, 20, 10)], crs=32633)
    aoi = AOI.from_geodataframe(frame)
    assert (aoi.bounds, aoi.crs.to_epsg()) == ((0, 0, 20, 10), 32633)
    assert AOI.from_geodataframe(frame.geometry).bounds == aoi.bounds
    with pytest.raises(InvalidInput, match="no CRS.*set_crs"):
        AOI.from_geodataframe(geopandas.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)]))
    with pytest.raises(InvalidInput, match="no geometry"):
        AOI.from_geodataframe(frame.iloc[1:2])


def test_an_unknown_crs_is_named():
    with pytest.raises(InvalidInput, match="unknown CRS 'EPSG:999999'"):
        AOI.from_bbox((0, 0, 1, 1), crs="EPSG:999999")


# ---- other CRSs --------------------------------------------------------------------------------------------------


@given(boxes(max_degrees=0.5), st.sampled_from((3857, 6933, "utm")))
def test_there_and_back_is_the_same_place(aoi, crs):
    from terrascope_nb.geo.grid import utm_crs

    there = aoi.to_crs(utm_crs(aoi) if crs == "utm" else crs)
    back = there.to_lonlat()
    assert square_metres(back) == pytest.approx(square_metres(aoi), rel=1e-3)
    turn = round((back.bounds[0] - aoi.bounds[0]) / 360) * 360
    assert np.asarray(back.bounds) - (turn, 0, turn, 0) == pytest.approx(aoi.bounds, abs=2e-4)


def test_long_edges_bend_as_they_do_on_the_ground():
    polar = AOI.from_bbox((0, 70, 90, 75)).to_crs(3413)
    assert square_metres(polar) == pytest.approx(square_metres(AOI.from_bbox((0, 70, 90, 75))), rel=0.002)


def test_what_does_not_fit_into_a_crs_is_refused():
    with pytest.raises(InvalidInput, match="does not fit"):
        AOI.from_bbox((104, -1, 106, 1)).to_crs(32633)  # a quarter of the globe off its meridian


# ---- the antimeridian --------------------------------------------------------------------------------------------


def test_west_beyond_east_crosses_the_antimeridian():
    aoi = AOI.from_bbox(FIJI)
    assert aoi.bounds == (178, -18, 181, -17)
    assert aoi.crosses_antimeridian
    assert not AOI.from_bbox((177, -18, 180, -17)).crosses_antimeridian
    assert square_metres(aoi) == pytest.approx(square_metres(AOI.from_bbox((10, -18, 13, -17))), rel=1e-6)


@given(boxes(max_degrees=3))
def test_geojson_is_cut_at_the_antimeridian_and_joined_again(aoi):
    data = aoi.to_geojson()
    shape = shapely.geometry.shape(data)
    assert shape.is_valid
    assert -180 <= shape.bounds[0]
    assert shape.bounds[2] <= 180
    assert shape.area == pytest.approx(aoi.geometry.area)
    back = AOI.from_geojson(data)
    assert back.geometry.area == pytest.approx(aoi.geometry.area)
    assert back.crosses_antimeridian == aoi.crosses_antimeridian
    assert back.geometry.symmetric_difference(aoi.geometry).area < 1e-9 * aoi.geometry.area + 1e-12


def test_a_projected_aoi_across_the_antimeridian_is_one_piece():
    aoi = AOI.from_bbox(FIJI).to_crs(32760)
    assert aoi.geometry.geom_type == "Polygon"
    back = aoi.to_lonlat()
    assert back.bounds == pytest.approx((178, -18, 181, -17), abs=0.01)
    assert back.crosses_antimeridian


def test_aois_pickle():
    aoi = AOI.from_bbox(FIJI, name="Fiji")
    again = pickle.loads(pickle.dumps(aoi))
    assert (again.geometry, again.crs, again.name) == (aoi.geometry, aoi.crs, "Fiji")


def test_an_aoi_across_180_is_cut_on_a_world_map():
    aoi = AOI.from_bbox((178, -18, -179, -17)).to_crs(6933)
    one = AOI.from_bbox((175, -18, 178, -17)).to_crs(6933)
    assert aoi.geometry.geom_type == "MultiPolygon"
    assert aoi.geometry.area == pytest.approx(
        one.geometry.area, rel=1e-6
    )  # equal area: three degrees are three degrees


def test_geojson_rings_run_counter_clockwise():
    clockwise = AOI.from_wkt("POLYGON ((0 0, 0 1, 1 1, 1 0, 0 0))").to_geojson()
    assert shapely.geometry.shape(clockwise).exterior.is_ccw
