"""Memory: what the network needs on its device, computed from the configuration alone, nothing allocated.

The network is built on torch's meta device, where tensors have shapes and no bytes, and each stage is run there while
live tensors are counted. So the figures follow the code that really runs, at any size. GB are 10⁹ bytes throughout.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from transformers import DynamicCache, Sam2Config, Sam2Model

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.model.build import HIERA, build_config
from terrascope_nb.model.config import TerraScopeConfig
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.peak import peak_bytes
from terrascope_nb.model.regions import CAPS
from terrascope_nb.model.segmenter import Segmenter

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
#: Bytes a weight of a quantised matrix, scales included: a float32 a row of at least 896 weights (8 bit, rounded up to
#: 1/200); a byte a block of 64 and a float32 a block of 64 · 256 (4 bit, NF4 with double quantisation).
QUANTIZED_BYTES = {"8bit": 1 + 1 / 200, "4bit": 0.5 + 1 / 64 + 4 / (64 * 256)}
#: Only the linear layers in here are ever quantised; masks, vision and the output matrix keep the compute type.
QUANTIZED_PART = "vlm.model.language_model.layers"

_VISION = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
# Hidden size, intermediate size, layers, heads, key and value heads of Qwen2.5.
_LLM = {"8B": (3584, 18944, 28, 28, 4), "2B": (1536, 8960, 28, 12, 2), "1B": (896, 4864, 24, 14, 2)}
_SIZES = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
PRESETS = tuple(_LLM)


def preset(name: str) -> TerraScopeConfig:
    """A network of a published InternVL3 size (InternViT-300M, Qwen2.5 7B, 1.5B or 0.5B) with SAM 2 Hiera-L.

    Weights are published for the 8B alone.

    Parameters
    ----------
    name : "8B", "2B" or "1B"

    Examples
    --------
    >>> preset("8B").width
    3584
    """
    if name not in _LLM:
        raise InvalidInput(unknown("size", name, PRESETS))
    width, stages = 144, (2, 6, 36, 4)
    hiera = {"embed_dim": width, "stages": stages, **HIERA[width, stages]}
    llm = {"vocab_size": 151685, **dict(zip(_SIZES, _LLM[name], strict=True))}
    return build_config(_VISION, llm, hiera, region_rule="published")


@dataclass(frozen=True)
class Part:
    """One line of an estimate.

    Attributes
    ----------
    name : str
    bytes : int
    note : str
        What was counted, in a few words.
    """

    name: str
    bytes: int
    note: str = ""


@dataclass(frozen=True)
class MemoryEstimate:
    """What one request needs on the device.

    Attributes
    ----------
    dtype : str
        Type of the computation: "bf16", "fp16" or "fp32".
    quantization : str or None
        "8bit", "4bit" or None.
    parameters : int
        Number of weights of the whole network.
    tokens : int
        Length of the sequence at the end: prompt, visual tokens, answer, region features.
    kv_bytes_per_token : int
        What the KV cache grows by with each token.
    weights : tuple of Part
        Loaded once.
    kept : tuple of Part
        Held until the request is done.
    stages : tuple of Part
        Working memory of each stage at its peak; they follow one another, so the largest counts.
    """

    dtype: str
    quantization: str | None
    parameters: int
    tokens: int
    kv_bytes_per_token: int
    weights: tuple[Part, ...]
    kept: tuple[Part, ...]
    stages: tuple[Part, ...]

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights."""
        return sum(p.bytes for p in self.weights)

    @property
    def working_bytes(self) -> int:
        """Bytes of the stage that needs most."""
        return max(p.bytes for p in self.stages)

    @property
    def total(self) -> int:
        """Bytes at the peak: weights, what is kept, and the largest stage. The driver's own share comes on top."""
        return self.weight_bytes + sum(p.bytes for p in self.kept) + self.working_bytes

    @property
    def mode(self) -> str:
        """The mode in words, e.g. ``"bf16"`` or ``"4bit (computes in bf16)"``."""
        return f"{self.quantization} (computes in {self.dtype})" if self.quantization else self.dtype

    def rows(self) -> list[tuple[str, str, str]]:
        """(name, GB, note) of every part and of the total."""
        largest = max(self.stages, key=lambda p: p.bytes)
        parts = [*self.weights, *self.kept, Part(f"working memory: {largest.name}", largest.bytes, largest.note)]
        return [(p.name, gigabytes(p.bytes), p.note) for p in parts] + [("together", gigabytes(self.total), self.mode)]

    def __str__(self) -> str:
        rows = self.rows()
        width = max(len(r[0]) for r in rows)
        head = f"{self.parameters / 1e9:.2f} billion weights, {self.mode}, {self.tokens:,} tokens; GB of 10⁹ bytes"
        return "\n".join([head, *(f"  {name:<{width}}  {size:>6}  {note}".rstrip() for name, size, note in rows)])

    def _repr_html_(self) -> str:
        from terrascope_nb._html import tag

        head = tag("caption", str(self).splitlines()[0])
        return tag("table", head, [tag("tr", [tag("td", cell) for cell in row]) for row in self.rows()])


