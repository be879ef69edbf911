"""Time and memory of measuring masks on a whole Sentinel-2 tile, against the same figures by plain NumPy and SciPy.

    python tests/benchmarks/bench_measure.py [--size 10980] [--case "two lakes"] [--task "one mask"] …

Tasks: «one mask» is share, area, number of parts and centroid (`measure`, against count_nonzero, `scipy.ndimage.label`
of the whole mask, bincount and center_of_mass); «distance» is the smallest distance of two masks in metres (`distance`,
against `scipy.ndimage.distance_transform_edt`). A strip of the tile is outside the AOI, a part of it under cloud. Every
measurement runs in a process of its own, which loads the masks (not counted), notes its peak resident memory, measures,
and notes the peak again. Prints a Markdown table. SciPy needs up to four gigabytes and some ten seconds a line.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

CASES = ("two lakes", "10,000 specks", "half-and-half noise", "5 % noise", "one empty mask")
TASKS = ("one mask", "distance")
METHODS = ("plain", "ours")
NAMES = ("a", "b", "inside", "clear")
STRIP = 512  # rows made at once


def make(case: str, size: int) -> tuple[np.ndarray, ...]:
    """Two masks, the AOI and the clear pixels, each bool of shape (size, size); the same every time."""
    rng = np.random.default_rng(7)
    a, b = np.zeros((size, size), dtype=bool), np.zeros((size, size), dtype=bool)
    inside, clear = np.ones_like(a), np.ones_like(a)
    inside[:, : size // 20] = False
    clear[size // 2 : size // 2 + size // 8, size // 2 :] = False
    if case == "two lakes":
        for mask, middle, radius in ((a, (0.31, 0.27), 0.19), (b, (0.66, 0.71), 0.23)):
            for top in range(0, size, STRIP):
                row, col = np.ogrid[top : min(top + STRIP, size), :size]
                down, across = row / size - middle[0], col / size - middle[1]
                shore = radius * (1 + 0.15 * np.sin(5 * np.arctan2(down, across)))
                mask[top : top + STRIP] = np.hypot(down, across) < shore
    elif case == "10,000 specks":
        for mask in (a, b):
            for row, col in rng.integers(0, size - 3, (10_000, 2)):
                mask[row : row + 2, col : col + 3] = True
        b &= ~a
    elif "noise" in case:
        level = 128 if case.startswith("half") else 13
        for top in range(0, size, STRIP):
            a[top : top + STRIP] = rng.integers(0, 256, a[top : top + STRIP].shape, dtype=np.uint8) < level
        np.logical_not(a, out=b)
    return a, b, inside, clear


def peak() -> float:
    """Peak resident memory of this process so far, in MiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def plainly(task: str, a: np.ndarray, b: np.ndarray, inside: np.ndarray, clear: np.ndarray) -> list[float]:
    """The figures as one would write them down: whole-array NumPy and SciPy."""
    from scipy.ndimage import center_of_mass, distance_transform_edt, label

    usable = inside & clear
    if task == "distance":
        one, other = a & usable, b & usable
        if not (one.any() and other.any()):
            return []
        return [float(distance_transform_edt(~one, sampling=10)[other].min())]
    mask = a & usable
    pixels = int(np.count_nonzero(mask))
    share = 100 * pixels / int(np.count_nonzero(usable))
    labels, count = label(mask, np.ones((3, 3), bool))
    parts = int((np.bincount(labels.ravel(), minlength=count + 1)[1:] >= 4).sum())
    del labels
    return [share, pixels * 100.0, parts, *(center_of_mass(mask) if pixels else ())]


def by_the_core(task: str, a: np.ndarray, b: np.ndarray, inside: np.ndarray, clear: np.ndarray) -> list[float]:
    """The same figures by the measuring core (which gives more beside them)."""
    from affine import Affine

    from terrascope_nb.geo.grid import Grid
    from terrascope_nb.reason.measure import Region, distance, measure
    from terrascope_nb.scene.domain import Domain

    grid = Grid(Affine(10, 0, 399_960, 0, -10, 5_100_000), a.shape, 32633)
    domain = Domain(grid, inside, clear, clear)
    one = Region("water", a, domain)
    if task == "distance":
        value = distance(one, Region("bare land", b, domain), rule="benchmark").value
        return [] if value is None else [value]
    found = measure(one)
    return [found.share, found.area, found.count, *(one.centroid or ())]


def run(method: str, task: str, folder: Path) -> dict[str, Any]:
    """Load the masks, then measure once: seconds, MiB beyond what was there before, and the figures."""
    work = plainly if method == "plain" else by_the_core
    rng = np.random.default_rng(0)
    small = [rng.random((64, 64)) < 0.5 for _ in NAMES]
    for warm in TASKS:  # libraries loaded and run once
        work(warm, *small)
    arrays = [np.load(folder / f"{name}.npy") for name in NAMES]
    before, start = peak(), time.perf_counter()
    figures = work(task, *arrays)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "mib": peak() - before, "figures": figures}


def in_a_child(*arguments: str) -> str:
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def row(case: str, task: str, folder: Path) -> str:
    """One line of the table."""
    plain, ours = (
        json.loads(in_a_child("--measure", method, "--task", task, "--folder", str(folder))) for method in METHODS
    )
    same = len(plain["figures"]) == len(ours["figures"]) and np.allclose(plain["figures"], ours["figures"], rtol=1e-9)
    return (
        f"| {task} | {case} | {'yes' if same else 'NO'} | {plain['seconds']:.2f} s | {ours['seconds']:.2f} s "
        f"| {plain['seconds'] / ours['seconds']:.1f} × | {plain['mib']:.0f} MiB | {ours['mib']:.0f} MiB "
        f"| {ours['mib'] / plain['mib']:.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=10_980, help="pixels along a side (default: a Sentinel-2 tile)")
    parser.add_argument("--case", action="append", choices=CASES, help="only this case (may be repeated)")
    parser.add_argument("--task", action="append", choices=TASKS, help="only this task (may be repeated)")
    parser.add_argument("--make", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--measure", choices=METHODS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        for name, mask in zip(NAMES, make(options.make, options.size), strict=True):
            np.save(options.folder / f"{name}.npy", mask)
        return
    if options.measure:
        sys.stdout.write(json.dumps(run(options.measure, options.task[0], options.folder)))
        return
    sys.stdout.write(
        f"Measuring masks of {options.size} × {options.size} pixels; memory beyond the masks', the AOI's and the "
        "clouds' own.\n\n"
        "| task | masks | equal | plain | ours | faster | plain, memory | ours, memory | ours / plain |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        for case in options.case or CASES:
            in_a_child("--make", case, "--size", str(options.size), "--folder", folder)
            for task in options.task or TASKS:
                sys.stdout.write(row(case, task, Path(folder)) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
