"""Replicas of any kind: what silence does to them, and what it does not."""

from collections.abc import Mapping

from weyr.core.capability import Capability
from weyr.core.decision import Thing
from weyr.core.replica_set import Replica, ReplicaSet, Sight, let_go
from weyr.core.seen import Present, Seen, TaskFacts, TaskState, Unknown

READY = Present(TaskFacts(TaskState.RUNNING, is_ready=True))
SILENT = Unknown("its node does not answer")


def sight(seen: Mapping[int, Seen]) -> Sight:
    things = {str(n): Thing(str(n), Capability.TASKS, 1, each, is_accepted=True) for n, each in seen.items()}
    return Sight(1000.0, things, "new")


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
