"""load_scene: which dates are taken and why, on real items with cloud and on a small catalogue with gaps."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from terrascope_nb.errors import InvalidInput, NotFound, NothingFound, TooLarge
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene import samples
from terrascope_nb.scene.load import load_scene

# ---- samples --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", samples.names())
def test_samples_come_through_search_and_cube(name: str) -> None:
    scene = samples.load(name)
    assert scene.name == name and scene.modalities == ("optical", "sar") and scene.grid.shape == (120, 120)
    optical, sar = scene.images
    assert scene.inside(0).all() and optical.valid.all() and sar.valid.all()
    assert optical.units == "reflectance" and 0 < np.median(optical.array("nir")) < 0.6
    assert -25 < 10 * np.log10(np.median(sar.array("vv"))) < 0
    assert len(optical.sources) == len(sar.sources) == 1 and optical.sensor == "bigearthnet-s2-l2a"
    assert any(n.startswith("radar of ") for n in scene.notes)
    assert "Copernicus Sentinel data 2017" in samples.describe(name)


def test_unknown_samples_get_a_suggestion() -> None:
    for call in (samples.load, samples.describe, samples.place):
        with pytest.raises(NotFound, match="unknown sample 'lak'; did you mean 'lake'"):
            call("lak")
    assert samples.describe().count("\n") == len(samples.names()) - 1
    assert (samples.catalog() / "catalog.json").is_file()


def test_the_lake_has_the_water_that_its_infrared_shows() -> None:
    scene = samples.load("lake")
    assert 0.16 < (scene.images[0].array("nir") < 0.07).mean() < 0.19
    assert (Grid.from_aoi(samples.place("lake"), 10, 32635)) == scene.grid


# ---- real items with cloud ------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def cloudy(shared_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five dates of tile 33TWM as a catalogue; the rasters get the place that their folder's notes give them."""
    source, out = shared_data("mapchete-33twm-stac"), tmp_path_factory.mktemp("cloudy")
    place = Affine(120, 0, 499_980, 0, -120, 5_200_020 - 300 * 120)
    for item in sorted(source.glob("*/*.json")):
        folder = out / item.parent.name
        folder.mkdir()
        (folder / item.name).write_text(item.read_text(encoding="utf-8"), encoding="utf-8")
        for tif in item.parent.glob("*.tif"):
            with rasterio.open(tif) as src:
                profile = src.profile | {"crs": 32633, "transform": place, "driver": "GTiff"}
                with rasterio.open(folder / tif.name, "w", **profile) as dst:
                    dst.write(src.read())
    return out


BANDS = ["blue", "green", "red", "nir"]
EAST = (529_980, 5_130_000, 545_000, 5_150_000)  # away from the swath's edge
WEST = (501_000, 5_118_000, 512_000, 5_140_000)  # across it


def load(catalog: Path, bounds: Sequence[float] = EAST, when: str = "2023-08", **options: Any) -> Any:
    aoi = AOI.from_bbox(tuple(bounds), crs=32633)  # type: ignore[arg-type]
    return load_scene(aoi, when, catalog=catalog, resolution=120, bands=BANDS, **options)


def test_the_best_date_shows_most_of_the_aoi_clear(cloudy: Path) -> None:
    everything = load(cloudy, times="all", max_cloud_aoi=100)
    assert len(everything.images) == 5
    clear = {i.day: i.clear[everything.inside(k)].mean() for k, i in enumerate(everything.images)}
    best = load(cloudy)
    assert [i.day for i in best.images] == [max(clear, key=lambda d: clear[d])]
    image = best.images[0]
    assert list(image.bands) == BANDS and image.cloud is not None and "'scl'" in " ".join(image.notes)
    assert "boa" in " ".join(image.notes).lower() or "offset" in " ".join(image.notes).lower()
    assert any(n.startswith("chosen of 5 dates") and "% cloud" in n for n in best.notes)
    assert any(n.startswith("left out: ") and "2023-08-10" in n for n in best.notes)


def test_a_date_whose_swath_misses_half_the_aoi_loses(cloudy: Path) -> None:
    everything = load(cloudy, WEST, times="all", max_cloud_aoi=100)
    valid = {i.day: i.valid[everything.inside(k)].mean() for k, i in enumerate(everything.images)}
    assert min(valid.values()) < 0.5 < max(valid.values()) == 1
    best = load(cloudy, WEST)
    assert valid[best.images[0].day] == 1


def test_dates_named_are_taken_whatever_their_cloud(cloudy: Path) -> None:
    scene = load(cloudy, times=["2023-08-10", "2023-08-13"])
    assert [i.day for i in scene.images] == ["2023-08-10", "2023-08-13"]
    assert any(n.startswith("taken as asked: 2023-08-10") for n in scene.notes)
    with pytest.raises(NothingFound, match="no image of 2023-08-11 .*2023-08-10"):
        load(cloudy, times=["2023-08-11"])


