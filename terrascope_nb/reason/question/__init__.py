"""Questions into plans: `understand` reads one, `forms` lists what it reads."""

from __future__ import annotations

from terrascope_nb.reason.question.plan import (
    Form,
    Plan,
    forms,
    stated_pixel_size,
    understand,
)

__all__ = [
    "Form",
    "Plan",
    "forms",
    "stated_pixel_size",
    "understand",
]
