"""The KV cache of a text that is being written: it grows by pieces, so that a token is written and nothing is copied.

The dynamic cache of transformers joins old and new at every token, which copies the whole cache each time: at 1,850
tokens of prompt that was a third to a half of a step on a CPU.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import DynamicCache, DynamicLayer, PreTrainedConfig

#: Tokens of room that are left behind those held, whenever more is needed.
SPARE = 256


class GrowingLayer(DynamicLayer):
    """Keys and values of one layer, (B, heads, L, width) each: the beginning of tensors that are longer."""

    _room: tuple[Tensor, Tensor] | None = None
    _given: Tensor | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Add what was read, (B, heads, l, width) each; gives all that is held."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        held, added = self.get_seq_length(), key_states.shape[-2]
        # Rows may have been chosen since, or tokens cut off: then what is held lies elsewhere.
        if self._room is None or self.keys is not self._given or self._room[0].shape[-2] < held + added:
            self._room = _longer(self.keys, key_states, held), _longer(self.values, value_states, held)
        for room, new in zip(self._room, (key_states, value_states), strict=True):
            room[:, :, held : held + added] = new
        self.keys, self.values = (room[:, :, : held + added] for room in self._room)
        self._given = self.keys
        return self.keys, self.values


def growing_cache(config: PreTrainedConfig) -> DynamicCache:
    """An empty cache for a language model all of whose layers attend to everything."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() for _ in cache.layers]
    return cache


def _longer(old: Tensor, new: Tensor, held: int) -> Tensor:
    """Room for what is held, what is added and `SPARE` more, with what is held in it."""
    room = new.new_empty(*new.shape[:2], held + new.shape[2] + SPARE, new.shape[3])
    if held:
        room[:, :, :held] = old
    return room
