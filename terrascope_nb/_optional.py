"""Optional packages: import one, or say in one line how to install it."""

from __future__ import annotations

import importlib
from types import ModuleType

from terrascope_nb.errors import MissingPackage


def need(module: str, what_for: str, extra: str | None = None) -> ModuleType:
    """Import `module`, or raise `MissingPackage` with the command that installs it.

    Parameters
    ----------
    module : str
        Dotted module name.
    what_for : str
        What it is needed for, in words that finish «… is needed to».
    extra : str, optional
        The extra of this package that brings it.

    Raises
    ------
    MissingPackage
        When the import fails because `module` itself is not installed. An error inside an installed
        module is not touched.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as e:
        if e.name is None or e.name.split(".")[0] != module.split(".")[0]:
            raise
        command = f'pip install "terrascope-nb[{extra}]"' if extra else f"pip install {module.split('.')[0]}"
        raise MissingPackage(f"{module} is needed to {what_for} and is not installed: {command}", name=module) from e
