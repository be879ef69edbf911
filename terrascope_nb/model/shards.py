"""Safetensors files written tensor by tensor: the memory needed is one tensor, however large the file."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

#: Bytes of one number by safetensors' name of its type.
BYTES = {
    "F64": 8,
    "I64": 8,
    "F32": 4,
    "I32": 4,
    "F16": 2,
    "BF16": 2,
    "I16": 2,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}


@dataclass(frozen=True)
class Planned:
    """A tensor that will be written: its name, type (as safetensors names it) and shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Size in the file."""
        return math.prod(self.shape) * BYTES[self.dtype]


def write_shards(
    folder: Path,
    planned: Sequence[Planned],
    load: Callable[[str], Tensor],
    limit: int,
    metadata: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Write tensors into ``model….safetensors`` files of at most `limit` bytes (one tensor at least), with their index.

    Parameters
    ----------
    folder : Path
    planned : sequence of Planned
        In the order they are asked for.
    load : callable
        Gives the tensor of a name; called once for each, and the result is not kept.
    limit : int
        Bytes a file.
    metadata : mapping, optional
        Text kept in each file's header.

    Returns
    -------
    dict
        Tensor name → file name.
    """
    groups: list[list[Planned]] = [[]]
    for one in planned:
        if groups[-1] and sum(p.bytes for p in groups[-1]) + one.bytes > limit:
            groups.append([])
        groups[-1].append(one)
    single = len(groups) == 1
    where: dict[str, str] = {}
    for k, group in enumerate(groups, 1):
        name = "model.safetensors" if single else f"model-{k:05d}-of-{len(groups):05d}.safetensors"
        _write(folder / name, group, load, {"format": "pt", **(metadata or {})})
        where |= {p.name: name for p in group}
    if not single:
        index = {"metadata": {"total_size": sum(p.bytes for p in planned)}, "weight_map": dict(sorted(where.items()))}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2), "utf-8")
    return where


def _write(path: Path, group: Sequence[Planned], load: Callable[[str], Tensor], metadata: Mapping[str, str]) -> None:
    """One file: eight bytes with the header's length, the header, the tensors one after the other."""
    import torch

    header: dict[str, object] = {"__metadata__": dict(metadata)}
    at = 0
    for one in group:
        header[one.name] = {"dtype": one.dtype, "shape": list(one.shape), "data_offsets": [at, at + one.bytes]}
        at += one.bytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for one in group:
            tensor = load(one.name).contiguous()
            raw = tensor.view(torch.uint8) if tensor.ndim else tensor.reshape(1).view(torch.uint8)
            if raw.numel() != one.bytes:
                raise RuntimeError(f"{one.name}: {raw.numel()} bytes came, {one.bytes} were planned")
            file.write(memoryview(raw.flatten().numpy()))


def sha256(path: Path, block: int = 1 << 24) -> str:
    """SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(block):
            digest.update(chunk)
    return digest.hexdigest()
