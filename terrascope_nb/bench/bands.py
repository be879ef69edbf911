"""Difficulty: easy, medium, hard by what is measured of a question's regions, with limits that are written down.

Three measures, each of the worst of the question's regions:

- *fragmentation*: 8-connected parts per 1,000 pixels of the region;
- *smallest share*: the smallest region's share of the pixels that count, in percent;
- *edge share*: the share of a region's pixels that have one of the eight neighbours outside it, in percent; along a
  border a pixel of the ground mixes what lies on both sides.

Each measure is low, middle or high in difficulty by two limits, and the middle one of the three verdicts is the
question's: hard where at least two of them say hard, easy where at least two say easy. The limits are the terciles of
the measure among the questions *of one task* of a suite, so that a band is not a task in disguise; they are kept on the
suite's card, and another suite can be banded by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from terrascope_nb.bench.cards import BANDS
from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.measure import Region

RULE = (
    "parts per 1,000 pixels, smallest region's share and share of edge pixels, each by its terciles within the task; "
    "hard or easy where at least two of the three say so, else medium"
)
MEASURES = ("fragmentation", "smallest_share", "edge_share")
Limits = Mapping[str, Mapping[str, tuple[float, float]]]


@dataclass(frozen=True)
class Difficulty:
    """What makes a question hard, measured.

    Attributes
    ----------
    fragmentation : float
        8-connected parts per 1,000 pixels, of the most broken region.
    smallest_share : float
        Percent of the pixels that count, of the smallest region.
    edge_share : float
        Percent of the region's pixels that lie at its edge, of the region with the most.
    """

    fragmentation: float
    smallest_share: float
    edge_share: float


def difficulty(regions: Sequence[Region]) -> Difficulty:
    """Measure the regions of one question.

    Raises
    ------
    InvalidInput
        Without regions, or where one is empty: nothing was asked about it.
    """
    empty = [r.label for r in regions if not r.count]
    if not regions or empty:
        raise InvalidInput(f"a question's difficulty needs regions with pixels; {'empty: ' + str(empty) or 'none'}")
    return Difficulty(
        max(1000 * r.parts.size / r.count for r in regions),
        min(100 * r.count / r.domain.count for r in regions),
        max(100 * edge_share(r) for r in regions),
    )


def edge_share(region: Region) -> float:
    """Share of a region's pixels with one of the eight neighbours inside the domain but outside the region, 0…1.

    Pixels beside the domain's own border (cloud, the scene's end) are not at an edge for that.
    """
    mine = region.pixels
    inner = np.pad(mine | ~region.domain.pixels, 1, constant_values=True)
    across = inner[:, :-2] & inner[:, 1:-1] & inner[:, 2:]
    whole = across[:-2] & across[1:-1] & across[2:]
    return float(np.count_nonzero(mine & ~whole) / max(region.count, 1))


def limits(found: Iterable[tuple[str, Difficulty]]) -> dict[str, dict[str, tuple[float, float]]]:
    """Terciles of each measure within each task, from (task, difficulty) of all questions.

    Examples
    --------
    >>> some = [("area", Difficulty(k, 10 + k, 20)) for k in range(4)]
    >>> limits(some)["area"]["fragmentation"]
    (1.0, 2.0)
    """
    by_task: dict[str, list[Difficulty]] = {}
    for task, one in found:
        by_task.setdefault(task, []).append(one)
    return {
        task: {
            m: tuple(_round(v) for v in np.quantile([getattr(d, m) for d in some], [1 / 3, 2 / 3])) for m in MEASURES
        }
        for task, some in by_task.items()
    }  # type: ignore[return-value]


def band(one: Difficulty, of: Mapping[str, Sequence[float]]) -> str:
    """The band by the limits of a task.

    Examples
    --------
    >>> of = {"fragmentation": (1, 5), "smallest_share": (5, 20), "edge_share": (20, 50)}
    >>> band(Difficulty(0.5, 40, 10), of), band(Difficulty(2, 10, 30), of), band(Difficulty(9, 3, 70), of)
    ('easy', 'medium', 'hard')
    """
    verdicts = []
    for measure in MEASURES:
        low, high = of[measure]
        value = float(getattr(one, measure))
        if measure == "smallest_share":  # small is hard
            verdicts.append((value < high) + (value < low))
        else:
            verdicts.append((value > low) + (value > high))
    return BANDS[sorted(verdicts)[1]]


def _round(value: float) -> float:
    """Four digits: short on a card, and a question at a limit falls the same way everywhere."""
    return float(f"{value:.4g}")
