"""Reading under fire: faults of real HTTP end in right values or in errors that name item and asset, and soon."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS
from servers import faults, firing
from servers.blobs import BlobServer

import terrascope_nb as ts
from terrascope_nb.errors import InvalidInput, ReadFailed
from terrascope_nb.geo.grid import Grid
from terrascope_nb.stac import ranges, remote, retry, stopping, transport
from terrascope_nb.stac.cube import open_cube
from terrascope_nb.stac.gaps import ATTRIBUTE, gap_notes
from terrascope_nb.stac.reader import AssetReader
from terrascope_nb.stac.retry import Patience, Retry, retry_after, search_retry

PLACE = Affine(10, 0, 600_000, 0, -10, 5_200_000)
S2 = "bigearthnet-s2-l2a"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Waits of parts of a second where the default waits for seconds."""
    monkeypatch.setattr(retry, "DEFAULT", firing.QUICK)


def write(path, value=3000, size=300, block=128, **options):
    values = np.full((size, size), value, "uint16") if np.isscalar(value) else value
    with rasterio.open(
        path, "w", driver="GTiff", dtype="uint16", count=1, width=size, height=size, crs="EPSG:32633", transform=PLACE,
        nodata=0, tiled=True, blockxsize=block, blockysize=block, **options,
    ) as dst:  # fmt: skip
        dst.write(values, 1)
    return path


def noise(size, seed=0):
    return np.random.default_rng(seed).integers(1, 9000, (size, size)).astype("uint16")


def item(name, when="2017-06-01T10:00:00Z", **assets):
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": S2, "geometry": None, "links": [],
        "properties": {"datetime": when, "platform": "sentinel-2a"},
        "assets": {k: {"href": str(h)} for k, h in assets.items()},
    }  # fmt: skip


def grid(size=300):
    return Grid(PLACE, (size, size), CRS.from_epsg(32633))


def blue(href, size=300, **options):
    return open_cube([item("one", B02=href)], grid(size), **options).blue[0]


@contextlib.contextmanager
def served(folder):
    with BlobServer({"open": folder}) as blobs, faults.FaultProxy(blobs.url, stall=0.5) as proxy:
        yield blobs, proxy


# ---- the run ------------------------------------------------------------------------------------------------------
def test_three_hundred_faults_none_silent_none_wrong(tmp_path):
    report = firing.run(tmp_path, total=300, seed=7)
    assert sum(sum((o.right, o.named)) for o in report.outcomes.values()) == 300
    assert not any(o.wrong or o.silent or o.other or o.missed for o in report.outcomes.values()), report.table()
    assert {k: (o.right, o.named) for k, o in report.outcomes.items()} == {
        **{k: (25, 0) for k in faults.PASSING},
        **{k: (0, 25) for k in faults.LASTING},
    }
    assert report.early == 0, "came back before Retry-After was over"
    assert "**all** | 300 | 225 | 75 | 0 | 0 |" in report.table()
    everything = " ".join(report.messages)
    assert len(report.tokens) > 25 and not any(t in everything for t in report.tokens)
    assert all(e.__cause__ is None and e.__context__ is None for e in report.errors)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_other_plans_end_as_well(tmp_path, seed):
    report = firing.run(tmp_path, total=300, seed=seed)
    assert not any(o.wrong or o.silent or o.other or o.missed for o in report.outcomes.values()), report.table()
    assert sum(o.right for o in report.outcomes.values()) == 225


@pytest.mark.slow
def test_thirty_seconds_of_silence_are_given_up_and_asked_again(tmp_path):
    start = time.monotonic()
    report = firing.run(tmp_path, total=120, only="stall", retry=Retry(), stall=30)
    assert report.outcomes["stall"].right == 10 and report.faults["stall"] == 10
    assert time.monotonic() - start < 29, "the stall was sat out"


