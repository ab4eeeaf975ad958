"""What serves, waits for calls, is worked in or holds bytes is billed as a job is: for as long as it ran, once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.capability import Wanted
from weyr.ledger.grouping import By
from weyr.ledger.meters import ms
from weyr.reconcile.scheduler import Room
from weyr.sim.chance import chance_of
from weyr.sim.faults import FaultRates
from weyr.sim.scripts import Script
from weyr.sim.store import StoreRates
from weyr.sim.trouble import Trouble
from weyr.sim.world import SimWorld
from weyr.store.ledger import LedgerStore

TEXT = """
stack: all
buckets: {lake: {}}
services:
  shop: {run: serve 0, replicas: 2, grace: 2s, resources: {cpu: 0.5, memory: 128MiB}}
endpoints:
  kept: {run: serve 0, ready: /, scale: {min: 2, max: 2}, grace: 2s, resources: {cpu: 1, memory: 64MiB}}
functions:
  warm:
    {handler: "hello:greet", http: {methods: [GET]}, scale: {warm: 1, max: 2}, resources: {cpu: 0.25, memory: 64MiB}}
devs:
  shell: {resources: {cpu: 0.25, memory: 64MiB}}
"""
ROOM = Room(16, 32 << 30)
TROUBLES = (
    Trouble(room=ROOM),
    Trouble(FaultRates(loses_replies=0.2, crashes=0.005, stales=0.1), dies=0.02, room=ROOM),
    Trouble(FaultRates(delays=0.1, repeats=0.1), store=StoreRates(dies=0.005, cuts=0.5), room=ROOM),
)
LATE_S = (35.0, 130.0, 100.0)
"""By trouble: how long nobody may have looked at a bucket, which is looked at twice a minute."""


def serving(want: Wanted) -> Script:
    """It goes on until it is stopped."""
    return Script(work_s=1e9, starts_after_s=0.5, ready_after_s=1.0)


@pytest.mark.parametrize("seed", range(len(TROUBLES)))
def test_whatever_runs_is_billed_from_its_start_to_its_end(folder: Path, seed: int) -> None:
    """Services, endpoints, functions and dev sessions, edited, reclaimed and killed: to the millisecond, as
    `check_bills` compares it with what the engine says ran. What a bucket holds is billed as it was seen."""
    chance, trouble = chance_of(seed, "people"), TROUBLES[seed]
    world = SimWorld(KINDS, folder, seed, trouble, serving)
    world.engine.buckets.fill("all-lake", 2**40)
    world.up(TEXT)
    text, held = TEXT, [(world.clock(), 2**40)]
    for turn in range(5):
        world.run(chance.expovariate(1 / 25))
        live = world.snapshot().live
        match chance.randrange(5):
            case 0 if live:
                world.engine.tasks.reclaim(chance.choice(live), chance.uniform(0.1, 3.0))
            case 1 if live:
                world.engine.tasks.lose(chance.choice(live))
            case 2:
                text = TEXT.replace("serve 0", f"serve {turn}")
                world.up(text)
            case 3:
                world.crash()
            case _:
                size = chance.randrange(2**40)
                world.engine.buckets.fill("all-lake", size)
                held.append((world.clock(), size))
    world.stop_faults()
    world.up(text)
    world.check_settled(900)
    stood_at = world.clock()
    world.down("all")
    world.check_settled(900)
    world.run(65)
    world.check_settled(900)

    world.check_bills()
    kinds = Counter(run.id.ref.kind for run in world.engine.tasks.ran())
    assert kinds.keys() == {"service", "endpoint", "function", "dev"}, "all of them had something to bill"
    least, most = bounds([*held, (stood_at, 0)], LATE_S[seed])
    stored = sum(used(world, "storage.standard"))
    world.db.close()
    assert least <= stored <= most, (least, stored, most)


def test_what_never_came_up_costs_nothing(folder: Path) -> None:
    """Replicas, instances and a job whose wrappers are killed before anything of theirs began: their meters are open
    for a minute, and no line is posted."""
    text = TEXT[: TEXT.index("devs:")] + "jobs: {train: {run: work, grace: 1s}}\n"
    world = SimWorld(KINDS, folder, 0, Trouble(room=ROOM), lambda _want: Script(work_s=1e9, starts_after_s=1e8))
    world.up(text)
    world.run(60)
    assert {meter.thing.ref.kind for meter in world.ledger.open_meters()} >= {"service", "endpoint", "function", "job"}
    assert not list(world.engine.tasks.ran())
    world.down("all")
    for _ in range(3):
        world.run(2)
        for id in world.engine.tasks.held():
            world.engine.tasks.lose(id)
    world.check_settled(120)

    assert list(used(world, "task.cpu")) == []
    assert world.ledger.cost(None, By.STACK, world.clock()).total_micros == 0


def bounds(held: Sequence[tuple[float, int]], late_s: float) -> tuple[int, int]:
    """The fewest and the most byte-milliseconds, where each size is seen up to so late, if it is not gone by then."""
    spans = [(size, ms(until) - ms(since)) for (since, size), (until, _) in pairwise(held)]
    late_ms = ms(late_s)
    return sum(size * max(0, ran - late_ms) for size, ran in spans), sum(size * (ran + late_ms) for size, ran in spans)


def used(world: SimWorld, sku: str) -> Iterator[int]:
    with world.db.read() as connection:
        for line in LedgerStore(world.db).lines(connection, lines_max=100_000):
            if line.sku == sku:
                yield line.used
