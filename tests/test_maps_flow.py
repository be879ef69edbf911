"""The Explorer's flow without a browser: each control and its verb, work beside the main thread, errors, code, out."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

import terrascope_nb as ts
from terrascope_nb._progress import heard, progress
from terrascope_nb.errors import AlreadyThere, InvalidInput, MissingPackage, NotFound, TooLarge
from terrascope_nb.reason.events import Answer, Mask, Text
from terrascope_nb.testing import ScriptedReasoner, SlowReasoner, synthetic_scene

pytest.importorskip("leafmap")
widgets = pytest.importorskip("ipywidgets")

from ipywidgets.widgets import widget as registry  # noqa: E402

from terrascope_nb.maps import explorer as explorer_module  # noqa: E402
from terrascope_nb.maps import running  # noqa: E402
from terrascope_nb.maps.agree import mask_agreement  # noqa: E402
from terrascope_nb.maps.explorer import Explorer  # noqa: E402
from terrascope_nb.maps.place import view_aoi  # noqa: E402

LAKE = (30.5875, 62.8139, 30.6123, 62.8253)
SHARE = "What share of the scene is water?"
HOSTILE = "<img src=x onerror=alert(1)>"
SIDE = 64
WHERE = (14.9995, 46.4905, 15.0095, 46.4965)  # within the catalogue that `archive_of_days` writes
DAYS = ("2023-08-01", "2023-08-06", "2023-08-11")


@pytest.fixture(scope="module")
def lake() -> ts.Scene:
    return ts.samples.load("lake")


@pytest.fixture
def make() -> Iterator[Callable[..., Explorer]]:
    """Makes Explorers without a basemap, and closes them."""
    made: list[Explorer] = []

    def one(**options: Any) -> Explorer:
        made.append(Explorer(**({"basemap": None} | options)))
        return made[-1]

    yield one
    for explorer in made:
        explorer.close()


@pytest.fixture
def sampled(make) -> Explorer:
    """An Explorer on the catalogue inside the package."""
    return make(
        catalog="sample", optical="bigearthnet-s2-l2a", sar="bigearthnet-s1-grd", dates="2017-09", aoi=LAKE
    )  # fmt: skip


@pytest.fixture(scope="module")
def archive_of_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three dates of Sentinel-2, the second cloudy over half of it, one with a thumbnail and one with a hostile id."""
    folder = tmp_path_factory.mktemp("days")
    place, rng = Affine(10, 0, 500_000, 0, -10, 5_149_000), np.random.default_rng(5)
    for k, day in enumerate(DAYS):
        name = f"S2A_{day}" if k != 2 else f"S2A_{day}_{HOSTILE}"
        home = folder / f"item{k}"
        home.mkdir()
        levels = {"blue": 300, "green": 600, "red": 400, "nir": 3000}
        levels |= {"swir16": 1500, "swir22": 900}
        assets = {}
        scl = np.full((SIDE, SIDE), 4, "uint8")
        scl[:, : SIDE // 2 * (k == 1)] = 9
        layers = {b: (rng.normal(v, v / 20, (SIDE, SIDE)) + 1000).astype("uint16") for b, v in levels.items()}
        for band, array in {**layers, "scl": scl}.items():
            with rasterio.open(
                home / f"{band}.tif", "w", driver="GTiff", width=SIDE, height=SIDE, count=1, dtype=array.dtype,
                crs=32633, transform=place, nodata=0,
            ) as dst:  # fmt: skip
                dst.write(array, 1)
            assets[band] = {"href": f"{band}.tif", "type": "image/tiff", "roles": ["data"]}
        if k == 0:
            assets["thumbnail"] = {"href": "t.png", "type": "image/png", "roles": ["thumbnail"]}
            (home / "t.png").write_bytes(picture(343))
        w, s, e, n = 14.9, 46.4, 15.1, 46.6
        item = {
            "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "sentinel-2-l2a", "links": [],
            "bbox": [w, s, e, n],
            "geometry": {"type": "Polygon", "coordinates": [[[w, s], [e, s], [e, n], [w, n], [w, s]]]},
            "properties": {
                "datetime": f"{day}T10:00:00Z", "eo:cloud_cover": 40.0 * (k == 1), "proj:epsg": 32633,
                "s2:processing_baseline": "05.09",
            },
            "assets": assets,
        }  # fmt: skip
        (home / "item.json").write_text(json.dumps(item), encoding="utf-8")
    return folder


def picture(side: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (side, side, 3), "uint8")).save(out, "PNG")
    return out.getvalue()


def done(explorer: Explorer, seconds: float = 30) -> Explorer:
    assert explorer.wait(seconds), f"still {explorer._worker.what} after {seconds} s"
    return explorer


def until(true: Callable[[], Any], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


def texts(root: Any) -> Iterator[str]:
    """The HTML of every HTML widget below one."""
    if isinstance(root, widgets.HTML):
        yield root.value
    for child in getattr(root, "children", ()):
        yield from texts(child)


def draw(explorer: Explorer, event: str, coordinates: list[Any]) -> None:
    """What ipyleaflet sends when a shape was drawn."""
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [coordinates]}}
    explorer.canvas.map.draw_control._handle_leaflet_event(None, {"event": f"draw:{event}", "geo_json": feature}, [])


def ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def upload(explorer: Explorer, name: str, content: bytes) -> None:
    explorer.place.upload.value = (
        {"name": name, "type": "application/json", "size": len(content), "content": memoryview(content),
         "last_modified": dt.datetime.now(dt.UTC)},
    )  # fmt: skip


