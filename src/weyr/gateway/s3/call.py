"""What does an operation of the S3 API get to work with? The call: who asks for what, and the plane's parts."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from weyr.core.grants import is_allowed
from weyr.gateway.audit import AuditTrail
from weyr.gateway.credentials import Credentials
from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Index
from weyr.gateway.s3.messages import Request, Response
from weyr.gateway.s3.receive import Receiver, promise_of
from weyr.gateway.s3.sigv4 import Caller
from weyr.gateway.s3.xml import DOCUMENT_BYTES_MAX, Content, Node, document, parsed

REGION = "us-east-1"
KEY_BYTES_MAX = 1024
OWNER = "weyr"
"""There is one account, so every bucket and object has the same owner."""


@dataclass(frozen=True, slots=True)
class Plane:
    """The parts of the running plane."""

    index: Index
    blobs: BlobStore
    receiver: Receiver
    credentials: Credentials
    audit: AuditTrail
    clock: Callable[[], float] = time.time


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request for one operation. `bucket` and `key` are "" where the path does not name them."""

    plane: Plane
    request: Request
    caller: Caller
    bucket: str
    key: str
    query: Mapping[str, str]
    now_ms: int
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def headers(self) -> Mapping[str, str]:
        return self.request.headers

    def may(self, action: str, resource: str) -> bool:
        """Whether the caller may do this; asks quietly."""
        return is_allowed(self.caller.principal.grants, action, resource)

    def need(self, action: str, resource: str = "") -> None:
        """Raises: S3Error AccessDenied where the caller may not, and writes it to the audit trail."""
        resource = resource or f"{self.bucket}/{self.key}"
        if not self.may(action, resource):
            self.refuse(action, resource, "not granted")

    def need_list(self, prefix: str = "") -> None:
        """Listing is granted for the bucket, or for keys under a prefix."""
        if not (self.may("s3:list", f"{self.bucket}/") or self.may("s3:list", f"{self.bucket}/{prefix}")):
            self.refuse("s3:list", f"{self.bucket}/{prefix}", "not granted")

    def refuse(self, action: str, resource: str, reason: str) -> None:
        """Raises: S3Error AccessDenied, always."""
        self.plane.audit.refused(self.caller.principal.name, action, resource, reason)
        error = S3Error("AccessDenied")
        error.is_audited = True
        raise error

    async def xml(self, root: str) -> Node:
        """The request's document. Raises: S3Error, also where the body is not what was signed."""
        return parsed(await self.text(), root)

    async def text(self) -> bytes:
        """The request's whole body, verified; at most as long as any document may be."""
        promise = promise_of(self.headers, self.caller, DOCUMENT_BYTES_MAX)
        return await self.plane.receiver.read(self.request.body, promise)

    def number(self, name: str, default: int, highest: int) -> int:
        """A number from the query, cut down to `highest`. Raises: S3Error InvalidArgument."""
        text = self.query.get(name, "")
        if text == "":
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise S3Error("InvalidArgument", f"{name} must be a whole number.", ArgumentName=name, ArgumentValue=text)
        return min(int(text), highest)


def xml_response(name: str, *content: tuple[str, Content]) -> Response:
    """200 with a document."""
    return Response(200, [("Content-Type", "application/xml")], document(name, content))


def decoded(text: str) -> str:
    """A percent-encoded part of a path or query. Raises: S3Error InvalidURI where it is not UTF-8."""
    if "%" not in text and text.isascii():
        return text
    try:
        return unquote_to_bytes(text.encode("latin-1")).decode()
    except UnicodeError as e:
        raise S3Error("InvalidURI") from e


def checked_key(key: str) -> str:
    """Raises: S3Error KeyTooLongError."""
    if len(key) > KEY_BYTES_MAX // 4 and len(key.encode()) > KEY_BYTES_MAX:
        raise S3Error("KeyTooLongError", Size=str(len(key.encode())), MaxSizeAllowed=str(KEY_BYTES_MAX))
    return key
