"""Terra-CoT: labelled scenes → questions, reasoning with a mask for each ``[SEG]``, answers that are measured.

``sources`` read labelled scenes, ``compose`` makes records of them, ``check`` finds what is wrong with one, ``build``
writes a data set. No torch here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from terrascope_nb.cot.manifest import Manifest, read_dataset
    from terrascope_nb.cot.parquet import read_parquet, write_parquet
    from terrascope_nb.cot.published import from_published, read_json, to_published, write_json
    from terrascope_nb.cot.record import KINDS, SCHEMA, ImageRef, MaskRef, Record

__all__ = [
    "KINDS",
    "SCHEMA",
    "ImageRef",
    "Manifest",
    "MaskRef",
    "Record",
    "from_published",
    "read_dataset",
    "read_json",
    "read_parquet",
    "to_published",
    "write_json",
    "write_parquet",
]


def __getattr__(name: str) -> Any:
    """Public names, imported on first use: the command line names this package before it is known what for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from terrascope_nb.cot import manifest, parquet, published, record

    module = next(m for m in (record, published, parquet, manifest) if hasattr(m, name))
    return globals().setdefault(name, getattr(module, name))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