# ---- place ------------------------------------------------------------------------------------------------------
def test_typed_box(make) -> None:
    explorer = make()
    explorer.place.bbox.value = "15.6, 46.4, 15.7, 46.5"
    assert explorer.aoi.bounds == (15.6, 46.4, 15.7, 46.5)
    assert not explorer.data.load.disabled
    assert explorer.canvas.map.draw_control.data[0]["geometry"]["type"] == "Polygon"  # it can be edited
    assert explorer.canvas.map.user_roi["geometry"]["type"] == "Polygon"
    assert explorer.canvas.map.user_roi_bounds() == [15.6, 46.4, 15.7, 46.5]
    assert "15.6" in explorer.place.said.value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("15, 46, 14", "four numbers"),
        ("a, b, c, d", "is no box"),
        ("15, 46, 16, 45", "no extent"),
        ("0,95,1,96", "±90"),
    ],
)
def test_bad_box_is_said_and_loses_nothing(make, text: str, says: str) -> None:
    explorer = make(aoi=LAKE)
    explorer.place.bbox.value = text
    assert says in explorer.error.message and explorer.error.hint
    box = "".join(texts(explorer._notice.widget))
    assert 'role="alert"' in box and explorer.error.hint in box
    assert explorer.aoi.bounds == LAKE and explorer.place.bbox.value == text
    explorer.place.bbox.value = "15.6, 46.4, 15.7, 46.5"
    assert explorer.error is None and explorer.aoi.bounds[0] == 15.6


def test_uploaded_geojson_and_the_same_again(make) -> None:
    explorer = make()
    corner = [*ring(*LAKE)[:2], [30.6, 62.82], ring(*LAKE)[0]]
    shape = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [corner]}}
    content = json.dumps({"type": "FeatureCollection", "features": [shape]}).encode()
    for _ in range(2):
        upload(explorer, "field.geojson", content)
        assert explorer.aoi.name == "field.geojson" and explorer.aoi.geometry.area < 1e-3
        assert explorer.place.upload.value == ()
        explorer.use_aoi(None)
    upload(explorer, "bom.geojson", b"\xef\xbb\xbf" + content)
    assert explorer.aoi.name == "bom.geojson"


@pytest.mark.parametrize("content", [b"[1, 2]", b"{", b"\xff\xfe", b'{"type": "Point", "coordinates": [1, 2]}', b"{}"])
def test_a_file_that_is_no_area_is_said(make, content: bytes) -> None:
    explorer = make(aoi=LAKE)
    upload(explorer, "x.json", content)
    assert explorer.error.what == "reading the file" and explorer.aoi.bounds == LAKE


def test_the_view_of_the_map(make) -> None:
    explorer = make()
    explorer.place.view.click()
    assert "has not said yet" in explorer.error.message
    explorer.canvas.map.set_trait("bounds", ((46.0, 15.0), (46.5, 16.0)))
    explorer.place.view.click()
    assert explorer.aoi.bounds == (15.0, 46.0, 16.0, 46.5) and explorer.error is None


def test_drawn_edited_deleted(make) -> None:
    explorer = make()
    draw(explorer, "created", ring(15.0, 46.0, 15.1, 46.1))
    assert explorer.aoi.bounds == (15.0, 46.0, 15.1, 46.1)
    assert explorer.canvas.map.user_roi_bounds() == [15.0, 46.0, 15.1, 46.1]
    draw(explorer, "edited", ring(15.0, 46.0, 15.2, 46.1))
    assert explorer.aoi.bounds[2] == 15.2 and "15.2" in explorer.place.bbox.value
    draw(explorer, "created", ring(20.0, 46.0, 20.1, 46.1))
    assert len(explorer.canvas.map.draw_control.data) == 1  # one area at a time
    draw(explorer, "deleted", ring(20.0, 46.0, 20.1, 46.1))
    assert explorer.aoi is None and explorer.canvas.map.user_roi is None
    assert explorer.place.bbox.value == "" and explorer.data.load.disabled
    draw(explorer, "created", ring(15.0, 46.0, 15.1, 46.1))
    explorer.place.clear.click()
    assert explorer.aoi is None and explorer.canvas.map.draw_control.data == []


def test_a_shape_that_crosses_itself_is_said(make) -> None:
    explorer = make(aoi=LAKE)
    draw(explorer, "created", [[15.0, 46.0], [15.1, 46.1], [15.1, 46.0], [15.0, 46.1], [15.0, 46.0]])
    assert "not valid" in explorer.error.message and explorer.aoi.bounds == LAKE


def test_across_the_antimeridian(make) -> None:
    explorer = make()
    explorer.place.bbox.value = "178, -18, -179, -17"
    assert explorer.aoi.crosses_antimeridian
    assert abs(explorer.canvas.map.center[1] - 179.5) < 0.1
    again: dict[str, Any] = {}
    exec(explorer.code(), again)
    assert again["aoi"].geometry.equals(explorer.aoi.geometry)
    draw(explorer, "created", ring(540.0, 10.0, 541.0, 11.0))  # on a copy of the world beside the first
    assert explorer.error is not None and explorer.aoi.crosses_antimeridian
    assert view_aoi(-190, -5, -170, 5).crosses_antimeridian
    assert view_aoi(-400, -95, 400, 95).bounds == (-180, -90, 180, 90)


# ---- imagery ----------------------------------------------------------------------------------------------------
def test_search_on_the_samples(sampled: Explorer) -> None:
    sampled.data.search.click()
    done(sampled)
    assert sampled.error is None and len(sampled.found) == 1
    assert sampled.data.found.options[0][0].startswith("2017-09-24")
    assert sampled.canvas._footprints is not None
    assert "no thumbnail" in sampled.data.pictures.value
    assert "1 found" in sampled._notice.words


def test_clouds_thumbnails_and_footprints_are_listed(make, archive_of_days: Path) -> None:
    explorer = make(catalog=archive_of_days, dates="2023-08", aoi=WHERE)
    explorer.search()
    done(explorer)
    assert explorer.error is None
    rows = [label for label, _ in explorer.data.found.options]
    assert [r[:10] for r in rows] == list(DAYS)
    assert " 0 % cloud over the area" in rows[0] and " 0 % cloud over the area" in rows[2]
    assert 10 < float(rows[1].split("·")[1].split("%")[0]) < 90 and "over the area" in rows[1]
    strip = explorer.data.pictures.value
    assert strip.count("data:image/jpeg;base64,") == 1 and strip.count("no thumbnail") == 2
    assert len(strip) < 20_000  # the picture of 343 × 343 was 300 kB
    assert len(explorer.canvas._footprints.data["features"]) == 3
    explorer.data.found.index = (0, 2)
    assert explorer.data.wanted.times == (DAYS[0], DAYS[2]) and "2 dates" in explorer.data.size.value
    explorer.data.show_found(explorer.found, {})  # what was chosen stays chosen
    assert explorer.data.found.index == (0, 2)


