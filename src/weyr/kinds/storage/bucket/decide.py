"""What should happen to a bucket next? Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from weyr.core.assumptions import Assumed, Assumption, Measure, Origin, Past
from weyr.core.capability import BucketBody, Capability
from weyr.core.decision import Condition, ConditionType, Decision, Ensure, Note, Release, Thing, View, Want
from weyr.core.kind import Estimate, Usage
from weyr.core.ref import Ref
from weyr.core.seen import Absent, BucketFacts, BucketRule, BucketUse, Present, Unknown
from weyr.core.units import HOUR_S, MONTH_S
from weyr.kinds.storage.bucket.spec import BucketSpec

BUCKET = ""
"""A bucket is one thing, so its part has no name."""


SKU = "storage.standard"
WRITES, READS, LOCAL, FAR = "requests.write", "requests.read", "egress.local", "egress.far"
COUNTED = (("writes", Measure.COUNT, WRITES), ("reads", Measure.COUNT, READS), ("egress", Measure.SIZE, FAR))
"""What a month's estimate takes for granted of its use, beside what it holds."""
METERS = tuple((sku, 0) for sku in (SKU, WRITES, READS, LOCAL, FAR))


@dataclass(frozen=True, slots=True)
class BucketMemory:
    """Whether the bucket was ever seen: from then on, its absence is somebody else's doing.

    `drift` is the change outside that was told last, so that it is told once.
    """

    was_there: bool = False
    drift: str = ""


def decide(want: Want[BucketSpec], view: View[BucketMemory]) -> Decision[BucketMemory]:
    """Creates it, keeps its settings, and forgets it only once its absence is proved."""
    thing = view.things.get(BUCKET)
    if want.spec is None:
        return _remove(thing, view.memory)
    body = body_of(want.ref, want.spec)
    ensure = Ensure(Capability.OBJECTS, BUCKET, body, want.generation, meters=METERS)
    memory = view.memory or BucketMemory()
    if thing and thing.refusal and thing.generation >= want.generation:
        failed = Condition(ConditionType.FAILED, True, "Refused", thing.refusal)
        return Decision((replace(ensure, again=True),), (failed,), memory=memory, again_s=30)
    match thing.seen if thing else Absent():
        case Present(facts=BucketFacts() as facts):
            # Before the engine took on the newest rules, a difference is nobody's doing but ours.
            is_settled = thing is not None and thing.is_accepted and thing.generation >= want.generation
            if is_settled and (what := _difference(body, facts)):
                return _drifted(ensure, replace(memory, was_there=True), what, body.name)
            ready = Condition(ConditionType.READY, True, "Serving", f"bucket {body.name}")
            return Decision((ensure,), (ready,), {"name": body.name}, BucketMemory(was_there=True))
        case Unknown(reason=reason):
            silent = Condition(ConditionType.READY, None, "EngineSilent", reason)
            return Decision((ensure,), (silent,), {"name": body.name}, memory, again_s=2)
        case Absent() if memory.was_there:
            return _drifted(ensure, memory, "it was deleted outside Weyr and is created again, empty", body.name)
        case Absent() | Present():
            working = Condition(ConditionType.READY, False, "Creating", "the bucket is being created")
            return Decision((ensure,), (working,), memory=memory, again_s=1)
        case other:
            assert_never(other)


def body_of(ref: Ref, spec: BucketSpec) -> BucketBody:
    """The bucket to have. Its name is the stack's and its own, unless the spec names it."""
    rules = tuple(
        BucketRule(
            rule.prefix,
            rule.expire_after,
            tuple(sorted((rule.tags or {}).items())),
            rule.noncurrent_expire_after,
            rule.abort_uploads_after,
        )
        for rule in spec.lifecycle
    )
    keys = {name: secret.ref(ref.stack) for name, secret in spec.keys.items()}
    return BucketBody(spec.name or bucket_name(ref), rules, spec.versioning, spec.url or "", keys)


def bucket_name(ref: Ref) -> str:
    """S3 allows no underscores in names, ours do; stack and name keep two stacks apart."""
    return f"{ref.stack}-{ref.name}".replace("_", "-")


def usage(_spec: BucketSpec, things: Mapping[str, Thing]) -> tuple[Usage, ...]:
    """Stored bytes, from when they are first seen until the bucket is proved absent; and what was asked of it."""
    match things[BUCKET].seen if BUCKET in things else Absent():
        case Present(facts=BucketFacts(size_bytes=size, use=use)):
            return (Usage(BUCKET, SKU, size, since=None), *_counted(use))
        case _:
            return ()


def _counted(use: BucketUse | None) -> tuple[Usage, ...]:
    if use is None:
        return ()
    counts = ((WRITES, use.writes), (READS, use.reads), (LOCAL, use.local_bytes), (FAR, use.far_bytes))
    return tuple(Usage(BUCKET, sku, count, since=use.since) for sku, count in counts)


def assumes(spec: BucketSpec, past: Past) -> tuple[Assumption, ...]:
    """What it holds, and what is asked of it in a month. Of a bucket that is elsewhere, its place sends the bill."""
    if spec.url is not None:
        return ()
    stored = Assumption.sure("stored", Measure.SIZE, float(2**30))
    if SKU in past.levels:
        stored = Assumption.sure("stored", Measure.SIZE, float(past.levels[SKU]), Origin.MEASURED, "now")
    return (stored, *(_counted_before(name, measure, sku, past) for name, measure, sku in COUNTED))


def estimate(spec: BucketSpec, assumed: Assumed) -> tuple[Estimate, ...]:
    if spec.url is not None:
        return ()
    counted = ((sku, round(assumed[name])) for name, _measure, sku in COUNTED)
    # A counter's unit counts as if it were used for a second.
    counts = tuple(Estimate(sku, count, 1 / HOUR_S) for sku, count in counted if count)
    return (Estimate(SKU, round(assumed["stored"]), MONTH_S / HOUR_S), *counts)


def _counted_before(name: str, measure: Measure, sku: str, past: Past) -> Assumption:
    if not past.tells_rates:
        return Assumption.sure(name, measure, 0.0)
    return Assumption.sure(name, measure, past.monthly(past.counts.get(sku, 0)), Origin.MEASURED, past.said)


def _difference(body: BucketBody, facts: BucketFacts) -> str:
    """What somebody changed outside, "" where nothing is."""
    if facts.lifecycle != body.lifecycle:
        return "its lifecycle rules were changed outside Weyr"
    if body.keeps_versions is not None and facts.keeps_versions != body.keeps_versions:
        return "its versioning was changed outside Weyr"
    return ""


def _remove(thing: Thing | None, memory: BucketMemory | None) -> Decision[BucketMemory]:
    if thing is None or thing.is_gone:
        return Decision(forget=True)
    text = (
        f"it cannot be deleted: {thing.refusal}" if thing.refusal else "the bucket and what it holds are being deleted"
    )
    deleting = Condition(ConditionType.READY, False, "Deleting", text)
    return Decision((Release(BUCKET),), (deleting,), memory=memory, again_s=0.5)


def _drifted(ensure: Ensure, memory: BucketMemory, what: str, name: str) -> Decision[BucketMemory]:
    drifted = Condition(ConditionType.DRIFTED, True, "ChangedOutside", what)
    notes = (Note("drift", what),) if what != memory.drift else ()
    again, memory = replace(ensure, again=True), replace(memory, drift=what)
    return Decision((again,), (drifted,), {"name": name}, memory, notes=notes, again_s=1)
