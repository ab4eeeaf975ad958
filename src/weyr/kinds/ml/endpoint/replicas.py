"""Which replicas should there be? Those that ended are dropped, those that lack begin, those too many leave. Pure."""

from dataclasses import replace

from weyr.core.capability import Capability, TaskBody
from weyr.core.decision import Ensure, Note
from weyr.core.moment import is_awaited
from weyr.core.seen import TaskState
from weyr.core.task_usage import task_meters
from weyr.kinds.ml.endpoint.body import replica_body
from weyr.kinds.ml.endpoint.look import Look
from weyr.kinds.ml.endpoint.memory import EndpointMemory, Replica
from weyr.kinds.ml.endpoint.scale import desired_replicas

BACKOFF_MAX_S = 60.0
CRASHES_FORGOTTEN_AFTER_S = 600.0
"""Crashes further apart than this are not one loop: a replica that dies once a day is replaced at once each day."""


def drop_ended(look: Look, memory: EndpointMemory) -> tuple[EndpointMemory, tuple[Note, ...]]:
    """Takes out the replicas that are over. One that was not asked to leave counts as a crash."""
    kept: list[Replica] = []
    notes: list[Note] = []
    for replica in memory.replicas:
        why = _end_of(look, replica)
        if why is None:
            kept.append(replica)
        elif not replica.is_leaving:
            notes.append(Note("replica.ended", f"replica {replica.part} ended: {why}"))
            memory = _crashed(look.now, memory, notes[-1].message)
    return replace(memory, replicas=tuple(kept)), tuple(notes)


def count(look: Look, memory: EndpointMemory) -> EndpointMemory:
    """How many there should be: none while the stack may not spend, else what the load asks for."""
    if look.view.hold:
        return replace(memory, desired=0)
    desired = desired_replicas(look.spec.scale, look.now, memory.desired, look.route, memory.serving_since)
    return replace(memory, desired=desired)


def start(look: Look, memory: EndpointMemory) -> EndpointMemory:
    """Adds those that lack, under numbers never used before."""
    lacking = memory.desired - sum(look.is_current(replica) for replica in memory.replicas)
    if lacking <= 0 or is_awaited(memory.retry_at, look.now, BACKOFF_MAX_S):
        return memory
    first = memory.last_number + 1
    fresh = tuple(Replica(first + i, look.key, look.target.version) for i in range(lacking))
    return replace(memory, replicas=(*memory.replicas, *fresh), last_number=memory.last_number + lacking)


def let_go(look: Look, memory: EndpointMemory) -> EndpointMemory:
    """Older versions leave when every wanted replica of the new one is ready; then what is too many."""
    current = [replica for replica in memory.replicas if look.is_current(replica)]
    ready = [replica for replica in current if look.is_ready(replica)]
    surplus = sorted(current, key=look.is_ready)[: max(0, len(current) - memory.desired)]
    is_replaced = len(ready) >= memory.desired

    def after(replica: Replica) -> Replica:
        is_old = replica.key != look.key and is_replaced
        if replica.is_leaving or not (is_old or replica in surplus):
            return replica
        return replace(replica, is_leaving=True, left_at=look.now)

    return replace(memory, replicas=tuple(after(replica) for replica in memory.replicas))


def ensured(look: Look, memory: EndpointMemory) -> tuple[Ensure, ...]:
    """The replicas that should stand. Each stays as it was started: a task is never changed under way."""
    return tuple(_ensure(look, replica) for replica in memory.replicas if not replica.is_leaving)


def _ensure(look: Look, replica: Replica) -> Ensure:
    thing = look.thing(replica)
    old = thing.body if thing else None
    body = old if isinstance(old, TaskBody) else replica_body(look.want.ref, look.spec, look.target, look.want.folder)
    generation = thing.generation if thing else look.want.generation
    return Ensure(Capability.TASKS, replica.part, body, generation, task_meters(body))


def _end_of(look: Look, replica: Replica) -> str | None:
    """Why a replica is over; None while it is not, or while nobody knows."""
    thing, facts = look.thing(replica), look.facts(replica)
    if thing is None or thing.is_gone:
        return "it is gone"
    if thing.refusal and not thing.is_released:
        return thing.refusal
    if facts is not None and facts.state is TaskState.ENDED:
        return f"{facts.end.reason} {facts.end.detail}".strip() if facts.end else "it is gone"
    return None


def _crashed(now: float, memory: EndpointMemory, text: str) -> EndpointMemory:
    """The first crash is followed at once, the next after 2, 4, 8 ... 60 s."""
    before = memory.crashes if 0 <= now - memory.crashed_at <= CRASHES_FORGOTTEN_AFTER_S else 0
    wait_s = min(2.0 ** min(before, 10), BACKOFF_MAX_S) if before else 0.0
    return replace(memory, crashes=before + 1, crashed_at=now, retry_at=now + wait_s, last_end=text)
