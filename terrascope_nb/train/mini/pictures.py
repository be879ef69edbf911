"""What the mini is shown: optical images in false colour, infrared in red; radar as everywhere; SAM 2 both at once.

In true colour the classes of the made scenes can hardly be told apart: dark and muddy water look like woods and fields.
A reader of every pixel and its surroundings reached a mean IoU of 0.41 in true colour, 0.62 in false colour, 0.49 by
radar, and 0.72 by the one picture that `fused` makes of both.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.scene.render import render
from terrascope_nb.scene.scene import Image, Scene

STYLE = "false colour"


def picture(image: Image) -> np.ndarray:
    """(H, W, 3) uint8: the view that the mini is shown of an image.

    Raises
    ------
    InvalidInput
        For an optical image without infrared.
    """
    if image.modality == "sar":
        return image.view.pixels
    try:
        return render(image, STYLE).pixels
    except NotFound as e:
        have = ", ".join(map(str, image.bands.data_vars))
        raise InvalidInput(
            f"the mini is shown infrared, red and green, and the optical image of {image.day} has {have}: load the "
            "scene with its infrared band, or ask the radar alone, scene.select('sar')"
        ) from e


def as_seen(scene: Scene) -> Scene:
    """The scene with each optical image as the picture that the mini is shown; grids, dates, clouds as they were.

    For ``open_reasoner("terrascope", model=…)``, which shows a network the view of an image as it is.

    Examples
    --------
    >>> import terrascope_nb as ts
    >>> seen = as_seen(ts.samples.load("lake"))
    >>> seen.images[0].units, bool((seen.images[0].view.pixels == picture(ts.samples.load("lake").images[0])).all())
    ('rgb8', True)
    """
    return replace(scene, images=tuple(_painted(i) if i.modality == "optical" else i for i in scene.images))


def fused(optical: np.ndarray, radar: np.ndarray, hidden: np.ndarray | None = None) -> np.ndarray:
    """One picture of two sensors, (H, W, 3) uint8: infrared, red, the radar's mean; where hidden the radar view alone.

    Parameters
    ----------
    optical, radar : numpy.ndarray
        (H, W, 3) uint8, as `picture` gives them.
    hidden : numpy.ndarray, optional
        (H, W) bool: where cloud or shadow hides the ground from the optical image.
    """
    out = np.stack([optical[..., 0], optical[..., 1], radar[..., 2]], -1)
    return out if hidden is None else np.where(hidden[..., None], radar, out)


def _painted(image: Image) -> Image:
    import xarray as xr

    pixels = picture(image).astype(np.float32)
    pixels[~image.valid] = np.nan
    dims = next(iter(image.bands.data_vars.values())).dims
    bands = xr.Dataset(
        {name: (dims, pixels[..., k]) for k, name in enumerate(("red", "green", "blue"))}, coords=image.bands.coords
    )
    note = f"shown in {STYLE}: infrared, red and green as red, green and blue"
    return replace(image, bands=bands, units="rgb8", notes=(*image.notes, note))
