"""COCO run-length encoding of masks: the compressed string and the plain list, read and written in whole arrays.

A mask is read column by column; its runs are counted from the first, which is of pixels outside (0 long where the first
pixel is inside). From the third count on the compressed string holds the difference to the count two before; each
number is cut into groups of five bits, the lowest first, and each group is one character: 48 + five bits + 32 where
more groups follow. The top bit of the last group is the sign. (COCO API, ``maskApi``: the bytes are the same.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from terrascope_nb.errors import GridMismatch, InvalidInput

Size = tuple[int, int]

_GROUPS = 7  # five-bit groups of the longest number: a count fits in 32 bits, and so does a difference of two
_SHOWN = 40  # characters of a corrupt string in a message


def encode(mask: np.ndarray) -> str:
    """The compressed string of a mask.

    Parameters
    ----------
    mask : numpy.ndarray
        (H, W) bool, any strides.

    Raises
    ------
    InvalidInput
        For anything but two dimensions of bool with at least one pixel.

    Examples
    --------
    >>> encode(np.array([[False, True], [True, True]]))
    '13'
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype != np.bool_ or not mask.size:
        raise InvalidInput(
            f"a mask is (H, W) bool with at least one pixel, got {mask.dtype} {mask.shape}: compare it first, "
            "e.g. mask > 0.5"
        )
    return to_string(runs(mask))


def decode(counts: str | bytes | Sequence[int], size: Sequence[int]) -> np.ndarray:
    """The mask of a compressed string, or of a plain list of counts.

    Parameters
    ----------
    counts : str, bytes or sequence of int
    size : (int, int)
        Rows and columns.

    Returns
    -------
    numpy.ndarray
        (H, W) bool.

    Raises
    ------
    InvalidInput
        For a corrupt string, or counts that do not add up to H × W; both numbers are in the message.

    Examples
    --------
    >>> decode("13", (2, 2)).tolist(), decode([4], (2, 2)).any()
    ([[False, True], [True, True]], np.False_)
    """
    height, width = checked_size(size)
    numbers = fitting(counts, (height, width))
    values = np.zeros(numbers.size, bool)
    values[1::2] = True
    return np.ascontiguousarray(np.repeat(values, numbers).reshape(width, height).T)


def area(counts: str | bytes | Sequence[int]) -> int:
    """Number of pixels inside, without decoding.

    Examples
    --------
    >>> area("13")
    3
    """
    return int(read_counts(counts)[1::2].sum())


def iou(a: str | bytes | Sequence[int], b: str | bytes | Sequence[int], size: Sequence[int]) -> float:
    """Intersection over union of two masks of one size, from their runs; 0.0 where both are empty, as COCO has it.

    Examples
    --------
    >>> iou(encode(np.array([[True, True]])), encode(np.array([[True, False]])), (1, 2))
    0.5
    """
    first, second = fitting(a, size), fitting(b, size)
    edges, before = _inside_before(second)
    ends = np.cumsum(first)
    starts = ends - first
    shared = np.interp(ends[1::2], edges, before) - np.interp(starts[1::2], edges, before)
    both = int(np.rint(shared.sum()))
    either = int(first[1::2].sum() + second[1::2].sum()) - both
    return both / either if both else 0.0


def union(parts: Sequence[str | bytes | Sequence[int]], size: Sequence[int]) -> str:
    """The compressed string of several masks of one size put together.

    Examples
    --------
    >>> decode(union([encode(np.array([[True, False]])), [1, 1]], (1, 2)), (1, 2)).tolist()
    [[True, True]]
    """
    if not parts:
        raise InvalidInput("an object without a single mask: give at least one RLE")
    if len(parts) == 1:
        return to_string(fitting(parts[0], size))
    return encode(np.logical_or.reduce([decode(p, size) for p in parts]))


# ---- counts ---------------------------------------------------------------------------------------------------------
def runs(mask: np.ndarray) -> np.ndarray:
    """Lengths of the runs of an (H, W) bool mask column by column, (n,) int64; the first is of pixels outside."""
    flat = mask.T.ravel()  # a view where the mask is stored by columns
    changes = np.flatnonzero(flat[1:] ^ flat[:-1]) + 1
    edges = np.concatenate(([0, 0] if flat[0] else [0], changes, [flat.size]))
    return np.diff(edges)


