"""Records in the published JSON form: `image`, `masks` (per object a list of COCO RLEs), `conversations` with `[SEG]`.

What that form has no place for goes under one key, `OURS`, that a reader of the published form passes over. Fields of
published files that we do not know are kept in `Record.extra` and written back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from terrascope_nb.cot import rle
from terrascope_nb.cot.atomic import whole
from terrascope_nb.cot.record import SCHEMA, ImageRef, MaskRef, Record, written_image
from terrascope_nb.errors import AlreadyThere, InvalidInput, NotFound, TerrascopeError
from terrascope_nb.reason.answers import Choices, read_letter, split_options

OURS = "terrascope_nb"
"""The key of our own fields."""

_TEXTS = ("kind", "task", "question", "answer", "source", "place", "key", "licence", "citation", "split", "crs")
_LISTS = ("labels", "sensors", "transform")
_OTHERS = ("schema", "seed", "resolution", "choices", "images", "masks", "asked_as")
_HUMAN, _GPT = ("human", "user"), ("gpt", "assistant")
_PLACEHOLDER = re.compile(r"\s*<image>\s*")


def to_published(record: Record) -> dict[str, Any]:
    """A record as the published form has it, JSON-serialisable; `from_published` gives the record back."""
    paths = [i.path for i in record.images]
    turns = [(record.asked, record.answer_text), *record.more]
    ours: dict[str, Any] = {"schema": record.schema, "seed": record.seed, "resolution": record.resolution}
    ours |= {name: getattr(record, name) for name in _TEXTS}
    ours |= {name: list(getattr(record, name)) for name in _LISTS}
    ours["choices"] = None if record.choices is None else dict(record.choices)
    ours["images"] = [
        {"sensor": i.sensor, "time": i.time, "shape": None if i.shape is None else list(i.shape), "domain": i.domain}
        for i in record.images
    ]
    ours["masks"] = [{"label": m.label, "image": m.image, "time": m.time} for m in record.masks]
    ours["asked_as"] = record.human
    return {
        "id": record.id,
        "image": paths[0] if len(paths) == 1 else paths,
        "masks": [[{"size": list(m.size), "counts": m.counts}] for m in record.masks],
        "conversations": [
            {"from": who, "value": said} for turn in turns for who, said in zip(("human", "gpt"), turn, strict=True)
        ],
        **record.extra,
        OURS: ours,
    }


def from_published(item: Mapping[str, Any]) -> Record:
    """The record of a published item, ours or another's.

    An object of several RLEs is their union. Where our fields are missing, options and letter are read from the text,
    the image of a mask from «Image: t_i» before its ``[SEG]``, and what nothing tells is left empty.

    Raises
    ------
    InvalidInput
        For an item that lacks `image` or `conversations`, RLEs that are corrupt, or a newer schema.
    """
    if not isinstance(item, Mapping):
        raise InvalidInput(f"a record is a JSON object, got {type(item).__name__}")
    name = str(item.get("id", ""))
    ours = item.get(OURS)
    if ours is not None:
        _check_ours(ours, name)
    missing = [k for k in ("image", "conversations") if k not in item]
    if missing:
        raise InvalidInput(
            f"record {name!r} has no {' and no '.join(missing)}; it has {', '.join(map(str, item))[:200]}"
        )
    turns = _turns(item["conversations"], name)
    masks = [_object(m, f"record {name!r}, object {k}") for k, m in enumerate(item.get("masks") or [])]
    paths = [item["image"]] if isinstance(item["image"], str) else list(item["image"] or [])
    if not all(isinstance(p, str) for p in paths):
        raise InvalidInput(f"record {name!r}: `image` is a path or a list of paths, got {str(item['image'])[:80]!r}")
    extra = {k: v for k, v in item.items() if k not in ("id", "image", "masks", "conversations", OURS)}
    if ours is None:
        return _foreign(name, paths, masks, turns, extra)
    try:
        return _ours(name, paths, masks, turns, extra, ours)
    except (KeyError, TypeError, AttributeError) as e:
        raise InvalidInput(f"record {name!r}: a field of {OURS!r} is not of its type: {e!r}") from e


def read_json(path: str | Path) -> Iterator[Record]:
    """Records of a ``.json`` (a list) or ``.jsonl`` (one a line) file, one after the other.

    Raises
    ------
    NotFound
        When there is no such file.
    InvalidInput
        For what is no record; the message names file and line or item.
    """
    for where, item in items(path):
        yield record_at(where, item)


def items(path: str | Path) -> Iterator[tuple[str, Any]]:
    """(file and line or item number, what stands there) of a file; a line of ``.jsonl`` as text.

    Raises
    ------
    NotFound, InvalidInput
        As in `read_json`.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFound(f"there is no file {path}")
    try:
        if path.suffix == ".jsonl":
            with path.open(encoding="utf-8") as lines:
                yield from ((f"{path.name} line {n}", line) for n, line in enumerate(lines, 1) if line.strip())
            return
        found = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as e:
        raise InvalidInput(f"{path.name} is no JSON: {e}") from e
    yield from ((f"{path.name} item {n}", x) for n, x in enumerate(found if isinstance(found, list) else [found]))


def write_json(records: Iterable[Record], path: str | Path, overwrite: bool = False) -> Path:
    """Write records to a ``.json`` (a list) or ``.jsonl`` (one a line) file; it is whole or not there."""
    path = Path(path)
    if path.exists() and not overwrite:
        raise AlreadyThere(f"{path} is there already: pass overwrite=True or another name")
    start, between, end = ("", "", "\n") if path.suffix == ".jsonl" else ("[\n", ",", "]\n")
    with whole(path) as draft, draft.open("w", encoding="utf-8") as out:
        out.write(start)
        for n, record in enumerate(records):
            line = json.dumps(to_published(record), ensure_ascii=False, allow_nan=False)
            out.write((f"{between}\n" if n else "") + line)
        out.write(end)
    return path


