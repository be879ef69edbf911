"""Memory of training: the computed figures beside what really lives in a pass, and those of a large shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("pyarrow")

import torch
from train_records import SIZE, small_dataset

from terrascope_nb.errors import InvalidInput
from terrascope_nb.model.peak import peak_bytes
from terrascope_nb.model.tiny import tiny_config, tiny_model
from terrascope_nb.train.files import read_config, shrink
from terrascope_nb.train.memory import stage_memory
from terrascope_nb.train.networks import shape_config
from terrascope_nb.train.parts import begin, parameter_counts
from terrascope_nb.train.plan import largest
from terrascope_nb.train.records import read_records
from terrascope_nb.train.samples import Batches, Samples


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_dataset(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize(
    ("name", "number", "on"),  # a stage of masks alone has no gradient in the layers that could be checkpointed
    [("8b", 0, False), ("mini", 0, False), *((name, 1, on) for name in ("8b", "mini") for on in (False, True))],
)
def test_computed_is_near_what_a_pass_holds(name: str, number: int, on: bool, data: Path) -> None:
    config = shrink(read_config(name))
    stage = replace(config.stages[number], checkpointing=on, batch=4, per_device=2)
    config = replace(config, stages=(stage,))
    model, processor = tiny_model(width=256)
    begin(model, stage, 0)
    model.train()
    if on:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    samples = Samples(read_records(data), config.data, 0, of_masks=True)
    key = (0, 0, int(samples.eligible[0]))
    batch = Batches(processor, config.regions, 0)([samples[key], samples[key]])
    batch = {k: v for k, v in batch.items() if k not in ("names", "broken")}
    regions = int((batch["input_ids"] == model.config.region_token_id).sum()) // 2
    visual = model.config.grid**2

    def run() -> None:
        out = model(**batch)
        torch.autograd.backward(out.text_loss + out.mask_loss)

    held = peak_bytes(run)
    text = batch["input_ids"].shape[1] - visual - 1 - regions
    told = stage_memory(model.config, config, 0, 1, 1, 1, text, (SIZE, SIZE))
    computed = sum(p.bytes for p in told.parts[3:])
    # Stages of a pass are added up, as if each were at its peak at once: never much too little, and not twice too much.
    assert 0.95 * held < computed < 2.2 * held


def test_weights_gradients_and_moments_are_counted_exactly() -> None:
    config = shrink(read_config("8b"))
    model, _ = tiny_model()
    begin(model, config.stages[1], 0)
    told = stage_memory(tiny_config(), config, 1, picture=(SIZE, SIZE))
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert told.trained == trained == sum(n for n, _ in parameter_counts(model, config.stages[1]).values())
    assert [p.bytes for p in told.parts[:3]] == [4 * told.parameters, 4 * trained, 8 * trained]
    assert told.parameters == sum(p.numel() for p in model.parameters())


def test_the_1b_as_published_shapes_have_it() -> None:
    config = read_config("1b")
    sizes = shape_config(config)
    told = stage_memory(sizes, config, 1, tiles=2)
    llm, rank = sizes.vlm_config.text_config, config.stages[1].lora.rank
    q, kv, wide, inner = llm.hidden_size, 128, llm.hidden_size, llm.intermediate_size
    a_layer = rank * ((wide + q) * 2 + (wide + kv) * 2 + (wide + inner) * 2 + (inner + wide))
    with torch.device("meta"):
        from terrascope_nb.model.network import TerraScopeModel

        model = TerraScopeModel(sizes)
    begin(model, config.stages[1], 0)
    assert parameter_counts(model, config.stages[1])["lora"][0] == llm.num_hidden_layers * a_layer
    kept = {p.name: p.bytes for p in told.parts}
    assert kept["weights"] == 2 * (told.parameters - told.trained) + 4 * told.trained
    assert told.other > 2 * sum(p.bytes for p in told.parts[3:])  # without checkpointing
    assert "computed, not measured" in str(told)


def test_counts_that_cannot_be() -> None:
    config = shrink(read_config("8b"))
    with pytest.raises(InvalidInput, match="masks cannot be -1"):
        stage_memory(tiny_config(), config, 0, masks=-1)
    with pytest.raises(InvalidInput, match="tiles cannot be 0"):
        stage_memory(tiny_config(), config, 0, tiles=0)


def test_the_largest_sample_is_found(data: Path) -> None:
    tiles, pictures, masks, text = largest(read_records(data), tiny_config())
    assert (tiles, pictures, masks) == (2, 2, 2)  # two dates: a tile and a mask each
    assert 150 < text < 400
