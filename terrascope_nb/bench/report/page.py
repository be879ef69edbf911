"""A report as one HTML page and as Markdown."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from terrascope_nb._html import Safe, tag
from terrascope_nb.bench import plots
from terrascope_nb.bench.metrics import STRICT
from terrascope_nb.bench.report import tables
from terrascope_nb.bench.report.style import STYLE
from terrascope_nb.bench.report.table import Table
from terrascope_nb.bench.report.worst import LOW, Case, case_html
from terrascope_nb.bench.results import Results
from terrascope_nb.bench.summary import Summary, percent, plain
from terrascope_nb.bench.task import PAPER, TASKS, title_of

if TYPE_CHECKING:
    from terrascope_nb.bench.suite import Suite

AGREES = "«Agrees with its masks» says that a text fits its masks. It does not say that the masks fit the ground."


@dataclass(frozen=True, eq=False)
class Part:
    """A run in a report: its results, their summary, and its cases (wrong; right though it looked elsewhere)."""

    results: Results
    summary: Summary
    wrong: tuple[Case, ...] = ()
    lucky: tuple[Case, ...] = ()


def page(parts: Sequence[Part], suite: Suite | None, title: str) -> str:
    """The whole page."""
    return document(fragment(parts, suite, title), title)


def document(body: Safe, title: str) -> str:
    """An element of ours as a whole page."""
    style = Safe("html{background:#fff}@media (prefers-color-scheme:dark){html{background:#17171b}}body{margin:0}")
    head = tag("head", tag("meta", charset="utf-8"), tag("title", title),
               tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
               tag("meta", name="color-scheme", content="light dark"), tag("style", style))  # fmt: skip
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', body), lang='en')}\n"


def fragment(parts: Sequence[Part], suite: Suite | None, title: str) -> Safe:
    """The report as one element with its own style."""
    made = all_tables(parts)
    summaries = [p.summary for p in parts]
    body: list[Any] = [
        tag("header", tag("h2", title), [tag("p", line, cls="headline") for line in headlines(parts)],
            [tag("p", b, cls="beware") for b in warnings(parts)]),
        made["answers"].html(),
        _radar(summaries),
        [made[k].html() for k in ("answered", "sensors", "bands", "kinds", "rules") if k in made],
        [made[k].html() for k in ("masks", "iou", "matched") if k in made],
        _iou_charts(parts),
        made["no iou"].html() if "no iou" in made else None,
        made["claims"].html() if "claims" in made else None,
        _reliability(summaries),
        made["failures"].html() if "failures" in made else None,
        [_cases(p) for p in parts],
        _made(parts, suite),
    ]  # fmt: skip
    return tag("article", tag("style", Safe(STYLE)), body, cls="tsbench")


def markdown(parts: Sequence[Part], suite: Suite | None, title: str) -> str:
    """The report as Markdown: all but charts and pictures."""
    from terrascope_nb.bench.report.table import _code, _escaped

    lines = [f"# {_escaped(title)}", ""]
    lines += [f"{_escaped(x)}\n" for x in headlines(parts)]
    lines += [f"> {_escaped(x)}\n" for x in warnings(parts)]
    lines += [t.markdown() for t in all_tables(parts).values()]
    lines += ["## How this was made", ""]
    for name, facts in made_of(parts, suite):
        lines += [
            f"**{_escaped(name)}**",
            "",
            *(f"- {k}: {_code(v) if k == 'command' else _escaped(v)}" for k, v in facts),
            "",
        ]
    return "\n".join(lines)


def all_tables(parts: Sequence[Part]) -> dict[str, Table]:
    """The report's tables by name, those that have something to say."""
    summaries = [p.summary for p in parts]
    made = {
        "answers": tables.accuracy_table(summaries),
        "answered": tables.answered_table(summaries),
        "sensors": tables.sensors_table([(p.results, p.summary) for p in parts]),
        "bands": tables.groups_table(summaries, "bands", "By difficulty"),
        "kinds": tables.groups_table(summaries, "sensors", "By what the scene has"),
        "rules": tables.rules_table(summaries),
        "masks": tables.masks_table(summaries),
        "iou": tables.iou_tasks_table(summaries),
        "matched": tables.matched_table(summaries),
        "no iou": tables.why_no_iou_table(summaries),
        "claims": tables.claims_table(summaries),
        "failures": tables.failures_table(summaries),
    }
    return {k: v for k, v in made.items() if v is not None}


