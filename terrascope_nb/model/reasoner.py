"""`terrascope`: the network as a reasoner — a scene and a question in, events out as they are written."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from terrascope_nb.errors import InvalidInput
from terrascope_nb.model.decoding import Region as Drawn
from terrascope_nb.model.decoding import Request, Rules, Target
from terrascope_nb.model.devices import explain_out_of_memory
from terrascope_nb.model.driving import CACHES, drive, read_prefix
from terrascope_nb.model.encoding import Encoded
from terrascope_nb.model.measured import measured_text
from terrascope_nb.model.memory import estimate
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Inputs, Processor
from terrascope_nb.model.prompt import write_prompt
from terrascope_nb.model.support import answer_by_masks, differs, said_beside
from terrascope_nb.model.writer import Writer
from terrascope_nb.reason.answers import Choices
from terrascope_nb.reason.events import Answer, Event, Mask, Progress
from terrascope_nb.reason.measure.region import Region
from terrascope_nb.scene.classes import mentions
from terrascope_nb.scene.scene import Scene


@dataclass(frozen=True)
class Shown:
    """What the network is shown of a scene.

    Attributes
    ----------
    images : tuple of int
        Indices into ``scene.images``, in the order of the pictures.
    targets : tuple of Target
        The dates, in order of time; indices into `images`.
    """

    images: tuple[int, ...]
    targets: tuple[Target, ...]


class TerraScopeReasoner:
    """Answers by the network.

    Parameters
    ----------
    model : str, Path or TerraScopeModel
        A folder that `convert` or `save_pretrained` wrote, a hub name of such, or a model in memory.
    processor : Processor, optional
        Needed with a model in memory.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"mps"``.
    dtype : str
        ``"auto"`` (bf16 on CUDA where it is supported, else fp16 there; fp32 on a CPU), ``"bf16"``, ``"fp16"``
        or ``"fp32"``.
    region_rule : "paper", "published" or None
        How masks become tokens; None: what the weights were trained with (with `compat` the published rule).
    region_mode : "mask", "box", "random" or "none"
        For ablations; none writes text and draws masks, but reads no region.
    fusion : "adaptive", "concat", "optical" or "sar"
        Which sensor's features are read where both are there.
    compat : "published" or None
        Exactly as the published code decodes; see `decoding.Rules`.
    max_masks, max_tokens, max_seconds
        Limits; an answer that they cut off has ``finish="limit"``.
    temperature, top_p, seed
        0 is greedy, the default. The seed is also that of ``region_mode="random"``.
    measured_in_loop : bool or None
        Put the measured figures into the text after each ``[SEG]``; None: if the weights were trained to read them.
    masks_answer : bool
        Say beside the written answer what the masks alone support, where the two differ.
    cache : "dynamic" or "static"
    batch : int
        Most requests decoded together by `stream_many`; with a static cache always one.
    quantize : "8bit", "4bit" or None
    revision : str, optional
        Of a hub name.

    Notes
    -----
    What was read of the scene asked last is kept as long as the scene is: further questions about it begin from there.
    """

    name = "terrascope"

    def __init__(
        self,
        model: str | Path | TerraScopeModel,
        processor: Processor | None = None,
        device: str = "auto",
        dtype: str = "auto",
        region_rule: str | None = None,
        region_mode: str = "mask",
        region_cap: int | None = None,
        fusion: str = "adaptive",
        compat: str | None = None,
        max_masks: int = 20,
        max_tokens: int = 1024,
        max_seconds: float | None = None,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        measured_in_loop: bool | None = None,
        masks_answer: bool = True,
        cache: str = "dynamic",
        batch: int = 4,
        quantize: str | None = None,
        revision: str | None = None,
    ) -> None:
        if compat not in (None, "published"):
            raise InvalidInput(f"compat is 'published' or None, got {compat!r}")
        if cache not in CACHES:
            raise InvalidInput(f"cache is one of {', '.join(CACHES)}, got {cache!r}")
        if batch < 1:
            raise InvalidInput(f"batch is at least 1, got {batch}")
        self._model, self._processor = _open(model, processor, device, dtype, quantize, revision)
        config = self._model.config
        rule = region_rule or ("published" if compat else config.region_rule)
        self._rules = Rules(
            compat is not None, rule, region_mode, region_cap, fusion, max_masks, max_tokens, max_seconds, temperature,
            top_p,
        )  # fmt: skip
        self._measured = config.measured_in_loop if measured_in_loop is None else measured_in_loop
        self._masks_answer = masks_answer
        self._seed, self._cache, self._batch = seed, cache, 1 if cache == "static" else batch
        self._kept: tuple[weakref.ref[Scene], Encoded] | None = None
        self.options: Mapping[str, Any] = {
            "model": "in memory" if isinstance(model, TerraScopeModel) else str(model),
            "weights": " ".join(f"{k}:{v[:16]}" for k, v in (config.origin.get("sha256") or {}).items()),
            "revision": config.origin.get("revision") or revision,
            "device": str(self._model.device), "dtype": str(self._model.dtype).removeprefix("torch."),
            "quantize": quantize, "region_rule": rule, "region_mode": region_mode, "region_cap": region_cap,
            "fusion": fusion, "compat": compat, "max_masks": max_masks, "max_tokens": max_tokens,
            "max_seconds": max_seconds, "temperature": temperature, "top_p": top_p, "seed": seed,
            "measured_in_loop": self._measured, "masks_answer": masks_answer, "cache": cache,
        }  # fmt: skip

    @property
    def model(self) -> TerraScopeModel:
        """The network; its ``segmenter`` counts encodings."""
        return self._model

    @property
    def processor(self) -> Processor:
        """What turns pictures and text into the network's input."""
        return self._processor

    def stream(self, scene: Scene, question: str, choices: Any = None) -> Iterator[Event]:
        """Decode one request; the events come as they are written. Closing the iterator cancels.

        Raises
        ------
        InvalidInput
            For a question or an option that holds a control token.
        """
        for _, event in self.stream_many([(scene, question, choices)]):
            yield event

    def stream_many(self, requests: Sequence[tuple[Scene, str, Any]]) -> Iterator[tuple[int, Event]]:
        """Decode several requests together: (index of the request, event).

        Questions about one scene share all that was read of it.
        """
        for group in _groups(requests, self._batch):
            with explain_out_of_memory("answering", self._needed, self._model.device):
                yield from self._together({k: requests[k] for k in group})

    def _needed(self) -> int:
        """Bytes that a request takes at its largest, weights included."""
        kind = {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(self._model.dtype, "fp32")
        return estimate(self._model.config, kind, self.options["quantize"]).total

    def _together(self, asked: Mapping[int, tuple[Scene, str, Any]]) -> Iterator[tuple[int, Event]]:
        made: list[Request] = []
        writers: list[Writer] = []
        numbers = list(asked)
        reading: dict[int, tuple[Shown, Encoded]] = {}
        for k in numbers:
            scene, question, choices = asked[k]
            yield k, Progress(0, 0, "reading the pictures")
            shown = show(scene, self._rules.compat)
            inputs = self._processor.prepare(
                [scene.images[i].view.pixels for i in shown.images], write_prompt(question, choices)
            )
            if id(scene) not in reading:
                reading[id(scene)] = shown, self._read(scene, inputs)
            chosen = Drawing(scene, shown, self._rules)
            made.append(Request(
                inputs, reading[id(scene)][1], shown.targets, self._rules,
                chosen.measure if self._measured else None, seed=self._seed,
            ))  # fmt: skip
            options = Choices.of(choices)
            beside = partial(chosen.beside, question, options) if self._masks_answer else _nothing
            writers.append(Writer(self._processor, chosen.mask, options, self._rules.max_tokens, beside))
        share = self._cache == "dynamic" and len(reading) == 1
        if share and len(made) > 1:
            read_prefix(self._model, made[0])
        for row, step in drive(self._model, self._processor, made, self._cache, share):
            for event in writers[row].events(step):
                yield numbers[row], event

    def _read(self, scene: Scene, inputs: Inputs) -> Encoded:
        if self._kept is not None and self._kept[0]() is scene:
            return self._kept[1]
        self._kept = None
        with torch.inference_mode():
            encoded = Encoded.of(self._model, inputs)
        self._kept = weakref.ref(scene), encoded
        return encoded


class Drawing:
    """The masks of one run: makes the events of what the network drew, and measures them where that is asked."""

    def __init__(self, scene: Scene, shown: Shown, rules: Rules) -> None:
        self._scene, self._shown, self._rules = scene, shown, rules
        self._last: Region | None = None
        self._masks: list[Mask] = []

    def mask(self, drawn: Drawn, text: str) -> Mask:
        """The event of a region; `text` is what was written up to its ``[SEG]``."""
        target = self._shown.targets[drawn.target]
        image = self._shown.images[target.image]
        named = mentions(text)
        note = (
            f"Drawn by the network, predicted IoU {drawn.iou:.2f}; {drawn.read} tokens were read. {drawn.note}".strip()
        )
        self._masks.append(Mask(
            drawn.mask, drawn.probability, named[-1].label if named else "", image, drawn.image_source, drawn.sar_share,
            self._sar_image(target), note,
        ))  # fmt: skip
        return self._masks[-1]

    def measure(self, drawn: Drawn) -> str:
        """What is put into the sequence after the mask; measured where the trace will measure it."""
        target = self._shown.targets[drawn.target]
        image = self._shown.images[target.image]
        last = self._masks[-1] if self._masks else None
        label = last.label if last is not None and last.mask is drawn.mask else ""
        domain = self._scene.domain(image, self._sar_image(target)).of_label(label)
        region = Region(label, drawn.mask, domain, image, self._scene.images[image].time)
        text = measured_text(region, self._last)
        self._last = region
        return text

    def beside(self, question: str, choices: Choices | None, answer: Answer) -> str:
        """What the masks alone say, where they say something else than the answer; «» where they do not."""
        if answer.finish != "stop" or not answer.text:
            return ""
        measured = answer_by_masks(self._scene, question, choices, self._masks)
        return "" if measured is None or not differs(answer, measured) else said_beside(measured)

    def _sar_image(self, target: Target) -> int | None:
        if target.sar is None or self._rules.compat or self._rules.fusion == "optical":
            return None
        image, sar = self._shown.images[target.image], self._shown.images[target.sar]
        return sar if self._scene.images[sar].grid == self._scene.images[image].grid else None


def _nothing(answer: Answer) -> str:
    return ""


def show(scene: Scene, compat: bool = False) -> Shown:
    """Which images the network is shown, and which of them belong together.

    Optical images with the SAR image of their date; a SAR image without a date of its own is a date of its own. With
    `compat` every image stands for itself.
    """
    images = tuple(range(len(scene.images)))
    if compat:
        return Shown(images, tuple(Target(k) for k in images))
    moments = scene.moments()
    paired = {k for m in moments for k in (m.optical, m.sar) if k is not None}
    targets = [Target(m.image, None if m.sar == m.image else m.sar) for m in moments]
    targets += [Target(k) for k in images if k not in paired]
    times = [scene.images[t.image].time for t in targets]
    if all(t is not None for t in times):
        targets = [targets[k] for k in np.argsort(np.array(times, "datetime64[s]"), kind="stable")]
    return Shown(images, tuple(targets))


def _groups(requests: Sequence[tuple[Scene, str, Any]], batch: int) -> Iterator[list[int]]:
    """Indices of requests to be decoded together: those about one scene, then the rest as they come."""
    by_scene: dict[int, list[int]] = {}
    for k, (scene, _, _) in enumerate(requests):
        by_scene.setdefault(id(scene), []).append(k)
    alone = [group[0] for group in by_scene.values() if len(group) == 1]
    for group in [*(g for g in by_scene.values() if len(g) > 1), alone]:
        for start in range(0, len(group), batch):
            yield group[start : start + batch]


def _open(
    model: Any, processor: Processor | None, device: str, dtype: str, quantize: str | None, revision: str | None
) -> tuple[TerraScopeModel, Processor]:
    if isinstance(model, TerraScopeModel):
        if processor is None:
            raise InvalidInput("a model in memory needs its processor: processor=Processor(tokenizer, model.config)")
        return model.eval(), processor
    if not isinstance(model, str | Path):
        raise InvalidInput(f"model is a folder, a hub name or a TerraScopeModel; got {type(model).__name__}")
    from terrascope_nb.model.loading import load

    return load(model, device=device, dtype=dtype, quantize=quantize, revision=revision)
