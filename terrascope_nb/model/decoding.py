"""The interleaved loop: write, at each ``[SEG]`` draw the mask, read the region's visual tokens, write on.

A request is a coroutine (`run`) that asks for embeddings to be read and is handed their hidden states; `driving.drive`
reads for one or for several of them at once, each getting its ``[SEG]`` at its own step. The KV cache is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.model import fusion, regions
from terrascope_nb.model.encoding import Encoded
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.picking import Picker, repeats
from terrascope_nb.model.processor import Inputs, Processor
from terrascope_nb.model.written import written_image

#: Ids at which the published code stops beside the end of the turn; they look stale and count under ``compat`` only.
STALE_STOPS = (151682, 151684)


@dataclass(frozen=True)
class Rules:
    """How requests are decoded.

    Attributes
    ----------
    compat : bool
        Exactly as the published code: images in turn whatever the text says, no SAR path, no stop at ``</answer>``, no
        loop detection, an end at the last mask allowed. (An empty mask reads a token by ``region_rule="published"``.)
    region_rule, region_mode, region_cap
        As `regions.select` takes them.
    fusion : str
        As `fusion.choose` takes it; for images that have a SAR partner.
    max_masks, max_tokens : int
        Most ``[SEG]``; most tokens written, region tokens not counted.
    max_seconds : float or None
    temperature : float
        0 is greedy.
    top_p : float
        Share of probability that is drawn from, likeliest first.
    loop : bool
        End a text that repeats itself.
    """

    compat: bool = False
    region_rule: str = "paper"
    region_mode: str = "mask"
    region_cap: int | None = None
    fusion: str = "adaptive"
    max_masks: int = 20
    max_tokens: int = 1024
    max_seconds: float | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    loop: bool = True

    def __post_init__(self) -> None:
        for what, value, of in (
            ("region rule", self.region_rule, regions.RULES), ("region mode", self.region_mode, regions.MODES),
            ("fusion mode", self.fusion, fusion.MODES),
        ):  # fmt: skip
            if value not in of:
                raise InvalidInput(unknown(what, value, of))
        for name in ("max_masks", "max_tokens"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} is at least 1, got {getattr(self, name)}")
        if self.max_seconds is not None and self.max_seconds <= 0:
            raise InvalidInput(f"max_seconds is above 0 or None, got {self.max_seconds}")
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise InvalidInput(f"temperature is 0 or more and top_p in 0…1, got {self.temperature} and {self.top_p}")


@dataclass(frozen=True)
class Target:
    """An image that masks are drawn on, and the SAR image of the same date: indices into `Inputs.images`."""

    image: int
    sar: int | None = None


@dataclass(frozen=True)
class Forced:
    """What a test forces.

    Attributes
    ----------
    seg_at : frozenset of int
        At which generated tokens (region tokens counted) a ``[SEG]`` stands.
    end_at : int or None
        At which the turn ends.
    suppressed : tuple of int
        Ids that may not come by themselves.
    """

    seg_at: frozenset[int] = frozenset()
    end_at: int | None = None
    suppressed: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Request:
    """One question about prepared pictures.

    Attributes
    ----------
    inputs : Inputs
    encoded : Encoded
        What was read of the pictures; requests about the same ones share it.
    targets : tuple of Target
        The dates in order: what «Image: t_i» counts.
    rules : Rules
    measure : callable, optional
        ``(region) → text``: what is put into the sequence after a mask, «» for nothing.
    forced : Forced, optional
    seed : int
        Of sampling and of ``region_mode="random"``.
    """

    inputs: Inputs
    encoded: Encoded
    targets: tuple[Target, ...]
    rules: Rules = Rules()
    measure: Callable[[Region], str] | None = None
    forced: Forced = field(default_factory=Forced)
    seed: int = 0


# ---- what comes out --------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Token:
    """One token written: its `id`."""

    id: int


@dataclass(frozen=True, eq=False)
class Region:
    """The mask of a ``[SEG]`` and what was read of it.

    Attributes
    ----------
    number : int
        0 for the first ``[SEG]``.
    target : int
        Index into `Request.targets`.
    image_source : str
        ``"only"``, ``"written"`` or ``"round-robin"``.
    probability : numpy.ndarray
        (H, W) float32 at the image's own size; the mask is where it is above 0.5.
    iou : float
        The decoder's own guess of the mask's IoU.
    tokens : tuple of int
        Visual tokens of the request under the mask, in the order they were read.
    read : int
        Embeddings put into the sequence: as many as `tokens`, twice as many for two sensors one after the other.
    sar_share : float
        Share of those that came from SAR, 0…1.
    note : str
        What was out of the ordinary, «» for nothing.
    everywhere : numpy.ndarray or None
        (n, H, W) bool, under `Rules.compat` with several images: the mask on each, sized as the first.
    """

    number: int
    target: int
    image_source: str
    probability: np.ndarray
    iou: float
    tokens: tuple[int, ...]
    read: int
    sar_share: float = 0.0
    note: str = ""
    everywhere: np.ndarray | None = None

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool."""
        return self.probability > 0.5


