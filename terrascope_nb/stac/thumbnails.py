"""Thumbnails: the small pictures that items point to, fetched one by one when they are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from terrascope_nb._html import Safe, data_uri, tag
from terrascope_nb.errors import ReadFailed
from terrascope_nb.stac.query import instant
from terrascope_nb.stac.reader import without_query

if TYPE_CHECKING:
    from terrascope_nb.stac.catalog import Catalog

Item = dict[str, Any]
KEYS = ("thumbnail", "rendered_preview", "preview", "overview")
ROLES = ("thumbnail", "overview")
MAX_BYTES = 5_000_000  # of one picture
SECONDS = (5, 30)  # to connect, to wait
_MAGIC = {
    b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp",
}  # fmt: skip


class Thumbnails:
    """The pictures of some items: a sequence of bytes (PNG, JPEG, GIF or WebP), None where an item has none.

    Building and showing it sends nothing; each picture is fetched once, when it is taken or by `fetch`.

    Attributes
    ----------
    items : tuple of dict
    """

    def __init__(self, items: Sequence[Item], catalog: Catalog) -> None:
        self.items = tuple(items)
        self._catalog = catalog
        self._kept: dict[int, bytes | None] = {}

    def fetch(self) -> Thumbnails:
        """Fetch all that are not here yet; returns itself.

        Raises
        ------
        ReadFailed
            When one cannot be fetched; names item and asset.
        """
        for _ in self:
            pass
        return self

    def html(self) -> str:
        """All pictures as a strip of self-contained HTML, each with its date and item. Fetches them."""
        self.fetch()
        return str(self._strip())

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> bytes | None:
        index = range(len(self.items))[index]
        if index not in self._kept:
            asset = picture_of(self.items[index])
            self._kept[index] = None if asset is None else self._get(self.items[index], *asset)
        return self._kept[index]

    def __iter__(self) -> Iterator[bytes | None]:
        return (self[k] for k in range(len(self)))

    def __repr__(self) -> str:
        return f"<Thumbnails of {len(self)} items, {len(self._kept)} fetched; .fetch() fetches, .html() shows>"

    def _repr_html_(self) -> str:
        return str(self._strip())

    def _strip(self) -> Safe:
        cells = []
        for k, item in enumerate(self.items):
            picture = self._kept.get(k)
            words = f"{instant(item):%Y-%m-%d} {item['id']}"
            if picture is not None:
                shown = tag("img", src=data_uri(_mime(picture), picture), alt=f"thumbnail of {words}", width=160)
            else:
                shown = tag("em", "no thumbnail" if k in self._kept else "not fetched yet: .fetch()")
            caption = tag("figcaption", words, style="font-size:80%;overflow-wrap:anywhere")
            cells.append(tag("figure", shown, caption, style="display:inline-block;width:160px;margin:4px"))
        return tag("div", *cells)

    def _get(self, item: Item, key: str, asset: Mapping[str, Any]) -> bytes:
        href = str(asset.get("href", ""))
        sign = self._catalog.signer()
        who = f"item {item['id']!r}, asset {key!r}"
        if href.startswith(("http://", "https://")):
            data = self._download(href if sign is None else sign(href), who, without_query(href))
        elif "://" in href:
            raise ReadFailed(f"{who}: {without_query(href)} is not fetched over HTTP, so that it cannot be shown here")
        else:
            try:
                data = Path(href).read_bytes()
            except OSError as err:
                raise ReadFailed(f"{who} cannot be read from {href}: {err.strerror}") from None
        if not _mime(data):
            raise ReadFailed(f"{who} is no PNG, JPEG, GIF or WebP picture: {without_query(href)}")
        return data

    def _download(self, href: str, who: str, bare: str) -> bytes:
        from terrascope_nb.stac.transport import Address, Cut, get

        ours = self._catalog.is_api and urlsplit(href).netloc == urlsplit(self._catalog.address).netloc
        headers = dict(self._catalog.headers or {}) if ours else {}  # a key is for its own host
        try:
            answer = get(Address(href), headers, MAX_BYTES, *SECONDS)
        except Cut as err:
            raise ReadFailed(f"{who} cannot be fetched from {bare}: {err}; check the network") from None
        if answer.status != 200:
            raise ReadFailed(f"{who}: {bare} answers {answer.status}; leave the item out, or ask again later")
        if not answer.whole:
            raise ReadFailed(f"{who}: {bare} is larger than {MAX_BYTES:,} bytes, too large for a thumbnail")
        return answer.body


def picture_of(item: Item) -> tuple[str, Mapping[str, Any]] | None:
    """Key and asset of an item's small picture: by key, else by role; TIFFs are passed over. None: it has none.

    Examples
    --------
    >>> picture_of({"assets": {"red": {"href": "r.tif"}, "quick": {"href": "q.png", "roles": ["thumbnail"]}}})[0]
    'quick'
    """
    assets: Mapping[str, Mapping[str, Any]] = item["assets"]
    by_role = [k for k, a in assets.items() if set(a.get("roles") or ()) & set(ROLES)]
    for key in dict.fromkeys((*(k for k in KEYS if k in assets), *by_role)):
        kind, path = str(assets[key].get("type") or ""), urlsplit(str(assets[key].get("href", ""))).path.lower()
        if "tif" not in kind and not path.endswith((".tif", ".tiff", ".jp2", ".xml", ".json")):
            return key, assets[key]
    return None


def _mime(data: bytes) -> str:
    return next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), "")
