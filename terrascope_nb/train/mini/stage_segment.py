"""Stage 1: SAM 2 learns to see, then to draw, prompted by one vector a class.

The vectors are random and fixed from the start: the language model, whose ``[SEG]`` states are drawn to them, need not
wait for this stage and can be trained beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import Sam2Model

from terrascope_nb.model.config import TerraScopeConfig
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import sam_pixels
from terrascope_nb.model.segmenter import EncodedImages, Segmenter
from terrascope_nb.train.mini.language import LABELS
from terrascope_nb.train.mini.scenes import Kept
from terrascope_nb.train.mini.state import Plan

PLAN = Plan(rate=6e-4, steps=2600, batch=16)
SEE = Plan(rate=8e-4, steps=1800, batch=16)
PROMPTS = 3  # a picture
SIDE = 32  # of the masks that are learnt: a quarter of SAM 2's picture
CLOUD = LABELS.index("cloud")
LEAST = 0.005  # share of the picture that a class must have to be asked for on purpose
RANDOM = 0.15  # images whose prompts are drawn from all classes, so that empty masks are learnt


class ClassPrompts(nn.Module):
    """SAM 2, a prompt vector for each class, and a linear head that tells classes from SAM 2's features by itself.

    The head is dropped later: it gives the encoder a gradient for every cell, long before the decoder draws anything.
    """

    def __init__(self, model: TerraScopeModel, seed: int = 0) -> None:
        super().__init__()
        self.sam: Sam2Model = model.sam
        width = model.config.prompt_width
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.cells = nn.Conv2d(width // 8 + width // 4 + width, len(LABELS) + 1, 1)
        self.vectors = nn.Parameter(class_vectors(model.config, seed), requires_grad=False)
        self._driver = Segmenter(self.sam)

    def candidates(self, pixels: Tensor, classes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 3, S, S), (B, K) → masks (B, K, 3, s, s), IoU guesses (B, K, 3), class logits (B, n, s, s); s = S/4."""
        encoded = self._driver.encode(pixels)
        return *decode_all(self.sam, encoded, self.vectors[classes]), self.tell(encoded)

    def tell(self, encoded: EncodedImages) -> Tensor:
        """Class logits of each cell, (B, n, S/4, S/4)."""
        side = encoded.fine.shape[-2:]
        grown = [F.interpolate(m, side, mode="bilinear") for m in (encoded.middle, encoded.coarse)]
        return self.cells(torch.cat([encoded.fine, *grown], 1))

    def see(self, pixels: Tensor) -> Tensor:
        """Class logits of pictures, without the decoder."""
        return self.tell(self._driver.encode(pixels))


def class_vectors(config: TerraScopeConfig, seed: int) -> Tensor:
    """(classes, C): the prompt vector of each class, drawn from a seed."""
    return torch.randn(len(LABELS), config.prompt_width, generator=torch.Generator().manual_seed(seed))


def decode_all(sam: Sam2Model, encoded: EncodedImages, prompts: Tensor) -> tuple[Tensor, Tensor]:
    """`Segmenter.decode` with all three candidates of each mask."""
    batch, count, _ = prompts.shape
    sparse, dense = sam.prompt_encoder(
        input_points=torch.zeros(batch, count, 1, 2), input_labels=torch.full((batch, count, 1), -1, dtype=torch.int32),
        input_boxes=None, input_masks=None,
    )  # fmt: skip
    logits, iou, _, _ = sam.mask_decoder(
        image_embeddings=encoded.coarse,
        image_positional_embeddings=sam.get_image_wide_positional_embeddings().repeat(batch, 1, 1, 1),
        sparse_prompt_embeddings=torch.cat([sparse.to(prompts.dtype), prompts[:, :, None]], dim=2),
        dense_prompt_embeddings=dense,
        multimask_output=True,
        high_resolution_features=[encoded.fine, encoded.middle],
    )
    return logits, iou


@dataclass(frozen=True, eq=False)
class Drawn:
    """A batch.

    Attributes
    ----------
    pixels : torch.Tensor
        (B, 3, 128, 128).
    classes : torch.Tensor
        (B, K) int64, asked for.
    masks, counts : torch.Tensor
        (B, K, 32, 32): share of each cell that the mask covers, and that counts.
    ground : torch.Tensor
        (B, n + 1, 32, 32): share of each class in each cell; last: none of them.
    """

    pixels: Tensor
    classes: Tensor
    masks: Tensor
    counts: Tensor
    ground: Tensor


