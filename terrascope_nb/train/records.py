"""The records of a run: read once, checked, the test side left out, held as bytes that reading processes share."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from terrascope_nb._progress import progress
from terrascope_nb.cot.manifest import MANIFEST, Manifest
from terrascope_nb.cot.parquet import read_parquet
from terrascope_nb.cot.published import from_published, items, record_at, to_published
from terrascope_nb.cot.record import Record
from terrascope_nb.cot.shards import sha256
from terrascope_nb.errors import InvalidInput, NotFound, TerrascopeError
from terrascope_nb.reason.events import SEG
from terrascope_nb.train.config import SHOWS, DataConfig

LOG = logging.getLogger(__name__)
_Found = tuple[str, Callable[[], Record]]  # where, and what reads it


@dataclass(frozen=True, eq=False)
class Records:
    """The records that a run learns from.

    Attributes
    ----------
    text : bytes
        All records in the published JSON form, one after the other.
    ends : numpy.ndarray
        (N,) int64: where each ends in `text`.
    shows : numpy.ndarray
        (N,) int8: index into `SHOWS`, see `show_of`.
    masked : numpy.ndarray
        (N,) bool: there is at least one ``[SEG]``.
    roots : tuple of Path
        Folders that pictures' paths are relative to.
    root : numpy.ndarray
        (N,) int16: index into `roots`.
    left_out : dict
        Why records were left out → how many.
    broken : dict
        Name of each broken record → what is wrong with it.
    sha256 : dict
        File → hash of what was read.
    """

    text: bytes
    ends: np.ndarray
    shows: np.ndarray
    masked: np.ndarray
    roots: tuple[Path, ...]
    root: np.ndarray
    left_out: Mapping[str, int]
    broken: Mapping[str, str]
    sha256: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, k: int) -> Record:
        start = int(self.ends[k - 1]) if k else 0
        return from_published(json.loads(self.text[start : int(self.ends[k])]))

    def folder(self, k: int) -> Path:
        """Where the pictures of a record are."""
        return self.roots[int(self.root[k])]

    def eligible(self, of_masks: bool) -> np.ndarray:
        """Indices of the records that a stage takes: all, or those with a mask."""
        return np.flatnonzero(self.masked) if of_masks else np.arange(len(self))

    def counts(self, of_masks: bool = False) -> dict[str, int]:
        """How many records show what."""
        shown = self.shows[self.eligible(of_masks)]
        return {name: int((shown == k).sum()) for k, name in enumerate(SHOWS)}


@dataclass
class _Reading:
    """What is gathered while reading."""

    chunks: list[bytes] = field(default_factory=list)
    shows: list[int] = field(default_factory=list)
    masked: list[bool] = field(default_factory=list)
    root: list[int] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    broken: dict[str, str] = field(default_factory=dict)
    held: set[tuple[str, str]] = field(default_factory=set)
    taken: dict[tuple[str, str], str] = field(default_factory=dict)


def read_records(
    sources: str | Path | Sequence[str | Path], config: DataConfig | None = None, images: str | Path | None = None
) -> Records:
    """Read and check every record of the train side; no picture is opened.

    Parameters
    ----------
    sources : path or sequence of paths
        Folders that ``cot build`` wrote, or ``.json``, ``.jsonl``, ``.parquet`` files in the published form.
    config : DataConfig, optional
    images : path, optional
        What the paths of pictures are relative to; by default the folder of the data set, or that of the file.

    Raises
    ------
    NotFound
        Without such a folder or file.
    InvalidInput
        When more records are broken than `DataConfig.skip_limit`, when an image stands on both sides of the split, and
        when nothing is left to learn from.
    """
    config = config or DataConfig()
    given = [sources] if isinstance(sources, str | Path) else list(sources)
    reading, hashes, roots = _Reading(), {}, []
    for source in given:
        root, files = _files(Path(source), reading)
        roots.append(Path(images) if images is not None else root)
        for file in files:
            hashes[str(file)] = sha256(file)
            for where, read in progress(_found(file), f"reading {file.name}", "record"):
                _take(reading, where, read, roots[-1], len(roots) - 1, config)
    both = sorted(reading.held & set(reading.taken))
    if both:
        raise InvalidInput(
            f"{len(both)} images stand on the train side and on the test side: {both[0][1]!r} of {both[0][0]!r}, "
            f"record {reading.taken[both[0]]!r}. Training on them would spoil the test; build the data set anew"
        )
    if not reading.chunks:
        why = ", ".join(f"{n} {w}" for w, n in reading.left_out.items()) or "there are none"
        raise InvalidInput(f"no record to learn from in {', '.join(map(str, given))}: {why}")
    return Records(
        b"".join(reading.chunks), np.cumsum([len(c) for c in reading.chunks]), np.array(reading.shows, np.int8),
        np.array(reading.masked, bool), tuple(roots), np.array(reading.root, np.int16), dict(reading.left_out),
        reading.broken, hashes,
    )  # fmt: skip


def show_of(record: Record) -> str:
    """What a record shows: several dates are "temporal", else both sensors, or the one it has ("optical" if not said).

    Examples
    --------
    >>> from terrascope_nb.cot.record import ImageRef
    >>> one = Record(id="a", kind="", task="", images=(ImageRef("a.png", "sar"),), question="", answer_text="")
    >>> show_of(one)
    'sar'
    """
    optical = sum(i.sensor != "sar" for i in record.images)
    sar = len(record.images) - optical
    if max(optical, sar) > 1:
        return "temporal"
    return "both" if optical and sar else "sar" if sar else "optical"


def dataset_hash(records: Records) -> str:
    """One hash for all files of a run's data, whatever folder they lie in."""
    told = "\n".join(sorted(f"{Path(name).name} {digest}" for name, digest in records.sha256.items()))
    return hashlib.sha256(told.encode()).hexdigest()


