"""How is a request signed that we send? AWS Signature Version 4, in its header.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html (2026-11).
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from weyr.gateway.s3.sigv4 import ALGORITHM, UNSIGNED, signing_key

__all__ = ["UNSIGNED", "Keys", "query_text", "signed"]


@dataclass(frozen=True, slots=True)
class Keys:
    """What a caller signs with. `token` comes with temporary keys."""

    access_key: str
    secret: str = field(repr=False)
    region: str = "us-east-1"
    token: str = field(default="", repr=False)


def signed(
    keys: Keys, method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str], date: str
) -> dict[str, str]:
    """The headers with those of the signature. Values are as they are sent, a character for each byte.

    Takes: `path` as it will be sent, `headers` in lower case with host and x-amz-content-sha256, `date` such as
    `20261122T115204Z`.
    """
    named = {**headers, "x-amz-date": date}
    if keys.token:
        named["x-amz-security-token"] = keys.token
    names = ";".join(sorted(named))
    lines = [method, path, query_text(query)]
    lines += [f"{name}:{' '.join(named[name].split())}" for name in sorted(named)]
    lines += ["", names, named["x-amz-content-sha256"]]
    scope = f"{date[:8]}/{keys.region}/s3/aws4_request"
    digest = hashlib.sha256("\n".join(lines).encode("latin-1")).hexdigest()
    to_sign = f"{ALGORITHM}\n{date}\n{scope}\n{digest}"
    signature = hmac.new(signing_key(keys.secret, date[:8], keys.region), to_sign.encode(), "sha256").hexdigest()
    credential = f"{keys.access_key}/{scope}"
    named["authorization"] = f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return named


def query_text(query: Sequence[tuple[str, str]]) -> str:
    """A query as it is signed and sent: encoded and in order."""
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query)
    return "&".join(f"{name}={value}" for name, value in pairs)
