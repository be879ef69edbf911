"""Draft: a record while it is written. Sentences are templates; each class is cited with its mask where it comes first.

In a template ``{a}`` and ``{A}`` are a class (the latter begins a sentence), ``<covers/cover>`` agrees with the class
that the sentence speaks of, anything else in braces is put in as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from terrascope_nb.cot.compose.known import Known
from terrascope_nb.cot.record import MaskRef, Record, ground_of
from terrascope_nb.reason.answers import Choices
from terrascope_nb.reason.events import SEG
from terrascope_nb.reason.grammar import write_output
from terrascope_nb.reason.solve.phrases import listed, thing, verb

_FIELD = re.compile(r"\{(\w+)\}|<([^/<>]*)/([^/<>]*)>")


@dataclass(frozen=True)
class Class:
    """A class in a template: its label, on which date of the view, and other words for it (`words`, «» for none)."""

    label: str
    date: int = 0
    words: str = ""


class Draft:
    """Collects the sentences of one record and a mask for each ``[SEG]`` that they hold.

    Parameters
    ----------
    known : Known
    rng : numpy.random.Generator
        Draws the phrasing.
    """

    def __init__(self, known: Known, rng: np.random.Generator) -> None:
        self.known, self.rng = known, rng
        self.picture = ("scene", "image")[int(rng.integers(2))]
        self.temporal = len(known.moments) > 1
        self.masks: list[MaskRef] = []
        self.sentences: list[str] = []
        self._cited: set[tuple[str, int]] = set()
        self._last = self.ratio = ""

    def pick(self, phrasings: Sequence[str]) -> str:
        """One of several phrasings, not the one that was taken last where there are more than two."""
        fresh = [x for x in phrasings if x != self._last] if len(phrasings) > 2 else list(phrasings)
        self._last = fresh[int(self.rng.integers(len(fresh)))]
        return self._last

    def say(self, phrasings: str | Sequence[str], about: Class | str | None = None, **fields: object) -> None:
        """Add a sentence: one of `phrasings`, filled in.

        Parameters
        ----------
        phrasings : str or sequence of str
        about : Class, optional
            What verbs agree with; by default the field ``a``.
        **fields : Class or text
        """
        template = phrasings if isinstance(phrasings, str) else self.pick(phrasings)
        given = {k: Class(v) if isinstance(v, str) and k in "abcd" else v for k, v in fields.items()}
        subject = about if about is not None else given.get("a")
        subject = subject.label if isinstance(subject, Class) else subject
        before = len(self.masks)

        def put(found: re.Match[str]) -> str:
            name, one, many = found.groups()
            if name is None:
                return verb(str(subject), one, many)
            value = given.get(name, given.get(name.lower()))
            if isinstance(value, Class):
                said = self._cite(value)
                return said[:1].upper() + said[1:] if name[0].isupper() else said
            return str(value)

        text = _FIELD.sub(put, template)
        if self.temporal and len(self.masks) > before:
            text = self._dated(text, self.masks[before].image, template)
        self.sentences.append(text)

    def cited(self, it: Class) -> bool:
        """Whether a class has had its ``[SEG]``."""
        return (it.label, it.date) in self._cited

    def _cite(self, it: Class) -> str:
        """The name of a class, with its ``[SEG]`` the first time."""
        name = it.words or thing(it.label)
        if (it.label, it.date) in self._cited:
            return name
        self._cited.add((it.label, it.date))
        self.masks.append(self.known.mask(it.label, it.date))
        return f"{name} {SEG}"

    def _dated(self, text: str, image: int, template: str) -> str:
        """«Image: t_1, 2023-06-15: » before a sentence that shows a mask of one of several dates."""
        date = next(k for k in range(len(self.known.moments)) if self.known.image(k) == image)
        day = self.known.day(date)
        lead = f"Image: t_{date + 1}, {day}: " if day else f"Image: t_{date + 1}: "
        starts_low = template[:1] == "{" or template[:1].isupper() and not template.startswith("I ")
        return lead + (text[:1].lower() + text[1:] if starts_low else text)

    @property
    def thinking(self) -> str:
        """The sentences so far, as one text."""
        return " ".join(self.sentences)


@dataclass(frozen=True)
class Written:
    """A question and all that answers it, before it is a record.

    Attributes
    ----------
    kind, task, question : str
        As in `Record`.
    draft : Draft
        Its thinking and masks.
    said : str
        What stands in ``<answer>``.
    choices : Choices or None
    letter : str
        The option that is right; «» without options.
    labels : tuple of str
        Classes asked about.
    """

    kind: str
    task: str
    question: str
    draft: Draft
    said: str
    choices: Choices | None = None
    letter: str = ""
    labels: tuple[str, ...] = ()

    def record(self, number: int) -> Record:
        """The record; its split and seed are the builder's to set."""
        known, labelled = self.draft.known, self.draft.known.labelled
        crs, transform = ground_of(labelled)
        name = "/".join(x for x in (labelled.source, labelled.key) if x)
        return Record(
            id=f"{name}/{number:03d}", kind=self.kind, task=self.task, images=known.images, question=self.question,
            answer_text=write_output(self.draft.thinking, self.said), masks=tuple(self.draft.masks),
            choices=None if self.choices is None else dict(self.choices.items()), answer=self.letter,
            labels=self.labels, resolution=known.pixel_size, sensors=labelled.scene.modalities,
            source=labelled.source, place=labelled.place, key=labelled.key, licence=labelled.licence,
            citation=labelled.citation, crs=crs, transform=transform,
        )  # fmt: skip


def options(rng: np.random.Generator, right: str, wrong: Sequence[str]) -> tuple[Choices, str]:
    """Options in an order drawn at random, and the letter of the right one."""
    texts = [x[:1].upper() + x[1:] for x in (right, *wrong)]
    order = [int(k) for k in rng.permutation(len(texts))]
    choices = Choices.of([texts[k] for k in order])
    return choices, choices.letters[order.index(0)]  # type: ignore[union-attr]


def chosen(choices: Choices, letter: str) -> str:
    """«B. 17.1 %»: an answer as the published data write it."""
    return f"{letter}. {choices.text(letter)}"


def names(labels: Sequence[str]) -> str:
    """Classes as a list in a sentence."""
    return listed([thing(x) for x in labels])