# ---- reading --------------------------------------------------------------------------------------------------------
def record_at(where: str, item: Any) -> Record:
    """The record of what `items` gives.

    Raises
    ------
    InvalidInput
        When it is none; the message begins with `where`.
    """
    try:
        return from_published(json.loads(item) if isinstance(item, str) else item)
    except json.JSONDecodeError as e:
        raise InvalidInput(f"{where} is no JSON: {e}") from e
    except TerrascopeError as e:
        raise InvalidInput(f"{where}: {e}") from e


def _check_ours(ours: Any, name: str) -> None:
    if not isinstance(ours, Mapping):
        raise InvalidInput(f"record {name!r}: {OURS!r} holds {type(ours).__name__}, not an object")
    schema = ours.get("schema")
    if not isinstance(schema, int) or schema < 1:
        raise InvalidInput(f"record {name!r}: {OURS!r} has schema {schema!r}; it is a whole number from 1 on")
    if schema > SCHEMA:
        raise InvalidInput(
            f"record {name!r} has schema {schema}, this version of terrascope_nb knows up to {SCHEMA}: "
            "pip install --upgrade terrascope-nb"
        )
    known = {*_TEXTS, *_LISTS, *_OTHERS}
    if set(ours) != known:
        lacks, strange = sorted(known - set(ours)), sorted(set(ours) - known)
        raise InvalidInput(
            f"record {name!r}: {OURS!r} of schema {schema} lacks {', '.join(lacks) or 'nothing'} and has the unknown "
            f"{', '.join(strange) or 'nothing'}"
        )


def _turns(conversations: Any, name: str) -> list[tuple[str, str]]:
    said = list(conversations) if isinstance(conversations, list) else []
    good = len(said) >= 2 and len(said) % 2 == 0 and all(isinstance(t, Mapping) for t in said)
    roles = [t.get("from") for t in said] if good else []
    good = good and all(r in (_GPT if k % 2 else _HUMAN) for k, r in enumerate(roles))
    if not good or not all(isinstance(t.get("value"), str) for t in said):
        raise InvalidInput(
            f"record {name!r}: `conversations` are turns {{from: human, value: …}}, {{from: gpt, value: …}} in turn; "
            f"got {str(conversations)[:120]!r}"
        )
    texts = [t["value"] for t in said]
    return list(zip(texts[::2], texts[1::2], strict=True))


def _object(parts: Any, where: str) -> tuple[tuple[int, int], str]:
    """(size, counts) of an object: one RLE, or a list of them put together."""
    parts = [parts] if isinstance(parts, Mapping) else parts
    if not isinstance(parts, list) or not parts or not all(isinstance(p, Mapping) for p in parts):
        raise InvalidInput(f"{where}: an object is a list of RLEs {{size, counts}}; got {str(parts)[:80]!r}")
    if any("size" not in p or "counts" not in p for p in parts):
        raise InvalidInput(f"{where}: an RLE has `size` and `counts`; got {', '.join(map(str, parts[0]))!r}")
    try:
        size = rle.checked_size(parts[0]["size"])
        for p in parts[1:]:
            rle.same_size(rle.checked_size(p["size"]), size, "the RLEs of one object are of two sizes")
        return size, rle.union([p["counts"] for p in parts], size)
    except TerrascopeError as e:
        raise InvalidInput(f"{where}: {e}") from e


def _ours(name: str, paths: list[str], masks: list, turns: list, extra: dict, ours: Mapping[str, Any]) -> Record:
    for what, have, said in (("images", paths, ours["images"]), ("masks", masks, ours["masks"])):
        if len(have) != len(said):
            raise InvalidInput(f"record {name!r} has {len(have)} {what}, but {OURS!r} describes {len(said)}")
    images = tuple(
        ImageRef(p, i["sensor"], i["time"], None if i["shape"] is None else tuple(i["shape"]), i["domain"])
        for p, i in zip(paths, ours["images"], strict=True)
    )
    refs = tuple(
        MaskRef(m["label"], m["image"], size, counts, m["time"])
        for (size, counts), m in zip(masks, ours["masks"], strict=True)
    )
    return Record(
        id=name, images=images, masks=refs, answer_text=turns[0][1], more=tuple(turns[1:]), human=ours["asked_as"],
        choices=ours["choices"], resolution=ours["resolution"], seed=ours["seed"], schema=ours["schema"], extra=extra,
        **{k: ours[k] for k in _TEXTS}, **{k: tuple(ours[k]) for k in _LISTS},
    )  # fmt: skip


def _foreign(name: str, paths: list[str], masks: list, turns: list, extra: dict) -> Record:
    human = turns[0][0]
    question, choices = split_options(_PLACEHOLDER.sub(" ", human).strip())
    options = None if choices is None else dict(choices.items())
    images = tuple(ImageRef(p, "", None, masks[0][0] if masks else None) for p in paths)
    text = "\n".join(said for _, said in turns)
    where = written_image(text, len(paths))
    where += [0] * (len(masks) - len(where))  # more masks than [SEG]: `check` says so
    return Record(
        id=name, kind="", task="", images=images, question=question, answer_text=turns[0][1], more=tuple(turns[1:]),
        masks=tuple(MaskRef("", where[k], size, counts) for k, (size, counts) in enumerate(masks)),
        choices=options, answer=_letter(turns[0][1], choices), extra=extra, human=human,
    )  # fmt: skip


def _letter(text: str, choices: Choices | None) -> str:
    return "" if choices is None else read_letter(text, choices) or ""
