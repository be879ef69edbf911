"""Running a suite: results on the disk row by row, resuming, faults that cost one row, baselines, masks, the CLI."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from servers.chat import ChatServer, Says
from small_suite import place, small_suite

from terrascope_nb.bench.baselines import ChanceReasoner, FrequentReasoner, TruthReasoner, open_for, task_letters
from terrascope_nb.bench.cards import Card
from terrascope_nb.bench.commands import add_to, pairs
from terrascope_nb.bench.grounding import ground, iou
from terrascope_nb.bench.journal import Journal
from terrascope_nb.bench.metrics import summarise
from terrascope_nb.bench.results import HEADER, ROWS, Result, Results
from terrascope_nb.bench.run import run
from terrascope_nb.bench.scoring import letters
from terrascope_nb.bench.suite import Row, Suite
from terrascope_nb.bench.task import TASKS
from terrascope_nb.cot.record import MaskRef
from terrascope_nb.errors import InvalidInput, NotFound, ReadFailed
from terrascope_nb.reason.answers import Choices
from terrascope_nb.reason.events import Answer, Mask, Text
from terrascope_nb.reason.reasoner import Reasoner
from terrascope_nb.reason.trace import Trace


class Told:
    """A reasoner that does what it is told for each question."""

    name = "told"

    def __init__(self, do, **options):
        self._do, self.options, self.asked = do, options, []

    def stream(self, scene, question, choices=None):
        self.asked.append(question)
        yield from self._do(len(self.asked), scene, question, choices)


def always_a(n, scene, question, choices):
    yield Answer("A", "A")


# ---- rows and resuming -----------------------------------------------------------------------------------------------
def test_a_run_loads_back_as_it_was(tmp_path):
    suite = small_suite(2)
    made = run(suite, "reference", tmp_path, seed=5)
    again = Results.load(tmp_path)
    assert [r.to_json() for r in again] == [r.to_json() for r in made]
    assert [r.row for r in again] == [r.id for r in suite.rows]
    header = json.loads((tmp_path / HEADER).read_text())
    assert header["seed"] == 5
    assert header["suite"] == {"name": "small", "digest": suite.digest, "rows": 6, "letter_rule": "strict"}
    assert header["versions"]["numpy"] == np.__version__
    assert header["machine"]["cores"] >= 1
    assert all(r.error == "" and r.iou == 1 and r.correct["strict"] for r in again)
    assert again.row("place-01/1").labels == ("water", "tree cover")
    with pytest.raises(NotFound, match="no row 'x'"):
        again.row("x")


def test_a_second_start_asks_only_what_is_missing(tmp_path):
    suite = small_suite(3)
    first = Told(always_a)
    assert len(run(suite, first, tmp_path, limit=4)) == 4
    assert not Results.load(tmp_path).complete
    second = Told(always_a)
    done = run(suite, second, tmp_path)
    assert len(second.asked) == 5
    assert [r.row for r in done] == [r.id for r in suite.rows]
    assert len(Results.load(tmp_path).header["resumed"]) == 1
    third = Told(always_a)
    run(suite, third, tmp_path)
    assert third.asked == []


def test_a_torn_last_line_is_dropped_and_its_row_is_asked_again(tmp_path):
    suite = small_suite(2)
    run(suite, Told(always_a), tmp_path)
    whole = (tmp_path / ROWS).read_bytes()
    (tmp_path / ROWS).write_bytes(whole[:-9])
    assert len(Results.load(tmp_path)) == 5
    asked = Told(always_a)
    done = run(suite, asked, tmp_path)
    assert len(asked.asked) == 1
    assert sorted(r.row for r in done) == sorted(r.id for r in suite.rows)


def test_every_cut_of_the_file_resumes_to_the_same_rows(tmp_path):
    suite = small_suite(1)
    run(suite, Told(always_a), tmp_path / "a")
    whole = (tmp_path / "a" / ROWS).read_bytes()
    lines = whole.count(b"\n")
    header = Results.load(tmp_path / "a").header
    for cut in range(0, len(whole), 97):
        (tmp_path / "a" / ROWS).write_bytes(whole[:cut])
        with Journal(tmp_path / "a", header) as journal:
            assert len(journal.done) == whole[:cut].count(b"\n")
        assert (tmp_path / "a" / ROWS).read_bytes() == whole[: whole[:cut].rfind(b"\n") + 1]
    assert lines == 3


def test_a_broken_line_in_the_middle_is_an_error_that_names_it(tmp_path):
    suite = small_suite(1)
    run(suite, Told(always_a), tmp_path)
    lines = (tmp_path / ROWS).read_text().split("\n")
    (tmp_path / ROWS).write_text("\n".join([lines[0], lines[1][:50], lines[2], ""]))
    with pytest.raises(InvalidInput, match="line 2"):
        run(suite, Told(always_a), tmp_path)
    (tmp_path / ROWS).write_text("\n".join([lines[0], lines[0], ""]))
    with pytest.raises(InvalidInput, match="line 2: row 'place-00/0' stands there twice"):
        Results.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "seed was 0 and is now 1"),
        ({"blank": "sar"}, "blank was None and is now 'sar'"),
        ({"reasoner": Told(always_a, x=1)}, "reasoner.options.x was None and is now 1"),
        ({"reasoner": "spectral"}, "reasoner.name was 'told' and is now 'spectral'"),
        ({"suite": small_suite(2)}, "suite.rows was 3 and is now 6"),
    ],
)
def test_another_run_in_the_same_folder_is_refused_and_what_differs_is_said(tmp_path, change, said):
    told = {"suite": small_suite(1), "reasoner": Told(always_a), "out": tmp_path}
    run(**told)
    before = (tmp_path / ROWS).read_bytes()
    with pytest.raises(InvalidInput, match=said):
        run(**{**told, **change})
    assert (tmp_path / ROWS).read_bytes() == before


def test_a_second_writer_is_refused(tmp_path):
    pytest.importorskip("fcntl", reason="files are not locked on Windows")
    header = {"schema": 1}
    with Journal(tmp_path, header), pytest.raises(InvalidInput, match="another process is writing"):
        Journal(tmp_path, header)
    with Journal(tmp_path, header):
        pass  # free again


class Slow:
    """Takes its time, so that it can be killed in the middle."""

    name, options = "slow", {}

    def stream(self, scene, question, choices=None):
        time.sleep(0.02)
        yield Answer("A", "A")


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is of POSIX")
def test_kill_9_in_the_middle_loses_and_doubles_nothing(tmp_path):
    suite = small_suite(12)
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_bench_run import Slow, run, small_suite\n"
        f"run(small_suite(12), Slow(), {str(tmp_path)!r}, progress=False)"
    )
    rows = tmp_path / ROWS
    for least in (5, 14):
        child = subprocess.Popen([sys.executable, "-c", script])
        while child.poll() is None and not (rows.is_file() and rows.read_bytes().count(b"\n") >= least):
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL  # it was still at work
    left = len(Results.load(tmp_path))
    assert 14 <= left < 36
    done = run(suite, Slow(), tmp_path)
    assert [r.row for r in done] == [r.row for r in Results.load(tmp_path)] == [r.id for r in suite.rows]
    assert rows.read_bytes().count(b"\n") == len(suite) and len(done.header["resumed"]) == 2


def test_ctrl_c_stops_cleanly_and_the_run_goes_on(tmp_path):
    def stop(n, scene, question, choices):
        if n == 3:
            raise KeyboardInterrupt
        yield Answer("A", "A")

    suite = small_suite(2)
    with pytest.raises(KeyboardInterrupt) as caught:
        run(suite, Told(stop), tmp_path)
    assert "2 of 6 rows" in "".join(caught.value.__notes__)
    assert len(run(suite, Told(always_a), tmp_path)) == 6


def test_a_scene_is_read_once_for_rows_that_follow_one_another(tmp_path):
    read: list[str] = []
    run(small_suite(3, reads=read.append), Told(always_a), tmp_path)
    assert read == ["place-00", "place-01", "place-02"]


# ---- faults cost one row ---------------------------------------------------------------------------------------------
def test_a_crash_of_the_reasoner_costs_one_row_and_is_named(tmp_path):
    def crash(n, scene, question, choices):
        if n == 2:
            raise ZeroDivisionError("in the middle of it")
        if n == 3:
            yield Mask(np.zeros((3, 3), bool))  # a mask that no [SEG] asked for
        yield Answer("A", "A")

    done = run(small_suite(2), Told(crash), tmp_path)
    assert [r.failed for r in done] == ["", "reasoner", "reasoner", "", "", ""]
    assert done.rows[1].error == "ZeroDivisionError: in the middle of it"
    assert done.rows[2].error.startswith("TraceError: mask 1 came after 0 [SEG]")
    assert done.rows[1].correct == dict.fromkeys(done.rows[0].letters, False)


def test_a_bad_image_costs_its_rows_and_is_named(tmp_path):
    good = small_suite(2)

    def bad():
        raise ReadFailed("place-00.tif: not a TIFF")

    rows = [Row(r.id, r.image, r.task, r.question, r.choices, r.answer, bad if "-00" in r.image else r.scene)
            for r in good.rows]  # fmt: skip
    done = run(Suite("bad", tuple(rows), Card.of("bad", rows)), "spectral", tmp_path)
    assert [r.failed for r in done] == ["image"] * 3 + [""] * 3
    assert done.rows[0].error == "ReadFailed: place-00.tif: not a TIFF"
    assert done.rows[0].correct["strict"] is False and done.rows[0].sensors == ""


def test_blanking_takes_a_sensor_away_and_says_where_there_is_none(tmp_path):
    both = run(small_suite(2), "spectral", tmp_path / "a", blank="optical")
    assert {r.blanked for r in both} == {"optical"} and both.name == "spectral, optical blanked"
    assert all(m.image == 1 for r in both for m in r.masks)  # drawn on the radar image alone
    one = run(small_suite(1, sar=False), "spectral", tmp_path / "b", blank="sar")
    assert {r.failed for r in one} == {"blank"}
    assert "unknown modality of this scene 'sar'" in one.rows[0].error
    with pytest.raises(InvalidInput, match="unknown sensor to blank 'radar'"):
        run(small_suite(1), "spectral", tmp_path / "c", blank="radar")


def test_secrets_do_not_reach_the_record(tmp_path):
    def leak(n, scene, question, choices):
        raise OSError("GET https://host.org/a.tif?sig=abc failed")
        yield

    reasoner = Told(leak, api_key="abc", url="https://me:pw@host.org/x?token=abc")
    run(small_suite(1), reasoner, tmp_path)
    everything = (tmp_path / ROWS).read_text() + (tmp_path / HEADER).read_text()
    assert "abc" not in everything and "pw@" not in everything


def test_hostile_text_comes_back_as_it_went():
    text = 'a\u2028b\x85c\nd"\\</script>'
    r = Result("r", "i", "t", "", "A", text=text, error=text)
    assert Result.from_json(r.to_json()).text == text
    assert "\n" not in r.to_json()
    with pytest.raises(InvalidInput, match="is no result"):
        Result.from_json("{}")


def test_line_breaks_that_are_none_do_not_split_a_line(tmp_path):
    def strange(n, scene, question, choices):
        yield Answer("A\u2028\u0085B", None)

    done = run(small_suite(1), Told(strange), tmp_path)
    assert [r.text for r in Results.load(tmp_path)] == [r.text for r in done] == ["A\u2028\u0085B"] * 3


# ---- letters ---------------------------------------------------------------------------------------------------------
OPTIONS = Choices.of(["12 ha", "24 ha", "Cropland"])


@pytest.mark.parametrize(
    ("answer", "told", "expected"),
    [
        (Answer("B", "B"), {}, ("B", "B", "B", "")),
        (Answer("23.1 ha", "B"), {}, ("B", "B", "B", "B")),  # answers by value: its option, as it would be written
        (Answer("cropland", "B"), {}, ("B", "B", "B", "B")),
        (Answer("Cropland", None), {}, ("", "C", "C", "C")),  # the published rule has no word boundary
        (Answer("Cropland", "C"), {"letter_rule": "terrascope-bench"}, ("", "C", "C", "C")),  # read loosely: not strict
        (Answer("", None, finish="abstained"), {}, ("", "", "", "")),
    ],
)
def test_letters_by_rule(answer, told, expected):
    found = letters(answer, OPTIONS, told)
    got = tuple(found[k] for k in ("strict", "terrascope-bench", "disasterm3", "landsat30-au"))
    if answer.text == "Cropland":  # disasterm3: the C stands in a word, and outside <answer> it must stand alone
        expected = (expected[0], expected[1], "", expected[3])
    assert got == expected


def test_without_options_no_rule_gives_a_letter():
    assert set(letters(Answer("A", "A"), None).values()) == {""}


# ---- baselines -------------------------------------------------------------------------------------------------------
def test_baselines_are_reasoners():
    suite = small_suite(2)
    for name in ("chance", "frequent", "reference", "spectral"):
        assert isinstance(open_for(suite, name), Reasoner)


def test_chance_depends_on_seed_and_row_and_not_on_order(tmp_path):
    suite = small_suite(8)
    whole = [r.choice for r in run(suite, "chance", tmp_path / "a", seed=3)]
    run(suite, "chance", tmp_path / "b", seed=3, limit=7)
    assert [r.choice for r in run(suite, "chance", tmp_path / "b", seed=3)] == whole
    assert [r.choice for r in run(suite, "chance", tmp_path / "c", seed=4)] != whole
    assert all(r.choice in "ABCD"[: r.options] for r in Results.load(tmp_path / "a"))


def test_chance_is_uniform():
    rng = ChanceReasoner(0)
    four = Choices.of(["a", "b", "c", "d"])
    drawn = [rng._drawn(f"row {k}", four) for k in range(4000)]
    counts = np.array([drawn.count(x) for x in "ABCD"])
    assert ((counts - 1000) ** 2 / 1000).sum() < 16.27  # chi squared, 3 degrees, p = 0.001; the seed is fixed


def test_frequent_counts_a_training_suite_or_says_that_it_knows_the_answers(tmp_path):
    suite = small_suite(4)
    itself = run(suite, "frequent", tmp_path / "a")
    assert itself.name == "frequent (from the suite itself)"
    most = task_letters(suite)["coverage_percentage"].most_common(1)[0][0]
    assert {r.choice for r in itself if r.task == "coverage_percentage"} == {most} == {"A"}
    trained = run(suite, "frequent", tmp_path / "b", train=small_suite(2))
    assert trained.header["reasoner"]["options"] == {"from": "small", "rows": 6}
    with pytest.raises(InvalidInput, match="serves 'frequent' alone"):
        run(suite, "spectral", tmp_path / "c", train=suite)


def test_baselines_stream_without_a_row():
    suite = small_suite(1)
    row = suite.rows[1]
    for reasoner in (ChanceReasoner(1), FrequentReasoner(suite), TruthReasoner(suite)):
        last = list(reasoner.stream(row.scene(), row.question, row.choices))[-1]
        assert last.choice in row.choices.letters
    assert last.choice == row.answer
    assert list(ChanceReasoner(1).stream(row.scene(), "How large?"))[-1].finish == "abstained"
    several = small_suite(2)
    with pytest.raises(NotFound, match="of 2 images"):
        list(TruthReasoner(several).stream(row.scene(), row.question, row.choices))


def test_reference_needs_the_truth_of_the_suite():
    rows = small_suite(1).rows
    blind = Suite("blind", rows, Card.of("blind", rows), why_no_truth="the public file has no label maps")
    with pytest.raises(InvalidInput, match="the public file has no label maps"):
        open_for(blind, "reference")


@pytest.mark.parametrize("name", ["spectral", "chance", "reference", "replay"])
def test_an_ablation_is_refused_with_a_reason_where_a_reasoner_has_none(name):
    with pytest.raises(InvalidInput, match=f"reasoner '{name}' has no region_mode: it reads no regions"):
        open_for(small_suite(1), name, region_mode="box")


def test_options_that_are_none_are_refused():
    suite = small_suite(1)
    with pytest.raises(InvalidInput, match="did you mean 'sensor'"):
        open_for(suite, "spectral", sensr="sar")
    with pytest.raises(InvalidInput, match="unknown option of reasoner 'chance': 'sead'; did you mean 'seed'"):
        open_for(suite, "chance", sead=1)
    with pytest.raises(NotFound, match="did you mean 'spectral'"):
        open_for(suite, "spektral")


# ---- masks -----------------------------------------------------------------------------------------------------------
def trace_of(scene, *steps, finish="stop"):
    events = []
    for label, mask, image in steps:
        events += [Text(f"The {label or 'region'} [SEG]. "), Mask(mask, label=label, image=image)]
    return Trace.from_events([*events, Answer("A", "A", finish=finish)], scene, "Is there water?", reasoner="told")


@pytest.fixture
def scene():
    return place(0).scene


def box(scene, rows, cols):
    mask = np.zeros(scene.grid.shape, bool)
    mask[rows, cols] = True
    return mask


def test_iou_by_hand(scene):
    truth = MaskRef.of(box(scene, slice(0, 10), slice(0, 10)), "water")
    half = box(scene, slice(0, 10), slice(0, 5))
    found = ground([truth], trace_of(scene, ("water", half, 0)), scene)
    assert (found.ious, found.matched, found.iou) == ((0.5,), ("label",), 0.5)
    # two masks of one label count together, whatever word named them
    other = box(scene, slice(0, 10), slice(5, 10))
    found = ground([truth], trace_of(scene, ("lake", half, 0), ("water", other, 0)), scene)
    assert found.iou == 1
    # one that was not drawn counts 0, and goes into the mean
    trees = MaskRef.of(other, "tree cover")
    found = ground([truth, trees], trace_of(scene, ("water", truth.mask, 0)), scene)
    assert (found.ious, found.matched, found.iou) == ((1.0, 0.0), ("label", "missing"), 0.5)
    # pixels where the truth is not known count neither way
    where = [box(scene, slice(0, 48), slice(0, 5))] * 2
    assert ground([truth], trace_of(scene, ("water", half, 0)), scene, mapped=where).iou == 1
    assert iou(np.zeros((2, 2), bool), np.zeros((2, 2), bool)) == 1


def test_masks_meet_by_parts_and_by_order(scene):
    a, b = box(scene, slice(0, 9), slice(0, 9)), box(scene, slice(20, 29), slice(0, 9))
    union = MaskRef.of(a | b, "vegetation")
    found = ground([union], trace_of(scene, ("tree cover", a, 0), ("grassland", b, 0), ("water", a, 0)), scene)
    assert (found.iou, found.matched) == (1, ("parts",))
    truth = [MaskRef.of(a, "water"), MaskRef.of(b, "tree cover")]
    found = ground(truth, trace_of(scene, ("", b, 0), ("water", a, 0)), scene)
    assert (found.ious, found.matched) == ((1, 1), ("label", "order"))
    found = ground(truth, trace_of(scene, ("", a, 0), ("", b, 0)), scene)
    assert (found.ious, found.matched) == ((1, 1), ("order", "order"))


def test_a_mask_on_the_radar_image_of_the_same_date_counts(scene):
    a = box(scene, slice(0, 9), slice(0, 9))
    assert [i.modality for i in scene.images] == ["optical", "sar"]
    assert ground([MaskRef.of(a, "water", 0)], trace_of(scene, ("water", a, 1)), scene).iou == 1
    assert ground([MaskRef.of(a, "water", 5)], trace_of(scene, ("water", a, 1)), scene).matched == ("missing",)


def test_a_mask_of_another_size_is_no_match(scene):
    truth = MaskRef.of(np.ones((9, 9), bool), "water")
    found = ground([truth], trace_of(scene, ("water", box(scene, 0, 0), 0)), scene)
    assert (found.ious, found.matched) == ((0.0,), ("other grid",))


def test_why_there_is_no_iou(scene):
    truth = [MaskRef.of(box(scene, 0, 0), "water")]
    assert ground((), trace_of(scene), scene, "the public file has none").why == "the public file has none"
    assert "no masks for this row" in ground((), trace_of(scene), scene).why
    assert ground(truth, trace_of(scene), scene).why == "the reasoner 'told' drew no mask"
    assert ground(truth, trace_of(scene, finish="abstained"), scene).why.startswith("abstained")


def test_the_score_of_a_row_is_the_mean_within_its_masks(tmp_path):
    def scored(n, scene, question, choices):
        mask = box(scene, slice(0, 2), slice(0, 2))
        probability = np.full(mask.shape, 0.1, np.float32)
        probability[:2, :2] = [[0.5, 0.75], [0.75, np.nan]]
        yield Text("Water [SEG].")
        yield Mask(mask, probability, "water")
        yield Answer("A", "A")

    done = run(small_suite(1), Told(scored), tmp_path)
    assert done.rows[0].score == pytest.approx((0.5 + 0.75 + 0.75) / 3)
    assert done.rows[0].claims == {"agrees": 0, "disagrees": 1, "not checkable": 0}  # option A is not this mask's share
    assert (done.rows[0].masks[0].mask == box(place(0).scene, slice(0, 2), slice(0, 2))).all()


# ---- the command line ------------------------------------------------------------------------------------------------
def cli(*words):
    parser = argparse.ArgumentParser()
    add_to(parser.add_subparsers())
    args = parser.parse_args(["bench", *map(str, words)])
    return args.run(args) or 0


def test_make_run_report_compare_on_the_command_line(tmp_path, capsys):
    source = ("--source", "synthetic", "--set", "n=6", "--set", "size=64")
    assert cli("make", *source, "-n", 12, "--per-image", 3, "--dry-run") == 0
    assert "A plan: nothing was written" in capsys.readouterr().out
    suite = tmp_path / "suite"
    cli("make", *source, "-n", 12, "--per-image", 3, "--out", suite)
    for name, words in (("a", ("reference",)), ("b", ("spectral", "--option", "sensor=optical")), ("c", ("chance",))):
        cli("run", suite, "--out", tmp_path / name, "--seed", 7, "--reasoner", *words)
    capsys.readouterr()
    assert {r.correct["strict"] for r in Results.load(tmp_path / "a")} == {True}
    assert Results.load(tmp_path / "b").name == "spectral (sensor optical)"
    runs = [tmp_path / x for x in "abc"]
    cli("report", *runs, "--suite", suite, "--out", tmp_path / "report", "--resamples", 200)
    cli("compare", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "c.html", "--resamples", 200)
    out = capsys.readouterr().out
    assert "spectral (sensor optical) against reference" in out
    assert (tmp_path / "report" / "report.html").is_file() and (tmp_path / "report" / "report.md").is_file()
    assert (tmp_path / "c.html").is_file()
    with pytest.raises(InvalidInput, match="--out FOLDER"):
        cli("make", *source)


def test_bench_alone_shows_its_help(capsys):
    assert cli() == 2
    assert "bench make --source synthetic" in capsys.readouterr().err


def test_options_of_the_command_line_are_read():
    assert pairs(["a=1", "b=x,y", "c=none", "region-mode=box"], "--option") == {
        "a": 1, "b": "x,y", "c": None, "region_mode": "box",
    }  # fmt: skip
    with pytest.raises(InvalidInput, match="KEY=VALUE"):
        pairs(["window"], "--source")
    with pytest.raises(InvalidInput, match="has a twice"):
        pairs(["a=1", "a=2"], "--option")


# ---- the truth against itself ----------------------------------------------------------------------------------------
def test_the_reference_is_right_on_all_six_tasks_of_a_suite_from_real_and_made_scenes(tmp_path, shared_data):
    sources = [
        ("--source", "slovenia", "--set", f"folder={shared_data('eolearn-slovenia-ts')}", "--set", "window=50"),
        ("--source", "synthetic", "--set", "n=10", "--set", "size=96"),
        ("--source", "synthetic", "--set", "n=6", "--set", "kind=damage", "--set", "size=96"),
    ]
    suite = tmp_path / "suite"
    cli("make", *(word for source in sources for word in source), "-n", 60, "--out", suite)
    cli("run", suite, "--reasoner", "reference", "--out", tmp_path / "a")
    cli("run", suite, "--reasoner", "chance", "--seed", 1, "--out", tmp_path / "b")
    truth, chance = (summarise(Results.load(tmp_path / x)) for x in "ab")
    assert {t.task for t in truth.tasks} == set(TASKS) and truth.rows == 60
    assert truth.micro.value == truth.macro.value == truth.grounded.all.value == 1
    assert truth.grounded.all.rows == 60 and set(truth.grounded.matched) == {"label"}
    assert truth.claims["disagrees"] == 0 and truth.claims["agrees"] > 100
    low, high = chance.chance_range
    assert low <= chance.micro.value <= high


def test_a_model_behind_a_url_is_asked_like_any_other(tmp_path):
    with ChatServer() as server:
        server.plan = lambda request: Says(["<think> Water is there. </think>", "<answer> A </answer>"])
        results = run(small_suite(3), "remote", tmp_path, options={"url": server.url, "model": "tiny"})
        asked = len(server.asked)
    assert [r.choice for r in results] == ["A"] * 9 and asked == 9
    assert {r.error for r in results} == {""} and summarise(results).grounded is not None
    assert all(r.iou is None and r.why_no_iou for r in results)


def test_an_image_text_model_is_asked_like_any_other(tmp_path):
    pytest.importorskip("torch")
    from test_baseline_vlm import tiny_llava

    (tmp_path / "model").mkdir()
    tiny_llava(tmp_path / "model")
    options = {"model": str(tmp_path / "model"), "max_tokens": 4}
    results = run(small_suite(1), "hf-vlm", tmp_path / "run", options=options)
    assert len(results) == 3 and {r.error for r in results} == {""}
    with pytest.raises(InvalidInput, match="region_mode"):
        run(small_suite(1), "hf-vlm", tmp_path / "other", options={**options, "region_mode": "box"})
