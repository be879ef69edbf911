"""What the masks alone say: the question answered by the measuring core from the masks that the network drew."""

from __future__ import annotations

from collections.abc import Sequence

from terrascope_nb.errors import TerrascopeError
from terrascope_nb.reason.answers import Choices
from terrascope_nb.reason.events import Answer, Mask
from terrascope_nb.reason.question import understand
from terrascope_nb.reason.solve import solve
from terrascope_nb.reason.solve.finding import Finding
from terrascope_nb.reason.units import convert
from terrascope_nb.scene.classes import canonical
from terrascope_nb.scene.scene import Moment, Scene

#: Numbers within this share of each other are the same answer.
SAME = 0.01


class DrawnMasks:
    """The masks of one run as a source for `solve`: of each class and date the last one drawn."""

    def __init__(self, masks: Sequence[Mask]) -> None:
        self._masks = [m for m in masks if m.label]

    def labels(self, scene: Scene, moment: Moment) -> tuple[str, ...]:
        """Labels that were drawn on this date."""
        return tuple(dict.fromkeys(canonical(m.label) for m in self._masks if m.image in (moment.optical, moment.sar)))

    def find(self, scene: Scene, moment: Moment, label: str) -> Finding:
        """The mask of one label on one date."""
        for m in reversed(self._masks):
            if canonical(m.label) == label and m.image in (moment.optical, moment.sar):
                return Finding(m.mask, m.probability, m.sar_share, m.note, image=m.image, sar_image=m.sar_image)
        return Finding(None, abstained="the model drew no mask of it")


def answer_by_masks(scene: Scene, question: str, choices: Choices | None, masks: Sequence[Mask]) -> Answer | None:
    """The answer that follows from the masks alone; None where the question has no rule or the masks do not reach."""
    if not masks:
        return None
    try:
        last = [e for e in solve(understand(question, choices), scene, DrawnMasks(masks)) if isinstance(e, Answer)]
    except TerrascopeError:  # a free question, metres without a CRS: the masks support no answer
        return None
    return last[-1] if last and last[-1].finish == "stop" else None


def differs(written: Answer, measured: Answer) -> bool:
    """Whether two answers say different things: other letters; without letters other numbers, or other words."""
    if written.choice is not None or measured.choice is not None:
        return written.choice != measured.choice
    if written.value is not None and measured.value is not None:
        try:
            value = (
                convert(measured.value, measured.unit, written.unit)
                if measured.unit != written.unit
                else measured.value
            )
        except TerrascopeError:
            return True
        return abs(value - written.value) > SAME * max(abs(value), abs(written.value))
    return written.text.strip(" .").casefold() != measured.text.strip(" .").casefold()


def said_beside(measured: Answer) -> str:
    """How the answer of the masks is put beside the written one.

    Examples
    --------
    >>> said_beside(Answer("17.1 %", "B"))
    'The masks alone support another answer: 17.1 %, option B.'
    """
    option = f", option {measured.choice}" if measured.choice else ""
    return f"The masks alone support another answer: {measured.text}{option}."
