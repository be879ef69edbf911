"""Reasoners: the protocol, the table of those at hand, and the verbs that ask them.

`ask` and `ask_many` give traces, `stream` events, `follow` a trace as it grows; `open_reasoner` opens one by name.
"""

from __future__ import annotations

import importlib
import inspect
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

from terrascope_nb._progress import progress
from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, MissingPackage, NotFound, TraceError
from terrascope_nb.reason.answers import Choices, split_options
from terrascope_nb.reason.events import Answer, Event, Progress, Text
from terrascope_nb.reason.provenance import provenance
from terrascope_nb.reason.trace import Trace
from terrascope_nb.scene.scene import Scene

REASONERS: dict[str, str] = {
    "spectral": "terrascope_nb.reason.spectral:SpectralReasoner",
    "reference": "terrascope_nb.reason.reference:ReferenceReasoner",
    "replay": "terrascope_nb.reason.replay:ReplayReasoner",
    "terrascope": "terrascope_nb.model.reasoner:TerraScopeReasoner",
    "hf-vlm": "terrascope_nb.model.baseline_vlm:HFVLMReasoner",
    "remote": "terrascope_nb.reason.remote:RemoteReasoner",
}
GROUP = "terrascope_nb.reasoners"


@runtime_checkable
class Reasoner(Protocol):
    """What every reasoner is: a name, its options, and `stream`.

    `stream` yields at least once for each token; closing the generator cancels the run. A reasoner may also have
    ``stream_many(requests) -> Iterator[(index, event)]``, which `ask_many` uses; a request is
    ``(scene, question, choices)``.
    """

    name: str
    options: Mapping[str, Any]

    def stream(self, scene: Scene, question: str, choices: Any = None) -> Iterator[Event]:
        """Reason about `scene`; yields `Text`, `Mask`, `Progress` and, last, one `Answer`."""
        ...


def reasoners() -> tuple[str, ...]:
    """Names that `open_reasoner` takes: those of this package, and those other packages declare as entry points.

    Other packages use the group ``terrascope_nb.reasoners``. Nothing is imported.

    Examples
    --------
    >>> "spectral" in reasoners()
    True
    """
    return tuple(sorted({*REASONERS, *(e.name for e in entry_points(group=GROUP))}))


def open_reasoner(name: str | Reasoner, **options: Any) -> Reasoner:
    """Open a reasoner by name; its options (limits, seed, model) go here and never to `ask`.

    Parameters
    ----------
    name : str or Reasoner
        One of `reasoners`; a reasoner that is open already is returned as it is.

    Raises
    ------
    NotFound
        For a name that nobody declares.
    InvalidInput
        For an option that the reasoner does not have or lacks, and for an object that is no reasoner.
    MissingPackage
        When a package that the reasoner stands on is not installed.

    Examples
    --------
    >>> open_reasoner("spectral", sensor="sar").options
    {'sensor': 'sar'}
    """
    if not isinstance(name, str):
        opened = _checked(name, "a reasoner")
        if options:
            raise InvalidInput(
                f"{opened.name!r} is open already: {', '.join(options)} come too late, give options where it is made"
            )
        return opened
    build = builder_of(name)
    _check_options(name, build, options)
    return _checked(build(**options), f"what reasoner {name!r} opens")


def builder_of(name: str) -> Any:
    """The class or function that opens a reasoner of this name, without opening one."""
    target = REASONERS.get(name)
    if target is not None:
        module, attribute = target.split(":")
        return getattr(importlib.import_module(module), attribute)
    declared = {e.name: e for e in entry_points(group=GROUP)}
    if name not in declared:
        raise NotFound(unknown("reasoner", name, reasoners()))
    entry = declared[name]
    owner = f" of {entry.dist.name}" if entry.dist is not None else ""
    try:
        return entry.load()
    except ImportError as e:
        raise MissingPackage(f"reasoner {name!r}{owner} ({entry.value}) cannot be imported: {e}", name=e.name) from e
    except AttributeError as e:
        raise NotFound(f"reasoner {name!r}{owner} is declared as {entry.value}, and that is not there: {e}") from e


def _check_options(name: str, build: Any, options: Mapping[str, Any]) -> None:
    """Refuse options that `build` has not, and say which it needs."""
    has = inspect.signature(build).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in has.values()):
        for option in options:
            if option not in has:
                raise InvalidInput(unknown(f"option of reasoner {name!r}:", option, has))
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    lacking = [k for k, p in has.items() if p.kind in plain and p.default is p.empty and k not in options]
    if lacking:
        call = ", ".join(f"{k}=…" for k in lacking)
        raise InvalidInput(
            f"reasoner {name!r} needs {' and '.join(lacking)}: open it first, "
            f"reasoner=ts.open_reasoner({name!r}, {call})"
        )


def _checked(made: Any, what: str) -> Reasoner:
    if isinstance(made, type):
        raise InvalidInput(f"{what} is the class {made.__name__}: pass an instance, {made.__name__}(…)")
    lacking = [k for k in ("name", "options", "stream") if not hasattr(made, k)]
    if lacking:
        raise InvalidInput(
            f"{what} has a name (str), options (a mapping) and stream(scene, question, choices); "
            f"{type(made).__name__} lacks {', '.join(lacking)}"
        )
    return made


