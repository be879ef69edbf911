"""What could be asked of labelled scenes: every question that passes the paper's filters, and why the others do not."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.bench.draw import Offer
from terrascope_nb.bench.store import write_labelled
from terrascope_nb.cot.sources.split import split_of
from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.quiz import Dropped, Item, Quiz, candidates, make_item
from terrascope_nb.scene.labelled import Labelled

SPLITS = ("all", "test")


@dataclass(frozen=True)
class Waiting:
    """An image that waits until it is known whether it is asked about.

    Attributes
    ----------
    key, place, source, licence, citation : str
        As in `Labelled`.
    draft : Path or None
        The image, uncompressed; None in a dry run, and where nothing can be asked.
    """

    key: str
    place: str
    source: str
    licence: str
    citation: str
    draft: Path | None


@dataclass(frozen=True)
class Offers:
    """Every question that could be asked.

    Attributes
    ----------
    images : list of Waiting
        In the order in which the sources gave them.
    offers : list of Offer
        ``kind`` is (labels, dates).
    left : Counter
        «task: reason» → questions that are not asked.
    """

    images: list[Waiting]
    offers: list[Offer]
    left: Counter[str]


def offers_of(
    sources: Iterable[Labelled], tasks: Sequence[str], seed: int, split: str, share: float, draft: Path | None
) -> Offers:
    """Ask of each image what the benchmark could ask. Reads each source once, and holds one image at a time.

    Parameters
    ----------
    draft : Path or None
        Where images wait; None: nothing is written.

    Raises
    ------
    InvalidInput
        For two images of one key.
    """
    if split not in SPLITS:
        raise InvalidInput(unknown("split", split, SPLITS))
    out = Offers([], [], Counter())
    keys: set[str] = set()
    for labelled in sources:
        if split == "test" and split_of(labelled.place, seed, share) != "test":
            out.left["image: its place is on the training side"] += 1
            continue
        if labelled.key in keys:
            raise InvalidInput(f"two images have the key {labelled.key!r}: keys name an image, give each its own")
        keys.add(labelled.key)
        quiz, number, before = Quiz.of(labelled), len(out.images), len(out.offers)
        for task in tasks:
            found = candidates(quiz, task)
            for d in found.dropped:
                out.left[f"{task}: {d.reason}"] += 1
            for one in found.kept:
                truth = one.fact.value if isinstance(one.fact.value, bool | np.bool_) else None
                offer = Offer(
                    number, task, (one.labels, one.dates), truth if truth is None else bool(truth), labelled.source
                )
                item = item_of(quiz, offer, seed)
                if isinstance(item, Dropped):
                    out.left[f"{task}: {item.reason}"] += 1
                else:
                    out.offers.append(offer)
        path = None if draft is None or len(out.offers) == before else draft / f"{number:06d}.npz"
        if path is not None:
            write_labelled(labelled, path, level=0)
        out.images.append(
            Waiting(labelled.key, labelled.place, labelled.source, labelled.licence, labelled.citation, path)
        )
    return out


def item_of(quiz: Quiz, offer: Offer, seed: int) -> Item | Dropped:
    """Write the question of an offer; always the same one for the same seed, whatever else is asked."""
    labels, dates = offer.kind  # type: ignore[misc]
    words = hashlib.sha256(repr((quiz.labelled.key, offer.task, labels, dates)).encode()).digest()
    return make_item(quiz, offer.task, labels, np.random.default_rng([seed, *words[:16]]), dates=dates)
