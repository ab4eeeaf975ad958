"""How does a registered model come to be on this machine? In the tracking service's own tables."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from weyr.core.capability import Capability, ModelBody, Refused, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import Absent, ModelFacts, Present, Seen


class Registry(Protocol):
    """The registry behind the MLflow door; `weyr.tracking` is one."""

    def ensure_model(self, name: str, owner: str) -> None:
        """Registers the model if it is missing. Raises: ValueError where it belongs to another owner."""
        ...

    def set_alias(self, name: str, alias: str, version: int) -> None: ...

    def delete_model(self, name: str) -> None: ...

    def model(self, name: str) -> ModelFacts | None: ...

    def models(self) -> Sequence[tuple[str, str]]:
        """(name, owner) of every model."""
        ...


class LocalRegistry:
    """Provider of registered models. What a user registers with a client is left alone."""

    capability = Capability.REGISTRY

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        names = {owner: name for name, owner in self._registry.models()}
        facts = {id: self._registry.model(names[str(id)]) if str(id) in names else None for id in ids}
        return {id: Present(found) if found else Absent() for id, found in facts.items()}

    def ensure(self, wanted: Sequence[Wanted]) -> Mapping[ThingId, Refused]:
        refused: dict[ThingId, Refused] = {}
        for want in wanted:
            if not isinstance(want.body, ModelBody):
                refused[want.id] = Refused(f"a model registry cannot hold a {want.body.of}")
                continue
            try:
                self._registry.ensure_model(want.body.name, str(want.id))
                for alias, version in want.body.aliases:
                    self._registry.set_alias(want.body.name, alias, version)
            except ValueError as e:
                refused[want.id] = Refused(str(e))
        return refused

    def release(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Refused]:
        names = {owner: name for name, owner in self._registry.models()}
        for id in ids:
            if str(id) in names:
                self._registry.delete_model(names[str(id)])
        return {}

    def inventory(self) -> Sequence[ThingId]:
        return [ThingId.parse(owner) for _, owner in self._registry.models() if ":" in owner]
