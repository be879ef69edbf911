"""A trace to look at: HTML that needs no kernel, PNG, plain text, and a figure."""

from __future__ import annotations

from terrascope_nb.reason.show.bundle import (
    BUNDLE_BYTES,
    answer_line,
    mimebundle,
    page,
    pages,
    plot,
    png,
    text,
    verdict_line,
)

__all__ = [
    "BUNDLE_BYTES",
    "answer_line",
    "mimebundle",
    "page",
    "pages",
    "plot",
    "png",
    "text",
    "verdict_line",
]
