"""Catalog: where items are looked for (a folder or a STAC API), and `search`, which asks it when its result is used."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, NotFound, NothingFound
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.stac import folder
from terrascope_nb.stac.api import ask, count, shown
from terrascope_nb.stac.nothing import counted, matching, why_nothing
from terrascope_nb.stac.query import Query, instant
from terrascope_nb.stac.retry import Retry
from terrascope_nb.stac.sensors import Sensor, sensor_of
from terrascope_nb.stac.sign import sign_planetary

if TYPE_CHECKING:
    import geopandas
    import pandas

    from terrascope_nb.stac.thumbnails import Thumbnails

Item = dict[str, Any]

CATALOGS: Mapping[str, str] = {
    "planetary-computer": "https://planetarycomputer.microsoft.com/api/stac/v1",
    "earth-search": "https://earth-search.aws.element84.com/v1",
    "sample": str(Path(__file__).resolve().parents[1] / "data" / "sample"),
}


@dataclass(frozen=True)
class Catalog:
    """A place to search: a folder of STAC JSON, a STAC API's address, or one of the names in `CATALOGS`.

    Building it reads and sends nothing.

    Attributes
    ----------
    location : str or Path
        ``"planetary-computer"``, ``"earth-search"``, ``"sample"`` (the scenes inside this package), an ``http(s)://``
        address, or a folder.
    headers : mapping, optional
        HTTP headers for an API. Never shown.
    sign : callable, optional
        href → href that opens; called each time an asset is opened, and again when the signature is refused; never
        kept. Must pickle for distributed reading. One that keeps tokens may have a method ``forget(signed)``, which
        is called with a signed href that was refused.
    retry : Retry, optional
        The patience with the servers that hold the assets: tries, seconds, waits.
    """

    location: str | Path
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    sign: Callable[[str], str] | None = field(default=None, repr=False)
    retry: Retry | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.location, str | Path) or not str(self.location):
            raise InvalidInput(
                f"a catalogue is a name ({', '.join(CATALOGS)}), a URL or a folder; got {self.location!r}"
            )

    @property
    def address(self) -> str:
        """The URL or folder that the location stands for."""
        text = str(self.location)
        return text if isinstance(self.location, Path) else CATALOGS.get(text, text)

    @property
    def is_api(self) -> bool:
        """Whether it is asked over HTTP."""
        return self.address.startswith(("http://", "https://"))

    @property
    def shown(self) -> str:
        """The location for messages: quoted, without user, password or query string."""
        return shown(self.address) if self.is_api else repr(str(self.location))

    def signer(self) -> Callable[[str], str] | None:
        """`sign`, or the Planetary Computer's own where that is the catalogue; None: hrefs open as they are."""
        return sign_planetary if self.sign is None and self.location == "planetary-computer" else self.sign

    def find(self, query: Query) -> list[Item]:
        """The items that match, as plain dicts with absolute hrefs. Reads the folder or asks the API, each time.

        Raises
        ------
        NotFound
            When the folder is missing or none.
        ReadFailed
            When a file cannot be read or the API cannot be reached.
        """
        if self.is_api:
            return ask(self.address, query, self.headers)
        return query.order(matching(self.read(), query))[: query.limit]

    def count(self, query: Query) -> int | None:
        """How many items match, whatever its `limit`; None where an API does not tell. Asks it, or reads the folder."""
        if self.is_api:
            return count(self.address, query, self.headers)
        return len(matching(self.read(), query))

    def read(self) -> list[Item]:
        """Every item of a folder."""
        path = Path(self.address)
        if not path.exists() and not isinstance(self.location, Path) and not any(c in self.address for c in "/\\."):
            raise NotFound(unknown("catalogue", self.location, CATALOGS) + "; or give a URL or a folder that exists")
        return folder.read_items(path)


