"""Training and test apart by place: a stable hash, the source's own split, and what shares ground."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.scene.labelled import Labelled

_OWN = {"train": "train", "validation": "train", "val": "train", "test": "test"}
TOUCH = 1e-3  # share of the smaller footprint: neighbours that differ by rounding, or meet at an edge, do not overlap


def split_of(place: str, seed: int = 0, share: float = 0.1) -> str:
    """The side of a place: the same on every machine, whatever other places there are.

    Parameters
    ----------
    place : str
        `Labelled.place`.
    seed : int
    share : float
        Of the places that go to the test side, 0…1, in the long run.

    Returns
    -------
    str
        "train" or "test": the first 8 bytes of SHA-256 of «seed:place», as a fraction, are below `share` or not.

    Examples
    --------
    >>> [split_of(place, share=0.5) for place in ("33UUP", "35VPK", "29SND")]
    ['test', 'train', 'train']
    """
    if not 0 <= share <= 1:
        raise InvalidInput(f"share is the part of the places for testing, 0…1, got {share}")
    digest = hashlib.sha256(f"{int(seed)}:{place}".encode()).digest()
    return "test" if int.from_bytes(digest[:8], "big") / 2**64 < share else "train"


def side_of(labelled: Labelled, seed: int = 0, share: float = 0.1, own: bool = False) -> str:
    """The side of an image: by its place, or with `own` where the source itself puts it.

    The source's validation part counts as training: it is kept from testing.

    Raises
    ------
    InvalidInput
        With `own`, where the source names no split, or one that is not known.
    """
    if not own:
        return split_of(labelled.place, seed, share)
    if not labelled.split:
        raise InvalidInput(
            f"{labelled.key}: {labelled.source or 'its source'} has no split of its own; use own=False, then places "
            "are divided by hash"
        )
    if labelled.split not in _OWN:
        raise InvalidInput(f"{labelled.key}: {unknown('split', labelled.split, _OWN)}")
    return _OWN[labelled.split]


def footprint(labelled: Labelled) -> Any:
    """The outline of an image in degrees (shapely), or None where its grid has no CRS."""
    grid = labelled.scene.grid
    return None if grid.crs is None else grid.aoi().to_lonlat().geometry


def merge_places(footprints: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Places whose footprints share ground, as one group each.

    Parameters
    ----------
    footprints : iterable of (place, shapely geometry in degrees)
        Several of one place belong together anyway.

    Returns
    -------
    dict
        Place → name of its group, the first of its places in alphabetical order. Give it to
        ``dataclasses.replace(labelled, place=groups[labelled.place])``.
    """
    places, shapes = [], []
    for place, shape in footprints:
        places.append(place)
        shapes.append(shape)
    parent = {place: place for place in places}

    def root(place: str) -> str:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for a, b in _overlaps(shapes):
        first, second = sorted((root(places[a]), root(places[b])))
        parent[second] = first
    return {place: root(place) for place in parent}


def leaks(items: Iterable[Labelled], sides: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pairs of images (by key) that share ground and lie on two sides. Opens every image of `items`.

    Parameters
    ----------
    items : iterable of Labelled
        Images without CRS cannot be compared on the ground: for them one place on two sides is what is found.
    sides : mapping
        Key → "train" or "test".
    """
    keys, places, shapes = [], [], []
    for labelled in items:
        keys.append(labelled.key)
        places.append(labelled.place)
        shapes.append(footprint(labelled))
    first: dict[str, str] = {}
    found = []
    for key, place in zip(keys, places, strict=True):
        other = first.setdefault(place, key)
        if sides[other] != sides[key]:
            found.append((other, key))
    located = [k for k, shape in enumerate(shapes) if shape is not None]
    for a, b in _overlaps([shapes[k] for k in located]):
        one, two = keys[located[a]], keys[located[b]]
        if sides[one] != sides[two] and (one, two) not in found:
            found.append((one, two))
    return found


def _overlaps(shapes: list[Any]) -> list[tuple[int, int]]:
    """Pairs (a < b) of shapes that share more than `TOUCH` of the smaller."""
    if len(shapes) < 2:
        return []
    from shapely import STRtree

    first, second = STRtree(shapes).query(shapes, predicate="intersects")
    return [
        (int(a), int(b))
        for a, b in sorted(zip(first.tolist(), second.tolist(), strict=True))
        if a < b and shapes[a].intersection(shapes[b]).area > TOUCH * min(shapes[a].area, shapes[b].area)
    ]
