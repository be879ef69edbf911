"""Figures: the numbers that stand in a text, with unit, precision and words like «about» or «more than» — and those
that claim nothing.

`flatten` brings a text into a plain form of the *same length*, so that every position found in it holds for the
original.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

from terrascope_nb.reason.units import UNIT_PATTERN, unit_of

ABOUT, LOOSE = 0.05, 0.10
"""Relative tolerance of «about 17 %», and of a figure in words («a third»)."""


@dataclass(frozen=True)
class Figure:
    """A number in a text.

    Attributes
    ----------
    text : str
        As written, with its unit.
    start, end : int
        Where it stands, words like «about» not included.
    value : float
        In `unit`; the lower end of a range.
    unit : str
        Canonical symbol of `units.py`; ``"×"`` for «twice», «3 times»; ``""`` without one.
    high : float or None
        Upper end of a range («between 10 % and 20 %»).
    half_digit : float
        Half a unit of the last digit written, in `unit`.
    relative : float
        Extra tolerance that the words give, as a share of the value: 0, `ABOUT` or `LOOSE`.
    bound : str
        «», «>», «>=», «<» or «<=».
    sign : str
        «+» or «-» where one is written.
    word : bool
        Written as a word («three»).
    points : bool
        The unit is spelled as percentage points.
    doubt : str
        Why the number cannot be read for sure, «» when it can.
    """

    text: str
    start: int
    end: int
    value: float
    unit: str = ""
    high: float | None = None
    half_digit: float = 0.5
    relative: float = 0.0
    bound: str = ""
    sign: str = ""
    word: bool = False
    points: bool = False
    doubt: str = ""


@dataclass(frozen=True)
class Skipped:
    """A number that claims nothing about a mask: where it stands and what it is («date», «sensor», …)."""

    start: int
    end: int
    what: str


# ---- plain form ---------------------------------------------------------------------------------------------------
_SAME = {
    "−": "-", "‐": "-", "‑": "-", "‒": "-", "–": "-", "﹣": "-", "－": "-", "—": ",", "≈": "~", "∼": "~", "～": "~",
    "≃": "~", "≅": "~",
    "×": "x", "％": "%", "﹪": "%", "’": "'", "‘": "'", "“": '"', "”": '"', "，": ",", "．": ".", "、": ",", "；": ";",
    "：": ":", "。": ".",
    "⩽": "≤", "⩾": "≥", "＜": "<", "＞": ">", "\t": " ", "\r": " ", "\v": " ", "\f": " ", "\x85": " ", "\u2028": "\n",
    "\u2029": "\n",
    "`": " ", "$": " ", "\\": " ", "#": " ", "\u200b": " ", "\ufeff": " ", "…": ".",
}  # fmt: skip
_BLANK = re.compile(
    r"</?[a-z_]{1,12}>|<\|[a-z_]{1,24}\|>|(?<![\w*])\*+|\*+(?![\d*])|(?<![a-z0-9])_+|_+(?![a-z0-9])", re.IGNORECASE
)


def flatten(text: str) -> str:
    r"""Lower case, ASCII minus, plain spaces and digits, tags and markup blanked; the same length as `text`.

    Examples
    --------
    >>> flatten("<think>Water\u00a0covers **17.1 %**, −2.5")
    '       water covers   17.1 %  , -2.5'
    """
    if text.isascii():
        flat = "".join(_SAME.get(c, c) for c in text).lower()
    else:
        flat = "".join(_flat_char(c) for c in text)
    return _BLANK.sub(lambda m: " " * len(m.group()), flat)


def _flat_char(c: str) -> str:
    if c in _SAME:
        return _SAME[c]
    if c.isascii():
        return c.lower()
    if c.isspace():
        return " "
    if c >= "\U000f0000":
        return "?"
    digit = unicodedata.decimal(c, None)
    if digit is not None:
        return str(digit)
    low = c.lower()
    return low if len(low) == 1 else c


# ---- numbers that claim nothing --------------------------------------------------------------------------------------
_U = rf"(?:{UNIT_PATTERN})"
_LENGTH = r"(?:km|kilomet(?:er|re)s?|met(?:er|re)s?|m|cm)(?![\w²^])"
_N = r"\d+(?:[.,]\d+)?"
_NOT_A_FIGURE = rf"(?![.,]?\d)(?!\s*{_U})"
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
DATE = re.compile(
    rf"(?P<iso>(?<![\w.])(?:19|20)\d\d-\d\d(?:-\d\d)?(?:t\d\d:\d\d(?::\d\d)?(?:\.\d+)?z?)?(?![\w-]))"
    rf"|(?P<dmy>(?<!\w)\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH},?(?: (?:19|20)\d\d)?(?!\w))"
    rf"|(?P<mdy>(?<!\w){_MONTH} \d{{1,2}}(?:st|nd|rd|th)?(?:,? (?:19|20)\d\d)?(?![\w.]\w|\w| ?%))"
    rf"|(?P<my>(?<!\w){_MONTH},? (?:19|20)\d\d(?!\w))"
    rf"|(?P<dots>(?<![\w.])\d{{1,2}}[./]\d{{1,2}}[./](?:19|20)\d\d(?!\w))"

rf"|(?P<m>(?<!\w)(?:in|between|from|since|until|by|and|to|of|late|early|mid) (?:january|february|march|"
rf"april|june|july|august|september|october|november|december)(?!\w)(?!,? (?:19|20)\d\d))"

rf"|(?P<y>(?<=\bin )(?:19|20)\d\d|(?<=\bof )(?:19|20)\d\d|(?<=\bsince )(?:19|20)\d\d|(?<=\bby )(?:19|"
rf"20)\d\d|(?<=\bfrom )(?:19|20)\d\d"

rf"|(?<=\bto )(?:19|20)\d\d|(?<=\band )(?:19|20)\d\d|(?<=\bbetween )(?:19|20)\d\d|(?<=\buntil )(?:19|"
rf"20)\d\d|(?<=\byear )(?:19|20)\d\d){_NOT_A_FIGURE}(?![\w-])"
)  # fmt: skip
IMAGE = re.compile(
    rf"(?<!\w)(?P<lead>the |this |an |one |each )?(?:image|img|frame|acquisition|date|picture)s?"
    rf"(?P<colon>\s*(?::|no\.?|nr\.?|=))?\s*(?P<n>\d{{1,3}}){_NOT_A_FIGURE}(?![\w-])"
)
_SKIPS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("time of day", re.compile(r"(?<![\w.])\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?\s?(?:utc|z|h|am|pm)?(?![\w:])")),
    ("sensor or band", re.compile(

r"(?<!\w)(?:sentinel|landsat|spot|worldview|pleiades|gaofen|gf|planetscope|alos|aqua|terra|envisat|ers"
r"|hls|level|baseline|sam|qwen|internvl)"
        r"[- ]?\d+(?:\.\d+)?[a-z]?(?!\w)"

r"|(?<!\w)bands? \d+[a-z]?(?:(?:, | and | or |/)\d+[a-z]?)*(?!\w)|(?<!\w)epsg:? ?\d+|(?<!\w)utm "
r"(?:zone )?\d+[a-z]?(?!\w)|(?<!\w)zone \d+[a-z]?(?!\w)"
        r"|(?<!\w)\d+[- ]?bits?(?!\w)|(?<!\w)wgs ?84(?!\w)")),
    ("pixel size", re.compile(

rf"(?<!\w)(?:resolution|pixel size|pixel spacing|ground sampl(?:e|ing) distance|gsd|pixels)(?: is| was|"
rf" of| at|:|=|\s)*\s*(?:about |~ ?)?{_N}\s*-?{_LENGTH}"
        rf"(?:\s*(?:x|by)\s*{_N}\s*{_LENGTH})?"

rf"|(?<![\w.]){_N}\s*-?{_LENGTH}[- ]?(?:\s*(?:x|by)\s*{_N}\s*-?{_LENGTH})?\s*(?:/\s*p(?:i)?x(?:el)?|"
rf"per pixel|a pixel|(?:spatial |ground |nominal )?resolution|pixels?(?!\w)|grid(?!\w)|gsd|bands?"
rf"(?!\w))")),
    ("number of a step", re.compile(
rf"(?<!\w)(?:step|stage|question|task|option|figure|fig\.|table|section|class|id|tile|track|orbit|"
rf"version|mask|region|object|label|category|row|phase|rule|eq\.|equation|candidate|choice|no\.)s?\s*"
rf"(?::|no\.?|nr\.?)?\s*\d{{1,6}}{_NOT_A_FIGURE}(?![\w-])(?:\s*(?:/|of)\s*\d{{1,3}}{_NOT_A_FIGURE}"
rf"(?!\w))?")),
    ("number of a step", re.compile(r"(?m)^ *(?:\(?\d{1,2}[.)](?=\s+[a-z(\[\"'-])|\(\d{1,2}\))")),
    ("number of a step", re.compile(r"\[\d{1,3}\]")),
    ("number of a step", re.compile(r"(?<=[.:;] )\(?\d{1,2}\)(?=\s+[a-z(\[])|(?<=[:;] )\d{1,2}[.)](?=\s+[a-z(\[])")),
    ("ordinal", re.compile(r"(?<![\w.])\d+(?:st|nd|rd|th)(?!\w)")),
    ("part of a name", re.compile(r"(?<=[a-z])-\d+[a-z]?(?![\w.,]?\d)(?!\s*(?:%|percent))(?![a-z])")),
)  # fmt: skip

# ---- numbers
# ----------------------------------------------------------------------------------------------------------
_NUMBER = re.compile(
    r"(?<![\w.])(?P<sign>(?<![\w)%²\]])[-+±])?"
    r"(?P<n>\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?|\d{1,3}(?:\.\d{3}){2,}(?!\d)(?:,\d+)?|\d{1,3}(?:\.\d{3})+,\d+"
    rf"|\d{{1,3}}(?:[ ']\d{{3}})+(?=[.,]\d+\s?{_U}|\s?{_U})(?:[.,]\d+)?|\d+[.,]\d+|\d+|\.\d+)"
    r"(?P<exp>e[-+]?\d{1,2}(?!\w)| ?x ?10\^?-?\d{1,2}(?!\w))?"
    rf"(?:[\s-]{{0,2}}(?P<unit>{UNIT_PATTERN})|(?P<times>[- ]?(?:times|fold|x(?= (?:as|larg|small|bigg|the|"
    rf"more)))(?!\w)))?"
)
WORDS = {
    w: k
    for k, w in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen twenty".split()
    )
}
WORDS |= {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
"hundred": 100, "a single": 1,
          "a pair of": 2, "a couple of": 2, "a dozen": 12}  # fmt: skip
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_WORD = re.compile(
    rf"(?<![\w-])(?:(?P<tens>{_TENS})-(?P<ones>one|two|three|four|five|six|seven|eight|nine)|"
    rf"(?P<w>{'|'.join(sorted(WORDS, key=len, reverse=True))}))"
    rf"(?:[ -](?P<unit>{UNIT_PATTERN})|(?P<times>[ -](?:times|fold)|fold)(?!\w))?(?![\w-])"
)
_FRACTION = re.compile(
    r"(?<![\w-])(?P<top>an?|one|two|three|four|five|1|2|3|4)[ -](?P<den>half|halves|thirds?|quarters?|"
    r"fourths?|fifths?|sixths?|eighths?|tenths?)(?!\w)"
    r"|(?<![\w-])(?<!first )(?<!second )(?<!ern )(?<!upper )(?<!lower )(?<!left )(?<!right )(?<!other )"
    r"(?<!top )(?<!bottom )(?P<half>half)(?![\w-])(?! way| of the (?:north|south|east|west))"
    r"|(?P<vulgar>[½⅓⅔¼¾⅕])|(?<![\w.])(?P<a>\d{1,2})/(?P<b>\d{1,2})(?= of)(?![\w/])"
    r"|(?<!\w)(?P<most>most(?= of)|the majority(?= of)|the bulk(?= of)|more than half|over half)(?!\w)|"
    r"(?<!\w)(?P<less>less than half|under half|a minority(?= of))(?!\w)"
)
_DEN = {"hal": 2, "thi": 3, "qua": 4, "fou": 4, "fif": 5, "six": 6, "eig": 8, "ten": 10}
_TOP = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_VULGAR = {"½": 1 / 2, "⅓": 1 / 3, "⅔": 2 / 3, "¼": 1 / 4, "¾": 3 / 4, "⅕": 1 / 5}
_TIMES = re.compile(
    r"(?<![\w-])(?:(?P<two>twice|double|doubled|doubles)|(?P<three>thrice|triple|tripled)|(?P<half>halved|"
    r"halves))(?![\w-])"
)

_FILL = r"(?:\s|a |an |the |its |only |just |merely |of |by |at |in total |with )*"
_LEADS: tuple[tuple[str, re.Pattern[str]], ...] = tuple((name, re.compile(rf"(?:{words})\s*{_FILL}$")) for name,
words in (
    ("<=",
r"\b(?:no|not) (?:more|larger|greater|bigger|higher) than|\bat (?:the )?most|\bup to|\ba maximum of|\b"
r"(?:does|do|did) not exceed|≤|<=|\bwithin"),
    (">=", r"\b(?:no|not) (?:less|fewer|smaller) than|\bat least|\ba minimum of|≥|>="),
    ("about", r"\b(?:slightly|a little|a bit|just|marginally) (?:over|under|above|below|more than|less than)"),
    (">",
r"\b(?:more|larger|greater|bigger|higher) than|\bover|\babove|\bexceed(?:s|ed|ing)?|\bin excess of|"
r"\bupwards? of|\bwell over|>"),
    ("<", r"\b(?:less|fewer|smaller|lower) than|\bunder|\bbelow|<"),
    ("about",
r"\b(?:about|around|roughly|approximately|approx\.?|ca\.?|circa|nearly|almost|close to|some|an "
r"estimated|estimated at|in the order of|on the order of|or so)|~"),
))  # fmt: skip
_LEADS_LONGEST = 48


def figures(flat: str) -> tuple[list[Figure], list[Skipped]]:
    """Find the numbers of a flattened text: those that may claim something, and those that claim nothing.

    Parameters
    ----------
    flat : str
        What `flatten` gives.

    Returns
    -------
    (list of Figure, list of Skipped)
        Each in the text's order; no two overlap.

    Examples
    --------
    >>> found, skipped = figures(flatten("On 2023-06-01 about 17.1 % was water, 1,200 m² of it in image 2."))
    >>> [(f.value, f.unit, f.relative) for f in found], [s.what for s in skipped]
    ([(17.1, '%', 0.05), (1200.0, 'm²', 0.0)], ['date', 'image'])
    """
    skipped: list[Skipped] = []
    taken = bytearray(len(flat))

    def take(start: int, end: int) -> bool:
        if end <= start or any(taken[start:end]):
            return False
        taken[start:end] = b"\1" * (end - start)
        return True

    for m in DATE.finditer(flat):
        if take(m.start(), m.end()):
            skipped.append(Skipped(m.start(), m.end(), "date"))
    for m in IMAGE.finditer(flat):
        if (m["colon"] or m["lead"] is None) and take(m.start(), m.end()):
            skipped.append(Skipped(m.start(), m.end(), "image"))
    for what, pattern in _SKIPS:
        for m in pattern.finditer(flat):
            if take(m.start(), m.end()):
                skipped.append(Skipped(m.start(), m.end(), what))
    decimal_comma = re.search(r"(?<![\d,.])\d+,(?:\d{1,2}|\d{4,})(?![\d,])\s*(?:%|ha|k?m)", flat) is not None
    found: list[Figure] = []
    for m in _FRACTION.finditer(flat):
        if take(m.start(), m.end()):
            found.append(_fraction(m))
    for m in _TIMES.finditer(flat):
        if take(m.start(), m.end()):
            value = 2.0 if m["two"] else 3.0 if m["three"] else 0.5
            found.append(Figure(m.group(), m.start(), m.end(), value, "×", relative=LOOSE, word=True, half_digit=0.0))
    for m in _NUMBER.finditer(flat):
        if take(m.start("n"), m.end()):
            found.append(_number(m, decimal_comma))
    for m in _WORD.finditer(flat):
        if take(m.start(), m.end()):
            value = float(WORDS[m["tens"]] + WORDS[m["ones"]] if m["tens"] else WORDS[m["w"]])
            unit = unit_of(m["unit"]) if m["unit"] else "×" if m["times"] else ""
            found.append(Figure(m.group(), m.start(), m.end(), value, unit, word=True, relative=LOOSE if unit else 0.0))
    found.sort(key=lambda f: f.start)
    found = _ranges(flat, [_lead(flat, f) for f in found])
    return found, sorted(skipped, key=lambda s: s.start)


def _fraction(m: re.Match[str]) -> Figure:
    if m["most"] or m["less"]:
        return Figure(
            m.group(), m.start(), m.end(), 50.0, "%", bound=">" if m["most"] else "<", word=True, half_digit=0.0
        )
    if m["vulgar"]:
        part = _VULGAR[m["vulgar"]]
    elif m["a"]:
        part = int(m["a"]) / max(int(m["b"]), 1)
    elif m["half"]:
        part = 0.5
    else:
        part = (_TOP.get(m["top"]) or int(m["top"])) / _DEN[m["den"][:3]]
    return Figure(m.group(), m.start(), m.end(), 100 * part, "%", relative=LOOSE, word=True, half_digit=0.0)


def _number(m: re.Match[str], decimal_comma: bool) -> Figure:
    raw, doubt = m["n"], ""
    plain = raw.replace(" ", "").replace("'", "")
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", plain) and not plain.startswith("0"):
        if decimal_comma and plain.count(",") == 1 and "." not in plain:
            doubt = (
                f"«{raw}» may mean {plain.replace(',', '')} or {plain.replace(',', '.')}, for the text writes decimal "
                f"commas elsewhere"
            )
        plain = plain.replace(",", "")
    elif "," in plain and "." in plain:
        plain = plain.replace(".", "").replace(",", ".")
    elif plain.count(".") > 1:
        plain = plain.replace(".", "")
    else:
        plain = plain.replace(",", ".")
    digits = len(plain.partition(".")[2])
    power = int(re.sub(r"^e| ?x ?10\^?", "", m["exp"])) if m["exp"] else 0
    value = float(plain) * 10.0**power
    sign = m["sign"] or ""
    if m["sign"] == "-":
        value = -value
    unit = unit_of(m["unit"]) if m["unit"] else "×" if m["times"] else ""
    start = m.start("sign") if m["sign"] else m.start("n")
    points = bool(m["unit"]) and "p" in m["unit"] and unit == "%" and ("point" in m["unit"] or m["unit"] == "pp")
    return Figure(m.string[start : m.end()], start, m.end(), value, unit, half_digit=0.5 * 10.0 ** (power - digits),
    sign=sign,
                  points=points, doubt=doubt)  # fmt: skip


def _lead(flat: str, f: Figure) -> Figure:
    before = flat[max(0, f.start - _LEADS_LONGEST) : f.start]
    for name, pattern in _LEADS:
        if pattern.search(before):
            if name == "about":
                return replace(f, relative=max(f.relative, ABOUT))
            return f if f.bound else replace(f, bound=name)
    if re.match(r"\s*(?:or so\b|give or take)", flat[f.end : f.end + 16]):
        return replace(f, relative=max(f.relative, ABOUT))
    return f


def _ranges(flat: str, found: list[Figure]) -> list[Figure]:
    """Join «10–20 %», «between 10 % and 20 %», «17.1 ± 0.5 %» into one figure each."""
    out: list[Figure] = []
    for f in found:
        last = out[-1] if out else None
        if last is None or last.high is not None or last.word != f.word or (last.unit not in ("", f.unit)):
            out.append(f)
            continue
        joint = flat[last.end : f.start]
        before = flat[max(0, last.start - 24) : last.start]
        if f.sign == "±" or joint.strip() == "±":
            low, high = last.value - f.value, last.value + f.value
        elif (
            re.fullmatch(r"\s?-\s?", joint)
            or (
                re.search(r"\bbetween\s+(?:about |roughly |~ ?)?$", before)
                and re.fullmatch(r"\s*and\s*(?:about |roughly )?", joint)
            )
            or (
                re.fullmatch(r"\s+to\s+", joint)
                and (not re.search(r"\bfrom\b[^.,;]*$", before) or re.search(r"\b(?:rang|var)\w+ from\s+$", before))
            )
        ) and f.value > last.value:
            low, high = last.value, f.value
        else:
            out.append(f)
            continue
        half = max(f.half_digit, last.half_digit) if f.sign != "±" else 0.0
        out[-1] = replace(f, text=flat[last.start : f.end], start=last.start, value=low, high=high, half_digit=half,
        sign="",
                          relative=max(f.relative, last.relative), bound="")  # fmt: skip
    return out