def gigabytes(count: int) -> str:
    """Bytes as GB with two digits after the point.

    Examples
    --------
    >>> gigabytes(16_350_287_746)
    '16.35'
    """
    return f"{count / 1e9:.2f}"


def estimate(
    config: TerraScopeConfig,
    dtype: str = "bf16",
    quantization: str | None = None,
    n_tiles: int = 13,
    n_images: int = 1,
    n_masks: int = 3,
    text_tokens: int = 1024,
    picture: tuple[int, int] = (1024, 1024),
) -> MemoryEstimate:
    """Estimate the device memory of one request. Nothing is allocated; takes a second or two at 8 B.

    Parameters
    ----------
    config : TerraScopeConfig
    dtype : "bf16", "fp16" or "fp32"
    quantization : "8bit", "4bit" or None
        Of the language model's linear layers; the rest stays in `dtype`.
    n_tiles : int
        Tiles in the prompt, thumbnail included: 1 to 13 for one image, one an image for several.
    n_images : int
        Images that masks are drawn on; each one's SAM 2 features are kept for the whole request.
    n_masks : int
        ``[SEG]`` in the answer, each followed by as many region features as the configuration's rule allows.
    text_tokens : int
        Tokens of question and answer together.
    picture : (int, int)
        Rows and columns of the image that masks are brought to.

    Raises
    ------
    InvalidInput
        For a type or quantisation that is not known, and for counts that are not positive (masks may be 0).

    Examples
    --------
    >>> from terrascope_nb.model.tiny import tiny_config
    >>> tiny = estimate(tiny_config(), "fp32", n_tiles=1, picture=(64, 64))
    >>> tiny.weight_bytes == 4 * tiny.parameters, tiny.total < 50e6
    (True, True)
    """
    if dtype not in DTYPES:
        raise InvalidInput(unknown("dtype", dtype, DTYPES))
    _check_quantization(quantization)
    counts = {"n_tiles": n_tiles, "n_images": n_images, "text_tokens": text_tokens, "n_masks": n_masks + 1}
    for name, n in counts.items():
        if n < 1:
            raise InvalidInput(f"{name} cannot be {n - (name == 'n_masks')}")
    kind = DTYPES[dtype]
    with torch.device("meta"):
        model = TerraScopeModel(config).to(kind)
    per_token = kv_bytes(config, dtype)
    visual = n_tiles * config.grid**2
    tokens = visual + text_tokens + n_masks * (1 + CAPS[config.region_rule])
    stages, encoded = _stages(config, dtype, n_tiles, tokens, tuple(picture))
    kept = (
        Part("KV cache", tokens * per_token, f"{tokens:,} tokens of {per_token:,} bytes"),
        Part("visual tokens", visual * config.width * kind.itemsize, f"{n_tiles} tiles of {config.grid**2}"),
        Part("SAM 2 features", n_images * encoded, f"{n_images} × {encoded / 1e6:.1f} MB"),
        Part("masks", n_masks * math.prod(picture) * 5, f"{n_masks} with probabilities, {picture[0]} × {picture[1]}"),
    )
    count = sum(p.numel() for p in model.parameters())
    return MemoryEstimate(dtype, quantization, count, tokens, per_token, _weights(model, quantization), kept, stages)


def kv_bytes(config: TerraScopeConfig, dtype: str = "bf16") -> int:
    """Bytes that the KV cache grows by with each token: a key and a value a layer.

    Examples
    --------
    >>> kv_bytes(preset("8B"))
    57344
    """
    text = config.vlm_config.text_config
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return 2 * text.num_hidden_layers * text.num_key_value_heads * head * DTYPES[dtype].itemsize


def weight_bytes(config: TerraScopeConfig, dtype: str = "bf16", quantization: str | None = None) -> int:
    """Bytes of the weights alone; what loading needs."""
    if dtype not in DTYPES:
        raise InvalidInput(unknown("dtype", dtype, DTYPES))
    _check_quantization(quantization)
    with torch.device("meta"):
        model = TerraScopeModel(config).to(DTYPES[dtype])
    return sum(p.bytes for p in _weights(model, quantization))


