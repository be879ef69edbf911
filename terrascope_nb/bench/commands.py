"""The command line of the benchmark: ``terrascope-nb bench make | run | report | compare``. Thin: one call each."""

from __future__ import annotations

import argparse
import ast
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from terrascope_nb.cot.commands import SetAction, SourceAction
from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.scrub import readable

if TYPE_CHECKING:
    from terrascope_nb.bench.suite import Suite
    from terrascope_nb.scene.labelled import Labelled

_EXAMPLES = """\
examples:
  terrascope-nb bench make --source synthetic --set n=60 --source xbd --set folder=/data/xbd -n 600 --out suite
  terrascope-nb bench run suite --reasoner spectral --out runs/spectral
  terrascope-nb bench run suite --reasoner spectral --option sensor=optical --out runs/optical
  terrascope-nb bench run suite --reasoner spectral --blank sar --out runs/blanked
  terrascope-nb bench run suite --reasoner terrascope --model DIR --option region_mode=random --out runs/random
  terrascope-nb bench run suite --reasoner chance --seed 7 --out runs/chance
  terrascope-nb bench report runs/spectral runs/chance --suite suite --out report
  terrascope-nb bench compare runs/spectral runs/optical --out compared.html

A suite is a folder that bench make wrote, a .parquet of TerraScope-Bench (or its name on the hub), a .csv of
Landsat30-AU or a .json of DisasterM3. A run that was broken off goes on when the same command is given again.
"""


def add_to(subparsers: Any) -> None:
    """Add ``bench`` and its commands to the subparsers of ``terrascope-nb``."""
    bench = subparsers.add_parser(
        "bench", help="make a benchmark, run a reasoner over it, report, compare",
        formatter_class=argparse.RawDescriptionHelpFormatter, epilog=_EXAMPLES,
    )  # fmt: skip
    bench.set_defaults(run=_help, parser=bench)
    commands = bench.add_subparsers(dest="bench_command", metavar="COMMAND")
    _add_make(commands)
    _add_run(commands)
    _add_report(commands)
    _add_compare(commands)


def _add_make(commands: Any) -> None:
    make = commands.add_parser("make", help="make a suite of questions from labelled sources")
    add = make.add_argument
    add("--source", action=SourceAction, required=True, metavar="NAME",
        help="where labelled images come from, see: terrascope-nb cot sources; may be again")  # fmt: skip
    add("--set", action=SetAction, metavar="OPTION=VALUE", help="option of the --source before it; JSON, or a text")
    add("--out", metavar="FOLDER", help="where to write the suite (not needed with --dry-run)")
    add("-n", type=int, default=600, metavar="N", help="questions (default: 600)")
    add("--seed", type=int, default=0, help="default: 0")
    add("--tasks", nargs="+", metavar="TASK", help="only these tasks (default: all six)")
    add("--per-image", type=int, default=6, help="most questions of one image (default: 6)")
    add("--split", choices=["all", "test"], default="all", help="test: only places on the test side")
    add("--share", type=float, default=0.1, help="share of places on the test side (default: 0.1)")
    add("--name", default="", help="name of the suite (default: the folder's)")
    add("--dry-run", action="store_true", help="count what would be asked, write nothing")
    add("--overwrite", action="store_true", help="write over a suite that is there")
    make.set_defaults(run=_make, sources=None)


def _add_run(commands: Any) -> None:
    run = commands.add_parser("run", help="ask a reasoner every question of a suite; goes on where it was broken off")
    add = run.add_argument
    _add_suite(run)
    add("--reasoner", default="spectral", metavar="NAME",
        help="chance, frequent, reference, spectral, any of: terrascope-nb reasoners (default: spectral)")  # fmt: skip
    add("--model", metavar="DIR", help="model of the reasoner: a folder of weights or a name on the hub")
    add("--option", action="append", default=[], metavar="KEY=VALUE",
        help="option of the reasoner, e.g. sensor=optical or region_mode=box; may be given several times")  # fmt: skip
    add("--train", metavar="SUITE", help="for frequent: the suite whose letters are counted")
    add("--blank", choices=["optical", "sar"], help="take this sensor away from every scene")
    add("--limit", type=int, help="ask no more than the first LIMIT questions")
    add("--seed", type=int, default=0, help="of chance; kept in the record (default: 0)")
    add("--out", required=True, metavar="FOLDER", help="folder of the run")
    run.set_defaults(run=_run)


def _add_report(commands: Any) -> None:
    report = commands.add_parser("report", help="runs of one suite as HTML and Markdown")
    add = report.add_argument
    add("runs", nargs="+", metavar="RUN", help="folders of runs")
    add("--out", required=True, metavar="FOLDER", help="where to write report.html and report.md, or name of a page")
    add("--suite", metavar="SUITE", help="the suite asked, for pictures of the worst cases")
    _add_selection(report)
    add("--title", default="", help="default: the suite's name")
    add("--worst", type=int, default=6, help="most wrong answers shown of each run (default: 6)")
    _add_statistics(report)
    add("--overwrite", action="store_true", help="write over a report that is there")
    report.set_defaults(run=_report)


