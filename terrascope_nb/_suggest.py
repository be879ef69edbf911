"""Did-you-mean: one sentence for a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """Say that `name` is no known `kind`, with the nearest known name and the whole list.

    Examples
    --------
    >>> unknown("sample", "lke", ["lake", "fields"])
    "unknown sample 'lke'; did you mean 'lake'? Known: fields, lake"
    """
    names = sorted(str(k) for k in known)
    lowered = {n.lower(): n for n in names}
    near = difflib.get_close_matches(str(name)[:200].lower(), lowered, n=1, cutoff=0.6)
    hint = f"; did you mean {lowered[near[0]]!r}?" if near else "."
    shown = str(name) if len(str(name)) <= 80 else f"{str(name)[:79]}…"
    return f"unknown {kind} {shown!r}{hint} Known: {', '.join(names) if names else 'none'}"
