"""Who starts now, who stops for whom, and why does each of the others wait? Pure, and importable alone.

All of it at once, where few wait:

    from weyr.scheduling.placement import Node, Request
    from weyr.scheduling.queueing import Queue, Task, decide

    nodes = [Node("a", cpu_milli=8_000, memory_mib=65_536, devices=4, model="A100")]
    queues = [Queue("research", guarantee={"gpu": 3_000}, limit={"gpu": 4_000}), Queue("batch")]
    waiting = [Task("train", Request(cpu_milli=1_000, devices=2), queue="research", user="ann", submitted_s=0.0)]
    found = decide(nodes, queues, running=[], waiting=waiting, now_s=10.0)
    found.starts        # (Start("train", places=(Placed(node="a", devices=(0, 1), ...),), after=()),)
    found.preemptions   # who stops, for whom, on what ground, at what loss
    found.reasons       # for each that still waits: .sentence(10.0)

Step by step, where a hundred thousand do (each tick costs what changed):

    board = Queueing(queues, nodes)
    board.put_node(node, price_micros_per_hour=3_060_000, is_open=True)   # there is one more, or it changed
    board.submit(task)             # wants to run
    board.adopt(running)           # runs already, as found after a restart
    board.decide(now_s)            # starts and preemptions; the board takes them as done
    board.checkpoint(id, at_s)     # stopping it costs less from now on
    board.end(id)                  # seen to have ended, or could not be started, or withdrawn
    board.why(id, now_s).sentence(now_s)
    board.starts_s(id, now_s)      # when it should start: the same decisions played forward on a copy

How long tasks take is learnt from those that `succeeded(id, at_s)`, told before their `end`: who is expected to take
least goes first by default (`Policy(LeastExpected(history))`).

A start is carried out once everybody in its `after` is seen to have ended. A preempted task is ended (`end`) when that
is seen, and submitted again with the same `submitted_s`, its `since_s` now, and what it had attained. A gang is one
task with replicas. An engine that places by itself is one large node. What nothing bounds may be given a `Request()`
of nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from weyr.scheduling.placement import Node
from weyr.scheduling.queueing.board import Queueing
from weyr.scheduling.queueing.policy import Fairness, Policy
from weyr.scheduling.queueing.ranks import History, InOrder, LeastAttained, LeastExpected, Ranker
from weyr.scheduling.queueing.shapes import (
    CPU,
    GPU,
    MEMORY,
    MONEY,
    Amounts,
    Backfill,
    Because,
    Decisions,
    Lacking,
    Preemption,
    Queue,
    Reclaim,
    Running,
    Start,
    Task,
    gpu_of,
)
from weyr.scheduling.queueing.verdicts import Behind, NoQueue, NoRoom, OverLimit, Verdict
from weyr.scheduling.queueing.why import Lack, Reason, UsedUp

__all__ = [
    "CPU",
    "GPU",
    "MEMORY",
    "MONEY",
    "Amounts",
    "Backfill",
    "Because",
    "Behind",
    "Decided",
    "Decisions",
    "Fairness",
    "History",
    "InOrder",
    "Lack",
    "Lacking",
    "LeastAttained",
    "LeastExpected",
    "NoQueue",
    "NoRoom",
    "OverLimit",
    "Policy",
    "Preemption",
    "Queue",
    "Queueing",
    "Ranker",
    "Reclaim",
    "Reason",
    "Running",
    "Start",
    "Task",
    "UsedUp",
    "Verdict",
    "decide",
    "gpu_of",
]


@dataclass(frozen=True, slots=True)
class Decided(Decisions):
    """Decisions, and for each that still waits why."""

    reasons: Mapping[str, Reason] = field(default_factory=dict)


def decide(
    nodes: Iterable[Node],
    queues: Iterable[Queue],
    running: Iterable[Running],
    waiting: Iterable[Task],
    now_s: float,
    policy: Policy | None = None,
    prices_micros_per_hour: Mapping[str, int] | None = None,
) -> Decided:
    """Everything decided anew from what runs and waits; of those submitted at one time, the first given comes first.

    `prices_micros_per_hour` are of whole nodes, by name.

    Raises: ValueError where an id is there twice.
    """
    board = Queueing(queues, (), policy)
    for node in nodes:
        board.put_node(node, (prices_micros_per_hour or {}).get(node.name, 0))
    for each in running:
        board.adopt(each)
    tasks = list(waiting)
    for task in tasks:
        board.submit(task)
    found = board.decide(now_s)
    reasons = {task.id: board.why(task.id, now_s) for task in tasks if task.id in board.lanes}
    return Decided(found.starts, found.preemptions, found.lacking, found.again_s, reasons)
