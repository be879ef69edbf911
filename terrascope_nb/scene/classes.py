"""The land-cover vocabulary: canonical labels, the words people use for them, colours, and which label holds which."""

from __future__ import annotations

import re
from dataclasses import dataclass

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import NotFound


@dataclass(frozen=True)
class LandClass:
    """One class of the vocabulary.

    Attributes
    ----------
    label : str
        Canonical name, lower case, as in every trace and export.
    words : tuple of str
        Other names that questions and texts use (singular; a plural «s» or «es» is understood).
    color : str
        ``#rrggbb``; the set is told apart under the common colour-vision deficiencies
        (after P. Tol's and Okabe and Ito's qualitative sets), and a label always stands beside it.
    parts : tuple of str
        Labels that this one is the union of; empty for a class of its own.
    noun : str
        How sentences name it where the label alone does not read well; «» for the label.
    """

    label: str
    words: tuple[str, ...] = ()
    color: str = "#888888"
    parts: tuple[str, ...] = ()
    noun: str = ""


CLASSES: tuple[LandClass, ...] = (
    LandClass(
        "water",
        (
            "water body",
            "water bodies",
            "open water",
            "surface water",
            "lake",
            "river",
            "pond",
            "reservoir",
            "lagoon",
            "sea",
            "flooded area",
            "flood water",
            "permanent water bodies",
            "inland water",
            "marine water",
            "water surface",
            "water area",
            "stream",
            "canal",
            "ocean",
            "floodwater",
            "inundated area",
        ),
        "#0072b2",
    ),
    LandClass(
        "snow and ice",
        (
            "snow",
            "ice",
            "snow/ice",
            "snow or ice",
            "glacier",
            "snow cover",
            "permanent snow",
            "ice cover",
            "snowfield",
            "snow covered area",
            "permanent snow and ice",
        ),
        "#88ccee",
    ),
    LandClass(
        "tree cover",
        (
            "tree",
            "forest",
            "woodland",
            "wood",
            "woods",
            "canopy",
            "tree canopy",
            "forested area",
            "forest cover",
            "trees",
            "forested",
            "forested land",
            "forest land",
            "forest area",
            "wooded area",
            "tree covered area",
            "treed area",
        ),
        "#117733",
    ),
    LandClass("shrubland", ("shrub", "bush", "scrub", "scrubland", "shrub land", "bushland", "shrub cover"), "#999933"),
    LandClass(
        "grassland",
        ("grass", "meadow", "pasture", "grassland cover", "rangeland", "grass land", "prairie", "grass cover"),
        "#8fd175",
    ),
    LandClass(
        "cropland",
        (
            "crop",
            "cultivated land",
            "farmland",
            "arable land",
            "agricultural land",
            "agriculture",
            "field",
            "cultivated area",
            "crop field",
            "crop land",
            "cropped area",
            "agricultural area",
            "agricultural field",
            "farm land",
        ),
        "#ddaa33",
    ),
    LandClass(
        "wetland",
        (
            "marsh",
            "swamp",
            "herbaceous wetland",
            "bog",
            "peatbog",
            "flooded vegetation",
            "mangrove",
            "wet land",
            "marshland",
        ),
        "#44aa99",
    ),
    LandClass(
        "bare land",
        (
            "bare ground",
            "bare soil",
            "bare",
            "barren land",
            "barren",
            "bare / sparse vegetation",
            "sand",
            "rock",
            "bare area",
            "soil",
            "barren area",
            "bareland",
            "bare earth",
            "exposed soil",
            "bare surface",
        ),
        "#b07c4f",
    ),
    LandClass(
        "built-up",
        (
            "built-up area",
            "built up",
            "built up area",
            "built area",
            "urban area",
            "urban",
            "developed area",
            "settlement",
            "town",
            "city",
            "artificial surface",
            "artificial land",
            "impervious surface",
            "built environment",
            "developed land",
            "built-up land",
            "built up land",
            "urban land",
            "built-up region",
            "urbanized area",
            "urbanised area",
            "sealed surface",
        ),
        "#cc3311",
        (),
        "built-up area",
    ),
    LandClass("building", ("house", "structure"), "#882255"),
    LandClass("destroyed building", ("destroyed house", "ruin"), "#ee3377"),
    LandClass(
        "burned area",
        ("burn scar", "burnt area", "burned land", "burned", "burnt", "burn area", "burnt land"),
        "#5a3a22",
    ),
    LandClass("cloud", ("cloud cover", "clouded area"), "#bbbbbb"),
    LandClass("cloud shadow", ("shadow",), "#555566"),
    LandClass(
        "vegetation",
        ("vegetated area", "green area", "vegetated land", "plants", "greenery", "vegetation cover", "green space"),
        "#55a868",
        ("tree cover", "shrubland", "low vegetation", "wetland"),
    ),
    LandClass(
        "low vegetation",
        ("grass or crops", "herbaceous vegetation", "grassland or cropland"),
        "#aacc66",
        ("grassland", "cropland"),
    ),
    LandClass("land", ("dry land",), "#c2b280", ("vegetation", "bare land", "built-up", "snow and ice")),
)

