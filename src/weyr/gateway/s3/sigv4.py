"""Who signed this request? AWS Signature Version 4, in the Authorization header or in the query (presigned).

It answers with the principal and with what was promised of the body; whether the principal may do
what it asks is not decided here.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html (2026-11).
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote, unquote_to_bytes

from weyr.core.grants import Principal
from weyr.gateway.s3.errors import S3Error

SKEW_MAX_S = 900
EXPIRES_MAX_S = 604_800
ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
_UNRESERVED = re.compile(r"[A-Za-z0-9/._~-]*")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_SPACES = re.compile(r"  +")


class Keys(Protocol):
    """Where secrets are looked up; `weyr.gateway.credentials.Credentials` is one."""

    def key(self, access_key_id: str) -> tuple[str, Principal] | None: ...


@dataclass(frozen=True, slots=True)
class Signing:
    """What it takes to verify the chunks of a signed stream: each is chained to the one before."""

    key: bytes
    scope: str
    date: str
    seed: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `payload` is the signed word about the body: its SHA-256, or how it is streamed."""

    principal: Principal
    access_key: str
    payload: str
    signing: Signing
    version: str = ALGORITHM

    @property
    def is_anonymous(self) -> bool:
        return not self.access_key


class Refused(Exception):
    """Nobody can be held to this request. `who` is the principal or the key named, for the audit trail."""

    def __init__(self, error: S3Error, who: str = "") -> None:
        super().__init__(str(error))
        self.error = error
        self.who = who


@dataclass(frozen=True, slots=True)
class Signable:
    """The parts of a request that are signed. `path` is as sent; `query` is decoded pairs in the order sent."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Claim:
    """What the request says about its signature."""

    access_key: str
    day: str
    region: str
    signed_headers: tuple[str, ...]
    signature: str
    date: str
    payload: str
    expires_s: int | None = None

    @property
    def scope(self) -> str:
        return f"{self.day}/{self.region}/s3/aws4_request"


def authenticate(request: Signable, keys: Keys, now: float) -> Caller:
    """Takes `now` as Unix seconds. Raises: Refused, with the S3 error to answer."""
    authorization = request.headers.get("authorization", "")
    names = {name for name, _ in request.query}
    is_presigned = "X-Amz-Signature" in names or "X-Amz-Algorithm" in names
    if authorization and is_presigned:
        raise Refused(S3Error("InvalidArgument", "Only one auth mechanism allowed."))
    if is_presigned:
        claim = _presigned_claim(request)
    elif authorization:
        claim = _header_claim(request, authorization)
    else:
        return _anonymous(request)
    return _verified(request, claim, keys, now)


def _anonymous(request: Signable) -> Caller:
    """Nobody signed: what is open to everybody is still open."""
    payload = request.headers.get("x-amz-content-sha256", UNSIGNED)
    if payload.startswith("STREAMING-AWS4"):
        raise Refused(S3Error("AccessDenied", "A signed stream needs a signed request."))
    return Caller(Principal("", ()), "", payload, Signing(b"", "", "", ""), "")


def _verified(request: Signable, claim: _Claim, keys: Keys, now: float) -> Caller:
    found = keys.key(claim.access_key)
    if found is None:
        raise Refused(S3Error("InvalidAccessKeyId", AWSAccessKeyId=claim.access_key), claim.access_key)
    secret, principal = found
    _check_time(claim, now, principal.name)
    _check_signed_headers(request, claim, principal.name)
    canonical = _canonical(request, claim)
    digest = hashlib.sha256(canonical).hexdigest()
    to_sign = f"{ALGORITHM}\n{claim.date}\n{claim.scope}\n{digest}"
    key = signing_key(secret, claim.day, claim.region)
    expected = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
    if not hmac.compare_digest(expected.encode(), claim.signature.encode("latin-1", "replace")):
        fields = {"AWSAccessKeyId": claim.access_key, "StringToSign": to_sign, "SignatureProvided": claim.signature}
        raise Refused(
            S3Error("SignatureDoesNotMatch", **fields, CanonicalRequest=canonical.decode("latin-1")), principal.name
        )
    return Caller(principal, claim.access_key, claim.payload, Signing(key, claim.scope, claim.date, expected))


def _header_claim(request: Signable, authorization: str) -> _Claim:
    method, _, rest = authorization.partition(" ")
    if method != ALGORITHM:
        raise Refused(S3Error("InvalidArgument", "Unsupported Authorization Type"))
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    if fields.keys() != {"Credential", "SignedHeaders", "Signature"}:
        raise Refused(S3Error("AuthorizationHeaderMalformed"))
    payload = request.headers.get("x-amz-content-sha256")
    if payload is None:
        raise Refused(S3Error("InvalidRequest", "Missing required header for this request: x-amz-content-sha256"))
    access_key, day, region = _credential(fields["Credential"], "AuthorizationHeaderMalformed")
    signed = tuple(fields["SignedHeaders"].split(";"))
    return _Claim(access_key, day, region, signed, fields["Signature"], _date_of(request.headers), payload)


def _presigned_claim(request: Signable) -> _Claim:
    code = "AuthorizationQueryParametersError"
    fields = dict(request.query)
    needed = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders",
              "X-Amz-Expires")  # fmt: skip
    missing = [name for name in needed if not fields.get(name)]
    if missing or fields["X-Amz-Algorithm"] != ALGORITHM:
        raise Refused(S3Error(code, f"Missing or wrong query parameters: {', '.join(missing) or 'X-Amz-Algorithm'}"))
    if not re.fullmatch(r"-?[0-9]{1,18}", fields["X-Amz-Expires"]):
        raise Refused(S3Error(code, "X-Amz-Expires should be a number"))
    expires_s = int(fields["X-Amz-Expires"])
    if not 0 < expires_s <= EXPIRES_MAX_S:
        raise Refused(S3Error("AccessDenied", f"X-Amz-Expires must be between 1 and {EXPIRES_MAX_S} seconds"))
    access_key, day, region = _credential(fields["X-Amz-Credential"], code)
    payload = fields.get("X-Amz-Content-Sha256") or request.headers.get("x-amz-content-sha256") or UNSIGNED
    signed = tuple(fields["X-Amz-SignedHeaders"].split(";"))
    signature, date = fields["X-Amz-Signature"], fields["X-Amz-Date"]
    return _Claim(access_key, day, region, signed, signature, date, payload, expires_s)


def _credential(text: str, code: str) -> tuple[str, str, str]:
    # Access keys may hold slashes, so the scope is taken from the right.
    parts = text.rsplit("/", 4)
    if len(parts) != 5 or parts[3] != "s3" or parts[4] != "aws4_request" or not re.fullmatch(r"[0-9]{8}", parts[1]):
        raise Refused(S3Error(code, "The credential must be <key>/<yyyymmdd>/<region>/s3/aws4_request."))
    return parts[0], parts[1], parts[2]


def _date_of(headers: Mapping[str, str]) -> str:
    """The request's time in the form that is signed. A `Date` header is as good as `x-amz-date`."""
    if "x-amz-date" in headers:
        return headers["x-amz-date"]
    try:
        return parsedate_to_datetime(headers["date"]).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except (KeyError, ValueError, OverflowError) as e:
        message = "AWS authentication requires a valid Date or x-amz-date header"
        raise Refused(S3Error("AccessDenied", message)) from e


