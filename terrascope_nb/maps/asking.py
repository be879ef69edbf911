"""AskSection: what — the question, its options, who is asked; ask, stop, and what was asked before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from terrascope_nb._optional import need
from terrascope_nb.reason.question import forms
from terrascope_nb.reason.reasoner import reasoners

if TYPE_CHECKING:
    from terrascope_nb.reason.trace import Trace


class AskSection:
    """The question box.

    Parameters
    ----------
    reasoner : str
        Name chosen first.
    ask : callable
        ``ask(question, choices)``.
    stop, again : callable
        ``stop()``; ``again(trace)`` shows a trace of before.
    """

    def __init__(
        self,
        reasoner: str,
        ask: Callable[[str, list[str] | None], None],
        stop: Callable[[], Any],
        again: Callable[[Trace], None],
    ) -> None:
        w = need("ipywidgets", "ask in a notebook", "maps")
        self._ask, self._again, self._busy = ask, again, False
        wide = w.Layout(width="98%")
        examples = [("Examples …", "")] + [(f.example, f.example) for f in forms()]
        names = list(dict.fromkeys([reasoner, *reasoners()]))
        self.question = w.Textarea(
            description="Question", placeholder="What share of the scene is water?", rows=2, layout=wide
        )
        self.examples = w.Dropdown(description="Examples", options=examples, layout=wide)
        self.choices = w.Textarea(
            description="Options", placeholder="one a line, for a multiple choice (or leave empty)", rows=2, layout=wide
        )
        self.reasoner = w.Dropdown(description="Reasoner", options=names, value=reasoner, layout=wide)
        self.go = w.Button(description="Ask", button_style="primary", icon="question", tooltip="Ask the scene")
        self.stop = w.Button(description="Stop", icon="stop", tooltip="Stop the reasoner", disabled=True)
        self.history = w.Dropdown(description="Before", options=[("nothing asked yet", None)], layout=wide)
        self.widget = w.VBox(
            [self.question, self.examples, self.choices, self.reasoner, w.HBox([self.go, self.stop]), self.history]
        )
        self.widget.add_class("tsnb-ask")
        self.examples.observe(self._exampled, "value")
        self.go.on_click(lambda _: self._asked())
        self.stop.on_click(lambda _: stop())
        self.history.observe(self._returned, "value")

    def show(self, question: str, choices: Any) -> None:
        """Write a question into the box."""
        self.question.value = question
        texts = choices.values() if isinstance(choices, dict) else choices or ()
        self.choices.value = "\n".join(str(c) for c in texts)

    def show_running(self, running: bool) -> None:
        """Offer «Stop» while something runs."""
        self.stop.disabled = not running

    def show_history(self, traces: Sequence[Trace]) -> None:
        """List what was asked, the latest first."""
        self._busy = True
        self.history.options = [
            (f"{len(traces) - n}. {t.question[:70]} ({t.reasoner})", len(traces) - n - 1)
            for n, t in enumerate(reversed(traces))
        ] or [("nothing asked yet", None)]
        self._traces = tuple(traces)
        self._busy = False

    def _asked(self) -> None:
        options = [line.strip() for line in self.choices.value.splitlines() if line.strip()]
        self._ask(self.question.value.strip(), options or None)

    def _exampled(self, change: Any) -> None:
        if change["new"]:
            self.question.value = change["new"]

    def _returned(self, change: Any) -> None:
        if not self._busy and change["new"] is not None:
            self._again(self._traces[change["new"]])
