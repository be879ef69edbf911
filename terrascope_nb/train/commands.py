"""``terrascope-nb train``: thin over `files.read_config`, `plan.make_plan` and `run.train`."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from typing import Any

from terrascope_nb._optional import need

_EXAMPLES = """\
examples:
  terrascope-nb cot build --source synthetic --out cot -n 4000
  terrascope-nb train --config mini --data cot --out runs/mini --dry-run
  terrascope-nb train --config mini --data cot --out runs/mini
  terrascope-nb train --config 8b --data cot --out runs/trial --rehearse 2 --device cpu
  terrascope-nb train --assemble OpenGVLab/InternVL3-1B-hf facebook/sam2.1-hiera-large --out start-1b
  terrascope-nb train --config 1b --data cot --out runs/1b --model start-1b
  accelerate launch --multi_gpu --num_processes 8 -m terrascope_nb.cli train --config 8b --data cot --out runs/8b \\
      --model terrascope-8b --resume

--config is mini, 1b, 8b, or a YAML file; --print-config writes one out to begin from. --resume goes on from the last
whole checkpoint with the losses that an unbroken run would have had, and begins where there is none. Exit code: 0 done,
2 an input cannot be used or the loss is no longer finite, 130 stopped.
"""


def add_to(subparsers: Any) -> None:
    """Add the command ``train`` to ``argparse``'s subparsers; it sets ``run(args) -> int``."""
    train = subparsers.add_parser(
        "train", help="train the network on Terra-CoT records", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = train.add_argument
    add("--config", metavar="NAME|FILE", help="mini, 1b, 8b, or a YAML file")
    add("--data", nargs="+", metavar="DIR|FILE", help="folders of cot build; .json, .jsonl, .parquet files of records")
    add("--images", metavar="DIR", help="what the paths of pictures are relative to (default: the folder of --data)")
    add("--out", metavar="DIR", help="where to write checkpoints, logs and the trained network")
    add("--model", metavar="DIR", help="checkpoint to start from: a folder, or a name on the hub")
    add("--resume", action="store_true", help="go on with the run in --out")
    add("--device", choices=["auto", "cpu"], default="auto", help="(default: auto)")
    add("--dry-run", action="store_true", help="say what would be done, with steps, weights and memory; write nothing")
    add("--processes", type=int, default=1, metavar="N", help="of --dry-run: how many will share the work (default: 1)")
    add("--rehearse", type=int, metavar="N", help="N steps of each stage on a tiny network instead")
    add("--assemble", nargs=2, metavar=("VLM", "SAM"),
        help="put InternVL3 (transformers' layout) and SAM 2 together to a checkpoint in --out, and stop")  # fmt: skip
    add("--print-config", action="store_true", help="write the configuration with every field, and stop")
    train.set_defaults(run=_train)


def _train(args: argparse.Namespace) -> int:
    from terrascope_nb.errors import InvalidInput
    from terrascope_nb.train.files import read_config, shrink, to_yaml

    if args.assemble:
        return _assemble(args)
    if not args.config:
        raise InvalidInput("--config must be given: mini, 1b, 8b, or a YAML file")
    config = read_config(args.config)
    if args.model:
        network = replace(config.network, checkpoint=args.model, random_start=False)
        config = replace(config, network=network)
    if args.rehearse:
        config = shrink(config, args.rehearse)
    if args.print_config:
        sys.stdout.write(to_yaml(config))
        return 0
    missing = [name for name in ("data", "out") if not getattr(args, name) and not (name == "out" and args.dry_run)]
    if missing:
        raise InvalidInput(f"--{' and --'.join(missing)} must be given to train")
    need("torch", "train", "train")
    need("transformers", "train", "train")
    need("accelerate", "train", "train")
    if args.dry_run:
        from terrascope_nb.train.plan import make_plan

        sys.stdout.write(f"{make_plan(config, args.data, args.images, args.processes)}\n")
        return 0
    from terrascope_nb.train.run import train

    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("terrascope_nb").setLevel(logging.INFO)
    made = train(config, args.data, args.out, args.resume, args.images, args.device)
    sys.stdout.write(f"→ {made}\n")
    return 0


def _assemble(args: argparse.Namespace) -> int:
    from terrascope_nb.errors import InvalidInput

    if not args.out:
        raise InvalidInput("--assemble needs --out, the folder to write")
    need("torch", "train", "train")
    need("transformers", "train", "train")
    from terrascope_nb.train.start import assemble

    sys.stdout.write(f"→ {assemble(*args.assemble, args.out)}\n")
    return 0
