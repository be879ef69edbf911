"""Retry: how often and how long a request is tried again, and what a server's own wish to wait means."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from terrascope_nb.errors import InvalidInput

#: HTTP statuses that pass: too many requests, and servers that are busy or stumbled.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
#: HTTP statuses of a missing or outworn signature (409: an account that allows no unsigned access).
REFUSED = frozenset({401, 403, 409})


@dataclass(frozen=True)
class Retry:
    """The patience for one range of one file.

    Attributes
    ----------
    tries : int
        Requests at most, the first one included.
    seconds : float
        Time at most, waiting included. A server that asks for a longer wait is given up at once, and the error says so.
    first, most : float
        Before try n + 1 a random time from 0 to ``min(most, first × 2^(n − 1))`` seconds is waited («full jitter», so
        that many readers do not come back together); never less than the server's ``Retry-After``.
    connect : float
        Seconds for a connection to come about.
    stall : float
        Seconds without a byte after which an answer is given up and asked for again.

    Examples
    --------
    >>> Retry(tries=3).bound(1), Retry(first=1, most=5).bound(4)
    (0.5, 5)
    """

    tries: int = 6
    seconds: float = 120.0
    first: float = 0.5
    most: float = 20.0
    connect: float = 10.0
    stall: float = 20.0

    def __post_init__(self) -> None:
        if self.tries < 1 or min(self.seconds, self.first, self.most, self.connect, self.stall) <= 0:
            raise InvalidInput(f"a retry needs at least one try and times above 0 seconds; got {self!r}")

    def bound(self, made: int) -> float:
        """The longest wait after `made` tries, seconds, where the server asks for none."""
        return min(self.most, self.first * 2 ** (made - 1))


#: The patience where none is given.
DEFAULT = Retry()


class Patience:
    """What is left of a `Retry` while one range is asked for.

    Attributes
    ----------
    made : int
        Tries so far.
    spent : float
        Seconds so far.
    """

    def __init__(
        self,
        retry: Retry,
        sleep: Callable[[float], object] = time.sleep,
        draw: Callable[[float, float], float] = random.uniform,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.retry = retry
        self.made = 0
        self._sleep, self._draw, self._clock = sleep, draw, clock
        self._start = clock()

    @property
    def spent(self) -> float:
        """Seconds since the first try began."""
        return self._clock() - self._start

    def pause(self, asked: float | None = None) -> bool:
        """Wait before the next try, at least `asked` seconds; False, without waiting, when patience is at its end."""
        if self.made >= self.retry.tries:
            return False
        delay = self._draw(0, self.retry.bound(max(self.made, 1)))
        if asked is not None:
            delay = max(asked + self._draw(0, min(0.1 * asked, 1.0)), delay)
        if self.spent + delay > self.retry.seconds:
            return False
        self._sleep(delay)
        return True

    def words(self) -> str:
        """What was done, for a message."""
        return f"{self.made} {'try' if self.made == 1 else 'tries'} in {self.spent:.1f} s"


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for: a number, or an HTTP date; None where it says nothing usable.

    Examples
    --------
    >>> retry_after("7"), retry_after(None), retry_after("soon")
    (7.0, None, None)
    >>> retry_after("Wed, 21 Oct 2015 07:28:00 GMT", datetime(2015, 10, 21, 7, 27, 30, tzinfo=UTC))
    30.0
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max((when - (now or datetime.now(UTC))).total_seconds(), 0.0)


def search_retry(first: float, most: float) -> Any:
    """What urllib3 is to do when a STAC API is busy: three retries with jitter, ``Retry-After`` heeded up to `most` s.

    A connection that does not come about is not tried again, so that a blocked network is told at once.
    """
    from urllib3 import Retry as Urllib3Retry

    class Capped(Urllib3Retry):
        def get_retry_after(self, response: Any) -> float | None:
            asked = retry_after(response.headers.get("Retry-After"))
            return None if asked is None else min(asked, most)

    return Capped(
        3, connect=0, read=1, backoff_factor=first, backoff_max=most, backoff_jitter=first, allowed_methods=None,
        status_forcelist=(429, 502, 503, 504), raise_on_status=True,
    )  # fmt: skip
