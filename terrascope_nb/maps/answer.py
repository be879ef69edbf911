"""AnswerSection: the answer — one on the map, growing as it comes, or two side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from terrascope_nb._html import tag
from terrascope_nb._optional import need
from terrascope_nb.maps.closing import close_all
from terrascope_nb.maps.compare import Compare
from terrascope_nb.maps.stepper import TraceView
from terrascope_nb.maps.timeline import Timeline, has_dates
from terrascope_nb.maps.work import guard_buttons, guarded

if TYPE_CHECKING:
    from terrascope_nb.maps.leaflet import Canvas
    from terrascope_nb.reason.trace import Trace
    from terrascope_nb.scene.scene import Scene

SCENE = "scene"  # name of the overlay that shows a scene before it is asked


class AnswerSection:
    """The fourth section of the panel.

    Parameters
    ----------
    canvas : Canvas
    basemap : str or None
        Of a comparison's two maps.
    blank : callable
        ``blank(modality)`` asks again without that sensor.
    fail : callable
        ``fail(what, error)``.
    log : callable
        Takes each action on the answer as a line of Python.

    Attributes
    ----------
    view : TraceView or None
        What is shown.
    timeline : Timeline or None
        Of an answer with several dates or sensors.
    compared : Compare or None
        Two answers side by side.
    widget : ipywidgets.VBox
    pair : ipywidgets.VBox
        Where these two go; they need the whole width.

    Notes
    -----
    What is shown changes in the kernel's main thread and in a worker's; one of them at a time.
    """

    def __init__(
        self,
        canvas: Canvas,
        basemap: str | None,
        blank: Callable[[str], Any],
        fail: Callable[[str, Exception], Any],
        log: Callable[[str], Any] = lambda line: None,
    ) -> None:
        self._w = need("ipywidgets", "show an answer in a notebook", "maps")
        self._canvas, self._basemap, self._blank, self._fail, self._log = canvas, basemap, blank, fail, log
        self._lock = threading.RLock()
        self.view: TraceView | None = None
        self.timeline: Timeline | None = None
        self.compared: Compare | None = None
        self.widget, self.pair = self._w.VBox([]), self._w.VBox([])
        self.widget.add_class("tsnb-answer")
        self.clear()

    def show(self, trace: Trace, scene: Scene | None, running: bool = False) -> TraceView:
        """Show a trace in the place of what is shown; `running`: the beginning of one."""
        with self._lock:
            self._close()
            if SCENE in self._canvas.names:
                self._canvas.remove(SCENE)  # the view sends the picture of its own
            blank = self._blank if scene is not None else None
            self.view = TraceView(self._canvas, trace, scene, self._looked, on_blank=blank, running=running)
            self._put(self.view.widget)
            return self.view

    def grow(self, view: TraceView, trace: Trace) -> bool:
        """Let a view go on with more of its trace; False, and nothing, where another is shown meanwhile."""
        with self._lock:
            if view is not self.view:
                return False
            view.extend(trace)
            return True

    def finish(self) -> None:
        """The trace that is shown is as whole as it gets: offer its dates."""
        with self._lock:
            if self.view is None:
                return
            self.view.settle()
            if has_dates(self.view.trace):
                self.timeline = Timeline(self.view)
                self._put(self.view.widget, self.timeline.widget)
            guard_buttons(self.widget, self._fail)

    def beside(self, left: Trace, right: Trace, scene: Scene | None) -> Compare:
        """Lay two answers side by side, below the map."""
        with self._lock:
            self.part()
            self.compared = Compare(left, right, scene, basemap=self._basemap)
            done = self._w.Button(
                description="Close the comparison", tooltip="Close the comparison: take both maps off"
            )
            done.on_click(guarded("closing the comparison", lambda _: self.part(), self._fail))
            guard_buttons(self.compared.widget, self._fail)
            self.pair.children = [self.compared.widget, done]
            return self.compared

    def part(self) -> None:
        """Take a comparison off."""
        with self._lock:
            compared, self.compared = self.compared, None
            gone, self.pair.children = self.pair.children, []
            if compared is not None:
                compared.close()
            close_all(*gone)

    def clear(self) -> None:
        """Show none."""
        with self._lock:
            self._close()
            self._put(self._w.HTML(str(tag("p", "No answer yet.", cls="small"))))

    def close(self) -> None:
        """Free what is shown."""
        with self._lock:
            self.part()
            self._close()
            self._put()

    def _looked(self, line: str) -> None:
        if self.view is not None and not self.view.running:  # not what it does by itself
            self._log(line)

    def _close(self) -> None:
        view, timeline = self.view, self.timeline
        self.view = self.timeline = None
        if timeline is not None:
            timeline.close()
        if view is not None:
            view.close()

    def _put(self, *widgets: Any) -> None:
        gone, self.widget.children = self.widget.children, widgets
        close_all(*(x for x in gone if x not in widgets))
