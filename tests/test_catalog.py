"""Searching: the same arguments over a folder and over a STAC API; nothing is read or sent before it is needed."""

from __future__ import annotations

import json
import pickle
import socket
import threading
import time
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrascope_nb.errors import InvalidInput, NotFound, NothingFound, ReadFailed
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.stac import api, folder
from terrascope_nb.stac.catalog import Catalog, Found, search
from terrascope_nb.stac.query import Query, interval
from terrascope_nb.stac.sensors import SENSORS, scaling, sensor_of

LAKE = (30.588, 62.814, 30.612, 62.825)
STYRIA = (15.2, 46.3, 15.4, 46.4)


def item(name, bbox=(0, 0, 1, 1), when="2023-06-01T10:00:00Z", geometry=None, collection="things", **properties):
    w, s, e, n = bbox
    ring = [[w, s], [e, s], [e, n], [w, n], [w, s]]
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": collection, "bbox": list(bbox),
        "geometry": geometry or {"type": "Polygon", "coordinates": [ring]},
        "properties": {"datetime": when, **properties}, "links": [], "assets": {},
    }  # fmt: skip


@pytest.fixture
def things(tmp_path) -> Path:
    """A bare folder of item files, one of them without cloud cover."""
    made = [
        item("a", when="2023-06-01T10:00:00Z", **{"eo:cloud_cover": 5.0, "platform": "one"}),
        item("b", when="2023-06-11T10:00:00Z", **{"eo:cloud_cover": 60.0, "platform": "two"}),
        item("c", when="2023-07-01T10:00:00Z", platform="one"),
        item("d", bbox=(40, 0, 41, 1), when="2023-06-02T10:00:00Z", **{"eo:cloud_cover": 0.0}),
    ]
    for i in made:
        (tmp_path / f"{i['id']}.json").write_text(json.dumps(i))
    return tmp_path


# ---- arguments -------------------------------------------------------------------------------------------------
FORMS = {
    "2023": ("2023-01-01T00:00:00", "2023-12-31T23:59:59.999999"),
    "2023-02": ("2023-02-01T00:00:00", "2023-02-28T23:59:59.999999"),
    "2023-12": ("2023-12-01T00:00:00", "2023-12-31T23:59:59.999999"),
    "2023-06/2023-08": ("2023-06-01T00:00:00", "2023-08-31T23:59:59.999999"),
    "2023-07-14": ("2023-07-14T00:00:00", "2023-07-14T23:59:59.999999"),
    "2023-07-14T10:00:00+02:00": ("2023-07-14T08:00:00", "2023-07-14T08:00:00"),
    "2023-06-01/..": ("2023-06-01T00:00:00", None),
    "../2023-06": (None, "2023-06-30T23:59:59.999999"),
}


@pytest.mark.parametrize("text", FORMS)
def test_datetime_text_forms(text):
    want = tuple(None if t is None else datetime.fromisoformat(t).replace(tzinfo=UTC) for t in FORMS[text])
    assert interval(text) == want


def test_datetime_object_forms_agree():
    at = datetime(2023, 7, 14, 10, tzinfo=UTC)
    for form in (at, at.replace(tzinfo=None), np.datetime64("2023-07-14T10:00"), pd.Timestamp(at)):
        assert interval(form) == (at, at)
    assert interval(date(2023, 7, 14)) == interval("2023-07-14")
    assert interval((date(2023, 7, 1), None)) == interval("2023-07-01/..")
    assert interval(["2023-06", at])[1] == at


@pytest.mark.parametrize(
    "bad", ["July 2023", "2023-13", "2023-02-30", "2023/2022", "a/b/c", 2023, "2023-06/2023-07/2023-08"]
)
def test_datetime_that_is_none_is_refused(bad):
    with pytest.raises(InvalidInput, match="datetime"):
        interval(bad)


