"""What exists that nobody owns? Every intention is stored before its effect, so a thing without one is an orphan."""

from weyr.core.capability import Capability
from weyr.core.ref import ThingId
from weyr.reconcile.effects import Effects
from weyr.reconcile.world import World


def orphans_of(world: World, effects: Effects) -> list[tuple[Capability, ThingId]]:
    """Things that an engine holds and no object of ours asked for."""
    held = effects.inventory()
    return [(name, id) for name, ids in held.items() for id in ids if world.thing(id) is None]


def sweep(world: World, effects: Effects) -> list[ThingId]:
    """Releases the orphans. Gives them; the next sweep shows whether they are gone.

    No pass may be under way: what it has just stored would be missing from the one list or the other.
    """
    found = orphans_of(world, effects)
    for _, id in found:
        effects.log("orphan.released", ref=id.ref.absolute, thing=str(id))
    effects.observe(found)  # a task's engine keeps the record of its end until a look was told of it
    effects.release(found)
    return [id for _, id in found]
