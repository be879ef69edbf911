"""A proxy that fails on purpose: each request is passed on to a server, or answered by a fault of a seeded plan."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import numpy as np

from servers.blobs import HOST, Quiet

#: Faults that pass: the same request, sent again, is answered.
PASSING = (
    "429",  # with Retry-After in seconds
    "429 until",  # with Retry-After as a date
    "503",
    "504",
    "expired",  # the token ends between two requests of one read
    "cut",  # fewer bytes than the answer announces
    "short",  # fewer bytes than the range, consistently announced
    "stall",
    "reset",
)
#: Faults of the file itself: they stay.
LASTING = ("404", "truncated", "denied")
KINDS = (*PASSING, *LASTING)


class FaultProxy:
    """Stands before a server at ``http://127.0.0.1:port`` and lets requests through, or not.

    A part ``/~12`` of a path is dropped on the way: it tells reads of one blob apart.

    Parameters
    ----------
    upstream : str
        The server's address.
    stall : float
        Seconds that a stalled answer stays away.
    expire : callable
        Ends all tokens of the upstream server.

    Attributes
    ----------
    plan : callable
        (path, number of the request for that path, counted from 0) → kind of fault or None.
    counts : Counter
        Faults so far by kind.
    retries_heeded : list of float
        Seconds between an answer with Retry-After and the next request for that path, less the seconds asked for.
    """

    def __init__(self, upstream: str, stall: float = 1.0, expire: Callable[[], None] = lambda: None) -> None:
        self.upstream, self.stall, self.expire = urlsplit(upstream), stall, expire
        self.plan: Callable[[str, int], str | None] = lambda path, n: None
        self.counts: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.retries_heeded: list[float] = []
        self._due: dict[str, float] = {}
        self._lock = threading.Lock()
        self._server = Quiet((HOST, 0), type("Handler", (_Handler,), {"proxy": self}))
        self.port = self._server.server_address[1]
        self.url = f"http://{HOST}:{self.port}"

    def clear(self) -> None:
        """Forget what was counted."""
        with self._lock:
            self.counts.clear()
            self.requests.clear()
            self.retries_heeded.clear()
            self._due.clear()

    def next_fault(self, path: str) -> str | None:
        """What the plan has for this request."""
        with self._lock:
            number = self.requests[path]
            self.requests[path] += 1
            if path in self._due:
                self.retries_heeded.append(time.monotonic() - self._due.pop(path))
            kind = self.plan(path, number)
            if kind is not None:
                self.counts[kind] += 1
            return kind

    def asks_to_wait(self, path: str, seconds: float) -> None:
        """Note when the next request for `path` may come."""
        with self._lock:
            self._due[path] = time.monotonic() + seconds

    def __enter__(self) -> FaultProxy:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultProxy
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.proxy.next_fault(path)
        if kind == "expired":
            self.proxy.expire()  # the request goes on, and the server refuses it
        if kind in ("429", "429 until"):
            wait: str = "1"
            if kind == "429 until":
                wait = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
            self.proxy.asks_to_wait(path, 1.0 if kind == "429" else 0.0)
            self._answer(429, {"Retry-After": wait}, b"slow down")
        elif kind in ("503", "504", "404"):
            self._answer(int(kind), {}, b"fault")
        elif kind == "denied":
            self._answer(403, {}, b"<Code>AuthenticationFailed</Code>")
        elif kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif kind == "stall":
            time.sleep(self.proxy.stall)
            self.close_connection = True
            self.connection.close()
        else:
            self._pass_on(kind)

    def do_POST(self) -> None:
        self.do_GET()

    def _pass_on(self, kind: str | None) -> None:
        upstream = HTTPConnection(self.proxy.upstream.hostname or HOST, self.proxy.upstream.port, timeout=60)
        try:
            skip = ("connection", "content-length")  # the host is kept: an API makes its links from it
            asked = {k: v for k, v in self.headers.items() if k.lower() not in skip}
            upstream.request(self.command, re.sub(r"/~\d+", "", self.path), self.body or None, asked)
            answer = upstream.getresponse()
            data = answer.read()
        finally:
            upstream.close()
        skip = ("connection", "transfer-encoding", "content-length", "date", "server")
        headers = {k: v for k, v in answer.getheaders() if k.lower() not in skip}
        if kind == "cut" and len(data) > 1:
            self._answer(answer.status, headers, data[: len(data) // 2], announced=len(data))
            self.close_connection = True
        elif kind == "short" and len(data) > 1:
            self._answer(answer.status, headers, data[: len(data) // 2])
        elif kind == "truncated" and answer.status in (200, 206):
            self._truncated(headers, data)
        else:
            self._answer(answer.status, headers, data)

    def _truncated(self, headers: dict[str, str], data: bytes) -> None:
        """As if the stored file ended after three quarters of its bytes, and the server knew no better."""
        first, last, size = (
            int(n) for n in headers["Content-Range"].removeprefix("bytes ").replace("/", "-").split("-")
        )
        size = size * 3 // 4
        if first >= size:
            self._answer(416, {"Content-Range": f"bytes */{size}"}, b"")
            return
        last = min(last, size - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        self._answer(206, headers, data[: last - first + 1])

    def _answer(self, status: int, headers: dict[str, str], body: bytes, announced: int | None = None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body) if announced is None else announced)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        pass


def dealt(kinds: Iterable[str], total: int, rng: np.random.Generator) -> list[str]:
    """`total` faults, each kind as often as any other, shuffled."""
    names = list(kinds)
    out = [names[k % len(names)] for k in range(total)]
    return [out[k] for k in rng.permutation(total)]
