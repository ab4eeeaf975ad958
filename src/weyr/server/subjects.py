"""What does the waste finder see? Each object of the world as a `Subject`: spec, things, meters, measured use."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weyr.compose.kinds import KINDS
from weyr.core.capability import TaskBody
from weyr.core.decision import Phase
from weyr.core.metering import Meter
from weyr.core.pools import NodeBody, NodeFacts, PoolFacts
from weyr.core.ref import Ref, ThingId
from weyr.core.scale_fields import Scale
from weyr.core.schema import Spec, ValidationError, from_json, references_of
from weyr.core.seen import BucketFacts, Present, RouteFacts, TaskFacts, TaskState
from weyr.core.task_spec import TaskSpec
from weyr.core.units import HOUR_S
from weyr.ledger.accounts import rate_of
from weyr.ledger.advice.values import Asked, IdleNode, Interruptible, Left, Pool, Session, Stored, Subject, Traffic
from weyr.ledger.meters import ms
from weyr.ledger.node_shares import hosted
from weyr.ledger.prices import PriceBook
from weyr.reconcile.world import World
from weyr.store.kernel import ObjectRow, ThingRow
from weyr.store.use_peaks import UsePeak

REDONE_MILLI = 50
"""What is computed twice after reclaims, of all that is computed: part of the price of spot."""
OVER = frozenset({Phase.DONE, Phase.FAILED, Phase.SKIPPED})


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside the world: meters that ran since `from_ms`, measured use, and what lies in buckets, by the
    bucket and the folder below `checkpoints/`."""

    now: float
    from_ms: int
    meters: Sequence[Meter]
    peaks: Sequence[UsePeak]
    books: Mapping[str, PriceBook]
    left: Mapping[Ref, Mapping[str, Left]]


def copied(world: World) -> World:
    """The world as it is at this moment, to be read at leisure: ten thousand objects take a second, for which nobody
    is to be kept waiting. Its caller holds the world's lock."""
    things = {ref: dict(parts) for ref, parts in world.things.items()}
    return World(stacks=dict(world.stacks), objects=dict(world.objects), things=things)


def specs_of(rows: Iterable[ObjectRow]) -> Mapping[Ref, Spec]:
    """What stands of these objects. Those that are to go, or that today's kinds cannot read, are left out."""
    return {row.ref: spec for row in sorted(rows, key=lambda row: row.ref) if (spec := _spec(row)) is not None}


def subjects_of(world: World, specs: Mapping[Ref, Spec], known: Known) -> tuple[Subject, ...]:
    """Of the objects with these specs. Takes a world that nobody changes meanwhile."""
    meters, peaks = _by_ref(known.meters), _by_sku(known.peaks)
    nodes = _nodes(world)
    named: dict[Ref, set[Ref]] = defaultdict(set)
    for ref, spec in specs.items():
        for _path, reference in references_of(spec):
            named[reference.ref(ref.stack)].add(ref)
    return tuple(
        _subject(world, ref, spec, known, meters.get(ref, ()), peaks.get(ref, {}), nodes, frozenset(named[ref]))
        for ref, spec in specs.items()
        if world.stacks[ref.stack].price_as in known.books
    )


def _subject(
    world: World,
    ref: Ref,
    spec: Spec,
    known: Known,
    meters: Sequence[Meter],
    peaks: Mapping[str, UsePeak],
    nodes: Mapping[ThingId, tuple[NodeFacts, int | None]],
    named_by: frozenset[Ref],
) -> Subject:
    things = world.things_of(ref)
    running = [facts for thing in things.values() if (facts := _running(thing))]
    begun = [facts.started_at for facts in running if facts.started_at is not None]
    return Subject(
        ref=ref,
        prices=known.books[world.stacks[ref.stack].price_as],
        rate_micros_per_hour=_rate(things, meters, nodes),
        running_since_ms=ms(min(begun)) if begun else None,
        tasks_running=len(running),
        ran_hours=_ran_hours(meters, known.from_ms, ms(known.now)),
        asked=_asked(ref, spec),
        peaks=peaks,
        traffic=_traffic(spec, things, begun),
        interruptible=_interruptible(spec, meters, known),
        session=_session(ref, spec),
        pool=_pool(ref, spec, things),
        stored=_stored(world, ref, spec, things, named_by, known.left.get(ref, {})),
    )