def to_string(counts: np.ndarray) -> str:
    """Counts (n,) of at least 0 as the compressed string."""
    counts = np.asarray(counts, np.int64)
    numbers = counts.copy()
    numbers[3:] -= counts[1:-2]
    # Groups that a number needs: g of them hold -2 ** (5 g - 1) up to 2 ** (5 g - 1) - 1.
    size = np.where(numbers < 0, ~numbers, numbers)
    length = np.ones(numbers.size, np.int64)
    for g in range(1, 1 + int(size.max(initial=0)).bit_length() // 5):
        length += size >> (5 * g - 1) > 0
    ends = np.cumsum(length)
    codes = np.empty(int(ends[-1]), np.uint8)
    first = ends - length
    for g in range(int(length.max())):
        has = slice(None) if g == 0 else length > g
        more = length[has] > g + 1
        codes[first[has] + g] = (numbers[has] >> 5 * g & 31) + 48 + 32 * more
    return codes.tobytes().decode("ascii")


def read_counts(counts: str | bytes | Sequence[int]) -> np.ndarray:
    """Counts (n,) int64 of a compressed string or a plain list, each at least 0.

    Raises
    ------
    InvalidInput
        When it is neither, is cut off, or holds a run of negative length.
    """
    numbers = _of_string(counts) if isinstance(counts, str | bytes) else _of_list(counts)
    if numbers.size and numbers.min() < 0:
        where = int(np.argmax(numbers < 0))
        raise InvalidInput(f"RLE {_shown(counts)}: run {where} is {numbers[where]} pixels long; it is corrupt")
    return numbers


def fitting(counts: str | bytes | Sequence[int], size: Sequence[int]) -> np.ndarray:
    """Counts (n,) int64 that fill an image of `size` (H, W) exactly.

    Raises
    ------
    InvalidInput
        When they do not; both numbers are in the message.
    """
    height, width = checked_size(size)
    numbers = read_counts(counts)
    total = int(numbers.sum())
    if total != height * width:
        raise InvalidInput(
            f"RLE {_shown(counts)} counts {total} pixels, an image of {height} × {width} has {height * width}: "
            "it is cut off, or of another size"
        )
    return numbers


def checked_size(size: Sequence[int]) -> Size:
    """(H, W), both at least 1.

    Raises
    ------
    InvalidInput
    """
    whole = [int(v) for v in size if isinstance(v, int | np.integer) and not isinstance(v, bool)]
    if len(whole) != len(size) or len(whole) != 2 or min(whole) < 1:
        raise InvalidInput(f"the size of a mask is [rows, columns], both whole and at least 1; got {list(size)[:4]}")
    return whole[0], whole[1]


def same_size(a: Sequence[int], b: Sequence[int], what: str) -> None:
    """Check two sizes against each other.

    Raises
    ------
    GridMismatch
    """
    if tuple(a) != tuple(b):
        raise GridMismatch(f"{what}: {tuple(a)} against {tuple(b)}")


def _of_string(counts: str | bytes) -> np.ndarray:
    raw = counts.encode("utf-8", "replace") if isinstance(counts, str) else counts
    codes = np.frombuffer(raw, np.uint8).astype(np.int64) - 48
    if codes.size == 0:
        raise InvalidInput("an empty RLE: even an empty mask has one count")
    if codes.min() < 0 or codes.max() > 63:
        strange = int(np.argmax((codes < 0) | (codes > 63)))
        raise InvalidInput(f"RLE {_shown(counts)}: character {strange} is none of '0' … 'o'; it is no COCO RLE")
    if codes[-1] & 32:
        raise InvalidInput(f"RLE {_shown(counts)} breaks off in the middle of a number")
    ends = np.flatnonzero(~codes & 32)
    starts = np.concatenate(([0], ends[:-1] + 1))
    length = ends - starts + 1
    if length.max() > _GROUPS:
        raise InvalidInput(f"RLE {_shown(counts)} holds a number of {int(length.max())} groups, over 32 bits")
    place = 5 * (np.arange(codes.size) - np.repeat(starts, length))
    numbers = np.add.reduceat((codes & 31) << place, starts)
    numbers -= np.where(codes[ends] & 16, np.int64(1) << (5 * length), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


def _of_list(counts: Any) -> np.ndarray:
    try:
        raw = np.asarray(list(counts))
    except (TypeError, ValueError) as e:
        raise InvalidInput(f"RLE counts are a string or a list of whole numbers; got {type(counts).__name__}") from e
    if raw.ndim != 1 or not raw.size or not np.issubdtype(raw.dtype, np.integer):
        raise InvalidInput(
            f"RLE counts are a string or a list of whole numbers; got {_shown(counts)} "
            "(polygons are another form: rasterise them first)"
        )
    return raw.astype(np.int64)


def _inside_before(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges of the runs (n + 1,), and how many pixels inside lie before each."""
    inside = counts.copy()
    inside[::2] = 0
    return np.concatenate(([0], np.cumsum(counts))), np.concatenate(([0], np.cumsum(inside)))


def _shown(counts: Any) -> str:
    text = repr(counts)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
