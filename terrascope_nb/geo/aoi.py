"""AOI: the area a question is about, as a geometry with its CRS."""

from __future__ import annotations

import json
import math
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
import shapely.affinity
import shapely.geometry
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from terrascope_nb.errors import InvalidInput

LONLAT = CRS.from_epsg(4326)


@dataclass(frozen=True)
class AOI:
    """An area of interest: polygons with their coordinate reference system. Build it with a `from_…` method.

    Attributes
    ----------
    geometry : shapely Polygon or MultiPolygon
        In `crs`, x before y (longitude before latitude). An AOI that crosses the antimeridian is held with
        longitudes beyond 180°, so that it stays one piece; `to_geojson` cuts it there as RFC 7946 wants.
    crs : pyproj.CRS
        The coordinate reference system of `geometry`.
    name : str
        A label for messages and reports; may be empty.
    """

    geometry: BaseGeometry
    crs: CRS = LONLAT
    name: str = ""

    def __post_init__(self) -> None:
        g = self.geometry
        if g.is_empty:
            raise InvalidInput("the AOI is empty: give a polygon or a bounding box with an extent")
        if g.geom_type not in ("Polygon", "MultiPolygon"):
            raise InvalidInput(
                f"the AOI is a {g.geom_type}; an area needs a Polygon or MultiPolygon. "
                "Buffer it first, e.g. shapely.buffer(point, 0.01)"
            )
        if not all(math.isfinite(v) for v in g.bounds):
            raise InvalidInput(f"the AOI has coordinates that are not finite: bounds {g.bounds}")
        if not g.is_valid:
            raise InvalidInput(
                f"the AOI polygon is not valid ({shapely.is_valid_reason(g)}); shapely.make_valid(geometry) may mend it"
            )
        if self.crs.is_geographic:
            w, s, e, n = g.bounds
            if s < -90 or n > 90:
                raise InvalidInput(
                    f"latitudes {s:g} … {n:g} leave ±90°: coordinates are (longitude, latitude) in that order, "
                    "or name the CRS with crs="
                )
            if w < -360 or e > 540 or e - w > 360:
                raise InvalidInput(f"longitudes {w:g} … {e:g} are no place on Earth: give degrees, or crs=")

    # ---- builders -------------------------------------------------------------------------------------------
    @classmethod
    def from_bbox(cls, bbox: tuple[float, float, float, float], crs: Any = 4326, name: str = "") -> AOI:
        """Build from ``(west, south, east, north)`` in `crs`; west > east in degrees means across the antimeridian.

        Examples
        --------
        >>> AOI.from_bbox((178, -18, -179, -17)).bounds
        (178.0, -18.0, 181.0, -17.0)
        """
        try:
            w, s, e, n = (float(v) for v in bbox)
        except (TypeError, ValueError) as err:
            raise InvalidInput(f"bbox must be four numbers (west, south, east, north), got {bbox!r}") from err
        crs = _crs(crs)
        if not all(map(math.isfinite, (w, s, e, n))):
            raise InvalidInput(f"bbox {tuple(bbox)} holds a number that is not finite; give (west, south, east, north)")
        if crs.is_geographic and w > e:
            e += 360
        if not (w < e and s < n):
            raise InvalidInput(
                f"bbox {tuple(bbox)} has no extent: the order is (west, south, east, north), "
                "west < east and south < north"
            )
        return cls(shapely.geometry.box(w, s, e, n), crs, name)

    @classmethod
    def from_geojson(cls, source: str | Path | dict[str, Any], crs: Any = 4326, name: str = "") -> AOI:
        """Build from GeoJSON: a path, a JSON string, or a dict (geometry, Feature or FeatureCollection).

        Several features become one AOI (their union). An old-style ``crs`` member is honoured where `crs` is
        left at its default. Reads the file at once.
        """
        data = _read_geojson(source)
        if _crs(crs) == LONLAT and data.get("crs"):
            crs = data["crs"].get("properties", {}).get("name", 4326)
        kind = data.get("type")
        if kind == "FeatureCollection":
            parts = [f.get("geometry") for f in data.get("features", [])]
        elif kind == "Feature":
            parts = [data.get("geometry")]
        else:
            parts = [data]
        try:
            shapes = [shapely.geometry.shape(p) for p in parts if p]
        except (KeyError, TypeError, ValueError, AttributeError, shapely.errors.ShapelyError) as err:
            raise InvalidInput(f"no GeoJSON geometry in the input (type {kind!r}): {err}") from err
        if not shapes:
            raise InvalidInput(f"the GeoJSON (type {kind!r}) holds no geometry")
        return cls(_one(shapes, _crs(crs)), _crs(crs), name)

    @classmethod
    def from_wkt(cls, wkt: str, crs: Any = 4326, name: str = "") -> AOI:
        """Build from well-known text in `crs`."""
        try:
            shape = shapely.from_wkt(wkt)
        except (shapely.errors.ShapelyError, TypeError) as err:
            raise InvalidInput(f"not well-known text: {str(wkt)[:80]!r} ({err})") from err
        return cls(_one([shape], _crs(crs)), _crs(crs), name)

    @classmethod
    def from_geodataframe(cls, gdf: Any, name: str = "") -> AOI:
        """Build from a geopandas GeoDataFrame or GeoSeries: the union of its polygons, in its own CRS."""
        if getattr(gdf, "crs", None) is None:
            raise InvalidInput("the GeoDataFrame has no CRS: set it first, e.g. gdf.set_crs(4326)")
        shapes = [g for g in gdf.geometry if g is not None and not g.is_empty]
        if not shapes:
            raise InvalidInput("the GeoDataFrame holds no geometry")
        crs = CRS.from_user_input(gdf.crs)
        return cls(_one(shapes, crs), crs, name)

    # ---- views ----------------------------------------------------------------------------------------------
    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) in `crs`; east may pass 180° across the antimeridian."""
        return self.geometry.bounds

    @property
    def crosses_antimeridian(self) -> bool:
        """Whether the AOI lies on both sides of 180° longitude."""
        w, _, e, _ = self.to_lonlat().bounds
        return w < 180 < e or w < -180 < e

    def to_lonlat(self) -> AOI:
        """The AOI in EPSG:4326, in one piece (longitudes may pass 180°)."""
        return self.to_crs(LONLAT)

    def to_crs(self, crs: Any) -> AOI:
        """The AOI in another CRS. Long edges are split first, so that they bend as they do on the ground."""
        crs = _crs(crs)
        if crs == self.crs:
            return self
        w, s, e, n = self.geometry.bounds
        dense = shapely.segmentize(self.geometry, max(e - w, n - s) / 32)
        move = transformer(self.crs, crs).transform

        def reproject(xy: Any) -> Any:
            x, y = move(xy[:, 0], xy[:, 1])
            out = xy.copy()
            out[:, 0], out[:, 1] = x, y
            return out

        shape = shapely.transform(dense, reproject)
        if not all(math.isfinite(v) for v in shape.bounds):
            raise InvalidInput(f"the AOI (bounds {self.bounds}, {_short(self.crs)}) does not fit into {_short(crs)}")
        if crs.is_geographic and shape.bounds[2] - shape.bounds[0] > 180:
            shape = shapely.transform(shape, _lift)  # a projected AOI across 180°: put it back into one piece
        elif self.crs.is_geographic and not crs.is_geographic and self.crosses_antimeridian and not shape.is_valid:
            # a world map is cut at 180°: so is the AOI, a hair within either side
            pieces = [shapely.transform(p, reproject) for p in _cut(dense, 180 - 1e-9)]
            shape = _polygons(pieces)
        if not shape.is_valid:  # repaired where that leaves plain polygons; a shape torn apart by the projection is not
            shape = shapely.make_valid(shape)
            if shape.geom_type not in ("Polygon", "MultiPolygon"):
                raise InvalidInput(
                    f"the AOI (bounds {self.bounds}, {_short(self.crs)}) does not fit into {_short(crs)}: it is "
                    "torn there; choose a projection made for it, e.g. crs='utm' or crs=6933"
                )
        return AOI(shape, crs, self.name)

    def to_geojson(self) -> dict[str, Any]:
        """The geometry as a GeoJSON dict in longitude and latitude, cut at the antimeridian (RFC 7946, 3.1.9)."""
        flat = _polygons(_cut(self.to_lonlat().geometry, 180)).geoms
        turned = [shapely.geometry.polygon.orient(p) for p in flat]  # outer rings counter-clockwise (3.1.6)
        return shapely.geometry.mapping(turned[0] if len(turned) == 1 else shapely.geometry.MultiPolygon(turned))

    def __repr__(self) -> str:
        w, s, e, n = self.bounds
        label = f" {self.name!r}" if self.name else ""
        return f"<AOI{label} ({w:.6g}, {s:.6g}, {e:.6g}, {n:.6g}) {_short(self.crs)}>"


def _crs(value: Any) -> CRS:
    from pyproj.exceptions import CRSError

    try:
        return CRS.from_user_input(value)
    except CRSError as err:
        raise InvalidInput(
            f"unknown CRS {value!r}: give an EPSG code such as 4326 or 'EPSG:32633', WKT or a pyproj CRS"
        ) from err


_transformers = threading.local()


def transformer(source: CRS, target: CRS) -> Transformer:
    """The transformation between two CRSs, x before y; built once in each thread, for that takes milliseconds."""
    kept: dict[tuple[CRS, CRS], Transformer] = _transformers.__dict__.setdefault("kept", {})
    if (source, target) not in kept:
        if len(kept) >= 256:
            kept.clear()
        kept[source, target] = Transformer.from_crs(source, target, always_xy=True)
    return kept[source, target]


def _short(crs: CRS | None) -> str:
    if crs is None:
        return "no CRS"
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else crs.name


def _read_geojson(source: str | Path | dict[str, Any]) -> dict[str, Any]:
    if isinstance(source, dict):
        return source
    text = str(source)
    if not text.lstrip().startswith("{"):
        path = Path(source)
        if not os.path.isfile(path):  # false, not an error, for a name that is too long
            raise InvalidInput(f"no GeoJSON file at {str(path)!r} (a JSON string must start with '{{')")
        text = path.read_text(encoding="utf-8")
    try:
        data = json.loads(text)
    except json.JSONDecodeError as err:
        raise InvalidInput(f"not valid JSON: {err}") from err
    if not isinstance(data, dict):
        raise InvalidInput(f"GeoJSON must be an object, got a {type(data).__name__}")
    return data


def _polygons(shapes: list[BaseGeometry]) -> BaseGeometry:
    """The polygons of any geometries as one MultiPolygon; lines and points that a repair left over are dropped."""
    parts = shapely.get_parts(shapely.get_parts(shapes))
    return shapely.geometry.MultiPolygon([p for p in parts if p.geom_type == "Polygon"])


def _cut(shape: BaseGeometry, edge: float) -> list[BaseGeometry]:
    """A lon-lat shape cut at the antimeridian into pieces between −`edge` and `edge` degrees."""
    whole = shapely.geometry.box(-edge, -90, edge, 90)
    turned = [shapely.affinity.translate(shape, turn).intersection(whole) for turn in (-360, 0, 360)]
    return [piece for piece in turned if not piece.is_empty and piece.area > 0]


def _lift(xy: Any) -> Any:
    out = xy.copy()
    out[:, 0] = out[:, 0] % 360
    return out


def _one(shapes: list[BaseGeometry], crs: CRS) -> BaseGeometry:
    """Union; parts on both sides of the antimeridian (RFC 7946 cuts there) are joined beyond 180°."""
    shapes = [shapely.force_2d(s) for s in shapes]
    if crs.is_geographic and len(shapes) + sum(len(getattr(s, "geoms", [])) for s in shapes) > 1:
        flat = [p for s in shapes for p in (s.geoms if hasattr(s, "geoms") else [s])]
        if any(p.bounds[2] >= 180 for p in flat) and any(p.bounds[0] <= -180 for p in flat):
            shapes = [shapely.affinity.translate(p, 360) if p.bounds[0] < 0 else p for p in flat]
    joined = shapely.union_all(shapes) if len(shapes) > 1 else shapes[0]
    return joined
