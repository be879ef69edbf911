"""Build the bundled sample catalogue (terrascope_nb/data/sample) from the BigEarthNet example pairs.

    python tests/build_sample.py [folder with bigearthnet-pairs] [folder to write]

The pairs are those inside the PyPI package `bigearthnet-common` 2.8.0 (its S1 and S2 example archives). Every pixel
value and every georeference is kept: only the file layout changes (COG, deflate), and the optical files gain the
nodata tag 0 that BigEarthNet leaves out. Running it again writes the same catalogue.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.shutil import copy as raster_copy
from rasterio.warp import transform_geom

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1] / "shared" / "data" / "bigearthnet-pairs"
TARGET = HERE.parent / "terrascope_nb" / "data" / "sample"

LICENCE = "CDLA-Permissive-1.0"
ATTRIBUTION = "contains modified Copernicus Sentinel data 2017"
S2, S1 = "bigearthnet-s2-l2a", "bigearthnet-s1-grd"

PAIRS = {
    "lake": (
        "S2B_MSIL2A_20170924T93020_69_24",
        "S1A_IW_GRDH_1SDV_20170925T043256_35VPK_69_24",
        "A dark lake among conifers and peatbogs in Finland, September 2017; radar the day after the optical image.",
    ),
    "woods": (
        "S2A_MSIL2A_20171221T112501_56_35",
        "S1A_IW_GRDH_1SDV_20171221T064238_29SND_56_35",
        "Broad-leaved woods, scrub and small plots in central Portugal, 21 December 2017; radar of the same day.",
    ),
    "fields": (
        "S2A_MSIL2A_20170613T101031_87_48",
        "S1A_IW_GRDH_1SDV_20170613T165043_33UUP_87_48",
        "Arable fields with some natural vegetation in Upper Austria, 13 June 2017; radar of the same day.",
    ),
}

# BigEarthNet file name → (STAC common name, variable here, centre wavelength in µm, native metres). Wavelengths: ESA
# Sentinel-2 spectral response, S2A, rounded to nm.
BANDS = {
    "B01": ("coastal", "coastal", 0.443, 60),
    "B02": ("blue", "blue", 0.492, 10),
    "B03": ("green", "green", 0.560, 10),
    "B04": ("red", "red", 0.665, 10),
    "B05": ("rededge", "rededge1", 0.704, 20),
    "B06": ("rededge", "rededge2", 0.740, 20),
    "B07": ("rededge", "rededge3", 0.783, 20),
    "B08": ("nir", "nir", 0.833, 10),
    "B8A": ("nir08", "nir08", 0.865, 20),
    "B09": ("nir09", "nir09", 0.945, 60),
    "B11": ("swir16", "swir16", 1.614, 20),
    "B12": ("swir22", "swir22", 2.202, 20),
}
EXTENSIONS = "https://stac-extensions.github.io/{}/schema.json"
PROVIDERS = [
    {
        "name": "European Union/ESA/Copernicus",
        "roles": ["producer", "licensor"],
        "url": "https://sentinels.copernicus.eu",
    },
    {"name": "BigEarthNet (TU Berlin)", "roles": ["processor"], "url": "https://bigearth.net"},
]

ABOUT_S2 = (
    "Three 1.2 × 1.2 km patches of surface reflectance × 10,000 (uint16, processing baseline before 04.00, no offset). "
    "BigEarthNet took them from tiles with less than 1 % cloud; the patches carry no cloud mask."
)
ABOUT_S1 = (
    "The same three places in C-band radar: VV and VH backscatter in decibels (float32) from ground-range detected IW "
    "scenes, calibrated and terrain-corrected by BigEarthNet-S1; sigma nought is presumed, the files do not say. Not "
    "radiometrically terrain-corrected (no gamma nought RTC). Orbit direction is inferred from the local time."
)


def write_cog(source: Path, target: Path, nodata: float | None) -> dict[str, Any]:
    """Copy one band as a COG; check that values, CRS and transform are the same; return its STAC asset fields."""
    with rasterio.open(source) as src:
        data, profile = src.read(), src.profile
        if nodata is not None and (data == nodata).any():
            raise ValueError(f"{source.name}: {int((data == nodata).sum())} pixels hold {nodata:g}, meant as nodata")
    profile.update(driver="GTiff", nodata=nodata)
    with rasterio.MemoryFile() as memory:
        with memory.open(**{k: v for k, v in profile.items() if k not in ("blockxsize", "blockysize", "tiled")}) as dst:
            dst.write(data)
        with memory.open() as plain:
            layout = {"compress": "DEFLATE", "level": 9, "predictor": "YES", "blocksize": 128, "overviews": "NONE"}
            raster_copy(plain, target, driver="COG", **layout)
    with rasterio.open(source) as src, rasterio.open(target) as out:
        same = (src.crs, src.transform, src.shape, src.dtypes) == (out.crs, out.transform, out.shape, out.dtypes)
        if not same or not np.array_equal(src.read().view("u1"), out.read().view("u1")):
            raise ValueError(f"{target.name} is not the same raster as {source}")
        return {
            "href": f"./{target.name}",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "roles": ["data"],
            "proj:shape": list(out.shape),
            "proj:transform": list(out.transform)[:6],
        }


def footprint(source: Path) -> tuple[dict[str, Any], list[float], int, list[float]]:
    """Longitude-latitude polygon, its bbox, EPSG code and projected bounds (left, bottom, right, top) of a raster."""
    with rasterio.open(source) as src:
        left, bottom, right, top = src.bounds
        epsg = src.crs.to_epsg()
    ring = [[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]]
    polygon = transform_geom(f"EPSG:{epsg}", "EPSG:4326", {"type": "Polygon", "coordinates": [ring]}, precision=7)
    xy = np.array(polygon["coordinates"][0])
    polygon["coordinates"] = [xy.tolist()]
    return polygon, [*xy.min(0).tolist(), *xy.max(0).tolist()], epsg, [left, bottom, right, top]


def item(
    name: str, collection: str, source: Path, datetime: str, extensions: list[str], properties: dict[str, Any]
) -> dict[str, Any]:
    """A STAC 1.0 item without its assets."""
    polygon, bbox, epsg, _ = footprint(source)
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [EXTENSIONS.format(e) for e in extensions],
        "id": name,
        "collection": collection,
        "geometry": polygon,
        "bbox": bbox,
        "properties": {"datetime": datetime, "license": LICENCE, "providers": PROVIDERS, "attribution": ATTRIBUTION,
                       "proj:epsg": epsg, **properties},
        "links": [
            {"rel": "root", "href": "../../catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "../collection.json", "type": "application/json"},
            {"rel": "collection", "href": "../collection.json", "type": "application/json"},
        ],
        "assets": {},
    }  # fmt: skip


def optical_item(source: Path, target: Path, place: str) -> dict[str, Any]:
    """Write the twelve bands of a Sentinel-2 patch; return its item."""
    name = source.name
    meta = json.loads((source / f"{name}_labels_metadata.json").read_text())
    tile = re.match(r"S2[AB]_MSIL1C_\d{8}T\d+_N(\d{2})(\d{2})_R(\d{3})_T(\w{5})_", meta["tile_source"])
    if tile is None:
        raise ValueError(f"{name}: tile_source {meta['tile_source']!r} has not the form of a Sentinel-2 product name")
    date, clock = meta["acquisition_date"].split()
    out = item(
        name, S2, source / f"{name}_B02.tif", f"{date}T{clock}Z",
        ["projection/v1.1.0", "eo/v1.1.0", "raster/v1.1.0", "sat/v1.0.0", "grid/v1.1.0"],
        {
            "title": f"{place}: Sentinel-2 L2A",
            "platform": f"sentinel-{name[1:3].lower()}", "constellation": "sentinel-2",
            "instruments": ["msi"], "gsd": 10,
            "sat:relative_orbit": int(tile[3]), "sat:orbit_state": "descending", "grid:code": f"MGRS-{tile[4]}",
            "bigearthnet:tile_source": meta["tile_source"], "bigearthnet:labels": meta["labels"],
        },
    )  # fmt: skip
    for band, (common, _, wavelength, metres) in BANDS.items():
        asset = write_cog(source / f"{name}_{band}.tif", target / f"{band}.tif", nodata=0)
        asset["gsd"] = metres
        asset["eo:bands"] = [{"name": band, "common_name": common, "center_wavelength": wavelength}]
        asset["raster:bands"] = [
            {"data_type": "uint16", "nodata": 0, "scale": 0.0001, "offset": 0, "unit": "1", "sampling": "area",
             "spatial_resolution": metres}
        ]  # fmt: skip
        out["assets"][band] = asset
    return out


def radar_item(source: Path, target: Path, place: str) -> dict[str, Any]:
    """Write VV and VH of a Sentinel-1 patch; return its item."""
    name = source.name
    meta = json.loads((source / f"{name}_labels_metadata.json").read_text())
    orbit = int(meta["scene_source"].split("_")[6])
    # S1A repeats after 175 orbits, absolute orbit 73 being relative orbit 1 (175-orbit cycle of the mission).
    # Dusk-dawn orbit: northbound in the local evening, southbound in the local morning.
    evening = int(meta["acquisition_time"][11:13]) >= 12
    out = item(
        name, S1, source / f"{name}_VV.tif", meta["acquisition_time"] + "Z",
        ["projection/v1.1.0", "raster/v1.1.0", "sar/v1.0.0", "sat/v1.0.0"],
        {
            "title": f"{place}: Sentinel-1 GRD backscatter",
            "platform": "sentinel-1a", "constellation": "sentinel-1", "instruments": ["c-sar"], "gsd": 10,
            "sar:instrument_mode": "IW", "sar:frequency_band": "C", "sar:product_type": "GRD",
            "sar:polarizations": ["VV", "VH"],
            "sat:absolute_orbit": orbit, "sat:relative_orbit": (orbit - 73) % 175 + 1,
            "sat:orbit_state": "ascending" if evening else "descending",
            "bigearthnet:scene_source": meta["scene_source"], "bigearthnet:labels": meta["labels"],
        },
    )  # fmt: skip
    for polarisation in ("VV", "VH"):
        key = polarisation.lower()
        asset = write_cog(source / f"{name}_{polarisation}.tif", target / f"{key}.tif", nodata=None)
        asset["gsd"] = 10
        asset["sar:polarizations"] = [polarisation]
        asset["raster:bands"] = [{"data_type": "float32", "unit": "dB", "spatial_resolution": 10, "sampling": "area"}]
        out["assets"][key] = asset
    return out


def collection(name: str, title: str, description: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    """A STAC 1.0 collection over `items`."""
    times = sorted(i["properties"]["datetime"] for i in items)
    boxes = np.array([i["bbox"] for i in items])
    whole = [*boxes[:, :2].min(0).tolist(), *boxes[:, 2:].max(0).tolist()]
    return {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": name,
        "title": title,
        "description": description,
        "license": LICENCE,
        "providers": PROVIDERS,
        "extent": {"spatial": {"bbox": [whole, *boxes.tolist()]}, "temporal": {"interval": [[times[0], times[-1]]]}},
        "links": [
            {"rel": "root", "href": "../catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "../catalog.json", "type": "application/json"},
            {"rel": "license", "href": "https://cdla.dev/permissive-1-0/", "type": "text/html"},
            *({"rel": "item", "href": f"./{i['id']}/{i['id']}.json", "type": "application/geo+json"} for i in items),
        ],
    }


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write `data` as indented JSON with a final newline."""
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def build(source: Path = SOURCE, target: Path = TARGET) -> None:
    """Write the whole catalogue to `target` (its catalogue files are replaced; ATTRIBUTION.md is left alone)."""
    items: dict[str, list[dict[str, Any]]] = {S2: [], S1: []}
    samples: dict[str, Any] = {}
    for collection_id in items:
        shutil.rmtree(target / collection_id, ignore_errors=True)
    for place, (optical, radar, description) in PAIRS.items():
        for collection_id, name, make in ((S2, optical, optical_item), (S1, radar, radar_item)):
            folder = target / collection_id / name
            folder.mkdir(parents=True)
            made = make(source / name, folder, place)
            write_json(folder / f"{name}.json", made)
            items[collection_id].append(made)
        _, bbox, epsg, bounds = footprint(source / optical / f"{optical}_B02.tif")
        samples[place] = {
            "description": description,
            "optical": {"collection": S2, "item": optical, "datetime": items[S2][-1]["properties"]["datetime"]},
            "sar": {"collection": S1, "item": radar, "datetime": items[S1][-1]["properties"]["datetime"]},
            "bbox": bbox,
            "crs": epsg,
            "bounds": bounds,
            "resolution": 10,
            "shape": [120, 120],
            "labels": items[S2][-1]["properties"]["bigearthnet:labels"],
            "attribution": ATTRIBUTION,
        }
    about = {
        S2: ("BigEarthNet Sentinel-2 patches (L2A)", ABOUT_S2),
        S1: ("BigEarthNet Sentinel-1 patches (GRD backscatter)", ABOUT_S1),
    }
    for collection_id, (title, description) in about.items():
        made = collection(collection_id, title, description, items[collection_id])
        write_json(target / collection_id / "collection.json", made)
    catalog = {
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": "terrascope-nb-sample",
        "title": "Sample scenes of terrascope-nb",
        "description": f"Three Sentinel-2 and Sentinel-1 pairs from BigEarthNet; {ATTRIBUTION}; licence {LICENCE}.",
        "links": [
            {"rel": "root", "href": "./catalog.json", "type": "application/json"},
            *({"rel": "child", "href": f"./{c}/collection.json", "type": "application/json"} for c in items),
        ],
    }
    write_json(target / "catalog.json", catalog)
    write_json(target / "samples.json", samples)


if __name__ == "__main__":
    build(*(Path(a) for a in sys.argv[1:3]))
