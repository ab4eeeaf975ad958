"""What may be relied on of every engine that holds buckets, beside what holds of every service."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from object_stores import RULE, TASK_KEY, LocalObjectStore, ObjectStore

from weyr.core.capability import BucketBody, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import Absent, BucketFacts, BucketRule, BucketUse


@pytest.fixture
def local() -> Iterator[LocalObjectStore]:
    store = LocalObjectStore()
    yield store
    store.close()


def facts(store: ObjectStore, id: ThingId) -> BucketFacts:
    """What is seen of it beside its use."""
    found = store.present(id).facts
    assert isinstance(found, BucketFacts)
    return replace(found, use=None)


def used(store: ObjectStore, id: ThingId) -> BucketUse:
    found = store.present(id).facts
    assert isinstance(found, BucketFacts)
    assert found.use is not None
    return found.use


def test_what_is_asked_of_a_bucket_is_counted_and_begins_anew_with_it(store: ObjectStore) -> None:
    """The bill counts requests by what is seen, the last of them by what is told of a bucket that is gone, and tells a
    new bucket of the name by since when it is there."""
    id = store.make()
    before = used(store, id)
    store.fill(store.name(id), {"a": 10, "b": 20})
    store.release(id)
    gone = store.observe(id)
    assert isinstance(gone, Absent)
    assert isinstance(gone.last, BucketFacts)
    assert gone.last.use is not None
    assert (gone.last.use.writes, gone.last.use.since) == (2, before.since), "whatever was still to be written down"
    store.let_time_pass()
    store.make()

    after = used(store, id)

    assert (before.writes, after.writes) == (0, 0)
    assert after.since > before.since


def test_a_bucket_is_seen_with_what_it_holds(store: ObjectStore) -> None:
    """The bill counts stored bytes by what is seen."""
    id = store.make()
    assert facts(store, id) == BucketFacts(0, 0, (RULE,))
    store.fill(store.name(id), {"a": 10, "b": 20})
    assert facts(store, id) == BucketFacts(30, 2, (RULE,))


def test_a_newer_wish_changes_the_rules_and_keeps_the_objects(store: ObjectStore) -> None:
    """Settings change in place; nobody loses data by it."""
    id = store.make()
    store.fill(store.name(id), {"a": 10})
    assert store.ensure(Wanted(id, 2, BucketBody(store.name(id)))) == {}
    assert facts(store, id) == BucketFacts(10, 1)


def test_versions_are_kept_once_they_are_wanted_and_left_alone_where_nothing_is_said(store: ObjectStore) -> None:
    """Turned on in place, kept by a wish that does not speak of it, and suspended again."""
    id = store.make()
    kept = []
    for generation, wish in enumerate((True, None, False, None), start=2):
        assert store.ensure(Wanted(id, generation, BucketBody(store.name(id), keeps_versions=wish))) == {}
        kept.append(facts(store, id).keeps_versions)
    assert kept[0] is True
    assert kept[2] is False


def test_a_full_bucket_is_released_with_what_it_holds(store: ObjectStore) -> None:
    """The plan said so, and was confirmed; a new bucket of that name is empty."""
    id = store.make()
    store.fill(store.name(id), {"a": 10})
    store.release(id)
    assert isinstance(store.observe(id), Absent)
    store.make()
    assert facts(store, id) == BucketFacts(0, 0, (RULE,))


def test_a_name_belongs_to_one_thing(store: ObjectStore) -> None:
    """Two stacks that name the same bucket do not share it by mistake, and neither can remove it from the other."""
    id, rival, third = store.make(), store.id("rival"), store.id("third")
    refused = store.ensure(Wanted(rival, 9, BucketBody(store.name(id))), store.want(third))
    assert list(refused) == [rival]
    assert str(id) in refused[rival].reason
    store.release(rival)
    assert store.observe(rival) == Absent()
    assert store.inventory() == [id, third]


def test_a_bucket_is_not_renamed(store: ObjectStore) -> None:
    """A second bucket for the same thing would be lost sight of; a plan replaces the bucket instead."""
    id = store.make()
    refused = store.ensure(Wanted(id, 2, BucketBody("another-name")))
    assert store.name(id) in refused[id].reason
    assert store.present(id).generation == 1
    store.release(id)
    assert store.ensure(Wanted(id, 2, BucketBody("another-name"))) == {}


@pytest.mark.parametrize("key", ["WEYRADMIN", TASK_KEY])
def test_a_bucket_that_a_user_or_a_task_made_is_theirs(local: LocalObjectStore, key: str) -> None:
    """It is in no inventory, so no sweep takes it for an orphan; and no stack takes it over."""
    local.client(key).create_bucket(Bucket="digits-lake")
    assert local.inventory() == []
    id = local.id()
    assert "digits-lake" in local.ensure(local.want(id))[id].reason
    assert local.observe(id) == Absent()
    local.release(id)
    local.client().head_bucket(Bucket="digits-lake")


def test_a_bucket_made_anew_by_a_user_is_no_longer_the_stacks(local: LocalObjectStore) -> None:
    """Deleted and made again with a client between two looks: what is in it now is not ours to remove."""
    id = local.make()
    local.client().delete_bucket(Bucket="digits-lake")
    assert local.observe(id) == Absent()
    local.client().create_bucket(Bucket="digits-lake")
    assert local.plane.ask("DELETE", f"/buckets/digits-lake?force=1&owner={id}")[0] == 204
    local.client().head_bucket(Bucket="digits-lake")


@pytest.mark.parametrize("name", ["Upper", "a b", "a\nb", "a/b", "x?force=1", "ünï", "", "." * 3, "a" * 64])
def test_a_name_that_cannot_be_is_refused_alone(local: LocalObjectStore, name: str) -> None:
    """One such name must not keep the rest of the batch from being made, today or ever."""
    wrong, right = local.id("wrong"), local.id("right")
    refused = local.ensure(Wanted(wrong, 1, BucketBody(name)), local.want(right))
    assert list(refused) == [wrong]
    assert refused[wrong].reason
    assert local.inventory() == [right]


def test_a_rule_that_cannot_be_is_refused_alone(local: LocalObjectStore) -> None:
    """An object cannot expire before it was written."""
    wrong, right = local.id("wrong"), local.id("right")
    refused = local.ensure(Wanted(wrong, 1, BucketBody("wrong", (BucketRule("a", -1.0),))), local.want(right))
    assert list(refused) == [wrong]
    assert local.inventory() == [right]