@dataclass(frozen=True)
class Measured:
    """Text put into the sequence by the measuring core."""

    text: str


@dataclass(frozen=True)
class End:
    """The end: `finish` is ``"stop"``, ``"limit"`` or ``"loop"``, `reason` says why where it is not ``"stop"``."""

    finish: str
    reason: str = ""


Step = Token | Region | Measured | End


@dataclass(frozen=True, eq=False)
class Read:
    """Embeddings that a request wants read: (L, D). Its `run` is handed the hidden states, (L, D)."""

    embedded: Tensor


# ---- one request -----------------------------------------------------------------------------------------------
def run(model: TerraScopeModel, processor: Processor, request: Request) -> Generator[Read | Step, Tensor | None, None]:
    """Decode one request, asking for what must be read."""
    rules, forced, ids = request.rules, request.forced, processor.ids
    rng = np.random.default_rng(request.seed)
    # A placeholder stands for pictures, which only the prompt has: written by the model it would mean nothing.
    picker = Picker(rules.temperature, rules.top_p, rng, (*forced.suppressed, ids["image"]))
    stops = {ids["end"]} | (
        {s for s in STALE_STOPS if s < model.config.vlm_config.text_config.vocab_size} if rules.compat else set()
    )
    closing = processor.tokenizer.convert_tokens_to_ids("</answer>")
    if not rules.compat and closing is not None:
        stops.add(int(closing))
    began = time.monotonic()
    written: list[int] = []
    since: list[int] = []  # tokens since the last [SEG]
    made = masks = 0
    hidden = yield Read(request.encoded.prompt(model, request.inputs))
    while True:
        if len(written) >= rules.max_tokens:
            yield End("limit", f"{rules.max_tokens} tokens were written, the most allowed (max_tokens)")
            return
        if rules.max_seconds is not None and time.monotonic() - began > rules.max_seconds:
            yield End("limit", f"{rules.max_seconds:g} seconds were over (max_seconds)")
            return
        token = picker.pick(model.predict(_some(hidden)[-1:])[0])
        token = ids["seg"] if made in forced.seg_at else ids["end"] if made == forced.end_at else token
        if token == ids["seg"] and masks == rules.max_masks:
            yield End("limit", f"{masks} masks were drawn, the most allowed (max_masks)")
            return
        written.append(token)
        made += 1
        yield Token(token)
        if token in stops:
            yield End("stop")
            return
        again = repeats(written) if rules.loop and not rules.compat else None
        if again is not None:
            text = processor.decode(again.tokens)
            yield End("loop", f"{text!r} ({len(again.tokens)} tokens) was written {again.times} times in a row")
            return
        hidden = yield Read(model.embed(torch.tensor([token])))
        if token != ids["seg"]:
            since.append(token)
            continue
        region, features = _region(model, processor, request, _some(hidden)[-1], masks, processor.decode(since), rng)
        masks += 1
        since = []
        made += region.read
        yield region
        if region.read:
            hidden = yield Read(features)
        text = request.measure(region) if request.measure is not None else ""
        if text:
            yield Measured(text)
            hidden = yield Read(model.embed(processor.encode(text)))
        if rules.compat and masks == rules.max_masks:
            yield End("limit", f"{masks} masks were drawn, the most allowed (max_masks)")
            return


