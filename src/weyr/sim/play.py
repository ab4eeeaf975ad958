"""How does a whole simulated world go? Everything follows from its seed: stack, faults, and what people do.

While faults last, somebody edits the file, takes the stack down and up again, spot nodes are reclaimed, wrappers
and the server are killed, the power fails. Then the faults end, and what must eventually hold is waited for, twice:
as the stack stands, and after it was taken down.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from weyr.core.capability import Wanted
from weyr.core.kind import Kinds
from weyr.core.ref import ThingId
from weyr.sim.chance import chance_of
from weyr.sim.scripts import Script
from weyr.sim.stacks import RIVAL, STACK, StackDraw, drawn_stack, edited, without_pool
from weyr.sim.trouble import Trouble, drawn_trouble
from weyr.sim.world import SimWorld

SETTLES_WITHIN_S = 900.0
TROUBLE_S = 40.0
LATE_S = 65.0
"""By then everything that was delayed has come, and the sweep has looked for what nobody owns."""

Build = Callable[..., SimWorld]


def play(seed: int, kinds: Kinds, folder: Path, build: Build = SimWorld, trouble: Trouble | None = None) -> SimWorld:
    """Plays one world to its end, and gives it. `trouble` stands in for the sort that its seed draws.

    Raises: Broken, at the first check that fails.
    """
    people = chance_of(seed, "people")
    trouble = trouble or drawn_trouble(chance_of(seed, "trouble"))
    stack = drawn_stack(chance_of(seed, "stack"))
    # Where all may run at once nobody schedules: there are neither pools nor queues.
    director = Director(people, stack if trouble.room else without_pool(stack))
    world = build(kinds, folder, seed, trouble, director.script)
    world.up(director.stack.text)
    end = world.clock() + TROUBLE_S
    while world.clock() < end:
        world.run(min(people.expovariate(1 / 6), end - world.clock()))
        director.act(world)
    world.stop_faults()
    world.up(director.stack.text)
    world.check_settled(SETTLES_WITHIN_S)
    if RIVAL in world.loop.world.stacks:
        world.down(RIVAL)
        world.check_settled(SETTLES_WITHIN_S)
    world.down(STACK)
    world.check_settled(SETTLES_WITHIN_S)
    world.run(LATE_S)
    world.check_settled(SETTLES_WITHIN_S)
    world.check_bills()
    world.db.close()
    return world


@dataclass(slots=True)
class Director:
    """Who does things to a world, and which file they have in their editor."""

    chance: random.Random
    stack: StackDraw

    def script(self, want: Wanted) -> Script:
        return self.stack.script(want)

    def act(self, world: SimWorld) -> None:
        """One thing that somebody does, or that happens."""
        match self.chance.randrange(10):
            case 9 if self.stack.pool and self.stack.pool.rivals and STACK in world.loop.world.stacks:
                world.up(self.stack.pool.rival_text)
            case 0 | 1:
                self.stack = edited(self.chance, self.stack)
                world.up(self.stack.text)
            case 2 if STACK in world.loop.world.stacks and RIVAL not in world.loop.world.stacks:
                world.down(STACK)
            case 3:
                world.up(self.stack.text)
            case 4:
                world.check_memory()
                world.crash()
            case 5:
                world.check_memory()
                world.cut_power()
            case 6:
                self._strike(world, is_reclaim=False)
            case _:
                self._strike(world, is_reclaim=True)

    def _strike_node(self, world: SimWorld, node: ThingId, is_reclaim: bool) -> None:
        """A pool's node goes away with all that runs there, with notice or without; or it is slow, or out of reach."""
        notice_s = self.chance.uniform(0.05, 3.0)
        if not is_reclaim:
            # By the draw's last digits: what else happens in this world stays what it was.
            if int(notice_s * 1e6) % 3:
                world.engine.pool_nodes.lose(node)
            else:
                world.engine.tasks.slow_all_on(str(node), 0.1, 4 * notice_s)
        elif self.chance.random() < 0.25:
            world.engine.pool_nodes.cut(node, self.chance.expovariate(1 / 10))
        elif world.engine.pool_nodes.reclaim(node, notice_s):
            world.engine.tasks.reclaim_all_on(str(node), notice_s)

    def _strike(self, world: SimWorld, is_reclaim: bool) -> None:
        live = world.snapshot().live
        if not live:
            return
        id = self.chance.choice(live)
        node = world.engine.tasks.node_of(id)
        if node:
            self._strike_node(world, ThingId.parse(node), is_reclaim)
        elif is_reclaim:
            # Clouds tell of one reclaim more than once, and not always the same.
            for _ in range(self.chance.choice((1, 1, 2, 3))):
                world.engine.tasks.reclaim(id, self.chance.uniform(0.05, 3.0))
        else:
            world.engine.tasks.lose(id)
