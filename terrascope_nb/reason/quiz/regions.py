"""The regions that questions are made of: a label map's classes on the pixels that may be measured."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.measure import Region
from terrascope_nb.reason.reference import UNMAPPED, ReferenceReasoner
from terrascope_nb.reason.solve.finding import seen_image
from terrascope_nb.scene.classes import SKY, canonical, labels, leaves
from terrascope_nb.scene.domain import Domain
from terrascope_nb.scene.labelled import Labelled

VOCABULARY = frozenset(labels()) - frozenset(SKY)
"""Labels that can be asked about: a question must be understood, and what hides the ground is no class of it."""

STRETCH = 0.01
"""Share by which a pixel's nominal area may leave its true one for the benchmark's pixels × resolution² to be asked."""

_ORDINALS = ("first", "second", "third")


class Quiz:
    """One labelled scene, measured as far as it was asked: masks, parts and facts are kept for the next question.

    Parameters
    ----------
    labelled : Labelled

    Attributes
    ----------
    labelled : Labelled
    moments : tuple of Moment
        The dates of its scene.
    grid : Grid
        The scene's; without a CRS, with the pixel size that the source states.
    stated : float or None
        Pixel size in metres that questions about areas and distances state: the grid's own where its pixels are square
        in a projection, the source's where there is no CRS; None where it cannot be said in one number.
    stretched : bool
        Whether pixels × resolution² says nothing about the ground: degrees, EPSG:3857 and the like. Areas are then true
        ground areas, no pixel size is stated, and distances are not asked.
    facts : dict
        What was measured, by (name, labels, dates).
    """

    def __init__(self, labelled: Labelled) -> None:
        self.labelled = labelled
        self.moments = labelled.scene.moments()
        bare = labelled.scene.grid
        self.stretched = _is_stretched(bare)
        size = labelled.resolution if bare.crs is None else None if self.stretched else _own_size(bare)
        self.stated = size if size is not None and _sayable(size) else None
        self.grid = bare.stated(self.stated)
        self.facts: dict[tuple[object, ...], object] = {}
        self._regions: dict[tuple[str, int], Region] = {}
        self._domains: dict[int, Domain] = {}

    @classmethod
    def of(cls, given: Labelled | Quiz) -> Quiz:
        """The quiz itself, or a new one of a labelled scene."""
        return given if isinstance(given, Quiz) else cls(given)

    # ---- names --------------------------------------------------------------------------------------------------
    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The legend's classes that can be asked about, sorted by name, whether they occur or not."""
        return tuple(sorted(set(self.labelled.legend.values()) & VOCABULARY))

    @property
    def dates(self) -> int:
        """How many dates the scene has."""
        return len(self.moments)

    def when(self, date: int, phrasing: int = 0) -> str | None:
        """How a question of one date names it: «on 2023-06-15»; "" where there is one date, None where no words do."""
        if self.dates == 1:
            return ""
        name = self.date_name(date, phrasing)
        return None if name is None else f"on {name}" if name[0].isdigit() else f"in {name}"

    def date_name(self, date: int, phrasing: int = 0) -> str | None:
        """«2023-06-15», «the image of 2023-06-15», «the first image»; None where no words name the date alone."""
        days = [self.labelled.scene.images[m.image].day for m in self.moments]
        if days.count(days[date]) == 1 and days[date] != "undated":
            return (days[date], f"the image of {days[date]}")[phrasing % 2]
        if date == self.dates - 1:
            return "the last image"
        return f"the {_ORDINALS[date]} image" if date < len(_ORDINALS) else None

    # ---- masks --------------------------------------------------------------------------------------------------
    def domain(self, date: int) -> Domain:
        """Where a date may be measured: inside the AOI, clear, and mapped."""
        if date not in self._domains:
            scene = self.labelled.scene
            base = scene.domain(seen_image(scene, self.moments[date]))
            mapped = self.labelled.mapped(date)
            clear = base.clear if mapped.all() else base.clear & mapped
            self._domains[date] = Domain(self.grid, base.inside, base.valid, clear)
        return self._domains[date]

    def region(self, label: str, date: int = 0) -> Region:
        """The mask of a class of the legend, or of the union that it is, on a date; empty where it is not there.

        «building» is what the map calls so: its ruins are «destroyed building».

        Raises
        ------
        InvalidInput
            For a class that the legend has not, or a date that the scene has not.
        """
        key = label, date
        if key not in self._regions:
            if not 0 <= date < self.dates:
                raise InvalidInput(f"{self.labelled.key}: date {date} of a scene with {self.dates} (from 0)")
            scene = self.labelled.scene
            image = seen_image(scene, self.moments[date])
            mask = np.isin(self.labelled.map_of(date), self._numbers(label))
            self._regions[key] = Region(label, mask, self.domain(date), image, scene.images[image].time)
        return self._regions[key]

    def regions(self, date: int = 0) -> dict[str, Region]:
        """The classes that can be asked about and have a pixel on a date, by name."""
        return {label: r for label in self.labels if (r := self.region(label, date)).count}

    def touching(self, date: int = 0) -> frozenset[tuple[str, str]]:
        """The pairs of classes, each sorted by name, that lie side by side or corner to corner on a date.

        All pairs at once, by `measure.adjacent`'s rule: pixels that count, dilated by 3 × 3.
        """
        key = "touching", date
        if key not in self.facts:
            there = self.regions(date)
            names, n = list(there), len(there)
            index = np.full(self.grid.shape, n, np.int64)
            for k, r in enumerate(there.values()):
                index[r.pixels] = k
            met = np.zeros((n + 1) ** 2, bool)
            for one, other in _neighbours(index):
                met |= np.bincount((one * (n + 1) + other).ravel(), minlength=met.size) > 0
            pairs = np.argwhere(met.reshape(n + 1, n + 1)[:n, :n])
            self.facts[key] = frozenset((names[min(p)], names[max(p)]) for p in pairs.tolist() if p[0] != p[1])
        return self.facts[key]  # type: ignore[return-value]

    def _numbers(self, label: str) -> list[int]:
        legend = self.labelled.legend
        parts = set(leaves(label))
        own = [k for k, v in legend.items() if v == label]
        own = own or [k for k, v in legend.items() if set(leaves(v)) <= parts]
        if not own:
            raise InvalidInput(unknown(f"class of {self.labelled.key}", canonical(label), legend.values()))
        return own


