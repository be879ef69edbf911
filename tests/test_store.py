"""Saving and loading: everything comes back equal, damage is named, nothing is half written, no secret is kept."""

from __future__ import annotations

import json
import pickle
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terrascope_nb.errors import AlreadyThere, InvalidInput, NotFound
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.reason.events import Answer, Mask, Text
from terrascope_nb.reason.export.store import load, load_saved_scene, save
from terrascope_nb.reason.trace import Trace
from terrascope_nb.scene import samples
from terrascope_nb.scene.scene import Scene
from terrascope_nb.scene.synthetic import synthetic_pair, synthetic_scene
from terrascope_nb.testing.traces import HOSTILE, events, scenes, trace_of, traces


def same(a: Any, b: Any) -> bool:
    """Equal in every field, arrays and NaN included."""
    if hasattr(a, "identical"):
        return a.identical(b)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind in "fcmM")
    if isinstance(a, AOI):
        return a.geometry.equals_exact(b.geometry, 0) and a.crs == b.crs and a.name == b.name
    if hasattr(a, "__dataclass_fields__"):
        shown = [f.name for f in fields(a) if not f.name.startswith("_")]
        return type(a) is type(b) and all(same(getattr(a, f), getattr(b, f)) for f in shown)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b) or (isinstance(a, float) and isinstance(b, float) and a != a and b != b)


def lake_trace() -> tuple[Scene, Trace]:
    lake = samples.load("lake")
    water = lake.images[0].array("nir") < 0.1
    score = np.where(water, np.float32(0.9), np.float32(0.2))
    score[:5] = np.nan
    mask = Mask(water, score, "water", sar_image=1, note="dark")
    parts = [("I look. ", None), ("Water [SEG] covers 19.2 %. ", mask), ("Done.", None)]
    answer = Answer("19.2 %", value=19.2, unit="%")
    return lake, trace_of(lake, parts, "How much water?", answer, provenance={"scene": "lake"})


