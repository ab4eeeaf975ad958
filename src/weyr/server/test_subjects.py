"""What the waste finder is told of a world: each object by what it asks for, what it did and what it costs."""

from dataclasses import replace
from typing import Any

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.capability import Accelerators, Capability, TaskBody
from weyr.core.decision import Condition, ConditionType
from weyr.core.metering import Meter, Price
from weyr.core.pools import NodeBody, NodeFacts, NodeState, NodeUse, PoolBody, PoolFacts
from weyr.core.ref import Ref, ThingId
from weyr.core.routes import RouteBody
from weyr.core.schema import from_plain, to_json
from weyr.core.seen import BucketFacts, BucketRule, BucketUse, Facts, Present, RouteFacts, TaskFacts, TaskState
from weyr.ledger.advice.advise import savings_of
from weyr.ledger.advice.storage import CHECKPOINTS_KEPT_S
from weyr.ledger.advice.values import Left, Looked, Rule, Subject, Traffic
from weyr.ledger.prices import Catalogue
from weyr.reconcile.world import World
from weyr.server.subjects import Known, specs_of, subjects_of
from weyr.store.kernel import ObjectRow, StackRow, Status, ThingRow
from weyr.store.use_peaks import UsePeak

NOW = 10_000_000.0
HOUR = 3600.0
DONE = Status((Condition(ConditionType.COMPLETE, True, "Succeeded"),))


def world_of(*objects: tuple[str, str, dict[str, Any]]) -> World:
    world = World()
    world.stacks["s"] = StackRow("s", "p", "aws/fargate", "/w/weyr.yaml", False, NOW)
    for kind, name, fields in objects:
        spec = to_json(KINDS[kind].spec, from_plain(KINDS[kind].spec, fields))
        world.put(ObjectRow(Ref("s", kind, name), spec, 1, "/w"))
    return world


def put(world: World, id: str, capability: Capability, body: Any, facts: Facts) -> None:
    world.put_thing(ThingRow(ThingId.parse(id), capability, 1, body, Present(facts)))


def seen(world: World, *meters: Meter, peaks: tuple[UsePeak, ...] = (), left: Any = None) -> dict[str, Subject]:
    known = Known(NOW, round((NOW - 720 * HOUR) * 1000), meters, peaks, Catalogue.shipped().books, left or {})
    specs = specs_of(world.objects.values())
    return {str(subject.ref): subject for subject in subjects_of(world, specs, known)}


def running(since: float, **more: Any) -> TaskFacts:
    return TaskFacts(TaskState.RUNNING, started_at=since, **more)


def meter(id: str, since: float, until: float | None) -> Meter:
    return Meter(
        ThingId.parse(id), "task.cpu", "aws/fargate", Price(40_480, 1000, 3600), round(since * 1000), quantity=1000,
        run_since_ms=round(since * 1000), until_ms=None if until is None else round(until * 1000),
    )  # fmt: skip


def test_a_service_that_nobody_asked_since_it_began_is_quiet_since_then() -> None:
    """Without a request the beginning of its oldest replica counts, not that of all time."""
    world = world_of(("service", "web", {"run": "x", "replicas": 2}))
    put(world, "s:service/web#1", Capability.TASKS, TaskBody(("x",), "/"), running(NOW - 5 * HOUR))
    put(world, "s:service/web#2", Capability.TASKS, TaskBody(("x",), "/"), running(NOW - 2 * HOUR))
    put(world, "s:service/web#route", Capability.TRAFFIC, RouteBody("s/web"), RouteFacts())
    of = (meter("s:service/web#1", NOW - 5 * HOUR, None), meter("s:service/web#2", NOW - 2 * HOUR, None))

    web = seen(world, *of)["service/web"]

    assert web.traffic == Traffic(round((NOW - 5 * HOUR) * 1000), 2, 2, has_scale=False)
    assert (web.tasks_running, web.rate_micros_per_hour) == (2, 2 * 40_480)
    put(world, "s:service/web#route", Capability.TRAFFIC, RouteBody("s/web"), RouteFacts(last_request_at=NOW - 60))
    assert seen(world)["service/web"].traffic == Traffic(round((NOW - 60) * 1000), 2, 2, has_scale=False)


def test_a_job_counts_the_hours_of_the_last_month_and_may_be_spot_where_it_keeps_checkpoints() -> None:
    """What ran in the spring is no guide to the next month's bill."""
    world = world_of(
        ("bucket", "lake", {}),
        ("job", "train", {"run": "x", "checkpoint": {"bucket": "lake"}, "resources": {"cpu": 2}}),
        ("job", "plain", {"run": "x"}),
    )
    long_ago, before = NOW - 900 * HOUR, NOW - 10 * HOUR

    found = seen(
        world, meter("s:job/train#1", long_ago, NOW - 717 * HOUR), meter("s:job/train#2", before, NOW - 8 * HOUR)
    )

    train = found["job/train"]
    assert train.ran_hours == 3 + 2
    assert train.asked is not None
    assert (train.asked.cpu_milli, train.asked.ends) == (2000, True)
    assert train.interruptible is not None
    assert (train.interruptible.path, train.interruptible.hours) == (("spot",), 5)
    assert "bucket/lake" in train.interruptible.survives
    assert found["job/plain"].interruptible is None
    assert found["bucket/lake"].stored is None, "nobody has seen it yet"


