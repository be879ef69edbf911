"""A whole run: stage after stage, each resumable, and the trained network written at the end."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, ProgressCallback, TrainerCallback, TrainingArguments, set_seed
from transformers.integrations import TensorBoardCallback

from terrascope_nb._optional import need
from terrascope_nb.errors import InvalidInput
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Processor
from terrascope_nb.train import checkpoint as files
from terrascope_nb.train.config import TrainConfig
from terrascope_nb.train.networks import open_network, weights_hash
from terrascope_nb.train.parts import begin, end, trained_tensors
from terrascope_nb.train.records import Records, read_records
from terrascope_nb.train.samples import Batches, Order, Samples
from terrascope_nb.train.stage import StageConfig
from terrascope_nb.train.trainer import CSV, CsvLog, StageTrainer

LOG = logging.getLogger(__name__)
MODEL = "model"


def train(
    config: TrainConfig,
    data: str | Path | Sequence[str | Path],
    out: str | Path,
    resume: bool = False,
    images: str | Path | None = None,
    device: str = "auto",
    callbacks: Sequence[TrainerCallback] = (),
) -> Path:
    """Train a network.

    Every stage has a folder in `out` (``1-grounding`` …) with its checkpoints, ``log.csv``, TensorBoard's files and at
    the end ``trained.safetensors``; the network, all adapters merged, is written to ``out/model``, its record
    ``training.json`` beside the weights. Started by ``accelerate launch``, the work is shared by all processes.

    Parameters
    ----------
    config : TrainConfig
    data, images
        As `read_records` takes them.
    out : path
    resume : bool
        Go on with the run in `out`, from its last whole checkpoint: the losses are those of a run that was never
        broken off (bit for bit on a CPU; on a GPU as far as its kernels add in a fixed order). Where there is none, it
        is begun.
    device : "auto" or "cpu"
        "auto" takes CUDA or MPS where they are there.
    callbacks : sequence of transformers.TrainerCallback
        Told of every step, each stage's.

    Returns
    -------
    Path
        ``out/model``, which ``open_reasoner("terrascope", model=…)`` opens.

    Raises
    ------
    InvalidInput
        For data without a record, more broken records than allowed, and a run that was begun with something else.
    AlreadyThere
        When there is a run in `out` and it is not to be resumed.
    LossNotFinite
        When the loss or its gradient is NaN or infinite; the records of that step are named.
    MissingPackage
        When accelerate, tensorboard, or for adapters peft, is not installed.
    """
    accelerate = need("accelerate", "train", "train")
    need("tensorboard", "log what training does", "train")
    if device not in ("auto", "cpu"):
        raise InvalidInput(f"device is 'auto' or 'cpu', got {device!r}; which card: CUDA_VISIBLE_DEVICES")
    if config.data.workers:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # their threads do not survive a fork
    state = accelerate.PartialState(cpu=device == "cpu")
    folder = Path(out)
    files.look(folder, resume)
    records = read_records(data, config.data, images)
    with state.main_process_first():  # the others find the tokenizer that it has learnt
        model, processor = open_network(config, records, folder / "tokenizer")
        if state.is_main_process and not config.network.checkpoint:
            processor.save_pretrained(folder / "tokenizer")
    record = files.run_record(config, records, _start(config, model))
    with state.main_process_first():
        if state.is_main_process:
            resumed = files.begin_run(folder, record)
            LOG.info("%s %s: %d records", "going on with" if resumed else "training", config.name, len(records))
    for number, stage in enumerate(config.stages):
        _run_stage(config, number, stage, model, processor, records, folder, device, callbacks, state)
    if state.is_main_process:
        _write_model(model, processor, folder, config)
    state.wait_for_everyone()
    return folder / MODEL


def stage_folder(out: Path, config: TrainConfig, number: int) -> Path:
    """Where a stage keeps its files."""
    return out / f"{number + 1}-{config.stages[number].name}"


def passes(stage: StageConfig, processes: int) -> int:
    """Passes that are accumulated to one optimiser step.

    Raises
    ------
    InvalidInput
        When the step's samples are no multiple of what the processes hold together.
    """
    together = stage.per_device * processes
    if stage.batch % together:
        raise InvalidInput(
            f"stage {stage.name!r}: a step has {stage.batch} samples, {processes} processes hold {together} at a time "
            "(per_device each): make batch a multiple of that"
        )
    return stage.batch // together


def arguments(
    config: TrainConfig, number: int, folder: Path, device: str = "cpu", processes: int = 1
) -> TrainingArguments:
    """What transformers' Trainer is told of a stage."""
    stage = config.stages[number]
    cpu = device == "cpu" or not (torch.cuda.is_available() or torch.backends.mps.is_available())
    return TrainingArguments(
        str(folder), per_device_train_batch_size=stage.per_device, num_train_epochs=stage.epochs,
        max_steps=stage.steps or -1, gradient_accumulation_steps=passes(stage, processes),
        learning_rate=stage.rate, lr_scheduler_type=stage.schedule,
        warmup_steps=stage.warmup, max_grad_norm=stage.clip, bf16=config.network.dtype == "bf16", use_cpu=cpu,
        activation_checkpointing=stage.checkpointing, activation_checkpointing_kwargs={"use_reentrant": False},
        logging_steps=config.log_every, logging_first_step=True, logging_nan_inf_filter=False, save_strategy="steps",
        save_steps=config.save_every, report_to=[], disable_tqdm=True, seed=_seed(config, number),
        dataloader_num_workers=config.data.workers, dataloader_drop_last=True, dataloader_pin_memory=not cpu,
        remove_unused_columns=False, label_names=["labels"], prediction_loss_only=True, optim="adamw_torch",
        ddp_find_unused_parameters=True, average_tokens_across_devices=False, log_level="warning",
    )  # fmt: skip


