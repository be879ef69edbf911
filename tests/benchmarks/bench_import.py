"""Seconds that `import terrascope_nb` adds to a bare interpreter: python tests/benchmarks/bench_import.py."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from statistics import median

RUNS = 15
TARGET = 0.4


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tempfile.gettempdir())
    return time.perf_counter() - start


def main() -> None:
    seconds("import terrascope_nb")  # writes the byte code
    bare, ours = [], []
    for _ in range(RUNS):  # by turns, so that other load falls on both
        bare.append(seconds("pass"))
        ours.append(seconds("import terrascope_nb"))
    added = median(ours) - median(bare)
    print(f"bare interpreter      {median(bare):.3f} s (median of {RUNS}; fastest {min(bare):.3f})")
    print(f"import terrascope_nb  {median(ours):.3f} s (fastest {min(ours):.3f})")
    ratio = median(ours) / median(bare)
    print(f"added                 {added:.3f} s, {ratio:.2f} times a bare start; target < {TARGET} s")


if __name__ == "__main__":
    main()
