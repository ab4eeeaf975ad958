"""What are replicas of an endpoint started as? A revision: the files of a model's version, and the fields of the file
that make a replica what it is. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from weyr.core.decision import Need
from weyr.core.ref import Ref
from weyr.core.schema import Reference
from weyr.kinds.ml.endpoint.spec import IN_PLACE, EndpointSpec


@dataclass(frozen=True, slots=True)
class Target:
    """The version to serve. `name` is the registry's, `local_name` the stack's and the protocol's.

    A program without a model of the registry is its own version: number 0, and no files.
    """

    name: str
    local_name: str
    version: int
    source: str

    @classmethod
    def of(cls, model: Reference, stack: str, needs: Mapping[Ref, Need]) -> "Target | None":
        """None while no version has the alias that is named."""
        need = needs.get(model.ref(stack))
        outputs = need.outputs if need else {}
        version, source = outputs.get(f"{model.at}.version"), outputs.get(f"{model.at}.source")
        if not isinstance(version, int) or not isinstance(source, str):
            return None
        return cls(str(outputs.get("name", "")), model.name, version, source)


@dataclass(frozen=True, slots=True)
class Revision:
    """One thing that replicas are started as: `key` tells it from every other, `target` is what it serves."""

    key: str
    target: Target

    @property
    def name(self) -> str:
        """What metrics and reports call it."""
        return str(self.target.version)

    @property
    def title(self) -> str:
        return f"version {self.name}" if self.target.version else "its program"


def revision_of(spec: EndpointSpec, target: Target) -> Revision:
    plain = spec.model_dump(mode="json", exclude=set(IN_PLACE), exclude_defaults=True)
    text = f"{json.dumps(plain, sort_keys=True)} {target.version} {target.source}"
    return Revision(hashlib.sha256(text.encode()).hexdigest()[:12], target)
