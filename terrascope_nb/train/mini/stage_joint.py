"""Stage 4, optional: all of it together on true masks, as `TerraScopeModel.forward` trains; SAM 2 slowly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Processor
from terrascope_nb.model.samples import collate
from terrascope_nb.train.mini.exercises import Exercise
from terrascope_nb.train.mini.state import Plan

PLAN = Plan(rate=2e-4, decay=0.05, betas=(0.9, 0.98), slow=("sam.", 0.25), steps=150, batch=12)


class Whole(nn.Module):
    """The network under the names of its parts."""

    def __init__(self, model: TerraScopeModel) -> None:
        super().__init__()
        self.vlm, self.bridge, self.sam = model.vlm, model.bridge, model.sam
        self._model = [model]

    @property
    def model(self) -> TerraScopeModel:
        """The whole network."""
        return self._model[0]


def joint_loss(whole: Whole, processor: Processor, exercises: Sequence[Exercise]) -> tuple[Tensor, Mapping[str, float]]:
    """The network's own loss: text, and masks from the states of ``[SEG]``."""
    with_masks = sorted(exercises, key=lambda e: not e.sample.masks)
    out = whole.model(
        **collate(processor, [e.sample for e in with_masks], whole.model.config.region_rule), keep_logits=False
    )
    told = {"text": out.text_loss, "masks": out.mask_loss}
    return out.loss, {k: 0.0 if v is None else float(v.detach()) for k, v in told.items()}
