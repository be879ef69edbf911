"""A blob server with byte ranges and, like the Planetary Computer's storage, a token service whose tokens end."""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

HOST = "127.0.0.1"
ACCOUNT = "127"  # the first part of the host name, as in account.blob.core.windows.net


class Quiet(ThreadingHTTPServer):
    """Threads end with the process; a client that hangs up is no news."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class BlobServer:
    """Serves folders as containers: ``http://127.0.0.1:port/{container}/{path}``.

    Parameters
    ----------
    containers : mapping
        Name → folder. One whose name begins with ``private`` answers 403 without a token that lives.
    lifetime : float
        Seconds that a token lives; may be changed while the server runs.

    Attributes
    ----------
    seen : list of (method, path, status)
        Every request for a blob, in order.
    tokens : list of str
        Every token handed out.
    """

    def __init__(self, containers: Mapping[str, Path], lifetime: float = 3600) -> None:
        self.containers = {name: Path(folder).resolve() for name, folder in containers.items()}
        self.lifetime = lifetime
        self.seen: list[tuple[str, str, int]] = []
        self.tokens: list[str] = []
        self._ends: dict[str, float] = {}
        self._lock = threading.Lock()
        self._server = Quiet((HOST, 0), type("Handler", (_Handler,), {"blobs": self}))
        self.port = self._server.server_address[1]
        self.url = f"http://{HOST}:{self.port}"
        self.token_service = f"{self.url}/api/sas/token"

    def address(self, container: str, path: str) -> str:
        """Where a blob is, unsigned."""
        return f"{self.url}/{container}/{path}"

    def token(self) -> tuple[str, datetime]:
        """A new token, as a query string, and its end."""
        token = f"sv=2024-08-04&sp=rl&sig=TOKEN{secrets.token_hex(16)}"
        with self._lock:
            self.tokens.append(token)
            self._ends[token] = time.monotonic() + self.lifetime
        return token, datetime.now(UTC) + timedelta(seconds=self.lifetime)

    def expire(self) -> None:
        """End every token that was handed out."""
        with self._lock:
            self._ends.clear()

    def admits(self, query: str) -> bool:
        """Whether a request's query string holds a token that lives."""
        with self._lock:
            return self._ends.get(query, 0) > time.monotonic()

    def secrets(self) -> list[str]:
        """What must be seen nowhere: the signature of every token handed out."""
        return [parse_qs(t)["sig"][0] for t in self.tokens]

    def __enter__(self) -> BlobServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    blobs: BlobServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        names = unquote(parts.path).strip("/").split("/")
        if names[:3] == ["api", "sas", "token"]:
            self._token(names[3:])
            return
        status = self._blob(names, parts.query)
        self.blobs.seen.append((self.command, parts.path, status))

    do_HEAD = do_GET

    def _token(self, names: list[str]) -> None:
        if len(names) != 2 or names[0] != ACCOUNT or names[1] not in self.blobs.containers:
            self._send(404, b"no such container")
            return
        token, ends = self.blobs.token()
        said = {"token": token, "msft:expiry": ends.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
        self._send(200, json.dumps(said).encode(), {"Content-Type": "application/json"})

    def _blob(self, names: list[str], query: str) -> int:
        folder = self.blobs.containers.get(names[0])
        if folder is None:
            return self._send(404, b"<Code>ContainerNotFound</Code>")
        if names[0].startswith("private") and not self.blobs.admits(query):
            return self._send(403, b"<Code>AuthenticationFailed</Code>")
        path = folder.joinpath(*names[1:]).resolve()
        if not path.is_relative_to(folder) or not path.is_file():
            return self._send(404, b"<Code>BlobNotFound</Code>")
        data, stat = path.read_bytes(), path.stat()
        headers = {
            "Accept-Ranges": "bytes",
            "ETag": f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"',
            "Last-Modified": formatdate(stat.st_mtime, usegmt=True),
            "Content-Type": "image/tiff",
        }
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            return self._send(200, data, headers)
        first = int(wanted[1])
        last = min(int(wanted[2] or len(data)), len(data) - 1)
        if first > last:
            return self._send(416, b"", headers | {"Content-Range": f"bytes */{len(data)}"})
        headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        return self._send(206, data[first : last + 1], headers)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> int:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
        return status

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving(**containers: Path) -> Iterator[BlobServer]:
    """A running `BlobServer`; underscores in names become hyphens."""
    with BlobServer({k.replace("_", "-"): v for k, v in containers.items()}) as server:
        yield server
