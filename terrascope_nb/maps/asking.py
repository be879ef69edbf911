"""AskSection: what — the question, its options, who is asked; ask, stop, compare, and what was asked before."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from terrascope_nb._optional import need
from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.maps.work import guarded
from terrascope_nb.reason.question import forms
from terrascope_nb.reason.reasoner import open_reasoner, reasoners

if TYPE_CHECKING:
    from terrascope_nb.reason.reasoner import Reasoner
    from terrascope_nb.reason.trace import Trace

NOTHING = [("nothing asked yet", None)]


@dataclass(frozen=True)
class Chosen:
    """Who is asked.

    Attributes
    ----------
    reasoner : str or Reasoner
        A name, or one that is open already.
    options : dict
        For `open_reasoner`; only with a name.
    """

    reasoner: str | Reasoner
    options: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return self.reasoner if isinstance(self.reasoner, str) else self.reasoner.name

    def open(self) -> Reasoner:
        """Open it; may load a model."""
        return open_reasoner(self.reasoner, **self.options)


@dataclass(frozen=True)
class Calls:
    """What the section's controls run.

    Attributes
    ----------
    ask, compare : callable
        ``ask(question, choices)``; `compare` lays the answer beside the one that is shown.
    stop : callable
        Without arguments.
    again : callable
        Takes the index of an answer of before.
    fail : callable
        ``fail(what, error)``.
    """

    ask: Callable[[str, list[str] | None], Any]
    compare: Callable[[str, list[str] | None], Any]
    stop: Callable[[], Any]
    again: Callable[[int], Any]
    fail: Callable[[str, Exception], Any]


class AskSection:
    """The question box.

    Parameters
    ----------
    reasoner : str or Reasoner
        The one chosen first.
    calls : Calls
    """

    def __init__(self, reasoner: str | Reasoner, calls: Calls) -> None:
        w = need("ipywidgets", "ask in a notebook", "maps")
        self._busy = False
        wide = w.Layout(width="98%")
        examples = [("Examples …", "")] + [(f.example, f.example) for f in forms()]
        self.question = w.Textarea(
            description="Question", placeholder="What share of the scene is water?", rows=2, layout=wide
        )
        self.examples = w.Dropdown(description="Examples", options=examples, layout=wide)
        self.choices = w.Textarea(
            description="Options", placeholder="one a line, for a multiple choice (or leave empty)", rows=2, layout=wide
        )
        self.reasoner = w.Dropdown(description="Reasoner", options=[(n, n) for n in reasoners()], layout=wide)
        self.settings = w.Text(
            description="With", placeholder='options, such as model="folder" or sensor="sar"', layout=wide,
            tooltip="What the reasoner is opened with, as Python writes it: name=value, with commas between",
        )  # fmt: skip
        self.choose(reasoner)
        self.go = w.Button(description="Ask", button_style="primary", icon="question", tooltip="Ask the scene")
        self.stop = w.Button(description="Stop", icon="stop", tooltip="Stop the reasoner", disabled=True)
        self.beside = w.Button(
            description="Compare", icon="columns", disabled=True,
            tooltip="Compare: ask this too, and lay its answer beside the one that is shown",
        )  # fmt: skip
        self.history = w.Dropdown(description="Before", options=NOTHING, layout=wide)
        self.widget = w.VBox(
            [
                self.question, self.examples, self.choices, self.reasoner, self.settings,
                w.HBox([self.go, self.stop, self.beside], layout=w.Layout(flex_flow="row wrap")), self.history,
            ]
        )  # fmt: skip
        self.widget.add_class("tsnb-ask")
        fail = calls.fail
        self.examples.observe(guarded("choosing an example", self._exampled, fail), "value")
        self.go.on_click(guarded("asking", lambda _: calls.ask(*self._asked()), fail))
        self.beside.on_click(guarded("comparing", lambda _: calls.compare(*self._asked()), fail))
        self.stop.on_click(guarded("stopping", lambda _: calls.stop(), fail))
        self.history.observe(guarded("going back", lambda change: self._returned(change, calls.again), fail), "value")

    @property
    def chosen(self) -> Chosen:
        """Who is asked, as the controls say."""
        return Chosen(self.reasoner.value, read_options(self.settings.value))

    def choose(self, reasoner: str | Reasoner) -> None:
        """Choose who is asked: a name, or a reasoner that is open already (it is added to the list).

        Raises
        ------
        InvalidInput
            For an unknown name, and for what is no reasoner.
        """
        known = dict(self.reasoner.options)
        if isinstance(reasoner, str):
            if reasoner not in known:
                raise InvalidInput(unknown("reasoner", reasoner, reasoners()))
        elif not any(value is reasoner for value in known.values()):
            opened = open_reasoner(reasoner)  # checks it
            label = f"{opened.name} (given)"
            same = sum(name.startswith(label) for name in known)
            label += f" {same + 1}" if same else ""
            self.reasoner.options = [(label, opened), *self.reasoner.options]
        if self.reasoner.value != reasoner:
            self.settings.value = ""
        self.reasoner.value = reasoner

    def show(self, question: str, choices: Any) -> None:
        """Write a question into the box."""
        self.question.value = question
        texts = choices.values() if isinstance(choices, dict) else choices or ()
        self.choices.value = "\n".join(str(c) for c in texts)

    def show_running(self, running: bool) -> None:
        """Offer «Stop» while something runs."""
        self.stop.disabled = not running

    def show_history(self, traces: Sequence[Trace], shown: int | None = None) -> None:
        """List what was asked, the latest first, and mark the one that is shown."""
        self._busy = True
        try:
            self.history.options = [
                (f"{k + 1}. {t.question[:70]} ({t.reasoner}{_ended(t)})", k) for k, t in reversed([*enumerate(traces)])
            ] or NOTHING
            if traces:
                self.history.value = shown
            self.beside.disabled = not traces
        finally:
            self._busy = False

    def _asked(self) -> tuple[str, list[str] | None]:
        options = [line.strip() for line in self.choices.value.splitlines() if line.strip()]
        return self.question.value.strip(), options or None

    def _exampled(self, change: Any) -> None:
        if change["new"]:
            self.question.value, self.choices.value = change["new"], ""
            self.examples.value = ""  # so that the same one can be chosen again

    def _returned(self, change: Any, again: Callable[[int], Any]) -> None:
        if not self._busy and change["new"] is not None:
            again(change["new"])


def read_options(text: str) -> dict[str, Any]:
    """Options as they stand in a call; values are literals only, nothing is run.

    Examples
    --------
    >>> read_options('model="folder", seed=3')
    {'model': 'folder', 'seed': 3}
    """
    if not text.strip():
        return {}
    said = f'{text.strip()!r} are no options: write them as in a call, such as sensor="sar" or model="folder", seed=3'
    try:
        call = ast.parse(f"f({text.strip()})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or any(k.arg is None for k in call.keywords):
            raise InvalidInput(said)
        return {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (SyntaxError, ValueError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(said) from error


def _ended(trace: Trace) -> str:
    return "" if trace.answer.finish == "stop" else f", {trace.answer.finish}"
