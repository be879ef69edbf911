"""The public Parquet file itself: its questions at once, its pictures by row group; and writing one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb._optional import need
from terrascope_nb.cot.atomic import whole
from terrascope_nb.errors import AlreadyThere, InvalidInput, ReadFailed

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("image", "question", "candidates", "answer", "task_type")
"""Columns of the public layout."""

ROW_GROUP = 100
"""Rows a group on writing: so many pictures are in memory at once when the file is read."""


class Pictures:
    """One Parquet file: its questions at once, its pictures by row group, the last of which is kept."""

    def __init__(self, path: Path) -> None:
        pq = need("pyarrow.parquet", "read and write Parquet", "data")
        self.path = path
        self._broken = _broken()
        with self._named("opened"):
            self._file = pq.ParquetFile(path)
        names = self._file.schema_arrow.names
        missing = [c for c in COLUMNS if c not in names]
        if missing:
            raise InvalidInput(
                f"{path.name} is not in the public layout: no column {', '.join(missing)}; it has {', '.join(names)}"
            )
        sizes = [self._file.metadata.row_group(g).num_rows for g in range(self._file.metadata.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
        self._kept: tuple[int, list[Any]] = (-1, [])

    def _named(self, what: str) -> Any:
        return _Named(self._broken, f"{self.path}: it cannot be {what} as Parquet")

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def about(self) -> dict[str, Any]:
        """What an export of ours says of itself (`published.export`); empty for a file of others."""
        told = (self._file.schema_arrow.metadata or {}).get(b"terrascope_nb", b"{}")
        try:
            found = json.loads(told)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def questions(self) -> Iterator[dict[str, Any]]:
        """Every row without its picture."""
        with self._named("read"):
            for group in range(len(self._starts) - 1):
                yield from self._file.read_row_group(group, columns=list(COLUMNS[1:])).to_pylist()

    def paths(self) -> list[str]:
        """``image.path`` of every row; a row without one is named by its number."""
        with self._named("read"):
            told = self._file.read(columns=["image.path"]).column("image").to_pylist()
        return [(i or {}).get("path") or f"{self.path.stem} row {k}" for k, i in enumerate(told)]

    def digests(self) -> list[str]:
        """SHA-256 (the first 16 digits) of every row's picture; a row whose picture is missing by its number."""
        out: list[str] = []
        for group in range(len(self._starts) - 1):
            first = int(self._starts[group])
            try:
                content = self._group(group)
            except ReadFailed:  # each row of it says so when its scene is asked for
                content = [None] * int(self._starts[group + 1] - first)
            out += [
                hashlib.sha256(c).hexdigest()[:16] if c else f"{self.path.stem} row {first + k}"
                for k, c in enumerate(content)
            ]
        self._kept = (-1, [])
        return out

    def bytes_of(self, row: int) -> bytes | None:
        """The picture of a row as it is stored; reads its row group unless that is the last one read.

        Raises
        ------
        ReadFailed
            When the group is damaged.
        """
        group = int(np.searchsorted(self._starts, row, side="right")) - 1
        if self._kept[0] != group:
            self._kept = (group, self._group(group))
        return self._kept[1][row - int(self._starts[group])]

    def _group(self, group: int) -> list[Any]:
        with self._named(f"read in its row group {group}"):
            told = self._file.read_row_group(group, columns=["image"]).column("image").to_pylist()
        return [(i or {}).get("bytes") for i in told]


class _Named:
    """Turns what pyarrow raises into `ReadFailed` that names the file."""

    def __init__(self, broken: tuple[type[Exception], ...], what: str) -> None:
        self._broken, self._what = broken, what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is not None and isinstance(error, self._broken):
            raise ReadFailed(f"{self._what} ({type(error).__name__}: {str(error)[:200]})") from error


def _broken() -> tuple[type[Exception], ...]:
    arrow = need("pyarrow", "read and write Parquet", "data")
    return (arrow.ArrowException, OSError, UnicodeDecodeError)


# ---- writing --------------------------------------------------------------------------------------------------------
def schema(about: Mapping[str, Any] | None = None) -> pa.Schema:
    """The public layout's schema, as `datasets` reads it; `about` goes into its metadata under ``terrascope_nb``."""
    arrow = need("pyarrow", "read and write Parquet", "data")
    image = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    features = {"image": {"_type": "Image"}} | {c: {"dtype": "string", "_type": "Value"} for c in COLUMNS[1:]}
    told = {"huggingface": json.dumps({"info": {"features": features}})}
    if about:
        told["terrascope_nb"] = json.dumps(about, sort_keys=True, ensure_ascii=False)
    return arrow.schema([("image", image), *((c, arrow.string()) for c in COLUMNS[1:])], metadata=told)


def write_published(
    rows: Iterable[Mapping[str, Any]],
    path: str | Path,
    like: pa.Schema | None = None,
    overwrite: bool = False,
    row_group: int = ROW_GROUP,
) -> Path:
    """Write rows with the columns of `COLUMNS` as Parquet, `row_group` at a time; returns the path.

    Parameters
    ----------
    rows : iterable of mapping
        ``image`` is ``{"bytes": …, "path": …}``; ``candidates`` a JSON text.
    like : pyarrow.Schema, optional
        The schema to write; by default `schema`.

    Raises
    ------
    AlreadyThere
        When the file is there and may not be overwritten.
    """
    arrow, pq = need("pyarrow", "write Parquet", "data"), need("pyarrow.parquet", "write Parquet", "data")
    path = Path(path)
    if path.exists() and not overwrite:
        raise AlreadyThere(f"{path} is there already: pass overwrite=True or another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    form = schema() if like is None else like
    with whole(path) as draft, pq.ParquetWriter(draft, form) as out:
        some: list[Mapping[str, Any]] = []
        for row in rows:
            some.append(row)
            if len(some) == row_group:
                out.write_table(arrow.Table.from_pylist(some, schema=form))
                some = []
        if some:
            out.write_table(arrow.Table.from_pylist(some, schema=form))
    return path
