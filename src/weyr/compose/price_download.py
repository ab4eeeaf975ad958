"""Reads a price list as it comes, whole or not at all. What breaks off goes on where it stopped, of the same version.

A list of machines has hundreds of megabytes and is never held. The end of a connection is no end of a list: a last line
that was cut short would be a price that nobody asks for, so what is missing of the stated length is asked for again.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from threading import Event
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from weyr.core.diagnostic import Diagnostic, UserError

TIMEOUT_S = 60
BUSY = frozenset((429, 500, 502, 503, 504))
"""Asked again after a while; all else that is refused stays so."""
NONE = frozenset((403, 404, 410))
"""AWS answers 403 for a file that there is not."""
WAITS_S = (1.0, 2.0, 4.0, 8.0)
WAIT_MAX_S = 60.0
"""Longer than that nobody is kept waiting, whatever a server asks for."""
FRESH_STARTS_MAX = 3
UNREADABLE = (OSError, EOFError, ValueError, ArithmeticError, KeyError, HTTPException, zlib.error, csv.Error)
"""What a list that breaks off, or is another file altogether, makes a reader raise."""
CHUNK = 1 << 16

Progress = Callable[[int, int], None]
"""How many bytes of how many are there; 0 where nobody knows how many there will be."""
Wait = Callable[[float], object]
Read = TypeVar("Read")


class Absent(UserError):
    """The server has no such list."""


class Changed(Exception):
    """What is left of a list is of another version than what was read of it: it is read from its beginning again."""


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches lists of one provider. `wait` is how a while passes between two tries."""

    wait: Wait = Event().wait

    def whole(self, address: str, read: Callable[[Iterator[str]], Read], progress: Progress) -> Read:
        """What `read` makes of the lines of the list.

        Raises: UserError, where it cannot be had whole, or `read` does not know its form.
        """
        for _ in range(FRESH_STARTS_MAX):
            try:
                with _Body(self, address, progress) as body:
                    return read(_lines(body, address))
            except Changed:
                continue
            except (
                OSError,
                EOFError,
                ValueError,
                ArithmeticError,
                KeyError,
                HTTPException,
                zlib.error,
                csv.Error,
            ) as e:
                raise broken(address, e) from e
        raise broken(address, "it changed each time while it was read, which is worth another try later")

    def answer(self, address: str, **headers: str) -> Any:
        """The answer to one request, asked again where the server is busy or not to be reached.

        Raises: UserError, with what the server said at last.
        """
        if urlsplit(address).scheme not in ("http", "https"):
            detail = f"{address} is no address of http or https. A file is read with --from."
            raise UserError(Diagnostic("No prices were read", detail))
        asked, why = Request(address, headers=headers), Exception()
        for pause in (*WAITS_S, None):
            try:
                return urlopen(asked, timeout=TIMEOUT_S)
            except HTTPError as e:
                e.close()
                if e.code in NONE:
                    raise Absent(*broken(address, e).diagnostics) from e
                if e.code not in BUSY:
                    raise broken(address, e) from e
                why, pause = e, pause and _asked_for(e, pause)
            except (URLError, OSError, HTTPException, ValueError) as e:
                why = e
            if pause is not None:
                self.wait(pause)
        raise broken(address, f"{why}, {len(WAITS_S) + 1} times") from why


class _Body(io.RawIOBase):
    """The bytes of an answer to their stated end; over several connections where one breaks off."""

    def __init__(self, fetcher: Fetcher, address: str, progress: Progress) -> None:
        self._fetcher, self._address, self._progress = fetcher, address, progress
        self._answer = fetcher.answer(address, **{"Accept-Encoding": "gzip"})
        heads = self._answer.headers
        self.is_gzip = heads.get("Content-Encoding", "") == "gzip"
        self._size = int(heads.get("Content-Length") or 0)
        tag = heads.get("ETag") or ""
        # A weak tag says that two answers mean the same, not that their bytes are: only a strong one may go on.
        self._version = tag if tag and not tag.startswith("W/") else heads.get("Last-Modified") or ""
        self._got, self._tries = 0, 0

    @property
    def is_of_known_size(self) -> bool:
        return bool(self._size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            why: Exception | None = None
            try:
                count = int(self._answer.readinto(buffer))
            except (OSError, HTTPException) as e:
                count, why = 0, e
            if count:
                self._got += count
                self._progress(self._got, self._size)
                return count
            if why is None and self._got >= self._size:
                self._progress(self._got, self._size or self._got)
                return 0
            self._go_on(why)

    def _go_on(self, why: Exception | None) -> None:
        """Asks for the rest. Raises: Changed, where that is of another version; OSError, after the last try."""
        self._answer.close()
        if self._tries == len(WAITS_S):
            of = f" of {self._size:,}" if self._size else ""
            raise OSError(f"it broke off after {self._got:,}{of} bytes{f' ({why})' if why else ''}")
        self._fetcher.wait(WAITS_S[self._tries])
        self._tries += 1
        if not self._version:
            raise Changed
        rest = {"Accept-Encoding": "gzip", "Range": f"bytes={self._got}-", "If-Range": self._version}
        self._answer = self._fetcher.answer(self._address, **rest)
        begins = self._answer.headers.get("Content-Range", "").partition(" ")[2].partition("-")[0]
        if self._answer.status != 206 or begins != str(self._got):
            raise Changed

    def close(self) -> None:
        self._answer.close()
        super().close()


def _lines(body: _Body, address: str) -> Iterator[str]:
    raw = io.BufferedReader(body, CHUNK)
    # A mirror may hold the file as a .gz; a list in words never begins so.
    packed = body.is_gzip or address.endswith(".gz") or raw.peek(2)[:2] == b"\x1f\x8b"
    stream = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if packed else raw
    line = ""
    for line in io.TextIOWrapper(stream, encoding="utf-8", newline=""):
        yield line
    if not line.endswith("\n") and not body.is_of_known_size:
        raise OSError("it breaks off in the middle of a line, and says nowhere how long it is")


def _asked_for(error: HTTPError, pause: float) -> float:
    """How long to wait: what the server asks for, in seconds or until a moment, or else as long as is usual."""
    told = error.headers.get("Retry-After", "")
    if told.isdigit():
        return min(WAIT_MAX_S, float(told))
    try:
        until = (parsedate_to_datetime(told) - parsedate_to_datetime(error.headers["Date"])).total_seconds()
    except (TypeError, ValueError):
        return pause
    return min(WAIT_MAX_S, max(pause, until))


def broken(address: str, why: object) -> UserError:
    detail = f"{address} gave no price list: {why}. The prices that held before still hold."
    return UserError(Diagnostic("No prices were read", detail, suggestion="weyr prices refresh --from skypilot FOLDER"))
