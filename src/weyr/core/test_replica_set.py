"""Replicas of any kind: what silence does to them, and what it does not."""

from collections.abc import Mapping

from weyr.core.capability import Capability
from weyr.core.decision import Thing
from weyr.core.replica_set import Replica, ReplicaSet, Sight, drop_ended, give_up_on, let_go
from weyr.core.seen import Present, Seen, TaskFacts, TaskState, Unknown

READY = Present(TaskFacts(TaskState.RUNNING, is_ready=True))
ILL = Present(TaskFacts(TaskState.RUNNING, is_ready=False))
SILENT = Unknown("its node does not answer")


def sight(seen: Mapping[int, Seen], now: float = 1000.0) -> Sight:
    things = {str(n): Thing(str(n), Capability.TASKS, 1, each, is_accepted=True) for n, each in seen.items()}
    return Sight(now, things, "new")


def leaving(held: ReplicaSet) -> list[int]:
    return [replica.number for replica in held.replicas if replica.is_leaving]


def test_silence_takes_no_old_replica_out_of_service() -> None:
    """Nobody knows whether one on a node that does not answer serves; it may be all there is, also where it was never
    seen to be ready."""
    held = ReplicaSet((Replica(1, "old"), Replica(2, "old")), 2)
    assert leaving(let_go(sight({1: SILENT, 2: SILENT}), held, desired=2, unavailable=0)) == []


def test_old_replicas_leave_as_new_ones_answer() -> None:
    """One for one, and never below what is wanted."""
    held = ReplicaSet((Replica(1, "old", well_at=1.0), Replica(2, "old", well_at=1.0), Replica(3, "new")), 3)
    assert leaving(let_go(sight({1: READY, 2: READY, 3: SILENT}), held, desired=2, unavailable=0)) == [1]
    starting = Present(TaskFacts(TaskState.STARTING))
    assert leaving(let_go(sight({1: READY, 2: READY, 3: starting}), held, desired=2, unavailable=0)) == []


def test_a_replica_that_is_well_is_remembered_the_same() -> None:
    """Whatever is remembered anew is written anew: what stands still must cost no write a second."""
    held, _ = drop_ended(sight({1: READY}, now=1000.0), ReplicaSet((Replica(1, "new"),), 1))
    assert drop_ended(sight({1: READY}, now=1001.0), held)[0] is held


def test_one_is_given_up_after_it_was_ill_for_long_enough_in_one_go() -> None:
    """Checks that are late now and then take nobody down, and a silence says nothing of its health."""
    held = ReplicaSet((Replica(1, "new"),), 1)
    for now, seen, is_given_up in (
        (1000.0, READY, False), (1001.0, ILL, False), (1008.0, READY, False), (1009.0, ILL, False),
        (1015.0, SILENT, False), (1018.0, ILL, False), (1020.0, ILL, True),
    ):  # fmt: skip
        looked = sight({1: seen}, now)
        held, _ = give_up_on(looked, drop_ended(looked, held)[0], patience_s=10.0, ready_within_s=60.0)
        assert bool(leaving(held)) is is_given_up, now
