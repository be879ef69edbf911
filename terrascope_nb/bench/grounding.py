"""Where a reasoner looked against where it should have: intersection over union of its masks with the truth's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from terrascope_nb.scene.classes import canonical, leaves

if TYPE_CHECKING:
    from terrascope_nb.cot.record import MaskRef
    from terrascope_nb.reason.trace import Step, Trace
    from terrascope_nb.scene.scene import Scene

MATCHES = ("label", "parts", "order", "missing", "other grid")
"""How a truth mask can be met: see `ground`."""


@dataclass(frozen=True)
class Grounding:
    """How well a trace's masks meet the truth's.

    Attributes
    ----------
    labels : tuple of str
        Of the truth's masks, in order.
    ious : tuple of float
        One a truth mask, 0…1.
    matched : tuple of str
        One of `MATCHES` each.
    iou : float or None
        Their mean; None where there is nothing to compare.
    why : str
        Why there is none.
    """

    labels: tuple[str, ...] = ()
    ious: tuple[float, ...] = ()
    matched: tuple[str, ...] = ()
    iou: float | None = None
    why: str = ""


def iou(a: np.ndarray, b: np.ndarray, where: np.ndarray | None = None) -> float:
    """Pixels in both over pixels in either; 1 where both are empty.

    Parameters
    ----------
    a, b : numpy.ndarray
        (H, W) bool.
    where : numpy.ndarray, optional
        (H, W) bool: pixels that count.

    Examples
    --------
    >>> a = np.array([[True, True, False]])
    >>> iou(a, np.array([[False, True, True]])), iou(a, a, where=np.array([[False, True, True]]))
    (0.3333333333333333, 1.0)
    """
    if where is not None:
        a, b = a & where, b & where
    either = np.count_nonzero(a | b)
    return float(np.count_nonzero(a & b) / either) if either else 1.0


def ground(
    truth: Sequence[MaskRef],
    trace: Trace,
    scene: Scene,
    why_no_masks: str = "",
    mapped: Sequence[np.ndarray] | None = None,
) -> Grounding:
    """Compare a trace's masks with the truth's.

    Parameters
    ----------
    truth : sequence of MaskRef
        ``image`` counts the scene's images.
    trace : Trace
    scene : Scene
        What the trace is about.
    why_no_masks : str
        Why the suite has no masks, where `truth` is empty.
    mapped : sequence of numpy.ndarray, optional
        For each image (H, W) bool: where the truth is known. Other pixels count neither for nor against.

    Returns
    -------
    Grounding

    Notes
    -----
    Only clear pixels inside the area count, as in every figure. For each truth mask, of the masks drawn on its date:

    1. *label*: the union of those with its label;
    2. else *parts*: the union of those whose classes are parts of it («tree cover» for «vegetation»);
    3. else *order*: the next mask that has no label at all, in the order in which they were named;
    4. else *missing*, which counts 0. A mask of another size than the truth's counts 0, too (*other grid*).
    """
    if not truth:
        return Grounding(why=why_no_masks or "the suite has no masks for this row")
    labels = tuple(canonical(m.label) for m in truth)
    if not trace.steps:
        if trace.answer.finish == "abstained":
            return Grounding(labels, why=f"abstained: {trace.answer.reason or 'no reason given'}"[:300])
        return Grounding(labels, why=f"the reasoner {trace.reasoner!r} drew no mask")
    unnamed = [s for s in trace.steps if not s.label]
    ious, matched = [], []
    for ref, label in zip(truth, labels, strict=True):
        here = [s for s in trace.steps if _same_date(scene, ref.image, s.image)]
        steps, how = _drawn_for(label, here, unnamed)
        sized = [s.mask.values for s in steps if s.mask.shape == tuple(ref.size)]
        if steps and not sized:
            how = "other grid"
        matched.append(how)
        ious.append(
            iou(np.logical_or.reduce(sized), ref.mask, _counted(trace, ref, mapped)) if sized else 0.0
        )  # fmt: skip
    return Grounding(labels, tuple(ious), tuple(matched), float(np.mean(ious)))


def _drawn_for(label: str, here: list[Step], unnamed: list[Step]) -> tuple[list[Step], str]:
    named = [s for s in here if s.label == label]
    if named:
        return named, "label"
    parts = [s for s in here if s.label and set(leaves(s.label)) <= set(leaves(label))]
    if parts:
        return parts, "parts"
    ordered = next((s for s in unnamed if any(s is h for h in here)), None)
    if ordered is not None:
        unnamed.remove(ordered)
        return [ordered], "order"
    return [], "missing"


def _same_date(scene: Scene, a: int, b: int) -> bool:
    """Whether two images are one, or the optical and the SAR image of one date."""
    return a == b or any({a, b} == {m.optical, m.sar} for m in scene.moments())


def _counted(trace: Trace, ref: MaskRef, mapped: Sequence[np.ndarray] | None) -> np.ndarray | None:
    if ref.image >= len(trace.frames) or trace.frames[ref.image].grid.shape != tuple(ref.size):
        return None
    pixels = trace.domain(ref.image).of_label(ref.label).pixels
    return pixels if mapped is None or ref.image >= len(mapped) else pixels & mapped[ref.image]
