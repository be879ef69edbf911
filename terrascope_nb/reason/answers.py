"""Multiple choice: the options, options written into a question, the option that fits a result, the letter in an
answer.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.choosing import (
    Picked,
    is_escape,
    label_of,
    pick_bool,
    pick_label,
    pick_number,
    pick_trend,
    read_span,
)  # fmt: skip

__all__ = [
    "LETTER_RULES", "Choices", "Picked", "choose_bool", "choose_label", "choose_number", "choose_trend",
    "is_escape", "label_of",
    "pick_bool", "pick_label", "pick_number", "pick_trend", "read_letter", "split_options",
]  # fmt: skip

#: Most characters of a question, or of an answer's end, that are searched for options or a letter.
_MOST = 20_000


@dataclass(frozen=True)
class Choices:
    """The options of a multiple choice.

    Attributes
    ----------
    letters : tuple of str
        Capital letters, all different.
    texts : tuple of str
        One text a letter, without the letter.
    """

    letters: tuple[str, ...]
    texts: tuple[str, ...]

    @staticmethod
    def of(given: Any) -> Choices | None:
        """Options from None, a list of texts (letters A, B, … in order), a mapping letter → text, or Choices.

        Raises
        ------
        InvalidInput
            For fewer than two options, more than 26, letters that are none or stand twice, empty texts.

        Examples
        --------
        >>> Choices.of(["10 %", "20 %"]).items()
        (('A', '10 %'), ('B', '20 %'))
        >>> Choices.of({"b": "no", "a": "yes"}).letters
        ('B', 'A')
        """
        if given is None or isinstance(given, Choices):
            return given
        if isinstance(given, Mapping):
            letters, texts = [str(k).strip().strip("().:").upper() for k in given], list(given.values())
        elif isinstance(given, Sequence) and not isinstance(given, (str, bytes)):
            texts = list(given)
            letters = list(string.ascii_uppercase[: len(texts)])
        else:
            raise InvalidInput(f"choices are a list of texts or a dict of letter to text; got {type(given).__name__}")
        if not 2 <= len(texts) <= 26:
            raise InvalidInput(f"a multiple choice has 2 to 26 options; got {len(texts)}")
        bad = [x for x in letters if not re.fullmatch("[A-Z]", x)]
        if bad or len(set(letters)) != len(letters):
            raise InvalidInput(
                f"option letters are single letters A to Z, each once; got {', '.join(map(repr, letters))}"
            )
        clean = tuple(_without_letter(str(t), letter) for t, letter in zip(texts, letters, strict=True))
        empty = [letter for letter, text in zip(letters, clean, strict=True) if not text]
        if empty:
            raise InvalidInput(f"option {empty[0]} has no text")
        return Choices(tuple(letters), clean)

    def items(self) -> tuple[tuple[str, str], ...]:
        """(letter, text) in order."""
        return tuple(zip(self.letters, self.texts, strict=True))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.items())

    def __len__(self) -> int:
        return len(self.letters)

    def text(self, letter: str) -> str | None:
        """The text of a letter, None for a letter that is no option."""
        return dict(self.items()).get(letter)

    @property
    def unit(self) -> str:
        """The unit that the options' numbers share; of several of one kind the first; "" for none or two kinds."""
        from terrascope_nb.reason.units import to_base

        units = [s.unit for s in map(read_span, self.texts) if s and s.unit]
        return units[0] if units and len({to_base(1, u)[1] for u in units}) == 1 else ""


def _without_letter(text: str, letter: str) -> str:
    """«A. water», «(A) water» in a list that has its letters already."""
    text = text.strip()
    stripped = re.sub(rf"^(?:\({letter}\)|{letter}[.):])\s+", "", text, flags=re.IGNORECASE)
    return stripped or text


