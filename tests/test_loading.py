"""Loading: folders of every kind, a hub on this machine, devices, number types, quantisation, too little memory."""

from __future__ import annotations

import hashlib
import importlib.machinery
import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from terrascope_nb.errors import InvalidInput, MissingPackage, NotFound, TooLarge

torch = pytest.importorskip("torch")
pytest.importorskip("huggingface_hub")

from servers.hub import Hub, Repository  # noqa: E402

from terrascope_nb.model import devices, loading  # noqa: E402
from terrascope_nb.model.devices import choose_device, choose_dtype, explain_out_of_memory, free_bytes  # noqa: E402
from terrascope_nb.model.licence import licence_of  # noqa: E402
from terrascope_nb.model.loading import KEPT, load, load_checkpoint  # noqa: E402
from terrascope_nb.model.memory import QUANTIZED_PART, weight_bytes  # noqa: E402
from terrascope_nb.model.tiny import tiny_config, tiny_model  # noqa: E402

CARD = "---\nlanguage: en\nlicense: apache-2.0  # ours\n---\n# A tiny random network\n"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model; read only."""
    folder = tmp_path_factory.mktemp("saved")
    model, processor = tiny_model()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / "README.md").write_text(CARD, "utf-8")
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    return Path(shutil.copytree(saved, tmp_path / "copy"))


# ---- a folder -----------------------------------------------------------------------------------------------------


def test_a_folder_gives_the_same_network_back(saved: Path) -> None:
    model, _ = tiny_model()
    loaded, processor = load(saved, device="cpu")
    assert not loaded.training
    mine, theirs = model.state_dict(), loaded.state_dict()
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)
    assert processor.decode(processor.encode("Wasser [SEG] ist da")) == "Wasser [SEG] ist da"


def test_what_was_loaded_is_on_record(saved: Path) -> None:
    record = load_checkpoint(str(saved), device="cpu").checkpoint
    digest = hashlib.sha256((saved / "model.safetensors").read_bytes()).hexdigest()
    assert record.sha256 == {"model.safetensors": digest}
    assert (record.source, record.folder, record.revision) == (str(saved), saved, "")
    assert (record.device, record.dtype, record.quantization, record.licence) == ("cpu", "fp32", None, "apache-2.0")
    origin = load_checkpoint(saved, device="cpu").config.origin
    assert origin["sha256"] == record.sha256 and origin["source"] == str(saved)


def test_the_origin_of_converted_weights_is_kept(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text("utf-8"))
    config["origin"] = {"source": "owner/name", "revision": "f" * 40, "sha256": {"a.safetensors": "0" * 64}}
    (copy / "config.json").write_text(json.dumps(config), "utf-8")
    model = load_checkpoint(copy, device="cpu")
    assert model.config.origin == config["origin"] and set(model.checkpoint.sha256) == {"model.safetensors"}


@pytest.mark.parametrize(
    ("dtype", "kind"), [("bf16", torch.bfloat16), ("float16", torch.float16), ("auto", torch.float32)]
)
def test_number_types(saved: Path, dtype: str, kind: Any) -> None:
    model = load_checkpoint(saved, device="cpu", dtype=dtype)
    assert {p.dtype for p in model.parameters()} == {kind}


def test_the_licence_is_said_once(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "terrascope_nb.model.loading"):
        load_checkpoint(copy, device="cpu")
        load_checkpoint(copy, device="cpu")
    said = [r.getMessage() for r in caplog.records if r.name == "terrascope_nb.model.loading"]
    assert said == [f"the weights of {copy} come under this licence: apache-2.0"]


def test_licences(tmp_path: Path) -> None:
    assert licence_of(tmp_path) == "not stated"
    (tmp_path / "LICENSE.txt").write_text("\n\n   Apache License\n  Version 2.0, January 2004\n\nTERMS", "utf-8")
    assert licence_of(tmp_path) == "Apache License Version 2.0, January 2004 (LICENSE.txt)"
    (tmp_path / "README.md").write_text("no head\nlicense: mit\n", "utf-8")
    assert licence_of(tmp_path).startswith("Apache License")
    for head, stated in (
        ('license: "cc-by-nc-4.0"', "cc-by-nc-4.0"), ("license:\n- mit\n- bsd", "mit"), ("license: [mit]", "mit"),
        ("license: other\nlicense_name: qwen", "other (qwen)"), ("tags: x", "Apache License Version 2.0, January 2004"),
    ):  # fmt: skip
        (tmp_path / "README.md").write_bytes(f"---\n{head}\n---\n".replace("\n", "\r\n").encode())
        assert licence_of(tmp_path).removesuffix(" (LICENSE.txt)") == stated


# ---- folders that are something else ------------------------------------------------------------------------------


def spoil_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n")


def spoil_published(folder: Path) -> None:
    config = {"model_type": "internvl_chat", "llm_config": {}, "vision_config": {}, "auto_map": {"AutoModel": "x.py"}}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")


def spoil_other(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "llava"}', "utf-8")


def spoil_cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def spoil_shards(folder: Path) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")


def spoil_tensor(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors["bridge.9.weight"] = tensors.pop("bridge.0.weight")
    tensors["bridge.2.bias"] = torch.zeros(7)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "kind", "says"),
    [
        (spoil_pickle, NotFound, r"pickles only \(pytorch_model\.bin\)"),
        (spoil_published, InvalidInput, r"published layout .* terrascope-nb convert"),
        (spoil_other, InvalidInput, r"'llava', not 'terrascope_nb'.*hf-vlm"),
        (lambda f: (f / "config.json").unlink(), NotFound, r"no config\.json in .*README\.md, model\.safetensors"),
        (lambda f: (f / "config.json").write_text("{", "utf-8"), InvalidInput, "is no JSON"),
        (lambda f: (f / "config.json").write_text("[1]", "utf-8"), InvalidInput, "no checkpoint of this network"),
        (lambda f: (f / "model.safetensors").unlink(), NotFound, r"no \.safetensors in .*tokenizer\.json"),
        (lambda f: (f / "tokenizer.json").unlink(), NotFound, r"no tokenizer\.json"),
        (spoil_cut, InvalidInput, "no whole safetensors file"),
        (spoil_shards, NotFound, r"lacks model-00001-of-00002\.safetensors"),
        (spoil_tensor, InvalidInput, r"(?s)missing bridge\.0\.weight.*unknown bridge\.9\.w.*\(7,\), wanted \(32,\)"),
    ],
)
def test_a_wrong_folder_is_named_for_what_it_is(copy: Path, spoil: Any, kind: type, says: str) -> None:
    spoil(copy)
    with pytest.raises(kind, match=says):
        load(copy, device="cpu")


def test_the_published_layout_is_recognised_by_its_tensors(shared_data: Any) -> None:
    folder = shared_data("../golden")
    with pytest.raises(InvalidInput, match=r"published layout \(it has the tensor \w+.* terrascope-nb convert"):
        load(folder, device="cpu")


@pytest.mark.parametrize("name", ["no/such/folder", "nofolder", "./none"])
def test_neither_folder_nor_hub_name(name: str) -> None:
    with pytest.raises(NotFound, match="neither a folder nor a name on the hub"):
        load(name, device="cpu")


def test_a_folder_has_no_revision(saved: Path) -> None:
    with pytest.raises(InvalidInput, match="has no revision"):
        load(saved, device="cpu", revision="main")


# ---- a hub --------------------------------------------------------------------------------------------------------

CHILD = """
import json, sys
from terrascope_nb.errors import TerrascopeError
from terrascope_nb.model.loading import load
out = []
for name, revision in json.loads(sys.argv[1]):
    try:
        model, processor = load(name, device="cpu", revision=revision)
    except TerrascopeError as e:
        out.append({"error": type(e).__name__, "message": str(e)})
    else:
        c = model.checkpoint
        out.append({"revision": c.revision, "sha256": dict(c.sha256), "licence": c.licence,
                    "bias": float(model.bridge[2].bias[0]), "files": sorted(p.name for p in c.folder.iterdir()),
                    "words": len(processor.tokenizer)})
