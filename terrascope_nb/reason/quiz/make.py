"""Items: a question with its options, the letter of the truth, the fact behind it and the regions that it rests on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np

from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason import measure as m
from terrascope_nb.reason.answers import Choices, pick_number
from terrascope_nb.reason.measure import Fact, Region
from terrascope_nb.reason.quiz.candidates import Candidate, Dropped, candidate, candidates
from terrascope_nb.reason.quiz.distractors import figures, places, two
from terrascope_nb.reason.quiz.filters import ground_distance
from terrascope_nb.reason.quiz.regions import Quiz
from terrascope_nb.reason.quiz.tasks import TaskRule, rule_of, sentence
from terrascope_nb.reason.solve.phrases import named
from terrascope_nb.reason.units import convert
from terrascope_nb.scene.labelled import Labelled


@dataclass(frozen=True, eq=False)
class Item:
    """One question with its measured answer.

    Attributes
    ----------
    task : str
        A key of `TASKS`.
    question : str
        Without its options; `reason.question.understand` reads it.
    choices : Choices
    answer : str
        The letter of the truth.
    fact : Fact
        The measured truth, by the benchmark's rule where the task is one of its own.
    regions : tuple of Region
        The masks needed, in the order that the question names them (two dates of one class: the earlier first; building
        change: all buildings of the first date, the destroyed ones of the last).
    phrasing : int
        Which of the task's phrasings.
    resolution : float or None
        Pixel size in metres that the question states.
    value : float, bool or str
        The truth: a number in `unit`, yes or no, a canonical label, a place.
    unit : str
        The unit of the options: "%", "ha", "m" …; "" without one.
    labels : tuple of str
        Classes in the order that the question names them.
    dates : tuple of int
        Dates of the scene that the question is about, 0 the first.
    """

    task: str
    question: str
    choices: Choices
    answer: str
    fact: Fact
    regions: tuple[Region, ...]
    phrasing: int
    resolution: float | None
    value: float | bool | str
    unit: str
    labels: tuple[str, ...] = ()
    dates: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Made:
    """What `make_items` gives.

    Attributes
    ----------
    items : tuple of Item
    dropped : tuple of Dropped
        What was not asked, each with its reason.
    """

    items: tuple[Item, ...]
    dropped: tuple[Dropped, ...]

    @property
    def reasons(self) -> Counter[str]:
        """How many were dropped for each reason."""
        return Counter(d.reason for d in self.dropped)


def make_item(
    labelled: Labelled | Quiz,
    task: str,
    labels: Sequence[str],
    rng: np.random.Generator,
    phrasing: int | None = None,
    dates: Sequence[int] | None = None,
    kind: str = "",
    unit: str = "",
) -> Item | Dropped:
    """Make one question with its options.

    Parameters
    ----------
    labelled : Labelled or Quiz
        Give a `Quiz` to make several: it keeps what was measured.
    task : str
        A key of `TASKS`.
    labels : sequence of str
        Classes; sorted, and for pairs named in an order drawn from `rng`.
    rng : numpy.random.Generator
        Draws the order of naming, the phrasing, the wrong options and the place of the truth.
    phrasing : int, optional
        Which phrasing; drawn otherwise.
    dates : sequence of int, optional
        Dates, 0 the first; by default the last, or the first and the last.
    kind, unit : str, optional
        For the task «change»: "gain", "loss", "net" and "%", "m²"; what is left out is drawn from what may be asked.

    Returns
    -------
    Item or Dropped
        `Dropped`, with its reason, where a filter speaks against the question.

    Raises
    ------
    InvalidInput
        For an unknown task, the wrong number of classes or dates, a phrasing that is none.
    """
    quiz, rule = Quiz.of(labelled), rule_of(task)
    if not isinstance(rng, np.random.Generator):
        raise InvalidInput(f"rng is a numpy.random.Generator, e.g. numpy.random.default_rng(0); got {rng!r}")
    when = tuple(dates) if dates is not None else (quiz.dates - 1,) if rule.dates == 1 else (0, quiz.dates - 1)
    names = tuple(sorted(labels))
    found = _found(quiz, rule, names, when, kind, unit, rng)
    return found if isinstance(found, Dropped) else item_of(quiz, task, found, rng, phrasing)


def _found(
    quiz: Quiz,
    rule: TaskRule,
    labels: tuple[str, ...],
    dates: tuple[int, ...],
    kind: str,
    unit: str,
    rng: np.random.Generator,
) -> Candidate | Dropped:
    if not rule.more:
        return candidate(quiz, rule.key, labels, dates)
    variants = [v for v in rule.more if (not kind or v[0] == kind) and (not unit or v[1] == unit)]
    if not variants:
        raise InvalidInput(f"a change is a gain, loss or net in % or m²; got kind={kind!r}, unit={unit!r}")
    every = [candidate(quiz, rule.key, labels, dates, *v) for v in variants]
    kept = [c for c in every if isinstance(c, Candidate)]
    return kept[rng.integers(len(kept))] if kept else every[0]


def item_of(
    quiz: Quiz, task: str, found: Candidate, rng: np.random.Generator, phrasing: int | None = None
) -> Item | Dropped:
    """Write the question of a candidate and draw its options. See `make_item`."""
    rule, fact, dates = rule_of(task), found.fact, found.dates
    phrases = rule.phrasings(fact.kind, fact.unit) if rule.more else rule.phrases
    if phrasing is not None and not 0 <= phrasing < len(phrases):
        raise InvalidInput(f"the task {task} has the phrasings 0 … {len(phrases) - 1}; got {phrasing}")
    labels = found.labels
    if rule.labels == 2 and rule.dates == 1:
        labels = tuple(labels[k] for k in rng.permutation(2))
    drawn = int(rng.integers(len(phrases))) if phrasing is None else phrasing
    options = _options(quiz, rule, found, rng)
    if options is None:
        return Dropped(task, found.labels, dates, "no room for wrong options", f"{fact.value!r} {fact.unit}")
    texts, right, value, unit = options
    choices = Choices(tuple(ascii_uppercase[: len(texts)]), texts)
    letter = choices.letters[right]
    other = _elsewise(quiz, task, found)
    if other is not None and pick_number(choices, other, fact.unit).letter != letter:
        note = f"{fact.value:.6g} {fact.unit} by the task's rule, {other:.6g} {fact.unit} on the ground"
        return Dropped(task, found.labels, dates, "the ground rule picks another option", note)
    states = quiz.stated if "{r}" in phrases[drawn] else None
    names = [quiz.date_name(d, drawn) for d in dates] if rule.dates == 2 else []
    question = sentence(phrases[drawn], drawn, labels, quiz.when(dates[0], drawn) or "", names, states)
    return Item(
        task, question, choices, letter, fact, _needed(quiz, rule, labels, dates), drawn, states, value, unit, labels,
        dates,
    )  # fmt: skip


def _needed(quiz: Quiz, rule: TaskRule, labels: tuple[str, ...], dates: tuple[int, ...]) -> tuple[Region, ...]:
    if rule.key == "building_change":
        return quiz.region("building", dates[0]), quiz.region("destroyed building", dates[1])
    return tuple(quiz.region(label, d) for label in labels for d in dates)


def _options(
    quiz: Quiz, rule: TaskRule, found: Candidate, rng: np.random.Generator
) -> tuple[tuple[str, ...], int, float | bool | str, str] | None:
    """Texts, index of the truth, the truth's value and unit."""
    fact = found.fact
    if rule.answer == "place":
        return *places(str(fact.value), rng, rule.options), str(fact.value), ""
    if rule.answer == "yes or no":
        truth = bool(fact.value)
        return *two(*(("yes", "no") if truth else ("no", "yes")), rng), truth, ""
    if rule.answer == "class":
        other = next(x for x in found.labels if x != fact.value)
        return *two(named(str(fact.value)), named(other), rng), str(fact.value), ""
    made = figures(
        float(fact.value), fact.unit, rng, rule.options, unit=_unit(fact), highest=_highest(quiz, rule, fact),
        signed=fact.kind == "net", gap=2 * fact.values[0] + 1 if rule.key == "counting" else 0.0,
    )  # fmt: skip
    if made is None:
        return None
    return made.texts, made.right, convert(float(fact.value), fact.unit, made.unit), made.unit


