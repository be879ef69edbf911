"""Bare answers («17.1 %», «yes», «tree cover», «B») tied to what was asked, so that they are checked like any
sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from terrascope_nb.reason.answers import Choices, choose_number, read_letter
from terrascope_nb.reason.units import to_base
from terrascope_nb.reason.verify.checking import Outcome
from terrascope_nb.reason.verify.figures import Figure, figures, flatten
from terrascope_nb.reason.verify.relation_checks import Checker
from terrascope_nb.reason.verify.relations import direction
from terrascope_nb.reason.verify.sayings import Statement
from terrascope_nb.reason.verify.skeleton import Ref, When, when_of
from terrascope_nb.scene.classes import mentions

if TYPE_CHECKING:
    from terrascope_nb.reason.question import Plan

_TAG = re.compile(r"</?(?:think|answer)>|<\|[a-z_]+\|>", re.IGNORECASE)
_YES = re.compile(
    r"(?:yes|no|true|false|present|absent|adjacent|not adjacent|(?:they |it )?(?:does not |do not |"
    r"doesn't )?touch(?:es)?|there (?:is|are)(?: none)?|it (?:is|does)(?: not)?)[.!]?"
)
_EQUAL = re.compile(r"(?:(?:they are |both are |both )?(?:equal(?:ly large)?|the same(?: size)?)|neither)[.!]?")
_PLACE = re.compile(
    r"(?:it lies |it is |in |on |at |the |to )*((?:north|south)[- ]?(?:east|west)|north|south|east|west|"
    r"(?:upper|top|lower|bottom)[- ](?:left|right)|top|bottom|left|right|cent(?:re|er)|middle)(?:ern)?(?: "
    r"part| corner| side)?(?: of the (?:scene|image|area))?[.!]?"
)
_TREND = re.compile(
    r"(?:it |they |water )?(?:has |have )?(?:(?P<up>increas(?:ed|e)|gr(?:ew|own)|expanded|gain(?:ed)?)|"
    r"(?P<down>decreas(?:ed|e)|shr(?:ank|unk)|declined|receded|loss|lost)|unchanged|no change|(?:stayed|"
    r"remained) the same|did not change|stable)[.!]?"
)
_AT_END = 10**9  # a place after every word of the text

Found = tuple[str, Outcome]
Run = Callable[[Checker], Found]
_KINDS = {"coverage": "share", "area": "area", "counting": "count", "distance": "distance"}
_UNIT = {"coverage": "%", "distance": "m", "counting": ""}


@dataclass(frozen=True)
class _Said:
    """An answer brought to a statement, and how its kind is called."""

    statement: Statement
    number: bool


def answer_outcome(answer: str, plan: Plan | None) -> list[Run] | None:
    """How to check a bare answer; None for an answer that is a sentence of its own, to be read as one.

    Parameters
    ----------
    answer : str
        As written; tags are left out.
    plan : Plan or None
        What was asked. Without it a bare number is read as a sentence, and yes, no, a label or a letter says nothing.

    Returns
    -------
    list of callable or None
        Each takes the `Checker` and gives (kind, Outcome).
    """
    text = _TAG.sub("", answer).strip()
    flat = " ".join(flatten(text).split()).strip(" '\"")
    if not flat:
        return None
    if plan is None:
        letter = re.fullmatch(r"\(?[a-z][.)]?", flat)
        if letter or _YES.fullmatch(flat) or _EQUAL.fullmatch(flat) or _only_labels(flat):
            return [
                lambda _: _open(
                    "choice" if letter else "figure" if not flat else "answer", text, "it is not known what was asked"
                )
            ]
        return None
    letter = read_letter(text, plan.choices) if plan.choices is not None else None
    if letter is None and plan.choices is not None:
        loose = re.fullmatch(r"\(?([A-Za-z])[.):]?(?:\s+\S.*)?", text, re.DOTALL)
        if (
            loose
            and loose[1].upper() in plan.choices.letters
            and (len(text) < 4 or not text[1:2].isalpha())
            and re.match(r"\(?[A-Za-z][.):]", text)
        ):
            letter = loose[1].upper()  # the option's text is not the one written beside it: the letter is what counts
    if letter is None and plan.choices is not None:
        same = [
            x for x, option in plan.choices.items() if " ".join(flatten(option).split()).strip(" .") == flat.strip(" .")
        ]
        letter = same[0] if len(same) == 1 else None
    if letter is not None and plan.choices is not None:
        return [_choice(text, letter, plan.choices, plan)]
    if plan.choices is None and re.fullmatch(r"\(?[a-z][.)]?", flat):
        return [lambda _: _open("choice", text, "a letter without options says nothing")]
    said = _bare(flat, plan)
    return None if said is None else [lambda checker: (said.statement.kind, checker.check(said.statement))]


def _open(kind: str, claimed: str, why: str) -> Found:
    return kind, Outcome((), (), claimed, None, "", None, "not checkable", why)


def _choice(text: str, letter: str, choices: Choices, plan: Plan) -> Run:
    option = choices.text(letter) or ""

    def run(checker: Checker) -> Found:
        said = _bare(" ".join(flatten(option).split()), plan)
        if said is None:
            return _open(
                "choice",
                letter,
                f"option {letter}, «{option}», is no figure, class, place, yes or no that {plan.task!r} asks for",
            )
        out = checker.check(said.statement)
        if out.verdict == "not checkable":
            return "choice", out
        if said.number and isinstance(out.measured, float):
            nearest = choose_number(choices, *to_base(out.measured, said.statement.figure.unit))  # type: ignore[union-attr]
            if nearest is None:
                return "choice", out
            good = nearest == letter
            near = f"the option nearest to what is measured is {nearest}, «{choices.text(nearest)}»"
            return "choice", replace(
                out, verdict="agrees" if good else "disagrees", why=f"{out.why.split(';')[0]}; {near}"
            )
        return "choice", replace(out, why=f"option {letter} is «{option}»; {out.why}")

    return run


def _bare(flat: str, plan: Plan) -> _Said | None:
    """An answer without a sentence around it as a statement on what `plan` asks; None when it is none."""
    refs = _refs(plan)
    found, skipped = figures(flat)
    if plan.task.startswith("when ") and refs:
        when = _day(flat, [flat[x.start : x.end] for x in skipped if x.what in ("date", "image")])
        said = plan.task.removeprefix("when ")
        return (
            None if when is None else _Said(Statement("when", 0, 0, (replace(refs[0], when=when),), said=said), False)
        )
    trend = _TREND.fullmatch(flat)
    if trend and plan.task == "change" and refs:
        said = "+" if trend["up"] else "-" if trend["down"] else "0"
        return _Said(Statement("change", 0, 0, _pair(plan, refs[0]), said=said), False)
    if len(found) >= 1 and _is_number(flat, found[0]):
        return _number(found[0], plan, refs)
    if _EQUAL.fullmatch(flat) and len(refs) == 2:
        return _Said(Statement("larger", 0, 0, refs, said="same"), False)
    if _YES.fullmatch(flat):
        yes = not re.search(r"\bno(?:t|ne)?\b|\bfalse\b|\babsent\b|n't\b", flat)
        return _yes(yes, plan, refs)
    place = _PLACE.fullmatch(flat)
    if place and plan.task == "location" and refs:
        return _Said(Statement("location", 0, 0, refs[:1], said=direction(place[1])), False)
    labels = _only_labels(flat)
    return _labels(labels, plan, refs) if labels else None


def _refs(plan: Plan) -> tuple[Ref, ...]:
    when = plan.when if isinstance(plan.when, str) else None
    return tuple(Ref(label, _AT_END, _AT_END, None, _when(when)) for label in plan.labels)


def _pair(plan: Plan, ref: Ref) -> tuple[Ref, Ref]:
    """A region on the two dates of a change."""
    days = plan.when if isinstance(plan.when, tuple) else ("first", "last")
    return replace(ref, when=_when(days[0])), replace(ref, when=_when(days[1]))


def _day(flat: str, written: list[str]) -> When | None:
    """The date that an answer is."""
    if re.fullmatch(r"(?:on |in |at )?(?:the )?(?:first|second|third|last)(?: (?:date|image|one|scene))?[.!]?", flat):
        return _when(re.search("first|second|third|last", flat).group())  # type: ignore[union-attr]
    return when_of(written[0], "image" if "image" in written[0] else "date") if len(written) == 1 else None


def _when(word: str | None) -> When | None:
    """A plan's date as the reading writes it."""
    if word is None:
        return None
    if word in ("first", "last"):
        return (word,)
    if word in ("second", "third"):
        return ("image", 2 if word == "second" else 3)
    iso = re.fullmatch(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?.*", word)
    return ("date", int(iso[1]), int(iso[2]) if iso[2] else None, int(iso[3]) if iso[3] else None) if iso else None


def _is_number(flat: str, f: Figure) -> bool:
    rest = f"{flat[: f.start]} {flat[f.end :]}"
    rest = re.sub(r"\(.*?\)", " ", rest)
    return (
        re.fullmatch(
            r"(?:\s|about|around|roughly|approximately|approx|nearly|almost|exactly|only|some|it is|is|ca|more "
            r"than|less than|over|under|at least|at most|between|and|lost|gained|net|separate|areas?|parts?|of|the"
            r"|scene|image|[.,:;=<>≤≥~+'\"-])*",
            rest,
        )
        is not None
    )


def _number(f: Figure, plan: Plan, refs: tuple[Ref, ...]) -> _Said | None:
    unit = f.unit or plan.unit or _UNIT.get(plan.task, "")
    kind = _KINDS.get(plan.task, "")
    if plan.task == "change" and plan.change in ("gain", "loss", "net"):
        kind, unit = plan.change, unit or "%"
        refs = _pair(plan, refs[0]) if refs else ()
    if plan.task == "building change" and len(refs) == 2:
        kind, unit = "part share", unit or "%"
        refs = (replace(refs[0], when=("last",)), replace(refs[1], when=("first",)))
    if kind == "area" and not unit:
        unit = "ha"
    kind = "pixels" if kind == "area" and unit == "px" else kind
    if unit == "%" and kind == "area" or unit in ("m²", "ha", "km²") and kind == "share":
        kind = "share" if unit == "%" else "area"
    if not kind or not refs:
        return _Said(
            Statement(
                "figure", 0, 0, refs, figure=f, why=f"no mask can be tied to a number that answers {plan.task!r}"
            ),
            False,
        )
    figure = replace(f, unit=unit)
    if kind == "loss" and figure.value < 0:
        figure = replace(figure, value=-figure.value)
    return _Said(Statement(kind, 0, 0, refs, figure=figure, said=""), True)


def _yes(yes: bool, plan: Plan, refs: tuple[Ref, ...]) -> _Said | None:
    task, n = plan.task, len(refs)
    if task == "existence" and n:
        return _Said(Statement("exists", 0, 0, refs[:1], said=yes), False)
    if task == "adjacency" and n > 1:
        return _Said(Statement("adjacent", 0, 0, refs[:2], said=yes), False)
    if task in ("comparison", "smaller") and n > 1:
        said = "larger" if task == "comparison" else "smaller"
        return _Said(Statement("larger", 0, 0, refs[:2], said=said if yes else f"not {said}"), False)
    if task in ("largest", "smallest") and n:
        return _Said(Statement("ranking", 0, 0, refs[:1], said=(task if yes else f"not {task}", "1")), False)
    if task == "change" and n and plan.change.startswith("is "):
        pair = _pair(plan, refs[0])
        sign = "+" if plan.change == "is gain" else "-"
        return _Said(Statement("change", 0, 0, pair, said=sign if yes else f"not {sign}"), False)
    return None


def _only_labels(flat: str) -> list[str]:
    """The labels of an answer that holds nothing else."""
    found = mentions(flat)
    rest = flat
    for m in reversed(found):
        rest = rest[: m.start] + " " + rest[m.end :]
    words = (
        r"(?:\s|the|a|an|and|then|or|class|areas?|cover|land|region|is|it|larger|largest|smallest|smaller|[.,"
        r":;>'\"])*"
    )
    return [m.label for m in found] if found and re.fullmatch(words, rest) else []


def _labels(labels: list[str], plan: Plan, refs: tuple[Ref, ...]) -> _Said | None:
    when = _when(plan.when) if isinstance(plan.when, str) else None
    named = tuple(Ref(x, _AT_END, _AT_END, None, when) for x in labels)
    task = plan.task
    if task in ("comparison", "smaller") and len(named) == 1:
        others = tuple(r for r in refs if r.label != named[0].label)
        if others:
            return _Said(
                Statement("larger", 0, 0, (*named, *others), said="larger" if task == "comparison" else "smaller"),
                False,
            )
    if task == "ranking" and len(named) > 1:
        return _Said(Statement("ranking", 0, 0, named, said=("falling", "")), False)
    if task in ("largest", "smallest", "ranking") and named:
        if refs and len(named) == 1 and len(refs) > 1:
            others = tuple(r for r in refs if r.label != named[0].label)
            return _Said(
                Statement("larger", 0, 0, (*named, *others), said="larger" if task != "smallest" else "smaller"), False
            )
        return _Said(
            Statement("ranking", 0, 0, named, said=("smallest" if task == "smallest" else "largest", "1")), False
        )
    return None