@given(st.datetimes(datetime(1985, 1, 1), datetime(2090, 1, 1)), st.timedeltas(timedelta(0), timedelta(9999)))
def test_interval_and_its_api_text_are_inverse(start, length):
    when = interval((start, start + length))
    assert interval(Query(when=when).datetime_text()) == when


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ({"limit": 0}, "limit"),
        ({"max_cloud": 120}, "max_cloud"),
        ({"query": {"eo:cloud_cover": 20}}, "operator"),
        ({"query": {"eo:cloud_cover": {"less": 20}}}, "lte"),
        ({"query": {"platform": {"in": "sentinel-2a"}}}, "list"),
        ({"sortby": "-"}, "sortby"),
        ({"aoi": "here"}, "west, south, east, north"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused_at_once(argument, says):
    with pytest.raises(InvalidInput, match=says):
        search(catalog="sample", **argument)


# ---- a folder --------------------------------------------------------------------------------------------------
def ids(things, **arguments):
    return search(sensor="things", catalog=things, **arguments).ids


def test_folder_filters(things):
    assert ids(things) == ("a", "d", "b", "c")
    assert ids(things, aoi=(0.2, 0.2, 0.3, 0.3)) == ("a", "b", "c")
    assert ids(things, datetime="2023-06") == ("a", "d", "b")
    assert ids(things, datetime="2023-06-11/..") == ("b", "c")
    assert ids(things, ids=["c", "a"]) == ("a", "c")
    assert ids(things, max_cloud=5) == ("a", "d")
    assert ids(things, limit=2) == ("a", "d")
    assert ids(things, sortby="-datetime", limit=1) == ("c",)
    assert ids(things, sortby="+properties.eo:cloud_cover") == ("d", "a", "b", "c")  # none stated: last
    assert ids(things, sortby=["-properties.eo:cloud_cover"]) == ("b", "a", "d", "c")


@pytest.mark.parametrize(
    ("tests", "want"),
    [
        ({"eo:cloud_cover": {"lt": 5}}, "d"),
        ({"eo:cloud_cover": {"lte": 5}}, "ad"),
        ({"eo:cloud_cover": {"gt": 5}}, "b"),
        ({"properties.eo:cloud_cover": {"gte": 5, "lt": 60}}, "a"),
        ({"platform": {"eq": "two"}}, "b"),
        ({"platform": {"neq": "two"}}, "ac"),
        ({"platform": {"in": ["one", "three"]}}, "ac"),
        ({"platform": {"startsWith": "tw"}}, "b"),
    ],
)
def test_query_operators(things, tests, want):
    assert ids(things, query=tests) == tuple(want)


def test_a_value_that_cannot_be_compared_names_item_and_property(things):
    with pytest.raises(InvalidInput, match="eo:cloud_cover.*'a'"):
        ids(things, query={"eo:cloud_cover": {"lt": "20"}})


def test_real_items_in_a_bare_folder(shared_data):
    where = shared_data("mapchete-33twm-stac")
    found = search(STYRIA, "2023-08", catalog=where, max_cloud=2, sortby="+properties.eo:cloud_cover")
    assert found.ids == ("S2A_33TWM_20230815_0_L2A", "S2B_33TWM_20230813_0_L2A", "S2B_33TWM_20230820_0_L2A")
    assert found.sensor is SENSORS["sentinel-2-l2a"]
    assert found[0]["properties"]["proj:epsg"] == 32633 and "proj:code" not in found[0]["properties"]
    assert Path(found[0]["assets"]["blue"]["href"]).is_file()
    assert found[0]["assets"]["coastal"]["href"].startswith("https://")


def test_collection_json_as_root_lends_its_id(shared_data):
    where = shared_data("openeo-local-stac")
    found = search((5.07, 51.215, 5.08, 51.22), "2023-06-02/2023-06-05", sensor=None, catalog=where)
    assert found.ids == ("openEO_2023-06-04Z.tif",) and found[0]["collection"] == "unknown-job"
    assert len(search(sensor=None, catalog=where / "collection.json")) == 3
    with pytest.raises(NotFound, match="unknown-job"):
        _ = found.sensor


def test_item_collections_are_taken_apart(shared_data):
    where = shared_data("stac-items-dev")
    found = search(sensor="sentinel-2-l2a", catalog=where, query={"s2:processing_baseline": {"startsWith": "05.10"}})
    assert len(found) == 4


def test_nothing_is_read_before_it_is_needed(monkeypatch):
    calls = []
    monkeypatch.setattr(folder, "read_items", lambda path: calls.append(path) or [])
    found = search(LAKE, "2017", "bigearthnet-s2-l2a", "sample")
    assert "not asked yet" in repr(found) and "not asked yet" in found._repr_html_()
    assert calls == []
    assert len(found) == 0 and list(found) == [] and not calls[1:]


def test_missing_folders_and_broken_links_are_told(tmp_path):
    with pytest.raises(NotFound, match="did you mean 'sample'"):
        len(search(catalog="smaple"))
    with pytest.raises(NotFound, match="no catalogue folder"):
        len(search(catalog=tmp_path / "gone"))
    with pytest.raises(NotFound, match="no STAC catalogue"):
        len(search(catalog=tmp_path))
    root = {"type": "Catalog", "id": "x", "links": [{"rel": "item", "href": "./gone.json"}]}
    (tmp_path / "catalog.json").write_text(json.dumps(root))
    with pytest.raises(ReadFailed, match=r"gone\.json"):
        len(search(catalog=tmp_path))
    (tmp_path / "catalog.json").write_text("{")
    with pytest.raises(ReadFailed, match="JSON"):
        len(search(catalog=tmp_path))


def test_links_that_go_round_end(tmp_path):
    links = [{"rel": "child", "href": "./catalog.json"}, {"rel": "item", "href": "./a.json"}]
    (tmp_path / "catalog.json").write_text(json.dumps({"type": "Catalog", "id": "x", "links": links + links}))
    (tmp_path / "a.json").write_text(json.dumps(item("a")))
    assert ids(tmp_path) == ("a",)


# ---- place -----------------------------------------------------------------------------------------------------
CUT = {
    "type": "MultiPolygon",
    "coordinates": [
        [[[178, -18], [180, -18], [180, -17], [178, -17], [178, -18]]],
        [[[-180, -18], [-179, -18], [-179, -17], [-180, -17], [-180, -18]]],
    ],
}
UNCUT = {"type": "Polygon", "coordinates": [[[178, -18], [-179, -18], [-179, -17], [178, -17], [178, -18]]]}


@pytest.mark.parametrize("geometry", [CUT, UNCUT, None])
def test_items_across_the_antimeridian(geometry):
    fiji = item("fiji", bbox=(178, -18, -179, -17), geometry=CUT)
    fiji["geometry"] = geometry
    for box in ((179, -17.6, 179.5, -17.5), (-179.6, -17.6, -179.5, -17.5), (179.9, -17.6, -179.9, -17.5)):
        assert folder.meets(fiji, AOI.from_bbox(box))
    for box in ((0, -17.6, 1, -17.5), (-178, -17.6, -177, -17.5), (170, -17.6, 177, -17.5)):
        assert not folder.meets(fiji, AOI.from_bbox(box))


def test_the_real_outline_decides_not_its_box():
    triangle = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 1], [0, 0]]]}
    assert not folder.meets(item("t", geometry=triangle), AOI.from_bbox((0.8, 0.8, 0.9, 0.9)))
    assert folder.meets(item("globe", bbox=(-180, -90, 180, 90)), AOI.from_bbox((10, 10, 11, 11)))


