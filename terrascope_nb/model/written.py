"""What a text says about where to look: «Image: t_i»."""

from __future__ import annotations

import re

_NAMED = re.compile(r"\bimage\s*:?\s*(?:t\s*_?\s*|#\s*|no\.?\s*)?\{?(\d{1,4})\}?(?![\d.%])", re.IGNORECASE)


def written_image(text: str) -> int | None:
    """The image that a text names last, counted from 1; None when it names none.

    Examples
    --------
    >>> written_image("Image: t_2 shows water"), written_image("In image 1, then Image: t3"), written_image("the image")
    (2, 3, None)
    """
    found = _NAMED.findall(text)
    return int(found[-1]) if found else None
