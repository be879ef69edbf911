"""Judge a wording that a language model gave a record: form, citations, answer, and every claim against its masks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from terrascope_nb.cot.record import Record
from terrascope_nb.reason.answers import read_letter
from terrascope_nb.reason.events import SEG
from terrascope_nb.reason.grammar import spans
from terrascope_nb.reason.measure import Region
from terrascope_nb.reason.scrub import readable
from terrascope_nb.reason.verify import verify
from terrascope_nb.reason.verify.claims import Reading, read
from terrascope_nb.reason.verify.figures import MONTHS, Figure, Skipped, figures, flatten
from terrascope_nb.reason.verify.skeleton import when_of
from terrascope_nb.scene.classes import canonical

#: Why a wording is refused; what rejected ones are counted by.
REASONS = (
    "form", "too long", "marks", "citations", "answer changed", "region not named", "wrong date", "nothing claimed",
    "wrong claim", "claim not checkable", "number not given",
)  # fmt: skip
LONGEST = 4000  # characters of reasoning
_FORM = re.compile(r"\s*<think>(?P<think>.*)</think>\s*<answer>(?P<answer>.*)</answer>\s*", re.DOTALL)
_TAG = re.compile(
    r"</?(?:think|answer|p|vp)>|<REGION>|<\|[^|>]*\|>|https?://|\*\*|^\s*[-*#]\s", re.IGNORECASE | re.MULTILINE
)
_OPTION = re.compile(r"\b(?:option|answer|choice)\b[\s:(«\"']*(?:is|would be|must be)?[\s:(«\"']*([A-Z])\b(?![a-z'])")
_IMAGE = re.compile(r"\bimage:?\s*t_?(\d{1,3})", re.IGNORECASE)


@dataclass(frozen=True)
class Verdict:
    """What `judge` finds: `reason` is one of `REASONS`, «» when the wording stands; `detail` says what; `thinking` is
    the reasoning without its tags.
    """

    reason: str = ""
    detail: str = ""
    thinking: str = ""


def judge(text: str, record: Record, regions: Sequence[Region]) -> Verdict:
    """Whether a wording of a record's reasoning may stand.

    It must have the published form, cite each mask once by ``[SEG]`` right behind the name of its class, keep the
    answer, claim something, and claim nothing that its masks do not bear out: every number, comparison, order and
    adjacency agrees by `verify`, what cannot be checked is refused too, and dates and image numbers are the record's.

    Parameters
    ----------
    text : str
        As the model wrote it.
    record : Record
        Composed by rules.
    regions : sequence of Region
        Its masks, in order.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        return Verdict("form", "not <think> … </think><answer> … </answer>")
    thinking, answer = " ".join(found["think"].split()), found["answer"].strip()
    if len(thinking) > LONGEST:
        return Verdict("too long", f"{len(thinking)} characters of at most {LONGEST}")
    mark = _TAG.search(found["think"]) or _TAG.search(answer)
    if mark or readable(text) != text or "\ufffd" in text:
        return Verdict("marks", repr(mark.group()) if mark else "control characters, or letters that are broken")
    segs = thinking.count(SEG)
    if segs != len(regions) or SEG in answer:
        return Verdict("citations", f"{segs} [SEG] for {len(regions)} masks")
    changed = _changed(answer, thinking, record)
    if changed:
        return Verdict("answer changed", changed)
    reading = read(thinking, {r.label for r in regions})
    return _checked(thinking, reading, record, regions)


def _changed(answer: str, thinking: str, record: Record) -> str:
    """What is wrong with the answer, «» for nothing."""
    if record.answer:
        got = read_letter(answer, dict(record.choices or {}))
        if got != record.answer:
            return f"{answer[:80]!r} for {record.answer!r}"
        other = next((x for x in _OPTION.findall(thinking) if x != record.answer), "")
        return f"the reasoning says {other!r}" if other else ""
    same = " ".join(answer.split()).casefold() == " ".join(record.said.split()).casefold()
    return "" if same else f"{answer[:80]!r} for {record.said[:80]!r}"


def _checked(thinking: str, reading: Reading, record: Record, regions: Sequence[Region]) -> Verdict:
    named = {r.seg: r.label for r in reading.segs}
    for k, region in enumerate(regions):
        if not named.get(k):
            return Verdict("region not named", f"[SEG] number {k + 1} does not stand behind «{region.label}»")
        if canonical(named[k]) != canonical(region.label):
            return Verdict("region not named", f"[SEG] number {k + 1} is called {named[k]!r}, not {region.label!r}")
    moved = _moved(thinking, reading, regions)
    if moved:
        return Verdict("wrong date", moved)
    claims = verify(thinking, regions)
    for verdict, reason in (("disagrees", "wrong claim"), ("not checkable", "claim not checkable")):
        bad = next((c for c in claims if c.verdict == verdict), None)
        if bad is not None:
            return Verdict(reason, f"«{bad.text}»: {bad.why}")
    stray = _stray(thinking, reading, record)
    if stray:
        return Verdict("number not given", f"«{stray}»")
    if not claims:
        return Verdict("nothing claimed", "no number, comparison, place or adjacency")
    return Verdict(thinking=thinking)


