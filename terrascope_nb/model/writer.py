"""Tokens and regions → the events of a run: tags told from text, bytes put together to letters, the answer read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from terrascope_nb.model.config import ADDED, SPECIAL
from terrascope_nb.model.decoding import End, Measured, Region, Step, Token
from terrascope_nb.model.processor import Processor
from terrascope_nb.reason.answers import Choices, read_letter
from terrascope_nb.reason.choosing import read_span
from terrascope_nb.reason.events import SEG, Answer, Event, Mask, Progress, Text

_HELD = 3  # tokens that may belong to a letter whose bytes are not all there yet


class Letters:
    """Turns ids into text as they come; a letter of several tokens waits for the last of them.

    Examples
    --------
    >>> from terrascope_nb.model.tiny import tiny_model
    >>> processor = tiny_model()[1]
    >>> letters = Letters(processor)
    >>> [letters.add(int(i)) for i in processor.encode("a²")], letters.rest()
    (['a', '', '²'], '')
    """

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self._held: list[int] = []

    def add(self, token: int) -> str:
        """What can be said for sure after one more token."""
        self._held.append(token)
        text = self._processor.decode(self._held)
        if not text.endswith("\ufffd"):
            self._held = []
            return text
        early, late = self._held[:-_HELD], self._held[-_HELD:]
        said = self._processor.decode(early) if early else ""
        if said and said + self._processor.decode(late) == text:
            self._held = late
            return said
        return ""

    def rest(self) -> str:
        """What is held back, as far as it can be read."""
        text, self._held = self._processor.decode(self._held) if self._held else "", []
        return text


class Writer:
    """Makes the events of one run.

    Parameters
    ----------
    processor : Processor
    mask : callable
        ``(region, text so far) → Mask``.
    choices : Choices or None
    most : int
        Most tokens that may come, for `Progress`.
    beside : callable
        ``(answer) → text`` that is put before it: what the masks say where it differs, «» where it does not.
    """

    def __init__(
        self,
        processor: Processor,
        mask: Callable[[Region, str], Mask],
        choices: Choices | None,
        most: int,
        beside: Callable[[Answer], str],
    ) -> None:
        self._letters = Letters(processor)
        vocabulary = processor.tokenizer.get_vocab()
        self._tags = {vocabulary[t]: t for t in (*ADDED, *SPECIAL.values()) if t in vocabulary and t != SEG}
        self._seg = processor.ids["seg"]
        self._mask, self._choices, self._most, self._beside = mask, choices, most, beside
        self._place = "thinking"  # "thinking", "between", "answer", "over"
        self._count = 0
        self._space = ""
        self.text = ""
        self._between = ""
        self._answer: str | None = None

    def events(self, step: Step) -> Iterator[Event]:
        """The events of one step; at least one for each token."""
        if isinstance(step, Token):
            yield from self._token(step.id)
        elif isinstance(step, Measured):
            yield self._say(step.text, "measured")
        elif isinstance(step, Region):
            yield self._mask(step, self.text)
        else:
            yield from self._end(step)

    def _token(self, token: int) -> Iterator[Event]:
        self._count += 1
        if token == self._seg:
            yield (
                self._join(self._between + self._letters.rest() + SEG)
                if self._between
                else self._say(self._letters.rest() + SEG)
            )
            self._between = ""
            return
        if token not in self._tags:
            piece = self._letters.add(token)
            yield self._put(piece) if piece else self._still()
            return
        rest = self._letters.rest()
        if rest:
            yield self._put(rest)
        tag = self._tags[token]
        if tag == "</think>" and self._place == "thinking":
            self._place = "between"
        elif tag == "<answer>" and self._answer is None:
            self._place, self._answer = "answer", ""
            if self._between.strip():
                yield self._join(self._between)
            self._between = ""
        elif tag == "</answer>" and self._place == "answer":
            self._place = "over"
        yield self._still()

    def _put(self, piece: str) -> Event:
        if self._place == "thinking":
            return self._say(piece)
        if self._place == "answer":
            self._answer = (self._answer or "") + piece
        elif self._place == "between":
            self._between += piece
        return self._still()

    def _say(self, piece: str, source: str = "written") -> Event:
        """A piece of the reasoning; white space waits for what follows it, and none stands at either end."""
        piece = self._space + piece
        said = piece.rstrip()
        self._space = piece[len(said) :]
        if not self.text:
            said = said.lstrip()
        self.text += said
        return Text(said, source) if said else self._still()

    def _join(self, piece: str, source: str = "written") -> Event:
        """Text that does not follow on the last piece: one space between them is enough."""
        return self._say(piece.lstrip() if self._space else piece, source)

    def _still(self) -> Progress:
        return Progress(self._count, self._most, "writing")

    def _end(self, end: End) -> Iterator[Event]:
        rest = self._letters.rest()
        if rest:
            yield self._put(rest)
        written, reason = self._answer, end.reason
        if written is None and self._between.strip():
            written = self._between  # an answer without its tags, behind </think>
        if written is None and end.finish == "stop":
            reason = "the text ended without an <answer>"
        said = (written or "").strip()
        letter = read_letter(said, self._choices) if self._choices is not None and said else None
        number = said if letter is None or self._choices is None else self._choices.text(letter) or ""
        span = read_span(number) if number else None
        value = span.low if span is not None and span.low == span.high else None
        unit = span.unit if span is not None and value is not None else ""
        answer = Answer(said, letter, value, unit, end.finish, reason)
        beside = self._beside(answer)
        if beside:
            yield self._join(f" {beside}", "measured")
        yield answer
