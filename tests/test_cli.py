"""The command line: every command, every way to name a place, exit codes, and one paragraph for every mistake."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

import terrascope_nb as ts
from terrascope_nb.cli import main
from terrascope_nb.testing import synthetic_pair

ROOT = Path(__file__).resolve().parents[1]
CATALOG = ts.samples.catalog()
WATER = "What share of the scene is water?"
BOX = ("30.5876", "62.8140", "30.6123", "62.8252")


def run(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    code = main([str(a) for a in args])
    said = capsys.readouterr()
    return code, said.out, said.err


def write(path: Path, bands: dict[str, np.ndarray], grid: Any, factor: float | None = 1e4) -> Path:
    """Bands as a GeoTIFF: uint16 numbers of reflectance × factor, or floats as they are."""
    stack = np.stack(list(bands.values()))
    stack = stack.astype(np.float32) if factor is None else (stack * factor).astype(np.uint16)
    profile = dict(driver="GTiff", height=grid.shape[0], width=grid.shape[1], count=len(bands), dtype=stack.dtype)
    with rasterio.open(path, "w", crs=grid.crs, transform=grid.transform, **profile) as file:
        file.write(stack)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two dates of a synthetic landscape as files: optical by date, single bands, radar in dB."""
    folder = tmp_path_factory.mktemp("files")
    scene = synthetic_pair(np.random.default_rng(3), size=48).scene
    out = {}
    for k, name in enumerate(("june", "september")):
        bands = scene.images[k].arrays()
        out[name] = write(folder / f"{name}.tif", bands, scene.grid)
        if k == 0:
            for band in bands:
                out[band] = write(folder / f"{band}.tif", {band: bands[band]}, scene.grid)
    decibels = {k: 10 * np.log10(v) for k, v in scene.images[2].arrays().items()}
    out["sar"] = write(folder / "sar.tif", decibels, scene.grid, None)
    return out


BANDS = ("--bands", "blue", "green", "red", "nir", "swir16", "swir22", "--scale", "1e-4")


# ---- a place --------------------------------------------------------------------------------------------------------
def test_ask_a_sample(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "ask", WATER, "--sample", "lake")
    assert (code, err) == (0, "")
    assert f"A: {ts.ask(ts.samples.load('lake'), WATER).answer.text}\n" in out
    assert "3 of 3 claims agree" in out


