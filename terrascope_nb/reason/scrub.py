"""No secret leaves in an export: signatures, tokens and passwords are taken out of every text that is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_END = r"""[^\s"'<>\\]"""
_QUERY = re.compile(rf"""(://[^\s?#"'<>\\]*)\?{_END}+""")
_USER = re.compile(r"""(://)[^\s/@?#"'<>\\]+@""")
_NAMES = (
    "sig|signature|token|sas|secret|password|passwd|pwd|credential|api[-_]?key|subscription[-_]?key"
    "|access[-_]?key(?:[-_]?id)?"
)
_PARAMETER = re.compile(rf"""([?&;](?:amp;)?[\w.-]{{0,40}}(?:{_NAMES})=)[^\s&;"'<>\\]+""", re.IGNORECASE)
_KEY = re.compile(rf"""(?:^|[^a-z])(?:{_NAMES}|authorization|cookie)s?(?:[^a-z]|$)""", re.IGNORECASE)
HIDDEN = "…"


def scrub(text: str) -> str:
    """The text without the queries and user names of its links, and without values of parameters named like secrets.

    Examples
    --------
    >>> scrub("from https://me:pw@host.org/a.tif?sv=1&sig=abc and b.tif?token=xyz")
    'from https://host.org/a.tif and b.tif?token=…'
    """
    return _PARAMETER.sub(rf"\1{HIDDEN}", _USER.sub(r"\1", _QUERY.sub(r"\1", text)))


def scrub_in_place(text: str) -> str:
    """As `scrub`, but each secret character becomes «…», so that positions in the text stay what they were.

    Examples
    --------
    >>> scrub_in_place("see https://host.org/a.tif?sig=abc now")
    'see https://host.org/a.tif…………………… now'
    """

    def hide(m: re.Match[str]) -> str:
        return m.group(1) + HIDDEN * (len(m.group(0)) - len(m.group(1)))

    def hide_user(m: re.Match[str]) -> str:
        return m.group(1) + HIDDEN * (len(m.group(0)) - len(m.group(1)) - 1) + "@"

    return _PARAMETER.sub(hide, _USER.sub(hide_user, _QUERY.sub(hide, text)))


def scrubbed(value: Any) -> Any:
    """A nested value (mappings, lists, texts, numbers) with every text scrubbed, and values under secret names hidden.

    Examples
    --------
    >>> scrubbed({"api_key": "abc", "source": ["https://h/a?sig=1"], "n": 3})
    {'api_key': '…', 'source': ['https://h/a'], 'n': 3}
    """
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {
            scrub(str(k)): HIDDEN if isinstance(v, str) and v and _KEY.search(str(k)) else scrubbed(v)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [scrubbed(v) for v in value]
    return value


def readable(text: str) -> str:
    """The text with U+FFFD for half characters (lone surrogates), control characters and bidi overrides.

    So that any file can hold it, and nothing reads backwards.

    Examples
    --------
    >>> readable("a" + chr(0xD800) + "b" + chr(0)) == "a" + chr(0xFFFD) + "b" + chr(0xFFFD)
    True
    """
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", "\ufffd", text)
