"""Which engine has a task? The one that was told of it. Each is asked for its own, and a silent one harms no other.

A Provider over the task engines. An engine is known by its key, `TaskBody.engine`: "" this machine, `ray@10.0.0.7:6379`
a cluster. Which one has what is found again after a restart: each has a folder for every task that it was told of.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from weyr.core.capability import Answers, Capability, Provider, TaskBody, Wanted
from weyr.core.diagnostic import Diagnostic, EngineSilent, UserError
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, Seen
from weyr.reconcile import shares
from weyr.reconcile.node_engines import Offers

R = TypeVar("R")


class TaskEngine(Provider, Protocol):
    """What a task engine offers beside the four verbs: what the server shows of tasks, and nodes for pools."""

    @property
    def nodes(self) -> Offers | None:
        """Those that are there without us; None where it has none to choose from."""
        ...

    def claimed(self) -> Sequence[ThingId]:
        """The tasks that it was told of, as far as they are not cleared away. Asks nobody. Raises: OSError."""
        ...

    def logs(self, id: ThingId, follow: bool = False, tail: int | None = None) -> Iterator[bytes]: ...
    def tasks_of(self, ref: Ref) -> list[ThingId]: ...
    def reclaim(self, id: ThingId, notice_s: float) -> bool: ...


class Engines:
    """The TASKS capability of all engines together.

    Takes those that are open already, by key, this machine as "" among them; and `opened`, which opens another one.
    `opened` raises UserError where there is none of that name, or where something is missing that it needs.
    """

    capability = Capability.TASKS

    def __init__(self, engines: Mapping[str, TaskEngine], opened: Callable[[str], TaskEngine]) -> None:
        self._engines, self._opened = dict(engines), opened
        self._lock = threading.Lock()  # logs are read while the loop tells engines
        self._of = {id: key for key, engine in engines.items() for id in engine.claimed()}

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        seen = shares.observe(self._shared(ids), self._engine)
        for id, each in seen.items():
            if isinstance(each, Absent):
                self._of.pop(id, None)
        return seen

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        """As `Provider.ensure`. A task stays with the engine that has it, whatever is wanted now."""
        for want in wanted:
            assert isinstance(want.body, TaskBody), f"{want.id} is no task"
            self._of.setdefault(want.id, want.body.engine)
        return shares.ensure(self._shared([want.id for want in wanted]), self._engine, wanted)

    def release(self, ids: Sequence[ThingId]) -> Answers:
        return shares.release(self._shared(ids), self._engine)

    def inventory(self) -> Sequence[ThingId]:
        """As `Provider.inventory`, of those that answer: what is not in it is no proof of absence anyway."""
        found: list[ThingId] = []
        with self._lock:
            engines = list(self._engines.items())
        for key, engine in engines:
            try:
                mine = engine.inventory()
            except EngineSilent:
                continue
            for id in mine:
                self._of.setdefault(id, key)
            found += mine
        return found

    # --- what the server shows of tasks

    def logs(self, id: ThingId, follow: bool = False, tail: int | None = None) -> Iterator[bytes]:
        """As `Tasks.logs`. Raises: FileNotFoundError."""
        key = self._of.get(id)
        with self._lock:
            engines = [engine for name, engine in self._engines.items() if key in (None, name)]
        for engine in engines:
            try:
                lines = engine.logs(id, follow, tail)
                first = next(lines)
            except (FileNotFoundError, StopIteration):
                continue
            yield first
            yield from lines
            return
        raise FileNotFoundError(f"there is no log of {id}")

    def tasks_of(self, ref: Ref) -> list[ThingId]:
        """Every task that the object has or had, on whichever engine."""
        with self._lock:
            engines = list(self._engines.values())
        return [id for engine in engines for id in engine.tasks_of(ref)]

    def reclaim(self, id: ThingId, notice_s: float) -> bool:
        return self._engine(self._of.get(id, "")).reclaim(id, notice_s)

    def nodes_of(self, key: str) -> Offers:
        """The nodes that an engine has for pools. Raises: UserError."""
        nodes = self._engine(key).nodes
        if nodes is None:
            raise UserError(Diagnostic("No nodes to choose from", f"{key or 'This machine'} has no nodes for pools."))
        return nodes

    # --- who has what

    def _shared(self, ids: Iterable[ThingId]) -> dict[str, list[ThingId]]:
        found: dict[str, list[ThingId]] = {}
        for id in ids:
            found.setdefault(self._of.get(id, ""), []).append(id)
        return found

    def _engine(self, key: str) -> TaskEngine:
        """Raises: UserError."""
        with self._lock:
            if key not in self._engines:
                self._engines[key] = self._opened(key)
            return self._engines[key]
