"""What does an operation of the S3 API get to work with? The call: who asks for what, and the plane's parts."""

import os
import re
import time
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote_to_bytes

from weyr.gateway.audit import AuditTrail
from weyr.gateway.s3.accounts import Account, Accounts
from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import AnyIndex
from weyr.gateway.s3.keyring import Keyring
from weyr.gateway.s3.messages import Request, Response
from weyr.gateway.s3.receive import Receiver, promise_of
from weyr.gateway.s3.records import Bucket, Inline, Stored
from weyr.gateway.s3.remote.outside import Outside
from weyr.gateway.s3.sigv4 import Caller
from weyr.gateway.s3.usage import Counters
from weyr.gateway.s3.xml import DOCUMENT_BYTES_MAX, Content, Node, document, parsed

REGION = "us-east-1"
KEY_BYTES_MAX = 1024
_BAD_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Plane:
    """The parts of the running plane."""

    index: AnyIndex
    blobs: BlobStore
    receiver: Receiver
    accounts: Accounts
    audit: AuditTrail
    keyring: Keyring
    clock: Callable[[], float] = time.time
    region: str = REGION
    outside: Outside = field(default_factory=Outside)
    """The places elsewhere that buckets and tiers are at."""
    folders: Mapping[str, Path] = field(default_factory=dict)
    """Bucket → the folder of plain files that it is."""
    day_s: float = 86_400.0
    """How long a day of a lifecycle rule lasts."""
    counters: Counters = field(default_factory=Counters)
    webhooks: Mapping[str, str] = field(default_factory=dict)
    """Name → URL of those that buckets may tell of their objects."""
    replicas: Mapping[str, str] = field(default_factory=dict)
    """Name → URL of the places that buckets may be replicated to."""
    domains: tuple[str, ...] = ()
    """Under which a host's name begins with a bucket's."""
    logs: Path = Path(os.devnull)
    """Folder in which the lines of access logs wait."""
    logs_every_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request for one operation, once it is known who sent it. `bucket` and `key` are "" where none is named."""

    plane: Plane
    request: Request
    caller: Caller
    account: Account | None
    """Whom the caller acts for; None for an anonymous one."""
    bucket: str
    key: str
    query: Mapping[str, str]
    now_ms: int
    there_or_none: Bucket | None = None
    looked_up: tuple[Stored | None, Inline | None] | None = None
    """The key's current version and its bytes, where they were looked up together with the bucket."""
    kept_text: list[bytes] = field(default_factory=list)
    became: list["Call"] = field(default_factory=list)
    """The PUT that a form turned out to be, for the access log."""
    removed: list[tuple[str, str, int, str]] = field(default_factory=list)
    """What became of each key of a DeleteObjects request: key, version, status and error, for the access log."""

    @property
    def headers(self) -> Mapping[str, str]:
        return self.request.headers

    @property
    def there(self) -> Bucket:
        """The bucket as it was when the call came."""
        assert self.there_or_none is not None, "only the service and the making of a bucket have none"
        return self.there_or_none

    @property
    def owner(self) -> Account:
        """The account whose bucket it is."""
        return self.plane.accounts.of(self.there.owner)

    @property
    def found(self) -> Stored | None:
        """The key's current version as far as it was looked up, None also for a delete marker."""
        stored = self.looked_up[0] if self.looked_up else None
        return None if stored is None or stored.is_marker else stored

    def refuse(self, action: str, resource: str, reason: str) -> None:
        """Raises: S3Error AccessDenied, always, and writes it to the audit trail."""
        self.plane.audit.refused(self.caller.principal.name, action, resource, reason)
        error = S3Error("AccessDenied")
        error.is_audited = True
        raise error

    async def xml(self, root: str, foreign: Container[str] = ()) -> Node:
        """The request's document. Raises: S3Error, also where the body is not what was signed.

        Takes: `foreign`, the headers that are not about this body although they look so.
        """
        return parsed(await self.text(foreign), root)

    async def text(self, foreign: Container[str] = ()) -> bytes:
        """The request's whole body, verified; at most as long as any document may be. `foreign` as in `xml`."""
        if not self.kept_text:
            headers = {name: value for name, value in self.headers.items() if name not in foreign}
            if "transfer-encoding" not in headers:
                headers.setdefault(
                    "content-length", "0"
                )  # documents may be left out; an object must say how long it is
            promise = promise_of(headers, self.caller, DOCUMENT_BYTES_MAX, "MaxMessageLengthExceeded")
            self.kept_text.append(await self.plane.receiver.read(self.request.body, promise))
        return self.kept_text[0]

    def number(self, name: str, default: int, highest: int) -> int:
        """A number from the query, cut down to `highest`. Raises: S3Error InvalidArgument."""
        text = self.query.get(name, "")
        if text == "":
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise S3Error("InvalidArgument", f"{name} must be a whole number.", ArgumentName=name, ArgumentValue=text)
        return min(int(text), highest)


def owner_content(account: Account) -> Content:
    """An Owner element's content."""
    return [("ID", account.id), ("DisplayName", account.name)]


def xml_response(name: str, *content: tuple[str, Content]) -> Response:
    """200 with a document."""
    return Response(200, [("Content-Type", "application/xml")], document(name, content))


def decoded(text: str) -> str:
    """A percent-encoded part of a path or query. Raises: S3Error InvalidURI where it is neither that nor UTF-8."""
    if "%" not in text and text.isascii():
        return text
    if _BAD_PERCENT.search(text):
        raise S3Error("InvalidURI")
    try:
        return unquote_to_bytes(text.encode("latin-1")).decode()
    except UnicodeError as e:
        raise S3Error("InvalidURI") from e


def checked_key(key: str) -> str:
    """Raises: S3Error KeyTooLongError."""
    if len(key) > KEY_BYTES_MAX // 4 and len(key.encode()) > KEY_BYTES_MAX:
        raise S3Error("KeyTooLongError", Size=str(len(key.encode())), MaxSizeAllowed=str(KEY_BYTES_MAX))
    return key
