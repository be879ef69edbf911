"""What an HTTP status of a chat endpoint means: which error, how to mend it, and whether another try may help."""

from __future__ import annotations

import json
from typing import Any

from terrascope_nb.errors import InvalidInput, NotFound, ReadFailed, TerrascopeError
from terrascope_nb.reason.remote.endpoint import Endpoint
from terrascope_nb.reason.remote.reading import error_words
from terrascope_nb.reason.remote.wire import Reply
from terrascope_nb.stac.retry import PASSING, retry_after

_MOST = 1 << 16  # bytes of an error that are read


class Failure(Exception):
    """One try went wrong.

    Attributes
    ----------
    error : type
        What is raised in the end.
    said, mend : str
        What and why; how to mend it.
    again : bool
        Whether another try may help.
    asked : float or None
        Seconds that the server asks to wait.
    charged : bool
        The server may have worked on it, and charge for it.
    without_usage : bool
        It does not know the field that asks for token counts in a stream; another try without it may help.
    """

    def __init__(
        self,
        error: type[TerrascopeError],
        said: str,
        mend: str = "",
        *,
        again: bool = False,
        asked: float | None = None,
        charged: bool = False,
        without_usage: bool = False,
    ) -> None:
        super().__init__(said)
        self.error, self.said, self.mend = error, said, mend
        self.again, self.asked, self.charged, self.without_usage = again, asked, charged, without_usage


def refused(reply: Reply, endpoint: Endpoint) -> Failure:
    """What an answer with another status than 200 means; the server's words are quoted without the key.

    Raises
    ------
    Broken
        When its body breaks off.
    """
    status = reply.status
    said, code = _words(reply)
    quoted = f": «{' '.join(endpoint.hide(said)[:300].split())}»" if said.strip() else ""
    if status in (401, 403):  # its words are not quoted: some servers repeat parts of the key
        key = f"the key in ${endpoint.key_env} is not accepted" if endpoint.key_env else "no key was sent"
        mend = "Check the key and what it is allowed" if endpoint.key_env else "Name the variable with it: key_env=…"
        return Failure(InvalidInput, f"the endpoint refuses the request (HTTP {status}): {key}", mend)
    if status == 404:
        mend = f"No such model, or no such path {endpoint.address}: does url end before /chat/completions, e.g. in /v1?"
        return Failure(NotFound, f"HTTP 404{quoted}", mend)
    if 300 <= status < 400:
        to = endpoint.hide(reply.headers.get("location", "")) or "nowhere"
        mend = "Redirects are not followed, for they would carry key and images elsewhere: give that address as url"
        return Failure(InvalidInput, f"the endpoint redirects (HTTP {status}) to {to}", mend)
    if code == "insufficient_quota":
        return Failure(ReadFailed, f"HTTP {status}{quoted}", "The account has no quota left: waiting does not help")
    if status in PASSING or 520 <= status <= 529:
        asked = retry_after(reply.headers.get("retry-after"))
        return Failure(ReadFailed, f"HTTP {status}{quoted}", "Ask again later", again=True, asked=asked)
    if 400 <= status < 500:
        lacking = status in (400, 422) and "stream_options" in said
        mend = "A field that the model does not take is left out by body={'seed': None}"
        return Failure(InvalidInput, f"HTTP {status}{quoted}", mend, without_usage=lacking)
    return Failure(ReadFailed, f"HTTP {status}{quoted}", "The endpoint cannot do what was asked")


def _words(reply: Reply) -> tuple[str, Any]:
    """The words of an error and its code."""
    raw = b""
    for piece in reply.pieces:
        raw += piece
        if len(raw) > _MOST:
            break
    reply.pieces.close()  # type: ignore[attr-defined]  # a generator
    text = raw.decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except ValueError:
        return text, None
    error = found.get("error") if isinstance(found, dict) else None
    code = (error.get("code") or error.get("type")) if isinstance(error, dict) else None
    return error_words(found), code
