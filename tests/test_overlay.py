"""Pictures and masks as bytes: exact masks, small files, sizes told, everything escaped."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image as Picture

from terrascope_nb.errors import GridMismatch, InvalidInput
from terrascope_nb.scene import samples
from terrascope_nb.scene.build import from_arrays
from terrascope_nb.scene.overlay import (
    base_image,
    composite_png,
    mask_png,
    outline,
    overlay_rgba,
    scene_mimebundle,
    shown_size,
    size_note,
)
from terrascope_nb.scene.render import View

BLUE = "#0072b2"


def view_of(pixels: np.ndarray, valid: np.ndarray | None = None) -> View:
    return View(pixels, np.ones(pixels.shape[:2], bool) if valid is None else valid, "true colour", "", ("r", "g", "b"))


def noise(h: int, w: int) -> View:
    return view_of(np.random.default_rng(1).integers(0, 256, (h, w, 3), dtype=np.uint8))


def opened(data: bytes) -> Picture.Image:
    picture = Picture.open(io.BytesIO(data))
    picture.load()
    return picture


@given(hnp.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_a_mask_comes_back_exactly(mask: np.ndarray) -> None:
    picture = opened(mask_png(mask, BLUE))
    assert picture.mode == "P" and picture.size == mask.shape[::-1]
    rgba = np.asarray(picture.convert("RGBA"))
    assert ((rgba[..., 3] > 0) == mask).all()
    assert (rgba[mask] == (0x00, 0x72, 0xB2, 128)).all()


def test_a_mask_is_one_bit_a_pixel() -> None:
    mask = np.random.default_rng(0).random((512, 512)) > 0.5
    data = mask_png(mask, BLUE)
    assert data[24] == 1  # bit depth in the PNG header
    assert len(data) < 512 * 512 / 8 + 1000
    assert len(mask_png(np.zeros((512, 512), bool), BLUE)) < 250


def test_a_thin_mask_stays_visible_when_reduced() -> None:
    mask = np.zeros((4000, 3000), bool)
    mask[17, :] = True
    shown = np.asarray(opened(mask_png(mask, BLUE, max_side=400)).convert("RGBA"))[..., 3] > 0
    assert shown.shape == (400, 300) and shown[1].all() and shown.sum() == 300
    half = np.zeros((4000, 4000), bool)
    half[:, :2000] = True
    shown = np.asarray(opened(mask_png(half, BLUE, max_side=400)).convert("RGBA"))[..., 3] > 0
    assert shown[:, :200].all() and not shown[:, 200:].any()


@pytest.mark.parametrize("format", ["webp", "jpeg"])
def test_a_base_picture_is_reduced_and_the_true_size_is_told(format: str) -> None:
    view = noise(300, 150)
    picture = opened(base_image(view, max_side=100, format=format))
    assert picture.size == (50, 100) and picture.format == format.upper()
    assert shown_size(view.shape, 100) == (100, 50)
    assert size_note(view.shape, 100).startswith("shown at 100 × 50; the image has 300 × 150 pixels")
    assert size_note(view.shape, 300) == ""


def test_a_small_picture_is_lossless() -> None:
    view = noise(64, 48)
    assert (np.asarray(opened(base_image(view)).convert("RGB")) == view.pixels).all()


def test_overlay_blends_where_the_mask_is_and_nowhere_else() -> None:
    view = view_of(np.full((2, 3, 3), 100, np.uint8), np.array([[True, True, False]] * 2))
    mask = np.array([[True, False, False], [False, False, True]])
    out = overlay_rgba(view, [(mask, "#ff0000")], opacity=0.5)
    assert out[0, 0].tolist() == [178, 50, 50, 255]
    assert out[0, 1].tolist() == [100, 100, 100, 255]
    assert out[0, 2, 3] == 0 and out[1, 2, 3] == 255  # no data: transparent, unless a mask lies there
    assert (view.pixels == 100).all()
    with pytest.raises(GridMismatch, match=r"\(2, 2\), the view \(2, 3\)"):
        overlay_rgba(view, [(np.ones((2, 2), bool), BLUE)])


def test_outlines_lie_on_both_sides_and_not_on_the_border() -> None:
    mask = np.zeros((6, 6), bool)
    mask[:3, :3] = True
    within, around = outline(mask)
    assert (within & ~mask).sum() == 0 and (around & mask).sum() == 0
    assert within.sum() == 5 and around.sum() == 6
    assert not any(e.any() for e in outline(np.ones((4, 4), bool)))


@pytest.mark.parametrize("ground", [0, 90, 255])
def test_an_outline_shows_on_any_ground(ground: int) -> None:
    mask = np.zeros((50, 50), bool)
    mask[10:30, 10:30] = True
    view = view_of(np.full((50, 50, 3), ground, np.uint8))
    pixels = np.asarray(opened(composite_png(view, [(mask, BLUE)], colors=None)).convert("RGB")).astype(int)
    up = pixels.shape[0] // 50
    assert (
        up == 6 and pixels[10 * up, 20 * up].tolist() == [255] * 3 and pixels[10 * up - 1, 20 * up].tolist() == [0] * 3
    )
    assert pixels[0, 0].tolist() == [ground] * 3


def test_sizes_of_a_512_picture() -> None:
    """The worst views, speckle and noise, with a mask of real shape."""
    sar = samples.load("lake").images[1].view.pixels
    view = view_of(np.tile(sar, (5, 5, 1))[:512, :512])
    mask = np.tile(samples.load("lake").images[0].array("nir") < 0.08, (5, 5))[:512, :512]
    assert len(base_image(view)) < 100_000
    assert len(mask_png(mask, BLUE)) < 3_000
    assert len(composite_png(view, [(mask, BLUE)])) < 120_000


@pytest.mark.parametrize("bad", [np.zeros((2, 2)), np.zeros((2, 2, 1), bool), np.zeros(3, bool)])
def test_a_mask_must_be_a_mask(bad: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match=re.escape(f"{bad.shape} {bad.dtype}")):
        mask_png(bad, BLUE)


def test_bad_arguments_are_named() -> None:
    mask = np.ones((2, 2), bool)
    with pytest.raises(InvalidInput, match="'bluish' is no colour"):
        mask_png(mask, "bluish")
    with pytest.raises(InvalidInput, match="opacity must lie between 0 and 1"):
        mask_png(mask, BLUE, opacity=40)
    with pytest.raises(InvalidInput, match="max_side"):
        mask_png(mask, BLUE, max_side=0)
    with pytest.raises(InvalidInput, match="'webp' or 'jpeg'"):
        base_image(noise(2, 2), format="gif")


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.alts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.alts += [v or "" for k, v in attrs if k == "alt"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_scene_shows_itself_without_a_kernel() -> None:
    scene = samples.load("lake")
    bundle = scene_mimebundle(scene)
    assert bundle == scene._repr_mimebundle_()
    assert sorted(bundle) == ["image/png", "text/html", "text/plain"]
    assert sum(len(v) for v in bundle.values()) < 300_000
    assert opened(bundle["image/png"]).format == "PNG"
    read = Reader()
    read.feed(bundle["text/html"])
    assert read.tags.count("img") == 2 and "script" not in read.tags and all(read.alts)
    for words in (
        "Scene lake",
        "optical 2017-09-24",
        "sar 2017-09-25",
        "VV -25 to 0 dB",
        "S2B_MSIL2A_20170924T93020_69_24",
    ):
        assert words in read.text
    assert "http" not in bundle["text/html"]


def test_hostile_names_are_only_read() -> None:
    evil = '<img src=x onerror="alert(1)"></script>'
    array = np.full((2, 4, 4), 0.1, np.float32)
    scene = from_arrays(array, bands=["red", "nir"], name=evil, sensor="sentinel-2-l2a")
    from dataclasses import replace

    scene = replace(
        scene, images=tuple(replace(i, sources=(evil,), notes=(evil,)) for i in scene.images), notes=(evil,)
    )
    read = Reader()
    read.feed(scene_mimebundle(scene)["text/html"])
    assert read.tags.count("img") == 1 and read.text.count("onerror") == 4


def test_many_images_are_counted_not_shown() -> None:
    cube = np.full((9, 3, 4, 4), 0.1, np.float32)
    scene = from_arrays(cube, bands=["red", "green", "blue"], times=[f"2023-07-0{k + 1}" for k in range(9)])
    read = Reader()
    read.feed(scene_mimebundle(scene)["text/html"])
    assert read.tags.count("img") == 6 and "and 3 more images" in read.text
