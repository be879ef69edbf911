"""Card: what a suite is, in one page: counts, licences, sources, how it was made, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from terrascope_nb._html import Safe, tag
from terrascope_nb.bench.task import TASKS, title_of
from terrascope_nb.errors import InvalidInput

if TYPE_CHECKING:
    from terrascope_nb.bench.suite import Row

BANDS = ("easy", "medium", "hard")
"""The difficulty bands, the easiest first."""


@dataclass(frozen=True)
class Card:
    """The card of a suite. It shows itself as text and as HTML, and is plain JSON by `to_json`.

    Attributes
    ----------
    name : str
    tasks : dict
        Task key, or the source's own word → questions.
    bands : dict
        Difficulty band → questions; empty where the suite states none.
    letters : dict
        Right letter → questions.
    licences : dict
        Licence → questions.
    sources : dict
        Where images and labels come from → questions.
    images, places : int
        Different images; different places where they are known, else 0. Questions of one image depend on each other.
    masks : int
        Questions that have masks for IoU.
    citation : tuple of str
    origin : str
        Folder, file, or hub name with its commit.
    files : dict
        File → SHA-256.
    made_with : dict
        Seed, options and versions of what we made ourselves.
    difficulty : dict
        The rule and the limits of the bands.
    missing : dict
        What could not be asked: «task: reason» → how often.
    notes : tuple of str
        What a reader must know, one plain sentence each.
    """

    name: str
    tasks: Mapping[str, int] = field(default_factory=dict)
    bands: Mapping[str, int] = field(default_factory=dict)
    letters: Mapping[str, int] = field(default_factory=dict)
    licences: Mapping[str, int] = field(default_factory=dict)
    sources: Mapping[str, int] = field(default_factory=dict)
    images: int = 0
    places: int = 0
    masks: int = 0
    citation: tuple[str, ...] = ()
    origin: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    made_with: Mapping[str, Any] = field(default_factory=dict)
    difficulty: Mapping[str, Any] = field(default_factory=dict)
    missing: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Questions in all."""
        return sum(self.tasks.values())

    @property
    def licence(self) -> str:
        """The licence, or that it differs by record."""
        if len(self.licences) > 1:
            return f"differs by record: {', '.join(self.licences)}"
        return next(iter(self.licences), "not stated")

    @classmethod
    def of(cls, name: str, rows: Iterable[Row], **facts: Any) -> Card:
        """Count `rows`; `facts` are further fields of the card."""
        rows = tuple(rows)
        order = [*TASKS, *dict.fromkeys(r.task for r in rows if r.task not in TASKS)]
        return cls(
            name,
            tasks=_counted((r.task for r in rows), order),
            bands=_counted((r.band for r in rows if r.band), BANDS),
            letters=_counted(r.answer or "none" for r in rows),
            licences=_counted(r.licence for r in rows),
            sources=_counted(r.source for r in rows if r.source),
            images=len({r.image for r in rows}),
            places=len({r.place for r in rows if r.place}),
            masks=sum(bool(r.masks) for r in rows),
            **facts,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Card:
        """Undo `to_json`.

        Raises
        ------
        InvalidInput
            For a field that a card has not.
        """
        known = {f.name for f in fields(cls)}
        strange = sorted(set(told) - known)
        if strange or "name" not in told:
            raise InvalidInput(f"no card: {'unknown ' + ', '.join(strange) if strange else 'it has no name'}")
        lists = {k: tuple(told[k]) for k in ("citation", "notes") if k in told}
        return cls(**{**told, **lists})

    def _lines(self) -> list[tuple[str, str]]:
        share = f"{self.masks} of {self.rows}" if self.rows else "none"
        out = [
            (
                "questions",
                f"{self.rows:,} on {self.images:,} images" + (f", {self.places:,} places" * bool(self.places)),
            ),
            ("tasks", ", ".join(f"{title_of(k)} {v}{_beside(k)}" for k, v in self.tasks.items())),
            ("difficulty", ", ".join(f"{k} {v}" for k, v in self.bands.items())),
            ("right letters", ", ".join(f"{k} {v}" for k, v in self.letters.items())),
            ("masks", share),
            ("sources", ", ".join(f"{k} {v}" for k, v in self.sources.items())),
            ("licence", ", ".join(f"{k} ({v})" for k, v in self.licences.items())),
            ("citation", "; ".join(self.citation)),
            ("origin", self.origin),
            ("made with", ", ".join(f"{k} {v}" for k, v in self.made_with.items())),
            ("bands by", str(self.difficulty.get("rule", ""))),
            ("not asked", "; ".join(f"{k} ({v})" for k, v in self.missing.items())),
            ("notes", " ".join(self.notes)),
        ]
        return [(k, v) for k, v in out if v]

    def __str__(self) -> str:
        lines = self._lines()
        width = max(len(k) for k, _ in lines)
        return "\n".join([self.name, *(f"  {k:<{width}}  {v}" for k, v in lines)])

    def __repr__(self) -> str:
        return f"<Card {self.name!r}: {self.rows} questions on {self.images} images>"

    def html(self) -> Safe:
        """The card as an HTML table, everything escaped."""
        rows = [tag("tr", tag("th", k, scope="row", style="text-align:left"), tag("td", v)) for k, v in self._lines()]
        return tag("table", tag("caption", self.name), tag("tbody", rows), cls="terrascope-card")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": str(self), "text/html": str(self.html())}


def _counted(what: Iterable[str], order: Iterable[str] | None = None) -> dict[str, int]:
    """How often each occurs, in `order` where given, else sorted."""
    counts = Counter(what)
    first = [k for k in (order or ()) if k in counts]
    return {k: counts[k] for k in [*first, *sorted(set(counts) - set(first))]}


def _beside(key: str) -> str:
    return f" (paper {TASKS[key].rows})" if key in TASKS else ""
