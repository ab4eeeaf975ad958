"""Which answers are logged, and what is written of them once they have gone out?"""

import time
from contextlib import suppress
from functools import partial

from weyr.gateway.s3.api_logging import SETTING, Logging
from weyr.gateway.s3.call import Plane
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.logs.line import Seen, batch_line_of, line_of
from weyr.gateway.s3.logs.spool import Line, Spool
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.records import Bucket, bucket_named
from weyr.gateway.s3.routes import SUBRESOURCES


class Follower:
    """Sees to it that the answers of buckets that have a log are written down."""

    def __init__(self, plane: Plane, spool: Spool) -> None:
        self._plane = plane
        self._spool = spool

    def follow(self, seen: Seen, response: Response) -> None:
        """To be called with every answer before it goes out."""
        bucket = self._bucket_of(seen, response)
        if bucket is None or SETTING not in bucket.settings:
            return
        if seen.call is not None and seen.call.became:
            seen.call = seen.call.became[0]
            seen.key = seen.call.key
        seen.subresource = next((name for name in SUBRESOURCES if name in seen.query), "")
        logging = Logging.of(bucket.settings[SETTING])
        response.done += (partial(self._write, seen, response, bucket, logging, time.monotonic()),)

    def _bucket_of(self, seen: Seen, response: Response) -> Bucket | None:
        if seen.call is not None and seen.call.there_or_none is not None:
            return seen.call.there_or_none
        # Refused before anybody looked for the bucket, or a question of a browser that nobody signs.
        if seen.bucket and (response.status >= 400 or seen.request.method == "OPTIONS"):
            with suppress(S3Error):
                return bucket_named(self._plane.index, seen.bucket)
        return None

    def _write(
        self, seen: Seen, response: Response, bucket: Bucket, logging: Logging, ready_s: float, sent_bytes: int
    ) -> None:
        owner = self._plane.accounts.of(bucket.owner).id
        texts = [line_of(seen, response, owner, sent_bytes, ready_s, time.monotonic())]
        if seen.call is not None:
            texts += [batch_line_of(seen, owner, *removed) for removed in seen.call.removed]
        lines = [
            Line(bucket.name, bucket.owner, logging.target, logging.prefix, logging.partition, seen.received_s, text)
            for text in texts
        ]
        self._spool.write(lines)
