"""Whatever comes and goes: what the queues promise holds after every tick."""

import math
from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from weyr.scheduling.placement import Node, Outlook, Placed, Request
from weyr.scheduling.queueing import (
    Backfill,
    Decisions,
    Fairness,
    InOrder,
    Policy,
    Queue,
    Queueing,
    Running,
    Start,
    Task,
)
from weyr.scheduling.queueing.accounts import demand_of
from weyr.scheduling.queueing.nodes import Free

NODES = [Node("a", 8000, 8192, 4, "A100"), Node("b", 8000, 8192, 4, "A100"), Node("c", 4000, 4096, 2, "T4")]
QUEUES = [
    Queue("owner", guarantee={"gpu": 4000}),
    Queue("tight", limit={"gpu": 3000, "gpu/T4": 1000, "cpu": 6000, "money": 5_000_000}, weight=2),
    Queue("users", user_limit={"gpu": 2000}),
]
PRICES = {"a": 8_000_000, "b": 4_000_000, "c": 1_000_000}
TASKS = st.builds(
    lambda request, **rest: Task("", request, **rest),
    st.sampled_from(
        [
            Request(1000, 512),
            Request(3000, 1024),
            Request(500, devices=1),
            Request(500, devices=2),
            Request(500, devices=4),
            Request(500, share_milli=400),
            Request(500, devices=1, models=frozenset({"T4"})),
        ]
    ),
    replicas=st.sampled_from([1, 1, 1, 2, 3]),
    queue=st.sampled_from(["owner", "tight", "users"]),
    user=st.sampled_from(["ann", "bob"]),
    priority=st.sampled_from([0, 0, 5]),
    limit_s=st.sampled_from([None, 60.0, 600.0]),
    is_preemptible=st.booleans(),
)
STEPS = st.lists(
    st.one_of(
        st.lists(TASKS, min_size=1, max_size=4),
        st.integers(0, 20).map(lambda n: ("end", n)),
        st.integers(0, 20).map(lambda n: ("checkpoint", n)),
        st.sampled_from(["a", "b", "c"]).map(lambda name: ("shut", name)),
        st.sampled_from(["a", "b", "c"]).map(lambda name: ("open", name)),
        st.sampled_from([1.0, 100.0, 1000.0]),
    ),
    max_size=25,
)
POLICIES = st.builds(
    Policy,
    ranker=st.sampled_from([InOrder(), Policy().ranker]),
    backfill=st.sampled_from(Backfill),
    fairness=st.sampled_from(Fairness),
    is_slicing=st.booleans(),
    min_run_s=st.sampled_from([0.0, 300.0]),
    turn_loss_max_s=st.sampled_from([0.0, math.inf]),
)


@dataclass
class World:
    """Carries out what is decided: who is stopped ends one tick later, and only then begins who comes after it."""

    board: Queueing
    now_s: float = 0.0
    tasks: dict[str, Task] = field(default_factory=dict)
    places: dict[str, tuple[Placed, ...]] = field(default_factory=dict)
    """Of those that really are there."""
    due: dict[str, Start] = field(default_factory=dict)
    """Of those that start after others have ended."""
    stopping: list[str] = field(default_factory=list)

    def play(self, step: object) -> Decisions:
        match step:
            case list():
                for task in step:
                    id = f"t{len(self.tasks):02}"
                    self.tasks[id] = replace(task, id=id, submitted_s=self.now_s)
                    self.board.submit(self.tasks[id])
            case ("end", int(n)) if self.places:
                self.end(sorted(self.places)[n % len(self.places)])
            case ("checkpoint", int(n)) if self.places:
                self.board.checkpoint(sorted(self.places)[n % len(self.places)], self.now_s)
            case ("shut" as what, str(name)) | ("open" as what, str(name)):
                node = next(node for node in NODES if node.name == name)
                self.board.put_node(node, PRICES[name], is_open=what == "open")
            case float(seconds):
                self.now_s += seconds
        return self.tick()

    def tick(self) -> Decisions:
        for id in self.stopping:
            if id in self.places:
                self.end(id)
                self.tasks[id] = replace(self.tasks[id], since_s=self.now_s)
                self.board.submit(self.tasks[id])
        found = self.board.decide(self.now_s)
        self.stopping = [each.id for each in found.preemptions]
        for id in self.stopping:
            if id in self.due:  # it was to start, and has not: nothing is there to be stopped
                del self.due[id]
                self.board.end(id)
                self.board.submit(self.tasks[id])
        self.due |= {start.id: start for start in found.starts}
        self._begin()
        return found

    def end(self, id: str) -> None:
        self.board.end(id)
        del self.places[id]
        self._begin()

    def _begin(self) -> None:
        for start in list(self.due.values()):
            if not set(start.after) & self.places.keys():
                self.places[start.id] = start.places
                del self.due[start.id]

    def check(self) -> None:
        """No node, device or quota is used twice by what really is there."""
        for node in NODES:
            here = [placed for places in self.places.values() for placed in places if placed.node == node.name]
            assert sum(placed.request.cpu_milli for placed in here) <= node.cpu_milli
            assert sum(placed.request.memory_mib for placed in here) <= node.memory_mib
            for device in range(node.devices):
                assert sum(placed.share_milli or 1000 for placed in here if device in placed.devices) <= 1000
        for queue in QUEUES:
            mine = [id for id in self.places if self.tasks[id].queue == queue.name]
            _within(queue.limit, self.used(mine))
            for user in ("ann", "bob"):
                _within(queue.user_limit, self.used(id for id in mine if self.tasks[id].user == user))

    def used(self, ids: object) -> Counter[str]:
        frees = {node.name: Free(node, PRICES[node.name]) for node in NODES}
        used: Counter[str] = Counter()
        for id in ids:  # type: ignore[attr-defined]  # any iterable of ids
            used.update(demand_of((placed, frees[placed.node]) for placed in self.places[id]))
        return used


