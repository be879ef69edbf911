"""The sample scenes inside this package: three Sentinel-2 and Sentinel-1 pairs, as a small STAC catalogue on disk.

They are searched and read by the same code as a remote catalogue. Contains modified Copernicus Sentinel data 2017;
BigEarthNet, CDLA-Permissive-1.0 (see ``data/sample/ATTRIBUTION.md``).
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import NotFound

if TYPE_CHECKING:
    from terrascope_nb.geo.aoi import AOI
    from terrascope_nb.scene.scene import Scene


def catalog() -> Path:
    """The folder with the sample catalogue: ``ts.search(aoi, catalog=ts.samples.catalog(), sensor=…)``."""
    return Path(__file__).resolve().parents[1] / "data" / "sample"


def names() -> tuple[str, ...]:
    """The samples' names.

    Examples
    --------
    >>> names()
    ('lake', 'woods', 'fields')
    """
    return tuple(_table())


def describe(name: str | None = None) -> str:
    """What a sample shows, with its dates and attribution; without `name`, one line each.

    Raises
    ------
    NotFound
        For an unknown name.
    """
    if name is None:
        return "\n".join(f"{n}: {describe(n)}" for n in names())
    entry = _entry(name)
    return f"{entry['description'].rstrip()} ({entry['attribution']})"


def place(name: str) -> AOI:
    """The outline of a sample."""
    from terrascope_nb.geo.aoi import AOI

    entry = _entry(name)
    return AOI.from_bbox(tuple(entry["bounds"]), crs=entry["crs"], name=name)


def load(name: str = "lake") -> Scene:
    """Load a sample: one optical and one SAR image, by `load_scene` on the sample catalogue.

    Parameters
    ----------
    name : str
        One of `names()`.

    Raises
    ------
    NotFound
        For an unknown name; the nearest is suggested.

    Examples
    --------
    >>> load("lake").modalities
    ('optical', 'sar')
    """
    from terrascope_nb.scene.load import load_scene

    entry = _entry(name)
    return load_scene(
        place(name),
        entry["optical"]["datetime"][:10],
        optical=entry["optical"]["collection"],
        sar=entry["sar"]["collection"],
        catalog=catalog(),
        resolution=entry["resolution"],
        crs=entry["crs"],
        name=name,
    )


def _entry(name: str) -> dict[str, Any]:
    table = _table()
    if name not in table:
        raise NotFound(unknown("sample", name, table))
    return table[name]


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    file = catalog() / "samples.json"
    if not file.is_file():
        raise NotFound(f"the sample catalogue is not in this installation ({file} is missing): reinstall terrascope-nb")
    return json.loads(file.read_text(encoding="utf-8"))
