"""Where things lie: whole landscapes, objects apart from each other, and pairs of classes of nearly one size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from terrascope_nb.scene.made.covers import Stands
from terrascope_nb.scene.made.fields import blob, level, rough, smooth
from terrascope_nb.scene.made.painters import (
    FINE,
    by_parcel,
    farmland,
    meadows,
    open_ground,
    paint_road,
    paint_town,
    parcels,
    river_mask,
    woods,
)
from terrascope_nb.scene.made.season import Day

LAYOUTS = ("mixed", "isolated", "close")
KINDS = ("water", "tree cover", "grassland", "cropland", "bare land", "built-up")
LAKES, RIVERS = {"clear": 0.4, "dark": 0.25, "muddy": 0.2, "green": 0.15}, {"clear": 0.3, "dark": 0.2, "muddy": 0.5}


@dataclass(eq=False)
class Ground:
    """The ground of one scene on the fine grid.

    Attributes
    ----------
    stands : Stands
    cells : numpy.ndarray
        (n, n) int32 stand of each cell.
    height : numpy.ndarray
        (n, n) float32, without unit: what is low floods first and is snowed on last.
    fields : bool
        Whether fields may lie bare (they may not where bare land has places of its own).
    land : (numpy.ndarray, numpy.ndarray)
        Its `parcels`.
    """

    stands: Stands
    cells: np.ndarray
    height: np.ndarray
    fields: bool
    land: tuple[np.ndarray, np.ndarray]


def draw(rng: np.random.Generator, shares: dict[str, float]) -> str:
    """One key, by its share."""
    return str(rng.choice(list(shares), p=list(shares.values())))


def lay_out(rng: np.random.Generator, size: int, layout: str, day: Day) -> Ground:
    """The ground of a layout on a fine grid of ``FINE · size`` cells a side."""
    n = FINE * size
    cells, height = np.zeros((n, n), np.int32), rough(rng, n, n / 3.5, 4)
    ground = Ground(Stands(rng), cells, height, layout == "mixed", parcels(rng, n))
    {"mixed": _mixed, "isolated": _isolated, "close": _close}[layout](ground, day)
    return ground


def fill(ground: Ground, kind: str, where: np.ndarray, day: Day, window: tuple[slice, slice] | None = None) -> None:
    """Turn the cells of a mask (of the whole grid, or of a window) into one kind of `KINDS`."""
    n, stands = ground.cells.shape[0], ground.stands
    window = window or (slice(0, n), slice(0, n))
    if kind == "water":
        ground.cells[window][where] = stands.add(draw(stands.rng, LAKES))
    elif kind == "built-up":
        paint_town(stands, ground.cells, window, where)
    else:
        if kind == "cropland":
            every = farmland(stands, day, ground.land, ground.fields)
        elif kind == "grassland":
            every = meadows(stands, ground.land)
        else:
            every = (woods if kind == "tree cover" else open_ground)(stands, n)
        ground.cells[window][where] = every[window][where]


def _mixed(ground: Ground, day: Day) -> None:
    rng, stands, height = ground.stands.rng, ground.stands, ground.height
    n = height.shape[0]
    everywhere = np.ones((n, n), bool)
    fill(ground, "grassland", everywhere, day)
    farmed = by_parcel(height + 0.5 * smooth(rng, n, n / 8), ground.land)
    fill(ground, "cropland", farmed < level(farmed, 1 - rng.uniform(0.25, 0.8)), day)
    if rng.random() < 0.5:
        field = rough(rng, n, n / 9)
        fill(ground, "bare land", field > level(field, rng.uniform(0.02, 0.15)), day)
    wood = rough(rng, n, n / rng.uniform(4, 12), 4, 0.6) + 0.4 * height
    fill(ground, "tree cover", wood > level(wood, rng.uniform(0.08, 0.45)), day)
    towns = [rng.uniform(0.12, 0.88, 2) * n for _ in range(rng.integers(1, 4))]
    for k, centre in enumerate(towns):
        window, mask = blob(rng, n, tuple(centre), n * rng.uniform(0.04, 0.14) / (1 + 0.6 * k), 0.5)
        paint_town(stands, ground.cells, window, mask)
    for k, centre in enumerate(towns):
        edge = [rng.uniform(0, n), float(rng.choice([0, n - 1]))]
        to = towns[k - 1] if k else np.array(edge if rng.random() < 0.5 else edge[::-1])
        paint_road(stands, ground.cells, np.array([centre, to]), float(rng.choice([1.0, 1.0, 2.0])))
    if rng.random() < 0.8:
        shore = height + 0.12 * smooth(rng, n, n / 20)
        fill(ground, "water", shore < -level(-shore, rng.uniform(0.015, 0.13)), day)
    if rng.random() < 0.7:
        ground.cells[river_mask(rng, n, rng.uniform(3.5, 9))] = stands.add(draw(rng, RIVERS))


def _isolated(ground: Ground, day: Day) -> None:
    """Ponds, hamlets, woodlots, single fields or pits on one background; gaps are drawn, wide and narrow alike."""
    rng, n = ground.stands.rng, ground.cells.shape[0]
    background = draw(rng, {"grassland": 0.4, "cropland": 0.3, "tree cover": 0.15, "bare land": 0.15})
    fill(ground, background, np.ones((n, n), bool), day)
    kinds = [k for k in KINDS if k != background and not (background == "cropland" and k == "grassland")]
    kinds = [str(k) for k in rng.permutation(kinds)[: rng.integers(2, 5)]]
    placed: list[tuple[np.ndarray, float, str]] = []
    for k, kind in enumerate(kinds):
        for _ in range(1 if k < 2 else int(rng.integers(1, 3))):
            radius = n * float(np.exp(rng.uniform(np.log(0.045), np.log(0.17))))
            spot = _spot(rng, n, radius, placed)
            if spot is None:
                continue
            placed.append((spot, radius, kind))
            window, mask = blob(rng, n, (spot[0], spot[1]), radius, 0.25)
            fill(ground, kind, mask, day, window)


def _spot(
    rng: np.random.Generator, n: int, radius: float, placed: list[tuple[np.ndarray, float, str]]
) -> np.ndarray | None:
    """A place for an object at a gap from the last one that is drawn evenly between 2 % and 85 % of the side."""
    for _ in range(40):
        spot = rng.uniform(1.3 * radius, n - 1.3 * radius, 2)
        if placed:
            last, size, _ = placed[-1]
            way, gap = rng.uniform(0, 2 * np.pi), n * rng.uniform(0.02, 0.85)
            spot = last + (size + radius + gap) * np.array([np.cos(way), np.sin(way)])
        inside = ((spot > 1.2 * radius) & (spot < n - 1.2 * radius)).all()
        if inside and all(np.hypot(*(spot - s)) > 1.25 * (radius + r) + 3 * FINE for s, r, _ in placed):
            return spot
    return None


def _close(ground: Ground, day: Day) -> None:
    """Two classes whose shares differ by 2 to 6 points, on a background that is larger than both, and little else."""
    rng, n = ground.stands.rng, ground.cells.shape[0]
    kinds = [str(k) for k in rng.permutation(KINDS)]
    if "built-up" == kinds[2]:
        kinds[2], kinds[1] = kinds[1], kinds[2]  # a town is no background
    first, second, background = kinds[:3]
    fill(ground, background, np.ones((n, n), bool), day)
    large = rng.uniform(0.14, 0.34)
    small = large - rng.uniform(0.025, 0.055)
    one, other = (rough(rng, n, n / rng.uniform(2.5, 6), 3, 0.4) for _ in range(2))
    mine = one > level(one, large)
    yours = ~mine & (other > level(other, small / (1 - large), ~mine))
    if rng.random() < 0.5:
        first, second = second, first
    fill(ground, first, mine, day)
    fill(ground, second, yours, day)
