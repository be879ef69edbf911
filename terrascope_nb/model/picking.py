"""Picking the next token: greedy or drawn; and telling a text that goes round in a circle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


class Picker:
    """Picks from logits.

    Parameters
    ----------
    temperature : float
        0: the largest logit, the first of equal ones. Above: drawn from the softmax of logits over temperature.
    top_p : float
        Draw from the likeliest tokens that together reach this probability.
    rng : numpy.random.Generator
        One number is drawn a token, so a seed gives the same text on every machine that gives the same logits.
    suppressed : sequence of int
        Ids that are never picked.
    """

    def __init__(
        self, temperature: float, top_p: float, rng: np.random.Generator, suppressed: Sequence[int] = ()
    ) -> None:
        self._temperature, self._top_p, self._rng = temperature, top_p, rng
        self._suppressed = list(suppressed)

    def pick(self, logits: Tensor) -> int:
        """The id of the next token, of (V,) logits."""
        logits = logits.float()
        if self._suppressed:
            logits = logits.clone()
            logits[self._suppressed] = -torch.inf
        if self._temperature == 0:
            return int(logits.argmax())
        chances = (logits / self._temperature).softmax(-1).double().cpu().numpy()
        order = np.argsort(-chances, kind="stable")
        summed = np.cumsum(chances[order])
        kept = int(np.searchsorted(summed, self._top_p * summed[-1])) + 1
        drawn = self._rng.random() * summed[min(kept, len(summed)) - 1]
        return int(order[min(int(np.searchsorted(summed, drawn, side="right")), len(order) - 1)])


@dataclass(frozen=True)
class Repeat:
    """`tokens` stand `times` times in a row at the end of a text."""

    tokens: tuple[int, ...]
    times: int


def repeats(written: Sequence[int], least: int = 48, times: int = 4, longest: int = 64) -> Repeat | None:
    """Tell whether a text ends in one piece written again and again.

    Parameters
    ----------
    written : sequence of int
        Token ids so far.
    least : int
        Tokens that the repeats must fill together.
    times : int
        Repeats that there must be.
    longest : int
        Longest piece looked for, tokens.

    Examples
    --------
    >>> repeats([9, 1, 2] + [1, 2] * 23), repeats([1, 2] * 23)
    (Repeat(tokens=(1, 2), times=24), None)
    """
    for n in range(1, longest + 1):
        wanted = max(times, -(-least // n))
        if len(written) < n * wanted:
            continue
        tail = written[-n * wanted :]
        if all(tail[k] == tail[k + n] for k in range(len(tail) - n)):
            return Repeat(tuple(written[-n:]), wanted)
    return None
