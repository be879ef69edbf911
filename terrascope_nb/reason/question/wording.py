"""The words of a question: dates, units, classes and filler told apart, so that nothing in it is passed over unread.

`read` turns a sentence into a line of known words in which each class stands as ``CLASS0``, each date as ``DATE0``, a
unit as ``UNIT`` and «land cover class» as ``ANY``. A word that has no place in the lexicon is kept in
`Wording.unknown`: a planner that guesses past a word it does not know answers another question than the one asked.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from terrascope_nb.reason.question.dates import take_dates
from terrascope_nb.reason.question.lexicon import KNOWN
from terrascope_nb.reason.units import UNIT_WORDS
from terrascope_nb.scene.classes import mentions

_LABELLED = re.compile(r"^\s*(?:question|q|user|task)\s*\d{0,3}\s*[:.)]\s*")
_INSTRUCTION = re.compile(
    r"\b(?:options?|letters?|choices?|candidates?|step by step|single word|one word|multiple[- ]choice|yes or no"
    r"|brief|briefly|answers?)\b"
)
_ASKING = re.compile(
    r"\b(?:please|answer|choose|select|pick|respond|reply|think|reason|explain|give|output|provide|return|write|use"
    r"|only)\b"
)
_COURTESY = re.compile(
    r"(?:thanks|thank you|many thanks|thanks in advance|hello|hi|hey|hi there|good morning|please|dear all)[\s,]*$"
)
_KIND = (
    r"(?:satellite|optical|sar|radar|aerial|rgb|(?:true|false)[ -]colou?r|multispectral|remote|sensing"
    r"|high[ -]resolution|given|following)"
)
_PREAMBLE = re.compile(
    r"(?:this is|here is|here are|these are|below is|the following is|attached is|you are given|you see|given is"
    r"|look at|consider|see)"
    rf" (?:a |an |the |two |this |these )?(?:{_KIND} ){{0,4}}(?:image|images|scene|imagery|picture|tile"
    rf"|patch)s?(?: pair)?"
    r"(?: (?:of|from|over|taken (?:in|over)|acquired (?:in|over)) (?!.*\b(?:not?|without|only)\b)[a-z, -]{1,40})?"
)
_RESOLUTION = re.compile(
    r"(?:,?\s*\(?\b(?:at|with|given|assuming|for|using|and|when)\s+)?(?:that\s+)?(?:the\s+|a\s+|an\s+)?(?:"
    r"(?:(?:spatial|ground|pixel|image|gsd|sampling)\s+){0,2}(?:resolution|gsd|pixel size)\s*(?:of|is|=|:"
    r"|being)?\s*(?:about\s+)?"
    r"(\d{1,4}(?:\.\d{1,2})?)\s*(?:m|meters?|metres?)(?:\s*(?:/|per)\s*pixel)?"
    r"|(\d{1,4}(?:\.\d{1,2})?)[\s-]?(?:m|meters?|metres?)(?:\s*(?:/|per)\s*pixel|[\s-](?:(?:spatial|ground"
    r"|pixel)\s+)?(?:resolution|gsd))"
    r"|(?:each|one|a|every)\s+pixel\s+(?:is|covers|represents|measures|corresponds to"
    r"|=)\s+(\d{1,4}(?:\.\d{1,2})?)\s*(?:m|meters?|metres?)?"
    r"\s*(?:x|by)\s*(\d{1,4}(?:\.\d{1,2})?)\s*(?:m|meters?|metres?)\b)(?:\s*\))?"
)

_ANY = re.compile(
    r"\b(?:land[ -]?(?:cover|use)s?(?:[ -](?:class|type|categor|kind|label)(?:es|s|y|ies)?)?|cover (?:type"
    r"|class)(?:es|s)?"
    r"|(?:class|type|categor|kind)(?:es|s|y|ies)?(?: of land[ -]?(?:cover|use)| of cover)?)\b"
)


def _unit_patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Unit words that are units wherever they stand; short ones only after «in», «how many» or in brackets."""
    spelled: dict[tuple[bool, str], list[str]] = {}
    for word, unit in UNIT_WORDS.items():
        if unit in ("%", "") or word != unicodedata.normalize("NFKC", word):
            continue
        short = unit == "px" or (len(word) < 4 and not re.search(r"[\d ^]|sq", word))
        spelled.setdefault((short, unit), []).append(re.escape(word).replace(r"\ ", "[ -]?"))
    out = []
    for (short, unit), words in spelled.items():
        one = "(?:" + "|".join(sorted(words, key=len, reverse=True)) + r")(?![\w^*])"
        before = (
            r"(?:(?<=\bin )|(?<=how many )|(?<=\()|(?<=number of )|(?<=count of )|(?<=in units of ))"
            if short
            else r"(?<![\w^*])"
        )
        length = max(len(w) for w in words)
        out.append((short, -length, re.compile(before + one), unit))
    squares_first = sorted(out, key=lambda o: (o[0], o[3] in ("m", "km", "mi", "ft"), o[1]))
    return tuple((pattern, unit) for _, _, pattern, unit in squares_first)