_MARK = re.compile(
    r"(?:(?<=\s)|(?<=[:;,?.)])|^)(?:\(([A-Za-z])\)|\[([A-Za-z])\]|([A-Za-z])[.):])(?=\s|$|(?<=[):])\S)", re.MULTILINE
)
_HEADING = re.compile(
    r"(?:\b(?:the )?(?:options|choices|candidates|answers|choose (?:one|from)|select one"
    r"|candidate answers)(?: are)?\s*[:.]?\s*)$",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"(?:^|[.;,]?\s+)(?:please\s+)?(?:answer|choose|select|respond|reply|pick|give)\b(?:[^\n]{0,200})$", re.IGNORECASE
)


def split_options(question: str) -> tuple[str, Choices | None]:
    """Split off options that stand in a question: «… A. 10 % B. 20 %», «(A) yes (B) no», one a line or inline.

    The letters must run A, B, C … without a gap; the last such run counts. What follows the last option on lines of
    its own («Answer with one letter.») goes back to the question.

    Returns
    -------
    question : str
        Without the options.
    choices : Choices or None

    Examples
    --------
    >>> question, choices = split_options("Is there water? A. Yes B. No")
    >>> question, choices.texts
    ('Is there water?', ('Yes', 'No'))
    """
    if len(question) > _MOST:
        return question, None
    marks = [(m.start(), m.end(), next(g for g in m.groups() if g)) for m in _MARK.finditer(question)]
    run = _last_run(marks)
    if len(run) < 2:
        return question, None
    ends = [start for start, _, _ in run[1:]] + [len(question)]
    texts = [question[end:stop].strip() for (_, end, _), stop in zip(run, ends, strict=True)]
    lines = texts[-1].split("\n", 1)
    after = lines[1].strip() if len(lines) > 1 else ""
    texts[-1] = lines[0].strip()
    tail = _TAIL.search(texts[-1])
    if tail and tail.start() > 0:
        after = f"{texts[-1][tail.start() :].lstrip(' .;,')} {after}".strip()
        texts[-1] = texts[-1][: tail.start()]
    texts = [" ".join(t.split()).rstrip(" ,;") for t in texts]
    texts = [re.sub(r"[,;]?\s+(?:or|and)$", "", t) for t in texts]
    if not all(texts):
        return question, None
    before = _HEADING.sub("", question[: run[0][0]].rstrip()).rstrip(" ,;(\n")
    return f"{before}\n{after}".strip(), Choices(tuple(x.upper() for _, _, x in run), tuple(texts))


