"""The two files of a run: the header, and results written line by line so that a kill loses at most the line it tore.

A line counts when it ends with a line break. Each is flushed and synced to the disk before the next question is asked;
on the next start a torn last line is cut off and its row is asked again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from terrascope_nb.bench.results import HEADER, ROWS, SCHEMA, Result, Results
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.reason.export import replacing

SAME = ("suite", "reasoner", "seed", "blank")
"""Parts of the header that must be equal for a run to go on."""


def read(folder: Path) -> Results:
    """Read a run's folder; see `Results.load`."""
    if not (folder / HEADER).is_file():
        raise NotFound(f"there is no run in {folder}: it has no {HEADER}; give the folder that was bench run's --out")
    header = _header(folder)
    lines, _ = _lines(folder / ROWS)
    return Results(_results(lines, folder / ROWS), header, folder)


class Journal:
    """A run's folder, open for writing; use it in ``with``.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    header : Mapping
        What the run is; see `Results.header`.

    Attributes
    ----------
    done : dict of str to Result
        What an earlier start has left, by row.

    Raises
    ------
    InvalidInput
        When the folder holds another run (the message says what differs), a broken line before the last, or is being
        written to by another process.
    """

    def __init__(self, folder: str | Path, header: Mapping[str, Any]) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = open(self._folder / ROWS, "ab")  # noqa: SIM115  (closed by __exit__, or just below)
        try:
            _lock(self._file, self._folder)
            self._take_up(header)
            lines, whole = _lines(self._folder / ROWS)
            self._file.truncate(whole)
            self.done = {r.row: r for r in _results(lines, self._folder / ROWS)}
        except BaseException:
            self._file.close()
            raise

    def _take_up(self, header: Mapping[str, Any]) -> None:
        path = self._folder / HEADER
        if not path.is_file():
            if (self._folder / ROWS).stat().st_size:
                raise InvalidInput(f"{self._folder} has {ROWS} but no {HEADER}: it is no run that can be taken up")
            self.header = dict(header)
        else:
            self.header = _header(self._folder)
            _check_same(self.header, header, self._folder)
            now = {k: header[k] for k in ("started", "machine", "versions") if k in header}
            self.header["resumed"] = [*self.header.get("resumed", []), now]
        with replacing(path) as draft:
            draft.write_text(json.dumps(self.header, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    def append(self, result: Result) -> None:
        """Write one result and wait until the disk has it."""
        self._file.write(result.to_json().encode("utf-8", "backslashreplace") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.done[result.row] = result

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()


def now() -> str:
    """The time of the moment, UTC, to the second, as text."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _header(folder: Path) -> dict[str, Any]:
    try:
        header = json.loads((folder / HEADER).read_text(encoding="utf-8"))
        schema = header["schema"]
    except (ValueError, KeyError, TypeError) as e:
        raise InvalidInput(f"{folder / HEADER} is no header of a run ({type(e).__name__}: {e})") from e
    if schema > SCHEMA:
        raise InvalidInput(
            f"{folder / HEADER} has schema {schema}; this version reads up to {SCHEMA}: update the package"
        )
    return header


def _lines(path: Path) -> tuple[list[str], int]:
    """The whole lines of a file and how many bytes they take; what stands behind the last line break is torn."""
    data = path.read_bytes() if path.is_file() else b""
    whole = data.rfind(b"\n") + 1
    return data[:whole].decode("utf-8").split("\n")[:-1], whole  # not splitlines: JSON leaves U+2028 as it is


def _results(lines: list[str], path: Path) -> tuple[Result, ...]:
    out: dict[str, Result] = {}
    for k, line in enumerate(lines, 1):
        try:
            result = Result.from_json(line)
        except InvalidInput as e:
            raise InvalidInput(f"{path}, line {k}: {e}. Mend or delete that line; its row is then asked again") from e
        if result.row in out:
            raise InvalidInput(f"{path}, line {k}: row {result.row!r} stands there twice")
        out[result.row] = result
    return tuple(out.values())


def _check_same(old: Mapping[str, Any], new: Mapping[str, Any], folder: Path) -> None:
    differs = []
    for key in SAME:
        differs += _differences(key, old.get(key), json.loads(json.dumps(new.get(key))))
    if differs:
        raise InvalidInput(
            f"{folder} holds another run, and two runs cannot share a folder: {'; '.join(differs)}. Give another "
            "folder, or ask the same again"
        )


def _differences(name: str, old: Any, new: Any) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted({*old, *new})
        return [line for k in keys for line in _differences(f"{name}.{k}", old.get(k), new.get(k))]
    return [] if old == new else [f"{name} was {old!r} and is now {new!r}"]


def _lock(file: BinaryIO, folder: Path) -> None:
    """Refuse a second writer; the lock goes with the process, also after a kill. Windows has none."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        raise InvalidInput(f"another process is writing to {folder}: wait for it, or give another folder") from e