def headlines(parts: Sequence[Part]) -> list[str]:
    """One sentence a run; for more than two runs, how many there are."""
    if len(parts) > 2:
        s = parts[0].summary
        return [f"{len(parts)} runs of the same {s.rows:,} questions on {s.images:,} images."]
    out = []
    for p in parts:
        s = p.summary
        seen = "" if s.grounded.all.value is None else f" Mean IoU of its masks: {plain(s.grounded.all, 2)}."
        out.append(
            f"{s.name}: {percent(s.macro)} right as the mean of tasks, {percent(s.micro)} of {s.rows:,} questions on "
            f"{s.images:,} images.{seen}"
        )
    return out


def warnings(parts: Sequence[Part]) -> list[str]:
    """What a reader must know first."""
    out = []
    for p in parts:
        s, r = p.summary, p.results
        if not r.complete:
            out.append(f"{s.name}: {len(r):,} of {r.header['suite']['rows']:,} rows have been asked.")
        failed = {k: v for k, v in s.failed.items() if k != "blank"}
        if failed:
            out.append(f"{s.name}: {sum(failed.values()):,} rows failed, see «Rows that failed».")
        if s.failed.get("blank"):
            out.append(f"{s.name}: {s.failed['blank']:,} rows lack the sensor to blank and are not counted.")
        out += _beside_chance(s)
        if s.unit == "image" and 0 < s.places < s.images:
            out.append(
                f"The {s.images:,} images lie at {s.places:,} places; images of one place are like each other, so that "
                "intervals by image are too narrow (--unit place counts places)."
            )
        if r.header.get("resumed"):
            versions = {str(x.get("versions")) for x in (r.header, *r.header["resumed"])}
            if len(versions) > 1:
                out.append(f"{s.name}: the run was taken up again with other versions, see «How this was made».")
    return list(dict.fromkeys(out))


def _beside_chance(s: Summary) -> list[str]:
    if s.name == "chance" or s.micro.value is None or s.micro.value > s.chance_range[1]:
        return []
    silent = s.rows - s.answered
    beside = f"{s.name}: its accuracy over all rows is no better than chance"
    if not silent:
        return [f"{beside}."]
    rest = f"of the others {percent(s.of_answered)} are right"
    return [f"{beside}; {silent:,} of {s.rows:,} rows have no letter and count as wrong, {rest}."]


def _radar(summaries: Sequence[Summary]) -> Safe | None:
    keys = [k for k in TASKS if any(t.task == k for s in summaries for t in s.tasks)]
    if len(keys) < 3:
        why = f"No radar chart: it needs at least three of the benchmark’s tasks, these rows have {len(keys)}."
        return tag("p", why, cls="small")
    shown = [s for s in summaries if s.name != "chance"][: plots.SERIES]
    lines = []
    for n, s in enumerate(shown):
        known = {t.task: t.accuracy.value for t in s.tasks}
        lines.append(plots.Line(s.name, [known.get(k) for k in keys], f"s{n}"))
    chance = {t.task: t.chance for s in reversed(summaries) for t in s.tasks}
    paper = PAPER[-1]
    lines += [
        plots.Line(
            f"{paper.model} in the paper (other questions, other images)",
            [paper.accuracy[k] / 100 for k in keys],
            "paper",
        ),
        plots.Line("expected of chance", [chance[k] for k in keys], "chance"),
    ]
    left = len(summaries) - len(shown) - any(s.name == "chance" for s in summaries)
    more = f" {left} more runs are in the table alone." if left > 0 else ""
    caption = f"Strict accuracy by task, per cent; intervals are in the table. {tables.OTHER_DATA}{more}"
    return tag("figure", plots.radar([title_of(k) for k in keys], lines),
               plots.legend([(x.name, x.look) for x in lines]), tag("figcaption", caption))  # fmt: skip


def _iou_charts(parts: Sequence[Part]) -> Safe | None:
    charts = []
    for p in parts:
        have = [r for r in p.results if r.iou is not None and STRICT in r.correct and not r.failed]
        if have:
            right, wrong = ([r.iou for r in have if r.correct[STRICT] is k] for k in (True, False))
            charts.append(tag("figure", plots.iou_bars(right, wrong), tag("figcaption", p.summary.name)))
    if not charts:
        return None
    note = "Above the line right answers, below wrong ones; bars are shares of their own number; dashed: the mean."
    return tag("section", tag("h3", "IoU of right and wrong answers"), tag("p", note, cls="small"),
               tag("div", charts, cls="charts" if len(charts) > 1 else "charts one"))  # fmt: skip


