"""A stack without an object is a stack too, and can be removed."""

from pathlib import Path

from weyr.compose.kinds import KINDS
from weyr.sim.world import SimWorld


def test_a_stack_that_is_empty_already_is_removed_at_once(tmp_path: Path) -> None:
    """Its last object went with an earlier plan, so none is left whose going would end it."""
    world = SimWorld(KINDS, tmp_path)
    world.up("stack: small\nbuckets: {lake: {}}\n")
    world.run(10)
    world.up("stack: small\n")
    assert world.run(60, until=world.is_empty)

    world.down("small")

    assert "small" not in world.loop.world.stacks
    assert [event.event for event in world.story("small")][-1] == "stack.removed"
