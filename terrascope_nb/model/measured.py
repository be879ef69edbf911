"""Measured in the loop: what the measuring core says of a mask, as the text that is put into the sequence after it."""

from __future__ import annotations

from terrascope_nb.errors import GridMismatch, NoCRS
from terrascope_nb.reason.measure import area, distance, share
from terrascope_nb.reason.measure.region import Region
from terrascope_nb.reason.units import pretty


def measured_text(region: Region, previous: Region | None = None) -> str:
    """Say a region's share and area, and its distance to the region before; « (…)» to stand right behind its ``[SEG]``.

    What the grid does not allow (metres without a CRS, a distance between two grids) is left out.

    Examples
    --------
    >>> import numpy as np
    >>> from affine import Affine
    >>> from terrascope_nb.geo.grid import Grid
    >>> from terrascope_nb.scene.domain import Domain
    >>> grid = Grid(Affine(10, 0, 500_000, 0, -10, 5_100_000), (40, 50), 32633)
    >>> lake, wood = np.zeros((40, 50), bool), np.zeros((40, 50), bool)
    >>> lake[:20, :20], wood[:10, 30:] = True, True
    >>> first = Region("water", lake, Domain.whole(grid))
    >>> measured_text(first), measured_text(Region("tree cover", wood, Domain.whole(grid)), first)
    (' (20.0 %, 4 ha)', ' (10.0 %, 2 ha, 110 m from the region before)')
    """
    parts = []
    part = share(region).value
    if part is None:
        return " (nothing clear to measure)"
    parts.append(pretty(float(part), "%"))
    if region.grid.has_metres:
        parts.append(pretty(float(area(region).value), "m²"))
    if previous is not None and previous.image == region.image and region.count and previous.count:
        try:
            apart = distance(region, previous).value
        except (GridMismatch, NoCRS):
            apart = None
        if apart is not None:
            parts.append(f"{pretty(float(apart), 'm')} from the region before")
    return f" ({', '.join(parts)})"
