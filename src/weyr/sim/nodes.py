"""Where do simulated tasks run? On nodes, which vanish, come back with their tasks or without, and err about the time.

A vanished node answers for nothing on it: its tasks may run on, and only the node could say. It comes back as it was,
or it was started anew; then its tasks are lost. The node `here` is the server's own machine: it never vanishes alone,
and goes down with the server in a power cut. Each node's life is drawn from a source of its own.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from weyr.sim.chance import chance_of
from weyr.sim.clock import VirtualClock

HERE = "here"


@dataclass(frozen=True, slots=True)
class NodeRates:
    """How many nodes there are beside `here`, and how they fare.

    Each vanishes about every `vanishes_every_s` (0: never) for about `away_s`; with a chance of `reboots` it was
    started anew meanwhile. `skew_s` bounds how far off their clocks are; `lies` is the chance, for each look at a task,
    that its readiness is told wrongly.
    """

    count: int = 0
    vanishes_every_s: float = 0.0
    away_s: float = 15.0
    reboots: float = 0.5
    skew_s: float = 0.0
    lies: float = 0.0


@dataclass(slots=True)
class Node:
    """One machine. `silent_until` is when it answers again; `reboots` are the moments at which all on it died."""

    name: str
    chance: random.Random
    skew_s: float = 0.0
    silent_until: float = float("-inf")
    vanishes_at: float = float("inf")
    reboots: list[float] = field(default_factory=list)

    def died_after(self, moment: float) -> float | None:
        """When the node first went down after `moment`, if it did."""
        return next((at for at in self.reboots if at > moment), None)


class SimNodes:
    """The nodes of one engine, moved on by `catch_up` to what happened by now."""

    def __init__(self, clock: VirtualClock, seed: int, rates: NodeRates) -> None:
        self._clock, self.rates = clock, rates
        self._chance = chance_of(seed, "nodes")
        names = [HERE, *(f"node{number}" for number in range(1, rates.count + 1))]
        self._nodes = [Node(name, chance_of(seed, f"node/{name}")) for name in names]
        for node in self._nodes[1:]:
            node.skew_s = round(node.chance.uniform(-rates.skew_s, rates.skew_s), 3)
            self._plan_vanishing(node, clock.now())
        self.count = 0
        """How often a node vanished."""

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes)

    def place(self) -> Node:
        """Where a new task runs: on a node that answers; there always is one, `here`."""
        self.catch_up()
        return self._chance.choice([node for node in self._nodes if not self.is_silent(node)])

    def is_silent(self, node: Node) -> bool:
        return self._clock.now() < node.silent_until

    def is_lying(self, node: Node) -> bool:
        """Whether the node tells a task's readiness wrongly, this once."""
        return bool(self.rates.lies) and node.name != HERE and node.chance.random() < self.rates.lies

    def catch_up(self) -> None:
        """Lets nodes vanish and come back as it was to happen until now."""
        for node in self._nodes:
            while node.vanishes_at <= self._clock.now():
                self._vanish(node)

    def cut_power(self) -> None:
        """The server's machine goes down with all that runs on it, and is back at once."""
        self.catch_up()
        self._nodes[0].reboots.append(self._clock.now())

    def stop(self) -> None:
        """From now on no node vanishes or lies, and each that is away is back. What its clock was off, it stays."""
        self.catch_up()
        self.rates = NodeRates()
        for node in self._nodes:
            node.vanishes_at = float("inf")
            node.silent_until = min(node.silent_until, self._clock.now())
            node.reboots = [at for at in node.reboots if at <= self._clock.now()]

    def _vanish(self, node: Node) -> None:
        self.count += 1
        began_at = node.vanishes_at
        node.silent_until = began_at + node.chance.expovariate(1 / self.rates.away_s)
        if node.chance.random() < self.rates.reboots:
            node.reboots.append(node.chance.uniform(began_at, node.silent_until))
        self._plan_vanishing(node, node.silent_until)

    def _plan_vanishing(self, node: Node, after: float) -> None:
        every_s = self.rates.vanishes_every_s
        node.vanishes_at = after + node.chance.expovariate(1 / every_s) if every_s else float("inf")
