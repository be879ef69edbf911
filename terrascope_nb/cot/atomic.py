"""Files that are whole or not there: written beside their place, flushed to the disk, then moved into it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DRAFT = ".draft-"
"""How the name of a file begins that is being written; one that is left over belongs to a run that was killed."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` when all went well, after it is on the disk.

    One writer a path: the draft's name says which file it will be.
    """
    draft = path.with_name(f"{DRAFT}{path.name}")
    try:
        yield draft
        with draft.open("rb+") as f:
            os.fsync(f.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a small file whole."""
    with whole(path) as draft:
        draft.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)


def to_json(value: Any) -> str:
    """JSON that is the same for the same value: two spaces, keys as they stand, no NaN."""
    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names to the disk, where the system can."""
    if os.name != "posix":  # elsewhere a folder cannot be opened for that
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
