"""Cues of each task in a question's wording, and the phrases that are made one before cues are looked for."""

from __future__ import annotations

import re

C = r"CLASS\d+"
SCENE = r"(?:scene|images?|picture|photo|photograph|(?:study )?area|map|view|patch|tile|region|site|frame|aoi)"

NEGATED = re.compile(
    r"\b(?:no|not|non|none|neither|nor|never|nothing|without|absent|absence|lack|lacks|lacking|except|excluding|exclude"
    r"|besides|outside|other than|apart from|free of|unaffected|cannot|far from)\b|\w+n't\b|\bnon-\w+"
)
#: A part of the scene.
PART = re.compile(
    r"\b(?:(?:north|south)-?(?:east|west)(?:ern)?|north|south|east|west|northern|southern|eastern|western|left|right"
    r"|top|bottom"
    r"|upper|lower|middle|half|halves|quarter)\b"
)
YES_NO = re.compile(r"^(?:is|are|was|were|does|do|did|has|have|had|can|could)\b")
WHETHER = re.compile(r"^(?:if|whether)\s+(.*)$", re.DOTALL)
#: A question about dates.
WHICH_DATE = re.compile(
    r"\bwhen\b|\b(?:in|on|at|for) (?:which|what) (?:years?|dates?|months?|days?|times?|images?)\b|^which (?:year"
    r"|date|month|image)s?\b"
)

_VERB = (
    "(?:tell|give|show|say|estimate|calculate|compute|determine|measure|report|state|identify|name|quantify|help"
    "|find|let)"
)
_POLITE = re.compile(
    r"^(?:(?:ok|hello|hi|hey|so|then|please|kindly|now)[, ]+)*"
    rf"(?:(?:(?:can|could|would|will|might) (?:you|we|i) (?:please |kindly )?{_VERB}(?: (?:me|us))?(?: know)?"
    r"|(?:i|we) (?:would like|want|need|like)(?: you)? to (?:know|see|find|tell me)|(?:i|we) wonder"
    r"|(?:do )?you know|(?:please )?tell (?:me|us)|let me know)[, ]*)?(?:(?:please|kindly|then) )?"
)
_GIVEN = re.compile(
    r"^(?:(?:based on|given|according to|considering|looking at|in|from|for|on|using|with) (?:the |this |these |a "
    r"|an )?"
    r"(?:(?:provided|given|following|satellite|optical|sar|radar|remote sensing|above|two|rgb|multispectral)[ -]){0,3}"
    r"(?:image|images|scene|imagery|picture|photo|map|view|patch|tile)(?: (?:shown|provided|given|above"
    r"|here))?\s*[,:]\s*)+"
)


def main_clause(text: str) -> str:
    """Take politeness and «based on the image,» off.

    Examples
    --------
    >>> main_clause("could you please tell me how large the CLASS0 is, please")
    'how large the CLASS0 is'
    """
    text = re.sub(r",? (?:please|thanks|thank you)\b[, ]*$", "", text).strip()
    text = _POLITE.sub("", _GIVEN.sub("", re.sub(r"^please,? ", "", text)))
    return _GIVEN.sub("", text).strip(" ,:")


