"""Time and bytes of the Explorer in a browser: ``python tests/benchmarks/bench_explorer.py`` prints a Markdown table.

JupyterLab and Chromium run on this machine, so a network's delay is not in the times. The scene is 512 × 512; masks are
the truth with 2 % of its pixels flipped, so that they are as ragged as a model's.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from servers.jupyter import PRELUDE, Tab, browsing, running, tab_in  # noqa: E402

STEPS, CHANGES = 30, 20
MAKE = """
import time
import numpy as np
from terrascope_nb.reason.events import Answer, Mask
from terrascope_nb.testing.traces import trace_of
rng = np.random.default_rng(0)
pair = testing.synthetic_pair(rng, 512)
LABELS = ("water", "tree cover", "grassland", "cropland", "bare land")
def build(steps):
    parts = []
    for k in range(steps):
        label = LABELS[k % len(LABELS)]
        mask = pair.truth(label) ^ (rng.random((512, 512)) < 0.02)
        parts.append((f"{label.capitalize()} [SEG] covers {k}.0 % of it. ", Mask(mask, label=label, image=0)))
    trace = trace_of(pair.scene, parts, "Which classes are there?", Answer("Five classes."))
    trace.claims
    return trace
"""
# From the key to the new mask's opacity on the page, then to the frame after the one that draws it.
_WATCH = """() => {
  const masks = [...document.querySelectorAll('.tsnb-map img.leaflet-image-layer')]
    .filter(i => i.src.startsWith('data:image/png'));
  const seen = () => masks.findIndex(i => +getComputedStyle(i).opacity > 0);
  const before = seen(), frame = () => new Promise(done => requestAnimationFrame(done));
  window.drawn = new Promise((done, fail) => document.addEventListener('keydown', async () => {
    const start = performance.now();
    for (;;) {
      const now = seen();
      if (now >= 0 && now !== before) break;
      if (performance.now() - start > 20000) return fail(new Error('no new mask'));
      await frame();
    }
    await frame(); await frame();
    done(performance.now() - start);
  }, {capture: true, once: true}));
}"""


def watched(tab: Tab) -> dict[str, int]:
    """Bytes and messages over every websocket of a page, counted from now on."""
    count = {"sent": 0, "received": 0, "frames": 0}

    def tally(way: str) -> Any:
        def add(payload: str | bytes) -> None:
            count[way] += len(payload if isinstance(payload, bytes) else payload.encode())
            count["frames"] += 1

        return add

    def socket(opened: Any) -> None:
        opened.on("framesent", tally("sent"))
        opened.on("framereceived", tally("received"))

    tab.page.on("websocket", socket)
    return count


def explore(tab: Tab, steps: int) -> dict[str, Any]:
    """Show a trace of so many steps; gives what it took and took up."""
    tab.run(f"trace = build({steps})")
    tab.run(
        "start = time.perf_counter()\nexplorer = explore(trace=trace)\ntook = time.perf_counter() - start\nexplorer"
    )
    tab.page.locator('img.leaflet-image-layer[src^="data:image/webp"]').wait_for()
    tab.page.wait_for_function(
        "n => document.querySelectorAll('.tsnb-map img[src^=\"data:image/png\"]').length === n", arg=steps
    )
    tab.page.wait_for_timeout(2000)
    return {"constructed": tab.value("took"), "encoded": tab.value("[len(explorer.view.layers.mask(0).data)]")[0]}


def measure(tab: Tab, count: dict[str, int]) -> dict[str, float]:
    """Change the step `CHANGES` times, each after the last has come to rest."""
    times, sizes, frames = [], [], []
    for k in range(CHANGES + 1):
        before = dict(count)
        tab.page.evaluate(_WATCH)
        tab.page.keyboard.press("ArrowRight")
        took = tab.page.evaluate("() => window.drawn")
        tab.page.wait_for_timeout(400)
        if k:  # the first warms up
            times.append(took)
            sizes.append(count["sent"] + count["received"] - before["sent"] - before["received"])
            frames.append(count["frames"] - before["frames"])
    return {
        "median": statistics.median(times), "worst": max(times), "bytes": statistics.median(sizes),
        "most": max(sizes), "frames": statistics.median(frames),
    }  # fmt: skip


def notebook_size(tab: Tab, path: Path) -> tuple[int, int]:
    """Bytes of the saved notebook without and with the state of its widgets, as JupyterLab and nbconvert keep it."""
    tab.run(f"from ipywidgets import Widget\nopen({str(path)!r}, 'w').write(__import__('json').dumps("
            "Widget.get_manager_state(drop_defaults=True)))")  # fmt: skip
    tab.save()
    saved = (tab.server.root / "bench.ipynb").stat().st_size
    return saved, saved + path.stat().st_size


def main() -> None:
    """Print the table."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running("lab", Path(folder) / "lab") as server,
        browsing() as browser,
        tab_in(browser, server, Path(folder)) as tab,
    ):
        server.write("bench.ipynb")
        count = watched(tab)
        tab.open("bench.ipynb")
        tab.ready()
        tab.run(PRELUDE + MAKE)
        tab.run("start = time.perf_counter()\nimport leafmap.leafmap\nleaf = time.perf_counter() - start")
        leaf = tab.value("leaf")
        tab.run("explore(trace=build(2)).close()")
        tab.clear()
        shown = explore(tab, STEPS)
        sent = count["received"]
        tab.page.locator(".tsnb-view .noUi-handle").first.press("Home")
        tab.page.wait_for_timeout(1500)
        steps = measure(tab, count)
        saved, with_state = notebook_size(tab, Path(folder) / "state.json")
        rows = [
            ("step change, key to drawn mask: median ms", f"{steps['median']:.0f}", "150"),
            ("… the slowest of 20", f"{steps['worst']:.0f}", ""),
            ("bytes over the channel a step: median kB", f"{steps['bytes'] / 1000:.1f}", "40"),
            ("… the most of 20", f"{steps['most'] / 1000:.1f}", ""),
            ("… messages a step, to and fro", f"{steps['frames']:.0f}", ""),
            (f"Explorer(trace=…) of {STEPS} steps constructed, s", f"{shown['constructed']:.2f}", "1"),
            ("… leafmap's import before it, s", f"{leaf:.1f}", ""),
            ("one mask as it is sent, kB", f"{shown['encoded'] / 1000:.0f}", ""),
            ("all that was received up to then, MB", f"{sent / 1e6:.2f}", ""),
            (f"notebook of {STEPS} steps saved, MB", f"{saved / 1e6:.2f}", "5"),
            ("… with the state of its widgets, MB", f"{with_state / 1e6:.2f}", "5"),
        ]
        print("| what | measured | at most |\n|---|---|---|")
        for row in rows:
            print("| " + " | ".join(row) + " |")
        print(json.dumps({"errors": tab.errors}) if tab.errors else "", end="")


if __name__ == "__main__":
    main()
