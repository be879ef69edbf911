"""Views and masks → pixels and image bytes for pages, figures and maps. Pure: numpy and Pillow, nothing kept."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as Picture
from PIL import ImageColor

from terrascope_nb.errors import GridMismatch, InvalidInput
from terrascope_nb.scene.render import View

if TYPE_CHECKING:
    from terrascope_nb.scene.scene import Image, Scene

Layer = tuple[np.ndarray, str]  # mask (H, W) bool, colour "#rrggbb"

LOSSLESS_SIDE = 256  # pictures up to this side are kept lossless: at that size it costs little
FILL = 0.5  # opacity of a mask over the picture
IMAGES_SHOWN = 6  # of a scene, on its page


def shown_size(shape: tuple[int, int], max_side: int = 1024) -> tuple[int, int]:
    """Rows and columns at which a picture is shown: its own, or reduced so that the longer side is `max_side`.

    Examples
    --------
    >>> shown_size((10980, 10980)), shown_size((120, 90))
    ((1024, 1024), (120, 90))
    """
    if max_side < 1:
        raise InvalidInput(f"max_side must be at least 1 pixel, got {max_side}")
    h, w = shape
    k = max(h, w) / max_side
    return (h, w) if k <= 1 else (max(round(h / k), 1), max(round(w / k), 1))


def size_note(shape: tuple[int, int], max_side: int = 1024) -> str:
    """A sentence where a picture is shown smaller than it is, else «».

    Examples
    --------
    >>> size_note((2048, 2048))
    'shown at 1024 × 1024; the image has 2048 × 2048 pixels, and figures are of all of them'
    >>> size_note((512, 512))
    ''
    """
    h, w = shown_size(shape, max_side)
    return (
        ""
        if (h, w) == tuple(shape)
        else f"shown at {h} × {w}; the image has {shape[0]} × {shape[1]} pixels, and figures are of all of them"
    )


def base_image(view: View, max_side: int = 1024, format: str = "webp", quality: int = 80) -> bytes:
    """A view as WebP or JPEG bytes, reduced to `max_side` (pixel averages).

    Parameters
    ----------
    view : View
    max_side : int
        Longest side in pixels; `size_note` says when this reduces.
    format : "webp" or "jpeg"
        WebP up to 256 pixels a side is lossless.
    quality : int
        1 … 95, for what is not lossless.
    """
    if format not in ("webp", "jpeg"):
        raise InvalidInput(f"format must be 'webp' or 'jpeg', got {format!r}")
    picture = Picture.fromarray(_reduced(view.pixels, max_side))
    out = io.BytesIO()
    if format == "jpeg":
        picture.save(out, "JPEG", quality=quality, optimize=True)
    elif max(picture.size) <= LOSSLESS_SIDE:
        picture.save(out, "WEBP", lossless=True, quality=100, method=4)
    else:
        picture.save(out, "WEBP", quality=quality, method=4)
    return out.getvalue()


def mask_png(mask: np.ndarray, color: str, max_side: int = 1024, opacity: float = FILL) -> bytes:
    """A mask as a 1-bit PNG to lay over `base_image`: `color` where True, transparent elsewhere.

    A reduced pixel is coloured where at least half of it is in the mask; a mask too thin for that shows where any
    of it is, so that what is there is never shown as nothing.

    Parameters
    ----------
    mask : numpy.ndarray
        (H, W) bool.
    color : str
        ``#rrggbb``.
    opacity : float
        0 … 1.
    """
    small = _reduced_mask(_mask(mask), max_side)
    r, g, b = _rgb(color)
    picture = Picture.fromarray(small.astype(np.uint8))
    picture = picture.convert("P")
    picture.putpalette([0, 0, 0, r, g, b])
    out = io.BytesIO()
    picture.save(out, "PNG", bits=1, transparency=bytes([0, _alpha(opacity)]), optimize=True)
    return out.getvalue()


def overlay_rgba(view: View, masks: Iterable[Layer] = (), opacity: float = FILL) -> np.ndarray:
    """The view with masks laid over it: (H, W, 4) uint8; transparent where there is neither data nor mask.

    Later masks lie over earlier ones.

    Raises
    ------
    GridMismatch
        When a mask has another shape than the view.
    """
    out = np.dstack([view.pixels, np.where(view.valid, 255, 0).astype(np.uint8)])
    alpha = _alpha(opacity)
    for mask, color in masks:
        mask = _mask(mask)
        if mask.shape != view.shape:
            raise GridMismatch(f"a mask has shape {mask.shape}, the view {view.shape}")
        paint = np.array(_rgb(color), np.uint16) * alpha
        out[mask, :3] = ((out[mask, :3].astype(np.uint16) * (255 - alpha) + paint + 127) // 255).astype(np.uint8)
        out[mask, 3] = 255
    return out


def composite_png(
    view: View,
    masks: Sequence[Layer] = (),
    max_side: int = 512,
    min_side: int = 320,
    opacity: float = FILL,
    colors: int | None = 128,
) -> bytes:
    """One picture with the masks and their outlines, as PNG bytes: for papers, and where a page cannot lay layers.

    Outlines are white within the mask and black around it, so that they show on any ground.

    Parameters
    ----------
    view : View
    masks : sequence of (mask, colour)
    max_side, min_side : int
        The longer side is brought between them: pixel averages down, whole multiples up.
    colors : int or None
        Colours of the palette (2 … 256), to keep the file small; None keeps all.
    """
    pixels = _reduced(overlay_rgba(view, masks, opacity)[..., :3], max_side)
    small = [_reduced_mask(_mask(m), max_side) for m, _ in masks]
    up = max(1, min(min_side // max(pixels.shape[:2]), max_side // max(pixels.shape[:2])))
    pixels = np.repeat(np.repeat(pixels, up, axis=0), up, axis=1)
    for mask in small:
        within, around = outline(np.repeat(np.repeat(mask, up, axis=0), up, axis=1))
        pixels[around] = 0
        pixels[within] = 255
    picture = Picture.fromarray(pixels)
    if colors is not None:
        picture = picture.quantize(colors, method=Picture.Quantize.MEDIANCUT, dither=Picture.Dither.NONE)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def outline(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mask's edge pixels, within it and just outside it: two (H, W) bool. The image's border is no edge."""
    within, around = np.zeros_like(mask), np.zeros_like(mask)
    for a, b in (
        (np.s_[1:, :], np.s_[:-1, :]),
        (np.s_[:-1, :], np.s_[1:, :]),
        (np.s_[:, 1:], np.s_[:, :-1]),
        (np.s_[:, :-1], np.s_[:, 1:]),
    ):
        within[a] |= mask[a] & ~mask[b]
        around[a] |= ~mask[a] & mask[b]
    return within, around


