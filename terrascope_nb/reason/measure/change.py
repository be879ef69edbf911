"""Change between two dates: what was gained, what was lost, and the net of both."""

from __future__ import annotations

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.measure.region import Fact, Region, fact, same_grid

_UNITS = ("%", "m²")


def gain(before: Region, after: Region, unit: str = "%") -> Fact:
    """Measure what `after` holds and `before` did not. See `net` for the rule, the arguments and ``values``."""
    return _change("gain", before, after, unit)


def loss(before: Region, after: Region, unit: str = "%") -> Fact:
    """Measure what `before` held and `after` does not, as a positive figure. See `net` for the rule and ``values``."""
    return _change("loss", before, after, unit)


def net(before: Region, after: Region, unit: str = "%") -> Fact:
    """Measure the change from `before` to `after`: gain less loss, negative where the region shrank.

    Only pixels inside the AOI that are clear at *both* dates are compared; the rest is left out of every figure, and
    the note says which share of the AOI was compared (``clear_share``, too).

    Parameters
    ----------
    before, after : Region
        On one grid; `after` must not be earlier than `before` where both are dated.
    unit : "%" or "m²"
        Percentage points of the compared pixels, or true ground area.

    Returns
    -------
    Fact
        ``values`` are (before, after, relative): the region at each date in `unit`, on the compared pixels, and the
        figure in percent of `before`, None when `before` is empty. ``pixels`` are those that changed. Without a pixel
        to compare, `value` is None and the note says why.

    Raises
    ------
    GridMismatch
        When the two lie on two grids.
    NoCRS
        For ``"m²"`` on a grid without a CRS or a stated pixel size.
    InvalidInput
        For another unit, or dates in the wrong order.
    """
    return _change("net", before, after, unit)


def _change(kind: str, before: Region, after: Region, unit: str) -> Fact:
    if unit not in _UNITS:
        raise InvalidInput(unknown(f"unit of a {kind}", unit, _UNITS))
    grid = same_grid(before, after)
    if before.time is not None and after.time is not None and after.time < before.time:
        raise InvalidInput(
            f"the {kind} of {before.label!r} is asked from {before.time} to {after.time}, which is earlier: "
            "give the earlier date first"
        )
    if unit == "m²":
        grid.pixel_area()  # refuses a grid without a CRS, whatever the masks hold
    domain = before.domain.both(after.domain)
    common = domain.pixels
    earlier, later = before.mask & common, after.mask & common
    gained, lost = later & ~earlier, earlier & ~later
    changed = {"gain": gained, "loss": lost, "net": gained | lost}[kind]

    def size(mask: np.ndarray) -> float:
        if unit == "m²":
            return grid.area_of(mask)
        return 100 * int(np.count_nonzero(mask)) / domain.count if domain.count else 0.0

    value = {"gain": lambda: size(gained), "loss": lambda: size(lost), "net": lambda: size(gained) - size(lost)}[kind]()
    first = size(earlier)
    relative = 100 * value / first if first else None
    notes = [f"compared on {100 * domain.clear_share:.3g} % of the AOI, the pixels that are clear at both dates"]
    if domain.count and domain.clear_share < 0.5:
        notes.append("less than half of the AOI: the rest is not known")
    if before.label != after.label:
        notes.append(f"{before.label} at the first date against {after.label} at the second")
    if domain.count and relative is None:
        notes.append(f"no {before.label} at the first date, so there is no change relative to it")
    return fact(
        kind,
        (before, after) if before.label != after.label else (before,),
        domain,
        value,
        unit,
        pixels=int(np.count_nonzero(changed)),
        note="; ".join(notes),
        values=(first, size(later), relative),
        dates=True,
    )
