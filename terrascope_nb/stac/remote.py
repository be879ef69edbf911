"""Remote: a `RangeSource` as a file that GDAL reads, opened by rasterio under a name that tells nothing."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from weakref import WeakValueDictionary

from terrascope_nb.stac.ranges import BROKEN, RangeSource, Trouble

if TYPE_CHECKING:
    from rasterio import DatasetReader

_sources: WeakValueDictionary[str, RangeSource] = WeakValueDictionary()  # by the name under which GDAL has them


class Cursor(io.RawIOBase):
    """A place in a `RangeSource`, as GDAL's file. What goes wrong is left on the source: GDAL passes none on."""

    def __init__(self, source: RangeSource) -> None:
        super().__init__()
        self._source, self._at = source, 0

    def read(self, count: int = -1) -> bytes:
        """The next bytes; none after trouble."""
        source = self._source
        if source.trouble is not None:
            return b""
        try:
            stop = source.size if count < 0 else self._at + count
            source.overrun = source.overrun or stop > source.size
            data = source.read(self._at, stop)
        except BaseException as err:  # noqa: BLE001  (Ctrl-C too: raised again once GDAL has returned)
            source.trouble = err
            return b""
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; past the end is allowed."""
        try:
            start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence)
            self._at = offset + (self._source.size if start is None else start)
        except BaseException as err:  # noqa: BLE001  (as in read)
            self._source.trouble = self._source.trouble or err
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True


@contextmanager
def opened(source: RangeSource, suffix: str) -> Iterator[DatasetReader]:
    """The file of `source` by rasterio, under a name of its own that tells nothing. Asks for its beginning.

    Raises
    ------
    Trouble
        The source's own, rather than GDAL's guess about what it means.
    """
    import rasterio

    name = f"terrascope_nb/{uuid4().hex}/asset{suffix}"

    def opener(path: str, mode: str = "rb", **options: Any) -> Cursor:
        if not str(path).endswith(name):  # GDAL looks for files beside it
            raise FileNotFoundError(path)
        return Cursor(source)

    source.size  # noqa: B018  (a file that is not there says so here)
    try:
        with rasterio.open(name, opener=opener, sharing=False) as file:
            _sources[file.name] = source
            try:
                yield file
            finally:
                if source.overrun and source.trouble is None:
                    check_size(file, source.size)  # what GDAL makes of a file cut off depends on its compression
    finally:
        if source.trouble is not None:
            raise source.trouble


def unnamed(said: str) -> str:
    """GDAL's words without the name under which it has the file.

    Examples
    --------
    >>> unnamed("'/vsiriopener_0/terrascope_nb/0/asset.tif' not recognized as being in a supported file format")
    'the file is not recognized as being in a supported file format'
    """
    said = re.sub(r"'?/\S*terrascope_nb/[0-9a-f]+/asset[^\s',:]*'?", "the file", said)
    return said.replace("the file not recognized", "the file is not recognized")


def source_of(file: DatasetReader) -> RangeSource | None:
    """What an `opened` file (or an overview of it) is read from; None for other files."""
    return _sources.get(file.name)


def check_size(file: DatasetReader, size: int) -> None:
    """Raise `Trouble` where a file of `size` bytes is shorter than its own table of tiles says. Reads no pixel."""
    for offset, count in tiles(file):
        if offset + count > size:
            end = offset + count
            raise Trouble(f"the file is cut off: it has {size} bytes, and a tile ends at {end}", BROKEN, lasting=True)


def tiles(file: DatasetReader, band: int = 1) -> Iterator[tuple[int, int]]:
    """Offset and bytes of every tile that a TIFF's table names for one band, full resolution only."""
    rows, cols = file.block_shapes[band - 1]
    for y in range(-(-file.height // rows)):
        for x in range(-(-file.width // cols)):
            place = tile(file, x, y, band)
            if place is not None:
                yield place


def tile(file: DatasetReader, x: int, y: int, band: int = 1) -> tuple[int, int] | None:
    """Offset and bytes of one tile; None where the file holds none (all nodata) or is no TIFF."""
    found = [file.get_tag_item(f"BLOCK_{what}_{x}_{y}", "TIFF", bidx=band) for what in ("OFFSET", "SIZE")]
    return (int(found[0]), int(found[1])) if all(found) else None
