"""Skeletons: a sentence in which each label, figure, date and ``[SEG]`` is one private character, for short patterns
to read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from terrascope_nb.reason.verify.figures import DATE, IMAGE, MONTHS, Figure, Skipped, flatten
from terrascope_nb.scene.classes import Mention, canonical, mentions

When = tuple
"""Which image is meant: ("date", year, month, day) with None for what is not said, ("image", n), ("first",),
("last",)."""


@dataclass(frozen=True)
class Ref:
    """A region named in the text.

    Attributes
    ----------
    label : str
        Canonical label; «» for a bare ``[SEG]``.
    start, end : int
        Where it is named.
    seg : int or None
        k for the k-th ``[SEG]`` (from 0) that belongs to the name.
    when : tuple or None
        Date or image said of it, see `When`.
    """

    label: str
    start: int
    end: int
    seg: int | None = None
    when: When | None = None


# ---- the skeleton ----------------------------------------------------------------------------------------------------
_L0, _N0, _W0, _END = 0xF0000, 0xF4000, 0xF8000, 0xFC000
L, N, W = f"[{chr(_L0)}-{chr(_N0 - 1)}]", f"[{chr(_N0)}-{chr(_W0 - 1)}]", f"[{chr(_W0)}-{chr(_END - 1)}]"

_COVER = re.compile(
    r"\bland[ -]?(?:cover|use|surface|mass|scape)\b|\bsnow[ -]free\b|\bfield of view\b|\bground truth\b|"
    r"\bsea level\b|\bcloud[ -]free\b|\bon (?:the )?land\b"
)
_TAIL = re.compile(
    r"(?:[ -](?:areas?|regions?|class|bodies|body|surfaces?|cover|pixels?|patch(?:es)?|masks?|extent|"
    r"zones?|land|covered)(?!\w))*"
    r"(?P<seg>[ \"')(]{0,3}\[seg\]\)?)?"
)
_SEG = re.compile(r"\[seg\]")
_ORDINALS = {
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "1st": 1,
    "2nd": 2,
    "3rd": 3,
    "4th": 4,
    "5th": 5,
    "last": -1,
}
_WHEN = re.compile(
    r"(?<!\w)(?P<first>first|initial|earlier|earliest|previous|pre-event|older|start)(?= (?:image|date|"
    r"scene|acquisition|picture|observation|day|time|month|year|of the period))"
    r"|(?<!\w)(?P<last>last|later|latest|final|most recent|post-event|newer|subsequent)(?= (?:image|date|"
    r"scene|acquisition|picture|observation|day|time|month|year|of the period))"
    r"|(?<!\w)(?P<nth>second|third|fourth|fifth)(?= (?:image|date|scene|acquisition|picture|observation))"
)


@dataclass
class Sentence:
    """A sentence taken apart: `skeleton` with one character a token, `at` giving each character's place in the text."""

    flat: str
    start: int
    end: int
    skeleton: str
    at: list[int]
    ends: list[int]
    refs: list[Ref] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    whens: list[When] = field(default_factory=list)

    def span(self, i: int, j: int) -> tuple[int, int]:
        """Text positions of the skeleton's ``[i:j]``, white space around it left out."""
        while j > i + 1 and self.skeleton[j - 1].isspace():
            j -= 1
        while i < j - 1 and self.skeleton[i].isspace():
            i += 1
        return self.at[i], self.ends[j - 1]

    def ref(self, c: str) -> Ref:
        """The region of a label character."""
        return self.refs[ord(c) - _L0]

    def figure(self, c: str) -> Figure:
        """The figure of a number character."""
        return self.figures[ord(c) - _N0]

    def when(self, c: str) -> When:
        """The date of a date character."""
        return self.whens[ord(c) - _W0]

    def words(self, i: int) -> str:
        """What stands in the text at the skeleton's character `i`, flattened."""
        return self.flat[self.at[i] : self.ends[i]]

    def labels(self, part: str) -> list[Ref]:
        """The regions named in a part of the skeleton, in order."""
        return [self.ref(c) for c in part if _L0 <= ord(c) < _N0]


def is_label(c: str) -> bool:
    """Whether a skeleton's character stands for a label."""
    return _L0 <= ord(c) < _N0


def is_figure(c: str) -> bool:
    """Whether a skeleton's character stands for a figure."""
    return _N0 <= ord(c) < _W0


def is_when(c: str) -> bool:
    """Whether a skeleton's character stands for a date or an image."""
    return _W0 <= ord(c) < _END


def labels_in(flat: str, labels: Iterable[str]) -> list[Mention]:
    """Labels named in the text: the vocabulary's words, and those of `labels`."""
    open_text = _COVER.sub(lambda m: "-" * len(m.group()), flat)
    found = list(mentions(open_text))
    taken = [(m.start, m.end) for m in found]
    own = sorted(
        {" ".join(flatten(x).split()) for x in labels if x and canonical(x) == x} - {m.label for m in found},
        key=len,
        reverse=True,
    )
    for label in own[:64]:
        for m in re.finditer(rf"(?<![\w-]){re.escape(label)}(?:s|es)?(?![\w-])", open_text):
            inside = [k for k, (a, b) in enumerate(taken) if a < m.end() and m.start() < b]
            if any(taken[k][1] - taken[k][0] >= m.end() - m.start() for k in inside):
                continue
            for k in reversed(inside):
                del taken[k], found[k]
            found.append(Mention(label, m.start(), m.end(), m.group()))
            taken.append((m.start(), m.end()))
    return sorted(found, key=lambda m: m.start)


