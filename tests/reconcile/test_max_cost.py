"""A job's bound on its cost, with the ledger that bills it."""

from pathlib import Path

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.decision import Phase
from weyr.core.ref import Ref
from weyr.ledger.grouping import By
from weyr.sim.scripts import Script
from weyr.sim.world import SimWorld

JOB = Ref("box", "job", "long")
BOUND_MICROS = 10_000
STACK = "stack: box\njobs: {long: {run: x, max_cost: 0.01 USD, resources: {cpu: 1}}}\n"


@pytest.fixture
def world(tmp_path: Path) -> SimWorld:
    return SimWorld(KINDS, tmp_path, scripts=lambda _: Script(work_s=10 * 86_400.0))


def test_a_run_is_stopped_within_seconds_of_its_bound(world: SimWorld) -> None:
    """Nobody pays for a night that was not meant to be; what is billed at last is told, to the second."""
    world.up(STACK)
    world.run(20)
    so_far = world.ledger.object_cost(JOB, world.clock())
    assert so_far.rate_micros_per_hour > 0
    due_s = BOUND_MICROS / so_far.rate_micros_per_hour * 3600
    assert not world.run(due_s - 60, until=lambda: world.phases("box")["job/long"] is not Phase.WORKING)
    assert world.run(120, until=lambda: world.phases("box")["job/long"] is Phase.FAILED)
    at_end = world.ledger.object_cost(JOB, world.clock())
    assert BOUND_MICROS <= at_end.micros <= BOUND_MICROS + 10 * so_far.rate_micros_per_hour / 3600
    world.run(3600)
    later = world.ledger.object_cost(JOB, world.clock())
    assert later.rate_micros_per_hour == 0
    assert later.micros - at_end.micros <= 10 * so_far.rate_micros_per_hour / 3600


def test_an_objects_cost_is_what_the_bill_says_of_it(world: SimWorld) -> None:
    """Between two lines of the bill as well: else a bound would be passed by a minute."""
    world.up(STACK)
    for _ in range(5):
        world.run(37)
        bill = world.ledger.cost("box", By.OBJECT, world.clock())
        assert world.ledger.object_cost(JOB, world.clock()).micros == bill.total_micros
