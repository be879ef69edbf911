"""Which option fits a result: the nearest number, the class, the place, yes or no.

Each `pick_…` says why; `choose_…` of `answers` gives the letter alone.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.units import NUMBER_PATTERN, UNIT_PATTERN, convert, number, to_base, unit_of
from terrascope_nb.scene.classes import canonical, mentions


@dataclass(frozen=True)
class Picked:
    """An option: its `letter` (None when none fits) and `why`, one plain sentence."""

    letter: str | None
    why: str


@dataclass(frozen=True)
class Span:
    """What an option's text says: from `low` to `high` (equal for one number) in `unit` ("" when none is written)."""

    low: float
    high: float
    unit: str


_RANGE = re.compile(r"(?<=[\d%²a-z)])\s*(?:-|–|—|\bto\b|\band\b)\s*(?=\d)", re.IGNORECASE)
_QUANTITY = re.compile(rf"(?<![\w.])(?P<n>{NUMBER_PATTERN})\s*(?P<u>{UNIT_PATTERN})?", re.IGNORECASE)
_BELOW = re.compile(r"^\s*(?:<|≤|<=|less than|fewer than|under|below|at most|up to)", re.IGNORECASE)
_ABOVE = re.compile(r"^\s*(?:>|≥|>=|more than|over|above|at least)", re.IGNORECASE)
_WORDS = {w: i for i, w in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen"
    " nineteen twenty".split())} | {"none": 0}  # fmt: skip
_LONGEST = 400


def read_span(text: str) -> Span | None:
    """Read the number or range in an option's text; None when there is none.

    Examples
    --------
    >>> read_span("10–20 %"), read_span("about 1,200 m"), read_span("more than 5 ha").high
    (Span(low=10.0, high=20.0, unit='%'), Span(low=1200.0, high=1200.0, unit='m'), inf)
    """
    text = text[:_LONGEST].strip()
    word = _WORDS.get(text.lower().rstrip("."))
    if word is not None:
        return Span(word, word, "")
    parted = _RANGE.split(text)
    found = [m for m in (_QUANTITY.search(p) for p in parted) if m]
    if not found:
        return None
    values = [number(m["n"]) for m in found[:2]]
    units = [unit_of(m["u"]) for m in found[:2] if m["u"]]
    unit = units[-1] if units else ""
    if len(values) == 2 and len(parted) == 2:
        low, high = values
        if len(units) == 2 and units[0] != units[1]:
            try:
                low = convert(low, units[0], units[1])
            except InvalidInput:
                return None
        return Span(min(low, high), max(low, high), unit)
    if _BELOW.match(text):
        return Span(-math.inf, values[0], unit)
    if _ABOVE.match(text):
        return Span(values[0], math.inf, unit)
    return Span(values[0], values[0], unit)


def pick_number(choices, value: float, unit: str) -> Picked:
    """The option nearest to a value.

    Units are converted; an option without a unit has the one the others share, else the value's own. Shares whose
    options are all written between 0 and 1 without a unit are read as fractions. Inside a range the difference is 0. A
    tie goes to the first.

    Parameters
    ----------
    choices : Choices
    value : float
        In `unit`.
    unit : str
        "%", "m²", "m", "px", "" or any unit of `units`.
    """
    if not math.isfinite(value):
        return Picked(None, f"{value} is no number to choose by")
    spans = [read_span(t) for t in choices.texts]
    written = {s.unit for s in spans if s and s.unit}
    common = written.pop() if len(written) == 1 else unit
    bare = [s for s in spans if s]
    fraction = (
        unit == "%"
        and bool(bare)
        and all(not s.unit and 0 <= s.low and s.high <= 1 for s in bare)
        and any(s.high % 1 for s in bare)
    )  # fmt: skip
    base, kind = to_base(value, unit)
    nearest: list[tuple[float, str]] = []
    for letter, span in zip(choices.letters, spans, strict=True):
        if span is None:
            continue
        factor = 100.0 if fraction else 1.0
        try:
            low, high = (convert(x * factor, span.unit or common, kind) for x in (span.low, span.high))
        except InvalidInput:
            continue
        nearest.append((max(low - base, base - high, 0.0), letter))
    if not nearest:
        return Picked(None, f"no option holds a number that {unit or 'a count'} can be compared with")
    least = min(d for d, _ in nearest)
    if not math.isfinite(least):
        return Picked(None, "no option is at a finite distance")
    tied = [letter for d, letter in nearest if d <= least + 1e-9 * max(1.0, abs(base))]
    tie = f"; {', '.join(tied)} are equally near, the first is taken" if len(tied) > 1 else ""
    off = f"off by {least:g} {kind}".rstrip() if least else "equal to it or in its range"
    return Picked(tied[0], f"{tied[0]} is nearest ({off}{tie})")


