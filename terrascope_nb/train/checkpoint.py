"""Checkpoints and what a finished stage leaves: folders that are whole or not there, and the record of a run."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from terrascope_nb._versions import versions
from terrascope_nb.cot.atomic import DRAFT, sync_folder, to_json, write_whole
from terrascope_nb.cot.shards import sha256
from terrascope_nb.errors import AlreadyThere, InvalidInput, ReadFailed
from terrascope_nb.train.config import TrainConfig
from terrascope_nb.train.files import to_mapping
from terrascope_nb.train.records import Records, dataset_hash

TRAINED, DONE, RECORD = "trained.safetensors", "done.json", "training.json"
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to write to; takes its place, every file on the disk, when all went well."""
    draft = folder.with_name(f"{DRAFT}{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        move_whole(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def move_whole(draft: Path, folder: Path) -> None:
    """Flush the files of a draft to the disk, then give it its name; what had that name before is removed."""
    for path in draft.rglob("*"):
        if path.is_file():
            with path.open("rb") as f:
                os.fsync(f.fileno())
    old = folder.with_name(f"{DRAFT}old-{folder.name}")
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def checkpoints(folder: Path) -> list[Path]:
    """The whole checkpoints of a stage, the oldest first."""
    found = [(int(m[1]), p) for p in folder.glob("checkpoint-*") if (m := _CHECKPOINT.fullmatch(p.name))]
    return [p for _, p in sorted(found)]


def clean(folder: Path, keep: int | None = None) -> None:
    """Remove what a kill left half written, and all but the newest `keep` checkpoints."""
    for draft in folder.glob(f"{DRAFT}*"):
        shutil.rmtree(draft) if draft.is_dir() else draft.unlink()
    for old in checkpoints(folder)[: -keep or None] if keep is not None else ():
        gone = old.with_name(f"{DRAFT}old-{old.name}")
        old.rename(gone)
        shutil.rmtree(gone)


def save_trained(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write the weights that a stage trains."""
    save_file(dict(tensors), str(path), metadata={"format": "pt"})


def load_trained(model: torch.nn.Module, path: Path) -> None:
    """Put them back into a network that `parts.begin` made ready for the same stage.

    Raises
    ------
    ReadFailed
        For a file that is cut short.
    InvalidInput
        When its weights are not those that the stage trains.
    """
    try:
        told = load_file(str(path))
    except SafetensorError as e:
        raise ReadFailed(f"{path} is no whole safetensors file: {e}") from e
    here = {n: p for n, p in model.named_parameters() if p.requires_grad}
    strange = sorted(set(told) ^ set(here))
    strange += [n for n in told.keys() & here.keys() if told[n].shape != here[n].shape]
    if strange:
        raise InvalidInput(f"{path} is of another stage or network; {len(strange)} weights differ: {strange[0]}, …")
    with torch.no_grad():
        for name, weight in here.items():
            weight.copy_(told[name])


# ---- the record of a run --------------------------------------------------------------------------------------------
def run_record(config: TrainConfig, records: Records, start: Mapping[str, Any]) -> dict[str, Any]:
    """All that decides a run: configuration, seed, hashes of data and first weights, versions.

    Parameters
    ----------
    start : mapping
        What the first weights are: ``checkpoint``, ``sha256``, ``licence``.
    """
    return {
        "config": to_mapping(config),
        "data": {
            "sha256": dataset_hash(records),
            "files": {Path(k).name: v for k, v in records.sha256.items()},
            "records": len(records),
            "shown": records.counts(),
            "left_out": dict(records.left_out),
            "broken": dict(records.broken),
        },
        "start": dict(start),
        "versions": _versions(),
    }


def look(out: Path, resume: bool) -> None:
    """Refuse a folder that holds something else, or a run that is not to be gone on with; before anything is read.

    Raises
    ------
    AlreadyThere
        In both cases.
    """
    if not out.exists():
        return
    if not (out / RECORD).is_file():
        if any(p.name != "tokenizer" and not p.name.startswith(DRAFT) for p in out.iterdir()):
            raise AlreadyThere(f"{out} is not empty, and holds no training: choose another folder")
    elif not resume:
        raise AlreadyThere(f"{out} holds a training: go on with it (--resume), or choose another folder")


def begin_run(out: Path, record: Mapping[str, Any]) -> bool:
    """Write a run's record, or compare it with the one that is there; whether there was one.

    Raises
    ------
    InvalidInput
        When configuration, data or first weights are not those that it was begun with; what differs is named.
    """
    path = out / RECORD
    if not path.exists():
        out.mkdir(parents=True, exist_ok=True)
        write_whole(path, to_json(record))
        return False
    told = json.loads(path.read_text("utf-8"))
    now = json.loads(json.dumps(record))
    differs = [*_differences(told["config"], now["config"], "config")]
    if told["data"]["sha256"] != now["data"]["sha256"]:
        differs.append("the data")
    if told["start"].get("sha256") != now["start"].get("sha256"):
        differs.append("the first weights")
    if differs:
        raise InvalidInput(f"{out} was begun with something else: {'; '.join(differs)[:600]}. Use another folder")
    return True


def stage_done(folder: Path) -> bool:
    """Whether a stage is finished.

    Raises
    ------
    ReadFailed
        When its weights were changed since.
    """
    path = folder / DONE
    if not path.is_file():
        return False
    told = json.loads(path.read_text("utf-8"))
    if not (folder / TRAINED).is_file() or sha256(folder / TRAINED) != told["sha256"]:
        raise ReadFailed(f"{folder / TRAINED} is gone or was changed since the stage was done: begin in another folder")
    return True


def finish_stage(folder: Path, tensors: Mapping[str, torch.Tensor], told: Mapping[str, Any]) -> None:
    """Write a stage's weights, then the file that says it is done."""
    draft = folder / f"{DRAFT}{TRAINED}"
    save_trained(tensors, draft)
    with draft.open("rb") as f:
        os.fsync(f.fileno())
    draft.replace(folder / TRAINED)
    write_whole(folder / DONE, to_json({**told, "sha256": sha256(folder / TRAINED)}))


def _differences(then: Any, now: Any, where: str) -> Iterator[str]:
    """Where two configurations differ, in what decides the weights; a checkpoint is told by its hash."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in {**then, **now}:
            if key not in ("keep", "log_every", "save_every", "workers", "checkpoint"):
                yield from _differences(then.get(key), now.get(key), f"{where}.{key}")
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for k, (a, b) in enumerate(zip(then, now, strict=True)):
            yield from _differences(a, b, f"{where}[{k}]")
    elif then != now:
        yield f"{where} was {then!r}, is {now!r}"


def _versions() -> dict[str, str]:
    from importlib import metadata

    extra = ("accelerate", "peft", "tokenizers", "safetensors")
    found = {d.metadata["Name"].lower(): d.version for d in metadata.distributions() if d.metadata["Name"]}
    return {**versions(), **{name: found[name] for name in extra if name in found}}
