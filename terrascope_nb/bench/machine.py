"""What a run was made on: processor, cores, memory, accelerator, versions."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import Any

from terrascope_nb._versions import own_version


def machine() -> dict[str, Any]:
    """Processor, cores that this process may use, memory in GB (10⁹ bytes), system, and the GPU where torch is loaded.

    Examples
    --------
    >>> sorted(machine())[:2]
    ['cores', 'cpu']
    """
    out: dict[str, Any] = {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        out["gpu"] = torch.cuda.get_device_name()
    return out


def versions() -> dict[str, str]:
    """Versions of this package, Python and numpy; of torch and transformers where a reasoner loaded them."""
    out = {"terrascope_nb": own_version(), "python": platform.python_version()}
    for name in ("numpy", "torch", "transformers"):
        if name in sys.modules:
            try:
                out[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                out[name] = str(getattr(sys.modules[name], "__version__", "unknown"))
    return out


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.lower().startswith("model name"):
                    return " ".join(line.partition(":")[2].split())
    except OSError:
        pass  # no such file on this system: platform tells what it can
    return platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):
        return None
