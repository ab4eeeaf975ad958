"""How does a server come to act on a store that several can reach? It waits for the lease, and makes sure of the last.

In this order: the lease with a new epoch; the predecessor's process, if it is on this machine and still holds the data
folder, is killed, for it may be stopped and would go on amid what it was doing; the folder's lock; the epoch into
the folder, so that launcher and planes refuse what was decided under an older one. Only then is anything done.
"""

import os
import secrets as random_source
import select
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from weyr.attempt.processes import boot_id, start_ticks
from weyr.compose.tenure import Tenure, boot_clock
from weyr.core.diagnostic import Diagnostic, Fenced, StoreError, UserError
from weyr.engines.local.epochs import read_epoch, write_epoch
from weyr.reconcile.ports import Log
from weyr.store.database import Database
from weyr.store.home import Home, HomeLock
from weyr.store.lease import Holder, Lease, end_sessions, give_lease_back, read_lease, renew_lease, take_lease
from weyr.store.migrate import HEAD, migrate, revision_of
from weyr.store.place import PostgresUrl

LOOK_S = 0.25
KILLED_S = 5.0
PATIENCE_S = 1.0
"""How much longer than its lease a server that is no standby waits for one that does not renew."""

PAUSE = threading.Event()
"""Never set: its `wait` is the pause between two looks where there is no process to watch."""


class Standing:
    """One server's way to the lease of a store. Raises (on construction): UserError for a store of another folder."""

    def __init__(self, home: Home, place: PostgresUrl, lasts_s: float, log: Log) -> None:
        self._home, self._lasts_s, self._log = home, lasts_s, log
        pid = os.getpid()
        instance = f"{pid}-{random_source.token_hex(6)}"
        started = start_ticks(pid) or 0
        self._me = Holder(instance, socket.gethostname(), boot_id(), pid, started, home.identity())
        self.db = Database(place, instance)
        self._before: Holder | None = None
        self._trouble = ""

    def wait(self, is_standby: bool) -> Tenure:
        """Returns once this server may act. Raises: UserError, for one that is no standby where another acts."""
        deadline = None if is_standby else boot_clock() + self._lasts_s + PATIENCE_S
        first: Lease | None = None
        while True:
            try:
                lease = self._look()
                tenure = self._try(lease)
            except StoreError as e:
                if not is_standby:
                    raise UserError(_unreachable(self.db, str(e))) from e
                self._say_trouble(str(e))
                PAUSE.wait(LOOK_S)
                continue
            self._say_trouble("")
            if tenure is not None:
                return tenure
            assert lease is not None, "a lease that nobody ever held can be taken"
            first = first or lease
            if deadline is not None and (lease.left_s > first.left_s or boot_clock() > deadline):
                raise UserError(_acts_already(self.db, lease.holder))
            self._pause(lease)

    def lock(self, tenure: Tenure) -> HomeLock:
        """Takes the data folder from the predecessor, if need be by its death. Raises: UserError."""
        before = self._before
        try:
            lock = HomeLock(self._home)
        except UserError:
            # The exact process that held the lease before us; anybody else in the folder is no business of ours.
            if before is None or not self._is_here(before) or self._home.holder() != before.pid:
                raise
            self._log("predecessor.killed", pid=before.pid, epoch=tenure.epoch - 1)
            _kill(before)
            lock = self._lock_of_the_dead()
        write_epoch(str(self._home.run), tenure.epoch)
        self.db.epoch = tenure.epoch
        self._log("lease.taken", epoch=tenure.epoch, lasts_s=self._lasts_s, store=self.db.name)
        return lock

    def _look(self) -> Lease | None:
        """Raises: StoreError; UserError for a store that is not this folder's, or is a newer Weyr's."""
        found = revision_of(self.db)
        # An older store that somebody acts on is not changed under them: it is brought up to date once it is ours.
        if found is None or found > HEAD or found < "0002":
            migrate(self.db)
        lease = read_lease(self.db)
        if lease is not None and lease.holder.folder not in ("", self._me.folder):
            raise UserError(_foreign(self.db, lease.holder))
        return lease

    def _try(self, lease: Lease | None) -> Tenure | None:
        is_dead = lease is not None and self._is_dead(lease.holder)
        if lease is not None and not (lease.is_free or is_dead):
            return None
        if lease is not None and lease.holder.instance:
            # It may be stopped amid a write, and would keep us from writing for as long as it is.
            end_sessions(self.db, lease.holder.instance)
        asked_at = boot_clock()
        above = read_epoch(str(self._home.run))
        epoch = take_lease(self.db, lease, self._me, self._lasts_s, is_dead, above=above)
        if epoch is None:
            return None
        self._before = lease.holder if lease is not None else None
        return Tenure(epoch, self._lasts_s, asked_at)

    def _is_here(self, holder: Holder) -> bool:
        """Whether it is a process of this machine that lives."""
        return holder.boot == self._me.boot and start_ticks(holder.pid) == holder.started

    def _is_dead(self, holder: Holder) -> bool:
        """Whether it is proved to act no more: gone from this machine, or this very process before it stood down."""
        is_me = (holder.boot, holder.pid, holder.started) == (self._me.boot, self._me.pid, self._me.started)
        return is_me or (holder.boot == self._me.boot and not self._is_here(holder))

    def _pause(self, lease: Lease) -> None:
        """Until the next look; at once where the holder is a process of this machine and ends."""
        pause_s = min(max(lease.left_s, 0.0) + 0.01, LOOK_S)
        with suppress(OSError):
            process = os.pidfd_open(lease.holder.pid) if self._is_here(lease.holder) else None
            if process is not None:
                try:
                    select.select([process], [], [], pause_s)
                finally:
                    os.close(process)
                return
        PAUSE.wait(pause_s)

    def _lock_of_the_dead(self) -> HomeLock:
        deadline = boot_clock() + KILLED_S
        while True:
            try:
                return HomeLock(self._home)
            except UserError:
                # A child that it had just forked holds the lock as well, until it becomes another program.
                if boot_clock() > deadline:
                    raise
                PAUSE.wait(0.01)

    def _say_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._log("store.silent" if trouble else "store.answers_again", error=trouble)
        self._trouble = trouble


