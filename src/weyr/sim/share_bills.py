"""What was each pool's node shared out for? Shares beside the parts that tasks were given."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from weyr.core.capability import TaskBody
from weyr.core.metering import Meter
from weyr.core.pools import NodeBody
from weyr.core.ref import ThingId
from weyr.ledger.meters import ms
from weyr.sim.tasks import Ran
from weyr.store.ledger import LedgerStore


@dataclass(frozen=True, slots=True)
class ShareBill:
    """One task's share of a node: `part` is what it was given of that node, of which the meter has `quantity` in
    thousandths. `is_alone`: by all clocks nobody else had any of the node in its time."""

    id: ThingId
    quantity: int
    part: Fraction
    is_alone: bool


@dataclass(frozen=True, slots=True)
class NodeBill:
    """What a node cost its pool, what of that others have paid for, and in how many shares."""

    node: ThingId
    micros: int
    shared_micros: int
    shares: tuple[ShareBill, ...]


def node_bills(store: LedgerStore, ran: Iterable[Ran], sizes: Mapping[str, NodeBody]) -> Iterator[NodeBill]:
    """A bill for each node that was ever paid for. `sizes` are what the engine made of each."""
    runs: dict[ThingId, list[Ran]] = defaultdict(list)
    for run in ran:
        runs[run.id].append(run)
    with store.db.read() as connection:
        meters = list(store.every(connection))
    shares: dict[str, list[Meter]] = defaultdict(list)
    own: dict[str, int] = defaultdict(int)
    for meter in meters:
        if meter.source is not None:
            shares[meter.book].append(meter)
        elif str(meter.thing) in sizes:
            own[str(meter.thing)] += meter.posted_micros
    for name in sorted(own):
        of_node = [run for found in runs.values() for run in found if run.body.node == name]
        bills = tuple(_share(meter, runs[meter.thing], of_node, sizes[name]) for meter in shares[name])
        yield NodeBill(ThingId.parse(name), own[name], sum(m.posted_micros for m in shares[name]), bills)


def _share(meter: Meter, runs: list[Ran], of_node: list[Ran], size: NodeBody) -> ShareBill:
    since_ms = meter.run_since_ms or 0
    mine = min(runs, key=lambda run: abs(ms(run.started_at) - since_ms))
    others = [run for run in of_node if run is not mine]
    return ShareBill(meter.thing, meter.quantity, _part(mine.body, size), not any(_meet(mine, run) for run in others))


def _part(body: TaskBody, size: NodeBody) -> Fraction:
    """Of cores, memory or devices, whichever it was given most of."""
    parts = [Fraction(str(body.cpu)) / Fraction(str(size.cpu)), Fraction(body.memory_bytes or 0, size.memory_bytes)]
    if body.accelerators is not None and size.devices:
        devices = body.accelerators.count or Fraction(body.accelerators.share_milli, 1000)
        parts.append(Fraction(devices) / size.devices)
    return max(parts)


def _meet(one: Ran, other: Ran) -> bool:
    """Whether they may have been there at once, as clocks of nodes have it."""
    slack_s = 2 * (abs(one.skew_s) + abs(other.skew_s)) + 1.0
    one_end, other_end = (float("inf") if run.ended_at is None else run.ended_at for run in (one, other))
    return one.began_at < other_end + slack_s and other.began_at < one_end + slack_s
