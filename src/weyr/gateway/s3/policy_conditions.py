"""Does a policy's condition hold? One operator, one key of the request's context, and the values it may have.

Pure. Keys and operators that the plane does not know are refused when the policy is put.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html (2026-11).
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import translate
from functools import lru_cache
from typing import Any

from weyr.gateway.s3.errors import S3Error

Context = Mapping[str, tuple[str, ...]]
"""Condition keys in lower case, with what the request has for them; a key it has nothing for is not there."""

KEYS = {
    "aws:currenttime", "aws:epochtime", "aws:principalarn", "aws:principaltype", "aws:referer", "aws:securetransport",
    "aws:sourceip", "aws:useragent", "aws:userid", "aws:username", "s3:authtype", "s3:delimiter",
    "s3:locationconstraint", "s3:max-keys", "s3:prefix", "s3:requestobjecttagkeys", "s3:resourceaccount",
    "s3:signatureversion", "s3:versionid", "s3:x-amz-acl", "s3:x-amz-content-sha256", "s3:x-amz-copy-source",
    "s3:x-amz-grant-full-control", "s3:x-amz-grant-read", "s3:x-amz-grant-read-acp", "s3:x-amz-grant-write",
    "s3:x-amz-grant-write-acp", "s3:x-amz-metadata-directive", "s3:x-amz-object-ownership",
    "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm", "s3:x-amz-storage-class",
    "s3:x-amz-website-redirect-location", "s3:object-lock-mode", "s3:object-lock-retain-until-date",
    "s3:object-lock-remaining-retention-days", "s3:object-lock-legal-hold",
}  # fmt: skip
TAG_KEYS = ("s3:existingobjecttag/", "s3:requestobjecttag/")


@dataclass(frozen=True, slots=True)
class Condition:
    operator: str
    quantifier: str
    """`ForAnyValue`, `ForAllValues`, or "" for a key with one value."""
    is_if_exists: bool
    key: str
    values: tuple[str, ...]

    @property
    def names_somebody(self) -> bool:
        """Whether it narrows an open door to callers that are known: by where they come from or who they are."""
        if self.key == "aws:sourceip" and self.operator == "IpAddress":
            return all(not _network(value) or _network(value).prefixlen > 0 for value in self.values)
        is_fixed = self.operator in ("StringEquals", "ArnEquals") or "*" not in "".join(self.values)
        return self.key in ("aws:userid", "aws:username", "aws:principalarn") and is_fixed and not self.is_negated

    @property
    def is_negated(self) -> bool:
        return "Not" in self.operator


def conditions_of(entry: Any) -> tuple[Condition, ...]:
    """A statement's Condition element. Raises: S3Error MalformedPolicy."""
    if not isinstance(entry, dict):
        raise S3Error("MalformedPolicy", "Policy has an invalid condition")
    return tuple(_condition(name, key, value) for name, pairs in entry.items() for key, value in _pairs(pairs))


def _pairs(entry: Any) -> list[tuple[str, Any]]:
    if not isinstance(entry, dict):
        raise S3Error("MalformedPolicy", "Policy has an invalid condition")
    return list(entry.items())


def _condition(name: str, key: str, value: Any) -> Condition:
    quantifier, _, operator = name.rpartition(":")
    is_if_exists = operator.endswith("IfExists")
    operator = operator.removesuffix("IfExists")
    if operator not in _OPERATORS or quantifier not in ("", "ForAnyValue", "ForAllValues"):
        raise S3Error("MalformedPolicy", f"Invalid Condition type : {name}")
    lower = key.lower()
    if lower not in KEYS and not lower.startswith(TAG_KEYS):
        raise S3Error("MalformedPolicy", f"Policy has an invalid condition key: {key}")
    values = tuple(_text(entry) for entry in (value if isinstance(value, list) else [value]))
    condition = Condition(operator, quantifier, is_if_exists, lower, values)
    for text in values:
        _check_value(condition, text)
    return condition


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise S3Error("MalformedPolicy", "Policy has an invalid condition value")


def _check_value(condition: Condition, text: str) -> None:
    is_wrong = condition.operator.startswith("Numeric") and _number(text) is None
    is_wrong |= condition.operator.startswith("Date") and _seconds(text) is None
    is_wrong |= "IpAddress" in condition.operator and _network(text) is None
    is_wrong |= condition.operator in ("Bool", "Null") and text not in ("true", "false")
    if is_wrong:
        raise S3Error("MalformedPolicy", f"{text!r} is no value for {condition.operator}")


def matches(condition: Condition, context: Context) -> bool:
    """Whether the request is as the condition has it. A key that is not there fails it, unless it is negated."""
    there = context.get(condition.key, ())
    if condition.operator == "Null":
        return (not there) == (condition.values == ("true",))
    if not there:
        return condition.is_if_exists or condition.is_negated or condition.quantifier == "ForAllValues"
    holds = [_holds(condition, value) for value in there]
    return any(holds) if condition.quantifier == "ForAnyValue" else all(holds)


def _holds(condition: Condition, there: str) -> bool:
    test = _OPERATORS[condition.operator]
    found = any(test(there, value) for value in condition.values)
    return found != condition.is_negated


def is_like(text: str, pattern: str) -> bool:
    """Whether a text is as a pattern of `*` and `?` has it. Takes time in proportion to both, whatever the pattern."""
    return _like(pattern).match(text) is not None


@lru_cache(maxsize=4096)
def _like(pattern: str) -> re.Pattern[str]:
    # fnmatch knows sets in brackets too, which policies do not. Its expressions never go back over a star, so that a
    # policy of a hundred stars cannot hold the plane for hours.
    return re.compile(translate(pattern.replace("[", "[[]")))


def _number(text: str) -> float | None:
    with suppress(ValueError):
        return float(text)
    return None


def _seconds(text: str) -> float | None:
    with suppress(ValueError):
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    return _number(text)


@lru_cache(maxsize=1024)
def _network(text: str) -> Any:
    with suppress(ValueError):
        return ipaddress.ip_network(text, strict=False)
    return None


def _is_in(address: str, network: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(address) in _network(network)
    return False


def _compared(read: Callable[[str], float | None], test: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def holds(there: str, wanted: str) -> bool:
        left, right = read(there), read(wanted)
        return left is not None and right is not None and test(left, right)

    return holds


def _is_equal(there: str, wanted: str) -> bool:
    return there == wanted


def _is_equal_in_any_case(there: str, wanted: str) -> bool:
    return there.casefold() == wanted.casefold()


_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "Equals": lambda a, b: a == b,
    "NotEquals": lambda a, b: a == b,  # negated where it is asked
    "LessThan": lambda a, b: a < b,
    "LessThanEquals": lambda a, b: a <= b,
    "GreaterThan": lambda a, b: a > b,
    "GreaterThanEquals": lambda a, b: a >= b,
}
_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": _is_equal,
    "StringNotEquals": _is_equal,
    "StringEqualsIgnoreCase": _is_equal_in_any_case,
    "StringNotEqualsIgnoreCase": _is_equal_in_any_case,
    "StringLike": is_like,
    "StringNotLike": is_like,
    "ArnEquals": is_like,
    "ArnNotEquals": is_like,
    "ArnLike": is_like,
    "ArnNotLike": is_like,
    "Bool": _is_equal_in_any_case,
    "Null": _is_equal,
    "IpAddress": _is_in,
    "NotIpAddress": _is_in,
    **{f"Numeric{name}": _compared(_number, test) for name, test in _COMPARISONS.items()},
    **{f"Date{name}": _compared(_seconds, test) for name, test in _COMPARISONS.items()},
}
