"""How raw values become physical ones: the table in the docs, and every real item at hand against it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from affine import Affine
from pyproj import CRS

from terrascope_nb.errors import InvalidInput, NotFound, UnknownUnits
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene.classes import canonical, labels
from terrascope_nb.stac.catalog import CATALOGS, Catalog, search
from terrascope_nb.stac.clouds import clear_mask, cloud_share
from terrascope_nb.stac.cube import open_cube
from terrascope_nb.stac.legends import LEGENDS, legend_of
from terrascope_nb.stac.query import Query
from terrascope_nb.stac.scaling import placed, stated
from terrascope_nb.stac.scaling_table import ROWS, scaling_table
from terrascope_nb.stac.sensors import QA_PIXEL_BITS, QA_PIXEL_NOT_CLEAR, SENSORS, scaling, sensor_of

ROOT = Path(__file__).resolve().parents[1]
Find = Callable[[str], Path]


def held(data: Any) -> Iterator[dict[str, Any]]:
    features = data if isinstance(data, list) else data.get("features", [data])
    return (f for f in features if f.get("type") == "Feature")


@pytest.fixture(scope="module")
def real(shared_data: Find) -> dict[str, dict[str, Any]]:
    """Every recorded item by id, those within recorded answers of a server too."""
    folder, out = shared_data("stac-items-dev"), {}
    for file in sorted(folder.glob("*.json")):
        out |= {i["id"]: i for i in held(json.loads(file.read_text()))}
    for file in sorted(folder.glob("*.yaml")):
        for pair in yaml.load(file.read_text(), yaml.CSafeLoader)["interactions"]:
            text = pair["response"]["body"]["string"]
            if text[:1] == "{":
                out |= {i["id"]: i for i in held(json.loads(text))}
    for file in sorted(shared_data("mapchete-33twm-stac").rglob("*.json")):
        out |= {i["id"]: i for i in held(json.loads(file.read_text()))}
    return out


# ---- every real item ------------------------------------------------------------------------------------------------
S2, SR, ST = (1e-4, 0.0, 0), (2.75e-5, -0.2, 0), (0.00341802, 149.0, 0)
LATE = (1e-4, -0.1, 0)
#: beginning of an item's id → (sensor, a band, (scale, offset, nodata)), the longest beginning counts
WANTED: dict[str, tuple[str, str, tuple[float, float, float | None]]] = {
    "S2A_32TMS_20221207": ("sentinel-2-l2a", "red", S2),  # 05.09, taken off by the provider
    "S2A_33TWN_20171005": ("sentinel-2-l2a", "red", S2),  # 00.01
    "S2A_33TWN_20210629": ("sentinel-2-l2a", "red", S2),  # 03.00
    "S2B_33TWN_20180521": ("sentinel-2-l2a", "red", S2),  # 02.07
    "S2B_33TWN_20220130": ("sentinel-2-l2a", "red", S2),  # 04.00, taken off
    "S2A_33TWM_2023": ("sentinel-2-l2a", "red", S2),
    "S2B_33TWM_2023": ("sentinel-2-l2a", "red", S2),
    "S2A_28QCH_20200714": ("sentinel-2-l2a", "swir16", S2),  # v0: 02.14 in the product's name
    "S2B_MSIL2A_20190629": ("sentinel-2-l2a", "nir08", S2),  # Planetary Computer, 02.12
    "S2A_MSIL2A_20150704": ("sentinel-2-l2a", "red", S2),  # Planetary Computer, 02.12
    "S2B_MSIL2A_20240419": ("sentinel-2-l2a", "red", LATE),  # Planetary Computer, 05.10
    "S2A_T07HFE_20190212": ("sentinel-2-l2a", "red", S2),  # STAC 1.1, proj:code, no collection
    "LC09_": ("landsat-c2-l2", "red", SR),
    "S1A_IW_GRDH_1SDV_20240419": ("sentinel-1-rtc", "vv", (1, 0, -32768)),
    "60": ("io-lulc-annual-v02", "landcover", (1, 0, 0)),
}
UNUSABLE = (
    "3af1acae-0255-4762-b2b2-f26034cf3ce8",
    "S1A_IW_GRDH_1SDV_20230628T210705_20230628T210730_049191_05EA4D_21D1",
)


def wanted(item_id: str) -> tuple[str, str, tuple[float, float, float | None]]:
    return WANTED[max((k for k in WANTED if item_id.startswith(k)), key=len)]


def test_every_real_item_is_coded_as_the_table_says(real: dict[str, Any]) -> None:
    seen = set()
    for name, item in real.items():
        if name in UNUSABLE:
            continue
        sensor_name, band, want = wanted(name)
        sensor = SENSORS[sensor_name]
        assert item.get("collection") is None or sensor_of(item) is sensor, name
        rule = scaling(sensor, item, sensor.band(band))
        assert (rule.scale, rule.offset, rule.nodata) == want, (name, rule)
        seen |= {k for k in WANTED if name.startswith(k)}
    assert len(real) >= 30 and seen == set(WANTED)


def test_every_band_of_every_real_item_has_a_rule_and_zero_goes_first(real: dict[str, Any]) -> None:
    for name, item in real.items():
        if name in UNUSABLE:
            continue
        sensor = SENSORS[wanted(name)[0]]
        found = [b for b in sensor.bands if sensor.asset_of(item, b)]
        assert len(found) >= {"optical": 8, "sar": 2, "landcover": 1}[sensor.kind], name
        for band in found:
            rule = scaling(sensor, item, band)
            assert rule.words and rule.nodata is not None, (name, band.name)
            if not band.labels and sensor.kind == "optical":
                assert rule.nodata == 0 and not rule.positive


def test_landsat_tells_light_from_heat(real: dict[str, Any]) -> None:
    landsat = [i for n, i in real.items() if n.startswith("LC09")]
    assert len(landsat) == 4
    sensor = SENSORS["landsat-c2-l2"]
    for item in landsat:
        for band in sensor.bands:
            rule = scaling(sensor, item, band)
            if band.name == "qa_pixel":
                assert (rule.scale, rule.nodata) == (1, 1)
            else:
                assert (rule.scale, rule.offset, rule.nodata) == (ST if band.name == "lwir11" else SR)
                assert ("kelvin" in rule.words) == (band.name == "lwir11")
    assert scaling(sensor, landsat[0], sensor.band("lwir11")).apply(44177.0) == pytest.approx(300, abs=0.01)


def test_landsat_bits_are_the_items_own(real: dict[str, Any]) -> None:
    item = next(i for n, i in real.items() if n.startswith("LC09"))
    fields = {f["offset"]: f["name"].replace("_", " ") for f in item["assets"]["qa_pixel"]["classification:bitfields"]}
    assert {k: fields[k] for k in QA_PIXEL_BITS} == dict(QA_PIXEL_BITS)
    assert {QA_PIXEL_BITS[b] for b in QA_PIXEL_NOT_CLEAR} == {
        "fill",
        "dilated cloud",
        "cirrus",
        "cloud",
        "cloud shadow",
    }


def test_io_lulc_legend_is_the_items_own(real: dict[str, Any]) -> None:
    item = real["60W-2023"]
    own = {v["values"][0]: v["summary"] for v in item["assets"]["data"]["file:values"]}
    assert {c.number: c.name for c in LEGENDS["io-lulc-annual-v02"]} | {0: "No Data"} == own


def test_radar_geometry_is_refused_by_name_and_by_item(real: dict[str, Any]) -> None:
    for ask in (
        lambda: sensor_of("sentinel-1-grd"),
        lambda: search((0, 0, 1, 1), sensor="sentinel-1-grd"),
        lambda: scaling(SENSORS["sentinel-1-rtc"], real[UNUSABLE[1]], SENSORS["sentinel-1-rtc"].band("vv")),
    ):
        with pytest.raises(InvalidInput, match="ground control points.*sentinel-1-rtc"):
            ask()


def test_items_of_unknown_collections_are_refused(real: dict[str, Any]) -> None:
    with pytest.raises(NotFound, match="fc_percentile_albers_annual"):
        sensor_of(real[UNUSABLE[0]])


def test_projection_in_either_form_or_none(real: dict[str, Any]) -> None:
    code = real["S2A_T07HFE_20190212T192646_L2A"]
    assert "proj:epsg" not in code["properties"] and placed(code) and placed(real["60W-2023"])
    assert not placed(real[UNUSABLE[1]])
    grid = Grid(Affine(10, 0, 600000, 0, -10, 6500020), (8, 8), CRS.from_epsg(32707))
    named = {**code, "collection": "sentinel-2-l2a"}
    cube = open_cube([named], grid, bands=["red", "scl"])
    assert cube.rio.crs.to_epsg() == 32707 and "02.12" in cube.attrs["terrascope:scaling"]


# ---- made-up items for what no real one shows -----------------------------------------------------------------------
def made(assets: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "id": "x", "properties": properties, "assets": assets or {"red": {"href": "r.tif"}}}


@pytest.mark.parametrize(
    ("sensor", "item", "offset"),
    [
        # the same early date under two baselines: the date decides nothing
        ("sentinel-2-l2a", made(datetime="2018-06-01T00:00:00Z", **{"s2:processing_baseline": "02.06"}), 0.0),
        ("sentinel-2-l2a", made(datetime="2018-06-01T00:00:00Z", **{"s2:processing_baseline": "05.00"}), -0.1),
        ("sentinel-2-l2a", made(datetime="2022-02-01T00:00:00Z", **{"s2:processing_baseline": "03.01"}), 0.0),
        # flags, old and new
        ("sentinel-2-l2a", made(**{"sentinel:boa_offset_applied": True, "sentinel:processing_baseline": "04.00"}), 0.0),
        (
            "sentinel-2-l2a",
            made(**{"sentinel:boa_offset_applied": False, "sentinel:processing_baseline": "04.00"}),
            -0.1,
        ),
        ("sentinel-2-l2a", made(**{"earthsearch:boa_offset_applied": True}), 0.0),
        # 0.1 is never lost twice, whatever raster:bands says
        (
            "sentinel-2-l2a",
            made(
                {"red": {"href": "r", "raster:bands": [{"scale": 1e-4, "offset": -0.1}]}},
                **{"earthsearch:boa_offset_applied": True},
            ),
            0.0,
        ),
        (
            "sentinel-2-l2a",
            made(
                {"red": {"href": "r", "raster:bands": [{"scale": 1e-4, "offset": -0.1}]}},
                **{"s2:processing_baseline": "05.09"},
            ),
            -0.1,
        ),
        # Collection 1 as raster:bands states, in both forms of STAC; else by baseline
        ("sentinel-2-c1-l2a", made({"red": {"raster:bands": [{"scale": 1e-4, "offset": -0.1}]}}), -0.1),
        ("sentinel-2-c1-l2a", made({"red": {"bands": [{"raster:scale": 1e-4, "raster:offset": -0.1}]}}), -0.1),
        ("sentinel-2-c1-l2a", made(**{"s2:processing_baseline": "05.00"}), -0.1),
    ],
)
def test_sentinel2_offsets(sensor: str, item: dict[str, Any], offset: float) -> None:
    rule = scaling(SENSORS[sensor], item, SENSORS[sensor].band("red"))
    assert (rule.scale, rule.offset, rule.nodata) == (1e-4, offset, 0)


def test_what_cannot_be_decided_is_an_error_and_what_is_doubtful_is_said() -> None:
    for name in ("sentinel-2-l2a", "sentinel-2-c1-l2a"):
        with pytest.raises(UnknownUnits, match="s2:processing_baseline"):
            scaling(SENSORS[name], made(), SENSORS[name].band("red"))
    flagged = made(**{"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "05.11"})
    assert "has been wrong" in scaling(SENSORS["sentinel-2-l2a"], flagged, SENSORS["sentinel-2-l2a"].band("red")).words
    own = made({"red": {"bands": [{"raster:offset": 0}]}}, **{"s2:processing_baseline": "05.11"})
    assert "own offset of 0" in scaling(SENSORS["sentinel-2-l2a"], own, SENSORS["sentinel-2-l2a"].band("red")).words


def test_landsat_constants_where_the_item_states_none_and_the_item_s_where_it_does() -> None:
    sensor = SENSORS["landsat-c2-l2"]
    bare = made({"red": {"href": "r"}, "lwir": {"href": "t"}})
    assert scaling(sensor, bare, sensor.band("red")).offset == -0.2
    assert scaling(sensor, bare, sensor.band("lwir11")).offset == 149.0
    other = made({"red": {"bands": [{"raster:scale": 1e-4, "raster:offset": 0.0}]}})
    rule = scaling(sensor, other, sensor.band("red"))
    assert (rule.scale, rule.offset) == (1e-4, 0.0) and "not the USGS's own" in rule.words


def test_stated_reads_what_is_there() -> None:
    assert stated(made({"red": {"raster:bands": []}}), "red") == (None, None)
    assert stated(made({"red": {"raster:scale": 2}}), "red") == (2.0, None)
    assert stated(made(), "blue") == (None, None)


# ---- clouds by bits -------------------------------------------------------------------------------------------------
def test_landsat_clouds_by_bits() -> None:
    bits = {"clear": 1 << 6, "water": 1 << 7 | 1 << 6, "snow": 1 << 5 | 1 << 6, "fill": 1, "dilated": 2, "cirrus": 4,
            "cloud": 1 << 3, "shadow": 1 << 4}  # fmt: skip
    layer = np.array([list(bits.values())], "uint16")
    clear = clear_mask(layer, "landsat-c2-l2")
    assert dict(zip(bits, clear[0].tolist(), strict=True)) == {k: k in ("clear", "water", "snow") for k in bits}
    share = cloud_share(layer, sensor="landsat-c2-l2")
    assert (share.clear, share.cloud, share.nodata) == (3 / 8, 4 / 8, 1 / 8)


# ---- tables ---------------------------------------------------------------------------------------------------------
def test_the_docs_hold_the_table() -> None:
    assert scaling_table() in (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")


def test_every_sensor_has_a_row_and_every_row_a_source() -> None:
    named = {r.sensor for r in ROWS}
    assert named == set(SENSORS) | {"sentinel-1-grd"}
    assert all(r.source and r.rule and r.nodata and r.tested for r in ROWS)
    assert all("untested" in r.tested for r in ROWS if r.sensor in ("sentinel-2-c1-l2a", "esa-worldcover"))


def test_legends_speak_our_vocabulary() -> None:
    for name, legend in LEGENDS.items():
        assert SENSORS[name].kind == "landcover" and len({c.number for c in legend}) == len(legend)
        assert all(canonical(c.label) == c.label for c in legend)
        assert {c.label for c in legend} - set(labels()) <= {"moss and lichen"}
    assert legend_of("io-lulc-annual-v02")[4] == "wetland"
    with pytest.raises(NotFound, match="did you mean 'esa-worldcover'"):
        legend_of("worldcover")


def test_bundled_items_follow_their_rows() -> None:
    for item in Catalog(CATALOGS["sample"]).find(Query()):
        sensor = sensor_of(item)
        for band in sensor.bands:
            if sensor.asset_of(item, band):
                rule = scaling(sensor, item, band)
                assert rule.decibel == (sensor.kind == "sar") and rule.nodata == (
                    0 if sensor.kind == "optical" else None
                )
