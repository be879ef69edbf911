"""PlaceSection: where — drawn, typed, uploaded, or what the map shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from terrascope_nb._html import tag
from terrascope_nb._optional import need
from terrascope_nb.errors import InvalidInput
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.maps.leaflet import Canvas
from terrascope_nb.maps.work import guarded

INVITATION = "Draw a rectangle or polygon on the map, or type a box."
STYLE = {"color": "#0072b2", "fillOpacity": 0.05, "weight": 2}


class PlaceSection:
    """The first section of the panel. One area at a time, the one drawn or typed last; it can be edited on the map.

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
        self._canvas, self._use, self._busy = canvas, use, False
        wide = w.Layout(width="98%")
        self.bbox = w.Text(
            description="Box", placeholder="west, south, east, north (degrees)", continuous_update=False, layout=wide
        )
        self.bbox.tooltip = "West, south, east and north in degrees, with commas between; west > east crosses 180°"
        self.upload = w.FileUpload(
            accept=".geojson,.json",
            multiple=False,
            description="GeoJSON file",
            tooltip="GeoJSON file that holds the area",
        )
        self.view = w.Button(description="Use the map's view", tooltip="Use the map's view as the area")
        self.clear = w.Button(description="Delete the area", tooltip="Delete the area, and draw another")
        self.said = w.HTML(str(tag("p", INVITATION, cls="small")))
        self.widget = w.VBox(
            [self.said, self.bbox, w.HBox([self.view, self.upload, self.clear], layout=w.Layout(flex_flow="row wrap"))]
        )
        self.widget.add_class("tsnb-place")
        self.bbox.observe(guarded("reading the box", self._typed, fail), "value")
        self.upload.observe(guarded("reading the file", self._uploaded, fail), "value")
        self.view.on_click(guarded("taking the map's view", lambda _: self._viewed(), fail))
        self.clear.on_click(guarded("deleting the area", lambda _: self._use(None), fail))
        self._pen = getattr(canvas.map, "draw_control", None)
        if self._pen is not None:
            self._pen.on_draw(guarded("drawing the area", self._drawn, fail))

    def show(self, aoi: AOI | None) -> None:
        """Write the area that is in use into the section and draw it, so that it can be edited and deleted."""
        self.said.value = str(tag("p", INVITATION if aoi is None else repr(aoi).strip("<>"), cls="small"))
        self._busy = True
        try:
            self.bbox.value = "" if aoi is None else ", ".join(f"{v:.6g}" for v in aoi.to_lonlat().bounds)
        finally:
            self._busy = False
        feature = None
        if aoi is not None:
            shape = aoi.to_lonlat().geometry.__geo_interface__  # in one piece, also across 180°: the map goes on there
            feature = {"type": "Feature", "properties": {"style": STYLE}, "geometry": json.loads(json.dumps(shape))}
        self._canvas.map.user_roi = feature
        if self._pen is not None:
            self._pen.data = [] if feature is None else [feature]

    def _drawn(self, control: Any, action: str, geo_json: dict[str, Any]) -> None:
        self._use(None if action == "deleted" else AOI.from_geojson(geo_json["geometry"], name="drawn"))

    def _typed(self, change: Any) -> None:
        text = change["new"].strip()
        if text and not self._busy:
            self._use(read_bbox(text))

    def _uploaded(self, change: Any) -> None:
        if not change["new"]:
            return
        file = change["new"][0]
        content, name = bytes(file["content"]), str(file["name"])
        self.upload.value = ()  # so that the same file can be chosen again, and is not kept twice
        self._use(read_geojson(content, name))

    def _viewed(self) -> None:
        bounds = self._canvas.map.bounds
        if not bounds:
            raise InvalidInput("the map has not said yet what it shows: wait until it is drawn, or type a box")
        (south, west), (north, east) = bounds
        self._use(view_aoi(west, south, east, north))


def view_aoi(west: float, south: float, east: float, north: float) -> AOI:
    """What a map shows as an area: copies of the world beside the first count as the first.

    Examples
    --------
    >>> view_aoi(535.0, -10.0, 545.0, 10.0).bounds
    (175.0, -10.0, 185.0, 10.0)
    """
    south, north = max(south, -90.0), min(north, 90.0)
    if east - west >= 360:
        return AOI.from_bbox((-180.0, south, 180.0, north))
    first = (west + 180.0) % 360.0 - 180.0
    return AOI.from_bbox((first, south, first + east - west, north))


def read_bbox(text: str) -> AOI:
    """Four numbers in a line as an area.

    Examples
    --------
    >>> read_bbox("15.6, 46.4, 15.7, 46.5").bounds
    (15.6, 46.4, 15.7, 46.5)
    >>> read_bbox("178 -18 -179 -17").crosses_antimeridian
    True
    """
    parts = text.replace(";", ",").translate(str.maketrans("()[]", "    ")).split(",")
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
    """A GeoJSON file's content as an area.

    Examples
    --------
    >>> read_geojson(b"[1, 2]", "a.json")
    Traceback (most recent call last):
    ...
    terrascope_nb.errors.InvalidInput: a.json is not GeoJSON (a list): save the area as GeoJSON in degrees
    """
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidInput(f"{name} is not GeoJSON ({error}): save the area as GeoJSON in degrees") from error
    if not isinstance(content, dict):
        raise InvalidInput(f"{name} is not GeoJSON (a {type(content).__name__}): save the area as GeoJSON in degrees")
    return AOI.from_geojson(content, name=name)
