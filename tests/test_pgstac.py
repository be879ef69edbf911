"""Search, cube and scene against a real STAC API (stac-fastapi-pgstac) with real items, their pixels behind tokens."""

from __future__ import annotations

import datetime as dt
import json
import traceback

import numpy as np
import pytest
import rasterio
from pyproj import CRS
from servers.content import MANY, STYRIA, STYRIA_SHAPE
from servers.faults import FaultProxy

import terrascope_nb as ts
from terrascope_nb.errors import NothingFound, ReadFailed
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.stac.catalog import Catalog

pytestmark = pytest.mark.stac
L2A = "sentinel-2-l2a"
AUSTRIA = (15.0, 46.9, 16.6, 47.9)  # tile 33TWN, which overlaps 33TWM
EAST = (529_980, 5_130_000, 545_000, 5_150_000)  # EPSG:32633, away from the swath's edge


def ids(found):
    return sorted(found.ids)


def expected(stac, keep):
    return sorted(i["id"] for i in stac.archive.items if keep(i))


def in_collection(name):
    return lambda i: i["collection"] == name


# ---- search -----------------------------------------------------------------------------------------------------
def test_a_box_finds_what_lies_in_it(stac):
    found = ts.search((15.1, 47.3, 15.3, 47.5), sensor=L2A, catalog=stac.catalog)
    assert ids(found) == [
        "S2A_33TWN_20210629_0_L2A", "S2B_33TWN_20180521_1_L2A", "S2B_33TWN_20220130_0_L2A",
    ]  # fmt: skip
    assert all("33TWN" in i for i in ts.search(AUSTRIA, "2017/2022", sensor=L2A, catalog=stac.catalog).ids)


def test_a_polygon_finds_less_than_its_box(stac):
    """The western corner of the tile's box is outside of every 2017 and 2023 footprint."""
    triangle = {"type": "Polygon", "coordinates": [[[15.01, 46.5], [15.12, 46.9], [15.01, 46.9], [15.01, 46.5]]]}
    box = AOI.from_bbox((15.01, 46.5, 15.4, 46.9))
    wide = ts.search(box, "2023-08", sensor=L2A, catalog=stac.catalog)
    slim = ts.search(triangle, "2023-08", sensor=L2A, catalog=stac.catalog)
    assert len(wide) == 5 and set(slim.ids) < set(wide.ids)


@pytest.mark.parametrize(
    ("when", "days"),
    [
        ("2023-08-15", [15]),
        ("2023-08", [10, 13, 15, 18, 20]),
        ("2023-08-13/2023-08-18", [13, 15, 18]),
        ("2023-08-18/..", [18, 20]),
        (("2023-08-15T00:00:00Z", None), [15, 18, 20]),
        ((dt.datetime(2023, 8, 13), dt.datetime(2023, 8, 15, 23)), [13, 15]),
        (dt.date(2023, 8, 20), [20]),
    ],
)
def test_every_form_of_dates(stac, when, days):
    found = ts.search((15.2, 46.2, 15.6, 46.6), when, sensor=L2A, catalog=stac.catalog)
    later = [i for i in found if i["properties"]["datetime"] >= "2023-08"]
    assert [int(i["properties"]["datetime"][8:10]) for i in later] == days


def test_cloud_cover_compares_as_a_number(stac):
    place, when = (15.2, 46.2, 15.6, 46.6), "2023-08"
    few = ts.search(place, when, sensor=L2A, catalog=stac.catalog, max_cloud=10)
    assert [i.split("_")[2] for i in few.ids] == ["20230813", "20230815", "20230820"]
    asked = ts.search(place, when, L2A, stac.catalog, query={"eo:cloud_cover": {"gt": 2, "lt": 50}})
    assert [i.split("_")[2] for i in asked.ids] == ["20230818"]
    both = ts.search(place, when, L2A, stac.catalog, max_cloud=10, query={"platform": {"eq": "sentinel-2b"}})
    assert [i.split("_")[2] for i in both.ids] == ["20230813", "20230820"]


def test_sorted_by_the_server(stac):
    place, when = (15.2, 46.2, 15.6, 46.6), "2023-08"
    by_cloud = ts.search(place, when, L2A, stac.catalog, sortby="properties.eo:cloud_cover")
    clouds = [i["properties"]["eo:cloud_cover"] for i in by_cloud]
    assert clouds == sorted(clouds) and clouds[0] < 1 < clouds[-1]
    newest = ts.search(place, when, L2A, stac.catalog, sortby="-datetime", limit=2)
    assert [i.split("_")[2] for i in newest.ids] == ["20230820", "20230818"]


def test_ids(stac):
    wanted = ["S2A_33TWM_20230815_0_L2A", "S2B_33TWM_20230810_0_L2A"]
    assert ids(ts.search(sensor=L2A, catalog=stac.catalog, ids=wanted)) == sorted(wanted)


