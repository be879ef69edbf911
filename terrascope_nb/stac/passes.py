"""Passes: items of one overflight make one time step, and one pixel of it comes from one item in all its bands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb.stac.query import instant
from terrascope_nb.stac.scaling import processing_baseline

if TYPE_CHECKING:
    import dask.array as da

Item = dict[str, Any]
ONE_PASS = timedelta(minutes=30)  # less than a third of an orbit, more than a pass over any AOI of one projection


@dataclass(frozen=True)
class Pass:
    """Items taken by one satellite in one overflight: they make one time step.

    Attributes
    ----------
    time : datetime
        First acquisition, UTC, whole seconds.
    items : tuple of dict
        Later processing baseline first (a scene may be there twice, reprocessed), else in the order in which they were
        found: where two overlap, the first with the most valid bands counts.
    """

    time: datetime
    items: tuple[Item, ...]

    def stated(self, name: str) -> str:
        """What the items state under a property, as text; several values joined by «, », none empty."""
        values = (i["properties"].get(name) for i in self.items)
        return ", ".join(sorted({str(v) for v in values if v is not None}))


def passes(items: Iterable[Item]) -> list[Pass]:
    """Items grouped by overflight, ascending in time.

    One overflight: the same platform and the same direction (``sat:orbit_state``) within 30 minutes, so that ascending
    and descending radar never mix.
    """
    items = list(items)
    place = {id(i): n for n, i in enumerate(items)}
    groups: list[list[Item]] = []
    open_groups: dict[Any, list[Item]] = {}
    for item in sorted(items, key=instant):
        key = item["properties"].get("platform"), item["properties"].get("sat:orbit_state")
        group = open_groups.get(key)
        if group is None or instant(item) - instant(group[0]) > ONE_PASS:
            group = open_groups[key] = []
            groups.append(group)
        group.append(item)
    return [
        Pass(instant(g[0]).replace(microsecond=0), tuple(sorted(g, key=lambda i: (_age(i), place[id(i)]))))
        for g in sorted(groups, key=lambda g: instant(g[0]))
    ]


def _age(item: Item) -> tuple[int, ...]:
    """Ascending from the newest: baseline, then the provider's running number of the scene's versions."""
    major, minor = processing_baseline(item) or (0, 0)
    sequence = str(item["properties"].get("s2:sequence", item["properties"].get("sentinel:sequence", "")))
    return -major, -minor, -int(sequence) if sequence.isdigit() else 0


def fuse(stacks: Mapping[str, da.Array], empty: Mapping[str, float], steps: Sequence[Pass]) -> dict[str, da.Array]:
    """One layer a step from one layer an item. Lazy.

    Where items overlap, a pixel comes from *one* item in all bands: the first of those that have most bands there.
    Bands of two items are never mixed in one pixel: their lighting and their cloud would not belong together. So a band
    of a step of several items reads all bands: open a cube of fewer bands where fewer are wanted.

    Parameters
    ----------
    stacks : dict of dask arrays (item, band, y, x)
        By kind (the bands that share a dtype); items in the order of `steps`.
    empty : dict of float
        By kind: the value that means «nothing here» (NaN for measurements).
    steps : sequence of Pass

    Returns
    -------
    dict of dask arrays (time, band, y, x), by kind
    """
    import dask.array as da

    first = np.cumsum([0, *(len(s.items) for s in steps)])
    sizes = sorted({len(s.items) for s in steps})
    if sizes == [1]:
        return dict(stacks)
    parts: dict[str, list[da.Array]] = {kind: [] for kind in stacks}
    order: list[int] = []
    for size in sizes:
        at = [k for k, s in enumerate(steps) if len(s.items) == size]
        order += at
        layers = {kind: [stack[[first[k] + n for k in at]] for n in range(size)] for kind, stack in stacks.items()}
        if size == 1:
            for kind in stacks:
                parts[kind].append(layers[kind][0])
            continue
        arguments: list[Any] = []
        for n, kind in enumerate(stacks):
            for layer in layers[kind]:
                arguments += [layer, f"t{'bcdefg'[n]}yx"]
        which = da.blockwise(
            _choose,
            "tyx",
            *arguments,
            empty=tuple(empty[k] for k in stacks),
            size=size,
            dtype="uint16",
            concatenate=True,
        )
        for kind in stacks:
            same = [a for layer in layers[kind] for a in (layer, "tbyx")]
            parts[kind].append(da.blockwise(_take, "tbyx", which, "tyx", *same, dtype=stacks[kind].dtype))
    back = np.argsort(order)
    return {kind: da.concatenate(p)[back] if len(p) > 1 else p[0] for kind, p in parts.items()}


def _choose(*layers: np.ndarray, empty: tuple[float, ...], size: int) -> np.ndarray:
    """Which item each pixel comes from: (t, y, x) of `size` items' blocks (t, band, y, x), kind by kind."""
    counts: list[Any] = [0] * size
    for n, layer in enumerate(layers):
        nothing = empty[n // size]
        there = ~np.isnan(layer) if np.isnan(nothing) else layer != nothing
        counts[n % size] = counts[n % size] + there.sum(axis=1, dtype="uint16")
    return np.argmax(np.stack(counts), axis=0).astype("uint16")


def _take(which: np.ndarray, *layers: np.ndarray) -> np.ndarray:
    """Each pixel (t, band, y, x) from the item that `which` (t, y, x) names."""
    out = layers[0].copy()
    for n, layer in enumerate(layers[1:], 1):
        np.copyto(out, layer, where=(which == n)[:, None])
    return out
