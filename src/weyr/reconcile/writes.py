"""What does a step of the loop want to write? Collected, then written in one transaction, with a statement a table."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection

from weyr.core.ref import Ref, ThingId
from weyr.store import kernel
from weyr.store.database import Database
from weyr.store.kernel import EventRow, ObjectRow, Plain, ThingRow


@dataclass(slots=True)
class Writes:
    """`connect` begins the transaction, for what cannot wait: where nothing is written, none begins.

    Rows are made ready for the store when they are put here: one that cannot be kept fails with its own object.
    """

    connect: Callable[[], Connection]
    _objects: dict[Ref, Plain | None] = field(default_factory=dict)
    _things: dict[ThingId, Plain | None] = field(default_factory=dict)
    _events: list[Plain] = field(default_factory=list)
    _stacks: list[str] = field(default_factory=list)
    _learnt: dict[str, str] = field(default_factory=dict)
    _learnt_at: float = 0.0

    def __bool__(self) -> bool:
        return bool(self._objects or self._things or self._events or self._stacks or self._learnt)

    def put_object(self, row: ObjectRow) -> None:
        self._objects[row.ref] = kernel.plain_object(row)

    def drop_object(self, ref: Ref) -> None:
        self._objects[ref] = None

    def put_thing(self, row: ThingRow) -> None:
        self._things[row.id] = kernel.plain_thing(row)

    def drop_thing(self, id: ThingId) -> None:
        self._things[id] = None

    def add_events(self, rows: Iterable[EventRow]) -> None:
        self._events += [kernel.plain_event(row) for row in rows]

    def drop_stack(self, name: str) -> None:
        self._stacks.append(name)

    def put_learnt(self, states: Iterable[tuple[str, str]], at: float) -> None:
        self._learnt |= dict(states)
        self._learnt_at = at

    @contextmanager
    def part(self) -> Iterator["Writes"]:
        """Writes of one object: all of them, or none where the block raises."""
        part = type(self)(self.connect)
        yield part
        self._objects |= part._objects
        self._things |= part._things
        self._events += part._events
        self._stacks += part._stacks

    def flush(self) -> None:
        """Sends it all."""
        if not self:
            return
        connection = self.connect()
        kernel.put_objects(connection, [row for row in self._objects.values() if row is not None])
        kernel.drop_objects(connection, [ref for ref, row in self._objects.items() if row is None])
        kernel.put_things(connection, [row for row in self._things.values() if row is not None])
        kernel.drop_things(connection, [id for id, row in self._things.items() if row is None])
        for name in self._stacks:
            kernel.drop_stack(connection, name)
        kernel.insert_events(connection, self._events)
        if self._learnt:
            kernel.put_learnt(connection, self._learnt, self._learnt_at)


@dataclass(slots=True)
class Unkept(Writes):
    """Of a world that nobody will ever load: only what its ledger writes is kept. Making rows of it would take longer
    than deciding what they say."""

    def put_object(self, row: ObjectRow) -> None:
        pass

    def drop_object(self, ref: Ref) -> None:
        pass

    def put_thing(self, row: ThingRow) -> None:
        pass

    def drop_thing(self, id: ThingId) -> None:
        pass

    def add_events(self, rows: Iterable[EventRow]) -> None:
        pass


@contextmanager
def writing(db: Database, *, is_synced: bool = True) -> Iterator[Writes]:
    """One transaction, if there is anything to write."""
    with ExitStack() as block:
        of = Writes if db.keeps_world else Unkept
        collected = of(_once(lambda: block.enter_context(db.write(is_synced=is_synced))))
        yield collected
        collected.flush()


def _once(connect: Callable[[], Connection]) -> Callable[[], Connection]:
    connections: list[Connection] = []

    def connected() -> Connection:
        if not connections:
            connections.append(connect())
        return connections[0]

    return connected
