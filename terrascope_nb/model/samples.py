"""Training samples → a batch for `TerraScopeModel.forward`: the sequence that decoding makes, with true masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.model import fusion
from terrascope_nb.model.config import SPECIAL
from terrascope_nb.model.network import IGNORED, Partner
from terrascope_nb.model.processor import Inputs, Processor
from terrascope_nb.model.regions import select

#: Rows of ``region_tokens`` from and to, optical image, SAR image.
_Pair = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Sample:
    """One training sample.

    Attributes
    ----------
    images : tuple of numpy.ndarray
        (H, W, 3) uint8 each.
    prompt : str
        The user's turn, as `prompt.write_prompt` writes it.
    response : str
        ``<think> … [SEG] … </think><answer> … </answer>``, one ``[SEG]`` a mask, no ``<REGION>``.
    masks : tuple of numpy.ndarray
        (H, W) bool each, on the pixels of its image.
    mask_images : tuple of int
        Which image each mask lies on; by default the first.
    sar : tuple of (int, int)
        Pairs (optical, SAR) of images of one date: a region on the first chooses its features between both.
    measured : tuple of str
        Text that stands after each ``[SEG]`` but is not learnt, as measuring in the loop puts it there.
    """

    images: tuple[np.ndarray, ...]
    prompt: str
    response: str
    masks: tuple[np.ndarray, ...] = ()
    mask_images: tuple[int, ...] | None = None
    sar: tuple[tuple[int, int], ...] = ()
    measured: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        count = self.response.count(SPECIAL["seg"])
        for name, given in (("masks", self.masks), ("mask_images", self.mask_images), ("measured", self.measured)):
            if given is not None and len(given) != count:
                raise InvalidInput(
                    f"the response has {count} [SEG], {len(given)} {name} were given: {self.response[:200]!r}"
                )
        if SPECIAL["region"] in self.response:
            raise InvalidInput(
                f"{SPECIAL['region']} is put in where a mask has tokens, and may not stand in a response"
            )
        for k, at in enumerate(self.mask_images or ()):
            if not 0 <= at < len(self.images):
                raise InvalidInput(f"mask {k} lies on image {at}, the sample has {len(self.images)}")
        for pair in self.sar:
            if len(pair) != 2 or not all(0 <= k < len(self.images) for k in pair):
                raise InvalidInput(f"sar pairs images (optical, SAR) of {len(self.images)}, got {pair}")


def collate(
    processor: Processor,
    samples: Sequence[Sample],
    region_rule: str = "paper",
    region_cap: int | None = None,
    region_mode: str = "mask",
    fusion_mode: str = "adaptive",
    fusion_scope: str = "image",
    generator: np.random.Generator | None = None,
) -> dict[str, Any]:
    """Lay samples out as the arguments of `TerraScopeModel.forward`.

    Parameters
    ----------
    processor : Processor
    samples : sequence of Sample
    region_rule, region_cap, region_mode, generator
        As `regions.select` takes them.
    fusion_mode : str
        As `fusion.choose` takes it, for regions that two sensors saw; ``"concat"`` reads both sensors' features, so
        such a region has twice as many ``<REGION>``.
    fusion_scope : "image" or "selected"
        What the softmax of equation 4 runs over, and with it the query: the whole image and the question; or, as in
        the released training code, the region and all of the text, the answer too.

    Returns
    -------
    dict
        ``input_ids``, ``attention_mask``, ``labels``, ``tiles``, ``sam_pixels``, ``mask_images``, ``masks``,
        ``region_tokens``, ``partners``, ``fusion_mode``, ``fusion_scope``. Prompt, ``<REGION>``, measured text and
        padding carry the label −100.
    """
    for what, value, known in (("fusion mode", fusion_mode, fusion.MODES), ("scope", fusion_scope, fusion.SCOPES)):
        if value not in known:
            raise InvalidInput(unknown(what, value, known))
    ids: list[Tensor] = []
    labels: list[Tensor] = []
    tiles: list[Tensor] = []
    pixels: list[Tensor] = []
    images: list[int] = []
    masks: list[Tensor] = []
    tokens: list[Tensor] = []
    partners: list[Partner] = []
    base = read = 0
    for sample in samples:
        inputs = processor.prepare(sample.images, sample.prompt)
        tiles.append(inputs.tiles)
        used: dict[int, int] = {}
        places: list[int] = []
        pairs: list[_Pair] = []
        for k, mask in enumerate(sample.masks):
            image = 0 if sample.mask_images is None else sample.mask_images[k]
            if mask.shape != inputs.sizes[image]:
                raise InvalidInput(f"mask {k} is {mask.shape}, image {image} is {inputs.sizes[image]}")
            masks.append(torch.from_numpy(np.ascontiguousarray(mask)))
            chosen = select(masks[-1], inputs.layouts[image], region_rule, region_cap, region_mode, generator)
            if image not in used:
                used[image] = len(pixels)
                pixels.append(processor.sam_pixels(inputs.images[image]))
            images.append(used[image])
            sar = dict(sample.sar).get(image)
            if sar is not None and len(chosen):
                pairs.append((read, read + len(chosen), image, sar))
            tokens.append(chosen + base)
            read += len(chosen)
            places.append(len(chosen) * (2 if sar is not None and fusion_mode == "concat" else 1))
        one, learnt = _sequence(processor, inputs, sample, places)
        query = inputs.ids[inputs.question] if fusion_scope == "image" else _text(processor, one)
        partners += [_partner(pair, inputs, base, query) for pair in pairs]
        ids.append(one)
        labels.append(learnt)
        base += sum(layout.total for layout in inputs.layouts)
    pad = processor.tokenizer.pad_token_id or 0
    return {
        "input_ids": torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=pad),
        "attention_mask": torch.nn.utils.rnn.pad_sequence([torch.ones_like(i) for i in ids], batch_first=True),
        "labels": torch.nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=IGNORED),
        "tiles": torch.cat(tiles),
        "sam_pixels": torch.stack(pixels) if pixels else None,
        "mask_images": torch.tensor(images, dtype=torch.int64),
        "masks": masks,
        "region_tokens": torch.cat([torch.zeros(0, dtype=torch.int64), *tokens]),
        "partners": partners,
        "fusion_mode": fusion_mode,
        "fusion_scope": fusion_scope,
    }


def _partner(pair: _Pair, inputs: Inputs, base: int, query: Tensor) -> Partner:
    start, end, image, sar = pair
    one, other = inputs.layouts[image], inputs.layouts[sar]
    return Partner(start, end, base + one.offset, base + other.offset, one.total, query)


def _text(processor: Processor, ids: Tensor) -> Tensor:
    """The ids of a sequence that are text, not features."""
    return ids[(ids != processor.ids["image"]) & (ids != processor.ids["region"])]


def _sequence(processor: Processor, inputs: Inputs, sample: Sample, places: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Ids of the whole text, and what is learnt of it."""
    nothing = torch.full_like
    ids, labels = [inputs.ids], [nothing(inputs.ids, IGNORED)]
    parts = sample.response.split(SPECIAL["seg"])
    for k, part in enumerate(parts):
        last = k == len(parts) - 1
        written = processor.encode(part + (SPECIAL["end"] if last else SPECIAL["seg"]))
        ids.append(written)
        labels.append(written)
        if not last:
            region = torch.full((places[k],), processor.ids["region"])
            told = (
                processor.encode(sample.measured[k])
                if sample.measured is not None and sample.measured[k]
                else written[:0]
            )
            for given in (region, told):
                ids.append(given)
                labels.append(nothing(given, IGNORED))
    return torch.cat(ids), torch.cat(labels)
