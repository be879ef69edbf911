"""Bands → the 8-bit picture that a model sees, by a fixed physical stretch that is written down with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import GridMismatch, InvalidInput, NotFound

if TYPE_CHECKING:
    from terrascope_nb.scene.scene import Image

VISIBLE = (0.0, 0.3)  # as the published preparation: clip(DN, 0, 3000) / 3000
INFRARED = (0.0, 0.6)  # healthy leaves reach 0.5 in the near infrared: 0.3 would burn them out

# Decibels of backscatter (sigma0 or gamma0) shown as 0 … 255. Sentinel-1's instrument noise lies near -22 to -30 dB
# (the mission asks for a noise-equivalent sigma0 of at most -22 dB), calm water near it in VV, towns and ships above
# -5 dB; vegetation scatters about 6 dB less in cross-polarisation, hence the same width of 25 dB moved down by five.
DECIBELS: Mapping[str, tuple[float, float]] = {
    "vv": (-25.0, 0.0),
    "hh": (-25.0, 0.0),
    "vh": (-30.0, -5.0),
    "hv": (-30.0, -5.0),
}
STYLES = ("true colour", "false colour", "grey", "sar", "sar (grey)")
BLOCK = 256  # rows worked on at a time, so that a whole tile needs no copy in float64
ROUNDING = "rounded to the nearest whole number, halves up"

_INFRARED_BANDS = ("nir", "nir08", "nir09", "rededge1", "rededge2", "rededge3", "swir16", "swir22", "cirrus")
_FALSE = (("nir", "red", "green"), ("nir08", "red", "green"), ("swir16", "nir", "red"), ("swir16", "nir08", "red"),
          ("swir22", "nir", "red"), ("swir22", "swir16", "nir"))  # fmt: skip


@dataclass(frozen=True, eq=False)
class View:
    """An 8-bit picture of an image.

    Attributes
    ----------
    pixels : numpy.ndarray
        (H, W, 3) uint8, red green blue of the screen; black where there is no data.
    valid : numpy.ndarray
        (H, W) bool: every band shown has data here. Black alone does not say so: look here.
    name : str
        ``"true colour"``, ``"false colour"``, ``"grey"``, ``"sar"`` or ``"sar (grey)"``.
    stretch : str
        How numbers became 0 … 255, in plain words with the limits.
    channels : tuple of str
        What red, green and blue show: band names, or ``"mean(vh, vv)"``.
    """

    pixels: np.ndarray
    valid: np.ndarray
    name: str
    stretch: str
    channels: tuple[str, str, str]

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise InvalidInput(f"a view is (H, W, 3) uint8, got {self.pixels.shape} {self.pixels.dtype}")
        if self.valid.shape != self.pixels.shape[:2]:
            raise GridMismatch(f"the view has {self.pixels.shape[:2]} pixels, its valid mask {self.valid.shape}")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def __repr__(self) -> str:
        h, w = self.shape
        return f"<View {self.name}, {h} × {w} pixels, channels {', '.join(self.channels)}>"


def render(image: Image, style: str | None = None) -> View:
    """The 8-bit view of an image. Pixel by pixel: the same pixels give the same view at any extent.

    The one exception says so in its `stretch`: uncalibrated numbers (``units="dn"``) beyond 8 bits, which have no
    physical range and are scaled by their own 2nd and 98th percentile.

    Parameters
    ----------
    image : Image
    style : str, optional
        One of ``"true colour"`` (red, green, blue), ``"false colour"`` (infrared in red), ``"grey"`` (the first band),
        ``"sar"`` (VH, VV, their mean), ``"sar (grey)"`` (VV alone). Default: the first that the bands allow.

    Returns
    -------
    View
        Reflectance 0 … 0.3 in the visible and 0 … 0.6 in the infrared, backscatter by `DECIBELS`.

    Raises
    ------
    NotFound
        When the bands do not allow the style asked for.
    """
    if style is not None and style not in STYLES:
        raise InvalidInput(unknown("style", style, STYLES))
    if image.modality == "sar":
        view = _sar(image, style)
    elif image.units == "rgb8" and style in (None, "true colour"):
        view = _picture(image)
    else:
        name, bands = _optical_channels(image, style)
        view = _dn(image, name, bands) if image.units != "reflectance" else _reflectance(image, name, bands)
    if image.blanked:
        view = View(
            view.pixels,
            view.valid,
            view.name,
            view.stretch + " The image was blanked: it shows no place.",
            view.channels,
        )
    return view


def mean_of_view(image: Image, name: str) -> float:
    """The band value whose picture is the mean of its own picture: averaged within the stretch, SAR in decibels."""
    values = image.array(name)[image.valid].astype(np.float64)
    if name in DECIBELS:
        return float(10 ** (np.clip(10 * np.log10(np.maximum(values, 1e-10)), *DECIBELS[name]).mean() / 10))
    if image.units == "reflectance":
        return float(np.clip(values, *(INFRARED if name in _INFRARED_BANDS else VISIBLE)).mean())
    return float(values.mean())


def to_byte(unit: np.ndarray) -> np.ndarray:
    """0 … 1 → 0 … 255, clipped, rounded to nearest with halves up; NaN → 0.

    What lies within a ten-thousandth of a half counts as one, so that the last bit of a float32 does not decide:
    reflectance 0.15 is step 127.5 and becomes 128, whichever way its float32 was rounded.

    Examples
    --------
    >>> to_byte(np.array([-1.0, 0.0, 0.5, 1.0, 2.0, np.nan])).tolist()
    [0, 0, 128, 255, 255, 0]
    """
    scaled = np.clip(unit, 0, 1) * 255 + (0.5 + 1e-4)
    return np.nan_to_num(scaled, copy=False, nan=0.0).astype(np.uint8)


def decibels(linear: np.ndarray) -> np.ndarray:
    """Power → dB, ``10·log10``, float64; no data stays NaN, zero and below become −inf (the darkest, never NaN).

    Examples
    --------
    >>> decibels(np.array([1.0, 0.1, 0.0])).tolist()
    [0.0, -10.0, -inf]
    """
    power = np.ascontiguousarray(linear, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(power <= 0, -np.inf, 10 * np.log10(power))


def _optical_channels(image: Image, style: str | None) -> tuple[str, tuple[str, str, str]]:
    have = [str(b) for b in image.bands.data_vars]
    if style in (None, "true colour") and all(b in have for b in ("red", "green", "blue")):
        return "true colour", ("red", "green", "blue")
    if style in (None, "false colour"):
        for combo in _FALSE:
            if all(b in have for b in combo):
                return "false colour", combo
    if style in (None, "grey"):
        return "grey", (have[0],) * 3
    need = {
        "true colour": "red, green and blue",
        "false colour": "nir, red and green",
        "sar": "a SAR image",
        "sar (grey)": "a SAR image",
    }
    raise NotFound(f"the view {style!r} needs {need[style]}; this {image.modality} image has {', '.join(have)}")


def _paint(
    arrays: list[np.ndarray], unit: Callable[[list[np.ndarray]], list[np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (H, W, 3) and where they are valid; `unit` turns blocks of float64 rows into one or three of 0 … 1."""
    pixels = np.empty((*arrays[0].shape, 3), np.uint8)
    valid = np.empty(arrays[0].shape, bool)
    for start in range(0, len(pixels), BLOCK):
        rows = slice(start, start + BLOCK)
        blocks = [a[rows].astype(np.float64) for a in arrays]
        good = np.logical_and.reduce([np.isfinite(b) for b in blocks])
        for k, channel in enumerate(unit(blocks)):
            pixels[rows, :, k:] = to_byte(channel)[..., None]  # the last one fills the channels after it
        pixels[rows][~good] = 0
        valid[rows] = good
    return pixels, valid


