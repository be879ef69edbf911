"""`run`: ask a reasoner every question of a suite; each result is on the disk before the next question is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.bench import scoring
from terrascope_nb.bench.baselines import open_for
from terrascope_nb.bench.grounding import Grounding, ground
from terrascope_nb.bench.journal import Journal, now
from terrascope_nb.bench.machine import machine, versions
from terrascope_nb.bench.results import SCHEMA, Result, Results
from terrascope_nb.cot.record import MaskRef
from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.provenance import plain_option
from terrascope_nb.reason.reasoner import Reasoner, ask
from terrascope_nb.reason.scrub import readable, scrub
from terrascope_nb.reason.verify import VERDICTS
from terrascope_nb.scene.scene import MODALITIES, Scene

if TYPE_CHECKING:
    from terrascope_nb.bench.suite import Row, Suite
    from terrascope_nb.reason.trace import Trace

_LONGEST = 4000  # characters of an answer or an error that are kept


def run(
    suite: Suite,
    reasoner: str | Reasoner,
    out: str | Path,
    *,
    options: Mapping[str, Any] | None = None,
    train: Suite | None = None,
    blank: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Results:
    """Ask every question of a suite; a run that was broken off goes on where it was.

    Parameters
    ----------
    suite : Suite
    reasoner : str or Reasoner
        A name as `baselines.open_for` takes it ("chance", "frequent", "reference", "spectral", …), or an open reasoner.
    out : str or Path
        Folder of the run. Where it holds the same run, rows that are there are not asked again.
    options : Mapping, optional
        Of a reasoner that is opened by name.
    train : Suite, optional
        For "frequent": where its letters are counted.
    blank : "optical" or "sar", optional
        Take this sensor away from every scene (`Scene.blank`).
    limit : int, optional
        Ask no more than the first `limit` rows of the suite.
    seed : int
        Of "chance"; kept in the header.
    progress : bool
        Show a bar where bars are shown at all.

    Returns
    -------
    Results
        Rows in the order of the suite.

    Raises
    ------
    InvalidInput
        When the folder holds another run: the message says what differs.

    Notes
    -----
    An image that cannot be read, a sensor to blank that is not there, or a reasoner that raises cost one row, whose
    `Result.error` names it. Ctrl-C stops after what is on the disk; the same call goes on. A scene is read once for
    rows of one image that follow one another.
    """
    if blank is not None and blank not in MODALITIES:
        raise InvalidInput(unknown("sensor to blank", blank, MODALITIES))
    if limit is not None and limit < 1:
        raise InvalidInput(f"limit is how many rows to ask, at least 1; got {limit}")
    opened = open_for(suite, reasoner, train=train, seed=seed, **dict(options or {}))
    rows = suite.rows[:limit]
    with Journal(out, _header(suite, opened, blank, seed)) as journal:
        missing = [row for row in rows if row.id not in journal.done]
        desk = _Desk(suite, opened, blank)
        for row in _watched(missing, progress):
            try:
                journal.append(desk.result(row))
            except KeyboardInterrupt as e:
                e.add_note(f"{len(journal.done)} of {len(suite)} rows are in {out}; the same call goes on from there")
                raise
        order = {row.id: k for k, row in enumerate(suite.rows)}
        done = sorted(journal.done.values(), key=lambda r: order[r.row])
        return Results(tuple(done), journal.header, Path(out))


def _watched(rows: list[Row], wanted: bool) -> Iterable[Row]:
    if not wanted:
        return rows
    from terrascope_nb._progress import progress

    return progress(rows, "asking", "row")


def _header(suite: Suite, reasoner: Reasoner, blank: str | None, seed: int) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "suite": {
            "name": suite.name, "digest": suite.digest, "rows": len(suite), "letter_rule": suite.letter_rule,
        },
        "reasoner": {
            "name": reasoner.name,
            "options": {str(k): plain_option(str(k), v) for k, v in reasoner.options.items()},
        },
        "seed": int(seed),
        "blank": blank,
        "started": now(),
        "machine": machine(),
        "versions": versions(),
    }  # fmt: skip


@dataclass(frozen=True)
class _Read:
    """What reading an image gave: the scene (blanked where asked), the truth's mapped pixels, or why not."""

    image: str
    scene: Scene | None
    mapped: tuple[np.ndarray, ...] | None = None
    failed: str = ""
    error: str = ""


