"""Words for the pictures of a record: sensors, resolution, dates, place."""

from __future__ import annotations

import re

import numpy as np

from terrascope_nb.cot.compose.known import Known
from terrascope_nb.reason.solve.phrases import listed
from terrascope_nb.scene.classes import mentions

_NAMES = (
    (re.compile(r"sentinel-?(\d)", re.IGNORECASE), r"Sentinel-\1"), (re.compile("landsat", re.IGNORECASE), "Landsat"),
)  # fmt: skip
_KIND = {"optical": "an optical", "sar": "a SAR"}


def place_name(place: str) -> str:
    """The name of a place that a reader knows, «» where `Labelled.place` is a key («T33UVP_12»).

    Examples
    --------
    >>> place_name("North Carolina"), place_name("T33UVP_12"), place_name("synthetic")
    ('North Carolina', '', '')
    """
    text = place.strip()
    known = re.fullmatch(r"[A-ZÀ-Þ][^\W\d_]+(?:[ ',.-]+[^\W\d_]+){0,5}", text)
    return text if known and not mentions(text) else ""


def sensor_name(sensor: str) -> str:
    """«Sentinel-2» of ``"sentinel-2-l2a"``; «» for a name that the reader would not know."""
    for pattern, name in _NAMES:
        found = pattern.search(sensor)
        if found:
            return found.expand(name)
    return ""


def _kinds(known: Known, article: bool) -> list[str]:
    """«an optical», «a SAR Sentinel-1»: one a sensor of the view."""
    out = []
    for kind in known.scene.modalities:
        sensor = next(sensor_name(i.sensor) for i in known.scene.images if i.modality == kind)
        word = _KIND[kind] if article else _KIND[kind].split()[1]
        out.append(f"{word} {sensor}".strip())
    return out


def pictures(known: Known, rng: np.random.Generator | None = None) -> str:
    """How a question names the pictures: «this optical image at 10 m resolution»."""
    kinds, dates = _kinds(known, False), len(known.moments)
    if dates > 1:
        text = f"these two {kinds[0]} images" if len(kinds) == 1 else f"these {listed(kinds)} images of two dates"
    else:
        text = f"this {kinds[0]} image" if len(kinds) == 1 else f"these {listed(kinds)} images of one place"
    if known.pixel_size is not None and (rng is None or rng.random() < 0.6):
        text += f" at {known.pixel_size:g} m resolution"
    name = place_name(known.labelled.place)
    if name and (rng is None or rng.random() < 0.5):
        text += f", from {name}"
    return text


def taken(known: Known, rng: np.random.Generator) -> str:
    """«An optical image at 10 m resolution, taken on 2023-06-15, shows»: the beginning of a caption."""
    kinds, dates = _kinds(known, True), len(known.moments)
    if dates > 1:
        plain = listed(_kinds(known, False))
        text = f"{plain} images of {'both dates' if len(kinds) > 1 else 'one place'}"
    else:
        text = f"{listed(kinds)} image"
    many = dates > 1 or len(kinds) > 1
    if known.pixel_size is not None:
        text += f" at {known.pixel_size:g} m resolution"
    days = [d for d in (known.day(k) for k in range(dates)) if d]
    more = f"taken on {listed(days)}" if days and len(days) == dates else ""
    name = place_name(known.labelled.place)
    if name:
        more = f"{more} in {name}".strip()
    text = f"{text}, {more}," if more else text
    one, several = (("shows", "show"), ("contains", "contain"))[int(rng.integers(2))]
    return f"{text[:1].upper()}{text[1:]} {several if many else one}"


def with_sensors(known: Known, question: str, rng: np.random.Generator) -> str:
    """A question with its sensors named before it: always where SAR is among them, else every second time."""
    if known.scene.modalities == ("optical",) and rng.random() < 0.5:
        return question
    return given(known, rng) + question[:1].lower() + question[1:]


def given(known: Known, rng: np.random.Generator) -> str:
    """«Given the SAR image, »: names the sensors before a question of one sentence."""
    kinds = list(known.scene.modalities)
    words = {"optical": "optical", "sar": "SAR"}
    if len(known.moments) > 1:
        text = f"the two {words[kinds[0]]} images" if len(kinds) == 1 else "the optical and the SAR images of two dates"
    elif len(kinds) == 1:
        text = f"the {words[kinds[0]]} image"
    else:
        text = ("the optical and the SAR image", "the optical and the SAR image of one place")[int(rng.integers(2))]
    lead = ("Given", "Looking at", "Based on", "From")[int(rng.integers(4))]
    return f"{lead} {text}, "
