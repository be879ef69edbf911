"""`mini` as a reasoner: people's questions into its own words, the network's answer into one of the options."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.model.encoding import Encoded
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Inputs, Processor
from terrascope_nb.model.reasoner import TerraScopeReasoner
from terrascope_nb.model.segmenter import Masks
from terrascope_nb.model.support import answer_by_masks, differs, said_beside
from terrascope_nb.reason.answers import pick_bool, pick_label, pick_number
from terrascope_nb.reason.events import Answer, Event, Mask, Text
from terrascope_nb.reason.question import Plan
from terrascope_nb.scene.scene import Scene
from terrascope_nb.train.mini.export import vectors_of
from terrascope_nb.train.mini.language import LABELS, MODES, asked_of
from terrascope_nb.train.mini.looking import Put, Seen, boxed
from terrascope_nb.train.mini.masks import foreign
from terrascope_nb.train.mini.pictures import as_seen

#: Whose masks are read and measured: the network's own; their bounding boxes; masks at random; those of `truth`.
MASKS = ("own", "box", "random", "truth")
ANSWERS = ("written", "masks")
#: (scene, class, index of its image) → (H, W) bool.
Truth = Callable[[Scene, str, int], np.ndarray]


class MiniReasoner(TerraScopeReasoner):
    """The mini, with the ordinary decoding loop.

    Optical images are shown in false colour (`pictures.as_seen`). Where a date has both sensors, SAM 2 is shown one
    picture of both (`pictures.fused`).

    Parameters
    ----------
    model : str, Path, TerraScopeModel, optional
        A folder that `export` wrote, or the network in memory (then `processor` too); by default the one that comes
        with the package.
    processor : Processor, optional
    device : str
    mode : "measured", "regions" or "text"
        Masks drawn, read and measured; drawn and read; neither.
    masks : "own", "box", "random" or "truth"
        Which masks are read and measured, for ablations.
    answer : "written" or "masks"
        "masks": answered by the measuring core from the masks drawn; the network only names classes.
    truth : callable, optional
        For ``masks="truth"``.
    vectors : torch.Tensor, optional
        (classes, C): the class vectors, which tell of which class a ``[SEG]`` is; read from the folder of `model` where
        it is one. Without them «cloud» cannot be told from the other classes before it is drawn.
    masks_answer : bool
        Say beside the written answer what the masks alone support, where the two differ.
    max_tokens : int
    max_seconds : float, optional
    seed : int
        Of random masks.
    batch : int

    Raises
    ------
    InvalidInput
        For an unknown mode, and for ``masks="truth"`` without `truth` and `vectors`.
    NotFound
        Without `model`, where none came with the package.

    Notes
    -----
    The network never sees the options: it answers with a value, and the option that fits is chosen by rule, as
    ``options["letters"]`` says.
    """

    name = "mini"

    def __init__(
        self,
        model: str | Path | TerraScopeModel | None = None,
        processor: Processor | None = None,
        device: str = "auto",
        mode: str = "measured",
        masks: str = "own",
        answer: str = "written",
        truth: Truth | None = None,
        vectors: Tensor | None = None,
        masks_answer: bool = True,
        max_tokens: int = 256,
        max_seconds: float | None = None,
        seed: int = 0,
        batch: int = 4,
    ) -> None:
        for what, value, known in (("mode", mode, MODES), ("masks", masks, MASKS), ("answer", answer, ANSWERS)):
            if value not in known:
                raise InvalidInput(unknown(f"{what} of the mini", value, known))
        if masks == "truth" and (truth is None or vectors is None):
            raise InvalidInput('masks="truth" needs truth= (scene, class, image → mask), vectors= (export.vectors_of)')
        model = shipped() if model is None else model
        super().__init__(
            model, processor, device, region_mode="none" if mode == "text" else "mask", max_tokens=max_tokens,
            max_seconds=max_seconds, seed=seed, measured_in_loop=mode == "measured", masks_answer=False, batch=batch,
        )  # fmt: skip
        self._painted: tuple[weakref.ref[Scene], Scene] | None = None
        self._mode, self._source, self._by = mode, masks, answer
        self._truth, self._beside = truth, masks_answer
        self._vectors = vectors_of(model) if vectors is None and isinstance(model, str | Path) else vectors
        #: A scene that is looked at in place of the one asked about, for the ablation «wrong image».
        self.stand_in: Scene | None = None
        self.options = {**self.options, "mode": mode, "masks": masks, "answer": answer, "letters": "mapped"}
        self.options["masks_answer"] = masks_answer

    def stream_many(self, requests: Sequence[tuple[Scene, str, Any]]) -> Iterator[tuple[int, Event]]:
        """As `TerraScopeReasoner.stream_many`.

        Raises
        ------
        QuestionNotUnderstood
            For a question that the mini was not trained for; the message lists what it was.
        """
        plans: list[Plan] = []
        put: list[tuple[Scene, str, Any]] = []
        for scene, question, choices in requests:
            asked, plan = asked_of(question, choices, scene)
            plans.append(plan)
            looked = self._looked_at(scene if self.stand_in is None else self.stand_in)
            put.append((looked, asked.question(self._mode), None))
        drawn: dict[int, list[Mask]] = {k: [] for k in range(len(put))}
        for k, event in super().stream_many(put):
            if isinstance(event, Mask):
                drawn[k].append(event)
            elif isinstance(event, Answer) and event.finish == "stop":
                answer = self._concluded(event, requests[k], plans[k], put[k][0], drawn[k])
                beside = self._said(answer, requests[k], plans[k], put[k][0], drawn[k])
                if beside:
                    yield k, Text(f" {beside}", "measured")
                yield k, answer
                continue
            yield k, event

    def _looked_at(self, scene: Scene) -> Scene:
        """The scene as the network is shown it; the same object for the scene asked about last."""
        if self._painted is None or self._painted[0]() is not scene:
            self._painted = weakref.ref(scene), as_seen(scene)
        return self._painted[1]

    def _concluded(
        self, answer: Answer, request: tuple[Scene, str, Any], plan: Plan, seen: Scene, masks: list[Mask]
    ) -> Answer:
        """The answer with its option."""
        if self._by == "masks":
            measured = answer_by_masks(seen, request[1], plan.choices, masks)
            return answer if measured is None else measured
        if plan.choices is None:
            return answer
        if answer.value is not None:
            picked = pick_number(plan.choices, answer.value, answer.unit)
        elif answer.text in ("yes", "no"):
            picked = pick_bool(plan.choices, answer.text == "yes")
        else:
            picked = pick_label(plan.choices, answer.text)
        return replace(answer, choice=picked.letter)

    def _said(self, answer: Answer, request: tuple[Scene, str, Any], plan: Plan, seen: Scene, masks: list[Mask]) -> str:
        """What the masks alone support, where it is not the answer; «» where it is, or where they support none."""
        if not self._beside or self._by == "masks":
            return ""
        measured = answer_by_masks(seen, request[1], plan.choices, masks)
        return "" if measured is None or not differs(answer, measured) else said_beside(measured)

    def _read(self, scene: Scene, inputs: Inputs) -> Encoded:
        if self._kept is None or self._kept[0]() is not scene:
            super()._read(scene, inputs)
            kept = self._kept
            if kept is not None:
                self._kept = kept[0], Seen(kept[1].visual, scene, self._named, self._instead)
        if self._kept is None:
            raise RuntimeError("what was read of a scene is kept, and is not there")
        return self._kept[1]

    def _named(self, prompts: Tensor) -> str:
        """The class whose vector is nearest to the first of (K, C) prompts; «» where the vectors are not known."""
        if self._vectors is None:
            return ""
        return LABELS[int(torch.cdist(prompts[:1].float().cpu(), self._vectors).argmin())]

    def _instead(self, scene: Scene, drawn: Masks, image: int, label: str, call: int) -> Masks:
        """The masks that count in place of those drawn."""
        if self._source == "own":
            return drawn
        size = scene.images[image].grid.shape
        if self._source == "random":
            mask = foreign(np.random.default_rng([int(self.options["seed"]), image, call]), max(size))
            mask = mask[: size[0], : size[1]]
        elif self._source == "box":
            mask = boxed(drawn.at(size)[0, 0].numpy() > 0)
        else:
            assert self._truth is not None
            mask = self._truth(scene, label, image)
        return Put(drawn.logits, drawn.iou, drawn.side, np.ascontiguousarray(mask))


def shipped() -> Path:
    """The folder of the network that comes with the package.

    Raises
    ------
    NotFound
        When none came.
    """
    folder = Path(str(files("terrascope_nb"))) / "data" / "mini"
    if not (folder / "config.json").is_file():
        raise NotFound(
            f"no network came with this package ({folder}): train one (python -m terrascope_nb.train.mini --help) and "
            "give its folder, model=…"
        )
    return folder
