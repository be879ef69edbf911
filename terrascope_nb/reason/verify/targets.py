"""Which masks a name in a text means: by its own ``[SEG]``, by label and place, by date, as the union of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from terrascope_nb.errors import NotFound
from terrascope_nb.reason import measure as m
from terrascope_nb.reason.measure.region import Region
from terrascope_nb.reason.verify.claims import Reading
from terrascope_nb.reason.verify.sayings import Statement
from terrascope_nb.reason.verify.skeleton import Ref, When
from terrascope_nb.scene.classes import land_class


class Unclear(Exception):
    """No mask can be tied to a name; carries the reason."""


@dataclass(frozen=True, eq=False)
class Target:
    """A region as a statement means it: one step's mask, or the union of several; `steps` are their indices."""

    region: Region
    steps: tuple[int, ...]
    dated: bool = False

    @property
    def name(self) -> str:
        """Label, with the date where the text's masks have several."""
        day = f" on {day_of(self)}" if self.dated else ""
        return f"{self.region.label or 'the region'}{day}"


class Finder:
    """Finds the masks that the names of one text mean.

    Parameters
    ----------
    regions : sequence of Region
        ``regions[k]`` is the mask of the k-th ``[SEG]``.
    reading : Reading
    """

    def __init__(self, regions: Sequence[Region], reading: Reading) -> None:
        self.given = tuple(regions)
        self.reading = reading
        self.named = {r.seg: r for r in reading.segs if r.seg is not None}
        self.labels = [r.label or (self.named[k].label if k in self.named else "") for k, r in enumerate(self.given)]
        self.at = [self.named[k].start if k in self.named else -1 for k in range(len(self.given))]
        self._targets: dict[tuple[int, ...], Target] = {}

    # ---- which masks
    # ----------------------------------------------------------------------------------------------------
    @cached_property
    def _moments(self) -> list[tuple[str, int]]:
        return sorted({self._moment(k) for k in range(len(self.given))})

    def _moment(self, k: int) -> tuple[str, int]:
        r = self.given[k]
        return ("" if r.time is None else str(r.time), r.image)

    def target(self, steps: Sequence[int]) -> Target:
        """The region of some steps: their union."""
        key = tuple(dict.fromkeys(steps))
        if key not in self._targets:
            first = self.given[key[0]]
            label = " and ".join(dict.fromkeys(self.labels[k] for k in key))
            if len(key) == 1:
                region = (
                    first if first.label == label else Region(label, first.mask, first.domain, first.image, first.time)
                )
            else:
                m.same_grid(*(self.given[k] for k in key))
                mask = np.logical_or.reduce([self.given[k].mask for k in key])
                domain = first.domain
                for k in key[1:]:
                    other = self.given[k].domain
                    domain = domain if other is domain else domain.both(other)
                region = Region(label, mask, domain, first.image, first.time)
            self._targets[key] = Target(region, key, len(self._moments) > 1)
        return self._targets[key]

    def find(self, ref: Ref) -> Target:
        """The region that a name means.

        Raises
        ------
        Unclear
            When no mask has that name, or none on that date.
        """
        if ref.seg is not None:
            if ref.seg >= len(self.given):
                raise Unclear(f"[SEG] number {ref.seg + 1} has no mask: there are {len(self.given)}")
            return self.target([ref.seg])
        here = [k for k, label in enumerate(self.labels) if label == ref.label]
        if here:
            return self.target([self._nearest(self._on(here, ref), ref)])
        steps = self._parts_of(ref.label, ref)
        if steps:
            union = self.target(steps)
            return replace(
                union,
                region=Region(ref.label, union.region.mask, union.region.domain, union.region.image, union.region.time),
            )
        raise Unclear(f"no mask is named {ref.label or 'so'}")

    def _parts_of(self, label: str, ref: Ref) -> list[int]:
        """Steps whose union a class is: those of its parts, when each part has a mask or is such a union; else none."""
        out: list[int] = []
        for part in _parts(label):
            here = [k for k, name in enumerate(self.labels) if name == part]
            found = [self._nearest(self._on(here, ref), ref)] if here else self._parts_of(part, ref)
            if not found:
                return []
            out += found
        return out

    def _on(self, steps: list[int], ref: Ref) -> list[int]:
        """Those of the date that is said."""
        when = ref.when
        if when is None:
            return steps
        kept = [k for k in steps if self._is_on(k, when)]
        if kept:
            return kept
        if when[0] == "date" and len(self._moments) == 1 and all(self.given[k].time is None for k in steps):
            return steps
        if when[0] in ("first", "last") and len(self._moments) == 1:
            return steps
        raise Unclear(f"no mask of {ref.label} is dated {_say_when(when)}")

    def _is_on(self, k: int, when: When) -> bool:
        r, moments = self.given[k], self._moments
        if when[0] == "date":
            if r.time is None:
                return False
            y, mo, d = (int(x) for x in str(np.datetime64(r.time, "D")).split("-"))
            return all(said is None or said == got for said, got in zip(when[1:], (y, mo, d), strict=True))
        if when[0] == "image":
            images = sorted({g.image for g in self.given})
            n = int(when[1]) - (0 if self._from_zero else 1)
            return 0 <= n < len(images) and images[n] == r.image
        dates = sorted({a[0] for a in moments})
        if len(dates) > 1:
            return self._moment(k)[0] == (dates[0] if when[0] == "first" else dates[-1])
        return self._moment(k) == (moments[0] if when[0] == "first" else moments[-1])

    @cached_property
    def _from_zero(self) -> bool:
        return any(r.when == ("image", 0) for r in self.reading.refs) or any(
            x.when == ("image", 0) for s in self.reading.statements for x in s.refs
        )

    def _nearest(self, steps: list[int], ref: Ref) -> int:
        before = [k for k in steps if 0 <= self.at[k] <= ref.end]
        if before:
            return max(before, key=lambda k: self.at[k])
        after = [k for k in steps if self.at[k] > ref.end]
        return min(after, key=lambda k: self.at[k]) if after else steps[-1]

    def misnamed(self) -> list[Statement]:
        """A statement for each ``[SEG]`` that the text calls by another name than its mask's."""
        out = []
        for k, ref in sorted(self.named.items()):
            if (
                k < len(self.given)
                and ref.label
                and self.given[k].label
                and not same_name(ref.label, self.given[k].label)
            ):
                out.append(Statement("name", ref.start, ref.end, (ref,), said=ref.label))
        return out

    def misdated(self) -> list[Statement]:
        """A statement for each ``[SEG]`` that its sentence puts on another date than its mask's."""
        return [
            Statement("date", ref.start, ref.end, (ref,), said=_say_when(whens[0]))
            for ref, whens in self.reading.dated
            if ref.seg is not None
            and ref.seg < len(self.given)
            and self.given[ref.seg].time is not None
            and not any(self._is_on(ref.seg, when) for when in whens)
        ]


def day_of(t: Target) -> str:
    """The date of a target, or its image's number."""
    return f"image {t.region.image + 1}" if t.region.time is None else str(t.region.time)[:10]


def _say_when(when: When) -> str:
    if when[0] == "date":
        return "-".join("??" if x is None else f"{x:02d}" for x in when[1:]).removesuffix("-??").removesuffix("-??")
    return f"image {when[1]}" if when[0] == "image" else f"the {when[0]} date"


def _parts(label: str) -> tuple[str, ...]:
    try:
        return land_class(label).parts
    except NotFound:
        return ()


def holds(label: str, others: Sequence[str]) -> bool:
    """Whether a label is the union of others of which one is there."""
    return bool(set(_parts(label)) & set(others))


def same_name(said: str, label: str) -> bool:
    """Whether two labels are one, or one is a part of the other."""
    return said == label or label in _parts(said) or said in _parts(label)
