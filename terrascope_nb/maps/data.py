"""DataSection: which imagery — catalogue, sensors, dates, cloud; what was found; load it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from terrascope_nb._html import tag
from terrascope_nb._optional import need
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.geo.grid import Grid
from terrascope_nb.stac.catalog import CATALOGS
from terrascope_nb.stac.query import instant
from terrascope_nb.stac.sensors import SENSORS, sensor_of

if TYPE_CHECKING:
    import pandas

    from terrascope_nb.geo.aoi import AOI
    from terrascope_nb.stac.catalog import Found

NONE = "none"
SHOWN = 30  # items listed


@dataclass(frozen=True)
class Wanted:
    """What to search for and load.

    Attributes
    ----------
    catalog : str
    optical, sar : str or None
        Sensors or collections.
    dates : str or None
        As in `search`.
    max_cloud : float or None
        Percent of the whole item.
    times : "best" or tuple of str
        Dates to load.
    """

    catalog: Any
    optical: str | None
    sar: str | None
    dates: str | None
    max_cloud: float | None
    times: str | tuple[str, ...] = "best"

    def search_arguments(self) -> dict[str, Any]:
        """Keywords of `terrascope_nb.search`, without the area."""
        sensor = self.optical or self.sar
        if sensor is None:
            raise InvalidInput("choose an optical or a SAR sensor: without one there is nothing to search for")
        cloud = self.max_cloud if self.optical else None
        return {"datetime": self.dates, "sensor": sensor, "catalog": self.catalog, "max_cloud": cloud}

    def load_arguments(self) -> dict[str, Any]:
        """Keywords of `terrascope_nb.load_scene`, without the area."""
        times = self.times if isinstance(self.times, str) else list(self.times)
        return {
            "datetime": self.dates, "optical": self.optical, "sar": self.sar, "catalog": self.catalog,
            "max_cloud": self.max_cloud if self.optical else None, "times": times,
        }  # fmt: skip


def scene_bytes(aoi: AOI, wanted: Wanted) -> int:
    """Bytes in memory that the scene asked for takes: bands × pixels × 4, for each sensor and date. Reads nothing."""
    dates = 1 if isinstance(wanted.times, str) else len(wanted.times)
    known = []
    for name in (wanted.optical, wanted.sar):
        if name is not None:
            try:
                known.append(sensor_of(name))
            except NotFound:
                continue  # a collection of one's own: what it holds is not known before it is read
    finest = min((b.resolution for s in known for b in s.bands), default=10.0)
    rows, cols = Grid.from_aoi(aoi, finest).shape
    return sum(rows * cols * 4 * len(s.bands) * dates for s in known)


class DataSection:
    """The second section of the panel.

    Parameters
    ----------
    wanted : Wanted
        What is filled in first.
    search, load, stop : callable
        Without arguments.
    size : callable
        Gives the size of what would be loaded, in words.
    """

    def __init__(
        self,
        wanted: Wanted,
        search: Callable[[], None],
        load: Callable[[], None],
        stop: Callable[[], Any],
        size: Callable[[], str],
    ) -> None:
        w = need("ipywidgets", "choose imagery in a notebook", "maps")
        self._size = size
        wide = w.Layout(width="98%")
        optical = [s.name for s in SENSORS.values() if s.kind == "optical"]
        sar = [s.name for s in SENSORS.values() if s.kind != "optical"]
        where = str(wanted.catalog)
        self._catalog = wanted.catalog
        self.catalog = w.Combobox(
            description="Catalogue", value=where, options=list(dict.fromkeys([where, *CATALOGS])), layout=wide,
            continuous_update=False,
        )  # fmt: skip
        self.optical = w.Dropdown(description="Optical", options=_with(wanted.optical, optical), layout=wide)
        self.sar = w.Dropdown(description="SAR", options=_with(wanted.sar, sar), layout=wide)
        self.optical.value, self.sar.value = wanted.optical or NONE, wanted.sar or NONE
        self.dates = w.Text(
            description="Dates", value=wanted.dates or "", placeholder="2023-08 or 2023-06-01/2023-08-31", layout=wide
        )
        cloud = 100.0 if wanted.max_cloud is None else float(wanted.max_cloud)
        self.cloud = w.FloatSlider(description="Most cloud", value=cloud, min=0, max=100, step=5, layout=wide)
        self.search = w.Button(description="Search", icon="search", button_style="primary")
        self.found = w.SelectMultiple(description="Dates found", options=[], rows=6, layout=wide)
        self.pictures = w.HTML()
        self.size = w.HTML()
        self.load = w.Button(description="Load", icon="download", button_style="primary", disabled=True)
        self.stop = w.Button(description="Cancel", icon="stop", disabled=True, tooltip="Cancel searching or loading")
        self.widget = w.VBox(
            [
                self.catalog, self.optical, self.sar, self.dates, self.cloud, self.search, self.found, self.pictures,
                self.size, w.HBox([self.load, self.stop]),
            ]
        )  # fmt: skip
        self.widget.add_class("tsnb-data")
        self.search.on_click(lambda _: search())
        self.load.on_click(lambda _: load())
        self.stop.on_click(lambda _: stop())
        self.found.observe(lambda _: self.show_size(), "value")

    @property
    def wanted(self) -> Wanted:
        """What the controls say."""
        where = self.catalog.value.strip()
        days = tuple(sorted({str(day) for day in self.found.value}))
        return Wanted(
            self._catalog if where == str(self._catalog) else where,
            None if self.optical.value == NONE else self.optical.value,
            None if self.sar.value == NONE else self.sar.value,
            self.dates.value.strip() or None,
            None if self.cloud.value >= 100 else self.cloud.value,
            days or "best",
        )

    def show_found(self, found: Found | None, clouds: pandas.DataFrame | None = None) -> None:
        """List what was found; cloud over the area where it was looked at, else the whole item's."""
        if found is None:
            self.found.options, self.pictures.value, self.load.disabled = [], "", True
            return
        share = {} if clouds is None else dict(zip(clouds["id"], clouds["cloud"], strict=True))
        rows = []
        for item in found.items[:SHOWN]:
            whole = item["properties"].get("eo:cloud_cover")
            words = ""
            if share.get(item["id"]) == share.get(item["id"]) and item["id"] in share:
                words = f" · {100 * share[item['id']]:.0f} % cloud over the area"
            elif whole is not None:
                words = f" · {float(whole):.0f} % cloud in the whole image"
            rows.append((f"{instant(item):%Y-%m-%d}{words} · {item['id']}", f"{instant(item):%Y-%m-%d}"))
        self.found.options = rows
        self.load.disabled = not rows
        more = len(found) - SHOWN
        self.size.value = str(tag("p", f"and {more} more: narrow the dates", cls="small")) if more > 0 else ""
        self.show_size()

    def show_pictures(self, html: str) -> None:
        """Show the thumbnails."""
        self.pictures.value = html

    def show_size(self) -> None:
        """Say how large the scene would be."""
        self.size.value = str(tag("p", self._size(), cls="small"))

    def show_running(self, running: bool) -> None:
        """Offer «Cancel» while something runs."""
        self.stop.disabled = not running
        self.search.disabled = running


def _with(own: str | None, names: list[str]) -> list[str]:
    return list(dict.fromkeys([NONE, *([own] if own else []), *names]))
