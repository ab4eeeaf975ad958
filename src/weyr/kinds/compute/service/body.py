"""What does a replica of a service look like to an engine? Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from weyr.core.capability import IN_HEALTH, TaskBody
from weyr.core.decision import Need
from weyr.core.ref import Ref
from weyr.core.task_spec import command_of, task_body
from weyr.kinds.compute.service.spec import Health, ServiceSpec

PROBE = "/"
IN_PLACE = frozenset({"protect", "tags", "replicas", "scale", "rollout", "restart", "hold", "calendar"})
"""Fields that say nothing about what a replica is: a change of them disturbs none."""


def key_of(spec: ServiceSpec) -> str:
    """Names what a replica is started as; when it changes, replicas are replaced."""
    plain = spec.model_dump(mode="json", exclude=set(IN_PLACE), exclude_defaults=True)
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def replica_body(ref: Ref, spec: ServiceSpec, needs: Mapping[Ref, Need], folder: str) -> TaskBody:
    """The program below its health check, which answers the engine for it."""
    argv = (*IN_HEALTH, *_check(spec), *command_of(spec.run))
    body = task_body(ref, spec, needs, folder, argv)
    base = f"/{ref.stack}/{ref.name}"
    return replace(body, env={"WEYR_BASE_PATH": base, **body.env}, probe=PROBE, ports=(0,) if spec.listens else ())


def _check(spec: ServiceSpec) -> list[str]:
    health = spec.health
    numbers = [
        f"--after={health.after:g}", f"--every={health.every:g}", f"--timeout={health.timeout:g}",
        f"--failures={health.failures}",
    ]  # fmt: skip
    return [*_kind_of(spec, health), *numbers, "--"]


def _kind_of(spec: ServiceSpec, health: Health) -> list[str]:
    if health.http:
        return [f"--http={health.http}"]
    if health.command:
        return [f"--exec={health.command}"]
    return ["--tcp"] if spec.listens else ["--alive"]
