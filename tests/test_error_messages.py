"""What a mistake says: its class (ours, and the builtin it also is), and words that name what, why and how to mend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import rasterio
from affine import Affine

import terrascope_nb as ts
from terrascope_nb import errors
from terrascope_nb.errors import (
    AlreadyThere,
    GridMismatch,
    InvalidInput,
    MissingPackage,
    NoCRS,
    NotFound,
    QuestionNotUnderstood,
    ReadFailed,
    TerrascopeError,
    TooLarge,
    TraceError,
    UnknownUnits,
)
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason import measure
from terrascope_nb.reason.answers import Choices, read_letter
from terrascope_nb.reason.events import Answer, Mask, Text
from terrascope_nb.reason.measure.region import Region
from terrascope_nb.scene.domain import Domain
from terrascope_nb.testing import ScriptedReasoner, synthetic_pair, synthetic_scene, truth_reasoner

WATER = "What share of the scene is water?"
LAKE = ts.samples.catalog()
BOX = (30.5876, 62.8140, 30.6123, 62.8252)
GRID = Grid(Affine(10, 0, 500_000, 0, -10, 5_100_000), (8, 8), 32633)
NOWHERE = Grid(Affine(1, 0, 0, 0, -1, 8), (8, 8))
RED = np.full((3, 8, 8), 0.1, np.float32)
COLOURS = ["blue", "green", "red"]


class Place:
    """What the cases need, made once a test: a folder and a small scene."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = synthetic_scene(np.random.default_rng(0), size=32)
        self.scene = self.made.scene

    def tif(self, name: str, count: int = 1, dtype: str = "uint16", value: float = 700, crs: Any = 32633) -> Path:
        """A raster of one number everywhere."""
        profile = dict(driver="GTiff", height=8, width=8, count=count, dtype=dtype, crs=crs, transform=GRID.transform)
        with rasterio.open(self.folder / name, "w", **profile) as file:
            file.write(np.full((count, 8, 8), value, dtype))
        return self.folder / name


class Case(NamedTuple):
    """A mistake: what is done, the class it raises, the builtin that is too, words that the message holds."""

    do: Callable[[Place], Any]
    ours: type[Exception]
    builtin: type[Exception]
    words: tuple[str, ...]


def region(label: str, grid: Grid = GRID) -> Region:
    return Region(label, np.eye(*grid.shape, dtype=bool), Domain.whole(grid))


def scripted(*events: Any) -> Callable[[Place], Any]:
    return lambda p: ts.ask(p.scene, WATER, reasoner=ScriptedReasoner(events))