print(json.dumps(out))
"""


def in_a_child(asked: list[tuple[str, str | None]], home: Path, endpoint: str, **more: str) -> list[dict[str, Any]]:
    """What `load` gives in a fresh process that knows the hub at `endpoint` and nothing of this one's cache."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING", "TRANSFORMERS_"))}
    env = keep | {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, "-c", CHILD, json.dumps(asked)]
    done = subprocess.run(
        command, env=env | {"NO_PROXY": "127.0.0.1"} | more, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_hub(copy: Path, tmp_path: Path) -> None:
    """Branch, tag and commit; the commit recorded; code and pickles not fetched; the cache used offline."""
    (copy / "modeling.py").write_text("raise SystemExit('code of the hub was run')", "utf-8")
    (copy / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    later = Path(shutil.copytree(copy, tmp_path / "later"))
    model = load_checkpoint(later, device="cpu")
    with torch.no_grad():
        model.bridge[2].bias.fill_(7.0)
    model.save_pretrained(later)
    (later / "README.md").write_text("---\nlicense: mit\n---\n", "utf-8")
    tiny, other = Repository(), Repository()
    old, new = tiny.add(copy, "v1"), tiny.add(later, "main")
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.json").write_text('{"model_type": "internvl_chat", "llm_config": {}}', "utf-8")
    other.add(bare, "main")
    home = tmp_path / "home"
    with Hub({"lab/tiny": tiny, "lab/published": other}) as hub:
        online = in_a_child(
            [
                ("lab/tiny", None), ("lab/tiny", "v1"), ("lab/tiny", old), ("lab/tiny", "v9"), ("lab/none", None),
                ("lab/published", None),
            ],
            home,
            hub.url,
        )  # fmt: skip
        asked = len(hub.asked)
        assert not any(path.endswith((".py", ".bin")) for path in hub.asked), "no code, no pickle"
        offline = in_a_child([("lab/tiny", None), ("lab/none", None)], home, hub.url, HF_HUB_OFFLINE="1")
        assert len(hub.asked) == asked, "nothing is asked offline"
    main, tag, commit, no_revision, no_repository, published = online
    assert main["revision"] == new and main["bias"] == 7.0 and main["licence"] == "mit"
    assert tag["revision"] == commit["revision"] == old and tag["bias"] != 7.0 and tag["licence"] == "apache-2.0"
    for one, folder in ((main, later), (tag, copy)):
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        assert one["sha256"] == {"model.safetensors": digest}
        assert "modeling.py" not in one["files"] and "pytorch_model.bin" not in one["files"]
    assert no_revision["error"] == "NotFound" and "'v9'" in no_revision["message"]
    assert no_repository["error"] == "NotFound" and "lab/none" in no_repository["message"]
    assert published["error"] == "InvalidInput" and "terrascope-nb convert lab/published" in published["message"]
    assert offline[0] == main
    assert offline[1]["error"] == "NotFound" and "HF_HUB_OFFLINE" in offline[1]["message"]


CONVERT = """
import json, sys
from pathlib import Path
from terrascope_nb.model.convert import convert
from terrascope_nb.model.golden_run import golden_config
done = convert("lab/published", sys.argv[2], revision="v1", config=golden_config(Path(sys.argv[1])))
print(json.dumps([done.revision, done.licence]))
"""


def test_converting_from_the_hub_keeps_card_licence_and_commit(shared_data: Any, tmp_path: Path) -> None:
    golden, there, out = shared_data("../golden"), tmp_path / "there", tmp_path / "out"
    shutil.copytree(golden / "tokenizer", there, copy_function=shutil.copyfile)
    there.chmod(0o755)
    shutil.copyfile(golden / "model.safetensors", there / "model.safetensors")
    (there / "config.json").write_text('{"model_type": "internvl_chat"}', "utf-8")
    (there / "README.md").write_text(CARD, "utf-8")
    (there / "modeling.py").write_text("raise SystemExit('code of the hub was run')", "utf-8")
    published = Repository()
    commit = published.add(there, "v1")
    with Hub({"lab/published": published}) as hub:
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING", "TRANSFORMERS_"))}
        env = keep | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "NO_PROXY": "127.0.0.1"}
        command = [sys.executable, "-c", CONVERT, str(golden), str(out)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        assert not any(path.endswith(".py") for path in hub.asked)
    assert json.loads(done.stdout.splitlines()[-1]) == [commit, "apache-2.0"]
    assert (out / "README.md").read_text("utf-8") == CARD and not (out / "modeling.py").exists()
    model = load_checkpoint(out, device="cpu")
    assert (model.config.origin["revision"], model.config.origin["licence"]) == (commit, "apache-2.0")
    assert model.checkpoint.licence == "apache-2.0"


# ---- devices and number types -------------------------------------------------------------------------------------


def there(monkeypatch: pytest.MonkeyPatch, cuda: bool = False, mps: bool = False, bf16: bool = True) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: int(cuda))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: bf16 or including_emulation)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda major, minor: bf16)