def _region(
    model: TerraScopeModel,
    processor: Processor,
    request: Request,
    state: Tensor,
    number: int,
    text: str,
    rng: np.random.Generator,
) -> tuple[Region, Tensor]:
    """The mask of a ``[SEG]`` whose hidden state is given, and the features to be read after it."""
    rules, inputs, encoded = request.rules, request.inputs, request.encoded
    at, source, note = _which_image(request, number, text)
    target = request.targets[at]
    prompt = model.bridge(state)[None]
    everywhere = None
    if rules.compat and len(request.targets) > 1:
        every = [encoded.segment(model, processor, inputs, t.image, prompt) for t in request.targets]
        drawn = every[at]
        everywhere = np.stack([_probability(m.at(inputs.sizes[0])) > 0.5 for m in every])
        seen = torch.from_numpy(everywhere[at])
    else:
        drawn, seen = encoded.segment(model, processor, inputs, target.image, prompt), None
    probability = _probability(drawn.at(inputs.sizes[target.image]))
    mask = torch.from_numpy(probability > 0.5) if seen is None else seen
    layout = inputs.layouts[target.image]
    tokens = regions.select(mask, layout, rules.region_rule, rules.region_cap, rules.region_mode, rng)
    if not bool(mask.any()):
        instead = "token 0 of the image was" if len(tokens) else "nothing was"
        note = f"{note} The mask is empty, {instead} read for it.".strip()
    elif not len(tokens) and rules.region_mode != "none":
        note = f"{note} The mask fills no token by more than half, nothing was read for it.".strip()
    visual = encoded.visual
    index = tokens.to(visual.device)
    share = 0.0
    if target.sar is None or rules.compat:
        features = visual[index]
    else:
        fused = encoded.fuse(model, inputs, target.image, target.sar, index, rules.fusion)
        features, share = fused.features, fused.sar_share
    region = Region(
        number,
        at,
        source,
        probability,
        float(drawn.iou[0, 0]),
        tuple(map(int, tokens)),
        len(features),
        share,
        note,
        everywhere,
    )
    return region, features


def _which_image(request: Request, number: int, text: str) -> tuple[int, str, str]:
    """Index of the target, how it was decided, and a note."""
    count = len(request.targets)
    if count == 1:
        return 0, "only", ""
    turn = number % count
    if request.rules.compat:
        return turn, "round-robin", ""
    named = written_image(text)
    if named is None:
        return turn, "round-robin", ""
    if not 1 <= named <= count:
        return turn, "round-robin", f"The text names image {named}, there are {count}; they were taken in turn."
    return named - 1, "written", ""


def _probability(logits: Tensor) -> np.ndarray:
    return logits[0, 0].float().sigmoid().cpu().numpy()


def _some(hidden: Tensor | None) -> Tensor:
    if hidden is None:
        raise RuntimeError("a request was resumed without what it asked to read")
    return hidden


def generated_ids(processor: Processor, steps: Sequence[Step]) -> list[int]:
    """Ids of a whole run as the published code counts them, ``<REGION>`` for each embedding read."""
    ids: list[int] = []
    for step in steps:
        if isinstance(step, Token):
            ids.append(step.id)
        elif isinstance(step, Region):
            ids += [processor.ids["region"]] * step.read
        elif isinstance(step, Measured):
            ids += processor.encode(step.text).tolist()
    return ids
