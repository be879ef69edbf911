"""Check a whole data set or file: each record by itself, then what only shows between them and beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from terrascope_nb._html import tag
from terrascope_nb._progress import progress
from terrascope_nb.cot.check import check
from terrascope_nb.cot.faults import CODES, Fault
from terrascope_nb.cot.manifest import MANIFEST, Manifest
from terrascope_nb.cot.parquet import read_parquet
from terrascope_nb.cot.published import items, record_at
from terrascope_nb.cot.record import Record
from terrascope_nb.cot.shards import sha256
from terrascope_nb.errors import InvalidInput, NotFound, TerrascopeError

_EXAMPLES = 5  # of each code


@dataclass
class Checked:
    """What was found.

    Attributes
    ----------
    records, valid : int
    faults : Counter
        Code → records (or files) that have it.
    examples : dict
        Code → up to five «id: why».
    """

    records: int = 0
    valid: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def add(self, name: str, faults: list[Fault]) -> None:
        """Count the faults of one thing, each code once."""
        for code in dict.fromkeys(f.code for f in faults):
            self.faults[code] += 1
        for fault in faults:
            kept = self.examples.setdefault(fault.code, [])
            if len(kept) < _EXAMPLES:
                kept.append(f"{name}: {fault.why}")

    def __str__(self) -> str:
        lines = [f"{self.valid} of {self.records} records are valid"]
        for code, times in self.faults.most_common():
            lines.append(f"  {code} {times} ({CODES[code]})")
            lines += [f"    {text}" for text in self.examples[code]]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return str(tag("pre", str(self)))


def check_files(path: str | Path, images: bool = True) -> Checked:
    """Check a data set's folder, or a ``.parquet``, ``.json`` or ``.jsonl`` file of records.

    Parameters
    ----------
    path : path
    images : bool
        Open every picture as well; paths are relative to the folder, or to the file's folder.

    Raises
    ------
    NotFound
        When there is nothing.
    InvalidInput
        For a file of another kind, or a folder without manifest.
    """
    path = Path(path)
    if not path.exists():
        raise NotFound(f"there is no {path}")
    found = Checked()
    between = _Between(path if path.is_dir() else path.parent, images)
    kept: dict[Any, Any] = {}
    image: tuple[str, str] | None = None
    for name, record in progress(_records(path, found), f"{path.name}: checking", "record"):
        found.records += 1
        if isinstance(record, Fault):
            found.add(name, [record])
            continue
        if (record.source, record.key) != image:  # what was decoded serves the records of one image
            image, kept = (record.source, record.key), {}
        faults = [*check(record, kept=kept), *between.faults(record)]
        found.valid += not faults
        found.add(name, faults)
    return found


class _Between:
    """What only shows between records: ids, places, pictures."""

    def __init__(self, folder: Path, images: bool) -> None:
        self.folder, self.images = folder, images
        self._ids: set[str] = set()
        self._sides: dict[tuple[str, str], str] = {}
        self._sizes: dict[str, tuple[int, int] | None] = {}

    def faults(self, record: Record) -> Iterator[Fault]:
        if record.id and record.id in self._ids:
            yield Fault("id-twice", f"another record has the id {record.id!r}")
        self._ids.add(record.id)
        if record.split and record.place:
            side = self._sides.setdefault((record.source, record.place), record.split)
            if side != record.split:
                yield Fault("place-in-both", f"{record.place!r} of {record.source} is in {side} and in {record.split}")
        for k, image in enumerate(record.images if self.images else ()):
            size = self._size(image.path)
            if size is None:
                yield Fault("image-missing", f"image {k}, {image.path!r}, is not in {self.folder}, or is no picture")
            elif image.shape is not None and size != tuple(image.shape):
                yield Fault("image-size", f"image {k}, {image.path!r}, is {size}, the record says {image.shape}")

    def _size(self, path: str) -> tuple[int, int] | None:
        """Rows and columns of a picture by its header; None when there is none."""
        from PIL import Image, UnidentifiedImageError

        if path not in self._sizes:
            try:
                with Image.open(self.folder / path) as picture:
                    self._sizes[path] = picture.size[1], picture.size[0]
            except (OSError, UnidentifiedImageError):
                self._sizes[path] = None
        return self._sizes[path]


def _records(path: Path, found: Checked) -> Iterator[tuple[str, Record | Fault]]:
    """(id, record) one after the other; a fault in the place of what is no record."""
    if path.is_dir():
        if not (path / MANIFEST).is_file() and (path / "progress.jsonl").is_file():
            raise InvalidInput(f"the build of {path} is not finished: start it again with the same arguments")
        for shard in Manifest.read(path).shards:
            file = path / shard.path
            if not file.is_file() or sha256(file) != shard.sha256:
                what = "changed since it was built" if file.is_file() else "gone"
                found.add(shard.path, [Fault("shard-changed", f"it is {what}")])
            if file.is_file():
                yield from _rows(file)
    elif path.suffix == ".parquet":
        yield from _rows(path)
    elif path.suffix in (".json", ".jsonl"):
        for where, item in items(path):
            try:
                record = record_at(where, item)
            except TerrascopeError as e:
                yield where, Fault("unreadable", str(e).removeprefix(f"{where}: "))
                continue
            yield record.id or where, record
    else:
        raise InvalidInput(f"{path.name} is no folder of a data set, and no .parquet, .json or .jsonl file")


def _rows(file: Path) -> Iterator[tuple[str, Record | Fault]]:
    try:
        for record in read_parquet(file):
            yield record.id, record
    except TerrascopeError as e:
        yield file.name, Fault("unreadable", str(e))
