"""The engine of odc-stac: its graph and its chunks, our reader, so that the values are those of the other engine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb._optional import need
from terrascope_nb.stac.coarse import CoarseReader
from terrascope_nb.stac.query import instant
from terrascope_nb.stac.reader import Href

if TYPE_CHECKING:
    import dask.array as da

    from terrascope_nb.geo.grid import Grid
    from terrascope_nb.stac.retry import Retry

Item = dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """What a reader must know of the wanted grid (stackstac's specification has the same fields).

    Attributes
    ----------
    epsg : int
    transform : affine.Affine
    shape : (int, int)
    """

    epsg: int
    transform: Any
    shape: tuple[int, int]


@dataclass(frozen=True)
class Driver:
    """Reads for odc-loader by our reader. Follows its `ReaderDriver` protocol without importing it.

    Attributes
    ----------
    hrefs : dict
        Address in odc's item → `Href`, which knows its owner and its scaling.
    layout : Layout
    dtype : str
    empty : float
    labels : bool
    overviews : bool
    sign : callable or None
    retry : Retry or None
    """

    hrefs: Mapping[str, Href]
    layout: Layout
    dtype: str
    empty: float
    labels: bool
    overviews: bool
    sign: Callable[[str], str] | None
    retry: Retry | None
    md_parser = dask_reader = aux_reader = None

    def new_load(self, geobox: Any, *, chunks: Any = None) -> Any:
        """Nothing is shared between reads."""
        return SimpleNamespace()

    def finalise_load(self, load_state: Any) -> Any:
        """Nothing to give back."""
        return load_state

    def capture_env(self) -> dict[str, Any]:
        """The reader sets what it needs at each read."""
        return {}

    @contextmanager
    def restore_env(self, env: dict[str, Any], load_state: Any) -> Iterator[Any]:
        """Nothing to set."""
        yield load_state

    def open(self, src: Any, ctx: Any) -> Window:
        """A reader of one file. Opens nothing yet."""
        from rasterio.enums import Resampling

        reader = CoarseReader(
            url=self.hrefs[src.uri],
            spec=self.layout,
            resampling=Resampling.nearest if self.labels else Resampling.bilinear,
            dtype=np.dtype(self.dtype),
            fill_value=np.dtype(self.dtype).type(self.empty),
            sign=self.sign,
            retry=self.retry,
            overviews=self.overviews,
        )
        return Window(reader)


@dataclass(frozen=True)
class Window:
    """One file as odc-loader's `RasterReader`.

    Attributes
    ----------
    reader : CoarseReader
    """

    reader: CoarseReader

    def read(self, cfg: Any, dst_geobox: Any, *, dst: np.ndarray | None = None, selection: Any = None) -> Any:
        """The pixels of `dst_geobox`, a window of the wanted grid; returns (rows and columns filled, pixels)."""
        from rasterio.windows import Window as Part

        height, width = dst_geobox.shape
        whole, here = self.reader.spec.transform, dst_geobox.affine  # both north-up
        part = Part(round((here.c - whole.c) / whole.a), round((here.f - whole.f) / whole.e), width, height)
        pixels = self.reader.read(part)
        if dst is not None:
            np.copyto(dst, pixels)
            pixels = dst
        return (slice(0, height), slice(0, width)), pixels


def stack(
    items: Sequence[Item],
    names: Sequence[str],
    hrefs: Mapping[tuple[str, str], Href],
    extents: Sequence[tuple[float, float, float, float]],
    grid: Grid,
    dtype: str,
    empty: float,
    labels: bool,
    overviews: bool,
    sign: Callable[[str], str] | None,
    retry: Retry | None,
    chunk: int,
) -> da.Array:
    """Dask array (item, band, y, x), lazily, by `odc.stac.load`.

    Raises
    ------
    MissingPackage
        When odc-stac is not installed.
    """
    load = need("odc.stac", "open cubes by engine='odc-stac'", "odc").load
    import dask.array as da
    import pystac
    from odc.geo.geobox import GeoBox

    layout = Layout(grid.crs.to_epsg(), grid.transform, grid.shape)
    plain, addresses = [], {}
    for n, (item, (w, s, e, t)) in enumerate(zip(items, extents, strict=True)):
        # The extent as a one-pixel image: what odc-stac asks an item's projection for, without latitudes and zones.
        place = {"proj:code": f"EPSG:{layout.epsg}", "proj:shape": [1, 1], "proj:transform": [e - w, 0, w, 0, s - t, t]}
        thin = pystac.Item(str(n), None, None, instant(item), place)
        thin.stac_extensions = ["https://stac-extensions.github.io/projection/v2.0.0/schema.json"]
        for name in names:
            href = hrefs.get((item["id"], name))
            if href is None:
                continue  # a gap
            # Only a key, the driver knows the file; but one that tells all of it: equal keys are equal pixels to dask.
            mark = hashlib.sha256(repr((str(href), href.scaling, overviews)).encode()).hexdigest()[:16]
            address = f"https://item/{n}/{name}/{mark}"
            addresses[address] = href
            thin.add_asset(name, pystac.Asset(address, media_type="image/tiff", roles=["data"], extra_fields=place))
        plain.append(thin)
    cube = load(
        plain,
        bands=list(names),
        geobox=GeoBox(grid.shape, grid.transform, grid.crs.to_wkt()),
        groupby=lambda item, parsed, index: index,
        chunks={"time": 1, "y": chunk, "x": chunk},
        dtype=dtype,
        nodata=empty,
        driver=Driver(addresses, layout, dtype, empty, labels, overviews, sign, retry),
        stac_cfg={"*": {"assets": {"*": {"data_type": dtype, "nodata": empty}}, "warnings": "ignore"}},
    )
    return da.stack([cube[name].data for name in names], axis=1)
