"""L1: one measured question at a time, as `reason.quiz` asks it, with the reasoning that leads to its answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np

from terrascope_nb.cot.compose import figures
from terrascope_nb.cot.compose.draft import Class, Draft, Written, chosen
from terrascope_nb.cot.compose.known import Known
from terrascope_nb.cot.compose.pictures import with_sensors
from terrascope_nb.errors import QuestionNotUnderstood
from terrascope_nb.reason.question import understand
from terrascope_nb.reason.quiz import Item, balanced, candidates
from terrascope_nb.reason.quiz.make import item_of
from terrascope_nb.reason.solve.phrases import absent, be

ONE_DATE = (
    "existence", "counting", "localisation", "coverage_percentage", "absolute_area", "boundary_relationship",
    "distance_measurement", "comparative_ranking",
)  # fmt: skip
"""Tasks on one date: Terra-CoT's six, area both absolute and as a share, and the benchmark's comparison."""

TWO_DATES = ("change", "building_change")
"""Tasks on two dates."""

PIXELS = frozenset((*ONE_DATE, *TWO_DATES)) - {"existence"}
"""Tasks that cannot be answered without measuring a mask."""

OFF = 0.05
"""A task's rule opens masks or counts polygons; its question is left out where masks as they are differ by more."""

CHANGE_FIRST = 0.5
"""How often a scene of two dates is asked about its change before anything else."""

_WEIGHTS = {"distance_measurement": 4.0, "localisation": 2.0, "boundary_relationship": 2.0}
#: Tasks that few scenes allow are tried sooner than the others, whose weight is 1.

_NEAREST = (
    "Which option is nearest: {list}? It is {letter}.",
    "Of the options, {letter} is the nearest.",
    "Compared with the options, it fits {letter} best.",
    "Which of {list} is meant? Option {letter} is the nearest.",
)
_OF_ALL = (
    "Which option is {ratio}: {list}? It is {letter}.",
    "What share is {ratio}? Option {letter} is the nearest.",
)
_SO = ("So the answer is {letter}.", "That is option {letter}.", "This makes {letter} the right option.")


def questions(
    alone: Known, both: Known | None, rng: np.random.Generator, n: int, dropped: Counter[str]
) -> list[Written]:
    """Up to `n` questions of different tasks, the first one of a task that needs pixels.

    Parameters
    ----------
    alone, both : Known
        One date, and two where there are.
    rng : numpy.random.Generator
    n : int
    dropped : collections.Counter
        Counts what could not be asked, by task and reason.
    """
    keys = {x: rng.random() ** (1 / _WEIGHTS.get(x, 1.0)) for x in ONE_DATE}
    tasks = [(x, alone) for x in sorted(keys, key=keys.__getitem__, reverse=True) if x in PIXELS]
    if both is not None:
        change = [(TWO_DATES[k], both) for k in rng.permutation(len(TWO_DATES))]
        at = 0 if rng.random() < CHANGE_FIRST else 2
        tasks = [*tasks[:at], *change, *tasks[at:]]
    others = [("existence", alone)] if rng.random() < n / len(ONE_DATE) else []
    out: list[Written] = []
    for task, known in tasks:
        if len(out) + len(others) >= n and out:
            break
        made = _question(known, task, rng, dropped)
        out += [] if made is None else [made]
    for task, known in others:
        made = _question(known, task, rng, dropped)
        out += [] if made is None else [made]
    return out


def _question(known: Known, task: str, rng: np.random.Generator, dropped: Counter[str]) -> Written | None:
    """One question of a task, None where the scene has none."""
    found = candidates(known.quiz, task)
    dropped.update({f"{task}: {reason}": n for reason, n in found.reasons.items()})
    for candidate in balanced(found.kept, 3, rng):
        item = item_of(known.quiz, task, candidate, rng)
        if not isinstance(item, Item):
            dropped[f"{task}: {item.reason}"] += 1
        elif _apart(known, item):
            dropped[f"{task}: the masks as they are measure otherwise than the task's rule"] += 1
        else:
            return _written(known, item, rng)
    return None