def test_several_dates_are_loaded_and_a_better_one_by_itself(make, archive_of_days: Path) -> None:
    bands = ["blue", "green", "red", "nir", "swir16", "swir22"]
    explorer = make(catalog=archive_of_days, dates="2023-08", aoi=WHERE, bands=bands)
    explorer.search()
    done(explorer)
    explorer.data.found.index = (0, 1)
    explorer.data.load.click()
    done(explorer)
    assert explorer.error is None, explorer.error.trace
    assert [i.day for i in explorer.scene.images] == list(DAYS[:2])
    explorer.ask("What share of the scene is vegetation?")
    done(explorer)
    assert explorer.timeline is not None and explorer.view.trace.answer.finish == "stop"
    explorer.data.found.index = ()
    explorer.load()
    done(explorer)
    assert [i.day for i in explorer.scene.images] in ([DAYS[0]], [DAYS[2]]) and explorer.view is None
    again: dict[str, Any] = {}
    exec(explorer.code(), again)
    assert [i.day for i in again["scene"].images] == list(DAYS[:2])
    assert [i.day for i in again["scene_2"].images] == [i.day for i in explorer.scene.images]


def test_another_sensor_empties_the_list(sampled: Explorer) -> None:
    sampled.search()
    done(sampled)
    sampled.data.optical.value = "landsat-c2-l2"
    assert sampled.found is None and sampled.data.found.options == () and sampled.canvas._footprints is None


def test_what_a_search_needs_is_said(make) -> None:
    explorer = make()
    explorer.data.search.click()
    assert "no area yet" in explorer.error.message
    explorer.use_aoi(LAKE)
    explorer.data.search.click()
    assert "name the dates" in explorer.error.message  # not the whole archive of a service
    explorer.data.optical.value = "none"
    explorer.data.load.click()
    assert "nothing to load" in explorer.error.message
    with pytest.raises(InvalidInput, match="nothing to search"):
        explorer.search()


def test_nothing_found_has_a_hint(sampled: Explorer) -> None:
    sampled.data.dates.value = "1999"
    sampled.data.search.click()
    done(sampled)
    assert sampled.error.kind == "NothingFound" and "Widen the dates" in sampled.error.hint
    assert sampled.found is None


