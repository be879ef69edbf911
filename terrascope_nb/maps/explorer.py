"""Explorer: from a place on a map to an answer that is stepped through, in one widget."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrascope_nb._html import tag
from terrascope_nb._optional import need
from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, TerrascopeError
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.maps.asking import AskSection
from terrascope_nb.maps.data import DataSection, Wanted, scene_bytes
from terrascope_nb.maps.leaflet import Canvas
from terrascope_nb.maps.place import PlaceSection
from terrascope_nb.maps.recipe import Recipe
from terrascope_nb.maps.saving import SaveSection, save
from terrascope_nb.maps.stepper import TraceView
from terrascope_nb.maps.style import STYLE
from terrascope_nb.maps.warp import view_overlay, web_grid
from terrascope_nb.maps.work import Failure, Stopped, Task, Worker
from terrascope_nb.reason.events import Progress
from terrascope_nb.reason.reasoner import follow
from terrascope_nb.reason.trace import Trace
from terrascope_nb.scene.load import load_scene
from terrascope_nb.scene.scene import Scene
from terrascope_nb.stac.catalog import search

if TYPE_CHECKING:
    from terrascope_nb.stac.catalog import Found

TITLES = ("Place", "Imagery", "Question", "Answer", "Save and code")
_OPTIONS = ("aoi", "dates", "reasoner", "catalog", "optical", "sar", "max_cloud", "basemap", "height")


class Explorer:
    """Draw a place, load imagery, ask, step through the answer. Every control has a verb here that does the same.

    Parameters
    ----------
    scene : Scene, optional
        Skips place and imagery.
    trace : Trace, optional
        Skips all but the answer; with its `scene` also other views, band values, and further questions.
    **options
        ``aoi`` (AOI or box), ``dates``, ``reasoner`` (default "spectral"), ``catalog`` ("planetary-computer"),
        ``optical`` ("sentinel-2-l2a"), ``sar`` (None), ``max_cloud`` (percent), ``basemap`` ("OpenStreetMap"; None
        fetches none), ``height`` ("480px").

    Attributes
    ----------
    aoi, found, scene, trace, error
        What there is so far, or None.
    history : tuple of Trace
        Every answer, the latest last.
    view : TraceView or None
        The answer that is shown.

    Notes
    -----
    Searching, loading and reasoning run beside the kernel's main thread: `wait` waits for them. All imagery goes
    through the widget channel; the browser itself fetches the basemap, and nothing else.

    Examples
    --------
    >>> import terrascope_nb as ts
    >>> explorer = ts.Explorer(scene=ts.samples.load("lake"), basemap=None)    # doctest: +SKIP
    >>> explorer.ask("What share of the scene is water?")                      # doctest: +SKIP
    """

    def __init__(self, scene: Scene | None = None, trace: Trace | None = None, **options: Any) -> None:
        for name in options:
            if name not in _OPTIONS:
                raise InvalidInput(unknown("option of Explorer", name, ("scene", "trace", *_OPTIONS)))
        if scene is not None and not isinstance(scene, Scene):
            raise InvalidInput(f"scene is a Scene, from ts.load_scene or ts.samples.load; got {type(scene).__name__}")
        if trace is not None and not isinstance(trace, Trace):
            raise InvalidInput(f"trace is a Trace, from ts.ask or Trace.load; got {type(trace).__name__}")
        if scene is not None and trace is not None and len(scene.images) != len(trace.frames):
            raise InvalidInput(
                f"the trace is of {len(trace.frames)} images, the scene has {len(scene.images)}: give the scene that "
                "was asked"
            )
        w = self._w = need("ipywidgets", "explore in a notebook", "maps")
        self.aoi: AOI | None = None
        self.found: Found | None = None
        self.scene, self.trace = scene, trace
        self.history: tuple[Trace, ...] = ()
        self.error: Failure | None = None
        self.view: TraceView | None = None
        self._recipe = Recipe()
        self._handle: Any = None
        self._worker = Worker(self._stated, self._failed)
        grid = scene.grid if scene is not None else trace.frames[0].grid if trace is not None else None
        placed = grid is None or grid.crs is not None
        self.canvas = Canvas(
            None if grid is None else web_grid(grid).bounds,
            options.get("basemap", "OpenStreetMap"),
            draw=grid is None,
            georeferenced=placed,
            height=options.get("height", "480px"),
        )
        wanted = Wanted(
            options.get("catalog", "planetary-computer"), options.get("optical", "sentinel-2-l2a"),
            options.get("sar"), options.get("dates"), options.get("max_cloud"),
        )  # fmt: skip
        self.place = PlaceSection(self.canvas, self._placed, self._refused)
        self.data = DataSection(wanted, self.search, self.load, self.stop, self._size)
        self.asking = AskSection(options.get("reasoner", "spectral"), self.ask, self.stop, self.show)
        self.saving = SaveSection(self._saved, self.code)
        self._answer = w.VBox([w.HTML("<p class='small'>No answer yet.</p>")])
        self._answer.add_class("tsnb-answer")
        self._status = w.HTML()
        self._error = w.VBox([])
        sections = [self.place.widget, self.data.widget, self.asking.widget, self._answer, self.saving.widget]
        self.sections = w.Accordion(children=sections, titles=TITLES)
        left = w.VBox([self.canvas.map, self._status, self._error])
        left.add_class("tsnb-map")
        side = w.VBox([self.sections])
        side.add_class("tsnb-side")
        row = w.HBox([left, side])
        row.add_class("tsnb-row")
        self.widget = w.VBox([w.HTML(f"<style>{STYLE}</style>"), row])
        self.widget.add_class("tsnb-x")
        if scene is not None:
            self._recipe.set_scene(None, scene.name)
            self._show_scene()
        if trace is not None:
            self.show(trace)
            self.history = (trace,)
            self.asking.show_history(self.history)
        elif scene is None:
            self.sections.selected_index = 0
            if options.get("aoi") is not None:
                self.use_aoi(options["aoi"])

    # ---- verbs: each does what its button does ----------------------------------------------------------------
    def use_aoi(self, aoi: AOI | tuple[float, float, float, float] | None) -> None:
        """Take an area (an AOI, or west, south, east, north); None takes it off."""
        if aoi is not None and not isinstance(aoi, AOI):
            aoi = AOI.from_bbox(tuple(aoi))
        self._placed(aoi)
        if aoi is not None:
            west, south, east, north = aoi.to_lonlat().bounds
            self.canvas.fit(((south, west), (north, east if east >= west else east + 360)))

    def search(self) -> None:
        """Search for imagery over the area; what is found is listed, its footprints drawn, its clouds looked at."""
        if self.aoi is None:
            return self._refused("searching", InvalidInput("there is no area yet: draw one on the map, or type a box"))
        aoi, wanted = self.aoi, self.data.wanted

        def job(task: Task) -> None:
            arguments = wanted.search_arguments()
            found = search(aoi, **arguments)
            found.require()
            task.check()
            self.found = found
            self._recipe.set_search(**arguments)
            self.data.show_found(found)
            self.canvas.show_footprints(found.to_geodataframe())
            self._say(f"{len(found)} found; looking at their clouds over the area")
            if found.sensor.clouds is not None:
                clouds = found.only(found.items[:30]).cloud_share()
                task.check()
                self.data.show_found(found, clouds)
            self.data.show_pictures(found.only(found.items[:12]).thumbnails().html())

        self._worker.start("searching", job)
        return None

    def load(self) -> None:
        """Load the dates chosen (none chosen: the clearest) as a scene."""
        if self.aoi is None:
            return self._refused("loading", InvalidInput("there is no area yet: draw one on the map, or type a box"))
        aoi, arguments = self.aoi, self.data.wanted.load_arguments()

        def job(task: Task) -> None:
            from terrascope_nb._progress import heard
            from terrascope_nb.stac import stopping

            task.on_stop(stopping.abandon)
            with heard(lambda words, done, total: self._step(task, words, done, total)):
                scene = load_scene(aoi, **arguments)
            task.check()
            self._recipe.set_scene(arguments)
            self.scene = scene
            self._show_scene()

        self._worker.start("loading", job)
        return None

    def ask(self, question: str, choices: Any = None) -> None:
        """Ask the scene; sentences and masks appear as they come."""
        if self.scene is None:
            missing = InvalidInput("there is no scene to ask: load one first, or give Explorer(scene=…)")
            return self._refused("asking", missing)
        self.asking.show(question, choices)
        scene, reasoner = self.scene, self.asking.reasoner.value

        def job(task: Task) -> Any:
            return self._follow(task, scene, question, choices, reasoner)

        self._worker.start("asking", job)
        return None

    def stop(self) -> None:
        """Stop what is being done; what has come stays, and is marked as cancelled."""
        self._worker.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is being done; False when `timeout` seconds passed first."""
        return self._worker.wait(timeout)

    def blank(self, modality: str) -> None:
        """Blank one sensor, "optical" or "sar", and ask the same question again."""
        if self.scene is None or self.trace is None:
            missing = InvalidInput("ask a scene first: then its question is asked again without one sensor")
            return self._refused("blanking", missing)
        try:
            scene = self.scene.blank(modality)
        except TerrascopeError as error:
            return self._refused("blanking", error)
        trace, reasoner = self.trace, self.asking.reasoner.value
        choices = None if trace.choices is None else dict(trace.choices.items())

        def job(task: Task) -> Any:
            self._recipe.add(f"scene = scene.blank({modality!r})")
            return self._follow(task, scene, trace.question, choices, reasoner)

        self._worker.start(f"asking without {modality}", job)
        return None

    def show(self, trace: Trace, scene: Scene | None = None) -> None:
        """Show a trace on the map and beside it."""
        scene = scene if scene is not None else self._scene_of(trace)
        if self.view is not None:
            self.view.close()
        self.trace = trace
        self.view = TraceView(self.canvas, trace, scene)
        self._answer.children = [self.view.widget]
        self.sections.selected_index = TITLES.index("Answer")
        self._keep(trace)

    def save(self, kind: str, path: str | Path, overwrite: bool = False) -> Path:
        """Write the answer: "html", "geotiff", "geojson", "stac" or "trace"."""
        if self.trace is None:
            raise InvalidInput("there is no answer to save yet: ask first")
        written, line = save(self.trace, kind, path, overwrite)
        self._recipe.add(line)
        self.saving.refresh()
        return written

    def code(self) -> str:
        """Python that does again what was done here."""
        return self._recipe.code()

    def close(self) -> None:
        """Stop, and free every widget, overlay and thread."""
        self._worker.stop()
        if self.view is not None:
            self.view.close()
        self.canvas.close()
        self._w.Widget.close(self.sections)
        self.widget.close()

    # ---- what happens ------------------------------------------------------------------------------------------
    def _follow(self, task: Task, scene: Scene, question: str, choices: Any, reasoner: str) -> Any:
        grown: Trace | None = None
        try:
            for came in follow(scene, question, choices, reasoner):
                if isinstance(came, Progress):
                    self._say(came.message)
                else:
                    self._grow(came, scene, grown is None)
                    grown = came
                yield came
        finally:
            if grown is not None:
                self._finish(grown, question, choices, reasoner)

    def _grow(self, trace: Trace, scene: Scene, first: bool) -> None:
        self.trace = trace
        if first or self.view is None:
            if self.view is not None:
                self.view.close()
            self.view = TraceView(self.canvas, trace, scene)
            self._answer.children = [self.view.widget]
            self.sections.selected_index = TITLES.index("Answer")
        else:
            self.view.extend(trace)
            if len(trace.steps) and self.view.step == len(trace.steps) - 1:
                self.view.step = len(trace.steps)

    def _finish(self, trace: Trace, question: str, choices: Any, reasoner: str) -> None:
        self.history = (*self.history, trace)
        self.asking.show_history(self.history)
        self._recipe.add_question(question, choices, reasoner)
        self.saving.refresh()
        self._keep(trace)

    def _scene_of(self, trace: Trace) -> Scene | None:
        if self.scene is None or len(self.scene.images) != len(trace.frames):
            return None
        pairs = zip(self.scene.images, trace.frames, strict=True)
        return self.scene if all(a.grid == b.grid and a.blanked == b.blanked for a, b in pairs) else None

    def _show_scene(self) -> None:
        scene = self.scene
        assert scene is not None
        if self.view is not None:
            self.view.close()
            self.view = self.trace = None
            self._answer.children = [self._w.HTML("<p class='small'>No answer yet.</p>")]
        image = scene.images[0]
        self.canvas.add("scene", view_overlay(image.view, image.grid))
        self.canvas.fit(web_grid(image.grid).bounds)
        self.sections.selected_index = TITLES.index("Question")
        self._say(f"{scene!r}".strip("<>").splitlines()[0])

    def _placed(self, aoi: AOI | None) -> None:
        self.aoi = aoi
        self.found = None
        if aoi is None:
            self.canvas.clear_drawing()
        else:
            self._recipe.set_aoi(aoi)
        self.place.show(aoi)
        self.data.show_found(None)
        self.data.show_size()
        self._clear_error()

    def _size(self) -> str:
        if self.aoi is None:
            return "No area yet."
        wanted = self.data.wanted
        size = scene_bytes(self.aoi, wanted)
        dates = "the clearest date" if isinstance(wanted.times, str) else f"{len(wanted.times)} dates"
        return f"Loads {dates}: about {size / 1e6:,.1f} MB in memory."

    def _step(self, task: Task, words: str, done: float, total: float | None) -> None:
        task.check()
        self._say(f"{words}: {done:g} of {total:g}" if total else f"{words}: {done:g}")

    def _saved(self, kind: str, path: str, overwrite: bool) -> Path | None:
        try:
            return self.save(kind, path, overwrite)
        except (TerrascopeError, OSError) as error:
            self._refused("saving", error)
            return None

    # ---- what is said ------------------------------------------------------------------------------------------
    def _say(self, words: str) -> None:
        self._status.value = str(tag("p", words, cls="small", role="status", aria_live="polite")) if words else ""

    def _stated(self, what: str) -> None:
        running = bool(what)
        self.asking.show_running(running)
        self.data.show_running(running)
        self._say(f"{what} …" if running else "")
        if running:
            self._clear_error()

    def _refused(self, what: str, error: Exception) -> None:
        self._failed(Failure.of(what, error))

    def _failed(self, failure: Failure) -> None:
        self.error = failure
        w = self._w
        said = w.HTML(str(tag("div", tag("b", f"{failure.what}: "), failure.message, cls="error", role="alert")))
        more = w.HTML(str(tag("pre", failure.trace, style="font-size:11px;overflow:auto;max-height:240px")))
        more.layout.display = "none"
        button = w.Button(description="Show the traceback", tooltip="For whoever reports or mends the error")
        button.on_click(lambda _: setattr(more.layout, "display", "" if more.layout.display else "none"))
        self._error.children = [said, button, more]

    def _clear_error(self) -> None:
        self.error = None
        for widget in self._error.children:
            widget.close()
        self._error.children = []

    # ---- showing itself ----------------------------------------------------------------------------------------
    def _keep(self, trace: Trace) -> None:
        """Renew the static copy below the widget: what stays where no kernel runs."""
        if self._handle is not None:
            self._handle.update(_Static(trace))

    def _ipython_display_(self) -> None:
        display = need("IPython.display", "show an Explorer", "maps").display
        display(self.widget)
        self._handle = display(_Static(self.trace), display_id=True)

    def __repr__(self) -> str:
        what = [f"aoi {self.aoi!r}" if self.aoi else "", f"scene {self.scene.name!r}" if self.scene else ""]
        what.append(f"{len(self.history)} answers" if self.history else "")
        return f"<Explorer: {', '.join(x for x in what if x) or 'nothing chosen yet'}>"


class _Static:
    """The answer as HTML, picture and text below the widget, folded; all that a viewer without a kernel shows."""

    def __init__(self, trace: Trace | None) -> None:
        self._trace = trace
        self._made = time.strftime("%Y-%m-%d %H:%M")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        if self._trace is None:
            return {"text/html": "", "text/plain": ""}
        bundle = dict(self._trace._repr_mimebundle_())
        html = bundle.get("text/html", "")
        head = tag("summary", "The last answer as it is saved with the notebook (readable without a kernel)")
        bundle["text/html"] = f"<details>{head}{html}</details>"
        return bundle

    def __repr__(self) -> str:
        return "" if self._trace is None else repr(self._trace)


__all__ = ["Explorer", "Stopped"]
