"""What `weyr why` answers, from the board alone."""

import pytest

from weyr.core.capability import Accelerators, TaskBody, Wanted
from weyr.core.pools import NodeBody, NodeFacts, NodeState, PoolBody, QueueBody
from weyr.core.priorities import PriorityClass
from weyr.core.ref import Ref, ThingId
from weyr.reconcile.scheduler.board import Board
from weyr.reconcile.scheduler.groups import Stage
from weyr.reconcile.scheduler.why import Waits, waits_of

GPU = "box:pool/gpu"
TEAM = "box:queue/team"
NODE = NodeBody(GPU, cpu=8, memory_bytes=2**33, model="H100", devices=2)


CLASSES = {"high": PriorityClass(700), "scavenger": PriorityClass(-5, preempts=False)}


def body(devices: int = 0, queue: str = "", priority: int = 0, pool: str = GPU, urgency: str = "") -> TaskBody:
    wanted = Accelerators("H100", devices) if devices else None
    return TaskBody(("x",), "/", accelerators=wanted, pool=pool, queue=queue, priority=priority, priority_class=urgency)


def board(*tasks: tuple[str, TaskBody], nodes: int = 1) -> Board:
    """A pool of nodes with two devices each, a queue that may use one device, and jobs that were asked for in turn."""
    found = Board(2, 2**30)
    found.pools[GPU] = PoolBody(NODE, 2)
    found.put_queue(TEAM, QueueBody({"gpu/H100": 1000}, {"gpu/H100": 1000}, priority_classes=CLASSES))
    for number in range(nodes):
        found.put_node(ThingId(Ref.parse(GPU), f"n{number}"), NODE, NodeFacts(NodeState.READY))
    for at, (name, task) in enumerate(tasks):
        group = found.join(Wanted(ThingId(Ref("box", "job", name), "1"), 1, task), float(at))
        found.line_up(group)
    found.decide(10.0)
    return found


def why(found: Board, name: str) -> list[Waits]:
    return list(waits_of(found, Ref("box", "job", name), 10.0))


CASES: dict[str, tuple[Board, str]] = {
    "no room": (board(("a", body(1)), ("b", body(2))), "has 1 device wholly free, of 2 asked for"),
    "no node": (board(("b", body(2)), nodes=0), "There is no node yet in box:pool/gpu"),
    "too much for any node": (board(("b", body(4))), "of 4 asked for"),
    "over its quota": (board(("b", body(2, TEAM))), "box:queue/team has no more gpu/H100 to give"),
    "no such queue": (board(("b", body(1, "box:queue/none"))), "There is no box:queue/none."),
    "a class of its queue": (board(("b", body(2, TEAM, urgency="high"))), "Its priority is high (700)."),
    "a class that stops nobody": (
        board(("b", body(2, TEAM, urgency="scavenger"))),
        "Its priority is scavenger (-5), for which nobody is stopped.",
    ),
    "no such class": (board(("b", body(1, TEAM, urgency="hi"))), "box:queue/team has no priority class 'hi', only"),
    "behind": (board(("a", body(2)), ("c", body(2, priority=9)), ("b", body(2))), "1 of its queue is before it"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_says_what_is_waited_for(case: str) -> None:
    """Whoever waits must learn what to change."""
    found, text = CASES[case]
    (waits,) = why(found, "b")
    assert text in waits.sentence
    assert waits.sentence.endswith(".")


def test_what_runs_and_what_is_done_waits_for_nothing() -> None:
    """No answer is better than one of a moment ago."""
    found = board(("a", body(1)))
    (group,) = found.groups.values()
    group.stage = Stage.TOLD  # as the scheduler notes once an engine has it
    assert why(found, "a") == []
    assert why(found, "gone") == []


def test_this_machine_is_not_told_of_to_who_asks_for_a_pool() -> None:
    """It lacks an accelerator, and was never meant to have one."""
    (waits,) = why(board(("b", body(4))), "b")
    assert [name for name, _ in waits.nodes] == ["box:pool/gpu#n0"]
    assert waits.sentence.endswith("No node has room (box:pool/gpu#n0 has 2 devices in all, of 4 asked for).")
    whole = TaskBody(("x",), "/", cpu=2)
    found = board(("a", whole), ("b", whole))
    assert [name for name, _ in why(found, "b")[0].nodes] == ["here"]


def test_an_unknown_queue_is_told_of_once() -> None:
    """A sentence that says a thing twice reads like two troubles."""
    (waits,) = why(CASES["no such queue"][0], "b")
    assert waits.sentence.count("box:queue/none") == 1


def test_a_class_is_what_its_queue_says_now() -> None:
    """Who waits is worth more or less as soon as the queue says so, and who waits for a class starts once there is one.

    The number is what the engine is told: Slurm orders by it.
    """
    found = board(("a", body(2)), ("b", body(1, TEAM, urgency="hi")))
    (group,) = (group for group in found.groups.values() if group.ref.name == "b")
    classes = {"hi": PriorityClass(7, preempts=False)}
    found.put_queue(TEAM, QueueBody({"gpu/H100": 1000}, {"gpu/H100": 1000}, priority_classes=classes))
    task = found.queueing.lanes.tasks[group.id]
    assert (task.queue, task.priority, task.preempts) == (TEAM, 7, False)
    (member,) = group.in_order
    want = found.filled(member)
    assert isinstance(want.body, TaskBody)
    assert want.body.priority == 7
