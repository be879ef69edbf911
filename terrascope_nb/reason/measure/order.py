"""Order by size: which of two regions is larger, and all of them from the largest to the smallest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from terrascope_nb.errors import InvalidInput
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.measure.region import Fact, Region, fact, same_grid
from terrascope_nb.reason.measure.together import overlapping, together

EQUAL = "equal"
"""What `compare` answers when neither region is larger."""


def compare(a: Region, b: Region) -> Fact:
    """Say which of two regions is larger: its label, or `EQUAL`.

    By ground area where pixels differ in size, else by pixels; on pixels clear in both where the two stand on two
    images. Equal means no pixel of difference, or areas within rounding. ``values`` are the two shares in percent.

    Raises
    ------
    GridMismatch
        When the two lie on two grids.
    """
    grid = same_grid(a, b)
    (one, other), domain, note = together((a, b))
    sizes = [_size(grid, r) for r in (one, other)]
    value = EQUAL if sizes[0] == sizes[1] else a.label if sizes[0] > sizes[1] else b.label
    overlap, said = overlapping(one, other)
    note = "; ".join(n for n in (note, said, _order_note((one, other), sizes)) if n)
    return fact(
        "larger", (a, b), domain, value, pixels=one.count + other.count - overlap, note=note, values=_shares(one, other)
    )


def rank(regions: Sequence[Region]) -> Fact:
    """Order regions from the largest to the smallest; ties by name.

    Sizes as in `compare`. ``value`` is the labels in that order, ``values`` their shares in percent in the same order.

    Raises
    ------
    GridMismatch
        When two lie on two grids.
    InvalidInput
        For no region at all.
    """
    if not regions:
        raise InvalidInput("there is nothing to rank: give at least one region")
    grid = same_grid(*regions)
    narrowed, domain, note = together(tuple(regions))
    sizes = [_size(grid, r) for r in narrowed]
    order = sorted(range(len(sizes)), key=lambda k: (-sizes[k], narrowed[k].label))
    ranked = [narrowed[k] for k in order]
    ties = [(j, k) for j, k in zip(order, order[1:], strict=False) if sizes[j] == sizes[k]]
    tied = [f"{narrowed[j].label} and {narrowed[k].label}" for j, k in ties]
    said = f"{', '.join(tied)} are equally large and stand in order of name" if tied else ""
    note = "; ".join(n for n in (note, said, _order_note(narrowed, sizes)) if n)
    union = np.zeros(grid.shape, bool)
    for r in narrowed:
        union |= r.pixels
    return fact(
        "ranking",
        tuple(regions),
        domain,
        tuple(r.label for r in ranked),
        pixels=int(np.count_nonzero(union)),
        note=note,
        values=_shares(*ranked),
    )


def _size(grid: Grid, r: Region) -> float:
    """Ground area in m² or pixels, whichever orders; to ten digits, so that the rounding of a sum decides nothing."""
    varies = grid.crs is not None and grid.pixel_area().size > 1
    return float(f"{grid.area_of(r.pixels):.10g}") if varies else float(r.count)


def _shares(*regions: Region) -> tuple[float, ...]:
    return tuple(100 * r.count / r.domain.count if r.domain.count else 0.0 for r in regions)


def _order_note(regions: Sequence[Region], sizes: Sequence[float]) -> str:
    by_size = sorted(range(len(sizes)), key=lambda k: (-sizes[k], regions[k].label))
    by_count = sorted(range(len(sizes)), key=lambda k: (-regions[k].count, regions[k].label))
    return "" if by_size == by_count else "ordered by ground area, which differs from the order by pixels on this grid"
