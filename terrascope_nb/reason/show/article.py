"""A trace as HTML: question, answer, agreement; then each step's picture beside its sentence; then how it was made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from terrascope_nb._html import Safe, data_uri, esc, tag
from terrascope_nb.reason.events import SEG
from terrascope_nb.reason.scrub import scrub, scrub_in_place, scrubbed
from terrascope_nb.reason.show.captions import (
    SIGNS,
    agreement,
    answer_words,
    claimed_words,
    difference_words,
    image_words,
    measured_words,
    no_answer_words,
    unmeasured_words,
    value_words,
)  # fmt: skip
from terrascope_nb.reason.show.pictures import RUNGS, Rung, base_bytes, overlay_bytes, pixel_aspect, shown_note
from terrascope_nb.reason.show.style import STYLE
from terrascope_nb.scene.classes import color

if TYPE_CHECKING:
    from terrascope_nb.reason.trace import Frame, Trace
    from terrascope_nb.reason.verify import Claim

_HIGHEST = 560  # CSS pixels
_STRIP = 2.6  # pictures longer than this many times their width get a row, or a narrow column, of their own


def fragment(trace: Trace, rung: Rung = RUNGS[0], flat: bytes = b"") -> Safe:
    """The trace as one HTML element with its own style; several may stand in one page.

    Parameters
    ----------
    rung : Rung
        How finely pictures are shown.
    flat : bytes
        WebP of the whole, seen only where a viewer takes out style and vector graphics (a notebook not trusted).
    """
    key = _key(trace)
    shown = sorted({s.image for s in trace.steps}) or [0]
    defs = [
        tag("image", id=f"{key}-{k}", width=w, height=h,
            href=data_uri("image/webp", base_bytes(trace.frames[k].view, rung)),
            preserveAspectRatio="none", style=_crisp(trace, k))
        for k in shown for w, h in [_box(trace, k)]
    ]  # fmt: skip
    body: list[Any] = []
    for start, end, k in _passages(trace):
        if k is not None:
            body.append(_step(trace, k, _prose(trace, start, end), key, rung))
        elif trace.text[start:end].strip():
            body.append(tag("div", tag("p", _prose(trace, start, end), cls="prose"), cls="between"))
    parts: list[Any] = [
        tag("style", Safe(STYLE)),
        tag("svg", tag("defs", defs), cls="defs", width=0, height=0, aria_hidden="true"),
        _head(trace),
        tag("img", cls="flat", src=data_uri("image/webp", flat), alt="Pictures of all steps") if flat else None,
        [tag("p", f"Problem: {p}", cls="problem") for p in trace.problems],
        body,
        None if trace.steps else _alone(trace, key),
        _claims(trace),
        _made(trace, rung),
    ]
    return Safe(scrub(tag("article", parts, cls="tsnb")))


# ---- head -------------------------------------------------------------------------------------------------------


def _head(trace: Trace) -> Safe:
    words, kind = agreement(trace)
    reason, said = no_answer_words(trace), scrub(answer_words(trace) or "No answer")
    return tag(
        "header",
        tag("h2", scrub(trace.question), cls="long" if len(trace.question) > 160 else None),
        _options(trace),
        tag("p", said, cls="answer long" if reason or len(said) > 60 else "answer"),
        tag("p", scrub(reason), cls="problem") if reason else None,
        tag("p", words, cls=f"verdict {kind}"),
        tag("p", _who(trace), cls="small"),
    )


def _options(trace: Trace) -> Safe | None:
    if trace.choices is None:
        return None
    items = []
    for letter, option in trace.choices.items():
        taken = letter == trace.answer.choice
        mark = tag("span", "●" if taken else "○", aria_label="chosen" if taken else "not chosen")
        items.append(tag("li", mark, f" {letter}. {scrub(option)}", cls="taken" if taken else None))
    return tag("ul", items, cls="options")


def _who(trace: Trace) -> str:
    used = {s.image for s in trace.steps} | {s.sar_image for s in trace.steps if s.sar_image is not None}
    frames = [trace.frames[k] for k in sorted(used)]
    seen = list(dict.fromkeys(f"{_kind(f)} {f.day}{' (blanked)' if f.blanked else ''}" for f in frames or trace.frames))
    place = scrub(str(trace.provenance.get("scene") or ""))
    return f"By {scrub(trace.reasoner) or 'an unnamed reasoner'}{f' on {place}' if place else ''}: {', '.join(seen)}."


# ---- text -------------------------------------------------------------------------------------------------------


def _passages(trace: Trace) -> Iterable[tuple[int, int, int | None]]:
    at = 0
    for piece, k in trace.passages():
        yield at, at + len(piece), k
        at += len(piece)


def _prose(trace: Trace, start: int, end: int) -> Safe:
    """The text with its claims underlined and each ``[SEG]`` as the number of its step."""
    text = scrub_in_place(trace.text)
    out, at = Safe(""), start
    for c in _claims_of(trace, start, end):
        if c.start < at:
            continue
        out += _numbered(text, at, c.start)
        sign = tag("span", f"\u2009{SIGNS[c.verdict]}", cls="sign", role="img", aria_label=c.verdict)
        out += tag("span", _numbered(text, c.start, c.end), sign, cls=f"c {_css(c.verdict)}", title=scrub(c.why))
        at = c.end
    return out + _numbered(text, at, end)


def _claims_of(trace: Trace, start: int, end: int) -> list[Claim]:
    """Claims of the text that lie within, by place; of two at one place the shorter first."""
    inside = [c for c in trace.claims if c.where == "text" and start <= c.start < c.end <= end]
    return sorted(inside, key=lambda c: (c.start, c.end))


def _numbered(text: str, start: int, end: int) -> Safe:
    out, before = Safe(""), text.count(SEG, 0, start)
    for n, piece in enumerate(text[start:end].split(SEG)):
        if n:
            out += tag("span", before + n, cls="seg", title=f"picture {before + n}")
        out += esc(piece)
    return out


def _css(verdict: str) -> str:
    return verdict.replace(" ", "-")


# ---- steps ------------------------------------------------------------------------------------------------------


def _step(trace: Trace, k: int, sentence: Safe, key: str, rung: Rung) -> Safe:
    step, f = trace.steps[k], trace.frames[trace.steps[k].image]
    w, h = _box(trace, step.image)
    measured = trace.regions[k].domain.pixels
    layer = data_uri("image/webp", overlay_bytes(step.mask.values, measured, color(step.label), rung))
    name = scrub(step.label) or "region"
    picture = tag(
        "svg",
        tag("use", href=f"#{key}-{step.image}"),
        tag("image", href=layer, width=w, height=h, preserveAspectRatio="none", style=_crisp(trace, step.image)),
        viewBox=f"0 0 {w} {h}", role="img", style=_slim(w, h),
        aria_label=f"Step {k + 1}: {name} outlined on {f.view.name}, {f.day}",
    )  # fmt: skip
    caption = tag(
        "figcaption",
        tag("span", cls="swatch", style=f"background:{color(step.label)}"), tag("b", f"{k + 1}. {name}"),
        f" on image {step.image}: {image_words(f)}. {unmeasured_words(trace, k)}",
    )  # fmt: skip
    at_odds = [c for c in _claims_of(trace, step.start, step.end) if c.verdict == "disagrees"]
    return tag(
        "section",
        tag("figure", picture, caption),
        tag(
            "div",
            tag("p", sentence, cls="prose said"),
            [tag("p", f"{SIGNS['disagrees']} «{scrub(_words(c))}»: {scrub(c.why)}", cls="but") for c in at_odds],
            tag("p", tag("b", "Its mask measures: "), measured_words(step), cls="small"),
            tag("p", scrub(" ".join(map(_sentence, (_sensor_words(trace, k), step.note))).strip()), cls="small"),
        ),
        cls=f"step{_layout(w, h)}",
    )


def _alone(trace: Trace, key: str) -> Safe:
    """The first image, for a trace without a mask."""
    f = trace.frames[0]
    w, h = _box(trace, 0)
    svg = tag(
        "svg",
        tag("use", href=f"#{key}-0"),
        viewBox=f"0 0 {w} {h}",
        role="img",
        aria_label=f"{f.view.name}, {f.day}",
        style=_slim(w, h),
    )
    blank = " The picture shows no place." if f.blanked else ""
    caption = tag("figcaption", f"Image 0: {image_words(f)}. No region was outlined.{blank}")
    return tag("section", tag("figure", svg, caption), cls=f"step{_layout(w, h)}")


def _sensor_words(trace: Trace, k: int) -> str:
    step = trace.steps[k]
    if step.sar_image is None or step.sar_image == step.image:
        return ""
    return f"SAR of {trace.frames[step.sar_image].day} decided {100 * step.sar_share:.0f} % of it."


def _box(trace: Trace, k: int) -> tuple[float, float]:
    """Width and height of an image in the page's units, in the ground's proportions; the longer is 1000."""
    grid = trace.frames[k].grid
    w, h = grid.width, grid.height * pixel_aspect(grid)
    return round(1000 * w / max(w, h), 3), round(1000 * h / max(w, h), 3)


def _layout(w: float, h: float) -> str:
    return " wide" if w > _STRIP * h else " tall" if h > _STRIP * w else ""


def _slim(w: float, h: float) -> str | None:
    """A picture is no higher than `_HIGHEST`, and no wider than that allows."""
    return f"max-width:{_HIGHEST * w / h:.0f}px" if h > w else None


def _kind(frame: Frame) -> str:
    return "SAR" if frame.modality == "sar" else frame.modality


def _crisp(trace: Trace, k: int) -> str | None:
    """Small scenes show their pixels as they are; larger ones are smoothed to the size shown."""
    return "image-rendering:pixelated" if max(trace.frames[k].grid.shape) <= 300 else None


# ---- claims and record ------------------------------------------------------------------------------------------


def _claims(trace: Trace) -> Safe | None:
    from terrascope_nb.reason.verify import RULE

    if not trace.claims:
        return None
    titles = ("Said", "Where", "Claimed", "Its mask", "Difference", "Verdict")
    rows = []
    for c in trace.claims:
        steps = ", ".join(f"step {k + 1}" for k in c.steps) or "text"
        where = "answer" if c.where == "answer" else steps
        rows.append(tag("tr",
            tag("td", tag("b", scrub(_words(c)))), tag("td", where, data_is="Where"),
            tag("td", scrub(claimed_words(c)), data_is="Claimed", cls="num"),
            tag("td", scrub(value_words(c.measured, c.unit)), data_is="Its mask", cls="num"),
            tag("td", difference_words(c), data_is="Difference", cls="num") if c.difference is not None else tag("td"),
            tag("td", f"{SIGNS[c.verdict]} {c.verdict}", cls=f"v {_css(c.verdict)}", title=scrub(c.why))))  # fmt: skip
    others = [c for c in trace.claims if c.verdict != "agrees"]
    notes = [tag("li", f"{SIGNS[c.verdict]} «{scrub(_words(c))}»: {scrub(c.why)}") for c in others]
    head = tag("thead", tag("tr", [tag("th", x, scope="col") for x in titles]))
    return tag("section", tag("h3", "Every claim against its own mask"), tag("table", head, tag("tbody", rows)),
               tag("ul", notes, cls="small") if notes else None, tag("p", RULE, cls="small"))  # fmt: skip


def _words(claim: Claim) -> str:
    return " ".join(claim.text.replace(SEG, " ").split())


def _made(trace: Trace, rung: Rung) -> Safe:
    items = []
    for k, f in enumerate(trace.frames):
        d = trace.domain(k)
        shares = f"{100 * d.clear_share:.1f} % of the area is clear, {100 * d.nodata_share:.1f} % has no data"
        whole = "" if f.inside.all() else f"; the area is {100 * d.aoi_share:.1f} % of the picture"
        note = shown_note(f.grid.shape, rung.side)
        words = [
            f"{_kind(f)}, {f.day}{', blanked' if f.blanked else ''}; {repr(f.grid)[1:-1]}; {shares}{whole}.",
            _sentence(f"{f.view.name.replace('sar', 'SAR')}: {f.view.stretch}"),
            _sentence(note),
            f"From {', '.join(map(scrub, f.sources)) or 'arrays in memory'}.",
            *map(_sentence, map(scrub, f.notes)),
        ]
        items.append(tag("li", tag("b", f"Image {k}: "), " ".join(w for w in words if w)))
    facts = scrubbed(trace.provenance)
    told = {k: v for k, v in facts.items() if k != "scene" and v not in ("", None, [], {})}
    said = "; ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in told.items())
    items.append(tag("li", tag("b", "Run: "), f"{said}." if said else "nothing recorded."))
    record = json.dumps(facts, ensure_ascii=False, indent=1, default=str)
    return tag("section", tag("h3", "How this was made"), tag("ul", items, cls="small"),
               tag("details", tag("summary", "Record (JSON)"), tag("pre", record)) if facts else None)  # fmt: skip


def _sentence(words: str) -> str:
    """With a capital and a full stop; «» stays empty."""
    words = words.strip()
    return words and words[0].upper() + words[1:] + ("" if words[-1] in ".!?…" else ".")


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{k} {_short(v)}" for k, v in value.items()) + ")"
    if isinstance(value, list):
        return "; ".join(_short(v).rstrip(".") for v in value)
    return str(value)


def _key(trace: Trace) -> str:
    """A name for the page's own links that no other trace has: made of what is shown, pixels too."""
    seed = hashlib.sha256(json.dumps([trace.question, trace.text, trace.answer.text]).encode("utf-8", "surrogatepass"))
    for f in trace.frames:
        seed.update(f.view.pixels.tobytes())
    for s in trace.steps:
        seed.update(s.mask.values.tobytes())
    return "tsnb" + seed.hexdigest()[:12]
