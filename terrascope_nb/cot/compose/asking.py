"""What the forms of L2-spatial questions share: the classes that may be asked about, and a question about classes."""

from __future__ import annotations

import numpy as np

from terrascope_nb.cot.compose.draft import Draft, Written, chosen, options
from terrascope_nb.cot.compose.known import Known
from terrascope_nb.reason.solve.phrases import named

LEAST = 1.0
"""Percent of the picture that a class needs to be asked about together with others."""

MARGIN = 0.1
"""Two sizes or distances are compared where they differ by more than this share of the larger."""

START = ("I start from {a}.", "The question turns on {a}.", "First I find {a}.")


def classes(known: Known, rng: np.random.Generator) -> list[str]:
    """Classes large enough to be asked about, in an order drawn at random."""
    fit = [x for x in known.labels() if known.share(x) >= LEAST]
    return [fit[k] for k in rng.permutation(len(fit))]


def others(target: str, labels: list[str]) -> list[str]:
    """All of `labels` but `target`."""
    return [x for x in labels if x != target]


def differ(a: float, b: float) -> bool:
    """Whether two sizes or distances differ clearly, see `MARGIN`."""
    return abs(a - b) > MARGIN * max(a, b)


def label_question(
    form: str, draft: Draft, asked: tuple[str, ...], right: str, wrong: list[str], labels: tuple[str, ...], **words: str
) -> Written:
    """A question whose options are classes."""
    choices, letter = options(draft.rng, named(right), [named(x) for x in wrong])
    question = draft.pick(asked).format(**words)
    return Written("l2-spatial", form, question, draft, chosen(choices, letter), choices, letter, labels)