def _within(limit: object, used: Counter[str]) -> None:
    assert isinstance(limit, dict)
    assert all(used[name] <= amount for name, amount in limit.items()), (limit, used)


def world_of(policy: Policy) -> World:
    board = Queueing(QUEUES, (), policy, Outlook())
    for node in NODES:
        board.put_node(node, PRICES[node.name])
    return World(board)


@given(POLICIES, STEPS)
@settings(max_examples=150)
def test_no_node_and_no_quota_is_used_twice(policy: Policy, steps: list[object]) -> None:
    """However many race for it, and while others are being stopped: limits of queues and users hold at each moment."""
    world = world_of(policy)
    for step in steps:
        found = world.play(step)
        world.check()
        heirs = {start.id for start in found.starts}
        assert all(each.heir in heirs for each in found.preemptions), "somebody was stopped and nobody started"
        assert not {each.id for each in found.preemptions} & heirs


@given(POLICIES, STEPS)
@settings(max_examples=100)
def test_everybody_has_a_turn(policy: Policy, steps: list[object]) -> None:
    """When the others end, whoever can run at all does, in a bounded number of ticks: nobody starves."""
    world = world_of(policy)
    for step in steps:
        world.play(step)
    for name in ("a", "b", "c"):
        world.play(("open", name))
    alone = world_of(policy)
    fitting = {id for id, task in world.tasks.items() if _starts_alone(alone, task)}
    for _ in range(3 * len(world.tasks) + 3):
        for id in sorted(world.places):
            world.end(id)
        world.now_s += 1
        world.tick()
    assert not fitting & world.board.lanes.tasks.keys()


def _starts_alone(world: World, task: Task) -> bool:
    world.board.submit(task)
    found = world.board.decide(0)
    world.board.end(task.id)
    return bool(found.starts)


@given(STEPS)
@settings(max_examples=100)
def test_no_room_is_left_to_who_could_use_it(steps: list[object]) -> None:
    """Where anything that fits may start, nothing that waits would fit and be within its limits."""
    world = world_of(Policy(backfill=Backfill.ANY, patience_s=math.inf))
    board = world.board
    for step in steps:
        world.play(step)
        for task in board.lanes.tasks.values():
            for model in board.nodes.models_for(task.request):
                places = board.nodes.take(task.request, task.replicas, model)
                if places is not None:
                    passed = board.accounts[task.queue].passed(task.user, board.demand(places))
                    board.nodes.give(places)
                    assert passed, f"{task} could start"


