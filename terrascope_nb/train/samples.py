"""Records → samples of the network, in an order that seed and epoch alone decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from terrascope_nb.cot.record import ImageRef, Record
from terrascope_nb.errors import InvalidInput, TerrascopeError
from terrascope_nb.model.measured import measured_text
from terrascope_nb.model.processor import Processor
from terrascope_nb.model.prompt import write_prompt
from terrascope_nb.model.samples import Sample, collate
from terrascope_nb.reason.events import SEG
from terrascope_nb.train.config import SHOWS, DataConfig, RegionConfig
from terrascope_nb.train.records import Records

#: Days that optical and SAR image of one date may lie apart, as `Scene.moments` has it.
_GAP = np.timedelta64(6, "D")
_ORDER, _FIGURES, _REGIONS = 1, 2, 3  # streams of random numbers that have nothing to do with each other

Key = tuple[int, int, int]  # epoch, position in it, index of the record


@dataclass(frozen=True, eq=False)
class Drawn:
    """A sample that was drawn.

    Attributes
    ----------
    name : str
        Id of its record.
    key : (int, int, int)
        Epoch, position in it, index of the record that was to be drawn.
    sample : Sample
    broken : tuple of (str, str)
        Records that could not be read in its place, and why.
    """

    name: str
    key: Key
    sample: Sample
    broken: tuple[tuple[str, str], ...] = ()


class Samples:
    """A data set for torch's DataLoader, whose keys are those of `Order`.

    Which samples carry measured figures is decided by seed, epoch and position, so it depends neither on the number of
    processes nor on where a run was broken off.
    """

    def __init__(self, records: Records, config: DataConfig, seed: int, of_masks: bool = False) -> None:
        self.records, self.config, self.seed = records, config, seed
        self.eligible = records.eligible(of_masks)
        if not len(self.eligible):
            raise InvalidInput(f"none of the {len(records)} records has a mask, and this stage learns from masks alone")

    def __len__(self) -> int:
        return len(self.eligible)

    def __getitem__(self, key: Key) -> Drawn:
        """The sample of a key; in the place of a record that cannot be read, the next one that can.

        Raises
        ------
        InvalidInput
            When more than `DataConfig.skip_limit` in a row cannot.
        """
        epoch, position, index = key
        rng = np.random.default_rng([self.seed, _FIGURES, epoch, position])
        measured = bool(rng.random() < self.config.measured_share)
        at = int(np.searchsorted(self.eligible, index))
        broken: list[tuple[str, str]] = []
        for step in range(min(self.config.skip_limit + 1, len(self.eligible))):
            k = int(self.eligible[(at + step) % len(self.eligible)])
            record = self.records[k]
            try:
                return Drawn(record.id, key, sample_of(record, self.records.folder(k), measured), tuple(broken))
            except (TerrascopeError, OSError) as e:
                broken.append((record.id, str(e)))
        told = "; ".join(f"{name}: {why}" for name, why in broken[:3])
        raise InvalidInput(f"{len(broken)} records in a row cannot be read, more than data.skip_limit allows: {told}")


class Order:
    """The keys of an epoch, for torch's DataLoader: mixed by weights, shuffled, cut to whole optimiser steps.

    Parameters
    ----------
    samples : Samples
    mix : mapping or None
        Weights of `SHOWS`; see `epoch_order`.
    step : int
        Samples an optimiser step. What is left at an epoch's end is left out; fewer than one step are repeated.
    """

    def __init__(self, samples: Samples, mix: Mapping[str, float] | None, step: int) -> None:
        self.samples, self.mix, self.step, self.epoch = samples, mix, step, 0

    def set_epoch(self, epoch: int) -> None:
        """Which epoch `iter` gives."""
        self.epoch = epoch

    def __len__(self) -> int:
        return max(len(self.samples) // self.step, 1) * self.step

    def __iter__(self) -> Iterator[Key]:
        eligible = self.samples.eligible
        order = epoch_order(self.samples.records.shows[eligible], self.mix, self.samples.seed, self.epoch, len(self))
        return iter([(self.epoch, n, int(eligible[k])) for n, k in enumerate(order)])


class Batches:
    """Samples → the arguments of the network's forward pass, with the names of the records under ``"names"``."""

    def __init__(self, processor: Processor, regions: RegionConfig, seed: int) -> None:
        self.processor, self.regions, self.seed = processor, regions, seed

    def __call__(self, drawn: Sequence[Drawn]) -> dict[str, Any]:
        """Lay a batch out."""
        r, (epoch, position, _) = self.regions, drawn[0].key
        rng = np.random.default_rng([self.seed, _REGIONS, epoch, position])
        batch = collate(
            self.processor, [d.sample for d in drawn], r.rule, r.cap, r.mode, r.fusion, r.scope, rng,
        )  # fmt: skip
        told = {"names": [d.name for d in drawn], "broken": [b for d in drawn for b in d.broken]}
        return {**batch, "keep_logits": False, **told}