def test_pages_of_more_than_a_hundred(stac):
    found = ts.search(sensor=MANY, catalog=stac.catalog)
    assert list(found.ids) == [f"many-{k:03d}" for k in range(230)]
    assert ts.search(sensor=MANY, catalog=stac.catalog, sortby="datetime", limit=150).ids == found.ids[:150]
    clear = ts.search(sensor=MANY, catalog=stac.catalog, max_cloud=50, sortby="-eo:cloud_cover", limit=120)
    covers = [i["properties"]["eo:cloud_cover"] for i in clear]
    assert covers == sorted(covers, reverse=True) and covers[0] == 50 and len(covers) == 115


def test_matched_counts_without_fetching(stac):
    found = ts.search(sensor=MANY, catalog=stac.catalog, limit=3)
    assert found.matched() == 230 and len(found) == 3
    assert ts.search(sensor=MANY, catalog=stac.catalog, max_cloud=50).matched() == 115


def test_across_the_antimeridian(stac):
    """The AOI's eastern half is at −180…; items of zone 60 that reach over are found by either half."""
    over = AOI.from_bbox((179.0, 60.0, -179.0, 61.0))
    assert ids(ts.search(over, sensor="io-lulc-annual-v02", catalog=stac.catalog)) == ["60V-2023"]
    west = ts.search((178.0, 60.0, 179.0, 61.0), sensor="io-lulc-annual-v02", catalog=stac.catalog)
    assert ids(west) == ["60V-2023"]


def test_near_the_pole(stac):
    found = ts.search((93.5, 81.2, 95.0, 81.6), sensor=L2A, catalog=stac.catalog)
    assert ids(found) == expected(stac, lambda i: "_R122_T4" in i["id"] and i["bbox"][1] < 81.2 and i["bbox"][3] > 81.5)


@pytest.mark.parametrize("name", ["landsat-c2-l2", "sentinel-1-rtc", "io-lulc-annual-v02", "bigearthnet-s2-l2a"])
def test_every_collection_comes_as_it_went_in(stac, name):
    found = ts.search(sensor=name, catalog=stac.catalog)
    assert ids(found) == expected(stac, in_collection(name))
    before = {i["id"]: i for i in stac.archive.items if i["collection"] == name}
    for item in found:
        assert {k: a["href"] for k, a in item["assets"].items()} == {
            k: a["href"] for k, a in before[item["id"]]["assets"].items()
        }


def test_nothing_found_tells_the_nearest_dates(stac):
    with pytest.raises(NothingFound, match="2021-03"):
        ts.search((15.2, 46.2, 15.6, 46.6), "2021-03", L2A, stac.catalog).require()


# ---- pixels -----------------------------------------------------------------------------------------------------
def styria_grid():
    return Grid(STYRIA, STYRIA_SHAPE, CRS.from_epsg(32633))


def test_cube_of_signed_pixels_is_the_file_s(stac):
    found = ts.search(styria_grid(), "2023-08-13/2023-08-15", L2A, stac.catalog)
    cube = ts.open_cube(found, styria_grid(), bands=["red", "scl"]).load()
    folder = stac.archive.blobs.containers["private-styria"]
    for t, name in enumerate(cube.item_ids.values):
        with rasterio.open(folder / str(name) / "B04.tif") as src:
            dn = src.read(1)
        assert np.array_equal(np.isnan(cube.red[t].values), dn == 0)
        np.testing.assert_allclose(cube.red[t].values[dn > 0], dn[dn > 0] * 1e-4, rtol=1e-6)
    kept = json.dumps([cube.attrs, list(found.items)])
    assert not any(s in kept for s in stac.archive.blobs.secrets()) and "sig=" not in kept


def test_an_asset_that_is_not_there_is_named(stac):
    name = "S1A_IW_GRDH_1SDV_20240419T045904_20240419T045916_053498_067DF2_rtc"
    found = ts.search(sensor="sentinel-1-rtc", catalog=stac.catalog, ids=name)
    cube = ts.open_cube(found, Grid.from_aoi(AOI.from_bbox((15.0, 30.2, 15.01, 30.21)), 10), bands=["vv"])
    with pytest.raises(ReadFailed, match=r"item 'S1A_IW.*asset 'vv'.*404.*not there"):
        cube.compute()


def test_optical_and_radar_of_two_dates_in_one_call_and_a_question(stac, tmp_path):
    aoi = AOI.from_bbox(EAST, crs=32633)
    scene = ts.load_scene(
        aoi, "2023-08", sar="sentinel-1-rtc", catalog=stac.catalog, times=["2023-08-13", "2023-08-20"], resolution=120,
        bands=["blue", "green", "red", "nir"],
    )  # fmt: skip
    assert sorted((i.modality, str(i.day)) for i in scene.images) == [
        ("optical", "2023-08-13"), ("optical", "2023-08-20"), ("sar", "2023-08-13"), ("sar", "2023-08-20"),
    ]  # fmt: skip
    assert all(i.array(next(iter(i.bands))).shape == scene.grid.shape for i in scene.images)
    assert any("radar" in n for n in scene.notes)
    trace = ts.ask(scene, "What share of the area is vegetation?")
    assert trace.answer.finish == "stop" and trace.answer.value is not None
    page = trace.to_html(tmp_path / "trace.html").read_text(encoding="utf-8")
    everything = repr(scene) + repr(trace) + page + " ".join(scene.notes)
    assert not any(s in everything for s in stac.archive.blobs.secrets()) and "sig=" not in everything


