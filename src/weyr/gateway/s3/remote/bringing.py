"""How do the bytes of an object that is elsewhere come here, for a copy? Through the cache, taken by a thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from weyr.gateway.s3.remote.blocks import Outer, OuterBytes
from weyr.gateway.s3.remote.problems import RemoteProblem
from weyr.gateway.s3.remote.reach import SETTING
from weyr.gateway.s3.remote.refusals import refused

if TYPE_CHECKING:
    from weyr.gateway.s3.call import Plane
    from weyr.gateway.s3.records import Bucket, Stored


def is_elsewhere(bucket: Bucket) -> bool:
    """Whether a bucket's objects are at another place."""
    return SETTING in bucket.settings


def brought(plane: Plane, bucket: Bucket, stored: Stored, start: int, count: int) -> Iterator[bytes]:
    """A range of an object. To be called on the loop; what it gives is for a thread. Raises: S3Error, there too."""
    version = stored.etag or f"{stored.modified_ms}-{stored.size}"
    outer = Outer(plane.outside.of_bucket(bucket), stored.key, stored.size, version, is_compared=bool(stored.etag))
    return _said(OuterBytes(plane.outside.blocks, outer, plane.receiver.loop).pieces(start, count), stored.key)


def _said(pieces: Iterator[bytes], key: str) -> Iterator[bytes]:
    try:
        yield from pieces
    except RemoteProblem as e:
        raise refused(e, key) from e
