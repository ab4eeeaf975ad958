"""What does a replica of an endpoint look like to an engine? Pure."""

import shlex

from weyr.core.capability import TaskBody
from weyr.kinds.ml.endpoint.revision import Target
from weyr.kinds.ml.endpoint.spec import EndpointSpec

PROBE = "/v2/health/ready"


def replica_body(spec: EndpointSpec, target: Target, folder: str) -> TaskBody:
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
