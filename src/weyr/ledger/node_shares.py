"""What does a task cost that runs on a pool's node? The part of the node that it takes, while it is there. Pure.

The ledger bills nodes, used or idle, to their pool. This is for whoever asks what the requests of one endpoint cost.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from weyr.core.capability import TaskBody
from weyr.core.metering import Meter
from weyr.core.pools import NodeFacts
from weyr.core.ref import ThingId
from weyr.core.seen import Present, Seen, TaskFacts
from weyr.ledger.meters import ms
from weyr.ledger.unit_costs import spent_between

WHOLE = 1000


@dataclass(frozen=True, slots=True)
class Hosted:
    """A task that runs on `node`, of which it takes `milli` thousandths, since `since_ms`."""

    part: str
    node: ThingId
    milli: int
    since_ms: int


def hosted(tasks: Iterable[tuple[str, object, Seen]], nodes: Mapping[ThingId, NodeFacts]) -> Iterator[Hosted]:
    """Those of an object's things, given as (part, body, seen), that run on one of these nodes."""
    for part, body, seen in tasks:
        match body, seen:
            case TaskBody(), Present(facts=TaskFacts(node=str() as name, started_at=float() as since, ended_at=None)):
                node = ThingId.parse(name) if "#" in name else None
                if node is not None and node in nodes:
                    yield Hosted(part, node, milli_of(body, nodes[node]), ms(since))
            case _:
                continue


def milli_of(body: TaskBody, node: NodeFacts) -> int:
    """Of its cores, its memory and its devices, whichever it takes most of: nobody else can have the rest of that.

    Of what a node does not say that it has, nothing is taken.
    """
    parts = [_part(body.cpu, node.cpu), _part(body.memory_bytes or 0, node.memory_bytes)]
    wanted = body.accelerators
    if wanted is not None:
        devices = len(node.devices)
        parts.append(_part(wanted.count, devices))
        parts.append(_part(wanted.share_milli, devices * WHOLE))
        parts.append(_part(wanted.memory_bytes, devices * node.device_memory_bytes))
        slices = sum(1 for _, profile in node.slices if profile == wanted.profile)
        parts.append(_part(bool(wanted.profile), slices))
    return min(WHOLE, max(parts))


def left_of(shares: Iterable[Meter], since_ms: int, until_ms: int) -> int:
    """How many thousandths of a node its other shares leave over in a time, in the mean, rounded down.

    The mean: clocks of nodes are set, and a run that another overlaps by a moment did not have nothing all the while.
    """
    until_ms = max(until_ms, since_ms + 1)
    taken = 0
    for share in shares:
        begin_ms = max(share.run_from_ms if share.run_since_ms is None else share.run_since_ms, since_ms)
        end_ms = until_ms if share.until_ms is None else min(share.until_ms, until_ms)
        taken += share.quantity * max(0, end_ms - begin_ms)
    return max(0, WHOLE - -(-taken // (until_ms - since_ms)))


def spent_hosted(
    tasks: Iterable[Hosted], meters: Mapping[ThingId, Iterable[Meter]], from_ms: int, to_ms: int
) -> dict[str, int]:
    """Micro-units by part: each task's share of what its node's meters count between two moments."""
    return {
        task.part: spent_between(meters.get(task.node, ()), max(from_ms, task.since_ms), to_ms) * task.milli // WHOLE
        for task in tasks
    }


def _part(wanted: float, there: float) -> int:
    return round(WHOLE * wanted / there) if there else 0
