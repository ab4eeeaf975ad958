"""The lease by itself, on a real PostgreSQL and a clock that the test sets: many contenders, any order of steps."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres_server import PostgresServer
from sqlalchemy import text

from weyr.compose.tenure import Tenure
from weyr.core.diagnostic import Fenced
from weyr.store.database import Database
from weyr.store.lease import Holder, Lease, give_lease_back, read_lease, renew_lease, take_lease
from weyr.store.migrate import migrate

LASTS_S = 3.0
CONTENDERS = 4


@dataclass
class Contender:
    """One server, as far as the lease goes. It may be paused between any two of its steps."""

    db: Database
    me: Holder
    world: "World"
    seen: Lease | None = None
    tenure: Tenure | None = None

    def look(self) -> None:
        self.seen = read_lease(self.db, self.world.now)

    def take(self) -> None:
        if self.db.epoch is not None:
            return
        asked_at = self.world.clock
        epoch = take_lease(self.db, self.seen, self.me, LASTS_S, False, self.world.now)
        if epoch is not None:
            self.db.epoch = epoch
            self.tenure = Tenure(epoch, LASTS_S, asked_at, self.world.now)

    def renew(self) -> None:
        if self.tenure is None:
            return
        asked_at = self.world.clock
        try:
            renew_lease(self.db, self.tenure.epoch, LASTS_S, self.world.now)
        except Fenced:
            self.stand_down()
        else:
            self.tenure.renew(asked_at)

    def act(self) -> None:
        """Writes, whether or not it still may: it does not know that it was paused."""
        if self.tenure is None:
            return
        try:
            with self.db.write() as connection:
                connection.execute(text("INSERT INTO acts (epoch) VALUES (:epoch)"), {"epoch": self.tenure.epoch})
        except Fenced:
            self.stand_down()

    def give_back(self) -> None:
        if self.tenure is not None:
            give_lease_back(self.db, self.tenure.epoch)
            self.stand_down()

    def stand_down(self) -> None:
        self.tenure = self.db.epoch = None


@dataclass
class World:
    """The contenders, and the one clock that all of them and the database have."""

    databases: list[Database]
    clock: float = 1000.0
    contenders: list[Contender] = field(default_factory=list)

    def now(self) -> float:
        return self.clock

    def begin(self) -> None:
        with self.databases[0].write() as connection:
            connection.execute(text("DELETE FROM leases"))
            connection.execute(text("DROP TABLE IF EXISTS acts"))
            connection.execute(text("CREATE TABLE acts (n SERIAL, epoch BIGINT)"))
        self.contenders = [
            Contender(db, Holder(f"s{n}", "host", "boot", n, n, "folder"), self) for n, db in enumerate(self.databases)
        ]

    def acting(self) -> list[Contender]:
        """Who would tell an engine something at this moment."""
        return [one for one in self.contenders if one.tenure is not None and one.tenure.left_s > 0]

    def acts(self) -> list[int]:
        with self.databases[0].read() as connection:
            return list(connection.execute(text("SELECT epoch FROM acts ORDER BY n")).scalars())


@pytest.fixture(scope="module")
def databases(postgres: PostgresServer) -> Iterator[list[Database]]:
    place = postgres.new_database()
    made = [Database(place, f"s{n}") for n in range(CONTENDERS)]
    migrate(made[0])
    yield made
    for db in made:
        db.close()


@pytest.fixture
def world(databases: list[Database]) -> Iterator[World]:
    made = World(databases)
    made.begin()
    yield made
    for db in databases:
        db.epoch = None


who = st.integers(0, CONTENDERS - 1)
step = st.one_of(
    st.tuples(who, st.sampled_from(["look", "take", "look and take", "renew", "act", "act", "give_back"])),
    st.tuples(st.just(-1), st.sampled_from([0.1, 1.0, 2.5, 3.1])),
)


@given(st.lists(step, min_size=20, max_size=60))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_acts_at_a_time_and_never_one_of_before(databases: list[Database], steps: list[tuple[int, object]]) -> None:
    """Whoever is paused wherever: no two may tell engines anything, and no write is of an epoch that is over."""
    world = World(databases)
    world.begin()
    try:
        for number, what in steps:
            if isinstance(what, float):
                world.clock += what
                continue
            for verb in str(what).split(" and "):
                getattr(world.contenders[number], verb)()
            assert len(world.acting()) <= 1
        assert world.acts() == sorted(world.acts())
        epochs = [one.tenure.epoch for one in world.contenders if one.tenure is not None]
        assert len(epochs) == len(set(epochs))
    finally:
        for db in databases:
            db.epoch = None


def test_a_lease_that_ended_is_anybodys_and_one_that_runs_is_nobody_elses(world: World) -> None:
    """The standby waits for the end and not a moment less, and a given-back one it takes at once."""
    first, second, *_ = world.contenders
    first.look()
    first.take()
    assert first.db.epoch == 1
    for _ in range(3):
        world.clock += 2.0
        first.renew()
        second.look()
        second.take()
        assert second.db.epoch is None
    world.clock += LASTS_S
    second.look()
    second.take()
    assert second.db.epoch == 2
    first.act()
    assert first.tenure is None
    assert world.acts() == []
    second.give_back()
    first.look()
    first.take()
    assert first.db.epoch == 3


def test_a_server_stops_before_its_lease_does(world: World) -> None:
    """Its own clock is never later than the database's, however long the answer took."""
    first = world.contenders[0]
    first.look()
    first.take()
    assert first.tenure is not None
    world.clock += LASTS_S * 0.95
    with pytest.raises(Fenced):
        first.tenure.check()
    first.look()
    assert first.seen is not None
    assert first.seen.left_s > 0