_UNITS = _unit_patterns()
_TOKEN = re.compile(r"[A-Z]+\d*|\d+(?:[./]\d+)+|[^\W_]+(?:['-][^\W_]+)*|%|[^\s\w]|_")
_PUNCTUATION = frozenset(",:;()[]{}\"'-/.?!&«»“”*#")


@dataclass(frozen=True)
class Wording:
    """A question taken apart.

    Attributes
    ----------
    text : str
        Lower case, classes as ``CLASS0`` …, dates as ``DATE0`` …, unit as ``UNIT``, «land cover class» as ``ANY``, two
        dates said without naming them as ``PAIR``; fillers stay.
    labels : tuple of str
        Canonical label of ``CLASS0``, ``CLASS1`` …; the same label may stand twice.
    dates : tuple of str
        ``DATE0`` …: ISO prefix, "first", "last", "second", "third".
    units : tuple of str
        Every unit named.
    resolution : float or None
        Pixel size that the question states, metres.
    unknown : tuple of str
        Words that have no place, in the question's order.
    words : tuple of str
        The words that stood for `labels`.
    """

    text: str
    labels: tuple[str, ...]
    dates: tuple[str, ...]
    units: tuple[str, ...]
    resolution: float | None
    unknown: tuple[str, ...]
    words: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """The unit asked for, "" when none is named."""
        return self.units[0] if self.units else ""


def sentences(text: str) -> list[str]:
    """Split a text, and leave out greetings, «answer with one letter» and «this is an image»."""
    found = []
    for piece in re.split(r"[?!;\n]+|\.(?=\s|$)", _LABELLED.sub("", text)):
        piece = piece.strip(" ,:-\t")
        if not re.search(r"\w", piece):
            if re.search(r"\S", piece):
                found.append(piece)
            continue
        courtesy = _COURTESY.match(piece)
        instruction = (
            _INSTRUCTION.search(piece) and _ASKING.search(piece) and not mentions(piece) and "how" not in piece.split()
        )
        instruction = instruction and not _take_units(piece)[1]
        if not courtesy and not instruction and not _PREAMBLE.fullmatch(piece):
            found.append(piece)
    return found


def read(sentence: str) -> Wording:
    """Take one normalised sentence apart. Never raises."""
    resolution = None
    sizes = list(_RESOLUTION.finditer(sentence))
    if sizes:
        numbers = {float(g) for m in sizes for g in m.groups() if g}
        if len(numbers) == 1:
            resolution = numbers.pop()
            sentence = _RESOLUTION.sub(" ", sentence)
    sentence, dates = take_dates(sentence)
    sentence, units = _take_units(sentence)
    sentence = " ".join(_ANY.sub(" ANY ", sentence).split())
    sentence = re.sub(r"\b(?:the )?(?:two|both|three|four)(?: ANY)\b", " ANY", sentence)
    labels: list[str] = []
    words: list[str] = []
    parts: list[str] = []
    at = 0
    for m in mentions(sentence):
        between = sentence[at : m.start]
        at = m.end
        if (
            labels
            and labels[-1] == m.label
            and between.strip() in ("", ",", "and", "or", "and/or", "/", "&", ", and", ", or")
        ):
            continue  # «lakes and rivers»: one class said twice
        parts += [between, f" CLASS{len(labels)} "]
        labels.append(m.label)
        words.append(m.word)
    text = " ".join("".join([*parts, sentence[at:]]).split())
    return Wording(text, tuple(labels), tuple(dates), tuple(units), resolution, _unknown(text), tuple(words))


def _unknown(text: str) -> tuple[str, ...]:
    out: list[str] = []
    for token in _TOKEN.findall(text):
        if token in KNOWN or token in _PUNCTUATION or re.fullmatch(r"(?:CLASS|DATE)\d+", token) or token in out:
            continue
        if token.endswith("'s") and token[:-2] in KNOWN:
            continue
        out.append(token)
    return tuple(out)


def _take_units(sentence: str) -> tuple[str, list[str]]:
    units: list[str] = []
    for pattern, unit in _UNITS:
        sentence, n = pattern.subn(" UNIT ", sentence)
        if n and unit not in units:
            units.append(unit)
    return sentence, units
