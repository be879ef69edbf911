"""What is measured in each task, and what speaks against asking.

The filters of the benchmark's tasks are its own (`reason.measure.benchmark_rules`); those of the further tasks stand
here. A question is asked only where a careful reader of the same map gives the same answer.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from terrascope_nb.reason import measure as m
from terrascope_nb.reason.measure import Fact, Region
from terrascope_nb.reason.measure import benchmark_rules as rules
from terrascope_nb.reason.quiz.regions import Quiz
from terrascope_nb.scene.classes import leaves

MOST_PARTS = 20
"""A question about more separate areas than these is not asked: nobody counts so far."""

LEAST_CHANGE = 0.5
"""Percent of the compared pixels that must have changed."""

LEAST_SEEN = 0.5
"""Share of the area that must be clear on both dates of a change."""

WHOLE = 0.995
"""From this share on a place counts as seen as a whole: only then is a class said not to be there."""

NEAR_CUT = 0.02
"""Share of the scene's side within which a middle is too near the border of two ninths."""

BUILDINGS = ("building", "destroyed building")
"""Classes of the task «building_change»."""

Why = tuple[str, str]
"""Why something is not asked: the filter in words that are the same for all it drops, and this case's figures."""


# ---- filters that several tasks share -------------------------------------------------------------------------------
def _ruins(quiz: Quiz, labels: tuple[str, ...], dates: tuple[int, ...]) -> Why | None:
    """Whether a ruin is a building is for the reader to say: neither is asked about where both are on the map."""
    for d in dates if "building" in labels and "destroyed building" in quiz.labels else ():
        n = quiz.region("destroyed building", d).count
        if n:
            return "ruins among the buildings", f"{n} pixels of destroyed buildings: are they buildings?"
    return None


def _sized(quiz: Quiz) -> Why | None:
    if quiz.grid.has_metres:
        return None
    size = quiz.labelled.resolution
    if size is None:
        return "no pixel size", f"{quiz.grid!r} has no CRS and the source states no pixel size"
    return "its pixel size cannot be stated", f"a question states at most two decimals, not {size!r} m"


def _small(regions: tuple[Region, ...], least: float) -> Why | None:
    for r in regions:
        part = 100 * r.count / r.domain.count if r.domain.count else 0.0
        if part < least:
            return f"below {least:g} %", f"{r.label} has {part:.3g} % of the valid pixels"
    return None


def _specks(r: Region) -> Why | None:
    if m.exists(r).value:
        return None
    return "only specks", f"{r.label}: {r.parts.size} parts, each below {m.MIN_PIXELS} pixels"


# ---- one class ------------------------------------------------------------------------------------------------------
def _coverage(quiz: Quiz, labels: tuple[str, ...], dates: tuple[int, ...]) -> Fact | Why:
    r = quiz.region(labels[0], dates[0])
    return _ruins(quiz, labels, dates) or _small((r,), rules.MIN_CLASS_SHARE) or rules.coverage_percentage(r)


def _area(quiz: Quiz, labels: tuple[str, ...], dates: tuple[int, ...]) -> Fact | Why:
    why = _ruins(quiz, labels, dates) or _sized(quiz)
    if why:
        return why
    r = quiz.region(labels[0], dates[0])
    return m.area(r) if quiz.stretched else rules.absolute_area(r)


def _existence(quiz: Quiz, labels: tuple[str, ...], dates: tuple[int, ...]) -> Fact | Why:
    label, date = labels[0], dates[0]
    r = quiz.region(label, date)
    if r.count or not r.domain.count:
        return _ruins(quiz, labels, dates) or _specks(r) or m.exists(r)
    seen = r.domain.clear_share
    if seen < WHOLE:
        return "not there, but not all is seen", f"{label} is not on the {100 * seen:.3g} % that can be measured"
    parts = set(leaves(label)) | ({"built-up"} if label in BUILDINGS else set())
    holder = next((x for x in quiz.regions(date) if set(leaves(x)) & parts), None)
    if holder:
        return "not there, but another class may hold it", f"{holder} may hold {label}"
    return m.exists(r)


def _counting(quiz: Quiz, labels: tuple[str, ...], dates: tuple[int, ...]) -> Fact | Why:
    r = quiz.region(labels[0], dates[0])
    why = _ruins(quiz, labels, dates) or _specks(r)
    if why:
        return why
    found = m.count(r)
    specks = found.values[0]
    if found.value > MOST_PARTS:
        return f"more than {MOST_PARTS} parts", f"{r.label} has {found.value} parts"
    if specks > found.value:
        return "more specks than parts", f"{r.label}: {specks} parts below {m.MIN_PIXELS} pixels beside {found.value}"
    return found


def _localisation(quiz: Quiz, labels: tuple[str, ...], dates: tuple[int, ...]) -> Fact | Why:
    r = quiz.region(labels[0], dates[0])
    why = _ruins(quiz, labels, dates) or _specks(r)
    if why:
        return why
    found = m.location(r)
    if "laid along true north" in found.note:
        return "the grid is turned", f"{quiz.grid!r} is turned against north: its ninths are none of the picture"
    south, east = found.values
    if any(abs(x - cut) < NEAR_CUT for x in (south, east) for cut in (1 / 3, 2 / 3)):
        return "its middle is near a border", f"the middle of {r.label} lies {south:.2f} south, {east:.2f} east"
    ninths = _ninths(r)
    own = ninths[int(3 * south), int(3 * east)]
    if own < ninths.max():
        share = 100 * own / ninths.sum()
        return "spread over the scene", f"{share:.3g} % of {r.label} lies in the ninth of its middle, more in another"
    return found


