"""Manifest: what a data set holds and how it was made; ``manifest.json`` beside its shards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from terrascope_nb._html import tag
from terrascope_nb._versions import own_version
from terrascope_nb.cot.parquet import read_parquet
from terrascope_nb.cot.record import SCHEMA, Record
from terrascope_nb.cot.shards import Shard
from terrascope_nb.cot.tally import Tally
from terrascope_nb.errors import InvalidInput, NotFound

MANIFEST = "manifest.json"
_DECIDE = ("numpy", "scipy", "pyarrow", "pillow")  # distributions that the bytes may depend on


@dataclass(frozen=True)
class Manifest:
    """A data set in numbers.

    Attributes
    ----------
    recipe : dict
        All that decides its bytes: seed, sources and their options, kinds, sizes, versions.
    tally : Tally
        Counts by kind, task, source, split and sensors; rejected records by reason; licences; unmapped classes.
    shards : tuple of Shard
        Files of records, in order.
    """

    recipe: Mapping[str, Any]
    tally: Tally
    shards: tuple[Shard, ...]

    @property
    def records(self) -> int:
        """Valid records."""
        return self.tally.records

    @property
    def images(self) -> int:
        """Labelled images taken."""
        return self.tally.images

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "schema": SCHEMA, **self.tally.to_json(), "recipe": self.recipe, "shards": [vars(s) for s in self.shards],
        }  # fmt: skip

    @classmethod
    def read(cls, folder: str | Path) -> Manifest:
        """The manifest of a data set's folder.

        Raises
        ------
        NotFound
            When the folder has none.
        InvalidInput
            When it is no manifest, or of a newer schema.
        """
        path = Path(folder) / MANIFEST
        if not path.is_file():
            raise NotFound(f"{folder} has no {MANIFEST}: it is no data set, or its build is not finished")
        try:
            item = json.loads(path.read_text(encoding="utf-8"))
            schema = item["schema"]
            if schema > SCHEMA:
                raise InvalidInput(
                    f"{path} has schema {schema}, this version of terrascope_nb knows up to {SCHEMA}: "
                    "pip install --upgrade terrascope-nb"
                )
            return cls(item["recipe"], Tally.from_json(item), tuple(Shard(**s) for s in item["shards"]))
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as e:
            raise InvalidInput(f"{path} is no manifest of a data set: {e!r}") from e

    def __str__(self) -> str:
        return "\n".join(self._lines())

    __repr__ = __str__

    def _lines(self) -> Iterator[str]:
        t = self.tally
        each = f", {t.records / t.images:.1f} an image" if t.images else ""
        yield f"{t.records} records of {t.images} images{each}"
        for name, counts in t.by.items():
            yield f"  {name:8s} {', '.join(f'{k} {v}' for k, v in sorted(counts.items())) or '–'}"
        yield f"  rejected {t.turned_down}" + "".join(f", {k} {v}" for k, v in sorted(t.rejected.items()))
        for code, texts in sorted(t.examples.items()):
            yield f"    {code}: {texts[0]}"
        if t.unreadable:
            yield f"  images that gave an error {t.unreadable}"
            yield from (f"    {name}: {error}" for name, error in list(t.errors.items())[:3])
        for source, told in sorted(t.sources.items()):
            yield f"  {source}: {told['records']} records of {told['images']} images, {told['licence']}"
        for source, numbers in sorted(t.unmapped.items()):
            if numbers:
                yield f"  {source} leaves out: {', '.join(f'class {k} ({v} pixels)' for k, v in numbers.items())}"
        if self.shards:
            size = sum(s.bytes for s in self.shards)
            yield f"  {len(self.shards)} shards, {size / 1e6:.1f} MB of records"

    def _repr_html_(self) -> str:
        return str(tag("pre", str(self)))


def environment() -> dict[str, str]:
    """Versions of what the bytes of a data set may depend on."""
    return {"terrascope-nb": own_version(), **{name: metadata.version(name) for name in _DECIDE}}


def read_dataset(folder: str | Path) -> Iterator[Record]:
    """The records of a data set's folder, shard after shard.

    Raises
    ------
    NotFound
        When it has no manifest, or lacks a shard.
    """
    folder = Path(folder)
    for shard in Manifest.read(folder).shards:
        yield from read_parquet(folder / shard.path)
