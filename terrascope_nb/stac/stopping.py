"""Stopping: what is read over the network ends when Ctrl-C or the end of the program asks, in whatever thread it is."""

from __future__ import annotations

import socket
import threading
import weakref
from typing import Any

_lock = threading.Lock()
_lines: weakref.WeakSet[Any] = weakref.WeakSet()  # sockets in use
_generation = 0
_wake = threading.Event()
_watching = False
_closed = False


class Abandoned(Exception):
    """The read was given up from outside (Ctrl-C, or the interpreter is closing)."""


def may_be_shut(line: Any) -> None:
    """Have a socket shut when everything is abandoned."""
    with _lock:
        _lines.add(line)


def generation() -> int:
    """A number that grows when everything under way is abandoned."""
    return _generation


def sleep(seconds: float, born: int) -> None:
    """Wait, unless what began in generation `born` is abandoned meanwhile: then raise `Abandoned`."""
    with _lock:
        wake = _wake
    check(born)
    wake.wait(seconds)
    check(born)


def abandon() -> None:
    """End every request and wait under way, in any thread; later ones are not touched."""
    global _generation, _wake
    with _lock:
        _generation += 1
        _wake.set()
        _wake = threading.Event()
        lines = list(_lines)
    for line in lines:
        try:
            line.shutdown(socket.SHUT_RDWR)
        except OSError:  # closed already
            continue


def watch_for_interrupts() -> None:
    """Abandon what is under way when Ctrl-C ends a dask computation, or when the interpreter closes. Once a process.

    Without it, dask's threads would finish what they read before a script could end or the next computation begin.
    """
    global _watching
    with _lock:
        if _watching:
            return
        _watching = True
    import concurrent.futures.thread  # noqa: F401  (its own exit hook, which joins the threads, must run after ours)
    import sys

    from dask.callbacks import Callback

    def finish(dsk: Any, state: Any, errored: bool) -> None:
        if errored and isinstance(sys.exc_info()[1], KeyboardInterrupt):
            abandon()

    Callback(finish=finish).register()
    register = getattr(threading, "_register_atexit", None)  # where a Python lacks it, reads end by their own timeouts
    if register is not None:
        register(_close)


def _close() -> None:
    """The interpreter is closing: nothing begins any more."""
    global _closed
    _closed = True
    abandon()


def check(born: int) -> None:
    """Raise `Abandoned` where what began in generation `born` was abandoned."""
    if _closed or born != _generation:
        raise Abandoned("given up from outside")
