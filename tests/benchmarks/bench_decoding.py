"""The decoding loop: static against dynamic cache, four requests in a batch, eight questions about one scene.

    python tests/benchmarks/bench_decoding.py [--small] [--rounds N] [--tokens 40] [--threads N]

Each line does the same work in two ways, in one process, with the same random weights, the two taking turns for some
rounds after a request that does not count; medians are printed as a Markdown table. Pictures are cut into tiles and
read by the vision tower inside the clock, unless a way shares what was read. Every request writes as many tokens and
draws two masks, of which the regions are read; SAM 2 is tiny here (`bench_grounding.py` has its real size), so what the
lines compare is the language model and the vision tower. «equal» says whether both ways wrote the same tokens and read
the same regions. Small networks on a CPU: a step's fixed costs weigh more and memory traffic less than at 8B on a card,
so read which way wins, not how far. ``--small`` has 20 million weights, pictures of 2 tiles and one round; without it
they are 150 million and 6 tiles.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from terrascope_nb.model.build import build_config
from terrascope_nb.model.config import SPECIAL
from terrascope_nb.model.decoding import Forced, Request, Rules, Step, Target, generated_ids
from terrascope_nb.model.driving import decode, drive, read_prefix
from terrascope_nb.model.encoding import Encoded
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.processor import Processor
from terrascope_nb.model.tiny import tiny_tokenizer

SIZES: dict[bool, tuple[dict[str, Any], dict[str, Any]]] = {
    True: (
        {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4},
        {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 6, "num_attention_heads": 8},
    ),
    False: (
        {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 4},
        {"hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 12, "num_attention_heads": 8},
    ),
}
#: Tokens that would end a text or draw a mask where none is forced.
NEVER = ("[SEG]", "<|im_end|>", "</answer>", "<REGION>", "<IMG_CONTEXT>")
Work = Callable[[], list[list[int]]]


@dataclass(frozen=True, eq=False)
class Bench:
    """The network, four pictures and the rules; makes requests and runs them."""

    model: TerraScopeModel
    processor: Processor
    pictures: Sequence[np.ndarray]
    rules: Rules
    suppressed: tuple[int, ...]

    @classmethod
    def of(cls, small: bool, tokens: int) -> Bench:
        """A random model of either size."""
        words = tiny_tokenizer()
        vision, llm = SIZES[small]
        config = build_config(
            vision, {**llm, "vocab_size": len(words), "num_key_value_heads": 2},
            {"embed_dim": 16, "num_heads": 1, "stages": (1, 1, 1, 1), "global": (), "window": (8, 4, 4, 2),
             "background": (4, 4)},
            {k: words.convert_tokens_to_ids(SPECIAL[k]) for k in ("image", "seg", "region")},
            sam_size=128, sam_hidden=32, decoder={"mlp_dim": 64, "num_attention_heads": 4},
        )  # fmt: skip
        torch.manual_seed(0)
        model, rng = TerraScopeModel(config).eval(), np.random.default_rng(0)
        pictures = [rng.integers(0, 255, (224, 448, 3) if small else (448, 672, 3), dtype=np.uint8) for _ in range(4)]
        rules = Rules(max_tokens=tokens, loop=False, region_rule="published")
        return cls(model, Processor(words, config), pictures, rules, tuple(map(words.convert_tokens_to_ids, NEVER)))

    def request(self, picture: int, question: str, shared: Encoded | None = None) -> Request:
        """A question about a picture, which is read by the vision tower unless that was done."""
        inputs = self.processor.prepare([self.pictures[picture]], f"<image>\n{question}\n")
        with torch.inference_mode():
            encoded = Encoded.of(self.model, inputs) if shared is None else shared
        forced = Forced(frozenset({5, 20}), None, self.suppressed)
        return Request(inputs, encoded, (Target(0),), self.rules, forced=forced)

    def one(self, request: Request, cache: str = "dynamic") -> list[int]:
        """Ids of a request decoded alone."""
        return generated_ids(self.processor, list(decode(self.model, self.processor, request, cache)))

    def together(self, requests: Sequence[Request], share: bool = False) -> list[list[int]]:
        """Ids of requests decoded in one batch."""
        steps: list[list[Step]] = [[] for _ in requests]
        for k, step in drive(self.model, self.processor, requests, share=share):
            steps[k].append(step)
        return [generated_ids(self.processor, s) for s in steps]

    # ---- the ways ---------------------------------------------------------------------------------------------
    def cached(self, cache: str) -> list[list[int]]:
        """One request, with either cache."""
        return [self.one(self.request(0, "What?"), cache)]

    def singles(self) -> list[list[int]]:
        """Four scenes, one after another."""
        return [self.one(self.request(k, "What?")) for k in range(4)]

    def batch(self) -> list[list[int]]:
        """Four scenes in one batch."""
        return self.together([self.request(k, "What?") for k in range(4)])

    def requests(self) -> list[list[int]]:
        """Eight questions about one scene, each as a request of its own."""
        return [self.one(self.request(0, f"What {k}?")) for k in range(8)]

    def questions(self, together: int) -> list[list[int]]:
        """The same eight questions, sharing what was read of the scene, some at a time."""
        first = self.request(0, "What 0?")
        asked = [first, *(self.request(0, f"What {k}?", first.encoded) for k in range(1, 8))]
        read_prefix(self.model, first)
        return [ids for k in range(0, 8, together) for ids in self.together(asked[k : k + together], share=True)]


def clocked(work: Work) -> tuple[float, float, list[list[int]]]:
    """CPU seconds of the process, wall seconds, and what was written."""
    wall, cpu = time.perf_counter(), time.process_time()
    written = work()
    return time.process_time() - cpu, time.perf_counter() - wall, written


def compare(name: str, plain: Work, other: Work, rounds: int) -> None:
    """Print a line: both ways by turns, medians."""
    clocks: tuple[list[tuple[float, float]], ...] = ([], [])
    equal = True
    for _ in range(rounds):
        (*a, first), (*b, second) = clocked(plain), clocked(other)
        equal &= first == second
        clocks[0].append((a[0], a[1]))
        clocks[1].append((b[0], b[1]))
    (cpu, wall), (cpu2, wall2) = ([statistics.median(c[k] for c in way) for k in (0, 1)] for way in clocks)
    print(
        f"| {name} | {cpu:.2f} | {cpu2:.2f} | **{cpu / cpu2:.2f}** | {wall:.2f} | {wall2:.2f} | {wall / wall2:.2f} | "
        f"{'yes' if equal else 'no'} |",
        flush=True,
    )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--rounds", type=int, help="by default 1 with --small, else 3")
    parser.add_argument("--tokens", type=int, default=40, help="tokens that each request writes, at least 25")
    parser.add_argument("--threads", type=int)
    asked = parser.parse_args()
    if asked.tokens < 25:
        parser.error(f"--tokens is at least 25, so that both masks come; got {asked.tokens}")
    rounds = asked.rounds or (1 if asked.small else 3)
    if asked.threads:
        torch.set_num_threads(asked.threads)
    bench = Bench.of(asked.small, asked.tokens)
    prompt = len(bench.request(0, "What?").inputs.ids)
    bench.cached("dynamic")
    millions = sum(p.numel() for p in bench.model.parameters()) / 1e6
    print(
        f"{millions:.0f} million random weights, {bench.model.dtype}, {prompt} tokens of prompt, {asked.tokens} "
        f"written and 2 masks a request; {torch.get_num_threads()} torch threads, torch {torch.__version__}; median of "
        f"{rounds}\n"
    )
    print("| first way → second way | CPU s, first | second | ratio | wall s, first | second | ratio | equal |")
    print("|---|---|---|---|---|---|---|---|")
    long = replace(bench, rules=replace(bench.rules, max_tokens=4 * asked.tokens))
    compare(f"dynamic cache → static cache, {asked.tokens} tokens", lambda: bench.cached("dynamic"),
            lambda: bench.cached("static"), rounds)  # fmt: skip
    compare(f"dynamic cache → static cache, {4 * asked.tokens} tokens", lambda: long.cached("dynamic"),
            lambda: long.cached("static"), rounds)  # fmt: skip
    compare("4 scenes, one by one → batch of 4", bench.singles, bench.batch, rounds)
    compare("8 requests → 8 questions on one scene, one by one", bench.requests, lambda: bench.questions(1),
            rounds)  # fmt: skip
    compare("8 requests → 8 questions on one scene, by fours", bench.requests, lambda: bench.questions(4),
            rounds)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
