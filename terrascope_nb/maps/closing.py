"""Close widgets with all that hangs on them: ipywidgets closes one at a time, and keeps the others for good."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from terrascope_nb._optional import need


def close_all(*roots: Any) -> int:
    """Close widgets and every widget that their traits hold: children, layouts, styles, layers, controls.

    Returns
    -------
    int
        How many were closed.

    Examples
    --------
    >>> import ipywidgets as w
    >>> close_all(w.VBox([w.Button(), w.HTML()]))      # each with a layout, and all but the box with a style
    8
    """
    widgets = need("ipywidgets", "close a notebook's widgets", "maps")
    seen: dict[int, Any] = {}
    waiting = list(roots)
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen[id(one)] = one
        for name in one.trait_names():
            if name not in ("comm", "keys", "log", "parent"):
                waiting += [x for x in _held(one._trait_values.get(name), widgets.Widget)]
    for one in reversed(list(seen.values())):
        one.unobserve_all()
        one.close()
    return len(seen)


def _held(value: Any, kind: type) -> Iterator[Any]:
    if isinstance(value, kind):
        yield value
    elif isinstance(value, dict):
        yield from (x for v in value.values() for x in _held(v, kind))
    elif isinstance(value, list | tuple):
        yield from (x for v in value for x in _held(v, kind))
