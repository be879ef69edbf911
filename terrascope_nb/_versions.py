"""Which versions are at work: one text to paste into a bug report, and the same as a table for records."""

from __future__ import annotations

import importlib
import platform
import re
import sys
from importlib import metadata
from typing import TextIO

#: Our own distribution on the package registry.
DISTRIBUTION = "terrascope-nb"

#: Optional packages worth naming where they are installed, beside those that our own metadata requires.
OPTIONAL = ("torch", "transformers", "leafmap", "ipyleaflet", "ipywidgets", "jupyterlab", "odc-stac", "distributed")


def own_version() -> str:
    """Give this package's version, or "0+unknown" when it is imported from files that were never installed."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0+unknown"


def required() -> tuple[str, ...]:
    """Name the distributions that the core of this package requires, by its own metadata, in order.

    Empty when the package is not installed. No package is imported.
    """
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return ()
    core = (line for line in lines if "extra ==" not in line)
    return tuple(sorted({re.split(r"[\s\[<>=!~;(]", line, maxsplit=1)[0].lower() for line in core}))


def versions() -> dict[str, str]:
    """Tell the versions of this package, Python, the platform, the libraries beneath, and the packages installed.

    Versions of packages are read from their metadata, so nothing heavy is imported; only GDAL's and PROJ's ask
    rasterio and pyproj (about 0.3 s together), since a wheel carries its own.

    Returns
    -------
    dict of str to str
        Name → version; "not installed" for a required package that is missing, and the error for a library
        that does not load, for that is what a bug report is about.
    """
    table = {
        DISTRIBUTION: own_version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "GDAL": _library("rasterio", "__gdal_version__"),
        "PROJ": _library("pyproj", "proj_version_str"),
    }
    for name in required():
        table[name] = _installed(name) or "not installed"
    for name in OPTIONAL:
        version = _installed(name)
        if version is not None:
            table[name] = version
    return table


def show_versions(file: TextIO | None = None) -> None:
    """Write the table of `versions` as text, one name a line.

    Parameters
    ----------
    file : text file, optional
        Where to write; by default the standard output of the moment.

    Examples
    --------
    >>> import io
    >>> page = io.StringIO()
    >>> show_versions(page)
    >>> page.getvalue().split()[0]
    'terrascope-nb'
    """
    table = versions()
    width = max(map(len, table))
    text = "".join(f"{name:<{width}}  {version}\n" for name, version in table.items())
    (sys.stdout if file is None else file).write(text)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _library(module: str, attribute: str) -> str:
    try:
        return str(getattr(importlib.import_module(module), attribute))
    except (ImportError, OSError) as e:
        return f"does not load ({e})"
