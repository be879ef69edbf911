"""What a question offers: options that are distinct and far enough from the truth, and the benchmark's own rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from terrascope_nb.cot.faults import Fault
from terrascope_nb.errors import TerrascopeError
from terrascope_nb.reason.answers import Choices, choose_bool, choose_label, choose_number
from terrascope_nb.reason.choosing import Span, read_span
from terrascope_nb.reason.measure import EQUAL, Fact, Region
from terrascope_nb.reason.measure import benchmark_rules as rules
from terrascope_nb.reason.units import to_base

if TYPE_CHECKING:
    from terrascope_nb.cot.record import Record

LEAST = 0.1
"""Share of the truth by which a wrong number must miss it."""

RULES: Mapping[str, tuple[int, Callable[..., Fact]]] = MappingProxyType({
    "coverage_percentage": (1, rules.coverage_percentage),
    "absolute_area": (1, rules.absolute_area),
    "comparative_ranking": (2, rules.comparative_ranking),
    "boundary_relationship": (2, rules.boundary_relationship),
    "distance_measurement": (2, rules.distance_measurement),
})  # fmt: skip
"""Task → regions it takes, and the benchmark's rule; `building_change` beside it needs the number of buildings."""


def check_options(record: Record) -> Iterator[Fault]:
    """Options that say the same, and wrong numbers too near to the right one.

    Ranges («10–20 %») are only compared as texts.
    """
    options = dict(record.choices or {})
    seen: dict[Any, str] = {}
    for letter, text in options.items():
        said: Any = " ".join(text.split()).casefold().rstrip(".")
        value = _value(text)
        if value is not None:
            said = value
        if said in seen:
            yield Fault("options-equal", f"{seen[said]}, «{options[seen[said]]}», and {letter}, «{text}», say the same")
        seen.setdefault(said, letter)
    right = _value(options.get(record.answer, ""))
    if right is None:
        return
    for letter, text in options.items():
        other = _value(text)
        if letter == record.answer or other is None or other[1] != right[1]:
            continue
        if other != right and abs(other[0] - right[0]) < LEAST * abs(right[0]) * (1 - 1e-9):
            off = 100 * abs(other[0] - right[0]) / abs(right[0])
            yield Fault("options-near", f"{letter}, «{text}», is {off:.1f} % off «{options[record.answer]}»")


def check_filter(
    record: Record, regions: Sequence[Region], counts: Mapping[int, tuple[int, int]] | None
) -> Iterator[Fault]:
    """What the benchmark would not ask, and an answer that its rule does not give; of first-level questions only.

    Parameters
    ----------
    record : Record
    regions : sequence of Region
        Of ``record.masks``.
    counts : Mapping, optional
        (destroyed, all) buildings by image; where they are not known, parts of the masks are counted.
    """
    asked = record.kind == "l1" and record.task in {*RULES, "building_change"}
    if not asked or record.answer not in (record.choices or {}):
        return
    if record.task == "building_change":
        labels: tuple[str, ...] = ("building", "destroyed building")
        wanted = [_first(regions, "building"), _last(regions, "destroyed building")]
    else:
        labels = record.labels[: RULES[record.task][0]]
        wanted = [_first(regions, x) for x in labels]
    lacks = [x for x, r in zip(labels, wanted, strict=True) if r is None]
    if lacks or not labels:
        yield Fault("label-without-mask", f"{record.task} asks about {', '.join(lacks) or 'nothing'}, without a mask")
        return
    try:
        fact = _fact(record.task, [r for r in wanted if r is not None], counts)
    except TerrascopeError as e:
        yield Fault("filter", f"{record.task} cannot be measured: {e}")
        return
    if fact.value is None:
        yield Fault("filter", f"{record.task}: {fact.note}")
        return
    letter = letter_of(fact, Choices.of(dict(record.choices or {})))
    if letter != record.answer:
        measured = f"{fact.value} {fact.unit}".strip()
        yield Fault("answer-wrong", f"{record.task} measures {measured}: {letter or 'no option'}, not {record.answer}")


def letter_of(fact: Fact, choices: Choices | None) -> str | None:
    """The option that a fact picks; None when none fits."""
    if isinstance(fact.value, bool):
        return choose_bool(choices, fact.value)
    if isinstance(fact.value, float | int):
        return choose_number(choices, float(fact.value), fact.unit)
    return choose_label(choices, EQUAL if fact.value == EQUAL else str(fact.value))


def _fact(task: str, regions: Sequence[Region], counts: Mapping[int, tuple[int, int]] | None) -> Fact:
    if task != "building_change":
        return RULES[task][1](*regions)
    known = list((counts or {}).values())
    return rules.building_change(*regions, counts=known[-1] if known else None)


def _first(regions: Sequence[Region], label: str) -> Region | None:
    return next((r for r in regions if r.label == label), None)


def _last(regions: Sequence[Region], label: str) -> Region | None:
    return _first(regions[::-1], label)


def _value(text: str) -> tuple[float, str] | None:
    """The one finite number of an option in its base unit; None for words and ranges."""
    span: Span | None = read_span(text)
    if span is None or span.low != span.high or not math.isfinite(span.low):
        return None
    return to_base(span.low, span.unit)
