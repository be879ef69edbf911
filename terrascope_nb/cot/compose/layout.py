"""How regions are spread: the direction from one to another, and the quarter that holds most of one."""

from __future__ import annotations

import numpy as np

from terrascope_nb.reason.measure import Region

_NAMES = ("east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east")
SURE = 12.0
"""Degrees that a direction may be off the middle of its eighth to be asked about."""

NEAR = 0.08
"""Share of the picture's side that two middles must be apart for a direction to be asked about."""


def bearing(a: Region, b: Region) -> str | None:
    """One of eight directions from the middle of `b` to that of `a`; None where it is not clear.

    Middles are the regions' centroids; north is true north at them, or the top of the picture without a CRS.
    """
    ends = a.centroid, b.centroid
    if ends[0] is None or ends[1] is None:
        return None
    (ra, ca), (rb, cb) = ends
    if np.hypot(ra - rb, ca - cb) < NEAR * min(a.grid.shape):
        return None
    if a.grid.crs is None:
        east, north = ca - cb, rb - ra
    else:
        lon, lat = a.grid.lonlat([ra, rb], [ca, cb])
        east = ((lon[0] - lon[1] + 180) % 360 - 180) * float(np.cos(np.radians(lat.mean())))
        north = float(lat[0] - lat[1])
    turn = float(np.degrees(np.arctan2(north, east)))
    eighth = round(turn / 45)
    return _NAMES[eighth % 8] if abs(turn - 45 * eighth) <= SURE else None


def quarter(r: Region) -> str | None:
    """The quarter of the picture that holds more than half of a region; None where none does, or rows turn from north.

    Quarters are cut at the middle row and column.
    """
    if r.grid.transform.e > 0 or r.grid.transform.b or r.grid.transform.d:
        return None
    rows, cols = (side // 2 for side in r.grid.shape)
    parts = {
        "north-west": r.pixels[:rows, :cols], "north-east": r.pixels[:rows, cols:],
        "south-west": r.pixels[rows:, :cols], "south-east": r.pixels[rows:, cols:],
    }  # fmt: skip
    counts = {name: int(np.count_nonzero(part)) for name, part in parts.items()}
    best = max(counts, key=counts.__getitem__)
    return best if 2 * counts[best] > r.count else None
