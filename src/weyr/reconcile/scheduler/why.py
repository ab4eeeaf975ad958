"""Why does an object's task not run? The long answer: a sentence, what each node lacks, and when it should start."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from weyr.core.priorities import priority_text
from weyr.core.ref import Ref, ThingId
from weyr.reconcile.scheduler.board import Board
from weyr.reconcile.scheduler.groups import Group, Stage
from weyr.reconcile.scheduler.reasons import waits_text
from weyr.reconcile.scheduler.shapes import HERE, POOL_LABEL, STACK_LABEL, is_pooled
from weyr.scheduling.queueing import NoQueue
from weyr.scheduling.queueing.why import Lack

NODES_MAX = 100
"""So many nodes are told of one by one; the sentence counts all."""

FORECASTS_MAX = 1
"""For so many it is played forward when they should start: it takes a moment, and others wait for the board."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Why a task, or a gang, waits. `nodes` are pairs of a node and what it lacks; `ahead`, how many have their turn
    before it; `starts_at` is Unix seconds, None where nobody knows."""

    tasks: tuple[ThingId, ...]
    sentence: str
    nodes: tuple[tuple[str, str], ...] = ()
    ahead: int = 0
    starts_at: float | None = None


def waits_of(board: Board, ref: Ref, now: float) -> Iterator[Waits]:
    """Everything of the object that waits. Nothing where it does not wait for the scheduler."""
    forecasts = FORECASTS_MAX
    for group in [each for each in board.groups.values() if each.ref == ref and each.stage is not Stage.TOLD]:
        tasks = tuple(member.want.id for member in group.in_order)
        if group.stage is not Stage.WAITING:
            yield Waits(tasks, f"{waits_text(board, group)}.".capitalize())
            continue
        reason = board.queueing.why(group.id, now)
        if reason.starts_s is None and forecasts:
            forecasts -= 1
            reason = replace(reason, starts_s=board.queueing.starts_s(group.id, now))
        nodes = tuple(_nodes(board, group))
        reason = replace(reason, lacks=tuple(_of_candidates(board, group, reason.lacks)))
        said = "" if isinstance(reason.verdict, NoQueue) else reason.sentence(now)
        yield Waits(tasks, _sentence(board, group, said, nodes), nodes, reason.ahead, reason.starts_s)


def _sentence(board: Board, group: Group, said: str, nodes: tuple[tuple[str, str], ...]) -> str:
    short = waits_text(board, group)
    if said and not nodes and is_pooled(group.body):
        pools = [name for name in board.pools if group.body.pool in ("", name)]
        said = f"There is no node yet in {', '.join(sorted(pools))}" if pools else "There is no pool for it"
    # A queue's address stays as it is written.
    short = short if short.startswith(group.body.queue or " ") else short[0].upper() + short[1:]
    return ". ".join([short, *([said] if said else []), *_priority(board, group)]) + "."


def _priority(board: Board, group: Group) -> Iterator[str]:
    """Told where it was chosen by name: the number is its queue's."""
    name, urgency = group.body.priority_class, board.class_of(group.body)
    if name and urgency is not None and (group.body.queue in board.queues or not group.body.queue):
        never = "" if urgency.preempts else ", for which nobody is stopped"
        yield f"Its priority is {priority_text(name, urgency.value)}{never}"


def _nodes(board: Board, group: Group) -> Iterator[tuple[str, str]]:
    """What each node lacks that it could go to at all: of the pools it may use, or this machine."""
    lacks = board.queueing.nodes.lacks(board.request(group))
    for name in _candidates(board, group)[:NODES_MAX]:
        yield name, lacks.get(name, _closed(board, name)) or "has room"


def _closed(board: Board, name: str) -> str:
    node = None if name.startswith(HERE) else board.nodes.get(ThingId.parse(name))
    return f"takes nothing new now: {node.facts.detail}" if node and node.facts.detail else "takes nothing new now"


def _of_candidates(board: Board, group: Group, lacks: Iterable[Lack]) -> Iterator[Lack]:
    """This machine is left out for what asks for a pool, and another stack's nodes for what may not use them."""
    candidates = set(_candidates(board, group))
    for lack in lacks:
        if nodes := tuple(name for name in lack.nodes if name in candidates):
            yield replace(lack, nodes=nodes)


def _candidates(board: Board, group: Group) -> list[str]:
    """Nodes where it belongs, whatever they lack: also a label that it asks for."""
    homes = {pair for pair in board.request(group).labels if pair[0] in (HERE, POOL_LABEL, STACK_LABEL)}
    return [free.node.name for free in board.queueing.nodes.all() if homes <= set(free.node.labels.items())]
