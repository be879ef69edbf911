"""Any place on Earth: a scene by `load_scene`, and a land-cover map of a STAC catalogue on the same grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from terrascope_nb._suggest import unknown
from terrascope_nb.cot.sources.legends import LEGENDS
from terrascope_nb.cot.sources.rasters import with_legend
from terrascope_nb.cot.sources.split import merge_places
from terrascope_nb.cot.sources.stream import Entry, Stream
from terrascope_nb.cot.sources.windows import cutter
from terrascope_nb.errors import InvalidInput
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.scene.labelled import Labelled

#: Collection → licence and citation of its maps.
TERMS: Mapping[str, tuple[str, str]] = {
    "esa-worldcover": (
        "CC BY 4.0 (map); images: terms of their collection",
        "D. Zanaga et al.: ESA WorldCover 10 m 2020 v100, doi:10.5281/zenodo.5571936; 10 m 2021 v200, "
        "doi:10.5281/zenodo.7254221",
    ),
    "io-lulc-annual-v02": (
        "CC BY 4.0 (map); images: terms of their collection",
        "K. Karra et al.: Global land use/land cover with Sentinel-2 and deep learning. IGARSS 2021, "
        "doi:10.1109/IGARSS47720.2021.9553499; Impact Observatory, annual maps v02",
    ),
}


def read_areas(
    areas: Any,
    datetime: Any = None,
    *,
    optical: str | None = "sentinel-2-l2a",
    sar: str | None = None,
    catalog: Any = "planetary-computer",
    landcover: str = "esa-worldcover",
    landcover_catalog: Any = None,
    landcover_datetime: Any = None,
    window: int | None = None,
    stride: int | None = None,
    block: int | None = None,
    part: tuple[int, int] | None = None,
    on_bad: str = "raise",
    **scene: Any,
) -> Iterator[Labelled]:
    """Scenes of any places with their land cover. Searches and reads a place when it is asked for.

    Parameters
    ----------
    areas : AOI, (west, south, east, north), path of a GeoJSON file, or a sequence of these
        Areas that share ground get one place, so that they stay on one side of a split.
    datetime : str, pair of dates …
        Of the images, as in `load_scene`.
    optical, sar, catalog
        As in `load_scene`.
    landcover : "esa-worldcover" or "io-lulc-annual-v02"
    landcover_catalog, landcover_datetime : optional
        Where and of when the map is looked for; default: `catalog`, and the latest map. A map is made in another year
        than most images: what changed between is noise in the truth.
    window, stride, block : int, optional
        Cut into windows, see `windows`.
    part, on_bad
        See `Stream`; whole areas are counted.
    **scene
        Further keywords of `load_scene`: times, max_cloud_aoi, resolution, crs, bands, engine …

    Raises
    ------
    NothingFound
        Where there is no image, or no map.
    InvalidInput
        For a collection that is no land cover, or an area that is none.
    """
    if landcover not in TERMS:
        raise InvalidInput(unknown("land-cover collection", landcover, TERMS))
    outlines, cut = _outlines(areas), cutter(window, stride, block)
    keys = _keys(outlines)
    groups = merge_places((key, aoi.to_lonlat().geometry) for key, aoi in zip(keys, outlines, strict=True))
    licence, citation = TERMS[landcover]

    def opener(key: str, aoi: AOI) -> Any:
        def open_it() -> Labelled:
            from terrascope_nb.scene.landcover_map import load_landcover
            from terrascope_nb.scene.load import load_scene

            found = load_scene(aoi, datetime, optical, sar, catalog, **{"name": key, **scene})
            where = catalog if landcover_catalog is None else landcover_catalog
            labels, _ = load_landcover(found.grid, landcover, where, landcover_datetime)
            return with_legend(
                found, (labels.values,), LEGENDS[landcover], 0, key=key, place=f"area {groups[key]}",
                source=f"area {landcover} {labels.attrs['terrascope:year']}", licence=licence, citation=citation,
            )  # fmt: skip

        return open_it

    def entries() -> Iterator[Entry]:
        for key, aoi in zip(keys, outlines, strict=True):
            yield key, opener(key, aoi)

    return Stream(entries, part, on_bad, cut)


def _outlines(areas: Any) -> list[AOI]:
    """Areas of any form as AOIs."""
    if isinstance(areas, AOI | str | Path):
        return [_outline(areas)]
    if not isinstance(areas, Sequence) or not len(areas):
        raise InvalidInput(
            f"areas is an AOI, (west, south, east, north), a GeoJSON file or a list of these, got {areas!r}"
        )
    if all(isinstance(v, int | float) for v in areas):
        return [_outline(areas)]
    return [_outline(area) for area in areas]


def _outline(area: Any) -> AOI:
    if isinstance(area, AOI):
        return area
    if isinstance(area, str | Path):
        return AOI.from_geojson(area, name=Path(area).stem)
    return AOI.from_bbox(tuple(area))


def _keys(outlines: list[AOI]) -> list[str]:
    """A name for each: its own, else its bounds in degrees; each once."""
    keys = [a.name or "_".join(f"{v:.4f}" for v in a.to_lonlat().bounds) for a in outlines]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise InvalidInput(f"areas need names of their own, these come more than once: {', '.join(twice)}")
    return keys
