"""What is wrong with a record: each fault as a short stable code and one sentence. A valid record has none.

Nothing here knows how the record was made: the text is read, the masks are decoded, and one is held against the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb.cot import rle
from terrascope_nb.cot.faults import Fault
from terrascope_nb.cot.offered import check_filter, check_options
from terrascope_nb.cot.record import MaskRef, Record, ground_of
from terrascope_nb.errors import QuestionNotUnderstood, TerrascopeError
from terrascope_nb.reason.answers import read_letter
from terrascope_nb.reason.events import SEG
from terrascope_nb.reason.grammar import read_output
from terrascope_nb.reason.measure import Region
from terrascope_nb.reason.question import understand
from terrascope_nb.reason.verify import Claim, verify

if TYPE_CHECKING:
    from terrascope_nb.reason.question import Plan
    from terrascope_nb.scene.labelled import Labelled

_FORM = re.compile(r"\s*<think>(?:(?!</?think>).)*</think>\s*<answer>(?:(?!</?answer>).)*</answer>\s*", re.DOTALL)
#: What an empty region may rightly be said to be.
_NOTHING = (False, 0, 0.0)


def check(record: Record, labelled: Labelled | None = None, kept: dict[Any, Any] | None = None) -> list[Fault]:
    """Everything that is wrong with a record.

    Parameters
    ----------
    record : Record
    labelled : Labelled, optional
        What the record was made from: then the masks are held against the label maps as well. Without it the text is
        held against the masks, on the grid and the pixels that the record itself states.
    kept : dict, optional
        As in `Record.regions`: for the records of one image, begin with an empty one and hand it on.

    Returns
    -------
    list of Fault
        Empty for a valid record.
    """
    faults = [*_form(record), *_masks(record)]
    faults += check_options(record)
    if any(f.code in ("no-image", "bad-mask", "mask-image", "mask-size") for f in faults):
        return faults
    regions = record.regions(kept=kept)
    if not any(f.code == "seg-count" for f in faults):
        faults += _claims(record, regions)
    faults += check_filter(record, regions, None if labelled is None else labelled.counts)
    if labelled is not None:
        faults += _against(record, regions, labelled)
    return faults


# ---- form and masks -------------------------------------------------------------------------------------------------
def _form(record: Record) -> Iterator[Fault]:
    if not _FORM.fullmatch(record.answer_text):
        yield Fault("form", f"the text is not <think> … </think><answer> … </answer>: {record.answer_text[:80]!r}")
    if record.segs != len(record.masks):
        yield Fault("seg-count", f"the text has {record.segs} {SEG}, the record {len(record.masks)} masks")
    if record.choices is None:
        return
    if record.answer not in record.choices:
        offered = ", ".join(record.choices)
        yield Fault("answer-not-offered", f"the answer {record.answer!r} is none of the options {offered}")
        return
    said = read_letter(record.said, record.choices)
    if said != record.answer:
        yield Fault("answer-differs", f"<answer> says {record.said[:60]!r}, the record's answer is {record.answer!r}")


def _masks(record: Record) -> Iterator[Fault]:
    if not record.images:
        yield Fault("no-image", "the record has no image")
        return
    for k, m in enumerate(record.masks):
        name = f"mask {k} ({m.label or 'unnamed'})"
        if not 0 <= m.image < len(record.images):
            yield Fault("mask-image", f"{name} names image {m.image}; the record has {len(record.images)}")
            continue
        shape = record.images[m.image].shape or (record.grid.shape if record.grid else None)
        if shape is not None and tuple(shape) != tuple(m.size):
            yield Fault("mask-size", f"{name} is {m.size}, its image {shape}")
        try:
            rle.fitting(m.counts, m.size)
        except TerrascopeError as e:
            yield Fault("bad-mask", f"{name}: {e}")
    for k, image in enumerate(record.images):
        try:
            if image.domain:
                rle.fitting(image.domain, image.shape or (0, 0))
        except TerrascopeError as e:
            yield Fault("bad-mask", f"the measured pixels of image {k}: {e}")


# ---- claims ---------------------------------------------------------------------------------------------------------
def _claims(record: Record, regions: Sequence[Region]) -> Iterator[Fault]:
    text = "\n".join([record.reasoning, *(read_output(said)[0] for _, said in record.more)])
    plan = _plan(record)
    answer = record.said if record.choices is None or plan is not None else ""  # a letter whose question says nothing
    claims = verify(text, regions, answer, plan)
    for claim in claims:
        if claim.verdict == "disagrees":
            yield Fault("claim-disagrees", f"«{claim.text}»: {claim.why}")
        elif claim.verdict == "not checkable" and not (claim.where == "answer" and claim.kind == "choice"):
            yield Fault("claim-open", f"«{claim.text}»: {claim.why}")
    for k, region in enumerate(regions):
        if not region.count and not _said_to_be_none(k, claims):
            yield Fault("mask-empty", f"mask {k} ({region.label}) has no pixel, and no sentence says that it has none")


def _plan(record: Record) -> Plan | None:
    try:
        return understand(record.question, record.choices)
    except (QuestionNotUnderstood, TerrascopeError):
        return None


def _said_to_be_none(k: int, claims: Sequence[Claim]) -> bool:
    return any(k in c.steps and c.verdict == "agrees" and c.claimed in _NOTHING for c in claims)


# ---- the label maps -------------------------------------------------------------------------------------------------
def _against(record: Record, regions: Sequence[Region], labelled: Labelled) -> Iterator[Fault]:
    grid = labelled.scene.grid
    if record.grid is None or record.grid.shape != grid.shape or (record.crs, record.transform) != ground_of(labelled):
        yield Fault("grid-differs", f"the record lies on {record.grid!r}, {labelled.key} on {grid!r}")
        return
    for k, (m, region) in enumerate(zip(record.masks, regions, strict=True)):
        date = _date(m, record, labelled)
        if date is None:
            yield Fault("mask-image", f"mask {k} ({m.label}) is of {m.time or 'no date'}, which {labelled.key} lacks")
            continue
        stray = np.count_nonzero(region.domain.pixels & ~labelled.mapped(date))
        if stray:
            yield Fault("domain-unmapped", f"{stray} of the measured pixels of mask {k} ({m.label}) are not mapped")
        wrong = np.count_nonzero((labelled.truth(m.label, date) ^ m.mask) & region.domain.pixels)
        if wrong:
            yield Fault("mask-not-truth", f"mask {k} ({m.label}) differs from the label map in {wrong} pixels")


def _date(m: MaskRef, record: Record, labelled: Labelled) -> int | None:
    """Which date of the labelled scene a mask is of: by its day, else by its place among undated images."""
    scene, ref = labelled.scene, record.images[m.image]
    wanted = (m.time or ref.time or "undated")[:10]
    same = [k for k, image in enumerate(scene.images) if image.day == wanted and ref.sensor in ("", image.modality)]
    if not same:
        return None
    if wanted == "undated":
        place = [i for i, image in enumerate(record.images) if image.sensor == ref.sensor].index(m.image)
        same = same[place:] or same
    return next((d for d, moment in enumerate(scene.moments()) if same[0] in (moment.optical, moment.sar)), None)
