"""What was read of pictures, once: visual tokens, SAM 2's features, the KV cache of what all questions share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from terrascope_nb.model import fusion
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Inputs, Processor
from terrascope_nb.model.segmenter import EncodedImages, Masks


class Encoded:
    """Holds what was read of some pictures, for every question about them.

    Attributes
    ----------
    visual : torch.Tensor
        (N, D): visual tokens of all tiles of all images, after the projector.
    """

    def __init__(self, visual: Tensor) -> None:
        self.visual = visual
        self._sam: dict[int, EncodedImages] = {}
        self._relevance: dict[tuple[int, tuple[int, ...]], Tensor] = {}
        self._prefix: tuple[tuple[int, ...], list[tuple[Tensor, Tensor]]] | None = None

    @classmethod
    def of(cls, model: TerraScopeModel, inputs: Inputs, batch: int = 8) -> Encoded:
        """Run the vision tower over the tiles, `batch` at a time."""
        return cls(torch.cat([model.visual(part) for part in inputs.tiles.split(batch)]))

    def prompt(self, model: TerraScopeModel, inputs: Inputs) -> Tensor:
        """Embeddings of the whole prompt, (L, D)."""
        return model.embed(inputs.ids, self.visual)

    def segment(
        self, model: TerraScopeModel, processor: Processor, inputs: Inputs, image: int, prompts: Tensor
    ) -> Masks:
        """Masks on an image for (K, C) prompts; SAM 2 encodes the image the first time only."""
        if image not in self._sam:
            self._sam[image] = model.segmenter.encode(processor.sam_pixels(inputs.images[image])[None])
        return model.segmenter.decode(self._sam[image], prompts)

    def fuse(
        self, model: TerraScopeModel, inputs: Inputs, optical: int, sar: int, tokens: Tensor, mode: str
    ) -> fusion.Fused:
        """Features of a region (tokens of the optical image) of the sensor that fits the question: `fusion.choose`."""
        first, second = inputs.layouts[optical], inputs.layouts[sar]
        one, other = (self.visual[at.offset : at.offset + at.total] for at in (first, second))
        question = inputs.ids[inputs.question]
        queries = model.get_input_embeddings()(question.to(model.device))
        told = None
        if mode == "adaptive":
            key = tuple(question.tolist())
            for image, features in ((optical, one), (sar, other)):
                if (image, key) not in self._relevance:
                    self._relevance[image, key] = fusion.relevance(features, queries, log=True)
            told = self._relevance[optical, key], self._relevance[sar, key]
        return fusion.choose(one, other, queries, tokens - first.offset, mode, relevances=told)

    # ---- the shared prefix ------------------------------------------------------------------------------------
    def take_prefix(self, inputs: Inputs) -> list[tuple[Tensor, Tensor]] | None:
        """Keys and values of the prompt up to its last image, a layer each (1, heads, L, width); None: not known."""
        if self._prefix is None or self._prefix[0] != tuple(inputs.ids[: inputs.shared].tolist()):
            return None
        return self._prefix[1]

    def keep_prefix(self, inputs: Inputs, cache: Any, row: int) -> None:
        """Keep the first `Inputs.shared` keys and values that `cache` holds in a row."""
        if self.take_prefix(inputs) is None:
            n = inputs.shared
            kept = [
                (layer.keys[row : row + 1, :, :n].clone(), layer.values[row : row + 1, :, :n].clone())
                for layer in cache.layers
            ]
            self._prefix = tuple(inputs.ids[:n].tolist()), kept
