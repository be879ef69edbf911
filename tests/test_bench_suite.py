"""Suites of others: the public Parquet, Landsat30-AU's CSV, DisasterM3's JSON; rows, cards, selection, export."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from servers.hub import Hub, Repository

pa = pytest.importorskip("pyarrow")
import pyarrow.parquet as pq  # noqa: E402
from PIL import Image as Picture  # noqa: E402

from terrascope_nb.bench import options, pictures, published  # noqa: E402
from terrascope_nb.bench.cards import Card  # noqa: E402
from terrascope_nb.bench.suite import Row, Suite, open_suite  # noqa: E402
from terrascope_nb.bench.task import PAPER, PAPER_ROWS, TASKS, task_of  # noqa: E402
from terrascope_nb.errors import AlreadyThere, InvalidInput, NotFound, ReadFailed  # noqa: E402
from terrascope_nb.reason.answers import Choices, read_letter  # noqa: E402

FOUR = json.dumps({"A": "10 %", "B": "20 %", "C": "30 %", "D": "40 %"})
TWO = json.dumps({"A": "Yes", "B": "No"})


def png(seed: int, shape: tuple[int, ...] = (12, 16, 3)) -> bytes:
    out = io.BytesIO()
    Picture.fromarray(np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def rows(n: int = 10) -> list[dict[str, Any]]:
    """Public rows: two questions a picture, the known word, an unknown one, and one of our keys."""
    words = ("boundary_detection", "area_calc", "coverage_percentage")
    return [
        {
            "image": {"bytes": png(k // 2), "path": f"{k // 2}.png"},
            "question": f"Question {k} about water? The resolution is 10 m.",
            "candidates": TWO if k % 3 == 0 else FOUR, "answer": "AB"[k % 2], "task_type": words[k % 3],
        }
        for k in range(n)
    ]  # fmt: skip


# ---- tasks ----------------------------------------------------------------------------------------------------------
def test_the_six_tasks_and_the_paper() -> None:
    assert PAPER_ROWS == 3837 and len(TASKS) == 6
    assert [t.short for t in TASKS.values()] == ["CA", "AQ", "CR", "BRD", "DM", "BCE"]
    assert [t.options for t in TASKS.values()] == [4, 4, 2, 2, 4, 4]
    for row in PAPER:  # the printed average is the mean of the printed tasks
        assert abs(np.mean(list(row.accuracy.values())) - row.average) < 0.06, row.model
    assert task_of("boundary_detection") == "boundary_relationship"
    assert task_of("distance") is None
    from terrascope_nb.reason.measure import benchmark_rules

    assert all(callable(getattr(benchmark_rules, key)) for key in TASKS)


# ---- the public Parquet ---------------------------------------------------------------------------------------------
def test_published_reads_counts_and_says_what_it_does_not_know(tmp_path: Path) -> None:
    path = published.write_published(rows(), tmp_path / "bench.parquet", row_group=4)
    suite = open_suite(path)
    assert len(suite) == 10 and suite.letter_rule == "terrascope-bench"
    assert suite.card.tasks == {"coverage_percentage": 3, "boundary_relationship": 4, "area_calc": 3}
    assert suite.card.images == 5  # by the pictures' bytes
    assert "'area_calc' (3)" in suite.card.notes[-1] and "boundary relationship 4 of 855" in suite.card.notes[0]
    row = suite.rows[3]
    assert row.choices.items() == (("A", "Yes"), ("B", "No")) and row.answer == "B" and row.resolution == 10
    assert suite.labelled(row) is None and suite.why_no_truth and row.masks == () and row.why_no_masks
    scene = row.scene()
    assert scene.images[0].units == "rgb8" and scene.grid.crs is None
    with Picture.open(io.BytesIO(png(1))) as true:
        assert np.array_equal(scene.images[0].view.pixels, np.array(true))
    named = open_suite(path, task_words={"area_calc": "absolute_area"})
    assert named.card.tasks["absolute_area"] == 3 and len(named.card.notes) == 1
    assert named.digest != suite.digest
    with pytest.raises(InvalidInput, match="absolute_area"):
        open_suite(path, task_words={"area_calc": "area"})


def test_published_round_trip_keeps_schema_and_bytes(tmp_path: Path) -> None:
    """What `datasets` writes comes back with the same schema, metadata included, and the same content."""
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"image": datasets.Image(), **{c: datasets.Value("string") for c in published.COLUMNS[1:]}}
    )
    theirs = tmp_path / "theirs.parquet"
    datasets.Dataset.from_list(rows(), features=features).to_parquet(str(theirs))
    form = pq.ParquetFile(theirs).schema_arrow
    assert form.equals(published.schema(), check_metadata=True), (form, published.schema())
    table = pq.read_table(theirs)
    ours = published.write_published(table.to_pylist(), tmp_path / "ours.parquet", like=form)
    again = pq.read_table(ours)
    assert again.schema.equals(table.schema, check_metadata=True) and again.equals(table)
    assert [r["image"]["bytes"] for r in again.to_pylist()] == [r["image"]["bytes"] for r in rows()]
    loaded = datasets.Dataset.from_parquet(str(ours), cache_dir=str(tmp_path / "cache"))
    assert loaded[0]["image"].size == (16, 12)
    with pytest.raises(AlreadyThere):
        published.write_published([], ours)


def test_published_reads_row_groups_lazily(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = published.write_published(rows(), tmp_path / "b.parquet", row_group=4)
    read: list[tuple[int, tuple[str, ...]]] = []
    original = pq.ParquetFile.read_row_group

    def spy(self: Any, i: int, columns: Any = None, **more: Any) -> Any:
        read.append((i, tuple(columns)))
        return original(self, i, columns=columns, **more)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", spy)
    suite = open_suite(path, by="path")
    assert all("image" not in columns for _, columns in read)  # opening touches no picture
    assert [r.image for r in suite.rows[:3]] == ["0.png", "0.png", "1.png"]
    read.clear()
    for row in suite.rows[:4]:
        row.scene()
    suite.rows[9].scene()
    assert read == [(0, ("image",)), (2, ("image",))]


@pytest.mark.parametrize("bad", [None, b"", b"no picture", png(3)[:60]])
def test_a_bad_picture_costs_its_row_and_is_named(tmp_path: Path, bad: bytes | None) -> None:
    some = rows()
    some[2]["image"] = {"bytes": bad, "path": None} if bad is not None else None
    suite = open_suite(published.write_published(some, tmp_path / "b.parquet"))
    assert len(suite) == 10
    with pytest.raises(ReadFailed, match=r"row 2 of b\.parquet"):
        suite.rows[2].scene()
    assert suite.rows[3].scene().images[0].units == "rgb8"


def test_rows_that_cannot_be_asked_are_counted(tmp_path: Path) -> None:
    some = rows(6)
    some[0]["candidates"] = "{broken"
    some[1]["answer"] = "E"
    some[2]["question"] = None
    some[3]["answer"] = " b "
    suite = open_suite(published.write_published(some, tmp_path / "b.parquet"))
    assert [r.id for r in suite] == ["b_00003", "b_00004", "b_00005"] and suite.rows[0].answer == "B"
    assert suite.card.missing == {
        "candidates that cannot be read": 1, "an answer that is none of the candidates": 1, "no question": 1,
    }  # fmt: skip


def test_a_folder_of_several_files(tmp_path: Path) -> None:
    for k, some in enumerate((rows(4), rows(6))):
        published.write_published(some, tmp_path / "data" / f"test-{k:05d}-of-00002.parquet")
    suite = open_suite(tmp_path)
    assert len(suite) == 10 and suite.rows[4].id == "data/test-00001-of-00002_00000"
    assert suite.card.images == 3  # the same pictures in both files
    assert set(suite.card.files) == {f"data/test-{k:05d}-of-00002.parquet" for k in (0, 1)}
    assert suite.rows[9].scene().grid.shape == (12, 16)


def test_what_is_no_suite_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "a.txt").write_text("x")
    for what, error, words in (
        ("empty", NotFound, "neither suite.json"), ("other.parquet", InvalidInput, "no column image"),
        ("broken.parquet", ReadFailed, r"broken\.parquet"), ("a.txt", InvalidInput, "public layout"),
        ("absent.parquet", NotFound, "no name on the hub"),
    ):  # fmt: skip
        with pytest.raises(error, match=words):
            open_suite(tmp_path / what)
    with pytest.raises(InvalidInput, match="revision"):
        open_suite(tmp_path / "other.parquet", revision="main")


class DataHub(Hub):
    """The hub, for data sets: their addresses begin with ``datasets/``."""

    def _answer(self, to: Any) -> None:
        to.path = to.path.replace("/api/datasets/", "/api/models/", 1)
        to.path = to.path.removeprefix("/datasets") if to.path.startswith("/datasets/") else to.path
        super()._answer(to)


CHILD = """
import json, sys
from terrascope_nb.bench.suite import open_suite
from terrascope_nb.errors import TerrascopeError
out = []
for name, revision in json.loads(sys.argv[1]):
    try:
        suite = open_suite(name, revision=revision)
        out.append([len(suite), suite.card.origin, suite.card.licence, sorted(suite.card.files),
                    suite.rows[0].scene().grid.shape[0]])
    except TerrascopeError as e:
        out.append([type(e).__name__, str(e)])
