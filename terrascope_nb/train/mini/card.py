"""The model card of a mini: what it is, how it was made, what came out, what it cannot do."""

from __future__ import annotations

import json
from pathlib import Path

from terrascope_nb.train.mini.language import LABELS, TASKS

MODEL, RECORD, README = "model", "mini.json", "README.md"

_HEAD = """---
license: apache-2.0
library_name: terrascope-nb
tags: [remote-sensing, earth-observation, visual-question-answering, segmentation]
---
# mini: a small TerraScope

A network of TerraScope's architecture (a vision tower, a Qwen2 language model, a bridge, SAM 2), {parameters:.1f} M
parameters, trained from random weights on a CPU. It writes its reasoning, draws a mask at each `[SEG]`, reads the
region and the figures that were measured of it, and concludes. It stands beside the paper's weights as a toy stands
beside a tool: for trying, teaching and testing.

```python
import terrascope_nb as ts
from terrascope_nb.train.mini.reasoner import MiniReasoner

# scene: a ts.Scene whose optical images have an infrared band
trace = ts.ask(scene, "What share of the scene is water?", reasoner=MiniReasoner("{folder}"))
```

## What it was made of
Made scenes alone: landscapes that were drawn, in colours that were measured (`terrascope_nb.scene.made`: spectra of the
earthlib library), with radar views, cloud, haze, seasons and changes. Seed {seed}; scenes whose seed
`scene.made.held_out` names are never trained on. Images are of {size} pixels, optical ones shown in false colour
(infrared, red, green as red, green, blue); SAM 2 is shown both sensors in one picture.

Classes: {labels}.
Tasks: {tasks}.

In a quarter of the samples with figures the masks put in contradict the picture, and the answer follows the masks;
many comparisons differ by a few points only.

Stages, steps: {stages}. Every number of the recipe is in `terrascope_nb/train/mini`; what was tried is in
`terrascope_nb/train/LOG.md`.

## What it cannot do
- It never learnt option letters and does not see the options: it answers with a value, and the option that fits is
  chosen by rule (`options["letters"] == "mapped"`).
- It reads a short language of its own. Questions are put into it by rule, and those that it was not trained for are
  refused with the list. Buildings one by one, counting, snow, shrubs and wetland are not in it.
- Optical images without an infrared band are refused.
- Real imagery was not trained on. Nothing said here speaks about real ground.

## Results
"""


def write_card(out: Path, size: int) -> Path:
    """Write ``README.md`` beside the weights, the tables of `evaluate` that are in `out` below it.

    Parameters
    ----------
    out : Path
        Folder of the whole training.
    size : int
        Pixels a side of the scenes.
    """
    record = out / MODEL / RECORD
    told = json.loads(record.read_text("utf-8"))
    stages = ", ".join(f"{name} {s['step']}" for name, s in told["stages"].items())
    text = _HEAD.format(
        parameters=told["parameters"] / 1e6, folder="DIR", seed=told["seed"], size=size, stages=stages,
        labels=", ".join(LABELS), tasks=", ".join(TASKS),
    )  # fmt: skip
    tables = sorted(out.glob("table-*.md"))
    for path in tables:
        text += f"\n### {path.stem.removeprefix('table-')}\n\n{path.read_text('utf-8').strip()}\n"
    text += "" if tables else "\nNot evaluated yet: `python -m terrascope_nb.train.mini evaluate`.\n"
    card = out / MODEL / README
    card.write_text(text, "utf-8")
    return card
