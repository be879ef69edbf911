"""Scenes whose truth is known: land cover, rivers, fields, towns, cloud, a SAR view, a second date, damaged buildings.

Reflectances are values of the size that spectral libraries show for each cover in Sentinel-2 bands, set by hand, with
variation by stand, by pixel and by sensor; radar is gamma-distributed speckle about typical backscatter of C band.

They are for tests and demonstrations: nothing measured on them speaks about real ground.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from scipy import ndimage

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene.classes import canonical, leaves
from terrascope_nb.scene.scene import Scene

LEGEND: dict[int, str] = {
    10: "tree cover", 30: "grassland", 40: "cropland", 50: "built-up", 60: "bare land", 70: "snow and ice", 80: "water",
    101: "building", 102: "destroyed building",
}  # fmt: skip
"""Class numbers of the label maps: ESA WorldCover's, and two of our own for buildings."""

BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
#: Mean reflectance in `BANDS`, spread between stands (relative), spread between pixels (relative).
SPECTRA: dict[int, tuple[tuple[float, ...], float, float]] = {
    10: ((0.025, 0.045, 0.025, 0.28, 0.13, 0.06), 0.10, 0.12),
    30: ((0.045, 0.085, 0.060, 0.34, 0.23, 0.13), 0.08, 0.05),
    40: ((0.050, 0.090, 0.065, 0.38, 0.24, 0.14), 0.18, 0.04),
    50: ((0.120, 0.135, 0.145, 0.20, 0.22, 0.19), 0.10, 0.22),
    60: ((0.095, 0.130, 0.170, 0.24, 0.32, 0.28), 0.12, 0.06),
    70: ((0.850, 0.850, 0.830, 0.75, 0.12, 0.08), 0.05, 0.04),
    80: ((0.045, 0.040, 0.022, 0.012, 0.006, 0.004), 0.15, 0.10),
    101: ((0.200, 0.200, 0.210, 0.26, 0.28, 0.26), 0.15, 0.05),
    102: ((0.150, 0.140, 0.135, 0.17, 0.20, 0.19), 0.10, 0.35),
}
#: Mean backscatter (VV, VH) in dB.
BACKSCATTER: dict[int, tuple[float, float]] = {
    10: (-8.5, -13.5), 30: (-12.0, -19.0), 40: (-11.0, -18.0), 50: (-4.0, -11.0), 60: (-13.5, -22.0),
    70: (-12.0, -20.0),
    80: (-21.0, -28.0), 101: (-3.0, -10.0), 102: (-8.0, -14.0),
}  # fmt: skip
SMALLEST = 32  # pixels a side: below that no river, town and field fit beside each other
LOOKS = 4.4  # equivalent looks of Sentinel-1 IW GRD


@dataclass(frozen=True, eq=False)
class Synthetic:
    """A synthetic scene and its truth.

    Attributes
    ----------
    scene : Scene
    maps : tuple of numpy.ndarray
        (H, W) uint8 class numbers, one a date.
    legend : dict
        Class number → canonical label.
    """

    scene: Scene
    maps: tuple[np.ndarray, ...]
    legend: dict[int, str]

    def truth(self, label: str, date: int = 0) -> np.ndarray:
        """(H, W) bool: where a class (or a union such as «vegetation») truly is on a date."""
        wanted = set(leaves(canonical(label)))
        if canonical(label) == "building":
            wanted = {"building", "destroyed building"}  # a destroyed building is one of the buildings
        if not 0 <= date < len(self.maps):
            raise InvalidInput(f"date {date} of a scene with {len(self.maps)} (0 … {len(self.maps) - 1})")
        numbers = [k for k, v in self.legend.items() if v in wanted]
        if not numbers:
            raise InvalidInput(unknown("class of a synthetic scene", label, self.legend.values()))
        return np.isin(self.maps[date], numbers)


