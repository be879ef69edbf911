"""Bands of one date → `Image`: units settled, cloud attached, each step noted. Shared by arrays, cubes and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene import scaling
from terrascope_nb.scene.bands import LAYERS, THERMAL
from terrascope_nb.scene.scene import Image, Scene

NO_CLOUD_LAYER = "no cloud layer came with the data: every pixel with data counts as clear"


def optical_image(
    bands: Mapping[str, np.ndarray],
    grid: Grid,
    *,
    stored: np.dtype,
    time: np.datetime64 | None = None,
    cloud: np.ndarray | None = None,
    cloud_words: str = "cloud as given",
    sensor: str = "",
    sources: tuple[str, ...] = (),
    notes: Sequence[str] = (),
    scale: float | None = None,
    offset: float | None = None,
    units: str | None = None,
    tags: Mapping[str, tuple[float, float]] | None = None,
    call: str = "Scene.from_arrays(…,",
) -> Image:
    """An optical image of bands as stored (float, NaN for no data); ``scl`` among them becomes the cloud mask.

    Thermal bands are left out, and it is noted: their numbers are temperatures.
    """
    heat = [k for k in bands if k in THERMAL]
    light = {k: v for k, v in bands.items() if k not in LAYERS and k not in THERMAL}
    if not light:
        raise InvalidInput(f"an optical image needs a band of light; there is only {', '.join(bands)}")
    own = {k: v for k, v in (tags or {}).items() if k in light}
    scaled = scaling.optical(light, stored=stored, scale=scale, offset=offset, units=units, tags=own, call=call)
    said = [*scaled.notes, *notes]
    if heat:
        said.append(f"{', '.join(heat)} left out: temperature, not reflectance")
    if cloud is not None:
        said.append(cloud_words)
    elif "scl" in bands:
        cloud, words = scl_cloud(bands["scl"])
        said.append(words)
    else:
        said.append(NO_CLOUD_LAYER)
    data = bands_dataset(scaled.bands, grid)
    return Image(data, "optical", grid, scaled.units, time, cloud, sensor, tuple(sources), tuple(said))


def sar_image(
    power: Mapping[str, np.ndarray],
    grid: Grid,
    *,
    time: np.datetime64 | None = None,
    sensor: str = "",
    sources: tuple[str, ...] = (),
    notes: Sequence[str] = (),
) -> Image:
    """A SAR image of linear backscatter power (`scaling.sar` makes it of dB and coded numbers)."""
    data = bands_dataset(power, grid)
    return Image(data, "sar", grid, "linear", time, None, sensor, tuple(sources), tuple(notes))


def has_data(bands: Mapping[str, np.ndarray]) -> bool:
    """Whether any pixel of any band of light has data."""
    return any(np.isfinite(v).any() for k, v in bands.items() if k not in LAYERS)


def bands_dataset(bands: Mapping[str, np.ndarray], grid: Grid) -> xr.Dataset:
    """Bands as an `Image` holds them: (y, x) float32, with pixel-centre coordinates and CRS where the grid has one."""
    coords = grid.coords() if grid.crs is not None and grid.is_north_up else {}
    planes = {k: (("y", "x"), np.ascontiguousarray(v, dtype=np.float32)) for k, v in bands.items()}
    data = xr.Dataset(planes, coords=coords)
    if grid.crs is None:
        return data
    import rioxarray  # noqa: F401  (registers .rio)

    data = data.rio.write_crs(grid.crs)
    return data if grid.is_north_up else data.rio.write_transform(grid.transform)


def scl_cloud(scl: np.ndarray, sensor: str = "sentinel-2-l2a") -> tuple[np.ndarray, str]:
    """(H, W) bool under cloud, shadow or without a class, by a scene classification, and the sentence that says so."""
    from terrascope_nb.stac.clouds import clear_mask

    return ~np.asarray(clear_mask(scl, sensor)), cloud_words("scl", sensor)


def cloud_words(layer: str, sensor: str) -> str:
    """The sentence that says where a cloud mask comes from."""
    from terrascope_nb.stac.sensors import sensor_of

    known = sensor_of(sensor)
    values = ", ".join(map(str, known.cloudy))
    return f"cloud from the layer {layer!r}: its {'bits' if known.bits else 'classes'} {values} are not clear"


def finish(images: Sequence[Image], aoi: AOI | None, name: str, notes: Sequence[str]) -> Scene:
    """The scene of images that hold data; the AOI must meet them.

    Raises
    ------
    NotFound
        When no image is left; the notes say why.
    InvalidInput
        When the AOI holds no pixel of an image, or an image has no CRS to put it on.
    """
    if not images:
        raise NotFound("no image is left: " + ("; ".join(notes) or "nothing was given"))
    scene = Scene(tuple(images), aoi, name, tuple(dict.fromkeys(notes)))
    if aoi is not None:
        for k, image in enumerate(scene.images):
            if image.grid.crs is None:
                raise InvalidInput("aoi= needs images with a CRS: give crs= and transform=, or leave aoi= out")
            if not scene.inside(k).any():
                raise InvalidInput(f"{aoi!r} holds no pixel centre of {image.grid!r} with bounds {image.grid.bounds}")
    return scene


def day(stamp: Any) -> str:
    """A date as ``YYYY-MM-DD``, or «undated»."""
    return "undated" if stamp is None else str(stamp)[:10]
