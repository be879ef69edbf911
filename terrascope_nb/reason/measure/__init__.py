"""The one measuring core: masks → facts. Everything that states a figure takes it from here.

`core` holds the rules; `region` the nouns; `change`, `order`, `place` a rule each; the benchmark's own filters are in
`benchmark_rules`.
"""

from __future__ import annotations

from terrascope_nb.reason.measure.change import gain, loss, net
from terrascope_nb.reason.measure.core import MIN_PIXELS, adjacent, area, count, distance, exists, measure, share
from terrascope_nb.reason.measure.order import EQUAL, compare, rank
from terrascope_nb.reason.measure.place import LOCATIONS, location
from terrascope_nb.reason.measure.region import Fact, Measured, Region, same_grid

__all__ = [
    "EQUAL",
    "LOCATIONS",
    "MIN_PIXELS",
    "Fact",
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
