"""A job that is brought up again while it is still going away: it runs again, and under names of its own."""

from pathlib import Path

from weyr.compose.kinds import KINDS
from weyr.core.capability import Wanted
from weyr.sim import Script, SimWorld

STACK = "stack: s\njobs: {train: {run: work, resources: {memory: 64MiB}, grace: 5s}}\n"


def test_an_attempts_id_is_used_once(tmp_path: Path) -> None:
    """Its log, its bill and a late word of the engine's would else be those of another attempt."""

    def slow_to_stop(_want: Wanted) -> Script:
        return Script(work_s=20.0, stop_s=3.0)

    world = SimWorld(KINDS, tmp_path, scripts=slow_to_stop)
    world.up(STACK)
    world.run(5)
    world.down("s")
    world.run(1)
    world.up(STACK)
    world.check_settled(60)

    assert {run.id.part: world.engine.tasks.starts[run.id] for run in world.engine.tasks.ran()} == {"1": 1, "2": 1}
