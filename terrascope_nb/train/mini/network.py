"""The mini's sizes: 96-pixel tiles of 36 tokens, a language model of 192 × 4 layers, SAM 2 at 128 pixels."""

from __future__ import annotations

import torch

from terrascope_nb.model.build import build_config
from terrascope_nb.model.config import SPECIAL, TerraScopeConfig
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Processor
from terrascope_nb.train.mini.vocabulary import mini_tokenizer

#: Pixels a side of the scenes, and of a tile.
SIZE = 96


def mini_config(small: bool = False) -> TerraScopeConfig:
    """The configuration; `small` shrinks every part, for tests of the machinery.

    Examples
    --------
    >>> mini_config().grid, mini_config().prompt_width
    (6, 256)
    """
    tokenizer = mini_tokenizer()
    width, deep, wide, hidden = (48, 1, 24, 32) if small else (192, 4, 128, 256)
    return build_config(
        vision={
            "hidden_size": wide, "intermediate_size": 4 * wide, "num_hidden_layers": deep, "num_attention_heads": 4,
            "image_size": SIZE, "patch_size": 8,
        },
        llm={
            "vocab_size": len(tokenizer), "hidden_size": width, "intermediate_size": 512 if not small else 64,
            "num_hidden_layers": deep, "num_attention_heads": 6, "num_key_value_heads": 3, "rope_theta": 1e4,
            "max_position_embeddings": 2048,
        },
        hiera={
            "embed_dim": 8 if small else 24, "num_heads": 1, "stages": (1, 1, 2, 1), "global": (3,),
            "window": (8, 4, 4, 4), "background": (4, 4),
        },
        tokens={k: tokenizer.convert_tokens_to_ids(SPECIAL[k]) for k in ("image", "seg", "region")},
        sam_size=128,
        sam_hidden=hidden,
        decoder={"mlp_dim": 64, "num_attention_heads": 4} if small else {"mlp_dim": 512},
        sam_initializer_range=0.05,
        max_tiles=1,
        measured_in_loop=True,
    )  # fmt: skip


def mini_network(seed: int = 0, small: bool = False) -> tuple[TerraScopeModel, Processor]:
    """Random weights of a seed, and the processor."""
    config = mini_config(small)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = TerraScopeModel(config)
    return model, Processor(mini_tokenizer(), config)
