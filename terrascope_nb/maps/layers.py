"""A trace's pictures and masks on a canvas: one picture below, one mask above, all encoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.maps.warp import STYLES, Bounds, change_overlay, mask_overlay, view_overlay, web_grid
from terrascope_nb.scene.classes import color
from terrascope_nb.scene.render import STYLES as VIEWS
from terrascope_nb.scene.render import render

if TYPE_CHECKING:
    from terrascope_nb.maps.leaflet import Canvas
    from terrascope_nb.reason.trace import Trace
    from terrascope_nb.scene.scene import Image, Scene


class TraceLayers:
    """What of a trace a map shows.

    Each step's mask goes to the browser once, hidden; to change steps only opacities are sent. A picture is encoded and
    sent when it is first shown.

    Parameters
    ----------
    canvas : Canvas
    trace : Trace
    scene : Scene, optional
        The trace's own scene: it has the bands for other views than the one that the reasoner saw.
    style : "fill" or "outline"
    opacity : float
        Of the masks, 0 … 1.
    """

    def __init__(
        self, canvas: Canvas, trace: Trace, scene: Scene | None = None, style: str = "fill", opacity: float = 1.0
    ) -> None:
        self.canvas, self.trace, self.scene = canvas, trace, scene
        self._style, self._opacity = style, float(opacity)
        self.step: int | None = None
        self.image = 0
        self._views: dict[int, tuple[str, ...]] = {}
        self._base = ""
        self._sent = 0
        self._change = False
        self.show_image(trace.steps[0].image if trace.steps else 0)
        self.extend(trace)

    # ---- what there is ------------------------------------------------------------------------------------------
    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views that the image shown can be drawn in; the first is the one the reasoner saw."""
        if self.image not in self._views:
            found = [self.trace.frames[self.image].view.name]
            if self.scene is not None:
                corner = self.scene.images[self.image].window(slice(0, 1), slice(0, 1))
                found += [name for name in VIEWS if name != found[0] and _drawn(corner, name)]
            self._views[self.image] = tuple(found)
        return self._views[self.image]

    @property
    def bounds(self) -> Bounds:
        """Of the image shown."""
        return web_grid(self.trace.frames[self.image].grid).bounds

    @property
    def note(self) -> str:
        """A sentence where the image is shown with fewer pixels than it has."""
        return web_grid(self.trace.frames[self.image].grid).note

    # ---- verbs --------------------------------------------------------------------------------------------------
    def extend(self, trace: Trace) -> None:
        """Take a trace that goes on from the one shown, and send the masks of its new steps."""
        self.trace = trace
        for k in range(self._sent, len(trace.steps)):
            self._send(k)
        self._sent = len(trace.steps)

    def show_image(self, image: int, view: str | None = None) -> None:
        """Show one of the scene's images below the mask, in one of its `views`."""
        if not 0 <= image < len(self.trace.frames):
            raise NotFound(f"image {image} of {len(self.trace.frames)} (0 … {len(self.trace.frames) - 1})")
        self.image = image
        if view is not None and view not in self.views:
            raise InvalidInput(unknown("view of this image", view, self.views))
        name = f"image {image}" + (f", {view}" if view not in (None, self.trace.frames[image].view.name) else "")
        if name not in self.canvas.names:
            frame = self.trace.frames[image]
            drawn = (
                frame.view if name == f"image {image}" or self.scene is None else render(self.scene.images[image], view)
            )
            self.canvas.add(name, view_overlay(drawn, frame.grid))
            self._raise_masks()
        if self._base and self._base != name:
            self.canvas.show(self._base, 0)
        self.canvas.show(name, 1)
        self._base = name

    def show_step(self, k: int | None) -> None:
        """Show the mask of step `k` (0 the first) over its own image; None shows the image alone."""
        if k is not None and not 0 <= k < len(self.trace.steps):
            raise NotFound(f"step {k} of {len(self.trace.steps)} (0 … {len(self.trace.steps) - 1})")
        if self.step is not None and self.step != k:
            self.canvas.show(_mask(self.step), 0)
        self.step = k
        if k is None:
            return
        if self.trace.steps[k].image != self.image:
            self.show_image(self.trace.steps[k].image)
        self.canvas.show(_mask(k), self._opacity)

    def show_opacity(self, opacity: float) -> None:
        """Set how opaque the mask is, 0 … 1."""
        self._opacity = min(max(float(opacity), 0.0), 1.0)
        if self.step is not None:
            self.canvas.show(_mask(self.step), self._opacity)

    def show_style(self, style: str) -> None:
        """Fill the masks, or draw their outlines alone; they are encoded and sent anew."""
        if style not in STYLES:
            raise InvalidInput(unknown("style of a mask", style, STYLES))
        if style != self._style:
            self._style = style
            for k in range(self._sent):
                self._send(k)

    def show_change(self, before: int, after: int) -> tuple[int, int]:
        """Lay what step `after` gained and lost against step `before` over the map; pixels seen on both dates only.

        Returns
        -------
        (int, int)
            Pixels gained and lost.
        """
        a, b = self.trace.regions[before], self.trace.regions[after]
        if a.grid != b.grid:
            raise InvalidInput(
                f"steps {before} and {after} lie on two grids, so their masks cannot be compared by pixel"
            )
        both = a.domain.pixels & b.domain.pixels
        gained, lost = b.pixels & ~a.pixels & both, a.pixels & ~b.pixels & both
        self.hide_change()
        self.canvas.add("change", change_overlay(gained, lost, a.grid))
        self._change = True
        return int(np.count_nonzero(gained)), int(np.count_nonzero(lost))

    def hide_change(self) -> None:
        """Take the overlay of `show_change` off."""
        if self._change:
            self.canvas.remove("change")
            self._change = False

    def close(self) -> None:
        """Take everything of this trace off the canvas."""
        self.hide_change()
        for name in self.canvas.names:
            if name.startswith(("image ", "step ")):
                self.canvas.remove(name)
        self._base, self._sent, self.step = "", 0, None

    # ---- inside -------------------------------------------------------------------------------------------------
    def _send(self, k: int) -> None:
        step = self.trace.steps[k]
        mask = self.trace.regions[k].pixels  # only what is measured is drawn
        hue = color(step.label) if step.label else "#e69f00"
        overlay = mask_overlay(mask, self.trace.frames[step.image].grid, hue, self._style)
        self.canvas.add(_mask(k), overlay, self._opacity, visible=k == self.step)

    def _raise_masks(self) -> None:
        """Masks lie over pictures, also over one that is sent later."""
        above = [n for n in self.canvas.names if n.startswith("step ") or n == "change"]
        self.canvas.to_front(above)


def _mask(k: int) -> str:
    return f"step {k}"


def _drawn(image: Image, view: str) -> bool:
    """Whether an image's bands allow a view."""
    try:
        render(image, view)
    except (NotFound, InvalidInput):
        return False
    return True
