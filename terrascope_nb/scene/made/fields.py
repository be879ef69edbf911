"""Smooth random fields and shapes on a square grid, the raw stuff of made landscapes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

BLOCK = 64  # columns made at a time


@lru_cache(maxsize=64)
def _basis(n: int, width: float) -> np.ndarray:
    """(n, k) float32: bells `width` apart, each pixel's weights of unit square sum, so that white noise stays unit."""
    centres = np.arange(-2, int(np.ceil(n / width)) + 3) * width
    bells = np.exp(-0.5 * ((np.arange(n)[:, None] - centres) / (0.75 * width)) ** 2)
    out = (bells / np.sqrt((bells**2).sum(1, keepdims=True))).astype(np.float32)
    out.flags.writeable = False
    return out


def smooth(rng: np.random.Generator, n: int, width: float) -> np.ndarray:
    """(n, n) float32: a smooth random field of about zero mean and unit variance, features about `width` pixels wide.

    White noise on a lattice `width` apart, each node a bell: two matrix products, the second in blocks that leave out
    the bells too far away to matter, and that are too small for a linear algebra library to hand to other threads.

    Examples
    --------
    >>> field = smooth(np.random.default_rng(0), 64, 8)
    >>> field.shape, bool(abs(np.diff(field, axis=0)).max() < 1)
    ((64, 64), True)
    """
    basis = _basis(n, float(width))
    noise = rng.standard_normal((basis.shape[1], basis.shape[1]), dtype=np.float32)
    half, across = _product(basis, noise), np.ascontiguousarray(basis.T)
    out = np.empty((n, n), np.float32)
    for left in range(0, n, BLOCK):
        right = min(left + BLOCK, n)
        near = slice(max(0, int(left / width) - 2), int(right / width) + 8)  # four nodes and more to either side
        out[:, left:right] = _product(half[:, near], across[near, left:right])
    return out


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a @ b`` in strips of rows."""
    rows = max(1, 200_000 // (b.shape[0] * b.shape[1]))
    return np.concatenate([a[top : top + rows] @ b for top in range(0, len(a), rows)])


def rough(rng: np.random.Generator, n: int, width: float, octaves: int = 3, fall: float = 0.5) -> np.ndarray:
    """(n, n) float32 sum of `smooth` fields, each half as wide as the one before and `fall` as high; unit variance."""
    weights = fall ** np.arange(octaves)
    weights /= np.sqrt((weights**2).sum())
    total = np.float32(weights[0]) * smooth(rng, n, width)
    for k in range(1, octaves):
        total += np.float32(weights[k]) * smooth(rng, n, width / 2**k)
    return total


def level(field: np.ndarray, share: float, within: np.ndarray | None = None) -> float:
    """The value above which `share` (0…1) of a field lies, from every fourth pixel a side; +inf where nothing counts.

    Examples
    --------
    >>> field = np.arange(4096.0).reshape(64, 64)
    >>> round(float((field > level(field, 0.25)).mean()), 1)
    0.3
    """
    values = field[::4, ::4] if within is None else field[::4, ::4][within[::4, ::4]]
    if values.size == 0 or share <= 0:
        return np.inf
    return float(np.quantile(values, 1 - min(share, 1.0)))


def blob(
    rng: np.random.Generator, n: int, centre: tuple[float, float], radius: float, wobble: float = 0.3
) -> tuple[tuple[slice, slice], np.ndarray]:
    """A closed round shape of about `radius` pixels: the window of the (n, n) grid it lies in, and its mask there.

    The edge lies at ``radius · (1 + wobble · harmonics of the bearing)``, so that a blob has one part and no hole.
    """
    reach = radius * (1 + 2 * wobble) + 2
    window = tuple(slice(max(0, int(c - reach)), min(n, int(c + reach) + 1)) for c in centre)
    row, col = (
        np.arange(s.start, s.stop, dtype=np.float32) - np.float32(c) for s, c in zip(window, centre, strict=True)
    )
    spot = col[None] + 1j * row[:, None]
    distance = np.abs(spot)
    bearing = spot / np.maximum(distance, 1e-6)
    stretch, turn = rng.uniform(0.7, 1.0), np.exp(1j * rng.uniform(0, np.pi)).astype(np.complex64)
    edge = np.float32(stretch**0.5) / np.sqrt(1 - np.float32(1 - stretch**2) * (bearing * turn).real ** 2)
    harmonic = bearing
    for k in range(2, 6):
        harmonic = harmonic * bearing
        edge += (harmonic * np.complex64(wobble * rng.normal() / k * np.exp(1j * rng.uniform(0, 2 * np.pi)))).real
    return (window[0], window[1]), distance <= radius * np.clip(edge, 0.4, 1 + 2 * wobble)
