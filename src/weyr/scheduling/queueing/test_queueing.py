"""Who starts, who stops and who waits: each rule of the queues by its smallest case."""

from dataclasses import replace

import pytest

from weyr.scheduling.placement import Node, Placed, Request
from weyr.scheduling.queueing import (
    Because,
    Behind,
    Decided,
    Fairness,
    InOrder,
    LeastAttained,
    NoQueue,
    NoRoom,
    OverLimit,
    Policy,
    Queue,
    Queueing,
    Reclaim,
    Running,
    Task,
    decide,
)
from weyr.scheduling.queueing.shapes import Backfill

NODE = Node("a", cpu_milli=64_000, memory_mib=262_144, devices=4, model="A100")
PAIR = [NODE, Node("b", 64_000, 262_144, 4, "A100")]
ONE_LINE = [Queue("")]
HOUR = 3600.0


def gpus(id: str, count: float, replicas: int = 1, at: float = 0.0, **rest: object) -> Task:
    request = Request(devices=int(count)) if count >= 1 else Request(share_milli=int(count * 1000))
    return Task(id, request, replicas, submitted_s=at, **rest)  # type: ignore[arg-type]


def on(task: Task, *devices: int, at: float = 0.0, checkpoint: float | None = None) -> Running:
    return Running(task, at, (Placed(task.request, "a", devices),), checkpoint)


def where(found: Decided) -> list[list[tuple[str, tuple[int, ...]]]]:
    return [[(placed.node, placed.devices) for placed in start.places] for start in found.starts]


def started(found: Decided) -> list[str]:
    return [start.id for start in found.starts]


def test_first_come_first_served() -> None:
    """Of equals, who came first goes first, whatever order they are told in."""
    waiting = [gpus("late", 3, at=2), gpus("early", 3, at=1)]
    found = decide([NODE], ONE_LINE, [], waiting, 10)
    assert started(found) == ["early"]
    assert isinstance(found.reasons["late"].verdict, NoRoom)


def test_who_preempts_never_waits_at_its_place() -> None:
    """As a PriorityClass with preemptionPolicy Never: first in line, and nobody is stopped for it."""
    running = [on(gpus("r", 4, is_preemptible=True), 0, 1, 2, 3)]
    queues = [Queue("", guarantee={"gpu": 4000}), Queue("lent")]
    for held in (running, [on(gpus("r", 4, queue="lent"), 0, 1, 2, 3)]):
        meek, bold = gpus("meek", 2, priority=8, preempts=False), gpus("bold", 2, priority=9)
        assert decide([NODE], queues, held, [meek], HOUR).preemptions == ()
        assert [each.heir for each in decide([NODE], queues, held, [meek, bold], HOUR).preemptions] == ["bold"]


@pytest.mark.parametrize(
    ("reclaims", "priority", "stopped"),
    [
        (Reclaim.ANY, 0, ["low"]),
        (Reclaim.LOWER_PRIORITY, 0, []),
        (Reclaim.LOWER_PRIORITY, 3, ["low"]),
        (Reclaim.LOWER_PRIORITY, 9, ["low"]),
        (Reclaim.NEVER, 9, []),
    ],
)
def test_what_a_queue_lent_is_taken_back_from_whom_it_says(
    reclaims: Reclaim, priority: int, stopped: list[str]
) -> None:
    """As Kueue's reclaimWithinCohort: a queue may rather wait than have another's work stopped."""
    queues = [Queue("", guarantee={"gpu": 4000}, reclaims=reclaims), Queue("lent")]
    running = [
        on(gpus("low", 2, queue="lent", priority=1), 0, 1, checkpoint=0.9 * HOUR),
        on(gpus("high", 2, queue="lent", priority=5), 2, 3),
    ]
    found = decide([NODE], queues, running, [gpus("mine", 2, priority=priority)], HOUR)
    assert [each.id for each in found.preemptions] == stopped
    assert all(each.because is Because.LENT for each in found.preemptions)


