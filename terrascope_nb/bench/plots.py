"""Charts of a report as SVG: radar of tasks, IoU of right and wrong answers, reliability. No plotting library.

Colours are classes of the page's style, so that a chart follows its theme; each series has its own dash and mark too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from terrascope_nb._html import Safe, tag
from terrascope_nb.bench.summary import Reliability
from terrascope_nb.errors import InvalidInput

SERIES = 6
"""Series that have a look of their own."""
DASHES = ("", "7 3", "2 3", "9 3 2 3", "1 2", "12 4")


@dataclass(frozen=True)
class Line:
    """A series of a radar chart.

    Attributes
    ----------
    name : str
    values : sequence of (float or None)
        One an axis, 0…1; None where there is none.
    look : str
        Class of its colour: "s0" … "s5", "paper" or "chance".
    """

    name: str
    values: Sequence[float | None]
    look: str


def radar(axes: Sequence[str], lines: Sequence[Line]) -> Safe:
    """Accuracies as polygons over one axis a task, 0 in the middle, 100 % at the rim.

    Raises
    ------
    InvalidInput
        For fewer than three axes, or a line of another length.
    """
    if len(axes) < 3:
        raise InvalidInput(f"a radar chart has at least three axes; got {len(axes)}")
    for line in lines:
        if len(line.values) != len(axes):
            raise InvalidInput(f"line {line.name!r} has {len(line.values)} values for {len(axes)} axes")
    width, height, radius = 560, 400, 140
    cx, cy = width / 2, height / 2 + 6

    def at(k: int, share: float) -> tuple[float, float]:
        angle = 2 * math.pi * k / len(axes) - math.pi / 2
        return cx + share * radius * math.cos(angle), cy + share * radius * math.sin(angle)

    parts: list[Safe] = []
    for share in (0.25, 0.5, 0.75, 1.0):
        ring = _points([at(k, share) for k in range(len(axes))])
        parts.append(tag("polygon", points=ring, cls="grid"))
        x, y = at(0, share)
        parts.append(tag("text", f"{100 * share:.0f}", x=_n(x + 4), y=_n(y + 11), cls="tick"))
    for k, name in enumerate(axes):
        x, y = at(k, 1)
        parts.append(tag("line", x1=_n(cx), y1=_n(cy), x2=_n(x), y2=_n(y), cls="grid"))
        parts.append(_label(name, *at(k, 1.1), cx))
    for line in lines:
        parts += _polygon(line, at)
    told = "; ".join(f"{x.name}: {', '.join(_percent(v) for v in x.values)}" for x in lines)
    return _svg(width, height, f"Accuracy by task ({', '.join(axes)}). {told}", parts)


def _polygon(line: Line, at) -> list[Safe]:
    dash = _dash(line.look)
    known = [(k, v) for k, v in enumerate(line.values) if v is not None]
    points = [at(k, v) for k, v in known]
    closed = len(known) == len(line.values)
    shape = tag(
        "polygon" if closed else "polyline", points=_points(points), cls=f"line {line.look}", stroke_dasharray=dash
    )
    marks = [] if line.look == "chance" else [_mark(line.look, x, y) for x, y in points]
    return [shape, *marks]


def iou_bars(right: Sequence[float], wrong: Sequence[float], bins: int = 20) -> Safe:
    """How IoU is distributed: right answers above the line, wrong ones below, each as shares of their own number.

    Parameters
    ----------
    right, wrong : sequence of float
        IoU of rows, 0…1; either may be empty, not both.
    """
    if not len(right) and not len(wrong):
        raise InvalidInput("there is no IoU to draw")
    width, height, left, top = 560, 312, 46, 14
    middle, w = 140, width - left - 14
    heights = [np.histogram(x, bins, (0, 1))[0] / max(len(x), 1) for x in (right, wrong)]
    most = max(float(h.max()) for h in heights)
    parts: list[Safe] = []
    for h, sign, look in ((heights[0], -1, "right"), (heights[1], 1, "wrong")):
        for k, share in enumerate(h):
            if share:
                size = share / most * (middle - top - 18)
                y = middle - size if sign < 0 else middle
                x = left + w * k / bins + 1
                bar = tag("rect", x=_n(x), y=_n(y), width=_n(w / bins - 2), height=_n(size), cls=f"bar {look}")
                parts.append(bar)
    parts.append(tag("line", x1=left, y1=middle, x2=left + w, y2=middle, cls="axis"))
    for values, y, look, word in ((right, top + 2, "right", "right"), (wrong, 2 * middle - top - 4, "wrong", "wrong")):
        if len(values):
            x = left + w * float(np.mean(values))
            y1, y2 = (top + 8, middle) if look == "right" else (middle, 2 * middle - top - 12)
            parts.append(tag("line", x1=_n(x), y1=y1, x2=_n(x), y2=y2, cls=f"mean {look}"))
            text = f"{word}: {len(values)} rows, mean {np.mean(values):.3f}"
            end = float(np.mean(values)) > 0.5
            parts.append(tag("text", text, x=_n(x), y=_n(y + 2), cls="note", text_anchor="end" if end else "start"))
        else:
            parts.append(tag("text", f"{word}: no row", x=left + 4, y=_n(y + 2), cls="note"))
    bottom = 2 * middle - top + 16
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(
            tag("text", f"{share:g}", x=_n(left + w * share), y=_n(bottom + 6), cls="tick", text_anchor="middle")
        )
    parts.append(tag("text", "IoU with the truth’s masks", x=_n(left + w / 2), y=_n(bottom + 22), cls="note",
                     text_anchor="middle"))  # fmt: skip
    parts.append(tag("text", f"{100 * most:.0f} %", x=left - 6, y=top + 22, cls="tick", text_anchor="end"))
    parts.append(tag("text", "0", x=left - 6, y=middle + 4, cls="tick", text_anchor="end"))
    parts.append(tag("text", f"{100 * most:.0f} %", x=left - 6, y=2 * middle - top - 15, cls="tick", text_anchor="end"))
    counts = f"{len(right)} right and {len(wrong)} wrong answers"
    return _svg(width, height, f"Distribution of IoU of {counts}", parts)


def reliability_curve(r: Reliability) -> Safe:
    """Share right against mean score, one mark a bin, its size by the rows in it; below, rows a bin.

    Raises
    ------
    InvalidInput
        Without scores.
    """
    if r.ece is None:
        raise InvalidInput("there are no scores to draw")
    width, height, left, top, side = 560, 384, 60, 24, 240
    most = max(r.counts)

    def at(x: float, y: float) -> tuple[float, float]:
        return left + x * (width - left - 24), top + (1 - y) * side

    parts: list[Safe] = []
    for v in (0, 0.25, 0.5, 0.75, 1):
        (x0, y0), (x1, _) = at(0, v), at(1, v)
        parts.append(tag("line", x1=_n(x0), y1=_n(y0), x2=_n(x1), y2=_n(y0), cls="grid"))
        parts.append(tag("text", f"{100 * v:.0f} %", x=_n(x0 - 6), y=_n(y0 + 4), cls="tick", text_anchor="end"))
        x, _ = at(v, 0)
        parts.append(tag("text", f"{v:g}", x=_n(x), y=_n(top + side + 16), cls="tick", text_anchor="middle"))
    (ax, ay), (bx, by) = at(0, 0), at(1, 1)
    parts.append(tag("line", x1=_n(ax), y1=_n(ay), x2=_n(bx), y2=_n(by), cls="line chance", stroke_dasharray="4 4"))
    points = [
        (at(s, a), n) for s, a, n in zip(r.score, r.accuracy, r.counts, strict=True) if s is not None and a is not None
    ]
    parts.append(tag("polyline", points=_points([p for p, _ in points]), cls="line s0"))
    for (x, y), n in points:
        parts.append(tag("circle", cx=_n(x), cy=_n(y), r=_n(3 + 6 * math.sqrt(n / most)), cls="dot s0"))
    for low, high, n in zip(r.edges[:-1], r.edges[1:], r.counts, strict=True):
        if n:
            (x0, _), (x1, _) = at(low, 0), at(high, 0)
            size = max(28 * n / most, 1)
            parts.append(tag("rect", x=_n(x0 + 1), y=_n(top + side + 82 - size), width=_n(x1 - x0 - 2), height=_n(size),
                             cls="bar plainbar"))  # fmt: skip
            parts.append(tag("text", n, x=_n((x0 + x1) / 2), y=_n(top + side + 96), cls="tick", text_anchor="middle"))
    parts.append(tag("text", "share right", x=4, y=top - 10, cls="note"))
    parts.append(tag("text", "rows", x=4, y=top + side + 82, cls="note"))
    x, _ = at(0.5, 0)
    parts.append(
        tag("text", "mean score inside the masks", x=_n(x), y=_n(top + side + 34), cls="note", text_anchor="middle")
    )
    return _svg(width, height, f"Share right by score; expected calibration error {r.ece:.3f}", parts)


def legend(entries: Sequence[tuple[str, str]]) -> Safe:
    """Names of series with their line: (name, look) each."""
    items = []
    for name, look in entries:
        sample = tag("svg", tag("line", x1=1, y1=7, x2=37, y2=7, cls=f"line {look}", stroke_dasharray=_dash(look)),
                     [] if look == "chance" else _mark(look, 19, 7), viewBox="0 0 38 14", width=38, height=14,
                     aria_hidden="true")  # fmt: skip
        items.append(tag("li", sample, " ", name))
    return tag("ul", items, cls="legend")


def _mark(look: str, x: float, y: float) -> Safe:
    """Each series has its own mark, told apart without colour."""
    kind = {"s0": 0, "s1": 1, "s2": 2, "s3": 3, "s4": 4, "s5": 5}.get(look, 6)
    if kind in (0, 4):
        return tag("circle", cx=_n(x), cy=_n(y), r=3.6, cls=f"dot {look}{' open' if kind == 4 else ''}")
    shapes = {
        1: [(-3.4, -3.4), (3.4, -3.4), (3.4, 3.4), (-3.4, 3.4)], 2: [(0, -4.6), (4.2, 3.2), (-4.2, 3.2)],
        3: [(0, -4.8), (4.8, 0), (0, 4.8), (-4.8, 0)], 5: [(0, 4.6), (4.2, -3.2), (-4.2, -3.2)],
        6: [(-3, -3), (3, -3), (3, 3), (-3, 3)],
    }  # fmt: skip
    points = _points([(x + a, y + b) for a, b in shapes[kind]])
    return tag("polygon", points=points, cls=f"dot {look}{' open' if kind == 6 else ''}")


def _dash(look: str) -> str | None:
    if look in ("paper", "chance"):
        return {"paper": "6 4", "chance": "2 4"}[look]
    return DASHES[int(look[1:])] or None


def _label(name: str, x: float, y: float, cx: float) -> Safe:
    """An axis' name in lines of at most three words' width, outside the rim."""
    anchor = "middle" if abs(x - cx) < 20 else "start" if x > cx else "end"
    words, lines = name.split(), [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) > 13:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    first = y - (len(lines) - 1) * 14 if abs(x - cx) < 20 and y < 200 else y + 4 - (len(lines) - 1) * 7
    if abs(x - cx) < 20 and y >= 200:
        first = y + 8
    spans = [tag("tspan", line, x=_n(x), y=_n(first + 14 * k)) for k, line in enumerate(lines)]
    return tag("text", spans, cls="name", text_anchor=anchor)


def _svg(width: int, height: int, label: str, parts: list[Safe]) -> Safe:
    return tag("svg", parts, viewBox=f"0 0 {width} {height}", cls="chart", role="img", aria_label=label)


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _n(v: float) -> str:
    return f"{v:.1f}".removesuffix(".0")


def _percent(v: float | None) -> str:
    return "–" if v is None else f"{100 * v:.0f} %"
