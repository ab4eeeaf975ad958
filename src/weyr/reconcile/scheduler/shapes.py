"""What do tasks, nodes and queues look like to `weyr.scheduling`? Translations, and nothing decided. Pure.

A task goes to a pool's nodes where it names a pool, or asks this machine for accelerators or labels; anything else runs
where it always did: on the engine itself, which is one node more (`here_of`), so that nothing is spent that nobody
asked for.
"""

from collections.abc import Sequence

from weyr.core.accelerators import accelerators_text
from weyr.core.capability import TaskBody
from weyr.core.pools import Market, NodeBody, NodeFacts, QueueBody
from weyr.core.priorities import PriorityClass, classes_of
from weyr.core.ref import ThingId
from weyr.core.units import size_text
from weyr.scheduling.placement import Node, Placed, Request
from weyr.scheduling.queueing import Queue, Reclaim

HERE = "here"
POOL_LABEL = "weyr/pool"
STACK_LABEL = "weyr/stack"
SPOT_LABEL = "weyr/spot"
MIB = 2**20


def is_pooled(body: TaskBody) -> bool:
    """Whether it runs on a pool's nodes. A cluster finds devices by itself for those that name none."""
    return bool(body.pool or (not body.engine and (body.accelerators or body.labels)))


def here_of(engine: str) -> str:
    """The name of the node that an engine is by itself."""
    return f"{HERE}/{engine}" if engine else HERE


def here_node(engine: str, cpu_milli: int, memory_mib: int) -> Node:
    name = here_of(engine)
    return Node(name, cpu_milli, memory_mib, labels={HERE: name})


def request_of(body: TaskBody, stack: str) -> Request:
    """What one member asks for: of the pool it names, or else of any of its stack."""
    cpu_milli, memory_mib = round(body.cpu * 1000), mib(body.memory_bytes or 0)
    if not is_pooled(body):
        return Request(cpu_milli, memory_mib, labels=frozenset({(HERE, here_of(body.engine))}))
    home = (POOL_LABEL, body.pool) if body.pool else (STACK_LABEL, stack)
    wanted = body.accelerators
    return Request(
        cpu_milli,
        memory_mib,
        devices=wanted.count if wanted else 0,
        share_milli=wanted.share_milli if wanted else 0,
        share_memory_mib=mib(wanted.memory_bytes) if wanted else 0,
        profile=wanted.profile if wanted else "",
        models=frozenset({wanted.model} if wanted and wanted.model else ()),
        labels=frozenset({home, *body.labels}),
        tolerates=frozenset(body.bears),
    )


def node_of(id: ThingId, body: NodeBody, facts: NodeFacts) -> Node:
    """A pool's node. Its labels say which pool and which stack it is of, and how it is paid for."""
    is_spot = "yes" if body.market is Market.SPOT else "no"
    own = {POOL_LABEL: body.pool, STACK_LABEL: id.ref.stack, SPOT_LABEL: is_spot, "market": body.market.value}
    return Node(
        str(id),
        round((facts.cpu or body.cpu) * 1000),
        mib(facts.memory_bytes or body.memory_bytes),
        len(facts.devices) if facts.devices else body.devices,
        facts.model or body.model,
        mib(facts.device_memory_bytes or body.device_memory_bytes),
        {profile: len(names) for profile, names in slice_names(body, facts).items()},
        dict(facts.labels) | dict(body.labels) | own,
        frozenset(body.taints),
    )


def device_names(body: NodeBody, facts: NodeFacts) -> Sequence[str]:
    """What a node's accelerators are called, by their numbers."""
    return facts.devices or tuple(str(number) for number in range(body.devices))


def slice_names(body: NodeBody, facts: NodeFacts) -> dict[str, list[str]]:
    """What its MIG instances are called, by profile."""
    found: dict[str, list[str]] = {}
    declared = [(profile, f"{profile}/{number}") for profile, count in body.slices for number in range(count)]
    for profile, name in facts.slices or declared:
        found.setdefault(profile, []).append(name)
    return found


def names_of(placed: Placed, body: NodeBody, facts: NodeFacts) -> tuple[str, ...]:
    """What the devices are called that were given to a task."""
    whole, slices = device_names(body, facts), slice_names(body, facts)
    return (
        *(whole[number] for number in placed.devices),
        *(slices[profile][number] for profile, number in placed.slices),
    )


def placed_as(request: Request, node: Node, names: Sequence[str], body: NodeBody, facts: NodeFacts) -> Placed:
    """What a task has that was given devices of these names: `names_of`, read backwards."""
    whole, slices = list(device_names(body, facts)), slice_names(body, facts)
    share_milli = request.share_milli
    if request.share_memory_mib and node.device_memory_mib:
        share_milli = -(-request.share_memory_mib * 1000 // node.device_memory_mib) % 1000
    devices = tuple(whole.index(name) for name in names if name in whole)
    parts = ((profile, found.index(name)) for profile, found in slices.items() for name in names if name in found)
    return Placed(request, node.name, devices, share_milli, tuple(parts))


def queue_of(name: str, body: QueueBody) -> Queue:
    reclaims = Reclaim(body.reclaims.value)
    return Queue(name, body.guarantee, body.limit, body.user_limit, body.weight, reclaims, body.displaces)


def urgency_of(body: TaskBody, queue: QueueBody | None) -> PriorityClass | None:
    """How urgent a task is; None: its queue has no such class. What a queue has that is not there nobody knows."""
    if not body.priority_class or (body.queue and queue is None):
        return PriorityClass(body.priority)
    return classes_of(queue.priority_classes if queue else {}).get(body.priority_class)


def need_text(body: TaskBody) -> str:
    """`2 CPU, 512 MiB and H100:8`."""
    parts = [f"{body.cpu:g} CPU"]
    parts += [size_text(body.memory_bytes)] if body.memory_bytes else []
    parts += [accelerators_text(body.accelerators)] if body.accelerators else []
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def mib(size_bytes: int) -> int:
    """Rounded up: a byte more than fits does not fit."""
    return -(-size_bytes // MIB)
