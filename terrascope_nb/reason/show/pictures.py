"""A trace's pictures as pixels and bytes: base, mask with its outline, what was not measured."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb.scene.classes import color
from terrascope_nb.scene.overlay import _reduced, _reduced_mask, _rgb, outline, shown_size

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from terrascope_nb.geo.grid import Grid
    from terrascope_nb.reason.trace import Trace
    from terrascope_nb.scene.render import View

CRISP = 600  # pixels: smaller pictures are enlarged by a whole number up to this side, so that outlines stay thin
LONGEST = 4096  # pixels: no picture is longer, however narrow
NOTHING, FILL, EDGE, AROUND, VEIL, HATCH = range(6)
OPACITY = 0.5  # of a mask over the picture


@dataclass(frozen=True)
class Rung:
    """How finely a trace is shown.

    Attributes
    ----------
    side : int
        Square root of the most pixels a picture may have.
    quality : int
        1 … 95, of a base picture that is too large to keep lossless.
    """

    side: int
    quality: int


_FINE = (1024, 80), (724, 70), (512, 70), (512, 50), (448, 50), (384, 50)
_COARSE = (320, 50), (288, 50), (256, 50), (224, 50), (181, 45), (128, 45), (64, 40)
RUNGS = tuple(Rung(side, quality) for side, quality in (*_FINE, *_COARSE))
"""From the finest to what always fits."""


def shown_shape(shape: tuple[int, int], side: int) -> tuple[int, int]:
    """Rows and columns at which an image is shown: at most ``side²`` pixels, and none longer than `LONGEST`.

    Examples
    --------
    >>> shown_shape((10980, 10980), 1024), shown_shape((30, 3000), 512), shown_shape((120, 90), 1024)
    ((1024, 1024), (30, 3000), (120, 90))
    """
    k = max(math.sqrt(shape[0] * shape[1]) / side, max(shape) / LONGEST, 1)
    return shown_size(shape, max(round(max(shape) / k), 1))


def shown_note(shape: tuple[int, int], side: int) -> str:
    """A sentence where a picture is shown with fewer pixels than it has, else «»."""
    h, w = shown_shape(shape, side)
    if (h, w) == tuple(shape):
        return ""
    return f"shown at {h} × {w} of {shape[0]} × {shape[1]} pixels; figures are of all of them"


def pixel_aspect(grid: Grid) -> float:
    """Height of a pixel over its width, on the ground; 1 without a CRS. In degrees, at the grid's middle latitude.

    Examples
    --------
    >>> from affine import Affine
    >>> from terrascope_nb.geo.grid import Grid
    >>> pixel_aspect(Grid(Affine(10, 0, 0, 0, -20, 0), (4, 4), 32633))
    2.0
    >>> round(pixel_aspect(Grid(Affine(0.001, 0, 14, 0, -0.001, 60), (4, 4), 4326)), 3)
    2.0
    """
    rx, ry = grid.resolution
    if grid.crs is None:
        return 1.0
    if grid.crs.is_geographic:
        _, south, _, north = grid.bounds
        rx *= max(math.cos(math.radians(min(abs(south + north) / 2, 89.0))), 0.02)
    return ry / rx


def base_bytes(view: View, rung: Rung) -> bytes:
    """A view as WebP: lossless where that is small, else by the rung's quality."""
    from PIL import Image

    picture = Image.fromarray(_reduced(view.pixels, _longest(view.shape, rung.side)))
    whole = picture.size == view.shape[::-1] and max(picture.size) <= 256
    lossless = webp(picture, lossless=True, quality=60) if whole else b""
    if 0 < len(lossless) <= 48_000:
        return lossless
    return webp(picture, quality=rung.quality)


def overlay_bytes(mask: np.ndarray, measured: np.ndarray, hue: str, rung: Rung) -> bytes:
    """The layer to lay over `base_bytes`: the mask's fill and outline, and hatching where nothing was measured."""
    from PIL import Image

    codes = overlay_codes(mask, measured, rung.side)
    palette = _palette(hue)
    return webp(Image.fromarray(palette[codes], "RGBA"), lossless=True, quality=20)