CASES: dict[str, Case] = {
    # ---- places
    "bbox turned round": Case(
        lambda p: ts.AOI.from_bbox((15, 47, 16, 46)), InvalidInput, ValueError, ("47", "46", "south")
    ),
    "bbox of three": Case(
        lambda p: ts.AOI.from_bbox((15, 46, 16)), InvalidInput, ValueError, ("west, south, east, north",)
    ),
    "bbox not finite": Case(lambda p: ts.AOI.from_bbox((15, float("nan"), 16, 47)), InvalidInput, ValueError, ("nan",)),
    "bbox in metres": Case(
        lambda p: ts.AOI.from_bbox((5e5, 5e6, 5.1e5, 5.1e6)), InvalidInput, ValueError, ("90°", "crs=")
    ),
    "unknown CRS": Case(lambda p: ts.AOI.from_bbox((0, 0, 1, 1), crs="EPSG:1"), InvalidInput, ValueError, ("EPSG:1",)),
    "no well-known text": Case(lambda p: ts.AOI.from_wkt("POLYGN ((0 0))"), InvalidInput, ValueError, ("POLYGN",)),
    "GeoJSON that is none": Case(
        lambda p: ts.AOI.from_geojson({"type": "Feture"}), InvalidInput, ValueError, ("Feture",)
    ),
    "GeoJSON file gone": Case(
        lambda p: ts.AOI.from_geojson(Path("gone.geojson")), TerrascopeError, Exception, ("gone.geojson",)
    ),
    "resolution zero": Case(
        lambda p: Grid.from_aoi(ts.AOI.from_bbox(BOX), resolution=0), InvalidInput, ValueError, ("resolution", "0")
    ),
    "metres without CRS": Case(lambda p: NOWHERE.pixel_area(), NoCRS, ValueError, ("CRS",)),
    "two zones of UTM and more": Case(
        lambda p: Grid.from_aoi(ts.AOI.from_bbox((0, 40, 30, 50)), 100), InvalidInput, ValueError, ("crs=",)
    ),
    # ---- catalogues
    "unknown catalogue": Case(
        lambda p: len(ts.search(BOX, "2017", catalog="planetary-computr")),
        NotFound,
        LookupError,
        ("planetary-computr", "planetary-computer"),
    ),
    "unknown sensor": Case(
        lambda p: ts.open_cube(ts.search(BOX, "2017", sensor="sentinel-2-l2", catalog=LAKE)),
        NotFound,
        LookupError,
        ("sentinel-2-l2",),
    ),
    "collection not in the catalogue": Case(
        lambda p: ts.open_cube(ts.search(BOX, "2017", catalog=LAKE)),
        NotFound,
        LookupError,
        ("sentinel-2-l2a", "bigearthnet-s2-l2a"),
    ),
    "nothing at that time": Case(
        lambda p: ts.open_cube(ts.search(BOX, "1999", sensor="bigearthnet-s2-l2a", catalog=LAKE)),
        NotFound,
        LookupError,
        ("1999", "bigearthnet-s2-l2a"),
    ),
    "no date": Case(
        lambda p: len(ts.search(BOX, "last summer", sensor="bigearthnet-s2-l2a", catalog=LAKE)),
        InvalidInput,
        ValueError,
        ("last summer",),
    ),
    "unknown band": Case(
        lambda p: ts.open_cube(ts.search(BOX, "2017", sensor="bigearthnet-s2-l2a", catalog=LAKE), bands=["gren"]),
        NotFound,
        LookupError,
        ("gren", "green"),
    ),
    "unknown engine": Case(
        lambda p: ts.open_cube(ts.search(BOX, "2017", sensor="bigearthnet-s2-l2a", catalog=LAKE), engine="stackstak"),
        InvalidInput,
        ValueError,
        ("stackstak", "stackstac"),
    ),
    "more bytes than allowed": Case(
        lambda p: ts.load_scene(BOX, "2017", optical="bigearthnet-s2-l2a", catalog=LAKE, max_bytes=1000),
        TooLarge,
        MemoryError,
        ("1,000",),
    ),
    "no sensor at all": Case(
        lambda p: ts.load_scene(BOX, "2017", optical=None, catalog=LAKE),
        InvalidInput,
        ValueError,
        ("optical=", "sar="),
    ),
    "cloud over 100 %": Case(
        lambda p: ts.load_scene(BOX, "2017", catalog=LAKE, max_cloud_aoi=120),
        InvalidInput,
        ValueError,
        ("max_cloud_aoi", "120"),
    ),
    # ---- scenes
    "unknown sample": Case(
        lambda p: ts.samples.load("lakes"), NotFound, LookupError, ("'lakes'", "did you mean 'lake'")
    ),
    "no file": Case(lambda p: ts.Scene.from_files("gone.tif"), ReadFailed, OSError, ("gone.tif",)),
    "nothing given": Case(lambda p: ts.Scene.from_files(), InvalidInput, ValueError, ("optical=", "bands=")),
    "numbers without a scale": Case(
        lambda p: ts.Scene.from_files(p.tif("dn.tif", 3), bands=COLOURS),
        UnknownUnits,
        ValueError,
        ("uint16", "scale=", "units="),
    ),
    "fewer names than bands": Case(
        lambda p: ts.Scene.from_files(p.tif("two.tif", 3), bands=["red", "nir"], scale=1e-4),
        InvalidInput,
        ValueError,
        ("two.tif", "3", "2"),
    ),
    "SAR that is neither": Case(
        lambda p: ts.Scene.from_files(sar=p.tif("sar.tif", 2), sar_bands=["VV", "VH"]),
        UnknownUnits,
        ValueError,
        ("sar_units=",),
    ),
    "arrays of two sizes": Case(
        lambda p: ts.Scene.from_arrays(optical={"red": RED[0], "nir": RED[0, :4]}, scale=1),
        TerrascopeError,
        ValueError,
        ("8", "4"),
    ),
    "two grids": Case(
        lambda p: ts.Scene((p.scene.images[0], p.scene.images[1].window(slice(0, 8), slice(0, 8)))),
        GridMismatch,
        ValueError,
        ("share one grid", "8 × 8"),
    ),
    "no image": Case(lambda p: ts.Scene(()), InvalidInput, ValueError, ("at least one image",)),
    "unknown modality": Case(
        lambda p: p.scene.select(modalities="radar"),
        InvalidInput,
        ValueError,
        ("'radar'", "optical, sar"),
    ),
    "no image of that date": Case(
        lambda p: p.scene.select(times="2019"),
        NotFound,
        LookupError,
        ("2019", "2023-06-15"),
    ),
    "an area elsewhere": Case(
        lambda p: p.scene.select(aoi=ts.AOI.from_bbox((0, 0, 1, 1))),
        InvalidInput,
        ValueError,
        ("no pixel",),
    ),
    "blanking what is not there": Case(
        lambda p: p.scene.select(modalities="sar").blank("optical"),
        NotFound,
        LookupError,
        ("'optical'", "sar"),
    ),
    "band that is not there": Case(
        lambda p: p.scene.images[0].array("swir"),
        NotFound,
        LookupError,
        ("optical band 'swir'", "swir16"),
    ),
    # ---- questions and answers
    "a question with a typo": Case(
        lambda p: ts.ask(p.scene, "How much watr is there?"),
        QuestionNotUnderstood,
        ValueError,
        ("'watr'", "did you mean 'water'", "coverage: «What share of the scene is water?»"),
    ),
    "a question of another kind": Case(
        lambda p: ts.ask(p.scene, "Who lives here?"),
        QuestionNotUnderstood,
        ValueError,
        ("Who lives here?", "Questions that can be asked"),
    ),
    "two questions": Case(
        lambda p: ts.ask(p.scene, "Is there water? Is there forest?"),
        QuestionNotUnderstood,
        ValueError,
        ("two things",),
    ),
    "no question": Case(lambda p: ts.ask(p.scene, ""), InvalidInput, ValueError, ("empty", WATER)),
    "no scene": Case(lambda p: ts.ask("lake", WATER), InvalidInput, ValueError, ("ts.samples.load('lake')",)),
    "a file as a scene": Case(
        lambda p: ts.ask(Path("a.tif"), WATER), InvalidInput, ValueError, ("Scene.from_files", "PosixPath")
    ),
    "one option": Case(
        lambda p: ts.ask(p.scene, WATER, ["10 %"]), InvalidInput, ValueError, ("2 to 26 options; got 1",)
    ),
    "options as text": Case(
        lambda p: ts.ask(p.scene, WATER, "10 %"), InvalidInput, ValueError, ("list of texts", "str")
    ),
    "a letter that is none": Case(lambda p: Choices.of({"AB": "x", "C": "y"}), InvalidInput, ValueError, ("'AB'",)),
    "an empty option": Case(lambda p: Choices.of(["x", " "]), InvalidInput, ValueError, ("option B has no text",)),
    "unknown letter rule": Case(
        lambda p: read_letter("A", rule="strikt"), InvalidInput, ValueError, ("'strikt'", "'strict'")
    ),
    "an area of a grid without CRS": Case(
        lambda p: ts.ask(
            ts.Scene.from_arrays(optical=RED, bands=COLOURS, units="reflectance"), "What is the area of water?"
        ),
        NoCRS,
        ValueError,
        ("an area", "no CRS", "crs=", "pixels"),
    ),
    # ---- reasoners
    "unknown reasoner": Case(
        lambda p: ts.ask(p.scene, WATER, reasoner="spectrum"),
        NotFound,
        LookupError,
        ("'spectrum'", "did you mean 'spectral'"),
    ),
    "unknown option": Case(
        lambda p: ts.open_reasoner("spectral", senzor="sar"),
        InvalidInput,
        ValueError,
        ("'senzor'", "did you mean 'sensor'"),
    ),
    "unknown value of an option": Case(
        lambda p: ts.open_reasoner("spectral", sensor="radar"),
        InvalidInput,
        ValueError,
        ("'radar'", "auto, optical, sar"),
    ),
    "missing options": Case(
        lambda p: ts.ask(p.scene, WATER, reasoner="reference"),
        InvalidInput,
        ValueError,
        ("labels=…, legend=…",),
    ),
    "a class instead of a reasoner": Case(
        lambda p: ts.ask(p.scene, WATER, reasoner=ScriptedReasoner),
        InvalidInput,
        ValueError,
        ("pass an instance, ScriptedReasoner(…)",),
    ),
    "something else instead of a reasoner": Case(
        lambda p: ts.ask(p.scene, WATER, reasoner=len),
        InvalidInput,
        ValueError,
        ("lacks name, options, stream",),
    ),
    "questions that do not pair up": Case(
        lambda p: ts.ask_many([p.scene] * 2, [WATER] * 3),
        InvalidInput,
        ValueError,
        ("2 scenes, 3 questions",),
    ),
    "a map of another size": Case(
        lambda p: ts.ask(
            p.scene, WATER, reasoner=ts.open_reasoner("reference", labels=np.zeros((4, 4), int), legend={0: "water"})
        ),
        GridMismatch,
        ValueError,
        ("(4, 4)", "(32, 32)"),
    ),
    "numbers that the legend lacks": Case(
        lambda p: ts.ask(
            p.scene, WATER, reasoner=ts.open_reasoner("reference", labels=np.full((32, 32), 5), legend={0: "water"})
        ),
        NotFound,
        LookupError,
        ("legend lacks: 5", "nodata="),
    ),
    "maps for other dates": Case(
        lambda p: ts.ask(
            p.scene, WATER, reasoner=ts.open_reasoner("reference", labels=[p.made.maps[0]] * 2, legend=p.made.legend)
        ),
        InvalidInput,
        ValueError,
        ("2 land-cover maps for 1 date",),
    ),
    "another question than recorded": Case(
        lambda p: ts.ask(p.scene, "Is there snow?", reasoner=ts.open_reasoner("replay", trace=ts.ask(p.scene, WATER))),
        InvalidInput,
        ValueError,
        (WATER, "Is there snow?"),
    ),
    # ---- traces
    "a mask that nothing names": Case(scripted(Mask(np.ones((32, 32), bool))), TraceError, ValueError, ("[SEG]",)),
    "a mask of another shape": Case(
        scripted(Text("[SEG]"), Mask(np.ones((8, 9), bool))),
        TraceError,
        ValueError,
        ("(8, 9)", "(32, 32)"),
    ),
    "a mask of numbers": Case(
        scripted(Text("[SEG]"), Mask(np.ones((32, 32)))),
        TraceError,
        ValueError,
        ("float64", "probability > 0.5"),
    ),
    "an image that is not there": Case(
        scripted(Text("[SEG]"), Mask(np.ones((32, 32), bool), image=5)),
        TraceError,
        ValueError,
        ("image 5", "2"),
    ),
    "something after the answer": Case(
        scripted(Answer("x"), Text("y")), TraceError, ValueError, ("follows the answer",)
    ),
    "a finish that is none": Case(
        scripted(Answer("x", finish="done")), TraceError, ValueError, ("'done'", "abstained")
    ),
    "no trace in a folder": Case(lambda p: ts.Trace.load(p.folder), TerrascopeError, Exception, ("trace.json",)),
    "a file that is there": Case(
        lambda p: [ts.ask(p.scene, WATER).to_html(p.folder / "a.html") for _ in range(2)],
        AlreadyThere,
        FileExistsError,
        ("a.html", "overwrite=True"),
    ),
    "GIS files without a CRS": Case(
        lambda p: ts.ask(
            ts.Scene.from_arrays(optical=RED, bands=COLOURS, units="reflectance"),
            "Is there vegetation?",
            reasoner=ScriptedReasoner([Text("[SEG]"), Mask(np.ones((8, 8), bool)), Answer("x")]),
        ).to_geojson(p.folder / "a.geojson"),
        NoCRS,
        ValueError,
        ("CRS",),
    ),
    # ---- measuring
    "two grids measured together": Case(
        lambda p: measure.distance(region("water"), region("forest", NOWHERE)),
        GridMismatch,
        ValueError,
        ("'water'", "'forest'", "one grid"),
    ),
    "metres of pixels": Case(
        lambda p: measure.distance(region("water", NOWHERE), region("forest", NOWHERE)),
        NoCRS,
        ValueError,
        ("CRS",),
    ),
    "a rule that is none": Case(
        lambda p: measure.area(region("water"), rule="groud"),
        InvalidInput,
        ValueError,
        ("'groud'", "did you mean 'ground'"),
    ),
    "nothing to rank": Case(lambda p: measure.rank([]), InvalidInput, ValueError, ("at least one region",)),
    # ---- the rest
    "an option that cannot be": Case(
        lambda p: ts.set_options(progress="often"), InvalidInput, ValueError, ("progress", "'often'")
    ),
    "a synthetic scene too small": Case(
        lambda p: synthetic_scene(np.random.default_rng(0), size=8),
        InvalidInput,
        ValueError,
        ("at least 32", "8"),
    ),
    "a number as randomness": Case(
        lambda p: synthetic_pair(42),
        InvalidInput,
        ValueError,
        ("numpy.random.default_rng(42)",),  # type: ignore[arg-type]
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_says_what_why_and_how_to_mend(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    with pytest.raises(case.ours) as caught:
        case.do(Place(tmp_path))
    message = str(caught.value)
    assert isinstance(caught.value, TerrascopeError)
    assert isinstance(caught.value, case.builtin)
    for word in case.words:
        assert word in message, message
    assert len(message) >= 20, "a message is a sentence"
    assert "Traceback" not in message
    assert not isinstance(caught.value, KeyError), "it would show its message in quotes"


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 60
    ours = {c.ours for c in CASES.values()}
    assert {
        GridMismatch,
        InvalidInput,
        NoCRS,
        NotFound,
        QuestionNotUnderstood,
        ReadFailed,
        TooLarge,
        TraceError,
        UnknownUnits,
        AlreadyThere,
    } <= ours


@pytest.mark.parametrize("name", [n for n in vars(errors) if isinstance(getattr(errors, n), type)])
def test_every_class_of_ours_is_a_builtin_too(name: str) -> None:
    error = getattr(errors, name)
    assert issubclass(error, TerrascopeError)
    assert error.__doc__
    if error is not TerrascopeError:
        builtin = next(b for b in error.__mro__ if b.__module__ == "builtins")
        assert builtin is not Exception, "catch it without importing from here"


def test_a_missing_package_says_how_to_install_it() -> None:
    from terrascope_nb._optional import need

    with pytest.raises(MissingPackage, match="pip install") as caught:
        need("no_such_package_at_all", "test this", "maps")
    assert isinstance(caught.value, ImportError)


def test_the_truth_of_a_test_is_no_mistake(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert ts.ask(place.scene, WATER, reasoner=truth_reasoner(place.made)).answer.finish == "stop"
