"""Labelled: a scene together with the land-cover maps that say what is truly there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from terrascope_nb.errors import GridMismatch, InvalidInput
from terrascope_nb.scene.classes import canonical, leaves
from terrascope_nb.scene.scene import Scene

OTHER = "other"
"""Label of pixels that a map speaks of without a class to ask for, e.g. what is no building on a map of buildings."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """A scene and its label maps. Questions, their truth and training masks are made from it.

    Attributes
    ----------
    scene : Scene
        One date or more; SAR beside optical where the source has it.
    maps : tuple of numpy.ndarray
        (H, W) integer class numbers on the scene's grid, one a date in order of time; one map serves every date.
    legend : dict
        Class number → canonical label; several numbers may share a label.
    key : str
        Names the image within its source; questions of one image depend on each other.
    place : str
        Group that must not be divided between training and test: a tile, an event, a square of ground.
    nodata : int or None
        Number on the maps that means «not mapped».
    source, licence, citation : str
        Where the labels come from, under which terms, and how to cite them.
    counts : dict
        (destroyed, all) buildings by image index, where each building is known as a polygon.
    unmapped : dict
        Numbers on the maps that the legend leaves out on purpose → how many pixels; they count as not mapped.
    names : dict
        Class number → the product's own name, where that is known; of unmapped numbers too.
    resolution : float or None
        Metres a pixel as the source states them, for scenes without CRS; None where the grid knows or nothing does.
    split : str
        The part that the source itself puts the image in: "train", "validation", "test", or "" where it says none.
    """

    scene: Scene
    maps: tuple[np.ndarray, ...]
    legend: dict[int, str]
    key: str
    place: str
    nodata: int | None = None
    source: str = ""
    licence: str = "not stated"
    citation: str = ""
    counts: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    unmapped: Mapping[int, int] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    resolution: float | None = None
    split: str = ""

    def __post_init__(self) -> None:
        dates = len(self.scene.moments())
        if len(self.maps) not in {1, dates}:
            raise InvalidInput(f"{self.key}: {len(self.maps)} label maps for {dates} dates; give one, or one a date")
        for k, labels in enumerate(self.maps):
            if labels.shape != self.scene.grid.shape:
                raise GridMismatch(f"{self.key}: label map {k} is {labels.shape}, the scene {self.scene.grid.shape}")
            known = {*self.legend, *self.unmapped, *(() if self.nodata is None else (self.nodata,))}
            strange = sorted(set(np.unique(labels).tolist()) - known)
            if strange:
                raise InvalidInput(
                    f"{self.key}: label map {k} has class numbers {strange}, the legend {sorted(self.legend)} "
                    "lacks them; name them in the legend, or leave them out on purpose by unmapped="
                )
        if self.resolution is not None:
            if self.scene.grid.crs is not None:
                raise InvalidInput(
                    f"{self.key}: resolution={self.resolution} m a pixel is stated beside {self.scene.grid!r}, which "
                    "knows its pixels; leave resolution= out"
                )
            if not self.resolution > 0:
                raise InvalidInput(f"{self.key}: resolution is in metres a pixel and above 0, got {self.resolution}")

    @property
    def labels(self) -> tuple[str, ...]:
        """Canonical labels that occur on any date, in the order of the legend; `OTHER` is none of them."""
        there = {int(v) for labels in self.maps for v in np.unique(labels)}
        found = dict.fromkeys(label for number, label in self.legend.items() if number in there)
        return tuple(label for label in found if label != OTHER)

    def map_of(self, date: int) -> np.ndarray:
        """(H, W) class numbers of a date, 0 the first."""
        return self.maps[date if len(self.maps) > 1 else 0]

    def truth(self, label: str, date: int = 0) -> np.ndarray:
        """(H, W) bool: where a class is on a date.

        A name that the legend has itself («vegetation» on a coarse map) means its own numbers, else those of its parts.
        A destroyed building is one of the buildings.
        """
        name = canonical(label)
        if name == "building":
            wanted = [k for k, v in self.legend.items() if v in ("building", "destroyed building")]
        else:
            parts = set(leaves(name))
            own = [k for k, v in self.legend.items() if v == name]
            wanted = own or [k for k, v in self.legend.items() if parts and set(leaves(v)) <= parts]
        return np.isin(self.map_of(date), wanted)

    def mapped(self, date: int = 0) -> np.ndarray:
        """(H, W) bool: where the map of a date says anything."""
        return np.isin(self.map_of(date), list(self.legend))

    def __repr__(self) -> str:
        of = f" of {self.source}" if self.source else ""
        return f"<Labelled {self.key!r}{of}: {', '.join(self.labels)}; {self.scene!r}>"
