"""Is this call let in? Gathers what the rule of `weyr.gateway.s3.access` asks about, and refuses what it refuses."""

from dataclasses import replace

from weyr.gateway.s3 import acl as acls
from weyr.gateway.s3 import locks
from weyr.gateway.s3.access import Asked, Ground, Ownership, refusal_of, rules_of
from weyr.gateway.s3.acl import Acl
from weyr.gateway.s3.call import Call
from weyr.gateway.s3.context import context_of
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.folders.setting import FOLDER
from weyr.gateway.s3.metadata import tags_in
from weyr.gateway.s3.records import Bucket, Stored, current, version_of
from weyr.gateway.s3.remote.reach import SETTING

ANONYMOUS = "anonymous"
"""Owns what nobody signed for."""
_NEEDS_OBJECT = (
    "s3:GetObject", "s3:PutObjectAcl", "s3:PutObjectVersionAcl", "s3:PutObjectTagging", "s3:PutObjectVersionTagging",
    "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging", "s3:PutObjectRetention", "s3:PutObjectLegalHold",
)  # fmt: skip
"""What is asked of an object that is there, by the beginning of the action's name."""
_HARMLESS_ACLS = ("private", "bucket-owner-full-control", "bucket-owner-read")


async def admit(call: Call, action: str) -> None:
    """Raises: S3Error AccessDenied, written to the audit trail, where the caller may not do it."""
    if call.there_or_none is not None:
        check_owner(call, "x-amz-expected-bucket-owner", call.there)
    tags = {}
    if action.startswith("s3:PutObject") and action.endswith("Tagging") and _asks(call, "s3:requestobjecttag"):
        tags = tags_in(await call.xml("Tagging"))
    if not action:
        return  # the operation asks itself, for each thing that it does
    need(call, action, call.key, call.query.get("versionId", ""), tags)
    if call.key and action == "s3:PutObject":
        _need_for_headers(call)


def need(call: Call, action: str, key: str, version: str = "", tags: dict[str, str] | None = None) -> None:
    """As `admit`, of one action on one key of the call's bucket."""
    reason = refused(call, action, call.there_or_none, call.bucket, key, version, tags)
    if reason:
        call.refuse(action, f"{call.bucket}/{key}" if key else call.bucket, reason)


def need_source(call: Call, bucket: Bucket, key: str, stored: Stored | None, version: str) -> None:
    """As `need`, of reading the source of a copy. The source's bucket counts, and what it says."""
    check_owner(call, "x-amz-source-expected-bucket-owner", bucket)
    action = "s3:GetObjectVersion" if version else "s3:GetObject"
    reason = _refused_at(call, action, bucket, bucket.name, key, stored, None)
    if reason:
        call.refuse(action, f"{bucket.name}/{key}", reason)


def may(call: Call, action: str, bucket: Bucket) -> bool:
    """Whether the caller may do this with a bucket; asks quietly."""
    return not _refused_at(call, action, bucket, bucket.name, "", None, None)


def refused(
    call: Call, action: str, bucket: Bucket | None, name: str, key: str, version: str, tags: dict[str, str] | None
) -> str:
    """Why the caller may not, "" where it may. An object is only looked for where its owner or tags count."""
    stored = None
    if bucket is not None and key and action.startswith(_NEEDS_OBJECT) and not _is_plain(call, bucket):
        is_in_hand = key == call.key and call.looked_up is not None and not version
        stored = call.found if is_in_hand else _looked_up(call, bucket, key, version)
    reason = _refused_at(call, action, bucket, name, key, stored, tags)
    # Whether it is there, only its place knows.
    is_elsewhere = bucket is not None and (SETTING in bucket.settings or FOLDER in bucket.settings)
    if (
        bucket is None
        or is_elsewhere
        or stored is not None
        or not action.startswith("s3:GetObject")
        or _is_own(call, bucket)
    ):
        return reason
    # Whoever may list is told that a key is not there; the others are not told that either.
    asked = _asked(call, "s3:ListBucket", name, "", prefix=key)
    context = dict(context_of(call, bucket, None, None)) | {"s3:prefix": (key,)}
    if refusal_of(asked, _ground(call, bucket, None), context):
        return reason or "not granted"
    if reason:
        raise S3Error("NoSuchVersion" if version else "NoSuchKey", Key=key)
    return ""


def is_bypassing(call: Call, key: str, version: str) -> bool:
    """Whether the caller asks for a GOVERNANCE retention to be passed over, and may."""
    if locks.SETTING not in call.there.settings or call.headers.get(locks.BYPASS, "").lower() != "true":
        return False
    return not refused(call, "s3:BypassGovernanceRetention", call.there, call.bucket, key, version, None)


