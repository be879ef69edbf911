"""Rows of new tokens: the few rows of a large matrix that are trained while all others stay frozen."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from terrascope_nb.errors import InvalidInput
from terrascope_nb.model.config import ADDED, SPECIAL
from terrascope_nb.model.network import TerraScopeModel


class TrainedRows(nn.Module):
    """Stands for an embedding or the output matrix, with some of its rows held apart as float32.

    Gradients and AdamW's moments are then as large as those rows, not as the matrix.

    Parameters
    ----------
    base : torch.nn.Embedding or torch.nn.Linear
        (V, D), without a bias; not changed before `fold`.
    ids : torch.Tensor
        (R,) int64: which rows.

    Examples
    --------
    >>> rows = TrainedRows(nn.Embedding(5, 2), torch.tensor([1, 3]))
    >>> out = rows(torch.tensor([0, 3, 4]))
    >>> torch.equal(out, rows.base(torch.tensor([0, 3, 4]))), tuple(rows.rows.shape)
    (True, (2, 2))
    """

    def __init__(self, base: nn.Embedding | nn.Linear, ids: Tensor) -> None:
        super().__init__()
        self.base = base
        self.register_buffer("ids", ids.to(base.weight.device), persistent=False)
        self.rows = nn.Parameter(base.weight.detach()[self.ids].float())

    @property
    def weight(self) -> Tensor:
        """The frozen matrix, for what asks an embedding for its type or size."""
        return self.base.weight

    def forward(self, x: Tensor) -> Tensor:
        """Embed ids, (…) → (…, D); or give logits, (…, D) → (…, V)."""
        out = self.base(x)
        if isinstance(self.base, nn.Embedding):
            same = x[..., None] == self.ids
            mine = self.rows.to(out.dtype)[same.int().argmax(-1)]
            return torch.where(same.any(-1)[..., None], mine, out)
        return out.index_copy(-1, self.ids, F.linear(x, self.rows.to(x.dtype)).to(out.dtype))

    def fold(self) -> nn.Embedding | nn.Linear:
        """Write the rows into the matrix, and give that back."""
        with torch.no_grad():
            self.base.weight[self.ids] = self.rows.to(self.base.weight.dtype)
        return self.base


def added_ids(model: TerraScopeModel) -> Tensor:
    """Ids of the tokens that were added to the tokenizer, `ADDED` in its order; they follow one another.

    Raises
    ------
    InvalidInput
        When ``[SEG]`` and ``<REGION>`` do not lie as they would then.
    """
    config = model.config
    first = config.seg_token_id - ADDED.index(SPECIAL["seg"])
    apart = ADDED.index(SPECIAL["region"]) - ADDED.index(SPECIAL["seg"])
    if first < 0 or config.region_token_id - config.seg_token_id != apart:
        raise InvalidInput(
            f"new_tokens: {', '.join(ADDED)} must follow one another, but [SEG] is {config.seg_token_id} and <REGION> "
            f"{config.region_token_id}: train embeddings and head instead"
        )
    count = min(len(ADDED), config.vlm_config.text_config.vocab_size - first)
    return torch.arange(first, first + count)


def hold_apart(model: TerraScopeModel) -> None:
    """Put `TrainedRows` in the place of embeddings and output matrix; in place."""
    ids = added_ids(model)
    model.language.embed_tokens = TrainedRows(model.language.embed_tokens, ids)
    model.vlm.lm_head = TrainedRows(model.vlm.lm_head, ids)


def fold_in(model: TerraScopeModel) -> None:
    """Undo `hold_apart`, keeping what was learnt; nothing where nothing was held apart."""
    if isinstance(model.language.embed_tokens, TrainedRows):
        model.language.embed_tokens = model.language.embed_tokens.fold()
        model.vlm.lm_head = model.vlm.lm_head.fold()
