"""The documents that a bucket may have: how each is read, replaced and removed.

A document is checked by its own rule when it is put, and kept as text in the bucket's row. Only documents that are
enforced have a line in `weyr.gateway.s3.routes`; whoever enforces one reads it from `Bucket.settings`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from weyr.gateway.s3 import bucket_writes
from weyr.gateway.s3.call import Call
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.messages import Response

Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Document:
    """One kind of document of a bucket. `name` is its subresource and its key in `Bucket.settings`."""

    name: str
    get_action: str
    put_action: str
    delete_action: str
    """"" where S3 cannot remove it."""
    check: Callable[[Call], Awaitable[str | None]]
    """What is kept of a request's document; None to keep none. Raises: S3Error."""
    missing: str
    """The error code of a bucket that has none."""
    show: Callable[[str], bytes] = str.encode
    """What was kept as it is given back."""
    content_type: str = "application/xml"
    put_status: int = 200


def getter(document: Document) -> Handler:
    """The operation that gives the document back."""

    async def get(call: Call) -> Response:
        kept = call.there.settings.get(document.name)
        if kept is None:
            raise S3Error(document.missing, BucketName=call.bucket)
        return Response(200, [("Content-Type", document.content_type)], document.show(kept))

    return get


def putter(document: Document) -> Handler:
    """The operation that replaces the document."""

    async def put(call: Call) -> Response:
        await keep(call, document.name, await document.check(call))
        return Response(document.put_status)

    return put


def deleter(document: Document) -> Handler:
    """The operation that removes the document; one that is not there is no error."""

    async def delete(call: Call) -> Response:
        await keep(call, document.name, None)
        return Response(204)

    return delete


async def keep(call: Call, name: str, text: str | None) -> None:
    """Writes one setting of the call's bucket, or removes it."""
    bucket = call.bucket
    await call.plane.index.write(partial(bucket_writes.set_setting, name=bucket, setting=name, text=text))