def _moved(thinking: str, reading: Reading, regions: Sequence[Region]) -> str:
    """A ``[SEG]`` that its sentence puts on another date than its mask's; «» when there is none.

    Of several dates in the sentence the last before the ``[SEG]`` counts, else the first after it.
    """
    flat = flatten(thinking)
    for span in spans(thinking):
        if span.seg is None:
            continue
        region, at = regions[span.seg], thinking.index(SEG, span.start)
        own = f"[SEG] number {span.seg + 1} has its mask on t_{region.image + 1}"
        named = [(m.start(), int(m[1])) for m in _IMAGE.finditer(thinking, span.start, span.end)]
        image = _nearest(named, at)
        if image is not None and image != region.image + 1:
            return f"{own} and is said to be of t_{image}"
        days = [(s.start, flat[s.start : s.end]) for s in reading.skipped if s.what == "date"]
        day = _nearest([d for d in days if span.start <= d[0] < span.end], at)
        if day is not None and region.time is not None:
            when = when_of(day, "date")
            mine = [int(n) for n in str(region.time)[:10].split("-")]
            if when and any(said is not None and said != got for said, got in zip(when[1:], mine, strict=True)):
                return f"{own}, {str(region.time)[:10]}, and is said to be of {day.strip()}"
    return ""


def _nearest(named: list[tuple[int, Any]], at: int) -> Any:
    """Of (position, what) the last before `at`, else the first after it; None for none."""
    before = [what for place, what in named if place < at]
    return before[-1] if before else named[0][1] if named else None


def _stray(thinking: str, reading: Reading, record: Record) -> str:
    """A number that is in no claim and is not the record's own; «» when there is none.

    Its own are its dates and images, and the limits of a rule that its wording by rules asks about («is it at most
    100 m?»), in their order.
    """
    flat = flatten(thinking)
    known = _dates(record)
    covered = np.zeros(len(flat), bool)
    for s in reading.skipped:
        if not _given(flat[s.start : s.end], s, record, known):
            return thinking[s.start : s.end].strip()
        covered[s.start : s.end] = True
    for f in figures(flat)[0]:
        covered[f.start : f.end] = True
    given = iter(_unclaimed(flatten(record.reasoning), read(record.reasoning, record.labels)))
    for f in _unclaimed(flat, reading):
        if not any((f.value, f.high, f.unit, f.bound) == (g.value, g.high, g.unit, g.bound) for g in given):
            return thinking[f.start : f.end]
    for image in re.finditer(r"\bt_?(\d{1,3})\b", flat):
        if not 1 <= int(image[1]) <= len(record.images):
            return thinking[image.start() : image.end()]
        covered[image.start() : image.end()] = True
    return next(
        (
            thinking[k.start() : k.end()]
            for k in re.finditer(r"\w*\d\w*", flat)
            if not covered[k.start() : k.end()].any()
        ),
        "",
    )


def _unclaimed(flat: str, reading: Reading) -> list[Figure]:
    """Figures that are in no statement: those of questions."""
    said = {s.figure.start for s in reading.statements if s.figure is not None}
    return [f for f in figures(flat)[0] if f.start not in said]


def _given(words: str, s: Skipped, record: Record, known: frozenset[str]) -> bool:
    """Whether a number that claims nothing is the record's own."""
    if s.what == "date":
        plain = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b|[,.]|\bof\b", " ", words)
        plain = " ".join(re.sub(r"^\s*(?:in|between|from|since|until|by|and|to|late|early|mid)\s", "", plain).split())
        return plain in known
    if s.what == "image":
        return all(1 <= int(n) <= len(record.images) for n in re.findall(r"\d+", words))
    return s.what == "sensor or band" and bool(words.strip()) and words.strip() in record.source.lower()


def _dates(record: Record) -> frozenset[str]:
    """The record's days, months and years as texts write them, in small letters."""
    out: set[str] = set()
    for time in {t for t in (*(i.time for i in record.images), *(k.time for k in record.masks)) if t}:
        year, month, day = time[:4], time[5:7], time[8:10]
        out |= {year, f"{year}-{month}", time[:10], time[:19].lower()}
        if month:
            for name in (MONTHS[int(month) - 1], MONTHS[int(month) - 1][:3]):
                out |= {name, f"{name} {year}"}
                if day:
                    out |= {
                        f"{int(day)} {name} {year}",
                        f"{name} {int(day)} {year}",
                        f"{int(day)} {name}",
                        f"{name} {int(day)}",
                    }
    return frozenset(out)
