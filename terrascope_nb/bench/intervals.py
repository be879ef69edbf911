"""Intervals and tests where the unit is the image: questions of one image depend on each other.

A confidence interval here is a bootstrap that draws whole images (percentile interval; Efron and Tibshirani 1993, ch.
13; clusters drawn whole: Davison and Hinkley 1997, §3.8; Field and Welsh 2007, JRSS B 69). Three limits are kept:

- Fewer than `MIN_IMAGES` images give no interval: a spread cannot be told from so few.
- Where fewer than `FEW` images hold a mistake, or fewer than `FEW` a right answer, drawing images again tells little of
  the spread, at 0 and 100 % nothing at all. There the interval is the exact one of Clopper and Pearson (1934) with each
  image counted as one trial, whatever the number of its questions (as if all answers of an image were one), which is
  wide on purpose. Counts that are not whole go in as they are (Korn and Graubard 1998, Survey Methodology 24); images
  with unlike numbers of rows count as (Σ m)² / Σ m² (Kish 1965).
- An interval of zero width is never given: where all images give one figure, a mean gets the exact interval, a
  correlation or a difference none, and the estimate says why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from terrascope_nb.errors import InvalidInput

MIN_IMAGES = 10
"""Images below which no interval is given."""
FEW = 5
"""Images with a mistake (or with a right answer) below which the exact interval by image is taken."""
RESAMPLES = 2000
LEVEL = 0.95
_BLOCK = 2_000_000  # multiplicities drawn at once, to bound memory


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval.

    Attributes
    ----------
    value : float or None
        The figure, in its own unit (accuracies and IoU 0…1); None where nothing could be counted.
    low, high : float or None
        The interval's ends, None where there is none.
    level : float
        Confidence, 0…1.
    rows, images : int
        What the figure rests on: rows, and the images that they belong to.
    how : str
        How the interval was made, or why there is none.
    """

    value: float | None
    low: float | None
    high: float | None
    level: float
    rows: int
    images: int
    how: str

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval."""
        return self.low is not None and self.high is not None


def clopper_pearson(successes: float, trials: float, level: float = LEVEL) -> tuple[float, float]:
    """The exact binomial interval, two-sided (Clopper and Pearson 1934, Biometrika 26).

    Parameters
    ----------
    successes, trials : float
        Counts; need not be whole.

    Returns
    -------
    low, high : float
        0…1.

    Raises
    ------
    InvalidInput
        For counts that are none.

    Examples
    --------
    >>> low, high = clopper_pearson(20, 20)
    >>> f"{low:.4f} {high:.1f}"
    '0.8316 1.0'
    """
    from scipy.special import betaincinv

    if not 0 <= successes <= trials or trials <= 0:
        raise InvalidInput(f"{successes} successes of {trials} trials is no count")
    alpha = (1 - checked_level(level)) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, alpha))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1 - alpha))
    return low, high


def codes(images: Sequence[str]) -> tuple[np.ndarray, int]:
    """Number the images in order of their names: (N,) int and how many there are."""
    if not len(images):
        return np.zeros(0, int), 0
    names, numbers = np.unique(np.asarray(images, dtype=object).astype(str), return_inverse=True)
    return numbers.reshape(-1), len(names)


def draws(
    images: int, rng: np.random.Generator, resamples: int, statistic: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Draw images with replacement and compute a statistic of each draw.

    Parameters
    ----------
    images : int
        How many images there are.
    rng : numpy.random.Generator
    resamples : int
    statistic : function
        Takes (B, images) float multiplicities, gives (B, …); called in blocks.
    """
    block = max(1, _BLOCK // max(images, 1))
    parts = []
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = rng.integers(0, images, (rows, images)) + images * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images)
        parts.append(statistic(times.astype(float)))
    return np.concatenate(parts)


