"""Stored numbers → reflectance or backscatter power; where the units cannot be told, an error that shows the call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, UnknownUnits

OPTICAL_UNITS = ("reflectance", "dn", "rgb8")
SAR_UNITS = ("auto", "db", "linear", "dn")
PLAUSIBLE = (-0.2, 1.5)  # reflectance: a little below zero after atmospheric correction, above one on bright cloud
LINEAR_MEDIAN = 10.0  # backscatter power: 10 is +10 dB, which no landscape has as its median


@dataclass(frozen=True)
class Scaled:
    """Bands in known units.

    Attributes
    ----------
    bands : dict
        Name → (H, W) float32, NaN where there is no data.
    units : str
        As `Image.units`.
    notes : tuple of str
        What was done, one sentence each.
    """

    bands: dict[str, np.ndarray]
    units: str
    notes: tuple[str, ...]


def optical(
    bands: Mapping[str, np.ndarray],
    *,
    stored: np.dtype,
    scale: float | None = None,
    offset: float | None = None,
    units: str | None = None,
    tags: Mapping[str, tuple[float, float]] | None = None,
    call: str = "Scene.from_files(…,",
) -> Scaled:
    """Optical numbers as reflectance where that is known.

    Parameters
    ----------
    bands : mapping
        Name → (H, W) numbers as stored, as float with NaN where there is no data.
    stored : numpy.dtype
        The type they were stored in: 8-bit red, green, blue is a picture.
    scale, offset : float, optional
        reflectance = number × scale + offset.
    units : "reflectance", "dn", "rgb8", optional
        States the units instead.
    tags : mapping, optional
        Name → (scale, offset) as the file itself says.
    call : str
        Beginning of the call that an error shows.

    Raises
    ------
    UnknownUnits
        When neither arguments nor file nor range tell the units; the message shows the calls that would.
    """
    stored = np.dtype(stored)
    if units is not None and units not in OPTICAL_UNITS:
        raise InvalidInput(unknown("optical unit", units, OPTICAL_UNITS))
    if units in ("dn", "rgb8") and (scale is not None or offset is not None):
        raise InvalidInput(
            f"units={units!r} means numbers as they are, but scale={scale} offset={offset} were given: drop one"
        )
    if offset is not None and scale is None:
        raise InvalidInput(
            f"offset={offset} without scale=: reflectance = number × scale + offset, so give both, e.g. scale=1e-4"
        )
    if units == "dn":
        return Scaled(_float32(bands), "dn", ("uncalibrated numbers (units='dn'): only ratios of bands are used",))
    rgb = set(bands) == {"red", "green", "blue"}
    if units == "rgb8" or (units is None and scale is None and stored == np.uint8 and rgb and not tags):
        lo, hi = _range(bands)
        if not rgb or lo < 0 or hi > 255:
            raise InvalidInput(
                f"an 8-bit picture has red, green and blue in 0…255; these are {', '.join(bands)} in {lo:g}…{hi:g}"
            )
        return Scaled(_float32(bands), "rgb8", ("an 8-bit picture: its colours are not reflectances",))
    if scale is not None:
        if not (np.isfinite(scale) and scale != 0):
            raise InvalidInput(f"scale={scale} cannot be used: give a finite number other than 0, e.g. scale=1e-4")
        b = 0.0 if offset is None else float(offset)
        out = {k: (v * np.float64(scale) + b).astype(np.float32) for k, v in bands.items()}
        _check(out, f"scale={scale:g}, offset={b:g}")
        return Scaled(
            out, "reflectance", (f"reflectance = number × {scale:g} {'−' if b < 0 else '+'} {abs(b):g} (as given)",)
        )
    if tags:
        out = {
            k: (v * np.float64(tags[k][0]) + tags[k][1]).astype(np.float32) if k in tags else v.astype(np.float32)
            for k, v in bands.items()
        }
        _check(out, "the file's own scale and offset")
        pairs = sorted(set(tags.values()))
        words = "; ".join(f"number × {a:g} {'−' if b < 0 else '+'} {abs(b):g}" for a, b in pairs)
        return Scaled(out, "reflectance", (f"reflectance = {words} (the file's own tags)",))
    if units == "reflectance":
        _check(bands, "units='reflectance'")
        return Scaled(_float32(bands), "reflectance", ())
    if stored.kind == "f" and _plausible(bands):
        return Scaled(_float32(bands), "reflectance", ())
    raise UnknownUnits(_how_to_say(bands, stored, call))


def sar(
    bands: Mapping[str, np.ndarray],
    *,
    units: str = "auto",
    calibration: tuple[float, float] | None = None,
    call: str = "Scene.from_files(…,",
) -> Scaled:
    """Radar numbers as linear backscatter power.

    Parameters
    ----------
    bands : mapping
        Name → (H, W) float, NaN where there is no data (nodata must be gone before units are told).
    units : "auto", "db", "linear", "dn"
        ``"auto"``: mostly negative is dB; positive with a median below 10 is linear power.
    calibration : (a, b), optional
        For coded numbers: dB = a · log10(number) + b, e.g. ``(20, -83)``.

    Raises
    ------
    UnknownUnits
        When «auto» cannot tell.
    """
    if units not in SAR_UNITS:
        raise InvalidInput(unknown("SAR unit", units, SAR_UNITS))
    if calibration is not None and units in ("db", "linear"):
        raise InvalidInput(f"sar_units={units!r} and sar_calibration={calibration} contradict each other: give one")
    if units == "dn" and calibration is None:
        raise InvalidInput(
            "sar_units='dn' needs the product's calibration: sar_calibration=(a, b) for dB = a·log10(DN) + b, e.g. "
            "(20, -83)"
        )
    seen = np.concatenate([v[np.isfinite(v)].ravel() for v in bands.values()])
    if not seen.size:
        return Scaled(_float32(bands), "linear", ("the radar image has no valid pixel",))
    negative, median = float((seen < 0).mean()), float(np.median(seen))
    if calibration is not None:
        a, b = (float(v) for v in calibration)
        db = {k: a * np.log10(np.where(v > 0, v, np.nan)) + b for k, v in bands.items()}
        return Scaled(
            _power(db),
            "linear",
            (f"backscatter: dB = {a:g}·log10(number) {'−' if b < 0 else '+'} {abs(b):g} (as given), kept as power",),
        )
    told = units
    if units == "auto":
        told = "db" if negative > 0.5 else "linear" if negative <= 0.05 and median < LINEAR_MEDIAN else ""
    if told == "db":
        if negative == 0:
            raise UnknownUnits(
                f"sar_units='db', but no value is negative (median {median:g}): backscatter in dB is below zero "
                "almost everywhere; is it 'linear'?"
            )
        zero = np.logical_and.reduce([v == 0 for v in bands.values()])
        power = _power({k: np.where(zero, np.nan, v) for k, v in bands.items()})
        how = "as given" if units == "db" else f"told by {negative:.0%} of the values being negative"
        return Scaled(
            power,
            "linear",
            (f"backscatter in dB ({how}), kept as power", *_lost(int(zero.sum()), "exactly 0 dB in every band")),
        )
    if told == "linear":
        bad = {k: v <= 0 for k, v in bands.items()}
        lost = int(np.logical_or.reduce(list(bad.values())).sum())
        if units == "linear" and negative > 0.5:
            raise UnknownUnits(
                f"sar_units='linear', but {negative:.0%} of the values are negative: power is never; is it 'db'?"
            )
        how = "as given" if units == "linear" else f"told by a median of {median:.3g}"
        out = {k: np.where(bad[k], np.nan, v).astype(np.float32) for k, v in bands.items()}
        return Scaled(
            out,
            "linear",
            (f"backscatter as linear power ({how})", *_lost(lost, "zero or negative power (border noise)")),
        )
    raise UnknownUnits(
        f"the units of the radar image cannot be told: {negative:.0%} of its values are negative, the median is "
        f"{median:.4g}. "
        f"Say which: {call} sar_units='db') or {call} sar_units='linear'), or for coded numbers with the product's "
        f"calibration {call} sar_units='dn', sar_calibration=(20, -83)) meaning dB = 20·log10(DN) − 83"
    )


def _lost(n: int, why: str) -> tuple[str, ...]:
    return (f"{n} pixels with {why} count as no data",) if n else ()


def _float32(bands: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {k: np.asarray(v, np.float32) for k, v in bands.items()}


def _power(db: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {k: np.power(10.0, np.asarray(v, np.float64) / 10).astype(np.float32) for k, v in db.items()}


def _range(bands: Mapping[str, np.ndarray]) -> tuple[float, float]:
    finite = [v[np.isfinite(v)] for v in bands.values()]
    finite = [v for v in finite if v.size]
    return (min(float(v.min()) for v in finite), max(float(v.max()) for v in finite)) if finite else (0.0, 0.0)


def _plausible(bands: Mapping[str, np.ndarray]) -> bool:
    """At least 99.9 % of the values lie where reflectance can."""
    inside = sum(int(((v >= PLAUSIBLE[0]) & (v <= PLAUSIBLE[1])).sum()) for v in bands.values())
    total = sum(int(np.isfinite(v).sum()) for v in bands.values())
    return inside >= 0.999 * total


def _check(bands: Mapping[str, np.ndarray], what: str) -> None:
    for name, v in bands.items():
        seen = v[np.isfinite(v)]
        if seen.size and not -0.5 <= (middle := float(np.median(seen))) <= PLAUSIBLE[1]:
            raise UnknownUnits(
                f"with {what} the median reflectance of {name} is {middle:.4g}; it lies between 0 and 1.5 on Earth. "
                "Check scale= and offset=, leave the band out with None in bands=, or use units='dn'"
            )


def _how_to_say(bands: Mapping[str, np.ndarray], stored: np.dtype, call: str) -> str:
    lo, hi = _range(bands)
    seen = np.concatenate([v[np.isfinite(v)].ravel()[:: max(1, v.size // 10_000)] for v in bands.values()])
    middle = float(np.median(seen)) if seen.size else 0.0
    seen_as = f"{stored}, {lo:g} to {hi:g}, median {middle:g}"
    head = f"the units of these numbers cannot be told: {seen_as}, and no scale comes with them. "
    if stored == np.uint8 or (lo >= 0 and hi <= 255):
        return (
            head
            + f"For 8-bit or uncalibrated numbers: {call} units='dn') (ratios of bands only); "
            + f"for reflectance: {call} scale=…, offset=…)"
        )
    return head + (
        f"For Sentinel-2 of processing baseline before 04.00: {call} scale=1e-4, offset=0); from 04.00 on: {call} "
        "scale=1e-4, "
        f"offset=-0.1); Landsat Collection 2: {call} scale=2.75e-5, offset=-0.2); without any calibration: {call} "
        "units='dn')"
    )
