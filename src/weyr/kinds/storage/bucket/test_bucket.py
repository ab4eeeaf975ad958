"""A bucket is made, kept as it was written, and forgotten only when it is proved to be gone."""

from typing import Any

import pytest
from any_history import History, Move, goes_away, moves
from hypothesis import given, settings
from hypothesis import strategies as st

from weyr.core.assumptions import NO_PAST, Past
from weyr.core.capability import BucketBody, Capability
from weyr.core.checking import Proposal
from weyr.core.decision import Decision, Ensure, Phase, Release, Thing, View, Want, phase_of
from weyr.core.ref import Ref
from weyr.core.schema import from_plain
from weyr.core.seen import Absent, BucketFacts, BucketRule, BucketUse, Present, SecretFacts, Seen, Unknown
from weyr.kinds.storage.bucket import KIND
from weyr.kinds.storage.bucket.checks import checks
from weyr.kinds.storage.bucket.decide import BucketMemory, decide
from weyr.kinds.storage.bucket.spec import BucketSpec
from weyr.kinds.storage.bucket.usage import assumes, estimate, meters_of, usage

LAKE = Ref("digits", "bucket", "lake")
WEEK = {"prefix": "tmp/", "expire_after": "7d"}
WEEK_RULES = (BucketRule("tmp/", 604800.0),)
KNOWN = BucketMemory(was_there=True)


def bucket(**fields: Any) -> BucketSpec:
    spec: BucketSpec = from_plain(BucketSpec, fields)
    return spec


def thing(seen: Seen, **fields: Any) -> Thing:
    return Thing(
        **{"part": "", "capability": Capability.OBJECTS, "generation": 1, "is_accepted": True, **fields, "seen": seen}
    )


def there(*rules: BucketRule, size_bytes: int = 0, keeps_versions: bool = False) -> Present:
    return Present(BucketFacts(size_bytes, lifecycle=rules, keeps_versions=keeps_versions))


def look(
    spec: BucketSpec | None, *things: Thing, memory: BucketMemory | None = None, generation: int = 1
) -> Decision[BucketMemory]:
    return decide(Want(LAKE, spec, generation), View(0.0, {t.part: t for t in things}, memory=memory))


def phase(decision: Decision[BucketMemory]) -> Phase:
    return phase_of(decision.conditions, is_removing=False)


LOOKS: dict[str, tuple[tuple[Thing, ...], BucketMemory | None, Phase, str]] = {
    # what is seen: (things, memory, phase, word of the condition)
    "nothing yet": ((), None, Phase.WORKING, "Creating"),
    "it was asked for and is not there yet": ((thing(Absent()),), None, Phase.WORKING, "Creating"),
    "something else under its name": ((thing(Present(SecretFacts())),), None, Phase.WORKING, "Creating"),
    "it is there": ((thing(there()),), None, Phase.READY, "Serving"),
    "the engine is silent": ((thing(Unknown("no answer")),), KNOWN, Phase.UNKNOWN, "EngineSilent"),
    "the engine refuses it": ((thing(Absent(), refusal="taken"),), None, Phase.FAILED, "Refused"),
    "it was deleted by hand": ((thing(Absent()),), KNOWN, Phase.WORKING, "ChangedOutside"),
    "its rules were changed by hand": ((thing(there(*WEEK_RULES)),), None, Phase.WORKING, "ChangedOutside"),
}


@pytest.mark.parametrize("case", LOOKS)
def test_what_is_said_of_what_is_seen(case: str) -> None:
    """Silence is not absence, and absence is somebody's doing once it was there."""
    things, memory, word, reason = LOOKS[case]

    decision = look(bucket(), *things, memory=memory)

    assert (phase(decision), decision.conditions[0].reason) == (word, reason)
    assert isinstance(decision.actions[0], Ensure)