def test_nothing_clear_enough_tells_the_cloud_of_each_date(cloudy: Path) -> None:
    with pytest.raises(NothingFound) as caught:
        load(cloudy, when="2023-08-10/2023-08-10", max_cloud_aoi=5)
    assert "2023-08-10 (" in str(caught.value) and "% cloud, " in str(caught.value)
    assert "Raise max_cloud_aoi=" in str(caught.value) and "at most 5 % cloud" in str(caught.value)


def test_nothing_there_says_what_there_is(cloudy: Path) -> None:
    with pytest.raises(NothingFound, match="2023-08-10"):
        load(cloudy, when="2021")


def test_too_many_bytes_are_refused_before_any_read(cloudy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = load(cloudy).images[0].grid
    date = one.height * one.width * (4 * 4 + 1)
    with pytest.raises(TooLarge, match=rf"5 dates × 5 bands.*{5 * date:,} bytes.*max_bytes={date:,}: take a smaller"):
        load(cloudy, times="all", max_cloud_aoi=100, max_bytes=date)
    monkeypatch.setattr(rasterio, "open", lambda *a, **k: pytest.fail("a pixel was read"))
    with pytest.raises(TooLarge, match=r"1 date × 5 bands.*coarser resolution="):
        load(cloudy, max_bytes=date - 1)


# ---- gaps between optical and radar ---------------------------------------------------------------------------------
def catalogue(folder: Path, optical: dict[str, float], radar: dict[str, float]) -> Path:
    """One 12 × 12 item a date; the number is the share of columns with data."""
    for collection, dates in (("bigearthnet-s2-l2a", optical), ("bigearthnet-s1-grd", radar)):
        for k, (when, share) in enumerate(dates.items()):
            here = folder / collection / f"item{k}"
            here.mkdir(parents=True)
            sar = collection.endswith("grd")
            values = np.full((12, 12), -10.0, np.float32) if sar else np.full((12, 12), 1000 + k, np.uint16)
            values[:, round(12 * share) :] = np.nan if sar else 0
            keys = ("vv", "vh") if sar else ("blue", "green", "red", "nir")
            with rasterio.open(
                here / "a.tif", "w", driver="GTiff", height=12, width=12, count=1, dtype=values.dtype,
                crs=32633, transform=Affine(10, 0, 500_000, 0, -10, 5_000_000),
            ) as dst:  # fmt: skip
                dst.write(values, 1)
            lonlat = AOI.from_bbox((500_000, 4_999_880, 500_120, 5_000_000), crs=32633).to_lonlat()
            item = {
                "type": "Feature", "stac_version": "1.0.0", "id": f"{collection}-{k}", "collection": collection,
                "geometry": lonlat.to_geojson(), "bbox": list(lonlat.bounds), "links": [],
                "properties": {"datetime": when, "proj:epsg": 32633, "platform": "sentinel"},
                "assets": {b: {"href": "./a.tif", "proj:epsg": 32633} for b in keys},
            }  # fmt: skip
            (here / "item.json").write_text(json.dumps(item), encoding="utf-8")
    return folder


def load_pair(folder: Path, when: str = "2023-07", **options: Any) -> Any:
    aoi = AOI.from_bbox((500_000, 4_999_880, 500_120, 5_000_000), crs=32633)
    names = {"optical": "bigearthnet-s2-l2a", "sar": "bigearthnet-s1-grd"} | options
    return load_scene(aoi, when, catalog=folder, crs=32633, resolution=10, **names)


JULY = {"2023-07-05T10:00:00Z": 1.0, "2023-07-15T10:00:00Z": 1.0, "2023-07-25T10:00:00Z": 1.0}


def test_the_nearest_radar_date_is_taken_and_the_gap_told(tmp_path: Path) -> None:
    folder = catalogue(
        tmp_path, JULY, {"2023-07-02T05:00:00Z": 1.0, "2023-07-04T17:00:00Z": 1.0, "2023-07-26T05:00:00Z": 1.0}
    )
    scene = load_pair(folder)
    assert [(i.modality, i.day) for i in scene.images] == [("optical", "2023-07-05"), ("sar", "2023-07-04")]
    assert "radar of 2023-07-04T17:00 UTC, 17 hours before the optical image of 2023-07-05T10:00 UTC" in scene.notes
    assert scene.images[0].grid == scene.images[1].grid
    every = load_pair(folder, times="all")
    assert [i.day for i in every.images] == ["2023-07-05", "2023-07-15", "2023-07-25", "2023-07-04", "2023-07-26"]
    assert "no radar within 6D of 2023-07-15" in every.notes
    assert [(m.optical, m.sar) for m in every.moments()] == [(0, 3), (1, None), (2, 4)]


def test_radar_outside_the_asked_dates_counts_within_the_gap(tmp_path: Path) -> None:
    folder = catalogue(tmp_path, JULY, {"2023-07-29T05:00:00Z": 1.0, "2023-08-01T05:00:00Z": 1.0})
    scene = load_pair(folder, "2023-07-20/2023-07-26")
    assert scene.images[1].day == "2023-07-29" and any("3.8 days after" in n for n in scene.notes)


def test_a_radar_pass_that_barely_touches_the_aoi_loses(tmp_path: Path) -> None:
    folder = catalogue(
        tmp_path, {"2023-07-05T10:00:00Z": 1.0}, {"2023-07-05T05:00:00Z": 0.1, "2023-07-07T05:00:00Z": 0.9}
    )
    assert load_pair(folder).images[1].day == "2023-07-07"
    assert load_pair(folder, max_gap="12h").images[1].day == "2023-07-05"


def test_the_best_date_has_radar_where_radar_is_asked_for(tmp_path: Path) -> None:
    optical = {"2023-07-05T10:00:00Z": 1.0, "2023-07-25T10:00:00Z": 0.9}
    folder = catalogue(tmp_path, optical, {"2023-07-24T05:00:00Z": 1.0})
    scene = load_pair(folder)
    assert [i.day for i in scene.images] == ["2023-07-25", "2023-07-24"]
    assert any("2023-07-05" in n and "shows more but has no radar within 6D" in n for n in scene.notes)
    assert [i.day for i in load_pair(folder, sar=None).images] == ["2023-07-05"]


def test_no_radar_near_enough_is_an_error(tmp_path: Path) -> None:
    folder = catalogue(tmp_path, JULY, {"2023-06-01T05:00:00Z": 1.0, "2023-07-10T09:00:00Z": 1.0})
    with pytest.raises(NothingFound, match=r"no bigearthnet-s1-grd image within 2D of .*raise max_gap="):
        load_pair(folder, max_gap="2D")
    for gap in ("6D", "144 hours", dt.timedelta(days=6), np.timedelta64(6, "D")):
        assert load_pair(folder, max_gap=gap).images[1].day == "2023-07-10"


def test_radar_alone(tmp_path: Path) -> None:
    folder = catalogue(tmp_path, {}, {"2023-07-02T05:00:00Z": 0.5, "2023-07-04T17:00:00Z": 1.0})
    scene = load_pair(folder, optical=None)
    assert [(i.modality, i.day) for i in scene.images] == [("sar", "2023-07-04")]
    assert len(load_pair(folder, optical=None, times="all").images) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"optical": None, "sar": None}, "name a sensor"),
        ({"max_gap": "a week"}, "'6D', '36h'"),
        ({"max_gap": dt.timedelta(days=-1)}, "negative"),
        ({"max_cloud_aoi": 120}, "percentage"),
        ({"grid": Grid(Affine(10, 0, 0, 0, -10, 0), (5, 5), 32633)}, "holds no pixel centre"),
    ],
)
def test_arguments_that_mean_nothing(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=words):
        load_pair(tmp_path, **options)