@pytest.mark.parametrize(("displaces", "priority", "stopped"), [(True, 2, ["low"]), (True, 1, []), (False, 2, [])])
def test_who_borrows_with_more_priority_may_take_what_others_borrowed(
    displaces: bool, priority: int, stopped: list[str]
) -> None:
    """As Kueue's borrowWithinCohort; what is within its guarantee, or may not be preempted, stays."""
    queues = [Queue("", displaces=displaces), Queue("lent"), Queue("own", guarantee={"gpu": 1000})]
    running = [
        on(gpus("low", 2, queue="lent", priority=1, is_preemptible=True), 0, 1),
        on(gpus("firm", 1, queue="lent"), 2),
        on(gpus("own", 1, queue="own", is_preemptible=True), 3),
    ]
    found = decide([NODE], queues, running, [gpus("mine", 2, priority=priority)], HOUR)
    assert [(each.id, each.because) for each in found.preemptions] == [(id, Because.PRIORITY) for id in stopped]


def test_a_gang_starts_whole_or_not_at_all() -> None:
    """Half a gang would wait for its other half and keep the room from everybody."""
    assert started(decide(PAIR, ONE_LINE, [], [gpus("gang", 3, replicas=3)], 0)) == []
    found = decide(PAIR, ONE_LINE, [], [gpus("gang", 3, replicas=2), gpus("one", 1)], 0)
    assert [{node for node, _ in places} for places in where(found)] == [{"a", "b"}, {where(found)[1][0][0]}]
    assert [devices for places in where(found) for _, devices in places] == [(0, 1, 2), (0, 1, 2), (3,)]


def test_half_a_gpu_goes_where_the_other_half_is_taken() -> None:
    """Two that need half a GPU share one, so the others stay whole."""
    found = decide([NODE], ONE_LINE, [], [gpus("x", 0.5), gpus("y", 0.5), gpus("z", 3)], 0)
    assert [start.places[0].devices for start in found.starts] == [(0,), (0,), (1, 2, 3)]


def test_a_queue_never_passes_its_limit() -> None:
    """A team that may use three GPUs leaves the fourth alone, though nobody uses it."""
    queues = [Queue("team", limit={"gpu/A100": 3000}), Queue("other")]
    waiting = [
        gpus("x", 2, queue="team", user="ann"),
        gpus("y", 2, queue="team", user="bob"),
        gpus("z", 1, queue="other"),
    ]
    found = decide([NODE], queues, [], waiting, 0)
    assert started(found) == ["x", "z"]
    assert found.reasons["y"].verdict == OverLimit(("gpu/A100",))
    assert found.reasons["y"].sentence(0) == "Queue team uses 2 A100 of the 3 A100 it may (ann 2 A100)"


def test_money_is_limited_by_what_the_nodes_cost() -> None:
    """A queue of 5 an hour gets one half of a node that costs 8, and not the other."""
    queues = [Queue("", limit={"money": 5_000_000})]
    waiting = [gpus("x", 2), gpus("y", 2, at=1)]
    found = decide([NODE], queues, [], waiting, 1, prices_micros_per_hour={"a": 8_000_000})
    assert started(found) == ["x"]
    assert "4.00 per hour of the 5.00 per hour" in found.reasons["y"].sentence(1)


def test_no_user_passes_what_one_user_may_have() -> None:
    """One user of a queue cannot take all of it."""
    queues = [Queue("", user_limit={"gpu": 1000})]
    waiting = [gpus("x", 1, user="ann"), gpus("y", 1, user="ann"), gpus("z", 1, user="bob")]
    assert started(decide([NODE], queues, [], waiting, 0)) == ["x", "z"]


