"""Who carries events to the webhooks? A task for each webhook: in order, at least once, again until it answers.

An event is removed once a webhook has answered with 2xx. A webhook that does not is asked again after a while that
doubles up to five minutes. The others do not wait for it.
"""

import asyncio
import http.client
import logging
import socket
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Index, Transaction
from weyr.gateway.s3.notices import WAITING_MAX

log = logging.getLogger("weyr.s3")

TIMEOUT_S = 10.0
AT_ONCE = 50
EVERY_S = 0.5
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 300.0


@dataclass(slots=True)
class _Patience:
    """How long a webhook is left alone."""

    wait_s: float = FIRST_WAIT_S
    until_s: float = 0.0


async def tell_forever(index: Index, name: str, url: str, clock: Callable[[], float]) -> None:
    """Tells one webhook until it is cancelled."""
    patience = _Patience()
    while True:
        told = 0
        try:
            told = await _tell(index, name, url, patience, clock)
        except (OSError, sqlite3.Error, S3Error) as e:
            log.error("s3.telling_failed %s", e)
        if not told:
            await asyncio.sleep(EVERY_S)


async def _tell(index: Index, name: str, url: str, patience: _Patience, clock: Callable[[], float]) -> int:
    """Sends what waits for one webhook, until it refuses. Gives how many events it took."""
    if clock() < patience.until_s:
        return 0
    rows = index.all("SELECT id, body FROM events WHERE target = ? ORDER BY id LIMIT ?", name, AT_ONCE)
    taken: list[int] = []
    problem = ""
    for event, body in rows:
        problem = await asyncio.to_thread(_posted, url, body.encode())
        if problem:
            break
        taken.append(event)
    if taken:
        await index.write(partial(_forget, events=taken))
        patience.wait_s = FIRST_WAIT_S
    if problem:
        if patience.wait_s == FIRST_WAIT_S:
            log.warning("s3.webhook_silent webhook=%s %s", name, problem)
        patience.until_s = clock() + patience.wait_s
        patience.wait_s = min(patience.wait_s * 2, LONGEST_WAIT_S)
    return len(taken)


def _posted(url: str, body: bytes) -> str:
    """Why the webhook did not take it, "" where it did. To be called in a thread."""
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "unix":
        connection, parts = _UnixConnection(parts.path), urlsplit("/events")
    else:
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.netloc, timeout=TIMEOUT_S)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as e:
        return str(e) or type(e).__name__
    finally:
        connection.close()
    return "" if 200 <= status < 300 else f"it answered {status}"


class _UnixConnection(http.client.HTTPConnection):
    """To another plane of ours, whose socket's permissions are the authentication."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self._path)


async def bound(index: Index, waiting_max: int = WAITING_MAX) -> None:
    """Lets the oldest events go where too many wait; a webhook that is gone for good must not fill the disk."""
    row = index.one("SELECT max(id) - ? FROM events", waiting_max)
    if row and row[0] is not None and index.one("SELECT 1 FROM events WHERE id <= ? LIMIT 1", row[0]):
        gone = await index.write(partial(_forget_up_to, event=row[0]))
        log.error("s3.events_lost %d, since more than %d wait for a webhook", gone, waiting_max)


def _forget(transaction: Transaction, events: list[int]) -> None:
    marks = ",".join("?" * len(events))
    transaction.run(f"DELETE FROM events WHERE id IN ({marks})", *events)


def _forget_up_to(transaction: Transaction, event: int) -> int:
    return transaction.run("DELETE FROM events WHERE id <= ?", event)
