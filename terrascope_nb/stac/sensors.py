"""Sensor: what the bands of a collection are called and how raw values become reflectance or backscatter.

A new sensor is a row of `SENSORS`; a provider that codes the same sensor otherwise is a rule of `_RULES`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import NotFound, UnknownUnits

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
    """

    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    decibel: bool = False
    words: str = "values as they are"

    def apply(self, raw: Any) -> Any:
        """Physical values of raw ones (float array, nodata already NaN); same shape and dtype.

        Examples
        --------
        >>> round(Scaling(scale=1e-4, offset=-0.1).apply(3000.0), 6)
        0.2
        >>> Scaling(decibel=True).apply(-20.0)
        0.01
        """
        value = raw
        if self.scale != 1:
            value = value * self.scale
        if self.offset:
            value = value + self.offset
        return 10 ** (value / 10) if self.decibel else value


@dataclass(frozen=True)
class Band:
    """One variable of a cube.

    Attributes
    ----------
    name : str
        Variable name in the cube: a STAC common name (``red``, ``nir08``, ``scl``, ``vv``), numbered where STAC gives
        three bands one name (``rededge1`` … ``rededge3``).
    assets : tuple of str
        Asset keys that providers use for it, in order of preference.
    resolution : float
        Native pixel size in metres.
    labels : bool
        Class numbers, not a measurement: never interpolated, kept as uint8 with 0 = nodata.
    """

    name: str
    assets: tuple[str, ...]
    resolution: float
    labels: bool = False


@dataclass(frozen=True)
class Sensor:
    """A kind of imagery, as one or more collections hold it.

    Attributes
    ----------
    name : str
        The name to search by.
    collections : tuple of str
        STAC collection ids that hold it.
    kind : "optical", "sar" or "landcover"
    bands : tuple of Band
    rule : str
        Key of the scaling rule (see `scaling`).
    units : str
        Of the scaled values: ``"reflectance"`` (0–1) or ``"linear sigma0"`` and the like (power, not dB).
    resolution : float
        Pixel size in metres of the finest band: the default of a cube.
    clouds : str or None
        Name of the band that tells clouds, or None where nothing does.
    cloudy : tuple of int
        Its class numbers that count as not clear, nodata among them.
    polarisations : tuple of str
        Radar only.
    notes : str
        What to know, with sources.
    """

    name: str
    collections: tuple[str, ...]
    kind: Literal["optical", "sar", "landcover"]
    bands: tuple[Band, ...]
    rule: str
    units: str
    resolution: float
    clouds: str | None = None
    cloudy: tuple[int, ...] = ()
    polarisations: tuple[str, ...] = ()
    notes: str = field(default="", repr=False)

    def band(self, name: str) -> Band:
        """The band called `name` (variable name or an asset key).

        Raises
        ------
        NotFound
            With the nearest name.
        """
        for band in self.bands:
            if name == band.name or name in band.assets:
                return band
        raise NotFound(unknown(f"band of {self.name}", name, [b.name for b in self.bands]))

    def asset_of(self, item: Item, band: Band) -> str | None:
        """The asset key under which `item` holds `band`, or None where it does not."""
        return next((key for key in band.assets if key in item["assets"]), None)


# ---- scaling, by provider and processing baseline --------------------------------------------------------------
def scaling(sensor: Sensor, item: Item, band: Band) -> Scaling:
    """The rule for one band of one item.

    Raises
    ------
    UnknownUnits
        When the item does not say what decides it (a Sentinel-2 item without processing baseline).
    """
    if band.labels:
        return Scaling(nodata=0, words="class numbers, 0 = nodata")
    return _RULES[sensor.rule](item)


def _old_dn(item: Item) -> Scaling:
    return Scaling(1e-4, 0.0, 0, words="reflectance = DN × 0.0001 (baseline before 04.00, no offset); DN 0 = nodata")


def _decibel(item: Item) -> Scaling:
    return Scaling(decibel=True, words="power = 10^(dB / 10); the files hold decibels, the cube linear power")


def _sentinel2_l2a(item: Item) -> Scaling:
    """Sentinel-2 L2A by provider. From baseline 04.00 on ESA's DN carry +1000 (Sentinel-2 Products Specification
    Document, BOA_ADD_OFFSET); Earth Search takes it off for most items and says so in a flag of its own, leaving
    ``raster:bands`` offset −0.1 in place, which must then not be applied.
    """
    properties = item["properties"]
    applied = properties.get("earthsearch:boa_offset_applied")
    if applied:
        return Scaling(1e-4, 0.0, 0, words=(
            "reflectance = DN × 0.0001; the provider has taken the baseline offset off already "
            "(earthsearch:boa_offset_applied), so raster:bands offset is not applied; DN 0 = nodata"
        ))  # fmt: skip
    baseline = processing_baseline(item)
    if baseline is None:
        raise UnknownUnits(
            f"item {item['id']!r}: neither s2:processing_baseline nor an N0xxx in its product name says whether its DN "
            "carry the offset of 1000 (baseline 04.00 and later); add the property to the item"
        )
    stated = f"processing baseline {baseline[0]:02d}.{baseline[1]:02d}"
    if baseline >= (4, 0):
        words = f"reflectance = (DN − 1000) × 0.0001 ({stated}); DN 0 = nodata, before subtracting"
        return Scaling(1e-4, -0.1, 0, words=words)
    return Scaling(1e-4, 0.0, 0, words=f"reflectance = DN × 0.0001 ({stated}, no offset); DN 0 = nodata")


