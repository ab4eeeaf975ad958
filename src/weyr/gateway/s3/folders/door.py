"""How is a folder of plain files served as a bucket? Read only: lists, GET and HEAD, under the rules of any bucket.

Nothing is copied and nothing is kept but the bucket's row. Whoever changes a file changes the object; one that changes
while it is sent is cut off.
"""

import json
import mimetypes
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from weyr.gateway.s3 import api_buckets, api_lists, api_objects
from weyr.gateway.s3.api_objects import http_date
from weyr.gateway.s3.bucket_writes import create, set_setting
from weyr.gateway.s3.call import Call
from weyr.gateway.s3.conditions import check_read, range_of
from weyr.gateway.s3.encryption import check_reading
from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.folders.setting import FOLDER, folder_of
from weyr.gateway.s3.folders.walk import etag_of
from weyr.gateway.s3.index import Transaction
from weyr.gateway.s3.inside import NotInside, open_inside
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.metadata import response_headers
from weyr.gateway.s3.records import Meta, Stored, bucket_named

Operation = Callable[[Call], Awaitable[Response]]

WINDOW_BYTES = 4 * 2**20
_KEPT_ACTIONS = {
    "s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:GetBucketPolicyStatus",
    "s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock", "s3:GetBucketOwnershipControls",
    "s3:PutBucketOwnershipControls", "s3:GetBucketCORS", "s3:PutBucketCORS", "s3:GetBucketTagging",
    "s3:PutBucketTagging", "s3:GetBucketAcl", "s3:PutBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning",
    "s3:GetBucketRequestPayment", "s3:GetLifecycleConfiguration", "s3:GetEncryptionConfiguration",
    "s3:GetBucketObjectLockConfiguration", "s3:GetBucketNotification",
}  # fmt: skip
"""What is about the bucket's row alone."""


def operation_at(operation: Operation, method: str, action: str) -> Operation:
    """What answers in the place of one of our own operations. Raises: S3Error.

    What would write is not allowed; what would read something that a folder has not is not implemented.
    """
    if operation in (api_buckets.head_bucket, api_lists.list_objects) or action in _KEPT_ACTIONS:
        return operation
    if operation is api_objects.get_object:
        return get_object
    if operation is api_objects.head_object:
        return head_object
    if method in ("PUT", "POST", "DELETE"):
        raise S3Error("MethodNotAllowed", "This bucket is a folder of files that is served read-only.")
    raise not_implemented("this on a bucket that is a folder of files")


async def get_object(call: Call) -> Response:
    """The file, or the range of it that is asked for."""
    descriptor, response, start, count = _described(call)
    if not count:
        os.close(descriptor)
        return response
    response.files, response.length = FolderFile(descriptor, start, count), count
    return response


async def head_object(call: Call) -> Response:
    """As a GET, without the bytes."""
    descriptor, response, _, count = _described(call)
    os.close(descriptor)
    response.length = count
    return response


def _described(call: Call) -> tuple[int, Response, int, int]:
    """The file, the answer's head, and (start, count) of the bytes that belong to it. Raises: S3Error, NotModified."""
    if call.query.get("versionId", "null") != "null" or "partNumber" in call.query:
        raise not_implemented("versions and parts of a bucket that is a folder of files")
    check_reading(call.headers)
    descriptor = _opened(folder_of(call.there, call.plane.folders), call.key)
    try:
        stored = _stored(call.key, os.fstat(descriptor))
        check_read(call.headers, stored.etag, stored.modified_ms)
        headers = [("Last-Modified", http_date(stored.modified_ms // 1000))]
        start, count, status = 0, stored.size, 200
        if "range" in call.headers and (piece := range_of(call.headers["range"], stored.size)):
            start, count = piece
            status = 206
            headers.append(("Content-Range", f"bytes {start}-{start + count - 1}/{stored.size}"))
        headers += response_headers(stored, call.query, None)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, Response(status, headers), start, count


def _opened(folder: Path, key: str) -> int:
    try:
        return open_inside(folder, key)
    except PermissionError as e:
        raise S3Error("AccessDenied", "The file is closed to the server.") from e
    except (NotInside, FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError) as e:
        raise S3Error("NoSuchKey", Key=key) from e
    except OSError as e:
        if folder.is_dir():
            raise S3Error("NoSuchKey", Key=key) from e  # a link, or a name that no file can have
        raise S3Error("ServiceUnavailable", f"The folder cannot be read: {e.strerror}") from e


def _stored(key: str, state: os.stat_result) -> Stored:
    """The file as an object of our own would be."""
    kind = mimetypes.guess_type(key)[0] or "binary/octet-stream"
    modified_ms = state.st_mtime_ns // 1_000_000
    return Stored(
        key, 1, "null", False, state.st_size, etag_of(state), modified_ms, (), Meta(headers={"content-type": kind})
    )


class FolderFile:
    """A file on its way, in windows; it is looked at again before each, for what changes is not what was promised."""

    def __init__(self, descriptor: int, start: int, count: int) -> None:
        self._descriptor = descriptor
        self._offset = start
        self._left = count
        self._etag = etag_of(os.fstat(descriptor))

    async def next(self) -> tuple[int, int, int] | None:
        if etag_of(os.fstat(self._descriptor)) != self._etag:
            raise ConnectionResetError("the file changed while it was sent")
        if not self._left:
            return None
        offset, count = self._offset, min(self._left, WINDOW_BYTES)
        self._offset, self._left = offset + count, self._left - count
        return self._descriptor, offset, count

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def mount(transaction: Transaction, name: str, owner: str, path: str, now_ms: int) -> None:
    """The bucket that is the folder at `path`, made if it is missing; its rules stay as they are.

    Every signed user may read a new one, and nobody who is not: that is the policy it is made with, and its owner's to
    change. Raises: S3Error BucketAlreadyExists where a bucket of that name is none of a folder.
    """
    if transaction.one("SELECT 1 FROM buckets WHERE name = ?", name) is None:
        create(transaction, name, owner, now_ms, {FOLDER: path, "policy": json.dumps(_policy(name))})
    elif FOLDER not in bucket_named(transaction, name).settings:
        raise S3Error("BucketAlreadyExists", f"there is a bucket {name} that is no folder", BucketName=name)
    else:
        set_setting(transaction, name, FOLDER, path)


def _policy(name: str) -> Mapping[str, object]:
    statement = {
        "Sid": "EverySignedUserReads",
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"],
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
        "Condition": {"Null": {"aws:username": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