_BY_LABEL = {c.label: c for c in CLASSES}
_BY_WORD = {w: c.label for c in CLASSES for w in (c.label, *c.words)}


def _forms(word: str) -> list[str]:
    forms = [word, word + "s", word + "es"]
    if word.endswith("y"):
        forms.append(word[:-1] + "ies")
    if word.endswith("f"):
        forms.append(word[:-1] + "ves")
    return forms


_BY_FORM: dict[str, str] = {}
for _word, _label in _BY_WORD.items():
    for _form in _forms(_word):
        _BY_FORM.setdefault(_form, _label)
_PATTERN = re.compile(
    r"(?<![\w-])(" + "|".join(re.escape(f) for f in sorted(_BY_FORM, key=len, reverse=True)) + r")(?![\w-])",
    re.IGNORECASE,
)


SKY = ("cloud", "cloud shadow")
"""What hides the ground: measured among all pixels with data, where everything else is among the clear ones."""


def labels() -> tuple[str, ...]:
    """All canonical labels, in the vocabulary's order."""
    return tuple(_BY_LABEL)


def land_class(label: str) -> LandClass:
    """The class of a canonical label or of one of its words.

    Raises
    ------
    NotFound
        For a word that the vocabulary does not hold; the message suggests the nearest.

    Examples
    --------
    >>> land_class("Forests").label
    'tree cover'
    """
    found = _BY_FORM.get(" ".join(str(label).lower().split()))
    if found is None:
        raise NotFound(unknown("land-cover class", label, _BY_LABEL))
    return _BY_LABEL[found]


def canonical(label: str) -> str:
    """The canonical label of a word; a word the vocabulary does not hold is returned in lower case as it is.

    Examples
    --------
    >>> canonical("Lakes"), canonical("solar farm")
    ('water', 'solar farm')
    """
    text = " ".join(str(label).lower().split())
    return _BY_FORM.get(text, text)


def noun(label: str) -> str:
    """How a sentence names a label.

    Examples
    --------
    >>> noun("built-up"), noun("water"), noun("solar farm")
    ('built-up area', 'water', 'solar farm')
    """
    found = _BY_LABEL.get(canonical(label))
    return label if found is None else found.noun or found.label


def leaves(label: str) -> tuple[str, ...]:
    """The classes that a label is the union of, down to those that have no parts; a class of its own is itself.

    Examples
    --------
    >>> leaves("vegetation")
    ('tree cover', 'shrubland', 'grassland', 'cropland', 'wetland')
    """
    found = _BY_LABEL.get(canonical(label))
    if found is None or not found.parts:
        return (canonical(label),)
    return tuple(dict.fromkeys(leaf for part in found.parts for leaf in leaves(part)))


@dataclass(frozen=True)
class Mention:
    """A word of the vocabulary in a text: canonical `label`, and where it stands (`start`, `end`)."""

    label: str
    start: int
    end: int
    word: str


def mentions(text: str) -> list[Mention]:
    """The vocabulary's words in a text, longest first where they overlap, in the text's order.

    Examples
    --------
    >>> [m.label for m in mentions("Is the forest next to bare soil?")]
    ['tree cover', 'bare land']
    """
    found = ((m, _BY_FORM.get(m.group(1).lower())) for m in _PATTERN.finditer(text))  # None: «ſ» for s, «ı» for i
    return [Mention(label, m.start(1), m.end(1), m.group(1)) for m, label in found if label is not None]


def color(label: str) -> str:
    """Colour of a label as ``#rrggbb``; a label outside the vocabulary gets a grey."""
    found = _BY_LABEL.get(canonical(label))
    return found.color if found else "#888888"