def _is_own(call: Call, bucket: Bucket) -> bool:
    return call.account == call.plane.accounts.of(bucket.owner)


def _is_plain(call: Call, bucket: Bucket) -> bool:
    """Whether nothing about the object can matter: there are no rules, and nobody else can own it."""
    return not bucket.settings and not call.plane.accounts.are_many and _is_own(call, bucket)


def _looked_up(call: Call, bucket: Bucket, key: str, version: str) -> Stored | None:
    index = call.plane.index
    stored = version_of(index, bucket.id, key, version) if version else current(index, bucket.id, key)
    return None if stored is None or stored.is_marker else stored


def _refused_at(
    call: Call,
    action: str,
    bucket: Bucket | None,
    name: str,
    key: str,
    stored: Stored | None,
    tags: dict[str, str] | None,
) -> str:
    asked = _asked(call, action, name, key)
    if bucket is None:
        return _refused_new(asked)
    ground = _ground(call, bucket, stored)
    policy = ground.rules.policy
    context = context_of(call, bucket, stored, tags) if policy is not None else {}
    return refusal_of(asked, ground, context)


def _refused_new(asked: Asked) -> str:
    """A bucket that is not there yet is made on nobody's ground; who has an account may, as far as its grants go."""
    return refusal_of(asked, Ground(asked.account, rules_of({})), {})


def _asked(call: Call, action: str, bucket: str, key: str, prefix: str | None = None) -> Asked:
    account, principal = call.account, call.caller.principal
    if prefix is None:
        prefix = call.query.get("prefix", "")
    return Asked(account.id if account else "", principal.name, principal.grants, action, bucket, key, prefix)


def _ground(call: Call, bucket: Bucket, stored: Stored | None) -> Ground:
    owner = call.plane.accounts.of(bucket.owner).id
    ground = Ground(owner, rules_of(bucket.settings))
    if stored is None:
        return ground
    acl = acls.of_text(stored.meta.acl) if stored.meta.acl else None
    # What nobody signed for is the bucket's owner's to care for, or nobody could.
    object_owner = owner if stored.meta.owner in ("", ANONYMOUS) else stored.meta.owner
    return replace(ground, object_owner=object_owner, object_acl=acl)


def _asks(call: Call, key: str) -> bool:
    policy = rules_of(call.there.settings).policy
    return policy is not None and policy.asks(key)


def check_owner(call: Call, header: str, bucket: Bucket) -> None:
    """Raises: S3Error AccessDenied where another account is expected to own the bucket."""
    expected = call.headers.get(header)
    if expected is not None and expected != call.plane.accounts.of(bucket.owner).id:
        raise S3Error("AccessDenied", "The bucket is owned by another account.")


def _need_for_headers(call: Call) -> None:
    """Headers of a PUT that do more than store: whoever opens an object to others needs the right to."""
    canned = call.headers.get("x-amz-acl", "private")
    is_opening = canned not in _HARMLESS_ACLS or any(name in call.headers for name in acls.HEADERS)
    if is_opening and _is_own(call, call.there):
        need(call, "s3:PutObjectAcl", call.key)
    if locks.HEADERS[0] in call.headers:
        need(call, "s3:PutObjectRetention", call.key)
    if locks.HEADERS[2] in call.headers:
        need(call, "s3:PutObjectLegalHold", call.key)


def acl_for(call: Call) -> tuple[str, Acl | None]:
    """Who will own the object that the call puts ("" for the bucket's owner), and the ACL it asks for.

    Raises: S3Error where the bucket has no ACLs, or lets none be public.
    """
    bucket_owner = call.plane.accounts.of(call.there.owner).id
    rules = rules_of(call.there.settings)
    writer = call.account.id if call.account else ANONYMOUS
    canned = call.headers.get("x-amz-acl")
    is_given = canned is not None or any(name in call.headers for name in acls.HEADERS)
    if rules.ownership is Ownership.BUCKET_OWNER_ENFORCED:
        if is_given and canned != "bucket-owner-full-control":
            raise S3Error("AccessControlListNotSupported")
        return "", None
    is_handed_over = rules.ownership is Ownership.BUCKET_OWNER_PREFERRED and canned == "bucket-owner-full-control"
    owner = bucket_owner if is_handed_over else writer
    acl = acls.asked_in(call.headers, owner, bucket_owner, call.plane.accounts.found) if is_given else None
    if acl is not None and rules.block.blocks_acls and acls.is_public(acl):
        raise S3Error("AccessDenied", "Public ACLs are blocked by the bucket's public-access block.")
    return "" if owner == bucket_owner else owner, acl
