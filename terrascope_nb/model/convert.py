"""Convert a checkpoint of the published layout into ours, tensor by tensor."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from terrascope_nb.errors import AlreadyThere, InvalidInput, NotFound
from terrascope_nb.model.build import HIERA, build_config
from terrascope_nb.model.config import SPECIAL, TerraScopeConfig
from terrascope_nb.model.licence import licence_of
from terrascope_nb.model.names import Target, translate
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Processor
from terrascope_nb.model.shards import Planned, sha256, write_shards

#: What is fetched from the hub: weights as safetensors, configuration, tokenizer. No code, no pickle.
PATTERNS = (
    "*.safetensors",
    "*.safetensors.index.json",
    "*.json",
    "merges.txt",
    "vocab.json",
    "vocab.txt",
    "NOTICE*",
    "*.jinja",
    "tokenizer.model",
    "LICENSE*",
    "LICENCE*",
    "README.md",
)
#: Settings of a published configuration that the network has built in: pixel shuffle, and the layer that is read.
_FIXED = {"downsample_ratio": 0.5, "ps_version": "v2", "select_layer": -1}
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


@dataclass(frozen=True)
class Converted:
    """What `convert` did.

    Attributes
    ----------
    folder : Path
        Holds ``config.json``, the weights and the tokenizer; `TerraScopeModel.from_pretrained` reads it.
    tensors : int
        Tensors written.
    dropped : tuple of str
        Published names left out: parts of SAM 2 that images never use.
    revision : str
        Commit of the hub, «» for a folder.
    sha256 : Mapping
        Weight file → its hash.
    licence : str
        As the files beside the weights state it, or «not stated»; see `licence.licence_of`.
    """

    folder: Path
    tensors: int
    dropped: tuple[str, ...]
    revision: str
    sha256: Mapping[str, str]
    licence: str


def convert(
    source: str | Path,
    out: str | Path,
    revision: str | None = None,
    config: TerraScopeConfig | None = None,
    tokenizer: str | Path | None = None,
    overwrite: bool = False,
    shard_bytes: int = 4_000_000_000,
) -> Converted:
    """Convert a published checkpoint.

    Parameters
    ----------
    source : str or Path
        A folder, or a name on the Hugging Face Hub (fetched; ``HF_HUB_OFFLINE=1`` takes what is in the cache).
    out : str or Path
        Folder to write.
    revision : str, optional
        Branch, tag or commit on the hub; whichever commit it meant is recorded.
    config : TerraScopeConfig, optional
        By default read from ``config.json``, the sizes of SAM 2 from the tensors' shapes.
    tokenizer : str or Path, optional
        Folder of the tokenizer, by default `source`.
    overwrite : bool
    shard_bytes : int
        Bytes of one file written.

    Raises
    ------
    NotFound
        When the folder holds no safetensors; the message says what it does hold.
    InvalidInput
        When tensors are unknown, missing or of another shape than the configuration says; all are listed. When the
        configuration asks for what the network does not do (`build_config`), and when `out` is the source itself.
    AlreadyThere
        When `out` holds weights and `overwrite` is not set.

    Notes
    -----
    Tensors are read, cut and written one at a time, so memory holds the largest of them and not the file. The model
    card and the files LICENSE and NOTICE are copied beside them, and the licence stated is recorded in
    ``config.origin``.
    """
    folder, commit = locate(source, revision)
    files = weight_files(folder)
    target = Path(out)
    if target.resolve() == folder.resolve():
        raise InvalidInput(f"{target} is the checkpoint itself: write the converted one into another folder")
    if not overwrite and target.is_dir() and any(target.glob("*.safetensors")):
        raise AlreadyThere(f"{target} holds weights already; pass overwrite=True, or another folder")
    with _Tensors(files) as tensors:
        made = translate(sorted(tensors))
        words = read_tokenizer(Path(tokenizer) if tokenizer is not None else folder)
        config = config or published_config(folder, tensors, words)
        hashes = {f.name: sha256(f) for f in files}
        config.origin = {
            "source": str(source), "revision": commit, "sha256": hashes, "layout": "published",
            "licence": licence_of(folder),
        }  # fmt: skip
        config.region_rule, config.measured_in_loop = "published", False
        config.architectures = ["TerraScopeModel"]
        planned = _plan(made[0], made[2], tensors, config, str(source))
        processor = Processor(words, config)
        target.mkdir(parents=True, exist_ok=True)
        for old in (*target.glob("model*.safetensors"), *target.glob("model.safetensors.index.json")):
            old.unlink()
        by_name = {t.name: t for t in made[0]}
        config.dtype = tensors.dtype
        write_shards(target, planned, lambda name: tensors.make(by_name[name]), shard_bytes)
    config.save_pretrained(str(target))
    processor.save_pretrained(target)
    for text in (f for f in folder.iterdir() if f.is_file() and re.match(r"LICEN[SC]E|NOTICE|README\.md$", f.name)):
        if overwrite or not (target / text.name).exists():
            (target / text.name).write_bytes(text.read_bytes())
    return Converted(target, len(planned), tuple(made[1]), commit, hashes, config.origin["licence"])


# ---- where it is -----------------------------------------------------------------------------------------------
def locate(source: str | Path, revision: str | None = None) -> tuple[Path, str]:
    """Folder of a checkpoint and its commit: a folder as it is («»), a hub name fetched or taken from the cache.

    Raises
    ------
    NotFound
        When there is neither such a folder nor such a repository, or the hub cannot be reached.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        if revision is not None:
            raise InvalidInput(f"{path} is a folder, which has no revision: leave revision={revision!r} out")
        return path, ""
    if path.exists() or not re.fullmatch(r"[\w.-]+/[\w.-]+", str(source)):
        raise NotFound(f"{source} is neither a folder nor a name on the hub (owner/name)")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        found = Path(snapshot_download(str(source), revision=revision, allow_patterns=list(PATTERNS)))
    except HFValidationError as e:
        raise NotFound(f"{source} is neither a folder nor a name on the hub (owner/name): {e}") from e
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as e:
        at = f" at revision {revision!r}" if revision else ""
        raise NotFound(f"{source}{at}: no such folder, and the hub did not give it ({type(e).__name__}: {e})") from e
    return found, found.name if re.fullmatch(r"[0-9a-f]{40}", found.name) else ""


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder, those that its index names where it has one.

    Raises
    ------
    NotFound
        When there are none, or some that the index names are not there. Pickles (``.bin``, ``.pt`` …) are never opened.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        missing = [n for n in names if not (folder / n).is_file()]
        if missing:
            raise NotFound(f"{folder} lacks {', '.join(missing)}, of the {len(names)} files that its index names")
        return [folder / n for n in names]
    files = sorted(folder.glob("*.safetensors"))
    if files:
        return files
    pickles = sorted(p.name for pattern in _PICKLES for p in folder.glob(pattern))
    if pickles:
        raise NotFound(
            f"{folder} holds its weights as pickles only ({', '.join(pickles[:5])}), which can run code when they are "
            "opened and are not read here; get the .safetensors files, or have their owner save them as such"
        )
    there = ", ".join(sorted(p.name for p in folder.iterdir())[:20])
    raise NotFound(f"no .safetensors in {folder}, found: {there or 'nothing'}")


