"""Training runs: every recipe shrunk, what a stage changes and what it leaves, the commands."""

from __future__ import annotations

import argparse
import csv
import json
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
from safetensors.torch import load_file
from train_records import small_dataset

from terrascope_nb.errors import InvalidInput, MissingPackage
from terrascope_nb.model.loading import load
from terrascope_nb.model.tiny import tiny_model
from terrascope_nb.train import commands
from terrascope_nb.train.checkpoint import TRAINED
from terrascope_nb.train.config import DataConfig
from terrascope_nb.train.files import SHIPPED, read_config, shrink, to_yaml
from terrascope_nb.train.networks import learn_tokenizer, open_network, weights_hash
from terrascope_nb.train.parts import begin, end, is_trained, part_of, trained_tensors
from terrascope_nb.train.records import read_records
from terrascope_nb.train.run import train
from terrascope_nb.train.samples import Batches, Order, Samples

TESTS = Path(__file__).parent


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


# ---- every recipe ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", SHIPPED)
def test_each_recipe_runs_for_two_steps(name: str, data: Path, tmp_path: Path) -> None:
    config = shrink(read_config(name))
    made = train(config, data, tmp_path / "out", device="cpu")
    for number, stage in enumerate(config.stages):
        rows = lines(tmp_path / "out", f"{number + 1}-{stage.name}")
        assert [row["step"] for row in rows] == ["1", "2"]
        for row in rows:
            parts = float(row["dice_loss"]) + float(row["pixel_loss"])
            told = stage.text_weight * float(row["text_loss"]) + stage.mask_weight * parts
            told += stage.iou_weight * float(row["iou_loss"])
            if stage.of_masks:  # else passes without a mask weigh the means of the parts differently
                assert float(row["loss"]) == pytest.approx(told, rel=1e-4)
            assert float(row["grad_norm"]) > 0
        assert list((tmp_path / "out" / f"{number + 1}-{stage.name}" / "tensorboard").glob("events.*"))
    model, processor = load(made, "cpu")
    assert model.config.measured_in_loop is (config.data.measured_share > 0)
    assert not any("lora" in n for n, _ in model.named_parameters())
    record = json.loads((made / "training.json").read_text())
    assert record["config"]["seed"] == 0 and record["data"]["records"] == 10 and "torch" in record["versions"]
    assert record["weights"] == weights_hash(model)
    assert processor.config.region_rule == config.regions.rule


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("name", SHIPPED)
def test_a_stage_changes_what_it_says_and_nothing_else(name: str, number: int, data: Path) -> None:
    config = shrink(read_config(name))
    stage = config.stages[number]
    records = read_records(data)
    model, processor = open_network(config, records)
    tuner = begin(model, stage, 0)
    samples = Samples(records, config.data, 0, stage.of_masks)
    keys = list(Order(samples, None, 8))
    batch = Batches(processor, config.regions, 0)([samples[key] for key in keys])
    batch = {k: v for k, v in batch.items() if k not in ("names", "broken")}
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3, weight_decay=0.0)
    for _ in range(2):  # the second half of an adapter is 0 at first, and so is the first one's gradient
        out = model.train()(**batch)
        (out.text_loss + out.mask_loss + stage.iou_weight * out.mask_iou.sum()).backward()
        optimiser.step()
        optimiser.zero_grad()
    changed = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert changed <= {n for n in before if is_trained(n, stage)}
    parts = {*stage.train, *(["lora"] if stage.lora else []), *(["new_tokens"] if stage.new_tokens else [])}
    assert {part_of(n) for n in changed} == parts
    still = {n for n in before if is_trained(n, stage)} - changed
    # Candidates of SAM 2's that were never the best one; the vision tower's token that no picture has.
    assert all("output_hypernetworks_mlps" in n or "iou_prediction_head" in n or part_of(n) in ("vision", "sam_encoder")
               for n in still), still  # fmt: skip
    end(model, tuner, torch.float32)
    assert not any(p.requires_grad for p in model.parameters())


