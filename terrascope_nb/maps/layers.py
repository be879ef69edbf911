"""A trace's pictures and masks on a canvas: one picture below, one mask above, each encoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.maps.warp import STYLES, Bounds, Overlay, change_overlay, mask_overlay, view_overlay, web_grid
from terrascope_nb.reason.measure import same_grid
from terrascope_nb.scene.classes import canonical, color, labels
from terrascope_nb.scene.render import STYLES as VIEWS
from terrascope_nb.scene.render import render

if TYPE_CHECKING:
    from terrascope_nb.maps.leaflet import Canvas
    from terrascope_nb.reason.trace import Trace
    from terrascope_nb.scene.scene import Image, Scene

PICTURES = 6
"""Pictures that the browser holds at most; one that was shown long ago is encoded and sent again."""

GAINED, LOST = "#0072b2", "#d55e00"
UNNAMED = "region"
_SPARE = ("#e69f00", "#332288", "#cc79a7", "#009e73", "#661100", "#6699cc", "#f0e442")


class TraceLayers:
    """What of a trace a map shows.

    Each step's mask goes to the browser once, hidden; to change steps only opacities are sent. A picture is encoded and
    sent when it is first shown, and at most `PICTURES` of them are held.

    Parameters
    ----------
    canvas : Canvas
    trace : Trace
    scene : Scene, optional
        The trace's own scene: it has the bands for other views than the one that the reasoner saw.
    style : "fill" or "outline"
    opacity : float
        Of the masks, 0 … 1.

    Attributes
    ----------
    step : int or None
        Index of the step whose mask is shown.
    image : int
        Index of the image whose picture is shown.
    view : str
        Name of the view it is drawn in.
    """

    def __init__(
        self, canvas: Canvas, trace: Trace, scene: Scene | None = None, style: str = "fill", opacity: float = 1.0
    ) -> None:
        self.canvas, self.trace, self.scene = canvas, trace, scene
        self._style, self._opacity = style, float(opacity)
        self.step: int | None = None
        self.image, self.view = 0, ""
        self._views: dict[int, tuple[str, ...]] = {}
        self._colors: dict[str, str] = {}
        self._pictures: list[str] = []  # the latest shown last
        self._sent = 0
        self._change = False
        self.show_image(trace.steps[0].image if trace.steps else 0)
        self.extend(trace)

    # ---- what there is ------------------------------------------------------------------------------------------
    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views that the image shown can be drawn in; the first is the one the reasoner saw."""
        return self.views_of(self.image)

    def views_of(self, image: int) -> tuple[str, ...]:
        """Names of the views that an image can be drawn in; the first is the one the reasoner saw."""
        if image not in self._views:
            found = [self.trace.frames[image].view.name]
            if self.scene is not None:
                corner = self.scene.images[image].window(slice(0, 1), slice(0, 1))
                found += [name for name in VIEWS if name != found[0] and _drawn(corner, name)]
            self._views[image] = tuple(found)
        return self._views[image]

    @property
    def colors(self) -> dict[str, str]:
        """Colour of each label drawn, ``#rrggbb``, in the order of the steps; those outside the vocabulary differ."""
        return dict(self._colors)

    @property
    def style(self) -> str:
        """How masks are drawn: "fill" or "outline"."""
        return self._style

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
            name = trace.steps[k].label or UNNAMED
            if name not in self._colors:
                self._colors[name] = _hue(name, len(self._colors))
            self.canvas.add(_mask(k), self.mask(k), self._opacity, visible=False)
        self._sent = len(trace.steps)

    def picture(self, image: int, view: str | None = None) -> Overlay:
        """The picture of an image in one of its views, encoded anew; by default as the reasoner saw it."""
        frame = self.trace.frames[image]
        if view is None or view == frame.view.name or self.scene is None:
            return view_overlay(frame.view, frame.grid)
        return view_overlay(render(self.scene.images[image], view), frame.grid)

    def mask(self, k: int) -> Overlay:
        """The mask of a step in its colour and the style chosen, encoded anew. Only what is measured is drawn."""
        step = self.trace.steps[k]
        hue = self._colors[step.label or UNNAMED]
        return mask_overlay(self.trace.regions[k].pixels, self.trace.frames[step.image].grid, hue, self._style)

    def show_image(self, image: int, view: str | None = None) -> None:
        """Show one of the scene's images below the mask, in one of its `views`."""
        if not 0 <= image < len(self.trace.frames):
            raise NotFound(f"image {image} of {len(self.trace.frames)} (0 … {len(self.trace.frames) - 1})")
        offered = self.views_of(image)
        if view is not None and view not in offered:
            raise InvalidInput(unknown("view of this image", view, offered))
        view = view or offered[0]
        name = _picture(image, view)
        if name not in self._pictures:
            self.canvas.add(name, self.picture(image, view))
            self._raise_masks()
        if self._pictures and self._pictures[-1] != name:
            self.canvas.show(self._pictures[-1], 0)
        self._pictures = [*(n for n in self._pictures if n != name), name]
        self.canvas.show(name, 1)
        self.image, self.view = image, view
        while len(self._pictures) > PICTURES:
            self.canvas.remove(self._pictures.pop(0))

    def show_step(self, k: int | None) -> None:
        """Show the mask of step `k` (0 the first); None shows the image alone.

        The picture below stays as it was chosen while the steps are on one image, and changes with their image.
        """
        if k is not None and not 0 <= k < len(self.trace.steps):
            raise NotFound(f"step {k} of {len(self.trace.steps)} (0 … {len(self.trace.steps) - 1})")
        before = self.image if self.step is None else self.trace.steps[self.step].image
        if self.step is not None and self.step != k:
            self.canvas.show(_mask(self.step), 0)
        self.step = k
        if k is None:
            return
        if self.trace.steps[k].image != before:
            self.show_image(self.trace.steps[k].image)
        self.canvas.show(_mask(k), self._opacity)

    def show_opacity(self, opacity: float) -> None:
        """Set how opaque the mask is, 0 … 1."""
        self._opacity = min(max(float(opacity), 0.0), 1.0)
        if self.step is not None:
            self.canvas.show(_mask(self.step), self._opacity)

    def blink(self, on: bool) -> None:
        """Show or hide the mask of the step for a moment."""
        if self.step is not None:
            self.canvas.show(_mask(self.step), self._opacity if on else 0.0)

    def veil(self, on: bool) -> None:
        """Hide picture and mask, while something else is shown in their place; or show them again."""
        if self._pictures:
            self.canvas.show(self._pictures[-1], 0.0 if on else 1.0)
        if self.step is not None:
            self.canvas.show(_mask(self.step), 0.0 if on else self._opacity)

    def show_style(self, style: str) -> None:
        """Fill the masks, or draw their outlines alone; they are encoded and sent anew."""
        if style not in STYLES:
            raise InvalidInput(unknown("style of a mask", style, STYLES))
        if style != self._style:
            self._style = style
            for k in range(self._sent):
                self.canvas.add(_mask(k), self.mask(k), self._opacity, visible=k == self.step)

    def show_change(self, before: int, after: int) -> None:
        """Lay what step `after` gained and lost against step `before` over the map, where both were measured.

        Raises
        ------
        GridMismatch
            When the two lie on two grids.
        """
        a, b = self.trace.regions[before], self.trace.regions[after]
        grid = same_grid(a, b)
        both = a.domain.pixels & b.domain.pixels
        overlay = change_overlay(b.pixels & ~a.pixels & both, a.pixels & ~b.pixels & both, grid, (GAINED, LOST))
        self.canvas.add("change", overlay)
        self._change = True

    def hide_change(self) -> None:
        """Take the overlay of `show_change` off."""
        if self._change:
            self.canvas.remove("change")
            self._change = False

    def close(self) -> None:
        """Take everything of this trace off the canvas."""
        self.hide_change()
        for name in (*self._pictures, *(_mask(k) for k in range(self._sent))):
            if name in self.canvas.names:
                self.canvas.remove(name)
        self._pictures, self._sent, self.step = [], 0, None

    # ---- inside -------------------------------------------------------------------------------------------------
    def _raise_masks(self) -> None:
        """Masks lie over pictures, also over one that is sent later."""
        above = [n for n in self.canvas.names if n.startswith("step ") or n == "change"]
        if above and self.canvas.names[-len(above) :] != tuple(above):
            self.canvas.to_front(above)


def _mask(k: int) -> str:
    return f"step {k}"


def _picture(image: int, view: str) -> str:
    return f"image {image}, {view}"


def _hue(label: str, n: int) -> str:
    """A label's own colour; one of the spare ones for a label outside the vocabulary."""
    return color(label) if canonical(label) in labels() else _SPARE[n % len(_SPARE)]


def _drawn(image: Image, view: str) -> bool:
    """Whether an image's bands allow a view."""
    try:
        render(image, view)
    except (NotFound, InvalidInput):
        return False
    return True
