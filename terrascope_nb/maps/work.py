"""Worker: one piece of work at a time beside the kernel's main thread, stopped when asked, its error kept."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from terrascope_nb import errors
from terrascope_nb._progress import heard
from terrascope_nb.errors import TerrascopeError

#: What to do in the panel about an error, by its class; its own words say it for Python.
HINTS: tuple[tuple[type[BaseException], str], ...] = (
    (errors.AlreadyThere, "Tick «Overwrite what is there», or write another path."),
    (errors.TooLarge, "Draw a smaller area, take larger pixels, or choose fewer dates."),
    (errors.NothingFound, "Widen the dates, allow more cloud, or look in another catalogue."),
    (errors.QuestionNotUnderstood, "Choose one of the examples under the question and change it."),
    (errors.MissingPackage, "Install it, restart the kernel, and run the cells again."),
    (errors.ReadFailed, "What is loaded already stays. Try again, or choose another date."),
    (MemoryError, "Draw a smaller area, or choose fewer dates; close what else holds memory."),
)
OURS = "Change what the message names; all that is here already stays."
THEIRS = "This comes from a library or a reasoner, not from what you entered; the traceback shows where."


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
    hint : str
        What to do in the panel.
    kind : str
        Its class.
    trace : str
        The traceback, for those who ask.
    error : BaseException
        The error itself.
    """

    what: str
    message: str
    hint: str
    kind: str
    trace: str
    error: BaseException

    @classmethod
    def of(cls, what: str, error: BaseException) -> Failure:
        """Keep an error that is being handled.

        Examples
        --------
        >>> failed = Failure.of("saving", errors.AlreadyThere("a.html is there"))
        >>> failed.kind, failed.message, failed.hint
        ('AlreadyThere', 'a.html is there', 'Tick «Overwrite what is there», or write another path.')
        """
        words = " ".join(str(error).split()) or type(error).__name__
        if not isinstance(error, TerrascopeError):
            words = words if words == type(error).__name__ else f"{type(error).__name__}: {words}"
        hint = next((h for kind, h in HINTS if isinstance(error, kind)), None)
        hint = hint or (OURS if isinstance(error, TerrascopeError) else THEIRS)
        return cls(what, words, hint, type(error).__name__, "".join(traceback.format_exception(error)), error)


def guarded(what: str, call: Callable[..., Any], fail: Callable[[str, Exception], Any]) -> Callable[..., Any]:
    """`call`, whose errors go to ``fail(what, error)``: what a button runs has nobody above it to raise to.

    Examples
    --------
    >>> guarded("dividing", lambda x: 1 / x, lambda what, error: f"{what}: {error}")(0)
    'dividing: division by zero'
    """

    def run(*given: Any, **named: Any) -> Any:
        try:
            return call(*given, **named)
        except Exception as error:  # noqa: BLE001  (ipywidgets would log it, and nobody would see it)
            return fail(what, error)

    return run


def guard_buttons(root: Any, fail: Callable[[str, Exception], Any]) -> None:
    """Guard every button below a widget, once: what its calls raise goes to ``fail(what, error)``."""
    for child in getattr(root, "children", ()):
        guard_buttons(child, fail)
    clicks = getattr(root, "_click_handlers", None)
    if clicks is not None and not getattr(root, "tsnb_guarded", False):
        root.tsnb_guarded = True
        clicks.callbacks = [guarded(f"«{root.description[:40]}»", call, fail) for call in clicks.callbacks]


class Worker:
    """Runs one job at a time in a thread.

    Parameters
    ----------
    on_state : callable
        ``on_state(what)`` when a job begins, ``on_state("")`` when none is left.
    on_failure : callable
        Takes a `Failure`; a stop is none.
    on_progress : callable
        ``on_progress(words, done, total)``: what would be a progress bar elsewhere.

    Notes
    -----
    A job is a function that takes a `Task`, or a generator function, whose every step is a chance to stop: a generator
    that is stopped is closed, so a reasoner's own clean-up runs. Every progress that a job reports is a chance too.
    """

    def __init__(
        self,
        on_state: Callable[[str], None],
        on_failure: Callable[[Failure], None],
        on_progress: Callable[[str, float, float | None], None] = lambda words, done, total: None,
    ) -> None:
        self._on_state, self._on_failure, self._on_progress = on_state, on_failure, on_progress
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._task: Task | None = None
        self._closed = False

    @property
    def what(self) -> str:
        """What is being done, «» when nothing is."""
        task = self._task
        return "" if task is None else task.what

    def start(self, what: str, job: Callable[[Task], Any]) -> None:
        """Begin a job; the one under way, if any, is stopped first, and what it still says is not heard."""
        self.stop()
        with self._lock:
            if self._closed:
                raise errors.InvalidInput(f"{what}: this Explorer is closed; make another one")
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
        thread = self._thread  # the latest: it waits for those before it
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def close(self, timeout: float | None = 10.0) -> bool:
        """Stop and begin nothing more; waits `timeout` seconds for the thread and tells whether it has ended."""
        with self._lock:
            self._closed = True
        self.stop()
        ended = self.wait(timeout)
        self._on_state = self._on_failure = lambda _: None  # type: ignore[assignment]
        self._on_progress = lambda words, done, total: None
        return ended

    def _run(self, task: Task, job: Callable[[Task], Any], before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        failure = None
        try:
            if not task.stopped:
                self._on_state(task.what)
                with heard(lambda *told: self._heard(task, *told)):
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

    def _heard(self, task: Task, words: str, done: float, total: float | None) -> None:
        task.check()
        self._on_progress(words, done, total)


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


_readers: set[Task] = set()
_readers_lock = threading.Lock()


@contextmanager
def reading(task: Task) -> Iterator[None]:
    """A block that reads over the network: a stop shuts its connections at once, where it can.

    Connections know no owner, so to shut them shuts those of the whole process. Therefore it is done only while no
    other task reads; while one does, a stop takes hold when the chunk that is being read has come. A read that runs
    outside of tasks, in a thread of one's own, is given up with them and raises.
    """
    with _readers_lock:
        _readers.add(task)
    task.on_stop(lambda: _abandon(task))
    try:
        yield
    finally:
        with _readers_lock:
            _readers.discard(task)


def _abandon(task: Task) -> None:
    from terrascope_nb.stac import stopping

    with _readers_lock:
        if _readers == {task}:
            stopping.abandon()


def _stoppable(events: Iterator[Any], task: Task) -> Iterator[Any]:
    try:
        for event in events:
            task.check()
            yield event
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()
