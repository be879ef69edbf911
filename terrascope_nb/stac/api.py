"""Api: a search sent to a STAC API by pystac-client, its troubles told in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from terrascope_nb.errors import ReadFailed
from terrascope_nb.stac.query import Query

Item = dict[str, Any]
CONNECT_SECONDS = 1.8  # a host that does not answer is given up after this
READ_SECONDS = 60
BACKOFF_SECONDS = 0.5  # before the second of three retries; doubled before the third


def ask(address: str, query: Query, headers: Mapping[str, str] | None = None) -> list[Item]:
    """The items of a STAC API that match `query`, as plain dicts. Sends requests.

    What the API cannot filter or sort by is filtered and sorted here. Conditions are checked here in any case: a server
    that does not know a property's type compares it as text.

    Raises
    ------
    ReadFailed
        When the API cannot be reached (within `CONNECT_SECONDS`), refuses, or is none; with advice.
    """
    import requests
    from pystac.errors import STACError
    from pystac_client import Client
    from pystac_client.conformance import ConformanceClasses
    from pystac_client.exceptions import APIError
    from pystac_client.stac_api_io import StacApiIO
    from urllib3 import Retry

    retry = Retry(
        3,
        connect=0,
        read=1,
        backoff_factor=BACKOFF_SECONDS,
        status_forcelist=(429, 502, 503, 504),
        allowed_methods=None,
    )
    try:
        io = StacApiIO(headers=dict(headers or {}), timeout=(CONNECT_SECONDS, READ_SECONDS), max_retries=retry)
        client = Client.open(address, stac_io=io)
        if not client.conforms_to(ConformanceClasses.ITEM_SEARCH):
            raise ReadFailed(
                f"{shown(address)} is no STAC API with item search; download a static catalogue and give its folder"
            )
        sorts = client.conforms_to(ConformanceClasses.SORT)
        asks: dict[str, Any] = {}
        if query.conditions and client.conforms_to(ConformanceClasses.QUERY):
            asks["query"] = query.api_query()
        elif query.conditions and client.conforms_to(ConformanceClasses.FILTER):
            asks |= {"filter": query.api_filter(), "filter_lang": "cql2-json"}
        whole = bool(asks or not query.conditions) and (sorts or not query.sortby)
        found = client.search(
            intersects=query.aoi.to_geojson() if query.aoi is not None else None,
            datetime=query.datetime_text(),
            collections=list(query.collections) or None,
            ids=list(query.ids) or None,
            sortby=query.api_sortby() if sorts else None,
            max_items=query.limit if whole else None,
            limit=min(query.limit or 100, 100) if whole else 100,
            **asks,
        )
        items = list(found.items_as_dicts())
    except APIError as err:
        raise ReadFailed(_trouble(address, getattr(err, "status_code", None), str(err))) from None
    except (requests.RequestException, STACError, OSError, ValueError, KeyError) as err:
        if isinstance(err, ReadFailed):
            raise
        raise ReadFailed(_trouble(address, None, f"{type(err).__name__}: {err}")) from None
    return query.order(i for i in items if query.meets(i))[: query.limit]


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
