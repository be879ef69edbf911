"""L2-semantic: questions that need to know what land is for. Each rests on one stated rule over measured figures.

The rules are rules of thumb; a threshold stands in each reasoning, and the answer says no more than the rule does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from terrascope_nb.cot.compose import figures
from terrascope_nb.cot.compose.draft import Class, Draft, Written, chosen, options
from terrascope_nb.cot.compose.known import Known
from terrascope_nb.cot.compose.thumb_rules import NEAR, TRENDS, Near, Trend
from terrascope_nb.reason.solve.phrases import thing
from terrascope_nb.reason.units import pretty

LEAST = 1.0
"""Percent of the picture that a class needs for a rule to be applied to it."""

UNCHANGED = 0.5
"""How often a class that did not change at all is passed over, so that such answers do not fill the data."""

_BY_RULE = (
    "By this rule {what} is {level}.",
    "So, by the rule, {what} is {level}.",
    "The rule rates {what} as {level}.",
)


_VERDICT = ("By this rule the verdict is: {level}.", "So the rule says: {level}.", "The rule gives: {level}.")


def _finish(
    draft: Draft, key: str, ask: Sequence[str], levels: Sequence[str], level: str, labels: tuple[str, ...]
) -> Written:
    choices, letter = options(draft.rng, level, [x for x in levels if x != level])
    words = {"ab"[k]: thing(x) for k, x in enumerate(labels[:2])}
    question = draft.pick(ask).format(**words)
    return Written("l2-semantic", key, question, draft, chosen(choices, letter), choices, letter, labels)


def _there(known: Known, *labels: str, date: int = 0) -> bool:
    return all(x in known.labels(date) and known.share(x, date) >= LEAST for x in labels)


def _near(rule: Near, known: Known, rng: np.random.Generator) -> Written | None:
    asset = next((x for x in rule.assets if _there(known, x)), None)
    if asset is None or not _there(known, rule.source) or not known.grid.has_metres:
        return None
    draft = Draft(known, rng)
    draft.say(rule.why)
    for x in (asset, rule.source):
        if rng.random() < 0.6:
            figures.covers(draft, Class(x))
    figures.gap(draft, asset, rule.source)
    first, second, third = rule.levels
    draft.say(
        (
            f"The rule: is the distance up to {rule.near:g} m ({first}), up to {rule.far:g} m ({second}) or "
            f"more ({third})?",
            f"The rule of thumb asks: at most {rule.near:g} m ({first}), at most {rule.far:g} m ({second}), or "
            f"farther ({third})?",
        )
    )
    far = known.gap(asset, rule.source)
    level = first if far <= rule.near else second if far <= rule.far else third
    draft.say(_BY_RULE, what=rule.what, level=level)
    draft.say(rule.limit)
    return _finish(draft, rule.key, rule.ask, rule.levels, level, (asset, rule.source))


# ---- one date -------------------------------------------------------------------------------------------------------
def irrigation(known: Known, rng: np.random.Generator) -> Written | None:
    """Whether fields could be watered from what lies near: enough water, near enough."""
    if "cropland" not in known.labels() or "water" not in known.labels() or not known.grid.has_metres:
        return None
    draft = Draft(known, rng)
    draft.say(("Irrigation needs enough open water, and a short way to the fields.",
               "To irrigate fields, there must be enough water, and it must be near."))  # fmt: skip
    figures.covers(draft, Class("water"))
    figures.covers(draft, Class("cropland"))
    figures.gap(draft, "cropland", "water")
    draft.say(("The rule: does the water cover at least 1 % of the picture, and is it at most 500 m from the fields?",))
    met = int(known.share("water") >= 1.0) + int(known.gap("cropland", "water") <= 500)
    level = ("poor", "limited", "good")[met]
    draft.say((("Neither holds.",), ("One of these holds, the other does not.",), ("Both hold.",))[met])
    draft.say(_BY_RULE, what="the potential for irrigation", level=level)
    draft.say("Rights, depth and quality of the water are not looked at.")
    ask = ("How good is the potential to irrigate {a} from {b} in this place?",
           "How well could {a} here be irrigated, judged by the amount and the distance of {b}?")  # fmt: skip
    return _finish(draft, "irrigation_potential", ask, ("good", "limited", "poor"), level, ("cropland", "water"))


def fragmentation(known: Known, rng: np.random.Generator) -> Written | None:
    """Whether a forest is in one piece, by the number of its parts."""
    if not _there(known, "tree cover"):
        return None
    n = known.parts("tree cover")
    draft, it = Draft(known, rng), Class("tree cover")
    draft.say(("Animals of the forest need to get from one part of it to the next without crossing open land.",
               "A forest in many pieces has much edge and little core."))  # fmt: skip
    figures.covers(draft, it)
    figures.parts(draft, it)
    between = known.touching("tree cover")[:3]
    if n > 1 and between:
        shown = {"bcd"[k]: Class(x) for k, x in enumerate(between)}
        fields = [f"{{{k}}}" for k in shown]
        text = fields[0] if len(fields) == 1 else f"{', '.join(fields[:-1])} and {fields[-1]}"
        draft.say((f"{{A}} borders {text}.", f"{{A}} is adjacent to {text}."), a=it, **shown)
    draft.say(("The rule: is the forest in one or two parts (compact), in up to five (partly fragmented) or in more "
               "(fragmented)?",))  # fmt: skip
    levels = ("compact", "partly fragmented", "fragmented")
    level = levels[0 if n <= 2 else 1 if n <= 5 else 2]
    draft.say(_BY_RULE, what="the forest", level=level)
    ask = ("How fragmented is the forest in this place?", "Is {a} here compact or fragmented habitat?")
    return _finish(draft, "forest_fragmentation", ask, levels, level, ("tree cover", *between))


def urban_green(known: Known, rng: np.random.Generator) -> Written | None:
    """How much green there is for a settlement: vegetation against built-up area."""
    green = [x for x in ("tree cover", "grassland", "shrubland") if _there(known, x)]
    town = next((x for x in ("built-up", "building") if _there(known, x)), None)
    if town is None or not green:
        return None
    draft = Draft(known, rng)
    draft.say(("Trees and grass cool a settlement and give people room.",
               "Green land near houses cools them in summer and is used for leisure."))  # fmt: skip
    for x in (town, *green):
        figures.covers(draft, Class(x))
    total = sum(known.share(x) for x in green)
    if len(green) > 1:
        fields = {"abc"[k]: Class(x) for k, x in enumerate(green)}
        text = ", ".join(f"{{{k}}}" for k in list(fields)[:-1]) + f" and {{{list(fields)[-1]}}}"
        draft.say((f"Together, {text} make up {{share}}.",), share=pretty(total, "%"), **fields)
    draft.say(("The rule: is the green share at least three times the built-up one (ample), at least as large "
               "(sufficient) or smaller (scarce)?",))  # fmt: skip
    ratio = total / known.share(town)
    levels = ("ample", "sufficient", "scarce")
    level = levels[0 if ratio >= 3 else 1 if ratio >= 1 else 2]
    draft.say(_BY_RULE, what="the supply of green", level=level)
    draft.say("Who can reach the green land is not looked at.")
    ask = ("How well is {a} supplied with green land?", "Is there enough green land for {a} in this place?")
    return _finish(draft, "urban_green", ask, levels, level, (town, *green))


# ---- two dates ------------------------------------------------------------------------------------------------------
def _trend(rule: Trend, known: Known, rng: np.random.Generator) -> Written | None:
    last = len(known.moments) - 1
    if not _there(known, rule.label) or rule.label not in known.labels(last):
        return None
    net = known.change("net", rule.label)
    if net.value is None or net.values[2] is None:
        return None
    ratio = float(net.values[2])
    if not ratio and rng.random() < UNCHANGED:
        return None
    draft = Draft(known, rng)
    draft.say(rule.why)
    for date in (0, last):
        figures.covers(draft, Class(rule.label, date))
    if ratio:
        way = draft.pick(("grew", "expanded") if ratio > 0 else ("shrank", "decreased"))
        draft.say(
            ("Between the two dates {a} {way} by {size} of its former area.",
             "From the first date to the last {a} {way} by {size} of its former area."),
            a=rule.label, way=way, size=pretty(abs(ratio), "%"),
        )  # fmt: skip
    else:
        figures.net(draft, rule.label)
    strong, weak, same, up = rule.levels
    draft.say(
        f"The rule: is the net loss at least {rule.strong:g} % of the former area ({strong}), at least {rule.some:g} % "
        f"({weak}), is there a gain of at least {rule.some:g} % ({up}), or none of these ({same})?"
    )
    level = strong if ratio <= -rule.strong else weak if ratio <= -rule.some else up if ratio >= rule.some else same
    draft.say(_VERDICT, level=level)
    draft.say(rule.limit)
    return _finish(draft, rule.key, rule.ask, rule.levels, level, (rule.label,))


def damage_priority(known: Known, rng: np.random.Generator) -> Written | None:
    """How urgent help is, by the share of buildings that are destroyed."""
    last = len(known.moments) - 1
    if "building" not in known.labels() or "destroyed building" not in known.labels(last):
        return None
    every, lost = known.parts("building"), known.parts("destroyed building", last)
    by_polygons = known.labelled.counts.get(known.image(last), (lost, every))
    level = _priority(lost, every)
    if every < 5 or lost > every or _priority(*by_polygons) != level:  # masks of buildings that touch count as one
        return None
    draft = Draft(known, rng)
    draft.say(("Help goes first to where the largest part of the homes is lost.",
               "How urgent help is follows from how many of the buildings are gone."))  # fmt: skip
    figures.buildings(draft)
    draft.say(("The rule: is at least half of the buildings destroyed (highest), at least a fifth (high), at least a "
               "twentieth (moderate) or less (low)?",))  # fmt: skip
    draft.say(_BY_RULE, what="the priority", level=level)
    draft.say("The number of people is not looked at.")
    ask = ("Which priority should relief work have in this place?",
           "How urgent is help here, judged by the share of destroyed buildings?")  # fmt: skip
    return _finish(draft, "damage_priority", ask, _PRIORITIES, level, ("building", "destroyed building"))


_PRIORITIES = ("highest", "high", "moderate", "low")


def _priority(lost: int, every: int) -> str:
    share = lost / every if every else 0.0
    return _PRIORITIES[0 if share >= 0.5 else 1 if share >= 0.2 else 2 if share >= 0.05 else 3]


Form = Callable[[Known, np.random.Generator], Written | None]


def _with(rule: Near | Trend, run: Callable[..., Written | None]) -> Form:
    return lambda known, rng: run(rule, known, rng)


ONE_DATE: dict[str, Form] = {r.key: _with(r, _near) for r in NEAR} | {
    "irrigation_potential": irrigation, "forest_fragmentation": fragmentation, "urban_green": urban_green,
}  # fmt: skip
"""Rules for one date; each gives None where the classes it speaks of are not there."""

TWO_DATES: dict[str, Form] = {r.key: _with(r, _trend) for r in TRENDS} | {"damage_priority": damage_priority}
"""Rules for two dates."""


def rules(known: Known) -> dict[str, Form]:
    """The rules that fit the number of dates of a view."""
    return ONE_DATE if len(known.moments) == 1 else TWO_DATES
