"""Records as a table: Parquet through pyarrow, one row a record, a schema that does not depend on the rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrascope_nb._optional import need
from terrascope_nb.cot.atomic import whole
from terrascope_nb.cot.record import SCHEMA, ImageRef, MaskRef, Record
from terrascope_nb.errors import AlreadyThere, InvalidInput, NotFound

if TYPE_CHECKING:
    import pyarrow

ROWS = 1000
"""Rows held in memory at a time, and of a row group."""

_TEXTS = ("id", "kind", "task", "question", "answer_text", "answer", "human",
          "source", "place", "key", "licence", "citation", "split", "crs")  # fmt: skip
_VERSION = b"terrascope_nb.schema"


def table_schema() -> pyarrow.Schema:
    """The columns. Text that is missing is empty; `choices`, `resolution`, times and shapes may be null.

    ``extra`` holds the unknown fields of a published file as JSON.
    """
    pa = _pyarrow()
    text, whole_number = pa.string(), pa.int32()
    image = [("path", text), ("sensor", text), ("time", text), ("height", whole_number), ("width", whole_number),
             ("domain", text)]  # fmt: skip
    mask = [("label", text), ("image", whole_number), ("height", whole_number), ("width", whole_number),
            ("counts", text), ("time", text)]  # fmt: skip
    columns = [
        *((name, text) for name in _TEXTS),
        ("images", pa.list_(pa.struct(image))),
        ("masks", pa.list_(pa.struct(mask))),
        ("choices", pa.list_(pa.struct([("letter", text), ("text", text)]))),
        ("labels", pa.list_(text)),
        ("sensors", pa.list_(text)),
        ("resolution", pa.float64()),
        ("transform", pa.list_(pa.float64())),
        ("seed", pa.int64()),
        ("more", pa.list_(pa.struct([("human", text), ("gpt", text)]))),
        ("extra", text),
        ("schema", whole_number),
    ]
    return pa.schema(columns, metadata={_VERSION: str(SCHEMA).encode()})


def write_parquet(records: Iterable[Record], path: str | Path, overwrite: bool = False) -> Path:
    """Write records to a Parquet file, `ROWS` at a time; it is whole or not there.

    The same records give the same bytes with the same version of pyarrow. `datasets` reads it:
    ``datasets.load_dataset("parquet", data_files=…)``.

    Raises
    ------
    AlreadyThere
        When the file is there and may not be overwritten.
    MissingPackage
        Without pyarrow.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise AlreadyThere(f"{path} is there already: pass overwrite=True or another name")
    write_rows(map(row_of, records), path)
    return path


def write_rows(rows: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Write rows as `row_of` gives them, over what is there; returns how many."""
    pa = _pyarrow()
    import pyarrow.parquet as pq

    schema, left, count = table_schema(), iter(rows), 0
    with whole(path) as draft, pq.ParquetWriter(draft, schema, compression="zstd") as writer:
        while batch := list(islice(left, ROWS)):
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            count += len(batch)
    return count


def read_parquet(path: str | Path) -> Iterator[Record]:
    """Records of a Parquet file, `ROWS` at a time. Columns that the schema does not know go to `Record.extra`.

    Raises
    ------
    NotFound
        When there is no such file.
    InvalidInput
        When it is no Parquet, lacks columns (they are named), or has a newer schema.
    MissingPackage
        Without pyarrow.
    """
    pa = _pyarrow()
    import pyarrow.parquet as pq

    path = Path(path)
    if not path.is_file():
        raise NotFound(f"there is no file {path}")
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as e:
        raise InvalidInput(f"{path.name} is no Parquet file: {e}") from e
    with file:
        version = (file.schema_arrow.metadata or {}).get(_VERSION, b"1").decode()
        if not version.isdigit() or int(version) > SCHEMA:
            raise InvalidInput(
                f"{path.name} has schema {version}, this version of terrascope_nb knows up to {SCHEMA}: "
                "pip install --upgrade terrascope-nb"
            )
        known = set(table_schema().names)
        lacks = sorted(known - set(file.schema_arrow.names))
        if lacks:
            raise InvalidInput(
                f"{path.name} lacks the columns {', '.join(lacks)}; it has {', '.join(file.schema_arrow.names)}: "
                "it is no table of records"
            )
        for batch in file.iter_batches(ROWS):
            for row in batch.to_pylist():
                yield _record(row, known, path.name)


def _pyarrow() -> Any:
    return need("pyarrow", "read and write Parquet", "data")


def row_of(r: Record) -> dict[str, Any]:
    """A record as a row of the table; plain data."""
    row: dict[str, Any] = {name: getattr(r, name) for name in _TEXTS}
    row["images"] = [
        {"path": i.path, "sensor": i.sensor, "time": i.time, "domain": i.domain} | _height_width(i.shape)
        for i in r.images
    ]
    row["masks"] = [
        {"label": m.label, "image": m.image, "counts": m.counts, "time": m.time} | _height_width(m.size)
        for m in r.masks
    ]
    row["choices"] = None if r.choices is None else [{"letter": k, "text": v} for k, v in r.choices.items()]
    row |= {name: list(getattr(r, name)) for name in ("labels", "sensors", "transform")}
    row |= {"resolution": r.resolution, "seed": r.seed, "schema": r.schema}
    row["more"] = [{"human": a, "gpt": b} for a, b in r.more]
    row["extra"] = json.dumps(r.extra, ensure_ascii=False, allow_nan=False) if r.extra else ""
    return row


def _height_width(shape: tuple[int, int] | None) -> dict[str, int | None]:
    return {"height": None, "width": None} if shape is None else {"height": shape[0], "width": shape[1]}


def _record(row: Mapping[str, Any], known: set[str], name: str) -> Record:
    extra = json.loads(row["extra"]) if row["extra"] else {}
    extra |= {k: v for k, v in row.items() if k not in known}
    images = tuple(
        ImageRef(i["path"], i["sensor"], i["time"], None if i["height"] is None else (i["height"], i["width"]),
                 i["domain"])
        for i in row["images"]
    )  # fmt: skip
    masks = tuple(
        MaskRef(m["label"], m["image"], (m["height"], m["width"]), m["counts"], m["time"]) for m in row["masks"]
    )
    choices = None if row["choices"] is None else {c["letter"]: c["text"] for c in row["choices"]}
    return Record(
        images=images, masks=masks, choices=choices, labels=tuple(row["labels"]), sensors=tuple(row["sensors"]),
        transform=tuple(row["transform"]), resolution=row["resolution"], seed=row["seed"], schema=row["schema"],
        more=tuple((t["human"], t["gpt"]) for t in row["more"]), extra=extra, **{k: row[k] for k in _TEXTS},
    )  # fmt: skip
