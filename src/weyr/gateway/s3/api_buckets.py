"""The operations on the service and on buckets: create, list, delete, locate, keep versions."""

import re

from weyr.gateway.s3 import bucket_writes
from weyr.gateway.s3.api_lists import from_token, token_of
from weyr.gateway.s3.call import OWNER, REGION, Call, xml_response
from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.records import Bucket, Versioning, bucket_named, buckets
from weyr.gateway.s3.xml import Content, timestamp

_NAME = re.compile(r"(?!xn--)(?!.*\.\.)(?!.*-s3alias$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")


def is_bucket_name(name: str) -> bool:
    """Whether S3 allows a bucket to be called so."""
    return bool(_NAME.fullmatch(name)) and not _ADDRESS.fullmatch(name)


async def list_buckets(call: Call) -> Response:
    """The buckets that the caller may list. Paged only where `max-buckets` asks for it."""
    prefix, after = call.query.get("prefix", ""), from_token(call.query.get("continuation-token", ""))
    limit = call.number("max-buckets", 10_000, 10_000)
    mine = [b for b in buckets(call.plane.index) if b.name.startswith(prefix) and b.name > after]
    mine = [b for b in mine if call.may("s3:list", f"{b.name}/")]
    shown = mine[:limit]
    rows: Content = [("Bucket", _bucket_content(bucket)) for bucket in shown]
    token = token_of(shown[-1].name) if shown and len(mine) > limit else None
    return xml_response(
        "ListAllMyBucketsResult",
        ("Owner", [("ID", OWNER), ("DisplayName", OWNER)]),
        ("Buckets", rows),
        ("Prefix", prefix or None),
        ("ContinuationToken", token),
    )


def _bucket_content(bucket: Bucket) -> Content:
    return [("Name", bucket.name), ("CreationDate", timestamp(bucket.created_ms)), ("BucketRegion", REGION)]


async def create_bucket(call: Call) -> Response:
    """A new bucket owned by the caller. One that is there already is refused, as S3 does outside us-east-1."""
    call.need("s3:admin", call.bucket)
    if not is_bucket_name(call.bucket):
        raise S3Error("InvalidBucketName", BucketName=call.bucket)
    if await call.text():
        document = await call.xml("CreateBucketConfiguration")
        _check_location(document.get("LocationConstraint"))
    name, owner, now_ms = call.bucket, call.caller.principal.name, call.now_ms
    await call.plane.index.write(lambda transaction: bucket_writes.create(transaction, name, owner, now_ms))
    return Response(200, [("Location", f"/{call.bucket}")])


def _check_location(location: str | None) -> None:
    if location and not re.fullmatch(r"[a-z0-9-]{1,40}", location):
        raise S3Error("InvalidArgument", "The specified location-constraint is not valid")


async def delete_bucket(call: Call) -> Response:
    """Removes an empty bucket. Raises: S3Error BucketNotEmpty, also for old versions."""
    call.need("s3:admin", call.bucket)
    name = call.bucket
    await call.plane.index.write(lambda transaction: bucket_writes.remove_empty(transaction, name))
    return Response(204)


async def head_bucket(call: Call) -> Response:
    call.need_list()
    bucket_named(call.plane.index, call.bucket)
    return Response(200, [("x-amz-bucket-region", REGION), ("x-amz-access-point-alias", "false")], length=0)


async def get_location(call: Call) -> Response:
    """us-east-1 is written as nothing, as S3 does."""
    call.need_list()
    bucket_named(call.plane.index, call.bucket)
    return xml_response("LocationConstraint")


async def get_versioning(call: Call) -> Response:
    call.need_list()
    bucket = bucket_named(call.plane.index, call.bucket)
    return xml_response("VersioningConfiguration", ("Status", bucket.versioning.value or None))


async def put_versioning(call: Call) -> Response:
    call.need("s3:admin", call.bucket)
    document = await call.xml("VersioningConfiguration")
    if document.get("MfaDelete") == "Enabled":
        raise not_implemented("MFA delete")
    status = document.get("Status")
    if status not in ("Enabled", "Suspended"):
        raise S3Error("IllegalVersioningConfigurationException")
    name, versioning = call.bucket, Versioning(status)
    await call.plane.index.write(lambda transaction: bucket_writes.set_versioning(transaction, name, versioning))
    return Response(200)
