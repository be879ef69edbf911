"""Clouds: which pixels of a cube are clear by its cloud layer, how much of an AOI is covered, the clear median."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb.errors import GridMismatch, InvalidInput, NotFound
from terrascope_nb.stac.sensors import Sensor, sensor_of

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class CloudShare:
    """How one image covers an area, as shares (0–1) of the pixels inside it; the three add up to 1.

    Attributes
    ----------
    clear : float
        Pixels to be used.
    cloud : float
        Pixels dropped as cloud, cirrus, cloud shadow, saturated or defective.
    nodata : float
        Pixels where the image has nothing.
    pixels : int
        How many pixels lie inside.
    """

    clear: float
    cloud: float
    nodata: float
    pixels: int


def clear_mask(data: xr.Dataset | xr.DataArray | np.ndarray, sensor: Sensor | str | None = None) -> Any:
    """Where pixels are clear: bool, of the cloud layer's shape. Lazy where the input is.

    For Sentinel-2's SCL the classes 0 (no data), 1 (saturated or defective), 3 (cloud shadow), 8 and 9 (cloud), 10
    (thin cirrus) are dropped; 2 (dark), 4 (vegetation), 5 (bare), 6 (water), 7 (unclassified), 11 (snow) are kept.
    For Landsat's QA_PIXEL the bits 0 (fill), 1 (dilated cloud), 2 (cirrus), 3 (cloud), 4 (cloud shadow) drop a pixel;
    snow (5) and water (7) do not.

    Parameters
    ----------
    data : Dataset with the sensor's cloud layer, or that layer itself
    sensor : Sensor or str, optional
        Default: the one that the dataset's attributes name.

    Raises
    ------
    NotFound
        When the sensor has no cloud layer, or the dataset does not hold it.
    InvalidInput
        When the sensor is neither given nor named by the data.

    Examples
    --------
    >>> clear_mask(np.array([4, 9, 0, 6, 3]), "sentinel-2-l2a").tolist()
    [True, False, False, True, False]
    """
    if sensor is None:
        name = getattr(data, "attrs", {}).get("terrascope:sensor")
        if name is None:
            raise InvalidInput("the data do not name their sensor: give sensor=, e.g. sensor='sentinel-2-l2a'")
        sensor = name
    known = sensor_of(sensor)
    if known.clouds is None:
        raise NotFound(f"{known.name} has no cloud layer, so nothing tells its clear pixels from its clouds")
    layer = data
    if hasattr(data, "data_vars"):
        if known.clouds not in data:
            held = ", ".join(map(str, data.data_vars))
            raise NotFound(f"the cube holds no {known.clouds!r} ({held}): open it with bands=[…, {known.clouds!r}]")
        layer = data[known.clouds]
    if known.bits:
        flags = sum(1 << bit for bit in known.cloudy)
        return (layer & flags) == 0 if hasattr(layer, "isin") else (np.asarray(layer) & flags) == 0
    if hasattr(layer, "isin"):
        return ~layer.isin(known.cloudy)
    return ~np.isin(np.asarray(layer), known.cloudy)


def cloud_share(
    image: xr.Dataset | xr.DataArray | np.ndarray, inside: np.ndarray | None = None, sensor: Sensor | str | None = None
) -> CloudShare:
    """How one time step covers an area. Reads the cloud layer.

    Parameters
    ----------
    image : Dataset (y, x) of one time, or its cloud layer (H, W)
    inside : (H, W) bool, optional
        The pixels that count, e.g. ``grid.mask(aoi)``. Default: all.
    sensor : Sensor or str, optional
        As in `clear_mask`.

    Raises
    ------
    InvalidInput
        When the image has several times, or no pixel lies inside.
    GridMismatch
        When `inside` has another shape; both are named.

    Examples
    --------
    >>> cloud_share(np.array([[4, 9], [0, 6]]), sensor="sentinel-2-l2a")
    CloudShare(clear=0.5, cloud=0.25, nodata=0.25, pixels=4)
    """
    clear = np.asarray(clear_mask(image, sensor))
    if clear.ndim != 2:
        raise InvalidInput(
            f"one image (y, x) is needed, this has shape {clear.shape}: pick a time, e.g. cube.isel(time=0)"
        )
    known = sensor_of(sensor if sensor is not None else image.attrs["terrascope:sensor"])
    layer = np.asarray(image[known.clouds] if hasattr(image, "data_vars") else image)
    inside = np.ones(clear.shape, bool) if inside is None else np.asarray(inside, bool)
    if inside.shape != clear.shape:
        raise GridMismatch(f"inside has shape {inside.shape}, the image {clear.shape}: make it on the cube's grid")
    pixels = int(inside.sum())
    if pixels == 0:
        raise InvalidInput("no pixel lies inside: the AOI holds no pixel centre of this grid")
    free = int((clear & inside).sum())
    nothing = known.band(str(known.clouds)).empty
    gone = (layer & nothing) != 0 if known.bits else layer == nothing
    empty = int((gone & inside).sum())
    return CloudShare(free / pixels, (pixels - free - empty) / pixels, empty / pixels, pixels)


def clear_median(cube: xr.Dataset, sensor: Sensor | str | None = None) -> xr.Dataset:
    """The median over time of each band's clear pixels. Lazy where the cube is.

    Parameters
    ----------
    cube : Dataset (time, y, x) with the sensor's cloud layer, as `open_cube` gives it
    sensor : Sensor or str, optional
        As in `clear_mask`.

    Returns
    -------
    xarray.Dataset
        (y, x) bands in the cube's units, NaN where no date is clear; ``clear_count`` (uint16), the dates that
        were. Class layers are left out: they have no median.

    Raises
    ------
    NotFound
        When there is no cloud layer; a median over clouds would look like a picture and be none.
    InvalidInput
        When the cube has no time, or nothing but class layers.
    """
    import xarray as xr

    if "time" not in cube.dims:
        raise InvalidInput(f"a median over time needs a cube with time; this one has {', '.join(map(str, cube.dims))}")
    clear = clear_mask(cube, sensor)
    names = [k for k, v in cube.data_vars.items() if v.attrs.get("units") != "class" and "time" in v.dims]
    if not names:
        raise InvalidInput("the cube holds class layers only, which have no median: open it with bands=[…]")
    light = cube[names]
    if any(v.chunks for v in light.variables.values()):
        light, clear = light.chunk({"time": -1}), clear.chunk({"time": -1})
    out = xr.apply_ufunc(
        _middle, light.where(clear), input_core_dims=[["time"]], dask="parallelized", output_dtypes=["float32"],
        keep_attrs=True,
    )  # fmt: skip
    out["clear_count"] = clear.sum("time").astype("uint16").assign_attrs(units="dates")
    times = ", ".join(cube["time"].values.astype("datetime64[D]").astype(str))
    words = f"median of the clear pixels of {cube.sizes['time']} dates: {times}"
    out.attrs = {**cube.attrs, "terrascope:composite": words}
    return out


def _middle(values: np.ndarray) -> np.ndarray:
    """Median along the last axis of the values that are not NaN; NaN where there is none. Warns of nothing."""
    ordered = np.sort(values, axis=-1)  # NaN last
    count = np.isfinite(values).sum(axis=-1)
    low, high = (np.maximum(k, 0)[..., None] for k in ((count - 1) // 2, count // 2 - (count == 0)))
    pair = [np.take_along_axis(ordered, k, axis=-1)[..., 0] for k in (low, high)]
    return np.where(count > 0, (pair[0] + pair[1]) / 2, np.float32("nan")).astype("float32")
