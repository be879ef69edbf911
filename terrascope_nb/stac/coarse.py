"""Coarse: a reader that takes a file's overview where the wanted pixels are coarse, and powers before interpolation.

GDAL's warper reads the full resolution however coarse the wanted grid is; a whole Sentinel-2 tile at 160 m would be
read 256 times over. The overview taken is the coarsest whose pixels are no larger than the wanted ones; it depends on
the file and the grid alone, not on the piece that is read.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb.stac.reader import PLACE_TOLERANCE, AssetReader

if TYPE_CHECKING:
    from rasterio import DatasetReader
    from rasterio.windows import Window

LATTICE = 1e-4  # pixels that two grids may be apart over their whole width and still be one
SLACK = 1.05  # an overview may be this much coarser than wanted: zones of one projection differ by parts of a percent


class CoarseReader(AssetReader):
    """`AssetReader` with overviews.

    Parameters
    ----------
    overviews : bool
        Whether overviews may be used. Overviews of class numbers are somebody's choice of classes: off for these where
        the pixels themselves are wanted.
    **rest
        As `AssetReader`.
    """

    def __init__(self, *, overviews: bool = True, **rest: Any) -> None:
        super().__init__(**rest)
        self.overviews = overviews

    def _pixels(self, file: DatasetReader, window: Window) -> np.ndarray:
        factor = self._factor(file) if self.overviews else 1
        offset = self._offset(file) if factor == 1 else None
        if offset is not None:
            return self._cut(file, window, offset)
        # Zeros that stand for «no power» must go before they are mixed with their neighbours.
        if factor > 1 or self.url.scaling.positive:
            if factor == 1:
                self._prefetch(file, window)  # of an overview there are few tiles
            return self._warp_physical(file, window, factor)
        return super()._pixels(file, window)

    def _offset(self, file: DatasetReader) -> tuple[int, int] | None:
        """Column and row of the file at the wanted grid's corner where both are one lattice, so that nothing moves."""
        a, b = file.transform, self.spec.transform
        if file.crs.to_epsg() != self.spec.epsg or a.b or a.d:
            return None
        if abs(a.a - b.a) * self.spec.shape[1] > LATTICE * a.a or abs(a.e - b.e) * self.spec.shape[0] > LATTICE * -a.e:
            return None
        column, row = (b.c - a.c) / a.a, (b.f - a.f) / a.e
        near = round(column), round(row)
        return near if abs(column - near[0]) < LATTICE and abs(row - near[1]) < LATTICE else None

    def _cut(self, file: DatasetReader, window: Window, offset: tuple[int, int]) -> np.ndarray:
        """The window as the file has it, what lies beyond the file filled."""
        from rasterio.windows import Window as Part

        height, width = int(window.height), int(window.width)
        left, top = offset[0] + int(window.col_off), offset[1] + int(window.row_off)
        columns, rows = (max(left, 0), min(left + width, file.width)), (max(top, 0), min(top + height, file.height))
        out = np.full((height, width), self.fill_value, self.dtype)
        if columns[0] >= columns[1] or rows[0] >= rows[1]:
            return out
        self._prefetch(file, window)
        part = Part(columns[0], rows[0], columns[1] - columns[0], rows[1] - rows[0])
        values = self._physical(file.read(1, window=part, masked=True))
        if values.shape == out.shape:
            return values
        out[rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left] = values
        return out

    def _factor(self, file: DatasetReader) -> int:
        """How many times coarser than the file the overview to read is; 1 for the full resolution."""
        if self.url.scaling.decibel:
            return 1  # an overview of decibels holds their means, which are not the decibels of the mean
        factors = file.overviews(1)
        kernel = self._kernel(file) if factors else {}  # wanted pixels per file pixel, at the wanted grid's middle
        if not kernel:
            return 1
        wanted = 1 / max(kernel.values())  # file pixels per wanted pixel, along the finer axis
        return max((f for f in factors if math.isfinite(wanted) and f <= wanted * SLACK), default=1)

    def _warp_physical(self, file: DatasetReader, window: Window, factor: int) -> np.ndarray:
        """The part of `file` around the window, at the overview's pixels, in physical units, then warped."""
        from affine import Affine
        from rasterio import MemoryFile
        from rasterio.transform import array_bounds
        from rasterio.vrt import WarpedVRT
        from rasterio.warp import transform_bounds
        from rasterio.windows import Window as Part
        from rasterio.windows import from_bounds, transform

        height, width = int(window.height), int(window.width)
        target = transform(window, self.spec.transform)
        columns, rows = math.ceil(file.width / factor), math.ceil(file.height / factor)  # the overview's own size
        across, down = file.width / columns, file.height / rows  # its pixels, in the file's
        t = file.transform
        place = Affine(t.a * across, t.b * down, t.c, t.d * across, t.e * down, t.f)
        around = transform_bounds(
            f"EPSG:{self.spec.epsg}", file.crs, *array_bounds(height, width, target), densify_pts=21
        )
        part = from_bounds(*around, place)
        margin = math.ceil(2 * max(part.width / width, part.height / height)) + 2  # the kernel grows with the pixels
        left, top = max(math.floor(part.col_off) - margin, 0), max(math.floor(part.row_off) - margin, 0)
        right = min(math.ceil(part.col_off + part.width) + margin, columns)
        bottom = min(math.ceil(part.row_off + part.height) + margin, rows)
        if left >= right or top >= bottom:
            return np.full((height, width), self.fill_value, self.dtype)
        size = (bottom - top, right - left)
        where = Part(left * across, top * down, size[1] * across, size[0] * down)
        values = self._physical(file.read(1, window=where, out_shape=size, masked=True))
        corner = (place.a * left + place.b * top + place.c, place.d * left + place.e * top + place.f)
        here = Affine(place.a, place.b, corner[0], place.d, place.e, corner[1])
        profile = {"count": 1, "dtype": self.dtype.name, "height": size[0], "width": size[1], "crs": file.crs}
        nothing = float(self.fill_value)
        with MemoryFile() as memory:
            with memory.open(driver="GTiff", transform=here, **profile) as copy:
                copy.write(values, 1)
            with memory.open() as copy, WarpedVRT(
                copy, crs=f"EPSG:{self.spec.epsg}", transform=target, height=height, width=width,
                resampling=self.resampling, src_nodata=nothing, nodata=nothing, tolerance=PLACE_TOLERANCE,
                **self._kernel(copy),
            ) as vrt:  # fmt: skip
                return vrt.read(1).astype(self.dtype)
