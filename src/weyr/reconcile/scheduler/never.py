"""What in a stack could never start, however long it waited? Told in the plan, not by a line that nobody leaves. Pure.

It asks what the scheduler asks, of the queues and pools at their largest. Nothing is said of what a plan cannot know:
how large this machine is, which devices a driver will find, what a queue or pool that is not there yet will have.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from weyr.core.amounts import amount_text
from weyr.core.capability import TaskBody
from weyr.core.diagnostic import Diagnostic, Severity, did_you_mean
from weyr.core.kind import Kinds
from weyr.core.pools import NodeFacts, NodeState, PoolBody, QueueBody
from weyr.core.priorities import classes_of
from weyr.core.ref import Ref, ThingId
from weyr.core.schema import references_of
from weyr.core.task_spec import TaskSpec, asked
from weyr.reconcile.scheduler.shapes import MIB, is_pooled, node_of, queue_of, request_of
from weyr.scheduling.placement import Cluster, Request
from weyr.scheduling.queueing.accounts import OF_USER, Account
from weyr.scheduling.queueing.nodes import Free, slice_milli
from weyr.scheduling.queueing.shapes import CPU, GPU, MEMORY, MONEY, gpu_of
from weyr.stack.stack import Stack, StackObject
from weyr.store.kernel import ThingRow

ANY_CPU, ANY_MEMORY = 10.0**6, 2**60
"""What a node may have of which its pool says nothing: all that its machine has."""

NEVER = "It can never start"

Declared = Mapping[str, QueueBody | PoolBody]
"""The terms of queues and pools, by their absolute refs."""


@dataclass(frozen=True, slots=True)
class _Home:
    """The nodes of one pool at its largest, empty: how many replicas of the request they take together, why one of
    them takes none ("" where it does), and what one replica counts for in its queue there."""

    pool: str
    model: str
    replicas: int
    lacks: str
    demand: Mapping[str, int]


def never_findings(stack: Stack, kinds: Kinds, standing: Declared) -> list[Diagnostic]:
    """A fatal finding for each object whose tasks could never start. `standing` are other stacks' queues and pools."""
    declared = dict(standing)
    for ref, item in stack.objects.items():
        if (declares := kinds[ref.kind].declares) is not None:
            declared[ref.absolute] = declares(ref, item.spec)
    found: list[Diagnostic] = []
    for ref, item in stack.objects.items():
        if isinstance(item.spec, TaskSpec):
            together = kinds[ref.kind].together
            replicas = together(item.spec) if together else 1
            found += _of_task(item, replace(asked(ref, item.spec), engine=stack.on.key), replicas, declared)
    return found


def standing_of(stack: Stack, things: Mapping[Ref, Mapping[str, ThingRow]]) -> dict[str, QueueBody | PoolBody]:
    """The terms of what this stack shares with others, as far as they stand."""
    shared = {to.ref(stack.name) for item in stack.objects.values() for _, to in references_of(item.spec) if to.stack}
    bodies = ((ref, thing.body) for ref in shared for thing in things.get(ref, {}).values())
    return {ref.absolute: body for ref, body in bodies if isinstance(body, QueueBody | PoolBody)}


def _of_task(item: StackObject, body: TaskBody, replicas: int, declared: Declared) -> Iterator[Diagnostic]:
    queue = declared.get(body.queue)
    if isinstance(queue, QueueBody) or not body.queue:
        yield from _unknown_class(item, body, queue if isinstance(queue, QueueBody) else None)
    is_known = is_pooled(body) and (body.pool or not body.engine)
    homes = _homes(item.ref, body, replicas, declared) if is_known else []
    fitting = [home for home in homes if home.replicas >= replicas]
    if is_known and not body.pool and not any(_is_pool_of(item.ref.stack, name) for name in declared):
        wants = "accelerators" if body.accelerators else "labels"
        detail = f"It asks for {wants}, which only a pool's nodes have, and names no pool; this stack has none."
        yield _finding(item, ("resources",), NEVER, detail, "weyr explain pool")
    elif homes and not fitting:
        yield _too_large(item, body, homes)
    elif isinstance(queue, QueueBody):
        yield from _over_limit(item, body, replicas, queue, fitting)


