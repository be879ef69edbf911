"""The stages' weights put together, and written as a checkpoint that `open_reasoner` opens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from terrascope_nb._versions import own_version
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Processor
from terrascope_nb.train.mini.card import MODEL, RECORD, write_card
from terrascope_nb.train.mini.language import LABELS
from terrascope_nb.train.mini.network import SIZE, mini_network
from terrascope_nb.train.mini.stage_drill import Writer
from terrascope_nb.train.mini.stage_joint import Whole
from terrascope_nb.train.mini.stage_language import Reader
from terrascope_nb.train.mini.stage_segment import ClassPrompts, class_vectors
from terrascope_nb.train.mini.state import DONE, load_weights

VECTORS = "class_vectors.npy"


def assembled(
    out: Path, seed: int, small: bool = False, skip: Sequence[str] = ()
) -> tuple[TerraScopeModel, Processor, Tensor]:
    """The network of all stages that are over, its processor, and the class vectors.

    Raises
    ------
    NotFound
        When stage 1 or 2 is not over.
    """
    model, processor = mini_network(seed, small)
    load_weights(ClassPrompts(model, seed), out / "segment")
    load_weights(Reader(model), out / "language")
    for stage, module in (("drill", Writer(model)), ("settle", Reader(model)),
                          ("joint", Whole(model))):  # fmt: skip
        if stage not in skip and (out / stage / DONE).is_file():
            load_weights(module, out / stage)
    return model.eval(), processor, class_vectors(model.config, seed)


def export(out: Path, seed: int, small: bool = False, half: bool = True) -> Path:
    """Write ``out/model``: configuration, weights (float16, or as trained), tokenizer, class vectors, record, card."""
    model, processor, vectors = assembled(out, seed, small)
    folder = out / MODEL
    (model.half() if half else model).save_pretrained(folder)
    processor.save_pretrained(folder)
    np.save(folder / VECTORS, vectors.numpy(), allow_pickle=False)
    done = {s.parent.name: _told(s) for s in sorted(out.glob(f"*/{DONE}"))}
    told = {
        "name": "mini", "seed": seed, "parameters": sum(p.numel() for p in model.parameters()),
        "stages": done, "labels": list(LABELS), "letters": "mapped by the reasoner",
        "terrascope-nb": own_version(), "torch": metadata.version("torch"),
        "transformers": metadata.version("transformers"),
    }  # fmt: skip
    (folder / RECORD).write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    write_card(out, SIZE)
    return folder


def vectors_of(folder: str | Path) -> Tensor:
    """(classes, C): the class vectors beside an exported network.

    Raises
    ------
    NotFound, InvalidInput
        When they are not there, or not of `LABELS`.
    """
    path = Path(folder) / VECTORS
    if not path.is_file():
        raise NotFound(f"no {VECTORS} in {folder}: export writes it beside the weights of a mini")
    vectors = torch.from_numpy(np.load(path, allow_pickle=False))
    if len(vectors) != len(LABELS):
        raise InvalidInput(f"{path} has {len(vectors)} vectors, there are {len(LABELS)} classes")
    return vectors.float()


def _told(path: Path) -> dict[str, object]:
    with safe_open(str(path), "pt") as file:
        return json.loads(file.metadata()["told"])
