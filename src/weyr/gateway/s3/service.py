"""Which operation does a request ask for, and what is answered? Authentication, routing, errors."""

import itertools
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping

from weyr.gateway.s3 import api_buckets, api_deletes, api_lists, api_objects, api_tags, api_uploads, sigv2
from weyr.gateway.s3.call import OWNER, Call, Plane, checked_key, decoded
from weyr.gateway.s3.conditions import NotModified
from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.messages import BodyBroken, Request, Response
from weyr.gateway.s3.metadata import check_known
from weyr.gateway.s3.sigv4 import Refused, Signable, authenticate
from weyr.gateway.s3.xml import error_document

log = logging.getLogger("weyr.s3")

Operation = Callable[[Call], Awaitable[Response]]

SUBRESOURCES = (
    "accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "intelligent-tiering",
    "inventory", "legal-hold", "lifecycle", "list-type", "location", "logging", "metadataConfiguration", "metrics",
    "notification", "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "renameObject",
    "replication", "requestPayment", "restore", "retention", "select", "session", "tagging", "torrent", "uploadId",
    "uploads", "versioning", "versions", "website",
)  # fmt: skip
"""Query names that make a request another one. Others are parameters."""

_OF_THE_SIGNATURE = {
    "x-amz-algorithm", "x-amz-content-sha256", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signature",
    "x-amz-signedheaders", "x-amz-user-agent",
}  # fmt: skip

OPERATIONS: Mapping[tuple[str, str, str], Operation] = {
    ("service", "GET", ""): api_buckets.list_buckets,
    ("bucket", "GET", ""): api_lists.list_objects,
    ("bucket", "GET", "list-type"): api_lists.list_objects,
    ("bucket", "GET", "location"): api_buckets.get_location,
    ("bucket", "GET", "uploads"): api_uploads.list_uploads,
    ("bucket", "GET", "versioning"): api_buckets.get_versioning,
    ("bucket", "GET", "versions"): api_lists.list_versions,
    ("bucket", "HEAD", ""): api_buckets.head_bucket,
    ("bucket", "PUT", ""): api_buckets.create_bucket,
    ("bucket", "PUT", "versioning"): api_buckets.put_versioning,
    ("bucket", "DELETE", ""): api_buckets.delete_bucket,
    ("bucket", "POST", "delete"): api_deletes.delete_objects,
    ("object", "GET", ""): api_objects.get_object,
    ("object", "GET", "uploadId"): api_uploads.list_parts,
    ("object", "GET", "tagging"): api_tags.get_tags,
    ("object", "HEAD", ""): api_objects.head_object,
    ("object", "PUT", ""): api_objects.put_object,
    ("object", "PUT", "uploadId"): api_uploads.put_part,
    ("object", "PUT", "tagging"): api_tags.put_tags,
    ("object", "POST", "uploads"): api_uploads.create_upload,
    ("object", "POST", "uploadId"): api_uploads.complete_upload,
    ("object", "DELETE", ""): api_deletes.delete_object,
    ("object", "DELETE", "uploadId"): api_uploads.abort_upload,
    ("object", "DELETE", "tagging"): api_tags.delete_tags,
}


class Service:
    """The S3 door: `handle` is what the HTTP site calls."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._ids = itertools.count(int(plane.clock() * 1000))

    async def handle(self, request: Request) -> Response:
        """Answers every request; what goes wrong becomes an S3 error."""
        request_id = f"{next(self._ids):016X}"
        try:
            response = await self._answer(request)
        except NotModified as e:
            response = Response(304, [("ETag", f'"{e.etag}"')])
        except S3Error as e:
            response = _refusal(e, request, request_id)
        except (OSError, sqlite3.Error) as e:
            if isinstance(e, ConnectionError):
                raise
            log.error("s3.disk %s %s: %s", request.method, request.path, e)
            response = _refusal(S3Error("ServiceUnavailable", f"The disk refused: {e}"), request, request_id)
        except BodyBroken:
            raise
        except Exception as e:  # the door's edge: one request may fail, the others go on
            log.exception("s3.bug %s %s", request.method, request.path)
            response = _refusal(S3Error("InternalError", f"This is a fault of weyr: {e!r}"), request, request_id)
        response.headers.append(("x-amz-request-id", request_id))
        return response

    async def _answer(self, request: Request) -> Response:
        query = _pairs_of(request.query)
        now = self._plane.clock()
        try:
            signable = Signable(request.method, request.path, query, request.headers)
            is_old_url = sigv2.is_presigned({name for name, _ in query})
            check = sigv2.presigned if is_old_url else authenticate
            caller = check(signable, self._plane.credentials, now)
        except Refused as e:
            self._plane.audit.refused(e.who, f"s3:{request.method}", request.path, e.error.code)
            raise e.error from None
        bucket, key = _target_of(request.path)
        names = dict(query)
        if "Signature" in names or "X-Amz-Signature" in names:
            _take_hoisted(request, query)
        operation = _operation_of(request.method, bucket, key, names)
        try:
            check_known(request.headers, OWNER)
            checked_key(key)
            return await operation(Call(self._plane, request, caller, bucket, key, names, int(now * 1000)))
        except S3Error as e:
            if e.status == 403 and not e.is_audited:
                self._plane.audit.refused(caller.principal.name, f"s3:{request.method}", request.path, e.code)
            raise


def _pairs_of(query: str) -> list[tuple[str, str]]:
    if not query:
        return []
    pairs = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name:
            pairs.append((decoded(name), decoded(value)))
    return pairs


def _take_hoisted(request: Request, query: list[tuple[str, str]]) -> None:
    """Headers that a presigned URL carries in its (signed) query count as headers.

    Checksums do not: SDKs put that of an empty body there, because they do not know the body yet.
    """
    for name, value in query:
        lower = name.lower()
        is_header = lower.startswith("x-amz-") and lower not in _OF_THE_SIGNATURE and "checksum" not in lower
        if is_header or lower == "content-type":
            request.headers.setdefault(lower, value)


def _target_of(path: str) -> tuple[str, str]:
    """(bucket, key) of a path-style path. Raises: S3Error InvalidURI."""
    if not path.startswith("/"):
        raise S3Error("InvalidURI")
    bucket, _, key = path[1:].partition("/")
    return decoded(bucket), decoded(key)


def _operation_of(method: str, bucket: str, key: str, query: Mapping[str, str]) -> Operation:
    level = "object" if key else "bucket" if bucket else "service"
    asked = [name for name in SUBRESOURCES if name in query]
    subresource = asked[0] if asked else ""
    operation = OPERATIONS.get((level, method, subresource))
    if operation is None or len(asked) > 1:
        if subresource or method in ("POST", "OPTIONS"):
            raise not_implemented(f"{method} of {'&'.join(asked) or 'this'} on a {level}")
        raise S3Error("MethodNotAllowed", Method=method, ResourceType=level.upper())
    return operation


def _refusal(error: S3Error, request: Request, request_id: str) -> Response:
    headers = [("Content-Type", "application/xml"), *error.headers]
    body = error_document(error, decoded_or_raw(request.path), request_id)
    if request.method == "HEAD":
        return Response(error.status, headers, length=0)
    return Response(error.status, headers, body)


def decoded_or_raw(path: str) -> str:
    """A path for an error document, which must be written whatever the path is."""
    try:
        return decoded(path)
    except S3Error:
        return path
