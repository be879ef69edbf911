"""Shards: the files of a data set, and a journal that says after a kill which of them are whole.

A group is one file a split («train-00003.parquet», «test-00003.parquet»), its pictures, and then one line of the
journal. What the journal does not name does not count: it is made again, the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terrascope_nb.cot.atomic import DRAFT, sync_folder, write_whole
from terrascope_nb.cot.parquet import write_rows
from terrascope_nb.cot.tally import Tally
from terrascope_nb.errors import InvalidInput, ReadFailed

DATA, IMAGES, JOURNAL = "data", "images", "progress.jsonl"


@dataclass(frozen=True)
class Shard:
    """One file of records.

    Attributes
    ----------
    path : str
        Relative to the data set's folder.
    split : str
    rows, bytes : int
    sha256 : str
    """

    path: str
    split: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Group:
    """A line of the journal.

    Attributes
    ----------
    number : int
    next : int
        Image number from which the next group goes on.
    shards : tuple of Shard
    tally : Tally
        What was counted since the group before.
    """

    number: int
    next: int
    shards: tuple[Shard, ...]
    tally: Tally


class Journal:
    """The file ``progress.jsonl``: first the recipe, then a line a group, each on the disk before the next is begun."""

    def __init__(self, folder: Path, recipe: Mapping[str, Any]) -> None:
        self.path, self.recipe = folder / JOURNAL, recipe

    def start(self) -> tuple[Group, ...]:
        """The groups that are whole; begins a new journal where there is none.

        Raises
        ------
        InvalidInput
            When the journal is of another build; what differs is named.
        """
        if not self.path.exists():
            write_whole(self.path, json.dumps(self.recipe, ensure_ascii=False) + "\n")
            return ()
        text = self.path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]  # a line that a kill broke off does not count
        first, *lines = whole.splitlines()
        told = json.loads(first)
        if told != json.loads(json.dumps(self.recipe)):
            differs = sorted(k for k in {*told, *self.recipe} if told.get(k) != self.recipe.get(k))
            shown = "; ".join(f"{k}: {told.get(k)!r} there, {self.recipe.get(k)!r} now" for k in differs)[:600]
            raise InvalidInput(
                f"{self.path.parent} holds an unfinished build of another recipe ({shown}): finish it with what it was "
                "begun with, give another folder, or pass overwrite=True to start over"
            )
        if len(whole) < len(text):
            write_whole(self.path, whole)
        return tuple(_group(json.loads(line)) for line in lines)

    def add(self, group: Group) -> None:
        """Write a group's line through to the disk."""
        line = {
            "number": group.number, "next": group.next, "shards": [vars(s) for s in group.shards],
            "tally": group.tally.to_json(),
        }  # fmt: skip
        with self.path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
            out.flush()
            os.fsync(out.fileno())


def write_group(folder: Path, number: int, rows: Sequence[Mapping[str, Any]]) -> tuple[Shard, ...]:
    """Write one file a split of the rows, in their order."""
    out = []
    for split in dict.fromkeys(sorted(row["split"] for row in rows)):
        name = f"{DATA}/{split or 'all'}-{number:05d}.parquet"
        mine = [row for row in rows if row["split"] == split]
        write_rows(mine, folder / name)
        out.append(Shard(name, split, len(mine), (folder / name).stat().st_size, sha256(folder / name)))
    return tuple(out)


def write_picture(folder: Path, path: str, data: bytes) -> None:
    """Write a picture; whole or not there after a kill. It is flushed with its group's line, not one by one."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(DRAFT + target.name)
    draft.write_bytes(data)
    draft.replace(target)


def sync_pictures(folder: Path, paths: Sequence[str]) -> None:
    """Flush pictures to the disk."""
    for path in paths:
        with (folder / path).open("rb") as f:
            os.fsync(f.fileno())
    for parent in {(folder / p).parent for p in paths}:
        sync_folder(parent)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def keys_of(folder: Path, groups: Sequence[Group]) -> Iterator[tuple[str, str]]:
    """(source, key) of every record of the groups; reads those two columns only.

    Raises
    ------
    ReadFailed
        When a shard that the journal names is missing or was changed.
    """
    import pyarrow.parquet as pq

    for shard in (s for g in groups for s in g.shards):
        path = folder / shard.path
        if not path.is_file() or sha256(path) != shard.sha256:
            what = "changed" if path.is_file() else "gone"
            raise ReadFailed(f"{path} is {what} since it was written: start over with overwrite=True")
        table = pq.read_table(path, columns=["source", "key"])
        yield from zip(table["source"].to_pylist(), table["key"].to_pylist(), strict=True)


def clean(folder: Path, groups: Sequence[Group]) -> None:
    """Remove what a killed build left half done: drafts, and shards that the journal does not name."""
    named = {s.path for g in groups for s in g.shards}
    for path in (folder / DATA).glob("*.parquet"):
        if f"{DATA}/{path.name}" not in named:
            path.unlink()
    for draft in (*folder.glob(f"{DRAFT}*"), *(folder / DATA).glob(f"{DRAFT}*"), *(folder / IMAGES).rglob(f"{DRAFT}*")):
        draft.unlink()


def _group(line: Mapping[str, Any]) -> Group:
    shards = tuple(Shard(**s) for s in line["shards"])
    return Group(line["number"], line["next"], shards, Tally.from_json(line["tally"]))
