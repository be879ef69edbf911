"""The mini's table: the same questions with its own masks, the true ones, none, wrong ones, and on wrong images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.bench.intervals import Estimate
from terrascope_nb.bench.metrics import summarise
from terrascope_nb.bench.results import Result
from terrascope_nb.bench.run import run
from terrascope_nb.bench.suite import Row, Suite
from terrascope_nb.bench.task import title_of
from terrascope_nb.errors import InvalidInput
from terrascope_nb.model.loading import load
from terrascope_nb.reason.reasoner import Reasoner
from terrascope_nb.scene.labelled import Labelled
from terrascope_nb.scene.scene import Scene
from terrascope_nb.train.mini.export import vectors_of
from terrascope_nb.train.mini.reasoner import MiniReasoner


@dataclass(frozen=True)
class Way:
    """One row of the table.

    Attributes
    ----------
    title : str
    options : Mapping
        Of `MiniReasoner`.
    wrong_image : bool
        Whether the scene of another row is looked at.
    blank : str or None
        Sensor that is taken away.
    other : str
        A reasoner of the benchmark's instead of the mini: "chance", "spectral", "reference".
    """

    title: str
    options: Mapping[str, Any] = field(default_factory=dict)
    wrong_image: bool = False
    blank: str | None = None
    other: str = ""


WAYS: Mapping[str, Way] = MappingProxyType({
    "measured": Way("measured in the loop"),
    "true-masks": Way("… with the true masks", {"masks": "truth"}),
    "box": Way("… with the masks' bounding boxes", {"masks": "box"}),
    "random": Way("… with random masks", {"masks": "random"}),
    "wrong-image": Way("… on a wrong image", wrong_image=True),
    "regions": Way("masks and regions, no figure", {"mode": "regions"}),
    "text": Way("text only", {"mode": "text"}),
    "wrong-image-text": Way("text only, on a wrong image", {"mode": "text"}, wrong_image=True),
    "rule": Way("rule on the masks drawn", {"answer": "masks"}),
    "optical-blank": Way("measured, optical blanked", blank="optical"),
    "sar-blank": Way("measured, radar blanked", blank="sar"),
    "spectral": Way("spectral rules", other="spectral"),
    "reference": Way("the truth's own masks by rule", other="reference"),
    "chance": Way("chance", other="chance"),
})  # fmt: skip


def evaluate(
    folder: str | Path,
    suites: Sequence[Suite],
    rows: Sequence[str],
    out: Path,
    seed: int = 0,
    say: Callable[[str], None] | None = None,
) -> str:
    """Run the rows over the suites, which may be broken off and goes on, and give the table as Markdown.

    Parameters
    ----------
    folder : str or Path
        What `export.export` wrote.
    suites : sequence of Suite
        Asked one after the other; the table is over all of their questions.
    rows : sequence of str
        Of `WAYS`.
    out : Path
        Folder of the runs.
    seed : int
        Of random masks, of chance, and of the bootstrap.

    Raises
    ------
    InvalidInput
        For an unknown row.
    """
    for name in rows:
        if name not in WAYS:
            raise InvalidInput(unknown("row of the table", name, WAYS))
    model, processor = load(folder, device="cpu")
    vectors = vectors_of(folder)
    found: dict[str, list[Result]] = defaultdict(list)
    for name in rows:
        way = WAYS[name]
        for suite in suites:
            asked: str | Reasoner = way.other
            if not way.other:
                options = {"vectors": vectors, **way.options}
                asked = OnSuite(
                    suite, {"model": model, "processor": processor, "seed": seed, **options}, way.wrong_image
                )
            found[name] += run(suite, asked, out / f"{suite.name}-{name}", blank=way.blank, seed=seed, progress=False)
        if say is not None:
            right = [r.correct["strict"] for r in found[name] if r.correct]
            say(f"{name}: {np.mean(right):.3f} of {len(right)}")
    hashes = " ".join(f"{k} {v[:16]}" for k, v in model.checkpoint.sha256.items())
    return table(found, seed, hashes, suites)


class OnSuite:
    """The mini asked a suite: row by row with the truth's masks, or with another row's scene, where that is wanted."""

    name = "mini"

    def __init__(self, suite: Suite, options: Mapping[str, Any], wrong_image: bool = False) -> None:
        told = dict(options)
        if told.get("masks") == "truth":
            told["truth"] = self._mask
        self._mini = MiniReasoner(**told)
        self._suite, self._wrong = suite, wrong_image
        self._truth: Labelled | None = None
        self.options = {**self._mini.options, "wrong image": wrong_image}

    def of_row(self, row: Row) -> Reasoner:
        """The reasoner for one row."""
        if self._mini.options["masks"] == "truth" and (self._truth is None or self._truth.key != row.image):
            self._truth = self._suite.labelled(row)
        if self._wrong:
            self._mini.stand_in = self._other(row)
        return self._mini

    def stream(self, scene: Scene, question: str, choices: Any = None):
        """As the mini; of no row, so without truth and without another scene."""
        return self._mini.stream(scene, question, choices)

    def _mask(self, scene: Scene, label: str, image: int) -> np.ndarray:
        if self._truth is None:
            raise InvalidInput("true masks are those of a row: ask by of_row(row)")
        date = next((k for k, m in enumerate(scene.moments()) if image in (m.optical, m.sar)), 0)
        return self._truth.truth(label, date)

    def _other(self, row: Row) -> Scene:
        """The next image's scene that has as many images of the same sensors and size."""
        mine = _shape(row.scene())
        images = list(dict.fromkeys(r.image for r in self._suite.rows))
        at = images.index(row.image)
        for image in images[at + 1 :] + images[:at]:
            scene = next(r for r in self._suite.rows if r.image == image).scene()
            if _shape(scene) == mine:
                return scene
        raise InvalidInput(f"suite {self._suite.name!r} has no other scene like that of row {row.id}")


