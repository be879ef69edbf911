"""Names of the published state dict → names of ours, and what becomes of tensors not carried over as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_SAM = "grounding_encoder.sam2_model."
#: Parts of SAM 2 that work on video only: never used for images, so not carried over.
DROPPED = (
    "memory_attention.", "memory_encoder.", "obj_ptr_proj.", "obj_ptr_tpos_proj.", "mask_downsample.",
    "maskmem_tpos_enc", "no_mem_pos_enc", "no_obj_ptr", "no_obj_embed_spatial",
)  # fmt: skip

_MLP = r"((?:output_hypernetworks_mlps\.\d+)|iou_prediction_head|pred_obj_score_head)\.layers"
#: Part of the network: published prefix, our prefix, (pattern, replacement) of what follows; the first match counts.
_TABLES = (
    (r"vision_model\.", "vlm.model.vision_tower.", (
        (r"embeddings\.class_embedding", "embeddings.cls_token"),
        (r"embeddings\.position_embedding", "embeddings.position_embeddings"),
        (r"embeddings\.patch_embedding\.(.+)", r"embeddings.patch_embeddings.projection.\1"),
        (r"encoder\.layers\.(\d+)\.ls([12])", r"encoder.layer.\1.lambda_\2"),
        (r"encoder\.layers\.(\d+)\.norm1\.(.+)", r"encoder.layer.\1.layernorm_before.\2"),
        (r"encoder\.layers\.(\d+)\.norm2\.(.+)", r"encoder.layer.\1.layernorm_after.\2"),
        (r"encoder\.layers\.(\d+)\.attn\.proj\.(.+)", r"encoder.layer.\1.attention.projection_layer.\2"),
        (r"encoder\.layers\.(\d+)\.attn\.([qk]_norm)\.(.+)", r"encoder.layer.\1.attention.\2.\3"),
        (r"encoder\.layers\.(\d+)\.mlp\.(fc[12]\..+)", r"encoder.layer.\1.mlp.\2"),
    )),
    (r"mlp1\.", "vlm.model.multi_modal_projector.", (
        (r"0\.(.+)", r"layer_norm.\1"), (r"1\.(.+)", r"linear_1.\1"), (r"3\.(.+)", r"linear_2.\1"),
    )),
    (r"language_model\.", "vlm.", (
        (r"model\.(.+)", r"model.language_model.\1"), (r"lm_head\.(.+)", r"lm_head.\1"),
    )),
    (r"text_hidden_fcs\.", "bridge.", ((r"([02])\.(.+)", r"\1.\2"),)),
    (r"SAM\.", "sam.", ((r"no_mem_embed", "no_memory_embedding"),)),
    (r"SAM\.image_encoder\.", "sam.vision_encoder.", (
        (r"trunk\.patch_embed\.proj\.(.+)", r"backbone.patch_embed.projection.\1"),
        (r"trunk\.(pos_embed|pos_embed_window)", r"backbone.\1"),
        (r"trunk\.blocks\.(\d+)\.norm([12])\.(.+)", r"backbone.blocks.\1.layer_norm\2.\3"),
        (r"trunk\.blocks\.(\d+)\.mlp\.layers\.0\.(.+)", r"backbone.blocks.\1.mlp.proj_in.\2"),
        (r"trunk\.blocks\.(\d+)\.mlp\.layers\.1\.(.+)", r"backbone.blocks.\1.mlp.proj_out.\2"),
        (r"trunk\.blocks\.(\d+)\.((?:attn\.|proj\.).+)", r"backbone.blocks.\1.\2"),
        (r"neck\.convs\.(\d+)\.conv\.(.+)", r"neck.convs.\1.\2"),
    )),
    (r"SAM\.sam_prompt_encoder\.", "sam.prompt_encoder.", (
        (r"(not_a_point_embed|no_mask_embed)\.(.+)", r"\1.\2"),
        (r"mask_downscaling\.0\.(.+)", r"mask_embed.conv1.\1"),
        (r"mask_downscaling\.1\.(.+)", r"mask_embed.layer_norm1.\1"),
        (r"mask_downscaling\.3\.(.+)", r"mask_embed.conv2.\1"),
        (r"mask_downscaling\.4\.(.+)", r"mask_embed.layer_norm2.\1"),
        (r"mask_downscaling\.6\.(.+)", r"mask_embed.conv3.\1"),
    )),
    (r"SAM\.sam_mask_decoder\.", "sam.mask_decoder.", (
        (r"(iou_token|mask_tokens|obj_score_token|conv_s0|conv_s1)\.(.+)", r"\1.\2"),
        (r"output_upscaling\.0\.(.+)", r"upscale_conv1.\1"),
        (r"output_upscaling\.1\.(.+)", r"upscale_layer_norm.\1"),
        (r"output_upscaling\.3\.(.+)", r"upscale_conv2.\1"),
        (_MLP + r"\.0\.(.+)", r"\1.proj_in.\2"),
        (_MLP + r"\.1\.(.+)", r"\1.layers.0.\2"),
        (_MLP + r"\.2\.(.+)", r"\1.proj_out.\2"),
        (r"transformer\.norm_final_attn\.(.+)", r"transformer.layer_norm_final_attn.\1"),
        (r"transformer\.layers\.(\d+)\.norm([1-4])\.(.+)", r"transformer.layers.\1.layer_norm\2.\3"),
        (r"transformer\.layers\.(\d+)\.mlp\.layers\.0\.(.+)", r"transformer.layers.\1.mlp.proj_in.\2"),
        (r"transformer\.layers\.(\d+)\.mlp\.layers\.1\.(.+)", r"transformer.layers.\1.mlp.proj_out.\2"),
        (r"transformer\.(.+)\.out_proj\.(.+)", r"transformer.\1.o_proj.\2"),
        (r"transformer\.(.+\.[qkv]_proj\..+)", r"transformer.\1"),
    )),
)  # fmt: skip
_RULES = [(re.compile(there + old), here + new) for there, here, rules in _TABLES for old, new in rules]
_QKV = re.compile(r"vision_model\.encoder\.layers\.(\d+)\.attn\.qkv\.(weight|bias)")
_POINT = re.compile(r"SAM\.sam_prompt_encoder\.point_embeddings\.(\d+)\.weight")
_PLACES = "SAM.sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"


@dataclass(frozen=True)
class Target:
    """One tensor of ours and what it is made of.

    Attributes
    ----------
    name : str
        In our state dict.
    sources : tuple of str
        Published tensors, joined along dimension 0 where there are several.
    part : (int, int)
        Of the rows of a single source, part ``part[0]`` of ``part[1]``; (0, 1) takes them all.
    """

    name: str
    sources: tuple[str, ...]
    part: tuple[int, int] = (0, 1)


def translate(names: Iterable[str]) -> tuple[list[Target], list[str], list[str]]:
    """Say what each of our tensors is made of.

    Returns
    -------
    targets : list of Target
    dropped : list of str
        Published names that are left out on purpose (`DROPPED`).
    unknown : list of str
        Published names that no rule knows.

    Examples
    --------
    >>> targets, dropped, unknown = translate(["mlp1.0.weight", "grounding_encoder.sam2_model.no_obj_ptr", "extra"])
    >>> targets[0].name, len(dropped), unknown
    ('vlm.model.multi_modal_projector.layer_norm.weight', 1, ['extra'])
    """
    targets: list[Target] = []
    dropped: list[str] = []
    unknown: list[str] = []
    points: dict[int, str] = {}
    for name in names:
        short = name.replace(_SAM, "SAM.", 1) if name.startswith(_SAM) else name
        if short.startswith(tuple(f"SAM.{d}" for d in DROPPED)):
            dropped.append(name)
        elif found := _QKV.fullmatch(short):
            stem = f"vlm.model.vision_tower.encoder.layer.{found[1]}.attention"
            targets += [Target(f"{stem}.{letter}_proj.{found[2]}", (name,), (k, 3)) for k, letter in enumerate("qkv")]
        elif found := _POINT.fullmatch(short):
            points[int(found[1])] = name
        elif short == _PLACES:
            for ours in ("sam.prompt_encoder.shared_embedding", "sam.shared_image_embedding"):
                targets.append(Target(f"{ours}.positional_embedding", (name,)))
        else:
            new = next((m.expand(to) for rule, to in _RULES if (m := rule.fullmatch(short))), None)
            if new is None:
                unknown.append(name)
            else:
                targets.append(Target(new, (name,)))
    if points:
        targets.append(Target("sam.prompt_encoder.point_embed.weight", tuple(points[k] for k in sorted(points))))
    return targets, dropped, unknown
