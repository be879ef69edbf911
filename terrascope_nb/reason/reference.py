"""`reference`: a reasoner whose masks come from a land-cover map instead of the image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb.errors import GridMismatch, InvalidInput, NotFound
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.events import Event
from terrascope_nb.reason.question import understand
from terrascope_nb.reason.solve import solve
from terrascope_nb.reason.solve.finding import Finding
from terrascope_nb.reason.solve.phrases import listed
from terrascope_nb.scene.classes import SKY, canonical, leaves
from terrascope_nb.scene.landcover_map import load_landcover
from terrascope_nb.scene.scene import Moment, Scene

if TYPE_CHECKING:
    import xarray as xr

UNMAPPED = int(np.iinfo(np.int32).min)  # pixels of the scene that the map does not reach


@dataclass(frozen=True, eq=False)
class _Map:
    """A map on the scene's grid: `values` (H, W) int, `mapped` (H, W) bool, and where it came from."""

    values: np.ndarray
    mapped: np.ndarray
    source: str


class ReferenceReasoner:
    """Answers from a land-cover map. Pixels that it does not map are measured in no figure.

    Parameters
    ----------
    labels : array, DataArray, path, or a list of these
        Class numbers (H, W): on the scene's grid for plain arrays; a DataArray with CRS or a GeoTIFF is put onto it
        by nearest neighbour. A list has one map a date, in order of time; a single map serves every date. A
        path is read when the first question needs it.
    legend : dict
        Class number → name; several numbers may share a name. Names are read by the vocabulary («Forest» is
        «tree cover»), others are kept. Numbers on the map that the legend lacks are an error that lists them.
    nodata : int, optional
        Number that means «not mapped», beside the one that the map itself declares and NaN.
    collection : str, optional
        Instead of `labels` and `legend`: a land-cover collection (``"esa-worldcover"``, ``"io-lulc-annual-v02"``) that
        is searched in `catalog` and put onto the scene's grid when the first question is asked.
    catalog, datetime : optional
        As in `load_landcover`.
    """

    name = "reference"

    def __init__(
        self,
        labels: Any = None,
        legend: Mapping[int, str] | None = None,
        nodata: int | None = None,
        *,
        collection: str | None = None,
        catalog: Any = "planetary-computer",
        datetime: Any = None,
    ) -> None:
        self._search = None
        if collection is not None:
            if labels is not None or legend is not None:
                raise InvalidInput("give labels= and legend=, or collection=, not both")
            self._search = (collection, catalog, datetime)
            self.options: Mapping[str, Any] = {"collection": collection, "datetime": datetime}
            return
        if labels is None or legend is None:
            raise InvalidInput(
                "reasoner 'reference' needs labels and legend, or a collection: open it first, "
                "reasoner=ts.open_reasoner('reference', labels=…, legend=…) or (…, collection=…)"
            )
        self._take(labels, legend, nodata)
        self.options = {"legend": str(self._legend), "nodata": nodata, "maps": len(self._maps)}

    def _take(self, labels: Any, legend: Mapping[int, str], nodata: int | None) -> None:
        self._legend = _legend(legend)
        self._maps = list(labels) if isinstance(labels, list | tuple) else [labels]
        if not self._maps:
            raise InvalidInput("labels is an empty list: give one land-cover map, or one a date")
        self._nodata = nodata
        self._ready: dict[tuple[int, Grid], _Map] = {}

    def stream(self, scene: Scene, question: str, choices: Any = None) -> Iterator[Event]:
        """Understand the question, take the masks from the map (searched for where it must be), measure, conclude."""
        if self._search is not None:
            collection, catalog, datetime = self._search
            self._take(*load_landcover(scene.grid, collection, catalog, datetime), nodata=0)
        yield from solve(understand(question, choices), scene, self)

    def labels(self, scene: Scene, moment: Moment) -> tuple[str, ...]:
        """The legend's classes, without clouds."""
        return tuple(x for x in dict.fromkeys(self._legend.values()) if x not in SKY)

    def find(self, scene: Scene, moment: Moment, label: str) -> Finding:
        """The mask of one class of the map, or of the union that it is («vegetation»)."""
        numbers = self._numbers(label)
        if not numbers:
            return Finding(
                None, abstained=f"the land-cover map has no such class; it has {', '.join(self.labels(scene, moment))}"
            )
        made = self._map(scene, moment)
        mask = np.isin(made.values, numbers) & made.mapped
        score = None if made.mapped.all() else np.where(made.mapped, mask, np.float32("nan")).astype(np.float32)
        names = listed(list(dict.fromkeys(self._legend[k] for k in numbers)))
        union = "" if names == label else f" ({names})"
        note = f"From {made.source}, class {', '.join(map(str, numbers))}{union}."
        if score is not None:
            note += f" {100 * (1 - made.mapped.mean()):.1f} % is not mapped."
        return Finding(mask, score, 0.0, note)

    def _numbers(self, label: str) -> list[int]:
        own = [k for k, v in self._legend.items() if v == label]
        parts = set(leaves(label))
        return own or [k for k, v in self._legend.items() if parts and set(leaves(v)) <= parts]

    def _map(self, scene: Scene, moment: Moment) -> _Map:
        moments = scene.moments()
        if len(self._maps) not in (1, len(moments)):
            raise InvalidInput(
                f"{len(self._maps)} land-cover maps for {len(moments)} date{'s' if len(moments) > 1 else ''}: "
                "give one, or one a date"
            )
        which = 0 if len(self._maps) == 1 else moments.index(moment)
        grid = scene.images[moment.image].grid
        if (which, grid) not in self._ready:
            self._ready[which, grid] = self._read(self._maps[which], grid)
        return self._ready[which, grid]

    def _read(self, item: Any, grid: Grid) -> _Map:
        if isinstance(item, str | Path):
            raw, source = _onto(_open(item), grid), f"the land-cover map {Path(item).name}"
        elif hasattr(item, "dims"):
            raw, source = _onto(item, grid), "the land-cover map given"
        else:
            raw, source = np.asarray(item), "the land-cover array given"
            if raw.shape != grid.shape:
                raise GridMismatch(
                    f"the land-cover array has shape {raw.shape}, the scene's grid is {grid.shape}: cut it to "
                    "the scene, or give it with "
                    "its CRS, as a GeoTIFF's path or a DataArray with .rio.crs"
                )
        values = _whole_numbers(raw)
        mapped = values != UNMAPPED
        if self._nodata is not None:
            mapped &= values != self._nodata
        strange = sorted({int(v) for v in np.unique(values[mapped])} - set(self._legend))
        if strange:
            shown = ", ".join(map(str, strange[:10])) + (" …" if len(strange) > 10 else "")
            raise NotFound(
                f"the land-cover map holds class numbers that the legend lacks: {shown}. Add them to legend=, "
                "or name the one that "
                "means «not mapped» as nodata="
            )
        return _Map(values, mapped, source)


