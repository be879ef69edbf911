"""The network that a run begins with: from a checkpoint, or of a shape with random weights and a learnt tokenizer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from terrascope_nb.errors import InvalidInput
from terrascope_nb.model.build import build_config
from terrascope_nb.model.config import ADDED, SPECIAL, TerraScopeConfig
from terrascope_nb.model.loading import load
from terrascope_nb.model.memory import PRESETS, preset
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Processor
from terrascope_nb.model.prompt import INSTRUCTION
from terrascope_nb.model.tiny import tiny_config, tiny_tokenizer
from terrascope_nb.train.config import TrainConfig
from terrascope_nb.train.records import Records

_TEXTS = 2000  # records whose texts a tokenizer is learnt from


def open_network(
    config: TrainConfig, records: Records, tokenizer: Path | None = None
) -> tuple[TerraScopeModel, Processor]:
    """The network as a run begins with it, on the CPU, in float32 where it is random.

    Parameters
    ----------
    config : TrainConfig
    records : Records
        Whose texts the tokenizer is learnt from, where there is no checkpoint.
    tokenizer : Path, optional
        Folder with a tokenizer that an earlier start of this run has learnt.

    Raises
    ------
    InvalidInput
        When there is neither a checkpoint nor leave to begin with random weights.
    """
    if config.network.checkpoint:
        model, processor = load(config.network.checkpoint, "cpu", config.network.dtype)
    elif not config.network.random_start:
        raise InvalidInput(
            f"{config.name} begins from a checkpoint, and network.checkpoint names none: give one (--model DIR; "
            "terrascope-nb convert makes it), or set network.random_start: true to begin with random weights"
        )
    else:
        words = _tokenizer(config, records, tokenizer)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            model = TerraScopeModel(shape_config(config, words))
        processor = Processor(words, model.config)
    model.config.region_rule = config.regions.rule
    model.config.measured_in_loop = config.data.measured_share > 0
    model.config.mask_weight = config.stages[-1].mask_weight
    return model, processor


def shape_config(config: TrainConfig, tokenizer: PreTrainedTokenizerBase | None = None) -> TerraScopeConfig:
    """The sizes of a configuration's shape; small ones need the tokenizer that they will have.

    Raises
    ------
    InvalidInput
        For a small shape without a tokenizer, and a tokenizer that a large one has no room for.
    """
    shape = config.network.shape
    if shape in PRESETS:
        sizes = preset(shape)
        if tokenizer is not None:
            ids = {k: tokenizer.convert_tokens_to_ids(SPECIAL[k]) for k in ("image", "seg", "region")}
            sizes.vlm_config.image_token_id = ids["image"]
            sizes.seg_token_id, sizes.region_token_id = ids["seg"], ids["region"]
        return sizes
    if shape == "tiny":
        return tiny_config()
    count, ids = _vocabulary(config, tokenizer)
    return build_config(
        vision={
            "hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4,
            "image_size": 96, "patch_size": 8,
        },
        llm={
            "vocab_size": count, "hidden_size": 192, "intermediate_size": 768, "num_hidden_layers": 4,
            "num_attention_heads": 6, "num_key_value_heads": 3, "rope_theta": 1e4,
        },
        hiera={
            "embed_dim": 24, "num_heads": 1, "stages": (1, 1, 2, 1), "global": (3,), "window": (8, 4, 4, 4),
            "background": (4, 4),
        },
        tokens=ids,
        sam_size=128,
        sam_hidden=256,
        sam_initializer_range=0.05,
    )  # fmt: skip


def learn_tokenizer(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer of the texts' words; every digit is a token of its own, so numbers are spelt one way.

    Parameters
    ----------
    texts : iterable of str
    size : int
        Tokens, special ones apart.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    names = ["<|endoftext|>", *[SPECIAL[k] for k in ("turn", "end", "image_start", "image_end", "image")], *ADDED]
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=SPECIAL["end"], pad_token="<|endoftext|>")


def weights_hash(model: TerraScopeModel) -> str:
    """SHA-256 over the names and bytes of all weights.

    Two networks have the same hash when they are the same, whatever files they come from.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _tokenizer(config: TrainConfig, records: Records, folder: Path | None) -> PreTrainedTokenizerFast:
    if config.network.shape == "tiny":
        return tiny_tokenizer()
    if folder is not None and (folder / "tokenizer.json").is_file():
        return PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)
    return learn_tokenizer(_texts(records), config.network.vocabulary)


def _texts(records: Records) -> Iterator[str]:
    yield INSTRUCTION
    step = max(1, len(records) // _TEXTS)
    for k in range(0, len(records), step):
        record = records[k]
        yield f"{record.asked} {record.text}"


def _vocabulary(config: TrainConfig, tokenizer: Any) -> tuple[int, dict[str, int]]:
    """Tokens, and ids of the placeholders; without a tokenizer, room for as many as one may have."""
    special = 6 + len(ADDED)
    if tokenizer is None:
        first = config.network.vocabulary
        return first + special, {"image": first, "seg": first + 1, "region": first + 2}
    return len(tokenizer), {k: tokenizer.convert_tokens_to_ids(SPECIAL[k]) for k in ("image", "seg", "region")}
