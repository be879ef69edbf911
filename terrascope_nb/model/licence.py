"""The licence of weights, as the files beside them state it. Nothing is guessed from text that states none."""

from __future__ import annotations

import json
import re
from pathlib import Path

NOT_STATED = "not stated"


def licence_of(folder: Path) -> str:
    """The licence that a folder states.

    Looked for in this order: ``license`` in ``config.json``; the head of the model card, ``README.md``; the first lines
    of a file named LICENSE; what was recorded in our ``config.json`` when the weights were converted.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    str
        `NOT_STATED` where there is none.
    """
    told = _config(folder)
    return _words(told.get("license")) or _of_card(folder) or _of_file(folder) or _recorded(told) or NOT_STATED


def _config(folder: Path) -> dict[str, object]:
    path = folder / "config.json"
    try:
        told = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}  # whoever reads the configuration says what is wrong with it
    return told if isinstance(told, dict) else {}


def _words(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _of_card(folder: Path) -> str:
    """``license:`` of the card's head, a word or the first of a list; «other» with the name that goes with it."""
    card = folder / "README.md"
    if not card.is_file():
        return ""
    head = re.match(r"\ufeff?---[ \t]*\r?\n(.*?)\n---", card.read_text("utf-8", errors="replace"), re.DOTALL)
    if head is None:
        return ""
    stated, name = (_field(head[1], key) for key in ("license", "license_name"))
    return f"{stated} ({name})" if stated == "other" and name else stated


def _field(head: str, key: str) -> str:
    found = re.search(rf"^{key}:[ \t]*(?:\r?\n[ \t]*-[ \t]*)?[\[\"']*([^\s\"'#\[\],]+)", head, re.MULTILINE)
    return found[1] if found else ""


def _of_file(folder: Path) -> str:
    for path in sorted(folder.glob("LICEN[SC]E*")):
        lines = [line.strip() for line in path.read_text("utf-8", errors="replace").splitlines()]
        words = [line for line in lines if line]
        if words:
            return f"{' '.join(words[:2])[:120]} ({path.name})"
    return ""


def _recorded(told: dict[str, object]) -> str:
    origin = told.get("origin")
    stated = _words(origin.get("licence")) if isinstance(origin, dict) else ""
    return "" if stated == NOT_STATED else stated
