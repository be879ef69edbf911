"""A trace to look at: HTML that needs no kernel, PNG, plain text, and a matplotlib figure."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from terrascope_nb._html import Safe, tag
from terrascope_nb.reason.events import SEG
from terrascope_nb.reason.scrub import readable, scrub
from terrascope_nb.reason.show.article import fragment
from terrascope_nb.reason.show.captions import SIGNS, agreement, answer_words, measured_words, no_answer_words
from terrascope_nb.reason.show.pictures import RUNGS, Rung, shown_shape
from terrascope_nb.reason.show.sheet import sheet_png, sheet_webp

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from terrascope_nb.reason.trace import Trace

BUNDLE_BYTES = 300_000
"""Most bytes of HTML, PNG (as base64, as a notebook keeps it) and plain text together."""
_PNG_BYTES = 70_000
_FLAT_BYTES = 26_000


def mimebundle(trace: Trace) -> dict[str, Any]:
    """HTML, PNG and plain text of a trace, for notebooks; readable where no kernel runs.

    Together under `BUNDLE_BYTES`: pictures are shown as finely as that allows, and the page says at what size.
    """
    plain, png = text(trace), sheet_png(trace, _head(trace), _PNG_BYTES)
    flat = sheet_webp(trace, _head(trace), _FLAT_BYTES)
    left = BUNDLE_BYTES - len(plain.encode()) - len(b64encode(png))
    return {"text/plain": plain, "text/html": str(_fitting(trace, flat, left)), "image/png": png}


def _fitting(trace: Trace, flat: bytes, most: int) -> Safe:
    """The page at the finest rung that keeps it within `most` bytes, or at the coarsest."""
    shapes = {f.grid.shape for f in trace.frames}
    finest = max(math.sqrt(h * w) for h, w in shapes)
    rungs = list({(r.quality, *(shown_shape(s, r.side) for s in sorted(shapes))): r for r in RUNGS}.values())
    rungs.sort(key=lambda r: (r.side, r.quality), reverse=True)
    out, at = Safe(""), 0
    while at < len(rungs):
        out = fragment(trace, rungs[at], flat)
        over = len(out.encode()) / most if most > 0 else math.inf
        if over <= 1:
            break
        # bytes go about with the pixels: rungs that are far too fine are not tried
        hopeless = 1.25 * min(rungs[at].side, finest) / math.sqrt(over)
        at += 1
        while at < len(rungs) - 1 and rungs[at].side > hopeless:
            at += 1
    return out


def page(trace: Trace, rung: Rung = RUNGS[0]) -> str:
    """A whole self-contained HTML page: no script, no link to anything outside."""
    return pages([trace], trace.question, rung)


def pages(traces: Sequence[Trace], title: str, rung: Rung = RUNGS[0]) -> str:
    """Several traces on one self-contained HTML page."""
    meta = Safe('<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">')
    paper = tag("style", Safe("body{margin:0;background:#fff}@page{margin:16mm 15mm}"))
    head = tag("head", meta, tag("title", scrub(title)), paper)
    return f"<!doctype html>\n{tag('html', head, tag('body', [fragment(t, rung) for t in traces]), lang='en')}\n"


def text(trace: Trace) -> str:
    """The trace in plain text: question, answer, agreement; then each sentence with what its mask measures."""
    lines = [f"Q: {trace.question}"]
    if trace.choices is not None:
        lines += [f"   {letter}. {option}" for letter, option in trace.choices.items()]
    lines += [f"A: {answer_line(trace)}", f"   {verdict_line(trace)}"]
    n = 0
    for piece, k in trace.passages():
        words = ""
        for j, part in enumerate(piece.split(SEG)):
            n += j > 0
            words += f"[{n}]{part}" if j else part
        if words.strip():
            lines.append(f"   {words.strip()}")
        if k is not None:
            step = trace.steps[k]
            lines.append(f"      [{k + 1}] {step.label or 'region'} on image {step.image}: {measured_words(step)}")
    wrong = [c for c in trace.claims if c.verdict == "disagrees"]
    lines += [f"   {SIGNS[c.verdict]} «{c.text.replace(SEG, '')}»: {c.why}" for c in wrong]
    return readable(scrub("\n".join([*lines, *(f"   problem: {p}" for p in trace.problems)])))


def answer_line(trace: Trace) -> str:
    """«17.1 %», «24.6 ha → C. 24 ha», or why there is no answer."""
    return " — ".join(x for x in (answer_words(trace) or "no answer", no_answer_words(trace)) if x)


def verdict_line(trace: Trace) -> str:
    """«✓ 3 of 3 claims agree with their own masks»."""
    return agreement(trace)[0]


def png(trace: Trace) -> bytes:
    """A static picture: question, answer, and each step's mask over its image. At most nine steps."""
    return sheet_png(trace, _head(trace), _PNG_BYTES)


def plot(trace: Trace, **options: Any) -> Figure:
    """A matplotlib Figure of the trace; see `terrascope_nb.reason.show.figure.plot`."""
    from terrascope_nb.reason.show.figure import plot as draw

    return draw(trace, **options)


def _head(trace: Trace) -> list[tuple[str, int]]:
    """Lines over a picture of the whole, with their heights in pixels."""
    lines = [(scrub(trace.question)[:600], 15), (scrub(answer_line(trace))[:600], 19), (verdict_line(trace), 12)]
    return [(line, size) for line, size in lines if line]
