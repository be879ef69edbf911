"""The tables of a report, made from summaries; and a summary's own text and HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from terrascope_nb._html import Safe, tag
from terrascope_nb.bench.intervals import MIN_IMAGES, Estimate
from terrascope_nb.bench.metrics import DENOMINATORS, STRICT, counted, summarise
from terrascope_nb.bench.report.table import Cell, Table, percent_cell, plain_cell
from terrascope_nb.bench.results import Results
from terrascope_nb.bench.summary import RuleScore, Summary
from terrascope_nb.bench.task import PAPER, PAPER_GROUNDING, TASKS, title_of

OTHER_DATA = (
    "The paper’s rows are from its own 3,837 questions on other images: they show the size of figures to expect and "
    "are no comparison."
)
_ERRORS = 12  # rows of the table of errors


def intervals_note(summaries: Sequence[Summary]) -> str:
    """What the intervals are, in one sentence."""
    s = summaries[0]
    return (
        f"In brackets or below: {100 * s.level:.0f} % intervals. The unit is the {s.unit}, since questions of one "
        f"{s.unit} depend on each other: bootstrap of whole {s.unit}s ({s.resamples:,} draws, seed {s.seed}); exact "
        f"with each {s.unit} as one trial where nearly all agree; none below {MIN_IMAGES} {s.unit}s."
    )


def accuracy_table(summaries: Sequence[Summary], paper: bool = True) -> Table:
    """Strict accuracy by task, percent; the paper's rows below where they have the tasks."""
    keys = _tasks(summaries)
    head = ("accuracy, %", *(_short(k) for k in keys), "mean of tasks", "all rows", "rows")
    rows: list[tuple[str | Cell, ...]] = []
    for s in summaries:
        known = {t.task: t.accuracy for t in s.tasks}
        rows.append((
            s.name, *(percent_cell(known[k]) if k in known else "–" for k in keys), percent_cell(s.macro, True),
            percent_cell(s.micro), f"{s.rows:,}",
        ))  # fmt: skip
    first = summaries[0]
    counts = {t.task: t for s in reversed(summaries) for t in s.tasks}
    apart = [len(rows)]
    mean = sum(counts[k].chance for k in keys) / len(keys)
    rows.append(("expected of chance", *(f"{100 * counts[k].chance:.1f}" for k in keys), f"{100 * mean:.1f}",
                 f"{100 * first.chance:.1f}", ""))  # fmt: skip
    rows.append((
        "chance, 99 % range", *(_range(counts[k].beyond_chance) for k in keys), "", _range(first.chance_range), "",
    ))  # fmt: skip
    rows.append(("questions", *(f"{counts[k].accuracy.rows:,}" for k in keys), "", f"{first.rows:,}", ""))
    rows.append((
        f"{first.unit}s", *(f"{counts[k].accuracy.images:,}" for k in keys), "", f"{first.images:,}", "",
    ))  # fmt: skip
    notes = [
        "Strict letters: a row without a letter is wrong, and so is one whose image cannot be read. "
        f"{intervals_note(summaries)}",
        "The range of chance is exact: a sum of trials with each question’s own number of options.",
    ]
    fewer = [f"{s.name} {s.rows:,}" for s in summaries if s.rows < max(x.rows for x in summaries)]
    if fewer:
        notes.append(
            f"Not all runs count the same rows: {', '.join(fewer)}. Compare them where the rows are the same: in «What "
            "each sensor adds», or by bench compare."
        )
    if paper and any(k in TASKS for k in keys):
        apart.append(len(rows))
        rows += [(f"paper: {p.model}", *(f"{p.accuracy[k]:.1f}" if k in p.accuracy else "" for k in keys),
                  f"{p.average:.1f}", "", "") for p in PAPER]  # fmt: skip
        notes.append(OTHER_DATA)
    unscored = max(s.unscored for s in summaries)
    if unscored:
        notes.append(f"{unscored} rows have no right letter in the suite and are counted nowhere.")
    return Table("Answers by task", head, tuple(rows), tuple(notes), tuple(apart))


