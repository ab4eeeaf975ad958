"""What of a pool's nodes do an object's tasks have? Pure: from what was seen of both."""

from collections.abc import Iterator

from weyr.core.capability import TaskBody
from weyr.core.kind import Usage
from weyr.core.pools import NodeFacts
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Present, TaskFacts
from weyr.ledger.node_shares import milli_of
from weyr.reconcile.world import World

NODE_SHARE = "node.share"
"""A task's part of a node of a pool, in thousandths: the pool pays for the node, and is paid for what is used of it."""


def shares_of_nodes(world: World, ref: Ref) -> Iterator[Usage]:
    """A usage for each of the object's tasks that runs on a pool's node, or did. Of a node of which nothing is known
    any more the share is 0, which changes nothing but when it ends."""
    for part, thing in world.things_of(ref).items():
        match thing.body, thing.seen:
            case TaskBody() as body, Present(facts=TaskFacts(node=str() as name, started_at=float() as since) as facts):
                node = ThingId.parse(name) if "#" in name else None
                if node is not None:
                    yield Usage(part, NODE_SHARE, _milli(world, body, node), since, facts.ended_at, of=node)
            case _:
                continue


def _milli(world: World, body: TaskBody, node: ThingId) -> int:
    row = world.thing(node)
    match row.seen if row else None:
        case Present(facts=NodeFacts() as facts):
            return milli_of(body, facts)
        case _:
            return 0
