"""Parts of the network: which weights each has, what a stage trains of them, adapters put in and merged."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from terrascope_nb._optional import need
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.train.rows import fold_in, hold_apart
from terrascope_nb.train.stage import LoraConfig, StageConfig

#: Part → how the names of its weights begin. The prompt encoder, which only sees empty points, is never trained.
PARTS: dict[str, tuple[str, ...]] = {
    "vision": ("vlm.model.vision_tower.",),
    "projector": ("vlm.model.multi_modal_projector.",),
    "llm": ("vlm.model.language_model.layers.", "vlm.model.language_model.norm."),
    "embeddings": ("vlm.model.language_model.embed_tokens.",),
    "head": ("vlm.lm_head.",),
    "bridge": ("bridge.",),
    "mask_decoder": ("sam.mask_decoder.",),
    "sam_encoder": ("sam.vision_encoder.", "sam.no_memory_embedding"),
    "prompt_encoder": ("sam.prompt_encoder.", "sam.shared_image_embedding."),
}
#: Of the mask decoder: what no mask of ours depends on. It stays frozen, or weight decay alone would change it.
UNUSED = ("sam.mask_decoder.output_hypernetworks_mlps.0.", "sam.mask_decoder.pred_obj_score_head.")
#: What guesses a mask's IoU; trained only where `StageConfig.iou_weight` says so.
IOU_HEAD = "sam.mask_decoder.iou_prediction_head."
#: Linear layers of the language model that adapters go into.
LORA_TARGETS = r"vlm\.model\.language_model\.layers\.\d+\..*\.(q|k|v|o|gate|up|down)_proj"
LORA, NEW_TOKENS = "lora", "new_tokens"


def part_of(name: str) -> str:
    """The part that a weight belongs to; "lora" for those of an adapter, "new_tokens" for rows held apart.

    Examples
    --------
    >>> part_of("bridge.0.weight"), part_of("vlm.model.language_model.layers.0.mlp.up_proj.lora_A.default.weight")
    ('bridge', 'lora')
    """
    if ".lora_" in name:
        return LORA
    if name.endswith((".embed_tokens.rows", ".lm_head.rows")):
        return NEW_TOKENS
    return next(part for part, starts in PARTS.items() if name.startswith(starts))


def is_trained(name: str, stage: StageConfig) -> bool:
    """Whether a stage changes a weight.

    Examples
    --------
    >>> stage = StageConfig("grounding", ("mask_decoder", "bridge"))
    >>> [is_trained(n, stage) for n in ("bridge.0.weight", "vlm.lm_head.weight", IOU_HEAD + "proj_in.weight")]
    [True, False, False]
    """
    if name.startswith(UNUSED) or (name.startswith(IOU_HEAD) and not stage.iou_weight):
        return False
    part = part_of(name)
    return part in (LORA, NEW_TOKENS) or part in stage.train


def begin(model: TerraScopeModel, stage: StageConfig, seed: int) -> Any:
    """Make a network ready for a stage: adapters, new rows put in, the stage's weights float32 and trainable.

    Parameters
    ----------
    model : TerraScopeModel
        Changed in place.
    stage : StageConfig
    seed : int
        Of the adapters' first weights.

    Returns
    -------
    peft.LoraModel or None
        What `end` needs to merge the adapters.

    Raises
    ------
    MissingPackage
        When adapters are wanted and peft is not installed.
    InvalidInput
        When rows of new tokens are wanted and the tokens do not follow one another.
    """
    tuner = None if stage.lora is None else _adapters(model, stage.lora, seed)
    if stage.new_tokens:
        hold_apart(model)
    for name, weight in model.named_parameters():
        weight.requires_grad_(is_trained(name, stage))
        if weight.requires_grad:
            weight.data = weight.data.float()
    return tuner


def end(model: TerraScopeModel, tuner: Any, dtype: torch.dtype) -> None:
    """Merge the adapters, freeze everything, and bring all weights to one type; in place."""
    if tuner is not None:
        tuner.merge_and_unload()
    fold_in(model)
    model.requires_grad_(False)
    model.to(dtype)


def trained_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights that are trained, by name, on the CPU."""
    return {n: p.detach().cpu().contiguous() for n, p in model.named_parameters() if p.requires_grad}


def parameter_counts(model: nn.Module, stage: StageConfig) -> dict[str, tuple[int, int]]:
    """Part → (weights that the stage trains, weights of the part); works on the meta device."""
    counts: dict[str, tuple[int, int]] = {}
    for name, weight in model.named_parameters():
        trained, whole = counts.get(part_of(name), (0, 0))
        counts[part_of(name)] = trained + weight.numel() * is_trained(name, stage), whole + weight.numel()
    return counts


def groups(model: nn.Module, stage: StageConfig) -> list[dict[str, Any]]:
    """The trained weights as AdamW takes them: by part and by whether they decay (matrices do)."""
    found: dict[tuple[str, bool], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            found.setdefault((part_of(name), weight.ndim > 1), []).append(weight)
    return [
        {"params": weights, "lr": stage.rates.get(part, stage.rate), "weight_decay": stage.weight_decay * decays,
         "name": f"{part}{'' if decays else ' (no decay)'}"}
        for (part, decays), weights in sorted(found.items(), key=lambda item: item[0])
    ]  # fmt: skip


def _adapters(model: TerraScopeModel, lora: LoraConfig, seed: int) -> Any:
    peft = need("peft", "put adapters into the language model", "train")
    told = peft.LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=LORA_TARGETS, bias="none"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return peft.LoraModel(model, {"default": told}, "default")
