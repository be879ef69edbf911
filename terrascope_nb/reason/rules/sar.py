"""What radar backscatter (C band, VV and VH) says of each pixel: water and built-up, and honestly nothing more.

On one date forest, dense crops and rough soil overlap within the speckle (a Finnish forest and an Irish pasture
differ by less than 1 dB in both polarisations), so tree cover, low vegetation and bare land are not given.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from terrascope_nb.reason.rules.evidence import Evidence, settle
from terrascope_nb.reason.rules.histogram import Cut, find_valley

#: dB bounds and default of open water, per input. Calm and slightly windy water lies at -18 to -26 dB in VV and -22
#: to -30 dB in VH, land mostly above -15 and -20 (Twele et al. 2016 put VV thresholds near -15 to -18 dB for
#: Sentinel-1).
WATER_DB = {"both": (-21.5, -17.0, -19.5), "vv": (-19.0, -14.5, -17.0), "vh": (-24.5, -20.0, -22.5)}
#: Uncertainty in dB: speckle of 9 to 10 looks (1.4 dB in one band, 1.0 in the mean of two) and the threshold's own.
WATER_WIDTH = {"both": 1.2, "vv": 1.7, "vh": 1.7}
#: Double bounce of walls, dB (3 × 3 mean). Forest and crops stay under -5 in VV and -10 in VH.
BUILT_DB = {"vv": -4.5, "vh": -10.5}


def sar_evidence(bands: Mapping[str, np.ndarray], pixel_size: float | None) -> Evidence:
    """Answer what radar can: water, built-up.

    Parameters
    ----------
    bands : mapping of str to ndarray
        "vv" and/or "vh" → (H, W) backscatter in linear power (sigma0 or gamma0); NaN, 0 and below are nodata.
    pixel_size : float or None
        Metres; None counts as 10.

    Returns
    -------
    Evidence
        Margins "water" and, with both polarisations, "built".
    """
    size = 10.0 if pixel_size is None else float(pixel_size)
    raw = {n: np.asarray(bands[n], dtype="float32") for n in ("vv", "vh") if n in bands}
    valid = np.logical_and.reduce([np.isfinite(b) & (b > 0) for b in raw.values()])
    width = 5 if size < 8 else 3 if size < 35 else 1
    power = {n: average_power(b, valid, width) for n, b in raw.items()}
    decibel = {n: 10 * np.log10(np.maximum(p, 1e-5)) for n, p in power.items()}

    kind = "both" if len(decibel) == 2 else next(iter(decibel))
    level = sum(decibel.values()) / len(decibel)
    cut: Cut = find_valley(level[valid], *WATER_DB[kind])
    margins = {"water": (cut.value - level) / WATER_WIDTH[kind]}
    named = {"both": "the mean of VV and VH", "vv": "VV", "vh": "VH"}[kind]
    rules = {"water": f"{named} in dB, averaged in linear power over {width} × {width} pixels, below {cut}"}
    gaps = dict.fromkeys(
        ("tree", "vegetation"), "one date of C-band radar does not tell trees, crops, grass and bare soil apart"
    )
    gaps |= {"cloud": "radar sees through cloud", "snow": "dry snow is transparent to C-band radar"}
    if kind == "both" and size < 35:
        margins["built"] = np.minimum(*((decibel[n] - BUILT_DB[n]) / 1.5 for n in ("vv", "vh")))
        rules["built"] = "double bounce: " + " and ".join(f"{n.upper()} above {BUILT_DB[n]:g} dB" for n in decibel)
    else:
        gaps["built"] = "double bounce needs VV and VH (rough wet fields are as bright in VV), at pixels under 35 m"
    return settle(Evidence(margins, valid, rules, gaps))


def average_power(power: np.ndarray, valid: np.ndarray, width: int) -> np.ndarray:
    """Boxcar mean of the valid pixels in linear power, so that speckle does not bias it; nodata is not spread.

    Examples
    --------
    >>> import numpy as np
    >>> a = np.array([[1.0, 3.0, np.nan]], dtype="float32")
    >>> average_power(a, np.isfinite(a), 3)[0, 0].item()
    1.6666666269302368
    """
    from scipy import ndimage

    if width == 1:
        return np.where(valid, power, 0)
    total = ndimage.uniform_filter(np.where(valid, power, 0), width)
    weight = ndimage.uniform_filter(valid.astype("float32"), width)
    return total / np.maximum(weight, 1e-6)
