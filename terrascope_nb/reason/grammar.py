"""The text form of a trace: `[SEG]`, sentences, and the published `<think> … </think><answer> … </answer>`.

Everything here is text in, text out; joining what was split gives the text back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from terrascope_nb.reason.events import SEG

_SENTENCE_END = re.compile(r"[.!?…。](?:[\"'»”)\]]*)(?=\s|$)|\n+")
_JOINT = re.compile(r"[,;]\s|\s(?=(?:and|while|but|whereas)\s)")
_TAG = re.compile(r"</?(?:think|answer)>|<\|[a-z_]+\|>", re.IGNORECASE)


@dataclass(frozen=True)
class Span:
    """A piece of text ``text[start:end]``; `seg` counts the ``[SEG]`` it holds from 0, None when it holds none."""

    start: int
    end: int
    seg: int | None


def sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, the white space after it included; together they cover the text.

    Examples
    --------
    >>> [("17.1 % is water. It is large."[a:b]) for a, b in sentences("17.1 % is water. It is large.")]
    ['17.1 % is water. ', 'It is large.']
    """
    out, start = [], 0
    for m in _SENTENCE_END.finditer(text):
        end = m.end()
        while end < len(text) and text[end].isspace():
            end += 1
        if end > start:
            out.append((start, end))
            start = end
    if start < len(text):
        out.append((start, len(text)))
    return out


def spans(text: str) -> list[Span]:
    """Cut a text into pieces with exactly one ``[SEG]`` each, and the pieces between them that have none.

    A piece is the sentence that the ``[SEG]`` stands in. A sentence with several is cut after each of them, at the
    last comma, semicolon or conjunction before the next where there is one.

    Examples
    --------
    >>> text = "I look. Water [SEG] covers 3 %, trees [SEG] 9 %. Done."
    >>> [(text[s.start:s.end], s.seg) for s in spans(text)]
    [('I look. ', None), ('Water [SEG] covers 3 %, ', 0), ('trees [SEG] 9 %. ', 1), ('Done.', None)]
    """
    out: list[Span] = []
    seg = 0
    for start, end in sentences(text):
        marks = [m.start() for m in re.finditer(re.escape(SEG), text[start:end])]
        if not marks:
            if out and out[-1].seg is None:
                out[-1] = Span(out[-1].start, end, None)
            else:
                out.append(Span(start, end, None))
            continue
        cut = start
        for a, b in zip(marks, [*marks[1:], None], strict=True):
            after = start + a + len(SEG)
            stop = end
            if b is not None:
                joints = [m.end() for m in _JOINT.finditer(text, after, start + b)]
                stop = joints[-1] if joints else after
            out.append(Span(cut, stop, seg))
            seg += 1
            cut = stop
    return out


def read_output(text: str) -> tuple[str, str | None]:
    """Split a model's raw output into its reasoning and its answer (None where there is no ``<answer>``).

    Unclosed tags count to the end of the text, ``<REGION>`` placeholders and special tokens are taken out.

    Examples
    --------
    >>> read_output("<think> water [SEG]<REGION><REGION> 3 % </think><answer> A </answer>")
    ('water [SEG] 3 %', 'A')
    """
    text = text.replace("<REGION>", "")
    m = re.search(r"<answer>(.*?)(?:</answer>|$)", text, re.IGNORECASE | re.DOTALL)
    answer = None
    if m:
        answer = _TAG.sub("", m.group(1)).strip()
        text = text[: m.start()] + text[m.end() :]
    return _TAG.sub("", text).strip(), answer


def write_output(thinking: str, answer: str) -> str:
    """The published output form of a reasoning and its answer; `read_output` gives both back."""
    return f"<think> {thinking} </think><answer> {answer} </answer>"