def test_a_missing_band_is_a_gap_that_scene_and_trace_name_or_an_error(stac):
    def load(**options):
        aoi = AOI.from_bbox(EAST, crs=32633)
        return ts.load_scene(
            aoi, "2023-08", catalog=stac.catalog, times=["2023-08-13", "2023-08-20"], resolution=120,
            bands=["green", "red", "nir"], **options,
        )  # fmt: skip

    path = stac.archive.blobs.containers["private-styria"] / "S2B_33TWM_20230820_0_L2A" / "B04.tif"
    away = path.rename(path.with_suffix(".away"))
    try:
        with pytest.raises(ReadFailed, match="item 'S2B_33TWM_20230820_0_L2A', asset 'red'.*not there.*ids="):
            load()
        scene = load(on_missing="skip")
    finally:
        away.rename(path)
    said = "gap: item S2B_33TWM_20230820_0_L2A has no usable asset red: it answers 404"
    assert any(said in n for n in scene.notes), scene.notes
    assert said in str(ts.ask(scene, "What share of the area is vegetation?").provenance)
    assert "2023-08-13" in [str(i.day) for i in scene.images]


# ---- the API under fire ---------------------------------------------------------------------------------------------
@pytest.fixture
def before(stac):
    """A proxy before the API, and a catalogue that asks through it."""
    with FaultProxy(stac.server.url, stall=0.1) as proxy:
        yield proxy, Catalog(proxy.url, sign=stac.archive.sign, headers={"X-Key": "KEY-THAT-MUST-NOT-SHOW"})


@pytest.mark.parametrize("kind", ["429", "429 until", "503", "504"])
@pytest.mark.parametrize("path", ["/", "/search"])
def test_a_busy_api_is_asked_again_and_retry_after_heeded(before, kind, path):
    proxy, catalog = before
    proxy.plan = lambda p, n: kind if (p or "/") == path and n == 0 else None
    found = ts.search((15.2, 46.2, 15.6, 46.6), "2023-08", L2A, catalog)
    assert len(found) == 5 and proxy.counts[kind] == 1
    assert all(late > -0.05 for late in proxy.retries_heeded)


def test_later_pages_are_asked_again_too(before):
    proxy, catalog = before
    proxy.plan = lambda p, n: "503" if p == "/search" and n == 1 else None
    assert len(ts.search(sensor=MANY, catalog=catalog)) == 230 and proxy.counts["503"] == 1


@pytest.mark.parametrize(("kind", "says"), [("429", "429.*wait a minute"), ("503", "503"), ("denied", "403.*headers=")])
def test_an_api_that_stays_so_is_told_without_its_key(before, kind, says):
    proxy, catalog = before
    proxy.plan = lambda p, n: kind
    with pytest.raises(ReadFailed, match=says) as caught:
        len(ts.search((15.2, 46.2, 15.6, 46.6), "2023-08", L2A, catalog))
    err, links = caught.value, []
    while err is not None:
        links += traceback.format_exception(err)
        err = err.__cause__ or err.__context__
    assert "KEY-THAT" not in "".join(links) + repr(catalog)


def test_nothing_is_left_running(stac):
    """Everything that was started belongs to this run's folder and answers on this machine alone."""
    import psutil

    mine = [p for p in psutil.process_iter(["cmdline"]) if str(stac.server.folder) in " ".join(p.info["cmdline"] or [])]
    assert mine and all(c.laddr.ip == "127.0.0.1" for p in mine for c in p.net_connections("inet") if c.laddr)


# ---- the examples, against the server -------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["earth_search_sar", "planetary_computer"])
def test_the_examples_run_against_the_server(stac, name, tmp_path, monkeypatch):
    """One switch, ``--catalog``, leads them here; the pixels are open for it, as they take no signer."""
    import runpy
    from pathlib import Path

    monkeypatch.setattr(stac.archive.blobs, "admits", lambda query: True)
    script = Path(__file__).resolve().parents[1] / "examples" / f"{name}.py"
    main = runpy.run_path(str(script))["main"]
    box = [f"{v:.4f}" for v in AOI.from_bbox(EAST, crs=32633).to_lonlat().bounds]
    trace = main(
        ["--catalog", stac.server.url, "--bbox", *box, "--dates", "2023-08", "--resolution", "120",
         "--out", str(tmp_path)]
    )  # fmt: skip
    assert trace.answer.finish == "stop" and trace.steps
    assert (tmp_path / "report.html").is_file()
