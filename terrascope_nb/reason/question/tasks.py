"""Which task a question sets: the rules that make exactly one plan of its wording, or none."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from terrascope_nb.reason.question import cues
from terrascope_nb.reason.question.dates import EVENTS
from terrascope_nb.reason.question.wording import Wording

#: Units in which a task can be answered; a task that is not here has none.
UNITS_OF = {
    "coverage": ("%",),
    "building change": ("%",),
    "area": ("m²", "ha", "km²", "px", "acre", "mi²", "ft²"),
    "distance": ("m", "km", "px", "mi", "ft"),
    "change": ("%", "m²", "ha", "km²", "acre", "mi²", "ft²"),
}
FIRST_LAST = ("first", "last")
DESTROYED = ("destroyed building", "building")


class Refused(Exception):
    """Why a wording makes no plan, in words for the asker; `seen` says what was understood all the same."""

    def __init__(self, why: str, *seen: str) -> None:
        super().__init__(why)
        self.why, self.seen = why, seen


@dataclass(frozen=True)
class Draft:
    """A task with its arguments, before the options are looked at.

    Attributes
    ----------
    task, labels, change, when, yes_no
        As in `Plan`.
    loose : bool
        «How much water is there»: a share, or an area where a unit of area is asked for.
    share : bool
        Whether a share is asked for.
    """

    task: str
    labels: tuple[str, ...] = ()
    change: str = ""
    when: tuple[str, str] | str | None = None
    yes_no: bool = False
    loose: bool = False
    share: bool = False


@dataclass(frozen=True)
class _Asked:
    """What the rules look at.

    Attributes
    ----------
    text : str
        The main clause, phrases rewritten.
    cues : frozenset of str
        Tasks whose cues stand in it.
    named : tuple of str
        The label of each class word.
    labels : tuple of str
        The same, each once.
    when, yes_no
        As in `Plan`.
    wording : Wording
    """

    text: str
    cues: frozenset[str]
    named: tuple[str, ...]
    labels: tuple[str, ...]
    when: tuple[str, str] | str | None
    yes_no: bool
    wording: Wording

    def has(self, word: str) -> bool:
        return re.search(rf"\b{word}\b", self.text) is not None

    def take(self, n: int, task: str) -> tuple[str, ...]:
        if len(self.labels) == n:
            return self.labels
        one = "one class" if n == 1 else "two classes"
        names = " and ".join(self.labels)
        got = "none is named" if not names else f"named {'is' if len(self.labels) == 1 else 'are'} {names}"
        within = ""
        if n == 1 and len(self.labels) == 2 and task in ("coverage", "area"):
            within = "; the share of one class within another, or of two together, is not measured"
        raise Refused(f"the task {task} takes {one} of the vocabulary and {got}{within}", task, *self.labels)

    def twice(self, *tasks: str) -> Refused:
        return Refused(
            f"it asks two things at once ({', '.join(tasks)}); ask one question for each", *tasks, *self.labels
        )


def draft(wording: Wording) -> Draft:
    """Make the one task of a wording.

    Raises
    ------
    Refused
        When there is none, more than one, or one whose arguments do not fit.
    """
    text = cues.main_clause(wording.text)
    whether = cues.WHETHER.match(text)
    text = whether.group(1) if whether else text
    _check_readable(text, wording)
    named, text = _destroyed(wording.labels, text)
    text = cues.rewrite(text)
    found = frozenset(task for task, pattern in cues.CUES.items() if pattern.search(text))
    yes_no = bool(whether or cues.YES_NO.match(text))
    asked = _Asked(text, found, named, tuple(dict.fromkeys(named)), _when(wording, text), yes_no, wording)
    _check_time(asked)
    made = replace(_decide(asked), share="share" in found)
    _check_words(asked, made)
    _check_unit(wording, made)
    return made


def _check_readable(text: str, wording: Wording) -> None:
    negated = cues.NEGATED.search(text)
    if negated:
        raise Refused(
            f"it holds a negation ({negated.group()!r}); ask for what is there, and turn the answer round yourself"
        )
    if wording.unknown:
        part = cues.PART.search(text)
        if part and part.group() in wording.unknown:
            raise Refused(
                f"it names a part of the scene ({part.group()!r}); cut the scene first, by scene.select(aoi=…)"
            )
        raise Refused("it holds words that the planner does not know")
    condition = re.search(r"\b(?:if|whether|wonder)\b", text)
    if condition:
        raise Refused(f"it sets a condition ({condition.group()!r}); ask without it")


def _destroyed(labels: tuple[str, ...], text: str) -> tuple[tuple[str, ...], str]:
    """«Buildings were destroyed»: the building becomes a destroyed one."""
    out = list(labels)
    if re.search(r"\bdestroyed\b", text) and "building" in labels and "destroyed building" not in labels:
        out[labels.index("building")] = "destroyed building"
        text = re.sub(r"\b(?:(?:which|that) )?(?:have |has |had |were |was |are |is )?(?:been )?destroyed\b", "", text)
    return tuple(out), " ".join(text.split())


def _when(wording: Wording, text: str) -> tuple[str, str] | str | None:
    """What the dates named come to: none, one, or (from, to) in the order of the text."""
    dates = wording.dates
    if "PAIR" in text:
        if set(dates) - set(FIRST_LAST):
            raise Refused(f"it names two dates and {', '.join(dates)} beside them")
        return FIRST_LAST
    if len(dates) > 2:
        raise Refused(f"it names {len(dates)} dates ({', '.join(dates)}); at most two can be compared")
    return (dates[0], dates[1]) if len(dates) == 2 else dates[0] if dates else None


def _check_time(a: _Asked) -> None:
    """Words of time that no date stands behind must not be passed over."""
    changes = "change" in a.cues
    each = re.search(
        r"\b(?:each|every|all|per|any) (?:of the |the )?(?:dates?|years?|months?|days?|images|scenes|times?)\b"
        r"|\beach image\b",
        a.text,
    )
    if each:
        raise Refused(
            f"it asks for several dates at once ({each.group()!r}); ask for one date at a time, or for a change"
        )
    loose = re.search(
        rf"\b(?:since|until|during|next(?! to))\b(?! (?:the )?(?:DATE|PAIR))|\bin (?:the )?(?:{EVENTS})\b", a.text
    )
    if loose and not (changes and loose.group().startswith("in ")):
        raise Refused(
            f"{loose.group()!r} names no date of the scene; write a date, «the first date» or «the last date»"
        )
    open_ended = re.search(r"\b(?:before|after|by|prior to)(?: the)? DATE\d", a.text)
    if open_ended or (not changes and re.search(r"\b(?:since|until|from)(?: the)? DATE\d", a.text)):
        raise Refused(
            "its dates are open («before …», «after …»); name the date itself, or «since …», «until …» for a change"
        )


#: Words that mean something in these tasks only, and would be passed over in another.
_ONLY_IN = (
    (r"\b(?:separate|distinct|individual|connected|disconnected|single"
     r"|different)\b", ("counting", "distance"), "counted areas"),
    (r"\b(?:minimum|minimal|shortest|nearest|closest|maximum|straight|euclidean|away"
     r"|apart)\b", ("distance",), "distances"),
    (r"\b(?:edges?|common|boundar\w+)\b", ("adjacency",), "boundaries"),
    (r"\b(?:corner|side|centre|center|quadrant|direction)\b", ("location",), "a location"),
    (r"\b(?<!how )(?:large|big|far|close|much)\b", (), "«how large», «how much» or «how far»"),
    (r"\b(?:nearly|almost|exactly"
     r"|precisely)\b", ("coverage", "area", "distance", "counting", "change", "building change"),
     "figures"),
)  # fmt: skip
_WITHIN = re.compile(rf"\b(?:in|inside|within|on|over|around|across) (?:the |a |an |this )?{cues.C}")
_ANY_BESIDE = re.compile(
    rf"(?:the )?\bANY (?:map|image)\b|\bANY (?={cues.C})|(?<=\d) ANY\b|(?:two|the"
    rf"|both) ANY[ ,:]*(?=(?:the )?{cues.C})|\bthe ANY\b(?=[,:])"
)
_OVER_CLASSES = ("comparison", "smaller", "largest", "smallest", "ranking")


def _check_words(a: _Asked, made: Draft) -> None:
    """Words that mean something in one task only are not passed over in another."""
    for pattern, tasks, place in _ONLY_IN:
        found = re.search(pattern, a.text)
        if found and made.task not in tasks:
            raise Refused(f"{found.group()!r} has a meaning in {place} only", made.task, *made.labels)
    if made.task.startswith("when "):
        return
    if cues.WHICH_DATE.search(a.text):
        raise Refused(
            "it asks for a date; that can be asked of the largest and the smallest only", made.task, *made.labels
        )
    if made.task in _OVER_CLASSES:
        within = _WITHIN.search(a.text)
        if within:
            raise Refused("it asks about a part of the scene, inside one of its classes", made.task, *made.labels)
    elif re.search(r"\bANY\b", _ANY_BESIDE.sub(" ", a.text)):
        raise Refused("it asks for a kind of land cover and names one; ask for either", made.task, *made.labels)


def _check_unit(wording: Wording, made: Draft) -> None:
    allowed = UNITS_OF.get(made.task, ())
    wrong = [u for u in wording.units if u not in allowed]
    if wrong or len(wording.units) > 1:
        can = f"it can be in {', '.join(allowed)}" if allowed else "it has no unit"
        units = " and ".join(wrong or wording.units)
        raise Refused(f"the unit {units!r} does not fit the task {made.task}: {can}", made.task)


def _decide(a: _Asked) -> Draft:
    """Strong cues first; share, area and existence only where nothing stronger stands beside them."""
    if re.search(r"\bhow many ANY\b|\bnumber of ANY\b", a.text):
        raise Refused("how many classes there are is not a form; ask for the ranking of the classes")
    if cues.asks_twice(a.text):
        raise a.twice(*sorted(a.cues))
    of_scene = re.search(rf"\bof (?:the |this )?(?:whole |entire |total )?{cues.SCENE}\b", a.text)
    if "share" in a.cues and "destroyed building" in a.labels and set(a.labels) <= set(DESTROYED) and not of_scene:
        if a.cues - {"share", "change"}:
            raise a.twice(*sorted(a.cues))
        return Draft("building change", DESTROYED, when=_span(a))
    if isinstance(a.when, tuple) and "comparison" in a.cues and len(a.labels) == 1:
        return _compare_dates(a)
    if "change" in a.cues:
        return _change(a)
    if isinstance(a.when, tuple):
        raise Refused(
            "it names two dates, and only a change is measured between two: ask for one date", *sorted(a.cues)
        )
    if a.has("than") and len(a.labels) != 2:
        raise Refused("it compares, and does not name two classes, or one class on two dates", *sorted(a.cues))
    if "ranking" in a.cues:
        return _ranking(a)
    if "superlative" in a.cues:
        return _superlative(a)
    if "comparison" in a.cues:
        return _comparison(a)
    strong = a.cues - {"share", "area"}
    if len(strong) > 1 or (strong and strong != a.cues):
        raise a.twice(*sorted(a.cues))
    if "adjacency" in strong or "distance" in strong:
        return _between(a, *strong)
    if strong:
        return _of_one(a, *strong)
    return _amount(a)


def _span(a: _Asked) -> tuple[str, str]:
    """The two dates of a change; the first and the last where none or «after the flood» is said."""
    if isinstance(a.when, tuple):
        if _later(*a.when):
            raise Refused(f"its dates run backwards, from {a.when[0]} to {a.when[1]}", "change")
        return a.when
    if a.when is not None and re.search(r"\b(?:since|from) (?:the )?DATE0", a.text):
        return a.when, "last"
    if a.when is not None and re.search(r"\b(?:until|up to) (?:the )?DATE0", a.text):
        return "first", a.when
    if a.when in (None, "last"):
        return FIRST_LAST
    raise Refused(
        f"a change needs two dates and {a.when!r} is one: say «between … and …» or «since …»", "change", *a.labels
    )


_PLACE_IN_TIME = {"first": -1, "second": 0, "third": 1, "last": 2}


def _later(a: str, b: str) -> bool:
    """Whether date `a` is surely later than `b`."""
    if a in _PLACE_IN_TIME or b in _PLACE_IN_TIME:
        return _PLACE_IN_TIME.get(a, 0) > _PLACE_IN_TIME.get(b, 0)
    n = min(len(a), len(b))
    return a[:n] > b[:n]


_POINTS = re.compile(
    r"of (?:the|this) (?:whole |entire |total )?(?:scene|image|area|picture)|\bpoints\b|(?:share|coverage) (?:of|that)"
)


def _change(a: _Asked) -> Draft:
    others = a.cues - {"change", "share", "area"}
    if others:
        raise a.twice("change", *sorted(others))
    labels = a.take(1, "change")
    gain, loss, up, down = (a.has(f"(?:{words})") for words in (cues.GAIN, cues.LOSS, cues.UP, cues.DOWN))
    net = a.has("net")
    if gain + loss + up + down > 1 and not net:
        raise Refused(
            "it asks for gain and loss at once; ask one question for each, or for the net change", "change", *labels
        )
    span = _span(a)
    if a.yes_no:
        if gain or loss:
            raise Refused(
                "some may be lost and some gained: ask «did it shrink», «did it grow» or «how much was lost»", "change"
            )
        return Draft("change", labels, "is loss" if down else "is gain" if up else "net", span, up or down)
    if "share" in a.cues and not _POINTS.search(a.text):
        raise Refused(
            "a percentage of change can mean of the scene or of what was there before: write «in percent of the scene»",
            "change",
            *labels,
        )
    if "share" in a.cues and a.wording.unit:
        raise a.twice("share", a.wording.unit)
    gross = "" if net or up or down else "gain" if gain else "loss" if loss else ""
    return Draft("change", labels, gross or "net", span)


def _compare_dates(a: _Asked) -> Draft:
    """«Was there more water in 2018 than in 2023?»"""
    if not a.yes_no or not a.has("than") or "PAIR" in a.text:
        raise Refused(
            "it compares one class on two dates: ask «Is there more … in … than in …?» or «How much did … change?»",
            "change",
            *a.labels,
        )
    more = a.has("MORE")
    if more == a.has("LESS"):
        raise Refused("it says more and less at once", "change", *a.labels)
    when = a.when
    if _later(*when):
        return Draft("change", a.labels, "is gain" if more else "is loss", (when[1], when[0]), True)
    return Draft("change", a.labels, "is loss" if more else "is gain", when, True)


def _ranking(a: _Asked) -> Draft:
    others = a.cues - {"ranking", "superlative", "comparison", "area", "share"}
    if others:
        raise a.twice("ranking", *sorted(others))
    if a.has("SUPSMALL") and not re.search(r"SUPBIG.*SUPSMALL", a.text):
        raise Refused("classes are ranked from the largest to the smallest only", "ranking", *a.labels)
    if len(a.labels) == 1:
        a.take(2, "ranking")
    return Draft("ranking", a.labels, when=a.when)


def _superlative(a: _Asked) -> Draft:
    big = a.has("SUPBIG")
    if big and a.has("SUPSMALL"):
        raise a.twice("largest", "smallest")
    task = "largest" if big else "smallest"
    others = a.cues - {"superlative", "area"}
    if len(a.labels) == 1 and cues.WHICH_DATE.search(a.text):
        if others or a.when is not None or a.yes_no:
            raise a.twice(f"when {task}", *sorted(others))
        return Draft(f"when {task}", a.labels)
    if others:
        raise a.twice(task, *sorted(others))
    if a.yes_no or len(a.labels) == 1:
        raise Refused(
            f"whether one class, or which of its areas, is the {task} is not a form; ask «Which class is the {task}?»",
            task,
            *a.labels,
        )
    if not a.labels and not a.has("ANY"):
        raise Refused("it does not say that a land-cover class is meant", task)
    if len(a.labels) == 2:
        return Draft("comparison" if big else "smaller", a.labels, when=a.when)
    return Draft(task, a.labels, when=a.when)


def _comparison(a: _Asked) -> Draft:
    others = a.cues - {"comparison", "area", "share"}
    if others or a.has("how"):
        raise a.twice("comparison", *sorted(others or {"by how much"}))
    more, less = a.has("MORE"), a.has("LESS")
    which = not a.yes_no or (a.has("or") and not a.has("than"))
    if (
        more and less
    ):  # «which is larger and which is smaller» is caught before; «larger or smaller than» has no one answer
        raise Refused("it says larger and smaller at once", "comparison", *a.labels)
    if not more and not less:
        raise Refused("it does not say whether larger or smaller is asked", "comparison", *a.labels)
    if not a.yes_no and not re.search(r"\b(?:which|what|compar\w+)\b", a.text):
        raise Refused("it says something and asks nothing", "comparison", *a.labels)
    if which and len(a.labels) > 2:
        return Draft("largest" if more else "smallest", a.labels, when=a.when)
    labels = a.take(2, "comparison")
    if which:
        return Draft("comparison" if more else "smaller", labels, when=a.when)
    if not a.has("than") and not re.search(r"\bCLASS0\b.*\bMORE\b.*\bCLASS1\b", a.text):
        raise Refused("it does not say which class is to be the larger", "comparison", *labels)
    return Draft("comparison", labels[::-1] if less else labels, when=a.when, yes_no=True)


def _between(a: _Asked, task: str) -> Draft:
    """Adjacency and distance."""
    if len(a.labels) == 1 and len(a.named) > 1:
        raise Refused(f"the words name the same class twice ({a.labels[0]}); the task {task} takes two classes", task)
    labels = a.take(2, task)
    if task == "distance":
        if a.yes_no:
            raise Refused("a distance is not a matter of yes or no; ask «How far is … from …?»", task, *labels)
        if a.has("which"):
            raise Refused("which area of a class is meant is not a form; ask «How far is … from …?»", task, *labels)
    elif not a.yes_no and not a.has("RELATION") and re.search(r"\b(?:which|what|how)\b", a.text):
        raise Refused("what touches what is asked by «Is … next to …?» only", task, *labels)
    return Draft(task, labels, when=a.when, yes_no=a.yes_no)


_UNCOUNTED = frozenset("tree trees crop crops plant plants shrub shrubs bush bushes".split())
_COUNTED = re.compile(rf"{cues.C} (?:areas|patches|regions|bodies)\b|\b(?:areas|patches|regions) of\b")


def _of_one(a: _Asked, task: str) -> Draft:
    """Counting and location."""
    labels = a.take(1, task)
    word = a.wording.words[0]
    if task == "counting" and word in _UNCOUNTED and not _COUNTED.search(a.text):
        raise Refused(
            f"{word} are not counted one by one; ask «How many areas of {labels[0]} are there?»", task, *labels
        )
    if task == "location" and re.search(rf"what (?:part|region) of .*(?:is|are|was|were) (?:the )?{cues.C}$", a.text):
        raise Refused(
            "«what part» can mean how much or where; ask «What share of the scene is …?» or «Where is …?»", *labels
        )
    if a.yes_no:
        raise Refused(f"the task {task} does not answer with yes or no", task, *labels)
    return Draft(task, labels, when=a.when)


def _amount(a: _Asked) -> Draft:
    """Share, area, existence."""
    area, share = "area" in a.cues or bool(a.wording.units), "share" in a.cues
    if share and (a.wording.units or cues.AREA_AND_SHARE.search(a.text)):
        raise a.twice("coverage", "area")
    if a.yes_no:
        if not area and not share and len(a.labels) == 1 and any(p.match(a.text) for p in cues.EXISTS):
            return Draft("existence", a.labels, when=a.when, yes_no=True)
        if len(a.labels) > 1 and re.match(r"(?:is|are|was|were) there\b", a.text):
            a.take(1, "existence")
        raise Refused(
            "a question for yes or no can be about existence, size against another class, adjacency or change",
            *a.labels,
        )
    if re.search(rf"(?<!UNIT )\bof (?:the |all |all the )*{cues.C} (?:is|are|was|were|has|have)\b", a.text):
        raise Refused("it asks for a share within a class; ask for the share of the scene", "coverage", *a.labels)
    if share:
        return Draft("coverage", a.take(1, "coverage"), when=a.when)
    words = a.wording.words
    named = bool(words) and words[-1].endswith(("area", "areas")) and re.fullmatch(rf"(?:the )?{cues.C}", a.text)
    if area or named or cues.AREA_SAID.search(a.text):
        return Draft("area", a.take(1, "area"), when=a.when)
    if cues.COVER_SAID.search(a.text):
        return Draft("coverage", a.take(1, "coverage"), when=a.when, loose=True)
    raise Refused("no task is recognised in it", *a.labels)
