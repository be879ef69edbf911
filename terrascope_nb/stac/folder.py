"""Folder: the items of a static STAC catalogue on disk, as the plain JSON objects they are.

Read without pystac's objects: those move ``proj:epsg`` to ``proj:code`` on the way, which older readers do not know.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import shapely
from shapely.affinity import translate
from shapely.errors import ShapelyError
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

from terrascope_nb.errors import NotFound, ReadFailed
from terrascope_nb.geo.aoi import AOI

Item = dict[str, Any]


def read_items(path: Path) -> list[Item]:
    """All items of a catalogue folder: following its links, or every item file of a folder without a root.

    Parameters
    ----------
    path : Path
        A folder with ``catalog.json`` or ``collection.json``, such a file itself, or a bare folder of item files
        (searched through all subfolders; item collections are taken apart).

    Returns
    -------
    list of dict
        Items with absolute asset hrefs, each once, in the order of the links or of the file names.

    Raises
    ------
    NotFound
        When the path is missing or holds no STAC JSON.
    ReadFailed
        When a file is not JSON, or a link leads nowhere.
    """
    if not path.exists():
        raise NotFound(f"no catalogue folder or file at {str(path)!r}")
    root = (
        path
        if path.is_file()
        else next((r for r in (path / "catalog.json", path / "collection.json") if r.is_file()), None)
    )
    if root is not None:
        found = _walk(root.resolve(), set())
    else:
        found = (i for f in sorted(path.rglob("*.json")) for i in _items_of(_load(f), f.resolve()))
    items: dict[tuple[Any, str], Item] = {}
    for item in found:
        items.setdefault((item.get("collection"), item["id"]), item)
    if not items and root is None:
        raise NotFound(
            f"{str(path)!r} is no STAC catalogue: no catalog.json, no collection.json, no JSON file that holds an item"
        )
    return list(items.values())


def _walk(file: Path, seen: set[Path], collection: str | None = None) -> Iterator[Item]:
    """Items below `file`, depth first; one that names no collection gets that of the file that links to it."""
    if file in seen:
        return
    seen.add(file)
    data = _load(file)
    if data.get("type") in ("Feature", "FeatureCollection"):
        for item in _items_of(data, file):
            yield item if item.get("collection") or collection is None else {**item, "collection": collection}
        return
    collection = data.get("id") if data.get("type") == "Collection" else collection
    for link in data.get("links", []):
        if link.get("rel") not in ("child", "item"):
            continue
        target = _absolute(link.get("href", ""), file)
        if "://" in target:
            raise ReadFailed(
                f"{file}: the {link['rel']} link {target!r} leaves the folder; open that catalogue by its URL"
            )
        if not Path(target).is_file():
            raise ReadFailed(f"{file}: the {link['rel']} link {link.get('href')!r} leads to no file")
        yield from _walk(Path(target).resolve(), seen, collection)


def _load(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as err:
        raise ReadFailed(f"cannot read {file} as JSON: {err}") from err
    return data if isinstance(data, dict) else {"type": "FeatureCollection", "features": data}


def _items_of(data: dict[str, Any], file: Path) -> Iterator[Item]:
    features = data.get("features") if data.get("type") == "FeatureCollection" else [data]
    for item in features if isinstance(features, list) else []:
        stac = isinstance(item, dict) and item.get("type") == "Feature" and "assets" in item and "id" in item
        if stac and isinstance(item.get("properties"), dict):
            assets = {k: {**a, "href": _absolute(a.get("href", ""), file)} for k, a in item["assets"].items()}
            yield {**item, "assets": assets}


def _absolute(href: str, file: Path) -> str:
    """`href` as a path or URL that stands alone; a relative one is relative to the folder of `file`."""
    parts = urlsplit(href)
    if parts.scheme == "file":
        return unquote(parts.path)
    if len(parts.scheme) > 1 or href.startswith("/vsi"):
        return href
    return str((file.parent / href).resolve())


# ---- place -----------------------------------------------------------------------------------------------------
def footprint(item: Item) -> BaseGeometry | None:
    """The item's geometry in longitude and latitude, in one piece where it crosses 180° (longitudes may pass it).

    Falls back to the bbox where the item has no geometry; None where it has neither.

    Raises
    ------
    ReadFailed
        When the geometry is no GeoJSON.
    """
    if not item.get("geometry"):
        if not item.get("bbox"):
            return None
        b = item["bbox"]
        west, south, east, north = b if len(b) == 4 else (b[0], b[1], b[3], b[4])
        return box(west, south, east + 360 if east < west else east, north)
    try:
        geometry = shapely.force_2d(shape(item["geometry"]))
    except (KeyError, TypeError, ValueError, AttributeError, ShapelyError) as err:
        raise ReadFailed(f"item {item['id']!r} has a geometry that is no GeoJSON: {err}") from err
    west, _, east, _ = geometry.bounds
    if east - west > 180:
        lon = shapely.get_coordinates(geometry)[:, 0]
        # An uncut polygon across 180° has all its corners on the two flanks; one around the globe has not.
        if geometry.geom_type == "Polygon" and (abs(lon) > 90).all() and (abs(lon) < 180).any():
            geometry = shapely.transform(geometry, _east)
        elif geometry.geom_type == "MultiPolygon":
            parts = [translate(g, 360) if g.bounds[2] < 0 else g for g in geometry.geoms]
            geometry = shapely.union_all(parts)
    return geometry if geometry.is_valid else shapely.make_valid(geometry)


def meets(item: Item, aoi: AOI | None) -> bool:
    """Whether the item's footprint and the AOI share ground; right across the antimeridian."""
    if aoi is None:
        return True
    outline = footprint(item)
    if outline is None:
        return False
    place = aoi.to_lonlat().geometry
    return any(outline.intersects(translate(place, turn)) for turn in (-360, 0, 360))


def _east(xy: Any) -> Any:
    out = xy.copy()
    out[:, 0] = out[:, 0] % 360
    return out
