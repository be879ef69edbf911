"""Worker: one piece of work at a time beside the kernel's main thread, stopped when asked, its error kept."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from terrascope_nb.errors import TerrascopeError


class Stopped(TerrascopeError):
    """The work was stopped by the user."""


@dataclass(frozen=True)
class Failure:
    """An error as a user meets it.

    Attributes
    ----------
    what : str
        What was being done.
    message : str
        The error's own words: what, why, how to mend.
    kind : str
        Its class.
    trace : str
        The traceback, for those who ask.
    error : BaseException
        The error itself.
    """

    what: str
    message: str
    kind: str
    trace: str
    error: BaseException

    @classmethod
    def of(cls, what: str, error: BaseException) -> Failure:
        """Keep an error that is being handled."""
        words = " ".join(str(error).split()) or type(error).__name__
        return cls(what, words, type(error).__name__, "".join(traceback.format_exception(error)), error)


class Worker:
    """Runs one job at a time in a thread.

    Parameters
    ----------
    on_state : callable
        ``on_state(what)`` when a job begins, ``on_state("")`` when none is left.
    on_failure : callable
        Takes a `Failure`; a stop is none.

    Notes
    -----
    A job is a function that takes a `Task`, or a generator function, whose every step is a chance to stop: a generator
    that is stopped is closed, so a reasoner's own clean-up runs.
    """

    def __init__(self, on_state: Callable[[str], None], on_failure: Callable[[Failure], None]) -> None:
        self._on_state, self._on_failure = on_state, on_failure
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._task: Task | None = None

    @property
    def what(self) -> str:
        """What is being done, «» when nothing is."""
        task = self._task
        return "" if task is None else task.what

    def start(self, what: str, job: Callable[[Task], Any]) -> None:
        """Begin a job; the one under way, if any, is stopped first, and what it still says is not heard."""
        self.stop()
        with self._lock:
            before, task = self._thread, Task(what)
            self._task = task
            self._thread = threading.Thread(
                target=self._run, args=(task, job, before), daemon=True, name=f"tsnb {what}"
            )
            self._thread.start()

    def stop(self) -> bool:
        """Ask the job under way to stop; True when there was one."""
        task = self._task
        if task is None:
            return False
        task.stop()
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is being done; False when `timeout` seconds passed first."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _run(self, task: Task, job: Callable[[Task], Any], before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        failure = None
        try:
            if not task.stopped:
                self._on_state(task.what)
                made = job(task)
                if isinstance(made, Iterator):
                    for _ in _stoppable(made, task):
                        pass
        except Stopped:
            pass
        except Exception as error:  # noqa: BLE001  (whatever fails in the thread is shown to the user, and kept)
            failure = Failure.of(task.what, error)
        mine = self._task is task
        if mine:
            self._task = None
            self._on_state("")
        if failure is not None and mine and not task.stopped:
            self._on_failure(failure)


class Task:
    """A job under way, as the job sees it."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._stop = threading.Event()
        self._calls: list[Callable[[], None]] = []

    @property
    def stopped(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def check(self) -> None:
        """Raise `Stopped` when it was asked to stop."""
        if self.stopped:
            raise Stopped(f"{self.what}: stopped")

    def on_stop(self, call: Callable[[], None]) -> None:
        """Call this when it is asked to stop, e.g. to shut a connection that a thread waits on."""
        self._calls.append(call)

    def stop(self) -> None:
        """Ask it to stop."""
        if not self._stop.is_set():
            self._stop.set()
            for call in self._calls:
                call()


def _stoppable(events: Iterator[Any], task: Task) -> Iterator[Any]:
    try:
        for event in events:
            task.check()
            yield event
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()
