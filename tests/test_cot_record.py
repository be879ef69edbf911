"""Records of Terra-CoT: run lengths equal to COCO's, and every form read back as it was written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from terrascope_nb.cot import (
    ImageRef,
    MaskRef,
    Record,
    from_published,
    read_json,
    read_parquet,
    rle,
    to_published,
    write_json,
    write_parquet,
)
from terrascope_nb.cot.record import SCHEMA, written_image
from terrascope_nb.errors import AlreadyThere, GridMismatch, InvalidInput, NotFound

EDGES = {
    "one pixel out": np.zeros((1, 1), bool),
    "one pixel in": np.ones((1, 1), bool),
    "a long row": np.arange(5000)[None] % 700 < 350,
    "a full row": np.ones((1, 5000), bool),
    "a long column": np.arange(5000)[:, None] > 4998,
    "empty": np.zeros((40, 60), bool),
    "full": np.ones((40, 60), bool),
    "chess": np.indices((17, 23)).sum(0) % 2 == 0,
    "every other column of a larger one": (np.indices((30, 80)).sum(0) % 5 == 0)[:, ::2],
    "turned": (np.indices((30, 80)).sum(0) % 5 == 0).T[::-1],
    "large": np.ones((5000, 4000), bool),
}


def theirs(mask: np.ndarray) -> dict[str, Any]:
    return coco.encode(np.asfortranarray(mask.astype(np.uint8)))


masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24))


# ---- run lengths ----------------------------------------------------------------------------------------------------
def same_as_coco(mask: np.ndarray) -> None:
    other = theirs(mask)
    mine = rle.encode(mask)
    assert mine.encode() == other["counts"]
    back = rle.decode(mine, mask.shape)
    assert back.dtype == np.bool_ and np.array_equal(back, mask)
    assert np.array_equal(rle.decode(other["counts"], mask.shape), coco.decode(other).astype(bool))
    assert rle.area(mine) == coco.area(other) == np.count_nonzero(mask)


@pytest.mark.parametrize("name", EDGES)
def test_edge_masks_have_coco_s_bytes(name: str) -> None:
    same_as_coco(EDGES[name])


@given(masks)
def test_masks_have_coco_s_bytes(mask: np.ndarray) -> None:
    same_as_coco(mask)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.001, 0.2, 0.999]))
@settings(max_examples=20)
def test_large_random_masks_have_coco_s_bytes(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    same_as_coco(rng.random(tuple(rng.integers(100, 400, 2))) < share)


@given(masks, st.data())
def test_iou_is_coco_s(mask: np.ndarray, data: st.DataObject) -> None:
    other = data.draw(hnp.arrays(bool, mask.shape))
    expected = coco.iou([theirs(mask)], [theirs(other)], [0])[0, 0]
    assert rle.iou(rle.encode(mask), rle.encode(other), mask.shape) == pytest.approx(expected, abs=1e-12)


@given(masks, st.data())
def test_several_masks_of_an_object_are_their_union(mask: np.ndarray, data: st.DataObject) -> None:
    other = data.draw(hnp.arrays(bool, mask.shape))
    together = rle.union([rle.encode(mask), rle.runs(other).tolist()], mask.shape)
    assert together.encode() == theirs(mask | other)["counts"]


@given(masks)
def test_plain_lists_of_counts_are_read(mask: np.ndarray) -> None:
    counts = rle.runs(mask).tolist()
    other = coco.frPyObjects({"size": list(mask.shape), "counts": counts}, *mask.shape)
    assert rle.to_string(np.array(counts)).encode() == other["counts"]
    assert np.array_equal(rle.decode(counts, mask.shape), mask)


@pytest.mark.parametrize(
    ("counts", "size", "says"),
    [
        ("", (2, 2), "empty RLE"),
        ("1 3", (2, 2), "character 1"),
        ("13é", (2, 2), "character 2 is none of"),
        ("1P", (2, 2), "breaks off"),
        ("1", (2, 2), "counts 1 pixels, an image of 2 × 2 has 4"),
        ("13", (3, 3), "counts 4 pixels, an image of 3 × 3 has 9"),
        ("1O", (2, 2), "run 1 is -1 pixels"),
        ("PPPPPPPPP0", (2, 2), "10 groups"),
        ([1, -1, 4], (2, 2), "run 1 is -1"),
        ([[1.0, 2.0, 3.0, 4.0]], (2, 2), "polygons"),
        ([], (2, 2), "whole numbers"),
        (7, (2, 2), "got int"),
        ("13", (2,), "rows, columns"),
        ("13", (2, 0), "at least 1"),
    ],
)
def test_corrupt_run_lengths_say_what_is_wrong(counts: Any, size: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        rle.decode(counts, size)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
def test_no_string_breaks_the_reader(text: str) -> None:
    try:
        mask = rle.decode(text, (4, 5))
    except InvalidInput:
        return
    assert mask.shape == (4, 5)


@pytest.mark.parametrize("what", [np.zeros((2, 2)), np.zeros(4, bool), np.zeros((0, 3), bool)])
def test_what_is_no_mask_is_refused(what: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match="a mask is"):
        rle.encode(what)


# ---- records --------------------------------------------------------------------------------------------------------
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
days = st.none() | st.dates().map(str)
sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))


@st.composite
def records(draw: st.DrawFn) -> Record:
    shape = draw(sizes)
    images = tuple(
        ImageRef(draw(texts), draw(st.sampled_from(["optical", "sar", ""])), draw(days), draw(st.none() | sizes),
                 draw(st.just("") | hnp.arrays(bool, shape).map(rle.encode)))
        for _ in range(draw(st.integers(0, 3)))
    )  # fmt: skip
    drawn = [
        MaskRef(draw(texts), draw(st.integers(0, 3)), shape, rle.encode(draw(hnp.arrays(bool, shape))), draw(days))
        for _ in range(draw(st.integers(0, 3)))
    ]
    values = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | texts, lambda x: st.lists(x, max_size=2))
    known = {"id", "image", "masks", "conversations", "terrascope_nb"}
    return Record(
        id=draw(texts), kind=draw(st.sampled_from(["caption", "l1", "l2-spatial", "l2-semantic", ""])),
        task=draw(texts), images=images, question=draw(texts), answer_text=draw(texts), masks=tuple(drawn),
        choices=draw(st.none() | st.dictionaries(st.sampled_from("ABCD"), texts, max_size=4)), answer=draw(texts),
        labels=tuple(draw(st.lists(texts, max_size=2))), sensors=tuple(draw(st.lists(texts, max_size=2))),
        resolution=draw(st.none() | st.floats(0.1, 1e4)), source=draw(texts), place=draw(texts), key=draw(texts),
        licence=draw(texts), citation=draw(texts), split=draw(st.sampled_from(["train", "test", ""])),
        seed=draw(st.integers(0, 2**63 - 1)), more=tuple(draw(st.lists(st.tuples(texts, texts), max_size=2))),
        human=draw(texts), crs=draw(st.sampled_from(["", "EPSG:32633"])),
        transform=draw(st.just(()) | st.tuples(*[st.floats(-1e6, 1e6)] * 6)),
        extra=draw(st.dictionaries(texts.filter(lambda t: t not in known), values, max_size=2)),
    )  # fmt: skip


@given(records())
def test_the_published_form_gives_the_record_back(record: Record) -> None:
    assert from_published(json.loads(json.dumps(to_published(record)))) == record


@given(st.lists(records(), max_size=4))
@settings(max_examples=30)
def test_files_give_the_records_back(tmp_path_factory: pytest.TempPathFactory, given_records: list[Record]) -> None:
    folder = tmp_path_factory.mktemp("records")
    assert list(read_json(write_json(given_records, folder / "r.json"))) == given_records
    assert list(read_json(write_json(given_records, folder / "r.jsonl"))) == given_records
    assert list(read_parquet(write_parquet(given_records, folder / "r.parquet"))) == given_records
    assert isinstance(json.loads((folder / "r.json").read_text("utf-8")), list)
    assert sorted(p.name for p in folder.iterdir()) == ["r.json", "r.jsonl", "r.parquet"]


LAKE = np.zeros((4, 5), bool)
LAKE[:2, :2] = True
RECORD = Record(
    id="s/1#0", kind="l1", task="coverage_percentage", images=(ImageRef("images/1.png", "optical", None, (4, 5)),),
    question="What share of the scene is water?", choices={"A": "20 %", "B": "40 %"}, answer="A",
    answer_text="<think> Water [SEG] covers 20 %. </think><answer> A </answer>",
    masks=(MaskRef.of(LAKE, "water"),), labels=("water",), resolution=10.0, sensors=("optical",), source="s",
    place="p", key="1", licence="CC0", citation="none", split="train", seed=7, crs="EPSG:32633",
    transform=(10.0, 0.0, 500_000.0, 0.0, -10.0, 5_100_000.0),
)  # fmt: skip


def test_the_published_form_is_the_one_readers_of_it_know() -> None:
    item = to_published(RECORD)
    assert item["image"] == "images/1.png"
    assert item["masks"] == [[{"size": [4, 5], "counts": rle.encode(LAKE)}]]
    human, gpt = item["conversations"]
    assert human == {"from": "human", "value": "What share of the scene is water?\nA. 20 %\nB. 40 %"}
    assert gpt == {"from": "gpt", "value": RECORD.answer_text}
    assert gpt["value"].count("[SEG]") == len(item["masks"])
    assert set(item) == {"id", "image", "masks", "conversations", "terrascope_nb"}
    assert to_published(replace(RECORD, images=RECORD.images * 2))["image"] == ["images/1.png"] * 2


def published(**changes: Any) -> dict[str, Any]:
    left, right = [rle.encode(m) for m in (LAKE & (np.arange(5) < 1), LAKE & (np.arange(5) > 0))]
    return {
        "id": "1", "image": ["a.png", "b.png"], "width": 5, "source": {"name": "elsewhere"},
        "masks": [[{"size": [4, 5], "counts": left}, {"size": [4, 5], "counts": right}],
                  [{"size": [4, 5], "counts": [20]}]],
        "conversations": [
            {"from": "human", "value": "<image>\nWhere is water?\nA. north\nB. south"},
            {"from": "gpt", "value": "<think> Image: t_2 water [SEG]. </think><answer> A </answer>"},
            {"from": "human", "value": "And then?"},
            {"from": "gpt", "value": "Image: t_1 none [SEG]."},
        ],
    } | changes  # fmt: skip


def test_a_published_item_is_read_and_nothing_of_it_is_lost() -> None:
    record = from_published(published())
    assert (record.question, record.choices, record.answer) == ("Where is water?", {"A": "north", "B": "south"}, "A")
    assert np.array_equal(record.masks[0].mask, LAKE) and not record.masks[1].mask.any()
    assert [m.image for m in record.masks] == [1, 0] and record.segs == 2
    assert record.extra == {"width": 5, "source": {"name": "elsewhere"}}
    assert [r.count for r in record.regions()] == [4, 0]
    back = to_published(record)
    assert back.pop("terrascope_nb")["schema"] == SCHEMA
    assert back == published(masks=[[{"size": [4, 5], "counts": m.counts}] for m in record.masks])
    assert from_published(to_published(record)) == record


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ([], "JSON object, got list"),
        ({"id": "7", "masks": []}, "'7' has no image and no conversations; it has id, masks"),
        (published(conversations=[{"from": "human", "value": "?"}]), "in turn"),
        (published(conversations=[{"from": "gpt", "value": "?"}, {"from": "human", "value": "?"}]), "in turn"),
        (published(masks=[[]]), "object 0: an object is a list of RLEs"),
        (published(masks=[[{"counts": "13"}]]), "an RLE has `size` and `counts`; got 'counts'"),
        (published(masks=[[{"size": [2, 2], "counts": "1"}]]), "object 0: RLE '1' counts 1 pixels"),
        (published(masks=[[{"size": [2, 2], "counts": "13"}, {"size": [1, 4], "counts": "13"}]]), "of two sizes"),
        (published(image=[1]), "a path or a list of paths"),
        (published(terrascope_nb={"schema": SCHEMA + 1}), "pip install --upgrade terrascope-nb"),
        (published(terrascope_nb={"schema": "x"}), "whole number from 1 on"),
        (published(terrascope_nb={"schema": 1, "speed": 1}), "lacks answer, .* unknown speed"),
        (to_published(RECORD) | {"image": ["a", "b"]}, "has 2 images, but 'terrascope_nb' describes 1"),
        (to_published(RECORD) | {"masks": []}, "has 0 masks, but 'terrascope_nb' describes 1"),
    ],
)
def test_what_is_no_record_is_named(item: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        from_published(item)


def test_a_field_of_another_type_is_named() -> None:
    item = to_published(RECORD)
    item["terrascope_nb"]["labels"] = None
    with pytest.raises(InvalidInput, match="not of its type"):
        from_published(item)


def test_files_that_cannot_be_read_name_file_and_line(tmp_path: Path) -> None:
    lines = tmp_path / "r.jsonl"
    lines.write_text(json.dumps(to_published(RECORD)) + "\n{")
    with pytest.raises(InvalidInput, match="r.jsonl line 2 is no JSON"):
        list(read_json(lines))
    lines.write_text(json.dumps(to_published(RECORD)) + "\n\n" + json.dumps({"id": "x"}))
    with pytest.raises(InvalidInput, match="r.jsonl line 3: record 'x' has no image"):
        list(read_json(lines))
    (tmp_path / "r.json").write_text("[")
    with pytest.raises(InvalidInput, match="r.json is no JSON"):
        list(read_json(tmp_path / "r.json"))
    with pytest.raises(NotFound, match="no file"):
        list(read_json(tmp_path / "none.json"))
    with pytest.raises(AlreadyThere, match="overwrite=True"):
        write_json([], lines)
    assert list(read_json(write_json([], lines, overwrite=True))) == []


def test_tables_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    bad = tmp_path / "bad.parquet"
    bad.write_text("no")
    with pytest.raises(InvalidInput, match="bad.parquet is no Parquet"):
        list(read_parquet(bad))
    pq.write_table(pa.table({"id": ["1"]}), bad)
    with pytest.raises(InvalidInput, match="lacks the columns answer, answer_text, .*; it has id"):
        list(read_parquet(bad))
    good = write_parquet([RECORD], tmp_path / "good.parquet")
    table = pq.read_table(good)
    pq.write_table(table.replace_schema_metadata({"terrascope_nb.schema": "9"}), bad)
    with pytest.raises(InvalidInput, match="schema 9.*pip install --upgrade"):
        list(read_parquet(bad))
    pq.write_table(table.append_column("speed", pa.array([3])), bad)
    assert list(read_parquet(bad)) == [replace(RECORD, extra={"speed": 3})]
    with pytest.raises(AlreadyThere, match="good.parquet"):
        write_parquet([], good)
    with pytest.raises(NotFound, match="no file"):
        list(read_parquet(tmp_path / "none.parquet"))


def test_a_table_has_the_same_columns_and_bytes_whatever_its_rows(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    some = write_parquet([RECORD, from_published(published())], tmp_path / "some.parquet")
    none = write_parquet([], tmp_path / "none.parquet")
    assert pq.read_schema(some) == pq.read_schema(none)
    again = write_parquet([RECORD, from_published(published())], tmp_path / "again.parquet")
    assert some.read_bytes() == again.read_bytes()


DATASETS = """
import datasets, json, sys
data = datasets.load_dataset("parquet", data_files=sys.argv[1], split="train", cache_dir=sys.argv[2])
sys.stdout.write(json.dumps([data.num_rows, data[0]["question"], data[0]["masks"], data[0]["choices"]]))
"""


def test_datasets_reads_a_table(tmp_path: Path) -> None:
    path = write_parquet([RECORD, from_published(published())], tmp_path / "r.parquet")
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, "-c", DATASETS, str(path), str(tmp_path / "cache")]
    done = subprocess.run(command, env=offline, capture_output=True, text=True, check=True)
    rows, question, masks, choices = json.loads(done.stdout)
    assert (rows, question) == (2, RECORD.question)
    assert masks == [
        {"label": "water", "image": 0, "height": 4, "width": 5, "counts": RECORD.masks[0].counts, "time": None}
    ]
    assert choices == [{"letter": "A", "text": "20 %"}, {"letter": "B", "text": "40 %"}]


# ---- nouns ----------------------------------------------------------------------------------------------------------
def test_a_record_gives_regions_that_are_measured_on_its_own_grid_and_domain() -> None:
    from terrascope_nb.reason.measure import area, share

    (region,) = RECORD.regions()
    assert area(region).value == pytest.approx(400, rel=2e-3) and share(region).value == 20
    clear = np.ones((4, 5), bool)
    clear[:, 4] = False
    partly = replace(RECORD, images=(replace(RECORD.images[0], domain=rle.encode(clear)),))
    assert share(partly.regions()[0]).value == 25
    assert share(partly.regions(RECORD.domain(0))[0]).value == 20
    assert partly.regions([RECORD.domain(0)])[0].domain.count == 20
    assert replace(RECORD, crs="", transform=()).grid.crs is None


def test_regions_refuse_masks_that_do_not_fit() -> None:
    with pytest.raises(InvalidInput, match="mask 0 names image 3 of 1"):
        replace(RECORD, masks=(replace(RECORD.masks[0], image=3),)).regions()
    with pytest.raises(GridMismatch, match=r"mask 0 \(water\).*\(5, 4\) against \(4, 5\)"):
        replace(RECORD, masks=(MaskRef.of(LAKE.T, "water"),)).regions()


@pytest.mark.parametrize(
    ("change", "says"),
    [({"kind": "capton"}, "caption"), ({"split": "tset"}, "test"), ({"schema": SCHEMA + 1}, "pip install --upgrade")],
)
def test_records_refuse_what_they_do_not_know(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        replace(RECORD, **change)


def test_the_text_parts_of_a_record() -> None:
    assert (RECORD.reasoning, RECORD.said, RECORD.segs) == ("Water [SEG] covers 20 %.", "A", 1)
    assert RECORD.masks[0].pixels == 4


@pytest.mark.parametrize(
    ("text", "images", "expected"),
    [
        ("a [SEG] b [SEG] c [SEG]", 2, [0, 1, 0]),
        ("Image: t_1 a [SEG] b [SEG]", 1, [0, 0]),
        ("Image: t_2 a [SEG] Image: t_1 b [SEG]", 2, [1, 0]),
        ("Image: t_1 a [SEG] Image: t_0 b [SEG]", 2, [1, 0]),
        ("Image: t_9 a [SEG]", 2, [0]),
        ("none", 2, []),
    ],
)
def test_the_image_of_a_mask_is_read_from_the_text(text: str, images: int, expected: list[int]) -> None:
    assert written_image(text, images) == expected
