"""`summarise`: a run's scores — answers by task and letter rule, masks, claims, scores — with intervals by image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.bench.intervals import (
    LEVEL,
    RESAMPLES,
    Estimate,
    correlation_by_image,
    difference_by_image,
    mean_by_image,
)  # fmt: skip
from terrascope_nb.bench.results import Result, Results
from terrascope_nb.bench.significance import chance_range
from terrascope_nb.bench.summary import Grounded, Reliability, RuleScore, Summary, TaskScore
from terrascope_nb.bench.task import TASKS
from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.answers import LETTER_RULES
from terrascope_nb.reason.verify import VERDICTS

STRICT = "strict"
DENOMINATORS: Mapping[str, str] = {
    STRICT: "a row whose image cannot be read is wrong",
    "published": "a row whose image cannot be read leaves the denominator",
}
"""What becomes of such rows; the second holds for every rule but `STRICT`. A row that lacks the sensor to blank leaves
both: the question of that run cannot be put to it."""
BINS = 10
UNITS = ("image", "place")


def counted(rows: Iterable[Result], rule: str = STRICT) -> list[Result]:
    """The rows in a rule's denominator; see `DENOMINATORS`.

    Raises
    ------
    InvalidInput
        For an unknown rule.
    """
    if rule not in LETTER_RULES:
        raise InvalidInput(unknown("letter rule", rule, LETTER_RULES))
    out = ("blank",) if rule == STRICT else ("blank", "image")
    return [r for r in rows if rule in r.correct and r.failed not in out]


def by_unit(rows: Sequence[Result], unit: str) -> list[Result]:
    """The rows with what is drawn as a whole in place of their image.

    Raises
    ------
    InvalidInput
        For a unit that is none of `UNITS`.
    """
    if unit not in UNITS:
        raise InvalidInput(unknown("unit", unit, UNITS))
    return [replace(r, image=r.place or r.image) for r in rows] if unit == "place" else list(rows)


def summarise(
    results: Results | Sequence[Result],
    *,
    unit: str = "image",
    seed: int = 0,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Summary:
    """Score a run.

    Parameters
    ----------
    results : Results or sequence of Result
    unit : "image" or "place"
        What is drawn as a whole. Images of one place, such as windows of one map or dates of one patch, are like each
        other: where there are enough places, intervals by place are the honest ones.
    seed : int
        Of the bootstrap: the same seed and rows give the same intervals, in whatever order the rows are.
    level : float
        Of the intervals.
    resamples : int
        Draws of images.

    Returns
    -------
    Summary

    Raises
    ------
    InvalidInput
        When no row states a right letter, or for an unknown unit.
    """
    rows = sorted(results, key=lambda r: r.row)
    places = len({r.place for r in rows if r.place})
    rows = by_unit(rows, unit)
    mine = counted(rows)
    if not mine:
        raise InvalidInput(
            f"none of {len(rows)} rows can be scored: {_why_unscored(rows)}. Accuracy needs rows with a right letter"
        )
    rng = np.random.default_rng(seed)
    told: dict[str, Any] = {"level": level, "resamples": resamples}

    def accuracy(some: Sequence[Result], **more: Any) -> Estimate:
        return mean_by_image([r.correct[STRICT] for r in some], [r.image for r in some], rng, **more, **told)

    def iou(some: Sequence[Result]) -> Estimate:
        have = [r for r in some if r.iou is not None]
        return mean_by_image([r.iou for r in have], [r.image for r in have], rng, **told)

    tasks = []
    for task, some in _grouped(mine, lambda r: r.task, list(TASKS)).items():
        options = [max(r.options, 1) for r in some]
        right = sum(r.correct[STRICT] for r in some)
        chance = float(np.mean(1 / np.array(options)))
        tasks.append(TaskScore(task, accuracy(some), right, chance, chance_range(options), iou(some)))
    header = results.header if isinstance(results, Results) else {}
    options = [max(r.options, 1) for r in mine]
    answered = [r for r in mine if r.letters.get(STRICT)]
    timed = [r.seconds for r in mine if not r.failed]
    checkable = [(r, r.claims["agrees"] / n) for r in rows if (n := _checkable(r))]
    return Summary(
        name=results.name if isinstance(results, Results) else "a run",
        suite=str(header.get("suite", {}).get("name", "a suite")),
        rows=len(mine),
        images=len({r.image for r in mine}),
        places=places,
        unscored=sum(not r.correct for r in rows),
        tasks=tuple(tasks),
        micro=accuracy(mine),
        macro=accuracy(mine, strata=[r.task for r in mine]),
        answered=len(answered),
        of_answered=accuracy(answered),
        chance=float(np.mean(1 / np.array(options))),
        chance_range=chance_range(options),
        rules=tuple(_rule(rows, rule, rng, told) for rule in LETTER_RULES),
        grounded=_grounded(mine, rng, told, iou),
        claims={v: sum(r.claims.get(v, 0) for r in rows) for v in VERDICTS},
        agreeing=mean_by_image([share for _, share in checkable], [r.image for r, _ in checkable], rng, **told),
        reliability=reliability(mine),
        bands={
            k: accuracy(v) for k, v in _grouped(mine, lambda r: r.band, ["easy", "medium", "hard"]).items() if k
        },
        sensors={k: accuracy(v) for k, v in _grouped(mine, lambda r: r.sensors, []).items() if k},
        failed=dict(Counter(r.failed for r in rows if r.failed)),
        errors=dict(Counter(r.error for r in rows if r.error).most_common()),
        finishes=dict(Counter(r.finish for r in rows if r.finish).most_common()),
        seconds=float(np.median(timed)) if timed else None,
        level=level, seed=seed, resamples=resamples, unit=unit,
    )  # fmt: skip


def _why_unscored(rows: Sequence[Result]) -> str:
    if not rows:
        return "the run is empty"
    lacking, blank = sum(not r.correct for r in rows), sum(r.failed == "blank" for r in rows)
    return f"{lacking} have no right letter in the suite, {blank} lack the sensor to blank"


def _grouped(rows: Sequence[Result], key: Callable[[Result], str], order: list[str]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for r in rows:
        groups.setdefault(key(r), []).append(r)
    return {k: groups[k] for k in sorted(groups, key=lambda k: (order.index(k) if k in order else len(order), k))}


def _checkable(r: Result) -> int:
    return r.claims.get("agrees", 0) + r.claims.get("disagrees", 0)


def _rule(rows: Sequence[Result], rule: str, rng: np.random.Generator, told: dict[str, Any]) -> RuleScore:
    some = counted(rows, rule)
    micro = mean_by_image([r.correct[rule] for r in some], [r.image for r in some], rng, **told)
    by_task = _grouped(some, lambda r: r.task, [])
    macro = float(np.mean([np.mean([r.correct[rule] for r in v]) for v in by_task.values()])) if some else None
    left = sum(rule in r.correct for r in rows) - len(some)
    return RuleScore(rule, micro, macro, sum(not r.letters.get(rule) for r in some), left)


def _grounded(
    rows: Sequence[Result], rng: np.random.Generator, told: dict[str, Any], iou: Callable[[Sequence[Result]], Estimate]
) -> Grounded:
    have = [r for r in rows if r.iou is not None]
    right, wrong = ([r for r in have if r.correct[STRICT] is k] for k in (True, False))
    gap = difference_by_image(
        [r.iou for r in right], [r.image for r in right], [r.iou for r in wrong], [r.image for r in wrong], rng, **told
    )
    r = correlation_by_image(
        [r.correct[STRICT] for r in have], [r.iou for r in have], [r.image for r in have], rng, **told
    )
    names = {
        "the first does not vary": "all answers are equally right",
        "the second does not vary": "IoU does not vary",
    }
    how = next((r.how.replace(k, v) for k, v in names.items() if k in r.how), r.how)
    return Grounded(
        iou(rows), iou(right), iou(wrong), gap, Estimate(r.value, r.low, r.high, r.level, r.rows, r.images, how),
        dict(Counter(r.why_no_iou for r in rows if r.iou is None).most_common()),
        dict(Counter(m for r in have for m in r.matched).most_common()),
    )  # fmt: skip


def reliability(rows: Sequence[Result], bins: int = BINS) -> Reliability:
    """Accuracy in bins of equal width of the score.

    Parameters
    ----------
    rows : sequence of Result
        Rows that are counted.
    bins : int
        How many; a score of 1 belongs to the last.
    """
    if bins < 1:
        raise InvalidInput(f"bins is how many, at least 1; got {bins}")
    have = [r for r in rows if r.score is not None]
    edges = np.linspace(0, 1, bins + 1)
    score = np.array([r.score for r in have], float)
    right = np.array([r.correct[STRICT] for r in have], float)
    which = np.minimum((score * bins).astype(int), bins - 1)
    counts = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_score = np.bincount(which, score, bins) / counts
        accuracy = np.bincount(which, right, bins) / counts
    there = counts > 0
    ece = float((np.abs(accuracy - mean_score)[there] * counts[there]).sum() / counts.sum()) if have else None
    return Reliability(
        tuple(edges.tolist()), tuple(counts.tolist()),
        tuple(float(v) if t else None for v, t in zip(mean_score, there, strict=True)),
        tuple(float(v) if t else None for v, t in zip(accuracy, there, strict=True)),
        ece, len(rows) - len(have),
    )  # fmt: skip