class Keeping:
    """Renews the lease for as long as this server acts, and ends the acting when it cannot.

    `stand_down` does not come back. It is called by a thread that touches nothing but a clock: the one that
    renews may hang for as long as the network does.
    """

    def __init__(self, db: Database, tenure: Tenure, stand_down: Callable[[str], None]) -> None:
        self._db, self._tenure, self._stand_down = db, tenure, stand_down
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep, name="renews the lease", daemon=True),
            threading.Thread(target=self._watch, name="watches the lease", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def give_back(self) -> None:
        """For who acts no more: the next server need not wait for the lease's end."""
        self._stopping.set()
        with suppress(StoreError):  # then the next one waits
            give_lease_back(self._db, self._tenure.epoch)

    def _keep(self) -> None:
        while not self._stopping.wait(self._tenure.lasts_s / 3):
            asked_at = self._tenure.clock()
            try:
                renew_lease(self._db, self._tenure.epoch, self._tenure.lasts_s)
            except Fenced as e:
                self._stand_down(str(e))
                return
            except StoreError:
                continue  # the other thread sees to it that this does not go on for too long
            self._tenure.renew(asked_at)

    def _watch(self) -> None:
        while not self._stopping.wait(max(self._tenure.left_s, 0.0)):
            if self._tenure.left_s <= 0:
                self._stand_down(f"the lease of epoch {self._tenure.epoch} could not be renewed in time")


def _kill(holder: Holder) -> None:
    """Ends a process that may be stopped, and waits until it is gone. Raises: UserError where it does not go."""
    with suppress(ProcessLookupError):
        process = os.pidfd_open(holder.pid)
        try:
            if start_ticks(holder.pid) != holder.started:
                return
            signal.pidfd_send_signal(process, signal.SIGKILL)
            if not select.select([process], [], [], KILLED_S)[0]:
                detail = f"Process {holder.pid} acted before and does not end, although it was killed."
                raise UserError(Diagnostic("The last server does not end", detail, suggestion=f"ps {holder.pid}"))
        finally:
            os.close(process)


def _acts_already(db: Database, holder: Holder) -> Diagnostic:
    detail = f"{db.name} is served by process {holder.pid} on {holder.host}. One server acts at a time."
    return Diagnostic("Another server acts on this store", detail, suggestion="weyr server start --standby")


def _foreign(db: Database, holder: Holder) -> Diagnostic:
    detail = (
        f"{db.name} belongs to a data folder on {holder.host}, and this is another one. What runs there cannot be seen "
        "from here, and would be begun a second time."
    )
    return Diagnostic(
        "The store belongs to another data folder",
        detail,
        suggestion="weyr server start --store postgresql://USER@HOST/ANOTHER",
    )


def _unreachable(db: Database, why: str) -> Diagnostic:
    return Diagnostic("The store does not answer", f"{why}.", suggestion=f"psql '{db.name}'")
