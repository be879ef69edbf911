"""The start of a training from scratch: InternVL3 and SAM 2 as they are published, put together to one checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import InternVLForConditionalGeneration, PreTrainedTokenizerFast, Sam2Model

from terrascope_nb.errors import AlreadyThere, InvalidInput
from terrascope_nb.model.config import ADDED, SPECIAL, TerraScopeConfig
from terrascope_nb.model.licence import licence_of
from terrascope_nb.model.loading import hash_of, located
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Processor
from terrascope_nb.train.checkpoint import whole_folder


def assemble(vlm: str | Path, sam: str | Path, out: str | Path, dtype: str = "bf16", seed: int = 0) -> Path:
    """Write a checkpoint whose language and segmentation weights are those of two published networks.

    The tokens `ADDED` are added to the tokenizer; their rows, and the bridge, are random. A first stage trains the
    bridge, and the one that trains the language model needs `StageConfig.new_tokens`.

    Parameters
    ----------
    vlm : str or Path
        Folder or hub name of InternVL3 in transformers' own layout («OpenGVLab/InternVL3-1B-hf»).
    sam : str or Path
        The same of SAM 2 («facebook/sam2.1-hiera-large»).
    out : str or Path
        Folder to write.
    dtype : "bf16" or "fp32"
    seed : int

    Returns
    -------
    Path
        `out`: what ``--model`` of ``terrascope-nb train`` takes.

    Raises
    ------
    AlreadyThere
        When there is something in `out`.
    NotFound
        Without such a folder or repository.
    InvalidInput
        For another network, weights that lack something, and a language model that is not Qwen2.
    """
    out = Path(out)
    if out.exists():
        raise AlreadyThere(f"{out} is there already: choose another folder")
    kind = {"bf16": torch.bfloat16, "fp32": torch.float32}.get(dtype)
    if kind is None:
        raise InvalidInput(f"dtype is bf16 or fp32, got {dtype!r}")
    words, language = _read(InternVLForConditionalGeneration, vlm, "internvl", kind)
    pictures, segmenter = _read(Sam2Model, sam, "sam2", kind)
    text = language.config.text_config
    if text.model_type != "qwen2":
        raise InvalidInput(f"the language model of {vlm} is a {text.model_type!r}, this network's is qwen2")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(str(words), local_files_only=True)
    there = [t for t in ADDED if t in tokenizer.get_vocab()]
    if there and len(there) < len(ADDED):
        raise InvalidInput(f"the tokenizer of {vlm} has {', '.join(there)} already, and not the others of {ADDED}")
    tokenizer.add_tokens(list(ADDED), special_tokens=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if len(tokenizer) > text.vocab_size:
            language.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        ids = [tokenizer.convert_tokens_to_ids(t) for t in ADDED]
        with torch.no_grad():
            for matrix in (language.get_input_embeddings().weight, language.lm_head.weight):
                spread = float(matrix[: min(ids)].float().std())
                matrix[ids] = (torch.randn(len(ids), matrix.shape[1]) * spread).to(matrix.dtype)
        model = _join(language, segmenter, tokenizer, kind)
    model.config.origin = {"licence": "; ".join(dict.fromkeys(licence_of(f) for f in (words, pictures)))}
    told = {
        str(name): {f.name: hash_of(f) for f in sorted(folder.glob("*.safetensors"))}
        for name, folder in ((vlm, words), (sam, pictures))
    }
    with whole_folder(out) as draft:
        model.save_pretrained(str(draft))
        Processor(tokenizer, model.config).save_pretrained(draft)
        (draft / "start.json").write_text(json.dumps({"from": told, "seed": seed}, indent=2) + "\n", "utf-8")
    return out


def _read(kind: Any, source: str | Path, model_type: str, dtype: torch.dtype) -> tuple[Path, Any]:
    folder, _ = located(source, None, ("*.safetensors", "*.json", "*.txt", "*.md", "LICEN*"))
    path = folder / "config.json"
    told = json.loads(path.read_text("utf-8")).get("model_type") if path.is_file() else None
    if not str(told).startswith(model_type):
        raise InvalidInput(
            f"{source} holds a model of type {told!r}, wanted is {model_type!r} in the layout of transformers"
        )
    model, loaded = kind.from_pretrained(
        str(folder), dtype=dtype, output_loading_info=True, local_files_only=True, use_safetensors=True
    )
    if loaded["missing_keys"]:
        missing = sorted(loaded["missing_keys"])
        raise InvalidInput(f"the weights of {source} lack {len(missing)} tensors: {', '.join(missing[:5])}")
    return folder, model


def _join(language: Any, segmenter: Any, tokenizer: Any, kind: torch.dtype) -> TerraScopeModel:
    """One network of both; nothing is allocated for the parts that are there."""
    ids = {k: tokenizer.convert_tokens_to_ids(SPECIAL[k]) for k in ("seg", "region")}
    config = TerraScopeConfig(
        vlm_config=language.config.to_dict(), sam_config=segmenter.config.to_dict(), seg_token_id=ids["seg"],
        region_token_id=ids["region"],
    )  # fmt: skip
    with torch.device("meta"):
        model = TerraScopeModel(config)
    bridge = torch.nn.Sequential(
        torch.nn.Linear(config.width, config.width), torch.nn.ReLU(), torch.nn.Linear(config.width, config.prompt_width)
    )
    model.vlm, model.sam, model.bridge = language, segmenter, bridge.to(kind)
    return model
