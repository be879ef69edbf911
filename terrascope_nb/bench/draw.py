"""Which of all questions that could be asked a suite asks: balanced over tasks, truths and sources, few an image."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from terrascope_nb.errors import InvalidInput


@dataclass(frozen=True)
class Offer:
    """One question that could be asked.

    Attributes
    ----------
    image : int
        Number of the image in the order in which the sources gave them.
    task : str
    kind : hashable
        What is asked, «(labels, dates)»; kinds are used as evenly as they allow.
    truth : bool or None
        The answer of a yes-or-no question; as many of each as there are. None for others.
    source : str
        Which data the image comes from; a task is spread over them.
    """

    image: int
    task: str
    kind: Hashable
    truth: bool | None = None
    source: str = ""


def quotas(available: dict[str, int], n: int) -> dict[str, int]:
    """Share `n` evenly over the tasks; what a task cannot give goes to the others.

    Examples
    --------
    >>> quotas({"a": 5, "b": 100, "c": 100}, 60)
    {'a': 5, 'b': 28, 'c': 27}
    """
    out = dict.fromkeys(available, 0)
    left = min(n, sum(available.values()))
    while left:
        least = min(out[t] for t in available if out[t] < available[t])
        task = next(t for t in available if out[t] == least and out[t] < available[t])
        out[task] += 1
        left -= 1
    return out


def draw(
    offers: Sequence[Offer], n: int, per_image: int, rng: np.random.Generator, tasks: Sequence[str] = ()
) -> list[Offer]:
    """Draw up to `n` offers, at most `per_image` of one image.

    The rarest task is served first, up to its even share; what is left goes to the task that has the fewest. Within a
    task: the truth that has been drawn less often, the source that has the fewest questions of that task, the image
    with the fewest of that task and then of all, the kind that has been used least, and chance.

    Returns
    -------
    list of Offer
        In order of their image; fewer than `n` where the offers do not allow more.
    """
    if n < 1 or per_image < 1:
        raise InvalidInput(f"n and per_image are numbers of questions, at least 1; got n={n}, per_image={per_image}")
    piles: dict[str, list[Offer]] = {t: [] for t in tasks}
    for k in rng.permutation(len(offers)).tolist():
        piles.setdefault(offers[k].task, []).append(offers[k])
    state = _State(per_image)
    room = {
        t: min(len(p), sum(min(c, per_image) for c in Counter(o.image for o in p).values())) for t, p in piles.items()
    }
    share = quotas(room, n)
    for task in sorted(piles, key=lambda t: (room[t], t)):
        for _ in range(share[task]):
            if not state.take(piles[task]):
                break
    open_tasks = sorted(piles)
    while len(state.taken) < n and open_tasks:
        task = min(open_tasks, key=lambda t: (state.tasks[t], t))
        if not state.take(piles[task]):
            open_tasks.remove(task)
    return sorted(state.taken, key=lambda o: (o.image, list(piles).index(o.task)))


class _State:
    """What has been drawn, counted."""

    def __init__(self, per_image: int) -> None:
        self.per_image = per_image
        self.taken: list[Offer] = []
        self.tasks: Counter[str] = Counter()
        self._images: Counter[int] = Counter()
        self._both: Counter[Any] = Counter()
        self._kinds: Counter[Any] = Counter()
        self._sources: Counter[Any] = Counter()
        self._truths: defaultdict[str, Counter[bool | None]] = defaultdict(Counter)

    def take(self, pile: list[Offer]) -> bool:
        """Move the best offer out of a pile; False when none is left that an image has room for."""
        best, at = None, -1
        for k, o in enumerate(pile):
            if self._images[o.image] >= self.per_image:
                continue
            rank = (
                self._truths[o.task][o.truth], self._sources[o.task, o.source], self._both[o.image, o.task],
                self._images[o.image], self._kinds[o.task, o.kind],
            )  # fmt: skip
            if best is None or rank < best:
                best, at = rank, k
        if best is None:
            return False
        o = pile.pop(at)
        self.taken.append(o)
        self.tasks[o.task] += 1
        self._images[o.image] += 1
        self._both[o.image, o.task] += 1
        self._kinds[o.task, o.kind] += 1
        self._sources[o.task, o.source] += 1
        self._truths[o.task][o.truth] += 1
        return True
