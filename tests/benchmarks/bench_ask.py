"""Ask a loaded scene of 1024 × 1024 pixels, against the plain numpy index computation that the answer needs.

``python tests/benchmarks/bench_ask.py [SIDE]`` prints a Markdown table: the median of several runs in one process
(a new reasoner for each first question; a reasoner that has seen the scene for each later one).
"""

from __future__ import annotations

import cProfile
import pstats
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import terrascope_nb as ts
from terrascope_nb.reason.spectral import SpectralReasoner
from terrascope_nb.testing import synthetic_scene

QUESTIONS = (
    "What share of the scene is water?",
    "What share of the scene is forest?",
    "How far is the built-up area from water?",
    "How many lakes are there?",
    "Rank the classes by area.",
)


def indices(b: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """NDVI, NDWI, MNDWI, NDBI and NDSI by plain numpy, and a mask and a share of each class-like threshold."""

    def ratio(x: str, y: str) -> np.ndarray:
        return (b[x] - b[y]) / (b[x] + b[y])

    found = {
        "ndvi": ratio("nir", "red"), "ndwi": ratio("green", "nir"), "mndwi": ratio("green", "swir16"),
        "ndbi": ratio("swir16", "nir"), "ndsi": ratio("green", "swir16"),
    }  # fmt: skip
    for values in found.values():
        float((values > 0).mean())
    return found


def seconds(work: Callable[[], Any], runs: int) -> float:
    """Median time of a call."""
    took = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def main(side: int) -> None:
    """Print the table and the functions that take most of a first question."""
    scene = synthetic_scene(np.random.default_rng(0), size=side).scene
    optical = scene.select(modalities="optical")
    ts.ask(optical, QUESTIONS[0])  # imports
    plain = seconds(lambda: indices(scene.images[0].arrays()), 9)
    print(f"{side} × {side} pixels, 6 optical and 2 radar bands, float32; medians\n")
    print("| | seconds | × plain numpy |\n|---|---:|---:|")
    print(f"| five indices, their masks and shares, plain numpy | {plain:.3f} | 1.0 |")

    def row(name: str, took: float) -> None:
        print(f"| {name} | {took:.3f} | {took / plain:.1f} |")

    for name, of in (("optical", optical), ("optical and radar", scene)):
        row(f"first question, {name}", seconds(lambda of=of: ts.ask(of, QUESTIONS[0], reasoner=SpectralReasoner()), 5))
    warm = SpectralReasoner()
    for question in QUESTIONS:
        ts.ask(scene, question, reasoner=warm)
        row(f"later: {question}", seconds(lambda q=question: ts.ask(scene, q, reasoner=warm), 5))
    row("checking its claims (ranking)", _claims(scene, warm))

    profile = cProfile.Profile()
    profile.runcall(ts.ask, scene, QUESTIONS[0], reasoner=SpectralReasoner())
    print("\nA first question, functions by their own time:\n")
    stats = pstats.Stats(profile, stream=sys.stdout)
    stats.sort_stats("tottime").print_stats(12)


def _claims(scene: ts.Scene, reasoner: SpectralReasoner) -> float:
    traces = [ts.ask(scene, QUESTIONS[-1], reasoner=reasoner) for _ in range(3)]
    times = iter(traces)
    return seconds(lambda: next(times).claims, len(traces))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1024)
