"""Arrays and cubes → `Scene`: bands named, units settled, dates and cloud attached, everything done to them noted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import GridMismatch, InvalidInput, NotFound
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene import scaling
from terrascope_nb.scene.bands import LAYERS, common_names, listed
from terrascope_nb.scene.images import cloud_words, day, finish, has_data, optical_image, sar_image
from terrascope_nb.scene.layout import EXAMPLE, Stack, dates, same_grid, stack_of
from terrascope_nb.scene.scene import Image, Scene
from terrascope_nb.stac.gaps import gap_notes

CALL = "Scene.from_arrays(…,"


def from_arrays(
    optical: Any = None,
    sar: Any = None,
    *,
    bands: Sequence[str | None] | None = None,
    sar_bands: Sequence[str | None] | None = None,
    times: Any = None,
    sar_times: Any = None,
    crs: Any = None,
    transform: Any = None,
    aoi: AOI | None = None,
    name: str = "",
    scale: float | None = None,
    offset: float | None = None,
    units: str | None = None,
    nodata: float | None = None,
    sensor: str | None = None,
    sar_sensor: str | None = None,
    sar_units: str = "auto",
    sar_calibration: tuple[float, float] | None = None,
    cloud: Any = None,
) -> Scene:
    """Build a `Scene` from arrays in memory (dask arrays are computed, each in one read).

    Parameters
    ----------
    optical, sar : DataArray, Dataset, dict of arrays, or array
        Bare arrays are (bands, H, W) or (time, bands, H, W); (H, W, bands) is understood where it is not ambiguous.
    bands, sar_bands : sequence of str or None
        One name a band (``"B02"``, ``"blue"``, ``"VV"`` …); None leaves that band out. Needed for bare arrays.
    times, sar_times : sequence of dates, optional
        One a date of the array. Default: the time coordinate, else undated. `sar_times` defaults to `times` where
        the number of dates is the same.
    crs, transform : optional
        CRS and affine transform (upper-left corner) of bare arrays. Without: pixels only.
    aoi : AOI, optional
        Figures are of pixels whose centre is inside it.
    scale, offset : float, optional
        reflectance = number × scale + offset.
    units : "reflectance", "dn" or "rgb8", optional
        States the units of `optical` instead; ``"dn"`` for 8-bit or uncalibrated numbers.
    nodata : float, optional
        Number that means «no data», in both; NaN always does.
    sar_units : "auto", "db", "linear", "dn"
        ``"dn"`` needs ``sar_calibration=(a, b)``: dB = a·log10(number) + b.
    cloud : bool array, optional
        (H, W) or (time, H, W), True under cloud, on the optical grid.

    Raises
    ------
    UnknownUnits, InvalidInput, GridMismatch, NotFound

    Examples
    --------
    >>> import numpy as np
    >>> scene = from_arrays(np.full((2, 8, 8), 0.1, "float32"), bands=["B04", "B08"], times=["2023-07-01"])
    >>> scene.images[0]
    <Image optical 2023-07-01 [red nir] reflectance <Grid 8 × 8 at 1 px, no CRS>>
    """
    if optical is None and sar is None:
        raise InvalidInput(
            "give optical=, sar= or both: Scene.from_arrays(optical=array, bands=['B02', 'B03', 'B04', 'B08'])"
        )
    bands, sar_bands = listed(bands), listed(sar_bands, "sar_bands")
    images: list[Image] = []
    notes: list[str] = []
    grid: Grid | None = None
    if optical is not None:
        stack = stack_of(optical, "optical", bands, _count(times), crs, transform)
        grid = stack.grid
        stamps = dates(times, stack.values.shape[0], "optical", stack.times)
        clouds = _clouds(cloud, stack)
        kept = common_names(_names(stack, bands, "optical"), "optical", sensor or "")
        options = {"sensor": sensor or "", "scale": scale, "offset": offset, "units": units}
        images += _optical(stack, kept, stamps, clouds, nodata, notes, [()] * len(stamps), **options)
    elif cloud is not None:
        raise InvalidInput("cloud= belongs to optical=, which is not given")
    if sar is not None:
        stack = stack_of(sar, "sar", sar_bands, _count(sar_times), crs, transform)
        if grid is not None:
            same_grid(grid, stack.grid)
        mine = sar_times if sar_times is not None else times if _count(times) == stack.values.shape[0] else None
        stamps = dates(mine, stack.values.shape[0], "sar", stack.times)
        kept = common_names(_names(stack, sar_bands, "sar"), "sar")
        sources = [()] * len(stamps)
        images += _sar(stack, kept, stamps, nodata, notes, sources, sar_units, sar_calibration, sar_sensor or "")
    return finish(images, aoi, name, notes)


def from_cubes(
    optical: xr.Dataset | None = None,
    sar: xr.Dataset | None = None,
    *,
    aoi: AOI | None = None,
    name: str = "",
    times: Any = "all",
    sensor: str | None = None,
    sar_sensor: str | None = None,
    sar_units: str = "auto",
    cloud: Any = None,
    notes: Sequence[str] = (),
) -> Scene:
    """Build a `Scene` from cubes as `open_cube` gives them. Reads the pixels, each cube in one go.

    Parameters
    ----------
    optical, sar : xarray.Dataset
        (time, y, x) variables by STAC common name: reflectance, linear power; NaN is no data. ``scl`` becomes the
        cloud mask (`terrascope_nb.stac.clouds`).
    times : "all" or list of dates
        Which dates to read, for both; a prefix such as ``"2023-07"`` takes all that begin with it.
    sensor, sar_sensor : str, optional
        Default: the cube's own ``sensor`` attribute.
    notes : sequence of str
        Sentences for `Scene.notes`.

    Raises
    ------
    NotFound
        When no date fits, or no date has a valid pixel.
    GridMismatch
        When the cubes lie on two grids.
    """
    if optical is None and sar is None:
        raise InvalidInput("give optical=, sar= or both: Scene.from_cubes(optical=ts.open_cube(found, grid=grid))")
    for label, cube in (("optical", optical), ("sar", sar)):
        if cube is not None and not isinstance(cube, xr.Dataset):
            raise InvalidInput(
                f"{label} must be an xarray.Dataset as ts.open_cube gives it, got a {type(cube).__name__}; "
                "for arrays use Scene.from_arrays"
            )
    images: list[Image] = []
    said = list(notes)
    first: Grid | None = None
    for modality, cube, label in (("optical", optical, sensor), ("sar", sar, sar_sensor)):
        if cube is None:
            continue
        here = label if label is not None else str(cube.attrs.get("terrascope:sensor", cube.attrs.get("sensor", "")))
        cube, layer, sentence = _read(_pick(cube, times, modality), here)
        stack = stack_of(cube, modality)
        if first is not None:
            same_grid(first, stack.grid)
        first = stack.grid
        known = common_names(stack.names or (), modality, here)
        count = stack.values.shape[0]
        sources = _sources(cube, count)
        own = tuple(str(cube.attrs[k]) for k in ("terrascope:scaling", "terrascope:resampling") if cube.attrs.get(k))
        stated = "terrascope:units" in cube.attrs
        said += gap_notes(cube)
        stamps = dates(None, count, modality, stack.times)
        if modality == "optical":
            clouds = _clouds(layer if cloud is None else cloud, stack)
            options = {"sensor": here, "units": "reflectance" if stated else None, "notes": own}
            if cloud is None and layer is not None:
                options["cloud_words"] = sentence
            images += _optical(stack, known, stamps, clouds, None, said, sources, **options)
        else:
            told = "linear" if stated else sar_units
            images += _sar(stack, known, stamps, None, said, sources, told, None, here, own)
    return finish(images, aoi, name, said)


# ---- a stack's dates ------------------------------------------------------------------------------------------------
def _optical(
    stack: Stack,
    names: Sequence[str | None],
    stamps: Sequence[Any],
    clouds: Sequence[np.ndarray | None],
    nodata: float | None,
    said: list[str],
    sources: Sequence[tuple[str, ...]],
    *,
    notes: Sequence[str] = (),
    **options: Any,
) -> list[Image]:
    """One image a date; dates without any data are left out, and `said` tells them."""
    out = []
    for k, stamp in enumerate(stamps):
        raw = _planes(stack.values[k], names, nodata)
        if not has_data(raw):
            said.append(f"left out: optical {day(stamp)} has no valid pixel")
            continue
        out.append(
            optical_image(
                raw, stack.grid, stored=stack.values.dtype, time=stamp, cloud=clouds[k], sources=sources[k],
                notes=(*notes, *_turned(stack)), call=CALL, **options,
            )
        )  # fmt: skip
    return out


def _sar(
    stack: Stack,
    names: Sequence[str | None],
    stamps: Sequence[Any],
    nodata: float | None,
    said: list[str],
    sources: Sequence[tuple[str, ...]],
    units: str,
    calibration: tuple[float, float] | None,
    sensor: str,
    notes: Sequence[str] = (),
) -> list[Image]:
    out = []
    for k, stamp in enumerate(stamps):
        raw = _planes(stack.values[k], names, nodata)
        if not has_data(raw):
            said.append(f"left out: SAR {day(stamp)} has no valid pixel")
            continue
        scaled = scaling.sar(raw, units=units, calibration=calibration, call=CALL)
        words = (*notes, *scaled.notes, *_turned(stack))
        out.append(sar_image(scaled.bands, stack.grid, time=stamp, sensor=sensor, sources=sources[k], notes=words))
    return out


def _read(cube: xr.Dataset, sensor: str) -> tuple[xr.Dataset, np.ndarray | None, str]:
    """A cube in memory without its class layers, its cloud (time, y, x) bool, and whence that comes. One read."""
    from terrascope_nb.stac.clouds import clear_mask
    from terrascope_nb.stac.sensors import SENSORS

    labels = [k for k, v in cube.data_vars.items() if k in LAYERS or v.attrs.get("units") == "class"]
    layer = SENSORS[sensor].clouds if sensor in SENSORS else None
    if layer is None and "scl" in labels:
        layer, sensor = "scl", "sentinel-2-l2a"
    if layer not in cube:
        return cube.drop_vars(labels).compute(), None, ""
    light = cube.drop_vars(labels)
    both = light.assign(_clear=clear_mask(cube[layer], sensor)).compute()
    return both.drop_vars("_clear"), ~both["_clear"].values, cloud_words(str(layer), sensor)


def _planes(values: np.ndarray, names: Sequence[str | None], nodata: float | None) -> dict[str, np.ndarray]:
    """Name → (H, W) float64 or float32, NaN for no data; bands named None are left out."""
    if len(names) != values.shape[0]:
        raise InvalidInput(f"{len(names)} band names for {values.shape[0]} bands: {', '.join(map(str, names))}")
    out = {}
    for name, plane in zip(names, values, strict=True):
        if name is None:
            continue
        plane = plane.astype(np.float32 if plane.dtype.itemsize <= 2 else np.float64)
        plane[~np.isfinite(plane)] = np.nan
        if nodata is not None:
            plane[plane == nodata] = np.nan
        out[name] = plane
    return out


def _names(stack: Stack, given: Sequence[str | None] | None, what: str) -> tuple[str | None, ...]:
    count = stack.values.shape[1]
    keyword = "bands" if what == "optical" else "sar_bands"
    if given is not None:
        if len(given) != count:
            raise InvalidInput(f"{keyword}= names {len(given)} bands, {what} has {count} (shape {stack.values.shape})")
        return tuple(given)
    if stack.names is not None:
        return stack.names
    if what == "optical" and count == 3 and stack.values.dtype == np.uint8:
        return ("red", "green", "blue")
    raise InvalidInput(
        f"{what} has {count} band{'s' * (count != 1)} without names: name each, e.g. {keyword}={EXAMPLE[what]}"
    )


def _clouds(cloud: Any, stack: Stack) -> list[np.ndarray | None]:
    n, (h, w) = stack.values.shape[0], stack.grid.shape
    if cloud is None:
        return [None] * n
    array = np.asarray(cloud)
    array = array[None] if array.ndim == 2 else array
    if array.shape[1:] != (h, w) or array.shape[0] not in (1, n):
        raise GridMismatch(f"cloud has shape {np.shape(cloud)}; the optical images need ({h}, {w}) or ({n}, {h}, {w})")
    if array.dtype != bool and not np.isin(array, (0, 1)).all():
        raise InvalidInput(
            "cloud must be True/False (or 1/0), True under cloud; for SCL classes name that band 'scl' in bands="
        )
    array = array.astype(bool)[..., ::-1, :] if stack.flipped else array.astype(bool)
    return [array[k if array.shape[0] == n else 0] for k in range(n)]


def _turned(stack: Stack) -> tuple[str, ...]:
    return ("rows came south first and were turned, so that north is up",) if stack.flipped else ()


def _pick(cube: xr.Dataset, times: Any, modality: str) -> xr.Dataset:
    if isinstance(times, str) and times == "all":
        return cube
    if "time" not in cube.dims:
        raise NotFound(f"times={times!r} was asked, but the {modality} cube has no time dimension")
    wanted = [times] if isinstance(times, str) or not isinstance(times, (Sequence, np.ndarray)) else list(times)
    texts = [str(t).replace(" ", "T") for t in wanted]
    stamps = [str(v) for v in cube["time"].values.astype("datetime64[s]")]
    keep = [k for k, s in enumerate(stamps) if any(s.startswith(t) for t in texts)]
    if not keep:
        raise NotFound(unknown(f"date of the {modality} cube", ", ".join(texts), (s[:10] for s in stamps)))
    return cube.isel(time=keep)


def _sources(cube: xr.Dataset, count: int) -> list[tuple[str, ...]]:
    """Item ids of each date: the coordinate ``item_ids`` of `open_cube` (several where tiles were fused), or ``id``."""
    for key in ("item_ids", "id"):
        if key in cube.coords and np.size(cube[key].values) == count:
            return [tuple(str(v).split()) for v in np.atleast_1d(cube[key].values)]
    return [()] * count


def _count(times: Any) -> int | None:
    if times is None:
        return None
    return 1 if isinstance(times, str) or not isinstance(times, (Sequence, np.ndarray)) else len(times)
