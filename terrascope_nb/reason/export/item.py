"""A trace as a STAC item beside its files."""

from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrascope_nb.errors import AlreadyThere
from terrascope_nb.reason.export.files import one_grid, target, to_geojson, to_geotiff, version, write_text
from terrascope_nb.reason.export.outlines import bbox, lonlat
from terrascope_nb.reason.scrub import readable, scrub, scrubbed
from terrascope_nb.reason.show.captions import agreement

if TYPE_CHECKING:
    from terrascope_nb.geo.grid import Grid
    from terrascope_nb.reason.trace import Trace

ASSETS: dict[str, dict[str, Any]] = {
    "masks": {
        "href": "./masks.tif",
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "title": "One band a step: 1 in the mask, 0 out, 255 not measured",
        "roles": ["data"],
    },
    "outlines": {
        "href": "./masks.geojson",
        "type": "application/geo+json",
        "title": "The masks' outlines",
        "roles": ["data"],
    },
    "report": {"href": "./report.html", "type": "text/html", "title": "Question, steps, claims", "roles": ["overview"]},
    "trace": {
        "href": "./trace/trace.json",
        "type": "application/json",
        "title": "The whole trace, for terrascope_nb.Trace.load(folder)",
        "roles": ["metadata"],
    },
    "arrays": {
        "href": "./trace/arrays.npz",
        "type": "application/octet-stream",
        "title": "Its arrays",
        "roles": ["metadata"],
    },
}
"""The files of an item. Their names are fixed: no text from outside ever names a file."""


def to_stac(trace: Trace, folder: str | Path, overwrite: bool = False) -> Path:
    """Write a STAC 1.0 item with `ASSETS` beside it into `folder`; returns the path of ``item.json``.

    Raises
    ------
    AlreadyThere
        When one of the files is there and may not be overwritten; nothing is written then.
    """
    from terrascope_nb.reason.export.store import save

    folder, grid = Path(folder), one_grid(trace, "a STAC item")
    content = json.dumps(item(trace, grid), ensure_ascii=False, indent=1, allow_nan=False)
    there = [name for name in ("item.json", *(a["href"] for a in ASSETS.values())) if (folder / name).exists()]
    if there and not overwrite:
        raise AlreadyThere(f"{folder / there[0]} is there already: pass overwrite=True or another folder")
    to_geotiff(trace, folder / "masks.tif", overwrite)
    to_geojson(trace, folder / "masks.geojson", overwrite)
    trace.to_html(folder / "report.html", overwrite)
    save(trace, folder / "trace", overwrite=overwrite)
    return write_text(
        target(folder / "item.json", overwrite), content, overwrite
    )  # last: an item that is there is whole


def item(trace: Trace, grid: Grid) -> dict[str, Any]:
    """The item as plain JSON values.

    Its datetime is the acquisition's, of several dates the interval; where none is known, that of asking, as it says.
    """
    area = lonlat((trace.aoi or grid.aoi()).geometry, (trace.aoi or grid.aoi()).crs)
    said = {k: readable(scrub(v)) for k, v in (("question", trace.question), ("answer", trace.answer.text))}
    times = sorted({f.time for f in trace.frames if f.time is not None})
    stamps = [f"{t}Z" for t in times]
    undated = "" if times else " No acquisition time is known: the datetime is that of asking."
    when: dict[str, Any] = {"datetime": stamps[0] if len(times) == 1 else None}
    if len(times) > 1:
        when |= {"start_datetime": stamps[0], "end_datetime": stamps[-1]}
    elif not times:
        asked = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", str(trace.provenance.get("asked_at", "")))
        when["datetime"] = f"{asked[0]}Z" if asked else "1970-01-01T00:00:00Z"
    agree = agreement(trace)[0][2:]
    code, value = grid.crs.to_authority(), trace.answer.value
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
            "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
        ],
        "id": item_id(trace),
        "geometry": area,
        "bbox": bbox(area),
        "properties": {
            **when,
            "title": said["question"][:300] or "a question",
            "description": f"{said['question']} → {said['answer'] or 'no answer'} ({agree}).{undated}",
            "proj:code": ":".join(code) if code else None,
            **({} if code else {"proj:wkt2": grid.crs.to_wkt()}),
            "proj:shape": list(grid.shape),
            "proj:transform": list(grid.transform)[:6],
            "proj:bbox": list(grid.bounds),
            "processing:software": {"terrascope_nb": version()},
            "terrascope_nb:question": said["question"],
            "terrascope_nb:answer": said["answer"],
            "terrascope_nb:choice": trace.answer.choice,
            "terrascope_nb:value": value if value is not None and math.isfinite(value) else None,
            "terrascope_nb:unit": trace.answer.unit,
            "terrascope_nb:finish": trace.answer.finish,
            "terrascope_nb:reasoner": readable(scrub(trace.reasoner)),
            "terrascope_nb:claims": {
                v: sum(c.verdict == v for c in trace.claims) for v in ("agrees", "disagrees", "not checkable")
            },
            "terrascope_nb:sources": sorted({readable(s) for f in trace.frames for s in scrubbed(f.sources)}),
        },
        "links": [],
        "assets": {name: dict(asset) for name, asset in ASSETS.items()},
    }


def item_id(trace: Trace) -> str:
    """An id of letters, digits and hyphens: scene, question, and a digest of what was asked and answered.

    The same trace always gets the same.
    """
    words = re.sub(
        r"[^a-z0-9]+", "-", f"{scrub(str(trace.provenance.get('scene', '')))} {scrub(trace.question)}".lower()
    ).strip("-")
    told = json.dumps(
        [trace.question, trace.text, trace.answer.text, trace.reasoner, [str(f.time) for f in trace.frames]]
    )
    return f"{words[:60].rstrip('-') or 'trace'}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"
