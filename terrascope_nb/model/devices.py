"""Devices: which one to take, in which number type, its free memory, what to say when that is too little."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, TooLarge
from terrascope_nb.model.memory import DTYPES, gigabytes

DEVICES = ("auto", "cuda", "mps", "cpu")
#: Every spelling of a number type → the one that `memory` uses.
SPELLINGS = {
    "bf16": "bf16", "bfloat16": "bf16", "fp16": "fp16", "float16": "fp16", "fp32": "fp32", "float32": "fp32",
}  # fmt: skip

_OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory|alloc.{0,20}fail", re.IGNORECASE)


def choose_device(device: str = "auto") -> torch.device:
    """The device to work on.

    Parameters
    ----------
    device : str
        ``"auto"``: CUDA where there is a card, else Apple's MPS, else the CPU. Or ``"cuda"``, ``"cuda:1"``, ``"mps"``,
        ``"cpu"``.

    Raises
    ------
    InvalidInput
        For a device that is not known or not there; the message says which are.

    Examples
    --------
    >>> choose_device("cpu")
    device(type='cpu')
    """
    there = ["cpu"]
    if torch.backends.mps.is_available():
        there.insert(0, "mps")
    if torch.cuda.is_available():
        there.insert(0, "cuda")
    if device == "auto":
        return torch.device(there[0])
    kind, _, number = str(device).partition(":")
    if kind not in DEVICES or (number and not number.isdigit()):
        raise InvalidInput(unknown("device", device, DEVICES))
    if kind not in there:
        built = "" if kind != "cuda" or torch.version.cuda else f" (torch {torch.__version__} is built without CUDA)"
        raise InvalidInput(f'no {kind} here{built}; there is {", ".join(there)}: device="auto" takes the first')
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise InvalidInput(f"no {device} here: {torch.cuda.device_count()} CUDA devices, numbered from 0")
    return torch.device(device)


def choose_dtype(dtype: str, device: torch.device) -> str:
    """The number type to compute in: "bf16", "fp16" or "fp32".

    ``"auto"`` is bf16 where a CUDA card computes in it, else fp16; on MPS bf16 from macOS 14 on, else fp32; on a CPU
    fp32, because half precision is slow there.

    Examples
    --------
    >>> choose_dtype("auto", torch.device("cpu")), choose_dtype("bfloat16", torch.device("cpu"))
    ('fp32', 'bf16')
    """
    if dtype != "auto":
        if dtype not in SPELLINGS:
            raise InvalidInput(unknown("dtype", dtype, ("auto", *SPELLINGS)))
        return SPELLINGS[dtype]
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.type == "mps":
        return "bf16" if torch.backends.mps.is_macos_or_newer(14, 0) else "fp32"
    return "fp32"


def torch_dtype(name: str) -> torch.dtype:
    """The torch type of a spelling in `SPELLINGS`."""
    return DTYPES[SPELLINGS[name]]


def free_bytes(device: torch.device) -> int | None:
    """Memory of a device that can be had now, bytes; None where it cannot be told."""
    if device.type == "cuda":
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reserved
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    try:
        import psutil
    except ModuleNotFoundError:
        return None
    return int(psutil.virtual_memory().available)


def check_room(what: str, needed: int, device: torch.device) -> None:
    """Refuse before anything is read, when `needed` bytes are more than are free.

    Raises
    ------
    TooLarge
        Names both numbers.
    """
    free = free_bytes(device)
    if free is not None and needed > free:
        raise TooLarge(_too_large(what, needed, device, free))


@contextmanager
def explain_out_of_memory(what: str, needed: int | Callable[[], int], device: torch.device) -> Iterator[None]:
    """Turn an out-of-memory error of torch or Python into ours, which names what was needed and what is free.

    Parameters
    ----------
    what : str
        What was going on, in words that begin the message.
    needed : int or callable
        Bytes that it needs, by `memory.estimate`; a callable is asked only when memory has run out.
    device : torch.device

    Raises
    ------
    TooLarge
        In place of the out-of-memory error; any other error passes.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as e:  # torch.OutOfMemoryError is a RuntimeError
        if isinstance(e, TooLarge) or not (isinstance(e, MemoryError) or _OUT_OF_MEMORY.search(str(e))):
            raise
        said = (str(e).splitlines() or [type(e).__name__])[0][:200]
        bytes_needed = needed() if callable(needed) else needed
        raise TooLarge(f"{_too_large(what, bytes_needed, device, free_bytes(device))} ({said})") from e


def _too_large(what: str, needed: int, device: torch.device, free: int | None) -> str:
    have = "is not told" if free is None else f"is {gigabytes(free)} GB"
    return (
        f'{what} needs {gigabytes(needed)} GB on {device}; free there {have}. Take less: dtype="bf16", quantised '
        'weights ("8bit", "4bit"), fewer images, a smaller picture, or another device; docs/memory.md states each mode'
    )
