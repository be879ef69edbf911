"""`make_suite`: labelled scenes → a benchmark of our own, by the paper's rules, balanced, with masks."""

from __future__ import annotations

import platform
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb._versions import own_version
from terrascope_nb.bench import bands as banding
from terrascope_nb.bench import store
from terrascope_nb.bench.cards import Card
from terrascope_nb.bench.draw import Offer, draw
from terrascope_nb.bench.offers import Offers, Waiting, item_of, offers_of
from terrascope_nb.bench.suite import Row, Suite
from terrascope_nb.bench.task import TASKS
from terrascope_nb.cot.atomic import DRAFT as UNFINISHED
from terrascope_nb.cot.record import MaskRef
from terrascope_nb.errors import AlreadyThere, InvalidInput, NothingFound
from terrascope_nb.reason.quiz import Item, Quiz
from terrascope_nb.scene.labelled import Labelled

DRAFT = ".making"
"""Folder within a suite's own where everything is written before it takes its place."""


def make_suite(
    sources: Iterable[Labelled],
    out: str | Path,
    n: int = 600,
    seed: int = 0,
    tasks: Sequence[str] | None = None,
    per_image: int = 6,
    *,
    split: str = "all",
    share: float = 0.1,
    limits: banding.Limits | None = None,
    name: str = "",
    overwrite: bool = False,
) -> Suite:
    """Make a suite and write it as a folder. Reads every source once; of the images, one is in memory at a time.

    Parameters
    ----------
    sources : iterable of Labelled
        Keys must differ.
    out : str or Path
        Folder to write.
    n : int
        Questions. Where the sources allow fewer, fewer are made and the card says what was not asked and why.
    seed : int
        The same sources and seed give the same bytes, with the same versions of the libraries.
    tasks : sequence of str, optional
        Of `task.TASKS`; by default all six. Questions are spread evenly over them, and each task over the sources, as
        far as these allow.
    per_image : int
        Most questions of one image: those depend on each other, so more of them say less.
    split : "all" or "test"
        "test": only places on the test side (`cot.sources.split.split_of` with this seed and `share`), so that a
        training set built with the same numbers shares no place with the suite.
    share : float
        Of the places that are on the test side.
    limits : mapping, optional
        Limits of the difficulty bands by task, as another suite's card has them; by default the terciles of this one.
    name : str
        By default the folder's.

    Returns
    -------
    Suite
        As `open_suite(out)` gives it.

    Raises
    ------
    NothingFound
        When no question can be asked; the message counts why.
    AlreadyThere
        When a suite is there and may not be overwritten, or when the folder holds what is no suite's.
    """
    out, asked = Path(out), _checked(tasks, n, per_image, seed)
    _room(out, overwrite)
    draft = out / DRAFT
    if draft.exists():  # of a run that was killed
        shutil.rmtree(draft)
    (draft / store.IMAGES).mkdir(parents=True)
    try:
        found = offers_of(sources, asked, seed, split, share, draft)
        taken = _drawn(found, n, per_image, seed, asked)
        made, files = _made(taken, found.images, seed, draft)
        hard = _limits(made, limits)
        rows = [replace(m.row, band=banding.band(m.difficulty, hard[m.row.task])) for m in made]
        store.write_questions(
            (store.row_out(r, **asdict(m.difficulty), **m.more) for r, m in zip(rows, made, strict=True)),
            draft / store.QUESTIONS,
        )
        hashes = {store.QUESTIONS: store.digest_of(draft / store.QUESTIONS)}
        card = Card.of(
            name or out.name, rows, files=hashes | {f["file"]: f["sha256"] for f in files.values()},
            made_with=_made_with(seed, n, per_image, asked, split, share), missing=dict(sorted(found.left.items())),
            citation=_citations(taken, found.images), notes=_short(taken, found.images, asked, n),
            difficulty={"rule": banding.RULE, "limits": hard},
        )  # fmt: skip
        _put(draft, out)
        store.write_card(out, card, files)
    finally:
        shutil.rmtree(draft)
    return store.open_folder(out)


