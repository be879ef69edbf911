"""Tokens: asked for late, renewed in time, and seen nowhere: grepped for after every provoked failure."""

from __future__ import annotations

import io
import json
import logging
import pickle
import sys
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from pyproj import CRS
from servers import faults, firing
from servers.blobs import ACCOUNT, HOST, BlobServer

import terrascope_nb as ts
from terrascope_nb.errors import ReadFailed
from terrascope_nb.geo.grid import Grid
from terrascope_nb.stac import retry, sign, transport
from terrascope_nb.stac.catalog import Catalog, Found
from terrascope_nb.stac.query import Query
from terrascope_nb.stac.retry import Retry
from terrascope_nb.stac.sensors import SENSORS
from terrascope_nb.stac.sign import SasSigner, redact, sign_planetary
from terrascope_nb.stac.transport import Address

PLACE = Affine(10, 0, 600_000, 0, -10, 5_200_000)
S2 = "bigearthnet-s2-l2a"
SIZE = 300
GRID = Grid(PLACE, (SIZE, SIZE), CRS.from_epsg(32633))
VALUES = np.random.default_rng(0).integers(1, 9000, (SIZE, SIZE)).astype("uint16")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(retry, "DEFAULT", firing.QUICK)
    monkeypatch.setattr(sign, "_tokens", {})


@pytest.fixture
def place(tmp_path):
    """A private container with four bands, and a proxy before it."""
    (tmp_path / "blobs").mkdir()
    for name in ("B02", "B03", "B04", "B08"):
        with rasterio.open(
            tmp_path / "blobs" / f"{name}.tif", "w", driver="GTiff", dtype="uint16", count=1, width=SIZE, height=SIZE,
            crs="EPSG:32633", transform=PLACE, nodata=0, tiled=True, blockxsize=128, blockysize=128,
        ) as dst:  # fmt: skip
            dst.write(VALUES, 1)
    with BlobServer({"private": tmp_path / "blobs"}) as blobs, faults.FaultProxy(blobs.url, 2, blobs.expire) as proxy:
        yield blobs, proxy


def item(name, base, *bands):
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": S2, "geometry": None, "links": [],
        "properties": {"datetime": "2017-06-01T10:00:00Z", "platform": "sentinel-2a"},
        "assets": {b: {"href": f"{base}/private/{b}.tif"} for b in bands},
    }  # fmt: skip


def found_at(base, signer, bands=("B02", "B03", "B04", "B08"), **options):
    found = Found(
        Catalog("nowhere", sign=signer, **options),
        Query.of(GRID, None, (S2,), None, None, None, None, None),
        SENSORS[S2],
    )
    found._items = (item("one", base, *bands),)
    return found


def signer_of(blobs, **options):
    return SasSigner(HOST, blobs.token_service, **options)


# ---- late, shared, renewed ------------------------------------------------------------------------------------------
def test_opening_asks_for_no_token_and_many_threads_share_one(place):
    blobs, _ = place
    cube = ts.open_cube(found_at(blobs.url, signer_of(blobs)), GRID)
    repr(cube), cube._repr_html_()
    assert blobs.tokens == [] and blobs.seen == []
    with ThreadPoolExecutor(16) as pool:
        for got in pool.map(lambda k: cube.blue[0].values, range(32)):
            np.testing.assert_allclose(got, VALUES * 1e-4, rtol=1e-6)
    assert len(blobs.tokens) == 1 and all(status == 206 for *_, status in blobs.seen)


def test_a_cube_outlives_its_tokens(place):
    """Tokens of half a second; read for two: renewed before their end, and never refused."""
    blobs, _ = place
    blobs.lifetime = 0.5
    cube = ts.open_cube(found_at(blobs.url, signer_of(blobs)), GRID, bands=["blue"])
    end = time.monotonic() + 2
    while time.monotonic() < end:
        np.testing.assert_allclose(cube.blue[0].values, VALUES * 1e-4, rtol=1e-6)
    assert len(blobs.tokens) >= 4


def test_tokens_that_end_early_are_signed_again_and_the_read_goes_on(place):
    blobs, proxy = place
    cube = ts.open_cube(found_at(proxy.url, signer_of(blobs)), GRID, bands=["blue"])
    for at in (0, 1):
        proxy.clear()
        proxy.plan = lambda path, n, at=at: "expired" if n == at else None
        before = len(blobs.tokens)
        np.testing.assert_allclose(cube.blue[0].values, VALUES * 1e-4, rtol=1e-6)
        assert len(blobs.tokens) - before in (1, 2)
        statuses = [status for *_, status in blobs.seen]
        assert statuses.count(403) == 1
        blobs.seen.clear()