def _neighbours(a: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every pixel beside its right, lower, lower right and lower left neighbour."""
    yield a[:, :-1], a[:, 1:]
    yield a[:-1], a[1:]
    yield a[:-1, :-1], a[1:, 1:]
    yield a[:-1, 1:], a[1:, :-1]


def _own_size(grid: Grid) -> float | None:
    """Metres a side of a projected grid's square pixels, to a centimetre; None for others."""
    unit = grid.crs.axis_info[0].unit_conversion_factor or 1.0
    right, down = (size * unit for size in grid.resolution)
    return round(right, 2) if max(abs(right - down), abs(right - round(right, 2))) < 1e-6 * right else None


def _is_stretched(grid: Grid) -> bool:
    """Whether pixels × resolution² is more than `STRETCH` off the ground area, or no area at all."""
    if grid.crs is None:
        return False
    if grid.crs.is_geographic:
        return True
    unit = grid.crs.axis_info[0].unit_conversion_factor or 1.0
    ratio = grid.pixel_area() / (abs(grid.transform.determinant) * unit**2)
    return bool(np.abs(ratio - 1).max() > STRETCH)


def _sayable(metres: float) -> bool:
    """Whether the words that state a pixel size hold it: at most four digits, a point, two digits."""
    return 0.01 <= metres < 10_000 and metres == round(metres, 2) == float(f"{metres:g}")


def regions_of(labelled: Labelled | Quiz, date: int = 0) -> dict[str, Region]:
    """The classes of a date that can be asked about and have a pixel there: label → region, sorted by label.

    Masks are the label map's; figures are of the pixels where a reasoner opened on the truth measures: inside the AOI,
    clear and mapped.

    Examples
    --------
    >>> from terrascope_nb.scene.synthetic import synthetic_scene
    >>> made = synthetic_scene(np.random.default_rng(1), 64)
    >>> regions = regions_of(Labelled(made.scene, made.maps, made.legend, "made", "nowhere"))
    >>> sum(r.count for r in regions.values())
    4096
    """
    return Quiz.of(labelled).regions(date)


def reference_of(labelled: Labelled) -> ReferenceReasoner:
    """The reasoner `reference`, opened on the label maps; what they do not map is measured in no figure."""
    maps = []
    for k in range(len(labelled.maps)):
        numbers = labelled.map_of(k).astype(np.int32)
        numbers[~labelled.mapped(k)] = UNMAPPED
        maps.append(numbers)
    return ReferenceReasoner(maps, labelled.legend)
