"""The document that says how a bucket's objects are encrypted unless they ask for something else."""

from weyr.gateway.s3 import encryption
from weyr.gateway.s3.api_settings import Document
from weyr.gateway.s3.call import Call
from weyr.gateway.s3.encryption import Mode, checked_wish
from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.xml import Content, Node, document


async def kept_default(call: Call) -> str:
    """What is kept of the request's document. Raises: S3Error, also where the named key is not there."""
    rules = list(await call.xml("ServerSideEncryptionConfiguration"))
    if len(rules) != 1 or rules[0].name != "Rule":
        raise S3Error("MalformedXML")
    wanted: Node | None = None
    is_shared = ""
    for child in rules[0]:
        match child.name:
            case "ApplyServerSideEncryptionByDefault":
                wanted = child
            case "BucketKeyEnabled":
                is_shared = child.text.strip()
            case name:
                raise not_implemented(f"{name} of a bucket's encryption")
    if wanted is None:
        raise S3Error("MalformedXML")
    wish = checked_wish(wanted.need("SSEAlgorithm").strip(), (wanted.get("KMSMasterKeyID") or "").strip() or None)
    if wish.mode is Mode.NAMED:
        if wish.by not in call.plane.keyring.named:
            raise S3Error("KMS.NotFoundException", f"This plane has no key that is named {wish.by}.")
        if is_shared == "true":
            # With AES256 objects share the bucket's key anyhow.
            raise not_implemented("bucket keys with aws:kms")
    return f"{wish.mode.value} {wish.by}".strip()


def _shown(kept: str) -> bytes:
    wish = encryption.default_of(kept)
    default: list[tuple[str, Content]] = [("SSEAlgorithm", wish.mode.value), ("KMSMasterKeyID", wish.by or None)]
    return document(
        "ServerSideEncryptionConfiguration",
        [("Rule", [("ApplyServerSideEncryptionByDefault", default), ("BucketKeyEnabled", False)])],
    )


ENCRYPTION = Document(
    encryption.SETTING,
    "s3:GetEncryptionConfiguration",
    "s3:PutEncryptionConfiguration",
    "s3:PutEncryptionConfiguration",
    kept_default,
    "ServerSideEncryptionConfigurationNotFoundError",
    _shown,
)
