"""Who signed this with AWS Signature Version 2? boto3 still makes such URLs, and old clients know nothing else.

It says nothing of the body, and lacks version 4's scope of day and region; it is no way in for who has no secret.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html (2026-11), botocore 1.44 auth.py.
"""

import base64
import hmac

from weyr.core.grants import Principal
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.sigv4 import SKEW_MAX_S, UNSIGNED, Caller, Keys, Refused, Signable, Signing, http_seconds_of

SCHEME = "AWS"

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
    secret, principal = _secret_of(access_key, keys)
    if not expires.isascii() or not expires.isdigit() or len(expires) > 15:
        raise Refused(S3Error("AccessDenied", "Invalid date (should be seconds since epoch)"), principal.name)
    if now > int(expires):
        raise Refused(S3Error("AccessDenied", "Request has expired", Expires=expires), principal.name)
    # Headers that were signed may travel in the query; one that is sent as a header counts first.
    headers = {name: value for name, value in fields.items() if _is_signed_header(name)}
    return _verified(_to_sign(request, headers, expires), access_key, secret, principal, fields["Signature"])


def in_header(request: Signable, keys: Keys, now: float) -> Caller:
    """A request whose Authorization header is `AWS KEY:SIGNATURE`. Raises: Refused, with the S3 error to answer."""
    access_key, colon, signature = request.headers["authorization"].removeprefix(SCHEME).strip().rpartition(":")
    if not colon:
        raise Refused(S3Error("InvalidArgument", "Invalid Authorization header"))
    secret, principal = _secret_of(access_key, keys)
    date = request.headers.get("x-amz-date") or request.headers.get("date", "")
    at = http_seconds_of(date)
    if at is None:
        message = "AWS authentication requires a valid Date or x-amz-date header"
        raise Refused(S3Error("AccessDenied", message), principal.name)
    if abs(now - at) > SKEW_MAX_S:
        raise Refused(S3Error("RequestTimeTooSkewed", RequestTime=date), principal.name)
    texts = _to_sign(request, {}, "" if "x-amz-date" in request.headers else date)
    return _verified(texts, access_key, secret, principal, signature)


def _secret_of(access_key: str, keys: Keys) -> tuple[str, Principal]:
    found = keys.key(access_key)
    if found is None:
        raise Refused(S3Error("InvalidAccessKeyId", AWSAccessKeyId=access_key), access_key)
    return found


def _verified(texts: list[str], access_key: str, secret: str, principal: Principal, signature: str) -> Caller:
    given = signature.encode("latin-1", "replace")
    digests = [hmac.new(secret.encode(), text.encode("latin-1", "replace"), "sha1").digest() for text in texts]
    if not any(hmac.compare_digest(base64.b64encode(digest), given) for digest in digests):
        fields = {"AWSAccessKeyId": access_key, "StringToSign": texts[0]}
        raise Refused(S3Error("SignatureDoesNotMatch", **fields), principal.name)
    return Caller(principal, access_key, UNSIGNED, Signing(b"", "", "", ""), SCHEME)


def _to_sign(request: Signable, hoisted: dict[str, str], date: str) -> list[str]:
    """What may have been signed: SDKs sign `/bucket/` for a bucket also where they send `/bucket`."""
    headers = hoisted | {name: value for name, value in request.headers.items() if _is_signed_header(name)}
    lines = [request.method, headers.pop("content-md5", ""), headers.pop("content-type", ""), date]
    lines += [f"{name}:{value.strip()}" for name, value in sorted(headers.items())]
    named = sorted((name, value) for name, value in request.query if name in _RESOURCE_NAMES)
    resource = "&".join(f"{name}={value}" if value else name for name, value in named)
    paths = [request.path, f"{request.path}/"] if request.path.count("/") == 1 else [request.path]
    return ["\n".join([*lines, f"{path}?{resource}" if resource else path]) for path in paths]


def _is_signed_header(name: str) -> bool:
    return name in ("content-md5", "content-type") or name.startswith("x-amz-")
