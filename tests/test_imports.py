"""Imports point down, heavy packages stay where they belong, and `import terrascope_nb` is light.

The rules are read from the source with `ast`: imports inside functions, under ``if TYPE_CHECKING``, by
``importlib.import_module("…")`` and by ``need("…")`` count like those at the top of a file.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import terrascope_nb

PACKAGE = "terrascope_nb"
SOURCE = Path(terrascope_nb.__file__).parent

BASE = ("errors", "_suggest", "_optional", "_html", "_options", "_progress", "_versions")
#: Layers from the bottom up. Layers on one line know nothing of each other.
ORDER = (
    ("geo",),
    ("stac",),
    ("scene",),
    ("reason",),
    ("model",),
    ("cot",),
    ("maps", "bench", "scale"),  # a benchmark is made from the sources of cot, and holds masks as its records do
    ("train",),
    ("demo",),  # what `terrascope-nb demo` runs, kept apart so that the command line stays thin
    ("cli", "__main__"),
)
RANK = {name: 0 for name in BASE} | {name: i for i, row in enumerate(ORDER, 1) for name in row}
#: They may import everything, and nothing imports them.
ON_TOP = ("accessor", "testing")
#: Handed a reasoner, whatever made it.
WITHOUT_MODEL = ("maps", "cot", "bench", "scale")
#: (importer, imported) pairs that the order forbids but that are wanted, each with its reason beside it.
ALLOWED: set[tuple[str, str]] = set()

#: Where a door may lead up by a string: (module, name of the table or function).
DOORS = {("", "_PUBLIC"), ("reason.reasoner", "REASONERS"), ("reason.trace", "EXPLORER")}
#: Who may import by a name that is not written out.
BY_ANY_NAME = {"", "_optional", "_versions", "reason.reasoner", "reason.trace"}

#: Third-party package → the only places that may import it.
ONLY_IN = {
    "stackstac": ("stac.cube",),
    "torch": ("model", "train"),
    "leafmap": ("maps.leaflet",),
}
#: Optional packages: a module of ours may fail to import for want of one of these, and for nothing else.
OPTIONAL = (
    "torch", "transformers", "leafmap", "ipyleaflet", "ipywidgets", "IPython", "odc", "distributed", "earthlib",
    "accelerate", "peft", "tensorboard", "yaml", "pyarrow",
)  # fmt: skip

HEAVY = (
    "torch transformers rasterio osgeo leafmap ipyleaflet ipywidgets matplotlib xarray numpy pandas dask distributed "
    "scipy PIL shapely pyproj geopandas pyogrio rioxarray stackstac pystac pystac_client planetary_computer pydantic "
    "requests IPython tqdm odc importlib.metadata"
).split()


@dataclass(frozen=True)
class Use:
    """One import, or one string that names a module of ours.

    `module` is the importer, dotted, without the package's name ("" is the package itself); `target` the full
    dotted name; `place` the table or function around it; `typing_only` whether it is under ``if TYPE_CHECKING``.
    """

    module: str
    target: str
    line: int
    place: str
    by_string: bool = False
    typing_only: bool = False

    def __str__(self) -> str:
        return f"{self.module or '__init__'} line {self.line}: {self.target}"


def modules() -> dict[str, Path]:
    """Every module of the package: dotted name without the package's own → file."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = list(path.relative_to(SOURCE).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts)] = path
    return found


MODULES = modules()
LAYERS = {name.split(".")[0] for name in MODULES if name} | set(RANK) | set(ON_TOP)
NAMES_ONE_OF_OURS = re.compile(rf"{PACKAGE}(\.\w+)+(:\w*)?\Z")


def uses(module: str, tree: ast.Module, *, is_package: bool) -> Iterator[Use]:
    """All imports in a module, and all strings that name a module of ours."""
    yield from _walk(tree, module, "", False, is_package)


