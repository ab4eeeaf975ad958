"""What does a task use that costs money? The same answer for every kind that runs tasks."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from weyr.core.capability import TaskBody
from weyr.core.decision import Thing
from weyr.core.kind import Usage
from weyr.core.pools import Market, NodeWish
from weyr.core.seen import Present, TaskEnd, TaskFacts
from weyr.core.task_spec import TaskSpec


def task_quantities(cpu: float, memory_bytes: int | None, is_spot: bool) -> tuple[tuple[str, int], ...]:
    """(SKU, quantity in thousandths) of a task: milli-CPU and milli-GiB; what it has none of is left out."""
    suffix = ".spot" if is_spot else ""
    lines = ((f"task.cpu{suffix}", round(cpu * 1000)), (f"task.memory{suffix}", (memory_bytes or 0) * 1000 // 2**30))
    return tuple((sku, quantity) for sku, quantity in lines if quantity)


def planned_quantities(spec: TaskSpec, is_spot: bool = False) -> tuple[tuple[str, int], ...]:
    """What will be metered of a task that is made from this spec, as `task_meters` has it of the task itself."""
    if spec.pool or spec.resources.accelerators or spec.labels:
        return ()
    return task_quantities(spec.resources.cpu, spec.resources.memory, is_spot)


def wish_of(spec: TaskSpec, is_spot: bool) -> NodeWish | None:
    """The machine that one of its tasks would be put on where each has its own; None where its place is said."""
    if not planned_quantities(spec, is_spot):
        return None
    market = Market.SPOT if is_spot else Market.ON_DEMAND
    return NodeWish("", 0, spec.resources.cpu, spec.resources.memory or 0, market)


def task_meters(body: TaskBody) -> tuple[tuple[str, int], ...]:
    """The meters that open with a task. What runs on a pool's node is paid with that node, used or idle."""
    if _is_on_pool(body):
        return ()
    return task_quantities(body.cpu, body.memory_bytes, body.is_spot)


def replica_on(body: TaskBody, is_spot: bool, has_floor: bool) -> TaskBody:
    """A replica's body for the market that it is of. One of a floor runs on nodes on demand alone; one that may be on
    spot takes whichever there are, so that it is not missed while spot is away."""
    if is_spot or not has_floor or not _is_on_pool(body):
        return replace(body, is_spot=is_spot)
    return replace(body, labels=(*body.labels, ("market", Market.ON_DEMAND.value)))


def kept_counts(count: int, steady: int | None) -> Iterator[tuple[int, bool]]:
    """How many of so many replicas are on demand and how many on spot, as (count, is_spot), without empty ones."""
    on_demand = count if steady is None else min(count, steady)
    yield from ((each, is_spot) for each, is_spot in ((on_demand, False), (count - on_demand, True)) if each)


def _is_on_pool(body: TaskBody) -> bool:
    return bool(body.pool or body.accelerators or body.labels)


def task_usage(things: Mapping[str, Thing]) -> tuple[Usage, ...]:
    """Each task's CPU and memory as it was started with, from its process's start to its recorded end."""
    return tuple(line for thing in things.values() for line in _usage_of(thing))


def _usage_of(thing: Thing) -> tuple[Usage, ...]:
    match thing.seen, thing.body:
        case Present(facts=TaskFacts(started_at=float() as since, ended_at=until, end=end)), TaskBody() as body:
            peaks = _peaks_of(end, since, until)
            return tuple(
                Usage(thing.part, sku, quantity, since, until, peaks.get(sku.removesuffix(".spot"), 0))
                for sku, quantity in task_meters(body)
            )
        case _:
            return ()


def _peaks_of(end: TaskEnd | None, since: float, until: float | None) -> dict[str, int]:
    """What a task that ended is known to have used: its mean of CPU, and the most memory that it held."""
    if end is None or until is None:
        return {}
    cpu = round(1000 * end.cpu_s / (until - since)) if until > since else 0
    return {"task.cpu": cpu, "task.memory": -(-end.memory_max_bytes * 1000 // 2**30)}
