"""What people install: pyproject.toml, constraints.txt, environment.yml and the wheel say the same."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_string
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import terrascope_nb
from terrascope_nb import _versions

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
#: Names on the Python registry that conda-forge writes otherwise; every other name is the same on both.
CONDA_NAMES = {
    "dask": "dask-core",
    "huggingface-hub": "huggingface_hub",
    "matplotlib": "matplotlib-base",
    "torch": "pytorch",
}


def requirements(*extras: str) -> dict[str, Requirement]:
    """Requirements of the core and of `extras`, extras of our own unpacked: canonical name → requirement."""
    found: dict[str, Requirement] = {}
    for line in [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        if name == PROJECT["name"]:
            found |= requirements(*requirement.extras)
        elif name in found:
            assert found[name].specifier == requirement.specifier, f"two ranges for {name}"
            found[name].extras |= requirement.extras
        else:
            found[name] = requirement
    return found


def pins() -> dict[str, str]:
    """constraints.txt: canonical name → version."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pair) == 2 for pair in pairs), "constraints.txt holds name==version and comments only"
    return {canonicalize_name(name): version for name, version in pairs}


def conda() -> tuple[dict[str, SpecifierSet], list[str]]:
    """environment.yml: conda name → range, and the lines of its pip part."""
    page = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    assert page["channels"][0] == "conda-forge"
    ranges, pip_lines = {}, []
    for entry in page["dependencies"]:
        if isinstance(entry, dict):
            pip_lines += entry["pip"]
            continue
        name, spec = re.fullmatch(r"([a-z0-9_-]+)(.*)", entry).groups()
        assert name not in ranges, f"{name} is there twice"
        ranges[name] = SpecifierSet(spec)
    return ranges, pip_lines


def closure(roots: dict[str, Requirement]) -> set[str]:
    """Everything that installed packages bring in with `roots`, by their own metadata."""
    todo, seen = list(roots.values()), set()
    while todo:
        requirement = todo.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        for line in metadata.requires(requirement.name) or []:
            below = Requirement(line)
            extras = requirement.extras or {""}
            if below.marker is None or any(below.marker.evaluate({"extra": extra}) for extra in extras):
                todo.append(below)
    return {name for name, _ in seen}


def test_environment_yml_says_what_pyproject_says() -> None:
    ranges, pip_lines = conda()
    assert ranges.pop("python") == SpecifierSet(PROJECT["requires-python"])
    assert ranges.pop("pip") == SpecifierSet("")
    wanted = {CONDA_NAMES.get(name, name): r.specifier for name, r in requirements("all").items()}
    assert ranges == wanted
    assert pip_lines == ["-e ."]


def test_every_requirement_has_a_range() -> None:
    loose = [str(r) for r in requirements(*EXTRAS).values() if not r.specifier]
    assert loose == []


def test_core_is_free_of_heavy_packages() -> None:
    heavy = {"torch", "torchvision", "transformers", "leafmap", "ipyleaflet", "ipywidgets", "jupyterlab"}
    assert not heavy & requirements().keys()
    assert "torchvision" not in pins(), "image transforms are written with Pillow and torch"


@pytest.mark.parametrize("extra", ["core", *EXTRAS])
def test_every_extra_is_pinned_within_its_ranges(extra: str) -> None:
    """Each name was really resolved: it has a pin, and the pin is in the range that users get."""
    chosen, pinned = requirements(*(() if extra == "core" else (extra,))), pins()
    assert chosen.keys() - pinned.keys() == set()
    outside = {n: pinned[n] for n, r in chosen.items() if not r.specifier.contains(pinned[n], prereleases=True)}
    assert outside == {}


def test_all_holds_every_extra_for_users() -> None:
    assert requirements("all").keys() == requirements(*(set(EXTRAS) - {"test", "all"})).keys()


def test_constraints_pin_all_that_is_brought_in() -> None:
    """Nothing that our packages bring in is left to the day's newest version."""
    installed = {canonicalize_name(d.metadata["Name"]) for d in metadata.distributions()}
    roots = {name: r for name, r in requirements("test").items() if name in installed}
    assert roots.keys() == requirements("test").keys(), "make install"
    assert closure(roots) - pins().keys() == set()


def test_readme_is_the_long_description() -> None:
    assert PROJECT.get("readme") == "README.md"
    assert (ROOT / "README.md").is_file()


def test_makefile_and_ci_are_there_to_run() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111, ".ci/run is executable"
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    for target in ("demo", "test", "test-all", "bench", "notebooks", "help"):
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_own_version_is_the_one_in_pyproject() -> None:
    assert terrascope_nb.__version__ == PROJECT["version"]
    assert set(_versions.required()) == set(requirements())


@pytest.mark.install
def test_wheel_holds_the_whole_package(tmp_path: Path) -> None:
    """Modules and data: what is in the folder is in the wheel, and nothing but the package and its licence."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        about = {name.split("/", 1)[1]: name for name in names if ".dist-info/" in name}
        headers = message_from_string(archive.read(about["METADATA"]).decode())
        scripts = archive.read(about["entry_points.txt"]).decode()
    source = ROOT / "terrascope_nb"
    files = {
        path.relative_to(ROOT).as_posix()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != ".DS_Store"
    }
    assert names - set(about.values()) == files
    assert any(name.startswith("terrascope_nb/data/") and name.endswith(".tif") for name in names)
    assert "licenses/LICENSE" in about
    assert "terrascope-nb = terrascope_nb.cli:main" in scripts
    assert set(headers.get_all("Provides-Extra")) == set(EXTRAS)
    assert wheel.stat().st_size < 20_000_000, "a wheel stays small enough for a classroom's network"
