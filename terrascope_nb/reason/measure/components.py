"""Separate parts of a mask: 8-connected components, counted in strips so that no array of the mask's size is made."""

from __future__ import annotations

import numpy as np

_STRIP = 1 << 21  # pixels labelled at once: 8 MB of labels


def component_sizes(mask: np.ndarray, strip: int = _STRIP) -> np.ndarray:
    """Pixels of each 8-connected part of a mask.

    Strips of rows are labelled one after the other; parts that meet where two strips do are joined afterwards (parts
    whose pixels touch by a side or a corner are one). Beside the mask, memory is that of one strip's labels (12 bytes a
    pixel of the strip) and 4 bytes a part, against 4 bytes a pixel of the whole mask for `scipy.ndimage.label`.

    Parameters
    ----------
    mask : numpy.ndarray
        (H, W) bool.
    strip : int
        Pixels labelled at once; the result does not depend on it.

    Returns
    -------
    numpy.ndarray
        (n,) int64, one size a part, in no order that means anything; empty for an empty mask.

    Examples
    --------
    >>> mask = np.array([[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1]], bool)
    >>> sorted(component_sizes(mask).tolist())
    [2, 2]
    """
    from scipy.ndimage import label

    height, width = mask.shape
    rows = max(strip // max(width, 1), 1)
    block = np.empty((min(rows, height), width), np.int32)
    square = np.ones((3, 3), bool)
    sizes: list[np.ndarray] = []
    seams: list[np.ndarray] = []
    above: np.ndarray | None = None  # numbers of the parts in the last row of the strip before, 0 where there is none
    total = 0
    for start in range(0, height, rows):
        part = mask[start : start + rows]
        used = np.flatnonzero(part.any(axis=0))
        if not used.size:
            above = None
            continue
        columns = slice(used[0], used[-1] + 1)  # the rest of the strip is empty
        labels = block[: part.shape[0], : columns.stop - columns.start]
        found = label(part[:, columns], square, output=labels)
        filled = int(np.count_nonzero(part))
        if found == 1:
            counts = [filled]
        else:  # whichever is quicker, looking up the filled pixels or counting the empty ones too
            numbers = labels[part[:, columns]] if 4 * filled < labels.size else labels.ravel()
            counts = np.bincount(numbers, minlength=found + 1)[1:]
        sizes.append(np.asarray(counts, np.int32))
        first, last = np.zeros((2, width), np.int64)
        for edge, row in ((first, labels[0]), (last, labels[-1])):
            edge[columns] = np.where(row > 0, row + np.int64(total), 0)
        if above is not None:
            seams.append(_meetings(above, first))
        above = last
        total += found
    if not sizes:
        return np.zeros(0, np.int64)
    return _join(np.concatenate(sizes).astype(np.int64), np.concatenate([np.zeros((0, 2), np.int64), *seams]))


def _meetings(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Pairs (n, 2) of part numbers in two neighbouring rows that touch by a side or a corner."""
    width = above.size
    pairs = []
    for shift in (-1, 0, 1):
        low, high = max(0, -shift), min(width, width - shift)
        one, other = above[low + shift : high + shift], below[low:high]
        both = (one > 0) & (other > 0)
        pairs.append(np.stack([one[both], other[both]], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def _join(sizes: np.ndarray, seams: np.ndarray) -> np.ndarray:
    """Add up the sizes of parts (numbered from 1) that seams connect."""
    if not len(seams):
        return sizes
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    numbers, ends = np.unique(seams, return_inverse=True)
    ends = ends.reshape(seams.shape)
    links = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(numbers.size, numbers.size))
    count, group = connected_components(links, directed=False)
    joined = np.zeros(count, np.int64)
    np.add.at(joined, group, sizes[numbers - 1])
    alone = np.ones(sizes.size, bool)
    alone[numbers - 1] = False
    return np.concatenate([sizes[alone], joined])
