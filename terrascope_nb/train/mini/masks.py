"""Masks that are not the truth: as a network might draw them, and of somewhere else altogether."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def near(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    """A mask drawn with mistakes: grown, shrunk, moved by a pixel or two, rough at the edge, or with specks.

    Examples
    --------
    >>> lake = np.zeros((40, 40), bool)
    >>> lake[10:30, 10:30] = True
    >>> drawn = near(np.random.default_rng(0), lake)
    >>> bool(0.5 < (drawn & lake).sum() / (drawn | lake).sum() < 1)
    True
    """
    kind = rng.integers(5)
    if kind == 0:
        return ndimage.binary_dilation(mask, iterations=int(rng.integers(1, 3)))
    if kind == 1:
        return ndimage.binary_erosion(mask, iterations=1, border_value=1)
    if kind == 2:
        return np.roll(mask, tuple(rng.integers(-2, 3, 2)), (0, 1))
    if kind == 3:
        inside = ndimage.gaussian_filter(mask.astype(np.float32), rng.uniform(0.8, 2.0))
        return inside + 0.15 * smooth(rng, mask.shape[0], 2.0) > 0.5
    specks = smooth(rng, mask.shape[0], 1.5)
    return mask | (specks > np.quantile(specks, 1 - rng.uniform(0.002, 0.02)))


def foreign(rng: np.random.Generator, size: int, share: float | None = None) -> np.ndarray:
    """A mask that has nothing to do with the picture: one to several blobs on a share (0…1) of it, at times nothing."""
    if share is None:
        if rng.random() < 0.06:
            return np.zeros((size, size), bool)
        share = float(np.exp(rng.uniform(np.log(0.01), np.log(0.7))))
    field = smooth(rng, size, rng.uniform(4, 16))
    if rng.random() < 0.5:  # one blob somewhere
        rows, columns = np.indices((size, size))
        centre = rng.uniform(0, size, 2)
        field = 0.3 * field - np.hypot(rows - centre[0], columns - centre[1]) / (0.3 * size)
    return field > np.quantile(field, 1 - min(share, 1.0))


def apart(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Two objects with a gap between them: the gap is drawn first, so that no length is more common than another."""
    rows, columns = np.indices((size, size))
    first, second = rng.uniform(0.04, 0.16, 2) * size
    gap = rng.uniform(2, 0.6 * size)
    angle = rng.uniform(0, 2 * np.pi)
    reach = (first + gap + second) / 2
    middle = np.array([size / 2, size / 2]) + rng.uniform(-0.1, 0.1, 2) * size
    step = reach * np.array([np.sin(angle), np.cos(angle)])
    out = [np.hypot(rows - p[0], columns - p[1]) < r for p, r in ((middle - step, first), (middle + step, second))]
    return out[0], out[1]


def smooth(rng: np.random.Generator, size: int, width: float) -> np.ndarray:
    """A smooth random field of unit variance."""
    field = ndimage.gaussian_filter(rng.standard_normal((size, size)).astype(np.float32), width, mode="reflect")
    return (field - field.mean()) / (field.std() or 1.0)