def scene_mimebundle(scene: Scene) -> dict[str, Any]:
    """A scene as HTML, PNG and plain text, readable where no kernel runs."""
    from terrascope_nb._html import tag

    shown = scene.images[:IMAGES_SHOWN]
    more = len(scene.images) - len(shown)
    title = f"Scene {scene.name}".strip()
    place = [tag("p", repr(scene.aoi).strip("<>"))] if scene.aoi is not None else []
    rest = [tag("p", f"and {more} more image{'s' * (more > 1)}")] if more else []
    page = tag(
        "div",
        tag("p", tag("strong", title), f" · {len(scene.images)} image{'s' * (len(scene.images) > 1)}"),
        *place,
        tag(
            "div",
            *[_card(scene, k, image) for k, image in enumerate(shown)],
            style="display:flex;flex-wrap:wrap;gap:1em",
        ),
        *rest,
        _details("What was done", scene.notes) if scene.notes else None,
        cls="terrascope-nb-scene",
        style="font-family:system-ui,sans-serif;line-height:1.4;max-width:70em",
    )
    return {"text/html": str(page), "image/png": _contact_sheet(shown), "text/plain": repr(scene)}


def _card(scene: Scene, index: int, image: Image) -> Any:
    from terrascope_nb._html import data_uri, tag

    view, side = image.view, 320
    clear = scene.domain(index).clear_share
    lines = [
        tag("strong", f"{index}: {image.modality} {image.day}"),
        f"{view.name}: {', '.join(view.channels)}",
        f"bands {' '.join(map(str, image.bands.data_vars))} ({image.units})",
        f"{image.grid!r}"[1:-1]
        + (f", {clear:.1%} of the AOI clear" if scene.aoi is not None else f", {clear:.1%} clear"),
        size_note(view.shape, side),
    ]
    described = f"{view.name} picture, {image.modality} {image.day}, {view.shape[0]} × {view.shape[1]} pixels"
    return tag(
        "figure",
        tag(
            "img",
            src=data_uri("image/webp", base_image(view, side)),
            alt=described,
            width=side,
            style="image-rendering:pixelated;max-width:100%;height:auto",
        ),
        tag(
            "figcaption",
            *[piece for line in lines if line for piece in (line, tag("br"))],
            style="font-size:0.9em;max-width:24em",
        ),
        _details("Stretch, sources, notes", (view.stretch, *(f"source: {s}" for s in image.sources), *image.notes)),
        style="margin:0;max-width:340px",
    )


