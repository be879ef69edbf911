"""The commands of the mini: each stage reads what those before it left in the folder, and can be broken off."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from terrascope_nb.errors import TerrascopeError
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.train.mini import scenes as drawing
from terrascope_nb.train.mini.network import SIZE, mini_network
from terrascope_nb.train.mini.state import DONE, Plan, load_weights, train

SCENES = "scenes"
Loss = tuple[Tensor, Mapping[str, float]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one stage; 0 when it is over, 1 for an error, 3 when it was broken off by ``--stop-at``."""
    told = _parser().parse_args(arguments)
    torch.set_num_threads(told.threads)
    try:
        return told.run(told)
    except TerrascopeError as e:
        _say(f"{type(e).__name__}: {e}")
        return 1


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m terrascope_nb.train.mini", description=__doc__)
    stages = parser.add_subparsers(dest="stage", required=True)

    def stage(name: str, run: Callable[[argparse.Namespace], int], what: str) -> argparse.ArgumentParser:
        sub = stages.add_parser(name, help=what, description=what)
        sub.set_defaults(run=run)
        sub.add_argument("--out", type=Path, required=True, help="folder of the whole training")
        sub.add_argument("--seed", type=int, default=0)
        sub.add_argument("--threads", type=int, default=1, help="of torch")
        sub.add_argument("--small", action="store_true", help="a network shrunk to try the machinery")
        return sub

    sub = stage("scenes", _scenes, "draw the scenes to learn from")
    sub.add_argument("--n", type=int, default=3000)
    for name, run, what in (
        ("see", _segment, "1a: SAM 2's encoder tells classes cell by cell"),
        ("segment", _segment, "1b: SAM 2 draws, prompted by a vector a class"),
        ("language", _language, "2: questions, figures, class names; no SAM 2, and may run beside stage 1"),
        ("drill", _drill, "3: copying figures, without pictures"),
        ("settle", _language, "2 again, after the drill"),
        ("joint", _joint, "4: everything together (optional)"),
    ):
        sub = stage(name, run, what)
        sub.add_argument("--steps", type=int, default=0, help="0: as many as the recipe has")
        sub.add_argument("--minutes", type=float, default=0, help="minutes of the processor, instead of steps")
        sub.add_argument("--batch", type=int, default=0, help="pictures or samples a step; 0: as the recipe has it")
        sub.add_argument("--stop-at", type=int, help="break off before this step")
        sub.add_argument("--save-every", type=float, default=60.0, help="seconds between states on disk")
    sub = stage("export", _export, "write the network that these stages made, as open_reasoner opens it")
    sub.add_argument("--full", action="store_true", help="weights in float32, not float16")
    sub = stage("masks", _masks, "IoU of SAM 2 with the class vectors, by class and sensor, on held-out scenes")
    sub.add_argument("--n", type=int, default=100, help="scenes")
    sub.add_argument("--test-seed", type=int, default=1000)
    sub = stage("evaluate", _evaluate, "ask the exported network held-out questions in several ways; prints Markdown")
    sub.add_argument("--rows", default="measured,true-masks,box,random,wrong-image,regions,text,wrong-image-text,rule")
    sub.add_argument("--n", type=int, default=300, help="questions of the benchmark's tasks; half as many further ones")
    sub.add_argument("--test-seed", type=int, default=1000, help="of the held-out scenes")
    sub.add_argument("--sensor", choices=("both", "optical", "sar"), default="both")
    sub.add_argument("--cloud", type=float, default=0.0, help="share of each scene")
    return parser


def _scenes(told: argparse.Namespace) -> int:
    written = drawing.write_scenes(told.out / SCENES, told.seed, told.n)
    _say(f"{written} files of {drawing.CHUNK} scenes written to {told.out / SCENES}")
    return 0


def _segment(told: argparse.Namespace) -> int:
    from terrascope_nb.train.mini import stage_segment as stage

    model, _ = mini_network(told.seed, told.small)
    module = stage.ClassPrompts(model, told.seed)
    plan, off = (stage.SEE, stage.see_loss) if told.stage == "see" else (stage.PLAN, stage.segment_loss)
    if told.stage == "see":
        for name, p in module.named_parameters():
            p.requires_grad_(name.startswith(("cells.", "sam.vision_encoder.")))
    elif (told.out / "see" / DONE).is_file():
        load_weights(module, told.out / "see")
    scenes = drawing.read_scenes(told.out / SCENES)

    def loss(step: int) -> Loss:
        return off(module, stage.draw_batch(scenes, _rng(told, step), told.batch or plan.batch))

    return _train(module, loss, plan, told)


