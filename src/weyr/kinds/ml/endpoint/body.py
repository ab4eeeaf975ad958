"""What does a replica of an endpoint look like to an engine? Pure."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from weyr.core.capability import TaskBody
from weyr.core.decision import Need
from weyr.core.ref import Ref
from weyr.kinds.ml.endpoint.spec import EndpointSpec

PROBE = "/v2/health/ready"


@dataclass(frozen=True, slots=True)
class Target:
    """The version to serve. `name` is the registry's, `local_name` the stack's and the protocol's."""

    name: str
    local_name: str
    version: int
    source: str

    @classmethod
    def of(cls, ref: Ref, spec: EndpointSpec, needs: Mapping[Ref, Need]) -> "Target | None":
        """None while no version has the alias that the spec names."""
        need = needs.get(spec.model.ref(ref.stack))
        outputs = need.outputs if need else {}
        version, source = outputs.get(f"{spec.model.at}.version"), outputs.get(f"{spec.model.at}.source")
        if not isinstance(version, int) or not isinstance(source, str):
            return None
        return cls(str(outputs.get("name", "")), spec.model.name, version, source)


def replica_body(ref: Ref, spec: EndpointSpec, target: Target, folder: str) -> TaskBody:
    """A model server on the version's files. It may read those and nothing else.

    The engine knows where Python, the cache and the socket are; the shell fills them in.
    """
    words = ["--source", target.source, "--name", target.local_name, "--version", str(target.version)]
    command = (
        f'exec "$WEYR_PYTHON" -m weyr.runtime.serve --cache "$WEYR_CACHE" --socket "$WEYR_SOCKET" {shlex.join(words)}'
    )
    files = target.source.removeprefix("s3://").rstrip("/") + "/*"
    return TaskBody(
        argv=("/bin/sh", "-c", command),
        workdir=folder,
        grants=(f"s3:read:{files}", f"s3:list:{files}"),
        cpu=spec.resources.cpu,
        memory_bytes=spec.resources.memory,
        grace_s=spec.grace,
        probe=PROBE,
    )
