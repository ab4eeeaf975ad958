"""What is answered to a request? Who sent it, where it goes, whether it is let in, and what went wrong."""

import itertools
import logging
import sqlite3
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial

from weyr.gateway.s3 import api_buckets, api_copies, api_cors, api_uploads, sigv2
from weyr.gateway.s3.addresses import Domains
from weyr.gateway.s3.admit import admit
from weyr.gateway.s3.api_classes import check_no_class, class_told
from weyr.gateway.s3.call import Call, Plane, checked_key, decoded
from weyr.gateway.s3.conditions import NotModified
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.folders import door as folder_door
from weyr.gateway.s3.folders.setting import FOLDER
from weyr.gateway.s3.health import FIRST, health
from weyr.gateway.s3.logs.follow import Follower
from weyr.gateway.s3.logs.line import Seen
from weyr.gateway.s3.logs.spool import Spool
from weyr.gateway.s3.messages import BodyBroken, Request, Response
from weyr.gateway.s3.metadata import check_known
from weyr.gateway.s3.records import bucket_named, look
from weyr.gateway.s3.remote.door import operation_at
from weyr.gateway.s3.remote.reach import SETTING
from weyr.gateway.s3.routes import Operation, Route, route_of
from weyr.gateway.s3.sigv4 import Caller, Refused, Signable, authenticate
from weyr.gateway.s3.xml import error_document

log = logging.getLogger("weyr.s3")

_OF_THE_SIGNATURE = {
    "x-amz-algorithm", "x-amz-content-sha256", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signature",
    "x-amz-signedheaders", "x-amz-user-agent",
}  # fmt: skip


class Service:
    """The S3 door: `handle` is what the HTTP site calls."""

    def __init__(self, plane: Plane, place: int = 0) -> None:
        """Takes: `place`, of the process among those that answer, so that no two give the same id to a request."""
        self._plane = plane
        self._domains = Domains(plane.domains, plane.region)
        self._follower = Follower(plane, Spool(plane.logs, plane.logs_every_s, plane.clock))
        self._ids = itertools.count((place << 48) + int(plane.clock() * 1000))

    async def handle(self, request: Request) -> Response:
        """Answers every request; what goes wrong becomes an S3 error."""
        request_id = f"{next(self._ids):016X}"
        request = self._domains.addressed(request)
        seen = Seen(request, request_id, self._plane.clock(), time.monotonic())
        try:
            response = await self._answer(request, seen)
        except NotModified as e:
            response = Response(304, [("ETag", f'"{e.etag}"')])
        except S3Error as e:
            seen.error = e.code
            response = _refusal(e, request, request_id)
        except (OSError, sqlite3.Error, MemoryError) as e:
            if isinstance(e, ConnectionError):
                raise
            seen.error = "ServiceUnavailable"
            log.error("s3.disk %s %s: %s", request.method, request.path, e)
            response = _refusal(
                S3Error("ServiceUnavailable", f"The machine refused: {str(e) or 'out of memory'}"), request, request_id
            )
        except BodyBroken:
            raise
        except Exception as e:  # the door's edge: one request may fail, the others go on
            seen.error = "InternalError"
            log.exception("s3.bug %s %s", request.method, request.path)
            response = _refusal(S3Error("InternalError", f"This is a fault of weyr: {e!r}"), request, request_id)
        response.headers.append(("x-amz-request-id", request_id))
        if "origin" in request.headers and request.method != "OPTIONS":
            self._allow_origin(request, response)
        self._follower.follow(seen, response)
        return response

    def _allow_origin(self, request: Request, response: Response) -> None:
        """A page may read refusals too, or it could not tell its user what is wrong."""
        with suppress(S3Error):
            bucket, _ = _target_of(request.path)
            if bucket:
                settings = bucket_named(self._plane.index, bucket).settings
                response.headers += api_cors.headers_for(settings, request.method, request.headers)

    async def _answer(self, request: Request, seen: Seen) -> Response:
        query = _pairs_of(request.query)
        bucket, key = seen.bucket, seen.key = _target_of(request.path)
        if bucket in FIRST and (well := health(request, self._plane.index)) is not None:
            return well
        if request.method == "OPTIONS" and bucket:
            return api_cors.preflight(bucket_named(self._plane.index, bucket).settings, request.headers)
        now = self._plane.clock()
        caller = self._caller(request, query, now)
        names = seen.query = dict(query)
        if "Signature" in names or "X-Amz-Signature" in names:
            _take_hoisted(request, query)
        account = None if caller.is_anonymous else self._plane.accounts.of(caller.principal.name)
        seen.call = call = Call(self._plane, request, caller, account, bucket, key, names, int(now * 1000))
        try:
            route = route_of(request.method, bucket, key, names)
            check_known(request.headers)
            checked_key(key)
            seen.call = call = _at_bucket(call, route)
            await admit(call, route.action_for(names))
            return await _carried_out(call, route)
        except S3Error as e:
            if e.status == 403 and not e.is_audited:
                self._plane.audit.refused(caller.principal.name, f"s3:{request.method}", request.path, e.code)
            raise

    def _caller(self, request: Request, query: list[tuple[str, str]], now: float) -> Caller:
        """Who sent it. Raises: S3Error, written to the audit trail."""
        try:
            signable = Signable(request.method, request.sent_path or request.path, query, request.headers)
            check = authenticate
            if sigv2.is_presigned({name for name, _ in query}):
                check = sigv2.presigned
            elif request.headers.get("authorization", "").startswith(f"{sigv2.SCHEME} "):
                check = sigv2.in_header
            if check is not authenticate:
                # Version 2 signs the bucket in the path, wherever it was sent.
                signable = replace(signable, path=request.path)
            return check(signable, self._plane.accounts, now)
        except Refused as e:
            self._plane.audit.refused(e.who, f"s3:{request.method}", request.path, e.error.code)
            e.error.is_audited = True
            raise e.error from None


