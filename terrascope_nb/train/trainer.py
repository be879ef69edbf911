"""Transformers' Trainer with what training on masks needs: order, losses by part, whole checkpoints, a stop on NaN."""

from __future__ import annotations

import csv
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers import Trainer, TrainerCallback, TrainingArguments

from terrascope_nb.cot.atomic import DRAFT, to_json, write_whole
from terrascope_nb.errors import InvalidInput, TerrascopeError
from terrascope_nb.model.network import TerraScopeModel, TrainingOutput
from terrascope_nb.train import checkpoint as files
from terrascope_nb.train.parts import groups, trained_tensors
from terrascope_nb.train.samples import Batches, Order, Samples
from terrascope_nb.train.stage import StageConfig

LOG = logging.getLogger(__name__)
LOSSES = ("text_loss", "dice_loss", "pixel_loss", "iou_loss", "iou")
COLUMNS = ("step", "epoch", "loss", *LOSSES, "learning_rate", "grad_norm")
NAN, SKIPPED, CSV = "not_finite.json", "skipped.json", "log.csv"


class LossNotFinite(TerrascopeError, ArithmeticError):
    """The loss, or its gradient, is NaN or infinite; the message names step and records."""


class StageTrainer(Trainer):
    """Trains one stage.

    Parameters
    ----------
    model : TerraScopeModel
        Made ready by `parts.begin`.
    args : TrainingArguments
        ``output_dir`` is the stage's folder.
    samples : Samples
    batches : Batches
    order : Order
    stage : StageConfig
    keep : int
        Checkpoints that are kept.
    skip_limit : int
        Records that may turn out broken while they are read, in each process.

    Notes
    -----
    The loss of a step is the mean over its passes of
    ``text_weight · CE + mask_weight · (Dice + pixel CE) + iou_weight · (guess − IoU)²``, each term a mean over what
    the pass holds. So `per_device` weighs texts of unequal length a little differently; the number of processes does
    not.
    """

    def __init__(
        self, model: TerraScopeModel, args: TrainingArguments, samples: Samples, batches: Batches, order: Order,
        stage: StageConfig, keep: int, skip_limit: int,
    ) -> None:  # fmt: skip
        super().__init__(model, args, batches, samples)
        self.order, self.stage, self.keep, self.skip_limit = order, stage, keep, skip_limit
        self._names: list[list[str]] = []  # records of the passes since the last optimiser step
        self._sums = dict.fromkeys(LOSSES, 0.0)
        self._counts = dict.fromkeys(LOSSES, 0)
        self._skipped: dict[str, str] = {}
        self._saving: Path | None = None
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            raise InvalidInput(
                "training is spread by copies of the network (accelerate's MULTI_GPU, MULTI_CPU); FSDP and DeepSpeed, "
                "which cut it into pieces, are not built: run accelerate config and choose neither"
            )

    # ---- what is learnt, in which order, by what ------------------------------------------------------------------
    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler:
        return self.order  # type: ignore[return-value]

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW with a rate for each part."""
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(
                groups(self.model, self.stage), lr=self.stage.rate, betas=self.stage.betas
            )
        return self.optimizer

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of one pass; its parts are kept for the log, its records for the case that it is NaN."""
        names, broken = inputs.pop("names"), inputs.pop("broken")
        self._skip(dict(broken))
        self._names.append(names)
        out: TrainingOutput = model(**inputs)
        told = {"text_loss": out.text_loss, "dice_loss": out.dice_loss, "pixel_loss": out.pixel_loss}
        loss = self.stage.text_weight * out.text_loss
        if out.mask_loss is not None:
            loss = loss + self.stage.mask_weight * out.mask_loss
            true = [t.to(d.device) for t, d in zip(inputs["masks"], out.mask_logits, strict=True)]
            told["iou"] = ious(out.mask_logits, true)
            guessed = ((out.mask_iou.float() - told["iou"]) ** 2).mean()
            told["iou_loss"] = guessed
            if self.stage.iou_weight:
                loss = loss + self.stage.iou_weight * guessed
        self._note(told)
        if not bool(torch.isfinite(loss.detach())):
            parts = ", ".join(f"{k} {float(v.detach().mean()):.4g}" for k, v in told.items() if v is not None)
            self._stop(f"the loss is {float(loss.detach())} ({parts})", names)
        return (loss, out) if return_outputs else loss

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm)
        if norm is not None and not math.isfinite(float(norm)):
            self._stop(f"the gradient's length is {float(norm)}", [n for names in self._names for n in names])
        self._names = []
        return norm

    def _note(self, told: Mapping[str, torch.Tensor | None]) -> None:
        for name, value in told.items():
            if value is not None:
                self._sums[name] += float(value.detach().double().sum())
                self._counts[name] += value.numel()

    def _stop(self, what: str, names: list[str]) -> None:
        step = self.state.global_step + 1
        place = Path(self.args.output_dir) / NAN
        if self.is_world_process_zero():
            write_whole(place, to_json({"step": step, "what": what, "records": names}))
        raise LossNotFinite(
            f"stage {self.stage.name!r}, step {step}: {what}, in these records: {', '.join(names)[:1500]}. Nothing was "
            f"changed by this step; see {place}. Look at the records, or lower rate or clip and begin again"
        )

    def _skip(self, broken: dict[str, str]) -> None:
        new = {k: v for k, v in broken.items() if k not in self._skipped}
        if not new:
            return
        self._skipped |= new
        for name, why in new.items():
            LOG.warning("left out, another record took its place: %s: %s", name, why)
        if self.is_world_process_zero():
            write_whole(Path(self.args.output_dir) / SKIPPED, to_json(self._skipped))
        if len(self._skipped) > self.skip_limit:
            raise InvalidInput(
                f"{len(self._skipped)} records cannot be read, allowed are {self.skip_limit} (data.skip_limit): "
                + "; ".join(f"{k}: {v}" for k, v in self._skipped.items())[:1500]
            )

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the parts of the loss, as means since the last line and over all processes."""
        if "loss" in logs:
            mine = [self._sums[k] for k in LOSSES] + [float(self._counts[k]) for k in LOSSES]
            both = self.accelerator.reduce(torch.tensor(mine, device=self.args.device, dtype=torch.float32), "sum")
            for k, name in enumerate(LOSSES):
                if both[len(LOSSES) + k] > 0:
                    logs[name] = float(both[k] / both[len(LOSSES) + k])
            self._sums, self._counts = dict.fromkeys(LOSSES, 0.0), dict.fromkeys(LOSSES, 0)
        super().log(logs, start_time)

    # ---- checkpoints ----------------------------------------------------------------------------------------------
    def _get_output_dir(self, trial: Any) -> str:
        return str(self._saving or self.args.output_dir)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """As the Trainer does it, beside its place; moved there when every process has written its share."""
        folder = Path(self.args.output_dir)
        self._saving = folder / f"{DRAFT}checkpoint"
        try:
            super()._save_checkpoint(model, trial)
        finally:
            draft, self._saving = self._saving, None
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            name = f"checkpoint-{self.state.global_step}"
            files.move_whole(draft / name, folder / name)
            files.clean(folder, self.keep)
        self.accelerator.wait_for_everyone()

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Only what is trained: the rest is where the stage began."""
        place = Path(output_dir or self.args.output_dir)
        place.mkdir(parents=True, exist_ok=True)
        files.save_trained(trained_tensors(self.model), place / files.TRAINED)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        files.load_trained(self.model if model is None else model, Path(resume_from_checkpoint) / files.TRAINED)


