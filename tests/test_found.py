"""What a search gives beside its items: counts, thumbnails, clouds over an AOI, and words where nothing is found."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from pyproj import CRS
from range_server import RangeServer

from terrascope_nb.errors import InvalidInput, NotFound, NothingFound, ReadFailed
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.stac.catalog import Catalog, search
from terrascope_nb.stac.clouds import clear_median
from terrascope_nb.stac.cube import open_cube
from terrascope_nb.stac.describe import describe_found
from terrascope_nb.stac.sensors import SCL_NOT_CLEAR

L2A = "sentinel-2-l2a"
CONFORMS = ["core", "collections", "item-search", "item-search#sort", "item-search#query", "ogcapi-features"]


def item(name: str, when: str, assets: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    ring = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": L2A, "bbox": [0, 0, 1, 1],
        "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {"datetime": when, **properties},
        "links": [], "assets": assets or {},
    }  # fmt: skip


class Api:
    """A small STAC API that searches by datetime, cloud cover and ids, sorts by time, limits, and counts if told to."""

    def __init__(self, items: list[dict[str, Any]], counts: bool = True, conforms: list[str] = CONFORMS) -> None:
        self.asked: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _send(self, data: dict[str, Any]) -> None:
                body = json.dumps(data).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                if self.path.startswith("/collections"):
                    extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
                    held = {"type": "Collection", "stac_version": "1.0.0", "id": L2A, "description": "-"}
                    held |= {"license": "x", "extent": extent, "links": []}
                    self._send({"collections": [held], "links": []})
                    return
                links = [{"rel": "self", "href": outer.url}, {"rel": "root", "href": outer.url}]
                links.append(
                    {"rel": "search", "href": outer.url + "/search", "type": "application/geo+json", "method": "POST"}
                )
                self._send({
                    "type": "Catalog", "stac_version": "1.0.0", "id": "api", "description": "-",
                    "links": [*links, {"rel": "data", "href": outer.url + "/collections"}],
                    "conformsTo": [f"https://api.stacspec.org/v1.0.0/{c}" for c in conforms],
                })  # fmt: skip

            def do_POST(self) -> None:
                ask = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append(ask)
                first, _, last = ask.get("datetime", "../..").partition("/")
                most = ask.get("query", {}).get("eo:cloud_cover", {}).get("lte", 100)
                hits = [
                    i
                    for i in items
                    if (first == ".." or i["properties"]["datetime"] >= first)
                    and (last == ".." or i["properties"]["datetime"] <= last)
                    and (not ask.get("ids") or i["id"] in ask["ids"])
                    and i["properties"].get("eo:cloud_cover", 0) <= most
                ]
                down = any(s["direction"] == "desc" for s in ask.get("sortby", []))
                hits.sort(key=lambda i: i["properties"]["datetime"], reverse=down)
                page = {"type": "FeatureCollection", "features": hits[: ask.get("limit", 10)], "links": []}
                self._send(page | ({"numberMatched": len(hits)} if counts else {}))

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Api:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.server.shutdown()
        self.server.server_close()


YEAR = [item(f"m{m}", f"2023-{m:02d}-15T10:00:00Z", **{"eo:cloud_cover": 5.0 * m}) for m in range(1, 13)]
PLACE = (0.2, 0.2, 0.3, 0.3)


# ---- counts ---------------------------------------------------------------------------------------------------------
def test_matched_asks_the_api_for_the_count_alone() -> None:
    with Api(YEAR) as api:
        found = search(PLACE, "2023", L2A, api.url, max_cloud=30, limit=2)
        assert found.matched() == 6
        assert [a["limit"] for a in api.asked] == [1] and "not asked yet" in repr(found)
        assert len(found) == 2 and found.matched() == 6


def test_matched_is_none_where_the_api_does_not_tell_and_known_where_all_are_here() -> None:
    with Api(YEAR, counts=False) as api:
        found = search(PLACE, "2023", L2A, api.url)
        assert found.matched() is None
        assert len(found) == 12 and found.matched() == 12
    with Api(YEAR, conforms=["core", "item-search"]) as api:
        assert search(PLACE, "2023", L2A, api.url, max_cloud=30).matched() is None  # it would count the others too


def test_matched_counts_a_folder_whatever_the_limit(tmp_path: Path) -> None:
    for i in YEAR:
        (tmp_path / f"{i['id']}.json").write_text(json.dumps(i))
    found = search(PLACE, "2023-03/2023-08", L2A, tmp_path, limit=1)
    assert found.matched() == 6 and len(found) == 1 and found.matched() == 6


def test_slices_are_searches_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(YEAR))
    found = search(PLACE, "2023", L2A, tmp_path)
    assert found[2:4].ids == ("m3", "m4") and found[2:4].sensor is found.sensor and found[0]["id"] == "m1"
    assert found.only(found.items[::-5]).ids == ("m12", "m7", "m2")


# ---- nothing found ------------------------------------------------------------------------------------------------
def test_an_api_is_asked_for_the_nearest_dates_once_before_and_once_after() -> None:
    with Api(YEAR) as api:
        found = search(PLACE, "2023-06-20/2023-06-25", L2A, api.url)
        assert len(found) == 0 and len(api.asked) == 1
        with pytest.raises(NothingFound, match=r"2023-06-20.*nearest dates are: 2023-06-15 \(m6\), 2023-07-15 \(m7\)"):
            found.require()
    before, after = api.asked[1:]
    assert (before["limit"], after["limit"]) == (1, 1)
    assert before["datetime"].startswith("../") and after["datetime"].endswith("/..")
    assert before["sortby"][0]["direction"] == "desc" and after["sortby"][0]["direction"] == "asc"


def test_a_condition_that_leaves_nothing_is_told_with_what_there_is() -> None:
    with Api(YEAR) as api, pytest.raises(NothingFound, match=r"m10: eo:cloud_cover 50\.0.*Loosen"):
        search(PLACE, "2023-10", L2A, api.url, max_cloud=20).require()
    with Api(YEAR) as api, pytest.raises(NothingFound, match="Check the ids"):
        search(PLACE, None, L2A, api.url, ids="m13").require()


def test_where_the_api_has_nothing_or_cannot_sort_what_to_widen_is_told() -> None:
    for items, conforms in (([], CONFORMS), (YEAR, ["core", "item-search"])):
        with Api(items, conforms=conforms) as api, pytest.raises(NothingFound, match="2021.*Widen the dates"):
            search(PLACE, "2021", L2A, api.url).require()


def test_a_collection_that_the_api_lacks_is_told() -> None:
    with (
        Api([]) as api,
        pytest.raises(NothingFound, match="unknown collection of this catalogue 'sentinel-1-rtc'.*l2a"),
    ):
        search(PLACE, "2021", "sentinel-1-rtc", api.url).require()


# ---- thumbnails -----------------------------------------------------------------------------------------------------
def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (20, 120, 60)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def pictures(tmp_path: Path) -> Iterator[tuple[RangeServer, Path]]:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "t.png").write_bytes(png())
    (tmp_path / "served" / "bad.jpg").write_bytes(b"<html>no picture</html>")
    with RangeServer(tmp_path / "served") as server:
        yield server, tmp_path


def test_thumbnails_come_one_by_one_and_once(pictures: tuple[RangeServer, Path]) -> None:
    server, tmp = pictures
    made = [
        item("a", "2023-01-01T00:00:00Z", {"thumbnail": {"href": server.url + "/t.png?sig=SECRET"}}),
        item("b", "2023-01-02T00:00:00Z", {"rendered_preview": {"href": server.url + "/t.png", "type": "image/png"}}),
        item(
            "c",
            "2023-01-03T00:00:00Z",
            {"preview": {"href": "p.tif", "roles": ["thumbnail"]}, "red": {"href": "r.tif"}},
        ),
        item("d", "2023-01-04T00:00:00Z", {"quick": {"href": str(tmp / "served" / "t.png"), "roles": ["overview"]}}),
    ]
    (tmp / "items").mkdir()
    (tmp / "items" / "all.json").write_text(json.dumps(made))
    signed: list[str] = []
    where = Catalog(tmp / "items", headers={"X-Key": "k"}, sign=lambda h: signed.append(h) or h)
    thumbs = search(None, None, L2A, where).thumbnails()
    assert len(thumbs) == 4 and server.asked == [] and "0 fetched" in repr(thumbs)
    assert "not fetched yet" in thumbs._repr_html_() and server.asked == []
    assert thumbs[0] == png() and thumbs[0] == png() and len(server.asked) == 1 and len(signed) == 1
    assert thumbs[2] is None and thumbs[-1] == png()
    strip = thumbs.html()
    assert strip.count("data:image/png;base64,") == 3 and "no thumbnail" in strip and "SECRET" not in strip
    assert len(server.asked) == 2 and not any("X-Key" in h for h in server.headers)  # a key is for its own host


@pytest.mark.parametrize(
    ("href", "says"),
    [("/gone.png?sig=SECRET", "'a', asset 'thumbnail': .*gone.png answers 404"), ("/bad.jpg", "no PNG, JPEG")],
)
def test_thumbnails_that_fail_are_named(pictures: tuple[RangeServer, Path], href: str, says: str) -> None:
    server, tmp = pictures
    (tmp / "a.json").write_text(
        json.dumps(item("a", "2023-01-01T00:00:00Z", {"thumbnail": {"href": server.url + href}}))
    )
    with pytest.raises(ReadFailed, match=says) as caught:
        search(None, None, L2A, tmp).thumbnails().fetch()
    assert "SECRET" not in str(caught.value)
    away = item("b", "2023-01-01T00:00:00Z", {"thumbnail": {"href": "s3://bucket/t.png"}})
    (tmp / "a.json").write_text(json.dumps(away))
    with pytest.raises(ReadFailed, match="not fetched over HTTP"):
        search(None, None, L2A, tmp).thumbnails()[0]


def test_real_items_have_a_picture_to_show(shared_data: Callable[[str], Path]) -> None:
    from terrascope_nb.stac.thumbnails import picture_of

    folder = shared_data("stac-items-dev")
    wanted = {"pc_sentinel-2-l2a_4items.json": "rendered_preview", "pc_landsat-c2-l2_4items.json": "rendered_preview",
              "earthsearch_S2A_32TMS_20221207_0_L2A.json": "thumbnail", "earthsearch_v0_S2A_28QCH_20200714_0_L2A.json":
              "thumbnail", "pc_sentinel-1-rtc_4items.json": "rendered_preview"}  # fmt: skip
    for name, key in wanted.items():
        data = json.loads((folder / name).read_text())
        first = data[0] if isinstance(data, list) else data.get("features", [data])[0]
        found = picture_of(first)
        assert found is not None and found[0] == key, name


# ---- clouds over an AOI --------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def styria(shared_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Grid]:
    """Five real items of tile 33TWM, their rasters given back the place that they were cropped from."""
    source, target = shared_data("mapchete-33twm-stac"), tmp_path_factory.mktemp("styria")
    place = Affine(120, 0, 499980, 0, -120, 5200020 - 300 * 120)
    for file in source.rglob("*.json"):
        folder = target / file.parent.name
        folder.mkdir()
        (folder / file.name).write_bytes(file.read_bytes())
        for tif in file.parent.glob("*.tif"):
            with rasterio.open(tif) as src:
                profile = src.profile | {"crs": 32633, "transform": place, "driver": "GTiff"}
                with rasterio.open(folder / tif.name, "w", **profile) as dst:
                    dst.write(src.read())
    return target, Grid(place, (400, 400), CRS.from_epsg(32633))


def test_clouds_item_by_item_are_those_of_the_aoi_not_of_the_tile(styria: tuple[Path, Grid]) -> None:
    where, grid = styria
    window = grid.window(slice(100, 200), slice(250, 350))
    found = search(window, "2023-08", L2A, where)
    table = found.cloud_share(resolution=120)
    assert list(table["id"]) == list(found.ids) and list(table.columns[2:5]) == ["clear", "cloud", "nodata"]
    assert np.allclose(table[["clear", "cloud", "nodata"]].sum(axis=1), 1)
    for _, row in table.iterrows():
        with rasterio.open(where / row["id"] / "SCL.tif") as src:
            scl = src.read(1)[100:200, 250:350]
        assert row["clear"] == pytest.approx(1 - np.isin(scl, SCL_NOT_CLEAR).mean(), abs=0.01)
    assert (table["eo:cloud_cover"] - 100 * table["cloud"]).abs().max() > 10  # that is why


def test_clouds_elsewhere_and_of_radar(styria: tuple[Path, Grid], tmp_path: Path) -> None:
    where, _ = styria
    found = search(None, "2023-08-13", L2A, where)
    assert found.cloud_share((16.4, 46.3, 16.41, 46.31))["nodata"].tolist() == [1.0]  # beside the files' window
    assert found.cloud_share((40.0, 46.3, 40.01, 46.31))["nodata"].tolist() == [1.0]
    with pytest.raises(InvalidInput, match="needs a place"):
        found.cloud_share()
    radar = search((30.58, 62.81, 30.62, 62.83), None, "bigearthnet-s1-grd", "sample")
    with pytest.raises(NotFound, match="no cloud layer"):
        radar.cloud_share()


def test_a_large_aoi_is_looked_at_coarsely(styria: tuple[Path, Grid]) -> None:
    where, grid = styria
    table = search(grid, "2023-08-15", L2A, where).cloud_share()
    with rasterio.open(where / table["id"][0] / "SCL.tif") as src:
        whole = 1 - np.isin(src.read(1), SCL_NOT_CLEAR).mean()
    assert table["clear"][0] == pytest.approx(whole, abs=0.01)


def test_description_for_a_terminal(styria: tuple[Path, Grid]) -> None:
    where, grid = styria
    found = search(grid.window(slice(100, 200), slice(250, 350)), "2023-08", L2A, where)
    lines = describe_found(found).splitlines()
    assert lines[0].startswith("5 items in") and "tile cloud" in lines[1] and "70.6 %" in lines[2]
    assert "AOI clear" in describe_found(found, clouds=True).splitlines()[1]
    radar = search((30.58, 62.81, 30.62, 62.83), None, "bigearthnet-s1-grd", "sample")
    assert "descending 80" in describe_found(radar)


# ---- the clear median -----------------------------------------------------------------------------------------------
def test_the_median_is_that_of_the_clear_pixels(styria: tuple[Path, Grid]) -> None:
    where, grid = styria
    cube = open_cube(search(grid, "2023-08", L2A, where), grid, bands=["red", "nir", "scl"])
    middle = clear_median(cube)
    assert (
        middle.red.chunks and set(middle.data_vars) == {"red", "nir", "clear_count"} and middle.red.dtype == "float32"
    )
    red, scl = cube.red.values, cube.scl.values
    clear = ~np.isin(scl, SCL_NOT_CLEAR)
    with np.errstate(all="ignore"):
        stack = np.where(clear, red, np.nan)
        want = np.full(grid.shape, np.nan)
        some = np.isfinite(stack).any(axis=0)
        want[some] = np.nanmedian(stack[:, some], axis=0)
    np.testing.assert_allclose(middle.red.values, want, rtol=1e-6)
    assert np.array_equal(middle.clear_count.values, clear.sum(axis=0))
    assert "5 dates" in middle.attrs["terrascope:composite"] and middle.rio.crs.to_epsg() == 32633
    assert clear_median(cube.load()).red.equals(middle.red.compute())
    with pytest.raises(NotFound, match="holds no 'scl'"):
        clear_median(cube[["red"]])
    with pytest.raises(InvalidInput, match="class layers only"):
        clear_median(cube[["scl"]])
    with pytest.raises(InvalidInput, match="cube with time"):
        clear_median(cube.isel(time=0))


def test_an_aoi_may_be_any_form(styria: tuple[Path, Grid]) -> None:
    where, grid = styria
    window = grid.window(slice(100, 130), slice(250, 280))
    found = search(None, "2023-08-15", L2A, where)
    ways = [window.aoi(), window, window.aoi().to_geojson(), AOI.from_bbox(window.bounds, crs=32633)]
    shares = [found.cloud_share(w, resolution=120)["clear"][0] for w in ways]
    assert np.ptp(shares) < 0.02
