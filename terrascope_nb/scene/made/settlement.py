"""Separate buildings on gardens and streets, at about a metre a pixel."""

from __future__ import annotations

import numpy as np

from terrascope_nb.scene.made.covers import Stands
from terrascope_nb.scene.made.fields import level, rough
from terrascope_nb.scene.made.painters import FINE, meadows, parcels, woods


def settle(rng: np.random.Generator, size: int) -> tuple[Stands, np.ndarray, np.ndarray]:
    """Stands, the fine grid of cells (FINE·size, FINE·size) int32, and the stands that are buildings.

    The stand after each building's is its shadow on the grass to the north-west.

    Streets lie every two rows of lots; a building is a rectangle or an L of whole pixels within its lot, at least two
    pixels from any other.
    """
    stands, n = Stands(rng), FINE * size
    cells = meadows(stands, parcels(rng, n))
    trees = rough(rng, n, n / 10, 4, 0.6)
    grove = trees > level(trees, rng.uniform(0.1, 0.35))
    cells[grove] = woods(stands, n)[grove]
    street = stands.add("street")
    pitch, wide = int(rng.integers(13, 18)), 3
    houses = []
    for top in range(int(rng.integers(0, 4)), size, 2 * pitch + wide):
        cells[FINE * top : FINE * (top + wide)] = street
        for row in (top + wide + 1, top + wide + 1 + pitch):
            for col in range(2, size - pitch, pitch):
                if row + pitch > size or rng.random() < 0.15:
                    continue
                houses.append(stands.add(str(rng.choice(["roof", "roof", "tile", "metal", "pavement"]))))
                stands.add("shade")
                _build(rng, cells, row, col, pitch, houses[-1], street)
    return stands, cells, np.array(houses, int)


def _build(
    rng: np.random.Generator, cells: np.ndarray, row: int, col: int, pitch: int, stand: int, street: int
) -> None:
    """Put one building on its lot."""
    high, wide = (int(k) for k in rng.integers(6, pitch - 3, 2))
    row, col = row + int(rng.integers(0, pitch - 2 - high)), col + int(rng.integers(0, pitch - 2 - wide))
    shape = np.ones((high, wide), bool)
    if rng.random() < 0.4:  # an L: one quarter is left out, each wing three pixels wide at least
        cut = (slice(0, high - 3), slice(0, wide - 3))
        shape[cut] = False
    fine = np.repeat(np.repeat(shape, FINE, 0), FINE, 1)
    up, left = FINE * int(rng.integers(1, 3)), FINE
    shaded = cells[FINE * row - up : FINE * (row + high) - up, FINE * col - left : FINE * (col + wide) - left]
    shaded[fine & (shaded < street)] = stand + 1  # on grass and trees, which came before the streets
    block = cells[FINE * row : FINE * (row + high), FINE * col : FINE * (col + wide)]
    block[fine] = stand