def test_any_callable_signs_and_is_asked_again_when_refused(place):
    blobs, _ = place
    calls = []

    def sign_by_hand(href):
        calls.append(href)
        return f"{href}?{'sig=old' if len(calls) == 1 else blobs.token()[0]}"

    cube = ts.open_cube(found_at(blobs.url, sign_by_hand), GRID, bands=["blue"])
    np.testing.assert_allclose(cube.blue[0].values, VALUES * 1e-4, rtol=1e-6)
    assert calls == [f"{blobs.url}/private/B02.tif"] * 2


def test_without_a_signer_a_refusal_says_what_to_give(place):
    blobs, _ = place
    with pytest.raises(ReadFailed, match=r"item 'one', asset 'B02'.*403.*carries no token.*sign="):
        ts.open_cube(found_at(blobs.url, None), GRID, bands=["blue"]).compute()


# ---- the Planetary Computer's service --------------------------------------------------------------------------------
@pytest.fixture
def planetary(place, monkeypatch):
    from planetary_computer.settings import Settings

    blobs, _ = place
    monkeypatch.setenv("PC_SDK_SAS_URL", blobs.token_service)
    monkeypatch.setenv("PC_SDK_SUBSCRIPTION_KEY", "KEY-THAT-MUST-NOT-SHOW")
    Settings.get.cache_clear()
    yield blobs
    Settings.get.cache_clear()


def test_planetary_hrefs_are_signed_by_its_service(planetary):
    href = f"https://{ACCOUNT}.blob.core.windows.net/private/a/b.tif"
    signed = sign_planetary(href)
    assert signed == f"{href}?{planetary.tokens[0]}" and sign_planetary(href) == signed
    assert Catalog("planetary-computer").signer() is sign_planetary
    sign_planetary.forget(f"{href}?sig=older")  # of a token that was replaced already
    assert sign_planetary(href) == signed
    sign_planetary.forget(signed)
    assert sign_planetary(href) != signed and len(planetary.tokens) == 2


@pytest.mark.parametrize(
    "href",
    [
        "/disk/a.tif",
        "https://example.org/private/a.tif",
        f"https://{ACCOUNT}.blob.core.windows.net/private/a.tif?sv=1&sig=SIGNED&se=2",
        "https://ai4edatasetspublicassets.blob.core.windows.net/assets/preview.png",
        "s3://bucket/private/a.tif",
        "",
    ],
)
def test_other_hrefs_stay_as_they_are(planetary, href):
    assert sign_planetary(href) == href and planetary.tokens == []


def test_no_token_says_why_within_the_patience(place, monkeypatch):
    blobs, proxy = place
    proxy.plan = lambda path, n: "503"
    hurried = SasSigner(HOST, f"{proxy.url}/api/sas/token", Retry(tries=3, first=0.02))
    with pytest.raises(ReadFailed, match=r"item 'one', asset 'B02'.*no access token from .*503; 3 tries"):
        ts.open_cube(found_at(blobs.url, hurried), GRID, bands=["blue"]).compute()
    proxy.plan = lambda path, n: None
    with pytest.raises(ReadFailed, match="no access token from .*404"):
        hurried(f"{blobs.url}/unknown/a.tif")


# ---- seen nowhere ---------------------------------------------------------------------------------------------------
class Everything:
    """What a user, a log file or a notebook could get to see while it is open."""

    def __init__(self, capfd):
        self._text = io.StringIO()
        self._capfd = capfd

    def __enter__(self):
        self._handler = logging.StreamHandler(self._text)
        self._handler.setLevel(logging.DEBUG)
        self._root = logging.getLogger()
        self._level = self._root.level
        self._root.addHandler(self._handler)
        self._root.setLevel(logging.DEBUG)
        self._names = (
            "rasterio",
            "urllib3",
            "fiona",
            "asyncio",
            "dask",
            "requests",
            "planetary_computer",
            "terrascope_nb",
        )
        for name in self._names:
            logging.getLogger(name).setLevel(logging.DEBUG)
        self._warnings = warnings.catch_warnings(record=True)
        self._caught = self._warnings.__enter__()
        warnings.simplefilter("always")
        return self

    def __exit__(self, *exc):
        self._warnings.__exit__(*exc)
        self._root.removeHandler(self._handler)
        self._root.setLevel(self._level)
        for name in self._names:
            logging.getLogger(name).setLevel(logging.NOTSET)

    def add(self, *things):
        for thing in things:
            self._text.write(f"\n{thing}")

    def add_error(self, error):
        """As text, with the variables of each frame as debuggers and verbose notebooks show them, and each link."""
        seen, todo = set(), [error]
        while todo:
            err = todo.pop()
            if err is None or id(err) in seen:
                continue
            seen.add(id(err))
            todo += [err.__cause__, err.__context__]
            self.add(str(err), repr(err), err.args, *traceback.format_exception(err), *getattr(err, "__notes__", ()))
            for frame, _ in traceback.walk_tb(err.__traceback__):
                self.add(*(_safely(value) for value in frame.f_locals.values()))

    def text(self):
        out, err = self._capfd.readouterr()
        told = [f"{w.message} {w.filename}" for w in self._caught]
        return "\n".join([self._text.getvalue(), out, err, *told])