@given(st.lists(st.integers(0, 9), unique=True), st.integers(0, 12), st.floats(0, 500))
def test_a_guarantee_is_met_within_a_tick(borrowed: list[int], wanted: int, at_s: float) -> None:
    """However many of its GPUs are lent and however shortly ago, the owner has what it wants of its four."""
    queues = [Queue("owner", guarantee={"gpu": 4000}), Queue("guest")]
    board = Queueing(queues, NODES)
    spots = [(node.name, device) for node in NODES for device in range(node.devices)]
    for n in borrowed:
        name, device = spots[n]
        task = Task(f"g{n}", Request(devices=1), queue="guest")
        board.adopt(Running(task, 0.0, (Placed(task.request, name, (device,)),)))
    for n in range(wanted):
        board.submit(Task(f"w{n}", Request(devices=1), queue="owner"))
    board.decide(at_s)
    assert board.accounts["owner"].used.get("gpu", 0) >= min(wanted, 4) * 1000
    assert len(board.decks.all) == min(len(borrowed) + wanted, 10)


LIMITED = st.builds(
    lambda request, replicas, limit_s: Task("", request, replicas, limit_s=limit_s),
    st.sampled_from([Request(devices=n) for n in (1, 1, 2, 3, 4)] + [Request(share_milli=500), Request(3000)]),
    st.sampled_from([1, 1, 2, 3]),
    st.sampled_from([60.0, 300.0, 900.0, 3600.0]),
)


def start_of(head: Task, others: list[Task], line: list[Task], backfill: Backfill) -> float:
    """When the first in line starts, if each task takes all the time it may."""
    plain = Policy(InOrder(), Backfill.ANY, Fairness.NONE, is_slicing=False, patience_s=math.inf)
    before = Queueing([Queue("")], NODES, plain)
    for task in others:
        before.submit(task)
    before.decide(0.0)
    board = Queueing([Queue("")], NODES, replace(plain, backfill=backfill))
    ends: dict[str, float] = {}
    for held in before.decks.all.values():
        board.adopt(held.running)
        ends[held.task.id] = held.task.limit_s or 0.0
    for task in (head, *line):
        board.submit(task)
    limits = {task.id: task.limit_s or 0.0 for task in (head, *line)}
    now_s = 1.0
    while True:
        for start in board.decide(now_s).starts:
            if start.id == head.id:
                return now_s
            ends[start.id] = now_s + limits[start.id]
        if not ends:
            return math.inf
        now_s = min(ends.values())
        for id in [id for id, end_s in ends.items() if end_s <= now_s]:
            board.end(id)
            del ends[id]


@given(LIMITED, st.lists(LIMITED, max_size=6), st.lists(LIMITED, max_size=8))
@settings(max_examples=200)
def test_who_passes_the_first_in_line_does_not_delay_it(head: Task, others: list[Task], line: list[Task]) -> None:
    """With backfill the first in line starts no later than without, if all keep to their time limits."""
    head = replace(head, id="head")
    others = [replace(task, id=f"r{n}") for n, task in enumerate(others)]
    line = [replace(task, id=f"w{n}", submitted_s=1.0) for n, task in enumerate(line)]
    assert start_of(head, others, line, Backfill.EASY) <= start_of(head, others, line, Backfill.NONE)


@given(STEPS)
@settings(max_examples=100)
def test_a_restart_decides_as_if_there_had_been_none(steps: list[object]) -> None:
    """Built anew from what runs and waits, the board lets the same ones start next, also where its node has grown and
    shrunk meanwhile, as this machine does with each replica."""
    node = Node("a", 12_000, 8192)
    policy = Policy(backfill=Backfill.EASY, is_slicing=False)
    world = World(Queueing([Queue("owner"), Queue("tight", weight=2), Queue("users")], [node], policy))
    for step in steps:
        if isinstance(step, list):
            world.play([replace(task, request=Request(task.request.cpu_milli), priority=0) for task in step])
        elif isinstance(step, float) or (isinstance(step, tuple) and step[0] == "end"):
            world.play(step)
        elif isinstance(step, tuple) and step[0] in ("shut", "open"):
            node = replace(node, cpu_milli=max(0, node.cpu_milli + (1500 if step[0] == "open" else -1500)))
            world.board.put_node(node)
            world.tick()
    again = Queueing([Queue("owner"), Queue("tight", weight=2), Queue("users")], [node], policy)
    for held in world.board.decks.all.values():
        again.adopt(held.running)
    for id in sorted(world.board.lanes.tasks):
        again.submit(world.tasks[id])
    again.decide(world.now_s)
    for id in sorted(world.places)[::2]:
        world.board.end(id)
        again.end(id)
    assert world.board.decide(world.now_s + 1).starts == again.decide(world.now_s + 1).starts