def mean_by_image(
    values: Sequence[float],
    images: Sequence[str],
    rng: np.random.Generator,
    *,
    strata: Sequence[str] | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Estimate:
    """The mean of values in 0…1 over rows, with an interval by image.

    Parameters
    ----------
    values : sequence of float
        (N,) each 0…1: right or wrong, or an IoU.
    images : sequence of str
        (N,) the image that each row belongs to.
    strata : sequence of str, optional
        (N,) tasks: the mean is then the mean over tasks of the tasks' means (macro average); a draw that misses a task
        is left out.

    Examples
    --------
    >>> e = mean_by_image([1.0] * 40, [str(k // 2) for k in range(40)], np.random.default_rng(0))
    >>> f"{e.value:.2f} {e.low:.2f} {e.high:.2f} {e.images}"
    '1.00 0.83 1.00 20'
    """
    x = np.asarray(values, float)
    number, many = codes(images)
    group, groups = codes(["all"] * len(x) if strata is None else strata)
    if not x.size:
        return Estimate(None, None, None, checked_level(level), 0, 0, "no row to count")
    if x.min() < 0 or x.max() > 1:
        raise InvalidInput(f"values lie in 0…1; these go from {x.min():g} to {x.max():g}")
    total, rows = np.zeros((many, groups)), np.zeros((many, groups))
    np.add.at(total, (number, group), x)
    np.add.at(rows, (number, group), 1)
    value = float((total.sum(0) / rows.sum(0)).mean())
    if many < MIN_IMAGES:
        return _none(
            value,
            level,
            x.size,
            many,
            f"no interval: {many} image{'s' * (many != 1)}, at least {MIN_IMAGES} are needed",
        )
    weight = (rows / rows.sum(0) / groups).sum(1)
    trials = float(1 / (weight**2).sum())

    def exact(why: str) -> Estimate:
        low, high = clopper_pearson(min(max(value, 0.0), 1.0) * trials, trials, level)
        return Estimate(value, low, high, level, x.size, many, f"exact, each image as one trial, since {why}")

    wrong, right = np.unique(number[x < 1]).size, np.unique(number[x > 0]).size
    if (few := min(wrong, right)) < FEW:
        whose = {0: "no image has", 1: "only one image has"}.get(few, f"only {few} images have")
        return exact(f"{whose} {'a mistake' if wrong < right else 'a right answer'}")

    def ratio(times: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return ((times @ total) / (times @ rows)).mean(1)

    found = _percentiles(value, draws(many, rng, resamples, ratio), level, x.size, many)
    return found if found.has_interval else exact("all images give one figure")


def correlation_by_image(
    a: Sequence[float],
    b: Sequence[float],
    images: Sequence[str],
    rng: np.random.Generator,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Pearson's r with an interval by image; where `a` is 0 or 1 this is the point-biserial r.

    Returns
    -------
    Estimate
        Without a value where one of the two does not vary.
    """
    x, y = np.asarray(a, float), np.asarray(b, float)
    number, many = codes(images)
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        why = "fewer than 3 rows" if len(x) < 3 else f"{'the first' if np.ptp(x) == 0 else 'the second'} does not vary"
        return _none(None, level, len(x), many, f"no r: {why}")
    moments = np.zeros((many, 6))
    np.add.at(moments, number, np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y]))
    value = float(_pearson(moments.sum(0)[None])[0])
    if many < MIN_IMAGES:
        return _none(value, level, len(x), many, f"no interval: {many} images, at least {MIN_IMAGES} are needed")
    return _percentiles(
        value, draws(many, rng, resamples, lambda times: _pearson(times @ moments)), level, len(x), many
    )


def _pearson(m: np.ndarray) -> np.ndarray:
    n, x, y, xx, yy, xy = m.T
    spread = np.maximum(n * xx - x * x, 0) * np.maximum(n * yy - y * y, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (n * xy - x * y) / np.sqrt(np.where(spread > 1e-12 * n**2, spread, np.nan))
    return np.clip(r, -1, 1)


def difference_by_image(
    a: Sequence[float],
    images_a: Sequence[str],
    b: Sequence[float],
    images_b: Sequence[str],
    rng: np.random.Generator,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Estimate:
    """The mean of `a` minus the mean of `b`, images drawn together; for two runs, or for two kinds of rows of one run.

    A draw that has no row on one of the two sides is left out.
    """
    x, y = np.asarray(a, float), np.asarray(b, float)
    number, many = codes([*images_a, *images_b])
    if not x.size or not y.size:
        return _none(None, level, len(x) + len(y), many, "no difference: one side has no row")
    sums = np.zeros((many, 4))
    np.add.at(sums, number[: len(x)], np.column_stack([x, np.ones(len(x)), np.zeros((len(x), 2))]))
    np.add.at(sums, number[len(x) :], np.column_stack([np.zeros((len(y), 2)), y, np.ones(len(y))]))
    value = float(x.mean() - y.mean())
    if many < MIN_IMAGES:
        return _none(
            value, level, len(x) + len(y), many, f"no interval: {many} images, at least {MIN_IMAGES} are needed"
        )

    def gap(times: np.ndarray) -> np.ndarray:
        p, n, q, m = (times @ sums).T
        with np.errstate(invalid="ignore", divide="ignore"):
            return p / n - q / m

    return _percentiles(value, draws(many, rng, resamples, gap), level, len(x) + len(y), many)


def paired_by_image(
    differences: Sequence[float],
    images: Sequence[str],
    rng: np.random.Generator,
    *,
    strata: Sequence[str] | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Estimate:
    """The mean of differences row by row (one run minus another), over rows, or over tasks with `strata`.

    No interval where fewer than `FEW` images have a row that differs: `significance.permutation_p` is exact there, too.

    Examples
    --------
    >>> e = paired_by_image([0.0, 1.0] * 20, [str(k) for k in range(40)], np.random.default_rng(0))
    >>> e.value, e.low < 0.5 < e.high
    (0.5, True)
    """
    d = np.asarray(differences, float)
    number, many = codes(images)
    if not d.size:
        return _none(None, level, 0, 0, "no row in both")
    group, groups = codes(["all"] * len(d) if strata is None else strata)
    total, rows = np.zeros((many, groups)), np.zeros((many, groups))
    np.add.at(total, (number, group), d)
    np.add.at(rows, (number, group), 1)
    value = float((total.sum(0) / rows.sum(0)).mean())
    differ = np.unique(number[d != 0]).size
    if many < MIN_IMAGES:
        return _none(value, level, d.size, many, f"no interval: {many} images, at least {MIN_IMAGES} are needed")
    if differ < FEW:
        return _none(value, level, d.size, many, f"no interval: rows differ on {differ} images, fewer than {FEW}")

    def ratio(times: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return ((times @ total) / (times @ rows)).mean(1)

    return _percentiles(value, draws(many, rng, resamples, ratio), level, d.size, many)


def _percentiles(value: float, drawn: np.ndarray, level: float, rows: int, images: int) -> Estimate:
    known = drawn[np.isfinite(drawn)]
    if known.size < len(drawn) / 2:
        return _none(value, level, rows, images, "no interval: most draws of images lack one of the kinds compared")
    tail = (1 - checked_level(level)) / 2
    low, high = (float(v) for v in np.quantile(known, [tail, 1 - tail]))
    if high - low < 1e-9:
        return _none(
            value, level, rows, images, "no interval: every image gives the same figure, so their spread cannot be told"
        )
    left = len(drawn) - known.size
    aside = f", {left} of them left out for want of a kind" if left else ""
    return Estimate(value, low, high, level, rows, images, f"bootstrap by image, {len(drawn)} draws{aside}")


def _none(value: float | None, level: float, rows: int, images: int, why: str) -> Estimate:
    return Estimate(value, None, None, checked_level(level), rows, images, why)


def checked_level(level: float) -> float:
    """The level, refused where it is none."""
    if not 0 < level < 1:
        raise InvalidInput(f"a confidence level lies between 0 and 1, e.g. 0.95; got {level!r}")
    return level
