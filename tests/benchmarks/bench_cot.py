"""How fast records of Terra-CoT are made, and how much memory a build takes.

    python tests/benchmarks/bench_cot.py [--records 5000] [--size 256] [--workers 1 2]

1. Run lengths: encode and decode against pycocotools (compiled C), on masks of a synthetic landscape.
2. Making units: compose, check and render the label maps of a number of scenes that are in memory; CPU time of this
   one process, so that neighbours on the machine do not count.
3. Building: a whole build in processes of its own, wall time, with the resident memory of the main process and of all
   its processes together, sampled while it runs. Memory is stated after a fifth and after all of the records: a build
   that holds what it has written would grow between the two. CPU time holds the making of the synthetic scenes and the
   start of the processes as well.

Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from terrascope_nb.cot import rle
from terrascope_nb.cot.build import build
from terrascope_nb.cot.check import check
from terrascope_nb.cot.compose import compose
from terrascope_nb.cot.record import KINDS
from terrascope_nb.cot.sources import open_source
from terrascope_nb.cot.unit import Recipe, image_refs, make_unit
from terrascope_nb.scene.synthetic import LEGEND, landscape


def seconds(run: Callable[[], object], times: int) -> float:
    """CPU seconds of one call: the least of five rounds."""
    rounds = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(times):
            run()
        rounds.append((time.process_time() - start) / times)
    return min(rounds)


def run_lengths(size: int) -> None:
    """Table 1."""
    from pycocotools import mask as coco

    labels = landscape(np.random.default_rng(1), size)
    masks = [labels == number for number in LEGEND if (labels == number).any()]
    strings = [rle.encode(m) for m in masks]
    theirs = [coco.encode(np.asfortranarray(m.astype(np.uint8))) for m in masks]
    assert [s.encode() for s in strings] == [t["counts"] for t in theirs]
    rows = {
        "encode": (
            lambda: [rle.encode(m) for m in masks],
            lambda: [coco.encode(np.asfortranarray(m.astype(np.uint8))) for m in masks],
        ),
        "decode": (
            lambda: [rle.decode(s, (size, size)) for s in strings],
            lambda: [coco.decode(t).astype(bool) for t in theirs],
        ),
    }
    print(f"| {len(masks)} masks of {size}² | ours, ms a mask | pycocotools, ms a mask | their time / ours |")
    print("|---|---|---|---|")
    for name, (ours, plain) in rows.items():
        a, b = (1000 * seconds(f, 20) / len(masks) for f in (ours, plain))
        print(f"| {name} | {a:.3f} | {b:.3f} | {b / a:.2f} |")


def units(size: int, scenes: int = 40) -> None:
    """Table 2."""
    items = list(open_source("synthetic", n=scenes, size=size))
    recipe = Recipe(kinds=KINDS)
    make_unit(items[0], compose, recipe)  # what is imported and compiled on first use
    spent = {"compose": 0.0, "check": 0.0}
    count = 0
    for item in items:
        start = time.process_time()
        records = compose(item, np.random.default_rng(0), image_refs(item))
        spent["compose"] += time.process_time() - start
        start, kept = time.process_time(), {}
        for record in records:
            check(record, item, kept)
        spent["check"] += time.process_time() - start
        count += len(records)
    whole = dict.fromkeys((False, True), 0.0)
    made = 0
    for images in whole:
        start = time.process_time()
        made = sum(len(make_unit(item, compose, Recipe(kinds=KINDS, images=images)).rows) for item in items)
        whole[images] = time.process_time() - start
    print(f"\n| {scenes} label maps of {size}², {made} records | CPU ms a record | records a minute a core |")
    print("|---|---|---|")
    for name, value in spent.items():
        print(f"| {name} | {1000 * value / count:.2f} | {60 * count / value:,.0f} |")
    for images, name in ((False, "all, without pictures"), (True, "all, with pictures (PNG)")):
        print(f"| {name} | {1000 * whole[images] / made:.2f} | {60 * made / whole[images]:,.0f} |")


def builds(size: int, records: int, workers: list[int]) -> None:
    """Table 3."""
    print(f"\n| build of {records} records, {size}² | wall s | CPU s | records a CPU minute | MiB after a fifth: "
          "main, all | MiB at most: main, all | on disk, MB |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    for count in workers:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--one", folder, str(size), str(records), str(count)]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            wall, early, most = watched(command, Path(folder) / "set", records)
            disk = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()) / 1e6
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"| {count} process{'es' if count > 1 else ''} | {wall:.0f} | {spent:.0f} | "
              f"{60 * records / spent:,.0f} | {early[0]:.0f}, {early[1]:.0f} | "
              f"{most[0]:.0f}, {most[1]:.0f} | {disk:.0f} |", flush=True)  # fmt: skip


def watched(command: list[str], folder: Path, records: int) -> tuple[float, tuple[float, float], tuple[float, float]]:
    """Wall seconds; the most (main, all) MiB that were resident until a fifth was written; and the most at all."""
    import psutil

    start = time.perf_counter()
    run = psutil.Popen(command, stdout=subprocess.DEVNULL)
    early = most = (0.0, 0.0)
    journal = folder / "progress.jsonl"
    while run.poll() is None:
        try:
            main = run.memory_info().rss / 2**20
            every = main + sum(p.memory_info().rss for p in run.children()) / 2**20
        except psutil.NoSuchProcess:
            continue
        most = max(most[0], main), max(most[1], every)
        groups = journal.read_bytes().count(b"\n") - 1 if journal.exists() else 0
        if groups * 1000 < records / 5:
            early = most
        time.sleep(0.2)
    if run.returncode:
        raise SystemExit(f"the build ended with {run.returncode}")
    return time.perf_counter() - start, early, most


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=5000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--one", nargs=4, metavar=("DIR", "SIZE", "N", "W"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        folder, size, n, count = args.one
        build(("synthetic", {"n": int(n), "size": int(size)}), Path(folder) / "set", int(n), workers=int(count))
        return
    run_lengths(args.size)
    units(args.size)
    if args.workers:
        builds(args.size, args.records, args.workers)


if __name__ == "__main__":
    main()
