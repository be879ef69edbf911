"""TraceView: the sentences of a trace beside its map; two views of one thing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from terrascope_nb._html import Safe, tag
from terrascope_nb._optional import need
from terrascope_nb.errors import NotFound
from terrascope_nb.maps.inspector import Place, inspect
from terrascope_nb.maps.layers import TraceLayers
from terrascope_nb.reason.events import SEG
from terrascope_nb.reason.show.captions import (
    SIGNS,
    agreement,
    answer_words,
    claimed_words,
    image_words,
    measured_words,
    no_answer_words,
    value_words,
)
from terrascope_nb.scene.classes import color

if TYPE_CHECKING:
    from terrascope_nb.maps.leaflet import Canvas
    from terrascope_nb.reason.trace import Trace
    from terrascope_nb.scene.scene import Scene

SOURCES = {"only": "the only image", "written": "named in the text", "rule": "by rule", "round-robin": "in turn"}
_FLASHES, _FLASH = 4, 0.16  # times, seconds


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

    Attributes
    ----------
    widget : ipywidgets.VBox
        The panel; the map is ``canvas.map``.
    place : Place or None
        What was clicked last.
    """

    def __init__(
        self, canvas: Canvas, trace: Trace, scene: Scene | None = None, log: Callable[[str], None] | None = None
    ) -> None:
        w = need("ipywidgets", "step through a trace in a notebook", "maps")
        self._w, self.canvas, self.trace, self.scene = w, canvas, trace, scene
        self._log = log or (lambda line: None)
        self.layers = TraceLayers(canvas, trace, scene)
        self.place: Place | None = None
        self._busy = False
        self._flash: threading.Timer | None = None
        self._sentences: dict[int, Any] = {}
        self._head, self._detail, self._legend, self._spot = (w.HTML() for _ in range(4))
        full = w.Layout(width="100%")
        self.slider = w.IntSlider(value=0, min=0, max=0, description="Step", layout=full, continuous_update=True)
        self.play = w.Play(value=0, min=0, max=0, interval=1500, description="Play the steps")
        self._link = w.jslink((self.play, "value"), (self.slider, "value"))
        self.back = w.Button(description="Previous", icon="step-backward", tooltip="Previous step")
        self.forth = w.Button(description="Next", icon="step-forward", tooltip="Next step")
        self.base = w.Dropdown(description="Picture", options=[""], layout=full)
        self.style = w.ToggleButtons(options=["fill", "outline"], description="Masks")
        self.style.style.button_width = "70px"
        self.opacity = w.FloatSlider(value=1.0, min=0, max=1, step=0.05, description="Opacity", layout=full)
        self.said = w.VBox([])
        self.said.add_class("tsnb-said")
        self.widget = w.VBox(
            [
                self._head,
                w.HBox([self.back, self.forth, self.play], layout=w.Layout(flex_flow="row wrap")),
                self.slider,
                self.said,
                self._detail,
                self._legend,
                self._spot,
                self.base,
                self.style,
                self.opacity,
            ]
        )
        self.slider.observe(lambda change: self._stepped(change["new"]), "value")
        self.base.observe(self._based, "value")
        self.style.observe(lambda change: self._styled(change["new"]), "value")
        self.opacity.observe(lambda change: self.layers.show_opacity(change["new"]), "value")
        self.back.on_click(lambda _: self.go(-1))
        self.forth.on_click(lambda _: self.go(1))
        canvas.on_click(self._clicked)
        self.extend(trace)
        canvas.fit(self.layers.bounds)
        if trace.steps:
            self.step = 1

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
        """Show a trace that goes on from the one shown: what is new is added, what is there stays."""
        self.trace = trace
        self.layers.extend(trace)
        n = len(trace.steps)
        with self.slider.hold_sync(), self.play.hold_sync():
            self.slider.max = self.play.max = n
        self._write()
        self._offer_views()

    def at(self, latitude: float, longitude: float) -> Place:
        """What the trace says of a place, shown in the panel too."""
        self.place = inspect(self.trace, longitude, latitude, self.layers.image, self.scene)
        self._spot.value = str(tag("div", tag("h4", "At the click"), self.place.html(), aria_live="polite"))
        self._light()
        return self.place

    def close(self) -> None:
        """Take the trace off the map and close the panel's widgets."""
        if self._flash is not None:
            self._flash.cancel()
        self.layers.close()
        self._link.unlink()
        for widget in [*self.said.children, *self.widget.children, self.widget]:
            widget.close()

    # ---- what happens on the page ---------------------------------------------------------------------------------
    def _stepped(self, number: int) -> None:
        if number > len(self.trace.steps):
            return
        self.layers.show_step(number - 1 if number else None)
        self._light()
        self._offer_views()
        self._detail.value = str(self._step_html(number - 1) if number else "")
        self._log(f"view.step = {number}")

    def _based(self, change: Any) -> None:
        if self._busy or not change["new"]:
            return
        image, view = change["new"]
        if image == self.layers.image or self.layers.step is None:
            self.layers.show_image(image, view)
        self._log(f"view.layers.show_image({image}, {view!r})")

    def _styled(self, style: str) -> None:
        self.layers.show_style(style)
        self._log(f"view.layers.show_style({style!r})")

    def _clicked(self, latitude: float, longitude: float) -> None:
        self.at(latitude, longitude)
        self._log(f"view.at({latitude:.6f}, {longitude:.6f})")

    def _blink(self, number: int, left: int) -> None:
        if self.step != number:
            return
        self.layers.canvas.show(f"step {number - 1}", self.opacity.value if left % 2 == 0 else 0.0)
        if left:
            self._flash = threading.Timer(_FLASH, self._blink, (number, left - 1))
            self._flash.daemon = True
            self._flash.start()

    # ---- what is written ------------------------------------------------------------------------------------------
    def _write(self) -> None:
        """The head, the sentences and the legend of the trace as it is now."""
        trace = self.trace
        words, kind = agreement(trace)
        ended = trace.answer.finish != "cancelled" or bool(trace.answer.text)
        reason = no_answer_words(trace)
        self._head.value = str(
            tag(
                "div",
                tag("p", trace.question, cls="small"),
                tag("p", answer_words(trace) or ("…" if not ended else "No answer"), cls="answer", aria_live="polite"),
                tag("p", reason, cls="small") if reason else None,
                tag("p", words, cls=kind),
                [tag("p", f"Problem: {p}", cls="bad") for p in trace.problems],
                tag("p", self.layers.note, cls="small") if self.layers.note else None,
            )
        )
        children = []
        for text, k in trace.passages():
            said = " ".join(text.replace(SEG, "▣").split())
            if k is None:
                if said:
                    between = self._w.HTML(str(tag("span", said)))
                    between.add_class("tsnb-between")
                    children.append(between)
                continue
            button = self._sentences.get(k)
            if button is None:
                button = self._w.Button(tooltip=f"Show the mask of step {k + 1} and fit the map to it")
                button.add_class("tsnb-sentence")
                button.on_click(lambda _, k=k: self._sentence(k))
                self._sentences[k] = button
            button.description = f"{k + 1}. {said}"
            children.append(button)
        gone = [c for c in self.said.children if c not in children]
        self.said.children = children
        for widget in gone:
            widget.close()
        shown = list(dict.fromkeys(s.label or "region" for s in trace.steps))
        self._legend.value = str(
            tag("div", tag("h4", "Legend"), [
                tag("p", tag("span", cls="swatch", style=f"background:{color(n) if n != 'region' else '#e69f00'}"), n)
                for n in shown
            ]) if shown else ""
        )  # fmt: skip

    def _sentence(self, k: int) -> None:
        self.flash(k + 1)
        self._log(f"view.flash({k + 1})")

    def _light(self) -> None:
        """Mark the sentence of the step shown, and those whose masks hold the place clicked."""
        held = set() if self.place is None else set(self.place.steps)
        for k, button in self._sentences.items():
            (button.add_class if k + 1 == self.step else button.remove_class)("on")
            (button.add_class if k in held else button.remove_class)("held")

    def _offer_views(self) -> None:
        image = self.layers.image
        name = image_words(self.trace.frames[image])
        offered = [
            (name if n == 0 else f"{name.split(',')[0]}, {v}", (image, v)) for n, v in enumerate(self.layers.views)
        ]
        others = [
            (f"{image_words(f)} (image {k})", (k, f.view.name)) for k, f in enumerate(self.trace.frames) if k != image
        ]
        if [*offered, *others] != list(self.base.options):
            self._busy = True
            self.base.options = [*offered, *others]
            self._busy = False

    def _step_html(self, k: int) -> Safe:
        step, trace = self.trace.steps[k], self.trace
        rows = [
            tag("tr", tag("td", SIGNS[c.verdict], " ", c.verdict), tag("td", c.text), tag("td", claimed_words(c)),
                tag("td", value_words(c.measured, c.unit)), cls=c.verdict.replace(" ", "-"), title=c.why)
            for c in trace.claims if k in c.steps
        ]  # fmt: skip
        sar = f" · {100 * step.sar_share:.0f} % of the region from SAR" if step.sar_share else ""
        seen = f"{image_words(trace.frames[step.image])} ({SOURCES.get(step.image_source, step.image_source)}){sar}"
        return tag(
            "div",
            tag("p", tag("b", f"{k + 1}. {step.label or 'region'} "), measured_words(step)),
            tag("p", seen, cls="small"),
            tag("table", tag("tr", [tag("th", h) for h in ("Verdict", "Claim", "Claimed", "Measured")]), rows)
            if rows else tag("p", "No claim to check in this step.", cls="small"),
            tag("p", step.note, cls="small") if step.note else None,
            aria_live="polite",
        )  # fmt: skip

    def _extent(self, k: int) -> Any:
        """Bounds of a mask on the map, with a margin; None for an empty one."""
        import numpy as np

        region, grid = self.trace.regions[k].pixels, self.trace.frames[self.trace.steps[k].image].grid
        rows, cols = np.nonzero(region.any(axis=1))[0], np.nonzero(region.any(axis=0))[0]
        if not len(rows):
            return None
        margin = max(4, (rows[-1] - rows[0]) // 8, (cols[-1] - cols[0]) // 8)
        r = np.array([rows[0] - margin, rows[-1] + margin + 1])
        c = np.array([cols[0] - margin, cols[-1] + margin + 1])
        if grid.crs is None:
            return (-float(r[1]), float(c[0])), (-float(r[0]), float(c[1]))
        lon, lat = grid.lonlat(np.repeat(r, 2) - 0.5, np.tile(c, 2) - 0.5)
        middle = float(grid.lonlat(grid.height / 2, grid.width / 2)[0])
        lon = (np.asarray(lon) - middle + 180) % 360 - 180 + middle
        return (float(np.min(lat)), float(lon.min())), (float(np.max(lat)), float(lon.max()))

    def __repr__(self) -> str:
        return f"<TraceView of {self.trace.question!r}, step {self.step} of {len(self.trace.steps)}>"
