"""A scene's views for a chat endpoint: PNG data URIs, made smaller by area averaging, each labelled with its date."""

from __future__ import annotations

import io
from typing import Any

from terrascope_nb.scene.render import View
from terrascope_nb.scene.scene import Scene


def fitted(shape: tuple[int, int], max_side: int) -> tuple[int, int]:
    """Rows and columns of a picture whose longer side is at most `max_side`, its aspect kept.

    Examples
    --------
    >>> fitted((400, 2000), 1000), fitted((64, 64), 1000)
    ((200, 1000), (64, 64))
    """
    longest = max(shape)
    if longest <= max_side:
        return shape
    h, w = (max(1, round(n * max_side / longest)) for n in shape)
    return h, w


def png_uri(view: View, max_side: int) -> str:
    """The view as a PNG data URI, pixels averaged by area where it is larger than `max_side`."""
    from PIL import Image

    from terrascope_nb._html import data_uri

    picture = Image.fromarray(view.pixels)
    h, w = fitted(view.shape, max_side)
    if (h, w) != view.shape:
        picture = picture.resize((w, h), Image.Resampling.BOX)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return data_uri("image/png", out.getvalue())


def dates(scene: Scene) -> list[int]:
    """For each image of a scene the number i of its «Image: t_i», from 1: a date's optical and SAR image share one.

    SAR images that lie near no optical one are dates of their own.
    """
    groups = [[k for k in (m.optical, m.sar) if k is not None] for m in scene.moments()]
    taken = {k for g in groups for k in g}
    groups += [[k] for k in range(len(scene.images)) if k not in taken]
    stamp = [scene.images[g[0]].time for g in groups]
    order = sorted(range(len(groups)), key=lambda n: (stamp[n] is None, str(stamp[n] or ""), n))
    out = [0] * len(scene.images)
    for number, n in enumerate(order, 1):
        for k in groups[n]:
            out[k] = out[k] or number
    return out


def labelled_pictures(scene: Scene, max_side: int) -> list[dict[str, Any]]:
    """Content parts of a message: for each image a line that says what it is, then the picture."""
    parts: list[dict[str, Any]] = []
    numbers = dates(scene)
    for k in sorted(range(len(scene.images)), key=lambda k: (numbers[k], k)):
        image = scene.images[k]
        said = f"Image: t_{numbers[k]}, {image.modality} ({image.view.name}), {image.day}"
        parts.append({"type": "text", "text": said})
        parts.append({"type": "image_url", "image_url": {"url": png_uri(image.view, max_side)}})
    return parts
