"""The command line: ``terrascope-nb ask | search | convert | cot | bench | train | samples | …``.

Thin over the library: each command is one public call.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from terrascope_nb.bench import commands as benchmark
from terrascope_nb.cot import commands as data
from terrascope_nb.errors import InvalidInput, QuestionNotUnderstood, TerrascopeError
from terrascope_nb.train import commands as training

_EXAMPLES = """\
examples:
  terrascope-nb ask "What share of the scene is water?" --sample lake
  terrascope-nb ask "How large is the water?" --sample lake --choices "6 ha" "12 ha" "24 ha"
  terrascope-nb ask "How large is the forest in ha?" --optical s2.tif --bands B02 B03 B04 B08 --scale 1e-4 --out result
  terrascope-nb ask "How much forest was lost?" --optical june.tif sept.tif --dates 2023-06-01 2023-09-01 --scale 1e-4
  terrascope-nb ask "Is there water?" --catalog ./stac --bbox 15.6 46.4 15.7 46.5 --dates 2023-08

Put the questions before the options. Exit code: 0 when every question got a trace (also one that says why it cannot be
told), 2 when an input cannot be used, 130 when stopped.
"""


_LONGEST = 3000  # characters of a message; what is longer repeats what was typed


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        0 done; 2 an input that cannot be used or a file that cannot be written, with one paragraph on stderr; 130
        stopped by Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks «²» gets an escape instead of an error
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    args = _parser().parse_args(argv)
    try:
        return args.run(args) or 0
    except BrokenPipeError:  # the reader of our output left («| head»)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (TerrascopeError, OSError) as e:
        _complain(e)
        return 2
    except KeyboardInterrupt:
        _complain("stopped")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="terrascope-nb", description="Ask a place a question and see why the answer is so."
    )
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    parser.set_defaults(run=_version_or_help, parser=parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_ask(commands)
    _add_search(commands)
    _add_convert(commands)
    data.add_to(commands)
    benchmark.add_to(commands)
    training.add_to(commands)
    for name, run, text in (
        ("samples", _samples, "list the bundled samples"),
        ("reasoners", _reasoners, "list the reasoners at hand"),
        ("forms", _forms, "list the questions that rule-based reasoners understand"),
        ("versions", _versions, "versions of this package and of what it stands on"),
    ):
        commands.add_parser(name, help=text).set_defaults(run=run)
    demo = commands.add_parser("demo", help="the main job on real input, offline: search, load, ask, verify, write")
    demo.add_argument("--out", default="demo", metavar="FOLDER", help="where to write (default: demo)")
    demo.set_defaults(run=_demo)
    return parser


def _add_ask(commands: Any) -> None:
    ask = commands.add_parser(
        "ask",
        help="ask a sample, files, or a catalogue",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EXAMPLES,
    )
    add = ask.add_argument
    add("questions", nargs="+", metavar="QUESTION", help="one or more questions; options may stand in them")
    add("--choices", nargs="+", metavar="OPTION", help="options of one question: «6 ha» «12 ha», or «A=6 ha» «B=12 ha»")
    add("--reasoner", default="spectral", help="see: terrascope-nb reasoners (default: spectral)")
    add(
        "--model",
        metavar="DIR",
        help="folder of TerraScope weights, see: terrascope-nb convert",
    )
    add("--device", default="auto", help="of --model: auto, cpu, cuda or mps (default: auto)")
    add("--dtype", default="auto", help="of --model: auto, bf16, fp16 or fp32 (default: auto)")
    add("--modalities", nargs="+", choices=["optical", "sar"], help="use only these sensors of the scene")
    add("--out", metavar="FOLDER", help="write report, masks, outlines, STAC item and record there")
    add("--overwrite", action="store_true", help="write over what is in --out")

    place = ask.add_argument_group("a place", "one of --sample, --optical/--sar, --catalog")
    add = place.add_argument
    add("--sample", help="name of a bundled sample (see: terrascope-nb samples)")
    add("--optical", nargs="+", metavar="FILE", help="optical rasters: a file a date, or one-band files with --bands")
    add("--sar", nargs="+", metavar="FILE", help="SAR rasters: VV and VH")
    add("--catalog", help="folder of a STAC catalogue, its URL, or a known name")
    add("--bbox", nargs=4, type=float, metavar=("W", "S", "E", "N"), help="area, in degrees")
    add("--aoi", metavar="GEOJSON", help="area as a GeoJSON file")
    add(
        "--dates",
        nargs="+",
        metavar="WHEN",
        help="of a catalogue: 2023-07 or 2023-07-01/2023-08-15; of files: one each",
    )

    files = ask.add_argument_group("files")
    add = files.add_argument
    add("--bands", nargs="+", metavar="BAND", help="names of the optical bands in order, e.g. B02 B03 B04 B08")
    add("--sar-bands", nargs="+", metavar="BAND", help="names of the SAR bands in order, e.g. VV VH")
    add("--scale", type=float, help="multiply pixel values by this to get reflectance, e.g. 1e-4")
    add("--offset", type=float, help="then add this, e.g. --offset=-0.1 for Sentinel-2 baselines from 04.00 on")
    add("--units", choices=["reflectance", "dn", "rgb8"], help="units of the optical files, where they do not say")
    add("--sar-units", default="auto", choices=["auto", "db", "linear"], help="units of the SAR files (default: auto)")

    catalog = ask.add_argument_group("a catalogue")
    add = catalog.add_argument
    add("--sensor", default="sentinel-2-l2a", help="optical sensor or collection, or «none» (default: sentinel-2-l2a)")
    add("--sar-sensor", default=None, help="SAR sensor or collection")
    add("--sar-catalog", default=None, help="catalogue of the SAR sensor, where it is another")
    add("--times", default="best", choices=["best", "all"], help="the clearest date, or all of them (default: best)")
    ask.set_defaults(run=_ask)


def _add_search(commands: Any) -> None:
    search = commands.add_parser("search", help="list what a catalogue has of a place")
    add = search.add_argument
    add("--catalog", default="planetary-computer", help="folder, URL or known name (default: planetary-computer)")
    add("--sensor", default="sentinel-2-l2a", help="sensor or collection (default: sentinel-2-l2a)")
    add("--bbox", nargs=4, type=float, metavar=("W", "S", "E", "N"), help="area, in degrees")
    add("--aoi", metavar="GEOJSON", help="area as a GeoJSON file")
    add("--dates", metavar="WHEN", help="2023-07, 2023-07-01/2023-08-15, …")
    add("--max-cloud", type=float, metavar="PERCENT", help="of the whole item, as the catalogue states it")
    add("--limit", type=int, help="at most this many items")
    add("--clouds", action="store_true", help="look at the clouds over the area itself (reads pixels)")
    search.set_defaults(run=_search)


def _add_convert(commands: Any) -> None:
    convert = commands.add_parser("convert", help="turn the published TerraScope weights into the layout read here")
    add = convert.add_argument
    add("source", metavar="PATH_OR_HUB_ID", help="folder of the published checkpoint, or its name on the hub")
    add("out", metavar="OUT", help="folder to write")
    add("--revision", help="branch, tag or commit on the hub; the commit it meant is recorded")
    add("--tokenizer", metavar="FOLDER", help="where the tokenizer is, when it is not beside the weights")
    add("--overwrite", action="store_true", help="write over weights that are in OUT")
    convert.set_defaults(run=_convert)


def _say(text: str) -> None:
    from terrascope_nb.reason.scrub import readable

    sys.stdout.write(readable(text) + "\n")
    sys.stdout.flush()


def _complain(error: object) -> None:
    """One paragraph on standard error."""
    from terrascope_nb.reason.scrub import readable

    text = str(error).replace("overwrite=True", "--overwrite")
    if isinstance(error, OSError) and error.strerror and not isinstance(error, TerrascopeError):
        text = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    text = " ".join(text.split())
    shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
    sys.stderr.write(f"terrascope-nb: {readable(shown)}\n")


# ---- ask ------------------------------------------------------------------------------------------------------------
def _ask(args: argparse.Namespace) -> int:
    import terrascope_nb as ts
    from terrascope_nb.reason.show import text

    choices = _choices(args)
    if args.model:
        reasoner = ts.open_reasoner("terrascope", model=args.model, device=args.device, dtype=args.dtype)
    else:
        reasoner = ts.open_reasoner(args.reasoner)
    scene = _scene(args)
    if args.modalities:
        scene = scene.select(modalities=args.modalities)
    code = 0
    for k, question in enumerate(args.questions, 1):
        try:
            trace = ts.ask(scene, question, choices, reasoner)
        except QuestionNotUnderstood as e:  # the other questions may be understood
            _complain(e)
            code = 2
            continue
        _say(text(trace))
        if args.out:
            folder = Path(args.out) if len(args.questions) == 1 else Path(args.out) / f"{k:02d}"
            for path in write(trace, folder, args.overwrite):
                _say(f"   → {path}")
    return code


def _choices(args: argparse.Namespace) -> Any:
    """A list, or a dict where every option has its letter: «A=6 ha»."""
    if not args.choices:
        return None
    if len(args.questions) > 1:
        raise InvalidInput(
            f"--choices go with one question, and there are {len(args.questions)}; write options into each: «… "
            "A. 6 ha B. 12 ha»"
        )
    pairs = [option.partition("=") for option in args.choices]
    if all(sign and len(letter.strip()) == 1 and letter.strip().isalpha() for letter, sign, _ in pairs):
        if len({letter.strip().upper() for letter, _, _ in pairs}) < len(pairs):
            raise InvalidInput(f"--choices has a letter twice: {', '.join(args.choices)}")
        return {letter.strip(): text for letter, _, text in pairs}
    return args.choices


def _scene(args: argparse.Namespace) -> Any:
    import terrascope_nb as ts

    ways = {"--sample": args.sample, "--optical/--sar": args.optical or args.sar, "--catalog": args.catalog}
    given = [k for k, v in ways.items() if v]
    if len(given) != 1:
        raise InvalidInput(
            f"say what to look at with exactly one of {', '.join(ways)} (got {', '.join(given) or 'none'})"
        )
    aoi = _aoi(args)
    if args.sample:
        scene = ts.samples.load(args.sample)
        return scene if aoi is None else scene.select(aoi=aoi)
    if args.catalog:
        if aoi is None or not args.dates:
            raise InvalidInput("--catalog needs an area (--bbox or --aoi) and --dates, e.g. --dates 2023-07")
        if len(args.dates) > 1:
            raise InvalidInput(
                f"--catalog takes one --dates, a date or a span like 2023-07-01/2023-08-15; got {' '.join(args.dates)}"
            )
        optical = None if args.sensor.lower() == "none" else args.sensor
        return ts.load_scene(
            aoi, args.dates[0], optical=optical, sar=args.sar_sensor, catalog=args.catalog,
            sar_catalog=args.sar_catalog, times=args.times,
        )  # fmt: skip
    options = {
        "bands": args.bands, "sar_bands": args.sar_bands, "scale": args.scale, "offset": args.offset,
        "units": args.units, "times": args.dates,
    }  # fmt: skip
    return ts.Scene.from_files(
        optical=_files(args.optical, args.bands), sar=_files(args.sar, args.sar_bands), aoi=aoi,
        sar_units=args.sar_units, **{k: v for k, v in options.items() if v is not None},
    )  # fmt: skip


def _aoi(args: argparse.Namespace) -> Any:
    import terrascope_nb as ts

    if args.bbox and args.aoi:
        raise InvalidInput("give the area by --bbox or by --aoi, not both")
    return (
        ts.AOI.from_bbox(tuple(args.bbox)) if args.bbox else ts.AOI.from_geojson(Path(args.aoi)) if args.aoi else None
    )


def _search(args: argparse.Namespace) -> None:
    import terrascope_nb as ts
    from terrascope_nb.stac.describe import describe_found

    found = ts.search(_aoi(args), args.dates, args.sensor, args.catalog, args.max_cloud, limit=args.limit)
    _say(describe_found(found, clouds=args.clouds))


def _convert(args: argparse.Namespace) -> None:
    from terrascope_nb.model.convert import convert

    made = convert(args.source, args.out, revision=args.revision, tokenizer=args.tokenizer, overwrite=args.overwrite)
    _say(f"{made.tensors} tensors written to {made.folder} (revision {made.revision or 'not known'})")
    for name, digest in made.sha256.items():
        _say(f"  {name} sha256 {digest}")
    if made.dropped:
        _say(f"  left out, never used for images: {', '.join(made.dropped)}")


def _files(paths: list[str] | None, bands: list[str] | None) -> Any:
    """One path; a list of band files (one date) where there are as many bands; else a list of dates."""
    if not paths:
        return None
    if len(paths) == 1:
        return paths[0]
    return [paths] if bands and len(bands) == len(paths) else paths


def write(trace: Any, folder: Path, overwrite: bool) -> list[Path]:
    """Everything of a trace into a folder: record, report and, where there are georeferenced masks, GIS files."""
    if trace.steps and trace.frames[trace.steps[0].image].grid.crs is not None:
        item = trace.to_stac(folder, overwrite=overwrite)
        return [folder / "report.html", folder / "masks.tif", folder / "masks.geojson", folder / "trace", item]
    report = trace.to_html(folder / "report.html", overwrite=overwrite)
    return [report, trace.save(folder / "trace", overwrite=overwrite)]


# ---- the other commands ---------------------------------------------------------------------------------------------
def _version_or_help(args: argparse.Namespace) -> int:
    import terrascope_nb as ts

    if args.version:
        _say(ts.__version__)
        return 0
    args.parser.print_help(sys.stderr)
    return 2


def _samples(args: argparse.Namespace) -> None:
    import terrascope_nb as ts

    for name in ts.samples.names():
        _say(f"{name:12s} {ts.samples.describe(name)}")


def _reasoners(args: argparse.Namespace) -> None:
    import terrascope_nb as ts

    _say("\n".join(ts.reasoners()))


def _forms(args: argparse.Namespace) -> None:
    from terrascope_nb.reason.question import forms

    for form in forms():
        _say(f"{form.task:18s} {form.example}")


def _versions(args: argparse.Namespace) -> None:
    import terrascope_nb as ts

    ts.show_versions()


def _demo(args: argparse.Namespace) -> None:
    from terrascope_nb.demo import demo

    demo(Path(args.out), _say)


if __name__ == "__main__":
    sys.exit(main())
