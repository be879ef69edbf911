"""Folders of image chips with a label map each: WorldCover numbers, or the colours that ChatEarthNet is captioned from.

Layout: a folder of images and one of labels; an image and its label have one name, but for the extension and a suffix.
ChatEarthNet's archives hold images and captions; the land cover that the captions were written from is a colour PNG for
each chip (one tile as four patches, ``…_patch00.png`` … ``…_patch11.png``) or a WorldCover raster cut to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from terrascope_nb.cot.sources.legends import CHATEARTHNET_COLORS, legend_for
from terrascope_nb.cot.sources.rasters import FILE_OPTIONS, checked, folder_of, labels_on, place_labels, stem_place
from terrascope_nb.cot.sources.rasters import with_legend as labelled_with
from terrascope_nb.cot.sources.stream import Entry, Stream
from terrascope_nb.errors import GridMismatch, InvalidInput, NotFound, ReadFailed
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene.labelled import Labelled
from terrascope_nb.scene.scene import Scene

WORLDCOVER_LICENCE = "labels CC BY 4.0 (ESA WorldCover); images: not stated"
WORLDCOVER_CITATION = (
    "D. Zanaga et al.: ESA WorldCover 10 m 2020 v100, 2021, doi:10.5281/zenodo.5571936; 10 m 2021 v200, 2022, "
    "doi:10.5281/zenodo.7254221"
)
CHATEARTHNET_LICENCE = "CC BY 4.0"
CHATEARTHNET_CITATION = (
    "Z. Yuan, Z. Xiong, L. Mou, X. X. Zhu: ChatEarthNet: a global-scale image–text dataset empowering vision–language "
    "geo-foundation models. Earth Syst. Sci. Data 17, 1245, 2025, doi:10.5194/essd-17-1245-2025; land cover: ESA "
    "WorldCover, doi:10.5281/zenodo.5571936"
)
EXTENSIONS = (".tif", ".tiff", ".png", ".npy")


def read_chips(
    images: str | Path,
    labels: str | Path,
    legend: Any = "esa-worldcover",
    *,
    nodata: int | None = 0,
    colors: Mapping[tuple[int, int, int], int] | None = None,
    image_suffix: str = "",
    label_suffix: str = "",
    place: str | None = None,
    resolution: float | None = None,
    source: str = "chips",
    licence: str = WORLDCOVER_LICENCE,
    citation: str = WORLDCOVER_CITATION,
    part: tuple[int, int] | None = None,
    on_bad: str = "raise",
    **files: Any,
) -> Iterator[Labelled]:
    """Image chips with label maps of the same name, in the order of the names.

    Parameters
    ----------
    images, labels : path
        Folders of GeoTIFF, PNG or NPY files. NPY images are (bands, H, W) or (H, W, bands).
    legend : str, mapping or sequence of MapClass
        See `legend_for`.
    nodata : int or None
        Number that means «not mapped»; WorldCover's is 0. None: what the label files say.
    colors : mapping, optional
        (red, green, blue) → number, for label pictures in colour. A colour that it lacks is an error.
    image_suffix, label_suffix : str
        What a file's name has behind the key, e.g. "_label".
    place : str, optional
        Regular expression whose first group, found in the key, is the place; default: each chip is one. Chips that were
        cut from one tile belong together: ``r"^(.*)_patch"``.
    resolution : float, optional
        Metres a pixel, for chips without CRS.
    part, on_bad
        See `Stream`.
    **files
        Keywords of `Scene.from_files`: bands, units, scale … (of NPY chips: bands, units, scale, offset, sensor, times,
        nodata).

    Raises
    ------
    NotFound
        For a missing folder, an empty one, or images without a label (each is named); on the first `next`.
    ReadFailed, InvalidInput, GridMismatch
        For what a chip cannot be read for.
    """
    options = checked(files, FILE_OPTIONS)
    classes = legend_for(legend)

    def entries() -> Iterator[Entry]:
        pictures, maps = _named(folder_of(images), image_suffix), _named(folder_of(labels), label_suffix)
        if not pictures:
            raise NotFound(f"{images} holds no image *{image_suffix}{{{', '.join(EXTENSIONS)}}}")
        bare = [key for key in pictures if key not in maps]
        if bare:
            more = f" and {len(bare) - 5} more" if len(bare) > 5 else ""
            raise NotFound(
                f"{len(bare)} of {len(pictures)} images have no label *{label_suffix} of their name in {labels}: "
                f"{', '.join(bare[:5])}{more}; check image_suffix= and label_suffix="
            )
        for key, picture in pictures.items():
            yield key, _opener(key, picture, maps[key])

    def _opener(key: str, picture: Path, label: Path) -> Any:
        def open_it() -> Labelled:
            scene = _scene(picture, key, options)
            values, empty = _labels(label, scene.grid, nodata, colors)
            stated = resolution if scene.grid.crs is None else None
            return labelled_with(
                scene, (values,), classes, empty, key=key, place=f"{source} {stem_place(key, place)}", source=source,
                licence=licence, citation=citation, resolution=stated,
            )  # fmt: skip

        return open_it

    return Stream(entries, part, on_bad)


def read_chatearthnet(
    images: str | Path,
    labels: str | Path,
    *,
    resolution: float | None = 10.0,
    image_suffix: str = "",
    label_suffix: str = "",
    part: tuple[int, int] | None = None,
    on_bad: str = "raise",
    **files: Any,
) -> Iterator[Labelled]:
    """Chips of ChatEarthNet with the colour land-cover pictures that its captions were written from.

    A place is a tile: what stands before «_patch» in the name, or the whole name where that is not in it.

    Parameters
    ----------
    images, labels : path
        Folders of 256 × 256 chips and of label pictures in the colours of `CHATEARTHNET_COLORS`. For WorldCover numbers
        instead of colours use `read_chips`.
    resolution : float or None
        Metres a pixel, for chips without CRS: Sentinel-2's 10.
    image_suffix, label_suffix, part, on_bad, **files
        As in `read_chips`. RGB pictures need nothing; other chips need bands= and scale= or units=.
    """
    return read_chips(
        images, labels, "chatearthnet", nodata=0, colors=CHATEARTHNET_COLORS, image_suffix=image_suffix,
        label_suffix=label_suffix, place=r"^(.+?)(?:_patch\d\d)?$", resolution=resolution, source="chatearthnet",
        licence=CHATEARTHNET_LICENCE, citation=CHATEARTHNET_CITATION, part=part, on_bad=on_bad, **files,
    )  # fmt: skip


def _named(folder: Path, suffix: str) -> dict[str, Path]:
    """Key → file, in the order of the keys."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in EXTENSIONS and path.stem.endswith(suffix):
            key = path.stem[: len(path.stem) - len(suffix)]
            if key in found:
                raise InvalidInput(f"{found[key].name} and {path.name} in {folder} are both {key!r}: keep one")
            found[key] = path
    return found


