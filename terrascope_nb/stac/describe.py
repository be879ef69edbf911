"""Describe: what a search found, as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from terrascope_nb.stac.nothing import counted
from terrascope_nb.stac.query import instant

if TYPE_CHECKING:
    from terrascope_nb.stac.catalog import Found


def describe_found(found: Found, clouds: bool = False) -> str:
    """The query, then a line an item: time, item, platform or orbit, cloud of the whole tile. Asks the catalogue.

    Parameters
    ----------
    found : Found
    clouds : bool
        Also look at each item's cloud layer over the AOI of the search, which reads pixels.

    Raises
    ------
    NothingFound
        When the search came back empty; the message says what to widen.
    NotFound
        When clouds are asked of a sensor without a cloud layer.

    Examples
    --------
    >>> from terrascope_nb.stac.catalog import search
    >>> found = search((30.58, 62.81, 30.62, 62.83), "2017-09", "bigearthnet-s2-l2a", "sample")
    >>> describe_found(found).splitlines()[-1].split()[2]
    'S2B_MSIL2A_20170924T93020_69_24'
    """
    items = found.require()
    radar = _is_radar(found)
    rows = [["time (UTC)", "item", "taken by", "tile cloud"]]
    for item in items:
        p = item["properties"]
        orbit = " ".join(str(p[k]) for k in ("sat:orbit_state", "sat:relative_orbit") if radar and k in p)
        cloud = p.get("eo:cloud_cover")
        words = " ".join(w for w in (str(p.get("platform") or ""), orbit) if w)
        rows.append([f"{instant(item):%Y-%m-%d %H:%M}", item["id"], words, "" if cloud is None else f"{cloud:.1f} %"])
    if clouds:
        table = found.cloud_share()
        rows[0] += ["AOI clear", "AOI cloud", "AOI no data"]
        for row, (_, share) in zip(rows[1:], table.iterrows(), strict=True):
            row += [f"{100 * share[k]:.1f} %" for k in ("clear", "cloud", "nodata")]
    wide = [max(len(r[k]) for r in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, wide, strict=True)).rstrip() for r in rows]
    return "\n".join([f"{counted(len(items))} in {found.catalog.shown}: {found.query.words()}", *lines])


def _is_radar(found: Found) -> bool:
    """Whether the items are of one radar sensor, whose orbits matter."""
    from terrascope_nb.errors import TerrascopeError

    try:
        return found.sensor.kind == "sar"
    except TerrascopeError:  # items of several sensors, or of none that is known: they are listed all the same
        return False
