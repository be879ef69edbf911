"""Compare: two traces beside each other on linked maps, with what they agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from terrascope_nb._optional import need
from terrascope_nb.errors import InvalidInput
from terrascope_nb.maps.agree import claim_pairs, compare_html, iou_words, mask_agreement
from terrascope_nb.maps.closing import close_all
from terrascope_nb.maps.leaflet import Canvas, link
from terrascope_nb.maps.stepper import TraceView
from terrascope_nb.maps.style import STYLE
from terrascope_nb.maps.warp import web_grid

if TYPE_CHECKING:
    from terrascope_nb.reason.trace import Trace
    from terrascope_nb.scene.scene import Scene


class Compare:
    """Two traces on two linked maps.

    Parameters
    ----------
    left, right : Trace
        Of one scene, or of two of one place.
    scene : Scene, optional
        That both were asked of, for other views and band values.
    basemap, height
        As of `Canvas`.

    Attributes
    ----------
    widget : ipywidgets.VBox
    views : (TraceView, TraceView)
    agreements : tuple of Agreement
    claims : tuple of ClaimPair

    Raises
    ------
    InvalidInput
        Where one lies on the ground and the other has no CRS.
    """

    def __init__(
        self,
        left: Trace,
        right: Trace,
        scene: Scene | None = None,
        *,
        basemap: str | None = "OpenStreetMap",
        height: str = "380px",
    ) -> None:
        w = need("ipywidgets", "compare traces in a notebook", "maps")
        grids = [trace.frames[0].grid for trace in (left, right)]
        placed = [grid.crs is not None for grid in grids]
        if placed[0] != placed[1]:
            raise InvalidInput("one trace lies on the ground and the other has no CRS: they cannot share a map")
        self.agreements, self.claims = mask_agreement(left, right), claim_pairs(left, right)
        self._following = self._closed = False
        canvases = [Canvas(web_grid(g).bounds, basemap, georeferenced=placed[0], height=height) for g in grids]
        self.views = tuple(
            TraceView(c, t, scene if _fits(scene, t) else None) for c, t in zip(canvases, (left, right), strict=True)
        )
        self._links = link(*canvases)
        self.together = w.Checkbox(
            value=True, description="Show the same label on both maps", indent=False, layout=w.Layout(width="98%")
        )
        sides = []
        for canvas, view in zip(canvases, self.views, strict=True):
            view.canvas.map.layout.margin = "0 0 6px 0"
            sides.append(w.VBox([canvas.map, view.widget]))
        row = w.HBox(sides)
        row.add_class("tsnb-row")
        pair = w.VBox([row])
        pair.add_class("tsnb-pair")
        head = w.HTML(str(compare_html(left, right, self.agreements, self.claims)))
        self.widget = w.VBox([w.HTML(f"<style>{STYLE}</style>"), head, self.together, pair])
        self.widget.add_class("tsnb-x")
        for one, other in (self.views, self.views[::-1]):
            one.listen(lambda one=one, other=other: self._follow(one, other))

    def close(self) -> None:
        """Close both maps and panels, and free their memory."""
        self._closed = True
        for view in self.views:
            view.close()
            view.canvas.close()
        close_all(*self._links, self.widget)

    def _follow(self, one: TraceView, other: TraceView) -> None:
        """The other map shows the same label on the same image, where it has one."""
        if self._following or self._closed or not self.together.value:
            return
        self._following = True
        try:
            if one.step == 0:
                other.step = 0
                if one.layers.image < len(other.trace.frames):
                    other.show_picture(one.layers.image)
                return
            side = "left" if one is self.views[0] else "right"
            across = "right" if side == "left" else "left"
            for pair in self.agreements:
                if getattr(pair, side) == one.step - 1:
                    other.step = getattr(pair, across) + 1
                    return
        finally:
            self._following = False

    def _ipython_display_(self) -> None:
        bundle = self.widget._repr_mimebundle_() | {"text/plain": repr(self)}
        need("IPython.display", "show a comparison", "maps").display(bundle, raw=True)

    def __repr__(self) -> str:
        lines = [f"<Compare {self.views[0].trace.reasoner or 'left'} and {self.views[1].trace.reasoner or 'right'}"]
        lines += [f"  {a.label}, {a.seen}: IoU {iou_words(a)}" for a in self.agreements]
        return "\n".join(lines) + ">"


def _fits(scene: Scene | None, trace: Trace) -> bool:
    if scene is None or len(scene.images) != len(trace.frames):
        return False
    pairs = zip(scene.images, trace.frames, strict=True)
    return all(a.grid == b.grid and a.blanked == b.blanked for a, b in pairs)
