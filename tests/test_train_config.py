"""Configurations of training: those that come along, their YAML, and the contradictions that are refused."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

pytest.importorskip("yaml")

from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.train.config import DataConfig, NetworkConfig, RegionConfig, TrainConfig
from terrascope_nb.train.files import SHIPPED, from_mapping, from_yaml, read_config, shrink, to_mapping, to_yaml
from terrascope_nb.train.stage import LoraConfig, StageConfig

GROUNDING = StageConfig("grounding", ("mask_decoder", "bridge"))


@pytest.mark.parametrize("name", SHIPPED)
def test_what_comes_along_is_read_and_written(name: str, tmp_path: Path) -> None:
    config = read_config(name)
    assert config.name == name
    assert from_yaml(to_yaml(config)) == config
    (tmp_path / "mine.yaml").write_text(to_yaml(config), encoding="utf-8")
    assert read_config(tmp_path / "mine.yaml") == config
    small = shrink(config, 3)
    assert from_mapping(to_mapping(small)) == small
    assert [(s.name, s.train, s.steps) for s in small.stages] == [(s.name, s.train, 3) for s in config.stages]
    with pytest.raises(FrozenInstanceError):
        config.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize("name", ["1b", "8b"])
def test_the_large_ones_are_the_papers_recipe(name: str) -> None:
    first, second = read_config(name).stages
    assert (first.name, set(first.train), first.lora) == ("grounding", {"mask_decoder", "bridge"}, None)
    assert (second.name, set(second.train)) == ("instruction", {"projector", "mask_decoder", "bridge"})
    assert (second.lora.rank, second.lora.alpha) == (128, 256)
    for stage in (first, second):
        assert (stage.epochs, stage.schedule, stage.text_weight, stage.mask_weight) == (1.0, "cosine", 1.0, 0.5)
    assert read_config(name).network.dtype == "bf16"
    assert first.of_masks and not second.of_masks


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: NetworkConfig(shape="7B"), "7B"),
        (lambda: NetworkConfig(checkpoint="x", random_start=True), "choose one"),
        (lambda: NetworkConfig(vocabulary=100), "at least 300"),
        (lambda: DataConfig(mix={"radar": 1}), "radar"),
        (lambda: DataConfig(mix={"sar": 0}), "no weight above 0"),
        (lambda: DataConfig(mix={"sar": -1}), "at least 0"),
        (lambda: DataConfig(measured_share=1.5), "a share"),
        (lambda: RegionConfig(rule="ours"), "ours"),
        (lambda: RegionConfig(mode="none", cap=3), "puts no feature in"),
        (lambda: LoraConfig(rank=0), "at least 1"),
        (lambda: StageConfig("a b", ("bridge",)), "letters, digits"),
        (lambda: StageConfig("a", ()), "trains nothing"),
        (lambda: StageConfig("a", ("brigde",)), "bridge"),
        (lambda: StageConfig("a", ("bridge", "bridge")), "twice"),
        (lambda: StageConfig("a", ("llm",), LoraConfig()), "take llm or lora away"),
        (lambda: StageConfig("a", ("bridge",), rates={"head": 1e-3}), "head is none of them"),
        (lambda: StageConfig("a", ("bridge",), rate=3.0), "between 0 and 1"),
        (lambda: StageConfig("a", ("bridge",), steps=3, epochs=2.0), "choose one"),
        (lambda: StageConfig("a", ("bridge",), batch=6, per_device=4), "no multiple"),
        (lambda: StageConfig("a", ("bridge",), mask_weight=0.0), "nothing to learn"),
        (lambda: StageConfig("a", ("head",), text_weight=0.0, mask_weight=0.0), "both 0"),
        (lambda: StageConfig("a", ("bridge",), iou_weight=1.0), "mask_decoder is not trained"),
        (lambda: StageConfig("a", ("bridge",), betas=(0.9, 1.0)), "betas"),
        (lambda: StageConfig("a", ("bridge",), warmup=float("nan")), "a share"),
        (lambda: TrainConfig("x", ()), "has no stage"),
        (lambda: TrainConfig("x", (GROUNDING, GROUNDING)), "one name"),
        (lambda: TrainConfig("x", (GROUNDING,), save_every=0), "at least 1"),
        (
            lambda: TrainConfig(
                "x", (StageConfig("s", ("head",), mask_weight=0.0),), regions=RegionConfig(mode="none")
            ),
            "masks would do nothing",
        ),
    ],
)
def test_contradictions_are_refused(make, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        make()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: [", "no YAML"),
        ("- a", "a mapping of fields"),
        ("name: a", "lacks stages"),
        ("{name: a, stages: [{name: s, train: [bridge], batc: 3}]}", "batch"),
        ("{name: a, stages: [{name: s, train: bridge}]}", "is a list"),
        ("{name: a, stages: [{name: s, train: [bridge], batch: two}]}", r"stages\[0\].batch is of type int"),
        ("{name: a, stages: [{name: s, train: [bridge], checkpointing: 1}]}", "of type bool"),
        ("{name: a, seed: true, stages: [{name: s, train: [bridge]}]}", "seed is of type int"),
        ("{name: a, data: {mix: 3}, stages: [{name: s, train: [bridge]}]}", "data.mix is a mapping"),
    ],
)
def test_files_that_say_something_else_are_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=rf"(?s)mine.*{words}"):
        from_yaml(text, "mine")


def test_numbers_as_yaml_has_them() -> None:
    config = from_yaml("{name: a, data: {mix: null}, stages: [{name: s, train: [bridge], rate: 4e-5, clip: 1}]}")
    assert (config.stages[0].rate, config.stages[0].clip, config.data.mix) == (4e-5, 1.0, None)
    assert replace(config, seed=3) != config
    with pytest.raises(NotFound, match="mini, 1b, 8b"):
        read_config("mnii")
