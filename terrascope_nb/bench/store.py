"""Our suite as a folder: ``suite.json`` (card), ``questions.parquet``, and one ``.npz`` an image. No pickle.

An image's file holds its bands, clouds and label maps as arrays, and ``facts.json`` beside them: grid, CRS, dates,
units, sensors, AOI, legend, licence. What was written comes back exactly, and the same content gives the same bytes.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj.exceptions import CRSError

from terrascope_nb._optional import need
from terrascope_nb.bench.cards import Card
from terrascope_nb.bench.suite import Row, Suite
from terrascope_nb.cot.atomic import to_json, whole, write_whole
from terrascope_nb.cot.record import MaskRef
from terrascope_nb.errors import InvalidInput, NotFound, ReadFailed, TerrascopeError
from terrascope_nb.reason.answers import Choices
from terrascope_nb.reason.export.store import aoi_in, aoi_out, image_facts, image_in, pack_bits
from terrascope_nb.scene.labelled import Labelled
from terrascope_nb.scene.scene import Scene

FORMAT = 1
CARD, QUESTIONS, IMAGES = "suite.json", "questions.parquet", "images"
KEPT = 2
"""Images whose scene is kept in memory: rows of one image stand together."""

_FACTS = "facts.json"
_DAMAGE = (KeyError, TypeError, ValueError, IndexError, AttributeError, OSError, EOFError, zipfile.BadZipFile, CRSError,
           shapely.errors.ShapelyError, TerrascopeError)  # fmt: skip


# ---- one image ------------------------------------------------------------------------------------------------------
def write_labelled(labelled: Labelled, path: Path, level: int = 1) -> str:
    """Write a labelled scene as one file; gives the file's SHA-256.

    Parameters
    ----------
    level : int
        Of the compression, 0 (none) to 9.
    """
    scene, arrays = labelled.scene, {}
    for k, image in enumerate(scene.images):
        for name, values in image.arrays().items():
            arrays[f"{k}/bands/{name}"] = values
        if image.cloud is not None:
            arrays[f"{k}/cloud"] = pack_bits(image.cloud)
    for k, labels in enumerate(labelled.maps):
        arrays[f"maps/{k}"] = labels
    facts = {
        "format": FORMAT,
        "scene": {
            "name": scene.name, "notes": list(scene.notes), "aoi": aoi_out(scene.aoi),
            "images": [
                {**image_facts(i), "units": i.units, "bands": list(i.arrays()), "cloud": i.cloud is not None}
                for i in scene.images
            ],
        },
        "labels": {
            "maps": len(labelled.maps), "legend": {str(k): v for k, v in labelled.legend.items()},
            "key": labelled.key, "place": labelled.place, "nodata": labelled.nodata, "source": labelled.source,
            "licence": labelled.licence, "citation": labelled.citation,
            "counts": {str(k): [int(v) for v in pair] for k, pair in labelled.counts.items()},
            "unmapped": {str(k): int(v) for k, v in labelled.unmapped.items()},
            "names": {str(k): v for k, v in labelled.names.items()}, "resolution": labelled.resolution,
            "split": labelled.split,
        },
    }  # fmt: skip
    how = zipfile.ZIP_DEFLATED if level else zipfile.ZIP_STORED
    with whole(path) as draft, zipfile.ZipFile(draft, "w", how, compresslevel=level or None) as out:
        out.writestr(_member(_FACTS, how), to_json(facts))
        for name, values in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(values), allow_pickle=False)
            out.writestr(_member(f"{name}.npy", how), content.getvalue())
    return digest_of(path)


def _member(name: str, how: int) -> zipfile.ZipInfo:
    """A member of one fixed date, so that the same content gives the same bytes."""
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.compress_type, info.external_attr = how, 0o644 << 16
    return info


def read_labelled(path: Path, sha256: str | None = None) -> Labelled:
    """Undo `write_labelled`.

    Raises
    ------
    ReadFailed
        When the file is missing, damaged, or not the one that the suite was written with.
    """
    if not path.is_file():
        raise ReadFailed(f"the suite is not whole: {path} is missing")
    if sha256 is not None and digest_of(path) != sha256:
        raise ReadFailed(f"{path} is not the file that the suite was written with: it is damaged or was changed")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            facts = json.loads(arrays[_FACTS])
            if facts.get("format") != FORMAT:
                raise InvalidInput(f"it has format {facts.get('format')!r}, this version reads {FORMAT}")
            told, labels = facts["scene"], facts["labels"]
            images = tuple(image_in(i, k, arrays) for k, i in enumerate(told["images"]))
            scene = Scene(images, aoi_in(told["aoi"]), told["name"], tuple(told["notes"]))
            maps = tuple(arrays[f"maps/{k}"] for k in range(labels["maps"]))
    except _DAMAGE as e:
        raise ReadFailed(f"{path} is damaged ({type(e).__name__}: {e})") from e
    return Labelled(
        scene, maps, {int(k): v for k, v in labels["legend"].items()}, labels["key"], labels["place"],
        labels["nodata"], labels["source"], labels["licence"], labels["citation"],
        {int(k): (v[0], v[1]) for k, v in labels["counts"].items()},
        {int(k): v for k, v in labels["unmapped"].items()}, {int(k): v for k, v in labels["names"].items()},
        labels["resolution"], labels["split"],
    )  # fmt: skip


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Images:
    """The images of a suite's folder by key; the last `KEPT` stay in memory."""

    def __init__(self, folder: Path, files: Mapping[str, Mapping[str, str]]) -> None:
        self.folder, self.files = folder, files
        self._kept: OrderedDict[str, Labelled] = OrderedDict()

    def labelled(self, key: str) -> Labelled:
        """The labelled scene of an image; reads its file unless it is one of the last.

        Raises
        ------
        ReadFailed
        """
        if key not in self._kept:
            told = self.files[key]
            self._kept[key] = read_labelled(self.folder / told["file"], told["sha256"])
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def scene(self, key: str) -> Scene:
        """The scene of an image."""
        return self.labelled(key).scene


