"""Known: what is measured of one labelled scene, each figure once and only when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from terrascope_nb.cot import rle
from terrascope_nb.cot.record import ImageRef, MaskRef
from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason import measure as m
from terrascope_nb.reason.quiz.regions import Quiz
from terrascope_nb.reason.solve.finding import seen_image
from terrascope_nb.scene.classes import SKY
from terrascope_nb.scene.domain import Domain
from terrascope_nb.scene.labelled import OTHER, Labelled


@dataclass(frozen=True, eq=False)
class View:
    """What one record is given to see: the pictures of some sensors and dates, and the label maps of those dates.

    Attributes
    ----------
    labelled : Labelled
        Narrowed to those sensors and dates.
    images : tuple of ImageRef
        One an image of ``labelled.scene``, in its order.
    """

    labelled: Labelled
    images: tuple[ImageRef, ...]


def narrowed(view: View, sensors: Sequence[str] | None = None, dates: Sequence[int] | None = None) -> View | None:
    """The part of a view with these sensors on these dates; None where the sensors do not see every one of them.

    Parameters
    ----------
    view : View
    sensors : sequence of "optical" and "sar", optional
        All by default.
    dates : sequence of int, optional
        Places in the order of time; all by default.
    """
    labelled, scene = view.labelled, view.labelled.scene
    moments = scene.moments()
    wanted = scene.modalities if sensors is None else tuple(sensors)
    chosen = range(len(moments)) if dates is None else dates
    kept: set[int] = set()
    for k in chosen:
        here = {"optical": moments[k].optical, "sar": moments[k].sar}
        found = [here[s] for s in wanted]
        if any(x is None for x in found):
            return None
        kept.update(int(x) for x in found)
    order = sorted(kept)
    maps = tuple(labelled.map_of(k) for k in chosen)
    counts = {order.index(k): v for k, v in labelled.counts.items() if k in kept}
    part = replace(scene, images=tuple(scene.images[k] for k in order))
    if len(part.moments()) != len(maps):
        return None
    return View(replace(labelled, scene=part, maps=maps, counts=counts), tuple(view.images[k] for k in order))


def whole_view(labelled: Labelled, images: Sequence[ImageRef]) -> View:
    """All sensors and dates of a labelled scene, with its pictures.

    Raises
    ------
    InvalidInput
        When there is not one picture an image of the scene, of that image's sensor and shape.
    """
    scene = labelled.scene
    if len(images) != len(scene.images):
        raise InvalidInput(
            f"{labelled.key}: {len(images)} pictures for {len(scene.images)} images of the scene; give one each, "
            "in its order"
        )
    for k, (ref, image) in enumerate(zip(images, scene.images, strict=True)):
        if ref.sensor != image.modality or (ref.shape is not None and tuple(ref.shape) != image.grid.shape):
            raise InvalidInput(
                f"{labelled.key}: picture {k} ({ref.path}) is {ref.sensor} {ref.shape}, image {k} of the scene is "
                f"{image.modality} {image.grid.shape}; give them in the scene's order"
            )
    return View(labelled, tuple(images))


class Known:
    """Facts of one view, measured when first asked for and kept.

    Figures are of the pixels that are clear, inside the area and mapped, on the whole picture: what a reader of the
    record can check with nothing but the record.

    Parameters
    ----------
    view : View
    """

    def __init__(self, view: View) -> None:
        self.view, self.labelled = view, view.labelled
        self.quiz, self.scene = Quiz(self.labelled), self.labelled.scene
        self.grid, self.moments = self.quiz.grid, self.quiz.moments
        self._kept: dict[tuple[Any, ...], Any] = {}

    # ---- regions ----------------------------------------------------------------------------------------------------
    def image(self, date: int) -> int:
        """Index of the image that masks of a date are drawn on."""
        return seen_image(self.scene, self.moments[date])

    def day(self, date: int) -> str:
        """``YYYY-MM-DD`` of a date, «» where it is not known."""
        time = self.scene.images[self.image(date)].time
        return "" if time is None else str(time)[:10]

    def domain(self, date: int) -> Domain:
        """Where figures of a date are taken."""
        return self._once(("domain", date), lambda: self._domain(date))

    def _domain(self, date: int) -> Domain:
        own = self.quiz.domain(date)
        if own.inside.all():
            return own
        return Domain(own.grid, np.ones(own.grid.shape, bool), own.pixels, own.pixels)

    def region(self, label: str, date: int = 0) -> m.Region:
        """The pixels of a class on a date that count."""
        return self._once(("region", label, date), lambda: self._region(label, date))

    def _region(self, label: str, date: int) -> m.Region:
        own, domain = self.quiz.region(label, date), self.domain(date)
        return own if own.domain is domain else replace(own, domain=domain)

    def mask(self, label: str, date: int = 0) -> MaskRef:
        """The mask of a class as a record holds it."""
        return self._once(("mask", label, date), lambda: self._mask(label, date))

    def _mask(self, label: str, date: int) -> MaskRef:
        region = self.region(label, date)
        return MaskRef.of(region.pixels, label, region.image, self.day(date) or None)

    @cached_property
    def images(self) -> tuple[ImageRef, ...]:
        """The pictures, each with the pixels that figures are of."""
        refs = list(self.view.images)
        for date, moment in enumerate(self.moments):
            pixels = self.domain(date).pixels
            counts = "" if pixels.all() else rle.encode(pixels)
            for k in (moment.optical, moment.sar):
                if k is not None:
                    refs[k] = replace(refs[k], domain=counts)
        return tuple(refs)

    def labels(self, date: int = 0) -> tuple[str, ...]:
        """Classes with a part that counts on a date, in order of name; neither the sky nor half a class."""
        return self._once(("labels", date), lambda: self._labels(date))

    def _labels(self, date: int) -> tuple[str, ...]:
        there = sorted(set(self.labelled.labels) - {*SKY, OTHER})
        there = [x for x in there if m.exists(self.region(x, date)).value]
        return tuple(x for x in there if self.whole_class(x, date))

    def whole_class(self, label: str, date: int = 0) -> bool:
        """Whether a class is all that its name says: not the standing buildings beside destroyed ones."""
        return label != "building" or not (self.labelled.truth(label, date) & ~self.region(label, date).mask).any()

    def by_size(self, date: int = 0, labels: Sequence[str] | None = None) -> tuple[str, ...]:
        """Classes from the largest to the smallest; equally large ones by name."""
        chosen = self.labels(date) if labels is None else labels
        return tuple(sorted(chosen, key=lambda x: (-self.region(x, date).count, x)))

    # ---- figures ----------------------------------------------------------------------------------------------------
    def share(self, label: str, date: int = 0) -> float:
        """Percent of the pixels that count."""
        return float(self._once(("share", label, date), lambda: m.share(self.region(label, date)).value))

    def area(self, label: str, date: int = 0) -> float | None:
        """Ground area in m²; None where pixels have no size."""
        if not self.grid.has_metres:
            return None
        return float(self._once(("area", label, date), lambda: m.area(self.region(label, date)).value))

    def parts(self, label: str, date: int = 0) -> int:
        """Separate parts that count."""
        return int(self._once(("parts", label, date), lambda: m.count(self.region(label, date)).value))

    def place(self, label: str, date: int = 0) -> str:
        """In which ninth of the picture the middle lies."""
        return str(self._once(("place", label, date), lambda: m.location(self.region(label, date)).value))

    def touch(self, a: str, b: str, date: int = 0) -> bool:
        """Whether two classes touch."""
        a, b = sorted((a, b))
        return bool(self._once(("touch", a, b, date), lambda: self._pair(m.adjacent, a, b, date).value))

    def gap(self, a: str, b: str, date: int = 0) -> float:
        """Smallest distance of two classes, in `gap_unit`; 0 where they touch."""
        a, b = sorted((a, b))
        return self._once(("gap", a, b, date), lambda: self._gap(a, b, date))

    def _gap(self, a: str, b: str, date: int) -> float:
        if self.touch(a, b, date):
            return 0.0
        return float(m.distance(self.region(a, date), self.region(b, date), unit=self.gap_unit).value)  # type: ignore[arg-type]

    @property
    def gap_unit(self) -> str:
        """«m», or «px» where pixels have no size."""
        return "m" if self.grid.has_metres else "px"

    def change(self, kind: str, label: str, unit: str = "%") -> m.Fact:
        """`gain`, `loss` or `net` of a class from the first date to the last."""
        last = len(self.moments) - 1
        pair = self.region(label, 0), self.region(label, last)
        return self._once((kind, label, unit), lambda: getattr(m, kind)(*pair, unit=unit))

    def touching(self, label: str, date: int = 0) -> tuple[str, ...]:
        """The other classes that a class touches, in order of name."""
        return tuple(x for x in self.labels(date) if x != label and self.touch(label, x, date))

    @cached_property
    def pixel_size(self) -> float | None:
        """Metres a pixel, as questions state it, else the mean to three digits; None where pixels have no size."""
        if self.quiz.stated is not None or not self.grid.has_metres:
            return self.quiz.stated
        return float(f"{float(self.grid.pixel_area().mean()) ** 0.5:.3g}")

    @cached_property
    def whole(self) -> bool:
        """Whether every pixel of every date counts, so that shares are of the scene."""
        return all(self.domain(d).pixels.all() for d in range(len(self.moments)))

    def _pair(self, measure: Any, a: str, b: str, date: int) -> m.Fact:
        return measure(self.region(a, date), self.region(b, date))

    def _once(self, key: tuple[Any, ...], make: Any) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]
