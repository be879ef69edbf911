"""JupyterLab, Notebook 7 and Voilà on this machine, and a browser that works in them: a pytest plugin with fixtures.

A test module names it, ``pytest_plugins = ["servers.jupyter"]``. Servers are started when first asked for, one of each
kind a run; the browser lives as long as the module, for Playwright keeps the thread's event loop to itself.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

TOKEN = "terrascope-nb-test"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip
SIZE = {"width": 1400, "height": 1000}
WAIT = 60_000
"""Milliseconds that the browser waits for anything at most; a loaded machine is slow, and a time is never asserted."""

#: kind → (module, options)
KINDS = {
    "lab": ("jupyterlab", ("--expose-app-in-browser", "--ServerApp.terminals_enabled=False")),
    "notebook": ("notebook", ("--expose-app-in-browser", "--ServerApp.terminals_enabled=False")),
    "voila": ("voila", ()),
}

# The application's own objects do what a user's hands would do in its menus, and say when it is done.
_RUN = """async (source) => {
  const app = window.jupyterapp, panel = app.shell.currentWidget, model = panel.content.model.sharedModel;
  await panel.sessionContext.ready;
  const n = model.cells.length;
  model.insertCell(n, {cell_type: 'code', source, metadata: {trusted: true}, outputs: []});
  panel.content.activeCellIndex = n;
  await app.commands.execute('notebook:run-cell');
  return model.cells[n].outputs;
}"""
_VALUE = """async (expression) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const asked = kernel.requestExecute({code: '', silent: true, user_expressions: {it: expression}});
  return (await asked.done).content.user_expressions.it;
}"""
_CLEAR = """async () => {
  const panel = window.jupyterapp.shell.currentWidget, model = panel.content.model.sharedModel;
  model.deleteCellRange(0, model.cells.length);
}"""
_SAVE = "async () => { await window.jupyterapp.commands.execute('docmanager:save'); }"


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    url : str
        With its base, ending in a slash.
    root : Path
        Folder of its notebooks.
    """

    kind: str
    url: str
    root: Path

    def page_of(self, name: str) -> str:
        """Address of a notebook in `root`."""
        where = {"lab": f"lab/tree/{name}?reset&", "notebook": f"notebooks/{name}?", "voila": f"voila/render/{name}?"}
        return f"{self.url}{where[self.kind]}token={TOKEN}"

    def write(self, name: str, *sources: str) -> None:
        """Write a notebook of code cells."""
        import nbformat

        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.root / name)


@dataclass
class Tab:
    """A page of the browser, and what it asked for.

    Attributes
    ----------
    page : playwright.sync_api.Page
    server : Server
    shots : Path
        Folder for screenshots.
    requests : list of str
        Every address it asked for, images in ``data:`` links left out.
    errors : list of str
        Exceptions that nothing caught.
    """

    page: Any
    server: Server
    shots: Path
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def strangers(self) -> list[str]:
        """Addresses on other machines."""
        there = [x for x in self.requests if urlsplit(x).hostname not in (None, "127.0.0.1", "localhost")]
        return [x for x in there if urlsplit(x).scheme not in ("data", "blob", "chrome-extension")]

    def open(self, name: str) -> None:
        """Open a notebook of the server."""
        self.page.goto(self.server.page_of(name), wait_until="domcontentloaded")

    def ready(self) -> None:
        """Wait until the notebook that is open can run cells."""
        self.page.wait_for_function(
            "() => window.jupyterapp && window.jupyterapp.shell.currentWidget && "
            "window.jupyterapp.shell.currentWidget.sessionContext"
        )
        self.page.evaluate(
            "async () => { const p = window.jupyterapp.shell.currentWidget;"
            " await p.context.ready; await p.sessionContext.ready; await p.sessionContext.session.kernel.info; }"
        )

    def run(self, source: str) -> list[dict[str, Any]]:
        """Run a new cell at the end of the notebook; gives its outputs.

        Raises
        ------
        RuntimeError
            With the traceback, when the cell raised.
        """
        outputs = self.page.evaluate(_RUN, source)
        for out in outputs:
            if out["output_type"] == "error":
                raise RuntimeError("\n".join(out["traceback"]))
        return outputs

    def value(self, expression: str) -> Any:
        """What an expression is in the kernel, by JSON; nothing of the page changes."""
        got = self.page.evaluate(_VALUE, f"__import__('json').dumps({expression}, default=str)")
        if got["status"] != "ok":
            raise RuntimeError(f"{expression}: {got['ename']}: {got['evalue']}")
        text = got["data"]["text/plain"]
        return json.loads(__import__("ast").literal_eval(text))

    def until(self, expression: str, timeout: float = WAIT / 1000) -> Any:
        """Wait until an expression in the kernel is true; gives it."""
        end = time.monotonic() + timeout
        while True:
            value = self.value(expression)
            if value:
                return value
            if time.monotonic() > end:
                raise TimeoutError(f"still {value!r} after {timeout:.0f} s: {expression}")
            self.page.wait_for_timeout(100)

    def save(self) -> None:
        """Save the notebook."""
        self.page.evaluate(_SAVE)

    def clear(self) -> None:
        """Delete every cell."""
        self.page.evaluate(_CLEAR)

    def shot(self, name: str, of: str | None = None) -> Path:
        """Keep a screenshot of the window, or of one element."""
        path = self.shots / f"{name}.png"
        if of is None:
            self.page.screenshot(path=path)
        else:
            self.page.locator(of).last.screenshot(path=path)
        return path


