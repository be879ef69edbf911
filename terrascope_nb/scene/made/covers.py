"""What grows or stands on each stand of ground, and its colour: measured materials mixed in stated shares.

A *stand* is a piece of ground of one cover: a field, a wood's compartment, a street, a roof. It keeps its materials
(its soil, its leaves, its straw, its roofing) through all dates; the date gives the shares they are seen in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from terrascope_nb.scene.made.season import Day
from terrascope_nb.scene.made.water import WATERS, draw_water
from terrascope_nb.scene.spectra import NAMES, colours

GRASS, CROP, BARE, BUILT, SNOW, WATER, TREES, BURNED = 30, 40, 60, 50, 70, 80, 10, 110
#: Cover → class number. **Crop or bare land**: by what can be seen on the date. A field under plants, living, ripe or
#: cut (stubble), is cropland; a tilled field with less than 15 % of its soil under plants is bare land.
CLASS_OF: dict[str, int] = {
    "meadow": GRASS, "emerging crop": CROP, "green crop": CROP, "ripe crop": CROP, "stubble": CROP, "bare field": BARE,
    "broadleaf": TREES, "conifer": TREES, "cleared": BARE, "soil": BARE, "gravel": BARE, "mud": BARE,
    "garden": BUILT, "roof": BUILT, "tile": BUILT, "metal": BUILT, "street": BUILT, "pavement": BUILT, "rubble": BUILT,
    "snow": SNOW, "clear": WATER, "dark": WATER, "muddy": WATER, "green": WATER, "burned": BURNED,
    "shade": GRASS,
}  # fmt: skip
COVERS = tuple(CLASS_OF)
NUMBER = {name: k for k, name in enumerate(COVERS)}
#: Covers of one built material, and which.
BUILT_OF = {
    "roof": "roof", "tile": "tile", "metal": "metal", "street": "asphalt", "pavement": "concrete", "gravel": "sand",
    "rubble": "concrete",
}  # fmt: skip

#: Cover (and season) → shares that a stand is drawn between: ground under leaves; straw among what is not leaves;
#: light that gaps and shadows of the canopy leave. Then three spreads: of the patches within the stand (towards its
#: soil or straw), of single pixels alike, and of pixels' brightness.
Recipe = tuple[tuple[float, float], tuple[float, float], tuple[float, float], float, float, float]
RECIPES: dict[str, Recipe] = {
    "meadow spring": ((0.72, 0.98), (0.5, 0.9), (0.82, 1.06), 0.12, 0.03, 0.03),
    "meadow summer": ((0.45, 0.97), (0.7, 0.95), (0.80, 1.06), 0.16, 0.04, 0.03),
    "meadow autumn": ((0.45, 0.92), (0.7, 0.95), (0.70, 0.95), 0.14, 0.04, 0.03),
    "meadow winter": ((0.25, 0.70), (0.8, 0.98), (0.60, 0.90), 0.14, 0.04, 0.03),
    "emerging crop": ((0.22, 0.50), (0.0, 0.1), (0.80, 1.00), 0.10, 0.025, 0.02),
    "green crop": ((0.75, 0.99), (0.0, 0.3), (0.82, 1.05), 0.06, 0.015, 0.015),
    "ripe crop": ((0.00, 0.15), (0.8, 0.97), (0.80, 1.00), 0.10, 0.02, 0.02),
    "stubble": ((0.00, 0.12), (0.4, 0.8), (0.80, 1.00), 0.12, 0.025, 0.02),
    "bare field": ((0.00, 0.06), (0.0, 0.08), (0.80, 1.00), 0.05, 0.015, 0.02),
    "broadleaf spring": ((0.70, 0.95), (0.7, 0.9), (0.50, 0.75), 0.05, 0.03, 0.08),
    "broadleaf summer": ((0.90, 0.99), (0.7, 0.9), (0.52, 0.80), 0.03, 0.02, 0.08),
    "broadleaf autumn": ((0.30, 0.85), (0.8, 0.95), (0.45, 0.65), 0.12, 0.06, 0.09),
    "broadleaf winter": ((0.04, 0.20), (0.7, 0.9), (0.40, 0.60), 0.06, 0.04, 0.10),
    "conifer": ((0.82, 0.96), (0.7, 0.95), (0.28, 0.46), 0.05, 0.03, 0.09),
    "cleared": ((0.02, 0.14), (0.3, 0.6), (0.65, 0.90), 0.14, 0.06, 0.05),
    "soil": ((0.00, 0.08), (0.0, 0.15), (0.80, 1.00), 0.06, 0.02, 0.04),
    "mud": ((0.00, 0.05), (0.0, 0.05), (0.60, 0.90), 0.05, 0.02, 0.03),
    "garden": ((0.45, 0.85), (0.4, 0.9), (0.55, 0.85), 0.15, 0.10, 0.08),
    "shade": ((0.50, 0.90), (0.6, 0.9), (0.18, 0.32), 0.05, 0.03, 0.05),
    "burned": ((0.00, 0.08), (0.0, 0.1), (0.60, 0.95), 0.12, 0.05, 0.06),
}


@dataclass(eq=False)
class Stands:
    """The stands of one scene, growing while its ground is laid out.

    Attributes
    ----------
    rng : numpy.random.Generator
    covers : list of int
        Index into `COVERS` of each stand on the first date.
    rows : list of numpy.ndarray
        Each stand's own materials, (6, 11): soil, leaves, straw, built material or char, deep and shallow water.
    draws : list of numpy.ndarray
        (5,) of each stand: where within each range of its recipe it lies, 0…1, and a standard normal for radar.
    """

    rng: np.random.Generator
    covers: list[int] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    draws: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        soils = colours("soil")
        at = int(self.rng.uniform(0.05, 0.95) * len(soils))  # the place's soils are alike
        spread = len(soils) // 14
        self._soils = soils[max(0, at - spread) : at + spread]
        self._straws = np.concatenate([colours("straw"), colours("bark")[:20]])
        self._habits: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def _habit(self, cover: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the stands of a cover have in common in this place: their leaves, their straw, where in their ranges."""
        if cover not in self._habits:
            rng, leaves = self.rng, colours("leaves")
            if cover in ("broadleaf", "conifer"):  # real woods are darker green than most simulated canopies
                green = leaves[:, NAMES.index("green")] / leaves[:, NAMES.index("nir")]
                leaves = leaves[green < np.quantile(green, 0.4)]
            kinds = 4 if cover.endswith("crop") else 2
            self._habits[cover] = (
                leaves[rng.integers(0, len(leaves), kinds)],
                self._straws[rng.integers(0, len(self._straws), 2)],
                rng.uniform(0.1, 0.9, 4),
            )
        return self._habits[cover]

    def add(self, cover: str, n: int = 1) -> int:
        """Add `n` stands of a cover and return the index of the first. Stands of one cover resemble each other."""
        rng, first = self.rng, len(self.covers)
        leaves, straws, usual = self._habit(cover)
        for _ in range(n):
            soil = self._soils[rng.integers(len(self._soils))]
            leaf = leaves[rng.integers(len(leaves))] * rng.uniform(0.94, 1.06)
            straw = straws[rng.integers(len(straws))]
            deep = shallow = soil
            if cover in WATERS:
                deep, shallow = draw_water(rng, cover, soil)
            other = colours(BUILT_OF.get(cover, "char"))
            built = other[rng.integers(len(other))]
            self.covers.append(NUMBER[cover])
            self.rows.append(np.stack([soil, leaf, straw, built, deep, shallow]))
            self.draws.append(np.append(np.clip(usual + rng.normal(0, 0.22, 4), 0, 1), rng.normal()))
        return first

    def classes(self, covers: np.ndarray) -> np.ndarray:
        """(n,) uint8 class number of each stand whose covers are given."""
        return np.array([CLASS_OF[c] for c in COVERS], np.uint8)[covers]


