"""What are replicas of an endpoint started as? A revision: the files of models' versions, and the fields of the file
that make a replica what it is. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weyr.core.capability import TaskBody
from weyr.core.decision import Need
from weyr.core.ref import Ref
from weyr.core.schema import Reference
from weyr.kinds.ml.endpoint.spec import EndpointSpec


@dataclass(frozen=True, slots=True)
class Target:
    """The version to serve. `name` is the registry's, `local_name` the stack's and the protocol's.

    A program without a model of the registry is its own version: number 0, and no files. `only_data` is the model's
    word that nothing of it may run code when it is loaded. `seal` says what its files were when it was registered.
    """

    name: str
    local_name: str
    version: int
    source: str
    only_data: bool = False
    seal: str = ""

    @classmethod
    def of(cls, model: Reference, stack: str, needs: Mapping[Ref, Need]) -> "Target | None":
        """None while no version has the alias that is named."""
        need = needs.get(model.ref(stack))
        outputs = need.outputs if need else {}
        version, source = outputs.get(f"{model.at}.version"), outputs.get(f"{model.at}.source")
        if not isinstance(version, int) or not isinstance(source, str):
            return None
        only_data, seal = bool(outputs.get("only_data", False)), str(outputs.get(f"{model.at}.seal", ""))
        return cls(str(outputs.get("name", "")), model.name, version, source, only_data, seal)


@dataclass(frozen=True, slots=True)
class Revision:
    """One thing that replicas are started as: `key` tells it from every other, `name` is what metrics and reports call
    it, `body` what each of its replicas is started as, however the file reads by then."""

    key: str
    name: str
    targets: tuple[Target, ...]
    body: TaskBody

    @property
    def title(self) -> str:
        if any(target.version for target in self.targets):
            return f"version {self.name}"
        return f"its program of generation {self.name}"

    @property
    def model(self) -> str:
        """The name that the protocol knows it by; that of the first where there are several."""
        return self.targets[0].local_name if self.targets else ""


def key_of(spec: EndpointSpec, targets: Sequence[Target]) -> str:
    files = " ".join(
        f"{target.local_name} {target.version} {target.source}{' only data' if target.only_data else ''}"
        f"{' ' if target.seal else ''}{target.seal}"
        for target in targets
    )
    return hashlib.sha256(f"{spec.replica_text} {files}".encode()).hexdigest()[:12]


def name_of(targets: Sequence[Target], generation: int) -> str:
    """`3` for one model at version 3, `digits-3.spam-1` for two; a program has the number of the file it began with."""
    if len(targets) == 1:
        return str(targets[0].version or generation)
    return ".".join(f"{target.local_name}-{target.version}" for target in targets)
