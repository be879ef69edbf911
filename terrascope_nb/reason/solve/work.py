"""Work: one run of a plan over a scene, what its sentences share: dates, masks, the words around a figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from terrascope_nb.errors import InvalidInput, NoCRS
from terrascope_nb.reason import measure as m
from terrascope_nb.reason.events import SEG, Event, Mask, Progress, Text
from terrascope_nb.reason.question import Plan
from terrascope_nb.reason.solve.finding import Finding, MaskSource, finding_domain, seen_image
from terrascope_nb.reason.solve.phrases import absent, be, capital, listed, named, thing, verb
from terrascope_nb.reason.units import pretty, to_base
from terrascope_nb.scene.classes import SKY
from terrascope_nb.scene.domain import Domain
from terrascope_nb.scene.scene import Moment, Scene

WHOLE = 0.995
"""From this share on a place counts as seen as a whole, and no sentence speaks of the rest."""
_PLACES = {"first": 0, "second": 1, "third": 2, "last": -1}


class Abstain(Exception):
    """Ends a plan: the data do not allow the answer. Carries the reason, and the label it concerns."""

    def __init__(self, reason: str, label: str = "") -> None:
        super().__init__(reason)
        self.reason, self.label = reason, label


class Work:
    """The state of one run: plan, scene, source, and the dates the plan speaks of.

    Attributes
    ----------
    plan : Plan
    scene : Scene
    source : MaskSource
    moments : tuple of Moment
    several : bool
        Whether the scene has more than one date, so that sentences name theirs.
    """

    def __init__(self, plan: Plan, scene: Scene, source: MaskSource) -> None:
        self.plan, self.scene, self.source = plan, scene, source
        self.moments = scene.moments()
        self.several = len(self.moments) > 1
        self._found: dict[tuple[Moment, str], tuple[Finding, m.Region | None]] = {}

    # ---- dates ----------------------------------------------------------------------------------------------------
    def moment(self, when: str | None = None, latest: bool = True) -> Moment:
        """The moment of an ISO prefix or of «first» … «last»; by default the plan's, else the last.

        Of several that fit a prefix, the latest (or the earliest).
        """
        when = when or (self.plan.when if isinstance(self.plan.when, str) else None) or "last"
        place = _PLACES.get(when)
        if place is not None:
            if place >= len(self.moments):
                count = "only one" if len(self.moments) == 1 else f"{len(self.moments)} dates"
                raise Abstain(f"the question names the {when} date, and the scene has {count}")
            return self.moments[place]
        fits = [x for x in self.moments if str(self.scene.images[x.image].time).startswith(when)]
        if not fits:
            raise Abstain(
                f"no image is of {'the year ' if len(when) == 4 else ''}{when}; the scene has "
                f"{', '.join(map(self.day, self.moments))}"
            )
        return fits[-1 if latest else 0]

    def pair(self) -> tuple[Moment, Moment]:
        """The two moments of a change, the earlier first.

        Raises
        ------
        Abstain
            When the scene has not two dates, or the question names one date twice.
        InvalidInput
            When the question names the later date first.
        """
        if not self.several:
            raise Abstain("change needs two dates, and the scene has one")
        when = self.plan.when if isinstance(self.plan.when, tuple) else ("first", "last")
        first, last = self.moment(when[0], latest=False), self.moment(when[1])
        one, other = self.moments.index(first), self.moments.index(last)
        if one == other:
            raise Abstain(f"the question compares two dates, and the scene has only {self.day(first)} for both")
        if one > other:
            raise InvalidInput(
                f"the question asks for change from {self.day(first)} to {self.day(last)}, which is earlier: "
                "name the earlier date first"
            )
        return first, last

    def day(self, moment: Moment) -> str:
        """The date of a moment as ``YYYY-MM-DD``."""
        return self.scene.images[moment.image].day

    def opening(self, moment: Moment) -> str:
        """«On 2023-06-01 » where the scene has several dates."""
        return f"On {self.day(moment)} " if self.several else ""

    # ---- masks ----------------------------------------------------------------------------------------------------
    def find(self, label: str, moment: Moment) -> tuple[Finding, m.Region | None]:
        """The finding of a label on a date, and its region where there is a mask. Asked of the source once."""
        key = moment, label
        if key not in self._found:
            found, region = self.source.find(self.scene, moment, label), None
            if not found.abstained:
                image = seen_image(self.scene, moment) if found.image is None else found.image
                domain = finding_domain(self.scene, image, found, label)
                region = m.Region(label, found.mask, domain, image, self.scene.images[image].time)
                region = region.stated(self.plan.resolution)
            self._found[key] = found, region
        return self._found[key]

    def there(self, label: str, moment: Moment) -> bool:
        """Whether a class has a part that counts on this date."""
        region = self.find(label, moment)[1]
        return region is not None and bool(m.exists(region).value)

    def together(self, *asked: tuple[str, Moment]) -> None:
        """Narrow (label, moment) pairs to the pixels on which all of them could be measured, so that sizes compare.

        Raises
        ------
        Abstain
            When no such pixel is left.
        GridMismatch
            When two lie on two grids.
        """
        there = {(moment, label): self.find(label, moment) for label, moment in asked}
        regions = [region for _, region in there.values() if region is not None]
        if len(regions) < 2:
            return
        m.same_grid(*regions)
        pixels = [r.domain.pixels for r in regions]
        if all(np.array_equal(pixels[0], other) for other in pixels[1:]):
            return
        common = np.logical_and.reduce(pixels)
        if not common.any():
            names = listed(list(dict.fromkeys(named(r.label) for r in regions)))
            raise Abstain(f"no pixel could be measured for all that is compared ({names})")
        for key, (found, region) in there.items():
            if region is not None:
                score = np.where(common, found.mask if found.score is None else found.score, np.float32("nan"))
                note = f"{found.note} Measured where all that is compared could be measured.".strip()
                narrow = replace(region, domain=region.domain.judged(score))
                self._found[key] = replace(found, score=score.astype(np.float32), note=note), narrow

    def region(self, label: str, moment: Moment, lead: str | None = None, words: str = "") -> Iterator[Event]:
        """Yield ``lead words [SEG]`` and the mask; the generator's value is the Region.

        Parameters
        ----------
        lead : str, optional
            Before the name; by default `opening`.
        words : str
            In place of the name of the class.

        Raises
        ------
        Abstain
            Before anything is yielded, when there is no mask or no pixel to measure it on.
        """
        yield Progress(0, 0, f"looking for {named(label)}{f' on {self.day(moment)}' if self.several else ''}")
        found, region = self.find(label, moment)
        if region is None:
            raise Abstain(found.abstained, label)
        if region.domain.count == 0:
            raise Abstain(self._nothing(region.domain, moment), label)
        lead = self.opening(moment) if lead is None else lead
        name = words or (thing(label) if lead else capital(label))
        yield Text(f"{lead}{name} {SEG}")
        yield Mask(
            found.mask, found.score, label, region.image, "only" if len(self.scene.images) == 1 else "rule",
            found.sar_share, found.sar_image, found.note,
        )  # fmt: skip
        return region

    def _nothing(self, domain: Domain, moment: Moment) -> str:
        where = f"the {place_word(domain)}" + (f" on {self.day(moment)}" if self.several else "")
        why = "has no data" if domain.nodata_share >= WHOLE else "is under cloud"
        if domain.nodata_share < WHOLE:
            why += ", without data or cannot be judged" if domain.nodata_share else " or cannot be judged"
        return f"nothing of {where} could be measured: all of it {why}"

    # ---- sentences ------------------------------------------------------------------------------------------------
    def covers(self, label: str, moment: Moment) -> Iterator[Event]:
        """The sentence «Water [SEG] covers …»; the generator's value is the Region."""
        region = yield from self.region(label, moment)
        yield Text(f" {verb(label, 'covers')} {self.figures(region)}.", "measured")
        return region

    def figures(self, region: m.Region) -> str:
        """«17.1 % of the clear pixels, 24.6 ha»: share, how much could be seen, area (in the unit asked for)."""
        domain = region.domain
        what = "pixels with data" if region.label in SKY else "clear pixels"
        inside = " inside the area" if domain.aoi_share < 1 else ""
        seen = (
            f" ({_percent(domain.clear_share)} of the {place_word(domain)} could be measured)"
            if domain.clear_share < WHOLE
            else ""
        )
        text = f"{pretty(m.share(region).value, '%')} of the {what}{inside}{seen}"
        if self.plan.task == "area" and self.plan.unit == "px":
            return f"{text}, {region.count} pixels"
        if not domain.grid.has_metres:
            return text
        unit = self.plan.unit if self.plan.unit and to_base(1, self.plan.unit)[1] == "m²" else None
        return f"{text}, {pretty(m.area(region).value, 'm²', unit)}"

    def need_part(self, region: m.Region) -> None:
        """A place or a distance needs a part large enough to count: a stray pixel is none."""
        found = m.exists(region)
        if not found.value:
            small = ", only specks too small to count" if region.count else ""
            raise Abstain(f"there {be(region.label)} no {absent(region.label)}{small}")

    def need_metres(self, what: str, instead: str) -> None:
        """Refuse metres without a CRS and without a stated pixel size, before anything is looked for.

        Raises
        ------
        NoCRS
        """
        image = self.scene.images[self.moment().image]
        if not image.grid.stated(self.plan.resolution).has_metres:
            raise NoCRS(
                f"the question asks for {what}, and {image.grid!r} has no CRS, so its pixels have no size: "
                "build the scene with crs= and transform=, state the pixel size in the question («… at 10 m "
                f"resolution»), or ask for {instead}"
            )

    def preface(self) -> Iterator[Event]:
        """A sentence on a pixel size that the question states and the image does not have."""
        grid, stated = self.scene.images[self.moments[-1].image].grid, self.plan.resolution
        if stated is None:
            return
        if grid.crs is None:
            yield Text(f"The image has no CRS; the pixel size of {stated:g} m is taken from the question. ")
            return
        size = float(grid.pixel_area().mean()) ** 0.5
        if abs(size - stated) > 0.01 * stated:
            yield Text(
                f"The question states a pixel size of {stated:g} m, but the image has a pixel size of "
                f"{_metres(size)} m, which counts here. "
            )


def place_word(domain: Domain) -> str:
    """«scene», or «area» where an AOI leaves out a part of it."""
    return "area" if domain.aoi_share < 1 else "scene"


def _percent(share: float) -> str:
    return pretty(100 * share, "%")


def _metres(size: float) -> str:
    return f"{size:.3g}"


def answered_unit(text: str, base: str) -> str:
    """The unit at the end of a figure that `pretty` wrote."""
    tail = text.split()[-1] if " " in text else ""
    return tail if any(c.isalpha() or c == "%" for c in tail) else base