def _reliability(summaries: Sequence[Summary]) -> Safe | None:
    have = [s for s in summaries if s.reliability.ece is not None]
    if not have:
        return None
    charts = [
        tag("figure", plots.reliability_curve(s.reliability), tag("figcaption",
            f"{s.name}: expected calibration error {s.reliability.ece:.3f} over {sum(s.reliability.counts):,} rows"
            f"{f'; {s.reliability.without:,} rows have no score' if s.reliability.without else ''}."))
        for s in have
    ]  # fmt: skip
    note = ("The score of a row is the mean score inside its masks. It is what the reasoner puts out, by itself no "
            "probability: the closer the marks to the dashed line, the better it can be read as one.")  # fmt: skip
    return tag("section", tag("h3", "Do scores tell right from wrong?"), tag("p", note, cls="small"),
               tag("div", charts, cls="charts" if len(charts) > 1 else "charts one"))  # fmt: skip


def _cases(p: Part) -> Safe | None:
    made = []
    for cases, word in (
        (p.wrong, "wrong answers, worst masks first"),
        (p.lucky, f"right answers with an IoU below {LOW:g}"),
    ):
        if cases:
            made += [tag("h3", f"{p.summary.name}: {word}"), *(case_html(c) for c in cases)]
    return tag("section", made) if made else None


def _made(parts: Sequence[Part], suite: Suite | None) -> Safe:
    blocks = []
    for name, facts in made_of(parts, suite):
        items = [(tag("dt", k), tag("dd", tag("code", v) if k == "command" else v)) for k, v in facts]
        blocks += [tag("h4", name), tag("dl", items)]
    return tag("section", tag("h3", "How this was made"), tag("p", AGREES, cls="small"), blocks)


def made_of(parts: Sequence[Part], suite: Suite | None) -> list[tuple[str, list[tuple[str, str]]]]:
    """The suite and each run: (name, facts)."""
    told = parts[0].results.header.get("suite", {})
    about = [("name", str(told.get("name", "?"))), ("SHA-256", str(told.get("digest", "?"))),
             ("questions", f"{told.get('rows', '?')}")]  # fmt: skip
    if suite is not None:
        card = suite.card
        about += [("images", f"{card.images:,}"), ("licence", card.licence)]
        about += [("sources", ", ".join(card.sources))] if card.sources else []
        about += [("citation", "; ".join(card.citation))] if card.citation else []
        about += [("note", n) for n in card.notes]
    out = [("Suite", about)]
    for p in parts:
        h = p.results.header
        facts = [("command", command(h)), ("options", _plainly(h.get("reasoner", {}).get("options", {})) or "none"),
                 ("seed", str(h.get("seed"))), ("started", str(h.get("started", "?"))),
                 ("machine", _plainly(h.get("machine", {}))),
                 ("versions", _plainly(h.get("versions", {})))]  # fmt: skip
        for again in h.get("resumed", []):
            facts.append(("taken up again", f"{again.get('started')} on {_plainly(again.get('machine', {}))}; "
                                            f"{_plainly(again.get('versions', {}))}"))  # fmt: skip
        s = p.summary
        if s.seconds is not None:
            facts.append(("time", f"median {s.seconds:.3f} s a question, reading and scoring not counted"))
        facts.append(("answers ended", _plainly(s.finishes) or "none came"))
        facts.append(("intervals", f"{100 * s.level:.0f} %, {s.resamples:,} draws of images, seed {s.seed}"))
        out.append((s.name, facts))
    return out


def command(header: Any) -> str:
    """The command line that asks the same again; options that were left out of the record are not in it."""
    reasoner = header.get("reasoner", {})
    words = ["terrascope-nb", "bench", "run", str(header.get("suite", {}).get("name", "SUITE")), "--reasoner",
             str(reasoner.get("name", "?"))]  # fmt: skip
    if reasoner.get("name") not in ("chance", "frequent", "reference"):
        for key, value in reasoner.get("options", {}).items():
            words += ["--option", f"{key}={value}"] if value is not None else []
    words += ["--blank", str(header["blank"])] if header.get("blank") else []
    words += ["--seed", str(header.get("seed", 0)), "--out", "RUN"]
    return shlex.join(words)


def _plainly(facts: Any) -> str:
    return ", ".join(f"{str(k).replace('_', ' ')} {v}" for k, v in dict(facts).items() if v is not None)
