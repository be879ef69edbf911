"""Compose: all records of one labelled scene, in an order that depends on nothing but the scene and the generator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.cot.compose import l1, semantic, spatial
from terrascope_nb.cot.compose.caption import caption, caption_of_change
from terrascope_nb.cot.compose.draft import Written
from terrascope_nb.cot.compose.known import Known, View, narrowed, whole_view
from terrascope_nb.cot.compose.pictures import with_sensors
from terrascope_nb.cot.record import KINDS, SENSORS, ImageRef, Record
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.scene.labelled import Labelled

TASKS: Mapping[str, tuple[str, ...]] = {
    "caption": ("caption", "caption_of_change"),
    "l1": (*l1.ONE_DATE, *l1.TWO_DATES),
    "l2-spatial": tuple(spatial.FORMS),
    "l2-semantic": (*semantic.ONE_DATE, *semantic.TWO_DATES),
}
"""Kind of record → tasks that it can have."""


def compose(
    labelled: Labelled,
    rng: np.random.Generator,
    images: Sequence[ImageRef],
    *,
    kinds: Sequence[str] = KINDS,
    per_image: tuple[int, int] = (2, 4),
    sensors: Sequence[str] | None = None,
    dropped: Counter[str] | None = None,
) -> list[Record]:
    """Compose the records of one labelled scene.

    One choice of sensors and, of several dates, one date is drawn for all records on a single date; what speaks of
    change is shown the first date and the last. The records' split and seed are left to the caller.

    Parameters
    ----------
    labelled : Labelled
    rng : numpy.random.Generator
        The same generator state gives the same records.
    images : sequence of ImageRef
        The picture of each image of ``labelled.scene``, in its order.
    kinds : sequence of str
        Of `KINDS`; none means all.
    per_image : (int, int)
        Fewest and most questions of each kind but captions, of which there is one. Fewer are made where the scene
        allows fewer clear questions.
    sensors : sequence of "optical" and "sar", optional
        What the records are shown; by default drawn among optical, SAR and both, as far as the scene has them.
    dropped : collections.Counter, optional
        Counts, by task and reason, what was asked of the scene and could not be made.

    Returns
    -------
    list of Record
        Captions first, then in the order of `KINDS`. The first question of kind «l1» needs pixels.

    Raises
    ------
    InvalidInput
        For an unknown kind or sensor, a `per_image` that is no range, or pictures that are not the scene's.
    NotFound
        When the scene has not the `sensors` on every date.

    Examples
    --------
    >>> from terrascope_nb.scene.synthetic import synthetic_scene
    >>> made = synthetic_scene(np.random.default_rng(1), 64, sar=False)
    >>> lake = Labelled(made.scene, made.maps, made.legend, "lake", "nowhere")
    >>> records = compose(lake, np.random.default_rng(0), [ImageRef("lake.png", "optical", "2023-06-15", (64, 64))])
    >>> sorted({r.kind for r in records}), all(r.segs == len(r.masks) for r in records)
    (['caption', 'l1', 'l2-semantic', 'l2-spatial'], True)
    """
    _check(kinds, per_image, sensors)
    lost: Counter[str] = Counter() if dropped is None else dropped
    view = _seen(whole_view(labelled, images), rng, sensors)
    dates = len(view.labelled.scene.moments())
    alone, both = _views(view, dates, rng)
    written: list[Written] = []
    for kind in KINDS:
        if kind in kinds or not kinds:
            n = int(rng.integers(per_image[0], per_image[1] + 1))
            written += _MAKERS[kind](alone, both, rng, n, lost)
    return [w.record(k) for k, w in enumerate(written)]


def _check(kinds: Sequence[str], per_image: tuple[int, int], sensors: Sequence[str] | None) -> None:
    for kind in kinds:
        if kind not in KINDS:
            raise InvalidInput(unknown("kind", kind, KINDS))
    for sensor in sensors or ():
        if sensor not in SENSORS:
            raise InvalidInput(unknown("sensor", sensor, SENSORS))
    low, high = per_image
    if not 1 <= low <= high:
        raise InvalidInput(f"per_image is (fewest, most) questions, from 1 up: got {tuple(per_image)}")


def _seen(view: View, rng: np.random.Generator, sensors: Sequence[str] | None) -> View:
    """The view of the sensors asked for, or of sensors drawn among those that see every date."""
    has = view.labelled.scene.modalities
    if sensors is not None:
        wanted = tuple(s for s in SENSORS if s in sensors)
        part = narrowed(view, wanted) if set(wanted) <= set(has) and wanted else None
        if part is None:
            asked = " and ".join(sensors) or "no sensor"
            raise NotFound(f"{view.labelled.key} has not {asked} on every date; it has {', '.join(has)}")
        return part
    every = [(s,) for s in has] + ([has] if len(has) > 1 else [])
    parts = [p for p in (narrowed(view, s) for s in every) if p is not None]
    return parts[int(rng.integers(len(parts)))] if parts else view


def _views(view: View, dates: int, rng: np.random.Generator) -> tuple[Known, Known | None]:
    """One date of a view, drawn at random; and its first and last together where there are several."""
    if dates == 1:
        return Known(view), None
    date = int(rng.integers(dates))
    alone, both = narrowed(view, dates=[date]), narrowed(view, dates=[0, dates - 1])
    if alone is None:  # the sensors do not pair on that date: the view as a whole has them all
        raise NotFound(f"{view.labelled.key}: not every sensor sees date {date}")
    return Known(alone), None if both is None else Known(both)


# ---- kinds ----------------------------------------------------------------------------------------------------------
def _captions(alone: Known, both: Known | None, rng: np.random.Generator, n: int, lost: Counter[str]) -> list[Written]:
    made = caption_of_change(both, rng) if both is not None and rng.random() < 0.5 else None
    made = made or caption(alone, rng)
    if made is None:
        lost["caption: no class is there"] += 1
    return [] if made is None else [made]


_WEIGHTS = {"quarters": 6.0, "common_neighbour": 2.0, "crop_change": 2.0}
#: Forms that few scenes allow are tried sooner than the others, whose weight is 1.


def _drawn(
    forms: Sequence[tuple[str, Callable[[], Written | None]]], rng: np.random.Generator, n: int, lost: Counter[str]
) -> list[Written]:
    """The first `n` forms, in an order drawn by weight, that the scene has a clear answer to."""
    keys = [rng.random() ** (1 / _WEIGHTS.get(name, 1.0)) for name, _ in forms]
    out: list[Written] = []
    for k in sorted(range(len(forms)), key=keys.__getitem__, reverse=True):
        if len(out) == n:
            break
        name, run = forms[k]
        made = run()
        if made is None:
            lost[f"{name}: no clear answer in this scene"] += 1
        else:
            known = made.draft.known
            out.append(replace(made, question=with_sensors(known, made.question, rng)))
    return out


def _spatial(alone: Known, both: Known | None, rng: np.random.Generator, n: int, lost: Counter[str]) -> list[Written]:
    forms = [(name, lambda f=f: f(alone, rng)) for name, f in spatial.FORMS.items()]
    return _drawn(forms, rng, n, lost)


def _semantic(alone: Known, both: Known | None, rng: np.random.Generator, n: int, lost: Counter[str]) -> list[Written]:
    forms = [(name, lambda f=f: f(alone, rng)) for name, f in semantic.ONE_DATE.items()]
    if both is not None:
        forms += [(name, lambda f=f: f(both, rng)) for name, f in semantic.TWO_DATES.items()]
    return _drawn(forms, rng, n, lost)


_MAKERS: Mapping[str, Callable[[Known, Known | None, np.random.Generator, int, Counter[str]], list[Written]]] = {
    "caption": _captions, "l1": l1.questions, "l2-spatial": _spatial, "l2-semantic": _semantic,
}  # fmt: skip
