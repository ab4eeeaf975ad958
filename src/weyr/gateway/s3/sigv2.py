"""Who made this URL? Presigned URLs of AWS Signature Version 2, which boto3 still makes unless it is told otherwise.

Only URLs: requests signed in a header are told to use version 4.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html (2026-11), botocore 1.44 auth.py.
"""

import base64
import hmac

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.sigv4 import UNSIGNED, Caller, Keys, Refused, Signable, Signing

_RESOURCE_NAMES = {
    "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory", "lifecycle", "location",
    "logging", "metrics", "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment",
    "response-cache-control", "response-content-disposition", "response-content-encoding",
    "response-content-language", "response-content-type", "response-expires", "restore", "select", "select-type",
    "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
}  # fmt: skip
"""The query names that are signed with the path."""


def is_presigned(names: set[str]) -> bool:
    """Whether a query's names are those of such a URL."""
    return {"AWSAccessKeyId", "Signature", "Expires"} <= names


def presigned(request: Signable, keys: Keys, now: float) -> Caller:
    """Takes `now` as Unix seconds. Raises: Refused, with the S3 error to answer."""
    fields = dict(request.query)
    access_key, expires = fields["AWSAccessKeyId"], fields["Expires"]
    found = keys.key(access_key)
    if found is None:
        raise Refused(S3Error("InvalidAccessKeyId", AWSAccessKeyId=access_key), access_key)
    secret, principal = found
    if not expires.isascii() or not expires.isdigit() or len(expires) > 15:
        raise Refused(S3Error("AccessDenied", "Invalid date (should be seconds since epoch)"), principal.name)
    if now > int(expires):
        raise Refused(S3Error("AccessDenied", "Request has expired", Expires=expires), principal.name)
    text = _to_sign(request, fields)
    expected = base64.b64encode(hmac.new(secret.encode(), text.encode("latin-1", "replace"), "sha1").digest())
    if not hmac.compare_digest(expected, fields["Signature"].encode("latin-1", "replace")):
        raise Refused(S3Error("SignatureDoesNotMatch", AWSAccessKeyId=access_key, StringToSign=text), principal.name)
    return Caller(principal, access_key, UNSIGNED, Signing(b"", "", "", ""))


def _to_sign(request: Signable, fields: dict[str, str]) -> str:
    # Headers that were signed may travel in the query; one that is sent as a header counts first.
    headers = {name: value for name, value in fields.items() if _is_signed_header(name)}
    headers |= {name: value for name, value in request.headers.items() if _is_signed_header(name)}
    lines = [request.method, headers.pop("content-md5", ""), headers.pop("content-type", ""), fields["Expires"]]
    lines += [f"{name}:{value.strip()}" for name, value in sorted(headers.items())]
    named = sorted((name, value) for name, value in request.query if name in _RESOURCE_NAMES)
    resource = "&".join(f"{name}={value}" if value else name for name, value in named)
    return "\n".join([*lines, f"{request.path}?{resource}" if resource else request.path])


def _is_signed_header(name: str) -> bool:
    return name in ("content-md5", "content-type") or name.startswith("x-amz-")
