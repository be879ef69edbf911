"""Client: chat completions of an OpenAI-compatible endpoint, with patience, a cap on cost, and the text as it comes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from terrascope_nb.errors import InvalidInput, ReadFailed
from terrascope_nb.reason.remote import reading, wire
from terrascope_nb.reason.remote.endpoint import Endpoint, Hider
from terrascope_nb.reason.remote.refusal import Failure, refused
from terrascope_nb.reason.remote.spend import Purse, Spent
from terrascope_nb.stac.retry import Patience, Retry

#: The patience with a model that may think for a minute before its first word.
PATIENCE = Retry(tries=5, seconds=600, first=1.0, most=30.0, connect=10.0, stall=120.0)
#: Tokens that a picture is reckoned at before its real cost is known.
IMAGE_TOKENS = 4096
_OURS = ("model", "messages", "stream", "n")


@dataclass(frozen=True)
class Piece:
    """A piece of the text; `thought`: of reasoning that the server sends apart from its answer."""

    text: str
    thought: bool = False


@dataclass(frozen=True)
class Completion:
    """A whole answer.

    Attributes
    ----------
    text, thought : str
        The answer, and the reasoning where the server sends it apart.
    finish : str
        "stop", "limit" (cut at `max_tokens`) or "filter" (cut by the server's content filter).
    usage : (int, int) or None
        Tokens in and out, where the server told them.
    model : str
        The model as the server names it.
    """

    text: str
    thought: str = ""
    finish: str = "stop"
    usage: tuple[int, int] | None = None
    model: str = ""


class Client:
    """A chat-completions endpoint. Threads may share one; it holds no key and no connection.

    Parameters
    ----------
    url : str
        What stands before ``/chat/completions``.
    model : str
    key_env : str
        Name of the environment variable with the key; see `Endpoint`.
    max_tokens : int
        Most tokens of one answer.
    temperature : float
    seed : int
        Sent along. With temperature 0 it asks for the same text each time; few servers keep that promise.
    stream : bool
        Ask for the text as it is written. A server that sends it whole all the same is read too.
    retry : Retry
        Tries and times; `seconds` also bounds one answer. Tried again: no connection, broken answers, and HTTP 408,
        425, 429, 500, 502, 503, 504, 520–529, never sooner than ``Retry-After`` asks.
    max_tokens_total, max_cost, prices
        The cap; see `Purse`.
    image_tokens : int
        What a picture is reckoned at before the call; text is reckoned at a token a byte, which no tokenizer exceeds.
        Where a server tells more tokens than reckoned, later calls are reckoned higher.
    body : mapping, optional
        Further fields of the request; None takes one of ours out, e.g.
        ``{"max_tokens": None, "max_completion_tokens": 512, "temperature": None}``.

    Examples
    --------
    >>> Client("http://localhost:8000/v1", "qwen2.5-vl", max_cost=2.0, prices=(0.15, 0.6))
    <Client qwen2.5-vl at http://localhost:8000/v1: 0 tokens in 0 calls, cost 0>
    """

    def __init__(
        self,
        url: str,
        model: str,
        key_env: str = "",
        *,
        max_tokens: int = 1024,
        temperature: float = 0.0,
        seed: int = 0,
        stream: bool = True,
        retry: Retry = PATIENCE,
        max_tokens_total: int | None = None,
        max_cost: float | None = None,
        prices: tuple[float, float] | None = None,
        image_tokens: int = IMAGE_TOKENS,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(model, str) or not model.strip():
            raise InvalidInput("model is the name the endpoint knows its model by, such as 'qwen2.5-vl-7b-instruct'")
        if max_tokens < 1 or image_tokens < 0:
            raise InvalidInput(
                f"max_tokens is at least 1 and image_tokens not below 0, got {max_tokens} and {image_tokens}"
            )
        for name in body or {}:
            if name in _OURS:
                raise InvalidInput(f"body may not hold {name!r}: it is set here ({', '.join(_OURS)})")
        self.endpoint, self.model = Endpoint(url, key_env or ""), model
        self.max_tokens, self.retry = max_tokens, retry
        self._purse = Purse(max_tokens_total, max_cost, prices)
        self._image_tokens, self._more = image_tokens, 0
        more = {k: v for k, v in (body or {}).items()}
        self._body = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed} | more
        self._stream, self._tell_usage = stream, True

    @property
    def spent(self) -> Spent:
        """Tokens, calls and cost so far."""
        return self._purse.spent

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the text beside the messages: model and the request's fields."""
        return {"model": self.model, **{k: v for k, v in self._body.items() if v is not None}}

    def complete(self, messages: Sequence[Mapping[str, Any]], line: wire.Line | None = None) -> Completion:
        """The whole answer to `messages`; sends at once. An answer that breaks off is asked for again.

        Raises
        ------
        OverBudget
            Before a call that could pass the cap.
        InvalidInput, NotFound
            When the endpoint refuses key, request or model.
        ReadFailed
            When no whole answer came, however often it was tried.
        """
        *_, last = self._run(messages, line or wire.Line(), whole=True)
        return last  # type: ignore[return-value]

    def stream(
        self, messages: Sequence[Mapping[str, Any]], line: wire.Line | None = None
    ) -> Iterator[Piece | Completion]:
        """The answer as it comes: pieces, last the `Completion`. Closing the iterator closes the connection.

        Parameters
        ----------
        messages : sequence of mappings
            As the endpoint takes them: ``{"role": …, "content": …}``.
        line : Line, optional
            To give the call up from another thread.

        Raises
        ------
        OverBudget, InvalidInput, NotFound, ReadFailed
            As `complete`; an answer that breaks off after its first piece is not asked for again.
        """
        return self._run(messages, line or wire.Line(), whole=False)

    def __repr__(self) -> str:
        return f"<Client {self.model} at {self.endpoint.url}: {self.spent.words()}>"

    # ---- a call, with its tries -----------------------------------------------------------------------------------
    def _run(self, messages: Sequence[Mapping[str, Any]], line: wire.Line, whole: bool) -> Iterator[Piece | Completion]:
        patience = Patience(self.retry, sleep=line.wait)
        while True:
            failure, begun = None, False
            hold = self._purse.reserve(self._reckoned(messages), self.max_tokens)
            usage, patience.made = None, patience.made + 1
            try:
                for item in self._once(messages, line):
                    if isinstance(item, Completion):
                        usage = item.usage
                    elif whole:
                        continue
                    begun = True
                    yield item
            except Failure as err:
                failure = err
            finally:
                self._purse.settle(hold, usage, charged=failure is None or failure.charged)
            if failure is None:
                self._learn(messages, usage)
                return
            if failure.without_usage and self._tell_usage:
                self._tell_usage = False
                continue
            if not begun and failure.again and patience.pause(failure.asked):
                continue
            raise failure.error(self._told(failure, patience, begun))

    def _told(self, failure: Failure, patience: Patience, begun: bool) -> str:
        tried = f", after {patience.words()}" if failure.again and not begun else ""
        asked = ""
        if failure.asked is not None and failure.again:
            asked = f" (it asks to wait {failure.asked:g} s)"
        mend = f". {failure.mend}" if failure.mend else ""
        if begun:
            mend = ". The text came in part; ask again"
        return f"{self.model} at {self.endpoint.url}: {failure.said}{asked}{tried}{mend}"

    def _reckoned(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """An upper guess of a prompt's tokens."""
        size, pictures = _size(messages)
        return size + self._more + pictures * self._image_tokens

    def _learn(self, messages: Sequence[Mapping[str, Any]], usage: tuple[int, int] | None) -> None:
        """Reckon later calls higher where the server told more tokens than this one was reckoned at."""
        over = usage[0] - self._reckoned(messages) if usage else 0
        if over > 0:
            pictures = _size(messages)[1]
            if pictures:
                self._image_tokens += -(-over // pictures)
            else:
                self._more += over

    def _once(self, messages: Sequence[Mapping[str, Any]], line: wire.Line) -> Iterator[Piece | Completion]:
        """One try: pieces, last the completion, or a `Failure`."""
        body: dict[str, Any] = {"model": self.model, "messages": list(messages), **self._body}
        if self._stream:
            body["stream"] = True
            if self._tell_usage:
                body["stream_options"] = {"include_usage": True}
        sent = json.dumps({k: v for k, v in body.items() if v is not None}).encode()
        failure = None
        try:
            r = self.retry
            reply = wire.post(self.endpoint, sent, line, r.connect, r.stall, r.seconds)
            if reply.status != 200:
                failure = refused(reply, self.endpoint)
            elif "event-stream" in reply.headers.get("content-type", ""):
                yield from self._streamed(reply)
            else:
                yield from self._whole(reply)
        except wire.Broken as err:
            failure = Failure(ReadFailed, str(err), _REACH, again=True, charged=err.sent)
        except reading.Malformed as err:
            failure = Failure(
                ReadFailed, f"the answer is no chat completion: {self.endpoint.hide(str(err))}",
                "Does url end before /chat/completions, e.g. in /v1?", charged=True,
            )  # fmt: skip
        if failure is not None:
            raise failure

    def _streamed(self, reply: wire.Reply) -> Iterator[Piece | Completion]:
        text, thought, finish, usage, model = [], [], "", None, ""
        hiders = Hider(self.endpoint), Hider(self.endpoint)
        pieces = reply.pieces
        try:
            for data in reading.events(pieces):
                if data.strip() == "[DONE]":
                    finish = finish or "stop"
                    break
                part = reading.read_part(reading.parse(data), "delta")
                if part.error:
                    raise Failure(
                        ReadFailed, f"the endpoint broke off: {self.endpoint.hide(part.error)[:300]}", again=True,
                        charged=True,
                    )  # fmt: skip
                finish, usage, model = part.finish or finish, part.usage or usage, part.model or model
                for said, hider, into, apart in (
                    (part.thought, hiders[1], thought, True), (part.text, hiders[0], text, False),
                ):  # fmt: skip
                    clean = hider.add(said) if said else ""
                    if clean:
                        into.append(clean)
                        yield Piece(clean, apart)
        except wire.Broken:
            if not finish:
                raise
        finally:
            pieces.close()  # type: ignore[attr-defined]  # a generator
        if not finish:
            raise wire.Broken("the stream ended before the answer did", True)
        for hider, into, apart in ((hiders[1], thought, True), (hiders[0], text, False)):
            rest = hider.rest()
            if rest:
                into.append(rest)
                yield Piece(rest, apart)
        yield Completion("".join(text), "".join(thought), finish, usage, model)

    def _whole(self, reply: wire.Reply) -> Iterator[Piece | Completion]:
        part = reading.read_part(reading.parse(b"".join(reply.pieces)), "message")
        if part.error:
            raise Failure(ReadFailed, f"the endpoint says: {self.endpoint.hide(part.error)[:300]}", charged=True)
        hide = self.endpoint
        text, thought = (h.add(s) + h.rest() for h, s in ((Hider(hide), part.text), (Hider(hide), part.thought)))
        for said, apart in ((thought, True), (text, False)):
            if said:
                yield Piece(said, apart)
        yield Completion(text, thought, part.finish or "stop", part.usage, part.model)


_REACH = "Is the endpoint up, and url right? retry=Retry(…) sets tries and times"


def _size(messages: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Bytes of text, which are more than its tokens, with a few for each message; and the number of pictures."""
    size, pictures = 16, 0
    for message in messages:
        content = message.get("content")
        size += 16
        for part in [{"text": content}] if isinstance(content, str) else content or ():
            if isinstance(part.get("text"), str):
                size += len(part["text"].encode("utf-8", "replace"))
            else:
                pictures += 1
    return size, pictures
