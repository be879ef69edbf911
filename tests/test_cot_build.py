"""A data set of Terra-CoT: the same bytes for any number of processes, and after a kill in the middle."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from terrascope_nb.cot import rle
from terrascope_nb.cot.build import build, try_out
from terrascope_nb.cot.manifest import Manifest, read_dataset
from terrascope_nb.cot.record import ImageRef, MaskRef, Record, ground_of
from terrascope_nb.cot.unit import Recipe, make_unit, seed_of
from terrascope_nb.cot.workers import Given, Named, _turns
from terrascope_nb.errors import AlreadyThere, InvalidInput, NotFound, ReadFailed
from terrascope_nb.reason.units import pretty
from terrascope_nb.scene.labelled import Labelled
from terrascope_nb.scene.synthetic import synthetic_scene

SEED = 7


# ---- a small stand-in for the composer ------------------------------------------------------------------------------
def shares(
    labelled: Labelled, rng: np.random.Generator, *, kinds: Sequence[str], images: tuple[ImageRef, ...],
    dropped: Counter[str], lie: float = 0.0, slow: float = 0.0,
) -> list[Record]:  # fmt: skip
    """A question about the share of each class, in an order drawn; `lie` of the answers are wrong."""
    time.sleep(slow)
    dropped["nothing: as an example"] += 1
    domain = labelled.scene.domain(0)
    crs, transform = ground_of(labelled)
    out = []
    for k, label in enumerate(rng.permutation(labelled.labels).tolist()):
        mask = labelled.truth(label) & domain.pixels
        share = 100 * mask.sum() / domain.count
        said = pretty(share / 2 if rng.random() < lie else share, "%")
        out.append(Record(
            id=f"{labelled.source}/{labelled.key}/{k}", kind=kinds[0], task="share",
            images=(replace(images[0], domain=rle.encode(domain.pixels)),), question=f"What share is {label}?",
            answer_text=f"<think> {label.capitalize()} [SEG] covers {said}. </think><answer> {said} </answer>",
            masks=(MaskRef.of(mask, label),), labels=(label,), sensors=("optical",), source=labelled.source,
            place=labelled.place, key=labelled.key, licence=labelled.licence, citation=labelled.citation, crs=crs,
            transform=transform,
        ))  # fmt: skip
    return out


def shares_slowly(*given: Any, **named: Any) -> list[Record]:
    return shares(*given, **named)


@dataclass(frozen=True)
class Broken:
    """A source with an image that cannot be read, one that comes twice, and one that has no class."""

    name: str = "broken"
    options: Any = None
    divided: bool = True

    def open(self, part: tuple[int, int]) -> tuple[Iterator[Labelled], bool]:
        good = labelled("a")
        items = [good, ReadFailed("b.tif: cut off"), replace(good), labelled("c", 3)]
        return Items(items[part[0] :: part[1]]) if self.divided else (x for x in Items(items)), self.divided


class Items:
    def __init__(self, items: list[Any]) -> None:
        self.items = iter(items)

    def __iter__(self) -> Items:
        return self

    def __next__(self) -> Labelled:
        item = next(self.items)
        if isinstance(item, Exception):
            raise item
        return item


def labelled(key: str, seed: int = 0, **more: Any) -> Labelled:
    made = synthetic_scene(np.random.default_rng(seed), size=32, sar=False)
    return Labelled(made.scene, made.maps, made.legend, key, f"place of {key}", source="made", licence="CC0", **more)


SOURCE = ("synthetic", {"n": 30, "size": 32, "sar": False})
OTHER = ("synthetic", {"n": 12, "size": 40, "kind": "pair"})


def everything(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain") / "set"
    build([SOURCE, OTHER], folder, seed=SEED, workers=1, shard_size=40, composer=shares, kinds=("caption",))
    return folder


# ---- what is written ------------------------------------------------------------------------------------------------
def test_a_build_holds_every_record_once_with_its_pictures(plain: Path) -> None:
    manifest = Manifest.read(plain)
    records = list(read_dataset(plain))
    assert manifest.images == 42 and manifest.records == len(records) > 150
    assert len({r.id for r in records}) == len(records)
    assert manifest.tally.by["split"] == {k: sum(r.split == k for r in records) for k in ("train", "test")}
    assert sum(s.rows for s in manifest.shards) == len(records) and len(manifest.shards) >= 4
    assert {s.path.split("/")[1].split("-")[0] for s in manifest.shards} == {"train", "test"}
    for record in records:
        assert record.seed == seed_of(SEED, record.source, record.key)
        assert (plain / record.images[0].path).is_file()
    from PIL import Image

    with Image.open(plain / records[0].images[0].path) as picture:
        assert picture.size == records[0].images[0].shape[::-1]
    assert sorted(p.name for p in plain.iterdir()) == ["data", "images", "manifest.json"]


def test_the_manifest_says_where_all_came_from(plain: Path) -> None:
    item = json.loads((plain / "manifest.json").read_text())
    assert item["recipe"]["seed"] == SEED and item["recipe"]["versions"]["numpy"] == np.__version__
    assert item["sources"]["synthetic scene"]["images"] == 30
    assert item["sources"]["synthetic scene"]["licence"].startswith("Apache-2.0")
    assert item["sources"]["synthetic pair"]["citation"]
    for shard in item["shards"]:
        data = (plain / shard["path"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (shard["sha256"], shard["bytes"])
    assert item["not_asked"] == {"nothing: as an example": 42}
    assert Manifest.read(plain).to_json() == item
    assert "42 images" in str(Manifest.read(plain)) and "<pre>" in Manifest.read(plain)._repr_html_()


def test_places_lie_on_one_side(plain: Path) -> None:
    sides: dict[str, set[str]] = {}
    for record in read_dataset(plain):
        sides.setdefault(record.place, set()).add(record.split)
    assert all(len(s) == 1 for s in sides.values())


def test_datasets_finds_the_splits(plain: Path, tmp_path: Path) -> None:
    code = (
        "import datasets, sys; d = datasets.load_dataset(sys.argv[1], data_dir='data', cache_dir=sys.argv[2]);"
        "sys.stdout.write(' '.join(f'{k}={v.num_rows}' for k, v in sorted(d.items())))"
    )
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(plain), str(tmp_path)], env=offline, capture_output=True, text=True, check=True
    )
    counts = Manifest.read(plain).tally.by["split"]
    assert done.stdout == f"test={counts['test']} train={counts['train']}"


# ---- the same, whatever happens -------------------------------------------------------------------------------------
@pytest.mark.parametrize("workers", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_the_number_of_processes_changes_nothing(plain: Path, tmp_path: Path, workers: int) -> None:
    folder = tmp_path / "set"
    build([SOURCE, OTHER], folder, seed=SEED, workers=workers, shard_size=40, composer=shares, kinds=("caption",))
    assert everything(folder) == everything(plain)


def test_another_seed_gives_other_records(plain: Path, tmp_path: Path) -> None:
    build([SOURCE], tmp_path / "set", seed=SEED + 1, workers=1, composer=shares, kinds=("caption",), images=False)
    mine, theirs = ({r.key: r.question for r in read_dataset(f)} for f in (tmp_path / "set", plain))
    assert any(mine[k] != theirs[k] for k in mine)
    assert not (tmp_path / "set" / "images").exists()


KILLED = """
import sys
sys.path[:0] = [sys.argv[2]]
from test_cot_build import SEED, SOURCE, OTHER, shares_slowly
from terrascope_nb.cot.build import build
if __name__ == "__main__":
    build([SOURCE, OTHER], sys.argv[1], seed=SEED, workers=int(sys.argv[3]), shard_size=40, composer=shares_slowly,
          kinds=("caption",), slow=0.03)