_ESCAPE = re.compile(
    r"\b(?:none of (?:the above|these|them)|cannot (?:be )?(?:determined?|told|say)|can't (?:tell|say)|unknown"
    r"|not sure|uncertain"
    r"|unable to|insufficient|all of the above)\b",
    re.IGNORECASE,
)
_NONE = re.compile(r"\bnone of (?:the above|these|them)\b", re.IGNORECASE)
_EQUAL = re.compile(r"\b(?:equal(?:ly)?|same|identical|neither|tie)\b", re.IGNORECASE)
_LARGER = re.compile(r"\b(?:larger|bigger|greater|more|exceeds?)\b", re.IGNORECASE)
_SMALLER = re.compile(r"\b(?:smaller|less|fewer)\b", re.IGNORECASE)
_PLACES = {
    "n": "north", "s": "south", "e": "east", "w": "west", "ne": "north-east", "nw": "north-west", "se": "south-east",
    "sw": "south-west", "top": "north", "bottom": "south", "upper": "north", "lower": "south", "left": "west",
    "right": "east",     "center": "centre", "middle": "centre", "central": "centre",
}  # fmt: skip


def is_escape(text: str) -> bool:
    """Whether an option names no result («none of the above», «equal», «cannot be determined»)."""
    return bool(_ESCAPE.search(text[:_LONGEST]) or (_EQUAL.search(text[:_LONGEST]) and not mentions(text[:_LONGEST])))


def label_of(text: str) -> str | None:
    """The one class that an option's text names; None for none or several.

    Examples
    --------
    >>> label_of("Forest (trees)"), label_of("water and crops"), label_of("Forest is larger than water")
    ('tree cover', None, 'tree cover')
    """
    text = text[:_LONGEST]
    found = list(dict.fromkeys(m.label for m in _safe_mentions(text)))
    if re.search(r"\b(?:no|not|non)\b", text, re.IGNORECASE):
        return None
    if len(found) == 1:
        return found[0]
    if len(found) == 2 and re.search(r"\bthan\b", text, re.IGNORECASE):
        larger, smaller = bool(_LARGER.search(text)), bool(_SMALLER.search(text))
        if larger != smaller:
            return found[0] if larger else found[1]
    return None


def _safe_mentions(text: str):
    return mentions(text.replace("ı", "i").replace("İ", "I").replace("ſ", "s"))


def _place(text: str) -> str | None:
    """Compass name of an option: «upper left», «Northwest», «NW part»."""
    words = re.sub(r"(north|south)[\s-]?(east|west)", r"\1-\2", text[:_LONGEST].lower())
    words = re.sub(r"(north|south|east|west)ern\b", r"\1", words)
    names = []
    for word in re.findall(r"[a-z]+(?:-[a-z]+)*", words):
        for piece in [word] if word.startswith(("north-", "south-")) else word.split("-"):
            name = _PLACES.get(piece, piece)
            if name in _COMPASS:
                names.append(name)
            elif piece not in _PLACE_FILLER:
                return None
    if len(names) == 2 and names[0] in ("north", "south") and names[1] in ("east", "west"):
        return "-".join(names)
    return names[0] if len(set(names)) == 1 else None


_COMPASS = frozenset(
    ("north", "south", "east", "west", "north-east", "north-west", "south-east", "south-west", "centre")
)
_PLACE_FILLER = frozenset(
    "the in of at to towards part side corner area region quadrant half scene image picture it lies is".split()
)


