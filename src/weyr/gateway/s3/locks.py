"""May this version go, or its lock change? Object lock's rules over values, and its documents read.

Pure. A hold ends when it is taken off; a retention ends by itself. In GOVERNANCE who may bypass it can end it early,
in COMPLIANCE nobody can.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html (2026-11).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.records import Bucket, Meta
from weyr.gateway.s3.xml import Content, Node, document, parsed, timestamp

SETTING = "object-lock"
HEADERS = ("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold")
BYPASS = "x-amz-bypass-governance-retention"
DAY_MS = 86_400_000
DAYS_MAX = 36_500


class Mode(StrEnum):
    GOVERNANCE = "GOVERNANCE"
    COMPLIANCE = "COMPLIANCE"


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a version stays whatever is asked."""

    mode: Mode
    until_ms: int


NEW_LOCK = document("ObjectLockConfiguration", [("ObjectLockEnabled", "Enabled")]).decode()
"""What a bucket has that was made with object lock."""


def retention_of(meta: Meta) -> Retention | None:
    return Retention(Mode(meta.lock_mode), meta.lock_until_ms) if meta.lock_mode else None


def check_may_go(meta: Meta, now_ms: int, is_bypassing: bool = False) -> None:
    """Raises: S3Error AccessDenied where a version is locked."""
    if is_locked(meta, now_ms, is_bypassing):
        raise S3Error("AccessDenied", "Access Denied because object protected by object lock.")


def is_locked(meta: Meta, now_ms: int, is_bypassing: bool = False) -> bool:
    """Whether a version has to stay."""
    if meta.hold == "ON":
        return True
    retention = retention_of(meta)
    if retention is None or retention.until_ms <= now_ms:
        return False
    return retention.mode is Mode.COMPLIANCE or not is_bypassing


def check_may_change(meta: Meta, wanted: Retention | None, now_ms: int, is_bypassing: bool) -> None:
    """Raises: S3Error AccessDenied where a retention would become weaker."""
    there = retention_of(meta)
    if there is None or there.until_ms <= now_ms:
        return
    is_longer = wanted is not None and wanted.mode is there.mode and wanted.until_ms >= there.until_ms
    if not is_longer and (there.mode is Mode.COMPLIANCE or not is_bypassing):
        raise S3Error("AccessDenied", "Access Denied because object protected by object lock.")


def locked(bucket: Bucket, headers: Mapping[str, str], meta: Meta, now_ms: int) -> Meta:
    """What is kept of a new object, with the lock that its headers ask for, or else the bucket's default.

    Raises: S3Error, also where headers ask for a lock in a bucket that has none.
    """
    mode, date, hold = (headers.get(name) for name in HEADERS)
    text = bucket.settings.get(SETTING)
    if text is None:
        if mode is not None or date is not None or hold is not None:
            raise no_lock()
        return meta
    if hold not in (None, "ON", "OFF"):
        raise S3Error("InvalidArgument", "Legal Hold must be either of 'ON' or 'OFF'")
    if (mode is None) != (date is None):
        message = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"
        raise S3Error("InvalidArgument", message)
    if mode is None or date is None:
        retention = _default(text, now_ms)
    else:
        if mode not in tuple(Mode):
            raise S3Error("InvalidArgument", "Unknown wormMode directive.")
        retention = Retention(Mode(mode), _future_ms(date, now_ms))
    return with_retention(replace(meta, hold=hold or ""), retention)


def with_retention(meta: Meta, retention: Retention | None) -> Meta:
    if retention is None:
        return replace(meta, lock_mode="", lock_until_ms=0)
    return replace(meta, lock_mode=retention.mode.value, lock_until_ms=retention.until_ms)


def lock_headers(meta: Meta) -> list[tuple[str, str]]:
    """What GET and HEAD tell of a version's lock."""
    headers = []
    if meta.lock_mode:
        headers += [(HEADERS[0], meta.lock_mode), (HEADERS[1], timestamp(meta.lock_until_ms))]
    if meta.hold:
        headers.append((HEADERS[2], meta.hold))
    return headers


def wanted_retention(node: Node, now_ms: int) -> Retention | None:
    """The retention of a Retention document; an empty one takes it off. Raises: S3Error."""
    mode, date = node.get("Mode"), node.get("RetainUntilDate")
    if mode is None and date is None and not list(node):
        return None
    if mode not in tuple(Mode) or date is None:
        raise S3Error("MalformedXML")
    return Retention(Mode(mode), _future_ms(date, now_ms))


def checked_configuration(bucket: Bucket, node: Node) -> str:
    """A bucket's ObjectLockConfiguration as it is kept. Raises: S3Error."""
    if bucket.versioning.value != "Enabled":
        message = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
        raise S3Error("InvalidBucketState", message)
    if node.get("ObjectLockEnabled") != "Enabled" or any(c.name not in ("ObjectLockEnabled", "Rule") for c in node):
        raise S3Error("MalformedXML")
    rules = node.all("Rule")
    content: list[tuple[str, Content]] = [("ObjectLockEnabled", "Enabled")]
    if rules:
        if len(rules) > 1 or len(defaults := rules[0].all("DefaultRetention")) != 1:
            raise S3Error("MalformedXML")
        mode, unit, count = _checked_default(defaults[0])
        content.append(("Rule", [("DefaultRetention", [("Mode", mode), (unit, count)])]))
    return document("ObjectLockConfiguration", content).decode()


def _checked_default(node: Node) -> tuple[str, str, int]:
    mode, units = node.get("Mode"), [child for child in node if child.name in ("Days", "Years")]
    if mode not in tuple(Mode) or len(units) != 1:
        raise S3Error("MalformedXML")
    try:
        count = int(units[0].text)
    except ValueError as e:
        raise S3Error("MalformedXML") from e
    if not 0 < count <= (DAYS_MAX if units[0].name == "Days" else DAYS_MAX // 365):
        raise S3Error("InvalidRetentionPeriod")
    return Mode(mode).value, units[0].name, count


def _default(text: str, now_ms: int) -> Retention | None:
    """What a bucket gives to each new object. A year has 365 days."""
    if "<Rule>" not in text:
        return None
    rule = parsed(text.encode(), "ObjectLockConfiguration").all("Rule")[0]
    mode, unit, count = _checked_default(rule.all("DefaultRetention")[0])
    return Retention(Mode(mode), now_ms + count * (365 if unit == "Years" else 1) * DAY_MS)


def _future_ms(text: str, now_ms: int) -> int:
    try:
        at_ms = moment_ms(text)
    except ValueError as e:
        raise S3Error("InvalidArgument", "The retain until date must be provided in ISO 8601 format") from e
    if at_ms <= now_ms:
        raise S3Error("InvalidArgument", "The retain until date must be in the future!")
    return at_ms


def moment_ms(text: str) -> int:
    """A date in ISO 8601; one without a zone is UTC. Raises: ValueError."""
    date = datetime.fromisoformat(text.strip())
    return int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() * 1000)


def no_lock() -> S3Error:
    return S3Error("InvalidRequest", "Bucket is missing Object Lock Configuration")