def search(
    aoi: AOI | Sequence[float] | Mapping[str, Any] | None = None,
    datetime: Any = None,
    sensor: str | Sensor | None = "sentinel-2-l2a",
    catalog: str | Path | Catalog = "planetary-computer",
    max_cloud: float | None = None,
    query: Mapping[str, Any] | None = None,
    sortby: str | Sequence[str] | None = None,
    ids: str | Iterable[str] | None = None,
    limit: int | None = None,
) -> Found:
    """Look for imagery. Sends and reads nothing until the result is used (its length, items, table, or a cube of it).

    Parameters
    ----------
    aoi : AOI, Grid, GeoJSON, or (west, south, east, north)
        Items must share ground with it. None: anywhere.
    datetime : str, datetime, date, or pair of these
        As in pystac-client: ``"2023-07"``, ``"2023-06/2023-08"``, ``"2023-06-01/.."``, ``(start, None)``. UTC.
    sensor : str, Sensor or None
        A name of `terrascope_nb.stac.sensors.SENSORS` or a collection id. None: every collection.
    catalog : str, Path or Catalog
    max_cloud : float, optional
        The most ``eo:cloud_cover`` of the whole item, percent. Items that do not state it do not match.
    query : mapping, optional
        ``{"eo:cloud_cover": {"lt": 20}}``; operators eq, neq, lt, lte, gt, gte, in, startsWith.
    sortby : str or sequence of str, optional
        ``"-datetime"``, ``"+properties.eo:cloud_cover"``. Default: by time.
    ids : str or iterable of str, optional
    limit : int, optional
        The most items (pystac-client's ``max_items``).

    Raises
    ------
    InvalidInput
        When an argument cannot be used, or `max_cloud` is asked of a radar.

    Examples
    --------
    >>> found = search((30.58, 62.81, 30.62, 62.83), "2017-09", "bigearthnet-s2-l2a", "sample")
    >>> found.ids
    ('S2B_MSIL2A_20170924T93020_69_24',)
    """
    where = catalog if isinstance(catalog, Catalog) else Catalog(catalog)
    known: Sensor | None = None
    collections: tuple[str, ...] = ()
    if sensor is not None:
        try:
            known = sensor_of(sensor)
            # A folder is asked for all of its collections; an API for the one named, or the one of its own day.
            collections = known.collections if not where.is_api else known.collections[:1]
            collections = (sensor,) if isinstance(sensor, str) and sensor in known.collections[1:] else collections
        except NotFound:
            collections = (str(sensor),)  # perhaps a collection of that catalogue; it is asked when the result is used
    if max_cloud is not None and known is not None and known.kind != "optical":
        raise InvalidInput(
            f"max_cloud={max_cloud!r} means nothing for {known.name}, a {known.kind} sensor: leave it out"
        )
    return Found(where, Query.of(aoi, datetime, collections, max_cloud, query, sortby, ids, limit), known)