def epoch_order(shows: np.ndarray, mix: Mapping[str, float] | None, seed: int, epoch: int, length: int) -> np.ndarray:
    """Indices of an epoch's samples, `length` of them.

    Parameters
    ----------
    shows : numpy.ndarray
        (N,) what each record shows, index into `SHOWS`.
    mix : mapping or None
        Weight of each of `SHOWS`, 0 where it is not named; of those that the data lack nothing is taken. None: every
        record alike. Each kind is gone through whole before any of it comes again.

    Examples
    --------
    >>> epoch_order(np.array([0, 0, 0, 1]), {"optical": 1, "sar": 1}, seed=0, epoch=0, length=8).tolist()
    [3, 0, 3, 1, 1, 3, 2, 3]
    """
    rng = np.random.default_rng([seed, _ORDER, epoch])
    groups = [(np.arange(len(shows)), 1.0)]
    if mix is not None:
        groups = [(np.flatnonzero(shows == k), float(mix.get(name, 0))) for k, name in enumerate(SHOWS)]
        groups = [(members, weight) for members, weight in groups if weight > 0 and len(members)]
    if not groups:
        raise InvalidInput(f"data.mix {dict(mix or {})} gives weight to nothing that the records show")
    total = sum(weight for _, weight in groups)
    wanted = np.array([length * weight / total for _, weight in groups])
    counts = np.floor(wanted).astype(int)
    for k in np.argsort(counts - wanted, kind="stable")[: length - counts.sum()]:
        counts[k] += 1
    parts = [_rounds(members, int(count), rng) for (members, _), count in zip(groups, counts, strict=True)]
    return rng.permutation(np.concatenate(parts))


def sample_of(record: Record, folder: Path, measured: bool = False) -> Sample:
    """The sample of a record's first turn: pictures read, masks decoded, figures measured where they are wanted.

    Raises
    ------
    InvalidInput
        For a picture that is none or of another size than its mask, and for masks that cannot be decoded.
    """
    pictures = tuple(_picture(folder / i.path) for i in record.images)
    count = record.answer_text.count(SEG)
    masks = tuple(m.mask for m in record.masks[:count])
    where = tuple(m.image for m in record.masks[:count])
    for k, (mask, image) in enumerate(zip(masks, where, strict=True)):
        if mask.shape != pictures[image].shape[:2]:
            raise InvalidInput(
                f"record {record.id!r}: mask {k} is {mask.shape}, the picture {record.images[image].path} is "
                f"{pictures[image].shape[:2]}"
            )
    told = figures(record) if measured and count else None
    prompt = write_prompt(record.question, dict(record.choices) if record.choices else None)
    return Sample(pictures, prompt, record.answer_text, masks, where, pairs(record.images), told)


def figures(record: Record) -> tuple[str, ...]:
    """What measuring in the loop puts after each ``[SEG]`` of the first turn, when the masks are the true ones."""
    regions = record.regions()[: record.answer_text.count(SEG)]
    return tuple(measured_text(r, before) for r, before in zip(regions, [None, *regions], strict=False))


def pairs(images: Sequence[ImageRef]) -> tuple[tuple[int, int], ...]:
    """Which images are of one date: (optical, SAR), the SAR image nearest in time, as `Scene.moments` pairs them."""
    optical = [k for k, i in enumerate(images) if i.sensor != "sar"]
    sar = [k for k, i in enumerate(images) if i.sensor == "sar"]
    times = {k: np.datetime64(i.time, "s") for k, i in enumerate(images) if i.time}
    out = []
    for n, k in enumerate(optical):
        dated = [s for s in sar if s in times]
        if k in times and dated:
            near = min(dated, key=lambda s: abs(times[s] - times[k]))
            if abs(times[near] - times[k]) <= _GAP:
                out.append((k, near))
        elif len(sar) == len(optical):
            out.append((k, sar[n]))
    return tuple(out)


def _picture(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError) as e:  # Pillow raises SyntaxError for a broken PNG
        raise InvalidInput(f"{path} cannot be read as a picture: {e}") from e


def _rounds(members: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` of the members, all of them in each round."""
    whole = [rng.permutation(members) for _ in range(-(-count // len(members)))]
    return np.concatenate([*whole, members[:0]])[:count]
