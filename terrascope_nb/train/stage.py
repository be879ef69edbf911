"""StageConfig: what one stage trains, how fast, on which loss; and the checks that all configurations share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput

#: Parts of the network that a stage may train, see `parts.PARTS`.
PART_NAMES = ("vision", "projector", "llm", "embeddings", "head", "bridge", "mask_decoder", "sam_encoder")
SCHEDULES = ("cosine", "linear", "constant_with_warmup")
#: Parts that learn from the masks alone; a stage of these takes only records that have one.
OF_MASKS = frozenset({"bridge", "mask_decoder", "sam_encoder"})


def one_of(where: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse a value that is not among those known."""
    if value not in known:
        raise InvalidInput(unknown(where, value, known))


def at_least(where: str, value: float, least: float) -> None:
    """Refuse a number below `least`, and NaN."""
    if not value >= least:
        raise InvalidInput(f"{where} is at least {least}, got {value}")


def share(where: str, value: float) -> None:
    """Refuse a number outside 0…1."""
    if not 0 <= value <= 1:
        raise InvalidInput(f"{where} is a share, 0…1, got {value}")


@dataclass(frozen=True)
class LoraConfig:
    """Adapters in the linear layers of the language model.

    Attributes
    ----------
    rank, alpha : int
    dropout : float
        0…1.
    """

    rank: int = 128
    alpha: int = 256
    dropout: float = 0.05

    def __post_init__(self) -> None:
        at_least("lora.rank", self.rank, 1)
        at_least("lora.alpha", self.alpha, 1)
        share("lora.dropout", self.dropout)


@dataclass(frozen=True)
class StageConfig:
    """One stage.

    Attributes
    ----------
    name : str
        Of its folder; letters, digits, «-» and «_».
    train : tuple of str
        Parts whose weights are trained (`PART_NAMES`); all else is frozen.
    lora : LoraConfig or None
        Adapters for the language model; merged into it when the stage is done.
    new_tokens : bool
        Train the embeddings and output rows of the tokens that were added to the tokenizer (``[SEG]`` …), and no other
        row. Needed where the weights it begins with have never seen them.
    epochs : float
        Passes over the records, where `steps` is None.
    steps : int or None
        Optimiser steps.
    batch : int
        Samples an optimiser step, over all processes and accumulated passes.
    per_device : int
        Samples a process holds at a time. `batch` / (`per_device` · processes) passes are accumulated.
    rate : float
        Highest learning rate.
    rates : dict
        Other rates of single parts, of "lora" and of "new_tokens".
    schedule : str
        One of `SCHEDULES`; goes down to 0 at the last step (constant: does not).
    warmup : float
        Share of the steps, 0…1, over which the rate rises.
    weight_decay : float
        Of matrices; biases, norms and single vectors have none.
    betas : (float, float)
        Of AdamW.
    clip : float
        Longest gradient; 0: none is cut.
    text_weight, mask_weight : float
        Of the cross-entropy of the text, and of Dice + cross-entropy of the pixels.
    iou_weight : float
        Of the squared error of the decoder's own guess of its mask's IoU. SAM 2 draws three candidates and the one
        with the best guess is taken: at 0 (the paper) that choice stays as it was before training.
    checkpointing : bool
        Keep no activation of the layers, compute them again in the backward pass.
    """

    name: str
    train: tuple[str, ...]
    lora: LoraConfig | None = None
    new_tokens: bool = False
    epochs: float = 1.0
    steps: int | None = None
    batch: int = 64
    per_device: int = 1
    rate: float = 4e-5
    rates: Mapping[str, float] = field(default_factory=dict)
    schedule: str = "cosine"
    warmup: float = 0.05
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 1.0
    text_weight: float = 1.0
    mask_weight: float = 0.5
    iou_weight: float = 0.0
    checkpointing: bool = True

    def __post_init__(self) -> None:
        here = f"stage {self.name!r}"
        if not self.name or not all(c.isalnum() or c in "-_" for c in self.name):
            raise InvalidInput(f"the name of a stage is letters, digits, - and _; got {self.name!r}")
        for part in self.train:
            one_of(f"{here}: train", part, PART_NAMES)
        if len(set(self.train)) < len(self.train):
            raise InvalidInput(f"{here}: train names a part twice: {', '.join(self.train)}")
        if not self.train and self.lora is None and not self.new_tokens:
            raise InvalidInput(f"{here} trains nothing: give train (of {', '.join(PART_NAMES)}) or lora")
        if self.new_tokens and {"embeddings", "head"} & set(self.train):
            raise InvalidInput(f"{here} trains all rows of embeddings or head: new_tokens is for when it does not")
        if self.lora is not None and "llm" in self.train:
            raise InvalidInput(f"{here} trains all of llm, and adapters in it too: take llm or lora away")
        known = {*self.train, *(["lora"] if self.lora else []), *(["new_tokens"] if self.new_tokens else [])}
        strange = [k for k in self.rates if k not in known]
        if strange:
            raise InvalidInput(f"{here}: rates are of parts that it trains; {', '.join(strange)} is none of them")
        for name, value in {"rate": self.rate, **{f"rates.{k}": v for k, v in self.rates.items()}}.items():
            if not 0 < value < 1:
                raise InvalidInput(f"{here}: {name} is a learning rate between 0 and 1, got {value}")
        self._check_amounts(here)
        self._check_losses(here)

    def _check_amounts(self, here: str) -> None:
        one_of(f"{here}: schedule", self.schedule, SCHEDULES)
        for name, least in (("batch", 1), ("per_device", 1), ("weight_decay", 0), ("clip", 0)):
            at_least(f"{here}: {name}", getattr(self, name), least)
        if self.steps is not None:
            at_least(f"{here}: steps", self.steps, 1)
            if self.epochs != 1.0:
                raise InvalidInput(f"{here} has steps: {self.steps} and epochs: {self.epochs}: choose one")
        if not self.epochs > 0:
            raise InvalidInput(f"{here}: epochs is above 0, got {self.epochs}")
        if self.batch % self.per_device:
            raise InvalidInput(f"{here}: batch {self.batch} is no multiple of per_device {self.per_device}")
        share(f"{here}: warmup", self.warmup)
        if len(self.betas) != 2 or not all(0 <= b < 1 for b in self.betas):
            raise InvalidInput(f"{here}: betas are two numbers in [0, 1), got {self.betas}")

    def _check_losses(self, here: str) -> None:
        for name in ("text_weight", "mask_weight", "iou_weight"):
            at_least(f"{here}: {name}", getattr(self, name), 0)
        if self.iou_weight and "mask_decoder" not in self.train:
            raise InvalidInput(f"{here}: iou_weight is {self.iou_weight}, but mask_decoder is not trained")
        if self.of_masks and not self.mask_weight:
            raise InvalidInput(f"{here} trains {', '.join(self.train)}, which mask_weight: 0 gives nothing to learn")
        if not self.text_weight and not self.mask_weight:
            raise InvalidInput(f"{here}: text_weight and mask_weight are both 0")

    @property
    def of_masks(self) -> bool:
        """Whether it learns from masks alone: records without any are left out."""
        return self.lora is None and not self.new_tokens and set(self.train) <= OF_MASKS
