"""Fixtures: the blob server and the STAC API, each started once a run, and stopped whatever happens."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servers import content, install, pgstac
from servers.blobs import HOST, BlobServer
from terrascope_nb.stac.catalog import Catalog
from terrascope_nb.stac.sign import SasSigner


@dataclass(frozen=True)
class Archive:
    """The blob server with everything there is to read, and the signer for its private containers.

    Attributes
    ----------
    blobs : BlobServer
        Containers ``private-sample``, ``private-styria``, ``private-openeo``, ``private-radar``; ``sample`` is open.
    sign : SasSigner
        Asks the blob server's token service.
    items : list of dict
        Real and synthetic items, hrefs led here.
    """

    blobs: BlobServer
    sign: SasSigner
    items: list[dict[str, Any]]


@dataclass(frozen=True)
class Stac:
    """The real STAC API over `Archive`.

    Attributes
    ----------
    archive : Archive
    server : PgStac
    catalog : Catalog
        The API, with the archive's signer.
    """

    archive: Archive
    server: pgstac.PgStac
    catalog: Catalog


@pytest.fixture(scope="session")
def archive(shared_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Every real item with pixels, behind tokens."""
    real = content.real_items(shared_data)
    styria, radar = tmp_path_factory.mktemp("styria"), tmp_path_factory.mktemp("radar")
    content.write_styria(shared_data("mapchete-33twm-stac"), styria)
    synthetic = content.write_radar(radar, np.random.default_rng(20230813))
    folders = {
        "private-sample": content.SAMPLE, "private-styria": styria, "private-radar": radar,
        "private-openeo": shared_data("openeo-local-stac"), "sample": content.SAMPLE,
    }  # fmt: skip
    with BlobServer(folders) as blobs:
        items = [
            *content.led_to(real["dev"], blobs, "private-sample", None),
            *content.led_to(real["styria"], blobs, "private-styria", shared_data("mapchete-33twm-stac").resolve()),
            *content.led_to(real["openeo"], blobs, "private-openeo", shared_data("openeo-local-stac").resolve()),
            *content.led_to(real["sample"], blobs, "private-sample", content.SAMPLE.resolve()),
            *content.many(),
        ]
        for item in synthetic:
            for asset in item["assets"].values():
                asset["href"] = blobs.address("private-radar", asset["href"])
        yield Archive(blobs, SasSigner(host=HOST, service=blobs.token_service), [*items, *synthetic])


@pytest.fixture(scope="session")
def stac_environment(require: Callable[[str, bool, str], None]) -> None:
    """PostgreSQL with PostGIS, and the server's own environment, made now if it is not there yet."""
    programs = install.postgres()
    require("PostgreSQL", programs is not None, "the STAC API runs on it: apt-get install postgresql-15-postgis-3")
    require("PostGIS", install.postgis(programs), "pgstac needs it: apt-get install postgresql-15-postgis-3")
    require("psql", shutil.which("psql") is not None or (programs / "psql").exists(), "it makes the database")
    try:
        install.install()
        said = ""
    except (OSError, subprocess.CalledProcessError) as err:
        said = f"{err} {getattr(err, 'stderr', '') or ''}"[-1500:]
    require("stac-fastapi-pgstac", not said, f"python tests/servers/install.py failed: {said}")


@pytest.fixture(scope="session")
def stac(stac_environment: None, archive: Archive) -> Iterator[Stac]:
    """The STAC API with every item of the archive."""
    with pgstac.running() as server:
        server.load(content.collections_of(archive.items), archive.items)
        yield Stac(archive, server, Catalog(server.url, sign=archive.sign))