def _unknown_class(item: StackObject, body: TaskBody, queue: QueueBody | None) -> Iterator[Diagnostic]:
    known = classes_of(queue.priority_classes if queue else {})
    if body.priority_class and body.priority_class not in known:
        where = body.queue if queue else "a task without a queue"
        detail = f"{where} has no priority class {body.priority_class!r}.{did_you_mean(body.priority_class, known)}"
        suggestion = f"priority_classes: {{{body.priority_class}: 500}}" if queue else ""
        yield _finding(item, ("priority",), "Unknown priority class", detail, suggestion)


def _homes(ref: Ref, body: TaskBody, replicas: int, declared: Declared) -> list[_Home]:
    """The pools that it may use; none where one of them is not known well enough."""
    request, found = request_of(body, ref.stack), []
    for name, pool in declared.items():
        is_candidate = body.pool == name if body.pool else _is_pool_of(ref.stack, name)
        if not is_candidate or not isinstance(pool, PoolBody):
            continue
        if not pool.nodes_max or pool.node.engine or pool.node.detects:
            return []
        found.append(_home(name, pool, request, replicas))
    return found


def _is_pool_of(stack: str, name: str) -> bool:
    ref = Ref.parse(name)
    return (ref.stack, ref.kind) == (stack, "pool")


def _home(name: str, pool: PoolBody, request: Request, replicas: int) -> _Home:
    body = replace(
        pool.node, cpu=pool.node.cpu or ANY_CPU, memory_bytes=pool.node.memory_bytes or ANY_MEMORY
    )  # what a node has of which nothing is said is not known here
    node = node_of(ThingId(Ref.parse(name), "new"), body, NodeFacts(NodeState.READY))
    each = Cluster([node])
    lacks = each.lacks(request)[node.name]
    count = 0 if lacks else each.count(request, replicas)
    milli = request.devices * 1000 + request.share_milli + (slice_milli(request.profile) if request.profile else 0)
    demand = {CPU: request.cpu_milli, MEMORY: request.memory_mib * MIB, GPU: milli}
    if milli:
        demand[gpu_of(request.profile or node.model)] = milli
    if (price := pool.node.price_micros_per_hour) and pool.node.cpu and pool.node.memory_bytes and not lacks:
        demand[MONEY] = Free(node, price).price_micros(request)
    return _Home(name, node.model, count * (pool.nodes_max or 0), lacks, demand)


def _too_large(item: StackObject, body: TaskBody, homes: list[_Home]) -> Diagnostic:
    best = max(homes, key=lambda home: home.replicas)
    if best.replicas:
        detail = (
            f"Its replicas start together, and with all the nodes that {best.pool} may have there is room for "
            f"{best.replicas} of them."
        )
        return _finding(item, ("replicas",), NEVER, detail, f"replicas: {best.replicas}")
    why = "; ".join(f"a node of {home.pool} {home.lacks}" for home in homes[:3])
    path = ("resources", "accelerators") if body.accelerators else ("resources",)
    return _finding(item, path, NEVER, f"It would wait for ever: {why}.", f"weyr explain {item.ref.kind}")


def _over_limit(
    item: StackObject, body: TaskBody, replicas: int, queue: QueueBody, homes: list[_Home]
) -> Iterator[Diagnostic]:
    """Alone in its queue, with everything borrowed that may be."""
    plain = {CPU: round(body.cpu * 1000), MEMORY: body.memory_bytes or 0}
    account = Account(queue_of(body.queue, queue))
    passed: list[tuple[str, int]] = []
    for demand in [home.demand for home in homes] or [plain]:
        whole = {name: amount * replicas for name, amount in demand.items() if amount}
        over = account.passed("", whole)
        if not over:
            return
        passed.append((over, whole[over.removesuffix(OF_USER)]))
    over, asked_for = passed[0]
    name = over.removesuffix(OF_USER)
    limit = (queue.user_limit if over.endswith(OF_USER) else queue.limit)[name]
    whom = "each of its users" if over.endswith(OF_USER) else "all of it together, with what it may borrow,"
    detail = (
        f"It asks for {amount_text(name, asked_for)}, and {body.queue} lets {whom} have {amount_text(name, limit)}: "
        "it would wait for ever."
    )
    field = ("resources", "accelerators") if name.startswith(GPU) else ("resources",)
    yield _finding(item, field, NEVER, detail, "weyr explain queue")


def _finding(item: StackObject, path: tuple[str, ...], summary: str, detail: str, suggestion: str) -> Diagnostic:
    return Diagnostic(summary, detail, Severity.FATAL, item.place_of(*path), str(item.ref), suggestion)
