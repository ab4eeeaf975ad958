"""Does the policy of a form allow what is in it? And who signed the policy?

Pure. A form without a policy is nobody's. One with a policy must be signed, in either version, by somebody who then
counts as the caller; every field must be named in it, so that nothing is uploaded that its author did not foresee.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html (2026-11).
"""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from weyr.core.grants import Principal
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.receive import BODY_MAX
from weyr.gateway.s3.sigv4 import ALGORITHM, UNSIGNED, Caller, Keys, Signing, signing_key

POLICY_BYTES_MAX = 32 * 1024
_FREE = {"file", "policy", "signature", "awsaccesskeyid", "x-amz-signature"}
"""Fields that need no condition."""
_FREE_PREFIXES = ("x-ignore-", "x-amz-checksum-")


@dataclass(frozen=True, slots=True)
class FormPolicy:
    """The conditions of a policy: (operator, field, value), and how long the file may be."""

    expires_s: float
    conditions: tuple[tuple[str, str, str], ...]
    least: int = 0
    most: int = BODY_MAX


def caller_of(fields: Mapping[str, str], keys: Keys) -> Caller:
    """Who signed the form's policy; nobody where it has none. Raises: S3Error."""
    policy = fields.get("policy")
    if policy is None:
        if "signature" in fields or "x-amz-signature" in fields:
            raise _missing("policy")
        return Caller(Principal("", ()), "", UNSIGNED, Signing(b"", "", "", ""), "")
    if "x-amz-signature" in fields or "x-amz-credential" in fields:
        return _signed_in_version_4(fields, policy, keys)
    if "awsaccesskeyid" not in fields:
        raise _missing("AWSAccessKeyId")
    if "signature" not in fields:
        raise _missing("signature")
    access_key = fields["awsaccesskeyid"]
    secret, principal = _secret_of(access_key, keys)
    expected = base64.b64encode(hmac.new(secret.encode(), policy.encode(), "sha1").digest())
    _compare(expected, fields["signature"], access_key)
    return Caller(principal, access_key, UNSIGNED, Signing(b"", "", "", ""), "AWS")


def _signed_in_version_4(fields: Mapping[str, str], policy: str, keys: Keys) -> Caller:
    for name in ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"):
        if name not in fields:
            raise _missing(name)
    if fields["x-amz-algorithm"] != ALGORITHM:
        raise S3Error("InvalidArgument", f"X-Amz-Algorithm only supports {ALGORITHM}")
    parts = fields["x-amz-credential"].rsplit("/", 4)
    if len(parts) != 5 or parts[3:] != ["s3", "aws4_request"] or not fields["x-amz-date"].startswith(parts[1]):
        raise S3Error("InvalidArgument", "The credential must be <key>/<yyyymmdd>/<region>/s3/aws4_request.")
    access_key, day, region = parts[:3]
    secret, principal = _secret_of(access_key, keys)
    expected = hmac.new(signing_key(secret, day, region), policy.encode(), "sha256").hexdigest()
    _compare(expected.encode(), fields["x-amz-signature"], access_key)
    return Caller(principal, access_key, UNSIGNED, Signing(b"", "", "", ""))


def _secret_of(access_key: str, keys: Keys) -> tuple[str, Principal]:
    found = keys.key(access_key)
    if found is None:
        raise S3Error("InvalidAccessKeyId", AWSAccessKeyId=access_key)
    return found


def _compare(expected: bytes, given: str, access_key: str) -> None:
    if not hmac.compare_digest(expected, given.encode("utf-8", "replace")):
        raise S3Error("SignatureDoesNotMatch", AWSAccessKeyId=access_key)


def _missing(name: str) -> S3Error:
    message = (
        f"Bucket POST must contain a field named '{name}'. If it is specified, please check the order of the fields."
    )
    return S3Error("InvalidArgument", message, ArgumentName=name)


def policy_of(text: str) -> FormPolicy:
    """Raises: S3Error InvalidPolicyDocument where it is not well formed."""
    try:
        if len(text) > POLICY_BYTES_MAX:
            raise _invalid("Policy is too long.")
        document = json.loads(base64.b64decode(text, validate=False))
        expiration, conditions = document["expiration"], document["conditions"]
        date = datetime.strptime(expiration.partition(".")[0].rstrip("Z"), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise _invalid("Policy is not JSON with an expiration and conditions.") from e
    if not expiration.endswith("Z") or not isinstance(conditions, list) or not conditions:
        raise _invalid("Policy needs an expiration in UTC and a list of conditions.")
    read = [_condition(entry) for entry in conditions]
    ranges = [entry for entry in read if entry[0] == "content-length-range"]
    least = max((int(low) for _, low, _ in ranges), default=0)
    most = min((int(high) for _, _, high in ranges), default=BODY_MAX)
    return FormPolicy(date.timestamp(), tuple(e for e in read if e[0] != "content-length-range"), least, most)


def _condition(entry: Any) -> tuple[str, str, str]:
    if isinstance(entry, dict):
        if len(entry) != 1:
            raise _invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
        ((name, value),) = entry.items()
        return "eq", name.lower(), _text(value)
    if not isinstance(entry, list) or len(entry) != 3 or not isinstance(entry[0], str):
        raise _invalid("Invalid Condition: it must be a pair, or a list of three.")
    operator = entry[0].lower()
    if operator == "content-length-range":
        low, high = (_size(value) for value in entry[1:])
        return operator, str(low), str(high)
    name = _text(entry[1])
    if operator not in ("eq", "starts-with") or not name.startswith("$"):
        raise _invalid(f"Invalid Condition: {entry[0]} of {name}.")
    return operator, name[1:].lower(), _text(entry[2])


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _invalid("Invalid Condition: a value must be a text.")
    return value


def _size(value: Any) -> int:
    text = str(value)
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or len(text) > 18:
        raise _invalid("Invalid Content-Length-Range: it takes two whole numbers.")
    return int(text)


def check_allowed(policy: FormPolicy, fields: Mapping[str, str], now_s: float) -> None:
    """Takes the form's fields with its bucket among them. Raises: S3Error AccessDenied."""
    if now_s > policy.expires_s:
        raise _denied("Policy expired.")
    for operator, name, value in policy.conditions:
        there = fields.get(name, "")
        is_met = there == value if operator == "eq" else _begins(name, there, value)
        if not is_met:
            raise _denied(f'Policy Condition failed: ["{operator}", "${name}", "{value}"]')
    named = {name for _, name, _ in policy.conditions}
    extra = [n for n in fields if n not in named and n not in _FREE and not n.startswith(_FREE_PREFIXES)]
    if extra:
        raise _denied(f"Extra input fields: {', '.join(extra)}")


def _begins(name: str, there: str, value: str) -> bool:
    """A list of content types must begin so each."""
    parts = there.split(",") if name == "content-type" else [there]
    return all(part.strip().startswith(value) for part in parts)


def _invalid(message: str) -> S3Error:
    return S3Error("InvalidPolicyDocument", f"Invalid Policy: {message}")


def _denied(message: str) -> S3Error:
    return S3Error("AccessDenied", f"Invalid according to Policy: {message}")