@pytest.mark.parametrize(
    ("cuda", "mps", "bf16", "device", "dtype"),
    [
        (True, True, True, "cuda", "bf16"),
        (True, False, False, "cuda", "fp16"),
        (False, True, True, "mps", "bf16"),
        (False, True, False, "mps", "fp32"),
        (False, False, True, "cpu", "fp32"),
    ],
)
def test_auto(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, bf16: bool, device: str, dtype: str) -> None:
    there(monkeypatch, cuda, mps, bf16)
    chosen = choose_device("auto")
    assert chosen.type == device and choose_dtype("auto", chosen) == dtype
    assert choose_dtype("float32", chosen) == "fp32"


@pytest.mark.parametrize(
    ("device", "says"),
    [
        ("cuda", r"no cuda here.*there is cpu"),
        ("gpu", "unknown device 'gpu'.*Known: auto, cpu, cuda, mps"),
        ("cuda:x", "unknown device"),
        ("mps", "no mps"),
    ],
)
def test_devices_that_are_not_there(monkeypatch: pytest.MonkeyPatch, device: str, says: str) -> None:
    there(monkeypatch)
    with pytest.raises(InvalidInput, match=says):
        choose_device(device)


def test_a_card_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    there(monkeypatch, cuda=True)
    assert choose_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(InvalidInput, match="1 CUDA devices, numbered from 0"):
        choose_device("cuda:1")


