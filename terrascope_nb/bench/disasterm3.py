"""DisasterM3: a JSON list of questions on a place before and after a disaster → `Suite`."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from terrascope_nb.bench.cards import Card
from terrascope_nb.bench.options import letter_of, read_options, stated_resolution, without_options
from terrascope_nb.bench.pictures import optical_picture, read_picture, sar_picture
from terrascope_nb.bench.suite import Row, Suite
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.scene.scene import Scene

FIELDS = ("pre_image_path", "post_image_path", "post_image_type", "task", "prompts", "options_str",
          "ground_truth_option")  # fmt: skip
ALIASES = {"pre_image_path": "image_path", "options_str": "option_str"}
"""What some of its files call a field; records with ``image_path`` have a single picture."""

CITATION = "DisasterM3: a remote sensing vision-language dataset for disaster damage assessment, arXiv 2505.21089"
WHY_NOTHING = "DisasterM3's questions come without label maps and masks: only the right letter is known"
TWO_DATES = "two dates, the first before and the second after the disaster; neither is stated"


def read_disasterm3(
    path: str | Path, images: str | Path | None = None, licence: str = "not stated: see the data set's own page"
) -> Suite:
    """Open the JSON list. No picture is read until a row is asked for its scene.

    Parameters
    ----------
    path : str or Path
        JSON list of records with `FIELDS`.
    images : str or Path, optional
        Folder that the paths start from; by default ``images`` beside the JSON where it is there, else the JSON's own.
    licence : str

    Returns
    -------
    Suite
        ``task`` is the file's own word, or the file's name where it says none; the letter rule is «disasterm3». Rows
        that are no single choice are left out and counted on the card: open questions, and those with several right
        letters.

    Notes
    -----
    The scene has the picture from before first. After it stands the one from after, as SAR where
    ``post_image_type`` says so; a SAR picture keeps no calibration (`pictures.sar_picture`).

    Raises
    ------
    InvalidInput
        For a file that is no such list; names the fields that are missing.
    """
    path = Path(path)
    beside = path.parent / "images"
    root = Path(images) if images is not None else beside if beside.is_dir() else path.parent
    if not root.is_dir():
        raise NotFound(f"there is no folder {root} for the pictures of {path.name}: pass images=")
    rows: list[Row] = []
    left: Counter[str] = Counter()
    for k, told in enumerate(_records(path)):
        row = _row(told, f"{path.stem}_{k}", root, licence, path.stem)
        if isinstance(row, str):
            left[row] += 1
        else:
            rows.append(row)
    card = Card.of("DisasterM3", rows, origin=str(path), missing=dict(left), citation=(CITATION,))
    return Suite("DisasterM3", tuple(rows), card, "disasterm3", why_no_truth=WHY_NOTHING)


def _records(path: Path) -> list[Mapping[str, Any]]:
    try:
        told = json.loads(path.read_text("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as e:
        raise InvalidInput(f"{path.name} is no JSON: {e}") from e
    if not isinstance(told, list) or not all(isinstance(r, dict) for r in told):
        raise InvalidInput(f"{path.name} is not in DisasterM3's layout: it is no JSON list of records")
    optional = ("post_image_path", "post_image_type", "task")
    for k, record in enumerate(told):
        missing = [f for f in FIELDS if f not in optional and f not in record and ALIASES.get(f) not in record]
        if missing:
            raise InvalidInput(
                f"{path.name} is not in DisasterM3's layout: record {k} lacks {', '.join(missing)}; it has "
                f"{', '.join(map(str, record))}"
            )
    return told


def _row(told: Mapping[str, Any], id: str, root: Path, licence: str, stem: str) -> Row | str:
    """The row, or why there is none."""
    prompt = told["prompts"]
    if isinstance(prompt, list):
        if len(prompt) != 1:
            return f"a record with {len(prompt)} prompts"
        prompt = prompt[0]
    if not isinstance(prompt, str) or not prompt.strip():
        return "a record without a prompt"
    try:
        choices = read_options(_field(told, "options_str"))
    except InvalidInput:
        return "options that cannot be read"
    if choices is None:
        return "open questions, without options"
    stated = told["ground_truth_option"]
    if isinstance(stated, list):
        stated = ", ".join(map(str, stated))
    several = re.fullmatch(r"\s*\(?[A-Za-z]\)?(?:\s*[,;/&]\s*\(?[A-Za-z]\)?)+\s*", str(stated))
    if several:
        return "several right letters"
    answer = letter_of(stated, choices)
    if not answer:
        return "an answer that is no option"
    before, after = (str(_field(told, f"{when}_image_path") or "") for when in ("pre", "post"))
    if not before and not after:
        return "a record without a picture"
    kind = str(told.get("post_image_type") or "")
    question = without_options(prompt, choices)
    return Row(
        id, " | ".join(filter(None, (before, after))), str(told.get("task") or stem), question, choices, answer,
        functools.partial(_scene, root, before, after, kind), licence=licence, why_no_masks=WHY_NOTHING,
        source="DisasterM3", resolution=stated_resolution(question),
    )  # fmt: skip


def _field(told: Mapping[str, Any], name: str) -> Any:
    return told[name] if name in told else told.get(ALIASES.get(name, ""))


def _file(root: Path, name: str) -> Path:
    """The picture under `root`, or under the folder above, from which single pictures are named."""
    plain = name.replace("\\", "/")
    here = root / plain
    return here if here.exists() or not (root.parent / plain).exists() else root.parent / plain


def _scene(root: Path, before: str, after: str, kind: str) -> Scene:
    images = []
    if before:
        pixels = read_picture(_file(root, before), before)
        images.append(optical_picture(pixels, before, note="from before the disaster" if after else ""))
    if after:
        make = sar_picture if "sar" in kind.lower() else optical_picture
        pixels = read_picture(_file(root, after), after)
        images.append(make(pixels, after, note="from after the disaster"))
    return Scene(tuple(images), name=before or after, notes=(TWO_DATES,) if len(images) > 1 else ())
