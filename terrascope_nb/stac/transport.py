"""Transport: one HTTP request, sent so that a token in an address is on the wire and nowhere else.

Logs, exceptions and objects here hold addresses without their query string. The query travels beside the address, in a
header that the connection takes off and puts back where it belongs, so that not even urllib3's debug log sees it.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from terrascope_nb.stac.stopping import check, generation, may_be_shut

QUERY = "X-Query"  # between us and our own connection class; never sent
SLOWEST = 2048  # bytes a second; an answer that drips more slowly is given up
REDIRECTS = 5
_PIECE = 1 << 16


class Address:
    """An address whose query string, user and password, where secrets are, do not show.

    Attributes
    ----------
    bare : str
        What may be shown: without query string, fragment, user and password.

    Examples
    --------
    >>> Address("https://me:pw@example.org/a.tif?sig=secret")
    Address('https://example.org/a.tif')
    """

    __slots__ = ("_auth", "_query", "bare")

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        user, _, host = parts.netloc.rpartition("@")
        self.bare = urlunsplit((parts.scheme, host, parts.path or "/", "", ""))
        self._query = f"?{parts.query}" if parts.query else ""
        self._auth = unquote(user)

    def __repr__(self) -> str:
        return f"Address({self.bare!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __reduce__(self) -> Any:
        raise TypeError("an address that may hold a token is not pickled: keep the unsigned href, and sign again")

    @property
    def has_query(self) -> bool:
        """Whether a query string, perhaps a token, is part of it."""
        return bool(self._query)

    def headers(self) -> dict[str, str]:
        """What goes with a request for it."""
        out = {QUERY: self._query} if self._query else {}
        if self._auth:
            out |= urllib3.make_headers(basic_auth=self._auth)
        return out

    def reveal(self) -> str:
        """The whole address without user and password. For a signer; never for a message or a log."""
        return self.bare + self._query

    def join(self, location: str) -> Address:
        """Where a redirect leads."""
        return Address(urljoin(self.bare, location))

    def _parts(self) -> tuple[str, str, str]:
        return self.bare, self._query, self._auth


@dataclass(frozen=True)
class Answer:
    """A server's answer.

    Attributes
    ----------
    status : int
    headers : mapping
        Names in lower case.
    body : bytes
        Whole, or at most as much as was allowed; shorter than announced never (that raises `Cut`).
    whole : bool
        Whether `body` is all of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True


class Cut(Exception):
    """No answer, or one that broke off; the message says how, without addresses."""


def get(address: Address, headers: Mapping[str, str], most: int, connect: float, stall: float) -> Answer:
    """GET `address`, following redirects; at most `most` bytes of its body.

    Parameters
    ----------
    connect, stall : float
        Seconds for the connection, and without a byte.

    Raises
    ------
    Cut
        When the connection fails, stalls, drips or ends early.
    """
    for _ in range(REDIRECTS + 1):
        answer = _get(address, headers, most, connect, stall)
        if answer.status not in (301, 302, 303, 307, 308) or "location" not in answer.headers:
            return answer
        address = address.join(answer.headers["location"])
    raise Cut(f"more than {REDIRECTS} redirects")


def _get(address: Address, headers: Mapping[str, str], most: int, connect: float, stall: float) -> Answer:
    """One request. What goes wrong is told anew, outside the handler, so that no inner exception hangs on."""
    born = generation()
    try:
        response = _manager(address.bare).urlopen(
            "GET", address.bare, headers={"Accept-Encoding": "identity", **headers, **address.headers()},
            preload_content=False, redirect=False, retries=False, timeout=urllib3.Timeout(connect=connect, read=stall),
        )  # fmt: skip
    except (urllib3.exceptions.HTTPError, HTTPException, OSError) as err:
        said = _words(err, stall)
    else:
        said = ""
    if said:
        check(born)
        raise Cut(said)
    body, said = bytearray(), ""
    deadline = time.monotonic() + stall + most / SLOWEST
    whole = False
    try:
        while len(body) <= most:
            piece = response.read1(_PIECE)
            if not piece:
                whole = True
                break
            body += piece
            if time.monotonic() > deadline:
                said = f"the answer came more slowly than {SLOWEST} bytes a second"
                break
    except (urllib3.exceptions.HTTPError, OSError) as err:
        said = _words(err, stall)
    finally:
        if whole and not said:
            response.release_conn()
        else:
            response.close()
    check(born)
    found = {k.lower(): v for k, v in response.headers.items()}
    announced = found.get("content-length", "")
    if not said and whole and announced.isdigit() and len(body) < int(announced):
        said = f"the answer ended after {len(body)} of {announced} bytes"
    if said and response.status < 400:
        raise Cut(said)
    return Answer(response.status, found, bytes(body[:most]), whole)