print(json.dumps(out))
"""


def test_the_hub_by_name_with_its_commit_and_offline(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    folder = tmp_path / "repo"
    published.write_published(rows(6), folder / "data" / "test-00000-of-00001.parquet")
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# Bench\n", "utf-8")
    (folder / "code.py").write_text("raise SystemExit", "utf-8")
    repository = Repository()
    commit = repository.add(folder, "main", "v1")

    def ask(asked: list[tuple[str, str | None]], endpoint: str, **more: str) -> list[Any]:
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        env = keep | {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "home"), "NO_PROXY": "127.0.0.1"} | more
        command = [sys.executable, "-c", CHILD, json.dumps(asked)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout.splitlines()[-1])

    with DataHub({"lab/bench": repository}) as hub:
        by_name, by_tag, unknown, absent = ask(
            [("lab/bench", None), ("lab/bench", "v1"), ("lab/bench", "v9"), ("lab/none", None)], hub.url
        )
        assert not any("code.py" in a for a in hub.asked)
        url = hub.url
    assert by_name == [6, f"lab/bench@{commit}", "cc-by-nc-4.0", ["data/test-00000-of-00001.parquet"], 12]
    assert by_tag[1] == by_name[1]
    assert unknown[0] == absent[0] == "NotFound" and "v9" in unknown[1] and "lab/none" in absent[1]
    assert ask([("lab/bench", None)], url, HF_HUB_OFFLINE="1") == [by_name]  # the hub is gone, the cache is not


# ---- Landsat30-AU ---------------------------------------------------------------------------------------------------
LANDSAT = """image_path,question,question_type,options,answer,challenge_case,capture_time,geohash,qa_id
a/1.png,What is the dominant cover?,Dominant cover (DLC),"['Urban', 'Water', 'Forest']",Forest,normal,2024-08-02,qd5,v1
a\\2.png,"How many rivers, at most?",Numerosity (NUM),"['None', 'Two', ""It's one""]",None,normal,25/08/2000,r1m,v2
a/3.png,Can it be used?,Cloud (COA),"['Fully: clear', 'Not: cloudy']",Not: cloudy,normal,1/10/2015,,v3
a/1.png,Describe it.,Caption,[],A field,normal,,qd5,v4
a/1.png,Which?,MOP,"['Dune', 'River']",Skyscraper,normal,,qd5,v5
a/1.png,Which?,MOP,something,Skyscraper,normal,,qd5,v6
"""


def test_landsat30(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for k in (1, 2):
        (tmp_path / "a" / f"{k}.png").write_bytes(png(k))
    (tmp_path / "vqa.csv").write_text(LANDSAT, "utf-8")
    suite = open_suite(tmp_path / "vqa.csv")
    assert [(r.id, r.answer, r.place) for r in suite] == [("v1", "C", "qd5"), ("v2", "A", "r1m"), ("v3", "B", "")]
    assert suite.rows[1].choices.texts == ("None", "Two", "It's one")
    assert suite.rows[0].task == "Dominant cover (DLC)" and suite.letter_rule == "landsat30-au"
    assert sum(suite.card.missing.values()) == 3 and "Line 7" in suite.card.notes[0]
    assert [str(suite.rows[k].scene().images[0].time)[:10] for k in (0, 1)] == ["2024-08-02", "2000-08-25"]
    with pytest.raises(ReadFailed, match=r"a/3\.png"):
        suite.rows[2].scene()
    for row in suite:  # the published rule finds each right answer by the option's own text
        assert read_letter(row.choices.text(row.answer), row.choices, suite.letter_rule) == row.answer
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InvalidInput, match="no column qa_id"):
        open_suite(tmp_path / "other.csv")


# ---- DisasterM3 -----------------------------------------------------------------------------------------------------
def test_disasterm3(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name in ("pre", "post"):
        (images / f"{name}.png").write_bytes(png(len(name)))
    (images / "sar.png").write_bytes(png(9, (12, 16)))
    base = {
        "pre_image_path": "pre.png", "post_image_path": "post.png", "post_image_type": "Optical",
        "task": "disaster_type",
        "prompts": "What disaster was it?", "options_str": "A. Flood\nB. Fire\nC. None of these",
        "ground_truth_option": "B",
    }  # fmt: skip
    told = [
        base,
        base | {"post_image_path": "sar.png", "post_image_type": "SAR", "ground_truth_option": "C. None of these"},
        base | {"ground_truth_option": "A, C"}, base | {"options_str": ""}, base | {"ground_truth_option": "Z"},
        base | {"post_image_path": "gone.png", "options_str": "A. Flood, B. Fire, C. Storm"},
    ]  # fmt: skip
    path = tmp_path / "disaster_type.json"
    path.write_text(json.dumps(told), "utf-8")
    suite = open_suite(path)
    assert [(r.id, r.answer) for r in suite] == [
        ("disaster_type_0", "B"),
        ("disaster_type_1", "C"),
        ("disaster_type_5", "B"),
    ]
    assert suite.letter_rule == "disasterm3" and suite.card.tasks == {"disaster_type": 3}
    assert suite.card.missing == {
        "several right letters": 1, "open questions, without options": 1, "an answer that is no option": 1,
    }  # fmt: skip
    assert suite.rows[2].choices.texts == ("Flood", "Fire", "Storm")
    two = suite.rows[0].scene()
    assert [i.sources[0] for i in two.images] == ["pre.png", "post.png"] and len(two.moments()) == 2
    with Picture.open(io.BytesIO(png(4))) as after:
        assert np.array_equal(two.images[1].view.pixels, np.array(after))
    mixed = suite.rows[1].scene()
    assert mixed.modalities == ("optical", "sar")
    with Picture.open(io.BytesIO(png(9, (12, 16)))) as grey:  # the SAR image shows as just the picture it came from
        assert np.array_equal(mixed.images[1].view.pixels[..., 0], np.array(grey))
    with pytest.raises(ReadFailed, match=r"gone\.png"):
        suite.rows[2].scene()
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "one.png").write_bytes(png(5))
    single = {
        "image_path": "train\\one.png",
        "prompts": "Where?",
        "option_str": "A. Left B. Right",
        "ground_truth_option": "A",
    }
    path.write_text(json.dumps([single]))
    lone = open_suite(path).rows[0]
    assert (lone.image, lone.task, lone.choices.texts) == ("train\\one.png", "disaster_type", ("Left", "Right"))
    assert len(lone.scene().images) == 1
    path.write_text(json.dumps([{"prompts": "x"}]))
    with pytest.raises(InvalidInput, match="record 0 lacks pre_image_path"):
        open_suite(path)


# ---- rows, cards, selection -----------------------------------------------------------------------------------------
def row(k: int, task: str = "absolute_area", **more: Any) -> Row:
    def scene() -> Any:
        raise AssertionError("no scene is to be read")

    return Row(f"r{k}", f"i{k // 3}", task, f"Q{k}?", Choices.of(["1", "2"]), "AB"[k % 2], scene, **more)


def suite_of(*some: Row) -> Suite:
    return Suite("mine", some, Card.of("mine", some))


def test_select_draws_evenly_and_the_same_again() -> None:
    some = [
        row(k, "absolute_area" if k < 20 else "coverage_percentage", band="easy" if k % 2 else "hard")
        for k in range(30)
    ]
    suite = suite_of(*some)
    drawn = suite.select(n=12, seed=3)
    assert drawn.card.tasks == {"coverage_percentage": 6, "absolute_area": 6}
    assert [r.id for r in drawn] == [r.id for r in suite.select(n=12, seed=3)] != [r.id for r in suite.select(n=12)]
    order = [r.id for r in suite]
    assert [order.index(r.id) for r in drawn] == sorted(order.index(r.id) for r in drawn)
    assert len(suite.select(tasks="absolute_area", bands=["hard"])) == 10
    assert len(suite.select(n=99)) == 30 and "12 of 30" in drawn.card.notes[-1]
    with pytest.raises(NotFound, match="did you mean 'absolute_area'"):
        suite.select(tasks="absolute_aera")
    with pytest.raises(InvalidInput, match="at least 1"):
        suite.select(n=0)


def test_rows_and_suites_refuse_contradictions() -> None:
    with pytest.raises(InvalidInput, match="none of the options"):
        Row("a", "i", "t", "Q?", Choices.of(["1", "2"]), "C", lambda: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(InvalidInput, match="difficulty band"):
        row(1, band="hrad")
    with pytest.raises(InvalidInput, match="two rows"):
        suite_of(row(1), row(1))
    with pytest.raises(NotFound, match="no row 'x'"):
        suite_of(row(1)).row("x")


def test_a_card_shows_itself_and_comes_back(tmp_path: Path) -> None:
    some = [row(k, licence=f"L{k % 2}") for k in range(4)]
    card = Card.of("<b>mine</b>", some, missing={"no pair": 2}, citation=("C",), notes=("N.",), made_with={"seed": 1})
    assert card.rows == 4 and card.images == 2 and card.licence == "differs by record: L0, L1"
    assert Card.from_json(json.loads(json.dumps(card.to_json()))) == card
    text, page = str(card), str(card.html())
    assert "absolute area 4 (paper 855)" in text and "no pair (2)" in text
    assert "<b>mine" not in page and "&lt;b&gt;mine" in page
    with pytest.raises(InvalidInput, match="unknown wrong"):
        Card.from_json({"name": "x", "wrong": 1})
    bundle = suite_of(*some)._repr_mimebundle_()
    assert "Q0?" in bundle["text/html"] and "4 questions on 2 images" in bundle["text/plain"]


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ('["x", "y"]', ("x", "y")), ({"A": "x", "B": "y"}, ("x", "y")), ("(A) x (B) y", ("x", "y")),
        ("A: x\nB: y", ("x", "y")), (["A. x", "B. y"], ("x", "y")), ("('x', 'y')", ("x", "y")),
        ("", None), ("[]", None),
    ],
)  # fmt: skip
def test_options_as_files_write_them(given: Any, texts: Any) -> None:
    found = options.read_options(given)
    assert (None if found is None else found.texts) == texts


@pytest.mark.parametrize("given", ["what is this", "[1, 2", 7, '["only one"]', "__import__('os').getcwd()"])
def test_options_that_are_none_are_refused(given: Any) -> None:
    with pytest.raises(InvalidInput):
        options.read_options(given)


def test_pictures_of_other_kinds() -> None:
    grey, deep = io.BytesIO(), io.BytesIO()
    Picture.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(grey, "PNG")
    Picture.fromarray(np.arange(12, dtype=np.uint16).reshape(3, 4)).save(deep, "PNG")
    pixels = pictures.read_picture(grey.getvalue(), "x")
    assert pixels.shape == (3, 4, 3) and (pixels[..., 0] == pixels[..., 2]).all()
    with pytest.raises(ReadFailed, match="8 bits"):
        pictures.read_picture(deep.getvalue(), "x")
    assert np.array_equal(pictures.read_picture(pictures.png(pixels), "x"), pixels)
