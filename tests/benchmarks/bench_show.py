"""Size and time of what a notebook shows of a trace: ``python tests/benchmarks/bench_show.py`` prints a Markdown table.

Two dates of a 512 × 512 scene with radar and cloud; masks are the truth, clean or with 5 % of pixels flipped.
"""

from __future__ import annotations

import time
from base64 import b64encode

import numpy as np

from terrascope_nb.reason.events import Answer, Mask
from terrascope_nb.reason.show import page, plot, text
from terrascope_nb.reason.trace import Trace
from terrascope_nb.scene.synthetic import Synthetic, synthetic_pair
from terrascope_nb.testing.traces import trace_of

LABELS = ("water", "tree cover", "grassland", "cropland", "bare land")


def build(made: Synthetic, steps: int, noise: float) -> Trace:
    """A trace of so many steps, over the scene's four images in turn."""
    rng = np.random.default_rng(1)
    parts = []
    for k in range(steps):
        label = LABELS[k % len(LABELS)]
        mask = made.truth(label) ^ (rng.random(made.maps[0].shape) < noise)
        parts.append((f"{label.capitalize()} [SEG] covers {k}.0 % of it. ", Mask(mask, label=label, image=k % 4)))
    return trace_of(made.scene, parts, "Which classes are there?", Answer("Five classes."))


def main() -> None:
    """Print the table."""
    made = synthetic_pair(np.random.default_rng(0), 512, cloud=0.15)
    print("| steps | masks | HTML kB | PNG kB | text kB | together kB | shown at | bundle s | page kB | plot s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for steps in (1, 5, 20):
        for noise in (0.0, 0.05):
            trace = build(made, steps, noise)
            trace.claims  # noqa: B018  (checked once, whatever is shown)
            start = time.perf_counter()
            bundle = trace._repr_mimebundle_()
            took = time.perf_counter() - start
            sizes = [len(bundle["text/html"].encode()), len(b64encode(bundle["image/png"])), len(text(trace).encode())]
            shown = bundle["text/html"].partition("Shown at ")[2][:9].split()
            start = time.perf_counter()
            plot(trace)._repr_png_()
            drew = time.perf_counter() - start
            row = [steps, "noisy" if noise else "clean", *(f"{v / 1000:.0f}" for v in (*sizes, sum(sizes)))]
            row += [
                shown[0] if shown else "512",
                f"{took:.2f}",
                f"{len(page(trace).encode()) / 1000:.0f}",
                f"{drew:.2f}",
            ]
            print("| " + " | ".join(map(str, row)) + " |")


if __name__ == "__main__":
    main()
