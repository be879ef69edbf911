"""A tiny random model, made on the fly: the whole path from a scene to a trace in a second, for tests and labs."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from terrascope_nb.model.build import build_config
from terrascope_nb.model.config import ADDED, SPECIAL, TerraScopeConfig
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Processor
from terrascope_nb.model.prompt import INSTRUCTION

_WORDS = """water tree cover cropland grassland forest the covers % larger than smaller share of image is there which
what how much distance from before. t_1 t_2 Image: on more ground with its did grow? yes no A. B. C. D. lies under
cloud flood"""


@lru_cache(maxsize=1)
def _tokenizer_json() -> str:
    """A byte-level tokenizer that spells any text, and knows the words of the instruction by heart."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=480,
        min_frequency=1,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        [INSTRUCTION, " ".join(_WORDS.split()), *(f" {w}" for w in _WORDS.split())] * 2, trainer
    )
    names = ["<|endoftext|>", *[SPECIAL[k] for k in ("turn", "end", "image_start", "image_end", "image")], *ADDED]
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    return tokenizer.to_str()


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level tokenizer of about 500 tokens, with every special token of the published one."""
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_tokenizer_json()), eos_token=SPECIAL["end"], pad_token="<|endoftext|>"
    )


def tiny_config(tile: int = 112, sam_size: int = 128, width: int = 64, **ours: Any) -> TerraScopeConfig:
    """The configuration of a model of about 0.6 M parameters; `ours` are fields of `TerraScopeConfig`."""
    tokenizer = tiny_tokenizer()
    ids = {k: tokenizer.convert_tokens_to_ids(SPECIAL[k]) for k in ("image", "seg", "region")}
    return build_config(
        vision={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": tile, "patch_size": 14, "initializer_range": 0.1,
        },
        llm={
            "vocab_size": len(tokenizer), "hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "rope_theta": 1e4,
            "initializer_range": 0.25,
        },
        hiera={
            "embed_dim": 16, "num_heads": 1, "stages": (1, 1, 1, 1), "global": (), "window": (8, 4, 4, 2),
            "background": (4, 4),
        },
        tokens=ids,
        sam_size=sam_size,
        sam_hidden=32,
        decoder={"mlp_dim": 64, "num_attention_heads": 4},
        sam_initializer_range=0.2,
        **ours,
    )  # fmt: skip


def tiny_model(seed: int = 0, **options: Any) -> tuple[TerraScopeModel, Processor]:
    """A random model and its processor; `options` as in `tiny_config`.

    Examples
    --------
    >>> model, processor = tiny_model()
    >>> sum(p.numel() for p in model.parameters()) < 1_000_000
    True
    """
    config = tiny_config(**options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = TerraScopeModel(config).eval()
    return model, Processor(tiny_tokenizer(), config)
