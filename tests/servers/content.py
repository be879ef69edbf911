"""What the servers hold: real items and their pixels, hrefs led to the blob server, and a synthetic radar item."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine

from servers.blobs import BlobServer
from terrascope_nb.stac.catalog import CATALOGS
from terrascope_nb.stac.folder import read_items

Item = dict[str, Any]
SAMPLE = Path(CATALOGS["sample"])
STYRIA = Affine(120, 0, 499_980, 0, -120, 5_200_020 - 300 * 120)  # tile 33TWM at 120 m, from row 300 on
STYRIA_SHAPE = (400, 400)
MANY = "many-items"
RADAR_DATES = ("2023-08-13T16:43:00Z", "2023-08-20T05:01:00Z")


def write_styria(source: Path, target: Path) -> None:
    """The rasters of the five dates of 33TWM with the place that they were cropped from; they come without one."""
    for item in sorted(source.glob("*/*.json")):
        folder = target / item.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        for tif in item.parent.glob("*.tif"):
            with rasterio.open(tif) as src:
                profile = src.profile | {"crs": 32633, "transform": STYRIA, "driver": "GTiff"}
                with rasterio.open(folder / tif.name, "w", **profile) as dst:
                    dst.write(src.read())


def write_radar(target: Path, rng: np.random.Generator) -> list[Item]:
    """Two synthetic Sentinel-1 RTC items on Styria's grid, from the evening and the morning orbit; writes their files.

    Linear gamma nought around 0.1 (VV) and 0.02 (VH); the outermost ten columns are the unmarked border of zeros.
    """
    items = []
    for when, orbit, track in zip(RADAR_DATES, ("ascending", "descending"), (146, 22), strict=True):
        name = f"S1A_IW_GRDH_1SDV_{re.sub('[-:]', '', when)[:15]}_rtc"
        assets = {}
        for key, level in (("vv", 0.1), ("vh", 0.02)):
            power = (level * rng.gamma(4, 1 / 4, STYRIA_SHAPE)).astype("float32")
            power[:, :10] = 0
            (target / name).mkdir(parents=True, exist_ok=True)
            with rasterio.open(
                target / name / f"{key}.tif", "w", driver="GTiff", width=400, height=400, count=1, dtype="float32",
                crs=32633, transform=STYRIA, nodata=-32768, tiled=True, blockxsize=256, blockysize=256,
                compress="deflate",
            ) as dst:  # fmt: skip
                dst.write(power, 1)
            assets[key] = {"href": f"{name}/{key}.tif", "type": "image/tiff", "roles": ["data"]}
        w, s, e, n_ = 15.0, 45.9, 15.7, 46.5
        items.append({
            "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "sentinel-1-rtc", "links": [],
            "bbox": [w, s, e, n_],
            "geometry": {"type": "Polygon", "coordinates": [[[w, s], [e, s], [e, n_], [w, n_], [w, s]]]},
            "properties": {
                "datetime": when, "platform": "SENTINEL-1A", "proj:epsg": 32633, "sat:orbit_state": orbit,
                "sat:relative_orbit": track, "sar:polarizations": ["VV", "VH"],
            },
            "assets": assets,
        })  # fmt: skip
    return items


def many(count: int = 230) -> list[Item]:
    """Items an hour apart over one place in the Pacific; cloud cover falls while time rises; no pixels."""
    out = []
    for k in range(count):
        cloud = round(100 * (count - k) / count, 2)
        out.append({
            "type": "Feature", "stac_version": "1.0.0", "id": f"many-{k:03d}", "collection": MANY, "links": [],
            "bbox": [-150, -10, -149, -9],
            "geometry": {
                "type": "Polygon", "coordinates": [[[-150, -10], [-149, -10], [-149, -9], [-150, -9], [-150, -10]]],
            },
            "properties": {"datetime": f"2022-01-{1 + k // 24:02d}T{k % 24:02d}:00:00Z", "eo:cloud_cover": cloud},
            "assets": {},
        })  # fmt: skip
    return out


def real_items(shared_data: Callable[[str], Path]) -> dict[str, list[Item]]:
    """The real items by source: ``dev`` (recorded answers of providers), ``styria``, ``openeo``, ``sample``."""
    dev = [i for i in read_items(shared_data("stac-items-dev")) if i.get("geometry")]
    for item in dev:
        if not item.get("collection"):
            item["collection"] = "sentinel-1-grd" if "GRDH" in item["id"] else "sentinel-2-l2a"
    return {
        "dev": dev,
        "styria": read_items(shared_data("mapchete-33twm-stac")),
        "openeo": read_items(shared_data("openeo-local-stac")),
        "sample": read_items(SAMPLE),
    }


def led_to(items: Iterable[Item], blobs: BlobServer, container: str, root: Path | None) -> list[Item]:
    """Copies whose hrefs lead to the blob server; below `root` its paths, else a blob that is not there."""
    out = []
    for item in copy.deepcopy(list(items)):
        item["links"] = []
        item.setdefault("bbox", _bbox(item))
        for asset in item["assets"].values():
            path = Path(asset["href"])
            inside = root is not None and path.is_relative_to(root)
            name = path.relative_to(root).as_posix() if inside and root is not None else f"gone/{path.name}"
            asset["href"] = blobs.address(container, name.partition("?")[0])
        out.append(item)
    return out


def collections_of(items: Iterable[Item]) -> list[Item]:
    """A collection for each that the items name."""
    everywhere = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
    return [
        {
            "type": "Collection", "stac_version": "1.0.0", "id": name, "description": name, "license": "other",
            "links": [], "extent": everywhere,
        }
        for name in sorted({i["collection"] for i in items})
    ]  # fmt: skip


def _bbox(item: Item) -> list[float]:
    points = re.findall(r"\[(-?[\d.]+), ?(-?[\d.]+)", json.dumps(item["geometry"]["coordinates"]))
    xs, ys = [float(p[0]) for p in points], [float(p[1]) for p in points]
    return [min(xs), min(ys), max(xs), max(ys)]
