"""A new version takes over in virtual time, through the loop that runs in production, whatever goes wrong around it."""

from pathlib import Path

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.capability import Wanted
from weyr.core.routes import VersionCounts
from weyr.sim.faults import FaultRates
from weyr.sim.scripts import Script
from weyr.sim.trouble import Trouble
from weyr.sim.world import SimWorld

TEXT = """
stack: digits
buckets: {lake: {}}
jobs: {train: {run: python train.py %d, produces: model/digits, resources: {cpu: 1, memory: 64MiB}}}
models: {digits: {promote_if: {accuracy: ">= 0.95"}}}
endpoints:
  digits:
    model: digits@production
    scale: {min: 2, max: 2}
    resources: {cpu: 1, memory: 64MiB}
    rollout: {strategy: canary, steps: [10%%, 50%%], every: 10s, min_requests: 50, keep_old: 10s}
"""


def trained(want: Wanted) -> Script:
    if want.id.ref.kind == "job":
        return Script(work_s=5.0, metrics={"accuracy": 0.97})
    return Script(work_s=1e9)


def told(world: SimWorld) -> list[str]:
    return [event.event for event in world.story("digits") if event.event.startswith("rollout.")]


def trained_again(world: SimWorld) -> None:
    """The endpoint answers with version 1, and version 2 has just passed its gate."""
    world.up(TEXT % 1)
    assert world.run(200, until=lambda: world.phases("digits").get("endpoint/digits") == "ready")
    world.up(TEXT % 2)
    assert world.run(400, until=lambda: "rollout.step" in told(world)), told(world)


@pytest.mark.parametrize("seed", range(2))
def test_a_canary_completes_though_replies_are_lost_and_servers_die(folder: Path, seed: int) -> None:
    """Each step is told once, nothing is left of the old version, and nothing is billed twice."""
    world = SimWorld(KINDS, folder, seed, Trouble(FaultRates(loses_replies=0.1), dies=0.01), trained)
    trained_again(world)

    assert world.run(600, until=lambda: "rollout.completed" in told(world)), told(world)
    assert told(world) == ["rollout.begun", *["rollout.step"] * 3, "rollout.completed"]
    world.stop_faults()
    world.down("digits")
    assert world.run(400, until=world.is_empty)


def test_a_canary_that_fails_is_taken_back_and_stays_so_over_a_restart(folder: Path) -> None:
    """What was learned under traffic is not forgotten because the server was killed."""
    world = SimWorld(KINDS, folder, scripts=trained)
    trained_again(world)
    # The plane was started again, too: it counts from nothing.
    counts = [VersionCounts("1", requests=400), VersionCounts("2", requests=40, errors=30)]
    world.engine.routes.load("digits/digits", {}, versions=counts)
    assert world.run(20, until=lambda: "rollout.aborted" in told(world)), told(world)

    world.crash()
    world.run(120)
    assert told(world)[-1] == "rollout.aborted"
    assert world.phases("digits")["endpoint/digits"] == "ready"
