"""Fake reasoners: one that says what a script says, a slow one, a wrong one, and one that knows the truth."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.events import Answer, Event, Mask, Progress, Text
from terrascope_nb.reason.reasoner import Reasoner
from terrascope_nb.reason.reference import ReferenceReasoner
from terrascope_nb.scene.scene import Scene
from terrascope_nb.scene.synthetic import Synthetic

_EVENTS = (Text, Mask, Progress, Answer)


class ScriptedReasoner:
    """Yields given events, whatever is asked.

    Parameters
    ----------
    events : iterable of Event and Exception, or callable
        What to yield, in order; an exception among them is raised at its place. A callable gets
        ``(scene, question, choices)`` and returns such an iterable.
    name : str

    Attributes
    ----------
    asked : list of (Scene, str, choices)
        What the reasoner was asked, in order.

    Examples
    --------
    >>> import numpy as np
    >>> everywhere = Mask(np.ones((64, 64), bool), label="water")
    >>> script = [Text("Water [SEG]"), everywhere, Text(" is everywhere."), Answer("yes")]
    >>> import terrascope_nb as ts
    >>> from terrascope_nb.testing import synthetic_scene
    >>> scene = synthetic_scene(np.random.default_rng(0), size=64).scene
    >>> ts.ask(scene, "Is there water?", reasoner=ScriptedReasoner(script)).steps[0].measured.share
    100.0
    """

    def __init__(
        self,
        events: Iterable[Event | Exception] | Callable[[Scene, str, Any], Iterable[Event | Exception]],
        name: str = "scripted",
    ) -> None:
        self.name = name
        self.options: Mapping[str, Any] = {}
        self.asked: list[tuple[Scene, str, Any]] = []
        self._script = events if callable(events) else tuple(events)
        for event in () if callable(self._script) else self._script:
            _check(event)

    def stream(self, scene: Scene, question: str, choices: Any = None) -> Iterator[Event]:
        """Yield the script."""
        self.asked.append((scene, question, choices))
        script = self._script(scene, question, choices) if callable(self._script) else self._script
        for event in script:
            _check(event)
            if isinstance(event, BaseException):
                raise event
            yield event


def _check(event: object) -> None:
    if not isinstance(event, (*_EVENTS, BaseException)):
        kinds = ", ".join(k.__name__ for k in _EVENTS)
        raise InvalidInput(f"a script holds {kinds} and exceptions; got {type(event).__name__} {str(event)[:60]!r}")


class SlowReasoner:
    """Another reasoner, word by word and with a pause before each, as a language model writes; can be cancelled.

    Parameters
    ----------
    inner : Reasoner
    pause : float
        Seconds before each event; 0 yields control without waiting.

    Attributes
    ----------
    yielded : int
        Events that went out in the last run.
    cancelled : bool
        Whether the last run was closed before its end.
    """

    def __init__(self, inner: Reasoner, pause: float = 0.01) -> None:
        if pause < 0:
            raise InvalidInput(f"pause is in seconds and not negative, got {pause}")
        self.name = f"slow {inner.name}"
        self.options: Mapping[str, Any] = {**inner.options, "pause": pause}
        self.yielded, self.cancelled = 0, False
        self._inner, self._pause = inner, pause

    def stream(self, scene: Scene, question: str, choices: Any = None) -> Iterator[Event]:
        """Yield the inner reasoner's events, each text word by word, with `Progress` before it."""
        self.yielded, self.cancelled = 0, True
        events = self._inner.stream(scene, question, choices)
        try:
            for event in events:
                for piece in _words(event):
                    time.sleep(self._pause)
                    self.yielded += 1
                    yield piece
            self.cancelled = False
        finally:
            events.close()  # type: ignore[attr-defined]  # a generator


def _words(event: Event) -> Iterator[Event]:
    if not isinstance(event, Text):
        yield Progress(0, 0, f"{type(event).__name__.lower()} next")
        yield event
        return
    for word in re.findall(r"\s*\S+|\s+$", event.text) or [event.text]:
        yield replace(event, text=word)


class WrongReasoner:
    """Another reasoner whose every number in the text is multiplied, masks and answer untouched: its claims disagree.

    Parameters
    ----------
    inner : Reasoner
    factor : float
        What numbers in the text are multiplied by. Dates, and numbers of 0, stay as they are.

    Examples
    --------
    >>> import numpy as np
    >>> import terrascope_nb as ts
    >>> from terrascope_nb.testing import synthetic_scene
    >>> made = synthetic_scene(np.random.default_rng(0), size=64)
    >>> wrong = WrongReasoner(truth_reasoner(made))
    >>> {c.verdict for c in ts.ask(made.scene, "How much water is there?", reasoner=wrong).claims if c.kind == "area"}
    {'disagrees'}
    """

    def __init__(self, inner: Reasoner, factor: float = 2.0) -> None:
        self.name = f"wrong {inner.name}"
        self.options: Mapping[str, Any] = {**inner.options, "factor": factor}
        self._inner, self._factor = inner, factor

    def stream(self, scene: Scene, question: str, choices: Any = None) -> Iterator[Event]:
        """Yield the inner reasoner's events with numbers in texts changed."""
        for event in self._inner.stream(scene, question, choices):
            yield (
                replace(event, text=_NUMBER.sub(self._change, event.text), source="written")
                if isinstance(event, Text)
                else event
            )

    def _change(self, number: re.Match[str]) -> str:
        digits = len(number.group().partition(".")[2])
        return f"{float(number.group()) * self._factor:.{digits}f}"


_NUMBER = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w-])")


def truth_reasoner(made: Synthetic) -> ReferenceReasoner:
    """The reasoner that answers from a synthetic scene's truth."""
    return ReferenceReasoner(list(made.maps), made.legend)
