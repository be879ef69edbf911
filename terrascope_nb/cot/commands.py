"""``terrascope-nb cot build | check | rewrite | sources``: thin over `build`, `check_files` and `Rewriter`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from terrascope_nb.errors import InvalidInput

_EXAMPLES = """\
examples:
  terrascope-nb cot build --source synthetic --out made -n 500
  terrascope-nb cot build --source bigearthnet --set folder=/data/BigEarthNet-v2 --out train -n 100000 --workers 16
  terrascope-nb cot build --source xbd --set folder=/data/xbd --source synthetic --set kind=damage --out damage -n 2000
  terrascope-nb cot check made
  terrascope-nb cot rewrite made --url http://localhost:8000/v1 --model any --out made.jsonl

--set belongs to the --source before it; `terrascope-nb cot sources` lists sources and what can be set. A build that was
stopped goes on from its last shard when it is started again. Exit code: 0 done, and for check: every record is valid;
1 check found faults; 2 an input cannot be used; 130 stopped.
"""


def add_to(subparsers: Any) -> None:
    """Add the command ``cot`` with its own commands to ``argparse``'s subparsers; each sets ``run(args) -> int``."""
    cot = subparsers.add_parser(
        "cot", help="make, check training data with masks (Terra-CoT)", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    cot.set_defaults(run=lambda args: _help(cot))
    commands = cot.add_subparsers(dest="cot_command", metavar="COMMAND")
    _add_build(commands)
    check = commands.add_parser("check", help="find what is wrong with a data set, or a file of records")
    check.add_argument("path", metavar="DIR|FILE", help="folder of a build; .parquet, .json or .jsonl file")
    check.add_argument("--no-images", action="store_true", help="do not look at the pictures")
    check.set_defaults(run=_check)
    _add_rewrite(commands)
    commands.add_parser("sources", help="list the sources and their options").set_defaults(run=_sources)


def _add_rewrite(commands: Any) -> None:
    rewrite = commands.add_parser(
        "rewrite", help="have a language model word the composed questions anew; wrong words are refused",
        description="Each record whose new wording has every figure and relation of its masks gets it, the others keep "
        "theirs. What was paid for is kept in --cache, so that a stopped run goes on.",
    )  # fmt: skip
    add = rewrite.add_argument
    add("path", metavar="DIR|FILE", help="folder of a build; .parquet, .json or .jsonl file")
    add("--url", required=True, help="an OpenAI-compatible endpoint: what stands before /chat/completions")
    add("--model", required=True, help="the model's name there")
    add("--key-env", default="", metavar="NAME", help="environment variable with the key (default: none is sent)")
    add("--kinds", nargs="+", metavar="KIND", default=["l2-spatial", "l2-semantic"], help="(default: both of L2)")
    add("--max-cost", type=float, metavar="MONEY", help="stop before more could be spent in all; needs --prices")
    add("--prices", nargs=2, type=float, metavar=("IN", "OUT"), help="of a million tokens read and written")
    add("--max-tokens-total", type=int, metavar="N", help="stop before a call that could use more tokens in all")
    add("--workers", type=int, default=4, metavar="W", help="calls at a time (default: 4)")
    add("--cache", metavar="DIR", help="where answers are kept (default: beside the output)")
    add("--out", required=True, metavar="FILE", help=".parquet, .json or .jsonl; all records, worded anew or not")
    add("--overwrite", action="store_true", help="write over a file that is there")
    rewrite.set_defaults(run=_rewrite)


def _add_build(commands: Any) -> None:
    build = commands.add_parser(
        "build", help="compose, check and write records", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = build.add_argument
    add("--source", action=SourceAction, required=True, metavar="NAME", help="where images come from; may come again")
    add("--set", action=SetAction, metavar="OPTION=VALUE", help="option of the --source before it; JSON, or a text")
    add("--out", required=True, metavar="DIR", help="folder to write")
    add("-n", type=int, metavar="N", help="records to stop at (default: all)")
    add("--seed", type=int, default=0, metavar="S", help="(default: 0)")
    add("--workers", type=int, metavar="W", help="processes; the result does not depend on it (default: one a core)")
    add("--kinds", nargs="+", metavar="KIND", help="caption, l1, l2-spatial, l2-semantic (default: all)")
    add("--sensors", nargs="+", choices=["optical", "sar"], help="what records are shown (default: drawn)")
    add("--per-image", nargs=2, type=int, metavar=("LOW", "HIGH"), help="questions a kind, an image (default: 2 4)")
    add("--test-share", type=float, default=0.1, metavar="SHARE", help="of the places, for testing (default: 0.1)")
    add("--own-split", action="store_true", help="take the sides that the source names")
    add("--shard-size", type=int, metavar="N", help="records of a shard, at least (default: 1000)")
    add("--no-images", action="store_true", help="write no pictures")
    add("--overwrite", action="store_true", help="remove the data set in DIR and start over")
    add("--dry-run", action="store_true", help="compose the first images, say what comes out, write nothing")
    build.set_defaults(run=_build, sources=None)


class SourceAction(argparse.Action):
    """Begins a source."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Put (name, no options yet) behind the sources before it."""
        namespace.sources = [*(namespace.sources or []), (values, {})]
        setattr(namespace, self.dest, values)


class SetAction(argparse.Action):
    """Adds an option to the source before it."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Put the option into the last source's."""
        name, sign, text = values.partition("=")
        if not sign or not name:
            parser.error(f"--set takes OPTION=VALUE, got {values!r}")
        if not namespace.sources:
            parser.error(f"--set {values} belongs to a --source before it")
        namespace.sources[-1][1][name.strip().replace("-", "_")] = _value(text)


def _value(text: str) -> Any:
    """A value of --set: JSON where it is any, else the text. Keys that are whole numbers become such: a legend."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    if isinstance(value, dict) and all(k.lstrip("-").isdecimal() for k in value):
        return {int(k): v for k, v in value.items()}
    return value


def _build(args: argparse.Namespace) -> int:
    from terrascope_nb.cot.build import SHARD_SIZE, build, try_out
    from terrascope_nb.cot.record import KINDS

    options: dict[str, Any] = {"kinds": tuple(args.kinds or KINDS)}
    if args.sensors:
        options["sensors"] = tuple(args.sensors)
    if args.per_image:
        options["per_image"] = tuple(args.per_image)
    options |= {"test_share": args.test_share, "own_split": args.own_split}
    sources = [(name, _with_count(name, given, args.n)) for name, given in args.sources]
    if args.dry_run:
        made = try_out(sources, args.n, args.seed, **options)
        _say(f"dry run on the first {made.images} images, nothing written:\n{made}")
        return 0
    made = build(
        sources, Path(args.out), args.n, args.seed, args.workers, images=not args.no_images,
        shard_size=args.shard_size or SHARD_SIZE, overwrite=args.overwrite, **options,
    )  # fmt: skip
    _say(f"{made}\n  → {args.out}")
    return 0


def _with_count(name: str, given: dict[str, Any], n: int | None) -> dict[str, Any]:
    """Synthetic scenes have no end of their own: as many as records are wanted, for each gives at least one."""
    if name != "synthetic" or "n" in given:
        return given
    if n is None:
        raise InvalidInput("synthetic scenes never end: say how many records with -n, or scenes with --set n=100")
    return {**given, "n": n}


def _check(args: argparse.Namespace) -> int:
    from terrascope_nb.cot.checked import check_files

    found = check_files(args.path, images=not args.no_images)
    _say(str(found))
    return 0 if found.ok else 1


def _rewrite(args: argparse.Namespace) -> int:
    from collections.abc import Iterator

    from terrascope_nb.cot.manifest import read_dataset
    from terrascope_nb.cot.parquet import read_parquet, write_parquet
    from terrascope_nb.cot.published import read_json, write_json
    from terrascope_nb.cot.record import KINDS, Record
    from terrascope_nb.cot.rewrite import Rewriter
    from terrascope_nb.reason.remote import Client

    wrong = [k for k in args.kinds if k not in KINDS]
    if wrong:
        raise InvalidInput(f"no kind {', '.join(wrong)}; there are {', '.join(KINDS)}")
    path, out = Path(args.path), Path(args.out)
    readers = {"": read_dataset, ".parquet": read_parquet, ".json": read_json, ".jsonl": read_json}
    writers = {".parquet": write_parquet, ".json": write_json, ".jsonl": write_json}
    for file, known in ((path, readers), (out, writers)):
        if file.suffix not in known:
            raise InvalidInput(f"{file} is no {', '.join(k or 'folder of a build' for k in known)}")
    client = Client(
        args.url, args.model, args.key_env, max_cost=args.max_cost, prices=args.prices and tuple(args.prices),
        max_tokens_total=args.max_tokens_total,
    )  # fmt: skip
    rewriter = Rewriter(client, args.cache or out.with_suffix(".answers"))
    read = readers[path.suffix] if not path.is_dir() else read_dataset

    def worded() -> Iterator[Record]:
        waiting: list[Record] = []  # records between those that are worded, so that the order stays
        for record in read(path):
            waiting.append(record)
            if len(waiting) >= 256:
                yield from _in_order(waiting, rewriter, args.kinds, args.workers)
                waiting = []
        yield from _in_order(waiting, rewriter, args.kinds, args.workers)

    writers[out.suffix](worded(), out, overwrite=args.overwrite)
    _say(", ".join(f"{k} {v}" for k, v in sorted(rewriter.counts.items())) or "nothing to word")
    _say(f"{client!r}\n  → {out}")
    return 0


def _in_order(records: list[Any], rewriter: Any, kinds: list[str], workers: int) -> Any:
    made = rewriter.rewrite_all([r for r in records if r.kind in kinds], workers)
    for record in records:
        yield next(made).record if record.kind in kinds else record


def _sources(args: argparse.Namespace) -> int:
    import inspect

    from terrascope_nb.cot.sources import SOURCES

    for name, reader in SOURCES.items():
        first = (inspect.getdoc(reader) or "").split("\n")[0]
        known = [p.name for p in inspect.signature(reader).parameters.values() if p.kind is not p.VAR_KEYWORD]
        _say(f"{name:16s} {first}\n{'':16s} {', '.join(k for k in known if k not in ('part', 'on_bad'))}")
    return 0


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help(sys.stderr)
    return 2


def _say(text: str) -> None:
    from terrascope_nb.reason.scrub import readable

    sys.stdout.write(readable(text) + "\n")
    sys.stdout.flush()