def _walk(node: ast.AST, module: str, place: str, typing_only: bool, is_package: bool) -> Iterator[Use]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        place = node.name
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        place = node.targets[0].id
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        place = node.target.id
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Use(module, alias.name, line, place, typing_only=typing_only)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = [PACKAGE, *module.split(".")] if module else [PACKAGE]
            keep = len(parts) - node.level + (1 if is_package else 0)
            base = ".".join([*parts[:keep], *([node.module] if node.module else [])])
        for alias in node.names:  # "from package import module" names a module too
            yield Use(module, f"{base}.{alias.name}", line, place, typing_only=typing_only)
    elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__", "need", "find_spec"):
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            if _called(node) != "find_spec":
                yield Use(module, first.value, line, place)
        elif module not in BY_ANY_NAME:
            yield Use(module, "<a name that is not written out>", line, place)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and NAMES_ONE_OF_OURS.match(node.value):
        yield Use(module, node.value.partition(":")[0], line, place, by_string=True)
    elif isinstance(node, ast.JoinedStr):
        head = node.values[0] if node.values else None
        if isinstance(head, ast.Constant) and str(head.value).startswith(f"{PACKAGE}."):
            yield Use(module, f"{head.value}<formatted>", line, place, by_string=True)
    for name, value in ast.iter_fields(node):
        inside = typing_only or (isinstance(node, ast.If) and name == "body" and "TYPE_CHECKING" in ast.dump(node.test))
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _walk(child, module, place, inside, is_package)


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def all_uses() -> list[Use]:
    return [
        use
        for module, path in MODULES.items()
        for use in uses(module, ast.parse(path.read_text("utf-8"), str(path)), is_package=path.name == "__init__.py")
    ]


USES = all_uses()


def our_layer(target: str) -> str | None:
    """The layer that a dotted name is in, "" for the package itself, None for what is not ours."""
    parts = target.split(".")
    if parts[0] != PACKAGE:
        return None
    if parts[1:] == ["__version__"]:  # a door that leads down
        return "_versions"
    return parts[1] if len(parts) > 1 and parts[1] in LAYERS else ""


def points_down(use: Use) -> bool:
    """Whether `use` is allowed by the order of layers."""
    source, target = use.module.split(".")[0], our_layer(use.target)
    if target is None or (source, target) in ALLOWED or (source == target and source):
        return True
    if source == "":  # the package's own file: only the base, the rest by its table
        return target in BASE or use.typing_only
    if target in ON_TOP:
        return False
    if target == "":  # "from terrascope_nb import ask" would go through the doors
        return source in ON_TOP or source in ("cli", "__main__")
    if source in ON_TOP:
        return True
    if source in WITHOUT_MODEL and target == "model":
        return False
    if RANK.get(source) == 0 and RANK.get(target) == 0:
        return True
    return RANK.get(target, len(ORDER) + 1) < RANK.get(source, -1)


def test_every_module_has_a_layer() -> None:
    homeless = [m for m in MODULES if m and m.split(".")[0] not in RANK and m.split(".")[0] not in ON_TOP]
    assert homeless == [], "give it a place in ORDER, and in the architecture"


def test_imports_point_down() -> None:
    wrong = [str(u) for u in USES if not u.by_string and not points_down(u)]
    assert wrong == []


def test_doors_that_lead_up_are_in_the_tables() -> None:
    wrong = [
        str(u)
        for u in USES
        if u.by_string and our_layer(u.target) and not points_down(u) and (u.module, u.place) not in DOORS
    ]
    assert wrong == [], "a string that names a module above its own is a door: put it into a table of DOORS"


def test_no_import_by_a_name_that_is_not_written_out() -> None:
    assert [str(u) for u in USES if u.target.startswith("<")] == []


@pytest.mark.parametrize("package", ONLY_IN)
def test_package_is_imported_only_where_it_belongs(package: str) -> None:
    homes = ONLY_IN[package]
    wrong = [
        str(u)
        for u in USES
        if not u.by_string
        and u.target.split(".")[0] == package
        and not any(u.module == home or u.module.startswith(f"{home}.") for home in homes)
    ]
    assert wrong == [], f"{package} belongs in {' and '.join(homes)}"


