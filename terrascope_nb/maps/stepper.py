"""TraceView: the sentences of a trace beside its map; two views of one thing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from terrascope_nb._html import tag
from terrascope_nb._optional import need
from terrascope_nb.errors import NotFound
from terrascope_nb.maps.closing import close_all
from terrascope_nb.maps.inspector import Place, inspect
from terrascope_nb.maps.layers import TraceLayers
from terrascope_nb.maps.readout import head_html, legend_html, picture_words, plain, step_html
from terrascope_nb.maps.said import Said
from terrascope_nb.maps.warp import STYLES, Bounds, around
from terrascope_nb.reason.show.captions import image_words

if TYPE_CHECKING:
    from terrascope_nb.maps.leaflet import Canvas
    from terrascope_nb.reason.trace import Trace
    from terrascope_nb.scene.scene import Scene

SENSORS = {"optical": "optical", "sar": "SAR"}
_FLASHES, _FLASH = 4, 0.16  # times, seconds
PACE = 1.5
"""Seconds that a step stays while the steps are played."""

_HINT = "Click on the map: what its masks, scores and bands say of that place is written here."


class TraceView:
    """Step through a trace: slider, sentences, legend, claims, what lies at a click.

    Parameters
    ----------
    canvas : Canvas
    trace : Trace
    scene : Scene, optional
        The trace's own scene, for other views and band values.
    log : callable, optional
        Called with a line of Python for each action.
    on_blank : callable, optional
        ``on_blank("optical" | "sar")`` asks again without that sensor; without it there are no such buttons.
    running : bool
        The run that makes the trace goes on: `extend` brings more, `settle` says that it ended.

    Attributes
    ----------
    widget : ipywidgets.VBox
        The panel; the map is ``canvas.map``.
    layers : TraceLayers
        What of the trace is on the map.
    place : Place or None
        What was clicked last.
    """

    def __init__(
        self,
        canvas: Canvas,
        trace: Trace,
        scene: Scene | None = None,
        log: Callable[[str], None] | None = None,
        on_blank: Callable[[str], Any] | None = None,
        running: bool = False,
    ) -> None:
        w = need("ipywidgets", "step through a trace in a notebook", "maps")
        self._w, self.canvas, self.trace, self.scene = w, canvas, trace, scene
        self._log = log or (lambda line: None)
        self.layers = TraceLayers(canvas, trace, scene)
        self.place: Place | None = None
        self.running = running
        self._busy = self._closed = False
        self._flash: threading.Timer | None = None
        self._next: threading.Timer | None = None
        self._listeners: list[Callable[[], None]] = []
        self._head, self._detail, self._legend = w.HTML(), w.HTML(), w.HTML()
        self._spot = w.HTML(str(tag("p", _HINT, cls="small")))
        self.slider = w.IntSlider(
            value=0, min=0, max=0, description="Step", layout={"width": "98%"}, continuous_update=True
        )
        self.play = w.ToggleButton(description="Play", icon="play", tooltip="Go through the steps by themselves")
        self.back = w.Button(description="Previous", icon="step-backward", tooltip="Previous step")
        self.forth = w.Button(description="Next", icon="step-forward", tooltip="Next step")
        self.base = w.Dropdown(description="Picture", options=[("", None)], layout={"width": "98%"})
        self.style = w.ToggleButtons(options=list(STYLES), description="Masks", tooltips=["Filled", "Outline alone"])
        self.style.style.button_width = "80px"
        self.opacity = w.FloatSlider(value=1.0, min=0, max=1, step=0.05, description="Opacity", layout={"width": "98%"})
        self.said = Said(self._sentence)
        self._steps = w.HBox([self.back, self.forth, self.play])
        self._steps.add_class("tsnb-steps")
        self.blank = self._blank_buttons(on_blank)
        self.widget = w.VBox([
            self._head, self._steps, self.slider, self.said.widget, self._detail, self.blank, self._legend, self._spot,
            self.base, self.style, self.opacity,
        ])  # fmt: skip
        self.widget.add_class("tsnb-view")
        self.slider.observe(lambda change: self._stepped(change["new"]), "value")
        self.base.observe(self._based, "value")
        self.style.observe(lambda change: self._styled(change["new"]), "value")
        self.opacity.observe(lambda change: self.layers.show_opacity(change["new"]), "value")
        self.play.observe(lambda change: self._play(change["new"]), "value")
        self.back.on_click(lambda _: self.go(-1))
        self.forth.on_click(lambda _: self.go(1))
        canvas.on_click(self._clicked)
        self._renew()
        canvas.fit(self.layers.bounds)
        if trace.steps:
            self.step = len(trace.steps) if running else 1

    # ---- the step -------------------------------------------------------------------------------------------------
    @property
    def step(self) -> int:
        """The step shown, 1 the first; 0 shows the image alone."""
        return 0 if self.layers.step is None else self.layers.step + 1

    @step.setter
    def step(self, number: int) -> None:
        if not 0 <= number <= len(self.trace.steps):
            raise NotFound(f"step {number} of {len(self.trace.steps)} (0 shows the image alone)")
        self.slider.value = number
        if self.step != number:
            self._stepped(number)

    def go(self, by: int) -> None:
        """Go `by` steps on, at most to the first or the last."""
        self.step = min(max(self.step + by, 0), len(self.trace.steps))

    def flash(self, number: int) -> None:
        """Show a step, let its mask flash, and fit the map to it."""
        self.step = number
        if number == 0:
            return
        bounds = self._extent(number - 1)
        if bounds is not None:
            self.canvas.fit(bounds)
        if self._flash is not None:
            self._flash.cancel()
        self._blink(number, 2 * _FLASHES)

    def extend(self, trace: Trace) -> None:
        """Show a trace that goes on from the one shown: what is new is added, what is there stays.

        Who looks at the newest step is taken on to the next; who went back stays there.
        """
        shown, newest = self.step, self.step == len(self.trace.steps)
        self.trace = trace
        self.running = trace.answer.finish == "cancelled"
        self.layers.extend(trace)
        self._renew()
        if newest and self.step == shown != len(trace.steps):  # a user may have stepped back meanwhile
            self.step = len(trace.steps)
        self._tell()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def settle(self) -> None:
        """The run ended: the trace is as it stays, also one that was cancelled."""
        if self.running:
            self.running = False
            self._renew()
            self._tell()

    def show_picture(self, image: int, view: str | None = None) -> None:
        """Show the picture of an image below the mask, in one of its views."""
        self.layers.show_image(image, view)
        self._offer_views()
        self._tell()

    def at(self, latitude: float, longitude: float) -> Place:
        """What the trace says of a place, shown in the panel too."""
        self.place = inspect(self.trace, longitude, latitude, self.layers.image, self.scene)
        self._spot.value = str(tag("div", tag("h4", "At the click"), self.place.html(), aria_live="polite"))
        self._light()
        return self.place

    def listen(self, call: Callable[[], None]) -> None:
        """Call after each change of step, picture or trace."""
        self._listeners.append(call)

    def close(self) -> None:
        """Take the trace off the map, and free the panel's widgets."""
        self._closed = True
        for timer in (self._flash, self._next):
            if timer is not None:
                timer.cancel()
        self.canvas.off_click(self._clicked)
        self._listeners.clear()
        self.layers.close()
        close_all(self.widget, *self.said.widgets)

    # ---- what happens on the page ---------------------------------------------------------------------------------
    def _stepped(self, number: int) -> None:
        if number > len(self.trace.steps) or self._closed:
            return
        self.layers.show_step(number - 1 if number else None)
        self._light()
        self._offer_views()
        self._write_step()
        self._log(f"view.step = {number}")
        self._tell()

    def _based(self, change: Any) -> None:
        if not self._busy and change["new"] is not None:
            self.show_picture(*change["new"])
            self._log("view.show_picture({}, {!r})".format(*change["new"]))

    def _styled(self, style: str) -> None:
        self.layers.show_style(style)
        self._log(f"view.layers.show_style({style!r})")
        self._tell()

    def _clicked(self, latitude: float, longitude: float) -> None:
        self.at(latitude, longitude)
        self._log(f"view.at({latitude:.6f}, {longitude:.6f})")

    def _blink(self, number: int, left: int) -> None:
        if self._closed or self.step != number:
            return
        self.layers.blink(left % 2 == 0)
        if left:
            self._flash = threading.Timer(_FLASH, self._blink, (number, left - 1))
            self._flash.daemon = True
            self._flash.start()

    def _play(self, on: bool) -> None:
        """Go through the steps, from the first where the last is shown; until the last, or until it is switched off."""
        if self._next is not None:
            self._next.cancel()
        if on and self.step == len(self.trace.steps):
            self.step = min(1, self.step)
            self._wait()
        elif on:
            self._on()

    def _on(self) -> None:
        if self._closed or not self.play.value:
            return
        self.go(1)
        self._wait()

    def _wait(self) -> None:
        if self.step == len(self.trace.steps):
            self.play.value = False
            return
        self._next = threading.Timer(PACE, self._on)
        self._next.daemon = True
        self._next.start()

    def _tell(self) -> None:
        for call in tuple(self._listeners):
            call()

    # ---- what is written ------------------------------------------------------------------------------------------
    def _renew(self) -> None:
        """Head, sentences, legend, step and controls of the trace as it is now."""
        trace, n = self.trace, len(self.trace.steps)
        self._head.value = str(head_html(trace, self.running, self.layers.note))
        self.said.write(trace)
        self._write_step()
        self._legend.value = str(legend_html(trace, self.layers.colors))
        self.slider.max = n
        self._steps.layout.display = self.slider.layout.display = None if n else "none"
        self._offer_views()
        self._light()

    def _write_step(self) -> None:
        k = self.layers.step
        self._detail.value = "" if k is None else str(step_html(self.trace, k, self.running))

    def _sentence(self, k: int) -> None:
        self.flash(k + 1)
        self._log(f"view.flash({k + 1})")

    def _light(self) -> None:
        """Mark the sentence of the step shown, and those whose masks hold the place clicked."""
        self.said.light(self.step - 1, () if self.place is None else self.place.steps)

    def _offer_views(self) -> None:
        image = self.layers.image
        frame = self.trace.frames[image]
        offered = [(picture_words(frame, view), (image, view)) for view in self.layers.views]
        others = [
            (f"{image_words(f)} (image {k})", (k, f.view.name)) for k, f in enumerate(self.trace.frames) if k != image
        ]
        options = tuple((plain(words), value) for words, value in [*offered, *others])
        self._busy = True
        if options != tuple(self.base.options):
            self.base.options = options
        self.base.value = (image, self.layers.view)
        self._busy = False

    def _blank_buttons(self, on_blank: Callable[[str], Any] | None) -> Any:
        buttons = []
        there = dict.fromkeys(f.modality for f in self.trace.frames if not f.blanked)
        for modality in there if on_blank is not None else ():
            name = SENSORS[modality]
            button = self._w.Button(
                description=f"Blank {name} and ask again", icon="eye-slash",
                tooltip=f"Ask the same question with the {name} image blanked: was that sensor used?",
            )  # fmt: skip
            button.on_click(lambda _, m=modality: on_blank(m))  # type: ignore[misc]
            buttons.append(button)
        box = self._w.HBox(buttons, layout=self._w.Layout(flex_flow="row wrap"))
        box.add_class("tsnb-blank")
        return box

    def _extent(self, k: int) -> Bounds | None:
        return around(self.trace.regions[k].pixels, self.trace.frames[self.trace.steps[k].image].grid)

    def __repr__(self) -> str:
        return f"<TraceView of {self.trace.question!r}, step {self.step} of {len(self.trace.steps)}>"
