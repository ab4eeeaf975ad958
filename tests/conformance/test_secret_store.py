"""What may be relied on of every engine that holds secrets, beside what holds of every service."""

from collections.abc import Iterator

import pytest
from secret_stores import LocalSecretStore, SecretStore

from weyr.core.capability import SecretBody, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import Absent, Present, SecretFacts


@pytest.fixture
def local() -> Iterator[LocalSecretStore]:
    store = LocalSecretStore()
    yield store
    store.close()


def test_a_secret_that_nobody_set_is_absent_until_somebody_does(secrets: SecretStore) -> None:
    """Another firm's key cannot be drawn: the stack waits for it, under the generation that asked."""
    id = secrets.id()
    assert secrets.ensure(secrets.want(id, 3, generate=0)) == {}
    assert secrets.observe(id) == Absent()
    assert secrets.inventory() == []
    assert id in secrets.ensure(secrets.want(id, 2)), "the wish without a value counts all the same"
    secrets.put(id)
    assert secrets.observe(id) == Present(SecretFacts(1), 3)
    assert secrets.inventory() == [id]


def test_what_was_set_before_any_stack_asked_is_nobodys_orphan(secrets: SecretStore) -> None:
    """`weyr secret set` may come before the first `weyr up`; a sweep in between must not take it."""
    id = secrets.id()
    secrets.put(id)
    assert secrets.inventory() == []
    secrets.restart()
    assert secrets.observe(id) == Present(SecretFacts(1), 0)
    assert secrets.ensure(secrets.want(id, 3)) == {}
    assert secrets.observe(id) == Present(SecretFacts(1), 3)
    assert secrets.inventory() == [id]


def test_a_value_is_drawn_once(secrets: SecretStore) -> None:
    """A password must not change because a reply was lost, or the stack was applied anew."""
    id = secrets.make()
    for generation in (1, 2, 2):
        assert secrets.ensure(secrets.want(id, generation, generate=30 + generation)) == {}
    assert secrets.observe(id) == Present(SecretFacts(1), 2)


def test_a_new_value_is_a_new_version(secrets: SecretStore) -> None:
    """What uses the secret sees that it changed; the wish stays as old as it was."""
    id = secrets.make(generation=4)
    secrets.put(id)
    assert secrets.observe(id) == Present(SecretFacts(2), 4)


def test_a_version_is_never_given_again(secrets: SecretStore) -> None:
    """A task that has version 1 must not take another value for the one it knows."""
    id = secrets.make()
    secrets.release(id)
    secrets.make()
    assert secrets.observe(id) == Present(SecretFacts(2), 1)


def test_only_a_secret_has_a_value(local: LocalSecretStore) -> None:
    """A value would be kept under a name where nobody looks for it."""
    wrong = [ThingId(local.id().ref, "part"), ThingId.parse("digits:bucket/lake")]
    right = local.id("right")
    refused = local.ensure(*(Wanted(id, 1, SecretBody(8)) for id in wrong), local.want(right))
    assert sorted(refused) == sorted(wrong)
    assert local.inventory() == [right]


def test_a_released_value_cannot_be_read_any_more(local: LocalSecretStore) -> None:
    """After `weyr down` nothing opens it, not even a restart of the vault."""
    id = local.make()
    assert local.vault.read(id.ref)
    local.release(id)
    local.restart()
    assert local.vault.read(id.ref) is None
