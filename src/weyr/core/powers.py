"""What can an engine do for a task? It names the fields of a task's body that it honours; all others it refuses.

A power is such a field's name, or that of a part of it after a dot: `sandbox`, `accelerators.share_milli`. Whoever adds
a field adds it to the engines that act on it. Until then every engine refuses it.
"""

from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from weyr.core.capability import TaskBody

PARTED = frozenset({"accelerators"})
"""Fields that engines honour in part."""
SAYS_NOTHING = frozenset({"of"})

WRAPPED = frozenset(
    {
        *("argv", "workdir", "env", "secret_env", "secret_files", "grants", "gang", "grace_s", "time_limit_s"),
        *("cpu", "memory_bytes", "disk_bytes", "processes_max", "requirements", "ship", "sandbox"),
        *("inputs", "outputs", "checkpoint", "experiment", "model", "artifact_bucket"),
    }
)
"""What Weyr's own wrapper does, on whichever machine it runs."""
PLACED = frozenset({"engine", "queue", "pool", "priority", "priority_class", "expected_s", "deadline_at", "is_spot"})
"""What Weyr's scheduler sees to before an engine is told of a task."""
CHOSEN = frozenset({"labels", "bears"})
"""What the scheduler has seen to where it chose the task's node."""
CLUSTERED = frozenset({"node", "devices"})
"""What an engine does that runs a task on the node that was chosen, and counts its devices as they were counted."""

WRITTEN: Mapping[str, str] = {
    "env": "env",
    "secrets": "secret_env",
    "secret_files": "secret_files",
    "resources.cpu": "cpu",
    "resources.memory": "memory_bytes",
    "resources.disk": "disk_bytes",
    "resources.processes": "processes_max",
    "resources.accelerators.count": "accelerators.count",
    "resources.accelerators.model": "accelerators.model",
    "resources.accelerators.share_milli": "accelerators.share_milli",
    "resources.accelerators.memory_bytes": "accelerators.memory_bytes",
    "resources.accelerators.profile": "accelerators.profile",
    "folder": "workdir",
    "ship": "ship",
    "image": "image",
    "python.requirements": "requirements",
    "python.file": "requirements",
    "python.version": "python",
    "sandbox": "sandbox",
    "queue": "queue",
    "pool": "pool",
    "labels": "labels",
    "tolerates": "bears",
    "priority": "priority",
    "grace": "grace_s",
    "reads": "grants",
    "writes": "grants",
    "run": "argv",
    "replicas": "gang",
    "deadline": "deadline_at",
    "time_limit": "time_limit_s",
    "expected_duration": "expected_s",
    "spot": "is_spot",
    "checkpoint": "checkpoint",
    "inputs": "inputs",
    "outputs": "outputs",
    "artifacts": "artifact_bucket",
    "produces": "model",
}
"""Fields of specs, as paths with dots, and the power that each asks an engine for."""


def asked_of(body: TaskBody) -> frozenset[str]:
    """The powers that this task asks its engine for: its fields that say something other than nothing."""
    found: set[str] = set()
    for each in fields(body):
        value = getattr(body, each.name)
        if each.name in SAYS_NOTHING or not _says_anything(each, value):
            continue
        if each.name in PARTED and is_dataclass(value):
            found |= {
                f"{each.name}.{part.name}" for part in fields(value) if _says_anything(part, getattr(value, part.name))
            }
        else:
            found.add(each.name)
    return frozenset(found)


def unhonoured(body: TaskBody, powers: Collection[str]) -> str:
    """Why an engine with these powers cannot run this task, in a sentence; "" where it can."""
    lacking = sorted(asked_of(body) - set(powers) - (CHOSEN if body.node else set()))
    return f"it asks for {', '.join(lacking)}, which its engine does not do" if lacking else ""


def _says_anything(each: Any, value: object) -> bool:
    default = each.default_factory() if each.default_factory is not MISSING else each.default
    return bool(default is MISSING or value != default)