def plan_suite(
    sources: Iterable[Labelled],
    n: int = 600,
    seed: int = 0,
    tasks: Sequence[str] | None = None,
    per_image: int = 6,
    *,
    split: str = "all",
    share: float = 0.1,
    name: str = "plan",
) -> Card:
    """The card that `make_suite` would come to, with nothing written: counts by task, source and licence. A dry run.

    Parameters as there. Letters, bands and masks are not counted, for they are settled when questions are written.
    """
    asked = _checked(tasks, n, per_image, seed)
    found = offers_of(sources, asked, seed, split, share, None)
    taken = _drawn(found, n, per_image, seed, asked)
    used = [found.images[o.image] for o in taken]
    counts = Counter(o.task for o in taken)
    return Card(
        name, tasks={t: counts[t] for t in asked if counts[t]}, licences=dict(Counter(i.licence for i in used)),
        sources=dict(Counter(i.source for i in used if i.source)), images=len({i.key for i in used}),
        places=len({i.place for i in used}), citation=_citations(taken, found.images),
        missing=dict(sorted(found.left.items())),
        notes=(*_short(taken, found.images, asked, n), "A plan: nothing was written."),
        made_with=_made_with(seed, n, per_image, asked, split, share),
    )  # fmt: skip


def _checked(tasks: Sequence[str] | None, n: int, per_image: int, seed: int) -> tuple[str, ...]:
    """The tasks in the paper's order; numbers that make no sense are refused before a source is read."""
    for name, value, least in (("n", n, 1), ("per_image", per_image, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise InvalidInput(f"{name} is a whole number, at least {least}; got {value!r}")
    asked = tuple(TASKS) if tasks is None else (tasks,) if isinstance(tasks, str) else tuple(tasks)
    for task in asked:
        if task not in TASKS:
            raise InvalidInput(unknown("task", task, TASKS))
    if not asked:
        raise InvalidInput(f"tasks= names none; choose of {', '.join(TASKS)}")
    return tuple(t for t in TASKS if t in asked)


def _drawn(found: Offers, n: int, per_image: int, seed: int, tasks: Sequence[str]) -> list[Offer]:
    taken = draw(found.offers, n, per_image, np.random.default_rng([seed, 1]), tasks)
    if not taken:
        why = "; ".join(f"{k} ({v})" for k, v in found.left.most_common(12)) or "no image came"
        raise NothingFound(f"no question can be made of {len(found.images)} images: {why}")
    return taken


# ---- questions ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Made:
    """A row before its band is known, and further columns."""

    row: Row
    difficulty: banding.Difficulty
    more: dict[str, Any]


def _made(
    taken: Sequence[Offer], images: Sequence[Waiting], seed: int, out: Path
) -> tuple[list[_Made], dict[str, dict[str, str]]]:
    """Write the images that are asked about, and make their questions."""
    places = _letters(taken, seed)
    made: list[_Made] = []
    files: dict[str, dict[str, str]] = {}
    quiz, at = None, -1
    for k, offer in enumerate(taken):
        here = images[offer.image]
        if quiz is None or offer.image != at:
            at, quiz = offer.image, Quiz.of(store.read_labelled(here.draft))
            file = f"{store.IMAGES}/{len(files):06d}.npz"
            files[here.key] = {"file": file, "sha256": store.write_labelled(quiz.labelled, out / file)}
        made.append(_row(item_of(quiz, offer, seed), f"{k:05d}-{offer.task}", places[k], here, quiz))
    return made, files


def _letters(taken: Sequence[Offer], seed: int) -> list[int]:
    """For each question the place of the right answer among its options: each as often as the others, within a task."""
    rng = np.random.default_rng([seed, 2])
    out = [0] * len(taken)
    for task in sorted({o.task for o in taken}):
        mine = [k for k, o in enumerate(taken) if o.task == task]
        places = rng.permutation(np.resize(rng.permutation(TASKS[task].options), len(mine)))
        for k, place in zip(mine, places.tolist(), strict=True):
            out[k] = place
    return out


def _row(item: Item, id: str, place: int, image: Waiting, quiz: Quiz) -> _Made:
    """The row of an item, its options turned so that the right one stands at `place`."""
    texts = list(item.choices.texts)
    right = texts.pop(item.choices.letters.index(item.answer))
    texts.insert(place, right)
    choices = replace(item.choices, texts=tuple(texts))
    masks = tuple(
        MaskRef.of(r.mask, r.label, r.image, None if r.time is None else str(r.time)[:10]) for r in item.regions
    )
    row = Row(
        id, image.key, item.task, item.question, choices, choices.letters[place], _not_yet, masks, "", image.licence,
        item.value, item.unit, place=image.place, source=image.source, labels=item.labels, resolution=quiz.stated,
    )  # fmt: skip
    return _Made(row, banding.difficulty(item.regions), {"phrasing": item.phrasing, "dates": list(item.dates)})


def _not_yet() -> Any:
    raise InvalidInput("the suite is not written yet: its rows read scenes once it is opened")


def _room(out: Path, overwrite: bool) -> None:
    """Whether a suite may be written: nothing but a suite is ever replaced."""
    mine = {store.CARD, store.QUESTIONS, store.IMAGES, DRAFT}
    there = sorted(p.name for p in out.iterdir()) if out.is_dir() else []
    foreign = [name for name in there if name not in mine and not name.startswith(UNFINISHED)]
    images = out / store.IMAGES
    foreign += [f"{store.IMAGES}/{p.name}" for p in (images.iterdir() if images.is_dir() else ())
                if not re.fullmatch(r"\d{6}\.npz", p.name)]  # fmt: skip
    if foreign:
        shown = ", ".join(foreign[:5]) + (" …" if len(foreign) > 5 else "")
        raise AlreadyThere(f"{out} holds what is no suite's ({shown}): give an empty or a new folder")
    if set(there) - {DRAFT} and not overwrite:
        raise AlreadyThere(f"{out} holds {', '.join(there)} already: pass overwrite=True or another folder")


def _put(draft: Path, out: Path) -> None:
    """Put the new files in their place; what was there stays whole until they all are written."""
    (out / store.CARD).unlink(missing_ok=True)  # from here on what was there is no suite any more
    if (out / store.IMAGES).exists():
        shutil.rmtree(out / store.IMAGES)
    for name in (store.IMAGES, store.QUESTIONS):
        (draft / name).replace(out / name)


# ---- card -----------------------------------------------------------------------------------------------------------
def _limits(made: Sequence[_Made], given: banding.Limits | None) -> banding.Limits:
    if given is None:
        return banding.limits((m.row.task, m.difficulty) for m in made)
    lacking = sorted({m.row.task for m in made} - set(given))
    if lacking:
        raise InvalidInput(f"limits= has none for {', '.join(lacking)}; it has {', '.join(given)}")
    return given


def _short(taken: Sequence[Offer], images: Sequence[Waiting], tasks: Sequence[str], n: int) -> tuple[str, ...]:
    """What a reader must know: what the sources did not allow, and images that share a place."""
    counts = Counter(o.task for o in taken)
    even = n // len(tasks)
    few = [f"{TASKS[t].title} {counts[t]}" for t in tasks if counts[t] < even]
    out = []
    if few:
        out.append(
            f"The sources allow fewer than {even} questions of: {', '.join(few)}; other tasks have more instead."
        )
    if len(taken) < n:
        out.append(f"{n} questions were asked for, {len(taken)} can be made.")
    keys = {o.image for o in taken}
    places = {images[k].place for k in keys}
    if len(places) < len(keys):
        out.append(
            f"The {len(keys)} images lie in {len(places)} places: images of one place depend on each other, too."
        )
    return tuple(out)


def _citations(taken: Sequence[Offer], images: Sequence[Waiting]) -> tuple[str, ...]:
    return tuple(sorted({images[o.image].citation for o in taken} - {""}))


def _made_with(seed: int, n: int, per_image: int, tasks: Sequence[str], split: str, share: float) -> Mapping[str, Any]:
    """Seed, options, and the versions that the bytes depend on."""
    side = {"split": split, "share": share} if split == "test" else {}
    return {
        "seed": seed, "n": n, "per_image": per_image, "tasks": len(tasks), **side, "terrascope-nb": own_version(),
        "python": platform.python_version(), **{p: metadata.version(p) for p in ("numpy", "scipy", "pyarrow")},
    }  # fmt: skip
