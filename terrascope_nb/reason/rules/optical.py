"""What optical bands say of each pixel: one margin per question (cloud? snow? water? vegetation? trees? built?).

A *margin* is the distance from a threshold in units of that threshold's own uncertainty: above 0 is yes, below 0 is no,
±1 is one uncertainty away. Margins of different bands, and of optical and radar, can so be compared.

Three sets of rules, chosen by what the bands are and never by which scene it is: reflectance with a near infrared
(here), counts without calibration, and red, green and blue alone (`uncalibrated_rules`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from terrascope_nb.reason.rules.evidence import (
    HAZE_MOST,
    VISIBLE,
    Evidence,
    average,
    clear_bands,
    difference,
    estimate_haze,
    judge_built,
    open_small_bright,
    path_radiance,
    settle,
)
from terrascope_nb.reason.rules.histogram import find_valley
from terrascope_nb.reason.rules.uncalibrated import count_evidence, picture_evidence

USED = (*VISIBLE, "nir", "nir08", "swir16", "swir22", "rededge1", "coastal")

#: Band → (threshold, uncertainty) of a canopy with its own shadows against grass and crops, surface reflectance.
#: Closed forest: green 0.02–0.035, red 0.015–0.025, red edge 0.05–0.065, SWIR 0.08–0.15 and 0.03–0.065; green meadows
#: and dense crops: 0.05–0.09, 0.03–0.06, 0.09–0.13, 0.17–0.25, 0.07–0.13. The thresholds lie between the two.
CANOPY = {
    "green": (0.040, 0.008),
    "red": (0.028, 0.006),
    "rededge1": (0.075, 0.010),
    "swir16": (0.160, 0.025),
    "swir22": (0.070, 0.012),
}
#: Without short-wave bands the visible ones carry the whole uncertainty of the haze, and the near infrared is asked too
#: (crowns shade each other: 0.2–0.3 where grass of the same NDVI has 0.3–0.5).
CANOPY_NO_SWIR = {"green": (0.042, 0.012), "red": (0.030, 0.009), "rededge1": (0.075, 0.010), "nir": (0.30, 0.07)}


def optical_evidence(bands: Mapping[str, np.ndarray], units: str, pixel_size: float | None) -> Evidence:
    """Answer the questions from optical bands alone.

    Parameters
    ----------
    bands : mapping of str to ndarray
        STAC common name → (H, W); NaN is nodata. Bands that no rule uses are left alone.
    units : {"reflectance", "dn", "rgb8"}
        Reflectance of surface or top of atmosphere 0 to 1, counts without calibration, or a picture 0 to 255.
    pixel_size : float or None
        Metres; None counts as 10.

    Returns
    -------
    Evidence
    """
    use = {n: np.asarray(bands[n], dtype="float32") for n in USED if n in bands}
    if "nir08" in use:
        narrow = use.pop("nir08")
        use.setdefault("nir", narrow)
    valid = np.logical_and.reduce([np.isfinite(b) for b in use.values()]) if use else np.zeros(_shape(bands), bool)
    size = 10.0 if pixel_size is None else float(pixel_size)
    with np.errstate(invalid="ignore", divide="ignore"):
        if units == "rgb8" or "nir" not in use:
            return settle(picture_evidence(use, valid, units, size))
        if units == "dn":
            return settle(count_evidence(use, valid))
        return settle(reflectance_evidence(use, valid, size))


def _shape(bands: Mapping[str, np.ndarray]) -> tuple[int, ...]:
    return np.shape(next(iter(bands.values())))


def reflectance_evidence(bands: Mapping[str, np.ndarray], valid: np.ndarray, size: float) -> Evidence:
    """Rules for reflectance with a near infrared band."""
    found = Evidence({}, valid)
    _judge_cloud(bands, size, found)
    _judge_snow(bands, found)
    _judge_water(bands, found)
    if "red" not in bands:
        found.gaps.update({name: "needs a red band" for name in ("vegetation", "tree", "built")})
        return found
    haze = estimate_haze(bands, valid)
    clear = clear_bands(bands, haze)
    found.rules["haze"] = f"path reflectance of {haze:.3f} in the blue taken off the visible bands"
    ndvi = difference(clear["nir"], clear["red"])
    cut = find_valley(ndvi[valid], 0.25, 0.35, 0.30)
    found.margins["vegetation"] = (ndvi - cut.value) / 0.06
    found.rules["vegetation"] = f"NDVI above {cut}"
    _judge_trees(clear, valid & (found.margins["vegetation"] > 0), found)
    judge_built(clear, size, found.margins, found.rules, found.gaps)
    return found


def _judge_cloud(bands: Mapping[str, np.ndarray], size: float, found: Evidence) -> None:
    """Fmask's haze line and rock test (Zhu and Woodcock 2012), and more path radiance than a clear sky has."""
    blue = bands.get("blue", bands.get("coastal"))
    if blue is None or "red" not in bands:
        found.gaps["cloud"] = "needs a blue and a red band"
        return
    margin = (open_small_bright(blue - 0.5 * bands["red"], 0.08, size) - 0.08) / 0.015
    rule = "blue minus half the red above 0.08"
    if all(n in bands for n in VISIBLE):
        path = open_small_bright(path_radiance(bands), HAZE_MOST, size)
        margin = np.maximum(margin, (path - HAZE_MOST) / 0.01)
        rule += f" or path reflectance in the blue above {HAZE_MOST:g}"
    margin = np.minimum(margin, (bands["nir"] - 0.12) / 0.02)
    rule += ", over at least about 100 m, and near infrared above 0.12"
    if "swir16" in bands:
        margin = np.minimum(margin, (bands["nir"] / np.maximum(bands["swir16"], 0.001) - 0.75) / 0.1)
        rule += ", and near infrared above 0.75 times the short-wave infrared (bright rock is not)"
    else:
        rule += "; snow looks the same without a short-wave infrared band"
    found.margins["cloud"] = margin
    found.rules["cloud"] = rule


