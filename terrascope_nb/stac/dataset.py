"""Dataset: the arrays of a cube with their place, times and words: what was read, how it was scaled and resampled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb.geo.grid import Grid
from terrascope_nb.stac.gaps import ATTRIBUTE as GAPS
from terrascope_nb.stac.gaps import to_attribute
from terrascope_nb.stac.passes import Pass
from terrascope_nb.stac.reader import without_query
from terrascope_nb.stac.sensors import Band, Scaling, Sensor

if TYPE_CHECKING:
    import xarray as xr

LAYER_WORDS = ("class", "bits")  # how the rule of a layer begins


def dataset_of(
    variables: dict[str, Any],
    steps: Sequence[Pass],
    bands: Sequence[Band],
    sensor: Sensor,
    grid: Grid,
    rules: dict[tuple[str, str], Scaling],
    overviews: str,
    gaps: Mapping[tuple[str, str], str],
) -> xr.Dataset:
    """Variables (time, y, x) with coordinates, CRS and the attributes that tell how they came about. Computes none."""
    import rioxarray  # noqa: F401  (registers .rio)
    import xarray as xr

    linear = " of linear power" if sensor.kind == "sar" else ""
    data = {}
    for band in bands:
        how = "nearest" if band.labels else f"bilinear{linear}"
        attrs = {
            "units": "class" if band.labels else band.units or ("1" if sensor.kind == "optical" else sensor.units),
            "native_resolution_m": band.resolution,
            "resampling": f"{how} where the file's pixels are not the cube's",
        }
        data[band.name] = xr.Variable(("time", "y", "x"), variables[band.name], attrs)
    xy = grid.coords()
    times = np.array([s.time.replace(tzinfo=None) for s in steps], "datetime64[ns]")
    coords = {
        "time": times,
        "y": ("y", xy["y"]),
        "x": ("x", xy["x"]),
        "item_ids": ("time", np.array([" ".join(i["id"] for i in s.items) for s in steps])),
    }
    if sensor.kind == "sar":
        for name in ("sat:orbit_state", "sat:relative_orbit"):
            coords[name] = ("time", np.array([s.stated(name) for s in steps], dtype=str))
    items = [i for s in steps for i in s.items]
    hrefs = {i["id"]: {b.name: without_query(i["assets"][sensor.asset_of(i, b)]["href"]) for b in bands} for i in items}
    attrs = {
        "terrascope:sensor": sensor.name,
        "terrascope:kind": sensor.kind,
        "terrascope:units": sensor.units,
        "terrascope:scaling": _rules_in_words(rules),
        "terrascope:resampling": _resampling_in_words(bands, linear, overviews),
        "terrascope:items": json.dumps([i["id"] for i in items]),
        "terrascope:hrefs": json.dumps(hrefs),
        GAPS: to_attribute(gaps),
    }
    cube = xr.Dataset(data, coords, attrs).rio.write_crs(grid.crs)
    return cube.rio.write_transform(grid.transform)


def _rules_in_words(rules: dict[tuple[str, str], Scaling]) -> str:
    """Each rule once; with the items it holds for where there are several for measurements."""
    by_words: dict[str, list[str]] = {}
    for (item, band), rule in rules.items():
        key = f"{band}: {rule.words}" if rule.words.startswith(LAYER_WORDS) else rule.words
        if item not in by_words.setdefault(key, []):
            by_words[key].append(item)
    several = sum(not w.partition(": ")[2].startswith((*LAYER_WORDS, "kelvin")) for w in by_words) > 1
    return "; ".join(w + (f" [{', '.join(ids)}]" if several else "") for w, ids in by_words.items())


def _resampling_in_words(bands: Sequence[Band], linear: str, overviews: str) -> str:
    sizes = sorted({b.resolution for b in bands if not b.labels})
    native = "; ".join(
        f"{r:g} m: {' '.join(b.name for b in bands if b.resolution == r and not b.labels)}" for r in sizes
    )
    words = f"bilinear{linear} where the file's pixels are not the cube's (native {native})" if sizes else ""
    names = [b.name for b in bands if b.labels]
    layers = f"nearest: {' '.join(names)}" if names else ""
    small = {"none": "", "all": "overviews where they are no coarser than the cube"}
    small["measurements"] = small["all"] + " (measurements only)" * bool(names) if sizes else ""
    return "; ".join(w for w in (words, layers, small[overviews]) if w)
