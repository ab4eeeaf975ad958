"""How many more nodes would what waits fill, pool by pool? The board, as `weyr.scheduling.scaling` takes it."""

from collections.abc import Iterator, Mapping

from weyr.core.pools import NodeBody, NodeFacts, NodeState
from weyr.core.ref import Ref, ThingId
from weyr.reconcile.scheduler.board import Board
from weyr.reconcile.scheduler.shapes import MIB, node_of
from weyr.scheduling.placement import Request
from weyr.scheduling.queueing import CPU, GPU, MEMORY, Lacking, NoRoom, gpu_of
from weyr.scheduling.scaling.nodes import Template, nodes_to_add


def nodes_lacking(board: Board, fresh: Mapping[str, NodeBody]) -> dict[str, int]:
    """By pool, beside the nodes that are ready; those that are starting count as lacking still.

    `fresh` says what a new node of a pool would have, for those that leave some of it to the machine.
    """
    templates = []
    for name, pool in board.pools.items():
        ref = Ref.parse(name)
        mine = [node for id, node in board.nodes.items() if id.ref == ref]
        ready = sum(node.facts.state is not NodeState.STARTING for node in mine)
        if pool.nodes_max is not None and pool.nodes_max > ready:
            node = node_of(ThingId(ref, "new"), fresh.get(name, pool.node), NodeFacts(NodeState.READY))
            templates.append(Template(name, node, pool.node.price_micros_per_hour or 0, pool.nodes_max - ready))
    return nodes_to_add(_lacking(board), templates) if templates else {}


def _lacking(board: Board) -> Iterator[Lacking]:
    """What has no room, as far as its queue may still have it: nodes for the rest would stand idle."""
    claimed: dict[str, dict[str, int]] = {}
    for lane in board.queueing.lanes.lanes.values():
        if isinstance(lane.verdict, NoRoom) and lane.size:
            alike, account = lane.alike, board.queueing.accounts.get(lane.alike.queue)
            limit = account.queue.limit if account else {}
            used = claimed.setdefault(alike.queue, dict(account.used) if account else {})
            tasks, demand = lane.size, _demand(alike.request, alike.replicas)
            for name, amount in demand.items():
                if amount and name in limit:
                    tasks = min(tasks, max(limit[name] - used.get(name, 0), 0) // amount)
            for name, amount in demand.items():
                used[name] = used.get(name, 0) + tasks * amount
            if tasks:
                yield Lacking(alike.request, alike.replicas, tasks)


def _demand(request: Request, replicas: int) -> dict[str, int]:
    """What one of them counts for in its queue, but for money: that is known once it has its nodes."""
    milli = request.share_milli or request.devices * 1000
    found = {CPU: request.cpu_milli, MEMORY: request.memory_mib * MIB, GPU: milli}
    if len(request.models) == 1:
        found[gpu_of(next(iter(request.models)))] = milli
    return {name: amount * replicas for name, amount in found.items()}