_BIG, _SMALL = "largest|biggest|most|greatest|highest", "smallest|least|lowest"
_AMOUNT = (
    r"(?: (?:total |overall |land |ground |surface )?"
    r"(?:share|percentage|percent|proportion|fraction|area|amount|part|portion|extent|coverage|size))"
)
_OF_ALL = (
    r"(?: (?:of|in|over|within) (?:the |this )?(?:total |whole |entire )?(?:scene|image|area|picture|map|pixels))?"
)
_END = r"(?= |$|,|:)"
_REWRITES = tuple((re.compile(a), b) for a, b in (
    (r"\b(?:minimum|minimal|shortest|nearest|closest|smallest|least)(?: (?:euclidean|straight-line"
     r"|straight line))? distance\b",
     "distance"),
    (r"\b(?:(?:share|shares|shared|sharing)(?: (?:a|the|any|an))?(?: common)?|common) (?:boundary|boundaries"
     r"|borders?|edges?)\b",
     "adjacent"),
    (r"\b(?:boundary|border|spatial|adjacency) (?:relationship|relation)\b", "RELATION adjacent"),
    (r"\bboundar(?:y|ies)\b[\w ]*\bmeet\b", "adjacent"),
    (r"\b(?:dominant|dominates?|predominant|prevailing|prevalent|most (?:common|widespread|prevalent"
     r"|dominant))\b", "SUPBIG"),
    (r"\bleast (?:common|widespread|prevalent|dominant)\b", "SUPSMALL"),
    (rf"\b(?:{_BIG})(?:{_AMOUNT}{_OF_ALL}(?: coverage)?)?{_END}", "SUPBIG"),
    (rf"\b(?:{_SMALL})(?:{_AMOUNT}{_OF_ALL}(?: coverage)?)?{_END}", "SUPSMALL"),
    (rf"\b(?:larger|bigger|greater|more)(?:{_AMOUNT}{_OF_ALL})?{_END}", "MORE"),
    (rf"\b(?:smaller|less|fewer)(?:{_AMOUNT}{_OF_ALL})?{_END}", "LESS"),
    (r"\bexceeds?\b", "MORE"),
    (r"\bSUPBIG extensive\b|\bmain(?= ANY)", "SUPBIG"),
    (r"\b(MORE|LESS) extensive\b", r"\1"),
    (r"\b(?:reach(?:es|ed)?|at) (?:its|their) maximum\b", "SUPBIG"),
    (r"\b(?:reach(?:es|ed)?|at) (?:its|their) minimum\b", "SUPSMALL"),
    (r"\b(?:by|in terms of|in(?= (?:area|size|coverage|extent)\b)|with respect to|according to)"
     r" (?:their |its |the |total |surface )*(?:areas?|sizes?|coverage|extent|share)\b", "BYSIZE"),
))  # fmt: skip


def rewrite(text: str) -> str:
    """Make phrases of one meaning one: «the most area», «most widespread» → ``SUPBIG``, «share a border» → adjacent."""
    for pattern, new in _REWRITES:
        text = pattern.sub(new, text)
    return text


GAIN = r"gained|gains?|appeared|new|newly"
LOSS = r"lost|lose|loss|losses|disappear|disappeared|vanish|vanished"
UP = r"grow|grew|grown|growth|growing|increased?|increases|increasing|expand|expanded|expansion"
DOWN = (
    r"shrink|shrunk|shrank|shrinks|shrinking|shrinkage|decreased?|decreases|declined?|reduced?|reduction"
    r"|retreat|retreated"
)
_NET = r"change|changes|changed|changing|net|evolved?|develop"

CUES = {task: re.compile(pattern) for task, pattern in {
    "change": rf"\b(?:{GAIN}|{LOSS}|{UP}|{DOWN}|{_NET})\b",
    "adjacency": r"\b(?:adjacent|next to|neighbou?r(?:s|ing)?|border(?:s|ing|ed)?|boundar(?:y|ies)|touch(?:es|ing)?"
                 r"|contact"
                 r"|contiguous|adjoin(?:s|ing)?|abuts?|meets?)\b",
    "distance": r"\b(?:distances?|how far|how close|far apart|separation|separated by|how many UNIT is it)\b"
                rf"|\bseparates? (?:the )?{C} (?:from|and)\b",
    "location": r"\b(?:where|locate|position|location|(?:which|what) (?:direction|quadrant|corner|side|part|region))\b",
    "counting": r"\bcount\b|\bhow many (?!UNIT|ANY|percent|%|points)|\bnumber of (?!UNIT|ANY|pixels)",
    "ranking": r"\b(?:rank|ranking|ranked|ordered|sort|sorted|descending|decreasing)\b|\border (?:of|the)\b|^order\b",
    "superlative": r"\bSUP(?:BIG|SMALL)\b",
    "comparison": r"\b(?:MORE|LESS|than)\b",
    "share": r"\b(?:percentages?|percents?|pct|shares?|proportion|portion|fraction|ratio|how much of"
             r"|how many points)\b|%",
    "area": r"\b(?:area of|size|extent|how (?:large|big)|how much area|what area|surface area|total area|absolute area"
            r"|pixels? (?:number|count)|number of pixels)\b",
}.items()}  # fmt: skip

