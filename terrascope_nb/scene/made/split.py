"""Which seeds are for training and which are held out, by a rule that needs no list.

A seed is held out when the first byte of its BLAKE2b hash is below 32: one in eight, spread evenly, and the same on
every machine. Train on `seeds(n)`, evaluate on `seeds(n, test=True)`: the two never meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import count

from terrascope_nb.errors import InvalidInput


def held_out(*seed: int) -> bool:
    """Whether the scene of a seed (one whole number, or several: a stream and a place in it) is kept for evaluation.

    Examples
    --------
    >>> [k for k in range(40) if held_out(k)]
    [2, 6, 18, 29]
    """
    if not seed or any(not isinstance(s, int) for s in seed):
        raise InvalidInput(f"a seed is one or more whole numbers, got {seed!r}")
    return blake2b(",".join(map(str, seed)).encode(), digest_size=8).digest()[0] < 32


def seeds(n: int, test: bool = False, start: int = 0) -> Iterator[int]:
    """The first `n` seeds from `start` on that are for training, or held out.

    Examples
    --------
    >>> list(seeds(3)), all(held_out(s) for s in seeds(20, test=True))
    ([0, 1, 3], True)
    """
    if n < 0:
        raise InvalidInput(f"n is the number of seeds, 0 or more; got {n}")
    found = 0
    for seed in count(start):
        if found == n:
            return
        if held_out(seed) == test:
            found += 1
            yield seed
