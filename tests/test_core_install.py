"""The core alone, in a fresh environment, asks the sample: no torch, no map, no notebook package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.install

ASK = """
import terrascope_nb as ts
trace = ts.ask(ts.samples.load("lake"), "What share of the scene is water?")
print(trace.answer.text)
"""
LOOK = """
import importlib.util, json
import terrascope_nb
present = [m for m in ("torch", "leafmap", "ipyleaflet", "ipywidgets", "IPython", "pytest", "hypothesis")
           if importlib.util.find_spec(m) is not None]
print(json.dumps({"file": terrascope_nb.__file__, "there": present}))
"""


def run(*command: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in an environment that knows nothing of the one that runs the tests."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV", "COV_"))}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=inherited, capture_output=True, text=True, check=False
    )
    if check:
        assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done


@pytest.fixture(scope="module")
def core_python(tmp_path_factory: pytest.TempPathFactory, require: Callable[[str, bool, str], None]) -> Iterator[Path]:
    """The interpreter of a fresh environment with the core in it, nothing of the test environment visible."""
    folder = tmp_path_factory.mktemp("core")
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--no-compile"]
    done = run(*pip, "-c", ROOT / "constraints.txt", ROOT, cwd=folder, check=False)
    # Only a registry that cannot be reached may skip; anything else that pip says is about us.
    unreachable = re.search("NewConnectionError|NameResolutionError|ConnectTimeout|is unreachable", done.stderr)
    require("package registry", not (done.returncode and unreachable), "a fresh environment is installed from it")
    assert done.returncode == 0, done.stderr[-4000:]
    yield python
    shutil.rmtree(folder / "venv")


def test_core_alone_asks_the_sample(core_python: Path, tmp_path: Path) -> None:
    answer = run(core_python, "-c", ASK, cwd=tmp_path).stdout
    found = re.search(r"(\d+(?:\.\d+)?)\s?%", answer)
    assert found, f"no percentage in {answer!r}"
    assert 0 < float(found[1]) < 100


def test_core_alone_is_the_installed_one_and_small(core_python: Path, tmp_path: Path) -> None:
    page = run(core_python, "-c", LOOK, cwd=tmp_path).stdout
    assert '"there": []' in page
    assert str(core_python.parents[1]) in page


def test_core_alone_has_its_command(core_python: Path, tmp_path: Path) -> None:
    page = run(core_python.with_name("terrascope-nb"), "samples", cwd=tmp_path).stdout
    assert "lake" in page