def test_ask_a_part_of_a_sample_by_one_sensor(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    box = ("30.59", "62.815", "30.60", "62.82")
    code, out, _ = run(capsys, "ask", WATER, "--sample", "lake", "--modalities", "sar", "--bbox", *box)
    assert code == 0
    assert "clear pixels inside the area" in out
    area = tmp_path / "area.geojson"
    area.write_text(json.dumps(ts.AOI.from_bbox(tuple(map(float, box))).to_geojson()))
    assert run(capsys, "ask", WATER, "--sample", "lake", "--modalities", "sar", "--aoi", area)[1] == out


def test_ask_a_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    args = ("ask", WATER, "--catalog", CATALOG, "--bbox", *BOX, "--dates", "2017-09", "--sensor", "bigearthnet-s2-l2a")
    code, out, err = run(capsys, *args, "--sar-sensor", "bigearthnet-s1-grd")
    assert (code, err) == (0, "")
    assert "A: 1" in out
    code, alone, _ = run(capsys, *args)
    assert code == 0
    assert alone != out


def test_ask_files(capsys: pytest.CaptureFixture[str], files: dict[str, Path]) -> None:
    whole = run(capsys, "ask", WATER, "--optical", files["june"], *BANDS)
    assert whole[0] == 0, whole
    single = [files[b] for b in ("blue", "green", "red", "nir", "swir16", "swir22")]
    assert run(capsys, "ask", WATER, "--optical", *single, *BANDS) == whole
    both = run(
        capsys, "ask", WATER, "--optical", files["june"], *BANDS, "--sar", files["sar"], "--sar-bands", "VV", "VH"
    )
    assert both[0] == 0
    radar = run(capsys, "ask", WATER, "--sar", files["sar"], "--sar-bands", "VV", "VH", "--sar-units", "db")
    assert radar[0] == 0
    assert len({whole[1], both[1], radar[1]}) == 3


def test_ask_files_of_two_dates(capsys: pytest.CaptureFixture[str], files: dict[str, Path]) -> None:
    question = "How much water was lost between the first and the last date?"
    args = ("--optical", files["june"], files["september"], *BANDS, "--dates", "2023-06-15", "2023-09-13")
    code, out, err = run(capsys, "ask", question, *args)
    assert (code, err) == (0, "")
    assert "On 2023-06-15 water" in out
    assert "Between the two dates water was lost on" in out


def test_choices_as_a_list_and_with_letters(capsys: pytest.CaptureFixture[str]) -> None:
    for options, letter in ((("6 ha", "24 ha"), "B"), (("C=6 ha", "A=24 ha"), "A"), (("x=1", "two = 24 ha"), "B")):
        code, out, _ = run(capsys, "ask", "How large is the water area?", "--sample", "lake", "--choices", *options)
        assert code == 0
        assert f"→ {letter}. " in out


def test_out_holds_report_masks_and_record(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    args = ("ask", WATER, "Is there snow?", "--sample", "lake", "--out", tmp_path / "out")
    code, out, _ = run(capsys, *args)
    assert code == 0
    for folder in ("01", "02"):
        for name in ("report.html", "masks.tif", "masks.geojson", "item.json", "trace"):
            assert (tmp_path / "out" / folder / name).exists()
            assert str(tmp_path / "out" / folder / name) in out
    assert ts.Trace.load(tmp_path / "out" / "01" / "trace").question == WATER
    code, _, err = run(capsys, *args)
    assert code == 2
    assert "is there already: pass --overwrite" in err
    assert run(capsys, *args, "--overwrite")[0] == 0


def test_out_without_masks_holds_report_and_record(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, "ask", "What share is cropland?", "--sample", "lake", "--out", tmp_path)
    assert code == 0
    assert "low vegetation" in out
    assert (tmp_path / "report.html").is_file()
    assert not (tmp_path / "masks.tif").exists()


# ---- mistakes -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--sample", "lke"), "unknown sample 'lke'; did you mean 'lake'?"),
        ((), "exactly one of --sample, --optical/--sar, --catalog (got none)"),
        (("--sample", "lake", "--catalog", "x"), "(got --sample, --catalog)"),
        (("--sample", "lake", "--bbox", *BOX, "--aoi", "a.geojson"), "by --bbox or by --aoi, not both"),
        (("--sample", "lake", "--bbox", "1", "2", "3", "4"), "holds no pixel"),
        (("--sample", "lake", "--aoi", "no.geojson"), "no.geojson"),
        (("--sample", "lake", "--reasoner", "spectrl"), "did you mean 'spectral'"),
        (("--sample", "lake", "--reasoner", "reference"), "needs labels and legend"),
        (("--sample", "lake", "--choices", "one"), "2 to 26 options; got 1"),
        (("--sample", "lake", "--choices", "A=1", "A=2"), "a letter twice"),
        (("--optical", "no.tif"), "no.tif"),
        (("--catalog", CATALOG, "--dates", "2017"), "--catalog needs an area"),
        (("--catalog", CATALOG, "--bbox", *BOX), "and --dates"),
        (("--catalog", CATALOG, "--bbox", *BOX, "--dates", "2017-09", "2017-10"), "takes one --dates"),
        (("--catalog", CATALOG, "--bbox", *BOX, "--dates", "1999"), "sentinel-2-l2a"),
        (("--catalog", "no_such_folder", "--bbox", *BOX, "--dates", "2017"), "no_such_folder"),
        (("--catalog", CATALOG, "--bbox", *BOX, "--dates", "2017", "--sensor", "none"), "optical="),
    ],
)
def test_a_mistake_is_one_paragraph(capsys: pytest.CaptureFixture[str], args: tuple[object, ...], words: str) -> None:
    code, out, err = run(capsys, "ask", WATER, *args)
    assert (code, out) == (2, "")
    assert err.startswith("terrascope-nb: ")
    assert err.count("\n") == 1
    assert words in err
    assert "Traceback" not in err


def test_files_without_a_scale_show_the_call_to_make(
    capsys: pytest.CaptureFixture[str], files: dict[str, Path]
) -> None:
    code, _, err = run(capsys, "ask", WATER, "--optical", files["june"], *BANDS[:7])
    assert code == 2
    assert "scale=" in err


def test_a_question_not_understood_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "ask", "How much wter?", "Is there snow?", "--sample", "lake")
    assert code == 2
    assert "A: no" in out
    assert "did you mean 'water'" in err
    assert err.count("\n") == 1


def test_choices_go_with_one_question(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "ask", WATER, WATER, "--sample", "lake", "--choices", "a", "b")
    assert (code, out) == (2, "")
    assert "go with one question, and there are 2" in err


def test_a_folder_that_cannot_be_written_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, _, err = run(capsys, "ask", WATER, "--sample", "lake", "--out", tmp_path / "file" / "out")
    assert code == 2
    assert str(tmp_path / "file") in err
    assert err.count("\n") == 1


