"""What the class numbers of the sources' label maps mean: the product's own names → labels of our vocabulary.

A class whose ground is a mix, or depends on the tide, has no one label: it is named here with `UNMAPPED`, its pixels
are counted, and no question is asked of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.scene.classes import canonical
from terrascope_nb.stac.legends import ESA_WORLDCOVER, IO_LULC, MapClass

UNMAPPED = ""
"""Label of a class that the vocabulary has no one word for."""

#: CORINE Land Cover 2018, level 3: all 44 classes of the nomenclature, and the codes of what was not classified.
CLC_2018 = (
    MapClass(111, "Continuous urban fabric", "built-up"),
    MapClass(112, "Discontinuous urban fabric", "built-up"),
    MapClass(121, "Industrial or commercial units", "built-up"),
    MapClass(122, "Road and rail networks and associated land", "built-up"),
    MapClass(123, "Port areas", "built-up"),
    MapClass(124, "Airports", UNMAPPED),  # runways in grass
    MapClass(131, "Mineral extraction sites", UNMAPPED),  # bare ground, works, ponds
    MapClass(132, "Dump sites", UNMAPPED),
    MapClass(133, "Construction sites", UNMAPPED),
    MapClass(141, "Green urban areas", UNMAPPED),  # grass and trees
    MapClass(142, "Sport and leisure facilities", UNMAPPED),
    MapClass(211, "Non-irrigated arable land", "cropland"),
    MapClass(212, "Permanently irrigated land", "cropland"),
    MapClass(213, "Rice fields", "cropland"),
    MapClass(221, "Vineyards", "cropland"),
    MapClass(222, "Fruit trees and berry plantations", "cropland"),
    MapClass(223, "Olive groves", "cropland"),
    MapClass(231, "Pastures", "grassland"),
    MapClass(241, "Annual crops associated with permanent crops", "cropland"),
    MapClass(242, "Complex cultivation patterns", "cropland"),
    MapClass(
        243, "Land principally occupied by agriculture, with significant areas of natural vegetation", UNMAPPED
    ),  # a quarter to three quarters of it are no fields
    MapClass(244, "Agro-forestry areas", UNMAPPED),  # crops or grass under trees
    MapClass(311, "Broad-leaved forest", "tree cover"),
    MapClass(312, "Coniferous forest", "tree cover"),
    MapClass(313, "Mixed forest", "tree cover"),
    MapClass(321, "Natural grasslands", "grassland"),
    MapClass(322, "Moors and heathland", "shrubland"),
    MapClass(323, "Sclerophyllous vegetation", "shrubland"),
    MapClass(324, "Transitional woodland-shrub", "shrubland"),
    MapClass(331, "Beaches, dunes, sands", "bare land"),
    MapClass(332, "Bare rocks", "bare land"),
    MapClass(333, "Sparsely vegetated areas", "bare land"),
    MapClass(334, "Burnt areas", "burned area"),
    MapClass(335, "Glaciers and perpetual snow", "snow and ice"),
    MapClass(411, "Inland marshes", "wetland"),
    MapClass(412, "Peat bogs", "wetland"),
    MapClass(421, "Salt marshes", "wetland"),
    MapClass(422, "Salines", UNMAPPED),  # basins, dry or under water
    MapClass(423, "Intertidal flats", UNMAPPED),  # bare or under water, by the tide
    MapClass(511, "Water courses", "water"),
    MapClass(512, "Water bodies", "water"),
    MapClass(521, "Coastal lagoons", "water"),
    MapClass(522, "Estuaries", "water"),
    MapClass(523, "Sea and ocean", "water"),
    MapClass(990, "Unclassified land surface", UNMAPPED),
    MapClass(995, "Unclassified water bodies", UNMAPPED),
    MapClass(999, "No data", UNMAPPED),
)

#: Land cover of the colour maps that ChatEarthNet's captions were written from: number → class, and the colour it is
#: drawn in (0 is what was not mapped). The classes are WorldCover's.
CHATEARTHNET = (
    MapClass(1, "water", "water"),
    MapClass(2, "developed area", "built-up"),
    MapClass(3, "tree", "tree cover"),
    MapClass(4, "shrub", "shrubland"),
    MapClass(5, "grass", "grassland"),
    MapClass(6, "crop", "cropland"),
    MapClass(7, "bare land", "bare land"),
    MapClass(8, "snow", "snow and ice"),
    MapClass(9, "wetland", "wetland"),
    MapClass(10, "mangroves", "wetland"),
    MapClass(11, "moss", "moss and lichen"),
)
CHATEARTHNET_COLORS: Mapping[tuple[int, int, int], int] = {
    (0, 0, 0): 0, (0, 0, 255): 1, (255, 0, 0): 2, (0, 192, 0): 3, (200, 170, 120): 4, (0, 255, 0): 5, (255, 255, 0): 6,
    (128, 128, 128): 7, (255, 255, 255): 8, (0, 255, 255): 9, (255, 0, 255): 10, (128, 0, 128): 11,
}  # fmt: skip

#: Slovenian land use (RABA) as grouped in the example patch of eo-learn; 0 is not mapped.
SLOVENIA = (
    MapClass(1, "cultivated land", "cropland"),
    MapClass(2, "forest", "tree cover"),
    MapClass(3, "grassland", "grassland"),
    MapClass(4, "shrubland", "shrubland"),
    MapClass(8, "artificial surface", "built-up"),
)

#: landclass96 of the North Carolina sample data set.
CAROLINA = (
    MapClass(1, "developed", "built-up"),
    MapClass(2, "agriculture", "cropland"),
    MapClass(3, "herbaceous", "grassland"),
    MapClass(4, "shrubland", "shrubland"),
    MapClass(5, "forest", "tree cover"),
    MapClass(6, "water", "water"),
    MapClass(7, "sediment", "bare land"),
)

LEGENDS: Mapping[str, tuple[MapClass, ...]] = {
    "clc-2018": CLC_2018,
    "esa-worldcover": ESA_WORLDCOVER,
    "io-lulc-annual-v02": tuple(MapClass(c.number, c.name, "" if c.label == "cloud" else c.label) for c in IO_LULC),
    "chatearthnet": CHATEARTHNET,
    "slovenia-raba": SLOVENIA,
    "north-carolina-1996": CAROLINA,
}


def legend_for(legend: str | Iterable[MapClass] | Mapping[int, str]) -> tuple[MapClass, ...]:
    """A legend by its name, as classes, or from a mapping number → words.

    Parameters
    ----------
    legend : str, iterable of MapClass, or mapping
        In a mapping the words become canonical labels (``"forest"`` → ``"tree cover"``); an empty text says that the
        number is left out on purpose.

    Raises
    ------
    InvalidInput
        For a name that is not known, or an empty legend.

    Examples
    --------
    >>> legend_for({1: "Forest", 2: ""})
    (MapClass(number=1, name='Forest', label='tree cover'), MapClass(number=2, name='', label=''))
    """
    if isinstance(legend, str):
        if legend not in LEGENDS:
            raise InvalidInput(unknown("legend", legend, LEGENDS))
        return LEGENDS[legend]
    if isinstance(legend, Mapping):
        found = tuple(MapClass(int(n), str(word), canonical(str(word))) for n, word in legend.items())
    else:
        found = tuple(legend)
    if not any(c.label for c in found):
        raise InvalidInput("the legend maps no number to a label: give e.g. legend={1: 'water', 2: 'tree cover'}")
    return found


def labels_of(legend: Iterable[MapClass]) -> dict[int, str]:
    """Number → label of the classes that have one."""
    return {c.number: c.label for c in legend if c.label}


def names_of(legend: Iterable[MapClass]) -> dict[int, str]:
    """Number → the product's own name, of every class."""
    return {c.number: c.name for c in legend}


def left_out(legend: Iterable[MapClass], *maps: np.ndarray, nodata: int | None = None) -> dict[int, int]:
    """Number → pixels of the classes without a label that are on the maps."""
    without = {c.number for c in legend if not c.label} - {nodata}
    out: dict[int, int] = {}
    for labels in maps:
        for number, pixels in zip(*np.unique(labels, return_counts=True), strict=True):
            if int(number) in without:
                out[int(number)] = out.get(int(number), 0) + int(pixels)
    return dict(sorted(out.items()))
