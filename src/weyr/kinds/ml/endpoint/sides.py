"""Which replicas should there be, on each side? Those that ended are dropped, those that lack begin, those too many
leave, as `weyr.core.replica_set` says for one set. Pure."""

from dataclasses import replace

from weyr.core import replica_set
from weyr.core.capability import Capability, TaskBody
from weyr.core.decision import Ensure, Note
from weyr.core.replica_set import Replica
from weyr.core.seen import TaskFacts
from weyr.core.task_usage import replica_on, task_meters
from weyr.core.unchanged import changed
from weyr.kinds.ml.endpoint.look import Look
from weyr.kinds.ml.endpoint.memory import NEXT, SHADOW, EndpointMemory, Side
from weyr.kinds.ml.endpoint.progress import CRASHES_MAX, spares_one, waits_for_room


def moved(look: Look, memory: EndpointMemory) -> tuple[EndpointMemory, tuple[Note, ...]]:
    """Every side one look further; the numbers of new replicas go on from side to side. One that nobody wants is
    forgotten once its last replica is."""
    sides: list[Side] = []
    notes: list[Note] = []
    number, begins = memory.last_number, look.view.begins
    for side in memory.sides:
        after, ended = _moved(look, changed(side, held=changed(side.held, last_number=number)), begins)
        begins = None if begins is None else begins - (after.held.last_number - number)
        number = after.held.last_number
        notes += ended
        is_on_its_way = after.name == NEXT and memory.rollout is not None
        if after.held.replicas or after.desired or after.name in look.found or is_on_its_way:
            sides.append(after)
    return changed(memory, sides=tuple(sides), last_number=number), tuple(notes)


def _moved(look: Look, side: Side, begins: int | None) -> tuple[Side, tuple[Note, ...]]:
    sight, rollout = replace(look.sight(side), begins=begins), look.spec.rollout
    waiting = any(facts.waits for r in side.held.replicas if not r.is_leaving and (facts := sight.facts(r)))
    side = changed(side, waiting_since=(side.waiting_since or look.now) if waiting else 0.0)
    is_cramped = waits_for_room(look, side) and spares_one(look, side.desired)
    unavailable = max(rollout.unavailable, int(is_cramped))
    held, ended = replica_set.drop_ended(sight, side.held)
    within_s = look.spec.ready_within
    # Once is enough: the time was said by somebody, and three times of it would be an hour for some.
    held, late = replica_set.give_up_on(sight, held, within_s, within_s, counts=CRASHES_MAX)
    # Nobody waits for a shadow's answer: it needs no floor.
    steady = 0 if look.spec.scale.spot and side.name == SHADOW else look.spec.scale.steady
    if not look.lacks:
        held = replica_set.start(sight, held, side.desired, rollout.surge_of(side.desired), steady)
    held = replica_set.let_go(sight, held, side.desired, unavailable, steady)
    held = replica_set.reroute(sight, held, _address)
    return changed(side, held=held), (*ended, *late)


def _address(facts: TaskFacts) -> str:
    return f"127.0.0.1:{facts.ports[0]}" if facts.ports else facts.address


def ensured(look: Look, memory: EndpointMemory) -> tuple[Ensure, ...]:
    """The replicas that should stand. Each stays as it was started: a task is never changed under way."""
    return tuple(
        _ensure(look, side, replica)
        for side in memory.sides
        for replica in side.held.replicas
        if not replica.is_leaving
    )


def _ensure(look: Look, side: Side, replica: Replica) -> Ensure:
    thing = look.view.things.get(replica.part)
    old = thing.body if thing else None
    if isinstance(old, TaskBody):
        body = old
    else:
        body = replica_on(side.revision(replica).body, replica.is_spot, look.spec.scale.spot)
    generation = thing.generation if thing else look.want.generation
    return Ensure(Capability.TASKS, replica.part, body, generation, task_meters(body))
