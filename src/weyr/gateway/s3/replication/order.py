"""Which of two states of a key is the newer one? So that planes that replicate into each other end with the same.

A state's place is its moment, and for one moment its etag. A write into a bucket that replicates comes after all that
it can have seen, also where the clock was set back; a replica's write over something newer is refused.
"""

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Transaction
from weyr.gateway.s3.records import Bucket, Stored
from weyr.gateway.s3.replication import queue
from weyr.gateway.s3.replication.rules import SETTING

SUPERSEDED = "A newer state of this key is here already."


def moment_of(
    transaction: Transaction, bucket: Bucket, key: str, origin: str, place: tuple[int, str], there: Stored | None
) -> int:
    """The moment of a new state of a key, in Unix milliseconds.

    Takes: `origin`, the plane that a replica's write comes from, "" for a write of this plane's own; `place`, the
    state's moment and etag ("" for a deletion).
    Raises: S3Error PreconditionFailed where a replica's write is older than what is there.
    """
    moment, etag = place
    if origin:
        # What this plane has still to send counts too: a key that was deleted without a trace has a row there.
        floor_ms = queue.floor_ms(transaction, bucket, key)
        if (there and (there.modified_ms, there.etag) > (moment, etag)) or floor_ms > moment:
            raise S3Error("PreconditionFailed", SUPERSEDED, Condition="x-amz-weyr-replica")
        return moment
    if SETTING not in bucket.settings:
        return moment
    floor_ms = max(there.modified_ms if there else 0, queue.floor_ms(transaction, bucket, key))
    return max(moment, floor_ms + 1)
