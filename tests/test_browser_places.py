"""The Explorer where users are: JupyterLab below a hub's path, Notebook 7, Voilà; nothing is fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

if TYPE_CHECKING:
    from servers.jupyter import Server

pytest_plugins = ["servers.jupyter"]
pytestmark = pytest.mark.browser

LINES = (
    "import terrascope_nb as ts",
    'explorer = ts.Explorer(scene=ts.samples.load("lake"), basemap=None)\n'
    'explorer.ask("How far is the forest from water?")\nexplorer.wait()\nexplorer',
)
_MASK = """(before) => {
  const masks = [...document.querySelectorAll('.tsnb-map img.leaflet-image-layer')]
    .filter(i => i.src.startsWith('data:image/png') && getComputedStyle(i).opacity > 0 && i.complete && i.naturalWidth);
  return masks.length === 1 && masks[0].src !== before && masks[0].src; }"""


# Notebook 7 takes the arrow keys for itself while the notebook is in command mode, from every slider: there the slider
# is stepped by PageUp and PageDown. Voilà's own template asks a CDN for its icon font, whatever the notebook, and does
# without.
@pytest.mark.parametrize(
    ("kind", "base", "key", "own"),
    [
        ("lab", "/user/x/", "ArrowRight", ""),
        ("notebook", "/", "PageUp", ""),
        ("voila", "/user/x/", "ArrowRight", "/@fortawesome/fontawesome-free@"),
    ],
    ids=["hub", "notebook7", "voila"],
)
def test_the_same_notebook_renders_and_steps(
    servers: Callable[..., Server], browser: Any, shots: Path, kind: str, base: str, key: str, own: str
) -> None:
    from servers.jupyter import tab_in

    server = servers(kind, base)
    server.write("explore.ipynb", *LINES)
    with tab_in(browser, server, shots) as tab:
        tab.open("explore.ipynb")
        if kind != "voila":  # it runs the cells by itself
            tab.ready()
            tab.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        second = tab.page.wait_for_function(_MASK, arg="").json_value()
        tab.page.locator("button.tsnb-sentence.on", has_text="2. ").wait_for()
        tab.page.locator(".tsnb-x button", has_text="Previous").press("Space")
        tab.page.locator("button.tsnb-sentence.on", has_text="1. ").wait_for()
        first = tab.page.wait_for_function(_MASK, arg=second).json_value()
        handle = tab.page.locator(".tsnb-view .noUi-handle").first
        handle.press(key)
        tab.page.locator("button.tsnb-sentence.on", has_text="2. ").wait_for()
        assert tab.page.wait_for_function(_MASK, arg=first).json_value() == second
        tab.page.locator(".tsnb-x").scroll_into_view_if_needed()
        tab.shot(f"place_{kind}")
        outside = [x for x in tab.requests if x.startswith("http") and not x.startswith(server.url)]
        assert [x for x in outside if not own or own not in unquote(x)] == []
