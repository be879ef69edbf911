"""Units in one order, whatever the number of processes that make them.

Image j of source s is made by process j mod W, each process opens only its own images, and units come out ordered by
(j, s). A source whose images cannot be told apart before they are opened (windows of a large raster) is opened by every
process, which then composes only its own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import isgenerator, signature
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Any, Protocol

from terrascope_nb.cot.unit import Composer, Recipe, Unit, make_unit
from terrascope_nb.errors import ReadFailed, TerrascopeError
from terrascope_nb.scene.labelled import Labelled

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

AHEAD = 4
"""Units that a process may have ready before they are taken."""

Part = tuple[int, int]


class Source(Protocol):
    """Where labelled images come from. It goes to other processes, so it must be possible to pickle it.

    Attributes
    ----------
    name : str
    options : Mapping
        What was asked of it, JSON-serialisable; two builds with other options are two builds.
    """

    name: str
    options: Mapping[str, Any]

    def open(self, part: Part) -> tuple[Iterator[Labelled], bool]:
        """The images j with j mod n = k of ``part=(k, n)``, and True; or, where that cannot be, all, and False.

        After the error of an image, the iterator gives the next one; a generator cannot, and its error ends the build.
        """


@dataclass(frozen=True)
class Named:
    """A source of the registry by name (`terrascope_nb.cot.sources.SOURCES`), with the keywords of its reader."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def open(self, part: Part) -> tuple[Iterator[Labelled], bool]:
        """As in `Source`."""
        from terrascope_nb.cot.sources import open_source

        if self._in_windows():
            return open_source(self.name, **self.options), False
        return open_source(self.name, **{**self.options, "part": part}), True

    def _in_windows(self) -> bool:
        """Whether one file gives several images: then parts of the files are no parts of the images."""
        from terrascope_nb.cot.sources import SOURCES

        known = signature(SOURCES[self.name]).parameters if self.name in SOURCES else {}
        default = known["window"].default if "window" in known else None
        return self.options.get("window", default) is not None


@dataclass(frozen=True)
class Given:
    """Labelled images that are in memory already; every process gets a copy."""

    items: tuple[Labelled, ...]
    name: str = "given"

    @property
    def options(self) -> Mapping[str, Any]:
        """The images' names."""
        return {"keys": [f"{x.source}: {x.key}" for x in self.items]}

    def open(self, part: Part) -> tuple[Iterator[Labelled], bool]:
        """As in `Source`."""
        return iter(self.items[part[0] :: part[1]]), True


Turn = tuple[int, int, Unit | None]
"""Image number, source number, and what it gave; None where the source has ended."""


def units(
    sources: Sequence[Source], composer: Composer, recipe: Recipe, start: int = 0, workers: int = 1
) -> Iterator[tuple[int, Unit]]:
    """(image number, unit) in the one order, from image number `start` of every source on.

    Parameters
    ----------
    sources : sequence of Source
    composer : callable
    recipe : Recipe
    start : int
        Images before it are passed over.
    workers : int
        Processes; 1: this one.

    Raises
    ------
    ReadFailed
        When a process ended by itself (out of memory, killed, an error of the composer; it is on standard error).
    """
    if workers == 1:
        turns = _turns(sources, composer, recipe, (0, 1), start)
        yield from _merged(len(sources), start, lambda _: next(turns, None))
        return
    with _processes(sources, composer, recipe, start, workers) as take:
        yield from _merged(len(sources), start, lambda j: take(j % workers))


def _merged(sources: int, start: int, take: Callable[[int], Turn | None]) -> Iterator[tuple[int, Unit]]:
    alive, j = list(range(sources)), start
    while alive:
        for s in tuple(alive):
            turn = take(j)
            while turn is not None and turn[1] not in alive:  # the same end, as another process saw it
                turn = take(j)
            if turn is None or turn[2] is None:
                alive.remove(s if turn is None else turn[1])
                continue
            yield j, turn[2]
        j += 1


def _turns(sources: Sequence[Source], composer: Composer, recipe: Recipe, part: Part, start: int) -> Iterator[Turn]:
    """What one process makes, in the one order."""
    k, n = part
    shares = {s: _share(source, part, start) for s, source in enumerate(sources)}
    j = start + (k - start) % n
    while shares:
        for s in tuple(shares):
            item = next(shares[s], None)
            if item is None:
                del shares[s]
                yield j, s, None
            elif isinstance(item, Labelled):
                yield j, s, make_unit(item, composer, recipe)
            else:
                yield j, s, Unit(sources[s].name, f"image {j}", error=f"{type(item).__name__}: {item}")
        j += n


def _share(source: Source, part: Part, start: int) -> Iterator[Labelled | TerrascopeError]:
    """The images of one process from `start` on, or the error of an image that cannot be read."""
    k, n = part
    images, divided = source.open(part)
    j, step = (k, n) if divided else (0, 1)
    while True:
        item: Labelled | TerrascopeError
        try:
            item = next(images)
        except StopIteration:
            return
        except TerrascopeError as e:
            if isgenerator(images):  # it has no next one after an error
                raise
            item = e
        if j >= start and j % n == k:
            yield item
        j += step


# ---- processes ------------------------------------------------------------------------------------------------------
@contextmanager
def _processes(
    sources: Sequence[Source], composer: Composer, recipe: Recipe, start: int, workers: int
) -> Iterator[Callable[[int], Turn | None]]:
    """Start the processes; gives a function that takes the next turn of one. They end with the block."""
    from multiprocessing import get_context

    context = get_context("spawn")  # a fork of a process with threads may hang
    started = []
    for k in range(workers):
        mine, its = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(its, sources, composer, recipe, (k, workers), start), daemon=True)
        process.start()
        its.close()  # else its end would never be seen
        started.append((process, mine))

    def take(k: int) -> Turn | None:
        process, pipe = started[k]
        try:
            got = pipe.recv()
        except EOFError:
            process.join()
            raise ReadFailed(
                f"process {k} of {workers} ended with exit code {process.exitcode} (-9: killed, e.g. for want of "
                "memory); what it said is on standard error. Start the same build again: it goes on from the last shard"
            ) from None
        if isinstance(got, TerrascopeError):
            raise got
        return got

    try:
        yield take
    finally:
        for process, pipe in started:
            process.terminate()
            pipe.close()
        for process, _ in started:
            process.join()


def _work(
    pipe: Connection, sources: Sequence[Source], composer: Composer, recipe: Recipe, part: Part, start: int
) -> None:
    """Body of a process: make units, and send each as soon as it is asked for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the main process ends the others
    ready: Queue[Turn | TerrascopeError | None] = Queue(AHEAD)
    sender = Thread(target=_send, args=(pipe, ready), daemon=True)
    sender.start()
    last: TerrascopeError | None = None
    try:
        for turn in _turns(sources, composer, recipe, part, start):
            ready.put(turn)
    except TerrascopeError as e:
        last = e
    ready.put(last)
    sender.join()


def _send(pipe: Connection, ready: Queue[Turn | TerrascopeError | None]) -> None:
    while True:
        item = ready.get()
        try:
            pipe.send(item)
        except OSError:  # the main process is gone: nobody wants the rest
            os._exit(1)
        if not isinstance(item, tuple):
            return