def answered_table(summaries: Sequence[Summary]) -> Table:
    """How many rows have a letter, how the others ended, and accuracy among those that have one."""
    rows = []
    for s in summaries:
        cut = sum(s.finishes.get(k, 0) for k in ("limit", "loop", "cancelled"))
        rows.append((s.name, f"{s.rows:,}", f"{s.answered:,}", f"{100 * s.answered / s.rows:.1f}",
                     percent_cell(s.of_answered), f"{s.finishes.get('abstained', 0):,}", f"{cut:,}",
                     f"{sum(v for k, v in s.failed.items() if k != 'blank'):,}"))  # fmt: skip
    head = ("", "rows", "with a letter", "%", "right of those, %", "abstained", "cut off", "failed")
    note = "Who abstains says that the data do not allow an answer; «right of those» leaves out rows without a letter."
    return Table("Answered or not", head, tuple(rows), (note,))


def rules_table(summaries: Sequence[Summary]) -> Table:
    """Accuracy by each letter rule: over rows, below it the mean of tasks."""
    rules = [r.rule for r in summaries[0].rules]
    rows: list[tuple[str | Cell, ...]] = []
    notes = [
        f"In brackets or below: the mean of tasks. Strict: {DENOMINATORS[STRICT]}; published rules: "
        f"{DENOMINATORS['published']}. A row that lacks the sensor to blank leaves both.",
        "The published script prints the accuracy over rows; the paper reports the mean of tasks. Each published rule "
        "belongs to the benchmark that it is named for.",
    ]
    for s in summaries:
        rows.append((s.name, *(_rule_cell(r) for r in s.rules)))
        unread = ", ".join(f"{r.rule} in {r.unread:,} of {r.micro.rows:,}" for r in s.rules if r.unread)
        left = ", ".join(f"{r.rule} {r.left_out:,}" for r in s.rules if r.left_out)
        notes += [f"{s.name}: no letter is found by {unread} rows."] if unread else []
        most = max(s.rules[0].unread - r.unread for r in s.rules)
        if most > 0:
            which = max(s.rules, key=lambda r: s.rules[0].unread - r.unread).rule
            notes.append(
                f"{s.name}: {which} reads a letter in {most:,} rows more than strict: it asks for no word boundary and "
                "finds C in «cannot be told»."
            )
        notes += [f"{s.name}: rows that leave the denominator: {left}."] if left else []
    head = ("all rows right, %", *(r if r == STRICT else f"{r} (published)" for r in rules))
    return Table("Letters by rule", head, tuple(rows), tuple(notes))


def _rule_cell(r: RuleScore) -> Cell:
    if r.micro.value is None or r.macro is None:
        return Cell("–")
    return Cell(f"{100 * r.micro.value:.1f}", f"{100 * r.macro:.1f}")


def masks_table(summaries: Sequence[Summary]) -> Table | None:
    """Mean IoU of all, right and wrong answers, their difference and correlation."""
    if not any(s.grounded.all.rows for s in summaries):
        return None
    rows: list[tuple[str | Cell, ...]] = []
    for s in summaries:
        g = s.grounded
        rows.append((s.name, plain_cell(g.all), plain_cell(g.right), plain_cell(g.wrong), plain_cell(g.gap),
                     plain_cell(g.r, 2), f"{g.all.rows:,}", f"{g.all.images:,}"))  # fmt: skip
    p = PAPER_GROUNDING
    rows.append(("paper: TerraScope 8B", "", f"{p['mean IoU when right']:.3f}", f"{p['mean IoU when wrong']:.3f}",
                 f"{p['mean IoU when right'] - p['mean IoU when wrong']:.3f}",
                 f"{p['r between IoU and correctness']:.2f}", "", ""))  # fmt: skip
    head = ("mean IoU", "all", "when right", "when wrong", "difference", "r with being right", "rows", "images")
    notes = [
        "IoU of each mask of the truth with what was drawn for it, the mean a question; a mask that was not drawn "
        "counts 0. Only clear pixels inside the area count, where the truth is known. r is point-biserial.",
    ]  # fmt: skip
    for s in summaries:
        why = [
            f"{name}: {e.how}"
            for name, e in (("r", s.grounded.r), ("difference", s.grounded.gap))
            if not e.has_interval
        ]
        if s.grounded.all.rows and why:
            notes.append(f"{s.name}: {'; '.join(why)}.")
    return Table("Where it looked", head, tuple(rows), (*notes, OTHER_DATA), (len(summaries),))


def iou_tasks_table(summaries: Sequence[Summary]) -> Table | None:
    """Mean IoU by task."""
    have = [s for s in summaries if s.grounded.all.rows]
    if not have:
        return None
    keys = _tasks(have)
    rows = []
    for s in have:
        known = {t.task: t.iou for t in s.tasks}
        rows.append((s.name, *(plain_cell(known[k], 2) if k in known else "–" for k in keys)))
    return Table("Masks by task", ("mean IoU", *map(_short, keys)), tuple(rows))


