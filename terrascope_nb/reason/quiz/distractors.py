"""Options: the truth as it is written, and wrong ones far enough from it to be told apart.

The truth takes any rank among the sorted options with equal chance, as far as the room below and above it allows: where
it stood mostly in the middle, one could choose without looking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from terrascope_nb.reason.choosing import read_span
from terrascope_nb.reason.measure import LOCATIONS
from terrascope_nb.reason.units import convert, decimals, pretty

APART = 0.10
"""Options differ from the truth and from each other by at least this share of the truth."""

_FARTHEST = 4.5  # steps between neighbouring options, in units of the least distance allowed
_LOWEST = 0.15  # no wrong option lies below this share of the truth: nobody would take it
_TRIES = 20


@dataclass(frozen=True)
class Figures:
    """Options that are numbers.

    Attributes
    ----------
    texts : tuple of str
        As written, in no order that tells the truth.
    right : int
        Which one is the truth.
    values : tuple of float
        What each says, in `unit`.
    unit : str
        The unit that all of them are written in; "" for counts.
    """

    texts: tuple[str, ...]
    right: int
    values: tuple[float, ...]
    unit: str


def figures(
    value: float,
    base: str,
    rng: np.random.Generator,
    options: int = 4,
    *,
    unit: str | None = None,
    highest: float = np.inf,
    signed: bool = False,
    gap: float = 0.0,
) -> Figures | None:
    """Write a truth and wrong options of it.

    Parameters
    ----------
    value : float
        The truth, in `base`; not 0.
    base : str
        "%", "m²", "m" or "" (a count: options are whole numbers from 1).
    rng : numpy.random.Generator
        Draws the wrong options and the place of the truth, uniform over the places.
    options : int
        How many there are to be.
    unit : str, optional
        Unit to write in; by default the usual one for the truth's size, the same for all.
    highest : float
        Largest size, in `base`, that an option may have.
    signed : bool
        A net change: half of the options, rounded down, have the other sign.
    gap : float
        Least distance to the truth in `base`, where it is to be more than `APART` of it.

    Returns
    -------
    Figures or None
        None where the range leaves no room for so many options.

    Examples
    --------
    >>> made = figures(24.6, "%", np.random.default_rng(1), highest=100)
    >>> made.texts[made.right], len(set(made.texts)), made.unit
    ('24.6 %', 4, '%')
    """
    size, sign = abs(value), 1 if value >= 0 else -1
    text = pretty(size, base, unit)
    shown = text.split()[-1] if " " in text else ""
    step = convert(10.0 ** -decimals(text.split()[0]), shown, base)  # one unit of the last digit written
    least = max(APART * size + step, gap, 2 * step)
    lowest = _LOWEST * size
    if base == "":
        least, lowest = max(float(np.ceil(APART * size)), gap, 1.0), 1.0
    room = size - lowest, highest - size
    ranks = [k for k in range(options) if k * least <= room[0] and (options - 1 - k) * least <= room[1]]
    if not ranks or not size:
        return None
    place = int(rng.integers(options))
    for _ in range(_TRIES):
        below = ranks[rng.integers(len(ranks))]
        wrong = [size - s for s in _steps(rng, below, least, room[0])]
        wrong += [size + s for s in _steps(rng, options - 1 - below, least, room[1])]
        if base == "":
            wrong = [float(round(w)) for w in wrong]
        wrong = [wrong[k] for k in rng.permutation(len(wrong))]
        signs = [-sign if signed and k < options // 2 else sign for k in range(len(wrong))]
        texts = [pretty(s * w, base, shown or None) for s, w in zip(signs, wrong, strict=True)]
        texts.insert(place, pretty(value, base, shown or None))
        values = [read_span(t).low for t in texts]
        if _apart(values, place, max(APART * abs(values[place]), convert(gap, base, shown) * 0.999)):
            return Figures(tuple(texts), place, tuple(values), shown)
    return None


def _steps(rng: np.random.Generator, n: int, least: float, room: float) -> list[float]:
    """`n` growing distances from the truth, at least `least` apart, none beyond `room`."""
    out, at = [], 0.0
    for k in range(n):
        most = min((room - at) / (n - k), _FARTHEST * least)
        at += rng.uniform(least, max(least, most))
        out.append(at)
    return out


def _apart(values: Sequence[float], right: int, least: float) -> bool:
    """Whether numbers as written differ enough: from the truth and from each other."""
    near = sorted(values)
    tiny = 1e-9 * abs(values[right])
    return min(b - a for a, b in zip(near, near[1:], strict=False)) >= least - tiny


def places(truth: str, rng: np.random.Generator, options: int = 4) -> tuple[tuple[str, ...], int]:
    """Ninths of the scene, the true one among them, and which it is; all drawn uniformly.

    Examples
    --------
    >>> texts, right = places("north-west", np.random.default_rng(0))
    >>> texts[right], len(set(texts))
    ('North-west', 4)
    """
    others = sorted(set(LOCATIONS) - {truth})
    texts = [others[k] for k in rng.permutation(len(others))[: options - 1]]
    place = int(rng.integers(options))
    texts.insert(place, truth)
    return tuple(t[0].upper() + t[1:] for t in texts), place


def two(truth: str, other: str, rng: np.random.Generator) -> tuple[tuple[str, ...], int]:
    """Two options in an order drawn by lot, and which of them is the truth."""
    place = int(rng.integers(2))
    texts = [other, other]
    texts[place] = truth
    return tuple(t[0].upper() + t[1:] for t in texts), place
