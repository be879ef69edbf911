"""One progress bar for whatever lasts over a second."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from terrascope_nb._options import options

if TYPE_CHECKING:
    from tqdm import tqdm

#: Seconds of work before a bar is shown.
DELAY = 1.0

Ear = Callable[[str, float, float | None], None]  # what is being done, units done, units in all (None: not known)
_ears = threading.local()


@contextmanager
def heard(ear: Ear) -> Iterator[None]:
    """Tell `ear` of the progress of what *this thread* does in the block, instead of showing bars.

    What `ear` raises ends the work: so a listener can cancel it. Only the thread of the block is heard: a bar that
    another thread moves (dask's callbacks are shared by all that compute at once) counts, but tells and raises nothing.

    Examples
    --------
    >>> told = []
    >>> with heard(lambda words, done, total: told.append((words, done, total))):
    ...     _ = list(progress("ab", "reading", "file"))
    >>> told
    [('reading', 0, 2), ('reading', 1.0, 2), ('reading', 2.0, 2)]
    """
    before = getattr(_ears, "ear", None)
    _ears.ear = ear
    try:
        yield
    finally:
        _ears.ear = before


def progress(work: Iterable[Any] | int, desc: str, unit: str = "it") -> tqdm:
    """Show a bar on standard error while `work` goes on, once it has lasted a second.

    Whether it shows at all is told by ``set_options(progress=…)`` and TERRASCOPE_NB_PROGRESS; by default it does
    in a terminal and in a notebook, and not where nobody watches. The bar is wiped when the work is done.

    Parameters
    ----------
    work : iterable or int
        What to iterate over; or a number of units, counted by ``bar.update(n)`` inside a ``with`` block.
    desc : str
        What is being done, in a few words.
    unit : str
        What is counted.

    Returns
    -------
    tqdm.tqdm
        Iterate over it, or use it in ``with`` and call ``update``.

    Examples
    --------
    >>> list(progress([1, 2, 3], "reading", "file"))
    [1, 2, 3]
    >>> with progress(10, "reading", "row") as bar:
    ...     _ = bar.update(10)
    """
    wanted = options().progress
    shown = wanted if isinstance(wanted, bool) else _in_notebook() or _watched()
    from tqdm import tqdm  # text, in notebooks too: a saved notebook keeps a dead, half-full picture of a widget bar

    iterable, total = (None, work) if isinstance(work, int) else (work, None)
    ear = getattr(_ears, "ear", None)
    if ear is not None:
        return _told(tqdm, ear)(iterable, total=total, desc=desc, unit=unit, disable=True)
    return tqdm(
        iterable,
        total=total,
        desc=desc,
        unit=unit,
        disable=not shown,
        delay=DELAY,
        mininterval=0.5,
        leave=False,
        file=sys.stderr,
    )


def _watched() -> bool:
    """Tell whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def _in_notebook() -> bool:
    """Tell whether this code runs in a Jupyter kernel, without importing IPython."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


def _told(bar: type[tqdm], ear: Ear) -> type[tqdm]:
    """A bar that shows nothing and tells `ear`."""

    class Told(bar):  # type: ignore[valid-type, misc]
        def __init__(self, iterable: Any = None, total: Any = None, desc: str = "", **rest: Any) -> None:
            super().__init__(iterable, total=total, desc=desc, **rest)
            self.words, self.done, self.open = desc, 0.0, True
            self.total = len(iterable) if total is None and hasattr(iterable, "__len__") else total
            self.thread = threading.get_ident()
            ear(self.words, 0, self.total)

        def update(self, n: float = 1) -> None:
            self.done += n
            if self.open and threading.get_ident() == self.thread:
                ear(self.words, self.done, self.total)

        def close(self) -> None:
            self.open = False
            super().close()

        def set_description(self, desc: str | None = None, refresh: bool = True) -> None:
            self.words = desc or self.words

        def __iter__(self) -> Iterator[Any]:
            for thing in self.iterable:
                yield thing
                self.update(1)

    return Told
