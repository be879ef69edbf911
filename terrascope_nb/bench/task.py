"""The tasks of TerraScope-Bench: titles, options, the paper's row counts and accuracies. Facts only, nothing is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from terrascope_nb.reason.quiz.tasks import TASKS as RULES

SOURCE = "TerraScope: Pixel-Grounded Visual Reasoning for Earth Observation, arXiv 2603.19039"
"""Where the paper's counts and accuracies come from."""


@dataclass(frozen=True)
class Task:
    """One task of the benchmark.

    Attributes
    ----------
    key : str
        Name in this package, as in `reason.quiz`.
    title : str
        For a table's head.
    short : str
        The paper's letters.
    options : int
        Options a question; 1 / options is the accuracy of chance.
    rows : int
        Questions in the paper; the public file shows fewer.
    rule : str
        What is measured, and what is not asked.
    words : tuple of str
        Words of the public file's ``task_type`` that are known for sure to mean this task.
    """

    key: str
    title: str
    short: str
    options: int
    rows: int
    rule: str
    words: tuple[str, ...] = ()

    @property
    def chance(self) -> float:
        """Accuracy of choosing at random, 0…1."""
        return 1 / self.options


_PAPER: Mapping[str, tuple[str, int, tuple[str, ...]]] = {
    "coverage_percentage": ("CA", 855, ()),
    "absolute_area": ("AQ", 855, ()),
    "comparative_ranking": ("CR", 855, ()),
    "boundary_relationship": ("BRD", 855, ("boundary_detection",)),
    "distance_measurement": ("DM", 129, ()),
    "building_change": ("BCE", 288, ()),
}

TASKS: Mapping[str, Task] = MappingProxyType({
    key: Task(key, RULES[key].title, short, RULES[key].options, rows, RULES[key].rule, words)
    for key, (short, rows, words) in _PAPER.items()
})  # fmt: skip
"""The six tasks by key, in the paper's order."""

PAPER_ROWS = sum(t.rows for t in TASKS.values())
"""Questions in the paper: 3,837."""


@dataclass(frozen=True)
class PaperRow:
    """What the paper reports of one model.

    Attributes
    ----------
    model : str
    accuracy : Mapping
        Task key → percent.
    average : float
        The paper's average over the tasks, percent, as printed.
    """

    model: str
    accuracy: Mapping[str, float]
    average: float


def _paper(model: str, *figures: float) -> PaperRow:
    return PaperRow(model, MappingProxyType(dict(zip(TASKS, figures[:6], strict=True))), figures[6])


PAPER: tuple[PaperRow, ...] = (
    _paper("GPT-4o", 27.6, 25.4, 54.3, 75.3, 22.5, 27.1, 38.7),
    _paper("Qwen3-VL-8B think", 29.0, 47.8, 57.9, 67.8, 25.6, 31.9, 43.3),
    _paper("GLM-4.1V-9B think, fine-tuned on Terra-CoT", 67.8, 68.1, 65.5, 70.2, 51.1, 34.7, 59.6),
    _paper("TerraScope 8B", 73.2, 70.2, 71.8, 80.0, 65.9, 52.1, 68.9),
)
"""Accuracies of the paper's main table, percent (`SOURCE`)."""

PAPER_ABLATION: Mapping[str, float] = MappingProxyType(
    {
        "textual reasoning without masks": 58.7,
        "with mask loss": 60.6,
        "random masks": 43.2,
        "boxes": 62.8,
        "TerraScope": 68.9,
    }
)
"""Average accuracy of the paper's ablations, percent (`SOURCE`)."""

PAPER_SENSORS: Mapping[str, float] = MappingProxyType({"concatenated": 73.0, "adaptive choice": 72.6, "optical": 65.0})
"""Average accuracy with optical and SAR, on the part that has both, percent (`SOURCE`)."""

PAPER_GROUNDING: Mapping[str, float] = MappingProxyType(
    {
        "r between IoU and correctness": 0.61,
        "mean IoU when right": 0.628,
        "mean IoU when wrong": 0.443,
    }
)
"""What the paper says of its masks (`SOURCE`)."""

PAPER_OTHER: Mapping[str, float] = MappingProxyType({"landsat30-au": 73.9, "disasterm3": 46.5})
"""TerraScope 8B's accuracy on other benchmarks, percent (`SOURCE`)."""


def task_of(word: str, known: Mapping[str, str] | None = None) -> str | None:
    """The key of a ``task_type`` word: by `known`, by the words known for sure, or as our own key; None otherwise.

    Examples
    --------
    >>> task_of("boundary_detection"), task_of("water_things"), task_of("w", {"w": "absolute_area"})
    ('boundary_relationship', None, 'absolute_area')
    """
    if known and word in known:
        return known[word]
    if word in TASKS:
        return word
    return next((t.key for t in TASKS.values() if word in t.words), None)


def title_of(key: str) -> str:
    """The title of a task; a word that is none of ours as it is.

    Examples
    --------
    >>> title_of("absolute_area"), title_of("land_use")
    ('absolute area', 'land_use')
    """
    return TASKS[key].title if key in TASKS else key