def test_load_says_its_size_before_and_how_far_it_is(sampled: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "about 1.0 MB" in sampled.data.size.value
    sampled.data.resolution.value = "20"
    assert "about 0.2 MB" in sampled.data.size.value
    sampled.data.resolution.value = "wide"
    assert "no pixel size" in sampled.error.message
    sampled.data.resolution.value = ""
    heard: list[tuple[str, float, float | None]] = []
    monkeypatch.setattr(sampled._worker, "_on_progress", lambda *told: heard.append(told))
    sampled.data.load.click()
    done(sampled)
    assert sampled.error is None and sampled.scene.modalities == ("optical", "sar")
    assert {words for words, _, _ in heard} >= {"reading optical", "reading sar"}
    assert "scene" in sampled.canvas.names and sampled.sections.selected_index == 2
    assert "Scene" in sampled._notice.words  # what came stays written when the work is over


def test_a_load_that_is_too_large_is_refused_before_it_begins(make, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = make(catalog="sample", dates="2017", aoi=(10, 45, 14, 49), max_bytes=10**6)
    monkeypatch.setattr(explorer_module, "load_scene", lambda *a, **k: pytest.fail("it began"))
    assert "Allowed are 1 MB" in explorer.data.size.value
    explorer.data.load.click()
    assert explorer.error.kind == "TooLarge" and "larger pixels" in explorer.error.hint
    assert isinstance(explorer.error.error, TooLarge) and isinstance(explorer.error.error, MemoryError)
    with pytest.raises(TooLarge, match="max_bytes=1,000,000"):
        explorer.load()


def slow_load(started: threading.Event, steps: int = 1000) -> Callable[..., Any]:
    def load(aoi: Any, **options: Any) -> Any:
        for _ in progress(range(steps), "reading optical", "MB"):
            started.set()
            time.sleep(0.005)
        return ts.samples.load("woods")

    return load


def test_cancel_leaves_the_former_scene(make, lake: ts.Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer, started = make(catalog="sample", dates="2017-09", aoi=LAKE), threading.Event()
    explorer.use_scene(lake)
    explorer.ask(SHARE)
    done(explorer)
    trace, code = explorer.trace, explorer.code()
    monkeypatch.setattr(explorer_module, "load_scene", slow_load(started))
    explorer.load()
    assert started.wait(5) and not explorer.data.stop.disabled
    explorer.data.stop.click()
    done(explorer, 5)
    assert explorer.scene is lake and explorer.trace is trace and explorer.view.trace is trace
    assert explorer.error is None and explorer.code() == code and explorer.data.stop.disabled
    assert "stopped" in explorer._notice.words


def test_cancelling_one_load_does_not_break_another(make, monkeypatch: pytest.MonkeyPatch) -> None:
    from terrascope_nb.stac import stopping

    started = [threading.Event(), threading.Event()]
    one, other = (make(catalog="sample", dates="2017-09", aoi=LAKE) for _ in range(2))
    monkeypatch.setattr(explorer_module, "load_scene", slow_load(started[0]))
    one.load()
    assert started[0].wait(5)
    monkeypatch.setattr(explorer_module, "load_scene", slow_load(started[1], 60))
    other.load()
    assert started[1].wait(5)
    born = stopping.generation()
    one.stop()
    done(one, 5)
    assert stopping.generation() == born  # connections are not shut while another reads
    done(other)
    assert other.scene.name == "woods" and other.error is None and one.scene is None
    monkeypatch.setattr(explorer_module, "load_scene", slow_load(started[0]))
    one.load()
    until(lambda: one._worker.what and one._notice.words)
    one.stop()
    assert stopping.generation() == born + 1  # alone, it shuts them at once
    done(one, 5)


@pytest.mark.parametrize("verb", ["search", "load"])
def test_cancel_does_not_wait_for_a_server_that_hangs(make, archive_of_days: Path, tmp_path: Path, verb: str) -> None:
    item = json.loads((archive_of_days / "item0" / "item.json").read_text(encoding="utf-8"))
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes calls, and never answers
        for asset in item["assets"].values():
            asset["href"] = f"http://127.0.0.1:{server.getsockname()[1]}/{asset['href']}"
        (tmp_path / "item.json").write_text(json.dumps(item), encoding="utf-8")
        explorer = make(catalog=tmp_path, dates="2023-08", aoi=WHERE, bands=["red", "nir"])
        getattr(explorer, verb)()
        server.settimeout(10)
        caller, _ = server.accept()
        with caller:
            time.sleep(0.2)
            start = time.monotonic()
            explorer.data.stop.click()
            done(explorer, 10)
            assert time.monotonic() - start < 3
    assert explorer.error is None and explorer.scene is None and "stopped" in explorer._notice.words


def test_a_sample_scene(make) -> None:
    explorer = make()
    explorer.data.sample.value = "woods"
    explorer.data.take.click()
    done(explorer)
    assert explorer.scene.name == "woods" and "samples.load('woods')" in explorer.code()
    with pytest.raises(NotFound, match="did you mean 'lake'"):
        explorer.use_scene("lke")


def test_only_the_own_thread_is_heard() -> None:
    told: list[tuple[str, float, float | None]] = []
    with heard(lambda *what: told.append(what)):
        bar = progress(10, "reading", "MB")
        other = threading.Thread(target=bar.update, args=(3,))  # as dask's shared callbacks do
        other.start()
        other.join()
        bar.update(1)
        bar.close()
        bar.update(1)
    assert told == [("reading", 0, 10), ("reading", 4.0, 10)]


# ---- question ---------------------------------------------------------------------------------------------------
def test_every_step_of_one_label_can_be_looked_at(make, lake: ts.Scene) -> None:
    explorer = make(scene=lake, reasoner=scripted(3, lake.grid.shape))
    explorer.ask(SHARE)
    done(explorer)
    for number in (1, 2, 3, 1):
        explorer.view.step = number
        assert explorer.view.step == number
    explorer.view.flash(2)
    assert explorer.code().splitlines()[-1] == "# explorer.view.step = 2"
    assert explorer.code().count("# explorer.view.step") == 1
    explorer.view.said.buttons[0].click()
    assert "# explorer.view.flash(1)" in explorer.code()


def test_question_box(make, lake: ts.Scene) -> None:
    explorer = make(scene=lake)
    box = explorer.asking
    box.examples.value = box.examples.options[1][1]
    assert box.question.value == box.examples.options[1][1] and box.examples.value == ""
    box.question.value, box.choices.value = "How large is the water area?", "A. 6 ha\nB. 12 ha\n\nC. 24 ha"
    box.go.click()
    done(explorer)
    assert explorer.error is None
    assert dict(explorer.trace.choices.items()) == {"A": "6 ha", "B": "12 ha", "C": "24 ha"}
    assert explorer.trace.answer.choice in "ABC" and explorer.sections.selected_index == 3
    assert box.history.options[0][0].startswith("1. How large is the water area?")
    box.question.value = "  "
    box.go.click()
    done(explorer)
    assert "question is empty" in explorer.error.message and len(explorer.history) == 1


def test_reasoners_by_name_with_options_and_given(make, lake: ts.Scene) -> None:
    opened = ScriptedReasoner([Text("Nothing to see."), Answer("no")], name="mine")
    explorer = make(scene=lake, reasoner=opened)
    labels = [label for label, _ in explorer.asking.reasoner.options]
    assert labels[0] == "mine (given)" and set(ts.reasoners()) <= set(labels)
    explorer.ask("Is it so?")
    done(explorer)
    assert explorer.trace.reasoner == "mine" and len(opened.asked) == 1
    explorer.asking.reasoner.value, explorer.asking.settings.value = "spectral", 'sensor="sar"'
    explorer.ask(SHARE)
    done(explorer)
    first = explorer._runs._open[1]
    explorer.ask("Is there water?")
    done(explorer)
    assert explorer._runs._open[1] is first  # opened once for both
    assert explorer.trace.provenance["options"] == {"sensor": "sar"}
    assert explorer.code().count("ts.open_reasoner('spectral', sensor='sar')") == 1
    for text, says in (("sensor", "are no options"), ("f(x)=1", "are no options"), ("x=open('a')", "are no options")):
        explorer.asking.settings.value = text
        explorer.asking.go.click()
        assert says in explorer.error.message
    explorer.asking.settings.value = "sensr='sar'"
    explorer.asking.go.click()
    done(explorer)
    assert "did you mean 'sensor'" in explorer.error.message
    with pytest.raises(InvalidInput, match="did you mean 'spectral'"):
        explorer.ask(SHARE, reasoner="spektral")
    with pytest.raises(InvalidInput, match="did you mean 'spectral'"):
        Explorer(reasoner="spektral", basemap=None)


def scripted(count: int, shape: tuple[int, int], error: Exception | None = None) -> ScriptedReasoner:
    mask = np.zeros(shape, bool)
    mask[: shape[0] // 2] = True
    events: list[Any] = []
    for k in range(count):
        events += [Text(f"Water {k} [SEG]"), Mask(mask, label="water"), Text(" is there. ")]
    return ScriptedReasoner([*events, error if error else Answer("yes")], name="scripted")


def test_partial_traces_appear_and_stop_keeps_them(make, lake: ts.Scene) -> None:
    slow = SlowReasoner(scripted(200, lake.grid.shape), pause=0.02)
    explorer = make(scene=lake, reasoner=slow)
    explorer.asking.question.value = SHARE
    explorer.asking.go.click()
    until(lambda: explorer.view is not None and len(explorer.view.trace.steps) >= 2)
    assert explorer._worker._thread is not threading.current_thread() and explorer._worker._thread.is_alive()
    assert explorer.trace.answer.finish == "cancelled"
    until(lambda: explorer.view.step == len(explorer.view.trace.steps))  # taken on to the newest
    assert not explorer.asking.stop.disabled and sum(range(1000)) == 499500  # the main thread goes on meanwhile

    def looks_back() -> bool:  # whoever looks back is left there
        explorer.view.step = 1
        had = len(explorer.view.trace.steps)
        until(lambda: len(explorer.view.trace.steps) > had)
        return explorer.view.step == 1

    until(looks_back)
    explorer.asking.stop.click()
    done(explorer, 5)
    assert slow.cancelled and explorer.error is None
    assert explorer.trace.answer.finish == "cancelled" and explorer.trace.answer.reason == "stopped by the user"
    assert 2 <= len(explorer.trace.steps) < 200 and explorer.history == (explorer.trace,)
    assert "was stopped before its end" in explorer.code() and explorer.asking.stop.disabled


def test_asking_again_replaces_what_is_being_asked(make, lake: ts.Scene) -> None:
    slow = SlowReasoner(scripted(500, lake.grid.shape), pause=0.02)
    explorer = make(scene=lake, reasoner=slow)
    explorer.ask("First?")
    until(lambda: explorer.trace is not None and explorer.trace.steps)
    explorer.ask(SHARE, reasoner="spectral")
    done(explorer)
    assert slow.cancelled and explorer.trace.question == SHARE and explorer.trace.answer.finish == "stop"
    assert [t.answer.finish for t in explorer.history] == [
        "cancelled",
        "stop",
    ] and explorer.view.trace is explorer.trace


def test_going_back_while_another_is_asked(make, lake: ts.Scene) -> None:
    explorer = make(scene=lake)
    explorer.ask(SHARE)
    first = done(explorer).trace
    explorer.ask("Again?", reasoner=SlowReasoner(scripted(10, lake.grid.shape), pause=0.02))
    until(lambda: explorer.trace is not first and explorer.view is not None)
    assert explorer.asking.history.value is None  # what is shown is not among them yet
    explorer.asking.history.value = 0
    assert explorer.view.trace is first
    done(explorer)
    assert explorer.view.trace is first and explorer.trace is first
    assert len(explorer.history) == 2 and explorer.history[1].answer.text == "yes"


def test_an_error_in_the_middle_keeps_what_came(make, lake: ts.Scene) -> None:
    explorer = make(scene=lake, reasoner=scripted(2, lake.grid.shape, RuntimeError(f"no memory {HOSTILE}")))
    explorer.ask(SHARE)
    done(explorer)
    error = explorer.error
    assert error.kind == "RuntimeError" and error.message.startswith("RuntimeError: no memory") and error.hint
    assert len(explorer.trace.steps) == 2 and "no memory" in explorer.trace.answer.reason
    assert explorer.view.trace is explorer.trace and explorer.history == (explorer.trace,)
    said, button, more = explorer._notice.widget.children[1].children
    assert more.layout.display == "none" and "Traceback" not in said.value and HOSTILE not in said.value + more.value
    button.click()
    assert more.layout.display == "" and "Traceback" in more.value and button.description == "Hide the traceback"
    button.click()
    assert more.layout.display == "none"
    explorer.ask(SHARE, reasoner="spectral")
    assert done(explorer).error is None  # the box is empty again


def test_a_question_that_is_not_understood(make, lake: ts.Scene) -> None:
    explorer = make(scene=lake)
    explorer.ask("Purple?")
    done(explorer)
    assert explorer.error.kind == "QuestionNotUnderstood" and "examples" in explorer.error.hint
    assert "<details><summary>the rest of the message" in "".join(texts(explorer._notice.widget))
    assert explorer.history == () and "Purple" not in explorer.code()


def test_blank_twice_and_back(make, lake: ts.Scene) -> None:
    explorer = make(scene=lake)
    with pytest.raises(InvalidInput, match="ask a scene first"):
        explorer.blank("sar")
    explorer.ask(SHARE)
    whole = done(explorer).trace
    buttons = {b.description: b for b in explorer.view.blank.children if isinstance(b, widgets.Button)}
    next(b for name, b in buttons.items() if "SAR" in name).click()
    done(explorer)
    assert [f.blanked for f in explorer.trace.frames] == [False, True]
    assert explorer.view.scene.images[1].blanked and explorer.scene is lake
    explorer.blank("optical")
    done(explorer)
    assert [f.blanked for f in explorer.trace.frames] == [True, False]  # from the whole scene, not as well
    assert explorer.trace.question == SHARE and len(explorer.history) == 3
    explorer.asking.history.value = 1
    assert explorer.view.trace is explorer.history[1] and explorer.view.scene.images[1].blanked
    explorer.asking.history.value = 0
    assert explorer.view.trace is whole and explorer.view.scene is lake and explorer.trace is whole
    with pytest.raises(NotFound, match="modality of this scene"):
        explorer.blank("radar")
    again: dict[str, Any] = {}
    exec(explorer.code(), again)
    assert [again[n].answer.text for n in ("trace", "trace_2", "trace_3")] == [t.answer.text for t in explorer.history]


def test_history_goes_back_to_another_scene(make, lake: ts.Scene) -> None:
    explorer = make(scene=lake)
    explorer.ask(SHARE)
    done(explorer)
    explorer.use_scene("woods")
    done(explorer)
    assert explorer.trace is None and explorer.view is None
    explorer.ask(SHARE)
    done(explorer)
    explorer.asking.history.value = 0
    assert explorer.scene is lake and explorer.view.scene is lake
    explorer.ask("Is there water?")  # of the scene that is looked at
    done(explorer)
    assert explorer.trace.frames[0].grid == lake.grid
    again: dict[str, Any] = {}
    exec(explorer.code(), again)
    assert again["scene_2"].name == "woods"
    for name, trace in zip(("trace", "trace_2", "trace_3"), explorer.history, strict=True):
        assert again[name].answer == trace.answer


def test_compare(make, lake: ts.Scene) -> None:
    explorer = make(scene=lake)
    with pytest.raises(InvalidInput, match="ask a scene first"):
        explorer.compare(reasoner="spectral")
    assert explorer.asking.beside.disabled
    explorer.ask(SHARE)
    first = done(explorer).trace
    explorer.compare(reasoner=ts.open_reasoner("spectral", sensor="optical"))
    done(explorer)
    assert explorer.error is None and explorer.trace is first and explorer.view.trace is first
    assert 0.5 < explorer.compared.agreements[0].iou < 1 and len(explorer.history) == 2
    explorer.asking.question.value = "Is there water?"
    explorer.asking.beside.click()
    done(explorer)
    assert [v.trace.question for v in explorer.compared.views] == [SHARE, "Is there water?"]
    again: dict[str, Any] = {}
    exec(explorer.code(), again)
    assert again["agreement"][0].iou == mask_agreement(first, explorer.history[1])[0].iou
    explorer.answer.pair.children[-1].click()
    assert explorer.compared is None and explorer.answer.pair.children == ()


def test_a_scene_without_a_place_on_earth(make, lake: ts.Scene) -> None:
    bands = np.stack([lake.images[0].array(b) for b in ("blue", "green", "red", "nir")])
    flat = ts.Scene.from_arrays(bands, bands=["blue", "green", "red", "nir"], units="reflectance")
    explorer = make(scene=flat, basemap="OpenStreetMap")
    explorer.ask(SHARE)
    done(explorer)
    assert explorer.error is None and 10 < explorer.trace.answer.value < 25
    for give in (lambda: explorer.use_scene(lake), lambda: explorer.show(ts.ask(lake, SHARE))):
        with pytest.raises(InvalidInput, match="this map is of pixels"):
            give()
    with pytest.raises(InvalidInput, match="this map is of degrees"):
        make().use_scene(flat)


# ---- out --------------------------------------------------------------------------------------------------------
def test_code_does_the_same_again(sampled: Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sampled.use_aoi((30.5, 62.8, 30.55, 62.81))  # a place that came to nothing
    corner = ts.AOI.from_wkt(
        "POLYGON ((30.5875 62.8139, 30.6123 62.8139, 30.6 62.8253, 30.5875 62.8139))", name="corner"
    )
    sampled.use_aoi(corner)
    sampled.search()
    done(sampled)
    sampled.data.found.index = (0,)
    sampled.load()
    done(sampled)
    sampled.ask("How large is the water area?", choices=["1 ha", "10 ha", "20 ha"])
    done(sampled)
    sampled.blank("sar")
    done(sampled)
    sampled.save("html", "a/answer.html")
    (tmp_path / "a" / "answer.html").unlink()
    again: dict[str, Any] = {}
    code = sampled.code()
    compile(code, "script", "exec")
    exec(code, again)
    assert code.count("aoi = ") == 1 and code.count("ts.search(") == 1
    assert again["aoi"].geometry.equals(corner.geometry) and again["found"].ids == sampled.found.ids
    assert [again["trace"].answer, again["trace_2"].answer] == [t.answer for t in sampled.history]
    assert again["trace"].answer.choice == sampled.history[0].answer.choice
    assert (tmp_path / "a" / "answer.html").is_file()
    sampled.saving.show_code.click()
    assert sampled.saving.code.value == code and sampled.saving.code.layout.display == ""


def test_code_of_what_cannot_be_written(make, tmp_path: Path) -> None:
    made = synthetic_scene(np.random.default_rng(0), size=64)
    mine = scripted(1, (64, 64))
    explorer = make(scene=made.scene, reasoner=mine)
    explorer.ask("One line\nand '''another'''?")
    done(explorer)
    code = explorer.code()
    assert "# scene is the Scene" in code and "# reasoner is the reasoner 'scripted'" in code
    again: dict[str, Any] = {"scene": made.scene, "reasoner": mine}
    exec(code, again)
    assert again["trace"].question == explorer.trace.question and again["trace"].answer == explorer.trace.answer


@pytest.mark.parametrize("kind", ["path", "plain", "signed"])
def test_code_of_a_catalogue(make, kind: str) -> None:
    where = ts.samples.catalog()
    signed = ts.Catalog(where, headers={"Authorization": "SECRET"})
    catalog = {"path": where, "plain": ts.Catalog(where), "signed": signed}[kind]
    explorer = make(catalog=catalog, optical="bigearthnet-s2-l2a", dates=("2017-09-01", "2017-09-30"), aoi=LAKE)
    assert explorer.data.dates.value == "2017-09-01/2017-09-30"
    explorer.load()
    done(explorer)
    assert explorer.error is None, explorer.error.trace
    again: dict[str, Any] = {"catalog": signed} if kind == "signed" else {}
    exec(explorer.code(), again)
    assert again["scene"].grid == explorer.scene.grid
    assert ("# catalog is the Catalog" in explorer.code()) == (kind == "signed")
    assert "SECRET" not in explorer.code() + "".join(texts(explorer.widget))


def test_a_changed_sample_is_not_written_as_the_sample(make, lake: ts.Scene) -> None:
    assert "samples.load('lake')" in make(scene=lake).code()
    assert "# scene is the Scene 'lake'" in make(scene=lake.select("optical")).code()
    assert "# scene is the Scene 'lake'" in make(scene=lake.blank("sar")).code()


@pytest.mark.parametrize("kind", ["html", "geotiff", "geojson", "stac", "trace"])
def test_save(make, lake: ts.Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    explorer = make(scene=lake)
    explorer.saving.go.click()
    assert "no answer to save" in explorer.error.message
    explorer.ask(SHARE)
    done(explorer)
    explorer.saving.kind.value = kind
    path = explorer.saving.path.value
    explorer.saving.go.click()
    assert explorer.error is None and f"Written: {path}" in explorer.saving.said.value
    assert (tmp_path / path).exists()
    explorer.saving.go.click()
    assert explorer.error.kind == "AlreadyThere" and "Overwrite" in explorer.error.hint
    with pytest.raises(AlreadyThere):
        explorer.save(kind, path)
    explorer.saving.overwrite.value = True
    explorer.saving.go.click()
    assert explorer.error is None or explorer.error.kind == "AlreadyThere"
    assert "Written" in explorer.saving.said.value
    explorer.saving.path.value = " "
    explorer.saving.go.click()
    assert "no path" in explorer.error.message
    with pytest.raises(InvalidInput, match="did you mean 'html'"):
        explorer.save("htm", "x")


def test_trace_is_the_python_object(make, lake: ts.Scene) -> None:
    trace = ts.ask(lake, SHARE)
    explorer = make(trace=trace)
    assert explorer.trace is trace and explorer.view.scene is None and explorer.history == (trace,)
    assert "# trace is the Trace of" in explorer.code()
    with pytest.raises(InvalidInput, match="no scene to ask"):
        explorer.ask(SHARE)
    full = trace.explore(scene=lake, basemap=None)
    assert full.view.scene is lake
    full.blank("sar")
    assert done(full).error is None and len(full.history) == 2
    full.close()


class Handle:
    def __init__(self, shown: Any) -> None:
        self.shown = [shown]

    def update(self, thing: Any) -> None:
        self.shown.append(thing)


def test_the_static_copy_follows_the_answer(make, lake: ts.Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    display = pytest.importorskip("IPython.display")
    shown: list[Any] = []
    handles: list[Handle] = []

    def show(thing: Any, display_id: Any = None, raw: bool = False) -> Any:
        shown.append(thing)
        if display_id:
            handles.append(Handle(thing))
            return handles[-1]
        return None

    monkeypatch.setattr(display, "display", show)
    explorer = make(scene=lake)
    explorer._ipython_display_()
    explorer._ipython_display_()  # shown in two cells: both copies follow
    assert shown[0]["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.widget.model_id
    assert "run this cell" in shown[0]["text/plain"] and handles[0].shown[0]._repr_mimebundle_()["text/html"] == ""
    explorer.ask(SHARE)
    done(explorer)
    for handle in handles:
        bundle = handle.shown[-1]._repr_mimebundle_()
        assert len(handle.shown) == 2 and explorer.trace.answer.text in bundle["text/html"]
        assert bundle["text/html"].startswith("<details><summary>") and "image/png" in bundle
        assert explorer.trace.answer.text in bundle["text/plain"]


# ---- life -------------------------------------------------------------------------------------------------------
def test_two_explorers_do_not_meddle(make, lake: ts.Scene) -> None:
    one, other = make(scene=lake), make(scene=lake)
    slow = SlowReasoner(scripted(300, lake.grid.shape), pause=0.02)
    one.ask("Slow?", reasoner=slow)
    until(lambda: one.trace is not None)
    other.ask(SHARE)
    done(other)
    assert other.trace.answer.finish == "stop" and other.error is None and one._worker.what
    other.close()
    until(lambda: len(one.trace.steps) >= 2)
    assert one.error is None and one.view is not None and len(one.history) == 0
    one.stop()
    done(one)
    assert one.trace.answer.finish == "cancelled"


def test_closing_frees_widgets_threads_and_callbacks(lake: ts.Scene) -> None:
    import gc
    import weakref

    Explorer(basemap=None).close()  # what the first map of a process leaves for good
    before, threads = set(registry._instances), set(threading.enumerate())
    explorer = Explorer(catalog="sample", optical="bigearthnet-s2-l2a", dates="2017-09", aoi=LAKE, basemap=None)
    explorer.search()
    done(explorer)
    explorer.use_scene(lake)
    for question in (SHARE, "Purple?", "Is there water?"):
        explorer.ask(question)
        done(explorer)
    explorer.compare(question="Is there snow?")
    done(explorer)
    explorer.blank("sar")
    done(explorer)
    explorer.ask("Slow?", reasoner=SlowReasoner(scripted(500, lake.grid.shape), pause=0.02))
    until(lambda shown=explorer: shown.trace.question == "Slow?" and shown.trace.steps)
    explorer.close()
    explorer.close()
    assert set(registry._instances) <= before
    assert not {t for t in threading.enumerate() if t.name.startswith("tsnb")} - threads
    assert explorer.scene is None and explorer.found is None and explorer.history and "closed" in repr(explorer)
    with pytest.raises(InvalidInput, match="no scene"):
        explorer.ask(SHARE)
    with pytest.raises(InvalidInput, match="closed"):
        explorer.use_scene("lake")
    gone = weakref.ref(explorer.canvas)
    explorer = None
    gc.collect()
    assert gone() is None


def test_unknown_options_are_refused_with_a_suggestion() -> None:
    with pytest.raises(InvalidInput, match="did you mean 'basemap'"):
        Explorer(base_map=None)
    for wrong, says in (
        ({"scene": "lake"}, "scene is a Scene"), ({"trace": 3}, "trace is a Trace"), ({"height": 480}, "CSS pixels"),
    ):  # fmt: skip
        with pytest.raises(InvalidInput, match=says):
            Explorer(**wrong)


@pytest.mark.parametrize("module", ["leafmap.leafmap", "ipywidgets"])
def test_without_its_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackage, match=r'pip install "terrascope-nb\[maps\]"'):
        Explorer(basemap=None)


def test_a_trace_of_another_scene_is_refused(lake: ts.Scene) -> None:
    woods = ts.samples.load("woods")
    with pytest.raises(InvalidInput, match="image 0 of the trace is optical of 2017"):
        Explorer(scene=woods, trace=ts.ask(lake, SHARE))
    with pytest.raises(InvalidInput, match="of 2 images, the scene has 1"):
        Explorer(scene=lake.select("sar"), trace=ts.ask(lake, SHARE))


def test_hostile_text_is_only_text(make, archive_of_days: Path) -> None:
    made = synthetic_scene(np.random.default_rng(0), size=64)
    scene = ts.Scene(made.scene.images, name=HOSTILE)
    mask = np.ones(scene.images[0].grid.shape, bool)
    evil = ScriptedReasoner(
        [Text(f"{HOSTILE} [SEG]"), Mask(mask, label=HOSTILE, note=HOSTILE), Answer(HOSTILE, reason=HOSTILE)],
        name=HOSTILE,
    )
    explorer = make(scene=scene, reasoner=evil)
    explorer.ask(f"Is there {HOSTILE}?", choices=[HOSTILE, "no"])
    done(explorer)
    explorer.compare(question=HOSTILE)
    done(explorer)
    explorer.ask(SHARE, reasoner=ScriptedReasoner([ValueError(HOSTILE)], name="broken"))
    done(explorer)
    assert explorer.error is not None
    place = make(catalog=archive_of_days, dates="2023-08", aoi=WHERE)
    place.search()
    done(place)
    place.data.dates.value = HOSTILE
    place.data.search.click()
    done(place)
    upload(place, f"{HOSTILE}.json", b"[]")
    with contextlib.suppress(InvalidInput):
        place.use_aoi(ts.AOI.from_bbox(WHERE, name=HOSTILE))
    values = [v for e in (explorer, place) for v in texts(e.widget)]
    assert len(values) > 20 and not [v for v in values if "<img src=x" in v or "onerror=alert(1)>" in v]
    assert any("&lt;img src=x" in v for v in values)


def test_an_error_in_any_handler_reaches_the_box(make, lake: ts.Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = make()
    explorer.use_aoi(LAKE)

    def broken(*given: Any, **named: Any) -> Any:
        raise OSError("disk on fire")

    def expect(press: Callable[[], Any]) -> None:
        explorer._notice.clear()
        press()
        done(explorer)
        assert explorer.error is not None and "disk on fire" in explorer.error.message

    monkeypatch.setattr(explorer_module, "search", broken)
    monkeypatch.setattr(explorer_module, "load_scene", broken)
    monkeypatch.setattr(running, "follow", broken)
    explorer.data.catalog.value, explorer.data.dates.value = "sample", "2017"
    expect(explorer.data.search.click)
    expect(explorer.data.load.click)
    explorer.use_scene(lake)
    expect(explorer.asking.go.click)
    monkeypatch.undo()
    explorer.ask(SHARE)
    done(explorer)
    monkeypatch.setattr(ts.Trace, "to_html", broken)
    expect(explorer.saving.go.click)
    monkeypatch.setattr(explorer._recipe, "code", broken)
    expect(explorer.saving.show_code.click)
    monkeypatch.setattr(explorer.view, "go", broken)
    expect(explorer.view.forth.click)
    monkeypatch.setattr(explorer._session.__class__, "__getitem__", broken)
    explorer.asking.history.value = None
    expect(lambda: setattr(explorer.asking.history, "value", 0))
    monkeypatch.setattr(explorer.place, "_use", broken)
    expect(explorer.place.clear.click)
    expect(lambda: setattr(explorer.place.bbox, "value", "1, 2, 3, 4"))


def test_what_a_notebook_keeps_of_thirty_steps(make) -> None:
    made = synthetic_scene(np.random.default_rng(1), size=512)
    rng = np.random.default_rng(2)
    events: list[Any] = []
    rows, cols = np.mgrid[:512, :512]
    for k in range(30):
        y, x, r = rng.integers(60, 450), rng.integers(60, 450), rng.integers(20, 90)
        events += [Text(f"Region {k} [SEG]"), Mask((rows - y) ** 2 + (cols - x) ** 2 < r**2, label="water"), Text(". ")]
    trace = ts.ask(made.scene, "Where?", reasoner=ScriptedReasoner([*events, Answer("there")]))
    before = set(registry._instances)
    explorer = make(trace=trace)
    mine = [w for key, w in registry._instances.items() if key not in before]
    kept = sum(len(json.dumps(w.get_state(), default=str)) for w in mine)
    static = sum(len(v) for v in trace._repr_mimebundle_().values())
    assert kept + static < 2e6, (kept, static)
    assert len(explorer.view.trace.steps) == 30


# ---- a real STAC API, a real kernel -----------------------------------------------------------------------------
@pytest.mark.stac
def test_from_a_place_to_an_answer_through_a_real_api(make, stac: Any, tmp_path: Path) -> None:
    place = ts.AOI.from_bbox((529_980, 5_130_000, 545_000, 5_150_000), crs=32633)
    explorer = make(
        catalog=stac.catalog, dates="2023-08", sar="sentinel-1-rtc", resolution=120, aoi=place,
        bands=["blue", "green", "red", "nir"],
    )  # fmt: skip
    explorer.data.search.click()
    done(explorer, 60)
    assert explorer.error is None, explorer.error.trace
    rows = [label for label, _ in explorer.data.found.options]
    assert len(rows) == 5 and all("% cloud over the area" in r for r in rows)
    assert explorer.data.pictures.value.count("<figure>") + explorer.data.pictures.value.count("<figure ") == 5
    assert "5 could not be fetched, the first: item" in explorer.data.pictures.value  # the archive has none
    assert len(explorer.canvas._footprints.data["features"]) == 5
    days = [day for _, day in explorer.data.found.options]
    explorer.data.found.index = (days.index("2023-08-13"), days.index("2023-08-20"))
    explorer.data.load.click()
    done(explorer, 60)
    assert explorer.error is None, explorer.error.trace
    assert sorted((i.modality, i.day) for i in explorer.scene.images) == [
        ("optical", "2023-08-13"), ("optical", "2023-08-20"), ("sar", "2023-08-13"), ("sar", "2023-08-20"),
    ]  # fmt: skip
    explorer.ask("What share of the area is vegetation?")
    done(explorer)
    assert explorer.trace.answer.finish == "stop" and explorer.timeline is not None
    again: dict[str, Any] = {"catalog": stac.catalog}
    exec(explorer.code(), again)
    assert again["trace"].answer == explorer.trace.answer
    said = "".join(texts(explorer.widget)) + explorer.code()
    assert "sig=" not in said and "token" not in said.lower().replace("tokens", "")


@pytest.mark.notebook
def test_in_a_kernel_the_main_thread_is_free_and_the_notebook_keeps_the_answer(tmp_path: Path) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    cells = [
        "import time, numpy as np, terrascope_nb as ts\n"
        "from terrascope_nb.testing import SlowReasoner\n"
        "slow = SlowReasoner(ts.open_reasoner('spectral'), pause=0.05)\n"
        "explorer = ts.Explorer(scene=ts.samples.load('lake'), basemap=None)\nexplorer",
        "start = time.monotonic(); explorer.ask('What share of the scene is water?', reasoner=slow)\n"
        "print(time.monotonic() - start < 0.5, explorer._worker.what)",
        "print(explorer.wait(60), explorer.error, explorer.trace.answer.text)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    widget, copy = notebook.cells[0].outputs[:2]
    assert "application/vnd.jupyter.widget-view+json" in widget["data"]
    assert notebook.cells[1].outputs[0]["text"].startswith("True asking slow spectral")
    assert notebook.cells[2].outputs[0]["text"].startswith("True None ")
    answer = notebook.cells[2].outputs[0]["text"].split()[2]
    assert answer in copy["data"]["text/html"] and answer in copy["data"]["text/plain"] and "image/png" in copy["data"]
    assert len(nbformat.writes(notebook)) < 2_000_000
    assert all(o["output_type"] != "stream" or o["name"] == "stdout" for c in notebook.cells for o in c.outputs)