def _spec(row: ObjectRow) -> Spec | None:
    kind = KINDS.get(row.ref.kind)
    if kind is None or row.spec is None:
        return None
    try:
        spec: Spec = from_json(kind.spec, row.spec)
    except ValidationError:
        return None
    return spec


def _asked(ref: Ref, spec: Spec) -> Asked | None:
    if not isinstance(spec, TaskSpec):
        return None
    wanted, is_job = spec.resources.accelerators, ref.kind == "job"
    return Asked(
        cpu_milli=round(spec.resources.cpu * 1000),
        memory_bytes=spec.resources.memory,
        devices=max(wanted.count, 1) if wanted else 0,
        is_on_pool=bool(spec.pool or wanted or spec.labels),
        is_spot=bool(getattr(spec, "spot", False)),
        ends=is_job,
    )


def _interruptible(spec: Spec, meters: Sequence[Meter], known: Known) -> Interruptible | None:
    """A job that keeps checkpoints, or the replicas above those that are always kept: while one is away they answer."""
    ran = _ran_hours(meters, known.from_ms, ms(known.now))
    keeps, scale = getattr(spec, "checkpoint", None), getattr(spec, "scale", None)
    if keeps is not None:
        survives = f"it goes on from its checkpoints in {keeps.bucket} after a reclaim"
        return Interruptible(("spot",), ran, survives, REDONE_MILLI)
    if not isinstance(scale, Scale) or scale.spot or not scale.min or scale.is_fixed:
        return None
    begun = [meter.run_since_ms for meter in meters if meter.run_since_ms is not None]
    stood = (ms(known.now) - max(min(begun, default=ms(known.now)), known.from_ms)) / (HOUR_S * 1000)
    above = max(0.0, ran - scale.min * stood)
    survives = f"{scale.min} of its replicas stay on demand and answer while others are away"
    return Interruptible(("scale", "spot"), above, survives)


def _traffic(spec: Spec, things: Mapping[str, ThingRow], begun: Sequence[float]) -> Traffic | None:
    """Of what has a route; a worker without one may have other work than requests."""
    route = next((facts for thing in things.values() if (facts := _route(thing))), None)
    if route is None or not begun:
        return None
    scale: Scale | None = getattr(spec, "scale", None)
    quiet_at = max(min(begun), route.last_request_at or 0.0)
    if isinstance(scale, Scale):
        return Traffic(ms(quiet_at), scale.min, scale.most)
    replicas = int(getattr(spec, "replicas", 0))
    return Traffic(ms(quiet_at), replicas, replicas, has_scale=False)


def _route(thing: ThingRow) -> RouteFacts | None:
    match thing.seen:
        case Present(facts=RouteFacts() as facts):
            return facts
        case _:
            return None


def _session(ref: Ref, spec: Spec) -> Session | None:
    if ref.kind != "dev":
        return None
    return Session(float(getattr(spec, "idle_after", 0.0)), getattr(spec, "calendar", None) is not None)


def _pool(ref: Ref, spec: Spec, things: Mapping[str, ThingRow]) -> Pool | None:
    if ref.kind != "pool":
        return None
    bodies = {part: t.body for part, t in things.items() if isinstance(t.body, NodeBody) and not t.body.engine}
    uses = [
        use
        for thing in things.values()
        if isinstance(thing.seen, Present) and isinstance(thing.seen.facts, PoolFacts)
        for use in thing.seen.facts.nodes
        if use.idle_since is not None and use.node in bodies
    ]
    idle = tuple(
        IdleNode(use.node, ms(use.idle_since or 0.0), body.devices, body.price_micros_per_hour)
        for use in uses
        for body in [bodies[use.node]]
    )
    return Pool(int(getattr(spec, "min", 0)), float(getattr(spec, "idle_after", 0.0)), idle)


