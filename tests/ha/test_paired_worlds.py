"""The simulated world on a real PostgreSQL, where at any call of an engine another server may take over.

The server that was paused goes on later, amid that call: the engine refuses it, and so does the store. All the
checks of the world hold: nothing runs twice, nothing is left, every second is on the bill.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from postgres_server import PostgresServer

from weyr.compose.kinds import KINDS
from weyr.core.diagnostic import EngineSilent, Fenced
from weyr.ledger.ledger import Ledger
from weyr.reconcile.loop import Loop
from weyr.sim import Broken, FaultRates, Script, SimWorld, Trouble
from weyr.store.database import Database
from weyr.store.lease import Holder, read_lease, take_lease
from weyr.store.ledger import LedgerStore
from weyr.store.migrate import migrate
from weyr.store.place import PostgresUrl

T = TypeVar("T")
R = TypeVar("R")

LASTS_S = 3.0
STACK = """
stack: digits
buckets: {lake: {}}
jobs:
  train: {run: python train.py, spot: true, checkpoint: {bucket: lake, every: 5s}, produces: model/digits}
models: {digits: {promote_if: {accuracy: ">= 0.95"}}}
endpoints: {digits: {model: digits@production, scale: {min: 2, max: 2}}}
"""


class TwoServers(SimWorld):
    """`hands_over` is the chance that a server is paused at a call, and another acts until it goes on."""

    def __init__(self, folder: Path, place: PostgresUrl, seed: int, hands_over: float) -> None:
        self.place, self.hands_over = place, hands_over
        self.luck = random.Random(f"{seed} servers")
        self.takeovers = self.refused = self.fenced = 0
        self.is_busy = True
        self.newest = self.speaking = 0
        """The newest epoch, and that of the server whose turn it is."""
        self.deposed: list[tuple[Loop, int]] = []
        trouble = Trouble(FaultRates(loses_replies=0.05))
        super().__init__(KINDS, folder, seed, trouble, lambda want: Script(20.0 if want.id.part == "1" else 1e9))
        self.db.close()
        self.databases = [Database(place)]
        migrate(self.databases[0])
        self.take_over()
        self.is_busy = False

    def take_over(self) -> None:
        """Another server gets the lease, once it has ended, and reads what there is."""
        self.clock.advance(LASTS_S + 0.1)
        successor = Database(self.place)
        self.databases.append(successor)
        me = Holder(f"s{len(self.databases)}", "host", "boot", len(self.databases), 1, "folder")
        epoch = take_lease(successor, read_lease(successor, self.clock), me, LASTS_S, False, self.clock)
        assert epoch is not None, "a lease that has ended can be taken"
        successor.epoch = epoch
        self.newest = self.speaking = epoch
        self.takeovers += 1
        self.db = successor
        self.ledger = Ledger(LedgerStore(successor), self.catalogue)
        self.loop = self._loop()

    def mortally(self, call: Callable[[T], R], batch: T) -> R:
        mine = self.speaking
        self._perhaps_hand_over()
        self.speaking = mine
        if self.is_refused(mine):
            self.refused += 1
            raise EngineSilent("the epoch is over")  # as launcher and planes answer
        answer = call(batch)
        self._perhaps_hand_over()
        self.speaking = mine
        return answer

    def is_refused(self, epoch: int) -> bool:
        """Whether the engines know a newer one."""
        return epoch < self.newest

    def _perhaps_hand_over(self) -> None:
        if self.is_busy or self.luck.random() >= self.hands_over:
            return
        self.is_busy = True
        paused = (self.loop, self.speaking)
        self.take_over()
        self.run(self.luck.choice((0.1, 1.0, 10.0)))
        self.deposed.append(paused)
        self.is_busy = False

    def _tick(self) -> float | None:
        for server in list(self.deposed):
            # It goes on, and does not know yet: it stands down once its first write is refused.
            loop, self.speaking = server
            try:
                loop.tick(self.clock())
            except Fenced:
                self.fenced += 1
                self.deposed.remove(server)
        self.speaking = self.newest
        try:
            return super()._tick()
        except Fenced:
            self.fenced += 1
            self._heard.clear()
            return self.clock()

    def close(self) -> None:
        for db in self.databases:
            db.close()


@pytest.mark.parametrize("seed", range(3))
def test_in_no_world_do_two_servers_act(tmp_path: Path, postgres: PostgresServer, seed: int) -> None:
    """Dozens of takeovers amid calls: each paused server finds engine and store closed to it."""
    world = TwoServers(tmp_path, postgres.new_database(), seed, hands_over=0.12)
    world.up(STACK)
    world.run(120)
    world.is_busy = True  # from now on nobody is paused
    world.stop_faults()
    world.check_settled(400)
    world.down("digits")
    assert world.run(400, until=world.is_empty)
    world.check_bills()
    assert world.takeovers > 3
    assert world.fenced > 0
    world.close()


class Unfenced(TwoServers):
    """A store that takes writes of any epoch: what the fence is for."""

    def take_over(self) -> None:
        super().take_over()
        self.db.epoch = None


@pytest.mark.parametrize("seed", range(2))
def test_without_the_fence_these_worlds_break(tmp_path: Path, postgres: PostgresServer, seed: int) -> None:
    """Else they would show nothing: a server that was paused and goes on does harm where nobody stops it."""
    world = Unfenced(tmp_path, postgres.new_database(), seed, hands_over=0.12)
    world.up(STACK)
    with pytest.raises(Broken):
        world.run(120)
    world.close()
