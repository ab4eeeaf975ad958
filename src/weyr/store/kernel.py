"""How are the loop's values kept? Typed rows in and out; every method takes part in the caller's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Delete, Executable, Row, Table, bindparam, delete, insert, select, update

from weyr.core.capability import Body, Capability
from weyr.core.decision import Condition, Hold, Order, Scalar
from weyr.core.metering import Labels
from weyr.core.ref import Ref, ThingId
from weyr.core.schema import from_json, to_json
from weyr.core.seen import Seen
from weyr.store.dialects import Insert, upsert
from weyr.store.tables.kernel import events, learnt, objects, plans, stacks, things

Plain = dict[str, Any]
"""A row as the store takes it: by its columns."""


def _upsert(table: Table, *keys: str) -> Insert:
    """A statement that puts a row whole, built once: building it costs more than running it."""
    fresh = upsert(table)
    return fresh.on_conflict_do_update(index_elements=keys, set_={c.name: fresh.excluded[c.name] for c in table.c})


_PUT_STACK = _upsert(stacks, "name")
_PUT_OBJECT = _upsert(objects, "stack", "kind", "name")
_PUT_THING = _upsert(things, "stack", "kind", "name", "part")
_PUT_LEARNT = _upsert(learnt, "name")

LEARNT_KEPT_S = 86_400.0


def _delete(table: Table, *keys: str) -> Delete:
    return delete(table).where(*(table.c[key] == bindparam(key) for key in keys))


_DROP_OBJECT = _delete(objects, "stack", "kind", "name")
_DROP_THING = _delete(things, "stack", "kind", "name", "part")
_ADD_EVENT = insert(events)


@dataclass(frozen=True, slots=True)
class StackRow:
    """A stack as applied. `file` is where its text came from; `plan_id` the plan applied last."""

    name: str
    plan_id: str
    price_as: str
    file: str
    is_removing: bool
    applied_at: float
    on_json: str = ""
    """Where its tasks run: `weyr.core.engine.On` as JSON."""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan as stored: `body` is its JSON and never changes."""

    id: str
    stack: str
    parent: str
    body: str
    made_at: float
    applied_at: float | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What the loop concluded of an object last."""

    conditions: tuple[Condition, ...] = ()
    outputs: dict[str, Scalar] = field(default_factory=dict)
    holds: tuple[Hold, ...] = ()


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """An object as wanted and as concluded. Specs are JSON text; the kind knows how to read them.

    `owner` is who asked for it as it is wanted now, "" where nobody said; `order` what it was told by hand last;
    `labels` are what its spending counts under.
    """

    ref: Ref
    spec: str | None
    generation: int
    folder: str
    needs: tuple[Ref, ...] = ()
    next_spec: str | None = None
    status: Status = Status()
    memory: str | None = None
    changed_at: float = 0.0
    owner: str = ""
    order: Order | None = None
    labels: Labels = ()


@dataclass(frozen=True, slots=True)
class ThingRow:
    """One thing the loop told an engine about: the intention, and how far it got."""

    id: ThingId
    capability: Capability
    generation: int
    body: Body | None
    seen: Seen
    is_accepted: bool = False
    is_released: bool = False
    refusal: str = ""
    asked_at: float = 0.0


@dataclass(frozen=True, slots=True)
class EventRow:
    """One line of the story. `id` is 0 until it is stored."""

    at: float
    stack: str
    ref: str
    plan: str
    event: str
    message: str
    id: int = 0


def kept_text(text: str) -> str:
    """A sentence from outside without what a store may refuse: halves of characters, and NUL on PostgreSQL.

    One that is refused would take the whole transaction with it, and so everybody else's rows.
    """
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def put_learnt(connection: Connection, states: Mapping[str, str], at: float) -> None:
    """Keeps what was learnt, by name; what nobody put for a day goes."""
    connection.execute(_PUT_LEARNT, [{"name": name, "state": state, "at": at} for name, state in states.items()])
    connection.execute(delete(learnt).where(learnt.c.at < at - LEARNT_KEPT_S))


def all_learnt(connection: Connection) -> dict[str, str]:
    return {row.name: row.state for row in connection.execute(select(learnt))}


def all_stacks(connection: Connection) -> list[StackRow]:
    return [StackRow(**row._mapping) for row in connection.execute(select(stacks).order_by(stacks.c.name))]


def put_stack(connection: Connection, row: StackRow) -> None:
    connection.execute(_PUT_STACK, {name: getattr(row, name) for name in StackRow.__slots__})


def drop_stack(connection: Connection, name: str) -> None:
    connection.execute(delete(stacks).where(stacks.c.name == name))


def put_plan(connection: Connection, row: PlanRow) -> None:
    """Plans are named by their content. The same plan made again is kept as made last: from another folder
    it may ask for the same, and its relative paths begin there."""
    values = {name: getattr(row, name) for name in PlanRow.__slots__}
    latest = {"body": row.body, "made_at": row.made_at}
    connection.execute(upsert(plans).values(values).on_conflict_do_update(index_elements=["id"], set_=latest))


def get_plan(connection: Connection, plan_id: str) -> PlanRow | None:
    row = connection.execute(select(plans).where(plans.c.id == plan_id)).one_or_none()
    return PlanRow(**row._mapping) if row else None


def mark_applied(connection: Connection, plan_id: str, at: float) -> None:
    connection.execute(update(plans).where(plans.c.id == plan_id).values(applied_at=at))


def all_objects(connection: Connection) -> list[ObjectRow]:
    return [_object(row) for row in connection.execute(select(objects))]


def plain_object(row: ObjectRow) -> Plain:
    """The row as the store takes it."""
    return {
        "stack": row.ref.stack,
        "kind": row.ref.kind,
        "name": row.ref.name,
        "spec": row.spec,
        "next_spec": row.next_spec,
        "needs": to_json(tuple[Ref, ...], row.needs),
        "generation": row.generation,
        "folder": row.folder,
        "status": to_json(Status, row.status),
        "memory": row.memory,
        "changed_at": row.changed_at,
        "owner": row.owner,
        "ordered": to_json(Order, row.order) if row.order else None,
        "labels": to_json(Labels, row.labels),
    }


def put_objects(connection: Connection, rows: Sequence[Plain]) -> None:
    _execute_all(connection, _PUT_OBJECT, rows)


def drop_objects(connection: Connection, refs: Iterable[Ref]) -> None:
    _execute_all(connection, _DROP_OBJECT, [_key(ref) for ref in refs])


def all_things(connection: Connection) -> list[ThingRow]:
    return [_thing(row) for row in connection.execute(select(things))]


def plain_thing(row: ThingRow) -> Plain:
    """The row as the store takes it."""
    return {
        **_key(row.id.ref),
        "part": row.id.part,
        "capability": row.capability.value,
        "generation": row.generation,
        "body": to_json(Body | None, row.body),
        "is_accepted": row.is_accepted,
        "is_released": row.is_released,
        "refusal": kept_text(row.refusal),
        "seen": to_json(Seen, row.seen),
        "asked_at": row.asked_at,
    }


def put_things(connection: Connection, rows: Sequence[Plain]) -> None:
    _execute_all(connection, _PUT_THING, rows)


def drop_things(connection: Connection, ids: Iterable[ThingId]) -> None:
    _execute_all(connection, _DROP_THING, [{**_key(id.ref), "part": id.part} for id in ids])


def plain_event(row: EventRow) -> Plain:
    """The line as the store takes it, without its id: that is the store's to give."""
    values = {name: getattr(row, name) for name in EventRow.__slots__ if name != "id"}
    return {**values, "message": kept_text(row.message)}


