"""What does a pool cost? Each of its nodes, used or idle, from its beginning until it is proved to be gone. Pure."""

from collections.abc import Iterator, Mapping

from weyr.core.assumptions import HOURS_A_MONTH, Assumed, Assumption, Measure, Origin, Past
from weyr.core.decision import Thing
from weyr.core.engine import LOCAL
from weyr.core.kind import Begins, Estimate, Usage
from weyr.core.pools import NodeBody, NodeFacts, NodeWish
from weyr.core.seen import Present
from weyr.kinds.compute.pool.spec import PoolSpec

PRICED = "node.money"
"""Its quantity is millionths of a currency unit per hour, so that each pool may state its own price."""
UNPRICED = "node.hour"


def node_meters(body: NodeBody) -> tuple[tuple[str, int], ...]:
    """The meters that open with a node: at the stated price, or one that shows that none is known."""
    price = body.price_micros_per_hour
    return ((UNPRICED, 1),) if price is None else ((PRICED, price),)


def begins(spec: PoolSpec) -> Begins | None:
    """One of the nodes that it keeps."""
    return Begins(((PRICED, spec.price.micros),)) if spec.min and spec.price and not spec.calendar else None


def usage(_spec: PoolSpec, things: Mapping[str, Thing]) -> tuple[Usage, ...]:
    return tuple(line for thing in things.values() for line in _usage_of(thing))


def assumes(spec: PoolSpec, past: Past) -> tuple[Assumption, ...]:
    """The nodes that it keeps; what comes and goes by need is not foreseen until its meters tell of it."""
    if past.tells_rates:
        nodes = min(float(max(spec.min, spec.max)), max(float(spec.min), past.task_s / past.observed_s))
        return (Assumption("nodes", Measure.COUNT, nodes, nodes, nodes, Origin.MEASURED, past.said, spec.max),)
    return (
        Assumption("nodes", Measure.COUNT, spec.min, spec.min, max(spec.min, spec.max), Origin.STACK, "", spec.max),
    )


def estimate(spec: PoolSpec, assumed: Assumed) -> tuple[Estimate, ...]:
    price = spec.price.micros if spec.price else None
    sku, quantity = (UNPRICED, 1) if price is None else (PRICED, price)
    note = f"{spec.price} per hour and node" if spec.price else ""
    hours = spec.calendar.hours_per_month if spec.calendar else HOURS_A_MONTH
    return (Estimate(sku, quantity, hours * assumed["nodes"], note + ", while it is open" * bool(spec.calendar)),)


def wishes(spec: PoolSpec) -> NodeWish | None:
    """Its nodes as machines of a cloud would have to be; None of nodes without devices, and those of a cluster."""
    if spec.on != LOCAL or not spec.accelerators:
        return None
    ((model, devices),) = spec.accelerators.items()
    return NodeWish(model, devices, spec.cpu or 0.0, spec.memory or 0, spec.market)


def _usage_of(thing: Thing) -> Iterator[Usage]:
    match thing.seen, thing.body:
        case Present(facts=NodeFacts(began_at=since)), NodeBody() as body:
            for sku, quantity in node_meters(body):
                yield Usage(thing.part, sku, quantity, since)
        case _:
            return
