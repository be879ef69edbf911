"""Peak memory of a piece of torch code: counts the bytes of live tensors; on the meta device nothing is allocated."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_bytes(stage: Callable[[], object]) -> int:
    """Run `stage` and give the most bytes that tensors made by it had alive at one time.

    Attention through ``scaled_dot_product_attention`` is counted as its fused kernels work: output only, no matrix of
    scores. Storages are counted once, views not at all.

    Examples
    --------
    >>> x = torch.empty(1000, device="meta")
    >>> peak_bytes(lambda: ((x + 1) + 1).sum())  # two steps alive at a time
    8000
    """
    with _FusedAttention(), _Live() as live:
        stage()
    return live.peak


class _Live(TorchDispatchMode):
    """Counts the bytes of storages that come to life while it is on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.sizes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Sequence[Any], args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        before = {_storage(t) for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)}
        out = func(*args, **kwargs)
        for t in tree_leaves(out):
            if isinstance(t, torch.Tensor) and _storage(t) not in before and _storage(t) not in self.sizes:
                storage = t.untyped_storage()
                self.sizes[_storage(t)] = storage.nbytes()
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self._gone, _storage(t))
        return out

    def _gone(self, key: int) -> None:
        self.now -= self.sizes.pop(key, 0)


def _storage(t: torch.Tensor) -> int:
    return t.untyped_storage()._cdata


class _FusedAttention(TorchFunctionMode):
    """Takes attention for what its fused kernels need: the output."""

    def __torch_function__(self, func: Any, types: Sequence[Any], args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.nn.functional.scaled_dot_product_attention:
            query, _, value = (*args, *(kwargs[k] for k in ("query", "key", "value") if k in kwargs))[:3]
            if query.device.type == "meta":
                return query.new_empty(*query.shape[:-1], value.shape[-1])
        return func(*args, **kwargs)