class _Tensors(Mapping[str, Any]):
    """Name → slice of every tensor in several safetensors files, opened for as long as the context lasts."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files, self._stack = files, ExitStack()
        self._where: dict[str, Any] = {}

    def __enter__(self) -> _Tensors:
        from safetensors import SafetensorError, safe_open

        for path in self._files:
            try:
                opened = self._stack.enter_context(safe_open(str(path), "pt"))
            except SafetensorError as e:
                raise InvalidInput(f"{path} is no whole safetensors file: {e}") from e
            for name in opened.keys():  # noqa: SIM118  (not a dict)
                if name in self._where:
                    raise InvalidInput(f"tensor {name!r} is in two files, the second is {path.name}")
                self._where[name] = opened
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def __getitem__(self, name: str) -> Any:
        return self._where[name].get_slice(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._where)

    def __len__(self) -> int:
        return len(self._where)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor, from the header."""
        return tuple(self[name].get_shape())

    @property
    def dtype(self) -> torch.dtype:
        """The type that most of the floating-point tensors have."""
        names = [self[n].get_dtype() for n in self]
        most = max(set(names), key=names.count)
        return {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}.get(most, torch.float32)

    def make(self, target: Target) -> Tensor:
        """One tensor of ours."""
        if len(target.sources) > 1:
            return torch.cat([self._where[s].get_tensor(s) for s in target.sources])
        name = target.sources[0]
        rows, (k, of) = self.shape(name), target.part
        if of == 1:
            return self._where[name].get_tensor(name)
        step = rows[0] // of
        return self[name][k * step : (k + 1) * step]

    def planned(self, target: Target) -> Planned:
        """Shape and type of one tensor of ours, without reading it."""
        first = self[target.sources[0]]
        rows = sum(self.shape(s)[0] for s in target.sources) // target.part[1] if first.get_shape() else None
        shape = () if rows is None else (rows, *first.get_shape()[1:])
        return Planned(target.name, first.get_dtype(), shape)