def test_ctrl_c_stops_without_a_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("terrascope_nb.samples.load", stop)
    code, _, err = run(capsys, "ask", WATER, "--sample", "lake")
    assert (code, err) == (130, "terrascope-nb: stopped\n")


@pytest.mark.parametrize("args", [["asc"], ["ask", WATER, "--sample"], ["ask", WATER, "--times", "worst"], ["ask"]])
def test_a_command_that_is_none_shows_the_usage(capsys: pytest.CaptureFixture[str], args: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(args)
    assert left.value.code == 2
    assert "usage: terrascope-nb" in capsys.readouterr().err


# ---- the other commands ---------------------------------------------------------------------------------------------
def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert all(name in run(capsys, "samples")[1] for name in ts.samples.names())
    assert run(capsys, "reasoners")[1].split() == list(ts.reasoners())
    assert "How many lakes are there?" in run(capsys, "forms")[1]
    assert "numpy" in run(capsys, "versions")[1]
    assert run(capsys, "--version") == (0, f"{ts.__version__}\n", "")
    code, out, err = run(capsys)
    assert (code, out) == (2, "")
    assert "COMMAND" in err


def test_demo_prints_traces_and_where_the_files_are(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, "demo", "--out", tmp_path / "demo")
    assert (code, err) == (0, "")
    folders = sorted(p for p in (tmp_path / "demo").iterdir() if p.is_dir())
    assert len(folders) == out.count("Q: ") >= 8
    for folder in folders:
        assert str(folder) in out
        assert {p.name for p in folder.iterdir()} == {"item.json", "masks.geojson", "masks.tif", "report.html", "trace"}
        trace = ts.Trace.load(folder / "trace")
        assert trace.answer.finish == "stop"
        assert {c.verdict for c in trace.claims} == {"agrees"}
    assert (tmp_path / "demo" / "report.html").stat().st_size > 10_000
    answers = {f.name: ts.Trace.load(f / "trace").answer for f in folders}
    assert answers["distance"].value > 10
    assert answers["choice"].choice == "C"
    assert all(abs(answers[f"water-{k}"].value - 17.1) < 3 for k in ("optical", "sar", "both"))
    assert answers["change"].value > 1
    assert run(capsys, "demo", "--out", tmp_path / "demo")[0] == 0, "a demo writes over an earlier one"


def test_the_command_is_installed_and_survives_a_closed_pipe(tmp_path: Path) -> None:
    code = "import sys; from terrascope_nb.cli import main; sys.exit(main(sys.argv[1:]))"
    with subprocess.Popen(
        [sys.executable, "-c", code, "forms"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as child:
        assert child.stdout is not None
        child.stdout.close()
        assert child.wait(60) == 0
        assert child.stderr is not None
        assert b"Traceback" not in child.stderr.read()


def test_a_terminal_without_our_signs_gets_escapes(tmp_path: Path) -> None:
    code = "import sys; from terrascope_nb.cli import main; sys.exit(main(sys.argv[1:]))"
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-c", code, "forms", "--help"], env=env, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0
    done = subprocess.run(
        [sys.executable, "-c", code, "ask", "Wo ist der Fluß?", "--sample", "lake"],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_the_example_goes_from_files_to_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(ROOT / "examples" / "ask_files.py"))
    trace = example["main"](tmp_path / "result")
    assert trace.answer.unit == "ha"
    assert trace.answer.value == pytest.approx(24.6, abs=4.3)
    assert {c.verdict for c in trace.claims} == {"agrees"}
    assert {p.name for p in (tmp_path / "result").iterdir()} == {
        "item.json",
        "masks.geojson",
        "masks.tif",
        "report.html",
        "trace",
    }


def test_search_lists_what_a_catalogue_has(capsys):
    place = ["--bbox", "30.58", "62.81", "30.62", "62.83"]
    assert main(["search", "--catalog", "sample", "--sensor", "bigearthnet-s2-l2a", *place]) == 0
    assert "S2B_MSIL2A_20170924T93020_69_24" in capsys.readouterr().out
    assert main(["search", "--catalog", "sample", "--sensor", "bigearthnet-s2-l2a", "--dates", "2020", *place]) == 2
    assert "2017-09-24" in capsys.readouterr().err  # nothing then: the nearest date is told


def test_without_torch_the_network_says_how_to_install_it(capsys, monkeypatch):
    import importlib.util
    import sys

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "torch" else find(name, *a))
    for name in [m for m in sys.modules if m.startswith("terrascope_nb.model")]:
        monkeypatch.delitem(sys.modules, name)
    assert main(["ask", "Is there water?", "--sample", "lake", "--model", "nowhere"]) == 2
    assert 'pip install "terrascope-nb[model]"' in capsys.readouterr().err
