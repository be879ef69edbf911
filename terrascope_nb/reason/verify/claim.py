"""Check every claim of a text against its own masks: claimed, measured, difference, verdict.

`claims.read` reads what is said; `measure` measures; here the two are put side by side. «Agrees» says that a text
fits its
masks. Whether the masks fit the ground is another question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from terrascope_nb.reason.measure import Region
from terrascope_nb.reason.verify.checking import Outcome
from terrascope_nb.reason.verify.claims import Reading, read
from terrascope_nb.reason.verify.relation_checks import Checker
from terrascope_nb.reason.verify.sayings import Statement
from terrascope_nb.reason.verify.tolerance import RULE

if TYPE_CHECKING:
    from terrascope_nb.reason.question import Plan

__all__ = ["RULE", "VERDICTS", "Claim", "verify"]

VERDICTS = ("agrees", "disagrees", "not checkable")


@dataclass(frozen=True)
class Claim:
    """One claim of a text and what its masks say.

    Attributes
    ----------
    text : str
        The words of the claim.
    start, end : int
        Where they stand in the text, or in the answer when `where` is "answer".
    kind : str
        «share» «area» «pixels» «count» «distance» «gain» «loss» «net» «times» «difference» «clear share» «small
        parts» «exists» «location»
        «adjacent» «larger» «nearer» «ranking» «change» «name» (a region called by another name than its mask's)
        «date» (a region put on another date than its mask's)
        «figure» (a number that no
        mask can be tied to) «choice» (an option's letter).
    labels : tuple of str
        Labels that the claim speaks of.
    steps : tuple of int
        Indices of the regions whose masks it is checked against, none twice.
    claimed, measured : float, bool, str, tuple or None
        Both in `unit`; None where there is none.
    unit : str
        Canonical unit of the claimed figure, «» for none.
    difference : float or None
        Claimed minus measured, in `unit`; None where they are no numbers.
    verdict : str
        One of `VERDICTS`.
    why : str
        One sentence with the rule and the numbers.
    where : str
        "text" or "answer".
    """

    text: str
    start: int
    end: int
    kind: str
    labels: tuple[str, ...]
    steps: tuple[int, ...]
    claimed: float | bool | str | tuple[str, ...] | None
    measured: float | bool | str | tuple[str, ...] | None
    unit: str
    difference: float | None
    verdict: str
    why: str
    where: str = "text"


def verify(text: str, regions: Sequence[Region], answer: str = "", plan: Plan | None = None) -> tuple[Claim, ...]:
    """Check every number, comparison, order and adjacency of a text and of its answer.

    Parameters
    ----------
    text : str
        Reasoning; its k-th ``[SEG]`` names ``regions[k]``.
    regions : sequence of Region
        Masks, as `Trace.regions` gives them.
    answer : str
        The final answer; read like a sentence at the end of `text`.
    plan : Plan, optional
        What was asked: ties a bare «17.1 %», «yes», «tree cover» or «B» to its masks.

    Returns
    -------
    tuple of Claim
        In order; first the text's, then the answer's.

    Notes
    -----
    A label means the region of its own ``[SEG]``, else the nearest region of that name: in the same sentence, then
    the latest
    before it, then the first after; with a date or an image number, the region of that date. A class that has no
    mask is the union of its parts
    when all of them have one. «It» is the last region named that is not the other side of a relation. `RULE` says
    when a figure agrees.

    Examples
    --------
    >>> import numpy as np
    >>> from affine import Affine
    >>> from terrascope_nb.geo.grid import Grid
    >>> from terrascope_nb.scene.domain import Domain
    >>> lake = np.zeros((10, 10), bool)
    >>> lake[:2, :5] = True
    >>> region = Region("water", lake, Domain.whole(Grid(Affine(10, 0, 5e5, 0, -10, 5.1e6), (10, 10), 32633)))
    >>> for c in verify("Water [SEG] covers 10.0 %, 0.2 ha.", [region]):
    ...     print(c.claimed, c.unit, c.measured, c.verdict)
    10.0 % 10.0 agrees
    0.2 ha 0.1 disagrees
    """
    from terrascope_nb.reason.verify.answer_claims import answer_outcome

    regions = tuple(regions)
    names = {r.label for r in regions}
    bare = answer_outcome(answer, plan) if answer.strip() else None
    joined = text if not answer.strip() or bare else f"{text}\n{answer}"
    reading = read(joined, names)
    checker = Checker(regions, reading)
    limit = len(text)
    out = [_claim(joined, s, checker.check(s), limit) for s in _with_names(reading, checker)]
    if bare:
        out += [_answer_claim(answer, run(checker)) for run in bare]
    return tuple(out)


def _with_names(reading: Reading, checker: Checker) -> list[Statement]:
    """The statements, and one more for each region called by another name, or put on another date, than its mask's."""
    return sorted((*reading.statements, *checker.misnamed(), *checker.misdated()), key=lambda s: (s.start, s.end))


def _claim(joined: str, s: Statement, o: Outcome, limit: int) -> Claim:
    shift = limit + 1 if s.start > limit else 0
    return Claim(
        joined[s.start : s.end], s.start - shift, s.end - shift, s.kind, o.labels, o.steps, o.claimed, o.measured,
        o.unit, o.difference,
        o.verdict, o.why, "answer" if shift else "text",
    )  # fmt: skip


def _answer_claim(answer: str, found: tuple[str, Outcome]) -> Claim:
    kind, o = found
    start = len(answer) - len(answer.lstrip())
    said = answer.strip()
    return Claim(
        said,
        start,
        start + len(said),
        kind,
        o.labels,
        o.steps,
        o.claimed,
        o.measured,
        o.unit,
        o.difference,
        o.verdict,
        o.why,
        "answer",
    )


_Run = Callable[[Checker], tuple[str, Outcome]]
