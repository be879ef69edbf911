"""Gaps: assets that are missing, refused or broken, found before any pixel is read, so that a cube can name them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from terrascope_nb.errors import ReadFailed
from terrascope_nb.stac.reader import AssetReader, Href

if TYPE_CHECKING:
    import xarray as xr

    from terrascope_nb.stac.retry import Retry

THREADS = 16
ATTRIBUTE = "terrascope:gaps"


def find_gaps(
    assets: Iterable[Href], sign: Callable[[str], str] | None = None, retry: Retry | None = None
) -> dict[tuple[str, str], str]:
    """Which of the assets cannot be read, and why. Opens each file's header; reads no pixel.

    Parameters
    ----------
    assets : iterable of Href
    sign, retry
        As for `AssetReader`.

    Returns
    -------
    dict
        (item id, asset key) → what is wrong with it: not there, refused, or broken (not an image, cut off).

    Raises
    ------
    ReadFailed
        When an asset cannot be asked for now (the server is busy or unreachable): that is no gap.
    """
    from rasterio.enums import Resampling

    from terrascope_nb.stac.ranges import Trouble
    from terrascope_nb.stac.remote import check_size, source_of

    def look(href: Href) -> str | None:
        reader = AssetReader(
            url=href, spec=None, resampling=Resampling.nearest, dtype=np.dtype("float32"), fill_value=np.float32("nan"),
            sign=sign, retry=retry,
        )  # fmt: skip
        try:
            with reader.open() as file:
                source = source_of(file)
                if source is not None:
                    check_size(file, source.size)
                elif os.path.isfile(file.name):
                    check_size(file, os.path.getsize(file.name))
            return None
        except Trouble as err:
            trouble = err
        if not trouble.lasting:
            raise ReadFailed(reader.words(trouble))
        return f"{trouble} ({href.bare})"

    wanted = list(assets)
    if not wanted:
        return {}
    with ThreadPoolExecutor(min(THREADS, len(wanted))) as pool:
        return {(h.item, h.asset): said for h, said in zip(wanted, pool.map(look, wanted), strict=True) if said}


def to_attribute(gaps: Mapping[tuple[str, str], str]) -> str:
    """Gaps as the JSON text that a cube keeps in its attribute `ATTRIBUTE`."""
    return json.dumps([[item, asset, said] for (item, asset), said in gaps.items()])


def gap_notes(cube: xr.Dataset) -> list[str]:
    """A sentence for each gap of the items at the cube's dates.

    Examples
    --------
    >>> import xarray
    >>> said = to_attribute({("S2A_1", "B04"): "it answers 404 (https://host/B04.tif)"})
    >>> gap_notes(xarray.Dataset(coords={"item_ids": ("time", ["S2A_1 S2A_2"])}, attrs={ATTRIBUTE: said}))
    ['gap: item S2A_1 has no usable asset B04: it answers 404 (https://host/B04.tif)']
    """
    names = cube.coords.get("item_ids")
    here = None if names is None else set(" ".join(map(str, np.atleast_1d(names.values))).split())
    return [
        f"gap: item {item} has no usable asset {asset}: {said}"
        for item, asset, said in json.loads(cube.attrs.get(ATTRIBUTE, "[]"))
        if here is None or item in here
    ]
