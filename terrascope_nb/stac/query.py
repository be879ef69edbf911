"""Query: what a search asks for, told in one form to a folder of items and to a STAC API alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.geo.aoi import AOI

Item = dict[str, Any]
When = tuple[datetime | None, datetime | None]

_DATE = re.compile(
    r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(\.\d+)?)?(Z|z|[+-]\d{2}:?\d{2})?)?)?)?"
)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "neq": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "in": lambda a, b: a in b,
    "startsWith": lambda a, b: str(a).startswith(b),
}
_CQL2 = {"eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


@dataclass(frozen=True)
class Query:
    """The arguments of a search, checked. Build it with `Query.of`.

    Attributes
    ----------
    aoi : AOI or None
        Items must meet it; None: anywhere.
    when : (datetime or None, datetime or None)
        First and last instant, UTC, both included; None: open.
    collections : tuple of str
        Collection ids; empty: all.
    ids : tuple of str
        Item ids; empty: all.
    conditions : tuple of (property, operator, value)
        All must hold. An item without the property does not match.
    sortby : tuple of (property, descending)
        Empty: by time, then id.
    limit : int or None
        The most items to return, after sorting.
    """

    aoi: AOI | None = None
    when: When = (None, None)
    collections: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    conditions: tuple[tuple[str, str, Any], ...] = ()
    sortby: tuple[tuple[str, bool], ...] = ()
    limit: int | None = None

    @classmethod
    def of(
        cls,
        aoi: Any = None,
        datetime: Any = None,
        collections: Iterable[str] = (),
        max_cloud: float | None = None,
        query: Mapping[str, Any] | None = None,
        sortby: str | Sequence[str] | None = None,
        ids: str | Iterable[str] | None = None,
        limit: int | None = None,
    ) -> Query:
        """Check the arguments of `terrascope_nb.stac.catalog.search`.

        Raises
        ------
        InvalidInput
            Names the argument and shows what would do.
        """
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            raise InvalidInput(f"limit is the most items to return, a whole number from 1 on; got {limit!r}")
        conditions = _conditions(query or {})
        if max_cloud is not None:
            if not 0 <= float(max_cloud) <= 100:
                raise InvalidInput(f"max_cloud is a percentage, 0 to 100; got {max_cloud!r}")
            conditions = (*conditions, ("eo:cloud_cover", "lte", float(max_cloud)))
        return cls(
            None if aoi is None else as_aoi(aoi),
            interval(datetime),
            tuple(collections),
            (ids,) if isinstance(ids, str) else tuple(ids or ()),
            conditions,
            _sortby(sortby),
            limit,
        )

    # ---- as an API wants it ---------------------------------------------------------------------------------
    def datetime_text(self) -> str | None:
        """The interval in RFC 3339, open ends as ``..``; None where both are open."""
        if self.when == (None, None):
            return None
        return "/".join(".." if t is None else t.isoformat().replace("+00:00", "Z") for t in self.when)

    def api_query(self) -> dict[str, dict[str, Any]]:
        """`conditions` as the body of the STAC API query extension."""
        out: dict[str, dict[str, Any]] = {}
        for name, operator, value in self.conditions:
            out.setdefault(name, {})[operator] = value
        return out

    def api_filter(self) -> dict[str, Any] | None:
        """`conditions` as CQL2 JSON, for an API that has filter but not query."""
        parts = []
        for name, operator, value in self.conditions:
            prop = {"property": name}
            if operator == "startsWith":
                parts.append({"op": "like", "args": [prop, re.sub(r"([%_\\])", r"\\\1", value) + "%"]})
            else:
                parts.append({"op": _CQL2.get(operator, operator), "args": [prop, value]})
        return {"op": "and", "args": parts} if len(parts) > 1 else parts[0] if parts else None

    def api_sortby(self) -> list[dict[str, str]] | None:
        """`sortby` as the STAC API sort extension wants it."""
        return [
            {"field": n if n in ("id", "collection") else f"properties.{n}", "direction": "desc" if d else "asc"}
            for n, d in self.sortby
        ] or None

    # ---- as a folder is asked -------------------------------------------------------------------------------
    def lacks(self, item: Item) -> tuple[str, ...]:
        """Properties that a condition needs and `item` does not have."""
        return tuple(dict.fromkeys(n for n, _, _ in self.conditions if item["properties"].get(n) is None))

    def meets(self, item: Item) -> bool:
        """Whether all `conditions` hold for `item`.

        Raises
        ------
        InvalidInput
            When a value cannot be compared with the item's (text with a number).
        """
        for name, operator, value in self.conditions:
            has = item["properties"].get(name)
            if has is None:
                return False
            try:
                if not _OPERATORS[operator](has, value):
                    return False
            except TypeError as err:
                raise InvalidInput(
                    f"query {name!r} {operator} {value!r} cannot be compared with {has!r} of item {item['id']!r}"
                ) from err
        return True

    def order(self, items: Iterable[Item]) -> list[Item]:
        """`items` sorted by `sortby` (items without the property last), ties by time and id."""
        out = sorted(items, key=lambda i: (instant(i), i["id"]))
        for name, descending in reversed(self.sortby):
            has = [i for i in out if _value(i, name) is not None]
            without = [i for i in out if _value(i, name) is None]
            out = sorted(has, key=lambda i: _value(i, name), reverse=descending) + without
        return out

    def words(self) -> str:
        """The query in words, for reprs and messages."""
        parts = ["anywhere" if self.aoi is None else f"meeting {self.aoi!r}"]
        if self.when != (None, None):
            first, last = (
                "open" if t is None else f"{t:%Y-%m-%d %H:%M:%S}".removesuffix(" 00:00:00") for t in self.when
            )
            parts.append(f"from {first} to {last.removesuffix(' 23:59:59')} (UTC)")
        if self.collections:
            parts.append("in " + ", ".join(self.collections))
        if self.ids:
            parts.append(
                "ids " + ", ".join(self.ids[:5]) + (f" and {len(self.ids) - 5} more" if len(self.ids) > 5 else "")
            )
        parts += [f"{n} {o} {v!r}" for n, o, v in self.conditions]
        if self.limit is not None:
            parts.append(f"at most {self.limit}")
        return "; ".join(parts)


def instant(item: Item) -> datetime:
    """The time of an item: its ``datetime``, else ``start_datetime``. UTC.

    Raises
    ------
    InvalidInput
        When it has neither.
    """
    properties = item["properties"]
    text = properties.get("datetime") or properties.get("start_datetime")
    if not text:
        raise InvalidInput(f"item {item['id']!r} has neither datetime nor start_datetime")
    return _bounds(text)[0]


def span(item: Item) -> tuple[datetime, datetime]:
    """First and last instant of an item, UTC; equal where it has one datetime."""
    properties = item["properties"]
    if properties.get("start_datetime") and properties.get("end_datetime"):
        return _bounds(properties["start_datetime"])[0], _bounds(properties["end_datetime"])[0]
    at = instant(item)
    return at, at


def interval(value: Any) -> When:
    """First and last instant of a datetime argument in any of pystac-client's forms; both included, UTC.

    A year, month or day stands for all of it; ``..`` or None leaves an end open; times without a zone are UTC.

    Examples
    --------
    >>> interval("2023-06/2023-08")[1].isoformat()
    '2023-08-31T23:59:59.999999+00:00'
    >>> interval(("2023-06-01", None))[1] is None
    True

    Raises
    ------
    InvalidInput
        With the forms that are understood.
    """
    if value is None:
        return None, None
    ends = value.split("/") if isinstance(value, str) else list(value) if isinstance(value, list | tuple) else [value]
    if len(ends) == 1:
        return _bounds(ends[0])
    if len(ends) != 2:
        raise InvalidInput(f"datetime {value!r} has {len(ends)} parts; an interval has two, e.g. '2023-06/2023-08'")
    first, last = (None if e in (None, "..", "") else _bounds(e) for e in ends)
    when = first and first[0], last and last[1]
    if when[0] and when[1] and when[0] > when[1]:
        raise InvalidInput(f"datetime {value!r} ends before it begins")
    return when


def _bounds(value: Any) -> tuple[datetime, datetime]:
    """First and last instant that a text, date or datetime stands for."""
    if hasattr(value, "to_pydatetime"):  # pandas.Timestamp
        value = value.to_pydatetime()
    elif type(value).__module__ == "numpy":  # numpy.datetime64, without importing numpy here
        value = value.astype("datetime64[us]").item()
    if isinstance(value, datetime):
        at = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return at, at
    if isinstance(value, date):
        value = value.isoformat()
    match = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise InvalidInput(
            f"datetime {value!r} is not understood; give '2023', '2023-07', '2023-07-14', '2023-07-14T10:00:00Z', "
            "'2023-06/2023-08', '2023-06-01/..', a datetime, or a pair of these"
        )
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
        if hour is not None:
            micro = round(float(fraction or 0) * 1e6)
            offset = "+00:00" if zone in (None, "Z", "z") else zone
            at = datetime.fromisoformat(f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}{offset}")
            at = at.astimezone(UTC) + timedelta(microseconds=micro)
            return at, at
        if day:
            after = start + timedelta(days=1)
        elif month:
            after = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
        else:
            after = start.replace(year=start.year + 1)
    except (ValueError, OverflowError) as err:
        raise InvalidInput(f"datetime {value!r} is no date of the calendar: {err}") from err
    return start, after - timedelta(microseconds=1)


def as_aoi(value: Any) -> AOI:
    """An AOI from any of the forms that a search takes.

    Raises
    ------
    InvalidInput
        With the forms that are understood.
    """
    if isinstance(value, AOI):
        return value
    if hasattr(value, "aoi") and callable(value.aoi):  # a Grid
        return value.aoi()
    if isinstance(value, Mapping):
        return AOI.from_geojson(dict(value))
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 4:
        return AOI.from_bbox(tuple(value))
    raise InvalidInput(f"aoi must be an AOI, a Grid, GeoJSON or (west, south, east, north); got {value!r}")


def _conditions(query: Mapping[str, Any]) -> tuple[tuple[str, str, Any], ...]:
    out = []
    for name, tests in query.items():
        if not isinstance(tests, Mapping):
            raise InvalidInput(f"query[{name!r}] must map an operator to a value, e.g. {{'eq': {tests!r}}}")
        for operator, value in tests.items():
            if operator not in _OPERATORS:
                raise InvalidInput(unknown(f"operator of query[{name!r}]", operator, _OPERATORS))
            if operator == "in" and (isinstance(value, str) or not isinstance(value, Iterable)):
                raise InvalidInput(f"query[{name!r}]['in'] must be a list of values; got {value!r}")
            if operator == "startsWith" and not isinstance(value, str):
                raise InvalidInput(f"query[{name!r}]['startsWith'] must be text; got {value!r}")
            out.append((name.removeprefix("properties."), operator, list(value) if operator == "in" else value))
    return tuple(out)


def _sortby(value: str | Sequence[str] | None) -> tuple[tuple[str, bool], ...]:
    names = [] if value is None else value.split(",") if isinstance(value, str) else list(value)
    out = []
    for name in names:
        if not isinstance(name, str) or not name.strip(" +-"):
            raise InvalidInput(
                f"sortby must be names such as '-datetime' or '+properties.eo:cloud_cover'; got {name!r}"
            )
        name = name.strip()
        out.append((name.lstrip("+-").removeprefix("properties."), name.startswith("-")))
    return tuple(out)


def _value(item: Item, name: str) -> Any:
    if name == "datetime":
        return instant(item)
    return item.get(name) if name in ("id", "collection") else item["properties"].get(name)
