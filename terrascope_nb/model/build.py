"""Build configurations from sizes: one function, so that the traps of the defaults are avoided in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from transformers import InternVLConfig, Sam2Config

from terrascope_nb.errors import InvalidInput
from terrascope_nb.model.config import TerraScopeConfig

#: Hiera by (embed_dim, blocks a stage): heads, blocks with global attention, windows. The sizes published for SAM 2.
HIERA: dict[tuple[int, tuple[int, ...]], dict[str, Any]] = {
    (96, (1, 2, 7, 2)): {"num_heads": 1, "global": (5, 7, 9), "window": (8, 4, 14, 7)},
    (96, (1, 2, 11, 2)): {"num_heads": 1, "global": (7, 10, 13), "window": (8, 4, 14, 7)},
    (112, (2, 3, 16, 3)): {"num_heads": 2, "global": (12, 16, 20), "window": (8, 4, 14, 7)},
    (144, (2, 6, 36, 4)): {"num_heads": 2, "global": (23, 33, 43), "window": (8, 4, 16, 8)},
}
HIERA_LARGE = {"embed_dim": 144, "stages": (2, 6, 36, 4), **HIERA[(144, (2, 6, 36, 4))]}


def build_config(
    vision: Mapping[str, Any],
    llm: Mapping[str, Any],
    hiera: Mapping[str, Any] = HIERA_LARGE,
    tokens: Mapping[str, int] | None = None,
    sam_size: int = 1024,
    sam_hidden: int = 256,
    decoder: Mapping[str, Any] | None = None,
    sam_initializer_range: float = 0.02,
    **ours: Any,
) -> TerraScopeConfig:
    """Build a configuration from the sizes of its three parts.

    Parameters
    ----------
    vision, llm : mapping
        As a published checkpoint's ``config.json`` has them (``vision_config``, ``llm_config``).
    hiera : mapping
        ``embed_dim``, ``num_heads``, ``stages`` (blocks a stage), ``global`` (indices of blocks with global attention),
        ``window`` (a stage each) and, optionally, ``background`` (rows and columns of the position map, default 7 × 7).
    tokens : mapping, optional
        Ids of ``image``, ``seg`` and ``region``; by default those of the published tokenizer.
    sam_size, sam_hidden : int
        Pixels along a side of SAM 2's picture, a multiple of 16; hidden size of its neck and decoder.
    decoder : mapping, optional
        Further fields of the mask decoder's configuration.
    sam_initializer_range : float
        Deviation of SAM 2's random weights; a narrow one learns only from a larger one than the default.
    **ours
        Further fields of `TerraScopeConfig`.

    Raises
    ------
    InvalidInput
        For sizes that do not fit one another, and for what `vision` or `llm` ask for and the network does not do.
    """
    ids = {"image": 151667, "seg": 151678, "region": 151679, **(tokens or {})}
    if vision.get("norm_type", "layer_norm") not in ("layer_norm", "rms_norm"):
        raise InvalidInput(f"the vision tower's norm_type is layer_norm or rms_norm, got {vision['norm_type']!r}")
    if llm.get("use_sliding_window"):
        raise InvalidInput(
            "the language model reads every token before: llm has use_sliding_window, which is not built"
        )
    if llm.get("hidden_act", "silu") != "silu":
        raise InvalidInput(f"the language model's hidden_act is silu, got {llm['hidden_act']!r}")
    vlm = InternVLConfig(
        vision_config={
            "hidden_size": vision["hidden_size"],
            "intermediate_size": vision["intermediate_size"],
            "num_hidden_layers": vision["num_hidden_layers"],
            "num_attention_heads": vision["num_attention_heads"],
            "image_size": vision.get("image_size", 448),
            "patch_size": vision.get("patch_size", 14),
            "layer_norm_eps": vision.get("layer_norm_eps", 1e-6),
            "norm_type": vision.get("norm_type", "layer_norm"),
            "attention_bias": vision.get("qkv_bias", True),  # the default of transformers, False, is wrong here
            "use_qk_norm": vision.get("qk_normalization", False),
            "hidden_act": vision.get("hidden_act", "gelu"),
            "layer_scale_init_value": vision.get("initializer_factor", 0.1),
            "initializer_range": vision.get("initializer_range", 0.02),
        },
        text_config={
            "model_type": "qwen2",
            "vocab_size": llm["vocab_size"],
            "hidden_size": llm["hidden_size"],
            "intermediate_size": llm["intermediate_size"],
            "num_hidden_layers": llm["num_hidden_layers"],
            "num_attention_heads": llm["num_attention_heads"],
            "num_key_value_heads": llm["num_key_value_heads"],
            "max_position_embeddings": llm.get("max_position_embeddings", 32768),
            "rms_norm_eps": llm.get("rms_norm_eps", 1e-6),
            "initializer_range": llm.get("initializer_range", 0.02),
            "rope_parameters": _rope(llm),
            "tie_word_embeddings": False,  # lm_head is a matrix of its own
        },
        image_token_id=ids["image"],
        downsample_ratio=0.5,
        tie_word_embeddings=False,
    )
    grid = vlm.vision_config.image_size[0] // vlm.vision_config.patch_size[0] // 2
    vlm.image_seq_length = grid * grid
    return TerraScopeConfig(
        vlm_config=vlm,
        sam_config=_sam(hiera, sam_size, sam_hidden, dict(decoder or {}), sam_initializer_range),
        seg_token_id=ids["seg"],
        region_token_id=ids["region"],
        **ours,
    )


def _rope(llm: Mapping[str, Any]) -> dict[str, Any]:
    """How positions are turned: as they are, or «dynamic», which changes nothing up to ``max_position_embeddings``.

    The published code ran where Qwen2 knew no scaling at all. Within that length dynamic scaling is the same as none;
    every other kind would compute something else than what the weights were trained with, and so is refused.
    """
    told = llm.get("rope_scaling") or llm.get("rope_parameters") or {}
    kind = told.get("rope_type", told.get("type")) or "default"
    rope = {"rope_type": kind, "rope_theta": float(llm.get("rope_theta", told.get("rope_theta", 1e6)))}
    if kind == "default":
        return rope
    if kind == "dynamic" and isinstance(told.get("factor"), int | float) and told["factor"] >= 1:
        return {**rope, "factor": float(told["factor"])}
    raise InvalidInput(
        f"llm asks for rope_scaling {dict(told)}: known are none and dynamic with a factor of at least 1, which is the "
        "same up to max_position_embeddings. The published code never scaled; take it out of llm (llm_config of "
        "the checkpoint's config.json) if these weights were trained by it"
    )


def _sam(hiera: Mapping[str, Any], size: int, hidden: int, decoder: dict[str, Any], spread: float) -> Sam2Config:
    stages: Sequence[int] = tuple(hiera["stages"])
    if len(stages) != 4 or size % 32:
        raise InvalidInput(f"Hiera has 4 stages and a picture side that 32 divides; got {len(stages)} and {size}")
    widths = [hiera["embed_dim"] * 2**k for k in range(4)]
    heads = [hiera["num_heads"] * 2**k for k in range(4)]
    return Sam2Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": hiera["embed_dim"],
                "num_attention_heads": hiera["num_heads"],
                "image_size": [size, size],
                "blocks_per_stage": list(stages),
                "embed_dim_per_stage": widths,
                "num_attention_heads_per_stage": heads,
                "window_size_per_stage": list(hiera["window"]),
                "global_attention_blocks": list(hiera["global"]),
                "window_positional_embedding_background_size": list(hiera.get("background", (7, 7))),
                "initializer_range": spread,
            },
            "backbone_channel_list": widths[::-1],
            "backbone_feature_sizes": [[size // 4] * 2, [size // 8] * 2, [size // 16] * 2],
            "fpn_hidden_size": hidden,
            "initializer_range": spread,
        },
        prompt_encoder_config={"hidden_size": hidden, "image_size": size, "patch_size": 16},
        mask_decoder_config={"hidden_size": hidden, "iou_head_hidden_dim": hidden, **decoder},
        initializer_range=spread,
    )
