"""The network: InternVL reads and writes, the bridge carries the state of each ``[SEG]``, SAM 2 draws the mask."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import InternVLForConditionalGeneration, PreTrainedModel, Qwen2Model, Sam2Model
from transformers import initialization as init
from transformers.utils import ModelOutput

from terrascope_nb.errors import InvalidInput
from terrascope_nb.model import fusion
from terrascope_nb.model.config import TerraScopeConfig
from terrascope_nb.model.segmenter import Masks, Segmenter

#: The label of what is not learnt.
IGNORED = -100
#: What transformers calls the KV cache among its arguments.
CACHE = "cache" if "cache" in inspect.signature(Qwen2Model.forward).parameters else "past_key_values"


@dataclass
class TrainingOutput(ModelOutput):
    """What `TerraScopeModel.forward` returns.

    Attributes
    ----------
    loss : torch.Tensor or None
        (): ``text_loss + mask_weight · mask_loss``; None without labels and masks.
    text_loss : torch.Tensor or None
        (): mean cross-entropy of the labels that are not −100.
    mask_loss : torch.Tensor or None
        (): ``dice_loss + pixel_loss``.
    dice_loss, pixel_loss : torch.Tensor or None
        (): means over the masks of either part; see `mask_losses`.
    logits : torch.Tensor or None
        (B, L, V) of the next token; None with ``keep_logits=False``.
    mask_logits : tuple of torch.Tensor
        One a ``[SEG]`` in the order of the batch: (H, W) at its true mask's size, or (S/4, S/4) without masks.
    mask_iou : torch.Tensor or None
        (N,) the decoder's own guess of each mask's IoU.
    """

    loss: Tensor | None = None
    text_loss: Tensor | None = None
    mask_loss: Tensor | None = None
    dice_loss: Tensor | None = None
    pixel_loss: Tensor | None = None
    logits: Tensor | None = None
    mask_logits: tuple[Tensor, ...] | None = None
    mask_iou: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Partner:
    """A region that two sensors saw.

    Attributes
    ----------
    start, end : int
        Its rows in ``region_tokens``, which name tokens of the optical image.
    optical, sar : int
        Row of each image's first token among the visual tokens of the batch.
    count : int
        Tokens of either image.
    question : torch.Tensor
        (L,) int64, ids of the tokens that the features are compared with: the question's.
    """

    start: int
    end: int
    optical: int
    sar: int
    count: int
    question: Tensor


class TerraScopeModel(PreTrainedModel):
    """InternVL, a two-layer bridge and SAM 2, all of them transformers' own modules.

    `save_pretrained` and `from_pretrained` are those of transformers: safetensors, in shards. So are training with its
    Trainer and adapters by peft. Gradient checkpointing must not be re-entrant (``use_reentrant=False``, the default):
    the other kind loses the gradients of the masks. In a batch without masks bridge and decoder have no gradient, which
    several processes must be told (``find_unused_parameters``).

    Examples
    --------
    >>> from terrascope_nb.model.tiny import tiny_model
    >>> model, processor = tiny_model()
    >>> model.bridge[2].out_features == model.config.prompt_width
    True
    """

    config_class = TerraScopeConfig
    base_model_prefix = ""
    supports_gradient_checkpointing = True
    _no_split_modules = ["Qwen2DecoderLayer", "InternVLVisionLayer", "Sam2MultiScaleBlock", "Sam2MaskDecoder"]
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True

    def __init__(self, config: TerraScopeConfig) -> None:
        super().__init__(config)
        self.vlm = InternVLForConditionalGeneration(config.vlm_config)
        self.sam = Sam2Model(config.sam_config)
        self.bridge = nn.Sequential(
            nn.Linear(config.width, config.width), nn.ReLU(), nn.Linear(config.width, config.prompt_width)
        )
        self._segmenter = Segmenter(self.sam)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """The bridge starts as torch's own linear layers do, everything else as transformers' modules do."""
        if isinstance(module, nn.Linear) and any(module is part for part in self.bridge):
            init.kaiming_uniform_(module.weight, a=math.sqrt(5))
            init.uniform_(module.bias, -(module.in_features**-0.5), module.in_features**-0.5)
        else:
            super()._init_weights(module)

    # ---- parts ------------------------------------------------------------------------------------------------
    @property
    def segmenter(self) -> Segmenter:
        """What drives `sam`, whichever module stands there: adapters put copies of their own in its place."""
        self._segmenter.sam = self.sam
        return self._segmenter

    @property
    def language(self) -> Qwen2Model:
        """The language model without its head."""
        return self.vlm.model.language_model

    def get_input_embeddings(self) -> nn.Module:
        """The language model's token embeddings."""
        return self.language.embed_tokens

    def visual(self, tiles: Tensor) -> Tensor:
        """Visual tokens after the projector: (T, 3, tile, tile) → (T · grid², D), tile by tile in row order."""
        tiles = tiles.to(self.device, self.vlm.model.vision_tower.dtype)
        return self.vlm.model.get_image_features(tiles).pooler_output.flatten(0, 1)

    def embed(self, ids: Tensor, visual: Tensor | None = None) -> Tensor:
        """Embed tokens, visual ones in the place of the image placeholders: (…, L) → (…, L, D).

        Raises
        ------
        InvalidInput
            When placeholders and visual tokens are not equally many; both numbers are in the message.
        """
        ids = ids.to(self.device)
        embedded = self.get_input_embeddings()(ids)
        places = ids == self.config.vlm_config.image_token_id
        have, want = 0 if visual is None else len(visual), int(places.sum())
        if have != want:
            raise InvalidInput(f"the text has {want} image placeholders, the pictures give {have} visual tokens")
        return embedded if visual is None else _put(embedded, places, visual)

    def read(
        self, embedded: Tensor, cache: Any = None, mask: Tensor | None = None, positions: Tensor | None = None
    ) -> Tensor:
        """Run the language model on embeddings: (B, L, D) → hidden states after the final norm, (B, L, D).

        Parameters
        ----------
        embedded : torch.Tensor
        cache : transformers Cache, optional
            What was read before; grows in place.
        mask : torch.Tensor, optional
            (B, all that was read and is read now): 0 where nothing stands.
        positions : torch.Tensor, optional
            (B, L) positions in the text; by default they go on from the cache's length.
        """
        options = {CACHE: cache, "use_cache": True} if cache is not None else {"use_cache": False}
        return self.language(
            inputs_embeds=embedded, attention_mask=mask, position_ids=positions, **options
        ).last_hidden_state

    def predict(self, hidden: Tensor) -> Tensor:
        """Logits of the next token: (…, D) → (…, V)."""
        return self.vlm.lm_head(hidden)

    # ---- training ---------------------------------------------------------------------------------------------
    def forward(
        self,
        input_ids: Tensor,
        tiles: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        sam_pixels: Tensor | None = None,
        mask_images: Tensor | None = None,
        masks: Sequence[Tensor] | None = None,
        region_tokens: Tensor | None = None,
        partners: Sequence[Partner] = (),
        fusion_mode: str = "adaptive",
        fusion_scope: str = "image",
        keep_logits: bool = True,
    ) -> TrainingOutput:
        """One pass over whole texts, the features of the true masks standing at the ``<REGION>`` tokens.

        Parameters
        ----------
        input_ids : torch.Tensor
            (B, L) int64, padded on the right.
        tiles : torch.Tensor
            (T, 3, tile, tile): tiles of all samples in order.
        attention_mask : torch.Tensor, optional
            (B, L), 0 at padding.
        labels : torch.Tensor, optional
            (B, L) int64, −100 where nothing is learnt: the prompt, ``<REGION>``, padding.
        sam_pixels : torch.Tensor, optional
            (M, 3, S, S): the pictures that masks are drawn on.
        mask_images : torch.Tensor, optional
            (N,) int64: of each ``[SEG]`` in the order of the batch, the row of `sam_pixels`.
        masks : sequence of torch.Tensor, optional
            N true masks, (H, W) bool each, of any sizes. Without `sam_pixels` and masks the text alone is learnt.
        region_tokens : torch.Tensor, optional
            (R,) int64: of each ``<REGION>`` in the order of the batch, the row among the visual tokens of all samples.
        partners : sequence of Partner, optional
            Regions whose features are chosen between two sensors.
        fusion_mode, fusion_scope : str
            As `fusion.choose` takes them, and as `samples.collate` was told: ``"concat"`` has twice the ``<REGION>``
            where a region has a partner.
        keep_logits : bool
            False, with labels: the vocabulary is gone over only where something is learnt, and no logits are kept. A
            prompt is mostly picture, so that saves most of the memory that they take.

        Raises
        ------
        InvalidInput
            When ``[SEG]`` and masks, or ``<REGION>`` and features, are not equally many, and when labels are −100
            throughout.
        """
        ids = input_ids.to(self.device)
        labels = None if labels is None else labels.to(self.device)
        visual = self.visual(tiles)
        embedded = self.embed(ids, visual)
        regions = ids == self.config.region_token_id
        features = (
            visual[:0]
            if region_tokens is None
            else self._features(visual, region_tokens, partners, fusion_mode, fusion_scope)
        )
        if len(features) != int(regions.sum()):
            raise InvalidInput(f"the texts have {int(regions.sum())} <REGION>, {len(features)} features were given")
        embedded = _put(embedded, regions, features)
        hidden = self.read(embedded, mask=None if attention_mask is None else attention_mask.to(self.device))
        out = TrainingOutput()
        if keep_logits or labels is None:
            out.logits = self.predict(hidden)
        where = ids == self.config.seg_token_id
        if labels is not None:
            out.text_loss = self._text_loss(hidden, labels, out.logits)
            where &= labels != IGNORED  # a [SEG] that the prompt only speaks of asks for no mask
        if sam_pixels is not None and (masks or bool(where.any())):
            self._draw(out, hidden[where], sam_pixels, mask_images, masks)
        elif masks:
            raise InvalidInput(f"{len(masks)} masks came without sam_pixels, the pictures that they lie on")
        weighed = None if out.mask_loss is None else self.config.mask_weight * out.mask_loss
        losses = [loss for loss in (out.text_loss, weighed) if loss is not None]
        out.loss = sum(losses[1:], losses[0]) if losses else None
        return out

    def _text_loss(self, hidden: Tensor, labels: Tensor, logits: Tensor | None) -> Tensor:
        """Mean cross-entropy of the next tokens that have a label."""
        learnt = labels[:, 1:] != IGNORED
        if not bool(learnt.any()):
            raise InvalidInput(f"all {labels.numel()} labels are {IGNORED}: there is no text to learn in this batch")
        chosen = self.predict(hidden[:, :-1][learnt]) if logits is None else logits[:, :-1][learnt]
        return F.cross_entropy(chosen.float(), labels[:, 1:][learnt])

    def _features(self, visual: Tensor, tokens: Tensor, partners: Sequence[Partner], mode: str, scope: str) -> Tensor:
        """Features of the regions, (R, D), those of partners by the sensor that fits their question.

        With ``"concat"`` a partner gives the features of both sensors, so there are more than tokens.
        """
        tokens = tokens.to(self.device)
        parts: list[Tensor] = []
        at = 0
        for p in sorted(partners, key=lambda p: p.start):
            parts.append(visual[tokens[at : p.start]])
            one, other = visual[p.optical : p.optical + p.count], visual[p.sar : p.sar + p.count]
            queries = self.get_input_embeddings()(p.question.to(self.device))
            parts.append(fusion.choose(one, other, queries, tokens[p.start : p.end] - p.optical, mode, scope).features)
            at = p.end
        return torch.cat([*parts, visual[tokens[at:]]])

    def _draw(
        self, out: TrainingOutput, states: Tensor, pixels: Tensor, images: Tensor | None, masks: Sequence[Tensor] | None
    ) -> None:
        """Decode a mask for each state, and its loss where true masks are given."""
        count = len(states)
        rows = torch.zeros(count, dtype=torch.int64) if images is None and len(pixels) == 1 else images
        if rows is None or len(rows) != count or (masks is not None and len(masks) != count):
            told = (
                f"{'no' if rows is None else len(rows)} mask_images and {'no' if masks is None else len(masks)} masks"
            )
            raise InvalidInput(f"the texts have {count} [SEG], with them came {told}")
        encoded = self.segmenter.encode(pixels).pick(rows)
        drawn = self.segmenter.decode(encoded, self.bridge(states)[:, None])
        out.mask_iou = drawn.iou[:, 0]
        if masks is None:
            out.mask_logits = tuple(drawn.logits[:, 0])
            return
        each = [
            Masks(drawn.logits[k : k + 1], drawn.iou[k : k + 1], drawn.side).at(tuple(m.shape[-2:]))[0, 0]
            for k, m in enumerate(masks)
        ]
        out.mask_logits = tuple(each)
        losses = [mask_losses(one, true.to(one.device)) for one, true in zip(each, masks, strict=True)]
        out.dice_loss, out.pixel_loss = (torch.stack(part).mean() for part in zip(*losses, strict=True))
        out.mask_loss = out.dice_loss + out.pixel_loss


def mask_losses(logits: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """Dice loss, and mean cross-entropy of the pixels, of one mask: (H, W) logits and (H, W) bool → () each.

    The Dice loss is ``1 − (2·Σ p·t + 1) / (Σ p + Σ t + 1)``; the ones keep it finite for an empty mask.
    """
    target = true.to(logits.dtype)
    chance = logits.sigmoid()
    dice = 1 - (2 * (chance * target).sum() + 1) / (chance.sum() + target.sum() + 1)
    return dice, F.binary_cross_entropy_with_logits(logits, target)


def _put(embedded: Tensor, places: Tensor, features: Tensor) -> Tensor:
    """Embeddings with `features` in the places, in order; gradients flow to both."""
    return embedded.masked_scatter(places[..., None].expand_as(embedded), features.to(embedded.device, embedded.dtype))
