"""What follows from masks: the text behind the regions and the answer, from the measuring core's figures."""

from __future__ import annotations

from collections.abc import Sequence

from terrascope_nb.model.measured import measured_text
from terrascope_nb.reason import measure as m
from terrascope_nb.reason.measure import Region
from terrascope_nb.reason.units import number, pretty
from terrascope_nb.train.mini.language import Asked


def outcome(asked: Asked, regions: Sequence[Region]) -> tuple[str, str] | None:
    """(text, answer) for regions in the order of `Asked.places`; None where there is no answer to learn.

    A change is the difference of the two shares as they are written, so that the figures in the text add up.
    """
    first, last = regions[0], regions[-1]
    task = asked.task
    if not all(r.domain.count for r in regions):
        return None
    if task == "coverage":
        text = pretty(float(m.share(first).value), "%")
        return f" covers {text}", text
    if task == "area":
        text = pretty(float(m.area(first).value), "m²")
        return f" covers {text}", text
    if task == "existence":
        there = bool(m.exists(first).value)
        return f" is {'' if there else 'not '}there", "yes" if there else "no"
    if task == "location":
        place = m.location(first).value
        return None if place is None else (f" lies in the {place}", str(place))
    if task in ("comparison", "smaller"):
        larger = m.compare(first, last).value
        if larger == m.EQUAL:
            return None
        chosen = larger if task == "comparison" else next(r.label for r in regions if r.label != larger)
        return f". {chosen} is {'larger' if task == 'comparison' else 'smaller'}", chosen
    if task == "largest":
        order = m.rank(regions).value
        return f". {order[0]} is the largest", order[0]
    if task == "adjacency":
        meet = bool(m.adjacent(first, last).value)
        return f" {'' if meet else 'do not '}touch", "yes" if meet else "no"
    if task == "distance":
        gap = m.distance(first, last).value
        return None if gap is None else (f" lie {pretty(float(gap), 'm')} apart", pretty(float(gap), "m"))
    return difference(task, *(pretty(float(m.share(r).value), "%") for r in (first, last)))


def difference(task: str, before: str, after: str) -> tuple[str, str]:
    """Text and answer of a change between two shares as written.

    Examples
    --------
    >>> difference("change", "27.4 %", "13.2 %"), difference("growth", "1.0 %", "2.0 %")
    ((' changed by −14.2 %', '−14.2 %'), (' grew', 'yes'))
    """
    one, other = (number(t.split()[0]) for t in (before, after))
    net = round(other - one, 4)
    if task == "change":
        text = pretty(net, "%")
        return f" changed by {text}", text
    yes = net > 0 if task == "growth" else net < 0
    word = {("growth", True): "grew", ("growth", False): "did not grow", ("shrinkage", True): "shrank"}
    return f" {word.get((task, yes), 'did not shrink')}", "yes" if yes else "no"


def figures(regions: Sequence[Region]) -> tuple[str, ...]:
    """The text that decoding puts behind each ``[SEG]``."""
    bare = [Region("", r.mask, r.domain, r.image, r.time) for r in regions]
    return tuple(measured_text(r, b) for r, b in zip(bare, [None, *bare], strict=False))
