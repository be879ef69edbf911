"""Trace: what was asked, what was thought, where it looked, what it answered — and whether the numbers agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb.errors import TraceError
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.answers import Choices
from terrascope_nb.reason.events import FINISHES, SEG, Answer, Event, Mask, Progress, Text
from terrascope_nb.reason.grammar import spans, write_output
from terrascope_nb.reason.measure import measure
from terrascope_nb.reason.measure.region import Measured, Region
from terrascope_nb.scene.classes import canonical
from terrascope_nb.scene.domain import Domain
from terrascope_nb.scene.render import View
from terrascope_nb.scene.scene import Image, Scene

if TYPE_CHECKING:
    import geopandas
    import xarray as xr

    from terrascope_nb.reason.verify import Claim

EXPLORER = "terrascope_nb.maps.explorer:Explorer"
"""Where `Trace.explore` leads: up, so by a string, on first use."""


@dataclass(frozen=True, eq=False)
class Frame:
    """What a trace keeps of one image of its scene: enough to show, measure and verify without the scene.

    Attributes
    ----------
    modality, time, sensor, sources, notes, blanked
        As in `Image`.
    grid : Grid
    inside, valid, clear : numpy.ndarray
        (H, W) bool, as in `Domain`.
    view : View
        The picture, with what it shows and how it was stretched.
    """

    modality: str
    grid: Grid
    inside: np.ndarray
    valid: np.ndarray
    clear: np.ndarray
    view: View
    time: np.datetime64 | None = None
    sensor: str = ""
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    blanked: bool = False

    @classmethod
    def of(cls, image: Image, inside: np.ndarray) -> Frame:
        """Keep what a trace needs of `image`; `inside` is its AOI mask."""
        return cls(
            image.modality, image.grid, inside, image.valid, image.clear, image.view, image.time, image.sensor,
            image.sources, image.notes, image.blanked,
        )  # fmt: skip

    @property
    def day(self) -> str:
        """The date as ``YYYY-MM-DD``, or «undated»."""
        return "undated" if self.time is None else str(self.time)[:10]


@dataclass(frozen=True, eq=False)
class Step:
    """One ``[SEG]``: the sentence, its mask, and what the mask measures.

    Attributes
    ----------
    text : str
        The sentence that holds the ``[SEG]`` (a part of it where a sentence has several).
    label : str
        Canonical label; «» where the reasoner did not say.
    mask : xarray.DataArray
        (y, x) bool, georeferenced where the image is.
    probability : xarray.DataArray or None
        (y, x) float32 score in 0…1.
    image : int
        Index into the scene's images (and the trace's frames).
    image_source : str
        How that was decided: "only", "written", "rule", "round-robin".
    time : numpy.datetime64 or None
    modality : str
    measured : Measured
        Share, area, count, place — by the measuring core, of clear pixels inside the AOI.
    sar_share : float
        Share of the region decided by SAR, 0…1.
    sar_image : int or None
        The SAR image used beside `image`.
    note : str
        How the mask was made.
    start, end : int
        Where `text` stands in `Trace.text`.
    """

    text: str
    label: str
    mask: xr.DataArray
    probability: xr.DataArray | None
    image: int
    image_source: str
    time: np.datetime64 | None
    modality: str
    measured: Measured
    sar_share: float = 0.0
    sar_image: int | None = None
    note: str = ""
    start: int = 0
    end: int = 0

    def __repr__(self) -> str:
        share = "nothing clear" if self.measured.share is None else f"{self.measured.share:.1f} %"
        return f"<Step {self.label or '?'} on image {self.image}: {share} {self.text!r}>"


@dataclass(frozen=True, eq=False)
class Trace:
    """The record of one question: steps with masks, the answer, and every claim checked. `ask` returns it.

    Attributes
    ----------
    question : str
    text : str
        The whole reasoning, ``[SEG]`` included.
    steps : tuple of Step
    answer : Answer
        ``text``, ``choice``, ``value`` in ``unit``, ``finish``, ``reason``.
    frames : tuple of Frame
        One for each image of the scene.
    choices : Choices or None
    aoi : AOI or None
    reasoner : str
        Name of the reasoner.
    provenance : Mapping
        Versions, options, sources, notes; JSON-serialisable, without tokens.
    problems : tuple of str
        What is wrong with the run itself, e.g. a ``[SEG]`` that got no mask.
    measured_spans : tuple of (int, int)
        Parts of `text` written by the measuring core, not by the reasoner.
    """

    question: str
    text: str
    steps: tuple[Step, ...]
    answer: Answer
    frames: tuple[Frame, ...]
    choices: Choices | None = None
    aoi: AOI | None = None
    reasoner: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    measured_spans: tuple[tuple[int, int], ...] = ()

    # ---- the only builder -------------------------------------------------------------------------------------
    @classmethod
    def from_events(
        cls,
        events: Iterable[Event],
        scene: Scene,
        question: str,
        choices: Any = None,
        reasoner: str = "",
        provenance: Mapping[str, Any] | None = None,
    ) -> Trace:
        """Build a trace from a reasoner's events; a list that breaks off gives a trace marked ``cancelled``.

        Raises
        ------
        TraceError
            For a mask that no ``[SEG]`` asked for, an image that the scene has not, a mask of another shape than its
            image's grid, or an event after the answer.
        """
        text, answer, masks, measured, problems = "", None, [], [], []
        for event in events:
            if answer is not None:
                raise TraceError(f"an event follows the answer: {event!r}")
            if isinstance(event, Text):
                if event.source == "measured":
                    measured.append((len(text), len(text) + len(event.text)))
                text += event.text
            elif isinstance(event, Mask):
                named = text.count(SEG)
                if named != len(masks) + 1:
                    raise TraceError(f"mask {len(masks) + 1} came after {named} [SEG]: each mask follows its own [SEG]")
                masks.append(event)
            elif isinstance(event, Answer):
                answer = event
            elif not isinstance(event, Progress):
                raise TraceError(f"not an event: {event!r}")
        if answer is None:
            answer = Answer("", finish="cancelled", reason="the run ended before an answer")
        if answer.finish not in FINISHES:
            raise TraceError(f"finish {answer.finish!r} is none of {', '.join(FINISHES)}")
        if text.count(SEG) != len(masks):
            problems.append(f"the text has {text.count(SEG)} [SEG] but {len(masks)} masks came")
        frames = tuple(Frame.of(image, scene.inside(k)) for k, image in enumerate(scene.images))
        pieces = [s for s in spans(text) if s.seg is not None][: len(masks)]
        steps = tuple(
            _step(mask, scene, frames, text[s.start : s.end].strip(), s.start, s.end)
            for mask, s in zip(masks, pieces, strict=True)
        )
        return cls(
            question, text, steps, answer, frames, Choices.of(choices), scene.aoi, reasoner,
            dict(provenance or {}), tuple(problems), tuple(measured),
        )  # fmt: skip

    # ---- views ------------------------------------------------------------------------------------------------
    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """The steps' masks with where they may be measured; what `claims` is checked against.

        On images without a CRS, areas and distances rest on the pixel size that the question states, if it does.
        """
        from terrascope_nb.reason.question import stated_pixel_size

        stated = None if all(f.grid.crs is not None for f in self.frames) else stated_pixel_size(self.question)
        return tuple(region_of(s, self.frames).stated(stated) for s in self.steps)

    def domain(self, image: int, sar_image: int | None = None) -> Domain:
        """Clear pixels inside the AOI of an image, as `Scene.domain` gives it."""
        return frame_domain(self.frames, image, sar_image)

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """Every number, comparison, order and adjacency of text and answer, checked against its own masks.

        «Agrees» says that the text fits its masks, not that the masks fit the ground.
        """
        from terrascope_nb.errors import QuestionNotUnderstood
        from terrascope_nb.reason.question import understand
        from terrascope_nb.reason.verify import verify

        try:
            plan = understand(self.question, self.choices)
        except QuestionNotUnderstood:
            plan = None  # a free question: the answer is checked for what it says by itself
        said = self.answer.text if self.answer.finish in ("stop", "limit") else ""
        return verify(self.text, self.regions, answer=said, plan=plan)

    def passages(self) -> list[tuple[str, int | None]]:
        """The text in order as (piece, index of its step or None); the pieces joined are `text`."""
        out, at = [], 0
        for k, s in enumerate(self.steps):
            if s.start > at:
                out.append((self.text[at : s.start], None))
            out.append((self.text[s.start : s.end], k))
            at = s.end
        if at < len(self.text):
            out.append((self.text[at:], None))
        return out

    def output(self) -> str:
        """Reasoning and answer in the published form ``<think> … </think><answer> … </answer>``."""
        return write_output(self.text, self.answer.text)

    # ---- out --------------------------------------------------------------------------------------------------
    def to_html(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write the report as one self-contained HTML file; returns its path."""
        from terrascope_nb.reason.export import write_text
        from terrascope_nb.reason.show import page

        return write_text(path, page(self), overwrite)

    def to_geotiff(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write the masks as a Cloud Optimized GeoTIFF, one band a step (1 in, 0 out, 255 not measured)."""
        from terrascope_nb.reason.export import to_geotiff

        return to_geotiff(self, path, overwrite)

    def to_geojson(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write the masks' outlines as GeoJSON (longitude, latitude), one feature a step."""
        from terrascope_nb.reason.export import to_geojson

        return to_geojson(self, path, overwrite)

    def to_stac(self, folder: str | Path, overwrite: bool = False) -> Path:
        """Write a STAC item with the masks, outlines, report and record as assets; returns the item's path."""
        from terrascope_nb.reason.export.item import to_stac

        return to_stac(self, folder, overwrite)

    def to_xarray(self) -> xr.Dataset:
        """Masks and scores as one Dataset (step, y, x) with CRS, labels and dates as coordinates."""
        from terrascope_nb.reason.export import to_xarray

        return to_xarray(self)

    def to_geodataframe(self) -> geopandas.GeoDataFrame:
        """One row a step: outline in the grid's CRS, label, sentence, share, area, agreement."""
        from terrascope_nb.reason.export import to_geodataframe

        return to_geodataframe(self)

    def save(self, folder: str | Path, scene: Scene | bool = False, overwrite: bool = False) -> Path:
        """Write the whole trace into a folder that `Trace.load` reads back; `scene` may be given to keep its bands."""
        from terrascope_nb.reason.export.store import save

        return save(self, folder, scene, overwrite)

    @classmethod
    def load(cls, folder: str | Path) -> Trace:
        """Read a trace that `save` wrote."""
        from terrascope_nb.reason.export.store import load

        return load(folder)

    def plot(self, **options: Any) -> Any:
        """A matplotlib figure: the picture with each step's mask, sentence and verdicts."""
        from terrascope_nb.reason.show import plot

        return plot(self, **options)

    def explore(self, scene: Scene | None = None, **options: Any) -> Any:
        """Step through the trace on a map: an `Explorer` (needs the extra ``maps``)."""
        from importlib import import_module

        module, _, name = EXPLORER.partition(":")
        return getattr(import_module(module), name)(scene=scene, trace=self, **options)

    def replace(self, **changes: Any) -> Trace:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def __repr__(self) -> str:
        lines = [f"<Trace by {self.reasoner or '?'}: {self.question!r}"]
        lines += [f"  {k + 1}. {s.text}" for k, s in enumerate(self.steps)]
        end = (
            self.answer.text
            if self.answer.finish == "stop"
            else f"{self.answer.text} ({self.answer.finish}: {self.answer.reason})"
        )
        return "\n".join([*lines, f"  → {end}>"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from terrascope_nb.reason.show import mimebundle

        return mimebundle(self)


def frame_domain(frames: Sequence[Frame], image: int, sar_image: int | None = None) -> Domain:
    """Clear pixels inside the AOI of a frame; with `sar_image`, pixels that the radar sees count as clear too."""
    f = frames[image]
    valid, clear = f.valid, f.clear
    if sar_image is not None and sar_image != image:
        valid, clear = valid | frames[sar_image].valid, clear | frames[sar_image].clear
    return Domain(f.grid, f.inside, valid, clear)


def region_of(step: Step, frames: Sequence[Frame]) -> Region:
    """The step's mask with where it may be measured: clear, inside the AOI, and judged (its score is not NaN)."""
    score = None if step.probability is None else step.probability.values
    domain = frame_domain(frames, step.image, step.sar_image).of_label(step.label).judged(score)
    return Region(step.label, step.mask.values, domain, step.image, step.time)


def _step(event: Mask, scene: Scene, frames: tuple[Frame, ...], text: str, start: int, end: int) -> Step:
    if not 0 <= event.image < len(scene.images):
        raise TraceError(
            f"a mask names image {event.image}; the scene has {len(scene.images)} (0 … {len(scene.images) - 1})"
        )
    image = scene.images[event.image]
    mask = np.asarray(event.mask)
    if mask.shape != image.grid.shape:
        raise TraceError(
            f"a mask of shape {mask.shape} on image {event.image}, whose grid is {image.grid.shape}: "
            "resample it onto scene.images[…].grid, or name the image it was drawn on"
        )
    if mask.dtype != bool:
        raise TraceError(f"a mask must be bool, got {mask.dtype}: say what counts as in, e.g. probability > 0.5")
    label = canonical(event.label) if event.label else ""
    probability = None
    if event.probability is not None:
        score = np.asarray(event.probability, np.float32)
        if score.shape != image.grid.shape:
            raise TraceError(
                f"a probability of shape {score.shape} on image {event.image}, whose grid is {image.grid.shape}"
            )
        probability = georeferenced(score, image.grid)
    return measured_step(frames, dict(
        text=text, label=label, mask=georeferenced(mask, image.grid), probability=probability, image=event.image,
        image_source=event.image_source, time=image.time, modality=image.modality, sar_share=float(event.sar_share),
        sar_image=event.sar_image, note=event.note, start=start, end=end,
    ))  # fmt: skip


def measured_step(frames: Sequence[Frame], fields: dict[str, Any]) -> Step:
    """A step of its fields, with `measured` filled in by the measuring core."""
    step = Step(**fields, measured=None)  # type: ignore[arg-type]  # replaced in the next line
    return replace(step, measured=measure(region_of(step, frames)))


def georeferenced(array: np.ndarray, grid: Grid, name: str | None = None) -> xr.DataArray:
    """A (y, x) DataArray of an array on a grid: pixel-centre coordinates, CRS and transform as rioxarray keeps them."""
    import xarray as xr

    coords = grid.coords() if grid.is_north_up else {}
    out = xr.DataArray(array, dims=("y", "x"), coords=coords, name=name)
    if grid.crs is not None:
        import rioxarray  # noqa: F401  (registers .rio)

        out = out.rio.write_crs(grid.crs).rio.write_transform(grid.transform)
    return out
