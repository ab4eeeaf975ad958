"""Where do runs' files go? To the S3 plane, or to anything else that obstore reaches by bucket and key.

Memory per upload is at most `PART_BYTES * (PARTS_AT_ONCE + 1)`, whatever the file's size. A file
appears whole when its last part is acknowledged; a broken upload leaves none.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, S3Store

from weyr.core.artifacts import ArtifactContent, ArtifactEntry, ArtifactMissing, ArtifactStoreSilent, Place
from weyr.core.seal import ListedFile

if TYPE_CHECKING:
    from obstore import BytesStream  # declared for type checkers, absent at run time

PART_BYTES = 8 << 20
PARTS_AT_ONCE = 2
CHUNK_BYTES = 1 << 20
DELETES_AT_ONCE = 100
RETRIES_S_MAX = 15.0
"""A plane that was killed is back within seconds; a training task's log_model waits that long."""
RETRIES_MAX = 1000
"""The time is the limit. Pauses are drawn between 0.1 s and twice the last one, so eight are over after 2 s."""

Bucket = S3Store | LocalStore | MemoryStore


def s3_buckets(endpoint: str, key_id: str, secret: str, region: str = "us-east-1") -> Callable[[str], Bucket]:
    """Takes the plane's URL and a key that may read and write the buckets of runs."""

    def open_bucket(name: str) -> Bucket:
        return S3Store(
            name,
            endpoint=endpoint,
            access_key_id=key_id,
            secret_access_key=secret,
            region=region,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True, "timeout": "120s", "connect_timeout": "5s"},
            retry_config={
                "max_retries": RETRIES_MAX,
                "retry_timeout": timedelta(seconds=RETRIES_S_MAX),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=2),
                    "base": 2,
                },
            },
        )

    return open_bucket


class ObjectArtifacts:
    """The `ArtifactStore` of weyr.core.artifacts over obstore."""

    def __init__(self, open_bucket: Callable[[str], Bucket]) -> None:
        self._open_bucket = open_bucket
        self._opened: dict[str, Bucket] = {}

    async def put(self, place: Place, chunks: AsyncIterator[bytes]) -> None:
        # Most files fit in one part: one request then, where an iterator would cost three.
        head = bytearray()
        async for chunk in chunks:
            head += chunk
            if len(head) >= PART_BYTES:
                break
        try:
            if len(head) < PART_BYTES:
                await obstore.put_async(self._bucket(place), place.key, bytes(head))
            else:
                await obstore.put_async(
                    self._bucket(place),
                    place.key,
                    _joined(bytes(head), chunks),
                    use_multipart=True,
                    chunk_size=PART_BYTES,
                    max_concurrency=PARTS_AT_ONCE,
                )
        except (BaseError, OSError) as e:
            raise _fault(e, place) from e

    async def get(self, place: Place) -> ArtifactContent:
        try:
            found = await obstore.get_async(self._bucket(place), place.key)
        except (BaseError, OSError) as e:
            raise _fault(e, place) from e
        return ArtifactContent(found.meta["size"], _bytes_of(found.stream(min_chunk_size=CHUNK_BYTES)))

    async def entries(self, place: Place) -> Sequence[ArtifactEntry]:
        prefix = f"{place.key}/" if place.key else None
        try:
            found = await obstore.list_with_delimiter_async(self._bucket(place), prefix)
        except (BaseError, OSError) as e:
            fault = _fault(e, place)
            if isinstance(fault, ArtifactMissing):
                return ()
            raise fault from e
        folders = [ArtifactEntry(_last(path), is_dir=True) for path in found["common_prefixes"]]
        files = [ArtifactEntry(_last(each["path"]), is_dir=False, size_bytes=each["size"]) for each in found["objects"]]
        return sorted(folders + files, key=lambda entry: entry.name)

    async def files(self, place: Place, files_max: int) -> Sequence[ListedFile] | None:
        prefix = f"{place.key}/" if place.key else ""
        found: list[ListedFile] = []
        try:
            async for portion in obstore.list(self._bucket(place), prefix or None):
                found += [
                    ListedFile(each["path"].removeprefix(prefix), each["size"], each["e_tag"] or "") for each in portion
                ]
                if len(found) > files_max:
                    return None
        except (BaseError, OSError) as e:
            raise _fault(e, place) from e
        return found

    async def delete(self, place: Place) -> None:
        bucket = self._bucket(place)
        try:
            if place.key:
                await _delete_one(bucket, place.key)
            async for portion in obstore.list(
                bucket, f"{place.key}/" if place.key else None, chunk_size=DELETES_AT_ONCE
            ):
                await asyncio.gather(*(_delete_one(bucket, each["path"]) for each in portion))
        except (BaseError, OSError) as e:
            fault = _fault(e, place)
            if not isinstance(fault, ArtifactMissing):
                raise fault from e

    def _bucket(self, place: Place) -> Bucket:
        bucket = self._opened.get(place.bucket)
        if bucket is None:
            bucket = self._opened[place.bucket] = self._open_bucket(place.bucket)
        return bucket


async def _delete_one(bucket: Bucket, key: str) -> None:
    try:
        await obstore.delete_async(bucket, key)
    except FileNotFoundError:
        return


async def _joined(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in rest:
        if chunk:
            yield chunk


async def _bytes_of(stream: "BytesStream") -> AsyncIterator[bytes]:
    async for chunk in stream:
        yield bytes(chunk)


def _fault(error: Exception, place: Place) -> ArtifactMissing | ArtifactStoreSilent:
    """What obstore's error means. A list of a bucket that is not there has no error class of its own."""
    said = str(error).partition("\n\nDebug source")[0]
    if isinstance(error, FileNotFoundError) or "<Code>NoSuchBucket</Code>" in said:
        return ArtifactMissing(place.path)
    return ArtifactStoreSilent(said)


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
