"""Run a plan by rules: find the masks, say what they measure, conclude. Shared by every reasoner that needs no model.

`solve` asks a `MaskSource` for masks, and `measure` for figures; it knows neither bands nor thresholds. One function a
task writes the sentences; `work` holds what they share.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason import measure as m
from terrascope_nb.reason.answers import Picked, pick_bool, pick_label, pick_number, pick_trend
from terrascope_nb.reason.events import Answer, Event, Text
from terrascope_nb.reason.question import Plan
from terrascope_nb.reason.solve.finding import Finding, MaskSource
from terrascope_nb.reason.solve.phrases import absent, be, capital, counted, listed, named, thing, verb
from terrascope_nb.reason.solve.work import WHOLE, Abstain, Work, answered_unit, place_word
from terrascope_nb.reason.units import convert, pretty, to_base
from terrascope_nb.scene.scene import Moment, Scene

__all__ = ["Finding", "MaskSource", "solve"]


def solve(plan: Plan, scene: Scene, source: MaskSource) -> Iterator[Event]:
    """Run a plan over a scene; yields text, masks and one answer.

    Parameters
    ----------
    plan : Plan
        From `understand`.
    scene : Scene
    source : MaskSource

    Yields
    ------
    Text, Mask, Progress, Answer
        Figures are yielded with ``source="measured"``. When the source abstains, so does the answer.

    Raises
    ------
    InvalidInput
        For a task without a rule, or a change from a later to an earlier date.
    NoCRS
        For metres or an area on a scene without a CRS, when the question states no pixel size either.
    """
    run = _TASKS.get(plan.task)
    if run is None:
        raise InvalidInput(unknown("task", plan.task, _TASKS))
    work, said = Work(plan, scene, source), False
    try:
        for event in (step for part in (work.preface(), run(work)) for step in part):
            said = said or isinstance(event, Text)
            yield event
    except Abstain as e:
        what = capital(e.label) if e.label else "This"
        yield Text(f"{' ' if said else ''}{what} cannot be told: {e.reason}.")
        yield Answer(
            "cannot be told", finish="abstained", reason=f"{named(e.label)}: {e.reason}" if e.label else e.reason
        )


# ---- answers --------------------------------------------------------------------------------------------------------
def _answer(text: str, picked: Picked | None, value: float | None = None, unit: str = "") -> Iterator[Event]:
    """The answer with its option; a tie, or that none fits, is said before."""
    if picked is not None:
        tie = re.search(r"[A-Z](?:, [A-Z])+(?= (?:are equally near|all do))", picked.why)
        if picked.letter is None:
            yield Text(f" None of the options fits: {picked.why}.")
        elif tie:
            yield Text(f" Options {listed(tie.group().split(', '))} fit equally well; {picked.letter} is taken.")
    yield Answer(text, None if picked is None else picked.letter, value, unit)


def _number(work: Work, fact: m.Fact) -> Iterator[Event]:
    """Answer with a number in the unit asked for, and the option nearest to it."""
    if fact.value is None:
        raise Abstain(fact.note)
    text = pretty(fact.value, fact.unit, work.plan.unit or None)
    unit = work.plan.unit or answered_unit(text, fact.unit)
    value = convert(fact.value, fact.unit, unit) if unit != fact.unit else float(fact.value)
    choices = work.plan.choices
    yield from _answer(text, choices and pick_number(choices, fact.value, fact.unit), value, unit)


def _label(work: Work, label: str) -> Iterator[Event]:
    yield from _answer(label, work.plan.choices and pick_label(work.plan.choices, label))


def _yes(work: Work, yes: bool) -> Iterator[Event]:
    yield from _answer("yes" if yes else "no", work.plan.choices and pick_bool(work.plan.choices, yes))


# ---- one class ------------------------------------------------------------------------------------------------------
def _coverage(work: Work) -> Iterator[Event]:
    region = yield from work.covers(work.plan.labels[0], work.moment())
    yield from _number(work, m.share(region))


def _area(work: Work) -> Iterator[Event]:
    if work.plan.unit == "px":
        region = yield from work.covers(work.plan.labels[0], work.moment())
        fact = replace(m.share(region), value=float(region.count), unit="px")
    else:
        work.need_metres("an area", "a share («What share …?») or pixels («… in pixels?»)")
        region = yield from work.covers(work.plan.labels[0], work.moment())
        fact = m.area(region)
    yield from _number(work, fact)


def _counting(work: Work) -> Iterator[Event]:
    region = yield from work.covers(work.plan.labels[0], work.moment())
    fact = m.count(region)
    small, lost = fact.values or (0, 0)
    small = (
        f" (smaller specks are not counted: {small} of them, {lost} pixel{'' if lost == 1 else 's'} in all)"
        if small
        else ""
    )
    yield Text(f" {counted(region.label, fact.value)}{small}.", "measured")
    choices = work.plan.choices
    yield from _answer(str(fact.value), choices and pick_number(choices, fact.value, ""), float(fact.value))


def _existence(work: Work) -> Iterator[Event]:
    region = yield from work.covers(work.plan.labels[0], work.moment())
    there = bool(m.exists(region).value)
    small = ", only specks too small to count" if region.count and not there else ""
    name = named(region.label) if there else absent(region.label)
    yield Text(f" There {be(region.label)} {'' if there else 'no '}{name}{small}.", "measured")
    yield from _yes(work, there)


def _location(work: Work) -> Iterator[Event]:
    region = yield from work.covers(work.plan.labels[0], work.moment())
    work.need_part(region)
    place = str(m.location(region).value)
    yield Text(
        f" {capital(region.label)} {verb(region.label, 'lies')} in the {place} of the {place_word(region.domain)}.",
        "measured",
    )
    yield from _label(work, place)


# ---- two and more classes -------------------------------------------------------------------------------------------
def _two(work: Work, there: bool = False) -> Iterator[Event]:
    """Both regions of a plan; with `there`, each must hold a part large enough to count."""
    moment = work.moment()
    a = yield from work.covers(work.plan.labels[0], moment)
    yield Text(" ")
    b = yield from work.covers(work.plan.labels[1], moment)
    for region in (a, b) if there else ():
        work.need_part(region)
    return a, b


def _comparison(work: Work) -> Iterator[Event]:
    work.together(*((label, work.moment()) for label in work.plan.labels))
    a, b = yield from _two(work)
    larger = m.compare(a, b).value
    if larger == m.EQUAL:
        yield Text(f" {capital(a.label)} and {thing(b.label)} are equally large.", "measured")
        yield from _yes(work, False) if work.plan.yes_no else _label(work, m.EQUAL)
        return
    smaller = b.label if larger == a.label else a.label
    yield Text(f" {capital(larger)} {verb(larger, 'is', 'are')} larger than {thing(smaller)}.", "measured")
    wanted = smaller if work.plan.task == "smaller" else larger
    if work.plan.yes_no:  # «is the forest larger than the cropland?»
        yield from _yes(work, wanted == a.label)
    else:
        yield from _label(work, wanted)


def _ranking(work: Work) -> Iterator[Event]:
    moment = work.moment()
    labels = work.plan.labels or tuple(x for x in work.source.labels(work.scene, moment) if work.there(x, moment))
    if not labels:
        raise Abstain("none of the classes that can be told apart here is there")
    work.together(*((label, moment) for label in labels))
    regions: list[m.Region] = []
    for label in labels:
        if regions:
            yield Text(" ")
        regions.append((yield from work.covers(label, moment)))
    order = tuple(m.rank(regions).value)
    smallest = work.plan.task == "smallest"
    first, *rest = order[::-1] if smallest else order
    tail = f", before {listed([named(x) for x in rest])}" if rest else ""
    yield Text(f" The {'smallest' if smallest else 'largest'} class is {named(first)}{tail}.", "measured")
    sizes = {r.label: r.count for r in regions}
    tied = [x for x in rest if sizes[x] == sizes[first]]
    if tied:
        yield Text(f" {capital(first)} and {thing(tied[0])} are equally large.", "measured")
    yield from _label(work, ", ".join(order) if work.plan.task == "ranking" else first)


def _adjacency(work: Work) -> Iterator[Event]:
    a, b = yield from _two(work, there=True)
    touch = bool(m.adjacent(a, b).value)
    words = verb(a.label, "touches", "touch") if touch else f"{verb(a.label, 'does', 'do')} not touch"
    yield Text(f" {capital(a.label)} {words} {thing(b.label)}.", "measured")
    yield from _yes(work, touch)


def _distance(work: Work) -> Iterator[Event]:
    unit = "px" if work.plan.unit == "px" else "m"
    if unit == "m":
        work.need_metres("a distance in metres", "pixels («… in pixels?»)")
    a, b = yield from _two(work, there=True)
    fact = m.distance(a, b, unit=unit)
    if fact.value is None:
        raise Abstain(fact.note)
    far = pretty(fact.value, fact.unit, work.plan.unit or None)
    if fact.value == 0:
        words = f"{verb(a.label, 'touches', 'touch')} {thing(b.label)}: the distance is {far}"
    elif unit == "px":
        words = f"{verb(a.label, 'does', 'do')} not touch {thing(b.label)}: the distance is {far}"
    else:
        words = f"{verb(a.label, 'lies')} {far} from {thing(b.label)}"
    yield Text(f" {capital(a.label)} {words}.", "measured")
    yield from _number(work, fact)


# ---- two and more dates ---------------------------------------------------------------------------------------------
def _change(work: Work) -> Iterator[Event]:
    first, last = work.pair()
    wanted = work.plan.unit
    unit = "m²" if wanted and to_base(1, wanted)[1] == "m²" else "%"
    if unit == "m²":
        work.need_metres("an area", "percent («… in percent?»)")
    label = work.plan.labels[0]
    before = yield from work.covers(label, first)
    yield Text(" ")
    after = yield from work.covers(label, last)
    lost, gained, net = (f(before, after, unit) for f in (m.loss, m.gain, m.net))
    if net.value is None:
        raise Abstain(net.note)
    yield Text(f" Between the two dates {thing(label)} {_lost_and_gained(before, after, wanted)}.", "measured")
    seen = net.clear_share
    if seen < WHOLE:
        share = pretty(100 * seen, "%")
        only = "Only " if seen < 0.5 else ""
        yield Text(f" {only}{share} of the {place_word(before.domain)} could be seen on both dates.", "measured")
    if work.plan.change.startswith("is "):  # «did it shrink», «has it grown»
        yield from _yes(work, net.value < 0 if work.plan.change == "is loss" else net.value > 0)
        return
    trend = work.plan.choices and pick_trend(work.plan.choices, net.value)
    if trend and trend.letter is not None:  # options such as «it increased»
        yield from _answer("increased" if net.value > 0 else "decreased" if net.value < 0 else "unchanged", trend)
        return
    for event in _number(work, {"loss": lost, "gain": gained}.get(work.plan.change, net)):
        if isinstance(event, Answer) and seen < 0.5:
            event = replace(event, text=f"{event.text} (of the {share} seen on both dates)")
        yield event


def _lost_and_gained(before: m.Region, after: m.Region, unit: str) -> str:
    """«was lost on 4.2 % of the clear pixels (0.5 ha) and gained on 0.3 % (400 m²); the net change is −3.9 % (…)»."""
    said = []
    for change in (m.loss, m.gain, m.net):
        share = change(before, after).value
        sign = "+" if change is m.net and share > 0 else ""  # a minus is written by `pretty`
        text = sign + pretty(share, "%") + (" of the clear pixels" if change is m.loss else "")
        if before.grid.has_metres:
            ground = pretty(change(before, after, "m²").value, "m²", unit if unit and unit != "%" else None)
            text += f" ({sign}{ground})"
        said.append(text)
    return f"{verb(before.label, 'was', 'were')} lost on {said[0]} and gained on {said[1]}; the net change is {said[2]}"


def _when(work: Work) -> Iterator[Event]:
    """On which date a class was largest or smallest; dates on which nothing could be seen are named and left out."""
    label, most = work.plan.labels[0], work.plan.task == "when largest"
    if not work.several:
        raise Abstain("this needs two dates or more, and the scene has one")
    seen = [x for x in work.moments if (r := work.find(label, x)[1]) is None or r.domain.count]
    if len(seen) < 2:
        raise Abstain(f"of {len(work.moments)} dates, {len(seen)} could be seen")
    work.together(*((label, moment) for moment in seen))
    shares: dict[str, float] = {}
    for k, moment in enumerate(work.moments):
        if k:
            yield Text(" ")
        if moment in seen:
            region = yield from work.covers(label, moment)
            shares[work.day(moment)] = float(m.share(region).value)
        else:
            yield Text(f"On {work.day(moment)} nothing could be seen.")
    best = (max if most else min)(shares, key=shares.__getitem__)
    word = "largest" if most else "smallest"
    yield Text(f" {capital(label)} {verb(label, 'was', 'were')} {word} on {best}.", "measured")
    tied = [day for day, share in shares.items() if share == shares[best] and day != best]
    if tied:
        yield Text(f" It was equally large on {listed(tied)}; the earliest date is named.")
    yield from _label(work, best)


def _building_change(work: Work) -> Iterator[Event]:
    """Destroyed buildings among all: all of them as the first date shows them, the destroyed as the last does."""
    destroyed, among = work.plan.labels
    first, last = work.pair()
    before = yield from work.region(
        among, first, f"{work.opening(first)}there are ", f"{_parts(work, among, first)} {named(among)}"
    )
    yield Text(". ", "measured")
    after = yield from work.region(
        destroyed, last, f"{work.opening(last)}there are ", f"{_parts(work, destroyed, last)} {named(destroyed)}"
    )
    yield Text(".", "measured")
    total, lost = int(m.count(before).value), int(m.count(after).value)
    if not total:
        raise Abstain(f"there are no {named(among)} on {work.day(first)}")
    seen = before.domain.both(after.domain).clear_share
    if seen < WHOLE:
        yield Text(
            f" {pretty(100 * seen, '%')} of the {place_word(before.domain)} could be seen on both dates.", "measured"
        )
    yield from _number(work, replace(m.share(before), value=100 * lost / total))


def _parts(work: Work, label: str, moment: Moment) -> int:
    region = work.find(label, moment)[1]
    return 0 if region is None else int(m.count(region).value or 0)


_TASKS = {
    "coverage": _coverage, "area": _area, "comparison": _comparison, "smaller": _comparison, "largest": _ranking,
    "smallest": _ranking, "ranking": _ranking, "adjacency": _adjacency, "distance": _distance, "counting": _counting,
    "existence": _existence, "location": _location, "change": _change,
    "when largest": _when, "when smallest": _when, "building change": _building_change,
}  # fmt: skip
