"""`spectral`: a reasoner that finds land cover by spectral and radar rules. Needs no weights and no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import GridMismatch, InvalidInput, NotFound
from terrascope_nb.reason.events import Event
from terrascope_nb.reason.question import understand
from terrascope_nb.reason.rules.landcover import Classification, classify
from terrascope_nb.reason.solve import solve
from terrascope_nb.reason.solve.finding import Finding
from terrascope_nb.scene.classes import SKY
from terrascope_nb.scene.scene import Image, Moment, Scene

SENSORS = ("auto", "optical", "sar")


class SpectralReasoner:
    """Answers by rules on the bands that are there, and abstains with a reason where they do not allow the class.

    Parameters
    ----------
    sensor : "auto", "optical" or "sar"
        ``"auto"`` takes, per pixel, the more informative of the two (SAR under cloud); the others leave one out.
        A blanked image is never evidence.

    Notes
    -----
    Each date is classified once for each pair of images, as a whole, and kept as long as the images are. That takes
    about 150 bytes a pixel at its peak and 50 bytes a pixel kept: 160 MB and 50 MB for 1024 × 1024 pixels. Cut a
    larger scene first, with ``scene.select(aoi=…)``.
    """

    name = "spectral"

    def __init__(self, sensor: str = "auto") -> None:
        if sensor not in SENSORS:
            raise InvalidInput(unknown("sensor of the spectral reasoner", sensor, SENSORS))
        self.options: Mapping[str, Any] = {"sensor": sensor}
        self._cache: WeakKeyDictionary[Image, WeakKeyDictionary[Image, Classification]] = WeakKeyDictionary()

    def stream(self, scene: Scene, question: str, choices: Any = None) -> Iterator[Event]:
        """Understand the question, find the masks by rules, measure, conclude."""
        yield from solve(understand(question, choices), scene, self)

    def labels(self, scene: Scene, moment: Moment) -> tuple[str, ...]:
        """Classes that the bands of this date allow and that exclude one another."""
        found = self.classify(scene, moment)
        return (
            () if found is None else tuple(k for k, s in found.scores.items() if s.abstained is None and k not in SKY)
        )

    def find(self, scene: Scene, moment: Moment, label: str) -> Finding:
        """The mask of one class by rules, or why these bands do not allow it."""
        found = self.classify(scene, moment)
        if found is None:
            return Finding(None, abstained=self._unseen(scene, moment))
        try:
            score = found.get(label)
        except NotFound:
            able = ", ".join(found.labels()) or "no class"
            return Finding(None, abstained=f"there is no rule for it; these bands allow {able}")
        optical, sar = self._evidence(scene, moment)
        if score.abstained is not None:
            out = [w for w, k in zip(self._left_out(scene, moment), (optical, sar), strict=True) if w and k is None]
            return Finding(None, abstained="; ".join([score.abstained, *out]))
        if label == "cloud":  # as optical sees it, also where radar saw through
            return Finding(found.cloud, None, 0.0, score.rule, image=optical)
        image, beside = (sar, None) if optical is None else (optical, sar)
        return Finding(score.mask, score.score, score.sar_share, score.rule, image=image, sar_image=beside)

    def classify(self, scene: Scene, moment: Moment) -> Classification | None:
        """Land cover of one date, computed once for each pair of images; None when no image may be used.

        Raises
        ------
        GridMismatch
            When the two images of the date lie on two grids.
        """
        indices = self._evidence(scene, moment)
        optical, sar = (None if k is None else scene.images[k] for k in indices)
        anchor = optical or sar
        if anchor is None:
            return None
        if optical is not None and sar is not None and optical.grid != sar.grid:
            raise GridMismatch(
                f"optical and SAR of this date lie on two grids: {optical.grid!r}, {sar.grid!r}. Load them "
                "onto one grid, or ask "
                'one of them: scene.select(modalities="optical")'
            )
        known = self._cache.setdefault(anchor, WeakKeyDictionary())
        other = anchor if optical is None or sar is None else sar
        if other not in known:
            known[other] = classify(
                None if optical is None else optical.arrays(),
                None if sar is None else sar.arrays(),
                optical_units="reflectance" if optical is None else optical.units,
                pixel_size=None if anchor.grid.crs is None else float(anchor.grid.pixel_area().mean() ** 0.5),
                cloud=None if optical is None else optical.cloud,
            )
        return known[other]

    def _evidence(self, scene: Scene, moment: Moment) -> tuple[int | None, int | None]:
        """Indices of the optical and the SAR image of a date that may be used."""
        wanted = self.options["sensor"]
        optical, sar = (
            None if k is None or scene.images[k].blanked or wanted not in ("auto", kind) else k
            for k, kind in ((moment.optical, "optical"), (moment.sar, "sar"))
        )
        return optical, sar

    def _left_out(self, scene: Scene, moment: Moment) -> tuple[str, str]:
        """Why the optical and the SAR image of a date may not be used, where they are there; «» where not."""
        why = []
        for k, word in ((moment.optical, "optical"), (moment.sar, "SAR")):
            if k is None:
                why.append("")
            elif scene.images[k].blanked:
                why.append(f"the {word} image is blanked")
            else:
                why.append(f"the {word} image is left out by sensor={self.options['sensor']!r}")
        return why[0], why[1]

    def _unseen(self, scene: Scene, moment: Moment) -> str:
        """Why no image of a date may be used."""
        why = [
            w or f"there is no {kind} image"
            for w, kind in zip(self._left_out(scene, moment), ("optical", "SAR"), strict=True)
        ]
        return f"nothing may be looked at: {' and '.join(why)}"
