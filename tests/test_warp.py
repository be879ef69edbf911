"""Display pixels lie where their coordinates say, on any grid; nothing is lost; what cannot be shown is refused."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from affine import Affine
from PIL import Image as Picture
from pyproj import Transformer

from terrascope_nb.errors import GridMismatch, InvalidInput
from terrascope_nb.geo.grid import Grid
from terrascope_nb.maps.warp import change_overlay, mask_overlay, view_overlay, web_grid
from terrascope_nb.scene.render import View

LATITUDES = {0: 32631, 45: 32633, 70: 32635, -45: 32733}
WEB = Transformer.from_crs(4326, 3857, always_xy=True)


def utm(lat: float, epsg: int, shape: tuple[int, int] = (200, 300), off: float = 90_000) -> Grid:
    """A 10 m grid well away from the central meridian, where north is not up."""
    lon = (epsg % 100) * 6 - 183
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(lon, lat)
    return Grid(Affine(10, 0, round(x + off, -1), 0, -10, round(y, -1)), shape, epsg)


def pixels(overlay) -> np.ndarray:
    return np.asarray(Picture.open(io.BytesIO(overlay.data)).convert("RGBA"))


@pytest.mark.parametrize(("lat", "epsg"), LATITUDES.items())
@pytest.mark.parametrize("shape", [(200, 300), (512, 512)])
@pytest.mark.parametrize("corner", [(40, 70), (133, 211)])
def test_the_corner_of_a_mask_lands_within_half_a_display_pixel(
    lat: float, epsg: int, shape: tuple[int, int], corner: tuple[int, int]
) -> None:
    grid = utm(lat, epsg, shape)
    row, col = corner
    mask = np.zeros(grid.shape, bool)
    mask[row : row + 30, col : col + 40] = True
    overlay = mask_overlay(mask, grid, "#ff0000")
    (south, west), (north, east) = overlay.bounds
    left, bottom = WEB.transform(west, south)
    right, top = WEB.transform(east, north)
    h, w = overlay.shape
    seen = (pixels(overlay)[..., 0] == 255) & (pixels(overlay)[..., 3] > 0)
    lon, lat_ = grid.lonlat(
        np.array([row, row, row + 30, row + 30]) - 0.5, np.array([col, col + 40, col, col + 40]) - 0.5
    )
    xs, ys = WEB.transform(lon, lat_)
    wanted_c, wanted_r = (np.array(xs) - left) / (right - left) * w, (top - np.array(ys)) / (top - bottom) * h
    # The true outline's extent in display pixels, against the drawn one's.
    rows, cols = np.nonzero(seen)
    assert abs(rows.min() - wanted_r.min()) <= 0.55  # the mesh adds up to 0.05
    assert abs(rows.max() + 1 - wanted_r.max()) <= 0.55
    assert abs(cols.min() - wanted_c.min()) <= 0.55
    assert abs(cols.max() + 1 - wanted_c.max()) <= 0.55


@pytest.mark.parametrize(("lat", "epsg"), LATITUDES.items())
def test_every_display_pixel_shows_the_ground_pixel_under_its_centre(lat: float, epsg: int) -> None:
    grid = utm(lat, epsg)
    web = web_grid(grid)
    (south, west), (north, east) = web.bounds
    left, bottom = WEB.transform(west, south)
    right, top = WEB.transform(east, north)
    h, w = web.there.shape
    r, c = np.random.default_rng(0).integers(0, (h, w), (4000, 2)).T
    x, y = left + (c + 0.5) * (right - left) / w, top - (r + 0.5) * (top - bottom) / h
    lon, lat_ = WEB.transform(x, y, direction="INVERSE")
    east_, north_ = Transformer.from_crs(4326, grid.crs, always_xy=True).transform(lon, lat_)
    true_r, true_c = (grid.transform.f - north_) / 10, (east_ - grid.transform.c) / 10
    inside = (true_r > 0) & (true_r < grid.height) & (true_c > 0) & (true_c < grid.width)
    off = np.maximum(np.abs(web.rows[r, c] + 0.5 - true_r), np.abs(web.cols[r, c] + 0.5 - true_c))[inside]
    assert inside.mean() > 0.8
    assert off.max() < 0.5 + 0.05  # ground pixels
    edge = np.minimum.reduce([true_r, grid.height - true_r, true_c, grid.width - true_c])
    clear = np.abs(edge) > 0.05
    assert (web.there[r, c] == inside)[clear].all()


@pytest.mark.parametrize("side", [100, 512, 1200])
def test_no_single_pixel_is_lost_on_a_turned_grid(side: int) -> None:
    web = web_grid(utm(70, 32635, (side, side)))
    shown = np.zeros((side, side), bool)
    shown[web.rows[web.there], web.cols[web.there]] = True
    assert web.note == "" and shown.all()


def test_over_the_antimeridian_the_picture_stays_in_one_piece() -> None:
    grid = Grid.from_aoi(__import__("terrascope_nb").AOI.from_bbox((179.95, -17.05, -179.95, -16.95)), 50)
    (_, west), (_, east) = web_grid(grid).bounds
    assert 0 < east - west < 0.2
    around = Grid(Affine(0.001, 0, 179.9, 0, -0.001, 10), (50, 200), 4326)
    (_, west), (_, east) = web_grid(around).bounds
    assert (west, east) == pytest.approx((179.9, 180.1))
    assert web_grid(around).there.all()


def test_large_grids_are_reduced_and_say_so() -> None:
    grid = Grid(Affine(10, 0, 500_000, 0, -10, 5_000_000), (3000, 5000), 32633)
    mask = np.zeros(grid.shape, bool)
    mask[1500, 2000] = True  # a single pixel must not vanish
    overlay = mask_overlay(mask, grid, "#00ff00")
    assert max(overlay.shape) <= 2049
    assert "3000 × 5000" in overlay.note
    assert (pixels(overlay)[..., 3] > 0).any()


def test_pictures_are_clear_where_there_is_no_data() -> None:
    grid = utm(45, 32633, (60, 80))
    valid = np.ones(grid.shape, bool)
    valid[:, :40] = False
    view = View(np.full((*grid.shape, 3), 200, np.uint8), valid, "true colour", "none", ("red", "green", "blue"))
    alpha = pixels(view_overlay(view, grid))[..., 3]
    h, w = alpha.shape
    assert alpha[h // 2, w // 4] == 0 and alpha[h // 2, 3 * w // 4] == 255


def test_outline_draws_no_fill_and_change_has_two_colours() -> None:
    grid = Grid(Affine(1, 0, 0, 0, 1, 0), (40, 40))
    mask = np.zeros(grid.shape, bool)
    mask[10:30, 10:30] = True
    assert pixels(mask_overlay(mask, grid, "#ff0000", "outline"))[40, 40, 3] == 0
    assert pixels(mask_overlay(mask, grid, "#ff0000"))[40, 40].tolist() == [255, 0, 0, 128]
    seen = pixels(change_overlay(mask, ~mask, grid))
    assert len({tuple(p) for p in seen.reshape(-1, 4).tolist()}) == 2
    assert web_grid(grid).bounds == ((-40, 0), (0, 40))


def test_what_cannot_be_shown_is_refused() -> None:
    polar = Grid(Affine(1000, 0, -100_000, 0, -1000, 100_000), (200, 200), 3413)
    with pytest.raises(InvalidInput, match="85"):
        web_grid(polar)
    with pytest.raises(GridMismatch, match="10, 10"):
        mask_overlay(np.zeros((10, 10), bool), utm(45, 32633), "#fff000")
    with pytest.raises(InvalidInput, match="outline"):
        mask_overlay(np.zeros((200, 300), bool), utm(45, 32633), "#fff000", "dashed")
    assert math.isfinite(web_grid(utm(70, 32635)).bounds[0][0])
