"""A small Hugging Face Hub on this machine: the few endpoints that a download asks for, over plain folders.

Use it by ``HF_ENDPOINT``, set before huggingface_hub is imported, so in a child process.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

#: Files kept as large ones, whose ETag is their SHA-256; the hub does so with weights.
LARGE = (".safetensors", ".bin")


@dataclass(frozen=True)
class Repository:
    """One model repository.

    Attributes
    ----------
    commits : dict
        40 hexadecimal digits → folder with that commit's files.
    refs : dict
        Branch or tag → commit; «main» is what is asked for by default.
    """

    commits: dict[str, Path] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def add(self, folder: Path, *refs: str) -> str:
        """Add a commit of a folder's files, and let `refs` name it; gives its hash."""
        digest = hashlib.sha1(usedforsecurity=False)
        for name, content in _files(folder).items():
            digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
        commit = digest.hexdigest()
        self.commits[commit] = folder
        self.refs.update(dict.fromkeys(refs, commit))
        return commit


class Hub:
    """Serves repositories, owner/name → `Repository`; use in ``with``.

    Attributes
    ----------
    url : str
        For ``HF_ENDPOINT``.
    asked : list of str
        Method and path of every request, in order.
    """

    def __init__(self, repositories: dict[str, Repository]) -> None:
        self.repositories = repositories
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                outer._answer(self)

            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, *args: Any) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    # ---- answers ----------------------------------------------------------------------------------------------
    def _answer(self, to: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(to.path).path)
        self.asked.append(f"{to.command} {path}")
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"] and len(parts) >= 4:
            self._api(to, "/".join(parts[2:4]), parts[4:])
        elif len(parts) >= 5 and parts[2] == "resolve":
            self._file(to, "/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        else:
            _refuse(to, 404, "", f"nothing at {path}")

    def _commit(self, to: BaseHTTPRequestHandler, name: str, revision: str) -> tuple[str, Path] | None:
        """The commit that a revision means, or None after an answer that says why not."""
        repository = self.repositories.get(name)
        if repository is None:
            _refuse(to, 401, "RepoNotFound", f"no repository {name}")
            return None
        commit = repository.refs.get(revision, revision)
        if commit not in repository.commits:
            _refuse(to, 404, "RevisionNotFound", f"no revision {revision}")
            return None
        return commit, repository.commits[commit]

    def _api(self, to: BaseHTTPRequestHandler, name: str, rest: list[str]) -> None:
        """``/api/models/OWNER/NAME[/revision/REV]`` and ``…/tree/REV``."""
        kind, revision = rest[0] if rest else "revision", rest[1] if len(rest) > 1 else "main"
        found = self._commit(to, name, revision)
        if found is None:
            return
        commit, folder = found
        files = _files(folder)
        if kind == "tree":
            _send(to, json.dumps([_entry(path, content) for path, content in files.items()]).encode(), {})
            return
        info = {
            "_id": commit[:24], "id": name, "modelId": name, "sha": commit, "private": False, "gated": False,
            "disabled": False, "downloads": 0, "likes": 0, "tags": [], "lastModified": "2026-01-01T00:00:00.000Z",
            "createdAt": "2026-01-01T00:00:00.000Z", "siblings": [{"rfilename": path} for path in files],
        }  # fmt: skip
        _send(to, json.dumps(info).encode(), {})

    def _file(self, to: BaseHTTPRequestHandler, name: str, revision: str, path: str) -> None:
        """``/OWNER/NAME/resolve/REV/PATH``, with ranges."""
        found = self._commit(to, name, revision)
        if found is None:
            return
        content = _files(found[1]).get(path)
        if content is None:
            _refuse(to, 404, "EntryNotFound", f"no file {path}")
            return
        headers = {"X-Repo-Commit": found[0], "ETag": f'"{_etag(path, content)}"', "Accept-Ranges": "bytes"}
        _send(to, content, headers)


def _files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def _etag(path: str, content: bytes) -> str:
    """SHA-256 of a large file, git's blob hash of a small one."""
    if path.endswith(LARGE):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _entry(path: str, content: bytes) -> dict[str, Any]:
    entry = {"type": "file", "path": path, "size": len(content), "oid": _etag(path, content)}
    if path.endswith(LARGE):
        entry["lfs"] = {"oid": _etag(path, content), "size": len(content), "pointerSize": 134}
    return entry


def _send(to: BaseHTTPRequestHandler, content: bytes, headers: dict[str, str]) -> None:
    status, asked = 200, to.headers.get("Range")
    if asked and asked.startswith("bytes="):
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, stop = int(first), int(last) + 1 if last else len(content)
        headers = headers | {"Content-Range": f"bytes {start}-{min(stop, len(content)) - 1}/{len(content)}"}
        content, status = content[start:stop], 206
    to.send_response(status)
    for name, value in headers.items():
        to.send_header(name, value)
    to.send_header("Content-Length", str(len(content)))
    to.end_headers()
    if to.command == "GET":
        to.wfile.write(content)


def _refuse(to: BaseHTTPRequestHandler, status: int, code: str, message: str) -> None:
    body = json.dumps({"error": message}).encode()
    to.send_response(status)
    if code:
        to.send_header("X-Error-Code", code)
    to.send_header("X-Error-Message", message)
    to.send_header("Content-Length", str(len(body)))
    to.end_headers()
    if to.command == "GET":
        to.wfile.write(body)
