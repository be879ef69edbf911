"""DataSection: which imagery — catalogue, sensors, dates, cloud; what was found; load it, or take a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrascope_nb._html import tag
from terrascope_nb._optional import need
from terrascope_nb.errors import InvalidInput, NotFound, TooLarge
from terrascope_nb.geo.grid import Grid
from terrascope_nb.maps.found import listed, more_words
from terrascope_nb.maps.work import guarded
from terrascope_nb.scene import samples
from terrascope_nb.stac.catalog import CATALOGS, Catalog
from terrascope_nb.stac.sensors import SENSORS, Sensor, sensor_of

if TYPE_CHECKING:
    from terrascope_nb.geo.aoi import AOI
    from terrascope_nb.stac.catalog import Found

NONE = "none"
MAX_BYTES = 4 * 1024**3  # as in `load_scene`


@dataclass(frozen=True)
class Wanted:
    """What to search for and load.

    Attributes
    ----------
    catalog : str, Path or Catalog
    optical, sar : str or None
        Sensors or collections.
    dates : str or None
        As in `search`.
    max_cloud : float or None
        Percent of the whole item.
    times : "best" or tuple of str
        Dates to load.
    resolution : float or None
        Metres; None: the finest sensor's.
    bands : tuple of str or None
        Optical bands to read; None: all.
    max_bytes : int
        The most bytes that they may take in memory.
    """

    catalog: str | Path | Catalog
    optical: str | None
    sar: str | None
    dates: Any
    max_cloud: float | None
    times: str | tuple[str, ...] = "best"
    resolution: float | None = None
    bands: tuple[str, ...] | None = None
    max_bytes: int = MAX_BYTES

    def search_arguments(self) -> dict[str, Any]:
        """Keywords of `terrascope_nb.search`, without the area.

        Raises
        ------
        InvalidInput
            Without a sensor; and without dates where the catalogue is a service, whose whole archive that would be.
        """
        sensor = self.optical or self.sar
        if sensor is None:
            raise InvalidInput("choose an optical or a SAR sensor: without one there is nothing to search for")
        self._check_dates()
        cloud = self.max_cloud if self.optical else None
        return {"datetime": self.dates, "sensor": sensor, "catalog": self.catalog, "max_cloud": cloud}

    def load_arguments(self) -> dict[str, Any]:
        """Keywords of `terrascope_nb.load_scene`, without the area."""
        if self.optical is None and self.sar is None:
            raise InvalidInput("choose an optical or a SAR sensor: without one there is nothing to load")
        if isinstance(self.times, str):
            self._check_dates()
        times = self.times if isinstance(self.times, str) else list(self.times)
        return {
            "datetime": self.dates, "optical": self.optical, "sar": self.sar, "catalog": self.catalog,
            "max_cloud": self.max_cloud if self.optical else None, "times": times,
            "resolution": self.resolution, "bands": None if self.bands is None else list(self.bands),
            "max_bytes": None if self.max_bytes == MAX_BYTES else self.max_bytes,
        }  # fmt: skip

    def _check_dates(self) -> None:
        where = self.catalog if isinstance(self.catalog, Catalog) else Catalog(self.catalog)
        if self.dates is None and where.is_api:
            raise InvalidInput(f"name the dates, 2023-08 for example: without them all of {where.shown} is searched")


def scene_bytes(aoi: AOI, wanted: Wanted) -> int:
    """Bytes in memory that the scene asked for takes: bands × pixels × 4, for each sensor and date. Reads nothing.

    Examples
    --------
    >>> from terrascope_nb import AOI
    >>> place = AOI.from_bbox((30.5875, 62.8139, 30.6123, 62.8253))
    >>> scene_bytes(place, Wanted("sample", "bigearthnet-s2-l2a", None, None, None)) == 132 * 132 * 12 * 4
    True
    """
    dates = 1 if isinstance(wanted.times, str) else len(wanted.times)
    known = []
    for name in (wanted.optical, wanted.sar):
        if name is not None:
            try:
                known.append(sensor_of(name))
            except NotFound:
                continue  # a collection of one's own: what it holds is not known before it is read
    finest = min((s.resolution for s in known), default=10.0) if wanted.resolution is None else wanted.resolution
    rows, cols = Grid.from_aoi(aoi, finest).shape
    return sum(rows * cols * 4 * _bands(s, wanted) * dates for s in known)


def _bands(sensor: Sensor, wanted: Wanted) -> int:
    """How many layers are read of a sensor; the cloud layer comes with the bands that are named."""
    if sensor.kind != "optical" or wanted.bands is None:
        return len(sensor.bands)
    return len({*wanted.bands, *([sensor.clouds] if sensor.clouds else [])})


def size_words(aoi: AOI, wanted: Wanted) -> str:
    """How much a load would take, as a sentence; and whether that is allowed."""
    size = scene_bytes(aoi, wanted)
    dates = "the clearest date" if isinstance(wanted.times, str) else f"{len(wanted.times)} dates"
    said = f"Loads {dates}: about {size / 1e6:,.1f} MB in memory."
    if size <= wanted.max_bytes:
        return said
    return f"{said} Allowed are {wanted.max_bytes / 1e6:,.0f} MB: take a smaller area, larger pixels or fewer dates."


def check_size(aoi: AOI, wanted: Wanted) -> None:
    """Refuse a load before a byte of it is asked for.

    Raises
    ------
    TooLarge
    """
    size = scene_bytes(aoi, wanted)
    if size > wanted.max_bytes:
        raise TooLarge(
            f"this load takes about {size / 1e6:,.0f} MB ({size:,} bytes), more than max_bytes={wanted.max_bytes:,}: "
            "take a smaller area, larger pixels (resolution=) or fewer dates, or an Explorer with a larger max_bytes="
        )


@dataclass(frozen=True)
class Calls:
    """What the section's controls run.

    Attributes
    ----------
    search, load, stop : callable
        Without arguments.
    sample : callable
        Takes a sample's name.
    changed : callable
        Without arguments: catalogue, sensors or dates are others now, so that what was found no longer fits.
    size : callable
        Gives the size of what would be loaded, in words.
    fail : callable
        ``fail(what, error)``.
    """

    search: Callable[[], Any]
    load: Callable[[], Any]
    stop: Callable[[], Any]
    sample: Callable[[str], Any]
    changed: Callable[[], Any]
    size: Callable[[], str]
    fail: Callable[[str, Exception], Any]


class DataSection:
    """The second section of the panel.

    Parameters
    ----------
    wanted : Wanted
        What is filled in first.
    calls : Calls
    """

    def __init__(self, wanted: Wanted, calls: Calls) -> None:
        w = need("ipywidgets", "choose imagery in a notebook", "maps")
        self._calls, self._first = calls, wanted
        wide = w.Layout(width="98%")
        optical = [s.name for s in SENSORS.values() if s.kind == "optical"]
        sar = [s.name for s in SENSORS.values() if s.kind == "sar"]
        self._where = _shown(wanted.catalog)
        self.catalog = w.Combobox(
            description="Catalogue", value=self._where, options=list(dict.fromkeys([self._where, *CATALOGS])),
            layout=wide, continuous_update=False,
        )  # fmt: skip
        self.optical = w.Dropdown(description="Optical", options=_with(wanted.optical, optical), layout=wide)
        self.sar = w.Dropdown(description="SAR", options=_with(wanted.sar, sar), layout=wide)
        self.optical.value, self.sar.value = wanted.optical or NONE, wanted.sar or NONE
        self.dates = w.Text(
            description="Dates", value=_dates(wanted.dates), layout=wide,
            placeholder="2023-08 or 2023-06-01/2023-08-31", continuous_update=False,
        )  # fmt: skip
        self._dates = self.dates.value
        cloud = 100.0 if wanted.max_cloud is None else float(wanted.max_cloud)
        self.cloud = w.FloatSlider(
            description="Most cloud", value=cloud, min=0, max=100, step=5, layout=wide, continuous_update=False,
            tooltip="Percent of cloud in the whole image",
        )  # fmt: skip
        self.resolution = w.Text(
            description="Pixel, m", value="" if wanted.resolution is None else f"{wanted.resolution:g}", layout=wide,
            placeholder="as fine as the sensor; 20, 60 … takes less memory", continuous_update=False,
        )  # fmt: skip
        self.search = w.Button(description="Search", icon="search", button_style="primary", tooltip="Search for dates")
        self.found = w.SelectMultiple(description="Dates found", options=[], rows=6, layout=wide)
        self.pictures, self.more, self.size = w.HTML(), w.HTML(), w.HTML()
        self.load = w.Button(
            description="Load", icon="download", button_style="primary", disabled=True,
            tooltip="Load the dates chosen, or the clearest",
        )  # fmt: skip
        self.stop = w.Button(description="Cancel", icon="stop", disabled=True, tooltip="Cancel searching or loading")
        self.sample = w.Dropdown(
            description="Or a sample", options=list(samples.names()), layout=w.Layout(width="60%"),
            tooltip="Scenes inside the package, without a network",
        )  # fmt: skip
        self.take = w.Button(description="Load the sample", tooltip="Load the sample; no area is needed")
        row = w.Layout(flex_flow="row wrap")
        self.widget = w.VBox(
            [
                self.catalog, self.optical, self.sar, self.dates, self.cloud, self.search, self.found, self.more,
                self.pictures, self.resolution, self.size, w.HBox([self.load, self.stop], layout=row),
                w.HBox([self.sample, self.take], layout=row),
            ]
        )  # fmt: skip
        self.widget.add_class("tsnb-data")
        fail = calls.fail
        self.search.on_click(guarded("searching", lambda _: calls.search(), fail))
        self.load.on_click(guarded("loading", lambda _: calls.load(), fail))
        self.stop.on_click(guarded("cancelling", lambda _: calls.stop(), fail))
        self.take.on_click(guarded("loading", lambda _: calls.sample(self.sample.value), fail))
        self.resolution.observe(guarded("reading the pixel size", lambda _: self._sized(), fail), "value")
        self.found.observe(guarded("choosing dates", lambda _: self.show_size(), fail), "value")
        for control in (self.catalog, self.optical, self.sar, self.dates, self.cloud):
            control.observe(guarded("choosing imagery", lambda _: calls.changed(), fail), "value")

    @property
    def wanted(self) -> Wanted:
        """What the controls say. Dates and catalogue that were given as objects stay so until they are typed over."""
        where, dates = self.catalog.value.strip(), self.dates.value.strip()
        days = tuple(sorted({str(day) for day in self.found.value}))
        return Wanted(
            self._first.catalog if where == self._where else where,
            None if self.optical.value == NONE else self.optical.value,
            None if self.sar.value == NONE else self.sar.value,
            self._first.dates if dates == self._dates else dates or None,
            None if self.cloud.value >= 100 else self.cloud.value,
            days or "best",
            read_metres(self.resolution.value),
            self._first.bands,
            self._first.max_bytes,
        )

    def show_found(self, found: Found | None, clouds: Mapping[str, float] | None = None) -> None:
        """List what was found; cloud over the area where it was looked at (0–1 by item), else the whole item's.

        What was chosen in the list stays chosen.
        """
        rows = [] if found is None else listed(found, clouds or {})
        chosen = tuple(k for k in self.found.index if k < len(rows)) if found is not None else ()
        self.found.options = rows
        self.found.index = chosen
        self.more.value = "" if found is None else more_words(len(found))
        if found is None:
            self.pictures.value = ""
        self.found.rows = min(max(len(rows), 3), 10)
        self.show_size()

    def show_pictures(self, html: str) -> None:
        """Show the thumbnails."""
        self.pictures.value = html

    def show_size(self) -> None:
        """Say how large the scene would be."""
        self.size.value = str(tag("p", self._calls.size(), cls="small"))

    def _sized(self) -> None:
        read_metres(self.resolution.value)
        self.show_size()

    def allow(self, load: bool) -> None:
        """Offer «Load» where there is an area to load."""
        self.load.disabled = not load

    def show_running(self, running: bool) -> None:
        """Offer «Cancel» while something runs."""
        self.stop.disabled = not running
        self.search.disabled = running


def read_metres(text: str) -> float | None:
    """A pixel size as typed; None for none.

    Examples
    --------
    >>> read_metres("20 m"), read_metres(" ")
    (20.0, None)
    """
    words = text.strip().removesuffix("m").strip()
    if not words:
        return None
    try:
        metres = float(words)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no pixel size: write metres, such as 20") from error
    if not 0.01 <= metres <= 1e6:
        raise InvalidInput(f"a pixel is between 0.01 and 1,000,000 m wide; got {metres:g}")
    return metres


def _dates(dates: Any) -> str:
    """Dates as they are typed; a pair as a range."""
    if isinstance(dates, tuple | list):
        return "/".join(".." if d is None else str(d) for d in dates)
    return "" if dates is None else str(dates)


def _shown(catalog: str | Path | Catalog) -> str:
    if not isinstance(catalog, Catalog):
        return str(catalog)
    return catalog.shown.strip("'") if catalog.is_api else str(catalog.location)


def _with(own: str | None, names: list[str]) -> list[str]:
    return list(dict.fromkeys([NONE, *([own] if own else []), *names]))
