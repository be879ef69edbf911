"""The answer of a model that writes text alone: what it said, the letter, the number."""

from __future__ import annotations

from terrascope_nb.reason.answers import Choices, read_letter
from terrascope_nb.reason.choosing import read_span
from terrascope_nb.reason.events import Answer
from terrascope_nb.reason.grammar import read_output


def written_answer(text: str, choices: Choices | None, rule: str, finish: str = "stop", reason: str = "") -> Answer:
    """Read an answer out of all that a model wrote.

    What stands in ``<answer>`` counts, else what follows ``</think>``, else the whole. The number is that of the option
    chosen where a letter was read; a range («between 3 and 5 %») gives none.

    Parameters
    ----------
    text : str
    choices : Choices or None
    rule : str
        How the letter is read, see `read_letter`.
    finish, reason : str
        As in `Answer`.

    Examples
    --------
    >>> written_answer("<think> Much. </think> <answer> 17.1 % </answer>", None, "strict")
    Answer(text='17.1 %', choice=None, value=17.1, unit='%', finish='stop', reason='')
    >>> written_answer("It is B.</think> B", Choices.of(["6 ha", "24 ha"]), "strict").value
    24.0
    """
    said = read_output(text)[1]
    if said is None:
        said = read_output(text.rpartition("</think>")[2])[0]
    letter = read_letter(said, choices, rule) if choices is not None and said else None
    number = said if letter is None or choices is None else choices.text(letter) or ""
    span = read_span(number) if number else None
    single = span is not None and span.low == span.high
    return Answer(said, letter, span.low if single else None, span.unit if single else "", finish, reason)
