"""What two traces agree on: masks of one label on one image, answers, claims. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb._html import Safe, tag
from terrascope_nb.maps.layers import UNNAMED
from terrascope_nb.reason.show.captions import (
    SIGNS,
    agreement,
    answer_words,
    claimed_words,
    image_words,
    no_answer_words,
)

if TYPE_CHECKING:
    from terrascope_nb.reason.trace import Trace
    from terrascope_nb.reason.verify import Claim

SAME_DATE = np.timedelta64(6, "D")
"""Images of two sensors within this count as of one date, as `load_scene` pairs them."""


@dataclass(frozen=True)
class Agreement:
    """How far two masks of one label on one image agree.

    Attributes
    ----------
    label : str
    image : int
        Index of the image in the left trace.
    seen : str
        The image in words, with its date.
    left, right : int
        Indices of the steps.
    iou : float or None
        Pixels in both over pixels in either, 0 … 1; None where both masks are empty.
    measured : float
        Share of the image's pixels that were measured in both, 0 … 1: the masks are compared there.
    """

    label: str
    image: int
    seen: str
    left: int
    right: int
    iou: float | None
    measured: float


@dataclass(frozen=True)
class ClaimPair:
    """What two traces claim of the same: a claim of each, None where one does not speak of it.

    Attributes
    ----------
    kind : str
    labels : tuple of str
    days : tuple of str
        Dates of the images whose masks it rests on.
    left, right : Claim or None
    """

    kind: str
    labels: tuple[str, ...]
    days: tuple[str, ...]
    left: Claim | None
    right: Claim | None

    @property
    def differs(self) -> bool:
        """Only one speaks of it, or they claim another value, or with another verdict."""
        if self.left is None or self.right is None:
            return True
        one, two = self.left, self.right
        return (claimed_words(one), one.verdict) != (claimed_words(two), two.verdict)


def mask_agreement(left: Trace, right: Trace) -> tuple[Agreement, ...]:
    """IoU of each label that both draw on the same image, or on the two sensors' images of one date.

    Pixels measured in both are compared. Images of two sensors count as of one date within `SAME_DATE`. Where a trace
    draws a label several times on an image, the last counts.
    """
    mine, theirs = _last_steps(left), _last_steps(right)
    pairs = [(key[0], k, theirs[key]) for key, k in mine.items() if key in theirs]
    alone = [(key, k) for key, k in mine.items() if key not in theirs]
    for (label, modality, _), k in alone:
        day = left.frames[left.steps[k].image].time
        near = [
            (abs(right.frames[right.steps[j].image].time - day), j)
            for (name, other, _), j in theirs.items()
            if name == label and other != modality and None not in (day, right.frames[right.steps[j].image].time)
        ]
        if near and min(near)[0] <= SAME_DATE:
            pairs.append((label, k, min(near)[1]))
    out = []
    for label, k, j in pairs:
        a, b = left.regions[k], right.regions[j]
        if a.grid != b.grid:
            continue
        both = a.domain.pixels & b.domain.pixels
        either = np.count_nonzero((a.pixels | b.pixels) & both)
        common = np.count_nonzero(a.pixels & b.pixels & both)
        image = left.steps[k].image
        seen, other = image_words(left.frames[image]), image_words(right.frames[right.steps[j].image])
        out.append(Agreement(
            label, image, seen if seen == other else f"{seen} against {other}", k, j,
            common / either if either else None, float(both.mean()),
        ))  # fmt: skip
    return tuple(out)


def claim_pairs(left: Trace, right: Trace) -> tuple[ClaimPair, ...]:
    """Claims of the same kind about the same labels and dates, the left's order first."""
    mine, theirs = _by_topic(left), _by_topic(right)
    out = []
    for topic in dict.fromkeys((*mine, *theirs)):
        a, b = mine.get(topic, []), theirs.get(topic, [])
        for n in range(max(len(a), len(b))):
            out.append(
                ClaimPair(topic[0], topic[1], topic[4], a[n] if n < len(a) else None, b[n] if n < len(b) else None)
            )
    return tuple(out)


