"""How well SAM 2 draws by itself, prompted by the class vectors: IoU by class and picture, on held-out scenes."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice

import numpy as np
import torch

from terrascope_nb.bench.grounding import iou
from terrascope_nb.model.processor import sam_pixels
from terrascope_nb.train.mini.language import LABELS
from terrascope_nb.train.mini.scenes import Kept, keep, numbers, scene_of
from terrascope_nb.train.mini.stage_segment import ClassPrompts

#: Least share of the scene that a class must have to be counted: the benchmark's.
LEAST = 0.03
SHOWN = ("optical", "optical, cloudy", "radar", "both", "both, cloudy")


@torch.inference_mode()
def mask_table(prompts: ClassPrompts, seed: int, n: int) -> str:
    """Markdown: mean IoU of the masks of each class with at least 3 % of the scene, over `n` held-out scenes.

    Optical masks count where the ground is seen, as every figure does; «cloud» is counted under cloudy optical images.
    """
    prompts.eval()
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for place in islice(numbers(seed, test=True), n):
        scene = keep(scene_of(seed, place, pair=False))
        cloudy = bool(scene.hidden.any())
        for shown in SHOWN:
            if shown != "radar" and shown.endswith("cloudy") != cloudy:
                continue
            for label, value in _ious(prompts, scene, shown).items():
                found[label, shown].append(value)
    lines = [f"| IoU | {' | '.join(SHOWN)} |", f"|{'---|' * (len(SHOWN) + 1)}"]
    for label in LABELS:
        lines.append(f"| {label} | {' | '.join(_cell(found[label, s]) for s in SHOWN)} |")
    whole = [[v for x in LABELS if x != "cloud" for v in found[x, s]] for s in SHOWN]
    lines.append(f"| all but cloud | {' | '.join(map(_cell, whole))} |")
    return "\n".join(lines)


def _ious(prompts: ClassPrompts, scene: Kept, shown: str) -> dict[str, float]:
    picture = scene.optical[0] if shown.startswith("optical") else scene.sar[0]
    picture = scene.fused(0) if shown.startswith("both") else picture
    logits, guess, _ = prompts.candidates(sam_pixels(picture, 128)[None], torch.arange(len(LABELS))[None])
    best = logits[0, torch.arange(len(LABELS)), guess[0].argmax(1)]
    drawn = torch.nn.functional.interpolate(best[None], scene.labels.shape[1:], mode="bilinear")[0].numpy() > 0
    out = {}
    for k, label in enumerate(LABELS):
        truth = scene.mask(label, 0)
        if truth.mean() < LEAST or (label == "cloud" and not shown.startswith("optical")):
            continue
        seen = ~scene.hidden[0] if shown.startswith("optical") and label != "cloud" else None
        out[label] = iou(drawn[k], truth, seen)
    return out


def _cell(values: list[float]) -> str:
    return f"{np.mean(values):.2f} ({len(values)})" if values else "–"
