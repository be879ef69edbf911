"""Nothing: why a search came back empty — what was asked, what is there, what to widen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import ReadFailed
from terrascope_nb.stac import folder
from terrascope_nb.stac.api import around, ask, collections
from terrascope_nb.stac.query import Query, instant, span
from terrascope_nb.stac.sensors import SENSORS

if TYPE_CHECKING:
    from terrascope_nb.stac.catalog import Catalog

Item = dict[str, Any]
_INF = timedelta(days=10**6)


def in_time(item: Item, query: Query) -> bool:
    """Whether the item's time and the query's have an instant in common."""
    first, last = query.when
    if first is None and last is None:
        return True
    start, end = span(item)
    return (first is None or end >= first) and (last is None or start <= last)


def matching(items: Iterable[Item], query: Query) -> list[Item]:
    """The items of a folder that a query asks for, as they come."""
    return [
        i
        for i in items
        if (not query.collections or i.get("collection") in query.collections)
        and (not query.ids or i["id"] in query.ids)
        and in_time(i, query)
        and folder.meets(i, query.aoi)
        and query.meets(i)
    ]


def why_nothing(catalog: Catalog, query: Query) -> str:
    """Why a search came back empty: what was asked, what is there, what to widen."""
    asked = f"nothing in {catalog.shown} matches: {query.words()}. "
    strange = [c for c in query.collections if not any(c in s.collections for s in SENSORS.values())]
    if catalog.is_api:
        hint = (unknown("sensor or collection", strange[0], SENSORS) + ". ") if strange else ""
        return asked + hint + _ask_around(catalog, query)
    everything = catalog.read()
    pool = [i for i in everything if not query.collections or i.get("collection") in query.collections]
    if not pool:
        held = {str(i.get("collection")) for i in everything}
        return asked + unknown("collection of this catalogue", ", ".join(query.collections), held)
    if query.ids:
        missing = [n for n in query.ids if n not in {i["id"] for i in pool}]
        if missing:
            return asked + unknown("item", missing[0], [i["id"] for i in pool][:50])
        pool = [i for i in pool if i["id"] in query.ids]
    here = [i for i in pool if folder.meets(i, query.aoi)]
    if not here:
        boxes = [g.bounds for g in map(folder.footprint, pool) if g is not None]
        w, s, e, n = (f(b[k] for b in boxes) for k, f in enumerate((min, min, max, max))) if boxes else (0, 0, 0, 0)
        return asked + (
            f"Its {counted(len(pool))} lie within longitude {w:.4g} … {e:.4g}, latitude {s:.4g} … {n:.4g}, none on "
            "that place: check the order (west, south, east, north) and move or widen the AOI."
        )
    timely = [i for i in here if in_time(i, query)]
    if not timely:
        first, last = query.when
        gaps = {
            i["id"]: max((first - span(i)[1]) if first else -_INF, (span(i)[0] - last) if last else -_INF) for i in here
        }
        near = sorted(here, key=lambda i: gaps[i["id"]])[:3]
        dates = ", ".join(f"{instant(i):%Y-%m-%d} ({i['id']})" for i in near)
        return (
            asked
            + f"Over that place it has {counted(len(here))}; the nearest dates: {dates}. Widen datetime to reach one."
        )
    bare = [i["id"] for i in timely if query.lacks(i)]
    if bare:
        names = sorted({n for i in timely for n in query.lacks(i)})
        return asked + (
            f"{counted(len(bare))} there and then do not state {', '.join(names)}: {', '.join(bare[:5])}"
            f"{' …' if len(bare) > 5 else ''}. Leave that condition (max_cloud, query) out."
        )
    return asked + f"There and then it has {_values(timely, query)}. Loosen the condition (max_cloud, query)."


def _ask_around(catalog: Catalog, query: Query) -> str:
    """What an API has near what was asked: without the conditions, else before and after. Up to three searches."""
    widen = "Widen the dates or the AOI, raise max_cloud, or search another catalogue."
    if query.ids:
        widen = "Check the ids and the collection they are of, or search another catalogue."
    try:
        if query.conditions:
            free = ask(catalog.address, replace(query, conditions=(), sortby=(), limit=3), catalog.headers)
            if free:
                held = _values(free, query)
                return f"There and then it has, among others, {held}. Loosen the condition (max_cloud, query)."
        near = around(catalog.address, replace(query, conditions=(), ids=()), catalog.headers)
        there = collections(catalog.address, catalog.headers) if not near and query.collections else []
    except ReadFailed:
        return widen  # what was asked is told all the same
    strange = [c for c in query.collections if there and c not in there]
    if strange:
        return unknown("collection of this catalogue", strange[0], there) + ". Search another catalogue."
    if not near:
        return widen
    dates = ", ".join(f"{instant(i):%Y-%m-%d} ({i['id']})" for i in near)
    return f"Over that place the nearest dates are: {dates}. Widen datetime to reach one."


def _values(items: Sequence[Item], query: Query) -> str:
    names = dict.fromkeys(n for n, _, _ in query.conditions)
    return "; ".join(
        f"{i['id']}: " + ", ".join(f"{n} {i['properties'].get(n, 'not stated')}" for n in names) for i in items[:5]
    )


def counted(n: int) -> str:
    """How many items, in words."""
    return "1 item" if n == 1 else f"{n} items"
