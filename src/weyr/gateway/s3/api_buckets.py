"""The operations on the service and on buckets: create, list, delete, locate, keep versions."""

import re
from functools import partial

from weyr.gateway.s3 import acl as acls
from weyr.gateway.s3 import bucket_writes, locks
from weyr.gateway.s3.access import Ownership
from weyr.gateway.s3.admit import may
from weyr.gateway.s3.api_lists import from_token, token_of
from weyr.gateway.s3.api_policies import ownership_of
from weyr.gateway.s3.api_tags import kept_tags
from weyr.gateway.s3.call import REGION, Call, owner_content, xml_response
from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.records import Bucket, Versioning, buckets
from weyr.gateway.s3.xml import Content, Node, escaped, raw_document, timestamp

_NAME = re.compile(r"(?!xn--)(?!.*(\.\.|\.-|-\.))(?!.*-s3alias$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
LOCATION = "location"
"""The setting that says where a bucket's maker wished it to be."""
_ADDRESS = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")


def is_bucket_name(name: str) -> bool:
    """Whether S3 allows a bucket to be called so."""
    return bool(_NAME.fullmatch(name)) and not _ADDRESS.fullmatch(name)


async def list_buckets(call: Call) -> Response:
    """The buckets that the caller may list. Paged only where `max-buckets` asks for it."""
    if call.account is None:
        raise S3Error("AccessDenied", "Nobody is told which buckets there are.")
    prefix, after = call.query.get("prefix", ""), from_token(call.query.get("continuation-token", ""))
    limit = call.number("max-buckets", 10_000, 10_000)
    mine = [b for b in buckets(call.plane.index) if b.name.startswith(prefix) and b.name > after]
    if "bucket-region" in call.query:
        wished = call.query["bucket-region"]
        mine = [b for b in mine if b.settings.get(LOCATION, call.plane.region) == wished]
    mine = [b for b in mine if call.plane.accounts.of(b.owner) == call.account and may(call, "s3:ListBucket", b)]
    shown = mine[:limit]
    rows: Content = [("Bucket", _bucket_content(bucket, call.plane.region)) for bucket in shown]
    token = token_of(shown[-1].name) if shown and len(mine) > limit else None
    return xml_response(
        "ListAllMyBucketsResult",
        ("Owner", owner_content(call.account)),
        ("Buckets", rows),
        ("Prefix", prefix or None),
        ("ContinuationToken", token),
    )


def _bucket_content(bucket: Bucket, region: str) -> Content:
    return [
        ("Name", bucket.name),
        ("CreationDate", timestamp(bucket.created_ms)),
        ("BucketRegion", bucket.settings.get(LOCATION, region)),
    ]


async def create_bucket(call: Call) -> Response:
    """A new bucket owned by the caller. In us-east-1 making one's own again as it is is no error, as in S3."""
    if not is_bucket_name(call.bucket):
        raise S3Error("InvalidBucketName", BucketName=call.bucket)
    settings = _first_settings(call)
    if await call.text():
        settings |= _configured(await call.xml("CreateBucketConfiguration"))
    name, owner, now_ms = call.bucket, call.caller.principal.name, call.now_ms
    is_lenient = call.plane.region == REGION
    await call.plane.index.write(
        partial(bucket_writes.create, name=name, owner=owner, now_ms=now_ms, settings=settings, is_lenient=is_lenient)
    )
    return Response(200, [("Location", f"/{call.bucket}")])


def _first_settings(call: Call) -> dict[str, str]:
    """What a bucket is made with: its ownership, its ACL and object lock, if the headers ask for any."""
    assert call.account is not None
    settings = {}
    owner = call.account.id
    acl = acls.asked_in(call.headers, owner, owner, call.plane.accounts.found)
    if acl is not None and acl != acls.private(owner):
        settings["acl"] = acls.text_of(acl)
    if call.headers.get("x-amz-bucket-object-lock-enabled", "").lower() == "true":
        settings[locks.SETTING] = locks.NEW_LOCK
    if "x-amz-object-ownership" in call.headers:
        ownership = ownership_of(call.headers["x-amz-object-ownership"])
        if ownership is Ownership.BUCKET_OWNER_ENFORCED and "acl" in settings:
            raise S3Error("InvalidBucketAclWithObjectOwnership")
        settings["ownershipControls"] = ownership.value
    return settings


def _configured(document: Node) -> dict[str, str]:
    """What the document of a new bucket asks for: where it says to be, and its tags. Raises: S3Error."""
    unknown = [child.name for child in document if child.name not in ("LocationConstraint", "Tags")]
    if unknown:
        raise not_implemented(f"{unknown[0]} of a new bucket")
    settings = {}
    location = (document.get("LocationConstraint") or "").strip()
    if location:
        if not re.fullmatch(r"[A-Za-z0-9:-]{1,64}", location):
            raise S3Error("InvalidArgument", "The specified location-constraint is not valid")
        settings[LOCATION] = location
    for tags in document.all("Tags"):
        settings["tagging"] = kept_tags(tags)
    return settings


def region_of(call: Call) -> str:
    """Where the call's bucket says to be: where its maker wished it, or where the plane is."""
    return call.there.settings.get(LOCATION, call.plane.region)


async def delete_bucket(call: Call) -> Response:
    """Removes an empty bucket. Raises: S3Error BucketNotEmpty, also for old versions."""
    name = call.bucket
    await call.plane.index.write(partial(bucket_writes.remove_empty, name=name))
    return Response(204)


async def head_bucket(call: Call) -> Response:
    region = region_of(call)
    return Response(200, [("x-amz-bucket-region", region), ("x-amz-access-point-alias", "false")], length=0)


async def get_location(call: Call) -> Response:
    """us-east-1 is written as nothing, as S3 does, unless it was asked for by name."""
    region = region_of(call)
    is_unsaid = region == REGION and LOCATION not in call.there.settings
    body = raw_document("LocationConstraint", "" if is_unsaid else escaped(region))
    return Response(200, [("Content-Type", "application/xml")], body)


async def get_request_payment(call: Call) -> Response:
    """The owner pays: asking for another payer is not implemented."""
    return xml_response("RequestPaymentConfiguration", ("Payer", "BucketOwner"))


async def get_versioning(call: Call) -> Response:
    bucket = call.there
    return xml_response("VersioningConfiguration", ("Status", bucket.versioning.value or None))


async def put_versioning(call: Call) -> Response:
    document = await call.xml("VersioningConfiguration")
    if document.get("MfaDelete") == "Enabled":
        raise not_implemented("MFA delete")
    status = document.get("Status")
    if status not in ("Enabled", "Suspended"):
        raise S3Error("IllegalVersioningConfigurationException")
    name, versioning = call.bucket, Versioning(status)
    await call.plane.index.write(partial(bucket_writes.set_versioning, name=name, versioning=versioning))
    return Response(200)
