"""A folder over HTTP with byte ranges, on this machine: what a bucket of COGs does, and a count of what was asked."""

from __future__ import annotations

import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


class RangeServer:
    """Serves `folder`; use in ``with``. ``url`` is its address, ``asked`` the paths of all requests, ``sent`` bytes."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).resolve()
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.sent = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self._answer(body=False)

            def do_GET(self) -> None:
                self._answer(body=True)

            def _answer(self, body: bool) -> None:
                outer.asked.append(self.path)
                outer.headers.append(dict(self.headers))
                path = (outer.folder / unquote(urlsplit(self.path).path).lstrip("/")).resolve()
                if not path.is_file() or outer.folder not in path.parents:
                    self.send_error(404)
                    return
                size = path.stat().st_size
                first, last, status = 0, size - 1, 200
                found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
                if found:
                    first, last, status = int(found[1]), min(int(found[2] or size - 1), size - 1), 206
                    if first > last:
                        self.send_error(416)
                        return
                self.send_response(status)
                self.send_header("Accept-Ranges", "bytes")
                self.send_header("Content-Length", str(last - first + 1))
                if status == 206:
                    self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
                self.end_headers()
                if body:
                    with path.open("rb") as file:
                        left = last - first + 1
                        outer.sent += left
                        self.wfile.flush()
                        os.sendfile(self.connection.fileno(), file.fileno(), first, left)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> RangeServer:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.server.shutdown()
        self.server.server_close()
