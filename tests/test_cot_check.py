"""Checking of training records: what the composer makes is valid, and every fault is found and named."""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from terrascope_nb.cot import rle, write_json, write_parquet
from terrascope_nb.cot.build import build
from terrascope_nb.cot.check import check
from terrascope_nb.cot.checked import check_files
from terrascope_nb.cot.commands import add_to
from terrascope_nb.cot.compose import compose
from terrascope_nb.cot.faults import CODES, Fault
from terrascope_nb.cot.manifest import Manifest
from terrascope_nb.cot.record import ImageRef, MaskRef, Record
from terrascope_nb.cot.sources import open_source
from terrascope_nb.cot.unit import image_refs
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.scene.labelled import Labelled
from terrascope_nb.scene.scene import Scene
from terrascope_nb.scene.synthetic import synthetic_scene


@cache
def made(kind: str, n: int = 4) -> tuple[tuple[Labelled, tuple[Record, ...]], ...]:
    items = open_source("synthetic", n=n, kind=kind, size=64)
    return tuple((x, tuple(compose(x, np.random.default_rng(k), image_refs(x)))) for k, x in enumerate(items))


def codes(faults: list[Fault]) -> set[str]:
    assert all(f.code in CODES and f.why for f in faults)
    return {f.code for f in faults}


# ---- what is right --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["scene", "pair", "damage"])
def test_what_the_composer_makes_is_valid_by_itself_and_against_the_map(kind: str) -> None:
    seen = Counter()
    for item, records in made(kind):
        for record in records:
            seen[record.kind] += 1
            assert check(record) == [], record
            assert check(record, item) == [], record
    assert set(seen) == {"caption", "l1", "l2-spatial", "l2-semantic"}


@pytest.mark.parametrize(
    ("source", "folder"), [("slovenia", "eolearn-slovenia-ts"), ("north-carolina", "nc-landsat7-landclass")]
)
def test_records_of_real_places_are_valid(shared_data: Callable[[str], Path], source: str, folder: str) -> None:
    item = next(open_source(source, folder=shared_data(folder)))
    records = compose(item, np.random.default_rng(0), image_refs(item))
    assert len(records) > 5
    assert [check(r, item) for r in records] == [[]] * len(records)


# ---- what is wrong --------------------------------------------------------------------------------------------------
LAKE = np.zeros((20, 20), bool)
LAKE[:4, :5] = True
DRY = (MaskRef.of(LAKE & False, "water"),)
WOOD = np.zeros((20, 20), bool)
WOOD[10:, :] = True
GROUND = {"crs": "EPSG:32633", "transform": (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_100_000.0)}


def share(**changes: Any) -> Record:
    """A valid record: 5 % is water."""
    record = Record(
        id="s/1/0", kind="l1", task="coverage_percentage", images=(ImageRef("1.png", "optical", None, (20, 20)),),
        question="What percentage of the scene is water?",
        choices={"A": "5.0 %", "B": "8.0 %", "C": "12.0 %", "D": "2.0 %"}, answer="A",
        answer_text="<think> Water [SEG] covers 5.0 % of the scene, 0.2 ha. </think><answer> A. 5.0 % </answer>",
        masks=(MaskRef.of(LAKE, "water"),), labels=("water",), sensors=("optical",), source="s", place="p", key="1",
        split="train", **GROUND,
    )  # fmt: skip
    return replace(record, **changes)


def pair(task: str, question: str, said: str, options: tuple[str, str], answer: str, **changes: Any) -> Record:
    """A record on water and forest."""
    text = f"<think> Water [SEG] covers 5 %. Forest [SEG] covers 50 %. {said} </think><answer> {answer} </answer>"
    masks = (MaskRef.of(LAKE, "water"), MaskRef.of(WOOD, "tree cover"))
    given = {"A": options[0], "B": options[1]}
    return share(**({
        "task": task, "question": question, "answer_text": text, "masks": masks, "choices": given, "answer": answer,
        "labels": ("water", "tree cover"),
    } | changes))  # fmt: skip


def text(think: str, answer: str = "A. 5.0 %") -> str:
    return f"<think> {think} </think><answer> {answer} </answer>"