def pick_label(choices, label: str) -> Picked:
    """The option that names a result: a class by any of its words, a place of the compass, an order of classes,
    «equal».

    Parameters
    ----------
    choices : Choices
    label : str
        "tree cover", "north-west", "equal", or labels in order, "water, tree cover".
    """
    wanted = str(label).strip()
    tests = (
        lambda t: t.strip().casefold() == wanted.casefold(),
        lambda t: canonical(t) == canonical(wanted) or label_of(t) == canonical(wanted),
        lambda t: (
            "," in wanted
            and [m.label for m in _safe_mentions(t[:_LONGEST])] == [canonical(p) for p in wanted.split(",")]
        ),
        lambda t: wanted in _COMPASS and _place(t) == wanted,
        lambda t: wanted == "equal" and bool(_EQUAL.search(t[:_LONGEST])),
    )
    for fits in tests:
        letters = [letter for letter, text in choices.items() if fits(text)]
        if letters:
            more = f"; {', '.join(letters)} all do, the first is taken" if len(letters) > 1 else ""
            return Picked(letters[0], f"{letters[0]} names {wanted}{more}")
    none = [letter for letter, text in choices.items() if _NONE.search(text[:_LONGEST])]
    rest = [t for _, t in choices.items() if not _NONE.search(t[:_LONGEST])]
    if len(none) == 1 and all(label_of(t) or _place(t) for t in rest):
        return Picked(none[0], f"no option names {wanted}, and {none[0]} says so")
    return Picked(None, f"no option names {wanted}")


_YES = re.compile(r"\b(?:yes|true|correct|adjacent|touch(?:es|ing)?|border(?:s|ing)?|neighbou?ring|connected"
                  r"|contiguous|present|exists?|visible|"
                  r"shared?|shares|they do|there (?:is|are)|in contact|meet)\b", re.IGNORECASE)  # fmt: skip
_NO = re.compile(r"\b(?:no|false|not|never|absent|separate[d]?|disjoint|apart|incorrect|untrue|disconnected|isolated"
                 r"|without|nowhere|distant)\b|n't\b"
                 r"|\b(?:non|un)-?(?:adjacent|connected|touching)\b", re.IGNORECASE)  # fmt: skip


def reads_yes(text: str) -> bool | None:
    """Whether an option means yes or no; None when it means neither. A leading «yes» or «no» decides.

    Examples
    --------
    >>> reads_yes("Yes"), reads_yes("They are not adjacent"), reads_yes("They touch"), reads_yes("42 m")
    (True, False, True, None)
    """
    text = text[:_LONGEST].strip()
    lead = re.match(r"(yes|true|no|false)\b", text, re.IGNORECASE)
    if lead:
        return lead.group(1).lower() in ("yes", "true")
    if _NO.search(text):
        return False
    return True if _YES.search(text) else None


def pick_bool(choices, value: bool) -> Picked:
    """The option that means yes, or no."""
    word = "yes" if value else "no"
    letters = [letter for letter, text in choices.items() if reads_yes(text) is bool(value)]
    if not letters:
        return Picked(None, f"no option means {word}")
    more = f"; {', '.join(letters)} all do, the first is taken" if len(letters) > 1 else ""
    return Picked(letters[0], f"{letters[0]} means {word}{more}")


_TRENDS = (
    (1, re.compile(r"\b(?:increas|grew|grow|expand|gain|larger|more|rose|up\b)", re.IGNORECASE)),
    (
        -1,
        re.compile(
            r"\b(?:decreas|shrank|shrunk|shrink|declin|lost|loss|reduc|smaller|less|fell|down\b)", re.IGNORECASE
        ),
    ),
    (0, re.compile(r"\b(?:unchanged|no (?:\w+ )?change|stable|same|constant|not change|stayed|remain)", re.IGNORECASE)),
)


def pick_trend(choices, net: float) -> Picked:
    """The option that says grown, shrunk or unchanged, by the sign of a net change."""
    sign = (net > 0) - (net < 0)
    word = {1: "grown", -1: "shrunk", 0: "unchanged"}[sign]
    for letter, text in choices.items():
        said = [s for s, p in reversed(_TRENDS) if p.search(text[:_LONGEST])]
        if said and said[0] == sign:
            return Picked(letter, f"{letter} says {word}")
    return Picked(None, f"no option says {word}")
