"""The fault run: many reads through `open_cube` over real HTTP, each of which meets one fault of a seeded plan."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS

from servers import faults
from servers.blobs import HOST, BlobServer
from servers.content import SAMPLE
from terrascope_nb.errors import ReadFailed
from terrascope_nb.geo.grid import Grid
from terrascope_nb.stac.catalog import Catalog, Found
from terrascope_nb.stac.cube import open_cube
from terrascope_nb.stac.query import Query
from terrascope_nb.stac.retry import Retry
from terrascope_nb.stac.sensors import SENSORS
from terrascope_nb.stac.sign import SasSigner

SENSOR = "bigearthnet-s2-l2a"
QUICK = Retry(first=0.05, most=1, stall=0.7, connect=5, seconds=30)
CONTAINER = "private-fire"
PLACE = (404_400, 5_342_400)  # left and top of the files, EPSG:32633


@dataclass(frozen=True)
class Shot:
    """One read and the fault that it meets.

    Attributes
    ----------
    number : int
    kind : str
        One of `faults.KINDS`.
    at : int
        Number of the request that meets it; lasting faults stay from there on.
    file : str
        Path in the container.
    shifted : bool
        Whether the wanted grid lies between the file's pixels, so that GDAL's warper reads.
    """

    number: int
    kind: str
    at: int
    file: str
    shifted: bool

    @property
    def item(self) -> str:
        """Id of the item read."""
        return f"shot-{self.number:03d}"


@dataclass
class Outcome:
    """How the reads of one kind of fault ended.

    Attributes
    ----------
    right, named, wrong, silent, other, missed : int
        Values as in the file; ReadFailed that names item and asset; other values; no error and no values where the
        fault lasts; another exception; the fault was never met.
    """

    right: int = 0
    named: int = 0
    wrong: int = 0
    silent: int = 0
    other: int = 0
    missed: int = 0


@dataclass
class Report:
    """What a run counted.

    Attributes
    ----------
    outcomes : dict
        Kind of fault → `Outcome`.
    seconds : float
    faults : Counter
        Faults sent by kind; those that last are met at each try.
    early : int
        Requests that came back before the ``Retry-After`` they were given was over.
    messages : list of str
        Every error's text.
    tokens : list of str
        Signatures handed out, which must be seen nowhere.
    errors : list
        The exceptions themselves.
    """

    outcomes: dict[str, Outcome]
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    early: int = 0
    messages: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def table(self) -> str:
        """As Markdown, a row a kind of fault."""
        head = (
            "| fault | reads | ended right | named error | silent | wrong |\n| --- | ---: | ---: | ---: | ---: | ---: |"
        )
        rows = [
            f"| {NAMES[kind]} | {o.right + o.named + o.silent + o.wrong + o.other} | {o.right} | {o.named} | "
            f"{o.silent} | {o.wrong + o.other} |"
            for kind, o in self.outcomes.items()
        ]
        sums = [sum(getattr(o, n) for o in self.outcomes.values()) for n in ("right", "named", "silent", "wrong")]
        total = sum(o.right + o.named + o.silent + o.wrong + o.other for o in self.outcomes.values())
        return "\n".join([head, *rows, f"| **all** | {total} | " + " | ".join(map(str, sums)) + " |"])


NAMES = {
    "429": "429, Retry-After in seconds",
    "429 until": "429, Retry-After as a date",
    "503": "503",
    "504": "504",
    "expired": "token ends in mid-read",
    "cut": "answer breaks off",
    "short": "answer shorter than its range",
    "stall": "stall",
    "reset": "connection reset",
    "404": "404",
    "truncated": "stored file cut off",
    "denied": "refused, however signed",
}


def build(folder: Path) -> list[str]:
    """Files to read: real bands small enough for one request, and larger tiled ones that need several."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for band in sorted(SAMPLE.glob(f"{SENSOR}/S2A_MSIL2A_20170613*/B0[238].tif")):
        shutil.copy(band, folder / band.name)
        names.append(band.name)
        with rasterio.open(band) as src:
            pixels = np.tile(src.read(1), (5, 5)) + np.arange(600, dtype="uint16")[:, None]
            place, crs = src.transform, src.crs
        with rasterio.open(
            folder / f"large-{band.name}", "w", driver="GTiff", dtype="uint16", count=1, width=600, height=600,
            crs=crs, transform=place, nodata=0, tiled=True, blockxsize=128, blockysize=128, compress="deflate",
        ) as dst:  # fmt: skip
            dst.write(pixels, 1)
        names.append(f"large-{band.name}")
    return names


