"""A trace as a folder: ``trace.json`` (text, numbers) and ``arrays.npz`` (masks, scores, pictures). No pickle.

With its scene, ``scene.npz`` holds the bands beside them, and `load_saved_scene` gives the scene back.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError

from terrascope_nb.errors import AlreadyThere, InvalidInput, NotFound, TerrascopeError
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.answers import Choices
from terrascope_nb.reason.events import Answer
from terrascope_nb.reason.export.files import replacing
from terrascope_nb.reason.scrub import scrub_in_place, scrubbed
from terrascope_nb.scene.render import View

if TYPE_CHECKING:
    from terrascope_nb.reason.trace import Frame, Step, Trace
    from terrascope_nb.scene.scene import Image, Scene

FORMAT = 1
_DAMAGE = (
    KeyError, TypeError, ValueError, IndexError, AttributeError, zipfile.BadZipFile, CRSError,
    shapely.errors.ShapelyError,
)  # fmt: skip
RECORD, ARRAYS, BANDS = "trace.json", "arrays.npz", "scene.npz"


def save(trace: Trace, folder: str | Path, scene: Scene | bool = False, overwrite: bool = False) -> Path:
    """Write `trace` into `folder`; returns the folder.

    In sources, notes and provenance, links lose their queries, and what is named like a secret its value; in the texts
    such characters become «…».

    Parameters
    ----------
    scene : Scene or False
        Whose bands are kept too.

    Raises
    ------
    AlreadyThere
        When a trace is there and may not be overwritten.
    InvalidInput
        For a scene that is not the trace's own, or a provenance that JSON cannot hold.
    """
    folder = Path(folder)
    record = folder / RECORD
    if record.exists() and not overwrite:
        raise AlreadyThere(f"{record} is there already: pass overwrite=True or another folder")
    if scene is True:
        raise InvalidInput("a trace does not hold its scene: pass it, trace.save(folder, scene=scene)")
    arrays: dict[str, np.ndarray] = {}
    content = _trace_out(trace, arrays)
    bands: dict[str, np.ndarray] = {}
    if scene:
        content["scene"] = _scene_out(scene, trace, bands)
    try:
        text = json.dumps(content, ensure_ascii=False, indent=1)
    except (TypeError, ValueError) as e:
        raise InvalidInput(
            f"the trace's provenance holds what JSON cannot: {e}; keep texts, numbers, lists and dicts there"
        ) from e
    folder.mkdir(parents=True, exist_ok=True)
    # the arrays first, and the record names their digests: a record that is there is whole, or says that it is not
    digests = {}
    for name, data in ((ARRAYS, arrays), (BANDS, bands)):
        if name == BANDS and not scene:
            (folder / BANDS).unlink(missing_ok=True)
            continue
        with replacing(folder / name) as draft:
            with draft.open("wb") as out:
                np.savez_compressed(out, **data)
            digests[name] = _digest(draft)
    with replacing(record) as draft:
        # half characters (lone surrogates) are written as JSON escapes
        draft.write_bytes((text[:-2] + f',\n "files": {json.dumps(digests)}\n}}').encode("utf-8", "backslashreplace"))
    return folder


def load(folder: str | Path) -> Trace:
    """Read the trace that `save` wrote into a folder.

    Raises
    ------
    NotFound
        When the folder holds none.
    InvalidInput
        When it is damaged, half written, or of another format; the message names the file.
    """
    from terrascope_nb.reason.trace import Trace

    with _opened(folder, ARRAYS) as (c, arrays):
        frames = tuple(_frame_in(f, k, arrays) for k, f in enumerate(c["frames"]))
        steps = tuple(_step_in(s, k, arrays, frames) for k, s in enumerate(c["steps"]))
        return Trace(
            c["question"], c["text"], steps, Answer(**c["answer"]), frames, Choices.of(c["choices"]), aoi_in(c["aoi"]),
            c["reasoner"], c["provenance"], tuple(c["problems"]), tuple((a, b) for a, b in c["measured_spans"]),
        )  # fmt: skip


def load_saved_scene(folder: str | Path) -> Scene:
    """The scene that ``trace.save(folder, scene=scene)`` kept: images with bands, grids, units, clouds, dates; AOI.

    Raises
    ------
    NotFound
        When the folder holds no trace, or one that was saved without its scene.
    InvalidInput
        When it is damaged, half written, or of another format; the message names the file.
    """
    from terrascope_nb.scene.scene import Scene

    with _opened(folder, BANDS) as (c, arrays):
        images = tuple(image_in(i, k, arrays) for k, i in enumerate(c["scene"]["images"]))
        return Scene(images, aoi_in(c["scene"]["aoi"]), c["scene"]["name"], tuple(c["scene"]["notes"]))


# ---- files ------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(folder: str | Path, name: str) -> Iterator[tuple[dict[str, Any], Mapping[str, np.ndarray]]]:
    """The record of a folder and one of its files of arrays; what is wrong with them becomes an error that says so."""
    record, packed = Path(folder) / RECORD, Path(folder) / name
    if not os.path.isfile(record):
        raise NotFound(f"{folder} holds no saved trace: {RECORD} is missing")
    try:
        content = json.loads(record.read_bytes().decode("utf-8", "surrogatepass"))
    except ValueError as e:
        raise InvalidInput(f"{record} is damaged: {e}") from e
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else None
        raise InvalidInput(f"{record} has format {found!r}; this version reads format {FORMAT}")
    if name == BANDS and "scene" not in content:
        raise NotFound(f"{folder} was saved without its scene: trace.save(folder, scene=scene) keeps it")
    if not os.path.isfile(packed):
        raise InvalidInput(f"{folder} is not whole: {name} is missing")
    if _digest(packed) != content.get("files", {}).get(name):
        raise InvalidInput(
            f"{packed} is not the file that {RECORD} was written with: it is damaged, or the saving broke off"
        )
    try:
        with np.load(packed, allow_pickle=False) as arrays:
            yield content, arrays
    except TerrascopeError as e:
        raise InvalidInput(f"{record} is damaged: {e}") from e
    except _DAMAGE as e:
        raise InvalidInput(f"{record} is damaged: {type(e).__name__}: {e}") from e


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pack_bits(mask: np.ndarray) -> np.ndarray:
    """Eight pixels of a mask a byte, row by row."""
    return np.packbits(mask, axis=1)


def _unpack(bits: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return np.unpackbits(bits, axis=1, count=shape[1]).astype(bool)


# ---- trace ------------------------------------------------------------------------------------------------------


def _trace_out(trace: Trace, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    hide = scrub_in_place
    return {
        "format": FORMAT,
        "question": hide(trace.question),
        "text": hide(trace.text),
        "choices": None if trace.choices is None else {letter: hide(text) for letter, text in trace.choices.items()},
        "answer": {k: hide(v) if isinstance(v, str) else v for k, v in vars(trace.answer).items()},
        "reasoner": hide(trace.reasoner),
        "provenance": scrubbed(trace.provenance),
        "problems": [hide(p) for p in trace.problems],
        "measured_spans": [list(s) for s in trace.measured_spans],
        "aoi": aoi_out(trace.aoi),
        "frames": [_frame_out(f, k, arrays) for k, f in enumerate(trace.frames)],
        "steps": [_step_out(s, k, arrays) for k, s in enumerate(trace.steps)],
    }


def _frame_out(f: Frame, k: int, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    for name in ("inside", "valid", "clear"):
        arrays[f"frames/{k}/{name}"] = pack_bits(getattr(f, name))
    arrays[f"frames/{k}/view"] = f.view.pixels
    arrays[f"frames/{k}/view_valid"] = pack_bits(f.view.valid)
    view = {"name": f.view.name, "stretch": f.view.stretch, "channels": list(f.view.channels)}
    return {**image_facts(f), "view": view}


def _frame_in(c: dict[str, Any], k: int, arrays: Mapping[str, np.ndarray]) -> Frame:
    from terrascope_nb.reason.trace import Frame

    grid = _grid_in(c)
    masks = [_unpack(arrays[f"frames/{k}/{name}"], grid.shape) for name in ("inside", "valid", "clear", "view_valid")]
    view = View(
        arrays[f"frames/{k}/view"], masks.pop(), c["view"]["name"], c["view"]["stretch"], tuple(c["view"]["channels"])
    )
    return Frame(
        c["modality"],
        grid,
        *masks,
        view,
        _time_in(c),
        c["sensor"],
        tuple(c["sources"]),
        tuple(c["notes"]),
        c["blanked"],
    )


def _step_out(s: Step, k: int, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    arrays[f"steps/{k}/mask"] = pack_bits(s.mask.values)
    if s.probability is not None:
        arrays[f"steps/{k}/probability"] = s.probability.values
    return {
        "text": scrub_in_place(s.text), "label": scrub_in_place(s.label), "image": s.image,
        "image_source": s.image_source,
        "sar_share": s.sar_share, "sar_image": s.sar_image, "note": scrub_in_place(s.note), "start": s.start,
        "end": s.end,
    }  # fmt: skip


def _step_in(c: dict[str, Any], k: int, arrays: Mapping[str, np.ndarray], frames: tuple[Frame, ...]) -> Step:
    from terrascope_nb.reason.trace import georeferenced, measured_step

    f, name = frames[c["image"]], f"steps/{k}/probability"
    return measured_step(frames, {
        **c,
        "mask": georeferenced(_unpack(arrays[f"steps/{k}/mask"], f.grid.shape), f.grid),
        "probability": georeferenced(arrays[name], f.grid) if name in arrays else None,
        "time": f.time,
        "modality": f.modality,
    })  # fmt: skip


# ---- scene ------------------------------------------------------------------------------------------------------


def _scene_out(scene: Scene, trace: Trace, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    if [(i.grid, i.modality, i.time) for i in scene.images] != [(f.grid, f.modality, f.time) for f in trace.frames]:
        raise InvalidInput(
            f"this is not the scene that was asked: it has {len(scene.images)} images "
            f"({', '.join(f'{i.modality} {i.day}' for i in scene.images)}), the trace {len(trace.frames)} "
            f"({', '.join(f'{f.modality} {f.day}' for f in trace.frames)})"
        )
    for k, image in enumerate(scene.images):
        for name, band in image.arrays().items():
            arrays[f"{k}/bands/{name}"] = band
        if image.cloud is not None:
            arrays[f"{k}/cloud"] = pack_bits(image.cloud)
    return {
        "name": scrub_in_place(scene.name),
        "notes": scrubbed(scene.notes),
        "aoi": aoi_out(scene.aoi),
        "images": [
            {**image_facts(i), "units": i.units, "bands": list(i.arrays()), "cloud": i.cloud is not None}
            for i in scene.images
        ],
    }


def image_in(c: dict[str, Any], k: int, arrays: Mapping[str, np.ndarray]) -> Image:
    """The k-th image of a scene from its facts and the arrays kept beside them."""
    from terrascope_nb.scene.images import bands_dataset
    from terrascope_nb.scene.scene import Image

    grid = _grid_in(c)
    bands = bands_dataset({name: arrays[f"{k}/bands/{name}"] for name in c["bands"]}, grid)
    cloud = _unpack(arrays[f"{k}/cloud"], grid.shape) if c["cloud"] else None
    return Image(
        bands, c["modality"], grid, c["units"], _time_in(c), cloud, c["sensor"], tuple(c["sources"]), tuple(c["notes"]),
        c["blanked"],
    )  # fmt: skip


def image_facts(image: Frame | Image) -> dict[str, Any]:
    """What of an image fits JSON: grid, time, sensor, sources, notes."""
    return {
        "modality": image.modality,
        "transform": list(image.grid.transform)[:6],
        "shape": list(image.grid.shape),
        "crs": None if image.grid.crs is None else image.grid.crs.to_wkt(),
        "time": None if image.time is None else str(image.time),
        "sensor": scrub_in_place(image.sensor),
        "sources": scrubbed(image.sources),
        "notes": scrubbed(image.notes),
        "blanked": image.blanked,
    }


def _grid_in(c: dict[str, Any]) -> Grid:
    return Grid(Affine(*c["transform"]), tuple(c["shape"]), None if c["crs"] is None else _crs(c["crs"]))


def _time_in(c: dict[str, Any]) -> np.datetime64 | None:
    return None if c["time"] is None else np.datetime64(c["time"])


def _crs(wkt: str) -> CRS:
    """The CRS of a WKT; by its EPSG code where that says the same, so that grids stay equal."""
    crs = CRS.from_wkt(wkt)
    code = crs.to_epsg()
    return CRS.from_epsg(code) if code and CRS.from_epsg(code) == crs else crs


def aoi_out(aoi: AOI | None) -> dict[str, Any] | None:
    """An AOI as JSON."""
    if aoi is None:
        return None
    return {"wkb": shapely.to_wkb(aoi.geometry, hex=True), "crs": aoi.crs.to_wkt(), "name": scrub_in_place(aoi.name)}


def aoi_in(c: dict[str, Any] | None) -> AOI | None:
    """An AOI that `aoi_out` wrote."""
    return None if c is None else AOI(shapely.from_wkb(c["wkb"]), _crs(c["crs"]), c["name"])