def test_an_unknown_number_type(saved: Path) -> None:
    with pytest.raises(InvalidInput, match="did you mean 'bfloat16'"):
        load(saved, device="cpu", dtype="bfloat")


# ---- memory -------------------------------------------------------------------------------------------------------


def test_too_little_memory_is_told_before_anything_is_read(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "free_bytes", lambda device: 1_000_000)
    monkeypatch.setattr(loading, "_read", lambda *a: pytest.fail("the weights were read"))
    says = r"loading .* in fp32 needs 0\.00 GB on cpu; free there is 0\.00 GB.*docs/memory\.md"
    with pytest.raises(TooLarge, match=says):
        load(saved, device="cpu")
    with pytest.raises(MemoryError):
        load(saved, device="cpu")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        MemoryError(),
    ],
)
def test_out_of_memory_names_what_was_needed_and_free(error: Exception) -> None:
    with pytest.raises(TooLarge, match=r"reading needs 17\.27 GB on cpu; free there is \d+\.\d\d GB.*4bit") as caught:
        with explain_out_of_memory("reading", 17_270_000_000, torch.device("cpu")):
            raise error
    assert caught.value.__cause__ is error


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="^shapes differ$"), explain_out_of_memory("x", 1, torch.device("cpu")):
        raise RuntimeError("shapes differ")
    inner = TooLarge("said already")
    with pytest.raises(TooLarge) as caught, explain_out_of_memory("x", 1, torch.device("cpu")):
        raise inner
    assert caught.value is inner


