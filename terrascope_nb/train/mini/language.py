"""The mini's own short language: what is asked of it, and what it writes; no pictures and no tensors here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, QuestionNotUnderstood
from terrascope_nb.reason.question import Plan, understand
from terrascope_nb.scene.classes import canonical
from terrascope_nb.scene.scene import Scene

LAND = ("water", "tree cover", "grassland", "cropland", "bare land", "built-up")
#: Classes that the mini draws.
LABELS = (*LAND, "cloud")
#: Written first in a question. measured: masks are drawn, read and measured; regions: drawn and read; text: neither.
MODES = ("measured", "regions", "text")
#: Task → the word that asks for it.
TASKS = {
    "coverage": "share", "area": "area", "comparison": "larger", "smaller": "smaller", "largest": "largest",
    "adjacency": "adjacent", "distance": "distance", "existence": "exists", "location": "where", "change": "change",
    "growth": "growth", "shrinkage": "shrinkage",
}  # fmt: skip
WORDS = tuple(TASKS.values())
PAIRS = ("comparison", "smaller", "adjacency", "distance")
#: Tasks about two dates.
DATED = ("change", "growth", "shrinkage")


@dataclass(frozen=True)
class Asked:
    """A question in the mini's terms.

    Attributes
    ----------
    task : str
        A key of `TASKS`.
    labels : tuple of str
        Of `LABELS`, in the order named; all of `LAND` for "largest".
    date : int
        Date that it is about, 0 the first; for `DATED` tasks the first and the last are meant.
    dates : int
        Dates that the scene has.
    """

    task: str
    labels: tuple[str, ...]
    date: int = 0
    dates: int = 1

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """(label, date) of each mask that is drawn, in order."""
        if self.task in DATED:
            return tuple((self.labels[0], d) for d in (0, self.dates - 1))
        return tuple((label, self.date) for label in self.labels)

    def question(self, mode: str = "measured") -> str:
        """What is put to the network.

        Examples
        --------
        >>> Asked("comparison", ("water", "cropland"), 1, 2).question()
        'measured larger of water and cropland in image 2'
        """
        if mode not in MODES:
            raise InvalidInput(unknown("mode of the mini", mode, MODES))
        what = "" if self.task == "largest" else f" of {' and '.join(self.labels)}"
        when = f" in image {self.date + 1}" if self.dates > 1 and self.task not in DATED else ""
        return f"{mode} {TASKS[self.task]}{what}{when}"

    def response(self, told: str, answer: str, masks: bool = True) -> str:
        """What the network is to write: each region with its ``[SEG]``, what follows from it, the answer.

        Parameters
        ----------
        told : str
            What follows, « covers 27.4 %».
        masks : bool
            False writes no ``[SEG]``.

        Examples
        --------
        >>> Asked("coverage", ("water",)).response(" covers 27.4 %", "27.4 %")
        '<think> water [SEG] covers 27.4 %. </think><answer> 27.4 % </answer>'
        """
        named = [
            f"{f' Image: t_{d + 1}' if self.dates > 1 else ''} {label}{' [SEG]' if masks else ''}"
            for label, d in self.places
        ]
        return f"<think>{' and'.join(named)}{told}. </think><answer> {answer} </answer>"


def asked_of(question: str, choices: object, scene: Scene) -> tuple[Asked, Plan]:
    """Put a question of people's wording into the mini's terms.

    Raises
    ------
    QuestionNotUnderstood
        When `understand` does not understand it, or the mini was not trained for it: the message lists for what.

    Examples
    --------
    >>> import terrascope_nb as ts
    >>> asked_of("What share of the scene is water?", None, ts.samples.load("lake"))[0].question()
    'measured share of water'
    """
    plan = understand(question, choices)
    task = plan.task
    if task == "change":
        task = {"net": "change", "is gain": "growth", "is loss": "shrinkage"}.get(plan.change, plan.change)
    if task not in TASKS or (task == "change" and (plan.unit not in ("", "%") or plan.yes_no)):
        raise _refused(f"the task {plan.task}{f' ({plan.change})' if plan.change else ''} in {plan.unit or 'no'} unit")
    labels = tuple(canonical(x) for x in plan.labels)
    strange = [x for x in labels if x not in LABELS]
    if strange:
        raise _refused(f"{strange[0]}")
    if task == "largest":
        if labels and set(labels) != set(LAND):
            raise _refused("the largest of some classes")
        labels = LAND
    if plan.yes_no and task == "comparison" or "cloud" in labels and task != "coverage":
        raise _refused(f"{plan.task} {'for yes or no' if plan.yes_no else 'of cloud'}")
    days = [scene.images[m.image].day for m in scene.moments()]
    if task in DATED:
        if len(days) < 2:
            raise InvalidInput(f"a change needs two dates, the scene has {len(days)}")
        wanted = plan.when if isinstance(plan.when, tuple) else ("first", "last")
        if [_date(w, days) for w in wanted] != [0, len(days) - 1]:
            raise _refused(f"a change between other dates than the first and the last ({days[0]}, {days[-1]})")
        return Asked(task, labels, 0, len(days)), plan
    return Asked(task, labels, _date(plan.when, days), len(days)), plan


def _date(when: object, days: Sequence[str]) -> int:
    """Index of the date that a plan names; the last by default."""
    if when is None or when == "last":
        return len(days) - 1
    ordinal = {"first": 0, "second": 1, "third": 2}.get(str(when))
    if ordinal is not None and ordinal < len(days):
        return ordinal
    there = [k for k, day in enumerate(days) if day.startswith(str(when))]
    if len(there) != 1:
        raise InvalidInput(f"{when} names {len(there)} of the scene's dates {', '.join(days)}")
    return there[0]


def _refused(what: str) -> QuestionNotUnderstood:
    return QuestionNotUnderstood(
        f"the mini was not trained for {what}. Trained tasks: {', '.join(TASKS)} (change in percent of the scene, "
        f"between the first and the last date; largest over {', '.join(LAND)}); classes: {', '.join(LABELS)} (cloud: "
        "its share alone). Ask another reasoner, e.g. «spectral»"
    )
