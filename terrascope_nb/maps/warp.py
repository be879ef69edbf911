"""Pictures and masks warped to web Mercator (EPSG:3857), *for display only*: nothing is ever measured on them.

A browser stretches an image straight between two corners in web Mercator. `WebGrid` therefore says, for every display
pixel, which pixel of the ground's true grid it shows: by nearest neighbour, from exact coordinates on a mesh.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from pyproj import CRS, Transformer

from terrascope_nb._html import data_uri
from terrascope_nb.errors import GridMismatch, InvalidInput
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene.overlay import FILL, _alpha, _mask, _reduced, _reduced_mask, _rgb, outline, shown_size
from terrascope_nb.scene.render import View

MAX_SIDE = 2048
"""Display pixels that the longer side has at most; `Overlay.note` says when a picture was reduced for it."""

EDGE_LATITUDE = 85.0511
"""Degrees: web Mercator ends here."""

_RADIUS = 6378137.0
# Display pixels a ground pixel: small pictures twice, to halve the error of the nearest neighbour. At 1.5 each ground
# pixel, however turned, still has a display pixel's centre in it (√2 would do), and noise at 512² stays under 100 kB.
_FINER = ((400, 2.0), (MAX_SIDE / 1.5, 1.5))
_MESH = 32  # display pixels between points whose coordinates are computed exactly
STYLES = ("fill", "outline")

Bounds = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Overlay:
    """An image to lay over a map.

    Attributes
    ----------
    data : bytes
        PNG or WebP.
    mime : str
        Its media type.
    bounds : ((south, west), (north, east))
        Degrees, of the outer edges; without a CRS rows (downwards negative) and columns.
    shape : (int, int)
        Display rows and columns.
    note : str
        A sentence where it is shown with fewer pixels than it has, else «».
    """

    data: bytes
    mime: str
    bounds: Bounds
    shape: tuple[int, int]
    note: str = ""

    @property
    def uri(self) -> str:
        """The image as a ``data:`` link."""
        return data_uri(self.mime, self.data)

    def __repr__(self) -> str:
        return f"<Overlay {self.shape[0]} × {self.shape[1]}, {len(self.data) / 1000:.0f} kB, {self.bounds}>"


@dataclass(frozen=True, eq=False)
class WebGrid:
    """Display pixels over a grid.

    Attributes
    ----------
    rows, cols : numpy.ndarray
        (h, w) int32: the pixel of the grid, reduced to `source`, that each display pixel shows.
    there : numpy.ndarray
        (h, w) bool: the display pixel lies on the grid.
    bounds : ((south, west), (north, east))
    source : (int, int)
        Shape to which the grid's arrays are reduced before they are looked up.
    full : (int, int)
        The grid's own shape.
    """

    rows: np.ndarray
    cols: np.ndarray
    there: np.ndarray
    bounds: Bounds
    source: tuple[int, int]
    full: tuple[int, int]

    @property
    def note(self) -> str:
        """A sentence where the display has fewer pixels than the grid."""
        if self.source == self.full:
            return ""
        (h, w), (rows, cols) = self.full, self.source
        return f"shown at {rows} × {cols} of {h} × {w} pixels; figures and masks are of all of them"

    def take(self, array: np.ndarray) -> np.ndarray:
        """An array (H, W) or (H, W, 3) on display pixels; what is off the grid is 0."""
        if array.shape[:2] != self.full:
            raise GridMismatch(f"an array of {array.shape[:2]} pixels for a grid of {self.full}")
        longest = max(self.source)
        small = _reduced_mask(array, longest) if array.dtype == bool else _reduced(array, longest)
        out = small.reshape(-1, *small.shape[2:]).take(self._flat, axis=0)
        out[self._off] = 0
        return out

    @cached_property
    def _flat(self) -> np.ndarray:
        """(h, w): places in a flat array of `source`; one index is looked up twice as fast as two."""
        return self.rows.astype(np.intp) * self.source[1] + self.cols

    @cached_property
    def _off(self) -> np.ndarray:
        return ~self.there


@lru_cache(maxsize=16)
def web_grid(grid: Grid, max_side: int = MAX_SIDE) -> WebGrid:
    """Display pixels for a grid, kept for the next mask on the same grid.

    Without a CRS the pixels are laid out as they are, one display unit a pixel.

    Raises
    ------
    InvalidInput
        Where the grid reaches beyond 85.05° north or south, where web maps end.
    """
    source = shown_size(grid.shape, max_side)
    finer = next((k for side, k in _FINER if max(source) <= side and max(source) * k <= max_side), 1.0)
    if grid.crs is None:
        finer = int(finer)
        h, w = source[0] * finer, source[1] * finer
        rows, cols = np.arange(h, dtype=np.int32) // finer, np.arange(w, dtype=np.int32) // finer
        every = np.ones((h, w), bool)
        bounds = ((-float(grid.height), 0.0), (0.0, float(grid.width)))
        return WebGrid(*np.meshgrid(rows, cols, indexing="ij"), every, bounds, source, grid.shape)
    forth, back = _transformers(grid.crs.to_wkt())
    middle = float(grid.lonlat(grid.height / 2 - 0.5, grid.width / 2 - 0.5)[0])
    left, bottom, right, top = _extent(grid, forth, middle)
    # As many display pixels as the grid has along the longer side, square in web Mercator.
    size = max(right - left, top - bottom) / (max(source) * finer)
    w, h = max(math.ceil((right - left) / size - 1e-6), 1), max(math.ceil((top - bottom) / size - 1e-6), 1)
    right, bottom = left + w * size, top - h * size
    rows, cols = _look_up(grid, back, (left, top, size), (h, w))
    there = (rows >= 0) & (rows < grid.height) & (cols >= 0) & (cols < grid.width)
    rows = np.clip(np.floor(rows * (source[0] / grid.height)), 0, source[0] - 1).astype(np.int32)
    cols = np.clip(np.floor(cols * (source[1] / grid.width)), 0, source[1] - 1).astype(np.int32)
    bounds = ((_latitude(bottom), _longitude(left)), (_latitude(top), _longitude(right)))
    return WebGrid(rows, cols, there, bounds, source, grid.shape)


def view_overlay(view: View, grid: Grid, max_side: int = MAX_SIDE, quality: int = 85) -> Overlay:
    """The picture of an image as WebP, transparent where there is no data."""
    from PIL import Image

    web = web_grid(grid, max_side)
    rgba = np.dstack([web.take(view.pixels), web.take(view.valid).astype(np.uint8) * 255])
    out = io.BytesIO()
    Image.fromarray(rgba, "RGBA").save(out, "WEBP", quality=quality, method=2, exact=False)
    return Overlay(out.getvalue(), "image/webp", web.bounds, web.there.shape, web.note)


def mask_overlay(
    mask: np.ndarray,
    grid: Grid,
    color: str,
    style: str = "fill",
    opacity: float = FILL,
    max_side: int = MAX_SIDE,
) -> Overlay:
    """A mask as a PNG of four colours: the fill, and an outline that is white within and black around.

    Parameters
    ----------
    mask : numpy.ndarray
        (H, W) bool on `grid`.
    color : str
        ``#rrggbb`` of the fill.
    style : "fill" or "outline"
        Without fill the outline alone is drawn, in `color` within.
    opacity : float
        0 … 1, of the fill.
    """
    if style not in STYLES:
        raise InvalidInput(f"style is 'fill' or 'outline', got {style!r}")
    web = web_grid(grid, max_side)
    shown = web.take(_mask(mask))
    within, around = outline(shown)
    codes = shown.astype(np.uint8)
    codes[around] = 2
    codes[within] = 3
    white, ink = (255, 255, 255), _rgb(color)
    fill = _alpha(opacity) if style == "fill" else 0
    palette = [(0, 0, 0, 0), (*ink, fill), (0, 0, 0, 160), (*(white if style == "fill" else ink), 255)]
    return Overlay(_palette_png(codes, palette), "image/png", web.bounds, shown.shape, web.note)


def change_overlay(
    gained: np.ndarray, lost: np.ndarray, grid: Grid, colors: tuple[str, str] = ("#0072b2", "#d55e00"),
    opacity: float = 0.75, max_side: int = MAX_SIDE,
) -> Overlay:  # fmt: skip
    """What appeared and what disappeared between two dates, in two colours that the colour-blind can tell apart."""
    web = web_grid(grid, max_side)
    codes = np.zeros(web.there.shape, np.uint8)
    codes[web.take(_mask(gained))] = 1
    codes[web.take(_mask(lost))] = 2
    alpha = _alpha(opacity)
    palette = [(0, 0, 0, 0), (*_rgb(colors[0]), alpha), (*_rgb(colors[1]), alpha), (0, 0, 0, 0)]
    return Overlay(_palette_png(codes, palette), "image/png", web.bounds, codes.shape, web.note)


def around(mask: np.ndarray, grid: Grid) -> Bounds | None:
    """Bounds of a mask with a margin of an eighth, for a map to fit; None for an empty one."""
    rows, cols = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    if not len(rows):
        return None
    margin = max(4, (rows[-1] - rows[0]) // 8, (cols[-1] - cols[0]) // 8)
    r = np.array([rows[0] - margin, rows[-1] + margin + 1])
    c = np.array([cols[0] - margin, cols[-1] + margin + 1])
    if grid.crs is None:
        return (-float(r[1]), float(c[0])), (-float(r[0]), float(c[1]))
    lon, lat = grid.lonlat(np.repeat(r, 2) - 0.5, np.tile(c, 2) - 0.5)
    middle = float(grid.lonlat(grid.height / 2, grid.width / 2)[0])
    lon = (np.asarray(lon) - middle + 180) % 360 - 180 + middle
    return (float(np.min(lat)), float(lon.min())), (float(np.max(lat)), float(lon.max()))


def _palette_png(codes: np.ndarray, palette: list[tuple[int, int, int, int]]) -> bytes:
    from PIL import Image

    picture = Image.fromarray(codes).convert("P")
    picture.putpalette([v for color in palette for v in color[:3]])
    out = io.BytesIO()
    picture.save(out, "PNG", bits=2, transparency=bytes(color[3] for color in palette), compress_level=4)
    return out.getvalue()


@lru_cache(maxsize=16)
def _transformers(wkt: str) -> tuple[Transformer, Transformer]:
    crs = CRS.from_wkt(wkt)
    forth = Transformer.from_crs(crs, 4326, always_xy=True)
    return forth, Transformer.from_crs(4326, crs, always_xy=True)


def _extent(grid: Grid, forth: Transformer, middle: float) -> tuple[float, float, float, float]:
    """Left, bottom, right, top in web Mercator metres; longitudes are counted on from the middle's."""
    rows, cols = np.linspace(-0.5, grid.height - 0.5, 65), np.linspace(-0.5, grid.width - 0.5, 65)
    r = np.concatenate([rows, rows, np.full(65, rows[0]), np.full(65, rows[-1])])
    c = np.concatenate([np.full(65, cols[0]), np.full(65, cols[-1]), cols, cols])
    lon, lat = forth.transform(*grid.xy(r, c))
    lon = (np.asarray(lon) - middle + 180) % 360 - 180 + middle
    if not np.isfinite(lat).all() or np.abs(lat).max() > EDGE_LATITUDE:
        raise InvalidInput(
            f"{grid!r} reaches beyond {EDGE_LATITUDE}° of latitude, where web maps end: show the trace itself or "
            "trace.to_html() instead, which draw the ground's own grid"
        )
    x, y = np.radians(lon) * _RADIUS, _mercator(np.asarray(lat))
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _look_up(
    grid: Grid, back: Transformer, corner: tuple[float, float, float], shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Fractional rows and columns, counted from the outer corner, of the centre of each display pixel."""
    (left, top, size), (h, w) = corner, shape
    ys, xs = _knots(h), _knots(w)
    lon = np.degrees((left + (xs + 0.5) * size) / _RADIUS)
    lat = _latitudes(top - (ys + 0.5) * size)
    mesh_lon, mesh_lat = np.meshgrid((lon + 180) % 360 - 180, lat)
    x, y = back.transform(mesh_lon, mesh_lat)
    if grid.crs is not None and grid.crs.is_geographic:  # counted on from the grid's own western edge
        west = grid.bounds[0]
        x = (np.asarray(x) - west + 1e-9) % 360 + west - 1e-9
    t, x, y = ~grid.transform, np.asarray(x), np.asarray(y)
    cols, rows = t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f
    return _between(rows, ys, xs, shape), _between(cols, ys, xs, shape)


def _knots(n: int) -> np.ndarray:
    return np.linspace(0, n - 1, max(math.ceil(n / _MESH) + 1, 2)) if n > 1 else np.array([0.0, 1.0])


def _between(values: np.ndarray, ys: np.ndarray, xs: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Bilinear between mesh points."""
    h, w = shape
    y = np.clip(np.searchsorted(ys, np.arange(h), side="right") - 1, 0, len(ys) - 2)
    x = np.clip(np.searchsorted(xs, np.arange(w), side="right") - 1, 0, len(xs) - 2)
    fy = ((np.arange(h) - ys[y]) / (ys[y + 1] - ys[y]))[:, None]
    fx = ((np.arange(w) - xs[x]) / (xs[x + 1] - xs[x]))[None, :]
    along = values[:, x] * (1 - fx) + values[:, x + 1] * fx
    return along[y] * (1 - fy) + along[y + 1] * fy


def _mercator(lat: np.ndarray) -> np.ndarray:
    return _RADIUS * np.log(np.tan(np.pi / 4 + np.radians(lat) / 2))


def _latitudes(y: np.ndarray) -> np.ndarray:
    return np.degrees(2 * np.arctan(np.exp(y / _RADIUS)) - np.pi / 2)


def _latitude(y: float) -> float:
    return float(_latitudes(np.array(y)))


def _longitude(x: float) -> float:
    return math.degrees(x / _RADIUS)
