"""The main job on real input, offline: search the bundled catalogue, load, ask, verify, write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from terrascope_nb.reason.export import write_text
from terrascope_nb.reason.reasoner import ask, open_reasoner
from terrascope_nb.reason.show import pages, text
from terrascope_nb.reason.trace import Trace
from terrascope_nb.scene import samples
from terrascope_nb.scene.scene import Scene
from terrascope_nb.scene.synthetic import synthetic_pair

_SHARE = "What share of the scene is water?"


def demo(out: Path, say: Callable[[str], object]) -> list[Trace]:
    """Run the demo; writes one folder a question and ``report.html`` over all of them, returns the traces.

    Parameters
    ----------
    out : Path
        Folder to write into; what an earlier demo left there is written over.
    say : callable
        Is handed each line to show.
    """
    lake, fields = samples.load("lake"), samples.load("fields")
    say(
        f"Searched {samples.catalog()} and loaded, by the code that also searches a remote "
        f"catalogue:\n{lake!r}\n{fields!r}\n"
    )
    made = synthetic_pair(np.random.default_rng(7))
    spectral = open_reasoner("spectral")
    traces = []
    for name, about, scene, question, choices in _questions(lake, fields, made.scene):
        say(f"== {about}")
        trace = ask(scene, question, choices, spectral)
        folder = out / name
        trace.to_stac(folder, overwrite=True)
        say(f"{text(trace)}\n   → {folder} (report.html, masks.tif, masks.geojson, item.json, trace/)\n")
        traces.append(trace)
    truth = 100 * float((made.truth("water", 0) & ~made.truth("water", 1)).mean())
    say(f"The synthetic pair's truth is known: water was lost on {truth:.1f} % of it.")
    report = write_text(out / "report.html", pages(traces, "TerraScope demo"), overwrite=True)
    say(f"All of it on one page: {report}")
    return traces


def _questions(lake: Scene, fields: Scene, pair: Scene) -> list[tuple[str, str, Scene, str, list[str] | None]]:
    """(folder, what it shows, scene, question, options)."""
    return [
        ("water-optical", "Water by the optical image alone", lake.select(modalities="optical"), _SHARE, None),
        ("water-sar", "Water by the radar image alone", lake.select(modalities="sar"), _SHARE, None),
        ("water-both", "Water by both", lake, _SHARE, None),
        ("adjacency", "Do two classes touch?", lake, "Does tree cover border water?", None),
        ("choice", "A multiple choice", lake, "How large is the water area?", ["6 ha", "12 ha", "24 ha", "48 ha"]),
        ("distance", "How far two classes are apart", fields, "How far is the forest from the built-up area?", None),
        ("largest", "The largest class", fields, "Which land cover class is the largest?", None),
        ("counting", "Separate parts", fields, "How many forests are there?", None),
        ("change", "Two dates, synthetic", pair, "How much water was lost between the first and the last date?", None),
    ]
