"""Claims of a text against their own masks.

`claims` reads them, `checking` measures them, `tolerance` says when they agree.
"""

from __future__ import annotations

from terrascope_nb.reason.verify.claim import (
    RULE,
    VERDICTS,
    Claim,
    verify,
)

__all__ = [
    "Claim",
    "RULE",
    "VERDICTS",
    "verify",
]