def _check_time(claim: _Claim, now: float, who: str) -> None:
    at = _seconds_of(claim.date)
    if at is None:
        raise Refused(S3Error("AccessDenied", "The request's date is not valid."), who)
    if claim.date[:8] != claim.day:
        raise Refused(S3Error("AuthorizationHeaderMalformed", "The credential's date is not the request's."), who)
    if claim.expires_s is None:
        if abs(now - at) > SKEW_MAX_S:
            raise Refused(S3Error("RequestTimeTooSkewed", RequestTime=claim.date), who)
    elif now > at + claim.expires_s:
        raise Refused(S3Error("AccessDenied", "Request has expired", Expires=str(claim.expires_s)), who)
    elif at - now > SKEW_MAX_S:
        raise Refused(S3Error("AccessDenied", "Request is not valid yet"), who)


@lru_cache(maxsize=1024)
def _seconds_of(date: str) -> float | None:
    """Unix seconds of `20261122T115204Z`. Requests of one second share the answer: strptime took 9 us, 2026-11."""
    try:
        return datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _check_signed_headers(request: Signable, claim: _Claim, who: str) -> None:
    signed = set(claim.signed_headers)
    loose = [name for name in request.headers if name.startswith("x-amz-") and name not in signed]
    if claim.expires_s is not None and "x-amz-content-sha256" in loose:
        loose.remove("x-amz-content-sha256")
    if "host" not in signed or loose:
        message = "There were headers present in the request which were not signed"
        raise Refused(S3Error("AccessDenied", message, HeadersNotSigned=", ".join(loose or ["host"])), who)


def _canonical(request: Signable, claim: _Claim) -> bytes:
    pairs = sorted((_encoded(n), _encoded(v)) for n, v in request.query if n != "X-Amz-Signature")
    lines = [request.method, _encoded_path(request.path), "&".join(f"{name}={value}" for name, value in pairs)]
    lines += [f"{name}:{_SPACES.sub(' ', request.headers.get(name, '').strip())}" for name in claim.signed_headers]
    lines += ["", ";".join(claim.signed_headers), claim.payload]
    return "\n".join(lines).encode("latin-1", "replace")


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _encoded_path(path: str) -> str:
    if _UNRESERVED.fullmatch(path):
        return path
    return quote(unquote_to_bytes(path), safe="/-_.~")


@lru_cache(maxsize=1024)
def signing_key(secret: str, day: str, region: str) -> bytes:
    """What a secret signs with on one day in one region."""
    key = ("AWS4" + secret).encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key


def http_seconds_of(date: str) -> float | None:
    """Unix seconds of a date as HTTP or SigV4 writes it, None where it is neither."""
    if (at := _seconds_of(date)) is not None:
        return at
    try:
        found = parsedate_to_datetime(date)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def is_sha256(payload: str) -> bool:
    """Whether the signed word about the body is the digest of the body itself."""
    return _HEX64.fullmatch(payload) is not None
