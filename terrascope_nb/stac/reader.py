"""Reader: one asset's pixels on a wanted grid, nodata first, then physical units. Opens the file anew at each read.

It follows stackstac's reader protocol without importing it. Three things differ from stackstac's own reader: the href
is signed at each open and never kept signed; nothing that fails becomes nodata; the georeference is the file's, never
the item's (items may describe another resolution than the file they point to). What comes by HTTP is asked for by
`terrascope_nb.stac.ranges`, so that GDAL never holds a token.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb.errors import ReadFailed
from terrascope_nb.stac.retry import Retry
from terrascope_nb.stac.sensors import Scaling

if TYPE_CHECKING:
    from affine import Affine
    from rasterio import DatasetReader
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT
    from rasterio.windows import Window

    from terrascope_nb.stac.ranges import Trouble

#: Set around each remote read, never globally. The HTTP ones serve storage that GDAL asks itself (s3://, gs://, az://).
GDAL_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MULTIRANGE": "YES",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MAX_RETRY": 3,
    "GDAL_HTTP_RETRY_DELAY": 0.5,
    "GDAL_HTTP_CONNECTTIMEOUT": 10,
    "GDAL_HTTP_TIMEOUT": 60,
    "GDAL_HTTP_LOW_SPEED_LIMIT": 2048,
    "GDAL_HTTP_LOW_SPEED_TIME": 20,
    "VSI_CACHE": True,
    "CPL_VSIL_CURL_NON_CACHED": "/vsis3/:/vsigs/:/vsiaz/:/vsiadls/:/vsicurl/",  # nor a failure, nor old bytes
}
PLACE_TOLERANCE = 0.001  # pixels: GDAL's own 0.125 would let the extent that is asked for move the pixels
PREFETCHED = 256  # tiles at most that are asked for ahead of one read
VERSIONS = 3  # a file that is replaced while it is read is read anew; more often than this is an error


class Href(str):
    """An asset's unsigned address that knows whose it is and how its values are scaled.

    Attributes
    ----------
    item, asset : str
        Item id and asset key, for messages.
    scaling : Scaling
    """

    item: str
    asset: str
    scaling: Scaling

    def __new__(cls, href: str, item: str, asset: str, scaling: Scaling) -> Href:
        """Build from the address and its owner."""
        self = super().__new__(cls, href)
        self.item, self.asset, self.scaling = item, asset, scaling
        return self

    def __getnewargs__(self) -> tuple[str, str, str, Scaling]:
        return str(self), self.item, self.asset, self.scaling

    @property
    def bare(self) -> str:
        """The address without its query string."""
        return without_query(self)


class AssetReader:
    """Reads windows of one asset. Building it touches no file; it pickles; any thread may read.

    Parameters are those of stackstac's reader protocol; ours are `sign` (href → href that opens, called at each open)
    and `retry` (the patience with a server).
    """

    def __init__(
        self,
        *,
        url: Href,
        spec: Any,
        resampling: Resampling,
        dtype: np.dtype,
        fill_value: Any,
        scale_offset: tuple[float, float] = (1, 0),
        gdal_env: Any = None,
        errors_as_nodata: tuple[Exception, ...] = (),
        sign: Callable[[str], str] | None = None,
        retry: Retry | None = None,
    ) -> None:
        self.url = url
        self.spec = spec
        self.resampling = resampling
        self.dtype = np.dtype(dtype)
        self.fill_value = fill_value
        self.sign = sign
        self.retry = retry

    def read(self, window: Window) -> np.ndarray:
        """The window of the wanted grid, ``(height, width)`` in `dtype`; NaN (class numbers: 0) where nothing is.

        Raises
        ------
        ReadFailed
            Names item and asset. Neither it nor anything that it was raised from shows a query string.
        """
        from terrascope_nb.stac.ranges import Trouble

        for _ in range(VERSIONS):
            try:
                with self.open() as file:
                    return self._pixels(file, window)
            except Trouble as err:
                trouble = err
            if not trouble.changed:
                break
        raise ReadFailed(self.words(trouble))  # outside the handler, so that nothing hangs on

    @contextmanager
    def open(self) -> Iterator[DatasetReader]:
        """The file, with GDAL's settings around it, checked for what is needed of it. Asks for its header.

        Raises
        ------
        Trouble
            When it cannot be read, now or while it is open.
        ReadFailed
            When it is not a file of one band with a place.
        """
        import rasterio
        from rasterio.errors import RasterioError

        from terrascope_nb.stac import ranges, remote
        from terrascope_nb.stac.sign import redact
        from terrascope_nb.stac.stopping import Abandoned
        from terrascope_nb.stac.transport import Address

        name = ranges.signed(self.url, self.sign)
        options = GDAL_OPTIONS if isinstance(name, Address) or not _is_local(name) else {}
        try:
            if isinstance(name, Address):
                source = ranges.RangeSource(self.url, self.sign, self.retry, name)
                opening = remote.opened(source, PurePosixPath(name.bare).suffix)
            else:
                opening = rasterio.open(name, sharing=False)
            with rasterio.Env(**options), opening as file:
                self._check(file)
                yield file
                return
        except (RasterioError, OSError) as err:
            if isinstance(err, ReadFailed):
                raise
            causes = (err, err.__cause__, err.__cause__ and err.__cause__.__cause__)
            said = redact(" ".join(str(e).rstrip(".") + "." for e in causes if e is not None)).rstrip(".")
        except Abandoned:
            raise ranges.Trouble("it was given up, as Ctrl-C or the program's end asked", ranges.BUSY) from None
        if isinstance(name, Address):  # every byte came, so that it is the file
            raise ranges.Trouble(remote.unnamed(said), ranges.BROKEN, lasting=True)
        missing = "No such file" in said or "404" in said or "does not exist" in said
        raise ranges.Trouble(said, ranges.MISSING if missing else ranges.UNREAD, lasting=missing or not options)

    def words(self, trouble: Trouble) -> str:
        """What happened to this asset and what to do, for an error or a note."""
        return (
            f"item {self.url.item!r}, asset {self.url.asset!r} cannot be read from {self.url.bare}: {trouble}. "
            f"{trouble.cure}."
        )

    def close(self) -> None:
        """Nothing is held open."""

    # ---- pieces ---------------------------------------------------------------------------------------------
    def _check(self, file: DatasetReader) -> None:
        if file.count != 1:
            raise ReadFailed(
                f"item {self.url.item!r}, asset {self.url.asset!r}: the file has {file.count} bands, one is needed: "
                f"{self.url.bare}. Read such files with Scene.from_files"
            )
        if file.crs is None:
            raise ReadFailed(
                f"item {self.url.item!r}, asset {self.url.asset!r}: the file carries no CRS, so its pixels have no "
                f"place: {self.url.bare}. Set it, e.g. with gdal_edit.py -a_srs EPSG:… -a_ullr …"
            )

    def _pixels(self, file: DatasetReader, window: Window) -> np.ndarray:
        self._prefetch(file, window)
        if self._is_ours(file):
            return self._physical(file.read(1, window=window, masked=True))
        if self.url.scaling.decibel:
            return self._warp_power(file, window)
        nodata = file.nodata if file.nodata is not None else self.url.scaling.nodata
        height, width = self.spec.shape
        with self._vrt(file, nodata, self.spec.transform, height, width) as vrt:
            return self._physical(vrt.read(1, window=window, masked=True))

    def _prefetch(self, file: DatasetReader, window: Window) -> None:
        """Ask a remote file for all tiles under the window at once: a request a row of tiles, not one a tile."""
        from terrascope_nb.stac.remote import source_of, tile

        source = source_of(file)
        if source is None:
            return
        left, top, right, bottom = self._under(file, window)
        high, wide = file.block_shapes[0]
        rows, columns = range(top // high, -(-bottom // high)), range(left // wide, -(-right // wide))
        if len(rows) * len(columns) <= PREFETCHED:
            source.prefetch(p for y in rows for x in columns if (p := tile(file, x, y)) is not None)

    def _under(self, file: DatasetReader, window: Window, margin: int = 2) -> tuple[int, int, int, int]:
        """Columns and rows (left, top, right, bottom) of the file that lie under the window; all 0 where none do."""
        from rasterio.errors import RasterioError
        from rasterio.transform import array_bounds
        from rasterio.warp import transform_bounds
        from rasterio.windows import from_bounds, transform

        if self._is_ours(file):
            left, top, margin = window.col_off, window.row_off, 0
            right, bottom = left + window.width, top + window.height
        else:
            bounds = array_bounds(int(window.height), int(window.width), transform(window, self.spec.transform))
            try:
                around = transform_bounds(f"EPSG:{self.spec.epsg}", file.crs, *bounds, densify_pts=21)
                part = from_bounds(*around, file.transform)
            except (RasterioError, ValueError):
                return 0, 0, 0, 0  # nowhere in the file's projection
            left, top = part.col_off, part.row_off
            right, bottom = left + part.width, top + part.height
        left, top = max(math.floor(left) - margin, 0), max(math.floor(top) - margin, 0)
        right, bottom = min(math.ceil(right) + margin, file.width), min(math.ceil(bottom) + margin, file.height)
        return (left, top, right, bottom) if left < right and top < bottom else (0, 0, 0, 0)

    def _vrt(self, file: DatasetReader, nodata: float | None, transform: Affine, height: int, width: int) -> WarpedVRT:
        """`file` on a grid of the wanted CRS; measurements are interpolated as float32."""
        from rasterio.vrt import WarpedVRT

        nodata = math.nan if nodata is None else nodata
        return WarpedVRT(
            file, crs=f"EPSG:{self.spec.epsg}", transform=transform, height=height, width=width,
            resampling=self.resampling, src_nodata=nodata, nodata=nodata, tolerance=PLACE_TOLERANCE,
            dtype=None if self.dtype.kind == "u" else "float32", **self._kernel(file),
        )  # fmt: skip

    def _kernel(self, file: DatasetReader) -> dict[str, float]:
        """Wanted pixels per file pixel along x and y, which widen the kernel where they are below 1.

        Stated, because GDAL would estimate them from each piece it warps, so that the result depended on the pieces.
        """
        from rasterio.warp import transform

        a, (height, width) = self.spec.transform, self.spec.shape
        cols, rows = (width / 2 + step for step in (0, 1, 0)), (height / 2 + step for step in (0, 0, 1))
        points = [(a.a * c + a.c, a.e * r + a.f) for c, r in zip(cols, rows, strict=True)]
        xs, ys = transform(f"EPSG:{self.spec.epsg}", file.crs, *zip(*points, strict=True))
        back = ~file.transform
        at = [(back.a * x + back.b * y, back.d * x + back.e * y) for x, y in zip(xs, ys, strict=True)]
        along = [math.dist(at[0], at[1]), math.dist(at[0], at[2])]
        if not all(math.isfinite(v) and v > 0 for v in along):
            return {}  # the wanted grid's centre is nowhere in the file's projection
        return {name: round(1 / v, 3) or 0.001 for name, v in zip(("XSCALE", "YSCALE"), along, strict=True)}

    def _is_ours(self, file: DatasetReader) -> bool:
        """Whether the file's grid is the wanted one, so that nothing need be resampled."""
        same = file.transform.almost_equals(self.spec.transform, 1e-6) and file.shape == tuple(self.spec.shape)
        return same and file.crs.to_epsg() == self.spec.epsg

    def _physical(self, raw: np.ma.MaskedArray) -> np.ndarray:
        """Nodata out first, then the scaling, then `dtype`."""
        scaling = self.url.scaling
        gone = np.ma.getmaskarray(raw)
        if scaling.nodata is not None:
            gone = gone | (raw.data == scaling.nodata)
        if self.dtype.kind == "u":
            return np.where(gone, self.fill_value, raw.data).astype(self.dtype)
        values = np.where(gone, np.float32("nan"), raw.data.astype("float32"))
        return np.asarray(scaling.apply(values), self.dtype)

    def _warp_power(self, file: DatasetReader, window: Window) -> np.ndarray:
        """Resample decibels as linear power: the mean of decibels is not the decibel of the mean."""
        from rasterio import MemoryFile
        from rasterio.transform import array_bounds
        from rasterio.warp import transform_bounds
        from rasterio.windows import Window as SourceWindow
        from rasterio.windows import from_bounds, transform

        height, width = int(window.height), int(window.width)
        target = transform(window, self.spec.transform)
        bounds = array_bounds(height, width, target)
        around = transform_bounds(f"EPSG:{self.spec.epsg}", file.crs, *bounds, densify_pts=21)
        part = from_bounds(*around, file.transform)
        margin = math.ceil(2 * max(part.width / width, part.height / height)) + 2  # the kernel grows with the pixels
        left, top = max(math.floor(part.col_off) - margin, 0), max(math.floor(part.row_off) - margin, 0)
        right = min(math.ceil(part.col_off + part.width) + margin, file.width)
        bottom = min(math.ceil(part.row_off + part.height) + margin, file.height)
        if left >= right or top >= bottom:
            return np.full((height, width), self.fill_value, self.dtype)
        part = SourceWindow(left, top, right - left, bottom - top)
        power = self._physical(file.read(1, window=part, masked=True))
        profile = {"count": 1, "dtype": "float32", "height": part.height, "width": part.width, "crs": file.crs}
        with MemoryFile() as memory:
            with memory.open(driver="GTiff", transform=file.window_transform(part), **profile) as copy:
                copy.write(power, 1)
            with memory.open() as copy, self._vrt(copy, None, target, height, width) as vrt:
                return vrt.read(1).astype(self.dtype)


def without_query(href: str) -> str:
    """`href` without query string, fragment, user and password, where secrets are kept.

    Examples
    --------
    >>> without_query("https://me:pw@example.org/a.tif?sig=secret")
    'https://example.org/a.tif'
    """
    return href if _is_local(href) else re.sub(r"://[^/@]*@", "://", re.sub(r"[?#].*", "", href))


def _is_local(href: str) -> bool:
    return "://" not in href and not href.startswith("/vsi")
