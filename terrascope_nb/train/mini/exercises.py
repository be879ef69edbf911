"""Training samples: a question about a scene, the masks that are put in, and what is to be written then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from terrascope_nb.model.prompt import write_prompt
from terrascope_nb.model.samples import Sample
from terrascope_nb.reason.measure import Region
from terrascope_nb.train.mini import masks as wrong
from terrascope_nb.train.mini.language import DATED, LABELS, LAND, MODES, PAIRS, Asked
from terrascope_nb.train.mini.outcome import figures, outcome
from terrascope_nb.train.mini.scenes import SENSORS, Kept

#: How often each task is drawn.
WEIGHTS = {
    "coverage": 0.15, "area": 0.12, "comparison": 0.13, "smaller": 0.05, "largest": 0.05, "adjacency": 0.13,
    "distance": 0.1, "existence": 0.08, "location": 0.09, "change": 0.05, "growth": 0.025, "shrinkage": 0.025,
}  # fmt: skip
MODE_SHARES = (0.5, 0.25, 0.25)
#: Where masks come from: the truth, the truth with mistakes, somewhere else.
MASKS, MASK_SHARES = ("true", "near", "foreign"), (0.45, 0.3, 0.25)
LEAST = 0.03  # share of the scene that a class has to be asked about
_TRIES = 60


@dataclass(frozen=True, eq=False)
class Exercise:
    """A sample and what training needs beside it.

    Attributes
    ----------
    sample : Sample
    asked : Asked
    shares : numpy.ndarray
        (images, tokens, len(LABELS) + 1) float32: share of each class under each visual token; last: none of them.
    """

    sample: Sample
    asked: Asked
    shares: np.ndarray


def draw_exercise(
    scenes: Sequence[Kept], rng: np.random.Generator, grid: int, kinds: Sequence[str] = MASKS
) -> Exercise:
    """Draw a scene, a question about it, and masks of a kind; `grid` is the number of tokens along a picture's side."""
    for _ in range(_TRIES):
        scene = _turned(scenes[rng.integers(len(scenes))], int(rng.integers(4)), bool(rng.integers(2)))
        sensor = str(rng.choice(SENSORS, p=[0.35, 0.2, 0.45]))
        mode = str(rng.choice(MODES, p=MODE_SHARES))
        shares = np.array([s if k in kinds else 0.0 for k, s in zip(MASKS, MASK_SHARES, strict=True)])
        kind = str(rng.choice(MASKS, p=shares / shares.sum())) if mode == "measured" else "true"
        if mode == "regions" and "near" in kinds and rng.random() < 0.4:
            kind = "near"
        asked = _ask(scene, sensor, rng)
        made = None if asked is None else make_exercise(scene, sensor, asked, mode, kind, rng, grid)
        if made is not None:
            return made
    raise RuntimeError(f"no question could be drawn in {_TRIES} tries from {len(scenes)} scenes")


def make_exercise(
    scene: Kept, sensor: str, asked: Asked, mode: str, kind: str, rng: np.random.Generator, grid: int
) -> Exercise | None:
    """The exercise of a question; None where its masks give no answer.

    The answer follows from the masks that are put in, whatever the picture shows: in a quarter of the measured samples
    the two contradict each other, so that the figures are what counts.
    """
    size = scene.labels.shape[1]
    truth = [scene.mask(label, date) for label, date in asked.places]
    drawn = _drawn(asked, truth, kind, rng, size)
    regions = [
        Region(label, mask, scene.domain(date, sensor), date)
        for (label, date), mask in zip(asked.places, drawn, strict=True)
    ]
    found = outcome(asked, regions)
    if found is None:
        return None
    told, answer = found
    pictures = [*(scene.optical if sensor != "sar" else ()), *(scene.sar if sensor != "optical" else ())]
    shown = mode != "text"
    return Exercise(
        Sample(
            tuple(pictures), write_prompt(asked.question(mode)), asked.response(told, answer, masks=shown),
            tuple(drawn) if shown else (), tuple(d for _, d in asked.places) if shown else (),
            tuple((d, scene.dates + d) for d in range(scene.dates)) if sensor == "both" else (),
            figures(regions) if mode == "measured" else None,
        ), asked, _shares(scene, sensor, grid),
    )  # fmt: skip