def test_it_is_named_after_its_stack_unless_it_has_a_name() -> None:
    """Two stacks of one file's making do not share a bucket; S3 takes no underscores."""
    names = []
    for ref, spec in ((LAKE, bucket()), (Ref("a_b", "bucket", "c_d"), bucket()), (LAKE, bucket(name="own.name"))):
        (action,) = decide(Want(ref, spec, 1), View(0.0)).actions
        assert isinstance(action, Ensure)
        assert isinstance(action.body, BucketBody)
        names.append(action.body.name)

    assert names == ["digits-lake", "a-b-c-d", "own.name"]


def test_others_may_use_it_while_it_is_being_put_right() -> None:
    """A job that reads it need not stop because a rule was changed by hand or the plane is silent for a moment."""
    for seen in (there(), there(*WEEK_RULES), Unknown()):
        assert look(bucket(), thing(seen), memory=KNOWN).outputs == {"name": "digits-lake"}


def test_rules_on_their_way_are_no_drift() -> None:
    """Whoever changes a rule in the file is not told that somebody changed it outside."""
    spec = bucket(lifecycle=[WEEK])
    before = look(spec, thing(there()), generation=2)
    on_its_way = look(spec, thing(there(), generation=2, is_accepted=False), generation=2)
    undone = look(spec, thing(there(), generation=2), generation=2)

    assert [phase(decision) for decision in (before, on_its_way)] == [Phase.READY, Phase.READY]
    assert undone.conditions[0].reason == "ChangedOutside"


def test_versioning_is_kept_as_it_is_written_and_left_alone_where_it_is_not() -> None:
    """A client that set it is not overruled by a file that does not say."""
    drifts = {
        (wanted, seen): look(bucket(versioning=wanted), thing(there(keeps_versions=seen)), memory=KNOWN)
        for wanted in (None, True, False)
        for seen in (True, False)
    }

    changed = {case for case, decision in drifts.items() if decision.conditions[0].reason == "ChangedOutside"}
    assert changed == {(True, False), (False, True)}
    assert "versioning" in drifts[True, False].conditions[0].message


def test_every_part_of_a_rule_reaches_the_engine() -> None:
    """What is accepted in the file and not carried out would be found out by the bill."""
    rule = {
        "prefix": "a/", "expire_after": "1d", "noncurrent_expire_after": "2d", "abort_uploads_after": "3d",
        "tags": {"b": "2", "a": "1"},
    }  # fmt: skip
    (action,) = look(bucket(lifecycle=[rule], versioning=True)).actions

    assert isinstance(action, Ensure)
    assert isinstance(action.body, BucketBody)
    day = 86_400.0
    assert action.body.lifecycle == (BucketRule("a/", day, (("a", "1"), ("b", "2")), 2 * day, 3 * day),)
    assert action.body.keeps_versions is True


RULE_FINDINGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a rule that ends nothing": ({"lifecycle": [{"prefix": "a/"}]}, ["Rule that ends nothing"]),
    "tags of versions": (
        {"lifecycle": [{"tags": {"a": "1"}, "noncurrent_expire_after": "1d"}]},
        ["Tags of what has none"],
    ),
    "expiry where versions are kept": (
        {"versioning": True, "lifecycle": [{"expire_after": "1d"}]},
        ["Expiry that frees nothing"],
    ),
    "expiry and an end of versions": (
        {"versioning": True, "lifecycle": [{"expire_after": "1d"}, {"noncurrent_expire_after": "1d"}]},
        [],
    ),
    "uploads that are given up": ({"lifecycle": [{"abort_uploads_after": "7d"}]}, []),
}


@pytest.mark.parametrize("case", RULE_FINDINGS)
def test_a_rule_that_would_not_do_what_it_says_is_told_in_the_plan(case: str) -> None:
    """Before anything is created, and with what to write."""
    fields, summaries = RULE_FINDINGS[case]

    assert [finding.summary for finding in checks(Proposal({LAKE: bucket(**fields)}, {}))] == summaries