def _scene(path: Path, key: str, options: Mapping[str, Any]) -> Scene:
    if path.suffix.lower() != ".npy":
        return Scene.from_files(path, name=key, **options)
    bands = options.get("bands")
    if bands is None:
        raise InvalidInput(f"{path.name}: nothing in an NPY file names its bands; give bands=[…]")
    return Scene.from_arrays(_array(path), name=key, **options)


def _array(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as err:
        raise ReadFailed(f"{path} cannot be read as NPY: {err}") from err


def _labels(
    path: Path, grid: Grid, nodata: int | None, colors: Mapping[tuple[int, int, int], int] | None
) -> tuple[np.ndarray, int | None]:
    if path.suffix.lower() == ".npy":
        values = np.squeeze(_array(path))
        if values.ndim != 2 or values.dtype.kind not in "ui":
            raise InvalidInput(f"{path} holds {values.dtype} numbers of shape {values.shape}; labels are whole, (H, W)")
        if values.shape != grid.shape:
            raise GridMismatch(f"{path} is {values.shape}, the image {grid.shape}: an NPY map lies pixel on pixel")
        return values, nodata
    if colors is None:
        return labels_on(path, grid, nodata)
    from terrascope_nb.scene.raster import read, read_header

    header = read_header(path)
    if header.count != 3:
        raise ReadFailed(f"{path} has {header.count} bands; a label picture in colour has red, green and blue")
    planes = read(header, ("red", "green", "blue"))
    picture = np.stack([np.nan_to_num(planes.bands[c], nan=0).astype(np.uint32) for c in ("red", "green", "blue")])
    packed = (picture[0] << 16) | (picture[1] << 8) | picture[2]
    table = {(r << 16) | (g << 8) | b: number for (r, g, b), number in colors.items()}
    seen, place = np.unique(packed, return_inverse=True)
    strange = [int(v) for v in seen if int(v) not in table]
    if strange:
        told = ", ".join(f"({v >> 16}, {v >> 8 & 255}, {v & 255})" for v in strange[:6])
        raise InvalidInput(
            f"{path} has {len(strange)} colours that stand for no class: {told}; add them to colors=, or if the "
            "picture was saved with losses (JPEG) take the original"
        )
    numbers = np.array([table[int(v)] for v in seen], np.uint8)[place].reshape(packed.shape)
    return place_labels(numbers, header.grid, grid, nodata, str(path))
