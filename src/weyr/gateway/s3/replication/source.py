"""What are an object's bytes, for whoever sends it on? Opened without a caller, as far as the plane can alone."""

from collections.abc import Iterator
from dataclasses import dataclass

from weyr.gateway.s3.blobs import pieces_of
from weyr.gateway.s3.call import Plane
from weyr.gateway.s3.digests import Rotten, check_data
from weyr.gateway.s3.encryption import Mode, opened_by_plane
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.kept import BlobSlices, Kept
from weyr.gateway.s3.reading import Reading, compared_pieces, inline_data, opened_pieces
from weyr.gateway.s3.records import Bucket, Inline, Stored
from weyr.gateway.s3.remote.away import AwayBytes, bytes_of
from weyr.gateway.s3.remote.tiers import is_away
from weyr.gateway.s3.replication.target import Item, Refused, SourceDamaged, SourceGone
from weyr.gateway.s3.replication.verifying import DAMAGED
from weyr.gateway.s3.sealing import opened_whole


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one version: in the index, or in files that are kept until they are sent."""

    what: Reading
    inline: Inline | None
    kept: Kept | None
    away: AwayBytes | None = None

    def read(self, start: int, count: int) -> Iterator[bytes]:
        """The plain bytes. To be called in a thread. Raises: SourceDamaged."""
        try:
            yield from self._read(start, count)
        except S3Error as e:
            if self.away is not None:
                raise Refused(f"Its bytes do not come from the tier: {e.message}") from e
            raise SourceDamaged(f"{DAMAGED} {e}") from e
        except (Rotten, OSError) as e:
            raise SourceDamaged(f"{DAMAGED} {e}") from e

    def _read(self, start: int, count: int) -> Iterator[bytes]:
        key = self.what.key
        if not count:
            return
        if self.inline is not None:
            check_data(self.inline.data, self.inline.blob, self.inline.digests)
            yield opened_whole(self.inline.data, key, start, count)
            return
        if self.away is not None:
            yield from self.away.read(key, start, count)
            return
        assert self.kept is not None
        segments = [(segment.blob, segment.size) for segment in self.what.stored.segments]
        slices = BlobSlices(self.kept, pieces_of(segments, start, count))
        try:
            yield from opened_pieces(slices, key) if key else compared_pieces(slices, self.kept.digests)
        finally:
            slices.close_file()

    def close(self) -> None:
        """Lets the files go. To be called on the loop."""
        if self.kept is not None:
            self.kept.close()


def key_of(plane: Plane, bucket: Bucket, stored: Stored) -> bytes | None:
    """What opens a version, None where it lies plain. Raises: S3Error where only the customer can."""
    encryption = stored.meta.encryption
    if encryption is not None and encryption.mode == Mode.CUSTOMER:
        raise S3Error("InvalidRequest", "It is encrypted with a customer's key (SSE-C), which is kept nowhere.")
    return opened_by_plane(plane, bucket, stored.key, encryption)


async def item_of(plane: Plane, bucket: Bucket, stored: Stored, moment_ms: int) -> Item:
    """What is sent of a version. Raises: SourceGone, S3Error where only the customer can open it."""
    what = Reading(plane, bucket, stored, key_of(plane, bucket, stored))
    inline, kept, away = inline_data(plane, stored), None, None
    if inline is None and stored.size:
        try:
            if is_away(stored):
                away = await bytes_of(plane, stored)
            else:
                kept, _ = await what.kept(0, stored.size)
        except FileNotFoundError as e:
            raise SourceGone from e
    source = Source(what, inline, kept, away)
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
        source.read,
        source.close,
    )
