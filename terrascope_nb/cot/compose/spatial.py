"""L2-spatial: questions that need several regions of one picture, composed from what each of them measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import permutations

import numpy as np

from terrascope_nb.cot.compose import figures
from terrascope_nb.cot.compose.asking import START, classes, differ, label_question, others
from terrascope_nb.cot.compose.draft import Class, Draft, Written, chosen, names, options
from terrascope_nb.cot.compose.known import Known
from terrascope_nb.cot.compose.layout import bearing, quarter
from terrascope_nb.cot.compose.nearness import nearest_class, share_of_nearest, size_of_nearest
from terrascope_nb.reason.solve.phrases import named, thing
from terrascope_nb.reason.units import pretty


# ---- adjacency and size ---------------------------------------------------------------------------------------------
def largest_neighbour(known: Known, rng: np.random.Generator) -> Written | None:
    """Which of the classes that touch another one is the largest, or the smallest."""
    labels = classes(known, rng)
    for target in labels:
        near = [x for x in others(target, labels) if known.touch(target, x)][:4]
        order = known.by_size(labels=near)
        small = rng.random() < 0.3
        order = order[::-1] if small else order
        if len(order) < 2 or not differ(known.share(order[0]), known.share(order[1])):
            continue
        draft = Draft(known, rng)
        shown = {"bcde"[k]: Class(x) for k, x in enumerate(near)}
        text = ", ".join(f"{{{k}}}" for k in list(shown)[:-1]) + f" and {{{list(shown)[-1]}}}"
        draft.say((f"{{A}} <touches/touch> {text}.", f"{{A}} <borders/border> {text}."), a=Class(target), **shown)
        for x in near:
            figures.covers(draft, Class(x))
        rest = names(order[1:])
        word = "smaller" if small else "larger"
        draft.say((f"{{A}} <is/are> {word} than {rest}.", f"Of these, {{a}} <is/are> {word} than {rest}."), a=order[0])
        what = "smallest" if small else "largest"
        ask = (
            "Which of the classes that touch {t} is the {what}?",
            "Which is the {what} of {list}, which {all} border {t}?",
            "Among the neighbours of {t} in the list, which class has the {what} area?",
        )
        what = what if len(near) > 2 else "smaller" if small else "larger"
        words = {
            "t": thing(target),
            "what": what,
            "list": names(sorted(near)),
            "all": "both" if len(near) == 2 else "all",
        }
        return label_question("largest_neighbour", draft, ask, order[0], list(order[1:]), (target, *near), **words)
    return None


def touch_and_size(known: Known, rng: np.random.Generator) -> Written | None:
    """Whether two classes touch, and which is the larger."""
    labels = classes(known, rng)
    pairs = [(a, b) for k, a in enumerate(labels) for b in labels[k + 1 :] if differ(known.share(a), known.share(b))]
    apart = [p for p in pairs if not known.touch(*p)]
    pairs = apart if apart and rng.random() < 0.5 else pairs
    if not pairs:
        return None
    a, b = pairs[0]
    draft = Draft(known, rng)
    figures.covers(draft, Class(a))
    figures.covers(draft, Class(b))
    figures.larger(draft, a, b)
    figures.touch(draft, a, b)
    yes, larger = known.touch(a, b), known.by_size(labels=(a, b))[0]
    texts = {
        (t, x): f"they {'touch' if t else 'do not touch'}, and the larger is {thing(x)}"
        for t in (True, False) for x in (a, b)
    }  # fmt: skip
    choices, letter = options(rng, texts[yes, larger], [v for k, v in texts.items() if k != (yes, larger)])
    ask = (
        "Do {a} and {b} touch, and which of them is the larger?",
        "What holds for {a} and {b}: are they neighbours, and which of the two covers more?",
    )
    question = draft.pick(ask).format(a=thing(a), b=thing(b))
    said = chosen(choices, letter)
    return Written("l2-spatial", "touch_and_size", question, draft, said, choices, letter, (a, b))


def common_neighbour(known: Known, rng: np.random.Generator) -> Written | None:
    """Which class touches both of two others."""
    labels = classes(known, rng)
    for a, b in permutations(labels, 2):
        rest = [x for x in labels if x not in (a, b)]
        both = [x for x in rest if known.touch(a, x) and known.touch(b, x)]
        wrong = [x for x in rest if x not in both][:3]
        if a > b or not both or not wrong:
            continue
        draft = Draft(known, rng)
        draft.say(("I find {a} and {b}.", "The two regions asked about are {a} and {b}."), a=a, b=b)
        for x in sorted((both[0], *wrong)):
            figures.touch(draft, x, a)
            figures.touch(draft, x, b)
        draft.say(("That leaves {a}.", "The class asked for is {a}."), a=both[0])
        ask = ("Which class touches both {a} and {b}?", "Which of these classes is a neighbour of both {a} and {b}?")
        words = {"a": thing(a), "b": thing(b)}
        return label_question("common_neighbour", draft, ask, both[0], wrong, (a, b, both[0], *wrong), **words)
    return None


def no_neighbour(known: Known, rng: np.random.Generator) -> Written | None:
    """Which of several classes does not touch another one, and how far away it is."""
    labels = classes(known, rng)
    for target in labels:
        rest = others(target, labels)
        near, far = ([x for x in rest if known.touch(target, x) is want] for want in (True, False))
        if not near or not far:
            continue
        group = sorted((far[0], *near[:3]))
        draft = Draft(known, rng)
        draft.say(START, a=target)
        for x in group:
            figures.touch(draft, x, target)
        figures.gap(draft, far[0], target)
        ask = (
            "Which of these classes does not touch {t}?",
            "Which of these classes is the only one that does not border {t}?",
        )
        return label_question(
            "no_neighbour", draft, ask, far[0], near[:3], (target, *group), t=thing(target)
        )  # fmt: skip
    return None


# ---- distribution ---------------------------------------------------------------------------------------------------
_EIGHT = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")


def direction(known: Known, rng: np.random.Generator) -> Written | None:
    """In which direction the middle of one class lies from that of another."""
    labels = classes(known, rng)
    for a, b in permutations(labels, 2):
        way = bearing(known.region(a), known.region(b))
        if way is None:
            continue
        draft = Draft(known, rng)
        for x in (a, b):
            figures.covers(draft, Class(x))
            figures.place(draft, Class(x))
        draft.say(
            ("{A} <lies/lie> to the {way} of {b}.", "Seen from there, {a} <lies/lie> to the {way} of {b}."),
            a=a, b=b, way=way,
        )  # fmt: skip
        turn = _EIGHT.index(way)
        wrong = [_EIGHT[(turn + step) % 8] for step in (2, 4, 6)]
        choices, letter = options(rng, way, wrong)
        ask = (
            "In which direction from {b} does {a} lie, middle to middle?",
            "Where is the middle of {a}, seen from the middle of {b}?",
        )
        question = draft.pick(ask).format(a=thing(a), b=thing(b))
        said = chosen(choices, letter)
        return Written("l2-spatial", "direction", question, draft, said, choices, letter, (a, b))
    return None


def quarters(known: Known, rng: np.random.Generator) -> Written | None:
    """In which quarter of the picture most of each of two classes lies."""
    held = {x: quarter(known.region(x)) for x in classes(known, rng)}
    fit = [x for x, q in held.items() if q is not None and known.place(x) == q]
    if len(fit) < 2:
        return None
    a, b = fit[:2]
    draft = Draft(known, rng)
    for x in (a, b):
        figures.covers(draft, Class(x))
        draft.say(
            ("Most of {a} lies in the {q} quarter of the {p}.", "{A} <lies/lie> mostly in the {q} quarter of the {p}."),
            a=x, q=held[x], p=draft.picture,
        )  # fmt: skip
    right = (held[a], held[b])
    corners = ("north-east", "south-east", "south-west", "north-west")
    every = [(p, q) for p in corners for q in corners if (p, q) != right]
    wrong = [every[k] for k in rng.choice(len(every), 3, replace=False)]
    texts = [f"{named(a)} in the {p}, {named(b)} in the {q}" for p, q in (right, *wrong)]
    choices, letter = options(rng, texts[0], texts[1:])
    ask = (
        "In which quarters of the picture do {a} and {b} have most of their area?",
        "If the picture is divided into four quarters, which of them hold most of {a} and most of {b}?",
    )
    question = draft.pick(ask).format(a=thing(a), b=thing(b))
    return Written("l2-spatial", "quarters", question, draft, chosen(choices, letter), choices, letter, (a, b))


# ---- sizes together -------------------------------------------------------------------------------------------------
def order_of_size(known: Known, rng: np.random.Generator) -> Written | None:
    """The order of three classes by size."""
    labels = classes(known, rng)
    order: tuple[str, ...] = ()
    for x in known.by_size(labels=labels):
        if not order or differ(known.share(order[-1]), known.share(x)):
            order += (x,)
    if len(order) < 3:
        return None
    first = int(rng.integers(len(order) - 2))
    order = order[first : first + 3]
    draft = Draft(known, rng)
    for x in (order[k] for k in rng.permutation(3)):
        figures.covers(draft, Class(x))
    a, b, c = (thing(x) for x in order)
    draft.say(("In order of size: {all}.", "From the largest to the smallest: {all}."), all=f"{a}, {b}, {c}")
    every = [p for p in permutations(order) if p != order]
    wrong = [every[k] for k in rng.choice(len(every), 3, replace=False)]
    choices, letter = options(rng, *_orders(order, wrong))
    ask = ("Order {list} by area, the largest first.", "Which order of {list} runs from the largest to the smallest?")
    question = draft.pick(ask).format(list=names(sorted(order)))
    return Written("l2-spatial", "order_of_size", question, draft, chosen(choices, letter), choices, letter, order)


def _orders(right: tuple[str, ...], wrong: list[tuple[str, ...]]) -> tuple[str, list[str]]:
    right_text, *texts = [" > ".join(named(x) for x in p) for p in (right, *wrong)]
    return right_text, texts


def share_together(known: Known, rng: np.random.Generator) -> Written | None:
    """Whether two classes together cover more of the picture than a third one."""
    labels = classes(known, rng)
    if len(labels) < 3:
        return None
    big = known.by_size(labels=labels)[0]
    a, b = others(big, labels)[:2]
    both = known.share(a) + known.share(b)
    if not differ(both, known.share(big)):
        return None
    draft = Draft(known, rng)
    for x in (a, b, big):
        figures.covers(draft, Class(x))
    draft.say(
        ("Together, {a} and {b} make up {share}.", "{A} and {b} together make up {share}."),
        a=a, b=b, share=pretty(both, "%"),
    )  # fmt: skip
    more = both > known.share(big)
    word = "greater" if more else "smaller"
    draft.say((f"So the sum is the {word} figure.", f"Of the two figures, the sum is the {word} one."))
    choices, letter = options(rng, "yes" if more else "no", ["no" if more else "yes"])
    ask = ("Do {a} and {b} together take up more than {c}?", "Is {c} smaller than {a} and {b} taken together?")
    one, other = sorted((a, b))
    question = draft.pick(ask).format(a=thing(one), b=thing(other), c=thing(big))
    said = chosen(choices, letter)
    return Written("l2-spatial", "share_together", question, draft, said, choices, letter, (a, b, big))


FORMS: Mapping[str, Callable[[Known, np.random.Generator], Written | None]] = {
    f.__name__: f
    for f in (
        nearest_class, size_of_nearest, share_of_nearest, largest_neighbour, touch_and_size, common_neighbour,
        no_neighbour, direction, quarters, order_of_size, share_together,
    )
}  # fmt: skip
"""Every form of question; each gives None where the picture does not allow it a clear answer."""
