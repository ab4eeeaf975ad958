"""Who may act on a store? The holder of its lease: one server at a time, until the lease ends by the database's clock.

A lease alone does not keep out who was stopped and goes on later. So each change of hands makes the epoch one more,
every write names its epoch (`Database.epoch`), and taking the lease over takes the writers' lock first: what the
predecessor was writing is either committed by then or never will be.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Float, cast, extract, func, insert, select, text, update

from weyr.core.diagnostic import Fenced
from weyr.store.database import Database
from weyr.store.postgres import APPLICATION, LEASE
from weyr.store.tables.leases import leases

END_SESSION_MS = 3_000

Now = ColumnElement[float] | float


@dataclass(frozen=True, slots=True)
class Holder:
    """One server: its name to the database, its process, and the data folder it serves."""

    instance: str
    host: str
    boot: str
    pid: int
    started: int
    folder: str


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease as it was read. `left_s`: for how long yet; not above 0 once it has ended."""

    epoch: int
    left_s: float
    holder: Holder

    @property
    def is_free(self) -> bool:
        return not self.holder.instance or self.left_s <= 0


def database_now() -> Now:
    """The time by the database's own clock, the only one that all servers share."""
    return cast(extract("epoch", func.clock_timestamp()), Float)


def read_lease(db: Database, now: Callable[[], Now] = database_now) -> Lease | None:
    """The lease as it stands; None where nobody ever held it. Raises: StoreError."""
    with db.read() as connection:
        return _lease(connection, now())


def take_lease(
    db: Database,
    seen: Lease | None,
    me: Holder,
    lasts_s: float,
    is_dead: bool,
    now: Callable[[], Now] = database_now,
    above: int = 0,
) -> int | None:
    """Takes the lease if it is still as it was `seen`, and has ended or its holder `is_dead`. Gives the new epoch.

    Takes `above`, an epoch that the data folder has seen: a store that was restored may know only older ones.
    None: somebody else was quicker, or its holder has renewed it. Raises: StoreError.
    """
    assert db.epoch is None, "a server that acts already has the lease"
    with db.write() as connection:
        found = _lease(connection, now())
        if found is None:
            connection.execute(insert(leases).values(_row(me, above + 1, now() + lasts_s)))
            return above + 1
        if seen is None or found.epoch != seen.epoch or not (found.is_free or is_dead):
            return None
        epoch = max(found.epoch, above) + 1
        connection.execute(update(leases).where(leases.c.name == LEASE).values(_row(me, epoch, now() + lasts_s)))
        return epoch


def renew_lease(db: Database, epoch: int, lasts_s: float, now: Callable[[], Now] = database_now) -> None:
    """Holds it for longer. One statement that waits for no writer. Raises: Fenced where it is another's; StoreError."""
    mine = update(leases).where(leases.c.name == LEASE, leases.c.epoch == epoch, leases.c.instance != "")
    with db.alone() as connection:
        if connection.execute(mine.values(expires_at=now() + lasts_s)).rowcount != 1:
            raise Fenced(f"the lease on {db.name} is not of epoch {epoch} any more")


def give_lease_back(db: Database, epoch: int) -> None:
    """Lets go of it, so that the next need not wait for its end. Another's stays. Raises: StoreError."""
    mine = update(leases).where(leases.c.name == LEASE, leases.c.epoch == epoch)
    with db.alone() as connection:
        connection.execute(mine.values(instance="", expires_at=0.0))


def end_sessions(db: Database, instance: str) -> None:
    """Ends what a server has open in the database: it may be stopped amid a write, holding the writers' lock.

    Raises: StoreError.
    """
    ended = text(
        "SELECT count(pg_terminate_backend(pid, :wait)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = :name AND pid <> pg_backend_pid()"
    )
    with db.alone() as connection:
        connection.execute(ended, {"wait": END_SESSION_MS, "name": f"{APPLICATION} {instance}"})


def _lease(connection: Connection, now: Now) -> Lease | None:
    columns = leases.c
    row = connection.execute(
        select(leases, (columns.expires_at - now).label("left_s")).where(columns.name == LEASE)
    ).one_or_none()
    if row is None:
        return None
    holder = Holder(row.instance, row.host, row.boot, row.pid, row.started, row.folder)
    return Lease(row.epoch, float(row.left_s), holder)


def _row(me: Holder, epoch: int, expires_at: Now) -> dict[str, object]:
    return {
        "name": LEASE,
        "epoch": epoch,
        "expires_at": expires_at,
        **{name: getattr(me, name) for name in Holder.__slots__},
    }
