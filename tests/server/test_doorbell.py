"""Who rings is heard, whatever the loop is doing just now."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from weyr.attempt.task_folder import tell
from weyr.compose.kinds import KINDS
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Present, TaskFacts, TaskState
from weyr.server.keeper import Keeper
from weyr.sim.scripts import Script
from weyr.sim.world import SimWorld

STACK = "stack: digits\njobs:\n  train: {run: work}\n"
TRAIN = ThingId(Ref("digits", "job", "train"), "1")
RINGS = 50
"""More than a socket of datagrams keeps for a reader who is elsewhere: that is ten on a usual Linux."""
PAUSE = threading.Event()


class House:
    """A keeper over a simulated world whose time stands still: what is not rung for is not due."""

    def __init__(self, folder: Path) -> None:
        self.world = SimWorld(KINDS, folder, scripts=lambda _want: Script(work_s=1e6, starts_after_s=0))
        self.world.up(STACK)
        assert self.world.run(60, until=lambda: self.state() is TaskState.RUNNING)
        self.bell = folder / "bell"
        self.logged: list[str] = []
        self.keeper = Keeper(self.world.loop, self.world.clock, self._log, self.bell)
        self.keeper.start()
        self.until(lambda: self.keeper.ticks > 0)

    def _log(self, event: str, /, **_fields: object) -> None:
        self.logged.append(event)

    def state(self) -> TaskState | None:
        thing = self.world.loop.world.thing(TRAIN)
        match thing.seen if thing else None:
            case Present(facts=TaskFacts(state=state)):
                return state
            case _:
                return None

    def until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not is_so():
            assert time.monotonic() < deadline, self.logged
            PAUSE.wait(0.01)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.keeper.stop()


def test_whom_somebody_rings_for_is_looked_at_now(house: House) -> None:
    """A job is seen to have ended when it ends, not at the next look half a minute later."""
    house.world.engine.tasks.lose(TRAIN)
    passes = house.keeper.ticks
    tell(str(house.bell), "digits:job/other#1", "ended", 5)
    house.until(lambda: house.keeper.ticks > passes)
    assert house.state() is TaskState.RUNNING, "nobody rang for it"

    tell(str(house.bell), str(TRAIN), "gone", 5)

    house.until(lambda: house.state() is not TaskState.RUNNING)


def test_a_busy_loop_keeps_no_ringer_waiting(house: House) -> None:
    """Wrappers of a thousand tasks that end at once must not stand at the door while the world is held."""
    house.world.engine.tasks.lose(TRAIN)
    with house.world.loop.lock, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ringer:
        ringer.settimeout(60)
        for _ in range(RINGS):
            ringer.sendto(json.dumps({"id": str(TRAIN), "event": "ended"}).encode(), str(house.bell))
        assert house.state() is TaskState.RUNNING

    house.until(lambda: house.state() is not TaskState.RUNNING)


@pytest.mark.parametrize("said", [b"", b"{", b"[]", b'{"id": 1}', b'{"id": "nobody"}', bytes(400)])
def test_nonsense_at_the_door_is_said_to_be_so_and_forgotten(house: House, said: bytes) -> None:
    """The next caller is to be heard."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ringer:
        ringer.sendto(said, str(house.bell))
    if said:
        house.until(lambda: "doorbell.unreadable" in house.logged)
    house.world.engine.tasks.lose(TRAIN)

    tell(str(house.bell), str(TRAIN), "gone", 5)

    house.until(lambda: house.state() is not TaskState.RUNNING)
