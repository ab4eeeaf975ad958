"""What does the loop get to see of the scheduler? Four providers over one board, and whom to look at when.

scheduler = Scheduler(tasks, Room(cpu=8, memory_bytes=16 << 30), now, known_things, nodes)
Effects(providers | scheduler.providers, log, scheduler.rung)
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from weyr.core.capability import Capability, Provider
from weyr.core.pools import NodeBody
from weyr.core.ref import Ref
from weyr.reconcile.node_engines import NodeEngines
from weyr.reconcile.scheduler.board import Board
from weyr.reconcile.scheduler.keepers import Nodes, Pools, Queues
from weyr.reconcile.scheduler.tasks import ScheduledTasks
from weyr.reconcile.scheduler.why import Waits, waits_of
from weyr.scheduling.queueing import Policy
from weyr.store.kernel import ThingRow


@dataclass(frozen=True, slots=True)
class Room:
    """What this machine has for tasks of no pool. `is_sliced`: nodes of pools are taken out of it."""

    cpu: float
    memory_bytes: int
    is_sliced: bool = False


class Scheduler:
    """Takes the task engines, this machine's room, the time in Unix seconds, the things that the store knows (so that
    what runs since before a restart counts), and who has nodes, where anybody has. `key_of` gives the key of an
    engine, as a stack means it by its name, `owner_of` whose an object is, `fresh` is as `Pools` has it. `board_type`
    stands in for the production one where a test breaks it on purpose."""

    board_type = Board

    def __init__(
        self,
        tasks: Provider,
        room: Room,
        now: Callable[[], float],
        known: Iterable[ThingRow] = (),
        nodes: Provider | None = None,
        policy: Policy | None = None,
        key_of: Callable[[str, str], str] | None = None,
        owner_of: Callable[[Ref], str] | None = None,
        fresh: Callable[[NodeBody], NodeBody] | None = None,
    ) -> None:
        known = list(known)
        self.board = self.board_type(room.cpu, room.memory_bytes, room.is_sliced, policy)
        self.board.key_of = key_of or self.board.key_of
        self.board.owner_of = owner_of or self.board.owner_of
        # Queues, pools and nodes before the tasks: what a task needs is told from them.
        self.tasks = ScheduledTasks(tasks, self.board, now)
        offers = nodes.offered if isinstance(nodes, NodeEngines) else None
        self.queues, self.pools = Queues(self.tasks, known), Pools(self.tasks, known, offers, fresh)
        self.providers: dict[Capability, Provider] = {
            Capability.QUEUES: self.queues,
            Capability.POOLS: self.pools,
            Capability.TASKS: self.tasks,
        }
        if nodes is not None:
            self.providers[Capability.NODES] = Nodes(nodes, self.tasks, known)
        self.tasks.recover(known)

    def why(self, ref: Ref) -> list[Waits]:
        """What of an object waits, and for what. May be called from any thread."""
        with self.tasks.lock:
            return list(waits_of(self.board, ref, self.tasks.now()))

    def rung(self) -> Mapping[Ref, float]:
        """Whose objects are to be looked at, and when."""
        return self.tasks.rung()
