"""Canvas: a leafmap map that shows overlays by name. The only importer of leafmap (on first use: it takes seconds)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from terrascope_nb._optional import need
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.maps.closing import close_all
from terrascope_nb.maps.warp import Bounds, Overlay

WORLD: Bounds = ((-60.0, -170.0), (75.0, 170.0))

_PANES = {"tsnb-left": {"zIndex": 410}, "tsnb-right": {"zIndex": 411}}
_SIDES = tuple(_PANES)


class Canvas:
    """A map with named overlays, a drawn area and clicks. All imagery goes through the widget channel.

    Parameters
    ----------
    bounds : ((south, west), (north, east)), optional
        What the map shows first; default the world.
    basemap : str or None
        A leafmap basemap («OpenStreetMap», «Esri.WorldImagery» …), which the *browser* fetches; None shows none and
        asks nobody.
    draw : bool
        Offer rectangle and polygon for an area.
    georeferenced : bool
        False: pixels instead of degrees, without a basemap, for scenes without CRS.
    height : str
        Height of the map, in CSS pixels: «480px».

    Attributes
    ----------
    map : leafmap.Map
        The map itself, for leafmap's own verbs.
    """

    def __init__(
        self,
        bounds: Bounds | None = None,
        basemap: str | None = None,
        draw: bool = False,
        georeferenced: bool = True,
        height: str = "480px",
    ) -> None:
        leafmap = need("leafmap.leafmap", "show a map", "maps")
        leaflet = need("ipyleaflet", "show a map", "maps")
        off = dict.fromkeys(
            ("draw_control", "toolbar_control", "layers_control", "data_ctrl", "measure_control", "attribution_control",
             "search_control", "scale_control", "fullscreen_control"), False,
        )  # fmt: skip
        flat = {} if georeferenced else {"crs": leaflet.projections.Simple, "min_zoom": -8}
        # Without tiles, which blur between whole zooms, a picture may fill the map.
        self._snap = 0.25 if basemap is None or not georeferenced else 1.0
        self.map = leafmap.Map(height=height, panes=_PANES, zoom_snap=self._snap, **off, **flat)
        self.map.layout.width, self.map.layout.flex = "100%", "none"
        self._split: tuple[Any, tuple[list[Any], list[Any]]] | None = None
        self._wanted: Bounds | None = None
        self._moved = False
        self._georeferenced, self._height = georeferenced, float(height.removesuffix("px"))
        self._leaflet, self._footprints = leaflet, None
        self._layers: dict[str, Any] = {}
        if basemap != "OpenStreetMap" or not georeferenced:
            first = self.map.layers
            self.map.layers = ()
            close_all(*first)
            if basemap is not None and georeferenced:
                self.map.add_basemap(basemap)
        self._put(leaflet.FullScreenControl(position="topleft"))
        if georeferenced:
            self._put(leaflet.ScaleControl(position="bottomleft"))
        self._clicks: list[Callable[[float, float], None]] = []
        self._draws: list[Callable[[AOI | None], None]] = []
        self.map.on_interaction(self._interacted)
        if draw:
            look = {"shapeOptions": {"color": "#0072b2", "fillOpacity": 0.05}}
            control = leaflet.DrawControl(
                rectangle=look, polygon=look | {"allowIntersection": False}, polyline={}, circle={}, circlemarker={},
                marker={}, position="topleft",
            )  # fmt: skip
            self._put(control)
            self.map.draw_control = control
            control.on_draw(self._drawn)
        self.map.observe(self._first_seen, "pixel_bounds")
        self.fit(WORLD if bounds is None else bounds)

    # ---- overlays ---------------------------------------------------------------------------------------------
    @property
    def names(self) -> tuple[str, ...]:
        """Names of the overlays, the lowest first."""
        return tuple(self._layers)

    def add(self, name: str, overlay: Overlay, opacity: float = 1.0, visible: bool = True) -> None:
        """Lay an image over those already there, or put it in the place of the one of that name."""
        if name in self._layers:
            layer = self._layers[name]
            with layer.hold_sync():
                layer.bounds, layer.url = overlay.bounds, overlay.uri
                layer.opacity = opacity if visible else 0.0
        else:
            self._layers[name] = self._leaflet.ImageOverlay(
                url=overlay.uri, bounds=overlay.bounds, opacity=opacity if visible else 0.0, name=name
            )
            with self._in_one_piece():
                self._put(self._layers[name])

    def show(self, name: str, opacity: float) -> None:
        """Set how opaque an overlay is; 0 hides it. A few bytes go over the channel, never the image again."""
        self._layer(name).opacity = min(max(float(opacity), 0.0), 1.0)

    def opacity(self, name: str) -> float:
        """How opaque an overlay is, 0 … 1."""
        return float(self._layer(name).opacity)

    def to_front(self, names: Sequence[str]) -> None:
        """Lay these overlays over all others, in their order; the images are not sent again."""
        if not names:
            return
        moved = [self._layer(name) for name in names]
        ids = {layer.model_id for layer in moved}
        with self._in_one_piece():
            self.map.layers = (*(x for x in self.map.layers if x.model_id not in ids), *moved)
        self._layers = {n: x for n, x in self._layers.items() if n not in names} | dict(zip(names, moved, strict=True))

    def remove(self, name: str) -> None:
        """Take an overlay off and free it."""
        layer = self._layer(name)
        del self._layers[name]
        with self._in_one_piece():
            self._take(layer)
        close_all(layer)

    def _layer(self, name: str) -> Any:
        if name not in self._layers:
            raise NotFound(f"no overlay {name!r} on this map; there are {', '.join(self._layers) or 'none'}")
        return self._layers[name]

    def _put(self, item: Any) -> None:
        """Add a layer or control; leafmap's own ``add`` makes new widgets for its layer manager each time."""
        self._leaflet.Map.add(self.map, item)

    def _take(self, item: Any) -> None:
        self._leaflet.Map.remove(self.map, item)

    # ---- two sides ------------------------------------------------------------------------------------------------
    def split(self, left: Sequence[tuple[Overlay, float]], right: Sequence[tuple[Overlay, float]]) -> None:
        """Show two stacks of (overlay, opacity), the lowest first, on two sides of a line that the user drags.

        They lie over all other overlays; leaflet clips them in the browser, so dragging asks nothing of the kernel.
        Called again with as many, the images are changed in their places and the line stays where it is.
        """
        wanted = (list(left), list(right))
        if self._split is not None and [len(x) for x in self._split[1]] == [len(x) for x in wanted]:
            for layers, overlays in zip(self._split[1], wanted, strict=True):
                for layer, (overlay, opacity) in zip(layers, overlays, strict=True):
                    with layer.hold_sync():
                        layer.bounds, layer.url, layer.opacity = overlay.bounds, overlay.uri, opacity
            return
        if not left or not right:
            raise InvalidInput(f"each side shows at least one overlay; got {len(left)} and {len(right)}")
        self.unsplit()
        sides = tuple(
            [self._leaflet.ImageOverlay(url=o.uri, bounds=o.bounds, opacity=a, pane=pane) for o, a in overlays]
            for pane, overlays in zip(_SIDES, wanted, strict=True)
        )
        self._split = (self._divide(sides), sides)  # type: ignore[assignment]

    def unsplit(self) -> None:
        """Take the two sides off, and free them."""
        if self._split is not None:
            control, sides = self._split
            self._split = None
            self._take(control)
            # The page put the sides' pictures beside the map's own layers: a change of those takes them off again.
            self._put(sides[0][0])
            self._take(sides[0][0])
            close_all(control, *sides[0], *sides[1])

    @property
    def is_split(self) -> bool:
        """Whether the map shows two sides."""
        return self._split is not None

    def _divide(self, sides: Any) -> Any:
        control = self._leaflet.SplitMapControl(left_layer=sides[0], right_layer=sides[1])
        self._put(control)
        return control

    @contextmanager
    def _in_one_piece(self) -> Iterator[None]:
        """A change of the map's layers takes the sides' pictures off the page: put them on again after it.

        The line goes first, for it looks its pictures up as it goes.
        """
        if self._split is not None:
            self._take(self._split[0])
            self._split[0].close()
        try:
            yield
        finally:
            if self._split is not None:
                self._split = (self._divide(self._split[1]), self._split[1])

    def show_footprints(self, table: Any) -> None:
        """Draw the outlines of items (a GeoDataFrame of `Found.to_geodataframe`) in the place of those before."""
        self.clear_footprints()
        self._footprints = self._leaflet.GeoJSON(
            data=table.drop(columns=[c for c in table.columns if c not in ("id", "geometry")]).__geo_interface__,
            style={"color": "#0b61a4", "weight": 1, "fillOpacity": 0.03},
            hover_style={"fillOpacity": 0.15},
            name="footprints",
        )
        with self._in_one_piece():
            self._put(self._footprints)

    def clear_footprints(self) -> None:
        """Take the outlines off."""
        if self._footprints is not None:
            with self._in_one_piece():
                self._take(self._footprints)
            close_all(self._footprints)
            self._footprints = None

    # ---- where it looks, what is drawn on it ------------------------------------------------------------------
    def fit(self, bounds: Bounds) -> None:
        """Show these bounds ((south, west), (north, east)) as large as they fit, at once.

        leafmap's own ``fit_bounds`` goes to and fro with the browser, so it waits for one, and for an idle kernel.
        """
        self._wanted = bounds
        (south, west), (north, east) = bounds
        width, height = self._size()
        if self._georeferenced:
            top, bottom = _mercator(north), _mercator(south)
            across, down = max(east - west, 1e-9) / 360, max(top - bottom, 1e-9) / (2 * math.pi)
            zoom = math.log2(min(width / across, height / down) / 256)
            middle = math.degrees(2 * math.atan(math.exp((top + bottom) / 2)) - math.pi / 2)
            least, most = 1, 22
        else:
            zoom = math.log2(min(width / max(east - west, 1e-9), height / max(north - south, 1e-9)))
            middle, least, most = (south + north) / 2, -8, 8
        with self.map.hold_sync():
            self.map.center = [middle, (west + east) / 2]
            self.map.zoom = float(min(max(math.floor(zoom / self._snap) * self._snap, least), most))

    def _first_seen(self, change: Any) -> None:
        """The browser says how large the map is: fit once more, now that it is known."""
        if self._wanted is not None and not self._moved and self._size() != (560.0, self._height - 20.0):
            self._moved = True
            self.map.unobserve(self._first_seen, "pixel_bounds")
            self.fit(self._wanted)

    def _size(self) -> tuple[float, float]:
        """Width and height in CSS pixels, with a margin; what a panel usually leaves before a browser has said."""
        seen = self.map.pixel_bounds
        if seen and len(seen) == 2:
            (left, top), (right, bottom) = seen
            if right - left > 50 and bottom - top > 50:
                return right - left - 20, bottom - top - 20
        return 560.0, self._height - 20.0

    def view(self) -> AOI | None:
        """The area that the map shows, or None before a browser has shown it."""
        m = self.map
        if not m.bounds:
            return None
        (south, west), (north, east) = m.bounds
        return AOI.from_bbox((max(west, -180.0), max(south, -90.0), min(east, 180.0), min(north, 90.0)))

    @property
    def aoi(self) -> AOI | None:
        """The area drawn last (`map.user_roi`, as leafmap's users know it), or None."""
        drawn = self.map.user_roi
        return None if drawn is None else AOI.from_geojson(drawn["geometry"], name="drawn")

    def clear_drawing(self) -> None:
        """Take the drawn area off."""
        if self.map.draw_control is not None:
            self.map.draw_control.clear()
        self.map.user_roi = self.map.user_rois = None
        self.map.draw_features = []

    def on_click(self, call: Callable[[float, float], None]) -> None:
        """Call ``call(latitude, longitude)`` at each click on the map (row and column, negative, without a CRS)."""
        self._clicks.append(call)

    def off_click(self, call: Callable[[float, float], None]) -> None:
        """Call it no more."""
        if call in self._clicks:
            self._clicks.remove(call)

    def on_draw(self, call: Callable[[AOI | None], None]) -> None:
        """Call with the area when one is drawn or edited, with None when it is deleted."""
        self._draws.append(call)

    def _interacted(self, **event: Any) -> None:
        if event.get("type") == "click":
            latitude, longitude = event["coordinates"]
            for call in tuple(self._clicks):
                call(latitude, longitude)

    def _drawn(self, control: Any, action: str, geo_json: dict[str, Any]) -> None:
        self.map.user_roi = None if action == "deleted" else geo_json
        for call in self._draws:
            call(None if action == "deleted" else AOI.from_geojson(geo_json["geometry"], name="drawn"))

    # ---- life ---------------------------------------------------------------------------------------------------
    def close(self) -> None:
        """Close the map and its overlays; their memory is freed on both sides."""
        self.unsplit()
        self.clear_footprints()
        self._clicks.clear()
        self._draws.clear()
        self.map.on_interaction(self._interacted, remove=True)
        close_all(self.map, *self._layers.values(), *(x for x in vars(self.map).values() if hasattr(x, "comm")))
        self._layers.clear()

    def __repr__(self) -> str:
        return f"<Canvas with {len(self._layers)} overlays: {', '.join(self._layers)}>"


def _mercator(latitude: float) -> float:
    return math.log(math.tan(math.pi / 4 + math.radians(min(max(latitude, -85.0), 85.0)) / 2))


def link(a: Canvas, b: Canvas) -> tuple[Any, Any]:
    """Move two maps together, in the browser: centre and zoom of one are the other's. Gives the links, to `unlink`."""
    if a is b:
        raise InvalidInput("link takes two maps, got one twice")
    widgets = need("ipywidgets", "link two maps", "maps")
    return widgets.jslink((a.map, "center"), (b.map, "center")), widgets.jslink((a.map, "zoom"), (b.map, "zoom"))
