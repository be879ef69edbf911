"""What a run would do, before it does it: stages, samples, steps, weights trained, memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from terrascope_nb.model.config import TerraScopeConfig
from terrascope_nb.model.loading import read_config as read_sizes
from terrascope_nb.model.memory import DTYPES
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import closest_grid
from terrascope_nb.train.config import TrainConfig
from terrascope_nb.train.memory import StageMemory, stage_memory
from terrascope_nb.train.networks import shape_config
from terrascope_nb.train.parts import begin, parameter_counts
from terrascope_nb.train.records import Records, dataset_hash, read_records
from terrascope_nb.train.run import passes
from terrascope_nb.train.samples import Order, Samples
from terrascope_nb.train.stage import StageConfig

_LOOKED_AT = 1000  # records that sizes are taken from
_CHARACTERS = 3  # of a token, at the least; few words of such texts take more tokens


@dataclass(frozen=True)
class StagePlan:
    """One stage of a plan.

    Attributes
    ----------
    stage : StageConfig
    shown : dict
        How many of the records it takes show what.
    steps : int
        Optimiser steps.
    accumulated : int
        Passes a step, in each process.
    counts : dict
        Part → (weights trained, weights).
    memory : StageMemory
    """

    stage: StageConfig
    shown: dict[str, int]
    steps: int
    accumulated: int
    counts: dict[str, tuple[int, int]]
    memory: StageMemory

    def __str__(self) -> str:
        s = self.stage
        shown = ", ".join(f"{k} {n}" for k, n in self.shown.items() if n)
        parts = ", ".join(f"{part} {n / 1e6:,.2f} M" for part, (n, _) in self.counts.items() if n)
        frozen = ", ".join(part for part, (n, _) in self.counts.items() if not n)
        trained, whole = (sum(n[k] for n in self.counts.values()) for k in (0, 1))
        return "\n".join([
            f"stage {s.name}",
            f"  records   {sum(self.shown.values()):,} ({shown})" + (", those with a mask" if s.of_masks else ""),
            f"  steps     {self.steps:,} of {s.batch} samples ({s.per_device} a device, {self.accumulated} passes)",
            f"  trained   {trained / 1e6:,.2f} M of {whole / 1e6:,.2f} M weights: {parts}",
            f"  frozen    {frozen or 'nothing'}",
            f"  loss      {s.text_weight:g} · text + {s.mask_weight:g} · (Dice + pixels)"
            + (f" + {s.iou_weight:g} · IoU guess" if s.iou_weight else ""),
            f"  rate      {s.rate:g}{''.join(f', {k} {v:g}' for k, v in s.rates.items())}; {s.schedule}, "
            f"{s.warmup:.0%} warm-up",
            *(f"  {line}" for line in str(self.memory).splitlines()),
        ])  # fmt: skip


@dataclass(frozen=True, eq=False)
class Plan:
    """A whole run, before it is begun.

    Attributes
    ----------
    config : TrainConfig
    records : Records
    processes : int
    stages : tuple of StagePlan
    """

    config: TrainConfig
    records: Records
    processes: int
    stages: tuple[StagePlan, ...]

    def __str__(self) -> str:
        c, r = self.config, self.records
        start = c.network.checkpoint or ("random weights" if c.network.random_start else "no checkpoint named yet")
        left = "".join(f", {n:,} left out {why}" for why, n in r.left_out.items())
        absent = [k for k, weight in (c.data.mix or {}).items() if weight and not r.counts()[k]]
        lines = [
            f"{c.name}: {c.network.shape} from {start}, {c.network.dtype}, seed {c.seed}, "
            f"{self.processes} process{'' if self.processes == 1 else 'es'}",
            f"  data      {len(r):,} records{left}, {len(r.broken):,} broken; {dataset_hash(r)[:16]}",
            f"  mixed     {dict(c.data.mix) if c.data.mix else 'as the data are'}"
            + (f"; the data have none of: {', '.join(absent)}" if absent else ""),
            f"  regions   {c.regions.rule}, at most {c.regions.cap or 'the rule’s own'}, {c.regions.mode}; "
            f"{c.regions.fusion}; figures after [SEG] in {c.data.measured_share:.0%}",
        ]
        lines += [f"  broken    {name}: {why}" for name, why in list(r.broken.items())[:5]]
        return "\n".join([*lines, *map(str, self.stages)])


def make_plan(
    config: TrainConfig, data: str | Path | Sequence[str | Path], images: str | Path | None = None, processes: int = 1
) -> Plan:
    """Read the records and compute what a run would do; no weight is read and nothing written.

    Parameters
    ----------
    config, data, images
        As `train` takes them.
    processes : int
        How many will share the work.

    Raises
    ------
    InvalidInput, NotFound
        As `train` would.
    """
    records = read_records(data, config.data, images)
    sizes = _sizes(config)
    tiles, pictures, masks, text = largest(records, sizes)
    stages = []
    for number, stage in enumerate(config.stages):
        order = Order(Samples(records, config.data, config.seed, stage.of_masks), config.data.mix, stage.batch)
        steps = stage.steps or max(int(-(-len(order) // stage.batch * stage.epochs // 1)), 1)
        with torch.device("meta"):
            model = TerraScopeModel(sizes).to(DTYPES[config.network.dtype])
        begin(model, stage, 0)
        memory = stage_memory(sizes, config, number, tiles, pictures, masks, text)
        shown = records.counts(stage.of_masks)
        stages.append(
            StagePlan(stage, shown, steps, passes(stage, processes), parameter_counts(model, stage), memory)
        )  # fmt: skip
    return Plan(config, records, processes, tuple(stages))


def _sizes(config: TrainConfig) -> TerraScopeConfig:
    """Of the network; from the hub its configuration alone is fetched."""
    source = config.network.checkpoint
    if not source:
        return shape_config(config)
    folder = Path(source)
    return read_sizes(folder, source) if folder.is_dir() else TerraScopeConfig.from_pretrained(source)


def largest(records: Records, sizes: TerraScopeConfig) -> tuple[int, int, int, int]:
    """Most tiles, pictures with masks, masks and tokens of text of a record, of up to a thousand looked at.

    Tokens are guessed from the number of characters.
    """
    tiles = pictures = masks = text = 1
    for k in range(0, len(records), max(1, len(records) // _LOOKED_AT)):
        record = records[k]
        many = len(record.images)
        shape = record.images[0].shape
        if many == 1 and shape is not None:
            columns, rows = closest_grid(shape[1], shape[0], sizes.max_tiles, sizes.tile)
            many = rows * columns + (rows * columns > 1)
        tiles, masks = max(tiles, many), max(masks, record.segs)
        pictures = max(pictures, len({m.image for m in record.masks}))
        text = max(text, (len(record.asked) + len(record.text)) // _CHARACTERS + 150)
    return tiles, pictures, masks, text