def _add_compare(commands: Any) -> None:
    compare = commands.add_parser("compare", help="two runs of one suite, paired row by row")
    compare.add_argument("a", metavar="A", help="folder of a run")
    compare.add_argument("b", metavar="B", help="folder of another; changes are B minus A")
    compare.add_argument("--out", metavar="PAGE", help="also write it as an HTML page")
    _add_statistics(compare)
    compare.add_argument("--overwrite", action="store_true", help="write over a page that is there")
    compare.set_defaults(run=_compare)


def _add_suite(parser: Any) -> None:
    parser.add_argument("suite", metavar="SUITE", help="folder, file, or name on the hub")
    _add_selection(parser)


def _add_selection(parser: Any) -> None:
    parser.add_argument("--suite-option", action="append", default=[], metavar="KEY=VALUE",
                        help="option of the suite's reader, e.g. images=DIR")  # fmt: skip
    parser.add_argument("--tasks", nargs="+", metavar="TASK", help="only questions of these tasks")
    parser.add_argument("--bands", nargs="+", metavar="BAND", help="only these difficulties: easy, medium, hard")


def _add_statistics(parser: Any) -> None:
    parser.add_argument("--unit", choices=["image", "place"], default="image",
                        help="what intervals and tests draw as a whole (default: image)")  # fmt: skip
    parser.add_argument("--level", type=float, default=0.95, help="of intervals (default: 0.95)")
    parser.add_argument("--resamples", type=int, default=2000, help="draws of images (default: 2000)")
    parser.add_argument("--seed", type=int, default=0, help="of the draws (default: 0)")


# ---- what they do ---------------------------------------------------------------------------------------------------
def _help(args: argparse.Namespace) -> int:
    args.parser.print_help(sys.stderr)
    return 2


def _make(args: argparse.Namespace) -> None:
    from terrascope_nb.bench.make import make_suite, plan_suite

    told: dict[str, Any] = {
        "n": args.n, "seed": args.seed, "tasks": args.tasks, "per_image": args.per_image, "split": args.split,
        "share": args.share, "name": args.name,
    }  # fmt: skip
    if args.dry_run:
        _say(str(plan_suite(_sources(args.sources), **{**told, "name": args.name or "plan"})))
        return
    if not args.out:
        raise InvalidInput("say where to write the suite: --out FOLDER, or --dry-run to write nothing")
    suite = make_suite(_sources(args.sources), args.out, overwrite=args.overwrite, **told)
    _say(f"{suite!r}\n{suite.card}\n→ {args.out}")


def _run(args: argparse.Namespace) -> None:
    from terrascope_nb.bench.run import run
    from terrascope_nb.bench.suite import open_suite

    options = pairs(args.option, "--option")
    if args.model:
        options = {"model": args.model, **options}
    results = run(
        _suite(args), args.reasoner, args.out, options=options, blank=args.blank, limit=args.limit, seed=args.seed,
        train=open_suite(args.train) if args.train else None,
    )  # fmt: skip
    _say(f"{results!r}\n\n{_summary(results)}\n→ {args.out}")


def _summary(results: Any) -> str:
    from terrascope_nb.bench.metrics import counted, summarise

    if not counted(results):
        return "No row has a right letter in the suite: there is nothing to score."
    return str(summarise(results))


def _report(args: argparse.Namespace) -> None:
    from terrascope_nb.bench.report import report

    page = report(
        *args.runs, out=args.out, suite=_suite(args) if args.suite else None, title=args.title, worst=args.worst,
        unit=args.unit, level=args.level, seed=args.seed, resamples=args.resamples, overwrite=args.overwrite,
    )  # fmt: skip
    _say(f"→ {page}\n→ {page.with_suffix('.md')}")


def _compare(args: argparse.Namespace) -> None:
    from terrascope_nb.bench.compare import compare

    made = compare(args.a, args.b, unit=args.unit, level=args.level, seed=args.seed, resamples=args.resamples)
    _say(str(made))
    if args.out:
        _say(f"→ {made.to_html(args.out, overwrite=args.overwrite)}")


def _suite(args: argparse.Namespace) -> Suite:
    from terrascope_nb.bench.suite import open_suite

    suite = open_suite(args.suite, **pairs(args.suite_option, "--suite-option"))
    return suite.select(tasks=args.tasks, bands=args.bands) if args.tasks or args.bands else suite


def _sources(given: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[Labelled]:
    from terrascope_nb.cot.sources import open_source

    return itertools.chain.from_iterable([open_source(name, **options) for name, options in given])


def pairs(given: Sequence[str], what: str) -> dict[str, Any]:
    """Options written as ``key=value``; numbers, True, False, None and lists are read as such, all else is text.

    Raises
    ------
    InvalidInput
        Without «=», without a key, or for a key that stands twice.

    Examples
    --------
    >>> pairs(["n=40", "kind=damage", "sar=False"], "--option")
    {'n': 40, 'kind': 'damage', 'sar': False}
    """
    out: dict[str, Any] = {}
    for item in given:
        key, sign, value = item.partition("=")
        key = key.strip().replace("-", "_")
        if not sign or not key.isidentifier():
            raise InvalidInput(f"{what} takes KEY=VALUE, e.g. window=64; got {item!r}")
        if key in out:
            raise InvalidInput(f"{what} has {key} twice")
        out[key] = _value(value.strip())
    return out


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        words: Mapping[str, Any] = {"true": True, "false": False, "none": None}
        return words.get(text.lower(), text)


def _say(text: str) -> None:
    sys.stdout.write(readable(text) + "\n")
    sys.stdout.flush()
