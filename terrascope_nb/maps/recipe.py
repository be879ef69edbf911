"""Recipe: what was done in an Explorer, as Python that does it again."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrascope_nb.geo.aoi import AOI
from terrascope_nb.reason.reasoner import REASONERS
from terrascope_nb.scene import samples
from terrascope_nb.stac.catalog import CATALOGS, Catalog

if TYPE_CHECKING:
    from terrascope_nb.scene.scene import Scene

LOOKS = 20  # lines of what was looked at
WIDTH = 100  # a longer call gets a line an argument


@dataclass(frozen=True)
class Code:
    """A value that is written as this piece of Python."""

    text: str


@dataclass(frozen=True)
class Line:
    """One thing that was done: its kind ("aoi", "search", "scene", "given", "ask", "save") and the Python."""

    kind: str
    text: str


class Recipe:
    """Lines of Python in the order in which things were done; each `add_…` is one of them.

    Places and searches that led to no scene are left out. What cannot be written (a scene, a catalogue or a reasoner
    that was given as an object, with all that it holds) is named in a comment; the script then takes it from the name
    that the comment says.

    Examples
    --------
    >>> recipe = Recipe()
    >>> scene = recipe.add_sample("lake")
    >>> trace = recipe.add_question(scene, "Is there water?", None, "spectral")
    >>> print(recipe.code())
    import terrascope_nb as ts
    <BLANKLINE>
    scene = ts.samples.load('lake')
    trace = ts.ask(scene, 'Is there water?', reasoner='spectral')
    <BLANKLINE>
    """

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._names: dict[str, int] = {}
        self._opened: dict[str, str] = {}  # call → name
        self._objects: dict[int, tuple[Any, str]] = {}  # id → (the object, kept so that its id stays its own; its name)

    # ---- what was done ------------------------------------------------------------------------------------------
    def add_aoi(self, aoi: AOI | None) -> None:
        """The place; None when it was deleted."""
        self._forget("aoi", "search")
        if aoi is not None:
            self._lines.append(Line("aoi", f"aoi = {aoi_code(aoi)}"))

    def add_search(self, arguments: Mapping[str, Any]) -> None:
        """The search: keywords of `ts.search`."""
        self._forget("search")
        self._lines.append(Line("search", f"found = {self._call('ts.search', 'aoi', arguments)}"))

    def add_scene(self, arguments: Mapping[str, Any]) -> str:
        """A scene that was loaded: keywords of `ts.load_scene`. Gives the name that the script calls it by."""
        name = self._name("scene")
        self._lines.append(Line("scene", f"{name} = {self._call('ts.load_scene', 'aoi', arguments)}"))
        return name

    def add_sample(self, sample: str) -> str:
        """A sample scene that was loaded."""
        name = self._name("scene")
        self._lines.append(Line("scene", f"{name} = ts.samples.load({sample!r})"))
        return name

    def add_given_scene(self, scene: Scene) -> str:
        """A scene that was given as an object."""
        if is_sample(scene):
            return self.add_sample(scene.name)
        return self._given(scene, "scene", f"the Scene {scene.name!r}" if scene.name else "the Scene")

    def add_given_trace(self, trace: Any) -> str:
        """A trace that was given as an object."""
        return self._given(trace, "trace", f"the Trace of {trace.question!r}")

    def add_question(
        self, scene: str, question: str, choices: Any, reasoner: Any, blanked: str = "", stopped: bool = False
    ) -> str:
        """A question to the scene of that name, perhaps with one sensor blanked. Gives the trace's name."""
        asked = self._value("reasoner", reasoner)
        name = self._name("trace")
        of = f"{scene}.blank({blanked!r})" if blanked else scene
        named = {"choices": choices or None, "reasoner": asked}
        note = "  # was stopped before its end" if stopped else ""
        self._lines.append(Line("ask", f"{name} = {self._call('ts.ask', f'{of}, {question!r}', named)}{note}"))
        return name

    def add_opened(self, name: str, options: Mapping[str, Any]) -> Code:
        """A reasoner that was opened by name with options; one line, however often it is asked."""
        call = self._call("ts.open_reasoner", repr(name), options)
        if call not in self._opened:
            self._opened[call] = self._name("reasoner")
            self._lines.append(Line("given", f"{self._opened[call]} = {call}"))
        return Code(self._opened[call])

    def add_saved(self, trace: str, method: str, path: str, overwrite: bool) -> None:
        """A file that was written of a trace."""
        more = ", overwrite=True" if overwrite else ""
        self._lines.append(Line("save", f"{trace}.{method}({path!r}{more})"))

    def add_comparison(self, left: str, right: str) -> None:
        """Two traces that were laid beside each other: the agreement of their masks."""
        bring = "from terrascope_nb.maps.agree import mask_agreement"
        if not any(line.text == bring for line in self._lines):
            self._lines.append(Line("given", bring))
        self._lines.append(Line("save", f"{self._name('agreement')} = mask_agreement({left}, {right})"))

    def add_look(self, line: str) -> None:
        """What was looked at, as a line that needs the Explorer: a comment, at most `LOOKS`, repetitions once."""
        said = Line("look", f"# explorer.{line}")
        target = line.partition("=")[0].partition("(")[0]
        if self._lines and self._lines[-1].kind == "look" and self._lines[-1].text.startswith(f"# explorer.{target}"):
            self._lines.pop()
        self._lines.append(said)
        looks = [k for k, x in enumerate(self._lines) if x.kind == "look"]
        for k in reversed(looks[:-LOOKS]):
            del self._lines[k]

    def code(self) -> str:
        """The script."""
        return "\n".join(["import terrascope_nb as ts", "", *(line.text for line in self._lines), ""])

    def close(self) -> None:
        """Let go of the objects; the lines stay."""
        self._objects.clear()

    # ---- inside -------------------------------------------------------------------------------------------------
    def _forget(self, *kinds: str) -> None:
        """Drop lines of these kinds after the last scene: nothing was made of them."""
        last = max((k for k, line in enumerate(self._lines) if line.kind == "scene"), default=-1)
        self._lines = [line for k, line in enumerate(self._lines) if k <= last or line.kind not in kinds]

    def _name(self, kind: str) -> str:
        self._names[kind] = n = self._names.get(kind, 0) + 1
        return kind if n == 1 else f"{kind}_{n}"

    def _given(self, thing: Any, kind: str, words: str) -> str:
        if id(thing) not in self._objects:
            name = self._name(kind)
            self._objects[id(thing)] = (thing, name)
            said = f"# {name} is {words} that the Explorer was given: it cannot be written here, make it first"
            self._lines.append(Line("scene" if kind == "scene" else "given", said))
        return self._objects[id(thing)][1]

    def _call(self, function: str, first: str, named: Mapping[str, Any]) -> str:
        """A call; arguments that are None are left to their defaults, but for `optical`, whose default is a sensor."""
        keep = {k: v for k, v in named.items() if v is not None or k == "optical"}
        parts = [first, *(f"{k}={self._written(k, v)}" for k, v in keep.items())]
        line = f"{function}({', '.join(parts)})"
        return line if len(line) <= WIDTH else "{}(\n    {},\n)".format(function, ",\n    ".join(parts))

    def _written(self, key: str, value: Any) -> str:
        made = self._value(key, value)
        return made.text if isinstance(made, Code) else repr(made)

    def _value(self, key: str, value: Any) -> Any:
        """A value that `repr` writes as Python, or `Code`; what neither can is named in a comment before."""
        if isinstance(value, Code):
            return value
        if isinstance(value, Path):
            text = str(value)
            return f"./{text}" if text in CATALOGS else text
        if isinstance(value, Catalog):
            if value.headers is None and value.sign is None and value.retry is None:
                return self._value(key, value.location)
            return Code(self._given(value, key, f"the Catalog of {value.shown}, with its headers, signer or patience,"))
        if key == "reasoner" and not isinstance(value, str):
            if id(value) in self._objects:
                return Code(self._objects[id(value)][1])
            options = rebuilt(value)
            if options is not None:
                return self.add_opened(value.name, options)
            return Code(self._given(value, key, f"the reasoner {value.name!r}"))
        return value


