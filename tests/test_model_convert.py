"""Converting a published checkpoint: names, shapes, what is wrong with it, hashes, memory, and the recorded results."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from safetensors.torch import load_file, save_file

from terrascope_nb.errors import AlreadyThere, InvalidInput, NotFound
from terrascope_nb.model.build import build_config
from terrascope_nb.model.config import TerraScopeConfig
from terrascope_nb.model.convert import convert, locate, published_config, weight_files
from terrascope_nb.model.golden_run import compare, golden_config
from terrascope_nb.model.licence import licence_of
from terrascope_nb.model.names import translate
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Processor
from terrascope_nb.model.shards import Planned, sha256, write_shards
from terrascope_nb.testing import golden as command


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks as small as these are no faster on several, and much slower where others work beside them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def golden() -> Path:
    folder = Path(__file__).resolve().parents[2] / "shared" / "golden"
    if not (folder / "expected.json").is_file():
        pytest.skip(f"no recorded results in {folder}")
    return folder


@pytest.fixture(scope="module")
def tensors(golden: Path) -> dict[str, torch.Tensor]:
    return load_file(golden / "model.safetensors")


def folder_of(tmp_path: Path, golden: Path, tensors: dict[str, torch.Tensor], parts: int = 1) -> Path:
    """A folder as a hub gives it: config.json, tokenizer files beside the weights, weights in parts with an index."""
    folder = tmp_path / "published"
    folder.mkdir()
    told = json.loads((golden / "expected.json").read_text())["config"]
    (folder / "config.json").write_text(
        json.dumps({"model_type": "internvl_chat", "vision_config": told["vision"], "llm_config": told["llm"]})
    )
    for file in (golden / "tokenizer").iterdir():
        shutil.copy(file, folder / file.name)
    names = sorted(tensors)
    where = {}
    for k in range(parts):
        name = "model.safetensors" if parts == 1 else f"model-{k + 1:05d}-of-{parts:05d}.safetensors"
        mine = names[k::parts]
        save_file({n: tensors[n] for n in mine}, folder / name, {"format": "pt"})
        where |= dict.fromkeys(mine, name)
    if parts > 1:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    return folder


def config_for(golden: Path) -> TerraScopeConfig:
    return golden_config(golden)


# ---- recorded results ------------------------------------------------------------------------------------------
def test_the_published_codes_results_come_out(golden: Path, tmp_path: Path) -> None:
    """Every recorded case: the text and the region tokens equal, masks within two pixels in ten thousand."""
    results = list(compare(golden, tmp_path))
    assert len(results) == len(json.loads((golden / "expected.json").read_text())["cases"])
    assert [(c.name, c.problems) for c in results] == [(c.name, ()) for c in results]
    assert [c.encodings for c in results] == [0, 1, 1, 1, 2], "an image is encoded once however many [SEG]"


def test_the_command_exits_with_one_on_a_mismatch(
    golden: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong"
    shutil.copytree(golden, wrong)
    wrong.chmod(0o755)
    path = wrong / "expected.json"
    path.chmod(0o644)
    told = json.loads(path.read_text())
    told["cases"]["none"]["prediction"] = "something else"
    path.write_text(json.dumps(told))
    assert command.main([str(wrong), "none"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("FAIL none: text DIFFERS, region tokens equal, 0 masks") and "'something else'" in out
    assert command.main([str(golden), "none"]) == 0
    assert command.main([str(tmp_path)]) == 1
    assert "no expected.json" in capsys.readouterr().err


# ---- what is written -------------------------------------------------------------------------------------------
def test_in_parts_and_out_in_parts_it_is_the_same(golden: Path, tensors, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, golden, tensors, parts=3)
    whole = convert(golden, tmp_path / "whole", config=config_for(golden), tokenizer=golden / "tokenizer")
    parts = convert(folder, tmp_path / "parts", config=config_for(golden), shard_bytes=1_000_000)
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 5 and len(parts.sha256) == 3
    one, other = (TerraScopeModel.from_pretrained(f, dtype=torch.float32) for f in (whole.folder, parts.folder))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
    assert whole.tensors == parts.tensors == len(one.state_dict())


def test_values_go_where_they_belong(golden: Path, tensors, tmp_path: Path) -> None:
    convert(golden, tmp_path, config=config_for(golden), tokenizer=golden / "tokenizer")
    ours = TerraScopeModel.from_pretrained(tmp_path, dtype=torch.float16).state_dict()
    qkv = tensors["vision_model.encoder.layers.1.attn.qkv.weight"]
    for part, letter in zip(qkv.chunk(3), "qkv", strict=True):
        assert torch.equal(ours[f"vlm.model.vision_tower.encoder.layer.1.attention.{letter}_proj.weight"], part)
    stem = "grounding_encoder.sam2_model.sam_prompt_encoder."
    points = torch.cat([tensors[f"{stem}point_embeddings.{k}.weight"] for k in range(4)])
    assert torch.equal(ours["sam.prompt_encoder.point_embed.weight"], points)
    places = tensors[f"{stem}pe_layer.positional_encoding_gaussian_matrix"]
    for name in ("sam.prompt_encoder.shared_embedding", "sam.shared_image_embedding"):
        assert torch.equal(ours[f"{name}.positional_embedding"].half(), places)


def test_the_record_names_source_and_hash(golden: Path, tmp_path: Path) -> None:
    done = convert(golden, tmp_path, config=config_for(golden), tokenizer=golden / "tokenizer")
    config = TerraScopeConfig.from_pretrained(tmp_path)
    assert config.origin == {
        "source": str(golden),
        "revision": "",
        "sha256": {"model.safetensors": sha256(golden / "model.safetensors")},
        "layout": "published",
        "licence": "not stated",
    }
    assert config.region_rule == "published" and config.measured_in_loop is False
    assert len(done.dropped) == 15 and all(
        "memory" in d or "obj_ptr" in d or "mask_downsample" in d or "maskmem" in d or "no_mem_pos" in d
        for d in done.dropped
    )
    assert Processor.from_pretrained(tmp_path).ids["seg"] == config.seg_token_id


def test_the_licence_of_the_card_is_recorded_and_the_card_copied(golden: Path, tensors, tmp_path: Path) -> None:
    folder, out = folder_of(tmp_path, golden, tensors), tmp_path / "out"
    card = "---\nlicense: other\nlicense_name: field-research\n---\n# Weights\n"
    (folder / "README.md").write_text(card, "utf-8")
    (folder / "NOTICE").write_text("a notice", "utf-8")
    assert convert(folder, out, config=config_for(golden)).licence == "other (field-research)"
    assert TerraScopeConfig.from_pretrained(out).origin["licence"] == "other (field-research)"
    assert ((out / "README.md").read_text("utf-8"), (out / "NOTICE").read_text("utf-8")) == (card, "a notice")
    told = json.loads((folder / "config.json").read_text("utf-8")) | {"license": "mit"}
    (folder / "config.json").write_text(json.dumps(told), "utf-8")
    (out / "README.md").write_text("mine", "utf-8")
    for file in out.glob("*.safetensors"):
        file.unlink()
    assert convert(folder, out, config=config_for(golden)).licence == "mit", "what the configuration states comes first"
    assert (out / "README.md").read_text("utf-8") == "mine", "a file that was there stays"
    (out / "README.md").unlink()
    assert licence_of(out) == "mit", "as it was recorded"


def test_a_checkpoint_is_not_converted_onto_itself(golden: Path, tensors, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, golden, tensors)
    with pytest.raises(InvalidInput, match="is the checkpoint itself"):
        convert(folder, folder, config=config_for(golden), overwrite=True)
    assert weight_files(folder)


def test_existing_weights_are_not_written_over(golden: Path, tmp_path: Path) -> None:
    options = {"config": config_for(golden), "tokenizer": golden / "tokenizer"}
    convert(golden, tmp_path, **options)
    with pytest.raises(AlreadyThere, match="holds weights already; pass overwrite=True"):
        convert(golden, tmp_path, **options)
    convert(golden, tmp_path, overwrite=True, **options)


# ---- what is wrong ---------------------------------------------------------------------------------------------
def test_unknown_missing_and_misshapen_tensors_are_all_listed(golden: Path, tensors, tmp_path: Path) -> None:
    changed = {n: t for n, t in tensors.items() if n != "text_hidden_fcs.0.bias"}
    changed["vision_model.encoder.layers.7.ls1"] = torch.zeros(64)
    changed["something.else"] = torch.zeros(3)
    changed["mlp1.3.bias"] = torch.zeros(65)
    folder = folder_of(tmp_path, golden, changed)
    with pytest.raises(InvalidInput) as e:
        convert(folder, tmp_path / "out", config=config_for(golden))
    text = str(e.value)
    assert "4 things differ" in text and "unknown tensor something.else (3,)" in text
    assert "missing bridge.0.bias (64,)" in text and "unknown tensor vision_model.encoder.layers.7.ls1" in text
    assert "vlm.model.multi_modal_projector.linear_2.bias has shape (65,), the configuration says (64,)" in text
    assert not (tmp_path / "out").exists(), "nothing is written before everything is checked"


def test_pickles_get_a_message_and_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model-00001-of-00002.bin").write_bytes(b"not even a pickle")
    with pytest.raises(NotFound, match=r"as pickles only \(pytorch_model-00001-of-00002.bin\), which can run code"):
        convert(tmp_path, tmp_path / "out")


def test_a_wrong_folder_says_what_it_holds(golden: Path, tensors, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(NotFound, match=r"no \.safetensors in .*, found: photo\.jpg"):
        weight_files(tmp_path)
    with pytest.raises(NotFound, match="neither a folder nor a name on the hub"):
        locate(tmp_path / "nowhere" / "at" / "all")
    with pytest.raises(InvalidInput, match="has no revision"):
        locate(tmp_path, "main")
    (tmp_path / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0garbage")
    with pytest.raises(InvalidInput, match="no whole safetensors file"):
        convert(tmp_path, tmp_path / "out", config=config_for(golden), tokenizer=golden / "tokenizer")
    folder = folder_of(tmp_path, golden, tensors, parts=2)
    next(folder.glob("model-00002*")).unlink()
    with pytest.raises(NotFound, match=r"lacks model-00002-of-00002\.safetensors, of the 2 files"):
        weight_files(folder)


def test_a_hiera_that_was_never_published_needs_its_configuration(golden: Path, tensors, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, golden, tensors)
    with pytest.raises(InvalidInput, match=r"width 16 and \(1, 2, 3, 2\) blocks is none that was published"):
        convert(folder, tmp_path / "out")


def test_the_sizes_of_a_published_folder_are_read_from_it(tmp_path: Path) -> None:
    """The 8 B checkpoint's shapes, without its tensors."""

    class Slice:
        def __init__(self, *shape: int) -> None:
            self._shape = list(shape)

        def get_shape(self) -> list[int]:
            return self._shape

    class Words:
        def get_vocab(self) -> dict[str, int]:
            return {"<IMG_CONTEXT>": 151667, "[SEG]": 151678, "<REGION>": 151679}

    trunk = "grounding_encoder.sam2_model.image_encoder.trunk."
    blocks = [w for w, n in ((144, 2), (288, 6), (576, 36), (1152, 4)) for _ in range(n)]
    shapes = {f"{trunk}pos_embed": Slice(1, 144, 7, 7)} | {
        f"{trunk}blocks.{k}.norm2.weight": Slice(w) for k, w in enumerate(blocks)
    }
    told = {
        "model_type": "internvl_chat", "max_dynamic_patch": 12,
        "vision_config": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
                          "num_attention_heads": 16},
        "llm_config": {"vocab_size": 151685, "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
                       "num_attention_heads": 28, "num_key_value_heads": 4, "rope_theta": 1e6},
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps({**told, "downsample_ratio": 0.25, "select_layer": -2}))
    with pytest.raises(InvalidInput, match=r"downsample_ratio is 0\.25, not 0\.5; select_layer is -2, not -1"):
        published_config(tmp_path, shapes, Words())
    scaled = {**told["llm_config"], "rope_scaling": {"type": "dynamic", "factor": 2.0}}
    (tmp_path / "config.json").write_text(json.dumps({**told, "llm_config": scaled}))
    rope = published_config(tmp_path, shapes, Words()).vlm_config.text_config.rope_parameters
    assert rope == {"rope_type": "dynamic", "rope_theta": 1e6, "factor": 2.0}
    (tmp_path / "config.json").write_text(json.dumps(told))
    found = published_config(tmp_path, shapes, Words())
    made = build_config(told["vision_config"], told["llm_config"])
    assert found.to_dict() == made.to_dict()
    assert found.sam_config.vision_config.backbone_config.window_size_per_stage == [8, 4, 16, 8]


