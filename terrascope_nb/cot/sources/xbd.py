"""xBD: pictures before and after a disaster, with each building as a polygon and its damage.

Layout, one folder or several (train, tier3, test, hold) beside each other::

    images/<disaster>_<number>_pre_disaster.png   …_post_disaster.png     1024 × 1024, or .tif
    labels/<disaster>_<number>_pre_disaster.json  …_post_disaster.json

A label file has ``features.xy[]`` with ``wkt`` in pixels (x to the right, y down), ``properties.uid`` and, after the
disaster, ``properties.subtype``; ``features.lng_lat[]`` with the same polygons in degrees; ``metadata`` with
``capture_date``, ``disaster`` and ``gsd``.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.cot.sources.rasters import folder_of
from terrascope_nb.cot.sources.stream import Entry, Stream
from terrascope_nb.errors import GridMismatch, InvalidInput, NotFound, ReadFailed
from terrascope_nb.scene.labelled import OTHER, Labelled
from terrascope_nb.scene.scene import Scene

LICENCE = "CC BY-NC-SA 4.0"
CITATION = (
    "R. Gupta, R. Hosfelt, S. Sajeev, N. Patel, B. Goodman, J. Doshi, E. Heim, H. Choset, M. Gaston: xBD: A Dataset "
    "for Assessing Building Damage from Satellite Imagery. arXiv:1911.09296, 2019"
)
LEGEND = {0: OTHER, 1: "building", 2: "destroyed building"}
UNCLASSIFIED = 3
NAMES = {0: "no building", 1: "no-damage, minor-damage, major-damage", 2: "destroyed", UNCLASSIFIED: "un-classified"}
SUBTYPES = {"no-damage": 1, "minor-damage": 1, "major-damage": 1, "destroyed": 2, "un-classified": UNCLASSIFIED}
SPLITS = {"train": "train", "tier1": "train", "tier3": "train", "hold": "validation", "test": "test"}
EXTENSIONS = (".png", ".tif", ".tiff")
AGREE = 0.01  # relative: two stated ground sampling distances that differ by more are not one pixel size


@dataclass(frozen=True, eq=False)
class Polygons:
    """The buildings of one label file.

    Attributes
    ----------
    shapes : tuple of (shapely geometry, int)
        In pixels (x, y) of the upper-left corner, with the class number.
    time : numpy.datetime64 or None
    gsd : float or None
        Metres, as the file states it.
    pixel : float or None
        Metres a pixel, from the same polygons in degrees and in pixels; None where the file lacks either.
    disaster : str
    """

    shapes: tuple[tuple[Any, int], ...]
    time: np.datetime64 | None
    gsd: float | None
    pixel: float | None
    disaster: str

    def count(self, number: int) -> int:
        """Polygons of a class number."""
        return sum(n == number for _, n in self.shapes)


def read_xbd(
    folder: str | Path,
    *,
    disaster: str | None = None,
    part: tuple[int, int] | None = None,
    on_bad: str = "raise",
) -> Iterator[Labelled]:
    """Pairs before and after, in the order of the names; the disaster is the place.

    Two maps, 0 no building, 1 building, 2 destroyed. Before the disaster each building is 1. `counts` holds
    {0: (0, all), 1: (destroyed, all classified)} from the polygons. Buildings that the file calls «un-classified» after
    the disaster are 3 on that map: not mapped, named in `unmapped`, and in no count.

    The pixel size comes from polygons that the file has both in degrees and in pixels, else from ``gsd`` where both
    dates state the same, to a centimetre; else it is None. Georeferencing of .tif pictures is not used: a pair lies
    pixel on pixel.

    Parameters
    ----------
    folder : path
        Holds ``images`` and ``labels``, or folders that do.
    disaster : str, optional
        Only names that begin with it, e.g. "santa-rosa-wildfire".
    part, on_bad
        See `Stream`.

    Raises
    ------
    NotFound, ReadFailed
        For a missing folder, picture or label file.
    InvalidInput
        For a polygon or a subtype that cannot be read, by file and uid, and for dates in the wrong order.
    """
    root = Path(folder)

    def entries() -> Iterator[Entry]:
        for at in _parts(root):
            for path in sorted((at / "labels").glob("*_post_disaster.json")):
                key = path.name.removesuffix("_post_disaster.json")
                if disaster is None or key.startswith(disaster):
                    yield key, _Pair(at, key)

    return Stream(entries, part, on_bad)


class _Pair:
    """Opens one pair."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self.key = folder, key

    def __call__(self) -> Labelled:
        key, names = self.key, (f"{self.key}_pre_disaster", f"{self.key}_post_disaster")
        before, after = (read_polygons(self.folder / "labels" / f"{name}.json") for name in names)
        pictures = [_picture(self.folder / "images", name) for name in names]
        if pictures[0].shape != pictures[1].shape:
            raise GridMismatch(f"{key}: the pictures before and after are {pictures[0].shape} and {pictures[1].shape}")
        times = [before.time, after.time]
        if None in times:
            raise InvalidInput(f"{key}: the label files state no capture_date, so what is before and after is not told")
        if not times[0] < times[1]:  # type: ignore[operator]
            raise InvalidInput(f"{key}: captured before the disaster on {times[0]}, after it on {times[1]}")
        units = "rgb8" if pictures[0].dtype == np.uint8 else "dn"
        scene = Scene.from_arrays(
            np.stack(pictures), bands=["red", "green", "blue"], times=times, units=units, name=key
        )  # fmt: skip
        intact = tuple((shape, 1) for shape, _ in before.shapes)
        maps = (rasterised(intact, scene.grid.shape), rasterised(after.shapes, scene.grid.shape))
        gone = int((maps[1] == UNCLASSIFIED).sum())
        lost = after.count(2)
        return Labelled(
            scene, maps, dict(LEGEND), key, f"xbd {before.disaster or key.rsplit('_', 1)[0]}", source="xbd",
            licence=LICENCE, citation=CITATION, names=NAMES, resolution=_pixel(before, after),
            counts={0: (0, len(intact)), 1: (lost, lost + after.count(1))},
            unmapped={UNCLASSIFIED: gone} if gone else {}, split=SPLITS.get(self.folder.name, ""),
        )  # fmt: skip


