"""Who issues credentials and knows secrets where nothing is at stake? For trying an engine by itself."""

from dataclasses import dataclass, field

from weyr.core.ref import Ref


@dataclass(frozen=True, slots=True)
class SimKeys:
    """A task's credentials; each value is plain to see and unlike any other."""

    token: str
    access_key_id: str
    secret_access_key: str


@dataclass(slots=True)
class SimIssuer:
    """Issues numbered credentials, and remembers who has which."""

    issued: dict[str, SimKeys] = field(default_factory=dict)
    grants: dict[str, tuple[str, ...]] = field(default_factory=dict)
    count: int = 0

    def issue(self, principal: str, grants: tuple[str, ...]) -> SimKeys:
        self.count += 1
        keys = SimKeys(f"sim-token-{self.count:08d}", f"SIMKEY{self.count:08d}", f"sim-secret-{self.count:08d}")
        self.issued[principal], self.grants[principal] = keys, grants
        return keys

    def revoke(self, principal: str) -> None:
        self.issued.pop(principal, None)


@dataclass(slots=True)
class SimSecretValues:
    """Secrets by ref; one that is not in there has no value."""

    values: dict[Ref, bytes] = field(default_factory=dict)

    def read(self, ref: Ref) -> bytes | None:
        return self.values.get(ref)
