"""Scaling: how raw pixel values become reflectance, power, kelvin or class numbers, by provider and baseline.

The rules read what an item states; a date decides nothing, for archives are reprocessed and early dates come with late
baselines. `terrascope_nb.stac.scaling_table` tells every rule with its source; ``docs/scaling.md`` shows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb.errors import InvalidInput, UnknownUnits

if TYPE_CHECKING:
    from terrascope_nb.stac.sensors import Band, Sensor

Item = dict[str, Any]


@dataclass(frozen=True)
class Scaling:
    """How raw pixel values become physical ones: ``raw == nodata`` → NaN first, then ``raw × scale + offset``.

    Attributes
    ----------
    scale, offset : float
        In physical units per raw count, and physical units.
    nodata : float or None
        Raw value that means «no measurement», compared before anything else; None: the file's tag alone decides.
        A tag in the file is honoured beside it.
    decibel : bool
        The (scaled) value is 10·log10 of a power; it is turned to linear power.
    words : str
        The rule in one sentence, for attributes and reports.
    positive : bool
        Only values above 0 are measurements (powers); others become NaN, and before anything is interpolated.
    """

    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    decibel: bool = False
    words: str = "values as they are"
    positive: bool = False

    def apply(self, raw: Any) -> Any:
        """Physical values of raw ones (float array, nodata already NaN); same shape and dtype.

        Examples
        --------
        >>> round(Scaling(scale=1e-4, offset=-0.1).apply(3000.0), 6)
        0.2
        >>> Scaling(decibel=True).apply(-20.0)
        0.01
        >>> Scaling(positive=True).apply(np.array([0.0, 0.2]))
        array([nan, 0.2])
        """
        value = raw
        if self.scale != 1:
            value = value * self.scale
        if self.offset:
            value = value + self.offset
        if self.decibel:
            return 10 ** (value / 10)
        if self.positive:
            value = np.asarray(value)
            return np.where(value > 0, value, value.dtype.type("nan"))
        return value


def scaling(sensor: Sensor, item: Item, band: Band) -> Scaling:
    """The rule for one band of one item.

    Raises
    ------
    UnknownUnits
        When the item does not say what decides it (a Sentinel-2 item without processing baseline).
    InvalidInput
        When the item's files cannot be used as they are (Sentinel-1 GRD in radar geometry).
    """
    if band.labels:
        if band.empty:
            return Scaling(nodata=band.empty, words=f"bits, {band.empty} = nodata")
        return Scaling(nodata=0, words="class numbers, 0 = nodata")
    return _RULES[sensor.rule](item, band, sensor)


def stated(item: Item, key: str) -> tuple[float | None, float | None]:
    """Scale and offset that an asset states: ``raster:bands`` (STAC 1.0), ``bands[]`` or the asset itself (1.1).

    Examples
    --------
    >>> stated({"assets": {"red": {"bands": [{"raster:scale": 1e-4, "raster:offset": -0.1}]}}}, "red")
    (0.0001, -0.1)
    >>> stated({"assets": {"red": {"raster:bands": [{"scale": 2.75e-5, "offset": -0.2}]}}}, "red")
    (2.75e-05, -0.2)
    """
    asset = item["assets"].get(key, {})
    for places, names in (
        (asset.get("raster:bands"), ("scale", "offset")),
        (asset.get("bands"), ("raster:scale", "raster:offset")),
        ([asset], ("raster:scale", "raster:offset")),
    ):
        first = places[0] if isinstance(places, list) and places and isinstance(places[0], Mapping) else {}
        values = [first.get(n) for n in names]
        if any(isinstance(v, int | float) for v in values):
            scale, offset = (float(v) if isinstance(v, int | float) else None for v in values)
            return scale, offset
    return None, None


# ---- Sentinel-2 --------------------------------------------------------------------------------------------------
def processing_baseline(item: Item) -> tuple[int, int] | None:
    """Sentinel-2 processing baseline (major, minor) from a property or the product name; None where none says.

    Examples
    --------
    >>> processing_baseline({"id": "x", "properties": {"s2:processing_baseline": "05.09"}})
    (5, 9)
    >>> processing_baseline({"id": "S2A_MSIL2A_20200714T115221_N0214_R123_T28QCH_20200714T191310", "properties": {}})
    (2, 14)
    """
    properties = item["properties"]
    for name in ("s2:processing_baseline", "processing:version", "sentinel:processing_baseline"):
        found = re.fullmatch(r"(\d{2})\.(\d{2})", str(properties.get(name, "")))
        if found:
            return int(found[1]), int(found[2])
    names = [item["id"], *(str(properties.get(k, "")) for k in ("s2:product_uri", "sentinel:product_id"))]
    found = next((m for m in (re.search(r"_N(\d{2})(\d{2})_R\d{3}_", n) for n in names) if m), None)
    return (int(found[1]), int(found[2])) if found else None


def _need_baseline(item: Item) -> tuple[tuple[int, int], str]:
    baseline = processing_baseline(item)
    if baseline is None:
        raise UnknownUnits(
            f"item {item['id']!r}: neither s2:processing_baseline nor an N0xxx in its product name says whether its DN "
            "carry the offset of 1000 (baseline 04.00 and later); add the property to the item"
        )
    return baseline, f"processing baseline {baseline[0]:02d}.{baseline[1]:02d}"


def _sentinel2_l2a(item: Item, band: Band, sensor: Sensor) -> Scaling:
    """From baseline 04.00 on ESA's DN carry +1000 (Sentinel-2 Products Specification Document, BOA_ADD_OFFSET); Earth
    Search takes it off for most items and says so in a flag of its own, leaving ``raster:bands`` offset −0.1 in place,
    which must then not be applied.
    """
    properties = item["properties"]
    flags = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
    flag = next((f for f in flags if properties.get(f) is True), None)
    if flag:
        return Scaling(1e-4, 0.0, 0, words=(
            f"reflectance = DN × 0.0001; the provider has taken the baseline offset off already ({flag}), so "
            "raster:bands offset is not applied; DN 0 = nodata"
        ))  # fmt: skip
    baseline, words = _need_baseline(item)
    if baseline < (4, 0):
        return Scaling(1e-4, 0.0, 0, words=f"reflectance = DN × 0.0001 ({words}, no offset); DN 0 = nodata")
    doubt = ""
    if any(f in properties for f in flags):
        doubt = "; the provider's flag says that the offset is still in, which has been wrong for single items"
    elif (said := stated(item, sensor.asset_of(item, band) or "")[1]) not in (None, -0.1):
        doubt = f"; the item's own offset of {said:g} is not used"
    words = f"reflectance = (DN − 1000) × 0.0001 ({words}); DN 0 = nodata, before subtracting{doubt}"
    return Scaling(1e-4, -0.1, 0, words=words)


def _sentinel2_c1(item: Item, band: Band, sensor: Sensor) -> Scaling:
    """Earth Search's Collection 1: pixels as ESA delivers them, scale and offset as ``raster:bands`` states them."""
    scale, offset = stated(item, sensor.asset_of(item, band) or "")
    if scale is None or offset is None:
        baseline, words = _need_baseline(item)
        offset = -0.1 if baseline >= (4, 0) else 0.0
        return Scaling(1e-4, offset, 0, words=f"reflectance = DN × 0.0001 {_signed(offset)} ({words}); DN 0 = nodata")
    words = f"reflectance = DN × {scale:g} {_signed(offset)}, as raster:bands states; DN 0 = nodata, before subtracting"
    return Scaling(scale, offset, 0, words=words)