def _ninths(r: Region) -> np.ndarray:
    """(3, 3) pixels of a region in each ninth of the bounding box of the AOI's pixels."""
    inside = r.domain.inside
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    sums = r.pixels[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1].astype(np.int64)
    for axis in (0, 1):
        n = sums.shape[axis]
        thirds = np.minimum(3 * (2 * np.arange(n) + 1) // (2 * n), 2)
        sums = np.stack([sums.compress(thirds == k, axis=axis).sum(axis=axis) for k in range(3)], axis=axis)
    return sums


# ---- two classes ----------------------------------------------------------------------------------------------------
def _pair(quiz: Quiz, labels: tuple[str, ...], dates: tuple[int, ...]) -> tuple[Region, Region]:
    return quiz.region(labels[0], dates[0]), quiz.region(labels[1], dates[0])


def _comparison(quiz: Quiz, labels: tuple[str, ...], dates: tuple[int, ...]) -> Fact | Why:
    pair = _pair(quiz, labels, dates)
    why = _ruins(quiz, labels, dates) or _small(pair, rules.MIN_CLASS_SHARE)
    if why:
        return why
    found = rules.comparative_ranking(*pair)
    if found.value is None:
        return f"differ by {rules.MIN_DIFFERENCE:g} % or less", found.note
    if m.compare(*pair).value != found.value:
        return "the ground area gives another order", f"{' and '.join(labels)}, by pixels {found.value}"
    return found


def _boundary(quiz: Quiz, labels: tuple[str, ...], dates: tuple[int, ...]) -> Fact | Why:
    pair = _pair(quiz, labels, dates)
    why = _ruins(quiz, labels, dates) or _small(pair, rules.MIN_BOUNDARY_SHARE)
    if why:
        return why
    for r in pair:
        if r.parts.size > rules.MAX_COMPONENTS:
            return f"more than {rules.MAX_COMPONENTS} parts", f"{r.label} has {r.parts.size} parts"
    return rules.boundary_relationship(*pair)


def _distance(quiz: Quiz, labels: tuple[str, ...], dates: tuple[int, ...]) -> Fact | Why:
    why = _ruins(quiz, labels, dates) or _sized(quiz)
    if why:
        return why
    if quiz.stretched:
        return "a grid without a pixel size of its own", f"pixels × resolution is no distance on {quiz.grid!r}"
    pair = _pair(quiz, labels, dates)
    if labels in quiz.touching(dates[0]):
        return "they touch", f"{labels[0]} touches {labels[1]}"
    found = rules.distance_measurement(*pair)
    if found.value is None:
        empty = found.note.endswith("after opening by 3 × 3")
        return "nothing left after opening" if empty else f"{rules.MIN_GAP:g} pixels apart or less", found.note
    return found


def ground_distance(quiz: Quiz, labels: tuple[str, ...], dates: tuple[int, ...]) -> Fact:
    """The true distance between two classes as they are, not opened."""
    key = ("ground distance", tuple(sorted(labels)), dates)
    if key not in quiz.facts:
        quiz.facts[key] = m.distance(*_pair(quiz, key[1], dates))
    return quiz.facts[key]  # type: ignore[return-value]


# ---- two dates ------------------------------------------------------------------------------------------------------
def _change(quiz: Quiz, labels: tuple[str, ...], dates: tuple[int, ...], kind: str, unit: str) -> Fact | Why:
    if len(quiz.labelled.maps) == 1:
        return "one label map for every date", "a map that serves every date shows no change"
    if labels == ("destroyed building",):
        return "asked as building change", "destroyed buildings are asked about among all buildings"
    why = _ruins(quiz, labels, dates) or (_sized(quiz) if unit == "m²" else None)
    if why:
        return why
    pair = quiz.region(labels[0], dates[0]), quiz.region(labels[0], dates[1])
    measure: Callable[..., Fact] = {"gain": m.gain, "loss": m.loss, "net": m.net}[kind]
    share = measure(*pair)
    if share.clear_share < LEAST_SEEN or share.value is None:
        return "too little seen on both dates", f"{100 * share.clear_share:.3g} % of the area is clear on both"
    if abs(share.value) < LEAST_CHANGE:
        return f"changed by less than {LEAST_CHANGE:g} %", f"the {kind} of {labels[0]} is {share.value:.3g} %"
    return share if unit == "%" else measure(*pair, "m²")


def _building_change(quiz: Quiz, labels: tuple[str, ...], dates: tuple[int, ...]) -> Fact | Why:
    first, last = dates
    if quiz.region("destroyed building", first).count:
        return "destroyed before the first date", "the first date shows destroyed buildings already"
    buildings, destroyed = quiz.region("building", first), quiz.region("destroyed building", last)
    if not buildings.domain.count or not destroyed.domain.count:
        return "nothing to be seen", "no clear and mapped pixel on one of the dates"
    counts = quiz.labelled.counts.get(destroyed.image)
    found = rules.building_change(buildings, destroyed, counts)
    if found.value is None:
        few = found.values[1] < rules.MIN_BUILDINGS or found.values[0] < rules.MIN_DESTROYED
        least = f"fewer than {rules.MIN_BUILDINGS} buildings or {rules.MIN_DESTROYED} destroyed"
        return least if few else "more destroyed than there are", found.note
    return found


FACTS: dict[str, Callable[..., Fact | Why]] = {
    "coverage_percentage": _coverage, "absolute_area": _area, "comparative_ranking": _comparison,
    "boundary_relationship": _boundary, "distance_measurement": _distance, "building_change": _building_change,
    "existence": _existence, "counting": _counting, "localisation": _localisation, "change": _change,
}  # fmt: skip
"""Task → (quiz, labels, dates[, kind, unit]) → the fact, or why it is not asked."""
