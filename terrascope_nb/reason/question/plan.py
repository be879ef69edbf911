"""Questions into plans: what is to be measured, of which classes, in which unit, on which dates.

`understand` reads a closed language: every word must have a place, one question must set one task, and what it does not
understand it refuses, with the forms it knows. It never guesses past a word, and never turns a question round.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from terrascope_nb.errors import InvalidInput, QuestionNotUnderstood
from terrascope_nb.reason.answers import Choices, is_escape, label_of, split_options
from terrascope_nb.reason.question.lexicon import LONGEST, normalise, suggestion
from terrascope_nb.reason.question.tasks import UNITS_OF, Draft, Refused, draft
from terrascope_nb.reason.question.wording import Wording, read, sentences
from terrascope_nb.reason.units import to_base
from terrascope_nb.scene.classes import labels as classes


@dataclass(frozen=True)
class Plan:
    """What a question asks for.

    Attributes
    ----------
    task : str
        One of `forms`: "coverage", "area", "comparison", "smaller", "largest", "smallest", "ranking", "adjacency",
        "distance", "counting", "existence", "location", "change", "when largest", "when smallest", "building change".
    labels : tuple of str
        Canonical labels, in the order the task takes them; () for "largest", "smallest" and "ranking" over all
        classes. For "building change": what is counted, then what it is counted among.
    unit : str
        Unit asked for by the question or else shared by its options: "%", "ha", "km²", "m²", "m", "km", "px" …; ""
        leaves it open.
    change : str
        For the task "change": "gain", "loss" (what appeared, what disappeared), "net"; and for yes or no "is gain",
        "is loss" (whether the net change is above, below 0).
    when : (str, str), str or None
        Dates: ISO prefix ("2018", "2018-06", "2018-06-01"), "first", "second", "third" or "last"; two for a change.
    choices : Choices or None
        The options, given or found in the question.
    question : str
        The question without its options.
    yes_no : bool
        Whether it asks for yes or no. A comparison then asks whether the first label is the larger.
    resolution : float or None
        Pixel size that the question states, metres; to be held against the grid's.
    """

    task: str
    labels: tuple[str, ...]
    unit: str = ""
    change: str = ""
    when: tuple[str, str] | str | None = None
    choices: Choices | None = None
    question: str = ""
    yes_no: bool = False
    resolution: float | None = None


@dataclass(frozen=True)
class Form:
    """A task that is understood, and a question that sets it."""

    task: str
    example: str


_FORMS = (
    Form("coverage", "What share of the scene is water?"),
    Form("area", "What is the area of forest in hectares?"),
    Form("comparison", "Which covers more area, forest or cropland?"),
    Form("smaller", "Which is smaller, water or cropland?"),
    Form("largest", "Which land-cover class is the largest?"),
    Form("smallest", "Which land-cover class is the smallest?"),
    Form("ranking", "Rank the classes by area."),
    Form("adjacency", "Is the forest next to water?"),
    Form("distance", "How far is the town from the river, in metres?"),
    Form("counting", "How many lakes are there?"),
    Form("existence", "Is there snow in the scene?"),
    Form("location", "Where is the water?"),
    Form("change", "How much water was lost between the first and the last date?"),
    Form("when largest", "On which date was the water largest?"),
    Form("when smallest", "On which date was the water smallest?"),
    Form("building change", "What percentage of the buildings was destroyed?"),
)


def forms() -> tuple[Form, ...]:
    """Every task that `understand` knows, with an example that it understands.

    Examples
    --------
    >>> [understand(f.example).task == f.task for f in forms()].count(False)
    0
    """
    return _FORMS


def understand(question: str, choices: Any = None) -> Plan:
    """Turn a question into a plan.

    Parameters
    ----------
    question : str
        English, at most 1,000 characters after options that stand in it are split off.
    choices : Choices, list, dict or None
        Options; without them, those in the question are used (`split_options`).

    Returns
    -------
    Plan

    Raises
    ------
    QuestionNotUnderstood
        When it sets no task, more than one, or holds words without a place; the message says what was understood, what
        not, and lists the forms with an example each.
    InvalidInput
        When `question` is no text, or `choices` are no options.

    Examples
    --------
    >>> plan = understand("How many hectares of forest were lost from 2018 to 2023?")
    >>> plan.task, plan.labels, plan.unit, plan.change, plan.when
    ('change', ('tree cover',), 'ha', 'loss', ('2018', '2023'))
    """
    if not isinstance(question, str):
        raise InvalidInput(f"a question is a text; got {type(question).__name__}")
    options = Choices.of(choices)
    if options is None:
        question, options = split_options(question)
    if len(question) > LONGEST:
        raise _refusal(question, f"it has {len(question):,} characters; at most {LONGEST:,} are read")
    wording = _one_of([read(s) for s in sentences(normalise(question))], question)
    try:
        found = draft(wording)
        unit = _unit(found, wording, options)
        if found.loose and unit not in UNITS_OF["coverage"]:
            found = replace(found, task="area")
        labels = found.labels
        if found.task in ("largest", "smallest") and not labels and options is not None:
            labels = _labels_among(options)
    except Refused as e:
        raise _refusal(question, e.why, wording, e.seen) from None
    return Plan(
        found.task, labels, unit, found.change, found.when, options, question.strip(), found.yes_no, wording.resolution
    )  # fmt: skip


def stated_pixel_size(question: str) -> float | None:
    """Pixel size in metres that a question states, whether it is understood or not; None for none, or for several.

    Examples
    --------
    >>> stated_pixel_size("How far is it from here to there, at 10 m resolution?"), stated_pixel_size("How far?")
    (10.0, None)
    """
    text = split_options(question)[0][:LONGEST]
    sizes = {w.resolution for w in map(read, sentences(normalise(text))) if w.resolution is not None}
    return sizes.pop() if len(sizes) == 1 else None


def _one_of(wordings: list[Wording], question: str) -> Wording:
    """The one sentence that asks, with the unit or the pixel size that another states."""
    asking = [w for w in wordings if w.text and not _ONLY_UNIT.fullmatch(w.text)]
    if not asking:
        raise _refusal(question, "it is empty")
    units = tuple(dict.fromkeys(u for w in wordings for u in w.units))
    sizes = {w.resolution for w in wordings if w.resolution is not None}
    if len(sizes) > 1:
        raise _refusal(question, f"it states {len(sizes)} pixel sizes")
    whole = replace(asking[0], units=units, resolution=sizes.pop() if sizes else None)
    if len(asking) > 1:
        labels = tuple(dict.fromkeys(label for w in asking for label in w.labels))
        unknown = tuple(dict.fromkeys(t for w in asking for t in w.unknown))
        raise _refusal(
            question, f"it asks two things at once, or sets a condition: {len(asking)} sentences; ask one question"
                      f" in one sentence",
            replace(whole, labels=labels, unknown=unknown),
        )  # fmt: skip
    return whole


_ONLY_UNIT = re.compile(
    r"(?:(?:please|give|provide|express|report|state|use|answer|the|your|result|value|area|distance|it|as|unit|units"
    r"|a|number|in|is|be|should)[ ,:]*)+"
    r"UNIT[ ,.]*"
)


def _unit(found: Draft, wording: Wording, options: Choices | None) -> str:
    """The unit named, else the one that the options share, else percent for shares."""
    allowed = UNITS_OF.get(found.task, ())
    if not allowed:
        return ""
    shared = options.unit if options is not None else ""
    if found.loose:
        allowed = (*UNITS_OF["coverage"], *UNITS_OF["area"])
    if shared and shared not in allowed:
        raise Refused(
            f"its options are in {shared!r}, and the task {found.task} can be answered in {', '.join(allowed)}",
            found.task,
        )
    if wording.unit:
        if shared and to_base(1, shared)[1] != to_base(1, wording.unit)[1]:
            raise Refused(f"it asks for {wording.unit!r} and its options are in {shared!r}", found.task)
        return wording.unit
    if found.task == "change":
        return shared or ("%" if found.share else "")
    return shared or ("%" if allowed[0] == "%" else "")


def _labels_among(options: Choices) -> tuple[str, ...]:
    """Labels that the options name, for «which class is the largest»; () when the options are of another kind."""
    named = {text: label_of(text) for text in options.texts if not is_escape(text)}
    if not any(named.values()):
        return ()
    strange = [text for text, label in named.items() if label is None or read(normalise(text)).unknown]
    if strange:
        raise Refused(
            f"the option {strange[0]!r} is no single class of the vocabulary", "largest or smallest of the options"
        )
    return tuple(dict.fromkeys(named.values()))


def _refusal(
    question: str, why: str, wording: Wording | None = None, seen: tuple[str, ...] = ()
) -> QuestionNotUnderstood:
    shown = " ".join(question.encode("utf-8", "replace").decode("utf-8").split())
    shown = shown if len(shown) <= 120 else shown[:117] + "..."
    parts = [f"cannot answer {shown!r}: {why}."]
    if wording is not None:
        known = list(seen)
        known += [label for label in dict.fromkeys(wording.labels) if label not in known]
        known += [d for d in (*wording.dates, *wording.units) if d not in known]
        if known:
            parts.append(f"Understood: {', '.join(known)}.")
        if wording.unknown:
            words = []
            for word in wording.unknown[:5]:
                near = suggestion(word)
                clean = word.encode("utf-8", "replace").decode("utf-8")
                words.append(repr(clean[:40]) + (f" (did you mean {near!r}?)" if near else ""))
            more = f" and {len(wording.unknown) - 5} more" if len(wording.unknown) > 5 else ""
            parts.append(f"Not understood: {', '.join(words)}{more}.")
    listed = "; ".join(f"{f.task}: «{f.example}»" for f in _FORMS)
    parts.append(f"Questions that can be asked: {listed}. Classes: {', '.join(classes())}.")
    return QuestionNotUnderstood(" ".join(parts))
