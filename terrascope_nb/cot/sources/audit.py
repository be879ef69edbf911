"""Audit: what the label maps of a source hold, number by number, before a question is made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import NotFound
from terrascope_nb.scene.classes import labels as vocabulary
from terrascope_nb.scene.labelled import OTHER, Labelled


@dataclass(frozen=True)
class Row:
    """One class number of one source.

    Attributes
    ----------
    source : str
    number : int
        On the maps.
    name : str
        The product's own name, «» where it is not known.
    label : str
        What it is asked for by; «» for what is not mapped.
    pixels : int
        Over all maps, a map a date.
    images : int
        Images it is on.
    why : str
        «mapped», «unmapped» (left out on purpose), «no data», «outside the vocabulary» or «no class» (`OTHER`).
    """

    source: str
    number: int
    name: str
    label: str
    pixels: int
    images: int
    why: str


@dataclass(frozen=True)
class Audit:
    """What was found on the maps.

    Attributes
    ----------
    rows : tuple of Row
        By source and number.
    images, places : int
        How many different ones.
    repeated : tuple of str
        «source: key» of images whose key came more than once: records of theirs would overwrite each other.
    terms : tuple of (str, str, str)
        Source, licence and citation, each once.
    """

    rows: tuple[Row, ...]
    images: int
    places: int
    repeated: tuple[str, ...]
    terms: tuple[tuple[str, str, str], ...]

    @property
    def pixels(self) -> int:
        """Pixels of all maps."""
        return sum(row.pixels for row in self.rows)

    @property
    def unmapped(self) -> tuple[Row, ...]:
        """Numbers without a label that are on the maps, nodata aside."""
        return tuple(row for row in self.rows if row.why == "unmapped")

    def share(self, label: str) -> float:
        """Share of the mapped pixels that a label has, 0…1.

        Raises
        ------
        NotFound
            When no number maps to the label.
        """
        mine = [row.pixels for row in self.rows if row.label == label]
        if not mine:
            raise NotFound(unknown("label of this audit", label, {row.label for row in self.rows if row.label}))
        return sum(mine) / sum(row.pixels for row in self.rows if row.label)

    def __str__(self) -> str:
        total = self.pixels or 1
        lines = [f"{self.images} images of {self.places} places"]
        for row in self.rows:
            label = row.label or f"({row.why})"
            note = f", {row.why}" if row.label and row.why != "mapped" else ""
            name = f" «{row.name}»" if row.name else ""
            lines.append(
                f"  {row.source} {row.number}{name} → {label}{note}: {row.pixels:,} pixels ({row.pixels / total:.2%}) "
                f"on {row.images} images"
            )
        if self.repeated:
            lines.append(f"  keys that came more than once: {', '.join(self.repeated)}")
        lines += [
            f"  {source}: {licence}; {citation or 'citation not stated'}" for source, licence, citation in self.terms
        ]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from terrascope_nb._html import tag

        head = ("source", "number", "name", "label", "state", "pixels", "images")
        body = [
            tag("tr", *(tag("td", v) for v in (r.source, r.number, r.name, r.label, r.why, f"{r.pixels:,}", r.images)))
            for r in self.rows
        ]
        terms = [
            tag("li", f"{source}: {licence}; {citation or 'citation not stated'}")
            for source, licence, citation in self.terms
        ]
        return (
            tag("p", f"{self.images} images of {self.places} places")
            + tag("table", tag("tr", *(tag("th", h) for h in head)), *body)
            + tag("ul", *terms)
        )


def audit(items: Iterable[Labelled]) -> Audit:
    """Count the class numbers on the maps of a source. Opens every image; one at a time is held.

    Parameters
    ----------
    items : iterable of Labelled
        E.g. ``open_source("bigearthnet", folder=…)``.
    """
    pixels: dict[tuple[str, int], int] = {}
    images: dict[tuple[str, int], int] = {}
    told: dict[tuple[str, int], tuple[str, str, str]] = {}
    keys: dict[str, int] = {}
    places: set[str] = set()
    terms: dict[tuple[str, str, str], None] = {}
    known = set(vocabulary())
    for labelled in items:
        name = f"{labelled.source}: {labelled.key}"
        keys[name] = keys.get(name, 0) + 1
        places.add(labelled.place)
        terms[(labelled.source, labelled.licence, labelled.citation)] = None
        seen = set()
        for number_map in labelled.maps:
            for value, count in zip(*np.unique(number_map, return_counts=True), strict=True):
                number = int(value)
                where = (labelled.source, number)
                pixels[where] = pixels.get(where, 0) + int(count)
                seen.add(where)
                if where not in told:
                    told[where] = _told(labelled, number, known)
        for where in seen:
            images[where] = images.get(where, 0) + 1
    rows = tuple(
        Row(*where, *told[where][:2], pixels[where], images[where], told[where][2]) for where in sorted(pixels)
    )
    repeated = tuple(name for name, times in keys.items() if times > 1)
    return Audit(rows, len(keys), len(places), repeated, tuple(terms))


def _told(labelled: Labelled, number: int, known: set[str]) -> tuple[str, str, str]:
    """The product's name, the label and the state of a number."""
    name = labelled.names.get(number, "")
    if number in labelled.legend:
        label = labelled.legend[number]
        why = "no class" if label == OTHER else "mapped" if label in known else "outside the vocabulary"
        return name, label, why
    return name, "", "no data" if number == labelled.nodata else "unmapped"
