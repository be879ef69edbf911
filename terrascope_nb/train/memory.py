"""Memory of training, computed beforehand: weights, gradients, optimiser, activations of each stage on one device.

The network is built on torch's meta device, and forward and backward passes are run there while live tensors are
counted: nothing is allocated, and the figures follow the code that runs. They are computed, not measured: allocators
round up, kernels keep workspaces, and drivers take their share; leave a tenth free.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from transformers import AttentionInterface

from terrascope_nb.errors import InvalidInput
from terrascope_nb.model.config import TerraScopeConfig
from terrascope_nb.model.memory import DTYPES, Part, gigabytes
from terrascope_nb.model.network import IGNORED, TerraScopeModel, mask_losses
from terrascope_nb.model.peak import peak_bytes
from terrascope_nb.model.regions import CAPS
from terrascope_nb.train.config import TrainConfig
from terrascope_nb.train.parts import begin
from terrascope_nb.train.stage import StageConfig

_COUNTED = "terrascope_nb_counted"


@dataclass(frozen=True)
class StageMemory:
    """What one stage needs on each device.

    Attributes
    ----------
    stage : str
    trained, parameters : int
        Weights that are trained (adapters among them), and all.
    tokens : int
        Length of each sequence: pictures, prompt, answer, region features.
    per_device : int
        Sequences at a time.
    parts : tuple of Part
        Weights, gradients, optimiser; and activations as the stage has them, with or without checkpointing.
    other : int
        Bytes of the activations the other way round.
    checkpointing : bool
    """

    stage: str
    trained: int
    parameters: int
    tokens: int
    per_device: int
    parts: tuple[Part, ...]
    other: int
    checkpointing: bool

    @property
    def total(self) -> int:
        """Bytes at the peak."""
        return sum(p.bytes for p in self.parts)

    def __str__(self) -> str:
        width = max(len(p.name) for p in self.parts)
        lines = [f"  {p.name:<{width}}  {gigabytes(p.bytes):>7}  {p.note}".rstrip() for p in self.parts]
        both = "without" if self.checkpointing else "with"
        lines.append(f"  {'together':<{width}}  {gigabytes(self.total):>7}  computed, not measured")
        lines.append(f"  {both} checkpointing the activations would be {gigabytes(self.other)}")
        head = f"memory of a device, {self.per_device} × {self.tokens:,} tokens; GB of 10⁹ bytes"
        return "\n".join([head, *lines])


def stage_memory(
    sizes: TerraScopeConfig, config: TrainConfig, number: int, tiles: int = 1, images: int = 1, masks: int = 3,
    text_tokens: int = 600, picture: tuple[int, int] = (512, 512),
) -> StageMemory:  # fmt: skip
    """What a stage of a run needs on one device; takes a second or two at 8 B.

    Parameters
    ----------
    sizes : TerraScopeConfig
        The network's; see `networks.shape_config`.
    config : TrainConfig
    number : int
        Which of its stages.
    tiles, images, masks : int
        Of one sample: tiles of the vision tower (thumbnail included), pictures that masks are drawn on, ``[SEG]``.
    text_tokens : int
        Of one sample: prompt and answer, pictures and regions apart; half of them are learnt.
    picture : (int, int)
        Rows and columns that masks are compared at.

    Examples
    --------
    >>> from terrascope_nb.model.tiny import tiny_config
    >>> from terrascope_nb.train.files import read_config, shrink
    >>> tiny = stage_memory(tiny_config(), shrink(read_config("8b")), 0, picture=(64, 64))
    >>> [p.name for p in tiny.parts][:3], tiny.total < 100e6
    (['weights', 'gradients', 'optimiser'], True)
    """
    for name, n in (("tiles", tiles), ("images", images), ("text_tokens", text_tokens), ("masks", masks + 1)):
        if n < 1:
            raise InvalidInput(f"{name} cannot be {n - (name == 'masks')}")
    stage = config.stages[number]
    kind = DTYPES[config.network.dtype]
    cap = 0 if config.regions.mode == "none" else config.regions.cap or CAPS[config.regions.rule]
    cap = min(cap, tiles * sizes.grid**2)
    tokens = tiles * sizes.grid**2 + text_tokens + masks * (1 + cap)
    model = _model(sizes, kind)
    begin(model, stage, 0)
    weights = list(model.parameters())
    trained = [p for p in weights if p.requires_grad]
    size = sum(p.numel() * p.element_size() for p in weights)
    count = sum(p.numel() for p in trained)
    both = {
        on: _activations(sizes, stage, kind, on, tiles, images, masks, tokens, text_tokens // 2, tuple(picture))
        for on in (False, True)
    }
    parts = (
        Part("weights", size, f"{len(trained)} trained tensors in float32, the rest in {config.network.dtype}"),
        Part("gradients", 4 * count, f"{count / 1e6:,.1f} million float32"),
        Part("optimiser", 8 * count, "two moments of AdamW, float32"),
        *both[stage.checkpointing],
    )
    other = sum(p.bytes for p in both[not stage.checkpointing])
    whole = sum(p.numel() for p in weights)
    return StageMemory(
        stage.name, count, whole, tokens, stage.per_device, parts, other, stage.checkpointing
    )  # fmt: skip


def _activations(
    sizes: TerraScopeConfig, stage: StageConfig, kind: torch.dtype, on: bool, tiles: int, images: int, masks: int,
    tokens: int, learnt: int, picture: tuple[int, int],
) -> tuple[Part, ...]:  # fmt: skip
    """Working memory of a pass, `on` saying whether layers are checkpointed."""
    b = stage.per_device
    written = sizes.to_json_string(use_diff=False)
    vision = _layers(written, _Stage.of(stage), kind, "vision", on, b * tiles, sizes.grid**2 * 4 + 1)
    text = _layers(written, _Stage.of(stage), kind, "llm", on, b, tokens)
    how = "checkpointed" if on else "all kept"
    parts = [
        Part("vision tower", vision, f"{b * tiles} tiles, {'trained' if 'vision' in stage.train else 'frozen'}"),
        Part("language model", text, f"{b} × {tokens:,} tokens, {how}"),
        Part("logits", _logits(written, _Stage.of(stage), kind, b * learnt), f"of {b * learnt:,} learnt tokens"),
    ]
    if masks:
        drawn = _drawing(written, _Stage.of(stage), kind, b * images, b * masks, picture)
        parts.append(
            Part("SAM 2", drawn, f"{b * masks} masks on {b * images} pictures, at {picture[0]} × {picture[1]}")
        )
    return tuple(parts)


@dataclass(frozen=True)
class _Stage:
    """What of a stage decides its memory; can be a key of a cache."""

    train: tuple[str, ...]
    lora: Any
    new_tokens: bool
    iou: bool

    @classmethod
    def of(cls, stage: StageConfig) -> _Stage:
        """Of a configuration."""
        return cls(stage.train, stage.lora, stage.new_tokens, stage.iou_weight > 0)

    @property
    def reaches_text(self) -> bool:
        """Whether the text has a gradient: where anything before or in the language model is trained."""
        before = {"vision", "projector", "embeddings", "llm"}
        return bool(before & set(self.train)) or self.lora is not None or self.new_tokens

    @property
    def stage(self) -> StageConfig:
        """As `parts.begin` takes it."""
        return StageConfig("meta", self.train, self.lora, self.new_tokens, iou_weight=float(self.iou))


@lru_cache(maxsize=64)
def _layers(written: str, told: _Stage, kind: torch.dtype, part: str, on: bool, batch: int, length: int) -> int:
    """Peak of forward and backward through a stack of like layers: run with two and with three, and drawn on."""
    fields = json.loads(written)
    which = "text_config" if part == "llm" else "vision_config"
    layers = fields["vlm_config"][which]["num_hidden_layers"]
    two, three = (_stack(written, told, kind, part, on, batch, length, n) for n in (2, 3))
    return max(two + (layers - 2) * (three - two), 0)


def _stack(written: str, told: _Stage, kind: torch.dtype, part: str, on: bool, batch: int, length: int, n: int) -> int:
    model = _model(TerraScopeConfig(**_cut(written, n)), kind)
    begin(model, told.stage, 0)
    _one_type(model, kind)
    width = model.config.width if part == "llm" else model.config.vlm_config.vision_config.hidden_size
    needs = "vision" in told.train if part == "vision" else told.reaches_text
    start = torch.empty(batch, length, width, dtype=kind, device="meta", requires_grad=needs)
    model.train()
    if on:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    tower = model.vlm.model.vision_tower
    stack = model.language.layers if part == "llm" else tower.encoder.layer
    rest: dict[str, Any] = {}
    if part == "llm":
        places = torch.arange(length, device="meta")[None]
        rotary = model.language.rotary_emb(start, places)
        rest = {"attention_mask": None, "position_ids": places, "position_embeddings": rotary}

    def run() -> None:
        hidden = start
        for layer in stack:
            out = layer(hidden, **rest)
            hidden = out[0] if isinstance(out, tuple) else out
        if hidden.requires_grad:
            torch.autograd.backward(hidden.sum())

    return peak_bytes(run)


@lru_cache(maxsize=64)
def _logits(written: str, told: _Stage, kind: torch.dtype, learnt: int) -> int:
    model = _model(TerraScopeConfig(**_cut(written, 1)), kind)
    begin(model, told.stage, 0)
    _one_type(model, kind)
    hidden = torch.empty(learnt, model.config.width, dtype=kind, device="meta", requires_grad=told.reaches_text)
    labels = torch.empty(learnt, dtype=torch.int64, device="meta")

    def run() -> None:
        loss = torch.nn.functional.cross_entropy(model.predict(hidden).float(), labels, ignore_index=IGNORED)
        if loss.requires_grad:
            torch.autograd.backward(loss)

    return peak_bytes(run)


@lru_cache(maxsize=64)
def _drawing(written: str, told: _Stage, kind: torch.dtype, images: int, masks: int, picture: tuple[int, int]) -> int:
    model = _model(TerraScopeConfig(**_cut(written, 1)), kind)
    begin(model, told.stage, 0)
    _one_type(model, kind)
    side = model.config.sam_size
    pixels = torch.empty(images, 3, side, side, device="meta")
    states = torch.empty(masks, model.config.width, dtype=kind, device="meta", requires_grad=True)
    rows = torch.zeros(masks, dtype=torch.int64, device="meta")
    true = torch.empty(picture, dtype=torch.bool, device="meta")

    def run() -> None:
        drawn = model.segmenter.decode(model.segmenter.encode(pixels).pick(rows), model.bridge(states)[:, None])
        losses = [sum(mask_losses(one, true)) for one in drawn.at(picture)[:, 0]]
        torch.autograd.backward(torch.stack(losses).mean())

    return peak_bytes(run)


def _model(sizes: TerraScopeConfig, kind: torch.dtype) -> TerraScopeModel:
    """On the meta device, with attention that keeps what fused kernels keep."""
    AttentionInterface.register(_COUNTED, _attention)
    with torch.device("meta"):
        model = TerraScopeModel(sizes).to(kind)
    for part in model.modules():
        if hasattr(getattr(part, "config", None), "_attn_implementation"):
            part.config._attn_implementation = _COUNTED
    return model


def _one_type(model: TerraScopeModel, kind: torch.dtype) -> None:
    """Activations have the type of the computation, whatever the trained weights are kept in (autocast does that)."""
    for weight in model.parameters():
        weight.data = weight.data.to(kind)


def _cut(written: str, layers: int) -> dict[str, Any]:
    fields = json.loads(written)
    text = fields["vlm_config"]["text_config"]
    rope = {"rope_type": "default", "rope_theta": text["rope_parameters"]["rope_theta"]}
    text.update(num_hidden_layers=layers, layer_types=None, rope_parameters=rope)
    fields["vlm_config"]["vision_config"]["num_hidden_layers"] = layers
    return fields


class _Fused(torch.autograd.Function):
    """Attention as a fused kernel holds it: queries, keys, values and output, no matrix of scores."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        out = query.new_empty(*query.shape[:-1], value.shape[-1])
        ctx.save_for_backward(query, key, value, out)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(torch.empty_like(t) for t in ctx.saved_tensors[:3])


def _attention(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *rest: Any, **more: Any
) -> Any:
    return _Fused.apply(query, key, value).transpose(1, 2).contiguous(), None