def test_drift_is_told_once_and_put_right_until_it_is() -> None:
    """The plan shows what was done by hand; the story is not flooded by an engine that is slow to heal."""
    first = look(bucket(), thing(there(*WEEK_RULES)), memory=KNOWN)
    second = look(bucket(), thing(there(*WEEK_RULES)), memory=first.memory)
    healed = look(bucket(), thing(there()), memory=second.memory)
    again = look(bucket(), thing(Absent()), memory=healed.memory)

    assert [len(decision.notes) for decision in (first, second, healed, again)] == [1, 0, 0, 1]
    for decision in (first, second, again):
        (action,) = decision.actions
        assert isinstance(action, Ensure)
        assert action.again


def test_a_refused_bucket_is_tried_again_and_another_spec_at_once() -> None:
    """The name may become free; and a better name must not wait for the worse one."""
    refused = thing(Absent(), refusal="the name is taken", is_accepted=False)

    same = look(bucket(), refused)
    other = look(bucket(lifecycle=[WEEK]), refused, generation=2)

    assert (phase(same), same.conditions[0].message, same.again_s) == (Phase.FAILED, "the name is taken", 30)
    assert phase(other) is Phase.WORKING


REMOVALS: dict[str, tuple[Seen, dict[str, Any], bool]] = {
    "it is there": (there(), {}, False),
    "nobody has news of it": (Unknown(), {}, False),
    "its removal was not answered": (Absent(), {"is_released": True, "is_accepted": False}, False),
    "its creation was not answered": (Absent(), {"is_accepted": False}, False),
    "its removal was refused": (there(), {"is_released": True, "is_accepted": False, "refusal": "busy"}, False),
    "it is proved gone": (Absent(), {}, True),
}


@pytest.mark.parametrize("case", REMOVALS)
def test_it_is_forgotten_only_when_it_is_proved_gone(case: str) -> None:
    """A bucket nobody remembers keeps its data, and its price, for ever."""
    seen, fields, is_forgotten = REMOVALS[case]

    decision = look(None, thing(seen, **fields), memory=KNOWN)

    assert decision.forget is is_forgotten
    assert decision.actions == (() if is_forgotten else (Release(""),))
    assert case != "its removal was refused" or decision.conditions[0].message == "it cannot be deleted: busy"


def test_stored_bytes_are_metered_while_they_are_seen() -> None:
    """The meter runs on through silence, because what was stored is still stored."""
    lines = [usage(bucket(), {"": thing(seen)}) for seen in (there(size_bytes=2**30), Unknown(), Absent())]

    assert [[(line.sku, line.quantity) for line in found] for found in lines] == [[("storage.standard", 2**30)], [], []]
    assert usage(bucket(), {}) == ()


def test_what_was_asked_of_it_is_metered_since_it_was_made() -> None:
    """Requests and bytes that left are counted by the engine; one that counts nothing is not billed for it."""
    facts = BucketFacts(0, use=BucketUse(1_000.0, writes=3, reads=5, local_bytes=70, far_bytes=90))

    counted = [line for line in usage(bucket(), {"": thing(Present(facts))}) if line.sku != "storage.standard"]

    assert [(line.sku, line.quantity) for line in counted] == [
        ("requests.write", 3), ("requests.read", 5), ("egress.local", 70), ("egress.far", 90),
    ]  # fmt: skip
    assert {line.since for line in counted} == {1_000.0}
    assert {sku for sku, _ in meters_of(bucket())} == {"storage.standard", *(line.sku for line in counted)}


def test_a_plan_says_what_it_takes_a_bucket_to_hold() -> None:
    """A price without its assumption is a guess."""
    assert next(one.text for one in assumes(bucket(), NO_PAST)) == "stored 1 GiB assumed"


def test_a_bucket_that_was_used_is_reckoned_by_what_it_holds_and_what_was_asked_of_it() -> None:
    """Its own meters know better than a guess; requests of ten days become those of a month of 730 hours."""
    past = Past(10 * 86_400, levels={"storage.standard": 5 * 2**30}, counts={"requests.read": 1_000, "egress.far": 0})

    assumed = {one.name: one.value for one in assumes(bucket(), past)}

    assert assumed["stored"] == 5 * 2**30
    assert round(assumed["reads"]) == 3042
    assert [(line.sku, line.quantity) for line in estimate(bucket(), assumed)] == [
        ("storage.standard", 5 * 2**30), ("requests.read", 3042),
    ]  # fmt: skip


