"""Legends: what the class numbers of land-cover collections mean, in the product's words and in our vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import NotFound


@dataclass(frozen=True)
class MapClass:
    """One class of a land-cover map.

    Attributes
    ----------
    number : int
        Pixel value.
    name : str
        The product's own name.
    label : str
        The label it is asked for by; a canonical one of the vocabulary where that holds the class.
    """

    number: int
    name: str
    label: str


#: ESA WorldCover 2020 v100 and 2021 v200: Product User Manual, table «Land cover classes»; 0 = no data.
ESA_WORLDCOVER = (
    MapClass(10, "Tree cover", "tree cover"),
    MapClass(20, "Shrubland", "shrubland"),
    MapClass(30, "Grassland", "grassland"),
    MapClass(40, "Cropland", "cropland"),
    MapClass(50, "Built-up", "built-up"),
    MapClass(60, "Bare / sparse vegetation", "bare land"),
    MapClass(70, "Snow and ice", "snow and ice"),
    MapClass(80, "Permanent water bodies", "water"),
    MapClass(90, "Herbaceous wetland", "wetland"),
    MapClass(95, "Mangroves", "wetland"),
    MapClass(100, "Moss and lichen", "moss and lichen"),
)

#: Impact Observatory, annual land use and land cover v02: the items' ``file:values``; 0 = no data. Clouds are no land
#: cover: they are kept as a class, so that a question does not take them for something else.
IO_LULC = (
    MapClass(1, "Water", "water"),
    MapClass(2, "Trees", "tree cover"),
    MapClass(4, "Flooded vegetation", "wetland"),
    MapClass(5, "Crops", "cropland"),
    MapClass(7, "Built area", "built-up"),
    MapClass(8, "Bare ground", "bare land"),
    MapClass(9, "Snow/ice", "snow and ice"),
    MapClass(10, "Clouds", "cloud"),
    MapClass(11, "Rangeland", "grassland"),
)

LEGENDS: Mapping[str, tuple[MapClass, ...]] = MappingProxyType(
    {"esa-worldcover": ESA_WORLDCOVER, "io-lulc-annual-v02": IO_LULC}
)


def legend_of(collection: str) -> dict[int, str]:
    """Class number → label of a land-cover collection.

    Raises
    ------
    NotFound
        For a collection without a legend here.

    Examples
    --------
    >>> legend_of("esa-worldcover")[80]
    'water'
    """
    if collection not in LEGENDS:
        raise NotFound(unknown("land-cover collection", collection, LEGENDS))
    return {c.number: c.label for c in LEGENDS[collection]}
