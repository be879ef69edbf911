"""What a sentence says: its figures, each with the regions that it speaks of. Comparisons and the like are in
`relations`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from terrascope_nb.reason.verify.figures import Figure
from terrascope_nb.reason.verify.skeleton import L, N, Ref, Sentence, W, When, is_figure, is_label, is_when


@dataclass(frozen=True)
class Statement:
    """One thing that a text says, not yet checked.

    Attributes
    ----------
    kind : str
        With a number: «share» «area» «pixels» «count» «distance» «gain» «loss» «net» «times» «difference» «clear
        share» «small parts»,
        «figure» (a number that no mask can be tied to). Without: «exists» «location» «adjacent» «larger» «nearer»
        «ranking» «change».
    start, end : int
        Where it stands in the text.
    refs : tuple of Ref
        The regions it speaks of, in the order that `kind` needs.
    figure : Figure or None
        Its number.
    said : bool, str, tuple of str or None
        What is said beside the number, or where there is none.
    of : Ref or None
        For a share: the region it is a share of, when it is not the scene.
    union : bool
        The figure speaks of all `refs` together.
    why : str
        Why it cannot be checked, «» when it can.
    """

    kind: str
    start: int
    end: int
    refs: tuple[Ref, ...] = ()
    figure: Figure | None = None
    said: bool | str | tuple[str, ...] | None = None
    of: Ref | None = None
    union: bool = False
    why: str = ""


# ---- words
# ------------------------------------------------------------------------------------------------------------
MORE = r"(?:larger|bigger|greater|higher|broader|more)"
LESS = r"(?:smaller|lower|less|fewer)"
DOWN = (
    r"(?:decreas(?:ed|es|e|ing)|declin(?:ed|es|e|ing)|shr(?:ank|unk|inks?|inking)|reced(?:ed|es|e|ing)|"
    r"(?:was |were |been |is )reduced|reduction|fell|fallen|dropp(?:ed|ing)|drop|diminish(?:ed|es)|"
    r"contracted|contraction|retreat(?:ed|s)?|shrinkage)"
)
UP = r"(?:grew|grown|grow(?:s|th|ing)?|increas(?:ed|es|e|ing)|expand(?:ed|s|ing)|expansion|rose|risen|ris(?:es|e|ing))"
_LOST = r"(?:lost|loses?|losing|loss(?:es)?|disappeared|vanished)"
_GAINED = r"(?:gained|gains?|gaining)"
_SCENE = (
    r"(?:scene|image|view|picture|pixels?|aoi|map|tile|frame|area|region|place|surface|total|ground|whole|"
    r"study area|clear area)"
)
_ADJ = (
    r"(?:(?:clear|whole|entire|total|visible|valid|mapped|observed|image|scene|satellite|overall|full|"
    r"cloud-free|#)\s+)*"
)
OF_SCENE = (
    rf"(?:of (?:the |this |that |all |its |our )?(?:the )?{_ADJ}{_SCENE}(?:'s)?(?: (?:area|surface|pixels|"
    rf"extent))?(?: inside the area| in the (?:scene|image|area))?(?: \([^)]{{0,40}}\))?)"
)
_BE = r"(?:is|are|was|were|be|being|has been|have been)"
_AS = (
    r"(?:(?:covered|occupied|made up|composed|taken up|dominated) (?:by|of|with)|(?:classified|labell?ed|"
    r"mapped|marked|identified|segmented|detected|used) as|belongs? to|belonging to|consists? of|under|"
    r"represents?|shows?|contains?|contain|falls? (?:in|under|into)|lies? (?:in|under))"
)
_DET = r"(?:(?:the|a|an|some|any|its|their|this|that|open|dense|actual|pure)\s+)*"
_FOLLOW = re.compile(
    rf"^\s*(?:{OF_SCENE}\s*)?(?:(?:that |which )?{_BE} (?P<not>not )?(?:{_AS}\s+)?|(?:that |which )?"
    rf"(?P<not2>(?:do|does) not )?{_AS}\s+|of\s+|for\s+|(?P<not3>not\s+))?{_DET}(?P<label>{L})"
)
_SHARE_OF = re.compile(
    rf"^\s*(?:of|from|within) (?:the |all |its |this |that )?(?P<of>{L})\s*(?:that |which )?(?:{_BE} "
    rf"(?P<not>not )?(?:{_AS}\s+)?|{_AS}\s+){_DET}(?P<label>{L})"
)
_AFTER = re.compile(rf"^\s*(?:{OF_SCENE}\s*)?,\s*{_DET}(?P<label>{L})")
_WITH = re.compile(
    r"(?:^|[,(;:]|\band)\s*(?:with|at|by|covering|spanning|occupying|accounting for|making up|comprising|"
    r"totall?ing)\s+(?:an? (?:area|share|extent) of\s+)?(?:about |some |around |roughly |approximately |"
    r"nearly |almost |only |just |over |more than |less than |at least |~\s?)*$"
)
_SAME_AGAIN = re.compile(
    r"^\s*(?:of [^(\[,;]{0,40})?(?:\s*(?:was|were|has been|have been) (?:lost|gained))?\s*(?:[(\[]|,? or|,"
    r"? i\.e\.,?|,? that is,?|,? which is|,? equivalent to|,? equal to|,? corresponding to|=|/)\s*"
    r"(?:about |only |some |around |roughly |approximately |~\s?|i\.e\.,? |or |=\s?|an area of |"
    r"equivalent to )*$"
)
_PARTS = (
    r"(?:areas?|patch(?:es)?|bod(?:y|ies)|regions?|parts?|components?|pieces?|clusters?|segments?|blobs?|"
    r"zones?|polygons?|fragments?|stands?|units?|objects?|instances?|islands?|places?|spots?|plots?|"
    r"features?|blocks?)"
)
_COUNT_ADJ = (
    r"(?:(?:separate|distinct|different|individual|disconnected|unconnected|disjoint|isolated|small|large|"
    r"larger|smaller|visible|contiguous|connected|discrete|clear|clearly|well-defined|main|major|single|"
    r"spatially|other|more|such|standing|scattered|big|tiny)\s+)*"
)
_COUNTED = re.compile(
    rf"^\s*{_COUNT_ADJ}(?:(?P<parts>{_PARTS})(?:\s+(?:of|with|covered by|classified as|labell?ed "
    rf"as)\s+{_DET}(?P<of>{L}))?|(?P<label>{L}))(?!\w)"
)
_COUNTED_BEFORE = re.compile(
    rf"(?:\b(?:number|count) of\s+{_COUNT_ADJ}(?:{_PARTS}\s+of\s+)?{_DET}(?P<label>{L})?|"
    rf"(?P<label2>{L})\s+count)[^{N[1:-1]}.;]{{0,24}}?(?:{_BE}|:|=|equals|to|of)\s*(?:about |only |exactly "
    rf")*$"
)
_NOT_COUNTED = re.compile(
    r"^\s*[- ]?(?:(?:given|available|different|other|input|satellite|optical|sar|radar|sentinel|time|"
    r"answer|main|reasoning|possible|\w+ed)\s+){0,2}(?:dates?|images?|scenes?|acquisitions?|pictures?|"
    r"steps?|masks?|options?|answers?|choices?|candidates?|observations?|times?|days?|weeks?|months?|"
    r"years?|seasons?|modalities|sensors?|bands?|questions?|sentences?|figures?|numbers?|sides?|ways?|"
    r"tasks?|points? in time|directions?|quantities|shares|measurements?|values|hand|more step|is|are|"
    r"another|#)\b"
)
_CLASSES = re.compile(
    r"^\s*(?:(?:land|different|main|major|other|cover|distinct|land-cover|-)\s*)*(?:class(?:es)?|categor"
    r"(?:y|ies)|types?|land covers?|kinds?)\b"
)
_AWAY = re.compile(
    rf"^\s*(?:(?:away|off|distant|further|farther|north|south|east|west|north-east|north-west|south-east|"
    rf"south-west|edge to edge|in a straight line)\s+)?(?:(?:from|of|to|off)\s+)[^{L[1:-1]}{N[1:-1]}.;,"
    rf"]{{0,30}}?(?P<label>{L})"
)
_DISTANCE = re.compile(
    r"\b(?:distan\w+|gap|apart|away|separat\w+|nearest|closest|spacing|from|within|between|far|shortest|"
    r"proximity|minimum)\b"
)
_DIMENSION = re.compile(
    r"\b(?:long|wide|width|length|high|tall|deep|depth|elevation|altitude|perimeter|shoreline|radius|"
    r"diameter|buffer|across|thick|spans?|stretch\w*|extends?|above|below sea)\b"
)
_CHANGED = re.compile(
    rf"\s*(?:{OF_SCENE}\s*)?(?:of (?:the |its |their )?(?P<of>{L})\s*)?(?:that |which )?(?P<net>net\s+)?(?:"
    rf"(?:was|were|has been|have been|is|are|had been)\s+)?"
    rf"(?:also\s+|newly\s+)?(?P<word>{_LOST}|{_GAINED}|{UP}|{DOWN})\b(?:\s+(?:of|in)\s+)?(?:(?:its|their|"
    rf"the|in)\s+)*(?P<after>{L})?"
)
_SIZED = re.compile(
    rf"(?:\b(?:cover(?:s|ed|ing)?|occup(?:y|ies|ying|ied)|mak(?:es?|ing) up|tak(?:es?|ing) up|account(?:s|"
    rf"ing)? for|amounts? to|comprises?|area|share|size|contains?|change|loss|gain|{_LOST}|{_GAINED}|{UP}|"
    rf"{DOWN})\b[^,;]{{0,30}}|\bcovers?\b[^;]*|{L}\s*[:(=]?\s*|^\s*with\s|\b(?:has|with)\s|\b(?:from|to|"
    rf"by)\s|\bcovering\s)(?:about |only |some |around |roughly |approximately |~\s?)*$"
)
_CLEAR = (
    ("both", re.compile(
rf"^\s*(?:(?:of it|{OF_SCENE})\s*)?(?:(?:that |which )?(?:could|can) be |{_BE} )?(?:seen|compared|clear"
rf"|visible|valid|usable|cloud-free|observed)\s+(?:on|at|in) both")),
    ("both", re.compile(rf"^\s*(?:of it|{OF_SCENE})\s+(?:could|can) be compared")),
    ("clear", re.compile(
rf"^\s*(?:(?:of it|{OF_SCENE})\s+)?(?:(?:that |which )?(?:(?:could|can) be (?:seen|measured|used|"
rf"observed)|{_BE} (?:clear|cloud-free|usable|visible|valid|free of clouds?))|(?:clear|cloud-free|"
rf"valid)(?! pixels?\b))(?!\w)")),
    ("nodata", re.compile(
rf"^\s*(?:(?:of it|{OF_SCENE})\s+)?(?:(?:has|have|is|are|without|of) )?(?:no[- ]?data|without data|"
rf"missing)\b")),
)  # fmt: skip
_ONE_PART = re.compile(
    rf"\b(?:largest|biggest|smallest|single|average|mean|median|each|every|per|individual|longest|main)\s+"
    rf"(?:\w+\s+)?(?:(?:patch|part|body|area|piece|component|region)\w*\s+of\s+)?{_DET}$"
)
_IF = re.compile(
    r"\b(?:if|whether|unless|in case|assuming|suppose|supposing|would|had to|check(?:ing)? that|in order "
    r"to)\b"
)
_COND_END = re.compile(r"[,.;:]|\bthen\b")
_INDEX = re.compile(
    r"\b(?:nd[vwsbm]i\w*|mndwi|evi|index|threshold|reflectances?|probabilit\w+|confidence|scores?|"
    r"backscatter|db|elevation|altitude|height|depth|temperature|percentile|iou|accuracy|population|slope|"
    r"width|length|perimeter|coordinates?|latitude|longitude)\b"
)


class Reader:
    """Reads one sentence; keeps which parts of it figures have used up, so that `relations` does not claim them
    again.
    """

    def __init__(self, s: Sentence, before: list[Ref]) -> None:
        self.s, self.before, self.k = s, before, s.skeleton
        self.used: list[tuple[int, int]] = []
        self.open = self._conditions()
        self.numbers = [i for i, c in enumerate(self.k) if is_figure(c)]
        self.owned = self._dates_of_figures()

    # ---- where
    # ----------------------------------------------------------------------------------------------------------
    def _conditions(self) -> list[tuple[int, int]]:
        out = []
        for m in _IF.finditer(self.k):
            end = _COND_END.search(self.k, m.end())
            out.append((m.start(), end.start() if end else len(self.k)))
        return out

    def conditional(self, i: int) -> bool:
        """Whether position `i` stands after «if» or «whether»."""
        return any(a <= i < b for a, b in self.open)

    def is_used(self, i: int, j: int) -> bool:
        """Whether a figure has taken any of ``[i:j]``."""
        return any(a < j and i < b for a, b in self.used)

    def pre(self, i: int) -> str:
        """From the figure before `i`, or the sentence's start, to `i`."""
        return self.k[max((n + 1 for n in self.numbers if n < i), default=0) : i]

    def post(self, i: int) -> str:
        """From `i` to the next figure, or the sentence's end."""
        return self.k[i + 1 : min((n for n in self.numbers if n > i), default=len(self.k))]

    def _dates_of_figures(self) -> dict[int, When]:
        """Figure → date, where the date follows it («12 % on 2023-06-01»)."""
        owned: dict[int, When] = {}
        taken: set[int] = set()
        for i in self.numbers:
            start = max((n + 1 for n in self.numbers if n < i), default=0)
            if any(is_when(self.k[j]) for j in range(start, i) if j not in taken):
                continue
            m = re.match(
                rf"\s*(?:{OF_SCENE}\s*|of {_DET}{L}\s*|[(][^)]{{0,24}}[)]\s*)?(?:was\s+|were\s+)?(?:on|in|at|by|during|"
                rf"for|as of)\s+(?:the )?({W})",
                self.post(i),
            )
            if m:
                taken.add(i + 1 + m.start(1))
                owned[i] = self.s.when(m.group(1))
        self.dates_taken = taken
        return owned

    def when(self, i: int) -> When | None:
        """The date that holds at `i`: its own, or the nearest before it in the sentence."""
        if i in self.owned:
            return self.owned[i]
        for j in range(i - 1, -1, -1):
            if is_when(self.k[j]) and j not in self.dates_taken:
                return self.s.when(self.k[j])
        rest = [c for j, c in enumerate(self.k) if is_when(c) and j > i and j not in self.dates_taken]
        return self.s.when(rest[0]) if len(rest) == 1 else None

    def two_dates(self) -> tuple[When, When]:
        """Earlier and later date of a change: the sentence's two, else the first and the last."""
        dates = [self.s.when(c) for c in self.k if is_when(c)]
        return (dates[0], dates[1]) if len(dates) >= 2 else (("first",), ("last",))

    # ---- who
    # ------------------------------------------------------------------------------------------------------------
    def is_object(self, j: int) -> bool:
        """Whether the label at `j` follows a word that makes it the other side of a relation."""
        return bool(
            re.search(
                r"\b(?:than|from|to|with|touch\w*|borders?|adjoins?|exceeds?|by|near|beside|after|before|behind|ahead "
                r"of|without)\s+(?:that of )?(?:the |a |any )?$",
                self.k[max(0, j - 40) : j],
            )
        )

    def subject(self, i: int) -> Ref | None:
        """Who a verb or figure at `i` speaks of: the nearest label before it that is no object; else what a pronoun
        would mean.
        """
        here = [j for j in range(i) if is_label(self.k[j])]
        if here:
            last = here[-1]
            own = self.s.ref(self.k[last]).seg is not None or re.match(
                r"\s*(?:,? (?:which|that|whose|with|covering|has|at)\b|[(:=])", self.k[last + 1 : i]
            )
            if own or not self.is_object(last):
                return self.s.ref(self.k[last])
            free = [j for j in here if not self.is_object(j)]
            if free:
                return self.s.ref(self.k[free[-1]])
            if self.before:
                return self.before[-1]
            return self.s.ref(self.k[last])
        if self.before:
            return self.before[-1]
        later = [c for c in self.k[i + 1 :] if is_label(c)]
        return self.s.ref(later[0]) if later else None

    def dated(self, ref: Ref | None, when: When | None) -> tuple[Ref, ...]:
        """The region with its date, as a tuple; empty for None."""
        return () if ref is None else (replace(ref, when=when if ref.seg is None else None),)

    def make(self, kind: str, i: int, j: int, refs: tuple[Ref, ...] = (), **more: object) -> Statement:
        """A statement over the skeleton's ``[i:j]``."""
        a, b = self.s.span(i, j)
        return Statement(kind, a, b, refs, **more)  # type: ignore[arg-type]

    # ---- figures
    # --------------------------------------------------------------------------------------------------------
    def figures(self) -> list[Statement]:
        """One statement a figure; figures that count no region («two dates») give none."""
        out: list[Statement] = []
        role: Statement | None = None
        for i in self.numbers:
            said = self._figure(i, self.s.figure(self.k[i]), role)
            if said is not None:
                out.append(said)
                role = said
        return out

    def _figure(self, i: int, f: Figure, role: Statement | None) -> Statement | None:
        pre, post = self.pre(i), self.post(i)
        if f.doubt:
            return self.unknown(i, f, f.doubt)
        if not f.unit and (_NOT_COUNTED.match(post) or _is_mere_word(f, pre, post)):
            return None
        if f.word and f.bound and re.match(rf"\s*of {_DET}{L}[^.;]{{0,40}}\b(?:in|on|at|to|towards) the ", post):
            return None  # «most of the water lies in the north» speaks of the place
        if self.conditional(i):
            return self.unknown(i, f, "it stands in a condition, which claims nothing of a mask")
        for read in (
            self._clear,
            self._times,
            self._count,
            self._length,
            self._change,
            self._difference,
            self._from_to,
            self._together,
        ):
            said = read(i, f, pre, post, role)
            if said is not None:
                return said
        return self._plain(i, f, pre, post, role)

    def unknown(self, i: int, f: Figure, why: str) -> Statement:
        """A number that cannot be tied to a mask."""
        return self.make("figure", i, i + 1, figure=f, why=why)

    def _clear(self, i: int, f: Figure, pre: str, post: str, role: Statement | None) -> Statement | None:
        if f.unit != "%":
            return None
        for said, pattern in _CLEAR:
            if pattern.match(post):
                subject = self.subject(i)
                return self.make("clear share", i, i + 1, () if subject is None else (subject,), figure=f, said=said)
        return None

    def _times(self, i: int, f: Figure, pre: str, post: str, role: Statement | None) -> Statement | None:
        half = f.word and f.unit == "%" and not f.bound
        m = re.match(
            rf"\s*(?:times )?(?:as (?:\w+)(?: \w+)? as|as much (?P<much>{L}) as|(?:of )?(?:the )?(?:area|size|"
            rf"extent|share|amount)(?: of| as)?|(?:that|the one) of|"
            rf"(?P<cmp>{MORE}|{LESS})(?: \w+){{0,3}} than)\s+(?:that of )?[^{L[1:-1]}{N[1:-1]}.;,]{{0,30}}?(?P<b>{L})",
            post,
        )
        if m and (half or f.unit == "×") and not re.match(OF_SCENE, m.group().strip()):
            a = self.s.ref(m["much"]) if m["much"] else self.subject(i)
            b = self.s.ref(m["b"])
            self.used.append((i, i + 1 + m.end()))
            said = "less" if m["cmp"] and re.fullmatch(LESS, m["cmp"]) else ""
            when = self.when(i)
            figure = replace(f, value=f.value / 100, unit="×") if half else replace(f, unit="×")
            return self.make(
                "times", i, i + 1 + m.end(), self.dated(a, when) + self.dated(b, when), figure=figure, said=said
            )
        ratio = re.search(
            rf"\bratio (?:of|between) {_DET}(?:\w+ of )?({L}) (?:to|and|over|with) {_DET}(?:\w+ of )?"
            rf"({L})[^{L[1:-1]}]{{0,16}}$",
            pre,
        )
        if ratio and f.unit in ("", "×"):
            when = self.when(i)
            refs = self.dated(self.s.ref(ratio[1]), when) + self.dated(self.s.ref(ratio[2]), when)
            return self.make("times", i, i + 1, refs, figure=replace(f, unit="×"), said="")
        if f.unit != "×":
            return None
        if re.fullmatch(r"doubled|tripled|halved|doubles|halves|double|triple", f.text):
            a, (d1, d2) = self.subject(i), self.two_dates()
            if a is not None:
                a = replace(a, seg=None)
                return self.make("times", i, i + 1, (replace(a, when=d2), replace(a, when=d1)), figure=f)
        return self.unknown(i, f, "it is not said of which two masks it is the ratio")

    def _count(self, i: int, f: Figure, pre: str, post: str, role: Statement | None) -> Statement | None:
        if f.unit not in ("", "px"):
            return None
        if role is not None and role.kind in ("count", "small parts") and re.match(r"\s*of them\b", post):
            return self.make("small parts", i, i + 1, role.refs, figure=f, said="parts")
        if (
            not f.unit
            and re.match(r"\s*of them\b", post)
            and re.search(r"\b(?:seen|found|counted|there)\s*:?\s*$", pre)
        ):
            ref = self.subject(i)
            return self.make("count", i, i + 1, self.dated(ref, self.when(i)), figure=f, said="every part")
        if f.unit == "px" and re.search(r"\b(?:dilat|erod|buffer|shift|grow|expand|tolerance)\w*\b", pre):
            return self.unknown(i, f, "it says how masks were compared, not what they hold")
        if f.unit == "px":
            if role is not None and role.kind == "pixels" and re.search(r"^\s*(?:out )?of (?:the )?(?:total )?$", pre):
                return self.make("pixels", i, i + 1, role.refs, figure=f, said="of")
            return None
        if (
            re.match(rf"\s*(?:out )?of (?:the )?(?:total )?{N}", self.k[i + 1 : i + 24])
            or re.match(rf"\s*(?:\w+ )?{L}", post)
            and "pixel" in self._words(i, post)
        ):
            follow = _FOLLOW.match(post) or _FOLLOW.match(self.post(i + 1 + len(post)))
            ref = self.s.ref(follow["label"]) if follow else self.subject(i)
            return self.make("pixels", i, i + 1, self.dated(ref, self.when(i)), figure=replace(f, unit="px"))
        numbering = re.search(rf"({L})\s+(?:number|count|total|amount to)\s+(?:about |only )*$", pre)
        if numbering and "pixel" in self.s.words(i - len(pre) + numbering.start(1)):
            return self.make(
                "pixels", i, i + 1, self.dated(self.s.ref(numbering[1]), self.when(i)), figure=replace(f, unit="px")
            )
        if _CLASSES.match(post):
            return self.unknown(i, f, "classes are not counted")
        m = _COUNTED.match(post)
        b = None if m else _COUNTED_BEFORE.search(pre)
        if m is None and b is None:
            return self.unknown(i, f, "it has no unit, and nothing is named that could be counted")
        c = (m["of"] or m["label"]) if m else (b["label"] or b["label2"])
        ref = self.s.ref(c) if c else self.subject(i)
        self.used.append((i, i + 1 + (m.end() if m else 0)))
        return self.make("count", i, i + 1 + (m.end() if m else 0), self.dated(ref, self.when(i)), figure=f)

    def _words(self, i: int, post: str) -> str:
        """The words of the label that follows a figure, as they stand («water pixels»)."""
        m = re.match(rf"\s*(?:\w+ )?({L})", post)
        return self.s.words(i + 1 + m.start(1)) if m else ""

    def _length(self, i: int, f: Figure, pre: str, post: str, role: Statement | None) -> Statement | None:
        around = pre + " " + post
        if f.unit == "px" and (not re.search(r"\b(?:distance|apart|away|gap)\b", around)):
            return None
        if f.unit not in ("m", "km", "mi", "ft", "px"):
            return None
        if role is not None and role.kind == "distance" and _SAME_AGAIN.search(pre):
            return self.make("distance", i, i + 1, role.refs, figure=f)
        if _INDEX.search(pre):
            return self.unknown(i, f, "it is no distance between two masks")
        away = _AWAY.match(post)
        before = [j for j in range(i) if is_label(self.k[j])]
        after = [i + 1 + n for n, c in enumerate(post) if is_label(c)]
        pair: list[Ref] = []
        end = i + 1
        if both := re.search(rf"\bfrom {_DET}(?:\w+ )?({L})\s+to {_DET}(?:\w+ )?({L})", post):
            pair = [self.s.ref(both[1]), self.s.ref(both[2])]
        elif away:
            subject = self.subject(i)
            pair = [subject] if subject else []
            pair.append(self.s.ref(away["label"]))
            end = i + 1 + away.end()
        elif re.match(r"\s*(?:\w+\s+){0,2}(?:separates?|lies? between|between)\b", post) and len(after) >= 2:
            pair = [self.s.ref(self.k[j]) for j in after[:2]]
        elif len(before) >= 2 and _DISTANCE.search(around + self.k[:i]):
            pair = [self.s.ref(self.k[j]) for j in before[-2:]]
        elif _DISTANCE.search(around + self.k[:i]):
            pair = ([self.s.ref(self.k[before[-1]])] if before else []) + [self.s.ref(self.k[j]) for j in after[:1]]
            if len(pair) == 1 and self.before:
                pair.insert(0, self.before[-1])
            if not pair:
                pair = self.before[-2:]
        if len(pair) != 2 or pair[0] is pair[1]:
            again = (
                role is not None and role.kind in ("share", "area", "gain", "loss", "net") and not self.s.labels(pre)
            )
            if (
                f.unit != "px"
                and not _DIMENSION.search(around)
                and (
                    re.match(rf"\s*{OF_SCENE}", post)
                    or _FOLLOW.match(post)
                    or _CHANGED.match(post)
                    or _SIZED.search(pre)
                    or again
                )
            ):
                return None  # a length where a size belongs; it is checked as one, and fails
            return self.unknown(i, f, "it is not said between which two masks")
        sep = re.search(rf"\bseparated from\b[^{N[1:-1]}]*$", self.k[:i])
        self.used.append((sep.start() if sep else i, end))
        when = self.when(i)
        return self.make("distance", i, end, self.dated(pair[0], when) + self.dated(pair[1], when), figure=f)

    def _change(self, i: int, f: Figure, pre: str, post: str, role: Statement | None) -> Statement | None:
        if f.unit not in _KIND:
            return None
        if role is not None and role.kind in ("gain", "loss", "net") and _SAME_AGAIN.search(pre):
            return self.make(role.kind, i, i + 1, role.refs, figure=f, said=role.said)
        head = _CHANGED.match(post)
        turned = re.match(
            rf"\s*(?:{OF_SCENE}\s*)?(?:of (?:the )?{L}\s*)?(?:was |were |has |have |is |been )*(?:turned|converted|"
            rf"changed|transformed|became|become|turning)\s*(?:in)?(?:to)?\s*{_DET}(?P<into>{L})",
            post,
        )
        tail = list(re.finditer(rf"\b(?P<word>{_LOST}|{_GAINED}|{UP}|{DOWN}|chang(?:ed|es|e))\b", pre))
        dates = self.two_dates()
        label: Ref | None = None
        net = False
        if turned:
            word, label = "gained", self.s.ref(turned["into"])
        elif head:
            word, net = head["word"], bool(head["net"])
            c = head["after"] or head["of"]
            label = self.s.ref(c) if c else None
            if re.match(_LOST + "|" + _GAINED, word) and re.search(r"\bnet\b[^,;]*$", pre):
                net = True
        elif tail:
            m = tail[-1]
            word, between = m["word"], pre[m.end() :]
            if re.search(
                r"(?<!amounts )(?<!amount )(?<!equal )(?<!equals )(?<!comes )\b(?:to|from)\s+(?:about |only |just |"
                r"roughly |around |approximately |~\s?)*$",
                pre,
            ) or re.search(r"[,;]|\band\b|\bbut\b|\bcovers?\b", between):
                return None
            if not (
                re.match(rf"{_LOST}|{_GAINED}", word)
                or re.search(r"\b(?:by|of|is|was|being|equals|amounts to|:|=)\s*(?:\w+\s+){0,2}$|:\s*$", between)
                or between.strip() in ("", "about")
            ):
                return None
            net = bool(re.search(r"\bnet\b[^,;]{0,24}$", pre[: m.start()]))
        else:
            return None
        if label is None:
            m = re.match(rf"\s*(?:{OF_SCENE}\s*)?of (?:the |its |their )?({L})", post)
            label = self.s.ref(m.group(1)) if m else self.subject(i)
        if head:
            self.used.append((i, i + 1 + head.end()))
        if tail and not head and not turned:
            at = i - len(pre) + tail[-1].start()
            self.used.append((at, i + 1))
        if re.match(r"chang", word):
            kind, said = "net", "" if net or f.sign or re.search(r"\bnet\b", pre) else "±"
        elif re.fullmatch(_LOST, word):
            kind, said = ("net", "-") if net else ("loss", "")
        elif re.fullmatch(_GAINED, word):
            kind, said = ("net", "+") if net else ("gain", "")
        else:
            kind, said = "net", "+" if re.fullmatch(UP, word) else "-"
        if label is None:
            return self.unknown(i, f, "it is not said what changed")
        label = replace(label, seg=None)
        if f.unit == "%" and re.match(r"\s*(?:of its|of the (?:former|original|initial|earlier|first)|relative)", post):
            said += "%"
        refs = (replace(label, when=dates[0]), replace(label, when=dates[1]))
        return self.make(kind, i, i + 1, refs, figure=f, said=said)

    def _difference(self, i: int, f: Figure, pre: str, post: str, role: Statement | None) -> Statement | None:
        m = re.match(
            rf"\s*(?:points?\s+)?(?:{OF_SCENE}\s+)?(?P<cmp>{MORE}|{LESS})(?: \w+){{0,3}}? "
            rf"than\s+[^{L[1:-1]}{N[1:-1]}.;,]{{0,30}}?(?P<b>{L})",
            post,
        )
        by = re.search(
            rf"(?P<cmp>\b{MORE}|\b{LESS}|\bexceeds?)\b[^{L[1:-1]}]{{0,40}}(?P<b>{L})[^{L[1:-1]}.;,]{{0,12}}\bby\s+"
            rf"(?:about |only |just |roughly )*$",
            pre,
        )
        of = re.search(
            rf"\bdifference\s+(?:in (?:area|size|share)\s+)?between\s+[^{L[1:-1]}]{{0,16}}"
            rf"(?P<a>{L})\s+and\s+[^{L[1:-1]}]{{0,16}}(?P<b>{L})[^{L[1:-1]}.;,]{{0,20}}$",
            pre,
        )
        if not (m or by or of):
            return None
        when = self.when(i)
        if of:
            return self.make(
                "difference",
                i,
                i + 1,
                self.dated(self.s.ref(of["a"]), when) + self.dated(self.s.ref(of["b"]), when),
                figure=f,
                said="±",
            )
        at = i + 1 if m else i - len(pre) + by.start()
        a, b = self.subject(i if m else at), self.s.ref((m or by)["b"])
        said = "-" if re.fullmatch(LESS, (m or by)["cmp"]) else "+"
        self.used.append((i, i + 1 + m.end()) if m else (at, i + 1))
        if a is None:
            return self.unknown(i, f, "it is not said what is compared")
        return self.make("difference", i, i + 1, self.dated(a, when) + self.dated(b, when), figure=f, said=said)

    def _from_to(self, i: int, f: Figure, pre: str, post: str, role: Statement | None) -> Statement | None:
        words = r"\s+(?:about |only |just |roughly |around |approximately |~\s?)*$"
        which = (
            "first"
            if re.search(r"\bfrom" + words, pre)
            else "last"
            if re.search(r"(?<!amounts )(?<!amount )(?<!equal )(?<!equals )(?<!comes )\b(?:down |up )?to" + words, pre)
            else ""
        )
        if not which and role is not None and role.said in ("first", "last") and re.search(r"^\s*[(\[]\s*$", pre):
            which = str(role.said)
        if not which or f.unit not in _KIND:
            return None
        if which == "last" and not re.search(rf"\bfrom\b.*{N}|\b(?:{UP}|{DOWN}|went|goes|changed)\b", self.k[:i]):
            return None
        ref = self.subject(i)
        if ref is None:
            return self.unknown(i, f, "it is not said of which mask")
        d1, d2 = self.two_dates()
        when = self.owned.get(i) or (d1 if which == "first" else d2)
        return self.make(_KIND[f.unit], i, i + 1, (replace(ref, seg=None, when=when),), figure=f, said=which)

    def _together(self, i: int, f: Figure, pre: str, post: str, role: Statement | None) -> Statement | None:
        if role is not None and role.union and _SAME_AGAIN.search(pre):
            return self.make(_KIND.get(f.unit, "figure"), i, i + 1, role.refs, figure=f, union=True)
        m = re.search(
            r"\b(?:together|combined|jointly|altogether|in sum|in all|in total|both|all (?:three|four|five|of "
            r"them)|they|the two|the three)\b",
            pre,
        )
        late = re.match(r"[^,.;]{0,40}?\b(?:together|combined|jointly|altogether|in total|in sum)\b", post)
        if not (m or late) or f.unit not in _KIND:
            return None
        here = self.s.labels(pre)
        if len(here) < 2 and re.search(r"\b(?:they|both|the two|the three|all|together|combined|altogether)\b", pre):
            n = 3 if "three" in pre else 4 if "four" in pre else 2 if re.search(r"\bboth\b|\btwo\b", pre) else 0
            here = (self.before + here)[-n:] if n else self.before + here
        if len(here) < 2:
            return None
        when = self.when(i)
        return self.make(
            _KIND[f.unit], i, i + 1, tuple(r for x in here for r in self.dated(x, when)), figure=f, union=True
        )

    def _plain(self, i: int, f: Figure, pre: str, post: str, role: Statement | None) -> Statement | None:
        if f.unit not in _KIND:
            return self.unknown(i, f, "nothing that has this unit is measured")
        if (
            role is not None
            and role.kind in ("count", "small parts")
            and f.unit == "px"
            and re.match(r"\s*in all\b", post)
        ):
            return self.make("small parts", i, i + 1, role.refs, figure=f, said="pixels")
        if _INDEX.search(pre) and not self.s.labels(pre):
            return self.unknown(i, f, "it is not said of a mask")
        when = self.when(i)
        m = _SHARE_OF.match(post)
        if m and f.unit == "%":
            said = "not" if m["not"] else None
            return self.make(
                "share", i, i + 1, self.dated(self.s.ref(m["label"]), when), figure=f, said=said, of=self.s.ref(m["of"])
            )
        ref: Ref | None
        direct = re.search(rf"{L}\s*[:=(]?\s*(?:about |~\s?)?$", pre)
        follow = None if direct else _FOLLOW.match(post)
        after = _AFTER.match(post) if not follow and _WITH.search(pre) and not self.s.labels(pre) else None
        found = follow or after
        said = None
        if found:
            ref, at = self.s.ref(found["label"]), i + 1 + found.start("label")
            said = "not" if follow and (follow["not"] or follow["not2"] or follow["not3"]) else None
            more = re.match(
                rf"(?:(?:\s*,\s*|(?:\s*,)?\s*and\s+){_DET}{L})+(?=\s*(?:[.;,)]|$|together|combined))", self.k[at + 1 :]
            )
            if follow and more and not re.search(N, self.k[at + 1 + more.end() : at + 8 + more.end()]):
                refs = (ref, *self.s.labels(more.group()))
                return self.make(
                    _KIND[f.unit], i, i + 1, tuple(x for r in refs for x in self.dated(r, when)), figure=f, union=True
                )
            if (
                f.unit == "%"
                and re.match(r"\s*of (?:the|its|this|that|all)\s", post)
                and re.match(rf"\s*of {_DET}{L}", post)
            ):
                return self.unknown(i, f, f"a part of {ref.label or 'a region'} is meant, and no mask shows which")
        else:
            ref = self.subject(i)
            here = [j for j in range(i) if is_label(self.k[j]) and ref is self.s.ref(self.k[j])]
            at = here[-1] if here else i
        if ref is None:
            return self.unknown(i, f, "it is not said of which mask")
        if _ONE_PART.search(self.k[max(0, at - 60) : at]) or re.search(
            r"\b(?:largest|smallest|biggest|each|average|mean)\b(?: \w+){0,2} (?:patch|part|one|body|piece|"
            r"component)\b",
            pre,
        ):
            return self.unknown(
                i, f, f"it speaks of one part of {ref.label or 'the region'}; only whole masks are measured"
            )
        return self.make(_KIND[f.unit], i, i + 1, self.dated(ref, when), figure=f, said=said)


_KIND = {
    "m": "share",
    "km": "share",
    "mi": "share",
    "ft": "share",
    "%": "share",
    "m²": "area",
    "ha": "area",
    "km²": "area",
    "px": "pixels",
    "acre": "area",
    "mi²": "area",
    "ft²": "area",
}


def _is_mere_word(f: Figure, pre: str, post: str) -> bool:
    """«the two lakes», «one of the», «no one»: words that count nothing."""
    if not f.word:
        return False
    if re.search(r"\b(?:the|these|those|both|all|other|its|their|no|each|any|every|this|that|which)\s+$", pre):
        return True
    if f.value == 1 and f.text == "one":
        return not re.match(
            rf"\s+(?:(?:single|separate|contiguous|connected|distinct|large|small)\s+)*(?:{L}|(?:separate|single|"
            rf"contiguous|connected|distinct)\s+{_PARTS})",
            post,
        )
    return f.value == 0 and not _COUNTED.match(post)
