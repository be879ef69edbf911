"""One stage of training that can be broken off at any moment: its loop, its state on disk, its log."""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from terrascope_nb.errors import InvalidInput, NotFound

STATE, DONE, LOG = "state.safetensors", "weights.safetensors", "log.csv"
#: Steps whose time fixes how many a number of minutes allows.
TRIED = 12
#: What AdamW keeps of a weight → its name in the file.
MOMENTS = {"step": "count", "exp_avg": "mean", "exp_avg_sq": "square"}


@dataclass(frozen=True)
class Plan:
    """How a stage is trained.

    Attributes
    ----------
    rate, decay : float
        AdamW's learning rate at its highest, and weight decay.
    betas : (float, float)
    warmup : int
        Steps over which the rate rises; a cosine brings it down to a fiftieth.
    clip : float
        Most norm of the gradient.
    slow : (str, float) or None
        Weights whose names begin so have the rate times this.
    steps : int
        How many; 0 goes by `minutes`.
    minutes : float
        Minutes of the processor, in place of `steps`: the time of `TRIED` steps fixes how many there will be, once and
        for all, so that a machine that has other things to do takes longer and trains as long.
    batch : int
        Pictures or samples a step.
    save_every : float
        Seconds between states on disk.
    log_every : int
        Steps between lines of the log; each is a mean over them.
    """

    rate: float
    decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: int = 50
    clip: float = 1.0
    slow: tuple[str, float] | None = None
    steps: int = 0
    minutes: float = 10.0
    batch: int = 16
    save_every: float = 60.0
    log_every: int = 20

    def at(self, step: int, total: int) -> float:
        """The learning rate of a step.

        Examples
        --------
        >>> plan = Plan(1e-3)
        >>> plan.at(0, 1000), plan.at(49, 1000), round(plan.at(999, 1000), 7)
        (2e-05, 0.001, 2e-05)
        """
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, total - self.warmup)
        return self.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def train(
    module: nn.Module,
    loss: Callable[[int], tuple[Tensor, Mapping[str, float]]],
    plan: Plan,
    folder: Path,
    seed: int,
    stop_at: int | None = None,
    say: Callable[[str], None] | None = None,
) -> bool:
    """Train `module` in place, from the state in `folder` where there is one.

    All that is random in a step must come from the seed and the step's number: then a run that was broken off goes on
    as if it had not been, to the bit on one machine and number of threads.

    Parameters
    ----------
    module : torch.nn.Module
        Its parameters with gradient are trained, and alone kept.
    loss : callable
        ``step → (loss, {name: value} for the log)``.
    plan : Plan
    folder : Path
    seed : int
        Kept with the state; another one is refused.
    stop_at : int, optional
        Break off before this step.
    say : callable, optional
        Told a line now and then.

    Returns
    -------
    bool
        Whether the stage is over; then ``weights.safetensors`` is there.

    Raises
    ------
    InvalidInput
        For a state of another seed or plan.
    LossNotFinite
        When the loss is NaN or infinite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
    start, factor = plan.slow or ("", 1.0)
    groups = [
        {"params": [p for n, p in trained.items() if (bool(start) and n.startswith(start)) is slow], "times": times}
        for slow, times in ((False, 1.0), (True, factor))
    ]
    optimiser = torch.optim.AdamW([g for g in groups if g["params"]], plan.rate, plan.betas, weight_decay=plan.decay)
    step, total, clock = _restore(folder / STATE, trained, optimiser, seed, plan)
    total = total or plan.steps
    if (folder / DONE).is_file():
        load_weights(module, folder)
        if say is not None:
            say(f"{folder.name} is over already; remove {folder} to train it anew")
        return True
    log = _Log(folder / LOG, step)
    saved, first, began = clock.seconds, step, clock.cpu
    module.train()
    while not total or step < total:
        if stop_at is not None and step >= stop_at:
            _save(folder / STATE, trained, optimiser, seed, plan, step, total, clock)
            return False
        for group in optimiser.param_groups:
            group["lr"] = group["times"] * plan.at(step, total or 10**9)
        value, told = loss(step)
        if not bool(torch.isfinite(value)):
            from terrascope_nb.train.trainer import LossNotFinite

            raise LossNotFinite(f"the loss of step {step} (seed {seed}) is {float(value.detach())}: {dict(told)}")
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        norm = torch.nn.utils.clip_grad_norm_(trained.values(), plan.clip)
        optimiser.step()
        step += 1
        if not total and step - first >= TRIED:
            total = max(step + 1, round(plan.minutes * 60 * (step - first) / (clock.cpu - began)))
        line = log.add(step, {"loss": float(value.detach()), "norm": float(norm), **told}, clock, plan)
        if line and say is not None:
            say(f"{folder.name}: {line} of {total or '?'}")
        if clock.seconds - saved > plan.save_every:
            _save(folder / STATE, trained, optimiser, seed, plan, step, total, clock)
            saved = clock.seconds
    log.rest(clock)
    _write({k: v.detach() for k, v in trained.items()}, folder / DONE, {"step": step, "seed": seed})
    (folder / STATE).unlink(missing_ok=True)
    return True


def load_weights(module: nn.Module, folder: Path) -> None:
    """Put the weights of a stage that is over into a module that has those names.

    Raises
    ------
    NotFound
        When the stage is not over.
    InvalidInput
        When the module lacks one of the names, or has another shape.
    """
    path = folder / DONE
    if not path.is_file():
        raise NotFound(f"stage {folder.name} is not over: there is no {path}; run it first")
    own = dict(module.named_parameters())
    with safe_open(str(path), "pt") as file, torch.no_grad():
        for name in file.keys():
            tensor = file.get_tensor(name)
            if name not in own or own[name].shape != tensor.shape:
                have = tuple(own[name].shape) if name in own else "nothing"
                raise InvalidInput(f"{path} has {name} {tuple(tensor.shape)}, the network has {have}")
            own[name].copy_(tensor)


def _restore(
    path: Path, trained: Mapping[str, Tensor], optimiser: torch.optim.Optimizer, seed: int, plan: Plan
) -> tuple[int, int, _Clock]:
    """Put a state back: step, steps in all, time spent."""
    if not path.is_file():
        return 0, 0, _Clock()
    with safe_open(str(path), "pt") as file, torch.no_grad():
        told = json.loads(file.metadata()["told"])
        mine = {**told, "seed": seed, "plan": _fixed(plan)}
        if mine != told:
            raise InvalidInput(f"{path} was begun with seed {told['seed']} and {told['plan']}; now {mine}")
        there = set(file.keys())
        for name, p in trained.items():
            p.copy_(file.get_tensor(f"weight.{name}"))
            if f"mean.{name}" in there:  # a weight that never had a gradient has no moments
                optimiser.state[p] = {k: file.get_tensor(f"{v}.{name}") for k, v in MOMENTS.items()}
    return told["step"], told["total"], _Clock(told["seconds"], told["cpu"])


def _fixed(plan: Plan) -> dict[str, object]:
    told = asdict(plan) | {"betas": list(plan.betas), "slow": list(plan.slow) if plan.slow else None}
    return {k: v for k, v in told.items() if k not in ("save_every", "log_every", "minutes")}


def _save(
    path: Path, trained: Mapping[str, Tensor], optimiser: torch.optim.Optimizer, seed: int, plan: Plan, step: int,
    total: int, clock: _Clock,
) -> None:  # fmt: skip
    tensors: dict[str, Tensor] = {}
    for name, p in trained.items():
        tensors[f"weight.{name}"] = p.detach()
        for k, v in MOMENTS.items():
            if k in optimiser.state.get(p, {}):
                tensors[f"{v}.{name}"] = optimiser.state[p][k]
    told = {"step": step, "total": total, "seconds": clock.seconds, "cpu": clock.cpu, "seed": seed}
    _write(tensors, path, {**told, "plan": _fixed(plan)})


def _write(tensors: Mapping[str, Tensor], path: Path, told: Mapping[str, object]) -> None:
    draft = path.with_suffix(".draft")
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, str(draft), {"told": json.dumps(told)})
    draft.replace(path)


class _Clock:
    """Seconds spent on a stage, by the clock and by the processor, those before it was broken off counted in."""

    def __init__(self, seconds: float = 0.0, cpu: float = 0.0) -> None:
        self._since = time.monotonic() - seconds, time.process_time() - cpu

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._since[0]

    @property
    def cpu(self) -> float:
        return time.process_time() - self._since[1]


class _Log:
    """Means over a few steps, a line each; lines beyond the state that training goes on from are taken back.

    The first line after that is a mean over the steps since.
    """

    def __init__(self, path: Path, step: int) -> None:
        self._path, self._sums, self._n, self._last = path, {}, 0, step
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as f:
                rows = list(csv.reader(f))
            kept = rows[:1] + [r for r in rows[1:] if int(r[0]) <= step]
            with path.open("w", newline="", encoding="utf-8") as f:
                csv.writer(f).writerows(kept)

    def add(self, step: int, told: Mapping[str, float], clock: _Clock, plan: Plan) -> str:
        for name, value in told.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._n, self._last = self._n + 1, step
        return self._line(clock) if step % plan.log_every == 0 else ""

    def rest(self, clock: _Clock) -> None:
        if self._n:
            self._line(clock)

    def _line(self, clock: _Clock) -> str:
        means = {k: v / self._n for k, v in self._sums.items()}
        new = not self._path.is_file()
        with self._path.open("a", newline="", encoding="utf-8") as f:
            writer = csv.writer(f)
            if new:
                writer.writerow(["step", "seconds", "cpu", *means])
            writer.writerow(
                [self._last, f"{clock.seconds:.1f}", f"{clock.cpu:.1f}", *(f"{v:.6g}" for v in means.values())]
            )
        self._sums, self._n = {}, 0
        return f"step {self._last}, {clock.seconds:.0f} s ({clock.cpu:.0f} of the processor), " + ", ".join(
            f"{k} {v:.3g}" for k, v in means.items()
        )