def test_who_has_less_of_its_share_goes_first() -> None:
    """Three parts to one: the queue of weight 3 ends up with three of four GPUs."""
    queues = [Queue("large", weight=3), Queue("small")]
    waiting = [gpus(f"{queue}{n}", 1, queue=queue) for n in range(4) for queue in ("small", "large")]
    found = decide([NODE], queues, [], waiting, 0)
    assert sorted(started(found)) == ["large0", "large1", "large2", "small0"]


def test_users_of_a_queue_take_turns() -> None:
    """A hundred jobs of one do not keep the only job of another waiting."""
    waiting = [*(gpus(f"ann{n}", 1, user="ann") for n in range(100)), gpus("bob", 1, user="bob", at=5)]
    assert "bob" in started(decide([NODE], ONE_LINE, [], waiting, 6))
    alone = decide([NODE], ONE_LINE, [], waiting, 6, Policy(fairness=Fairness.NONE))
    assert "bob" not in started(alone)


def test_the_urgent_goes_first() -> None:
    """A higher priority passes whoever came before it."""
    assert started(decide([NODE], ONE_LINE, [], [gpus("x", 4), gpus("urgent", 4, at=1, priority=5)], 2)) == ["urgent"]


def test_small_ones_pass_a_large_one_only_if_it_waits_no_longer_for_them() -> None:
    """The large one's turn comes when the running one ends; a short one is done by then, a long one is not."""
    running = [on(gpus("r", 3, limit_s=HOUR), 0, 1, 2)]
    waiting = [gpus("large", 4), gpus("long", 1, at=1, limit_s=2 * HOUR), gpus("short", 1, at=2, limit_s=HOUR / 2)]
    found = decide([NODE], ONE_LINE, running, waiting, 60)
    assert started(found) == ["short"]
    assert found.reasons["large"].starts_s == HOUR
    assert found.reasons["long"].verdict == Behind("large", HOUR)
    strict = decide([NODE], ONE_LINE, running, waiting, 60, Policy(backfill=Backfill.NONE))
    assert started(strict) == []


def test_nobody_waits_for_what_can_never_run() -> None:
    """A job that no node is large enough for does not stop the line; it says so."""
    strict = Policy(InOrder(), Backfill.NONE)
    assert started(decide([NODE], ONE_LINE, [], [gpus("huge", 8), gpus("small", 1, at=1)], 2, strict)) == ["small"]
    found = decide([NODE], ONE_LINE, [], [gpus("huge", 8), gpus("small", 1, at=1)], 2)
    assert started(found) == ["small"]
    (lack,) = found.reasons["huge"].lacks
    assert lack.is_for_good
    assert "a has 4 devices in all, of 8 asked for" in found.reasons["huge"].sentence(2)
    assert [(lacking.request.devices, lacking.tasks) for lacking in found.lacking] == [(8, 1)]


def test_the_cheapest_loss_is_taken() -> None:
    """Of two that could stop, the one that has just written a checkpoint does, though it has run for longer."""
    running = [
        on(gpus("fresh", 2, is_preemptible=True), 0, 1, at=0, checkpoint=0.9 * HOUR),
        on(gpus("stale", 2, is_preemptible=True), 2, 3, at=0),
    ]
    found = decide([NODE], ONE_LINE, running, [gpus("urgent", 2, priority=1)], HOUR)
    assert [(each.id, each.heir, each.because) for each in found.preemptions] == [("fresh", "urgent", Because.PRIORITY)]
    assert [(start.id, start.after) for start in found.starts] == [("urgent", ("fresh",))]


@pytest.mark.parametrize(
    ("why_not", "task", "at"),
    [
        ("it is of equal priority", gpus("r", 4, priority=1, is_preemptible=True), 0.0),
        ("it must not be stopped", gpus("r", 4), 0.0),
        ("it has only just begun", gpus("r", 4, is_preemptible=True), HOUR - 10),
    ],
)
def test_who_is_not_stopped(why_not: str, task: Task, at: float) -> None:
    """Equals are never stopped, nor what may not be, nor what has had no time to get anywhere."""
    running = [on(task, 0, 1, 2, 3, at=at)]
    found = decide([NODE], ONE_LINE, running, [gpus("urgent", 4, priority=1)], HOUR)
    assert (found.preemptions, found.starts) == ((), ()), why_not


