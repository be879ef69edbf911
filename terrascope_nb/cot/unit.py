"""Unit: all records of one labelled image, the smallest piece of work of a build, made from its own seed alone."""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from terrascope_nb.cot.check import check
from terrascope_nb.cot.faults import Fault
from terrascope_nb.cot.parquet import row_of
from terrascope_nb.cot.record import ImageRef, Record
from terrascope_nb.errors import TerrascopeError
from terrascope_nb.scene.labelled import Labelled

Composer = Callable[..., Sequence[Record]]
"""``composer(labelled, rng, kinds=…, images=…, dropped=…, **options)`` → records, without split and seed.

It counts in ``dropped`` what it could not ask of the image, and why.
"""

_COMPRESSION = 1  # of PNG, 0…9: 3 times as fast as 6, a tenth larger


@dataclass(frozen=True)
class Recipe:
    """What a unit's records depend on beside its image.

    Attributes
    ----------
    seed : int
    kinds : tuple of str
        Kinds of records to make.
    images : bool
        Write pictures.
    test_share : float
        Share of the places on the test side, 0…1.
    own_split : bool
        Take the sides that the source names instead.
    options : dict
        Further keywords of the composer.
    """

    seed: int = 0
    kinds: tuple[str, ...] = ()
    images: bool = True
    test_share: float = 0.1
    own_split: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Unit:
    """What one image gave; plain data that goes between processes.

    Attributes
    ----------
    source, key, licence, citation : str
        As in `Labelled`; for an image that could not be read, of its source only what is known.
    rows : tuple of dict
        Valid records, as rows of the table.
    pictures : dict
        Path → bytes of the PNG.
    rejected : tuple of (str, tuple of Fault)
        Id of each record that is not valid, and why.
    dropped : dict
        What was not asked of the image, with the reason → how often.
    unmapped : dict
        Class numbers that the legend leaves out → pixels.
    error : str
        Why the image gave nothing; «» when it was read.
    """

    source: str
    key: str
    licence: str = ""
    citation: str = ""
    rows: tuple[dict[str, Any], ...] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    rejected: tuple[tuple[str, tuple[Fault, ...]], ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    unmapped: Mapping[int, int] = field(default_factory=dict)
    error: str = ""


def seed_of(seed: int, source: str, key: str) -> int:
    """The seed of an image: 63 bits of SHA-256 of seed, source and key; the same wherever and whenever it is made.

    Examples
    --------
    >>> seed_of(0, "synthetic", "0") == seed_of(0, "synthetic", "0") != seed_of(1, "synthetic", "0")
    True
    """
    digest = hashlib.sha256(f"{seed}\0{source}\0{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def make_unit(labelled: Labelled, composer: Composer, recipe: Recipe) -> Unit:
    """Compose, check and render one image.

    An image that the composer refuses by a named error (no CRS, no class) is a unit with that `error`.
    """
    from terrascope_nb.cot.sources import side_of

    told = {"source": labelled.source, "key": labelled.key, "licence": labelled.licence, "citation": labelled.citation}
    unmapped = {int(k): int(v) for k, v in labelled.unmapped.items()}
    seed = seed_of(recipe.seed, labelled.source, labelled.key)
    refs = image_refs(labelled, recipe.images)
    lost: Counter[str] = Counter()
    try:
        split = side_of(labelled, recipe.seed, recipe.test_share, recipe.own_split)
        rng = np.random.default_rng(seed)
        drafts = composer(labelled, rng, kinds=recipe.kinds, images=refs, dropped=lost, **recipe.options)
        made = [replace(r, split=split, seed=seed) for r in drafts]
        kept: dict[Any, Any] = {}
        faults = [tuple(check(r, labelled, kept)) for r in made]
        good = [r for r, wrong in zip(made, faults, strict=True) if not wrong]
        pictures = _pictures(labelled, refs, {i.path for r in good for i in r.images}) if recipe.images else {}
    except TerrascopeError as e:
        return Unit(**told, unmapped=unmapped, error=f"{type(e).__name__}: {e}")
    rejected = tuple((r.id, wrong) for r, wrong in zip(made, faults, strict=True) if wrong)
    rows = tuple(map(row_of, good))
    return Unit(**told, rows=rows, pictures=pictures, rejected=rejected, dropped=dict(lost), unmapped=unmapped)


def image_refs(labelled: Labelled, images: bool = True) -> tuple[ImageRef, ...]:
    """One picture an image of the scene, in its order.

    The path is ``images/<two digits>/<key>-<hash>-<number>-<sensor>.png``; without `images`, the first file that the
    scene was read from.
    """
    digest = hashlib.sha256(f"{labelled.source}\0{labelled.key}".encode()).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", labelled.key).strip("-.")[:60]
    out = []
    for k, image in enumerate(labelled.scene.images):
        path = f"images/{digest[:2]}/{stem}-{digest[2:10]}-{k}-{image.modality}.png"
        if not images:
            path = image.sources[0] if image.sources else ""
        out.append(ImageRef(path, image.modality, None if image.time is None else image.day, image.grid.shape))
    return tuple(out)


def png(pixels: np.ndarray) -> bytes:
    """An (H, W, 3) uint8 picture as PNG; the same bytes for the same pixels."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=_COMPRESSION)
    return out.getvalue()


def _pictures(labelled: Labelled, refs: Sequence[ImageRef], wanted: set[str]) -> dict[str, bytes]:
    images = labelled.scene.images
    return {r.path: png(i.view.pixels) for r, i in zip(refs, images, strict=True) if r.path in wanted}
