"""`compare`: two runs on the same questions, paired row by row — differences a task, rows that flipped, IoU changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from terrascope_nb._html import Safe, tag
from terrascope_nb.bench.intervals import LEVEL, RESAMPLES, Estimate, codes, paired_by_image
from terrascope_nb.bench.metrics import STRICT, by_unit, counted
from terrascope_nb.bench.report import check_one_suite
from terrascope_nb.bench.report.table import Cell, Table
from terrascope_nb.bench.results import Result, Results
from terrascope_nb.bench.significance import holm, permutation_p
from terrascope_nb.bench.task import TASKS, title_of
from terrascope_nb.errors import InvalidInput

SHOWN = 30  # rows of a list of single rows
_LARGE = 0.1  # change of IoU that is listed


@dataclass(frozen=True, eq=False)
class Difference:
    """Two runs on the same rows.

    Attributes
    ----------
    name : str
        Task, "mean of tasks", "all rows" or "mean IoU".
    a, b : float or None
        The figure of each run, 0…1.
    change : Estimate
        `b` minus `a`.
    p : float
        Of a paired permutation test by image, two-sided.
    p_corrected : float or None
        For tasks, corrected for their number (Holm).
    only_a, only_b : int
        Rows that are right in one run alone; for IoU, rows where it is larger by more than 0.001.
    """

    name: str
    a: float | None
    b: float | None
    change: Estimate
    p: float
    p_corrected: float | None
    only_a: int
    only_b: int


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two runs beside each other; shows itself as text and as HTML.

    Attributes
    ----------
    a, b, suite : str
        Names.
    rows, images : int
        Rows in both runs that the strict rule counts in both.
    unpaired : int
        Rows that one run alone has, or counts.
    tasks : tuple of Difference
    macro, micro : Difference
        Mean of tasks, and all rows.
    iou : Difference or None
        None where no row has an IoU in both.
    lost, gained : tuple of (Result, Result)
        Rows that were right in `a` alone, in `b` alone.
    moved : tuple of (Result, Result)
        Rows whose IoU changed by at least 0.1, the largest change first.
    level : float
    seed, resamples : int
    unit : "image" or "place"
        What is drawn and exchanged as a whole, and counted as `images`.
    """

    a: str
    b: str
    suite: str
    rows: int
    images: int
    unpaired: int
    tasks: tuple[Difference, ...]
    macro: Difference
    micro: Difference
    iou: Difference | None
    lost: tuple[tuple[Result, Result], ...]
    gained: tuple[tuple[Result, Result], ...]
    moved: tuple[tuple[Result, Result], ...]
    level: float
    seed: int
    resamples: int
    unit: str = "image"

    def tables(self) -> list[Table]:
        """What there is to show."""
        made = [self._differences()]
        for name, pairs in ((f"Right in {self.a} alone", self.lost), (f"Right in {self.b} alone", self.gained)):
            if pairs:
                made.append(_flipped(name, pairs))
        if self.moved:
            rows = [(x.row, title_of(x.task), f"{x.iou:.2f}", f"{y.iou:.2f}", f"{y.iou - x.iou:+.2f}")
                    for x, y in self.moved[:SHOWN]]  # fmt: skip
            made.append(Table("IoU that changed most", ("row", "task", "A", "B", "change"), tuple(rows),
                              _more(self.moved), words=(1,)))  # fmt: skip
        return made

    def _differences(self) -> Table:
        rows = [_difference_row(d, 100) for d in (*self.tasks, self.macro, self.micro)]
        apart = [len(self.tasks)]
        if self.iou is not None:
            apart.append(len(rows))
            rows.append(_difference_row(self.iou, 1))
        notes = [
            f"A is {self.a}, B is {self.b}; {self.rows:,} rows on {self.images:,} {self.unit}s are in both.",
            f"Accuracies in percent, by the strict rule; below the change its {100 * self.level:.0f} % interval "
            f"(bootstrap of whole {self.unit}s, {self.resamples:,} draws, seed {self.seed}). p is two-sided, of a "
            f"paired permutation test in which the two runs are exchanged {self.unit} by {self.unit}; of tasks also "
            "corrected for their number (Holm).",
        ]
        notes += [f"{self.unpaired:,} rows that one run alone has or counts are left out."] if self.unpaired else []
        notes += [f"{d.name}: {d.change.how}." for d in (self.micro,) if not d.change.has_interval]
        head = ("", "A", "B", "change", "p", "p corrected", "A alone", "B alone", "rows")
        return Table(f"{self.b} against {self.a}", head, tuple(rows), tuple(notes), tuple(apart))

    def html(self) -> Safe:
        """As one HTML element with its style."""
        from terrascope_nb.bench.report.style import STYLE

        head = tag("h2", f"{self.b} against {self.a}"), tag("p", f"On {self.suite}. {self.verdict}", cls="headline")
        return tag("article", tag("style", Safe(STYLE)), head, [t.html() for t in self.tables()], cls="tsbench")

    def to_html(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write it as one self-contained page; returns its path."""
        from terrascope_nb.bench.report.page import document
        from terrascope_nb.reason.export import write_text

        return write_text(path, document(self.html(), f"{self.b} against {self.a}"), overwrite)

    @property
    def verdict(self) -> str:
        """One sentence."""
        d = self.micro
        change = 100 * (d.change.value or 0.0)
        sides = f"{d.only_b} rows are right in B alone, {d.only_a} in A alone"
        sure = "could be chance" if d.p >= 1 - self.level else "is more than chance would give"
        way = f"{abs(change):.1f} points {'better' if change > 0 else 'worse'}, which {sure} ({_p(d.p)})"
        return f"Over all rows B is {way if change else 'as good as A'}: {sides}."

    def __repr__(self) -> str:
        return f"<Comparison on {self.suite!r}, {self.rows} rows: {self.verdict}>"

    def __str__(self) -> str:
        return "\n\n".join([self.verdict, *(t.text() for t in self.tables())])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": str(self), "text/html": str(self.html())}


def compare(
    a: Results | str | Path,
    b: Results | str | Path,
    *,
    unit: str = "image",
    level: float = LEVEL,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare two runs of the same suite, row by row.

    Parameters
    ----------
    a, b : Results, str or Path
        Results, or folders of runs; changes are `b` minus `a`.
    unit, level, seed, resamples
        As in `summarise`.

    Raises
    ------
    InvalidInput
        For runs of different suites, an unknown unit, or without a row in both.
    """
    first, second = (r if isinstance(r, Results) else Results.load(r) for r in (a, b))
    check_one_suite([first, second])
    left, right = ({r.row: r for r in by_unit(counted(x), unit)} for x in (first, second))
    both = [k for k in left if k in right]
    if not both:
        raise InvalidInput(f"no row is counted in both runs: {first!r}, {second!r}")
    pairs = sorted(((left[k], right[k]) for k in both), key=lambda p: p[0].row)
    rng = np.random.default_rng(seed)

    def paired(name: str, some: Sequence[tuple[Result, Result]], of: Callable[[Result], float], tasks: bool = False):
        return _difference(name, some, of, rng, tasks, level, resamples)

    by_task: dict[str, list[tuple[Result, Result]]] = {}
    for pair in pairs:
        by_task.setdefault(pair[0].task, []).append(pair)
    keys = [k for k in TASKS if k in by_task] + sorted(set(by_task) - set(TASKS))
    made = [paired(title_of(k), by_task[k], _right) for k in keys]
    corrected = holm([d.p for d in made])
    looked = [p for p in pairs if p[0].iou is not None and p[1].iou is not None]
    moved = sorted((p for p in looked if abs(p[1].iou - p[0].iou) >= _LARGE), key=lambda p: -abs(p[1].iou - p[0].iou))
    same = first.name == second.name
    return Comparison(
        f"{first.name} (A)" if same else first.name,
        f"{second.name} (B)" if same else second.name,
        str(first.header.get("suite", {}).get("name", "a suite")),
        len(pairs), len({p[0].image for p in pairs}),
        len({*(r.row for r in first), *(r.row for r in second)}) - len(pairs),
        tuple(_with(d, p) for d, p in zip(made, corrected, strict=True)),
        paired("mean of tasks", pairs, _right, tasks=True),
        paired("all rows", pairs, _right),
        paired("mean IoU", looked, lambda r: float(r.iou or 0.0)) if looked else None,
        tuple(p for p in pairs if _right(p[0]) > _right(p[1])),
        tuple(p for p in pairs if _right(p[1]) > _right(p[0])),
        tuple(moved), level, seed, resamples, unit,
    )  # fmt: skip


def _right(r: Result) -> float:
    return float(r.correct[STRICT])


def _with(d: Difference, corrected: float) -> Difference:
    from dataclasses import replace

    return replace(d, p_corrected=corrected)


def _difference(
    name: str, pairs: Sequence[tuple[Result, Result]], of: Callable[[Result], float], rng: np.random.Generator,
    by_task: bool, level: float, resamples: int,
) -> Difference:  # fmt: skip
    x, y = (np.array([of(p[k]) for p in pairs]) for k in (0, 1))
    images = [p[0].image for p in pairs]
    strata = [p[0].task for p in pairs] if by_task else None
    change = paired_by_image(y - x, images, rng, strata=strata, level=level, resamples=resamples)
    weight = np.ones(len(pairs))
    if strata is not None:
        group, groups = codes(strata)
        weight = 1 / (groups * np.bincount(group)[group])
    number, many = codes(images)
    p = permutation_p(np.bincount(number, (y - x) * weight, many), rng)
    share = weight / weight.sum()
    close = 1e-3
    return Difference(
        name, float((x * share).sum()), float((y * share).sum()), change, p, None,
        int(np.count_nonzero(x - y > close)), int(np.count_nonzero(y - x > close)),
    )  # fmt: skip


def _difference_row(d: Difference, scale: float) -> tuple[str | Cell, ...]:
    digits = 1 if scale == 100 else 3
    c = d.change
    small = f"{scale * c.low:+.{digits}f} to {scale * c.high:+.{digits}f}" if c.has_interval else ""
    return (
        d.name, f"{scale * (d.a or 0):.{digits}f}", f"{scale * (d.b or 0):.{digits}f}",
        Cell(f"{scale * (c.value or 0):+.{digits}f}", small),
        _short(d.p), "" if d.p_corrected is None else _short(d.p_corrected), f"{d.only_a:,}", f"{d.only_b:,}",
        f"{c.rows:,}",
    )  # fmt: skip


def _p(p: float) -> str:
    return f"p {_short(p)}" if p < 0.0001 else f"p = {_short(p)}"


def _short(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _flipped(name: str, pairs: Sequence[tuple[Result, Result]]) -> Table:
    rows = [(x.row, title_of(x.task), x.answer, _said(x), _said(y)) for x, y in pairs[:SHOWN]]
    return Table(name, ("row", "task", "true", "A said", "B said"), tuple(rows), _more(pairs), words=(1, 2, 3, 4))


def _said(r: Result) -> str:
    letter = r.letters.get(STRICT) or "no letter"
    if r.failed:
        return f"failed: {r.error[:80]}"
    return letter if r.text in ("", letter) else f"{letter}: {r.text[:60]}"


def _more(pairs: Sequence[Any]) -> tuple[str, ...]:
    return (f"… and {len(pairs) - SHOWN:,} more.",) if len(pairs) > SHOWN else ()
