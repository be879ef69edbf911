"""Held-out questions about made scenes: the benchmark's tasks by `bench.make`, the further ones by the same quiz."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from terrascope_nb.bench.cards import Card
from terrascope_nb.bench.make import make_suite
from terrascope_nb.bench.store import open_folder
from terrascope_nb.bench.suite import Row, Suite
from terrascope_nb.cot.record import MaskRef
from terrascope_nb.reason.quiz import Item, Quiz, make_item
from terrascope_nb.scene.labelled import Labelled
from terrascope_nb.train.mini.language import LAND
from terrascope_nb.train.mini.network import SIZE
from terrascope_nb.train.mini.scenes import numbers, scene_of

BENCHMARK = (
    "coverage_percentage", "absolute_area", "comparative_ranking", "boundary_relationship", "distance_measurement",
)  # fmt: skip
EXTRAS = ("existence", "localisation", "change")
SENSORS = {"both": ("optical", "sar"), "optical": ("optical",), "sar": ("sar",)}
LICENCE = "Apache-2.0 (made by this software)"


def labelled_scenes(
    seed: int, sensor: str = "both", cloud: float | None = 0.0, pair: bool | None = None, size: int = SIZE
) -> Iterator[Labelled]:
    """Held-out scenes of a seed without end, but those with snow or burned ground, which the mini has no word for.

    Parameters
    ----------
    sensor : "both", "optical" or "sar"
        What is left of each scene.
    cloud : float, optional
        Share of the scene; None draws it as in training.
    pair : bool, optional
        Two dates; None draws it as in training.
    """
    for place in numbers(seed, test=True):
        made = scene_of(seed, place, cloud=cloud, pair=pair, size=size)
        legend = {k: v for k, v in made.legend.items() if v in LAND}
        if any(set(np.unique(m)) - set(legend) for m in made.maps):
            continue
        key = f"mini-{seed}-{place:05d}-{len(made.maps)}"  # one place with one date and with two are two scenes
        yield Labelled(
            made.scene.select(SENSORS[sensor]), made.maps, legend, key, key, source="made", licence=LICENCE,
            citation="terrascope-nb: nothing measured on it speaks about real ground",
        )  # fmt: skip


def benchmark_suite(folder: Path, n: int, seed: int, sensor: str = "both", cloud: float = 0.0) -> Suite:
    """The suite in `folder`, made by `bench.make` where it is not there: up to `n` questions in five tasks.

    Building change is not asked: the mini does not know buildings.
    """
    if not (folder / "suite.json").is_file():
        scenes = islice(labelled_scenes(seed, sensor, cloud, pair=False), max(20, n // 4))
        return make_suite(scenes, folder, n, seed, BENCHMARK)
    return open_folder(folder)


def further_suite(n: int, seed: int, sensor: str = "both", cloud: float = 0.0) -> Suite:
    """Existence, localisation and net change, `n` questions spread evenly, up to two of a task a scene; in memory."""
    rng = np.random.default_rng([seed, 3])
    rows: list[Row] = []
    scenes: dict[str, Labelled] = {}
    for task in EXTRAS:
        want = -(-n // len(EXTRAS))
        got = 0
        for here in labelled_scenes(seed + 1, sensor, cloud, pair=task == "change"):
            if got >= want:
                break
            quiz, told = Quiz.of(here), {"kind": "net", "unit": "%"} if task == "change" else {}
            for item in _some(quiz, task, rng, told)[: min(2, want - got)]:
                rows.append(_row(item, f"{task}-{got:04d}", here))
                scenes[here.key] = here
                got += 1
    name = f"mini-further-{seed}"
    return Suite(name, tuple(rows), Card.of(name, rows), truth=lambda row: scenes[row.image])


def _some(quiz: Quiz, task: str, rng: np.random.Generator, told: Mapping[str, Any]) -> list[Item]:
    """Questions of a scene in an order drawn by lot; of existence one with yes and one with no first."""
    made = [make_item(quiz, task, (label,), rng, **told) for label in rng.permutation(LAND).tolist()]
    items = [i for i in made if isinstance(i, Item)]
    if task != "existence":
        return items
    by = [next((i for i in items if i.value is v), None) for v in (True, False)]
    return [i for i in by if i is not None]


def _row(item: Item, id: str, here: Labelled) -> Row:
    masks = tuple(
        MaskRef.of(r.mask, r.label, r.image, None if r.time is None else str(r.time)[:10]) for r in item.regions
    )
    return Row(
        id, here.key, item.task, item.question, item.choices, item.answer, lambda: here.scene, masks, "", here.licence,
        item.value, item.unit, place=here.place, source=here.source, labels=item.labels,
    )  # fmt: skip
