"""The one measuring core: masks → facts.

Everything that states a figure takes it from here: rule-based reasoners, the check of a text against its masks,
measuring while a model writes, training data and benchmark truth. The rules that hold for all of it:

- A share is a share of the *clear pixels inside the AOI* (a pixel is inside when its centre is); masks count only
  there, and nothing is extrapolated. AOI, clear and no-data shares go with every figure.
- An area is the sum of true pixel areas (`Grid.pixel_area`); pixels alone are never called an area.
- Parts are 8-connected; those below `min_pixels` are not counted, and the note says so.
- A distance is the smallest one from pixel centre to pixel centre; masks that touch are 0 m apart.
- Without a CRS, areas and distances are pixels × the pixel size stated (`Grid.pixel_size`), and the note says so.
- What cannot be given has ``value=None`` and a note that says why; what cannot be *meant* (two grids, metres without
  a CRS or a stated pixel size) raises.
"""

from __future__ import annotations

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, NoCRS
from terrascope_nb.geo.grid import Grid
from terrascope_nb.geo.nearest import NearestPair, nearest_pair, touches, touching_pixels
from terrascope_nb.geo.nearest_on_earth import nearest_pair_on_earth
from terrascope_nb.reason.measure.place import location
from terrascope_nb.reason.measure.region import Fact, Measured, Region, fact, same_grid
from terrascope_nb.reason.measure.together import overlapping, shared_domain

MIN_PIXELS = 4
"""Parts of fewer pixels are not counted."""

_RULES = ("ground", "benchmark")


def share(r: Region) -> Fact:
    """Measure the region's share of the clear pixels inside the AOI, in percent 0…100.

    Examples
    --------
    >>> from affine import Affine
    >>> from terrascope_nb.scene.domain import Domain
    >>> grid = Grid(Affine(10, 0, 500_000, 0, -10, 5_100_000), (4, 5), 32633)
    >>> lake = np.zeros((4, 5), bool)
    >>> lake[:2, :2] = True
    >>> share(Region("water", lake, Domain.whole(grid))).value
    20.0
    """
    value = 100 * r.count / r.domain.count if r.domain.count else None
    return fact("share", (r,), r.domain, value, "%", pixels=r.count)


def area(r: Region, rule: str = "ground") -> Fact:
    """Measure the region's area in m²: only what is clear and inside the AOI.

    Parameters
    ----------
    r : Region
    rule : "ground" or "benchmark"
        True ground area (`Grid.area_of`); or TerraScope-Bench's pixels × resolution², in the projection's own metres.

    Raises
    ------
    NoCRS
        Without a CRS.
    InvalidInput
        ``"benchmark"`` on a grid in degrees.
    """
    _check_rule(rule)
    if rule == "ground":
        r.grid.pixel_area()
        return fact("area", (r,), r.domain, r.grid.area_of(r.pixels), "m²", pixels=r.count, note=stated_note(r.grid))
    down, right = _nominal(r.grid)
    note = f"pixels × resolution² ({right:g} m × {down:g} m), the benchmark's rule"
    return fact("area", (r,), r.domain, r.count * down * right, "m²", pixels=r.count, note=note)


def count(r: Region, min_pixels: int = MIN_PIXELS) -> Fact:
    """Count the region's separate parts: 8-connected, of at least `min_pixels` pixels.

    ``values`` are (parts not counted, pixels in them).
    """
    kept, small, lost = _counted(r, min_pixels)
    return fact(
        "count", (r,), r.domain, kept, pixels=r.count, note=_count_note(min_pixels, small, lost), values=(small, lost)
    )


def exists(r: Region, min_pixels: int = MIN_PIXELS) -> Fact:
    """Say whether the region has a part of at least `min_pixels` pixels. ``values`` as in `count`."""
    kept, small, lost = _counted(r, min_pixels)
    note = _count_note(min_pixels, small, lost) if small else ""
    return fact("exists", (r,), r.domain, kept > 0, pixels=r.count, note=note, values=(small, lost))


def adjacent(a: Region, b: Region) -> Fact:
    """Say whether two regions touch: `a` dilated by 3 × 3 meets `b`. Regions that overlap touch, and the note says so.

    ``values`` are (pixels of `b` outside `a` that `a` meets, pixels of both). An empty region touches nothing.

    Raises
    ------
    GridMismatch
        When the two lie on two grids.
    """
    same_grid(a, b)
    domain = shared_domain(a, b)
    overlap, note = overlapping(a, b)
    edge = touching_pixels(a.pixels, b.pixels, overlap=False)
    if not (a.count and b.count):
        note = _empty_note(a, b)
    return fact(
        "adjacent",
        (a, b),
        domain,
        bool(edge or overlap),
        pixels=a.count + b.count - overlap,
        note=note,
        values=(edge, overlap),
    )


