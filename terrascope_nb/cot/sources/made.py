"""Scenes that are made, as a source: each from (seed, index) alone, so that any of them can be made again.

`scene.synthetic` draws simple ones for tests; `scene.made` draws them in measured colours, with a rule that says which
are for training and which are held out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count, islice
from typing import Any

import numpy as np
from scipy import ndimage

from terrascope_nb._suggest import unknown
from terrascope_nb.cot.sources.stream import Entry, Stream
from terrascope_nb.errors import InvalidInput
from terrascope_nb.scene.labelled import Labelled
from terrascope_nb.scene.made import held_out, made_damage, made_scene
from terrascope_nb.scene.synthetic import Synthetic, synthetic_damage, synthetic_pair, synthetic_scene

KINDS = ("scene", "pair", "damage", "made", "made-damage")
SPLITS = ("train", "test")
OPTIONS = ("layout", "season", "clouds", "haze", "snow", "pair", "change")
"""Keywords of `made_scene` that scenes of kind «made» may be given."""
LICENCE = "Apache-2.0 (made by this software)"
CITATION = "terrascope-nb, terrascope_nb.scene.synthetic: nothing measured on it speaks about real ground"
SPECTRA = (
    "terrascope-nb, terrascope_nb.scene.made: nothing measured on it speaks about real ground; spectra of materials"
    " from earthlib 1.1, C. Anderson, MIT"
)


def read_synthetic(
    n: int,
    kind: str = "scene",
    *,
    seed: int = 0,
    size: int = 128,
    sar: bool = True,
    cloud: float = 0.0,
    resolution: float | None = None,
    destroyed: tuple[float, float] = (0.1, 0.6),
    split: str | None = None,
    options: Mapping[str, Any] | None = None,
    part: tuple[int, int] | None = None,
    on_bad: str = "raise",
) -> Iterator[Labelled]:
    """Synthetic scenes whose truth is known. Each is made when it is asked for; each is a place.

    Parameters
    ----------
    n : int
        How many.
    kind : "scene", "pair", "damage", "made" or "made-damage"
        One date; two dates with drought and clearing; a settlement before and after a disaster; a scene of
        `scene.made.made_scene`; one of `made_damage`.
    seed : int
        Scene k comes from ``numpy.random.default_rng([seed, kind, k])``, whatever `n` and `part` are.
    size : int
        Pixels a side.
    sar, cloud
        As in `synthetic_scene` and `made_scene`; damage scenes have neither radar nor cloud.
    resolution : float, optional
        Metres a pixel; default: 10, of damage scenes 1.
    destroyed : (float, float)
        Damage: the share of the buildings that is destroyed is drawn between these.
    split : "train" or "test", optional
        Only scenes that `scene.made.held_out`, asked with ``(seed, k)``, leaves for training, or keeps back. The n
        scenes are then the first n of those, and their k has gaps.
    options : mapping, optional
        Kind «made»: further keywords of `made_scene`, of `OPTIONS`.
    part, on_bad
        See `Stream`.
    """
    if kind not in KINDS:
        raise InvalidInput(unknown("kind of synthetic scene", kind, KINDS))
    if n < 0:
        raise InvalidInput(f"n is the number of scenes, 0 or more; got {n}")
    if not 0 <= destroyed[0] <= destroyed[1] <= 1:
        raise InvalidInput(f"destroyed is a range of shares within 0…1, got {destroyed}")
    if split is not None and split not in SPLITS:
        raise InvalidInput(unknown("split of synthetic scenes", split, SPLITS))
    if options and kind != "made":
        raise InvalidInput(f"options= are for scenes of kind 'made', not {kind!r}")
    further = dict(options or {})
    for name in further:
        if name not in OPTIONS:
            raise InvalidInput(unknown("option of made scenes", name, OPTIONS))
    metres = resolution if resolution is not None else 1.0 if kind.endswith("damage") else 10.0

    def make(index: int) -> Labelled:
        rng = np.random.default_rng([seed, KINDS.index(kind), index])
        counts: dict[int, tuple[int, int]] = {}
        if kind == "scene":
            made = synthetic_scene(rng, size, metres, sar, cloud)
        elif kind == "pair":
            made = synthetic_pair(rng, size, metres, sar, cloud)
        elif kind == "made":
            made = made_scene(rng, size, metres, cloud=cloud, sar=sar, **further)
        else:
            damage = made_damage if kind == "made-damage" else synthetic_damage
            made = damage(rng, size, metres, float(rng.uniform(*destroyed)))
            counts = buildings(made)
        key = f"synthetic-{kind}-{seed}-{index:06d}"
        return Labelled(
            made.scene, made.maps, dict(made.legend), key, key, source=f"synthetic {kind}", licence=LICENCE,
            citation=SPECTRA if kind.startswith("made") else CITATION, counts=counts,
        )  # fmt: skip

    def entries() -> Iterator[Entry]:
        every = (k for k in count() if split is None or held_out(seed, k) == (split == "test"))
        for index in islice(every, n):
            yield f"synthetic-{kind}-{seed}-{index:06d}", lambda index=index: make(index)

    return Stream(entries, part, on_bad)


def buildings(made: Synthetic) -> dict[int, tuple[int, int]]:
    """(destroyed, all) buildings by image index: they never touch, so each is one 8-connected part.

    The parts are those of the first date, and a building is destroyed where the map of a date says so.
    """
    wholes, number = ndimage.label(made.truth("building", 0), np.ones((3, 3)))
    out: dict[int, tuple[int, int]] = {}
    for date, moment in enumerate(made.scene.moments()):
        lost: Any = np.unique(wholes[made.truth("destroyed building", date)])
        out[moment.image] = (int(np.count_nonzero(lost)), int(number))
    return out
