"""What lies between ground and sensor: cloud, its shadow, haze."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from terrascope_nb.scene.made.fields import rough
from terrascope_nb.scene.made.season import Day
from terrascope_nb.scene.spectra import CENTRES, NAMES

CLOUDS = ("thick", "thin", "both")
#: Light that droplets and ice absorb, relative to visible light.
TINT = np.array([{"swir16": 0.72, "swir22": 0.52}.get(n, 1.0) for n in NAMES], np.float32)


@dataclass(frozen=True, eq=False)
class Sky:
    """The sky over one image.

    Attributes
    ----------
    cloud, shadow : numpy.ndarray
        (H, W) bool: under cloud; in a cloud's shadow and not under cloud.
    albedo : numpy.ndarray
        (H, W) float32, share of visible light that the cloud sends back, 0 where there is none.
    lit : numpy.ndarray
        (H, W) float32, share of direct sunlight that reaches the ground, 0…1.
    """

    cloud: np.ndarray
    shadow: np.ndarray
    albedo: np.ndarray
    lit: np.ndarray


def draw_sky(rng: np.random.Generator, size: int, resolution: float, cover: float, kind: str, day: Day) -> Sky | None:
    """Clouds over `cover` (0…1) of the scene; None where there are none.

    A cloud's albedo follows from its optical depth τ by the two-stream formula for droplets,
    ``s / (2 + s)``, ``s = √3 (1 − 0.85) τ``; τ grows from the edge inwards, lumpily, to about 0.5…4 in thin and 15…60
    in thick clouds. The base hangs at 600…2500 m, and the shadow falls away from the sun, a third of the scene at most.
    """
    if not cover:
        return None
    margin = size // 3 + 1  # shadows come in from clouds beyond the edge
    wide = size + 2 * margin
    field = rough(rng, wide, size / rng.uniform(2.5, 6), 4, 0.55)
    inside = (slice(margin, margin + size),) * 2
    edge = np.partition(field[inside].ravel(), max(0, round((1 - cover) * size * size) - 1))
    floor = edge[round((1 - cover) * size * size) - 1] if cover < 1 else field.min() - 1
    above = np.clip(field - floor, 0, None)
    thin, thick = rng.uniform(0.5, 4), rng.uniform(15, 60)
    deep: np.ndarray | float = thick if kind == "thick" else thin
    if kind == "both":
        deep = np.where(rough(rng, wide, size / 3) > 0, thick, thin)
    lumps = np.exp(0.55 * rough(rng, wide, size / 8, 4, 0.7))
    depth = np.where(field > floor, deep * lumps * np.minimum(1.0, 0.08 + (above / 0.9) ** 1.5), 0)
    s = np.sqrt(3) * 0.15 * depth
    albedo = (s / (2 + s)).astype(np.float32)
    direct = np.exp(-0.5 * depth)
    reach = min(rng.uniform(600, 2500) / np.tan(np.radians(day.elevation)) / resolution, size / 3)
    away = np.radians(day.azimuth + 180)
    down, right = round(-np.cos(away) * reach), round(np.sin(away) * reach)
    cast = direct[margin - down : margin - down + size, margin - right : margin - right + size].astype(np.float32)
    cloud = field[inside] > floor
    return Sky(cloud, (cast < 0.6) & ~cloud, albedo[inside], cast)


def through(bands: np.ndarray, sky: Sky | None, haze: float, veil: np.ndarray | None = None) -> np.ndarray:
    """Reflectance (11, H, W) as seen through haze and cloud.

    In shadow only light of the sky and of other clouds is left: a quarter, more of it blue. Haze of optical depth
    ``0.5 · haze · (550 nm / λ)^1.3`` sends light back and dims the ground; a cloud of albedo A gives
    ``A·c + (1 − A)² R / (1 − A R)`` with `TINT` c: a layer over a reflecting ground, by adding their reflections.
    """
    shape = (len(bands), 1, 1)
    if sky is not None:
        sky_light = (0.26 * (550 / CENTRES) ** 0.7).astype(np.float32).reshape(shape)
        bands = bands * (sky.lit + (1 - sky.lit) * sky_light)
    if haze:
        depth = (0.5 * haze * (550 / CENTRES) ** 1.3).astype(np.float32).reshape(shape)
        depth = depth if veil is None else depth * np.clip(1 + 0.35 * veil, 0.2, 2)
        lost = 1 - np.exp(-depth)
        bands = bands * (1 - 0.8 * lost) + 0.28 * lost
    if sky is not None:
        a = sky.albedo
        bands = a * TINT.reshape(shape) + (1 - a) ** 2 * bands / (1 - a * bands)
    return bands
