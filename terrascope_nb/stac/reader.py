"""Reader: one asset's pixels on a wanted grid, nodata first, then physical units. Opens the file anew at each read.

It follows stackstac's reader protocol without importing it. Three things differ from stackstac's own reader: the href
is signed at each open and never kept signed; nothing that fails becomes nodata; the georeference is the file's, never
the item's (items may describe another resolution than the file they point to).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb.errors import ReadFailed
from terrascope_nb.stac.sensors import Scaling

if TYPE_CHECKING:
    from affine import Affine
    from rasterio import DatasetReader
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT
    from rasterio.windows import Window

GDAL_OPTIONS = {
    "GDAL_HTTP_MULTIRANGE": "YES",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "VSI_CACHE": True,
    "GDAL_HTTP_MAX_RETRY": 3,
    "GDAL_HTTP_RETRY_DELAY": 0.5,
    "GDAL_HTTP_CONNECTTIMEOUT": 10,
    "GDAL_HTTP_TIMEOUT": 60,
}
PLACE_TOLERANCE = 0.001  # pixels: GDAL's own 0.125 would let the extent that is asked for move the pixels
NO_SIDECARS = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}  # remote only: a file on disk may keep its CRS beside it


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

    Parameters are those of stackstac's reader protocol; `sign` is ours: href → href that opens.
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
    ) -> None:
        self.url = url
        self.spec = spec
        self.resampling = resampling
        self.dtype = np.dtype(dtype)
        self.fill_value = fill_value
        self.sign = sign

    def read(self, window: Window) -> np.ndarray:
        """The window of the wanted grid, ``(height, width)`` in `dtype`; NaN (class numbers: 0) where nothing is.

        Raises
        ------
        ReadFailed
            Names item and asset, and never shows a query string.
        """
        import rasterio
        from rasterio.errors import RasterioError

        options = GDAL_OPTIONS | ({} if _is_local(self.url) else NO_SIDECARS)
        try:
            with rasterio.Env(**options), rasterio.open(self._signed(), sharing=False) as file:
                self._check(file)
                return self._pixels(file, window)
        except (RasterioError, OSError) as err:
            if isinstance(err, ReadFailed):
                raise
            raise ReadFailed(self._trouble(str(err))) from None

    def close(self) -> None:
        """Nothing is held open."""

    # ---- pieces ---------------------------------------------------------------------------------------------
    def _signed(self) -> str:
        return str(self.url) if self.sign is None else self.sign(str(self.url))

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
        if self._is_ours(file):
            return self._physical(file.read(1, window=window, masked=True))
        if self.url.scaling.decibel:
            return self._warp_power(file, window)
        nodata = file.nodata if file.nodata is not None else self.url.scaling.nodata
        height, width = self.spec.shape
        with self._vrt(file, nodata, self.spec.transform, height, width) as vrt:
            return self._physical(vrt.read(1, window=window, masked=True))

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

    def _trouble(self, said: str) -> str:
        said = re.sub(r"\?[^\s'\"<>)]+", "?…", said)
        missing = "No such file" in said or "404" in said or "does not exist" in said
        cure = (
            "The file is not there: leave the item out with ids=, or the band with bands="
            if missing
            else "Check access (signing, network) and whether the file opens with gdalinfo"
        )
        return f"item {self.url.item!r}, asset {self.url.asset!r} cannot be read from {self.url.bare}: {said}. {cure}."


def without_query(href: str) -> str:
    """`href` without query string and fragment, where tokens are kept.

    Examples
    --------
    >>> without_query("https://example.org/a.tif?sig=secret")
    'https://example.org/a.tif'
    """
    return href if _is_local(href) else re.sub(r"[?#].*", "", href)


def _is_local(href: str) -> bool:
    return "://" not in href and not href.startswith("/vsi")