def _safely(value):
    try:
        return repr(value)
    except Exception as err:  # noqa: BLE001  (some objects of other packages have no repr while they are unfinished)
        return f"no repr: {err!r}"


@pytest.mark.parametrize("kind", [*faults.KINDS, "fine"])
@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_no_token_in_anything_that_a_failure_leaves_behind(place, capfd, kind, scheduler):
    blobs, proxy = place
    lasts = kind in ("404", "truncated", "denied", "fine")
    proxy.plan = lambda path, n: None if kind == "fine" else kind if lasts or n < 2 else None
    patience = Retry(tries=2, first=0.02, stall=0.3)  # too little for what comes twice
    found = found_at(proxy.url, signer_of(blobs, retry=patience), retry=patience)
    with Everything(capfd) as seen, rasterio.Env(CPL_DEBUG=True, CPL_CURL_VERBOSE=True):
        cube = ts.open_cube(found, GRID)
        try:
            cube.compute(scheduler=scheduler)
            failed = False
        except ReadFailed as err:
            failed = True
            seen.add_error(err)
        seen.add(repr(found), found._repr_html_(), repr(found.catalog), json.dumps(found.items), repr(cube))
        seen.add(cube._repr_html_(), repr(cube.attrs), repr(dict(cube.__dask_graph__())), repr(found.catalog.sign))
        text = seen.text()
    assert kind == "expired" or failed == (kind != "fine"), kind
    assert blobs.tokens and len(text) > 1000
    for token in (*blobs.secrets(), *blobs.tokens):
        assert token not in text
    assert "GET /private/B02.tif HTTP" in text or "/private/B02.tif" in text  # the logs were on


def test_no_token_in_a_notebook_whose_cell_fails(place):
    """Verbose tracebacks, which print every variable of every frame, and the outputs of cells that work."""
    import nbclient
    import nbformat

    blobs, proxy = place
    tests = str(Path(__file__).parent)
    setup = (
        f"%xmode Verbose\nimport sys, logging; sys.path[:0] = [{tests!r}, {str(Path(tests).parent)!r}]\n"
        "logging.basicConfig(level=logging.DEBUG)\n"
        "import terrascope_nb as ts; from test_tokens import GRID, found_at, SasSigner, HOST\n"
        f"found = found_at({proxy.url!r}, SasSigner(HOST, {blobs.token_service!r}))\n"
        "cube = ts.open_cube(found, GRID); found"
    )
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(c) for c in (setup, "cube.blue[0].compute()", "cube.compute()", "cube")]
    proxy.plan = lambda path, n: "denied" if path.endswith("B08.tif") else None
    nbclient.NotebookClient(notebook, timeout=120, allow_errors=True).execute()
    text = nbformat.writes(notebook)
    assert "item 'one', asset 'B08' cannot be read" in text and "ReadFailed" in text
    assert len(blobs.tokens) >= 2 and '"output_type": "error"' in text
    for token in (*blobs.secrets(), *blobs.tokens):
        assert token not in text


def test_no_token_in_pickles_and_files(place, tmp_path):
    blobs, _ = place
    found = found_at(blobs.url, signer_of(blobs))
    cube = ts.open_cube(found, GRID)
    scene = ts.Scene.from_cubes(cube)
    trace = ts.ask(scene, "What share of the area is vegetation?")
    assert len(blobs.tokens) == 1
    cube.to_netcdf(tmp_path / "cube.nc")
    page = trace.to_html(tmp_path / "trace.html")
    with xr.open_dataset(tmp_path / "cube.nc") as back:
        words = repr(back.attrs)
    kept = [
        pickle.dumps(cube), cloudpickle.dumps(dict(cube.__dask_graph__())), cloudpickle.dumps(found), words.encode(),
        pickle.dumps(found.catalog.sign), (tmp_path / "cube.nc").read_bytes(), page.read_bytes(),
        repr(scene).encode(), repr(trace).encode(), json.dumps(trace.provenance, default=str).encode(),
    ]  # fmt: skip
    for token in (*blobs.secrets(), *blobs.tokens):
        assert not any(token.encode() in k for k in kept)
    assert pickle.loads(pickle.dumps(cube)).blue[0].compute().notnull().all()


