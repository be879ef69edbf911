"""AOI ─▶ search ─▶ cube ─▶ Scene ─▶ reasoner ─▶ Trace ─▶ page, figure, files ─▶ map.

Each stage's result is the next stage's argument. The public names below are found on first use, so importing
this package is cheap and pulls in no array, raster, map or plotting library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from terrascope_nb import errors as errors
    from terrascope_nb._options import set_options as set_options
    from terrascope_nb._versions import show_versions as show_versions
    from terrascope_nb.geo.aoi import AOI as AOI
    from terrascope_nb.geo.grid import Grid as Grid
    from terrascope_nb.maps.explorer import Explorer as Explorer
    from terrascope_nb.reason.reasoner import ask as ask
    from terrascope_nb.reason.reasoner import ask_many as ask_many
    from terrascope_nb.reason.reasoner import open_reasoner as open_reasoner
    from terrascope_nb.reason.reasoner import reasoners as reasoners
    from terrascope_nb.reason.reasoner import stream as stream
    from terrascope_nb.reason.trace import Trace as Trace
    from terrascope_nb.scene import samples as samples
    from terrascope_nb.scene.load import load_scene as load_scene
    from terrascope_nb.scene.scene import Scene as Scene
    from terrascope_nb.stac.catalog import Catalog as Catalog
    from terrascope_nb.stac.catalog import search as search
    from terrascope_nb.stac.cube import open_cube as open_cube

    __version__: str

#: Public name → "module" or "module:attribute" where it lives. The only table of public names.
_PUBLIC = {
    "AOI": "terrascope_nb.geo.aoi:AOI",
    "Grid": "terrascope_nb.geo.grid:Grid",
    "Catalog": "terrascope_nb.stac.catalog:Catalog",
    "search": "terrascope_nb.stac.catalog:search",
    "open_cube": "terrascope_nb.stac.cube:open_cube",
    "Scene": "terrascope_nb.scene.scene:Scene",
    "load_scene": "terrascope_nb.scene.load:load_scene",
    "samples": "terrascope_nb.scene.samples",
    "ask": "terrascope_nb.reason.reasoner:ask",
    "ask_many": "terrascope_nb.reason.reasoner:ask_many",
    "stream": "terrascope_nb.reason.reasoner:stream",
    "reasoners": "terrascope_nb.reason.reasoner:reasoners",
    "open_reasoner": "terrascope_nb.reason.reasoner:open_reasoner",
    "Trace": "terrascope_nb.reason.trace:Trace",
    "Explorer": "terrascope_nb.maps.explorer:Explorer",
    "errors": "terrascope_nb.errors",
    "set_options": "terrascope_nb._options:set_options",
    "show_versions": "terrascope_nb._versions:show_versions",
}

__all__ = [*_PUBLIC, "__version__"]  # noqa: PLE0604  (the names come from the table)


def __getattr__(name: str) -> Any:
    """Find a public name where `_PUBLIC` says it lives, and keep it.

    Raises
    ------
    AttributeError
        When `name` is not public; the message names the nearest one that is.
    """
    if name == "__version__":
        from terrascope_nb._versions import own_version

        found: Any = own_version()
    elif name in _PUBLIC:
        module, _, attribute = _PUBLIC[name].partition(":")
        found = importlib.import_module(module)
        if attribute:
            found = getattr(found, attribute)
    elif name.startswith("__"):
        # Asked for by the import system and by inspection, never typed by a person.
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    else:
        from terrascope_nb._suggest import unknown

        raise AttributeError(unknown(f"name in {__name__}:", name, _PUBLIC))
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names, found or not yet, beside what the module holds already."""
    return sorted({*globals(), *__all__})