def _judge_snow(bands: Mapping[str, np.ndarray], found: Evidence) -> None:
    """NDSI (Hall et al. 1995); brightness keeps out water, which has a high NDSI too. Snow in shadow is missed."""
    if "swir16" not in bands or "green" not in bands:
        found.gaps["snow"] = "snow and cloud are told apart only by green and a short-wave infrared band at 1.6 µm"
        return
    ndsi = difference(bands["green"], bands["swir16"])
    bright = np.minimum(bands["nir"], bands["green"])
    found.margins["snow"] = np.minimum((ndsi - 0.4) / 0.08, (bright - 0.20) / 0.03)
    found.rules["snow"] = "NDSI above 0.4, with green and near infrared above 0.20 (water is darker)"


def _judge_water(bands: Mapping[str, np.ndarray], found: Evidence) -> None:
    """Dark in the infrared, or brighter in the visible than there (McFeeters 1996; Xu 2006).

    Over a dark lake all bands are near 0.01 and every ratio is noise, so the first rule uses differences only. Clear
    water has a near infrared of 0.01 to 0.05, land rarely under 0.10; muddy water reaches 0.15 there and stays dark in
    the short wave.
    """
    nir = bands["nir"]
    cut = find_valley(nir[found.valid], 0.05, 0.10, 0.07)
    margin = (cut.value - nir) / 0.015
    rule = f"near infrared below {cut}"
    if "red" in bands:
        margin = np.minimum(margin, (0.035 - (nir - bands["red"])) / 0.01)
        rule += " and at most 0.035 above the red (shaded plants are not)"
    swir = bands.get("swir16", bands.get("swir22"))
    visible = bands.get("green", bands.get("red"))
    if swir is not None:
        margin = np.minimum(margin, (0.06 - swir) / 0.015)
        rule += ", short-wave infrared below 0.06"
    if swir is not None and visible is not None:
        muddy = np.minimum.reduce(
            [
                (difference(visible, swir) - 0.2) / 0.1,
                (0.08 - swir) / 0.02,
                (0.2 - difference(nir, bands.get("red", visible))) / 0.1,
                (0.20 - nir) / 0.03,
            ]
        )
        margin = np.maximum(margin, muddy)
        rule += "; or muddy: MNDWI above 0.2, short-wave infrared below 0.08, NDVI below 0.2, near infrared below 0.20"
    elif "green" in bands:
        margin = np.maximum(margin, np.minimum((difference(bands["green"], nir) - 0.15) / 0.1, (0.15 - nir) / 0.02))
        rule += "; or NDWI above 0.15 and near infrared below 0.15"
    found.margins["water"] = margin
    found.rules["water"] = rule


def _judge_trees(clear: Mapping[str, np.ndarray], plants: np.ndarray, found: Evidence) -> None:
    """Forest is the dark object among plants (Huang et al. 2008): shadows between crowns darken visible and short wave.

    Crops as dark as that have thick, wet, even leaves: NDMI above 0.52 or near infrared above 0.45 (forests: 0.3 to
    0.47, and 0.15 to 0.40).
    """
    swir = "swir16" in clear or "swir22" in clear
    table = {n: pair for n, pair in (CANOPY if swir else CANOPY_NO_SWIR).items() if n in clear}
    dark = sum(np.clip((level - clear[n]) / width, -3, 3) for n, (level, width) in table.items()) / len(table)
    dark = average(dark, 3, -3.0)
    reach = 0.5 if swir else 0.8
    cut = find_valley(dark[plants], -reach, reach, 0.0)
    margin = np.minimum(dark - cut.value, (0.45 - clear["nir"]) / 0.04)
    rule = "among plants, darker than " + ", ".join(f"{level:g} in {n}" for n, (level, _) in table.items())
    rule += f" on the mean of 3 × 3 pixels (margin above {cut}), near infrared below 0.45"
    if "swir16" in clear:
        margin = np.minimum(margin, (0.52 - difference(clear["nir"], clear["swir16"])) / 0.04)
        rule += " and NDMI below 0.52"
    found.margins["tree"] = margin
    found.rules["tree"] = rule + " (dense crops lie above)"
