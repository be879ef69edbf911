"""Explorer: from a place on a map to an answer that is stepped through, in one widget."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrascope_nb._html import Safe, tag
from terrascope_nb._optional import need
from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, NotFound, ReadFailed, TerrascopeError
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.maps import asking, data, saving
from terrascope_nb.maps.answer import SCENE, AnswerSection
from terrascope_nb.maps.closing import close_all
from terrascope_nb.maps.found import look
from terrascope_nb.maps.kept import Copies
from terrascope_nb.maps.leaflet import Canvas
from terrascope_nb.maps.notice import Notice
from terrascope_nb.maps.place import PlaceSection
from terrascope_nb.maps.recipe import Recipe
from terrascope_nb.maps.running import Runs
from terrascope_nb.maps.session import Asked, Session, blank, blanked_in, check, same_place
from terrascope_nb.maps.style import STYLE
from terrascope_nb.maps.warp import view_overlay, web_grid
from terrascope_nb.maps.work import Failure, Task, Worker, reading
from terrascope_nb.reason.trace import Trace
from terrascope_nb.scene import samples
from terrascope_nb.scene.load import load_scene
from terrascope_nb.scene.scene import Scene
from terrascope_nb.stac.catalog import search

if TYPE_CHECKING:
    from terrascope_nb.maps.compare import Compare
    from terrascope_nb.maps.stepper import TraceView
    from terrascope_nb.maps.timeline import Timeline
    from terrascope_nb.reason.reasoner import Reasoner
    from terrascope_nb.stac.catalog import Catalog, Found

TITLES = ("Place", "Imagery", "Question", "Answer", "Save and code")


class Explorer:
    """Draw a place, load imagery, ask, step through the answer. Every control has a verb here that does the same.

    Parameters
    ----------
    scene : Scene, optional
        Skips place and imagery.
    trace : Trace, optional
        Skips all but the answer; with its `scene` also other views, band values, and further questions.
    aoi : AOI or (west, south, east, north), optional
    dates : str, pair of dates …, optional
        As in `search`.
    reasoner : str or Reasoner
        A name, or a reasoner that is open already; others can be chosen in the panel.
    catalog : str, Path or Catalog
    optical, sar : str or None
        Sensors or collections.
    max_cloud : float, optional
        Percent of the whole image.
    resolution : float, optional
        Metres a pixel; default: the finest sensor's.
    bands : sequence of str, optional
        Optical bands to load, by common name; default: all.
    max_bytes : int
        The most that a load may take in memory; a larger one is refused before it begins.
    basemap : str or None
        Fetched by the browser; None fetches none.
    height : str
        Of the map, in CSS pixels: "480px".

    Attributes
    ----------
    aoi, found, scene, trace
        What there is so far, or None.
    view : TraceView or None
        The answer that is shown.

    Notes
    -----
    Searching, loading and reasoning run beside the kernel's main thread; what fails there is shown under the map and
    kept in `error`. `wait` waits. A verb that is called wrongly raises at once. «Cancel» and «Stop» shut connections
    at once, unless another Explorer is reading too: then they take hold with the next chunk, so that it reads on.

    All imagery goes through the widget channel; the browser itself fetches the basemap, and nothing else. Each scene
    that an answer in `history` was asked of stays in memory until `close`.

    Examples
    --------
    >>> import terrascope_nb as ts
    >>> explorer = ts.Explorer(scene=ts.samples.load("lake"), basemap=None)    # doctest: +SKIP
    >>> explorer.ask("What share of the scene is water?")                      # doctest: +SKIP
    """

    def __init__(
        self,
        scene: Scene | None = None,
        trace: Trace | None = None,
        *,
        aoi: AOI | tuple[float, float, float, float] | None = None,
        dates: Any = None,
        reasoner: str | Reasoner = "spectral",
        catalog: str | Path | Catalog = "planetary-computer",
        optical: str | None = "sentinel-2-l2a",
        sar: str | None = None,
        max_cloud: float | None = None,
        resolution: float | None = None,
        bands: Sequence[str] | None = None,
        max_bytes: int = data.MAX_BYTES,
        basemap: str | None = "OpenStreetMap",
        height: str = "480px",
        **others: Any,
    ) -> None:
        for name in others:
            raise InvalidInput(unknown("option of Explorer", name, list(inspect.signature(Explorer).parameters)[:-1]))
        check(scene, trace, height)
        w = self._w = need("ipywidgets", "explore in a notebook", "maps")
        self.aoi: AOI | None = None
        self.found: Found | None = None
        self.scene, self.trace = scene, trace
        self._session, self._recipe, self._copies = Session(), Recipe(), Copies()
        self._scene_code = ""
        self._done, self._closed = "", False
        self._notice = Notice()
        self._runs = Runs(self._notice.progress)
        self._worker = Worker(self._stated, self._notice.fail, self._notice.progress)
        grid = scene.images[0].grid if scene is not None else trace.frames[0].grid if trace is not None else None
        self._placed_on_earth = grid is None or grid.crs is not None
        self.data = data.DataSection(
            data.Wanted(
                catalog,
                optical,
                sar,
                dates,
                max_cloud,
                resolution=resolution,
                bands=None if bands is None else tuple(bands),
                max_bytes=max_bytes,
            ),
            data.Calls(self.search, self.load, self.stop, self.use_scene, self._changed, self._size, self._fail),
        )
        self.asking = asking.AskSection(
            reasoner, asking.Calls(self.ask, self._compare_box, self.stop, self._again, self._fail)
        )
        self.canvas = Canvas(
            None if grid is None else web_grid(grid).bounds, basemap, draw=grid is None,
            georeferenced=self._placed_on_earth, height=height,
        )  # fmt: skip
        self.place = PlaceSection(self.canvas, self._take_aoi, self._fail)
        self.saving = saving.SaveSection(self.save, self.code, self._fail)
        self.answer = AnswerSection(self.canvas, basemap, self.blank, self._fail, self._looked)
        parts = (self.place, self.data, self.asking, self.answer, self.saving)
        self.sections = w.Accordion(children=[p.widget for p in parts], titles=TITLES)
        left, side = w.VBox([self.canvas.map, self._notice.widget]), w.VBox([self.sections])
        row = w.HBox([left, side])
        self.widget = w.VBox([w.HTML(str(tag("style", Safe(STYLE)))), row, self.answer.pair])
        for box, name in ((left, "map"), (side, "side"), (row, "row"), (self.widget, "x")):
            box.add_class(f"tsnb-{name}")
        if scene is not None:
            self._take_scene(scene, self._recipe.add_given_scene(scene))
        if trace is not None:
            self.show(trace)
        elif scene is None:
            self.sections.selected_index = TITLES.index("Place")
            if aoi is not None:
                self.use_aoi(aoi)

    # ---- what there is ------------------------------------------------------------------------------------------
    @property
    def history(self) -> tuple[Trace, ...]:
        """Every answer, the latest last; also those that were stopped or broke off."""
        return self._session.traces

    @property
    def view(self) -> TraceView | None:
        """The answer that is shown: `step`, `go`, `flash`, `at`."""
        return self.answer.view

    @property
    def timeline(self) -> Timeline | None:
        """The dates and sensors of the answer that is shown, or None where it has but one image."""
        return self.answer.timeline

    @property
    def compared(self) -> Compare | None:
        """Two answers side by side, after `compare`."""
        return self.answer.compared

    @property
    def error(self) -> Failure | None:
        """The error that is shown under the map: its words, a hint, the traceback."""
        return self._notice.error

    # ---- verbs: each does what its control does -----------------------------------------------------------------
    def use_aoi(self, aoi: AOI | tuple[float, float, float, float] | None) -> None:
        """Take an area (an AOI, or west, south, east, north); None takes it off."""
        if aoi is not None and not isinstance(aoi, AOI):
            aoi = AOI.from_bbox(tuple(aoi))
        self._take_aoi(aoi)

    def use_scene(self, scene: Scene | str) -> None:
        """Take a scene to ask: a `Scene`, or the name of a sample, which is loaded beside the main thread."""
        if isinstance(scene, str):
            if scene not in samples.names():
                raise NotFound(unknown("sample", scene, samples.names()))
            name = scene

            def job(task: Task) -> None:
                loaded = samples.load(name)
                task.check()
                self._take_scene(loaded, self._recipe.add_sample(name))

            self._worker.start("loading", job)
            return
        check(scene, None)
        self._check_place(scene.images[0].grid.crs)
        self._take_scene(scene, self._recipe.add_given_scene(scene))

    def search(self) -> None:
        """Search for imagery over the area; what is found is listed, its footprints drawn, its clouds looked at."""
        aoi, arguments = self._area(), self.data.wanted.search_arguments()

        def job(task: Task) -> None:
            with reading(task):
                had = search(aoi, **arguments)
                had.require()
                task.check()
                self.found = had
                self._recipe.add_search(arguments)
                self.data.show_found(had)
                self.canvas.show_footprints(had.to_geodataframe())
                html, failed = look(had, task.check, self._notice.progress, lambda c: self.data.show_found(had, c))
            self.data.show_pictures(html)
            self._done = f"{len(had)} found"
            if failed:
                raise ReadFailed(
                    f"the list is complete but for clouds over the area, which cannot be read: {failed[0]}"
                )

        self._worker.start("searching", job)

    def load(self) -> None:
        """Load the dates chosen in the list (none chosen: the clearest) as a scene; a cancelled load changes nothing.

        Raises
        ------
        TooLarge
            When it would take more than `max_bytes`.
        """
        aoi, wanted = self._area(), self.data.wanted
        arguments = wanted.load_arguments()
        data.check_size(aoi, wanted)

        def job(task: Task) -> None:
            with reading(task):
                given = {k: v for k, v in arguments.items() if v is not None or k == "optical"}
                scene = load_scene(aoi, **given)
            task.check()
            self._take_scene(scene, self._recipe.add_scene(arguments))

        self._worker.start("loading", job)

    def ask(self, question: str, choices: Any = None, reasoner: str | Reasoner | None = None) -> None:
        """Ask the scene; sentences and masks appear as they come. What is being asked now is stopped first."""
        asked = self._to_ask()
        if reasoner is not None:
            self.asking.choose(reasoner)
        self.asking.show(question, choices)
        self._ask(asked, question, choices)

    def blank(self, modality: str) -> None:
        """Ask the question of the answer shown again with one sensor, "optical" or "sar", blanked.

        The scene itself stays whole: a second blank takes the other sensor instead, not as well.
        """
        asked = self._to_ask(modality)
        if self.trace is None:
            raise InvalidInput("ask a scene first: then its question is asked again without one sensor")
        self._ask(asked, self.trace.question, _options(self.trace))

    def compare(self, question: str | None = None, choices: Any = None, reasoner: str | Reasoner | None = None) -> None:
        """Ask another question, or another reasoner, and lay the answer beside the one shown, on linked maps."""
        asked, shown = self._to_ask(), self._session.shown
        if shown is None:
            raise InvalidInput("ask a scene first, and wait for the answer: then another is laid beside it")
        if reasoner is not None:
            self.asking.choose(reasoner)
        if question is None:
            question, choices = shown.trace.question, _options(shown.trace)
        self._ask(asked, question, choices, beside=shown)

    def stop(self) -> None:
        """Stop what is being done; what has come of an answer stays, and is marked as cancelled."""
        if self._worker.stop():
            self._done = "stopped"
            self._notice.say("stopping …")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is being done; False when `timeout` seconds passed first."""
        return self._worker.wait(timeout)

    def show(self, trace: Trace) -> None:
        """Show a trace on the map and beside it: one of `history`, or another, which joins it."""
        check(None, trace)
        known = self._session.of(trace)
        if known is None:
            self._check_place(trace.frames[0].grid.crs)
            fits = self.scene is not None and same_place(self.scene, trace)
            name = self._recipe.add_given_trace(trace)
            known = (
                Asked(trace, self.scene, blanked_in(trace), self._scene_code, name)
                if fits
                else Asked(trace, None, trace_code=name)
            )
            self._session.add(known)
        self._show(known)

    def save(self, kind: str, path: str | Path, overwrite: bool = False) -> Path:
        """Write the answer shown: "html", "geotiff", "geojson", "stac" or "trace".

        Raises
        ------
        AlreadyThere
            When there is such a file and `overwrite` is False.
        """
        shown = self._session.shown
        if shown is None:
            raise InvalidInput("there is no answer to save yet: ask first, and wait for the answer")
        written, method = saving.save(shown.trace, kind, path, overwrite)
        self._recipe.add_saved(shown.trace_code, method, str(path), overwrite)
        self.saving.refresh()
        return written

    def code(self) -> str:
        """Python that does again what was done here, in its order.

        Objects that were given and cannot be written (a scene, a catalogue with its signer, a reasoner) are named in a
        comment, and the script goes on with that name. What was looked at needs the Explorer: it stands in comments.
        """
        return self._recipe.code()

    def close(self) -> None:
        """Stop, and free every widget, overlay, scene and thread. `trace` and `history` stay, to be saved."""
        if self._closed:
            return
        self._closed = True
        self._worker.close()
        self.answer.close()
        self._copies.close()
        self._notice.clear()
        self.canvas.close()
        close_all(self.widget)
        self._session.forget_scenes()
        self._recipe.close()
        self._runs.close()
        self.scene = self.found = None

    # ---- asking -------------------------------------------------------------------------------------------------
    def _to_ask(self, blanked: str = "") -> Asked:
        """The scene at hand with nothing asked of it yet."""
        if self.scene is None:
            raise InvalidInput("there is no scene to ask: load one first, or give Explorer(scene=…)")
        blank(self.scene, blanked)  # refuses a sensor that the scene has not
        return Asked(None, self.scene, blanked, self._scene_code)  # type: ignore[arg-type]  # its trace is to come

    def _ask(self, asked: Asked, question: str, choices: Any, beside: Asked | None = None) -> None:
        chosen = self.asking.chosen

        def finish(made: Asked, who: asking.Chosen, view: TraceView | None) -> None:
            if not self._closed:
                self._finish(replace(made, trace_code=self._write(made, who)), view, beside)

        job = self._runs.job(asked, question, choices, chosen, self._grow if beside is None else None, finish)
        self._worker.start(f"asking {chosen.name}" + (f" without {asked.blanked}" if asked.blanked else ""), job)

    def _grow(self, trace: Trace, scene: Scene | None, view: TraceView | None) -> TraceView:
        """Show what has come so far; nothing where another answer was chosen meanwhile."""
        if view is None:
            view = self.answer.show(trace, scene, running=True)
            self.trace, self._session.shown = trace, None
            self._list()
            self.sections.selected_index = TITLES.index("Answer")
        elif self.answer.grow(view, trace):
            self.trace = trace
        return view

    def _write(self, asked: Asked, chosen: asking.Chosen) -> str:
        """Put the question into the script; gives the trace's name there."""
        who: Any = chosen.reasoner
        if chosen.options:
            who = self._recipe.add_opened(str(chosen.reasoner), chosen.options)
        trace = asked.trace
        cut = trace.answer.finish == "cancelled"
        return self._recipe.add_question(asked.scene_code, trace.question, _options(trace), who, asked.blanked, cut)

    def _finish(self, asked: Asked, view: TraceView | None, beside: Asked | None) -> None:
        """An answer is whole, or as whole as it gets."""
        self._session.add(asked)
        if beside is not None:
            self.answer.beside(beside.trace, asked.trace, asked.scene)
            self._recipe.add_comparison(beside.trace_code, asked.trace_code)
        elif view is None:
            self._show(asked)
        elif self.answer.grow(view, asked.trace):
            self._is_shown(asked)
        self._list()
        self.saving.refresh()

    # ---- what is shown ------------------------------------------------------------------------------------------
    def _show(self, asked: Asked) -> None:
        if asked.scene is not None:
            self.scene, self._scene_code = asked.scene, asked.scene_code
        self.answer.show(asked.trace, asked.seen())
        self.sections.selected_index = TITLES.index("Answer")
        self._is_shown(asked)
        self._list()

    def _is_shown(self, asked: Asked) -> None:
        self.trace, self._session.shown = asked.trace, asked
        self.answer.finish()
        self._copies.keep(asked.trace)

    def _list(self) -> None:
        self.asking.show_history(self._session.traces, self._session.place)

    def _looked(self, line: str) -> None:
        self._recipe.add_look(line)
        self.saving.refresh()

    def _again(self, index: int) -> None:
        self._show(self._session[index])

    def _take_scene(self, scene: Scene, code: str) -> None:
        self.scene, self._scene_code = scene, code
        self.trace = self._session.shown = None
        self.answer.clear()
        self.canvas.clear_footprints()
        image = scene.images[0]
        self.canvas.add(SCENE, view_overlay(image.view, image.grid))
        self.canvas.fit(web_grid(image.grid).bounds)
        self.sections.selected_index = TITLES.index("Question")
        self._list()
        self.saving.refresh()
        self._done = repr(scene).splitlines()[0].strip("<>")
        self._notice.say(self._done)

    def _take_aoi(self, aoi: AOI | None) -> None:
        self.aoi = aoi
        self._recipe.add_aoi(aoi)
        if aoi is None:
            self.canvas.clear_drawing()
        self.place.show(aoi)
        self.data.allow(load=aoi is not None)
        self._changed()
        if aoi is not None:
            west, south, east, north = aoi.to_lonlat().bounds
            self.canvas.fit(((south, west), (north, east)))

    def _changed(self) -> None:
        """Place, catalogue, sensors or dates are others: what was found before does not fit them."""
        self.found = None
        self.canvas.clear_footprints()
        self.data.show_found(None)
        self._notice.clear()

    def _size(self) -> str:
        if self.aoi is None:
            return "No area yet."
        try:
            return data.size_words(self.aoi, self.data.wanted)
        except TerrascopeError as error:
            return f"Cannot be loaded: {error}"

    def _check_place(self, crs: Any) -> None:
        if (crs is None) is self._placed_on_earth:
            here, there = ("degrees", "has no CRS") if self._placed_on_earth else ("pixels", "lies on the ground")
            raise InvalidInput(f"this map is of {here} and what it should show {there}: make it an Explorer of its own")

    def _area(self) -> AOI:
        if self.aoi is None:
            raise InvalidInput("there is no area yet: draw one on the map, or type a box")
        return self.aoi

    def _compare_box(self, question: str, choices: Any) -> None:
        self.compare(question or None, choices)

    # ---- what is said -------------------------------------------------------------------------------------------
    def _stated(self, what: str) -> None:
        running = bool(what)
        self.asking.show_running(running)
        self.data.show_running(running)
        if running:
            self._done = ""
            self._notice.clear()
        self._notice.say(f"{what} …" if running else self._done)

    def _fail(self, what: str, error: Exception) -> None:
        self._notice.fail(Failure.of(what, error))

    # ---- showing itself -----------------------------------------------------------------------------------------
    def _ipython_display_(self) -> None:
        if self._closed:
            raise InvalidInput("this Explorer is closed; make another one, its `history` can be given: trace=…")
        self._copies.show(self.widget, self.trace)

    def __repr__(self) -> str:
        what = [f"aoi {self.aoi!r}" if self.aoi else "", f"scene {self.scene.name!r}" if self.scene else ""]
        what += [f"{len(self._session)} answers" if len(self._session) else "", "closed" if self._closed else ""]
        return f"<Explorer: {', '.join(x for x in what if x) or 'nothing chosen yet'}>"


def _options(trace: Trace) -> dict[str, str] | None:
    return None if trace.choices is None else dict(trace.choices.items())
