"""How do access logs come into their buckets? The first process puts what the others spooled, as objects.

An object's key follows from the file it came from, so that a delivery that is repeated after a crash replaces what it
put with the same. Lines whose target is gone, belongs to somebody else or refuses them are dropped, and the log of the
plane says so.
"""

import asyncio
import hashlib
import logging
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from weyr.core.grants import ADMIN, Principal
from weyr.gateway.s3.admit import admit
from weyr.gateway.s3.api_buckets import LOCATION
from weyr.gateway.s3.api_logging import is_here
from weyr.gateway.s3.api_objects import store
from weyr.gateway.s3.call import Call, Plane
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.logs.spool import Line, ended_at, finished, line_of
from weyr.gateway.s3.messages import Body, Request
from weyr.gateway.s3.receive import promise_of
from weyr.gateway.s3.records import Bucket, bucket_named
from weyr.gateway.s3.sigv4 import UNSIGNED, Caller, Signing

GRACE_S = 1.0
"""After its stretch a file is left alone for so long: a line may still be on its way into it."""
BATCH_BYTES = 8 * 2**20
BATCHES_BYTES_MAX = 32 * 2**20

log = logging.getLogger("weyr.s3")

Place = tuple[str, str, str, str, str, str]
"""Target, prefix, partition, source, its owner, and the day where the partition is by event."""


class Deliverer:
    """Delivers what is spooled in `folder`, a stretch of time at a time."""

    def __init__(self, plane: Plane, folder: Path, every_s: float) -> None:
        self._plane = plane
        self._folder = folder
        self._every_s = every_s

    async def run(self) -> None:
        """Goes on until it is cancelled."""
        while True:
            await asyncio.sleep(min(self._every_s, 1.0) if self._every_s < 5 else 1.0)
            try:
                await self.deliver()
            except (OSError, sqlite3.Error, S3Error) as e:
                log.error("s3.access_log_delivery %s", e)  # the files stay, and are delivered later

    async def deliver(self) -> None:
        """Puts the lines of every finished file, and removes the file once they are on disk."""
        for path in finished(self._folder, self._every_s, self._plane.clock(), GRACE_S):
            ended_s = ended_at(path, self._every_s)
            for number, (place, text) in enumerate(_batches(path)):
                key = _key_of(place, ended_s, f"{path.name}/{number}", self._region_of(place))
                await self._put(place, key, text)
            path.unlink()

    def _region_of(self, place: Place) -> str:
        try:
            settings = bucket_named(self._plane.index, place[3]).settings
        except S3Error:
            settings = {}
        return settings.get(LOCATION, self._plane.region)

    async def _put(self, place: Place, key: str, text: bytes) -> None:
        target, owner = place[0], place[4]
        try:
            bucket = bucket_named(self._plane.index, target)
            if not is_here(bucket) or self._plane.accounts.of(bucket.owner) != self._plane.accounts.of(owner):
                raise S3Error("AccessDenied")
            call = _call(self._plane, bucket, owner, key, text)
            await admit(call, "s3:PutObject")
            await store(call, promise_of(call.headers, call.caller), call.request.body)
        except S3Error as e:
            if e.status in (500, 503):
                raise  # it may be well again soon
            log.warning("s3.access_log_dropped target=%s source=%s %s", target, place[3], e.code)


def _batches(path: Path) -> Iterator[tuple[Place, bytes]]:
    """The file's lines by place, in pieces that fit into memory; the same pieces whenever it is read."""
    waiting: dict[Place, list[str]] = defaultdict(list)
    sizes: dict[Place, int] = defaultdict(int)
    with path.open("rb") as file:
        for raw in file:
            line = line_of(raw)
            if line is None:
                continue
            place = _place_of(line)
            waiting[place].append(line.text)
            sizes[place] += len(line.text) + 1
            full = list(waiting) if sum(sizes.values()) > BATCHES_BYTES_MAX else [place]
            for each in full:
                if sizes[each] > BATCH_BYTES or len(full) > 1:
                    yield each, _text(waiting.pop(each))
                    del sizes[each]
    for place, lines in waiting.items():
        yield place, _text(lines)


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _place_of(line: Line) -> Place:
    day = datetime.fromtimestamp(line.at_s, UTC).strftime("%Y-%m-%d") if line.partition == "EventTime" else ""
    return line.target, line.prefix, line.partition, line.source, line.owner, day


def _key_of(place: Place, ended_s: float, name: str, region: str) -> str:
    """`PREFIXYYYY-MM-DD-hh-mm-ss-UNIQUE`, below account, region, bucket and day where the keys are partitioned."""
    _, prefix, partition, source, owner, day = place
    unique = hashlib.sha256(f"{name} {place}".encode()).hexdigest()[:16].upper()
    delivered = datetime.fromtimestamp(ended_s, UTC)
    at = delivered.strftime("%Y-%m-%d-%H-%M-%S")
    if not partition:
        return f"{prefix}{at}-{unique}"
    if partition == "EventTime":
        at = f"{day}-00-00-00"
    return f"{prefix}{owner}/{region}/{source}/{at[:10].replace('-', '/')}/{at}-{unique}"


class _Nobody:
    """The connection of a body that is whole already."""

    def write(self, data: bytes) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


def _call(plane: Plane, bucket: Bucket, owner: str, key: str, text: bytes) -> Call:
    """The PUT that the bucket's owner would send: whoever turned logging on could send it."""
    body = Body(_Nobody(), is_awaited=False)
    body.feed(text)
    body.end()
    headers = {"content-length": str(len(text)), "content-type": "text/plain"}
    request = Request("PUT", f"/{bucket.name}/{key}", "", headers, body)
    caller = Caller(Principal(owner, (ADMIN,)), "access-log", UNSIGNED, Signing(b"", "", "", ""))
    account = plane.accounts.of(owner)
    return Call(plane, request, caller, account, bucket.name, key, {}, int(plane.clock() * 1000), bucket)
