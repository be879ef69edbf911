"""What a trace's panel says, as HTML: head, step, claims, legend. Pure; texts from outside are escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from terrascope_nb._html import Safe, tag
from terrascope_nb.maps.layers import GAINED, LOST, UNNAMED
from terrascope_nb.reason.events import SEG
from terrascope_nb.reason.measure import Fact
from terrascope_nb.reason.show.captions import (
    SIGNS,
    agreement,
    answer_words,
    claimed_words,
    image_words,
    measured_words,
    no_answer_words,
    value_words,
)
from terrascope_nb.reason.units import pretty

if TYPE_CHECKING:
    from terrascope_nb.reason.trace import Frame, Trace
    from terrascope_nb.reason.verify import Claim

SOURCES = {"only": "the only image", "written": "named in the text", "rule": "by rule", "round-robin": "in turn"}
LONG = 7  # sentences that the list shows without scrolling
_UNREADABLE = re.compile("[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    r"""A text for a widget's own words (buttons, lists): one line, without characters that cannot be sent or read.

    Examples
    --------
    >>> plain("Water [SEG]\n is <b>dark</b>")
    'Water ▣ is <b>dark</b>'
    """
    return _UNREADABLE.sub("�", " ".join(str(text).replace(SEG, "▣").split()))


def picture_words(frame: Frame, view: str) -> str:
    """An image in one of its views, in words: «optical, false colour, 2023-06-15»."""
    return image_words(replace(frame, view=replace(frame.view, name=view)))


def head_html(trace: Trace, running: bool = False, note: str = "") -> Safe:
    """Question, answer, how far the claims agree, problems. While the run goes on, no claim is checked yet."""
    words, kind = ("… the reasoner is at work; its claims are checked at the end", "open")
    if not running:
        words, kind = agreement(trace)
    reason = "" if running else no_answer_words(trace)
    blanked = ", ".join(image_words(frame) for frame in trace.frames if frame.blanked)
    return tag(
        "div",
        tag("p", trace.question, cls="small"),
        tag("p", f"Asked without {blanked}.", cls="small") if blanked else None,
        tag("p", answer_words(trace) or ("…" if running else "No answer"), cls="answer", aria_live="polite"),
        tag("p", reason, cls="small") if reason else None,
        tag("p", words, cls=kind),
        tag("details", tag("summary", "All claims, and how they were checked"), claims_html(trace.claims, True))
        if not running and trace.claims
        else None,
        [tag("p", f"Problem: {p}", cls="bad") for p in trace.problems],
        tag("p", note, cls="small") if note else None,
    )


def step_html(trace: Trace, k: int, running: bool = False) -> Safe:
    """One step: what its mask measures, on which image, by which sensor, and its claims."""
    step, frame = trace.steps[k], trace.frames[trace.steps[k].image]
    claims = [] if running else [c for c in trace.claims if _said_in(c, trace, k)]
    said = tag("p", "Its claims are checked at the end of the run.", cls="small")
    if not running:
        said = claims_html(claims) if claims else tag("p", "No claim to check in this step.", cls="small")
    long = len(trace.steps) > LONG  # its sentence may be out of sight in the list
    unseen = 1 - float(trace.regions[k].domain.pixels.mean())
    return tag(
        "div",
        tag("p", "«", " ".join(step.text.replace(SEG, "▣").split()), "»") if long else None,
        tag("p", tag("b", f"{k + 1}. {step.label or UNNAMED} "), measured_words(step)),
        tag("p", f"On {image_words(frame)} ({SOURCES.get(step.image_source, step.image_source)}).", cls="small"),
        tag("p", sensor_words(trace, k), cls="small"),
        tag("p", f"{_share(unseen)} of the image is not measured: cloud, no data, outside the area or not judged.",
            cls="small") if unseen else None,
        said,
        tag("details", tag("summary", "How the mask was made"), tag("p", step.note, cls="small"))
        if step.note else None,
        aria_live="polite",
    )  # fmt: skip


def sensor_words(trace: Trace, k: int) -> str:
    """Which share of a region each sensor decided.

    Examples
    --------
    >>> import terrascope_nb as ts
    >>> sensor_words(ts.ask(ts.samples.load("lake"), "What share of the scene is water?"), 0)
    'Decided by: optical 97 %, SAR 3 % of the region.'
    """
    step = trace.steps[k]
    if not trace.regions[k].count:
        return "The mask is empty: nothing that is measured lies in it."
    sar = min(max(step.sar_share, 0.0), 1.0)
    if step.modality == "sar" and step.sar_image is None:
        sar = 1.0
    parts = [f"{name} {_share(share)}" for name, share in (("optical", 1 - sar), ("SAR", sar)) if share > 0]
    return f"Decided by: {', '.join(parts)} of the region."


def claims_html(claims: Sequence[Claim], why: bool = False) -> Safe:
    """Claims as a table: verdict in sign and word, claimed against measured; with `why` also the rule of each."""
    names = ("Verdict", "Claim", "Claimed", "Measured", *(("How checked",) if why else ()))
    rows = [
        tag(
            "tr",
            tag("td", f"{SIGNS[c.verdict]} {c.verdict}", cls="verdict"),
            tag("td", claim_words(c)),
            tag("td", claimed_words(c)),
            tag("td", value_words(c.measured, c.unit)),
            tag("td", c.why) if why else None,
            cls=c.verdict.replace(" ", "-"),
            title=c.why,
        )
        for c in claims
    ]
    return tag("table", tag("tr", [tag("th", n, scope="col") for n in names]), rows)


def claim_words(claim: Claim) -> str:
    """What a claim is about: its own words, or, of a bare figure, its kind and labels."""
    said = " ".join(claim.text.replace(SEG, "▣").split())
    if len(re.findall(r"[^\W\d_]{3,}", said)) > 1 or not claim.labels:
        return said
    return f"{claim.kind}: {', '.join(claim.labels)}"


def legend_html(trace: Trace, colors: Mapping[str, str]) -> Safe | str:
    """Colour and name of each label, with the steps that draw it; «» without steps."""
    if not trace.steps:
        return ""
    entries = []
    for name, hue in colors.items():
        steps = [str(k + 1) for k, s in enumerate(trace.steps) if (s.label or UNNAMED) == name]
        which = f" (step{'s' if len(steps) > 1 else ''} {_several(steps)})"
        entries.append(tag("p", tag("span", cls="swatch", style=f"background:{hue}"), name, which))
    return tag("div", tag("h4", "Legend"), tag("div", entries, cls="legend"))


def change_html(facts: Sequence[Fact], label: str) -> Safe:
    """Gain, loss and net in words, with the colours they are drawn in."""
    gained, lost, both = facts
    if gained.value is None:
        return tag("p", gained.note, cls="bad")
    before, after, relative = both.values
    rel = "" if relative is None else f" ({relative:+.1f} % of what there was)".replace("-", "−")
    return tag(
        "div",
        tag("p", tag("span", cls="swatch", style=f"background:{GAINED}"), f"gained {_figure(gained)}"),
        tag("p", tag("span", cls="swatch", style=f"background:{LOST}"), f"lost {_figure(lost)}"),
        tag("p", f"{label}: net {_signed(both)}{rel}, from {pretty(before, both.unit)} to {pretty(after, both.unit)}."),
        tag("p", f"{gained.note}.", cls="small"),
        aria_live="polite",
    )


def _figure(fact: Fact) -> str:
    words = pretty(fact.value, fact.unit)  # type: ignore[arg-type]
    return words if fact.unit != "%" else f"{words} of the compared pixels"


def _signed(fact: Fact) -> str:
    value = float(fact.value)  # type: ignore[arg-type]
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{pretty(abs(value), fact.unit)}"


def _said_in(claim: Claim, trace: Trace, k: int) -> bool:
    """Whether a claim stands in a step's sentence, or rests on the step's mask alone."""
    step = trace.steps[k]
    return claim.steps == (k,) or (claim.where == "text" and step.start <= claim.start < step.end)


def _several(numbers: Sequence[str]) -> str:
    return ", ".join(numbers) if len(numbers) <= 6 else f"{', '.join(numbers[:5])} … {numbers[-1]}"


def _share(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 or not share else "under 1 %"
