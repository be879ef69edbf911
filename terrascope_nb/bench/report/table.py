"""Table: figures once, written as HTML, Markdown or plain text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from terrascope_nb._html import Safe, tag
from terrascope_nb.bench.intervals import Estimate


@dataclass(frozen=True)
class Cell:
    """A cell with a smaller second line; `strong` sets it off."""

    text: str
    small: str = ""
    strong: bool = False

    def __str__(self) -> str:
        return f"{self.text} ({self.small})" if self.small else self.text


@dataclass(frozen=True)
class Table:
    """A table of a report.

    Attributes
    ----------
    title : str
    head : tuple of str
    rows : tuple of tuple
        Each cell a text or a `Cell`; the first column names the row.
    notes : tuple of str
        Sentences below it.
    apart : tuple of int
        Rows before which a line sets a new group off.
    words : tuple of int
        Columns of text, written from the left; the others, but the first, are figures.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    notes: tuple[str, ...] = ()
    apart: tuple[int, ...] = ()
    words: tuple[int, ...] = ()

    def html(self) -> Safe:
        """As HTML."""
        body = [
            tag(
                "tr",
                [_html(cell, k, self._css(k)) for k, cell in enumerate(row)],
                cls="apart" if n in self.apart else None,
            )
            for n, row in enumerate(self.rows)
        ]
        head = tag("thead", tag("tr", [tag("th", h, scope="col", cls=self._css(k)) for k, h in enumerate(self.head)]))
        return tag(
            "section", tag("h3", self.title) if self.title else None,
            tag("div", tag("table", head, tag("tbody", body)), cls="scroll"),
            [tag("p", n, cls="small") for n in self.notes],
        )  # fmt: skip

    def _css(self, column: int) -> str | None:
        return "num" if column and column not in self.words else None

    def markdown(self, level: int = 2) -> str:
        """As GitHub's Markdown."""
        lines = [f"{'#' * level} {self.title}", ""] if self.title else []
        lines += [
            _line(self.head),
            "|" + "|".join("---:" if self._css(k) else "---" for k in range(len(self.head))) + "|",
        ]
        lines += [_line(row) for row in self.rows]
        return "\n".join([*lines, "", *(f"{_escaped(n)}\n" for n in self.notes)])

    def text(self) -> str:
        """As columns of plain text."""
        cells = [list(map(str, row)) for row in (self.head, *self.rows)]
        widths = [max(len(row[k]) for row in cells) for k in range(len(self.head))]
        lines = []
        for first, *rest in cells:
            right = [c.rjust(w) for c, w in zip(rest, widths[1:], strict=True)]
            lines.append("  ".join([first.ljust(widths[0]), *right]).rstrip())
        return "\n".join([*([self.title] if self.title else []), *lines, *self.notes])


def percent_cell(e: Estimate, strong: bool = False) -> Cell:
    """An accuracy or IoU share in percent, its interval below."""
    if e.value is None:
        return Cell("–")
    small = f"{100 * e.low:.1f}–{100 * e.high:.1f}" if e.has_interval else ""
    return Cell(f"{100 * e.value:.1f}", small, strong)


def plain_cell(e: Estimate, digits: int = 3) -> Cell:
    """A number with its interval below."""
    if e.value is None:
        return Cell("–")
    small = f"{e.low:.{digits}f} to {e.high:.{digits}f}" if e.has_interval else ""
    return Cell(f"{e.value:.{digits}f}", small)


def _html(cell: str | Cell, column: int, css: str | None) -> Safe:
    if isinstance(cell, str):
        return tag("th", cell, scope="row") if column == 0 else tag("td", cell, cls=css)
    inner = [
        tag("b", cell.text) if cell.strong else cell.text,
        tag("span", cell.small, cls="ci") if cell.small else None,
    ]
    return tag("th", inner, scope="row") if column == 0 else tag("td", inner, cls=css)


def _line(row: Sequence[str | Cell]) -> str:
    return "| " + " | ".join(_escaped(str(c)) for c in row) + " |"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no new column, on one line."""
    out = " ".join(text.split())
    for sign in "\\`*_[]<>|":
        out = out.replace(sign, f"\\{sign}" if sign not in "<>" else {"<": "&lt;", ">": "&gt;"}[sign])
    return out


def _code(text: str) -> str:
    """Text as code in Markdown: fenced by more backticks than stand in it anywhere in a row."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{' '.join(text.split())}{pad}{fence}"
