"""Reading for requests: one alone, or several in one batch, each going its own way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import StaticCache

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.model import regions
from terrascope_nb.model.cache import growing_cache
from terrascope_nb.model.decoding import Read, Request, Step, run
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Processor

CACHES = ("dynamic", "static")


def decode(
    model: TerraScopeModel, processor: Processor, request: Request, cache: str = "dynamic", share: bool = False
) -> Iterator[Step]:
    """The steps of one request as they come; close the iterator to cancel. See `drive`."""
    for _, step in drive(model, processor, [request], cache, share):
        yield step


def read_prefix(model: TerraScopeModel, request: Request) -> None:
    """Read a request's prompt up to its last image, and keep the cache of it in `Request.encoded` for those to come."""
    if request.encoded.take_prefix(request.inputs) is None:
        with torch.inference_mode():
            reader = _Reader(model, [request], "dynamic")
            reader.read([request.encoded.prompt(model, request.inputs)[: request.inputs.shared]])
            request.encoded.keep_prefix(request.inputs, reader.cache, 0)


def drive(
    model: TerraScopeModel,
    processor: Processor,
    requests: Sequence[Request],
    cache: str = "dynamic",
    share: bool = False,
) -> Iterator[tuple[int, Step]]:
    """Decode requests together.

    Parameters
    ----------
    model, processor
    requests : sequence of Request
    cache : "dynamic" or "static"
        Static: the KV cache is laid out for the longest text allowed, before anything is read.
    share : bool
        Keep the KV cache of the pictures in `Request.encoded`, and begin from it where it is there: what makes further
        questions about one scene cheap. Not with a static cache.

    Yields
    ------
    (int, Step)
        Index of the request, and what it did. Requests go on step by step in turn, none waits for another's end.

    Notes
    -----
    A step's rows are padded on the right to the longest; the padding is masked, and positions are counted row by row,
    so that each request reads what it would read alone.
    """
    if cache not in CACHES:
        raise InvalidInput(unknown("kind of cache", cache, CACHES))
    if cache == "static" and share:
        raise InvalidInput("a shared prefix needs the dynamic cache: cache='dynamic', or share=False")
    yield from _drive(model, processor, list(requests), cache, share)


@torch.inference_mode()  # as a decorator it is off again whenever the generator waits: the caller may be training
def _drive(
    model: TerraScopeModel, processor: Processor, requests: list[Request], kind: str, share: bool
) -> Iterator[tuple[int, Step]]:
    runs = [run(model, processor, r) for r in requests]
    rows = list(range(len(runs)))  # request of each row of the cache
    asked: dict[int, Tensor] = {}
    for k in rows:
        first = next(runs[k])
        if not isinstance(first, Read):
            raise RuntimeError("a request must first read its prompt")
        asked[k] = first.embedded
    reader = _Reader(model, requests, kind)
    if share:
        skip = reader.begin_from_prefix(requests)
        asked = {k: e[skip:] for k, e in asked.items()}
    first_round = True
    while rows:
        hidden = reader.read([asked[k] for k in rows])
        if first_round and share:
            for row, k in enumerate(rows):
                requests[k].encoded.keep_prefix(requests[k].inputs, reader.cache, row)
        first_round = False
        going = []
        for row, k in enumerate(rows):
            answer: Tensor | None = hidden[row]
            while True:
                try:
                    item = runs[k].send(answer)
                except StopIteration:
                    break
                if isinstance(item, Read):
                    asked[k] = item.embedded
                    going.append(row)
                    break
                answer = None
                yield k, item
        if len(going) < len(rows):
            reader.keep(going)
            rows = [rows[r] for r in going]


class _Reader:
    """The KV cache of a batch, with what is padding in it and where each row's text has got to."""

    def __init__(self, model: TerraScopeModel, requests: Sequence[Request], kind: str) -> None:
        self._model = model
        text = model.config.vlm_config.text_config
        longest = max((_most(r) for r in requests), default=0) if kind == "static" else 0
        self.cache: Any = StaticCache(config=text, max_cache_len=longest) if kind == "static" else growing_cache(text)
        self._static = kind == "static"
        if self._static and len(requests) > 1:
            raise InvalidInput("a static cache takes one request; several at once need cache='dynamic'")
        self._held = torch.zeros(len(requests), 0, dtype=torch.int64, device=model.device)  # 1 where a token stands
        self._length = torch.zeros(len(requests), dtype=torch.int64, device=model.device)

    def begin_from_prefix(self, requests: Sequence[Request]) -> int:
        """Fill the cache from the requests' shared prefixes where all have one of equal length; returns that length."""
        kept = [r.encoded.take_prefix(r.inputs) for r in requests]
        if any(k is None for k in kept) or len({r.inputs.shared for r in requests}) > 1:
            return 0
        for layer in range(len(kept[0] or [])):
            keys, values = (torch.cat([(k or [])[layer][side] for k in kept]) for side in (0, 1))
            self.cache.update(keys, values, layer)
        n = requests[0].inputs.shared
        self._held = torch.ones(len(requests), n, dtype=torch.int64, device=self._model.device)
        self._length += n
        return n

    def read(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """Read one piece a row, (L, D) each; the hidden states of each piece, (L, D)."""
        lengths = torch.tensor([len(p) for p in parts], device=self._model.device)
        longest = int(lengths.max())
        embedded = torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True)
        steps = torch.arange(longest, device=self._model.device)
        here = (steps < lengths[:, None]).long()
        self._held = torch.cat([self._held, here], 1)
        positions = self._length[:, None] + torch.minimum(steps, lengths[:, None] - 1)
        self._length = self._length + lengths
        mask = None if bool(self._held.all()) else self._held
        hidden = self._model.read(embedded, self.cache, mask, positions)
        return [hidden[row, : len(p)] for row, p in enumerate(parts)]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some rows only."""
        if not rows:
            return
        at = torch.tensor(rows, device=self._model.device)
        self.cache.batch_select_indices(at)
        self._held, self._length = self._held[at], self._length[at]


def _most(request: Request) -> int:
    """Most positions that a request can fill."""
    rules = request.rules
    region = (regions.CAPS[rules.region_rule] if rules.region_cap is None else rules.region_cap) * (
        2 if rules.fusion == "concat" else 1
    )
    measured = 64 if request.measure is not None else 0
    return len(request.inputs.ids) + rules.max_tokens + rules.max_masks * (region + measured)
