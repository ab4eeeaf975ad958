"""Who has an object's bytes a second time? The replicas of its bucket, one after the other.

Whoever asks compares what comes with its own digests: a replica that has rotted itself mends nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping

from weyr.gateway.s3.care.healing import Wanted as Piece
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Index
from weyr.gateway.s3.records import bucket_named
from weyr.gateway.s3.replication.rules import rules_of
from weyr.gateway.s3.replication.target import Refused, Target, TargetAway, Wanted


class Replicas:
    """The targets of the plane, as those that a damaged blob is mended from."""

    def __init__(self, index: Index, targets: Mapping[str, Target]) -> None:
        self._index = index
        self._targets = targets

    async def bytes_of(self, wanted: Piece) -> AsyncIterator[bytes] | None:
        """The bytes from the first replica that has this object. Raises: OSError where one is out of reach."""
        try:
            rules = rules_of(bucket_named(self._index, wanted.bucket).settings)
        except S3Error:
            return None
        away: TargetAway | None = None
        piece = Wanted(wanted.bucket, wanted.key, wanted.etag, wanted.size, wanted.start, wanted.count)
        for name in dict.fromkeys(rule.target for rule in rules if wanted.key.startswith(rule.prefix)):
            target = self._targets.get(name)
            if target is None:
                continue
            try:
                found = await asyncio.to_thread(target.fetch, piece)
            except TargetAway as e:
                away = e
                continue
            except Refused:
                continue
            if found is not None:
                return _aside(found)
        if away is not None:
            raise OSError(str(away)) from away
        return None


async def _aside(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces, each fetched in a thread. Raises: OSError."""
    try:
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece
    except (TargetAway, Refused) as e:
        raise OSError(str(e)) from e
