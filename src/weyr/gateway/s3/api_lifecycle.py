"""The document of a bucket's lifecycle rules, and what an answer tells of an object's end."""

from weyr.gateway.s3.api_settings import Document
from weyr.gateway.s3.call import Call
from weyr.gateway.s3.lifecycle_rules import SETTING, checked_text, expiry_header
from weyr.gateway.s3.records import Bucket, Meta


async def _checked(call: Call) -> str:
    return checked_text(await call.xml("LifecycleConfiguration"), call.plane.outside.tiers)


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
