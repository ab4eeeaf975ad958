"""The operations on an object's tags: get, put, delete."""

from weyr.gateway.s3.api_objects import found, version_header
from weyr.gateway.s3.call import Call, xml_response
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.metadata import checked_tags
from weyr.gateway.s3.records import Bucket, Stored, bucket_named
from weyr.gateway.s3.writes import set_tags


async def get_tags(call: Call) -> Response:
    call.need("s3:read")
    bucket, stored = _version(call)
    tags = [("Tag", [("Key", key), ("Value", value)]) for key, value in stored.meta.tags.items()]
    response = xml_response("Tagging", ("TagSet", tags))
    response.headers += version_header(bucket, stored.version)
    return response


async def put_tags(call: Call) -> Response:
    """Replaces all tags."""
    call.need("s3:write")
    document = await call.xml("Tagging")
    sets = document.all("TagSet")
    if len(sets) != 1:
        raise S3Error("MalformedXML")
    pairs = [(tag.need("Key"), tag.need("Value")) for tag in sets[0].all("Tag")]
    return await _set(call, checked_tags(pairs), 200)


async def delete_tags(call: Call) -> Response:
    call.need("s3:write")
    return await _set(call, {}, 204)


async def _set(call: Call, tags: dict[str, str], status: int) -> Response:
    bucket, stored = _version(call)
    key, version = call.key, stored.version
    await call.plane.index.write(lambda transaction: set_tags(transaction, bucket.id, key, version, tags))
    return Response(status, version_header(bucket, stored.version))


def _version(call: Call) -> tuple[Bucket, Stored]:
    bucket = bucket_named(call.plane.index, call.bucket)
    return bucket, found(call, bucket, call.key, call.query.get("versionId", ""))
