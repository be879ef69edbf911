"""Compose Terra-CoT records of a labelled scene: captions, L1, L2-spatial and L2-semantic questions.

Every sentence is written from what the measuring core gives, in words that `reason.verify` reads back.
"""

from __future__ import annotations

from terrascope_nb.cot.compose.assemble import TASKS, compose

__all__ = ["TASKS", "compose"]
