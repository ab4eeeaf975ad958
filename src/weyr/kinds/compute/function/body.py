"""What do a function's host and the function itself look like to an engine? Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from weyr.core.capability import PYTHON, FunctionBody, ObjectTrigger, ScheduleTrigger, TaskBody
from weyr.core.decision import Need
from weyr.core.ref import Ref
from weyr.core.task_spec import command_of, task_body
from weyr.kinds.compute.function.spec import FunctionSpec, Objects

PROBE = "/"
PLANE_FIELDS = frozenset({
    "protect", "http", "objects", "schedules", "time_limit", "hold", "scale", "retries", "dead_letters", "keep_results",
    "queue_max",
})  # fmt: skip
"""Fields that only the planes know of: they change under way. With all others a host is started."""
_EVENTS = {"created": ("ObjectCreated:*",), "removed": ("ObjectRemoved:*", "LifecycleExpiration:*")}


def key_of(spec: FunctionSpec) -> str:
    """Names what a host is started as; when it changes, a new one takes over."""
    plain = spec.model_dump(mode="json", exclude=set(PLANE_FIELDS), exclude_defaults=True)
    text = json.dumps([plain, spec.scale.concurrency], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def host_body(ref: Ref, spec: FunctionSpec, needs: Mapping[Ref, Need], folder: str) -> TaskBody:
    """The process that instances are forked from."""
    what: dict[str, object] = {"handler": spec.handler} if spec.handler else {"run": command_of(spec.run or ())}
    order = json.dumps({**what, "concurrency": spec.scale.concurrency, "payload": spec.payload})
    argv = (PYTHON, "-I", "-m", "weyr.runtime.function", order)
    return replace(task_body(ref, spec, needs, folder, argv), probe=PROBE)


def function_body(
    ref: Ref, spec: FunctionSpec, needs: Mapping[Ref, Need], hosts: tuple[tuple[str, str], ...]
) -> FunctionBody:
    """What the functions plane is told."""
    return FunctionBody(
        name=f"{ref.stack}/{ref.name}",
        hosts=hosts,
        time_limit_s=spec.time_limit,
        hold_s=spec.hold,
        payload_bytes=spec.payload,
        concurrency=spec.scale.concurrency,
        instances_max=spec.scale.max,
        warm=spec.scale.warm,
        methods=spec.http.methods,
        objects=tuple(_trigger(ref, entry, needs) for entry in spec.objects),
        schedules=tuple(ScheduleTrigger(s.cron, s.zone, json.dumps(s.event)) for s in spec.schedules),
        retries_max=spec.retries.max,
        backoff_s=spec.retries.backoff,
        dead_to=f"{ref.stack}/{spec.dead_letters.name}" if spec.dead_letters else "",
        keep_s=spec.keep_results,
        queue_max=spec.queue_max,
    )


def _trigger(ref: Ref, entry: Objects, needs: Mapping[Ref, Need]) -> ObjectTrigger:
    bucket = str(needs[entry.bucket.ref(ref.stack)].outputs["name"])
    events = tuple(name for event in entry.events for name in _EVENTS[event])
    return ObjectTrigger(bucket, entry.prefix, entry.suffix, events)