def test_adapters_are_merged_to_what_they_computed(data: Path) -> None:
    config = shrink(read_config("8b"))
    model, processor = tiny_model()
    tuner = begin(model, config.stages[1], 0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    records = read_records(data)
    samples = Samples(records, DataConfig(), 0)
    batch = Batches(processor, config.regions, 0)([samples[(0, 0, 2)]])
    batch = {k: v for k, v in batch.items() if k not in ("names", "broken")}
    before = model.eval()(**batch).loss
    end(model, tuner, torch.float32)
    assert model(**batch).loss.item() == pytest.approx(before.item(), rel=1e-5)


def test_from_a_checkpoint_with_its_licence(data: Path, tmp_path: Path) -> None:
    model, processor = tiny_model(3)
    model.save_pretrained(tmp_path / "base")
    processor.save_pretrained(tmp_path / "base")
    (tmp_path / "base" / "LICENSE").write_text("Apache License\nVersion 2.0\n")
    config = shrink(read_config("8b"), 2)
    network = replace(config.network, checkpoint=str(tmp_path / "base"), random_start=False, dtype="bf16")
    made = train(replace(config, network=network, stages=config.stages[1:]), data, tmp_path / "out", device="cpu")
    record = json.loads((made / "training.json").read_text())
    assert record["start"]["licence"].startswith("Apache License Version 2.0")
    assert set(record["start"]["sha256"]) == {"model.safetensors"}
    again, _ = load(made, "cpu")
    assert again.checkpoint.licence.startswith("Apache License")
    assert again.config.origin["sha256"] == dict(again.checkpoint.sha256) != record["start"]["sha256"]
    kept = load_file(made / "model.safetensors")
    assert {t.dtype for t in kept.values()} == {torch.bfloat16}
    assert torch.equal(kept["sam.no_memory_embedding"], model.sam.no_memory_embedding.bfloat16())
    trained = load_file(tmp_path / "out" / "1-instruction" / TRAINED)
    assert {t.dtype for t in trained.values()} == {torch.float32}


# ---- the rest -------------------------------------------------------------------------------------------------------
def test_a_learnt_tokenizer_spells_figures_one_way() -> None:
    texts = ["Water [SEG] covers 27.1 % of the scene, 44.4 ha."] * 3
    tokenizer = learn_tokenizer(texts, 300)
    assert tokenizer.tokenize("27.15") == ["2", "7", ".", "1", "5"]
    for text in ("Water [SEG] covers 3 %.", "größer², 10 km"):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.get_vocab() == learn_tokenizer(texts, 300).get_vocab()


def test_it_learns(data: Path, tmp_path: Path) -> None:
    config = shrink(read_config("mini"), 40)
    stage = replace(config.stages[1], rate=2e-3, rates={}, batch=4, per_device=4, mask_weight=1.0)
    train(replace(config, stages=(stage,), save_every=40, log_every=20), data, tmp_path / "out", device="cpu")
    first, *_, last = lines(tmp_path / "out", "1-instruction")
    assert float(last["text_loss"]) < 0.3 * float(first["text_loss"])
    assert float(last["iou"]) > 0.7 > 0.1 > float(first["iou"])
    assert float(last["iou_loss"]) < 0.1 < float(first["iou_loss"])  # it knows how good its masks are


def test_what_is_missing_says_how_to_get_it(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("accelerate", "tensorboard", "peft"):
        with monkeypatch.context() as without, pytest.raises(MissingPackage, match=r"terrascope-nb\[train\]") as caught:
            without.setitem(sys.modules, name, None)
            train(shrink(read_config("8b"), 1), data, tmp_path / name, device="cpu")
        assert caught.value.name == name


def test_only_what_is_trained_is_kept() -> None:
    model, _ = tiny_model()
    begin(model, read_config("8b").stages[0], 0)
    assert {part_of(n) for n in trained_tensors(model)} == {"bridge", "mask_decoder"}


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    commands.add_to(parser.add_subparsers())
    args = parser.parse_args(["train", *argv])
    return args.run(args)


def test_the_command_rehearses(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run("--config", "mini", "--data", str(data), "--out", str(out), "--rehearse", "1", "--device", "cpu") == 0
    assert capsys.readouterr().out == f"→ {out / 'model'}\n"
    assert (out / "model" / "model.safetensors").is_file()
    for argv, words in (
        (["--config", "mini"], "--data and --out must be given"),
        ([], "--config must be given"),
        (["--assemble", "a", "b"], "needs --out"),
    ):
        with pytest.raises(InvalidInput, match=words):
            run(*argv)
    assert run("--config", "8b", "--print-config") == 0
    assert capsys.readouterr().out == to_yaml(read_config("8b"))


def test_the_dry_run_tells_and_writes_nothing(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("--config", "8b", "--data", str(data), "--rehearse", "3", "--dry-run", "--processes", "2") == 0
    told = capsys.readouterr().out
    for words in (
        "10 records, 2 left out on the test side, 0 broken", "stage grounding", "stage instruction", "2 processes",
        "records   8 (optical 2, sar 2, both 2, temporal 2), those with a mask",
        "3 of 4 samples (2 a device, 1 passes)",
        "frozen    vision, projector", "computed, not measured", "bridge 0.01 M",
    ):  # fmt: skip
        assert words in told
    assert list(tmp_path.iterdir()) == []