def test_aoi_forms_agree(things):
    aoi = AOI.from_bbox((0.2, 0.2, 0.3, 0.3))
    want = ids(things, aoi=aoi)
    for form in ((0.2, 0.2, 0.3, 0.3), aoi.to_geojson(), Grid.from_aoi(aoi, 100), aoi.to_crs(32631)):
        assert ids(things, aoi=form) == want == ("a", "b", "c")


# ---- nothing found ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"datetime": "2023-06-20"}, "nearest dates: 2023-06-11 \\(b\\), 2023-07-01 \\(c\\)"),
        ({"aoi": (10, 10, 11, 11)}, "longitude 0 … 41.*none on that place"),
        ({"datetime": "2023-07", "max_cloud": 50}, "1 item there and then do not state eo:cloud_cover: c"),
        ({"datetime": "2023-06-11", "max_cloud": 50}, "b: eo:cloud_cover 60"),
        ({"ids": "bb"}, "unknown item 'bb'"),
        ({"sensor": "thing"}, "did you mean 'things'"),
    ],
)
def test_an_empty_search_says_what_there_is(things, arguments, says):
    found = search(**{"aoi": (0.2, 0.2, 0.3, 0.3), "sensor": "things", "catalog": things, **arguments})
    assert len(found) == 0 and list(found) == []
    with pytest.raises(NothingFound, match=says):
        found.require()


def test_max_cloud_of_a_radar_is_refused():
    with pytest.raises(InvalidInput, match="bigearthnet-s1-grd"):
        search(LAKE, sensor="bigearthnet-s1-grd", catalog="sample", max_cloud=20)


def test_max_cloud_where_items_do_not_state_it_names_them():
    with pytest.raises(NothingFound, match="S2B_MSIL2A_20170924T93020_69_24"):
        search(LAKE, sensor="bigearthnet-s2-l2a", catalog="sample", max_cloud=20).require()


# ---- showing ---------------------------------------------------------------------------------------------------
def test_found_shows_its_query_then_its_table_escaped(tmp_path):
    nasty = "<img src=x onerror=alert(1)>"
    (tmp_path / "a.json").write_text(json.dumps(item(nasty, **{"eo:cloud_cover": 12.34})))
    found = search(sensor="things", catalog=tmp_path)
    assert len(found) == 1
    assert nasty in repr(found) and "12.3 %" in repr(found)
    assert "<img" not in found._repr_html_() and "&lt;img" in found._repr_html_()


