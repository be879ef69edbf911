"""What a run is held against: chance, the most frequent letter, the truth itself; and opening reasoners by name."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.bench.task import TASKS
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.reason.answers import Choices
from terrascope_nb.reason.events import Answer, Event
from terrascope_nb.reason.reasoner import Reasoner, open_reasoner
from terrascope_nb.reason.reference import ReferenceReasoner

if TYPE_CHECKING:
    from terrascope_nb.bench.suite import Row, Suite
    from terrascope_nb.scene.labelled import Labelled
    from terrascope_nb.scene.scene import Scene

BASELINES = ("chance", "frequent", "reference")
"""Names that `open_for` knows beside those of `open_reasoner`."""
ITSELF = "the suite itself"
"""What «frequent» says where it counted the letters of the very suite that it is asked: an upper bound."""
ABLATIONS: Mapping[str, str] = {"mask": "as it is", "box": "boxes", "random": "random masks", "none": "no regions read"}
"""Values of ``region_mode``, and what the paper calls the run."""


class ChanceReasoner:
    """A letter at random, each as likely; draws no mask. The same seed and row give the same letter in any order.

    Parameters
    ----------
    seed : int
    """

    name = "chance"

    def __init__(self, seed: int = 0) -> None:
        self.options: Mapping[str, Any] = {"seed": int(seed)}

    def of_row(self, row: Row) -> Reasoner:
        """The reasoner for one row: its letter depends on the row's id and on nothing else."""
        return _Letter(self, lambda choices: self._drawn(row.id, choices))

    def stream(self, scene: Scene, question: str, choices: Any = None) -> Iterator[Event]:
        """Choose; here the letter depends on the question, its options and the scene's name."""
        key = f"{scene.name}\n{question}\n{choices}"
        yield from _Letter(self, lambda options: self._drawn(key, options)).stream(scene, question, choices)

    def _drawn(self, key: str, choices: Choices) -> str:
        digest = hashlib.sha256(f"{self.options['seed']}\n{key}".encode("utf-8", "backslashreplace")).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:16], "big"))
        return choices.letters[int(rng.integers(len(choices)))]


class FrequentReasoner:
    """The letter that is right most often in its task; draws no mask.

    Parameters
    ----------
    suite : Suite
        Where letters are counted: a training suite; or the suite that is asked itself, which then knows its answers
        and is an upper bound of what letters alone can give.
    itself : bool
        Say in the options that the letters were counted on the very suite that is asked.
    """

    name = "frequent"

    def __init__(self, suite: Suite, itself: bool = False) -> None:
        self._counts: dict[str, Counter[str]] = {}
        for row in suite.rows:
            if row.answer:
                self._counts.setdefault(row.task, Counter())[row.answer] += 1
        if not self._counts:
            raise InvalidInput(f"suite {suite.name!r} states no right letters: there is nothing to count")
        whose = ITSELF if itself else suite.name
        self.options: Mapping[str, Any] = {"from": whose, "rows": len(suite.rows)}
        self._tasks = {(r.question, r.choices): r.task for r in suite.rows}

    def of_row(self, row: Row) -> Reasoner:
        """The reasoner for one row, whose task is known."""
        return _Letter(self, lambda choices: self._usual(row.task, choices))

    def stream(self, scene: Scene, question: str, choices: Any = None) -> Iterator[Event]:
        """Choose; the task is that of the same question where it was counted, else letters of all tasks count."""
        task = self._tasks.get((question, Choices.of(choices)), "")
        yield from _Letter(self, lambda options: self._usual(task, options)).stream(scene, question, choices)

    def _usual(self, task: str, choices: Choices) -> str:
        counts = self._counts.get(task) or sum(self._counts.values(), Counter())
        return max(choices.letters, key=lambda x: (counts[x], -ord(x)))


class _Letter:
    """A reasoner that says one letter; `choose` picks it of the options."""

    def __init__(self, parent: Any, choose: Any) -> None:
        self.name, self.options, self._choose = parent.name, parent.options, choose

    def stream(self, scene: Scene, question: str, choices: Any = None) -> Iterator[Event]:
        options = Choices.of(choices)
        if options is None:
            yield Answer("", finish="abstained", reason="there are no options to choose from")
            return
        letter = self._choose(options)
        yield Answer(letter, letter)


