"""Questions with measured answers from labelled scenes: the only place where questions and their options are made.

`tasks` says what is asked, `regions` what is measured, `filters` what speaks against asking, `candidates` what may be
asked of a scene and what not, `make` writes the question and its options, `distractors` the wrong ones.
"""

from __future__ import annotations

from terrascope_nb.reason.quiz.candidates import Candidate, Candidates, Dropped, candidates
from terrascope_nb.reason.quiz.make import Item, Made, balanced, item_of, make_item, make_items
from terrascope_nb.reason.quiz.regions import Quiz, reference_of, regions_of
from terrascope_nb.reason.quiz.tasks import BENCHMARK, EXTRAS, TASKS, TaskRule

__all__ = [
    "BENCHMARK",
    "EXTRAS",
    "TASKS",
    "Candidate",
    "Candidates",
    "Dropped",
    "Item",
    "Made",
    "Quiz",
    "TaskRule",
    "balanced",
    "candidates",
    "item_of",
    "make_item",
    "make_items",
    "reference_of",
    "regions_of",
]