def why_no_iou_table(summaries: Sequence[Summary]) -> Table | None:
    """Why rows have no IoU, and how truth masks were met."""
    rows = [(s.name, why, f"{n:,}") for s in summaries for why, n in list(s.grounded.missing.items())[:_ERRORS]]
    return Table("Rows without an IoU", ("run", "why", "rows"), tuple(rows), words=(1,)) if rows else None


def matched_table(summaries: Sequence[Summary]) -> Table | None:
    """How the truth's masks were met."""
    have = [s for s in summaries if s.grounded.matched]
    if all(set(s.grounded.matched) == {"label"} for s in have):
        return None  # nothing to tell
    kinds = [
        k for k in ("label", "parts", "order", "missing", "other grid") if any(s.grounded.matched.get(k) for s in have)
    ]
    rows = [(s.name, *(f"{s.grounded.matched.get(k, 0):,}" for k in kinds)) for s in have]
    words = {"label": "by its label", "parts": "by parts of its class", "order": "by order, no label",
             "missing": "not drawn", "other grid": "on another grid"}  # fmt: skip
    return Table("How the truth’s masks were met", ("masks", *(words[k] for k in kinds)), tuple(rows))


def claims_table(summaries: Sequence[Summary]) -> Table | None:
    """How many claims of the texts agree with their own masks."""
    if not any(sum(s.claims.values()) for s in summaries):
        return None
    rows = []
    for s in summaries:
        checkable = s.claims["agrees"] + s.claims["disagrees"]
        share = f"{100 * s.claims['agrees'] / checkable:.1f}" if checkable else "–"
        rows.append((s.name, share, percent_cell(s.agreeing), f"{s.claims['agrees']:,}", f"{s.claims['disagrees']:,}",
                     f"{s.claims['not checkable']:,}"))  # fmt: skip
    notes = (
        "A claim agrees when it fits the mask that it speaks of; whether the mask fits the ground is another question.",
        "By row: each row with a checkable claim counts once.",
    )
    head = ("claims", "agree, % of checkable", "by row, %", "agree", "disagree", "not checkable")
    return Table("What the text says against its own masks", head, tuple(rows), notes)


def groups_table(summaries: Sequence[Summary], field: str, title: str) -> Table | None:
    """Strict accuracy by `bands` or `sensors`."""
    groups: list[Mapping[str, Estimate]] = [getattr(s, field) for s in summaries]
    keys = list(dict.fromkeys(k for g in groups for k in g))
    if len(keys) < 2:
        return None
    rows = [
        (s.name, *(percent_cell(g[k]) if k in g else "–" for k in keys)) for s, g in zip(summaries, groups, strict=True)
    ]
    counts = {k: g[k] for g in groups for k in g}
    rows.append(("questions (images)", *(f"{counts[k].rows:,} ({counts[k].images:,})" for k in keys)))
    return Table(title, ("accuracy, %", *keys), tuple(rows), apart=(len(summaries),))


def sensors_table(runs: Sequence[tuple[Results, Summary]]) -> Table | None:
    """Optical, SAR, both and each blanked, where runs of one reasoner differ in that: on the rows all of them count."""
    seen: dict[str, dict[str, tuple[Results, Summary]]] = {}
    for results, summary in runs:
        name, column = _sees(results)
        seen.setdefault(name, {}).setdefault(column, (results, summary))
    several = {k: _on_common_rows(v) for k, v in seen.items() if len(v) > 1}
    several = {k: v for k, v in several.items() if v}
    if not several:
        return None
    order = ("both", "all there is", "optical alone", "SAR alone", "optical blanked", "SAR blanked")
    columns = sorted({c for v in several.values() for c in v}, key=lambda c: (order.index(c) if c in order else 9, c))
    rows: list[tuple[str | Cell, ...]] = []
    for name, of in several.items():
        one = next(iter(of.values()))
        rows.append((f"{name}: accuracy, %", *(percent_cell(of[c].macro) if c in of else "–" for c in columns)))
        rows.append((f"{name}: right of those answered, %",
                     *(percent_cell(of[c].of_answered) if c in of else "–" for c in columns)))  # fmt: skip
        if any(s.grounded.all.rows for s in of.values()):
            rows.append((f"{name}: mean IoU", *(plain_cell(of[c].grounded.all) if c in of else "–" for c in columns)))
        rows.append(
            (f"{name}: rows ({one.unit}s)", *(f"{one.rows:,} ({one.images:,})" if c in of else "–" for c in columns))
        )
    notes = (
        "On the rows that all these runs count. Accuracy is the mean of tasks; a row without a letter is wrong.",
        "A blanked sensor is replaced by the mean of each band’s view: what a reasoner loses by it shows whether the "
        "sensor was used.",
    )
    return Table("What each sensor adds", ("", *columns), tuple(rows), notes)


