"""Two small real sets with pixel labels, read by the general readers: a patch in Slovenia, and North Carolina."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from affine import Affine

from terrascope_nb.cot.sources.legends import CAROLINA, SLOVENIA
from terrascope_nb.cot.sources.rasters import folder_of, read_raster, with_legend
from terrascope_nb.cot.sources.stream import Stream
from terrascope_nb.cot.sources.windows import cutter
from terrascope_nb.errors import InvalidInput, ReadFailed
from terrascope_nb.scene.labelled import Labelled
from terrascope_nb.scene.scene import Scene

#: Sentinel-2 L1C bands in the order of the arrays; those that no rule uses are left out.
L1C = (
    "coastal", "blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", None, None, "swir16",
    "swir22",
)  # fmt: skip
#: Index in REFERENCE_SCENES.npy → day, of the three of its five dates without cloud.
CLEAR = {4: "2015-07-11", 3: "2015-08-30", 2: "2015-09-09"}


def read_slovenia(
    folder: str | Path,
    *,
    dates: Sequence[str] = tuple(CLEAR.values()),
    window: int | None = None,
    stride: int | None = None,
    block: int | None = None,
    part: tuple[int, int] | None = None,
    on_bad: str = "raise",
) -> Iterator[Labelled]:
    """The example patch of eo-learn: 1 × 1 km in Slovenia, Sentinel-2 L1C, land use (RABA); one image a clear date.

    One map serves all dates, which are images of one place: they never go apart.

    Parameters
    ----------
    folder : path
        Holds REFERENCE_SCENES.npy, LULC.npy and bbox.geojson.
    dates : sequence of str
        Of 2015-07-11, 2015-08-30 and 2015-09-09.
    window, stride, block : int, optional
        Cut into windows, see `windows`.
    part, on_bad
        See `Stream`.
    """
    known = {day: index for index, day in CLEAR.items()}
    strange = [day for day in dates if day not in known]
    if strange:
        raise InvalidInput(f"no clear image of {', '.join(strange)}; there are {', '.join(sorted(known))}")
    root, cut = Path(folder), cutter(window, stride, block)

    def opener(day: str) -> Callable[[], Labelled]:
        def open_it() -> Labelled:
            folder_of(root, "REFERENCE_SCENES.npy", "LULC.npy", "bbox.geojson")
            try:
                cube = np.load(root / "REFERENCE_SCENES.npy", mmap_mode="r")
                labels = np.load(root / "LULC.npy")[..., 0]
                outline = json.loads((root / "bbox.geojson").read_text(encoding="utf-8"))
                corners = np.array(outline["coordinates"][0])
            except (OSError, ValueError, KeyError, IndexError) as err:
                raise ReadFailed(f"{root} cannot be read as the example patch: {type(err).__name__}: {err}") from err
            (west, south), (east, north) = corners.min(0), corners.max(0)
            rows, cols = labels.shape
            place = Affine((east - west) / cols, 0, west, 0, -(north - south) / rows, north)
            epsg = int(outline["crs"]["properties"]["name"].rsplit(":", 1)[-1])
            scene = Scene.from_arrays(
                np.moveaxis(np.asarray(cube[known[day]]), -1, 0), bands=list(L1C), times=[day], crs=epsg,
                transform=place, units="reflectance", name=f"Slovenia {day}",
            )  # fmt: skip
            return with_legend(
                scene, (labels,), SLOVENIA, 0, key=f"slovenia-{day}", place="slovenia", source="slovenia",
                licence="MIT (eo-learn example patch); contains modified Copernicus Sentinel data 2015; RABA land use "
                "open with attribution",
                citation="eo-learn, example_data, Sentinel Hub; RABA: Ministry of Agriculture, Forestry and Food of "
                "Slovenia",
            )  # fmt: skip

        return open_it

    return Stream(lambda: [(f"slovenia-{day}", opener(day)) for day in dates], part, on_bad, cut)


def read_carolina(
    folder: str | Path,
    *,
    window: int | None = 128,
    stride: int | None = None,
    block: int | None = None,
    part: tuple[int, int] | None = None,
    on_bad: str = "raise",
) -> Iterator[Labelled]:
    """Landsat 7 of 2002 over Wake County, North Carolina, with the land-cover map of 1996; in windows.

    The image has 8-bit numbers, no reflectance, and no day; six years lie between map and image.

    Parameters
    ----------
    folder : path
        Holds lsat7_2002.tif and landclass96.tif.
    window, stride, block : int or None
        See `windows`; window=None gives the whole 474 × 526 pixels at once.
    part, on_bad
        See `Stream`; the one image is counted, not its windows.
    """
    root = Path(folder)
    return read_raster(
        root / "lsat7_2002.tif", root / "landclass96.tif", CAROLINA, nodata=255, key="north-carolina",
        source="north-carolina", licence="CC BY-SA 3.0 (North Carolina sample data set of OSGeo)",
        citation="North Carolina sample data set, GRASS GIS / OSGeo; landclass96 and Landsat 7 ETM+ 2002",
        window=window, stride=stride, block=block, part=part, on_bad=on_bad,
        bands=["blue", "green", "red", "nir", "swir16", "swir22", None], units="dn",
    )  # fmt: skip
