"""Eight small lessons and a plain training loop: a tiny model that knows them fills every view.

The scenes are drawn, the texts written by rule, the figures in them measured. For tests, demonstrations and labs: what
is learnt here is known by heart and speaks of no real ground.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from affine import Affine

from terrascope_nb.model.measured import measured_text
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Processor
from terrascope_nb.model.prompt import write_prompt
from terrascope_nb.model.reasoner import show
from terrascope_nb.model.samples import Sample, collate
from terrascope_nb.reason.measure.region import Region
from terrascope_nb.scene.scene import Scene

_COLOURS = {
    "water": (30, 60, 200),
    "tree cover": (20, 110, 30),
    "cropland": (220, 190, 60),
    "grassland": (140, 220, 90),
}
_TRANSFORM = Affine(10, 0, 500_000, 0, -10, 5_100_000)


@dataclass(frozen=True, eq=False)
class Lesson:
    """A scene, what is asked of it, and what the model is to answer.

    Attributes
    ----------
    scene : Scene
    question : str
    choices : tuple of str
    thinking : str
        The reasoning, ``[SEG]`` included.
    answer : str
    masks : tuple of numpy.ndarray
        (H, W) bool, one a ``[SEG]``.
    images : tuple of int
        Which image of the scene each lies on.
    """

    scene: Scene
    question: str
    choices: tuple[str, ...]
    thinking: str
    answer: str
    masks: tuple[np.ndarray, ...]
    images: tuple[int, ...]

    @property
    def response(self) -> str:
        """The whole output: ``<think>…</think><answer>…</answer>``."""
        return f"<think> {self.thinking} </think><answer> {self.answer} </answer>"

    def sample(self, measured: bool = False) -> Sample:
        """As training takes it; with `measured`, the figures stand behind each ``[SEG]``."""
        shown = show(self.scene)
        pairs = tuple((shown.images[t.image], shown.images[t.sar]) for t in shown.targets if t.sar is not None)
        pictures = tuple(self.scene.images[i].view.pixels for i in shown.images)
        told = tuple(self._figures(dict(pairs))) if measured else None
        return Sample(
            pictures, write_prompt(self.question, self.choices), self.response, self.masks, self.images, pairs, told
        )

    def _figures(self, sar: dict[int, int]) -> list[str]:
        regions = [
            Region("", mask, self.scene.domain(k, sar.get(k)), k, self.scene.images[k].time)
            for mask, k in zip(self.masks, self.images, strict=True)
        ]
        return [measured_text(r, b) for r, b in zip(regions, [None, *regions], strict=False)]


def draw_lessons(rng: np.random.Generator, size: int = 48) -> list[Lesson]:
    """Draw eight lessons: four with one region, two with two, one with two dates, one with a SAR image."""
    out = []
    for k, label in enumerate(("water", "tree cover", "cropland", "grassland")):
        mask = _shape(rng, size, (size / 2, size / 2), k)
        out.append(_lesson(rng, size, [(label, mask)], f"The {label} [SEG] covers {_share(mask)} %.", "ABCD"[k]))
    for first, second in (("water", "cropland"), ("tree cover", "grassland")):
        a, b = _shape(rng, size, (size / 3, size / 3), 0, 0.7), _shape(rng, size, (2 * size / 3, 2 * size / 3), 1, 0.7)
        text = f"The {first} [SEG] covers {_share(a)} %, the {second} [SEG] {_share(b)} %."
        out.append(_lesson(rng, size, [(first, a), (second, b)], text, "A" if a.sum() > b.sum() else "B"))
    before, after = (_shape(rng, size, (size / 2, size / 2), 0, s) for s in (0.7, 1.1))
    pictures = np.stack([_picture(rng, size, [("water", m)]) for m in (before, after)])
    scene = _scene(pictures, times=["2023-05-01", "2023-08-01"])
    text = "Image: t_2 has water [SEG] on more ground than Image: t_1 with its water [SEG] of before."
    out.append(Lesson(scene, "Did the water grow?", ("yes", "no"), text, "A", (after, before), (1, 0)))
    flood = _shape(rng, size, (size / 2, size / 2), 0)
    power = np.where(flood, 0.004, 0.2)[None].repeat(2, 0) * rng.uniform(0.8, 1.25, (2, size, size))
    scene = _scene(_picture(rng, size, [("water", flood)])[None], times=["2023-06-01"], sar=power[None])
    text = f"Under the cloud lies water [SEG] on {_share(flood)} %."
    out.append(Lesson(scene, "Is there a flood?", ("yes", "no"), text, "A", (flood,), (0,)))
    return out


def learn(
    model: TerraScopeModel,
    processor: Processor,
    samples: Sequence[Sample],
    steps: int = 160,
    rate: float = 1.5e-3,
    watch: Callable[[int, float], None] | None = None,
) -> float:
    """Train a small model on all samples at once, every weight, until it knows them by heart; returns the last loss.

    AdamW with a warm-up and a cosine; `watch` is called with step and loss.
    """
    batch = collate(processor, samples, model.config.region_rule)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    model.train()
    loss = float("nan")
    for step in range(steps):
        out = model(**batch)
        optimiser.zero_grad()
        out.loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        loss = float(out.loss.detach())
        if watch is not None:
            watch(step, loss)
    model.eval()
    return loss


def _lesson(
    rng: np.random.Generator, size: int, things: list[tuple[str, np.ndarray]], text: str, answer: str
) -> Lesson:
    labels = [label for label, _ in things]
    if len(things) == 1:
        question, choices = "What covers most of the middle?", tuple(_COLOURS)
    else:
        question, choices = f"Which is larger, {' or '.join(labels)}?", tuple(labels)
    scene = _scene(_picture(rng, size, things)[None])
    return Lesson(scene, question, choices, text, answer, tuple(m for _, m in things), (0,) * len(things))


def _shape(
    rng: np.random.Generator, size: int, middle: tuple[float, float], kind: int, scale: float = 1.0
) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    row, column = (m + rng.uniform(-0.08, 0.08) * size for m in middle)
    radius = rng.uniform(0.2, 0.28) * size * scale
    if kind % 2:
        return (np.abs(rows - row) < radius) & (np.abs(columns - column) < 0.8 * radius)
    return (rows - row) ** 2 + (columns - column) ** 2 < radius**2


def _picture(rng: np.random.Generator, size: int, things: list[tuple[str, np.ndarray]]) -> np.ndarray:
    picture = rng.integers(70, 110, (size, size, 3), dtype=np.uint8)
    for label, mask in things:
        picture[mask] = np.clip(np.array(_COLOURS[label]) + rng.integers(-15, 15, (int(mask.sum()), 3)), 0, 255)
    return picture


def _scene(pictures: np.ndarray, times: list[str] | None = None, sar: np.ndarray | None = None) -> Scene:
    options = {} if sar is None else {"sar": sar.astype(np.float32), "sar_bands": ["vv", "vh"], "sar_units": "linear"}
    return Scene.from_arrays(
        optical=np.moveaxis(pictures, -1, 1), bands=["red", "green", "blue"], units="rgb8", times=times,
        crs="EPSG:32633", transform=_TRANSFORM, **options,
    )  # fmt: skip


def _share(mask: np.ndarray) -> str:
    return f"{100 * mask.mean():.0f}"