WITHOUT = {"choices": None, "answer": "", "kind": "caption", "task": "caption", "question": "Describe the scene."}
FAULTS: list[tuple[str, Record]] = [
    ("form", share(answer_text="Water [SEG] covers 5.0 %. A")),
    ("form", share(answer_text=text("Water [SEG] covers 5.0 %.") + " More.")),
    ("form", share(answer_text=text("Water [SEG] </think><think> covers 5.0 %."))),
    ("no-image", share(images=())),
    ("seg-count", share(answer_text=text("Water covers 5.0 %."))),
    ("seg-count", share(masks=(MaskRef.of(LAKE, "water"),) * 2)),
    ("bad-mask", share(masks=(MaskRef("water", 0, (20, 20), "1"),))),
    ("bad-mask", share(images=(ImageRef("1.png", "optical", None, (20, 20), "1"),))),
    ("mask-image", share(masks=(MaskRef.of(LAKE, "water", image=1),))),
    ("mask-size", share(masks=(MaskRef.of(LAKE[:, :10], "water"),))),
    ("answer-not-offered", share(answer="E")),
    ("answer-not-offered", share(answer="")),
    ("answer-differs", share(answer_text=text("Water [SEG] covers 5.0 %.", "B. 8.0 %"))),
    ("answer-differs", share(answer_text=text("Water [SEG] covers 5.0 %.", "5.0 %"))),
    ("options-equal", share(choices={"A": "5.0 %", "B": "8.0 %", "C": "8 %", "D": "2.0 %"})),
    ("options-equal", pair("x", "Is there water?", "", ("Yes", "yes"), "A", kind="l2-spatial")),
    ("options-near", share(choices={"A": "5.0 %", "B": "5.4 %", "C": "12.0 %", "D": "2.0 %"})),
    ("options-near", share(choices={"A": "5.0 %", "B": "8.0 %", "C": "12.0 %", "D": "4.6 %"})),
    ("filter", pair("comparative_ranking", "Which is larger, water or forest?", "", ("water", "forest"), "B",
                    masks=(MaskRef.of(LAKE & (np.arange(20) < 4), "water"), MaskRef.of(WOOD, "tree cover")))),
    ("filter", pair("distance_measurement", "How far is water from forest?", "", ("70 m", "140 m"), "A")),
    ("answer-wrong", pair("boundary_relationship", "Does water border forest?", "", ("yes", "no"), "A")),
    ("answer-wrong", share(choices={"A": "8.0 %", "B": "5.0 %"}, answer_text=text("Water [SEG].", "A. 8.0 %"))),
    ("label-without-mask", share(labels=("tree cover",))),
    ("claim-disagrees", share(answer_text=text("Water [SEG] covers 6.0 % of the scene."))),
    ("claim-disagrees", share(answer_text=text("Water [SEG] covers 5.0 % of the scene, 0.3 ha."))),
    ("claim-disagrees", share(answer_text=text("Water [SEG] covers 5.0 % and lies in the south-east."))),
    ("claim-disagrees", share(masks=(MaskRef.of(WOOD, "water"),))),
    ("claim-disagrees", share(images=(ImageRef("1.png", "optical", None, (20, 20), rle.encode(LAKE | WOOD)),))),
    ("claim-open", share(answer_text=text("Water [SEG] covers 5.0 %. Its depth is 3.0 m."))),
    ("claim-open", share(crs="", transform=())),
    ("mask-empty", share(masks=DRY, answer_text=text("I look at the water [SEG].", "A scene."), **WITHOUT)),
]  # fmt: skip


@pytest.mark.parametrize(("code", "record"), FAULTS, ids=[f"{k}-{c}" for k, (c, _) in enumerate(FAULTS)])
def test_every_fault_is_found(code: str, record: Record) -> None:
    assert code in codes(check(record)), check(record)


@pytest.mark.parametrize(
    "record",
    [
        share(),
        share(choices={"A": "5.0 %", "B": "5.5 %", "C": "4.5 %", "D": "2.0 %"}),
        share(masks=DRY, answer_text=text("There is no water [SEG].", "There is no water."), **WITHOUT),
        share(masks=DRY, answer_text=text("Water [SEG] covers 0 %.", "There is no water."), **WITHOUT),
        pair("boundary_relationship", "Does water border forest?", "They do not touch.", ("yes", "no"), "B"),
        pair("comparative_ranking", "Which is larger, water or forest?", "", ("water", "forest"), "B"),
        share(kind="", task="", images=(ImageRef("1.png", "", None, (20, 20)),)),
    ],
    ids=["share", "ten percent off", "none", "zero", "boundary", "comparison", "of another"],
)
def test_nothing_is_found_where_nothing_is_wrong(record: Record) -> None:
    assert check(record) == []