def distance(a: Region, b: Region, rule: str = "ground", unit: str = "m") -> Fact:
    """Measure the smallest distance between two regions, from pixel centre to pixel centre.

    Parameters
    ----------
    a, b : Region
        On one grid.
    rule : "ground" or "benchmark"
        ``"ground"``: true metres, geodesic where the grid's scale varies; regions that touch or overlap are 0 m apart.
        ``"benchmark"``: TerraScope-Bench's Euclidean distance in pixels × resolution, so that side by side is one
        pixel.
    unit : "m" or "px"
        ``"px"`` needs no CRS.

    Returns
    -------
    Fact
        ``values`` are (centre-to-centre distance, row and column of the nearest pixel of `a`, row and column of that
        of `b`); ``value`` is None when a region is empty.

    Raises
    ------
    GridMismatch
        When the two lie on two grids.
    NoCRS
        For metres without a CRS.
    InvalidInput
        For another rule or unit; ``"benchmark"`` in metres on a grid in degrees.
    """
    _check_rule(rule)
    if unit not in ("m", "px"):
        raise InvalidInput(unknown("unit of a distance", unit, ("m", "px")))
    grid = same_grid(a, b)
    if unit == "m":
        grid._need_metres("a distance in metres")
    domain = shared_domain(a, b)
    overlap, note = overlapping(a, b)
    pixels = a.count + b.count - overlap
    pair = _nearest(a, b, rule, unit) if a.count and b.count else None
    if pair is None:
        return fact("distance", (a, b), domain, None, unit, pixels=pixels, note=_empty_note(a, b))
    touch = max(abs(pair.a[0] - pair.b[0]), abs(pair.a[1] - pair.b[1])) <= 1 or touches(a.pixels, b.pixels)
    value = 0.0 if touch and rule == "ground" else pair.distance
    if touch and not overlap:
        note = "they touch"
    if unit == "m":
        note = "; ".join(n for n in (note, stated_note(grid)) if n)
    return fact(
        "distance", (a, b), domain, value, unit, pixels=pixels, note=note, values=(pair.distance, *pair.a, *pair.b)
    )


def measure(r: Region, min_pixels: int = MIN_PIXELS) -> Measured:
    """Measure one mask: share, area, parts, location and centre at once. Never raises for what the grid cannot give.

    Without a CRS, `area` and `centre` are None and the note says so.
    """
    notes = []
    ground: float | None = None
    centre: tuple[float, float] | None = None
    try:
        ground = area(r).value  # type: ignore[assignment]
    except (InvalidInput, NoCRS) as err:
        notes.append(str(err))
    kept, small, _ = _counted(r, min_pixels)
    if r.centroid is not None and r.grid.crs is not None:
        lon, lat = r.grid.lonlat(*r.centroid)
        centre = (float(lon), float(lat))
    part = share(r)
    place = location(r)
    notes += [n for n in (part.note,) if n]
    return Measured(
        r.label,
        part.value,
        ground,
        r.count,
        r.domain.count,
        kept,
        min_pixels,
        small,
        place.value,
        centre,  # type: ignore[arg-type]
        part.aoi_share,
        part.clear_share,
        part.nodata_share,
        "; ".join(notes),
    )


# ---- rules ---------------------------------------------------------------------------------------


def stated_note(grid: Grid) -> str:
    """That sizes rest on a pixel size that was said; "" where the grid knows its own."""
    return "" if grid.pixel_size is None else f"the pixel size of {grid.pixel_size:g} m is as stated, not measured"


def _check_rule(rule: str) -> None:
    if rule not in _RULES:
        raise InvalidInput(unknown("rule", rule, _RULES))


def _nominal(grid: Grid) -> tuple[float, float]:
    """Pixel size (down, right) in the projection's own metres."""
    grid._need_metres("a size in metres")
    if grid.crs is None:
        return grid.pixel_size, grid.pixel_size
    if grid.crs.is_geographic:
        raise InvalidInput(
            f"the benchmark's rule, pixels × resolution, has no metres on {grid!r}: use rule='ground', or reproject to "
            "a UTM grid"
        )
    unit = grid.crs.axis_info[0].unit_conversion_factor or 1.0
    right, down = grid.resolution
    return down * unit, right * unit


def _nearest(a: Region, b: Region, rule: str, unit: str) -> NearestPair | None:
    grid = a.grid
    if unit == "px":
        return nearest_pair(a.pixels, b.pixels)
    spacing = _nominal(grid) if rule == "benchmark" else grid.spacing()
    if spacing is None:
        return nearest_pair_on_earth(a.pixels, b.pixels, grid.lonlat)
    return nearest_pair(a.pixels, b.pixels, spacing)


def _counted(r: Region, min_pixels: int) -> tuple[int, int, int]:
    """Parts counted, parts too small, pixels in those."""
    if min_pixels < 1:
        raise InvalidInput(f"min_pixels must be at least 1, got {min_pixels}")
    small = r.parts < min_pixels
    return int(np.count_nonzero(~small)), int(np.count_nonzero(small)), int(r.parts[small].sum())


def _count_note(min_pixels: int, small: int, lost: int) -> str:
    rule = f"parts of fewer than {min_pixels} pixels are not counted"
    return f"{rule}: {small} of them, {lost} pixels in all" if small else f"{rule}; there are none"


def _empty_note(a: Region, b: Region) -> str:
    empty = list(dict.fromkeys(r.label for r in (a, b) if not r.count))
    return f"no pixel of {' nor of '.join(empty)} among the clear pixels inside the AOI"
