"""Notice: the lines under the map — what is being done, how far it is, what went wrong and what to do about it."""

from __future__ import annotations

import time
from typing import Any

from terrascope_nb._html import Safe, tag
from terrascope_nb._optional import need
from terrascope_nb.maps.work import Failure

SHORT = 300  # characters of a message that are shown at once
OFTEN = 0.2  # seconds: progress is shown at most this often


class Notice:
    """Status and error box.

    Attributes
    ----------
    widget : ipywidgets.VBox
    error : Failure or None
        What the box shows.
    """

    def __init__(self) -> None:
        w = self._w = need("ipywidgets", "say what is going on", "maps")
        self.error: Failure | None = None
        self._shown = 0.0
        self._status, self._box = w.HTML(), w.VBox([])
        self.widget = w.VBox([self._status, self._box])

    @property
    def words(self) -> str:
        """The status line as HTML."""
        return self._status.value

    def say(self, words: str) -> None:
        """Write the status line; «» empties it."""
        self._status.value = str(tag("p", words, cls="small", role="status", aria_live="polite")) if words else ""
        self._shown = 0.0

    def progress(self, words: str, done: float, total: float | None) -> None:
        """Show how far something is; in between two showings, nothing is sent."""
        now = time.monotonic()
        if now - self._shown < OFTEN and not (total and done >= total):
            return
        far = f"{words}: {done:.0f} of {total:.0f}" if total else words if not done else f"{words}: {done:.0f}"
        bar = tag("progress", value=min(done, total), max=total, aria_label=words) if total else None
        self._status.value = str(tag("p", bar, " ", far, cls="small", role="status"))
        self._shown = now

    def fail(self, failure: Failure) -> None:
        """Show an error: what was being done, its words, a hint; the traceback behind a button."""
        self.clear()
        self.error = failure
        w = self._w
        said = w.HTML(str(error_html(failure)))
        more = w.HTML(layout=w.Layout(display="none"))  # empty until it is asked for: a saved notebook holds no paths
        button = w.Button(description="Show the traceback", layout=w.Layout(width="auto"))
        button.add_class("tsnb-traceback")

        def turn(_: Any) -> None:
            hidden = bool(more.layout.display)
            style = "font-size:11px;overflow:auto;max-height:240px"
            more.value = str(tag("pre", failure.trace, style=style)) if hidden else ""
            more.layout.display = "" if hidden else "none"
            button.description = "Hide the traceback" if hidden else "Show the traceback"

        button.on_click(turn)
        self._box.children = [said, button, more]

    def clear(self) -> None:
        """Take the error away."""
        self.error = None
        gone, self._box.children = self._box.children, []
        for widget in gone:
            for part in (widget.layout, getattr(widget, "style", None), widget):
                if part is not None:
                    part.close()


def error_html(failure: Failure) -> Safe:
    """What was being done, the error's words and a hint; a long message is cut, the rest unfolds.

    Examples
    --------
    >>> from terrascope_nb.errors import TooLarge
    >>> error_html(Failure.of("loading", TooLarge("9 > 8"))).partition("<p")[0]
    '<div class="error" role="alert"><b>loading: </b>9 &gt; 8'
    """
    words, rest = failure.message, None
    if len(words) > SHORT:
        cut = max(words.rfind(mark, 0, SHORT) + 1 for mark in (". ", "; ", ": ", " "))
        words, rest = words[:cut], tag("details", tag("summary", "the rest of the message"), words[cut:].strip())
    return tag(
        "div", tag("b", f"{failure.what}: "), words, tag("p", failure.hint, cls="hint"), rest, cls="error", role="alert"
    )
