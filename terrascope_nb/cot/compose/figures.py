"""Sentences about one class and about two: how large, where, how many parts, what it touches, how far away."""

from __future__ import annotations

from collections.abc import Sequence

from terrascope_nb.cot.compose.draft import Class, Draft, names
from terrascope_nb.reason.solve.phrases import counted, thing
from terrascope_nb.reason.units import pretty

_COVERS_AREA = (
    "{A} <covers/cover> {share} of the {whole}, {area}.",
    "{A} <takes/take> up {share} of the {whole} ({area}).",
    "{A} <makes/make> up {share} of the {whole}, which is {area}.",
    "I look for {a}, which <covers/cover> {share} of the {whole}, {area}.",
    "{A} <occupies/occupy> {share} of the {whole}, an area of {area}.",
    "{share} of the {whole} belongs to {a}, {area}.",
)
_COVERS = (
    "{A} <covers/cover> {share} of the {whole}.",
    "{A} <takes/take> up {share} of the {whole}.",
    "{A} <makes/make> up {share} of the {whole}.",
    "I look for {a}, which <covers/cover> {share} of the {whole}.",
    "{A} <occupies/occupy> {share} of the {whole}.",
    "{share} of the {whole} belongs to {a}.",
)
_PLACE = (
    "<Its/Their> middle lies in the {place} of the {picture}.",
    "On the whole, <it lies/they lie> in the {place} of the {picture}.",
    "Taken together, <it lies/they lie> in the {place} of the {picture}.",
)
_PLACE_PARTS = (
    "<Its/Their> middle lies in the {place} of the {picture}, and <it forms/they form> {parts}.",
    "<It forms/They form> {parts}, with the middle in the {place} of the {picture}.",
)
_PARTS = (
    "<It forms/They form> {n} separate patches.",
    "<It consists/They consist> of {n} separate parts.",
    "<It is/They are> split into {n} separate patches.",
)
_ONE_PART = ("<It forms/They form> a single patch.", "<It is/They are> one connected patch.")
_TOUCHES = (
    "<It touches/They touch> {others}.",
    "<It borders/They border> {others}.",
    "<It is/They are> adjacent to {others}.",
)
_TOUCH = ("{A} <touches/touch> {b}.", "{A} <borders/border> {b}.", "{A} <is/are> adjacent to {b}.")
_NO_TOUCH = ("{A} <does/do> not touch {b}.", "{A} <does/do> not border {b}.", "{A} <is/are> not adjacent to {b}.")
_APART = (
    "{A} <lies/lie> {gap} from {b}.",
    "The distance from {a} to {b} is {gap}.",
    "{A} <is/are> {gap} away from {b}.",
)
_TOUCH_GAP = ("{A} <touches/touch> {b}: the distance is {gap}.",)
_LARGER = ("{A} <is/are> larger than {b}.", "{A} <covers/cover> more than {b}.", "{A} <exceeds/exceed> {b} in size.")


def whole(draft: Draft) -> str:
    """What shares are of: the picture, or «clear pixels» where some of it do not count."""
    return draft.picture if draft.known.whole else "clear pixels"


def covers(draft: Draft, it: Class) -> None:
    """How large a class is."""
    known = draft.known
    share, area = pretty(known.share(it.label, it.date), "%"), known.area(it.label, it.date)
    said = _COVERS if area is None else _COVERS_AREA
    if draft.cited(it):
        said = tuple(x for x in said if x[:3] == "{A}")
    draft.say(said, a=it, share=share, whole=whole(draft), area="" if area is None else pretty(area, "m²"))


def place(draft: Draft, it: Class) -> None:
    """Where the class named last lies."""
    where = draft.known.place(it.label, it.date)
    draft.say(_PLACE, about=it, place=where, picture=draft.picture)


def parts(draft: Draft, it: Class) -> None:
    """How many parts the class named last has; buildings are counted as such."""
    n = draft.known.parts(it.label, it.date)
    if it.label in ("building", "destroyed building"):
        draft.say(f"{counted(it.label, n)}.", about=it)
    else:
        draft.say(_ONE_PART if n == 1 else _PARTS, about=it, n=n)


def place_and_parts(draft: Draft, it: Class) -> None:
    """Where the class named last lies and how many parts it has, in one sentence or in two."""
    n = draft.known.parts(it.label, it.date)
    if n > 1 and it.label not in ("building", "destroyed building") and draft.rng.random() < 0.5:
        where = draft.known.place(it.label, it.date)
        draft.say(_PLACE_PARTS, about=it, place=where, picture=draft.picture, parts=f"{n} separate patches")
        return
    for step in (place, parts) if draft.rng.random() < 0.5 else (parts, place):
        step(draft, it)