class TruthReasoner:
    """`reference` on a suite: its masks come from the suite's own label maps, row by row.

    Parameters
    ----------
    suite : Suite

    Raises
    ------
    InvalidInput
        For a suite without label maps.
    """

    name = "reference"

    def __init__(self, suite: Suite) -> None:
        if suite.truth is None:
            why = suite.why_no_truth or "it has no label maps"
            raise InvalidInput(
                f"the reasoner 'reference' needs the truth of suite {suite.name!r}: {why}. Ask another reasoner, or a "
                "suite that bench make wrote"
            )
        self.options: Mapping[str, Any] = {"truth of": suite.name}
        self._suite = suite
        self._open: tuple[str, Reasoner] | None = None

    def of_row(self, row: Row) -> Reasoner:
        """The reference reasoner on the label maps of a row; kept for the next row of the same image."""
        if self._open is None or self._open[0] != row.image:
            truth = self._suite.labelled(row)
            if truth is None:
                raise NotFound(
                    f"row {row.id} has no label map: {self._suite.why_no_truth or 'the suite has none for it'}"
                )
            self._open = (row.image, on_truth(truth))
        return self._open[1]

    def stream(self, scene: Scene, question: str, choices: Any = None) -> Iterator[Event]:
        """Answer a question of the suite; the row is found by question and options.

        Raises
        ------
        NotFound
            When the suite does not ask it, or asks it of several images (`of_row` tells them apart).
        """
        options = Choices.of(choices)
        rows = [r for r in self._suite.rows if r.question == question and r.choices == options]
        images = {r.image for r in rows}
        if len(images) != 1:
            raise NotFound(
                f"suite {self._suite.name!r} asks {question!r} of {len(images)} images: ask it with "
                "of_row(row).stream(…)"
            )
        yield from self.of_row(rows[0]).stream(scene, question, choices)


def on_truth(truth: Labelled) -> ReferenceReasoner:
    """The reference reasoner on the label maps of a labelled scene."""
    labels = list(truth.maps) if len(truth.maps) > 1 else truth.maps[0]
    numbers = [*truth.unmapped, *([] if truth.nodata is None else [truth.nodata])]
    if len(numbers) > 1:  # the reasoner takes one number for «not mapped»
        maps = truth.maps if isinstance(labels, list) else (labels,)
        put = [np.where(np.isin(m, numbers), numbers[0], m) for m in maps]
        labels = put if isinstance(labels, list) else put[0]
    return ReferenceReasoner(labels, truth.legend, numbers[0] if numbers else None)


def open_for(
    suite: Suite, name: str | Reasoner, *, train: Suite | None = None, seed: int = 0, **options: Any
) -> Reasoner:
    """Open a reasoner to be asked a suite.

    Parameters
    ----------
    suite : Suite
    name : str or Reasoner
        "chance", "frequent", "reference" (on the suite's own truth, unless options name another map), or any name that
        `open_reasoner` takes.
    train : Suite, optional
        For "frequent": where letters are counted; without it the suite asked itself, and the options say so.
    seed : int
        For "chance".
    **options
        Of the reasoner. ``region_mode`` makes the paper's ablations: see `ABLATIONS`.

    Raises
    ------
    NotFound
        For an unknown name.
    InvalidInput
        For options that the reasoner has not, with why where it is ``region_mode``.
    """
    if not isinstance(name, str):
        return open_reasoner(name, **options)
    if train is not None and name != "frequent":
        raise InvalidInput(f"a training suite serves 'frequent' alone; {name!r} takes none")
    if "region_mode" in options:
        _check_ablation(name, options["region_mode"])
    if name == "chance":
        return ChanceReasoner(**_only(name, {"seed": seed, **options}, ("seed",)))
    if name == "frequent":
        _only(name, options, ())
        return FrequentReasoner(suite if train is None else train, itself=train is None)
    if name == "reference" and not options:
        return TruthReasoner(suite)
    return open_reasoner(name, **options)


def _only(name: str, options: dict[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    for option in options:
        if option not in known:
            raise InvalidInput(unknown(f"option of reasoner {name!r}:", option, known))
    return options


def _check_ablation(name: str, mode: Any) -> None:
    """Refuse an ablation of what a reasoner has not."""
    import inspect

    from terrascope_nb.reason.reasoner import builder_of

    reads = "it reads no regions back into its text" if name != "remote" else "what a remote model reads is its own"
    if name in BASELINES or "region_mode" not in inspect.signature(builder_of(name)).parameters:
        raise InvalidInput(
            f"reasoner {name!r} has no region_mode: {reads}, so there is nothing to take away. The paper's ablations "
            "are those of 'terrascope'"
        )
    if mode not in ABLATIONS:
        raise InvalidInput(unknown("region_mode", mode, ABLATIONS))


def task_letters(suite: Suite) -> dict[str, Counter[str]]:
    """How often each letter is right, by task in the order of `task.TASKS`: shows whether a suite is balanced."""
    counts: dict[str, Counter[str]] = {k: Counter() for k in TASKS}
    for row in suite.rows:
        counts.setdefault(row.task, Counter())[row.answer or "?"] += 1
    return {k: v for k, v in counts.items() if v}