def _unit(fact: Fact) -> str | None:
    """The unit that the question names; None where it leaves it open."""
    return "ha" if fact.kind in ("gain", "loss", "net") and fact.unit == "m²" else None


def _highest(quiz: Quiz, rule: TaskRule, fact: Fact) -> float:
    """The largest figure that anybody could take for the truth."""
    if fact.unit == "%":
        return 100.0
    if fact.unit == "m²":
        return m.area(Region("", np.ones(quiz.grid.shape, bool), quiz.domain(0))).value or np.inf
    if fact.unit == "m":
        rows, cols = quiz.grid.shape
        return quiz.grid.distance((0, 0), (rows - 1, cols - 1))
    return np.inf


def _elsewise(quiz: Quiz, task: str, found: Candidate) -> float | None:
    """What a reasoner measures that follows the ground and not the benchmark's rule; None where the two are one."""
    labels, dates = found.labels, found.dates
    if task == "absolute_area":
        return float(m.area(quiz.region(labels[0], dates[0])).value)
    if task == "distance_measurement":
        return float(ground_distance(quiz, labels, dates).value)
    if task == "building_change":
        total = m.count(quiz.region("building", dates[0])).value
        return 100 * m.count(quiz.region("destroyed building", dates[1])).value / total if total else np.inf
    return None


