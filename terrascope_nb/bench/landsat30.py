"""Landsat30-AU's visual question answering: a CSV beside its pictures → `Suite`."""

from __future__ import annotations

import csv
import functools
import re
from collections import Counter
from pathlib import Path

import numpy as np

from terrascope_nb.bench.cards import Card
from terrascope_nb.bench.options import letter_of, read_options, stated_resolution, without_options
from terrascope_nb.bench.pictures import picture_scene, read_picture
from terrascope_nb.bench.suite import Row, Suite
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.scene.scene import Scene

COLUMNS = ("qa_id", "image_path", "question", "question_type", "options", "answer")
"""What the CSV must have; ``capture_time`` and ``geohash`` are read where they are there."""

CITATION = "Landsat30-AU: a vision-language dataset of Australian Landsat imagery, as its authors publish it"
WHY_NOTHING = "Landsat30-AU has no label maps and no masks: only the right letter is known"


def read_landsat30(
    path: str | Path, images: str | Path | None = None, licence: str = "not stated: see the data set's own page"
) -> Suite:
    """Open the CSV. No picture is read until a row is asked for its scene.

    Parameters
    ----------
    path : str or Path
        CSV with the columns of `COLUMNS`. Options are a list, written as Python or JSON writes it.
    images : str or Path, optional
        Folder that ``image_path`` starts from; by default the CSV's own.
    licence : str

    Returns
    -------
    Suite
        ``task`` is the file's ``question_type``; the letter rule is «landsat30-au» (the answer's text against the
        option's). Rows without options, or whose answer is no option, are left out and counted on the card.

    Raises
    ------
    InvalidInput
        For a file that is no such CSV; names the columns that are missing.
    """
    path = Path(path)
    root = path.parent if images is None else Path(images)
    if not root.is_dir():
        raise NotFound(f"there is no folder {root} for the pictures of {path.name}: pass images=")
    rows: list[Row] = []
    left: Counter[str] = Counter()
    notes: list[str] = []
    for number, told in _lines(path):
        try:
            choices = read_options(told["options"])
        except InvalidInput as e:
            left["options that cannot be read"] += 1
            notes.append(f"Line {number}: {e}.")
            continue
        if choices is None:
            left["open questions, without options"] += 1
            continue
        answer = letter_of(told["answer"], choices)
        if not answer:
            left["an answer that is no option"] += 1
            continue
        question = without_options(told["question"], choices)
        file, name = root / told["image_path"].replace("\\", "/"), told["image_path"]
        rows.append(
            Row(
                told["qa_id"] or f"line {number}", name, told["question_type"], question, choices, answer,
                functools.partial(_scene, file, name, _day(told.get("capture_time") or "")),
                licence=licence, why_no_masks=WHY_NOTHING, place=told.get("geohash") or "", source="Landsat30-AU",
                resolution=stated_resolution(question),
            )
        )  # fmt: skip
    card = Card.of(
        "Landsat30-AU", rows, origin=str(path), missing=dict(left), citation=(CITATION,), notes=tuple(notes[:5])
    )
    return Suite("Landsat30-AU", tuple(rows), card, "landsat30-au", why_no_truth=WHY_NOTHING)


def _lines(path: Path):
    """(line number, columns) of the CSV."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
            if missing:
                raise InvalidInput(
                    f"{path.name} is not in Landsat30-AU's layout: no column {', '.join(missing)}; it has "
                    f"{', '.join(reader.fieldnames or ()) or 'none'}"
                )
            for told in reader:
                yield reader.line_num, told
    except (UnicodeDecodeError, csv.Error) as e:
        raise InvalidInput(f"{path.name} is no CSV in UTF-8: {e}") from e


def _day(text: str) -> np.datetime64 | None:
    """«2024-08-02», or «25/08/2000» with the day first; None for anything else."""
    iso = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", text.strip())
    local = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text.strip())
    parts = iso.groups() if iso else local.groups()[::-1] if local else None
    if parts is None:
        return None
    year, month, day = (int(p) for p in parts)
    try:
        return np.datetime64(f"{year:04d}-{month:02d}-{day:02d}", "s")
    except ValueError:
        return None


def _scene(file: Path, name: str, time: np.datetime64 | None) -> Scene:
    return picture_scene(read_picture(file, name), name, time)