@contextmanager
def running(kind: str, home: Path, base: str = "/") -> Iterator[Server]:
    """A server of a kind under a base path, with settings of its own in `home`; stopped whatever happens."""
    root = home / "root"
    for folder in (root, home / "config" / "labconfig"):
        folder.mkdir(parents=True)
    disabled = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (home / "config" / "labconfig" / "page_config.json").write_text(json.dumps(disabled))
    environment = {k: v for k, v in os.environ.items() if not k.upper().startswith(("JUPYTER", "IPYTHON"))}
    environment |= {
        "JUPYTER_CONFIG_DIR": str(home / "config"), "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"), "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_PLATFORM_DIRS": "1",
    }  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    module, options = KINDS[kind]
    where = (
        [str(root), f"--base_url={base}", f"--token={TOKEN}", "--Voila.ip=127.0.0.1"]
        if kind == "voila"
        else ["--ip=127.0.0.1", "--allow-root", f"--ServerApp.root_dir={root}", f"--ServerApp.base_url={base}",
              f"--IdentityProvider.token={TOKEN}", "--ServerApp.port_retries=0"]
    )  # fmt: skip
    log = home / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "--no-browser", f"--port={port}", *where, *options],
            env=environment, stdout=said, stderr=subprocess.STDOUT, cwd=home,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}{base}"
            _await(url, process, log)
            yield Server(kind, url, root)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(url: str, process: subprocess.Popen[bytes], log: Path, timeout: float = 90.0) -> None:
    end = time.monotonic() + timeout
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return  # it answers, if only that it wants its token
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"no answer from {url}: {log.read_text(errors='replace')[-2000:]}")


@contextmanager
def browsing(require: Callable[[str, bool, str], None] = lambda *_: None) -> Iterator[Any]:
    """A headless Chromium that Playwright drives."""
    require("chromium", CHROMIUM is not None, "it draws the pages: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def tab_in(browser: Any, server: Server, shots: Path, **look: Any) -> Iterator[Tab]:
    """A page with a profile of its own; `look` as Playwright's ``new_context`` takes it."""
    context = browser.new_context(**({"viewport": SIZE} | look))
    context.set_default_timeout(WAIT)
    try:
        page = context.new_page()
        tab = Tab(page, server, shots)
        page.on("request", lambda asked: None if asked.url.startswith("data:") else tab.requests.append(asked.url))
        page.on("pageerror", lambda error: tab.errors.append(str(error)))
        yield tab
    finally:
        context.close()


@pytest.fixture(scope="session")
def servers(
    require: Callable[[str, bool, str], None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Server]]:
    """``servers("lab", "/user/x/")`` gives the server of that kind and base, started when it is first asked for."""
    require("chromium", CHROMIUM is not None, "it draws the pages: apt-get install chromium")
    with ExitStack() as stack:
        known: dict[tuple[str, str], Server] = {}

        def get(kind: str, base: str = "/") -> Server:
            if (kind, base) not in known:
                known[kind, base] = stack.enter_context(running(kind, tmp_path_factory.mktemp(kind) / "home", base))
            return known[kind, base]

        yield get


@pytest.fixture(scope="module")
def browser(require: Callable[[str, bool, str], None]) -> Iterator[Any]:
    """The browser."""
    with browsing(require) as started:
        yield started


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept: $TERRASCOPE_NB_ARTEFACTS, by default a folder that goes with the run."""
    wanted = os.environ.get("TERRASCOPE_NB_ARTEFACTS")
    folder = Path(wanted) if wanted else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def lab(servers: Callable[..., Server], browser: Any, shots: Path, request: pytest.FixtureRequest) -> Iterator[Tab]:
    """An empty notebook in JupyterLab, its kernel at work, for the tests of a module to share."""
    server, name = servers("lab"), f"{request.module.__name__}.ipynb"
    server.write(name)
    with tab_in(browser, server, shots) as tab:
        tab.open(name)
        tab.ready()
        tab.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
        tab.run(PRELUDE)
        yield tab


@pytest.fixture
def cells(lab: Tab) -> Iterator[Tab]:
    """The shared notebook without a cell; what a test makes there is closed and gone afterwards."""
    lab.page.set_viewport_size(SIZE)
    lab.clear()
    lab.page.wait_for_timeout(200)  # what the test before closed has come to rest
    lab.errors.clear()
    lab.requests.clear()
    yield lab
    lab.run("for _made in made: _made.close()\nmade.clear()")
    lab.clear()


PRELUDE = """
import terrascope_nb as ts
from terrascope_nb import testing
made = []
def explore(**options):
    made.append(ts.Explorer(**{"basemap": None} | options))
    return made[-1]
"""
