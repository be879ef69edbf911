"""For tests of code that builds on this package: fake reasoners, scenes whose truth is known, hypothesis strategies.

`fakes` and the synthetic scenes need nothing beyond the core. The strategies need `hypothesis`, which is imported when
one of them is first used.

Examples
--------
>>> import numpy as np
>>> import terrascope_nb as ts
>>> from terrascope_nb.testing import synthetic_scene, truth_reasoner
>>> made = synthetic_scene(np.random.default_rng(0), size=64)
>>> trace = ts.ask(made.scene, "What share of the scene is water?", reasoner=truth_reasoner(made))
>>> round(trace.answer.value, 3) == round(100 * float(made.truth("water").mean()), 3)
True
"""

from __future__ import annotations

from typing import Any

from terrascope_nb.scene.made import MadeScene, made_damage, made_scene
from terrascope_nb.scene.synthetic import Synthetic, synthetic_damage, synthetic_pair, synthetic_scene
from terrascope_nb.testing.fakes import ScriptedReasoner, SlowReasoner, WrongReasoner, truth_reasoner

#: Names of `strategies` and of `traces`, found on first use.
STRATEGIES = (
    "boxes",
    "domains",
    "grids",
    "masks",
    "regions",
    "turned",
    "HOSTILE",
    "events",
    "images",
    "scenes",
    "trace_of",
)

__all__ = [  # noqa: PLE0604  (the names come from the tuple)
    "STRATEGIES",
    "MadeScene",
    "ScriptedReasoner",
    "SlowReasoner",
    "Synthetic",
    "WrongReasoner",
    "made_damage",
    "made_scene",
    "synthetic_damage",
    "synthetic_pair",
    "synthetic_scene",
    "truth_reasoner",
    *STRATEGIES,
]


def __getattr__(name: str) -> Any:
    """Find a strategy, or what builds on them, importing hypothesis for it.

    Raises
    ------
    MissingPackage
        When hypothesis is not installed; the message holds the pip command.
    AttributeError
        For a name that is not here; the nearest is suggested.
    """
    if name in STRATEGIES:
        from terrascope_nb._optional import need

        need("hypothesis", "draw test data (terrascope_nb.testing)", "test")
        from terrascope_nb.testing import strategies, traces

        return getattr(strategies if hasattr(strategies, name) else traces, name)
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from terrascope_nb._suggest import unknown

    raise AttributeError(unknown(f"name in {__name__}:", name, __all__))


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})
