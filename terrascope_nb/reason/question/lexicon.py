"""The closed vocabulary of questions: words with a place, spellings made one, the nearest word to a strange one."""

from __future__ import annotations

import difflib
import re
import unicodedata

from terrascope_nb.scene.classes import CLASSES

#: Longest question read, in characters after its options are split off.
LONGEST = 1000

#: Words that may stand in a question beside classes, dates and units. Capital ones are placeholders.
KNOWN = frozenset(
    """
    a an the this that these those there here it its they them their one ones each both all any some total overall
    whole entire of in on at by with from to for as and or than between among amongst within inside across over into
    out up onto versus vs relative is are was were be been being do does did has have had can could would may might i
    you me us we my what which where when how if whether wonder much many far close large big
    please kindly tell give show shows say find see seen know like want need help let estimate estimated calculate
    calculated compute computed determine determined measure measured report state provide identify name describe
    quantify assess looking look about approximately approximate approx roughly around nearly almost exactly precisely
    currently directly immediately actually really just answer express your use unit units result should
    scene image images imagery picture photo photograph satellite tile patch aerial remote sensing optical sar radar
    sentinel landsat rgb multispectral map view frame aoi shown depicted captured taken displayed given based according
    following provided visible present found located detected observed identified classified labelled labeled marked
    lie lies lying cloud-free pixel pixels ground surface place places site away considering sign study region regions
    area areas land-cover interest cover covers covered covering coverage occupy occupies occupied occupying take takes
    make makes account accounts comprise comprises made extensive percentage percent percents pct % share shares shared
    proportion fraction ratio amount part portion quantity value number count counts absolute size sizes extent spatial
    large big separate separates separated distinct individual connected disconnected single patches components
    component bodies body objects object clusters parcels pieces spots different instances
    class classes type types category categories kind kinds label labels
    larger bigger smaller greater more less fewer exceed exceeds compare compared comparing comparison contain contains
    largest biggest most greatest highest dominant dominates dominate predominant prevailing prevalent common
    widespread smallest least lowest main maximum reach reaches reached rank ranking ranked order ordered sort sorted
    list descending decreasing adjacent next neighbour neighbours neighbor neighbors neighbouring neighboring border
    borders bordering bordered boundary boundaries touch touches touching contact contiguous adjoin adjoins adjoining
    abut abuts edge edges meet meets relationship relation spatial distance apart separation minimum minimal shortest
    nearest closest euclidean straight-line straight line position location direction quadrant corner side locate
    centre center lie include includes including exist exists occur occurs feature features display displays hold holds
    appear appears change changes changed changing lost lose loss losses gain gained gains shrink shrunk shrank shrinks
    shrinking shrinkage grow grew grown growth growing increase increased increases increasing decrease decreased
    decreases decline declined expand expanded expansion disappear disappeared appeared vanish vanished new newly
    reduce reduced reduction retreat retreated net evolve evolved develop time date dates year month day period since
    until during before after pre post pre-disaster post-disaster pre-event post-event pre-flood post-flood pre-fire
    post-fire disaster event flood flooding earthquake hurricane tornado storm tsunami wildfire fire eruption cyclone
    typhoon destroyed points
    then so ok hello hi hey thanks thank question
    ANY UNIT PAIR
    """.split()
)

_SPELLING = (
    (re.compile(r"\b(what|where|how|that|there|here|it|which|when)'s\b"), r"\1 is"),
    (
        re.compile(r"\bhow cloudy (?:is|was) (?:it|the (?:scene|image|picture|area|sky))\b"),
        "what share of the scene is cloud",
    ),
    (re.compile(r"\bi'd\b"), "i would"),
    (re.compile(r"\bi'm\b"), "i am"),
    (re.compile(r"\bthere're\b"), "there are"),
    (re.compile(r"\bland (?:use|cover)s?\s*(?:and|/|&|or)\s*land (?:use|cover)s?\b|\blulc\b"), "land cover"),
    (re.compile(r"\b(sq|approx|vs|no|nr|incl|ca)\.(?=\s)"), r"\1"),
    (re.compile(r"(?<=\w)-(?=(?:covered|dominated|type|class)\b)"), " "),
    (re.compile(r"\(?\b(?:yes ?/ ?no|yes or no)\b\)?(?=\s*[?.]?\s*$)"), ""),
    (re.compile(r"\bwhether or not\b"), "whether"),
    (re.compile(r",? \bor not(?=\s*(?:[?.!,;)]|$))"), ""),
    (re.compile(r"\b(?:each other|one another)\b"), ""),
    (re.compile(r"\b(?:think|reason) (?:it through )?step by step(?: and\b|,)?"), ""),
    (
        re.compile(
            r"\b(?:ignoring|excluding|leaving out|not counting) (?:the )?(?:clouds?|cloudy pixels|clouded pixels)\b,?"
        ),
        "",
    ),
    (re.compile(r"\bdestruction (?:rate|ratio|percentage|share)\b"), "destroyed share"),
    (re.compile(r"\bfield of view\b"), "scene"),
    (re.compile(r"\bhow much (?:land|ground)(?= (?:is|was|does|do|are|has)\b(?! there))"), "how much area"),
    (re.compile(r"\bsentinel[- ]?[12][ab]?\b|\blandsat[- ]?[4-9]\b"), "satellite"),
    (re.compile(r"\bcloud-?free\b|\bclear(?= pixels)"), ""),
    (re.compile(r"\bbuilding change\b"), "share of destroyed buildings"),
)


def normalise(text: str) -> str:
    """Compatibility form, lower case, one kind of quote and dash, controls and invisible characters away.

    Examples
    --------
    >>> normalise("What’s  the ﬁeld's area, in km²?")
    "what is the field's area, in km2?"
    """
    text = unicodedata.normalize("NFKC", text[: 4 * LONGEST]).lower().replace("ı", "i").replace("i̇", "i")
    kept = "".join("\n" if c in "\n\r\u2028" else " " if c.isspace() else c for c in text)
    kept = "".join(c for c in kept if c == "\n" or unicodedata.category(c) not in ("Cf", "Cc", "Cs"))
    kept = re.sub("[’‘`´]", "'", kept)
    kept = re.sub("[‐‑‒–—−]", "-", kept)
    kept = re.sub(" {2,}", " ", kept)
    for pattern, new in _SPELLING:
        kept = pattern.sub(new, kept)
    return re.sub(" {2,}", " ", kept).strip()


def suggestion(word: str) -> str | None:
    """The word of the vocabulary or of the questions nearest to one that is not known; None when none is near.

    Examples
    --------
    >>> suggestion("wster"), suggestion("xylophone")
    ('water', None)
    """
    if not 3 <= len(word) <= 24:
        return None
    for words in (_CLASS_WORDS, _LONG_KNOWN):
        near = difflib.get_close_matches(word, words, n=1, cutoff=0.75)
        if near and near[0] != word:
            return near[0]
    return None


_CLASS_WORDS = sorted(
    {w for c in CLASSES for name in (c.label, *c.words) for w in name.split() if len(w) > 2 and w.isalpha()}
)
_LONG_KNOWN = sorted(w for w in KNOWN if len(w) > 4 and w.islower())
