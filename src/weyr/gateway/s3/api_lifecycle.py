"""The document of a bucket's lifecycle rules, and what an answer tells of an object's end."""

from weyr.gateway.s3.api_classes import classes
from weyr.gateway.s3.api_settings import Document
from weyr.gateway.s3.call import Call
from weyr.gateway.s3.lifecycle_rules import SETTING, abort_of, checked_text, expiry_header
from weyr.gateway.s3.records import Bucket, Meta


async def _checked(call: Call) -> str:
    return checked_text(await call.xml("LifecycleConfiguration"), classes(call))


LIFECYCLE = Document(
    SETTING,
    "s3:GetLifecycleConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutLifecycleConfiguration",
    _checked,
    missing="NoSuchLifecycleConfiguration",
)


def expiration(bucket: Bucket, key: str, size: int, meta: Meta, modified_ms: int) -> list[tuple[str, str]]:
    """The header that says when a current version will end, where a rule of the bucket's document ends it."""
    text = expiry_header(bucket, key, size, meta.tags, modified_ms)
    return [("x-amz-expiration", text)] if text else []


def abortion(bucket: Bucket, key: str, begun_ms: int) -> list[tuple[str, str]]:
    """The headers that say when an upload will be aborted if it is not finished, and by which rule."""
    found = abort_of(bucket, key, begun_ms)
    return [("x-amz-abort-date", found[0]), ("x-amz-abort-rule-id", found[1])] if found else []
