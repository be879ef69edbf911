"""Dates: which of the images over a place are taken, and which radar goes with which."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from terrascope_nb.errors import InvalidInput, NothingFound
from terrascope_nb.geo.aoi import AOI

ENOUGH = 0.5  # share of the AOI that a radar pass must cover to be preferred over a later one


@dataclass(frozen=True)
class Candidate:
    """One date of a cube, seen over the AOI.

    Attributes
    ----------
    index : int
        Position along the cube's time axis.
    time : numpy.datetime64
        UTC, to the second.
    cloud : float or None
        Share of the AOI's pixels with data that are not clear, 0…1; None without a cloud layer.
    valid : float
        Share of the AOI's pixels with data, 0…1.
    orbit : str
        Of radar: direction and track, in words.
    """

    index: int
    time: np.datetime64
    cloud: float | None
    valid: float
    orbit: str = ""

    @property
    def clear(self) -> float:
        """Share of the AOI that is there and clear, 0…1."""
        return self.valid * (1 - (self.cloud or 0.0))

    def words(self) -> str:
        """The date with its figures."""
        cloud = "cloud not known" if self.cloud is None else f"{self.cloud:.0%} cloud"
        return f"{str(self.time)[:10]} ({cloud}, {self.valid:.0%} with data)"


def choose(seen: list[Candidate], times: Any, max_cloud_aoi: float, aoi: AOI, notes: list[str]) -> list[Candidate]:
    """The dates to use; for "best" all usable ones, the best first (its SAR decides among them)."""
    if not (isinstance(times, str) and times in ("best", "all")):
        wanted = [times] if isinstance(times, str) or not isinstance(times, (Sequence, np.ndarray)) else list(times)
        texts = [str(t).replace(" ", "T") for t in wanted]
        lost = [t for t in texts if not any(str(c.time).startswith(t) for c in seen)]
        if lost:
            raise NothingFound(f"no image of {', '.join(lost)} over {aoi!r}; there are: {listed(seen)}")
        chosen = [c for c in seen if any(str(c.time).startswith(t) for t in texts)]
        notes += [
            f"taken as asked: {c.words()}" for c in chosen if c.cloud is not None and c.cloud * 100 > max_cloud_aoi
        ]
        return chosen
    usable = [c for c in seen if c.valid > 0 and (c.cloud is None or c.cloud * 100 <= max_cloud_aoi)]
    if not usable:
        raise NothingFound(
            f"no date shows {aoi!r} with at most {max_cloud_aoi:g} % cloud over it: {listed(seen)}. Raise "
            "max_cloud_aoi=, widen "
            "datetime=, name dates with times=[…], or ask the radar alone (optical=None)"
        )
    left = [c for c in seen if c not in usable]
    if left:
        notes.append("left out: " + listed(left))
    if times == "all":
        return usable
    usable.sort(key=lambda c: (-round(c.clear, 3), c.time))
    if len(seen) > 1:
        notes.append(f"chosen of {len(seen)} dates as the one that shows most of the AOI clear: {usable[0].words()}")
    return usable


def pair(chosen: list[Candidate], radar: list[Candidate], gap: np.timedelta64, one_orbit: bool) -> dict[int, Candidate]:
    """Optical index → radar date: the nearest within `gap` that covers half the AOI, else the fullest.

    With `one_orbit` all dates are paired with radar of one direction and track where one serves them all, since the
    same ground looks different from another: the one whose gaps are smallest together.
    """
    nearest = _nearest(chosen, radar, gap)
    if not one_orbit or len({r.orbit for r in nearest.values()}) < 2:
        return nearest
    time = {c.index: c.time for c in chosen}
    ways = [_nearest(chosen, [r for r in radar if r.orbit == o], gap) for o in dict.fromkeys(r.orbit for r in radar)]
    full = [w for w in ways if len(w) == len(nearest) and all(r.valid >= ENOUGH for r in w.values())]
    return min(full, key=lambda w: sum(abs(r.time - time[k]) for k, r in w.items()), default=nearest)


def _nearest(chosen: list[Candidate], radar: list[Candidate], gap: np.timedelta64) -> dict[int, Candidate]:
    out = {}
    for c in chosen:
        near = sorted(
            (r for r in radar if abs(r.time - c.time) <= gap and r.valid > 0), key=lambda r: abs(r.time - c.time)
        )
        if near:
            out[c.index] = next((r for r in near if r.valid >= ENOUGH), max(near, key=lambda r: r.valid))
    return out


def span(value: Any) -> np.timedelta64:
    """A span of time from ``"6D"``, ``"36h"``, ``"90min"`` or a timedelta.

    Raises
    ------
    InvalidInput
        With the forms that are understood.

    Examples
    --------
    >>> span("36h")
    np.timedelta64(129600,'s')
    """
    if isinstance(value, dt.timedelta | np.timedelta64):
        gap = np.timedelta64(value)
    else:
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(d|day|days|h|hour|hours|min|minutes)\s*", str(value).lower())
        if found is None:
            raise InvalidInput(f"max_gap={value!r} cannot be read: write it as '6D', '36h' or a datetime.timedelta")
        seconds = {"d": 86_400, "h": 3600, "m": 60}[found.group(2)[0]]
        gap = np.timedelta64(round(float(found.group(1)) * seconds), "s")
    if gap < np.timedelta64(0, "s"):
        raise InvalidInput(
            f"max_gap={value!r} is negative: give the most time between an optical and a SAR image, e.g. '6D'"
        )
    return gap


def gap_words(optical: Candidate, radar: Candidate) -> str:
    """How far apart an optical image and its radar are, with the radar's orbit."""
    hours = float((radar.time - optical.time) / np.timedelta64(1, "h"))
    size = f"{abs(hours):.0f} hours" if abs(hours) < 48 else f"{abs(hours) / 24:.1f} days"
    side = "after" if hours >= 0 else "before"
    orbit = f" ({radar.orbit})" if radar.orbit else ""
    return (
        f"radar of {str(radar.time)[:16]} UTC{orbit}, {size} {side} the optical image of {str(optical.time)[:16]} UTC"
    )


def listed(seen: list[Candidate]) -> str:
    """Dates with their figures, the first dozen."""
    shown = "; ".join(c.words() for c in seen[:12])
    return shown + (f"; and {len(seen) - 12} more" if len(seen) > 12 else "") if seen else "none"
