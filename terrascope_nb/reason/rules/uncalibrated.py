"""Rules for optical images without calibration or without infrared: counts by ratios, pictures by colour."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from terrascope_nb.reason.rules.evidence import (
    QUESTIONS,
    VISIBLE,
    Evidence,
    average,
    clear_bands,
    difference,
    estimate_haze,
    judge_built,
    open_small_bright,
)
from terrascope_nb.reason.rules.histogram import find_valley


def count_evidence(bands: Mapping[str, np.ndarray], valid: np.ndarray) -> Evidence:
    """Rules for counts without calibration: ratios between bands, cut at valleys, against the image's own median.

    Gains are chosen so that land fills much of the 8 bits in each band, so water shows as an infrared well under half
    of what it is on the image's median land. An image that is mostly water breaks this; it needs calibration.
    """
    found = Evidence({}, valid, {}, {n: "needs reflectance; these are counts" for n in ("cloud", "snow", "built")})
    visible = [bands[n] for n in VISIBLE if n in bands]
    swir = [n for n in ("swir16", "swir22") if n in bands]
    if "red" not in bands or not valid.any():
        found.gaps.update({n: "needs a red band beside the infrared" for n in ("water", "vegetation", "tree")})
        return found
    infrared = [bands["nir"], *(bands[n] for n in swir[:1])]
    ratio = np.log2(np.maximum(sum(infrared), 0.5) / np.maximum(sum(visible), 0.5))
    ratio -= np.float32(np.median(ratio[valid]))
    cut = find_valley(ratio[valid], -1.7, -0.9, -1.3)
    found.margins["water"] = (cut.value - ratio) / 0.25
    found.rules["water"] = f"infrared over visible counts, log2 against this image's median, below {cut}"

    # Plants and trees come in stands and counts in steps, so 3 × 3 pixels are averaged before the ratios.
    flat = {n: average(bands[n], 3, 0.0) for n in ("red", "nir", *swir)}
    above = {n: np.maximum(flat[n] - float(np.percentile(bands[n][valid], 0.1)), 0.5) for n in ("red", "nir")}
    ndvi = difference(above["nir"], above["red"])
    cut = find_valley(ndvi[valid], 0.2, 0.4, 0.3)
    found.margins["vegetation"] = (ndvi - cut.value) / 0.1
    found.rules["vegetation"] = f"NDVI of counts less each band's darkest 0.1 %, above {cut}"
    if not swir:
        found.gaps["tree"] = "counts without a short-wave infrared band do not tell trees from grass and crops"
        return found
    moist = difference(flat["nir"], flat[swir[-1]])
    cut = find_valley(moist[valid], 0.05, 0.35, 0.2)
    found.margins["tree"] = (moist - cut.value) / 0.12
    found.rules["tree"] = (
        f"among plants, normalised difference of nir and {swir[-1]} counts above {cut}; lush grass overlaps"
    )
    return found


def picture_evidence(bands: Mapping[str, np.ndarray], valid: np.ndarray, units: str, size: float) -> Evidence:
    """Rules for red, green and blue alone; a picture's 0 to 255 is read as reflectance 0 to 0.3, as the views show it.

    Without infrared, muddy water looks like soil and shadow like water: only dark clear water is found.
    """
    missing = [n for n in VISIBLE if n not in bands]
    if missing or units == "dn":
        why = f"needs a near infrared band, or red, green and blue; {' and '.join(missing)} missing"
        why = why if missing else "needs a near infrared band or calibration"
        return Evidence({}, valid, {}, dict.fromkeys(QUESTIONS, why))
    found = Evidence({}, valid)
    scale = np.float32(0.3 / 255 if units == "rgb8" else 1)
    scaled = {n: bands[n] * scale for n in VISIBLE}
    haze = estimate_haze(scaled, valid)
    clear = clear_bands(scaled, haze)
    found.rules["haze"] = f"path reflectance of {haze:.3f} in the blue taken off the visible bands"
    found.gaps["snow"] = "snow and cloud are told apart only by a short-wave infrared band at 1.6 µm, and none is there"

    hot = open_small_bright(scaled["blue"] - 0.5 * scaled["red"], 0.08, size)
    found.margins["cloud"] = np.minimum((hot - 0.08) / 0.015, (clear["red"] - 0.12) / 0.03)
    found.rules["cloud"] = (
        "blue minus half the red above 0.08 over at least about 100 m, and red above 0.12; snow looks the same"
    )
    blue, green, red = (average(clear[n], 3, 0.0) for n in VISIBLE)
    found.margins["water"] = np.minimum(
        (0.045 - (blue + green + red) / 3) / 0.012, (0.06 - difference(green, blue)) / 0.06
    )
    found.rules["water"] = (
        "visible mean below 0.045 and green hardly above blue: dark clear water only; shadow may be taken for it"
    )
    found.margins["vegetation"] = (difference(green, red) - 0.05) / 0.05
    found.rules["vegetation"] = "(green - red) / (green + red) above 0.05"
    plants = valid & (found.margins["vegetation"] > 0) & ~(found.margins["water"] > 0)
    cut = find_valley(green[plants], 0.035, 0.065, 0.048)
    found.margins["tree"] = (cut.value - green) / 0.015
    found.rules["tree"] = f"among plants, green below {cut}"
    judge_built({"blue": clear["blue"], "red": clear["red"]}, size, found.margins, found.rules, found.gaps)
    return found
