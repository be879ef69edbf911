"""One POST over the wire: the key goes into the header on its way out, and the connection can be shut from outside."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from terrascope_nb.reason.remote.endpoint import Endpoint

_PIECE = 1 << 16
MOST = 1 << 24  # bytes of an answer; more is no answer to a question


class Stopped(Exception):
    """The call was given up from outside."""


class Broken(Exception):
    """No answer, or one that broke off; the message says how. `sent`: the server may have worked on it."""

    def __init__(self, message: str, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Line:
    """The connection of a call under way; `shut` ends the call from another thread, also while it waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._flag = threading.Event()

    @property
    def is_shut(self) -> bool:
        """Whether the call was given up."""
        return self._flag.is_set()

    def hold(self, line: socket.socket | None) -> None:
        """Take note of the socket in use."""
        with self._lock:
            self._socket = line
        self.check()

    def check(self) -> None:
        """Raise `Stopped` where the call was given up."""
        if self._flag.is_set():
            raise Stopped("given up from outside")

    def wait(self, seconds: float) -> None:
        """Wait, unless the call is given up meanwhile: then raise `Stopped`."""
        self._flag.wait(seconds)
        self.check()

    def shut(self) -> None:
        """Give the call up."""
        self._flag.set()
        with self._lock:
            line = self._socket
        if line is not None:
            try:
                line.shutdown(socket.SHUT_RDWR)
            except OSError:  # closed already
                return


@dataclass(frozen=True, eq=False)
class Reply:
    """A server's answer, its body still on the way.

    Attributes
    ----------
    status : int
    headers : mapping
        Names in lower case.
    pieces : iterator of bytes
        The body as it comes; raises `Broken` where it breaks off.
    """

    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes]


class _Bearer(AuthBase):
    """Puts the key on at the last moment; being there, it also keeps requests from sending a password of ~/.netrc."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._endpoint.key_env:
            r.headers["Authorization"] = f"Bearer {self._endpoint.key()}"
        return r


class _Adapter(HTTPAdapter):
    """Connections that `line` can shut, and that http.client's debugging does not print."""

    def __init__(self, line: Line) -> None:
        class Plain(HTTPConnection):
            debuglevel = 0

            def connect(self) -> None:
                super().connect()
                line.hold(self.sock)

        class Secure(HTTPSConnection):
            debuglevel = 0

            def connect(self) -> None:
                super().connect()
                line.hold(self.sock)

        plain = type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": Plain})
        secure = type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": Secure})
        self._pools = {"http": plain, "https": secure}
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager


def post(endpoint: Endpoint, body: bytes, line: Line, connect: float, stall: float, most: float) -> Reply:
    """Send one request; redirects are not followed, for they would carry images and key elsewhere.

    Parameters
    ----------
    connect, stall : float
        Seconds for the connection, and without a byte.
    most : float
        Seconds for the whole answer.

    Raises
    ------
    Broken
        When no answer comes. What went wrong is told anew: the inner exceptions hold the request with its key.
    Stopped
        When `line` was shut.
    """
    until = time.monotonic() + most
    said: Broken | None = None
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(line))
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json",
               "Accept-Encoding": "identity"}  # fmt: skip
    try:
        response = session.post(
            endpoint.address, data=body, headers=headers, auth=_Bearer(endpoint), stream=True,
            timeout=(connect, stall), allow_redirects=False,
        )  # fmt: skip
    except (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError) as err:
        said = _broken(err, connect, stall)
    if said is not None:
        session.close()
        line.check()
        raise said
    found = {k.lower(): v for k, v in response.headers.items()}
    if response.is_redirect:  # requests has read its body already
        session.close()
        return Reply(response.status_code, found, (b for b in ()))
    return Reply(response.status_code, found, _pieces(session, response, line, stall, until, most))


def _pieces(
    session: requests.Session, response: requests.Response, line: Line, stall: float, until: float, most: float
) -> Iterator[bytes]:
    """The body as it comes; the connection is closed with the iterator."""
    got, said = 0, None
    announced = response.headers.get("Content-Length", "")
    try:
        while said is None:
            try:
                piece = response.raw.read1(_PIECE, decode_content=True)
            except (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError) as err:
                said = _broken(err, stall, stall)
                continue
            line.check()
            if not piece:
                break
            got += len(piece)
            yield piece
            if got > MOST:
                said = Broken(f"the answer is longer than {MOST >> 20} MB", True)
            elif time.monotonic() > until:
                said = Broken(f"the answer was not whole after {most:g} s", True)
        line.check()
        if said is None and announced.isdigit() and got < int(announced) and "Content-Encoding" not in response.headers:
            said = Broken(f"the answer ended after {got} of {announced} bytes", True)
    finally:
        response.close()
        session.close()
    if said is not None:
        raise said


def _broken(err: BaseException, connect: float, stall: float) -> Broken:
    """What happened, without an address and without the request in it."""
    inner: Any = err.args[0] if err.args else None
    cause = getattr(inner, "reason", None) or inner
    if isinstance(err, requests.ConnectTimeout) or isinstance(cause, urllib3.exceptions.ConnectTimeoutError):
        if isinstance(cause, urllib3.exceptions.NewConnectionError):
            return _unreached(cause)
        return Broken(f"the connection did not come about within {connect:g} s", False)
    if isinstance(err, requests.ReadTimeout | urllib3.exceptions.ReadTimeoutError | TimeoutError):
        return Broken(f"no byte came for {stall:g} s", True)
    if isinstance(err, requests.exceptions.ProxyError):
        return Broken("the proxy cannot be reached, or refuses", False)
    if isinstance(err, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return Broken("the secure connection failed (certificate?)", False)
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        return _unreached(cause)
    if isinstance(err, urllib3.exceptions.IncompleteRead) or isinstance(cause, HTTPException | str):
        return Broken("the answer ended early", True)
    return Broken(f"the connection broke ({type(cause if isinstance(cause, Exception) else err).__name__})", True)


def _unreached(cause: Exception) -> Broken:
    if isinstance(cause, urllib3.exceptions.NameResolutionError):
        return Broken("the host's name cannot be resolved", False)
    return Broken("the connection was refused, or no way leads there", False)
