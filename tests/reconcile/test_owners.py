"""Between whom is a queue shared? Between those who brought its jobs up, however many each of them has."""

from weyr.core.capability import TaskBody, Wanted
from weyr.core.pools import QueueBody
from weyr.core.ref import Ref, ThingId
from weyr.reconcile.scheduler.board import Board

QUEUE = "lab:queue/q"
BODY = TaskBody(("x",), "/", queue=QUEUE)


def owner_of(ref: Ref) -> str:
    """`many3` is of many, `few1` of few; `stack` is nobody's."""
    return "" if ref.name.startswith("stack") else ref.name.rstrip("0123456789")


def board(limits: dict[str, int] | None = None) -> Board:
    """Four cores and one queue for all of them."""
    found = Board(4, 2**30)
    found.owner_of = owner_of
    found.put_queue(QUEUE, QueueBody(user_limit=limits or {}))
    return found


def bring_up(found: Board, *names: str) -> None:
    for at, name in enumerate(names):
        found.line_up(found.join(Wanted(ThingId(Ref("lab", "job", name), "1"), 1, BODY), float(at)))


def test_who_has_few_jobs_waits_for_nobody_who_has_many() -> None:
    """Of one stack and one queue: who submitted 500 first does not keep the other's two waiting until they are done."""
    found = board()
    many = [f"many{number}" for number in range(500)]
    bring_up(found, *many)
    found.decide(500.0)
    bring_up(found, "few0", "few1")
    running = [group for group in found.groups.values() if group.stage.name == "CHOSEN"]
    assert [group.ref.name for group in running] == many[:4]
    for group in running[:2]:
        found.forget(group)
    started = {start.id for start in found.decide(600.0).starts}
    assert started == {"lab:job/few0#1", "lab:job/few1#1"}


def test_a_limit_of_each_user_is_of_people_and_not_of_their_stack() -> None:
    """Two people of one team each have what a user may; a stack that nobody brought up by name is one user."""
    found = board({"cpu": 1000})
    bring_up(found, "ann0", "ann1", "bob0", "stack0", "stack1")
    assert {start.id for start in found.decide(10.0).starts} == {"lab:job/ann0#1", "lab:job/bob0#1", "lab:job/stack0#1"}


def test_another_who_takes_a_job_over_takes_its_turn_over() -> None:
    """What waits is its new owner's as soon as it is wanted by that one."""
    owners = {"a": "ann"}
    found = Board(1, 2**30)
    found.owner_of = lambda ref: owners.get(ref.name, "")
    found.put_queue(QUEUE, QueueBody())
    bring_up(found, "a", "b")
    found.decide(10.0)
    (waiting,) = found.queueing.lanes.tasks.values()
    assert waiting.user == "lab"
    owners["b"] = "bob"
    want = Wanted(ThingId(Ref("lab", "job", "b"), "1"), 2, BODY)
    found.change(found.members[want.id], want)
    (waiting,) = found.queueing.lanes.tasks.values()
    assert waiting.user == "bob"