def overlay_codes(mask: np.ndarray, measured: np.ndarray, side: int, crisp: int = CRISP) -> np.ndarray:
    """What is drawn where: `NOTHING`, `FILL`, `EDGE` (within the mask), `AROUND` it, `VEIL` and `HATCH` (not measured).

    Parameters
    ----------
    mask, measured : numpy.ndarray
        (H, W) bool. Only the measured part of a mask is drawn, since only that counts.
    side : int
        As in `Rung`.
    crisp : int
        Smaller pictures are enlarged by the largest whole number that keeps them within this; reduced ones are not.

    Returns
    -------
    numpy.ndarray
        (h, w) uint8 at the size shown.
    """
    longest = _longest(mask.shape, side)
    drawn = _reduced_mask(mask & measured, longest)
    blind = _reduced_mask(~measured, longest) & ~drawn
    up = enlargement(drawn.shape, crisp) if drawn.shape == mask.shape else 1
    drawn, blind = (np.repeat(np.repeat(m, up, axis=0), up, axis=1) for m in (drawn, blind))
    codes = np.where(drawn, np.uint8(FILL), np.uint8(NOTHING))
    if blind.any():
        rows, cols = np.ogrid[: blind.shape[0], : blind.shape[1]]
        step = max(max(blind.shape) // 60, 4)
        stripes = (rows + cols) % step < max(step // 6, 1)
        codes[blind] = VEIL
        codes[blind & stripes] = HATCH
    within, around = outline(drawn)
    codes[around] = AROUND
    codes[within] = EDGE
    return codes


def enlargement(shape: tuple[int, int], crisp: int = CRISP) -> int:
    """By how much a small picture is enlarged, so that its pixels stay square and crisp."""
    return max(crisp // max(shape), 1)


def painted(trace: Trace, k: int | None, side: int, crisp: int = CRISP, image: int = 0) -> np.ndarray:
    """Step `k` over its image (or `image` alone, for None): (h, w, 3) uint8; few pixels are enlarged, crisp.

    Parameters
    ----------
    side, crisp : int
        As in `overlay_codes`.
    """
    from PIL import Image

    frame = trace.frames[image if k is None else trace.steps[k].image]
    mask, measured, hue = np.zeros(frame.grid.shape, bool), np.ones(frame.grid.shape, bool), "#000000"
    if k is not None:
        mask, measured, hue = trace.steps[k].mask.values, trace.regions[k].domain.pixels, color(trace.steps[k].label)
    codes = overlay_codes(mask, measured, side, crisp)
    base = Image.fromarray(_reduced(frame.view.pixels, _longest(frame.view.shape, side)))
    base = base.resize(codes.shape[::-1], Image.Resampling.NEAREST)
    paint = _palette(hue)[codes].astype(np.float32)
    alpha = paint[..., 3:] / 255
    return (np.asarray(base, np.float32) * (1 - alpha) + paint[..., :3] * alpha).round().astype(np.uint8)


def tile(trace: Trace, k: int | None, side: int) -> np.ndarray:
    """`painted` in the ground's proportions, its longer side `side` pixels: (h, w, 3) uint8."""
    from PIL import Image

    grid = trace.frames[0 if k is None else trace.steps[k].image].grid
    h, w = grid.height * pixel_aspect(grid), grid.width
    scale = side / max(h, w)
    picture = painted(trace, k, max(round(math.sqrt(h * w) * scale), 8), side)
    size = max(round(w * scale), 2), max(round(h * scale), 2)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def _longest(shape: tuple[int, int], side: int) -> int:
    return max(shown_shape(shape, side))


def _palette(hue: str) -> np.ndarray:
    r, g, b = _rgb(hue)
    fill = round(OPACITY * 255)
    lines, veil = [(255, 255, 255, 255), (0, 0, 0, 200)], [(255, 255, 255, 115), (40, 40, 46, 190)]
    return np.array([(0, 0, 0, 0), (r, g, b, fill), *lines, *veil], np.uint8)


def webp(picture: Picture, **options: Any) -> bytes:
    """A picture as WebP, with Pillow's options."""
    out = io.BytesIO()
    picture.save(out, "WEBP", method=4, **options)
    return out.getvalue()