def test_a_bounding_box_will_do() -> None:
    west, south, east, north = samples.place("lake").to_lonlat().bounds
    scene = load_scene((west, south, east, north), "2017-09", "bigearthnet-s2-l2a", catalog="sample", crs=32635)
    assert scene.images[0].day == "2017-09-24"


# ---- radar of the Planetary Computer's kind --------------------------------------------------------------------------
def test_rtc_borders_are_taken_off_and_its_orbit_is_told(tmp_path: Path) -> None:
    folder = catalogue(tmp_path, {"2023-07-05T10:00:00Z": 1.0}, {})
    for k, (when, state) in enumerate((("2023-07-04T05:00:00Z", "descending"), ("2023-07-08T17:00:00Z", "ascending"))):
        here = folder / f"rtc{k}"
        here.mkdir()
        power = np.full((12, 12), 0.1, np.float32)
        power[:, 10:], power[:, 9] = -32768, 1e-5
        with rasterio.open(
            here / "a.tif", "w", driver="GTiff", height=12, width=12, count=1, dtype="float32", nodata=-32768,
            crs=32633, transform=Affine(10, 0, 500_000, 0, -10, 5_000_000),
        ) as dst:  # fmt: skip
            dst.write(power, 1)
        optical = json.loads((folder / "bigearthnet-s2-l2a" / "item0" / "item.json").read_text(encoding="utf-8"))
        orbit = {"sat:orbit_state": state, "sat:relative_orbit": 51 + k}
        item = optical | {
            "id": f"rtc{k}", "collection": "sentinel-1-rtc", "assets": {b: {"href": "./a.tif"} for b in ("vv", "vh")},
            "properties": optical["properties"] | {"datetime": when, "platform": "SENTINEL-1A"} | orbit,
        }  # fmt: skip
        (here / "item.json").write_text(json.dumps(item), encoding="utf-8")
    scene = load_pair(folder, sar="sentinel-1-rtc")
    radar = scene.images[1]
    assert radar.day == "2023-07-04" and radar.units != "reflectance"
    assert np.isfinite(radar.array("vv")[:, :9]).all() and np.isnan(radar.array("vv")[:, 9:]).all()
    assert any("(descending, relative orbit 51), 29 hours before" in n for n in scene.notes)
    assert any("borders taken off" in n and "12 pixels" in n for n in scene.notes)


