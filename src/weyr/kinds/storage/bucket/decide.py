"""What should happen to a bucket next? Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from weyr.core.capability import BucketBody, Capability
from weyr.core.decision import Condition, ConditionType, Decision, Ensure, Note, Release, Thing, View, Want
from weyr.core.kind import Estimate, Usage
from weyr.core.ref import Ref
from weyr.core.seen import Absent, BucketFacts, Present, Unknown
from weyr.core.units import HOUR_S, MONTH_S
from weyr.kinds.storage.bucket.spec import BucketSpec

BUCKET = ""
"""A bucket is one thing, so its part has no name."""


SKU = "storage.standard"


@dataclass(frozen=True, slots=True)
class BucketMemory:
    """Whether the bucket was ever seen: from then on, its absence is somebody else's doing."""

    was_there: bool = False


def decide(want: Want[BucketSpec], view: View[BucketMemory]) -> Decision[BucketMemory]:
    """Creates it, keeps its settings, and forgets it only once its absence is proved."""
    thing = view.things.get(BUCKET)
    if want.spec is None:
        return _remove(thing)
    body = body_of(want.ref, want.spec)
    ensure = Ensure(Capability.OBJECTS, BUCKET, body, want.generation, meters=((SKU, 0),))
    memory = view.memory or BucketMemory()
    if thing and thing.refusal:
        failed = Condition(ConditionType.FAILED, True, "Refused", thing.refusal)
        return Decision((replace(ensure, again=True),), (failed,), memory=memory, again_s=30)
    match thing.seen if thing else Absent():
        case Present(facts=BucketFacts() as facts):
            if facts.lifecycle != body.lifecycle and thing and thing.generation == want.generation:
                return _drifted(ensure, memory, "its lifecycle rules were changed outside Weyr")
            ready = Condition(ConditionType.READY, True, "Serving", f"bucket {body.name}")
            return Decision((ensure,), (ready,), {"name": body.name}, BucketMemory(was_there=True))
        case Unknown(reason=reason):
            silent = Condition(ConditionType.READY, None, "EngineSilent", reason)
            return Decision((ensure,), (silent,), {"name": body.name}, memory, again_s=2)
        case Absent() if memory.was_there:
            return _drifted(ensure, BucketMemory(), "it was deleted outside Weyr and is created again, empty")
        case Absent() | Present():
            working = Condition(ConditionType.READY, False, "Creating", "the bucket is being created")
            return Decision((ensure,), (working,), memory=memory, again_s=1)
        case other:
            assert_never(other)


def body_of(ref: Ref, spec: BucketSpec) -> BucketBody:
    """The bucket to have. Its name is the stack's and its own, unless the spec names it."""
    rules = tuple((rule.prefix, rule.expire_after) for rule in spec.lifecycle)
    return BucketBody(spec.name or bucket_name(ref), rules)


def bucket_name(ref: Ref) -> str:
    """S3 allows no underscores in names, ours do; stack and name keep two stacks apart."""
    return f"{ref.stack}-{ref.name}".replace("_", "-")


def usage(_spec: BucketSpec, things: Mapping[str, Thing]) -> tuple[Usage, ...]:
    """Stored bytes, from when they are first seen until the bucket is proved absent."""
    match things[BUCKET].seen if BUCKET in things else Absent():
        case Present(facts=BucketFacts(size_bytes=size)):
            return (Usage(BUCKET, SKU, size, since=None),)
        case _:
            return ()


def estimate(_spec: BucketSpec) -> tuple[Estimate, ...]:
    return (Estimate(SKU, 2**30, MONTH_S / HOUR_S, "if it holds 1 GiB"),)


def _remove(thing: Thing | None) -> Decision[BucketMemory]:
    if thing is None or isinstance(thing.seen, Absent):
        return Decision(forget=True)
    deleting = Condition(ConditionType.READY, False, "Deleting", "the bucket and what it holds are being deleted")
    return Decision((Release(BUCKET),), (deleting,), again_s=0.5)


def _drifted(ensure: Ensure, memory: BucketMemory, what: str) -> Decision[BucketMemory]:
    drifted = Condition(ConditionType.DRIFTED, True, "ChangedOutside", what)
    again = replace(ensure, again=True)
    return Decision((again,), (drifted,), memory=memory, notes=(Note("drift", what),), again_s=1)
