"""Step by step: optical from Earth Search, radar from the Planetary Computer, both on one grid of our own.

    python examples/earth_search_sar.py
    python examples/earth_search_sar.py --catalog URL [--radar-catalog URL]

Earth Search needs no account, and its Sentinel-2 comes as public COGs; but its Sentinel-1 is GRD in radar geometry,
which is refused here: it has no place on a map without terrain correction. So the radar is the Planetary Computer's
terrain-corrected gamma nought. Ascending and descending passes see opposite slopes: they are averaged apart, in linear
power, and one of the means stands beside the clear median of the optical dates.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import terrascope_nb as ts
from terrascope_nb.stac.clouds import clear_median
from terrascope_nb.stac.radar import drop_border_noise, mean_linear

PLACE = (15.55, 46.50, 15.65, 46.56)


def main(argv: list[str] | None = None) -> ts.Trace:
    """Two searches, two cubes on one grid, composites, a scene, a question, a report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalog", default=None, help="instead of both: name, URL or folder")
    parser.add_argument("--radar-catalog", default=None, help="instead of the Planetary Computer")
    parser.add_argument("--bbox", nargs=4, type=float, default=PLACE, metavar=("W", "S", "E", "N"))
    parser.add_argument("--dates", default="2023-08")
    parser.add_argument("--resolution", type=float, default=20)
    parser.add_argument("--out", default="result_earth_search_sar")
    args = parser.parse_args(argv)
    optical_at = args.catalog or "earth-search"
    radar_at = args.radar_catalog or args.catalog or "planetary-computer"

    aoi = ts.AOI.from_bbox(tuple(args.bbox), name="Drava")
    grid = ts.Grid.from_aoi(aoi, resolution=args.resolution, crs="utm")

    optical = ts.open_cube(
        ts.search(aoi, args.dates, sensor="sentinel-2-l2a", catalog=optical_at, max_cloud=60),
        grid=grid, bands=["blue", "green", "red", "nir", "scl"], max_bytes=2 * 1024**3,
    )  # fmt: skip
    print(optical.attrs["terrascope:scaling"])
    composite = clear_median(optical).compute()
    seen = float((composite["clear_count"].values > 0).mean())
    print(f"{seen:.0%} of the pixels were clear on at least one of {optical.sizes['time']} dates")

    radar = ts.open_cube(ts.search(aoi, args.dates, sensor="sentinel-1-rtc", catalog=radar_at), grid=grid)
    radar = drop_border_noise(radar)
    means = mean_linear(radar, over="orbit")
    state = str(means["sat:orbit_state"].values[0])
    print(means.attrs["terrascope:composite"], "- taken:", state)
    mean = means.isel({"sat:orbit_state": 0}).drop_vars("sat:orbit_state")

    first = optical["time"].values[:1]  # a composite is dated by the first of its dates, and its note says so
    scene = ts.Scene.from_cubes(
        optical=composite.drop_vars("clear_count").expand_dims(time=first),
        sar=mean.expand_dims(time=first),
        aoi=aoi,
        name="Drava",
        notes=[composite.attrs["terrascope:composite"], f"{means.attrs['terrascope:composite']}; taken: {state}"],
    )
    trace = ts.ask(scene, "What share of the scene is water?")
    print(trace)
    print("report:", trace.to_html(Path(args.out) / "report.html", overwrite=True))
    return trace


if __name__ == "__main__":
    main()
