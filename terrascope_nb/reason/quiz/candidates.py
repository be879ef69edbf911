"""What may be asked of a labelled scene, with the measured answer, and what may not, with the reason.

`filters` holds what is measured in each task and what speaks against asking.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.measure import Fact
from terrascope_nb.reason.quiz.filters import BUILDINGS, FACTS, Why
from terrascope_nb.reason.quiz.regions import Quiz
from terrascope_nb.reason.quiz.tasks import rule_of
from terrascope_nb.scene.labelled import OTHER, Labelled


class Candidate(NamedTuple):
    """Something that may be asked.

    Attributes
    ----------
    labels : tuple of str
        Classes, sorted by name.
    dates : tuple of int
        Dates of the scene, 0 the first.
    fact : Fact
        The measured answer, by the benchmark's rule where the task is one of its own.
    """

    labels: tuple[str, ...]
    dates: tuple[int, ...]
    fact: Fact


@dataclass(frozen=True)
class Dropped:
    """Something that is not asked.

    Attributes
    ----------
    task : str
    labels : tuple of str
    dates : tuple of int
    reason : str
        Which filter, the same words for all that it drops: «below 5 %».
    note : str
        The same with the figures of this case.
    """

    task: str
    labels: tuple[str, ...]
    dates: tuple[int, ...]
    reason: str
    note: str = ""


@dataclass(frozen=True)
class Candidates:
    """What may be asked in one task, in the order of date and name; iterating gives the candidates.

    Attributes
    ----------
    task : str
    kept : tuple of Candidate
    dropped : tuple of Dropped
    """

    task: str
    kept: tuple[Candidate, ...]
    dropped: tuple[Dropped, ...]

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self.kept)

    def __len__(self) -> int:
        return len(self.kept)

    @property
    def reasons(self) -> Counter[str]:
        """How many were dropped for each reason."""
        return Counter(d.reason for d in self.dropped)


def candidates(labelled: Labelled | Quiz, task: str, dates: Sequence[tuple[int, ...]] | None = None) -> Candidates:
    """Everything that may be asked of a scene in one task.

    Parameters
    ----------
    labelled : Labelled or Quiz
        Give a `Quiz` to ask in several tasks: it keeps what was measured.
    task : str
        A key of `TASKS`.
    dates : sequence of tuple of int, optional
        Which dates, each of as many as the task takes; by default every date, or the first and the last together.

    Raises
    ------
    InvalidInput
        For an unknown task, or dates that the scene has not or the task does not take.
    """
    quiz, rule = Quiz.of(labelled), rule_of(task)
    if dates is None:
        dates = (
            [(k,) for k in range(quiz.dates)] if rule.dates == 1 else [(0, quiz.dates - 1)] if quiz.dates > 1 else []
        )
    kept: list[Candidate] = []
    dropped: list[Dropped] = []
    for when in dates:
        for labels in _combinations(quiz, task, tuple(when)):
            for kind, unit in rule.more or (("", ""),):
                found = candidate(quiz, task, labels, tuple(when), kind, unit)
                (kept if isinstance(found, Candidate) else dropped).append(found)  # type: ignore[arg-type]
        foreign = sorted(set(quiz.labelled.legend.values()) - set(quiz.labels) - {OTHER})
        dropped += [Dropped(task, (x,), tuple(when), "no class that can be asked about") for x in foreign]
    return Candidates(task, tuple(kept), tuple(dropped))


def candidate(
    quiz: Quiz, task: str, labels: tuple[str, ...], dates: tuple[int, ...], kind: str = "", unit: str = ""
) -> Candidate | Dropped:
    """Measure one candidate, once; the filter that drops it otherwise. See `candidates`.

    Parameters
    ----------
    kind, unit : str
        For the task «change»: "gain", "loss" or "net", in "%" or "m²".
    """
    key = ("candidate", task, labels, dates, kind, unit)
    if key not in quiz.facts:
        _check(quiz, task, labels, dates)
        found = _unnamed(quiz, dates) or FACTS[task](quiz, labels, dates, *((kind, unit) if kind else ()))
        if isinstance(found, Fact):
            quiz.facts[key] = Candidate(labels, dates, found)
        else:
            quiz.facts[key] = Dropped(task, labels, dates, *found)
    return quiz.facts[key]  # type: ignore[return-value]


def _check(quiz: Quiz, task: str, labels: tuple[str, ...], dates: tuple[int, ...]) -> None:
    rule = rule_of(task)
    if len(labels) != rule.labels or len(dates) != rule.dates:
        raise InvalidInput(
            f"the task {task} takes {rule.labels} classes and {rule.dates} dates; got {', '.join(labels)} and {dates}"
        )
    if not all(0 <= d < quiz.dates for d in dates) or list(dates) != sorted(set(dates)):
        raise InvalidInput(f"{quiz.labelled.key} has {quiz.dates} dates (from 0), asked in their order; got {dates}")


def _combinations(quiz: Quiz, task: str, dates: tuple[int, ...]) -> list[tuple[str, ...]]:
    if task == "building_change":
        return [BUILDINGS] if set(BUILDINGS) <= set(quiz.labels) else []
    if task == "existence":
        return [(x,) for x in quiz.labels]
    there = sorted({label for d in dates for label in quiz.regions(d)})
    return list(combinations(there, rule_of(task).labels))


def _unnamed(quiz: Quiz, dates: tuple[int, ...]) -> Why | None:
    nameless = [d for d in dates if quiz.dates > 1 and quiz.date_name(d) is None]
    return ("its date cannot be named", f"date {nameless[0]} shares its day, or is undated") if nameless else None
