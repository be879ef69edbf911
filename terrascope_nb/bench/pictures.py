"""Picture files and bytes (PNG, JPEG, TIFF of 8 bits) → images of a scene: no CRS, what is not known is said."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from affine import Affine

from terrascope_nb.errors import ReadFailed
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene.images import NO_CLOUD_LAYER, bands_dataset
from terrascope_nb.scene.render import DECIBELS
from terrascope_nb.scene.scene import Image, Scene

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, KeyError, struct.error, zlib.error)
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "La", "RGBa", "RGBX")
_BARE = "a picture: 8-bit numbers without CRS or calibration, so ratios only, and no figure in metres"
MOST_PIXELS = 100_000_000
"""A picture with more pixels is refused before it is unpacked."""


def read_picture(data: bytes | str | Path | None, what: str) -> np.ndarray:
    """Unpack a picture.

    Parameters
    ----------
    data : bytes or path
        None: there is none.
    what : str
        Names it in errors: «row 17 of bench.parquet».

    Returns
    -------
    numpy.ndarray
        (H, W, 3) uint8; grey is repeated, an alpha channel is left out.

    Raises
    ------
    ReadFailed
        When it is missing, empty, broken, cut off, too large, or has more than 8 bits.
    """
    from PIL import Image as Picture

    if data is None or (isinstance(data, bytes) and not data):
        raise ReadFailed(f"{what} has no picture: its bytes are missing")
    if isinstance(data, str | Path) and not Path(data).is_file():
        raise ReadFailed(f"{what}: there is no file {data}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Picture.DecompressionBombWarning)
            with Picture.open(io.BytesIO(data) if isinstance(data, bytes) else data) as picture:
                w, h = picture.size
                if w * h > MOST_PIXELS:
                    raise ReadFailed(f"{what}: a picture of {w:,} × {h:,} pixels, over {MOST_PIXELS:,}; cut it first")
                if picture.mode not in _MODES:
                    raise ReadFailed(f"{what}: a picture of mode {picture.mode!r}; only 8 bits a channel are read")
                return np.array(picture.convert("RGB"))
    except ReadFailed:
        raise
    except (*_BROKEN, Picture.DecompressionBombError, Picture.DecompressionBombWarning) as e:
        raise ReadFailed(f"{what}: the picture cannot be read ({type(e).__name__}: {e})") from e


def optical_picture(pixels: np.ndarray, source: str, time: np.datetime64 | None = None, note: str = "") -> Image:
    """An optical image of a (H, W, 3) uint8 picture: red, green, blue in 0…255."""
    grid = Grid(Affine.identity(), pixels.shape[:2], None)
    bands = {name: pixels[..., k] for k, name in enumerate(("red", "green", "blue"))}
    notes = (_BARE, NO_CLOUD_LAYER, *((note,) if note else ()))
    return Image(bands_dataset(bands, grid), "optical", grid, "rgb8", time, None, "", (source,), notes)


def sar_picture(pixels: np.ndarray, source: str, time: np.datetime64 | None = None, note: str = "") -> Image:
    """A SAR image of a (H, W, 3) uint8 picture: the mean of its channels, as the power that shows as just this picture.

    Calibration is lost in 8 bits, so the power serves the eye and a model, not a threshold in decibels; the image's
    notes say so.
    """
    grid = Grid(Affine.identity(), pixels.shape[:2], None)
    low, high = DECIBELS["vv"]
    decibels = low + (high - low) * pixels.mean(axis=2, dtype=np.float64) / 255
    said = "an 8-bit SAR picture of unknown stretch and polarisation, taken as VV; its decibels are not backscatter"
    notes = (said, *((note,) if note else ()))
    return Image(
        bands_dataset({"vv": 10 ** (decibels / 10)}, grid), "sar", grid, "linear", time, None, "", (source,), notes
    )


def picture_scene(pixels: np.ndarray, source: str, time: np.datetime64 | None = None) -> Scene:
    """A scene of one optical picture."""
    return Scene((optical_picture(pixels, source, time),), name=source)


def png(pixels: np.ndarray) -> bytes:
    """A (H, W, 3) uint8 picture as PNG bytes; the same pixels give the same bytes."""
    from PIL import Image as Picture

    out = io.BytesIO()
    Picture.fromarray(np.ascontiguousarray(pixels), "RGB").save(out, "PNG", compress_level=6)
    return out.getvalue()