def neighbours(draft: Draft, it: Class, others: Sequence[str]) -> None:
    """What the class named last touches."""
    if others:
        draft.say(_TOUCHES, about=it, others=names(others))


def touch(draft: Draft, a: str, b: str, date: int = 0) -> None:
    """Whether two classes touch."""
    draft.say(_TOUCH if draft.known.touch(a, b, date) else _NO_TOUCH, a=Class(a, date), b=Class(b, date))


def gap(draft: Draft, a: str, b: str, date: int = 0) -> None:
    """How far two classes are apart."""
    far = draft.known.gap(a, b, date)
    text = pretty(far, draft.known.gap_unit)
    apart = _APART if draft.known.gap_unit == "m" else _APART[1:]
    draft.say(apart if far else _TOUCH_GAP, a=Class(a, date), b=Class(b, date), gap=text)


def larger(draft: Draft, a: str, b: str, date: int = 0) -> None:
    """Which of two classes covers more; says nothing where they are equally large."""
    one, other = (draft.known.region(x, date).count for x in (a, b))
    if one != other:
        a, b = (a, b) if one > other else (b, a)
        draft.say(_LARGER, a=Class(a, date), b=Class(b, date))


def shown_share(draft: Draft, label: str, date: int = 0) -> str:
    """«tree cover (24.6 %)»."""
    return f"{thing(label)} ({pretty(draft.known.share(label, date), '%')})"


def net(draft: Draft, label: str) -> None:
    """How a class changed from the first date to the last, of the pixels that are clear on both."""
    known = draft.known
    value = float(known.change("net", label).value)  # type: ignore[arg-type]
    lost, gained = (pretty(float(known.change(k, label).value), "%") for k in ("loss", "gain"))  # type: ignore[arg-type]
    if not value:
        draft.say(("Between the two dates {a} did not change in size.", "The size of {a} is unchanged."), a=label)
        return
    way = ("grew", "expanded", "increased") if value > 0 else ("shrank", "receded", "decreased")
    said = [
        "From the first date to the last {a} {way} by {size} of the {whole}.",
        "Between the two dates {a} {way} by {size} of the {whole}.",
    ]
    if known.change("loss", label).value and known.change("gain", label).value:
        said.append(
            "Between the two dates {a} <was/were> lost on {lost} of the {whole} and gained on {gained}; "
            "the net change is {net}."
        )
    draft.say(
        said, a=label, lost=lost, gained=gained, way=draft.pick(way),
        net=("+" if value > 0 else "") + pretty(value, "%"), size=pretty(abs(value), "%"), whole=whole(draft),
    )  # fmt: skip


def net_share(draft: Draft, label: str) -> str:
    """«3.2 % of the scene»: the size of a net change, without its sign."""
    return f"{pretty(abs(float(draft.known.change('net', label).value)), '%')} of the {whole(draft)}"  # type: ignore[arg-type]


def gain_and_loss(draft: Draft, label: str) -> None:
    """What a class lost, gained, and the net of both, in percent and on the ground."""
    known, said = draft.known, {}
    for kind in ("loss", "gain", "net"):
        value = float(known.change(kind, label).value)  # type: ignore[arg-type]
        sign = "+" if kind == "net" and value > 0 else ""
        ground = ""
        if known.grid.has_metres:
            ground = f" ({sign}{pretty(float(known.change(kind, label, 'm²').value), 'm²')})"  # type: ignore[arg-type]
        said[kind] = f"{sign}{pretty(value, '%')}{'' if kind != 'loss' else f' of the {whole(draft)}'}{ground}"
    draft.say(
        "Between the two dates {a} <was/were> lost on {loss} and gained on {gain}; the net change is {net}.",
        a=label, **said,
    )  # fmt: skip


def buildings(draft: Draft) -> tuple[int, int]:
    """How many buildings there were, and how many are destroyed on the last date; gives (destroyed, all)."""
    known, last = draft.known, len(draft.known.moments) - 1
    every, lost = known.parts("building"), known.parts("destroyed building", last)
    draft.say("There {be} {a}.", a=Class("building", 0, _number(every, "building")), be="is" if every == 1 else "are")
    draft.say(
        "There {be} {a}.",
        a=Class("destroyed building", last, _number(lost, "destroyed building")), be="is" if lost == 1 else "are",
    )  # fmt: skip
    return lost, every


def _number(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
