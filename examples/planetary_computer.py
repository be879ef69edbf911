"""A place and a month at the Planetary Computer: optical and radar on one grid, a question, a checked answer.

    python examples/planetary_computer.py                      # asks the real service; no account, no key
    python examples/planetary_computer.py --catalog URL        # another STAC API or a folder with the same collections

Tokens are signed when a file is opened and never written anywhere; long readings outlive them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import terrascope_nb as ts

PLACE = (15.55, 46.50, 15.65, 46.56)  # the Drava and the fields around it, west of Maribor


def main(argv: list[str] | None = None) -> ts.Trace:
    """Search, look at the clouds over the place, load one date with its radar, ask, write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalog", default="planetary-computer", help="name, URL or folder (default: the real one)")
    parser.add_argument("--bbox", nargs=4, type=float, default=PLACE, metavar=("W", "S", "E", "N"))
    parser.add_argument("--dates", default="2023-08")
    parser.add_argument("--resolution", type=float, default=10)
    parser.add_argument("--question", default="What share of the scene is water?")
    parser.add_argument("--out", default="result_planetary_computer")
    args = parser.parse_args(argv)

    aoi = ts.AOI.from_bbox(tuple(args.bbox), name="Drava")
    found = ts.search(aoi, args.dates, sensor="sentinel-2-l2a", catalog=args.catalog, max_cloud=80)
    print(found.cloud_share().to_string(index=False))  # of the place, not of the tile

    scene = ts.load_scene(
        aoi, args.dates, optical="sentinel-2-l2a", sar="sentinel-1-rtc", catalog=args.catalog,
        bands=["blue", "green", "red", "nir"], resolution=args.resolution, max_cloud_aoi=30, name="Drava",
    )  # fmt: skip
    for note in scene.notes:
        print("note:", note)

    trace = ts.ask(scene, args.question)
    print(trace)
    path = trace.to_html(Path(args.out) / "report.html", overwrite=True)
    print("report:", path)
    return trace


if __name__ == "__main__":
    main()