def compare_html(left: Trace, right: Trace, agreements: tuple[Agreement, ...], claims: tuple[ClaimPair, ...]) -> Safe:
    """Answers side by side, IoU a label and date, and the claims that differ."""
    names = _names(left, right)
    rows = [
        ("Question", left.question, right.question),
        ("Answer", *(answer_words(t) or "No answer" for t in (left, right))),
        ("", *(no_answer_words(t) for t in (left, right))),
        ("Own claims", *(agreement(t)[0] for t in (left, right))),
    ]
    head = tag("tr", tag("th", ""), [tag("th", n, scope="col") for n in names])
    body = [tag("tr", tag("th", name, scope="row"), tag("td", a), tag("td", b)) for name, a, b in rows if a or b]
    differing = [p for p in claims if p.differs]
    return tag(
        "div",
        tag("table", head, body),
        tag("h4", "Agreement of masks"),
        _iou_table(agreements) if agreements else tag("p", "No label is drawn by both on the same image.", cls="small"),
        tag("h4", f"Claims that differ: {len(differing)} of {len(claims)}"),
        _claims_table(differing, names) if differing else None,
    )


def _iou_table(agreements: tuple[Agreement, ...]) -> Safe:
    head = [tag("th", n, scope="col") for n in ("Label", "Image", "IoU", "Compared on")]
    rows = [
        tag(
            "tr",
            tag("td", a.label),
            tag("td", a.seen),
            tag("td", iou_words(a)),
            tag("td", _compared(a)),
        )
        for a in agreements
    ]
    return tag("table", tag("tr", head), rows)


def _claims_table(pairs: list[ClaimPair], names: tuple[str, str]) -> Safe:
    head = [tag("th", n, scope="col") for n in ("Of", *names)]
    rows = [
        tag("tr", tag("td", _topic(p)), tag("td", _said(p.left)), tag("td", _said(p.right)))
        for p in pairs
    ]  # fmt: skip
    return tag("table", tag("tr", head), rows)


def _topic(pair: ClaimPair) -> str:
    about = f"{pair.kind}: {', '.join(pair.labels)}" if pair.labels else pair.kind
    return f"{about} ({', '.join(pair.days)})" if pair.days else about


def _said(claim: Claim | None) -> str:
    return "—" if claim is None else f"{claimed_words(claim)} ({SIGNS[claim.verdict]} {claim.verdict})"


def _compared(one: Agreement) -> str:
    return f"{100 * one.measured:.0f} % of the image"


def iou_words(one: Agreement) -> str:
    """IoU with two digits, or why there is none."""
    return "both empty" if one.iou is None else f"{one.iou:.2f}"


def _names(left: Trace, right: Trace) -> tuple[str, str]:
    names = [t.reasoner or "unnamed" for t in (left, right)]
    marks = [", ".join(sorted({f.modality for f in t.frames if f.blanked})) for t in (left, right)]
    words = [f"{n}, {m} blanked" if m else n for n, m in zip(names, marks, strict=True)]
    return f"Left: {words[0]}", f"Right: {words[1]}"


def _last_steps(trace: Trace) -> dict[tuple[Any, ...], int]:
    out = {}
    for k, step in enumerate(trace.steps):
        frame = trace.frames[step.image]
        date = step.image if frame.time is None else str(frame.time)
        out[step.label or UNNAMED, frame.modality, date] = k
    return out


def _by_topic(trace: Trace) -> dict[tuple[Any, ...], list[Claim]]:
    out: dict[tuple[Any, ...], list[Claim]] = {}
    for c in trace.claims:
        days = tuple(dict.fromkeys(trace.frames[trace.steps[k].image].day for k in c.steps))
        out.setdefault((c.kind, c.labels, c.unit, c.where, days), []).append(c)
    return out