class _Desk:
    """Asks rows one by one; keeps the scene of the last image."""

    def __init__(self, suite: Suite, reasoner: Reasoner, blank: str | None) -> None:
        self._suite, self._reasoner, self._blank = suite, reasoner, blank
        self._read: _Read | None = None

    def result(self, row: Row) -> Result:
        if self._read is None or self._read.image != row.image:
            self._read = None  # the last scene may go before the next is read
            self._read = self._open(row)
        read = self._read
        known = {
            "row": row.id, "image": row.image, "task": row.task, "band": row.band, "answer": row.answer,
            "options": 0 if row.choices is None else len(row.choices), "blanked": self._blank or "", "place": row.place,
            "labels": tuple(m.label for m in row.masks),
        }  # fmt: skip
        if read.scene is None:
            why = "the scene could not be read"
            return Result(**known, error=read.error, failed=read.failed, correct=_wrong(row), why_no_iou=why)
        sensors = "+".join(read.scene.modalities)
        start = perf_counter()
        try:
            mine = self._reasoner.of_row(row) if hasattr(self._reasoner, "of_row") else self._reasoner
            trace = ask(read.scene, row.question, row.choices, mine)
            seconds = perf_counter() - start
            told = self._told(row, trace, read)
        except Exception as e:  # noqa: BLE001  (whatever a reasoner raises costs one row, which names it)
            why = "the reasoner raised an error"
            return Result(
                **known, error=_named(e), failed="reasoner", correct=_wrong(row), why_no_iou=why, sensors=sensors,
                seconds=round(perf_counter() - start, 6),
            )  # fmt: skip
        return Result(**known, sensors=sensors, seconds=round(seconds, 6), **told)

    def _open(self, row: Row) -> _Read:
        failed = "image"
        try:
            scene = row.scene()
            truth = self._suite.labelled(row) if row.masks else None
            mapped = None
            if truth is not None:
                dates = {k: n for n, m in enumerate(scene.moments()) for k in (m.optical, m.sar) if k is not None}
                mapped = tuple(truth.mapped(dates.get(k, 0)) for k in range(len(scene.images)))
            failed = "blank"
            if self._blank is not None:
                scene = scene.blank(self._blank)
        except Exception as e:  # noqa: BLE001  (a bad image costs its rows, which name it)
            return _Read(row.image, None, failed=failed, error=_named(e))
        return _Read(row.image, scene, mapped)

    def _told(self, row: Row, trace: Trace, read: _Read) -> dict[str, Any]:
        """What the trace says, in the fields of `Result`."""
        letters = scoring.letters(trace.answer, row.choices, self._reasoner.options)
        found: Grounding = ground(row.masks, trace, read.scene, row.why_no_masks, read.mapped)
        verdicts = [c.verdict for c in trace.claims]
        return {
            "choice": trace.answer.choice or "",
            "text": _short(trace.answer.text),
            "letters": letters,
            "correct": {rule: letter == row.answer for rule, letter in letters.items()} if row.answer else {},
            "ious": found.ious, "matched": found.matched, "iou": found.iou, "why_no_iou": found.why,
            "claims": {v: verdicts.count(v) for v in VERDICTS},
            "score": _score(trace),
            "finish": trace.answer.finish,
            "masks": tuple(
                MaskRef.of(s.mask.values, s.label, s.image, None if s.time is None else str(s.time))
                for s in trace.steps
            ),
        }  # fmt: skip


def _wrong(row: Row) -> dict[str, bool]:
    """A row that failed is wrong by every rule; who leaves it out of a denominator does so in `metrics`."""
    return dict.fromkeys(scoring.LETTER_RULES, False) if row.answer else {}


def _score(trace: Trace) -> float | None:
    """Mean over the masks of the mean score inside each; NaN pixels and empty masks do not count."""
    means = []
    for step in trace.steps:
        if step.probability is not None:
            inside = step.probability.values[step.mask.values]
            inside = inside[np.isfinite(inside)]
            if inside.size:
                means.append(float(inside.mean(dtype=np.float64)))
    return float(np.mean(means)) if means else None


def _named(error: BaseException) -> str:
    return _short(f"{type(error).__name__}: {error}")


def _short(text: str) -> str:
    return readable(scrub(text))[:_LONGEST]