def test_an_offset_that_seems_lost_twice_is_noted(cloudy: Path, tmp_path: Path) -> None:
    item = json.loads(next(cloudy.glob("*0815*/*.json")).read_text(encoding="utf-8"))
    item["properties"]["earthsearch:boa_offset_applied"] = False  # as the provider has said of items where it was
    for asset in item["assets"].values():
        if asset["href"].startswith("./") or "://" not in asset["href"]:
            asset["href"] = str(next(cloudy.glob("*0815*")) / Path(asset["href"]).name)
    (tmp_path / "item.json").write_text(json.dumps(item), encoding="utf-8")
    scene = load(tmp_path)
    assert any("reflectance below 0 in green" in n and "taken off twice" in n for n in scene.notes)
    assert not any("below 0" in n for n in load(cloudy).notes)


def rtc(folder: Path, passes: dict[str, tuple[str, int]]) -> None:
    """RTC items beside the optical ones of a catalogue: time → direction and track."""
    optical = json.loads((folder / "bigearthnet-s2-l2a" / "item0" / "item.json").read_text(encoding="utf-8"))
    for k, (when, (state, track)) in enumerate(passes.items()):
        here = folder / f"rtc{k}"
        here.mkdir()
        with rasterio.open(
            here / "a.tif", "w", driver="GTiff", height=12, width=12, count=1, dtype="float32", nodata=-32768,
            crs=32633, transform=Affine(10, 0, 500_000, 0, -10, 5_000_000),
        ) as dst:  # fmt: skip
            dst.write(np.full((12, 12), 0.05 + 0.01 * k, np.float32), 1)
        properties = {
            "datetime": when,
            "platform": "SENTINEL-1A",
            "sat:orbit_state": state,
            "sat:relative_orbit": track,
        }
        item = optical | {
            "id": f"rtc{k}", "collection": "sentinel-1-rtc", "assets": {b: {"href": "./a.tif"} for b in ("vv", "vh")},
            "properties": optical["properties"] | properties,
        }  # fmt: skip
        (here / "item.json").write_text(json.dumps(item), encoding="utf-8")


def test_two_dates_get_radar_of_one_orbit_where_one_serves_both(tmp_path: Path) -> None:
    folder = catalogue(tmp_path, {"2023-07-05T10:00:00Z": 1.0, "2023-07-25T10:00:00Z": 1.0}, {})
    rtc(folder, {
        "2023-07-04T17:00:00Z": ("ascending", 117), "2023-07-03T05:00:00Z": ("descending", 51),
        "2023-07-27T05:00:00Z": ("descending", 51), "2023-07-25T05:00:00Z": ("descending", 124),
    })  # fmt: skip
    scene = load_pair(folder, sar="sentinel-1-rtc", times="all")
    assert [i.day for i in scene.images[2:]] == ["2023-07-03", "2023-07-27"]
    assert sum("descending, relative orbit 51" in n for n in scene.notes) == 2
    assert not any("partly the angle" in n for n in scene.notes)
    apart = load_pair(folder, sar="sentinel-1-rtc", times="all", max_gap="30h")  # 51 is too far from both
    assert [i.day for i in apart.images[2:]] == ["2023-07-04", "2023-07-25"]
    assert any(
        "radar from 2 orbits (ascending, relative orbit 117; descending, relative orbit 124)" in n for n in apart.notes
    )
    assert load_pair(folder, sar="sentinel-1-rtc").images[1].day == "2023-07-04"  # one date: the nearest


def test_radar_may_come_from_another_catalogue(tmp_path: Path) -> None:
    first, second = tmp_path / "optical", tmp_path / "radar"
    catalogue(first, JULY, {})
    catalogue(second, {"2023-07-05T10:00:00Z": 1.0}, {"2023-07-06T05:00:00Z": 1.0})
    with pytest.raises(NothingFound, match="bigearthnet-s1-grd"):
        load_pair(first)
    assert [i.day for i in load_pair(first, sar_catalog=second).images] == ["2023-07-05", "2023-07-06"]
