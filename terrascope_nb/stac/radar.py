"""Radar: means in linear units, passes kept apart by direction, and the borders of old images taken off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb.errors import InvalidInput
from terrascope_nb.stac.reading import read

if TYPE_CHECKING:
    import xarray as xr

FLOOR = (
    10**-3.0
)  # linear power, −30 dB: below the noise of Sentinel-1's IW mode (−22 dB at worst, by its specification)
ORBIT = "sat:orbit_state"


def mean_linear(cube: xr.Dataset, over: str = "orbit") -> xr.Dataset:
    """The mean of a radar cube over time, of power, not of decibels. Lazy where the cube is.

    Parameters
    ----------
    cube : Dataset (time, y, x) of linear power, as `open_cube` gives it
    over : "orbit", "relative orbit" or "time"
        ``"orbit"``: one mean for ascending and one for descending passes, whose slopes look different; ``"relative
        orbit"``: one a track, whose angles are the same; ``"time"``: one of all, directions mixed.

    Returns
    -------
    xarray.Dataset
        For ``"orbit"`` (sat:orbit_state, y, x), for ``"relative orbit"`` (sat:relative_orbit, y, x), for ``"time"``
        (y, x). NaN where no pass has data. Variables stay linear power.

    Raises
    ------
    InvalidInput
        When it is no radar cube, its values are no power, or passes do not state what they are to be told apart by.

    Examples
    --------
    >>> import xarray as xr
    >>> vv = xr.DataArray(np.array([0.1, 0.001]).reshape(2, 1, 1), dims=("time", "y", "x"))
    >>> round(float(mean_linear(xr.Dataset({"vv": vv}, attrs={"terrascope:kind": "sar"}), over="time").vv[0, 0]), 4)
    0.0505
    """
    names = {"orbit": ORBIT, "relative orbit": "sat:relative_orbit"}
    if over not in (*names, "time"):
        raise InvalidInput(f"over={over!r}: give 'orbit', 'relative orbit' or 'time'")
    _need_radar(cube)
    if over == "time":
        out = cube.mean("time", skipna=True, keep_attrs=True)
        return out.assign_attrs({"terrascope:composite": f"mean of linear power over {cube.sizes['time']} passes"})
    name = names[over]
    if name not in cube.coords or (np.asarray(cube[name].values) == "").any():
        raise InvalidInput(
            f"not every pass of the cube states {name}: use over='time', or leave those items out with ids="
        )
    out = cube.groupby(name).mean("time", skipna=True, keep_attrs=True)
    counts = {str(v): int((cube[name] == v).sum()) for v in out[name].values}
    words = ", ".join(f"{v}: {n} passes" for v, n in counts.items())
    return out.assign_attrs({**cube.attrs, "terrascope:composite": f"mean of linear power by {name}, {words}"})


def drop_border_noise(cube: xr.Dataset, floor: float = FLOOR) -> xr.Dataset:
    """Take off what stands at the border of radar images and is no backscatter. Computes the cube.

    The rule: (1) values that are not above 0 are no power, `open_cube` has made them NaN already; (2) a pixel that one
    polarisation lacks is dropped from all; (3) a fringe is dropped: pixels below `floor` in VV (else the first band)
    that are 8-connected to missing pixels through such pixels. Dark water away from the border stays, and so does all
    that lies at the edge of the cube, which need not be the edge of the swath. Images before March 2018 have such
    fringes, with nothing that marks them.

    Parameters
    ----------
    cube : Dataset (time, y, x) or (y, x) of linear power
    floor : float
        Linear power; default 0.001 (−30 dB), below the instrument's noise.

    Returns
    -------
    xarray.Dataset
        As `cube`, in memory, NaN where dropped; attribute ``terrascope:border`` says how many pixels of each step.

    Raises
    ------
    InvalidInput
        When it is no radar cube, or the floor is no power.
    """
    from scipy.ndimage import label

    if not floor > 0:
        raise InvalidInput(f"floor is linear power above 0, e.g. 0.001 for −30 dB; got {floor!r}")
    _need_radar(cube)
    out = read(cube, "reading radar").copy(deep=True)
    names = list(out.data_vars)
    first = "vv" if "vv" in out else names[0]
    steps: list[dict[str, Any]] = [{"time": k} for k in range(out.sizes["time"])] if "time" in out.dims else [{}]
    dropped = []
    for step in steps:
        bands = {n: out[n].isel(step).transpose("y", "x").values for n in names}
        gone = ~np.logical_and.reduce([np.isfinite(b) & (b > 0) for b in bands.values()])
        before = int(gone.sum())
        parts, _ = label(gone | (bands[first] < floor), structure=np.ones((3, 3)))
        fringe = np.isin(parts, np.unique(parts[gone]))
        for values in bands.values():  # views of the copy
            values[fringe] = np.nan
        dropped.append(int(fringe.sum()) - before)
    words = f"values ≤ 0, gaps of one polarisation, and fringes below {10 * np.log10(floor):.0f} dB in {first}: "
    return out.assign_attrs({"terrascope:border": words + ", ".join(map(str, dropped)) + " pixels by step"})


def _need_radar(cube: xr.Dataset) -> None:
    kind = cube.attrs.get("terrascope:kind")
    if kind is not None and kind != "sar":
        raise InvalidInput(f"this is a cube of kind {kind!r}, not radar: give the one opened from a radar sensor")
    if kind is None and not {"vv", "vh", "hh", "hv"} & set(cube.data_vars):
        raise InvalidInput(f"no polarisation among {', '.join(map(str, cube.data_vars))}: vv, vh, hh or hv is needed")