def draw_batch(scenes: Sequence[Kept], rng: np.random.Generator, images: int) -> Drawn:
    """Draw pictures and classes.

    A picture is the optical view, the radar view, or both in one (`pictures.fused`). What hides the
    ground of an optical view does not count, except for the class «cloud».
    """
    rows = []
    for _ in range(images):
        scene = scenes[rng.integers(len(scenes))]
        date = int(rng.integers(scene.dates))
        kind = str(rng.choice(["optical", "sar", "both"], p=[0.35, 0.15, 0.5]))
        picture = {"optical": scene.optical, "sar": scene.sar}.get(kind)
        picture = scene.fused(date) if picture is None else picture[date]
        ground = np.minimum(scene.labels[date], len(LABELS))
        seen = np.ones_like(scene.hidden[date])
        if kind == "optical":
            seen = ~scene.hidden[date]
            ground = np.where(scene.cloud[date], CLOUD, np.where(seen, ground, len(LABELS)))
        present = [k for k in range(len(LABELS)) if (ground == k).mean() >= LEAST]
        pool = list(range(len(LABELS))) if rng.random() < RANDOM or not present else present
        classes = rng.choice(pool, PROMPTS, replace=len(pool) < PROMPTS)
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        hot = _cells(_turned(np.stack([ground == k for k in range(len(LABELS) + 1)], -1), turns, flip))
        counts = _cells(_turned(np.stack([seen, np.ones_like(seen)], -1), turns, flip))
        rows.append((
            sam_pixels(_turned(picture, turns, flip), 4 * SIDE), torch.from_numpy(classes.astype(np.int64)),
            hot[classes], counts[(classes == CLOUD).astype(int)], hot,
        ))  # fmt: skip
    return Drawn(*(torch.stack(part) for part in zip(*rows, strict=True)))


def segment_loss(
    module: ClassPrompts, batch: tuple[Tensor, Tensor, Tensor, Tensor]
) -> tuple[Tensor, Mapping[str, float]]:
    """2·BCE of all three candidates + 0.5·Dice (where there is something) + 0.5·MSE of the IoU guesses + cells' CE."""
    masks, counts = batch.masks, batch.counts
    logits, guess, cells = module.candidates(batch.pixels, batch.classes)
    dense = _cells_off(cells, batch)
    target, weight = masks[:, :, None].expand_as(logits), counts[:, :, None].expand_as(logits)
    bce = (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * weight).sum((-2, -1))
    bce = bce / weight.sum((-2, -1)).clamp(min=1)
    chance = logits.sigmoid() * weight
    both, either = (chance * target).sum((-2, -1)), (chance + target * weight).sum((-2, -1))
    dice = 1 - (2 * both + 1) / (either + 1)
    there = (masks * counts).sum((-2, -1)) > 4
    with torch.no_grad():
        hard, true = (logits > 0) & (weight > 0.5), (target > 0.5) & (weight > 0.5)
        union = (hard | true).sum((-2, -1))
        iou = torch.where(union > 0, (hard & true).sum((-2, -1)) / union.clamp(min=1), torch.ones_like(guess))
    pixel, shape, guessed = (
        bce.mean(),
        dice[there].mean() if bool(there.any()) else dice.sum() * 0,
        F.mse_loss(guess, iou),
    )
    best = iou.gather(2, guess.argmax(2, keepdim=True))[..., 0]
    told = {"bce": pixel, "dice": shape, "iou_error": guessed, "cells": dense}
    told = {k: float(v.detach()) for k, v in told.items()} | {"iou": _mean(best[there])}
    return 2 * pixel + 0.5 * shape + 0.5 * guessed + dense, told


def see_loss(module: ClassPrompts, batch: Drawn) -> tuple[Tensor, Mapping[str, float]]:
    """Cross-entropy of the class shares of each cell: three times as many steps in the same time as with masks."""
    cells = module.see(batch.pixels)
    right = (cells.argmax(1) == batch.ground.argmax(1)).float().mean()
    loss = _cells_off(cells, batch)
    return loss, {"right": float(right)}


def _cells_off(cells: Tensor, batch: Drawn) -> Tensor:
    return -(batch.ground * cells.log_softmax(1)).sum(1).mean()


def _mean(values: Tensor) -> float:
    return float(values.mean()) if len(values) else 0.0


def _turned(array: np.ndarray, turns: int, flip: bool) -> np.ndarray:
    turned = np.rot90(array, turns)
    return np.ascontiguousarray(turned[:, ::-1] if flip else turned)


def _cells(mask: np.ndarray) -> Tensor:
    """(H, W, n) bool → (n, 32, 32): share of each cell."""
    return F.adaptive_avg_pool2d(torch.from_numpy(mask).permute(2, 0, 1).float()[None], SIDE)[0]
