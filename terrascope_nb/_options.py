"""The few settings that hold for the whole session: `set_options`."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput

#: Environment variable that silences progress bars whatever the options say, for those who cannot edit the code.
PROGRESS_SWITCH = "TERRASCOPE_NB_PROGRESS"

_OFF = ("0", "false", "no", "off")
_ON = ("", "1", "true", "yes", "on")


@dataclass(frozen=True)
class Options:
    """Settings in force.

    Attributes
    ----------
    progress : bool or "auto"
        Whether work that lasts over a second shows a bar: True always, False never, "auto" where someone is
        watching (a terminal or a notebook).
    """

    progress: bool | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        if not (self.progress is True or self.progress is False or self.progress == "auto"):
            raise InvalidInput(f'progress must be True, False or "auto", not {self.progress!r}')


_current = Options()


def options() -> Options:
    """Give the settings in force.

    Raises
    ------
    InvalidInput
        When the environment variable TERRASCOPE_NB_PROGRESS holds a word that is neither yes nor no.
    """
    word = os.environ.get(PROGRESS_SWITCH, "").strip().lower()
    if word in _OFF:
        return replace(_current, progress=False)
    if word not in _ON:
        known = unknown("word", word, (*_OFF, *_ON[1:]))
        raise InvalidInput(f"environment variable {PROGRESS_SWITCH}: {known}. Set it to 0 to silence progress bars")
    return _current


def set_options(*, progress: bool | Literal["auto"] | None = None) -> Restore:
    """Change settings, for good or for the length of a ``with`` block.

    Parameters
    ----------
    progress : bool or "auto", optional
        See `Options`. What is left out stays as it is. TERRASCOPE_NB_PROGRESS=0 in the environment wins.

    Returns
    -------
    Restore
        To be used in ``with``: puts the settings back as they were before this call. May be ignored.

    Raises
    ------
    InvalidInput
        For a value that an option cannot take.

    Examples
    --------
    >>> with set_options(progress=False):
    ...     options().progress
    False
    """
    global _current
    before = _current
    if progress is not None:
        _current = replace(_current, progress=progress)
    return Restore(before)


class Restore:
    """Puts the settings back that were in force before `set_options`, on leaving a ``with`` block."""

    def __init__(self, before: Options) -> None:
        self._before = before

    def __enter__(self) -> Options:
        return options()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        global _current
        _current = self._before
