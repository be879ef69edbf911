"""The fault run: 300 reads over HTTP, each of which meets a fault; prints how they ended, as the table of the README.

``python tests/benchmarks/bench_faults.py [seed]``
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from servers import firing

from terrascope_nb.stac import retry


def main(seed: int = 7) -> int:
    """Run, print, and say by the exit status whether every read ended right or in a named error."""
    retry.DEFAULT = firing.QUICK
    with tempfile.TemporaryDirectory() as folder:
        report = firing.run(Path(folder), total=300, seed=seed)
    print(report.table())
    waits = report.faults["429"] + report.faults["429 until"]
    print(f"\n{report.seconds:.1f} s; {sum(report.faults.values())} faults sent, as some are met at each try")
    print(f"{waits} times Retry-After was asked for, {report.early} requests came back before it was over")
    return int(any(o.wrong or o.silent or o.other or o.missed for o in report.outcomes.values()) or report.early > 0)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
