"""What a trace says of one place: the sentences whose masks hold it, scores, and band values where there are any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pyproj import Transformer

from terrascope_nb._html import Safe, tag
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.events import SEG

if TYPE_CHECKING:
    from terrascope_nb.reason.trace import Trace
    from terrascope_nb.scene.scene import Scene


@dataclass(frozen=True)
class Held:
    """A step whose mask was asked about at a place.

    Attributes
    ----------
    step : int
        Index into ``trace.steps``.
    label, text : str
    inside : bool
        The mask holds the pixel.
    measured : bool
        The pixel was measured: clear, in the area, judged.
    score : float or None
        The class score there, 0 … 1.
    """

    step: int
    label: str
    text: str
    inside: bool
    measured: bool
    score: float | None


@dataclass(frozen=True)
class Place:
    """One pixel of an image, as a trace sees it.

    Attributes
    ----------
    row, col : int
    image : int
        Index of the image.
    on_image : bool
        The place lies on the image; else nothing below is filled.
    lat, lon : float or None
        Degrees; None without a CRS.
    state : str
        «clear», «cloud», «no data», «outside the area».
    held : tuple of Held
        One for each step drawn on this image.
    bands : tuple of (str, float, str)
        Name, value and unit; () where the scene is not at hand.
    note : str
        Why there are no band values, «» where there are.
    """

    row: int
    col: int
    image: int
    on_image: bool
    lat: float | None = None
    lon: float | None = None
    state: str = ""
    held: tuple[Held, ...] = ()
    bands: tuple[tuple[str, float, str], ...] = ()
    note: str = ""

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps whose masks hold the pixel."""
        return tuple(h.step for h in self.held if h.inside)

    def html(self) -> Safe:
        """The place in a few lines of HTML."""
        if not self.on_image:
            return tag("p", "That place lies outside the image.")
        where = "" if self.lat is None else f"{self.lat:.5f}°, {self.lon:.5f}° · "
        inside = [h for h in self.held if h.inside]
        lines = [
            tag("li", tag("b", f"{h.step + 1}. {h.label or 'region'}"), _score(h), " ", h.text.replace(SEG, "▣"))
            for h in inside
        ]
        outside = [f"{h.label or 'region'}{_score(h)}" for h in self.held if not h.inside]
        return tag(
            "div",
            tag("p", f"{where}row {self.row}, column {self.col} · {self.state}"),
            tag("ul", lines) if lines else tag("p", "No mask holds this pixel."),
            tag("p", "Not in: " + "; ".join(dict.fromkeys(outside)) + ".") if outside else None,
            tag("p", ", ".join(f"{n} {v:.4g}{' ' + u if u else ''}" for n, v, u in self.bands)) if self.bands else None,
            tag("p", self.note, cls="small") if self.note else None,
        )


def inspect(trace: Trace, x: float, y: float, image: int = 0, scene: Scene | None = None) -> Place:
    """What a trace says of a place.

    Parameters
    ----------
    trace : Trace
    x, y : float
        Longitude and latitude; without a CRS the column and the *negative* row, as a map without CRS counts them.
    image : int
        Index of the image looked at.
    scene : Scene, optional
        Where band values come from.
    """
    frame = trace.frames[image]
    row, col = pixel_at(frame.grid, x, y)
    h, w = frame.grid.shape
    if not (0 <= row < h and 0 <= col < w):
        return Place(row, col, image, False)
    state = (
        "outside the area"
        if not frame.inside[row, col]
        else "no data"
        if not frame.valid[row, col]
        else "clear"
        if frame.clear[row, col]
        else "cloud"
    )
    held = []
    for k, (step, region) in enumerate(zip(trace.steps, trace.regions, strict=True)):
        if step.image == image:
            score = None if step.probability is None else float(step.probability.values[row, col])
            held.append(
                Held(
                    k,
                    step.label,
                    step.text,
                    bool(region.pixels[row, col]),
                    bool(region.domain.pixels[row, col]),
                    None if score is None or not np.isfinite(score) else score,
                )  # fmt: skip
            )
    lat, lon = (y, x) if frame.grid.crs is not None else (None, None)
    bands, note = _bands(scene, image, row, col)
    return Place(row, col, image, True, lat, lon, state, tuple(held), bands, note)


def pixel_at(grid: Grid, x: float, y: float) -> tuple[int, int]:
    """Row and column of a place on the ground's true grid (not by way of the picture shown)."""
    if grid.crs is None:
        return int(np.floor(-y)), int(np.floor(x))
    east, north = Transformer.from_crs(4326, grid.crs, always_xy=True).transform((x + 180) % 360 - 180, y)
    if not (np.isfinite(east) and np.isfinite(north)):
        return -1, -1
    if grid.crs.is_geographic:
        west = grid.bounds[0]
        east = (east - west) % 360 + west
    row, col = grid.rowcol(east, north)
    return int(row), int(col)


def _bands(scene: Scene | None, image: int, row: int, col: int) -> tuple[tuple[tuple[str, float, str], ...], str]:
    if scene is None:
        return (), "No band values: only the trace is at hand, without its scene. Give it: Explorer(trace=…, scene=…)."
    one = scene.images[image]
    unit = "" if one.units == "reflectance" else one.units
    return tuple((name, float(array[row, col]), unit) for name, array in one.arrays().items()), ""


def _score(held: Held) -> str:
    if not held.measured:
        return " (not measured here)"
    return "" if held.score is None else f" (score {held.score:.2f})"