def _apart(known: Known, item: Item) -> bool:
    """Whether the figure that the reasoning states is off the task's own by more than `OFF`."""
    truth = item.fact.value
    if item.task == "distance_measurement":
        stated = known.gap(*item.labels)
    elif item.task == "absolute_area":
        stated = known.area(item.labels[0]) or 0.0
    elif item.task == "building_change":
        stated = 100 * known.parts("destroyed building", len(known.moments) - 1) / (known.parts("building") or 1)
    else:
        return False
    return abs(stated - float(truth)) > OFF * abs(float(truth))  # type: ignore[arg-type]


def _written(known: Known, item: Item, rng: np.random.Generator) -> Written:
    draft = Draft(known, rng)
    _REASONING[item.task](draft, item)
    number = isinstance(item.value, float | int) and not isinstance(item.value, bool)
    end = _OF_ALL if item.task == "building_change" else _NEAREST if number else _SO
    draft.say(end, list=_or(item.choices.texts), letter=item.answer, ratio=draft.ratio)
    said = chosen(item.choices, item.answer)
    return Written(
        "l1", item.task, _asked(known, item, rng), draft, said, item.choices, item.answer, item.labels
    )  # fmt: skip


def _or(texts: tuple[str, ...]) -> str:
    return f"{', '.join(texts[:-1])} or {texts[-1]}"


def _asked(known: Known, item: Item, rng: np.random.Generator) -> str:
    """The question, with the sensors named before it where it still says the same to a reader of questions."""
    text = with_sensors(known, item.question, rng)
    if text == item.question:
        return text
    try:
        one, other = (understand(q, item.choices) for q in (item.question, text))
    except QuestionNotUnderstood:
        return item.question
    same = all(getattr(one, f) == getattr(other, f) for f in ("task", "labels", "unit", "change", "when", "yes_no"))
    return text if same else item.question


# ---- reasoning, a function a task ------------------------------------------------------------------------------------
def _share(draft: Draft, item: Item) -> None:
    figures.covers(draft, Class(item.labels[0]))


def _existence(draft: Draft, item: Item) -> None:
    label = item.labels[0]
    if draft.known.region(label).count:
        figures.covers(draft, Class(label))
        said = ("{A} can be seen.", "There {be} {a} in the {picture}.")
        draft.say(said, a=label, be=be(label), picture=draft.picture)
        return
    draft.say(
        ("I look for {a}: <it covers/they cover> 0.0 % of the {whole}.", "{A} <covers/cover> 0.0 % of the {whole}."),
        a=label, whole=figures.whole(draft),
    )  # fmt: skip
    draft.say(
        ("There {be} no {name}.", "There {be} no {name} in the {picture}."),
        be=be(label), name=absent(label), picture=draft.picture,
    )  # fmt: skip


def _counting(draft: Draft, item: Item) -> None:
    it = Class(item.labels[0])
    figures.covers(draft, it)
    figures.parts(draft, it)


def _place(draft: Draft, item: Item) -> None:
    it = Class(item.labels[0])
    figures.covers(draft, it)
    figures.place(draft, it)


def _boundary(draft: Draft, item: Item) -> None:
    for label in item.labels:
        figures.covers(draft, Class(label))
    figures.touch(draft, *item.labels)


def _distance(draft: Draft, item: Item) -> None:
    for label in item.labels:
        if draft.rng.random() < 0.5:
            figures.covers(draft, Class(label))
    figures.gap(draft, *item.labels)


def _comparison(draft: Draft, item: Item) -> None:
    for label in item.labels:
        figures.covers(draft, Class(label))
    figures.larger(draft, *item.labels)


def _change(draft: Draft, item: Item) -> None:
    label, last = item.labels[0], len(draft.known.moments) - 1
    for date in (0, last):
        figures.covers(draft, Class(label, date))
    figures.gain_and_loss(draft, label)


def _buildings(draft: Draft, item: Item) -> None:
    lost, every = figures.buildings(draft)
    draft.ratio = f"{lost} of {every}"


_REASONING: Mapping[str, Callable[[Draft, Item], None]] = {
    "existence": _existence, "counting": _counting, "localisation": _place, "coverage_percentage": _share,
    "absolute_area": _share, "boundary_relationship": _boundary, "distance_measurement": _distance,
    "comparative_ranking": _comparison, "change": _change, "building_change": _buildings,
}  # fmt: skip
