"""``cube.scope``: an xarray cube is asked in place; opt-in, lazy, and it says when a cube cannot be told."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings

import numpy as np
import pytest
import xarray as xr

import terrascope_nb as ts
import terrascope_nb.accessor as accessor
from terrascope_nb.errors import InvalidInput, UnknownUnits
from terrascope_nb.stac.cube import open_cube

QUESTION = "What share of the scene is water?"


def cube_of(collection: str) -> xr.Dataset:
    scene = ts.samples.load("lake")
    found = ts.search(ts.samples.place("lake"), "2017-09", sensor=collection, catalog="sample")
    return open_cube(found, grid=scene.grid)


@pytest.fixture(scope="module")
def optical() -> xr.Dataset:
    return cube_of("bigearthnet-s2-l2a")


@pytest.fixture(scope="module")
def sar() -> xr.Dataset:
    return cube_of("bigearthnet-s1-grd")


def test_nothing_registers_it_but_its_own_import() -> None:
    script = (
        "import xarray as xr, terrascope_nb as ts; ts.samples.load('lake'); assert not hasattr(xr.Dataset, 'scope')\n"
        "import terrascope_nb.accessor, sys; assert hasattr(xr.Dataset, 'scope')\n"
        "assert not {'leafmap', 'ipywidgets', 'torch', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_optical_cube_gives_the_answer_of_its_scene(optical: xr.Dataset) -> None:
    trace = optical.scope.ask(QUESTION)
    assert trace.answer.text == ts.ask(ts.Scene.from_cubes(optical), QUESTION).answer.text
    assert optical.scope.kind == "optical"
    assert optical.scope.ask("Is there water?", choices=["yes", "no"]).answer.choice == "A"


def test_sar_cube_is_told_from_its_attributes(sar: xr.Dataset) -> None:
    assert sar.scope.kind == "sar"
    trace = sar.scope.ask(QUESTION)
    assert [f.modality for f in trace.frames] == ["sar"]
    assert 10 < trace.answer.value < 20


def test_both_sensors_in_one_scene(optical: xr.Dataset, sar: xr.Dataset) -> None:
    assert optical.scope.scene(sar=sar, name="both").modalities == ("optical", "sar")
    assert sar.scope.scene(optical=optical).modalities == ("optical", "sar")
    with pytest.raises(InvalidInput, match="give the other as optical="):
        sar.scope.scene(sar=sar)


def test_reasoner_by_name_or_object(optical: xr.Dataset) -> None:
    opened = ts.open_reasoner("spectral", sensor="optical")
    assert optical.scope.ask(QUESTION, reasoner="spectral").reasoner == "spectral"
    assert optical.scope.ask(QUESTION, reasoner=opened).provenance["options"]["sensor"] == "optical"


def test_pixels_are_read_once_and_only_when_asked() -> None:
    reads: list[int] = []
    lazy = xr.Dataset(attrs={"terrascope:sensor": "sentinel-2-l2a", "terrascope:units": "reflectance"})
    import dask.array
    import rioxarray  # noqa: F401  (registers .rio)

    def block(block_info: object = None) -> np.ndarray:
        reads.append(1)
        return np.full((1, 16, 16), 0.1, "float32")

    for name in ("blue", "green", "red", "nir"):
        array = dask.array.map_blocks(
            block, chunks=((1,), (16,), (16,)), dtype="float32", meta=np.empty((0, 0, 0), "float32")
        )
        lazy[name] = (("time", "y", "x"), array)
    lazy = lazy.assign_coords(
        time=np.array(["2023-07-01"], "datetime64[ns]"), y=np.arange(16)[::-1] * 10.0, x=np.arange(16) * 10.0
    )
    lazy = lazy.rio.write_crs(32633)
    scope = lazy.scope
    repr(scope)
    assert scope.kind == "optical" and not reads
    scope.ask("Is there water?")
    once = len(reads)
    assert once > 0
    scope.ask("Is there snow?")
    assert len(reads) == once
    lazy["red"] = lazy["red"] * 1.0  # another variable: the kept scene no longer holds
    scope.ask("Is there water?")
    assert len(reads) > once


def test_a_cube_that_cannot_be_told_is_a_named_error() -> None:
    band = (("time", "y", "x"), np.zeros((1, 4, 4), "float32"))
    with pytest.raises(InvalidInput, match=r"tells what it is of.*terrascope:sensor"):
        xr.Dataset({"a": band, "b": band}).scope.ask(QUESTION)
    with pytest.raises(InvalidInput, match="did you mean 'sentinel-2-l2a'"):
        xr.Dataset({"red": band}, attrs={"sensor": "sentinel-2-l2"}).scope.ask(QUESTION)
    with pytest.raises(InvalidInput, match="a landcover cube is no picture"):
        xr.Dataset({"landcover": band}, attrs={"terrascope:sensor": "esa-worldcover"}).scope.scene()
    assert xr.Dataset({"vv": band, "VH": band}).scope.kind == "sar"
    assert repr(xr.Dataset({"a": band}).scope).startswith("<scope: nothing in this Dataset")


def test_unknown_options_are_refused_with_a_suggestion(optical: xr.Dataset) -> None:
    with pytest.raises(InvalidInput, match="did you mean 'times'"):
        optical.scope.scene(time="2017")
    with pytest.raises(InvalidInput, match="did you mean 'basemap'"):
        optical.scope.explore(base_map=None)


def test_units_that_cannot_be_told_are_not_guessed() -> None:
    numbers = np.random.default_rng(0).integers(0, 255, (1, 8, 8)).astype("uint8")
    bands = {k: (("time", "y", "x"), numbers) for k in ("red", "nir")}
    cube = xr.Dataset(bands, attrs={"sensor": "sentinel-2-l2a"}).assign_coords(
        time=np.array(["2023-07-01"], "datetime64[ns]"), y=np.arange(8)[::-1] * 10.0, x=np.arange(8) * 10.0
    )
    with pytest.raises(UnknownUnits):
        cube.scope.ask(QUESTION)


def test_loading_the_module_again_warns_of_nothing(optical: xr.Dataset) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importlib.reload(accessor)
    assert xr.Dataset.scope is accessor.Scope


def test_explore_opens_the_explorer_on_the_cube(optical: xr.Dataset, require) -> None:  # noqa: ANN001
    require("leafmap", importlib.util.find_spec("leafmap") is not None, "the map")
    explorer = optical.scope.explore(basemap=None, scene={"name": "cube"})
    try:
        assert explorer.scene.name == "cube" and explorer.scene.modalities == ("optical",)
        assert "scene is the Scene 'cube' that the Explorer was given" in explorer.code()
    finally:
        explorer.close()
