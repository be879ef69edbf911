"""Run a plan by rules: find the masks, say what they measure, conclude. Shared by every reasoner without a model."""

from __future__ import annotations

from terrascope_nb.reason.solve.run import (
    Finding,
    MaskSource,
    solve,
)

__all__ = [
    "Finding",
    "MaskSource",
    "solve",
]