def _stored(
    world: World,
    ref: Ref,
    spec: Spec,
    things: Mapping[str, ThingRow],
    named_by: frozenset[Ref],
    left: Mapping[str, Left],
) -> Stored | None:
    facts = next((t.seen.facts for t in things.values() if isinstance(t.seen, Present)), None)
    if not isinstance(facts, BucketFacts):
        return None
    written: list[dict[str, Any]] = spec.model_dump(mode="json", exclude_defaults=True).get("lifecycle", [])
    ended = [str(rule.get("prefix", "")) for rule in written if rule.get("expire_after")]
    over = {
        prefix: each
        for prefix, each in left.items()
        if not any(prefix.startswith(begin) for begin in ended) and _is_over(world, ref.stack, prefix)
    }
    use = facts.use
    reads, since_ms = (use.reads + sum(one.reads for one in facts.classes), ms(use.since)) if use else (None, 0)
    tiers = tuple(name.lower() for name, _url in facts.tiers)
    return Stored(facts.size_bytes, tuple(sorted(named_by)), reads, since_ms, tuple(written), over, tiers)


def _is_over(world: World, stack: str, prefix: str) -> bool:
    """Whether the job whose checkpoints lie there is over, or gone."""
    job = Ref(stack, "job", prefix.rstrip("/").rpartition("/")[2])
    return job not in world.objects or world.phase(job) in OVER


def _running(thing: ThingRow) -> TaskFacts | None:
    match thing.seen:
        case Present(facts=TaskFacts(state=TaskState.RUNNING) as facts):
            return facts
        case _:
            return None


def _rate(
    things: Mapping[str, ThingRow], meters: Sequence[Meter], nodes: Mapping[ThingId, tuple[NodeFacts, int | None]]
) -> int | None:
    """By its own meters, and for what runs on a pool's nodes by its part of each node."""
    own = [meter for meter in meters if meter.is_running]
    told = [(part, t.body, t.seen) for part, t in things.items() if isinstance(t.body, TaskBody)]
    shares = [(nodes[h.node][1], h.milli) for h in hosted(told, {id: facts for id, (facts, _) in nodes.items()})]
    if any(meter.price is None for meter in own) or any(rate is None for rate, _ in shares):
        return None
    return rate_of(own) + sum((rate or 0) * milli // 1000 for rate, milli in shares)


def _nodes(world: World) -> dict[ThingId, tuple[NodeFacts, int | None]]:
    return {
        thing.id: (thing.seen.facts, thing.body.price_micros_per_hour)
        for ref, things in world.things.items()
        if ref.kind == "pool"
        for thing in things.values()
        if isinstance(thing.seen, Present) and isinstance(thing.seen.facts, NodeFacts)
        if isinstance(thing.body, NodeBody)
    }


def _ran_hours(meters: Iterable[Meter], from_ms: int, now_ms: int) -> float:
    """How long tasks ran since then, all together: by their CPU, which each has."""
    ran = 0
    for meter in meters:
        if meter.sku.removesuffix(".spot") == "task.cpu" and meter.run_since_ms is not None:
            until = now_ms if meter.until_ms is None else meter.until_ms
            ran += max(0, min(until, now_ms) - max(meter.run_since_ms, from_ms))
    return ran / (HOUR_S * 1000)


def _by_ref(meters: Iterable[Meter]) -> Mapping[Ref, Sequence[Meter]]:
    found: dict[Ref, list[Meter]] = defaultdict(list)
    for meter in meters:
        found[meter.thing.ref].append(meter)
    return found


def _by_sku(peaks: Iterable[UsePeak]) -> Mapping[Ref, Mapping[str, UsePeak]]:
    found: dict[Ref, dict[str, UsePeak]] = defaultdict(dict)
    for peak in peaks:
        found[peak.ref][peak.sku] = peak
    return found


def buckets_in(world: World, stack: str) -> Iterator[tuple[Ref, str, int]]:
    """The buckets that are there, with their names at the door and how much they hold."""
    for ref, row in world.objects.items():
        if ref.kind != "bucket" or (stack and ref.stack != stack) or not row.status.outputs.get("name"):
            continue
        facts = next((t.seen.facts for t in world.things_of(ref).values() if isinstance(t.seen, Present)), None)
        if isinstance(facts, BucketFacts):
            yield ref, str(row.status.outputs["name"]), facts.size_bytes
