"""What can be done on purpose to a pool's node, and to all that runs there? Reclaim, lose, slow it, cut it off."""

from collections.abc import Callable
from contextlib import suppress

from weyr.compose.local import NotDone, Weyr
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.pools import NodeFacts
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Present
from weyr.server.answers import Conflict, NotFound

Node = tuple[ThingId, list[ThingId]]
"""A node, and the tasks that run there."""


def reclaim(weyr: Weyr, ref: Ref, name: str, notice_s: float) -> Node:
    """Notice for a node, and for all that runs there; it goes when the time is up. Raises: NotFound, Conflict."""
    node, tasks = _struck(weyr, ref, name, lambda node: weyr.nodes.reclaim(node, notice_s))
    for task in tasks:
        weyr.tasks.reclaim(task, notice_s)
    return node, tasks


def disturb(weyr: Weyr, ref: Ref, name: str, what: object, share: float, for_s: float) -> Node:
    """Raises: NotFound, Conflict, UserError where `what` is nothing that can be done."""
    match what:
        case "kill":
            node, tasks = _struck(weyr, ref, name, weyr.nodes.lose)
            return _each(node, tasks, weyr.chaos.end)
        case "slow":
            node, tasks = _struck(weyr, ref, name, lambda node: weyr.nodes.has(str(node)))
            return _each(node, tasks, lambda task: weyr.chaos.slow(task, share, for_s))
        case "partition":
            node, tasks = _struck(weyr, ref, name, lambda node: weyr.nodes.cut(node, for_s))
            return _each(node, tasks, lambda task: weyr.chaos.partition(task, for_s))
        case other:
            raise UserError(Diagnostic("Invalid value", f"{other!r} is none of kill, slow and partition."))


def _each(node: ThingId, tasks: list[ThingId], do: Callable[[ThingId], None]) -> Node:
    for task in tasks:
        # It may just have ended; and what shares the machine's network has no line of its own to be cut.
        with suppress(NotDone, ProcessLookupError):
            do(task)
    return node, tasks


def _struck(weyr: Weyr, ref: Ref, name: str, strike: Callable[[ThingId], bool]) -> Node:
    """The node that is named, else the busiest, once something was done to it. Raises: NotFound, Conflict."""
    with weyr.lock:
        if ref not in weyr.world.objects:
            raise NotFound(f"There is no {ref} in stack {ref.stack}.")
        things = list(weyr.world.things.get(ref, {}).values())
    there = [
        thing.id for thing in things if isinstance(thing.seen, Present) and isinstance(thing.seen.facts, NodeFacts)
    ]
    meant = [id for id in there if name in ("", id.part, str(id))]
    on = {id: weyr.at_nodes.on(id) for id in meant}
    for id in sorted(meant, key=lambda id: (-len(on[id]), id)):
        if strike(id):
            return id, weyr.at_nodes.on(id)  # asked again: nothing new comes now
    if name and not meant:
        known = f"; it has {', '.join(sorted(id.part for id in there))}" if there else ""
        raise NotFound(f"{ref} has no node {name!r} now{known}.")
    raise Conflict(f"{ref} has no node on this machine now.")