_SOME = r"(?:any |some |a |an |the |visible |detectable )*"
_SEEN = r"(?:present|visible|there|seen|found|shown|detected|located|observed|depicted)"
_PLACE = (
    rf"(?:\s*(?:in|on|within|inside|at|for|of) (?:the |this )?(?:satellite |optical |sar )?(?:DATE0|{SCENE})"
    rf"|\s*(?:in|on)?\s*DATE0"
    rf"|\s*(?:here|anywhere|{_SEEN}|to be (?:seen|found)|areas?|patches|pixels)|\s*[,()])*"
)
EXISTS = tuple(re.compile(f"^{p}{_PLACE}$") for p in (
    rf"(?:is|are|was|were) there {_SOME}(?:sign of )?{C}",
    rf"there (?:is|are|was|were) {_SOME}{C}",
    rf"(?:is|are|was|were) {_SOME}{C}(?: areas?| pixels)? {_SEEN}",
    rf"{_SOME}{C} (?:is|are|was|were) {_SEEN}",
    rf"(?:does|do|did) (?:this |the |satellite |optical |sar )*{SCENE} (?:contain|include|have|show|feature|display"
    rf"|hold|depict)"
    rf" {_SOME}{C}",
    rf"(?:does|do|did) {_SOME}{C}(?: areas?| pixels)? (?:exist|occur|appear)",
    rf"(?:can|could|do|did) (?:you|we|i) (?:see|find|detect|identify|spot|observe) {_SOME}{C}",
    rf"can {_SOME}{C} be (?:seen|found|detected|identified|observed)",
))  # fmt: skip

_SHARE_WORD = r"(?:percentage|share|proportion|fraction|ratio|percent|coverage)"
_AREA_WORD = r"(?:area|size|extent)"
_AND = r"\b[^,]{0,60}\band (?:the |its |their )?(?:\w+ )?"
AREA_AND_SHARE = re.compile(rf"\b{_AREA_WORD}{_AND}{_SHARE_WORD}\b|\b{_SHARE_WORD}{_AND}{_AREA_WORD}\b")
AREA_SAID = re.compile(
    rf"^(?:the )?(?:total )?{C} areas?$|\b(?:what|which|the) (?:is (?:the )?)?(?:total |overall )?areas?\b"
    rf"|\bareas? (?:of|in|covered)\b"
)
COVER_SAID = re.compile(r"\b(?:coverage|cover|how much)\b|^what\b.*\b(?:covers?|covered|occup\w+)\b")

_AGAIN = re.compile(
    r"(?:\band|\bor|,|\bthen|:)\s+(?:also |then |please |tell me |in )*"
    r"(?:what|where|how|why|is|are|does|do|did|was|were|has|have|count|list|rank|name)\b"
)
_HEAD = re.compile(r"\b(?:what|where|how|why|who|when)\b|\bin which\b|\bon which\b|(?:^|[,:] )which\b")


def asks_twice(text: str) -> bool:
    """Whether a sentence holds two questions: «what share is water and where is it»."""
    if len(_HEAD.findall(text)) > 1:
        return True
    again = _AGAIN.search(text)
    return again is not None and bool(_HEAD.search(text[: again.start()] + " ") or YES_NO.match(text))