def _reflectance(image: Image, name: str, bands: tuple[str, str, str]) -> View:
    limits = {b: INFRARED if b in _INFRARED_BANDS else VISIBLE for b in bands}

    def unit(blocks: list[np.ndarray]) -> list[np.ndarray]:
        return [(a - limits[b][0]) / (limits[b][1] - limits[b][0]) for a, b in zip(blocks, bands, strict=True)]

    pixels, valid = _paint([image.array(b) for b in bands], unit)
    words = ", ".join(f"{b} {lo:g} to {hi:g}" for b, (lo, hi) in limits.items())
    says = _says(name, bands) + f"Reflectance as 0 to 255: {words}; clipped, {ROUNDING}."
    return View(pixels, valid, name, says, bands)


def _dn(image: Image, name: str, bands: tuple[str, str, str]) -> View:
    arrays = [image.array(b) for b in bands]
    valid = np.logical_and.reduce([np.isfinite(a) for a in arrays])
    seen = np.concatenate([a[valid] for a in arrays]) if valid.any() else np.zeros(1)
    if seen.min() >= 0 and seen.max() <= 255:
        lo, hi = 0.0, 255.0
        words = f"Uncalibrated numbers shown as they are, 0 to 255, {ROUNDING}; no physical stretch."
    else:
        lo, hi = (float(v) for v in np.percentile(seen, (2, 98)))
        hi = hi if hi > lo else lo + 1
        words = (
            f"Uncalibrated numbers {lo:g} to {hi:g} (2nd and 98th percentile of this extent) as 0 to 255; clipped, "
            f"{ROUNDING}. No physical stretch: the same pixels may look different at another extent."
        )
    pixels, valid = _paint(arrays, lambda blocks: [(a - lo) / (hi - lo) for a in blocks])
    return View(pixels, valid, name, _says(name, bands) + words, bands)