"""


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_kill_in_the_middle_loses_nothing_and_doubles_nothing(tmp_path: Path, workers: int) -> None:
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    folder, whole = tmp_path / "set", tmp_path / "whole"
    journal = folder / "progress.jsonl"
    for groups in (1, 3) if workers == 1 else (2,):
        run = subprocess.Popen([sys.executable, str(script), str(folder), str(Path(__file__).parent), str(workers)])
        for _ in range(1500):
            if journal.exists() and journal.read_bytes().count(b"\n") > groups or run.poll() is not None:
                break
            time.sleep(0.02)
        assert run.poll() is None, "it ended before it was killed"
        others = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert psutil.wait_procs(others, timeout=60)[1] == []  # no process outlives it
        assert not (folder / "manifest.json").exists()
        with journal.open("a") as out:  # a line that a kill broke off
            out.write('{"number": 9')
        (folder / "data" / ".draft-train-00099.parquet").write_text("half")
        (folder / "data" / "train-00098.parquet").write_text("a shard that the journal does not name")
    again = {"seed": SEED, "shard_size": 40, "composer": shares_slowly, "kinds": ("caption",), "slow": 0.03}
    finished = build([SOURCE, OTHER], folder, workers=3 - workers, **again)
    build([SOURCE, OTHER], whole, workers=1, **again)
    assert everything(folder) == everything(whole)
    records = list(read_dataset(folder))
    assert len(records) == len({r.id for r in records}) == finished.records
    stamp = (folder / "manifest.json").stat().st_mtime_ns
    assert build([SOURCE, OTHER], folder, **again).to_json() == finished.to_json()  # nothing is left to do
    assert (folder / "manifest.json").stat().st_mtime_ns == stamp


def test_a_stop_at_any_file_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, moved, replace_file = ("synthetic", {"n": 6, "size": 32, "sar": False}), [0, 0], Path.replace

    def stops(self: Path, target: Path) -> Path:
        moved[0] += 1
        if moved[0] == moved[1]:
            raise KeyboardInterrupt
        return replace_file(self, target)

    monkeypatch.setattr(Path, "replace", stops)
    again = {"seed": SEED, "workers": 1, "composer": shares, "kinds": ("caption",), "shard_size": 8}
    build(source, tmp_path / "whole", **again)
    files = moved[0]
    assert files > 10
    for k in range(1, files + 1):
        moved[:] = 0, k
        with pytest.raises(KeyboardInterrupt):
            build(source, tmp_path / "set", **again)
        moved[1] = 0
        build(source, tmp_path / "set", **again)
        assert everything(tmp_path / "set") == everything(tmp_path / "whole"), f"stopped at file {k}"
        shutil.rmtree(tmp_path / "set")


def test_n_stops_at_the_record(tmp_path: Path, plain: Path) -> None:
    made = build([SOURCE, OTHER], tmp_path, 93, SEED, 1, shard_size=40, composer=shares, kinds=("caption",))
    records = list(read_dataset(tmp_path))
    assert made.records == 93 == len(records)
    assert {r.id for r in records} < {r.id for r in read_dataset(plain)}
    there = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.png")}
    assert {i.path for r in records for i in r.images} == there


# ---- what is not written --------------------------------------------------------------------------------------------
def test_records_that_are_not_valid_are_counted_by_reason(tmp_path: Path) -> None:
    made = build([SOURCE], tmp_path, workers=1, composer=shares, kinds=("caption",), images=False, lie=0.3)
    tally = made.tally
    assert tally.turned_down > 20 and set(tally.rejected) == {"claim-disagrees"}
    assert tally.rejected["claim-disagrees"] == tally.turned_down
    assert len(tally.examples["claim-disagrees"]) == 3 and "synthetic" in tally.examples["claim-disagrees"][0]
    fine = build([SOURCE], tmp_path / "fine", workers=1, composer=shares, kinds=("caption",), images=False)
    assert fine.records == made.records + tally.turned_down


@pytest.mark.parametrize("workers", [1, 2])
def test_images_that_cannot_be_read_or_come_twice_are_named(tmp_path: Path, workers: int) -> None:
    made = build([Broken(), SOURCE], tmp_path, workers=workers, composer=shares, kinds=("caption",), images=False)
    assert made.tally.errors == {"broken: image 1": "ReadFailed: b.tif: cut off"}
    assert made.images == 34 and made.tally.unreadable == 1
    assert set(made.tally.rejected) == {"key-twice"}
    assert "more than one image 'a'" in made.tally.examples["key-twice"][0]


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_source_that_cannot_go_on_stops_the_build(tmp_path: Path, workers: int) -> None:
    with pytest.raises(ReadFailed, match="b.tif: cut off"):
        build([Broken(divided=False)], tmp_path, workers=workers, composer=shares, kinds=("caption",))


def nothing(labelled: Labelled, rng: np.random.Generator, **more: Any) -> list[Record]:
    return []


def dies(labelled: Labelled, rng: np.random.Generator, **more: Any) -> list[Record]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def test_a_process_that_dies_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadFailed, match=r"process 0 of 2 ended with exit code -9.*goes on from the last shard"):
        build([SOURCE], tmp_path, workers=2, composer=dies)


def test_classes_left_out_of_a_legend_are_named(tmp_path: Path) -> None:
    item = labelled("a")
    number = next(k for k, v in item.legend.items() if v == "cropland")
    legend = {k: v for k, v in item.legend.items() if k != number}
    pixels = int((item.maps[0] == number).sum())
    item = replace(item, legend=legend, unmapped={number: pixels})
    made = build(item, tmp_path, workers=1, composer=shares, kinds=("caption",))
    assert made.tally.unmapped == {"made": {str(number): pixels}}
    assert f"class {number} ({pixels} pixels)" in str(made)


def refuses(labelled: Labelled, rng: np.random.Generator, **more: Any) -> list[Record]:
    raise InvalidInput("no class is there")


def test_an_image_that_the_composer_refuses_is_named(tmp_path: Path) -> None:
    made = build(labelled("a"), tmp_path, workers=1, composer=refuses)
    assert made.records == 0 and made.tally.errors == {"made: a": "InvalidInput: no class is there"}
    assert list(read_dataset(tmp_path)) == []


# ---- folders --------------------------------------------------------------------------------------------------------
def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(AlreadyThere, match="not empty"):
        build(labelled("a"), tmp_path, composer=shares, workers=1, overwrite=True)
    with pytest.raises(AlreadyThere, match="is a file"):
        build(labelled("a"), tmp_path / "mine.txt", composer=shares, workers=1)


def test_another_recipe_needs_another_folder_or_overwrite(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    build(labelled("a"), folder, composer=shares, workers=1)
    with pytest.raises(AlreadyThere, match="another recipe"):
        build(labelled("a"), folder, seed=1, composer=shares, workers=1)
    build(labelled("b"), folder, seed=1, composer=shares, workers=1, overwrite=True)
    assert {r.key for r in read_dataset(folder)} == {"b"}
    manifest = (folder / "manifest.json").read_text()
    (folder / "manifest.json").unlink()
    (folder / "progress.jsonl").write_text(json.dumps(json.loads(manifest)["recipe"] | {"seed": 5}) + "\n")
    with pytest.raises(InvalidInput, match="unfinished build of another recipe.*seed: 5 there, 1 now"):
        build(labelled("b"), folder, seed=1, composer=shares, workers=1)


def test_a_shard_that_changed_stops_a_build_that_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    with pytest.raises(ReadFailed, match="cut off"):
        build([SOURCE, Broken(divided=False)], folder, composer=shares, workers=1, shard_size=3, kinds=("l1",))
    assert len((folder / "progress.jsonl").read_text().splitlines()) == 2
    shard = next((folder / "data").glob("*.parquet"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(ReadFailed, match="changed since it was written"):
        build([SOURCE, Broken(divided=False)], folder, composer=shares, workers=1, shard_size=3, kinds=("l1",))


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"n": 0}, "n and shard_size"),
        ({"workers": 0}, "workers is a number"),
        ({"kinds": ("captoin",)}, "caption"),
        ({"kinds": ()}, "kinds is empty"),
        ({"test_share": 2}, "test_share"),
        ({"sources": []}, "no source"),
        ({"sources": [("synthetic", {"n": 3, "on_bad": "skip", "part": [0, 2]})]}, "leave out on_bad and part"),
        ({"sources": 3}, "got int"),
        ({"sources": ("synthetic", {"n": 3, "syze": 3})}, "size"),
    ],
)
def test_arguments_that_make_no_sense_are_named(tmp_path: Path, named: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        build(**({"sources": labelled("a"), "out": tmp_path / "x", "composer": shares} | named))
    assert not (tmp_path / "x").exists()


def test_a_folder_without_manifest_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no manifest.json"):
        Manifest.read(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(InvalidInput, match="is no manifest"):
        Manifest.read(tmp_path)
    (tmp_path / "manifest.json").write_text('{"schema": 99}')
    with pytest.raises(InvalidInput, match="pip install --upgrade"):
        Manifest.read(tmp_path)


# ---- without writing ------------------------------------------------------------------------------------------------
def test_a_dry_run_counts_what_a_build_begins_with(plain: Path) -> None:
    tried = try_out([SOURCE, OTHER], seed=SEED, composer=shares, kinds=("caption",), tried=10)
    assert tried.images == 10 and tried.records > 30 and tried.shards == ()
    assert try_out([SOURCE], n=8, composer=shares, kinds=("caption",)).records == 8


# ---- units ----------------------------------------------------------------------------------------------------------
def test_the_seed_of_an_image_depends_on_nothing_else() -> None:
    item = labelled("a")
    one, two = (make_unit(item, shares, Recipe(3, ("caption",))) for _ in range(2))
    assert one == two and one.rows and len(one.pictures) == 1
    assert make_unit(replace(item, key="b"), shares, Recipe(3, ("caption",))).rows != one.rows


def test_sources_are_opened_in_parts() -> None:
    items = [labelled(k) for k in "abcde"]
    images, divided = Given(tuple(items)).open((1, 2))
    assert divided and [x.key for x in images] == ["b", "d"]
    images, divided = Named("synthetic", {"n": 5, "size": 32}).open((1, 2))
    assert divided and [x.key[-1] for x in images] == ["1", "3"]


def test_windows_of_a_file_are_divided_among_processes(shared_data: Callable[[str], Path]) -> None:
    source = Named("north-carolina", {"folder": str(shared_data("nc-landsat7-landclass"))})
    assert source.open((0, 2))[1] is False
    whole = [(j, u.key) for j, _, u in _turns([source], nothing, Recipe(), (0, 1), 3) if u]
    parts = [(j, u.key) for k in range(2) for j, _, u in _turns([source], nothing, Recipe(), (k, 2), 3) if u]
    assert sorted(parts) == whole and len({key for _, key in whole}) == len(whole) > 3
    assert Named("slovenia", {"folder": str(shared_data("eolearn-slovenia-ts"))}).open((0, 2))[1] is True
