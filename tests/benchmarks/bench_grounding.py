"""The grounding part at its real size, Hiera-L at 1024 pixels: one encoding an image, against one at every ``[SEG]``.

    python tests/benchmarks/bench_grounding.py [--images 1 2] [--segs 1 2 4] [--plain-two 2] [--small] [--threads N]

Both ways have the same random weights, pictures, prompts and process, and start from pictures of 8 bits: «ours» is
`Encoded.segment`, as the decoding loop calls it; «plain» is written here and keeps nothing: at every ``[SEG]`` it
encodes the image again, and with several images each of them twice, drawing on all, as the published loop does. A
request of the most ``[SEG]`` is run once and its clocks are read on the way, after each number of ``[SEG]`` asked for.
The plain loop over two images stops after ``--plain-two`` of them, because each takes four encodings (``--plain-two 4``
adds eight). The language model has no part in it. Prints Markdown tables: encodings, CPU seconds of the process, wall
seconds, and ratios. Other load on the machine spoils the wall seconds more than the CPU seconds: read the CPU ratios.
An encoding takes about 27 CPU seconds on a slow core; ``--small`` (a narrow Hiera at 128 px) is for the counts alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from terrascope_nb.model.build import HIERA_LARGE, build_config
from terrascope_nb.model.config import SPECIAL
from terrascope_nb.model.encoding import Encoded
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Inputs, Processor
from terrascope_nb.model.tiny import tiny_model, tiny_tokenizer


@dataclass(frozen=True)
class Cost:
    """What a request had cost after some ``[SEG]``: encodings, CPU seconds, wall seconds."""

    encodings: int
    cpu: float
    wall: float


def real_model() -> tuple[TerraScopeModel, Processor]:
    """A model whose grounding part has its real size; its language model is tiny and never runs."""
    words = tiny_tokenizer()
    config = build_config(
        vision={"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2},
        llm={
            "vocab_size": len(words), "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1,
            "num_attention_heads": 4, "num_key_value_heads": 2,
        },
        hiera=HIERA_LARGE,
        tokens={k: words.convert_tokens_to_ids(SPECIAL[k]) for k in ("image", "seg", "region")},
    )  # fmt: skip
    torch.manual_seed(0)
    return TerraScopeModel(config).eval(), Processor(words, config)


def ours(model: TerraScopeModel, processor: Processor, inputs: Inputs, prompts: torch.Tensor) -> Iterator[torch.Tensor]:
    """Logits of each mask, the images in turn, as the package draws them."""
    encoded = Encoded(torch.zeros(0, 1))
    for k, prompt in enumerate(prompts):
        image = k % len(inputs.images)
        yield encoded.segment(model, processor, inputs, image, prompt[None]).at(inputs.sizes[image])


def plain(
    model: TerraScopeModel, processor: Processor, inputs: Inputs, prompts: torch.Tensor
) -> Iterator[torch.Tensor]:
    """The same masks by the loop that keeps nothing."""
    count = len(inputs.images)
    for k, prompt in enumerate(prompts):
        every = []
        for image in range(count):
            for _ in range(1 if count == 1 else 2):
                features = model.segmenter.encode(processor.sam_pixels(inputs.images[image])[None])
            every.append(model.segmenter.decode(features, prompt[None]).at(inputs.sizes[image]))
        yield every[k % count]


def clocked(
    way: Callable[..., Iterator[torch.Tensor]], model: TerraScopeModel, processor: Processor, inputs: Inputs,
    prompts: torch.Tensor, label: str,
) -> tuple[list[Cost], list[torch.Tensor]]:  # fmt: skip
    """Run a request; its costs after each ``[SEG]``, and its masks' logits."""
    costs, masks, before = [], [], model.segmenter.encoder_calls
    wall, cpu = time.perf_counter(), time.process_time()
    for mask in way(model, processor, inputs, prompts):
        masks.append(mask)
        now = time.process_time() - cpu, time.perf_counter() - wall
        costs.append(Cost(model.segmenter.encoder_calls - before, *now))
        print(f"{label}, [SEG] {len(masks)}: {now[1]:.0f} s", file=sys.stderr)
    return costs, masks


def main() -> int:
    """Run and print; the exit status says whether each image was encoded once and both ways drew the same masks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--segs", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--plain-two", type=int, default=2, help="most [SEG] of the plain loop with several images")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--threads", type=int)
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    model, processor = tiny_model() if asked.small else real_model()
    rng = np.random.default_rng(0)
    width = model.config.sam_config.mask_decoder_config.hidden_size
    prompts = torch.from_numpy(rng.standard_normal((max(asked.segs), width), dtype=np.float32))
    millions = sum(p.numel() for p in model.segmenter.sam.parameters()) / 1e6
    print(
        f"SAM 2 of {millions:.0f} million random weights at {model.config.sam_size} px, {model.dtype}, "
        f"{torch.get_num_threads()} torch threads, torch {torch.__version__}\n"
    )
    print("| images | `[SEG]` | encodings, plain | ours | CPU s, plain | ours | ratio | wall s, plain | ours | ratio |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    good, later = True, []
    with torch.inference_mode():
        warm = tiny_model(seed=1)
        list(ours(*warm, warm[1].prepare([np.zeros((64, 64, 3), np.uint8)], "<image>\nwarm\n"), torch.zeros(1, 32)))
        for count in asked.images:
            pictures = [rng.integers(0, 255, (512, 512, 3), dtype=np.uint8) for _ in range(count)]
            inputs = processor.prepare(pictures, "<image>\nHow much water is there?\n")
            few = prompts if count == 1 else prompts[: asked.plain_two]
            mine, drawn = clocked(ours, model, processor, inputs, prompts, f"ours, {count} images")
            theirs, beside = clocked(plain, model, processor, inputs, few, f"plain, {count} images")
            off = max(float((a - b).abs().max()) for a, b in zip(drawn, beside, strict=False))
            for n in sorted(asked.segs):
                a, b = mine[n - 1], theirs[n - 1] if n <= len(theirs) else None
                good &= a.encodings == min(n, count)
                cells = (
                    ("–", a.encodings, "–", f"{a.cpu:.1f}", "–", "–", f"{a.wall:.1f}", "–") if b is None else
                    (b.encodings, a.encodings, f"{b.cpu:.1f}", f"{a.cpu:.1f}", f"**{b.cpu / a.cpu:.2f}**",
                     f"{b.wall:.1f}", f"{a.wall:.1f}", f"{b.wall / a.wall:.2f}")
                )  # fmt: skip
                print("| " + " | ".join(map(str, (count, n, *cells))) + " |", flush=True)
            good &= off < 1e-3
            later.append(f"{count} images: the logits of both ways differ by at most {off:.1e}.")
            if count == 1 and len(mine) > 1:
                times = mine[-1].cpu / mine[0].cpu
                later.append(f"One image, ours: {len(mine)} `[SEG]` cost {times:.3f} × one, by CPU seconds.")
    print("\n" + "\n".join(later))
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
