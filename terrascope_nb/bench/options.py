"""Options and letters as benchmark files write them: JSON, Python lists, lettered text."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.answers import Choices, read_letter, split_options
from terrascope_nb.reason.question.lexicon import normalise
from terrascope_nb.reason.question.wording import read, sentences

_LONGEST = 20_000


def read_options(given: Any) -> Choices | None:
    """The options that a file gives; None for an open question, which has none.

    Parameters
    ----------
    given : None, str, sequence of str, or mapping
        A mapping letter → text, a list of texts (which get the letters A, B, … in order), either of them written as
        JSON or as a Python literal, or lettered text: «A. 10 % B. 20 %», inline or one a line.

    Raises
    ------
    InvalidInput
        When it is none of these.

    Examples
    --------
    >>> read_options('{"A": "10 %", "B": "20 %"}').texts, read_options("['Urban area', 'Water']").letters
    (('10 %', '20 %'), ('A', 'B'))
    >>> read_options("A. yes B. no").items()
    (('A', 'yes'), ('B', 'no'))
    """
    if given is None or given == "" or given == [] or given == {}:
        return None
    if isinstance(given, str):
        text = given.strip()
        if not text or text.lower() in ("nan", "none", "[]", "{}"):
            return None
        if len(text) > _LONGEST:
            raise InvalidInput(f"options of {len(text):,} characters; at most {_LONGEST:,} are read")
        given = _literal(text)
        if given is None:
            choices = split_options(text)[1] or split_options(re.sub(r"\s*[,;|]\s*(?=\(?[B-Z][.):])", "\n", text))[1]
            if choices is None:
                raise InvalidInput(
                    f"options {text[:80]!r} are no JSON, no list, and not lettered «A. … B. …»: no option can be told"
                )
            return choices
    if isinstance(given, Mapping):
        return Choices.of({str(k): str(v) for k, v in given.items()})
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        texts = [str(t) for t in given]
        lettered = [re.match(r"\s*(?:\(([A-Z])\)|([A-Z])[.):])\s+\S", t) for t in texts]
        if texts and all(lettered):
            return Choices.of({(m[1] or m[2]): t for m, t in zip(lettered, texts, strict=True) if m})
        return Choices.of(texts)
    raise InvalidInput(f"options are a mapping, a list or a text; got {type(given).__name__}")


def _literal(text: str) -> Any:
    """What a JSON or Python literal of a list or mapping holds; None when the text is neither."""
    if text[0] not in "[{(":
        return None
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return None
    return list(found) if isinstance(found, tuple) else found if isinstance(found, list | dict) else None


def letter_of(answer: Any, choices: Choices) -> str:
    """The letter of a stated answer: the text of an option, else one letter alone; "" when neither fits.

    Examples
    --------
    >>> options = read_options(["One", "Two", "None"])
    >>> letter_of("None", options), letter_of("b", options), letter_of("Five", options)
    ('C', 'B', '')
    """
    text = str(answer).strip()
    same = [letter for letter, option in choices if option.strip() == text]
    if len(same) == 1:
        return same[0]
    return read_letter(text, choices) or ""


def without_options(question: str, choices: Choices | None) -> str:
    """The question, less the options where it repeats exactly the ones that are given beside it.

    Examples
    --------
    >>> without_options("Is there water? A. Yes B. No", read_options(["Yes", "No"]))
    'Is there water?'
    """
    bare, inside = split_options(question)
    same = choices is not None and inside is not None and inside.items() == choices.items()
    return bare if same else question.strip()


def stated_resolution(question: str) -> float | None:
    """The pixel size that a question states, in metres; None when it states none, or several.

    Examples
    --------
    >>> stated_resolution("What is the area of water in hectares? The resolution is 10 m.")
    10.0
    """
    if len(question) > _LONGEST:
        return None
    sizes = {read(s).resolution for s in sentences(normalise(question))} - {None}
    return sizes.pop() if len(sizes) == 1 else None
