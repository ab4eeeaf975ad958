"""What should happen to a bucket next? Pure."""

from dataclasses import dataclass, replace
from typing import assert_never

from weyr.core.capability import BucketBody, BucketTier, Capability
from weyr.core.decision import Condition, ConditionType, Decision, Ensure, Note, Release, Thing, View, Want
from weyr.core.ref import Ref
from weyr.core.seen import Absent, BucketFacts, BucketRule, Present, Unknown
from weyr.kinds.storage.bucket.spec import BucketSpec
from weyr.kinds.storage.bucket.usage import BUCKET, meters_of


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
    ensure = Ensure(Capability.OBJECTS, BUCKET, body, want.generation, meters=meters_of(want.spec))
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
            outputs = {"name": body.name, **_in_use(facts)}
            return Decision((ensure,), (ready,), outputs, BucketMemory(was_there=True))
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
            rule.move_after,
            rule.noncurrent_move_after,
            (rule.to or "").upper(),
        )
        for rule in spec.lifecycle
    )
    keys = {name: secret.ref(ref.stack) for name, secret in spec.keys.items()}
    tiers = tuple(
        BucketTier(name.upper(), place_of(tier.at), {key: secret.ref(ref.stack) for key, secret in tier.keys.items()})
        for name, tier in sorted(spec.tiers.items(), key=lambda named: named[0].upper())
    )
    return BucketBody(spec.name or bucket_name(ref), rules, spec.versioning, spec.url or "", keys, tiers)


def place_of(at: str) -> str:
    """The URL of a place: a path is a folder of this machine."""
    return f"file://{at.rstrip('/')}" if at.startswith("/") else at


TIER_OUTPUT = "tier_"
"""How outputs begin that tell where a tier is which holds something: a plan asks them whether it may go."""


def _in_use(facts: BucketFacts) -> dict[str, str]:
    held = {one.name for one in facts.classes if one.objects}
    return {f"{TIER_OUTPUT}{name.lower()}": url for name, url in facts.tiers if name in held}


def bucket_name(ref: Ref) -> str:
    """S3 allows no underscores in names, ours do; stack and name keep two stacks apart."""
    return f"{ref.stack}-{ref.name}".replace("_", "-")


def _difference(body: BucketBody, facts: BucketFacts) -> str:
    """What somebody changed outside, "" where nothing is."""
    if facts.lifecycle != body.lifecycle:
        return "its lifecycle rules were changed outside Weyr"
    if facts.tiers != tuple((tier.storage_class, tier.url) for tier in body.tiers):
        return "its tiers were changed outside Weyr"
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
