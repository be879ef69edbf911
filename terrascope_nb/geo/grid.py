"""Grid: where each pixel of an array lies on the ground, and how large it truly is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from pyproj import CRS, Geod

from terrascope_nb.errors import InvalidInput, NoCRS
from terrascope_nb.geo.aoi import AOI, LONLAT, _crs, _short, transformer

if TYPE_CHECKING:
    import xarray as xr
    from shapely.geometry.base import BaseGeometry

GEOD = Geod(ellps="WGS84")
SCALE_TOLERANCE = 0.002  # local scale factors are applied where they leave 1 by more than this


@dataclass(frozen=True)
class Grid:
    """A pixel grid: CRS, affine transform and shape. Two grids are equal when all of them are.

    Attributes
    ----------
    transform : affine.Affine
        Pixel (column, row) → (x, y) of the pixel's *upper-left corner*, in units of `crs`.
    shape : (int, int)
        Rows and columns.
    crs : pyproj.CRS or None
        None: pixels only; areas, distances and places are refused with `NoCRS`.
    pixel_size : float or None
        Without a CRS only: metres that a pixel's side is *said* to have (by a question, say). Areas and distances are
        then pixels × that size; places stay unknown.
    """

    transform: Affine
    shape: tuple[int, int]
    crs: CRS | None = None
    pixel_size: float | None = None

    def __post_init__(self) -> None:
        h, w = (int(v) for v in self.shape)
        if h < 1 or w < 1:
            raise InvalidInput(f"a grid needs at least one row and one column, got shape {tuple(self.shape)}")
        object.__setattr__(self, "shape", (h, w))
        object.__setattr__(self, "transform", Affine(*tuple(self.transform)[:6]))
        if self.transform.determinant == 0 or not all(math.isfinite(v) for v in self.transform[:6]):
            raise InvalidInput(f"the transform {tuple(self.transform)[:6]} maps pixels to no area")
        if self.crs is not None:
            object.__setattr__(self, "crs", _crs(self.crs))
        if self.pixel_size is not None:
            self._check_stated()

    # ---- builders -------------------------------------------------------------------------------------------
    @classmethod
    def from_aoi(cls, aoi: AOI, resolution: float | tuple[float, float] = 10, crs: Any = "utm") -> Grid:
        """The grid that covers `aoi`, snapped to multiples of `resolution` so that neighbours line up.

        Parameters
        ----------
        aoi : AOI
        resolution : float or (float, float)
            Pixel size (x, y) in units of `crs` (metres for UTM).
        crs : "utm" or anything pyproj understands
            ``"utm"`` picks the zone of the AOI's centre; above 84° N and below 80° S the polar (UPS) grid.

        Raises
        ------
        InvalidInput
            When an AOI in ``"utm"`` is wider than two zones (12°): one projection would distort it.
        """
        crs = utm_crs(aoi) if isinstance(crs, str) and crs.lower() == "utm" else _crs(crs)
        rx, ry = (float(r) for r in (resolution if isinstance(resolution, Sequence) else (resolution, resolution)))
        if not (rx > 0 and ry > 0):
            raise InvalidInput(f"resolution must be positive, got {resolution!r}")
        w, s, e, n = aoi.to_crs(crs).bounds
        tiny = 1e-6  # an AOI edge that lies on the lattice up to rounding does not earn another pixel
        left, top = math.floor(w / rx + tiny), math.ceil(n / ry - tiny)
        right, bottom = math.ceil(e / rx - tiny), math.floor(s / ry + tiny)
        shape = (max(top - bottom, 1), max(right - left, 1))
        return cls(Affine(rx, 0, left * rx, 0, -ry, top * ry), shape, crs)

    @classmethod
    def from_xarray(cls, data: xr.DataArray | xr.Dataset) -> Grid:
        """The grid of an array with CRS and coordinates as rioxarray keeps them (x, y are pixel centres)."""
        import rioxarray  # noqa: F401  (registers .rio)

        rio = data.rio
        return cls(
            rio.transform(recalc=True),
            (rio.height, rio.width),
            None if rio.crs is None else CRS.from_user_input(rio.crs),
        )

    # ---- names and sizes ------------------------------------------------------------------------------------
    @property
    def height(self) -> int:
        """Rows."""
        return self.shape[0]

    @property
    def width(self) -> int:
        """Columns."""
        return self.shape[1]

    @property
    def resolution(self) -> tuple[float, float]:
        """Pixel size (x, y), positive, in units of `crs`."""
        t = self.transform
        return math.hypot(t.a, t.d), math.hypot(t.b, t.e)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) of the outer pixel edges in `crs`."""
        xs, ys = self.corners()
        return float(min(xs)), float(min(ys)), float(max(xs)), float(max(ys))

    def corners(self) -> tuple[np.ndarray, np.ndarray]:
        """x and y of the four outer corners: upper left, upper right, lower right, lower left."""
        h, w = self.shape
        cols, rows = np.array([0, w, w, 0], float), np.array([0, 0, h, h], float)
        return self.transform.a * cols + self.transform.b * rows + self.transform.c, (
            self.transform.d * cols + self.transform.e * rows + self.transform.f
        )

    @property
    def is_north_up(self) -> bool:
        """Whether rows run along x and columns along y (no rotation)."""
        return self.transform.b == 0 and self.transform.d == 0

    def aoi(self, name: str = "") -> AOI:
        """The grid's outline as an AOI."""
        self._need_crs("its outline on the ground")
        from shapely.geometry import Polygon

        xs, ys = self.corners()
        return AOI(Polygon(list(zip(xs.tolist(), ys.tolist(), strict=True))), self.crs, name)

    # ---- pixel ↔ ground -------------------------------------------------------------------------------------
    def xy(self, rows: Any, cols: Any) -> tuple[np.ndarray, np.ndarray]:
        """Ground coordinates of pixel *centres* (rows and columns may be fractional)."""
        r, c = np.asarray(rows, float) + 0.5, np.asarray(cols, float) + 0.5
        t = self.transform
        return t.a * c + t.b * r + t.c, t.d * c + t.e * r + t.f

    def rowcol(self, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the pixel that holds (x, y); may lie outside the grid."""
        t = ~self.transform
        x, y = np.asarray(x, float), np.asarray(y, float)
        cols, rows = t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f
        return np.floor(rows + 1e-9).astype(int), np.floor(cols + 1e-9).astype(int)

    def lonlat(self, rows: Any, cols: Any) -> tuple[np.ndarray, np.ndarray]:
        """Longitude and latitude (EPSG:4326) of pixel centres."""
        self._need_crs("longitude and latitude")
        x, y = self.xy(rows, cols)
        if self.crs == LONLAT:
            return x, y
        lon, lat = transformer(self.crs, LONLAT).transform(x, y)
        return np.asarray(lon), np.asarray(lat)

    def coords(self) -> dict[str, np.ndarray]:
        """1-D pixel-centre coordinates ``{"y": (H,), "x": (W,)}`` of a north-up grid."""
        if not self.is_north_up:
            raise InvalidInput(
                "a rotated grid has no 1-D coordinates: reproject it first, e.g. with rioxarray's rio.reproject"
            )
        return {"y": self.xy(np.arange(self.height), 0)[1], "x": self.xy(0, np.arange(self.width))[0]}

    # ---- true size ------------------------------------------------------------------------------------------
    @cached_property
    def _steps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """How one pixel down and one to the right move on the WGS84 ellipsoid, on a coarse lattice.

        Returns (rows (n,), cols (m,), down (n, m, 3), right (n, m, 3)): geocentric metres a pixel, by central
        differences over half a kilometre or half a pixel to either side, whichever is more.

        They are the projection's local scale factors by way of `lonlat`, so that spheres, prime meridians and units
        that a projection has of its own are counted too (`pyproj.Proj.get_factors` leaves them out).
        """
        rows, cols = (np.linspace(-0.5, n - 0.5, min(n + 1, 33)) for n in self.shape)
        rr, cc = np.meshgrid(rows, cols, indexing="ij")
        rx, ry = (r * self._unit for r in self.resolution)
        dr, dc = max(0.5, 500 / ry), max(0.5, 500 / rx)
        down = (_geocentric(*self.lonlat(rr + dr, cc)) - _geocentric(*self.lonlat(rr - dr, cc))) / (2 * dr)
        right = (_geocentric(*self.lonlat(rr, cc + dc)) - _geocentric(*self.lonlat(rr, cc - dc))) / (2 * dc)
        if not (np.isfinite(down).all() and np.isfinite(right).all()):
            raise InvalidInput(f"the grid reaches where {_short(self.crs)} is not defined: bounds {self.bounds}")
        return rows, cols, down, right

    @property
    def _unit(self) -> float:
        """Metres in a unit of a projected CRS."""
        return self.crs.axis_info[0].unit_conversion_factor or 1.0

    @cached_property
    def _scale(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """(rows, cols, nominal / true pixel area) on the coarse lattice, or None where the nominal area holds."""
        rows, cols, down, right = self._steps
        areal = abs(self.transform.determinant) * self._unit**2 / np.linalg.norm(np.cross(down, right), axis=-1)
        if not np.isfinite(areal).all():
            raise InvalidInput(f"the grid reaches where {_short(self.crs)} is not defined: bounds {self.bounds}")
        return None if np.max(np.abs(areal - 1)) <= SCALE_TOLERANCE else (rows, cols, areal)

    @cached_property
    def _keeps_lengths(self) -> bool:
        """Whether lengths hold to 0.2 % both ways, at right angles: equal-area projections keep areas, not lengths."""
        _, _, down, right = self._steps
        rx, ry = (r * self._unit for r in self.resolution)
        lengths = np.linalg.norm(down, axis=-1) / ry, np.linalg.norm(right, axis=-1) / rx
        skew = np.abs((down * right).sum(axis=-1)) / (rx * ry)
        return bool(max(*(np.abs(k - 1).max() for k in lengths), skew.max()) <= SCALE_TOLERANCE)

    def pixel_area(self) -> np.ndarray:
        """True ground area of each pixel in m², broadcastable to (H, W): shape (1, 1), (H, 1) or (H, W).

        Degrees: geodesic area of the pixel's quadrilateral (WGS84, GeographicLib through `pyproj.Geod`).
        Projected: nominal size over the areal scale factor of the projection (see `_steps`) where that leaves 1
        by more than 0.2 %, else the nominal size. Equal-area projections and UTM near its
        meridian take the nominal path; EPSG:3857 does not.

        Raises
        ------
        NoCRS
            When the grid has no CRS.
        """
        self._need_metres("an area in square metres")
        return self._areas

    @cached_property
    def _areas(self) -> np.ndarray:
        return self._area_rows(np.arange(self.height))

    def _area_rows(self, rows: np.ndarray) -> np.ndarray:
        """True areas of the pixels in some rows (n,), broadcastable to (n, W)."""
        if self.crs is None:
            return np.full((1, 1), float(self.pixel_size) ** 2)
        if self.crs.is_geographic:
            return self._geodesic_areas()[rows]
        nominal = abs(self.transform.determinant) * self._unit**2
        if self._scale is None:
            return np.full((1, 1), nominal)
        lattice_rows, lattice_cols, areal = self._scale
        if np.ptp(areal, axis=1).max() < 1e-9 * areal.max():  # Mercator: the same along a row
            return (nominal / np.interp(rows, lattice_rows, areal[:, 0]))[:, None]
        return nominal / self._spline(rows, np.arange(self.width))

    @cached_property
    def _spline(self) -> Any:
        from scipy.interpolate import RectBivariateSpline

        rows, cols, areal = self._scale
        return RectBivariateSpline(rows, cols, areal, kx=min(3, len(rows) - 1), ky=min(3, len(cols) - 1))

    def _geodesic_areas(self) -> np.ndarray:
        h = self.height
        degree = self.crs.axis_info[0].unit_conversion_factor
        if not math.isclose(degree, math.radians(1)):
            raise InvalidInput(
                f"{_short(self.crs)} counts in {self.crs.axis_info[0].unit_name}s, not degrees: reproject to EPSG:4326"
            )
        if not self.is_north_up:
            raise InvalidInput("true areas on a rotated grid in degrees are not offered: reproject to a UTM grid first")
        dx, _ = self.resolution
        edges = self.transform.f + self.transform.e * np.arange(h + 1)
        if np.abs(edges).max() > 90 + 1e-9:
            raise InvalidInput(
                f"latitudes reach {np.abs(edges).max():g}°: the grid's axes seem swapped (x is longitude)"
            )
        edges = np.clip(edges, -90, 90)
        return np.abs(np.diff(_authalic_zone(edges)) * np.radians(dx))[:, None]

    def area_of(self, mask: np.ndarray) -> float:
        """Ground area of a mask in m² (sum of true pixel areas)."""
        self._need_metres("an area in square metres")
        total = 0.0
        for start in range(0, self.height, 256):  # so that no array of the grid's size is made
            part = mask[start : start + 256]
            areas = self._area_rows(np.arange(start, start + part.shape[0]))
            if areas.shape[1] == 1:
                total += float((np.count_nonzero(part, axis=1) * areas[:, 0]).sum())
            else:
                total += float(areas[part].sum())
        return total

    def spacing(self) -> tuple[float, float] | None:
        """Metres between neighbouring pixel centres (down, right) where one number holds for the whole grid.

        None where it does not (degrees, EPSG:3857 and the like): distances there are geodesic, pixel to pixel.
        """
        self._need_metres("a distance in metres")
        if self.crs is None:
            return self.pixel_size, self.pixel_size
        if self.crs.is_geographic or not self._keeps_lengths:
            return None
        rx, ry = self.resolution
        return ry * self._unit, rx * self._unit

    def distance(self, a: tuple[float, float], b: tuple[float, float]) -> float:
        """Metres between the centres of pixels `a` and `b`, each (row, column)."""
        spacing = self.spacing()
        if spacing is not None and (self.is_north_up or self.crs is None):
            return math.hypot((a[0] - b[0]) * spacing[0], (a[1] - b[1]) * spacing[1])
        lon, lat = self.lonlat([a[0], b[0]], [a[1], b[1]])
        return float(GEOD.inv(lon[0], lat[0], lon[1], lat[1])[2])

    # ---- masks ----------------------------------------------------------------------------------------------
    def mask(self, aoi: AOI) -> np.ndarray:
        """Which pixels have their centre inside `aoi`: (H, W) bool."""
        self._need_crs("where an AOI lies on it")
        from rasterio.features import geometry_mask

        shape = aoi.to_crs(self.crs).geometry
        if self.crs.is_geographic:
            shape = _near(shape, self.bounds)
        return geometry_mask([shape], self.shape, self.transform, all_touched=False, invert=True)

    def polygons(self, mask: np.ndarray) -> list[BaseGeometry]:
        """Outlines of the mask's 8-connected parts, in `crs` (pixel units without one), largest first."""
        from rasterio.features import shapes
        from shapely.geometry import shape

        mask = np.asarray(mask, bool)
        found = shapes(mask.astype(np.uint8), mask=mask, connectivity=8, transform=self.transform)
        return sorted((shape(g) for g, _ in found), key=lambda p: -p.area)

    def window(self, rows: slice, cols: slice) -> Grid:
        """The grid of a window ``[rows, cols]`` of the array."""
        r0, r1, _ = rows.indices(self.height)
        c0, c1, _ = cols.indices(self.width)
        t = self.transform
        corner = t.a * c0 + t.b * r0 + t.c, t.d * c0 + t.e * r0 + t.f
        return Grid(Affine(t.a, t.b, corner[0], t.d, t.e, corner[1]), (r1 - r0, c1 - c0), self.crs, self.pixel_size)

    def stated(self, pixel_size: float | None) -> Grid:
        """The grid with a stated pixel size in metres, where it has no CRS to know its own by; else as it is.

        Examples
        --------
        >>> bare = Grid(Affine.identity(), (20, 30)).stated(10)
        >>> bare.has_metres, bare.area_of(np.ones((20, 30), bool)), bare.distance((0, 0), (3, 4))
        (True, 60000.0, 50.0)
        """
        if self.crs is not None or pixel_size is None or pixel_size == self.pixel_size:
            return self
        return Grid(self.transform, self.shape, None, pixel_size)

    @property
    def has_metres(self) -> bool:
        """Whether areas and distances can be given: there is a CRS, or a pixel size is stated."""
        return self.crs is not None or self.pixel_size is not None

    def __getstate__(self) -> dict[str, Any]:  # without what is cached
        return {name: self.__dict__[name] for name in ("transform", "shape", "crs", "pixel_size")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({"pixel_size": None, **state})

    def _check_stated(self) -> None:
        if self.crs is not None:
            raise InvalidInput(
                f"pixel_size={self.pixel_size!r} is stated for a grid with a CRS ({_short(self.crs)}), which knows its "
                "own pixel size: leave it out"
            )
        if not (isinstance(self.pixel_size, int | float) and 0 < self.pixel_size < math.inf):
            raise InvalidInput(f"pixel_size is a pixel's side in metres, above 0; got {self.pixel_size!r}")

    def _need_metres(self, what: str) -> None:
        if self.pixel_size is None:
            self._need_crs(what)

    def _need_crs(self, what: str) -> None:
        if self.crs is None:
            raise NoCRS(
                f"this grid ({self.height} × {self.width} pixels) has no CRS, so {what} cannot be given; shares and "
                "pixel counts can. Pass crs= and transform= when building the scene."
            )

    def __repr__(self) -> str:
        rx, ry = self.resolution
        size = f"{rx:g}" if rx == ry else f"{rx:g} × {ry:g}"
        if self.pixel_size is not None:
            return f"<Grid {self.height} × {self.width} at {self.pixel_size:g} m as stated, no CRS>"
        unit = " px" if self.crs is None else "°" if self.crs.is_geographic else " " + self.crs.axis_info[0].unit_name
        unit = {" metre": " m"}.get(unit, unit)
        return f"<Grid {self.height} × {self.width} at {size}{unit}, {_short(self.crs)}>"


def utm_crs(aoi: AOI) -> CRS:
    """The UTM zone of the AOI's centre (EPSG:326xx/327xx); beyond 84° N, 80° S the polar grid (EPSG:5041, 5042)."""
    west, south, east, north = aoi.to_lonlat().bounds
    if (
        south > 84
        or north < -80
        or (north > 84 and (south + north) / 2 > 84)
        or (south < -80 and (south + north) / 2 < -80)
    ):
        return CRS.from_epsg(5041 if north > 0 else 5042)
    if east - west > 12:
        raise InvalidInput(
            f"the AOI spans {east - west:.1f}° of longitude, more than two UTM zones: choose a projection for it, "
            "e.g. crs=6933 (global equal area) or a national grid"
        )
    lon = ((west + east) / 2 + 180) % 360 - 180
    lat = (south + north) / 2
    zone = int((lon + 180) // 6) + 1
    if 56 <= lat < 64 and 3 <= lon < 12:
        zone = 32  # Norway
    elif 72 <= lat <= 84 and 0 <= lon < 42:
        zone = 31 if lon < 9 else 33 if lon < 21 else 35 if lon < 33 else 37  # Svalbard
    return CRS.from_epsg((32600 if lat >= 0 else 32700) + zone)


def _authalic_zone(lat: np.ndarray) -> np.ndarray:
    """Area in m² per radian of longitude from the equator to each latitude (WGS84; Snyder 1987, eq. 3-12)."""
    a, f = GEOD.a, GEOD.f
    e = math.sqrt(f * (2 - f))
    s = np.sin(np.radians(lat))
    q = (1 - e**2) * (s / (1 - (e * s) ** 2) - np.log((1 - e * s) / (1 + e * s)) / (2 * e))
    return a**2 * q / 2


def _geocentric(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Geocentric x, y, z in metres (…, 3) of places on the WGS84 ellipsoid, given in degrees."""
    lam, phi = (np.radians(np.where(np.isfinite(angle), angle, np.nan)) for angle in (lon, lat))
    e2 = GEOD.f * (2 - GEOD.f)
    normal = GEOD.a / np.sqrt(1 - e2 * np.sin(phi) ** 2)
    across = normal * np.cos(phi)
    return np.stack([across * np.cos(lam), across * np.sin(lam), (1 - e2) * normal * np.sin(phi)], axis=-1)


def _near(shape: BaseGeometry, bounds: tuple[float, float, float, float]) -> BaseGeometry:
    """Turn a lon-lat shape by whole circles so that it overlaps `bounds` where it can."""
    from shapely.affinity import translate
    from shapely.geometry import box
    from shapely.ops import unary_union

    outline = box(*bounds)
    turned = [translate(shape, t) for t in (-360, 0, 360)]
    hits = [t for t in turned if t.intersects(outline)]
    return unary_union(hits) if hits else shape