def test_free_memory_of_the_cpu() -> None:
    assert (free_bytes(torch.device("cpu")) or 0) > 1e8


# ---- quantisation -------------------------------------------------------------------------------------------------


def installed(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    spec = importlib.machinery.ModuleSpec("x", None)
    monkeypatch.setattr(loading, "find_spec", lambda name: spec if name in names else None)


@pytest.mark.parametrize(
    ("packages", "quantize", "device", "says"),
    [
        ((), "4bit", "cpu", r"installed: none\. pip install bitsandbytes"),
        ((), "8bit", "mps", r"installed: none\. pip install torchao"),
        (("bitsandbytes",), "8bit", "mps", r"bitsandbytes \(not for MPS\)\. pip install torchao"),
        (("torchao",), "4bit", "cpu", "pip install mslk; or pip install bitsandbytes"),
    ],
)
def test_quantisation_without_its_package(
    monkeypatch: pytest.MonkeyPatch, packages: tuple[str, ...], quantize: str, device: str, says: str
) -> None:
    installed(monkeypatch, *packages)
    with pytest.raises(MissingPackage, match=says):
        loading.quantizer(quantize, "bf16", torch.device(device))


def test_quantisation_is_checked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    with pytest.raises(MissingPackage):
        load("owner/never-asked-for", device="cpu", quantize="8bit")
    with pytest.raises(InvalidInput, match="did you mean '8bit'"):
        load("owner/never-asked-for", device="cpu", quantize="8-bit")


def test_bitsandbytes_gets_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "bitsandbytes")
    four = loading.quantizer("4bit", "bf16", torch.device("cpu"))
    assert four.load_in_4bit and four.bnb_4bit_quant_type == "nf4" and four.bnb_4bit_use_double_quant
    assert four.bnb_4bit_compute_dtype == torch.bfloat16 and four.llm_int8_skip_modules == KEPT
    assert loading.quantizer("8bit", "bf16", torch.device("cpu")).load_in_8bit


def test_only_the_language_models_layers_are_quantised() -> None:
    """Every linear layer is either in the part whose memory is counted as quantised, or in a part that is kept."""
    from transformers.quantizers.quantizers_utils import should_convert_module

    model, _ = tiny_model()
    names = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
    taken = [n for n in names if should_convert_module(n, KEPT)]
    assert taken == [n for n in names if n.startswith(QUANTIZED_PART)] and len(taken) == 14


@pytest.mark.parametrize(("quantize", "near"), [("8bit", 0.99), ("4bit", 0.9)])
def test_real_quantised_weights(tmp_path: Path, quantize: str, near: float) -> None:
    """Where bitsandbytes is installed: the size is as estimated, and the language model still says nearly the same."""
    pytest.importorskip("bitsandbytes")
    model, processor = tiny_model(width=128)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    small = load_checkpoint(tmp_path, device="cpu", dtype="bf16", quantization=quantize)
    size = sum(p.numel() * p.element_size() for p in small.parameters())
    assert size == pytest.approx(weight_bytes(tiny_config(width=128), "bf16", quantize), rel=0.02)
    text = torch.randn(1, 6, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        pair = model.read(text).flatten(), small.read(text.bfloat16()).float().flatten()
    assert torch.nn.functional.cosine_similarity(*pair, dim=0) > near
    assert torch.equal(small.bridge[0].weight, model.bridge[0].weight.bfloat16())