def _run_stage(
    config: TrainConfig, number: int, stage: StageConfig, model: TerraScopeModel, processor: Processor,
    records: Records, out: Path, device: str, callbacks: Sequence[TrainerCallback], state: Any,
) -> None:  # fmt: skip
    """Train a stage, or take what it has left; the network is merged and frozen afterwards either way."""
    folder = stage_folder(out, config, number)
    first = model.dtype
    tuner = begin(model, stage, _seed(config, number))
    if files.stage_done(folder):
        files.load_trained(model, folder / files.TRAINED)
        end(model, tuner, first)
        return
    if state.is_main_process:
        folder.mkdir(parents=True, exist_ok=True)
        files.clean(folder)
    state.wait_for_everyone()
    samples = Samples(records, config.data, _seed(config, number), stage.of_masks)
    order = Order(samples, config.data.mix, stage.batch)
    args = arguments(config, number, folder, device, state.num_processes)
    batches = Batches(processor, config.regions, _seed(config, number))
    trainer = StageTrainer(model, args, samples, batches, order, stage, config.keep, config.data.skip_limit)
    set_seed(_seed(config, number) + 7919 * state.process_index)  # or every process would drop out the same
    for theirs in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(theirs)
    saved = files.checkpoints(folder)
    trainer.add_callback(CsvLog(folder / CSV))
    if state.is_main_process:
        from torch.utils.tensorboard import SummaryWriter

        step = int(saved[-1].name.rpartition("-")[2]) + 1 if saved else None
        trainer.add_callback(TensorBoardCallback(SummaryWriter(str(folder / "tensorboard"), purge_step=step)))
    for callback in callbacks:
        trainer.add_callback(callback)
    steps = _finished(saved[-1]) if saved else 0
    if steps:  # killed after the last step: one more would be one too many
        files.load_trained(model, saved[-1] / files.TRAINED)
    else:
        steps = trainer.train(resume_from_checkpoint=str(saved[-1]) if saved else None).global_step
    if state.is_main_process:
        told = {"steps": steps, "samples": steps * stage.batch, "processes": state.num_processes}
        files.finish_stage(folder, trained_tensors(model), told)
    state.wait_for_everyone()
    trainer.accelerator.unwrap_model(trainer.model_wrapped, keep_fp32_wrapper=False)  # the next stage wraps it anew
    trainer.accelerator.free_memory()
    model.zero_grad(set_to_none=True)
    if stage.checkpointing:
        model.activation_checkpointing_disable()
    end(model.cpu(), tuner, first)  # merged where a resumed run merges too


def _finished(saved: Path) -> int:
    """Steps of a checkpoint that is the stage's last; 0 for an earlier one."""
    told = json.loads((saved / "trainer_state.json").read_text("utf-8"))
    return int(told["global_step"]) if told["global_step"] >= told["max_steps"] else 0


def _write_model(model: TerraScopeModel, processor: Processor, out: Path, config: TrainConfig) -> None:
    """The trained network with its record, and the licence of the weights that it began with."""
    record = json.loads((out / files.RECORD).read_text("utf-8"))
    stages = [stage_folder(out, config, k) for k in range(len(config.stages))]
    record["stages"] = {s.name: json.loads((s / files.DONE).read_text("utf-8")) for s in stages}
    record["weights"] = weights_hash(model)
    if (out / MODEL / files.RECORD).is_file():
        told = json.loads((out / MODEL / files.RECORD).read_text("utf-8"))
        if told.get("weights") == record["weights"]:
            return
    base = model.checkpoint.folder if config.network.checkpoint else None
    # Hashes of the weights that it began with would pass for its own.
    model.config.origin = {} if base is None else {"licence": model.checkpoint.licence}
    with files.whole_folder(out / MODEL) as draft:
        model.save_pretrained(str(draft))
        processor.save_pretrained(draft)
        (draft / files.RECORD).write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", "utf-8")
        for path in sorted(base.glob("LICEN[SC]E*")) if base is not None else ():
            shutil.copy(path, draft / path.name)


def _start(config: TrainConfig, model: TerraScopeModel) -> dict[str, Any]:
    if config.network.checkpoint:
        c = model.checkpoint
        return {"checkpoint": c.source, "revision": c.revision, "sha256": dict(c.sha256), "licence": c.licence}
    return {"checkpoint": "", "revision": "", "sha256": {"random": weights_hash(model)}, "licence": ""}


def _seed(config: TrainConfig, number: int) -> int:
    """Each stage's own."""
    return (config.seed * 1009 + number) % 2**31
