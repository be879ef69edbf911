"""Loading: a folder or a hub name → the network on its device, with a record of exactly which weights these are."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from terrascope_nb._options import options
from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, MissingPackage, NotFound
from terrascope_nb.model.config import TerraScopeConfig
from terrascope_nb.model.convert import locate, weight_files
from terrascope_nb.model.devices import check_room, choose_device, choose_dtype, explain_out_of_memory, torch_dtype
from terrascope_nb.model.licence import licence_of
from terrascope_nb.model.memory import QUANTIZED_BYTES, weight_bytes
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Processor
from terrascope_nb.model.shards import sha256

LOG = logging.getLogger(__name__)

#: Modules that keep their number type when the language model's layers are quantised; see `memory.QUANTIZED_PART`.
KEPT = ["vlm.model.vision_tower", "vlm.model.multi_modal_projector", "vlm.lm_head", "sam", "bridge"]
_LICENCES_SAID: set[tuple[str, str]] = set()


@dataclass(frozen=True)
class Checkpoint:
    """Which weights a model was loaded from, and how.

    Attributes
    ----------
    source : str
        Folder or hub name, as it was given.
    folder : Path
        Where the files lie.
    revision : str
        Commit of the hub, whatever branch or tag was asked for; «» for a folder.
    sha256 : Mapping
        Weight file → its hash.
    licence : str
        As the files beside the weights state it, or «not stated».
    device, dtype : str
        Where the network is, and what it computes in: "bf16", "fp16" or "fp32".
    quantization : str or None
        "8bit", "4bit" or None; of the language model's layers.
    """

    source: str
    folder: Path
    revision: str
    sha256: Mapping[str, str]
    licence: str
    device: str
    dtype: str
    quantization: str | None = None


def load_checkpoint(
    path_or_hub_id: str | Path,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    quantization: str | None = None,
) -> TerraScopeModel:
    """Load the network; ``model.checkpoint`` is the `Checkpoint`, and its hash goes into ``config.origin`` too.

    Parameters
    ----------
    path_or_hub_id : str or Path
        A folder in our layout (``terrascope-nb convert`` or `save_pretrained` wrote it), or the name of such on the
        Hugging Face Hub, which is fetched; with ``HF_HUB_OFFLINE=1`` what is in the cache is taken and nothing asked.
    revision : str, optional
        Branch, tag or commit on the hub. The commit that it meant is recorded.
    device : str
        See `devices.choose_device`.
    dtype : str
        See `devices.choose_dtype`.
    quantization : "8bit", "4bit" or None
        Needs bitsandbytes or torchao. Only the linear layers of the language model; masks are drawn as without.

    Returns
    -------
    TerraScopeModel
        In evaluation mode.

    Raises
    ------
    NotFound
        Without such a folder or repository, and for a folder without safetensors: the message lists what is there.
    InvalidInput
        For the published layout (convert it first), another model's weights, or weights that do not fit.
    MissingPackage
        When the quantisation asked for has no package.
    TooLarge
        When the device has not enough memory; names what is needed and what is free.
    """
    if quantization is not None and quantization not in QUANTIZED_BYTES:
        raise InvalidInput(unknown("quantization", quantization, QUANTIZED_BYTES) + ", or None")
    where = choose_device(device)
    kind = choose_dtype(dtype, where)
    extra = {} if quantization is None else {"quantization_config": quantizer(quantization, kind, where)}
    folder, commit = located(path_or_hub_id, revision)
    config = read_config(folder, str(path_or_hub_id))
    files = weight_files(folder)
    licence = licence_of(folder)
    if (str(path_or_hub_id), licence) not in _LICENCES_SAID:
        _LICENCES_SAID.add((str(path_or_hub_id), licence))
        LOG.info("the weights of %s come under this licence: %s", path_or_hub_id, licence)
    needed = weight_bytes(config, kind, quantization)
    what = f"loading {path_or_hub_id} in {quantization or kind}"
    check_room(what, needed, where)
    with explain_out_of_memory(what, needed, where), _quiet():
        model = _read(folder, files, kind, where, extra)
    hashes = {f.name: hash_of(f) for f in files}
    model.checkpoint = Checkpoint(
        str(path_or_hub_id), folder, commit, hashes, licence, str(where), kind, quantization
    )  # fmt: skip
    if not model.config.origin.get("sha256"):
        model.config.origin = {"source": str(path_or_hub_id), "revision": commit, "sha256": hashes}
    return model.eval()


def load(
    model: str | Path,
    device: str = "auto",
    dtype: str = "auto",
    quantize: str | None = None,
    revision: str | None = None,
) -> tuple[TerraScopeModel, Processor]:
    """The network and its processor; arguments as `load_checkpoint`."""
    loaded = load_checkpoint(model, revision, device, dtype, quantize)
    return loaded, Processor.from_pretrained(loaded.checkpoint.folder, loaded.config)


def located(source: str | Path, revision: str | None, patterns: Sequence[str] = ()) -> tuple[Path, str]:
    """Folder and commit of a checkpoint, as `convert.locate`; of a hub's repository, further files by `patterns` too.

    Raises
    ------
    NotFound
        When there is neither such a folder nor such a repository.
    """
    from huggingface_hub import snapshot_download

    folder, commit = locate(source, revision)
    if patterns and commit:
        folder = Path(snapshot_download(str(source), revision=commit, allow_patterns=list(patterns)))
    return folder, commit


def read_config(folder: Path, source: str) -> TerraScopeConfig:
    """Read ``config.json``, and say what the folder is when it is not ours.

    Raises
    ------
    NotFound, InvalidInput
        Names what was found.
    """
    path = folder / "config.json"
    published = (
        f"{source} is in the published layout ({{}}). Turn it into ours once, then open the folder written: "
        f"terrascope-nb convert {source} OUT"
    )
    if not path.is_file():
        names = [n for file in sorted(folder.glob("*.safetensors")) for n in _names(file)]
        marks = [n for n in names if n.startswith(("grounding_encoder.", "text_hidden_fcs."))]
        if marks:
            raise InvalidInput(published.format(f"it has the tensor {marks[0]}") + "; no config.json is beside it")
        there = ", ".join(sorted(p.name for p in folder.iterdir())[:20])
        raise NotFound(f"no config.json in {folder}, found: {there or 'nothing'}. A checkpoint's folder is wanted")
    try:
        told = json.loads(path.read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as e:
        raise InvalidInput(f"{path} is no JSON: {e}") from e
    kind = told.get("model_type") if isinstance(told, dict) else None
    if kind == TerraScopeConfig.model_type:
        return TerraScopeConfig.from_pretrained(str(folder), local_files_only=True)
    if isinstance(told, dict) and ("llm_config" in told or kind == "internvl_chat"):
        raise InvalidInput(published.format(f"model_type {kind!r}"))
    hint = ' for any other image-text model: ts.open_reasoner("hf-vlm", model=…)'
    raise InvalidInput(
        f"{folder} holds a model of type {kind!r}, not {TerraScopeConfig.model_type!r}: it is no checkpoint of this "
        f"network.{hint if kind else ''}"
    )


def quantizer(quantization: str, kind: str, device: torch.device) -> Any:
    """The transformers configuration of a quantisation, by bitsandbytes where it is installed, else by torchao.

    Raises
    ------
    MissingPackage
        When neither is, or not the one that this device and number of bits take.
    """
    has_bnb, has_ao = find_spec("bitsandbytes") is not None, find_spec("torchao") is not None
    if has_bnb and device.type != "mps":
        from transformers import BitsAndBytesConfig

        if quantization == "8bit":
            return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=KEPT)
        return BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch_dtype(kind), llm_int8_skip_modules=KEPT,
        )  # fmt: skip
    there = [n for n, has in (("bitsandbytes (not for MPS)", has_bnb), ("torchao", has_ao)) if has]
    missing = f"weights of {quantization} on {device} need a package; installed: {', '.join(there) or 'none'}. "
    command = "pip install torchao" if device.type == "mps" else "pip install bitsandbytes"
    if not has_ao:
        raise MissingPackage(missing + command, name="bitsandbytes")
    if quantization == "4bit" and find_spec("mslk") is None:
        raise MissingPackage(f"{missing}torchao's 4 bit needs mslk too: pip install mslk; or {command}", name="mslk")
    from torchao.quantization import Int4WeightOnlyConfig, Int8WeightOnlyConfig
    from transformers import TorchAoConfig

    scheme = Int8WeightOnlyConfig() if quantization == "8bit" else Int4WeightOnlyConfig()
    return TorchAoConfig(scheme, modules_to_not_convert=KEPT)


def _read(
    folder: Path, files: list[Path], kind: str, device: torch.device, extra: Mapping[str, Any]
) -> TerraScopeModel:
    """Read the weights; what is missing, left over or of another shape is an error that lists it."""
    for file in files:
        _names(file)
    placed = {} if device.type == "cpu" and not extra else {"device_map": {"": str(device)}}
    model, told = TerraScopeModel.from_pretrained(
        str(folder), dtype=torch_dtype(kind), output_loading_info=True, ignore_mismatched_sizes=True,
        use_safetensors=True, local_files_only=True, **placed, **extra,
    )  # fmt: skip
    lines = [f"missing {n}" for n in sorted(told["missing_keys"])]
    lines += [f"unknown {n}" for n in sorted(told["unexpected_keys"])]
    lines += [f"{n} has shape {tuple(got)}, wanted {tuple(want)}" for n, got, want in sorted(told["mismatched_keys"])]
    if lines:
        more = f"\n  and {len(lines) - 20} more" if len(lines) > 20 else ""
        raise InvalidInput(
            f"the weights in {folder} do not fit its config.json, {len(lines)} things differ:\n  "
            + "\n  ".join(lines[:20]) + more
        )  # fmt: skip
    return model


def _names(file: Path) -> list[str]:
    """Names of the tensors in a file, from its header; a file that is cut short is an error."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), "pt") as opened:
            return list(opened.keys())
    except SafetensorError as e:
        raise InvalidInput(f"{file} is no whole safetensors file ({e}); copy or fetch it again") from e


def hash_of(file: Path) -> str:
    """SHA-256 of a file. The hub's cache names large files by it; others are read."""
    real = file.resolve()
    return real.name if file.is_symlink() and re.fullmatch(r"[0-9a-f]{64}", real.name) else sha256(file)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence transformers' own progress bar where ours is switched off."""
    from transformers.utils import logging as theirs

    if options().progress is not False or not theirs.is_progress_bar_enabled():
        yield
        return
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        theirs.enable_progress_bar()