def processing_baseline(item: Item) -> tuple[int, int] | None:
    """Sentinel-2 processing baseline (major, minor) from the property or the product name; None where neither says.

    Examples
    --------
    >>> processing_baseline({"id": "x", "properties": {"s2:processing_baseline": "05.09"}})
    (5, 9)
    >>> processing_baseline({"id": "S2A_MSIL2A_20200714T115221_N0214_R123_T28QCH_20200714T191310", "properties": {}})
    (2, 14)
    """
    properties = item["properties"]
    stated = re.fullmatch(r"(\d{2})\.(\d{2})", str(properties.get("s2:processing_baseline", "")))
    if stated is None:
        names = [item["id"], *(str(properties.get(k, "")) for k in ("s2:product_uri", "sentinel:product_id"))]
        stated = next((m for m in (re.search(r"_N(\d{2})(\d{2})_R\d{3}_", n) for n in names) if m), None)
    return (int(stated[1]), int(stated[2])) if stated else None


_RULES = MappingProxyType({"s2-before-04.00": _old_dn, "sentinel-2-l2a": _sentinel2_l2a, "decibel": _decibel})

# ---- the table -------------------------------------------------------------------------------------------------
# Nodata, saturated or defective, cloud shadow, cloud of medium and of high probability, thin cirrus.
SCL_NOT_CLEAR = (0, 1, 3, 8, 9, 10)

_MSI = (
    Band("coastal", ("coastal", "B01"), 60),
    Band("blue", ("blue", "B02"), 10),
    Band("green", ("green", "B03"), 10),
    Band("red", ("red", "B04"), 10),
    Band("rededge1", ("rededge1", "B05"), 20),
    Band("rededge2", ("rededge2", "B06"), 20),
    Band("rededge3", ("rededge3", "B07"), 20),
    Band("nir", ("nir", "B08"), 10),
    Band("nir08", ("nir08", "B8A"), 20),
    Band("nir09", ("nir09", "B09"), 60),
    Band("swir16", ("swir16", "B11"), 20),
    Band("swir22", ("swir22", "B12"), 20),
)

_TABLE = (
    Sensor(
        "sentinel-2-l2a", ("sentinel-2-l2a",), "optical", (*_MSI, Band("scl", ("scl", "SCL"), 20, labels=True)),
        rule="sentinel-2-l2a", units="reflectance", resolution=10, clouds="scl", cloudy=SCL_NOT_CLEAR,
        notes="Bottom-of-atmosphere reflectance. SCL classes: Sentinel-2 L2A Algorithm Theoretical Basis Document. "
        "Offset by processing baseline, never by date: reprocessed archives carry late baselines on early dates. Earth "
        "Search's flag was itself wrong for some items of early 2022 (earth-search issue 66).",
    ),
    Sensor(
        "bigearthnet-s2-l2a", ("bigearthnet-s2-l2a",), "optical", _MSI,
        rule="s2-before-04.00", units="reflectance", resolution=10,
        notes="BigEarthNet patches of 2017–2018: reflectance × 10,000, no cloud mask (tiles under 1 % cloud).",
    ),
    Sensor(
        "bigearthnet-s1-grd", ("bigearthnet-s1-grd",), "sar",
        (Band("vv", ("vv", "VV"), 10), Band("vh", ("vh", "VH"), 10)),
        rule="decibel", units="linear sigma0", resolution=10, polarisations=("VV", "VH"),
        notes="Sentinel-1 IW GRD backscatter in dB, sigma nought presumed, 10 m posting, resolves 20 m, not RTC.",
    ),
)  # fmt: skip

SENSORS: Mapping[str, Sensor] = MappingProxyType({s.name: s for s in _TABLE})


def sensor_of(thing: str | Sensor | Mapping[str, Any]) -> Sensor:
    """The sensor of a name, a collection id, a STAC item or a STAC collection (dicts). Reads nothing.

    Raises
    ------
    NotFound
        When the table knows no such sensor, with the nearest name.

    Examples
    --------
    >>> sensor_of({"type": "Feature", "collection": "bigearthnet-s1-grd"}).kind
    'sar'
    """
    if isinstance(thing, Sensor):
        return thing
    if isinstance(thing, Mapping):
        name = thing.get("collection") if thing.get("type") == "Feature" else thing.get("id")
        if name is None:
            raise NotFound(
                f"item {thing.get('id')!r} names no collection, so its sensor is not known; name it, e.g. "
                f"sensor='sentinel-2-l2a'. Known: {', '.join(sorted(SENSORS))}"
            )
    else:
        name = thing
    for sensor in SENSORS.values():
        if name == sensor.name or name in sensor.collections:
            return sensor
    raise NotFound(unknown("sensor or collection", name, SENSORS))
