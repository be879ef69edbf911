"""All of a trace as one picture, where no page can be shown: question, answer, each step's mask and words."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from terrascope_nb.reason.events import SEG
from terrascope_nb.reason.show.captions import step_words
from terrascope_nb.reason.show.pictures import tile, webp

if TYPE_CHECKING:
    from PIL import ImageFont
    from PIL.Image import Image as Picture

    from terrascope_nb.reason.trace import Trace

#: Side of a picture, colours of a PNG, quality of a WebP, most steps: tried in turn until a sheet is small enough.
_SHEETS = (
    (250, 128, 60, 9), (250, 64, 40, 9), (200, 64, 40, 9), (200, 32, 25, 6), (160, 32, 25, 6),
    (120, 16, 20, 6), (90, 12, 10, 3), (60, 8, 5, 2),
)  # fmt: skip
_SPOKEN = 260  # characters of a sentence on the sheet


def sheet(trace: Trace, head: Sequence[tuple[str, int]], side: int = 250, columns: int = 3, most: int = 9) -> Picture:
    """Question, answer and all steps' pictures (at most `most`) as one picture, for where no page can be shown.

    Parameters
    ----------
    head : sequence of (str, int)
        Lines over the pictures, each with its height in pixels.
    side : int
        Width of a picture.
    """
    from PIL import Image, ImageDraw

    shown: list[int | None] = list(range(len(trace.steps)))[:most] or [None]
    columns = min(columns, max(len(shown), 1))
    gap, width = 12, max(columns * (side + 12) - 12, 380)
    tiles = []
    for k in shown:
        said = [] if k is None else _wrap(_spoken(trace.steps[k].text), 11, side)
        tiles.append((tile(trace, k, side), _wrap(step_words(trace, k), 13, side), said))
    lines = [(line, size) for said, size in head for line in _wrap(said, size, width)]
    if len(trace.steps) > most:
        lines.append((f"The first {most} of {len(trace.steps)} steps:", 11))
    top = sum(round(size * 1.4) for _, size in lines) + gap
    rows = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    heights = [max(p.shape[0] + 18 * len(t) + 15 * len(s) for p, t, s in row) + gap + 6 for row in rows]
    out = Image.new("RGB", (width + 2 * gap, top + sum(heights) + gap), "white")
    draw = ImageDraw.Draw(out)
    y = gap
    for line, size in lines:
        draw.text((gap, y), line, fill="black", font=font(size))
        y += round(size * 1.4)
    y = top + gap // 2
    for row, height in zip(rows, heights, strict=True):
        for j, (picture, title, said) in enumerate(row):
            x, at = gap + j * (side + gap), y
            for line in title:
                draw.text((x, at), line, fill="black", font=font(13))
                at += 18
            out.paste(Image.fromarray(picture), (x, at))
            at += picture.shape[0] + 4
            for line in said:
                draw.text((x, at), line, fill="#333333", font=font(11))
                at += 15
        y += height
    return out


def sheet_png(trace: Trace, head: Sequence[tuple[str, int]], most: int) -> bytes:
    """A sheet as a palette PNG of at most `most` bytes where smaller pictures and fewer colours lead there."""
    from PIL import Image

    def encode(picture: Picture, colors: int, _: int) -> bytes:
        out = io.BytesIO()
        picture = picture.quantize(colors, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        palette = picture.getpalette() or []
        paper = 3 * int(picture.getpixel((0, 0)))  # type: ignore[arg-type]  # the margin: its colour is white
        picture.putpalette([*palette[:paper], 255, 255, 255, *palette[paper + 3 :]])
        picture.save(out, "PNG", optimize=True)
        return out.getvalue()

    return _fitting(trace, head, most, encode)


def sheet_webp(trace: Trace, head: Sequence[tuple[str, int]], most: int) -> bytes:
    """A sheet as WebP of at most `most` bytes where smaller pictures and a lower quality lead there."""
    return _fitting(trace, head, most, lambda picture, _, quality: webp(picture, quality=quality))


def _fitting(
    trace: Trace, head: Sequence[tuple[str, int]], most: int, encode: Callable[[Picture, int, int], bytes]
) -> bytes:
    data, at = b"", 0
    while at < len(_SHEETS):
        side, colors, quality, steps = _SHEETS[at]
        data = encode(sheet(trace, head, side, most=steps), colors, quality)
        if len(data) <= most:
            break
        at += 2 if len(data) > 2 * most and at + 2 < len(_SHEETS) else 1
    return data


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, as matplotlib brings it, so that a sheet looks the same everywhere."""
    from pathlib import Path

    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def _spoken(sentence: str) -> str:
    words = " ".join(sentence.replace(" " + SEG, "").replace(SEG, "").split())
    return words if len(words) <= _SPOKEN else words[: _SPOKEN - 1] + "…"


#: Characters of one text that a picture shows; the page has all of it.
LONGEST = 600


def _wrap(said: str, size: int, width: int) -> list[str]:
    """Lines that fit into `width` pixels; a word that is too long is cut."""
    said = said if len(said) <= LONGEST else f"{said[:LONGEST]}…"
    said = "".join(c if c.isprintable() or c.isspace() else "\ufffd" for c in said)
    out: list[str] = []
    line = ""
    letters = font(size)
    for word in said.split():
        while letters.getlength(word) > width:
            n = max(int(len(word) * width / letters.getlength(word)) - 1, 1)
            out += [line] if line else []
            line, word, head = "", word[n:], word[:n]
            out.append(head)
        longer = f"{line} {word}".strip()
        if letters.getlength(longer) > width:
            out.append(line)
            line = word
        else:
            line = longer
    return out + [line] if line else out
