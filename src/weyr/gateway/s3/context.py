"""What does a request have for the condition keys of a policy? Only gathered where a bucket has a policy."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

from weyr.gateway.s3.call import Call, decoded
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.locks import DAY_MS, moment_ms
from weyr.gateway.s3.metadata import tags_of
from weyr.gateway.s3.policy_conditions import Context
from weyr.gateway.s3.records import Bucket, Stored

_HEADERS = (
    "x-amz-acl", "x-amz-content-sha256", "x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp",
    "x-amz-grant-write", "x-amz-grant-write-acp", "x-amz-metadata-directive", "x-amz-object-ownership",
    "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm", "x-amz-storage-class", "x-amz-website-redirect-location",
)  # fmt: skip
_LOCKS = {
    "s3:object-lock-mode": "x-amz-object-lock-mode",
    "s3:object-lock-retain-until-date": "x-amz-object-lock-retain-until-date",
    "s3:object-lock-legal-hold": "x-amz-object-lock-legal-hold",
}
_QUERY = {"s3:prefix": "prefix", "s3:delimiter": "delimiter", "s3:max-keys": "max-keys", "s3:versionid": "versionId"}


def context_of(call: Call, bucket: Bucket, stored: Stored | None, tags: Mapping[str, str] | None) -> Context:
    """Takes `tags` that the request's document would set, and the object that is asked about if it is known."""
    headers = call.headers
    context: dict[str, tuple[str, ...]] = {
        "aws:currenttime": (datetime.fromtimestamp(call.now_ms / 1000, UTC).isoformat(),),
        "aws:epochtime": (str(call.now_ms // 1000),),
        "aws:securetransport": ("false",),
        "aws:sourceip": (call.request.peer,),
        "aws:principaltype": ("Account" if call.account else "Anonymous",),
        "s3:authtype": ("REST-HEADER" if "authorization" in headers else "REST-QUERY-STRING",),
        "s3:resourceaccount": (call.plane.accounts.of(bucket.owner).id,),
    }
    if call.account:
        name = call.caller.principal.name
        context |= {"aws:username": (name,), "aws:userid": (name,), "s3:signatureversion": (call.caller.version,)}
        context["aws:principalarn"] = (f"arn:aws:iam::{call.account.id}:user/{name}",)
    for key, header in (("aws:referer", "referer"), ("aws:useragent", "user-agent")):
        if header in headers:
            context[key] = (headers[header],)
    context |= {f"s3:{name}": (headers[name],) for name in _HEADERS if name in headers}
    context |= {key: (headers[name],) for key, name in _LOCKS.items() if name in headers}
    with suppress(ValueError, KeyError):  # a date that is none is refused where it is used
        until_ms = moment_ms(headers["x-amz-object-lock-retain-until-date"])
        context["s3:object-lock-remaining-retention-days"] = (str(-((call.now_ms - until_ms) // DAY_MS)),)
    # A request without a prefix lists everything, and a policy that names one must not take it for allowed.
    context |= {key: (call.query[name],) for key, name in _QUERY.items() if name in call.query}
    if "x-amz-copy-source" in headers:
        with suppress(S3Error):
            context["s3:x-amz-copy-source"] = (decoded(headers["x-amz-copy-source"].partition("?")[0]).lstrip("/"),)
    if stored is not None:
        context |= {f"s3:existingobjecttag/{key.lower()}": (value,) for key, value in stored.meta.tags.items()}
    wished = dict(tags or {})
    if "x-amz-tagging" in headers:
        with suppress(S3Error):  # malformed ones are refused where they are used
            wished |= tags_of(headers["x-amz-tagging"])
    if wished:
        context |= {f"s3:requestobjecttag/{key.lower()}": (value,) for key, value in wished.items()}
        context["s3:requestobjecttagkeys"] = tuple(wished)
    return context
