"""`replay`: a recorded trace, told again event by event. For demonstrations, tests, and labs without a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from terrascope_nb.errors import GridMismatch, InvalidInput
from terrascope_nb.reason.events import SEG, Event, Mask, Text
from terrascope_nb.reason.trace import Trace
from terrascope_nb.scene.scene import Scene


class ReplayReasoner:
    """Tells a recorded trace again.

    Parameters
    ----------
    trace : Trace or path
        The recording, or the folder that `Trace.save` wrote.
    """

    name = "replay"

    def __init__(self, trace: Trace | str | Path) -> None:
        if not isinstance(trace, Trace | str | Path):
            raise InvalidInput(
                f"a recording is a Trace, or the folder that trace.save wrote; got {type(trace).__name__}"
            )
        self._trace = trace if isinstance(trace, Trace) else Trace.load(trace)
        self.options: Mapping[str, Any] = {"trace": "in memory" if isinstance(trace, Trace) else str(trace)}

    def stream(self, scene: Scene, question: str, choices: Any = None) -> Iterator[Event]:
        """Yield the recorded events.

        Raises
        ------
        InvalidInput
            When another question is asked than was recorded.
        GridMismatch
            When the scene's images do not lie on the recorded grids.
        """
        trace = self._trace
        if question.strip() != trace.question.strip():
            raise InvalidInput(
                f"the recording answers {trace.question!r}, not {question!r}; ask that, or another reasoner"
            )
        recorded = [f.grid for f in trace.frames]
        if [i.grid for i in scene.images] != recorded:
            raise GridMismatch(
                f"the recording was made on {', '.join(map(repr, recorded))}; this scene has "
                f"{', '.join(repr(i.grid) for i in scene.images)}"
            )
        at = 0
        for step in trace.steps:
            mark = trace.text.index(SEG, step.start) + len(SEG)
            yield from _texts(trace, at, mark)
            yield Mask(
                step.mask.values, None if step.probability is None else step.probability.values, step.label, step.image,
                step.image_source, step.sar_share, step.sar_image, step.note,
            )  # fmt: skip
            at = mark
        yield from _texts(trace, at, len(trace.text))
        yield trace.answer


def _texts(trace: Trace, start: int, end: int) -> Iterator[Text]:
    """The text ``[start:end]`` in pieces, each with its own source."""
    cuts = sorted({start, end, *(c for span in trace.measured_spans for c in span if start < c < end)})
    for a, b in zip(cuts, cuts[1:], strict=False):
        measured = any(s <= a and b <= e for s, e in trace.measured_spans)
        yield Text(trace.text[a:b], "measured" if measured else "written")