def test_no_cycle_among_modules() -> None:
    """Modules import each other at their top in one direction, also within a layer."""
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for module, path in MODULES.items():
        top = ast.parse(path.read_text("utf-8"))
        body = [n for n in top.body if isinstance(n, ast.Import | ast.ImportFrom)]
        for use in uses(module, ast.Module(body, []), is_package=path.name == "__init__.py"):
            if our_layer(use.target) is None:
                continue
            dotted = use.target.removeprefix(PACKAGE).removeprefix(".")
            for name in (dotted, dotted.rpartition(".")[0]):
                if name in MODULES and name != module and name:
                    graph[module].add(name)
                    break
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail[trail.index(module) :], module])
        if module not in done:
            for below in sorted(graph[module]):
                visit(below, (*trail, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


@pytest.mark.parametrize(
    ("module", "code", "allowed"),
    [
        ("geo.grid", "from terrascope_nb.errors import NoCRS", True),
        ("geo.grid", "from terrascope_nb.scene.scene import Scene", False),
        ("geo.grid", "def f():\n    from terrascope_nb.scene.scene import Scene", False),
        ("geo.grid", "from ..scene import scene", False),
        ("geo.grid", "from . import aoi", True),
        ("geo.grid", "from terrascope_nb import stac", False),
        ("geo.grid", "import terrascope_nb", False),
        ("geo.grid", "from terrascope_nb import ask", False),
        ("geo.grid", "from terrascope_nb import __version__", True),
        ("errors", "from terrascope_nb.geo.grid import Grid", False),
        ("reason.trace", "import importlib\nimportlib.import_module('terrascope_nb.maps.explorer')", False),
        ("bench.run", "from terrascope_nb.reason.trace import Trace", True),
        ("bench.run", "from terrascope_nb.model.reasoner import open", False),
        ("bench.run", "import terrascope_nb.maps.panel", False),
        ("train.loop", "import terrascope_nb.model.network", True),
        ("testing.fakes", "import terrascope_nb.model.network", True),
        ("cli", "from terrascope_nb.testing import fakes", False),
        ("model.network", "from terrascope_nb.accessor import x", False),
        ("", "from terrascope_nb.geo.grid import Grid", False),
        ("", "if TYPE_CHECKING:\n    from terrascope_nb.geo.grid import Grid", True),
        ("scene.scene", "if TYPE_CHECKING:\n    from terrascope_nb.reason.trace import Trace", False),
    ],
)
def test_the_reader_sees_what_it_should(module: str, code: str, allowed: bool) -> None:
    found = [u for u in uses(module, ast.parse(code), is_package=False) if not u.by_string]
    assert all(points_down(u) for u in found) is allowed


def test_the_reader_sees_doors() -> None:
    code = 'REASONERS = {"terrascope": "terrascope_nb.model.reasoner:Network"}\nx = "terrascope_nb.model.reasoner"'
    places = [(u.place, points_down(u)) for u in uses("reason.reasoner", ast.parse(code), is_package=False)]
    assert places == [("REASONERS", False), ("x", False)]


def test_public_table_and_typing_imports_agree() -> None:
    typed = {u.target.removeprefix(f"{PACKAGE}.") for u in USES if u.module == "" and u.typing_only}
    table = {t.removeprefix(f"{PACKAGE}.").replace(":", ".") for t in terrascope_nb._PUBLIC.values()}
    assert typed == table
    assert all(target.split(".")[-1] == name for name, target in _dotted(terrascope_nb._PUBLIC).items())


def _dotted(table: dict[str, str]) -> dict[str, str]:
    return {name: target.replace(":", ".") for name, target in table.items()}


@pytest.mark.parametrize("name", terrascope_nb.__all__)
def test_public_name_is_found(name: str) -> None:
    found = getattr(terrascope_nb, name)
    assert getattr(terrascope_nb, name) is found
    assert name in dir(terrascope_nb)
    assert getattr(found, "__doc__", None), "a public name has a docstring"


def test_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(AttributeError, match="did you mean 'open_cube'"):
        terrascope_nb.opencube  # noqa: B018
    assert not hasattr(terrascope_nb, "__wrapped__")


def test_every_module_imports() -> None:
    """Each module imports by itself; one may miss an optional package, and nothing else may go wrong."""
    missing = {}
    for module in MODULES:
        if module.split(".")[-1] == "__main__":
            continue
        try:
            importlib.import_module(f"{PACKAGE}.{module}".rstrip("."))
        except ImportError as e:
            missing[module] = (e.name or "").split(".")[0]
    assert {m: p for m, p in missing.items() if p not in OPTIONAL} == {}


def test_import_is_light(tmp_path: Path) -> None:
    code = (
        "import sys; before = set(sys.modules); import terrascope_nb; dir(terrascope_nb); "
        "import json; print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
    loaded = json.loads(done.stdout)
    assert PACKAGE in loaded
    assert [m for m in loaded if m in HEAVY or m.split(".")[0] in HEAVY] == []
    assert [m for m in loaded if m.startswith(f"{PACKAGE}.")] == [], "public names are found on first use"