def test_any_changed_figure_is_found() -> None:
    changed = caught = 0
    for _, records in (*made("scene")[:2], *made("pair")[:2]):
        for record in records:
            for found in re.finditer(r"(?<![\w.-])\d+\.\d+(?= (?:%|ha|km²|m)\b)", record.reasoning):
                wrong = f"{float(found[0]) * 1.5 + 0.4:.1f}"
                at = record.answer_text.index(record.reasoning)
                said = record.answer_text[: at + found.start()] + wrong + record.answer_text[at + found.end() :]
                changed += 1
                caught += "claim-disagrees" in codes(check(replace(record, answer_text=said)))
    assert caught == changed > 60


def test_swapped_masks_are_found() -> None:
    tried = caught = 0
    for _, records in made("scene"):
        for record in records:
            if len(record.masks) < 2 or record.kind != "caption":
                continue
            a, b, *rest = record.masks
            swapped = (replace(b, label=a.label), replace(a, label=b.label), *rest)
            tried += 1
            caught += bool(check(replace(record, masks=swapped)))
    assert caught == tried > 3


# ---- against the label map ------------------------------------------------------------------------------------------
def test_a_record_is_held_against_the_map_it_came_from() -> None:
    item, records = made("scene")[0]
    record = next(r for r in records if r.kind == "caption")
    assert codes(check(replace(record, crs="EPSG:32634"), item)) >= {"grid-differs"}
    other = made("scene")[1][0]
    assert "mask-not-truth" in codes(check(record, replace(other, key=item.key)))
    bare = replace(item, legend={k: v for k, v in item.legend.items() if v != "grassland"}, unmapped={30: 1})
    assert "domain-unmapped" in codes(check(record, bare))
    late = replace(record, masks=tuple(replace(m, time="2031-01-01") for m in record.masks))
    assert "mask-image" in codes(check(late, item))


def test_buildings_are_counted_as_polygons_where_they_are_known() -> None:
    for item, records in made("damage"):
        for record in records:
            if record.task == "building_change" and record.kind == "l1":
                few = replace(item, counts={0: (2, 40), 1: (2, 40)})
                assert check(record, item) == [] and "filter" in codes(check(record, few))
                return
    pytest.fail("no building question was composed")


# ---- files ----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set") / "made"
    build(("synthetic", {"n": 4, "size": 48}), folder, workers=1)
    return folder


def test_a_data_set_is_checked_with_its_pictures(data_set: Path) -> None:
    found = check_files(data_set)
    assert found.ok and found.valid == found.records == Manifest.read(data_set).records
    assert str(found) == f"{found.records} of {found.records} records are valid"


def test_a_data_set_that_was_changed_is_named(data_set: Path, tmp_path: Path) -> None:
    import shutil

    from PIL import Image

    folder = tmp_path / "set"
    shutil.copytree(data_set, folder)
    first, *_, last = sorted(folder.rglob("*.png"))
    first.unlink()
    Image.new("RGB", (3, 3)).save(last)
    shard = Manifest.read(folder).shards[0]
    (folder / shard.path).write_bytes(b"no table")
    found = check_files(folder)
    assert set(found.faults) <= {"image-missing", "image-size", "shard-changed", "unreadable"}
    assert found.faults["shard-changed"] == found.faults["unreadable"] == 1 and not found.ok
    assert shard.path in found.examples["shard-changed"][0] and "no Parquet" in str(found)
    assert "<pre>" in found._repr_html_()
    with pytest.raises(NotFound, match="manifest"):
        check_files(tmp_path)
    (folder / "manifest.json").rename(folder / "progress.jsonl")
    with pytest.raises(InvalidInput, match="not finished"):
        check_files(folder)


