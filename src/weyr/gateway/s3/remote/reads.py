"""The operations that read a bucket which is elsewhere: GET and HEAD.

Each asks the place what is there now, so nothing that changed is given out of the cache; the bytes come from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from weyr.gateway.s3.api_objects import http_date
from weyr.gateway.s3.call import Call
from weyr.gateway.s3.conditions import check_read, range_of
from weyr.gateway.s3.encryption import check_reading
from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.metadata import USER, response_headers
from weyr.gateway.s3.records import Meta, Stored
from weyr.gateway.s3.remote.blocks import ComingSlices, Outer
from weyr.gateway.s3.remote.objects import CONTENT, RemoteObject
from weyr.gateway.s3.remote.problems import RemoteChanged, RemoteProblem
from weyr.gateway.s3.remote.refusals import refused

if TYPE_CHECKING:
    from weyr.gateway.s3.remote.store import Remote  # it loads obstore, and is handed in

LOOKS_MAX = 5
"""An object that is replaced between the look at it and its first block is looked at again."""


async def get_object(call: Call) -> Response:
    """The object, or the range of it that is asked for."""
    remote, blocks = call.plane.outside.of_bucket(call.there), call.plane.outside.blocks
    for _ in range(LOOKS_MAX):
        found = await looked_up(call, remote)
        response, start, count = _described(call, found)
        if not count:
            return response
        slices = ComingSlices(blocks, [outer_of(remote, found)], start, count)
        try:
            await slices.begin()
        except RemoteChanged:
            slices.close()
            continue
        except RemoteProblem as e:
            slices.close()
            raise refused(e, call.key) from e
        response.files, response.length = slices, count
        return response
    raise S3Error("OperationAborted", "The object is replaced faster than it can be read.")


async def head_object(call: Call) -> Response:
    """As a GET, without the bytes."""
    found = await looked_up(call, call.plane.outside.of_bucket(call.there))
    response, _, count = _described(call, found)
    response.length = count
    return response


async def looked_up(call: Call, remote: Remote) -> RemoteObject:
    """The object of the call's key as it is now. Raises: S3Error."""
    check_version(call)
    return await object_at(remote, call.key)


async def object_at(remote: Remote, key: str) -> RemoteObject:
    """Raises: S3Error NoSuchKey, and what else `refused` has."""
    try:
        return await remote.head(key)
    except RemoteProblem as e:
        raise refused(e, key) from e


def outer_of(remote: Remote, found: RemoteObject) -> Outer:
    version = found.etag or f"{found.modified_ms}-{found.size}"
    return Outer(remote, found.key, found.size, version, is_compared=bool(found.etag))


def check_version(call: Call) -> None:
    """A bucket that is elsewhere has one version of each key here. Raises: S3Error."""
    if call.query.get("versionId", "null") != "null":
        raise not_implemented("versions of a bucket that is elsewhere")


def stored_of(found: RemoteObject) -> Stored:
    """The object as one of our own would be."""
    headers = headers_of(found.headers)
    return Stored(found.key, 1, "null", False, found.size, found.etag, found.modified_ms, (), Meta(headers=headers))


def headers_of(kept: Mapping[str, str]) -> dict[str, str]:
    """An object's headers as ours have them, from those that the place keeps."""
    content = {name.lower(): value for name, value in kept.items() if name in CONTENT}
    user = {f"{USER}{name.lower()}": value for name, value in kept.items() if name not in CONTENT}
    user.pop(f"{USER}storage-class", None)
    content.setdefault("content-type", "binary/octet-stream")
    return content | user


def _described(call: Call, found: RemoteObject) -> tuple[Response, int, int]:
    """The answer's head, and (start, count) of the bytes that belong to it. Raises: S3Error, NotModified."""
    check_reading(call.headers)
    if "partNumber" in call.query:
        raise not_implemented("partNumber on a bucket that is elsewhere")
    check_read(call.headers, found.etag, found.modified_ms)
    headers = [("Last-Modified", http_date(found.modified_ms // 1000))]
    start, count, status = 0, found.size, 200
    if "range" in call.headers and (piece := range_of(call.headers["range"], found.size)):
        start, count = piece
        status = 206
        headers.append(("Content-Range", f"bytes {start}-{start + count - 1}/{found.size}"))
    headers += response_headers(stored_of(found), call.query, None)
    return Response(status, headers), start, count
