"""Where to cut a histogram: the valley between two modes, inside bounds that physics gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Values looked at per histogram; a regular subsample is taken above it (512 × 512: the noise of a bin is under 2 %).
_MOST_VALUES = 262_144
#: Bins between the two bounds.
_BINS = 24
#: Each side must hold this share of the values, else it is noise and the default stands.
_LEAST_SHARE = 0.005
#: The valley must be at most this deep against the lower of the two modes beside it.
_DEEP = 0.5


@dataclass(frozen=True)
class Cut:
    """One threshold and how it was found.

    Attributes
    ----------
    value : float
        The threshold, in the unit of the values.
    low, high : float
        The bounds it was held between.
    found : bool
        True when a valley was found in this image, False when the default stands.
    """

    value: float
    low: float
    high: float
    found: bool

    def __str__(self) -> str:
        how = "valley of this image's histogram" if self.found else "default, no clear valley in this image"
        return f"{self.value:.3g} ({how}; bounds {self.low:g} to {self.high:g})"


def find_valley(values: np.ndarray, low: float, high: float, default: float) -> Cut:
    """Return the valley between the two modes that lie either side of it, or the default.

    The histogram spans the bounds and one and a half times their width on each side, and is smoothed by a [1 2 1]
    kernel twice. A valley (the middle of its flat bottom) is taken only if it is at most half as high as the lower of
    the two modes beside it and 0.5 % of all values lie beyond each bound.

    The cut never leaves its bounds, so a pixel that is clear of them gets the same answer at any extent; only a pixel
    whose value is between the bounds can change sides when the extent changes.

    Parameters
    ----------
    values : ndarray
        Any shape; values that are not finite are left out.
    low, high, default : float
        Bounds and the value without a valley, in the unit of `values`.

    Returns
    -------
    Cut

    Examples
    --------
    >>> import numpy as np
    >>> two = np.concatenate([np.full(500, 0.02), np.full(500, 0.2)])
    >>> cut = find_valley(two, 0.05, 0.10, 0.07)
    >>> cut.found, 0.05 <= cut.value <= 0.10
    (True, True)
    >>> find_valley(np.full(1000, 0.2), 0.05, 0.10, 0.07).value
    0.07
    """
    flat = np.asarray(values).reshape(-1)
    flat = flat[:: max(1, flat.size // _MOST_VALUES)]
    flat = flat[np.isfinite(flat)]
    default_cut = Cut(float(default), low, high, False)
    if flat.size < 100:
        return default_cut
    below = float((flat < low).mean())
    above = float((flat > high).mean())
    if min(below, above) < _LEAST_SHARE:
        return default_cut
    margin = 1.5 * (high - low)
    edges = np.linspace(low - margin, high + margin, 4 * _BINS + 1)
    counts, _ = np.histogram(flat, edges)
    smooth = counts.astype("float64")
    for _ in range(2):
        padded = np.pad(smooth, 1, mode="edge")
        smooth = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    centres = (edges[:-1] + edges[1:]) / 2
    inside = np.flatnonzero((centres >= low) & (centres <= high))
    floor = smooth[inside].min()
    bottom = inside[smooth[inside] <= 1.25 * floor + 1]
    at = bottom[len(bottom) // 2]
    left, right = smooth[: at + 1].max(), smooth[at:].max()
    if floor > _DEEP * min(left, right):
        return default_cut
    return Cut(float(centres[at]), low, high, True)
