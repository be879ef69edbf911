"""Time and memory of the smallest distance between two masks, against SciPy's distance transform of the whole mask.

    python tests/benchmarks/bench_nearest.py [--size 10980] [--case "two lakes"] …

Every measurement runs in a process of its own. It loads both masks (their cost is stated, and is not counted), notes
its peak resident memory, measures, and notes the peak again; the difference is what the measurement took. Prints a
Markdown table. On a whole Sentinel-2 tile (10,980 × 10,980) SciPy needs four gigabytes, and ten or twenty seconds a
case.
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

import numpy as np

CASES = ("two lakes", "10,000 specks", "opposite corners", "half-and-half noise", "one empty mask")
METHODS = ("scipy", "ours")
STRIP = 512  # rows made at once, so that making masks takes no memory to speak of


def make(case: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The two masks of a case, each bool of shape (size, size); the same every time."""
    rng = np.random.default_rng(2024)
    a, b = np.zeros((size, size), dtype=bool), np.zeros((size, size), dtype=bool)
    if case == "two lakes":
        for mask, middle, radius in ((a, (0.31, 0.27), 0.19), (b, (0.66, 0.71), 0.23)):
            for top in range(0, size, STRIP):
                row, col = np.ogrid[top : min(top + STRIP, size), :size]
                down, across = row / size - middle[0], col / size - middle[1]
                turn = np.arctan2(down, across)
                shore = radius * (1 + 0.15 * np.sin(5 * turn) + 0.04 * np.sin(31 * turn + 1))
                mask[top : top + STRIP] = np.hypot(down, across) < shore
    elif case == "10,000 specks":
        for mask in (a, b):
            mask[rng.integers(0, size, 10_000), rng.integers(0, size, 10_000)] = True
        row, col = np.nonzero(a)
        for down, across in np.ndindex(7, 7):  # keep them over 3 pixels apart, or the answer would come too easily
            b[np.clip(row + down - 3, 0, size - 1), np.clip(col + across - 3, 0, size - 1)] = False
    elif case == "opposite corners":
        a[0, 0] = b[-1, -1] = True
    elif case == "half-and-half noise":
        for top in range(0, size, STRIP):
            a[top : top + STRIP] = rng.integers(0, 2, a[top : top + STRIP].shape, dtype=np.uint8)
        np.logical_not(a, out=b)
    elif case == "one empty mask":
        a[size // 3 : size // 2, size // 3 : size // 2] = True
    return a, b


def peak() -> float:
    """Peak resident memory of this process so far, in MiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def measure(method: str, folder: Path) -> dict[str, float | None]:
    """Load the masks, then measure between them once: seconds, MiB beyond what was there before, and the distance."""
    from scipy.ndimage import distance_transform_edt
    from scipy.spatial import cKDTree

    from terrascope_nb.geo.nearest import nearest_pair

    small = np.eye(64, dtype=bool)  # both libraries loaded and run once
    nearest_pair(small, small[::-1]), distance_transform_edt(small), cKDTree(np.eye(3)).query(np.eye(3))
    bare = peak()
    a, b = np.load(folder / "a.npy"), np.load(folder / "b.npy")
    before, start = peak(), time.perf_counter()
    if method == "ours":
        found = nearest_pair(a, b)
        distance = None if found is None else found.distance
    else:
        # The whole transform, then read at b; with no pixel in b there is nothing to read. (Were a the empty one, the
        # transform would measure to no pixel at all, and its numbers would mean nothing.)
        read = distance_transform_edt(~a)[b]
        distance = float(read.min()) if read.size else None
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "mib": peak() - before, "masks_mib": before - bare, "distance": distance}


def in_a_child(*arguments: str) -> str:
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def row(case: str, size: int, folder: Path) -> tuple[str, float]:
    """One line of the table, and the masks' own cost in MiB."""
    in_a_child("--make", case, "--size", str(size), "--folder", str(folder))
    scipy, ours = (json.loads(in_a_child("--measure", method, "--folder", str(folder))) for method in METHODS)
    faster = scipy["seconds"] / ours["seconds"]
    memory = f"1/{scipy['mib'] / ours['mib']:.0f}" if ours["mib"] else "none beyond the masks"
    equal = "yes" if scipy["distance"] == ours["distance"] else "NO"
    distance = "none" if ours["distance"] is None else f"{ours['distance']:.6g} px"
    line = (
        f"| {case} | {distance} | {equal} | {scipy['seconds']:.2f} s | {ours['seconds']:.3f} s | {faster:.0f} × "
        f"| {scipy['mib']:.0f} MiB | {ours['mib']:.1f} MiB | {memory} |"
    )
    return line, ours["masks_mib"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=10_980, help="pixels along a side (default: a Sentinel-2 tile)")
    parser.add_argument("--case", action="append", choices=CASES, help="only this case (may be repeated)")
    parser.add_argument("--make", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--measure", choices=METHODS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        for name, mask in zip("ab", make(options.make, options.size), strict=True):
            np.save(options.folder / f"{name}.npy", mask)
        return
    if options.measure:
        sys.stdout.write(json.dumps(measure(options.measure, options.folder)))
        return
    sys.stdout.write(
        f"Smallest distance between two masks of {options.size} × {options.size} pixels; memory beyond the masks'.\n\n"
        "| masks | distance | equal | SciPy | ours | faster | SciPy, memory | ours, memory | share |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
    )
    cost = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for case in options.case or CASES:
            line, cost = row(case, options.size, Path(folder))
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    sys.stdout.write(f"\nThe two masks themselves take {cost:.0f} MiB.\n")


if __name__ == "__main__":
    main()
