"""Segmenter: SAM 2 driven by a language prompt. Encode an image once, decode many masks from the handle."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import Sam2Model

from terrascope_nb.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class EncodedImages:
    """What SAM 2 keeps of B images; `Segmenter.decode` draws masks from it.

    Attributes
    ----------
    fine, middle, coarse : torch.Tensor
        (B, C/8, S/4, S/4), (B, C/4, S/8, S/8) and (B, C, S/16, S/16): S is the picture's side, C the hidden size.
    """

    fine: Tensor
    middle: Tensor
    coarse: Tensor

    def __len__(self) -> int:
        return self.coarse.shape[0]

    def pick(self, index: int | Tensor) -> EncodedImages:
        """One image, or several by a tensor of indices, also with repeats."""
        at = torch.tensor([index]) if isinstance(index, int) else index
        at = at.to(self.coarse.device)
        return EncodedImages(self.fine[at], self.middle[at], self.coarse[at])


@dataclass(frozen=True, eq=False)
class Masks:
    """Masks as the decoder gives them, before they are brought to an image's size.

    Attributes
    ----------
    logits : torch.Tensor
        (B, K, S/4, S/4): of three candidates the one whose predicted IoU is highest.
    iou : torch.Tensor
        (B, K): that predicted IoU, 0…1.
    side : int
        S, the side of the picture that was encoded; `at` goes over it.
    """

    logits: Tensor
    iou: Tensor
    side: int

    def at(self, size: tuple[int, int]) -> Tensor:
        """Logits at an image's own (rows, columns): (B, K, H, W) float32, bilinear by way of the encoded side."""
        squared = F.interpolate(self.logits.float(), (self.side, self.side), mode="bilinear", align_corners=False)
        return F.interpolate(squared, size, mode="bilinear", align_corners=False)


class Segmenter:
    """Drives a `Sam2Model`; holds no image.

    Attributes
    ----------
    encoder_calls, decoder_calls : int
        How many images were encoded and how many masks were decoded since the segmenter was made.
    """

    def __init__(self, sam: Sam2Model) -> None:
        self.sam = sam
        self.encoder_calls = self.decoder_calls = 0

    @property
    def side(self) -> int:
        """Side of the picture that is encoded, pixels."""
        return int(self.sam.prompt_encoder.input_image_size)

    def encode(self, pixels: Tensor) -> EncodedImages:
        """Encode B images: (B, 3, S, S) normalised pixels. Gradients flow where they are on.

        Raises
        ------
        InvalidInput
            For pixels of another shape; both are in the message.
        """
        if pixels.ndim != 4 or pixels.shape[1:] != (3, self.side, self.side):
            raise InvalidInput(f"SAM 2 takes (B, 3, {self.side}, {self.side}) here, got {tuple(pixels.shape)}")
        self.encoder_calls += len(pixels)
        weight = self.sam.no_memory_embedding
        maps = list(self.sam.get_image_features(pixels.to(weight.device, weight.dtype)).fpn_hidden_states)
        maps[-1] = maps[-1] + weight
        fine, middle, coarse = (
            m.permute(1, 2, 0).reshape(len(pixels), -1, *size)
            for m, size in zip(maps, self.sam.backbone_feature_sizes, strict=True)
        )
        return EncodedImages(fine, middle, coarse)

    def decode(self, encoded: EncodedImages, prompts: Tensor) -> Masks:
        """Decode K masks for each of B images in one call.

        Parameters
        ----------
        encoded : EncodedImages
            Of B images.
        prompts : torch.Tensor
            (B, K, C) bridged states of ``[SEG]``, or (K, C) for one image.

        Raises
        ------
        InvalidInput
            When images and prompts are not equally many.
        """
        prompts = prompts[None] if prompts.ndim == 2 else prompts
        batch, count, _ = prompts.shape
        if batch != len(encoded):
            raise InvalidInput(f"{len(encoded)} encoded images and prompts for {batch}: give as many of both")
        self.decoder_calls += batch * count
        sam, device = self.sam, encoded.coarse.device
        prompts = prompts.to(device, encoded.coarse.dtype)
        # No point is given: an empty one, which the prompt encoder pads with a second. The state stands behind them.
        sparse, dense = sam.prompt_encoder(
            input_points=torch.zeros(batch, count, 1, 2, device=device, dtype=prompts.dtype),
            input_labels=torch.full((batch, count, 1), -1, dtype=torch.int32, device=device),
            input_boxes=None,
            input_masks=None,
        )
        logits, iou, _, _ = sam.mask_decoder(
            image_embeddings=encoded.coarse,
            image_positional_embeddings=sam.get_image_wide_positional_embeddings().repeat(batch, 1, 1, 1),
            sparse_prompt_embeddings=torch.cat([sparse.to(prompts.dtype), prompts[:, :, None]], dim=2),
            dense_prompt_embeddings=dense,
            multimask_output=True,
            high_resolution_features=[encoded.fine, encoded.middle],
        )
        best = iou.argmax(-1, keepdim=True)
        chosen = logits.gather(2, best[..., None, None].expand(-1, -1, 1, *logits.shape[-2:]))[:, :, 0]
        return Masks(chosen, iou.gather(2, best)[..., 0], self.side)
