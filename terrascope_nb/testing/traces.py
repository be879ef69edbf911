"""Hypothesis strategies for scenes, events and traces: public, for tests of reasoners, views and exports.

Needs `hypothesis`, which is imported nowhere else in the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.answers import Choices
from terrascope_nb.reason.events import FINISHES, SEG, Answer, Event, Mask, Progress, Text
from terrascope_nb.reason.trace import Trace
from terrascope_nb.scene.classes import labels
from terrascope_nb.scene.images import bands_dataset
from terrascope_nb.scene.scene import Image, Scene
from terrascope_nb.testing.strategies import CODES, grids, masks

HOSTILE: tuple[str, ...] = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload='alert(1)'>",
    "javascript:alert(1)",
    "</style><script>alert(1)</script>",
    "]]>--><!--",
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\windows\\system32",
    "a\x00b",
    "line\nbreak\r\nand\ttab",
    "«quotes» \"double\" 'single' `back`",
    "🛰️ 海 ماء",
    "half \ud800 character",
    "x" * 300,
    "%s %d {0} {name} $HOME $(id)",
    "&amp; &#60;script&#62;",
    "https://host.org/a.tif?sv=1&sig=SECRET%2Bkey&se=2030",
)
"""Texts that must only ever be read: never run, never leave their folder, never break a file."""

plain = st.text(st.characters(codec="utf-8", exclude_characters="[]"), max_size=40)
"""Text of any characters that a file can hold, without «[SEG]»."""

_few = st.lists(plain, max_size=2).map(tuple)


def trace_of(
    scene: Scene,
    parts: Sequence[tuple[str, Mask | None]],
    question: str = "What is here?",
    answer: Answer | None = None,
    choices: Any = None,
    reasoner: str = "test",
    provenance: Any = None,
) -> Trace:
    """A trace of texts, each with the mask of its ``[SEG]`` or None; without `answer`, the run counts as cancelled.

    Examples
    --------
    >>> from terrascope_nb.scene import samples
    >>> lake = samples.load("lake")
    >>> trace = trace_of(lake, [("Water [SEG] is dark.", Mask(lake.images[0].array("nir") < 0.1, label="water"))])
    >>> len(trace.steps), trace.answer.finish
    (1, 'cancelled')
    """
    events: list[Event] = []
    for said, mask in parts:
        if mask is None:
            events.append(Text(said))
            continue
        cut = said.index(SEG) + len(SEG)
        events += [Text(said[:cut]), mask, Text(said[cut:])]
    if answer is not None:
        events.append(answer)
    return Trace.from_events(events, scene, question, choices, reasoner, provenance)


@st.composite
def images(draw: st.DrawFn, grid: Grid, modality: str | None = None) -> Image:
    """Images on a grid: optical in any unit or SAR, with and without date, cloud, gaps, sources."""
    modality = modality or draw(st.sampled_from(("optical", "sar")))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    units = "linear" if modality == "sar" else draw(st.sampled_from(("reflectance", "dn", "rgb8")))
    names = ("red", "green", "blue") if units == "rgb8" else draw(st.sampled_from(
        (("vv", "vh"), ("vv",)) if modality == "sar" else (("blue", "green", "red", "nir"), ("green", "nir"), ("red",))
    ))  # fmt: skip
    top = {"linear": 0.3, "reflectance": 0.6}.get(units, 255.0)
    gap = draw(st.booleans())
    bands = {}
    for name in names:
        values = (rng.random(grid.shape) * top).astype(np.float32)
        bands[name] = np.where(rng.random(grid.shape) < 0.2, np.float32("nan"), values) if gap else values
    time = draw(st.none() | st.datetimes(min_value=_day(1985), max_value=_day(2035)))
    return Image(
        bands_dataset(bands, grid), modality, grid, units, None if time is None else np.datetime64(time, "s"),
        draw(st.none() | masks(grid.shape)), draw(plain), draw(_few), draw(_few), draw(st.booleans()),
    )  # fmt: skip


@st.composite
def scenes(draw: st.DrawFn, codes: tuple[int | None, ...] = (*CODES, None), max_side: int = 16, most: int = 3) -> Scene:
    """Scenes of one to `most` images on one grid, with or without an AOI (also one across the antimeridian)."""
    grid = draw(grids(codes, max_side=max_side, rotated=draw(st.integers(0, 4)) == 0))
    if grid.crs is not None and grid.crs.is_geographic and not grid.is_north_up:
        grid = draw(grids((32633,), max_side=max_side))
    shots = draw(st.lists(images(grid), min_size=1, max_size=most))
    aoi = None
    if grid.crs is not None and draw(st.booleans()):
        left, bottom, right, top = grid.bounds
        aoi = AOI.from_bbox((left, bottom, (left + right) / 2, (bottom + top) / 2), grid.crs, "a corner")
        if grid.crs.to_epsg() == 4326 and draw(st.booleans()):
            aoi = AOI.from_bbox((178.5, -17.25, -179.125, -16.5), name="Taveuni")
    return Scene(tuple(shots), aoi, draw(plain), draw(_few))


@st.composite
def events(draw: st.DrawFn, scene: Scene, most: int = 4, whole: bool = False) -> list[Event]:
    """Event lists that make a trace of `scene`: texts cut anywhere, an answer or (not `whole`) none."""
    out: list[Event] = [Text(draw(plain))]
    for _ in range(draw(st.integers(0, most))):
        if draw(st.booleans()):
            out.append(Progress(draw(st.floats(0, 1)), 1.0, draw(plain)))
        before = draw(plain) + draw(st.sampled_from(("", " ", ". ", "\n", ", "))) + SEG
        cut = draw(st.integers(0, len(before)))
        out += [Text(before[:cut]), Text(before[cut:])]
        image = draw(st.integers(0, len(scene.images) - 1))
        shape = scene.images[image].grid.shape
        score = None
        if draw(st.booleans()):
            rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
            score = np.where(rng.random(shape) < 0.2, np.nan, rng.random(shape)).astype(np.float32)
        radar = draw(st.sampled_from((None, *(k for k, i in enumerate(scene.images) if i.modality == "sar"))))
        out.append(Mask(
            draw(masks(shape)), score, draw(st.sampled_from((*labels(), "", "solar farm"))), image,
            draw(st.sampled_from(("only", "written", "rule", "round-robin"))), draw(st.floats(0, 1)), radar,
            draw(plain),
        ))  # fmt: skip
        out.append(Text(draw(plain), draw(st.sampled_from(("written", "measured")))))
    if whole or draw(st.booleans()):
        value = draw(st.none() | st.floats(allow_nan=True))
        out.append(Answer(
            draw(plain), draw(st.sampled_from((None, "A", "B"))), value, draw(st.sampled_from(("%", "ha", ""))),
            draw(st.sampled_from(FINISHES)), draw(plain),
        ))  # fmt: skip
    return out


@st.composite
def traces(draw: st.DrawFn, codes: tuple[int | None, ...] = (*CODES, None), max_side: int = 16) -> Trace:
    """Traces of any sort, of one to three images and up to four steps."""
    scene = draw(scenes(codes, max_side))
    choices = draw(st.none() | st.just(Choices.of(["10 %", "20 %"])))
    record = draw(
        st.dictionaries(
            plain,
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | plain | st.lists(plain, max_size=2),
            max_size=3,
        )
    )
    return Trace.from_events(draw(events(scene)), scene, draw(plain), choices, draw(plain), record)


def _day(year: int) -> Any:
    from datetime import datetime

    return datetime(year, 1, 1)
