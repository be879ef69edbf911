"""TerraScope-Bench's own rules and filters, over the measuring core.

A benchmark asks only where its rule gives a clear answer. Each function here measures by that rule and then filters:
a pair or class that the benchmark would not ask about gives a `Fact` whose value is None and whose note names the
filter, with numbers. For figures about a place use `terrascope_nb.reason.measure.core`, which filters nothing.

Source: TerraScope (arXiv 2603.19039), the rules of the benchmark's tasks.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.measure.core import adjacent, area, distance, share
from terrascope_nb.reason.measure.order import EQUAL, compare
from terrascope_nb.reason.measure.region import Fact, Region, fact, same_grid

MIN_CLASS_SHARE = 5.0
"""Percent of the valid pixels that a class needs for coverage and comparison."""

MIN_DIFFERENCE = 10.0
"""Percent of the larger class by which two must differ to be compared (more than this)."""

MIN_BOUNDARY_SHARE = 3.0
"""Percent of the valid pixels that each region of a boundary question needs."""

MAX_COMPONENTS = 5
"""8-connected parts, of any size, that a region of a boundary question may have."""

MIN_GAP = 10.0
"""Pixels that two regions must be apart to be asked about (more than this)."""

MIN_BUILDINGS, MIN_DESTROYED = 10, 3
"""Buildings, and destroyed ones among them, that a building question needs."""


def coverage_percentage(r: Region) -> Fact:
    """Pixels of the class / valid pixels × 100.

    The class must reach 5 %. ``values`` is the share, also where it is filtered.
    """
    found = share(r)
    if found.value is None:
        return found
    found = replace(found, values=(found.value,))  # type: ignore[arg-type]
    return _dropped(found, _too_small((r,), MIN_CLASS_SHARE))


def absolute_area(r: Region) -> Fact:
    """Pixels × resolution², in m² of the projection. Nothing is filtered."""
    return area(r, "benchmark")


def comparative_ranking(a: Region, b: Region) -> Fact:
    """Which class has more pixels.

    Both must reach 5 % and differ by more than 10 % of the larger. ``values``: the two shares.
    """
    found = compare(a, b)
    if found.value is None:
        return found
    more = max(a.count, b.count)
    value = EQUAL if a.count == b.count else a.label if a.count > b.count else b.label  # by pixels, whatever their size
    gap = 100 * abs(a.count - b.count) / more if more else 0.0
    why = _too_small((a, b), MIN_CLASS_SHARE)
    if not why and gap <= MIN_DIFFERENCE:
        limit = f"the benchmark asks above {MIN_DIFFERENCE:g} %"
        why = f"{a.label} and {b.label} differ by {gap:.3g} % of the larger, {limit}"
    return _dropped(replace(found, value=value), why)


def boundary_relationship(a: Region, b: Region) -> Fact:
    """Whether one mask, dilated by 3 × 3, meets the other; each must reach 3 % and have at most 5 parts.

    ``values`` as in `adjacent`: (touching pixels, pixels of both).
    """
    found = adjacent(a, b)
    why = _too_small((a, b), MIN_BOUNDARY_SHARE)
    for r in (a, b):
        if not why and r.parts.size > MAX_COMPONENTS:
            why = f"{r.label} has {r.parts.size} parts, the benchmark asks up to {MAX_COMPONENTS}"
    return found if found.value is None else _dropped(found, why)


def distance_measurement(a: Region, b: Region, unit: str = "m") -> Fact:
    """Smallest Euclidean distance × resolution between the *opened* masks, which must be more than 10 pixels apart.

    Opening (by 3 × 3) drops whatever such a square does not fit into, so that a stray pixel does not set the distance.
    ``values`` as in `distance`.
    """
    opened = opened_region(a), opened_region(b)
    found = distance(*opened, rule="benchmark", unit=unit)
    if found.value is None:
        return replace(found, note=f"{found.note} after opening by 3 × 3")
    gap = distance(*opened, rule="benchmark", unit="px").value if unit != "px" else found.value
    why = ""
    if gap <= MIN_GAP:  # type: ignore[operator]
        why = f"the opened masks are {gap:.3g} pixels apart, the benchmark asks above {MIN_GAP:g}"
    return _dropped(found, why)


def building_change(buildings: Region, destroyed: Region, counts: tuple[int, int] | None = None) -> Fact:
    """Destroyed buildings / all buildings × 100; at least 10 buildings and 3 destroyed.

    Parameters
    ----------
    buildings, destroyed : Region
        All buildings, and the destroyed ones among them, on one grid. Counted as 8-connected parts of any size.
    counts : (int, int), optional
        (destroyed, all) where each building is known as a polygon: parts of a mask join buildings that touch.

    Returns
    -------
    Fact
        ``kind`` «share», in percent; ``values`` are (destroyed, all).
    """
    same_grid(buildings, destroyed)
    every = Region(buildings.label, buildings.mask | destroyed.mask, buildings.domain, buildings.image, buildings.time)
    ruined, total = (destroyed.parts.size, every.parts.size) if counts is None else counts
    if not 0 <= ruined <= total and counts is not None:
        raise InvalidInput(f"counts are (destroyed, all), each at least 0 and the first no larger: got {counts}")
    why = ""
    if total < MIN_BUILDINGS or ruined < MIN_DESTROYED:
        limit = f"the benchmark asks from {MIN_BUILDINGS} buildings and {MIN_DESTROYED} destroyed on"
        why = f"{total} buildings, {ruined} destroyed: {limit}"
    elif ruined > total:
        why = f"{ruined} destroyed parts but {total} parts of buildings in all: buildings touch, so give counts="
    value = 100 * ruined / total if total else None
    pair = (destroyed, buildings)
    found = fact("share", pair, buildings.domain, value, "%", pixels=every.count, values=(ruined, total))
    return found if found.value is None and not why else _dropped(found, why)


def opened_region(r: Region) -> Region:
    """The region whose mask is its clear pixels inside the AOI, opened by a 3 × 3 square."""
    from scipy.ndimage import binary_opening

    return Region(r.label, binary_opening(r.pixels, np.ones((3, 3), bool)), r.domain, r.image, r.time)


def _too_small(regions: tuple[Region, ...], least: float) -> str:
    for r in regions:
        part = 100 * r.count / r.domain.count if r.domain.count else 0.0
        if part < least:
            return f"{r.label} has {part:.3g} % of the valid pixels, the benchmark asks from {least:g} % on"
    return ""


def _dropped(found: Fact, why: str) -> Fact:
    if not why:
        return found
    return replace(found, value=None, note=f"{why}; {found.note}" if found.note else why)
