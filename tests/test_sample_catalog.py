"""The bundled catalogue: valid STAC, the source's pixels, its attribution; built the same again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from build_sample import PAIRS, build

from terrascope_nb.stac.catalog import CATALOGS, Catalog, search
from terrascope_nb.stac.cube import open_cube
from terrascope_nb.stac.query import Query

SAMPLE = Path(CATALOGS["sample"])
ITEMS = Catalog("sample").find(Query())
SAMPLES = json.loads((SAMPLE / "samples.json").read_text())


def test_three_pairs_in_two_collections():
    counts = {c: sum(i["collection"] == c for i in ITEMS) for c in ("bigearthnet-s2-l2a", "bigearthnet-s1-grd")}
    assert counts == {"bigearthnet-s2-l2a": 3, "bigearthnet-s1-grd": 3}
    assert set(SAMPLES) == set(PAIRS) == {"lake", "woods", "fields"}


def test_pystac_reads_and_validates_every_object():
    catalog = pystac.Catalog.from_file(str(SAMPLE / "catalog.json"))
    objects = [catalog, *catalog.get_children(), *catalog.get_items(recursive=True)]
    assert len(objects) == 1 + 2 + 6
    for thing in objects:
        thing.stac_extensions = []  # their schemas live on the network; the core schema comes with pystac
        thing.validate()


def test_links_and_assets_are_relative_and_there():
    for file in SAMPLE.rglob("*.json"):
        data = json.loads(file.read_text())
        hrefs = [a["href"] for a in data.get("assets", {}).values()]
        hrefs += [link["href"] for link in data.get("links", []) if "://" not in link["href"]]
        for href in hrefs:
            assert not Path(href).is_absolute() and (file.parent / href).is_file(), (file.name, href)


def test_items_say_what_the_files_hold():
    for item in ITEMS:
        assert item["stac_version"] == "1.0.0"
        for key, asset in item["assets"].items():
            with rasterio.open(asset["href"]) as src:
                said = asset["raster:bands"][0]
                assert list(src.shape) == asset["proj:shape"] and list(src.transform)[:6] == asset["proj:transform"]
                assert src.crs.to_epsg() == item["properties"]["proj:epsg"]
                assert (src.dtypes[0], src.nodata) == (said["data_type"], said.get("nodata"))
                assert src.res == (said["spatial_resolution"],) * 2
                assert src.profile["compress"] == "deflate" and src.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG", key


def test_licence_attribution_and_labels_travel_with_every_item():
    note = (SAMPLE / "ATTRIBUTION.md").read_text()
    assert "contains modified Copernicus Sentinel data 2017" in note and "CDLA-Permissive-1.0" in note
    for item in ITEMS:
        properties = item["properties"]
        assert properties["attribution"] == "contains modified Copernicus Sentinel data 2017"
        assert properties["license"] == "CDLA-Permissive-1.0" and properties["providers"]
        assert properties["bigearthnet:labels"]


def test_total_is_small():
    assert sum(f.stat().st_size for f in SAMPLE.rglob("*") if f.is_file()) < 1_000_000


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_json_leads_to_its_items(name):
    entry = SAMPLES[name]
    for part in ("optical", "sar"):
        found = search(entry["bbox"], entry[part]["datetime"][:10], entry[part]["collection"], "sample")
        assert found.ids == (entry[part]["item"],)


def test_orbits_come_from_the_product_names():
    lake = next(i for i in ITEMS if i["id"].startswith("S1A") and "35VPK" in i["id"])["properties"]
    assert lake["sat:absolute_orbit"] == 18527 and lake["sat:relative_orbit"] == 80  # 18527 − 73 = 105 × 175 + 79
    assert lake["sat:orbit_state"] == "descending"


def test_building_again_gives_the_same_catalogue_with_the_source_s_pixels(shared_data, tmp_path):
    source = shared_data("bigearthnet-pairs")
    build(source, tmp_path)
    made = {f.relative_to(tmp_path) for f in tmp_path.rglob("*") if f.is_file()}
    held = {f.relative_to(SAMPLE) for f in SAMPLE.rglob("*") if f.is_file() and f.name != "ATTRIBUTION.md"}
    assert made == held
    for file in made:
        if file.suffix == ".json":
            assert (tmp_path / file).read_bytes() == (SAMPLE / file).read_bytes(), file
    for item in ITEMS:
        for key, asset in item["assets"].items():
            suffix = key.upper() if key in ("vv", "vh") else key
            with (
                rasterio.open(source / item["id"] / f"{item['id']}_{suffix}.tif") as raw,
                rasterio.open(asset["href"]) as cog,
            ):
                assert np.array_equal(raw.read(), cog.read())
                assert (raw.crs, raw.transform, raw.dtypes) == (cog.crs, cog.transform, cog.dtypes)


def test_the_lake_share_by_near_infrared_is_the_known_one():
    entry = SAMPLES["lake"]
    cube = open_cube(search(entry["bbox"], None, "bigearthnet-s2-l2a", "sample"), bands=["nir"])
    inside = cube.nir.sel(x=slice(682800, 684000), y=slice(6971220, 6970020)).values
    assert inside.shape == (1, 120, 120) and np.isfinite(inside).all()
    assert 100 * (inside < 0.06).mean() == pytest.approx(17.1, abs=1.5)
