"""How does a bucket of a cloud get an object? Through the plane's one client for places outside.

Content headers and user metadata are kept as the cloud keeps them. What it has no place for (tags, the etag of an
upload in parts, the checksum, `Expires`) goes along as JSON in the user metadata `weyr_replica`, if there is room.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from weyr.gateway.s3.remote.objects import CONTENT, PART_BYTES
from weyr.gateway.s3.remote.place import Place
from weyr.gateway.s3.remote.problems import RemoteAbsent, RemoteCannot, RemoteProblem
from weyr.gateway.s3.remote.store import Remote
from weyr.gateway.s3.replication.target import Item, Progress, Refused, TargetAway, Wanted
from weyr.gateway.s3.replication.verifying import verified

NOTE = "weyr_replica"
USER = "x-amz-meta-"
USER_BYTES_MAX = 2048
"""Of all user metadata together, as S3 has it."""
FETCH_BYTES = 8 * 2**20
_NAMES = {name.lower(): name for name in CONTENT}

T = TypeVar("T")


class CloudTarget:
    """One bucket, or a prefix in one. It is asked on `loop`, whose thread must not be the caller's."""

    def __init__(self, name: str, remote: Remote, loop: asyncio.AbstractEventLoop) -> None:
        self.name = name
        self._remote = remote
        self._loop = loop
        self._is_closed = False

    def bucket_for(self, bucket: str) -> str:
        return self._remote.place.url

    def put(self, item: Item, progress: Progress) -> None:
        headers = headers_of(item)
        if item.size <= PART_BYTES:
            self._ask(self._remote.put(item.key, b"".join(verified(item)), headers))
            return
        self._ask(self._remote.put_stream(item.key, _aside(verified(item)), item.size, headers))

    def put_tags(self, item: Item) -> bool:
        """They are in the metadata, which no cloud changes without writing the object anew."""
        return False

    def has(self, item: Item) -> bool:
        try:
            found = self._ask(self._remote.head(item.key))
        except Refused:
            return False
        there = {name.lower(): value for name, value in found.headers.items()}
        return found.size == item.size and there == {n.lower(): v for n, v in headers_of(item).items()}

    def delete(self, bucket: str, key: str, at_ms: int) -> None:
        self._ask(self._remote.delete(key))

    def abandon(self, bucket: str, key: str, upload: str) -> None:
        """There are none that outlive a call."""

    def fetch(self, wanted: Wanted) -> Iterator[bytes] | None:
        try:
            found = self._ask(self._remote.head(wanted.key))
        except Refused:
            return None
        # The cloud's own etag is another where it got the object in parts of its own.
        if found.size != wanted.size or wanted.etag not in (found.etag, _noted_etag(found.headers)):
            return None
        return self._pieces(wanted, found.etag)

    def _pieces(self, wanted: Wanted, etag: str) -> Iterator[bytes]:
        end = wanted.start + wanted.count
        for start in range(wanted.start, end, FETCH_BYTES):
            yield self._ask(self._remote.get(wanted.key, start, min(FETCH_BYTES, end - start), etag))

    def close(self) -> None:
        self._is_closed = True

    def _ask(self, question: Coroutine[Any, Any, T]) -> T:
        """Raises: Refused where the place cannot have this object, TargetAway for everything else."""
        try:
            return self._answer(asyncio.run_coroutine_threadsafe(question, self._loop))
        except (RemoteCannot, RemoteAbsent) as e:
            raise Refused(str(e)) from e
        except RemoteProblem as e:
            raise TargetAway(str(e)) from e

    def _answer(self, future: "Future[T]") -> T:
        while True:
            try:
                return future.result(1.0)
            except TimeoutError as e:
                if future.done() or self._is_closed:
                    raise TargetAway("no answer") from e


def cloud_target(name: str, place: Place, loop: asyncio.AbstractEventLoop) -> CloudTarget:
    """The target at a place. Raises: RemoteProblem."""
    return CloudTarget(name, Remote(place), loop)


def headers_of(item: Item) -> dict[str, str]:
    """An object's headers as a cloud keeps them: content headers by name, user metadata without their beginning."""
    meta = item.meta
    headers = {_NAMES[name]: value for name, value in meta.headers.items() if name in _NAMES}
    headers |= {name.removeprefix(USER): value for name, value in meta.headers.items() if name.startswith(USER)}
    note: dict[str, object] = {"etag": item.etag, "modified_ms": item.modified_ms}
    note |= {"tags": meta.tags} if meta.tags else {}
    note |= {"checksum": meta.checksum} if meta.checksum else {}
    note |= {"expires": meta.headers["expires"]} if "expires" in meta.headers else {}
    text = json.dumps(note, separators=(",", ":"))
    user = sum(len(name) + len(value) for name, value in headers.items() if name not in CONTENT)
    if user + len(NOTE) + len(text) <= USER_BYTES_MAX:
        headers[NOTE] = text
    return headers


def _noted_etag(headers: Mapping[str, str]) -> str:
    try:
        return str(json.loads(headers.get(NOTE, "{}")).get("etag", ""))
    except (ValueError, AttributeError):
        return ""


async def _aside(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces, each read in a thread."""
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece
