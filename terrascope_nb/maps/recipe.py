"""Recipe: what was done in an Explorer, as Python that does it again."""

from __future__ import annotations

from typing import Any

from terrascope_nb.geo.aoi import AOI


class Recipe:
    """Lines of Python, one or more for each action that has a result.

    Each `set_…` replaces what it set before and drops what came after it in the line AOI → search → scene → questions,
    so that the script never does a thing twice.
    """

    def __init__(self) -> None:
        self._parts: dict[str, str] = {}
        self._asked: list[str] = []

    def set_aoi(self, aoi: AOI) -> None:
        """The place."""
        self._parts = {"aoi": f"aoi = {_aoi(aoi)}"}
        self._asked = []

    def set_search(self, **arguments: Any) -> None:
        """The search."""
        self._parts.pop("scene", None)
        self._parts["search"] = f"found = ts.search(aoi, {_call(arguments, first='datetime')})"
        self._asked = []

    def set_scene(self, arguments: dict[str, Any] | None, name: str = "") -> None:
        """How the scene came: by `load_scene` with these arguments, or (None) it was given."""
        if arguments is None:
            self._parts = {}
            what = f"ts.samples.load({name!r})" if name in _samples() else "…"
            given = "" if what != "…" else "  # the Scene that was given to the Explorer"
            self._parts["scene"] = f"scene = {what}{given}"
        else:
            self._parts["scene"] = f"scene = ts.load_scene(aoi, {_call(arguments, first='datetime')})"
        self._asked = []

    def add_question(self, question: str, choices: Any, reasoner: str) -> None:
        """A question to the scene."""
        chosen = f", choices={choices!r}" if choices else ""
        self._asked.append(f"trace = ts.ask(scene, {question!r}{chosen}, reasoner={reasoner!r})")

    def add(self, line: str) -> None:
        """Any other line, after the last question."""
        self._asked.append(line)

    def code(self) -> str:
        """The script."""
        lines = [*(self._parts[k] for k in ("aoi", "search", "scene") if k in self._parts), *self._asked]
        return "\n".join(["import terrascope_nb as ts", "", *lines, ""])


def _call(arguments: dict[str, Any], first: str) -> str:
    given = {k: v for k, v in arguments.items() if v is not None}
    head = [repr(given.pop(first))] if first in given else []
    return ", ".join([*head, *(f"{k}={v!r}" for k, v in given.items())])


def _aoi(aoi: AOI) -> str:
    lonlat = aoi.to_lonlat()
    if not aoi.crosses_antimeridian and lonlat.geometry.equals(lonlat.geometry.envelope):
        bbox = tuple(round(v, 7) for v in lonlat.bounds)
        return f"ts.AOI.from_bbox({bbox})"
    return f"ts.AOI.from_wkt({lonlat.geometry.wkt!r})"


def _samples() -> tuple[str, ...]:
    from terrascope_nb.scene import samples

    return tuple(samples.names())
