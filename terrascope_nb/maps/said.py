"""Said: the sentences of a trace as buttons, with the text between them, in order."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from terrascope_nb._html import tag
from terrascope_nb._optional import need
from terrascope_nb.maps.readout import plain

if TYPE_CHECKING:
    from terrascope_nb.reason.trace import Trace


class Said:
    """A list of sentences that grows with its trace.

    Parameters
    ----------
    choose : callable
        ``choose(k)`` when the sentence of step `k` (0 the first) is clicked.

    Attributes
    ----------
    widget : ipywidgets.VBox
    buttons : dict of int to ipywidgets.Button
        The sentences, by step.
    """

    def __init__(self, choose: Callable[[int], None]) -> None:
        self._w, self._choose = need("ipywidgets", "step through a trace in a notebook", "maps"), choose
        self.buttons: dict[int, Any] = {}
        self._between: list[Any] = []
        self.widget = self._w.VBox([])
        self.widget.add_class("tsnb-said")

    @property
    def widgets(self) -> tuple[Any, ...]:
        """All that it made, also what is not shown now."""
        return (self.widget, *self.buttons.values(), *self._between)

    def write(self, trace: Trace) -> None:
        """Say what a trace says; sentences that are there already stay the same buttons."""
        children: list[Any] = []
        between = 0
        for text, k in trace.passages():
            words = plain(text)
            if k is not None:
                button = self.buttons.get(k) or self._new(k)
                button.description = f"{k + 1}. {words}"
                children.append(button)
            elif words:
                if between == len(self._between):
                    self._between.append(self._w.HTML())
                    self._between[-1].add_class("tsnb-between")
                self._between[between].value = str(tag("span", words))
                children.append(self._between[between])
                between += 1
        self.widget.children = children

    def light(self, step: int, held: Collection[int]) -> None:
        """Mark the sentence of a step (−1: of none) and those of the steps `held`."""
        for k, button in self.buttons.items():
            (button.add_class if k == step else button.remove_class)("on")
            (button.add_class if k in held else button.remove_class)("held")

    def _new(self, k: int) -> Any:
        button = self._w.Button(tooltip=f"Show the mask of step {k + 1} and fit the map to it")
        button.add_class("tsnb-sentence")
        button.on_click(lambda _: self._choose(k))
        self.buttons[k] = button
        return button
