"""What training reads: the train side only, both file forms alike, in an order that can be taken up again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("pyarrow")

import builtins

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from train_records import SIZE, small_dataset, small_records

from terrascope_nb.cot.published import to_published, write_json
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.model.tiny import tiny_model
from terrascope_nb.train.config import SHOWS, DataConfig, RegionConfig
from terrascope_nb.train.records import Records, dataset_hash, read_records
from terrascope_nb.train.samples import Batches, Order, Samples, epoch_order, figures, pairs, sample_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def records(folder: Path) -> Records:
    return read_records(folder)


def test_shards_and_published_files_give_the_same(folder: Path, records: Records, tmp_path: Path) -> None:
    made = small_records(folder)
    assert [records[k] for k in range(len(records))] == [r for r in made if r.split == "train"]
    for name in ("published.json", "published.jsonl"):
        write_json(made, tmp_path / name)
        again = read_records(tmp_path / name, images=folder)
        assert [again[k] for k in range(len(again))] == [records[k] for k in range(len(records))]
        assert again.left_out == records.left_out == {"on the test side": 2}
    assert records.counts() == {"optical": 4, "sar": 2, "both": 2, "temporal": 2}
    assert records.counts(of_masks=True) == {"optical": 2, "sar": 2, "both": 2, "temporal": 2}


def test_a_published_file_of_others_is_read(folder: Path, tmp_path: Path) -> None:
    bare = [{k: v for k, v in to_published(r).items() if k != "terrascope_nb"} for r in small_records(folder, 5, 0)]
    (tmp_path / "theirs.json").write_text(json.dumps(bare), encoding="utf-8")
    read = read_records(tmp_path / "theirs.json", images=folder)
    assert len(read) == 5
    sample = sample_of(read[0], read.folder(0))
    assert sample.response.count("[SEG]") == len(sample.masks) == 1
    assert "How much water is there?\nA. " in sample.prompt
    assert sample.images[0].shape == (SIZE, SIZE, 3)


def test_the_test_side_is_never_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = {r.id for r in small_records(folder) if r.split == "test"}
    pictures = {str(folder / i.path) for r in small_records(folder) if r.split == "test" for i in r.images}
    opened: list[str] = []
    plain, image = builtins.open, Image.open
    monkeypatch.setattr(builtins, "open", lambda f, *a, **k: opened.append(str(f)) or plain(f, *a, **k))
    monkeypatch.setattr(Image, "open", lambda f, *a, **k: opened.append(str(f)) or image(f, *a, **k))
    samples = Samples(read_records(folder), DataConfig(), 0)
    seen = [samples[key].name for epoch in range(3) for key in _epoch(samples, epoch)]
    assert len(seen) == 30 and not held & set(seen)
    assert opened and not pictures & set(opened)


def test_an_image_on_both_sides_is_refused(folder: Path, tmp_path: Path) -> None:
    made = small_records(folder)
    made[-1] = replace(made[-1], key=made[3].key)
    write_json(made, tmp_path / "leak.json")
    with pytest.raises(InvalidInput, match="1 images stand on the train side and on the test side: 'key-3'"):
        read_records(tmp_path / "leak.json", images=folder)


def test_broken_records_are_named_up_to_a_limit(folder: Path, tmp_path: Path) -> None:
    good = [to_published(r) for r in small_records(folder, 6, 0)]
    lines = [json.dumps(item) for item in good]
    lines[1] = lines[1].replace("[SEG]", "")  # a mask too many
    lines[2] = "{"
    lines[3] = lines[3].replace("images/3-0.png", "images/gone.png")
    (tmp_path / "some.jsonl").write_text("\n".join(lines), encoding="utf-8")
    read = read_records(tmp_path / "some.jsonl", DataConfig(skip_limit=3), folder)
    assert [read[k].id for k in range(len(read))] == ["drawn-0", "drawn-4", "drawn-5"]
    assert set(read.broken) == {"drawn-1", "some.jsonl line 3", "drawn-3"}
    assert "0 [SEG], there are 1 masks" in read.broken["drawn-1"]
    assert "images/gone.png" in read.broken["drawn-3"]
    with pytest.raises(InvalidInput, match=r"3 records are broken, allowed are 2 \(data.skip_limit\)"):
        read_records(tmp_path / "some.jsonl", DataConfig(skip_limit=2), folder)


def test_a_picture_that_breaks_later_gives_way_to_the_next(tmp_path: Path) -> None:
    small_dataset(tmp_path)
    read = read_records(tmp_path)
    (tmp_path / "images/0-0.png").write_bytes(b"no picture")
    drawn = Samples(read, DataConfig(skip_limit=1), 0)[(0, 0, 0)]
    assert drawn.name == "drawn-1"
    assert [name for name, _ in drawn.broken] == ["drawn-0"]
    assert "cannot be read as a picture" in drawn.broken[0][1]
    with pytest.raises(InvalidInput, match="1 records in a row cannot be read.*drawn-0"):
        Samples(read, DataConfig(skip_limit=0), 0)[(0, 0, 0)]


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [("nowhere", NotFound, "no folder or file"), ("", NotFound, "manifest.json"), ("a.txt", InvalidInput, "are .json")],
)
def test_what_is_no_data_set_is_said(tmp_path: Path, source: str, error: type[Exception], words: str) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(error, match=words):
        read_records(tmp_path / source)


def test_nothing_left_says_what_was_left_out(folder: Path, tmp_path: Path) -> None:
    write_json(small_records(folder, 2, 3), tmp_path / "a.json")
    with pytest.raises(InvalidInput, match="3 on the test side"):
        read_records(tmp_path / "a.json", DataConfig(kinds=("caption",)), folder)


def test_the_hash_follows_the_bytes_not_the_place(folder: Path, tmp_path: Path) -> None:
    for name, count in (("a", 5), ("b", 5), ("c", 4)):
        (tmp_path / name).mkdir()
        write_json(small_records(folder, count, 0), tmp_path / name / "x.json")
    a, b, c = (dataset_hash(read_records(tmp_path / n / "x.json", images=folder)) for n in "abc")
    assert a == b != c


# ---- samples --------------------------------------------------------------------------------------------------------
def test_samples_know_sensors_and_dates(records: Records) -> None:
    by_show = {SHOWS[records.shows[k]]: sample_of(records[k], records.folder(k)) for k in reversed(range(5))}
    assert by_show["both"].sar == ((0, 1),)
    assert by_show["temporal"].mask_images == (0, 1)
    assert by_show["optical"].sar == by_show["temporal"].sar == ()
    far = [replace(i, time=t) for i, t in zip(records[2].images, ("2023-05-01", "2023-05-09"), strict=True)]
    assert pairs(far) == ()
    assert pairs([replace(i, time=None) for i in far]) == ((0, 1),)


def test_figures_are_those_of_the_measuring_core(records: Records) -> None:
    record = records[3]
    first, second = (m.mask.mean() * 100 for m in record.masks)
    told = figures(record)
    assert told[0].startswith(f" ({first:.1f} %, ")
    assert told[1].startswith(f" ({second:.1f} %, ")
    assert sample_of(record, records.folder(3)).measured is None
    assert sample_of(record, records.folder(3), measured=True).measured == told


def test_the_share_with_figures_is_kept(records: Records) -> None:
    with_figures = Samples(records, DataConfig(measured_share=0.25), 7, of_masks=True)
    drawn = [with_figures[(e, p, int(with_figures.eligible[0]))] for e in range(20) for p in range(20)]
    share = np.mean([d.sample.measured is not None for d in drawn])
    assert 0.18 < share < 0.32
    assert with_figures[(3, 4, 0)].sample.measured == with_figures[(3, 4, 0)].sample.measured


@given(
    shows=st.lists(st.integers(0, 3), min_size=1, max_size=40).map(lambda x: np.array(x, np.int8)),
    weights=st.lists(st.integers(0, 5), min_size=4, max_size=4),
    length=st.integers(1, 100),
    seed=st.integers(0, 5),
)
def test_an_epoch_keeps_the_weights(shows: np.ndarray, weights: list[int], length: int, seed: int) -> None:
    mix = dict(zip(SHOWS, weights, strict=True))
    there = {k: w for k, w in enumerate(weights) if w and (shows == k).any()}
    if not there:
        with pytest.raises(InvalidInput, match="gives weight to nothing"):
            epoch_order(shows, mix, seed, 0, length)
        return
    order = epoch_order(shows, mix, seed, 0, length)
    assert len(order) == length
    assert (order == epoch_order(shows, mix, seed, 0, length)).all()
    for k, weight in there.items():
        drawn = order[shows[order] == k]
        assert abs(len(drawn) - length * weight / sum(there.values())) <= 1
        times = np.bincount(drawn, minlength=len(shows))[shows == k]
        assert times.max() - times.min() <= 1  # each comes as often as any other of its kind


def test_epochs_differ_and_steps_are_whole(records: Records) -> None:
    samples = Samples(records, DataConfig(), 0)
    order = Order(samples, None, 4)
    assert len(order) == 8
    first = list(order)
    order.set_epoch(1)
    assert [k for _, _, k in first] != [k for _, _, k in order]
    assert [(e, p) for e, p, _ in order] == [(1, p) for p in range(8)]
    assert len(list(Order(samples, None, 64))) == 64  # fewer records than one step has samples


def test_a_batch_is_the_same_wherever_it_is_made(records: Records) -> None:
    _, processor = tiny_model()
    samples = Samples(records, DataConfig(measured_share=0.5), 3, of_masks=True)
    keys = list(Order(samples, None, 4))[4:6]
    one, again = (
        Batches(processor, RegionConfig(mode="random", cap=3), 3)([samples[key] for key in keys]) for _ in range(2)
    )
    assert one["names"] == [records[k].id for _, _, k in keys]
    assert (one["input_ids"] == again["input_ids"]).all() and (one["region_tokens"] == again["region_tokens"]).all()
    assert one["keep_logits"] is False


def _epoch(samples: Samples, epoch: int) -> list[tuple[int, int, int]]:
    order = Order(samples, None, 2)
    order.set_epoch(epoch)
    return list(order)
