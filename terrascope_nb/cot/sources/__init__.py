"""Sources of labelled scenes: each reads the layout that a data set has on disk, one image at a time, when it is asked.

``open_source("xbd", folder=…)`` → iterator of `Labelled` → `windows`, `audit`, `split_of`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from terrascope_nb._suggest import unknown
from terrascope_nb.cot.sources.area import read_areas
from terrascope_nb.cot.sources.audit import Audit, Row, audit
from terrascope_nb.cot.sources.bigearthnet import read_bigearthnet
from terrascope_nb.cot.sources.chips import read_chatearthnet, read_chips
from terrascope_nb.cot.sources.examples import read_carolina, read_slovenia
from terrascope_nb.cot.sources.legends import legend_for
from terrascope_nb.cot.sources.made import read_synthetic
from terrascope_nb.cot.sources.rasters import FILE_OPTIONS, labels_on, read_raster
from terrascope_nb.cot.sources.split import leaks, merge_places, side_of, split_of
from terrascope_nb.cot.sources.stream import Stream
from terrascope_nb.cot.sources.windows import window, windows
from terrascope_nb.cot.sources.xbd import read_xbd
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.scene.labelled import Labelled

Reader = Callable[..., Iterator[Labelled]]

SOURCES: Mapping[str, Reader] = MappingProxyType(
    {
        "bigearthnet": read_bigearthnet,
        "chatearthnet": read_chatearthnet,
        "chips": read_chips,
        "xbd": read_xbd,
        "raster": read_raster,
        "area": read_areas,
        "synthetic": read_synthetic,
        "slovenia": read_slovenia,
        "north-carolina": read_carolina,
    }
)
"""Name → reader."""

#: What a reader hands on under ``**``: its keywords are those of another function.
_HANDED_ON = {"raster": FILE_OPTIONS, "chips": FILE_OPTIONS, "chatearthnet": FILE_OPTIONS}


def open_source(name: str, **options: Any) -> Iterator[Labelled]:
    """Open a source by name. Nothing is read before the first image is asked for.

    Parameters
    ----------
    name : str
        A key of `SOURCES`.
    **options
        Keywords of its reader, e.g. ``folder=``, ``window=``, ``part=(0, 4)``.

    Raises
    ------
    NotFound
        For a name that is not known; the nearest is suggested.
    InvalidInput
        For a keyword that the reader lacks, and for one that it needs.

    Examples
    --------
    >>> next(open_source("synthetic", n=1, kind="damage", size=64)).source
    'synthetic damage'
    """
    if name not in SOURCES:
        raise NotFound(unknown("source", name, SOURCES))
    reader = SOURCES[name]
    known = dict(inspect.signature(reader).parameters)
    names = [n for n, p in known.items() if p.kind is not inspect.Parameter.VAR_KEYWORD] + list(
        _HANDED_ON.get(name, ())
    )
    if name == "area":
        from terrascope_nb.scene.load import load_scene

        names += [n for n in inspect.signature(load_scene).parameters if n not in (*names, "aoi")]
    for option in options:
        if option not in names:
            raise InvalidInput(f"source {name!r}: {unknown('option', option, names)}")
    needed = [
        n for n, p in known.items()
        if p.default is inspect.Parameter.empty and p.kind is not inspect.Parameter.VAR_KEYWORD and n not in options
    ]  # fmt: skip
    if needed:
        raise InvalidInput(f"source {name!r} needs {', '.join(f'{n}=' for n in needed)}")
    return reader(**options)


__all__ = [
    "SOURCES",
    "Audit",
    "Row",
    "Stream",
    "audit",
    "labels_on",
    "leaks",
    "legend_for",
    "merge_places",
    "open_source",
    "read_areas",
    "read_bigearthnet",
    "read_carolina",
    "read_chatearthnet",
    "read_chips",
    "read_raster",
    "read_slovenia",
    "read_synthetic",
    "read_xbd",
    "side_of",
    "split_of",
    "window",
    "windows",
]
