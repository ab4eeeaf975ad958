"""What goes wrong in a simulated world, and how often? Rates for everything that can, each drawn by its own concern."""

import random
from dataclasses import dataclass, field

from weyr.reconcile.scheduler import Room
from weyr.sim.faults import FaultRates
from weyr.sim.nodes import NodeRates
from weyr.sim.store import StoreRates


@dataclass(frozen=True, slots=True)
class Trouble:
    """`dies` is the chance that the server is killed around a call of an engine, `oversleeps` that it does not get
    to run for a while after a pass; `room` what the tasks stand in line for, None where all may run at once. Nothing
    goes wrong by default."""

    calls: FaultRates = field(default_factory=FaultRates)
    nodes: NodeRates = field(default_factory=NodeRates)
    store: StoreRates = field(default_factory=StoreRates)
    dies: float = 0.0
    oversleeps: float = 0.0
    room: Room | None = None


def drawn_trouble(chance: random.Random) -> Trouble:
    """Each world has its own sort of trouble; a few have none."""
    calls = FaultRates(
        loses_replies=chance.choice((0.0, 0.05, 0.2, 0.4)),
        crashes=chance.choice((0.0, 0.0, 0.01)),
        delays=chance.choice((0.0, 0.0, 0.05, 0.2)),
        repeats=chance.choice((0.0, 0.0, 0.1)),
        reorders=chance.choice((0.0, 0.0, 0.1)),
        stales=chance.choice((0.0, 0.0, 0.2)),
    )
    nodes = NodeRates(
        count=chance.choice((0, 1, 3)),
        vanishes_every_s=chance.choice((0.0, 0.0, 20.0)),
        reboots=chance.choice((0.0, 0.5, 1.0)),
        skew_s=chance.choice((0.0, 0.0, 3.0)),
        lies=chance.choice((0.0, 0.0, 0.2)),
    )
    store = StoreRates(
        dies=chance.choice((0.0, 0.0, 0.002, 0.005)),
        cuts=chance.choice((0.0, 0.3, 0.7)),
        fails=chance.choice((0.0, 0.0, 0.0, 0.005)),
    )
    dies, oversleeps = chance.choice((0.0, 0.02, 0.05)), chance.choice((0.0, 0.0, 0.02))
    # From a machine that a single job fills to one that has room for all of them.
    room = Room(chance.choice((1, 2, 4)), chance.choice((1, 16)) << 30)
    return Trouble(calls, nodes, store, dies, oversleeps, room)