class CsvLog(TrainerCallback):
    """Writes ``log.csv``, a line a logged step; after a resumption the lines after the checkpoint are cut off."""

    def __init__(self, path: Path) -> None:
        self.path, self._begun = path, 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Begin the file, or cut it where training goes on."""
        self._begun = time.monotonic()
        if not state.is_world_process_zero:
            return
        rows: list[dict[str, str]] = []
        if state.global_step and self.path.is_file():
            with self.path.open(newline="") as f:
                rows = [r for r in csv.DictReader(f) if int(r["step"]) <= state.global_step]
        lines = [",".join((*COLUMNS, "seconds"))]
        lines += [",".join(row[c] for c in (*COLUMNS, "seconds")) for row in rows]
        write_whole(self.path, "\n".join(lines) + "\n")

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float] | None = None, **rest: Any) -> None:
        """Add a line."""
        if not state.is_world_process_zero or logs is None or "loss" not in logs:
            return
        row = {**logs, "step": state.global_step, "seconds": round(time.monotonic() - self._begun, 2)}
        with self.path.open("a", newline="") as f:
            csv.writer(f).writerow([row.get(c, "") for c in (*COLUMNS, "seconds")])
        LOG.info(
            "step %d of %d: %s", state.global_step, state.max_steps,
            ", ".join(f"{c} {row[c]:.4g}" for c in COLUMNS[2:] if c in row),
        )  # fmt: skip


def ious(logits: tuple[torch.Tensor, ...], true: list[torch.Tensor]) -> torch.Tensor:
    """IoU of each drawn mask with its true one, (N,) float32 without gradient; 1 where both are empty.

    Examples
    --------
    >>> ious((torch.tensor([[1.0, 1.0, -1.0]]),), [torch.tensor([[True, False, False]])]).tolist()
    [0.5]
    """
    out = []
    for drawn, mask in zip(logits, true, strict=True):
        inside = drawn.detach() > 0
        union = (inside | mask).sum()
        out.append(torch.where(union > 0, (inside & mask).sum() / union.clamp(min=1), 1.0))
    return torch.stack(out).float()
