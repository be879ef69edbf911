"""`report`: runs of one suite as a page and as Markdown — answers, masks, claims, scores, worst cases with pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from terrascope_nb.bench.intervals import LEVEL, RESAMPLES
from terrascope_nb.bench.metrics import summarise
from terrascope_nb.bench.results import Results
from terrascope_nb.errors import InvalidInput

if TYPE_CHECKING:
    from terrascope_nb.bench.suite import Suite

__all__ = ["report"]


def report(
    *runs: Results | str | Path,
    out: str | Path,
    suite: Suite | None = None,
    title: str = "",
    worst: int = 6,
    unit: str = "image",
    level: float = LEVEL,
    seed: int = 0,
    resamples: int = RESAMPLES,
    overwrite: bool = False,
) -> Path:
    """Write a report of one run or several of the same suite: ``report.html`` and ``report.md``.

    Parameters
    ----------
    *runs : Results, str or Path
        Results, or folders of runs; shown in this order.
    out : str or Path
        A folder, or the name of an HTML file; the Markdown stands beside it.
    suite : Suite, optional
        The suite asked: worst cases then have their pictures, which reads those scenes, and the suite's licence and
        notes are told.
    title : str
        «» for the suite's name.
    worst : int
        Most wrong answers shown of each run, 0 for none.
    unit, level, seed, resamples
        As in `summarise`.
    overwrite : bool
        Write over a report that is there.

    Returns
    -------
    Path
        The HTML file: one file that needs no other, readable without a kernel and without a network.

    Raises
    ------
    InvalidInput
        For runs of different suites, no run, or a suite that is not the one asked.
    AlreadyThere
        When a report is there and may not be overwritten.
    """
    from terrascope_nb.bench.report.page import Part, markdown, page
    from terrascope_nb.bench.report.worst import case_of
    from terrascope_nb.bench.report.worst import worst as worst_of
    from terrascope_nb.reason.export import target, write_text

    opened = [r if isinstance(r, Results) else Results.load(r) for r in runs]
    check_one_suite(opened, suite)
    html = Path(out)
    html = html if html.suffix.lower() in (".html", ".htm") else html / "report.html"
    beside = html.with_suffix(".md")
    for path in (html, beside):
        target(path, overwrite)  # refuse before anything is computed
    parts = []
    for results in opened:
        drew = any(r.masks for r in results)  # without masks, a case shows nothing that the tables do not
        wrong, lucky = worst_of(results, worst) if drew and worst > 0 else ([], [])
        summary = summarise(results, unit=unit, seed=seed, level=level, resamples=resamples)
        cases = (tuple(case_of(r, suite) for r in some) for some in (wrong, lucky))
        parts.append(Part(results, summary, *cases))
    name = title or f"Benchmark {opened[0].header.get('suite', {}).get('name', '')}".strip()
    write_text(html, page(parts, suite, name), overwrite)
    write_text(beside, markdown(parts, suite, name), overwrite)
    return html


def check_one_suite(runs: list[Results], suite: Suite | None = None) -> None:
    """Refuse runs of different suites, and a suite that is not theirs.

    Raises
    ------
    InvalidInput
    """
    if not runs:
        raise InvalidInput("give at least one run: its results or its folder")
    told = [r.header.get("suite", {}) for r in runs]
    digests = {t.get("digest"): t.get("name") for t in told}
    if len(digests) > 1:
        kinds = "; ".join(f"{name!r} ({str(digest)[:12]})" for digest, name in digests.items())
        raise InvalidInput(f"these runs are of different suites, whose figures cannot stand side by side: {kinds}")
    if suite is not None and suite.digest not in digests:
        raise InvalidInput(
            f"suite {suite.name!r} ({suite.digest[:12]}) is not the one that was asked: {told[0].get('name')!r} "
            f"({str(told[0].get('digest'))[:12]})"
        )
