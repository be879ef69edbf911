"""Timeline: the dates of a trace on its map; image and masks move together, two dates beside each other, change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from terrascope_nb._html import Safe, tag
from terrascope_nb._optional import need
from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.maps.closing import close_all
from terrascope_nb.maps.layers import UNNAMED
from terrascope_nb.maps.readout import change_html, plain
from terrascope_nb.reason.measure import Fact, gain, loss, net
from terrascope_nb.reason.show.captions import image_words

if TYPE_CHECKING:
    from terrascope_nb.maps.stepper import TraceView
    from terrascope_nb.reason.trace import Trace

MODES = {"one": "One image", "split": "Split", "change": "Gain and loss"}


class Timeline:
    """Move a `TraceView` along its dates.

    Parameters
    ----------
    view : TraceView

    Attributes
    ----------
    widget : ipywidgets.VBox
    dates : tuple of int
        Indices of the images that the slider goes through, in order of time: the optical ones (SAR where there are
        none), and every image that a step is drawn on.

    Notes
    -----
    A date is its image's index. The slider shows the image, and the mask of the chosen label on it where there is one.
    A picture is encoded when it is first looked at, and the browser holds a few at a time, so many dates cost nothing.
    """

    def __init__(self, view: TraceView) -> None:
        w = need("ipywidgets", "move along dates in a notebook", "maps")
        self.view = view
        self._busy = self._closed = False
        self.dates = self._find_dates()
        self.label = w.Dropdown(description="Label", options=[("", "")], layout={"width": "98%"})
        self.slider = w.SelectionSlider(
            description="Date", options=self._slider_options(), layout={"width": "98%"}, continuous_update=False
        )
        self.mode = w.ToggleButtons(
            description="Show",
            options=self._modes(),
            tooltips=["One image and its mask", "Two images on the two sides of a line", "What came and what went"],
        )
        self.mode.style.button_width = "auto"
        self.other = w.Dropdown(description="Second", options=self._other_options(), layout={"width": "98%"})
        self._said = w.HTML()
        self.widget = w.VBox([self.label, self.slider, self.mode, self.other, self._said])
        self.widget.add_class("tsnb-time")
        for control in (self.label, self.slider, self.mode, self.other):
            control.observe(self._chosen, "value")
        self._follow()
        view.listen(self._follow)

    # ---- verbs: each does what its control does ------------------------------------------------------------------
    @property
    def date(self) -> int:
        """Index of the image that is shown (on the left, where the map is split)."""
        return int(self.slider.value)

    @date.setter
    def date(self, image: int) -> None:
        self._check(image)
        self._set(mode="one", date=image)

    def split(self, left: int, right: int) -> None:
        """Show two images beside each other, each with the mask of the label where it has one; drag the line.

        Two dates, or the optical and the SAR image of one date.
        """
        self._check(left, right)
        self._set(mode="split", date=left, other=right)

    def change(self, before: int, after: int) -> tuple[Fact, Fact, Fact]:
        """Show what the label gained and lost between two images; gives gain, loss and net as they are measured.

        Raises
        ------
        NotFound
            When the label has no mask on one of the two.
        """
        self._check(before, after)
        for image in (before, after):
            if self._step(image) is None:
                raise NotFound(f"no mask of {self.label.value!r} on {image_words(self._trace.frames[image])}")
        self._set(mode="change", date=before, other=after)
        return self._facts(before, after)

    def off(self) -> None:
        """One date again."""
        self._set(mode="one")

    def close(self) -> None:
        """Take what it shows off the map, and free its widgets."""
        self._closed = True
        if self.view.canvas.is_split:
            self.view.canvas.unsplit()
        if not self.view.closed:
            self.view.layers.hide_change()
        close_all(self.widget)

    # ---- what happens --------------------------------------------------------------------------------------------
    @property
    def _trace(self) -> Trace:
        return self.view.trace

    def _check(self, *images: int) -> None:
        for image in images:
            if image not in self._others():
                raise NotFound(unknown("image", str(image), [str(k) for k in self._others()]))

    def _others(self) -> range:
        return range(len(self._trace.frames))

    def _set(self, **values: Any) -> None:
        """Set several controls at once, then show what they say."""
        self._busy = True
        try:
            if "date" in values and values["date"] not in self.dates:
                self.dates = tuple(sorted((*self.dates, values["date"]), key=self._when))
                self.slider.options = self._slider_options()
            for name, control in (("date", self.slider), ("other", self.other), ("mode", self.mode)):
                if name in values:
                    control.value = values[name]
        finally:
            self._busy = False
        self._show()

    def _chosen(self, change: Any) -> None:
        if self._busy or self._closed:
            return
        if change["owner"] is not self.other:
            self._part()
        self._show()

    def _part(self) -> None:
        """The second image is another than the first, as long as nobody chose otherwise."""
        if self.other.value == self.slider.value:
            self._busy = True
            self.other.value = self._companion(self.slider.value)
            self._busy = False

    def _show(self, move: bool = True) -> None:
        """Show what the controls say; unless `move`, the view is where it is to be, perhaps at the image alone."""
        image, other = self.slider.value, self.other.value
        if image is None:
            return
        self._busy = True
        mode = self.mode.value
        self.other.layout.display = "none" if mode == "one" else None
        if move:
            step = self._step(image)
            self.view.step = 0 if step is None else step + 1
            if self.view.layers.image != image:
                self.view.show_picture(image)
        self._busy = False
        if mode != "split":
            self.view.canvas.unsplit()
        if mode != "change":
            self.view.layers.hide_change()
        if mode == "split" and other is not None:
            self.view.canvas.split(self._side(image), self._side(other))
        self.view.layers.veil(mode == "split")
        self._said.value = str(self._words(mode, image, other))

    def _bare(self, image: int) -> None:
        """Show an image without a mask."""
        self._busy = True
        self.view.step = 0
        self.view.show_picture(image)
        self._busy = False

    def _side(self, image: int) -> list[tuple[Any, float]]:
        layers, k = self.view.layers, self._step(image)
        view = layers.view if image == layers.image else None
        mask = [] if k is None else [(layers.mask(k), float(self.view.opacity.value))]
        blank = [] if k is not None else [(layers.picture(image, view), 0.0)]  # as many layers on either side
        return [(layers.picture(image, view), 1.0), *mask, *blank]

    def _words(self, mode: str, image: int, other: int | None) -> Safe:
        trace, label = self._trace, self.label.value
        here = image_words(trace.frames[image])
        none = "" if not label or self._step(image) is not None else f" No mask of {label} is drawn on it."
        if mode == "one" or other is None:
            return tag("p", f"{here}.{none}", cls="small")
        there = image_words(trace.frames[other])
        if mode == "split":
            return tag("p", f"Left: {here}. Right: {there}. Drag the line, or move the map below it.", cls="small")
        a, b = self._step(image), self._step(other)
        if a is None or b is None or a == b:
            self.view.layers.hide_change()
            why = "the two dates are the same" if image == other else f"{label or 'the label'} is not drawn on both"
            return tag("p", f"No change to show: {why}.", cls="bad")
        try:
            facts = self._facts(image, other)
            self._bare(other)
            self.view.layers.show_change(*self._ordered(a, b))
        except InvalidInput as error:
            return tag("p", str(error), cls="bad")
        return change_html(facts, label)

    def _ordered(self, a: int, b: int) -> tuple[int, int]:
        times = self._trace.steps[a].time, self._trace.steps[b].time
        return (b, a) if None not in times and times[1] < times[0] else (a, b)

    def _facts(self, before: int, after: int) -> tuple[Fact, Fact, Fact]:
        a, b = self._ordered(self._step(before), self._step(after))  # type: ignore[arg-type]
        one, two = self._trace.regions[a], self._trace.regions[b]
        unit = "m²" if one.grid.crs is not None else "%"
        return gain(one, two, unit), loss(one, two, unit), net(one, two, unit)

    # ---- what there is -------------------------------------------------------------------------------------------
    def _step(self, image: int) -> int | None:
        """The step that draws the label chosen on an image: the one shown, where it does, else the last."""
        label = self.label.value
        fits = [k for k, s in enumerate(self._trace.steps) if s.image == image and (s.label or UNNAMED) == label]
        shown = self.view.layers.step
        return shown if shown in fits else fits[-1] if fits else None

    def _when(self, image: int) -> tuple[Any, ...]:
        time = self._trace.frames[image].time
        return (time is None, "" if time is None else str(time), image)

    def _find_dates(self) -> tuple[int, ...]:
        drawn = {s.image for s in self._trace.steps}
        optical = [k for k, f in enumerate(self._trace.frames) if f.modality == "optical"] or list(self._others())
        return tuple(sorted({*optical, *drawn, self.view.layers.image}, key=self._when))

    def _modes(self) -> list[tuple[str, str]]:
        """What can be shown: change needs two images with a mask of one label."""
        masks = {(s.label, s.image) for s in self._trace.steps}
        changes = len(masks) > len({label for label, _ in masks})
        return [(words, key) for key, words in MODES.items() if key != "change" or changes]

    def _other_options(self) -> list[tuple[str, int]]:
        return [(f"{plain(image_words(f))} (image {k})", k) for k, f in enumerate(self._trace.frames)]

    def _slider_options(self) -> list[tuple[str, int]]:
        return _distinct([(self._trace.frames[k].day, k) for k in self.dates], self._trace)

    def _follow(self) -> None:
        """Take over what the view shows: its trace may have grown, its step may be another."""
        if self._busy or self._closed:
            return
        self._busy = True
        trace = self._trace
        self.dates = self._find_dates()
        names = list(dict.fromkeys(s.label or UNNAMED for s in trace.steps))
        _offer(self.label, [(plain(n), n) for n in names] or [("", "")])
        _offer(self.slider, self._slider_options())
        _offer(self.other, self._other_options())
        _offer(self.mode, self._modes())
        self.slider.layout.display = None if len(self.dates) > 1 else "none"
        step = self.view.layers.step
        if step is not None:
            self.label.value = trace.steps[step].label or UNNAMED
        if self.mode.value == "change" and step is not None:
            self.mode.value = "one"  # a step was chosen: it is shown, and no change
        if self.mode.value != "change":
            self.slider.value = self.view.layers.image
        self._busy = False
        if self.mode.value != "change":
            self._part()
            self._show(move=False)

    def _companion(self, image: int) -> int:
        """What an image is first split with: the last date, else another sensor, else itself."""
        others = [k for k in self.dates if k != image] or [k for k in self._others() if k != image]
        return others[-1] if others else image

    def __repr__(self) -> str:
        return f"<Timeline of {len(self.dates)} dates, {MODES[self.mode.value].lower()}>"


def has_dates(trace: Trace) -> bool:
    """Whether a trace has more than one image, so that a `Timeline` has something to move along."""
    return len(trace.frames) > 1


def _distinct(options: list[tuple[str, int]], trace: Trace) -> list[tuple[str, int]]:
    """Dates told apart where two images share one: by sensor, then by number."""
    days = [day for day, _ in options]
    named = [
        (day if days.count(day) == 1 else f"{day} {'SAR' if trace.frames[k].modality == 'sar' else 'optical'}", k)
        for day, k in options
    ]
    words = [name for name, _ in named]
    return [(name if words.count(name) == 1 else f"{name}, image {k}", k) for name, k in named]


def _offer(control: Any, options: list[tuple[str, Any]]) -> None:
    if tuple(control.options) != tuple(options):
        value, values = control.value, [v for _, v in options]
        control.options = options
        control.value = value if value in values else values[0]