def test_two_buckets_of_one_name_are_refused_in_the_plan() -> None:
    """Each would undo what the other does."""
    specs = {
        Ref("digits", "bucket", name): bucket(name=own) for name, own in {"a": "x-y", "b": "x-y", "c": None}.items()
    }

    assert [finding.ref.name for finding in checks(Proposal(specs, {}))] == ["b"]


PLACES: dict[str, tuple[dict[str, Any], list[str]]] = {
    # what is said: (fields, summaries of what the plan refuses)
    "a folder": ({"url": "file:///srv/models"}, []),
    "a public bucket": ({"url": "s3://open?credentials=anonymous"}, []),
    "a bucket and its keys": (
        {"url": "s3://b/p", "keys": {"access_key_id": "secret/a", "secret_access_key": "secret/b"}},
        [],
    ),
    "a container by its key": ({"url": "az://c?account=acme", "keys": {"account_key": "secret/a"}}, []),
    "no keys": ({"url": "s3://b"}, ["A place that cannot be opened"]),
    "half of the keys": ({"url": "s3://b", "keys": {"access_key_id": "secret/a"}}, ["A place that cannot be opened"]),
    "keys of another kind": ({"url": "gs://b", "keys": {"account_key": "secret/a"}}, ["A place that cannot be opened"]),
    "keys for a public one": (
        {"url": "gs://b?credentials=anonymous", "keys": {"service_account": "secret/a"}},
        ["A place that cannot be opened"],
    ),
    "keys without a place": ({"keys": {"account_key": "secret/a"}}, ["Keys without a place"]),
    "rules that the place would not keep": (
        {"url": "file:///srv", "lifecycle": [WEEK]},
        ["Rules for a bucket that is elsewhere"],
    ),
    "an option that there is none of": ({"url": "file:///srv?speed=high"}, ["Unknown options in a url"]),
    "a container of nobody": (
        {"url": "az://c", "keys": {"sas_token": "secret/a"}},
        ["A container without its account"],
    ),
}


@pytest.mark.parametrize("case", PLACES)
def test_a_place_elsewhere_is_checked_in_the_plan(case: str) -> None:
    """Whoever forgets a key is told before anything is changed, and not by the first job that reads."""
    fields, summaries = PLACES[case]

    found = list(checks(Proposal({LAKE: bucket(**fields)}, {})))

    assert [finding.summary for finding in found] == summaries
    assert all(finding.ref == LAKE for finding in found)


@pytest.mark.parametrize("url", ["ftp://b", "s3:/b", "s3://", "s3://key:secret@b", "file://relative", "s3://a b"])
def test_what_is_no_url_of_a_place_is_refused(url: str) -> None:
    """A secret in a URL would be in the plan and in every log."""
    with pytest.raises(ValueError, match="url"):
        bucket(url=url)


def test_a_bucket_elsewhere_is_asked_for_with_its_keys_names_and_costs_nothing_here() -> None:
    """The values of secrets never come near; and its place sends the bill."""
    spec = bucket(url="s3://b/p", keys={"access_key_id": "secret/a", "secret_access_key": "secret/b"})
    (action,) = look(spec).actions

    assert isinstance(action, Ensure)
    assert isinstance(action.body, BucketBody)
    assert action.body.url == "s3://b/p"
    assert action.body.keys["access_key_id"] == Ref("digits", "secret", "a")
    assert KIND.expected(spec) == ()


FACTS = st.builds(BucketFacts, st.just(0), st.just(0), st.sampled_from(((), WEEK_RULES)))
SPECS = st.sampled_from((bucket(), bucket(lifecycle=[WEEK]), None))


@settings(max_examples=200, deadline=None)
@given(moves(FACTS, SPECS))
def test_whatever_happens_it_is_not_forgotten_too_early(history: list[Move]) -> None:
    """Never: forgotten while it may be there. Eventually: gone when nobody wants it."""
    ours = History(KIND, LAKE)
    for move in history:
        ours.move(move)
    assert goes_away(ours)