def balanced(kept: Sequence[Candidate], n: int | None, rng: np.random.Generator) -> list[Candidate]:
    """Draw up to `n` candidates, as many of each answer, where they are yes or no, as there are.

    Parameters
    ----------
    kept : sequence of Candidate
        Of one task.
    n : int or None
        At most so many. None: yes and no in equal number, as many as that allows; of other answers all.
    rng : numpy.random.Generator
    """
    groups: dict[object, list[Candidate]] = defaultdict(list)
    for c in kept:
        groups[c.fact.value if isinstance(c.fact.value, bool) else None].append(c)
    mixed = [[g[k] for k in rng.permutation(len(g))] for _, g in sorted(groups.items(), key=lambda g: str(g[0]))]
    if n is None:
        return [c for g in mixed for c in g[: min(map(len, mixed)) if len(mixed) > 1 else None]]
    turns = [mixed[k] for k in rng.permutation(len(mixed))]
    drawn = [c for k in range(max(map(len, turns), default=0)) for g in turns for c in g[k : k + 1]]
    return drawn[:n]


def make_items(
    labelled: Labelled | Quiz,
    tasks: Sequence[str],
    rng: np.random.Generator,
    per_task: int | None = None,
    balance: bool = False,
    dates: Sequence[tuple[int, ...]] | None = None,
) -> Made:
    """Make the questions of a scene in several tasks, one for each candidate or `per_task` of them drawn by lot.

    Parameters
    ----------
    labelled : Labelled or Quiz
    tasks : sequence of str
        Keys of `TASKS`, in this order.
    rng : numpy.random.Generator
    per_task : int, optional
        At most so many a task.
    balance : bool
        Ask for yes and for no in equal number (`balanced`).
    dates : sequence of tuple of int, optional
        As in `candidates`; for tasks that take so many dates.
    """
    quiz = Quiz.of(labelled)
    items: list[Item] = []
    dropped: list[Dropped] = []
    for task in tasks:
        takes = rule_of(task).dates
        found = candidates(quiz, task, dates if dates is None else [d for d in dates if len(d) == takes])
        dropped += found.dropped
        asked = balanced(found.kept, per_task, rng) if balance or per_task is not None else found.kept
        for c in asked:
            made = item_of(quiz, task, c, rng)
            (items if isinstance(made, Item) else dropped).append(made)  # type: ignore[arg-type]
    return Made(tuple(items), tuple(dropped))
