"""What chance gives, exactly; and a paired test of two runs, image by image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from terrascope_nb.bench.intervals import checked_level
from terrascope_nb.errors import InvalidInput

_ALL = 14  # differing images up to which all sign flips are gone through


def chance_range(options: Sequence[int], level: float = 0.99) -> tuple[float, float]:
    """Accuracies that choosing at random gives with probability of at least `level`: exact, of a sum of trials.

    Each row has its own number of options; the distribution of the number right is the exact convolution (a
    Poisson-binomial; a binomial where all rows have equally many options). At most (1 - level) / 2 lies beyond either
    end.

    Parameters
    ----------
    options : sequence of int
        Options of each row, at least 1.

    Returns
    -------
    low, high : float
        0…1; both ends belong to the range.

    Examples
    --------
    >>> low, high = chance_range([4] * 600)
    >>> f"{low:.4f} {high:.4f}"
    '0.2050 0.2967'
    """
    counts = np.asarray(options, int)
    if not counts.size or counts.min() < 1:
        raise InvalidInput("options is one number a row, each at least 1, for at least one row")
    chances = np.ones(1)
    for k, rows in zip(*np.unique(counts, return_counts=True), strict=True):
        chances = np.convolve(chances, _binomial(int(rows), 1 / int(k)))
    tail = (1 - checked_level(level)) / 2
    summed = np.cumsum(chances)
    low = int(np.searchsorted(summed, tail, side="right"))
    high = len(chances) - 1 - int(np.searchsorted(np.cumsum(chances[::-1]), tail, side="right"))
    return low / counts.size, high / counts.size


def _binomial(n: int, p: float) -> np.ndarray:
    """Probabilities of 0…n successes."""
    from scipy.special import gammaln, xlogy

    k = np.arange(n + 1)
    return np.exp(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, p) + xlogy(n - k, 1 - p))


def permutation_p(differences: Sequence[float], rng: np.random.Generator, draws: int = 20_000) -> float:
    """Two-sided p of a paired permutation test: may the two runs be exchanged, image by image?

    Parameters
    ----------
    differences : sequence of float
        (images,) sum over an image's rows of run A minus run B. Under the null hypothesis each sign is as likely as
        the other.
    rng : numpy.random.Generator
        Used where differences are not whole numbers.
    draws : int
        Sign flips drawn there; p is then (1 + as extreme) / (1 + draws) (Phipson and Smyth 2010).

    Notes
    -----
    For whole numbers (right answers) the distribution over all 2ⁿ sign flips is computed exactly, by convolution; for
    others on no more than 14 images by going through all of them.

    Examples
    --------
    >>> permutation_p([1, 1, 1, 1, 1], np.random.default_rng(0))     # 2 of 32 sign patterns
    0.0625
    """
    d = np.abs(np.asarray(differences, float))
    total = abs(float(np.sum(differences)))
    d = d[d > 0]
    if not d.size:
        return 1.0
    if np.array_equal(d, np.round(d)) and d.sum() < 20_000:
        return _exact_p(d.astype(int), round(total))
    if d.size <= _ALL:
        signs = 1.0 - 2 * ((np.arange(2**d.size)[:, None] >> np.arange(d.size)) & 1)
        return float(np.mean(np.abs(signs @ d) >= total - 1e-12))
    flips = rng.integers(0, 2, (draws, d.size), dtype=np.int8) * 2.0 - 1
    as_extreme = np.count_nonzero(np.abs(flips @ d) >= total - 1e-12)
    return float((1 + as_extreme) / (1 + draws))


def _exact_p(d: np.ndarray, total: int) -> float:
    size = int(d.sum())
    chances = np.zeros(2 * size + 1)  # of the sums -size … size
    chances[size] = 1.0
    for step in d:
        moved = np.zeros_like(chances)
        moved[step:] += chances[:-step] / 2
        moved[:-step] += chances[step:] / 2
        chances = moved
    sums = np.abs(np.arange(-size, size + 1))
    return float(min(1.0, chances[sums >= total].sum()))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P values corrected for their number (Holm 1979, Scand. J. Statist. 6), in the order given.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty(len(p))
    out[order] = np.minimum(raised, 1.0)
    return tuple(float(v) for v in out)