def _language(told: argparse.Namespace) -> int:
    from terrascope_nb.train.mini.exercises import draw_exercise
    from terrascope_nb.train.mini.stage_language import PLAN, SETTLE, Reader, language_loss
    from terrascope_nb.train.mini.stage_segment import class_vectors

    model, processor = mini_network(told.seed, told.small)
    module = Reader(model, told.seed)
    vectors = class_vectors(model.config, told.seed)
    plan = SETTLE if told.stage == "settle" else PLAN
    if told.stage == "settle":
        load_weights(module, told.out / "language")
        _after_drill(model, told.out)
    scenes = drawing.read_scenes(told.out / SCENES)

    def loss(step: int) -> Loss:
        rng = _rng(told, step)
        drawn = [draw_exercise(scenes, rng, model.config.grid) for _ in range(told.batch or plan.batch)]
        return language_loss(module, processor, drawn, vectors)

    return _train(module, loss, plan, told)


def _after_drill(model: TerraScopeModel, out: Path) -> None:
    from terrascope_nb.train.mini.stage_drill import Writer

    load_weights(Writer(model), out / "drill")


def _drill(told: argparse.Namespace) -> int:
    from terrascope_nb.train.mini.stage_drill import PLAN, Writer, drill_loss
    from terrascope_nb.train.mini.stage_language import Reader

    model, processor = mini_network(told.seed, told.small)
    load_weights(Reader(model), told.out / "language")
    module = Writer(model)
    return _train(
        module, lambda step: drill_loss(module, processor, _rng(told, step), told.batch or PLAN.batch), PLAN, told
    )


def _joint(told: argparse.Namespace) -> int:
    from terrascope_nb.train.mini.exercises import draw_exercise
    from terrascope_nb.train.mini.export import assembled
    from terrascope_nb.train.mini.stage_joint import PLAN, Whole, joint_loss

    model, processor, _ = assembled(told.out, told.seed, told.small, skip=("joint",))
    module = Whole(model)
    scenes = drawing.read_scenes(told.out / SCENES)

    def loss(step: int) -> Loss:
        rng = _rng(told, step)
        drawn = [draw_exercise(scenes, rng, model.config.grid, ("true",)) for _ in range(told.batch or PLAN.batch)]
        return joint_loss(module, processor, drawn)

    return _train(module, loss, PLAN, told)


def _export(told: argparse.Namespace) -> int:
    from terrascope_nb.train.mini.export import export

    _say(f"written: {export(told.out, told.seed, told.small, half=not told.full)}")
    return 0


def _masks(told: argparse.Namespace) -> int:
    from terrascope_nb.train.mini.drawn import mask_table
    from terrascope_nb.train.mini.stage_segment import ClassPrompts

    prompts = ClassPrompts(mini_network(told.seed, told.small)[0], told.seed)
    load_weights(prompts, told.out / "segment")
    sys.stdout.write(mask_table(prompts, told.test_seed, told.n) + "\n")
    return 0


def _evaluate(told: argparse.Namespace) -> int:
    from terrascope_nb.train.mini.card import MODEL, write_card
    from terrascope_nb.train.mini.evaluate import evaluate
    from terrascope_nb.train.mini.suite import benchmark_suite, further_suite

    name = f"{told.sensor}-{round(100 * told.cloud)}-{told.test_seed}-{told.n}"
    main = benchmark_suite(told.out / f"suite-{name}", told.n, told.test_seed, told.sensor, told.cloud)
    further = further_suite(told.n // 2, told.test_seed, told.sensor, told.cloud)
    runs = told.out / f"runs-{name}"
    text = evaluate(told.out / MODEL, [main, further], told.rows.split(","), runs, told.seed, _say)
    (told.out / f"table-{name}.md").write_text(text + "\n", "utf-8")
    write_card(told.out, SIZE)
    sys.stdout.write(text + "\n")
    return 0


def _rng(told: argparse.Namespace, step: int) -> np.random.Generator:
    """All that is random in a step of a stage."""
    return np.random.default_rng([told.seed, sum(told.stage.encode()), step])


def _train(module: nn.Module, loss: Callable[[int], Loss], plan: Plan, told: argparse.Namespace) -> int:
    steps = 0 if told.minutes else told.steps or plan.steps
    planned = replace(
        plan, minutes=told.minutes, steps=steps, batch=told.batch or plan.batch, save_every=told.save_every
    )
    return 0 if train(module, loss, planned, told.out / told.stage, told.seed, told.stop_at, _say) else 3
