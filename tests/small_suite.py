"""A suite in memory on synthetic landscapes whose truth is known: three tasks an image, with masks."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from terrascope_nb.bench.cards import Card
from terrascope_nb.bench.suite import Row, Suite
from terrascope_nb.cot.record import MaskRef
from terrascope_nb.reason.answers import Choices
from terrascope_nb.reason.measure import share
from terrascope_nb.reason.measure.region import Region
from terrascope_nb.scene.domain import Domain
from terrascope_nb.scene.labelled import Labelled
from terrascope_nb.scene.scene import Scene
from terrascope_nb.scene.synthetic import synthetic_scene


@lru_cache(maxsize=64)
def place(seed: int, sar: bool = True) -> Labelled:
    made = synthetic_scene(np.random.default_rng(seed), size=48, sar=sar)
    return Labelled(made.scene, made.maps, made.legend, f"place-{seed:02d}", f"place-{seed:02d}", source="synthetic")


def small_suite(images: int = 4, sar: bool = True, reads: Callable[[str], None] | None = None) -> Suite:
    """`reads` is told the image of each scene that is read."""
    rows = [row for seed in range(images) for row in _rows(place(seed, sar), seed, reads)]
    known = {f"place-{seed:02d}": place(seed, sar) for seed in range(images)}
    return Suite("small", tuple(rows), Card.of("small", rows), truth=lambda row: known[row.image])


def _rows(truth: Labelled, seed: int, reads: Callable[[str], None] | None) -> list[Row]:
    def scene() -> Scene:
        if reads is not None:
            reads(truth.key)
        return truth.scene

    domain = Domain.whole(truth.scene.grid)
    water, trees = (Region(x, truth.truth(x), domain) for x in ("water", "tree cover"))
    value = share(water).value
    letter = "ABCD"[seed % 4]
    wrong = iter(f"{value * k:.1f} %" for k in (0.5, 1.5, 2.0))
    shares = Choices.of([f"{value:.1f} %" if x == letter else next(wrong) for x in "ABCD"])
    larger = "A" if water.mask.sum() > trees.mask.sum() else "B"
    masks = {r.label: MaskRef.of(r.mask, r.label) for r in (water, trees)}
    area = Choices.of([f"{value * k:.1f} %" for k in (1, 3)])
    asked = (
        ("coverage_percentage", "What percentage of the image is water?", shares, letter, ("water",)),
        ("comparative_ranking", "Which is larger, water or tree cover?", Choices.of(["water", "tree cover"]), larger,
         ("water", "tree cover")),
        ("coverage_percentage", "What share of the scene is covered by water?", area, "A", ("water",)),
    )  # fmt: skip
    return [
        Row(f"{truth.key}/{k}", truth.key, task, question, choices, answer, scene,
            tuple(masks[x] for x in labels), band=("easy", "medium", "hard")[k], labels=labels)
        for k, (task, question, choices, answer, labels) in enumerate(asked)
    ]  # fmt: skip
