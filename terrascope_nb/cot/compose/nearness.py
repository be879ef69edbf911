"""L2-spatial questions that turn on distance: which class is the nearest to another, and how large it is."""

from __future__ import annotations

import numpy as np

from terrascope_nb.cot.compose import figures
from terrascope_nb.cot.compose.asking import START, classes, differ, label_question, others
from terrascope_nb.cot.compose.draft import Class, Draft, Written, chosen, names, options
from terrascope_nb.cot.compose.known import Known
from terrascope_nb.reason.answers import Choices
from terrascope_nb.reason.quiz.distractors import figures as numbers
from terrascope_nb.reason.solve.phrases import thing


def nearest_class(known: Known, rng: np.random.Generator) -> Written | None:
    """Which of several classes lies nearest to another one."""
    found = by_distance(known, rng)
    if found is None:
        return None
    target, group = found
    draft = Draft(known, rng)
    draft.say(START, a=target)
    for x in (group[k] for k in rng.permutation(len(group))):
        figures.gap(draft, x, target)
    draft.say(("So the nearest of them is {a}.", "The class that is reached first is {a}."), a=group[0])
    ask = (
        "Which of these classes lies nearest to {t}?",
        "Which land-cover class is the closest to {t}: {list}?",
        "Going out from {t}, which of these classes is reached first?",
    )
    words = {"t": thing(target), "list": names(sorted(group)).replace(" and ", " or ")}
    return label_question("nearest_class", draft, ask, group[0], list(group[1:]), (target, *group), **words)


def size_of_nearest(known: Known, rng: np.random.Generator) -> Written | None:
    """Whether the nearer of two classes is the larger one, too."""
    found = by_distance(known, rng, 2)
    if found is None or not differ(*(known.share(x) for x in found[1])):
        return None
    target, (near, far) = found
    draft = Draft(known, rng)
    draft.say(START, a=target)
    for x in (near, far):
        figures.gap(draft, x, target)
    for x in (near, far):
        figures.covers(draft, Class(x))
    figures.larger(draft, near, far)
    yes = known.share(near) > known.share(far)
    draft.say(
        ("{A}, the nearer class, is {also} the larger one.", "So the nearer class, {a}, is {also} the larger one."),
        a=near, also="also" if yes else "not",
    )  # fmt: skip
    choices, letter = options(rng, "yes" if yes else "no", ["no" if yes else "yes"])
    one, other = sorted((near, far))
    ask = (
        "Of {a} and {b}, is the class nearer to {t} also the larger one?",
        "Is the one of {a} and {b} that lies nearer to {t} also the larger one?",
    )
    question = draft.pick(ask).format(a=thing(one), b=thing(other), t=thing(target))
    said = chosen(choices, letter)
    return Written("l2-spatial", "size_of_nearest", question, draft, said, choices, letter, (target, near, far))


def share_of_nearest(known: Known, rng: np.random.Generator) -> Written | None:
    """How large a share of the picture the class nearest to another one covers."""
    found = by_distance(known, rng, 3)
    if found is None:
        return None
    target, group = found
    share = known.share(group[0])
    made = numbers(share, "%", rng, highest=100.0)
    if made is None:
        return None
    draft = Draft(known, rng)
    draft.say(START, a=target)
    for x in (group[k] for k in rng.permutation(len(group))):
        figures.gap(draft, x, target)
    draft.say(("So the class in question is {a}.", "The nearest of them, {a}, is the one to measure."), a=group[0])
    figures.covers(draft, Class(group[0]))
    choices = Choices.of(list(made.texts))
    letter = choices.letters[made.right]  # type: ignore[union-attr]
    ask = (
        "Among {list}, what share of the picture belongs to the class nearest to {t}?",
        "How large is the share of that class among {list} which lies nearest to {t}?",
    )
    question = draft.pick(ask).format(t=thing(target), list=names(sorted(group)))
    said = chosen(choices, letter)  # type: ignore[arg-type]
    return Written("l2-spatial", "share_of_nearest", question, draft, said, choices, letter, (target, *group))


def by_distance(known: Known, rng: np.random.Generator, most: int = 4) -> tuple[str, tuple[str, ...]] | None:
    """A class, and others in order of their distance from it of which the first is clearly the nearest."""
    labels = classes(known, rng)
    for target in labels:
        order = sorted(others(target, labels), key=lambda x: (known.gap(target, x), x))
        if len(order) < 2:
            continue
        gaps = [known.gap(target, x) for x in order]
        starts = [k for k in range(len(order) - 1) if differ(gaps[k], gaps[k + 1]) and gaps[k + 1] > 0]
        if starts:
            first = starts[0]
            return target, tuple(order[first : first + most])
    return None
