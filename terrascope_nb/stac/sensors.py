"""Sensor: what the bands of a collection are called, at which resolution, and what tells their clouds.

A new sensor is a row of `SENSORS`; how its values are coded is a rule of `terrascope_nb.stac.scaling`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.stac.scaling import GRD_REFUSED, Scaling, scaling

__all__ = ["SCL_NOT_CLEAR", "SENSORS", "Band", "Scaling", "Sensor", "scaling", "sensor_of"]

Item = dict[str, Any]


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
        Class numbers or bits, not a measurement: never interpolated, kept as whole numbers.
    empty : int
        Of labels: the number that means «nothing here».
    dtype : str
        Of labels: how they are kept.
    units : str
        Of the scaled values where they differ from the sensor's: ``"K"``.
    """

    name: str
    assets: tuple[str, ...]
    resolution: float
    labels: bool = False
    empty: int = 0
    dtype: str = "uint8"
    units: str = ""


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
        Its class numbers that count as not clear, nodata among them; of a layer of bits: the bits.
    bits : bool
        Whether the cloud layer holds bits, each a flag of its own, and not class numbers.
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
    bits: bool = False
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


# ---- the table -------------------------------------------------------------------------------------------------
# Nodata, saturated or defective, cloud shadow, cloud of medium and of high probability, thin cirrus.
SCL_NOT_CLEAR = (0, 1, 3, 8, 9, 10)

_MSI = (
    Band("coastal", ("coastal", "B01", "B01_60m"), 60),
    Band("blue", ("blue", "B02", "B02_10m"), 10),
    Band("green", ("green", "B03", "B03_10m"), 10),
    Band("red", ("red", "B04", "B04_10m"), 10),
    Band("rededge1", ("rededge1", "B05", "B05_20m"), 20),
    Band("rededge2", ("rededge2", "B06", "B06_20m"), 20),
    Band("rededge3", ("rededge3", "B07", "B07_20m"), 20),
    Band("nir", ("nir", "B08", "B08_10m"), 10),
    Band("nir08", ("nir08", "B8A", "B8A_20m"), 20),
    Band("nir09", ("nir09", "B09", "B09_60m"), 60),
    Band("swir16", ("swir16", "B11", "B11_20m"), 20),
    Band("swir22", ("swir22", "B12", "B12_20m"), 20),
)

# Fill, dilated cloud, cirrus, cloud, cloud shadow. Snow (5), like SCL's 11, is clear: it is on the ground.
QA_PIXEL_NOT_CLEAR = (0, 1, 2, 3, 4)
QA_PIXEL_BITS: Mapping[int, str] = MappingProxyType(
    {0: "fill", 1: "dilated cloud", 2: "cirrus", 3: "cloud", 4: "cloud shadow", 5: "snow", 6: "clear", 7: "water"}
)

_SCL = Band("scl", ("scl", "SCL", "SCL_20m"), 20, labels=True)
_LANDSAT = (
    Band("coastal", ("coastal",), 30),
    Band("blue", ("blue",), 30),
    Band("green", ("green",), 30),
    Band("red", ("red",), 30),
    Band("nir08", ("nir08",), 30),
    Band("swir16", ("swir16",), 30),
    Band("swir22", ("swir22",), 30),
    Band("lwir11", ("lwir11", "lwir"), 30, units="K"),
    Band("qa_pixel", ("qa_pixel",), 30, labels=True, empty=1, dtype="uint16"),
)
_DUAL = (Band("vv", ("vv", "VV"), 10), Band("vh", ("vh", "VH"), 10))