def _check_quantization(quantization: str | None) -> None:
    if quantization is not None and quantization not in QUANTIZED_BYTES:
        raise InvalidInput(unknown("quantization", quantization, QUANTIZED_BYTES) + ", or None")


def _weights(model: TerraScopeModel, quantization: str | None) -> tuple[Part, ...]:
    """Bytes of the parts of the network; its buffers, a few hundred numbers, are left out."""
    groups = {
        "language model": [model.language, model.vlm.lm_head],
        "vision tower, projector": [model.vlm.model.vision_tower, model.vlm.model.multi_modal_projector],
        "SAM 2": [model.sam],
        "bridge": [model.bridge],
    }
    small = {
        id(module.weight)
        for name, module in model.named_modules()
        if quantization and name.startswith(QUANTIZED_PART) and isinstance(module, torch.nn.Linear)
    }
    parts = []
    for name, modules in groups.items():
        count, size = 0, 0.0
        for module in modules:
            for p in module.parameters():
                count += p.numel()
                size += p.numel() * (QUANTIZED_BYTES[str(quantization)] if id(p) in small else p.element_size())
        parts.append(Part(name, math.ceil(size), f"{count / 1e6:,.1f} million weights"))
    return tuple(parts)


# ---- stages, run on the meta device -------------------------------------------------------------------------------


def _stages(
    config: TerraScopeConfig, dtype: str, tiles: int, tokens: int, picture: tuple[int, int]
) -> tuple[tuple[Part, ...], int]:
    """Each stage's working memory at its peak, and the bytes of one image's SAM 2 features."""
    side, written = config.sam_size, config.to_json_string(use_diff=False)
    encoder, decoder, features = _segmenting(config.sam_config.to_json_string(use_diff=False), dtype, picture)
    vision, prefill = _reading(written, dtype, tiles, tokens)
    return (
        Part("SAM 2 encoder", encoder, f"one image at {side} × {side}"),
        Part("vision tower", vision, f"{tiles} tiles at once"),
        Part("prefill", prefill, f"{tokens:,} tokens at once"),
        Part("mask decoder", decoder, f"one mask, brought to {picture[0]} × {picture[1]}"),
    ), features


@lru_cache(maxsize=64)
def _segmenting(written: str, dtype: str, picture: tuple[int, int]) -> tuple[int, int, int]:
    """Peak bytes of SAM 2's encoder and decoder, bytes of its features; `written` is its configuration as JSON."""
    config, kind, made = Sam2Config(**json.loads(written)), DTYPES[dtype], []
    with torch.no_grad(), torch.device("meta"):
        segmenter = Segmenter(Sam2Model(config).to(kind).eval())
        square = torch.empty(1, 3, segmenter.side, segmenter.side)
        encoder = peak_bytes(lambda: made.append(segmenter.encode(square)))
        encoded = made[0]
        state = torch.empty(1, 1, config.prompt_encoder_config.hidden_size, dtype=kind)
        decoder = peak_bytes(lambda: segmenter.decode(encoded, state).at(picture).sigmoid())
    return encoder, decoder, sum(_bytes(t) for t in (encoded.fine, encoded.middle, encoded.coarse))


@lru_cache(maxsize=64)
def _reading(written: str, dtype: str, tiles: int, tokens: int) -> tuple[int, int]:
    """Peak bytes of the vision tower and of the prefill; `written` is the network's configuration as JSON.

    Both are run with two of their layers: the layers are alike, and one's working memory is free before the next needs
    its own. (SAM 2, whose stages differ, is run whole.)
    """
    fields = json.loads(written)
    # Dynamic scaling looks at the positions, which the meta device does not have; it takes no memory of its own.
    theta = fields["vlm_config"]["text_config"]["rope_parameters"]["rope_theta"]
    rope = {"rope_type": "default", "rope_theta": theta}
    fields["vlm_config"]["text_config"].update(num_hidden_layers=2, layer_types=None, rope_parameters=rope)
    fields["vlm_config"]["vision_config"]["num_hidden_layers"] = 2
    config, kind = TerraScopeConfig(**fields), DTYPES[dtype]
    with torch.no_grad(), torch.device("meta"):
        model = TerraScopeModel(config).to(kind).eval()
        pixels = torch.empty(tiles, 3, config.tile, config.tile)
        text, cache = torch.empty(1, tokens, config.width, dtype=kind), DynamicCache()
        vision = peak_bytes(lambda: model.visual(pixels))
        prefill = peak_bytes(lambda: model.predict(model.read(text, cache)[:, -1]))
    return vision, prefill + _bytes(text) - tokens * kv_bytes(config, dtype)  # the cache counts as kept


def _bytes(t: torch.Tensor) -> int:
    return t.untyped_storage().nbytes()