def test_every_published_name_of_the_real_size_is_known(tensors) -> None:
    """More layers than the recorded checkpoint has: the rules go by number, not by list."""
    names = [
        re.sub(r"((?:encoder|model)\.layers|trunk\.blocks)\.1\.", rf"\1.{k}.", n) for n in tensors for k in (1, 23, 47)
    ]
    targets, _, unknown = translate(sorted(set(names)))
    assert unknown == [] and len({t.name for t in targets}) == len(targets)


# ---- files -----------------------------------------------------------------------------------------------------
def test_written_tensor_by_tensor_a_file_reads_as_any_other(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = {
        "a": torch.from_numpy(rng.random((3, 5), np.float32)), "b": torch.tensor(2.5, dtype=torch.bfloat16),
        "c": torch.arange(6).reshape(2, 3).T, "d": torch.zeros(0, 4), "e": torch.ones(7, dtype=torch.bool),
    }  # fmt: skip
    kinds = {torch.float32: "F32", torch.bfloat16: "BF16", torch.int64: "I64", torch.bool: "BOOL"}
    planned = [Planned(n, kinds[t.dtype], tuple(t.shape)) for n, t in made.items()]
    where = write_shards(tmp_path, planned, made.__getitem__, limit=70)
    assert len(set(where.values())) > 1
    read = {n: t for f in sorted(set(where.values())) for n, t in load_file(tmp_path / f).items()}
    assert set(read) == set(made) and all(
        torch.equal(read[n], made[n]) and read[n].dtype == made[n].dtype for n in made
    )


_PEAK = """
import resource, sys
from pathlib import Path
from terrascope_nb.model.shards import Planned, write_shards
import torch
size = 20_000_000
made = [Planned(f"t{k}", "F32", (size,)) for k in range(8)]
torch.zeros(1).view(torch.uint8).numpy()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write_shards(Path(sys.argv[1]), made, lambda name: torch.full((size,), float(name[1:])), 10**12)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_memory_holds_a_tensor_and_not_the_file(tmp_path: Path) -> None:
    """640 MB in one file, of tensors of 80 MB."""
    done = subprocess.run([sys.executable, "-c", _PEAK, str(tmp_path)], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 250e6
    assert (tmp_path / "model.safetensors").stat().st_size > 640e6
