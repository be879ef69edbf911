"""Tally: what a build has counted so far; two tallies add up to one, and each is plain JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from terrascope_nb.cot.unit import Unit

BY = ("kind", "task", "source", "split", "sensors")
_EXAMPLES = 3  # of each reason
_UNREADABLE = 20  # named; the others are counted


@dataclass
class Tally:
    """Counts, each filled in by `add`.

    Attributes
    ----------
    images : int
        Labelled images taken, with those that gave nothing.
    records : int
        Valid records.
    by : dict
        «kind», «task», «source», «split», «sensors» → value → records.
    rejected : Counter
        Code of a fault → records that have it.
    turned_down : int
        Records that are not valid.
    examples : dict
        Code → up to three «id: why».
    dropped : Counter
        What was not asked, with the reason → how often.
    unreadable : int
        Images that gave an error instead of records.
    errors : dict
        «source: key» → error, of the first twenty of them.
    sources : dict
        Source → licence, citation, images, records.
    unmapped : dict
        Source → class number → pixels that its legend leaves out.
    """

    images: int = 0
    records: int = 0
    by: dict[str, Counter[str]] = field(default_factory=lambda: {k: Counter() for k in BY})
    rejected: Counter[str] = field(default_factory=Counter)
    turned_down: int = 0
    examples: dict[str, list[str]] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    errors: dict[str, str] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    unmapped: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, unit: Unit) -> None:
        """Count one unit."""
        self.images += 1
        self.records += len(unit.rows)
        for row in unit.rows:
            for name in BY:
                value = " + ".join(row[name]) if name == "sensors" else row[name]
                self.by[name][value or "not stated"] += 1
        for name, faults in unit.rejected:
            self.turned_down += 1
            for code in dict.fromkeys(f.code for f in faults):
                self.rejected[code] += 1
            for fault in faults:
                self._example(fault.code, f"{name}: {fault.why}")
        self.dropped.update(unit.dropped)
        if unit.error:
            self.unreadable += 1
            self._error(f"{unit.source}: {unit.key}", unit.error)
        self._source(unit.source, unit.licence, unit.citation, 1, len(unit.rows))
        self.unmapped.setdefault(unit.source, Counter()).update({str(k): v for k, v in unit.unmapped.items()})

    def merge(self, other: Tally) -> None:
        """Add another tally, which came after this one."""
        self.images += other.images
        self.records += other.records
        self.turned_down += other.turned_down
        self.unreadable += other.unreadable
        self.rejected.update(other.rejected)
        self.dropped.update(other.dropped)
        for name, counts in other.by.items():
            self.by[name].update(counts)
        for code, texts in other.examples.items():
            for text in texts:
                self._example(code, text)
        for name, error in other.errors.items():
            self._error(name, error)
        for name, told in other.sources.items():
            self._source(name, told["licence"], told["citation"], told["images"], told["records"])
        for name, numbers in other.unmapped.items():
            self.unmapped.setdefault(name, Counter()).update(numbers)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, sorted, so that the same counts give the same text."""
        return {
            "images": self.images,
            "records": self.records,
            "by": {k: dict(sorted(v.items())) for k, v in self.by.items()},
            "records_rejected": self.turned_down,
            "rejected": dict(sorted(self.rejected.items())),
            "examples": dict(sorted(self.examples.items())),
            "not_asked": dict(sorted(self.dropped.items())),
            "images_unreadable": self.unreadable,
            "errors": self.errors,
            "sources": dict(sorted(self.sources.items())),
            "unmapped": {
                k: dict(sorted(v.items(), key=lambda pair: int(pair[0]))) for k, v in sorted(self.unmapped.items()) if v
            },
        }

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> Tally:
        """The tally that `to_json` wrote."""
        return cls(
            item["images"], item["records"], {k: Counter(v) for k, v in item["by"].items()}, Counter(item["rejected"]),
            item["records_rejected"], {k: list(v) for k, v in item["examples"].items()},
            Counter(item["not_asked"]), item["images_unreadable"],
            dict(item["errors"]), {k: dict(v) for k, v in item["sources"].items()},
            {k: Counter(v) for k, v in item["unmapped"].items()},
        )  # fmt: skip

    def _example(self, code: str, text: str) -> None:
        kept = self.examples.setdefault(code, [])
        if len(kept) < _EXAMPLES:
            kept.append(text)

    def _error(self, name: str, error: str) -> None:
        if len(self.errors) < _UNREADABLE:
            self.errors[name] = error

    def _source(self, name: str, licence: str, citation: str, images: int, records: int) -> None:
        told = self.sources.setdefault(name, {"licence": licence, "citation": citation, "images": 0, "records": 0})
        told["licence"], told["citation"] = told["licence"] or licence, told["citation"] or citation
        told["images"] += images
        told["records"] += records
