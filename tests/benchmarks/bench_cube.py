"""Opening and loading cubes over local HTTP, beside plain stackstac and plain odc-stac, and opening 200 items.

    python tests/benchmarks/bench_cube.py [--rounds 3] [--items 12] [--size 1024]

Writes COGs with noise on a smooth ground, serves them with byte ranges from a process of its own, and lets every method
load the same window of four bands of every item, each run in a fresh process, the methods taking turns. «ours» gives
float32 reflectance with NaN, the plain packages the uint16 numbers of the files. Prints a Markdown table: the best and
the median of the rounds, the ratio to plain stackstac by the best, and the peak memory of the process. The server, a
method and whatever else runs share the machine's cores: read the ratios.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve()
BANDS = ("blue", "green", "red", "nir")
FILE = 2560  # pixels along a file's side
METHODS = ("stackstac", "ours", "odc-stac", "ours, odc-stac")
LEFT, TOP = 600_000, 5_200_000


def write(folder: Path, items: int) -> None:
    """The files: uint16, 512² deflated tiles, overviews, nodata 0."""
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.transform import Affine

    rng = np.random.default_rng(7)
    y, x = np.mgrid[:FILE, :FILE] / FILE
    ground = 1500 + 800 * np.sin(9 * x + 4 * y) + 500 * np.cos(17 * y)
    profile = {
        "driver": "GTiff", "height": FILE, "width": FILE, "count": 1, "dtype": "uint16", "crs": 32633, "nodata": 0,
        "transform": Affine(10, 0, LEFT, 0, -10, TOP), "tiled": True, "blockxsize": 512, "blockysize": 512,
        "compress": "deflate", "predictor": 2,
    }  # fmt: skip
    for k in range(items):
        for band in BANDS:
            values = ground + rng.normal(0, 60, ground.shape)
            with rasterio.open(folder / f"{k}_{band}.tif", "w", **profile) as dst:
                dst.write(values.clip(1, 20_000).astype("uint16"), 1)
                dst.build_overviews([2, 4], Resampling.average)


def item(k: int, url: str, day: int | None = None) -> dict[str, Any]:
    """An item as a catalogue gives it."""
    place = {"proj:epsg": 32633, "proj:shape": [FILE, FILE], "proj:transform": [10, 0, LEFT, 0, -10, TOP]}
    box = [LEFT, TOP - 10 * FILE, LEFT + 10 * FILE, TOP]
    ring = [[16.3, 46.6], [16.8, 46.6], [16.8, 47], [16.3, 47], [16.3, 46.6]]
    day = k if day is None else day
    when = np.datetime64("2023-01-01T10:00:00") + np.timedelta64(day, "D")
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": f"item{k}", "collection": "sentinel-2-l2a", "links": [],
        "stac_extensions": ["https://stac-extensions.github.io/projection/v1.1.0/schema.json"],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [16.3, 46.6, 16.8, 47],
        "properties": {"datetime": f"{when}Z", "s2:processing_baseline": "02.12", "proj:bbox": box} | place,
        "assets": {b: {"href": f"{url}/{k}_{b}.tif", "type": "image/tiff", "roles": ["data"], **place} for b in BANDS},
    }  # fmt: skip


def load(method: str, url: str, items: int, size: int) -> dict[str, float]:
    """One method, timed: seconds to open, seconds to load, mean value, peak memory in MB. Imports are not counted."""
    things = [item(k, url) for k in range(items)]
    corner = (LEFT + 10 * 300, TOP - 10 * 700)  # in the midst, across tiles
    bounds = (corner[0], corner[1] - 10 * size, corner[0] + 10 * size, corner[1])
    begun = peak_memory()
    opened_by = OPENERS.get(method) or ours("odc-stac" if "odc" in method else "stackstac")
    opened_by(things[:1], bounds, size)  # imports everything, reads nothing
    start = time.perf_counter()
    lazy = opened_by(things, bounds, size)
    opened = time.perf_counter()
    data = lazy.compute()
    done = time.perf_counter()
    values = [data.data] if hasattr(data, "data") else [data[b].data for b in BANDS]
    mean = float(np.mean([v.mean(dtype="float64") for v in values])) * (1 if method.startswith("ours") else 1e-4)
    return {"open": opened - start, "load": done - opened, "mean": mean, "peak": peak_memory() - begun}


def peak_memory() -> float:
    """MB of this process at its fullest; where the system does not tell, that of it and what started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def by_stackstac(things: list[Any], bounds: tuple[float, ...], size: int) -> Any:
    """Plain stackstac, as its documentation has it for whole numbers."""
    import stackstac

    return stackstac.stack(
        things, assets=list(BANDS), epsg=32633, bounds=bounds, resolution=10, dtype="uint16", rescale=False,
        fill_value=np.uint16(0), xy_coords="center", snap_bounds=False, properties=False, band_coords=False,
    )  # fmt: skip


