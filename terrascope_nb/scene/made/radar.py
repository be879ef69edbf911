"""The same ground as a radar of C band sees it: mean backscatter of each cover, texture, speckle, noise.

Levels are typical of Sentinel-1 sigma nought at 30…45° incidence, rounded, and set by hand so that the ranges of real
scenes are met (see the tests): water is dark unless wind roughens it, towns are bright by double bounce, woods scatter
in their volume, fields go by stage and by the wetness of their soil. Cloud leaves no trace.
"""

from __future__ import annotations

import numpy as np

from terrascope_nb.scene.made.covers import COVERS, Stands
from terrascope_nb.scene.made.fields import smooth
from terrascope_nb.scene.made.season import Day
from terrascope_nb.scene.made.water import WATERS

LOOKS = 4.4  # equivalent looks of Sentinel-1 IW GRD
FLOOR = 10 ** (-29.0 / 10)  # noise-equivalent sigma nought, linear

#: Cover → VV and VH in dB, spread between stands in dB, share of open soil whose wetness shows.
BACKSCATTER: dict[str, tuple[float, float, float, float]] = {
    "meadow": (-12.5, -19.0, 1.0, 0.4),
    "emerging crop": (-13.0, -21.0, 1.2, 0.8), "green crop": (-11.5, -17.0, 1.8, 0.2),
    "ripe crop": (-11.5, -17.5, 1.5, 0.3), "stubble": (-12.5, -19.5, 1.2, 0.7), "bare field": (-12.5, -21.5, 1.5, 1.0),
    "broadleaf": (-9.5, -15.0, 0.6, 0.0), "conifer": (-10.0, -15.5, 0.6, 0.0), "cleared": (-11.5, -19.0, 1.0, 0.7),
    "soil": (-14.0, -22.5, 1.5, 1.0), "gravel": (-14.0, -22.0, 2.0, 0.3), "mud": (-15.0, -24.0, 1.5, 0.5),
    "garden": (-9.5, -15.5, 1.0, 0.1), "roof": (-3.5, -11.0, 4.0, 0.0), "tile": (-4.0, -11.5, 4.0, 0.0),
    "metal": (-1.0, -9.5, 5.0, 0.0), "street": (-15.0, -22.0, 1.5, 0.0), "pavement": (-10.0, -17.0, 3.0, 0.0),
    "rubble": (-8.0, -14.0, 2.0, 0.0), "snow": (-14.5, -22.0, 1.5, 0.3), "burned": (-12.5, -20.0, 1.0, 0.6),
    "shade": (-12.5, -19.0, 1.0, 0.4),
    **dict.fromkeys(WATERS, (-22.0, -29.0, 0.8, 0.0)),
}  # fmt: skip


def backscatter(rng: np.random.Generator, stands: Stands, covers: np.ndarray, day: Day) -> np.ndarray:
    """(n, 2) float32 mean power of each stand, VV and VH. Wind roughens the water of one day in four."""
    table = np.array([BACKSCATTER[c] for c in COVERS], np.float32)[covers]
    draws = np.stack(stands.draws[: len(covers)]).astype(np.float32)
    apart = draws[:, 4:5] * table[:, 2:3]
    wet = 6.0 * (day.moisture - 0.45) * table[:, 3:4]
    levels = table[:, :2] + apart + wet + rng.normal(0, 0.4, (len(covers), 2))
    wind = float(rng.uniform(2, 8)) if rng.random() < 0.25 else float(rng.uniform(0, 1.5))
    on_water = np.isin(covers, [COVERS.index(k) for k in WATERS])
    levels[on_water] += np.array([wind, 0.4 * wind])
    return (10 ** (levels / 10)).astype(np.float32)


def speckled(rng: np.random.Generator, power: np.ndarray, texture: np.ndarray) -> dict[str, np.ndarray]:
    """VV and VH images from mean power (H, W, 2) and the texture of the ground (H, W) in dB.

    Speckle is gamma noise blurred so that it has `LOOKS` equivalent looks, and that neighbours are alike as in
    terrain-corrected ground-range products of Sentinel-1: correlation 0.69 to the next pixel, 0.2 to the one after.
    """
    from scipy.ndimage import correlate1d

    kernel = np.exp(-0.5 * (np.arange(-3, 4) / 0.82) ** 2).astype(np.float32)
    kernel /= kernel.sum()
    looks = LOOKS * float((kernel**2).sum()) ** 2
    size = power.shape[0]
    rough_ground = 10 ** (texture * rng.standard_normal((size, size), dtype=np.float32) / 10)
    slopes = 10 ** (0.5 * smooth(rng, size, size / 5) / 10)
    out = {}
    for k, name in enumerate(("vv", "vh")):
        noise = rng.standard_gamma(looks, (size, size)).astype(np.float32) / np.float32(looks)
        mean, noise = (
            correlate1d(correlate1d(a, kernel, 0, mode="nearest"), kernel, 1, mode="nearest")
            for a in (power[..., k] * rough_ground, noise)
        )
        out[name] = ((mean * slopes + FLOOR) * noise).astype(np.float32)
    return out