def _last_run(marks: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    for i in range(len(marks) - 1, -1, -1):
        if marks[i][2] not in "Aa":
            continue
        run = [marks[i]]
        for mark in marks[i + 1 :]:
            if ord(mark[2]) == ord(run[-1][2]) + 1:
                run.append(mark)
        if len(run) > 1:
            return run
    return []


def choose_number(choices: Choices | None, value: float, unit: str) -> str | None:
    """Letter of the option nearest to `value` in `unit`; see `pick_number`, which says why. None when none can be
    compared.

    Examples
    --------
    >>> choose_number(Choices.of(["12 ha", "24 ha", "0.5 km²"]), 246_000, "m²")
    'B'
    """
    return None if choices is None else pick_number(choices, value, unit).letter


def choose_label(choices: Choices | None, label: str) -> str | None:
    """Letter of the option that names a class, a place, an order of classes or «equal»; None when none does.

    Examples
    --------
    >>> choose_label(Choices.of(["Lake", "Forest"]), "tree cover")
    'B'
    """
    return None if choices is None else pick_label(choices, label).letter


def choose_bool(choices: Choices | None, value: bool) -> str | None:
    """Letter of the option that means yes or no; None when none does.

    Examples
    --------
    >>> choose_bool(Choices.of(["adjacent", "not adjacent"]), False)
    'B'
    """
    return None if choices is None else pick_bool(choices, value).letter


def choose_trend(choices: Choices | None, net: float) -> str | None:
    """Letter of the option that says increased, decreased or unchanged, by the sign of a net change.

    Examples
    --------
    >>> choose_trend(Choices.of(["It increased", "It decreased", "No change"]), -2.5)
    'B'
    """
    return None if choices is None else pick_trend(choices, net).letter


LETTER_RULES = ("strict", "terrascope-bench", "disasterm3", "landsat30-au")
_OPEN, _CLOSE = re.compile("<answer>", re.IGNORECASE), re.compile("</answer>", re.IGNORECASE)


def read_letter(text: str, choices: Any = None, rule: str = "strict") -> str | None:
    """Read the option letter in a written answer.

    Parameters
    ----------
    text : str
        The answer as written, with or without ``<answer>`` tags; of several, the first counts.
    choices : Choices, list, dict or None
    rule : {"strict", "terrascope-bench", "disasterm3", "landsat30-au"}
        - strict (ours): inside ``<answer>``, else the whole text: one letter alone, also «(B)», after which «.», «)» or
          «:» and that option's own text may stand and no more. The letter must be an option (`choices` not given: any
          of A to Z). Capital or small; a small letter before a text needs «.», «)» or «:» between («a lake» is no A).
        - terrascope-bench (published): inside ``<answer>``, else the whole text, white space stripped: the first
          character if it is A to D in either case, no word boundary asked («Cropland» gives C), else None.
        - disasterm3 (published): the first capital A to E anywhere inside ``<answer>``; where there is none, the first
          capital A to E of the whole text that stands alone.
        - landsat30-au (published): the answer's text against the options' texts, equal as they stand but for white
          space at the ends; needs `choices`.

        The published rules may give a letter that is no option.

    Returns
    -------
    str or None
        A capital letter; None when the rule finds none.

    Raises
    ------
    InvalidInput
        For an unknown rule, a text that is none, or no choices where the rule needs them.

    Examples
    --------
    >>> read_letter("Cropland"), read_letter("Cropland", rule="terrascope-bench")
    (None, 'C')
    >>> read_letter("<answer>b) 20 %</answer>", ["10 %", "20 %"])
    'B'
    """
    if not isinstance(text, str):
        raise InvalidInput(f"an answer is a text; got {type(text).__name__}")
    if rule not in LETTER_RULES:
        raise InvalidInput(unknown("letter rule", rule, LETTER_RULES))
    options = Choices.of(choices)
    tagged = _tagged(text)
    inside = (text if tagged is None else tagged).strip()
    if rule == "terrascope-bench":
        return inside[0].upper() if inside[:1] in tuple("ABCDabcd") else None
    if rule == "disasterm3":
        found = re.search("[A-E]", tagged or "")
        found = found or re.search(r"\b[A-E]\b", text)
        return found.group() if found else None
    if rule == "landsat30-au":
        if options is None:
            raise InvalidInput("the rule 'landsat30-au' compares with the options' texts; pass choices=")
        return next((letter for letter, option in options.items() if option.strip() == inside), None)
    return _strict(inside, options)


def _tagged(text: str) -> str | None:
    """What stands between the first ``<answer>`` and the next ``</answer>``; None without both."""
    start = _OPEN.search(text)
    end = _CLOSE.search(text, start.end()) if start else None
    return text[start.end() : end.start()] if start and end else None


def _strict(text: str, options: Choices | None) -> str | None:
    found = re.fullmatch(r"(?:\(([A-Za-z])\)|([A-Za-z])([.):]?))(?:\s*(\S.*))?", text, re.DOTALL)
    if found is None:
        return None
    letter, mark, rest = (
        found.group(1) or found.group(2),
        found.group(3) or found.group(1),
        (found.group(4) or "").strip(),
    )
    if options is not None and letter.upper() not in options.letters:
        return None
    if rest:
        if options is None or (letter.islower() and not mark):
            return None
        if not mark and not re.match(r"\s", text[1:2]):
            return None
        own = options.text(letter.upper()) or ""
        if " ".join(rest.split()).rstrip(".").casefold() != " ".join(own.split()).rstrip(".").casefold():
            return None
    return letter.upper()