def test_nobody_is_stopped_in_vain() -> None:
    """If stopping everything that may be stopped would not make enough room, nothing is."""
    running = [
        on(gpus("may", 2, is_preemptible=True), 0, 1),
        on(gpus("may not", 1), 2),
    ]
    found = decide([NODE], ONE_LINE, running, [gpus("urgent", 4, priority=1)], HOUR)
    assert (found.preemptions, found.starts) == ((), ())


def test_what_was_lent_comes_back_at_once() -> None:
    """A guarantee is worth something only if it is met now, whoever has borrowed it and however shortly ago."""
    queues = [Queue("owner", guarantee={"gpu": 2000}), Queue("guest")]
    running = [on(gpus(f"g{n}", 1, queue="guest"), n, at=HOUR - n) for n in range(4)]
    found = decide(
        [NODE], queues, running, [gpus("mine", 2, queue="owner"), gpus("more", 1, queue="owner", at=1)], HOUR
    )
    assert [each.id for each in found.preemptions] == ["g0", "g1"]
    assert {each.because for each in found.preemptions} == {Because.LENT}
    assert started(found) == ["mine"]


def test_nothing_is_taken_back_from_who_is_within_its_own_guarantee() -> None:
    """Two queues with guarantees: neither takes the other's."""
    queues = [Queue("x", guarantee={"gpu": 4000}), Queue("y", guarantee={"gpu": 2000})]
    running = [on(gpus(f"y{n}", 1, queue="y"), n) for n in range(2)]
    found = decide([NODE], queues, running, [gpus("x", 3, queue="x")], HOUR)
    assert (found.preemptions, found.starts) == ((), ())


def test_who_has_had_least_goes_first_where_turns_are_taken() -> None:
    """With time slices, a long one stops for a new one once it has had its turn."""
    policy = Policy(LeastAttained((4 * HOUR,)), is_slicing=True)
    running = [on(gpus("long", 4, is_preemptible=True), 0, 1, 2, 3, checkpoint=2 * HOUR)]
    board = Queueing(ONE_LINE, [NODE], policy)
    board.adopt(running[0])
    board.submit(gpus("new", 4, at=HOUR / 2))
    assert not board.decide(HOUR / 2).starts
    found = board.decide(2 * HOUR)
    assert [(each.id, each.because) for each in found.preemptions] == [("long", Because.TURN)]


def test_in_a_queue_that_is_not_declared_nobody_starts_though_something_runs_there() -> None:
    """A server that begins knows what runs before it knows the queues, and one that is gone has no limits any more:
    either would let in as many as ask."""
    board = Queueing([Queue(""), Queue("lab", limit={"gpu/A100": 1000})], [NODE])
    board.adopt(on(gpus("runs", 1, queue="lab"), 0))
    board.set_queues([Queue("")])
    board.submit(gpus("waits", 1, queue="lab"))
    assert not board.decide(1).starts
    assert isinstance(board.why("waits", 1).verdict, NoQueue)
    board.set_queues([Queue(""), Queue("lab")])
    assert [start.id for start in board.decide(2).starts] == ["waits"]


def test_whoever_takes_the_quota_of_one_that_is_being_stopped_waits_for_its_end() -> None:
    """On another node there is room at once; but for the time of a grace both would have the queue's devices."""
    board = Queueing([Queue("lab", limit={"gpu": 4000})], PAIR)
    board.put_node(NODE, is_open=False)
    board.adopt(replace(on(gpus("old", 4, queue="lab"), 0, 1, 2, 3), is_stopping=True))
    board.submit(gpus("new", 4, queue="lab"))
    (start,) = board.decide(1).starts
    assert ({placed.node for placed in start.places}, start.after) == ({"b"}, ("old",))