@settings(max_examples=60)
@given(traces())
def test_what_is_saved_is_loaded(trace: Trace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert same(load(save(trace, folder)), trace)


@settings(max_examples=40)
@given(scenes())
def test_a_scene_that_is_saved_is_loaded(scene: Scene) -> None:
    trace = trace_of(scene, [("Nothing.", None)])
    with tempfile.TemporaryDirectory() as folder:
        save(trace, folder, scene=scene)
        assert same(load_saved_scene(folder), scene)
        assert same(load(folder), trace)


@settings(max_examples=25)
@given(st.data())
def test_traces_and_scenes_pickle(data: st.DataObject) -> None:
    scene = data.draw(scenes())
    trace = Trace.from_events(data.draw(events(scene)), scene, "?")
    again, place = pickle.loads(pickle.dumps((trace, scene)))
    assert same(again, trace) and same(place, scene)
    assert [r.count for r in trace.regions] == [r.count for r in again.regions]
    assert same(pickle.loads(pickle.dumps(trace)), trace)  # with its regions computed


def test_the_lake_comes_back_with_its_claims_and_can_be_asked_again(tmp_path: Path) -> None:
    lake, trace = lake_trace()
    loaded = Trace.load(trace.save(tmp_path / "t", scene=lake))
    assert same(loaded, trace) and len(loaded.claims) > 0 and loaded.claims == trace.claims
    assert loaded.steps[0].mask.rio.crs.to_epsg() == 32635
    scene = load_saved_scene(tmp_path / "t")
    assert same(scene, lake)
    assert scene.images[0].bands.rio.crs == lake.images[0].bands.rio.crs
    water = Mask(scene.images[0].array("nir") < 0.1, label="water")
    again = Trace.from_events([Text("Water [SEG]"), water], scene, "?")
    assert again.steps[0].measured.pixels == int((lake.images[0].array("nir") < 0.1).sum())


def test_two_dates_with_cloud_come_back(tmp_path: Path) -> None:
    pair = synthetic_pair(np.random.default_rng(1), 64, cloud=0.3).scene
    trace = trace_of(pair, [("Water [SEG].", Mask(pair.images[1].array("nir") < 0.1, label="water", image=1))])
    trace.save(tmp_path, scene=pair)
    for a, b in zip(load_saved_scene(tmp_path).images, pair.images, strict=True):
        assert same(a.arrays(), b.arrays()) and same(a.cloud, b.cloud)
        assert (a.grid, a.time, a.units, a.modality) == (b.grid, b.time, b.units, b.modality)
    assert pair.images[0].cloud.sum() > 0


def test_saving_again_asks_first_and_leaves_no_old_bands(tmp_path: Path) -> None:
    lake, trace = lake_trace()
    trace.save(tmp_path, scene=lake)
    with pytest.raises(AlreadyThere, match="overwrite=True"):
        trace.save(tmp_path)
    trace.save(tmp_path, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["arrays.npz", "trace.json"]
    with pytest.raises(NotFound, match="without its scene"):
        load_saved_scene(tmp_path)


def test_another_scene_is_refused(tmp_path: Path) -> None:
    _, trace = lake_trace()
    other = synthetic_scene(np.random.default_rng(0), 32).scene
    with pytest.raises(InvalidInput, match="not the scene that was asked"):
        trace.save(tmp_path / "t", scene=other)
    with pytest.raises(InvalidInput, match="scene=scene"):
        trace.save(tmp_path / "t", scene=True)
    assert not (tmp_path / "t").exists()


def test_a_provenance_that_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    _, trace = lake_trace()
    with pytest.raises(InvalidInput, match="provenance"):
        trace.replace(provenance={"grid": np.zeros(2)}).save(tmp_path / "t")
    assert not (tmp_path / "t").exists()


def test_folders_that_hold_no_whole_trace_are_named(tmp_path: Path) -> None:
    lake, trace = lake_trace()
    with pytest.raises(NotFound, match="no saved trace"):
        load(tmp_path / "nowhere")
    with pytest.raises(NotFound, match="no saved trace"):
        load_saved_scene(tmp_path)
    trace.save(tmp_path, scene=lake)
    (tmp_path / "arrays.npz").unlink()
    with pytest.raises(InvalidInput, match=r"arrays\.npz is missing"):
        load(tmp_path)
    (tmp_path / "scene.npz").unlink()
    with pytest.raises(InvalidInput, match=r"scene\.npz is missing"):
        load_saved_scene(tmp_path)


@pytest.mark.parametrize("cut", [0, 1, 100, -20])
def test_a_record_or_arrays_cut_short_are_named(tmp_path: Path, cut: int) -> None:
    _, trace = lake_trace()
    for name in ("trace.json", "arrays.npz"):
        trace.save(tmp_path, overwrite=True)
        file = tmp_path / name
        file.write_bytes(file.read_bytes()[:cut])
        with pytest.raises(InvalidInput, match=name.replace(".", r"\.")):
            load(tmp_path)


def test_arrays_of_another_trace_are_found_out(tmp_path: Path) -> None:
    lake, trace = lake_trace()
    trace.save(tmp_path / "a")
    trace_of(lake, [("No [SEG].", Mask(np.zeros((120, 120), bool)))]).save(tmp_path / "b")
    (tmp_path / "b" / "arrays.npz").replace(tmp_path / "a" / "arrays.npz")
    with pytest.raises(InvalidInput, match="not the file"):
        load(tmp_path / "a")


@pytest.mark.parametrize(
    "harm",
    [
        lambda c: c.pop("text"),
        lambda c: c.update(format=99),
        lambda c: c["steps"][0].update(image=7),
        lambda c: c["frames"][0].update(shape=[0, 3]),
        lambda c: c["frames"][0].update(crs="nonsense"),
        lambda c: c.update(answer={"texte": ""}),
        lambda c: c.update(frames=None),
        lambda c: c.update(measured_spans=[[1]]),
    ],
)
def test_a_record_that_does_not_fit_is_named(tmp_path: Path, harm: Any) -> None:
    _, trace = lake_trace()
    record = trace.save(tmp_path) / "trace.json"
    content = json.loads(record.read_text(encoding="utf-8"))
    harm(content)
    record.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"trace\.json"):
        load(tmp_path)


def test_a_save_that_breaks_off_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, trace = lake_trace()
    trace.save(tmp_path)

    def full(*_: Any, **__: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="no space"):
        trace_of(lake, [("Other.", None)]).save(tmp_path, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["arrays.npz", "trace.json"]
    assert load(tmp_path).text == trace.text


def test_hostile_texts_come_back_unless_secret(tmp_path: Path) -> None:
    scene = synthetic_scene(np.random.default_rng(0), 32).scene
    mask = np.eye(32, dtype=bool)
    for k, said in enumerate(HOSTILE):
        parts = [(f"{said} [SEG] {said}", Mask(mask, label="x", note=said))]
        trace = trace_of(scene, parts, said, Answer(said), provenance={"n": said})
        folder = trace.save(tmp_path / str(k))
        loaded = load(folder)
        if "SECRET" not in said:
            assert same(loaded, trace), said
        else:
            assert "SECRET" not in (folder / "trace.json").read_text(encoding="utf-8")
            assert len(loaded.text) == len(trace.text) and loaded.steps[0].start == trace.steps[0].start
            assert loaded.provenance == {"n": "https://host.org/a.tif"}
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(map(str, range(len(HOSTILE))))
