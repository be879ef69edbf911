"""Run the cases of a folder in which the published code's results were recorded, and compare."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from terrascope_nb.errors import NotFound
from terrascope_nb.model.build import build_config
from terrascope_nb.model.config import SPECIAL, TerraScopeConfig
from terrascope_nb.model.convert import convert, read_tokenizer
from terrascope_nb.model.decoding import Forced, Region, Request, Rules, Target, generated_ids
from terrascope_nb.model.driving import decode
from terrascope_nb.model.encoding import Encoded
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Processor

#: Share of pixels in which two masks may differ: two in ten thousand.
ALLOWED = 2e-4


@dataclass(frozen=True)
class Compared:
    """One case: what agrees.

    Attributes
    ----------
    name : str
    text, regions : bool
        Whether the whole text, and every region's token indices, are equal.
    masks : int
        Masks compared.
    worst : float
        Largest share of pixels in which one of them differs.
    encodings : int
        Images that SAM 2 encoded.
    problems : tuple of str
        What differs, in words.
    """

    name: str
    text: bool
    regions: bool
    masks: int
    worst: float
    encodings: int
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything agrees."""
        return not self.problems


def golden_config(folder: Path) -> TerraScopeConfig:
    """The configuration that ``expected.json`` of a folder tells."""
    sizes = _expected(folder)["config"]
    vocabulary = read_tokenizer(folder / "tokenizer").get_vocab()
    ids = {k: vocabulary[SPECIAL[k]] for k in ("image", "seg", "region")}
    return build_config(sizes["vision"], sizes["llm"], sizes["hiera"], ids)


def open_golden(folder: Path, out: Path) -> tuple[TerraScopeModel, Processor]:
    """Convert the checkpoint of a golden folder into `out` and open it in float32."""
    convert(folder, out, config=golden_config(folder), tokenizer=folder / "tokenizer", overwrite=True)
    model = TerraScopeModel.from_pretrained(str(out), dtype=torch.float32, local_files_only=True).eval()
    return model, Processor.from_pretrained(out, model.config)


def compare(folder: Path, out: Path, names: list[str] | None = None) -> Iterator[Compared]:
    """Convert, run every case (or those named) as the published code ran it, and say for each what agrees.

    Parameters
    ----------
    folder : Path
        Holds ``expected.json``, the checkpoint, ``tokenizer/``, ``masks.npz``, ``mask_shapes.json``, the pictures.
    out : Path
        Where the converted checkpoint goes.
    names : list of str, optional

    Raises
    ------
    NotFound
        When a file, or a case named, is not there.
    """
    cases = _expected(folder)["cases"]
    strange = [n for n in names or () if n not in cases]
    if strange:
        raise NotFound(f"no case {', '.join(strange)}; there are {', '.join(cases)}")
    model, processor = open_golden(folder, out)
    masks = _masks(folder)
    for name, case in cases.items():
        if names is None or name in names:
            yield _compare(name, case, folder, model, processor, masks)


def _compare(
    name: str,
    case: Mapping[str, Any],
    folder: Path,
    model: TerraScopeModel,
    processor: Processor,
    masks: Mapping[str, np.ndarray],
) -> Compared:
    pictures = [np.asarray(Image.open(folder / n).convert("RGB")) for n in case["images"]]
    inputs = processor.prepare(pictures, case["text"])
    problems = []
    if len(inputs.ids) != case.get("prompt_tokens", len(inputs.ids)):
        problems.append(f"the prompt has {len(inputs.ids)} tokens, {case['prompt_tokens']} expected")
    vocabulary = processor.tokenizer.get_vocab()
    forced = Forced(
        frozenset(case.get("force_seg_at", ())),
        case.get("force_end_at"),
        tuple(vocabulary[t] for t in case.get("suppressed_tokens", ())),
    )
    before = model.segmenter.encoder_calls
    with torch.inference_mode():
        encoded = Encoded.of(model, inputs)
    request = Request(
        inputs, encoded, tuple(Target(k) for k in range(len(pictures))),
        Rules(compat=True, region_rule="published", max_tokens=4096), forced=forced,
    )  # fmt: skip
    steps = list(decode(model, processor, request))
    text = processor.decode(generated_ids(processor, steps)).strip()  # the published code strips what it returns
    found = [s for s in steps if isinstance(s, Region)]
    if text != case["prediction"]:
        at = next(
            (k for k, (a, b) in enumerate(zip(text, case["prediction"], strict=False)) if a != b),
            min(len(text), len(case["prediction"])),
        )
        problems.append(
            f"the text differs from character {at}: {text[at : at + 40]!r} for {case['prediction'][at : at + 40]!r}"
        )
    indices = [list(r.tokens) for r in found]
    if indices != case["region_token_indices"]:
        problems.append(f"region tokens {indices} for {case['region_token_indices']}")
    worst = 0.0
    for k, region in enumerate(found):
        true = masks.get(f"{name}_{k}")
        mine = region.mask if region.everywhere is None else region.everywhere
        if true is None or true.shape != mine.shape:
            problems.append(f"mask {k} has shape {mine.shape}, expected {None if true is None else true.shape}")
            continue
        worst = max(worst, float((mine != true).mean()))
    if worst > ALLOWED:
        problems.append(f"a mask differs in {1e4 * worst:.1f} of 10,000 pixels")
    counted = sum(1 for key in masks if key.rpartition("_")[0] == name)
    if counted != len(found):
        problems.append(f"{len(found)} masks for {counted}")
    calls = model.segmenter.encoder_calls - before
    return Compared(
        name,
        text == case["prediction"],
        indices == case["region_token_indices"],
        len(found),
        worst,
        calls,
        tuple(problems),
    )


def _expected(folder: Path) -> dict[str, Any]:
    path = folder / "expected.json"
    if not path.is_file():
        there = ", ".join(sorted(p.name for p in folder.iterdir())[:20]) if folder.is_dir() else "no such folder"
        raise NotFound(f"no expected.json in {folder}, found: {there or 'nothing'}")
    return json.loads(path.read_text("utf-8"))


def _masks(folder: Path) -> dict[str, np.ndarray]:
    """Masks by «case_number», bool; bits are packed on the last axis."""
    shapes = json.loads((folder / "mask_shapes.json").read_text("utf-8"))
    with np.load(folder / "masks.npz") as packed:
        return {
            k: np.unpackbits(packed[k], axis=-1, count=shape[-1]).astype(bool).reshape(shape)
            for k, shape in shapes.items()
        }
