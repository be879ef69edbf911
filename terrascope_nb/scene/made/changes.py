"""What may happen between two dates, each a change of cover whose place is known."""

from __future__ import annotations

import numpy as np

from terrascope_nb.scene.made.covers import CLASS_OF, CROP, GRASS, NUMBER, TREES, WATER, Stands
from terrascope_nb.scene.made.fields import blob, level, rough, smooth
from terrascope_nb.scene.made.layouts import Ground
from terrascope_nb.scene.made.painters import FINE, paint_town
from terrascope_nb.scene.made.season import SEASONS, STAGES, Day

CHANGES = ("none", "clearing", "flood", "drying", "harvest", "building", "snow", "fire")
"""Names of the changes. «none» lets the year go on, every pixel keeping its class."""


def grown(stands: Stands, covers: np.ndarray, day: Day) -> np.ndarray:
    """(n,) covers on a later day: crops go on to a stage of that season, every stand keeping its class."""
    rng, later = stands.rng, covers.copy()
    crops = np.isin(covers, [NUMBER[s] for s in STAGES if CLASS_OF[s] == CROP])
    chances = np.array(SEASONS[day.season][1])[1:] + 1e-3  # all stages but the bare field
    drawn = rng.choice([NUMBER[s] for s in STAGES[1:]], len(covers), p=chances / chances.sum())
    later[crops] = drawn[crops]
    return later


def snow_on(ground: Ground, cells: np.ndarray, covers: np.ndarray, share: float) -> np.ndarray:
    """Cells after snow fell on `share` of the open ground (grass, fields, bare land), the highest first."""
    open_land = ~np.isin(ground.stands.classes(covers)[cells], (TREES, WATER, 50))
    uneven = ground.height + 0.2 * smooth(ground.stands.rng, cells.shape[0], cells.shape[0] / 24)
    out = cells.copy()
    out[open_land & (uneven > level(uneven, share, open_land))] = ground.stands.add("snow")
    return out


def changed(ground: Ground, cells: np.ndarray, covers: np.ndarray, labels: np.ndarray, kind: str) -> np.ndarray:
    """(n, n) int32 cells after one of `CHANGES` but «none».

    Only cells of their pixel's own class change (`labels` (H, W)), so that no field turns to another class because a
    hedge in it went. A few mixed pixels still do, where the change leaves a third class with the largest share.

    clearing
        8…60 % of the wood, in compartments, becomes bare land, or grass.
    flood
        Muddy water over the lowest 8…30 % of grass, fields and bare land.
    drying
        15…70 % of the water, from the shore inwards, becomes bare mud.
    harvest
        25…90 % of the stands of crops are ploughed: bare land.
    building
        New quarters on grass, fields or bare land, 3…12 % of the scene.
    snow
        On 20…80 % of the open ground, the highest first.
    fire
        Burns 10…50 % of wood and grass.
    """
    rng, stands, n = ground.stands.rng, ground.stands, cells.shape[0]
    classes = stands.classes(covers)[cells]
    classes[classes != np.repeat(np.repeat(labels, FINE, 0), FINE, 1)] = 0
    open_land = ~np.isin(classes, (0, TREES, WATER, 50))
    out = cells.copy()
    if kind == "clearing":
        wood, field = classes == TREES, rough(rng, n, n / 8, 2, 0.3)
        cover = "cleared" if rng.random() < 0.7 else "meadow"
        out[wood & (field > level(field, rng.uniform(0.08, 0.6), wood))] = stands.add(cover)
    elif kind == "flood":
        low = -ground.height + 0.15 * smooth(rng, n, n / 16)
        out[open_land & (low > level(low, rng.uniform(0.08, 0.3), open_land))] = stands.add("muddy")
    elif kind == "drying":
        shore = -inland(classes == WATER) + 0.6 * smooth(rng, n, n / 20)
        out[(classes == WATER) & (shore > level(shore, rng.uniform(0.15, 0.7), classes == WATER))] = stands.add("mud")
    elif kind == "harvest":
        crops = np.flatnonzero(stands.classes(covers) == CROP)
        cut = crops[rng.random(len(crops)) < rng.uniform(0.25, 0.9)]
        ploughed = np.arange(len(covers))
        ploughed[cut] = stands.add("bare field", len(cut)) + np.arange(len(cut)) if len(cut) else cut
        out = np.where(classes == CROP, ploughed.astype(np.int32)[cells], cells)
    elif kind == "building":
        spots = np.argwhere(open_land[:: 4 * FINE, :: 4 * FINE]) * 4 * FINE
        for centre in rng.permutation(spots)[: rng.integers(1, 3)]:
            window, mask = blob(rng, n, tuple(centre), n * rng.uniform(0.09, 0.17), 0.4)
            paint_town(stands, out, window, mask & open_land[window])
    elif kind == "snow":
        out = np.where(open_land, snow_on(ground, cells, covers, rng.uniform(0.2, 0.8)), cells)
    elif kind == "fire":
        fuel, field = np.isin(classes, (TREES, GRASS)), rough(rng, n, n / 3, 3, 0.4)
        out[fuel & (field > level(field, rng.uniform(0.1, 0.5), fuel))] = stands.add("burned")
    return out


def inland(mask: np.ndarray) -> np.ndarray:
    """(n, n) float32: how far inside a mask each cell lies, in cells, to the nearest pixel; 0 outside."""
    from scipy.ndimage import distance_transform_edt

    size = mask.shape[0] // FINE
    padded = np.pad(mask.reshape(size, FINE, size, FINE).any((1, 3)), 1, mode="edge")
    depth = distance_transform_edt(padded)[1:-1, 1:-1].astype(np.float32) * FINE
    return np.repeat(np.repeat(depth, FINE, 0), FINE, 1)


def possible(ground: Ground, covers: np.ndarray) -> list[str]:
    """The changes that this ground allows: a clearing needs a wood, a drying lake a lake; each 4 % of the scene."""
    classes = ground.stands.classes(covers)[ground.cells[::FINE, ::FINE]]
    share = {c: float((classes == c).mean()) for c in np.unique(classes)}
    out = ["building", "flood", "snow"] if sum(share.get(c, 0) for c in (GRASS, CROP, 60)) > 0.15 else []
    out += ["clearing"] if share.get(TREES, 0) > 0.04 else []
    out += ["drying"] if share.get(WATER, 0) > 0.04 else []
    out += ["harvest"] if share.get(CROP, 0) > 0.04 else []
    out += ["fire"] if share.get(TREES, 0) + share.get(GRASS, 0) > 0.15 else []
    return ["none", *out]
