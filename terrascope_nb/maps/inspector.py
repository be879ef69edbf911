"""What a trace says of one place: the sentences whose masks hold it, scores, and band values where there are any."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pyproj import Transformer

from terrascope_nb._html import Safe, tag
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.events import SEG
from terrascope_nb.reason.show.captions import image_words

if TYPE_CHECKING:
    from terrascope_nb.reason.trace import Trace
    from terrascope_nb.scene.scene import Scene

Bands = tuple[tuple[str, float, str], ...]

NO_SCENE = "No band values: only the trace is at hand, without its scene. Give it: Explorer(trace=…, scene=…)."


@dataclass(frozen=True)
class Held:
    """A step whose mask was asked about at a place.

    Attributes
    ----------
    step : int
        Index into ``trace.steps``.
    label, text : str
    image : int
        Index of the image that the mask is drawn on.
    day : str
        Its date, «undated» without one.
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
    image: int
    day: str
    inside: bool
    measured: bool
    score: float | None


@dataclass(frozen=True)
class Place:
    """One pixel of an image, as a trace sees it.

    Attributes
    ----------
    row, col : int
        Of the pixel on the image's own grid.
    image : int
        Index of the image.
    on_image : bool
        The place lies on the image; else only `held` is filled, by steps on images that it does lie on.
    lat, lon : float or None
        Degrees; None without a CRS.
    state : str
        «clear», «cloud», «no data», «outside the area».
    held : tuple of Held
        One for each step on whose image the place lies.
    bands : tuple of (str, tuple of (str, float, str))
        For the image, and the one of the other sensor at that date: its words, and name, value and unit of each band.
        () where the scene is not at hand.
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
    bands: tuple[tuple[str, Bands], ...] = ()
    note: str = ""

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps whose masks hold the pixel."""
        return tuple(h.step for h in self.held if h.inside)

    def html(self) -> Safe:
        """The place in a few lines of HTML."""
        if not self.on_image and not self.held:
            return tag("p", "That place lies outside the image.")
        where = "" if self.lat is None else f"{self.lat:.5f}°, {self.lon:.5f}° · "
        inside = [h for h in self.held if h.inside]
        several = len({h.day for h in self.held}) > 1
        lines = [tag("li", tag("b", _name(h, several)), _score(h), " ", h.text.replace(SEG, "▣")) for h in inside]
        outside = [f"{_name(h, several)}{_score(h)}" for h in self.held if not h.inside]
        return tag(
            "div",
            tag("p", f"{where}row {self.row}, column {self.col} · {self.state}"),
            tag("ul", lines) if lines else tag("p", "No mask holds this pixel."),
            tag("p", "Not in: " + "; ".join(outside) + ".", cls="small") if outside else None,
            [tag("p", tag("b", words), ": ", ", ".join(value_words(*v) for v in bands)) for words, bands in self.bands],
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
    held = []
    for k, (step, region) in enumerate(zip(trace.steps, trace.regions, strict=True)):
        own = trace.frames[step.image]
        r, c = (row, col) if own.grid is frame.grid or own.grid == frame.grid else pixel_at(own.grid, x, y)
        if not _on(own.grid, r, c):
            continue
        score = math.nan if step.probability is None else float(step.probability.values[r, c])
        held.append(Held(
            k, step.label, step.text, step.image, own.day, bool(region.pixels[r, c]), bool(region.domain.pixels[r, c]),
            score if math.isfinite(score) else None,
        ))  # fmt: skip
    lat, lon = (y, x) if frame.grid.crs is not None else (None, None)
    if not _on(frame.grid, row, col):
        return Place(row, col, image, False, lat, lon, "outside this image", tuple(held))
    state = (
        "outside the area"
        if not frame.inside[row, col]
        else "no data"
        if not frame.valid[row, col]
        else "clear"
        if frame.clear[row, col]
        else "cloud"
    )
    bands = () if scene is None else _bands(trace, scene, image, row, col)
    return Place(row, col, image, True, lat, lon, state, tuple(held), bands, NO_SCENE if scene is None else "")


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


def value_words(name: str, value: float, unit: str) -> str:
    """A band's value; backscatter in decibels beside linear power.

    Examples
    --------
    >>> value_words("vv", 0.01, "linear"), value_words("nir", 0.25, ""), value_words("vh", float("nan"), "linear")
    ('vv 0.01 (−20.0 dB)', 'nir 0.25', 'vh no data')
    """
    if not math.isfinite(value):
        return f"{name} no data"
    number = f"{name} {value:.4g}"
    if unit == "linear":
        return f"{number} ({10 * math.log10(value):.1f} dB)".replace("-", "−") if value > 0 else f"{number} (no dB)"
    return f"{number} {unit}".strip()


def _on(grid: Grid, row: int, col: int) -> bool:
    return 0 <= row < grid.shape[0] and 0 <= col < grid.shape[1]


def _bands(trace: Trace, scene: Scene, image: int, row: int, col: int) -> tuple[tuple[str, Bands], ...]:
    asked = [image]
    for moment in scene.moments():
        if image in (moment.optical, moment.sar):
            asked += [k for k in (moment.optical, moment.sar) if k is not None and k not in asked]
            break
    out = []
    for k in asked:
        one = scene.images[k]
        if one.grid == scene.images[image].grid:
            unit = "" if one.units == "reflectance" else one.units
            values = tuple((name, float(array[row, col]), unit) for name, array in one.arrays().items())
            out.append((image_words(trace.frames[k]), values))
    return tuple(out)


def _name(held: Held, several: bool) -> str:
    day = f", {held.day}" if several else ""
    return f"{held.step + 1}. {held.label or 'region'}{day}"


def _score(held: Held) -> str:
    if not held.measured:
        return " (not measured here)"
    return "" if held.score is None else f" (score {held.score:.2f})"