_TABLE = (
    Sensor(
        "sentinel-2-l2a", ("sentinel-2-l2a", "sentinel-s2-l2a-cogs"), "optical", (*_MSI, _SCL),
        rule="sentinel-2-l2a", units="reflectance", resolution=10, clouds="scl", cloudy=SCL_NOT_CLEAR,
        notes="Bottom-of-atmosphere reflectance. SCL classes: Sentinel-2 L2A Algorithm Theoretical Basis Document. "
        "Offset by processing baseline, never by date: reprocessed archives carry late baselines on early dates. Earth "
        "Search's flag was itself wrong for some items (earth-search issues 66 and 71).",
    ),
    Sensor(
        "sentinel-2-c1-l2a", ("sentinel-2-c1-l2a",), "optical", (*_MSI, _SCL),
        rule="sentinel-2-c1-l2a", units="reflectance", resolution=10, clouds="scl", cloudy=SCL_NOT_CLEAR,
        notes="Earth Search's Collection 1 (baseline 05.00 and later): offsets are not taken off, raster:bands states "
        "them (Element84/earth-search issue 41). Untested on a real item.",
    ),
    Sensor(
        "landsat-c2-l2", ("landsat-c2-l2",), "optical", _LANDSAT, rule="landsat-c2-l2", units="reflectance",
        resolution=30, clouds="qa_pixel", cloudy=QA_PIXEL_NOT_CLEAR, bits=True,
        notes="Landsat Collection 2 Level 2: surface reflectance and, in kelvin, surface temperature (lwir11; B6 of "
        "Landsat 4–7 under the same name; posted at 30 m, sensed at 60–120 m). QA_PIXEL bits: USGS product guide.",
    ),
    Sensor(
        "sentinel-1-rtc", ("sentinel-1-rtc",), "sar", _DUAL, rule="linear-gamma0", units="linear gamma0",
        resolution=10, polarisations=("VV", "VH"),
        notes="Radiometrically terrain-corrected gamma nought, linear power, posted at 10 m, resolves about 20 m. "
        "Items before 2018 have fringes of near-zero power at their borders that nothing marks (PlanetaryComputer "
        "issue 307).",
    ),
    Sensor(
        "esa-worldcover", ("esa-worldcover",), "landcover", (Band("landcover", ("map",), 10, labels=True),),
        rule="", units="class", resolution=10,
        notes="ESA WorldCover 2020 (v100) and 2021 (v200): two algorithms, so their difference is not change on the "
        "ground. Legend: Product User Manual. Untested on a real item.",
    ),
    Sensor(
        "io-lulc-annual-v02", ("io-lulc-annual-v02",), "landcover", (Band("landcover", ("data",), 10, labels=True),),
        rule="", units="class", resolution=10,
        notes="Impact Observatory annual land use and land cover, 2017 on. Legend: the items' file:values.",
    ),
    Sensor(
        "bigearthnet-s2-l2a", ("bigearthnet-s2-l2a",), "optical", _MSI,
        rule="s2-before-04.00", units="reflectance", resolution=10,
        notes="BigEarthNet patches of 2017–2018: reflectance × 10,000, no cloud mask (tiles under 1 % cloud).",
    ),
    Sensor(
        "bigearthnet-s1-grd", ("bigearthnet-s1-grd",), "sar",
        _DUAL, rule="decibel", units="linear sigma0", resolution=10, polarisations=("VV", "VH"),
        notes="Sentinel-1 IW GRD backscatter in dB, sigma nought presumed, 10 m posting, resolves 20 m, not RTC.",
    ),
)  # fmt: skip

SENSORS: Mapping[str, Sensor] = MappingProxyType({s.name: s for s in _TABLE})
#: Collections that are known and cannot be used, each with the reason.
REFUSED: Mapping[str, str] = MappingProxyType({"sentinel-1-grd": GRD_REFUSED})


def sensor_of(thing: str | Sensor | Mapping[str, Any]) -> Sensor:
    """The sensor of a name, a collection id, a STAC item or a STAC collection (dicts). Reads nothing.

    Raises
    ------
    NotFound
        When the table knows no such sensor, with the nearest name.
    InvalidInput
        When it is one that cannot be used, with the one to use instead.

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
    if name in REFUSED:
        raise InvalidInput(f"{name} is refused, as {REFUSED[name]}")
    for sensor in SENSORS.values():
        if name == sensor.name or name in sensor.collections:
            return sensor
    raise NotFound(unknown("sensor or collection", name, SENSORS))