class Found:
    """What a search found: a sequence of STAC items (dicts), asked for on first use and then kept.

    Attributes
    ----------
    catalog : Catalog
    query : Query
    """

    def __init__(self, catalog: Catalog, query: Query, sensor: Sensor | None = None) -> None:
        self.catalog = catalog
        self.query = query
        self._sensor = sensor
        self._items: tuple[Item, ...] | None = None

    @property
    def aoi(self) -> AOI | None:
        """The AOI that was asked for."""
        return self.query.aoi

    @property
    def items(self) -> tuple[Item, ...]:
        """The items, in the order asked for; asks the catalogue on first use. May be empty."""
        if self._items is None:
            self._items = tuple(self.catalog.find(self.query))
        return self._items

    @property
    def ids(self) -> tuple[str, ...]:
        """Item ids in order."""
        return tuple(i["id"] for i in self.items)

    @property
    def sensor(self) -> Sensor:
        """The one sensor of the search, else of the items.

        Raises
        ------
        NotFound
            When the items' collection is in no table.
        InvalidInput
            When the items are of several sensors.
        """
        if self._sensor is not None:
            return self._sensor
        kinds = {s.name: s for s in (sensor_of(i) for i in self.require())}
        if len(kinds) > 1:
            raise InvalidInput(
                f"the search found items of {len(kinds)} sensors ({', '.join(kinds)}): name one with sensor="
            )
        return next(iter(kinds.values()))

    def matched(self) -> int | None:
        """How many items the catalogue has for this query, whatever `limit` says. Asks an API for the count alone.

        None where an API does not tell (Planetary Computer's does not): then ``len`` of a search without limit does.
        """
        if self._items is not None and self.query.limit is None:
            return len(self._items)
        return self.catalog.count(replace(self.query, limit=None))

    def thumbnails(self) -> Thumbnails:
        """The items' small pictures, fetched when one is looked at; asks the catalogue for the items if need be."""
        from terrascope_nb.stac.thumbnails import Thumbnails

        return Thumbnails(self.items, self.catalog)

    def cloud_share(self, aoi: Any = None, resolution: float | None = None) -> pandas.DataFrame:
        """Clouds over an AOI, item by item. Reads the cloud layers, from overviews where these are fine enough.

        Parameters
        ----------
        aoi : AOI, GeoJSON or (west, south, east, north), optional
            Default: that of the search.
        resolution : float, optional
            Metres between the pixels looked at. Default: the layer's own, or 256 pixels across the AOI if that is more.

        Returns
        -------
        pandas.DataFrame
            A row an item: ``id``, ``datetime``, shares (0–1) of the AOI's pixels ``clear``, ``cloud`` (cloud, cirrus,
            shadow, defective), ``nodata``, and ``eo:cloud_cover``, what the whole tile states, in percent.

        Raises
        ------
        NothingFound, InvalidInput
        NotFound
            When the sensor has no cloud layer.
        """
        from terrascope_nb.stac.item_clouds import item_clouds

        return item_clouds(self, aoi, resolution)

    def require(self) -> tuple[Item, ...]:
        """The items, at least one.

        Raises
        ------
        NothingFound
            Says what was asked, what the catalogue does have there, and what to widen.
        """
        if not self.items:
            raise NothingFound(why_nothing(self.catalog, self.query))
        return self.items

    def to_geodataframe(self) -> geopandas.GeoDataFrame:
        """Id, time, collection, platform, cloud cover (percent) and footprint (EPSG:4326) of each item."""
        import geopandas

        rows = [
            {
                "id": i["id"],
                "datetime": instant(i),
                "collection": i.get("collection"),
                "platform": i["properties"].get("platform"),
                "eo:cloud_cover": i["properties"].get("eo:cloud_cover"),
            }
            for i in self.items
        ]
        columns = ["id", "datetime", "collection", "platform", "eo:cloud_cover"]
        geometry = [folder.footprint(i) for i in self.items]
        return geopandas.GeoDataFrame(rows, columns=columns, geometry=geometry, crs=4326)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __getitem__(self, index: int | slice) -> Any:
        """An item; of a slice, a `Found` of these items."""
        if not isinstance(index, slice):
            return self.items[index]
        return self.only(self.items[index])

    def only(self, items: Iterable[Item]) -> Found:
        """A `Found` of the same search that holds these items: to leave dates out, or to order them otherwise."""
        part = Found(self.catalog, self.query, self._sensor)
        part._items = tuple(items)
        return part

    def __repr__(self) -> str:
        head = f"<Found in {self.catalog.shown}: {self.query.words()}"
        if self._items is None:
            return head + "; not asked yet>"
        lines = [f"  {'  '.join(row)}" for row in self._rows()[:20]]
        more = [f"  … and {len(self._items) - 20} more"] if len(self._items) > 20 else []
        return "\n".join([f"{head}; {counted(len(self._items))}>", *lines, *more])

    def _repr_html_(self) -> str:
        head = html.escape(f"Found in {self.catalog.shown}: {self.query.words()}")
        if self._items is None:
            return f"<p>{head}; <em>not asked yet</em></p>"
        cells = "".join(
            "<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in self._rows()[:20]
        )
        more = f"<p>… and {len(self._items) - 20} more</p>" if len(self._items) > 20 else ""
        names = "".join(f"<th scope='col'>{n}</th>" for n in ("time (UTC)", "item", "collection", "cloud"))
        table = f"<table><thead><tr>{names}</tr></thead><tbody>{cells}</tbody></table>{more}" if self._items else ""
        return f"<p>{head}; {counted(len(self._items))}</p>{table}"

    def _rows(self) -> list[tuple[str, str, str, str]]:
        rows = []
        for i in self._items or ():
            cloud = i["properties"].get("eo:cloud_cover")
            shown = "" if cloud is None else f"{float(cloud):.1f} %"
            rows.append((f"{instant(i):%Y-%m-%d %H:%M}", i["id"], str(i.get("collection") or ""), shown))
        return rows
