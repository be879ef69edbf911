"""Dates as questions write them: «June 2023», «2018», «the first and the last image», «before the flood»."""

from __future__ import annotations

import re

_MONTHS = {m: i for i, names in enumerate(
    ("january jan", "february"
                    " feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug", "september sep sept",
     "october oct", "november nov", "december dec"), 1) for m in names.split()}  # fmt: skip
_MONTH = "(" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\.?"
_DAY = r"([0-9]{1,2})(?:st|nd|rd|th)?"
_NAMED_DATE = re.compile(rf"\b(?:{_DAY}\s+(?:of\s+)?)?{_MONTH}(?:\s+{_DAY})?,?\s+(?:of\s+)?((?:19|20)[0-9]{{2}})\b")
_ISO_DATE = re.compile(
    r"(?<![\w./-])((?:19|20)[0-9]{2}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?)(?![\w/-]|\.\d)"
)
_ORDINALS = {"first": "first", "earliest": "first", "initial": "first", "oldest": "first", "1st": "first",
             "earlier": "first",
             "last": "last", "latest": "last", "final": "last", "newest": "last", "most recent": "last",
             "later": "last",
             "second": "second", "2nd": "second", "third": "third", "3rd": "third"}  # fmt: skip
_ORDINAL = "(" + "|".join(sorted(_ORDINALS, key=len, reverse=True)) + ")"
_DATE_NOUN = (
    r"(?:dates?|images?|scenes?|acquisitions?|observations?|pictures?|times?|years?|months?|days?|timestamps?|one)"
)
_ORDINAL_PAIR = re.compile(
    rf"\b{_ORDINAL}(?:\s+{_DATE_NOUN})?\s+(and|to|until|than)\s+(?:(?:in|on"
    rf"|at)\s+)?(?:the\s+)?{_ORDINAL}(?:\s+{_DATE_NOUN})?\b"
)
_ORDINAL_DATE = re.compile(rf"\b{_ORDINAL}\s+{_DATE_NOUN}\b")
_KIND = r"(?:disaster|event|flood|fire)"
_PAIR = re.compile(
    rf"\b(?:(?:the )?(?:two|both) (?:dates|images|scenes|acquisitions|pictures|times|years|observations)"
    rf"|before and after(?: {_DATE_NOUN})?|pre-? and post-?{_KIND}?(?: {_DATE_NOUN})?"
    rf"|pre-{_KIND}(?: {_DATE_NOUN})? (?:and|to|versus) (?:the )?post-{_KIND}(?: {_DATE_NOUN})?"
    r"|over time|over the (?:whole |entire )?(?:period|years|time)|through time|during the (?:whole )?period"
    r"|over the whole time)\b"
)
#: What may have happened between two images.
EVENTS = (
    "disaster|event|flood|flooding|fire|wildfire|earthquake|hurricane|storm|tornado|tsunami|eruption|cyclone|typhoon"
)
_EVENT = rf"(?:the )?(?:{EVENTS})"
_BEFORE = re.compile(rf"\bbefore {_EVENT}\b|\b(?:pre-{_KIND}|before) {_DATE_NOUN}\b")
_AFTER = re.compile(rf"\bafter {_EVENT}\b|\b(?:post-{_KIND}|after) {_DATE_NOUN}\b")


def take_dates(sentence: str) -> tuple[str, list[str]]:
    """Put ``DATE0``, ``DATE1`` … for the dates of a normalised sentence, and ``PAIR`` for two that it does not name.

    Dates come in the sentence's order: ISO prefixes, "first", "second", "third", "last". «Before the flood» is the
    first, «after the flood» the last.

    Examples
    --------
    >>> take_dates("from june 2018 to the last image")
    ('from DATE0 to the DATE1', ['2018-06', 'last'])
    """
    found: dict[str, str] = {}

    def put(date: str) -> str:
        key = f"QDATE{len(found)}Q"
        found[key] = date
        return key

    def named(m: re.Match) -> str:
        day = m.group(1) or m.group(3)
        if (m.group(1) and m.group(3)) or (day and not 1 <= int(day) <= 31):
            return m.group()
        return put(f"{m.group(4)}-{_MONTHS[m.group(2)]:02d}" + (f"-{int(day):02d}" if day else ""))

    def pair(m: re.Match) -> str:
        return f"{put(_ORDINALS[m.group(1)])} {m.group(2)} {put(_ORDINALS[m.group(3)])}"

    def one(m: re.Match) -> str:  # «last year» counts from today, «the last year» within the scene
        if m.group().endswith(("year", "month", "day")) and not sentence[: m.start()].endswith("the "):
            return m.group()
        return put(_ORDINALS[m.group(1)])

    sentence = _PAIR.sub(" PAIR ", sentence)
    sentence = _NAMED_DATE.sub(named, sentence)
    sentence = _ISO_DATE.sub(lambda m: put(m.group(1)), sentence)
    sentence = _ORDINAL_PAIR.sub(pair, sentence)
    sentence = _ORDINAL_DATE.sub(one, sentence)
    sentence = re.sub(r"\bimage (?:1|one)\b", lambda m: put("first"), sentence)
    sentence = re.sub(r"\bimage (?:2|two)\b", lambda m: put("second"), sentence)
    sentence = _BEFORE.sub(lambda m: put("first"), sentence)
    sentence = _AFTER.sub(lambda m: put("last"), sentence)
    order = [m.group() for m in re.finditer(r"QDATE\d+Q", sentence)]
    for i, key in enumerate(order):
        sentence = sentence.replace(key, f"DATE{i}")
    return sentence, [found[k] for k in order]
