"""From stands on a fine grid to what a sensor records: mixed pixels, texture, blur, sky, noise; and the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from terrascope_nb.scene.made.covers import BUILT_OF, COVERS, NUMBER, Stands, palette
from terrascope_nb.scene.made.fields import smooth
from terrascope_nb.scene.made.painters import FINE
from terrascope_nb.scene.made.radar import backscatter, speckled
from terrascope_nb.scene.made.season import Day
from terrascope_nb.scene.made.sky import Sky, through
from terrascope_nb.scene.made.water import WATERS
from terrascope_nb.scene.spectra import BANDS, CENTRES, NAMES

LEAST = 5  # pixels of the smallest 8-connected part of a class


@dataclass(frozen=True, eq=False)
class Seen:
    """What the pixels of one date hold.

    Attributes
    ----------
    weights : scipy.sparse.csr_array
        (H·W, stands): share of each pixel's ground.
    labels : numpy.ndarray
        (H, W) uint8, class with the largest share of the pixel.
    mixed : numpy.ndarray
        (H, W) float32, share 0…1 of the pixel's ground that is of other classes.
    """

    weights: Any
    labels: np.ndarray
    mixed: np.ndarray


def mix(cells: np.ndarray, classes: np.ndarray) -> tuple[Seen, np.ndarray]:
    """Mix the fine grid to pixels, and the cells as they were mixed.

    A part of a class (8-connected) below `LEAST` pixels is first given to its surroundings, ground and all, so that
    the truth holds no speck and the picture none either.
    """
    from scipy.ndimage import distance_transform_edt, label
    from scipy.sparse import csr_array

    size = cells.shape[0] // FINE
    blocks = cells.reshape(size, FINE, size, FINE).transpose(1, 3, 0, 2).reshape(FINE * FINE, size * size)
    numbers, code = np.unique(classes, return_inverse=True)
    code = code.astype(np.uint8)
    for _ in range(20):
        inside = code[blocks]
        counts = np.stack([(inside == k).sum(0, dtype=np.uint8) for k in range(len(numbers))])
        labels = counts.argmax(0).reshape(size, size)
        small = np.zeros((size, size), bool)
        for k in range(len(numbers)):
            parts, _ = label(labels == k, np.ones((3, 3)))
            few = np.bincount(parts.ravel()) < LEAST
            few[0] = False
            small |= few[parts]
        if not small.any() or small.all():
            break
        row, col = distance_transform_edt(small, return_distances=False, return_indices=True)
        blocks = blocks[:, (row * size + col).ravel()]
    share = counts.max(0).reshape(size, size) / np.float32(FINE * FINE)
    rows = np.arange(0, blocks.size + 1, FINE * FINE, dtype=np.int32)
    held = np.ascontiguousarray(blocks.T).ravel()
    weights = csr_array((np.full(blocks.size, 1 / FINE**2, np.float32), held, rows), shape=(size * size, len(classes)))
    mixed = blocks.reshape(FINE, FINE, size, size).transpose(2, 0, 3, 1).reshape(cells.shape)
    return Seen(weights, numbers[labels], (1 - share).astype(np.float32)), mixed


def optical(
    rng: np.random.Generator,
    seen: Seen,
    stands: Stands,
    covers: np.ndarray,
    day: Day,
    *,
    sky: Sky | None = None,
    haze: float = 0.0,
    pixel: float = 10.0,
) -> dict[str, np.ndarray]:
    """Reflectance of each band (H, W) float32, 0…1.2.

    Texture, relief and light come before the blur (a band's native pixel of 10, 20 or 60 m against a `pixel` of the
    picture), haze, cloud and noise after it. Noise is 0.001 + 1 % of the reflectance, half that in the coastal band;
    what the correction for the air left, −0.006…0.010 in the blue, falls with the fourth power of the wavelength.
    """
    from scipy.ndimage import gaussian_filter

    size = seen.labels.shape[0]
    mean, towards, spreads = palette(stands, covers, day)
    table = np.concatenate([mean, towards, spreads], 1)
    table = (seen.weights @ table).reshape(size, size, -1)
    n = len(BANDS)
    patches = smooth(rng, size, size / 10) + 0.7 * smooth(rng, size, size / 28)
    grain = rng.standard_normal((2, size, size), dtype=np.float32)
    toward = table[..., 2 * n] * np.abs(patches) + table[..., 2 * n + 1] * grain[0]
    water = (seen.weights @ np.isin(covers, [NUMBER[k] for k in WATERS]).astype(np.float32)).reshape(size, size)
    if water.any():
        toward = toward + water * _shallow(rng, water)
    relief = smooth(rng, size, size / 6) * rng.uniform(0.0, 0.06) / np.tan(np.radians(max(day.elevation, 15.0)))
    crowns = 0.75 * grain[1] + 0.65 * smooth(rng, size, 2.2)
    light = 1 + table[..., 2 * n + 2] * crowns + np.clip(relief, -0.3, 0.3) * (1 - water)
    bands = (table[..., :n] + toward[..., None] * table[..., n : 2 * n]) * np.clip(light, 0.4, 1.8)[..., None]
    bands = np.moveaxis(np.clip(bands, 0.001, 1.1), -1, 0).copy()
    for k, band in enumerate(BANDS):
        bands[k] = gaussian_filter(bands[k], 0.42 * max(1.0, band.native / pixel), mode="nearest", truncate=3)
    veil = smooth(rng, size, size / 2.5) if haze else None
    bands = through(bands, sky, haze, veil)
    air = (rng.uniform(-0.006, 0.010) * (490 / CENTRES) ** 4).astype(np.float32)
    sigma = 0.001 + 0.010 * bands
    sigma[0] *= 0.5  # 60 m pixels: many samples
    noise = rng.standard_normal(bands.shape, dtype=np.float32)
    bands = np.clip(bands + air[:, None, None] + sigma * noise, 0, 1.2)
    return {name: np.ascontiguousarray(bands[k], np.float32) for k, name in enumerate(NAMES)}


def _shallow(rng: np.random.Generator, water: np.ndarray) -> np.ndarray:
    """(H, W) how near each pixel's water is to its shallow edge, 1 at the shore … 0 in the deep."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(np.pad(water > 0.5, 1, mode="edge"))[1:-1, 1:-1] * 10  # of what is drawn 10 m wide
    return np.exp(-depth / rng.uniform(6, 45)).astype(np.float32)


def sar(rng: np.random.Generator, seen: Seen, stands: Stands, covers: np.ndarray, day: Day) -> dict[str, np.ndarray]:
    """VV and VH (H, W) float32, linear power."""
    size = seen.labels.shape[0]
    textures = {"broadleaf": 0.8, "conifer": 0.8, "garden": 1.5, **dict.fromkeys(BUILT_OF, 2.0)}
    texture = np.array([textures.get(c, 0.3) for c in COVERS], np.float32)[covers]
    table = np.concatenate([backscatter(rng, stands, covers, day), texture[:, None]], 1)
    table = (seen.weights @ table).reshape(size, size, 3)
    return speckled(rng, table[..., :2], table[..., 2])