# ---- reading --------------------------------------------------------------------------------------------------------
def _files(source: Path, reading: _Reading) -> tuple[Path, list[Path]]:
    """Folder of the pictures, and the files of records; shards of the test side are left closed but for their keys."""
    if source.is_dir():
        if not (source / MANIFEST).is_file():
            raise NotFound(
                f"{source} has no {MANIFEST}: give a folder that terrascope-nb cot build finished, or a .json, .jsonl "
                "or .parquet file of records"
            )
        files = []
        for shard in Manifest.read(source).shards:
            if shard.split == "test":
                reading.left_out["on the test side"] += shard.rows
                reading.held |= _keys(source / shard.path)
            else:
                files.append(source / shard.path)
        return source, files
    if not source.is_file():
        raise NotFound(f"there is no folder or file {source}")
    if source.suffix not in (".json", ".jsonl", ".parquet"):
        raise InvalidInput(f"{source.name}: records are .json, .jsonl or .parquet, or a folder of cot build")
    return source.parent, [source]


def _keys(shard: Path) -> set[tuple[str, str]]:
    import pyarrow.parquet as pq

    if not shard.is_file():
        raise NotFound(f"there is no file {shard}, which the manifest names")
    table = pq.read_table(shard, columns=["source", "key"])
    return set(zip(table["source"].to_pylist(), table["key"].to_pylist(), strict=True))


def _found(file: Path) -> Iterator[_Found]:
    """Each record of a file: where it stands, and a call that reads it."""
    if file.suffix == ".parquet":
        for n, record in enumerate(read_parquet(file)):
            yield f"{file.name} row {n}", lambda record=record: record
        return
    for where, item in items(file):
        yield where, lambda where=where, item=item: record_at(where, item)


def _take(
    reading: _Reading, where: str, read: Callable[[], Record], folder: Path, root: int, config: DataConfig
) -> None:
    name = where
    try:
        record = read()
        name = record.id or where
        key = (record.source, record.key)
        if record.split == "test":
            reading.left_out["on the test side"] += 1
            if record.key:
                reading.held.add(key)
            return
        if config.kinds and record.kind not in config.kinds:
            reading.left_out["of another kind"] += 1
            return
        _check(record, folder)
    except TerrascopeError as e:
        reading.broken[name] = str(e)
        LOG.warning("left out: %s", e)
        if len(reading.broken) > config.skip_limit:
            raise InvalidInput(
                f"{len(reading.broken)} records are broken, allowed are {config.skip_limit} (data.skip_limit). "
                f"The last: {e}"
            ) from e
        return
    if record.key:
        reading.taken.setdefault(key, record.id)
    if record.more:
        reading.left_out["further turns of a conversation"] += len(record.more)
    reading.chunks.append(json.dumps(to_published(record), ensure_ascii=False, allow_nan=False).encode())
    reading.shows.append(SHOWS.index(show_of(record)))
    reading.masked.append(SEG in record.answer_text)
    reading.root.append(root)


def _check(record: Record, folder: Path) -> None:
    """What makes a record useless for training; the mask's pixels and the picture are looked at when it is drawn."""

    def refuse(why: str) -> Any:
        raise InvalidInput(f"record {record.id!r}: {why}")

    if not record.images:
        refuse("there is no picture")
    if record.segs != len(record.masks):
        refuse(f"the text has {record.segs} [SEG], there are {len(record.masks)} masks")
    for k, mask in enumerate(record.masks):
        if not 0 <= mask.image < len(record.images):
            refuse(f"mask {k} lies on image {mask.image} of {len(record.images)}")
        shape = record.images[mask.image].shape
        if shape is not None and tuple(mask.size) != tuple(shape):
            refuse(f"mask {k} is {mask.size}, its image {shape}")
    for image in record.images:
        if not image.path or not (folder / image.path).is_file():
            refuse(f"there is no picture {folder / image.path if image.path else '(no path)'}")
