"""The tasks that are asked: how many classes and dates each takes, how it is answered, and its phrasings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.solve.phrases import be, named, verb


@dataclass(frozen=True)
class TaskRule:
    """One task.

    Attributes
    ----------
    key : str
        «coverage_percentage» …
    title : str
        For a table's head.
    options : int
        Options a question: 2 or 4.
    plan : str
        What `reason.question` calls it.
    labels, dates : int
        Classes and dates that a question names (a single date is named only where a scene has several).
    answer : str
        "number", "class", "yes or no" or "place".
    rule : str
        What is measured, and what is not asked.
    phrases : tuple of str
        Phrasings. ``{a}``, ``{c}`` are the classes, ``{w}`` the date, ``{r}`` the pixel size; ``{isa}``, ``{doa}``
        the verb that goes with ``{a}``, capital where they begin the sentence.
    more : Mapping
        For the task «change»: the phrasings of each (kind, unit).
    """

    key: str
    title: str
    options: int
    plan: str
    labels: int
    dates: int
    answer: str
    rule: str
    phrases: tuple[str, ...] = ()
    more: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def phrasings(self, kind: str = "", unit: str = "") -> tuple[str, ...]:
        """The phrasings; of a change, those of a kind («gain», «loss», «net») in a unit («%», «m²»)."""
        return self.more[kind, unit] if self.more else self.phrases


_CHANGE = {
    ("loss", "%"): (
        "What is the loss of {a} between {d0} and {d1}, in percent of the scene?",
        "What percentage of the scene lost {a} between {d0} and {d1}?",
        "How much {a} disappeared between {d0} and {d1}, in percent of the scene?",
    ),
    ("gain", "%"): (
        "What is the gain of {a} between {d0} and {d1}, in percent of the scene?",
        "What percentage of the scene gained {a} between {d0} and {d1}?",
        "How much new {a} appeared between {d0} and {d1}, in percent of the scene?",
    ),
    ("net", "%"): (
        "What is the net change of {a} between {d0} and {d1}, in percent of the scene?",
        "By what percentage of the scene did {a} change between {d0} and {d1}?",
        "How much did {a} change between {d0} and {d1}, in percent of the scene?",
    ),
    ("loss", "m²"): (
        "How many hectares of {a} were lost between {d0} and {d1}{r}?",
        "What area of {a} was lost between {d0} and {d1}, in hectares{r}?",
        "How much {a} disappeared between {d0} and {d1}, in hectares{r}?",
    ),
    ("gain", "m²"): (
        "How many hectares of {a} were gained between {d0} and {d1}{r}?",
        "What area of {a} was gained between {d0} and {d1}, in hectares{r}?",
        "How much new {a} appeared between {d0} and {d1}, in hectares{r}?",
    ),
    ("net", "m²"): (
        "What is the net change of {a} between {d0} and {d1}, in hectares{r}?",
        "By how many hectares did {a} change between {d0} and {d1}{r}?",
        "How much did the area of {a} change between {d0} and {d1}, in hectares{r}?",
    ),
}

TASKS: Mapping[str, TaskRule] = MappingProxyType({
    t.key: t
    for t in (
        TaskRule(
            "coverage_percentage", "coverage percentage", 4, "coverage", 1, 1, "number",
            "pixels of the class / valid pixels × 100; classes of at least 5 %",
            (
                "What percentage of the area is covered by {a} {w}?",
                "How much of the area is covered by {a} {w}?",
                "What percentage of the scene is {a} {w}?",
                "What share of the scene is covered by {a} {w}?",
                "Estimate the proportion of the scene that is covered by {a} {w}.",
            ),
        ),
        TaskRule(
            "absolute_area", "absolute area", 4, "area", 1, 1, "number",
            "pixels of the class × resolution²",
            (
                "What is the total area of {a} {w}{r}?",
                "How large is the area covered by {a} {w}{r}?",
                "Estimate the area of {a} {w}{r}.",
                "What is the absolute area of {a} {w}{r}?",
            ),
        ),
        TaskRule(
            "comparative_ranking", "comparative area ranking", 2, "comparison", 2, 1, "class",
            "which class has more pixels; both at least 5 %, apart by more than 10 % of the larger",
            (
                "Which covers more area {w}, the {a} or the {c}?",
                "Which is larger {w}, the {a} or the {c}?",
                "Which of the two classes covers more area {w}: the {a} or the {c}?",
                "Which class has the larger area {w}, the {a} or the {c}?",
            ),
        ),
        TaskRule(
            "boundary_relationship", "boundary relationship", 2, "adjacency", 2, 1, "yes or no",
            "does one mask, dilated by 3 × 3, meet the other; both at least 3 %, of at most 5 parts",
            (
                "{isa} {a} adjacent to {c} {w}?",
                "{doa} {a} touch {c} {w}?",
                "Do {a} and {c} share a boundary {w}?",
                "Are {a} and {c} next to each other {w}?",
                "{doa} {a} border {c} {w}?",
            ),
        ),
        TaskRule(
            "distance_measurement", "distance measurement", 4, "distance", 2, 1, "number",
            "smallest distance between the opened masks × resolution; more than 10 pixels apart",
            (
                "What is the shortest distance between {a} and {c} {w}{r}?",
                "How far {isa} {a} from {c} {w}{r}?",
                "What is the minimum distance from {a} to {c} {w}{r}?",
                "How far apart are {a} and {c} {w}{r}?",
            ),
        ),
        TaskRule(
            "building_change", "building change estimation", 4, "building change", 2, 2, "number",
            "destroyed buildings / all × 100; at least 10 buildings, 3 of them destroyed",
            (
                "What percentage of the buildings was destroyed between {d0} and {d1}?",
                "What share of the buildings was destroyed between {d0} and {d1}?",
                "What proportion of the buildings has been destroyed between {d0} and {d1}?",
            ),
        ),
        TaskRule(
            "existence", "existence", 2, "existence", 1, 1, "yes or no",
            "a part of at least 4 pixels is there; classes of specks only are not asked about",
            (
                "{isa} there any {a} {w}?",
                "{isa} any {a} present {w}?",
                "Can you see {a} {w}?",
                "Can {a} be seen {w}?",
            ),
        ),
        TaskRule(
            "counting", "counting", 4, "counting", 1, 1, "number",
            "8-connected parts of at least 4 pixels, up to 20; more specks than parts are not asked about",
            (
                "How many separate areas of {a} are there {w}?",
                "Count the separate areas of {a} {w}.",
                "What is the number of separate areas of {a} {w}?",
                "How many distinct patches of {a} can be seen {w}?",
            ),
        ),
        TaskRule(
            "localisation", "localisation", 4, "location", 1, 1, "place",
            "the ninth of the scene that holds the class's middle, and more of the class than any other ninth",
            (
                "Where {isa} {a} located {w}?",
                "In which part of the scene {doa} {a} lie {w}?",
                "Where {doa} {a} lie {w}?",
                "What is the location of {a} {w}?",
            ),
        ),
        TaskRule(
            "change", "change between two dates", 4, "change", 1, 2, "number",
            "gain, loss or net change on the pixels clear on both dates; at least 0.5 % of them",
            more=MappingProxyType(_CHANGE),
        ),
    )
})  # fmt: skip
"""Every task by key: the benchmark's six in the paper's order, then the further ones."""

BENCHMARK: tuple[str, ...] = tuple(TASKS)[:6]
"""Keys of TerraScope-Bench's tasks."""

