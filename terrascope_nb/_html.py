"""HTML pieces that are escaped unless they say that they are safe already.

Every text from outside (a label, an item id, a file name, a model's words) goes through `esc` or `tag` on its way
into a page, so that it can only ever be read, never run.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable
from typing import Any

from terrascope_nb.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9:_.-]*\Z")
_MIME = re.compile(r"[a-z]+/[a-z0-9.+-]+\Z")
_VOID = frozenset({"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
_RAW = frozenset({"script", "style"})
_LINKS = frozenset({"action", "formaction", "href", "poster", "src", "xlink:href"})
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_IGNORED_BY_BROWSERS = re.compile(r"[\x00-\x20\x7f-\x9f]+")


class Safe(str):
    """Text that is HTML already. Joined to plain text, the plain text is escaped.

    Examples
    --------
    >>> Safe("<b>") + "1 < 2" + Safe("</b>")
    '<b>1 &lt; 2</b>'
    >>> Safe(", ").join(["<a>", Safe("<br>")])
    '&lt;a&gt;, <br>'
    """

    __slots__ = ()

    def __add__(self, other: str) -> Safe:
        return Safe(str.__add__(self, esc(other)))

    def __radd__(self, other: str) -> Safe:
        return Safe(str.__add__(esc(other), self))

    def join(self, parts: Iterable[object]) -> Safe:
        """Join escaped `parts` with this between them."""
        return Safe(str.join(self, [esc(part) for part in parts]))


def esc(text: object) -> Safe:
    """Escape `text` for use between tags and inside quoted attributes; leave `Safe` as it is.

    Half characters (lone surrogates, as in undecodable file names) and control characters become U+FFFD, so that
    the page can always be written as UTF-8.

    Examples
    --------
    >>> esc('<img src=x onerror="alert(1)">')
    '&lt;img src=x onerror=&quot;alert(1)&quot;&gt;'
    >>> esc(esc("a & b"))
    'a &amp; b'
    """
    if isinstance(text, Safe):
        return text
    return Safe(
        html.escape(
            re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", "\ufffd", str(text)),
            quote=True,
        )
    )


def tag(name: str, /, *children: object, **attrs: Any) -> Safe:
    """Build one element; children and attribute values are escaped unless they are `Safe`.

    Parameters
    ----------
    name : str
        Element name.
    *children : object
        Text, numbers or `Safe` pieces, in order; None is left out, and lists, tuples and iterators are unpacked.
    **attrs : object
        Attributes. ``cls`` is written ``class``, a trailing underscore is dropped (``for_``) and inner ones become
        hyphens (``aria_label``). True gives a bare attribute; None and False leave it out.

    Raises
    ------
    InvalidInput
        For names that are not HTML names, event handlers (``on…``), links that a browser would run
        (``javascript:``), children in an element that has none, and style or script text that is not `Safe`.

    Examples
    --------
    >>> tag("p", "1 < 2", tag("b", "yes"), cls="note", title='say "so"')
    '<p class="note" title="say &quot;so&quot;">1 &lt; 2<b>yes</b></p>'
    >>> tag("img", src=data_uri("image/gif", b"GIF89a"), alt="water")
    '<img src="data:image/gif;base64,R0lGODlh" alt="water">'
    >>> tag("details", tag("summary", "why"), open=True, id=None)
    '<details open><summary>why</summary></details>'
    """
    if not _NAME.match(name):
        raise InvalidInput(f"{name!r} is not an element name")
    head = "".join(_attribute(key, value) for key, value in attrs.items())
    pieces = list(_flat(children))
    if name in _VOID:
        if pieces:
            raise InvalidInput(f"<{name}> has no content, but was given {len(pieces)} pieces")
        return Safe(f"<{name}{head}>")
    if name in _RAW and any(not isinstance(p, Safe) or "</" in p for p in pieces):
        raise InvalidInput(f"<{name}> takes only Safe text without '</': what is in it cannot be escaped")
    return Safe(f"<{name}{head}>{''.join(esc(p) for p in pieces)}</{name}>")


def data_uri(mime: str, data: bytes) -> str:
    """Write bytes as a ``data:`` link, so that a page needs no file beside it.

    Parameters
    ----------
    mime : str
        Media type, such as "image/png".
    data : bytes
        The file's content; the link is 4/3 of its length.

    Raises
    ------
    InvalidInput
        When `mime` is no media type.

    Examples
    --------
    >>> data_uri("text/plain", b"hi")
    'data:text/plain;base64,aGk='
    """
    if not _MIME.match(mime):
        raise InvalidInput(f'{mime!r} is not a media type; give one such as "image/png"')
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"


def _flat(children: Iterable[object]) -> Iterable[object]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Iterable) and not isinstance(child, str | bytes):
            yield from _flat(child)
        else:
            yield child


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = "class" if key == "cls" else key.rstrip("_").replace("_", "-")
    if not _NAME.match(name) or name.lower().startswith("on"):
        raise InvalidInput(f"attribute {name!r} is not allowed: use plain attribute names, and no event handlers")
    if value is True:
        return f" {name}"
    if name.lower() in _LINKS:
        _check_link(name, str(value))
    return f' {name}="{esc(value)}"'


def _check_link(name: str, link: str) -> None:
    scheme = _SCHEME.match(_IGNORED_BY_BROWSERS.sub("", link))
    if scheme is None:
        return
    kind = scheme[1].lower()
    image = _IGNORED_BY_BROWSERS.sub("", link).lower().startswith("data:image/")
    if kind not in ("http", "https", "mailto") and not image:
        raise InvalidInput(
            f"{name}={link[:80]!r}: a page may link by http, https, mailto or an embedded image, not by {kind}:"
        )