def shots(files: list[str], total: int, rng: np.random.Generator) -> list[Shot]:
    """The plan: every kind of fault as often as any other, at the first request or, in large files, at a later one."""
    out = []
    for k, kind in enumerate(faults.dealt(faults.KINDS, total, rng)):
        file = files[int(rng.integers(len(files)))]
        at = int(rng.integers(2)) if file.startswith("large") and kind != "truncated" else 0
        out.append(Shot(k, kind, at, file, bool(rng.integers(2))))
    return out


def run(
    folder: Path, total: int = 300, seed: int = 7, retry: Retry = QUICK, stall: float = 1.2, threads: int = 12,
    only: str | None = None,
) -> Report:  # fmt: skip
    """Fire all shots and count how the reads end. `only`: one kind of fault."""
    rng = np.random.default_rng(seed)
    files = build(folder / "files")
    plan = [s for s in shots(files, total, rng) if only in (None, s.kind)]
    catalog = Catalog(folder)
    truth = {(f, s): _read("truth", str(folder / "files" / f), catalog, f, s) for f in files for s in (False, True)}
    report = Report({k: Outcome() for k in faults.KINDS if only in (None, k)})
    with BlobServer({CONTAINER: folder / "files"}) as blobs, faults.FaultProxy(blobs.url, stall, blobs.expire) as proxy:
        by_path = {f"/{CONTAINER}/~{s.number}/{s.file}": s for s in plan}
        met: set[int] = set()

        def fault(path: str, number: int) -> str | None:
            shot = by_path.get(path)
            lasts = shot is not None and shot.kind in faults.LASTING
            if shot is None or not (number >= shot.at if lasts else number == shot.at):
                return None
            met.add(shot.number)
            return shot.kind

        proxy.plan = fault
        signed = Catalog(folder, sign=SasSigner(HOST, blobs.token_service, retry), retry=retry)
        start = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            ended = list(pool.map(lambda s: _fire(s, proxy, signed, truth), plan))
        report.seconds = time.perf_counter() - start
        report.faults = Counter(proxy.counts)
        report.early = sum(late < -0.05 for late in proxy.retries_heeded)
        report.tokens = blobs.secrets()
    for shot, (how, err) in zip(plan, ended, strict=True):
        outcome = report.outcomes[shot.kind]
        setattr(outcome, how, getattr(outcome, how) + 1)
        outcome.missed += shot.number not in met
        if err is not None:
            report.messages.append(str(err))
            report.errors.append(err)
    return report


def _fire(shot: Shot, proxy: faults.FaultProxy, catalog: Catalog, truth: dict[Any, Any]) -> tuple[str, Any]:
    """One read through a cube of one item; how it ended, and its error."""
    href = f"{proxy.url}/{CONTAINER}/~{shot.number}/{shot.file}"
    try:
        got = _read(shot.item, href, catalog, shot.file, shot.shifted)
    except ReadFailed as err:
        named = shot.item in str(err) and "'B02'" in str(err)
        return ("named" if named else "other"), err
    except Exception as err:  # noqa: BLE001  (whatever it is, it is counted)
        return "other", err
    if np.array_equal(got, truth[shot.file, shot.shifted], equal_nan=True):
        return "right", None
    return ("silent" if np.isnan(got).all() else "wrong"), None


def _read(name: str, href: str, catalog: Catalog, file: str, shifted: bool) -> Any:
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": SENSOR, "geometry": None,
        "links": [], "properties": {"datetime": "2017-06-13T10:10:31Z", "platform": "sentinel-2a"},
        "assets": {"B02": {"href": href}},
    }  # fmt: skip
    size = 600 if file.startswith("large") else 120
    by = 4 if shifted else 0
    grid = Grid(Affine(10, 0, PLACE[0] + by, 0, -10, PLACE[1] - by), (size - 1, size - 1), CRS.from_epsg(32633))
    if not shifted:
        grid = Grid(grid.transform, (size, size), grid.crs)
    found = Found(catalog, Query.of(grid, None, (SENSOR,), None, None, None, None, None), SENSORS[SENSOR])
    found._items = (item,)
    return open_cube(found, grid, bands=["blue"]).blue[0].compute(scheduler="synchronous").values
