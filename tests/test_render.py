"""The 8-bit view: fixed physical limits, the same pixels the same view, no data black and told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.scene import samples
from terrascope_nb.scene.build import from_arrays
from terrascope_nb.scene.render import DECIBELS, render
from terrascope_nb.scene.scene import Image

RGBN = ("red", "green", "blue", "nir")


def optical(units: str = "reflectance", **bands: np.ndarray) -> Image:
    return from_arrays({k: np.asarray(v, np.float32) for k, v in bands.items()}, units=units).images[0]


def radar(**bands: np.ndarray) -> Image:
    return from_arrays(sar={k: np.asarray(v, np.float32) for k, v in bands.items()}, sar_units="linear").images[0]


def test_reflectance_steps_round_to_nearest_with_halves_up() -> None:
    values = np.array([[-0.1, 0.0, 0.15, 0.3, 0.5, 0.3 * 0.5 / 255]])  # the last is half a step: up
    view = optical(red=values, green=values, blue=values).view
    assert view.pixels[0, :, 0].tolist() == [0, 0, 128, 255, 255, 1]
    assert (view.pixels[..., 0] == view.pixels[..., 1]).all()
    assert (view.name, view.channels) == ("true colour", ("red", "green", "blue"))
    assert "0 to 0.3" in view.stretch and "halves up" in view.stretch


def test_reflectance_is_the_published_preparation() -> None:
    """clip(DN, 0, 3000) / 3000, DN being reflectance × 10,000."""
    dn = np.arange(0, 4000, dtype=np.uint16).reshape(40, 100)
    image = from_arrays(np.stack([dn] * 3), bands=["red", "green", "blue"], scale=1e-4).images[0]
    want = np.floor(np.clip(dn, 0, 3000) / 3000 * 255 + 0.5)
    assert (image.view.pixels[..., 0] == want).all()


def test_each_polarisation_has_its_own_decibels() -> None:
    assert DECIBELS["vv"] == (-25, 0) and DECIBELS["vh"] == (-30, -5)
    db = np.array([[-35.0, -25.0, -12.5, 0.0, 5.0]])
    view = radar(vv=10 ** (db / 10), vh=10 ** ((db - 5) / 10)).view
    assert view.name == "sar" and view.channels == ("vh", "vv", "mean(vh, vv)")
    assert view.pixels[0, :, 1].tolist() == [0, 0, 128, 255, 255]
    assert view.pixels[0, :, 0].tolist() == [0, 0, 128, 255, 255]
    assert "VV -25 to 0 dB" in view.stretch and "VH -30 to -5 dB" in view.stretch


def test_blue_of_a_sar_view_is_the_mean_after_the_stretch() -> None:
    view = radar(vv=np.full((1, 1), 10**-0.5), vh=np.full((1, 1), 10**-2.5)).view  # -5 dB, -25 dB: 0.8 and 0.2
    assert view.pixels[0, 0].tolist() == [51, 204, 128]


@pytest.mark.parametrize("band", ["vv", "vh", "hh", "hv"])
def test_one_polarisation_is_grey_and_says_so(band: str) -> None:
    view = radar(**{band: np.full((2, 2), 0.1)}).view
    assert view.name == "sar (grey)" and view.channels == (band,) * 3
    assert f"from {band.upper()} alone" in view.stretch
    assert (view.pixels == view.pixels[..., :1]).all()


def test_no_data_is_black_and_not_valid() -> None:
    a = np.full((2, 2), 0.2, np.float32)
    a[0, 0] = np.nan
    view = optical(red=a, green=np.full((2, 2), 0.2), blue=np.full((2, 2), 0.2)).view
    assert view.pixels[0, 0].tolist() == [0, 0, 0] and not view.valid[0, 0] and view.valid.sum() == 3
    view = radar(vv=a, vh=np.full((2, 2), 0.2)).view
    assert view.pixels[0, 0].tolist() == [0, 0, 0] and not view.valid[0, 0]


def test_a_band_that_is_not_shown_does_not_black_out_the_view() -> None:
    full, holes = np.full((2, 2), 0.2), np.array([[np.nan, 0.2], [0.2, 0.2]])
    image = optical(red=full, green=full, blue=full, swir16=holes)
    assert image.view.valid.all() and not image.valid.all()


@pytest.mark.parametrize(
    ("bands", "name", "channels"),
    [
        (("nir", "red", "green"), "false colour", ("nir", "red", "green")),
        (("nir08", "red", "green"), "false colour", ("nir08", "red", "green")),
        (("coastal", "red", "nir", "swir16"), "false colour", ("swir16", "nir", "red")),
        (("red", "nir"), "grey", ("red", "red", "red")),
    ],
)
def test_without_blue_another_picture_is_shown_and_named(
    bands: tuple[str, ...], name: str, channels: tuple[str, ...]
) -> None:
    view = optical(**{b: np.full((2, 2), 0.15) for b in bands}).view
    assert (view.name, view.channels) == (name, channels)
    assert view.stretch.startswith(name.capitalize())


def test_infrared_has_limits_of_its_own() -> None:
    view = render(optical(**{b: np.full((1, 1), 0.3) for b in RGBN}), "false colour")
    assert view.pixels[0, 0].tolist() == [128, 255, 255] and "nir 0 to 0.6" in view.stretch


def test_eight_bit_numbers_are_shown_as_they_are() -> None:
    values = np.arange(256, dtype=np.float32).reshape(16, 16)
    view = optical("dn", red=values, green=values, blue=values).view
    assert (view.pixels[..., 0] == values).all() and "no physical stretch" in view.stretch


def test_other_uncalibrated_numbers_say_that_their_stretch_moves_with_the_extent() -> None:
    values = np.linspace(0, 5000, 64).reshape(8, 8)
    view = optical("dn", red=values, green=values, blue=values).view
    assert view.pixels.min() == 0 and view.pixels.max() == 255
    assert "percentile" in view.stretch and "may look different at another extent" in view.stretch


def test_a_picture_is_not_touched() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    image = from_arrays(picture).images[0]
    assert image.units == "rgb8" and (image.view.pixels == picture).all()


def test_a_style_that_the_bands_do_not_allow_is_refused() -> None:
    image = optical(red=np.full((1, 1), 0.1), nir=np.full((1, 1), 0.1))
    with pytest.raises(NotFound, match="needs red, green and blue; this optical image has red, nir"):
        render(image, "true colour")
    with pytest.raises(NotFound, match="needs a SAR image"):
        render(image, "sar")
    with pytest.raises(NotFound, match="needs an optical image"):
        render(radar(vv=np.full((1, 1), 0.1)), "true colour")
    with pytest.raises(NotFound, match=r"needs VV and VH .*has vv"):
        render(radar(vv=np.full((1, 1), 0.1)), "sar")
    with pytest.raises(InvalidInput, match="did you mean 'true colour'"):
        render(image, "true color")


def test_a_blanked_image_says_so_in_its_view() -> None:
    scene = samples.load("lake").blank("sar")
    view = scene.images[1].view
    assert "blanked" in view.stretch and len(np.unique(view.pixels.reshape(-1, 3), axis=0)) == 1


def test_zero_power_is_the_darkest_not_no_data() -> None:
    image = radar(vv=np.array([[0.1, 0.1]]))
    zero = replace(image, bands=image.bands * np.float32(0))
    assert zero.view.valid.all() and (zero.view.pixels == 0).all()


@given(
    values=hnp.arrays(np.float32, (4, 12, 10), elements=st.floats(-0.125, 1.25, width=32) | st.just(float("nan"))),
    r=st.integers(0, 11),
    c=st.integers(0, 9),
)
def test_the_same_pixels_give_the_same_view_at_any_extent(values: np.ndarray, r: int, c: int) -> None:
    values[:, 0, 0] = 0.1  # an image needs one valid pixel
    for image in (
        optical(**dict(zip(RGBN, values, strict=True))),
        radar(vv=np.abs(values[0]) + 1e-6, vh=np.abs(values[1]) + 1e-6),
    ):
        rows, cols = slice(r, 12), slice(c, 10)
        for style in (None, "false colour") if image.modality == "optical" else (None, "sar (grey)"):
            whole, part = render(image, style), render(image.window(rows, cols), style)
            assert (whole.pixels[rows, cols] == part.pixels).all() and (whole.valid[rows, cols] == part.valid).all()
            assert whole.stretch == part.stretch


def test_real_pixels_give_the_same_view_at_any_extent() -> None:
    rng = np.random.default_rng(3)
    for image in samples.load("lake").images:
        for _ in range(20):
            r, c = rng.integers(0, 119, 2)
            h, w = rng.integers(1, 121 - r), rng.integers(1, 121 - c)
            rows, cols = slice(r, r + h), slice(c, c + w)
            assert (image.window(rows, cols).view.pixels == image.view.pixels[rows, cols]).all()


def test_the_lake_is_dark_in_both_views() -> None:
    scene = samples.load("lake")
    water = scene.images[0].array("nir") < 0.08
    for image, limit in zip(scene.images, (25, 80), strict=True):
        pixels = image.view.pixels[..., 1]
        assert np.median(pixels[water]) < limit < np.median(pixels[~water])
