"""What one sensor says of one image, and the features that several sets of rules share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

#: Margins are cut at ± this: beyond it, two sensors are equally sure.
MOST = 4.0
#: The questions that margins answer.
QUESTIONS = ("cloud", "snow", "water", "vegetation", "tree", "built")
VISIBLE = ("blue", "green", "red")
#: Rayleigh scattering of a band against the blue one: (490 nm / centre)^4, Sentinel-2 centres.
RAYLEIGH = {"coastal": 1.50, "blue": 1.0, "green": 0.586, "red": 0.295, "rededge1": 0.233}
#: A clear sky seen from space adds 0.06 to 0.08 in the blue (molecules alone 0.05 to 0.06 at 490 nm); more is thin
#: cloud.
HAZE_MOST = 0.09


@dataclass(frozen=True)
class Evidence:
    """What one sensor says of one image.

    Attributes
    ----------
    margins : dict of str to ndarray
        Question → (H, W) float32: how far from the threshold, in units of the threshold's uncertainty, above 0 is yes,
        held within ± `MOST`; NaN where not valid. A question that the bands do not allow is missing.
    valid : ndarray
        (H, W) bool, all bands that the rules use are there.
    rules : dict of str to str
        Question → the rule in words, with the thresholds used.
    gaps : dict of str to str
        Question → why the bands do not allow it.
    """

    margins: dict[str, np.ndarray]
    valid: np.ndarray
    rules: dict[str, str] = field(default_factory=dict)
    gaps: dict[str, str] = field(default_factory=dict)


def settle(found: Evidence) -> Evidence:
    """Hold the margins within ± `MOST` and blank them where not valid (in place)."""
    for margin in found.margins.values():
        np.clip(margin, -MOST, MOST, out=margin)
        margin[~found.valid] = np.nan
    return found


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Normalised difference (a - b) / (a + b), both held above 0.001 so that negative reflectances do no harm.

    Examples
    --------
    >>> import numpy as np
    >>> difference(np.float32([0.4, -0.01]), np.float32([0.1, -0.02])).tolist()
    [0.6000000238418579, 0.0]
    """
    a, b = np.maximum(a, 0.001), np.maximum(b, 0.001)
    return (a - b) / (a + b)


def open_small_bright(image: np.ndarray, above: float, size: float) -> np.ndarray:
    """Take away what is brighter than `above` and narrower than about 100 m (roofs, roads).

    A grey opening, 1 to 11 pixels wide; not done where nothing is that bright or pixels are 70 m or more.
    """
    from scipy import ndimage

    width = int(np.clip(2 * round(100 / size / 2) + 1, 1, 11)) if size < 70 else 1
    filled = np.where(np.isfinite(image), image, -1.0)
    if width == 1 or not (filled > above).any():
        return filled
    return ndimage.grey_opening(filled, size=(width, width))


def average(image: np.ndarray, width: int, blank: float) -> np.ndarray:
    """Boxcar mean; what is not finite counts as `blank`."""
    from scipy import ndimage

    return ndimage.uniform_filter(np.where(np.isfinite(image), image, blank), width)


def path_radiance(bands: Mapping[str, np.ndarray]) -> np.ndarray:
    """Path reflectance in the blue band that each pixel would need to be plants or soil.

    Over plants a surface is about half as bright in the blue as in the green, over bare soil about 0.8 times; Rayleigh
    scattering turns that round. With surface blue = k × surface green and a path that falls as wavelength^-4, the path
    in the blue is (blue - k green) / (1 - 0.586 k). Grey roofs, water and cloud only ever raise the estimate. (Idea:
    dark-object subtraction, Chavez 1988, and dense dark vegetation, Kaufman et al. 1997, with soil as a second object.)
    """
    blue, green, red = (bands[n] for n in VISIBLE)
    if "nir" in bands:
        greenness = np.clip((difference(bands["nir"], red) - 0.2) / 0.3, 0, 1)
    else:
        greenness = np.clip(difference(green, red) / 0.1, 0, 1)
    k = 0.8 - 0.3 * greenness
    return (blue - k * green) / (1 - RAYLEIGH["green"] * k)


def estimate_haze(bands: Mapping[str, np.ndarray], valid: np.ndarray) -> float:
    """Path reflectance in the blue of this image, 0 to 0.09 (near 0 for surface reflectance): the 20th percentile."""
    if not all(n in bands for n in VISIBLE):
        return 0.0
    step = max(1, int(np.sqrt(valid.size / 262_144)))
    thin = {n: bands[n][::step, ::step] for n in (*VISIBLE, "nir") if n in bands}
    ok = valid[::step, ::step]
    if "nir" in thin:
        ok = ok & (thin["nir"] > 0.1)
    path = path_radiance(thin)[ok]
    return float(np.clip(np.percentile(path, 20), 0, HAZE_MOST)) if path.size else 0.0


def clear_bands(bands: Mapping[str, np.ndarray], haze: float) -> dict[str, np.ndarray]:
    """The bands less the path reflectance, scaled from the blue as wavelength^-4."""
    return {n: b - np.float32(haze * RAYLEIGH[n]) if n in RAYLEIGH else b for n, b in bands.items()}


def judge_built(
    clear: Mapping[str, np.ndarray],
    size: float,
    margins: dict[str, np.ndarray],
    rules: dict[str, str],
    gaps: dict[str, str],
) -> None:
    """Built-up against bare land: grey and patchy against brown and even (adds to the three dictionaries).

    Soils brighten from blue to red by iron oxides and organic matter (red 1.4 to 2 times the blue), concrete, asphalt
    and metal roofs hardly. Red tiles are brown by this rule and are missed.
    """
    if "blue" not in clear or "red" not in clear or size > 60:
        gaps["built"] = "built-up and bare land can be told apart only with a blue and a red band at 60 m or finer"
        return
    slope = np.maximum(clear["red"], 0.005) / np.maximum(clear["blue"], 0.005)
    bright = (clear["blue"] + clear["red"] + clear.get("nir", clear["red"])) / 3
    mean = average(bright, 5, 0.1)
    spread = np.sqrt(np.maximum(average(bright * bright, 5, 0.01) - mean * mean, 0)) / np.maximum(mean, 0.01)
    grey = (1.35 - slope) / 0.2
    margins["built"] = np.minimum(grey, (grey + np.clip((spread - 0.12) / 0.05, -1, 1)) / 2)
    rules["built"] = (
        "among what is neither water nor plants: red below 1.35 times the blue (grey rather than brown), also on the"
        " mean with the brightness varying by more than 12 % within 5 × 5 pixels, which counts at most 1"
    )
