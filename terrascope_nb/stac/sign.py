"""Sign: short-lived access tokens, asked for when an asset is opened and kept in memory only, never in what is kept."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from terrascope_nb.errors import ReadFailed
from terrascope_nb.stac.retry import PASSING, Patience, Retry, retry_after

if TYPE_CHECKING:
    from terrascope_nb.stac.transport import Address

MARGIN = 60.0  # seconds before its end from which a token is no longer handed out, or a fifth of its life if less
TOKEN_BYTES = 1 << 16
OPEN_ACCOUNTS = frozenset({"ai4edatasetspublicassets"})  # the Planetary Computer's thumbnails: they take no token

_tokens: dict[str, tuple[str, float]] = {}  # token address → query string, time (monotonic) after which it is not used
_locks: dict[str, threading.Lock] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class SasSigner:
    """Signs hrefs of one storage host with tokens of a service like the Planetary Computer's. Pickles without tokens.

    The token of ``https://{account}.{host}/{container}/…`` is asked for at ``{service}/{account}/{container}``, which
    answers ``{"token": "…", "msft:expiry": "2024-01-01T00:00:00Z"}``; it is kept in this process until shortly before
    its end and shared by all threads.

    Attributes
    ----------
    host : str
        End of the host names that are signed; hrefs elsewhere are left as they are.
    service : str or None
        Address of the token service. None: the Planetary Computer's, or ``PC_SDK_SAS_URL``.
    retry : Retry
        The patience with the service.
    """

    host: str = ".blob.core.windows.net"
    service: str | None = None
    retry: Retry = Retry(seconds=60)

    def __call__(self, href: str) -> str:
        """`href` with a token that lives; sends a request where none is at hand.

        Raises
        ------
        ReadFailed
            When the service cannot be reached or gives no token.
        """
        where = self._token_address(href)
        return href if where is None else f"{href}?{_token(where, self.retry, self.service is None)}"

    def forget(self, signed: str) -> None:
        """Drop the token that `signed` carries: it was refused, so the next call asks for another.

        Where another thread has got a newer one meanwhile, that stays.
        """
        href, _, token = signed.partition("?")
        where = self._token_address(href)
        with _lock:
            if where is not None and _tokens.get(where, ("", 0))[0] == token:
                del _tokens[where]

    def _token_address(self, href: str) -> str | None:
        parts = urlsplit(href)
        host = parts.hostname or ""
        container = parts.path.strip("/").partition("/")[0]
        if not host.endswith(self.host) or not container or re.search(r"(^|&)(sig|se|sp)=", parts.query):
            return None
        account = host.partition(".")[0]
        if account in OPEN_ACCOUNTS:
            return None
        return f"{(self.service or _planetary_service()).rstrip('/')}/{account}/{container}"


#: Signs the Planetary Computer's hrefs; what `Catalog("planetary-computer")` uses.
sign_planetary = SasSigner()


def forget(sign: Callable[[str], str] | None, signed: Address) -> None:
    """Tell a signer that what it signed was refused, where it wants to know (has a method `forget`)."""
    tell = getattr(sign, "forget", None)
    if callable(tell):
        tell(signed.reveal())


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without query strings, credentials in addresses, and the given secrets.

    Examples
    --------
    >>> redact("GET https://me:pw@host/a.tif?sig=abc failed", ["abc"])
    'GET https://…@host/a.tif?… failed'
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, "…")
    text = re.sub(r"(\w+://)[^\s/@'\"]+@", r"\1…@", text)
    return re.sub(r"\?[^\s'\"<>)]+", "?…", text)


def _planetary_service() -> str:
    from planetary_computer.settings import Settings

    return Settings.get().sas_url


def _token(where: str, retry: Retry, planetary: bool) -> str:
    with _lock:
        own = _locks.setdefault(where, threading.Lock())
    with own:  # one thread asks, the others get what it got
        kept = _tokens.get(where)
        if kept is None or time.monotonic() >= kept[1]:
            kept = _ask(where, retry, planetary)
            _tokens[where] = kept
    return kept[0]


def _ask(where: str, retry: Retry, planetary: bool) -> tuple[str, float]:
    """A new token and the time until which it is used. What fails is told outside the handlers, so nothing hangs on."""
    from terrascope_nb.stac import stopping, transport

    born = stopping.generation()
    patience = Patience(retry, sleep=lambda seconds: stopping.sleep(seconds, born))
    said, status, asked = "", 0, None
    while True:
        patience.made += 1
        try:
            address = transport.Address(where)
            headers = _planetary_headers() if planetary else {}
            answer = transport.get(address, headers, TOKEN_BYTES, retry.connect, retry.stall)
        except transport.Cut as err:
            said, status, asked = str(err), 0, None
        else:
            status, asked = answer.status, retry_after(answer.headers.get("retry-after"))
            if status == 200:
                token = _parse(answer.body)
                if token is not None:
                    return token
            said = f"it answered {status}"
        if not (status == 0 or status in PASSING) or not patience.pause(asked):
            break
    raise ReadFailed(
        f"no access token from {where} ({said}; {patience.words()}): check the network and a proxy (HTTPS_PROXY), or "
        "wait if it is asked too often; a subscription key (PC_SDK_SUBSCRIPTION_KEY) raises the Planetary Computer's "
        "limit"
    )


def _planetary_headers() -> dict[str, str]:
    from planetary_computer.settings import Settings

    key = Settings.get().subscription_key
    return {"Ocp-Apim-Subscription-Key": key} if key else {}


def _parse(body: bytes) -> tuple[str, float] | None:
    """Token and the monotonic time until which it is handed out; None where the body holds none."""
    try:
        said = json.loads(body)
        token = str(said["token"]).lstrip("?")
        ends = datetime.fromisoformat(str(said["msft:expiry"]).replace("Z", "+00:00"))
    except (ValueError, KeyError, TypeError):
        return None
    left = (ends - datetime.now(UTC)).total_seconds()
    return token, time.monotonic() + left - min(MARGIN, left / 5)