def _signed(offset: float) -> str:
    return f"{'−' if offset < 0 else '+'} {abs(offset):g}"


def _old_dn(item: Item, band: Band, sensor: Sensor) -> Scaling:
    return Scaling(1e-4, 0.0, 0, words="reflectance = DN × 0.0001 (baseline before 04.00, no offset); DN 0 = nodata")


# ---- Landsat -----------------------------------------------------------------------------------------------------
def _landsat_c2_l2(item: Item, band: Band, sensor: Sensor) -> Scaling:
    """Collection 2 Level 2: one linear code for surface reflectance, another for surface temperature."""
    heat = band.units == "K"
    known = (0.00341802, 149.0) if heat else (2.75e-5, -0.2)
    said = stated(item, sensor.asset_of(item, band) or "")
    scale, offset = (k if s is None else s for k, s in zip(known, said, strict=True))
    what = f"{band.name}: kelvin" if heat else "reflectance"
    own = "" if (scale, offset) == known else ", as the item states, which is not the USGS's own"
    return Scaling(scale, offset, 0, words=f"{what} = DN × {scale:g} {_signed(offset)}{own}; DN 0 = nodata")


# ---- radar -------------------------------------------------------------------------------------------------------
def _decibel(item: Item, band: Band, sensor: Sensor) -> Scaling:
    return Scaling(decibel=True, words="power = 10^(dB / 10); the files hold decibels, the cube linear power")


def _linear_gamma0(item: Item, band: Band, sensor: Sensor) -> Scaling:
    if not placed(item):
        raise InvalidInput(f"item {item['id']!r} states no projection, as {GRD_REFUSED}")
    return Scaling(nodata=-32768, positive=True, words=(
        "gamma nought as the files hold it, linear power; −32768 and every value ≤ 0 (unmarked borders) = nodata, "
        "dropped before anything is interpolated"
    ))  # fmt: skip


GRD_REFUSED = (
    "a Sentinel-1 GRD in radar geometry does: its files are placed by ground control points and not calibrated, so "
    "their pixels have no terrain-corrected place. Use the radiometrically terrain-corrected collection instead: "
    "sensor='sentinel-1-rtc' (catalog='planetary-computer')"
)


def placed(item: Item) -> bool:
    """Whether an item or one of its assets states a projection, in either form."""
    fields = (item["properties"], *item["assets"].values())
    return any(f.get(k) for f in fields for k in ("proj:epsg", "proj:code", "proj:wkt2", "proj:projjson"))


_RULES: Mapping[str, Callable[[Item, Band, Sensor], Scaling]] = MappingProxyType(
    {
        "sentinel-2-l2a": _sentinel2_l2a,
        "sentinel-2-c1-l2a": _sentinel2_c1,
        "s2-before-04.00": _old_dn,
        "landsat-c2-l2": _landsat_c2_l2,
        "linear-gamma0": _linear_gamma0,
        "decibel": _decibel,
    }
)
