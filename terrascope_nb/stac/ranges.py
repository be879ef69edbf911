"""Ranges: a remote file as pieces asked for by HTTP, each one whole and right or a named trouble. GDAL reads from it.

GDAL's own HTTP would hold the token in its names, logs and caches, keep failures, and hide status and ``Retry-After``;
here every answer is checked (status, range, length, unchanged file) before a byte of it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from terrascope_nb.stac import retry as patience
from terrascope_nb.stac import stopping, transport
from terrascope_nb.stac.retry import PASSING, REFUSED, Patience, Retry, retry_after
from terrascope_nb.stac.sign import forget, redact
from terrascope_nb.stac.transport import Address, Answer, Cut

BLOCK = 1 << 14  # bytes; pieces are kept in blocks of this size
HEAD = 1 << 15  # bytes asked for first: header and tables of most COGs
AHEAD = 1 << 20  # bytes at most that are read ahead of a file that is read in order
GAP = 1 << 16  # bytes; wanted pieces nearer than this are asked for as one
PIECE = 1 << 24  # bytes at most in one request
KEEP = 1 << 26  # bytes kept of one open file
WHOLE = 1 << 28  # bytes; a file larger than this is not read from a server that knows no ranges
SIGNATURES = 6  # signatures asked for, for one piece, before a refusal is believed; the first anew is asked for at once


class Trouble(Exception):
    """A piece that cannot be had, in words without secrets.

    Attributes
    ----------
    lasting : bool
        Whether asking again later is of no use (not there, refused, broken), so that it may count as a gap.
    changed : bool
        Whether the file was replaced while it was read: reading it anew may do.
    cure : str
        What to do about it.
    """

    def __init__(self, said: str, cure: str, lasting: bool = False, changed: bool = False) -> None:
        super().__init__(said)
        self.cure, self.lasting, self.changed = cure, lasting, changed


MISSING = "The file is not there: leave the item out with ids=, or the band with bands="
BUSY = "Ask again later, for less at a time, or with more patience"
ACCESS = "Check access: Catalog(…, sign=…) signs each asset when it is opened"
UNREAD = "Check access (signing, network) and whether the file opens with gdalinfo"
BROKEN = "Check whether the file opens with gdalinfo, and tell the provider; leave the item out with ids="


class RangeSource:
    """One remote file, opened anew for each read: its size, and any piece of it.

    Parameters
    ----------
    href : str
        Unsigned.
    sign : callable, optional
        href → href that opens; called now, and again whenever the signature is refused.
    retry : Retry
    address : Address, optional
        What `sign` has just made of `href`, where it was called already.
    """

    def __init__(
        self,
        href: str,
        sign: Callable[[str], str] | None = None,
        retry: Retry | None = None,
        address: Address | None = None,
    ) -> None:
        self._href, self._sign, self._retry = href, sign, retry or patience.DEFAULT
        self._born = stopping.generation()
        self._blocks: dict[int, bytes] = {}
        self._mark: str | None = None
        self._end, self._ahead = 0, 0
        self._size: int | None = None
        self.trouble: BaseException | None = None
        self.overrun = False
        self._address = address or self._signed()

    @property
    def size(self) -> int:
        """Bytes of the file; asks for its beginning on first use."""
        if self._size is None:
            self._fetch(0, HEAD)
        return self._size  # type: ignore[return-value]

    def read(self, start: int, stop: int) -> bytes:
        """Bytes from `start` up to `stop`, less where the file ends before.

        Raises
        ------
        Trouble
        """
        stop = min(stop, self.size)
        if start >= stop:
            return b""
        self._ahead = min(max(2 * self._ahead, BLOCK), AHEAD) if abs(start - self._end) <= BLOCK else 0
        self._end = stop
        self._need(start, stop, self._ahead)
        first, last = start // BLOCK, (stop - 1) // BLOCK
        data = b"".join(self._blocks[k] for k in range(first, last + 1))
        return data[start - first * BLOCK : stop - first * BLOCK]

    def prefetch(self, pieces: Iterable[tuple[int, int]]) -> None:
        """Ask at once for pieces (offset, bytes) that will be read; near ones as one."""
        wanted = sorted((a, min(a + n, self.size)) for a, n in pieces if n > 0 and a < self.size)
        runs: list[list[int]] = []
        for a, b in wanted:
            if runs and a - runs[-1][1] <= GAP:
                runs[-1][1] = max(runs[-1][1], b)
            else:
                runs.append([a, b])
        if sum(b - a for a, b in runs) <= KEEP // 2:
            for a, b in runs:
                self._need(a, b, 0)

    # ---- pieces ---------------------------------------------------------------------------------------------------
    def _need(self, start: int, stop: int, ahead: int) -> None:
        """Have the blocks of a range in hand."""
        lacking = [k for k in range(start // BLOCK, (stop - 1) // BLOCK + 1) if k not in self._blocks]
        if not lacking:
            return
        if len(self._blocks) * BLOCK > KEEP:
            self._blocks = {k: v for k, v in self._blocks.items() if k < HEAD // BLOCK}
            lacking = list(range(start // BLOCK, (stop - 1) // BLOCK + 1))
        runs: list[list[int]] = []
        for k in lacking:
            if runs and k == runs[-1][1] and (k - runs[-1][0]) * BLOCK < PIECE:
                runs[-1][1] = k + 1
            else:
                runs.append([k, k + 1])
        for first, last in runs:
            end = last * BLOCK + (ahead if last == runs[-1][1] else 0)
            self._fetch(first * BLOCK, min(end, self.size))

    def _fetch(self, start: int, stop: int) -> None:
        """Ask for a range until it is there or patience ends; keep it as blocks."""
        patience = Patience(self._retry, sleep=lambda seconds: stopping.sleep(seconds, self._born))
        signed = 1
        while True:
            patience.made += 1
            said, status, asked = self._once(start, stop)
            if not said:
                return
            if status in REFUSED:
                if self._sign is None or signed >= SIGNATURES:
                    break
                forget(self._sign, self._address)
                if signed > 1 and not patience.pause(asked):
                    break
                self._address = self._signed()
                signed += 1
            elif not (status == 0 or status in PASSING) or not patience.pause(asked):
                break
        raise self._given_up(said, status, asked, patience)

    def _once(self, start: int, stop: int) -> tuple[str, int, float | None]:
        """One try: what went wrong ("" where nothing did), the status (0: none came), and the wait asked for."""
        try:
            answer = transport.get(
                self._address, {"Range": f"bytes={start}-{stop - 1}"}, max(stop - start, 4096),
                self._retry.connect, self._retry.stall,
            )  # fmt: skip
        except Cut as err:
            return str(err), 0, None
        if answer.status == 206:
            return self._keep_range(answer, start, stop), 0, None
        if answer.status == 200:
            return self._keep_whole(answer)
        if answer.status == 416 and self._size is None:
            return "the file is empty", 416, None
        return f"it answers {answer.status}", answer.status, retry_after(answer.headers.get("retry-after"))

    def _keep_range(self, answer: Answer, start: int, stop: int) -> str:
        told = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.headers.get("content-range", "").strip())
        if told is None:
            return "it answers 206 without a usable Content-Range"
        first, last, size = (int(t) for t in told.groups())
        if first != start or last != min(stop, size) - 1:
            return f"bytes {start}-{stop - 1} were asked for and {first}-{last} came"
        if len(answer.body) != last - first + 1:
            return f"{len(answer.body)} of {last - first + 1} bytes came"
        self._same(answer, size)
        for at in range(0, len(answer.body), BLOCK):
            self._blocks[(start + at) // BLOCK] = answer.body[at : at + BLOCK]
        return ""

    def _keep_whole(self, answer: Answer) -> tuple[str, int, float | None]:
        """A server that knows no ranges sends everything."""
        announced = answer.headers.get("content-length", "")
        size = int(announced) if announced.isdigit() else len(answer.body)
        if size > WHOLE or (not answer.whole and not announced.isdigit()):
            return f"the server knows no byte ranges and the file has {announced or 'many'} bytes", 200, None
        try:
            if not answer.whole:
                answer = transport.get(self._address, {}, size, self._retry.connect, self._retry.stall)
        except Cut as err:
            return str(err), 0, None
        if len(answer.body) != size or answer.status != 200:
            return f"{len(answer.body)} of {size} bytes came", 0, None
        self._same(answer, size)
        for at in range(0, size, BLOCK):
            self._blocks[at // BLOCK] = answer.body[at : at + BLOCK]
        return "", 0, None

    def _same(self, answer: Answer, size: int) -> None:
        """The file must stay the same while it is read: pieces of two versions make a third that never was."""
        mark = f"{size} {answer.headers.get('etag') or answer.headers.get('last-modified')}"
        if self._mark is not None and mark != self._mark:
            raise Trouble("the file was replaced while it was read", BUSY, changed=True)
        self._mark, self._size = mark, size

    def _signed(self) -> Address:
        name = signed(self._href, self._sign)
        if not isinstance(name, Address):
            raise Trouble("its signature once led to an HTTP address and now does not", ACCESS)
        return name

    def _given_up(self, said: str, status: int, asked: float | None, patience: Patience) -> Trouble:
        tried = f"{said} ({patience.words()})" if patience.made > 1 else said
        if status in (404, 410):
            return Trouble(tried, MISSING, lasting=True)
        if status in REFUSED:
            why = "a new signature is refused too" if self._sign else "the href carries no token, or one that has ended"
            return Trouble(f"{tried}: {why}", ACCESS, lasting=True)
        if status == 429 or asked is not None:
            wish = f", and asks to wait {asked:.0f} s" if asked is not None else ""
            return Trouble(f"{tried}, too many requests or busy{wish}", BUSY)
        if status == 0 or status in PASSING:
            return Trouble(tried, "Check the network and a proxy (HTTPS_PROXY). " + BUSY)
        return Trouble(tried, BROKEN, lasting=True)


def signed(href: str, sign: Callable[[str], str] | None) -> Address | str:
    """The address to open, by HTTP; or a name for GDAL, where it is a file's or one of another protocol.

    Raises
    ------
    Trouble
        When `sign` fails; in its words, without secrets, and not raised from its error, which may hold some.
    """
    try:
        name = str(href) if sign is None else sign(str(href))
        name = re.sub(r"^/vsicurl/(?=https?://)", "", name)
        return Address(name) if re.match(r"https?://", name, re.IGNORECASE) else name
    except (OSError, ValueError, LookupError, RuntimeError) as err:
        said = f"it could not be signed ({type(err).__name__}: {redact(str(err))})"
    raise Trouble(said, ACCESS)
