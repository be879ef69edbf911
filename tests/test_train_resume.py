"""Training taken up again: after a kill, between stages, by other processes, with the same losses."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("pyarrow")
pytest.importorskip("accelerate")
pytest.importorskip("peft")
pytest.importorskip("tensorboard")

import torch
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import BatchSampler
from train_records import small_dataset
from transformers import TrainerCallback

from terrascope_nb.errors import AlreadyThere, InvalidInput
from terrascope_nb.model.loading import load
from terrascope_nb.train.checkpoint import TRAINED, checkpoints
from terrascope_nb.train.config import DataConfig, TrainConfig
from terrascope_nb.train.files import read_config, shrink, to_yaml
from terrascope_nb.train.networks import weights_hash
from terrascope_nb.train.records import read_records
from terrascope_nb.train.run import passes, train
from terrascope_nb.train.samples import Order, Samples


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks as small as these are no faster on several, and much slower where others work beside them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_dataset(tmp_path_factory.mktemp("data"))


def lines(run: Path, stage: str = "1-instruction") -> list[dict[str, str]]:
    with (run / stage / "log.csv").open() as f:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(f)]


def exact(steps: int = 6, **stage: object) -> TrainConfig:
    """Everything random that there is: dropout, random regions, figures in half of the samples."""
    config = shrink(read_config("8b"), steps)
    one = replace(config.stages[1], **{"rate": 1e-3, **stage})
    return replace(
        config, stages=(one,), save_every=2, data=replace(config.data, measured_share=0.5),
        regions=replace(config.regions, mode="random", cap=3),
    )  # fmt: skip


_KILLED = """
import os, signal, sys
import torch
from transformers import TrainerCallback
from terrascope_nb.train.files import read_config
from terrascope_nb.train.run import train

torch.set_num_threads(1)

class Kill(TrainerCallback):
    def on_step_begin(self, args, state, control, **rest):
        if state.global_step == 3:
            os.kill(os.getpid(), signal.SIGKILL)

train(read_config(sys.argv[1]), sys.argv[2], sys.argv[3], device="cpu", callbacks=[Kill()])
"""


def test_a_run_that_was_killed_goes_on_as_if_nothing_had_been(data: Path, tmp_path: Path) -> None:
    config = exact()
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    whole = train(config, data, tmp_path / "whole", device="cpu")
    command = [sys.executable, "-c", _KILLED, str(tmp_path / "config.yaml"), str(data), str(tmp_path / "killed")]
    assert subprocess.run(command, capture_output=True, timeout=120).returncode == -signal.SIGKILL
    stage = tmp_path / "killed" / "1-instruction"
    assert [p.name for p in checkpoints(stage)] == ["checkpoint-2"]
    assert len(lines(tmp_path / "killed")) == 3
    (stage / ".draft-checkpoint" / "checkpoint-4").mkdir(parents=True)  # as a kill in the middle of saving leaves it
    with pytest.raises(AlreadyThere, match="--resume"):
        train(config, data, tmp_path / "killed", device="cpu")
    with pytest.raises(InvalidInput, match=r"config.stages\[0\].rate was 0.001, is 0.002"):
        train(exact(rate=2e-3), data, tmp_path / "killed", resume=True, device="cpu")
    resumed = train(replace(config, log_every=1, keep=1), data, tmp_path / "killed", resume=True, device="cpu")
    assert lines(tmp_path / "killed") == lines(tmp_path / "whole")
    assert weights_hash(load(resumed, "cpu")[0]) == weights_hash(load(whole, "cpu")[0])
    assert [p.name for p in checkpoints(stage)] == ["checkpoint-6"]
    assert not list(stage.glob(".draft*"))


def test_killed_between_stages_or_before_the_end(data: Path, tmp_path: Path) -> None:
    config = shrink(read_config("8b"))
    whole = train(config, data, tmp_path / "out", device="cpu")
    before = weights_hash(load(whole, "cpu")[0])
    (tmp_path / "out" / "2-instruction" / "done.json").unlink()
    (tmp_path / "out" / "2-instruction" / TRAINED).unlink()
    (tmp_path / "out" / "model" / "training.json").unlink()
    steps: list[int] = []

    class Count(TrainerCallback):
        def on_step_end(self, args, state, control, **rest) -> None:
            steps.append(state.global_step)

    again = train(config, data, tmp_path / "out", resume=True, device="cpu", callbacks=[Count()])
    assert weights_hash(load(again, "cpu")[0]) == before
    assert steps == []
    (tmp_path / "out" / "1-grounding" / TRAINED).write_bytes(b"")
    with pytest.raises(OSError, match="was changed since the stage was done"):
        train(config, data, tmp_path / "out", resume=True, device="cpu")


def test_reading_processes_change_nothing(data: Path, tmp_path: Path) -> None:
    config = exact(2)
    train(config, data, tmp_path / "none", device="cpu")
    train(replace(config, data=replace(config.data, workers=1)), data, tmp_path / "one", device="cpu")
    assert lines(tmp_path / "one") == lines(tmp_path / "none")


def test_two_processes_are_handed_what_one_accumulates(data: Path) -> None:
    samples = Samples(read_records(data), DataConfig(), 0)
    order = Order(samples, {"optical": 1, "both": 2}, 4)
    shards = [BatchSamplerShard(BatchSampler(order, 2, True), 2, k) for k in (0, 1)]
    alone = list(BatchSampler(order, 2, True))
    both = [batch for pair in zip(*shards, strict=True) for batch in pair]
    assert both == alone and len(alone) == 4
    stage = read_config("8b").stages[0]
    assert (passes(stage, 1), passes(stage, 8)) == (32, 4)
    with pytest.raises(InvalidInput, match="a step has 64 samples, 5 processes hold 10"):
        passes(stage, 5)


_SHARED = """
import sys
import torch
from terrascope_nb.train.files import read_config
from terrascope_nb.train.run import train

torch.set_num_threads(1)
train(read_config(sys.argv[1]), sys.argv[2], sys.argv[3], device="cpu")
"""


@pytest.mark.slow
def test_two_processes_learn_what_one_does(data: Path, tmp_path: Path) -> None:
    config = exact(4, batch=4, per_device=1)  # texts without a mask come to one process alone now and then
    config = replace(config, stages=(replace(config.stages[0], lora=replace(config.stages[0].lora, dropout=0.0)),))
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    (tmp_path / "script.py").write_text(_SHARED)
    launch = [
        sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu", "--num_processes", "2",
        "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0",
        str(tmp_path / "script.py"), str(tmp_path / "config.yaml"), str(data), str(tmp_path / "two"),
    ]  # fmt: skip
    told = subprocess.run(
        launch, capture_output=True, timeout=180, text=True, env={**os.environ, "ACCELERATE_USE_CPU": "true"}
    )
    assert told.returncode == 0, told.stderr[-3000:]
    train(config, data, tmp_path / "one", device="cpu")
    assert json.loads((tmp_path / "two" / "1-instruction" / "done.json").read_text())["processes"] == 2
    one, two = lines(tmp_path / "one"), lines(tmp_path / "two")
    assert len(one) == len(two) == 4
    for a, b in zip(one, two, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            if a[name]:
                assert float(b[name]) == pytest.approx(float(a[name]), rel=2e-4), name
