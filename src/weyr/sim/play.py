"""How does a whole simulated world go? Everything follows from its seed: stack, faults, and what people do.

While faults last, somebody edits the file, takes the stack down and up again, spot nodes are reclaimed, wrappers
and the server are killed. Then the faults end, and what must eventually hold is waited for, twice: as the stack
stands, and after it was taken down.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from weyr.core.capability import Wanted
from weyr.core.kind import Kinds
from weyr.sim.scripts import Script
from weyr.sim.stacks import STACK, StackDraw, drawn_stack, edited
from weyr.sim.world import SimWorld

SETTLES_WITHIN_S = 900.0
TROUBLE_S = 40.0

Build = Callable[..., SimWorld]


@dataclass(frozen=True, slots=True)
class Rates:
    """What goes wrong with how great a chance, for each call of an engine."""

    loses_replies: float = 0.0
    crashes: float = 0.0
    dies: float = 0.0
    delays: float = 0.0
    repeats: float = 0.0


def play(seed: int, kinds: Kinds, folder: Path, build: Build = SimWorld, rates: Rates | None = None) -> SimWorld:
    """Plays one world to its end, and gives it. `rates` stand in for the sort of trouble that its seed draws.

    Raises: Broken, at the first check that fails.
    """
    chance = random.Random(f"play/{seed}")
    director = Director(chance, drawn_stack(chance))
    drawn = drawn_rates(chance)
    rates = rates or drawn
    world = build(
        kinds,
        folder,
        seed,
        loses_replies=rates.loses_replies,
        crashes=rates.crashes,
        dies=rates.dies,
        delays=rates.delays,
        repeats=rates.repeats,
        scripts=director.script,
    )
    world.up(director.stack.text)
    end = world.clock() + TROUBLE_S
    while world.clock() < end:
        world.run(min(chance.expovariate(1 / 6), end - world.clock()))
        director.act(world)
    world.stop_faults()
    world.up(director.stack.text)
    world.check_settled(SETTLES_WITHIN_S)
    world.down(STACK)
    world.check_settled(SETTLES_WITHIN_S)
    world.check_bills()
    return world


def drawn_rates(chance: random.Random) -> Rates:
    """Each world has its own sort of trouble; a few have none."""
    return Rates(
        loses_replies=chance.choice((0.0, 0.05, 0.2, 0.4)),
        crashes=chance.choice((0.0, 0.0, 0.01)),
        dies=chance.choice((0.0, 0.02, 0.05)),
        delays=chance.choice((0.0, 0.0, 0.05, 0.2)),
        repeats=chance.choice((0.0, 0.0, 0.1)),
    )


@dataclass(slots=True)
class Director:
    """Who does things to a world, and which file they have in their editor."""

    chance: random.Random
    stack: StackDraw

    def script(self, want: Wanted) -> Script:
        return self.stack.script(want)

    def act(self, world: SimWorld) -> None:
        """One thing that somebody does, or that happens."""
        match self.chance.randrange(8):
            case 0 | 1:
                self.stack = edited(self.chance, self.stack)
                world.up(self.stack.text)
            case 2 if STACK in world.loop.world.stacks:
                world.down(STACK)
            case 3:
                world.up(self.stack.text)
            case 4:
                world.crash()
            case 5:
                self._strike(world, is_reclaim=False)
            case _:
                self._strike(world, is_reclaim=True)

    def _strike(self, world: SimWorld, is_reclaim: bool) -> None:
        live = world.snapshot().live
        if not live:
            return
        id = self.chance.choice(live)
        if is_reclaim:
            world.engine.tasks.reclaim(id, self.chance.uniform(0.05, 3.0))
        else:
            world.engine.tasks.lose(id)