# ---- patience ------------------------------------------------------------------------------------------------------
class Clock:
    def __init__(self):
        self.now, self.slept = 0.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@given(st.floats(0, 1), st.integers(1, 8), st.one_of(st.none(), st.floats(0, 30)))
def test_waits_are_jittered_bounded_and_never_shorter_than_asked(share, tries, asked):
    rule = Retry(tries=tries, seconds=60, first=0.5, most=8)
    clock = Clock()
    patience = Patience(rule, clock.sleep, lambda low, high: low + share * (high - low), clock)
    patience.made = 1
    while patience.pause(asked):
        wait = clock.slept[-1]
        assert wait >= (asked or 0)
        assert wait <= max(rule.bound(patience.made), (asked or 0) + min(1, 0.1 * (asked or 0))) + 1e-9
        patience.made += 1
    assert patience.made <= tries and clock.now <= 60


def test_a_wait_beyond_the_patience_is_not_begun():
    clock = Clock()
    patience = Patience(Retry(seconds=60), clock.sleep, max, clock)
    patience.made = 1
    assert not patience.pause(61) and clock.slept == []


@given(st.integers(0, 10**6))
def test_retry_after_as_a_date_is_the_seconds_until_then(seconds):
    now = datetime(2024, 2, 29, 12, tzinfo=UTC)
    assert retry_after(format_datetime(now + timedelta(seconds=seconds), usegmt=True), now) == seconds
    assert retry_after(str(seconds)) == seconds
    assert retry_after(format_datetime(now - timedelta(seconds=seconds), usegmt=True), now) == 0


@pytest.mark.parametrize("wrong", [{"tries": 0}, {"seconds": 0}, {"stall": -1}])
def test_impossible_patience_is_refused(wrong):
    with pytest.raises(InvalidInput, match="at least one try"):
        Retry(**wrong)


def test_a_search_heeds_retry_after_up_to_its_cap():
    class Answer:
        headers = {"Retry-After": "3600"}

    assert search_retry(0.5, 10).get_retry_after(Answer) == 10
    Answer.headers = {"Retry-After": "2"}
    assert search_retry(0.5, 10).get_retry_after(Answer) == 2
    assert search_retry(0.5, 10).total == 3


