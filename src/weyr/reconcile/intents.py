"""What is intended with a thing once its kind has said something of it, or where nobody knows its kind? Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from weyr.core.decision import Condition, ConditionType, Decision, Ensure, Release, Thing
from weyr.core.ref import ThingId
from weyr.core.seen import Absent, Present, Seen, Unknown
from weyr.store.kernel import ObjectRow, ThingRow

AFTER_REFUSAL_S = 30.0
TOLD_AGAIN_S = 0.2


def intended(thing: ThingRow | None, action: Ensure | Release, row: ObjectRow, now: float) -> ThingRow | None:
    """The thing with a new intention, or with an old one that is to be said again; None: as it is."""
    match action:
        case Release():
            return _released(thing, now) if thing else None
        case Ensure(generation=generation):
            generation = row.generation if generation is None else generation
            if thing is None:
                id = ThingId(row.ref, action.part)
                return ThingRow(id, action.capability, generation, action.body, Unknown())
            if thing.is_released:
                return None
            if thing.generation >= generation:
                is_gone = thing.is_accepted and isinstance(thing.seen, Absent)
                return _again(thing, now) if action.again or is_gone else None
            return ThingRow(thing.id, action.capability, generation, action.body, thing.seen, asked_at=thing.asked_at)


def _released(thing: ThingRow, now: float) -> ThingRow | None:
    if thing.is_released:
        # Still there: said again, for an engine may have more than one step to do.
        is_still_there = thing.is_accepted and isinstance(thing.seen, Present)
        return _again(thing, now) if is_still_there or thing.refusal else None
    # The release itself has to be accepted before an absence can count as proof.
    return replace(thing, is_released=True, is_accepted=False, refusal="")


def _again(thing: ThingRow, now: float) -> ThingRow | None:
    """The same once more, if the engine had time to act, or after a refusal a reason to think again.

    Its answer wakes the object at once; without a pause the two would go round as fast as they can.
    """
    waited_s = now - thing.asked_at
    # Less than nothing: the clock was set back, and the old time may be hours away.
    is_time = waited_s < 0 or waited_s >= (AFTER_REFUSAL_S if thing.refusal else TOLD_AGAIN_S)
    return replace(thing, is_accepted=False, refusal="") if is_time else None


def without_kind(row: ObjectRow, things: Mapping[str, Thing]) -> Decision[Any]:
    """Nobody knows what an object of an unknown kind needs, but anybody can remove what it holds.

    Raises: LookupError where it is to stay.
    """
    if row.spec is not None:
        raise LookupError(f"this Weyr has no kind {row.ref.kind}")
    if not things:
        return Decision(forget=True)
    removing = Condition(ConditionType.READY, False, "Removing", "what it holds is being removed")
    return Decision(tuple(Release(part) for part in things), (removing,), again_s=0.5)


def with_since(before: Seen, after: Seen, now: float) -> Seen:
    """Silence keeps the moment at which something was last known."""
    if not isinstance(after, Unknown) or after.since is not None:
        return after
    return replace(after, since=before.since if isinstance(before, Unknown) else now)
