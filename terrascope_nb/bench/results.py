"""Result and Results: what a run found, one record a question, and the run's header; read back by `Results.load`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from terrascope_nb.cot.record import MaskRef
from terrascope_nb.errors import InvalidInput, NotFound

ROWS, HEADER = "results.jsonl", "run.json"
"""Names of a run's two files."""
SCHEMA = 1
"""Version of both files. A reader refuses a newer one."""
FAILURES = ("image", "blank", "reasoner")
"""Where a row can fail: its image cannot be read, has not the sensor to blank, or the reasoner raises."""


@dataclass(frozen=True, eq=False)
class Result:
    """What came of one question.

    Attributes
    ----------
    row, image, task, band : str
        As in `suite.Row`; rows of one image depend on each other.
    answer : str
        The right letter; "" where the suite states none: such a row is scored by no rule.
    choice : str
        The letter that the reasoner itself states, "" for none.
    text : str
        The answer as written.
    options : int
        How many options the question has, 0 without.
    letters : Mapping
        Letter rule → letter, "" for none; see `scoring.letters`.
    correct : Mapping
        Letter rule → right or not. Empty where `answer` is "".
    labels : tuple of str
        Labels of the truth's masks, in order.
    ious : tuple of float
        Intersection over union of each truth mask with what the reasoner drew for it, 0…1; 0 for one not drawn.
    matched : tuple of str
        How each truth mask was met: "label", "parts", "order", "missing", "other grid"; see `grounding`.
    iou : float or None
        Mean of `ious`.
    why_no_iou : str
        Why there is none.
    claims : Mapping
        "agrees", "disagrees", "not checkable" → how many claims of the text and the answer.
    score : float or None
        Mean over the masks of the mean score inside the mask, 0…1; None without scores.
    finish : str
        As in `Answer`; "" where there is no answer.
    seconds : float
        The reasoner's time; reading the scene and scoring are not counted.
    error : str
        Name and message of what went wrong, "" when nothing did.
    failed : str
        One of `FAILURES`, or "".
    blanked : str
        The sensor that was blanked, or "".
    sensors : str
        What the scene had, "optical", "sar" or "optical+sar"; "" where it could not be read.
    place : str
        Where the image lies, "" where the suite does not say; images of one place are like each other.
    masks : tuple of MaskRef
        What the reasoner drew, with its labels.
    """

    row: str
    image: str
    task: str
    band: str
    answer: str
    choice: str = ""
    text: str = ""
    options: int = 0
    letters: Mapping[str, str] = field(default_factory=dict)
    correct: Mapping[str, bool] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    ious: tuple[float, ...] = ()
    matched: tuple[str, ...] = ()
    iou: float | None = None
    why_no_iou: str = ""
    claims: Mapping[str, int] = field(default_factory=dict)
    score: float | None = None
    finish: str = ""
    seconds: float = 0.0
    error: str = ""
    failed: str = ""
    blanked: str = ""
    sensors: str = ""
    place: str = ""
    masks: tuple[MaskRef, ...] = ()

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> Result:
        """Read what `to_json` wrote.

        Raises
        ------
        InvalidInput
            For a line that is no such record.
        """
        try:
            d = json.loads(line)
            masks = tuple(MaskRef(**{**m, "size": tuple(m["size"])}) for m in d.pop("masks"))
            listed = {k: tuple(d.pop(k)) for k in ("labels", "ious", "matched")}
            return cls(**d, **listed, masks=masks)
        except (ValueError, TypeError, KeyError, AttributeError) as e:
            raise InvalidInput(f"this line is no result ({type(e).__name__}: {e}): {line[:80]!r}") from e

    def __repr__(self) -> str:
        sign = "error" if self.failed else {True: "right", False: "wrong"}.get(self.correct.get("strict"), "not scored")
        iou = "" if self.iou is None else f", IoU {self.iou:.2f}"
        return f"<Result {self.row} {self.task}: {self.choice or '–'} for {self.answer or '?'}, {sign}{iou}>"


@dataclass(frozen=True, eq=False)
class Results:
    """A run: its header and its results, in the order of the suite.

    Attributes
    ----------
    rows : tuple of Result
    header : Mapping
        JSON of ``run.json``: suite (name, digest, rows), reasoner (name, options), seed, blank, machine, versions,
        started, and resumed, one entry for each time that the run was taken up again.
    folder : Path or None
        Where it was read from.
    """

    rows: tuple[Result, ...]
    header: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    @classmethod
    def load(cls, folder: str | Path) -> Results:
        """Read a run's folder; a torn last line, as a kill leaves it, is left out.

        Raises
        ------
        NotFound
            When there is no run in the folder.
        InvalidInput
            For a broken line that is not the last, a row that stands twice, or a newer schema.
        """
        from terrascope_nb.bench.journal import read

        return read(Path(folder))

    @property
    def name(self) -> str:
        """Reasoner and what is special about the run, «spectral (sensor sar), sar blanked»."""
        reasoner = self.header.get("reasoner", {})
        known = {k: v for k, v in reasoner.get("options", {}).items() if k in _TELLING and v not in _TELLING[k]}
        special = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in known.items())
        blank = self.header.get("blank")
        name = str(reasoner.get("name", "a run"))
        return name + (f" ({special})" if special else "") + (f", {blank} blanked" if blank else "")

    @cached_property
    def by_row(self) -> dict[str, Result]:
        """Row id → result."""
        return {r.row: r for r in self.rows}

    @property
    def images(self) -> int:
        """How many images the rows are asked of."""
        return len({r.image for r in self.rows})

    @property
    def complete(self) -> bool:
        """Whether every row of the suite is there."""
        return len(self.rows) >= int(self.header.get("suite", {}).get("rows", len(self.rows)))

    def row(self, id: str) -> Result:
        """The result of a row.

        Raises
        ------
        NotFound
            When the run has no such row.
        """
        if id not in self.by_row:
            raise NotFound(f"this run has no row {id!r}; it has {len(self.rows)} rows")
        return self.by_row[id]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.rows)

    def __repr__(self) -> str:
        suite = self.header.get("suite", {})
        of = f" of {suite['rows']}" if not self.complete else ""
        failed = sum(bool(r.failed) for r in self.rows)
        return (
            f"<Results of {self.name} on {suite.get('name', '?')!r}: {len(self)}{of} rows, {self.images} images"
            f"{f', {failed} failed' if failed else ''}>"
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from terrascope_nb.bench.metrics import counted, summarise

        if not counted(self):  # nothing to score
            return {"text/plain": repr(self)}
        bundle = summarise(self)._repr_mimebundle_()
        return {**bundle, "text/plain": f"{self!r}\n{bundle['text/plain']}"}


_TELLING: dict[str, tuple[Any, ...]] = {
    "sensor": ("auto",), "fusion": ("adaptive",), "region_mode": ("mask",), "compat": (None,), "quantize": (None,),
    "collection": (None,), "model": (None,), "from": (),
}  # fmt: skip
"""Options that tell two runs of one reasoner apart, with the values that go without saying."""
