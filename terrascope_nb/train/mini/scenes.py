"""The scenes that the mini learns from: drawn once from a seed, kept as 8-bit views and class maps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import numpy as np
from affine import Affine

from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene.domain import Domain
from terrascope_nb.scene.made import held_out, made_scene
from terrascope_nb.scene.synthetic import Synthetic
from terrascope_nb.train.mini.language import LABELS
from terrascope_nb.train.mini.network import SIZE
from terrascope_nb.train.mini.pictures import STYLE, fused, picture

#: Scenes in one file.
CHUNK = 25
OTHER = 255
CARD = "scenes.json"
RESOLUTIONS = (10.0, 10.0, 10.0, 20.0, 30.0)
SENSORS = ("optical", "sar", "both")


def draw_scene(
    rng: np.random.Generator, size: int = SIZE, cloud: float | None = None, pair: bool | None = None
) -> Synthetic:
    """One scene with its truth: the only place where the mini's scenes come from.

    Parameters
    ----------
    cloud : float, optional
        Share of the scene, 0…1; drawn (none in 60 % of the scenes, else 0.1…0.6) where it is not given.
    pair : bool, optional
        Two dates; drawn (35 %) where it is not given.
    """
    two = bool(rng.random() < 0.35) if pair is None else pair
    drawn = float(rng.uniform(0.1, 0.6)) if rng.random() < 0.4 else 0.0
    return made_scene(
        rng, size, float(rng.choice(RESOLUTIONS)), pair=two, cloud=drawn if cloud is None else cloud,
        layout=str(rng.choice(["mixed", "isolated", "close"], p=[0.5, 0.3, 0.2])),
        haze=float(rng.uniform(0, 0.5)) if rng.random() < 0.2 else 0.0,
    )  # fmt: skip


def numbers(seed: int, test: bool = False) -> Iterator[int]:
    """Places in a seed's stream of scenes that are for training, or held out: `scene.made.held_out` tells."""
    return (k for k in count() if held_out(seed, k) == test)


def scene_of(seed: int, number: int, **options: object) -> Synthetic:
    """The scene at a place of a seed's stream."""
    return draw_scene(np.random.default_rng([seed, number]), **options)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Kept:
    """A scene as training takes it.

    Attributes
    ----------
    optical, sar : numpy.ndarray
        (T, H, W, 3) uint8 views, one a date.
    labels : numpy.ndarray
        (T, H, W) uint8: index into `LABELS` of what covers the ground, `OTHER` for what is none of them.
    cloud, hidden : numpy.ndarray
        (T, H, W) bool: under cloud; hidden from the optical image, by cloud or shadow.
    resolution : float
        Metres a pixel.
    """

    optical: np.ndarray
    sar: np.ndarray
    labels: np.ndarray
    cloud: np.ndarray
    hidden: np.ndarray
    resolution: float

    @property
    def dates(self) -> int:
        """How many dates."""
        return len(self.labels)

    def mask(self, label: str, date: int) -> np.ndarray:
        """(H, W) bool: where a class truly is."""
        return self.cloud[date] if label == "cloud" else self.labels[date] == LABELS.index(label)

    def fused(self, date: int) -> np.ndarray:
        """(H, W, 3) uint8: what SAM 2 is shown of both sensors."""
        return fused(self.optical[date], self.sar[date], self.hidden[date])

    def domain(self, date: int, sensor: str) -> Domain:
        """Where a date can be measured, as `Scene.domain` says: with radar everywhere."""
        size = self.labels.shape[1]
        grid = Grid(Affine(self.resolution, 0, 500_000, 0, -self.resolution, 5_100_000), (size, size), 32633)
        ones = np.ones((size, size), bool)
        return Domain(grid, ones, ones, ~self.hidden[date] if sensor == "optical" else ones)


def keep(made: Synthetic) -> Kept:
    """Take over a scene with optical and radar images of every date."""
    scene = made.scene
    moments = scene.moments()
    optical = [scene.images[m.optical] for m in moments]
    radar = [scene.images[m.sar] for m in moments]
    lut = np.full(256, OTHER, np.uint8)
    for number, label in made.legend.items():
        if label in LABELS:
            lut[number] = LABELS.index(label)
    none = np.zeros(scene.grid.shape, bool)
    clouds = getattr(made, "clouds", None)
    return Kept(
        np.stack([picture(i) for i in optical]), np.stack([picture(i) for i in radar]),
        np.stack([lut[m] for m in made.maps]),
        np.stack(clouds if clouds is not None else [none if i.cloud is None else i.cloud for i in optical]),
        np.stack([none if i.cloud is None else i.cloud for i in optical]), float(scene.grid.resolution[0]),
    )  # fmt: skip


def write_scenes(folder: Path, seed: int, n: int) -> int:
    """Draw the first `n` training scenes of a seed and keep them, `n` rounded up to whole files; those there are kept.

    Returns how many files were written. Every file is whole: it is written aside and put in its place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    card = folder / CARD
    told = {"seed": seed, "size": SIZE, "optical": STYLE}
    if card.is_file() and json.loads(card.read_text("utf-8")) != told:
        raise InvalidInput(f"{folder} holds scenes of {card.read_text('utf-8')}, asked for are {told}")
    card.write_text(json.dumps(told), "utf-8")
    n = -(-n // CHUNK) * CHUNK
    places = list(islice(numbers(seed), n))
    written = 0
    for first in range(0, n, CHUNK):
        path = folder / f"{first // CHUNK:04d}.npz"
        if path.is_file():
            continue
        arrays: dict[str, np.ndarray] = {}
        for k, place in enumerate(places[first : first + CHUNK]):
            kept = keep(scene_of(seed, place))
            for name in ("optical", "sar", "labels", "cloud", "hidden"):
                arrays[f"{name}{k}"] = getattr(kept, name)
            arrays[f"resolution{k}"] = np.array(kept.resolution)
        draft = path.with_suffix(".draft.npz")
        np.savez_compressed(draft, **arrays)
        draft.replace(path)
        written += 1
    return written


def read_scenes(folder: Path, most: int | None = None) -> list[Kept]:
    """The scenes that are kept, in their order, at most `most`.

    Raises
    ------
    NotFound
        Where there is none.
    """
    out: list[Kept] = []
    for path in sorted(folder.glob("[0-9]*.npz")):
        if path.name.endswith(".draft.npz"):
            continue
        with np.load(path, allow_pickle=False) as z:
            n = sum(name.startswith("resolution") for name in z.files)
            for k in range(n):
                out.append(Kept(
                    z[f"optical{k}"], z[f"sar{k}"], z[f"labels{k}"], z[f"cloud{k}"], z[f"hidden{k}"],
                    float(z[f"resolution{k}"]),
                ))  # fmt: skip
        if most is not None and len(out) >= most:
            break
    if not out:
        raise NotFound(f"no scenes in {folder}: draw them first, python -m terrascope_nb.train.mini scenes")
    return out[:most]
