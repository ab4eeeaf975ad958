"""How does the plane sign what it asks of another one? AWS Signature Version 4 over the head of a request.

The body is not signed: a sum of it in the head is, or its etag in the answer is compared.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html (2026-11).
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from weyr.gateway.s3.sigv4 import ALGORITHM, UNSIGNED, signing_key


@dataclass(frozen=True, slots=True)
class Keys:
    """Whose name stands under a request."""

    access_key: str
    secret: str = field(repr=False)
    region: str


def path_of(*parts: str) -> str:
    """The path of a bucket, or of a key in it, as it is sent and signed."""
    return "/" + "/".join(quote(part, safe="/-_.~") for part in parts)


def query_of(pairs: Sequence[tuple[str, str]]) -> str:
    """A query as it is sent and signed."""
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(pairs))


def signed(
    keys: Keys, method: str, host: str, path: str, query: str, headers: Mapping[str, str], now: float
) -> dict[str, str]:
    """The headers with those that sign them. Takes: `path` and `query` as `path_of` and `query_of` give them."""
    date = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    day = date[:8]
    given = {name.lower(): value for name, value in headers.items()}
    given |= {"host": host, "x-amz-date": date, "x-amz-content-sha256": UNSIGNED}
    names = sorted(given)
    lines = [method, path, query, *(f"{name}:{' '.join(given[name].split())}" for name in names)]
    canonical = "\n".join([*lines, "", ";".join(names), UNSIGNED]).encode("latin-1")
    scope = f"{day}/{keys.region}/s3/aws4_request"
    to_sign = f"{ALGORITHM}\n{date}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"
    signature = hmac.new(signing_key(keys.secret, day, keys.region), to_sign.encode(), "sha256").hexdigest()
    credential = f"Credential={keys.access_key}/{scope}"
    given["authorization"] = f"{ALGORITHM} {credential}, SignedHeaders={';'.join(names)}, Signature={signature}"
    return given
