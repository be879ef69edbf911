"""TrainConfig: all that decides a training run beside its data, as a frozen record that refuses contradictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from terrascope_nb.errors import InvalidInput
from terrascope_nb.train.stage import StageConfig, at_least, one_of, share

#: Shapes of the network: `model.memory.preset`, and two small ones of our own.
SHAPES = ("8B", "2B", "1B", "mini", "tiny")
#: What a record shows: see `records.show_of`.
SHOWS = ("optical", "sar", "both", "temporal")
DTYPES = ("bf16", "fp32")


@dataclass(frozen=True)
class NetworkConfig:
    """The network that is trained.

    Attributes
    ----------
    shape : str
        One of `SHAPES`: its sizes, where no checkpoint states them.
    checkpoint : str
        Folder or hub name to start from (`convert` or `save_pretrained` wrote it); «» starts from random weights.
    random_start : bool
        Allow random weights. Only sensible for small shapes: a large one would learn nothing in one epoch.
    vocabulary : int
        Tokens of the tokenizer that is learnt from the records' texts where there is no checkpoint, special ones apart.
    dtype : "bf16" or "fp32"
        Of the computation; a checkpoint's weights are loaded in it. Trained weights are kept in float32.
    """

    shape: str = "8B"
    checkpoint: str = ""
    random_start: bool = False
    vocabulary: int = 600
    dtype: str = "bf16"

    def __post_init__(self) -> None:
        one_of("network.shape", self.shape, SHAPES)
        one_of("network.dtype", self.dtype, DTYPES)
        if self.checkpoint and self.random_start:
            raise InvalidInput(f"network.random_start is on, and network.checkpoint is {self.checkpoint!r}: choose one")
        at_least("network.vocabulary", self.vocabulary, 300)  # 256 bytes, and some words


@dataclass(frozen=True)
class DataConfig:
    """Which records are read, and how.

    Attributes
    ----------
    mix : dict or None
        Weights of `SHOWS` (optical, sar, both, temporal) among the samples of an epoch; None: as the data has them.
    kinds : tuple of str
        Kinds of records, as `cot.record.KINDS`; () for all.
    measured_share : float
        Share of samples, 0…1, in which the measured figures stand after each ``[SEG]``, as measuring in the loop puts
        them. Above 0 the trained weights measure in the loop.
    skip_limit : int
        Records that may be broken and are left out; one more stops the run.
    workers : int
        Processes that read; the samples do not depend on it.
    """

    mix: Mapping[str, float] | None = None
    kinds: tuple[str, ...] = ()
    measured_share: float = 0.0
    skip_limit: int = 100
    workers: int = 0

    def __post_init__(self) -> None:
        for name, weight in (self.mix or {}).items():
            one_of("data.mix", name, SHOWS)
            at_least(f"data.mix.{name}", weight, 0)
        if self.mix is not None and not sum(self.mix.values()) > 0:
            raise InvalidInput(f"data.mix has no weight above 0: {dict(self.mix)}; null takes the records as they are")
        share("data.measured_share", self.measured_share)
        at_least("data.skip_limit", self.skip_limit, 0)
        at_least("data.workers", self.workers, 0)


@dataclass(frozen=True)
class RegionConfig:
    """How true masks become the features that are put in after ``[SEG]``.

    Attributes
    ----------
    rule : "paper" or "published"
    cap : int or None
        Most tokens of a region; None: the rule's own (128, 8).
    mode : "mask", "box", "random" or "none"
        For ablations, as `model.regions.select` takes it.
    fusion : "adaptive", "concat", "optical" or "sar"
    scope : "image" or "selected"
        What the choice between two sensors compares, as `model.samples.collate` takes it.
    """

    rule: str = "paper"
    cap: int | None = None
    mode: str = "mask"
    fusion: str = "adaptive"
    scope: str = "image"

    def __post_init__(self) -> None:
        one_of("regions.rule", self.rule, ("paper", "published"))
        one_of("regions.mode", self.mode, ("mask", "box", "random", "none"))
        one_of("regions.fusion", self.fusion, ("adaptive", "concat", "optical", "sar"))
        one_of("regions.scope", self.scope, ("image", "selected"))
        if self.cap is not None:
            at_least("regions.cap", self.cap, 1)
            if self.mode == "none":
                raise InvalidInput(
                    f"regions.cap is {self.cap}, but regions.mode: none puts no feature in; leave it out"
                )


@dataclass(frozen=True)
class TrainConfig:
    """A whole run.

    Attributes
    ----------
    name : str
    network : NetworkConfig
    data : DataConfig
    regions : RegionConfig
    stages : tuple of StageConfig
        One after the other, each from where the one before ended.
    seed : int
        Of everything random: first weights, order, dropout, random regions, which samples carry figures.
    log_every, save_every : int
        Optimiser steps between lines of the log, and between checkpoints.
    keep : int
        Checkpoints of a stage that are kept.
    """

    name: str
    stages: tuple[StageConfig, ...]
    network: NetworkConfig = NetworkConfig()
    data: DataConfig = DataConfig()
    regions: RegionConfig = RegionConfig()
    seed: int = 0
    log_every: int = 10
    save_every: int = 500
    keep: int = 2

    def __post_init__(self) -> None:
        if not self.stages:
            raise InvalidInput(f"training {self.name!r} has no stage")
        names = [s.name for s in self.stages]
        if len(set(names)) < len(names):
            raise InvalidInput(f"two stages have one name: {', '.join(names)}")
        at_least("seed", self.seed, 0)
        for name in ("log_every", "save_every", "keep"):
            at_least(name, getattr(self, name), 1)
        if self.regions.mode == "none" and self.data.measured_share == 0:
            silent = [s.name for s in self.stages if not s.mask_weight]
            if silent:
                raise InvalidInput(
                    f"stages {', '.join(silent)} put no region in (regions.mode: none), no figure "
                    "(data.measured_share: 0), and do not learn the masks (mask_weight: 0): masks would do nothing"
                )
