"""What nodes do pools have in a simulated world? Those that they asked for: they come late, have notice, and vanish."""

from collections.abc import Callable
from dataclasses import dataclass

from weyr.core.capability import Capability, Refused, Wanted
from weyr.core.pools import NodeBody, NodeFacts, NodeState
from weyr.core.ref import ThingId
from weyr.core.seen import Seen, Unknown
from weyr.sim.clock import VirtualClock
from weyr.sim.faults import Faults
from weyr.sim.shelf import Shelf

STARTS_AFTER_S = 3.0


@dataclass(slots=True)
class _Slot:
    """One node: since when it is paid for, when it is ready, when it was told to go and does, and until when nobody
    reaches it."""

    began_at: float
    ready_at: float
    notice_at: float | None = None
    gone_at: float | None = None
    silent_until: float = float("-inf")


class SimPoolNodes(Shelf):
    """The NODES capability. `lost` is told of each node that is gone, with all that runs there."""

    capability = Capability.NODES
    holds = NodeBody

    def __init__(
        self, clock: VirtualClock, faults: Faults, lost: Callable[[str], None], starts_after_s: float = STARTS_AFTER_S
    ) -> None:
        super().__init__(clock, faults)
        self._lost = lost
        self.granted_at: Callable[[NodeBody], float] = lambda _body: clock.now()
        """When there is capacity for a node that is asked for now."""
        self.starts_after_s = starts_after_s
        self.on_gone: Callable[[ThingId], None] = lambda _id: None
        self._slots: dict[ThingId, _Slot] = {}
        self.sizes: dict[str, NodeBody] = {}
        """What each node ever had, by its name."""

    def has(self, name: str) -> bool:
        """Whether there is a node of this name."""
        return ThingId.parse(name) in self._wanted

    def silent_until(self, name: str) -> float:
        """Until when nobody reaches a node; long ago where it answers, or there is none."""
        slot = self._slots.get(ThingId.parse(name))
        return slot.silent_until if slot else float("-inf")

    def cut(self, id: ThingId, for_s: float) -> None:
        """Nobody reaches the node for a while, nor what is on it; all of it runs on."""
        if id in self._slots:
            self._slots[id].silent_until = self._clock.now() + for_s

    def stop(self) -> None:
        """From now on every node is reached."""
        for slot in self._slots.values():
            slot.silent_until = float("-inf")

    def ready_at(self, id: ThingId) -> float:
        """When a node is ready, or was."""
        return self._slots[id].ready_at

    def reclaim(self, id: ThingId, notice_s: float) -> bool:
        """The node has notice, and goes when it has run out. False where there is no such node."""
        slot = self._slots.get(id)
        if slot is None or slot.notice_at is not None:
            return False
        slot.notice_at = self._clock.now()
        slot.gone_at = slot.notice_at + notice_s
        return True

    def lose(self, id: ThingId) -> None:
        """The node is gone at once."""
        if id in self._wanted:
            del self._wanted[id]
            del self._slots[id]
            self.on_gone(id)
            self._lost(str(id))

    def _begin(self, want: Wanted, prior: Wanted | None) -> Refused | None:
        if prior is None:
            assert isinstance(want.body, NodeBody), f"{want.id} is no node"
            self.sizes[str(want.id)] = want.body
            granted_at = self.granted_at(want.body)
            self._slots[want.id] = _Slot(granted_at, granted_at + self.starts_after_s)
        return None

    def _let_go(self, id: ThingId) -> bool:
        if self._slots.pop(id, None):
            self.on_gone(id)
        self._lost(str(id))
        return True

    def _look(self, id: ThingId) -> Seen:
        slot = self._slots.get(id)
        if slot is not None and slot.gone_at is not None and self._clock.now() >= slot.gone_at:
            self.lose(id)
        if self._clock.now() < self.silent_until(str(id)):
            return Unknown(f"{id} does not answer")
        return super()._look(id)

    def _facts(self, want: Wanted) -> NodeFacts:
        assert isinstance(want.body, NodeBody), f"{want.id} is no node"
        slot, body = self._slots[want.id], want.body
        if slot.notice_at is not None:
            state = NodeState.DRAINING
        else:
            is_there = self._clock.now() >= slot.ready_at
            state = NodeState.READY if is_there else NodeState.STARTING
        devices = tuple(f"{want.id.part}-{number}" for number in range(body.devices))
        return NodeFacts(
            state, slot.began_at, slot.notice_at, slot.gone_at, body.cpu, body.memory_bytes, body.model, devices
        )