def _words(err: Exception, stall: float) -> str:
    """What happened, without an address in it."""
    from urllib3 import exceptions as e

    if isinstance(err, e.ReadTimeoutError | TimeoutError) and not isinstance(err, e.ConnectTimeoutError):
        return f"no byte came for {stall:g} s"
    if isinstance(err, e.NameResolutionError):
        return "the host's name cannot be resolved"
    if isinstance(err, e.NewConnectionError):  # a kind of timeout to urllib3
        return "the connection was refused, or no way leads there"
    if isinstance(err, e.ConnectTimeoutError):
        return "the connection did not come about in time"
    if isinstance(err, e.IncompleteRead):
        return "the answer ended early"
    if isinstance(err, e.SSLError):
        return "the secure connection failed (certificate?)"
    if isinstance(err, e.ProxyError):
        return "the proxy cannot be reached"
    return f"the connection broke ({type(err).__name__})"


# ---- connections ------------------------------------------------------------------------------------------------
_lock = threading.Lock()
_managers: dict[Any, urllib3.PoolManager] = {}


class _Quiet:
    """A connection that puts the query back on, and that can be shut from another thread."""

    debuglevel = 0  # http.client prints what it sends where its own is raised

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        may_be_shut(self.sock)  # type: ignore[attr-defined]

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> None:
        headers = dict(headers or {})
        query = headers.pop(QUERY, "")
        super().request(method, url + query, body, headers, **options)  # type: ignore[misc]


class _Plain(_Quiet, HTTPConnection):
    pass


class _Secure(_Quiet, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


def _manager(url: str) -> urllib3.PoolManager:
    """The pool for an address: straight, or through the proxy that the environment names. One a process."""
    import certifi

    parts = urlsplit(url)
    proxy = _proxy(f"{parts.scheme}://{parts.netloc}/", tuple(os.environ.get(n) for n in _PROXY_NAMES))
    key = (os.getpid(), proxy)
    with _lock:
        if key not in _managers:
            names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
            bundle = next((os.environ[n] for n in names if os.environ.get(n)), certifi.where())
            settings: dict[str, Any] = {"num_pools": 16, "maxsize": 16, "ca_certs": bundle}
            made = urllib3.ProxyManager(proxy, **settings) if proxy else urllib3.PoolManager(**settings)
            made.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
            _managers[key] = made
        return _managers[key]


def knock(url: str, seconds: float) -> None:
    """Find out within `seconds`, name resolution included, whether a host (or the proxy to it) takes connections.

    Raises
    ------
    OSError
        When it does not. A resolver that hangs is left to itself.
    """
    parts = urlsplit(_proxy(url, tuple(os.environ.get(n) for n in _PROXY_NAMES)) or url)
    if not parts.hostname:
        raise OSError("the address names no host")
    where = (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
    said: list[OSError | None] = []

    def run() -> None:
        try:
            socket.create_connection(where, timeout=seconds).close()
            said.append(None)
        except OSError as err:
            said.append(err)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not said:
        raise TimeoutError(f"no connection to {where[0]} within {seconds:g} s")
    if said[0] is not None:
        raise OSError(f"no connection to {where[0]}: {said[0].strerror or said[0]}")


_PROXY_NAMES = [n for low in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for n in (low, low.upper())]


@lru_cache(maxsize=256)
def _proxy(server: str, environment: tuple[str | None, ...]) -> str | None:
    """The proxy that these environment variables name for a server; None: straight."""
    from requests.utils import get_environ_proxies, select_proxy

    return select_proxy(server, get_environ_proxies(server))
