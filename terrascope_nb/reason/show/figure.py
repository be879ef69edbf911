"""A trace as a matplotlib figure, for papers and slides. Touches no pyplot state."""

from __future__ import annotations

import io
import math
import textwrap
import warnings
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from terrascope_nb.errors import InvalidInput
from terrascope_nb.geo.aoi import _short
from terrascope_nb.reason.events import SEG
from terrascope_nb.reason.scrub import readable, scrub
from terrascope_nb.reason.show.captions import SIGNS, agreement, answer_words, no_answer_words, step_words
from terrascope_nb.reason.show.pictures import painted, pixel_aspect

if TYPE_CHECKING:
    from terrascope_nb.reason.trace import Trace

_LETTER = 0.079  # inches: a letter of DejaVu Sans at 9 points is about 0.071 wide on the mean, bold a tenth more


class TraceFigure(Figure):
    """A figure that a notebook shows by itself, whichever backend is active, and that pyplot does not know of."""

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        with warnings.catch_warnings():
            # letters that the font lacks are shown as boxes
            warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
            self.savefig(out, format="png", dpi=110)
        return out.getvalue()


def plot(trace: Trace, columns: int = 3, size: float = 3.6) -> TraceFigure:
    """One panel a step: the picture with the mask's fill and outline, in ground coordinates, and its sentence below.

    Parameters
    ----------
    columns : int
        Panels beside one another.
    size : float
        Width of a panel in inches.

    Returns
    -------
    matplotlib.figure.Figure
        Save it with ``figure.savefig(path)``; nothing needs closing.

    Raises
    ------
    InvalidInput
        For no column, or a panel narrower than an inch.
    """
    if columns < 1 or not size >= 1:
        raise InvalidInput(
            f"plot needs a column or more and panels of 1 inch or more, got columns={columns}, size={size}"
        )
    count = max(len(trace.steps), 1)
    columns = min(columns, count)
    rows = -(-count // columns)
    steps: list[int | None] = list(range(len(trace.steps))) or [None]
    titles = [_fill(scrub(step_words(trace, k)), size - 0.55, 9.9) for k in steps]
    said = ["" if k is None else _fill(_sentence(trace, k), size - 0.5, 8) for k in steps]
    width = max(columns * size, 4.2)
    head = [(_fill(scrub(trace.question), width, 11), 11, "normal")]
    head.append((_fill(scrub(answer_words(trace) or "No answer"), width, 14), 14, "bold"))
    head += [(_fill(scrub(no_answer_words(trace)), width, 9), 9, "normal")] if no_answer_words(trace) else []
    head.append((_fill(f"{agreement(trace)[0]}", width, 9), 9, "normal"))
    top = sum(_height(line, points) for line, points, _ in head) + 0.2
    across = size - 0.62
    tall = []
    for i in range(rows):
        mine = range(i * columns, min((i + 1) * columns, count))
        pictures = max(_picture_height(trace, steps[j], across) for j in mine)
        tall.append((max(_height(titles[j], 9) for j in mine), pictures, max(_height(said[j], 8) for j in mine) + 0.62))
    height = top + sum(sum(t) for t in tall) + 0.1
    figure = TraceFigure(figsize=(width, height))
    at = height - 0.1
    for line, points, weight in head:
        figure.text(
            0.1 / width, at / height, readable(line), va="top", fontsize=points, weight=weight, parse_math=False
        )
        at -= _height(line, points)
    at = height - top
    for i, (title_height, picture_height, text_height) in enumerate(tall):
        for j in range(i * columns, min((i + 1) * columns, count)):
            left = (j - i * columns) * size
            wide, high = _picture_size(trace, steps[j], across, picture_height)
            low = at - title_height - high
            x = (left + 0.5) / width
            box = (left + 0.5 + (across - wide) / 2) / width, low / height, wide / width, high / height
            _panel(figure.add_axes(box), trace, steps[j], high)
            title, words = readable(titles[j]), readable(said[j])
            figure.text(x, (low + high + 0.05) / height, title, va="bottom", size=9, weight="bold", parse_math=False)
            figure.text(x, (low - 0.4) / height, words, va="top", size=8, parse_math=False)
        at -= title_height + picture_height + text_height
    return figure


def _panel(ax: Any, trace: Trace, k: int | None, high: float) -> None:
    f = trace.frames[0 if k is None else trace.steps[k].image]
    h, w = f.grid.shape
    ground = f.grid.crs is not None and f.grid.is_north_up
    t = f.grid.transform
    extent = (t.c, t.c + w * t.a, t.f + h * t.e, t.f) if ground else (0, w, h, 0)
    ax.imshow(painted(trace, k, 1024, crisp=640), extent=extent, interpolation="antialiased", aspect="auto")
    for axis, ends in ((ax.xaxis, extent[:2]), (ax.yaxis, extent[2:])):
        room = axis is ax.xaxis or high > 0.9
        axis.set_major_locator(FixedLocator(_ticks(*ends) if room else []))
        axis.set_major_formatter(FuncFormatter(_tick))
        axis.set_tick_params(labelsize=6.5, length=2.5, pad=2)
    ax.yaxis.set_tick_params(labelrotation=90)
    for label in ax.get_yticklabels():
        label.set_va("center")
    where = "column, row (pixels)"
    if ground:
        unit = f.grid.crs.axis_info[0].unit_name
        where = f"{_short(f.grid.crs)}, { {'metre': 'm', 'degree': '°'}.get(unit, unit) }"
    ax.set_xlabel(where, fontsize=6.5, labelpad=2, color="#55555f")


def _ticks(first: float, last: float) -> list[float]:
    """Two or three round numbers, none so near an end that its label would leave the axis."""
    low, high = min(first, last), max(first, last)
    margin = 0.16 * (high - low)
    round_numbers = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(low, high)
    inner = [v for v in round_numbers if low + margin <= v <= high - margin]
    return inner[:: max(len(inner) // 2, 1)] if len(inner) > 3 else inner or [(low + high) / 2]


def _tick(value: float, _: Any = None) -> str:
    """A coordinate in full, thousands apart: «5 100 000», «14.525»."""
    return f"{value:,.0f}".replace(",", "\u2009") if abs(value) >= 1000 else f"{value:.6g}"


def _picture_size(trace: Trace, k: int | None, across: float, down: float) -> tuple[float, float]:
    grid = trace.frames[0 if k is None else trace.steps[k].image].grid
    ratio = min(max(grid.height * pixel_aspect(grid) / grid.width, 0.12), 8)
    high = min(across * ratio, down)
    return min(high / ratio, across), high


def _picture_height(trace: Trace, k: int | None, across: float) -> float:
    return min(_picture_size(trace, k, across, math.inf)[1], 1.7 * across)


def _sentence(trace: Trace, k: int) -> str:
    step = trace.steps[k]
    said = " ".join(scrub(step.text.replace(" " + SEG, "").replace(SEG, "")).split())
    mine = [c for c in trace.claims if c.where == "text" and step.start <= c.start and c.end <= step.end]
    signs = "".join(f" {SIGNS[v]}{n}" for v in SIGNS if (n := sum(c.verdict == v for c in mine)))
    return f"{said} [{signs.strip()}]" if signs else said


def _fill(said: str, width: float, points: float) -> str:
    letters = max(int((width - 0.2) / (_LETTER * points / 9)), 8)
    return "\n".join(textwrap.wrap(said, letters, max_lines=14, placeholder=" …")) if said else ""


def _height(lines: str, points: float) -> float:
    return (lines.count("\n") + 1) * points * 1.25 / 72 + 0.04 if lines else 0.0