def sentence(
    flat: str, start: int, end: int, named: list[Mention], found: list[Figure], skipped: list[Skipped], marks: list[int]
) -> Sentence:
    """Take a sentence, ``flat[start:end]``, apart.

    Parameters
    ----------
    flat : str
        The whole text as `flatten` gives it.
    start, end : int
    named, found, skipped, marks : list
        Labels, figures, numbers that claim nothing, and starts of each ``[SEG]`` of the whole text, in order.
    """
    tokens: list[tuple[int, int, str, object]] = []
    for m in named:
        if not start <= m.start < end:
            continue
        tail = _TAIL.match(flat, m.end, min(end, m.end + 60))
        stop = tail.end() if tail else m.end
        inside = [k for k, p in enumerate(marks) if m.end <= p < stop]
        tokens.append((m.start, stop, "L", Ref(m.label, m.start, stop, inside[0] if inside else None)))
    bound = {t[3].seg for t in tokens}  # type: ignore[attr-defined]
    for k, p in enumerate(marks):
        if start <= p < end and k not in bound:
            tokens.append((p, p + 5, "S", k))
    for f in found:
        if start <= f.start < end:
            tokens.append((f.start, min(f.end, end), "N", f))
    for s in skipped:
        if start <= s.start < end:
            when = when_of(flat[s.start : s.end], s.what)
            tokens.append((s.start, min(s.end, end), "W" if when else "-", when))
    for m in _WHEN.finditer(flat, start, end):
        when = ("first",) if m["first"] else ("last",) if m["last"] else ("image", _ORDINALS[m["nth"]])
        tokens.append((m.start(), m.end(), "W", when))
    tokens.sort(key=lambda t: (t[0], -t[1]))
    s = Sentence(flat, start, end, "", [], [])
    chars: list[str] = []
    i = start

    def put(c: str, a: int, b: int) -> None:
        chars.append(c)
        s.at.append(a)
        s.ends.append(b)

    for a, b, what, value in tokens:
        if a < i:
            continue
        for p in range(i, a):
            put(flat[p], p, p + 1)
        if what == "L":
            put(chr(_L0 + len(s.refs)), a, b)
            s.refs.append(value)  # type: ignore[arg-type]
        elif what == "S":
            late = _late_seg(chars, s)
            if late is not None:
                s.refs[late] = replace(s.refs[late], seg=value)  # type: ignore[arg-type]
            else:
                put(chr(_L0 + len(s.refs)), a, b)
                s.refs.append(Ref("", a, b, value))  # type: ignore[arg-type]
        elif what == "N":
            put(chr(_N0 + len(s.figures)), a, b)
            s.figures.append(value)  # type: ignore[arg-type]
        elif what == "W":
            put(chr(_W0 + len(s.whens)), a, b)
            s.whens.append(value)  # type: ignore[arg-type]
        else:
            put("#", a, b)
        i = b
    for p in range(i, end):
        put(flat[p], p, p + 1)
    s.skeleton = "".join(chars)
    return s


def _late_seg(chars: list[str], s: Sentence) -> int | None:
    """The label that a ``[SEG]`` a few words later belongs to («forest, shown in [SEG]»), where nothing stands
    between.
    """
    for k in range(len(chars) - 1, max(-1, len(chars) - 32), -1):
        c = chars[k]
        if is_label(c):
            i = ord(c) - _L0
            return i if s.refs[i].seg is None else None
        if is_figure(c) or c in ".;:":
            return None
    return None


def when_of(words: str, what: str) -> When | None:
    """The date or image that words found by `figures` («date», «image») mean; None for others."""
    if what == "image":
        m = IMAGE.search(words)
        return ("image", int(m["n"])) if m else None
    if what != "date":
        return None
    iso = re.match(r"(\d{4})-(\d\d)(?:-(\d\d))?", words)
    if iso:
        return ("date", int(iso[1]), int(iso[2]), int(iso[3]) if iso[3] else None)
    dots = re.match(r"(\d{1,2})[./](\d{1,2})[./](\d{4})", words)
    if dots:
        return ("date", int(dots[3]), int(dots[2]), int(dots[1]))
    year = re.search(r"(?:19|20)\d\d", words)
    month = re.search("|".join(name[:3] for name in MONTHS), words)
    day = re.search(r"(?<!\d)\d{1,2}(?!\d)", words)
    if not DATE.search(words) and not year:
        return None
    k = [name[:3] for name in MONTHS].index(month.group()) + 1 if month else None
    return ("date", int(year.group()) if year else None, k, int(day.group()) if day else None)
