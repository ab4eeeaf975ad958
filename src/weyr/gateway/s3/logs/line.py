"""How is one answered request written in S3's server access log?

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html (2026-11), the fields up to aclRequired.
What the door does not know (a host id, TLS, an access point) is `-`, as S3 writes what is not there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from weyr.gateway.s3.call import Call
from weyr.gateway.s3.messages import Request, Response

NOTHING = "-"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_RESOURCES = {
    "attributes": "OBJECT_ATTRIBUTES", "delete": "MULTI_OBJECT_DELETE", "legal-hold": "OBJECT_LOCK_LEGALHOLD",
    "list-type": "BUCKET", "logging": "LOGGING_STATUS", "object-lock": "OBJECT_LOCK_CONFIGURATION",
    "ownershipControls": "OWNERSHIP_CONTROLS", "policy": "BUCKETPOLICY", "policyStatus": "POLICY_STATUS",
    "publicAccessBlock": "PUBLIC_ACCESS_BLOCK", "requestPayment": "REQUEST_PAYMENT",
    "retention": "OBJECT_LOCK_RETENTION", "versions": "BUCKETVERSIONS",
}  # fmt: skip
"""Resources whose name in the log is not their subresource's in capitals."""
_VERSIONS = {"AWS4-HMAC-SHA256": "SigV4", "AWS": "SigV2"}


@dataclass(slots=True)
class Seen:
    """What became known of a request while it was answered."""

    request: Request
    request_id: str
    received_s: float
    """Unix seconds."""
    started_s: float
    """On the clock that only rises."""
    bucket: str = ""
    key: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    subresource: str = ""
    call: Call | None = None
    """None where it is not known who sent it."""
    error: str = ""


def operation_of(method: str, key: str, subresource: str, is_copy: bool) -> str:
    """The operation's name, such as `REST.GET.OBJECT`."""
    if subresource == "uploadId":
        resource = "PART" if method == "PUT" else "UPLOAD"
    elif subresource == "tagging":
        resource = "OBJECT_TAGGING" if key else "TAGGING"
    elif subresource:
        resource = _RESOURCES.get(subresource, subresource.upper().replace("-", "_"))
    elif method == "OPTIONS":
        resource = "PREFLIGHT"
    else:
        resource = "OBJECT" if key else "BUCKET"
    return f"REST.{'COPY' if is_copy and method == 'PUT' else method}.{resource}"


def line_of(seen: Seen, response: Response, owner: str, sent_bytes: int, ready_s: float, done_s: float) -> str:
    """The line of one answer, without its end.

    Takes: `owner`, the bucket's account; `ready_s` and `done_s`, when the answer was made and when its last byte went
    out, on the clock of `started_s`.
    """
    request = seen.request
    is_copy = "x-amz-copy-source" in request.headers
    operation = operation_of(request.method, seen.key, seen.subresource, is_copy)
    total_ms = max(0, round((done_s - seen.started_s) * 1000))
    since = max(seen.started_s, request.body.ended_s)
    turn_around_ms = max(0, round((ready_s - since) * 1000))
    fields = [
        *_head(seen, owner, operation, seen.key),
        _quoted(f"{request.method} {_target_of(request)} HTTP/1.1"),
        str(response.status),
        seen.error or NOTHING,
        str(sent_bytes or NOTHING),
        _object_bytes(seen, response),
        str(total_ms),
        str(turn_around_ms),
        *_tail(seen, dict(response.headers).get("x-amz-version-id") or seen.query.get("versionId", "")),
    ]
    return " ".join(fields)


def batch_line_of(seen: Seen, owner: str, key: str, version: str, status: int, error: str) -> str:
    """The line of one key of a DeleteObjects request."""
    operation = "BATCH.DELETE.OBJECT"
    nothing = [NOTHING] * 4  # bytes sent, object size, and the two times are the request's, not a key's
    fields = [*_head(seen, owner, operation, key), NOTHING, str(status), error or NOTHING, *nothing]
    return " ".join([*fields, *_tail(seen, version)])


def _head(seen: Seen, owner: str, operation: str, key: str) -> list[str]:
    at = datetime.fromtimestamp(seen.received_s, UTC)
    time = f"[{at.day:02}/{_MONTHS[at.month - 1]}/{at.year:04}:{at:%H:%M:%S} +0000]"
    requester = seen.call.account.id if seen.call and seen.call.account else ""
    written = quote(key, safe="/-_.~") or NOTHING
    peer = seen.request.peer or NOTHING
    return [
        _word(owner),
        seen.bucket,
        time,
        peer,
        _word(requester) if requester else NOTHING,
        seen.request_id,
        operation,
        written,
    ]


def _tail(seen: Seen, version: str) -> list[str]:
    headers = seen.request.headers
    signature = _VERSIONS.get(seen.call.caller.version, NOTHING) if seen.call else NOTHING
    is_in_query = not seen.query.keys().isdisjoint(("X-Amz-Signature", "Signature"))
    by = "AuthHeader" if "authorization" in headers else "QueryString" if is_in_query else NOTHING
    if signature == NOTHING:  # whatever was sent, nobody was known by it
        by = NOTHING
    host = _word(headers.get("host", "")) or NOTHING
    referrer, agent = _quoted(headers.get("referer", "")), _quoted(headers.get("user-agent", ""))
    return [
        referrer,
        agent,
        _word(version) or NOTHING,
        NOTHING,  # host id
        signature,
        NOTHING,  # cipher suite
        by,
        host,
        NOTHING,  # TLS version
        NOTHING,  # access point
        NOTHING,  # aclRequired
    ]


def _target_of(request: Request) -> str:
    path = request.sent_path or request.path
    return f"{path}?{request.query}" if request.query else path


def _object_bytes(seen: Seen, response: Response) -> str:
    """The size of the object that was asked for or put, where the answer was about one."""
    method, headers = seen.request.method, seen.request.headers
    if not seen.key or response.status >= 300 or seen.subresource not in ("", "uploadId"):
        return NOTHING
    if method in ("GET", "HEAD") and not seen.subresource:
        whole = dict(response.headers).get("Content-Range", "").rpartition("/")[2]
        return whole or str(response.length if response.length is not None else len(response.body))
    if method == "PUT" and "x-amz-copy-source" not in headers:
        return headers.get("x-amz-decoded-content-length") or headers.get("content-length") or NOTHING
    return NOTHING


def _quoted(text: str) -> str:
    """A field between quotation marks; nothing in it can end the field or the line."""
    safe = "".join(c if " " <= c <= "~" and c != '"' else quote(c, encoding="latin-1", errors="replace") for c in text)
    return f'"{safe or NOTHING}"'


def _word(text: str) -> str:
    """A field that ends at a space."""
    return quote(text, safe="!#$&'()*+,/:;=?@[]-_.~")