def synthetic_scene(
    rng: np.random.Generator,
    size: int = 128,
    resolution: float = 10.0,
    sar: bool = True,
    cloud: float = 0.0,
    time: str = "2023-06-15",
    snow: bool = False,
) -> Synthetic:
    """One date of a landscape with lakes, a river, forest, fields, grass, bare ground and a town.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : int
        Pixels a side, at least 32.
    resolution : float
        Metres a pixel.
    sar : bool
        Add a radar image of the same day.
    cloud : float
        Share of the scene under cloud, 0…1; the cloud mask comes with the image.
    time : str
        ISO date.
    snow : bool
        Cover the high ground with snow.
    """
    _check(rng, size, resolution)
    labels = landscape(rng, size, snow)
    return Synthetic(_scene(rng, [labels], [time], resolution, sar, cloud, "synthetic"), (labels,), LEGEND)


def synthetic_pair(
    rng: np.random.Generator,
    size: int = 128,
    resolution: float = 10.0,
    sar: bool = True,
    cloud: float = 0.0,
    times: tuple[str, str] = ("2023-06-15", "2023-09-13"),
    dry: float = 0.35,
) -> Synthetic:
    """Two dates: `dry` of the water surface turns to bare ground from the shore inwards, and some forest is cleared."""
    if not 0 <= dry <= 1:
        raise InvalidInput(f"dry is a share of the water, 0…1, got {dry}")
    _check(rng, size, resolution, times)
    before = landscape(rng, size)
    after = before.copy()
    water = before == 80
    depth = ndimage.distance_transform_edt(water)
    if water.any() and dry:
        after[water & (depth <= np.quantile(depth[water], dry))] = 60
    stand = _field(rng, size, 6)
    after[(before == 10) & (stand > np.quantile(stand, 0.85))] = 30
    scene = _scene(rng, [before, after], list(times), resolution, sar, cloud, "synthetic pair")
    return Synthetic(scene, (before, after), LEGEND)


def synthetic_damage(
    rng: np.random.Generator,
    size: int = 128,
    resolution: float = 1.0,
    destroyed: float = 0.3,
    times: tuple[str, str] = ("2023-06-15", "2023-09-13"),
) -> Synthetic:
    """A settlement before and after a disaster: separate buildings, a share of them destroyed on the second date."""
    if not 0 <= destroyed <= 1:
        raise InvalidInput(f"destroyed is a share of the buildings, 0…1, got {destroyed}")
    _check(rng, size, resolution, times)
    before = np.full((size, size), 30, np.uint8)
    stand = _field(rng, size, 10)
    before[stand > np.quantile(stand, 0.7)] = 10
    pitch, corners = 14, []
    for row in range(3, size - pitch, pitch):
        for col in range(3, size - pitch, pitch):
            if rng.random() < 0.8:
                h, w = rng.integers(5, pitch - 3, 2)
                corners.append((row, col, int(h), int(w)))
                before[row - 1 : row + h + 1, col - 1 : col + w + 1] = 30
                before[row : row + h, col : col + w] = 101
    after = before.copy()
    lost = rng.permutation(len(corners))[: round(destroyed * len(corners))]
    for k in lost:
        row, col, h, w = corners[k]
        after[row : row + h, col : col + w] = 102
    scene = _scene(rng, [before, after], list(times), resolution, False, 0.0, "synthetic damage")
    return Synthetic(scene, (before, after), LEGEND)


def _check(rng: Any, size: int, resolution: float, times: Any = None) -> None:
    if not isinstance(rng, np.random.Generator):
        hint = f"numpy.random.default_rng({rng})" if isinstance(rng, int) else "numpy.random.default_rng(0)"
        raise InvalidInput(
            f"rng is a numpy.random.Generator, so that a scene can be made again: {hint}; got {type(rng).__name__}"
        )
    if size < SMALLEST:
        raise InvalidInput(f"a synthetic scene needs at least {SMALLEST} pixels a side, got {size}")
    if not resolution > 0:
        raise InvalidInput(f"resolution is in metres a pixel and above 0, got {resolution}")
    if times is not None and (len(times) != 2 or np.datetime64(times[0]) >= np.datetime64(times[1])):
        raise InvalidInput(f"times are two dates, the earlier first; got {times}")