def insert_events(connection: Connection, rows: Sequence[Plain]) -> None:
    _execute_all(connection, _ADD_EVENT, rows)


def add_events(connection: Connection, rows: Iterable[EventRow]) -> None:
    insert_events(connection, [plain_event(row) for row in rows])


def events_after(
    connection: Connection,
    after: int = 0,
    stack: str = "",
    ref: str = "",
    event: str = "",
    since: float = 0,
    limit: int = 500,
) -> Sequence[EventRow]:
    """The story in order, from just after event `after`; `stack`, `ref` and `event` narrow it."""
    query = select(events).where(events.c.id > after, events.c.at >= since).order_by(events.c.id).limit(limit)
    for column, value in ((events.c.stack, stack), (events.c.ref, ref), (events.c.event, event)):
        query = query.where(column == value) if value else query
    return [EventRow(**row._mapping) for row in connection.execute(query)]


def latest_events(connection: Connection, stack: str = "", ref: str = "", limit: int = 100) -> Sequence[EventRow]:
    """The newest part of the story, oldest first."""
    query = select(events).order_by(events.c.id.desc()).limit(limit)
    for column, value in ((events.c.stack, stack), (events.c.ref, ref)):
        query = query.where(column == value) if value else query
    return [EventRow(**row._mapping) for row in connection.execute(query)][::-1]


def _execute_all(connection: Connection, statement: Executable, rows: Sequence[Plain]) -> None:
    """One statement for all rows; none for none."""
    if rows:
        connection.execute(statement, rows)


def _key(ref: Ref) -> Plain:
    return {"stack": ref.stack, "kind": ref.kind, "name": ref.name}


def _object(row: Row[tuple[object, ...]]) -> ObjectRow:
    r = row._mapping
    return ObjectRow(
        ref=Ref(r["stack"], r["kind"], r["name"]),
        spec=r["spec"],
        generation=r["generation"],
        folder=r["folder"],
        needs=from_json(tuple[Ref, ...], r["needs"]),
        next_spec=r["next_spec"],
        status=from_json(Status, r["status"]),
        memory=r["memory"],
        changed_at=r["changed_at"],
        owner=r["owner"],
        order=from_json(Order, r["ordered"]) if r["ordered"] else None,
        labels=from_json(Labels, r["labels"]) if r["labels"] != "[]" else (),
    )


def _thing(row: Row[tuple[object, ...]]) -> ThingRow:
    r = row._mapping
    return ThingRow(
        id=ThingId(Ref(r["stack"], r["kind"], r["name"]), r["part"]),
        capability=Capability(r["capability"]),
        generation=r["generation"],
        body=from_json(Body | None, r["body"]),
        seen=from_json(Seen, r["seen"]),
        is_accepted=r["is_accepted"],
        is_released=r["is_released"],
        refusal=r["refusal"],
        asked_at=r["asked_at"],
    )
