"""Letters: which option an answer takes, by our strict rule and by each published one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from terrascope_nb.reason.answers import LETTER_RULES, Choices, read_letter
from terrascope_nb.reason.events import Answer


def letters(answer: Answer, choices: Choices | None, options: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The letter of an answer by every rule of `reason.answers.LETTER_RULES`.

    Parameters
    ----------
    answer : Answer
    choices : Choices or None
        None gives no letter by any rule.
    options : Mapping, optional
        The reasoner's; its ``letter_rule`` says by which rule it read `Answer.choice`.

    Returns
    -------
    dict of str to str
        Rule → letter, "" for none.

    Notes
    -----
    Rules read the answer as written. A reasoner that answers by a value and picks its option itself («23.1 ha», option
    C) writes no letter; where the strict rule finds none in the text, and the reasoner states an option that it did not
    read by a looser rule, the rules read that option as it would be written: its letter, or for landsat30-au its text.

    Examples
    --------
    >>> options = Choices.of(["12 ha", "24 ha"])
    >>> letters(Answer("23.1 ha", "B"), options)["strict"], letters(Answer("Cropland"), options)["terrascope-bench"]
    ('B', 'C')
    """
    if choices is None:
        return dict.fromkeys(LETTER_RULES, "")
    said = {rule: answer.text for rule in LETTER_RULES}
    loose = (options or {}).get("letter_rule", "strict") != "strict"
    if answer.choice and not loose and read_letter(answer.text, choices) is None:
        said = dict.fromkeys(LETTER_RULES, answer.choice)
        said["landsat30-au"] = choices.text(answer.choice) or ""
    return {rule: read_letter(text, choices, rule) or "" for rule, text in said.items()}
