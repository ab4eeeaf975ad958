"""Replicas on spot above a floor on demand: what a reclaim does to those that answer, and what it does not."""

from dataclasses import dataclass, field

import pytest

from weyr.core.capability import Accelerators, Capability, TaskBody
from weyr.core.decision import Thing
from weyr.core.replica_set import ReplicaSet, Sight, drop_ended, let_go, reroute, start
from weyr.core.seen import EndReason, Present, Seen, TaskEnd, TaskFacts, TaskState
from weyr.core.task_usage import replica_on, task_meters

READY = Present(TaskFacts(TaskState.RUNNING, is_ready=True))
STARTING = Present(TaskFacts(TaskState.STARTING))
NOTICED = Present(TaskFacts(TaskState.RUNNING, is_ready=True, notice_at=1.0))
RECLAIMED = Present(TaskFacts(TaskState.ENDED, end=TaskEnd(EndReason.RECLAIMED)))


@dataclass
class Replicas:
    """A set and what is seen of its replicas; `look` takes one look at a time, in which leaving ones end."""

    desired: int
    steady: int | None
    held: ReplicaSet = field(default_factory=ReplicaSet)
    seen: dict[str, Seen] = field(default_factory=dict)
    fresh: Seen = READY

    def look(self, count: int = 1) -> "Replicas":
        for _ in range(count):
            things = {
                part: Thing(part, Capability.TASKS, 1, seen, is_accepted=True) for part, seen in self.seen.items()
            }
            sight = Sight(1000.0, things, "key")
            held, _notes = drop_ended(sight, self.held)
            held = start(sight, held, self.desired, 0, self.steady)
            held = let_go(sight, held, self.desired, 0, self.steady)
            self.held = reroute(sight, held, lambda _facts: "address")
            self.seen = {r.part: self.seen.get(r.part, self.fresh) for r in held.replicas if not r.is_leaving}
        return self

    @property
    def markets(self) -> str:
        """A letter for each replica that stays: (d)emand or (s)pot."""
        return "".join("s" if replica.is_spot else "d" for replica in self.held.replicas if not replica.is_leaving)

    @property
    def routed(self) -> list[str]:
        return [part for part, _address in self.held.routed]


@pytest.mark.parametrize(
    ("desired", "steady", "markets"),
    [(3, None, "ddd"), (3, 1, "dss"), (3, 0, "sss"), (1, 2, "d"), (3, 3, "ddd"), (0, 1, "")],
)
def test_the_floor_is_on_demand_and_the_rest_on_spot(desired: int, steady: int | None, markets: str) -> None:
    """What may not go away at once is bought so that it does not."""
    assert Replicas(desired, steady).look(3).markets == markets


def test_spot_goes_first_when_fewer_are_needed() -> None:
    """The floor is what stays."""
    replicas = Replicas(4, 1).look(3)
    replicas.desired = 2
    assert replicas.look(2).markets == "ds"
    replicas.desired = 1
    assert replicas.look(2).markets == "d"


def test_a_notice_is_answered_at_once_and_is_no_crash() -> None:
    """Its successor begins while it still stands; callers are sent to those that stay."""
    replicas = Replicas(3, 1).look(3)
    replicas.seen["3"], replicas.fresh = NOTICED, STARTING
    assert replicas.look().markets == "dsss"
    assert replicas.look().routed == ["1", "2"]
    replicas.seen["3"] = RECLAIMED
    assert replicas.look().markets == "dss"
    replicas.seen["4"] = READY
    assert replicas.look(2).routed == ["1", "2", "4"]
    assert (replicas.held.crashes, replicas.held.retry_at) == (0, 0.0)


def test_the_only_replica_answers_until_its_successor_does() -> None:
    """Half a minute of notice is half a minute of answers where nobody else can give them."""
    replicas = Replicas(1, 0).look(2)
    replicas.seen["1"], replicas.fresh = NOTICED, STARTING
    assert replicas.look(3).routed == ["1"]
    replicas.seen["2"] = READY
    assert (replicas.look(2).routed, replicas.markets) == (["2"], "s")


def test_reclaims_in_a_row_are_followed_at_once_each_time() -> None:
    """A market that takes back what it gave is no program that crashes: nobody waits a minute for it."""
    replicas = Replicas(3, 1).look(3)
    for _ in range(5):
        newest = max(replicas.seen, key=int)
        replicas.seen[newest] = RECLAIMED
        assert replicas.look(2).markets == "dss"
    assert replicas.held.last_number == 8


@pytest.mark.parametrize(("before", "after", "markets"), [(None, 1, "dss"), (1, None, "ddd"), (0, 2, "dds")])
def test_a_changed_floor_exchanges_replicas_one_by_one(before: int | None, after: int | None, markets: str) -> None:
    """As many as are wanted answer throughout, and there is never more than one too many."""
    replicas = Replicas(3, before).look(3)
    replicas.steady, replicas.fresh = after, STARTING
    for _ in range(12):
        assert len(replicas.look().routed) >= 3
        assert len(replicas.seen) <= 4
        replicas.seen = dict.fromkeys(replicas.seen, READY)
    assert "".join(sorted(replicas.look().markets)) == markets
    settled = replicas.held.last_number
    assert replicas.look(5).held.last_number == settled


def test_a_replica_is_bought_as_its_market_says() -> None:
    """The bill and the placement: the floor runs on nodes on demand alone, and the rest costs what spot costs."""
    alone, pooled = TaskBody(("serve",), "/"), TaskBody(("serve",), "/", accelerators=Accelerators(count=1))
    assert task_meters(replica_on(alone, is_spot=True, has_floor=True)) == (("task.cpu.spot", 1000),)
    assert task_meters(replica_on(alone, is_spot=False, has_floor=True)) == (("task.cpu", 1000),)
    assert replica_on(pooled, is_spot=False, has_floor=True).labels == (("market", "on-demand"),)
    assert replica_on(pooled, is_spot=True, has_floor=True).labels == ()
    assert replica_on(pooled, is_spot=False, has_floor=False) == pooled
