"""Claims as they stand in a text: what is said, of which labels, on which date. Reading only: nothing is measured
here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from terrascope_nb.reason.grammar import sentences
from terrascope_nb.reason.verify.figures import Skipped, figures, flatten
from terrascope_nb.reason.verify.relations import relations
from terrascope_nb.reason.verify.sayings import Reader, Statement
from terrascope_nb.reason.verify.skeleton import Ref, Sentence, When, is_label, is_when, labels_in, sentence

_LONGEST = 1500  # characters of a sentence; a longer one is read in pieces
_SEG = re.compile(r"\[seg\]")


@dataclass(frozen=True)
class Reading:
    """What `read` finds: statements and the numbers that claim nothing, in the text's order; every ``[SEG]`` as a
    `Ref`; and in `dated` those whose sentence says a date, with the dates it says.
    """

    statements: tuple[Statement, ...]
    skipped: tuple[Skipped, ...]
    segs: tuple[Ref, ...]
    refs: tuple[Ref, ...] = ()
    dated: tuple[tuple[Ref, tuple[When, ...]], ...] = ()


def read(text: str, labels: Iterable[str] = ()) -> Reading:
    """Read every claim of a text.

    Parameters
    ----------
    text : str
        Reasoning with ``[SEG]``, tags and markup allowed.
    labels : iterable of str
        Labels outside the vocabulary that the text may name («solar farm»).

    Returns
    -------
    Reading
        Each number, comparison, order and adjacency is exactly one statement, or is listed as claiming nothing.

    Notes
    -----
    No claims are read in questions, nor are comparisons after «whether» and «if». Words of degree without a measure
    («near», «small», «much») claim nothing.

    Examples
    --------
    >>> r = read("On 2023-06-01 water [SEG] covers 17.1 %. It is larger than forest.")
    >>> [(s.kind, [x.label for x in s.refs]) for s in r.statements]
    [('share', ['water']), ('larger', ['water', 'tree cover'])]
    """
    flat = flatten(text)
    found, skipped = figures(flat)
    marks = [m.start() for m in _SEG.finditer(flat)]
    named = labels_in(flat, labels)
    out: list[Statement] = []
    segs: list[Ref] = []
    everything: list[Ref] = []
    dated: list[tuple[Ref, tuple[When, ...]]] = []
    before: list[Ref] = []  # what a pronoun may mean: the regions of the last sentence that named any
    for start, end in _pieces(flat):
        s = sentence(flat, start, end, named, found, skipped, marks)
        segs += [r for r in s.refs if r.seg is not None]
        everything += s.refs
        dated += _dated(s)
        said, subjects = _statements(s, before)
        out += said
        if subjects:
            before = subjects
    said_of = tuple(sorted(out, key=lambda x: (x.start, x.end)))
    return Reading(said_of, tuple(skipped), tuple(segs), tuple(everything), tuple(dated))


_OTHER_SIDE = re.compile(
    r"\b(?:than|since|compared (?:with|to)|relative to|against|from|after|before|between|until|till|and|or|to|through|"
    r"unlike|versus|vs)\s+(?:(?:that|those) )?(?:on |in |at |by |of )?(?:the )?$"
)


def _dated(s: Sentence) -> list[tuple[Ref, tuple[When, ...]]]:
    """Each ``[SEG]`` of a sentence with the dates it may be of; none where a date is the other side of something."""
    days = [j for j, c in enumerate(s.skeleton) if is_when(c) and s.when(c)[0] == "date"]
    if not days or any(_OTHER_SIDE.search(s.skeleton[max(0, j - 40) : j]) for j in days):
        return []
    whens = tuple(s.when(s.skeleton[j]) for j in days)
    return [(ref, whens) for ref in s.refs if ref.seg is not None]


def _statements(s: Sentence, before: list[Ref]) -> tuple[list[Statement], list[Ref]]:
    """What a sentence says, and the regions that a pronoun in the next one may mean (the last one first in line).

    Parameters
    ----------
    s : Sentence
    before : list of Ref
        What a pronoun in this sentence may mean.
    """
    reader = Reader(s, before)
    free = [
        s.ref(c)
        for j, c in enumerate(s.skeleton)
        if is_label(c) and (s.ref(c).seg is not None or not reader.is_object(j))
    ]
    if re.search(r"\?[\s\"')]*$", s.skeleton):
        return [], free
    return reader.figures() + relations(reader), free


def _pieces(flat: str) -> list[tuple[int, int]]:
    """Sentences, cut again at semicolons and where they are too long."""
    out = []
    for start, end in sentences(flat):
        for m in re.finditer(r"[^;]+;?|;", flat[start:end]):
            a, b = start + m.start(), start + m.end()
            while b - a > _LONGEST:
                cut = flat.rfind(" ", a + _LONGEST // 2, a + _LONGEST)
                cut = a + _LONGEST if cut < 0 else cut
                out.append((a, cut))
                a = cut
            out.append((a, b))
    return _glued(flat, out)


def _glued(flat: str, pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Put together again what an abbreviation's full stop or «Image: 1.» parted."""
    out: list[tuple[int, int]] = []
    for a, b in pieces:
        if out and re.search(
r"(?:\b(?:approx|ca|sq|no|nr|fig|eq|vs|e\.g|i\.e|cf|resp|max|min|dec|jan|feb|mar|apr|aug|sept?|oct|"
r"nov)\.|(?:^|\s)\(?(?:\d{1,2}|[a-e])[.)]|image\s*:?\s*\d{1,3}\.)\s*$",
                            flat[max(out[-1][0],
                            out[-1][1] - 24) : out[-1][1]]) and b - out[-1][0] <= _LONGEST:  # fmt: skip
            out[-1] = (out[-1][0], b)
        else:
            out.append((a, b))
    return out
