"""What may be relied on of every engine that registers models, beside what holds of every service."""

from collections.abc import Iterator

import pytest
from model_registries import LocalModelRegistry, ModelRegistry

from weyr.core.capability import ModelBody, Wanted
from weyr.core.seen import Absent, ModelFacts


@pytest.fixture
def local() -> Iterator[LocalModelRegistry]:
    registry = LocalModelRegistry()
    yield registry
    registry.close()


def facts(registry: ModelRegistry, name: str = "lake") -> tuple[list[int], dict[str, int]]:
    """The versions and aliases of a model."""
    found = registry.present(registry.id(name)).facts
    assert isinstance(found, ModelFacts)
    return [version.version for version in found.versions], dict(found.aliases)


def test_versions_are_seen_in_order_and_an_alias_moves(registry: ModelRegistry) -> None:
    """The loop judges what is new, and promotes by moving the alias."""
    id = registry.make()
    assert facts(registry) == ([], {})
    versions = [registry.add_version(registry.name(id)) for _ in range(3)]
    assert registry.ensure(registry.want(id, 2, production=1)) == {}
    assert registry.ensure(registry.want(id, 3, production=3)) == {}
    assert facts(registry) == (versions, {"production": 3})


def test_a_late_promotion_does_not_undo_a_newer_one(registry: ModelRegistry) -> None:
    """What serves must be what was promoted last, whichever message arrived last."""
    id = registry.make()
    for _ in range(2):
        registry.add_version(registry.name(id))
    registry.ensure(registry.want(id, 3, production=2))
    assert id in registry.ensure(registry.want(id, 2, production=1))
    assert facts(registry)[1] == {"production": 2}


def test_an_alias_of_no_version_is_refused_whole(registry: ModelRegistry) -> None:
    """An alias that means nothing would serve nothing; and the refused wish leaves no mark."""
    id, other = registry.make(), registry.id("other")
    registry.add_version(registry.name(id))
    refused = registry.ensure(registry.want(id, 9, candidate=1, production=2), registry.want(other))
    assert list(refused) == [id]
    assert "2" in refused[id].reason
    assert facts(registry) == ([1], {})
    assert registry.present(id).generation == 1
    assert registry.ensure(registry.want(id, 2, production=1)) == {}
    assert registry.inventory() == [id, other]


def test_a_name_belongs_to_one_thing(registry: ModelRegistry) -> None:
    """Two stacks cannot promote each other's versions, nor delete them."""
    id, rival = registry.make(), registry.id("rival")
    refused = registry.ensure(Wanted(rival, 9, ModelBody(registry.name(id))))
    assert str(id) in refused[rival].reason
    registry.release(rival)
    assert registry.observe(rival) == Absent()
    assert registry.inventory() == [id]


def test_a_model_is_not_renamed(registry: ModelRegistry) -> None:
    """A second model for the same thing would be lost sight of."""
    id = registry.make()
    refused = registry.ensure(Wanted(id, 2, ModelBody("another")))
    assert registry.name(id) in refused[id].reason
    assert registry.present(id).generation == 1


def test_a_model_that_a_user_registered_is_no_orphan(local: LocalModelRegistry) -> None:
    """It is in no inventory, and a release of something else does not touch it."""
    local.tracking.registry.create("mine", "", ())
    assert local.inventory() == []
    local.release(local.id("mine", stack=""), local.id())
    assert local.tracking.model("mine") is not None


def test_a_model_that_was_there_before_its_stack_outlives_it(local: LocalModelRegistry) -> None:
    """A stack may look after a user's model; taking the stack down deletes no version that it did not bring."""
    id = local.id()
    local.tracking.registry.create(local.name(id), "", ())
    local.add_version(local.name(id))
    assert local.ensure(local.want(id, 4, production=1)) == {}
    assert facts(local) == ([1], {"production": 1})
    local.release(id)
    assert local.observe(id) == Absent()
    assert local.inventory() == []
    kept = local.tracking.model(local.name(id))
    assert kept is not None
    assert len(kept.versions) == 1
    assert local.ensure(local.want(id, 1)) == {}, "the stack may come again"


def test_a_model_that_a_user_deleted_is_absent(local: LocalModelRegistry) -> None:
    """The loop then registers it anew."""
    id = local.make()
    local.tracking.registry.delete(local.name(id))
    assert local.observe(id) == Absent()
    assert local.inventory() == []
    local.make()


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "x" * 300])
def test_a_name_that_cannot_be_is_refused_alone(local: LocalModelRegistry, name: str) -> None:
    """One such name must not keep the rest of the batch from being registered."""
    wrong, right = local.id("wrong"), local.id("right")
    refused = local.ensure(Wanted(wrong, 1, ModelBody(name)), local.want(right))
    assert list(refused) == [wrong]
    assert local.inventory() == [right]
