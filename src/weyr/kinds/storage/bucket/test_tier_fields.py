"""A bucket's tiers: what may be written, what reaches the engine, and in which class each byte counts."""

from dataclasses import replace
from typing import Any

import pytest

from weyr.core.capability import BucketBody
from weyr.core.checking import Proposal
from weyr.core.decision import Ensure
from weyr.core.seen import BucketClass, BucketFacts, BucketRule, BucketUse, Present
from weyr.kinds.storage.bucket.checks import checks
from weyr.kinds.storage.bucket.test_bucket import KNOWN, LAKE, bucket, look, thing
from weyr.kinds.storage.bucket.usage import usage

TIER = ("COLD", "file:///mnt/slow")
TIERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    # what is said: (fields, summaries of what the plan says)
    "a folder, in short": ({"tiers": {"standard_ia": "/mnt/slow"}}, []),
    "a rule to it": (
        {"tiers": {"cold": {"at": "/mnt/slow"}}, "lifecycle": [{"move_after": "30d", "to": "cold"}]},
        [],
    ),
    "a rule to no tier": ({"lifecycle": [{"move_after": "30d", "to": "cold"}]}, ["Move to a tier that is not there"]),
    "a rule to nowhere": ({"lifecycle": [{"move_after": "30d"}]}, ["Move to nowhere"]),
    "a tier that nothing moves to": (
        {"tiers": {"cold": "/mnt/slow"}, "lifecycle": [{"expire_after": "30d", "to": "cold"}]},
        ["Tier without a move"],
    ),
    "a move that comes too late": (
        {"tiers": {"cold": "/mnt/slow"}, "lifecycle": [{"expire_after": "7d", "move_after": "30d", "to": "cold"}]},
        ["Move after the end"],
    ),
    "names that S3 cannot write": (
        {"tiers": {"Cold": "/a", "1": "/b", "standard": "/c", "co-ld": "/d"}},
        ["Tier that S3 clients cannot name"] * 4,
    ),
    "a place without its keys": ({"tiers": {"cold": "s3://b"}}, ["A place that cannot be opened"]),
    "an archive as tools have it": ({"tiers": {"glacier": "/a"}}, ["Tier that tools take for an archive"]),
    "tiers of a bucket that is elsewhere": (
        {"url": "file:///srv", "tiers": {"cold": "/mnt/slow"}},
        ["Tiers of a bucket that is elsewhere"],
    ),
    "several at once": (
        {"tiers": {"COLD": "az://c"}, "lifecycle": [{"move_after": "1d", "to": "cold"}]},
        [
            "Tier that S3 clients cannot name", "A container without its account", "A place that cannot be opened",
            "Move to a tier that is not there",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TIERS)
def test_tiers_are_checked_in_the_plan(case: str) -> None:
    """Where an object could not go is told before anything is changed, and everything at once."""
    fields, summaries = TIERS[case]

    found = list(checks(Proposal({LAKE: bucket(**fields)}, {})))

    assert [finding.summary for finding in found] == summaries


def test_a_tier_that_holds_objects_neither_goes_nor_moves() -> None:
    """Nobody could read what is there; the plan says so, and how to bring it back."""
    facts = BucketFacts(9, classes=(BucketClass("COLD", 1, 9), BucketClass("ICE")), tiers=(TIER, ("ICE", "file:///i")))
    standing = bucket(tiers={"cold": "/mnt/slow", "ice": "/i"})
    outputs = look(standing, thing(Present(facts)), memory=KNOWN).outputs
    assert outputs == {"name": "digits-lake", "tier_cold": "file:///mnt/slow"}, "only of those that hold something"

    for tiers in ({}, {"cold": "/mnt/other"}):
        (found,) = checks(Proposal({LAKE: bucket(tiers=tiers)}, {LAKE: outputs}))
        assert found.summary == "Tier that still holds objects"
        assert "--storage-class STANDARD s3://digits-lake/" in found.suggestion
    assert not list(checks(Proposal({LAKE: bucket(tiers={"cold": "/mnt/slow"})}, {LAKE: outputs})))


def test_tiers_and_moves_reach_the_engine_and_what_is_otherwise_is_drift() -> None:
    """A tier that a restored backup does not know comes back by itself."""
    spec = bucket(tiers={"cold": "/mnt/slow/"}, lifecycle=[{"move_after": "1d", "to": "cold"}])
    (action,) = look(spec).actions
    assert isinstance(action, Ensure)
    assert isinstance(action.body, BucketBody)
    assert [(tier.storage_class, tier.url) for tier in action.body.tiers] == [TIER]
    assert action.body.lifecycle == (BucketRule(move_after_s=86_400.0, to="COLD"),)
    assert dict(action.meters).keys() >= {"storage.cold", "requests.move.cold", "retrieval.cold"}

    same = BucketFacts(lifecycle=action.body.lifecycle, tiers=(TIER,))
    decisions = [look(spec, thing(Present(replace(same, tiers=tiers))), memory=KNOWN) for tiers in ((TIER,), ())]
    assert [decision.conditions[0].reason for decision in decisions] == ["Serving", "ChangedOutside"]


def test_bytes_count_in_their_class_and_all_others_as_standard() -> None:
    """No byte twice, and none of a tier that the file does not name (any more)."""
    cold = BucketClass("COLD", 2, 30, writes=1, reads=2, read_bytes=3, moves=4)
    seen = Present(BucketFacts(100, 5, use=BucketUse(7.0), classes=(cold, BucketClass("ICE"))))

    found = {line.sku: (line.quantity, line.since) for line in usage(bucket(), {"": thing(seen)})}

    assert (found["storage.standard"], found["storage.cold"], found["storage.ice"]) == (
        (70, None),
        (30, None),
        (0, None),
    )
    counted = {sku: quantity for sku, (quantity, since) in found.items() if since == 7.0 and sku.endswith(".cold")}
    assert counted == {
        "requests.write.cold": 1, "requests.read.cold": 2, "retrieval.cold": 3, "requests.move.cold": 4,
    }  # fmt: skip
