"""Cap-CoT: a caption whose reasoning cites each class, one after the other."""

from __future__ import annotations

import numpy as np

from terrascope_nb.cot.compose import figures
from terrascope_nb.cot.compose.draft import Class, Draft, Written, names
from terrascope_nb.cot.compose.known import Known
from terrascope_nb.cot.compose.pictures import pictures, taken
from terrascope_nb.reason.solve.phrases import capital, listed, thing, verb

_ASK = (
    "Describe the land cover of {this}, class by class.",
    "What does {this} show? Go through the land-cover classes: how much, where, beside what.",
    "Write a caption for {this}. Cite the region of every class.",
    "Give a detailed description of {this}, with the region of each land-cover class.",
)
_ASK_TWO = (
    "Describe {this}, and what changed between the two dates.",
    "What do {this} show, and how did the land cover change from the first to the second?",
    "Write a caption for {this} that names the land cover and its change. Cite the region of every class.",
)
_ORDER = (
    "The largest class is {first}, before {rest}.",
    "In order of size: {all}.",
    "{First} <is/are> the largest class, followed by {next}.",
)


def caption(known: Known, rng: np.random.Generator) -> Written | None:
    """A caption of one date; None where no class is there."""
    order = known.by_size()
    if not order:
        return None
    draft = Draft(known, rng)
    classes = order if rng.random() < 0.7 else tuple(order[k] for k in rng.permutation(len(order)))
    for label in classes:
        it = Class(label)
        figures.covers(draft, it)
        figures.place_and_parts(draft, it)
        figures.neighbours(draft, it, known.touching(label))
    sizes = [known.region(x).count for x in order]
    if len(order) > 1 and len(set(sizes)) == len(sizes):
        draft.say(
            _ORDER, about=order[0], first=thing(order[0]), First=capital(order[0]), next=thing(order[1]),
            rest=names(order[1:]), all=", ".join(thing(x) for x in order),
        )  # fmt: skip
    question = draft.pick(_ASK).format(this=pictures(known, rng))
    return Written("caption", "caption", question, draft, _summary(draft, order), labels=order)


def _summary(draft: Draft, order: tuple[str, ...]) -> str:
    """The caption itself: picture, sensors, resolution, date and place, then the classes."""
    known, main = draft.known, order[:3]
    shown = listed([figures.shown_share(draft, x) for x in main])
    text = f"{taken(known, draft.rng)} {shown}."
    if len(order) > 3:
        rest = order[3:]
        few = draft.pick(("Smaller parts are", "The rest is", "Besides, the picture holds"))
        text += f" {few} {listed([figures.shown_share(draft, x) for x in rest])}."
    top = order[0]
    where = known.place(top)
    text += draft.pick((
        f" {capital(top)} {verb(top, 'has its', 'have their')} middle in the {where}",
        f" {capital(top)} {verb(top, 'lies', 'lie')} on the whole in the {where}",
    ))  # fmt: skip
    near = known.touching(top)
    return text + (f" and {verb(top, 'touches', 'touch')} {names(near)}." if near else ".")


def caption_of_change(known: Known, rng: np.random.Generator) -> Written | None:
    """A caption of two dates: each class on both, and its net change; None where no class is on both."""
    last = len(known.moments) - 1
    both = [x for x in known.by_size() if x in known.labels(last) and known.change("net", x).value is not None]
    if not both:
        return None
    draft = Draft(known, rng)
    for label in both:
        for date in (0, last):
            figures.covers(draft, Class(label, date))
        figures.net(draft, label)
    for label in (x for x in known.labels(last) if x not in both and x not in known.labels(0)):
        figures.covers(draft, Class(label, last))
    moved = [x for x in both if known.change("net", x).value]
    question = draft.pick(_ASK_TWO).format(this=pictures(known, rng))
    said = _change_summary(draft, both, moved)
    return Written("caption", "caption_of_change", question, draft, said, labels=tuple(both))


def _change_summary(draft: Draft, both: list[str], moved: list[str]) -> str:
    text = f"{taken(draft.known, draft.rng)} {names(both)}."
    up = [x for x in moved if float(draft.known.change("net", x).value) > 0]  # type: ignore[arg-type]
    down = [x for x in moved if x not in up]
    for labels, one in ((up, "grew"), (down, "shrank")):
        text += "".join(f" {capital(x)} {one} by {figures.net_share(draft, x)}." for x in labels)
    return text if moved else f"{text} None of these classes changed in size."
