"""Training that goes wrong: NaN in loss or gradient, records that break, folders and starts that do not do."""

from __future__ import annotations

import json
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
from train_records import small_dataset
from transformers import TrainerCallback

from terrascope_nb.errors import AlreadyThere, InvalidInput
from terrascope_nb.train.files import read_config, shrink
from terrascope_nb.train.run import train
from terrascope_nb.train.trainer import LossNotFinite


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


def test_a_loss_that_is_no_number_stops_and_names_its_records(data: Path, tmp_path: Path) -> None:
    class Spoil(TrainerCallback):
        def on_step_begin(self, args, state, control, model=None, **rest) -> None:
            if state.global_step == 1:
                with torch.no_grad():
                    model.bridge[0].weight.fill_(float("nan"))

    with pytest.raises(LossNotFinite, match=r"stage 'grounding', step 2: the loss is nan .*dice_loss nan.*drawn-"):
        train(shrink(read_config("8b"), 3), data, tmp_path / "out", device="cpu", callbacks=[Spoil()])
    told = json.loads((tmp_path / "out" / "1-grounding" / "not_finite.json").read_text())
    assert told["step"] == 2 and len(told["records"]) == 2
    assert not (tmp_path / "out" / "model").exists()


def test_a_gradient_that_is_no_number_stops_before_the_step(data: Path, tmp_path: Path) -> None:
    class Spoil(TrainerCallback):
        def on_train_begin(self, args, state, control, model=None, **rest) -> None:
            model.bridge[0].weight.register_hook(lambda g: g * float("inf"))

    with pytest.raises(LossNotFinite, match="the gradient's length is"):
        train(shrink(read_config("8b"), 3), data, tmp_path / "out", device="cpu", callbacks=[Spoil()])
    told = json.loads((tmp_path / "out" / "1-grounding" / "not_finite.json").read_text())
    assert told["step"] == 1 and len(told["records"]) == 4


def test_records_that_break_while_it_runs(tmp_path: Path) -> None:
    data = small_dataset(tmp_path / "data")
    config = shrink(read_config("8b"), 8)
    config = replace(config, stages=config.stages[:1], data=replace(config.data, skip_limit=1, mix=None))

    class Break(TrainerCallback):
        def __init__(self, *names: str) -> None:
            self.names = names

        def on_train_begin(self, args, state, control, **rest) -> None:
            for name in self.names:
                (data / "images" / name).write_bytes(b"")

    train(config, data, tmp_path / "out", device="cpu", callbacks=[Break("0-0.png")])
    assert list(json.loads((tmp_path / "out" / "1-grounding" / "skipped.json").read_text())) == ["drawn-0"]
    with pytest.raises(InvalidInput, match="2 records cannot be read, allowed are 1"):
        train(config, data, tmp_path / "more", device="cpu", callbacks=[Break("5-0.png")])


def test_folders_and_starts_that_do_not_do(data: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("x")
    with pytest.raises(AlreadyThere, match="is not empty, and holds no training"):
        train(shrink(read_config("8b")), data, tmp_path / "full", device="cpu")
    with pytest.raises(InvalidInput, match="begins from a checkpoint"):
        train(read_config("1b"), data, tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()
    config = shrink(read_config("8b"))
    with pytest.raises(InvalidInput, match="device is 'auto' or 'cpu'"):
        train(config, data, tmp_path / "out", device="cuda:1")
