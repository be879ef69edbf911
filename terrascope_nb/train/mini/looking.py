"""What the mini's SAM 2 is shown of a scene, and masks that are put in place of what it draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from terrascope_nb.errors import InvalidInput
from terrascope_nb.model.encoding import Encoded
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Inputs, Processor
from terrascope_nb.model.segmenter import Masks
from terrascope_nb.scene.scene import Scene
from terrascope_nb.train.mini.pictures import fused

_SURE = 12.0  # logit of a mask that is put in
#: (scene, what was drawn, image, class, number of the call) → what counts.
Instead = Callable[[Scene, Masks, int, str, int], Masks]


@dataclass(frozen=True, eq=False)
class Put(Masks):
    """A mask that is put in as it is.

    Attributes
    ----------
    logits, iou, side
        Of the mask that was drawn.
    mask : numpy.ndarray
        (H, W) bool at the image's own size.
    """

    mask: np.ndarray = None  # type: ignore[assignment]

    def at(self, size: tuple[int, int]) -> Tensor:
        """As `Masks.at`; of no other size than the mask's own."""
        if self.mask.shape != tuple(size):
            raise InvalidInput(f"the mask put in is {self.mask.shape}, the image {tuple(size)}")
        return (torch.from_numpy(self.mask).float() * 2 - 1)[None, None] * _SURE


class Seen(Encoded):
    """What was read of a scene; SAM 2 is shown both sensors in one picture, unless it is to draw clouds."""

    def __init__(self, visual: Tensor, scene: Scene, label: Callable[[Tensor], str], instead: Instead) -> None:
        super().__init__(visual)
        self._scene, self._label, self._instead, self._calls = scene, label, instead, 0

    def segment(
        self, model: TerraScopeModel, processor: Processor, inputs: Inputs, image: int, prompts: Tensor
    ) -> Masks:
        """As `Encoded.segment`."""
        label = self._label(prompts)
        place = -1 - image if label == "cloud" else image  # the picture as it is has a place of its own
        if place not in self._sam:
            picture = inputs.images[image] if label == "cloud" else shown_to_sam(self._scene, image)
            self._sam[place] = model.segmenter.encode(processor.sam_pixels(picture)[None])
        drawn = model.segmenter.decode(self._sam[place], prompts)
        self._calls += 1
        return self._instead(self._scene, drawn, image, label, self._calls)


def shown_to_sam(scene: Scene, image: int) -> np.ndarray:
    """(H, W, 3) uint8: the view of an image, with the radar of its date in it where both are there on one grid."""
    seen = scene.images[image]
    pixels = seen.view.pixels
    moment = next((m for m in scene.moments() if m.optical == image and m.sar is not None), None)
    if moment is None or scene.images[moment.sar].grid != seen.grid:
        return pixels
    return fused(pixels, scene.images[moment.sar].view.pixels, seen.cloud)


def boxed(mask: np.ndarray) -> np.ndarray:
    """The bounding box of a mask, filled; empty for an empty one."""
    out = np.zeros_like(mask)
    if mask.any():
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        out[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return out