# ---- the folder -----------------------------------------------------------------------------------------------------
def write_questions(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write the questions, one mapping a row with the columns of `_columns`."""
    arrow, pq = need("pyarrow", "write a suite", "data"), need("pyarrow.parquet", "write a suite", "data")
    table = arrow.Table.from_pylist(list(rows), schema=_columns())
    with whole(path) as draft:
        pq.write_table(table, draft, compression="zstd")


def _columns() -> Any:
    arrow = need("pyarrow", "read or write a suite", "data")
    text, number = arrow.string(), arrow.float64()
    mask = arrow.struct([
        ("label", text), ("image", arrow.int32()), ("size", arrow.list_(arrow.int32())), ("counts", text),
        ("time", text),
    ])  # fmt: skip
    return arrow.schema([
        ("id", text), ("image", text), ("task", text), ("question", text), ("candidates", text), ("answer", text),
        ("value", text), ("unit", text), ("labels", arrow.list_(text)), ("dates", arrow.list_(arrow.int32())),
        ("phrasing", arrow.int32()), ("resolution", number), ("masks", arrow.list_(mask)), ("band", text),
        ("fragmentation", number), ("smallest_share", number), ("edge_share", number), ("place", text),
        ("source", text), ("licence", text),
    ])  # fmt: skip


def row_out(row: Row, **more: Any) -> dict[str, Any]:
    """A row as a mapping for `write_questions`; `more`: dates, phrasing and the measures of difficulty."""
    return {
        "id": row.id, "image": row.image, "task": row.task, "question": row.question,
        "candidates": None if row.choices is None else json.dumps(dict(row.choices.items()), ensure_ascii=False),
        "answer": row.answer, "value": json.dumps(row.value), "unit": row.unit, "labels": list(row.labels),
        "resolution": row.resolution, "masks": [{**asdict(m), "size": list(m.size)} for m in row.masks],
        "band": row.band, "place": row.place, "source": row.source, "licence": row.licence, **more,
    }  # fmt: skip


def write_card(folder: Path, card: Card, images: Mapping[str, Mapping[str, str]]) -> None:
    """Write ``suite.json``, last of all: a folder that has it is whole."""
    told = {"format": FORMAT, "letter_rule": "strict", "card": card.to_json(), "images": dict(images)}
    write_whole(folder / CARD, to_json(told))


def open_folder(folder: str | Path) -> Suite:
    """Open a suite that `make_suite` wrote. The questions are read; an image is read when a row is asked for it.

    Raises
    ------
    NotFound
        When the folder holds none.
    InvalidInput
        When it is damaged, half written, or of another format.
    """
    folder = Path(folder)
    if not (folder / CARD).is_file():
        raise NotFound(f"{folder} holds no suite: {CARD} is missing")
    try:
        told = json.loads((folder / CARD).read_text("utf-8"))
        if told["format"] != FORMAT:
            raise InvalidInput(f"{folder / CARD} has format {told['format']!r}; this version reads format {FORMAT}")
        card, files = Card.from_json(told["card"]), told["images"]
        rule = told["letter_rule"]
    except (KeyError, TypeError, ValueError) as e:
        if isinstance(e, TerrascopeError):
            raise
        raise InvalidInput(f"{folder / CARD} is damaged ({type(e).__name__}: {e})") from e
    questions = folder / QUESTIONS
    if not questions.is_file():
        raise InvalidInput(f"{folder} is not whole: {QUESTIONS} is missing")
    if digest_of(questions) != card.files.get(QUESTIONS):
        raise InvalidInput(f"{questions} is not the file that {CARD} was written with: it is damaged or was changed")
    images = Images(folder, files)
    pq = need("pyarrow.parquet", "read a suite", "data")
    rows = tuple(_row_in(r, images) for r in pq.read_table(questions).to_pylist())
    card = replace(card, origin=str(folder))
    return Suite(card.name, rows, card, rule, truth=lambda row: images.labelled(row.image))


def _row_in(told: Mapping[str, Any], images: Images) -> Row:
    choices = None if told["candidates"] is None else Choices.of(json.loads(told["candidates"]))
    masks: Sequence[Mapping[str, Any]] = told["masks"]
    return Row(
        told["id"], told["image"], told["task"], told["question"], choices, told["answer"],
        functools.partial(images.scene, told["image"]),
        tuple(MaskRef(m["label"], m["image"], tuple(m["size"]), m["counts"], m["time"]) for m in masks),
        told["band"], told["licence"], json.loads(told["value"]), told["unit"], "", told["place"], told["source"],
        tuple(told["labels"]), told["resolution"],
    )  # fmt: skip
