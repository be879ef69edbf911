"""Masks as outlines: polygons in the grid's CRS, and in longitude and latitude as RFC 7946 wants them."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
import shapely.affinity
import shapely.geometry
from pyproj import CRS, Transformer
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from terrascope_nb.errors import InvalidInput
from terrascope_nb.geo.aoi import LONLAT, _short
from terrascope_nb.geo.grid import Grid

_DECIMALS = 9  # of a degree: a tenth of a millimetre
_BEND = 32  # pixels: longer edges are split, so that they bend as they do on the ground


def outline(mask: np.ndarray, grid: Grid) -> BaseGeometry | None:
    """The mask's 8-connected parts as a valid (Multi)Polygon in the grid's CRS; None for an empty mask.

    Where pixels of a part meet at a corner only, its outline is cut there.
    """
    flat = [p for part in grid.polygons(mask) for p in _polygons(part)]
    if not flat:
        return None
    return flat[0] if len(flat) == 1 else MultiPolygon(flat)


def lonlat(shape: BaseGeometry, crs: CRS, pixel: float | None = None) -> dict[str, Any]:
    """A (Multi)Polygon as a GeoJSON geometry: EPSG:4326, cut at the antimeridian, outer rings anticlockwise (RFC 7946).

    Parameters
    ----------
    shape : shapely Polygon or MultiPolygon
        In `crs`; in degrees its longitudes may pass 180°.
    pixel : float, optional
        Size of a pixel in units of `crs`; edges longer than 32 pixels are split before they are projected.

    Raises
    ------
    InvalidInput
        For a shape that holds a pole, where longitude and latitude know no outline.
    """
    if crs.is_geographic:
        placed = shape if crs == LONLAT else _moved(shape, crs)
    else:
        _no_pole(shape, crs)
        west, south, east, north = shape.bounds
        step = max(east - west, north - south) / 32 if pixel is None else pixel * _BEND
        placed = _moved(shapely.segmentize(shape, step), crs)
    parts = []
    for part in getattr(placed, "geoms", [placed]):  # each by itself: one wider than half the globe lies across 180°
        across = not crs.is_geographic and part.bounds[2] - part.bounds[0] > 180
        parts += _polygons(shapely.transform(part, _lift) if across else part)
    window = shapely.geometry.box(-180, -90, 180, 90)
    pieces = []
    for part in parts:
        west, _, east, _ = part.bounds
        if -180 <= west and east <= 180:
            pieces.append(part)
            continue
        for turn in (-360, 0, 360):
            pieces += _polygons(shapely.affinity.translate(part, turn).intersection(window))
    rounded = [shapely.transform(orient(p), lambda xy: np.round(xy, _DECIMALS)) for p in pieces]
    return shapely.geometry.mapping(rounded[0] if len(rounded) == 1 else MultiPolygon(rounded))


def bbox(geometry: dict[str, Any]) -> list[float]:
    """West, south, east, north of a GeoJSON geometry; west > east where it was cut at the antimeridian (RFC 7946, 5.2).

    Examples
    --------
    >>> from terrascope_nb.geo.aoi import AOI, LONLAT
    >>> bbox(lonlat(AOI.from_bbox((178, -18, -179, -17)).geometry, LONLAT))
    [178.0, -18.0, -179.0, -17.0]
    """
    parts = _polygons(shapely.geometry.shape(geometry))
    west, south, east, north = shapely.union_all(parts).bounds
    if west <= -180 and east >= 180:
        spans = sorted((p.bounds[0], p.bounds[2]) for p in parts)
        reach = spans[0][1]
        for left, right in spans[1:]:
            if left > reach:  # a gap: what lies east of it is the west of the whole
                return [left, south, reach, north]
            reach = max(reach, right)
    return [west, south, east, north]


def _polygons(shape: BaseGeometry) -> list[Polygon]:
    """The valid polygons with an area that a shape is made of."""
    fixed = shape if shape.is_valid else shapely.make_valid(shape)
    pieces = fixed.geoms if hasattr(fixed, "geoms") else [fixed]
    if any(hasattr(p, "geoms") for p in pieces):
        return [q for p in pieces for q in _polygons(p)]
    return [p for p in pieces if p.geom_type == "Polygon" and p.area > 0]


def _moved(shape: BaseGeometry, crs: CRS) -> BaseGeometry:
    move = Transformer.from_crs(crs, LONLAT, always_xy=True)
    out = shapely.transform(shape, lambda xy: np.column_stack(move.transform(xy[:, 0], xy[:, 1])))
    if not np.isfinite(shapely.get_coordinates(out)).all():
        raise InvalidInput(f"an outline (bounds {shape.bounds}) leaves the part of the Earth that {_short(crs)} covers")
    return out


def _no_pole(shape: BaseGeometry, crs: CRS) -> None:
    move = Transformer.from_crs(LONLAT, crs, always_xy=True)
    for lat in (90.0, -90.0):
        x, y = move.transform(0.0, lat)
        if not np.isfinite([x, y]).all() or not shapely.intersects_xy(shape, x, y):
            continue
        back = Transformer.from_crs(crs, LONLAT, always_xy=True).transform(x, y)[1]
        if abs(back - lat) < 1e-6:
            raise InvalidInput(
                f"the outline holds the {'North' if lat > 0 else 'South'} Pole, which degrees cannot draw; "
                f"trace.to_geodataframe() keeps it in {_short(crs)}"
            )


def _lift(xy: np.ndarray) -> np.ndarray:
    out = xy.copy()
    out[:, 0] = out[:, 0] % 360
    return out
