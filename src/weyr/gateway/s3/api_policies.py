"""The operations on who may come into a bucket: its policy, its public-access block, its ownership controls."""

import json

from weyr.gateway.s3 import acl as acls
from weyr.gateway.s3.access import Ownership, rules_of
from weyr.gateway.s3.api_settings import Document
from weyr.gateway.s3.call import Call, xml_response
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.policy import checked_policy
from weyr.gateway.s3.xml import document

_BLOCK = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


async def _checked_policy(call: Call) -> str:
    try:
        text = (await call.text()).decode()
    except UnicodeDecodeError as e:
        raise S3Error("MalformedPolicy", "This policy contains invalid Json") from e
    policy = checked_policy(text, call.bucket)
    if policy.is_public and rules_of(call.there.settings).block.blocks_policy:
        raise S3Error("AccessDenied", "Public policies are blocked by the bucket's public-access block.")
    return text


async def get_policy_status(call: Call) -> Response:
    """Whether the bucket is open to people nobody named."""
    rules = rules_of(call.there.settings)
    by_policy = rules.policy is not None and rules.policy.is_public
    by_acl = rules.uses_acls and not rules.block.ignores_acls and acls.is_public(rules.acl or ())
    return xml_response("PolicyStatus", ("IsPublic", by_policy or by_acl))


async def _checked_block(call: Call) -> str:
    root = await call.xml("PublicAccessBlockConfiguration")
    values = [(root.get(name) or "false").strip().lower() for name in _BLOCK]
    if not all(value in ("true", "false") for value in values):
        raise S3Error("MalformedXML")
    return json.dumps([value == "true" for value in values])


def _shown_block(kept: str) -> bytes:
    return document("PublicAccessBlockConfiguration", zip(_BLOCK, json.loads(kept), strict=True))


async def _checked_ownership(call: Call) -> str:
    rules = (await call.xml("OwnershipControls")).all("Rule")
    if len(rules) != 1:
        raise S3Error("MalformedXML")
    ownership = ownership_of(rules[0].need("ObjectOwnership"), "MalformedXML")
    acl = rules_of(call.there.settings).acl
    owner = call.plane.accounts.of(call.there.owner).id
    if ownership is Ownership.BUCKET_OWNER_ENFORCED and acl is not None and acl != acls.private(owner):
        raise S3Error("InvalidBucketAclWithObjectOwnership")
    return ownership


def ownership_of(text: str, code: str = "InvalidArgument") -> Ownership:
    """Raises: S3Error of `code` for what is no ownership."""
    try:
        return Ownership(text)
    except ValueError as e:
        raise S3Error(code, f"Invalid x-amz-object-ownership: {text}") from e


def _shown_ownership(kept: str) -> bytes:
    return document("OwnershipControls", [("Rule", [("ObjectOwnership", kept)])])


DOCUMENTS = (
    Document(
        "policy",
        "s3:GetBucketPolicy",
        "s3:PutBucketPolicy",
        "s3:DeleteBucketPolicy",
        _checked_policy,
        missing="NoSuchBucketPolicy",
        content_type="application/json",
        put_status=204,
    ),
    Document(
        "publicAccessBlock",
        "s3:GetBucketPublicAccessBlock",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketPublicAccessBlock",
        _checked_block,
        missing="NoSuchPublicAccessBlockConfiguration",
        show=_shown_block,
    ),
    Document(
        "ownershipControls",
        "s3:GetBucketOwnershipControls",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketOwnershipControls",
        _checked_ownership,
        missing="OwnershipControlsNotFoundError",
        show=_shown_ownership,
    ),
)
