"""Whoever has a deadline is put on spot while that is safe, and on demand when it is not."""

from weyr.core.capability import CheckpointBody, TaskBody, Wanted
from weyr.core.pools import Market, NodeBody, NodeFacts, NodeState, PoolBody
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import EndReason, Present, Seen, TaskFacts
from weyr.reconcile.scheduler import Room, Scheduler
from weyr.sim import Script, SimEngine, VirtualClock

WORK_S = 1800.0
JOB = Ref("lab", "job", "train")


def body_of(market: Market) -> NodeBody:
    price = 1_000_000 if market is Market.SPOT else 3_000_000
    return NodeBody(f"lab:pool/{market}", cpu=1, market=market, price_micros_per_hour=price, labels=(("a", "b"),))


class World:
    """A pool of each market with a node of one task each, and one job with a deadline."""

    def __init__(self, deadline_s: float) -> None:
        self.clock = VirtualClock()
        script = Script(work_s=WORK_S, starts_after_s=0)
        self.engine = SimEngine(self.clock, 0, scripts=lambda _: script)
        self.engine.tasks.has_node = lambda _: True  # the board is told of nodes here, which no engine made
        self.scheduler = Scheduler(self.engine.tasks, Room(2, 2**30), self.clock)
        self.deadline_at = self.clock.now() + deadline_s
        for market in (Market.SPOT, Market.ON_DEMAND):
            price = 1_000_000 if market is Market.SPOT else 3_000_000
            body = NodeBody(
                f"lab:pool/{market}", cpu=1, market=market, price_micros_per_hour=price, labels=(("a", "b"),)
            )
            self.scheduler.board.put_pool(f"lab:pool/{market}", PoolBody(body, 1))
            self.scheduler.board.put_node(self.node(market), body, NodeFacts(NodeState.READY))

    def node(self, market: Market) -> ThingId:
        return ThingId(Ref("lab", "pool", str(market)), "1")

    def begin(self, attempt: int) -> None:
        checkpoint = CheckpointBody("lake", "checkpoints", 30.0)
        body = TaskBody(
            ("work",),
            "/",
            is_spot=True,
            checkpoint=checkpoint,
            labels=(("a", "b"),),
            expected_s=WORK_S,
            deadline_at=self.deadline_at,
        )
        self.scheduler.tasks.ensure([Wanted(ThingId(JOB, str(attempt)), 1, body)])

    def facts(self, attempt: int) -> TaskFacts:
        seen: Seen = self.scheduler.tasks.observe([ThingId(JOB, str(attempt))])[ThingId(JOB, str(attempt))]
        assert isinstance(seen, Present), seen
        assert isinstance(seen.facts, TaskFacts)
        return seen.facts

    def market_of(self, attempt: int) -> str:
        """Where it was put, "" while it waits."""
        self.facts(attempt)
        member = self.scheduler.board.members.get(ThingId(JOB, str(attempt)))
        return member.body.node.split("#")[0].rpartition("/")[2] if member else ""


def test_a_job_with_time_runs_on_spot_and_waits_for_it() -> None:
    """It costs a third; one that needs half an hour within three can wait for spot to come back."""
    world = World(deadline_s=3 * 3600)
    world.scheduler.board.drop_node(world.node(Market.SPOT))
    world.begin(1)
    assert world.market_of(1) == ""
    world.scheduler.board.put_node(world.node(Market.SPOT), body_of(Market.SPOT), NodeFacts(NodeState.READY))
    assert world.market_of(1) == "spot"


def test_a_job_whose_time_runs_out_begins_on_demand() -> None:
    """The deadline is kept though spot never comes back."""
    world = World(deadline_s=3600)
    world.scheduler.board.drop_node(world.node(Market.SPOT))
    world.begin(1)
    while world.market_of(1) == "":
        world.clock.advance(60)
        assert world.clock.now() < world.deadline_at - WORK_S, "it waited for too long"
    assert world.market_of(1) == "on-demand"


def test_a_job_on_demand_goes_back_to_spot_with_its_checkpoint() -> None:
    """Spot came back early: going on there costs a start, and saves two thirds of the rest."""
    world = World(deadline_s=2 * WORK_S)
    world.scheduler.board.drop_node(world.node(Market.SPOT))
    world.begin(1)
    while world.market_of(1) == "":
        world.clock.advance(60)
    assert world.market_of(1) == "on-demand"
    world.scheduler.board.put_node(world.node(Market.SPOT), body_of(Market.SPOT), NodeFacts(NodeState.READY))
    while (end := world.facts(1).end) is None:
        world.clock.advance(60)
    assert end.reason is EndReason.PREEMPTED
    assert end.detail == "it made room for its next attempt, on spot"
    world.begin(2)
    assert world.market_of(2) == "spot"
    while (end := world.facts(2).end) is None:
        world.clock.advance(60)
    assert end.reason is EndReason.SUCCEEDED
    assert world.clock.now() <= world.deadline_at
