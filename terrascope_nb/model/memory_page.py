"""The page docs/memory.md, computed: ``python -m terrascope_nb.model.memory_page docs/memory.md`` writes it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from terrascope_nb.model.memory import PRESETS, MemoryEstimate, estimate, gigabytes, preset

MODES = (("fp32", None), ("bf16", None), ("bf16", "8bit"), ("bf16", "4bit"))

_INTRO = """# Memory that the network needs

Computed from the configuration by `terrascope_nb.model.memory`, on torch's meta device: the network is built and every
stage is run with tensors that have a shape and no bytes, and what is alive at a time is counted. **Nothing here was
measured on a GPU.** A request of 13 tiles (12 and the thumbnail), one image, three masks at 1024 × 1024 and 1,024 text
tokens. GB are 10⁹ bytes. Attention is counted as its fused kernels work, without a matrix of scores.

Checked where it could be: real tensors counted the same way come to the same number of bytes, and when SAM 2's encoder
runs at its real size in fp32 on a CPU, the process grows by 0.48 GB where 0.45 is computed (`pytest -m slow -k resident
tests/test_memory.py` runs it).

Not counted: what the driver and its libraries take for themselves (some hundred MB on CUDA), memory that torch's
allocator has reserved and does not use, room for a batch, and training. 8 and 4 bit hold for the linear layers of the
language model alone; vision, SAM 2, bridge, embeddings and the output matrix stay in the compute type, and a layer that
is being used may be unpacked for the moment (0.14 GB at 8B). Weights are published for the 8B alone.

Your own case:

```python
from terrascope_nb.model.memory import estimate, preset
estimate(preset("8B"), "bf16", quantization="4bit", n_tiles=2, n_images=2, n_masks=8)
```

This page is written by `python -m terrascope_nb.model.memory_page docs/memory.md`; a test compares it with what the
code computes.
"""

_COMPARED = """## Beside the paper's figures

The paper states 22.4 GB with one mask and 24.2 GB with three or more, on an A100 at batch 1. The same request comes to
{one} and {three} GB here. The difference of {gap:.1f} GB is not explained by anything that was run here: the paper does
not say whether its figure is what tensors held, what the allocator had reserved or what the driver reported, nor how
many tiles its samples had. The share of driver and allocator is in the last two kinds of figure and not in ours. The
released code also encodes the image again at every mask; here one encoding is kept ({kept:.0f} MB an image in bf16),
and a further mask costs a region's tokens in the cache and its own pixels, {more:.0f} MB, not most of a GB. Until
someone has run it on a GPU, choose a card by the paper's figures, and use these to compare modes.
"""


def document() -> str:
    """The text of the page: every preset in every mode."""
    return "\n".join([_INTRO, *map(_section, PRESETS), _parts()])


def _section(name: str) -> str:
    config = preset(name)
    rows = [estimate(config, dtype, quantization) for dtype, quantization in MODES]
    lines = [
        f"## {name}: {rows[0].parameters / 1e9:.2f} billion weights\n",
        "| mode | weights | kept | largest stage | together, GB | KV cache a token |",
        "|---|---|---|---|---|---|",
        *map(_row, rows),
    ]
    return "\n".join(lines) + "\n"


def _row(e: MemoryEstimate) -> str:
    largest = max(e.stages, key=lambda p: p.bytes)
    kept = sum(p.bytes for p in e.kept)
    cells = [e.mode, gigabytes(e.weight_bytes), gigabytes(kept), f"{gigabytes(largest.bytes)} ({largest.name})"]
    return f"| {' | '.join([*cells, f'**{gigabytes(e.total)}**', f'{e.kv_bytes_per_token:,} bytes'])} |"


def _parts() -> str:
    config = preset("8B")
    one, three = (estimate(config, n_masks=n) for n in (1, 3))
    stages = "\n".join(f"- {p.name}: {gigabytes(p.bytes)} GB, {p.note}" for p in three.stages)
    features = next(p.bytes for p in three.kept if p.name == "SAM 2 features")
    compared = _COMPARED.format(
        one=gigabytes(one.total), three=gigabytes(three.total), gap=22.4 - one.total / 1e9, kept=features / 1e6,
        more=(three.total - one.total) / 2e6,
    )  # fmt: skip
    return f"""## 8B in bf16, part by part

```
{three}
```

Stages follow one another, so only the largest counts:

{stages}

{compared}"""


def main(arguments: Sequence[str]) -> int:
    """Write the page to the file named; gives the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m terrascope_nb.model.memory_page FILE\n")
        return 2
    Path(arguments[0]).write_text(document(), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
