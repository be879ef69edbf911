"""Record: one training sample of Terra-CoT, with everything that is needed to check it.

`published` writes and reads the published JSON form, `parquet` the table form; both give the same `Record` back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine

from terrascope_nb._suggest import unknown
from terrascope_nb.cot import rle
from terrascope_nb.errors import InvalidInput
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.events import SEG
from terrascope_nb.reason.grammar import read_output
from terrascope_nb.reason.measure import Region
from terrascope_nb.scene.domain import Domain

if TYPE_CHECKING:
    from terrascope_nb.scene.labelled import Labelled

SCHEMA = 1
"""Version of the record's schema. A reader refuses a newer one."""

KINDS = ("caption", "l1", "l2-spatial", "l2-semantic")
"""Kinds of records; «» in files that do not say."""

SENSORS = ("optical", "sar")
SPLITS = ("train", "test")


@dataclass(frozen=True)
class MaskRef:
    """The mask of one ``[SEG]``.

    Attributes
    ----------
    label : str
        Canonical label, «water»; «» where a file does not say.
    image : int
        Index into `Record.images`.
    size : (int, int)
        Rows and columns.
    counts : str
        COCO's compressed run-length encoding (`rle.encode`).
    time : str or None
        ISO date of the image the mask is drawn on.
    """

    label: str
    image: int
    size: tuple[int, int]
    counts: str
    time: str | None = None

    @classmethod
    def of(cls, mask: np.ndarray, label: str, image: int = 0, time: str | None = None) -> MaskRef:
        """Encode an (H, W) bool mask."""
        return cls(label, image, (int(mask.shape[0]), int(mask.shape[1])), rle.encode(mask), time)

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool, decoded each time."""
        return rle.decode(self.counts, self.size)

    @property
    def pixels(self) -> int:
        """Number of pixels inside, without decoding."""
        return rle.area(self.counts)


@dataclass(frozen=True)
class ImageRef:
    """A picture that a record speaks of.

    Attributes
    ----------
    path : str
        Of the picture file, relative to the data set's folder.
    sensor : "optical", "sar" or ""
        «» where a file does not say.
    time : str or None
        ISO date.
    shape : (int, int) or None
        Rows and columns; None where a file does not say and no mask tells.
    domain : str
        Which pixels figures are of (clear, inside the area, mapped): COCO's compressed run-length encoding;
        «» for all of them.
    """

    path: str
    sensor: str = "optical"
    time: str | None = None
    shape: tuple[int, int] | None = None
    domain: str = ""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One sample: pictures, a question, the text that answers it, and the mask of each ``[SEG]`` in that text.

    Attributes
    ----------
    id : str
        Unique within a data set.
    kind : str
        One of `KINDS`.
    task : str
        Key of the task, «coverage_percentage»; «» where a file does not say.
    images : tuple of ImageRef
        Optical first, each in order of time.
    question : str
        Without its options.
    answer_text : str
        All that is to be learned: ``<think> … [SEG] … </think><answer> … </answer>``.
    masks : tuple of MaskRef
        The k-th belongs to the k-th ``[SEG]`` of `answer_text` (and of `more`, read on).
    choices : dict or None
        Letter → text of the options.
    answer : str
        The letter that is right; «» without options.
    labels : tuple of str
        Canonical labels the question is about.
    resolution : float or None
        Metres a pixel.
    sensors : tuple of str
        Kinds of sensors among the images.
    source, place, key, licence, citation : str
        As in `Labelled`.
    split : "train", "test" or ""
    seed : int
        Of the generator that composed the records of this image.
    more : tuple of (str, str)
        Further (human, gpt) turns after the first, where a file has them.
    human : str
        The first human turn as a file had it, where that is not just question and options; else «».
    crs : str
        Of the images' grid, «EPSG:32633»; «» when there is none, or it is not known.
    transform : tuple of float
        (a, b, c, d, e, f) of that grid; () as above.
    extra : dict
        Fields of a read file that this schema does not know, as they stood.
    schema : int
    """

    id: str
    kind: str
    task: str
    images: tuple[ImageRef, ...]
    question: str
    answer_text: str
    masks: tuple[MaskRef, ...] = ()
    choices: Mapping[str, str] | None = None
    answer: str = ""
    labels: tuple[str, ...] = ()
    resolution: float | None = None
    sensors: tuple[str, ...] = ()
    source: str = ""
    place: str = ""
    key: str = ""
    licence: str = ""
    citation: str = ""
    split: str = ""
    seed: int = 0
    more: tuple[tuple[str, str], ...] = ()
    human: str = ""
    crs: str = ""
    transform: tuple[float, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if self.kind and self.kind not in KINDS:
            raise InvalidInput(f"record {self.id!r}: {unknown('kind', self.kind, KINDS)}")
        if self.split and self.split not in SPLITS:
            raise InvalidInput(f"record {self.id!r}: {unknown('split', self.split, SPLITS)}")
        if self.schema > SCHEMA:
            raise InvalidInput(
                f"record {self.id!r} has schema {self.schema}, this version of terrascope_nb knows up to {SCHEMA}: "
                "pip install --upgrade terrascope-nb"
            )

    # ---- text -------------------------------------------------------------------------------------------------------
    @property
    def asked(self) -> str:
        """The first human turn: the question, and its options one a line («A. 12 %»)."""
        options = [f"{letter}. {text}" for letter, text in (self.choices or {}).items()]
        return self.human or "\n".join([self.question, *options])

    @property
    def text(self) -> str:
        """Every gpt turn, one after the other; the k-th ``[SEG]`` in it names ``masks[k]``."""
        return "\n".join([self.answer_text, *(said for _, said in self.more)])

    @property
    def segs(self) -> int:
        """Number of ``[SEG]`` in `text`."""
        return self.text.count(SEG)

    @property
    def reasoning(self) -> str:
        """What stands in ``<think>`` (all of it where there is no tag)."""
        return read_output(self.answer_text)[0]

    @property
    def said(self) -> str:
        """What stands in ``<answer>``, «» when nothing does."""
        return read_output(self.answer_text)[1] or ""

    # ---- masks ------------------------------------------------------------------------------------------------------
    @property
    def grid(self) -> Grid | None:
        """The grid of the images, where the record says it: its CRS and transform, or pixels only. None: no shape."""
        shape = next((i.shape for i in self.images if i.shape), self.masks[0].size if self.masks else None)
        if shape is None:
            return None
        known = len(self.transform) == 6
        grid = Grid(Affine(*self.transform) if known else Affine.identity(), shape, self.crs or None if known else None)
        return grid.stated(self.resolution)  # counts only where there is no CRS

    def domain(self, image: int) -> Domain | None:
        """Where figures of an image were taken from; None where the shape is not known."""
        grid = self.grid
        return None if grid is None else self._domain(image, grid)

    def _domain(self, image: int, grid: Grid) -> Domain:
        counts = self.images[image].domain if image < len(self.images) else ""
        if not counts:
            return Domain.whole(grid)
        pixels = rle.decode(counts, grid.shape)
        return Domain(grid, np.ones(grid.shape, bool), pixels, pixels)

    def regions(
        self, domain: Domain | Sequence[Domain] | None = None, kept: dict[Any, Any] | None = None
    ) -> tuple[Region, ...]:
        """The masks as regions that can be measured.

        Parameters
        ----------
        domain : Domain, or one an image
            Where they may be measured; by default what the record itself says, whole images where it says nothing.
        kept : dict, optional
            Keeps what was decoded for the next record of the same images; begin with an empty one.

        Raises
        ------
        InvalidInput
            For a mask that names an image the record has not, or whose counts are corrupt.
        GridMismatch
            For a mask of another size than the grid.
        """
        kept = {} if kept is None else kept
        out = []
        for k, m in enumerate(self.masks):
            if not 0 <= m.image < len(self.images):
                raise InvalidInput(f"record {self.id!r}: mask {k} names image {m.image} of {len(self.images)}")
            here = self._domain_for(m.image, domain, kept)
            rle.same_size(m.size, here.grid.shape, f"record {self.id!r}: mask {k} ({m.label}) against its image")
            moment = m.time or self.images[m.image].time
            key = ("region", m.label, m.counts, m.image, moment, id(here))
            if key not in kept:
                kept[key] = Region(m.label, m.mask, here, m.image, None if not moment else np.datetime64(moment, "s"))
            out.append(kept[key])
        return tuple(out)

    def _domain_for(self, image: int, given: Domain | Sequence[Domain] | None, kept: dict[Any, Any]) -> Domain:
        if given is not None:
            return given if isinstance(given, Domain) else given[image]
        grid = self.grid
        if grid is None:
            raise InvalidInput(f"record {self.id!r} does not say how large image {image} is")
        grid = kept.setdefault(("grid", self.crs, self.transform, grid.shape), grid)
        key = ("domain", self.images[image].domain, id(grid))
        if key not in kept:
            kept[key] = self._domain(image, grid)
        return kept[key]

    def __repr__(self) -> str:
        return f"<Record {self.id!r} {self.kind or '?'} {self.task}: {self.question!r}, {len(self.masks)} masks>"


def ground_of(labelled: Labelled) -> tuple[str, tuple[float, ...]]:
    """(crs, transform) of a labelled scene as a `Record` holds them: an EPSG code where there is one, else WKT."""
    grid = labelled.scene.grid
    if grid.crs is None:
        return "", ()
    code = grid.crs.to_epsg()
    return f"EPSG:{code}" if code else grid.crs.to_wkt(), tuple(float(v) for v in tuple(grid.transform)[:6])


_NAMED_IMAGE = re.compile(r"\bImage:?\s*(?:t_?\{?)?(\d{1,3})\}?", re.IGNORECASE)


def written_image(text: str, images: int) -> list[int]:
    """The image of each ``[SEG]`` in a text of a file that does not say.

    The last «Image: t_2» (counted from 1; a «t_0» anywhere: from 0) between the ``[SEG]`` before and this one; without
    any, the k-th goes round the images in turn, as the published code reads it.

    Examples
    --------
    >>> written_image("Image: t_1 water [SEG]. Image: t_2 water [SEG].", 2), written_image("[SEG] [SEG] [SEG]", 2)
    ([0, 1], [0, 1, 0])
    """
    first = 0 if any(int(m[1]) == 0 for m in _NAMED_IMAGE.finditer(text)) else 1
    out = []
    for k, piece in enumerate(text.split(SEG)[:-1]):
        named = [int(m[1]) - first for m in _NAMED_IMAGE.finditer(piece)]
        good = [n for n in named if 0 <= n < images]
        out.append(good[-1] if good else k % max(images, 1))
    return out
