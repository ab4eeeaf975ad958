"""What must never be, and what must be in the end? Named checks over snapshots. Pure.

A *never* compares a snapshot with the one before it and must hold at every step, whatever goes wrong. An
*eventually* must come to hold once faults have ended. The bills are compared when a world is over.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from weyr.core.decision import ConditionType, Phase, phase_of
from weyr.core.parts import Part
from weyr.core.ref import Ref, ThingId
from weyr.reconcile.world import World
from weyr.sim.share_bills import NodeBill
from weyr.sim.snapshot import Bill, Breach, Snapshot
from weyr.store.kernel import ObjectRow

Never = Callable[[Snapshot, Snapshot], Iterator[Breach]]
Eventually = Callable[[Snapshot], Iterator[Breach]]

_RESTS = {Phase.READY, Phase.DONE, Phase.SKIPPED, Phase.FAILED, Phase.HELD}


def _money_on_what_nobody_owns(_before: Snapshot, now: Snapshot) -> Iterator[Breach]:
    for id in now.metered - now.things.keys():
        yield Breach(id.ref, f"a meter of {id} runs, and no object has such a thing")


def _task_without_a_meter(_before: Snapshot, now: Snapshot) -> Iterator[Breach]:
    for id in now.live:
        if id not in now.metered and id not in now.unpaid:
            yield Breach(id.ref, f"{id} runs without a meter")


def _intent_without_a_meter(_before: Snapshot, now: Snapshot) -> Iterator[Breach]:
    for id in now.tasks - now.metered - now.unpaid:
        yield Breach(id.ref, f"{id} is intended, and no meter was opened with it")


def _two_attempts_at_once(_before: Snapshot, now: Snapshot) -> Iterator[Breach]:
    alive: dict[tuple[Ref, int | None], set[int]] = defaultdict(set)
    for id in now.live:
        part = Part.parse(id.part)
        if part is not None and id.ref.kind == "job":
            alive[id.ref, part.index].add(part.attempt)
    for (ref, _), attempts in alive.items():
        if len(attempts) > 1:
            yield Breach(ref, f"attempts {', '.join(map(str, sorted(attempts)))} of {ref} are alive at once")


def _two_owners_of_a_device(_before: Snapshot, now: Snapshot) -> Iterator[Breach]:
    owners: dict[tuple[str, str], ThingId] = {}
    for node, device, id in now.owners:
        if owners.setdefault((node, device), id) != id:
            yield Breach(id.ref, f"{owners[node, device]} and {id} both have device {device} of {node}")


def _over_quota(before: Snapshot, now: Snapshot) -> Iterator[Breach]:
    """A quota that was made smaller takes nothing away from who runs, but lets nobody in on top."""
    for name, (used, limit) in now.quotas.items():
        was_used, was_limit = before.quotas.get(name, (0, limit))
        if used > max(limit, was_limit) and used > was_used:
            yield Breach(Ref.parse(name), f"its tasks have {used} thousandths of devices, and it may have {limit}")


def _state_moving_backwards(before: Snapshot, now: Snapshot) -> Iterator[Breach]:
    for ref, row in now.objects.items():
        prior = before.objects.get(ref)
        if prior is None or prior is row:
            continue
        if row.generation < prior.generation:
            yield Breach(ref, f"its generation went from {prior.generation} to {row.generation}")
        if prior.next_spec is None and ref.kind == "job":
            yield from _job_backwards(prior, row)
    for id, generation in now.things.items():
        if generation < before.things.get(id, 0) and before.objects.get(id.ref) is now.objects.get(id.ref):
            yield Breach(id.ref, f"the generation of {id} went from {before.things[id]} to {generation}")


def _job_backwards(prior: ObjectRow, row: ObjectRow) -> Iterator[Breach]:
    was, is_now = _memory(prior), _memory(row)
    if is_now.get("highest", 0) < was.get("highest", 0):
        yield Breach(row.ref, f"its attempts went from {was.get('highest')} to {is_now.get('highest', 0)}")
    is_same_run = was.get("generation") == row.generation == prior.generation and row.spec is not None
    if was.get("succeeded") and is_same_run and was.get("base") == is_now.get("base") and not is_now.get("succeeded"):
        yield Breach(row.ref, f"it had succeeded under generation {row.generation}, and has not any more")


def _older_over_newer(before: Snapshot, now: Snapshot) -> Iterator[Breach]:
    for id, held in now.held.items():
        was = before.held.get(id)
        if was and was.life == held.life and held.generation < was.generation:
            yield Breach(id.ref, f"generation {held.generation} of {id} replaced {was.generation} at the engine")


def _forgotten_before_proof(before: Snapshot, now: Snapshot) -> Iterator[Breach]:
    for id in before.things.keys() - now.things.keys():
        was, held = before.held.get(id), now.held.get(id)
        if was and held and was.life == held.life:
            yield Breach(id.ref, f"{id} was forgotten while the engine had it all the time")


def _begun_while_held(before: Snapshot, now: Snapshot) -> Iterator[Breach]:
    held = _held_stacks(before) & _held_stacks(now)
    # Not by what is known now and was not before: after a power cut a task that was forgotten is known again.
    for id in [id for id, times in now.begun.items() if times > before.begun.get(id, 0)] if held else ():
        if id.ref.kind == "job" and id.ref.stack in held:
            yield Breach(id.ref, f"{id} was begun although its stack may not spend")


def _attempt_used_twice(_before: Snapshot, now: Snapshot) -> Iterator[Breach]:
    for id, times in now.begun.items():
        if times > 1:
            yield Breach(id.ref, f"{id} was begun {times} times, and each should have had a name of its own")


NEVER: Mapping[str, Never] = {
    "two attempts of one job alive at once": _two_attempts_at_once,
    "two owners of a device": _two_owners_of_a_device,
    "a queue over its quota": _over_quota,
    "forgotten before absence is proved": _forgotten_before_proof,
    "a state moving backwards": _state_moving_backwards,
    "an older generation over a newer": _older_over_newer,
    "an attempt's id used twice": _attempt_used_twice,
    "an attempt begun while held": _begun_while_held,
    "money on what nobody owns": _money_on_what_nobody_owns,
    "a task running without a meter": _task_without_a_meter,
    "an intent without a meter": _intent_without_a_meter,
}


def _stack_settles(now: Snapshot) -> Iterator[Breach]:
    for ref, row in now.objects.items():
        if row.spec is None and row.next_spec is None:
            continue
        phase = _phase(row)
        is_without_nodes = bool(_held_stacks(now) - {ref.stack})  # those it would run on, it has of another stack
        may_wait = _waits_for_one_at_rest(row, now) or is_without_nodes
        if phase not in _RESTS and not (phase is Phase.WAITING and may_wait):
            yield Breach(ref, f"it does not settle: it is {phase}")


def _deletion_completes(now: Snapshot) -> Iterator[Breach]:
    for ref, row in now.objects.items():
        if row.spec is None or row.next_spec is not None:
            yield Breach(ref, "it was to go away, and does not")


def _meter_closes(now: Snapshot) -> Iterator[Breach]:
    for id in sorted(now.metered):
        row = now.objects.get(id.ref)
        if row is None or row.spec is None:
            yield Breach(id.ref, f"the meter of {id} does not close")


def _nothing_is_left(now: Snapshot) -> Iterator[Breach]:
    for id in sorted(now.held.keys() - now.things.keys()):
        yield Breach(id.ref, f"{id} is left at the engine")


def _hold_is_kept(now: Snapshot) -> Iterator[Breach]:
    held = _held_stacks(now)
    for id in now.live:
        if id.ref.stack in held:
            yield Breach(id.ref, f"{id} runs on although its stack may not spend")


EVENTUALLY: Mapping[str, Eventually] = {
    "every stack settles": _stack_settles,
    "every deletion completes": _deletion_completes,
    "every meter closes": _meter_closes,
    "nothing is left at the engine": _nothing_is_left,
    "a stack that may not spend runs nothing": _hold_is_kept,
}

LEDGER = "ledger lines that differ from what ran"
SHARES = "shares of a node that differ from what was given"
MEMORY = "memory differs from the store"
PLAN = "a plan with a fatal finding"


def wrong_bill(bill: Bill) -> Breach | None:
    """A run counts from its recorded start to its recorded end. Where nobody was told how it ended, it counts until
    its absence was proved, and never less than it ran. Nothing is billed ahead of time: an end that a node whose clock
    is ahead recorded counts up to when it was seen."""
    ran_ms = sum(end - begin for begin, end in bill.runs_ms)
    allowed_ms = {ran_ms}
    if not bill.is_told and bill.closed_ms is not None and bill.runs_ms:
        last = bill.runs_ms[-1]
        allowed_ms.add(ran_ms + max(0, bill.closed_ms - last[1]))
    counted_ms, rest = divmod(bill.posted, max(bill.quantity, 1))
    if not rest and any(ms - bill.ahead_ms <= counted_ms <= ms for ms in allowed_ms):
        return None
    counted_s, ran_s = counted_ms / 1000, ran_ms / 1000
    return Breach(bill.id.ref, f"{bill.id} ran {ran_s:.3f} s, and {counted_s:.3f} s of {bill.sku} were posted")


def wrong_shares(bill: NodeBill) -> Breach | None:
    """A task pays for the part of a node that it was given, all of it where it was alone there; and together they pay
    for no more than the node has cost, to the micro-unit by which each may be rounded."""
    for share in bill.shares:
        part = round(1000 * share.part)
        if share.quantity > part or (share.is_alone and share.quantity != part):
            return Breach(share.id.ref, f"{share.id} was given {part} thousandths of {bill.node}, not {share.quantity}")
    if bill.shared_micros > bill.micros + len(bill.shares):
        shared = f"{bill.shared_micros} millionths of it were shared out"
        return Breach(bill.node.ref, f"{bill.node} cost {bill.micros}, and {shared}")
    return None


def differing(memory: World, store: World) -> Breach | None:
    """Between two passes the loop's memory is what the store has, but for what was seen, which is learnt again."""
    for ref in sorted(memory.objects.keys() | store.objects.keys()):
        if memory.objects.get(ref) != store.objects.get(ref):
            return Breach(ref, f"{ref} is another in memory than in the store")
    for ref in memory.objects:
        if _intents(memory, ref) != _intents(store, ref):
            return Breach(ref, f"what {ref} was to have is another in memory than in the store")
    return None


def _intents(world: World, ref: Ref) -> dict[str, tuple[int, bool]]:
    return {part: (row.generation, row.is_released) for part, row in world.things_of(ref).items()}


def _held_stacks(now: Snapshot) -> set[str]:
    return {ref.stack for ref, row in now.objects.items() if row.status.holds and row.spec is not None}


def _phase(row: ObjectRow) -> Phase:
    return phase_of(row.status.conditions, row.spec is None or row.next_spec is not None)


def _waits_for_one_at_rest(row: ObjectRow, now: Snapshot) -> bool:
    """Whether it waits for somebody else, who will not change by itself: a job that failed gives no version."""
    reasons = {c.reason for c in row.status.conditions if c.type is ConditionType.WAITING}
    return reasons <= {"Needs", "NoVersion"} and bool(row.needs)


def _memory(row: ObjectRow) -> dict[str, int]:
    memory: dict[str, int] = json.loads(row.memory) if row.memory else {}
    return memory