def read_polygons(path: str | Path) -> Polygons:
    """Read a label file of xBD.

    Raises
    ------
    ReadFailed
        When it is missing or no JSON of this form.
    InvalidInput
        For geometry that is no polygon, or an unknown damage subtype.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        features, meta = document["features"]["xy"], document.get("metadata", {})
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise ReadFailed(
            f"{path} is no label file of xBD ({type(err).__name__}: {err}): features.xy is needed"
        ) from err
    shapes = []
    for k, feature in enumerate(features):
        told = feature.get("properties", {})
        if told.get("feature_type", "building") != "building":
            continue
        name = f"{Path(path).name}, polygon {told.get('uid', k)}"
        subtype = told.get("subtype", "no-damage")  # files from before the disaster state none
        if subtype not in SUBTYPES:
            raise InvalidInput(f"{name}: {unknown('damage subtype', subtype, SUBTYPES)}")
        shapes.append((_polygon(feature.get("wkt"), name), SUBTYPES[subtype]))
    stamp, gsd = meta.get("capture_date"), meta.get("gsd")
    try:
        time = np.datetime64(str(stamp).rstrip("Z")[:19], "s") if stamp else None
    except ValueError as err:
        raise InvalidInput(f"{path}: capture_date {stamp!r} is no date: {err}") from err
    stated = float(gsd) if isinstance(gsd, int | float) and gsd > 0 else None
    return Polygons(tuple(shapes), time, stated, _measured(document["features"]), str(meta.get("disaster") or ""))


def rasterised(shapes: tuple[tuple[Any, int], ...], shape: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8: the number of the polygon that holds a pixel's centre; of several, destroyed before intact."""
    out = np.zeros(shape, np.uint8)
    if not shapes:
        return out
    from affine import Affine
    from rasterio.features import rasterize

    drawn = sorted(shapes, key=lambda pair: pair[1] % UNCLASSIFIED)  # un-classified first, destroyed last
    return rasterize(drawn, out=out, transform=Affine.identity(), all_touched=False)


def _polygon(wkt: Any, name: str) -> Any:
    import shapely
    from shapely.errors import ShapelyError

    try:
        shape = shapely.from_wkt(wkt)
    except (ShapelyError, TypeError) as err:
        raise InvalidInput(f"{name}: {str(wkt)[:60]!r} is no WKT: {err}") from err
    if shape is None or shape.is_empty or shape.geom_type not in ("Polygon", "MultiPolygon"):
        raise InvalidInput(f"{name}: a building is a polygon, got {str(wkt)[:60]!r}")
    return shape


def _measured(features: dict[str, Any]) -> float | None:
    """Metres a pixel: √(area on the ellipsoid ÷ area in pixels) over the buildings that are there in both ways."""
    import shapely

    from terrascope_nb.geo.grid import GEOD

    flat = {f["properties"].get("uid"): f.get("wkt") for f in features.get("xy", ()) if f.get("properties")}
    ground = pixels = 0.0
    for feature in features.get("lng_lat", ()):
        uid = feature.get("properties", {}).get("uid")
        if uid is None or flat.get(uid) is None:
            continue
        there, here = (
            shapely.from_wkt(feature.get("wkt"), on_invalid="ignore"),
            shapely.from_wkt(flat[uid], on_invalid="ignore"),
        )
        if there is not None and here is not None and there.is_valid and here.is_valid:
            ground += abs(GEOD.geometry_area_perimeter(there)[0])
            pixels += here.area
    return math.sqrt(ground / pixels) if pixels > 0 and ground > 0 else None


def _pixel(before: Polygons, after: Polygons) -> float | None:
    """Metres a pixel to a centimetre, which the words of a question hold; None where nothing tells it."""
    found = [p.pixel for p in (before, after) if p.pixel is not None]
    if found:
        return round(sum(found) / len(found), 2)
    stated = [p.gsd for p in (before, after) if p.gsd is not None]
    if len(stated) == 2 and abs(stated[0] - stated[1]) <= AGREE * min(stated):
        return round(sum(stated) / 2, 2)
    return None


def _picture(folder: Path, name: str) -> np.ndarray:
    """(3, H, W) red, green, blue as stored."""
    from terrascope_nb.scene.raster import read, read_header

    path = next((folder / f"{name}{e}" for e in EXTENSIONS if (folder / f"{name}{e}").is_file()), None)
    if path is None:
        raise ReadFailed(f"there is no picture {name}{{{', '.join(EXTENSIONS)}}} in {folder}")
    header = read_header(path)
    if header.count != 3:
        raise ReadFailed(f"{path} has {header.count} bands; pictures of xBD have red, green and blue")
    planes = read(header, ("red", "green", "blue"))
    stacked = np.stack([planes.bands[band] for band in ("red", "green", "blue")])
    return stacked if not np.isfinite(stacked).all() else stacked.astype(header.stored)


def _parts(root: Path) -> list[Path]:
    """The folders that hold images and labels."""
    folder_of(root)
    found = [p for p in (root, *sorted(root.iterdir())) if (p / "images").is_dir() and (p / "labels").is_dir()]
    if not found:
        there = Counter(p.suffix or p.name for p in root.iterdir())
        raise NotFound(f"neither {root} nor a folder in it holds images and labels; it holds {dict(there)}")
    return found