def test_geodataframe(things):
    table = search(sensor="things", catalog=things).to_geodataframe()
    assert table.crs == 4326 and list(table["id"]) == ["a", "d", "b", "c"]
    empty = search(ids="zz", sensor="things", catalog=things).to_geodataframe()
    assert len(empty) == 0 and list(empty.columns) == list(table.columns)


def test_found_pickles(things):
    found = search(sensor="things", catalog=things)
    assert pickle.loads(pickle.dumps(found)).ids == found.ids


def test_headers_and_tokens_are_never_shown():
    where = Catalog("https://user:secret@example.org/stac?key=secret", headers={"Authorization": "secret"})
    assert "secret" not in where.shown + repr(search(catalog=where)) + search(catalog=where)._repr_html_()


# ---- sensors ---------------------------------------------------------------------------------------------------
def test_unknown_sensors_get_a_suggestion():
    with pytest.raises(NotFound, match="did you mean 'sentinel-2-l2a'"):
        sensor_of("sentinel2-l2a")
    with pytest.raises(NotFound, match="did you mean 'nir08'"):
        SENSORS["sentinel-2-l2a"].band("nir8")
    with pytest.raises(NotFound, match="names no collection"):
        sensor_of({"type": "Feature", "id": "x"})


def test_sensor_tables_hold_together():
    for sensor in SENSORS.values():
        names = [b.name for b in sensor.bands]
        keys = [k for b in sensor.bands for k in b.assets]
        assert len(set(names)) == len(names) and len(set(keys)) == len(keys)
        assert sensor.resolution == min(b.resolution for b in sensor.bands)
        assert sensor.clouds is None or (sensor.band(sensor.clouds).labels and sensor.cloudy)
        assert bool(sensor.polarisations) == (sensor.kind == "sar")


REAL = {
    "earthsearch_S2A_32TMS_20221207_0_L2A.json": 0.0,  # 05.09, offset taken off by the provider
    "earthsearch_S2A_33TWN_20171005_0_L2A.json": 0.0,  # 00.01
    "earthsearch_S2A_33TWN_20210629_0_L2A.json": 0.0,  # 03.00
    "earthsearch_S2B_33TWN_20180521_1_L2A.json": 0.0,  # 02.07
    "earthsearch_S2B_33TWN_20220130_0_L2A.json": 0.0,  # 04.00, taken off
    "pc_sentinel-2-l2a_4items.json": -0.1,  # 05.10, raw DN
}


@pytest.mark.parametrize("name", REAL)
def test_sentinel2_offset_by_provider_and_baseline(shared_data, name):
    data = json.loads((shared_data("stac-items-dev") / name).read_text())
    sensor = SENSORS["sentinel-2-l2a"]
    for thing in data if isinstance(data, list) else [data]:
        rule = scaling(sensor, thing, sensor.band("red"))
        assert (rule.scale, rule.offset, rule.nodata) == (1e-4, REAL[name], 0)
        assert sensor.asset_of(thing, sensor.band("nir08")) in ("nir08", "B8A")
        assert scaling(sensor, thing, sensor.band("scl")).scale == 1