# ---- what it must be -------------------------------------------------------------------------------------------
def _plan(
    targets: Sequence[Target], strange: Sequence[str], tensors: _Tensors, config: TerraScopeConfig, source: str
) -> list[Planned]:
    """What to write, checked against the network that the configuration makes."""
    with torch.device("meta"):
        expected = {n: tuple(t.shape) for n, t in TerraScopeModel(config).state_dict().items()}
    planned = [tensors.planned(t) for t in targets]
    made = {p.name: p for p in planned}
    lines = [f"unknown tensor {n} {tensors.shape(n)}" for n in strange]
    lines += [
        f"unknown tensor {', '.join(t.sources)} (would be {t.name}, which this configuration has not)"
        for t in targets
        if t.name not in expected
    ]
    lines += [f"missing {n} {shape}" for n, shape in expected.items() if n not in made]
    lines += [
        f"{n} has shape {made[n].shape}, the configuration says {shape}"
        for n, shape in expected.items()
        if n in made and _folded(made[n].shape, shape) is None
    ]
    if lines:
        raise InvalidInput(
            f"{source} is not a checkpoint of the published layout, {len(lines)} things differ:\n  "
            + "\n  ".join(lines)
        )
    return [replace(p, shape=_folded(p.shape, expected[p.name]) or ()) for p in sorted(planned, key=lambda p: p.name)]


def _folded(shape: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...] | None:
    """`wanted` when `shape` differs from it by ones at most (a vector kept as (1, 1, n)), else None."""
    return wanted if [n for n in shape if n != 1] == [n for n in wanted if n != 1] else None


def published_config(folder: Path, tensors: Mapping[str, Any], tokenizer: Any) -> TerraScopeConfig:
    """Read ``config.json`` of a published checkpoint; SAM 2's sizes, which it does not hold, from the tensors' shapes.

    Raises
    ------
    NotFound, InvalidInput
        Without a ``config.json``, without its parts, for a Hiera encoder of a size that was never published, and for
        settings under which the network would compute something else.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise NotFound(f"no config.json in {folder}: pass config=build_config(vision, llm, hiera)")
    told = json.loads(path.read_text("utf-8"))
    if told.get("model_type") == TerraScopeConfig.model_type:
        raise InvalidInput(f"{folder} is in our layout already: open it as it is")
    parts = [told.get("vision_config"), told.get("llm_config") or told.get("text_config")]
    if not all(isinstance(p, dict) for p in parts):
        raise InvalidInput(
            f"{path} has no vision_config and llm_config, but {', '.join(sorted(told)[:30])}: no published checkpoint"
        )
    other = [f"{name} is {told[name]!r}, not {here!r}" for name, here in _FIXED.items() if told.get(name, here) != here]
    if other:
        raise InvalidInput(f"{path} describes another network than this one: {'; '.join(other)}")
    trunk = "grounding_encoder.sam2_model.image_encoder.trunk."
    if f"{trunk}pos_embed" not in tensors:
        raise InvalidInput(f"no {trunk}pos_embed among {len(tensors)} tensors: the checkpoint has no SAM 2")
    width, *background = tensors[f"{trunk}pos_embed"].get_shape()[1:]
    stages = _stages(tensors, trunk, width)
    known = HIERA.get((width, stages))
    if known is None:
        raise InvalidInput(
            f"a Hiera encoder of width {width} and {stages} blocks is none that was published: "
            f"{', '.join(map(str, HIERA))}"
        )
    ids = {k: tokenizer.get_vocab().get(SPECIAL[k], -1) for k in ("image", "seg", "region")}
    hiera = {"embed_dim": width, "stages": stages, "background": background, **known}
    words = tensors.get("language_model.model.embed_tokens.weight")
    llm = parts[1] if words is None else {**parts[1], "vocab_size": words.get_shape()[0]}  # the tokens added count too
    return build_config(parts[0], llm, hiera, ids, max_tiles=int(told.get("max_dynamic_patch", 12)))


def _stages(tensors: Mapping[str, Any], trunk: str, width: int) -> tuple[int, ...]:
    """Blocks a stage: a stage doubles the width, which the blocks' second norm shows."""
    pattern = re.compile(re.escape(trunk) + r"blocks\.(\d+)\.norm2\.weight")
    widths = [tensors[n].get_shape()[0] for n in tensors if pattern.fullmatch(n)]
    return tuple(widths.count(width * 2**k) for k in range(4))


def read_tokenizer(folder: Path) -> Any:
    """The tokenizer of a published folder, without running any of its code.

    Raises
    ------
    NotFound
        When there is none.
    """
    if not any((folder / n).is_file() for n in ("tokenizer.json", "vocab.json")):
        raise NotFound(f"no tokenizer.json and no vocab.json in {folder}: pass tokenizer=FOLDER")
    from transformers import PreTrainedTokenizerFast, Qwen2Tokenizer

    kind = PreTrainedTokenizerFast if (folder / "tokenizer.json").is_file() else Qwen2Tokenizer
    return kind.from_pretrained(str(folder), local_files_only=True)