def _details(summary: str, lines: Iterable[str]) -> Any:
    from terrascope_nb._html import tag

    return tag(
        "details", tag("summary", summary), tag("ul", *[tag("li", line) for line in lines]), style="font-size:0.9em"
    )


def _contact_sheet(images: Sequence[Image], side: int = 240) -> bytes:
    """The images' views side by side."""
    tiles = []
    for image in images:
        pixels = _reduced(image.view.pixels, side)
        up = max(1, side // max(pixels.shape[:2]))
        tiles.append(np.repeat(np.repeat(pixels, up, axis=0), up, axis=1))
    height, gap = max(t.shape[0] for t in tiles), 8
    sheet = np.full((height, sum(t.shape[1] for t in tiles) + gap * (len(tiles) - 1), 3), 255, np.uint8)
    left = 0
    for tile in tiles:
        sheet[: tile.shape[0], left : left + tile.shape[1]] = tile
        left += tile.shape[1] + gap
    out = io.BytesIO()
    Picture.fromarray(sheet).quantize(256, dither=Picture.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def _mask(mask: np.ndarray) -> np.ndarray:
    array = np.asarray(mask)
    if array.ndim != 2 or array.dtype != bool:
        raise InvalidInput(f"a mask is (H, W) bool, got {array.shape} {array.dtype}")
    return array


def _reduced(pixels: np.ndarray, max_side: int) -> np.ndarray:
    h, w = shown_size(pixels.shape[:2], max_side)
    if (h, w) == pixels.shape[:2]:
        return pixels
    return np.asarray(Picture.fromarray(pixels).resize((w, h), Picture.Resampling.BOX))


def _reduced_mask(mask: np.ndarray, max_side: int) -> np.ndarray:
    h, w = shown_size(mask.shape, max_side)
    if (h, w) == mask.shape or not mask.any():
        return mask if (h, w) == mask.shape else np.zeros((h, w), bool)
    share = np.asarray(Picture.fromarray(mask.astype(np.uint8) * 255).resize((w, h), Picture.Resampling.BOX))
    half = share >= 128
    return half if half.any() else _any(mask, h, w)


def _any(mask: np.ndarray, h: int, w: int) -> np.ndarray:
    out = np.zeros((h, w), bool)
    rows, cols = np.nonzero(mask)
    out[rows * h // mask.shape[0], cols * w // mask.shape[1]] = True
    return out


def _rgb(color: str) -> tuple[int, int, int]:
    try:
        return ImageColor.getrgb(color)[:3]
    except (ValueError, AttributeError) as err:
        raise InvalidInput(f"{color!r} is no colour: write it as '#rrggbb'") from err


def _alpha(opacity: float) -> int:
    if not 0 <= opacity <= 1:
        raise InvalidInput(f"opacity must lie between 0 and 1, got {opacity!r}")
    return round(opacity * 255)