# ---- what stays away -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["503", "504", "429", "reset", "stall", "cut", "short"])
def test_a_fault_that_does_not_pass_is_named_with_the_tries(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(retry, "DEFAULT", Retry(tries=3, first=0.02, stall=0.2, seconds=20))
    write(tmp_path / "a.tif")
    with served(tmp_path) as (_, proxy):
        proxy.plan = lambda path, n: kind
        with pytest.raises(ReadFailed, match=r"item 'one', asset 'B02'.*3 tries") as caught:
            blue(f"{proxy.url}/open/a.tif").compute()
        assert proxy.requests["/open/a.tif"] == 3
        assert ("429" in str(caught.value)) == (kind == "429")


def test_a_server_that_asks_for_an_hour_is_given_up_at_once(tmp_path, monkeypatch):
    write(tmp_path / "a.tif")
    with served(tmp_path) as (_, proxy):
        proxy.plan = lambda path, n: "429"
        monkeypatch.setattr(ranges, "retry_after", lambda value: 3600.0 if value else None)
        start = time.monotonic()
        with pytest.raises(ReadFailed, match="asks to wait 3600 s"):
            blue(f"{proxy.url}/open/a.tif").compute()
        assert time.monotonic() - start < 2 and proxy.requests["/open/a.tif"] == 1


def test_nobody_listens(tmp_path, monkeypatch):
    monkeypatch.setattr(retry, "DEFAULT", Retry(tries=2, first=0.02))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        with pytest.raises(ReadFailed, match=r"item 'one'.*connection was refused.*\(2 tries.*proxy"):
            blue(f"http://127.0.0.1:{s.getsockname()[1]}/a.tif").compute()


# ---- nothing old, nothing half -------------------------------------------------------------------------------------
def test_a_failure_is_not_remembered(tmp_path):
    with served(tmp_path) as (blobs, _):
        cube = blue(blobs.address("open", "later.tif"))
        with pytest.raises(ReadFailed, match="404"):
            cube.compute()
        write(tmp_path / "later.tif", 1234)
        np.testing.assert_allclose(cube.values, 0.1234, rtol=1e-6)


def test_old_bytes_are_not_remembered(tmp_path):
    write(tmp_path / "a.tif", noise(300, 1))
    with served(tmp_path) as (blobs, _):
        cube = blue(blobs.address("open", "a.tif"))
        np.testing.assert_allclose(cube.values, noise(300, 1) * 1e-4, rtol=1e-6)
        write(tmp_path / "a.tif", noise(300, 2))
        np.testing.assert_allclose(cube.values, noise(300, 2) * 1e-4, rtol=1e-6)


def test_a_file_replaced_in_mid_read_is_read_anew_not_mixed(tmp_path):
    write(tmp_path / "a.tif", noise(300, 1))
    with served(tmp_path) as (_, proxy):
        seen = []

        def plan(path, n):
            seen.append(n)
            if n == 1:
                write(tmp_path / "a.tif", noise(300, 2))

        proxy.plan = plan
        np.testing.assert_allclose(blue(f"{proxy.url}/open/a.tif").values, noise(300, 2) * 1e-4, rtol=1e-6)
        assert len(seen) == 4  # header, pixels of another file; header, pixels


def test_a_file_that_never_stays_the_same_is_an_error(tmp_path):
    write(tmp_path / "a.tif", noise(300, 1))
    with served(tmp_path) as (_, proxy):
        proxy.plan = lambda path, n: write(tmp_path / "a.tif", noise(300, n)) and None
        with pytest.raises(ReadFailed, match="item 'one'.*replaced while it was read"):
            blue(f"{proxy.url}/open/a.tif").compute()


@pytest.mark.parametrize("compress", ["deflate", "lzw", "zstd", "none", "packbits"])
def test_a_stored_file_that_is_cut_off_is_never_pixels(tmp_path, compress):
    path = write(tmp_path / "a.tif", noise(300), compress=compress)
    whole = path.read_bytes()
    for share in (0.05, 0.5, 0.97):
        path.write_bytes(whole[: int(len(whole) * share)])
        with served(tmp_path) as (blobs, _):
            for size in (300, 299):
                with pytest.raises(ReadFailed, match="item 'one', asset 'B02'"):
                    blue(blobs.address("open", "a.tif"), size).compute()


@pytest.mark.parametrize("body", [b"", b"<html>log in</html>", b"II*\0\x08\0\0\0"], ids=["empty", "html", "stub"])
def test_what_is_no_image_is_named(tmp_path, body):
    (tmp_path / "a.tif").write_bytes(body)
    with served(tmp_path) as (blobs, _), pytest.raises(ReadFailed, match="item 'one', asset 'B02'"):
        blue(blobs.address("open", "a.tif")).compute()


def test_a_server_without_ranges_is_read_whole(tmp_path, monkeypatch):
    write(tmp_path / "a.tif", noise(300))
    with served(tmp_path) as (blobs, _):
        monkeypatch.setattr("servers.blobs.re.fullmatch", lambda *a: None)
        np.testing.assert_allclose(blue(blobs.address("open", "a.tif")).values, noise(300) * 1e-4, rtol=1e-6)
        monkeypatch.setattr(ranges, "WHOLE", 1000)
        with pytest.raises(ReadFailed, match=r"item 'one'.*no byte ranges and the file has \d+ bytes"):
            blue(blobs.address("open", "a.tif")).compute()


def test_few_requests_and_nothing_kept(tmp_path):
    """A window of many tiles: the header, then its rows of tiles; afterwards no bytes, names or connections remain."""
    write(tmp_path / "a.tif", noise(1024), 1024, 256)
    with served(tmp_path) as (blobs, _):
        for _ in range(5):
            blobs.seen.clear()
            got = blue(blobs.address("open", "a.tif"), 700).values
            np.testing.assert_allclose(got, noise(1024)[:700, :700] * 1e-4, rtol=1e-6)
            assert len(blobs.seen) <= 4, blobs.seen
    gc.collect()
    assert len(remote._sources) == 0 and len(transport._managers) <= 2


def test_gdal_settings_stay_inside(tmp_path):
    from rasterio._env import get_gdal_config

    write(tmp_path / "a.tif")
    with served(tmp_path) as (blobs, _):
        blue(blobs.address("open", "a.tif")).compute(scheduler="synchronous")
    assert get_gdal_config("GDAL_DISABLE_READDIR_ON_OPEN") is None
    assert get_gdal_config("CPL_VSIL_CURL_NON_CACHED") is None


# ---- gaps -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("engine", ["stackstac", "odc-stac"])
def test_missing_and_broken_assets_become_named_gaps_where_asked(tmp_path, engine):
    if engine == "odc-stac":
        pytest.importorskip("odc.stac", reason="the second engine is optional")
    for name in ("a", "b", "cut"):
        write(tmp_path / f"{name}.tif", noise(300), compress="deflate")
    whole = (tmp_path / "cut.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.tif").write_bytes(b"no image")
    with served(tmp_path) as (blobs, _):
        address = {n: blobs.address("open", f"{n}.tif") for n in ("a", "b", "cut", "text", "gone")}
        items = [
            item("full", "2017-06-01T10:00:00Z", B02=address["a"], B03=address["b"]),
            item("lost", "2017-06-02T10:00:00Z", B02=address["gone"], B03=address["b"]),
            item("half", "2017-06-03T10:00:00Z", B02=address["a"], B03=address["cut"]),
            item("text", "2017-06-04T10:00:00Z", B02=address["text"], B03=address["b"]),
        ]
        cube = open_cube(items, grid(), engine=engine, on_missing="skip")
        notes = gap_notes(cube)
        for part in (
            "lost has no usable asset B02: it answers 404",
            "half has no usable asset B03: the file is cut off",
        ):
            assert any(part in n for n in notes), notes
        assert any("text has no usable asset B02" in n for n in notes), notes
        assert len(notes) == 3
        cube = cube.load()
        there = [[bool(np.isfinite(cube[b][t]).all()) for b in ("blue", "green")] for t in range(4)]
        assert there == [[True, True], [False, True], [True, False], [False, True]]
        scene = ts.Scene.from_cubes(cube)
        assert any("item lost has no usable asset B02" in n for n in scene.notes)
        trace = ts.ask(scene, "What share of the area is water?")
        assert "item lost has no usable asset B02" in str(trace.provenance)
        with pytest.raises(ReadFailed, match="item '(lost|half|text)', asset 'B0[23]'"):
            open_cube(items, grid(), engine=engine).compute()


def test_a_busy_server_is_no_gap(tmp_path, monkeypatch):
    monkeypatch.setattr(retry, "DEFAULT", Retry(tries=2, first=0.02))
    write(tmp_path / "a.tif")
    with served(tmp_path) as (_, proxy):
        proxy.plan = lambda path, n: "503"
        with pytest.raises(ReadFailed, match="item 'one', asset 'B02'.*503"):
            blue(f"{proxy.url}/open/a.tif", on_missing="skip")


def test_a_band_that_no_item_has_is_an_error_all_the_same(tmp_path):
    with served(tmp_path) as (blobs, _), pytest.raises(ReadFailed, match="no item has a usable asset for blue: .*404"):
        blue(blobs.address("open", "gone.tif"), on_missing="skip")
    with pytest.raises(InvalidInput, match="on_missing"):
        blue("x.tif", on_missing="ignore")


def test_without_gaps_the_cube_says_so(tmp_path):
    write(tmp_path / "a.tif")
    with served(tmp_path) as (blobs, _):
        cube = open_cube([item("one", B02=blobs.address("open", "a.tif"))], grid(), on_missing="skip")
    assert cube.attrs[ATTRIBUTE] == "[]" and gap_notes(cube) == []


# ---- Ctrl-C ---------------------------------------------------------------------------------------------------------
CHILD = """
import sys, time
sys.path.insert(0, {tests!r})
import numpy as np
from test_faults import blue
stalled, good, scheduler = sys.argv[1:]
try:
    blue(stalled).compute(scheduler=scheduler)
except KeyboardInterrupt:
    pass
else:
    sys.exit("no interrupt")
if good != "-":  # the session goes on, and its threads are free
    begin = time.monotonic()
    values = blue(good).compute(scheduler=scheduler).values
    assert (abs(values - 0.3) < 1e-6).all()
    assert time.monotonic() - begin < 2
print("stopped", flush=True)
"""


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
@pytest.mark.parametrize("goes_on", [True, False])
def test_ctrl_c_stops_a_stalled_read_at_once(tmp_path, scheduler, goes_on):
    write(tmp_path / "a.tif")
    tests = str(Path(__file__).parent)
    with BlobServer({"open": tmp_path}) as blobs, faults.FaultProxy(blobs.url, stall=30) as proxy:
        asked = threading.Event()

        def plan(path, n):
            if "stalls" in path:
                asked.set()
                return "stall"
            return None

        proxy.plan = plan
        stalled, good = f"{proxy.url}/open/stalls.tif", f"{proxy.url}/open/a.tif"
        code = textwrap.dedent(CHILD.format(tests=tests))
        child = subprocess.Popen(
            [sys.executable, "-c", code, stalled, good if goes_on else "-", scheduler],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(Path(tests).parent)},
        )  # fmt: skip
        try:
            assert asked.wait(60), child.stderr.read() if child.poll() is not None else "it never asked"
            time.sleep(0.2)
            start = time.monotonic()
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=20)
            took = time.monotonic() - start
        finally:
            child.kill()
        assert child.returncode == 0 and "stopped" in out, err
        assert took < 2, f"{took:.1f} s"


