"""What are an object's bytes, for whoever sends it on? Opened without a caller, as far as the plane can alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from weyr.gateway.s3.blobs import BlobSlices
from weyr.gateway.s3.call import Plane
from weyr.gateway.s3.digests import Rotten, check_data
from weyr.gateway.s3.encryption import Mode, opened_by_plane
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.reading import Reading, compared_pieces, digests_of, inline_data, opened_pieces
from weyr.gateway.s3.records import Bucket, Inline, Stored
from weyr.gateway.s3.replication.target import Item, SourceDamaged, SourceGone
from weyr.gateway.s3.replication.verifying import DAMAGED
from weyr.gateway.s3.sealing import opened_whole


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one version. What the index holds is read when it is made, the files while they are sent."""

    what: Reading
    inline: Inline | None
    digests: Mapping[int, bytes]

    def read(self, start: int, count: int) -> Iterator[bytes]:
        """The plain bytes. To be called in a thread. Raises: SourceGone, SourceDamaged."""
        try:
            yield from self._read(start, count)
        except FileNotFoundError as e:
            raise SourceGone from e
        except (Rotten, OSError, S3Error) as e:
            raise SourceDamaged(f"{DAMAGED} {e}") from e

    def _read(self, start: int, count: int) -> Iterator[bytes]:
        what = self.what
        if not count:
            return
        if self.inline is not None:
            check_data(self.inline.data, self.inline.blob, self.inline.digests)
            yield opened_whole(self.inline.data, what.key, start, count)
            return
        slices = BlobSlices(what.plane.blobs, what.segments, start, count)
        try:
            yield from opened_pieces(slices, what.key) if what.key else compared_pieces(slices, self.digests)
        finally:
            slices.close()


def key_of(plane: Plane, bucket: Bucket, stored: Stored) -> bytes | None:
    """What opens a version, None where it lies plain. Raises: S3Error where only the customer can."""
    encryption = stored.meta.encryption
    if encryption is not None and encryption.mode == Mode.CUSTOMER:
        raise S3Error("InvalidRequest", "It is encrypted with a customer's key (SSE-C), which is kept nowhere.")
    return opened_by_plane(plane, bucket, stored.key, encryption)


async def item_of(plane: Plane, bucket: Bucket, stored: Stored, moment_ms: int) -> Item:
    """What is sent of a version. Raises: SourceGone, S3Error where only the customer can open it."""
    what = Reading(plane, bucket, stored, key_of(plane, bucket, stored))
    inline = inline_data(plane, stored)
    try:
        digests = {} if inline or what.key else await digests_of(what)
    except FileNotFoundError as e:
        raise SourceGone from e
    parts = tuple(segment.size for segment in stored.segments) if stored.meta.parts else ()
    return Item(
        bucket.name,
        stored.key,
        stored.size,
        stored.etag,
        stored.version,
        max(stored.modified_ms, moment_ms),
        stored.meta,
        parts,
        Source(what, inline, digests).read,
    )