async def _carried_out(call: Call, route: Route) -> Response:
    """The answer to a call that was let in, which its bucket is charged with."""
    bucket, counters = call.there_or_none, call.plane.counters
    if route.operation not in (api_copies.put_object, api_uploads.create_upload):
        check_no_class(call)
    try:
        response = await _operation_of(call, route)(call)
    except (S3Error, NotModified) as e:
        # Some operations ask for themselves who may; whom they turn away has cost the bucket nothing.
        if bucket is not None and not (isinstance(e, S3Error) and e.status == 403):
            counters.asked(bucket, call.request.method, route.action)
        raise
    if bucket is not None:
        storage_class = class_told(call, response)
        counters.asked(bucket, call.request.method, route.action, storage_class)
        if call.request.method == "GET":
            response.done += (partial(counters.left, bucket, call.request.peer, storage_class),)
    return response


def _at_bucket(call: Call, route: Route) -> Call:
    """The call with its bucket looked up, and with the object where it will be read. Raises: S3Error NoSuchBucket."""
    if not call.bucket or route.operation is api_buckets.create_bucket:
        return call
    is_read = call.key and call.request.method in ("GET", "HEAD") and "versionId" not in call.query
    if not is_read:
        return replace(call, there_or_none=bucket_named(call.plane.index, call.bucket))
    bucket, stored, data = look(call.plane.index, call.bucket, call.key)
    return replace(call, there_or_none=bucket, looked_up=(stored, data))


def _operation_of(call: Call, route: Route) -> Operation:
    """What answers: for a bucket that is elsewhere its place does, for a folder its files, or nothing."""
    if call.there_or_none is not None and FOLDER in call.there.settings:
        return folder_door.operation_at(route.operation, call.request.method, route.action)
    if call.there_or_none is None or SETTING not in call.there.settings:
        return route.operation
    return operation_at(route.operation, route.action)


def _pairs_of(query: str) -> list[tuple[str, str]]:
    if not query:
        return []
    pairs = []
    # A space may come as a plus, as forms have it: some clients sign it as %20 and send it so.
    for part in query.replace("+", "%20").split("&"):
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


def _refusal(error: S3Error, request: Request, request_id: str) -> Response:
    headers = [("Content-Type", "application/xml"), *error.headers]
    body = error_document(error, decoded_or_raw(request.path), request_id)
    if request.method == "HEAD":
        return Response(error.status, headers, length=0)
    return Response(error.status, headers, body)


def not_a_request(is_too_long: bool) -> Response:
    """The answer to what no request can be read from. Takes: whether it is because its head has no end."""
    error = S3Error("RequestHeaderSectionTooLarge" if is_too_long else "BadRequest")
    return Response(error.status, [("Content-Type", "application/xml")], error_document(error, "", ""))


def decoded_or_raw(path: str) -> str:
    """A path for an error document, which must be written whatever the path is."""
    try:
        return decoded(path)
    except S3Error:
        return path
