"""How does a registered model come to be on this machine? In the tracking service's own tables."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from weyr.core.capability import Capability, ModelBody, Refused, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import Absent, ModelFacts, Present, Seen


class Registry(Protocol):
    """The registry behind the MLflow door; `weyr.tracking` is one."""

    def ensure_model(self, name: str, owner: str, generation: int, aliases: Sequence[tuple[str, int]]) -> None:
        """The owner's model is there, with these aliases; one that a client made is adopted.

        Raises: ValueError, with nothing changed, where it belongs to another owner, where a newer generation
        came before, where there is no such version.
        """
        ...

    def let_go_of_model(self, owner: str) -> None:
        """Deletes the owner's model; one that was adopted stays, without an owner."""
        ...

    def model(self, name: str) -> ModelFacts | None: ...

    def owned_models(self) -> Sequence[tuple[str, str, int]]:
        """(name, owner, generation) of every model that has an owner."""
        ...


class LocalRegistry:
    """Provider of registered models.

    Promises: what a user registered with a client is never in the inventory, and never deleted: a stack that
    names such a model looks after it for as long as it stands.
    """

    capability = Capability.REGISTRY

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        owned = {owner: (name, generation) for name, owner, generation in self._registry.owned_models()}
        return {id: self._seen(owned.get(str(id))) for id in ids}

    def ensure(self, wanted: Sequence[Wanted]) -> Mapping[ThingId, Refused]:
        return {want.id: Refused(reason) for want in wanted if (reason := self._ensure(want))}

    def release(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Refused]:
        for id in ids:
            self._registry.let_go_of_model(str(id))
        return {}

    def inventory(self) -> Sequence[ThingId]:
        return [ThingId.parse(owner) for _, owner, _ in self._registry.owned_models()]

    def _ensure(self, want: Wanted) -> str:
        """Why not, or nothing."""
        body = want.body
        if not isinstance(body, ModelBody):
            return f"a model registry cannot hold a {body.of}"
        try:
            self._registry.ensure_model(body.name, str(want.id), want.generation, body.aliases)
        except ValueError as e:
            return str(e)
        return ""

    def _seen(self, owned: tuple[str, int] | None) -> Seen:
        """A model that was deleted since the list was read is as absent as one that was not in it."""
        if owned is None:
            return Absent()
        name, generation = owned
        facts = self._registry.model(name)
        return Present(facts, generation) if facts else Absent()
