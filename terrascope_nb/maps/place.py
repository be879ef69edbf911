"""PlaceSection: where — drawn, typed, uploaded, or what the map shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from terrascope_nb._optional import need
from terrascope_nb.errors import InvalidInput
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.maps.leaflet import Canvas


class PlaceSection:
    """The first section of the panel.

    Parameters
    ----------
    canvas : Canvas
        Where an area may be drawn.
    use : callable
        Takes the `AOI`, or None when it was deleted.
    fail : callable
        ``fail(what, error)`` shows what could not be used.
    """

    def __init__(
        self, canvas: Canvas, use: Callable[[AOI | None], None], fail: Callable[[str, Exception], None]
    ) -> None:
        w = need("ipywidgets", "choose a place in a notebook", "maps")
        self._canvas, self._use, self._fail = canvas, use, fail
        wide = w.Layout(width="98%")
        self.bbox = w.Text(
            description="Box", placeholder="west, south, east, north (degrees)", continuous_update=False, layout=wide
        )
        self.bbox.tooltip = "West, south, east and north in degrees, with commas between"
        self.upload = w.FileUpload(accept=".geojson,.json", multiple=False, description="GeoJSON file")
        self.view = w.Button(description="Use the map's view", tooltip="Take what the map shows as the area")
        self.clear = w.Button(description="Delete the area", tooltip="Delete the area, and draw another")
        self.said = w.HTML("<p class='small'>Draw a rectangle or polygon on the map, or type a box.</p>")
        self.widget = w.VBox(
            [self.said, self.bbox, w.HBox([self.view, self.upload, self.clear], layout=w.Layout(flex_flow="row wrap"))]
        )
        self.widget.add_class("tsnb-place")
        self.bbox.observe(self._typed, "value")
        self.upload.observe(self._uploaded, "value")
        self.view.on_click(lambda _: self._viewed())
        self.clear.on_click(lambda _: self._use(None))
        canvas.on_draw(use)

    def show(self, aoi: AOI | None) -> None:
        """Write the area that is in use into the section."""
        from terrascope_nb._html import tag

        words = "Draw a rectangle or polygon on the map, or type a box." if aoi is None else repr(aoi).strip("<>")
        self.said.value = str(tag("p", words, cls="small"))
        self.bbox.unobserve(self._typed, "value")
        self.bbox.value = "" if aoi is None else ", ".join(f"{v:.6g}" for v in aoi.to_lonlat().bounds)
        self.bbox.observe(self._typed, "value")

    def _typed(self, change: Any) -> None:
        text = change["new"].strip()
        if not text:
            return
        try:
            self._use(read_bbox(text))
        except InvalidInput as error:
            self._fail("reading the box", error)

    def _uploaded(self, change: Any) -> None:
        if not change["new"]:
            return
        file = change["new"][0]
        try:
            self._use(read_geojson(bytes(file["content"]), file["name"]))
        except InvalidInput as error:
            self._fail("reading the file", error)

    def _viewed(self) -> None:
        try:
            seen = self._canvas.view()
            if seen is None:
                raise InvalidInput("the map has not said yet what it shows: wait until it is drawn, or type a box")
            self._use(seen)
        except InvalidInput as error:
            self._fail("taking the map's view", error)


def read_bbox(text: str) -> AOI:
    """Four numbers in a line as an area.

    Examples
    --------
    >>> read_bbox("15.6, 46.4, 15.7, 46.5").bounds
    (15.6, 46.4, 15.7, 46.5)
    """
    parts = text.replace(";", ",").replace("(", " ").replace(")", " ").split(",")
    if len(parts) == 1:
        parts = parts[0].split()
    try:
        numbers = tuple(float(p) for p in parts)
    except ValueError as error:
        raise InvalidInput(
            f"{text!r} is no box: write west, south, east, north as numbers, 15.6, 46.4, 15.7, 46.5"
        ) from error
    if len(numbers) != 4:
        raise InvalidInput(f"a box is four numbers, west, south, east, north; {text!r} has {len(numbers)}")
    return AOI.from_bbox(numbers)  # type: ignore[arg-type]


def read_geojson(data: bytes, name: str) -> AOI:
    """A GeoJSON file's content as an area."""
    try:
        return AOI.from_geojson(json.loads(data.decode("utf-8")), name=name)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidInput(f"{name} is not GeoJSON ({error}): save the area as GeoJSON in degrees") from error