def _legend(given: Mapping[int, str]) -> dict[int, str]:
    if not isinstance(given, Mapping) or not given:
        raise InvalidInput(
            f'legend is {{class number: name}}, e.g. {{1: "forest", 2: "water"}}; got {str(given)[:60]!r}'
        )
    out = {}
    for number, name in given.items():
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise InvalidInput(
                f"legend's keys are class numbers; got {number!r} for {str(name)!r}, did you turn it round?"
            )
        if not isinstance(name, str) or not name.strip():
            raise InvalidInput(f"legend names class {number} {name!r}; a name is a text, e.g. 'water'")
        out[int(number)] = canonical(name)
    return out


def _whole_numbers(raw: np.ndarray) -> np.ndarray:
    """Class numbers as int, `UNMAPPED` for NaN."""
    if raw.dtype == bool:
        return raw.astype(np.int32)
    if np.issubdtype(raw.dtype, np.integer):
        return raw
    if not np.issubdtype(raw.dtype, np.floating):
        raise InvalidInput(f"a land-cover map holds class numbers; got {raw.dtype}")
    known = np.isfinite(raw)
    values = np.full(raw.shape, UNMAPPED, np.int32)
    values[known] = raw[known].astype(np.int32)
    if not np.array_equal(values[known], raw[known]):
        odd = raw[known][values[known] != raw[known]][0]
        raise InvalidInput(
            f"a land-cover map holds whole class numbers; this one holds {odd:g}: is it a reflectance or a probability?"
        )
    return values


def _open(path: str | Path) -> xr.DataArray:
    import rioxarray
    from rasterio.errors import RasterioIOError

    path = Path(path)
    if not path.is_file():
        raise NotFound(f"there is no land-cover map at {path}")
    try:
        data = rioxarray.open_rasterio(path)
    except (RasterioIOError, ValueError) as e:
        raise InvalidInput(f"{path.name} is no raster that can be read: {e}") from e
    if data.sizes.get("band", 1) != 1:
        raise InvalidInput(f"{path.name} has {data.sizes['band']} bands; a land-cover map has one, of class numbers")
    return data.squeeze("band", drop=True)


def _onto(data: xr.DataArray, grid: Grid) -> np.ndarray:
    """Nearest neighbour onto the scene's grid; the map must say where it lies. Its own nodata becomes `UNMAPPED`."""
    import rioxarray  # noqa: F401  (registers .rio)
    from rasterio.enums import Resampling

    if data.ndim != 2:
        raise InvalidInput(f"a land-cover map has two dimensions (y, x); got {dict(data.sizes)}")
    own = data.rio.nodata
    values = _whole_numbers(data.values).astype(np.int32)
    if own is not None and np.isfinite(own):
        values = np.where(values == int(own), UNMAPPED, values)
    if data.rio.crs is None:
        if data.shape == grid.shape:
            return values
        raise GridMismatch(
            f"the land-cover map has no CRS and shape {data.shape}, the scene's grid is {grid.shape}: give it "
            "its CRS with "
            ".rio.write_crs(…)"
        )
    if grid.crs is None:
        raise GridMismatch(
            "the land-cover map has a CRS, the scene has none: give the map as an array on the scene's pixels"
        )
    here = Grid.from_xarray(data)
    if here == grid:
        return values
    put = data.copy(data=values).rio.write_nodata(UNMAPPED)
    put = put.rio.reproject(
        grid.crs, shape=grid.shape, transform=grid.transform, resampling=Resampling.nearest, nodata=UNMAPPED
    ).values
    if (put == UNMAPPED).all():
        raise GridMismatch(
            f"the land-cover map does not reach the scene, or maps nothing there: it lies at {here.bounds} in "
            f"{here.crs.to_string()}, "
            f"the scene at {grid.bounds} in {grid.crs.to_string()}"
        )
    return put
