"""Stream: labelled scenes one after another, each opened when it is asked for; bad ones are raised, or kept by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, TerrascopeError
from terrascope_nb.scene.labelled import Labelled

#: The key of an image, and the function that opens it.
Entry = tuple[str, Callable[[], Labelled]]
ON_BAD = ("raise", "skip")


class Stream(Iterator[Labelled]):
    """An iterator over labelled scenes. Nothing is listed before the first `next`, nothing opened before its turn.

    Parameters
    ----------
    entries : callable
        Lists the images, cheaply and in a fixed order; called once, at the first `next`.
    part : (int, int), optional
        (k, n): only every n-th image, from the k-th (0 the first), so that n processes share the work; the others are
        not opened.
    on_bad : "raise" or "skip"
        What becomes of an image that cannot be opened: its error, after which `next` goes on with the following one,
        or an entry of `bad`.
    cut : callable, optional
        Makes several of one, e.g. windows; they come one after another.

    Attributes
    ----------
    bad : dict
        Key → error message of the images that were skipped so far.
    """

    def __init__(
        self,
        entries: Callable[[], Iterable[Entry]],
        part: tuple[int, int] | None = None,
        on_bad: str = "raise",
        cut: Callable[[Labelled], Iterable[Labelled]] | None = None,
    ) -> None:
        if part is not None and not 0 <= part[0] < part[1]:
            raise InvalidInput(f"part is (k, n) with 0 ≤ k < n, e.g. part=(0, 4) for the first of four; got {part}")
        if on_bad not in ON_BAD:
            raise InvalidInput(unknown("on_bad", on_bad, ON_BAD))
        self._list, self._part, self._on_bad, self._cut = entries, part, on_bad, cut
        self._pieces: Iterator[Labelled] = iter(())
        self._entries: Iterator[Entry] | None = None
        self._seen = 0
        self.bad: dict[str, str] = {}

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> Labelled:
        if self._entries is None:
            self._entries = iter(self._list())
        while True:
            piece = next(self._pieces, None)
            if piece is not None:
                return piece
            key, open_it = next(self._entries)
            mine = self._part is None or self._seen % self._part[1] == self._part[0]
            self._seen += 1
            if not mine:
                continue
            try:
                whole = open_it()
            except TerrascopeError as err:
                if self._on_bad == "raise":
                    raise
                self.bad[key] = str(err)
                continue
            self._pieces = iter((whole,) if self._cut is None else self._cut(whole))
