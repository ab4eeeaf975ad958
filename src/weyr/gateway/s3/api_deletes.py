"""The operations that delete objects: one, or up to a thousand in a request."""

import secrets
from dataclasses import dataclass
from functools import partial

from weyr.gateway.s3.admit import is_bypassing, need
from weyr.gateway.s3.call import Call, checked_key
from weyr.gateway.s3.conditions import delete_condition
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Transaction
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.records import Meta
from weyr.gateway.s3.replication.received import moment_ms, origin_of
from weyr.gateway.s3.writes import Deleted, NewObject, WriteCondition, delete
from weyr.gateway.s3.xml import Content, Node, element, raw_document

DELETE_MAX = 1000
CONDITIONS = ("x-amz-if-match-size", "x-amz-if-match-last-modified-time")


@dataclass(frozen=True, slots=True)
class _Wish:
    """One key that is to go, and what was found out about it before the index is asked."""

    key: str
    version: str
    condition: WriteCondition
    marker: NewObject
    is_granted: bool
    is_bypassing: bool


async def delete_object(call: Call) -> Response:
    """Deletes a key or a version of it; one that is not there is no error."""
    given = (call.headers.get(name) for name in ("if-match", *CONDITIONS))
    version, condition = call.query.get("versionId", ""), delete_condition(*given)
    marker = NewObject(call.key, 0, "", moment_ms(call), new_version(), Meta(replica=origin_of(call)))
    name, key, may_bypass = call.bucket, call.key, bool(version) and is_bypassing(call, call.key, version)
    deleted = await call.plane.index.write(
        partial(
            delete,
            bucket_name=name,
            key=key,
            version=version,
            marker=marker,
            condition=condition,
            is_bypassing=may_bypass,
        )
    )
    headers = [("x-amz-version-id", deleted.version)] if deleted.version else []
    if deleted.is_marker:
        headers.append(("x-amz-delete-marker", "true"))
    return Response(204, headers)


async def delete_objects(call: Call) -> Response:
    """DeleteObjects: up to a thousand keys, each with an answer of its own."""
    targets, is_quiet = wanted_in(await call.xml("Delete"))
    wishes = [
        _Wish(
            key,
            version,
            condition,
            NewObject(key, 0, "", call.now_ms, new_version(), Meta()),
            is_granted(call, key, version),
            bool(version) and is_bypassing(call, key, version),
        )
        for key, version, condition in targets
    ]
    answers = await call.plane.index.write(partial(_delete_all, bucket_name=call.bucket, wishes=wishes))
    for (key, version, _), answer in zip(targets, answers, strict=True):
        status, error = (answer.status, answer.code) if isinstance(answer, S3Error) else (204, "")
        call.removed.append((key, version, status, error))
    rows = [delete_row(target[0], target[1], answer, is_quiet) for target, answer in zip(targets, answers, strict=True)]
    return Response(200, [("Content-Type", "application/xml")], raw_document("DeleteResult", "".join(rows)))


def _delete_all(transaction: Transaction, bucket_name: str, wishes: list[_Wish]) -> list[Deleted | S3Error]:
    answers: list[Deleted | S3Error] = []
    for wish in wishes:
        try:
            if not wish.is_granted:
                raise S3Error("AccessDenied")
            checked_key(wish.key)
            done = delete(
                transaction, bucket_name, wish.key, wish.version, wish.marker, wish.condition, wish.is_bypassing
            )
            answers.append(done)
        except S3Error as e:
            answers.append(e)
    return answers


def wanted_in(document: Node) -> tuple[list[tuple[str, str, WriteCondition]], bool]:
    """(key, version, condition) of each object to go, and whether only failures are answered. Raises: S3Error."""
    wanted = document.all("Object")
    if not 0 < len(wanted) <= DELETE_MAX:
        raise S3Error("MalformedXML")
    targets = [(node.need("Key"), node.get("VersionId") or "", _condition(node)) for node in wanted]
    return targets, document.get("Quiet") == "true"


def _condition(node: Node) -> WriteCondition:
    return delete_condition(node.get("ETag"), node.get("Size"), node.get("LastModifiedTime"))


def is_granted(call: Call, key: str, version: str) -> bool:
    """Whether this one key may be deleted; a refusal goes to the audit trail and not to the others."""
    try:
        need(call, "s3:DeleteObjectVersion" if version else "s3:DeleteObject", key, version)
    except S3Error:
        return False
    return True


def delete_row(key: str, version: str, answer: Deleted | S3Error, is_quiet: bool) -> str:
    """The answer for one key."""
    if isinstance(answer, S3Error):
        pairs: Content = [
            ("Key", key),
            ("VersionId", version or None),
            ("Code", answer.code),
            ("Message", answer.message),
        ]
        return element("Error", pairs)
    if is_quiet:
        return ""
    marker = answer.version if answer.is_marker else None
    fields = [("Key", key), ("VersionId", version or None), ("DeleteMarker", answer.is_marker or None)]
    return element("Deleted", [*fields, ("DeleteMarkerVersionId", marker)])


def new_version() -> str:
    """An id for a version: random, so that it tells nothing."""
    return secrets.token_urlsafe(24)
