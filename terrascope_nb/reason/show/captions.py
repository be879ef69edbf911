"""What a page, a picture and plain text say of a trace, in the same words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from terrascope_nb.reason.units import pretty

if TYPE_CHECKING:
    from terrascope_nb.reason.trace import Frame, Step, Trace
    from terrascope_nb.reason.verify import Claim

SIGNS = {"agrees": "✓", "disagrees": "✗", "not checkable": "?"}
_FINISHES = {
    "limit": "The answer was cut off at the limit",
    "loop": "The answer was cut off in a loop",
    "cancelled": "The run was cancelled",
    "abstained": "No answer is given",
}


def answer_words(trace: Trace) -> str:
    """The answer in one line, with the option's letter and text; «» where there is none."""
    a = trace.answer
    said = " ".join(a.text.split())
    if a.choice is None:
        return said
    option = None if trace.choices is None else trace.choices.text(a.choice)
    if said in ("", a.choice, option):
        return f"{a.choice}. {option}" if option else a.choice
    return f"{said} ({a.choice})" if option is None or option in said else f"{said} → {a.choice}. {option}"


def no_answer_words(trace: Trace) -> str:
    """Why a run did not end with an answer, or «»."""
    a = trace.answer
    if a.finish == "stop":
        return ""
    return f"{_FINISHES.get(a.finish, a.finish)}: {a.reason}" if a.reason else f"{_FINISHES.get(a.finish, a.finish)}."


def agreement(trace: Trace) -> tuple[str, str]:
    """How many claims agree with their masks, in words, and "good", "bad" or "open"."""
    n = dict.fromkeys(SIGNS, 0)
    for c in trace.claims:
        n[c.verdict] += 1
    total = sum(n.values())
    if not total:
        return "? No claim to check", "open"
    whose = "its own mask" if total == 1 else "their own masks"
    verb = "agrees" if total == 1 and n["agrees"] else "agree"
    line = f"{n['agrees']} of {total} claim{'s' if total > 1 else ''} {verb} with {whose}"
    line += f", {n['disagrees']} {'disagrees' if n['disagrees'] == 1 else 'disagree'}" if n["disagrees"] else ""
    line += f", {n['not checkable']} cannot be checked" if n["not checkable"] else ""
    kind = "bad" if n["disagrees"] else "good" if n["agrees"] else "open"
    return f"{ {'good': '✓', 'bad': '✗', 'open': '?'}[kind] } {line}", kind


def image_words(frame: Frame) -> str:
    """«optical, true colour, 2023-06-15», «SAR, 2023-06-15»."""
    shown = [] if frame.view.name == "sar" else [frame.view.name.replace("sar", "SAR")]
    kind = [] if shown and shown[0].startswith("SAR") else ["SAR" if frame.modality == "sar" else frame.modality]
    return ", ".join([*kind, *shown, frame.day]) + (", blanked" if frame.blanked else "")


def step_words(trace: Trace, k: int | None) -> str:
    """«1. water, 17.1 % (optical, true colour, 2023-06-15)»: a title for a step, or (None) for the first image."""
    if k is None:
        return image_words(trace.frames[0])
    step = trace.steps[k]
    share = "nothing clear" if step.measured.share is None else f"{step.measured.share:.1f} %"
    return f"{k + 1}. {step.label or 'region'}, {share} ({image_words(trace.frames[step.image])})"


def measured_words(step: Step) -> str:
    """What the step's mask measures, in one sentence."""
    m = step.measured
    if m.share is None:
        return "nothing, for no pixel of the area is clear."
    parts = "1 part" if m.count == 1 else f"{m.count:,} parts"
    figures = [
        f"{m.share:.2f} % of {m.of_pixels:,} clear pixels",
        "" if m.area is None else pretty(m.area, "m²"),
        f"{parts} of {m.min_pixels} pixels or more" + (f" (and {m.small_parts:,} smaller)" if m.small_parts else ""),
        f"lies in the {m.location}" if m.location else "",
    ]
    return ", ".join(x for x in figures if x) + "."


def unmeasured_words(trace: Trace, k: int) -> str:
    """What the hatching on a step's picture means, with its share; «» where all was measured."""
    step = trace.steps[k]
    domain, frame = trace.regions[k].domain, trace.frames[step.image]
    out = []
    if frame.blanked:
        out.append("The picture shows no place.")
    blind = 1 - domain.pixels.mean()
    if blind:
        outside = "outside the area, " if not frame.inside.all() else ""
        share = f"{100 * blind:.0f} %" if blind >= 0.01 else "under 1 %"
        out.append(f"Hatched: {share} not measured ({outside}cloud, no data or not judged).")
    return " ".join(out)


def value_words(value: Any, unit: str) -> str:
    """A claimed or measured value with its unit.

    Examples
    --------
    >>> value_words(17.128, "%"), value_words(True, ""), value_words(("water", "trees"), ""), value_words(None, "m")
    ('17.13 %', 'yes', 'water, trees', '—')
    >>> value_words(246_600.0, "m²"), value_words(3.0, "")
    ('246,600 m²', '3')
    """
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(value_words(v, unit) for v in value)
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        return "not a number"
    number = f"{value:,.0f}" if abs(value) >= 1e4 or float(value).is_integer() else f"{value:.4g}"
    return f"{number} {unit}".strip().replace("-", "−")


def claimed_words(claim: Claim) -> str:
    """What a claim claims: its value, else its own words."""
    return value_words(claim.claimed, claim.unit)


def difference_words(claim: Claim) -> str:
    """Claimed minus measured with its sign, between percentages in points; «» where there is none."""
    if claim.difference is None:
        return ""
    gap = float(f"{claim.difference:.2g}") if abs(claim.difference) < 1 else claim.difference
    said = value_words(gap or 0.0, "points" if claim.unit == "%" else claim.unit)
    return said if claim.difference <= 0 else f"+{said}"
