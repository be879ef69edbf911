"""Runs: a question put to a reasoner beside the main thread, its trace shown as it grows, kept however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from terrascope_nb.maps.session import Asked, stopped
from terrascope_nb.reason.events import Progress
from terrascope_nb.reason.reasoner import follow

if TYPE_CHECKING:
    from terrascope_nb.maps.asking import Chosen
    from terrascope_nb.maps.work import Task
    from terrascope_nb.reason.reasoner import Reasoner
    from terrascope_nb.reason.trace import Trace
    from terrascope_nb.scene.scene import Scene

#: ``grow(trace, scene, view)`` shows a beginning; it gives the view, which is None at first.
Grow = Callable[["Trace", "Scene | None", Any], Any]


class Runs:
    """Makes jobs for a `Worker`.

    Parameters
    ----------
    progress : callable
        ``progress(words, done, total)``.
    """

    def __init__(self, progress: Callable[[str, float, float | None], None]) -> None:
        self._progress = progress
        self._open: tuple[Any, Reasoner] | None = None

    def opened(self, chosen: Chosen) -> Reasoner:
        """The reasoner, opened once for all questions in a row: one may be a model of many gigabytes."""
        key = (chosen.reasoner, repr(sorted(chosen.options.items())))
        if self._open is None or self._open[0] != key:
            self._open = None
            self._open = (key, chosen.open())
        return self._open[1]

    def job(
        self,
        asked: Asked,
        question: str,
        choices: Any,
        chosen: Chosen,
        grow: Grow | None,
        finish: Callable[[Asked, Chosen, Any], None],
    ) -> Callable[[Task], Iterator[Any]]:
        """A job that asks.

        Parameters
        ----------
        asked : Asked
            The scene; its trace is to come.
        question, choices
            As `ask` takes them.
        chosen : Chosen
        grow : callable or None
            Shows what has come so far; None shows nothing before the end.
        finish : callable
            ``finish(asked, chosen, view)`` once, with whatever had come: also when it was stopped, or an error broke
            it off. Not called when nothing had come.
        """

        def job(task: Task) -> Iterator[Any]:
            seen, opened = asked.seen(), self.opened(chosen)
            grown: Trace | None = None
            view: Any = None
            try:
                with closing(follow(seen, question, choices, opened)) as events:  # type: ignore[arg-type, type-var]
                    for came in events:
                        task.check()
                        if isinstance(came, Progress):
                            self._progress(came.message or "thinking", came.done, came.total)
                        else:
                            grown = came
                            view = view if grow is None else grow(came, seen, view)
                        yield came
            except Exception as error:
                grown = getattr(error, "trace", grown)
                raise
            finally:
                if grown is not None:
                    finish(replace(asked, trace=stopped(grown) if task.stopped else grown), chosen, view)

        return job

    def close(self) -> None:
        """Let go of the reasoner."""
        self._open = None
