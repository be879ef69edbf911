"""What of an Explorer stays where no kernel runs: the last answer as picture, HTML and text, below the widget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from terrascope_nb._html import Safe, tag
from terrascope_nb._optional import need

if TYPE_CHECKING:
    from terrascope_nb.reason.trace import Trace

WIDGET = "The Explorer shows itself where a kernel runs: run this cell."
HEAD = "The last answer as it is saved with the notebook (readable without a kernel)"


class Kept:
    """A trace that shows itself folded; before there is one, nothing.

    Parameters
    ----------
    trace : Trace or None
    """

    def __init__(self, trace: Trace | None) -> None:
        self._trace = trace

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        if self._trace is None:
            return {"text/html": "", "text/plain": ""}
        bundle = dict(self._trace._repr_mimebundle_())
        shown = Safe(bundle["text/html"])  # the trace's own page, escaped where it was made
        bundle["text/html"] = str(tag("details", tag("summary", HEAD), shown))
        return bundle

    def __repr__(self) -> str:
        return "" if self._trace is None else repr(self._trace)


class Copies:
    """The static copies below each display of an Explorer; `keep` renews them all."""

    def __init__(self) -> None:
        self._handles: list[Any] = []

    def show(self, widget: Any, trace: Trace | None) -> None:
        """Show the widget, and the copy below it."""
        display = need("IPython.display", "show an Explorer", "maps").display
        display(widget._repr_mimebundle_() | {"text/plain": WIDGET}, raw=True)
        handle = display(Kept(trace), display_id=True)
        if handle is not None:  # plain Python has no display to come back to
            self._handles.append(handle)

    def keep(self, trace: Trace) -> None:
        """Put this trace in the copies' place."""
        for handle in self._handles:
            handle.update(Kept(trace))

    def close(self) -> None:
        """Forget them; what they show stays in the notebook."""
        self._handles.clear()
