"""Error classes: one base, each also a builtin, every message saying what, why and how to mend.

Catch `TerrascopeError` for anything this package raises on purpose, or the builtin that fits
(`ValueError`, `LookupError`, …) if you would rather not import from here.
"""

from __future__ import annotations


class TerrascopeError(Exception):
    """Base of every error that this package raises on purpose."""


class InvalidInput(TerrascopeError, ValueError):
    """An argument cannot be used as it is; the message names the argument and shows what would do."""


class NoCRS(TerrascopeError, ValueError):
    """Metres, areas or places were asked of a grid that has no coordinate reference system."""


class GridMismatch(TerrascopeError, ValueError):
    """Two things that must share a grid do not; both grids are in the message."""


class UnknownUnits(TerrascopeError, ValueError):
    """The units of pixel values cannot be told; the message shows the call that states them."""


class NotFound(TerrascopeError, LookupError):
    """A named thing (sample, class, band, reasoner, asset, item) is not there."""


class NothingFound(NotFound):
    """A search matched nothing; the message repeats what was asked and says what to widen."""


class QuestionNotUnderstood(TerrascopeError, ValueError):
    """The question has no form that the reasoner knows; the message lists the forms that it does."""


class TraceError(TerrascopeError, ValueError):
    """Events do not make a trace (a mask without its `[SEG]`, an image index out of range)."""


class MissingPackage(TerrascopeError, ImportError):
    """An optional package is not installed; the message holds the pip command."""


class TooLarge(TerrascopeError, MemoryError):
    """More bytes would be read than allowed; the message says how many and how to ask for less."""


class AlreadyThere(TerrascopeError, FileExistsError):
    """A file would be overwritten; pass ``overwrite=True``."""


class ReadFailed(TerrascopeError, OSError):
    """An asset could not be read; the message names item and asset."""
