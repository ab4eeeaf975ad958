"""Who issues credentials and knows secrets where nothing is at stake? For trying an engine by itself."""

from collections.abc import Collection, Mapping
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

    def issue(self, grants: Mapping[str, tuple[str, ...]]) -> Mapping[str, SimKeys]:
        for principal in grants:
            self.count += 1
            number = f"{self.count:08d}"
            self.issued[principal] = SimKeys(f"sim-token-{number}", f"SIMKEY{number}", f"sim-secret-{number}")
        self.grants |= grants
        return {principal: self.issued[principal] for principal in grants}

    def revoke(self, principals: Collection[str]) -> None:
        for principal in principals:
            self.issued.pop(principal, None)


@dataclass(slots=True)
class SimSecretValues:
    """Secrets by ref; one that is not in there has no value."""

    values: dict[Ref, bytes] = field(default_factory=dict)

    def read(self, ref: Ref) -> bytes | None:
        return self.values.get(ref)
