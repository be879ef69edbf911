"""Land cover of each pixel from whatever bands are there: optical, radar or both, by one set of rules for every scene.

`optical_rules`, `uncalibrated_rules` and `sar_rules` turn bands into *margins*: for each question (water? plants?
trees?) how far a pixel is from the threshold, in units of that threshold's own uncertainty. Here the margins become
classes, down one path of questions::

    cloud? ─ snow and ice? ─ water? ─ plants? ─┬ yes: trees? → tree cover │ low vegetation
                                               └ no:  built? → built-up   │ bare land

A class's margin is the least along its path, its score the logistic function of that: above 0.5 exactly where every
step went its way, so the masks exclude each other. A score is *not* a probability: how often it is right has to be
read off a reliability curve.

**Two sensors.** For water, and for built-up among what is neither water nor plants, the sensor whose margin is larger
decides the pixel; radar counts half (`SAR_TRUST`) and must be strictly larger, and for built-up only speaks up for it.
Where optical sees cloud or nodata, radar decides alone. `ClassScore.sar_share` says how many pixels that was.

**Extent.** Thresholds are cut at the valley of this image's histogram inside bounds, the path radiance is a
percentile of this image, roofs and speckle are averaged over neighbours. A pixel whose values are clear of the bounds
gets the same answer in any window (but for a few along its edge); between the bounds it can change. That is the price
of thresholds that follow season and air. Counts without calibration (``optical_units="dn"``) follow the extent
freely.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.reason.rules.evidence import MOST, QUESTIONS, Evidence
from terrascope_nb.reason.rules.optical import optical_evidence
from terrascope_nb.reason.rules.sar import sar_evidence

UNITS = ("reflectance", "dn", "rgb8")
#: Leaf labels in the order of the path.
LABELS = ("cloud", "snow and ice", "water", "tree cover", "low vegetation", "built-up", "bare land")
#: Labels that these bands never allow on one date, and why.
NEVER = {
    **dict.fromkeys(
        ("grassland", "cropland"),
        "grass and crops are green, bare and cut at the same times, and one date does not tell them apart;"
        " ask for low vegetation",
    ),
    "shrubland": "shrubs lie between trees and grass in every band: dense ones count as tree cover, open ones as low"
    " vegetation",
    "wetland": "wetland is water, plants and soil by turns; it needs several dates",
}
#: Radar margins count half against optical ones: they are speckle alone, and know nothing of wind, smooth fields,
#: layover, nor of the neighbours that the averaging mixes in.
SAR_TRUST = 0.5


@dataclass(frozen=True)
class ClassScore:
    """One class over one image.

    Attributes
    ----------
    label : str
        Canonical label.
    score : ndarray or None
        (H, W) float32 in 0..1, above 0.5 exactly in the mask; NaN where this class cannot be judged. Not a probability.
        None when abstained.
    mask : ndarray or None
        (H, W) bool. None when abstained.
    sar_share : float
        Share, 0..1, of the mask's pixels that radar decided (of the judged pixels when the mask is empty).
    rule : str
        One sentence: which bands, which thresholds, their bounds.
    abstained : str or None
        Why the bands do not allow this class.
    """

    label: str
    score: np.ndarray | None
    mask: np.ndarray | None
    sar_share: float
    rule: str
    abstained: str | None = None


@dataclass(frozen=True)
class Classification:
    """Land cover of one image.

    Attributes
    ----------
    scores : dict of str to ClassScore
        Classes whose masks exclude each other, and those that were abstained from.
    overlapping : dict of str to ClassScore
        Unions: "vegetation" (plants of any kind) and "land" (what is not water).
    valid : ndarray
        (H, W) bool, at least one sensor has data.
    cloud : ndarray
        (H, W) bool, cloud as optical sees it; ``scores["cloud"]`` leaves out what radar saw through it.
    """

    scores: dict[str, ClassScore]
    valid: np.ndarray
    cloud: np.ndarray
    overlapping: dict[str, ClassScore] = field(default_factory=dict)

    def labels(self) -> tuple[str, ...]:
        """Labels that were not abstained from, those of `scores` first."""
        return tuple(n for n, s in {**self.scores, **self.overlapping}.items() if s.abstained is None)

    def get(self, label: str) -> ClassScore:
        """The class or union of this label.

        Raises
        ------
        NotFound
            For a label that these rules do not know.
        """
        known = {**self.scores, **self.overlapping}
        if label not in known:
            raise NotFound(f"no rule for {label!r}; there are rules for {', '.join(known)}")
        return known[label]


def classify(
    optical: Mapping[str, np.ndarray] | None,
    sar: Mapping[str, np.ndarray] | None = None,
    *,
    optical_units: str = "reflectance",
    pixel_size: float | None = None,
    cloud: np.ndarray | None = None,
) -> Classification:
    """Give each pixel a land cover, or abstain from classes that the bands do not allow.

    Parameters
    ----------
    optical : mapping of str to ndarray, or None
        STAC common name (blue, green, red, nir, nir08, rededge1, swir16, swir22, coastal) → (H, W); NaN is nodata.
    sar : mapping of str to ndarray, or None
        "vv", "vh" → (H, W) backscatter in linear power; NaN is nodata.
    optical_units : {"reflectance", "dn", "rgb8"}
        Surface or top-of-atmosphere reflectance 0..1, counts without calibration, or a picture 0..255.
    pixel_size : float or None
        Metres; None counts as 10.
    cloud : ndarray or None
        (H, W) bool, known cloud (a product's mask); taken in place of the cloud rule.

    Returns
    -------
    Classification

    Raises
    ------
    InvalidInput
        No bands, unknown units, or shapes that differ.

    Examples
    --------
    >>> import numpy as np
    >>> bands = {"green": [[0.06, 0.05]], "red": [[0.04, 0.03]], "nir": [[0.02, 0.40]], "swir16": [[0.01, 0.20]]}
    >>> found = classify({n: np.float32(b) for n, b in bands.items()})
    >>> found.scores["water"].mask.tolist()
    [[True, False]]
    """
    shape = _check(optical, sar, optical_units, cloud)
    light = optical_evidence(optical, optical_units, pixel_size) if optical else _nothing(shape, "no optical image")
    radar = sar_evidence(sar, pixel_size) if sar else _nothing(shape, "no radar image")
    rules = dict(light.rules)
    snow = light.margins.get("snow")
    if cloud is not None:
        cloudy = np.where(np.asarray(cloud, bool), MOST, -MOST)
        rules["cloud"] = "the cloud mask that came with the image"
    else:
        cloudy = light.margins.get("cloud")
        if cloudy is not None and snow is not None:
            cloudy = np.minimum(cloudy, -snow)
    covered = np.zeros(shape, bool) if cloudy is None else (cloudy > 0) & light.valid
    clear = light.valid & ~covered
    wet = light.margins.get("water")
    if wet is not None and covered.any():
        wet = _doubt_near_cloud(wet, covered, pixel_size)

    water, water_by_sar = _surer(wet, radar.margins.get("water"), clear)
    walls = radar.margins.get("built")
    if walls is not None and "built" in light.margins:
        walls = np.where(clear & (walls < 0), np.nan, walls)  # no double bounce is no sign against roofs
    built, built_by_sar = _surer(light.margins.get("built"), walls, clear)
    plants, trees = light.margins.get("vegetation"), light.margins.get("tree")

    snow = None if snow is None else np.where(clear, snow, np.nan)
    snowless = None if snow is None else -snow
    land = _unless(None if water is None else -water, snowless)
    green = _both(land, None if plants is None else np.where(clear, plants, np.nan))
    grey = _unless(land, None if plants is None else np.where(clear, -plants, np.nan))
    bare = None if built is None or "built" not in light.margins else np.where(clear, -built, np.nan)
    found: dict[str, tuple[np.ndarray | None, np.ndarray | None]] = {
        "snow and ice": (snow, None),
        "water": (_unless(water, snowless), water_by_sar),
        "tree cover": (_both(green, trees), None),
        "low vegetation": (_both(green, None if trees is None else -trees), None),
        "built-up": (_both(grey, built), built_by_sar),
        "bare land": (_both(grey, bare), built_by_sar),
    }
    if cloudy is not None:
        cloudy = np.where(light.valid, cloudy, np.nan)
        for margin, _ in (found["water"], found["built-up"]):
            if margin is not None:  # what radar saw through the cloud is that, not cloud
                cloudy = np.where(covered & (margin > 0), np.minimum(cloudy, -margin), cloudy)
        found["cloud"] = (cloudy, None)

    told = _Teller(light, radar, rules)
    scores = {n: _score(n, *found.get(n, (None, None)), told) for n in LABELS}
    scores |= {n: ClassScore(n, None, None, 0.0, "", why) for n, why in NEVER.items()}
    dry = None if water is None else -found["water"][0]
    unions = {"vegetation": _score("vegetation", green, None, told), "land": _score("land", dry, water_by_sar, told)}
    return Classification(scores, light.valid | radar.valid, covered, unions)


def _check(optical, sar, units, cloud) -> tuple[int, int]:
    if not optical and not sar:
        raise InvalidInput("classify needs bands: pass optical={'red': array, …}, sar={'vv': array, …} or both")
    if units not in UNITS:
        raise InvalidInput(f"optical_units is {units!r}; it must be one of {', '.join(map(repr, UNITS))}")
    if sar and not {"vv", "vh"} & set(sar):
        raise InvalidInput(f"sar has {', '.join(map(repr, sar))}; the radar rules need 'vv' or 'vh' in linear power")
    mask = {} if cloud is None else {"cloud": cloud}
    shapes = {n: np.shape(b) for n, b in {**(optical or {}), **(sar or {}), **mask}.items()}
    if len(set(shapes.values())) > 1 or len(next(iter(shapes.values()))) != 2:
        listed = ", ".join(f"{n} {s}" for n, s in shapes.items())
        raise InvalidInput(f"bands must share one (rows, columns) shape; got {listed}. Resample them to one grid first")
    return next(iter(shapes.values()))


def _nothing(shape, why: str) -> Evidence:
    return Evidence({}, np.zeros(shape, bool), {}, dict.fromkeys(QUESTIONS, why))


def _unless(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    """The lesser margin, where a step `b` that was not judged (None or NaN) does not count."""
    if a is None or b is None:
        return a
    return np.where(np.isnan(b), a, np.minimum(a, b))


def _both(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    """The lesser margin of two steps that both must be judged."""
    return None if a is None or b is None else np.minimum(a, b)


def _surer(light, radar, clear):
    """Per pixel the margin of the surer sensor, and where that is radar; NaN where neither may judge."""
    if light is None and radar is None:
        return None, None
    if radar is None:
        return np.where(clear, light, np.nan), None
    if light is None:
        return radar, np.isfinite(radar)
    light = np.where(clear, light, np.nan)
    take = np.isfinite(radar) & ~(SAR_TRUST * np.abs(radar) <= np.abs(light))
    return np.where(take, radar, light), take


def _doubt_near_cloud(water, covered, pixel_size):
    """Within about 1 km of cloud one unit of margin is taken off: its shadow is as dark as shallow water."""
    from scipy import ndimage

    reach = int(np.clip(round(1000 / (pixel_size or 10.0)), 2, 50))
    near = ndimage.maximum_filter(covered.view(np.uint8), 2 * reach + 1) > 0
    return np.where(near & (water > 0), water - 1, water)


#: Label → the question that decides it last.
_STEP = {
    "cloud": "cloud", "snow and ice": "snow", "water": "water", "land": "water", "vegetation": "vegetation",
    "tree cover": "tree", "low vegetation": "tree", "built-up": "built", "bare land": "built",
}  # fmt: skip
_NOT = {
    "low vegetation": "plants that are not tree cover",
    "bare land": "neither water nor plants nor built-up",
    "land": "not water",
}


@dataclass(frozen=True)
class _Teller:
    """Rules and gaps of both sensors in words: `light` and `radar` as judged, `rules` those used for optical."""

    light: Evidence
    radar: Evidence
    rules: dict[str, str]

    def rule(self, label: str) -> str:
        step = _STEP[label]
        parts = [f"optical: {self.rules[step]}"] if step in self.rules else []
        if step in self.radar.rules:
            parts.append(f"radar: {self.radar.rules[step]}")
        text = "; ".join(parts) + ("; per pixel the surer sensor" if len(parts) == 2 else "")
        return f"{_NOT[label]} ({text})" if label in _NOT else text

    def gap(self, label: str) -> str:
        step = _STEP[label]
        needed = (step,) if step in ("cloud", "snow", "water") else ("water", "vegetation", step)
        why = [e.gaps[n] for n in needed for e in (self.light, self.radar) if n in e.gaps and n not in e.margins]
        return "; ".join(dict.fromkeys(why)) or "these bands do not allow it"


def _score(label: str, margin: np.ndarray | None, by_sar: np.ndarray | None, told: _Teller) -> ClassScore:
    if margin is None:
        return ClassScore(label, None, None, 0.0, "", told.gap(label))
    score = (1 / (1 + np.exp(-margin))).astype("float32")
    mask = score > 0.5
    base = mask if mask.any() else np.isfinite(score)
    share = float(by_sar[base].mean()) if by_sar is not None and base.any() else 0.0
    return ClassScore(label, score, mask, share, told.rule(label))
