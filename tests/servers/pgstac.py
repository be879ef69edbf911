"""A real STAC API on this machine: stac-fastapi-pgstac on PostgreSQL with PostGIS, started for the tests, then gone."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servers import install

Item = dict[str, Any]
QUERYABLES = {  # without a type, numbers are compared and sorted as text
    "eo:cloud_cover": "number",
    "platform": "string",
    "sat:orbit_state": "string",
    "sat:relative_orbit": "number",
    "s2:processing_baseline": "string",
}
COUNTING = (  # searches tell how many items match, as Earth Search does and the Planetary Computer does not
    "insert into pgstac.pgstac_settings (name, value) values ('context', 'on') "
    "on conflict (name) do update set value = 'on'"
)


@dataclass(frozen=True)
class PgStac:
    """A running server.

    Attributes
    ----------
    url : str
        Landing page of the API.
    environment : mapping
        Environment variables under which pypgstac finds the database.
    folder : Path
        Its files, gone when it stops.
    """

    url: str
    environment: Mapping[str, str]
    folder: Path

    def load(self, collections: Iterable[Item], items: Iterable[Item]) -> None:
        """Put collections and items into the database, replacing those of the same id."""
        tool = [str(install.FOLDER / "bin" / "pypgstac"), "load"]
        collections, items = list(collections), list(items)
        for kind, rows in (("collections", collections), ("items", items)):
            if not rows:
                continue
            path = self.folder / f"{kind}.ndjson"
            path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
            _run([*tool, kind, str(path), "--method", "upsert"], self.environment)
        ids = [c["id"] for c in collections]
        if ids:
            path = self.folder / "queryables.json"
            path.write_text(json.dumps(_queryables()), encoding="utf-8")
            names = ["--collection_ids", json.dumps(ids)]
            _run([tool[0], "load_queryables", str(path), *names], self.environment)


@contextmanager
def running() -> Iterator[PgStac]:
    """Start database and API on free ports; stop both, whatever happens. Needs what `install` finds and makes."""
    programs = install.postgres()
    if programs is None:
        raise FileNotFoundError("no initdb: install the Debian package postgresql-15-postgis-3")
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="pgstac-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        data = folder / "pg"
        data.mkdir()
        folder.chmod(0o755)
        if os.geteuid() == 0:  # the server refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(data, user.pw_uid, user.pw_gid)
        port = _free_port()
        made = ["-D", str(data / "db"), "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C"]
        _as_server([str(programs / "initdb"), *made], data)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={data} -c fsync=off"
        control = [str(programs / "pg_ctl"), "-D", str(data / "db")]
        stack.callback(_as_server, [*control, "-w", "-m", "immediate", "stop"], data)
        _as_server([*control, "-w", "-l", str(data / "log"), "-o", options, "start"], data)
        environment = {
            **os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "postgres", "PGPASSWORD": "x",
            "PGDATABASE": "postgis", "NO_PROXY": "127.0.0.1",
        }  # fmt: skip
        sql = [str(programs / "psql"), "-q", "-v", "ON_ERROR_STOP=1"]
        _run([*sql, "-d", "postgres", "-c", "create database postgis"], environment)
        _run([str(install.FOLDER / "bin" / "pypgstac"), "migrate"], environment)
        _run([*sql, "-c", COUNTING], environment)
        web = _free_port()
        log = stack.enter_context((folder / "api.log").open("wb"))
        api = subprocess.Popen(
            [str(install.python()), "-m", "uvicorn", "stac_fastapi.pgstac.app:create_app", "--factory", "--host",
             "127.0.0.1", "--port", str(web)],
            env=environment, stdout=log, stderr=log, cwd=folder,
        )  # fmt: skip
        stack.callback(_end, api)
        url = f"http://127.0.0.1:{web}"
        _wait_for(url, api, folder / "api.log")
        yield PgStac(url, environment, folder)


def _queryables() -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2019-09/schema", "type": "object", "title": "queryables",
        "properties": {n: {"title": n, "type": t} for n, t in QUERYABLES.items()}, "additionalProperties": True,
    }  # fmt: skip


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _as_server(command: list[str], cwd: Path) -> None:
    """Run as a user who may run PostgreSQL: postgres where we are root, else ourselves."""
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        _run(command, {"PATH": os.environ["PATH"]}, cwd=cwd, user=user.pw_uid, group=user.pw_gid, extra_groups=[])
    else:
        _run(command, os.environ, cwd=cwd)


def _run(command: list[str], environment: Mapping[str, str], **how: Any) -> None:
    # Output goes to a file: a server that stays would hold a pipe open.
    with tempfile.TemporaryFile() as out:
        done = subprocess.run(command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=out, stderr=out, **how)
        if done.returncode:
            out.seek(0)
            raise RuntimeError(f"{' '.join(command)} failed:\n{out.read().decode(errors='replace')[-3000:]}")


def _wait_for(url: str, api: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and api.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_mgmt/ping", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"the STAC API did not start within {seconds:g} s:\n{log.read_text(errors='replace')[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
