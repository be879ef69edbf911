"""Configuration of the network: InternVL, SAM 2, the bridge between them, and how its weights are meant to be used."""

from __future__ import annotations

from typing import Any

from transformers import InternVLConfig, PreTrainedConfig, Sam2Config

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput

REGION_RULES = ("paper", "published")
#: Tokens of the vocabulary that the network acts on, by name; the tokenizer that came with the weights has their ids.
SPECIAL = {
    "turn": "<|im_start|>",
    "end": "<|im_end|>",
    "image_start": "<img>",
    "image_end": "</img>",
    "image": "<IMG_CONTEXT>",
    "seg": "[SEG]",
    "region": "<REGION>",
}
#: Tokens added to the Qwen2 tokenizer, in this order.
ADDED = (
    "<think>", "</think>", "<answer>", "</answer>", "[SEG]", "<REGION>", "<p>", "</p>", "<vp>", "</vp>", "<|end|>",
)  # fmt: skip


class TerraScopeConfig(PreTrainedConfig):
    """Everything that `TerraScopeModel` is built from; tiny to 8 B.

    Attributes
    ----------
    vlm_config : InternVLConfig
        Vision tower (a tile is ``image_size`` pixels square), projector, Qwen2.
    sam_config : Sam2Config
        Hiera encoder, prompt encoder, mask decoder; one hidden size for all three.
    seg_token_id, region_token_id : int
        Ids of ``[SEG]`` and ``<REGION>``. The image placeholder's is ``vlm_config.image_token_id``.
    max_tiles : int
        Most tiles that a single image is cut into; a thumbnail comes on top when there is more than one.
    region_rule : "paper" or "published"
        How a mask became tokens when the weights were trained: what a reasoner does unless told otherwise.
    measured_in_loop : bool
        Whether the weights were trained to read measured figures after each ``[SEG]``.
    mask_weight : float
        Weight of the mask loss beside the text loss.
    origin : dict
        Where converted weights come from: ``source``, ``revision``, ``sha256`` of each file. Empty for own weights.

    Examples
    --------
    >>> from terrascope_nb.model.tiny import tiny_config
    >>> config = tiny_config()
    >>> config.tile, config.grid, config.sam_size
    (112, 4, 128)
    """

    model_type = "terrascope_nb"
    sub_configs_defaults = {"vlm_config": InternVLConfig, "sam_config": Sam2Config}

    vlm_config: dict | PreTrainedConfig | None = None
    sam_config: dict | PreTrainedConfig | None = None
    seg_token_id: int = 151678
    region_token_id: int = 151679
    max_tiles: int = 12
    region_rule: str = "paper"
    measured_in_loop: bool = False
    mask_weight: float = 0.5
    origin: dict | None = None
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        self.origin = dict(self.origin or {})
        if self.region_rule not in REGION_RULES:
            raise InvalidInput(unknown("region rule", self.region_rule, REGION_RULES))
        if self.max_tiles < 1:
            raise InvalidInput(f"max_tiles is at least 1, got {self.max_tiles}")
        vision, sam = self.vlm_config.vision_config, self.sam_config
        height, width = vision.image_size
        step = vision.patch_size[0] * int(1 / self.vlm_config.downsample_ratio)
        if height != width or height % step:
            raise InvalidInput(f"a tile is square and a multiple of {step} pixels, got {height} × {width}")
        hidden = {
            "vision_config.fpn_hidden_size": sam.vision_config.fpn_hidden_size,
            "prompt_encoder_config.hidden_size": sam.prompt_encoder_config.hidden_size,
            "mask_decoder_config.hidden_size": sam.mask_decoder_config.hidden_size,
        }
        if len(set(hidden.values())) > 1:
            raise InvalidInput(f"SAM 2 has one hidden size; here {', '.join(f'{k} = {v}' for k, v in hidden.items())}")
        vocabulary = self.vlm_config.text_config.vocab_size
        for name in ("seg_token_id", "region_token_id"):
            if not 0 <= getattr(self, name) < vocabulary:
                raise InvalidInput(f"{name} = {getattr(self, name)} is outside the vocabulary of {vocabulary} tokens")

    @property
    def tile(self) -> int:
        """Side of a tile, pixels."""
        return self.vlm_config.vision_config.image_size[0]

    @property
    def grid(self) -> int:
        """Visual tokens along a side of a tile (16 for the published weights)."""
        patches = self.tile // self.vlm_config.vision_config.patch_size[0]
        return int(patches * self.vlm_config.downsample_ratio)

    @property
    def sam_size(self) -> int:
        """Side of the square picture that SAM 2 encodes, pixels."""
        return self.sam_config.prompt_encoder_config.image_size

    @property
    def width(self) -> int:
        """Size of the language model's hidden state."""
        return self.vlm_config.text_config.hidden_size

    @property
    def prompt_width(self) -> int:
        """Size of a prompt of SAM 2's mask decoder (256 for the published weights)."""
        return self.sam_config.prompt_encoder_config.hidden_size
