"""The operations on tags, of objects and of buckets: get, put, delete."""

from collections.abc import Mapping
from functools import partial

from weyr.gateway.s3.api_objects import located, version_header
from weyr.gateway.s3.api_settings import Document
from weyr.gateway.s3.call import Call, xml_response
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.metadata import checked_tags, tags_in
from weyr.gateway.s3.writes import set_tags
from weyr.gateway.s3.xml import Content, Node, document

BUCKET_TAGS_MAX = 50


async def get_tags(call: Call) -> Response:
    bucket, stored = located(call)
    response = xml_response("Tagging", ("TagSet", tag_set(stored.meta.tags)))
    response.headers += version_header(bucket, stored.version)
    return response


async def put_tags(call: Call) -> Response:
    """Replaces all tags."""
    return await _set(call, tags_in(await call.xml("Tagging")), 200)


async def delete_tags(call: Call) -> Response:
    return await _set(call, {}, 204)


async def _set(call: Call, tags: dict[str, str], status: int) -> Response:
    bucket, stored = located(call)
    key, version = call.key, stored.version
    await call.plane.index.write(
        partial(set_tags, bucket=bucket.id, key=key, version=version, tags=tags, now_ms=call.now_ms)
    )
    return Response(status, version_header(bucket, stored.version))


async def _checked_of_bucket(call: Call) -> str:
    sets = (await call.xml("Tagging")).all("TagSet")
    if len(sets) != 1:
        raise S3Error("MalformedXML")
    return kept_tags(sets[0])


def kept_tags(tags: Node) -> str:
    """The tags of a bucket as they are kept: the document that is given back. Raises: S3Error."""
    pairs = [(tag.need("Key"), tag.need("Value")) for tag in tags.all("Tag")]
    return document("Tagging", [("TagSet", tag_set(checked_tags(pairs, BUCKET_TAGS_MAX)))]).decode()


BUCKET_TAGGING = Document(
    "tagging",
    "s3:GetBucketTagging",
    "s3:PutBucketTagging",
    "s3:PutBucketTagging",
    _checked_of_bucket,
    missing="NoSuchTagSet",
    put_status=204,
)


def tag_set(tags: Mapping[str, str]) -> Content:
    """A TagSet element's content."""
    return [("Tag", [("Key", key), ("Value", value)]) for key, value in tags.items()]
