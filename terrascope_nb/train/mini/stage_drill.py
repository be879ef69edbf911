"""Stage 3: copying. Texts without pictures, only figures to be repeated, compared and subtracted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from terrascope_nb.model.config import SPECIAL
from terrascope_nb.model.network import IGNORED, TerraScopeModel
from terrascope_nb.model.processor import Processor
from terrascope_nb.model.prompt import turns
from terrascope_nb.reason.units import pretty
from terrascope_nb.train.mini.language import DATED, LAND, PAIRS, Asked
from terrascope_nb.train.mini.outcome import difference
from terrascope_nb.train.mini.state import Plan

PLAN = Plan(rate=8e-4, decay=0.05, betas=(0.9, 0.98), steps=600, batch=32)
#: How often each task is drawn: what needs care with digits comes most.
WEIGHTS = {
    "coverage": 0.15, "area": 0.15, "comparison": 0.14, "smaller": 0.07, "largest": 0.09, "adjacency": 0.08,
    "distance": 0.1, "existence": 0.04, "change": 0.12, "growth": 0.03, "shrinkage": 0.03,
}  # fmt: skip


class Writer(nn.Module):
    """The language model and its head."""

    def __init__(self, model: TerraScopeModel) -> None:
        super().__init__()
        self.language, self.head = model.language, model.vlm.lm_head
        self._model = [model]

    @property
    def model(self) -> TerraScopeModel:
        """The whole network."""
        return self._model[0]


def draw_text(rng: np.random.Generator) -> tuple[str, str, tuple[str, ...]]:
    """A question, what is written, and the figures behind each ``[SEG]``: all of it made up, and consistent.

    Examples
    --------
    >>> question, response, told = draw_text(np.random.default_rng(0))
    >>> response.count("[SEG]") == len(told)
    True
    """
    task = str(rng.choice(list(WEIGHTS), p=np.array(list(WEIGHTS.values())) / sum(WEIGHTS.values())))
    dates = 2 if task in DATED or rng.random() < 0.3 else 1
    n = len(LAND) if task == "largest" else 2 if task in PAIRS else 1
    labels = LAND if task == "largest" else tuple(str(x) for x in rng.choice(LAND, n, replace=False))
    asked = Asked(task, labels, 0 if task in DATED else int(rng.integers(dates)), dates)
    n = len(asked.places)
    shares = np.exp(rng.uniform(np.log(0.3), np.log(80), n))
    if n > 1 and rng.random() < 0.5:  # a close call
        shares = shares[0] + rng.choice([-1, 1], n) * rng.uniform(0.1, 6, n)
    shares = np.round(np.clip(shares, 0.1, 100), 1)
    if task != "distance" and rng.random() < (0.5 if task == "existence" else 0.03):
        shares[rng.integers(n)] = 0.0
    ground = float(rng.choice([1, 1, 1, 4, 9])) * 1e4 * float(rng.uniform(20, 100))  # m² of the whole scene
    gap = 0.0 if rng.random() < 0.5 else 10.0 * float(rng.uniform(1, 90)) * float(rng.choice([1, 1, 2, 3]))
    if task in ("comparison", "smaller") and shares[0] == shares[1]:
        shares[0] += 0.1  # or there is no larger one
    told = [_figure(s, ground, gap if k and task not in DATED and shares[k - 1] and s else None)
            for k, s in enumerate(shares)]  # fmt: skip
    said = _outcome(asked, [f"{pretty(float(s), '%')}" for s in shares], shares, ground, gap)
    return asked.question("measured"), asked.response(*said), tuple(told)


def _figure(share: float, ground: float, gap: float | None) -> str:
    """As `measured_text` writes it."""
    near = "" if gap is None else f", {pretty(gap, 'm')} from the region before"
    return f" ({pretty(float(share), '%')}, {pretty(float(share) * ground / 100, 'm²')}{near})"


def _outcome(asked: Asked, texts: list[str], shares: np.ndarray, ground: float, gap: float) -> tuple[str, str]:
    task, labels = asked.task, asked.labels
    if task == "coverage":
        return f" covers {texts[0]}", texts[0]
    if task == "area":
        text = pretty(float(shares[0]) * ground / 100, "m²")
        return f" covers {text}", text
    if task == "existence":
        return f" is {'' if shares[0] else 'not '}there", "yes" if shares[0] else "no"
    if task == "largest":
        first = min(zip(-shares, labels, strict=True))[1]  # ties by name, as `measure.rank`
        return f". {first} is the largest", first
    if task in ("comparison", "smaller"):
        k = int(shares.argmax() if task == "comparison" else shares.argmin())
        return f". {labels[k]} is {'larger' if task == 'comparison' else 'smaller'}", labels[k]
    if task == "adjacency":
        meet = bool(shares.all()) and gap == 0
        return f" {'' if meet else 'do not '}touch", "yes" if meet else "no"
    if task == "distance":
        return f" lie {pretty(gap, 'm')} apart", pretty(gap, "m")
    return difference(task, *texts)


def drill_loss(
    writer: Writer, processor: Processor, rng: np.random.Generator, n: int
) -> tuple[Tensor, Mapping[str, float]]:
    """Cross-entropy of what is written, in bfloat16."""
    rows = [_ids(processor, *draw_text(rng)) for _ in range(n)]
    pad = torch.nn.utils.rnn.pad_sequence
    ids = pad([i for i, _ in rows], batch_first=True, padding_value=processor.tokenizer.pad_token_id or 0)
    labels = pad([x for _, x in rows], batch_first=True, padding_value=IGNORED)
    mask = pad([torch.ones_like(i) for i, _ in rows], batch_first=True)
    with torch.autocast("cpu", torch.bfloat16):
        hidden = writer.model.read(writer.model.embed(ids), mask=mask)
        learnt = labels[:, 1:] != IGNORED
        logits, wanted = writer.head(hidden[:, :-1][learnt]), labels[:, 1:][learnt]
    loss = F.cross_entropy(logits.float(), wanted)
    return loss, {"right": float((logits.argmax(-1) == wanted).float().mean())}


def _ids(processor: Processor, question: str, response: str, told: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    ids = [processor.encode(turns(f"{question}\n"))]
    labels = [torch.full_like(ids[0], IGNORED)]
    parts = response.split(SPECIAL["seg"])
    for k, part in enumerate(parts):
        last = k == len(parts) - 1
        written = processor.encode(part + (SPECIAL["end"] if last else SPECIAL["seg"]))
        given = processor.encode(told[k]) if not last else written[:0]
        ids += [written, given]
        labels += [written, torch.full_like(given, IGNORED)]
    return torch.cat(ids), torch.cat(labels)