def _picture(image: Image) -> View:
    bands = ("red", "green", "blue")
    pixels, valid = _paint([image.array(b) for b in bands], lambda blocks: [a / 255 for a in blocks])
    says = "An 8-bit picture, shown as it came; its own stretch is not known."
    return View(pixels, valid, "true colour", says, bands)


def _says(name: str, bands: tuple[str, str, str]) -> str:
    if name == "false colour":
        return f"False colour, because red, green and blue are not asked for or not all there: {', '.join(bands)}. "
    return f"Grey, from {bands[0]} alone. " if name == "grey" else ""


def _sar(image: Image, style: str | None) -> View:
    have = [str(b) for b in image.bands.data_vars]
    co = next((b for b in ("vv", "hh") if b in have), None)
    cross = next((b for b in ("vh", "hv") if b in have), None)
    if style in ("true colour", "false colour", "grey") or (style == "sar" and (co is None or cross is None)):
        need = "VV and VH (or HH and HV)" if style == "sar" else "an optical image"
        raise NotFound(f"the view {style!r} needs {need}; this SAR image has {', '.join(have)}")
    if co is None and cross is None:
        raise NotFound(f"a SAR view needs one of {', '.join(DECIBELS)}; this SAR image has {', '.join(have)}")
    shown = [b for b in (cross, co) if b is not None]
    if style == "sar (grey)":
        shown = shown[-1:]
    words = ", ".join(f"{b.upper()} {DECIBELS[b][0]:g} to {DECIBELS[b][1]:g} dB" for b in shown)

    def unit(blocks: list[np.ndarray]) -> list[np.ndarray]:
        out = []
        for power, band in zip(blocks, shown, strict=True):
            lo, hi = DECIBELS[band]
            out.append(np.clip((decibels(power) - lo) / (hi - lo), 0, 1))
        return out if len(out) == 1 else [*out, (out[0] + out[1]) / 2]

    pixels, valid = _paint([image.array(b) for b in shown], unit)
    says = f"Backscatter as 0 to 255: {words}; clipped, {ROUNDING}."
    if len(shown) == 1:
        says = f"Grey, from {shown[0].upper()} alone. {says}"
        return View(pixels, valid, "sar (grey)", says, (shown[0],) * 3)
    red, green = shown
    says += f" Red is {red.upper()}, green is {green.upper()}, blue is the mean of the two after the stretch."
    return View(pixels, valid, "sar", says, (red, green, f"mean({red}, {green})"))
