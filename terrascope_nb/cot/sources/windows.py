"""Windows: a large labelled scene cut into many small ones, each with its own key, none across a border of places."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from terrascope_nb.errors import InvalidInput
from terrascope_nb.scene.labelled import Labelled


def windows(
    labelled: Labelled | Iterable[Labelled],
    size: int,
    stride: int | None = None,
    *,
    block: int | None = None,
    least: float = 0.5,
) -> Iterator[Labelled]:
    """Cut labelled scenes into squares.

    Parameters
    ----------
    labelled : Labelled, or iterable of them
        Of an iterable, one at a time is held.
    size : int
        Pixels a side. A scene that is smaller comes as it is.
    stride : int, optional
        Pixels from one window to the next; default: `size`, so that none overlap. What remains at the right and the
        lower edge is left out.
    block : int, optional
        Pixels a side of squares of ground, from the upper left corner, that are places of their own: windows that would
        lie in two of them are left out, so that windows which overlap always share a place. Default: all windows have
        the place of their scene.
    least : float
        Least share of a window's pixels that can be measured on some date: mapped, clear, inside the AOI. Windows with
        less are left out.

    Yields
    ------
    Labelled
        Key «key-r0128-c0000» (first row and column). `counts` of polygons are dropped, for a window cuts them.

    Raises
    ------
    InvalidInput
        For a size, stride, block or share that makes no sense; on the first `next`.
    """
    stride = size if stride is None else stride
    _check(size, stride, block)
    if not 0 <= least <= 1:
        raise InvalidInput(f"least is a share of the window's pixels, 0…1, got {least}")
    for whole in [labelled] if isinstance(labelled, Labelled) else labelled:
        height, width = whole.scene.grid.shape
        if height <= size and width <= size:
            yield whole
            continue
        for row in _starts(height, size, stride, block):
            for col in _starts(width, size, stride, block):
                part = window(whole, slice(row, row + size), slice(col, col + size))
                if _usable(part) < least:
                    continue
                yield part if block is None else replace(part, place=f"{whole.place}-b{row // block}-{col // block}")


def cutter(
    size: int | None, stride: int | None = None, block: int | None = None
) -> Callable[[Labelled], Iterator[Labelled]] | None:
    """`windows` with its sizes given, for `Stream`; None for no size.

    Raises
    ------
    InvalidInput
        For sizes that make no sense, at once.
    """
    if size is None:
        if stride is not None or block is not None:
            raise InvalidInput(f"stride={stride} and block={block} are of windows: give window= too")
        return None
    _check(size, size if stride is None else stride, block)
    return partial(windows, size=size, stride=stride, block=block)


def window(labelled: Labelled, rows: slice, cols: slice) -> Labelled:
    """The part ``[rows, cols]`` of a labelled scene, with its own key; shares the pixels' memory.

    Raises
    ------
    InvalidInput
        When the slices hold no pixel.
    """
    height, width = labelled.scene.grid.shape
    r0, r1, _ = rows.indices(height)
    c0, c1, _ = cols.indices(width)
    if r0 >= r1 or c0 >= c1:
        raise InvalidInput(f"{labelled.key}: rows {rows}, columns {cols} hold no pixel of {height} × {width}")
    rows, cols = slice(r0, r1), slice(c0, c1)
    scene = labelled.scene
    images = tuple(image.window(rows, cols) for image in scene.images)
    maps = tuple(labels[rows, cols] for labels in labelled.maps)
    gone = {number: sum(int((labels == number).sum()) for labels in maps) for number in labelled.unmapped}
    return replace(
        labelled,
        scene=replace(scene, images=images, name=f"{scene.name or labelled.key}, rows {r0}…, columns {c0}…"),
        maps=maps,
        key=f"{labelled.key}-r{r0:04d}-c{c0:04d}",
        counts={},
        unmapped={number: pixels for number, pixels in gone.items() if pixels},
    )


def _check(size: int, stride: int, block: int | None) -> None:
    if size < 1 or stride < 1:
        raise InvalidInput(f"size and stride are pixels, 1 or more; got size={size}, stride={stride}")
    if block is not None and block < size:
        raise InvalidInput(f"block={block} pixels hold no window of size={size}: give a block of at least {size}")


def _usable(part: Labelled) -> float:
    """Share of the pixels that are mapped, clear and inside the AOI on some date."""
    there = np.zeros(part.scene.grid.shape, bool)
    for date, moment in enumerate(part.scene.moments()):
        there |= part.scene.domain(moment.image).pixels & part.mapped(date)
    return float(there.mean())


def _starts(length: int, size: int, stride: int, block: int | None) -> list[int]:
    """First pixels of the windows along one axis; inside the blocks where there are blocks."""
    size = min(size, length)
    if block is None:
        return list(range(0, length - size + 1, stride))
    return [
        start for edge in range(0, length, block) for start in range(edge, min(edge + block, length) - size + 1, stride)
    ]
