"""TerraScope-Bench's public Parquet: read from a file, a folder or the hub, and written in the same layout.

One row a question: ``image`` {bytes, path}, ``question``, ``candidates`` (JSON letter → text), ``answer`` (letter),
``task_type``.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb._optional import need
from terrascope_nb.bench.cards import Card
from terrascope_nb.bench.options import read_options, stated_resolution, without_options
from terrascope_nb.bench.pictures import picture_scene, png, read_picture
from terrascope_nb.bench.public_file import COLUMNS, Pictures, schema, write_published
from terrascope_nb.bench.suite import Row, Suite
from terrascope_nb.bench.task import PAPER_ROWS, SOURCE, TASKS, task_of
from terrascope_nb.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from terrascope_nb.scene.scene import Scene

__all__ = ["COLUMNS", "HUB_NAME", "export", "read_published", "schema", "write_published"]

HUB_NAME = "sy1998/TerraScope-Bench"
IN_METRES = ("absolute_area", "distance_measurement")
"""Tasks whose answer needs the pixel size."""
WHY_NOTHING = "the public file has no label maps and no masks: only the right letter is known"


def read_published(
    source: str | Path = HUB_NAME,
    revision: str | None = None,
    task_words: Mapping[str, str] | None = None,
    by: str = "content",
    licence: str | None = None,
) -> Suite:
    """Open the public layout.

    The questions are read now; a picture is read (with its row group, the last of which is kept) when a row is asked
    for its scene.

    Parameters
    ----------
    source : str or Path
        A Parquet file, a folder of them, or a name on the Hugging Face Hub, which is fetched first. ``HF_ENDPOINT``,
        ``HF_TOKEN`` and ``HF_HUB_OFFLINE`` are obeyed.
    revision : str, optional
        Branch, tag or commit on the hub; the commit that it meant is on the card.
    task_words : mapping, optional
        Words of ``task_type`` → task keys, beside the one that is known for sure (``boundary_detection``). A word that
        nobody states is kept as a task of its own, and the card says so.
    by : "content" or "path"
        What tells that two rows share an image: the picture's bytes (each row group is read once on opening, and let
        go), or the path in the file.
    licence : str, optional
        By default as the repository's README states it, else «not stated».

    Raises
    ------
    NotFound
        When nothing is there, or the hub cannot be reached.
    InvalidInput
        For a file of other columns; names those it has.
    ReadFailed
        For a damaged file.
    """
    if by not in ("content", "path"):
        raise InvalidInput(f'by="content" or by="path" tells which rows share an image; got {by!r}')
    if task_words is not None and not isinstance(task_words, Mapping):
        raise InvalidInput(f"task_words is a mapping of words to task keys; got {task_words!r}")
    strange = sorted(set(map(str, (task_words or {}).values())) - set(TASKS))
    if strange:
        raise InvalidInput(f"task_words names {', '.join(strange)}; the tasks are {', '.join(TASKS)}")
    folder, files, commit = _located(source, revision)
    rows: list[Row] = []
    left: Counter[str] = Counter()
    words: Counter[str] = Counter()
    terms = licence or _licence(folder)
    about: dict[str, Any] = {}
    for path in files:
        pictures = Pictures(path)
        about = pictures.about
        terms_of = about.get("licences") or []
        stem = path.relative_to(folder).with_suffix("").as_posix() if len(files) > 1 else path.stem
        keys = pictures.digests() if by == "content" else pictures.paths()
        for k, told in enumerate(pictures.questions()):
            own = str(terms_of[k]) if licence is None and k < len(terms_of) else terms
            row = _row(told, f"{stem}_{k:05d}", keys[k], pictures, k, task_words, own)
            if isinstance(row, str):
                left[row] += 1
                continue
            words[told["task_type"]] += task_of(told["task_type"], task_words) is None
            rows.append(row)
    unknown = {w: n for w, n in words.items() if n}
    ours = str(about.get("suite", "")) if len(files) == 1 else ""
    notes = [f"An export of our suite {ours!r}, without its masks and bands." if ours else _beside_paper(rows)]
    if unknown:
        listed = ", ".join(f"{w!r} ({n})" for w, n in sorted(unknown.items()))
        notes.append(
            f"What these task words mean is not known for sure, so each is a task of its own: {listed}; "
            "task_words={word: task} states it."
        )
    name = ours or "TerraScope-Bench"
    card = Card.of(
        name, rows, origin=f"{source}@{commit}" if commit else str(source), missing=dict(left),
        files={p.relative_to(folder).as_posix(): _sha256(p) for p in files}, notes=tuple(notes),
        citation=tuple(map(str, about.get("citation", ()))) if ours else (SOURCE,),
    )  # fmt: skip
    return Suite(name, tuple(rows), card, "terrascope-bench", why_no_truth=WHY_NOTHING)


def _row(
    told: Mapping[str, Any], id: str, image: str, pictures: Pictures, k: int, words: Any, licence: str
) -> Row | str:
    """The row, or why it cannot be asked."""
    try:
        choices = read_options(told["candidates"])
    except InvalidInput:
        return "candidates that cannot be read"
    if choices is None:
        return "no candidates"
    answer = str(told["answer"] or "").strip().upper()
    if answer not in choices.letters:
        return "an answer that is none of the candidates"
    if not str(told["question"] or "").strip():
        return "no question"
    question = without_options(told["question"], choices)
    word = str(told["task_type"] or "")
    return Row(
        id, image, task_of(word, words) or word or "not stated", question, choices, answer,
        functools.partial(_scene, pictures, k, id), licence=licence, why_no_masks=WHY_NOTHING,
        source="", resolution=stated_resolution(question),
    )  # fmt: skip


def _scene(pictures: Pictures, k: int, id: str) -> Scene:
    return picture_scene(read_picture(pictures.bytes_of(k), f"row {k} of {pictures.path.name}"), id)


def _beside_paper(rows: Sequence[Row]) -> str:
    counts = Counter(r.task for r in rows)
    each = ", ".join(f"{t.title} {counts[t.key]} of {t.rows}" for t in TASKS.values())
    return f"Questions beside the paper's: {each}; {len(rows):,} of {PAPER_ROWS:,} in all."


# ---- files ----------------------------------------------------------------------------------------------------------
def _located(source: str | Path, revision: str | None) -> tuple[Path, list[Path], str]:
    """Folder, Parquet files in it, and the commit («» for what lies here)."""
    path = Path(source).expanduser()
    if path.exists():
        if revision is not None:
            raise InvalidInput(f"{path} lies here and has no revision: leave revision={revision!r} out")
        if path.is_file():
            return path.parent, [path], ""
        folder, commit = path, ""
    elif not re.fullmatch(r"[\w.-]+/[\w.-]+", str(source)):
        raise NotFound(f"{source} is no file, no folder, and no name on the hub (owner/name)")
    else:
        folder, commit = _fetched(str(source), revision)
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise NotFound(
            f"{source} holds no *.parquet; it has {', '.join(sorted(p.name for p in folder.iterdir())[:20])}"
        )
    return folder, files, commit


def _fetched(name: str, revision: str | None) -> tuple[Path, str]:
    hub = need("huggingface_hub", "fetch a data set from the hub", "model")
    errors = need("huggingface_hub.errors", "fetch a data set from the hub", "model")
    patterns = ["*.parquet", "README.md", "LICENSE*"]
    try:
        found = Path(hub.snapshot_download(name, repo_type="dataset", revision=revision, allow_patterns=patterns))
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, errors.HFValidationError, OSError) as e:
        at = f" at revision {revision!r}" if revision else ""
        raise NotFound(
            f"{name}{at}: no such file or folder here, and the hub did not give the data set ({type(e).__name__}: {e})"
        ) from e
    return found, found.name if re.fullmatch(r"[0-9a-f]{40}", found.name) else ""


def _licence(folder: Path) -> str:
    """The licence in the front matter of the README beside the files."""
    readme = folder / "README.md"
    if not readme.is_file():
        return "not stated"
    head = readme.read_text("utf-8", "replace").split("\n---", 1)[0]
    found = re.search(r"^license:\s*[\"']?([\w.+-]+)", head, re.MULTILINE)
    return found[1] if found else "not stated"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ---- export ---------------------------------------------------------------------------------------------------------
def export(suite: Suite, path: str | Path, overwrite: bool = False) -> Path:
    """A suite in the public layout, so that others' code runs on it. Reads the scenes.

    A picture is the true-colour view of the optical image (of the SAR image where there is no other), of the date that
    the question is about. A question about several dates gets their views side by side, the earliest on the left, and
    says so. Pictures have no CRS, so a question about areas or distances that does not state the pixel size gets it.
    ``task_type`` is our key, but for the one public word that is known. Rows without options are left out. The file's
    metadata hold the suite's name and citation, and the licence of each row.
    """
    about = {
        "suite": suite.name, "digest": suite.digest, "citation": list(suite.card.citation),
        "licences": [r.licence for r in suite.rows if r.choices is not None],
    }  # fmt: skip
    return write_published(_exported(suite), path, schema(about), overwrite)


def _exported(suite: Suite) -> Iterator[dict[str, Any]]:
    shown: tuple[str, tuple[int, ...]] | None = None
    picture = b""
    for row in suite.rows:
        if row.choices is None:
            continue
        images = _images(row)
        if (row.image, images) != shown:
            shown, picture = (row.image, images), _picture(row.scene(), images)
        question = row.question
        if row.task in IN_METRES and stated_resolution(question) is None:
            size = _pixel_size(row)
            question += "" if size is None else f" The pixel size is {size:.4g} m."
        if len(images) > 1:
            question = f"{question} The picture shows {len(images)} dates side by side, the earliest on the left."
        word = TASKS[row.task].words[0] if row.task in TASKS and TASKS[row.task].words else row.task
        yield {
            "image": {"bytes": picture, "path": f"{hashlib.sha256(picture).hexdigest()[:16]}.png"},
            "question": question, "candidates": json.dumps(dict(row.choices.items()), ensure_ascii=False),
            "answer": row.answer, "task_type": word,
        }  # fmt: skip


def _pixel_size(row: Row) -> float | None:
    """Metres a pixel as the suite states them, else the side of a square as large as the grid's mean pixel."""
    if row.resolution is not None:
        return row.resolution
    grid = row.scene().grid
    return None if grid.crs is None else float(grid.pixel_area().mean()) ** 0.5


def _images(row: Row) -> tuple[int, ...]:
    """Indices of the images to show: those that masks are drawn on, and for a change every date."""
    drawn = tuple(sorted({m.image for m in row.masks}))
    if drawn and row.task != "building_change":
        return drawn
    return tuple(m.image for m in row.scene().moments())


def _picture(scene: Scene, images: tuple[int, ...]) -> bytes:
    views = [scene.images[k].view.pixels for k in images]
    tall = max(v.shape[0] for v in views)
    level = [np.pad(v, ((0, tall - v.shape[0]), (0, 0), (0, 0))) for v in views]
    return png(np.concatenate(level, axis=1))
