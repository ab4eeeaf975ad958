"""What do a function's host and the function itself look like to an engine? Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from weyr.core.capability import PYTHON, FunctionBody, ObjectTrigger, ScheduleTrigger, TaskBody
from weyr.core.decision import Need
from weyr.core.ref import Ref
from weyr.core.schema import Reference
from weyr.core.task_spec import command_of, task_body
from weyr.kinds.compute.function.spec import FunctionSpec, Objects

PROBE = "/"
PLANE_FIELDS = frozenset({
    "protect", "tags", "http", "objects", "schedules", "time_limit", "hold", "scale", "retries", "dead_letters",
    "keep_results", "queue_max",
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
    body = task_body(ref, spec, needs, folder, argv)
    if spec.letterbox is None:
        return replace(body, probe=PROBE)
    # The function's own instances write the letters, with the function's own keys.
    grant = f"s3:write:{_bucket(ref, spec.letterbox.bucket, needs)}/{spec.letterbox.prefix}*"
    return replace(body, probe=PROBE, grants=tuple(dict.fromkeys((*body.grants, grant))))


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
        letters_bucket=_bucket(ref, spec.letterbox.bucket, needs) if spec.letterbox else "",
        letters_prefix=spec.letterbox.prefix if spec.letterbox else "",
        keep_s=spec.keep_results,
        queue_max=spec.queue_max,
    )


def _bucket(ref: Ref, bucket: Reference, needs: Mapping[Ref, Need]) -> str:
    """Its name at the S3 door."""
    return str(needs[bucket.ref(ref.stack)].outputs["name"])


def _trigger(ref: Ref, entry: Objects, needs: Mapping[Ref, Need]) -> ObjectTrigger:
    bucket = _bucket(ref, entry.bucket, needs)
    events = tuple(name for event in entry.events for name in _EVENTS[event])
    return ObjectTrigger(bucket, entry.prefix, entry.suffix, events)