def stream(scene: Scene, question: str, choices: Any = None, reasoner: str | Reasoner = "spectral") -> Iterator[Event]:
    """The events of a run as they come; close the iterator to cancel. `Trace.from_events` makes a trace of them.

    Examples
    --------
    >>> import terrascope_nb as ts
    >>> events = ts.stream(ts.samples.load("lake"), "Is there water?")
    >>> list(events)[-1].text
    'yes'
    """
    opened = open_reasoner(reasoner)
    return iter(opened.stream(*_request(scene, question, choices)))


def follow(
    scene: Scene,
    question: str,
    choices: Any = None,
    reasoner: str | Reasoner = "spectral",
    every: float = 0.25,
) -> Iterator[Trace | Progress]:
    """The trace as it grows: for whoever shows a run while it goes on. Close the iterator to cancel.

    Parameters
    ----------
    scene, question, choices, reasoner
        As in `ask`.
    every : float
        Seconds: text alone gives a new trace at most this often. Every mask and the answer give one at once.

    Yields
    ------
    Trace or Progress
        Each trace holds all that had come; all but the last have ``answer.finish == "cancelled"``. The last is what
        `ask` returns.

    Raises
    ------
    as `ask`; an exception on the way carries the trace of what had come as ``.trace``.

    Examples
    --------
    >>> import terrascope_nb as ts
    >>> from terrascope_nb.reason.reasoner import follow
    >>> [len(t.steps) for t in follow(ts.samples.load("lake"), "Is there water?", every=60) if isinstance(t, Trace)]
    [0, 1, 1]
    """
    opened = open_reasoner(reasoner)
    request = _request(scene, question, choices)
    came: list[Event] = []
    shown = -math.inf
    try:
        with closing(_watched(opened.stream(*request), came)) as events:
            for event in events:
                if isinstance(event, Progress):
                    yield event
                elif not isinstance(event, Text) or time.monotonic() - shown >= every:
                    grown = _partial(came, opened, request)
                    if grown is not None:
                        shown = time.monotonic()
                        yield grown
        if not came or not isinstance(came[-1], Answer):
            yield _trace(came, opened, request)
    except GeneratorExit:
        raise
    except BaseException as e:
        _attach(e, came, opened, request)
        raise


def ask(scene: Scene, question: str, choices: Any = None, reasoner: str | Reasoner = "spectral") -> Trace:
    """Ask a scene a question.

    Parameters
    ----------
    scene : Scene
    question : str
        Plain English; options may stand in it («A. … B. …»).
    choices : list of str, dict letter → str, or None
        Options of a multiple choice; `trace.answer.choice` is the letter.
    reasoner : str or Reasoner
        A name from `reasoners`, or one that `open_reasoner` returned.

    Returns
    -------
    Trace
        Also when the data do not allow an answer: then ``trace.answer.finish == "abstained"`` with the reason.

    Raises
    ------
    QuestionNotUnderstood
        By rule-based reasoners, for a question that has no form they know; the message lists the forms.

    Notes
    -----
    An exception in the middle of a run, also a Ctrl-C, carries what had come till then as ``error.trace``: a trace
    whose answer has ``finish == "cancelled"``.

    Examples
    --------
    >>> import terrascope_nb as ts
    >>> trace = ts.ask(ts.samples.load("lake"), "Is there water?")
    >>> trace.answer.text, trace.steps[0].label
    ('yes', 'water')
    """
    opened = open_reasoner(reasoner)
    return _run(opened, _request(scene, question, choices))


def ask_many(
    scenes: Scene | Sequence[Scene],
    questions: Iterable[str],
    choices: Sequence[Any] | None = None,
    reasoner: str | Reasoner = "spectral",
) -> list[Trace]:
    """Ask several questions with one reasoner: of one scene, or of as many scenes as questions.

    A reasoner with ``stream_many`` gets them together; the traces come in the order of the questions.

    Parameters
    ----------
    scenes : Scene or sequence of Scene
        One scene for all questions, or one a question.
    questions : iterable of str
    choices : sequence, optional
        One entry a question, each as `ask` takes it; None in it for a question without options.

    Raises
    ------
    InvalidInput
        When scenes, questions and choices are not equally many.

    Notes
    -----
    An exception in the middle carries the traces that were done, in order, as ``error.traces``, and what had come of
    the one it broke off as ``error.trace``; its notes name the question.

    Examples
    --------
    >>> import terrascope_nb as ts
    >>> [t.answer.text for t in ts.ask_many(ts.samples.load("lake"), ["Is there water?", "Is there snow?"])]
    ['yes', 'no']
    """
    if isinstance(questions, str):
        raise InvalidInput("questions is one text; give a list of them, or ask that one with ask(scene, question)")
    asked = list(questions)
    if isinstance(choices, str | Mapping):
        raise InvalidInput(
            f"choices has one entry a question: a list of {len(asked)}, each a list, a dict or None; got "
            f"{type(choices).__name__}"
        )
    each = [scenes] * len(asked) if isinstance(scenes, Scene) else list(scenes)
    options = [None] * len(asked) if choices is None else list(choices)
    if not len(each) == len(asked) == len(options):
        counts = f"{len(each)} scenes, {len(asked)} questions" + (
            "" if choices is None else f" and {len(options)} choices"
        )
        raise InvalidInput(
            f"{counts} do not pair up: give one scene or as many as questions, and one entry of choices a question"
        )
    opened = open_reasoner(reasoner)
    requests = [_request(*request) for request in zip(each, asked, options, strict=True)]
    if hasattr(opened, "stream_many"):
        return _together(opened, requests)
    done: list[Trace] = []
    for k, request in enumerate(progress(requests, "asking", "question")):
        try:
            done.append(_run(opened, request))
        except BaseException as e:
            e.add_note(f"in question {k + 1} of {len(requests)}: {request[1][:200]!r}")
            e.traces = tuple(done)  # type: ignore[attr-defined]
            raise
    return done