def by_odc(things: list[Any], bounds: tuple[float, ...], size: int) -> Any:
    """Plain odc-stac."""
    import odc.stac
    import pystac
    from affine import Affine
    from odc.geo.geobox import GeoBox

    box = GeoBox((size, size), Affine(10, 0, bounds[0], 0, -10, bounds[3]), "EPSG:32633")
    return odc.stac.load([pystac.Item.from_dict(i) for i in things], bands=BANDS, geobox=box, chunks={})


def ours(engine: str) -> Callable[..., Any]:
    """This package, by one of its engines."""
    from affine import Affine
    from pyproj import CRS

    from terrascope_nb.geo.grid import Grid
    from terrascope_nb.stac.cube import open_cube

    def opened(things: list[Any], bounds: tuple[float, ...], size: int) -> Any:
        grid = Grid(Affine(10, 0, bounds[0], 0, -10, bounds[3]), (size, size), CRS.from_epsg(32633))
        return open_cube(things, grid, engine=engine)

    return opened


OPENERS: dict[str, Callable[..., Any]] = {"stackstac": by_stackstac, "odc-stac": by_odc}


def open_many(count: int, same_day: int) -> float:
    """Seconds to open `count` items, `same_day` of them a step, from addresses that nobody serves."""
    from affine import Affine
    from pyproj import CRS

    from terrascope_nb.geo.grid import Grid
    from terrascope_nb.stac.cube import open_cube

    grid = Grid(Affine(10, 0, LEFT, 0, -10, TOP), (1024, 1024), CRS.from_epsg(32633))
    things = [item(k, "http://127.0.0.1:9", k // same_day) for k in range(count)]
    open_cube(things[:1], grid)  # imports
    start = time.perf_counter()
    open_cube(things, grid)
    return time.perf_counter() - start


SERVE = """
import sys, time
sys.path.insert(0, sys.argv[1])
from range_server import RangeServer
with RangeServer(sys.argv[2]) as server:
    sys.stdout.write(server.url + "\\n"); sys.stdout.flush()
    time.sleep(3600)
"""


def main() -> None:
    """Run the methods in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--items", type=int, default=12)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--run", nargs=2, metavar=("METHOD", "URL"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        print(json.dumps(load(*args.run, args.items, args.size)))
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), args.items)
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(HERE.parents[1]), folder], stdout=subprocess.PIPE, text=True
        )
        try:
            url = server.stdout.readline().strip()
            runs: dict[str, list[dict[str, float]]] = {m: [] for m in METHODS}
            for n in range(args.rounds):
                for method in METHODS if n % 2 == 0 else METHODS[::-1]:
                    command = [sys.executable, str(HERE), "--run", method, url]
                    command += ["--items", str(args.items), "--size", str(args.size)]
                    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                    runs[method].append(json.loads(out.splitlines()[-1]))
        finally:
            server.terminate()
            server.wait()
    print(f"{args.items} items × {len(BANDS)} bands × {args.size}² over local HTTP, {args.rounds} rounds\n")
    print("| method | open s | load s (best) | load s (median) | of stackstac | peak MB above start |")
    print("|---|---|---|---|---|---|")
    base = min(r["open"] + r["load"] for r in runs["stackstac"])
    for method, found in runs.items():
        loads = [r["load"] for r in found]
        best = min(r["open"] + r["load"] for r in found)
        row = (method, f"{min(r['open'] for r in found):.2f}", f"{min(loads):.2f}", f"{statistics.median(loads):.2f}",
               f"{best / base:.2f}", f"{min(r['peak'] for r in found):.0f}")  # fmt: skip
        print("| " + " | ".join(row) + " |")
    means = {m: round(found[0]["mean"], 6) for m, found in runs.items()}
    print(f"\nmean reflectance by method, which must agree: {means}")
    for same_day in (1, 2):
        print(f"opening 200 items, {same_day} a day: {open_many(200, same_day):.2f} s, no pixel read")


if __name__ == "__main__":
    main()
