"""Row and Suite: questions with their truth, each with its scene on demand; `open_suite` tells the layouts apart."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb._html import tag
from terrascope_nb._suggest import unknown
from terrascope_nb.bench.cards import BANDS, Card
from terrascope_nb.bench.task import title_of
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.reason.answers import LETTER_RULES, Choices

if TYPE_CHECKING:
    from terrascope_nb.cot.record import MaskRef
    from terrascope_nb.scene.labelled import Labelled
    from terrascope_nb.scene.scene import Scene


@dataclass(frozen=True, eq=False)
class Row:
    """One question of a suite.

    Attributes
    ----------
    id : str
        Names the question within its suite.
    image : str
        Names what it is asked about; rows with the same `image` depend on each other.
    task : str
        Key of `task.TASKS`, or the source's own word where that is not known.
    question : str
        Without its options.
    choices : Choices or None
    answer : str
        The right letter; "" where the source states none that is among the choices.
    scene : callable
        ``row.scene()`` reads the scene; a bad image raises the named error there, not on opening the suite.
    masks : tuple of MaskRef
        Regions that the answer is measured on, in the order in which the question names them; () where the suite has
        none, and `why_no_masks` says why.
    band : "easy", "medium", "hard" or ""
    licence : str
    value : float, bool, str or None
        The measured truth, in `unit`; None where only the letter is known.
    unit : str
    why_no_masks : str
    place, source : str
        Where it lies, and which data it comes from; "" where that is not known.
    labels : tuple of str
        Canonical labels that the question names, where known.
    resolution : float or None
        Metres a pixel, where the suite states it.
    """

    id: str
    image: str
    task: str
    question: str
    choices: Choices | None
    answer: str
    scene: Callable[[], Scene]
    masks: tuple[MaskRef, ...] = ()
    band: str = ""
    licence: str = "not stated"
    value: float | bool | str | None = None
    unit: str = ""
    why_no_masks: str = ""
    place: str = ""
    source: str = ""
    labels: tuple[str, ...] = ()
    resolution: float | None = None

    def __post_init__(self) -> None:
        if self.band and self.band not in BANDS:
            raise InvalidInput(f"row {self.id}: {unknown('difficulty band', self.band, BANDS)}")
        if self.answer and self.choices is not None and self.answer not in self.choices.letters:
            raise InvalidInput(
                f"row {self.id}: the answer {self.answer!r} is none of the options {', '.join(self.choices.letters)}"
            )

    def __repr__(self) -> str:
        band = f" {self.band}" if self.band else ""
        return f"<Row {self.id} {self.task}{band}: {self.question[:80]!r} → {self.answer or '?'}>"


@dataclass(frozen=True, eq=False)
class Suite:
    """Questions with their truth. Opening one reads the questions; a scene is read when a row is asked for it.

    Attributes
    ----------
    name : str
    rows : tuple of Row
    card : Card
    letter_rule : str
        The published rule of this benchmark in `reason.answers.read_letter`; "strict" for our own suites.
    truth : callable or None
        Row → its labelled scene; use `labelled`.
    why_no_truth : str
        Why `labelled` gives None.
    """

    name: str
    rows: tuple[Row, ...]
    card: Card
    letter_rule: str = "strict"
    truth: Callable[[Row], Labelled] | None = None
    why_no_truth: str = ""

    def __post_init__(self) -> None:
        if self.letter_rule not in LETTER_RULES:
            raise InvalidInput(unknown("letter rule", self.letter_rule, LETTER_RULES))
        seen: set[str] = set()
        for row in self.rows:
            if row.id in seen:
                raise InvalidInput(f"suite {self.name!r} has two rows with the id {row.id!r}; ids name a row")
            seen.add(row.id)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self):
        return iter(self.rows)

    def row(self, id: str) -> Row:
        """The row with an id.

        Raises
        ------
        NotFound
            When there is none.
        """
        found = next((r for r in self.rows if r.id == id), None)
        if found is None:
            raise NotFound(f"suite {self.name!r} has no row {id!r}; its {len(self)} ids begin with {self.rows[0].id!r}"
                           if self.rows else f"suite {self.name!r} is empty")  # fmt: skip
        return found

    def labelled(self, row: Row) -> Labelled | None:
        """The scene of a row with its label maps; None where the suite has none (`why_no_truth`). Reads the files."""
        return None if self.truth is None else self.truth(row)

    @property
    def digest(self) -> str:
        """SHA-256 over all that a result depends on: ids, questions, options, answers, and the files' hashes."""
        out = hashlib.sha256()
        for r in self.rows:
            options = () if r.choices is None else r.choices.items()
            out.update(repr((r.id, r.image, r.task, r.question, options, r.answer, len(r.masks))).encode())
        out.update(repr(sorted(self.card.files.items())).encode())
        return out.hexdigest()

    def select(
        self,
        tasks: str | Sequence[str] | None = None,
        bands: str | Sequence[str] | None = None,
        n: int | None = None,
        seed: int = 0,
    ) -> Suite:
        """The rows that fit, in their order.

        Parameters
        ----------
        tasks, bands : str or sequence of str, optional
        n : int, optional
            So many of them, drawn with `seed`: as evenly over the tasks as they allow.

        Raises
        ------
        NotFound
            For a task or band that no row has.
        """
        rows: Sequence[Row] = self.rows
        rows = _those(rows, tasks, "task", lambda r: r.task)
        rows = _those(rows, bands, "difficulty band", lambda r: r.band)
        if n is not None:
            rows = _drawn(rows, n, np.random.default_rng(seed))
        facts = {
            k: getattr(self.card, k) for k in ("citation", "origin", "files", "made_with", "difficulty", "missing")
        }
        note = f"{len(rows)} of {len(self)} questions were selected."
        notes = self.card.notes if len(rows) == len(self) else (*self.card.notes, note)
        return replace(self, rows=tuple(rows), card=Card.of(self.name, rows, notes=notes, **facts))

    def to_published(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write the questions as the public Parquet: each image as a PNG of its view. Reads the scenes.

        See `bench.published.export`.
        """
        from terrascope_nb.bench.published import export

        return export(self, path, overwrite=overwrite)

    def __repr__(self) -> str:
        tasks = ", ".join(f"{title_of(k)} {v}" for k, v in self.card.tasks.items())
        return f"<Suite {self.name!r}: {len(self)} questions on {self.card.images} images ({tasks})>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        head = tag("tr", [tag("th", h) for h in ("id", "task", "band", "question", "options", "answer")])
        lines = [
            tag("tr", [tag("td", c) for c in (
                r.id, title_of(r.task), r.band, r.question,
                "" if r.choices is None else "; ".join(f"{a}. {t}" for a, t in r.choices), r.answer,
            )])
            for r in self.rows[:5]
        ]  # fmt: skip
        rest = tag("p", f"… and {len(self) - 5:,} more") if len(self) > 5 else None
        page = tag("div", self.card.html(), tag("table", tag("thead", head), tag("tbody", lines)), rest)
        return {"text/plain": f"{self!r}\n{self.card}", "text/html": str(page)}


def _those(rows: Sequence[Row], wanted: Any, kind: str, of: Callable[[Row], str]) -> Sequence[Row]:
    if wanted is None:
        return rows
    names = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    there = {of(r) for r in rows}
    for name in names:
        if name not in there:
            raise NotFound(unknown(f"{kind} of this suite", name, sorted(there - {""})))
    return [r for r in rows if of(r) in names]


def _drawn(rows: Sequence[Row], n: int, rng: np.random.Generator) -> list[Row]:
    """`n` rows, in turn from each task until all are taken, in the order in which they stand."""
    if n < 1:
        raise InvalidInput(f"n is how many questions to take, at least 1; got {n}")
    piles: dict[str, list[int]] = {}
    for k in rng.permutation(len(rows)).tolist():
        piles.setdefault(rows[k].task, []).append(k)
    taken: list[int] = []
    while len(taken) < n and any(piles.values()):
        for pile in (piles[t] for t in sorted(piles)):
            if pile and len(taken) < n:
                taken.append(pile.pop())
    return [rows[k] for k in sorted(taken)]


def open_suite(path_or_name: str | Path, **options: Any) -> Suite:
    """Open a suite; which layout it is, the files say.

    Parameters
    ----------
    path_or_name : str or Path
        A folder that `make_suite` wrote; a Parquet file in the public layout, a folder of such, or a name on the
        Hugging Face Hub (``sy1998/TerraScope-Bench``), which is fetched; a CSV in Landsat30-AU's layout; a JSON list
        in DisasterM3's.
    **options
        Of the reader: `store.open_folder`, `published.read_published`, `landsat30.read_landsat30`,
        `disasterm3.read_disasterm3`.

    Raises
    ------
    NotFound
        When nothing is there; says what was looked for.
    InvalidInput
        For a file of no layout that is known.
    """
    from terrascope_nb.bench import disasterm3, landsat30, published, store

    path = Path(path_or_name)
    if path.is_dir():
        if (path / store.CARD).is_file():
            return store.open_folder(path, **options)
        if any(path.rglob("*.parquet")):
            return published.read_published(path, **options)
        files: Iterable[Path] = sorted(path.iterdir())
        raise NotFound(
            f"{path} is no suite: it has neither {store.CARD} (a suite of ours) nor a *.parquet file (the public "
            f"layout). It has {', '.join(p.name for p in files) or 'nothing'}; for Landsat30-AU give its CSV, for "
            "DisasterM3 its JSON"
        )
    if path.is_file():
        readers = {
            ".parquet": published.read_published, ".csv": landsat30.read_landsat30, ".json": disasterm3.read_disasterm3,
        }  # fmt: skip
        reader = readers.get(path.suffix.lower())
        if reader is None:
            raise InvalidInput(
                f"{path.name} is no suite: give a folder of make_suite, a .parquet (public layout), a .csv "
                "(Landsat30-AU) or a .json (DisasterM3)"
            )
        return reader(path, **options)
    return published.read_published(path_or_name, **options)
