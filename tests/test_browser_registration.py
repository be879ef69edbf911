"""Masks lie where they belong: the corner of a mask, as the browser draws it, against its coordinates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from pyproj import Transformer

if TYPE_CHECKING:
    from servers.jupyter import Tab

pytest_plugins = ["servers.jupyter"]
pytestmark = pytest.mark.browser

SIDE, ROWS, COLS = 100, (30, 60), (40, 90)  # pixels of 10 m: the scene's side, and the mask's
SCENE = """
import numpy as np, xarray as xr
from affine import Affine
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.events import Answer, Mask
from terrascope_nb.scene.scene import Image, Scene
from terrascope_nb.testing.traces import trace_of
def scene_at(x, y, crs):
    grid = Grid(Affine(10, 0, x, 0, -10, y), ({side}, {side}), crs)
    bands = {{name: (("y", "x"), np.full(grid.shape, 0.1, np.float32)) for name in ("blue", "green", "red", "nir")}}
    data = xr.Dataset(bands, coords=grid.coords())
    return Scene((Image(data, "optical", grid, "reflectance", np.datetime64("2023-06-15"), None, "made", (), ()),))
scene = scene_at({x}, {y}, {crs})
mask = np.zeros(scene.grid.shape, bool)
mask[{rows}, {cols}] = True
trace = trace_of(scene, [("Water [SEG] is there.", Mask(mask, label="water"))], answer=Answer("yes"))
clicks = []
explorer = explore(trace=trace)
explorer.canvas.on_click(lambda *at: clicks.append(at))
explorer
"""
# The mask in its image: all that is drawn but the dark line around it. Sub-pixel positions come from the element's box.
_DRAWN = """async (e) => {
  const img = [...e.querySelectorAll('img.leaflet-image-layer')].find(i => i.src.startsWith('data:image/png'));
  await img.decode();
  const w = img.naturalWidth, h = img.naturalHeight, box = img.getBoundingClientRect();
  const canvas = Object.assign(document.createElement('canvas'), {width: w, height: h});
  const pen = canvas.getContext('2d'); pen.drawImage(img, 0, 0);
  const data = pen.getImageData(0, 0, w, h).data;
  let [left, right, top, bottom, n, x, y] = [w, 0, h, 0, 0, 0, 0];
  for (let r = 0; r < h; r++) for (let c = 0; c < w; c++) {
    const k = 4 * (r * w + c);
    if (!data[k + 3] || !(data[k] + data[k + 1] + data[k + 2])) continue;
    left = Math.min(left, c); right = Math.max(right, c + 1); top = Math.min(top, r); bottom = Math.max(bottom, r + 1);
    n++; x += c + 0.5; y += r + 0.5;
  }
  const [kx, ky] = [box.width / w, box.height / h];
  return {left: box.left + left * kx, right: box.left + right * kx, top: box.top + top * ky,
          bottom: box.top + bottom * ky, x: box.left + x / n * kx, y: box.top + y / n * ky, pixel: [kx, ky]};
}"""


def seen(tab: Tab, latitude: float, longitude: float) -> tuple[dict[str, Any], Any, tuple[float, float]]:
    """The mask as it is drawn; where the browser puts a row and column; and the grid's corner."""
    crs = 32633
    x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(longitude, latitude)
    x, y = round(x / 10) * 10 - 5 * SIDE, round(y / 10) * 10 + 5 * SIDE
    tab.run(SCENE.format(side=SIDE, x=x, y=y, crs=crs, rows=f"{ROWS[0]}:{ROWS[1]}", cols=f"{COLS[0]}:{COLS[1]}"))
    here = tab.page.locator(".tsnb-map")
    here.locator('img.leaflet-image-layer[src^="data:image/png"]').wait_for()
    tab.page.wait_for_timeout(500)
    here.scroll_into_view_if_needed()
    box = here.locator(".leaflet-container").bounding_box()
    at = round(box["x"] + box["width"] / 2) + 7, round(box["y"] + box["height"] / 2) - 11
    tab.page.mouse.click(*at)
    clicked = tab.until("clicks and [*clicks[-1]]")
    scale = 256 * 2 ** tab.value("explorer.canvas.map.zoom") / (2 * math.pi)  # CSS pixels a radian
    back = Transformer.from_crs(crs, 4326, always_xy=True)

    def where(row: float, col: float) -> tuple[float, float]:
        """The outer corner of a pixel in the window, by the place that the browser gave for the click."""
        lon, lat = back.transform(x + 10 * col, y - 10 * row)
        return (
            at[0] + scale * math.radians(lon - clicked[1]),
            at[1] - scale * (_mercator(lat) - _mercator(clicked[0])),
        )

    return here.evaluate(_DRAWN), where, (x, y)


def _mercator(latitude: float) -> float:
    return math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2))


@pytest.mark.parametrize("latitude", [0, 45, 70])
def test_a_mask_with_a_known_corner_lands_within_half_a_display_pixel(cells: Tab, latitude: int) -> None:
    drawn, where, _ = seen(cells, latitude, 15.0)  # on the zone's meridian, where the grid is not turned
    half = [p / 2 for p in drawn["pixel"]]
    assert min(drawn["pixel"]) >= 1  # CSS pixels: what is measured is the drawing and not its rounding
    left, top = where(ROWS[0], COLS[0])
    right, bottom = where(ROWS[1], COLS[1])
    assert abs(drawn["left"] - left) <= half[0]
    assert abs(drawn["right"] - right) <= half[0]
    assert abs(drawn["top"] - top) <= half[1]
    assert abs(drawn["bottom"] - bottom) <= half[1]
    cells.shot(f"registration_{latitude}")


def test_a_mask_on_a_turned_grid_has_its_middle_where_it_belongs(cells: Tab) -> None:
    drawn, where, _ = seen(cells, 70, 17.5)  # 2.4° between grid north and the map's
    x, y = where(sum(ROWS) / 2, sum(COLS) / 2)
    assert abs(drawn["x"] - x) <= drawn["pixel"][0] / 2
    assert abs(drawn["y"] - y) <= drawn["pixel"][1] / 2
