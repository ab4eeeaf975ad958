"""What is true at one moment of a simulated world? The loop's books beside the engine's own, as plain values."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weyr.core.capability import Capability, TaskBody
from weyr.core.pools import QueueBody
from weyr.core.ref import Ref, ThingId
from weyr.core.task_usage import task_meters
from weyr.reconcile.world import World
from weyr.sim.engine import SimEngine
from weyr.sim.store import SimDatabase
from weyr.store.database import Database
from weyr.store.kernel import ObjectRow, ThingRow

BEGINS_WITHIN_S = 10.0
"""The longest that an engine takes to begin what it was told of: the delay of a call, and of a start."""

_METERED = (
    "SELECT DISTINCT stack, kind, name, CASE sku WHEN 'commitment.fee' THEN 'fee' ELSE part END "
    "FROM meters WHERE closed_ms IS NULL"
)
"""A fee is owed for an object itself, which no engine holds: it has a part of its own name here."""


@dataclass(frozen=True, slots=True)
class Held:
    """A thing at its engine: the generation it has, and which of its lives this is (1 for the first)."""

    generation: int
    life: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`objects` and `things` (with their generations) are what the loop knows, `metered` has an open meter.

    `held` is what the engines have, `live` the tasks whose process lives at this moment. `begun` counts how often
    the loop began a task of that name while its object was there, `tasks` are those of `things` that are tasks.
    """

    at: float
    objects: Mapping[Ref, ObjectRow] = field(default_factory=dict)
    things: Mapping[ThingId, int] = field(default_factory=dict)
    metered: frozenset[ThingId] = frozenset()
    held: Mapping[ThingId, Held] = field(default_factory=dict)
    live: tuple[ThingId, ...] = ()
    begun: Mapping[ThingId, int] = field(default_factory=dict)
    tasks: frozenset[ThingId] = frozenset()
    unpaid: frozenset[ThingId] = frozenset()
    """Tasks on pools' nodes: they are paid with the node."""
    owners: tuple[tuple[str, str, ThingId], ...] = ()
    """Node, device, and who has it, of the whole devices that live tasks have."""
    quotas: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By queue: thousandths of devices that live tasks have, and that it may have."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What one meter of a task posted, in quantity x milliseconds, beside the runs that the engine recorded.

    Moments are in milliseconds. `closed_ms` is when the task's absence was proved; `is_told` says whether the
    loop ever heard how the run ended, which is when nothing but the recorded end may count; `ahead_ms`, how far ahead
    of the server's the clock is by which the last run was recorded.
    """

    id: ThingId
    sku: str
    quantity: int
    posted: int
    runs_ms: tuple[tuple[int, int], ...]
    closed_ms: int | None
    is_told: bool
    ahead_ms: int = 0


@dataclass(frozen=True, slots=True)
class Breach:
    """What is wrong, and with which object."""

    ref: Ref
    what: str


class Witness:
    """Who looks at a world, and remembers which tasks were begun in it."""

    def __init__(self, engine: SimEngine) -> None:
        self._engine = engine
        self._metered: tuple[int, frozenset[ThingId]] = (-1, frozenset())
        self._tasks: frozenset[ThingId] = frozenset()
        self._begun: Counter[ThingId] = Counter()
        self._limits: dict[str, list[tuple[float, int]]] = {}

    def snapshot(self, at: float, world: World, db: Database) -> Snapshot:
        """The loop's books beside the engine's own, as of now."""
        rows = [thing for parts in world.things.values() for thing in parts.values()]
        tasks = frozenset(row.id for row in rows if row.capability is Capability.TASKS)
        if tasks != self._tasks:
            self._begun.update(tasks - self._tasks)
            self._tasks = tasks
        # An object that is gone may come again, and count its tasks from one.
        for id in [id for id in self._begun if id.ref not in world.objects]:
            del self._begun[id]
        live = tuple(self._engine.tasks.live())
        bodies = list(self._engine.tasks.bodies(live))
        return Snapshot(
            at,
            dict(world.objects),
            {row.id: row.generation for row in rows},
            frozenset(id for id in self._with_open_meters(db) if id.part != "fee" or id.ref not in world.objects),
            {id: Held(generation, life) for shelf in self._engine.shelves for id, generation, life in shelf.book()},
            live,
            dict(self._begun),
            tasks,
            self._unpaid(rows),
            tuple(_owners(bodies)),
            self._quotas(rows, bodies, at),
        )

    def _quotas(
        self, rows: list[ThingRow], live: list[tuple[ThingId, TaskBody]], at: float
    ) -> dict[str, tuple[int, int]]:
        used: Counter[str] = Counter()
        for _, body in live:
            milli = (body.accelerators.share_milli if body.accelerators else 0) or 1000 * len(body.devices)
            used[body.queue] += milli
        bodies = [(row.id.ref.absolute, row.body) for row in rows if isinstance(row.body, QueueBody)]
        limits = {name: body.limit["gpu/H100"] for name, body in bodies if "gpu/H100" in body.limit}
        return {name: (used[name], self._limit_lately(name, at, limit)) for name, limit in limits.items()}

    def _limit_lately(self, name: str, at: float, limit: int) -> int:
        """What was let in before a quota was made smaller may begin after it: the engine was told, and is slow."""
        lately = [(since, was) for since, was in self._limits.get(name, ()) if since >= at - BEGINS_WITHIN_S]
        self._limits[name] = [*lately, (at, limit)]
        return max(was for _, was in self._limits[name])

    def _unpaid(self, rows: list[ThingRow]) -> frozenset[ThingId]:
        bodies = [(row.id, row.body) for row in rows if isinstance(row.body, TaskBody)]
        return frozenset(id for id, body in bodies if not task_meters(body))

    def take_as_known(self, world: World) -> None:
        """After a power cut a task that was forgotten may be known again: it was not begun by that."""
        self._metered = (-1, frozenset())
        rows = (thing for parts in world.things.values() for thing in parts.values())
        self._tasks = frozenset(row.id for row in rows if row.capability is Capability.TASKS)

    def _with_open_meters(self, db: Database) -> frozenset[ThingId]:
        if not isinstance(db, SimDatabase):
            with db.read() as connection:
                return _ids(connection.exec_driver_sql(_METERED).all())
        if self._metered[0] != db.commits:
            self._metered = (db.commits, _ids(db.peek(_METERED)))
        return self._metered[1]


def _owners(live: list[tuple[ThingId, TaskBody]]) -> Iterator[tuple[str, str, ThingId]]:
    for id, body in live:
        if body.accelerators is None or not body.accelerators.share_milli:
            yield from ((body.node, device, id) for device in body.devices)


def _ids(rows: Iterable[Sequence[Any]]) -> frozenset[ThingId]:
    return frozenset(ThingId(Ref(stack, kind, name), part) for stack, kind, name, part in rows)
