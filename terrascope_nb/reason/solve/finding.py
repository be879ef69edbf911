"""Finding: the mask that a rule, a map or a model gives for one class on one date, or why it gives none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from terrascope_nb.scene.domain import Domain
from terrascope_nb.scene.scene import Moment, Scene


@dataclass(frozen=True, eq=False)
class Finding:
    """A mask that a source found, or why it cannot find one.

    Attributes
    ----------
    mask : numpy.ndarray or None
        (H, W) bool; None when `abstained`.
    score : numpy.ndarray or None
        (H, W) float32 in 0…1, NaN where the class cannot be judged: there nothing is measured.
    sar_share : float
        Share of the region that SAR decided, 0…1.
    note : str
        The rule that made it, in words.
    abstained : str
        Why there is no mask, «» when there is one.
    image : int or None
        Index of the image that it is drawn on; None is the date's own (`seen_image`).
    sar_image : int or None
        Index of the SAR image looked at beside it: pixels that only it sees count as seen.
    """

    mask: np.ndarray | None
    score: np.ndarray | None = None
    sar_share: float = 0.0
    note: str = ""
    abstained: str = ""
    image: int | None = None
    sar_image: int | None = None


class MaskSource(Protocol):
    """Where `solve` gets its masks: a set of rules, a land-cover map, the truth of a synthetic scene."""

    def labels(self, scene: Scene, moment: Moment) -> tuple[str, ...]:
        """Labels that exclude one another and that the source can tell on this date, for «which class is largest»."""
        ...

    def find(self, scene: Scene, moment: Moment, label: str) -> Finding:
        """The mask of one canonical label on one date."""
        ...


def seen_image(scene: Scene, moment: Moment) -> int:
    """The image of a date to draw on: the optical one, or the SAR one where that is missing or blanked."""
    if moment.sar is None or moment.optical is None or not scene.images[moment.optical].blanked:
        return moment.image
    return moment.sar


def finding_domain(scene: Scene, image: int, found: Finding, label: str) -> Domain:
    """Where a finding may be measured: clear pixels inside the AOI that could be judged; cloud among all with data."""
    return scene.domain(image, found.sar_image).of_label(label).judged(found.score)