def palette(stands: Stands, covers: np.ndarray, day: Day) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours of the first ``len(covers)`` stands on a day.

    Returns
    -------
    mean, towards : numpy.ndarray
        (n, 11) reflectance, and the difference to what its patches tend to (soil, straw, the shallow edge of water).
    spreads : numpy.ndarray
        (n, 3): of patches, of pixels alike, of pixels' brightness.
    """
    rows, draws = np.stack(stands.rows[: len(covers)]), np.stack(stands.draws[: len(covers)]).astype(np.float32)
    soil, leaf, straw, other = rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3]
    infrared = np.array([n.startswith("swir") for n in NAMES])
    dark = 1 - np.where(infrared, 0.50, 0.42) * day.moisture  # wet soil is darker, most in the short-wave infrared
    soil = soil * dark * (0.72 + 0.2 * draws[:, 3:4])  # and clods throw shadows: the spectra are of ground soil
    low_sun = 0.8 + 0.2 * np.sin(np.radians(day.elevation)) / np.sin(np.radians(60))
    mean, towards = np.zeros_like(soil), np.zeros_like(soil)
    spreads = np.zeros((len(rows), 3), np.float32)
    for k in np.unique(covers):
        name, of = COVERS[k], covers == k
        recipe = RECIPES.get(name) or RECIPES.get(f"{name} {day.season}")
        if name in WATERS:
            mean[of], towards[of] = rows[of, 4], rows[of, 5] - rows[of, 4]
            spreads[of] = (0.0, 0.0, 0.03)
        elif name == "snow":
            mean[of], towards[of] = snow(draws[of]), soil[of] - snow(draws[of])
            spreads[of] = (0.06, 0.02, 0.03)
        elif recipe is None:  # built material or gravel
            shade = 0.72 + 0.28 * draws[of, :1]
            mean[of], towards[of] = other[of] * shade, (soil[of] - other[of]) * shade
            spreads[of] = (0.10, 0.06, 0.06 if name != "rubble" else 0.3)
        else:
            (green, dry, light), (patches, pixels, brightness) = recipe[:3], recipe[3:]
            g, d, s = (lo + (hi - lo) * draws[of, j, None] for j, (lo, hi) in enumerate((green, dry, light)))
            s = s * (low_sun if name in ("broadleaf", "conifer") else 1.0)
            bed = soil[of] * 0.6 if name == "mud" else other[of] if name == "burned" else soil[of]
            rest = d * straw[of] + (1 - d) * bed
            mean[of] = s * (g * leaf[of] + (1 - g) * rest)
            goal = leaf[of] * 0.5 + 0.5 * soil[of] if name in ("bare field", "soil", "mud", "cleared") else rest
            towards[of] = s * (goal - leaf[of]) if g.mean() > 0.5 else s * goal - mean[of]
            spreads[of] = (patches, pixels, brightness)
    return mean.astype(np.float32), towards.astype(np.float32), spreads


def snow(draws: np.ndarray) -> np.ndarray:
    """(n, 11) reflectance of snow between fresh and old and dirty by the first of a stand's draws.

    The two ends are rounded from the snow albedo curves of Wiscombe and Warren (1980): grain radius about 50 and
    1000 µm, the old with some soot and dust.
    """
    fresh = np.array([0.95, 0.96, 0.96, 0.95, 0.94, 0.93, 0.91, 0.90, 0.89, 0.16, 0.14])
    old = np.array([0.66, 0.68, 0.69, 0.68, 0.66, 0.63, 0.60, 0.56, 0.52, 0.03, 0.03])
    return fresh + (old - fresh) * draws[:, :1]
