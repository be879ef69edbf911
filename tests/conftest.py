"""What all tests share: real data, tools that may be missing, no network, hypothesis profiles."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from servers.fixtures import archive, stac, stac_environment  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = Path(os.environ.get("TERRASCOPE_NB_SHARED_DATA", ROOT.parent / "shared" / "data"))

# Scripts, not tests: doctest collection would run what they do on import.
collect_ignore_glob = ["benchmarks/*", "build_*.py", "accuracy.py"]

# A shared machine's clock decides nothing: no deadline, no complaint about slow data.
_slow_is_fine = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile("dev", deadline=None, max_examples=100, suppress_health_check=_slow_is_fine)
hypothesis.settings.register_profile(
    "ci", deadline=None, max_examples=50, derandomize=True, print_blob=True, suppress_health_check=_slow_is_fine
)
hypothesis.settings.register_profile(
    "thorough", deadline=None, max_examples=1000, print_blob=True, suppress_health_check=_slow_is_fine
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker(pytest.mark.notebook)


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """``shared_data("eolearn-slovenia-ts")`` gives that folder, or skips the test where it was not handed out.

    The folder with the data sets is $TERRASCOPE_NB_SHARED_DATA, by default ../shared/data beside the checkout. These
    skips are allowed everywhere: the data are not part of the repository.
    """

    def find(name: str) -> Path:
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"no {name} in {SHARED_DATA}: set TERRASCOPE_NB_SHARED_DATA to the folder that holds it")
        return path

    return find


@pytest.fixture(scope="session")
def require() -> Callable[[str, bool, str], None]:
    """``require("chromium", available, "draws the page")`` skips where a tool is missing, and fails under the switch.

    The switch is TERRASCOPE_NB_REQUIRE=1: set where everything ought to be installed, so that no test goes quietly
    missing there.
    """

    def check(what: str, available: bool, why: str) -> None:
        if available:
            return
        message = f"no {what}: {why}"
        if os.environ.get("TERRASCOPE_NB_REQUIRE", "") not in ("", "0"):
            pytest.fail(f"{message} (TERRASCOPE_NB_REQUIRE is set, so this is a failure and not a skip)", pytrace=False)
        pytest.skip(message)

    return check


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that talks, or looks up a name, beyond this machine, unless it is marked ``network``.

    Holds for Python sockets in the test's own process; libraries with sockets of their own (GDAL) and child processes
    are not watched. Datagram sockets may connect, for that sends nothing.
    """
    if request.node.get_closest_marker("network"):
        return
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def check(host: Any, how: str) -> None:
        if not _is_here(host):
            pytest.fail(f"a test must stay on this machine, but {how} {host!r}; mark it network if it must not")

    def guarded(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: socket.socket, address: Any) -> Any:
            if isinstance(address, tuple) and self.type == socket.SOCK_STREAM:
                check(address[0], "connects to")
            return original(self, address)

        return call

    def lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        check(host, "looks up")
        return getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded(connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(connect_ex))
    monkeypatch.setattr(socket, "getaddrinfo", lookup)


def _is_here(host: Any) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    return name in (None, "", "localhost", "::1", "0.0.0.0", "::", socket.gethostname()) or name.startswith("127.")
