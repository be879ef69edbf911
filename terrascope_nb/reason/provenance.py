"""Provenance: what a record says of how it was made, fit for JSON and without secrets."""

from __future__ import annotations

import math
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from terrascope_nb.scene.scene import Scene


def provenance(name: str, options: Mapping[str, Any], scene: Scene) -> dict[str, Any]:
    """What a record must say of how it was made: versions, reasoner with its options, scene; without tokens.

    Parameters
    ----------
    name, options
        Of the reasoner. Options that are secret by their name are left out, addresses lose their query and password.
    scene : Scene
    """
    import numpy
    import xarray

    from terrascope_nb import __version__

    return {
        "terrascope_nb": __version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "xarray": xarray.__version__,
        "asked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "reasoner": str(name),
        "options": {str(k): plain_option(str(k), v) for k, v in options.items()},
        "scene": scene.name,
        "scene_notes": list(scene.notes),
    }


_SECRET = re.compile(r"token|secret|passw|credential|api_?key|^key$|sas$|authorization", re.IGNORECASE)
_SIGNED = re.compile(
    r"(\b[a-z][a-z0-9+.-]*://)(?:[^\s/@]*@)?([^\s?#]*)[?#]\S*|(\b[a-z][a-z0-9+.-]*://)[^\s/@]+@", re.IGNORECASE
)


def plain_option(name: str, value: Any) -> str | int | float | bool | None:
    """An option as JSON takes it; what is secret by its name, and what signs an address, is left out."""
    if value is None or isinstance(value, bool | int):
        return value
    if _SECRET.search(name):
        return "(left out)"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    text = value if isinstance(value, str) else repr(value)
    return _SIGNED.sub(lambda m: (m[1] or m[3]) + (m[2] or ""), text)[:200]
