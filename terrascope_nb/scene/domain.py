"""Domain: the pixels that a figure may speak of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from terrascope_nb.errors import GridMismatch
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene.classes import SKY


@dataclass(frozen=True, eq=False)
class Domain:
    """Where measuring is allowed on a grid. Every share is a share of `pixels`; nothing is extrapolated beyond them.

    Attributes
    ----------
    grid : Grid
    inside : numpy.ndarray
        (H, W) bool: the pixel's centre lies in the AOI.
    valid : numpy.ndarray
        (H, W) bool: there is data.
    clear : numpy.ndarray
        (H, W) bool: there is data, and no cloud over it.
    """

    grid: Grid
    inside: np.ndarray
    valid: np.ndarray
    clear: np.ndarray

    def __post_init__(self) -> None:
        for name in ("inside", "valid", "clear"):
            array = getattr(self, name)
            if array.shape != self.grid.shape:
                raise GridMismatch(f"{name} has shape {array.shape}, the grid has {self.grid.shape}")

    @classmethod
    def whole(cls, grid: Grid) -> Domain:
        """Every pixel of a grid."""
        ones = np.ones(grid.shape, bool)
        return cls(grid, ones, ones, ones)

    @cached_property
    def pixels(self) -> np.ndarray:
        """(H, W) bool: clear pixels inside the AOI, the denominator of every share."""
        return self.inside & self.clear

    @cached_property
    def count(self) -> int:
        """Number of `pixels`."""
        return int(np.count_nonzero(self.pixels))

    @cached_property
    def aoi_share(self) -> float:
        """Share of the grid inside the AOI, 0…1."""
        return float(self.inside.mean())

    @cached_property
    def clear_share(self) -> float:
        """Share of the AOI that is clear, 0…1."""
        n = int(np.count_nonzero(self.inside))
        return self.count / n if n else 0.0

    @cached_property
    def nodata_share(self) -> float:
        """Share of the AOI without data, 0…1."""
        n = int(np.count_nonzero(self.inside))
        return int(np.count_nonzero(self.inside & ~self.valid)) / n if n else 0.0

    def of_label(self, label: str) -> Domain:
        """The domain of one class: what hides the ground (`classes.SKY`) is measured among all pixels with data."""
        return Domain(self.grid, self.inside, self.valid, self.valid) if label in SKY else self

    def judged(self, score: np.ndarray | None) -> Domain:
        """The domain less the pixels whose score is NaN: what a reasoner could not judge is not measured."""
        if score is None:
            return self
        known = np.isfinite(score)
        return self if known.all() else Domain(self.grid, self.inside, self.valid, self.clear & known)

    def both(self, other: Domain) -> Domain:
        """Pixels usable in both domains (two dates): inside, valid and clear in each."""
        if other.grid != self.grid:
            raise GridMismatch(f"two dates lie on two grids: {self.grid!r}, {other.grid!r}; load them onto one grid")
        return Domain(self.grid, self.inside & other.inside, self.valid & other.valid, self.clear & other.clear)
