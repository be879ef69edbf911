"""Colours of materials: reflectances in Sentinel-2 bands of soils, leaves, straw, roofs, roads, char.

The table comes with the package. It was made from the spectral library `earthlib` 1.1 (C. Anderson, MIT licence), whose
soils are ICRAF-ISRIC's, built materials those measured in Santa Barbara, straw, bark and char from several field
campaigns; its canopies are *simulated* (PROSAIL), all else is measured. The soils were dried and ground for measuring
and are brighter than fields. ``tests/build_spectra.py`` makes the table again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import NotFound


@dataclass(frozen=True)
class SpectralBand:
    """One band of Sentinel-2A's MSI.

    Attributes
    ----------
    name : str
        STAC common name.
    centre, width : float
        Central wavelength and bandwidth in nm, as ESA publishes them for Sentinel-2A.
    native : float
        Metres a pixel as acquired.
    """

    name: str
    centre: float
    width: float
    native: float


BANDS: tuple[SpectralBand, ...] = (
    SpectralBand("coastal", 442.7, 21, 60),
    SpectralBand("blue", 492.4, 66, 10),
    SpectralBand("green", 559.8, 36, 10),
    SpectralBand("red", 664.6, 31, 10),
    SpectralBand("rededge1", 704.1, 15, 20),
    SpectralBand("rededge2", 740.5, 15, 20),
    SpectralBand("rededge3", 782.8, 20, 20),
    SpectralBand("nir", 832.8, 106, 10),
    SpectralBand("nir08", 864.7, 21, 20),
    SpectralBand("swir16", 1613.7, 91, 20),
    SpectralBand("swir22", 2202.4, 175, 20),
)
"""The bands of the table's columns; the two water-vapour and cirrus bands are left out."""

NAMES = tuple(b.name for b in BANDS)
CENTRES = np.array([b.centre for b in BANDS])


@lru_cache(maxsize=1)
def _table() -> dict[str, np.ndarray]:
    with (files("terrascope_nb") / "data" / "spectra.npz").open("rb") as file, np.load(file) as table:
        out = {k: table[k].astype(np.float32) for k in table.files}
    for rows in out.values():
        rows.flags.writeable = False
    return out


def materials() -> tuple[str, ...]:
    """Names of the materials. The table is read from the package on the first call, and kept.

    Examples
    --------
    >>> materials()[:4]
    ('soil', 'sand', 'leaves', 'straw')
    """
    return tuple(_table())


def colours(material: str) -> np.ndarray:
    """(n, 11) float32 reflectance 0…1 of the spectra of a material in `BANDS`, from dark to bright; read-only.

    Raises
    ------
    NotFound
        For a material that the table does not hold.

    Examples
    --------
    >>> leaves = dict(zip(NAMES, colours("leaves").mean(0)))
    >>> bool(leaves["nir"] > 5 * leaves["red"])
    True
    """
    found = _table().get(material)
    if found is None:
        raise NotFound(unknown("material", material, _table()))
    return found
