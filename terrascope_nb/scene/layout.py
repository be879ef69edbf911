"""Arrays of any common layout → a stack (time, band, y, x) with its grid; what is ambiguous is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine

from terrascope_nb.errors import GridMismatch, InvalidInput
from terrascope_nb.geo.grid import Grid

_Y, _X = ("y", "lat", "latitude", "northing", "rows", "row"), ("x", "lon", "longitude", "easting", "cols", "col")
EXAMPLE = {"optical": "['B02', 'B03', 'B04', 'B08']", "sar": "['VV', 'VH']"}
_T, _B = ("time", "t", "date", "times"), ("band", "bands", "channel", "c", "variable", "wavelength")


@dataclass(frozen=True, eq=False)
class Stack:
    """Numbers as they came, in one layout.

    Attributes
    ----------
    values : numpy.ndarray
        (T, B, H, W), the type they were stored in.
    names : tuple of str or None
        Band names as given; None where nothing names them.
    times : tuple of numpy.datetime64 or None
        One a date; None where nothing dates them.
    grid : Grid
    flipped : bool
        Rows came south first and were turned, so that north is up.
    """

    values: np.ndarray
    names: tuple[str, ...] | None
    times: tuple[np.datetime64 | None, ...] | None
    grid: Grid
    flipped: bool = False


def stack_of(
    data: Any,
    what: str,
    bands: Sequence[str | None] | None = None,
    n_times: int | None = None,
    crs: Any = None,
    transform: Any = None,
) -> Stack:
    """Read `data` (DataArray, Dataset, dict of arrays or array) into a `Stack`. Computes dask arrays, in one go."""
    if isinstance(data, xr.Dataset):
        return _from_xarray(_flat(data, what).to_array("band"), what, crs, transform)
    if isinstance(data, xr.DataArray):
        return _from_xarray(data, what, crs, transform)
    if isinstance(data, dict):
        parts = {str(k): np.asarray(v) for k, v in data.items()}
        shapes = {k: v.shape for k, v in parts.items()}
        if not parts or len(set(shapes.values())) > 1 or len(next(iter(shapes.values()))) not in (2, 3):
            raise InvalidInput(f"{what} as a dict needs arrays of one shape, (H, W) or (time, H, W); got {shapes}")
        values = np.stack(list(parts.values()), axis=-3)
        return _place(values[None] if values.ndim == 3 else values, tuple(parts), None, crs, transform)
    values = np.asarray(data)
    if values.dtype.kind not in "uifb":
        raise InvalidInput(f"{what} must be numbers, got {values.dtype} from a {type(data).__name__}")
    return _place(_order(values, what, None if bands is None else len(bands), n_times), None, None, crs, transform)


def _flat(data: xr.Dataset, what: str) -> xr.Dataset:
    keep = [k for k, v in data.data_vars.items() if _dim(v, _Y) and _dim(v, _X)]
    if not keep:
        raise InvalidInput(f"{what}: no variable of the Dataset has y and x dimensions; it has {dict(data.sizes)}")
    return data[keep]


def _dim(data: xr.DataArray, names: tuple[str, ...]) -> str | None:
    return next((str(d) for d in data.dims if str(d).lower() in names), None)


def _from_xarray(data: xr.DataArray, what: str, crs: Any, transform: Any) -> Stack:
    import rioxarray  # noqa: F401  (registers .rio)

    y, x, t, b = (_dim(data, names) for names in (_Y, _X, _T, _B))
    if y is None or x is None:
        raise InvalidInput(
            f"{what} needs dimensions named y and x, got {tuple(map(str, data.dims))}: rename them with .rename(…)"
        )
    rest = [str(d) for d in data.dims if d not in (y, x, t, b)]
    if rest:
        raise InvalidInput(
            f"{what} has dimensions that mean nothing here: {', '.join(rest)}; select along them first, e.g. "
            f".isel({rest[0]}=0)"
        )
    if b is None and (data.name is not None or "band" in data.coords):
        data = data.expand_dims(
            band=[str(data.coords["band"].values) if "band" in data.coords else str(data.name)], axis=0
        )
        b = "band"
    for new, old in (("y", y), ("x", x)):
        if old != new:
            data = data.rename({old: new})
    crs = data.rio.crs if crs is None else crs
    if transform is None and "x" in data.coords and "y" in data.coords:
        transform = _transform(data, what)
    lead = [d for d in (t, b) if d is not None]
    values = data.transpose(*lead, "y", "x").values
    if b is None:
        values = values[..., None, :, :]
    if t is None:
        values = values[None]
    names = None if b is None or b not in data.coords else tuple(str(n) for n in np.atleast_1d(data.coords[b].values))
    if names is not None and all(n.isdigit() for n in names):
        long = data.attrs.get("long_name")  # rioxarray keeps band descriptions here
        names = tuple(map(str, long)) if isinstance(long, (tuple, list)) and len(long) == len(names) else None
    times = None
    stamps = data.coords[t] if t is not None and t in data.coords else data.coords.get("time")
    if stamps is not None and np.issubdtype(stamps.dtype, np.datetime64):
        times = tuple(np.atleast_1d(stamps.values).astype("datetime64[s]"))
    return _place(values, names, times, crs, transform)


def _transform(data: xr.DataArray, what: str) -> Affine:
    """Affine from pixel-centre coordinates, which must be evenly spaced; one row or column needs the stored one."""
    steps, origins = [], []
    for name in ("x", "y"):
        c = np.asarray(data.coords[name].values, dtype=np.float64)
        if c.size == 1:
            return data.rio.transform()
        d = np.diff(c)
        mean = (c[-1] - c[0]) / (c.size - 1)
        if np.abs(d - mean).max() > 0.01 * abs(mean):
            raise InvalidInput(
                f"{what}: the {name} coordinates are not evenly spaced (steps {d.min():g} to {d.max():g}): put the "
                "data on a "
                "regular grid first, e.g. with .interp(…) or rio.reproject"
            )
        steps.append(mean)
        origins.append(c[0] - mean / 2)
    return Affine(steps[0], 0, origins[0], 0, steps[1], origins[1])


def _order(values: np.ndarray, what: str, n: int | None, n_times: int | None) -> np.ndarray:
    """(T, B, H, W) of a bare array of `n` named bands, or an error that shows both readings."""
    shape = values.shape
    keyword = "bands" if what == "optical" else "sar_bands"
    if values.ndim == 2:
        return values[None, None]
    if values.ndim not in (3, 4):
        raise InvalidInput(
            f"{what} has {values.ndim} dimensions (shape {shape}); it needs (bands, H, W) or (time, bands, H, W)"
        )
    if n is None and values.ndim == 3 and values.dtype == np.uint8 and what == "optical":
        n = 3  # a picture
    if n is None:
        raise InvalidInput(
            f"{what} has shape {shape} and nothing names its bands: name each, e.g. {keyword}={EXAMPLE[what]}"
        )
    if values.ndim == 4:
        if shape[1] == n:  # the documented layout wins over (time, H, W, bands)
            return values
        if shape[3] == n:
            return np.moveaxis(values, 3, 1)
        raise InvalidInput(
            f"{what} has shape {shape}, but {keyword}= names {n}: neither (time, bands, H, W) nor "
            "(time, H, W, bands) fits"
        )
    first, last = shape[0] == n, shape[2] == n
    if n == 1 and n_times is not None and n_times > 1 and shape[0] == n_times:
        return values[:, None]
    if first and last:
        raise InvalidInput(
            f"{what} has shape {shape}, which with {n} band names could be (bands, H, W) or (H, W, bands). Pass a "
            "DataArray with dims, or a 4-D array: array[None] for (bands, H, W), "
            "np.moveaxis(array, 2, 0)[None] for (H, W, bands)"
        )
    if first:
        return values[None]
    if last:
        return np.moveaxis(values, 2, 0)[None]
    raise InvalidInput(
        f"{what} has shape {shape}, but {keyword}= names {n}: neither (bands, H, W) nor (H, W, bands) fits"
    )


def _place(values: np.ndarray, names: Any, times: Any, crs: Any, transform: Any) -> Stack:
    if crs is not None and transform is None:
        raise InvalidInput(
            f"crs={crs!r} without transform=: pixels need a place too, e.g. "
            "transform=rasterio.transform.from_origin(west, north, 10, 10)"
        )
    if transform is None:
        return Stack(values, names, times, Grid(Affine.identity(), values.shape[-2:], None))
    t = transform if isinstance(transform, Affine) else _affine(transform)
    if crs is not None and t.b == 0 and t.d == 0 and t.e > 0:  # south first
        h = values.shape[-2]
        t = Affine(t.a, 0, t.c, 0, -t.e, t.f + t.e * h)
        return Stack(values[..., ::-1, :], names, times, Grid(t, values.shape[-2:], crs), True)
    return Stack(values, names, times, Grid(t, values.shape[-2:], crs))


def _affine(transform: Any) -> Affine:
    try:
        numbers = [float(v) for v in transform]
    except (TypeError, ValueError) as err:
        raise InvalidInput(f"transform must be an affine.Affine or six numbers, got {transform!r}") from err
    if len(numbers) not in (6, 9):
        raise InvalidInput(
            f"transform must have six numbers (a, b, c, d, e, f of x = a·col + b·row + c), got {len(numbers)}"
        )
    return Affine(*numbers[:6])


def dates(
    times: Any, count: int, what: str, have: tuple[np.datetime64 | None, ...] | None = None
) -> tuple[np.datetime64 | None, ...]:
    """`count` dates from what the user said, else from what the data hold, else None for each."""
    if times is None:
        return have if have is not None and len(have) == count else (None,) * count
    listed = [times] if isinstance(times, str) or not isinstance(times, (Sequence, np.ndarray)) else list(times)
    if len(listed) != count:
        raise InvalidInput(
            f"times= has {len(listed)} date{'s' * (len(listed) != 1)}, {what} has {count}: give one date each"
        )
    out = []
    for one in listed:
        if one is None:
            out.append(None)
            continue
        try:
            out.append(np.datetime64(str(one).replace(" ", "T").removesuffix("Z").removesuffix("+00:00"), "s"))
        except ValueError as err:
            raise InvalidInput(
                f"cannot read {one!r} in times= as a date: write it as '2023-07-15' or '2023-07-15T10:30:00'"
            ) from err
    return tuple(out)


def same_grid(a: Grid, b: Grid) -> None:
    """Raise unless two grids with a CRS agree.

    Raises
    ------
    GridMismatch
        With both grids and the call that puts one on the other.
    """
    if a.crs is not None and b.crs is not None and a != b:
        raise GridMismatch(
            f"optical and SAR lie on two grids: {a!r} with bounds {a.bounds}, {b!r} with bounds {b.bounds}. Put one "
            "on the other "
            "first, e.g. sar = sar.rio.reproject_match(optical, resampling=rasterio.enums.Resampling.bilinear)"
        )