def _ask(scene: Kept, sensor: str, rng: np.random.Generator) -> Asked | None:
    """A question that the scene allows."""
    dates = scene.dates
    task = str(rng.choice(list(WEIGHTS), p=np.array(list(WEIGHTS.values())) / sum(WEIGHTS.values())))
    if dates > 1 and rng.random() < 0.4:
        task = str(rng.choice(DATED, p=[0.6, 0.2, 0.2]))
    if task in DATED and (dates < 2 or (sensor == "optical" and scene.hidden.any())):
        return None
    date = int(rng.integers(dates))
    if task == "largest":
        return Asked(task, LAND, date, dates)
    there = [k for k in LAND if scene.mask(k, date).mean() >= LEAST]
    if task == "coverage" and sensor == "both" and scene.cloud[date].any() and rng.random() < 0.5:
        return Asked(task, ("cloud",), date, dates)
    if task == "existence" and rng.random() < 0.5:
        there = [k for k in LAND if not scene.mask(k, date).any()]
    elif task in DATED:
        there = [k for k in LAND if max(scene.mask(k, d).mean() for d in range(dates)) >= LEAST]
    n = 2 if task in PAIRS else 1
    if len(there) < n:
        return None
    labels = tuple(str(x) for x in rng.choice(there, n, replace=False))
    return Asked(task, labels, 0 if task in DATED else date, dates)


def _drawn(asked: Asked, truth: list[np.ndarray], kind: str, rng: np.random.Generator, size: int) -> list[np.ndarray]:
    """The masks that are put in."""
    if kind == "true":
        return truth
    if kind == "near":
        return [wrong.near(rng, mask) for mask in truth]
    if asked.task == "distance" or (asked.task == "adjacency" and rng.random() < 0.4):
        return list(wrong.apart(rng, size))
    if asked.task in ("comparison", "smaller") and rng.random() < 0.6:  # a close call
        first = float(rng.uniform(0.06, 0.6))
        return [wrong.foreign(rng, size, s) for s in (first, first + rng.choice([-1, 1]) * rng.uniform(0.01, 0.06))]
    if asked.task == "existence" and rng.random() < 0.5:
        return [np.zeros((size, size), bool)]
    return [wrong.foreign(rng, size) for _ in truth]


def _turned(scene: Kept, turns: int, flip: bool) -> Kept:
    def turn(stack: np.ndarray) -> np.ndarray:
        turned = np.rot90(stack, turns, (1, 2))
        return np.ascontiguousarray(turned[:, :, ::-1] if flip else turned)

    return Kept(
        turn(scene.optical), turn(scene.sar), turn(scene.labels), turn(scene.cloud), turn(scene.hidden),
        scene.resolution,
    )  # fmt: skip


def _shares(scene: Kept, sensor: str, grid: int) -> np.ndarray:
    """Class shares under the tokens of each picture, in the order of the pictures."""
    dates, size, _ = scene.labels.shape
    ground = np.minimum(scene.labels, len(LABELS))
    seen = np.where(scene.cloud, LABELS.index("cloud"), np.where(scene.hidden, len(LABELS), ground))
    maps = [*(seen if sensor != "sar" else ()), *(ground if sensor != "optical" else ())]
    step = size // grid
    hot = np.stack(maps)[..., None] == np.arange(len(LABELS) + 1)
    cells = hot[:, : grid * step, : grid * step].reshape(len(maps), grid, step, grid, step, -1)
    return cells.mean((2, 4), dtype=np.float32).reshape(len(maps), grid * grid, -1)