def aoi_code(aoi: AOI) -> str:
    """Python that makes the area again, to the last digit.

    Examples
    --------
    >>> aoi_code(AOI.from_bbox((15.6, 46.4, 15.7, 46.5)))
    'ts.AOI.from_bbox((15.6, 46.4, 15.7, 46.5))'
    """
    code = aoi.crs.to_epsg()
    more = "" if code == 4326 else f", crs={code if code else aoi.crs.to_wkt()!r}"
    more += f", name={aoi.name!r}" if aoi.name not in ("", "drawn") else ""
    if aoi.geometry.equals(aoi.geometry.envelope):
        return f"ts.AOI.from_bbox({tuple(float(v) for v in aoi.bounds)}{more})"
    return f"ts.AOI.from_wkt({aoi.geometry.wkt!r}{more})"


def rebuilt(reasoner: Any) -> dict[str, Any] | None:
    """Options that open the same reasoner again by its name; None where they do not tell all of it."""
    home = REASONERS.get(reasoner.name, "")
    module, _, attribute = home.partition(":")
    kind = type(reasoner)
    if not home or kind.__qualname__ != attribute or not kind.__module__.startswith(module):
        return None
    options, wanted = dict(reasoner.options), inspect.signature(type(reasoner)).parameters
    if set(options) != set(wanted) or not all(_is_literal(v) for v in options.values()):
        return None
    return {k: v for k, v in options.items() if v != wanted[k].default}


def is_sample(scene: Scene) -> bool:
    """Whether a scene is one of the samples, whole and unchanged: then the script can load it."""
    if scene.name not in samples.names():
        return False
    whole = samples.load(scene.name)
    return len(whole.images) == len(scene.images) and all(
        a.grid == b.grid and a.blanked == b.blanked and a.bands.equals(b.bands)
        for a, b in zip(whole.images, scene.images, strict=True)
    )


def _is_literal(value: Any) -> bool:
    try:
        return ast.literal_eval(repr(value)) == value
    except (ValueError, SyntaxError):
        return False
