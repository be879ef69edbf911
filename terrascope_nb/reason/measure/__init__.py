"""The one measuring core: masks → facts. Everything that states a figure takes it from here.

`core` holds the rules; `region` the nouns; the benchmark's own filters are in `benchmark_rules`.
"""

from __future__ import annotations

from terrascope_nb.reason.measure.core import (
    EQUAL,
    LOCATIONS,
    MIN_PIXELS,
    Fact,
    Measured,
    Region,
    adjacent,
    area,
    compare,
    count,
    distance,
    exists,
    gain,
    location,
    loss,
    measure,
    net,
    rank,
    same_grid,
    share,
)

__all__ = [
    "EQUAL",
    "Fact",
    "LOCATIONS",
    "MIN_PIXELS",
    "Measured",
    "Region",
    "adjacent",
    "area",
    "compare",
    "count",
    "distance",
    "exists",
    "gain",
    "location",
    "loss",
    "measure",
    "net",
    "rank",
    "same_grid",
    "share",
]