def _on_common_rows(runs: Mapping[str, tuple[Results, Summary]]) -> dict[str, Summary]:
    common = set.intersection(*({r.row for r in counted(results)} for results, _ in runs.values()))
    if not common:
        return {}
    both = all(r.sensors == "optical+sar" for results, _ in runs.values() for r in results if r.row in common)
    names = {c: "both" if both and c == "all there is" else c for c in runs}
    return {
        names[column]: summarise([r for r in results if r.row in common], unit=s.unit, seed=s.seed, level=s.level,
                          resamples=s.resamples)
        for column, (results, s) in runs.items()
    }  # fmt: skip


def _sees(results: Results) -> tuple[str, str]:
    """Which reasoner (less its sensor options), and what it was given to see."""
    reasoner = results.header.get("reasoner", {})
    options = dict(reasoner.get("options", {}))
    only = options.pop("sensor", None) or options.pop("fusion", None)
    blank = results.header.get("blank")
    words = {"optical": "optical", "sar": "SAR"}
    sensors = {r.sensors for r in results if r.sensors}
    whole = (
        "both"
        if sensors == {"optical+sar"}
        else "all there is"
        if "optical+sar" in sensors
        else " or ".join(words.get(s, s) for s in sorted(sensors)) or "nothing"
    )
    if blank:
        column = f"{words[blank]} blanked"
        column += f", {words[only]} alone" if only in words else ""
    else:
        column = f"{words[only]} alone" if only in words else whole
    special = ", ".join(f"{k} {v}" for k, v in options.items() if k in ("region_mode", "model") and v is not None)
    return f"{reasoner.get('name', 'a run')}{f' ({special})' if special else ''}", column


def failures_table(summaries: Sequence[Summary]) -> Table | None:
    """Errors by their class, with an example of each."""
    rows = []
    for s in summaries:
        kinds: dict[str, list[str]] = {}
        counts: Counter[str] = Counter()
        for error, n in s.errors.items():
            name = error.partition(":")[0]
            kinds.setdefault(name, []).append(error)
            counts[name] += n
        for name, n in counts.most_common(_ERRORS):
            others = f" (and {len(kinds[name]) - 1:,} other messages)" if len(kinds[name]) > 1 else ""
            first = kinds[name][0]
            rows.append((s.name, f"{first[:200]}{'…' if len(first) > 200 else ''}{others}", f"{n:,}"))
    if not rows:
        return None
    note = "Each costs one row, which is wrong by the strict rule; a row that lacks the sensor to blank is not counted."
    return Table("Rows that failed", ("run", "error", "rows"), tuple(rows), (note,), words=(1,))


def summary_tables(s: Summary) -> list[Table]:
    """A summary's own tables."""
    made = [
        accuracy_table([s], paper=False), answered_table([s]), masks_table([s]), claims_table([s]),
        groups_table([s], "bands", "Difficulty"), failures_table([s]),
    ]  # fmt: skip
    return [t for t in made if t is not None]


def summary_text(s: Summary) -> str:
    """A summary as plain text."""
    head = f"{s.name} on {s.suite!r}: {s.rows} questions on {s.images} images"
    return "\n\n".join([head, *(t.text() for t in summary_tables(s))])


def summary_html(s: Summary) -> Safe:
    """A summary as HTML with its style."""
    from terrascope_nb.bench.report.style import STYLE

    head = tag("h2", f"{s.name} on {s.suite}"), tag("p", f"{s.rows:,} questions on {s.images:,} images.", cls="small")
    return tag("article", tag("style", Safe(STYLE)), head, [t.html() for t in summary_tables(s)], cls="tsbench")


def _tasks(summaries: Sequence[Summary]) -> list[str]:
    there = {t.task for s in summaries for t in s.tasks}
    return [k for k in TASKS if k in there] + sorted(there - set(TASKS))


def _short(key: str) -> str:
    return title_of(key).replace("_", " ")


def _range(span: tuple[float, float]) -> str:
    return f"{100 * span[0]:.1f}–{100 * span[1]:.1f}"
