"""What a sentence says without a number: comparison, order, adjacency, existence, place, and the direction of a
change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from terrascope_nb.reason.verify.sayings import LESS, MORE, Reader, Statement
from terrascope_nb.reason.verify.skeleton import L, N, Ref, W, is_label, is_when

_l, _n = L[1:-1], N[1:-1]
_GAP = rf"[^{_l}{_n}.;:,]{{0,40}}?"
_DET = r"(?:(?:the|a|an|some|any|its|their|this|that|all|either|both)\s+)*"
_LIST = (
    rf"{L}(?:(?:\s*,\s*|(?:\s*,)?\s*(?:and|or|nor|as well as)\s+){_DET}{L}(?!\s*(?:is|are|was|has|have|"
    rf"covers?|lies?|touch|border|does|do|makes?|takes?|with {N}|{N})\b))*"
)
_PLAIN = rf"{L}(?:(?:\s*,\s*|(?:\s*,)?\s*(?:and|or|nor)\s+){_DET}{L})*"
_NOT = r"(?:\b(?:not|no|never|neither|nowhere|nor|without|cannot)\b|n't\b)"
_SIZE = (
    r"(?:extensive|widespread|common|abundant|dominant|prevalent|frequent|area|space|ground|surface|land|"
    r"pixels|of the (?:scene|image|area|pixels)|covered|coverage)"
)

_THAN = re.compile(
    rf"(?P<not>\b(?:not|no|never)\s+(?:\w+\s+)?|n't\s+(?:\w+\s+)?)?(?<![\w-])(?:(?P<big>larger|bigger|"
    rf"greater|higher|broader|wider)|(?P<small>smaller|lower)|(?P<more>more)|(?P<less>less|fewer))"
    rf"(?P<mid>[^{_n}.;:,]{{0,60}}?)\bthan\s+(?:in case of |that of |those of |the one of |what is |does |"
    rf"do |is |are )*{_GAP}(?P<b>{_LIST})"
)
_THAN_ALL = re.compile(
    rf"(?<![\w-])(?P<cmp>larger|bigger|greater|more|smaller|less)\b[^{_l}{_n}.;:,]{{0,40}}?\bthan\s+(?:any|"
    rf"all|every|each|all of|the)\s+(?:of the )?(?:other|others|rest)(?!\w)"
)
_THAN_WHEN = re.compile(
    rf"(?<![\w-])(?P<cmp>{MORE}|{LESS})(?P<mid>[^{_n}.;:]{{0,40}}?)\bthan\s+(?:it (?:was|had|did|"
    rf"covered)\s+)?(?:on|in|at|before|earlier|previously|during)?\s*(?:the |its )?(?P<w>{W}|before|earlier"
    rf"|previously)?"
)
_EXCEEDS = re.compile(
    rf"(?P<not>{_NOT}\s+(?:\w+\s+)?)?\b(?P<passive>(?:is|are|was|were) )?(?P<verb>exceed(?:s|ed)?|outweigh"
    rf"(?:s|ed)?|outrank(?:s|ed)?|surpass(?:es|ed)?|outsize[sd]?|outstrips?)\b(?: by)?\s+{_DET}{_GAP}"
    rf"(?P<b>{L})(?!{_GAP}\bby\s+(?:\w+\s+)?{N})"
)
_COMPARED = re.compile(
    rf"\b(?:compared|relative|in comparison|in contrast)\s+(?:with|to)\s+{_GAP}(?P<b>{L})\s*,"
    rf"(?P<rest>[^.;:{_n}]{{0,80}}?)\b(?P<cmp>{MORE}|{LESS})\b(?!{_GAP}\bthan)"
)
_COMPARED_LATE = re.compile(
    rf"\b(?P<cmp>larger|bigger|greater|smaller)\b[^{_l}{_n}.;:]{{0,30}}?\bcompared\s+(?:with|to)\s+{_GAP}"
    rf"(?P<b>{L})"
)
_LARGER_OF = re.compile(
    rf"(?:\bthe (?P<cmp>larger|bigger|greater|smaller)(?: one| area| class| region| part| share)?(?: of "
    rf"(?:the )?(?:two|both)(?: \w+)?)? (?:is|are) {_DET}(?P<a>{L})|(?P<a2>{L})\s+(?:is|are|has|covers|"
    rf"occupies)\s+(?:clearly |indeed |thus |therefore )*(?:the )?(?P<cmp2>larger|bigger|greater|smaller)"
    rf"(?: one| area| class| region| part| share)?(?: of (?:the |these )?(?:two|both)(?: \w+)?)?(?=\s*"
    rf"(?:[.,;:)]|$|in |by )))"
)
_SAME = re.compile(
    rf"(?P<not>{_NOT}\s+)?(?P<about>(?:about|roughly|approximately|nearly|almost|more or less|practically|"
    rf"virtually)\s+)?"
    rf"(?P<eq>equally (?:large|big|extensive)|(?:exactly )?(?:of )?(?:the |a )?(?P<close>similar|"
    rf"comparable) (?:in )?(?:size|area|extent|share|shares|sizes|areas)|(?:exactly )?(?:of )?(?:the )?"
    rf"(?:same|equal) (?:in )?(?:size|area|extent|share|sizes|areas)|"
    rf"(?<!twice )as (?:large|big|extensive|much|wide)(?: area)? as|equal (?:to|in)|of equal size|"
    rf"(?P<close2>similarly) (?:large|sized|big))(?:\s+(?:as|to|with|of)?\s*(?:that of )?{_DET}(?P<b>{L}))?"
)
_NEARER = re.compile(
    rf"(?P<not>{_NOT}\s+)?\b(?P<cmp>closer|nearer|farther|further)(?: away)?\s+(?:to|from)\s+{_GAP}"
    rf"(?P<b>{L}){_GAP}\s+than\s+(?:(?:it is|to|from|is)\s+)*{_DET}(?P<c>{L})"
)

_TOP = (
    r"(?P<sup>largest|biggest|greatest|most extensive|most common|most widespread|most abundant|most "
    r"dominant|most prevalent|dominant|predominant|prevailing|prevalent|main|major|leading|highest|"
    r"smallest|least extensive|least common|least widespread|least abundant|rarest|lowest)(?!\w)"
)
_NTH = r"(?:(?P<nth>first|second|third|fourth|fifth|2nd|3rd|#|next)[ -])?"
_NOUN = (
    r"(?:\s+(?:land[ -]?|#+)?\s*(?:cover|class|classes|category|type|region|area|one|share|part|portion|"
    r"component|use|element|feature|surface|extent|coverage|percentage|value|proportion|of all|of the "
    r"(?:classes|regions|areas|three|two|four|five|scene|image)|of them|in the (?:scene|image)|by (?:far|"
    r"area|share|size)|in (?:area|size|extent|terms of area)|here|overall|present|among \w+(?: \w+)?))*"
)
_FOLLOWS = (
    rf"(?:(?:\s*,)?\s*(?:which )?(?:(?:and )?then|(?:is )?followed (?:closely )?by|before|ahead of|over|"
    rf"next|and after that|closely followed by|with {L}(?= (?:second|next))|>|and second)\s+(?:comes?\s+|"
    rf"by\s+|are\s+|is\s+)?{_DET}(?P<rest>{L}(?:(?:(?:\s*,)?\s*(?:and then|then|followed by|before|and|"
    rf">)\s+|\s*,\s*){_DET}{L}(?!\s*(?:is|are|was|has|have|covers?|lies?|touch\w*|borders?|does|do|makes?|"
    rf"takes?)\b))*))?"
)
_TOP_IS = re.compile(
    rf"(?:\bthe |^\s*)?\b{_NTH}{_TOP}{_NOUN}\s*(?:(?:is|are|was|were|:|=|being|remains?|belongs? to|comes? "
    rf"from|turns out to be)\s*)+(?P<not>not\s+)?(?:clearly |thus |therefore |therefore clearly |again |"
    rf"still |by far )*{_DET}(?P<a>{L}){_FOLLOWS}"
)
_IS_TOP = re.compile(
    rf"(?P<a>{L})(?:\s*,)?\s*(?:(?P<not>(?:is|are|was) not|isn't)|is|are|was|were|being|as|forms?|"
    rf"constitutes?|represents?|remains?|makes? up|takes? up|has|have|covers?|covering|occup(?:ies|"
    rf"ying))\s+(?:clearly |thus |therefore |indeed |by far |hence |also |again |still |only )*(?:the "
    rf")?{_NTH}{_TOP}(?![ -]?{L}){_NOUN}{_FOLLOWS}"
)
_TOP_WHEN = re.compile(
    rf"(?P<a>{L})\s+(?:is|are|was|were|reach(?:es|ed)|had|has|covers|covered)\s+(?:clearly |thus )*(?:at )?"
    rf"(?:its |the |their )?(?P<sup>largest|biggest|greatest|highest|smallest|lowest|least|maximum|minimum)"
    rf"(?: area| extent| share| size| cover)?\s+(?:on|in|at|by)\s+(?:the )?(?P<w>{W})"
)
_DOMINATES = re.compile(
    rf"(?P<a>{L})\s+(?:\w+ly\s+)?(?P<not>(?:does|do) not |doesn't )?(?:dominates?|predominates?|prevails?|"
    rf"(?:is|are) (?P<not2>not )?(?:clearly )?(?:dominant|predominant))\b(?! neither| over)|\b(?:dominated|"
    rf"prevailed) by {_DET}(?P<a2>{L})"
)
_RANKS = re.compile(
    rf"(?P<a>{L})\s+(?:\w+ly\s+)?(?:ranks?|comes?|is ranked|are ranked|stands?|places?|is placed|is|are)\s+"
    rf"(?P<nth>first|second|third|fourth|fifth|last|number #|#)(?!\w)(?! image| date| scene| patch)"
    rf"(?:\s+in (?:area|size|extent))?(?:(?:\s*,)?\s*(?P<side>after|behind|before|ahead of)\s+{_DET}"
    rf"(?P<b>{L}))?"
)
_AHEAD = re.compile(
    rf"(?P<a>{L})\s+(?:ranks?|comes?|is ranked|stands?|is|are)\s+(?:just |directly |well )?(?P<side>before|"
    rf"ahead of|above|behind|after|below)\s+{_DET}(?P<b>{L})(?!\w)"
)
_FOLLOWED = re.compile(
    rf"(?P<a>{L})\s*(?:,\s*)?(?:is |are )?(?:followed by|,? then)\s+{_DET}(?P<b>{L}(?:(?:(?:\s*,)?\s*"
    rf"(?:and then|then|followed by|and)\s+|\s*,\s*){_DET}{L}(?!\s*(?:is|are|was|has|have|covers?|"
    rf"lies?)\b))*)"
)
_ORDER = re.compile(
    rf"\b(?:rank(?:ed|ing|s)?|order(?:ed|ing)?|sort(?:ed|ing)?|(?P<down>descending|decreasing|from (?:the "
    rf")?(?:largest|biggest|greatest) to (?:the )?(?:smallest|least))|(?P<up>ascending|increasing|from "
    rf"(?:the )?smallest to (?:the )?(?:largest|biggest)))\b"
    rf"[^{_l}{_n}.;]{{0,70}}?{_DET}(?P<list>{L}(?:(?:\s*[,>]\s*|(?:\s*,)?\s*(?:and|then|and then|followed "
    rf"by|before|ahead of)\s+){_DET}{L})+)"
)
_CHAIN = re.compile(rf"(?P<list>{L}(?:\s*(?P<op>[<>])\s*{L})+)")

_TOUCH = (
    r"(?:touch(?:es|ed|ing)?|border(?:s|ed|ing)?(?: on)?|adjoin(?:s|ed|ing)?|abut(?:s|ted|ting)?|meet(?:s|"
    r"ing)?|neighbou?r(?:s|ed|ing)?|contact(?:s|ed|ing)?|flank(?:s|ed|ing)?|fring(?:es|ed|ing))"
)
_TOUCHING = re.compile(
    rf"(?P<away>\b(?:separated?|isolated|detached|disconnected|apart|away|disjoint|cut off)\s+from\s+)"
    rf"(?:each other|one another|{_GAP}(?P<b0>{_LIST}))"
    rf"|(?P<round>\bsurround(?:ed by|s|ing)\s+|\benclosed by\s+){_GAP}(?P<b1>{_LIST})"
    rf"|(?:\b(?:adjacent(?: directly)?|next|contiguous|attached|connected|linked|close up|right up)\s+(?:to"
    rf"|with)\s+|\bbeside\s+|\balongside\s+|\b(?:in )?(?:direct )?contact\s+with\s+|\b(?:flanked|bordered|"
    rf"bounded|adjoined|neighbou?red|fringed|lined)\s+by\s+|\b{_TOUCH}\s+(?:directly )?(?:on |against |"
    rf"with )?)(?:each other|one another|{_GAP}(?P<b2>{_LIST}))"
    rf"|\b(?:shar(?:e|es|ing)|has|have|having|with)\s+(?:no |a |an |any |one |their |its |common |direct |"
    rf"long |short |mutual )*(?:border|boundary|edge|boundaries|borders|edges|contact|shoreline|boundary "
    rf"line)(?: line)?\s*(?:in common\s*)?(?:with\s+{_GAP}(?P<b3>{_LIST}))?"
    rf"|\b(?:{_TOUCH}|adjacent|neighbou?rs|contiguous|in (?:direct )?contact|side by side|next to (?:each "
    rf"other|one another)|connected)(?!\w)(?! to| with| by)"
    rf"|(?P<away2>\b(?:(?:are|is|remain|lie|stay|clearly)\s+(?:\w+ly\s+)?(?:separated?|apart|disconnected|"
    rf"disjoint)))(?! (?:from|by|areas?|patch\w*|parts?|bod\w+|regions?|components?))(?!\w)"
)
_THERE = re.compile(
    rf"\bthere\s+(?:is|are|was|were|seems? to be|appears? to be|exists?|isn't|aren't)\s+(?P<not>not |no |"
    rf"n't any |hardly any |not any |neither )?(?:\w+\s+){{0,3}}?(?P<a>{_LIST})"
    rf"|(?<!\w)(?P<no>no|neither)\s+(?:\w+\s+)?(?P<b>{_PLAIN})\s*(?P<v>(?:is|are|was|were|can be|could "
    rf"be)\s+(?:\w+ly\s+)?(?:visible|present|seen|found|detected|there|in (?:the|this)|observed|identified|"
    rf"recogni[sz]ed|discernible|mapped))"
    rf"|(?P<c>{_PLAIN})\s+(?:is|are|was|were|can be|could be)\s+(?P<neg>not |n't |nowhere |no longer )?"
    rf"(?:\w+ly\s+)?(?:(?P<abs>absent|missing|lacking|not present)|visible|present|seen|found(?! (?:in|on|"
    rf"at) the {_GAP}(?:north|south|east|west|upper|lower|cent))|detected|observed|discernible|"
    rf"recogni[sz]able)(?!\w)"
    rf"|\b(?:scene|image|picture|view|area|it|map|tile|frame|place|which|region|landscape)\s+(?P<dn>(?:does"
    rf"|do|did) not |doesn't |don't )?(?P<verb>contains?|shows?|includes?|has|have|holds?|features?|"
    rf"lacks?)\s+(?P<no2>no |neither )?(?:any |some |a |an |the |several |visible |also |clear |both ){{0,"
    rf"3}}(?P<d>{_LIST})"
    rf"|\b(?P<without>without(?: any)?|free of|devoid of|lacking|absence of)\s+(?P<e>{_LIST})"
)
_DIR = (
    r"(?P<dir>(?:(?:north|south)(?:ern)?[- ]?(?:east|west)(?:ern)?|(?:upper|top|lower|bottom)[- ](?:left|"
    r"right)(?:-hand)?|north(?:ern)?|south(?:ern)?|east(?:ern)?|west(?:ern)?|upper|lower|top|bottom|left|"
    r"right|cent(?:re|er|ral)|middle|[ns][ew])(?:most)?)"
)
_PLACE = re.compile(
    rf"\b(?:in|on|at|to|towards?|occup(?:ies|y|ying)|near|around|within|across|along)\s+(?:the |its )"
    rf"(?:\w+ )?{_DIR}(?!\w)(?!\s+(?:of {_DET}{L}|to {_DET}))(?:[- ](?:part|side|corner|portion|edge|half|"
    rf"quadrant|third|section|quarter|area|region|end|zone|margin|sector))?(?P<more>\s*(?:and|or|to|/)\s+"
    rf"(?:the )?(?:\w+ )?(?:north|south|east|west|upper|lower|top|bottom|left|right|cent|middle)\w*)?"
)
_HOLDS = re.compile(
    rf"\bthe (?:\w+ )?{_DIR}(?:[- ](?:part|side|corner|portion|edge|half|quadrant|third|section|quarter|"
    rf"area|region|end|zone))?(?: of (?:the|this) (?:scene|image|area|picture|view|map))?\s+(?:holds?|"
    rf"contains?|hosts?|houses?|is home to|shows?)\s+{_DET}(?P<b>{L})"
)
_SIDE = re.compile(rf"(?:\bto the |\b(?:lies?|is|are|located|situated|directly|due)\s+){_DIR}\s+of\s+{_DET}(?P<b>{L})")
_VERB = re.compile(
    rf"(?P<a>(?:{L}|\b(?:it|they|this|area|extent|share|coverage|cover))\b[^{_n}.;:]{{0,30}}?)?\b(?:"
    rf"(?P<not>did not|didn't|has not|have not|does not|never|no longer)\s+)?(?:has |have |had |was |were |"
    rf"is |are )?(?:\w+ly\s+)?"
    rf"(?:(?P<up>grew|grown|grow|increased?|expanded?|rose|risen|gained (?:area|ground|extent|surface)|"
    rf"larger than before)|(?P<down>shrank|shrunk|shrink|decreased?|declined?|receded?|fell|fallen|dropped|"
    rf"diminished|contracted|retreated|reduced|lost (?:area|ground|extent|surface))|(?P<same>unchanged|"
    rf"stable|constant|did not change|didn't change|not changed|remained the same|stayed the same))(?!\w)"
    rf"(?! by\b)"
)
_NOUN_CHANGE = re.compile(
    rf"\b(?:an?|the|net|clear|strong|slight|overall|marked|small|large)\s+(?:(?:net|overall)\s+)?(?:"
    rf"(?P<up>increase|growth|expansion)|(?P<down>decrease|decline|reduction|shrinkage)|(?<=net )(?:"
    rf"(?P<up2>gain)|(?P<down2>loss)))\s+(?:of|in)\s+(?:the (?:area|extent|share|amount) of )?{_DET}"
    rf"(?P<a>{L})(?!{_GAP}{N})"
)
_NO_CHANGE = re.compile(
    rf"\bno (?:net )?change (?:in|of|to) {_DET}(?P<a>{L})|\bno {_DET}(?P<lost>{L}) (?:was|were|has been) "
    rf"(?P<what>lost|gained)"
)


def relations(r: Reader) -> list[Statement]:
    """Read every relation of a sentence that its figures have not used up; no two share a position."""
    out: list[Statement] = []
    if len(r.s.refs) == 0 and not r.before:
        return out
    for find in (
        _nearer,
        _than_all,
        _than_when,
        _than,
        _exceeds,
        _compared,
        _larger_of,
        _same,
        _order,
        _top_when,
        _top,
        _dominates,
        _ranks,
        _touching,
        _change,
        _place,
        _there,
    ):
        for said, i, j in find(r):
            if i < j and not r.conditional(i) and not r.is_used(i, j):
                r.used.append((i, j))
                out.append(said)
    return out


def _labels(r: Reader, part: str | None) -> list[Ref]:
    return r.s.labels(part or "")


def _at(r: Reader, i: int, refs: list[Ref]) -> tuple[Ref, ...]:
    when = r.when(i)
    return tuple(x if x.seg is not None else replace(x, when=when) for x in refs)


Found = Iterator[tuple[Statement, int, int]]


def _nearer(r: Reader) -> Found:
    for m in _NEARER.finditer(r.k):
        a = r.subject(m.start())
        if a is not None:
            said = (
                ("nearer" if m["cmp"] in ("closer", "nearer") else "farther")
                if not m["not"]
                else ("not nearer" if m["cmp"] in ("closer", "nearer") else "not farther")
            )
            refs = _at(r, m.start(), [a, r.s.ref(m["b"]), r.s.ref(m["c"])])
            yield r.make("nearer", m.start(), m.end(), refs, said=said), m.start(), m.end()


def _than_all(r: Reader) -> Found:
    for m in _THAN_ALL.finditer(r.k):
        a = r.subject(m.start())
        if a is not None:
            said = ("smallest" if re.fullmatch(LESS, m["cmp"]) else "largest", "1")
            yield r.make("ranking", m.start(), m.end(), _at(r, m.start(), [a]), said=said), m.start(), m.end()


def _than_when(r: Reader) -> Found:
    for m in _THAN_WHEN.finditer(r.k):
        if m["w"] is None:
            continue
        mid = _labels(r, m["mid"])
        a = mid[0] if mid else r.subject(m.start())
        if a is None:
            continue
        if is_when(m["w"]):
            then = r.s.when(m["w"])
            others = [r.s.when(c) for c in r.k[: m.start("w")] if is_when(c)]
            now = others[-1] if others else ("last",) if then != ("last",) else ("first",)
        else:
            then, now = ("first",), ("last",)
        refs = tuple(replace(a, seg=None, when=w) for w in (then, now))
        yield (
            r.make("change", m.start(), m.end(), refs, said="-" if re.fullmatch(LESS, m["cmp"]) else "+"),
            m.start(),
            m.end(),
        )


def _than(r: Reader) -> Found:
    for m in _THAN.finditer(r.k):
        mid = _labels(r, m["mid"])
        if (m["more"] or m["less"]) and not mid and not re.fullmatch(rf"\s*(?:{_SIZE}\s*)*(?:is |are |by )*", m["mid"]):
            continue
        if re.search(rf"{N}\s*(?:points?\s*)?$", r.k[: m.start()]) and r.is_used(m.start() - 2, m.start()):
            continue
        a = mid[0] if mid else r.subject(m.start())
        if a is None:
            continue
        more = bool(m["big"] or m["more"])
        said = ("larger" if more else "smaller") if not m["not"] else ("not larger" if more else "not smaller")
        refs = _at(r, m.start(), [a, *_labels(r, m["b"])])
        yield r.make("larger", m.start(), m.end(), refs, said=said), m.start(), m.end()


def _exceeds(r: Reader) -> Found:
    for m in _EXCEEDS.finditer(r.k):
        a = r.subject(m.start())
        if a is not None:
            larger = not m["passive"]
            said = ("not " if m["not"] else "") + ("larger" if larger else "smaller")
            yield (
                r.make("larger", m.start(), m.end(), _at(r, m.start(), [a, r.s.ref(m["b"])]), said=said),
                m.start(),
                m.end(),
            )


def _compared(r: Reader) -> Found:
    for m in _COMPARED.finditer(r.k):
        rest = _labels(r, m["rest"])
        if rest:
            said = "smaller" if re.fullmatch(LESS, m["cmp"]) else "larger"
            yield (
                r.make("larger", m.start(), m.end(), _at(r, m.end(), [rest[-1], r.s.ref(m["b"])]), said=said),
                m.start(),
                m.end(),
            )
    for m in _COMPARED_LATE.finditer(r.k):
        a = r.subject(m.start())
        if a is not None:
            said = "smaller" if m["cmp"] == "smaller" else "larger"
            yield (
                r.make("larger", m.start(), m.end(), _at(r, m.start(), [a, r.s.ref(m["b"])]), said=said),
                m.start(),
                m.end(),
            )


def _larger_of(r: Reader) -> Found:
    for m in _LARGER_OF.finditer(r.k):
        a = r.s.ref(m["a"] or m["a2"])
        others = [
            x
            for x in (*r.before, *r.s.refs)
            if x.label != a.label or (x.seg is not None and a.seg is not None and x.seg != a.seg)
        ]
        if others:
            said = "smaller" if (m["cmp"] or m["cmp2"]) == "smaller" else "larger"
            yield (
                r.make("larger", m.start(), m.end(), _at(r, m.start(), [a, others[-1]]), said=said),
                m.start(),
                m.end(),
            )


def _same(r: Reader) -> Found:
    for m in _SAME.finditer(r.k):
        if re.search(rf"{N}\s*(?:times\s*)?$", r.k[: m.start()]):
            continue
        here = [r.s.ref(c) for c in r.k[: m.start()] if is_label(c)]
        if m["b"]:
            a = r.subject(m.start())
            pair = [a, r.s.ref(m["b"])] if a is not None else []
        else:
            pair = here[-2:]
        if len(pair) != 2:
            continue
        like_as = m["eq"].startswith("as ")
        said = (
            ("smaller" if like_as else "not same")
            if m["not"]
            else "about same"
            if m["about"] or m["close"] or m["close2"]
            else "same"
        )
        yield r.make("larger", m.start(), m.end(), _at(r, m.start(), pair), said=said), m.start(), m.end()


_NTHS = {
    "first": "1",
    "second": "2",
    "2nd": "2",
    "next": "2",
    "third": "3",
    "3rd": "3",
    "fourth": "4",
    "fifth": "5",
    "last": "-1",
}


def _nth(r: Reader, m: re.Match[str]) -> str:
    word = m["nth"]
    if word and "#" in word:
        number = re.match(r"\d+", r.s.words(m.start("nth") + word.index("#")))
        return number.group() if number else "1"
    return _NTHS[word] if word else "1"


def _top(r: Reader) -> Found:
    for pattern in (_TOP_IS, _IS_TOP):
        for m in pattern.finditer(r.k):
            small = m["sup"] in (
                "smallest",
                "least extensive",
                "least common",
                "least widespread",
                "least abundant",
                "rarest",
                "lowest",
            )
            nth = _nth(r, m)
            if m["nth"] == "next" and not small:
                continue
            said = (("not " if m["not"] else "") + ("smallest" if small else "largest"), nth)
            refs = _at(r, m.start(), [r.s.ref(m["a"]), *_labels(r, m["rest"])])
            yield r.make("ranking", m.start(), m.end(), refs, said=said), m.start(), m.end()


def _top_when(r: Reader) -> Found:
    for m in _TOP_WHEN.finditer(r.k):
        said = "smallest" if m["sup"] in ("smallest", "lowest", "least", "minimum") else "largest"
        ref = replace(r.s.ref(m["a"]), seg=None, when=r.s.when(m["w"]))
        yield r.make("when", m.start(), m.end(), (ref,), said=said), m.start(), m.end()


def _dominates(r: Reader) -> Found:
    for m in _DOMINATES.finditer(r.k):
        negated = m["not"] or m["not2"]
        refs = _at(r, m.start(), [r.s.ref(m["a"] or m["a2"])])
        yield (
            r.make("ranking", m.start(), m.end(), refs, said=("not largest" if negated else "largest", "1")),
            m.start(),
            m.end(),
        )


def _order(r: Reader) -> Found:
    for m in _ORDER.finditer(r.k):
        up = bool(m["up"]) or bool(
            re.search(r"\b(?:ascending|increasing|from (?:the )?smallest)\b", r.k[m.start() : m.start("list")])
        )
        yield (
            r.make(
                "ranking",
                m.start(),
                m.end(),
                _at(r, m.start(), _labels(r, m["list"])),
                said=("rising" if up else "falling", ""),
            ),
            m.start(),
            m.end(),
        )
    for m in _CHAIN.finditer(r.k):
        said = ("rising" if m["op"] == "<" else "falling", "")
        yield (
            r.make("ranking", m.start(), m.end(), _at(r, m.start(), _labels(r, m["list"])), said=said),
            m.start(),
            m.end(),
        )


def _ranks(r: Reader) -> Found:
    for m in _RANKS.finditer(r.k):
        said, refs = ("largest", _nth(r, m)), [r.s.ref(m["a"])]
        if m["b"]:
            b = r.s.ref(m["b"])
            said = (*said, "after" if m["side"] in ("after", "behind") else "before")
            refs.append(b)
        yield r.make("ranking", m.start(), m.end(), _at(r, m.start(), refs), said=said), m.start(), m.end()
    for m in _AHEAD.finditer(r.k):
        said = "larger" if m["side"] in ("before", "ahead of", "above") else "smaller"
        yield (
            r.make("larger", m.start(), m.end(), _at(r, m.start(), [r.s.ref(m["a"]), r.s.ref(m["b"])]), said=said),
            m.start(),
            m.end(),
        )
    for m in _FOLLOWED.finditer(r.k):
        refs = _at(r, m.start(), [r.s.ref(m["a"]), *_labels(r, m["b"])])
        yield r.make("ranking", m.start(), m.end(), refs, said=("falling", "")), m.start(), m.end()


def _touching(r: Reader) -> Found:
    for m in _TOUCHING.finditer(r.k):
        away = bool(m["away"] or m["away2"])
        objects = _labels(r, m["b0"] or m["b1"] or m["b2"] or m["b3"])
        here = [j for j in range(m.start()) if is_label(r.k[j])]
        if not objects and r.before and re.match(r"\s*(?:it|them)\b", r.k[m.end() :]):
            objects = r.before[-1:]
            if len(here) > 1 and re.search(r"\b(?:and|or|nor)\b", r.k[here[-2] : here[-1]]):
                objects = [r.s.ref(r.k[here[-2]]), *objects]
        if objects:
            a = r.subject(m.start())
            refs = [a, *objects] if a is not None else []
            start = here[-1] + 1 if here else max(0, m.start() - 40)
        else:
            refs = (
                [r.s.ref(r.k[j]) for j in here[-2:]]
                if len(here) >= 2
                else r.before[-2:]
                if re.search(r"\b(?:they|both|the two|two)\b", r.k[: m.start()])
                else []
            )
            start = here[-1] + 1 if here else 0
            if len(refs) == 2 and not re.search(
                r"\b(?:and|nor|,|with|they|both|two)\b",
                r.k[here[-2] : m.start()] if len(here) >= 2 else r.k[: m.start()],
            ):
                continue
        if len(refs) < 2 or refs[0] == refs[1]:
            continue
        negated = bool(re.search(_NOT, re.sub(r"\bnot only\b", " ", r.k[start : m.end()]))) or bool(
            re.search(r"\b(?:neither|no)\s*$", r.k[max(0, here[0] - 10) : here[0]] if here else "")
        )
        near = r.k[start : m.start()]
        if re.search(r"\bpartly\b", near) and away:
            continue
        said: bool | str = (not negated) != away
        if m["round"] and said is True:
            said = "surrounded"
        yield r.make("adjacent", m.start(), m.end(), _at(r, m.start(), refs), said=said), m.start(), m.end()
        but = (
            re.match(
                rf"(?:\s*,)?\s*but (?P<not>not|never|neither)?\s*(?:to |with |by |from )?{_DET}(?P<c>{_LIST})(?=\s*"
                rf"(?:[.,;)]|$))",
                r.k[m.end() :],
            )
            if objects
            else None
        )
        if but and but["not"] and isinstance(said, bool):
            i, j = m.end(), m.end() + but.end()
            yield r.make("adjacent", i, j, _at(r, m.start(), [refs[0], *_labels(r, but["c"])]), said=not said), i, j


def _there(r: Reader) -> Found:
    for m in _THERE.finditer(r.k):
        part = m["a"] or m["b"] or m["c"] or m["d"] or m["e"]
        if m["a"] and re.search(r"\b(?:more|less|fewer|much|as)\b", r.k[m.start() : m.start("a")]):
            continue
        no = bool(m["not"] or m["no"] or m["neg"] or m["abs"] or m["dn"] or m["no2"] or m["without"]) or (
            m["verb"] or ""
        ).startswith("lack")
        if m["c"] and re.search(r"\b(?:no|neither)\s+(?:\w+\s+)?$", r.k[: m.start("c")]):
            no = not no
        if m["a"] and re.search(r"n't\b", r.k[m.start() : m.start("a")]):
            no = True
        for c in part:
            if is_label(c):
                j = r.k.index(c)
                yield (
                    r.make(
                        "exists",
                        m.start() if c == next(filter(is_label, part)) else j,
                        m.end() if c == [x for x in part if is_label(x)][-1] else j + 1,
                        _at(r, j, [r.s.ref(c)]),
                        said=not no,
                    ),
                    *((m.start(), m.end()) if c == next(filter(is_label, part)) else (-1, 0)),
                )


_DIRECTIONS = {
    "north": "north", "upper": "north", "top": "north", "south": "south", "lower": "south", "bottom": "south",
    "east": "east", "right": "east",
    "west": "west", "left": "west",
}  # fmt: skip


def direction(words: str) -> str:
    """One of «north», «north-east», …, «centre» from the words for it.

    Examples
    --------
    >>> direction("upper left"), direction("southeastern"), direction("middle"), direction("nw")
    ('north-west', 'south-east', 'centre', 'north-west')
    """
    if re.fullmatch(r"[ns][ew]", words):
        return {"n": "north", "s": "south"}[words[0]] + "-" + {"e": "east", "w": "west"}[words[1]]
    parts = [_DIRECTIONS[w] for w in re.findall(r"north|south|upper|lower|top|bottom|east|west|left|right", words)]
    return "-".join(parts) or "centre"


def _place(r: Reader) -> Found:
    for m in _SIDE.finditer(r.k):
        a = r.subject(m.start())
        if a is not None:
            yield (
                r.make(
                    "location", m.start(), m.end(), _at(r, m.start(), [a, r.s.ref(m["b"])]), said=direction(m["dir"])
                ),
                m.start(),
                m.end(),
            )
    for m in _HOLDS.finditer(r.k):
        yield (
            r.make("location", m.start(), m.end(), _at(r, m.start(), [r.s.ref(m["b"])]), said=direction(m["dir"])),
            m.start(),
            m.end(),
        )
    for m in _PLACE.finditer(r.k):
        a = r.subject(m.start())
        if (
            a is None
            or m["dir"] in ("upper", "lower")
            and re.search(r"\b(?:upper|lower) (?:bound|limit|end|estimate)", m.group())
        ):
            continue
        why = "it names several places; one is measured" if m["more"] else ""
        yield (
            r.make("location", m.start(), m.end(), _at(r, m.start(), [a]), said=direction(m["dir"]), why=why),
            m.start(),
            m.end(),
        )


def _change(r: Reader) -> Found:
    for m in _NO_CHANGE.finditer(r.k):
        a, (d1, d2) = r.s.ref(m["a"] or m["lost"]), r.two_dates()
        said = "no " + m["what"] if m["lost"] else "0"
        refs = tuple(replace(a, seg=None, when=w) for w in (d1, d2))
        yield r.make("change", m.start(), m.end(), refs, said=said), m.start(), m.end()
    for m in _NOUN_CHANGE.finditer(r.k):
        d1, d2 = r.two_dates()
        refs = tuple(replace(r.s.ref(m["a"]), seg=None, when=w) for w in (d1, d2))
        yield r.make("change", m.start(), m.end(), refs, said="+" if m["up"] or m["up2"] else "-"), m.start(), m.end()
    for m in _VERB.finditer(r.k):
        verb = "up" if m["up"] else "down" if m["down"] else "same"
        i = m.start(verb)
        if (
            verb != "same"
            and re.fullmatch(r"grow|increase|expand|shrink|decrease|decline|recede", m[verb])
            and not m["not"]
        ):
            continue  # a noun or an infinitive
        if re.match(r" (?:to|from) [^.;]{0,20}resolution|d? order", r.k[m.end(verb) :]):
            continue
        here = [j for j in range(i) if is_label(r.k[j])]
        a = r.s.ref(r.k[here[-1]]) if here else r.before[-1] if r.before else None
        if a is None:
            continue
        said = {"up": "+", "down": "-", "same": "0"}[verb]
        said = "not " + said if m["not"] and verb != "same" else said
        d1, d2 = r.two_dates()
        refs = tuple(replace(a, seg=None, when=w) for w in (d1, d2))
        yield r.make("change", i, m.end(verb), refs, said=said), i, m.end(verb)
