"""Who may remove or loosen what object lock keeps."""

from contextlib import nullcontext
from dataclasses import replace

import pytest

from weyr.gateway.s3 import locks
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.locks import Mode, Retention
from weyr.gateway.s3.records import Bucket, Meta, Versioning

NOW = 1_000_000
LATER, LATEST = NOW + 1000, NOW + 2000
DEFAULT = (
    "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>"
    "<Mode>COMPLIANCE</Mode><Days>2</Days></DefaultRetention></Rule></ObjectLockConfiguration>"
)


def kept(mode: Mode, until_ms: int = LATER, hold: str = "") -> Meta:
    return replace(locks.with_retention(Meta(), Retention(mode, until_ms)), hold=hold)


def bucket(**settings: str) -> Bucket:
    named = {name.replace("_", "-"): value for name, value in settings.items()}
    return Bucket(1, "b", 0, "ann", 0, Versioning.ENABLED, (), named, 0, 0)


STAYS = {
    "nothing keeps it": (Meta(), False, False),
    "governance": (kept(Mode.GOVERNANCE), False, True),
    "governance, passed over": (kept(Mode.GOVERNANCE), True, False),
    "compliance": (kept(Mode.COMPLIANCE), False, True),
    "compliance cannot be passed over": (kept(Mode.COMPLIANCE), True, True),
    "it has ended": (kept(Mode.COMPLIANCE, NOW), False, False),
    "a hold": (replace(Meta(), hold="ON"), False, True),
    "a hold cannot be passed over": (replace(Meta(), hold="ON"), True, True),
    "a hold that was taken off": (replace(Meta(), hold="OFF"), False, False),
}


@pytest.mark.parametrize("case", STAYS)
def test_what_is_locked_stays(case: str) -> None:
    meta, is_bypassing, stays = STAYS[case]
    assert locks.is_locked(meta, NOW, is_bypassing) == stays


CHANGES = {
    "none was there": (Meta(), Retention(Mode.GOVERNANCE, LATER), False, True),
    "longer": (kept(Mode.COMPLIANCE), Retention(Mode.COMPLIANCE, LATEST), False, True),
    "shorter": (kept(Mode.GOVERNANCE, LATEST), Retention(Mode.GOVERNANCE, LATER), False, False),
    "shorter, passing it over": (kept(Mode.GOVERNANCE, LATEST), Retention(Mode.GOVERNANCE, LATER), True, True),
    "compliance stays as long": (kept(Mode.COMPLIANCE, LATEST), Retention(Mode.COMPLIANCE, LATER), True, False),
    "compliance stays compliance": (kept(Mode.COMPLIANCE), Retention(Mode.GOVERNANCE, LATEST), True, False),
    "another mode": (kept(Mode.GOVERNANCE), Retention(Mode.COMPLIANCE, LATEST), False, False),
    "taken off": (kept(Mode.GOVERNANCE), None, False, False),
    "taken off, passing it over": (kept(Mode.GOVERNANCE), None, True, True),
    "it has ended": (kept(Mode.COMPLIANCE, NOW), None, False, True),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_retention_only_grows(case: str) -> None:
    meta, wanted, is_bypassing, may = CHANGES[case]
    with nullcontext() if may else pytest.raises(S3Error, match="AccessDenied"):
        locks.check_may_change(meta, wanted, NOW, is_bypassing)


def test_a_bucket_gives_its_default_to_what_asks_for_none() -> None:
    found = locks.locked(bucket(object_lock=DEFAULT), {}, Meta(), NOW)
    assert locks.retention_of(found) == Retention(Mode.COMPLIANCE, NOW + 2 * locks.DAY_MS)
    own = {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": "2030-01-01T00:00:00Z"}
    assert locks.locked(bucket(object_lock=DEFAULT), own, Meta(), NOW).lock_mode == "GOVERNANCE"


@pytest.mark.parametrize("header", locks.HEADERS)
def test_a_lock_is_never_accepted_where_there_is_none(header: str) -> None:
    """What is not enforced is refused."""
    with pytest.raises(S3Error, match="Object Lock"):
        locks.locked(bucket(), {header: "ON"}, Meta(), NOW)


def test_half_a_retention_is_refused() -> None:
    with pytest.raises(S3Error, match="both"):
        locks.locked(bucket(object_lock=locks.NEW_LOCK), {"x-amz-object-lock-mode": "GOVERNANCE"}, Meta(), NOW)