def test_abandoned_reads_end_in_an_error_that_says_so(tmp_path):
    write(tmp_path / "a.tif")
    with BlobServer({"open": tmp_path}) as blobs, faults.FaultProxy(blobs.url, stall=10) as proxy:
        proxy.plan = lambda path, n: "stall"
        with ThreadPoolExecutor(1) as pool:
            doing = pool.submit(lambda: blue(f"{proxy.url}/open/a.tif").compute(scheduler="synchronous"))
            while not proxy.counts:
                time.sleep(0.01)
            stopping.abandon()
            with pytest.raises(ReadFailed, match="item 'one'.*given up"):
                doing.result(timeout=2)


# ---- the network is not there ---------------------------------------------------------------------------------------
def fails_soon(address):
    start = time.monotonic()
    with pytest.raises(ReadFailed, match="cannot be reached.*HTTPS_PROXY.*catalog='sample'"):
        len(ts.search((15, 46, 16, 47), "2023-08", catalog=address))
    return time.monotonic() - start


def test_searching_without_a_name_server_fails_within_two_seconds(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: time.sleep(30))
    assert fails_soon("https://earth-search.aws.element84.com/v1") < 2


def test_searching_with_packets_dropped_fails_within_two_seconds():
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):  # a full queue: further connections wait for ever
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        time.sleep(0.1)
        assert fails_soon(f"http://127.0.0.1:{full.getsockname()[1]}/") < 2


def test_searching_where_nobody_listens_fails_at_once(monkeypatch):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        assert fails_soon(f"http://127.0.0.1:{s.getsockname()[1]}/") < 2


def test_a_reader_pickles_and_opens_nothing_until_it_reads():
    import pickle

    assert isinstance(pickle.loads(pickle.dumps(blue("http://127.0.0.1:9/a.tif"))).data.dtype, np.dtype)
    assert AssetReader.read.__doc__
