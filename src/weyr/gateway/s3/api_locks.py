"""The operations of object lock: a bucket's configuration, and the retention and the legal hold of one version."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from weyr.gateway.s3 import locks
from weyr.gateway.s3.admit import admit, is_bypassing
from weyr.gateway.s3.api_objects import located, version_header
from weyr.gateway.s3.api_settings import Document
from weyr.gateway.s3.call import Call, xml_response
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.records import Meta
from weyr.gateway.s3.writes import set_lock
from weyr.gateway.s3.xml import timestamp


async def _checked(call: Call) -> str:
    return locks.checked_configuration(call.there, await call.xml("ObjectLockConfiguration"))


OBJECT_LOCK = Document(
    locks.SETTING,
    "s3:GetBucketObjectLockConfiguration",
    "s3:PutBucketObjectLockConfiguration",
    "",
    _checked,
    missing="ObjectLockConfigurationNotFoundError",
)


async def get_retention(call: Call) -> Response:
    _need_lock(call)
    bucket, stored = located(call)
    retention = locks.retention_of(stored.meta)
    if retention is None:
        raise S3Error("NoSuchObjectLockConfiguration")
    until = timestamp(retention.until_ms)
    response = xml_response("Retention", ("Mode", retention.mode.value), ("RetainUntilDate", until))
    response.headers += version_header(bucket, stored.version)
    return response


async def put_retention(call: Call) -> Response:
    """Sets how long a version stays. To shorten it or to change its mode takes a bypass, and not even that does for
    COMPLIANCE."""
    document = await call.xml("Retention")
    said = (locks.HEADERS[0], document.get("Mode")), (locks.HEADERS[1], document.get("RetainUntilDate"))
    await admit(_with_headers(call, *said), "s3:PutObjectRetention")
    _need_lock(call)
    now_ms, may_bypass = call.now_ms, is_bypassing(call, call.key, call.query.get("versionId", ""))
    wanted = locks.wanted_retention(document, now_ms)
    return await _change(call, partial(_retained, wanted=wanted, now_ms=now_ms, may_bypass=may_bypass))


def _retained(meta: Meta, wanted: locks.Retention | None, now_ms: int, may_bypass: bool) -> Meta:
    locks.check_may_change(meta, wanted, now_ms, may_bypass)
    return locks.with_retention(meta, wanted)


async def get_legal_hold(call: Call) -> Response:
    _need_lock(call)
    bucket, stored = located(call)
    if not stored.meta.hold:
        raise S3Error("NoSuchObjectLockConfiguration")
    response = xml_response("LegalHold", ("Status", stored.meta.hold))
    response.headers += version_header(bucket, stored.version)
    return response


async def put_legal_hold(call: Call) -> Response:
    status = (await call.xml("LegalHold")).get("Status")
    await admit(_with_headers(call, (locks.HEADERS[2], status)), "s3:PutObjectLegalHold")
    _need_lock(call)
    if status not in ("ON", "OFF"):
        raise S3Error("MalformedXML")
    return await _change(call, partial(_held, status=status))


def _held(meta: Meta, status: str) -> Meta:
    return replace(meta, hold=status)


def _with_headers(call: Call, *said: tuple[str, str | None]) -> Call:
    """The call as a policy sees it: its conditions know what a document asks for by the names of the headers."""
    headers = call.request.headers | {name: value for name, value in said if value is not None}
    return replace(call, request=replace(call.request, headers=headers))


async def _change(call: Call, change: Callable[[Meta], Meta]) -> Response:
    bucket, stored = located(call)
    key, version = call.key, stored.version
    await call.plane.index.write(
        partial(set_lock, bucket=bucket.id, key=key, version=version, change=change, now_ms=call.now_ms)
    )
    return Response(200, version_header(bucket, stored.version))


def _need_lock(call: Call) -> None:
    if locks.SETTING not in call.there.settings:
        raise locks.no_lock()