def test_what_only_shows_between_records_is_found(tmp_path: Path) -> None:
    other = ImageRef("2.png", "", None, (20, 20))
    records = [share(), share(key="2", split="test"), share(id="s/3/0", images=(other,))]
    found = check_files(write_parquet(records, tmp_path / "r.parquet"), images=False)
    assert dict(found.faults) == {"id-twice": 1, "place-in-both": 1}
    assert found.valid == 2  # one record has both faults
    from PIL import Image

    Image.new("RGB", (20, 20)).save(tmp_path / "1.png")
    Image.new("RGB", (20, 21)).save(tmp_path / "2.png")
    found = check_files(write_json(records, tmp_path / "r.json"))
    assert found.faults["image-size"] == 1 and "image-missing" not in found.faults
    (tmp_path / "2.png").write_text("no picture")
    assert check_files(tmp_path / "r.json").faults["image-missing"] == 1


def test_lines_that_are_no_record_are_counted_and_the_others_checked(tmp_path: Path) -> None:
    path = write_json([share(), share(id="s/2/0", answer="E")], tmp_path / "r.jsonl")
    path.write_text(path.read_text() + "{\n" + json.dumps({"id": "7"}) + "\n")
    found = check_files(path, images=False)
    assert (found.records, found.valid) == (4, 1)
    assert dict(found.faults) == {"unreadable": 2, "answer-not-offered": 1}
    assert found.examples["unreadable"][0].startswith("r.jsonl line 3: ")
    with pytest.raises(NotFound, match="there is no"):
        check_files(tmp_path / "none")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(InvalidInput, match="a.txt is no folder"):
        check_files(tmp_path / "a.txt")


# ---- commands -------------------------------------------------------------------------------------------------------
def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_to(parser.add_subparsers())
    args = parser.parse_args(words)
    return args.run(args)


def test_the_commands_build_and_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "made")
    given = (
        "cot", "build", "--source", "synthetic", "--set", "size=48", "--set", "kind=damage", "--source", "synthetic",
        "--set", "size=48", "--set", "n=3", "--out", folder, "-n", "30", "--workers", "1",
    )  # fmt: skip
    assert command(*given, "--dry-run") == 0
    assert "nothing written" in capsys.readouterr().out and not (tmp_path / "made").exists()
    assert command(*given, "--kinds", "l1", "--sensors", "optical", "--per-image", "2", "2") == 0
    out = capsys.readouterr().out
    assert "30 records of" in out and "synthetic damage" in out and "synthetic scene" in out
    assert Manifest.read(folder).tally.by["kind"] == {"l1": 30}
    assert command("cot", "check", folder) == 0
    assert capsys.readouterr().out == "30 of 30 records are valid\n"
    bad = write_json([share(answer="E")], tmp_path / "bad.json")
    assert command("cot", "check", str(bad), "--no-images") == 1
    assert "answer-not-offered 1" in capsys.readouterr().out


def test_the_commands_name_what_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidInput, match="never end"):
        command("cot", "build", "--source", "synthetic", "--out", str(tmp_path / "x"))
    with pytest.raises(NotFound, match="synthetic"):
        command("cot", "build", "--source", "syntetic", "--out", str(tmp_path / "x"), "-n", "3", "--workers", "1")
    for words in (["--set", "size=3", "--source", "synthetic"], ["--source", "synthetic", "--set", "size"]):
        with pytest.raises(SystemExit):
            command("cot", "build", *words, "--out", str(tmp_path / "x"))
    assert command("cot") == 2
    assert command("cot", "sources") == 0
    assert "bigearthnet" in capsys.readouterr().out


def test_a_legend_of_the_command_line_has_numbers_for_keys() -> None:
    from terrascope_nb.cot.commands import _value

    assert _value('{"1": "forest", "-2": "water"}') == {1: "forest", -2: "water"}
    assert (_value("both"), _value("3"), _value("[1, 2]")) == ("both", 3, [1, 2])


def test_records_of_a_scene_without_crs_are_valid_where_the_pixel_size_is_stated() -> None:
    made = synthetic_scene(np.random.default_rng(5), 96, sar=False)
    scene = Scene.from_arrays(made.scene.images[0].arrays(), units="reflectance")
    bare = Labelled(scene, made.maps, made.legend, "bare", "bare", resolution=2.5)
    records = compose(bare, np.random.default_rng(1), image_refs(bare))
    with_area = [r for r in records if " ha" in r.answer_text or "m²" in r.answer_text]
    assert len(with_area) > 3
    assert {r.id: check(r) for r in records} == {r.id: [] for r in records}
    assert all("claim-disagrees" in [f.code for f in check(replace(r, resolution=25.0))] for r in with_area)
