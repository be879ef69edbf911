"""What a chat endpoint sends: server-sent events or one JSON answer → pieces of text, how it ended, tokens used."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_LIMITS = ("length", "max_tokens", "max_output_tokens")


class Malformed(Exception):
    """What came is no chat completion; the message says what it is."""


@dataclass(frozen=True)
class Part:
    """What one event, or the whole answer, holds.

    Attributes
    ----------
    text, thought : str
        A piece of the answer, and of reasoning that the server sends apart from it.
    finish : str
        "stop", "limit" (cut at the most tokens), "filter" (cut by the server's content filter); «»: it goes on.
    usage : (int, int) or None
        Tokens in and out.
    model : str
        The model as the server names it.
    error : str
        What the server says went wrong in the middle.
    """

    text: str = ""
    thought: str = ""
    finish: str = ""
    usage: tuple[int, int] | None = None
    model: str = ""
    error: str = ""


def events(pieces: Iterable[bytes]) -> Iterator[str]:
    r"""The data of server-sent events, however the bytes are cut; a last event without its blank line is left out.

    Examples
    --------
    >>> list(events([b'data: {"a"', b': 1}\r\n\r\n: ping\n\ndata:[DONE]\n\ndata: {"cut']))
    ['{"a": 1}', '[DONE]']
    """
    rest, data = b"", []
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for raw in lines:
            line = raw.removesuffix(b"\r")
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" ").decode("utf-8", "replace"))
            elif not line and data:
                yield "\n".join(data)
                data = []


def parse(text: str | bytes) -> Any:
    """JSON of a server.

    Raises
    ------
    Malformed
        When it is none; with its beginning.
    """
    try:
        return json.loads(text)
    except ValueError as err:
        shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        said = f"it is no JSON ({type(err).__name__}), it begins «{' '.join(shown[:120].split())}»"
    raise Malformed(said)


def read_part(found: Any, key: str) -> Part:
    """Read one event (`key` "delta") or a whole answer ("message").

    Raises
    ------
    Malformed
        When it has not the form of a chat completion.
    """
    if not isinstance(found, dict):
        raise Malformed(f"it is a JSON {type(found).__name__}, not an object")
    error = found.get("error")
    if error:
        return Part(error=error_words(found))
    usage, model = _usage(found.get("usage")), found.get("model")
    model = model if isinstance(model, str) else ""
    choices = found.get("choices")
    if not isinstance(choices, list) or (key == "message" and not choices):
        raise Malformed(f"it has no «choices», only {', '.join(map(str, list(found)[:8])) or 'nothing'}")
    if not choices:
        return Part(usage=usage, model=model)
    first = choices[0] if isinstance(choices[0], dict) else {}
    body = first.get(key)
    if key == "message" and not isinstance(body, dict):
        raise Malformed("its first choice has no «message»")
    body = body if isinstance(body, dict) else {}
    text = _text(body.get("content")) or _text(body.get("refusal"))
    thought = _text(body.get("reasoning_content")) or _text(body.get("reasoning"))
    return Part(text, thought, _finish(first.get("finish_reason")), usage, model)


def error_words(found: Any) -> str:
    """The words of an error as servers put them: ``{"error": {"message": …}}``, ``{"error": …}``, ``{"detail": …}``."""
    if isinstance(found, dict):
        for name in ("error", "message", "detail"):
            if found.get(name):
                return error_words(found[name])
    return found if isinstance(found, str) else json.dumps(found)


def _finish(word: Any) -> str:
    if word is None or word == "":
        return ""
    return "limit" if word in _LIMITS else "filter" if word == "content_filter" else "stop"


def _text(content: Any) -> str:
    """A text, or a list of parts with texts in it."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(p["text"] for p in content if isinstance(p, dict) and isinstance(p.get("text"), str))
    return ""


def _usage(found: Any) -> tuple[int, int] | None:
    if not isinstance(found, dict):
        return None
    pair = found.get("prompt_tokens"), found.get("completion_tokens")
    if all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in pair):
        return pair  # type: ignore[return-value]
    return None
