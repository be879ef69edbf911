"""Fills ground with stands: parcels of crops, pastures, compartments of wood, towns of streets, roofs and gardens.

Sizes are in cells of the fine grid, `FINE` to a pixel a side: 2.5 m where a pixel is 10 m.
"""

from __future__ import annotations

import numpy as np

from terrascope_nb.scene.made.covers import Stands
from terrascope_nb.scene.made.fields import rough, smooth
from terrascope_nb.scene.made.season import SEASONS, STAGES, Day

FINE = 4  # cells of the fine grid a pixel, each way
TREE_SHARES = {"broadleaf": 0.55, "conifer": 0.45}
ROOFS = {"roof": 14, "tile": 6, "metal": 3, "pavement": 4}


def _hash(a: np.ndarray, b: np.ndarray, n: int) -> np.ndarray:
    """A number in 0…n−1 for each pair of whole numbers, the same for the same pair."""
    mixed = (a.astype(np.uint32) * np.uint32(73856093)) ^ (b.astype(np.uint32) * np.uint32(19349663))
    return ((mixed ^ (mixed >> np.uint32(13))) & np.uint32(0xFFFFFF)).astype(np.int32) % np.int32(n)


def parcels(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Parcels of land: (n, n) int32 strip and place along it of each cell, together the parcel.

    A few blocks of land lie at angles of their own, each cut into strips and the strips at random lengths.
    """
    blocks = int(rng.integers(2, 6))
    seeds = rng.uniform(0, n, (blocks, 2)).astype(np.float32)
    angles = rng.uniform(0, np.pi) + rng.normal(0, 0.35, blocks)
    widths = (rng.uniform(0.045, 0.12, blocks) * n).astype(np.float32)
    row, col = np.arange(n, dtype=np.float32)[:, None], np.arange(n, dtype=np.float32)[None]
    bend = np.float32(0.06 * n) * smooth(rng, n, n / 2)
    which, least = np.zeros((n, n), np.int16), np.full((n, n), np.inf, np.float32)
    for k, (r, c) in enumerate(seeds):
        away = (row - r) ** 2 + (col - c) ** 2
        which[away < least] = k
        np.minimum(least, away, out=least)
    cos, sin = np.cos(angles).astype(np.float32)[which], np.sin(angles).astype(np.float32)[which]
    u, v = row * cos + col * sin + bend, col * cos - row * sin
    strip = np.floor(u / widths[which]).astype(np.int32) + 512 * which
    shifts = rng.uniform(0, n, 4096).astype(np.float32)
    lengths = (rng.uniform(1.2, 3.2, 4096) * 0.08 * n).astype(np.float32)
    return strip, np.floor((v + shifts[strip % 4096]) / lengths[strip % 4096]).astype(np.int32)


def farmland(stands: Stands, day: Day, land: tuple[np.ndarray, np.ndarray], bare: bool = True) -> np.ndarray:
    """(n, n) int32 stand of each cell, were all of it fields of `parcels`; without `bare`, every field bears a crop.

    Margins of grass or hedges run between the fields.
    """
    rng, (strip, block) = stands.rng, land
    chances = np.array(SEASONS[day.season][1])
    chances = rng.dirichlet(12 * chances + 0.05)
    if not bare:
        chances[0] = 0.0
    stages = rng.choice(len(STAGES), 72, p=chances / chances.sum())
    first = len(stands.covers)
    for stage in stages:
        stands.add(STAGES[stage])
    out = first + _hash(strip, block, len(stages))
    if rng.random() < 0.75:
        _margins(stands, out, land, "meadow" if rng.random() < 0.6 else "broadleaf")
    return out


def _margins(stands: Stands, cells: np.ndarray, land: tuple[np.ndarray, np.ndarray], cover: str) -> None:
    """A line one cell wide along each parcel's edge, gone in places; `cells` is changed in place."""
    rng, parcel = stands.rng, land[0] * 256 + land[1] % 256
    edge = np.zeros(cells.shape, bool)
    edge[1:] |= parcel[1:] != parcel[:-1]
    edge[:, 1:] |= parcel[:, 1:] != parcel[:, :-1]
    edge &= smooth(rng, len(cells), len(cells) / 6) > rng.uniform(-1.2, 0.5)
    cells[edge] = stands.add(cover)


def by_parcel(field: np.ndarray, land: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """(n, n) float32 mean of a field over each of `parcels`."""
    parcel = _hash(*land, 1 << 16).ravel()
    held = np.bincount(parcel, minlength=1 << 16)
    means = np.bincount(parcel, field.ravel(), 1 << 16) / np.maximum(held, 1)
    return means.astype(np.float32)[parcel].reshape(field.shape)


def meadows(stands: Stands, land: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """(n, n) int32 stand of each cell, were all of it grass: pastures by parcels, or a few that run into each other."""
    if stands.rng.random() < 0.6:
        out = stands.add("meadow", 8) + _hash(*land, 8)
        if stands.rng.random() < 0.6:
            _margins(stands, out, land, "broadleaf")
        return out
    return _patches(stands, len(land[0]), ["meadow"] * 4, len(land[0]) / 5)


def woods(stands: Stands, n: int) -> np.ndarray:
    """(n, n) int32 stand of each cell, were all of it wood: compartments of broadleaved and coniferous trees."""
    kinds = stands.rng.choice(list(TREE_SHARES), stands.rng.integers(2, 5), p=list(TREE_SHARES.values()))
    return _patches(stands, n, [str(k) for k in kinds], n / 6)


def open_ground(stands: Stands, n: int) -> np.ndarray:
    """(n, n) int32 stand of each cell, were all of it open ground: bare soil, here and there gravel or sand."""
    kinds = ["soil", "soil", "gravel"] if stands.rng.random() < 0.6 else ["soil"] * 3
    return _patches(stands, n, kinds, n / 8)


def _patches(stands: Stands, n: int, covers: list[str], width: float) -> np.ndarray:
    """Each stand has a field of its own; where it is the highest, the stand lies."""
    first = [stands.add(c) for c in covers][0]
    best, out = rough(stands.rng, n, width, 4, 0.6), np.zeros((n, n), np.int32)
    for k in range(1, len(covers)):
        field = rough(stands.rng, n, width, 4, 0.6)
        out[field > best] = k
        np.maximum(best, field, out=best)
    return first + out


def paint_town(
    stands: Stands, ground: np.ndarray, window: tuple[slice, slice], mask: np.ndarray, parks: bool = True
) -> None:
    """Build a town on the cells of a window where `mask` is true; `ground` is changed in place.

    Streets 7 m wide enclose blocks of lots with a house and a garden each; towards the middle the houses fill their
    lots; some blocks are halls and yards.
    """
    rng = stands.rng
    if not mask.any():
        return
    roofs = np.concatenate([np.arange(n) + stands.add(kind, n) for kind, n in ROOFS.items()])
    street, yard = stands.add("street"), stands.add("pavement")
    gardens = np.arange(6) + stands.add("garden", 6)
    angle, pitch = rng.uniform(0, np.pi), int(rng.integers(20, 34))
    row, col = np.indices(mask.shape, dtype=np.float32)
    u = row * np.float32(np.cos(angle)) + col * np.float32(np.sin(angle)) + 4096
    v = col * np.float32(np.cos(angle)) - row * np.float32(np.sin(angle)) + 4096
    bu, bv = np.floor(u / pitch), np.floor(v / (1.6 * pitch))
    iu, iv = u - bu * pitch, v - bv * 1.6 * pitch
    lot = float(rng.integers(7, 10))
    lu, lv = np.floor(iu / lot), np.floor(iv / lot)
    ou, ov = iu - lu * lot, iv - lv * lot
    size = lot * rng.uniform(0.5, 0.72)
    inward = mask.sum() ** 0.5 * 0.30
    centre = np.hypot(row - row[mask].mean(), col - col[mask].mean()) < inward * rng.uniform(0.3, 1.0)
    works = (_hash(bu, bv, 100) < rng.integers(5, 25)) & ~centre
    roof = roofs[_hash(bu * 64 + lu, bv * 64 + lv, len(roofs))]
    big = roofs[_hash(bu + 77, bv + 13, len(roofs))]
    out = gardens[_hash(bu * 8 + lu // 2, bv * 8 + lv // 2, len(gardens))]
    house = (ou >= 1) & (ov >= 1) & (ou < 1 + size) & (ov < 1 + size)
    house |= centre & (ou >= 0.5) & (ov >= 0.5)
    out = np.where(house, roof, out)
    out = np.where(works, np.where((iu > 6) & (iv > 7) & (iu < pitch - 4), big, yard), out)
    out = np.where((iu < 3) | (iv < 3), street, out)
    ground[window][mask] = out[mask]


def paint_road(stands: Stands, ground: np.ndarray, ends: np.ndarray, half: float) -> None:
    """Draw a road between two points of the fine grid, gently bent, `half` cells to either side."""
    n, rng = ground.shape[0], stands.rng
    (r0, c0), (r1, c1) = ends
    t = np.linspace(0, 1, 2 * n)
    bend = rng.normal(0, 0.06) * n * np.sin(np.pi * t) + rng.normal(0, 0.03) * n * np.sin(2 * np.pi * t)
    long = np.hypot(r1 - r0, c1 - c0) or 1.0
    row, col = r0 + (r1 - r0) * t - bend * (c1 - c0) / long, c0 + (c1 - c0) * t + bend * (r1 - r0) / long
    road = stands.add("street")
    for dr in np.arange(-half, half + 0.1):
        for dc in np.arange(-half, half + 0.1):
            i, j = np.round(row + dr).astype(int), np.round(col + dc).astype(int)
            on = (i >= 0) & (j >= 0) & (i < n) & (j < n)
            ground[i[on], j[on]] = road


def river_mask(rng: np.random.Generator, n: int, half: float) -> np.ndarray:
    """(n, n) bool: a meandering band `2 · half` cells wide, from one edge to the other."""
    from scipy.ndimage import gaussian_filter1d

    t = np.arange(n)
    wander = gaussian_filter1d(rng.standard_normal(n), n / rng.uniform(9, 20), mode="nearest")
    wander = wander / (np.abs(wander).max() or 1.0) * rng.uniform(0.05, 0.2) * n
    path = n * rng.uniform(0.25, 0.75) + rng.normal(0, 0.15) * (t - n / 2) + wander
    path = np.clip(path, 3 * half, n - 3 * half)
    wide = half * (1 + 0.25 * gaussian_filter1d(rng.standard_normal(n), n / 12) * np.sqrt(n / 6))
    steep = np.sqrt(1 + np.gradient(path) ** 2)
    across = np.abs(np.arange(n)[:, None] - path[None]) <= np.clip(wide, 0.7 * half, 1.5 * half)[None] * steep[None]
    return across if rng.random() < 0.5 else across.T