def _together(opened: Reasoner, requests: list[tuple[Scene, str, Choices | None]]) -> list[Trace]:
    runs: list[list[Event]] = [[] for _ in requests]
    for item in opened.stream_many(requests):  # type: ignore[attr-defined]
        k, event = item if isinstance(item, tuple) and len(item) == 2 else (None, item)
        if not isinstance(k, int) or not 0 <= k < len(runs):
            raise TraceError(
                f"stream_many of {opened.name!r} yields (index, event) with an index below {len(runs)}; got "
                f"{str(item)[:80]!r}"
            )
        runs[k].append(event)
    return [_trace(run, opened, request) for run, request in zip(runs, requests, strict=True)]


def _trace(events: Iterable[Event], opened: Reasoner, request: tuple[Scene, str, Choices | None]) -> Trace:
    scene, question, choices = request
    return Trace.from_events(
        events, scene, question, choices, opened.name, provenance(opened.name, opened.options, scene)
    )


def _run(opened: Reasoner, request: tuple[Scene, str, Choices | None]) -> Trace:
    """One run to its end; an exception on the way gets the trace of what had come as ``.trace``."""
    came: list[Event] = []
    try:
        return _trace(_watched(opened.stream(*request), came), opened, request)
    except BaseException as e:
        _attach(e, came, opened, request)
        raise


def _attach(e: BaseException, came: list[Event], opened: Reasoner, request: tuple[Scene, str, Choices | None]) -> None:
    """Give an exception the trace of what had come as ``.trace``."""
    partial = _partial(came, opened, request)
    if partial is not None:
        reason = f"{type(e).__name__}: {e}".rstrip(": ")
        e.trace = partial.replace(answer=replace(partial.answer, finish="cancelled", reason=reason))  # type: ignore[attr-defined]
        e.add_note("what the reasoner had said till then is in this exception's .trace")


def _watched(events: Iterable[Event], came: list[Event]) -> Iterator[Event]:
    """Pass events on, keep them in `came`, and show their `Progress` as a bar; closes the source when left."""
    bar = None
    try:
        for event in events:
            came.append(event)
            if isinstance(event, Progress):
                bar = _show(bar, event)
            yield event
    finally:
        if bar is not None:
            bar.close()
        close = getattr(events, "close", None)
        if close is not None:
            close()


def _show(bar: Any, event: Progress) -> Any:
    total = int(event.total) if event.total else None
    if bar is None:
        bar = progress(total or 0, event.message, "step")
    if not bar.disable:
        bar.total = total
        bar.set_description(event.message, refresh=False)  # a refresh would show a bar that is not due yet
        bar.update(event.done - bar.n)
    return bar


def _partial(came: list[Event], opened: Reasoner, request: tuple[Scene, str, Choices | None]) -> Trace | None:
    """The trace of what had come, or None when there was nothing; an event that fits no trace is left out."""
    for events in (came, came[:-1]):
        if not any(not isinstance(e, Progress) for e in events):
            return None
        try:
            return _trace(events, opened, request)
        except TraceError:
            continue
    return None


def _request(scene: Any, question: Any, choices: Any) -> tuple[Scene, str, Choices | None]:
    """Checked arguments; options given apart win, else those that stand in the question are split off."""
    if not isinstance(scene, Scene):
        hint = f": ts.samples.load({scene!r})?" if isinstance(scene, str) else ""
        raise InvalidInput(
            "scene is a Scene, from ts.load_scene, ts.samples.load or Scene.from_files; got "
            f"{type(scene).__name__}{hint}"
        )
    if not isinstance(question, str):
        raise InvalidInput(f"question is a text; got {type(question).__name__}")
    if not question.strip():
        raise InvalidInput("question is empty; ask e.g. «What share of the scene is water?»")
    given = Choices.of(choices)
    return (scene, question, given) if given is not None else (scene, *split_options(question))
