"""Api: a search sent to a STAC API by pystac-client, its troubles told in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from terrascope_nb.errors import ReadFailed
from terrascope_nb.stac.query import Query
from terrascope_nb.stac.retry import search_retry

if TYPE_CHECKING:
    from pystac_client import Client

Item = dict[str, Any]
CONNECT_SECONDS = 1.8  # a host that does not answer is given up after this
READ_SECONDS = 60
BACKOFF_SECONDS = 0.5  # before the second of three retries; doubled before the third
WAIT_SECONDS = 10  # the longest wait before one retry, also where the API asks for more


def ask(address: str, query: Query, headers: Mapping[str, str] | None = None) -> list[Item]:
    """The items of a STAC API that match `query`, as plain dicts. Sends requests.

    What the API cannot filter or sort by is filtered and sorted here. Conditions are checked here in any case: a server
    that does not know a property's type compares it as text.

    Raises
    ------
    ReadFailed
        When the API cannot be reached (within `CONNECT_SECONDS`), refuses, or is none; with advice.
    """
    with _told(address):
        client = _client(address, headers)
        asks, sorts = _asks(client, query)
        whole = bool(asks or not query.conditions) and (sorts or not query.sortby)
        found = client.search(
            **_common(query),
            ids=list(query.ids) or None,
            sortby=query.api_sortby() if sorts else None,
            max_items=query.limit if whole else None,
            limit=min(query.limit or 100, 100) if whole else 100,
            **asks,
        )
        items = list(found.items_as_dicts())
    return query.order(i for i in items if query.meets(i))[: query.limit]


def count(address: str, query: Query, headers: Mapping[str, str] | None = None) -> int | None:
    """How many items match, whatever `limit` says. Sends one search for one item; None where the API does not tell.

    Raises
    ------
    ReadFailed
        As `ask`.
    """
    with _told(address):
        client = _client(address, headers)
        asks, _ = _asks(client, query)
        if query.conditions and not asks:
            return None  # it would count items that do not meet them
        search = client.search(**_common(query), ids=list(query.ids) or None, limit=1, max_items=1, **asks)
        page = next(search.pages_as_dicts(), {})
        told = page.get("numberMatched", page.get("context", {}).get("matched"))
    return told if isinstance(told, int) else None


def around(address: str, query: Query, headers: Mapping[str, str] | None = None) -> list[Item]:
    """The last item before the dates of `query` and the first after them, by two searches for one item each.

    Empty where the API cannot sort.
    """
    first, last = query.when
    ends = []
    if first is not None:
        ends.append(((None, first), True))
    if last is not None:
        ends.append(((last, None), False))
    with _told(address):
        client = _client(address, headers)
        asks, sorts = _asks(client, query)
        out: list[Item] = []
        for when, descending in ends if sorts else ():
            side = replace(query, when=when, sortby=(("datetime", descending),))
            found = client.search(**_common(side), sortby=side.api_sortby(), max_items=1, limit=1, **asks)
            out += found.items_as_dicts()
    return [i for i in out if query.meets(i)]


def collections(address: str, headers: Mapping[str, str] | None = None) -> list[str]:
    """Ids of the collections of a STAC API. Sends requests."""
    with _told(address):
        return [c.id for c in _client(address, headers).get_collections()]


def _client(address: str, headers: Mapping[str, str] | None) -> Client:
    from pystac_client import Client
    from pystac_client.conformance import ConformanceClasses
    from pystac_client.stac_api_io import StacApiIO

    from terrascope_nb.stac.transport import knock

    knock(address, CONNECT_SECONDS)
    retry = search_retry(BACKOFF_SECONDS, WAIT_SECONDS)
    io = StacApiIO(headers=dict(headers or {}), timeout=(CONNECT_SECONDS, READ_SECONDS), max_retries=retry)
    client = Client.open(address, stac_io=io)
    if not client.conforms_to(ConformanceClasses.ITEM_SEARCH):
        raise ReadFailed(
            f"{shown(address)} is no STAC API with item search; download a static catalogue and give its folder"
        )
    return client


def _common(query: Query) -> dict[str, Any]:
    return {
        "intersects": query.aoi.to_geojson() if query.aoi is not None else None,
        "datetime": query.datetime_text(),
        "collections": list(query.collections) or None,
    }


def _asks(client: Client, query: Query) -> tuple[dict[str, Any], bool]:
    """The conditions as this API takes them (empty where it takes none), and whether it sorts."""
    from pystac_client.conformance import ConformanceClasses

    asks: dict[str, Any] = {}
    if query.conditions and client.conforms_to(ConformanceClasses.QUERY):
        asks["query"] = query.api_query()
    elif query.conditions and client.conforms_to(ConformanceClasses.FILTER):
        asks |= {"filter": query.api_filter(), "filter_lang": "cql2-json"}
    return asks, client.conforms_to(ConformanceClasses.SORT)


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Whatever goes wrong inside is told in plain words, without what a query string holds."""
    import requests
    from pystac.errors import STACError
    from pystac_client.exceptions import APIError

    try:
        yield
    except APIError as err:
        raise ReadFailed(_trouble(address, getattr(err, "status_code", None), str(err))) from None
    except (requests.RequestException, STACError, OSError, ValueError, KeyError) as err:
        if isinstance(err, ReadFailed):
            raise
        raise ReadFailed(_trouble(address, None, f"{type(err).__name__}: {err}")) from None


def _trouble(address: str, status: int | None, said: str) -> str:
    given_up = re.search(r"too many (\d{3}) error responses", said)
    status = int(given_up[1]) if given_up else status
    said = re.sub(r"\?[^\s'\"<>)]+", "?…", " ".join(said.split()))  # a query string may hold a token
    said = said[:300] + (" …" if len(said) > 300 else "")
    where = shown(address)
    if status == 429:
        return f"{where} answers 429 (too many requests): wait a minute, or ask for less at a time. It said: {said}"
    if status in (401, 403):
        return f"{where} answers {status}: it wants a key; give it as Catalog(url, headers={{…}}). It said: {said}"
    if status is not None:
        return f"{where} answers {status}: check the address and the query. It said: {said}"
    return (
        f"{where} cannot be reached: check the network, a proxy (HTTPS_PROXY) and the address; "
        f"catalog='sample' and catalogue folders need no network. The cause: {said}"
    )


def shown(address: str) -> str:
    """An address for messages: quoted, without user, password or query string."""
    parts = urlsplit(address)
    return repr(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")))
