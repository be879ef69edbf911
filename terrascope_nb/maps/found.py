"""What a search found, for eyes: a line an item, and small pictures of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from terrascope_nb._html import data_uri, tag
from terrascope_nb.errors import NotFound, ReadFailed
from terrascope_nb.stac.query import instant

if TYPE_CHECKING:
    from terrascope_nb.stac.catalog import Found
    from terrascope_nb.stac.thumbnails import Thumbnails

SHOWN = 200  # items listed
LOOKED = 30  # items whose cloud over the area is looked at
BATCH = 4  # items looked at before the list is written again
PICTURED = 12  # items whose thumbnail is shown
SIDE = 112  # CSS pixels of a thumbnail's longer side
PIXELS = 30_000_000  # a «thumbnail» of more is not opened


def cloud_words(item: Mapping[str, Any], clouds: Mapping[str, float]) -> str:
    """How cloudy an item is: over the area where that was looked at, else in the whole image, «» where nothing tells.

    Examples
    --------
    >>> item = {"id": "a", "properties": {"eo:cloud_cover": 12.4}}
    >>> cloud_words(item, {}), cloud_words(item, {"a": 0.5})
    ('12 % cloud in the whole image', '50 % cloud over the area')
    """
    over = clouds.get(item["id"])
    if over is not None and over == over:
        return f"{100 * over:.0f} % cloud over the area"
    whole = item["properties"].get("eo:cloud_cover")
    told = isinstance(whole, int | float) and not isinstance(whole, bool)
    return f"{whole:.0f} % cloud in the whole image" if told else ""


def listed(found: Found, clouds: Mapping[str, float]) -> list[tuple[str, str]]:
    """(what is read, date) of each item, the first `SHOWN`."""
    rows = []
    for item in found.items[:SHOWN]:
        day = f"{instant(item):%Y-%m-%d}"
        rows.append((" · ".join(x for x in (day, cloud_words(item, clouds), item["id"]) if x), day))
    return rows


def more_words(count: int) -> str:
    """What is not listed, as HTML; «» where all is."""
    if count <= SHOWN:
        return ""
    return str(tag("p", f"and {count - SHOWN} more: narrow the dates", cls="small"))


def strip(pictures: Thumbnails, clouds: Mapping[str, float], check: Callable[[], None] = lambda: None) -> str:
    """Small pictures with their dates and clouds, as HTML; says which could not be fetched. Fetches them.

    Each is made at most `SIDE` pixels large, so that a notebook keeps some kilobytes of it.

    Parameters
    ----------
    pictures : Thumbnails
    clouds : mapping
        Item id → share 0–1.
    check : callable
        Called before each fetch; what it raises ends the work.
    """
    cells, failed = [], []
    for k, item in enumerate(pictures.items):
        check()
        words = f"{instant(item):%Y-%m-%d}"
        try:
            shown = small(pictures[k])
        except ReadFailed as error:
            failed.append(str(error))
            shown = None
        figure = tag("em", "no thumbnail") if shown is None else tag("img", src=shown, alt=f"thumbnail of {words}")
        caption = tag("figcaption", words, tag("br"), cloud_words(item, clouds), title=item["id"], cls="small")
        cells.append(tag("figure", figure, caption, style=f"display:inline-block;width:{SIDE}px;margin:4px"))
    missing = tag("p", f"{len(failed)} could not be fetched, the first: {failed[0]}", cls="small") if failed else None
    return str(tag("div", *cells, missing))


def look(
    had: Found,
    check: Callable[[], None],
    say: Callable[[str, float, float], None],
    show: Callable[[Mapping[str, float]], None],
) -> tuple[str, list[str]]:
    """Look at the clouds over the area, some items at a time, and fetch thumbnails.

    Parameters
    ----------
    had : Found
    check : callable
        Called between reads; what it raises ends the work.
    say : callable
        ``say(words, done, total)``.
    show : callable
        Takes the shares (0–1 by item id) known so far.

    Returns
    -------
    (str, list of str)
        The thumbnails as HTML, and which cloud layers could not be read.
    """
    clouds: dict[str, float] = {}
    failed: list[str] = []
    items = had.items[:LOOKED] if _has_clouds(had) else ()
    for k in range(0, len(items), BATCH):
        check()
        say("looking at the clouds over the area", k, len(items))
        try:
            table = had.only(items[k : k + BATCH]).cloud_share()
        except ReadFailed as error:
            check()
            failed.append(str(error))
            break
        clouds |= dict(zip(table["id"], table["cloud"], strict=True))
        check()
        show(clouds)
    say("fetching thumbnails", 0, 0)
    html = strip(had.only(had.items[:PICTURED]).thumbnails(), clouds, check)
    check()
    return html, failed


def _has_clouds(had: Found) -> bool:
    try:
        return had.sensor.clouds is not None
    except NotFound:
        return False  # a collection that is in no table: its clouds are those that its items state


def small(picture: bytes | None) -> str | None:
    """A picture as a data link of at most `SIDE` pixels, or None where there is none or it cannot be opened."""
    from PIL import Image, UnidentifiedImageError

    if picture is None:
        return None
    try:
        with Image.open(io.BytesIO(picture), formats=("PNG", "JPEG", "GIF", "WEBP")) as opened:
            if opened.width * opened.height > PIXELS:
                return None
            opened.draft("RGB", (SIDE, SIDE))
            shown = opened.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # the strip says «no thumbnail»: whatever the bytes were, they are no picture
    shown.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    shown.save(out, "JPEG", quality=80)
    return data_uri("image/jpeg", out.getvalue())
