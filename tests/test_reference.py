"""The reasoner that answers from a land-cover map: where the map lies, what it holds, what it lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr
from affine import Affine

import terrascope_nb as ts
from terrascope_nb.errors import GridMismatch, InvalidInput, NotFound, TerrascopeError
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.reference import ReferenceReasoner
from terrascope_nb.testing import Synthetic, synthetic_pair, synthetic_scene, truth_reasoner

WATER = "What share of the scene is water?"


@pytest.fixture(scope="module")
def made() -> Synthetic:
    return synthetic_scene(np.random.default_rng(1), size=64, sar=False)


def as_map(labels: np.ndarray, grid: Grid, **rio: Any) -> xr.DataArray:
    data = xr.DataArray(labels, dims=("y", "x"), coords=grid.coords()).rio.write_crs(grid.crs)
    return data.rio.write_nodata(rio["nodata"]) if "nodata" in rio else data


def write(path: Path, labels: np.ndarray, grid: Grid, nodata: int | None = None, count: int = 1) -> Path:
    profile = dict(
        driver="GTiff", height=labels.shape[0], width=labels.shape[1], count=count, dtype=labels.dtype, nodata=nodata
    )
    with rasterio.open(path, "w", crs=grid.crs, transform=grid.transform, **profile) as file:
        for band in range(1, count + 1):
            file.write(labels, band)
    return path


def test_the_truth_scores_full_marks(made: Synthetic) -> None:
    reasoner = truth_reasoner(made)
    for label in ("water", "forest", "grassland", "cropland", "town", "bare soil", "vegetation", "land"):
        trace = ts.ask(made.scene, f"What share of the scene is {label}?", reasoner=reasoner)
        np.testing.assert_array_equal(trace.steps[0].mask.values, made.truth(label))
        assert trace.answer.value == pytest.approx(100 * made.truth(label).mean())
        assert {c.verdict for c in trace.claims} == {"agrees"}


def test_array_dataarray_and_file_are_the_same(made: Synthetic, tmp_path: Path) -> None:
    labels, grid = made.maps[0], made.scene.grid
    path = write(tmp_path / "map.tif", labels, grid)
    answers = [
        ts.ask(made.scene, WATER, reasoner=ReferenceReasoner(item, made.legend)).answer
        for item in (labels, as_map(labels, grid), path, str(path), labels.astype(float))
    ]
    assert len(set(answers)) == 1


def test_the_source_is_named(made: Synthetic, tmp_path: Path) -> None:
    path = write(tmp_path / "cover_2021.tif", made.maps[0], made.scene.grid)
    step = ts.ask(made.scene, "How much vegetation is there?", reasoner=ReferenceReasoner(path, made.legend)).steps[0]
    assert step.note.startswith("From the land-cover map cover_2021.tif, class 10, 30, 40 (")
    assert str(tmp_path) not in step.note


@pytest.mark.parametrize("epsg", [32633, 4326, 3857])
def test_a_map_on_another_grid_is_put_on_by_nearest_neighbour(made: Synthetic, epsg: int) -> None:
    """A finer map of the same ground, twice as large on every side."""
    grid = made.scene.grid
    large = np.kron(np.pad(made.maps[0], 32, constant_values=30), np.ones((2, 2), np.uint8))
    fine = Grid(grid.transform * Affine.translation(-32, -32) * Affine.scale(0.5), large.shape, grid.crs)
    data = as_map(large, fine)
    if epsg != 32633:
        data = data.rio.reproject(f"EPSG:{epsg}", nodata=255)
    step = ts.ask(made.scene, WATER, reasoner=ReferenceReasoner(data, made.legend, nodata=255)).steps[0]
    wrong = (step.mask.values != made.truth("water")).mean()
    assert wrong == 0 if epsg == 32633 else wrong < 0.01


def test_pixels_that_the_map_does_not_reach_are_in_no_figure(made: Synthetic) -> None:
    grid = made.scene.grid
    half = as_map(made.maps[0][:, :32], grid.window(slice(0, 64), slice(0, 32)))
    trace = ts.ask(made.scene, WATER, reasoner=ReferenceReasoner(half, made.legend))
    assert trace.answer.value == pytest.approx(100 * made.truth("water")[:, :32].mean())
    assert "(50.0 % of the scene could be measured)" in trace.text
    assert "50.0 % is not mapped" in trace.steps[0].note
    assert {c.verdict for c in trace.claims} == {"agrees"}


@pytest.mark.parametrize("way", ["argument", "tag", "nan"])
def test_nodata_is_in_no_figure(made: Synthetic, way: str) -> None:
    labels = made.maps[0].copy()
    labels[:16] = 0
    item: Any = labels
    if way == "tag":
        item = as_map(labels, made.scene.grid, nodata=0)
    if way == "nan":
        item = np.where(labels == 0, np.nan, labels)
    reasoner = ReferenceReasoner(item, made.legend, nodata=0 if way == "argument" else None)
    assert ts.ask(made.scene, WATER, reasoner=reasoner).answer.value == pytest.approx(
        100 * made.truth("water")[16:].mean()
    )


def test_a_file_far_away_says_where_both_lie(made: Synthetic, tmp_path: Path) -> None:
    grid = made.scene.grid
    far = Grid(Affine.translation(1e6, 0) * grid.transform, grid.shape, grid.crs)
    path = write(tmp_path / "far.tif", made.maps[0], far)
    with pytest.raises(GridMismatch, match=r"does not reach the scene.*EPSG:32633.*the scene at"):
        ts.ask(made.scene, WATER, reasoner=ReferenceReasoner(path, made.legend))


def test_words_of_the_legend_are_read_by_the_vocabulary(made: Synthetic) -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[:32], labels[32:, :16], labels[32:, 16:] = 1, 2, 3
    legend = {0: "Solar farm", 1: "Forest", 2: "Permanent water bodies", np.int64(3): "Cropland"}
    reasoner = ReferenceReasoner(labels, legend)
    assert ts.ask(made.scene, WATER, reasoner=reasoner).answer.value == 12.5
    ranking = ts.ask(made.scene, "Rank the classes by area.", reasoner=reasoner).answer.text
    assert ranking == "tree cover, cropland, water"


def test_numbers_that_share_a_name_are_one_class(made: Synthetic) -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[:8], labels[8:16] = 1, 2
    reasoner = ReferenceReasoner(labels, {0: "grass", 1: "lake", 2: "river"})
    assert ts.ask(made.scene, WATER, reasoner=reasoner).answer.value == 25


def test_a_class_that_the_map_lacks_is_abstained_from(made: Synthetic) -> None:
    answer = ts.ask(made.scene, "What share of the scene is wetland?", reasoner=truth_reasoner(made)).answer
    assert answer.finish == "abstained"
    assert "the land-cover map has no such class; it has tree cover" in answer.reason


def test_numbers_that_the_legend_lacks_are_listed(made: Synthetic) -> None:
    labels = made.maps[0].copy()
    labels[0, :3] = (7, 8, 9)
    with pytest.raises(NotFound, match=r"legend lacks: 7, 8, 9.*nodata="):
        ts.ask(made.scene, WATER, reasoner=ReferenceReasoner(labels, made.legend))


def test_one_map_a_date_or_one_for_all() -> None:
    pair = synthetic_pair(np.random.default_rng(2), size=48)
    lost = "How much water was lost between the first and the last date?"
    truth = 100 * (pair.truth("water", 0) & ~pair.truth("water", 1)).mean()
    assert ts.ask(pair.scene, lost, reasoner=truth_reasoner(pair)).answer.value == pytest.approx(truth)
    same = ReferenceReasoner(pair.maps[0], pair.legend)
    assert ts.ask(pair.scene, lost, reasoner=same).answer.value == 0
    with pytest.raises(InvalidInput, match="3 land-cover maps for 2 dates: give one, or one a date"):
        ts.ask(pair.scene, lost, reasoner=ReferenceReasoner([pair.maps[0]] * 3, pair.legend))


def test_a_blanked_image_does_not_hide_the_map() -> None:
    made = synthetic_scene(np.random.default_rng(2), size=48, cloud=0.5)
    trace = ts.ask(made.scene.blank("optical"), WATER, reasoner=truth_reasoner(made))
    assert trace.steps[0].modality == "sar"
    assert trace.answer.value == pytest.approx(100 * made.truth("water").mean())


@pytest.mark.parametrize(
    ("labels", "legend", "words"),
    [
        (np.zeros((8, 8), int), {0: "water"}, r"shape \(8, 8\), the scene's grid is \(64, 64\)"),
        (np.zeros((64, 64)) + 0.5, {0: "water"}, "whole class numbers; this one holds 0.5"),
        (np.full((64, 64), "water"), {0: "water"}, "holds class numbers; got <U5"),
        (np.zeros((64, 64), int), {}, "legend is"),
        (np.zeros((64, 64), int), ["water"], "legend is"),
        (np.zeros((64, 64), int), {"water": 0}, "keys are class numbers; got 'water'.*turn it round"),
        (np.zeros((64, 64), int), {0: None}, "names class 0 None"),
        ([], {0: "water"}, "empty list"),
        ("no_such_map.tif", {0: "water"}, "no land-cover map at no_such_map.tif"),
        (xr.DataArray(np.zeros((2, 64, 64), int), dims=("band", "y", "x")), {0: "water"}, "two dimensions"),
        (xr.DataArray(np.zeros((9, 9), int), dims=("y", "x")), {0: "water"}, "no CRS and shape.*write_crs"),
    ],
)
def test_what_cannot_be_a_map_says_why(made: Synthetic, labels: Any, legend: Any, words: str) -> None:
    with pytest.raises(TerrascopeError, match=words):
        ts.ask(made.scene, WATER, reasoner=ReferenceReasoner(labels, legend))


def test_files_that_are_no_map_say_which(made: Synthetic, tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("not a raster")
    write(tmp_path / "rgb.tif", made.maps[0], made.scene.grid, count=3)
    for name, words in (
        ("text.tif", "text.tif is no raster"),
        ("rgb.tif", "rgb.tif has 3 bands; a land-cover map has one"),
    ):
        with pytest.raises(InvalidInput, match=words):
            ts.ask(made.scene, WATER, reasoner=ReferenceReasoner(tmp_path / name, made.legend))


def test_a_map_with_crs_for_a_scene_without_is_refused(made: Synthetic) -> None:
    bare = ts.Scene.from_arrays(
        optical=np.zeros((4, 8, 8), np.float32), bands=["blue", "green", "red", "nir"], scale=1.0
    )
    with pytest.raises(GridMismatch, match="the scene has none"):
        ts.ask(bare, WATER, reasoner=ReferenceReasoner(as_map(made.maps[0], made.scene.grid), made.legend))


def test_the_map_may_come_from_a_catalogue(monkeypatch):
    from terrascope_nb.reason import reference

    made = synthetic_scene(np.random.default_rng(3), 48)
    asked = []

    def found(grid, collection, catalog, datetime):
        asked.append((grid, collection, catalog, datetime))
        return made.maps[0], made.legend

    monkeypatch.setattr(reference, "load_landcover", found)
    opened = ts.open_reasoner("reference", collection="esa-worldcover", catalog="here", datetime="2021")
    assert asked == []  # nothing is searched before a question
    share = ts.ask(made.scene, "What share of the scene is water?", reasoner=opened).answer.value
    assert share == pytest.approx(100 * made.truth("water").mean())
    assert asked == [(made.scene.grid, "esa-worldcover", "here", "2021")]
    with pytest.raises(InvalidInput, match="not both"):
        ts.open_reasoner("reference", labels=made.maps[0], collection="esa-worldcover")
