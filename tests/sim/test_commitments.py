"""What a commitment pays for is right to the micro-unit, whoever is killed and whatever is lost on the way."""

from collections import defaultdict
from pathlib import Path

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.commitments import COMMITTED, COVERED, FEE, USED
from weyr.ledger.books import Books
from weyr.ledger.commitments import HOUR_MS, hours_of
from weyr.ledger.grouping import By
from weyr.sim.faults import FaultRates
from weyr.sim.scripts import Script
from weyr.sim.trouble import Trouble
from weyr.sim.world import SimWorld
from weyr.store.ledger import LedgerStore

STACK = """\
stack: shop
commitments:
  floor: {form: savings_plan, covers: [aws/fargate], hourly: 0.06 USD, discount: 20%, term: 1y, until: 2126-12-01}
jobs:
  a: {run: work, grace: 0s, resources: {cpu: 1, memory: 1GiB}}
  b: {run: work, grace: 0s, resources: {cpu: 1, memory: 1GiB}}
"""
COVERS = 75_000
"""0.06 at a fifth off, in micro-units an hour."""


@pytest.mark.parametrize("seed", range(2))
def test_each_hour_is_covered_as_its_own_lines_say(folder: Path, seed: int) -> None:
    """A server that dies between an hour's end and its settling settles it once, from what the journal has: what was
    used, up to what is covered, and never twice."""
    trouble = Trouble(calls=FaultRates(loses_replies=0.1), dies=0.01 * seed)
    world = SimWorld(KINDS, folder, seed, trouble, lambda _want: Script(work_s=4_000.0))
    world.up(STACK)
    if "shop" not in world.loop.world.stacks:  # the server died before it kept the plan: said again, as a user would
        world.up(STACK)
    world.run(3 * 3600)
    world.stop_faults()
    world.run(3700)
    used: dict[int, int] = defaultdict(int)
    covered: dict[int, int] = defaultdict(int)
    for line in world.ledger.lines("shop", lines_max=100_000):
        if line.sku in ("task.cpu", "task.memory"):
            for hour_ms, micros, _ in hours_of(line.from_ms, line.to_ms, line.signed_micros, 0):
                used[hour_ms] += micros
        elif line.sku.endswith(COVERED):
            covered[line.from_ms] -= line.signed_micros
    first, last = min(used), max(used)
    for hour_ms in range(first + HOUR_MS, last + HOUR_MS, HOUR_MS):
        assert covered[hour_ms] == min(COVERS, used[hour_ms]), hour_ms
    assert 0 < covered[first] <= COVERS
    by_sku = {row.key: row.micros for row in world.ledger.cost("shop", By.SKU, world.clock()).rows}
    passed_on = sum(micros for sku, micros in by_sku.items() if sku.endswith(COMMITTED))
    assert 0 < passed_on == -by_sku[USED] < by_sku[FEE]
    assert Books(LedgerStore(world.db)).verify().fault == ""

    world.down("shop")
    assert world.run(400, until=world.is_empty)
    assert world.ledger.open_meters() == ()
