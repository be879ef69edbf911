"""Band names: what people and products call a band → its STAC common name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, NotFound

OPTICAL = (
    "coastal", "blue", "green", "green05", "yellow", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "nir09",
    "cirrus", "swir16", "swir22", "pan", "lwir11", "lwir12",
)  # fmt: skip
SAR = ("vv", "vh", "hh", "hv")
THERMAL = ("lwir11", "lwir12")  # temperatures, not reflected light
LAYERS = ("scl",)  # classes, not light: resampled by nearest neighbour, turned into a cloud mask

_SENTINEL_2 = {
    "b01": "coastal", "b02": "blue", "b03": "green", "b04": "red", "b05": "rededge1", "b06": "rededge2",
    "b07": "rededge3", "b08": "nir", "b8a": "nir08", "b09": "nir09", "b10": "cirrus", "b11": "swir16", "b12": "swir22",
}  # fmt: skip
_LANDSAT_OLI = {
    "b01": "coastal", "b02": "blue", "b03": "green", "b04": "red", "b05": "nir08", "b06": "swir16", "b07": "swir22",
    "b08": "pan", "b09": "cirrus", "b10": "lwir11", "b11": "lwir12",
}  # fmt: skip
_WORDS = {
    "swir1": "swir16", "swir2": "swir22", "nir1": "nir", "near infrared": "nir", "red edge 1": "rededge1", "r": "red",
    "g": "green", "b": "blue", "panchromatic": "pan", "aerosol": "coastal", "thermal": "lwir11",
}  # fmt: skip
_POLARISATION = re.compile(r"(?:^|[^a-z])(vv|vh|hh|hv)$")


def common_name(name: str, modality: str = "optical", sensor: str = "") -> str:
    """The STAC common name of a band, whatever it was called.

    Parameters
    ----------
    name : str
        A common name, a Sentinel-2 band (``B02``, ``b2``, ``B8A``), ``swir1``, ``VV``, ``S1-SIGMA0-VH`` …; any case.
    modality : "optical" or "sar"
    sensor : str
        A name that begins with «landsat» or «hls-l30» makes ``B05`` the near infrared, as those number their bands.

    Raises
    ------
    NotFound
        For a name that is not known; the nearest one is suggested.

    Examples
    --------
    >>> common_name("B8A"), common_name("b2"), common_name("SWIR1"), common_name("S1-SIGMA0-VV", "sar")
    ('nir08', 'blue', 'swir16', 'vv')
    >>> common_name("B05"), common_name("B05", sensor="hls-l30")
    ('rededge1', 'nir08')
    """
    text = " ".join(str(name).strip().lower().split())
    if modality == "sar":
        found = _POLARISATION.search(text)
        if found is None:
            raise NotFound(unknown("SAR band", name, SAR))
        return found.group(1)
    if text in OPTICAL or text in LAYERS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    table = _LANDSAT_OLI if sensor.lower().startswith(("landsat", "hls-l30")) else _SENTINEL_2
    number = re.fullmatch(r"b(?:and)?[ _-]?0?(\d{1,2}|8a)", text)
    if number:
        code = number.group(1)
        code = "b8a" if code == "8a" else f"b{int(code):02d}"
        if code in table:
            return table[code]
    raise NotFound(unknown("optical band", name, (*OPTICAL, *LAYERS, *(k.upper() for k in table))))


def listed(names: Sequence[str | None] | str | None, keyword: str = "bands") -> tuple[str | None, ...] | None:
    """A list of names as it was given; a lone text is refused, for it would be taken letter by letter."""
    if isinstance(names, str):
        raise InvalidInput(f"{keyword} must be a list of names, got the text {names!r}: write {keyword}=[{names!r}]")
    return None if names is None else tuple(names)


def common_names(names: Sequence[str | None], modality: str = "optical", sensor: str = "") -> tuple[str | None, ...]:
    """Common names of a list of bands; ``None`` in it means «leave this band out».

    Raises
    ------
    InvalidInput
        When two bands get one name, or none is left.
    """
    out = tuple(None if n is None else common_name(n, modality, sensor) for n in names)
    kept = [n for n in out if n is not None]
    twice = sorted({n for n in kept if kept.count(n) > 1})
    if twice:
        pairs = "; ".join(
            f"{n!r} from {', '.join(str(a) for a, b in zip(names, out, strict=True) if b == n)}" for n in twice
        )
        raise InvalidInput(f"two bands have one name: {pairs}. Leave one out with None in its place")
    if not kept:
        raise InvalidInput("no band is left: bands= holds no name")
    return out
