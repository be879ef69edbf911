"""Summary: the scores of a run, each with its interval; shows itself as text and as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from terrascope_nb._suggest import unknown
from terrascope_nb.bench.intervals import Estimate
from terrascope_nb.errors import NotFound


@dataclass(frozen=True, eq=False)
class TaskScore:
    """One task of a run.

    Attributes
    ----------
    task : str
    accuracy : Estimate
        Strict letters.
    right : int
        Rows that are right.
    chance : float
        Accuracy expected of choosing at random: mean of 1 / options.
    beyond_chance : tuple of float
        Accuracies that chance gives with a probability of 99 %; see `intervals.chance_range`.
    iou : Estimate
        Mean IoU of the rows that have one.
    """

    task: str
    accuracy: Estimate
    right: int
    chance: float
    beyond_chance: tuple[float, float]
    iou: Estimate


@dataclass(frozen=True, eq=False)
class RuleScore:
    """Accuracy by one letter rule.

    Attributes
    ----------
    rule : str
    micro : Estimate
        Over rows, as the published script prints it.
    macro : float or None
        Mean over tasks, as in the paper.
    unread : int
        Rows counted in which the rule finds no letter.
    left_out : int
        Rows that leave the denominator.
    """

    rule: str
    micro: Estimate
    macro: float | None
    unread: int
    left_out: int


@dataclass(frozen=True, eq=False)
class Grounded:
    """Where the reasoner looked.

    Attributes
    ----------
    all, right, wrong : Estimate
        Mean IoU of rows that have one: all, with the right letter, with a wrong one.
    gap : Estimate
        Right minus wrong.
    r : Estimate
        Point-biserial correlation of IoU and being right.
    missing : Mapping
        Why rows have no IoU → how many.
    matched : Mapping
        How truth masks were met → how many masks.
    """

    all: Estimate
    right: Estimate
    wrong: Estimate
    gap: Estimate
    r: Estimate
    missing: Mapping[str, int]
    matched: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Scores against being right; a score is what the reasoner puts out, by itself no probability.

    Attributes
    ----------
    edges : tuple of float
        Of the bins, 0…1.
    counts : tuple of int
        Rows in each bin.
    score, accuracy : tuple of (float or None)
        Mean of each bin; None where it is empty.
    ece : float or None
        Expected calibration error: mean of |accuracy - score| over the bins, weighted by rows (Naeini et al. 2015);
        None without scores.
    without : int
        Rows that are counted and have no score.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    score: tuple[float | None, ...]
    accuracy: tuple[float | None, ...]
    ece: float | None
    without: int


@dataclass(frozen=True, eq=False)
class Summary:
    """The scores of a run; shows itself in a notebook, as text and as HTML.

    Attributes
    ----------
    name, suite : str
    rows, images, places : int
        Rows counted by the strict rule, their images (units, see `unit`), and places, 0 where they are not known.
    unscored : int
        Rows without a right letter in the suite.
    tasks : tuple of TaskScore
    micro, macro : Estimate
        Strict accuracy over rows, and its mean over tasks.
    answered : int
        Rows with a letter by the strict rule; the others count as wrong in every accuracy but `of_answered`.
    of_answered : Estimate
        Strict accuracy over those rows alone.
    chance : float
        Accuracy expected of choosing at random, over rows.
    chance_range : (float, float)
        What choosing at random gives with a probability of 99 %, exactly.
    rules : tuple of RuleScore
    grounded : Grounded
    claims : Mapping
        "agrees", "disagrees", "not checkable" → how many.
    agreeing : Estimate
        Share of the checkable claims that agree with their masks, by rows: each row with a checkable claim counts
        once, with its share.
    reliability : Reliability
    bands, sensors : Mapping
        Difficulty, sensors of the scene → strict accuracy.
    failed : Mapping
        Where rows failed → how many.
    errors : Mapping
        Error → how many rows, most frequent first.
    finishes : Mapping
        How answers ended → how many.
    seconds : float or None
        Median of the reasoner's time a row.
    level : float
        Of all intervals.
    seed, resamples : int
        Of the bootstrap.
    unit : "image" or "place"
        What is drawn, and counted as `images`.
    """

    name: str
    suite: str
    rows: int
    images: int
    places: int
    unscored: int
    tasks: tuple[TaskScore, ...]
    micro: Estimate
    macro: Estimate
    answered: int
    of_answered: Estimate
    chance: float
    chance_range: tuple[float, float]
    rules: tuple[RuleScore, ...]
    grounded: Grounded
    claims: Mapping[str, int]
    agreeing: Estimate
    reliability: Reliability
    bands: Mapping[str, Estimate]
    sensors: Mapping[str, Estimate]
    failed: Mapping[str, int]
    errors: Mapping[str, int]
    finishes: Mapping[str, int]
    seconds: float | None
    level: float
    seed: int
    resamples: int
    unit: str = "image"

    def task(self, key: str) -> TaskScore:
        """The score of a task.

        Raises
        ------
        NotFound
            When the run has no row of it.
        """
        found = next((t for t in self.tasks if t.task == key), None)
        if found is None:
            raise NotFound(unknown("task of this run", key, [t.task for t in self.tasks]))
        return found

    def __repr__(self) -> str:
        figures = f"strict accuracy {percent(self.micro)}, macro {percent(self.macro)}"
        return f"<Summary of {self.name} on {self.suite!r}: {figures}>"

    def __str__(self) -> str:
        from terrascope_nb.bench.report.tables import summary_text

        return summary_text(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from terrascope_nb.bench.report.tables import summary_html

        return {"text/plain": str(self), "text/html": str(summary_html(self))}


def percent(e: Estimate, digits: int = 1) -> str:
    """An estimate in percent with its interval, «73.2 % (70.1–76.3)»; «–» without a value.

    Examples
    --------
    >>> percent(Estimate(0.5, 0.25, 0.75, 0.95, 40, 20, "")), percent(Estimate(None, None, None, 0.95, 0, 0, "no row"))
    ('50.0 % (25.0–75.0)', '–')
    """
    if e.value is None:
        return "–"
    span = f" ({100 * e.low:.{digits}f}–{100 * e.high:.{digits}f})" if e.has_interval else ""
    return f"{100 * e.value:.{digits}f} %{span}"


def plain(e: Estimate, digits: int = 3) -> str:
    """An estimate as a plain number with its interval, «0.61 (0.52–0.70)»."""
    if e.value is None:
        return "–"
    span = f" ({e.low:.{digits}f} to {e.high:.{digits}f})" if e.has_interval else ""
    return f"{e.value:.{digits}f}{span}"