def test_a_read_in_another_process_signs_for_itself(place):
    blobs, _ = place
    cube = ts.open_cube(found_at(blobs.url, signer_of(blobs)), GRID, bands=["blue"])
    np.testing.assert_allclose(cube.blue[0].compute(scheduler="processes", num_workers=1), VALUES * 1e-4, rtol=1e-6)
    assert len(blobs.tokens) == 1


def test_what_a_signer_says_when_it_fails_is_redacted(place, capfd):
    blobs, _ = place

    def broken(href):
        token = "sig=HUSH"
        raise ValueError(f"cannot sign {href}?{token} at https://me:HUSH@keys.example/x")

    with Everything(capfd) as seen:
        with pytest.raises(ReadFailed, match=r"item 'one'.*could not be signed \(ValueError: cannot sign") as caught:
            ts.open_cube(found_at(blobs.url, broken), GRID, bands=["blue"]).compute()
        assert "HUSH" not in str(caught.value) and caught.value.__cause__ is caught.value.__context__ is None
        seen.add(*traceback.format_exception(caught.value))
        assert "HUSH" not in seen.text()


def test_hrefs_that_come_signed_show_only_their_bare_half(place, capfd):
    blobs, _ = place
    token, _ = blobs.token()
    found = found_at(blobs.url, None, ("B02",))
    found._items[0]["assets"]["B02"]["href"] += f"?{token}"
    cube = ts.open_cube(found, GRID)
    np.testing.assert_allclose(cube.blue[0].values, VALUES * 1e-4, rtol=1e-6)
    blobs.expire()
    with Everything(capfd) as seen:
        with pytest.raises(ReadFailed, match="403.*one that has ended"):
            cube.compute()
        assert token not in seen.text() + repr(cube) + repr(cube.attrs)


def test_an_address_hides_and_is_not_pickled():
    address = Address("https://me:pw@host.example/a/b.tif?sig=SECRET#SECRET")
    assert repr(address) == "Address('https://host.example/a/b.tif')" and address.has_query
    with pytest.raises(TypeError, match="sign again"):
        pickle.dumps(address)
    assert address == Address("https://me:pw@host.example/a/b.tif?sig=SECRET")
    assert address != Address("https://host.example/a/b.tif?sig=OTHER") and len({address, address}) == 1
    assert repr(address.join("/c?sig=SECRET")) == "Address('https://host.example/c')"


def test_a_redirect_is_followed_and_takes_no_token_along(place, monkeypatch):
    blobs, _ = place
    asked = []
    plain = transport._get

    def get(address, headers, *rest):
        asked.append((address.bare, address.has_query))
        if address.bare.endswith("moved.tif"):
            return transport.Answer(302, {"location": f"{blobs.url}/private/B02.tif?{blobs.token()[0]}"}, b"")
        return plain(address, headers, *rest)

    monkeypatch.setattr(transport, "_get", get)
    answer = transport.get(Address(f"{blobs.url}/private/moved.tif?sig=FIRST"), {"Range": "bytes=0-9"}, 10, 5, 5)
    assert answer.status == 206 and len(answer.body) == 10
    assert asked == [(f"{blobs.url}/private/moved.tif", True), (f"{blobs.url}/private/B02.tif", True)]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("GET https://h/a?sig=x&b=1 500", "GET https://h/a?… 500"),
        ("'/vsicurl/https://h/a.tif?sig=x'", "'/vsicurl/https://h/a.tif?…'"),
        ("is it there? yes", "is it there? yes"),
        ("https://u:p@h/a", "https://…@h/a"),
    ],
)
def test_redacted(said, shown):
    assert redact(said) == shown
    assert redact("the key is abc", ["abc", ""]) == "the key is …"


def test_no_planetary_package_is_loaded_to_sign_elsewhere(place):
    import subprocess

    blobs, _ = place
    code = (
        "import sys; from terrascope_nb.stac.sign import SasSigner; "
        f"s = SasSigner({HOST!r}, {blobs.token_service!r}); "
        f"assert 'sig=' in s({blobs.address('private', 'B02.tif')!r}); "
        "assert 'planetary_computer' not in sys.modules and 'rasterio' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