def test_a_queue_that_nobody_declared_is_said_to_be_missing() -> None:
    """A misspelt queue waits and says so; it is not taken for a queue without limits."""
    found = decide([NODE], [Queue("train")], [], [gpus("x", 1, queue="trian")], 0)
    assert found.reasons["x"].verdict == NoQueue()
    assert "no queue 'trian'" in found.reasons["x"].sentence(0)


def test_nodes_that_do_not_suit_are_told_apart() -> None:
    """The reason counts the nodes by what each lacks, so that one sees what to change."""
    nodes = [
        NODE,
        Node("cpu", 8000, 1024),
        Node("t4", 8000, 1024, 1, "T4"),
        Node("shut", 8000, 1024),
    ]
    request = Request(devices=1, models=frozenset({"A100"}))
    running = [on(gpus("r", 4), 0, 1, 2, 3)]
    reason = decide(nodes, ONE_LINE, running, [Task("w", request)], 0).reasons["w"]
    assert {lack.nodes: lack.is_for_good for lack in reason.lacks} == {
        ("a",): False,
        ("cpu", "shut"): True,
        ("t4",): True,
    }
    assert "t4 has T4, not A100" in reason.sentence(0)


def test_a_large_one_is_not_kept_from_its_quota_for_ever() -> None:
    """Small jobs of the same queue would use up each GPU of its limit as it comes free."""
    queues = [Queue("", limit={"gpu": 2000})]
    running = [on(gpus("r", 1), 0)]
    waiting = [gpus("large", 2), gpus("small", 1, at=1)]
    assert started(decide([NODE], queues, running, waiting, HOUR)) == ["small"]
    found = decide([NODE], queues, running, waiting, 25 * HOUR)
    assert started(found) == []
    assert found.reasons["small"].verdict == Behind("large", None)


def test_it_is_said_when_it_should_start() -> None:
    """The decisions played forward: the first when the running one must end, the second after the first."""
    board = Queueing(ONE_LINE, [NODE])
    board.adopt(on(gpus("r", 4, limit_s=HOUR), 0, 1, 2, 3))
    for n in range(3):
        board.submit(gpus(f"w{n}", 4, at=n, limit_s=HOUR if n < 2 else None))
    board.decide(60)
    assert [board.starts_s(f"w{n}", 60) for n in range(3)] == [HOUR, 2 * HOUR, 3 * HOUR]
    assert not board.decide(61).starts, "asking changes nothing"


def test_what_took_long_goes_after_what_did_not() -> None:
    """Nobody has to say how long a job takes: its earlier runs do. Of two, the one that is soon done goes first."""
    board = Queueing(ONE_LINE, [NODE])
    for name, hours in (("nightly", 9), ("quick", 0.1)):
        board.adopt(on(gpus("r", 4, name=name), 0, 1, 2, 3))
        board.succeeded("r", hours * HOUR)
        board.end("r")
    board.submit(gpus("first", 4, name="nightly"))
    board.submit(gpus("second", 4, name="quick", at=1))
    assert [start.id for start in board.decide(10 * HOUR).starts] == ["second"]


def test_who_had_no_time_in_one_tick_has_it_in_the_next() -> None:
    """A tick stops others for some only, so that it stays short; it says when the rest are due, and they start then."""
    nodes = [Node(f"n{n}", 8000, 8192, 1, "A100") for n in range(40)]
    board = Queueing(ONE_LINE, nodes)
    for n in range(40):
        task = gpus(f"r{n}", 1, is_preemptible=True)
        board.adopt(Running(task, 0.0, (Placed(task.request, f"n{n}", (0,)),)))
        board.submit(gpus(f"urgent{n}", 1, priority=1))
    first = board.decide(HOUR)
    assert 0 < len(first.starts) < 40
    assert first.again_s is not None
    assert len(first.starts) + len(board.decide(first.again_s).starts) == 40