def test_replicas_above_those_that_are_kept_could_be_on_spot() -> None:
    """One is always there; another helped for three of ten hours."""
    world = world_of(
        ("service", "web", {"run": "x", "scale": {"min": 1, "max": 4}}),
        ("service", "sleeps", {"run": "x", "scale": {"min": 0, "max": 4}}),
    )
    one, two = NOW - 10 * HOUR, NOW - 5 * HOUR
    found = seen(world, meter("s:service/web#1", one, None), meter("s:service/web#2", two, NOW - 2 * HOUR))

    could = found["service/web"].interruptible
    assert could is not None
    assert could.path == ("scale", "spot")
    assert could.hours == pytest.approx(3)
    assert found["service/sleeps"].interruptible is None, "a reclaim could leave nobody to answer"


def pool_world() -> World:
    world = world_of(
        ("pool", "gpu", {"accelerators": {"H100": 8}, "price": "98 USD", "min": 2, "max": 2}),
        ("job", "train", {"run": "x", "pool": "gpu", "resources": {"accelerators": 2}}),
    )
    node = NodeBody("s:pool/gpu", model="H100", devices=8, price_micros_per_hour=98_000_000)
    facts = NodeFacts(NodeState.READY, NOW - 9 * HOUR, cpu=8, memory_bytes=2**40, devices=tuple("abcdefgh"))
    uses = (NodeUse("n1", 1), NodeUse("n2", 0, NOW - 3 * HOUR))
    put(world, "s:pool/gpu#pool", Capability.POOLS, PoolBody(node), PoolFacts(nodes=uses))
    for part in ("n1", "n2"):
        put(world, f"s:pool/gpu#{part}", Capability.NODES, node, facts)
    return world


def test_an_idle_node_is_told_with_its_price_and_its_devices() -> None:
    """The one of two that nothing runs on, since when nothing has."""
    pool = seen(pool_world())["pool/gpu"].pool

    assert pool is not None
    assert [(n.part, n.devices, n.micros_per_hour, n.since_ms) for n in pool.idle] == [
        ("n2", 8, 98_000_000, round((NOW - 3 * HOUR) * 1000))
    ]
    (saving,) = savings_of(seen(pool_world()).values(), Looked(round(NOW * 1000)))
    assert (saving.rule, saving.micros_per_month) == (Rule.IDLE_GPU, 98_000_000 * 730)


def test_a_task_on_a_node_costs_its_part_of_it() -> None:
    """Two devices of eight are a quarter of the node, though the node's own meter is the pool's."""
    world = pool_world()
    wanted = seen(world)["job/train"].asked
    assert wanted is not None
    assert (wanted.devices, wanted.is_on_pool) == (2, True)
    body = TaskBody(("x",), "/", cpu=1.0, pool="s:pool/gpu", accelerators=Accelerators(count=2))
    facts = running(NOW - HOUR, node="s:pool/gpu#n1", devices=("a", "b"))
    put(world, "s:job/train#1", Capability.TASKS, body, facts)

    assert seen(world)["job/train"].rate_micros_per_hour == 98_000_000 // 4


def test_what_jobs_that_are_over_left_is_told_where_no_rule_ends_it() -> None:
    """A job that still runs keeps its checkpoints, and so does a rule that is there already."""
    lake = Ref("s", "bucket", "lake")
    left = {lake: {f"checkpoints/{name}/": Left(2**40, 1) for name in ("gone", "train", "tidy")}}
    rules = {"lifecycle": [{"prefix": "checkpoints/tidy/", "expire_after": "7d"}]}
    world = world_of(("bucket", "lake", rules), ("job", "train", {"run": "x"}))
    facts = BucketFacts(2**42, 3, (BucketRule("checkpoints/tidy/", 1.0),), BucketUse(NOW - CHECKPOINTS_KEPT_S))
    put(world, "s:bucket/lake#bucket", Capability.OBJECTS, None, facts)

    stored = seen(world, left=left)["bucket/lake"].stored

    assert stored is not None
    assert list(stored.old_checkpoints) == ["checkpoints/gone/"]
    assert (stored.reads, stored.named_by) == (0, ())
    world.put(replace(world.objects[Ref("s", "job", "train")], status=DONE))
    over = seen(world, left=left)["bucket/lake"].stored
    assert over is not None
    assert sorted(over.old_checkpoints) == ["checkpoints/gone/", "checkpoints/train/"]