def _shape(scene: Scene) -> tuple[Any, ...]:
    return scene.grid.shape, tuple(i.modality for i in scene.images)


def table(found: Mapping[str, Sequence[Result]], seed: int, hashes: str, suites: Sequence[Suite]) -> str:
    """Markdown: accuracies in percent with 95 % intervals by image."""
    tasks = list(dict.fromkeys(r.task for results in found.values() for r in results))
    head = ["", "well-formed", "IoU", "macro", *(title_of(t) for t in tasks), "claims agreeing", "r(IoU, right)"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for name, results in found.items():
        s = summarise(results, seed=seed)
        by = {t.task: t.accuracy for t in s.tasks}
        formed = np.mean([r.finish == "stop" and bool(r.choice) for r in results])
        cells = [
            WAYS[name].title, f"{100 * formed:.1f}", _plain(s.grounded.all), _range(s.macro),
            *(_range(by[t]) if t in by else "–" for t in tasks), _plain(s.agreeing), _plain(s.grounded.r),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    asked = ", ".join(f"{s.name}: {len(s)} questions on {s.card.images} images" for s in suites)
    first = next(iter(found.values()))
    chance = {t: np.mean([1 / max(r.options, 1) for r in first if r.task == t]) for t in tasks}
    lines.append("")
    lines.append(f"Chance: {', '.join(f'{title_of(t)} {100 * c:.0f}' for t, c in chance.items())}. {asked}.")
    lines.append(f"Weights: {hashes}. The network gives a value; the option is chosen by rule. Made scenes, held out.")
    return "\n".join(lines)


def _range(e: Estimate) -> str:
    if e.value is None:
        return "–"
    return f"{100 * e.value:.0f}" + (f" [{100 * e.low:.0f}–{100 * e.high:.0f}]" if e.has_interval else "")


def _plain(e: Estimate) -> str:
    return "–" if e.value is None else f"{e.value:.2f}"