def test_offset_not_yet_taken_off_is_applied_and_no_baseline_is_an_error():
    sensor = SENSORS["sentinel-2-l2a"]
    late = item("x", **{"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "04.00"})
    assert scaling(sensor, late, sensor.band("red")).apply(1000.0) == pytest.approx(0.0)
    with pytest.raises(ValueError, match="s2:processing_baseline"):
        scaling(sensor, item("x"), sensor.band("red"))


# ---- an API: the protocol, against a stand-in ------------------------------------------------------------------
CONFORMS = ["core", "item-search", "item-search#sort", "item-search#query", "item-search#filter", "ogcapi-features"]


class StandIn:
    """A STAC API that answers every search with `features`, two a page, and keeps what it was asked."""

    def __init__(self, features, conforms=CONFORMS, status=200):
        self.features, self.conforms, self.status, self.asked, self.headers = features, conforms, status, [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _send(self, data, status=200):
                body = json.dumps(data).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                outer.headers.append(dict(self.headers))
                self._send(outer.landing(), outer.status)

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append(body)
                at = body.get("token", 0)
                page = {"type": "FeatureCollection", "features": outer.features[at : at + 2], "links": []}
                if at + 2 < len(outer.features):
                    nxt = {"rel": "next", "href": outer.url + "/search", "method": "POST", "merge": True}
                    page["links"].append({**nxt, "type": "application/geo+json", "body": {"token": at + 2}})
                self._send(page)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def landing(self):
        links = [
            {"rel": "self", "href": self.url}, {"rel": "root", "href": self.url},
            {"rel": "search", "href": self.url + "/search", "type": "application/geo+json", "method": "POST"},
            {"rel": "data", "href": self.url + "/collections"},
        ]  # fmt: skip
        conforms = [f"https://api.stacspec.org/v1.0.0/{c}" for c in self.conforms]
        return {
            "type": "Catalog", "stac_version": "1.0.0", "id": "stand-in", "description": "-",
            "conformsTo": conforms, "links": links,
        }  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def features(things):
    return [json.loads((things / f"{n}.json").read_text()) for n in "cbad"]


def test_an_api_is_asked_in_its_own_words_and_gives_what_a_folder_gives(things, features):
    arguments = {
        "aoi": (-1, -1, 50, 2), "datetime": "2023-06", "max_cloud": 50, "sortby": "-datetime", "limit": 10,
        "query": {"eo:cloud_cover": {"gte": 0}},
    }  # fmt: skip
    with StandIn(features) as server:
        found = search(catalog=Catalog(server.url, headers={"X-Key": "k"}), sensor="things", **arguments)
        assert server.headers == [] and "not asked yet" in repr(found)
        assert found.ids == ids(things, **arguments) == ("d", "a")
    body = server.asked[0]
    assert body["collections"] == ["things"] and body["limit"] == 10
    assert body["datetime"] == "2023-06-01T00:00:00Z/2023-06-30T23:59:59.999999Z"
    assert body["query"] == {"eo:cloud_cover": {"gte": 0, "lte": 50.0}}
    assert body["sortby"] == [{"field": "properties.datetime", "direction": "desc"}]
    assert body["intersects"]["type"] == "Polygon"
    assert len(server.asked) == 2  # paged
    assert server.headers[0]["X-Key"] == "k"


def test_items_of_an_api_stay_raw(features):
    features[0]["properties"]["proj:epsg"] = 32633
    with StandIn(features[:1]) as server:
        assert search(sensor=None, catalog=server.url)[0]["properties"]["proj:epsg"] == 32633


def test_an_api_with_filter_only_is_sent_cql2(features):
    with StandIn(features, conforms=[c for c in CONFORMS if "query" not in c]) as server:
        tests = {"platform": {"startsWith": "o_e"}, "eo:cloud_cover": {"lt": 20}}
        search(sensor=None, catalog=server.url, query=tests).items
    assert server.asked[0]["filter-lang"] == "cql2-json"
    assert server.asked[0]["filter"] == {
        "op": "and",
        "args": [
            {"op": "like", "args": [{"property": "platform"}, "o\\_e%"]},
            {"op": "<", "args": [{"property": "eo:cloud_cover"}, 20]},
        ],
    }


def test_what_an_api_cannot_do_is_done_here(features):
    with StandIn(features, conforms=["core", "item-search", "ogcapi-features"]) as server:
        found = search(sensor=None, catalog=server.url, max_cloud=50, sortby="-datetime", limit=1)
        assert found.ids == ("d",)
    assert not {"query", "filter", "sortby"} & set(server.asked[0]) and server.asked[0]["limit"] == 100


def test_an_empty_answer_of_an_api_says_what_to_widen():
    with StandIn([]) as server:
        found = search(LAKE, "2017", "sentinel2-l2a", server.url)
        with pytest.raises(NothingFound, match="did you mean 'sentinel-2-l2a'.*Widen"):
            found.require()


def test_a_dead_network_is_told_fast_and_without_tokens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begun = time.monotonic()
    with pytest.raises(ReadFailed, match="cannot be reached.*network") as caught:
        search(catalog=f"http://127.0.0.1:{port}/stac?key=SECRET").items
    assert time.monotonic() - begun < 2 and "SECRET" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("status", "says"), [(403, "wants a key"), (429, "too many requests"), (404, "check the address")]
)
def test_refusals_of_an_api_are_told(monkeypatch, status, says):
    monkeypatch.setattr(api, "BACKOFF_SECONDS", 0)
    with StandIn([], status=status) as server, pytest.raises(ReadFailed, match=says):
        search(catalog=server.url).items


def test_a_static_catalogue_at_a_url_is_told(features):
    with StandIn(features, conforms=["core"]) as server, pytest.raises(ReadFailed, match="item search"):
        search(catalog=server.url).items


def test_found_is_what_search_returns():
    assert isinstance(search(catalog="earth-search"), Found) and Catalog("earth-search").is_api
