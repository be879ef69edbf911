"""From GeoTIFF files to a report, offline: ``python examples/ask_files.py [FOLDER]``.

The files here are Cloud Optimized GeoTIFFs of the bundled sample; yours work the same way.
"""

from __future__ import annotations

import sys
from pathlib import Path

import terrascope_nb as ts


def main(out: Path) -> ts.Trace:
    """Ask four band files and two radar files, write report and GIS files into `out`."""
    folder = ts.samples.catalog()
    optical = folder / "bigearthnet-s2-l2a" / "S2B_MSIL2A_20170924T93020_69_24"
    radar = folder / "bigearthnet-s1-grd" / "S1A_IW_GRDH_1SDV_20170925T043256_35VPK_69_24"
    scene = ts.Scene.from_files(
        optical=[[optical / f"{band}.tif" for band in ("B02", "B03", "B04", "B08")]],  # one date, one file a band
        bands=["B02", "B03", "B04", "B08"],
        scale=1e-4,  # stored number × 1e-4 = reflectance; from processing baseline 04.00 on add offset=-0.1
        sar=[[radar / "vv.tif", radar / "vh.tif"]],
        sar_bands=["VV", "VH"],  # in dB, which their values show
        times=["2017-09-24T09:30:20"],
        sar_times=["2017-09-25T04:32:56"],
    )
    trace = ts.ask(scene, "How large is the water area in hectares?")
    trace.to_stac(out, overwrite=True)  # item.json with report.html, masks.tif and masks.geojson beside it
    return trace


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "result_ask_files")
    print(main(target), f"\nwritten to {target}")
