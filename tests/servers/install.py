"""The environment of the STAC API server: its own, because its pins are not ours. ``python tests/servers/install.py``.

Made once, in ``.venv-stac`` beside the checkout's other environments, and again only when `PACKAGES` has changed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".venv-stac"
PACKAGES = ("pypgstac[psycopg]==0.10.*", "stac-fastapi-pgstac==7.2.*", "uvicorn")
POSTGRES = Path("/usr/lib/postgresql")  # Debian's place: a folder a version, with the programs in bin
_MARK = FOLDER / ".installed"


def python() -> Path:
    """The environment's interpreter, whether it is there or not."""
    return FOLDER / "bin" / "python"


def installed() -> bool:
    """Whether the environment is there, complete and of today's `PACKAGES`."""
    return python().exists() and _MARK.exists() and _MARK.read_text() == _stamp()


def install(quiet: bool = True) -> Path:
    """Make the environment if need be; gives its interpreter. Asks the package index.

    Raises
    ------
    subprocess.CalledProcessError
        When pip fails.
    """
    if installed():
        return python()
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
    pip = [str(python()), "-m", "pip", "install", "--disable-pip-version-check", *(["--quiet"] if quiet else [])]
    subprocess.run([*pip, *PACKAGES], check=True, capture_output=quiet, text=True)
    _MARK.write_text(_stamp())
    return python()


def postgres() -> Path | None:
    """The newest folder with initdb and pg_ctl (Debian package postgresql-15-postgis-3); None where there is none."""
    found = sorted(POSTGRES.glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]) if p.parts[-3].isdigit() else 0)
    if found:
        return found[-1].parent
    plain = shutil.which("initdb")
    return Path(plain).resolve().parent if plain else None


def postgis(programs: Path) -> bool:
    """Whether that PostgreSQL has PostGIS."""
    version = programs.parent.name
    places = (Path(f"/usr/share/postgresql/{version}/extension"), programs.parent / "share" / "extension")
    return any((p / "postgis.control").exists() for p in places)


def _stamp() -> str:
    return hashlib.sha256(f"{PACKAGES} {sys.version_info[:2]}".encode()).hexdigest()


if __name__ == "__main__":
    sys.stdout.write(f"{install(quiet=False)}\n")