EXTRAS: tuple[str, ...] = tuple(TASKS)[6:]
"""Keys of the further tasks that training data ask."""

_SIZES = (
    ", at a spatial resolution of {m:g} m",
    " (pixel size {m:g} m)",
    ", given that each pixel is {m:g} m x {m:g} m",
)


def rule_of(task: str) -> TaskRule:
    """The rule of a task.

    Raises
    ------
    InvalidInput
        For a key that is none; the message suggests the nearest.
    """
    if task not in TASKS:
        raise InvalidInput(unknown("task", task, TASKS))
    return TASKS[task]


def sentence(
    phrase: str,
    phrasing: int,
    labels: Sequence[str],
    when: str = "",
    dates: Sequence[str] = (),
    resolution: float | None = None,
) -> str:
    """Write a question.

    Parameters
    ----------
    phrase : str
        One of `TaskRule.phrasings`.
    phrasing : int
        Its index; also decides how the pixel size is said.
    labels : sequence of str
        Canonical labels in the order that the question names them.
    when : str
        «on 2023-06-15», «in the first image»; "" where there is one date.
    dates : sequence of str
        The two dates of a change as the question names them.
    resolution : float or None
        Pixel size in metres to be stated.

    Examples
    --------
    >>> sentence("{isa} {a} adjacent to {c} {w}?", 0, ("building", "water"))
    'Are buildings adjacent to water?'
    >>> sentence("Estimate the area of {a} {w}{r}.", 1, ("water",), "on 2023-06-15", resolution=10)
    'Estimate the area of water on 2023-06-15 (pixel size 10 m).'
    """
    first = labels[0]
    size = "" if resolution is None else _SIZES[phrasing % len(_SIZES)].format(m=resolution)
    words = {
        "a": named(first),
        "c": named(labels[-1]),
        "w": when,
        "r": size,
        "isa": be(first),
        "doa": verb(first, "does", "do"),
        **{f"d{k}": date for k, date in enumerate(dates)},
    }
    text = " ".join(phrase.format(**words).split())
    for mark in "?.,(:":
        text = text.replace(f" {mark}", mark if mark != "(" else " (")
    return text[0].upper() + text[1:]
