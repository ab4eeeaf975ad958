"""Which bucket does a request's Host name, and at which address is an object? Path style and virtual hosts.

A request to `BUCKET.DOMAIN` for `/KEY` is one for `/BUCKET/KEY`, where DOMAIN is one that the plane is told of or one
of those that lead to the own machine. A name that is a domain itself names no bucket.
"""

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

from weyr.gateway.s3.messages import Request

LOCAL = ("localhost", "s3.localhost", "s3.localhost.localstack.cloud")
"""Names that resolve to the own machine: SDKs that know no path style put the bucket before them."""


class Domains:
    """The domains under which a name is a bucket's."""

    def __init__(self, given: Sequence[str], region: str) -> None:
        local = (*LOCAL, f"s3.{region}.localhost.localstack.cloud")
        named = {domain.lower().strip(".") for domain in (*given, *local)}
        self._exact = frozenset(named)
        # The longest first: what is before `s3.localhost` is a bucket, not `BUCKET.s3`.
        self._suffixes = tuple(f".{domain}" for domain in sorted(named, key=len, reverse=True))

    def bucket_of(self, host: str) -> str:
        """The bucket that a Host header names, "" where it names none."""
        name = host.partition(":")[0].lower()
        if not name.endswith(self._suffixes) or name in self._exact:
            return ""
        suffix = next(suffix for suffix in self._suffixes if name.endswith(suffix))
        return name.removesuffix(suffix)

    def addressed(self, request: Request) -> Request:
        """The request as if its bucket were in the path; `sent_path` stays what was sent, and signed."""
        bucket = self.bucket_of(request.headers.get("host", ""))
        if not bucket or not request.path.startswith("/"):
            return request
        return replace(request, path=f"/{quote(bucket, safe='')}{request.path}", sent_path=request.path)


def url_of(request: Request, bucket: str, key: str) -> str:
    """An object's address, in the style in which the request came."""
    in_path = "" if request.sent_path else f"/{bucket}"
    return f"http://{request.headers.get('host', '')}{in_path}/{quote(key, safe='/-_.~')}"
