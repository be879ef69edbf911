"""The worst cases of a run with their pictures: the image, the truth's masks, and what was drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from terrascope_nb._html import Safe, data_uri, tag
from terrascope_nb.bench.metrics import STRICT, counted
from terrascope_nb.bench.results import Result, Results
from terrascope_nb.bench.task import title_of
from terrascope_nb.errors import TerrascopeError
from terrascope_nb.scene.classes import color
from terrascope_nb.scene.overlay import composite_png

if TYPE_CHECKING:
    from terrascope_nb.bench.suite import Row, Suite
    from terrascope_nb.cot.record import MaskRef
    from terrascope_nb.scene.scene import Image

SIDE = 288  # pixels of a picture's longer side
LOW = 0.5  # IoU below which a right answer looked elsewhere
PER_IMAGE = 2  # cases of one image


@dataclass(frozen=True, eq=False)
class Case:
    """A case shown in a report.

    Attributes
    ----------
    result : Result
    row : Row or None
        None without the suite.
    views : tuple of (caption, bytes)
        Pictures as PNG, three an image: as it is, with the truth's masks, with the masks drawn.
    why_no_views : str
    """

    result: Result
    row: Row | None
    views: tuple[tuple[Safe, bytes], ...]
    why_no_views: str = ""


def worst(results: Results, n: int = 6) -> tuple[list[Result], list[Result]]:
    """Wrong answers, those with the worst masks first; and right ones that looked elsewhere.

    Parameters
    ----------
    results : Results
    n : int
        Most of the first kind; half as many of the second. No more than two of an image, and tasks in turn.

    Returns
    -------
    wrong, lucky : list of Result
        `lucky` are right with an IoU below `LOW`.
    """
    rows = [r for r in counted(results) if not r.failed]
    wrong = [r for r in rows if not r.correct[STRICT]]
    lucky = [r for r in rows if r.correct[STRICT] and r.iou is not None and r.iou < LOW]
    return _spread(wrong, n), _spread(lucky, max(n // 2, 1) if n else 0)


def _spread(rows: Sequence[Result], n: int) -> list[Result]:
    ordered = sorted(rows, key=lambda r: (r.iou is None, r.iou or 0.0, r.row))
    piles: dict[str, list[Result]] = {}
    for r in ordered:
        piles.setdefault(r.task, []).append(r)
    taken: list[Result] = []
    images: Counter[str] = Counter()
    while len(taken) < n and any(piles.values()):
        for pile in piles.values():
            while pile and images[pile[0].image] >= PER_IMAGE:
                pile.pop(0)
            if pile and len(taken) < n:
                taken.append(pile.pop(0))
                images[taken[-1].image] += 1
    return taken


def case_of(result: Result, suite: Suite | None) -> Case:
    """A case with its pictures; without the suite, or where the image cannot be read, with the reason."""
    if suite is None:
        return Case(result, None, (), "no picture: give the suite to the report, suite=")
    row = suite.row(result.row)
    try:
        images = row.scene().images
    except (TerrascopeError, OSError) as e:
        return Case(result, row, (), f"no picture: {type(e).__name__}: {e}"[:300])
    shown = sorted({m.image for m in row.masks if m.image < len(images)}) or [0]
    views = [v for k in shown[:2] for v in _views(images[k], k, row.masks, result.masks, len(images) > 1)]
    return Case(result, row, tuple(views))


def _views(
    image: Image, k: int, truth: Sequence[MaskRef], drawn: Sequence[MaskRef], several: bool
) -> list[tuple[Safe, bytes]]:
    where = f"{image.modality} {image.day}" if several else image.view.name
    base = composite_png(image.view, (), SIDE, SIDE)
    out = [(tag("figcaption", f"The image: {where}."), base)]
    for word, masks in (("Truth", truth), ("Drawn", drawn)):
        here = _layers([m for m in masks if m.image == k], image)
        if here:
            names = [_named(label, mask) for mask, label in here]
            layers = [(mask, color(label)) for mask, label in here]
            out.append((tag("figcaption", f"{word}:", names), composite_png(image.view, layers, SIDE, SIDE)))
        else:
            out.append((tag("figcaption", f"{word}: no mask on this image."), base))
    return out


def _named(label: str, mask: np.ndarray) -> list[Safe | str]:
    empty = "" if mask.any() else " (empty)"
    return [tag("span", cls="swatch", style=f"background:{color(label)}"), f"{label or 'no label'}{empty}"]


def _layers(masks: Sequence[MaskRef], image: Image) -> list[tuple[np.ndarray, str]]:
    """Masks of the image's size, those of one label joined."""
    joined: dict[str, np.ndarray] = {}
    for m in masks:
        if tuple(m.size) == image.grid.shape:
            joined[m.label] = joined.get(m.label, np.zeros(image.grid.shape, bool)) | m.mask
    return [(mask, label) for label, mask in joined.items()]


def case_html(case: Case) -> Safe:
    """A case as HTML."""
    r, row = case.result, case.row
    right = bool(r.correct.get(STRICT))
    iou = f", IoU {r.iou:.2f}" if r.iou is not None else f", no IoU: {r.why_no_iou}" if r.why_no_iou else ""
    if len(r.ious) > 1:
        each = [f"{label or 'no label'} {v:.2f}" for label, v in zip(r.labels, r.ious, strict=True)]
        iou += f" ({', '.join(each)})"
    pictures = [
        tag("figure", tag("img", src=data_uri("image/png", png), alt=_alt(r, k), loading="lazy"), caption)
        for k, (caption, png) in enumerate(case.views)
    ]
    at_odds = r.claims.get("disagrees", 0)
    return tag(
        "div",
        tag("h4", f"{title_of(r.task).replace('_', ' ')} · {r.row}{f' · {r.band}' if r.band else ''} · {r.image}"),
        tag("p", row.question) if row is not None else None,
        _options(row, r) if row is not None else None,
        tag("p", tag("span", "right" if right else "wrong", cls="good" if right else "bad"), iou,
            f". It said «{r.text[:300]}»" if r.text else f". It said nothing ({r.finish})",
            f", asked with {r.blanked} blanked" if r.blanked else "",
            f"; {at_odds} of its claims disagree with its own masks" if at_odds else "", ".", cls="small"),
        tag("div", pictures, cls="views") if pictures else tag("p", case.why_no_views, cls="small"),
        cls="case",
    )  # fmt: skip


def _alt(r: Result, k: int) -> str:
    return f"{('Image', 'Truth masks over the image', 'Drawn masks over the image')[k % 3]}, row {r.row}"


def _options(row: Row, r: Result) -> Safe | None:
    if row.choices is None:
        return None
    taken = r.letters.get(STRICT, "")
    items = []
    for letter, text in row.choices:
        kind = "good" if letter == r.answer else "bad"
        marks = [tag("span", " ✓ true", cls="good") if letter == r.answer else None,
                 tag("span", " ← chosen", cls=kind) if letter == taken else None]  # fmt: skip
        items.append(tag("li", f"{letter}. {text}", marks))
    return tag("ul", items)