def landscape(rng: np.random.Generator, size: int, snow: bool = False) -> np.ndarray:
    """A label map (size, size) uint8: what lies where follows one height field; fields are parcels, a river crosses."""
    height = _field(rng, size, size / 7) + 0.3 * _field(rng, size, size / 24)
    wood = _field(rng, size, size / 14)
    labels = np.full((size, size), 30, np.uint8)
    parcels = _parcels(rng, size, max(6, size // 9))
    crop = rng.random(parcels.max() + 1) < 0.6
    fallow = rng.random(parcels.max() + 1) < 0.15
    plain = height < np.quantile(height, 0.65)
    labels[plain & crop[parcels]] = 40
    labels[plain & fallow[parcels]] = 60
    labels[wood > np.quantile(wood, rng.uniform(0.6, 0.8))] = 10
    if snow:
        labels[height > np.quantile(height, 0.85)] = 70
    middle = np.zeros((size, size), bool)
    middle[size // 5 : -size // 5, size // 5 : -size // 5] = True
    dry = np.argwhere(middle & (height > np.quantile(height, 0.25)))  # lakes fill the lowest 14 % at most
    centre = dry[rng.integers(len(dry))][:, None, None]
    town = np.hypot(*(np.indices((size, size)) - centre)) + 0.08 * size * _field(rng, size, 5)
    labels[town < np.maximum(size * rng.uniform(0.08, 0.14), np.quantile(town, 12 / 1024))] = 50
    labels[height < np.quantile(height, rng.uniform(0.05, 0.14))] = 80
    river = _river(rng, size)
    labels = _smoothed(labels)
    labels[river] = 80
    return _without_specks(labels)


def _smoothed(labels: np.ndarray) -> np.ndarray:
    """Round off corners and threads: twice, a pixel whose class holds a third of its 3 × 3 at most becomes the mode."""
    for _ in range(2):
        classes = np.unique(labels)
        votes = np.stack([ndimage.uniform_filter((labels == c).astype(np.float32), 3, mode="nearest") for c in classes])
        winner = classes[votes.argmax(0)]
        keep = votes[np.searchsorted(classes, labels), *np.indices(labels.shape)] > 0.34
        labels = np.where(keep, labels, winner).astype(np.uint8)
    return labels


def _without_specks(labels: np.ndarray, least: int = 5) -> np.ndarray:
    """Give 8-connected parts below `least` pixels to what lies nearest, until there is none."""
    while True:
        small = np.zeros(labels.shape, bool)
        for c in np.unique(labels):
            parts, _ = ndimage.label(labels == c, np.ones((3, 3)))
            small |= ((np.bincount(parts.ravel()) < least)[parts]) & (parts > 0)
        if not small.any():
            return labels
        nearest = ndimage.distance_transform_edt(small, return_distances=False, return_indices=True)
        labels = labels[tuple(nearest)]


def _field(rng: np.random.Generator, size: int, width: float) -> np.ndarray:
    """A smooth random field of unit variance; `width` is the correlation length in pixels."""
    field = ndimage.gaussian_filter(rng.standard_normal((size, size)), width, mode="reflect")
    return (field - field.mean()) / (field.std() or 1.0)


def _parcels(rng: np.random.Generator, size: int, n: int) -> np.ndarray:
    """Fields: rotated strips cut across at random lengths; (size, size) int parcel numbers."""
    angle = rng.uniform(0, np.pi)
    r, c = np.indices((size, size))
    u, v = r * np.cos(angle) + c * np.sin(angle), c * np.cos(angle) - r * np.sin(angle)
    strip = np.digitize(u, np.sort(rng.uniform(u.min(), u.max(), n)))
    shift = rng.uniform(0, size, n + 1)[strip]
    block = ((v + shift) // (size / 5)).astype(int)
    return np.unique(strip * 1000 + block % 1000, return_inverse=True)[1].reshape(r.shape)


def _river(rng: np.random.Generator, size: int) -> np.ndarray:
    """A meandering band of one to three pixels from edge to edge."""
    t, start = np.arange(size), size * rng.uniform(0.2, 0.8)
    bends = size * 0.72 * ndimage.gaussian_filter1d(rng.standard_normal(size), size / 10)
    path = start + bends * min(1.0, (min(start, size - start) - 2) / np.abs(bends).max())  # it never leaves by the side
    half = rng.uniform(0.6, 1.6)
    across = np.abs(np.arange(size)[:, None] - path[None, t]) <= half * np.sqrt(1 + np.gradient(path)[None, t] ** 2)
    return across if rng.random() < 0.5 else across.T


def _scene(
    rng: np.random.Generator,
    maps: list[np.ndarray],
    times: list[str],
    resolution: float,
    sar: bool,
    cloud: float,
    name: str,
) -> Scene:
    if not 0 <= cloud <= 1:
        raise InvalidInput(f"cloud is a share of the scene, 0…1, got {cloud}")
    size = maps[0].shape[0]
    grid = Grid(Affine(resolution, 0, 500_000, 0, -resolution, 5_100_000), (size, size), 32633)
    stands = _field(rng, size, size / 20)
    images: list[Any] = []
    for labels, time in zip(maps, times, strict=True):
        bands = _reflectance(rng, labels, stands)
        covered = None
        if cloud:
            veil = _field(rng, size, size / 9)
            covered = veil >= np.quantile(veil, 1 - cloud)
            bright = 0.45 + 0.12 * np.clip(veil - veil[covered].min(), 0, 2)
            bands = {
                k: np.where(covered, bright * (0.9 if k.startswith("swir") else 1.0), b).astype(np.float32)
                for k, b in bands.items()
            }
        images.append(_image(bands, "optical", grid, time, covered, "reflectance"))
        if sar:
            images.append(_image(_speckle(rng, labels), "sar", grid, time, None, "linear"))
    return Scene(tuple(images), name=name, notes=("synthetic: nothing measured on it speaks about real ground",))


def _image(
    bands: dict[str, np.ndarray], modality: str, grid: Grid, time: str, cloud: np.ndarray | None, units: str
) -> Any:
    import xarray as xr

    from terrascope_nb.scene.scene import Image

    data = xr.Dataset({k: (("y", "x"), v) for k, v in bands.items()}, coords=grid.coords())
    return Image(data, modality, grid, units, np.datetime64(time), cloud, "synthetic", ("synthetic",), ())


def _reflectance(rng: np.random.Generator, labels: np.ndarray, stands: np.ndarray) -> dict[str, np.ndarray]:
    means = np.zeros((256, len(BANDS)), np.float32)
    by_stand, by_pixel = np.zeros(256, np.float32), np.zeros(256, np.float32)
    for number, (spectrum, stand, pixel) in SPECTRA.items():
        means[number], by_stand[number], by_pixel[number] = spectrum, stand, pixel
    factor = 1 + by_stand[labels] * stands + by_pixel[labels] * rng.standard_normal(labels.shape)
    out = {}
    for k, name in enumerate(BANDS):
        pure = means[labels, k] * np.clip(factor, 0.3, 2.5)
        seen = ndimage.gaussian_filter(pure, 0.45, mode="nearest")  # the sensor's point spread mixes neighbours
        out[name] = np.clip(seen + 0.002 * rng.standard_normal(labels.shape), 0, 1.2).astype(np.float32)
    return out


def _speckle(rng: np.random.Generator, labels: np.ndarray) -> dict[str, np.ndarray]:
    out = {}
    for k, name in enumerate(("vv", "vh")):
        decibels = np.zeros(256, np.float32)
        for number, pair in BACKSCATTER.items():
            decibels[number] = pair[k]
        looks = rng.gamma(LOOKS, 1 / LOOKS, labels.shape)
        out[name] = (10 ** (decibels[labels] / 10) * looks).astype(np.float32)
    return out
