"""The seam between reasoners and everything else: four frozen events and one protocol's vocabulary.

A reasoner yields `Text` up to and including a ``[SEG]``, then the `Mask` it named, goes on, and ends with one `Answer`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SEG = "[SEG]"
FINISHES = ("stop", "limit", "loop", "cancelled", "abstained")


@dataclass(frozen=True)
class Text:
    """A piece of reasoning text, in order.

    Attributes
    ----------
    text : str
        Any length, also a single token. ``[SEG]`` stands in it once for each mask that follows.
    source : "written" or "measured"
        Who made it: the reasoner, or the measuring core in the loop.
    """

    text: str
    source: str = "written"


@dataclass(frozen=True, eq=False)
class Mask:
    """The region of the last ``[SEG]``.

    Attributes
    ----------
    mask : numpy.ndarray
        (H, W) bool on the grid of ``scene.images[image]``.
    probability : numpy.ndarray or None
        (H, W) float32 in 0…1, the score behind the mask; NaN where there is none.
    label : str
        Canonical label of the region, «» when the reasoner does not say.
    image : int
        Index into ``scene.images`` of the image the mask is drawn on.
    image_source : str
        How the image was decided: ``"only"``, ``"written"`` (the text names it), ``"rule"``, ``"round-robin"``.
    sar_share : float
        Share of the region that SAR decided, 0…1.
    sar_image : int or None
        Index of the SAR image used beside `image`, or None. Pixels it sees count as clear.
    note : str
        A plain sentence on how the mask was made (rule, thresholds), «» when there is none.
    """

    mask: np.ndarray
    probability: np.ndarray | None = None
    label: str = ""
    image: int = 0
    image_source: str = "only"
    sar_share: float = 0.0
    sar_image: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Progress:
    """How far a long step has come: `done` of `total` (0: not known), with a short message."""

    done: float
    total: float
    message: str = ""


@dataclass(frozen=True)
class Answer:
    """The end of a run.

    Attributes
    ----------
    text : str
        The answer as written, without tags.
    choice : str or None
        Letter of the option chosen, for multiple choice.
    value : float or None
        The answer's number in `unit`; a percentage as 0…100.
    unit : str
        ``"%"``, ``"ha"``, ``"m"``, ``""`` … ; «» without a number.
    finish : str
        ``"stop"``; ``"limit"`` and ``"loop"`` (cut off), ``"cancelled"``, ``"abstained"`` (the data do not allow it).
    reason : str
        Why, when `finish` is not ``"stop"``.
    """

    text: str
    choice: str | None = None
    value: float | None = None
    unit: str = ""
    finish: str = "stop"
    reason: str = ""


Event = Text | Mask | Progress | Answer
