"""Session: the answers of an Explorer, each with what it was asked of, and what may be put together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.trace import Frame, Trace
from terrascope_nb.scene.scene import Image, Scene


@dataclass(frozen=True, eq=False)
class Asked:
    """An answer with what it was asked of.

    Attributes
    ----------
    trace : Trace
    scene : Scene or None
        Whole; None where it is not there.
    blanked : str
        The sensor that was blanked for this question, «» for none.
    scene_code, trace_code : str
        What the script calls them.
    """

    trace: Trace
    scene: Scene | None
    blanked: str = ""
    scene_code: str = ""
    trace_code: str = ""

    def seen(self) -> Scene | None:
        """The scene as the reasoner saw it."""
        return blank(self.scene, self.blanked)


class Session:
    """The answers so far, the latest last, and the one that is shown."""

    def __init__(self) -> None:
        self._asked: tuple[Asked, ...] = ()
        self.shown: Asked | None = None

    @property
    def traces(self) -> tuple[Trace, ...]:
        """The answers."""
        return tuple(a.trace for a in self._asked)

    @property
    def place(self) -> int | None:
        """Where the one that is shown stands among them."""
        return next((k for k, a in enumerate(self._asked) if a is self.shown), None)

    def add(self, asked: Asked) -> None:
        """Put an answer at the end."""
        self._asked = (*self._asked, asked)

    def of(self, trace: Trace) -> Asked | None:
        """The answer that this trace is, if it is one."""
        return next((a for a in self._asked if a.trace is trace), None)

    def forget_scenes(self) -> None:
        """Let go of the scenes; the answers stay."""
        self._asked = tuple(replace(a, scene=None) for a in self._asked)
        self.shown = None

    def __getitem__(self, index: int) -> Asked:
        return self._asked[index]

    def __iter__(self) -> Iterator[Asked]:
        return iter(self._asked)

    def __len__(self) -> int:
        return len(self._asked)


def blank(scene: Scene | None, modality: str) -> Scene | None:
    """A scene with one sensor blanked; itself where none is named."""
    return scene.blank(modality) if scene is not None and modality else scene


def check(scene: Any, trace: Any, height: Any = "480px") -> None:
    """Refuse what is no scene, no trace, no height, and a trace of another scene.

    Raises
    ------
    InvalidInput
    """
    if scene is not None and not isinstance(scene, Scene):
        raise InvalidInput(f"scene is a Scene, from ts.load_scene or ts.samples.load; got {type(scene).__name__}")
    if trace is not None and not isinstance(trace, Trace):
        raise InvalidInput(f"trace is a Trace, from ts.ask or Trace.load; got {type(trace).__name__}")
    if not isinstance(height, str) or not re.fullmatch(r"[0-9]+px", height):
        raise InvalidInput(f"height is in CSS pixels, «480px»; got {height!r}")
    if scene is None or trace is None or same_place(scene, trace):
        return
    if len(scene.images) != len(trace.frames):
        raise InvalidInput(
            f"the trace is of {len(trace.frames)} images, the scene has {len(scene.images)}: give the scene that "
            "was asked"
        )
    pairs = enumerate(zip(scene.images, trace.frames, strict=True))
    k, image, frame = next((k, a, b) for k, (a, b) in pairs if not _same(a, b))
    raise InvalidInput(
        f"image {k} of the trace is {frame.modality} of {frame.day} on {frame.grid!r}, that of the scene "
        f"{image.modality} of {image.day} on {image.grid!r}: give the scene that was asked, whole"
    )


def same_place(scene: Scene, trace: Trace) -> bool:
    """Whether a trace can be of this scene: its images are there, perhaps blanked for the question."""
    return len(scene.images) == len(trace.frames) and all(map(_same, scene.images, trace.frames))


def blanked_in(trace: Trace) -> str:
    """The sensor that was blanked for a trace, «» for none."""
    return next((f.modality for f in trace.frames if f.blanked), "")


def stopped(trace: Trace) -> Trace:
    """A trace that broke off because the user stopped it says so."""
    if trace.answer.finish != "cancelled":
        return trace
    return trace.replace(answer=replace(trace.answer, reason="stopped by the user"))


def _same(image: Image, frame: Frame) -> bool:
    return image.grid == frame.grid and image.modality == frame.modality and image.time == frame.time
