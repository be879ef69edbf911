"""Stage 2: the language model learns to see, to name regions and to use figures; SAM 2 is not there.

Masks, features and figures are put in as decoding does. At every ``[SEG]`` the bridge is drawn to the class's prompt
vector, which is fixed: joint training from random weights leaves the masks empty for hundreds of steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from terrascope_nb.model.network import IGNORED, TerraScopeModel
from terrascope_nb.model.processor import Processor
from terrascope_nb.model.samples import collate
from terrascope_nb.train.mini.exercises import Exercise
from terrascope_nb.train.mini.language import LABELS
from terrascope_nb.train.mini.state import Plan

PLAN = Plan(rate=1e-3, decay=0.05, betas=(0.9, 0.98), steps=900, batch=24)
SETTLE = Plan(rate=5e-4, decay=0.05, betas=(0.9, 0.98), steps=250, batch=24)
PARTS = 3  # a batch is read in so many, short texts with short ones
BRIDGE, SHARES = 0.5, 1.0  # weights beside the text's


class Reader(nn.Module):
    """All but SAM 2, with a linear head that tells the class shares under each visual token; it is dropped later."""

    def __init__(self, model: TerraScopeModel, seed: int = 0) -> None:
        super().__init__()
        self.vlm, self.bridge = model.vlm, model.bridge
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.shares = nn.Linear(model.config.width, len(LABELS) + 1)
        self._model = [model]  # in a list: its weights are named once

    @property
    def model(self) -> TerraScopeModel:
        """The whole network."""
        return self._model[0]

    def read(self, batch: Mapping[str, object]) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden states (B, L, D), ids (B, L), visual tokens (N, D) of a collated batch, as `forward` reads them."""
        model = self.model
        ids: Tensor = batch["input_ids"]  # type: ignore[assignment]
        visual = model.visual(batch["tiles"])  # type: ignore[arg-type]
        features = model._features(  # noqa: SLF001  (the choice between sensors that `forward` makes)
            visual, batch["region_tokens"], batch["partners"], batch["fusion_mode"], batch["fusion_scope"]
        )
        embedded = model.embed(ids, visual)
        places = (ids == model.config.region_token_id)[..., None].expand_as(embedded)
        embedded = embedded.masked_scatter(places, features.to(embedded.dtype))
        return model.read(embedded, mask=batch["attention_mask"]), ids, visual  # type: ignore[arg-type]


def language_loss(
    reader: Reader, processor: Processor, exercises: Sequence[Exercise], vectors: Tensor
) -> tuple[Tensor, Mapping[str, float]]:
    """Cross-entropy of what is written + 0.5·(MSE + 1 − cos) of the bridge + cross-entropy of the class shares."""
    order = sorted(exercises, key=lambda e: len(e.sample.response) + 200 * len(e.sample.images))
    step = -(-len(order) // PARTS)
    text = bridge = seen = torch.zeros(())
    right = words = named = count = cells = 0
    for start in range(0, len(order), step):
        part = order[start : start + step]
        batch = collate(processor, [e.sample for e in part], reader.model.config.region_rule)
        labels: Tensor = batch["labels"]
        hidden, ids, visual = reader.read(batch)
        learnt = labels[:, 1:] != IGNORED
        logits, wanted = reader.model.predict(hidden[:, :-1][learnt]), labels[:, 1:][learnt]
        text = text + F.cross_entropy(logits.float(), wanted, reduction="sum")
        right, words = right + int((logits.argmax(-1) == wanted).sum()), words + len(wanted)
        where = (ids == reader.model.config.seg_token_id) & (labels != IGNORED)
        if bool(where.any()):
            classes = [LABELS.index(x) for e in part if e.sample.masks for x, _ in e.asked.places]
            target = vectors[torch.tensor(classes)]
            prompts = reader.bridge(hidden[where])
            off = F.mse_loss(prompts, target, reduction="none").mean(1) + 1 - F.cosine_similarity(prompts, target)
            bridge, count = bridge + off.sum(), count + len(classes)
            named += int((torch.cdist(prompts.detach(), vectors).argmin(1) == torch.tensor(classes)).sum())
        shares = torch.from_numpy(_flat(part))
        seen = seen - (shares * reader.shares(visual).log_softmax(-1)).sum()
        cells += len(shares)
    text, bridge, seen = text / words, bridge / max(count, 1), seen / cells
    told = {"text": text, "bridge": bridge, "shares": seen}
    told = {k: float(v.detach()) for k, v in told.items()}
    told |= {"right": right / words, "named": named / max(count, 1)}
    return text + BRIDGE * bridge + SHARES * seen, told


def _flat(part: Sequence[Exercise]):
    import numpy as np

    return np.concatenate([e.shares.reshape(-1, e.shares.shape[-1]) for e in part])
